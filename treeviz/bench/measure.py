"""Measuring a plan: candidates turn by turn on the same network, then each one's peak memory, and whether they agree.

In every repeat each candidate trains once, A B C D, A B C D, ..., so that whatever the machine does meanwhile happens
to all alike. Only one candidate's arrays exist at a time. Where there are several repeats, each has trained on the
problem once before, unmeasured: memory that a process has never touched is slow, which would be charged to the first.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest

from treeviz.bench.candidate import CANDIDATES, Candidate, Run, cores_elsewhere, train, warm_up
from treeviz.bench.machine import Machine, describe_machine
from treeviz.bench.memory import MemoryMeter, Peak
from treeviz.bench.plan import Plan, Problem

UNTIL_LOSS = 1e-6
# Losses of the same steps agree to this, relative, as long as one of them is above _SETTLED.
LOSS_TOLERANCE = 1e-9
_SETTLED = 1e-8
# Linear algebra in several threads suffers from less.
_DISTURBING_CORES = 0.25
NO_PEAK = Peak(None, "not measured")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one candidate did with a problem.

    Attributes
    ----------
    candidate : its name.
    runs : one a repeat; none if it was left out.
    peak : peak memory of a training in a process of its own.
    loss_difference : largest relative difference of its losses from the first candidate's; infinite where they are not
        numbers; None if it was left out.
    status : "ok", or in words why it was left out or what is wrong with its numbers.
    """

    candidate: str
    runs: tuple[Run, ...]
    peak: Peak
    loss_difference: float | None
    status: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What all candidates did with a problem, in their order.

    Attributes
    ----------
    problem, outcomes : what was measured.
    cores_elsewhere : processor cores that other programs kept busy during all runs together, or during one if that was
        more; None where that was too short a time to tell, or the system does not say.
    """

    problem: Problem
    outcomes: tuple[Outcome, ...]
    cores_elsewhere: float | None = None

    @property
    def is_disturbed(self) -> bool:
        """Whether other programs took so much that its times cannot be trusted."""
        return (self.cores_elsewhere or 0.0) > _DISTURBING_CORES

    def of(self, candidate: str) -> Outcome | None:
        """Return a candidate's outcome; None if it has none."""
        return next((outcome for outcome in self.outcomes if outcome.candidate == candidate), None)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything one run of the benchmark measured.

    Attributes
    ----------
    plan, machine, until_loss : what was measured, where, and to which loss.
    date : when it began, UTC.
    seconds : how long it took.
    measurements : of each problem of the plan, in order; of those done, if it was interrupted.
    is_interrupted : whether it was ended early.
    """

    plan: Plan
    machine: Machine
    until_loss: float
    date: datetime
    seconds: float
    measurements: tuple[Measurement, ...]
    is_interrupted: bool

    def of(self, problem: Problem) -> Measurement | None:
        """Return the measurement of a problem; None if there is none."""
        return next((measured for measured in self.measurements if measured.problem == problem), None)


def num_steps(plan: Plan, candidates: Sequence[Candidate] = CANDIDATES) -> int:
    """Return how often `run_bench` calls `on_step`, but for candidates left out."""
    return sum(repeats + _num_unmeasured(repeats) + 1 for repeats in plan.repeats.values()) * len(candidates)


def _num_unmeasured(repeats: int) -> int:
    return 1 if repeats > 1 else 0


def run_bench(
    plan: Plan,
    candidates: tuple[Candidate, ...] = CANDIDATES,
    *,
    until_loss: float = UNTIL_LOSS,
    with_memory: bool = True,
    on_step: Callable[[str], object] | None = None,
) -> BenchResult:
    """Measure a plan. Ctrl-C ends it early, and what is done is returned.

    Parameters
    ----------
    plan : the problems, and how often each is repeated.
    candidates : the first of those that draw the same network is the one the losses of the others are compared with.
    until_loss : a training ends with the iteration that finds its loss at most this.
    with_memory : whether peak memory is measured, in processes of their own.
    on_step : told in words what has been done: a training, or a measurement of memory.

    Raises
    ------
    ValueError
        If a problem's dataset cannot have its shape.
    """
    tell = on_step or (lambda words: None)
    date, measurements, is_interrupted = datetime.now(UTC), [], False
    warm_up(candidates)
    machine = describe_machine()  # now everything is loaded that there is something to say about
    gc.freeze()  # what is loaded now stays: looking through it before every run would take longer than small runs do
    try:
        with MemoryMeter() as meter:
            for problem, repeats in plan.repeats.items():
                measured = measure(problem, repeats, candidates, until_loss, meter if with_memory else None, tell)
                measurements.append(measured)
    except KeyboardInterrupt:
        is_interrupted = True
    finally:
        gc.unfreeze()
    seconds = (datetime.now(UTC) - date).total_seconds()
    return BenchResult(plan, machine, until_loss, date, seconds, tuple(measurements), is_interrupted)


def measure(
    problem: Problem,
    repeats: int,
    candidates: tuple[Candidate, ...],
    until_loss: float,
    meter: MemoryMeter | None,
    tell: Callable[[str], object],
) -> Measurement:
    """Train every candidate that fits, turn by turn, and measure the peak memory of each."""
    data = problem.load()
    reasons = {one.name: reason for one in candidates if (reason := one.reason_not_to_fit(problem))}
    runs: dict[str, list[Run]] = {one.name: [] for one in candidates}
    others, start = cores_elsewhere(), time.perf_counter()
    for repeat in range(1 - _num_unmeasured(repeats), repeats + 1):
        for one in candidates:
            if one.name not in reasons:
                try:
                    run = train(one, data, one.config(problem), until_loss)
                    if repeat:
                        runs[one.name].append(run)
                except MemoryError:
                    reasons[one.name] = "ran out of memory"
                tell(f"{problem.name}: {one.name}, {f'repeat {repeat} of {repeats}' if repeat else 'unmeasured'}")
    disturbances = [others(time.perf_counter() - start)]
    disturbances += [run.cores_elsewhere for own in runs.values() for run in own]
    peaks = {}
    if meter is not None:
        left = [one for one in candidates if one.name not in reasons]
        for one, peak in zip(left, meter.measure(left, problem, data, until_loss), strict=True):
            peaks[one.name] = peak
            tell(f"{problem.name}: {one.name}, memory")
    done = {name: () if name in reasons else tuple(own) for name, own in runs.items()}
    outcomes = []
    for one in candidates:
        own = done[one.name]
        alike = (done[other.name] for other in candidates if other.draw == one.draw)
        reference = next((others[0] for others in alike if others), None)
        difference = max((largest_difference(run.losses, reference.losses) for run in own if reference), default=None)
        status = f"left out: {reasons[one.name]}" if one.name in reasons else _judge(own, difference)
        outcomes.append(Outcome(one.name, own, peaks.get(one.name, NO_PEAK), difference, status))
    busiest = max((cores for cores in disturbances if cores is not None), default=None)
    return Measurement(problem, tuple(outcomes), busiest)


def largest_difference(losses: Sequence[float], reference: Sequence[float]) -> float:
    """Return the largest relative difference while one of the two losses is above 1e-8.

    Where one has ended already, the other's loss there must be below that too, or the difference is 1; where one is not
    a number, it is infinite.
    """
    largest = 0.0
    for own, other in zip_longest(losses, reference, fillvalue=0.0):
        if own <= _SETTLED and other <= _SETTLED:
            continue
        difference = abs(own - other) / max(abs(own), abs(other))
        largest = max(largest, difference if math.isfinite(difference) else math.inf)
    return largest


def _judge(runs: Sequence[Run], difference: float | None) -> str:
    """Say what is wrong with a candidate's numbers, most important first."""
    notes = []
    if difference is not None and difference > LOSS_TOLERANCE:
        notes.append(
            f"its losses differ by up to {difference:.1e}, relative, from the first candidate's: it does not compute "
            "the same, so its ratios compare nothing"
        )
    notes += sorted({run.stop_reason for run in runs if not run.is_reached})
    return "; ".join(notes) or "ok"
