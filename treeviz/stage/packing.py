"""What a frame holds: one iteration seen from one tree, in numbers, lists and sentences that a browser can draw.

Drawn nodes go as the columns of a table, masks as strings of 0 and 1, values that are only painted in thousandths.
"""

from typing import Any

import numpy as np

from treeviz.model.numerals import agree, count, count_firing, numeral
from treeviz.stage.datapoint import pack_datapoint
from treeviz.stage.gram import pack_gram
from treeviz.stage.meter import pack_meter
from treeviz.stage.pictures.detail import DrawnTree
from treeviz.stage.pictures.geometry import neuron_plane
from treeviz.stage.pictures.spread import spread_of
from treeviz.stage.pictures.watched import WatchList, draw_in_run
from treeviz.stage.rounding import bits, five_digits, seven_digits, thousandths
from treeviz.stage.script import line_values, write_script
from treeviz.stage.touched import pack_touched, touched_leaves
from treeviz.stage.view import View
from treeviz.style.palette import percent
from treeviz.style.searches import describe_search
from treeviz.style.sentences import describe_watching
from treeviz.training.background import CONVERGED_LOSS
from treeviz.training.record import StepRecord, TreeStep
from treeviz.training.trace import Trace

_MAX_LEAF_VALUES = 24_000


def pack_frame(trace: Trace, view: View, iteration: int) -> dict[str, Any]:
    """Return one frame, in what JSON can hold. Cost: one replay of the tree, and a few operations a drawn node."""
    record = trace.records[iteration]
    is_compared = view.pinned is not None
    if is_compared:
        step = trace.compare(view.tree, min(view.pinned or 0, len(trace.records) - 1), iteration)
    else:
        step = trace.replay(view.tree, iteration)
    drawn, listed = draw_in_run(trace, step, iteration, view.detail, view.opened)
    neurons = np.sort(drawn.neuron[drawn.is_leaf])
    plane = neuron_plane(trace, view.tree, iteration, include=neurons)
    script, values = {}, []
    if not is_compared:
        values = line_values(trace, record, drawn, listed)
        script = {
            phase: [[s.line, s.text, s.row, _pairs(s.writes)] for s in steps]
            for phase, steps in write_script(trace, record, drawn, listed).items()
        }
    return {
        "view": {"tree": view.tree, "detail": view.detail, "opened": view.opened, "pinned": view.pinned},
        "iteration": iteration,
        "summary": _compare(step, iteration) if is_compared else _summarize(step, listed, trace.config.search),
        "record": _describe_record(record),
        "point": pack_datapoint(trace.dataset, record, view.tree),
        "nodes": _node_table(record, drawn, listed) | _ties(trace, drawn),
        "leaves": _leaves(trace, drawn, iteration, step.iteration if is_compared else None, listed),
        "script": script,
        "meter": None if is_compared else pack_meter(trace, iteration),
        "values": values,
        "watch": None if listed is None else _pack_lists(trace, record, listed),
        "touched": None if is_compared else pack_touched(trace, drawn, iteration),
        "gram": None if is_compared else pack_gram(trace, record),
        "visited": record.visited_levels.tolist(),
        "modified": record.modified_levels.tolist(),
        "spread": _pack_spread(step) if listed is None and not is_compared and not trace.config.fault else None,
        "plane": {
            "neurons": plane.neurons.tolist(),
            "before": five_digits(plane.before),
            "after": five_digits(plane.after),
            "fires": bits(plane.fires_before),
            "will_fire": bits(plane.fires_after),
            "touched": bits(plane.touched),
            "will_touch": bits(plane.touched_after),
            "ever": bits(plane.ever),
            "normal": seven_digits(plane.normal),
            "threshold": plane.threshold,
            "labels": plane.labels,
            "caption": plane.caption,
        },
    }


def _summarize(step: TreeStep, listed: WatchList | None, search: str) -> str:
    """Say what happened to a tree in an iteration, or to the list it stands for."""
    found = count_firing(step.firing.size)
    if describe_search(search).searches_trees:
        num_nodes = 2 * step.num_leaves - 1
        return (
            f"Tree {step.point}: of {count(num_nodes, 'node')} the search reads {step.visited.size:,} "
            f"({percent(step.visited.size / num_nodes)}), {found}, and the move changes {step.modified.size:,} "
            f"({percent(step.modified.size / num_nodes)})."
        )
    if listed is not None:
        found = f"{listed.neurons.size:,} of {count(step.num_leaves, 'neuron')} on its list, and {found}"
    return f"Tree {step.point}: {found}. The tree shows where they are; no step uses it."


