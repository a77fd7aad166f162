"""Does it generalize? Errors on new points over b, m and n, beside the limit of infinite width and random features."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Mark, Panel, curves_of
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import median_of
from treeviz.lab.wording import count_seeds, join_words
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import count, numeral
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

_DATA: Mapping[str, str] = {
    "digits": "digits, odd or even",
    "breast-cancer": "breast cancer",
    "wine": "wine",
    "diabetes": "diabetes",
}
_NUM_ROWS = {"digits": 1797, "breast-cancer": 569, "wine": 178, "diabetes": 442}
_FEWEST_TEST_POINTS = 40  # that training must leave
_NETWORK, _KERNEL, _RIDGED, _FEATURES = "network", "kernel-ridge", "kernel-ridge-ridged", "random-features"
# How each is called, and which contestant of the race it is.
_METHODS = {
    _NETWORK: ("Network, hidden layer trained", "compact"),
    _KERNEL: ("Kernel regression (NTK), no ridge", "kernel-ridge"),
    _RIDGED: ("Kernel ridge (NTK), ridge a tenth", "kernel-ridge"),
    _FEATURES: ("Random features: second layer trained", "random-features"),
}
_RIDGE = 0.1  # of the kernel of a point with itself, which is p
_WIDTH, _POINTS = 1 << 12, 100
_AXES: Mapping[Size, Mapping[str, tuple[float, ...]]] = {
    "quick": {
        "threshold": (0.0, 1.0, 3.0),
        "width": (1 << 9, 1 << 14),
        "points": (25, 50),
    },
    "default": {
        "threshold": (0.0, 0.5, 1.0, 1.5, 2.5, 3.0),
        "width": (1 << 8, 1 << 10, 1 << 14),
        "points": (25, 50, 200, 400),
    },
    "full": {
        "threshold": (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.0, 3.25),
        "width": tuple(1 << power for power in range(6, 18) if power != 12),
        "points": (12, 25, 50, 200, 400, 800),
    },
}
_SHOWN = (1e-8, 10.0)  # errors beyond are drawn at these ends
_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 60


def _plan(size: Size, seeds: int) -> list[Task]:
    base = (paper_threshold(_WIDTH), _WIDTH, _POINTS)
    settings = [(data, *base) for data in _DATA]
    settings += [(data, threshold, _WIDTH, _POINTS) for data in _DATA for threshold in _AXES[size]["threshold"]]
    settings += [(data, paper_threshold(int(m)), int(m), _POINTS) for data in _DATA for m in _AXES[size]["width"]]
    settings += [
        (data, base[0], _WIDTH, int(n))
        for data, num_rows in _NUM_ROWS.items()
        for n in _AXES[size]["points"]
        if n + _FEWEST_TEST_POINTS <= num_rows
    ]
    tasks: list[Task] = [
        {"data": data, "method": method, "threshold": threshold, "width": width, "points": points, "seed": seed}
        for data, threshold, width, points in settings
        for method in _METHODS
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, points, threshold = int(task["width"] or 0), int(task["points"] or 0), float(task["threshold"] or 0)
    if task["method"] in (_KERNEL, _RIDGED):
        return 0.005 + 1e-7 * points * (points + 1000) + 2e-11 * points**3
    fire = min(1.0, points * firing_probability(threshold)) if task["method"] == _NETWORK else 0.1
    return 0.01 + 5e-9 * width * (points + 1000) + width * points * fire * (5e-8 + 6e-10 * points) + 2e-10 * points**3


def _required_bytes(task: Task) -> int:
    from treeviz.race.contestants import CONTESTANTS

    _, key = _METHODS[str(task["method"])]
    width, points = int(task["width"] or 0), int(task["points"] or 0)
    return CONTESTANTS[key].required_bytes(width, points, 64) + 8 * 1000 * (points + 16_384)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.data.catalogue import load_split
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestants import CONTESTANTS

    method, threshold, seed = str(task["method"]), float(task["threshold"] or 0), int(task["seed"] or 0)
    split = load_split(str(task["data"]), int(task["points"] or 0), seed)
    train, test = split.train, split.test
    if test is None:
        raise ValueError(f"with {train.num_points} training points no row of {task['data']} is left to test on")
    ridge = _RIDGE * firing_probability(threshold) if method == _RIDGED else 0.0
    config = TrainConfig(width=int(task["width"] or 0), threshold=threshold, seed=seed, ridge=ridge)
    runner = CONTESTANTS[_METHODS[method][1]].start(train, config)
    lap = runner.step()
    while lap.loss > _UNTIL_LOSS and not lap.stop_reason and lap.iteration + 1 < _MOST_ITERATIONS:
        lap = runner.step()
    measured: dict[str, Value] = {
        "iterations": lap.iteration + 1,
        "loss": lap.loss,
        "guess_error": float(np.mean((train.y.mean() - test.y) ** 2)),
        "test_points": test.num_points,
    }
    has_classes = set(np.unique(train.y)) <= {-1.0, 1.0}
    for name, data in (("train", train), ("test", test)):
        outputs = runner.predict(data.X)
        measured[f"{name}_error"] = float(np.mean((outputs - data.y) ** 2))
        if has_classes:
            measured[f"{name}_wrong"] = float(np.mean((outputs >= 0) != (data.y > 0)))
    if has_classes:
        measured["guess_wrong"] = float(np.mean((train.y.mean() >= 0) != (test.y > 0)))
    return measured


def _answer(points: "pd.DataFrame") -> Answer:
    points = points.assign(
        name=[_METHODS[method][0] for method in points.method], title=[_DATA[data] for data in points.data]
    )
    comparisons = _compare(_at_base(points))
    return Answer(_words(points, comparisons), _panels(points), _remarks(points), tuple(_fits(points, comparisons)))


def _at_base(points: "pd.DataFrame", but: str = "") -> "pd.DataFrame":
    """Return the points where all but one axis have their usual values; b is then the paper's."""
    if but != "threshold":
        usual = points.width.map(lambda width: paper_threshold(int(width)))
        points = points[np.isclose(points.threshold, usual)]
    if but != "width":
        points = points[points.width == _WIDTH]
    return points if but == "points" else points[points.points == _POINTS]


