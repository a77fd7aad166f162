"""Level of detail: which nodes of a tree to draw, and where.

A tree of a wide network has millions of nodes and a screen has room for a few hundred. Drawn are whole paths from the
root to the leaves that matter most in the iteration; each subtree left out becomes a *stub* that says how many neurons
it holds and how many of them fire. A node is drawn with its sibling or not at all, so every drawn inner node has two
drawn children and the search can be followed decision by decision.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treeviz.model.heap import children_of, leaf_of, level_of, neuron_of, parent_of, tree_size
from treeviz.model.types import Floats, Ints
from treeviz.style.palette import compact
from treeviz.training.record import TreeStep

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnTree:
    """A table of drawn nodes, in heap order; every array has one entry a node.

    Attributes
    ----------
    step : the tree and iteration it was made from.
    nodes : heap numbers; node 1 is the root.
    parent : row of the parent in this table, -1 for the root.
    x, depth : position; x in units of the room a leaf takes, from 0; depth is 0 at the root.
    before, after : values of the node before and after the move.
    is_leaf, is_stub : a leaf (a neuron), or a subtree drawn as one node; neither: an inner node.
    neuron : the neuron of a leaf, else -1.
    num_neurons, num_firing : leaves below the node (or itself), and how many of them fire.
    visited : entered by the search. Pruned are those entered whose value is below the threshold.
    modified : value changed by the move.
    num_visited, num_modified : visited and modified nodes in a stub's subtree, itself included; 0 or 1 elsewhere.
    """

    step: TreeStep
    nodes: Ints
    parent: Ints
    x: Floats
    depth: Ints
    before: Floats
    after: Floats
    is_leaf: Mask
    is_stub: Mask
    neuron: Ints
    num_neurons: Ints
    num_firing: Ints
    visited: Mask
    modified: Mask
    num_visited: Ints
    num_modified: Ints

    @property
    def is_end(self) -> Mask:
        """Leaves and stubs: nodes without drawn children."""
        return self.is_leaf | self.is_stub

    @property
    def passes(self) -> Mask:
        """Nodes whose value is >= the threshold: at a leaf, the neuron fires; elsewhere, the search goes on below."""
        return self.before >= self.step.threshold

    @property
    def starts_firing(self) -> Mask:
        """Leaves that cross the threshold upward in this move."""
        return self.is_leaf & ~self.passes & (self.after >= self.step.threshold)

    @property
    def stops_firing(self) -> Mask:
        """Leaves that fall below the threshold in this move."""
        return self.is_leaf & self.passes & (self.after < self.step.threshold)

    def count(self, neurons: Ints) -> Ints:
        """Return how many of the ascending neurons each node has below it, or is."""
        return _count_leaves(self.nodes, neurons, self.step.num_leaves)


def draw_tree(step: TreeStep, max_nodes: int = 95, opened: Iterable[int] = (), also: Sequence[Ints] = ()) -> DrawnTree:
    """Choose at most `max_nodes` nodes of a tree and lay them out.

    Parameters
    ----------
    step : the tree and what happened in it.
    max_nodes : at least 3, a root and two children.
    opened : inner nodes a viewer has opened: each is drawn with the path to the largest leaf below it, before all
        else; where there is no room for all, the earliest stay closed.
    also : further kinds of neurons to draw if there is room, the most important of each kind first.

    Raises ValueError if `max_nodes` is less than 3 or a node to open is not in the tree. Cost: sorting the firing
    neurons and a few operations a drawn node; no pass over the tree.
    """
    if max_nodes < 3:
        raise ValueError(f"max_nodes must be at least 3, a root and two children; got {max_nodes}")
    width = step.num_leaves
    is_open = _open_nodes(step, max_nodes, [int(node) for node in opened], also)
    nodes = np.array(sorted({1} | {child for node in is_open for child in children_of(node)}), dtype=np.int64)
    is_leaf = nodes >= width
    is_stub = ~is_leaf & ~np.isin(nodes, list(is_open))
    parent = np.searchsorted(nodes, parent_of(nodes))
    parent[0] = -1
    visited_nodes = np.sort(step.visited)
    num_neurons = _num_leaves_below(nodes, width)
    before, after = step.before[nodes], step.after[nodes]
    visited = np.isin(nodes, visited_nodes, assume_unique=True)
    modified = before != after
    num_visited, num_modified = visited.astype(np.int64), modified.astype(np.int64)
    for members, counts in ((visited_nodes, num_visited), (step.modified, num_modified)):
        counts[is_stub] = _count_below(members, nodes[is_stub], width)
    return DrawnTree(
        step=step,
        nodes=nodes,
        parent=parent,
        x=_tidy(parent, is_leaf | is_stub, np.where(is_stub, 0.4 + 0.22 * _num_digits(num_neurons), 1.0)),
        depth=np.array([level_of(int(node)) for node in nodes]),
        before=before,
        after=after,
        is_leaf=is_leaf,
        is_stub=is_stub,
        neuron=np.where(is_leaf, neuron_of(nodes, width), -1),
        num_neurons=num_neurons,
        num_firing=_count_leaves(nodes, step.firing, width),
        visited=visited,
        modified=modified,
        num_visited=num_visited,
        num_modified=num_modified,
    )


def _open_nodes(step: TreeStep, max_nodes: int, opened: list[int], also: Sequence[Ints]) -> set[int]:
    """Choose the inner nodes whose children are drawn: what a viewer opened, then paths to the leaves that matter."""
    width = step.num_leaves
    room = (max_nodes - 1) // 2  # each opened node adds two
    if wrong := [node for node in opened if not 1 <= node < 2 * width]:
        raise ValueError(f"nodes to open must be between 1 and {2 * width - 1}, nodes of this tree; got {wrong[0]}")
    if tree_size(width) <= max_nodes:
        return set(range(1, width))
    chosen = set(range(1, min(4, width, room + 1)))  # the first two levels, for orientation
    for node in reversed(opened):
        path = _unopened_path(_largest_leaf(step, node), chosen)
        if len(chosen) + len(path) <= room:
            chosen.update(path)
    for leaf in _leaves_by_interest(step, also):
        path = _unopened_path(int(leaf), chosen)
        if len(chosen) + len(path) > room:
            if len(path) > room // 4:
                continue
            break
        chosen.update(path)
    return chosen


def _unopened_path(leaf: int, opened: set[int]) -> list[int]:
    """Return the nodes above `leaf` that are not open yet."""
    path = []
    node = parent_of(leaf)
    while node >= 1 and node not in opened:
        path.append(node)
        node = parent_of(node)
    return path


def _largest_leaf(step: TreeStep, node: int) -> int:
    """Follow the maximum from `node` down to a leaf."""
    while node < step.num_leaves:
        left, right = children_of(node)
        node = right if step.before[right] > step.before[left] else left
    return node


def _leaves_by_interest(step: TreeStep, also: Sequence[Ints], limit: int = 64) -> Ints:
    """Order some leaves by how much they show of the iteration.

    First neurons that start or stop firing in this move, then by turns one of each kind: those of `also`, firing
    neurons with the largest change, firing neurons with the largest value, and neurons that moved without firing here.
    """
    width, threshold = step.num_leaves, step.threshold
    touched = step.modified[step.modified >= width]
    change = np.abs(step.after[touched] - step.before[touched])
    fired, fires = step.before[touched] >= threshold, step.after[touched] >= threshold
    crossing = touched[fired != fires]

    def largest_changes(among: Mask) -> Ints:
        rows = np.flatnonzero(among)
        if rows.size > limit:
            rows = rows[np.argpartition(-change[rows], limit)[:limit]]
        return np.asarray(touched[rows[np.argsort(-change[rows], kind="stable")]])

    firing = leaf_of(step.firing, width)
    kinds = [
        *(leaf_of(neurons, width) for neurons in also),
        largest_changes(fired),
        firing[np.argsort(-step.before[firing], kind="stable")][:limit],
        largest_changes(~fired),
    ]
    longest = max((kind.size for kind in kinds), default=0)
    turns = [kind[turn] for turn in range(longest) for kind in kinds if turn < kind.size]
    if not turns:  # nothing fires and nothing moves: show where the largest value sits
        turns = [np.int64(_largest_leaf(step, 1))]
    num_first = min(1 if also else 3, crossing.size)
    some = np.unique(np.linspace(0, crossing.size - 1, num_first).astype(np.int64))  # apart from each other
    ordered = np.concatenate([crossing[some], np.array(turns, dtype=np.int64)])
    _, first = np.unique(ordered, return_index=True)
    return np.asarray(ordered[np.sort(first)])


def _spans(nodes: Ints, width: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield, a level at a time, the heap numbers of the subtrees of some nodes as half-open spans, (k,) and (k,)."""
    low, high = nodes, nodes + 1
    while low.size and low.min() < 2 * width:
        yield np.minimum(low, 2 * width), np.minimum(high, 2 * width)
        low, high = 2 * low, 2 * high


