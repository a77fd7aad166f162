"""Panels as Plotly figures: every seed faintly, the median firmly, and no line through what was not run."""

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from treeviz.lab.curves import Curve, Panel
from treeviz.style.log_axis import log_axis
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, GREY, ORANGE, PURPLE, VERMILION

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, "#56B4E9", "#B8A100", GREY)
_GRID = "rgba(128, 128, 128, 0.25)"
_MOST_ACROSS, _MOST_UP = 7, 12  # ticks of a logarithmic axis that can stand side by side, and above each other
_LINE = 40  # letters of an axis title that a narrow screen has room for
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")


def panel_figure(panel: Panel, names: Sequence[str] = ()) -> go.Figure:
    """Draw a panel.

    Parameters
    ----------
    names : of all curves of the answer, so that a curve has the same colour in each of its panels.
    """
    names = list(dict.fromkeys([*names, *(curve.name for curve in panel.curves)]))
    traces: list[dict[str, Any]] = []
    for curve in panel.curves:
        if np.isnan(curve.median).all():  # planned, and not measured yet
            continue
        traces += _traces(curve, *curve_style(curve.name, names), panel)
    return go.Figure(traces, _layout(panel))


def curve_style(name: str, names: Sequence[str]) -> tuple[str, str]:
    """Return the colour and the symbol of a curve, of all those of an answer."""
    place = names.index(name)
    return _COLORS[place % len(_COLORS)], _SYMBOLS[place % len(_SYMBOLS)]


def curve_names(panels: Sequence[Panel]) -> tuple[str, ...]:
    """Return the names of all curves, each once."""
    return tuple(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))


def _traces(curve: Curve, color: str, symbol: str, panel: Panel) -> list[dict[str, Any]]:
    shared = {"type": "scatter", "x": list(curve.x), "legendgroup": curve.name, "connectgaps": False}
    if curve.kind == "formula":
        line = {"color": color, "width": 1.5, "dash": "dash"}
        return [{**shared, "y": _shown(curve.median, panel), "mode": "lines", "name": curve.name, "line": line}]
    lines = "markers" if panel.has_categories else "lines+markers"
    # All seeds in one trace, with a gap after each: a browser takes about as long for a trace of one as of all.
    seeds = {
        **shared,
        "x": [*curve.x, None] * len(curve.seeds),
        "y": [value for values in curve.seeds for value in (*_shown(values, panel), None)],
        "mode": lines,
        "name": curve.name,
        "showlegend": False,
        "hoverinfo": "skip",
        "opacity": 0.3,
        "line": {"color": color, "width": 1},
        "marker": {"color": color, "size": 4, "symbol": symbol},
    }
    median = {
        **shared,
        "y": _shown(curve.median, panel),
        "mode": lines,
        "name": curve.name,
        "line": {"color": color, "width": 2.5},
        "marker": {"color": color, "size": 8, "symbol": symbol},
        "hovertemplate": f"{curve.name}<br>{panel.x_title}: %{{x}}<br>{panel.y_title}: %{{y:.4g}}<extra></extra>",
    }
    return [seeds, median] if len(curve.seeds) > 1 else [median]


def _shown(values: Any, panel: Panel) -> list[float | None]:
    """Return values as they can be drawn: what is missing, or has no logarithm, is a gap."""
    found = np.asarray(values, dtype=float)
    is_shown = np.isfinite(found) & ((found > 0) | (not panel.log_y))
    return [float(value) if shown else None for value, shown in zip(found, is_shown, strict=True)]


def _layout(panel: Panel) -> dict[str, Any]:
    def axis(title: str, values: Iterable[Any], most: int, *, is_log: bool) -> dict[str, Any]:
        scale = log_axis((value for some in values for value in some), most) if is_log else {}
        return {"title": {"text": "<br>".join(wrap(title, _LINE))}, "gridcolor": _GRID, "zeroline": False, **scale}

    # Each name is written, aslant if they would not fit; plotly leaves out some otherwise.
    names = {"type": "category", "dtick": 1, "autotickangles": [0, -35]} if panel.has_categories else {}
    lines = [
        {
            "type": "line",
            "x0": mark.x,
            "x1": mark.x,
            "yref": "y domain",
            "y0": 0,
            "y1": 1,
            "line": {"color": GREY, "width": 1.5, "dash": "dot"},
            "layer": "below",
        }
        for mark in panel.marks
    ]
    words = [
        {
            "x": np.log10(mark.x) if panel.log_x else mark.x,
            "y": 1,
            "yref": "y domain",
            "yanchor": "bottom",
            "text": mark.words,
            "showarrow": False,
            "font": {"size": FONT_SIZE - 1, "color": GREY},
        }
        for mark in panel.marks
    ]
    return {
        "height": 380,
        "margin": {"l": 8, "r": 8, "t": 24 if panel.marks else 8, "b": 8},
        "font": {"size": FONT_SIZE},
        # At the bottom of the picture, which makes room for it below the axis, however many lines it takes.
        "legend": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "itemclick": False},
        "xaxis": axis(panel.x_title, (curve.x for curve in panel.curves), _MOST_ACROSS, is_log=panel.log_x) | names,
        "yaxis": axis(panel.y_title, (curve.median for curve in panel.curves), _MOST_UP, is_log=panel.log_y),
        "shapes": lines,
        "annotations": words,
        "plot_bgcolor": "rgba(0,0,0,0)",
        "paper_bgcolor": "rgba(0,0,0,0)",
    }
