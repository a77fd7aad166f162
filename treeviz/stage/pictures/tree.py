"""The tree of one datapoint as a Plotly figure."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from treeviz.model.heap import tree_size
from treeviz.model.numerals import count
from treeviz.stage.pictures.detail import DrawnTree, Mask
from treeviz.style.palette import BLUE, FONT_SIZE, GREEN, GREY, ORANGE, PURPLE, VERMILION, compact


def tree_figure(tree: DrawnTree) -> go.Figure:
    """Draw a tree with the search and the move of its iteration.

    Every state has a shape of its own beside its colour: firing leaf, star; opened by the search, disc; pruned, cross;
    not entered, small dot; stub, triangle with its number of neurons; modified, a ring around any of them.
    """
    inner = ~tree.is_end
    pruned = tree.visited & ~tree.passes
    kinds: list[tuple[str, Mask, dict[str, Any]]] = [
        ("not entered", ~tree.visited & ~tree.is_stub, {"symbol": "circle", "size": 6, "color": GREY}),
        (
            "entered: maximum ≥ b, search goes on",
            inner & tree.visited & tree.passes,
            {"symbol": "circle", "size": 11, "color": BLUE},
        ),
        ("entered and pruned: value < b", pruned & ~tree.is_stub, {"symbol": "x", "size": 9, "color": PURPLE}),
        (
            "firing neuron: value ≥ b",
            tree.is_leaf & tree.visited & tree.passes,
            {"symbol": "star", "size": 15, "color": ORANGE},
        ),
        ("stub: a subtree left out, with its number of neurons", tree.is_stub, {"symbol": "triangle-up", "size": 11}),
    ]
    figure = go.Figure(_edges(tree))
    rings = np.flatnonzero(tree.modified)
    figure.add_scatter(
        x=tree.x[rings],
        y=-tree.depth[rings],
        mode="markers",
        name="modified by this iteration's move",
        marker={"symbol": "circle-open", "size": 18, "color": VERMILION, "line": {"width": 2, "color": VERMILION}},
        hoverinfo="skip",
    )
    for name, mask, marker in kinds:
        rows = np.flatnonzero(mask)
        if name.startswith("stub"):
            colors = np.where(pruned[rows], PURPLE, np.where(tree.visited[rows], BLUE, GREY))
            marker = {**marker, "color": colors}
        figure.add_scatter(
            x=tree.x[rows],
            y=-tree.depth[rows],
            mode="markers",
            name=name,
            marker=marker,
            hovertext=[_describe(tree, int(row)) for row in rows],
            hoverinfo="text",
        )
    stubs = np.flatnonzero(tree.is_stub)
    figure.add_scatter(
        x=tree.x[stubs],
        y=-tree.depth[stubs] - 0.32,
        mode="text",
        text=[compact(count) for count in tree.num_neurons[stubs]],
        textposition="bottom center",
        textfont={"size": 11},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )
    _label_crossings(figure, tree)
    deepest = int(tree.depth.max())
    figure.update_layout(
        height=max(320, 60 + 34 * (deepest + 1)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        font={"size": FONT_SIZE},
        legend={"orientation": "h", "yanchor": "top", "y": -0.02, "xanchor": "left", "x": 0, "itemclick": False},
        xaxis={"visible": False, "range": [-1, float(tree.x.max()) + 1]},
        yaxis={"visible": False, "range": [-deepest - 1.2, 0.7]},
        hoverlabel={"align": "left"},
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
    )
    return figure


def describe_tree(tree: DrawnTree) -> str:
    """Say in words what the figure shows, for readers who do not see it."""
    step = tree.step
    return (
        f"Max-tree of datapoint {step.point} at iteration {step.iteration}, threshold b = {step.threshold:.3f}. "
        f"{tree.nodes.size} of its {count(tree_size(step.num_leaves), 'node')} are drawn, {tree.is_stub.sum()} of them "
        f"stubs. The search entered {count(step.visited.size, 'node')} and found "
        f"{count(step.firing.size, 'firing neuron')}; the move then changed {count(step.modified.size, 'node')}."
    )


def _edges(tree: DrawnTree) -> list[go.Scatter]:
    """All edges as two traces with gaps: those the search went along, and the others."""
    child = np.arange(1, tree.nodes.size)
    parent = tree.parent[1:]
    followed = tree.visited[1:]
    traces = []
    for mask, color, width in ((~followed, GREY, 0.8), (followed, BLUE, 1.6)):
        gap = np.full(int(mask.sum()), np.nan)
        x = np.column_stack([tree.x[parent[mask]], tree.x[child[mask]], gap]).ravel()
        y = np.column_stack([-tree.depth[parent[mask]], -tree.depth[child[mask]], gap]).ravel()
        line = {"color": color, "width": width}
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=line, opacity=0.7, hoverinfo="skip", showlegend=False))
    return traces


def _label_crossings(figure: go.Figure, tree: DrawnTree) -> None:
    """Write under a leaf that it starts or stops firing; of close neighbours, one lower than the other."""
    last_x, is_low = -np.inf, False
    crossing = np.flatnonzero(tree.starts_firing | tree.stops_firing)
    for row in crossing[np.argsort(tree.x[crossing])]:
        word, color = ("starts firing", GREEN) if tree.starts_firing[row] else ("stops firing", VERMILION)
        is_low = not is_low and tree.x[row] - last_x < 4
        last_x = tree.x[row]
        figure.add_annotation(
            x=tree.x[row],
            y=-tree.depth[row],
            text=f"#{tree.neuron[row]} {word}",
            xanchor="left" if tree.x[row] < 2 else "right" if tree.x[row] > tree.x.max() - 2 else "center",
            yshift=-32 if is_low else -18,
            showarrow=False,
            font={"size": 11, "color": color},
        )


def _describe(tree: DrawnTree, row: int) -> str:
    threshold = tree.step.threshold
    before, after = tree.before[row], tree.after[row]
    relation = "≥" if before >= threshold else "<"
    lines = []
    if tree.is_leaf[row]:
        fires = "fires" if before >= threshold else "does not fire"
        lines.append(f"<b>neuron {tree.neuron[row]:,}</b> {fires}: {before:.4f} {relation} b = {threshold:.4f}")
    else:
        what = "subtree left out" if tree.is_stub[row] else "inner node"
        lines.append(
            f"<b>{what} {tree.nodes[row]:,}</b>: {count(int(tree.num_neurons[row]), 'neuron')}, "
            f"{tree.num_firing[row]:,} firing"
        )
        lines.append(f"maximum {before:.4f} {relation} b = {threshold:.4f}")
    if not tree.visited[row]:
        lines.append("not entered: the maximum above it is below b")
    if tree.modified[row]:
        lines.append(f"modified: {before:.4f} → {after:.4f}")
    if tree.is_stub[row] and tree.num_modified[row]:
        lines.append(f"{tree.num_modified[row]:,} of its nodes were modified")
    return "<br>".join(lines)
