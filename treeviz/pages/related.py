"""Related work: a map of the papers around this one, what each adds, and where the app shows it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from treeviz.model.numerals import count
from treeviz.pages.notices import note
from treeviz.pages.page import Page
from treeviz.pages.take_home import offer_table
from treeviz.related.component import draw_map, show_map
from treeviz.related.literature import ROLES, Link, Paper, load_papers

_MARKS = {"this": "■", "later": "●", "earlier": "◆"}  # the shapes of the map
_RELATIONS = {"this": "this paper", "later": "later", "earlier": "earlier"}  # in the list
_OPEN = "paper-open"
# The details stand beside the map where there is room for both, else below it.
_ROOM = """<style>
.st-key-paper-body [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
.st-key-paper-body [data-testid="stColumn"]:first-child { min-width: min(100%, 38rem); }
.st-key-paper-body [data-testid="stColumn"]:last-child { min-width: min(100%, 17rem); }
</style>"""


@st.cache_data(show_spinner=False)
def _draw() -> dict[str, Any]:
    """Lay the map out once for all viewers."""
    return draw_map(load_papers())


def render() -> None:
    """Draw the page."""
    papers = load_papers()
    st.subheader("Related work", anchor=False)
    st.markdown(
        "The map shows the papers around *Training Overparametrized Neural Networks in Sublinear Time*: a column for "
        "each year, a row for each theme. Point at a paper for its title; click it for what it adds and what of it you "
        "can try here. The list that the map is made from does not say who cites whom. The map says only what "
        "appeared earlier than this paper (August 2022), and what later."
    )
    listed, found = _filter(papers)
    ringed = "ringed on the map, " if st.session_state["paper-search"].strip() else ""
    note(f"{sum(paper in found for paper in listed)} of {count(len(papers), 'paper')}, {ringed}listed below the map.")
    shown = {paper.key for paper in listed} | {paper.key for paper in papers if paper.role == "this"}
    by_title = {paper.title: paper for paper in papers}
    st.html(_ROOM)
    with st.container(key="paper-body"):
        left, right = st.columns([7, 3])
        with right:  # first, as the map shows what is chosen here
            title = st.selectbox(
                "Open a paper",
                list(by_title),
                index=next(place for place, paper in enumerate(papers) if paper.role == "this"),
                key=_OPEN,
                bind="query-params",
            )
            opened = by_title[title]
            _details(opened, papers)
        with left:
            hits = {paper.key for paper in found} if st.session_state["paper-search"].strip() else set()
            show_map("paper-map", _draw(), shown=shown, found=hits & shown, selected=opened.key, on_choose=_open)
    _list([paper for paper in listed if paper in found], len(papers))
    offer_table("All papers", "treeviz-papers", _pack_papers)


def _pack_papers(format: str) -> bytes:
    from treeviz.export.page_tables import pack_papers  # with pandas, which no page has to wait for

    return pack_papers(load_papers(), format)


def _open(key: str) -> None:
    """Open the paper that was chosen on the map, or this one if none is."""
    chosen = [paper for paper in load_papers() if paper.key == key or (not key and paper.role == "this")]
    st.session_state[_OPEN] = chosen[0].title


def _filter(papers: Sequence[Paper]) -> tuple[list[Paper], list[Paper]]:
    """Draw the filters; return the papers they leave, and those that the search finds."""
    years = sorted({paper.year for paper in papers})
    themes = {theme.title: theme for theme in dict.fromkeys(paper.theme for paper in papers)}
    roles = {words.capitalize(): role for role, words in ROLES.items() if role != "this"}
    search = st.text_input(
        "Search titles and authors",
        placeholder="for example: Zhuo, or sparse",
        key="paper-search",
        bind="query-params",
        width=400,
    )
    with st.expander("Filter by year, relation and theme"):
        first, last = st.slider(
            "Years", years[0], years[-1], (years[0], years[-1]), key="paper-years", bind="query-params", width=300
        )
        chosen_roles = st.pills(
            "Relation", list(roles), selection_mode="multi", key="paper-relation", bind="query-params"
        )
        chosen_themes = st.pills(
            "Themes", list(themes), selection_mode="multi", key="paper-themes", bind="query-params"
        )
    left = [
        paper
        for paper in papers
        if first <= paper.year <= last
        and (not chosen_roles or paper.role in {roles[role] for role in chosen_roles})
        and (not chosen_themes or paper.theme.title in chosen_themes)
    ]
    return left, [paper for paper in papers if paper.matches(search)]


def _details(paper: Paper, papers: Sequence[Paper]) -> None:
    """Show one paper: what it adds, how it relates to this one, and where the app has it."""
    centre = next(one for one in papers if one.role == "this")
    with st.container(border=True, key="paper-details"):
        st.markdown(f"**{paper.title}**")
        source = f" · [arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
        note(f"{', '.join(paper.authors)} · {paper.year}{source}")
        note(f"{_MARKS[paper.role]} {ROLES[paper.role].capitalize()} · {paper.theme.title}")
        st.markdown(f"**What it adds.** {paper.adds}")
        st.markdown(f"**How it relates.** {paper.relates or paper.theme.about}{_common_authors(paper, centre)}")
        for link in paper.links:
            _show_link(link)


def _common_authors(paper: Paper, centre: Paper) -> str:
    common = [author for author in paper.authors if author in centre.authors]
    if paper is centre or not common:
        return ""
    return f" It shares {' and '.join(common)} with this paper."


def _show_link(link: Link) -> None:
    """Link to a page of the app within the same session; `entry` registers the pages, and they go by their paths."""
    page = st.Page(_nothing, title=link.text, url_path=link.page, default=not link.page)
    st.page_link(page, label=link.text, icon=":material/arrow_forward:", query_params=link.query)


def _nothing() -> None:
    """Stand in for a page's own function, which a link to it does not need."""


def _list(papers: Sequence[Paper], num_all: int) -> None:
    """Write the papers that pass search and filters as a table."""
    st.markdown(f"**The same as a list: {len(papers)} of {count(num_all, 'paper')}**")
    if not papers:
        st.info("No paper matches. Shorten the search, widen the years, or choose fewer relations and themes.")
        return
    rows = [["paper", "authors", "year", "relation", "theme"], ["---"] * 5]
    rows += [
        [
            paper.title,
            ", ".join(paper.authors),
            str(paper.year),
            f"{_MARKS[paper.role]} {_RELATIONS[paper.role]}",
            paper.theme.title,
        ]
        for paper in sorted(papers, key=lambda paper: (-paper.year, paper.title))
    ]
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))


PAGE = Page("Explore related work", path="related", order=6, render=render, needs_data=False)
