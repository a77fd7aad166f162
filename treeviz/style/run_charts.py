"""Charts of a run: loss, and amortized cost, against the dense method."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from treeviz.model.numerals import count, numeral
from treeviz.model.types import Floats
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, ORANGE, VERMILION, percent
from treeviz.style.palette import seconds as in_seconds
from treeviz.style.searches import describe_search
from treeviz.training.baseline import CANDIDATES
from treeviz.training.trace import Trace


def loss_figure(
    losses: Floats, dense_losses: Floats | None, cursor: int, baseline: str = "", method: str = "trees"
) -> go.Figure:
    """Draw the loss of the method and, as open squares around its points, that of the dense method `baseline`, if any.

    Parameters
    ----------
    losses, dense_losses : at the start of each iteration, (T,) and (T',); None where there is no dense method.
    cursor : the iteration marked by a line.
    """
    floor = 1e-33  # exact zeros have no place on a logarithmic axis
    dense = []
    if dense_losses is not None:
        dense.append(
            {
                "x": np.arange(dense_losses.size),
                "y": np.maximum(dense_losses, floor),
                "mode": "markers",
                "name": baseline,
                "marker": {"symbol": "square-open", "size": 15, "color": ORANGE, "line": {"width": 2.5}},
                "text": _in_words(dense_losses),
                "hovertemplate": "dense, iteration %{x}: %{text}<extra></extra>",
            }
        )
    own = {
        "x": np.arange(losses.size),
        "y": np.maximum(losses, floor),
        "mode": "lines+markers",
        "name": f"through the {method}",
        "line": {"color": BLUE, "width": 2},
        "marker": {"size": 7},
        "text": _in_words(losses),
        "hovertemplate": f"{method}, iteration %{{x}}: %{{text}}<extra></extra>",
    }
    return _figure([*dense, own], cursor, "iteration", "loss ½‖f − y‖²", losses.size)


def cost_figure(
    costs: Floats,
    costs_without_build: Floats,
    dense: Floats,
    cursor: int,
    unit: str,
    baseline: str,
    method: str = "trees",
    table: Floats | None = None,
) -> go.Figure:
    """Draw amortized cost(t) after t = 1, 2, ... iterations, with and without building, against the dense method.

    `table` is that of the compact table with building, if it is to be drawn.
    """
    curves: list[tuple[str, Floats, str, str, str]] = [
        (baseline, dense, ORANGE, "solid", "square-open"),
        (f"{method}, building included", costs, BLUE, "solid", "circle"),
        (f"{method}, iterations only", costs_without_build, BLUE, "dot", "circle-open"),
    ]
    if table is not None:
        curves.append(("compact table, building included", table, GREEN, "dash", "triangle-up"))
    series = [
        {
            "x": np.arange(1, values.size + 1),
            "y": values,
            "mode": "lines+markers",
            "name": name,
            "line": {"color": color, "width": 2, "dash": dash},
            "marker": {"symbol": symbol, "size": 8, "color": color},
            "text": _in_words(values),
            "hovertemplate": f"{name}<br>iterations done: %{{x}}, %{{text}} {unit} per iteration<extra></extra>",
        }
        for name, values, color, dash, symbol in curves
    ]
    return _figure(series, cursor + 1, "iterations done, t", f"{unit} per iteration", costs.size + 1, first=1)


def operations_figure(trace: Trace, cursor: int) -> go.Figure:
    """Draw the amortized operations of a run against those of the dense method and of the compact table."""
    return cost_figure(
        trace.amortized(),
        trace.amortized(include_build=False),
        trace.amortized(of="dense"),
        cursor,
        "operations",
        "dense products, sparse rest",
        describe_search(trace.config.search).title,
        table=None if trace.config.search == "table" else trace.amortized(of="table"),
    )


@dataclass(frozen=True, slots=True)
class RunChart:
    """A chart of a run, as the app has it.

    Attributes
    ----------
    title : its name on the page.
    build : draws it from the run, the dense baseline's run if there is one, and the iteration that the line marks.
    describe : says in words what is seen.
    has_baseline : whether the dense baseline is drawn.
    """

    title: str
    build: Callable[[Trace, Trace | None, int], go.Figure]
    describe: Callable[[Trace, Trace | None], str]
    has_baseline: bool = True


def _build_loss(trace: Trace, dense: Trace | None, cursor: int) -> go.Figure:
    dense_losses = dense.losses if dense else np.empty(0)
    return loss_figure(trace.losses, dense_losses, cursor, _baseline(dense), describe_search(trace.config.search).title)


def _describe_loss(trace: Trace, dense: Trace | None) -> str:
    first, last = numeral(trace.losses[0], 3), numeral(trace.losses[-1], 3)
    return f"Loss ½‖f − y‖² over {count(len(trace.records), 'iteration')}, from {first} to {last}."


def _describe_operations(trace: Trace, dense: Trace | None) -> str:
    own, share = trace.amortized()[-1], trace.amortized()[-1] / trace.amortized(of="dense")[-1]
    return (
        f"Operations an iteration, building shared out over the iterations so far: after {len(trace.records)} of them "
        f"{numeral(own, 3)}, {percent(share)} of the dense method's."
    )


def _build_seconds(trace: Trace, dense: Trace | None, cursor: int) -> go.Figure:
    return cost_figure(
        trace.amortized("seconds"),
        trace.amortized("seconds", include_build=False),
        dense.amortized("seconds") if dense else np.empty(0),
        cursor,
        "seconds",
        _baseline(dense),
        describe_search(trace.config.search).title,
    )


def _describe_seconds(trace: Trace, dense: Trace | None) -> str:
    return (
        f"Time of an iteration, building shared out over the iterations so far: after {len(trace.records)} of them "
        f"{in_seconds(trace.amortized('seconds')[-1])}."
    )


def _baseline(dense: Trace | None) -> str:
    """Return the name of the dense method trained beside a run."""
    return CANDIDATES[dense.config.search] if dense else "dense baseline"


RUN_CHARTS = {
    "loss": RunChart("Loss", _build_loss, _describe_loss),
    "operations": RunChart(
        "Amortized operations",
        lambda trace, dense, cursor: operations_figure(trace, cursor),
        _describe_operations,
        has_baseline=False,
    ),
    "seconds": RunChart("Amortized seconds", _build_seconds, _describe_seconds),
}


def _in_words(values: Floats) -> list[str]:
    return [numeral(value, 4) for value in values.tolist()]


def _figure(
    series: list[dict[str, Any]], cursor: int, x_title: str, y_title: str, last: int, first: int = 0
) -> go.Figure:
    """Draw series over iterations, with a line where the cursor is; y is logarithmic.

    The figure is given to Plotly whole: added piece by piece, it takes four times as long.
    """
    line = {"type": "line", "x0": cursor, "x1": cursor, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
    layout = {
        "height": 340,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "font": {"size": FONT_SIZE},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0, "itemclick": False},
        "xaxis": {
            "title": {"text": x_title},
            "range": [first - 0.4, max(last, first + 4) - 0.4],
            "dtick": None if last > 12 else 1,
        },
        "yaxis": {
            "title": {"text": y_title},
            "type": "log",
            "exponentformat": "power",
            "minor": {"showgrid": False},
            **_decades(np.concatenate([curve["y"] for curve in series])),
        },
        "shapes": [{**line, "line": {"color": VERMILION, "width": 1.5, "dash": "dash"}, "layer": "below"}],
        "plot_bgcolor": "rgba(0,0,0,0)",
        "paper_bgcolor": "rgba(0,0,0,0)",
    }
    return go.Figure([{"type": "scatter", **curve} for curve in series], layout)


def _decades(values: Floats) -> dict[str, object]:
    """Choose the range and ticks of a logarithmic axis: whole decades, at most eight ticks."""
    values = values[np.isfinite(values) & (values > 0)]
    low, high = (np.log10(values.min()), np.log10(values.max())) if values.size else (0.0, 1.0)
    low, high = np.floor(low - 0.1), np.ceil(high + 0.1)
    margin = 0.06 * (high - low)  # room for the markers
    return {"range": [low - margin, high + margin], "dtick": int(np.ceil((high - low) / 8))}
