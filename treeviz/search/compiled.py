"""Compiled loops and the threads that run them: loaded when first needed, replaced by NumPy where there is no compiler.

Importing numba takes half a second, and compiling takes some seconds, once on a machine: the machine code is kept on
disk. A small network does not need either, so the modules of compiled loops are loaded by name, on demand.
"""

import importlib
import itertools
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from types import FrameType, ModuleType
from typing import TypeVar, cast

from threadpoolctl import ThreadpoolController

T = TypeVar("T")


@cache
def load_loops(name: str) -> ModuleType | None:
    """Return `treeviz.search.<name>`, compiled loops ready to be called; None where compiling is impossible.

    Its `warm_up()` compiles the loops, or loads them from disk. Why it could not is said once, as a RuntimeWarning, and
    kept for `refusal`. Every caller has a NumPy path that gives the same results.
    """
    try:
        if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
            raise RuntimeError("NUMBA_DISABLE_JIT is set")
        module = importlib.import_module(f"treeviz.search.{name}")
        module.warm_up()
    except Exception as error:  # numba, LLVM and the disk fail in many ways
        _REFUSALS[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(refusal(), RuntimeWarning, stacklevel=2)
        return None
    return module


def loaded_loops(name: str) -> ModuleType | None:
    """Return the module if it has been loaded, else None: for work that gains from it but is not worth the wait."""
    return load_loops(name) if f"treeviz.search.{name}" in sys.modules else None


_REFUSALS: dict[str, str] = {}


def refusal() -> str:
    """Say why compiled loops cannot be used on this machine, and what follows; empty if they can, or were not tried."""
    if not _REFUSALS:
        return ""
    reason = next(iter(_REFUSALS.values()))
    return (
        f"Compiled loops cannot be used here ({reason}). NumPy does the same work, with the same results, "
        "but several times slower. Reinstall numba, or set NUMBA_CACHE_DIR to a folder that can be written to."
    )


@cache  # it takes a quarter of a millisecond to find out
def num_threads() -> int:
    """Number of threads that work on large networks: one a core that this process may use.

    The affinity of the process and the quota of its container count; LOKY_MAX_CPU_COUNT sets a lower number.
    """
    from joblib import cpu_count  # slow to import

    return int(cpu_count())


@cache
def _linear_algebra() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a block in which NumPy's products stay in the thread that asks for them: the threads are ours there.

    The libraries are looked for once, which takes over a millisecond: one that is loaded later goes on as it does.
    """
    return cast("AbstractContextManager[object]", _linear_algebra().limit(limits=1, user_api="blas"))


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    """Return the pool with all of its threads begun: a thread has the priority of the one that starts it."""
    pool, all_begun = ThreadPoolExecutor(max_workers=size, thread_name_prefix="treeviz"), threading.Barrier(size)
    for begun in [pool.submit(all_begun.wait) for _ in range(size)]:
        begun.result()
    return pool


def start_threads() -> None:
    """Start the threads that work on large networks, unless they have begun."""
    _pool(num_threads())


if hasattr(os, "register_at_fork"):
    # A forked process has none of the pool's threads: work handed to the old pool would never be done.
    os.register_at_fork(after_in_child=_pool.cache_clear)


@contextmanager
def interrupt_deferred(stop: threading.Event | None = None) -> Iterator[None]:
    """Let the block end before Ctrl-C, or a notebook's stop button, raises KeyboardInterrupt.

    State that changes in several steps is then never left between two of them, and compiled loops are not interrupted
    on their way back. Long work may look at `stop`, which is set at once. A block within a block, or in another thread
    than the main one, which gets no interrupts, adds nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or isinstance(usual, _NoteInterrupt):
        yield
        return
    note = _NoteInterrupt(stop)
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if note.arguments is not None:
            usual(*note.arguments)


class _NoteInterrupt:
    """A signal handler that remembers the interrupt."""

    def __init__(self, stop: threading.Event | None) -> None:
        self.arguments: tuple[int, FrameType | None] | None = None
        self._stop = stop

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.arguments = (number, frame)
        if self._stop is not None:
            self._stop.set()


_ALONE = threading.local()


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Have `map_spans` do all work of the block in this thread: for those who share work out among threads themselves.

    What it returns is then the same whatever the number of processors.
    """
    _ALONE.is_on = True
    try:
        yield
    finally:
        _ALONE.is_on = False


def map_spans(
    work: Callable[[int, int, int], T], size: int, stop: threading.Event | None = None, *, is_large: bool = True
) -> list[T]:
    """Share 0..size out among the threads, and return what `work(part, first, last)` returns for each part, in order.

    This pays for large work in loops that release the interpreter's lock; other work is done at once, in this thread.
    When an exception is passed on, even if the caller is interrupted, all threads have ended: no work outlives the
    call. Long work looks at `stop`, which is set when that happens.
    """
    if not is_large or getattr(_ALONE, "is_on", False):
        with interrupt_deferred(stop):
            return [work(0, 0, size)]
    spans = itertools.pairwise(size * part // num_threads() for part in range(num_threads() + 1))
    own, *others = enumerate(spans)
    pool = _pool(num_threads())
    jobs = [pool.submit(work, part, *span) for part, span in others]

    if stop is not None:
        for job in jobs:
            job.add_done_callback(lambda job: stop.set() if job.exception() else None)
    try:
        with interrupt_deferred(stop):
            done = work(own[0], *own[1])  # in this thread, which is running already
        return [done, *(job.result() for job in jobs)]
    finally:
        if stop is not None:  # all have ended, or one has failed, or the caller is interrupted
            stop.set()
        if not all(job.done() for job in jobs):
            wait(jobs)
