"""Panels as Plotly figures: every seed faintly, the median firmly, and no line through what was not run."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from treeviz.lab.curves import Curve, Panel
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, GREY, ORANGE, PURPLE, VERMILION

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, "#56B4E9", "#B8A100", GREY)
_GRID = "rgba(128, 128, 128, 0.25)"
_SMALL_AXIS = {"title": None, "tickfont": {"size": FONT_SIZE - 3}, "nticks": 5}
_SMALL = {
    "height": 170,
    "showlegend": False,
    "annotations": [],
    "hovermode": False,
    "margin": dict.fromkeys("lrtb", 4),
    "xaxis": _SMALL_AXIS,
    "yaxis": _SMALL_AXIS,
}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")


def panel_figure(panel: Panel, names: Sequence[str] = (), *, is_small: bool = False) -> go.Figure:
    """Draw a panel.

    Parameters
    ----------
    names : of all curves of the answer, so that a curve has the same colour in each of its panels.
    is_small : whether it is drawn for a tile, without words.
    """
    names = list(dict.fromkeys([*names, *(curve.name for curve in panel.curves)]))
    traces: list[dict[str, Any]] = []
    for curve in panel.curves:
        place = names.index(curve.name)
        traces += _traces(curve, _COLORS[place % len(_COLORS)], _SYMBOLS[place % len(_SYMBOLS)], panel)
    figure = go.Figure(traces, _layout(panel))
    if panel.log_x:
        figure.update_xaxes(_ticks(trace["x"] for trace in traces))
    if panel.log_y:
        figure.update_yaxes(_ticks(trace["y"] for trace in traces))
    if is_small:
        figure.update_layout(_SMALL)
        if panel.log_x:
            figure.update_xaxes(dtick=_decades(trace["x"] for trace in traces), tickmode="linear")
        if panel.log_y:
            figure.update_yaxes(dtick=_decades(trace["y"] for trace in traces), tickmode="linear")
    return figure


def curve_names(panels: Sequence[Panel]) -> list[str]:
    """Return the names of all curves, each once."""
    return list(dict.fromkeys(curve.name for panel in panels for curve in panel.curves))


def _traces(curve: Curve, color: str, symbol: str, panel: Panel) -> list[dict[str, Any]]:
    shared = {"type": "scatter", "x": list(curve.x), "legendgroup": curve.name, "connectgaps": False}
    if curve.kind == "formula":
        line = {"color": color, "width": 1.5, "dash": "dash"}
        return [{**shared, "y": _shown(curve.median, panel), "mode": "lines", "name": curve.name, "line": line}]
    lines = "markers" if panel.has_categories else "lines+markers"
    faint = [
        {
            **shared,
            "y": _shown(values, panel),
            "mode": lines,
            "name": curve.name,
            "showlegend": False,
            "hoverinfo": "skip",
            "opacity": 0.3,
            "line": {"color": color, "width": 1},
            "marker": {"color": color, "size": 4, "symbol": symbol},
        }
        for values in curve.seeds
        if len(curve.seeds) > 1
    ]
    median = {
        **shared,
        "y": _shown(curve.median, panel),
        "mode": lines,
        "name": curve.name,
        "line": {"color": color, "width": 2.5},
        "marker": {"color": color, "size": 8, "symbol": symbol},
        "hovertemplate": f"{curve.name}<br>{panel.x_title}: %{{x}}<br>{panel.y_title}: %{{y:.4g}}<extra></extra>",
    }
    return [*faint, median]


def _ticks(values: Iterable[Sequence[float | None]]) -> dict[str, Any]:
    """Return where a logarithmic axis has ticks: few enough to be read, and more than one below two decades."""
    logs = [math.log10(value) for some in values for value in some if value]
    if not logs or max(logs) - min(logs) >= 2:
        return {"dtick": max(1, round((max(logs) - min(logs)) / 7)) if logs else 1}
    powers = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    return {"tickmode": "array", "tickvals": [digit * 10.0**power for power in powers for digit in (1, 2, 5)]}


def _decades(values: Iterable[Sequence[float | None]]) -> int:
    """Return how many decades apart the ticks of a small logarithmic axis are."""
    logs = [math.log10(value) for some in values for value in some if value]
    return max(1, round((max(logs) - min(logs)) / 3)) if logs else 1


def _shown(values: Any, panel: Panel) -> list[float | None]:
    """Return values as they can be drawn: what is missing, or has no logarithm, is a gap."""
    found = np.asarray(values, dtype=float)
    is_shown = np.isfinite(found) & ((found > 0) | (not panel.log_y))
    return [float(value) if shown else None for value, shown in zip(found, is_shown, strict=True)]


def _layout(panel: Panel) -> dict[str, Any]:
    def axis(title: str, *, is_log: bool) -> dict[str, Any]:
        scale = {"type": "log", "exponentformat": "power", "minor": {"showgrid": False}} if is_log else {}
        return {"title": {"text": title}, "gridcolor": _GRID, "zeroline": False, **scale}

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
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.22, "xanchor": "left", "x": 0, "itemclick": False},
        "xaxis": axis(panel.x_title, is_log=panel.log_x),
        "yaxis": axis(panel.y_title, is_log=panel.log_y),
        "shapes": lines,
        "annotations": words,
        "plot_bgcolor": "rgba(0,0,0,0)",
        "paper_bgcolor": "rgba(0,0,0,0)",
    }
