"""Which search? Operations, time and memory of every way to find the firing neurons, and what comes of missing some."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from treeviz.export.columns import Column
from treeviz.lab.curves import Mark, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.statistics import median_of
from treeviz.lab.wording import span
from treeviz.model.network import paper_threshold
from treeviz.model.numerals import count, numeral
from treeviz.model.types import Floats, Ints
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset
    from treeviz.lab.simhash import HashTables
    from treeviz.training.trainer import Trainer

_EXACT = ("forest", "neuron-trees", "watch", "table", "compact", "dense")
_HASHED, _RENEWED = "simhash", "simhash-renewed"
_BITS = 6  # signs that make a bucket: each table shows about a 64th of all neurons
_TABLES = (14, 44)  # of the comparison: about 20 % and 50 % of all neurons are looked at
_BASE: Mapping[str, float] = {"width": 1 << 14, "points": 32, "dimension": 64, "step": 1.0}
_VARIED: Mapping[Size, Mapping[str, tuple[float, ...]]] = {
    "quick": {"width": (1 << 10, 1 << 12, 1 << 14), "points": (8, 32), "dimension": (16, 64), "step": (1.0, 0.1)},
    "default": {
        "width": (1 << 10, 1 << 12, 1 << 14, 1 << 16),
        "points": (8, 32, 128),
        "dimension": (8, 64, 256),
        "step": (1.0, 0.1, 0.01),
    },
    "full": {
        "width": tuple(1 << power for power in range(10, 21, 2)),
        "points": (4, 8, 16, 32, 64, 128, 256, 512),
        "dimension": (8, 16, 32, 64, 128, 256, 512),
        "step": (1.0, 0.3, 0.1, 0.03, 0.01, 0.003),
    },
}
_COMPARED = 4  # iterations of the comparison
_TRAINED_WIDTH = 1 << 12
_TRAINED: Mapping[Size, tuple[int, ...]] = {"quick": (14, 44), "default": (14, 44, 102), "full": (3, 14, 44, 102, 250)}
_ITERATIONS, _SHOWN = 32, (0, 1, 2, 4, 8, 16, 31)
_LAST = 8  # iterations at the end over which losses are averaged
_CONVERGED = 1e-6
_LEAST = 1e-8  # a loss below is drawn as this
_KINDS = {_HASHED: "kept", _RENEWED: "drawn anew in each iteration"}
# What is varied: the title of its axis, what it is called, its symbol, and what more of it means.
_AXES = {
    "width": ("neurons m", "the width", "m", "more neurons"),
    "points": ("datapoints n", "the number of datapoints", "n", "more datapoints"),
    "dimension": ("coordinates of a datapoint d", "the dimension", "d", "longer vectors"),
    "step": (
        "step size: share of the Gauss–Newton move made",
        "drift: the step, and so how far neurons move",
        "a step",
        "neurons drift farther",
    ),
}


def _plan(size: Size, seeds: int) -> list[Task]:
    settings = dict.fromkeys(
        tuple({**_BASE, axis: value}.items()) for axis, values in _VARIED[size].items() for value in values
    )
    searches = [*((search, 0) for search in _EXACT), *((_HASHED, tables) for tables in _TABLES)]
    trained = [*((kind, tables) for tables in _TRAINED[size] for kind in _KINDS), ("compact", 0)]
    places = [
        *(("sphere", search, tables, dict(setting)) for setting in settings for search, tables in searches),
        *(("digits", search, tables, {**_BASE, "width": _TRAINED_WIDTH}) for search, tables in trained),
    ]
    tasks: list[Task] = [
        {"data": data, "search": search, "tables": tables, **setting, "seed": seed}
        for data, search, tables, setting in places
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _sizes(task: Task) -> tuple[int, int, int, int]:
    width, points, dimension, tables = (int(task[name] or 0) for name in ("width", "points", "dimension", "tables"))
    return width, points, dimension, tables


def _iterations(task: Task) -> int:
    return _COMPARED if task["data"] == "sphere" else _ITERATIONS


def _required_seconds(task: Task) -> float:
    width, points, dimension, tables = _sizes(task)
    look = (
        width * points * (dimension + 32 + points / 8) * 8e-10
    )  # of brute force, and of the methods that look at everything
    renewed = 4e-8 if task["search"] == _RENEWED else 0.0
    hashing = tables * (points * 3e-6 + width * (points * 3e-10 + 2e-8 + renewed))
    return 0.02 + _iterations(task) * (look + hashing) + width * dimension * 1e-8


def _required_bytes(task: Task) -> int:
    from treeviz.search import find_engine

    width, points, dimension, tables = _sizes(task)
    maker = _hash_tables(task) if tables else find_engine(str(task["search"]))
    scanned = 24 * width * (dimension + points)  # the weights whole, twice, and who fires, for the check
    # Half as much again: measured, up to a third more than this was needed.
    return int(1.5 * (maker.required_bytes(width, points, dimension) + scanned + (1 << 26)))


def _hash_tables(task: Task) -> "HashTables":
    from treeviz.lab.simhash import HashTables

    return HashTables(_BITS, int(task["tables"] or 0), is_renewed=task["search"] == _RENEWED)


def _data(task: Task) -> "Dataset":
    from treeviz.data.catalogue import load_dataset

    _, points, dimension, _ = _sizes(task)
    options = {"dimension": dimension} if task["data"] == "sphere" else {}
    return load_dataset(str(task["data"]), points, int(task["seed"] or 0), **options)  # type: ignore[arg-type]


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.lab.simhash import HashEngine
    from treeviz.model.config import TrainConfig
    from treeviz.model.firing import moved_rows
    from treeviz.search.compiled import load_loops
    from treeviz.training.trainer import Trainer

    for loops in ("forest.loops", "watch.loops"):
        load_loops(loops)  # now: loading a compiler is charged to no method
    data, tables = _data(task), int(task["tables"] or 0)
    config = TrainConfig(
        width=int(task["width"] or 0),
        search="dense-sparse" if tables else str(task["search"]),
        solver="exact",
        step_size=float(task["step"] or 0),
        seed=int(task["seed"] or 0),
    )
    trainer = Trainer(data, config, keep_records=False, engine_class=_hash_tables(task) if tables else None)
    built, seconds_built = dict(trainer.ledger.costs), sum(trainer.ledger.seconds.values())
    start = trainer.weights().copy()
    found = firing = looked = 0
    operations = seconds = 0.0
    recalls, losses, seen, moves = [], [], [], []
    for _ in range(_iterations(task)):
        firing = sum(map(len, trainer.scan().firing))
        residual = trainer.predict(data.X) - data.y
        losses.append(0.5 * float(residual @ residual))
        record = trainer.step()
        found = record.firing.num_pairs
        recalls.append(found / firing if firing else 1.0)
        seen.append(record.loss)
        if isinstance(engine := trainer._engine, HashEngine):
            looked += engine.num_looked
        kept = [phase for phase in record.costs if phase not in ("jacobian", "solve")]
        operations += sum(record.costs[phase] for phase in kept)
        seconds += sum(record.seconds.get(phase, 0.0) for phase in kept)
        if found:
            rows = moved_rows(record.firing, record.dual_step, trainer.output_signs, data.X)
            moves.append(float(np.median(np.linalg.norm(rows, axis=1))))
    iterations = len(losses)
    return {
        "operations": operations / iterations,
        "operations_build": sum(built.values()),
        "memory": trainer.num_bytes,
        "moved": float(np.mean(moves)) if moves else 0.0,
        "drift": _drift(trainer, start, record.firing.neurons),
        "recall_first": recalls[0],
        "recall": float(np.mean(recalls)),
        "looked": looked / (config.width * data.num_points * iterations) if tables else None,
        "loss_end": float(np.median(losses[-_LAST:])),
        "loss_seen_end": float(np.median(seen[-_LAST:])),
        **{f"loss_{place}": losses[place] for place in _SHOWN if place < iterations},
        "seconds": seconds / iterations,
        "seconds_build": seconds_built,
    }


def _drift(trainer: "Trainer", start: Floats, neurons: Ints) -> float:
    """Return how far the median of some neurons is from its start; 0 without any."""
    if not neurons.size:
        return 0.0
    return float(np.median(np.linalg.norm(trainer.weights()[neurons] - start[neurons], axis=1)))


def _answer(points: "pd.DataFrame") -> Answer:
    compared = _named(points[points.data == "sphere"], _range_name)
    trained = _named(points[points.data == "digits"], _median_name)
    panels = [_compared_panel(compared, axis, "operations", "operations an iteration") for axis in _AXES]
    panels += [
        _compared_panel(compared, "width", "operations_build", "operations of building"),
        _compared_panel(compared, "width", "memory", "bytes kept"),
        _compared_panel(compared, "width", "seconds", "seconds an iteration"),
    ]
    panels[1:1] = [_losses_panel(trained), _recall_panel(trained)]
    panels += [_course_panel(trained, search) for search in _KINDS]
    sentences = [*_cheapest(compared), *_growth(compared), *_missed(trained)]
    words = " ".join(sentences) or "Too few points are measured to compare searches."
    return Answer(words, tuple(panels), tuple(_remarks(compared, trained)), _fits(trained))


def _named(rows: "pd.DataFrame", name_of: "Callable[[str, int, pd.Series[float]], str]") -> "pd.DataFrame":
    """Add what each search is called, by its key, its tables and the recalls of all its runs."""
    names = {
        (search, tables): name_of(search, tables, own.recall)
        for (search, tables), own in rows.groupby(["search", "tables"])
    }
    return rows.assign(name=[names[key] for key in zip(rows.search, rows.tables, strict=True)])


def _range_name(search: str, tables: int, recalls: "pd.Series[float]") -> str:
    """Return the name of a search; of one that misses neurons with its least and its largest recall."""
    from treeviz.race.contestants import CONTESTANTS

    return _hashed(tables, span(_cut(recalls.min()), _cut(recalls.max()))) if tables else CONTESTANTS[search].title


def _median_name(_: str, tables: int, recalls: "pd.Series[float]") -> str:
    """Return the name of a setting that is trained; of one that misses neurons with the recall over its run."""
    return _hashed(tables, _cut(recalls.median())) if tables else "Exact search"


def _hashed(tables: int, recall: str) -> str:
    return f"SimHash, {count(int(tables), 'table')} (recall {recall})"


def _cut(recall: float) -> str:
    """Write a recall with two decimals; the others are cut off, so that only 1 is written as 1."""
    return "not measured" if math.isnan(recall) else f"{math.floor(100 * recall) / 100:.2f}"


def _at_base(compared: "pd.DataFrame", but: str = "") -> "pd.DataFrame":
    for name, value in _BASE.items():
        if name != but:
            compared = compared[compared[name] == value]
    return compared


def _compared_panel(compared: "pd.DataFrame", axis: str, column: str, y_title: str) -> Panel:
    x_title, what, _, _ = _AXES[axis]
    return Panel(
        title=f"{y_title.capitalize()} against {what}",
        x_title=x_title,
        y_title=y_title,
        curves=curves_of(_at_base(compared, axis).sort_values("tables", kind="stable"), axis, column, by="name"),
        log_x=True,
        log_y=True,
    )


def _losses_panel(trained: "pd.DataFrame") -> Panel:
    """The loss at the end for each number of tables; where the search is exact, the line across."""
    hashed = trained[trained.tables > 0]
    hashed = hashed.assign(**{name: hashed[name].clip(lower=_LEAST) for name in ("loss_end", "loss_seen_end")})
    curves = [
        curve
        for search, how in _KINDS.items()
        for column, whose in (("loss_end", "real loss"), ("loss_seen_end", "loss that training sees"))
        for curve in curves_of(
            hashed[hashed.search == search], "tables", column, by="search", names={search: f"{whose}, tables {how}"}
        )
    ]
    return Panel(
        title=f"Loss after {_ITERATIONS} iterations when firing neurons are missed",
        x_title="hash tables; the recall is above",
        y_title=f"loss, {numeral(_LEAST, 1)} where it is below",
        curves=tuple(curves),
        log_x=True,
        log_y=True,
        marks=tuple(
            Mark(float(tables), f"recall {_cut(rows.recall.median())}")
            for tables, rows in hashed.groupby("tables")
            if rows.recall.notna().any()
        ),
    )


def _recall_panel(trained: "pd.DataFrame") -> Panel:
    """What is looked at and found in the first iteration, beside what is expected of random directions."""
    from treeviz.lab.simhash import expected_recall

    rows = trained[trained.search == _HASHED]
    tables = np.unique(np.geomspace(1, max([2, *map(int, rows.tables)]), 24).round())
    threshold = paper_threshold(_TRAINED_WIDTH)
    expected = [expected_recall(int(_BASE["dimension"]), threshold, _BITS, int(number)) for number in tables]
    formulas = (
        formula("found, as expected", tables.tolist(), np.array(expected)),
        formula("looked at, as expected", tables.tolist(), 1 - (1 - 0.5**_BITS) ** tables),
    )
    measured = (
        *curves_of(rows, "tables", "recall_first", by="search", names={_HASHED: "firing neurons that are found"}),
        *curves_of(rows, "tables", "looked", by="search", names={_HASHED: "neurons that are looked at"}),
    )
    return Panel(
        title="Recall of SimHash: what it looks at, and what it finds",
        x_title="hash tables",
        y_title="share",
        curves=(*measured, *formulas) if measured else (),
        log_x=True,
    )


def _course_panel(trained: "pd.DataFrame", search: str) -> Panel:
    """The real loss along the iterations, beside that of an exact search."""
    import pandas as pd

    rows = trained[trained.search.isin((search, "compact"))].sort_values("tables", kind="stable")
    courses = [rows.assign(made=place + 1, loss=rows[f"loss_{place}"].clip(lower=_LEAST)) for place in _SHOWN]
    return Panel(
        title=f"The real loss along the iterations, hash tables {_KINDS[search]}",
        x_title="iteration",
        y_title=f"loss before its move, {numeral(_LEAST, 1)} where it is below",
        curves=curves_of(pd.concat(courses), "made", "loss", by="name"),
        log_x=True,
        log_y=True,
    )


def _medians(rows: "pd.DataFrame", column: str) -> dict[str, float]:
    """Return the medians of the exact searches that are measured, the least first."""
    found = rows[rows.tables == 0].groupby(["search", "name"])[column].median().dropna().sort_values(kind="stable")
    return {str(name): float(value) for (_, name), value in found.items()}


def _setting() -> str:
    return f"m = {int(_BASE['width']):,}, n = {int(_BASE['points'])} and d = {int(_BASE['dimension'])}"


def _cheapest(compared: "pd.DataFrame") -> list[str]:
    at = _medians(_at_base(compared), "operations")
    if len(at) < 2:
        return []
    (best, *_), most = at, list(at)[-1]
    found = [
        f"At {_setting()}, of the exact searches “{best}” takes the fewest operations an iteration to find the firing "
        f"neurons and move them, {numeral(at[best], 3)}; “{most}” takes the most, {numeral(at[most], 3)}."
    ]
    settings = [_medians(rows, "operations") for _, rows in compared.groupby(list(_BASE))]
    wins = Counter(next(iter(medians)) for medians in settings if len(medians) == len(at))
    if wins.total() > 1:
        listed = ", ".join(f"“{name}” ({count(won, 'time')})" for name, won in wins.most_common())
        found.append(f"Over {count(wins.total(), 'setting')} the fewest are taken by {listed}.")
    return found


def _growth(compared: "pd.DataFrame") -> list[str]:
    """Say for each thing that is varied how the costs of the exact searches follow it."""
    told = []
    for axis, (_, _, symbol, more) in _AXES.items():
        rows = _at_base(compared[compared.tables == 0], axis)
        at = rows.pivot_table(index=axis, columns="name", values="operations", aggfunc="median").dropna(axis=1)
        if len(at) < 2 or at.shape[1] < 2:
            continue
        factors = (at.iloc[-1] / at.iloc[0]).sort_values(kind="stable")
        low, high = (f"{float(value):,.10g}" for value in (at.index[0], at.index[-1]))
        told.append(
            f"{symbol} from {low} to {high} ({more}): {numeral(float(factors.iloc[0]), 2)} times with "
            f"“{factors.index[0]}” to {numeral(float(factors.iloc[-1]), 2)} times with “{factors.index[-1]}”"
        )
    return [f"How the operations of an exact search change, all else equal: {'; '.join(told)}."] if told else []


def _ends(trained: "pd.DataFrame") -> "pd.DataFrame":
    """Return the medians of each setting that is trained: its recall, what it looks at, and its losses at the end."""
    columns = ["recall", "looked", "loss_end", "loss_seen_end"]
    ends = trained.groupby(["search", "tables", "name"])[columns].median().reset_index()
    return ends.dropna(subset=["loss_end"])


def _missed(trained: "pd.DataFrame") -> list[str]:
    ends = _ends(trained)
    missing, exact = ends[ends.recall < 1], ends[ends.recall == 1]
    if missing.empty:
        return []
    recalls = span(_cut(missing.recall.min()), _cut(missing.recall.max()))
    number = int((missing.loss_end <= _CONVERGED).sum())
    how = "none" if not number else "all" if number == len(missing) else f"{number}"
    words = (
        f"SimHash misses firing neurons (recall {recalls}), and with it Gauss–Newton on digits brings the real loss "
        f"to {numeral(_CONVERGED, 1)} in {how} of the {count(len(missing), 'setting')} trained"
    )
    if exact.empty:
        return [f"{words}."]
    does = "does" if exact.loss_end.iloc[0] <= _CONVERGED else "does not either" if not number else "does not"
    return [f"{words}; with an exact search it {does}."]


def _remarks(compared: "pd.DataFrame", trained: "pd.DataFrame") -> list[str]:
    found = []
    base = _at_base(compared)
    for column, what, unit in (
        ("seconds", "the least time an iteration on this machine, in one thread", "s"),
        ("memory", "the least memory", "bytes"),
    ):
        at = _medians(base, column)
        if len(at) > 1:
            first, second = list(at)[:2]
            found.append(
                f"At the same sizes “{first}” takes {what}, {numeral(at[first], 3)} {unit}; next is “{second}” with "
                f"{numeral(at[second], 3)} {unit}."
            )
    exact = _medians(base, "operations")
    for tables, rows in base[base.tables > 0].groupby("tables"):
        cost = rows.operations.median()
        if exact and not math.isnan(cost):
            best = next(iter(exact))
            than = "fewer" if cost < exact[best] else "more"
            found.append(
                f"{_range_name(_HASHED, tables, rows.recall)} takes {numeral(cost, 3)} operations an iteration at the "
                f"same sizes, {than} than the cheapest exact search, “{best}”. To hash a vector takes "
                f"{_BITS * int(tables):,} inner products; its products with all datapoints are {int(_BASE['points'])}."
            )
    moved = _at_base(compared, "step").groupby("step")[["moved", "drift"]].median().dropna()
    if len(moved) > 1:
        first, last = moved.iloc[0], moved.iloc[-1]
        found.append(
            f"Drift is varied by the step: with a step of {numeral(moved.index[0], 2)} the median neuron that fires "
            f"moves by {numeral(first.moved, 2)} an iteration and is {numeral(first.drift, 2)} from its start after "
            f"{_COMPARED}; with a step of {numeral(moved.index[-1], 2)} it moves by {numeral(last.moved, 2)} and is "
            f"{numeral(last.drift, 2)} away. Weights have a length of about "
            f"{numeral(math.sqrt(_BASE['dimension']), 2)}."
        )
    ends = _ends(trained)
    for end in ends[ends.looked.notna()].itertuples():
        sentence = (
            f"{end.name}, tables {_KINDS[str(end.search)]}: it looks at {percent(end.looked)} of the neurons; after "
            f"{_ITERATIONS} iterations the real loss is {numeral(end.loss_end, 2)}, and the one that training sees, "
            f"from the neurons found, is {numeral(end.loss_seen_end, 2)}"
        )
        hidden = end.loss_end > _CONVERGED >= end.loss_seen_end
        found.append(sentence + (": it looks as if all were learned, and it is not." if hidden else "."))
    checked = compared[compared.tables == 0].recall.dropna()
    if not checked.empty:
        wrong = int((checked < 1).sum())
        which = "all of them" if not wrong else f"all but {count(wrong, 'run')}, which is an error of the program"
        found.append(f"{count(checked.size, 'run')} of exact searches were checked by brute force: right in {which}.")
    found.append("Numbers are medians of the seeds.")
    return found


def _fits(trained: "pd.DataFrame") -> tuple[Fit, ...]:
    return tuple(
        median_of(f"{name}, {how}: real loss at the end", rows.loss_end)
        for search, how in ((_HASHED, "tables kept"), (_RENEWED, "tables drawn anew"), ("compact", "all found"))
        for (_, name), rows in trained[trained.search == search].groupby(["tables", "name"])
    )


EXPERIMENT = Experiment(
    key="search",
    order=6,
    title="Which search?",
    question="Which search finds the firing neurons most cheaply, and may a search miss some?",
    varied="The search; of the width m, the number of datapoints n, their dimension d and the drift of the neurons, by "
    "the step size, one at a time; the number of hash tables; and the seed of data and weights.",
    fixed=f"Random points on the unit sphere, the paper's threshold, {_setting()}, whole Gauss–Newton steps, "
    f"unless they are varied; an exact solve, {_COMPARED} iterations. What is counted is all but the solve, "
    f"which is the same for all. Training that misses neurons is shown on "
    f"{int(_BASE['points'])} handwritten digits with m = {_TRAINED_WIDTH:,}, for {_ITERATIONS} "
    f"iterations. A bucket of SimHash is made of {_BITS} signs.",
    columns={
        "data": Column(str, "sphere: the comparison; digits: training that misses neurons"),
        "search": Column(str, "key of the search; simhash-renewed draws its tables anew in each iteration"),
        "tables": Column(int, "hash tables; 0 for an exact search"),
        "width": Column(int, "neurons m"),
        "points": Column(int, "datapoints n"),
        "dimension": Column(int, "coordinates of a datapoint d"),
        "step": Column(float, "step size: share of the Gauss-Newton move made"),
        "seed": Column(int, "of data, weights and hash tables"),
        "operations": Column(float, "operations of an iteration but for the solve, on average"),
        "operations_build": Column(float, "operations of building, drawing left out"),
        "memory": Column(int, "bytes of what is kept from one iteration to the next"),
        "moved": Column(float, "how far the median neuron that fires moves in an iteration, on average"),
        "drift": Column(float, "distance of the median neuron that fires at the end from its start"),
        "recall_first": Column(float, "share of the firing pairs that are found, first iteration"),
        "recall": Column(float, "share of the firing pairs that are found, on average over the iterations"),
        "looked": Column(float, "share of all pairs whose inner product is computed; missing for an exact search"),
        "loss_end": Column(float, f"loss of the whole network, median of the last {_LAST} iterations"),
        "loss_seen_end": Column(float, f"loss from the neurons found, median of the last {_LAST} iterations"),
        **{f"loss_{place}": Column(float, f"loss of the whole network before move {place + 1}") for place in _SHOWN},
        "seconds": Column(float, "seconds of an iteration but for the solve, on average"),
        "seconds_build": Column(float, "seconds of building"),
    },
    seeds={"quick": 2, "default": 3, "full": 5},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
    version=3,
)
