"""Is the sketch worth it? Conjugate gradient with and without it, beside the exact solve, on easy and hard data."""

import math
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Panel, curves_of
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import fit_exponent, median_of
from treeviz.lab.wording import span
from treeviz.model.numerals import count, numeral
from treeviz.model.types import Floats

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset
    from treeviz.model.ledger import Ledger
    from treeviz.solve.jacobian import SparseJacobian

_WIDTH, _DIMENSION = 1 << 12, 64
_APART, _POINTS, _ROWS, _TOLERANCE = 1.0, 200, 8, 1e-12
_MOST_ITERATIONS = 500  # of conjugate gradient, with the sketch and without
_AXES: Mapping[Size, Mapping[str, tuple[float, ...]]] = {
    "quick": {
        "apart": (1.0, 1e-2, 1e-4),
        "rows": (2, 8, 32),
        "tolerance": (1e-2, 1e-6, 1e-12),
        "points": (50, 200, 400),
    },
    "default": {
        "apart": (1.0, 1e-1, 1e-2, 1e-3, 1e-4),
        "rows": (2, 4, 8, 16, 32),
        "tolerance": (1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12),
        "points": (50, 100, 200, 400, 800),
    },
    "full": {
        "apart": tuple(10.0 ** (-power / 2) for power in range(11)),
        "rows": (2, 3, 4, 6, 8, 12, 16, 24, 32, 64),
        "tolerance": tuple(10.0**-power for power in range(1, 13)),
        "points": (25, 50, 100, 200, 400, 800, 1600),
    },
}
_HARD = 1e-3  # how far apart near-duplicates are where something else is varied
_DIGITS = "digits"
_MOST_DIGITS = 400  # but in the full size: with more, their system alone would take as long as all others
_SOLVERS = {
    "exact": "Exact solve (Cholesky)",
    "plain": "Conjugate gradient without a sketch",
    "sketch": "Sketch, {rows} rows a datapoint",
}
_TRAINED_ITERATIONS, _UNTIL_LOSS = 40, 1e-6


def _plan(size: Size, seeds: int) -> list[Task]:
    axes = _AXES[size]
    numbers = dict.fromkeys((_POINTS, *map(int, axes["points"])))
    apart = [(_POINTS, apart) for apart in axes["apart"]]
    more = [(int(n), apart) for apart in (_APART, _HARD) for n in axes["points"]]
    digits = [(n, None) for n in numbers if size == "full" or n <= _MOST_DIGITS]
    data: list[tuple[int, float | None]] = [*apart, *more, *digits]
    sketched = [
        *((*pair, rows, _TOLERANCE) for pair in apart for rows in (2, _ROWS, 32)),
        *((_POINTS, apart, int(rows), _TOLERANCE) for apart in (_APART, _HARD) for rows in axes["rows"]),
        *((_POINTS, apart, _ROWS, tolerance) for apart in (_APART, _HARD) for tolerance in axes["tolerance"]),
        *((*pair, _ROWS, _TOLERANCE) for pair in (*more, *digits)),
    ]
    settings = [
        *(("solve", "sketch", *setting) for setting in dict.fromkeys(sketched)),
        *(("solve", solver, *pair, 0, 0.0) for solver in ("exact", "plain") for pair in dict.fromkeys(data)),
        *(("training", "sketch", _POINTS, _APART, _ROWS, tolerance) for tolerance in axes["tolerance"]),
        ("training", "exact", _POINTS, _APART, 0, 0.0),
    ]
    tasks: list[Task] = [
        {
            "part": part,
            "data": "digits" if apart is None else "sphere",
            "solver": solver,
            "points": points,
            "apart": apart,
            "rows": rows,
            "tolerance": tolerance,
            "seed": seed,
        }
        for part, solver, points, apart, rows, tolerance in settings
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    points, rows, solver = int(task["points"] or 0), int(task["rows"] or 0), task["solver"]
    product = 4e-5 + points * 4e-6  # of one product with G
    iterations = {"exact": 0, "plain": 20 if task["apart"] == _APART else 300, "sketch": 30}[str(solver)]
    once = 0.01 + iterations * product + rows * points * 4e-6 + (rows + 1) * points**3 * 1e-10
    return once * (4 if task["part"] == "training" else 2)


def _required_bytes(task: Task) -> int:
    points, rows = int(task["points"] or 0), int(task["rows"] or 0)
    return 8 * (_WIDTH * (_DIMENSION + 2 * points) + (4 * rows + 8) * points**2) + (1 << 26)


def _data(task: Task) -> "Dataset":
    """Return digits, random points, or pairs of these that lie the given distance apart, about."""
    from treeviz.data.catalogue import load_dataset
    from treeviz.data.dataset import Dataset

    points, apart = int(task["points"] or 0), float(task["apart"] or 0)
    if task["data"] == "digits":
        return load_dataset("digits", points, int(task["seed"] or 0))
    data = load_dataset("sphere", points, int(task["seed"] or 0), dimension=_DIMENSION)
    if apart == _APART:
        return data
    X, half = data.X.copy(), points // 2
    X[half : 2 * half] = X[:half] + apart * X[half : 2 * half]
    return Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), data.y)


