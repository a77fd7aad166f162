"""Charts of a run: loss, and amortized cost, against the dense method."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from treeviz.model.types import Floats
from treeviz.style.palette import BLUE, FONT_SIZE, ORANGE, VERMILION


def loss_figure(losses: Floats, dense_losses: Floats, cursor: int, method: str = "trees") -> go.Figure:
    """Draw the loss of the method and, as open squares around its points, that of the dense baseline."""
    floor = 1e-33  # exact zeros have no place on a logarithmic axis
    figure = go.Figure()
    figure.add_scatter(
        x=np.arange(dense_losses.size),
        y=np.maximum(dense_losses, floor),
        mode="markers",
        name="dense baseline",
        marker={"symbol": "square-open", "size": 15, "color": ORANGE, "line": {"width": 2.5}},
        hovertemplate="dense, iteration %{x}: %{y:.3e}<extra></extra>",
    )
    figure.add_scatter(
        x=np.arange(losses.size),
        y=np.maximum(losses, floor),
        mode="lines+markers",
        name=f"through the {method}",
        line={"color": BLUE, "width": 2},
        marker={"size": 7},
        hovertemplate=f"{method}, iteration %{{x}}: %{{y:.3e}}<extra></extra>",
    )
    _mark_cursor(figure, cursor)
    _style(figure, "iteration", "loss ½‖f − y‖²", losses.size)
    return figure


def cost_figure(
    costs: Floats,
    costs_without_build: Floats,
    dense: Floats,
    cursor: int,
    unit: str,
    baseline: str,
    method: str = "trees",
) -> go.Figure:
    """Draw amortized cost(t) after t = 1, 2, ... iterations, with and without building, against the dense method."""
    figure = go.Figure()
    series: Sequence[tuple[str, Floats, str, str, str]] = (
        (baseline, dense, ORANGE, "solid", "square-open"),
        (f"{method}, building included", costs, BLUE, "solid", "circle"),
        (f"{method}, iterations only", costs_without_build, BLUE, "dot", "circle-open"),
    )
    for name, values, color, dash, symbol in series:
        figure.add_scatter(
            x=np.arange(1, values.size + 1),
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": color, "width": 2, "dash": dash},
            marker={"symbol": symbol, "size": 8, "color": color},
            hovertemplate=f"{name}<br>after %{{x}} iterations: %{{y:.4s}} {unit} per iteration<extra></extra>",
        )
    _mark_cursor(figure, cursor + 1)
    _style(figure, "iterations done, t", f"{unit} per iteration", costs.size + 1, first=1)
    return figure


def _decades(figure: go.Figure) -> dict[str, object]:
    """Choose the range and ticks of a logarithmic axis: whole decades, at most eight ticks."""
    values = np.concatenate([np.asarray(trace.y, dtype=float) for trace in figure.data])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = (np.log10(values.min()), np.log10(values.max())) if values.size else (0.0, 1.0)
    low, high = np.floor(low - 0.1), np.ceil(high + 0.1)
    margin = 0.06 * (high - low)  # room for the markers
    return {"range": [low - margin, high + margin], "dtick": int(np.ceil((high - low) / 8))}


def _mark_cursor(figure: go.Figure, x: int) -> None:
    figure.add_vline(x=x, line={"color": VERMILION, "width": 1.5, "dash": "dash"}, layer="below")


def _style(figure: go.Figure, x_title: str, y_title: str, last: int, first: int = 0) -> None:
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": FONT_SIZE},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0, "itemclick": False},
        xaxis={"title": x_title, "range": [first - 0.4, max(last, first + 4) - 0.4], "dtick": None if last > 12 else 1},
        yaxis={
            "title": y_title,
            "type": "log",
            "exponentformat": "power",
            "minor": {"showgrid": False},
            **_decades(figure),
        },
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
