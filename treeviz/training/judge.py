"""Judging a run: what went short in an iteration, why to stop, and which datapoints cannot be learned."""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.numerals import agree, count, numeral
from treeviz.model.types import Floats, Ints
from treeviz.solve.report import SolveReport

# Stalled: over this many iterations the loss fell by less than this share. First-order methods are slow by nature, so
# they count as stalled only if the loss stands still, or after many iterations. Below _ROUND_OFF times the size of what
# is learned, ||y||^2 or the first loss, there is nothing left to fall.
_STANDS_STILL = 1e-12
_STALLS = {
    "gauss-newton": ((5, 0.01),),
    "gradient-descent": ((5, _STANDS_STILL), (1000, 0.01)),
    "sgd": ((2000, 0.01),),
}
_ROUND_OFF = 1e-24
# Diverging: this many times the first loss. A Gauss-Newton step may overshoot far and come back.
_DIVERGENCE_FACTORS = {"gauss-newton": 1e6, "gradient-descent": 100.0, "sgd": 100.0}
_NO_NEURON_FIRES = "no neuron fires on any datapoint, so nothing can move: lower the threshold or widen the network"


def require_loss(until_loss: float) -> None:
    """Raise ValueError if this is no loss that a run can be asked to reach."""
    if not 0.0 <= until_loss < math.inf:
        raise ValueError(f"until_loss must be a number 0 or more; got {until_loss!r}: choose 0 to go on to the end")


class Judge:
    """Follows the losses of one run.

    Parameters
    ----------
    data : what is learned.
    method : one of `model.config.METHODS`; what counts as a stall depends on it.

    Attributes
    ----------
    stop_reason : why further steps would change nothing worth having, in words; empty while there is no such reason.
    """

    def __init__(self, data: Dataset, method: str) -> None:
        self._y, self._method = data.y, method
        self._conflicts = _conflicting_targets(data)
        self._first_loss: float | None = None
        self._recent_losses: deque[float] = deque(maxlen=_STALLS[method][-1][0])
        self.stop_reason = ""

    def judge(self, counts: Ints, residual: Floats, loss: float, report: SolveReport, *, diverged: bool) -> str:
        """Take in one iteration; set `stop_reason`, and return what went short, most important first, or "ok".

        Parameters
        ----------
        counts : (n,) how many neurons fire on each datapoint.
        residual, loss : of all datapoints, before the move.
        report : of the solve.
        diverged : whether the move was left out because it would have left the range of finite numbers.
        """
        self._first_loss = loss if self._first_loss is None else self._first_loss
        self._recent_losses.append(loss)
        fires = counts > 0
        if diverged or not fires.any():
            self.stop_reason = (
                "diverged: the next move would leave the range of finite numbers, so it was not made; "
                "use a smaller step_size"
                if diverged
                else _NO_NEURON_FIRES
            )
            return self.stop_reason
        diverging, stalled = self._find_divergence(loss), ""
        if not diverging and loss > _ROUND_OFF * self._scale:
            stalled = self._find_stall()
        learned = "" if residual[fires].any() else "every datapoint that can be learned is learned exactly"
        self.stop_reason = diverging or stalled or learned
        solve = report.status if report.status != "ok" else ""
        return "; ".join(filter(None, (diverging, _describe_silent(fires), solve, stalled))) or "ok"

    def unlearnable(self, counts: Ints) -> dict[int, str]:
        """Return the datapoints that cannot be moved or cannot be fitted, each with the reason."""
        reasons = dict(self._conflicts)
        for point in np.flatnonzero(counts == 0):
            reasons[int(point)] = "no neuron fires on it: lower the threshold or widen the network"
        return reasons

    @property
    def _scale(self) -> float:
        """The size of what is learned."""
        return max(float(self._y @ self._y), self._first_loss or 0.0)

    def _find_divergence(self, loss: float) -> str:
        """Say how far the loss is above the first one, if that is out of all proportion."""
        if not loss > _DIVERGENCE_FACTORS[self._method] * self._scale:
            return ""
        return (
            f"diverging: the loss is {numeral(loss, 2)}, and it was {numeral(self._first_loss or 0.0, 2)} at the "
            "start; use a smaller step_size"
        )

    def _find_stall(self) -> str:
        """Say how little the loss fell in the last iterations, if that is so little that no more can be expected."""
        losses = self._recent_losses
        for window, share in _STALLS[self._method]:
            if len(losses) < window or losses[-1] <= (1 - share) * losses[-window]:
                continue
            if share == _STANDS_STILL and losses[-1] > (1 + share) * losses[-window]:
                continue  # it goes up and down, as it may where steps are as long as they can be
            if losses[-1] > 2 * losses[-window]:
                rise = f"the loss rose from {numeral(losses[-window], 2)} to {numeral(losses[-1], 2)}"
                return f"diverging: {rise} over {window:,} iterations; widen the network or use a smaller step_size"
            fell = "did not fall" if losses[-1] > losses[-window] else f"fell by less than {numeral(100 * share, 2)} %"
            remedy = "lower the threshold, widen the network, or train on fewer points"
            return f"stalled: the loss {fell} over {window:,} iterations; {remedy}"
        return ""


def _describe_silent(fires: NDArray[np.bool_]) -> str:
    """Say how many datapoints fire no neuron, if there are some."""
    silent = int(np.count_nonzero(~fires))
    if not silent:
        return ""
    return (
        f"{silent} of {count(fires.size, 'datapoint')} {agree(silent, 'fires', 'fire')} no neuron and cannot be "
        "learned: lower the threshold or widen the network"
    )


def _conflicting_targets(data: Dataset) -> dict[int, str]:
    """Find datapoints that share their input with another one but not the target: no function fits both."""
    reasons = {}
    for group in data.duplicate_groups():
        if np.ptp(data.y[group]) > 0:
            for point in group:
                others = ", ".join(str(other) for other in group if other != point)
                reasons[int(point)] = (
                    f"datapoint {others} has the same input and another target, and no function fits both: "
                    "drop one of them"
                )
    return reasons
