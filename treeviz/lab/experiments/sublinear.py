"""Is it sublinear? Operations and time of an iteration against the width m, for every method of the race."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Curve, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import fit_exponent, local_exponents
from treeviz.lab.wording import power_of
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import numeral
from treeviz.model.types import Floats

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset
    from treeviz.race.contestant import Lap, RunnerMaker

_POINTS = _DIMENSION = 16
_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 6
_PAPER = 0.76  # the paper's exponent of m with alpha = 0.24
_DRAWN = "watch-firing"  # watch lists on the neurons that fire, the others never drawn
_WIDTHS: Mapping[Size, tuple[int, int]] = {"quick": (8, 14), "default": (8, 18), "full": (8, 22)}  # powers of 2
_DRAWN_WIDTHS: Mapping[Size, int] = {"quick": 20, "default": 26, "full": 32}
_LARGE_SKETCH = 1 << 18  # from here the dense sketch alone would take minutes
_DECIDED = 0.3  # an exponent with a wider interval says little
_FITTED = {
    "operations of an iteration": "operations_iteration",
    "with building and drawing": "total",
    "seconds of an iteration": "seconds_iteration",
}
# Methods that make the Gauss-Newton step exactly.
_SHOWN = ("forest", "neuron-trees", "table", "watch", _DRAWN, "compact", "dense-sparse", "dense")


def _plan(size: Size, seeds: int) -> list[Task]:
    from treeviz.race.contestants import CONTESTANTS

    low, high = _WIDTHS[size]
    tasks: list[Task] = [
        {"method": key, "width": 1 << power, "seed": seed}
        for power in range(low, high + 1, 2)
        for key, contestant in CONTESTANTS.items()
        if not contestant.is_reference and not (key == "dense-sketch" and 1 << power > _LARGE_SKETCH)
        for seed in range(seeds)
    ]
    first = max(low, 10)  # below, n p > 1: then all are drawn
    tasks += [
        {"method": _DRAWN, "width": 1 << power, "seed": seed}
        for power in range(first, _DRAWN_WIDTHS[size] + 1, 2)
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, method = int(task["width"] or 0), task["method"]
    if method == _DRAWN:
        return 0.03 + 1e-6 * width * _POINTS * firing_probability(paper_threshold(width))
    return 0.03 + width * {"dense-sketch": 2e-5, "dense": 4e-6}.get(str(method), 1.5e-6)


def _required_bytes(task: Task) -> int:
    return _bytes_of(str(task["method"]), int(task["width"] or 0))


@cache  # of all seeds; a press on the button that starts a sweep waits for it
def _bytes_of(method: str, width: int) -> int:
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestants import CONTESTANTS

    if method == _DRAWN:
        from treeviz.search import find_engine, required_bytes

        return required_bytes(find_engine("watch"), _data(0), TrainConfig(width=width, search="watch", draw="firing"))
    return CONTESTANTS[method].required_bytes(width, _POINTS, _DIMENSION)


def _data(seed: int) -> "Dataset":
    from treeviz.data.catalogue import load_dataset

    return load_dataset("sphere", _POINTS, seed, dimension=_DIMENSION)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestant import Trained
    from treeviz.race.contestants import CONTESTANTS
    from treeviz.search.compiled import load_loops
    from treeviz.search.firing_network import expected_proposals

    for loops in ("forest.loops", "watch.loops"):
        load_loops(loops)  # now: loading a compiler is charged to no method
    method, width, seed = str(task["method"]), int(task["width"] or 0), int(task["seed"] or 0)
    data, config = _data(seed), TrainConfig(width=width, seed=seed)
    if method == _DRAWN:
        begin: RunnerMaker = Trained(search="watch", solver="exact", draw="firing")
        numbers = _DIMENSION * expected_proposals(width, _POINTS, paper_threshold(width))
    else:
        begin, numbers = CONTESTANTS[method].start, float(width * _DIMENSION)
    start = perf_counter()
    runner = begin(data, config)
    started = perf_counter() - start
    build_seconds = sum(runner.build_seconds.values())
    laps: list[Lap] = []
    while len(laps) < _MOST_ITERATIONS and (not laps or laps[-1].loss > _UNTIL_LOSS) and not _is_over(laps):
        laps.append(runner.step())
    return {
        "iterations": len(laps),
        "loss": laps[-1].loss,
        "operations_iteration": sum(sum(lap.costs.values()) for lap in laps) / len(laps),
        "operations_build": sum(runner.build_costs.values()),
        "operations_draw": numbers,
        "seconds_iteration": sum(sum(lap.seconds.values()) for lap in laps) / len(laps),
        "seconds_build": build_seconds,
        "seconds_draw": max(0.0, started - build_seconds),
    }


def _is_over(laps: Sequence["Lap"]) -> bool:
    return bool(laps and laps[-1].stop_reason)


def _answer(points: "pd.DataFrame") -> Answer:
    points = points.assign(
        total=points.operations_iteration + (points.operations_build + points.operations_draw) / points.iterations,
        seconds_total=points.seconds_iteration + (points.seconds_build + points.seconds_draw) / points.iterations,
    )
    fits = tuple(
        fit
        for method, rows in points.groupby("method", sort=False)
        for what, column in _FITTED.items()
        if method in _SHOWN or column == "operations_iteration"
        if math.isfinite((fit := fit_exponent(f"{_title(method)}: {what}", rows.width, rows[column])).value)
    )
    named = {fit.name: fit for fit in fits}
    bare, whole = (
        named.get(f"{_title('forest')}: {what}") for what in ("operations of an iteration", "with building and drawing")
    )
    drawn = named.get(f"{_title(_DRAWN)}: with building and drawing")
    return Answer(_words(points, bare, whole, drawn), _panels(points), _remarks(points, named), fits)


def _words(points: "pd.DataFrame", bare: Fit | None, whole: Fit | None, drawn: Fit | None) -> str:
    if bare is None or whole is None:
        return "The forest is measured at fewer than three widths, which is too few for an exponent."
    both = _verdict(bare), _verdict(whole)
    text = (
        f"{_range(points, 'forest')} the operations of an iteration through the forest grow as "
        f"{power_of('m', bare.value)} ({_interval(bare)}): {both[0]}. With building and drawing shared out over the "
        f"iterations they grow as {power_of('m', whole.value)} ({_interval(whole)}): {both[1]}."
    )
    if drawn is not None:
        text += (
            f" {_range(points, _DRAWN)} those of watch lists over the neurons that fire, the others never drawn, grow "
            f"as {power_of('m', drawn.value)} ({_interval(drawn)}) with everything included: {_verdict(drawn)}."
        )
    return text


def _range(points: "pd.DataFrame", method: str) -> str:
    """Say over which widths a method is measured."""
    widths = points[(points.method == method) & points.operations_iteration.notna()].width
    return f"From m = {int(widths.min()):,} to {int(widths.max()):,}"


def _interval(fit: Fit) -> str:
    return f"95 %: {numeral(fit.low, 3)} to {numeral(fit.high, 3)}"


def _verdict(fit: Fit) -> str:
    """An exponent within 0.02 of 1 counts as linear."""
    if fit.high < 0.98:
        return "sublinear"
    return "not sublinear" if fit.low > 0.98 else "these points do not decide whether that is sublinear"


def _remarks(points: "pd.DataFrame", named: Mapping[str, Fit]) -> tuple[str, ...]:
    found = []
    forest = points[points.method == "forest"].dropna(subset=["operations_iteration"])
    if not forest.empty:
        width = forest.width.max()
        alike = points[(points.width == width) & points.method.isin(_SHOWN)]
        at = alike.groupby("method").operations_iteration.median().dropna()
        fewest = at.index[at.argmin()]
        found.append(
            f"At m = {int(width):,} an exact Gauss–Newton iteration takes the fewest operations with "
            f"“{_title(fewest)}”: {numeral(at[fewest], 3)}, against {numeral(at['forest'], 3)} with the forest."
        )
        curve = forest.groupby("width").operations_iteration.median()
        local, _ = local_exponents(curve.index, curve)
        if local.size:
            expected, _ = _expected_exponents(curve.index)
            found.append(
                f"The forest's exponent is {numeral(local[0], 3)} between the two narrowest networks and "
                f"{numeral(local[-1], 3)} between the two widest; that of the expected number of neurons that fire on "
                f"a datapoint, m p, is {numeral(expected[0], 3)} and {numeral(expected[-1], 3)} there. The paper's "
                f"bound of this number has the exponent {_PAPER}."
            )
    times = named.get(f"{_title('forest')}: seconds of an iteration")
    if times is not None:
        told = f"{power_of('m', times.value)} ({_interval(times)})"
        is_known = times.high - times.low <= _DECIDED
        found.append(
            f"In seconds, on this machine and in one thread, the forest's iteration grows as {told}; on small networks "
            "a fixed time a call hides the growth."
            if is_known
            else f"How the seconds of the forest's iteration grow is not decided on this machine: as {told}."
        )
    return tuple(found)


def _expected_exponents(widths: Any) -> tuple[Floats, Floats]:
    widths = np.asarray(widths, dtype=float)
    counts = np.array([width * firing_probability(paper_threshold(int(width))) for width in widths])
    return local_exponents(widths, counts)


def _panels(points: "pd.DataFrame") -> tuple[Panel, ...]:
    shown = points[points.method.isin(_SHOWN)]
    first_order = points[~points.method.isin(_SHOWN)]

    def draw(title: str, rows: "pd.DataFrame", column: str, y_title: str) -> Panel:
        curves = curves_of(rows, "width", column, by="method", names=_title)
        return Panel(title=title, x_title="neurons m", y_title=y_title, curves=curves, log_x=True, log_y=True)

    return (
        draw("Operations of an iteration", shown, "operations_iteration", "operations an iteration"),
        draw(
            "Operations, building and drawing shared out over the iterations",
            shown,
            "total",
            "operations an iteration",
        ),
        _exponents(points),
        draw("Operations of an iteration, all other methods", first_order, "operations_iteration", "operations"),
        draw("Time of an iteration", shown, "seconds_iteration", "seconds an iteration"),
        draw("Time, building and drawing shared out over the iterations", shown, "seconds_total", "seconds"),
    )


def _exponents(points: "pd.DataFrame") -> Panel:
    curves: list[Curve] = []
    for method in ("forest", _DRAWN, "dense-sparse"):
        rows = points[points.method == method]
        if rows.empty:
            continue
        (curve,) = curves_of(rows, "width", "operations_iteration", by="method", names=_title)
        medians, centres = local_exponents(curve.x, curve.median)
        seeds = [local_exponents(curve.x, values)[0] for values in curve.seeds]
        curves.append(Curve(curve.name, centres.tolist(), medians, np.array(seeds).reshape(len(seeds), -1)))
    widths = [2.0**power for power in range(8, 33, 2) if 2.0**power <= points.width.max()]
    expected, centres = _expected_exponents(widths)
    curves.append(formula("expected firing neurons, m p", centres.tolist(), expected))
    curves.append(formula("the paper's bound of what fires, 0.76", [widths[0], widths[-1]], np.array([_PAPER, _PAPER])))
    return Panel(
        title="Exponent between neighbouring widths, operations of an iteration",
        x_title="neurons m",
        y_title="local exponent",
        curves=tuple(curves),
        log_x=True,
    )


def _title(method: object) -> str:
    from treeviz.race.contestants import CONTESTANTS

    return "Watch lists, only firing neurons drawn" if method == _DRAWN else CONTESTANTS[str(method)].title


EXPERIMENT = Experiment(
    key="sublinear",
    order=1,
    title="Is it sublinear?",
    question="How does the cost of an iteration grow with the width m?",
    varied="The width m in powers of 4, the method, and the seed of data and weights.",
    fixed=f"{_POINTS} random points on the unit sphere in {_DIMENSION} dimensions with targets −1 and +1, the paper's "
    f"threshold, and iterations to a loss of {numeral(_UNTIL_LOSS, 1)}, {_MOST_ITERATIONS} at most. A random number "
    "drawn counts as one operation.",
    columns={
        "method": Column(str, "key of the method; watch-firing are watch lists where only firing neurons are drawn"),
        "width": Column(int, "neurons m"),
        "seed": Column(int, "of data and weights"),
        "iterations": Column(int, "iterations made"),
        "loss": Column(float, "before the move of the last one, squared units of the target"),
        "operations_iteration": Column(float, "operations of an iteration, on average over those made"),
        "operations_build": Column(float, "operations of building, drawing left out"),
        "operations_draw": Column(float, "random numbers drawn for the weights; with watch-firing as expected"),
        "seconds_iteration": Column(float, "seconds of an iteration, on average over those made"),
        "seconds_build": Column(float, "seconds of building"),
        "seconds_draw": Column(float, "seconds of drawing"),
    },
    seeds={"quick": 2, "default": 3, "full": 5},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
    version=2,
)