def _num_leaves_below(nodes: Ints, width: int) -> Ints:
    spans = [np.maximum(high, width) - np.maximum(low, width) for low, high in _spans(nodes, width)]
    return np.asarray(np.sum(spans, axis=0))


def _count_below(members: Ints, nodes: Ints, width: int) -> Ints:
    """Count how many of the ascending heap numbers `members` lie in the subtree of each node, itself included."""
    total = np.zeros(nodes.size, dtype=np.int64)
    for low, high in _spans(nodes, width):
        total += np.searchsorted(members, high) - np.searchsorted(members, low)
    return total


def _count_leaves(nodes: Ints, neurons: Ints, width: int) -> Ints:
    """Count how many of the ascending neurons are below each node, or are it."""
    return _count_below(leaf_of(neurons, width), nodes, width)


def _num_digits(counts: Ints) -> Ints:
    different, places = np.unique(counts, return_inverse=True)
    return np.asarray(np.array([len(compact(count)) for count in different.tolist()])[places])


def _tidy(parent: Ints, is_end: Mask, widths: Floats) -> Floats:
    """Lay out the drawn nodes as closely as they go without touching (Reingold and Tilford 1981), x from 0.

    Subtrees are put side by side so that on every level neighbours have room for their `widths`, and a parent stands
    midway above its children. A leaf or stub takes the level below it too, for its label. Rows are in heap order, so
    that children come after their parents.
    """
    children: list[list[int]] = [[] for _ in parent]
    for row in range(1, parent.size):
        children[parent[row]].append(row)
    offset = np.zeros(parent.size)  # from the parent
    # Per row, the left and right outline of its subtree, level by level from the row down, relative to the row.
    outlines: dict[int, tuple[list[float], list[float]]] = {}
    for row in reversed(range(parent.size)):
        half = float(widths[row]) / 2
        if is_end[row]:
            outlines[row] = ([-half, -half], [half, half])
            continue
        left, right = (outlines.pop(child) for child in children[row])
        apart = max(end - start for end, start in zip(left[1], right[0], strict=False))
        offset[children[row][0]], offset[children[row][1]] = -apart / 2, apart / 2
        outlines[row] = (
            [-half, *_joined(left[0], -apart / 2, right[0], apart / 2)],
            [half, *_joined(right[1], apart / 2, left[1], -apart / 2)],
        )
    for row in range(1, parent.size):
        offset[row] += offset[parent[row]]
    return np.asarray(offset - (offset - widths / 2).min())


def _joined(near: list[float], near_shift: float, far: list[float], far_shift: float) -> list[float]:
    """Return the outline of two subtrees on one side: of the near one, and of the far one where that goes deeper."""
    return [at + near_shift for at in near] + [at + far_shift for at in far[len(near) :]]
