"""Dial b: what the threshold does to operations, iterations, conditioning and test accuracy."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Curve, Mark, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import median_of
from treeviz.lab.wording import count_seeds, join_words
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import numeral
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Split

_POINTS, _MOST_TEST_POINTS = 100, 500
_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 100
# The data by name: what curves are called, and how `load_split` makes them.
_DATA: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "digits": ("digits", "digits", {"center": False}),
    "centred": ("centred digits", "digits", {"center": True}),
    "breast-cancer": ("breast cancer", "breast-cancer", {}),
}
_WIDTH: Mapping[Size, int] = {"quick": 1 << 12, "default": 1 << 14, "full": 1 << 16}
_STEP: Mapping[Size, float] = {"quick": 0.5, "default": 0.25, "full": 0.125}
_HIGHEST = 4.5
# What the panels of the trade-off show, by column.
_TRADED = {
    "operations_to_goal": "operations to the goal",
    "iterations_to_goal": "iterations to the goal",
    "conditioning": "condition number κ",
    "lambda_ratio": "λ_min / p",
    "test_error": "test error",
}
_NEARLY = 1.1  # so many times the fewest operations still count as the fewest


def _plan(size: Size, seeds: int) -> list[Task]:
    width = _WIDTH[size]
    thresholds = sorted({*np.arange(0.0, _HIGHEST + 1e-9, _STEP[size]).tolist(), paper_threshold(width)})
    tasks: list[Task] = [
        {"data": data, "width": width, "threshold": b, "seed": seed}
        for b in thresholds
        for data in _DATA
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, p = int(task["width"] or 0), firing_probability(float(task["threshold"] or 0))
    return 0.04 + width * (8e-6 + 8e-5 * p)


def _required_bytes(task: Task) -> int:
    from treeviz.search import find_engine

    width, threshold = int(task["width"] or 0), float(task["threshold"] or 0)
    pairs = math.ceil(width * _POINTS * firing_probability(threshold))
    return 300_000_000 + find_engine("forest").required_bytes(width, _POINTS, 64, threshold) + 200 * pairs


def _load(task: Task) -> "Split":
    from treeviz.data.catalogue import load_split

    _, name, options = _DATA[str(task["data"])]
    return load_split(name, _POINTS, int(task["seed"] or 0), max_test_points=_MOST_TEST_POINTS, **options)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.model.config import TrainConfig
    from treeviz.model.infinite_width import shifted_ntk
    from treeviz.solve.jacobian import SparseJacobian, gram_matrix
    from treeviz.training.trainer import Trainer

    split = _load(task)
    data, test = split.train, split.test
    assert test is not None  # all three tables have rows left
    width, threshold = int(task["width"] or 0), float(task["threshold"] or 0)
    config = TrainConfig(width=width, threshold=threshold, seed=int(task["seed"] or 0), solver="exact")
    trainer = Trainer(data, config, keep_records=False)
    build = sum(trainer.trace.build_costs.values())
    first = last = trainer.step()
    operations, iterations = first.num_operations, 1
    while last.loss > _UNTIL_LOSS and iterations < _MOST_ITERATIONS and not trainer.stop_reason:
        last = trainer.step()
        operations, iterations = operations + last.num_operations, iterations + 1
    p = firing_probability(threshold)
    at_start = gram_matrix(SparseJacobian(first.firing, data.X, width))
    smallest, conditioning = _spectrum(at_start)
    limit_smallest, limit_conditioning = _spectrum(shifted_ntk(data.X, data.X, threshold))
    return {
        "reached": int(last.loss <= _UNTIL_LOSS),
        "iterations": iterations,
        "loss": last.loss,
        "operations": operations,
        "operations_build": build,
        "lambda_ratio": smallest / p,
        "conditioning": conditioning,
        "limit_lambda_ratio": limit_smallest / p,
        "limit_conditioning": limit_conditioning,
        "silent": int((first.firing.counts == 0).sum()),
        "silent_trained": int((last.firing.counts == 0).sum()),
        "accuracy": float(np.mean((trainer.predict(test.X) > 0) == (test.y > 0))),
    }


def _spectrum(matrix: np.ndarray) -> tuple[float, float]:
    """Return the smallest eigenvalue, and how many times as large the largest is; 0 and infinity below round-off."""
    eigenvalues = np.linalg.eigvalsh(matrix)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    return (smallest, largest / smallest) if smallest > 1e-14 * largest else (0.0, math.inf)


def _answer(points: "pd.DataFrame") -> Answer:
    reached = points.reached == 1
    points = points.assign(
        operations_to_goal=points.operations.where(reached),
        iterations_to_goal=points.iterations.where(reached),
        test_error=1 - points.accuracy,
    )
    found = [_Dial(name, rows) for name, rows in points.groupby("data", sort=False) if rows.reached.notna().any()]
    fits = tuple(fit for dial in found for fit in (dial.excess, dial.gain))
    return Answer(_words(found), _panels(points), _remarks(found), fits)


class _Dial:
    """What the thresholds do on one data set, as far as it is measured.

    Attributes
    ----------
    title : of the data.
    b : the paper's.
    lowest : the lowest threshold that is measured.
    cheapest : the threshold of the fewest operations of those at which all seeds reach the goal; None if there is none.
    excess : operations with the paper's b as multiples of those at the cheapest, over the seeds.
    gain : test accuracy with the paper's b less that at the lowest.
    """

    def __init__(self, data: object, rows: "pd.DataFrame") -> None:
        self.title, self.rows = _DATA[str(data)][0], rows.dropna(subset=["reached"])
        self.b = paper_threshold(int(self.rows.width.iloc[0]))
        by_threshold = self.rows.groupby("threshold")
        self.lowest = float(self.rows.threshold.min())
        self.operations = by_threshold.operations.median()[by_threshold.reached.min() == 1]
        self.cheapest = None if self.operations.empty else float(self.operations.idxmin())
        paper, best = self._seeds("operations_to_goal", self.b), self._seeds("operations_to_goal", self.cheapest)
        self.excess = median_of(
            f"operations with the paper's b, as multiples of the fewest, {self.title}", paper / best
        )
        difference = (self._seeds("accuracy", self.b) - self._seeds("accuracy", self.lowest)).dropna()
        self.gain = median_of(
            f"test accuracy with the paper's b less that with b = {numeral(self.lowest, 3)}, {self.title}", difference
        )

    def _seeds(self, column: str, threshold: float | None) -> "pd.Series[float]":
        """Return a column at one threshold, by seed; empty if nothing is measured there."""
        is_there = np.isclose(self.rows.threshold, math.nan if threshold is None else threshold)
        return self.rows[is_there].set_index("seed")[column].astype(float)

    def median(self, column: str, threshold: float | None) -> float:
        """Return the median of a column at one threshold; NaN if nothing is measured there."""
        return float(self._seeds(column, threshold).median())


def _words(found: Sequence[_Dial]) -> str:
    if not found:
        return "No threshold is measured yet."
    return " ".join(f"On {dial.title} {_cheapest(dial)}; {_accuracies(dial)}." for dial in found)


def _cheapest(dial: _Dial) -> str:
    times, paper = dial.excess.value, f"the paper's b = {numeral(dial.b, 3)}"
    if dial.cheapest is None:
        return "no threshold brings all seeds to the goal"
    where = f"b = {numeral(dial.cheapest, 3)} takes the fewest operations of the thresholds tried, building left out"
    if math.isclose(dial.cheapest, dial.b):
        return f"the paper's {where}"
    if not math.isfinite(times):
        return f"{where}, and {paper} has no run that reaches the goal"
    if times <= _NEARLY:
        return f"{where}, and {paper} takes hardly more"
    return f"{where}, and {paper} takes {numeral(times, 2)} times as many"


def _accuracies(dial: _Dial) -> str:
    """Say what the test accuracy is at the lowest threshold, at the paper's, and at the cheapest."""
    places = {
        dial.lowest: f"at b = {numeral(dial.lowest, 3)}",
        dial.b: "at the paper's b",
        **({} if dial.cheapest in (None, dial.b) else {dial.cheapest: "at the cheapest"}),
    }
    shares = [
        f"{percent(accuracy)} {place}"
        for b, place in places.items()
        if math.isfinite(accuracy := dial.median("accuracy", b))
    ]
    return f"the test accuracy is {join_words(shares)}"


