"""How sparse? Neurons that fire and neurons that are touched, against width, threshold and number of datapoints."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Curve, Mark, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import fit_exponent, median_of
from treeviz.lab.wording import count_seeds, power_of
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import count, numeral
from treeviz.model.types import Floats
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset

# The data by name: what curves are called, and how `load_dataset` makes them.
_DATA: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "sphere": ("points on a sphere", "sphere", {"dimension": 64}),
    "digits": ("digits", "digits", {"center": False}),
    "centred": ("centred digits", "digits", {"center": True}),
}
_DIMENSION = 64
_POINTS = 64  # where their number is not varied
_WIDTH: Mapping[Size, int] = {"quick": 1 << 12, "default": 1 << 14, "full": 1 << 16}  # where it is not varied
_POWERS: Mapping[Size, tuple[int, int]] = {"quick": (8, 14), "default": (8, 18), "full": (8, 22)}  # of the width
_COUNTS: Mapping[Size, Sequence[int]] = {
    "quick": (2, 8, 32, 128, 1000),
    "default": (2, 4, 8, 16, 32, 64, 128, 256, 500, 1000),
    "full": (2, 4, 8, 16, 32, 64, 128, 256, 500, 1000, 1797),
}
_STEP: Mapping[Size, float] = {"quick": 0.5, "default": 0.25, "full": 0.125}  # between thresholds from 0 to _HIGHEST
_HIGHEST = 3.5
_TRAINED_WIDTH = 1 << 18  # networks up to here are trained as well
_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 30
_BLOCK_ROWS = 2048
_LINEAR = 0.98  # an exponent within 0.02 of 1 counts as linear
_SAMPLES = 1 << 15  # neurons drawn to estimate how many are touched
_CLOSE = 3.0  # standard deviations; chance alone leaves 0.3 % farther away
# How names of fitted numbers begin.
_EXPONENT = "exponent of m, "
_KEPT = "firing pairs after training, as multiples of those before, "
_FIRING = "firing on a datapoint, on a sphere"


def _plan(size: Size, seeds: int) -> list[Task]:
    width = _WIDTH[size]
    low, high = _POWERS[size]
    thresholds = np.arange(0.0, _HIGHEST + 1e-9, _STEP[size])
    paper = paper_threshold(width)
    places = [
        *(("width", 1 << power, paper_threshold(1 << power), _POINTS) for power in range(low, high + 1, 2)),
        *(("threshold", width, float(b), _POINTS) for b in thresholds),
        *(("points", width, paper, num_points) for num_points in _COUNTS[size]),
    ]
    tasks: list[Task] = [
        {"varied": varied, "data": data, "width": m, "threshold": b, "points": n, "seed": seed}
        for varied, m, b, n in places
        for data in _DATA
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _is_trained(task: Task) -> bool:
    return task["varied"] == "width" and int(task["width"] or 0) <= _TRAINED_WIDTH


def _required_seconds(task: Task) -> float:
    width, num_points = int(task["width"] or 0), int(task["points"] or 0)
    seconds = 0.05 + width * (1e-6 + num_points * 6e-9) + num_points * 6e-4 + num_points**2 * 1e-7
    return seconds + (0.1 + width * 2e-6 if _is_trained(task) else 0.0)


def _required_bytes(task: Task) -> int:
    width, num_points = int(task["width"] or 0), int(task["points"] or 0)
    needed = 400_000_000 + 20 * _BLOCK_ROWS * num_points + 120 * num_points**2
    return needed + (4 * width * num_points if _is_trained(task) else 0)


def _load(task: Task) -> "Dataset":
    from treeviz.data.catalogue import load_dataset

    _, name, options = _DATA[str(task["data"])]
    return load_dataset(name, int(task["points"] or 0), int(task["seed"] or 0), **options)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.model.infinite_width import expected_activity
    from treeviz.model.network import WholeNetwork

    data, seed = _load(task), int(task["seed"] or 0)
    width, threshold = int(task["width"] or 0), float(task["threshold"] or 0)
    counts, touched = np.zeros(data.num_points, dtype=np.int64), 0
    for _, rows in WholeNetwork(data.X, seed, width).weight_blocks(block_rows=_BLOCK_ROWS):
        fires = rows @ data.X.T >= threshold
        counts += fires.sum(axis=0)
        touched += int(fires.any(axis=1).sum())
    expected = expected_activity(data.X, threshold, width, seed, _SAMPLES)
    # Neurons are independent, so the number of pairs varies by m times the variance of the pairs of one of them.
    variance = expected.num_overlaps - expected.num_pairs**2 / width
    found: dict[str, Value] = {
        "firing": float(counts.mean()),
        "most_firing": int(counts.max()),
        "touched": touched,
        "expected_firing": expected.num_pairs / data.num_points,
        "expected_touched": expected.num_touched,
        "deviation": (float(counts.sum()) - expected.num_pairs) / math.sqrt(variance) if variance > 0 else 0.0,
    }
    return found | (_train(data, width, threshold, seed) if _is_trained(task) else {})


def _train(data: "Dataset", width: int, threshold: float, seed: int) -> dict[str, Value]:
    from treeviz.model.config import TrainConfig
    from treeviz.training.trainer import Trainer

    config = TrainConfig(width=width, threshold=threshold, seed=seed, search="compact", solver="exact")
    trainer = Trainer(data, config, keep_records=False)
    first = last = trainer.step()
    iterations = 1
    while last.loss > _UNTIL_LOSS and iterations < _MOST_ITERATIONS and not trainer.stop_reason:
        last, iterations = trainer.step(), iterations + 1
    return {
        "iterations": iterations,
        "firing_kept": last.firing.num_pairs / max(1, first.firing.num_pairs),
        "touched_kept": last.firing.neurons.size / max(1, first.firing.neurons.size),
    }


def _answer(points: "pd.DataFrame") -> Answer:
    points = points.assign(
        share=points.touched / points.width,
        ratio=points.touched / points.expected_touched,
        bound=points.width * np.exp(-0.5 * points.threshold**2),
    )
    over_width = points[points.varied == "width"]
    fits = [
        fit_exponent(f"{_EXPONENT}{what}, {_DATA[data][0]}", rows.width, rows[column])
        for column, what in (("firing", "firing on a datapoint"), ("touched", "touched"))
        for data, rows in over_width.groupby("data", sort=False)
    ]
    fits += [
        median_of(f"{_KEPT}{_DATA[data][0]}", rows.firing_kept) for data, rows in over_width.groupby("data", sort=False)
    ]
    fits = [fit for fit in fits if math.isfinite(fit.value)]
    return Answer(_words(points), _panels(points), _remarks(points, fits), tuple(fits))


def _words(points: "pd.DataFrame") -> str:
    """Say how sparse a datapoint and an iteration are, at the largest number of datapoints that is measured."""
    measured = points.dropna(subset=["touched"])
    if measured.empty:
        return "No point is measured yet that says how sparse the network is."
    # Of the thresholds only the paper's is asked about here.
    paper = measured[np.isclose(measured.threshold, [paper_threshold(int(width)) for width in measured.width])]
    if paper.empty:
        return "No point with the paper's threshold is measured yet."
    at = paper[paper.points == paper.points.max()]
    at = at[at.width == at.width.max()]
    width, num_points = int(at.width.iloc[0]), int(at.points.iloc[0])
    firing = float((at.firing / at.width).median())
    shares = at.groupby("data", sort=False).share.median()
    listed = ", ".join(f"{percent(share)} on {_DATA[str(data)][0]}" for data, share in shares.items())
    is_sparse = shares < 0.5
    verdict = (
        "an iteration leaves most of the network alone"
        if is_sparse.all()
        else "an iteration moves most of the network, so it is sparse for each datapoint and not for all together"
        if not is_sparse.any() and firing < 0.5
        else "an iteration moves most of the network"
        if not is_sparse.any()
        else "whether an iteration leaves most of the network alone depends on the data"
    )
    return (
        f"With m = {width:,} neurons and the paper's threshold, {percent(firing)} of them fire on a datapoint. But "
        f"every neuron that fires somewhere moves, and with {count(num_points, 'datapoint')} those are {listed} "
        f"({count_seeds(at.groupby('data').seed.nunique())}): {verdict}."
    )


def _remarks(points: "pd.DataFrame", fits: Sequence[Fit]) -> tuple[str, ...]:
    measured = points.dropna(subset=["touched"])
    found = []
    if len(measured):
        is_close = measured.deviation.abs() <= _CLOSE
        share = float(is_close.mean())
        agrees = "as expected" if share >= 0.97 else "not as expected"
        off = float((measured.ratio - 1).abs().median())
        found.append(
            f"The number of firing pairs is {agrees}: in {int(is_close.sum())} of {count(len(measured), 'network')} it "
            f"is within {_CLOSE:g} standard deviations of m n p, p the chance that a normal number reaches b. The "
            f"number of touched neurons is {percent(off)} off from what is expected (median)."
        )
        above = measured[measured.most_firing > measured.bound]
        slack = float((measured.bound / measured.firing.where(measured.firing > 0)).median())
        limit = (
            "On no datapoint more neurons fire than the paper's bound, m·exp(−b²/2), allows"
            if above.empty
            else f"In {count(len(above), 'network')} of {len(measured):,} more neurons fire on some datapoint than the "
            "paper's bound, m·exp(−b²/2), allows on average"
        )
        found.append(f"{limit}; the bound is {numeral(slack, 2)} times the number that fires (median).")
    growth = [fit for fit in fits if fit.name.startswith(_EXPONENT)]
    if growth:
        listed = ", ".join(f"{numeral(fit.value, 3)} ({fit.name.removeprefix(_EXPONENT)})" for fit in growth)
        slower = all(fit.high < _LINEAR for fit in growth)
        head = "All grow more slowly than the width" if slower else "Not all surely grow more slowly than the width"
        found.append(
            f"{head}, as m to the power {listed}. The paper's bound for a datapoint grows as {power_of('m', 0.76)}."
        )
    trained = [fit for fit in fits if fit.name.startswith(_KEPT)]
    if trained:
        listed = "; ".join(_change(fit, fit.name.removeprefix(_KEPT)) for fit in trained)
        found.append(
            f"After training, to a loss of {numeral(_UNTIL_LOSS, 1)} or for {_MOST_ITERATIONS} iterations, the neurons "
            f"that fire on a datapoint are {listed}."
        )
    return tuple(found)


def _change(fit: Fit, data: str) -> str:
    times = f"{numeral(fit.value, 3)} times as many"
    if not math.isfinite(fit.low):
        return f"{times} on {data} (median; too few networks for an interval)"
    which = "more" if fit.low > 1 else "fewer" if fit.high < 1 else "about as many"
    return f"{which} on {data} ({times}, median; 95 %: {numeral(fit.low, 3)} to {numeral(fit.high, 3)})"


def _panels(points: "pd.DataFrame") -> tuple[Panel, ...]:
    over_points, over_threshold, over_width = (
        points[points.varied == varied] for varied in ("points", "threshold", "width")
    )
    panels = []
    if len(over_points):
        width = int(over_points.width.iloc[0])
        p = firing_probability(float(over_points.threshold.iloc[0]))
        places = [float(n) for n in sorted(over_points.points.unique())]
        counts = np.array(places)
        panels.append(
            Panel(
                title=f"Share of m = {width:,} neurons that is touched",
                x_title="datapoints n",
                y_title="share of all neurons",
                curves=(
                    *_touched(over_points, "points", "share"),
                    formula("if each fired by itself, 1 − (1 − p)ⁿ", places, 1 - (1 - p) ** counts),
                    formula("bound of the touched, n p", places, np.minimum(1.0, counts * p)),
                ),
                log_x=True,
            )
        )
    if len(over_width):
        widths = [float(m) for m in sorted(over_width.width.unique())]
        chances = np.array([firing_probability(paper_threshold(int(m))) for m in widths])
        panels.append(
            Panel(
                title=f"Neurons that fire and that are touched, {_POINTS} datapoints, the paper's b",
                x_title="neurons m",
                y_title="neurons",
                curves=(
                    *_touched(over_width, "width", "touched"),
                    *_firing(over_width, "width", "firing"),
                    formula("expected on a datapoint, m p", widths, np.array(widths) * chances),
                    formula("the paper's bound, m·exp(−b²/2)", widths, np.array(widths) ** 0.76),
                ),
                log_x=True,
                log_y=True,
            )
        )
    if len(over_threshold):
        width = int(over_threshold.width.iloc[0])
        values = np.linspace(0.0, float(over_threshold.threshold.max()), 64)
        shares: Floats = np.array([firing_probability(b) for b in values])
        rows = over_threshold.assign(firing_share=over_threshold.firing / over_threshold.width)
        panels.append(
            Panel(
                title=f"Share that fires and that is touched, {_POINTS} datapoints, m = {width:,}",
                x_title="threshold b",
                y_title="share of all neurons",
                curves=(
                    *_touched(rows, "threshold", "share"),
                    *_firing(rows, "threshold", "firing_share"),
                    formula("expected on a datapoint, m p", values.tolist(), shares),
                    formula("the paper's bound, m·exp(−b²/2)", values.tolist(), np.exp(-(values**2) / 2)),
                ),
                log_y=True,
                marks=(Mark(paper_threshold(width), "the paper's b"),),
            )
        )
    if len(over_points):
        panels.append(
            Panel(
                title="Touched neurons, as multiples of those expected",
                x_title="datapoints n",
                y_title="measured / expected",
                curves=_touched(over_points, "points", "ratio"),
                log_x=True,
            )
        )
    if len(over_width):
        panels.append(
            Panel(
                title="Firing pairs after training, as multiples of those before",
                x_title="neurons m",
                y_title="after / before",
                curves=_touched(over_width[over_width.width <= _TRAINED_WIDTH], "width", "firing_kept"),
                log_x=True,
            )
        )
    return tuple(panels)


def _touched(rows: "pd.DataFrame", x: str, y: str) -> tuple[Curve, ...]:
    rows = rows.sort_values("data", key=lambda names: names.map(list(_DATA).index), kind="stable")
    return curves_of(rows, x, y, by="data", names=lambda data: f"touched, {_DATA[str(data)][0]}")


def _firing(rows: "pd.DataFrame", x: str, y: str) -> tuple[Curve, ...]:
    return curves_of(rows[rows.data == "sphere"], x, y, by="data", names=lambda _: _FIRING)


EXPERIMENT = Experiment(
    key="sparsity",
    order=2,
    title="How sparse is it?",
    question="How many neurons fire on a datapoint, and how many are touched by all datapoints together?",
    varied="One of three at a time: the width m with the paper's threshold, the threshold b, and the number of "
    "datapoints n; the data, and the seed of data and weights.",
    fixed=f"{_POINTS} datapoints of dimension {_DIMENSION} where their number is not varied. A neuron fires on a "
    "datapoint if their inner product reaches b, and is touched if it fires on at least one.",
    columns={
        "varied": Column(str, "what is varied: width, threshold or points"),
        "data": Column(str, "sphere: random points; digits; centred: digits less their mean image"),
        "width": Column(int, "neurons m"),
        "threshold": Column(float, "b"),
        "points": Column(int, "datapoints n"),
        "seed": Column(int, "of data and weights"),
        "firing": Column(float, "neurons that fire on a datapoint before training, mean over the datapoints"),
        "most_firing": Column(int, "neurons, on the datapoint on which most fire"),
        "touched": Column(int, "neurons that fire on at least one datapoint before training"),
        "expected_firing": Column(float, "neurons, m p"),
        "expected_touched": Column(
            float, f"neurons, as expected for these datapoints, estimated from {_SAMPLES:,} draws"
        ),
        "deviation": Column(float, "of the firing pairs from those expected, standard deviations"),
        "iterations": Column(int, "iterations of training; missing where it was not trained"),
        "firing_kept": Column(float, "firing pairs at the end of training, as a share of those at the start"),
        "touched_kept": Column(float, "touched neurons at the end of training, as a share of those at the start"),
    },
    seeds={"quick": 2, "default": 3, "full": 10},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
