"""Which optimizer? Errors at equal operations and equal time, and where the cube of n takes over in Gauss-Newton."""

import math
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Curve, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import median_of
from treeviz.lab.wording import join_words, span
from treeviz.model.ledger import gram_solve_operations
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import count, numeral
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

# Contestants of the race, and how each is called here.
_METHODS = {
    "table": "Gauss–Newton, table",
    "compact": "Gauss–Newton, dense products",
    "descent-table": "Gradient descent, table",
    "descent-compact": "Gradient descent, dense products",
    "sgd-table": "SGD, table",
    "adam": "Adam, dense products",
    "l-bfgs": "L-BFGS, dense products",
}
_WIDTH, _DIMENSION = 1 << 12, 64
_OPERATIONS = tuple(float(f"{factor}e{power}") for power in range(6, 11) for factor in (1, 2, 5))
_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_TARGETS = tuple(10.0**-power for power in range(1, 7))
_TARGET = 1e-4  # the training error of which the answer speaks
_LEAST = 1e-8  # an error below is drawn as this
_ALIKE = 1.1  # so many times the least still counts as about as little
_LEARNED = 1e-12  # a training error below ends the training
_TEST_POINTS = 500
# Datapoints trained on, and how far: operations and seconds.
_TRAINED: Mapping[Size, tuple[tuple[int, ...], float, float]] = {
    "quick": ((100,), 2e8, 0.2),
    "default": ((100, 200), 5e8, 0.5),
    "full": ((50, 100, 200, 400, 800), 1e10, 10.0),
}
# Datapoints of the iterations in which the share of the solve is looked at, by m.
_SOLVED: Mapping[Size, Mapping[int, tuple[int, ...]]] = {
    "quick": {1 << 12: (50, 200, 1000)},
    "default": {1 << 12: (50, 100, 200, 500, 1000, 2000, 4000), 1 << 14: (50, 200, 1000)},
    "full": {1 << 12: (50, 100, 200, 500, 1000, 2000, 4000), 1 << 14: (50, 100, 200, 500, 1000, 2000, 4000)},
}
_EXPECTED_WIDTH = 1 << 16  # of the forecast that is drawn beside


