"""The small pictures of the theory page, each of one run's numbers."""

import numpy as np
import plotly.graph_objects as go

from treeviz.lesson.facts import Facts
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import numeral
from treeviz.model.types import Floats
from treeviz.style.log_axis import log_axis
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, GREY, ORANGE, VERMILION
from treeviz.style.run_charts import cost_figure

_HEIGHT = 260
_MOST_TICKS = 8  # on a logarithmic axis
_FLOOR = 1e-33  # exact zeros have no place on a logarithmic axis


def leaves_chart(facts: Facts) -> go.Figure:
    """Draw how the leaves of tree 0 are distributed, those that fire in colour."""
    figure, b = go.Figure(), facts.threshold
    top = max(b + 0.5, float(facts.leaves.max()))
    edges = np.concatenate([np.linspace(min(-4.0, float(facts.leaves.min())), b, 61), np.linspace(b, top, 13)[1:]])
    counts, _ = np.histogram(facts.leaves, edges)
    density = counts / np.diff(edges)
    middles, fires = 0.5 * (edges[1:] + edges[:-1]), edges[:-1] >= b - 1e-12
    for name, chosen, color in (("below b", ~fires, GREY), ("fires", fires, BLUE)):
        figure.add_bar(
            x=middles[chosen],
            y=density[chosen],
            width=np.diff(edges)[chosen],
            customdata=counts[chosen],
            name=name,
            marker={"color": color, "line": {"width": 0}},
            hovertemplate="inner product near %{x:.2f}, neurons: %{customdata:,}<extra></extra>",
        )
    figure.add_vline(x=b, line={"color": VERMILION, "width": 2, "dash": "dash"}, annotation_text=f"b = {b:.2f}")
    figure.update_layout(bargap=0)
    _style(figure, "leaf z of a neuron on datapoint 0", "neurons")
    figure.update_yaxes(showticklabels=False)
    return figure


def sparsity_chart(facts: Facts) -> go.Figure:
    """Draw how many neurons fire on a datapoint against the width: all, the bound, expected, and this run's.

    With the paper's threshold b grows with the width, and the bound is a power of it; any other b is the same at all.
    """
    widths = np.unique(np.append(2.0 ** np.arange(5, 28), facts.width))
    is_paper, bound, chance = facts.has_paper_threshold, "the bound m<sup>0.76</sup>", "expected, m p"
    if not is_paper:
        bound, chance = "the bound m e<sup>−b²/2</sup>", f"expected with b = {facts.threshold:.2f}"
    thresholds = np.array([paper_threshold(int(m)) if is_paper else facts.threshold for m in widths])
    series = (
        ("all m neurons", widths, GREY, "dot"),
        (bound, widths * np.exp(-(thresholds**2) / 2), ORANGE, "dash"),
        (chance, widths * np.array([firing_probability(b) for b in thresholds.tolist()]), BLUE, "solid"),
    )
    figure = go.Figure()
    for name, values, color, dash in series:
        figure.add_scatter(
            x=widths,
            y=values,
            mode="lines",
            name=name,
            line={"color": color, "width": 2.5, "dash": dash},
            hovertemplate=f"{name}<br>m = %{{x:,}}: %{{y:.4s}}<extra></extra>",
        )
    figure.add_scatter(
        x=[facts.width],
        y=[max(float(facts.num_firing.mean()), 0.5)],
        mode="markers",
        name="this run",
        marker={"color": VERMILION, "size": 12, "symbol": "diamond"},
        hovertemplate="this run: %{y:,.1f} of %{x:,} fire on a datapoint<extra></extra>",
    )
    _style(figure, "width m", "neurons that fire")
    figure.update_xaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=2)
    return figure


def levels_chart(facts: Facts) -> go.Figure:
    """Draw the nodes that the search of tree 0 reads on each level beside those that are there."""
    visited = facts.visited_by_level
    levels, there = np.arange(visited.size), np.minimum(2.0 ** np.arange(visited.size), facts.width)
    figure = go.Figure()
    figure.add_scatter(
        x=levels,
        y=there,
        mode="lines+markers",
        name="nodes there",
        line={"color": GREY, "dash": "dot", "width": 2.5},
        hovertemplate="level %{x}, nodes: %{y:,}<extra></extra>",
    )
    figure.add_bar(
        x=levels,
        y=np.maximum(visited, 0.5),
        customdata=visited,
        name="nodes read",
        marker={"color": BLUE},
        hovertemplate="level %{x}: the search reads %{customdata:,}<extra></extra>",
    )
    _style(figure, "level of tree 0, from the root down", "nodes")
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    return figure


def losses_chart(facts: Facts) -> go.Figure:
    """Draw the loss at the start of each iteration so far."""
    losses = facts.trace.losses
    figure = go.Figure()
    figure.add_scatter(
        x=np.arange(losses.size),
        y=np.maximum(losses, _FLOOR),
        mode="lines+markers",
        line={"color": BLUE, "width": 2.5},
        marker={"size": 8},
        text=[numeral(loss, 3) for loss in losses.tolist()],
        hovertemplate="iteration %{x}: %{text}<extra></extra>",
        showlegend=False,
    )
    _style(figure, "iteration", "loss ½‖f − y‖²")
    figure.update_xaxes(dtick=1 if losses.size <= 12 else None)
    figure.update_yaxes(log_axis(np.maximum(losses, _FLOOR), _MOST_TICKS))
    return figure