def _remarks(found: Sequence[_Dial]) -> tuple[str, ...]:
    return tuple(f"On {dial.title}: {' '.join(_sentences(dial))}" for dial in found)


def _sentences(dial: _Dial) -> list[str]:
    rows, lowest = dial.rows, f"b = {numeral(dial.lowest, 3)}"
    by_threshold = rows.groupby("threshold")
    said = [f"{count_seeds(by_threshold.seed.nunique())}."]
    if math.isfinite(dial.gain.value):
        said.append(f"With the paper's b the test accuracy is {_verdict(dial.gain)} than with {lowest}.")
    low, paper = dial.median("conditioning", dial.lowest), dial.median("conditioning", dial.b)
    if math.isfinite(low) and math.isfinite(paper):
        change = "better" if paper < low else "worse"
        said.append(
            f"The system that the first iteration solves is {change} conditioned with the paper's b than with "
            f"{lowest}: κ = {numeral(paper, 3)} and {numeral(low, 3)}."
        )
    iterations = by_threshold.iterations_to_goal.median().dropna()
    if len(iterations) > 1:
        said.append(
            f"Runs that reach the goal take the fewest iterations, {numeral(float(iterations.min()), 3)} (median), at "
            f"b = {numeral(float(iterations.idxmin()), 3)}, and the most, {numeral(float(iterations.max()), 3)}, at "
            f"b = {numeral(float(iterations.idxmax()), 3)}."
        )
    said.append(_silence(dial))
    missed = by_threshold.reached.min()
    missed = missed.index[missed < 1]
    if len(missed):
        said.append(f"Not all seeds reach the goal at b = {join_words([numeral(float(b), 3) for b in missed])}.")
    if dial.cheapest is not None:
        own, build = dial.median("operations", dial.cheapest), dial.median("operations_build", dial.cheapest)
        said.append(
            f"Building comes on top: {numeral(build, 3)} operations whatever b is, {numeral(build / own, 3)} times "
            f"those of all iterations at the cheapest b.{_with_building(dial, own, build)}"
        )
    return said


