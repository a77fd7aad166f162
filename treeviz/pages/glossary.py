"""The glossary, one click away on every page."""

import streamlit as st

from treeviz.style.glossary import Term, find_terms, load_terms

# In the header, where it takes no room from any page; where that is narrow the sign alone. The navigation keeps to the
# room that is left, and puts into a menu what does not fit.
_PLACE = """<style>
.st-key-glossary { position: fixed; top: 0.55rem; right: 1rem; width: auto; z-index: 999991; }
[data-testid="stToolbar"] { padding-right: 8.5rem; }
@media (max-width: 1100px) {
  [data-testid="stToolbar"] { padding-right: 4.8rem; }
  .st-key-glossary button [data-testid="stMarkdownContainer"] { position: absolute; clip-path: inset(50%); }
}
</style>"""


def show_glossary() -> None:
    """Draw the button and, behind it, all terms with a search."""
    with st.container(key="glossary"):
        st.html(_PLACE)
        with st.popover("Glossary", icon=":material/menu_book:", help="Every symbol and term of the app"):
            _terms()


def _terms() -> None:
    wanted = st.text_input("Find a symbol or a term", key="glossary-search", placeholder="leaf, skin, κ …")
    found = find_terms(load_terms(), wanted or "")
    if not found:
        st.markdown("Nothing here is called that. Try a shorter word.")
    st.markdown("\n\n".join(describe(term) for term in found))


def describe(term: Term) -> str:
    """Write a term as Markdown."""
    symbol = f" ({term.symbol})" if term.symbol else ""
    return f"**{term.name}**{symbol}: {term.means}"
