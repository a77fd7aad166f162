"""How a page shows a Plotly chart, and the menu's part that saves any chart of the page as a picture."""

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


def show_chart(figure: go.Figure, name: str, key: str) -> None:
    """Draw a chart; by its name it is chosen among those of the page, to be saved as a picture."""
    figure.update_layout(meta={"name": name})
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})


def offer_pictures() -> None:
    """Draw the choice of a chart of this page, and the button that saves it as it is seen."""
    st.markdown("**Pictures of the charts** :small[as they are seen now]")
    _pictures(key="chart-pictures", data={})