def _measure(task: Task) -> dict[str, Value]:
    return _measure_training(task) if task["part"] == "training" else _measure_solve(task)


def _measure_training(task: Task) -> dict[str, Value]:
    from treeviz.model.config import TrainConfig
    from treeviz.training.trainer import Trainer

    config = TrainConfig(width=_WIDTH, seed=int(task["seed"] or 0), search="table", solver=str(task["solver"]))
    if config.solver == "sketch":
        rows, tolerance = int(task["rows"] or 0), float(task["tolerance"] or 0)
        config = replace(config, sketch_factor=rows, tolerance=tolerance)
    records = Trainer(_data(task), config).run(_TRAINED_ITERATIONS, until_loss=_UNTIL_LOSS).records
    return {
        "training_iterations": len(records) if records[-1].loss <= _UNTIL_LOSS else None,
        "iterations": sum(record.solve.iterations for record in records),
        "operations": sum(sum(record.costs[phase] for phase in record.costs) for record in records),
    }


def _first_system(task: Task) -> tuple["SparseJacobian", Floats]:
    """Return the Jacobian and the residual of a fresh network."""
    from treeviz.model.firing import FiringSets, outputs_from_pairs
    from treeviz.model.network import WholeNetwork, paper_threshold
    from treeviz.solve.jacobian import SparseJacobian

    data, threshold = _data(task), paper_threshold(_WIDTH)
    network = WholeNetwork(data.X, int(task["seed"] or 0), _WIDTH)
    products = network.weights() @ data.X.T
    neurons, fires = np.nonzero(products >= threshold)
    firing = FiringSets.from_pairs(neurons, fires, data.num_points)
    outputs = outputs_from_pairs(firing, products[neurons, fires], np.asarray(network.signs), threshold)
    return SparseJacobian(firing, data.X, _WIDTH), outputs - data.y


def _measure_solve(task: Task) -> dict[str, Value]:
    from treeviz.model.ledger import Ledger
    from treeviz.model.streams import Stream, random_stream
    from treeviz.solve.exact import solve_exact
    from treeviz.solve.jacobian import gram_matrix
    from treeviz.solve.sketched import solve_sketched

    jacobian, residual = _first_system(task)
    solver, rows, tolerance = str(task["solver"]), int(task["rows"] or 0), float(task["tolerance"] or 0)

    def solve() -> tuple[Floats, int, float | None, Ledger]:
        ledger = Ledger()
        if solver == "plain":
            return *_plain(jacobian, residual, ledger), None, ledger
        if solver == "exact":
            return solve_exact(jacobian, residual, ledger).dual, 0, None, ledger
        generator = random_stream(int(task["seed"] or 0), Stream.SKETCHES, 0)
        solution = solve_sketched(jacobian, residual, ledger, generator, sketch_factor=rows, tolerance=tolerance)
        return solution.dual, solution.report.iterations, solution.report.preconditioned_conditioning, ledger

    solve()  # what is done for the first time in a process takes longer
    start = perf_counter()
    dual, iterations, met, ledger = solve()
    seconds = perf_counter() - start
    gram = gram_matrix(jacobian)
    eigenvalues = np.linalg.eigvalsh(gram)
    return {
        "iterations": iterations,
        "conditioning": float(eigenvalues[-1] / eigenvalues[0]) if eigenvalues[0] > 0 else None,
        "conditioning_met": met,
        "left": float(np.linalg.norm(gram @ dual - residual) / np.linalg.norm(residual)),
        "operations": sum(ledger.costs.values()),
        "seconds": seconds,
    }


