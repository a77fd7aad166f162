"""How a page shows a Plotly chart, and the menu's part that saves any chart of the page as a picture."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

import treeviz.style
from treeviz.style.modules import join_modules

_WEB = Path(treeviz.style.__file__).parent / "web"
_pictures = st.components.v2.component(
    "treeviz-chart-pictures",
    html=(_WEB / "chart_pictures.html").read_text(encoding="utf-8"),
    css=(_WEB / "chart_pictures.css").read_text(encoding="utf-8"),
    js=join_modules(_WEB / "chart_pictures.js"),
)
_drawing = st.components.v2.component("treeviz-drawing", html="<div></div>", js=join_modules(_WEB / "drawn_picture.js"))
_turn = st.components.v2.component("treeviz-chart-turn", html="<span></span>", js=join_modules(_WEB / "chart_turns.js"))


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A figure for a place on a page.

    Attributes
    ----------
    name : by which it is chosen among the charts of the page, to be saved as a picture.
    figure : what is drawn.
    version : a text that differs between figures.
    """

    name: str
    figure: go.Figure
    version: str


def show_chart(figure: go.Figure, name: str, key: str) -> None:
    """Draw a chart; by its name it is chosen among those of the page, to be saved as a picture."""
    figure.update_layout(meta={"name": name})
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})


def show_drawing(html: str, key: str) -> None:
    """Show HTML of our own with SVG, which Streamlit's own leaves out; `currentColor` is the colour of text."""
    _drawing(key=key, data=html)


@st.fragment
def show_chart_in_turn(chart: Chart, key: str) -> None:
    """Draw a chart when the browser has nothing else to do; until then the chart of that name that was drawn last.

    A browser takes about a tenth of a second for each, and answers no click meanwhile. It draws those of a page one
    after the other, and what is pressed between two is answered first.
    """
    kept: Chart | None = st.session_state.get(f"{key}-drawn")
    drawn = kept if kept is not None and kept.name == chart.name else None
    with st.container(key=f"{key}-place", gap=None):
        _turn(
            key=f"{key}-turn",
            data={"wanted": chart.version, "drawn": drawn.version if drawn else ""},
            on_turn_change=partial(_give_turn, chart, key),
        )
        if drawn is not None:
            show_chart(drawn.figure, drawn.name, key)


def forget_charts(prefix: str) -> None:
    """Leave the places whose keys begin with `prefix` empty until it is their turn."""
    for key in [key for key in map(str, st.session_state) if key.startswith(prefix) and key.endswith("-drawn")]:
        del st.session_state[key]


def _give_turn(chart: Chart, key: str) -> None:
    st.session_state[f"{key}-drawn"] = chart


def offer_pictures() -> None:
    """Draw the choice of a chart of this page, and the button that saves it as it is seen."""
    st.markdown("**Pictures of the charts** :small[as they are seen now]")
    _pictures(key="chart-pictures", data={})
