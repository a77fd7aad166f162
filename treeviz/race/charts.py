"""The charts of a race: what each contestant did, as one plain payload for the component that draws it.

A page describes its charts (`loss_charts`, `amortized_chart`, `touched_charts`, `phase_chart`), and hands the
`race_payload` of the lanes to the component made of `component_parts`. All charts of a payload share one race clock:
pointing at a moment in one marks in all of them where every contestant was then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from treeviz.model.phases import PHASES
from treeviz.race.lane import COLUMNS, Lane
from treeviz.style.modules import join_modules
from treeviz.style.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

MAX_POINTS = 300
LOSS_FLOOR = 1e-33  # exact zeros have no place on a logarithmic axis
# A contestant's slot chooses its colour, dash and marker, so that no two are told apart by colour alone.
COLORS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY, "#8C7A00", "#7F6BD1")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "13 4", "4 2", "9 3 2 3 2 3", "1 2")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "saltire", "wedge", "star")
# Of the phases, in the order of their table: neighbours differ in lightness, and every second one is hatched.
PHASE_COLORS = (GREY, BLUE, "#A6D3F0", GREEN, "#8FD6C0", PURPLE, ORANGE, VERMILION, "#F4B183", "#7F6BD1", "#D6C98A")

Unit = Literal["operations", "seconds"]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: `floor` stands for what a logarithmic axis has no place for; it is labelled `floor_label`, if any."""

    title: str
    format: Literal["count", "loss", "seconds"]
    is_log: bool = False
    floor: float = 0.0
    floor_label: str = ""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines through columns of the payload: `y` against `x`, and if named `bare`, dotted, against the same `x`."""

    key: str
    title: str
    about: str
    x: str
    y: str
    x_axis: Axis
    y_axis: Axis
    bare: str = ""
    rule: float | None = None  # a horizontal line, labelled
    rule_label: str = ""
    has_references: bool = True
    kind: str = "lines"


@dataclass(frozen=True, slots=True)
class PhaseChart:
    """A bar per contestant, stacked by phase: shares of its own total, or operations on one axis."""

    key: str
    title: str
    about: str
    is_share: bool
    kind: str = "phases"


def keep_points(num_laps: int, limit: int = MAX_POINTS) -> NDArray[np.int64]:
    """Choose the laps to draw: all, if at most `limit`; else the first `limit // 2`, log-spaced ones, and the last.

    As laps are added the choice changes only when their number passes limit, 2 limit, 4 limit, ..., so that a growing
    line does not shiver.
    """
    if limit < 3:
        raise ValueError(f"limit is {limit}: give at least 3 points")
    if num_laps <= limit:
        return np.arange(num_laps)
    horizon = limit * 2 ** math.ceil(math.log2(num_laps / limit))
    head = limit // 2
    ladder = np.unique(np.rint(np.geomspace(head, horizon, limit - head - 1)).astype(np.int64))
    return np.concatenate([np.arange(head), ladder[ladder < num_laps - 1], [num_laps - 1]])


def choose_slots(keys: Sequence[str], chosen: Sequence[str]) -> dict[str, int]:
    """Return the slot of each contestant chosen out of `keys`: its own, or the next one free; it differs for each."""
    slots: dict[str, int] = {}
    for key in sorted(chosen, key=keys.index):
        slot = keys.index(key) % len(COLORS)
        while slot in slots.values() and len(slots) < len(COLORS):
            slot = (slot + 1) % len(COLORS)
        slots[key] = slot
    return slots


def loss_charts(
    lanes: Sequence[Lane], *, log_x: bool = True, log_y: bool = True, target_loss: float | None = None
) -> tuple[LineChart, LineChart, LineChart]:
    """Describe loss against iterations, operations and seconds."""
    y_axis = Axis("loss ½‖f − y‖²", "loss", log_y, LOSS_FLOOR)
    # Iteration 0 has no place on a logarithmic axis either: it stands half a step left of 1, under its own name.
    axes: tuple[tuple[str, str, Axis], ...] = (
        ("iteration", "iterations", Axis("iteration", "count", log_x, 0.5, "0")),
        (
            "operations",
            "operations",
            Axis("operations, building included", "count", log_x, _floor(lanes, "operations")),
        ),
        ("seconds", "time", Axis("seconds, building included", "seconds", log_x, _floor(lanes, "seconds"))),
    )
    first, second, third = (
        LineChart(
            f"loss-{column}",
            f"Loss against {name}",
            f"The loss of each contestant against {axis.title}; lower and further left is better.",
            column,
            "loss",
            axis,
            y_axis,
            rule=target_loss,
            rule_label="target",
        )
        for column, name, axis in axes
    )
    return first, second, third


def amortized_chart(unit: Unit, *, log_x: bool = True, log_y: bool = True) -> LineChart:
    """Describe amortized cost(t), in operations or seconds: building and t iterations, divided by t."""
    return LineChart(
        f"amortized-{unit}",
        f"{unit.capitalize()} per iteration",
        f"{unit.capitalize()} per iteration after t iterations; solid with building, dotted without.",
        "done",
        f"amortized_{unit}",
        Axis("iterations done, t", "count", log_x, 0.5),
        Axis("building included; dotted: without", _format(unit), log_y, 1e-9),
        bare=f"bare_{unit}",
        has_references=False,
    )


def touched_charts(*, log_x: bool = True, log_y: bool = True) -> tuple[LineChart, LineChart]:
    """Describe the touched neurons and the modified tree nodes of each iteration."""
    first, second = (
        LineChart(
            column,
            title,
            about,
            "iteration",
            column,
            Axis("iteration", "count", log_x, 0.5, "0"),
            Axis(label, "count", log_y, 0.5, "0"),
            has_references=False,
        )
        for column, title, label, about in (
            ("touched", "Touched neurons", "neurons moved", "Neurons that each iteration moved."),
            (
                "modified",
                "Modified tree nodes",
                "tree nodes changed",
                "Tree nodes whose value each iteration changed; methods without trees are left out.",
            ),
        )
    )
    return first, second


def phase_chart(*, is_share: bool = True) -> PhaseChart:
    """Describe operations by phase, one bar per contestant."""
    about = "Operations of each contestant by phase, building and the step after the last loss included"
    about += ": shares of its own total, which stands at the right." if is_share else "."
    return PhaseChart("phases", "Operations by phase", about, is_share)


def race_payload(
    lanes: Sequence[Lane], slots: Mapping[str, int], charts: Sequence[LineChart | PhaseChart]
) -> dict[str, Any]:
    """Return all the component needs, as JSON: the charts, and per contestant a table of the columns they draw.

    `slots` is that of `choose_slots`. Costs O(laps) per contestant; at most `MAX_POINTS` rows are returned for each.
    """
    needed = {"iteration", "loss", "operations", "seconds"}
    for chart in charts:
        if isinstance(chart, LineChart):
            needed |= {chart.x, chart.y} | ({chart.bare} if chart.bare else set())
    return {
        "charts": [asdict(chart) for chart in charts],
        "phases": [
            {"name": name, "color": PHASE_COLORS[place % len(PHASE_COLORS)], "hatched": place % 2 == 1}
            for place, name in enumerate(PHASES)
        ],
        "contestants": [
            {
                "key": lane.contestant.key,
                "title": lane.contestant.title,
                "color": COLORS[slots[lane.contestant.key]],
                "dash": DASHES[slots[lane.contestant.key]],
                "marker": MARKERS[slots[lane.contestant.key]],
                "reference": lane.contestant.is_reference,
                "phases": {name: float(lane.costs[name]) for name in PHASES if lane.costs[name]},
                "columns": _columns(lane, needed),
            }
            for lane in lanes
        ],
    }


def component_parts() -> dict[str, str]:
    """Return html, css and js of the component, to be registered once with `st.components.v2.component`."""
    folder = Path(__file__).parent / "web"
    css = (folder / "race.css").read_text(encoding="utf-8")
    return {"html": '<section class="race"></section>', "css": css, "js": join_modules(folder / "race.js")}


def _columns(lane: Lane, needed: set[str]) -> dict[str, list[float | None]]:
    """Return what charts draw of a lane, by the names they have in the payload."""
    laps = dict(zip(COLUMNS, lane.columns(*COLUMNS), strict=True))
    iteration = np.arange(laps["loss"].size)
    done = iteration + 1
    bare_operations, bare_seconds = np.cumsum(laps["lap_operations"]), np.cumsum(laps["lap_seconds"])
    columns: dict[str, NDArray[Any]] = {
        **laps,
        "iteration": iteration,
        "done": done,
        "amortized_operations": (lane.build_operations + bare_operations) / done,
        "amortized_seconds": (lane.build_seconds + bare_seconds) / done,
        "bare_operations": bare_operations / done,
        "bare_seconds": bare_seconds / done,
        "touched": laps["num_touched"],
        "modified": laps["num_modified"],
    }
    if not laps["num_modified"].any():
        needed = needed - {"modified"}
    keep = keep_points(iteration.size)
    return {name: _plain(columns[name][keep]) for name in sorted(needed)}


def _plain(values: NDArray[Any]) -> list[float | None]:
    """Write numbers for JSON: whole ones in full, others with seven digits, and None for what is not finite."""
    return [_number(value) if math.isfinite(value) else None for value in values.tolist()]


def _number(value: float) -> float:
    return int(value) if value == round(value) else float(f"{value:.7g}")


def _floor(lanes: Sequence[Lane], column: str) -> float:
    values = np.concatenate([lane.column(column) for lane in lanes]) if lanes else np.empty(0)
    positive = values[np.isfinite(values) & (values > 0)]
    return float(positive.min()) if positive.size else 1.0


def _format(unit: Unit) -> Literal["count", "seconds"]:
    return "count" if unit == "operations" else "seconds"