def _plain(jacobian: "SparseJacobian", residual: Floats, ledger: "Ledger") -> tuple[Floats, int]:
    """Solve by conjugate gradient as it is, without a preconditioner, charged by the rules of the sketched solve."""
    from scipy.sparse.linalg import LinearOperator, cg

    from treeviz.model.ledger import gram_product_operations

    num_points, num_iterations = residual.size, 0

    def tell(_: Floats) -> None:
        nonlocal num_iterations
        num_iterations += 1

    operator = LinearOperator((num_points, num_points), matvec=jacobian.gram_product, dtype=np.float64)
    dual, _ = cg(operator, residual, rtol=_TOLERANCE, atol=0.0, maxiter=_MOST_ITERATIONS, callback=tell)
    product = gram_product_operations(jacobian.num_pairs, num_points, jacobian.X.shape[1])
    ledger.post("jacobian", jacobian.num_pairs)
    ledger.post("solve", (num_iterations + 1) * (product + 5 * num_points))
    return np.asarray(dual), num_iterations


def _answer(points: "pd.DataFrame") -> Answer:
    points = points.assign(
        name=[_SOLVERS[solver].format(rows=int(rows)) for solver, rows in zip(points.solver, points.rows, strict=True)],
        kind=list(map(_kind, points.apart)),
    )
    solved, trained = points[points.part == "solve"], points[points.part == "training"]
    made = solved[solved.data == "sphere"]
    words = [*_conditioned(made), *_worth(solved)]
    return Answer(
        " ".join(words) or "Too few points are measured to compare the solvers.",
        _panels(solved, trained),
        tuple(_remarks(solved, trained)),
        tuple(_fits(made)),
    )


def _kind(apart: float) -> str:
    """Return what data are called by the distance of their pairs, which digits have none of."""
    if math.isnan(apart):
        return _DIGITS
    return "random points" if apart == _APART else f"pairs {numeral(apart, 2)} apart"


def _usual(rows: "pd.DataFrame", but: str = "") -> "pd.DataFrame":
    """Return the points where rows, tolerance and n have their usual values, but for one; of other solvers all rows."""
    keep = np.ones(len(rows), dtype=bool)
    for name, value in (("rows", _ROWS), ("tolerance", _TOLERANCE), ("points", _POINTS)):
        if name != but:
            keep &= (rows[name] == value) | ((name != "points") & (rows.solver != "sketch"))
    return rows[keep]


def _conditioned(made: "pd.DataFrame") -> list[str]:
    """Say how the iterations go as pairs of points come closer, with the sketch and without."""
    by_solver = _usual(made).pivot_table(index="apart", columns="solver", values="iterations", aggfunc="median")
    at = by_solver.reindex(columns=["sketch", "plain"]).dropna().sort_index(ascending=False)
    if len(at) < 2:
        return []
    condition = made[made.points == _POINTS].groupby("apart").conditioning.median()
    first, last = at.index[0], at.index[-1]
    low, high = at.sketch.min(), at.sketch.max()
    does = "however close points lie," if high <= 1.25 * low else "more on some data than on others,"
    grows = at.plain[last] > 2 * at.plain[first]
    return [
        f"With a sketch of {_ROWS} rows a datapoint conjugate gradient takes "
        f"{span(numeral(low, 3), numeral(high, 3))} iterations, {does} though the condition number of the system "
        f"goes from {numeral(condition.get(first, math.nan), 2)} on {_called(first)} to "
        f"{numeral(condition.get(last, math.nan), 2)} with {_called(last)}. Without a sketch it takes "
        f"{_iterations(at.plain[first])} on the former and {_iterations(at.plain[last])} on the latter, so close "
        f"points are {'hard' if grows else 'no harder'} without it."
    ]