def _compare(base: "pd.DataFrame") -> dict[str, dict[str, Fit]]:
    """Return, by rival and dataset, by how much the network's error is above the rival's on the same seed."""
    found: dict[str, dict[str, Fit]] = {rival: {} for rival in ("guess", _KERNEL, _RIDGED, _FEATURES)}
    for data, rows in base.groupby("data", sort=False):
        network = rows[rows.method == _NETWORK].set_index("seed")
        for rival, fits in found.items():
            other = network.guess_error if rival == "guess" else rows[rows.method == rival].set_index("seed").test_error
            fit = median_of(
                f"{_DATA[data]}: the network's error above that of {_rival(rival)}", network.test_error - other
            )
            if math.isfinite(fit.value):
                fits[data] = fit
    return found


def _rival(rival: str) -> str:
    return {
        "guess": "guessing the mean",
        _KERNEL: "the infinitely wide network (NTK) without a ridge",
        _RIDGED: "the infinitely wide network (NTK) with a ridge",
        _FEATURES: "random features",
    }[rival]


def _words(points: "pd.DataFrame", comparisons: Mapping[str, Mapping[str, Fit]]) -> str:
    sentences = []
    base = _at_base(points)
    network = base[(base.method == _NETWORK) & (base.data == "digits")]
    wrong = median_of("", network.test_wrong)
    if math.isfinite(wrong.value):
        seeds = count_seeds([int(network.test_wrong.notna().sum())])
        interval = (
            f"95 %: {percent(wrong.low)} to {percent(wrong.high)}"
            if math.isfinite(wrong.low)
            else f"from {seeds}, too few for an interval"
        )
        guess = network.guess_wrong.median()
        sentences.append(
            f"On {_POINTS} digits, with m = {_WIDTH:,} and the paper's b, the trained network calls "
            f"{percent(wrong.value)} of new digits odd or even wrongly ({interval}); guessing is wrong on "
            f"{percent(guess)}."
        )
    counted = []
    for rival, fits in comparisons.items():
        verdicts: dict[str, list[str]] = {"lower": [], "higher": [], "not decided": []}
        for data, fit in fits.items():
            verdicts["lower" if fit.high < 0 else "higher" if fit.low > 0 else "not decided"].append(_named(data))
        if fits:
            told = (f"{verdict} on {join_words(named)}" for verdict, named in verdicts.items() if named)
            counted.append(f"{_rival(rival)}: {', '.join(told)}")
    if counted:
        sentences.append(f"Its squared error on new points, seed by seed, against that of {'; of '.join(counted)}.")
    least = _least(points[points.data == "digits"])
    if least:
        sentences.append(least)
    return " ".join(sentences) or "The network is not measured yet with the paper's b."


