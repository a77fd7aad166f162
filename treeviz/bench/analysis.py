"""From raw runs to medians with their spread, ratios to the baseline, and fitted exponents."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import linregress

from treeviz.bench.candidate import DENSE, Run
from treeviz.bench.measure import BenchResult, Measurement, Outcome
from treeviz.bench.memory import RESOLUTION_BYTES
from treeviz.bench.plan import Axis, Growth, Problem

Quantity = Literal[
    "iteration_seconds", "seconds_to_loss", "seconds_to_loss_with_building", "seconds_from_nothing", "peak_bytes"
]
QUANTITIES: tuple[Quantity, ...] = (
    "iteration_seconds",
    "seconds_to_loss",
    "seconds_to_loss_with_building",
    "seconds_from_nothing",
    "peak_bytes",
)
_TIMES: dict[str, Callable[[Run], float | None]] = {
    "iteration_seconds": lambda run: run.iteration_seconds,
    "seconds_to_loss": lambda run: run.seconds if run.is_reached else None,
    "seconds_to_loss_with_building": lambda run: run.seconds_with_building if run.is_reached else None,
    "seconds_from_nothing": lambda run: run.seconds_from_nothing if run.is_reached else None,
}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some numbers, and the lowest and highest of them."""

    median: float
    lowest: float
    highest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one number."""
        return cls(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate's numbers on a problem.

    Attributes
    ----------
    problem, outcome : what was measured.
    values : by quantity; None where it was not measured, or not reached. Peak memory is measured once.
    ratios : the baseline's number over this one's: above 1 where this one needs less. Times are compared repeat by
        repeat, for what disturbs the machine disturbs both of a repeat. None where either is None, or memory is too
        little to be told from nothing.
    is_baseline : whether it is the dense method that trained in the least time, to which ratios are.
    """

    problem: Problem
    outcome: Outcome
    values: dict[Quantity, Spread | None]
    ratios: dict[Quantity, Spread | None]
    is_baseline: bool = False

    @property
    def num_iterations(self) -> int | None:
        """Iterations until the loss was found low enough; None if it was left out."""
        return len(self.outcome.runs[0].losses) if self.outcome.runs else None


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """value = factor * size^exponent, by least squares on logarithms.

    Attributes
    ----------
    exponent, factor : of the law; None with fewer than two sizes.
    standard_error : of the exponent; None with fewer than three sizes.
    sizes : the sizes it was fitted to, ascending.
    """

    exponent: float | None
    factor: float | None
    standard_error: float | None
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How one candidate's quantity grows with m, n or d; `points` are the sizes and the numbers fitted to."""

    growth: Growth
    candidate: str
    quantity: Quantity
    law: PowerLaw
    points: tuple[tuple[int, Spread], ...]

    @property
    def axis(self) -> Axis:
        """What grows."""
        return self.growth.axis


def fit_power_law(sizes: Sequence[int], values: Sequence[float]) -> PowerLaw:
    """Fit a power law to positive numbers at ascending sizes (k,), (k,). Cost: k."""
    if len(sizes) < 2:
        return PowerLaw(None, None, None, tuple(sizes))
    line = linregress([math.log(size) for size in sizes], [math.log(value) for value in values])
    error = float(line.stderr) if len(sizes) > 2 else None
    return PowerLaw(float(line.slope), math.exp(line.intercept), error, tuple(sizes))


def rows_of(measurement: Measurement) -> list[Row]:
    """Return a row for each candidate; ratios are to the dense method that trained in the least time."""
    dense = [outcome for name in DENSE if (outcome := measurement.of(name)) is not None and outcome.runs]
    baseline = min(dense, key=lambda one: Spread.of([run.seconds for run in one.runs]).median, default=None)
    return [_row(measurement.problem, outcome, baseline) for outcome in measurement.outcomes]


def _row(problem: Problem, outcome: Outcome, baseline: Outcome | None) -> Row:
    values: dict[Quantity, Spread | None] = {}
    ratios: dict[Quantity, Spread | None] = {}
    for quantity in QUANTITIES:
        own = _numbers(outcome, quantity)
        values[quantity] = Spread.of(own) if own else None
        theirs = _numbers(baseline, quantity) if baseline is not None else []
        is_comparable = bool(own and theirs) and (quantity != "peak_bytes" or min(own + theirs) >= RESOLUTION_BYTES)
        pairs = zip(theirs, own, strict=True) if is_comparable else ()
        compared = [their / mine for their, mine in pairs]
        ratios[quantity] = Spread.of(compared) if compared else None
    return Row(problem, outcome, values, ratios, is_baseline=outcome is baseline)


def _numbers(outcome: Outcome, quantity: Quantity) -> list[float]:
    """Return a quantity of every repeat; nothing if a repeat has none."""
    if quantity == "peak_bytes":
        return [] if outcome.peak.num_bytes is None else [float(outcome.peak.num_bytes)]
    numbers = [_TIMES[quantity](run) for run in outcome.runs]
    return [] if None in numbers else [number for number in numbers if number is not None]


def fits_of(result: BenchResult, growth: Growth) -> list[Fit]:
    """Return a fit for each candidate and quantity, over the sizes at which it has a number.

    Medians are fitted. Peaks too small to be told from nothing are left out.
    """
    measured = [one for problem in growth.problems if (one := result.of(problem)) is not None]
    rows = [row for one in measured for row in rows_of(one)]
    fits = []
    for candidate in dict.fromkeys(row.outcome.candidate for row in rows):
        for quantity in QUANTITIES:
            found = [
                (row.problem.size(growth.axis), value)
                for row in rows
                if row.outcome.candidate == candidate
                and (value := row.values[quantity]) is not None
                and (quantity != "peak_bytes" or row.outcome.peak.is_resolved)
            ]
            law = fit_power_law([size for size, _ in found], [value.median for _, value in found])
            fits.append(Fit(growth, candidate, quantity, law, tuple(found)))
    return fits


def notes_of(result: BenchResult) -> list[str]:
    """Return all that a reader of the numbers must know, in words; empty if there is nothing."""
    notes = []
    if result.is_interrupted:
        notes.append(f"Interrupted: {len(result.measurements)} of {len(result.plan.repeats)} problems are measured.")
    notes += [
        f"{measured.problem.name}, {outcome.candidate}: {outcome.status}."
        for measured in result.measurements
        for outcome in measured.outcomes
        if outcome.status != "ok"
    ]
    silent = {
        outcome.peak.reason
        for measured in result.measurements
        for outcome in measured.outcomes
        if outcome.runs and outcome.peak.num_bytes is None
    }
    notes += [f"Peak memory: {reason}." for reason in sorted(silent)]
    if result.machine.compiled_loops != "ok":
        notes.append(result.machine.compiled_loops)
    disturbed = [measured for measured in result.measurements if measured.is_disturbed]
    if disturbed:
        busy = max(measured.cores_elsewhere or 0.0 for measured in disturbed)
        names = ", ".join(measured.problem.name for measured in disturbed)
        notes.append(
            f"Other programs kept up to {busy:.1f} cores busy during runs of {names}. That slows down linear algebra "
            "in several threads most of all, so the baseline's times there are too long, and ratios too large: measure "
            "again when the machine is quiet."
        )
    return notes
