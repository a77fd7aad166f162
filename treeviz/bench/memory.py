"""Peak memory, measured in a process of its own for each training.

A server that has imported everything and done nothing forks a process for each training (`multiprocessing`'s
"forkserver"): one started by the benchmark itself would inherit its high-water mark. In the new process a network of a
few neurons is trained first, which loads and touches the code; then `resource.getrusage(RUSAGE_SELF).ru_maxrss` is
taken, the problem is trained to the end, and taken again. The difference is what is reported: the peak of the arrays
touched, with the drawn weights, buffers and threads, beyond a process that has all imported and nothing to do. Linear
algebra has one thread there: a busy machine then costs little time, and another thread's buffer is next to nothing.
"""

import gc
import multiprocessing
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType

from threadpoolctl import threadpool_limits

from treeviz.bench.candidate import Candidate, train, warm_up
from treeviz.bench.plan import Problem
from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.training.memory import usable_bytes

# What was freed in warming up is used again, and memory comes in pages: smaller differences mean nothing.
RESOLUTION_BYTES = 1 << 20
NOT_MEASURED = "not measured on this system"
_WARM_UP_WIDTH = 1024


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes at the peak; None, and why, if they are not known."""

    num_bytes: int | None
    reason: str = ""

    @property
    def is_resolved(self) -> bool:
        """Whether it is more than what can be told apart from nothing."""
        return self.num_bytes is not None and self.num_bytes >= RESOLUTION_BYTES


def can_measure() -> bool:
    """Whether this system tells a process's peak memory and can fork: Linux and macOS do, Windows does not."""
    try:
        import resource  # noqa: F401
    except ImportError:
        return False
    return "forkserver" in multiprocessing.get_all_start_methods()


class MemoryMeter:
    """Measures trainings, each in a fresh process; a context manager, which ends the server of the processes."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "MemoryMeter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def measure(
        self, candidates: Sequence[Candidate], problem: Problem, data: Dataset, until_loss: float
    ) -> Iterator[Peak]:
        """Yield each candidate's peak. Two train at a time, which changes no peak, where all fit into memory together.

        Cost: the trainings, drawing the weights included, and some 0.1 s each.
        """
        if not can_measure():
            yield from [Peak(None, NOT_MEASURED)] * len(candidates)
            return
        jobs = [(one, data, one.config(problem), until_loss) for one in candidates]
        together = sum(one.required_bytes(problem) for one in candidates) <= usable_bytes()
        pending = [self._submit(job) for job in jobs] if together else []
        for place, job in enumerate(jobs):
            peak: int | None
            try:
                peak = (pending[place] if together else self._submit(job)).result()
            except BrokenProcessPool:
                # A process was ended by the system, and the others with it. Alone each may fit, or be the one.
                together = False
                peak = self._measure_alone(job)
            except MemoryError:
                peak = None
            yield Peak(peak, "" if peak is not None else "it ran out of memory in a process of its own")

    def _measure_alone(self, job: tuple[Candidate, Dataset, TrainConfig, float]) -> int | None:
        self._pool = None
        try:
            return self._submit(job).result()
        except (MemoryError, BrokenProcessPool):
            self._pool = None  # the next training gets another
            return None

    def _submit(self, job: tuple[Candidate, Dataset, TrainConfig, float]) -> "Future[int]":
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__, "treeviz.bench.preload"])
            self._pool = ProcessPoolExecutor(2, context, _leave_interrupts, max_tasks_per_child=1)
        return self._pool.submit(_measure_here, *job)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _measure_here(candidate: Candidate, data: Dataset, config: TrainConfig, until_loss: float) -> int:
    """Return by how many bytes a training raises this process's peak."""
    with threadpool_limits(1, user_api="blas"):
        warm_up((candidate,), width=_WARM_UP_WIDTH)
        gc.collect()
        before = _peak_of_process()
        train(candidate, data, config, until_loss)
    return _peak_of_process() - before


def _peak_of_process() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS says bytes, others KiB
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
