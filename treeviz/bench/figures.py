"""The figures of a benchmark: ratios to the baseline, and growth with m, n or d."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from treeviz.bench.candidate import CANDIDATES
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, GREY, ORANGE, PURPLE, VERMILION

# A candidate is told by colour and by marker; one that has none of its own gets the last.
_STYLES = {
    "dense": (ORANGE, "square"),
    "dense-sparse": (GREY, "x"),
    "compact": (GREEN, "triangle-up"),
    "forest": (BLUE, "circle"),
    "watch": (VERMILION, "diamond"),
    "watch-firing": (PURPLE, "star"),
}
_OTHER_STYLE = (GREY, "cross")
_GRID = "#E3E5E8"


@dataclass(frozen=True, slots=True)
class RatioMark:
    """A candidate's ratio to the baseline in one panel and case, with its spread, and what the pointer shows."""

    panel: str
    case: str
    candidate: str
    ratio: float
    lowest: float
    highest: float
    hover: str


@dataclass(frozen=True, slots=True)
class GrowthCurve:
    """A candidate's medians at some sizes, with their spread, and the power law fitted to them, if there is one.

    Attributes
    ----------
    candidate : its name.
    sizes, medians, lowest, highest : (k,) each.
    factor, exponent : of the law; None if there is none.
    exponent_label : the exponent with its standard error, as text.
    """

    candidate: str
    sizes: Sequence[int]
    medians: Sequence[float]
    lowest: Sequence[float]
    highest: Sequence[float]
    factor: float | None
    exponent: float | None
    exponent_label: str


def ratio_figure(marks: Sequence[RatioMark], baseline: str) -> go.Figure:
    """Draw a panel for each quantity, with a line for each case and a dot for each candidate; 1x is the baseline."""
    panels, cases, candidates = (
        list(dict.fromkeys(getattr(mark, name) for mark in marks)) for name in ("panel", "case", "candidate")
    )
    candidates.sort(key=_place_of)  # the same order whichever dense method is the baseline of the first case
    figure = make_subplots(1, max(1, len(panels)), shared_yaxes=True, subplot_titles=panels, horizontal_spacing=0.025)
    for column, panel in enumerate(panels, start=1):
        for place, candidate in enumerate(candidates):
            own = [mark for mark in marks if mark.panel == panel and mark.candidate == candidate]
            color, symbol = _STYLES.get(candidate, _OTHER_STYLE)
            # Each candidate keeps its own height in every case, so that no dot covers another.
            shift = 0.5 * (place + 0.5) / len(candidates) - 0.25
            figure.add_scatter(
                x=[mark.ratio for mark in own],
                y=[cases.index(mark.case) + shift for mark in own],
                error_x=_error_bars([(mark.ratio, mark.lowest, mark.highest) for mark in own]),
                mode="markers",
                name=candidate,
                legendgroup=candidate,
                showlegend=panel == next(mark.panel for mark in marks if mark.candidate == candidate),
                marker={"color": color, "symbol": symbol, "size": 11},
                customdata=[mark.hover for mark in own],
                hovertemplate="%{customdata}<extra></extra>",
                row=1,
                col=column,
            )
        axis = _ratio_axis([value for mark in marks if mark.panel == panel for value in (mark.lowest, mark.highest)])
        figure.update_xaxes(title=f"{baseline} / candidate, log scale", row=1, col=column, **axis)
        figure.add_vline(x=1, line={"color": GREY, "width": 2, "dash": "dash"}, layer="below", row=1, col=column)
    figure.update_yaxes(
        range=[len(cases) - 0.5, -0.5], gridcolor=_GRID, zeroline=False, tickvals=list(range(len(cases)))
    )
    figure.update_yaxes(ticktext=cases, row=1, col=1)
    _style(figure, height=170 + 62 * max(1, len(cases)))
    figure.update_layout(legend={"orientation": "h", "yanchor": "bottom", "y": 1.1, "xanchor": "left", "x": 0})
    return figure


def _place_of(candidate: str) -> int:
    """Return the place of a candidate among those that there are; others come after them."""
    names = [one.name for one in CANDIDATES]
    return names.index(candidate) if candidate in names else len(names)


