"""What if? Another activation, initialization, step or angle of the closest points, one changed at a time."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from treeviz.export.columns import Column
from treeviz.lab.curves import Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Size, Task, Value
from treeviz.lab.shares import share_of_seeds
from treeviz.lab.statistics import median_of
from treeviz.model.network import paper_threshold
from treeviz.model.numerals import count, numeral
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset
    from treeviz.training.trainer import Trainer

_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 300
# The data by name: what they are called, and how `load_dataset` makes them; the planar ones have two coordinates.
_DATA: Mapping[str, tuple[str, str, int, dict[str, Any]]] = {
    "moons": ("moons", "moons", 32, {}),
    "spirals": ("spirals", "spirals", 32, {}),
    "xor": ("xor", "xor", 32, {}),
    "circle": ("circle", "circle", 20, {}),
    "sphere": ("sphere", "sphere", 32, {"dimension": 16}),
    "digits": ("digits", "digits", 50, {}),
}
_PLANAR = ("moons", "spirals", "xor", "circle")
_FEW = ("moons", "sphere", "digits")  # where not all are tried
_ACTIVATIONS = {"shifted": "the paper's b", "relu": "b = 0 (plain ReLU)", "clipped": "max(z, b)"}
_INITIALIZATIONS = {
    "normal": "N(0, 1), the paper's",
    "half": "half as long",
    "double": "twice as long",
    "sphere": "all of one length",
    "coins": "of −1 and +1 alone",
    "mirrored": "in pairs that cancel",
}
_THRESHOLDS = {"shifted": "the paper's b", "relu": "b = 0 (plain ReLU)"}
_STEPS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75)
_ANGLES: Mapping[Size, Sequence[float]] = {
    "quick": (10.0, 1.0, 0.1, 0.01),
    "default": (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001),
    "full": (60.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001),
}
# The width where the activation is changed, and elsewhere.
_WIDTHS: Mapping[Size, tuple[int, int]] = {"quick": (4096, 2048), "default": (65_536, 4096), "full": (65_536, 65_536)}
_CLOSE_POINTS, _CLOSE_DIMENSION = 32, 16
_CHANCE = 0.05  # a difference that chance makes more often is none
_NEARLY = 1.1  # so many times the fewest iterations still count as the fewest


def _plan(size: Size, seeds: int) -> list[Task]:
    wide, narrow = _WIDTHS[size]
    places: list[tuple[str, str, float, str, int]] = [
        *(("activation", activation, 0.0, data, wide) for activation in _ACTIVATIONS for data in _DATA),
        *(("initialization", name, 0.0, data, narrow) for name in _INITIALIZATIONS for data in _FEW),
        *(("step", "step", step, data, narrow) for step in _STEPS for data in _FEW),
        *(("angle", threshold, angle, "close", narrow) for threshold in _THRESHOLDS for angle in _ANGLES[size]),
    ]
    tasks: list[Task] = [
        {"changed": changed, "setting": setting, "number": number, "data": data, "width": width, "seed": seed}
        for changed, setting, number, data, width in places
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, is_planar = int(task["width"] or 0), task["data"] in _PLANAR
    if task["setting"] == "relu":
        return 0.04 + width * 6e-6
    return 0.04 + width * (8e-6 if is_planar else 3e-6)


def _required_bytes(task: Task) -> int:
    from treeviz.lab.initialization import StartedFrom

    return 300_000_000 + StartedFrom("normal").required_bytes(int(task["width"] or 0), 50, 64, 0.0)


def _load(task: Task) -> "Dataset":
    from treeviz.data.catalogue import load_dataset

    seed = int(task["seed"] or 0)
    if task["changed"] == "angle":
        return _with_close_pair(seed, float(task["number"] or 0))
    _, name, num_points, options = _DATA[str(task["data"])]
    return load_dataset(name, num_points, seed, **options)


def _with_close_pair(seed: int, degrees: float) -> "Dataset":
    """Return points of a sphere, the second of them at so many degrees from the first, and of the opposite target."""
    from treeviz.data.catalogue import load_dataset
    from treeviz.data.dataset import Dataset

    data = load_dataset("sphere", _CLOSE_POINTS, seed, dimension=_CLOSE_DIMENSION)
    X, y = data.X.copy(), data.y.copy()
    across = X[1] - (X[1] @ X[0]) * X[0]
    angle = math.radians(degrees)
    X[1] = math.cos(angle) * X[0] + math.sin(angle) * across / np.linalg.norm(across)
    y[1] = -y[0]
    return Dataset(X, y, "close pair")


def _start(task: Task, data: "Dataset") -> "Trainer":
    from treeviz.lab.initialization import StartedFrom
    from treeviz.model.config import TrainConfig
    from treeviz.training.trainer import Trainer

    changed, setting, width = task["changed"], str(task["setting"]), int(task["width"] or 0)
    config = TrainConfig(
        width=width,
        threshold=0.0 if setting == "relu" else paper_threshold(width),
        activation="clipped" if setting == "clipped" else "shifted",
        step_size=float(task["number"] or 0) if changed == "step" else 1.0,
        search="compact",
        solver="exact",
        seed=int(task["seed"] or 0),
    )
    initialization = StartedFrom(setting if changed == "initialization" else "normal")
    return Trainer(data, config, keep_records=False, engine_class=initialization)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.solve.jacobian import SparseJacobian, gram_matrix

    data = _load(task)
    trainer = _start(task, data)
    first = last = trainer.step()
    iterations = 1
    while last.loss > _UNTIL_LOSS and iterations < _MOST_ITERATIONS and not trainer.stop_reason:
        last, iterations = trainer.step(), iterations + 1
    width = trainer.config.width
    eigenvalues = np.linalg.eigvalsh(gram_matrix(SparseJacobian(first.firing, data.X, width)))
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    return {
        "reached": int(last.loss <= _UNTIL_LOSS),
        "iterations": iterations,
        "first_loss": first.loss,
        "loss": last.loss,
        "firing": first.firing.num_pairs / (data.num_points * width),
        "conditioning": largest / smallest if smallest > 1e-14 * largest else math.inf,
    }


class _Outcome:
    """How some runs ended.

    Attributes
    ----------
    num_runs, num_reached : how many there are, and how many reached the goal.
    iterations : of those, the median; infinite if there are none.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        measured = rows.dropna(subset=["reached"])
        self.num_runs, self.num_reached = len(measured), int(measured.reached.sum())
        reached = measured[measured.reached == 1]
        self.iterations = float(reached.iterations.median()) if len(reached) else math.inf

    @property
    def share(self) -> float:
        """Of the runs that reached the goal."""
        return self.num_reached / self.num_runs if self.num_runs else math.nan

    def __str__(self) -> str:
        """Say it in words."""
        if not self.num_reached:
            return f"none of {count(self.num_runs, 'run')}"
        return (
            f"{self.num_reached} of {count(self.num_runs, 'run')}, in {numeral(self.iterations, 3)} iterations (median)"
        )

    def is_better_than(self, other: "_Outcome") -> bool:
        """Whether a larger share reached the goal, or as many in fewer iterations."""
        if not math.isclose(self.share, other.share):
            return self.share > other.share
        return self.iterations * _NEARLY < other.iterations


