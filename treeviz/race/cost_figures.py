"""Figures of what methods are expected to cost: operations against width, and which method needs the fewest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy import ndimage

from treeviz.model.numerals import numeral
from treeviz.model.types import Floats, Ints
from treeviz.race.charts import COLORS
from treeviz.style.palette import FONT_SIZE, GREY

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px 2px", "2px 4px")
# The next method needs less than this many times as many operations: hatched, for it hardly matters.
_CLOSE = 1.05
# Cells from a region's edge that its name needs.
_ROOM_FOR_NAME = 3
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "x", "triangle-down", "star")


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Expected operations of one method at every width, (k,), and measured ones as pairs (width, operations).

    `slot` chooses its colour, dash and symbol, as in the charts of a race.
    """

    title: str
    slot: int
    operations: Floats
    measured: Sequence[tuple[int, float]] = ()


def expected_cost_figure(widths: Ints, curves: Sequence[Curve], current_width: int) -> go.Figure:
    """Draw expected operations against width, both logarithmic, with measured runs as dots on the curves."""
    figure = go.Figure()
    for curve in curves:
        color, slot = COLORS[curve.slot % len(COLORS)], curve.slot % len(_DASHES)
        figure.add_scatter(
            x=widths,
            y=curve.operations,
            mode="lines",
            name=curve.title,
            line={"color": color, "width": 2.5, "dash": _DASHES[slot]},
            hovertemplate=f"{curve.title}, expected<br>m = %{{x:,}}: %{{y:.4s}} operations<extra></extra>",
        )
        if curve.measured:
            at, operations = zip(*curve.measured, strict=True)
            figure.add_scatter(
                x=at,
                y=operations,
                mode="markers",
                name=f"{curve.title}, measured",
                showlegend=False,
                marker={"symbol": _SYMBOLS[slot], "size": 12, "color": color, "line": {"width": 1.5, "color": "white"}},
                hovertemplate=f"{curve.title}, measured<br>m = %{{x:,}}: %{{y:,}} operations<extra></extra>",
            )
    _mark_width(figure, current_width)
    _style(figure, widths, "operations, building included")
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    return figure


def cheapest_figure(
    widths: Ints,
    iterations: Ints,
    titles: Sequence[str],
    slots: Sequence[int],
    totals: Floats,
    current_width: int,
    num_iterations: int,
) -> go.Figure:
    """Draw which method is expected to need the fewest operations for each width and number of iterations.

    `totals` is (methods, iterations, widths). Regions are told apart by colour and by the name written in them.
    """
    winner = totals.argmin(axis=0)  # (iterations, widths)
    best = np.sort(totals, axis=0)
    lead = best[1] / best[0] if len(titles) > 1 else np.ones_like(best[0])
    steps = np.repeat(np.arange(len(titles) + 1) / len(titles), 2)[1:-1]
    colors = [COLORS[slot % len(COLORS)] for slot in slots]
    near_cross = (
        np.add.outer(np.log10(iterations / num_iterations) ** 2 / 0.5, np.log2(widths / current_width) ** 2 / 8) < 1
    )  # a name there would lie under the cross
    figure = go.Figure(
        go.Heatmap(
            x=np.log2(widths),
            y=np.log10(iterations),
            z=winner,
            zmin=-0.5,
            zmax=len(titles) - 0.5,
            colorscale=[[float(step), color] for step, color in zip(steps, np.repeat(colors, 2), strict=True)],
            showscale=False,
            opacity=0.75,
            customdata=np.stack(
                [
                    np.array(titles, dtype=object)[winner],
                    np.broadcast_to(widths, winner.shape),
                    np.broadcast_to(iterations[:, None], winner.shape),
                    np.vectorize(lambda factor: numeral(factor, 3), otypes=[object])(lead),
                ],
                axis=-1,
            ),
            hovertemplate="%{customdata[0]}<br>m = %{customdata[1]:,}, iterations: %{customdata[2]:,}<br>"
            "the next needs %{customdata[3]} times as many<extra></extra>",
        )
    )
    rows, columns = np.nonzero(lead < _CLOSE)
    figure.add_scatter(
        x=np.log2(widths[columns]),
        y=np.log10(iterations[rows]),
        mode="markers",
        marker={"symbol": "line-ne-open", "size": 7, "color": "rgba(0,0,0,0.45)"},
        hoverinfo="skip",
        showlegend=False,
    )
    for place, title in enumerate(titles):
        # The name stands where its region is deepest, so that it lies inside, also of a region in several pieces.
        depth = ndimage.distance_transform_edt(np.pad((winner == place) & ~near_cross, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        if depth[row, column] > _ROOM_FOR_NAME:
            figure.add_annotation(
                x=np.log2(widths[column]),
                y=np.log10(iterations[row]),
                text=title,
                showarrow=False,
                font={"size": FONT_SIZE + 1, "color": "black"},
                bgcolor="rgba(255,255,255,0.75)",
            )
    figure.add_scatter(
        x=[np.log2(current_width)],
        y=[np.log10(num_iterations)],
        mode="markers",
        marker={"symbol": "x-thin", "size": 14, "line": {"width": 3, "color": "black"}},
        hovertemplate="the settings now<extra></extra>",
        showlegend=False,
    )
    _style(figure, widths, "iterations")
    powers = np.arange(int(np.log2(widths[0])), int(np.log2(widths[-1])) + 1, 2)
    decades = np.arange(int(np.log10(iterations[-1])) + 1)
    figure.update_xaxes(
        type="linear",
        tickvals=powers,
        ticktext=[f"2<sup>{power}</sup>" for power in powers],
        range=[np.log2(widths[0]), np.log2(widths[-1])],
    )
    figure.update_yaxes(tickvals=decades, ticktext=[f"{10**decade:,}" for decade in decades])
    return figure


def _mark_width(figure: go.Figure, width: int) -> None:
    figure.add_vline(x=width, line={"color": GREY, "width": 1.5, "dash": "dash"}, layer="below")


def _style(figure: go.Figure, widths: Ints, y_title: str) -> None:
    powers = np.arange(int(np.log2(widths[0])), int(np.log2(widths[-1])) + 1, 2)
    figure.update_layout(
        height=420,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": FONT_SIZE},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0},
        xaxis={
            "title": "width m",
            "type": "log",
            "tickvals": 1 << powers,
            "ticktext": [f"2<sup>{power}</sup>" for power in powers],
        },
        yaxis={"title": y_title},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
