"""Where it pays: a dial for the expected operations of all methods, with measured runs on the curves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from treeviz.data.dataset import Dataset
from treeviz.lesson.caveats import ADAM_MOVES, DESCENT_MOVES, GAUSS_NEWTON_MOVES
from treeviz.model.config import TrainConfig
from treeviz.model.numerals import count, numeral
from treeviz.model.types import Ints
from treeviz.pages.charts import show_chart
from treeviz.pages.node_price import choose_node_price, describe_node_price
from treeviz.pages.notices import note, show_refusal
from treeviz.pages.page import Page
from treeviz.pages.race import measured_races
from treeviz.pages.settings import Settings
from treeviz.pages.take_home import file_name, offer_table
from treeviz.race.charts import choose_slots
from treeviz.race.contestant import Contestant, Workload
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_figures import Curve, cheapest_figure, expected_cost_figure
from treeviz.race.forecast import (
    ITERATIONS,
    Calibration,
    Measured,
    expected_workload,
    expected_workloads,
    forecast_curve,
)
from treeviz.style.palette import compact

_FAMILIES = {"all": "All", "gauss-newton": "Gauss–Newton", "gradient-descent": "Gradient descent", "sgd": "SGD"}
# Adam has one contestant, so it is compared with the others only.
_NAMES = {**_FAMILIES, "adam": "Adam"}
# Families whose iterations stay as chosen where those of first-order methods are varied.
_FIXED = ("gauss-newton", "adam")
# Compared at first; the others can be added.
_DEFAULTS = (
    "forest",
    "table",
    "compact",
    "dense-sparse",
    "descent-forest",
    "descent-table",
    "descent-dense-sparse",
    "adam",
)
_DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_NUM_SAMPLES = 2048


@st.cache_resource(max_entries=16, show_spinner="Estimating how many neurons fire …")
def _expect(_data: Dataset, _config: TrainConfig, key: str) -> tuple[Ints, list[Workload]]:
    """Return widths and what is expected at each, once for all viewers with the same data and settings (`key`)."""
    return expected_workloads(_data.X, _config)


def render(settings: Settings) -> None:
    """Draw the page."""
    st.subheader("Where it pays", anchor=False)
    try:
        data = settings.load().train
    except ValueError as error:
        show_refusal(error, settings)
        return
    config = settings.config
    st.markdown(
        "How many operations is each method *expected* to need? The formulas are those the ledger counts by; how many "
        "neurons fire follows from the data and the threshold b. Data, n, m and b are set in the sidebar."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        family = st.segmented_control(
            "Methods",
            list(_FAMILIES),
            default="all",
            required=True,
            format_func=lambda name: _FAMILIES[name],
            key="family",
            bind="query-params",
        )
        counts = _choose_iterations(family or "all")
        dimension = st.select_slider(
            "Input dimension d",
            sorted({*_DIMENSIONS, data.dimension}),
            value=data.dimension,
            key=f"dimension-{data.dimension}",
            help="The price of one inner product. The angles between the datapoints stay as they are.",
            width=200,
        )
        node_price = choose_node_price()
    offered = [key for key, one in CONTESTANTS.items() if one.family in counts and one.predict is not None]
    keys = st.pills(
        "Compare",
        offered,
        selection_mode="multi",
        default=[key for key in offered if key in _DEFAULTS or (family != "all" and not key.endswith("-sketch"))],
        format_func=lambda key: _title(CONTESTANTS[key], family),
        key=f"compare-{family}",
    )
    contestants = [CONTESTANTS[key] for key in offered if key in keys]
    if not contestants:
        st.info("Choose at least one method to compare.")
        return
    widths, fresh = _expect(data, config, f"{settings.data_key} {config.threshold} {config.seed}")
    runs = [run for race in measured_races(settings) for run in race if run.num_laps]
    loads = [
        [
            replace(load, dimension=dimension, node_price=node_price)
            for load in map(_calibration(one, runs, data).apply, fresh)
        ]
        for one in contestants
    ]
    slots = choose_slots(list(CONTESTANTS), [one.key for one in contestants])
    curves = [
        Curve(
            _title(one, family),
            slots[one.key],
            forecast_curve(one, own, counts[one.family]),
            _dots(one, runs, counts[one.family], node_price) if dimension == data.dimension else [],
        )
        for one, own in zip(contestants, loads, strict=True)
    ]
    st.markdown(f"{_conclude(curves, widths, config.width)} {describe_node_price(node_price)}")
    left, right = st.columns(2)
    with left:
        st.markdown("**Expected operations against width**")
        figure = expected_cost_figure(widths, curves, config.width)
        show_chart(figure, "Expected operations against width", key="expected")
        note(_explain(runs, curves, contestants, dimension, data.dimension))
    with right:
        kind = "first-order iterations" if family == "all" else "iterations"
        st.markdown(f"**Which method needs the fewest, by width and {kind}**")
        figure = _regions(contestants, loads, curves, widths, config.width, counts, is_all=family == "all")
        show_chart(figure, "Which method needs the fewest", key="regions")
        note(
            "The cross marks the settings now; hatched, the next best needs less than 5 % more. Operations are not "
            "seconds: race the methods to see both. Watch lists and L-BFGS are missing, because what "
            "they cost depends on how a run goes."
        )
    given = {"iterations": counts, "dimension": dimension, "node_price": node_price}
    pack = partial(_pack_forecast, curves, widths, data, config, **given)
    offer_table("Expected operations", f"{file_name(data.name)}-forecast", pack)


def _pack_forecast(*arguments: Any, **options: Any) -> bytes:
    from treeviz.export.race import pack_forecast  # with pandas, which no page has to wait for

    return pack_forecast(*arguments, **options)


def _choose_iterations(family: str) -> dict[str, int]:
    """Ask for the number of iterations; return it for each family that is compared."""

    def choose(label: str, default: int, key: str, explanation: str) -> int:
        return st.select_slider(
            label,
            ITERATIONS,
            value=default,
            format_func=lambda value: f"{value:,}",
            key=key,
            bind="query-params",
            help=explanation,
            width=200,
        )

    few = f"{GAUSS_NEWTON_MOVES}."
    many = f"To a loss of 10⁻⁶ {DESCENT_MOVES}."
    counts = {}
    if family in ("all", "gauss-newton"):
        label = "Gauss–Newton iterations" if family == "all" else "Iterations"
        counts["gauss-newton"] = choose(label, 7, "iterations", few)
    if family != "gauss-newton":
        label = "First-order iterations" if family == "all" else "Iterations"
        first_order = choose(label, 1000, "first-order-iterations", many)
        counts |= {name: first_order for name in ("gradient-descent", "sgd") if family in ("all", name)}
    if family == "all":
        counts["adam"] = choose("Adam iterations", 200, "adam-iterations", f"{ADAM_MOVES}.")
    return counts


def _title(contestant: Contestant, family: str | None) -> str:
    """Its title, without the family's name where only that family is shown."""
    if family == "all":
        return contestant.title
    title = contestant.title.removeprefix(f"{_NAMES[contestant.family]}, ")
    return f"{title[0].upper()}{title[1:]}"