def _called(apart: float) -> str:
    return "random points" if apart == _APART else f"pairs of points {numeral(apart, 2)} apart"


def _iterations(number: float) -> str:
    return f"{_MOST_ITERATIONS} without an end" if number >= _MOST_ITERATIONS else numeral(number, 3)


def _ratios(solved: "pd.DataFrame", column: str, other: str = "exact") -> dict[tuple[int, str], float]:
    """Return by n and kind of data how many times the cost of another solver the usual sketch takes."""
    costs = _usual(solved, "points").groupby(["solver", "points", "kind"])[column].median()
    both = costs.unstack("solver").reindex(columns=["sketch", other]).dropna()
    return {(int(n), str(kind)): float(costs.sketch / costs[other]) for (n, kind), costs in both.iterrows()}


def _worth(solved: "pd.DataFrame") -> list[str]:
    ratios = _ratios(solved, "operations")
    if not ratios:
        return []
    cheaper = sum(ratio < 1 for ratio in ratios.values())
    times = span(numeral(min(ratios.values()), 2), numeral(max(ratios.values()), 2))
    verdict = (
        "the sketch is not worth it on any of these data"
        if not cheaper
        else "the sketch is worth it on all of these data"
        if cheaper == len(ratios)
        else f"the sketch is worth it in {cheaper} of them"
    )
    numbers = [n for n, _ in ratios]
    sizes = f"n = {min(numbers):,} to {max(numbers):,}" if len(set(numbers)) > 1 else f"n = {numbers[0]:,}"
    kinds = "random points, close pairs and digits" if any(kind == _DIGITS for _, kind in ratios) else "these points"
    return [
        f"On {kinds}, {sizes}, the exact solve takes fewer operations in {len(ratios) - cheaper} of "
        f"{count(len(ratios), 'setting')}; the sketch takes {times} times as many: {verdict}."
    ]


def _remarks(solved: "pd.DataFrame", trained: "pd.DataFrame") -> list[str]:
    found = []
    times = _ratios(solved, "seconds")
    if times:
        quicker = sum(ratio < 1 for ratio in times.values())
        found.append(
            f"In time, on this machine and in one thread, the sketch takes {numeral(min(times.values()), 2)} to "
            f"{numeral(max(times.values()), 2)} times as long as the exact solve, and less in {quicker} of "
            f"{count(len(times), 'setting')}."
        )
    alone = {kind: ratio for (n, kind), ratio in _ratios(solved, "operations", "plain").items() if n == _POINTS}
    if len(alone) > 1:
        least, most = min(alone, key=lambda kind: alone[kind]), max(alone, key=lambda kind: alone[kind])
        found.append(
            f"Against conjugate gradient without one, at n = {_POINTS}, the sketch takes {numeral(alone[most], 2)} "
            f"times the operations with {most}, and {numeral(alone[least], 2)} times with {least}."
        )
    found += _of_digits(solved)
    made = solved[solved.data == "sphere"]
    by_number = {n: ratio for (n, kind), ratio in _ratios(made, "operations").items() if kind == _kind(_APART)}
    if len(by_number) > 1:
        first, last = min(by_number), max(by_number)
        found.append(
            f"On random points the sketch takes {numeral(by_number[first], 2)} times the operations of the exact "
            f"solve at n = {first:,} and {numeral(by_number[last], 2)} times at n = {last:,}. To factor its matrix "
            f"takes the exact solve n³/3 operations; to factor a sketch of {_ROWS} rows a datapoint alone takes "
            f"{3 * _ROWS - 1} times that."
        )
    easy = _usual(solved[(solved.solver == "sketch") & (solved.apart == _APART)], "rows")
    at = easy.groupby("rows")[["iterations", "operations", "conditioning_met"]].median().dropna()
    if len(at) > 1:
        best = at.operations.idxmin()
        found.append(
            f"From {int(at.index[0])} to {int(at.index[-1])} rows a datapoint the iterations go from "
            f"{numeral(at.iterations.iloc[0], 2)} to {numeral(at.iterations.iloc[-1], 2)}, for the condition number "
            f"that they meet goes from {numeral(at.conditioning_met.iloc[0], 2)} to "
            f"{numeral(at.conditioning_met.iloc[-1], 2)}. The fewest operations are taken with {int(best)} rows."
        )
    exact = trained[trained.solver == "exact"].training_iterations
    rough = trained[trained.solver == "sketch"].groupby("tolerance").training_iterations.median().dropna()
    if exact.notna().any() and len(rough):
        same = [tolerance for tolerance, number in rough.items() if number <= exact.median()]
        told = (
            f"a tolerance of {numeral(max(same), 2)} is enough for as few" if same else "no tolerance tried is enough"
        )
        found.append(
            f"To a loss of {numeral(_UNTIL_LOSS, 1)} training on random points takes {numeral(exact.median(), 3)} "
            f"iterations with the exact solve; {told}."
        )
    hard = made[(made.apart == made.apart.min()) & (made.points == _POINTS)]
    at = _usual(hard).groupby("solver").left.median().dropna()
    if "exact" in at:
        beside = f", and the sketch {numeral(at['sketch'], 2)}" if "sketch" in at else ""
        found.append(
            f"With {_called(float(hard.apart.iloc[0]))} the exact solve leaves {numeral(at['exact'], 2)} of the "
            f"residual{beside}."
        )
    loose = made[(made.solver == "sketch") & (made.rows == _ROWS) & (made.apart == _HARD) & (made.points == _POINTS)]
    at = loose.groupby("tolerance").left.median().dropna()
    if len(at) and at.iloc[-1] > 2 * at.index[-1]:
        found.append(
            f"The tolerance is that of the system that the sketch has made easy, not of the residual: with "
            f"{_called(_HARD)} and a tolerance of {numeral(at.index[-1], 2)} what is left is "
            f"{numeral(at.iloc[-1], 2)} times the residual."
        )
    found.append("Numbers are medians of the seeds.")
    return found


