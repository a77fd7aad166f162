"""Which nodes of a tree are wrong in a run with a planted fault, and why: for the question that asks to find them.

Nothing is asked of the fault. An inner node is wrong if it is not the larger of its children, and a leaf if it is at
least b and was not found, or the other way round; so the answer is that of a check of every node.
"""

import numpy as np

from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.model.heap import leaf_of, level_of
from treeviz.model.types import Ints

PART_LEVELS = 4  # of the part of a large tree in which a node is looked for


def faulty_nodes(moment: TreeMoment) -> Ints:
    """Return the heap numbers of the nodes that are wrong before the move, ascending. Cost: a pass over the tree."""
    step = moment.step
    width, b = step.num_leaves, moment.trace.config.resolved_threshold
    below = step.before[2:].reshape(-1, 2)
    inner = 1 + np.flatnonzero(step.before[1:width] != below.max(axis=1))
    is_found = np.zeros(width, dtype=bool)
    is_found[step.firing] = True
    leaves = leaf_of(np.flatnonzero((step.before[width:] >= b) != is_found), width)
    return np.concatenate([inner, leaves])


def part_around(node: int, width: int) -> int:
    """Return the node from which a part of a large tree goes down that a node is in, not always on the same level."""
    above, below = level_of(node), level_of(2 * width - 1) - level_of(node)
    least = max(0, PART_LEVELS - 1 - below)
    return node >> (least + node % (min(PART_LEVELS - 1, above) - least + 1))


def part_below(root: int) -> Ints:
    """Return the nodes of the part that goes down from a node."""
    return np.concatenate([np.arange(root << level, (root + 1) << level) for level in range(PART_LEVELS)])


def explain_node(moment: TreeMoment, node: int) -> str:
    """Say why a node is right or wrong."""
    step = moment.step
    value = step.before[node]
    if node < step.num_leaves:
        left, right = step.before[2 * node : 2 * node + 2]
        verdict = "the larger of them, as it should be" if value == max(left, right) else "not the larger of them"
        return (
            f"Node {node:,} holds {_number(value)}. Its children hold {_number(left)} and {_number(right)}: {verdict}."
        )
    neuron, b = node - step.num_leaves, moment.trace.config.resolved_threshold
    sign = "=" if value == b else ">" if value > b else "<"
    fires = bool(np.isin(neuron, step.firing))
    verdict = "as it should be" if fires == (value >= b) else "which is wrong"
    return (
        f"The leaf of neuron {neuron:,} is {_number(value)} {sign} b = {_number(b)}, and the search has "
        f"{'' if fires else 'not '}found it to fire, {verdict}.{_explain_watching(moment, neuron)}"
    )


def _explain_watching(moment: TreeMoment, neuron: int) -> str:
    """Say of a neuron that ever moves how far it is from its start, and whether watch lists watch it here."""
    report, trace = moment.record.watch, moment.trace
    place = int(trace.moving_neurons.searchsorted(neuron))
    if report is None or neuron not in trace.moving_neurons:
        return ""
    is_watched = trace.watched_pairs(moment.iteration)[place, moment.tree]
    drift = trace.drifts(np.array([neuron]), moment.iteration)[0]
    way = "farther" if drift > report.skin else "no farther"
    return (
        f" It is {'' if is_watched else 'not '}on list {moment.tree}, and has moved {_number(drift)} since the start, "
        f"{way} than the skin {_number(report.skin)}."
    )


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")
