"""Asking shards: tasks for the workers that keep them, and other workers for those that are lost."""

import contextlib
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from treeviz.search.sharded.shard import Event, Plan
from treeviz.search.sharded.worker import Hold, Missing, Task, serve
from treeviz.search.watch.screening import FIXED_BYTES, drawn_bytes

if TYPE_CHECKING:
    from distributed import Client, Future

# Of the memory that a worker may take, what its shards may take: beyond 0.7, dask begins to write to disk.
_SHARE = 0.6
# Seconds that a cluster may be without any worker before the run is given up, and between two looks at it.
_PATIENCE, _PAUSE = 60.0, 0.5
_NO_WORKERS = f"the cluster has had no workers for {_PATIENCE:.0f} s: start some, and go on from the checkpoint"
_NO_SCHEDULER = "the scheduler of the cluster is gone: start another, and go on from the checkpoint"
_CLOSED = ("closing", "closed")
# Shards that a worker must make are asked for in so many tasks, so that they can be seen to come.
_TASKS_OF_BUILDING = 8


class ClusterError(RuntimeError):
    """The cluster cannot go on; the message says why, and what to do."""


class _LostError(Exception):
    """An answer is lost with its worker."""


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker of the cluster: its threads, and the bytes that it may take; 0 if nothing limits them."""

    num_threads: int
    memory_limit: int


class Shards:
    """The shards of a run, wherever they are.

    Parameters
    ----------
    client : of a cluster of `dask.distributed`.
    plan : what the shards share.

    Raises
    ------
    ValueError
        If they would not fit in the memory of a worker.
    ClusterError
        If there are no workers.
    """

    def __init__(self, client: "Client", plan: Plan) -> None:
        self.plan, self._client, self._run = plan, client, uuid.uuid4().hex
        self._events: list[Event] = []
        self._places: dict[int, str] = {}  # by shard the address of its worker
        self._holds: dict[str, Future[Hold]] = {}
        self._workers = self._find_workers()
        if not self._workers:
            raise ClusterError("the cluster has no workers: start some, and run again")
        self._require_memory()
        self._place(range(plan.num_shards))

    @property
    def version(self) -> int:
        """How many events there were."""
        return len(self._events)

    def take(self, event: Event) -> None:
        """Let an event happen before the next question."""
        self._events.append(event)

    def ask(
        self,
        question: str,
        *arguments: Any,
        version: int | None = None,
        on_shard: Callable[[int, int], object] = lambda done, of: None,
    ) -> list[Any]:
        """Ask the shards as they were after some events, all if `version` is None; return the answers of tasks.

        First the workers are sent the last event. Those that lack a shard say so, and are sent all.

        Raises
        ------
        ClusterError
            If the client is closed, all workers are gone, or the scheduler, or workers are lost again and again.
        """
        if self._client.status in _CLOSED:
            raise ClusterError(
                "the cluster that keeps this run is closed: ask for its neurons, or save the trace, while it is open"
            )
        version = self.version if version is None else version
        unknown, lacking, answers = set(range(self.plan.num_shards)), set[int](), list[Any]()
        while unknown:
            tasks = dict(
                self._send(address, self._task(version, numbers, question, arguments, is_lacking=is_lacking))
                for address, is_lacking, numbers in self._groups(unknown, lacking)
            )
            for task, answer in self._wait(tasks):
                if isinstance(answer, Missing):
                    lacking.update(answer.numbers)
                else:
                    answers.append(answer)
                    unknown.difference_update(task.numbers)
                    on_shard(self.plan.num_shards - len(unknown), self.plan.num_shards)
            if unknown:
                self._replace_lost()
        return answers

    def _groups(
        self, unknown: Collection[int], lacking: Collection[int]
    ) -> Iterator[tuple[str, bool, tuple[int, ...]]]:
        """Yield shards that one task is for: of one worker, and all or none of them to be made."""
        for address in dict.fromkeys(self._places.values()):
            own = [number for number in sorted(unknown) if self._places[number] == address]
            if there := tuple(number for number in own if number not in lacking):
                yield address, False, there
            wanted = [number for number in own if number in lacking]
            size = max(self._workers[address].num_threads, -(-len(wanted) // _TASKS_OF_BUILDING))
            for first in range(0, len(wanted), size):
                yield address, True, tuple(wanted[first : first + size])

    def _task(
        self, version: int, numbers: tuple[int, ...], question: str, arguments: tuple[Any, ...], *, is_lacking: bool
    ) -> Task:
        events = self._events[0 if is_lacking else max(0, version - 1) : version]
        return Task(self._run, numbers, version, events, self.plan if is_lacking else None, question, arguments)

    def _send(self, address: str, task: Task) -> "tuple[Future[Any], tuple[str, Task]]":
        with warnings.catch_warnings(action="ignore"):  # that data are large: they are sent once
            future = self._client.submit(
                serve,
                task,
                key=f"treeviz-{task.question}-{uuid.uuid4().hex}",
                workers=[address],
                allow_other_workers=True,  # if the worker is lost; the other one says what it lacks
                pure=False,
            )
        return future, (address, task)

    def _wait(self, tasks: "dict[Future[Any], tuple[str, Task]]") -> Iterator[tuple[Task, Any]]:
        """Yield tasks and their answers as they come; not those of workers that are lost meanwhile.

        Such a task is sent again by who asks. Dask does that, too, but where a worker is lost after its work is
        done and before the answer is read, it may wait forever.
        """
        import distributed

        wait_for: Any = distributed.wait  # it has no types
        pending, alone_since = set(tasks), time.monotonic()
        while pending:
            try:
                done = wait_for(list(pending), timeout=_PAUSE, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                done = set()
            for future in done:
                with contextlib.suppress(_LostError):
                    yield tasks[future][1], self._result(future)
            pending -= done
            if not done:
                workers = self._find_workers()
                pending = {future for future in pending if tasks[future][0] in workers}
                alone_since = time.monotonic() if workers else alone_since
                if time.monotonic() > alone_since + _PATIENCE:
                    raise ClusterError(_NO_WORKERS)

    def _result(self, future: "Future[Any]") -> Any:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise ClusterError(_NO_SCHEDULER)
        while True:
            try:
                return future.result(timeout=_PAUSE)
            except TimeoutError as error:
                if not self._workers.keys() <= self._find_workers().keys():
                    raise _LostError from error
            except KilledWorker as error:
                raise ClusterError(
                    "worker after worker was lost while it worked on the same shards. Most often their memory is too "
                    "short: give workers more of it, start more of them, or choose a smaller width"
                ) from error
            except MemoryError as error:
                raise ClusterError(
                    "the memory of a worker is too short: give workers more of it, start more of them, or choose a "
                    "smaller width"
                ) from error

    def _find_workers(self) -> dict[str, _Worker]:
        """Return the workers that there are now, by address."""
        try:
            found = self._client.scheduler_info().get("workers", {})
        except OSError:
            found = {}
        if self._client.status in _CLOSED:
            raise ClusterError(_NO_SCHEDULER)
        return {address: _Worker(one["nthreads"], one["memory_limit"] or 0) for address, one in found.items()}

    def _require_memory(self) -> None:
        plan, num_threads = self.plan, sum(worker.num_threads for worker in self._workers.values())
        growing = drawn_bytes(plan.data, replace(plan.config, skin=plan.skin)) - FIXED_BYTES
        for address, worker in self._workers.items():
            needed = growing * worker.num_threads // num_threads + FIXED_BYTES
            usable = _SHARE * worker.memory_limit
            if 0 < usable < needed:
                raise ValueError(
                    f"memory is too short on the worker {address}: its share of width {plan.config.width:,} with "
                    f"{plan.data.num_points} datapoints needs about {needed / 1e9:.1f} GB, and {usable / 1e9:.1f} of "
                    f"its {worker.memory_limit / 1e9:.1f} GB may be used: start workers with a larger --memory-limit, "
                    "start more of them, or choose a smaller width"
                )

    def _place(self, numbers: Sequence[int]) -> None:
        """Give shards to the workers with the fewest for their threads."""
        loads = Counter(self._places.values())
        for number in numbers:
            address = min(self._workers, key=lambda one: (loads[one] + 1) / self._workers[one].num_threads)
            self._places[number] = address
            loads[address] += 1
        for address in set(self._places.values()) - set(self._holds):
            self._holds[address] = self._client.submit(
                Hold, self._run, key=f"treeviz-hold-{uuid.uuid4().hex}", workers=[address], pure=False
            )

    def _replace_lost(self) -> None:
        """Find other workers for the shards of those that are gone."""
        start = time.monotonic()
        while not (workers := self._find_workers()):
            if time.monotonic() > start + _PATIENCE:
                raise ClusterError(_NO_WORKERS)
            time.sleep(_PAUSE)
        self._workers = workers
        lost = [number for number, address in self._places.items() if address not in workers]
        self._places = {number: address for number, address in self._places.items() if address in workers}
        self._holds = {address: hold for address, hold in self._holds.items() if address in workers}
        self._place(lost)