def _answer(points: "pd.DataFrame") -> Answer:
    points = points.assign(
        converged=points.iterations.where(points.reached == 1),
        title=points.data.map(lambda data: _DATA[data][0] if data in _DATA else "sphere with a close pair"),
        start=points.setting.map(lambda setting: _INITIALIZATIONS.get(setting, setting)),
    )
    fits = tuple(
        median_of(f"iterations of runs that converge, {name}, {kind}", rows.converged)
        for setting, name in _ACTIVATIONS.items()
        for kind, rows in _kinds(points[(points.changed == "activation") & (points.setting == setting)])
    )
    words = [*_of_threshold(points), *_of_angle(points)]
    remarks = (*_of_clipping(points), *_of_step(points), *_of_start(points))
    return Answer(" ".join(words) or "Nothing is measured yet that can be compared.", _panels(points), remarks, fits)


def _kinds(rows: "pd.DataFrame") -> list[tuple[str, "pd.DataFrame"]]:
    is_planar = rows.data.isin(_PLANAR)
    return [("planar data", rows[is_planar]), ("sphere and digits", rows[~is_planar])]


def _compare(changed: "pd.DataFrame", usual: "pd.DataFrame", what: str) -> str:
    """Say whether a change helps: a sign test of runs with the same data and seed; not to converge is the slowest."""
    pairs = changed.merge(usual, on=["data", "seed"]).dropna(subset=["reached_x", "reached_y"])
    times = [pairs[f"iterations_{side}"].where(pairs[f"reached_{side}"] == 1, math.inf) for side in "xy"]
    better, worse = int((times[0] < times[1]).sum()), int((times[0] > times[1]).sum())
    if better == worse or stats.binomtest(better, better + worse).pvalue > _CHANCE:
        verdict = f"whether {what} helps is not decided"
    else:
        verdict = f"{what} {'helps' if better > worse else 'hurts'}"
    return (
        f"{verdict} (quicker in {better} of {count(len(pairs), 'pair')} with the same data and seed, slower in {worse})"
    )


def _of_threshold(points: "pd.DataFrame") -> list[str]:
    """Compare the paper's threshold with 0."""
    sentences = []
    for kind, rows in _kinds(points[points.changed == "activation"]):
        paper, relu = rows[rows.setting == "shifted"], rows[rows.setting == "relu"]
        if _Outcome(paper).num_runs and _Outcome(relu).num_runs:
            sentences.append(
                f"On {kind} training with the paper's b converges in {_Outcome(paper)}, and with b = 0 in "
                f"{_Outcome(relu)}: {_compare(relu, paper, 'the lower threshold')}."
            )
    return sentences


