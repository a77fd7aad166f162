"""A sweep: all tasks of an experiment measured, the points kept as they come, and the answer so far.

A point that is kept is never measured again, so a sweep that was cancelled, or whose process has ended, goes on where
it was. A task is claimed in the store before it is measured: what another sweep is at is left to it, in this process or
in another, and looked for until its point is there or its claim has ended. A process that dies may take other processes
and all their tasks with it: these are measured again, each alone, so that a task that ends its process three times is
known, and is given up.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from treeviz.lab.experiment import MAX_HOURS, Answer, Request, Task, Value
from treeviz.lab.pools import Pool, PoolMaker, measure_point, usable_processors
from treeviz.lab.store import LEASE_SECONDS, PointStore, name_task
from treeviz.lab.wording import count_seeds
from treeviz.model.numerals import count
from treeviz.training.memory import require_memory

if TYPE_CHECKING:
    import pandas as pd

State = Literal["waiting", "running", "paused", "cancelled", "done", "failed"]
_LOOK_SECONDS = 0.2  # how soon a pause or a cancel is seen
_MOST_DEATHS = 3
_ANSWERS = ThreadPoolExecutor(1, "treeviz-lab-answers")  # one at a time: each takes a part of a second of a processor


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is: points done, those of them measured now or before, of all; and seconds left, about."""

    num_done: int
    num_all: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class _Answered:
    """How many points there were, what they said, and when that was computed."""

    num_done: int
    answer: Answer | None
    at: float


def require_sense(request: Request, num_workers: int) -> None:
    """Raise a ValueError if a sweep would not fit in memory, or would take longer than anyone waits."""
    what = f"the largest point of {request.experiment.key!r} needs about {request.num_bytes / 1e9:.1f} GB"
    require_memory(request.num_bytes, what, "choose a smaller size, or a machine with more memory")
    hours = request.num_seconds / num_workers / 3600
    if hours > MAX_HOURS:
        raise ValueError(
            f"{len(request.tasks):,} points of {request.experiment.key!r} would take about {hours:,.0f} hours, and "
            f"{MAX_HOURS:.0f} are the most: choose fewer seeds or a smaller size"
        )


