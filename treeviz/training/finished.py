"""A run from its beginning to its end in one go, with its checks and the dense method beside it: what a file holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.search.scan import Scan
from treeviz.training.background import refuse_dense
from treeviz.training.baseline import FasterDense
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace
from treeviz.training.trainer import Trainer
from treeviz.training.verify import IterationCheck, check_iteration


class ShownRun(Protocol):
    """What the stage shows of a run, while it is computed or after; attributes are those of `BackgroundRun`."""

    @property
    def data(self) -> Dataset:
        """The datapoints."""
        ...

    @property
    def config(self) -> TrainConfig:
        """All settings."""
        ...

    @property
    def trace(self) -> Trace:
        """Of the method; it may grow."""
        ...

    @property
    def checks(self) -> list[IterationCheck]:
        """One for each iteration checked so far."""
        ...

    @property
    def why_unchecked(self) -> str:
        """Why there are none, in a sentence; "" if there are."""
        ...

    @property
    def dense_trace(self) -> Trace | None:
        """Of the dense method, if it is trained beside the run."""
        ...

    @property
    def dense_refusal(self) -> str:
        """Why it is not, in a sentence; "" if it is."""
        ...

    @property
    def dense_is_behind(self) -> bool:
        """Whether more of it is to come."""
        ...

    @property
    def num_computed(self) -> int:
        """Iterations that can be shown."""
        ...

    @property
    def is_finished(self) -> bool:
        """Whether there will be no more."""
        ...


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run that goes no further.

    Attributes
    ----------
    trace : of the method, one record at least.
    checks : one for each record, or none at all; then `why_unchecked` is a sentence that says why.
    dense_trace : of the dense method, as many records; None where `dense_refusal` says why it was not trained.
    """

    trace: Trace
    checks: list[IterationCheck]
    why_unchecked: str = ""
    dense_trace: Trace | None = None
    dense_refusal: str = ""

    dense_is_behind = False
    is_finished = True

    @property
    def data(self) -> Dataset:
        """The datapoints."""
        return self.trace.dataset

    @property
    def config(self) -> TrainConfig:
        """All settings."""
        return self.trace.config

    @property
    def num_computed(self) -> int:
        """Iterations that can be shown."""
        return len(self.trace.records)


def as_far_as_it_is(run: ShownRun) -> FinishedRun:
    """Return what there is of a run that may go on."""
    num_computed = run.num_computed if run.why_unchecked else len(run.checks)  # asked first: the run goes on meanwhile
    trace = replace(run.trace, records=run.trace.records[:num_computed])
    return FinishedRun(trace, run.checks[:num_computed], run.why_unchecked, run.dense_trace, run.dense_refusal)


def finish_run(
    trainer: Trainer, max_iterations: int, until_loss: float, on_step: Callable[[], object] = lambda: None
) -> FinishedRun:
    """Train as `Trainer.run` does, check every iteration by brute force, and train the dense method as far.

    `trainer` must not have made a step. `on_step` is called after every iteration of either.
    """
    checks: list[IterationCheck] = []
    scans: list[Scan] = [trainer.scan()]

    def check(record: StepRecord) -> None:
        checks.append(check_iteration(record, scans.pop()))
        scans.append(trainer.scan())  # what the next step is checked against
        on_step()

    trace = trainer.run(max_iterations, until_loss, on_step=check)
    dense_trace, refusal = train_baseline(trace, on_step)
    return FinishedRun(trace, checks, dense_trace=dense_trace, dense_refusal=refusal)


def train_baseline(trace: Trace, on_step: Callable[[], object] = lambda: None) -> tuple[Trace | None, str]:
    """Train the dense method as far as a run went; return its trace and "", or None and why it was not trained."""
    if refusal := refuse_dense(trace.dataset, trace.config):
        return None, refusal
    dense = FasterDense(trace.dataset, trace.config)
    try:
        while dense.trace is None or len(dense.trace.records) < len(trace.records):
            dense.step()
            on_step()
    except (MemoryError, ValueError) as error:
        return None, f"The dense baseline cannot be trained beside this run: {error}."
    return dense.trace, ""
