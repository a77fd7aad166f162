"""Pictures of a run as Plotly figures, for a notebook: those of the app."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from treeviz.model.phases import PHASES
from treeviz.stage.pictures.tree import tree_figure
from treeviz.stage.pictures.watched import draw_in_run
from treeviz.stage.script import phases, posted_phases
from treeviz.stage.view import DEFAULT_DETAIL
from treeviz.style.run_charts import loss_figure, operations_figure
from treeviz.style.searches import describe_search
from treeviz.training.trace import Trace


def plot_tree(
    trace: Trace,
    tree: int = 0,
    iteration: int = 0,
    *,
    phase: str | None = None,
    max_nodes: int = DEFAULT_DETAIL,
    opened: Iterable[int] = (),
) -> go.Figure:
    """Draw one datapoint's tree in an iteration, with the nodes and the places that the stage of the app gives them.

    Parameters
    ----------
    trace : a run of one iteration at least.
    tree : the datapoint, from 0 to n - 1.
    iteration : from 0 to T - 1.
    phase : the moment within the iteration, such as "search"; what the move changes is drawn in "repair", after it.
        None: the end of the iteration.
    max_nodes : nodes drawn at most, 3 or more; subtrees left out become stubs.
    opened : heap numbers of stubs to open; node 1 is the root, and nodes 2k and 2k + 1 are the children of node k.

    Returns
    -------
    plotly.graph_objects.Figure
        A notebook shows it; `write_html` and `to_json` write it to a file.

    Raises
    ------
    ValueError
        If the trace has no such tree or iteration, an iteration of it no such phase, or the tree no such node.

    Notes
    -----
    Cost: a replay of the tree (`Trace.replay`), at first m n d more to redraw the network where no trainer lives, and a
    few operations a drawn node.
    """
    step = trace.replay(tree, iteration)
    known = phases(trace.config, posted_phases(trace))
    if phase is not None and phase not in known:
        raise ValueError(f"phase must be one of {', '.join(map(repr, known))}, or None for the end; got {phase!r}")
    drawn, _ = draw_in_run(trace, step, iteration, max_nodes, opened)
    if phase is not None and not PHASES[phase].is_after_move:
        still = np.zeros_like(drawn.modified)
        drawn = replace(drawn, after=drawn.before, modified=still, num_modified=still.astype(np.int64))
    return tree_figure(drawn)


def plot_loss(trace: Trace, iteration: int = 0, *, dense: Trace | None = None) -> go.Figure:
    """Draw the loss at the start of each iteration on a logarithmic axis, with a line at one iteration.

    Parameters
    ----------
    trace : the run; its loss is 1/2 ||f - y||^2, in squared units of the target.
    iteration : where the line stands.
    dense : a run of the dense method on the same data, drawn as open squares; None to leave it out.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    title = describe_search(trace.config.search).title
    return loss_figure(trace.losses, None if dense is None else dense.losses, iteration, "dense method", title)


def plot_operations(trace: Trace, iteration: int = 0) -> go.Figure:
    """Draw operations per iteration so far, with building and without, and those of the dense method and the table.

    Parameters
    ----------
    trace : the run; an operation is a multiply-add, or a tree node read or written (algorithm.md §9).
    iteration : the line stands after its end.

    Returns
    -------
    plotly.graph_objects.Figure

    Notes
    -----
    Cost: the overlaps of the firing sets of each iteration, to count what the dense method pays.
    """
    return operations_figure(trace, iteration)