def growth_figure(curves: Sequence[GrowthCurve], axis: str, axis_title: str, value_title: str, unit: str) -> go.Figure:
    """Draw medians against m, n or d on two logarithmic axes, with the fitted lines; exponents are in the legend."""
    figure = go.Figure()
    for curve in curves:
        color, symbol = _STYLES.get(curve.candidate, _OTHER_STYLE)
        exponent = f": exponent {curve.exponent_label}" if curve.exponent is not None else ""
        figure.add_scatter(
            x=list(curve.sizes),
            y=list(curve.medians),
            error_y=_error_bars(list(zip(curve.medians, curve.lowest, curve.highest, strict=True))),
            mode="markers",
            name=f"{curve.candidate}{exponent}",
            legendgroup=curve.candidate,
            marker={"color": color, "symbol": symbol, "size": 9},
            customdata=[
                [f"{size:,}", low, high]
                for size, low, high in zip(curve.sizes, curve.lowest, curve.highest, strict=True)
            ],
            hovertemplate=(
                f"{curve.candidate}, {axis} = %{{customdata[0]}}: %{{y:.4g}} {unit}<br>"
                f"lowest %{{customdata[1]:.4g}}, highest %{{customdata[2]:.4g}} {unit}<extra></extra>"
            ),
        )
        if curve.exponent is not None and curve.factor is not None:
            ends = [curve.sizes[0], curve.sizes[-1]]
            figure.add_scatter(
                x=ends,
                y=[curve.factor * end**curve.exponent for end in ends],
                mode="lines",
                name=f"{curve.candidate}, fitted",
                legendgroup=curve.candidate,
                showlegend=False,
                line={"color": color, "width": 1.5, "dash": "dot"},
                hoverinfo="skip",
            )
    sizes = sorted({size for curve in curves for size in curve.sizes})
    figure.update_xaxes(
        type="log",
        title=axis_title,
        tickvals=sizes,
        ticktext=[_size_label(size) for size in sizes],
        gridcolor=_GRID,
        zeroline=False,
    )
    figure.update_yaxes(
        type="log",
        title=value_title,
        gridcolor=_GRID,
        zeroline=False,
        **_decade_ticks([value for curve in curves for value in (*curve.lowest, *curve.highest)]),
    )
    _style(figure, height=400)
    figure.update_layout(
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.02,
            "xanchor": "left",
            "x": 0,
            "entrywidth": 210,
            "entrywidthmode": "pixels",
        }
    )
    return figure


def _size_label(size: int) -> str:
    """Write a power of two from 2^10 on as one, and any other size in full."""
    exponent = size.bit_length() - 1
    if size != 1 << exponent or exponent < 10:
        return f"{size:,}"
    return "2" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _error_bars(spreads: Sequence[tuple[float, float, float]]) -> dict[str, object]:
    """Return bars from the lowest to the highest of `(median, lowest, highest)`."""
    return {
        "type": "data",
        "array": [highest - median for median, _, highest in spreads],
        "arrayminus": [median - lowest for median, lowest, _ in spreads],
        "thickness": 1.5,
        "width": 4,
    }


def _ratio_axis(values: Sequence[float]) -> dict[str, object]:
    """Choose range and ticks of a logarithmic axis that always shows 1x."""
    low, high = math.log10(min([1.0, *values])), math.log10(max([1.0, *values]))
    margin = 0.06 * max(high - low, 0.5)
    steps = (1, 2, 5) if high - low < 1.5 else (1, 3) if high - low < 2.5 else (1,)
    decades = range(math.floor(low - margin), math.ceil(high + margin) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "type": "log",
        "range": [low - margin, high + margin],
        "tickvals": ticks,
        "ticktext": [f"{tick:,.10g}×" for tick in ticks],
        "gridcolor": _GRID,
        "zeroline": False,
    }


def _decade_ticks(values: Sequence[float]) -> dict[str, object]:
    """Put a tick at each power of ten, written in full, and half-way ones where there are few."""
    positive = [value for value in values if value > 0]
    if not positive:
        return {}
    low, high = math.log10(min(positive)), math.log10(max(positive))
    steps = (1, 3) if high - low < 3 else (1,)
    decades = range(math.floor(low) - 1, math.ceil(high) + 2)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    margin = 0.05 * max(high - low, 0.5)
    return {
        "range": [low - margin, high + margin],
        "tickvals": ticks,
        "ticktext": [f"{tick:,.10g}" for tick in ticks],
    }


def _style(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 60, "b": 8},
        font={"size": FONT_SIZE},
        plot_bgcolor="#FFFFFF",
        paper_bgcolor="#FFFFFF",
    )
