"""Numbers of the nodes of a binary heap: the root is 1, the children of node k are 2k and 2k + 1.

A tree over m neurons has 2m - 1 nodes; the leaf of neuron r is node m + r. Functions of nodes or neurons take one or an
array of them, except `level_of`.
"""

from typing import TypeVar

from treeviz.model.types import Ints

Numbers = TypeVar("Numbers", int, Ints)


def tree_size(num_leaves: int) -> int:
    """Return the number of nodes of a tree."""
    return 2 * num_leaves - 1


def leaf_of(neuron: Numbers, num_leaves: int) -> Numbers:
    """Return the node that is the leaf of a neuron."""
    return neuron + num_leaves


def neuron_of(leaf: Numbers, num_leaves: int) -> Numbers:
    """Return the neuron whose leaf a node is."""
    return leaf - num_leaves


def parent_of(node: Numbers) -> Numbers:
    """Return the node above; 0 above the root."""
    return node // 2


def children_of(node: Numbers) -> tuple[Numbers, Numbers]:
    """Return the two nodes below an inner node."""
    return 2 * node, 2 * node + 1


def level_of(node: int) -> int:
    """Return the number of steps from the root to a node."""
    return node.bit_length() - 1


def deepest_level(num_leaves: int) -> int:
    """Return the level of the deepest leaves."""
    return level_of(tree_size(num_leaves))


def level_sizes(num_leaves: int) -> list[int]:
    """Return the number of nodes on each level: all are full but the last."""
    return [min(2 << level, tree_size(num_leaves) + 1) - (1 << level) for level in range(deepest_level(num_leaves) + 1)]
