"""The candidates that are measured, and how one of them is trained under the stopwatch."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from treeviz.bench.plan import Problem
from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.search import draws_firing, find_engine, required_bytes
from treeviz.search.compiled import load_loops
from treeviz.search.engine import EngineMaker
from treeviz.training.memory import usable_bytes
from treeviz.training.trainer import Trainer

MAX_ITERATIONS = 100
# Wide enough that every candidate starts its threads and loads its compiled loops.
_WARM_UP_WIDTH = 1 << 18
# Where all neurons are drawn, more would take a benchmark too long.
MAX_DRAWN_WIDTH = 1 << 24
# Linux counts processor time in hundredths of a second.
_CLOCK_TICK = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to search, by its name in tables; `engine_class` puts another engine in its place.

    With draw="firing" it trains another network of the same law than those with draw="all".
    """

    name: str
    search: str
    engine_class: EngineMaker | None = None
    draw: str = "all"

    def config(self, problem: Problem) -> TrainConfig:
        """Return its settings: those of all, and its search."""
        return TrainConfig(width=problem.width, seed=problem.seed, search=self.search, solver="exact", draw=self.draw)

    def required_bytes(self, problem: Problem) -> int:
        """Memory it needs for a problem, about, the first iteration included."""
        engine_class = self.engine_class or find_engine(self.search)
        if self.draw == "firing":
            return required_bytes(engine_class, problem.load(), self.config(problem))
        return engine_class.required_bytes(problem.width, problem.num_points, problem.dimension)

    def reason_not_to_fit(self, problem: Problem) -> str:
        """Say why a problem does not fit in this machine's memory; empty if it does, or if the system does not say."""
        if self.draw == "all" and problem.width > MAX_DRAWN_WIDTH:
            return f"at most 2^{MAX_DRAWN_WIDTH.bit_length() - 1} neurons are measured where all are drawn"
        config = self.config(problem)
        if self.draw == "firing" and not draws_firing(config, problem.num_points):
            return "a neuron is expected to fire on more than one datapoint, so all neurons would be drawn"
        needed, usable = self.required_bytes(problem), usable_bytes()
        if needed <= usable:
            return ""
        return f"needs about {needed / 1e9:.1f} GB, and {usable / 1e9:.1f} GB may be used on this machine"


# The dense methods: all inner products, and the rest from the firing sets or of matrix products, too. Which is faster
# depends on the problem. The faster one is the baseline: ratios are its numbers over the others'.
DENSE = ("dense-sparse", "dense")
CANDIDATES = (
    *(Candidate(name, name) for name in (*DENSE, "compact", "forest", "watch")),
    Candidate("watch-firing", "watch", draw="firing"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One training from the initial weights until the loss is low enough.

    Attributes
    ----------
    build_seconds : building what the method keeps, drawing the initial weights left out, and choosing its skin.
    draw_seconds : drawing the initial weights, which is not charged.
    seconds : all iterations, by the clock on the wall; the last is the one that found the loss low enough, whole.
    losses : at the start of each iteration.
    cores_elsewhere : processor cores that other programs kept busy meanwhile; None if that was too short a time to
        tell, or the system does not say.
    is_reached : whether the last is low enough.
    stop_reason : why it stopped before that, in words.
    """

    build_seconds: float
    draw_seconds: float
    seconds: float
    losses: tuple[float, ...]
    is_reached: bool
    cores_elsewhere: float | None = None
    stop_reason: str = ""

    @property
    def iteration_seconds(self) -> float:
        """Seconds of an iteration, the mean of all of them, the first included."""
        return self.seconds / len(self.losses)

    @property
    def seconds_from_nothing(self) -> float:
        """Seconds from the datapoints to the loss: drawing the weights, building and training."""
        return self.draw_seconds + self.seconds_with_building

    @property
    def seconds_with_building(self) -> float:
        """Seconds from given initial weights to the loss."""
        return self.build_seconds + self.seconds


def train(
    candidate: Candidate, data: Dataset, config: TrainConfig, until_loss: float, most: int = MAX_ITERATIONS
) -> Run:
    """Train a fresh network until an iteration finds its loss at most `until_loss`, or `most` iterations are done."""
    gc.collect()  # what the last candidate kept must not be there beside this one's
    trainer = Trainer(data, config, keep_records=False, engine_class=candidate.engine_class)
    losses: list[float] = []
    others = cores_elsewhere()
    start = time.perf_counter()
    while len(losses) < most and not trainer.stop_reason:
        losses.append(trainer.advance())
        if losses[-1] <= until_loss:
            break
    seconds = time.perf_counter() - start
    is_reached = losses[-1] <= until_loss
    return Run(
        build_seconds=sum(trainer.trace.build_seconds.values()),
        draw_seconds=trainer.trace.draw_seconds,
        seconds=seconds,
        losses=tuple(losses),
        is_reached=is_reached,
        cores_elsewhere=others(seconds),
        stop_reason="" if is_reached else trainer.stop_reason or f"not reached in {most} iterations",
    )


def cores_elsewhere() -> Callable[[float], float | None]:
    """Begin to watch how busy other programs are; the function returned tells, given the seconds since, in cores.

    Threads of linear algebra wait for each other at every block. Where another program takes one of the cores, they
    wait for their turn on it too, and a dense iteration may take ten times as long: such a run must be known for one.
    """
    before = _busy_seconds()

    def tell(seconds: float) -> float | None:
        after = _busy_seconds()
        if before is None or after is None or seconds < 20 * _CLOCK_TICK:
            return None
        return max(0.0, (after[0] - before[0]) - (after[1] - before[1])) / seconds

    return tell


def _busy_seconds() -> tuple[float, float] | None:
    """Processor seconds so far of all programs, where Linux tells, and of this one."""
    try:
        with open("/proc/stat") as lines:
            user, nice, system = (int(ticks) * _CLOCK_TICK for ticks in lines.readline().split()[1:4])
    except (OSError, ValueError):
        return None
    own = os.times()
    return user + nice + system, own.user + own.system


def warm_up(candidates: tuple[Candidate, ...], width: int = _WARM_UP_WIDTH) -> None:
    """Let each train once unmeasured: compiling, importing and starting threads are done then."""
    for name in ("forest.loops", "watch.loops"):
        if (loops := load_loops(name)) is not None:
            loops.warm_up()  # once more where they were loaded before this process was forked
    problem = Problem("sphere", 16, 16, width)
    data = problem.load()
    for candidate in candidates:
        train(candidate, data, candidate.config(problem), until_loss=1e-6)