class Sweep:
    """The points of a request, as far as they are measured.

    Attributes
    ----------
    request : what was asked for.
    state : "waiting" until it begins; "failed" if something unforeseen ended it, see `error`.
    error : what that was, in words.
    lost : tasks that could not be measured here, by `name_task`, and why. They are tried again by the next sweep.
    """

    def __init__(self, request: Request, store: PointStore, make_pool: PoolMaker) -> None:
        self.request, self.error = request, ""
        self.state: State = "waiting"
        self.lost: dict[str, str] = {}
        self._store, self._make_pool, self._owner = store, make_pool, uuid4().hex
        self._tasks = {name_task(task): task for task in request.tasks}
        self._points: dict[str, dict[str, Value]] = {}
        self._unkept: deque[tuple[Task, dict[str, Value], float]] = deque()
        self._revision = b""  # of the file, when it was looked at
        self._answered = _Answered(0, None, 0.0)
        self._coming: Future[Answer | None] | None = None
        self._lock = threading.Lock()
        self._orders: Literal["go", "pause", "cancel"] = "go"
        self._seconds, self._work = 0.0, 0.0  # real time of this sweep so far, and what of the estimate it did
        self._thread: threading.Thread | None = None
        self.look()

    def look(self) -> None:
        """Take in the points that are kept, which another process may have measured."""
        revision = self._store.revision()
        if revision == self._revision:
            return
        with self._lock:
            missing = self._tasks.keys() - self._points.keys()
        kept = self._store.find(self.request.experiment, missing)
        with self._lock:
            self._points |= kept
            self._revision = revision

    @property
    def is_on(self) -> bool:
        """Whether it was started, and is not over."""
        return self._thread is not None and self.state in ("waiting", "running", "paused")

    @property
    def wants_pause(self) -> bool:
        """Whether it was told to pause, and not to go on since."""
        return self._orders == "pause"

    @property
    def is_ending(self) -> bool:
        """Whether it was cancelled, and its processes have not ended yet."""
        return self.is_on and self._orders == "cancel"

    @property
    def num_done(self) -> int:
        """Points that are known."""
        with self._lock:
            return len(self._points)

    @property
    def is_complete(self) -> bool:
        """Whether all points are measured."""
        return self.num_done == len(self.request.tasks)

    def progress(self) -> Progress:
        """Say how far the sweep is. The estimate is corrected by the time that its points have taken so far."""
        request = self.request
        with self._lock:
            left = sum(seconds for name, seconds in self._estimates.items() if name not in self._points)
            pace = self._seconds / self._work if self._work else 1 / usable_processors()
            return Progress(len(self._points), len(request.tasks), left * pace)

    def points(self) -> "pd.DataFrame":
        """Return a row a task, in the order of the plan, with the columns of the experiment and "failed"."""
        import pandas as pd

        with self._lock:
            known = dict(self._points)
        experiment = self.request.experiment
        rows = [{**task, **known.get(name, {})} for name, task in self._tasks.items()]
        table = pd.DataFrame(rows, columns=[*experiment.columns, "failed"])
        for name, column in experiment.columns.items():
            if column.kind is not str:
                table[name] = table[name].astype("float64")
        return table

    def failures(self) -> list[str]:
        """Return why points have no values: what the experiment refused, and what could not be measured here."""
        with self._lock:
            refused = [
                str(point["failed"]) for name in self._tasks if "failed" in (point := self._points.get(name, {}))
            ]
            return refused + list(self.lost.values())

    def answer(self) -> Answer | None:
        """Return what the points say so far; None while none is measured. It is computed when there are more points."""
        known, num_done = self._answered, self.num_done
        if num_done != known.num_done:
            points = self.points()
            is_measured = points[self._measured].notna().any(axis=None)
            answer = self._with_seeds(self.request.experiment.answer(points)) if is_measured else None
            known = self._answered = _Answered(num_done, answer, monotonic())
        return known.answer

    def known_answer(self, patience: float = 0.0) -> Answer | None:
        """Return the answer that is known, at once; None if there is none yet.

        If there are more points, a newer answer is computed in another thread, see `is_answering`; while the sweep is
        on, no sooner than so many seconds after the last. What went wrong with that is raised by the next call.
        """
        with self._lock:
            coming, known = self._coming, self._answered
            is_behind = known.num_done != len(self._points)
            is_due = known.answer is None or not self.is_on or monotonic() - known.at >= patience
            if coming is None or coming.done():
                self._coming = _ANSWERS.submit(self.answer) if is_behind and is_due else None
        if coming is not None and coming.done():
            coming.result()
        return self._answered.answer

    @property
    def is_answering(self) -> bool:
        """Whether a newer answer than the one that is known is being computed."""
        coming = self._coming
        return coming is not None and not coming.done()

    def _with_seeds(self, answer: Answer) -> Answer:
        """Add how many seeds the answer rests on: to its words where that differs, else to its remarks."""
        with self._lock:
            failed = {name for name, point in self._points.items() if "failed" in point}
            known = self._points.keys() - failed
        settings: Counter[str] = Counter()
        for name, task in self._tasks.items():
            if name not in failed:
                settings[name_task({**task, "seed": None})] += name in known
        measured = [number for number in settings.values() if number]
        if min(settings.values(), default=0) == max(measured, default=0):
            told = f"Each of {count(len(settings), 'setting')} is measured with {count_seeds(measured)}."
            return replace(answer, remarks=(*answer.remarks, told))
        told = (
            f"So far {len(measured):,} of {count(len(settings), 'setting')} are measured, with {count_seeds(measured)}."
        )
        return replace(answer, words=f"{answer.words} {told}")

    @cached_property
    def _estimates(self) -> dict[str, float]:
        """How many seconds each task takes on one core, about, by `name_task`."""
        return {name: self.request.experiment.required_seconds(task) for name, task in self._tasks.items()}

    @property
    def _measured(self) -> list[str]:
        """The columns that are no part of a task."""
        return [name for name in self.request.experiment.columns if name not in self.request.tasks[0]]

    def start(self, turn: threading.Lock) -> None:
        """Measure what is missing in a thread of its own, when it is this sweep's turn; it may have been over."""
        self._orders, self.state, self.error = "go", "waiting", ""
        self._thread = threading.Thread(target=self._run_in_turn, args=(turn,), name="treeviz-lab", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Begin no further task; those under way are finished and kept. After a cancel it has no effect."""
        self._order("pause")

    def resume(self) -> None:
        """Go on after a pause. After a cancel it has no effect."""
        self._order("go")

    def cancel(self) -> None:
        """End now. What is done is kept."""
        self._order("cancel")

    def _order(self, orders: Literal["go", "pause", "cancel"]) -> None:
        with self._lock:
            if self._orders != "cancel":
                self._orders = orders

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def run(self, on_point: Callable[[Progress], object] = lambda progress: None) -> None:
        """Measure what is missing in this thread; `on_point` is called after every point."""
        self.state = "running"
        self.lost.clear()
        deaths = Counter[str]()
        try:
            self._keep()
            self.look()  # another sweep may have measured some while this one waited
            waiting = deque(self._missing())
            while waiting and self._orders != "cancel":
                with self._make_pool() as pool:
                    died = self._measure(pool, waiting, deaths, on_point)
                for task in died:
                    name = name_task(task)
                    deaths[name] += 1
                    if deaths[name] < _MOST_DEATHS:
                        waiting.append(task)
                    else:
                        self.lost[name] = f"its process was ended {_MOST_DEATHS} times, perhaps for lack of memory"
        except Exception as error:
            self.state, self.error = "failed", str(error) or type(error).__name__
            raise
        except BaseException:
            self.state = "cancelled"
            raise
        self.state = "done" if not waiting else "cancelled"

    def _run_in_turn(self, turn: threading.Lock) -> None:
        while not turn.acquire(timeout=_LOOK_SECONDS):
            if self._orders == "cancel":
                self.state = "cancelled"
                return
        try:
            with suppress(Exception):  # `error` says it: a thread has no caller to raise to
                self.run()
        finally:
            turn.release()

    def _missing(self) -> list[Task]:
        return [task for name, task in self._tasks.items() if name not in self._points]

    def _measure(
        self, pool: Pool, waiting: deque[Task], deaths: Counter[str], on_point: Callable[[Progress], object]
    ) -> list[Task]:
        """Measure tasks until none waits, the sweep is cancelled, or a process dies; return the tasks that died.

        Those that died before wait behind all others, and are measured alone.
        """
        flying: dict[Future[Any], Task] = {}
        died: list[Task] = []
        start = renewed = perf_counter()
        try:
            while not died and (flying or (waiting and self._orders != "cancel")):
                if self._orders == "cancel":
                    break
                self.state = "paused" if self._orders == "pause" and not flying else "running"
                if self._orders == "go":
                    self._submit(pool, waiting, flying, deaths, on_point)
                done, _ = wait(flying, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                if not flying:
                    threading.Event().wait(_LOOK_SECONDS)
                    start = perf_counter()
                elif perf_counter() - renewed > LEASE_SECONDS / 4:
                    renewed = perf_counter()
                    self._store.renew(self._owner)
                for future in done:
                    task = flying.pop(future)
                    try:
                        point, seconds = future.result()
                    except pool.deaths:
                        died.append(task)
                    except CancelledError as error:
                        raise ValueError("the cluster no longer answers: go on when it does") from error
                    except MemoryError:
                        self.lost[name_task(task)] = "there was not enough memory"
                    else:
                        self._seconds, start = self._seconds + perf_counter() - start, perf_counter()
                        self._take(task, point, seconds)
                        on_point(self.progress())
        finally:
            rest = list(flying.values())
            (died if died else waiting).extend(rest)
            for future in flying:
                future.cancel()
            with suppress(ValueError):  # where nothing can be written claims end by themselves
                self._store.release(self._owner)
        return died

    def _submit(
        self,
        pool: Pool,
        waiting: deque[Task],
        flying: dict[Future[Any], Task],
        deaths: Counter[str],
        on_point: Callable[[Progress], object],
    ) -> None:
        """Begin tasks until none is free or all processes have one; a task that another sweep is at waits."""
        is_refused = False
        for _ in range(len(waiting)):
            is_alone = any(deaths[name_task(task)] for task in (waiting[0], *flying.values()))
            if len(flying) >= (1 if is_alone else pool.num_slots):
                break
            task = waiting.popleft()
            if name_task(task) in self._points:
                continue
            if self._store.claim(self.request.experiment, task, self._owner):
                flying[pool.executor.submit(measure_point, self.request.experiment.key, task)] = task
            else:
                waiting.append(task)
                is_refused = True
        if is_refused:
            self.look()
            on_point(self.progress())

    def _take(self, task: Task, point: dict[str, Value], seconds: float) -> None:
        with self._lock:
            self._points[name_task(task)] = point
            self._work += self._estimates[name_task(task)]
        self._unkept.append((task, point, seconds))
        self._keep()

    def _keep(self) -> None:
        """Keep what is measured; what cannot be kept is tried again with the next point, or by the next run."""
        while self._unkept:
            self._store.keep(self.request.experiment, *self._unkept[0])
            self._unkept.popleft()