def _of_clipping(points: "pd.DataFrame") -> list[str]:
    """Compare the two readings of the paper's activation."""
    rows = points[points.changed == "activation"]
    usual, clipped = rows[rows.setting == "shifted"], rows[rows.setting == "clipped"]
    if not _Outcome(usual).num_runs or not _Outcome(clipped).num_runs:
        return []
    return [
        f"With the activation max(z, b) in place of max(z − b, 0) training converges in {_Outcome(clipped)}, against "
        f"{_Outcome(usual)}: {_compare(clipped, usual, 'it')}."
    ]


def _of_angle(points: "pd.DataFrame") -> list[str]:
    """Say what the closest pair does to training, with each threshold: the rank correlation of angle and iterations."""
    rows = points[points.changed == "angle"].dropna(subset=["reached"])
    parts = []
    for setting, name in _THRESHOLDS.items():
        mine = rows[rows.setting == setting]
        times = mine.iterations.where(mine.reached == 1, 10.0 * _MOST_ITERATIONS)
        if mine.number.nunique() < 2:
            continue
        widest, closest = float(mine.number.max()), float(mine.number.min())
        far, near = (_Outcome(mine[mine.number == angle]) for angle in (widest, closest))
        tied = stats.spearmanr(mine.number, times) if times.nunique() > 1 else None
        if tied is None or not tied.pvalue < _CHANCE:
            how = "no steady change with the angle is decided"
        else:
            change = "slower" if tied.statistic < 0 else "quicker"
            how = f"on the whole, the closer the {change} (rank correlation {numeral(float(tied.statistic), 2)})"
        parts.append(
            f"with {name} training converges at {numeral(closest, 2)}° in {near} and at {numeral(widest, 2)}° in "
            f"{far}{_slowest(mine, times)}; {how}"
        )
    return [f"Two points of opposite targets, close together: {'. And '.join(parts)}."] if parts else []


def _slowest(rows: "pd.DataFrame", times: "pd.Series[float]") -> str:
    """Say at which angle between the closest and the widest training is slowest, if it is slower than at both."""
    at = times.groupby(rows.number).median()
    slowest = float(at.idxmax())
    if at.size < 3 or at.max() <= _NEARLY * max(float(at.iloc[0]), float(at.iloc[-1])):
        return ""
    return f", and is slowest between, at {numeral(slowest, 2)}°: {_Outcome(rows[rows.number == slowest])}"


def _of_step(points: "pd.DataFrame") -> list[str]:
    rows = points[points.changed == "step"].dropna(subset=["reached"])
    sentences = []
    for data in rows.data.unique():
        mine = rows[rows.data == data]
        outcomes = {float(step): _Outcome(of_step) for step, of_step in mine.groupby("number")}
        best = min(outcomes, key=lambda step: (-outcomes[step].share, outcomes[step].iterations, abs(step - 1)))
        if not outcomes[best].num_reached or len(outcomes) < 2:
            sentences.append(f"On {_DATA[data][0]} no step that was tried converges." if len(outcomes) > 1 else "")
            continue
        full = outcomes.get(1.0)
        if full is not None and not outcomes[best].is_better_than(full):
            best = 1.0
        verdict = (
            "the full step is the best of those tried"
            if best == 1.0
            else f"of the steps tried {numeral(best, 3)} is the best"
        )
        against = ""
        if full is not None and best != 1.0:
            tried, usual = mine[mine.number == best], mine[mine.number == 1.0]
            against = f", the full step {full}: {_compare(tried, usual, 'this step')}"
        sentences.append(
            f"On {_DATA[data][0]} {verdict}: a step of {numeral(best, 3)} converges in {outcomes[best]}{against}."
        )
    return [sentence for sentence in sentences if sentence]


def _of_start(points: "pd.DataFrame") -> list[str]:
    rows = points[points.changed == "initialization"]
    usual = _Outcome(rows[rows.setting == "normal"])
    if not usual.num_runs:
        return []
    changes = {
        name: outcome
        for setting, name in _INITIALIZATIONS.items()
        if setting != "normal" and (outcome := _Outcome(rows[rows.setting == setting])).num_runs
    }
    drawn = rows[rows.setting == "normal"]
    sentences = [
        f"Weights {name} converge in {outcome}: {_compare(rows[rows.start == name], drawn, 'that')}. At the start "
        f"{percent(float(rows[rows.start == name].firing.mean()))} of all pairs of a neuron and a datapoint fire."
        for name, outcome in changes.items()
    ]
    share = percent(float(drawn.firing.mean()))
    first = f"Weights drawn as in the paper, from N(0, 1), converge in {usual}; at the start {share} of all pairs fire."
    return [first, *sentences] if sentences else []


