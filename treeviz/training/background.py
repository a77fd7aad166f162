"""A run that computes ahead of its viewer: the method and the dense baseline side by side, in a thread.

A cursor into the trace is all the state a viewer has; many viewers may share one run. Iterations are computed a few
ahead of what was asked for, so that the next step is usually there before it is wanted. The thread holds its run only
while it computes: a run that no viewer holds is gone after the iteration being computed, and its thread ends. The runs
of a process compute one after another, an iteration each, and first those that a viewer waits for.
"""

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import nullcontext

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.search import draws_firing
from treeviz.search.compiled import start_threads
from treeviz.training.baseline import FasterDense, baseline_bytes
from treeviz.training.trace import Trace
from treeviz.training.trainer import Trainer
from treeviz.training.turns import Ticket, Turns
from treeviz.training.verify import IterationCheck, check_iteration

CONVERGED_LOSS = 1e-10
MAX_ITERATIONS = 100
# Iterations computed before a viewer asks: enough for most Gauss-Newton runs to be in store after the first pause.
_AHEAD = 12
# Seconds without a request after which work that no viewer waits for begins: until then the cores belong to drawing.
_IDLE_SECONDS = 0.5
_MAX_DENSE_BYTES = 3 << 30
# Of all runs of this process. Large runs are built one after another, too, in turns of their own: a viewer waits for
# them, and must not wait for an iteration that none waits for. Small ones wait for nothing.
TURNS = Turns()
BUILDING = Turns()
_LARGE_RUN = 1 << 23  # leaves
# How much less of a busy processor a thread that computes ahead gets than one that draws a page.
_NICENESS = 10


def dense_bytes(data: Dataset, config: TrainConfig) -> int:
    """Return the memory that the dense baseline takes beside a run; 0 if it is left out, see `refuse_dense`."""
    if draws_firing(config, data.num_points):
        return 0
    needed = baseline_bytes(data, config)
    return needed if needed <= _MAX_DENSE_BYTES else 0


def round_off_loss(data: Dataset) -> float:
    """Return the loss at which nothing but round-off is left."""
    return max(1e-24 * float(data.y @ data.y), 1e-300)


def refuse_dense(data: Dataset, config: TrainConfig) -> str:
    """Say why the dense baseline is left out beside a run; "" if it fits."""
    if dense_bytes(data, config):
        return ""
    if draws_firing(config, data.num_points):
        return (
            "Only the neurons that fire were drawn, and the dense method needs the weights of all, so it is not "
            "trained here; its operations are still counted."
        )
    needed = baseline_bytes(data, config)
    return (
        f"The dense baseline would need another {needed / 1e9:.1f} GB, so it is not trained here; "
        "its operations are still counted."
    )


