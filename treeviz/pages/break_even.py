"""Where it pays: a dial for the expected operations of all methods, with measured runs on the curves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from treeviz.config import TrainConfig
from treeviz.contestants import CONTESTANTS
from treeviz.data import Dataset
from treeviz.network import Ints
from treeviz.pages.settings import Settings, load_data, note, show_refusal
from treeviz.race.contestant import Contestant, Workload
from treeviz.race.forecast import LARGEST_WIDTH, SMALLEST_WIDTH, Calibration, expected_workload, forecast_curve
from treeviz.race.race import Race
from treeviz.views.costs import Curve, cheapest_figure, expected_cost_figure
from treeviz.views.palette import compact, rounded

_FAMILIES = {"gauss-newton": "Gauss–Newton", "gradient-descent": "Gradient descent", "sgd": "SGD"}
_ITERATIONS = (1, 2, 3, 5, 7, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
_DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_NUM_SAMPLES = 2048


@st.cache_resource(max_entries=16, show_spinner="Estimating how many neurons fire …")
def _expect(_data: Dataset, _config: TrainConfig, key: str) -> tuple[Ints, list[Workload]]:
    """Return widths and what is expected at each, once for all viewers with the same data and settings (`key`)."""
    powers = range(SMALLEST_WIDTH.bit_length() - 1, LARGEST_WIDTH.bit_length())
    widths = np.unique([round(2 ** (power + half)) for power in powers[:-1] for half in (0, 0.5)] + [LARGEST_WIDTH])
    return widths, [
        expected_workload(_data.X, replace(_config, width=int(width)), num_samples=_NUM_SAMPLES) for width in widths
    ]


def render(settings: Settings) -> None:
    """Draw the page."""
    st.subheader("Where it pays", anchor=False)
    try:
        data, _ = load_data(settings, settings.data_key)
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
            "Method",
            list(_FAMILIES),
            default="gauss-newton",
            required=True,
            format_func=lambda name: _FAMILIES[name],
            key="family",
        )
        num_iterations = st.select_slider(
            "Iterations",
            _ITERATIONS,
            value=7 if family == "gauss-newton" else 1000,
            format_func=lambda value: f"{value:,}",
            key=f"iterations-{family}",
            help="Gauss–Newton needs 4 to 8, first-order methods hundreds to thousands.",
            width=230,
        )
        dimension = st.select_slider(
            "Input dimension d",
            sorted({*_DIMENSIONS, data.dimension}),
            value=data.dimension,
            key=f"dimension-{data.dimension}",
            help="The price of one inner product. The angles between the datapoints stay as they are.",
            width=230,
        )
    offered = [key for key, one in CONTESTANTS.items() if one.family == family]
    keys = st.pills(
        "Compare",
        offered,
        selection_mode="multi",
        default=[key for key in offered if not key.endswith("-sketch")],
        format_func=lambda key: _short_title(CONTESTANTS[key]),
        key=f"compare-{family}",
    )
    contestants = [CONTESTANTS[key] for key in offered if key in keys]
    if not contestants:
        st.info("Choose at least one method to compare.")
        return
    widths, fresh = _expect(data, config, f"{settings.data_key} {config.threshold} {config.seed}")
    races = _races_like(settings)
    loads = [
        [replace(load, dimension=dimension) for load in map(_calibration(one, races, data).apply, fresh)]
        for one in contestants
    ]
    curves = [
        Curve(_short_title(one), forecast_curve(one, own, num_iterations), _dots(one, races, num_iterations, dimension))
        for one, own in zip(contestants, loads, strict=True)
    ]
    st.markdown(_conclude(curves, widths, config.width, num_iterations))
    left, right = st.columns(2)
    with left:
        st.markdown("**Expected operations against width**")
        figure = expected_cost_figure(widths, curves, config.width)
        st.plotly_chart(figure, key="expected", config={"displayModeBar": False})
        note(_explain(races))
    with right:
        st.markdown("**Who needs the fewest, by width and iterations**")
        st.plotly_chart(
            _regions(contestants, loads, widths, config.width, num_iterations),
            key="regions",
            config={"displayModeBar": False},
        )
        note(
            "The cross marks the settings now; hatched, the next best needs less than 5 % more. Operations are not "
            "seconds: race the methods to see both."
        )


def _short_title(contestant: Contestant) -> str:
    """Its title without the family's name, which stands above."""
    title = contestant.title.removeprefix(f"{_FAMILIES[contestant.family]}, ")
    return f"{title[0].upper()}{title[1:]}"