def _of_digits(solved: "pd.DataFrame") -> list[str]:
    """Say how hard the system of digits is, with the sketch and without."""
    rows = solved[(solved.data == "digits") & (solved.points == _POINTS)]
    at = rows.groupby("solver").iterations.median().dropna()
    if not {"sketch", "plain"} <= set(at.index):
        return []
    return [
        f"On {_POINTS} digits the condition number is {numeral(rows.conditioning.median(), 2)}; conjugate gradient "
        f"takes {_iterations(at['sketch'])} iterations with the sketch and {_iterations(at['plain'])} without."
    ]


def _fits(made: "pd.DataFrame") -> list[Fit]:
    found = [
        fit_exponent(f"{name}: operations of a solve on random points, exponent of n", own.points, own.operations)
        for name, own in _usual(made[made.apart == _APART], "points").groupby("name", sort=False)
    ]
    iterative = _usual(made[made.solver != "exact"])
    found += [
        median_of(f"{name}, {_called(float(apart))}: iterations", own.iterations)
        for (name, apart), own in iterative.groupby(["name", "apart"])
    ]
    return found


def _panels(solved: "pd.DataFrame", trained: "pd.DataFrame") -> tuple[Panel, ...]:
    import pandas as pd

    x_titles = {
        "apart": "distance of the closest points, about; 1: random points",
        "rows": "rows of the sketch a datapoint",
        "tolerance": "relative residual at which conjugate gradient stops",
        "points": "datapoints n",
    }
    y_titles = {
        "iterations": "iterations of conjugate gradient",
        "operations": "operations of a solve",
        "conditioning": "condition number",
        "left": "share of the residual that is left",
        "seconds": "seconds of a solve",
        "training_iterations": f"iterations to a loss of {numeral(_UNTIL_LOSS, 1)}",
    }

    def draw(title: str, rows: "pd.DataFrame", x: str, y: str, by: str = "name") -> Panel:
        log_y = x in ("apart", "points") or y == "left"
        curves = curves_of(rows, x, y, by=by)
        return Panel(title=title, x_title=x_titles[x], y_title=y_titles[y], curves=curves, log_x=True, log_y=log_y)

    made = solved[solved.data == "sphere"]
    is_sketch, some = made.solver == "sketch", made.apart.isin((_APART, _HARD))
    shown = ~is_sketch | ((made.tolerance == _TOLERANCE) & made.rows.isin((2, _ROWS, 32)))
    by_distance = made[(made.points == _POINTS) & shown]
    iterative = by_distance[by_distance.solver != "exact"]
    usual = _usual(by_distance)
    conditions = pd.concat(
        [
            usual[usual.solver == "exact"].assign(name="of the system"),
            usual[usual.solver == "sketch"].assign(
                name=f"met after a sketch of {_ROWS} rows", conditioning=usual.conditioning_met
            ),
        ]
    )
    by_rows, by_tolerance = (_usual(made[is_sketch & some], axis) for axis in ("rows", "tolerance"))
    by_number = _usual(made[some], "points")
    by_number = by_number.assign(name=by_number.name + ", " + by_number.kind)
    digits, sketched = _usual(solved[solved.data == "digits"], "points"), trained[trained.solver == "sketch"]
    return (
        draw("Iterations against how close points lie", iterative, "apart", "iterations"),
        draw("Operations of a solve against how close points lie", by_distance, "apart", "operations"),
        draw(
            "Condition numbers: of the system, and as conjugate gradient meets it", conditions, "apart", "conditioning"
        ),
        draw("Iterations against the rows", by_rows, "rows", "iterations", "kind"),
        draw("Operations against the rows", by_rows, "rows", "operations", "kind"),
        draw("Iterations against the tolerance", by_tolerance, "tolerance", "iterations", "kind"),
        draw("What the solve leaves, against the tolerance", by_tolerance, "tolerance", "left", "kind"),
        draw("Operations of a solve against n", by_number, "points", "operations"),
        draw("Operations of a solve against n, digits", digits, "points", "operations"),
        draw("Seconds of a solve against n", by_number, "points", "seconds"),
        draw("Training: iterations against the tolerance", sketched, "tolerance", "training_iterations"),
    )


