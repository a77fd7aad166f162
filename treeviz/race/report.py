"""A race as text, JSON or CSV."""

import csv
import io
import math
from typing import Any

from treeviz.model.numerals import count
from treeviz.race.lane import COLUMNS, Lane, is_classification
from treeviz.race.race import Race
from treeviz.race.verdict import finish_of, judge, name_leaders

LAP_COLUMNS = [name for name, column in COLUMNS.items() if column.is_reported]


def test_error_name(race: Race) -> str:
    """Say what the test error is: a share of wrong signs, or a root mean squared error."""
    if race.test is None:
        return "test error: none, this dataset has no test points"
    kind = "share of wrong signs" if is_classification(race.test.y) else "root mean squared error"
    return f"test error: {kind} on {race.test.num_points:,} other points"


def as_text(race: Race, loss: float, node_price: int = 1) -> str:
    """Return a table of what each contestant needed to reach `loss`, and the verdict, a node at a price."""
    data, config = race.data, race.config
    lines = [
        f"{data.name}: {data.description}",
        f"n = {data.num_points}, d = {data.dimension}, m = {config.width:,}, b = {config.resolved_threshold:.4f}, "
        f"seed {config.seed}; to a loss of {loss:g}; {test_error_name(race)}",
        *([f"each tree node read or written counts as {count(node_price, 'operation')}"] if node_price > 1 else []),
        "",
        f"{'contestant':<30} {'iterations':>10} {'operations':>16} {'seconds':>9} {'memory':>9} {'loss':>9} "
        f"{'test error':>10}",
    ]
    for lane in (lane.at_price(node_price) for lane in race.lanes):
        finish = finish_of(lane, loss)
        there = (
            f"{finish.iterations:>10,} {finish.operations:>16,} {finish.seconds:>9.3f}"
            if finish
            else f"{'-':>10} {'-':>16} {'-':>9}"
        )
        lowest = "-" if lane.lowest_loss is None else f"{lane.lowest_loss:.1e}"
        error = "-" if lane.test_error is None else f"{lane.test_error:.3f}"
        memory = f"{lane.num_bytes / 1e6:.1f} MB"
        lines.append(f"{lane.contestant.title:<30} {there} {memory:>9} {lowest:>9} {error:>10}")
        if lane.reason:
            lines.append(f"{'':<30} {lane.state}: {lane.reason}")
    return "\n".join([*lines, "", judge(race, loss, node_price), name_leaders(race, loss, node_price)]).rstrip()


def as_json(race: Race, loss: float, node_price: int = 1) -> dict[str, Any]:
    """Return everything a script may want of a race, as plain JSON values, each tree node at a price."""
    data, config = race.data, race.config
    return {
        "dataset": {"name": data.name, "num_points": data.num_points, "dimension": data.dimension},
        "config": {
            "width": config.width,
            "threshold": config.resolved_threshold,
            "batch_size": config.batch_size,
            "ridge": config.ridge,
            "seed": config.seed,
        },
        "until_loss": loss,
        "node_price": node_price,
        "test_error": test_error_name(race),
        "contestants": [_lane_values(lane.at_price(node_price), loss) for lane in race.lanes],
        "verdict": judge(race, loss, node_price),
    }


def _lane_values(lane: Lane, loss: float) -> dict[str, Any]:
    finish = finish_of(lane, loss)
    return {
        "key": lane.contestant.key,
        "title": lane.contestant.title,
        "family": lane.contestant.family,
        "state": lane.state,
        "reason": lane.reason,
        "to_loss": {"iterations": finish.iterations, "operations": finish.operations, "seconds": finish.seconds}
        if finish
        else None,
        "num_bytes": lane.num_bytes,
        "test_error": lane.test_error,
        "build_operations": lane.build_operations,
        "build_seconds": lane.build_seconds,
        "costs": dict(lane.costs),
        "phase_seconds": dict(lane.seconds),
        "laps": lap_values(lane),
    }


def as_csv(race: Race, node_price: int = 1) -> str:
    """Return a line for every iteration of every contestant, under a header, each tree node at a price."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["contestant", "iteration", *LAP_COLUMNS])
    for lane in (lane.at_price(node_price) for lane in race.lanes):
        for lap, values in enumerate(zip(*lap_values(lane).values(), strict=True)):
            writer.writerow([lane.contestant.key, lap, *values])
    return buffer.getvalue()


def lap_values(lane: Lane) -> dict[str, list[int | float | None]]:
    """Return the columns that are reported, as finite Python numbers; a loss beyond them is None."""
    return {
        name: [_plain(value, is_whole=COLUMNS[name].is_whole) for value in values.tolist()]
        for name, values in zip(LAP_COLUMNS, lane.columns(*LAP_COLUMNS), strict=True)
    }


def _plain(value: float, *, is_whole: bool) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if is_whole else value