def _races_like(settings: Settings) -> list[Race]:
    """Return this session's races on the same data with the same threshold and seed, the last one first."""
    wanted = (settings.data_key, settings.config.threshold, settings.config.seed)
    return [race for key, race in reversed(st.session_state.get("races", [])) if key == wanted]


def _calibration(contestant: Contestant, races: Sequence[Race], data: Dataset) -> Calibration:
    """Take sizes from the contestant's own last lane, or from one of its family: they make the same steps."""
    lanes = [(lane, race) for race in races for lane in race.lanes if lane.num_laps]
    own = [(lane, race) for lane, race in lanes if lane.contestant.key == contestant.key]
    related = [(lane, race) for lane, race in lanes if lane.contestant.family == contestant.family]
    for lane, race in (own + related)[:1]:
        return Calibration.of(lane, expected_workload(data.X, race.config, num_samples=_NUM_SAMPLES))
    return Calibration()


def _dots(
    contestant: Contestant, races: Sequence[Race], num_iterations: int, dimension: int
) -> list[tuple[int, float]]:
    """Return width and operations of the races in which the contestant did so many iterations."""
    return [
        (race.config.width, lane.build_operations + float(lane.column("lap_operations")[:num_iterations].sum()))
        for race in races
        for lane in race.lanes
        if lane.contestant.key == contestant.key
        and lane.num_laps >= num_iterations
        and race.data.dimension == dimension
    ]


def _regions(
    contestants: Sequence[Contestant],
    loads: Sequence[Sequence[Workload]],
    widths: Ints,
    current_width: int,
    num_iterations: int,
) -> go.Figure:
    iterations = np.unique(np.rint(np.geomspace(1, _ITERATIONS[-1], 80)).astype(int))
    totals = np.empty((len(contestants), iterations.size, widths.size))
    for place, (one, own) in enumerate(zip(contestants, loads, strict=True)):
        for column, prediction in enumerate(map(one.predict, own)):
            totals[place, :, column] = [prediction.total(count) for count in iterations.tolist()]
    titles = [_short_title(one) for one in contestants]
    return cheapest_figure(widths, iterations, titles, totals, current_width, num_iterations)


def _conclude(curves: Sequence[Curve], widths: Ints, width: int, num_iterations: int) -> str:
    """Say who is expected to need the fewest operations at the width in the sidebar, and by how much."""
    place = int(np.abs(widths - width).argmin())
    ranking = sorted(curves, key=lambda curve: float(curve.operations[place]))
    best, *others = ranking
    factors = [(other.title, other.operations[place] / best.operations[place]) for other in others]
    comparison = ", ".join(
        f"{title} {rounded(factor)} times as many" if factor >= 1.05 else f"{title} about as many"
        for title, factor in factors
    )
    return (
        f"**At m = {width:,} and {num_iterations:,} iterations {best.title} is expected to need the fewest operations, "
        f"{compact(best.operations[place])}**" + (f"; {comparison}." if comparison else ".")
    )


def _explain(races: Sequence[Race]) -> str:
    if not races:
        return (
            "Neurons fire as in the untrained network, all along. Training changes that: race the methods on these "
            "data, and the curves take their sizes from the race, whose measured operations appear as dots."
        )
    return (
        f"How many neurons fire while training is taken from the last race on these data (m = "
        f"{races[0].config.width:,}), in proportion for other widths. Dots are measured: races with at least as many "
        "iterations as chosen."
    )