def _plan(size: Size, seeds: int) -> list[Task]:
    trained, operations, seconds = _TRAINED[size]
    tasks: list[Task] = [
        {
            "part": "training",
            "method": method,
            "width": _WIDTH,
            "points": points,
            "until_operations": operations,
            "until_seconds": seconds,
            "seed": seed,
        }
        for points in trained
        for method in _METHODS
        for seed in range(seeds)
    ]
    tasks += [
        {
            "part": "solve",
            "method": "table",
            "width": width,
            "points": points,
            "until_operations": 0.0,
            "until_seconds": 0.0,
            "seed": seed,
        }
        for width, numbers in _SOLVED[size].items()
        for points in numbers
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, points = int(task["width"] or 0), int(task["points"] or 0)
    if task["part"] == "solve":
        return 0.02 + width * points * 5e-8 + 4e-11 * points**3
    if task["method"] in ("table", "compact"):  # they end early
        return 0.1 + 2e-3 * points
    pace = 4.5e-9 if task["method"] == "sgd-table" else 7e-10  # many small iterations are slower
    return 0.2 + 2 * max(float(task["until_seconds"] or 0), pace * float(task["until_operations"] or 0))


def _required_bytes(task: Task) -> int:
    from treeviz.race.contestants import CONTESTANTS

    width, points = int(task["width"] or 0), int(task["points"] or 0)
    return CONTESTANTS[str(task["method"])].required_bytes(width, points, _DIMENSION) + 8 * 6 * points**2 + (1 << 28)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.data.catalogue import load_dataset
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestants import CONTESTANTS

    small = CONTESTANTS[str(task["method"])].start(load_dataset("sphere", 8), TrainConfig(width=64))
    for _ in range(2):  # what is done for the first time in a process takes longer
        small.step()
    return _measure_solve(task) if task["part"] == "solve" else _measure_training(task)


def _measure_solve(task: Task) -> dict[str, Value]:
    """Look at the first iteration on random points: how many of its operations are the cube of n."""
    from treeviz.data.catalogue import load_dataset
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestants import CONTESTANTS

    width, points, seed = int(task["width"] or 0), int(task["points"] or 0), int(task["seed"] or 0)
    data = load_dataset("sphere", points, seed, dimension=_DIMENSION)
    lap = CONTESTANTS[str(task["method"])].start(data, TrainConfig(width=width, seed=seed)).step()
    operations = sum(lap.costs.values())
    return {
        "iteration_operations": operations,
        "factor_share": gram_solve_operations(points) / operations,
        "seconds_solve_share": lap.seconds["solve"] / sum(lap.seconds.values()),
    }


def _measure_training(task: Task) -> dict[str, Value]:
    """Train until both budgets are spent or nothing more can be learned; then again, to look at new points on the way.

    Both runs go through the same weights. In the first nothing else takes time.
    """
    from treeviz.data.catalogue import load_split
    from treeviz.model.config import TrainConfig
    from treeviz.race.contestants import CONTESTANTS

    seed, until = int(task["seed"] or 0), (float(task["until_operations"] or 0), float(task["until_seconds"] or 0))
    split = load_split("digits", int(task["points"] or 0), seed, max_test_points=_TEST_POINTS)
    train, test = split.train, split.test
    if test is None:
        raise ValueError(f"with {train.num_points} training points no digit is left to test on")
    begin, config = CONTESTANTS[str(task["method"])].start, TrainConfig(width=int(task["width"] or 0), seed=seed)
    start = perf_counter()
    runner = begin(train, config)
    found: dict[str, Value] = {"operations_build": sum(runner.build_costs.values())}
    found["seconds_build"] = perf_counter() - start
    errors: list[float] = []  # training error of the weights before each iteration
    spent: list[tuple[float, float]] = [(0.0, 0.0)]  # operations and seconds it took to come to them
    while spent[-1][0] < until[0] or spent[-1][1] < until[1]:
        start = perf_counter()
        lap = runner.step()
        spent.append((spent[-1][0] + sum(lap.costs.values()), spent[-1][1] + perf_counter() - start))
        errors.append(2 * lap.loss / train.num_points)
        if lap.stop_reason or errors[-1] <= _LEARNED:
            break
    reached = np.array(spent[: len(errors)])  # (iterations, 2)
    budgets = [("operations", place, budget) for place, budget in enumerate(_OPERATIONS) if budget <= until[0]]
    budgets += [("seconds", place, budget) for place, budget in enumerate(_SECONDS) if budget <= until[1]]
    runner, num_steps, column = begin(train, config), 0, {"operations": 0, "seconds": 1}
    at = {(kind, place): int(np.flatnonzero(reached[:, column[kind]] <= budget)[-1]) for kind, place, budget in budgets}
    for (kind, place), iteration in sorted(at.items(), key=lambda item: item[1]):
        while num_steps < iteration:
            runner.step()
            num_steps += 1
        found[f"{kind}_train_{place}"] = errors[iteration]
        found[f"{kind}_test_{place}"] = float(np.mean((runner.predict(test.X) - test.y) ** 2))
    for place, target in enumerate(_TARGETS):
        for kind, index in column.items():
            low = np.flatnonzero((np.array(errors) <= target) & (reached[:, index] <= until[index]))
            found[f"{kind}_to_{place}"] = float(reached[low[0], index]) if low.size else None
    return found


def _answer(points: "pd.DataFrame") -> Answer:
    training, solved = points[points.part == "training"], points[points.part == "solve"]
    sizes = sorted(int(number) for number in training.points.dropna().unique())
    panels: list[Panel] = []
    for number in sizes:
        rows = training[training.points == number]
        panels += [
            _budget_panel(rows, number, kind, error)
            for kind in ("operations", "seconds")
            for error in ("train", "test")
        ]
        panels += [_target_panel(rows, number, kind) for kind in ("operations", "seconds")]
    shares = _share_panels(solved)
    panels[1:1] = shares[:1]
    panels += shares[1:]
    told = [sentence for number in sizes for sentence in _compare(training[training.points == number], number)]
    words = [*told[:2], *_takeover(solved)]
    fits = tuple(_fits(training, solved))
    remarks = (*told[2:], *_remarks(training))
    return Answer(
        " ".join(words) or "Too few points are measured to compare optimizers.",
        tuple(panels),
        remarks,
        fits,
    )


def _spread(rows: "pd.DataFrame", x: Sequence[float], columns: Sequence[str], low: float = 0.0) -> tuple[Curve, ...]:
    """Return a curve for each method over values that are in columns of their own.

    A run that does not come to a value counts as coming to it later than all others, so a median of these is missing.
    """
    found = []
    for method, name in _METHODS.items():
        own = rows[rows.method == method]
        if own.empty:
            continue
        seeds = own[list(columns)].to_numpy(dtype=float)
        seeds = np.where(np.isnan(seeds), np.nan, np.maximum(seeds, low))
        run = seeds[own.operations_build.notna().to_numpy()]
        median = np.full(len(x), np.nan)
        if len(run):
            middle = np.median(np.where(np.isnan(run), np.inf, run), axis=0)
            median = np.where(np.isfinite(middle), middle, np.nan)
        found.append(Curve(name, list(x), median, seeds))
    return tuple(found)


def _budget_panel(rows: "pd.DataFrame", number: int, kind: str, error: str) -> Panel:
    x = _OPERATIONS if kind == "operations" else _SECONDS
    columns = [f"{kind}_{error}_{place}" for place in range(len(x))]
    is_used = rows[columns].notna().any().to_numpy()
    last = int(np.flatnonzero(is_used)[-1]) + 1 if is_used.any() else 0
    whose, where = ("training", f", {numeral(_LEAST, 1)} where it is below") if error == "train" else ("new", "")
    return Panel(
        title=f"Error on {whose} points at equal {'operations' if kind == 'operations' else 'time'}, n = {number}",
        x_title="operations spent" if kind == "operations" else "seconds spent",
        y_title=f"mean squared error{where}",
        curves=_spread(rows, x[:last], columns[:last], _LEAST) if last else (),
        log_x=True,
        log_y=True,
    )


def _target_panel(rows: "pd.DataFrame", number: int, kind: str) -> Panel:
    what = "operations" if kind == "operations" else "seconds"
    return Panel(
        title=f"{what.capitalize()} to come to a training error, n = {number}",
        x_title="mean squared error to come to",
        y_title=what,
        curves=_spread(rows, _TARGETS[::-1], [f"{kind}_to_{place}" for place in range(len(_TARGETS))][::-1]),
        log_x=True,
        log_y=True,
    )


def _share_panels(solved: "pd.DataFrame") -> list[Panel]:
    """How much of an iteration is the cube of n, in operations; and the whole solve, in time."""
    if solved.empty:
        return []
    x = sorted(float(number) for number in solved.points.unique())
    panels = []
    for column, title, y_title in (
        ("factor_share", "Share of n³ in an iteration of Gauss–Newton", "share of the operations"),
        ("seconds_solve_share", "Share of the solve in the time of an iteration of Gauss–Newton", "share of the time"),
    ):
        curves = list(curves_of(solved, "points", column, by="width", names=_solve_title))
        if column == "factor_share" and len(x) > 1:
            numbers = np.unique(np.geomspace(x[0], x[-1], 24).round())
            shares = np.array([_expected_share(_EXPECTED_WIDTH, int(number)) for number in numbers])
            curves.append(formula(f"m = {_EXPECTED_WIDTH:,}, by the formulas", numbers.tolist(), shares))
        panels.append(Panel(title=title, x_title="datapoints n", y_title=y_title, curves=tuple(curves), log_x=True))
    return panels


def _solve_title(width: object) -> str:
    return f"m = {int(float(str(width))):,}, table"


def _expected_share(width: int, points: int) -> float:
    """Return the share of the cube by the race's formulas, for datapoints at right angles to each other."""
    from treeviz.model.infinite_width import Activity
    from treeviz.race.contestant import Workload
    from treeviz.race.contestants import CONTESTANTS

    p = firing_probability(paper_threshold(width))
    touched, pairs = width * (1 - (1 - p) ** points), width * points * p
    activity = Activity(touched, pairs, pairs + width * points * (points - 1) * p**2)
    load = Workload(width, points, _DIMENSION, activity, touched, 1, touched, 0.0, 8, 0.0)
    predicted = CONTESTANTS["table"].forecast(load)
    return gram_solve_operations(points) / (predicted.total(1) - sum(predicted.build.values()))


def _medians(rows: "pd.DataFrame", column: str, *, missing: float) -> dict[str, float]:
    """Return the median of each method that is measured, the least first; what is missing in a run counts as given."""
    at = {}
    for method, own in rows.groupby("method", sort=False):
        run = own[own.operations_build.notna()]
        if not run.empty:
            at[str(method)] = float(run[column].fillna(missing).median())
    return dict(sorted(at.items(), key=lambda pair: pair[1]))


def _compare(rows: "pd.DataFrame", number: int) -> list[str]:
    """Return what comes to a small training error first, and what does best on new points at equal operations."""
    place = _TARGETS.index(_TARGET)
    found = []
    firsts = []
    for kind in ("operations", "seconds"):
        at = _medians(rows, f"{kind}_to_{place}", missing=math.inf)
        ended = [method for method, value in at.items() if math.isfinite(value)]
        if len(at) < 2:
            return []
        if not ended:
            firsts.append(f"none of the {len(at)} does so within the budget of {kind}")
        else:
            firsts.append(_first(rows, f"{kind}_to_{place}", ended, at, kind))
    found.append(f"To come to a training error of {numeral(_TARGET, 1)} on {number} digits: {'; '.join(firsts)}.")
    for kind, budgets in (("operations", _OPERATIONS), ("seconds", _SECONDS)):
        spent = [place for place in range(len(budgets)) if rows[f"{kind}_test_{place}"].notna().any()]
        if not spent:
            continue
        at = _medians(rows, f"{kind}_test_{spent[-1]}", missing=math.inf)
        best = next(iter(at))
        column = f"{kind}_test_{spent[-1]}"
        own = ""
        if best != "table" and "table" in at:
            less = _less_often(rows, column, best, "table")
            own = f"; “{_METHODS['table']}” has {numeral(at['table'], 2)}, more {less}"
        found.append(
            f"After {numeral(budgets[spent[-1]], 2)} {kind} of training on {number} digits “{_METHODS[best]}” has the "
            f"least error on new ones of those tried, {numeral(at[best], 2)}{own}."
        )
    return found


def _first(rows: "pd.DataFrame", column: str, ended: Sequence[str], at: Mapping[str, float], kind: str) -> str:
    """Say which method needs the least, and of methods that need about as much that they do."""
    best = ended[0]
    alike = [method for method in ended[1:] if at[method] <= _ALIKE * at[best]]
    if alike:
        names = join_words([f"“{_METHODS[method]}”" for method in (best, *alike)])
        return f"{names} need about equally few {kind}, {numeral(at[best], 2)} to {numeral(at[alike[-1]], 2)}"
    second = ""
    if len(ended) > 1:
        less = _less_often(rows, column, best, ended[1])
        second = f", next is “{_METHODS[ended[1]]}” with {numeral(at[ended[1]], 2)}, more {less}"
    return f"“{_METHODS[best]}” needs the fewest {kind}, {numeral(at[best], 2)}{second}"


def _less_often(rows: "pd.DataFrame", column: str, best: str, other: str) -> str:
    """Say on how many seeds a method needs or has less than another; one that does not come so far has most."""
    first, second = (rows[rows.method == method].set_index("seed") for method in (best, other))
    both = first.operations_build.dropna().index.intersection(second.operations_build.dropna().index)
    values = [of[column][both].fillna(math.inf) for of in (first, second)]
    return f"on {int((values[0] < values[1]).sum())} of {count(len(both), 'seed')}"


def _takeover(solved: "pd.DataFrame") -> list[str]:
    """Say for each width how the share of the cube goes with n, and where it passes half."""
    told = []
    for width, rows in solved.groupby("width"):
        shares = rows.groupby("points").factor_share.median().dropna()
        if shares.size < 2:
            continue
        first, last = shares.index[0], shares.index[-1]
        text = (
            f"{percent(float(shares[first]))} with n = {int(first):,} and {percent(float(shares[last]))} with "
            f"n = {int(last):,} at m = {int(width):,}"
        )
        above, below = shares.index[shares > 0.5], shares.index[shares <= 0.5]
        if not above.size:
            told.append(f"{text}, where it does not take over")
        elif not below.size:
            told.append(f"{text}, always more than half")
        else:
            told.append(f"{text}, more than half from between n = {int(below[-1]):,} and {int(above[0]):,} on")
    return [f"Of the operations of a Gauss–Newton iteration the n³ of its solve is {'; '.join(told)}."] if told else []


def _remarks(training: "pd.DataFrame") -> list[str]:
    found = []
    place = _TARGETS.index(_TARGET)
    run = training[training.operations_build.notna()]
    for number, rows in run.groupby("points"):
        missed = {
            method: int(own[f"operations_to_{place}"].isna().sum())
            for method, own in rows.groupby("method", sort=False)
        }
        listed = ", ".join(f"“{_METHODS[method]}” in {times}" for method, times in missed.items() if times)
        if listed:
            found.append(
                f"With {int(number)} digits these do not come to a training error of {numeral(_TARGET, 1)} within "
                f"{numeral(float(rows.until_operations.max()), 2)} operations: {listed} of "
                f"{count(int(rows.seed.nunique()), 'seed')}."
            )
    if not run.empty:
        found.append(
            f"Numbers are medians of the seeds. Building and drawing are left out: {_building(run)}. Times are of this "
            "machine, in one thread."
        )
    return found


def _building(run: "pd.DataFrame") -> str:
    """Say what building takes with the cheapest method and the dearest."""
    at = run.groupby(["points", "method"]).operations_build.median()
    return f"building takes {span(numeral(float(at.min()), 3), numeral(float(at.max()), 3))} operations"


def _fits(training: "pd.DataFrame", solved: "pd.DataFrame") -> list[Fit]:
    place = _TARGETS.index(_TARGET)
    found = [
        median_of(
            f"{_METHODS[method]}, n = {int(number)}: operations to an error of {numeral(_TARGET, 1)}, if reached",
            rows[f"operations_to_{place}"],
        )
        for (number, method), rows in training.groupby(["points", "method"], sort=False)
    ]
    found += [
        median_of(f"share of n³ at m = {int(width):,}, n = {int(number):,}", rows.factor_share)
        for (width, number), rows in solved.groupby(["width", "points"])
    ]
    return found


def _budget_columns() -> dict[str, Column]:
    found = {}
    for kind, budgets, unit in (("operations", _OPERATIONS, "operations"), ("seconds", _SECONDS, "seconds")):
        for place, budget in enumerate(budgets):
            for error, whose in (("train", "the training points"), ("test", "new points")):
                found[f"{kind}_{error}_{place}"] = Column(
                    float, f"mean squared error on {whose} of the last weights reached with {numeral(budget, 1)} {unit}"
                )
        for place, target in enumerate(_TARGETS):
            found[f"{kind}_to_{place}"] = Column(
                float,
                f"{unit} to the first weights with a training error of {numeral(target, 1)}; missing if none",
            )
    return found


EXPERIMENT = Experiment(
    key="optimizer",
    order=7,
    title="Which optimizer?",
    question="Which optimizer learns most for the same operations and the same time, and when does n³ take over?",
    varied="The optimizer, the number of training points n, the budget in operations or seconds, and the seed of "
    "weights and choice of digits; for the share of n³ the width m and n.",
    fixed=f"Handwritten digits, odd or even, m = {_WIDTH:,}, the paper's threshold; new points are {_TEST_POINTS} "
    "digits that training leaves out. The step of gradient descent and SGD is 1 over the largest curvature, "
    "mini-batches have 8 points, Adam's step size is 0.03. The share of n³ is that of the first iteration on random "
    f"points on the unit sphere in {_DIMENSION} dimensions, with the compact table.",
    columns={
        "part": Column(str, "training: errors along the way; solve: the share of n³ in an iteration"),
        "method": Column(str, "contestant of the race"),
        "width": Column(int, "neurons m"),
        "points": Column(int, "training points n"),
        "until_operations": Column(float, "operations after which training may end"),
        "until_seconds": Column(float, "seconds after which training may end, if the operations are spent, too"),
        "seed": Column(int, "of weights and data"),
        "operations_build": Column(float, "operations of building, drawing left out"),
        "seconds_build": Column(float, "seconds of building and drawing"),
        **_budget_columns(),
        "iteration_operations": Column(float, "operations of the first iteration"),
        "factor_share": Column(float, "share of the operations that are the n³ / 3 + n² of the factorization"),
        "seconds_solve_share": Column(float, "share of the time that is the solve, forming the Gram matrix included"),
    },
    seeds={"quick": 2, "default": 3, "full": 5},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