def _leaves(
    trace: Trace, drawn: DrawnTree, iteration: int, pinned: int | None, listed: WatchList | None
) -> dict[int, list[Any]]:
    """Return, per drawn leaf, its values in all trees before and after, in thousandths, and where it fires.

    For as many leaves as there is room for, those whose value changes across the threshold first. In a run through
    watch lists, also the datapoints on whose lists the neuron is.
    """
    threshold = trace.config.resolved_threshold
    rows = np.flatnonzero(drawn.is_leaf)
    importance = np.where(drawn.starts_firing | drawn.stops_firing, 2, 0) + drawn.passes
    room = max(1, _MAX_LEAF_VALUES // (2 * trace.dataset.num_points))
    rows = np.sort(rows[np.argsort(-importance[rows], kind="stable")][:room])
    neurons = drawn.neuron[rows]  # ascending on each level; leaves of two levels are out of order
    order = np.argsort(neurons)
    if pinned is None:
        before, after = trace.leaf_rows_around(neurons[order], iteration)
    else:
        before, after = (trace.leaf_rows(neurons[order], moment) for moment in (pinned, iteration))
    firing = trace.records[iteration if pinned is None else pinned].firing.of_neurons(neurons[order])
    fires = np.zeros(before.shape, dtype=bool)
    fires[neurons[order].searchsorted(firing.neurons)] = firing.matrix().toarray() > 0
    leaves: dict[int, list[Any]] = {
        int(rows[place]): [
            thousandths(before[at]),
            thousandths(after[at]),
            np.flatnonzero(fires[at]).tolist(),
            np.flatnonzero(after[at] >= threshold).tolist(),
        ]
        for at, place in enumerate(order)
    }
    if listed is not None:
        watched, neurons = trace.watched_pairs(iteration), trace.moving_neurons
        for row, columns in leaves.items():
            place = int(neurons.searchsorted(drawn.neuron[row]))
            has_list = place < neurons.size and neurons[place] == drawn.neuron[row]
            columns.append(np.flatnonzero(watched[place]).tolist() if has_list else [])
    return leaves


def _describe_status(record: StepRecord) -> str:
    if record.loss <= CONVERGED_LOSS:
        return f"converged: the loss is {numeral(record.loss, 2)}, and what changes from here on is round-off"
    return "" if record.status == "ok" else record.status


def _describe_record(record: StepRecord) -> dict[str, Any]:
    return {
        "loss": numeral(record.loss, 4),
        "residual": seven_digits(record.residual),
        "dual": seven_digits(record.dual_step),
        "status": _describe_status(record),
    }


def _compare(step: TreeStep, iteration: int) -> str:
    """Say how a tree differs between the pinned iteration and the one shown."""
    if step.iteration == iteration:
        return f"Iteration {iteration} is pinned. Go to another one (Shift + →) to see what differs there."
    num_nodes = 2 * step.num_leaves - 1
    return (
        f"Tree {step.point} at iteration {iteration}, compared with the pinned iteration {step.iteration}: "
        f"{step.modified.size:,} of {count(num_nodes, 'node')} {agree(step.modified.size, 'differs', 'differ')} "
        f"({percent(step.modified.size / num_nodes)})."
    )


def _pack_lists(trace: Trace, record: StepRecord, listed: WatchList) -> dict[str, Any]:
    """Return all watch lists in numbers, and the sentence that explains them."""
    return {
        "sentence": describe_watching(trace, record, listed.report),
        "listed": listed.num_listed,
        "watched": trace.watched_pairs(record.iteration).sum(axis=0).tolist(),
        "firing": record.firing.counts.tolist(),
    }


def _pack_spread(step: TreeStep) -> dict[str, Any]:
    """Return what a search would read and find at other thresholds."""
    spread = spread_of(step)
    low, high = seven_digits(spread.thresholds[[0, -1]])
    return {"low": low, "high": high, "reads": spread.reads.tolist(), "fires": spread.fires.tolist()}


def _node_table(record: StepRecord, drawn: DrawnTree, listed: WatchList | None) -> dict[str, Any]:
    """Return the drawn nodes, column by column; kind 0 is an inner node, 1 a leaf, 2 a stub."""
    found: dict[str, Any] = {"visited": drawn.num_visited.tolist(), "entered": bits(drawn.visited)}
    if listed is not None:  # no node was searched: entered are those that hold neurons of the list
        num_watched = drawn.count(listed.neurons)
        found = {
            "watched": num_watched.tolist(),
            "entered": bits(num_watched > 0),
            "promoted": bits(np.isin(drawn.neuron, listed.promoted)),
            "promotes": bits(np.isin(drawn.neuron, listed.report.promoted)),
        }
    return found | {
        "id": drawn.nodes.tolist(),
        "parent": drawn.parent.tolist(),
        "x": [round(float(x), 2) for x in drawn.x],
        "depth": drawn.depth.tolist(),
        "kind": (drawn.is_leaf + 2 * drawn.is_stub).tolist(),
        "before": seven_digits(drawn.before),
        "after": seven_digits(drawn.after),
        "neurons": drawn.num_neurons.tolist(),
        "firing": drawn.num_firing.tolist(),
        "modified": drawn.num_modified.tolist(),
        "passes": bits(drawn.passes),
        "changes": bits(drawn.modified),
        "starts": bits(drawn.starts_firing),
        "stops": bits(drawn.stops_firing),
        "touched": bits(touched_leaves(record, drawn)),
    }


def _ties(trace: Trace, drawn: DrawnTree) -> dict[str, str]:
    """Return, in a run with a planted fault, which nodes are exactly b: rounded numbers do not tell."""
    return {"ties": bits(drawn.before == trace.config.resolved_threshold)} if trace.config.fault else {}


def _pairs(pairs: tuple[tuple[int, float], ...]) -> list[list[float]]:
    return [[row, float(f"{value:.7g}")] for row, value in pairs]
