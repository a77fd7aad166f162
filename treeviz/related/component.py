"""The map of related work in Streamlit: one component, drawn as SVG in the browser."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from treeviz.related.literature import ROLES, Paper, build_graph, lay_out, theme_bands, year_bands
from treeviz.style.modules import join_modules

_WEB = Path(__file__).parent / "web"

_mount = st.components.v2.component(
    "treeviz-papermap",
    html=(_WEB / "map.html").read_text(encoding="utf-8"),
    css=(_WEB / "map.css").read_text(encoding="utf-8"),
    js=join_modules(_WEB / "map.js"),
)


def show_map(
    key: str,
    drawing: dict[str, Any],
    *,
    shown: Collection[str],
    found: Collection[str],
    selected: str,
    on_choose: Callable[[str], None],
) -> None:
    """Mount the map, or send the mounted one what has changed.

    Parameters
    ----------
    key : of the widget, stable, so that what was dragged and zoomed stays.
    drawing : what `draw_map` returned.
    shown : keys of the papers that are not faded.
    found : keys of those to ring, because a search found them.
    selected : key of the open paper.
    on_choose : called with the key of a paper when it is to be opened; with "" when the open one is to be closed.
    """
    data = {**drawing, "shown": sorted(shown), "found": sorted(found), "selected": selected}
    _mount(key=key, data=data, on_chosen_change=lambda: on_choose(str(st.session_state[key]["chosen"])))


def draw_map(papers: Sequence[Paper]) -> dict[str, Any]:
    """Describe all that can be on the map, as plain data: papers with their places, edges, columns and lanes."""
    graph = build_graph(papers)
    places = lay_out(graph)
    return {
        "papers": [
            {
                "key": paper.key,
                "title": paper.title,
                "authors": ", ".join(paper.authors),
                "year": paper.year,
                "label": "This paper" if paper.role == "this" else paper.label,
                "role": paper.role,
                "relation": ROLES[paper.role],
                "isClose": bool(paper.relates),
                "x": places[paper.key][0],
                "y": places[paper.key][1],
            }
            for paper in papers
        ],
        "edges": [{"ends": [one, other], **kind} for one, other, kind in graph.edges(data=True)],
        "years": [{"name": str(year), "from": left, "to": right} for year, (left, right) in year_bands(papers).items()],
        "themes": [
            {"name": theme.title, "from": top, "to": bottom} for theme, (top, bottom) in theme_bands(papers).items()
        ],
    }