def _named(data: str) -> str:
    return data.replace("-", " ")


def _least(points: "pd.DataFrame") -> str:
    """Say at which b the network's error is least, and whether the paper's is worse."""
    rows = _at_base(points[points.method == _NETWORK], "threshold").dropna(subset=["test_error"])
    at = rows.groupby("threshold").test_error.median()
    paper = paper_threshold(_WIDTH)
    if at.size < 3 or not np.isclose(at.index, paper).any():
        return ""
    best = float(at.idxmin())
    if math.isclose(best, paper):
        return f"Of the {at.size} thresholds tried on digits the paper's b = {numeral(paper, 3)} has the least error."
    by_seed = rows.pivot_table(index="seed", columns="threshold", values="test_error")
    more = median_of("", by_seed[min(by_seed, key=lambda b: abs(b - paper))] - by_seed[best])
    verdict = "more on the same seeds" if more.low > 0 else "and these seeds do not decide whether that is more"
    return (
        f"Of the {at.size} thresholds tried on digits b = {numeral(best, 3)} has the least error, "
        f"{numeral(float(at.min()), 2)}; the paper's b = {numeral(paper, 3)} has "
        f"{numeral(float(at[np.isclose(at.index, paper)].iloc[0]), 2)}, {verdict}."
    )


def _remarks(points: "pd.DataFrame") -> tuple[str, ...]:
    found = []
    base = _at_base(points)
    for data, rows in base.groupby("data", sort=False):
        medians = rows.groupby("method", sort=False).test_error.median().dropna()
        if medians.size:
            listed = ", ".join(
                f"{numeral(float(medians[key]), 2)} with “{name}”"
                for key, (name, _) in _METHODS.items()
                if key in medians
            )
            found.append(
                f"{_DATA[data].capitalize()}: the squared error on new points is {listed}; always the mean of the "
                f"training points gives {numeral(float(rows.guess_error.median()), 2)}."
            )
    network = points[(points.method == _NETWORK) & points.loss.notna()]
    if not network.empty:
        late = int((network.loss > _UNTIL_LOSS).sum())
        found.append(
            f"In {late} of {count(len(network), 'run')} the network did not come to a loss of "
            f"{numeral(_UNTIL_LOSS, 1)} in {_MOST_ITERATIONS} iterations; its errors are those where it was."
        )
    for data in _DATA:
        told = [
            sentence
            for axis, what in (("width", "neurons"), ("points", "training points"))
            if (sentence := _change(points[(points.method == _NETWORK) & (points.data == data)], axis, what))
        ]
        if told:
            found.append(f"On {_named(data)} the network's squared error on new points goes {'; '.join(told)}.")
    found.append(
        "Numbers are medians of the seeds. What is said to be lower, higher, more or less is so with a certainty of "
        "95 %, seed by seed; six seeds are the fewest that can decide."
    )
    return tuple(found)


def _change(network: "pd.DataFrame", axis: str, what: str) -> str:
    """Say how the error goes from the least to the most neurons or training points, and whether that is decided."""
    by_seed = _at_base(network, axis).pivot_table(index="seed", columns=axis, values="test_error")
    if by_seed.shape[1] < 2:
        return ""
    first, last = by_seed.columns[0], by_seed.columns[-1]
    change = median_of("", by_seed[last] - by_seed[first])
    verdict = "" if change.low > 0 or change.high < 0 else " (no change is decided)"
    return (
        f"from {numeral(float(by_seed[first].median()), 2)} with {int(first):,} {what} to "
        f"{numeral(float(by_seed[last].median()), 2)} with {int(last):,}{verdict}"
    )


