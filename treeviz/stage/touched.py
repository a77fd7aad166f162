"""Which drawn leaves a move touches, and what it does to them in the trees of the other datapoints as well."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.model.types import Ints
from treeviz.stage.pictures.detail import DrawnTree, Mask
from treeviz.stage.rounding import bits
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

MAX_NEURONS, MAX_STRIPS = 36, 24


def touched_leaves(record: StepRecord, drawn: DrawnTree) -> Mask:
    """Return which drawn nodes are leaves of neurons that move."""
    return drawn.is_leaf & record.dual_step.any() & np.isin(drawn.neuron, record.touched)


def pack_touched(trace: Trace, drawn: DrawnTree, iteration: int) -> dict[str, Any] | None:
    """Return leaves before and after a move, by datapoint and neuron; None if nothing moves.

    Of at most `MAX_NEURONS` neurons, those drawn as leaves first, and of `MAX_STRIPS` datapoints around the tree's own.
    Each leaf is a digit: 1 if it was at least b, plus 2 if it is now, plus 4 if it has changed. The counts are over all
    datapoints. Cost: the leaves of those neurons on all datapoints.
    """
    record, b = trace.records[iteration], trace.config.resolved_threshold
    if not record.touched.size or not record.dual_step.any():
        return None
    neurons = _choose(record.touched, drawn)
    before, after = trace.leaf_rows_around(neurons, iteration)  # (u, n)
    fired, fires, changed = before >= b, after >= b, before != after
    num_points = before.shape[1]
    first = int(np.clip(drawn.step.point - MAX_STRIPS // 2, 0, max(0, num_points - MAX_STRIPS)))
    strips = (fired + 2 * fires + 4 * changed)[:, first : first + MAX_STRIPS].T
    return {
        "neurons": neurons.tolist(),
        "moved": int(record.touched.size),
        "first": first,
        "strips": [bits(strip) for strip in strips],
        "changed": changed.sum(axis=1).tolist(),
        "starts": (fires & ~fired).sum(axis=1).tolist(),
        "stops": (fired & ~fires).sum(axis=1).tolist(),
    }


def _choose(touched: NDArray[np.int32], drawn: DrawnTree) -> Ints:
    """Return, ascending, the touched neurons that there is room for: those that are drawn, then the first others."""
    is_drawn = np.isin(touched, drawn.neuron[drawn.is_leaf])
    ranked = np.concatenate([touched[is_drawn], touched[~is_drawn]])
    return np.sort(ranked[:MAX_NEURONS]).astype(np.int64)
