"""The measurements as text, JSON and CSV, where a candidate is called a contestant.

JSON holds everything: `machine`, `date`, `seconds`, `until_loss`, `notes`; under `problems` for each problem and
candidate the `status`, every repeat's raw `runs` (seconds of building, of drawing the weights and of all iterations,
every loss), the peak memory, and the `summary`: for each quantity the median, lowest and highest `value`, and `ratio`,
the baseline's number over this one's; `cases` names the problems of the table; under `growth` are the fitted exponents.
All times are seconds, memory is bytes; what is not known is null.

CSV is the summary, two kinds of lines under one header. A line of kind "problem" is a problem and candidate: of each
quantity, say `iteration_seconds`, it has the median under that name, the lowest and highest under
`iteration_seconds_lowest` and `_highest`, and those of its ratio under `iteration_seconds_ratio`, `_ratio_lowest` and
`_ratio_highest`. A line of kind "growth" says how a candidate's quantities grow with m, n or d: the exponent
(`iteration_seconds_exponent`), its standard error (`_exponent_error`), and the smallest and largest size fitted
(`_from`, `_to`).
"""

import csv
import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from treeviz.bench.analysis import QUANTITIES, Fit, PowerLaw, Quantity, Row, Spread, fits_of, notes_of, rows_of
from treeviz.bench.candidate import DENSE, Run
from treeviz.bench.measure import BenchResult
from treeviz.bench.memory import RESOLUTION_BYTES
from treeviz.bench.plan import Growth, as_power

QUANTITY_TITLES: dict[Quantity, str] = {
    "iteration_seconds": "an iteration",
    "seconds_to_loss": "to the loss",
    "seconds_to_loss_with_building": "with building",
    "seconds_from_nothing": "from nothing",
    "peak_bytes": "peak memory",
}
_PROBLEM_COLUMNS = ("dataset", "n", "d", "m", "contestant", "status", "repeats", "iterations")
_VALUE_COLUMNS = ("", "_lowest", "_highest", "_ratio", "_ratio_lowest", "_ratio_highest")
_FIT_COLUMNS = ("_exponent", "_exponent_error", "_from", "_to")
CSV_COLUMNS = (
    "kind",
    "name",
    *_PROBLEM_COLUMNS,
    *(quantity + column for quantity in QUANTITIES for column in _VALUE_COLUMNS),
    *(quantity + column for quantity in QUANTITIES for column in _FIT_COLUMNS),
)


# Text


def as_text(result: BenchResult) -> str:
    """Return the tables, what must be known to read them, the machine and the date; no line is over 120 wide."""
    parts = [_case_table(result), *(_growth_table(result, growth) for growth in result.plan.growths)]
    parts.append("\n".join(textwrap.fill(note, 118) for note in notes_of(result)))
    when = f"{result.date:%Y-%m-%d %H:%M} UTC, measured in {result.seconds:.0f} s"
    parts.append(f"{result.machine.as_text()}\n{when}")
    return "\n\n".join(part for part in parts if part)


def _case_table(result: BenchResult) -> str:
    measured = [one for case in result.plan.cases if (one := result.of(case.problem)) is not None]
    if not measured:
        return ""
    loss = f"to {result.until_loss:g}"
    lines = [
        "Medians (lowest-highest); ratios are the number of the fastest dense method over this one's: above 1 this one",
        "needs less. From nothing: drawing the weights, building and training. watch-firing draws only the neurons",
        "that fire, so it trains another network of the same law.",
        "Lines with ! must be read with the notes below the tables.",
        "",
        f"{'':<14}{'an iteration,':>22} {'ratio to':>19} {loss + ',':>9} {'building':>8} {'':>6} {'from':>8} {'':>6} "
        f"{'peak,':>7}",
        f"{'':<14}{'ms':>22} {'fastest dense':>19} {'s':>9} {'too, s':>8} {'ratio':>6} {'nothing':>8} {'ratio':>6} "
        f"{'MB':>7} {'ratio':>6}",
    ]
    for one in measured:
        rows = rows_of(one)
        mark = ", disturbed !" if one.is_disturbed else ""
        lines += ["", f"{one.problem.name}: {_agreement(rows)}{mark}", *map(_case_line, rows)]
    return "\n".join(lines)