def _silence(dial: _Dial) -> str:
    """Say from where on datapoints fire no neuron, and whether training changes that."""
    worst = dial.rows.groupby("threshold")[["silent", "silent_trained"]].max()
    silent = worst.index[worst.silent > 0]
    if not len(silent):
        return f"Up to b = {numeral(float(dial.rows.threshold.max()), 3)} every datapoint fires a neuron."
    text = f"From b = {numeral(float(silent[0]), 3)} on some datapoints fire no neuron before training."
    woken = worst.index[(worst.silent > 0) & (worst.silent_trained == 0)]
    lost = worst.index[worst.silent_trained > 0]
    if len(woken):
        at = float(woken[-1])
        text += (
            f" Training can wake neurons for them, as they move for others: at b = {numeral(at, 3)}, up to "
            f"{int(worst.silent[at])} of {_POINTS} are silent at first and none at the end."
        )
    if len(lost):
        text += f" From b = {numeral(float(lost[0]), 3)} on some are silent at the end, too, and not learned."
    return text


def _with_building(dial: _Dial, own: float, build: float) -> str:
    """Compare the paper's threshold with the cheapest, building included."""
    paper = dial.median("operations_to_goal", dial.b)
    if not math.isfinite(paper) or math.isclose(dial.cheapest or 0.0, dial.b):
        return ""
    times = numeral((build + paper) / (build + own), 2)
    return f" With building the paper's b takes {times} times the operations of the cheapest."


def _verdict(gain: Fit) -> str:
    """Say whether accuracy is higher; a few seeds that agree may do so by chance, and have no interval."""
    return "higher" if gain.low > 0 else "lower" if gain.high < 0 else "not surely higher or lower"


