"""The script of what the forest does in its own way: a search of every tree, and their repair after the move.

The search's steps are the drawn part of the trainer's own order. The repair is told leaf by leaf on the drawn nodes,
every stub's change going up first: each climb recomputes maxima and stops where one does not change, and together they
end at the very values the trainer's forest has after the move.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from treeviz.model.heap import leaf_of, tree_size
from treeviz.model.numerals import count, decimals, numeral
from treeviz.stage.pictures.detail import DrawnTree
from treeviz.stage.script_parts import FORWARD, MOVE, Heap, Line, Moves, Scene, SearchScript, Step
from treeviz.style.palette import percent
from treeviz.training.record import StepRecord, TreeStep

_ENTER = (
    "b: the threshold. A node's value is the largest below it; a leaf's is z_ri = w_r·x_i, neuron r on datapoint i."
)
_SEARCH = (
    Line(
        "search",
        "for each datapoint i: enter the root of tree i",
        _ENTER,
        value=lambda scene: f"i = {scene.point}: {count(scene.drawn.step.visited.size, 'node')} entered",
    ),
    Line(
        "search",
        "value < b: prune, nothing below can fire",
        _ENTER,
        1,
        lambda scene: f"i = {scene.point}: {_entered(scene.drawn.step).pruned:,} pruned",
    ),
    Line(
        "search",
        "inner node ≥ b: enter both children",
        _ENTER,
        1,
        lambda scene: f"i = {scene.point}: {count(_entered(scene.drawn.step).inner, 'node')}",
    ),
    Line(
        "search",
        "leaf ≥ b: neuron r fires, r joins S_i",
        "S_i: the neurons that fire on datapoint i.",
        1,
        lambda scene: f"{scene.firing_here}; Σ |S_i| = {scene.record.firing.num_pairs:,}",
    ),
    FORWARD,
)


class _Entered(NamedTuple):
    """Of the nodes that a search entered, those below the threshold, and the inner ones that are not."""

    pruned: int
    inner: int


def _entered(step: TreeStep) -> _Entered:
    is_below = step.before[step.visited] < step.threshold
    is_inner = step.visited < leaf_of(0, step.num_leaves)
    return _Entered(int(is_below.sum()), int((is_inner & ~is_below).sum()))


def _count_written(scene: Scene) -> str:
    num_moved = scene.record.touched.size if scene.record.dual_step.any() else 0
    return f"{count(num_moved, 'neuron')} in {count(len(scene.record.firing), 'tree')}"


def _count_modified(scene: Scene) -> str:
    here = scene.drawn.step.modified.size
    return f"i = {scene.point}: {here:,} modified; in all {count(int(scene.record.num_modified.sum()), 'node')}"


def _count_kept(scene: Scene) -> str:
    step = scene.drawn.step
    num_nodes = tree_size(step.num_leaves)
    return f"i = {scene.point}: {num_nodes - step.modified.size:,} of {count(num_nodes, 'node')} stay"


_MOVE = (
    *MOVE,
    Line(
        "repair",
        "write leaf r in all n trees",
        "The new leaf is w_r·x_i with the weights after the move: the old leaf, less (a_r/√m) Σ g_j x_j·x_i over the j "
        "in T_r. The x_j·x_i stand in a table, so no weights are needed.",
        value=_count_written,
    ),
    Line(
        "repair",
        "go up: node ← larger of its children",
        "Only nodes above changed leaves can change.",
        1,
        _count_modified,
    ),
    Line("repair", "unchanged: stop", "Nothing further up can change because of this leaf.", 1, _count_kept),
)


def _search(scene: Scene, line: int) -> Iterator[Step]:
    drawn, num_trees = scene.drawn, len(scene.record.firing)
    step, b = drawn.step, drawn.step.threshold
    row_of = {int(node): row for row, node in enumerate(drawn.nodes)}
    prune, go_on, fire = line + 1, line + 2, line + 3
    for node in step.visited[np.isin(step.visited, drawn.nodes)]:
        row = row_of[int(node)]
        value, name = drawn.before[row], f"Node {node:,}"
        compared = f"{decimals(value, b)} {'≥' if drawn.passes[row] else '<'} b = {decimals(b, value)}"
        if not drawn.passes[row] and value == scene.trace.config.resolved_threshold:  # through a fault
            compared = f"{decimals(value)} = b"
        if drawn.is_leaf[row]:
            fires = bool(drawn.passes[row])
            end = "so it fires" if fires else "so it does not fire"
            yield Step(fire if fires else prune, f"Neuron {drawn.neuron[row]:,}: its leaf is {compared}, {end}.", row)
        elif not drawn.passes[row]:
            skipped = count(int(drawn.num_neurons[row]), "neuron")
            outcome = f"so none of its {skipped} can fire. Pruned" if scene.is_sound else f"so its {skipped} are pruned"
            yield Step(prune, f"{name}: its maximum is {compared}, {outcome}.", row)
        elif drawn.is_stub[row]:
            text = (
                f"{name}, a stub: its maximum is {compared}. Inside, the search enters "
                f"{count(int(drawn.num_visited[row]) - 1, 'node')} not drawn here and finds "
                f"{drawn.num_firing[row]:,} of {count(int(drawn.num_neurons[row]), 'neuron')} firing."
            )
            yield Step(go_on, text, row)
        else:
            place = "The root" if node == 1 else name
            at = line if node == 1 else go_on
            yield Step(at, f"{place}: its maximum is {compared}, so both children are looked at.", row)
    num_nodes = tree_size(step.num_leaves)
    yield Step(
        fire if step.firing.size else line,
        f"Tree {step.point} is searched: {step.visited.size:,} of {count(num_nodes, 'node')} entered "
        f"({percent(step.visited.size / num_nodes)}), {num_nodes - step.visited.size:,} never looked at, "
        f"{count(step.firing.size, 'firing neuron')} found."
        f"{' The other trees are searched in the same way.' if num_trees > 1 else ''}",
    )


def _repair(record: StepRecord, drawn: DrawnTree, moves: Moves, line: int) -> Iterator[Step]:
    """Tell the repair on the drawn nodes: stubs first and together, then leaf by leaf, each climb step by step."""
    step, heap = drawn.step, Heap(drawn)
    up, stop = line + 1, line + 2
    stubs = np.flatnonzero(drawn.is_stub & (drawn.num_modified > 0))
    if stubs.size:
        hidden = int(drawn.num_modified[stubs].sum())
        yield Step(
            line,
            f"{'Most' if 2 * hidden > step.modified.size else 'Some'} changes lie in parts of tree {step.point} that "
            f"are not drawn: the stubs hold {hidden:,} of its {count(step.modified.size, 'modified node')}. They go up "
            "first.",
            writes=heap.write(stubs),
        )
    for leaf in np.flatnonzero(drawn.is_leaf & drawn.modified):
        yield from _climb(int(leaf), drawn, moves, heap, (line, up, stop))
    num_nodes = tree_size(step.num_leaves)
    if step.modified.size:
        old, new = (values[step.num_leaves :] >= step.threshold for values in (step.before, step.after))
        text = (
            f"Tree {step.point} is repaired: {step.modified.size:,} of {count(num_nodes, 'node')} modified "
            f"({percent(step.modified.size / num_nodes)}). In all {count(len(record.firing), 'tree')}: "
            f"{int(record.num_modified.sum()):,} of {len(record.firing) * num_nodes:,} "
            f"({percent(record.num_modified.sum() / (len(record.firing) * num_nodes))}). Here "
            f"{count(int((new & ~old).sum()), 'neuron')} will start and {int((old & ~new).sum()):,} will stop firing."
        )
    else:
        text = f"No leaf of tree {step.point} changes, so there is nothing to repair."
    yield Step(stop, text, writes=heap.finish())


def _climb(
    leaf: int,
    drawn: DrawnTree,
    moves: Moves,
    heap: Heap,
    lines: tuple[int, int, int],
) -> Iterator[Step]:
    """Write one leaf into the heap and go up until a maximum stays as it is."""
    step, b, values = drawn.step, drawn.step.threshold, heap.values
    neuron, stale, fresh = int(drawn.neuron[leaf]), float(values[leaf]), float(drawn.after[leaf])
    values[leaf] = fresh
    climbed: list[tuple[int, float, float]] = []  # row, old and new value
    row = int(drawn.parent[leaf])
    while row >= 0:
        value = heap.repaired(row)
        climbed.append((row, float(values[row]), value))
        if value == values[row]:
            break
        values[row] = value
        row = int(drawn.parent[row])
    outcome = f"{' still ' if fresh >= b and stale >= b else ', '}{'≥' if fresh >= b else '<'} b = {decimals(b, fresh)}"
    if stale < b <= fresh:
        outcome += ", so it now fires"
    elif fresh < b <= stale:
        outcome += ", so it no longer fires"
    yield Step(
        lines[0],
        f"Neuron {neuron:,} moved by {numeral(moves.of(neuron)[0], 3)}; in tree {step.point} its leaf goes from "
        f"{decimals(stale, fresh)} to {decimals(fresh, stale)}{outcome}.",
        leaf,
        ((leaf, fresh),),
    )
    for row, old, new in climbed:
        node = "the root" if row == 0 else f"node {drawn.nodes[row]:,}"
        pair = " and ".join(decimals(float(values[child]), old) for child in heap.children[row])
        if row in heap.stale:
            text = f"Above neuron {neuron:,}, {node} holds {decimals(new, old)}; below it are {pair}. Stop."
            yield Step(lines[2], text, row)
        elif old == new:
            yield Step(lines[2], f"Above neuron {neuron:,}, {node}: the larger of {pair} is as before. Stop.", row)
        else:
            change = f"is {decimals(new, old)}; it was {decimals(old, new)}"
            if decimals(new, old) == decimals(old, new):
                change = f"changes by {numeral(abs(new - old), 1)}, which is round-off"
            yield Step(lines[1], f"Above neuron {neuron:,}, {node}: the larger of {pair} {change}.", row, ((row, new),))


FOREST = SearchScript(
    search=_SEARCH,
    move=_MOVE,
    tellers=lambda scene: {
        "search": lambda line: _search(scene, line),
        "repair": lambda line: _repair(scene.record, scene.drawn, scene.moves, line),
    },
)