def _agreement(rows: Sequence[Row]) -> str:
    """Say how long the trainings were and how far the losses of all that took part agree."""
    done = [row for row in rows if row.outcome.runs]
    if not done:
        return "no candidate took part"
    counts = sorted({len(run.losses) for row in done for run in row.outcome.runs})
    difference = max(row.outcome.loss_difference or 0.0 for row in done)
    lengths = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    repeats = max(len(row.outcome.runs) for row in done)
    return f"{lengths} iterations, {repeats} repeats, losses differ by {difference:.1e} at most"


def _case_line(row: Row) -> str:
    name = f"  {row.outcome.candidate:<12}"
    if not row.outcome.runs:
        return f"{name}{row.outcome.status}"
    values, ratios = row.values, row.ratios
    ratio = "1" if row.is_baseline else _spread(ratios["iteration_seconds"])
    peak = row.values["peak_bytes"]
    memory = "-" if peak is None else digits(peak.median / 1e6) if row.outcome.peak.is_resolved else "under 1"
    line = (
        f"{name}{_spread(values['iteration_seconds'], 1e3):>22} {ratio:>19} "
        f"{_median(values['seconds_to_loss']):>9} {_median(values['seconds_to_loss_with_building']):>8} "
        f"{_median(ratios['seconds_to_loss_with_building']):>6} {_median(values['seconds_from_nothing']):>8} "
        f"{_median(ratios['seconds_from_nothing']):>6} {memory:>7} {_median(ratios['peak_bytes']):>6}"
    )
    return line if row.outcome.status == "ok" else f"{line} !"


def _growth_table(result: BenchResult, growth: Growth) -> str:
    fits = fits_of(result, growth)
    if not fits:
        return ""
    first = growth.problems[0]
    fixed = ", ".join(f"{axis} = {as_power(first.size(axis))}" for axis in ("n", "d", "m") if axis != growth.axis)
    measured = [one for problem in growth.problems if (one := result.of(problem)) is not None]
    mark = ", disturbed !" if any(one.is_disturbed for one in measured) else ""
    title = f"{growth.name.capitalize()} ({first.dataset}, {fixed})"
    lines = [
        f"{title}: exponents of {growth.axis}, with standard errors{mark}",
        "",
        f"{'':<14}{'an iteration':>13} {'to the loss':>13} {'with building':>13} {'from nothing':>13}  "
        f"{'fitted over':<17}{'peak memory':>13}  fitted over",
    ]
    for candidate in dict.fromkeys(fit.candidate for fit in fits):
        own = {fit.quantity: fit.law for fit in fits if fit.candidate == candidate}
        times = " ".join(f"{exponent(own[quantity]):>13}" for quantity in QUANTITIES[:4])
        lines.append(
            f"  {candidate:<12}{times}  {_range(own['iteration_seconds']):<17}{exponent(own['peak_bytes']):>13}  "
            f"{_range(own['peak_bytes'])}"
        )
    return "\n".join(lines)


def exponent(law: PowerLaw) -> str:
    """Write a fitted exponent with its standard error."""
    if law.exponent is None:
        return "-"
    return f"{law.exponent:.2f}" + ("" if law.standard_error is None else f" ± {law.standard_error:.2f}")


def _range(law: PowerLaw) -> str:
    if not law.sizes:
        return "nothing"
    return f"{as_power(law.sizes[0])} to {as_power(law.sizes[-1])} ({len(law.sizes)})"


def _spread(spread: Spread | None, factor: float = 1.0) -> str:
    if spread is None:
        return "-"
    low, middle, high = (digits(factor * value) for value in (spread.lowest, spread.median, spread.highest))
    return f"{middle} ({low}-{high})"


def _median(spread: Spread | None) -> str:
    return "-" if spread is None else digits(spread.median)


def digits(number: float) -> str:
    """Write a positive number with three digits, and never an exponent: 0.00123, 1.23, 12.3, 1,234."""
    if number <= 0:
        return "0"
    decimals = min(max(0, 2 - math.floor(math.log10(number))), 6)
    return f"{number:,.{decimals}f}"


# JSON