def _fits(points: "pd.DataFrame", comparisons: Mapping[str, Mapping[str, Fit]]) -> list[Fit]:
    found = [
        median_of(f"{_DATA[data]}, {_METHODS[method][0]}: squared error on new points", rows.test_error)
        for (data, method), rows in _at_base(points).groupby(["data", "method"], sort=False)
    ]
    found += [fit for fits in comparisons.values() for fit in fits.values()]
    return found


def _panels(points: "pd.DataFrame") -> tuple[Panel, ...]:
    order = {method: place for place, method in enumerate(_METHODS)}
    points = points.sort_values("method", key=lambda methods: methods.map(order), kind="stable")
    low, high = _SHOWN
    points = points.assign(**{name: points[name].clip(low, high) for name in ("train_error", "test_error")})
    error = f"mean squared error on new points, at most {numeral(high, 2)}"

    def draw(title: str, data: str, axis: str, y: str = "test_error", y_title: str = error) -> Panel:
        x_title = {"threshold": "threshold b", "width": "neurons m", "points": "training points n"}[axis]
        return Panel(
            title=title,
            x_title=x_title,
            y_title=y_title,
            curves=curves_of(_at_base(points[points.data == data], axis), axis, y, by="name"),
            log_x=axis != "threshold",
            log_y=y != "test_wrong",
            marks=(Mark(paper_threshold(_WIDTH), "the paper's b"),) if axis == "threshold" else (),
        )

    found = [
        draw("Digits called wrongly against b", "digits", "threshold", "test_wrong", "share of new points"),
        draw("Error on new digits against b", "digits", "threshold"),
        draw(
            "Error on the training digits against b",
            "digits",
            "threshold",
            "train_error",
            f"mean squared error, {numeral(low, 1)} where it is below",
        ),
        *(draw(f"Error on new points against m, {_DATA[data]}", data, "width") for data in _DATA),
        *(draw(f"Error on new points against n, {_DATA[data]}", data, "points") for data in _DATA),
        Panel(
            title="Error on new points of all datasets, with the paper's b",
            x_title="dataset",
            y_title=error,
            curves=curves_of(_at_base(points), "title", "test_error", by="name"),
            log_y=True,
        ),
    ]
    found += [
        draw(f"Error on new points against b, {_DATA[data]}", data, "threshold") for data in _DATA if data != "digits"
    ]
    return tuple(found)


EXPERIMENT = Experiment(
    key="generalize",
    order=8,
    title="Does it generalize?",
    question="How well does the trained network do on points it has not seen?",
    varied="The dataset and the method; on each dataset, one at a time, the threshold b, the width m with the paper's "
    "b, and the number of training points n; and the seed of weights and choice of rows.",
    fixed=f"m = {_WIDTH:,} and n = {_POINTS}, unless they are varied. The network is trained by Gauss–Newton to a loss "
    f"of {numeral(_UNTIL_LOSS, 1)}, {_MOST_ITERATIONS} iterations at most. New points are rows that training leaves "
    "out, 1,000 at most. Kernel regression is what training the hidden layer tends to as the width grows without "
    "bound, with the neural tangent kernel (NTK); its ridge, which keeps it from fitting every training point, is "
    "0 or a tenth of the kernel of a point with itself. Random features leave the hidden layer as it was drawn.",
    columns={
        "data": Column(str, "dataset"),
        "method": Column(str, "network: Gauss-Newton on the hidden layer; else a contestant of the race"),
        "threshold": Column(float, "threshold b"),
        "width": Column(int, "neurons m; the kernel has no width of its own, but the paper's b follows from it"),
        "points": Column(int, "training points n"),
        "seed": Column(int, "of weights and choice of rows"),
        "iterations": Column(int, "iterations made; of the methods in closed form 1 or 2"),
        "loss": Column(float, "on the training points, before the move of the last iteration"),
        "train_error": Column(float, "mean squared error on the training points, squared units of the target"),
        "test_error": Column(float, "mean squared error on new points, squared units of the target"),
        "guess_error": Column(float, "mean squared error on new points of the mean of the training targets"),
        "train_wrong": Column(float, "share of the training points in the wrong class; missing without classes"),
        "test_wrong": Column(float, "share of new points in the wrong class; missing without classes"),
        "guess_wrong": Column(float, "share of new points outside the larger class of the training points"),
        "test_points": Column(int, "new points"),
    },
    seeds={"quick": 6, "default": 9, "full": 20},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
