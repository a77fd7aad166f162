"""Where points are measured: processes of this machine, or a cluster. Both are executors that run one function."""

import json
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from treeviz.lab.experiment import Task, Value
from treeviz.training.cluster import connect

# How much less of a busy processor a process that measures gets than one that draws a page.
_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Pool:
    """Where tasks run.

    Attributes
    ----------
    executor : runs them.
    num_slots : how many at a time.
    deaths : what a task raises whose process has ended.
    """

    executor: Executor
    num_slots: int
    deaths: tuple[type[Exception], ...]


PoolMaker = Callable[[], AbstractContextManager[Pool]]


def measure_point(key: str, task: Task) -> tuple[dict[str, Value], float]:
    """Measure a task of an experiment; return the point's values and how many seconds it took.

    In one thread, so that the values do not depend on how many there are. Where the experiment refuses the task, the
    value "failed" says why. Numbers that are not finite become None: JSON has none.
    """
    from threadpoolctl import threadpool_limits

    from treeviz.lab.experiments import find_experiments

    experiment = find_experiments()[key]
    start = perf_counter()
    try:
        with threadpool_limits(1):
            measured = dict(experiment.measure(task))
    except ValueError as error:
        return {"failed": str(error)}, perf_counter() - start
    if unknown := set(measured) - set(experiment.columns):
        raise KeyError(f"{key} measured {', '.join(sorted(unknown))}, which are no columns of it")
    return json.loads(json.dumps(measured, default=_plain), parse_constant=lambda _: None), perf_counter() - start


def _plain(value: object) -> object:
    """Return the Python number of a NumPy one."""
    return value.item()  # type: ignore[attr-defined]


def usable_processors() -> int:
    """Return how many processors this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def local_pool(num_workers: int | None = None) -> PoolMaker:
    """Return what starts processes of this machine, one a processor unless their number is given."""

    @contextmanager
    def start() -> Iterator[Pool]:
        from loky import ProcessPoolExecutor  # unlike the standard library's, it never runs the caller's main module

        warnings.filterwarnings("ignore", "A worker was restarted", module="loky")  # after a point of much memory
        count = num_workers or usable_processors()
        executor = ProcessPoolExecutor(max_workers=count, initializer=_give_way, env={"OMP_NUM_THREADS": "1"})
        try:
            yield Pool(executor, count, (BrokenExecutor,))
        finally:
            executor.shutdown(wait=True, kill_workers=True)

    return start


def cluster_pool(address: str) -> PoolMaker:
    """Return what connects to a cluster of dask.distributed; entering it raises ValueError if none answers."""

    @contextmanager
    def start() -> Iterator[Pool]:
        with connect(address) as found:
            client: Any = found  # its library is typed in part
            from distributed import KilledWorker

            executor = client.get_executor(pure=False)
            try:
                yield Pool(executor, sum(client.nthreads().values()), (KilledWorker,))
            finally:
                executor.shutdown(wait=False)  # which cancels what is under way

    return start


def _give_way() -> None:
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