def as_json(result: BenchResult) -> dict[str, Any]:
    """Return everything measured, as plain JSON values; the module's docstring names them."""
    return {
        "date": result.date.isoformat(),
        "seconds": result.seconds,
        "is_interrupted": result.is_interrupted,
        "until_loss": result.until_loss,
        "dense": list(DENSE),
        "machine": asdict(result.machine),
        "notes": notes_of(result),
        "memory_resolution_bytes": RESOLUTION_BYTES,
        "cases": [case.name for case in result.plan.cases],
        "problems": [
            {
                "name": measured.problem.name,
                "dataset": measured.problem.dataset,
                "num_points": measured.problem.num_points,
                "dimension": measured.problem.dimension,
                "width": measured.problem.width,
                "center": measured.problem.center,
                "seed": measured.problem.seed,
                "cores_elsewhere": measured.cores_elsewhere,
                "contestants": [_row_values(row) for row in rows_of(measured)],
            }
            for measured in result.measurements
        ],
        "growth": [
            {
                "name": growth.name,
                "axis": growth.axis,
                "problems": [problem.name for problem in growth.problems],
                "fits": [_fit_values(fit) for fit in fits_of(result, growth)],
            }
            for growth in result.plan.growths
        ],
    }


def _row_values(row: Row) -> dict[str, Any]:
    outcome = row.outcome
    return {
        "name": outcome.candidate,
        "is_baseline": row.is_baseline,
        "status": outcome.status,
        "loss_difference": _finite(outcome.loss_difference),
        "runs": [_run_values(run) for run in outcome.runs],
        "peak_bytes": outcome.peak.num_bytes,
        "peak_reason": outcome.peak.reason,
        "summary": {
            quantity: {
                "value": None if (value := row.values[quantity]) is None else asdict(value),
                "ratio": None if (ratio := row.ratios[quantity]) is None else asdict(ratio),
            }
            for quantity in QUANTITIES
        },
    }


def _run_values(run: Run) -> dict[str, Any]:
    return asdict(run) | {"losses": [_finite(loss) for loss in run.losses], "num_iterations": len(run.losses)}


def _fit_values(fit: Fit) -> dict[str, Any]:
    return {
        "contestant": fit.candidate,
        "quantity": fit.quantity,
        "exponent": fit.law.exponent,
        "standard_error": fit.law.standard_error,
        "factor": fit.law.factor,
        "sizes": list(fit.law.sizes),
    }


def _finite(number: float | None) -> float | None:
    """JSON has neither infinity nor NaN: they are null, and the status says what happened."""
    return number if number is not None and math.isfinite(number) else None


# CSV


def as_csv(result: BenchResult) -> str:
    """Return the summary; the module's docstring says what its lines are."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for measured in result.measurements:
        writer.writerows(map(_row_line, rows_of(measured)))
    for growth in result.plan.growths:
        fits = fits_of(result, growth)
        for candidate in dict.fromkeys(fit.candidate for fit in fits):
            line: dict[str, Any] = {"kind": "growth", "name": growth.name, "contestant": candidate}
            line["dataset"] = growth.problems[0].dataset
            for axis in ("n", "d", "m"):
                if axis != growth.axis:
                    line[axis] = growth.problems[0].size(axis)
            for fit in fits:
                if fit.candidate == candidate and fit.law.exponent is not None:
                    ends = (fit.law.sizes[0], fit.law.sizes[-1])
                    error = "" if fit.law.standard_error is None else fit.law.standard_error
                    cells = zip(_FIT_COLUMNS, (fit.law.exponent, error, *ends), strict=True)
                    line |= {fit.quantity + column: cell for column, cell in cells}
            writer.writerow(line)
    return buffer.getvalue()


def _row_line(row: Row) -> dict[str, Any]:
    problem, outcome = row.problem, row.outcome
    shape = (problem.dataset, problem.num_points, problem.dimension, problem.width)
    own = (outcome.candidate, outcome.status, len(outcome.runs), row.num_iterations)
    line: dict[str, Any] = {"kind": "problem", "name": problem.name}
    line |= dict(zip(_PROBLEM_COLUMNS, (*shape, *own), strict=True))
    for quantity in QUANTITIES:
        for spread, names in ((row.values[quantity], _VALUE_COLUMNS[:3]), (row.ratios[quantity], _VALUE_COLUMNS[3:])):
            if spread is not None:
                cells = zip(names, (spread.median, spread.lowest, spread.highest), strict=True)
                line |= {quantity + name: cell for name, cell in cells}
    return line
