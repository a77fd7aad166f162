"""The outputs as the watch lists know them: sums over neurons, and when they must be summed up again."""

from dataclasses import dataclass

import numpy as np

from treeviz.model.types import Floats, Ints

# Outputs are summed up again when all that was added and taken away is so many times what they are, and were at first.
_MAX_TURNOVER = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What some neurons, or all, add to the outputs; those of all are the sums of those of some.

    Attributes
    ----------
    overlaps : C, (n, n): the number of neurons that fire on both datapoints; on its diagonal the firing counts k_i.
    offsets : (n,) the part of the outputs that does not change with the totals of the dual steps.
    turnover : (n,) the sizes of all that was added to the offsets and taken away.
    """

    overlaps: Ints
    offsets: Floats
    turnover: Floats

    def outputs(self, gram: Floats, totals: Floats, width: int) -> Floats:
        """Return f, (n,). Cost: n^2."""
        return self.offsets - (gram * self.overlaps) @ totals / width


class Renewal:
    """Says when outputs are summed up again: if they are what is left of far larger numbers.

    Parameters
    ----------
    gram : K, (n, n).
    width : m.
    first : the sums after the first look at all neurons.
    """

    def __init__(self, gram: Floats, width: int, first: Sums) -> None:
        self._gram, self._width = gram, width
        self._usual_turnover = max(float(first.turnover.max()), float(np.finfo(np.float64).tiny))
        self._num_moves_to_wait = self._pause = 0

    def is_due(self, sums: Sums, totals: Floats) -> bool:
        """Say so after a move."""
        self._num_moves_to_wait -= 1
        return self._num_moves_to_wait < 0 and self._is_noisy(sums, totals)

    def note(self, sums: Sums, totals: Floats) -> None:
        """Take in that all was summed up again.

        Where weights far out cancel in the inner products themselves, it does not help: then ever more seldom.
        """
        self._pause = 2 * self._pause + 1 if self._is_noisy(sums, totals) else 0
        self._num_moves_to_wait = self._pause

    def _is_noisy(self, sums: Sums, totals: Floats) -> bool:
        """Whether the outputs are what is left of far larger numbers: of offsets added and taken away, or of G.

        Cost: n, and n^2 where a quick bound does not settle it.
        """
        sizes, counts, usual = np.abs(totals), sums.overlaps.diagonal(), self._usual_turnover
        # |K_ij| <= 1 and C_ij <= C_ii.
        if sums.turnover.max() + sizes.sum() * (counts.max() / self._width) <= _MAX_TURNOVER * usual:
            return False
        summed = sums.turnover + np.abs(self._gram * sums.overlaps) @ sizes / self._width
        outputs = sums.outputs(self._gram, totals, self._width)
        return bool(summed.max() > _MAX_TURNOVER * max(usual, float(np.abs(outputs).max())))
