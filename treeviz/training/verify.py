"""Checks that the fast path is exact, against brute force: made while a run goes on, shown beside every iteration.

The trees are trusted with nothing: all m * n leaves are compared with the threshold one by one, every inner node with
its two children, and the loss with that of the dense method, which keeps its own weights and has no trees. Of a method
that keeps no inner products, all are computed again from its weights.
"""

from dataclasses import dataclass

import numpy as np

from treeviz.search.scan import TIE, Scan
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

# Two correct programs agree this closely in the loss, while it is above the floor and the Gram matrices met so far are
# no worse conditioned than this; beyond, round-off is amplified from step to step (algorithm.md §4). With the exact
# solver they agree to 1e-9. The sketch's conjugate gradient stops at 1e-12 of the first residual, which just above the
# floor came to 3e-9 in the worst of 3,040 runs on the bundled data.
LOSS_TOLERANCE, LOSS_FLOOR, MAX_CONDITIONING = 1e-8, 1e-8, 1e6


@dataclass(frozen=True, slots=True)
class IterationCheck:
    """How one iteration's search compares with brute force.

    Attributes
    ----------
    num_leaves, num_inner_nodes : how many were looked at, in all trees; a leaf is an inner product, tree or not.
    firing_fault : (datapoint, neuron) that only one of the two found; None if the firing sets are equal.
    heap_fault : (tree, node) that is not the larger of its children; None if there is none.
    """

    num_leaves: int
    num_inner_nodes: int
    firing_fault: tuple[int, int] | None
    heap_fault: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class LossCheck:
    """How the loss compares with the dense method's: relative difference, and what excuses one, or ""."""

    difference: float
    excuse: str

    @property
    def is_comparable(self) -> bool:
        """Whether the losses must agree."""
        return not self.excuse

    @property
    def agrees(self) -> bool:
        """False if the losses differ where they must not."""
        return bool(self.excuse) or self.difference <= LOSS_TOLERANCE


def check_iteration(record: StepRecord, scan: Scan) -> IterationCheck:
    """Compare the firing sets an iteration worked with to those of a scan made just before it."""
    fault = None
    for point, (found, expected, ties) in enumerate(zip(record.firing, scan.firing, scan.ties, strict=True)):
        odd = np.setdiff1d(np.setxor1d(found, expected, assume_unique=True), ties, assume_unique=True)
        if odd.size:
            fault = (point, int(odd[0]))
            break
    return IterationCheck(scan.num_leaves, scan.num_inner_nodes, fault, scan.heap_fault)


def check_loss(trace: Trace, dense: Trace, iteration: int) -> LossCheck:
    """Compare the loss of an iteration with the dense method's, both having done it.

    The two are asked to agree to `LOSS_TOLERANCE` as long as the loss is above `LOSS_FLOOR`, every Gram matrix met on
    the way had a condition number under `MAX_CONDITIONING`, and no tie was decided differently.
    """
    ours, theirs = trace.records[iteration].loss, dense.records[iteration].loss
    met = [record.solve.conditioning or 1.0 for record in trace.records[:iteration]]
    difference, excuse = abs(ours - theirs) / max(theirs, np.finfo(float).tiny), ""
    if ours <= LOSS_FLOOR and theirs <= LOSS_FLOOR:
        excuse = "is below 10⁻⁸"
    elif max(met, default=1.0) >= MAX_CONDITIONING:
        excuse = "follows badly conditioned steps"
    elif not difference <= LOSS_TOLERANCE and _follows_a_tie(trace, dense, iteration):
        excuse = "follows a tie, a value that is b but for round-off and fell on different sides"
    return LossCheck(difference, excuse)


def _follows_a_tie(trace: Trace, dense: Trace, iteration: int) -> bool:
    """Whether the firing sets first parted in an earlier iteration, and only by ties."""
    for ours, theirs in zip(trace.records[:iteration], dense.records, strict=False):
        odd = [np.setxor1d(*pair, assume_unique=True) for pair in zip(ours.firing, theirs.firing, strict=True)]
        if any(neurons.size for neurons in odd):
            return all(
                bool((np.abs(trace.leaf_rows(neurons, ours.iteration)[:, point] - threshold) <= TIE).all())
                for threshold in [trace.config.resolved_threshold]
                for point, neurons in enumerate(odd)
            )
    return False
