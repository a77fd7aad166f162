"""Figures of the Lab in files without the app: a page that works alone, or a picture that a browser draws."""

import html
import json
from collections.abc import Mapping
from typing import Literal

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from treeviz.export.browser import started_browser
from treeviz.style.palette import FONT_SIZE

_WIDTH, _HEIGHT, _TITLE = 900, 460, 56  # pixels of a picture; of its title, part of its height
_SCALE = 2  # pixels of a PNG for one of the picture
# Draws every figure and puts the pictures below each other into one.
_DRAW = """async ([figures, width, height]) => {
  const parts = [];
  for (const figure of figures) {
    const address = await Plotly.toImage(figure, { format: "svg", width, height });
    const picture = new DOMParser().parseFromString(decodeURIComponent(address.split(",")[1]), "image/svg+xml");
    picture.documentElement.setAttribute("y", String(parts.length * height));
    parts.push(new XMLSerializer().serializeToString(picture.documentElement));
  }
  const size = `width="${width}" height="${height * parts.length}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${parts.join("")}</svg>`;
}"""


def page_of_figures(figures: Mapping[str, go.Figure], question: str, answer: str) -> str:
    """Return an HTML page with figures by their titles, which can be pointed at and zoomed, without any request."""
    drawn = "\n".join(
        f"<h2>{html.escape(title)}</h2>\n{figure.to_html(full_html=False, include_plotlyjs=False)}"
        for title, figure in figures.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(question)}</title>'
        f"<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}"
        f"</style><script>{get_plotlyjs()}</script></head>\n<body><h1>{html.escape(question)}</h1>"
        f"<p>{html.escape(answer)}</p>\n{drawn}</body></html>\n"
    )


def save_figures(figures: Mapping[str, go.Figure], form: Literal["svg", "png"]) -> bytes:
    """Return one picture of figures below each other, each with its title. Raises ValueError if there is no browser."""
    drawn = [json.loads(_titled(figure, title).to_json()) for title, figure in figures.items()]
    with started_browser() as browser, browser.new_page(device_scale_factor=_SCALE) as page:
        page.set_content(f"<script>{get_plotlyjs()}</script>")
        picture = str(page.evaluate(_DRAW, [drawn, _WIDTH, _HEIGHT]))
        if form == "svg":
            return picture.encode()
        page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT * len(drawn)})
        page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{picture}")
        return bytes(page.screenshot())


def _titled(figure: go.Figure, title: str) -> go.Figure:
    """Return a copy on white, with its title above the curves and what stands over them."""
    copy = go.Figure(figure)
    copy.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE + 3}, "y": 0.98, "yanchor": "top"},
        margin_t=_TITLE + 24,
        height=_HEIGHT,
        plot_bgcolor="white",
        paper_bgcolor="white",
    )
    return copy