def sketches_chart(facts: Facts) -> go.Figure:
    """Draw how conjugate gradient converges, by the rows of the sketch."""
    figure = go.Figure()
    styles = ((ORANGE, "dot", "square"), (BLUE, "solid", "circle"), (GREEN, "dash", "triangle-up"))
    for (factor, report), (color, dash, symbol) in zip(facts.sketches.items(), styles, strict=True):
        norms = np.append(1.0, report.residual_norms[: report.iterations])
        figure.add_scatter(
            x=np.arange(norms.size),
            y=np.maximum(norms, 1e-17),
            mode="lines+markers",
            name=f"{factor} n rows",
            line={"color": color, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 7},
            text=[numeral(norm, 2) for norm in norms.tolist()],
            hovertemplate=f"{factor} n rows, products with G: %{{x}}, relative error %{{text}}<extra></extra>",
        )
    _style(figure, "products with G", "relative residual")
    figure.update_yaxes(log_axis((norm for curve in figure.data for norm in curve.y), _MOST_TICKS))
    return figure


def touched_chart(facts: Facts) -> go.Figure:
    """Draw how many neurons each iteration touches."""
    touched = facts.num_touched
    figure = go.Figure()
    figure.add_bar(
        x=np.arange(touched.size),
        y=touched,
        name="touched",
        marker={"color": BLUE},
        hovertemplate="iteration %{x}, neurons touched: %{y:,}<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(y=facts.width, line={"color": GREY, "dash": "dot"}, annotation_text=f"all m = {facts.width:,}")
    _style(figure, "iteration", "touched neurons |U|")
    figure.update_xaxes(dtick=1 if touched.size <= 12 else None)
    figure.update_yaxes(range=[0, 1.12 * facts.width])
    return figure


def amortized_chart(facts: Facts) -> go.Figure:
    """Draw the amortized cost, with building and without, against the dense method's and the compact table's."""
    trace = facts.trace
    figure = cost_figure(
        trace.amortized(),
        trace.amortized(include_build=False),
        trace.amortized(of="dense"),
        -2,  # no cursor: left of everything shown
        "operations",
        "dense products, sparse rest",
        table=trace.amortized(of="table"),
    )
    figure.update_layout(height=_HEIGHT + 40)
    return figure


def rates_chart(facts: Facts) -> go.Figure:
    """Draw by what factor each iteration multiplies the loss."""
    losses = np.maximum(facts.trace.losses, _FLOOR)
    factors = losses[1:] / losses[:-1]
    figure = go.Figure()
    figure.add_bar(
        x=np.arange(factors.size),
        y=factors,
        marker={"color": BLUE},
        customdata=[numeral(factor, 3) for factor in factors.tolist()],
        hovertemplate="iteration %{x} multiplies the loss by %{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(y=1.0, line={"color": VERMILION, "dash": "dash"}, annotation_text="1: no progress")
    _style(figure, "iteration", "loss after / before, low is good")
    figure.update_xaxes(dtick=1 if factors.size <= 12 else None)
    decades = -np.log10(factors.min(initial=1.0))
    figure.update_yaxes(type="log", exponentformat="power", dtick=max(1, int(decades / 5)))  # a few whole powers
    return figure


def bound_chart(facts: Facts) -> go.Figure:
    """Draw what it costs to replace a neuron and to find the firing neurons, and the corner that the bound forbids.

    The compact table is drawn with the neurons that fire at the start; any others it cannot take in.
    """
    n, m = facts.num_points, facts.width
    found, levels = float(facts.num_written[0]), np.log2(m)
    structures: tuple[tuple[str, Floats, str, str], ...] = (
        ("keep all inner products", np.array([n, n * m]), GREY, "square"),
        ("compact table", np.array([n, n * facts.num_touched[0]]), GREEN, "triangle-up"),
        ("dense: keep weights alone", np.array([facts.dimension, n * m * facts.dimension]), GREY, "x"),
        ("forest", np.array([n * (levels + 1), max(1.0, found * levels)]), BLUE, "circle"),
        ("neuron trees", np.array([2 * n, m + found * max(1.0, np.log2(n))]), ORANGE, "diamond"),
    )
    figure = go.Figure()
    figure.add_shape(
        type="rect", x0=0.5, x1=n, y0=0.5, y1=n * m, fillcolor=VERMILION, opacity=0.12, line={"width": 0}, layer="below"
    )
    for name, (update, query), color, symbol in structures:
        figure.add_scatter(
            x=[update],
            y=[query],
            mode="markers",
            name=name,
            marker={"color": color, "size": 13, "symbol": symbol},
            hovertemplate=f"{name}<br>replace a neuron: %{{x:.3s}}<br>find the firing ones: %{{y:.3s}}<extra></extra>",
        )
    _style(figure, "operations to replace a neuron", "to find the firing neurons")
    figure.update_layout(height=_HEIGHT + 80, legend={"entrywidth": 190})
    figure.update_xaxes(type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=2)
    return figure


def _style(figure: go.Figure, x_title: str, y_title: str) -> None:
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": FONT_SIZE},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "xanchor": "left", "x": 0, "itemclick": False},
        xaxis={"title": x_title},
        yaxis={"title": y_title, "minor": {"showgrid": False}},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
