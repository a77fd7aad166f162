"""The stage alone, for a frame in another page: an address with `view=stage`, and `controls=none` without buttons."""

from collections.abc import Mapping, Sequence

import streamlit as st

from treeviz.stage.component import Embedding

_ALONE = {"view": "stage"}
_BARE = {"controls": "none"}
_STYLE = """<style>
:is([data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], .st-key-glossary) {
  display: none !important;
}
[data-testid="stMainBlockContainer"] { padding: 0.4rem 0.8rem; }
</style>"""


def take_embedding(address: Mapping[str, Sequence[str]]) -> None:
    """Note for the session what the address that opened it says of a frame."""
    is_alone = _says(address, _ALONE)
    st.session_state.embedding = "" if not is_alone else "bare" if _says(address, _BARE) else "controls"


def embedding() -> Embedding:
    """Return how the stage is shown: "" on its page, else alone, with "controls" or "bare"."""
    found: Embedding = st.session_state.get("embedding", "")
    return found


def understood_names() -> tuple[str, ...]:
    """Return the names in an address that the session has followed, and of which no notice is to be given."""
    shown = embedding()
    return (*(_ALONE if shown else ()), *(_BARE if shown == "bare" else ()))


def hide_page() -> None:
    """Leave nothing of the page but the stage."""
    if embedding():
        st.html(_STYLE)


def _says(address: Mapping[str, Sequence[str]], wanted: Mapping[str, str]) -> bool:
    return all(list(address.get(name, ())) == [text] for name, text in wanted.items())