def _panels(points: "pd.DataFrame") -> tuple[Panel, ...]:
    activation, start, step, angle = (
        points[points.changed == changed] for changed in ("activation", "initialization", "step", "angle")
    )
    panels = []

    def add(
        rows: "pd.DataFrame", what: str, x: str, x_title: str, by: str, named: Mapping[str, str], **axes: Any
    ) -> None:
        if rows.empty:
            return
        times, shares = (
            curves_of(rows, x, column, by=by, names=lambda value: named[str(value)])
            for column in ("converged", "reached")
        )
        if what == "step":
            times += (_expected_iterations(rows),)
        panels.append(
            Panel(
                title=f"Iterations of runs that converge, by {what}",
                x_title=x_title,
                y_title="iterations",
                curves=times,
                log_y=True,
                **axes,
            )
        )
        panels.append(
            Panel(
                title=f"Share of seeds that converge, by {what}",
                x_title=x_title,
                y_title="share of seeds",
                curves=tuple(map(share_of_seeds, shares)),
                **axes,
            )
        )

    titles = {data: values[0] for data, values in _DATA.items()}
    activation = _in_order(_in_order(activation, "setting", list(_ACTIVATIONS)), "data", list(_DATA))
    add(activation, "activation", "title", "data", "setting", _ACTIVATIONS)
    angle = _in_order(angle, "setting", list(_THRESHOLDS))
    add(angle, "angle", "number", "angle of the closest points, degrees", "setting", _THRESHOLDS, log_x=True)
    step = _in_order(step, "data", list(_DATA))
    add(step, "step", "number", "step, as a share of the full one", "data", titles)
    start = _in_order(_in_order(start, "data", list(_DATA)), "setting", list(_INITIALIZATIONS))
    add(start, "initialization", "start", "initial weights", "data", titles)
    if len(angle):
        panels.append(
            Panel(
                title="Condition number of the first system, by angle",
                x_title="angle of the closest points, degrees",
                y_title="κ",
                curves=curves_of(
                    angle, "number", "conditioning", by="setting", names=lambda name: _THRESHOLDS[str(name)]
                ),
                log_x=True,
                log_y=True,
            )
        )
    return tuple(panels)


def _in_order(rows: "pd.DataFrame", column: str, order: Sequence[str]) -> "pd.DataFrame":
    return rows.sort_values(column, key=lambda values: values.map(order.index), kind="stable")


def _expected_iterations(rows: "pd.DataFrame") -> Any:
    """Return how many iterations it takes while no firing set changes: each leaves (1 - step)^2 of the loss."""
    places = [float(step) for step in sorted(rows.number.unique())]
    loss = float(rows.first_loss.median())
    left = np.maximum(np.abs(1 - np.array(places)), 1e-300)
    moves = (
        np.maximum(1.0, math.log(max(loss / _UNTIL_LOSS, math.e)) / (-2 * np.log(left))) if loss > 0 else np.nan * left
    )
    return formula("if no firing set changed", places, 1 + moves)


EXPERIMENT = Experiment(
    key="what-if",
    order=9,
    title="What if?",
    question="What if the activation, the initial weights, the step or the angle of the closest points were others?",
    varied="One of four at a time: the activation, the initial weights, the step, and the angle of the two closest "
    "datapoints, which have opposite targets; the data, and the seed of data and weights.",
    fixed="What is not varied is as in the paper: max(z − b, 0) with b = √(0.48 ln m), weights from N(0, 1), full "
    "Gauss–Newton steps (with the exact solve). A run converges if it reaches a loss of "
    f"{numeral(_UNTIL_LOSS, 1)} within {_MOST_ITERATIONS} iterations.",
    columns={
        "changed": Column(str, "what is changed: activation, initialization, step or angle"),
        "setting": Column(
            str, "shifted: with the paper's b; relu: with b = 0; clipped: max(z, b); or the initial weights"
        ),
        "number": Column(float, "step as a share of the full one, or angle in degrees; else 0"),
        "data": Column(str, "name of the dataset; close: a sphere with a close pair"),
        "width": Column(int, "neurons m"),
        "seed": Column(int, "of data and weights"),
        "reached": Column(int, "1 if the run converged, else 0"),
        "iterations": Column(int, "iterations made"),
        "first_loss": Column(float, "loss before training, squared units of the target"),
        "loss": Column(float, "at the last iteration, before its move, squared units of the target"),
        "firing": Column(float, "share of all pairs of a neuron and a datapoint that fire before training"),
        "conditioning": Column(float, "condition number of G before training; missing if G is singular"),
    },
    seeds={"quick": 3, "default": 5, "full": 20},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
