"""What a worker does: it keeps the shards of a run from task to task, brings them up to date, and answers questions.

The shards are in this module, not in dask's memory: they change, and must not be copied or written to disk. `Hold` ties
them to a result that dask keeps: when the process that trains is done, or lost, dask lets go of it, and they go, too.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import numpy as np

from treeviz.model.firing import FiringSets
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops, one_blas_thread
from treeviz.search.scan import Scan
from treeviz.search.sharded.shard import Built, Event, Plan, Shard
from treeviz.search.watch.lists import Moved

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A question to some shards of a run at some moment.

    Attributes
    ----------
    run : its key.
    numbers : of the shards.
    version : how many events they must have seen.
    events : the last events up to there. A shard that has not seen those before them is missing, unless `plan` is
        given: then `events` are all, and the shard is made.
    question, arguments : a method of `Answers`, and what it is called with.
    """

    run: str
    numbers: tuple[int, ...]
    version: int
    events: Sequence[Event]
    plan: Plan | None
    question: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """The shards that the worker at an address would have needed and does not have."""

    numbers: tuple[int, ...]
    address: str


class Hold:
    """Keeps the shards of a run in this worker as long as it lives, which is as long as dask keeps it."""

    def __init__(self, run: str) -> None:
        self._run = run

    def __del__(self) -> None:
        _RUNS.pop(self._run, None)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a hold stays where it is")


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What a worker has of a run: shards up to date, and others that are replayed to earlier moments."""

    plan: Plan
    shards: dict[int, Shard] = field(default_factory=dict)
    replayed: dict[int, Shard] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_RUNS: dict[str, _Run] = {}


def serve(task: Task) -> "Any | Missing":
    """Answer a question; a result of `Answers`, or `Missing`. What dask calls in a worker."""
    from distributed import get_worker

    worker = get_worker()
    return answer(task, worker.state.nthreads, worker.address)


def answer(task: Task, num_threads: int, address: str) -> "Any | Missing":
    """Do so with some threads."""
    run = _RUNS.get(task.run)
    if run is None:
        if task.plan is None:
            return Missing(task.numbers, address)
        run = _RUNS.setdefault(task.run, _Run(task.plan))
    data = run.plan.data
    load_loops("watch.loops")  # by one thread
    # One task of a run at a time: after a broken connection, dask may send one again that is still at work.
    with run.lock, one_blas_thread(), ThreadPoolExecutor(num_threads) as pool:
        is_past = any(shard.version > task.version for number, shard in run.shards.items() if number in task.numbers)
        if not is_past:
            run.replayed.clear()
        kept = run.replayed if is_past else run.shards

        def bring(number: int) -> Shard | None:
            if _RUNS.get(task.run) is not run:
                raise RuntimeError("the run that this was for is over")
            return _bring(kept, number, task, run.plan)

        shards = dict(zip(task.numbers, pool.map(bring, task.numbers), strict=True))
        if missing := tuple(number for number, shard in shards.items() if shard is None):
            return Missing(missing, address)
        found = {number: shard for number, shard in shards.items() if shard is not None}
        ask: Callable[..., Any] = getattr(Answers(found, data.num_points, pool), task.question)
        return ask(*task.arguments)


def _bring(kept: dict[int, Shard], number: int, task: Task, plan: Plan) -> Shard | None:
    """Return a shard that has seen the events; None if it would have had to be there and is not."""
    first = task.version - len(task.events)
    shard = kept.get(number)
    if shard is None or not first <= shard.version <= task.version:
        if task.plan is None:
            return None
        shard = Shard(plan, number)
    kept.pop(number, None)  # until it is whole again
    for event in task.events[shard.version - first :]:
        shard.take(event)
    kept[number] = shard
    return shard


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What the shards of a worker add to the outputs, and what the last event took.

    Attributes
    ----------
    overlaps : (n, n), added up: whole numbers are the same in any order.
    parts : by shard its offsets and its turnover, (2, n).
    moved, num_bytes : added up.
    """

    overlaps: Ints
    parts: dict[int, Floats]
    moved: Moved
    num_bytes: int


class Answers:
    """The questions that can be asked of shards."""

    def __init__(self, shards: dict[int, Shard], num_points: int, pool: ThreadPoolExecutor) -> None:
        self._shards, self._num_points, self._pool = shards, num_points, pool

    def totals(self) -> Totals:
        """Return what all shards add, and what the last event took."""
        overlaps, moved = np.zeros((self._num_points, self._num_points), dtype=np.int64), Moved.nothing()
        for shard in self._shards.values():
            overlaps += shard.sums.overlaps
            moved += shard.moved
        parts = {number: np.stack([shard.sums.offsets, shard.sums.turnover]) for number, shard in self._shards.items()}
        return Totals(overlaps, parts, moved, sum(shard.num_bytes for shard in self._shards.values()))

    def built(self) -> dict[int, Built]:
        """Return by shard what building found."""
        return {number: shard.built for number, shard in self._shards.items()}

    def just_promoted(self) -> dict[int, Ints]:
        """Return by shard the neurons that the last event promoted."""
        return {number: shard.just_promoted() for number, shard in self._shards.items()}

    def num_touched(self, points: Ints | None) -> int:
        """Return how many neurons fire on a datapoint, or on one of some."""
        return sum(self._pool.map(lambda shard: shard.num_touched(points), self._shards.values()))

    def firing(self) -> dict[int, FiringSets]:
        """Return by shard which neurons fire."""
        return dict(zip(self._shards, self._pool.map(Shard.firing, self._shards.values()), strict=True))

    def moves(self, neurons: dict[int, Ints] | None) -> dict[int, tuple[Ints, Floats]]:
        """Return by shard neurons that may have moved, and how far; with `neurons` by shard, only of those."""
        return {
            number: shard.moves(None if neurons is None else neurons[number]) for number, shard in self._shards.items()
        }

    def outputs_at(self, X: Floats, firsts: Ints) -> dict[int, Floats]:
        """Return by shard what its neurons add to the outputs at X; `firsts` says how many neurons are before each."""
        return self._of_each(lambda number, shard: shard.outputs_at(X, int(firsts[number])))

    def weights(self, neurons: dict[int, Ints] | None, firsts: Ints) -> dict[int, Floats]:
        """Return by shard the weights of its neurons, or of some."""
        return self._of_each(
            lambda number, shard: shard.weights(None if neurons is None else neurons[number], int(firsts[number]))
        )

    def scan(self, firsts: Ints) -> dict[int, Scan]:
        """Return by shard which neurons fire, found by brute force."""
        return self._of_each(lambda number, shard: shard.scan(int(firsts[number])))

    def _of_each(self, look: Callable[[int, Shard], T]) -> dict[int, T]:
        return dict(zip(self._shards, self._pool.map(look, self._shards, self._shards.values()), strict=True))


def merge(answers: Iterable[Any]) -> dict[int, Any]:
    """Put together answers by shard, in the order of the shards."""
    merged: dict[int, Any] = {}
    for one in answers:
        merged |= one
    return dict(sorted(merged.items()))