class BackgroundRun:
    """Trains on demand, at most `MAX_ITERATIONS` iterations, and stops where nothing is left to gain.

    Parameters
    ----------
    data, config : as for `Trainer`; building happens here, in the caller's thread.
    is_checked : whether every iteration is checked against brute force, which for large forests takes longer than the
        iteration itself.
    ticket : for the turn in which a large run is built; CancelledError if it is cancelled while it waits in line.

    Attributes
    ----------
    trace : of the method; grows while the thread works.
    checks : one `IterationCheck` for each record of the trace; empty if not `is_checked`.
    dense_trace : of the dense baseline, exact solver: of the two dense methods the faster one here. None until that is
        known, and where it would not fit in memory, see `dense_refusal`.
    error : what stopped the run, if something unforeseen did; without its traceback, which would hold the run.
    """

    def __init__(
        self, data: Dataset, config: TrainConfig, *, is_checked: bool = True, ticket: Ticket | None = None
    ) -> None:
        self.data, self.config, self.is_checked = data, config, is_checked
        is_large = data.num_points * config.width >= _LARGE_RUN
        with BUILDING.taken(ticket or Ticket()) if is_large else nullcontext(enter_result=True) as may_build:
            if not may_build:
                raise CancelledError
            self._trainer = Trainer(data, config)
        self.trace = self._trainer.trace
        self.checks: list[IterationCheck] = []
        self.dense_refusal = refuse_dense(data, config)
        self.error: Exception | None = None
        self._dense: FasterDense | None = FasterDense(data, config)
        self.dense_trace: Trace | None = None
        self._needed = self._wanted = 0  # iterations that viewers wait for, and those to have in store
        self._last_request = 0.0
        self._ticket = Ticket()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.request(0)

    @property
    def why_unchecked(self) -> str:
        """Why iterations are not checked, in a sentence; "" if they are."""
        return "" if self.is_checked else "Not checked: the exactness check is switched off in the sidebar."

    @property
    def num_computed(self) -> int:
        """Iterations of the method that can be shown."""
        return len(self.trace.records)

    @property
    def is_finished(self) -> bool:
        """Whether stepping further would show nothing new: round-off reached, nothing moves, or the limit."""
        records = self.trace.records
        if not records:
            return False
        return (
            len(records) >= MAX_ITERATIONS
            or records[-1].loss <= round_off_loss(self.data)
            or not records[-1].dual_step.any()
        )

    @property
    def dense_is_behind(self) -> bool:
        """Whether more of the dense baseline is still being computed."""
        if self.dense_refusal or self.error:
            return False
        return self.dense_trace is None or len(self.dense_trace.records) < len(self.trace.records)

    def request(self, iteration: int) -> None:
        """Ask that `iteration` and a few after it be computed; returns at once."""
        with self._changed:
            self._last_request = time.monotonic()
            self._needed = max(self._needed, iteration + 1)
            if self._is_awaited:
                TURNS.set_urgent(self._ticket, True)
            self._changed.notify_all()
            self._wanted = max(self._wanted, iteration + 1 + _AHEAD)
            if self._thread is None and not self.error and self._has_work():
                parts = (weakref.ref(self), self._changed)
                self._thread = threading.Thread(target=_work, args=parts, name="treeviz-run", daemon=True)
                self._thread.start()

    def wait_for(self, iteration: int, timeout: float) -> bool:
        """Wait until `iteration` is computed or cannot be; return whether it is there. `timeout` in seconds."""
        if self.num_computed <= iteration:
            self.request(iteration)
        self._wait_until(lambda: self.num_computed > iteration or self.is_finished or bool(self.error), timeout)
        return self.num_computed > iteration

    def wait_for_dense(self, iteration: int, timeout: float) -> bool:
        """Wait until the dense baseline has done `iteration` or will not; return whether that is so in time."""
        return self._wait_until(
            lambda: not self.dense_is_behind or bool(self.dense_trace and len(self.dense_trace.records) > iteration),
            timeout,
        )

    def wait_for_check(self, iteration: int, timeout: float) -> bool:
        """Wait until `iteration`, which is computed, is checked or will not be; return whether that is so in time."""
        return self._wait_until(
            lambda: bool(not self.is_checked or self.error or len(self.checks) > iteration), timeout
        )

    def _wait_until(self, is_so: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(is_so, timeout)

    def _has_work(self) -> bool:
        return (self.num_computed < self._wanted and not self.is_finished) or self.dense_is_behind

    @property
    def _is_awaited(self) -> bool:
        """Whether a viewer waits for an iteration."""
        return self.num_computed < self._needed and not self.is_finished

    def _seconds_to_wait(self) -> float:
        """How long to leave the cores alone before computing; 0 if a viewer waits for an iteration."""
        if self._is_awaited:
            return 0.0
        return max(0.0, self._last_request + _IDLE_SECONDS - time.monotonic())

    def _compute(self) -> None:
        """Do one iteration, of the method if more are wanted, else of the dense baseline."""
        try:
            if self.num_computed < self._wanted and not self.is_finished:
                self._step()
            else:
                self._step_dense()
        except Exception as error:  # kept for the page to show: a thread has no caller to raise to
            self.error = error.with_traceback(None)
        if self.is_finished and not self.dense_is_behind:
            self._dense = None  # its memory, for others; the method's trainer makes replays fast
        with self._changed:
            self._changed.notify_all()

    def _step(self) -> None:
        if not self.is_checked:
            self._trainer.step()
            return
        scan = self._trainer.scan()
        self.checks.append(check_iteration(self._trainer.step(), scan))

    def _step_dense(self) -> None:
        assert self._dense is not None
        try:
            self._dense.step()
        except (MemoryError, ValueError) as error:
            self.dense_refusal = f"The dense baseline cannot be trained beside this run: {error}."
        self.dense_trace = self._dense.trace


def _work(reference: "weakref.ref[BackgroundRun]", changed: threading.Condition) -> None:
    """Compute what is wanted of a run, until there is nothing left to do or no viewer holds the run."""
    _yield_to_pages()
    while True:
        with changed:
            # Between the calls of `_plan` the run is not held, so that it can go while the thread waits.
            while (wait := _plan(reference)) is not None and wait > 0:
                changed.wait(wait)
            if wait is None:
                return
        # Nor is it held while others have their turns.
        if (run := reference()) is not None:
            ticket = run._ticket
            with changed:
                TURNS.set_urgent(ticket, run._is_awaited)
            del run
            with TURNS.taken(ticket):
                if (run := reference()) is not None:
                    run._compute()
                    del run


def _yield_to_pages() -> None:
    """Have the processor serve other threads of this process first. Only Linux knows of it for single threads."""
    if sys.platform == "linux":
        start_threads()  # those keep the priority that this thread has now
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + _NICENESS))


def _plan(reference: "weakref.ref[BackgroundRun]") -> float | None:
    """Return the seconds to wait before computing; None if the thread ends, which the run is then told."""
    run = reference()
    if run is None:
        return None
    if run.error is not None or not run._has_work():
        run._thread = None
        return None
    return run._seconds_to_wait()