EXPERIMENT = Experiment(
    key="sketch",
    order=5,
    title="Is the sketch worth it?",
    question="Is the system of a Gauss–Newton step better solved by a sketch and iterations, or exactly?",
    varied="The solver; the data, and how close pairs of points lie; the rows of the sketch; the tolerance; the "
    "number of datapoints n; and the seed of points, weights and sketch.",
    fixed=f"The first Gauss–Newton system of a network with m = {_WIDTH:,} and the paper's threshold, on {_POINTS} "
    f"random points on the unit sphere in {_DIMENSION} dimensions, on pairs of such points that lie close together, or "
    f"on handwritten digits; {_ROWS} rows a datapoint and a tolerance of {numeral(_TOLERANCE, 1)}, unless they are "
    "varied; conjugate gradient stops "
    f"after {_MOST_ITERATIONS} iterations. Training goes on for {_TRAINED_ITERATIONS} iterations at most.",
    columns={
        "part": Column(str, "solve: one system; training: until the loss is small"),
        "data": Column(str, "sphere: random points, or pairs of them; digits"),
        "solver": Column(str, "exact: Cholesky; plain: conjugate gradient alone; sketch: with a sketch before it"),
        "points": Column(int, "datapoints n"),
        "apart": Column(
            float, "distance of the points of a pair, about; 1 for random points without pairs, none for digits"
        ),
        "rows": Column(int, "rows of the sketch a datapoint; 0 without one"),
        "tolerance": Column(float, "relative residual at which the sketched solve stops; 0 for the other solvers"),
        "seed": Column(int, "of points, weights and sketch"),
        "iterations": Column(int, "iterations of conjugate gradient; in training of all systems together"),
        "conditioning": Column(float, "condition number of the system; missing if it is singular"),
        "conditioning_met": Column(float, "condition number that conjugate gradient meets after the sketch"),
        "left": Column(float, "share of the residual that the solution leaves"),
        "operations": Column(float, "operations of the solve; in training of all iterations"),
        "training_iterations": Column(
            int, f"iterations to a loss of {numeral(_UNTIL_LOSS, 1)}; missing if it is not reached"
        ),
        "seconds": Column(float, "seconds of the solve, the second time that it is done"),
    },
    seeds={"quick": 2, "default": 5, "full": 10},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
