"""How wide is wide enough? Which seeds converge, how far weights move and firing sets change, against m and n."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from treeviz.export.columns import Column
from treeviz.lab.curves import Curve, Panel, curves_of, formula
from treeviz.lab.experiment import Answer, Experiment, Fit, Size, Task, Value
from treeviz.lab.shares import share_of_seeds
from treeviz.lab.statistics import fit_exponent
from treeviz.lab.wording import count_seeds, join_words, power_of
from treeviz.model.network import paper_threshold
from treeviz.model.numerals import count, numeral, power_of_ten
from treeviz.model.theorem import required_width_exponent
from treeviz.style.palette import percent

if TYPE_CHECKING:
    import pandas as pd

    from treeviz.data.dataset import Dataset
    from treeviz.model.firing import FiringSets

_UNTIL_LOSS, _MOST_ITERATIONS = 1e-6, 300
# The data by name: what curves are called, and how `load_dataset` makes them.
_DATA: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "digits": ("digits", "digits", {"center": False}),
    "centred": ("centred digits", "digits", {"center": True}),
}
_DIMENSION = 64
_WIDTHS: Mapping[Size, Sequence[int]] = {
    "quick": (4, 8, 16, 32, 64, 128, 1024),
    "default": (4, 8, 12, 16, 24, 32, 48, 64, 96, 256, 1024, 4096),
    "full": (4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256, 1024, 4096, 16384, 65536),
}
_COUNTS: Mapping[Size, Sequence[int]] = {
    "quick": (8, 32, 128),
    "default": (8, 16, 32, 64, 128),
    "full": (2, 4, 8, 16, 32, 64, 128, 256),
}
# What changes in training, by column: how it is called, and what is said of it in wider networks.
_FITTED = {"largest_move": "the largest move of a neuron", "flips": "the share of pairs that change"}
_CHANGES = {
    "largest_move": ("the less far its neurons move", "the farther its neurons move"),
    "flips": ("the smaller the share of firing pairs that change", "the larger the share of firing pairs that change"),
}
_ENOUGH = 0.9  # a width is wide enough if so large a share of the seeds converges


def _plan(size: Size, seeds: int) -> list[Task]:
    tasks: list[Task] = [
        {"data": data, "points": num_points, "width": width, "seed": seed}
        for width in _WIDTHS[size]
        for num_points in _COUNTS[size]
        for data in _DATA
        for seed in range(seeds)
    ]
    return sorted(tasks, key=_required_seconds)


def _required_seconds(task: Task) -> float:
    width, num_points = int(task["width"] or 0), int(task["points"] or 0)
    return 0.007 + num_points**2 * 6e-7 + num_points * width * 8e-8


def _required_bytes(task: Task) -> int:
    from treeviz.search import find_engine

    width, num_points = int(task["width"] or 0), int(task["points"] or 0)
    needed = find_engine("compact").required_bytes(width, num_points, _DIMENSION, paper_threshold(width))
    return 300_000_000 + needed + 24 * width * _DIMENSION + 10 * width * num_points


def _load(task: Task) -> "Dataset":
    from treeviz.data.catalogue import load_dataset

    _, name, options = _DATA[str(task["data"])]
    return load_dataset(name, int(task["points"] or 0), int(task["seed"] or 0), **options)


def _measure(task: Task) -> dict[str, Value]:
    from treeviz.model.config import TrainConfig
    from treeviz.model.infinite_width import shifted_ntk
    from treeviz.model.network import initial_weights
    from treeviz.training.trainer import Trainer

    data, width, seed = _load(task), int(task["width"] or 0), int(task["seed"] or 0)
    config = TrainConfig(width=width, seed=seed, search="compact", solver="exact")
    trainer = Trainer(data, config, keep_records=False)
    first = last = trainer.step()
    iterations = 1
    while last.loss > _UNTIL_LOSS and iterations < _MOST_ITERATIONS and not trainer.stop_reason:
        last, iterations = trainer.step(), iterations + 1
    moves = np.linalg.norm(trainer.weights() - initial_weights(seed, width, data.dimension), axis=1)
    smallest = float(np.linalg.eigvalsh(shifted_ntk(data.X, data.X, config.resolved_threshold))[0])
    return {
        "reached": int(last.loss <= _UNTIL_LOSS),
        "iterations": iterations,
        "loss": last.loss,
        "largest_move": float(moves.max()),
        "flips": _flips(first.firing, last.firing),
        "silent": int((first.firing.counts == 0).sum()),
        "limit_lambda": smallest,
    }


def _flips(before: "FiringSets", after: "FiringSets") -> float:
    """Return how many pairs fire in one and not in the other, over those in the first; NaN without any."""
    pairs, later = (
        np.concatenate([neurons.astype(np.int64) * len(firing) + point for point, neurons in enumerate(firing)])
        for firing in (before, after)
    )
    return np.setxor1d(pairs, later, assume_unique=True).size / pairs.size if pairs.size else math.nan


class _Enough:
    """Which widths are wide enough for some datapoints of one kind, as far as they are measured.

    Attributes
    ----------
    title, num_points : of which data, and how many datapoints.
    shares, counts : of the seeds that converge, and how many there are, by width.
    least : the least width from which on all are wide enough; None if the widest is not.
    first : the least width that is wide enough; None if none is.
    widest : the largest width that is measured.
    theory : log10 of n^4 / lambda^4, lambda that of the limit with the threshold of the widest network; median.
    """

    def __init__(self, data: str, num_points: int, rows: "pd.DataFrame") -> None:
        self.title, self.num_points = _DATA[data][0], num_points
        by_width = rows.groupby("width").reached
        self.shares, self.counts, self.widest = by_width.mean(), by_width.count(), int(rows.width.max())
        enough = self.shares >= _ENOUGH
        self.first = int(enough.idxmax()) if enough.any() else None
        too_few = self.shares.index[~enough]
        wide = self.shares.index if not len(too_few) else self.shares.index[self.shares.index > too_few[-1]]
        self.least = int(wide[0]) if len(wide) else None
        smallest = rows[rows.width == self.widest].limit_lambda.median()
        self.theory = 4 * (math.log10(num_points) - math.log10(smallest)) if smallest > 1e-14 else math.inf

    @property
    def fit(self) -> Fit | None:
        """The share of seeds that converge at the least width, with its exact binomial interval."""
        if self.least is None:
            return None
        share, seeds = float(self.shares[self.least]), int(self.counts[self.least])
        interval = stats.binomtest(round(share * seeds), seeds).proportion_ci(0.95)
        name = f"share of seeds that converge at m = {self.least:,}, n = {self.num_points}, {self.title}"
        return Fit(name, share, float(interval.low), float(interval.high))


def _answer(points: "pd.DataFrame") -> Answer:
    measured = points.dropna(subset=["reached"])
    found = [
        _Enough(str(data), int(num_points), rows)
        for data, of_data in measured.groupby("data", sort=False)
        for num_points, rows in of_data.groupby("points")
    ]
    converged = points.assign(
        largest_move=points.largest_move.where(points.reached == 1), flips=points.flips.where(points.reached == 1)
    )
    fits = [fit for one in found if (fit := one.fit) is not None]
    trends = [
        (title, column, fit)
        for column in _CHANGES
        for data, rows in _within_points(converged, column).groupby("data", sort=False)
        for title in [_DATA[str(data)][0]]
        if math.isfinite(
            (fit := fit_exponent(f"exponent of m, {_FITTED[column]}, {title}", rows.width, rows[column])).value
        )
    ]
    return Answer(
        _words(found),
        _panels(points, converged, found),
        _remarks(found, trends, measured),
        (*fits, *(fit for *_, fit in trends)),
    )


def _within_points(rows: "pd.DataFrame", column: str) -> "pd.DataFrame":
    """Divide a column and the width by their geometric means over the rows of the same data and n.

    So one exponent fits all n, whatever their levels, and whichever widths converged.
    """
    rows = rows[rows[column] > 0]
    logs = np.log(rows[["width", column]].astype(float))
    return rows.assign(**np.exp(logs - logs.groupby([rows.data, rows.points]).transform("mean")))


def _words(found: Sequence[_Enough]) -> str:
    if not found:
        return "No network is trained yet."
    sentences = []
    for title in dict.fromkeys(one.title for one in found):
        parts = [
            f"{f'{one.least:,}' if one.least else 'more than was tried'} with n = {one.num_points}"
            for one in found
            if one.title == title
        ]
        sentences.append(f"on {title} it takes a width m of {join_words(parts)}")
    seeds = count_seeds(int(number) for one in found for number in one.counts)
    text = (
        f"For at least {percent(_ENOUGH)} of {seeds} to converge at this and all larger widths tried, "
        f"{'; '.join(sentences)}."
    )
    known = [one for one in found if one.least]
    if known:
        gap = min(one.theory - math.log10(one.least or 1) for one in known)
        least = min(one.theory for one in known)
        widest = join_words([f"{width:,}" for width in sorted({one.widest for one in known})])
        what = f"n⁴/λ⁴, λ the least eigenvalue of an iteration's system, with the threshold of m = {widest}"
        theory = f"The theorem asks for a width of {_power(least)} or more ({what})"
        text += (
            f" {theory}: at least {_power(gap)} times as wide."
            if gap >= 1
            else f" {theory}, which is not ten times what was needed."
        )
    return text


def _power(exponent: float) -> str:
    """Write a power of ten by its logarithm, which may be beyond any number of the machine."""
    return power_of_ten(math.floor(exponent))


def _remarks(
    found: Sequence[_Enough], trends: Sequence[tuple[str, str, Fit]], measured: "pd.DataFrame"
) -> tuple[str, ...]:
    remarks = []
    for title in dict.fromkeys(one.title for one in found):
        known = [one for one in found if one.title == title and one.least]
        if len(known) < 2:
            continue
        needs = [one.least or 0 for one in known]
        listed = join_words([str(one.num_points) for one in known])
        if len(set(needs)) == 1:
            how = "is the same"
        elif sorted(needs) == needs:
            how = "grows with n"
        elif sorted(needs, reverse=True) == needs:
            how = "falls as n grows"
        else:
            how = "neither grows nor falls steadily with n"
        remarks.append(f"On {title} the width that is enough {how}, among n = {listed}.")
    lapses = [
        f"{one.title} with n = {one.num_points} (enough at {one.first:,}, for good from {one.least:,} on)"
        if one.least
        else f"{one.title} with n = {one.num_points} (enough at {one.first:,}, and not at the widest)"
        for one in found
        if one.first is not None and one.first != one.least
    ]
    if lapses:
        remarks.append(f"Wider is not always better: it is not so for {join_words(lapses)}.")
    elif any(one.first for one in found):
        remarks.append("Whatever was wide enough stayed so at all larger widths tried.")
    certain = _certainty(found)
    if certain:
        remarks.append(certain)
    for title, column, fit in trends:
        less, more = _CHANGES[column]
        how = less if fit.high < 0 else more if fit.low > 0 else f"neither surely {less} nor {more}"
        remarks.append(
            f"On {title}, in runs that converge: the wider the network, {how}, as {power_of('m', fit.value, 2)} "
            f"(95 %: {numeral(fit.low, 2)} to {numeral(fit.high, 2)})."
        )
    failed = measured[measured.reached == 0]
    if len(failed):
        text = (
            f"{percent(float((failed.silent > 0).mean()))} of {count(len(failed), 'run')} that did not converge began "
            "with a datapoint that fires no neuron"
        )
        others = measured[measured.reached == 1]
        share = percent(float((others.silent > 0).mean())) if len(others) else ""
        remarks.append(f"{text}, and {share} of the {len(others):,} that did." if share else f"{text}.")
    if len(measured):
        largest = int(measured.points.max())
        remarks.append(
            "λ shrinks as the network grows, for b grows with it, so the theorem's condition can hold only where "
            f"m is at least {power_of_ten(round(required_width_exponent(largest)))} with n = {largest} and the paper's "
            "threshold."
        )
    return tuple(remarks)


def _certainty(found: Sequence[_Enough]) -> str:
    """Say how small the share may really be where the seeds say that it is large enough."""
    lowest = min((fit for one in found if (fit := one.fit) is not None), key=lambda fit: fit.low, default=None)
    if lowest is None or lowest.low >= _ENOUGH:
        return ""
    return (
        f"So few seeds do not tell shares apart well: where {percent(lowest.value)} of them converge, the share of all "
        f"seeds may be {percent(lowest.low)} (95 %)."
    )


def _panels(points: "pd.DataFrame", converged: "pd.DataFrame", found: Sequence[_Enough]) -> tuple[Panel, ...]:
    panels = [
        Panel(
            title=f"Share of seeds that converge, {_DATA[data][0]}",
            x_title="neurons m",
            y_title=f"share of seeds at a loss of {numeral(_UNTIL_LOSS, 1)}",
            curves=tuple(
                share_of_seeds(curve)
                for curve in curves_of(points[points.data == data], "width", "reached", by="points", names=_named)
            ),
            log_x=True,
        )
        for data in points.data.unique()
    ]
    panels.append(_widths(found))
    for column, title, y_title in (
        ("largest_move", "How far the neuron moves that moves farthest", "distance of its weights from the start"),
        ("flips", "Pairs that fire at the start and not at the end, or the reverse", "share of those at the start"),
        ("iterations", "Iterations of runs that converge", "iterations"),
    ):
        for data in points.data.unique():
            rows = converged[converged.data == data]
            rows = rows.assign(iterations=rows.iterations.where(rows.reached == 1))
            panels.append(
                Panel(
                    title=f"{title}, {_DATA[data][0]}",
                    x_title="neurons m",
                    y_title=y_title,
                    curves=curves_of(rows, "width", column, by="points", names=_named),
                    log_x=True,
                    log_y=True,
                )
            )
    return tuple(panels)


def _named(num_points: object) -> str:
    return f"n = {int(str(num_points).removesuffix('.0'))}"


def _widths(found: Sequence[_Enough]) -> Panel:
    curves = []
    for title in dict.fromkeys(one.title for one in found):
        mine = [one for one in found if one.title == title]
        places = [float(one.num_points) for one in mine]
        least = np.array([one.least or math.nan for one in mine], dtype=float)
        curves.append(Curve(f"enough, {title}", places, least, np.empty((0, len(places)))))
        theory = np.array([10.0**one.theory if one.theory < 300 else math.nan for one in mine])
        curves.append(formula(f"theory, n⁴/λ⁴, {title}", places, theory))
    return Panel(
        title=f"Least width from which on {percent(_ENOUGH)} of the seeds converge",
        x_title="datapoints n",
        y_title="neurons m",
        curves=tuple(curves),
        log_x=True,
        log_y=True,
    )


EXPERIMENT = Experiment(
    key="width",
    order=4,
    title="How wide is wide enough?",
    question="How many neurons does it take for training to converge, and how much does a network change on the way?",
    varied="The width m, the number of datapoints n, the data, and the seed of data and weights.",
    fixed="The paper's threshold for each width, full Gauss–Newton steps with the exact solve. A run converges if it "
    f"reaches a loss of {numeral(_UNTIL_LOSS, 1)} within {_MOST_ITERATIONS} iterations; it ends sooner if its losses "
    "repeat themselves or no neuron fires.",
    columns={
        "data": Column(str, "digits: odd or even; centred: the same less the mean image"),
        "points": Column(int, "datapoints n"),
        "width": Column(int, "neurons m"),
        "seed": Column(int, "of data and weights"),
        "reached": Column(int, "1 if the run converged, else 0"),
        "iterations": Column(int, "iterations made"),
        "loss": Column(float, "at the last iteration, before its move, squared units of the target"),
        "largest_move": Column(float, "distance of the weights of the neuron that moved farthest from their start"),
        "flips": Column(float, "pairs that fire at the start or at the end and not at both, over those at the start"),
        "silent": Column(int, "datapoints that fire no neuron at the start"),
        "limit_lambda": Column(float, "smallest eigenvalue of G as the width grows without bound, with this threshold"),
    },
    seeds={"quick": 8, "default": 15, "full": 40},
    plan=_plan,
    measure=_measure,
    answer=_answer,
    required_bytes=_required_bytes,
    required_seconds=_required_seconds,
)