def _panels(points: "pd.DataFrame") -> tuple[Panel, ...]:
    width = int(points.width.iloc[0])
    marks = (Mark(paper_threshold(width), "the paper's b"),)
    panels = []
    for data in points.data.unique():
        rows = points[points.data == data]
        base = rows[rows.threshold == rows.threshold.min()].set_index("seed")
        relative: list[Curve] = []
        for column, name in _TRADED.items():
            start = float(base[column].astype(float).median())
            scale = start if start > 0 and math.isfinite(start) else math.nan
            (curve,) = curves_of(rows.assign(**{name: rows[column] / scale}), "threshold", name)
            relative.append(curve)
        panels.append(
            Panel(
                title=f"The trade-off on {_DATA[data][0]}, m = {width:,}",
                x_title="threshold b",
                y_title=f"multiple of the value at b = {numeral(float(rows.threshold.min()), 3)}",
                curves=tuple(relative),
                log_y=True,
                marks=marks,
            )
        )

    def draw(title: str, column: str, y_title: str, *, log: bool, limit: str = "") -> Panel:
        curves = curves_of(points, "threshold", column, by="data", names=lambda data: _DATA[str(data)][0])
        if limit:
            limits = curves_of(
                points, "threshold", limit, by="data", names=lambda data: f"m → ∞, {_DATA[str(data)][0]}"
            )
            curves += tuple(formula(one.name, [float(b) for b in one.x], one.median) for one in limits)
        return Panel(title=title, x_title="threshold b", y_title=y_title, curves=curves, log_y=log, marks=marks)

    return (
        *panels,
        draw(
            f"Operations to a loss of {numeral(_UNTIL_LOSS, 1)}, building left out",
            "operations_to_goal",
            "operations",
            log=True,
        ),
        draw("Iterations to this loss", "iterations_to_goal", "iterations", log=False),
        draw("Condition number of the first system", "conditioning", "κ", log=True, limit="limit_conditioning"),
        draw("Its smallest eigenvalue, over p", "lambda_ratio", "λ_min / p", log=True, limit="limit_lambda_ratio"),
        draw("Datapoints that fire no neuron before training", "silent", f"datapoints of {_POINTS}", log=False),
        draw("Datapoints that fire no neuron at the end", "silent_trained", f"datapoints of {_POINTS}", log=False),
        draw("Test accuracy", "accuracy", "share of test points", log=False),
    )


EXPERIMENT = Experiment(
    key="threshold",
    order=3,
    title="Dial b",
    question="What does a higher threshold b cost, and what does it bring?",
    varied="The threshold b from 0 up, the data, and the seed of data and weights.",
    fixed=f"The width m, and {_POINTS} datapoints with targets −1 and +1. Training through the forest with the exact "
    f"solve goes on to the goal, a loss of {numeral(_UNTIL_LOSS, 1)}, for {_MOST_ITERATIONS} iterations at most; up to "
    f"{_MOST_TEST_POINTS} other rows of the table are test points.",
    columns={
        "data": Column(str, "digits: odd or even; centred: the same less the mean image; breast-cancer"),
        "width": Column(int, "neurons m"),
        "threshold": Column(float, "b"),
        "seed": Column(int, "of data and weights"),
        "reached": Column(int, "1 if the goal was reached, else 0"),
        "iterations": Column(int, "iterations made"),
        "loss": Column(float, "at the last iteration, before its move, squared units of the target"),
        "operations": Column(int, "operations of all iterations made"),
        "operations_build": Column(int, "operations of building"),
        "lambda_ratio": Column(
            float, "smallest eigenvalue of G before training, over p, the chance that a neuron fires"
        ),
        "conditioning": Column(float, "condition number of G before training; missing if G is singular"),
        "limit_lambda_ratio": Column(float, "smallest eigenvalue over p, as the width grows without bound"),
        "limit_conditioning": Column(float, "condition number, as the width grows without bound"),
        "silent": Column(int, "datapoints that fire no neuron before training"),
        "silent_trained": Column(int, "datapoints that fire no neuron at the end"),
        "accuracy": Column(float, "share of test points on the right side of 0"),
    },
    seeds={"quick": 2, "default": 3, "full": 10},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
