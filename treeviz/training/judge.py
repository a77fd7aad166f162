"""Judging a run: what went short in an iteration, why to stop, and which datapoints cannot be learned."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.numerals import agree, count, numeral
from treeviz.model.types import Floats, Ints
from treeviz.solve.report import SolveReport

# Stalled: the losses repeat themselves, to within this share of them (algorithm.md §4). A first-order method may be
# very slow and still go on, so for it only round-off is the same.
_SAME_WITHIN = {"gauss-newton": 1e-6, "gradient-descent": 1e-12, "sgd": 1e-12}
# They do so for two periods, for this many iterations, and where mini-batches differ for a whole epoch.
_SHORTEST_STRETCH = 5
_LONGEST_PERIOD = 24
_TINY_STEP = 1e-6
_FLOOR_WITHIN = 1e-6  # of the loss: no more than this is left above what cannot be learned
# Slow so far: in this many iterations the lowest loss did not fall by this share. Many such runs converge later
# (algorithm.md §4), so it is said, and no reason to stop.
_SLOW_AFTER = {"gauss-newton": 20, "gradient-descent": 1000, "sgd": 2000}
_WORTH_HAVING = 0.01
# Below _ROUND_OFF times the size of what is learned, ||y||^2 or the first loss, there is nothing left to fall.
_ROUND_OFF = 1e-24
# Diverging: this many times the first loss, and where steps may overshoot far and come back, so many times.
_DIVERGENCE, _DIVERGENCE_OF_OVERSHOOTS = 100.0, 1e6
# A threshold can be lowered wherever a run is begun; a step size cannot be chosen in the app, nor for a race.
_SMALLER_STEPS = "lower the threshold, or use a smaller step_size (of treeviz run: --step-size)"
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
    config : of the run. What counts as a stall depends on the method, and what to do about it on the threshold.
    overshoots : whether a step may go far beyond its mark and come back, as those of Gauss-Newton; None: by the method.
    remedy : what to do about a loss that grows beyond bounds, in words.

    Attributes
    ----------
    stop_reason : why further steps would change nothing worth having, in words; empty while there is no such reason.
    """

    def __init__(
        self, data: Dataset, config: TrainConfig, *, overshoots: bool | None = None, remedy: str = _SMALLER_STEPS
    ) -> None:
        self._y, self._config, self._remedy_of_divergence = data.y, config, remedy
        self._overshoots = config.method == "gauss-newton" if overshoots is None else overshoots
        self._groups = data.duplicate_groups()
        self._conflicts = _conflicting_targets(data, self._groups)
        self._first_loss: float | None = None
        self._stretch = _SHORTEST_STRETCH
        if config.mini_batch(data.num_points, 0) is not None:  # so many iterations hold a whole epoch
            self._stretch = max(self._stretch, 2 * -(-data.num_points // config.batch_size))
        longest = max(self._stretch, 2 * _LONGEST_PERIOD) + _LONGEST_PERIOD
        self._losses: deque[float] = deque(maxlen=longest)  # the last ones
        self._mark = math.inf  # the lowest loss, as it was when it last fell by a share worth having
        self._since_mark = 0
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
        self._follow(loss)
        fires = counts > 0
        if diverged or not fires.any():
            self.stop_reason = (
                "diverged: the next move would leave the range of finite numbers, so it was not made; "
                f"{self._remedy_of_divergence}"
                if diverged
                else _NO_NEURON_FIRES
            )
            return self.stop_reason
        diverging, stalled, slow = self._find_divergence(loss), "", ""
        if not diverging and loss > _ROUND_OFF * self._scale:
            stalled = self._find_stall(residual, fires)
            slow = "" if stalled else self._find_slowness()
        learned = "" if residual[fires].any() else "every datapoint that can be learned is learned exactly"
        self.stop_reason = diverging or stalled or learned
        solve = report.status if report.status != "ok" else ""
        return "; ".join(filter(None, (diverging, _describe_silent(fires), solve, stalled, slow))) or "ok"

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

    def _follow(self, loss: float) -> None:
        """Keep the loss, and count the iterations since it last fell by a share worth having."""
        self._losses.append(loss)
        if loss < (1 - _WORTH_HAVING) * self._mark:
            self._mark, self._since_mark = loss, 0
        else:
            self._since_mark += 1

    def _find_divergence(self, loss: float) -> str:
        """Say how far the loss is above the first one, if that is out of all proportion."""
        if not loss > (_DIVERGENCE_OF_OVERSHOOTS if self._overshoots else _DIVERGENCE) * self._scale:
            return ""
        return (
            f"diverging: the loss is {numeral(loss, 2)}, and it was {numeral(self._first_loss or 0.0, 2)} at the "
            f"start; {self._remedy_of_divergence}"
        )

    def _find_stall(self, residual: Floats, fires: NDArray[np.bool_]) -> str:
        """Say that the losses repeat themselves, if they do, and what can be done."""
        period = _find_period(self._losses, _SAME_WITHIN[self._config.method], self._stretch)
        if not period:
            return ""
        what = "no longer changes" if period == 1 else f"repeats itself every {period} iterations"
        return f"stalled: the loss {what}; {self._explain_floor(residual, fires) or self._remedy}"

    def _explain_floor(self, residual: Floats, fires: NDArray[np.bool_]) -> str:
        """Say which datapoints cannot be learned, if all of the loss is theirs."""
        silent = 0.5 * float(residual[~fires] @ residual[~fires])
        groups = [group for group in self._groups if fires[group[0]]]
        in_conflict = sum(0.5 * group.size * float(np.var(self._y[group])) for group in groups)
        loss = self._losses[-1]
        if loss - silent - in_conflict > _FLOOR_WITHIN * loss:
            return ""
        whose = ["that fire no neuron (lower the threshold or widen the network)"] if silent else []
        if in_conflict:
            whose.append("that share their input with another one and not the target (drop one of them)")
        return f"all of it is that of datapoints {' or '.join(whose)}, and the others are learned"

    @property
    def _remedy(self) -> str:
        """What made most stalled runs converge (algorithm.md §4)."""
        config = self._config
        if config.step_size is not None and config.step_size < _TINY_STEP:
            return "use a larger step_size (of treeviz run: --step-size)"
        if config.resolved_threshold > 0:
            return "lower the threshold, or widen the network and keep the threshold"
        return "widen the network and keep the threshold at 0, or train on fewer points"

    def _find_slowness(self) -> str:
        """Say that the loss has not fallen for long, if so. It may yet fall."""
        if self._since_mark < _SLOW_AFTER[self._config.method]:
            return ""
        share = f"{100 * _WORTH_HAVING:g} %"
        return (
            f"slow so far: in {count(self._since_mark, 'iteration')} the loss has not come {share} below "
            f"{numeral(self._mark, 2)}"
        )


def _find_period(losses: Sequence[float], share: float, shortest: int) -> int:
    """Return after how many iterations the losses repeat themselves, to within a share of them; 0 if they do not."""
    for period in range(1, _LONGEST_PERIOD + 1):
        stretch = max(shortest, 2 * period)
        if len(losses) < stretch + period:
            return 0
        pairs = ((losses[-i], losses[-i - period]) for i in range(1, stretch + 1))
        if all(abs(new - old) <= share * old for new, old in pairs):
            return period
    return 0


def _describe_silent(fires: NDArray[np.bool_]) -> str:
    """Say how many datapoints fire no neuron, if there are some."""
    silent = int(np.count_nonzero(~fires))
    if not silent:
        return ""
    return (
        f"{silent} of {count(fires.size, 'datapoint')} {agree(silent, 'fires', 'fire')} no neuron, so no move is made "
        f"for {agree(silent, 'it', 'them')}: lower the threshold or widen the network"
    )


def _conflicting_targets(data: Dataset, groups: Sequence[Ints]) -> dict[int, str]:
    """Find datapoints that share their input with another one but not the target: no function fits both."""
    reasons = {}
    for group in groups:
        if np.ptp(data.y[group]) > 0:
            for point in group:
                others = ", ".join(str(other) for other in group if other != point)
                reasons[int(point)] = (
                    f"datapoint {others} has the same input and another target, and no function fits both: "
                    "drop one of them"
                )
    return reasons
