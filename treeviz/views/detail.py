"""Level of detail: which nodes of a tree to draw, and where.

A tree of a wide network has millions of nodes and a screen has room for a hundred. Drawn are whole paths from the root
to the leaves that matter most in the iteration; each subtree left out becomes a *stub* that says how many neurons it
holds and how many of them fire. A node is drawn with its sibling or not at all, so every drawn inner node has two
drawn children and the search can be followed decision by decision.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treeviz.network import Floats, Ints
from treeviz.trace import TreeStep

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnTree:
    """A table of drawn nodes, in heap order; every array has one entry a node.

    Attributes
    ----------
    step : the tree and iteration it was made from.
    nodes : heap numbers; node 1 is the root.
    parent : row of the parent in this table, -1 for the root.
    x, depth : position; x is the room of the leaves and stubs to the left, depth is 0 at the root.
    before, after : values of the node before and after the move.
    is_leaf, is_stub : a leaf (a neuron), or a subtree drawn as one node; neither: an inner node.
    neuron : the neuron of a leaf, else -1.
    num_neurons, num_firing : leaves below the node (or itself), and how many of them fire.
    visited : entered by the search. Pruned are those entered whose value is below the threshold.
    modified : value changed by the move.
    num_modified : modified nodes in a stub's subtree, itself included; 0 or 1 elsewhere.
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
    num_modified: Ints

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


def draw_tree(step: TreeStep, max_nodes: int = 95) -> DrawnTree:
    """Choose at most `max_nodes` nodes of a tree and lay them out.

    Cost: sorting the firing neurons and a few operations a drawn node; no pass over the tree.
    """
    if max_nodes < 3:
        raise ValueError(f"max_nodes must be at least 3, a root and two children; got {max_nodes}")
    width = step.num_leaves
    opened = _open_nodes(step, max_nodes)
    nodes = np.array(sorted({1} | {child for node in opened for child in (2 * node, 2 * node + 1)}), dtype=np.int64)
    is_leaf = nodes >= width
    is_stub = ~is_leaf & ~np.isin(nodes, list(opened))
    parent = np.searchsorted(nodes, nodes // 2)
    parent[0] = -1
    firing_nodes = step.firing + width
    num_neurons = np.array([_num_leaves_below(int(node), width) for node in nodes])
    before, after = step.before[nodes], step.after[nodes]
    modified = before != after
    num_modified = modified.astype(np.int64)
    num_modified[is_stub] = [
        _count_below(step.modified, int(node), width, leaves_only=False) for node in nodes[is_stub]
    ]
    return DrawnTree(
        step=step,
        nodes=nodes,
        parent=parent,
        x=_slots(nodes, parent, is_leaf | is_stub, np.where(is_stub, 1.0 + 0.2 * _num_digits(num_neurons), 1.0)),
        depth=np.array([int(node).bit_length() - 1 for node in nodes]),
        before=before,
        after=after,
        is_leaf=is_leaf,
        is_stub=is_stub,
        neuron=np.where(is_leaf, nodes - width, -1),
        num_neurons=num_neurons,
        num_firing=np.array([_count_below(firing_nodes, int(node), width, leaves_only=True) for node in nodes]),
        # The search enters the root and the children of nodes >= the threshold; all nodes above such a node are, too.
        visited=(nodes == 1) | (step.before[nodes // 2] >= step.threshold),
        modified=modified,
        num_modified=num_modified,
    )


def _open_nodes(step: TreeStep, max_nodes: int) -> set[int]:
    """Choose the inner nodes whose children are drawn: the top of the tree, then paths to the leaves that matter."""
    width = step.num_leaves
    room = (max_nodes - 1) // 2  # each opened node adds two
    opened: set[int] = set()
    for node in range(1, min(4, width)):  # the first two levels, for orientation
        if len(opened) < room:
            opened.add(node)
    if 2 * width - 1 <= max_nodes:
        return set(range(1, width))
    for leaf in _leaves_by_interest(step):
        path = []
        node = int(leaf) // 2
        while node >= 1 and node not in opened:
            path.append(node)
            node //= 2
        if len(opened) + len(path) > room:
            if len(path) > room // 4:
                continue
            break
        opened.update(path)
    return opened


def _leaves_by_interest(step: TreeStep, limit: int = 64) -> Ints:
    """Order some leaves by what a lesson wants to show.

    First neurons that start or stop firing in this move, then by turns one of each kind: firing neurons with the
    largest change, firing neurons with the largest value, and neurons that moved without firing here.
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

    firing = step.firing + width
    kinds = [
        largest_changes(fired),
        firing[np.argsort(-step.before[firing], kind="stable")][:limit],
        largest_changes(~fired),
    ]
    longest = max((kind.size for kind in kinds), default=0)
    turns = [kind[turn] for turn in range(longest) for kind in kinds if turn < kind.size]
    if not turns:  # nothing fires and nothing moves: show where the largest value sits
        leaf = 1
        while leaf < width:
            leaf = 2 * leaf + int(step.before[2 * leaf + 1] > step.before[2 * leaf])
        turns = [np.int64(leaf)]
    some = np.unique(np.linspace(0, crossing.size - 1, min(3, crossing.size)).astype(np.int64))  # apart from each other
    ordered = np.concatenate([crossing[some], np.array(turns, dtype=np.int64)])
    _, first = np.unique(ordered, return_index=True)
    return np.asarray(ordered[np.sort(first)])


def _spans(node: int, width: int) -> list[tuple[int, int]]:
    """Return the heap numbers of a subtree as half-open spans, one a level."""
    spans, low, high = [], node, node + 1
    while low < 2 * width:
        spans.append((low, min(high, 2 * width)))
        low, high = 2 * low, 2 * high
    return spans


def _num_leaves_below(node: int, width: int) -> int:
    return sum(max(0, high - max(low, width)) for low, high in _spans(node, width))


def _count_below(members: Ints, node: int, width: int, *, leaves_only: bool) -> int:
    """Count how many of the ascending heap numbers `members` lie in the subtree of `node`."""
    total = 0
    for low, high in _spans(node, width):
        start = max(low, width) if leaves_only else low
        if start < high:
            total += int(np.searchsorted(members, high) - np.searchsorted(members, start))
    return total


def _num_digits(counts: Ints) -> Ints:
    return np.char.str_len(counts.astype(str)).astype(np.int64)


def _slots(nodes: Ints, parent: Ints, is_end: Mask, widths: Floats) -> Floats:
    """Place leaves and stubs side by side in depth-first order, and every inner node midway between its children.

    `widths` is the room an end takes: a stub needs some for its label.
    """
    children: dict[int, list[int]] = {}
    for row in range(1, nodes.size):
        children.setdefault(int(parent[row]), []).append(row)
    x = np.zeros(nodes.size)
    next_slot = 0.0
    stack = [0]
    order = []
    while stack:
        row = stack.pop()
        order.append(row)
        if is_end[row]:
            x[row] = next_slot + widths[row] / 2
            next_slot += widths[row]
        else:
            stack.extend(reversed(children[row]))
    for row in reversed(order):  # children before parents
        if not is_end[row]:
            x[row] = float(np.mean(x[children[row]]))
    return x