def _calibration(contestant: Contestant, runs: Sequence[Measured], data: Dataset) -> Calibration:
    """Take sizes from the contestant's own last run, or from the last of its family: they make the same steps."""
    own = [run for run in runs if run.contestant.key == contestant.key]
    related = [run for run in runs if run.contestant.family == contestant.family]
    for run in (own + related)[:1]:
        return Calibration.of(run, expected_workload(data.X, run.config, num_samples=_NUM_SAMPLES))
    return Calibration()


def _dots(
    contestant: Contestant, runs: Sequence[Measured], num_iterations: int, node_price: int
) -> list[tuple[int, float]]:
    """Return width and operations of the contestant's runs that have so many iterations."""
    return [
        (run.config.width, run.operations_at(num_iterations, node_price))
        for run in runs
        if run.contestant.key == contestant.key and num_iterations in run.operations
    ]


def _regions(
    contestants: Sequence[Contestant],
    loads: Sequence[Sequence[Workload]],
    curves: Sequence[Curve],
    widths: Ints,
    current_width: int,
    counts: Mapping[str, int],
    *,
    is_all: bool,
) -> go.Figure:
    """Vary the iterations; those of `_FIXED` families stay as chosen where all are compared."""
    iterations = np.unique(np.rint(np.geomspace(1, ITERATIONS[-1], 80)).astype(int))
    totals = np.empty((len(contestants), iterations.size, widths.size))
    for place, (one, own) in enumerate(zip(contestants, loads, strict=True)):
        is_fixed = is_all and one.family in _FIXED
        for column, prediction in enumerate(map(one.forecast, own)):
            times = [counts[one.family]] * iterations.size if is_fixed else iterations.tolist()
            totals[place, :, column] = [prediction.total(count) for count in times]
    current = counts.get("gradient-descent") or next(iter(counts.values()))
    titles, slots = [curve.title for curve in curves], [curve.slot for curve in curves]
    return cheapest_figure(widths, iterations, titles, slots, totals, current_width, current)


def _conclude(curves: Sequence[Curve], widths: Ints, width: int) -> str:
    """Say which method is expected to need the fewest operations at the width in the sidebar, and by how much."""
    place = int(np.abs(widths - width).argmin())
    ranking = sorted(curves, key=lambda curve: float(curve.operations[place]))
    best, *others = ranking
    factors = [(other.title, other.operations[place] / best.operations[place]) for other in others]
    comparison = ", ".join(
        f"{title} {numeral(factor, 2)} times as many" if factor >= 1.05 else f"{title} about as many"
        for title, factor in factors
    )
    return (
        f"**At m = {width:,} {best.title} is expected to need the fewest operations for the iterations "
        f"set above, {compact(best.operations[place])}**" + (f"; {comparison}." if comparison else ".")
    )


def _explain(
    runs: Sequence[Measured],
    curves: Sequence[Curve],
    contestants: Sequence[Contestant],
    dimension: int,
    raced_dimension: int,
) -> str:
    """Say where the sizes come from; `runs` are measured, the last race first."""
    if not runs:
        return (
            "Neurons are taken to fire as in the untrained network, in all iterations. Training changes that: race the "
            "methods on these data, and the curves take their sizes from the race, whose measured operations appear as "
            "dots."
        )
    longest = max(run.num_laps for run in runs)
    if dimension != raced_dimension:
        dots = f"Races had d = {raced_dimension}: choose it to see them as dots."
    elif any(curve.measured for curve in curves):
        dots = "Dots are measured: races with at least as many iterations as chosen."
    else:
        dots = (
            f"No race was as long as chosen, the longest had {count(longest, 'iteration')}: choose fewer to see it as "
            "a dot."
        )
    raced = {run.contestant.family for run in runs}
    absent = [_NAMES[family] for family in dict.fromkeys(one.family for one in contestants) if family not in raced]
    others = f" {' and '.join(absent)} did not race: as in the untrained network." if absent else ""
    return (
        "How many neurons fire while training is taken from the last race on these data (m = "
        f"{runs[0].config.width:,}), in proportion for other widths.{others} {dots}"
    )


PAGE = Page("Where it pays", path="where-it-pays", order=4, render=render)
