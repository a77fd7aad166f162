"""How a tree's leaves are spread, and what a search would read at any other threshold."""

from dataclasses import dataclass

import numpy as np

from treeviz.model.types import Floats, Ints
from treeviz.training.record import TreeStep

BINS = 160


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """What a search of one tree would read and find at thresholds evenly spaced over its leaves.

    Attributes
    ----------
    thresholds : (BINS + 1,), ascending; the first is the smallest leaf, the last is above the root.
    reads : (BINS + 1,) nodes a search reads with each threshold.
    fires : (BINS + 1,) leaves of at least each threshold; their differences are a histogram of the leaves.
    """

    thresholds: Floats
    reads: Ints
    fires: Ints


def spread_of(step: TreeStep) -> Spread:
    """Return the spread of a tree before the move. Cost: sorting its nodes.

    A search reads the root, and both children of each inner node of at least the threshold; its maximum is never below
    that of a node under it, so these inner nodes are all reached.
    """
    inner, leaves = step.before[1 : step.num_leaves], step.before[step.num_leaves :]
    low, high = float(leaves.min()), float(leaves.max())
    high += max(0.02 * (high - low), 1e-6 * max(1.0, abs(high)))
    thresholds = np.linspace(low, high, BINS + 1)
    return Spread(thresholds, 1 + 2 * _at_least(inner, thresholds), _at_least(leaves, thresholds))


def _at_least(values: Floats, thresholds: Floats) -> Ints:
    """Return how many values are at least each threshold."""
    return np.asarray(values.size - np.searchsorted(np.sort(values), thresholds))
