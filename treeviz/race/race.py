"""A race: several methods train on the same data from the same initial weights, turn by turn in one thread.

Whoever has had the least time takes the next turn, so all curves grow together, and nobody's seconds contain another's
work. A contestant that fails, diverges or stalls ends its own lane and disturbs no other.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.infinite_width import Activity
from treeviz.model.phases import PHASES
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Runner
from treeviz.training.memory import require_memory

State = Literal["waiting", "running", "reached", "stopped", "failed"]

MAX_LAPS = 100_000
# A turn lasts at least so long, lest changing turns cost more than the turns.
_TURN_SECONDS = 0.03
_LATE = "not there when the time was over"


class _Turns:
    """Lets one race after the other work: those of several viewers take turns too.

    A cancelled race may be in the middle of a long step; nobody waits for it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owner: Race | None = None

    @contextmanager
    def of(self, race: "Race") -> Iterator[None]:
        """Wait until no other race is at work, and be the one that is."""
        with self._changed:
            self._changed.wait_for(lambda: self._owner is None or self._owner.is_cancelled)
            self._owner = race
        try:
            yield
        finally:
            with self._changed:
                if self._owner is race:
                    self._owner = None
                self._changed.notify_all()

    def look_again(self) -> None:
        """Tell those who wait that a race was cancelled."""
        with self._changed:
            self._changed.notify_all()


_TURNS = _Turns()


class Lane:
    """One contestant's way through a race: what it did so far, and how it ended.

    Attributes
    ----------
    contestant : who runs here.
    state : "waiting", "running", "reached" (the loss asked for), "stopped" (by itself, a limit or the user), "failed".
    reason : why it stopped or failed, in words.
    build_operations, build_seconds : of what it builds before its first iteration.
    num_bytes : bytes it keeps from one iteration to the next.
    test_error : at the end of its way; None where there are no test points, or its outputs there are beyond finite
        numbers. See `test_error_name`.
    costs, seconds : of everything so far by phase, building included.
    """

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.state: State = "waiting"
        self.reason = ""
        self.build_operations, self.build_seconds = 0, 0.0
        self.num_bytes = 0
        self.test_error: float | None = None
        self.costs: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        # A row a lap, in the order of `_COLUMNS`. Viewers read it while it grows: rows are never changed.
        self._table = np.empty((64, len(_COLUMNS)))
        self._num_laps = 0
        self._total_operations, self._total_seconds = 0, 0.0

    @property
    def num_laps(self) -> int:
        """Iterations done."""
        return self._num_laps

    @property
    def last_loss(self) -> float | None:
        """Loss of the last lap; None before the first."""
        count, table = self._num_laps, self._table  # in this order, while more laps may be added
        return float(table[count - 1, 0]) if count else None

    @property
    def lowest_loss(self) -> float | None:
        """Lowest finite loss so far; None if there is none."""
        losses = self.column("loss")
        finite = losses[np.isfinite(losses)]
        return float(finite.min()) if finite.size else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens here."""
        return self.state in ("reached", "stopped", "failed")

    def column(self, name: str) -> Floats:
        """Return a number of every lap so far, (laps,).

        loss : at the weights before the lap's move.
        operations, seconds : spent when that loss was known, building and the lap's search and forward pass included.
        lap_operations, lap_seconds : of the whole lap.
        num_touched, num_modified : neurons moved and tree nodes changed by the lap.
        num_firing, num_pairs, num_overlaps : |U|, sum_i k_i and sum_r |T_r|^2 of all n datapoints.
        cg_iterations : of conjugate gradient in the lap's solve.
        """
        return self.columns(name)[0]

    def columns(self, *names: str) -> list[Floats]:
        """Return several columns, all of the same laps, also while more are being done."""
        count, table = self._num_laps, self._table
        return [table[:count, _COLUMNS.index(name)].copy() for name in names]

    def lap_reaching(self, loss: float) -> int | None:
        """Return the first lap whose loss is at most `loss`; None if there is none yet."""
        reached = np.flatnonzero(self.column("loss") <= loss)
        return int(reached[0]) if reached.size else None

    def mean(self, name: str) -> float:
        """Return a column's mean over the laps so far; 0 if there are none."""
        return float(self.column(name).mean()) if self._num_laps else 0.0

    def begin(self, runner: Runner) -> None:
        """Take down what building took."""
        self.state = "running"
        self.build_operations = sum(runner.build_costs.values())
        self.build_seconds = sum(runner.build_seconds.values())
        self._total_operations, self._total_seconds = self.build_operations, self.build_seconds
        self.costs, self.seconds = Counter(runner.build_costs), Counter(runner.build_seconds)

    def add(self, lap: Lap) -> None:
        """Take down a lap."""
        before = [
            sum(parts.get(name, 0) for name, phase in PHASES.items() if phase.before_loss)
            for parts in (lap.costs, lap.seconds)
        ]
        operations, seconds = sum(lap.costs.values()), sum(lap.seconds.values())
        active = lap.activity or Activity(0, 0, 0)
        if self._num_laps == len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
        self._table[self._num_laps] = (
            lap.loss,
            self._total_operations + before[0],
            self._total_seconds + before[1],
            operations,
            seconds,
            lap.num_touched,
            lap.num_modified,
            active.num_touched,
            active.num_pairs,
            active.num_overlaps,
            lap.cg_iterations,
        )
        self._num_laps += 1
        self._total_operations += operations
        self._total_seconds += seconds
        # New ones each time, for viewers may be reading the old.
        self.costs, self.seconds = self.costs + Counter(lap.costs), self.seconds + Counter(lap.seconds)


_COLUMNS = (
    "loss",
    "operations",
    "seconds",
    "lap_operations",
    "lap_seconds",
    "num_touched",
    "num_modified",
    "num_firing",
    "num_pairs",
    "num_overlaps",
    "cg_iterations",
)


class Race:
    """Contestants on one dataset, from the same initial weights.

    Parameters
    ----------
    data : n datapoints.
    contestants : who takes part; each once.
    config : settings they share; each puts in its own method, search, solver and step size.
    until_loss : a contestant is done when its loss is at most this.
    max_laps : at most so many iterations each.
    max_seconds : time for everybody together, real time. Turns share it out evenly; whoever is done leaves the rest.
    test : points for the test error, if there are any.

    Attributes
    ----------
    lanes : one `Lane` a contestant, in their order.
    is_cancelled : whether somebody ended it early.
    seconds_spent : of `max_seconds`, real time of all turns so far.

    Raises
    ------
    ValueError
        If nobody takes part, or somebody twice, or a limit makes no sense, or together they would need more memory
        than there is.
    """

    def __init__(
        self,
        data: Dataset,
        contestants: Sequence[Contestant],
        config: TrainConfig,
        *,
        until_loss: float = 1e-6,
        max_laps: int = MAX_LAPS,
        max_seconds: float = 30.0,
        test: Dataset | None = None,
    ) -> None:
        keys = [contestant.key for contestant in contestants]
        if not keys or len(set(keys)) < len(keys):
            raise ValueError(f"a race needs contestants, each once; got {', '.join(keys) or 'none'}")
        if not 0.0 <= until_loss < math.inf:
            raise ValueError(f"until_loss must be a number 0 or more; got {until_loss!r}")
        if not max_laps >= 1:
            raise ValueError(f"max_laps must be 1 or more; got {max_laps!r}")
        if not max_seconds > 0.0:
            raise ValueError(f"max_seconds must be greater than 0; got {max_seconds!r}")
        _require_memory(data, contestants, config)
        self.data, self.config, self.test = data, config, test
        self.until_loss, self.max_laps, self.max_seconds = until_loss, max_laps, max_seconds
        self.lanes = [Lane(contestant) for contestant in contestants]
        self.is_cancelled = False
        self.seconds_spent = 0.0
        self._may_run = threading.Event()
        self._may_run.set()
        self._thread: threading.Thread | None = None
        # Held while something is taken down, so that nothing is after a cancel, whichever thread it comes from.
        self._taking_down = threading.Lock()

    @property
    def is_paused(self) -> bool:
        """Whether the race waits to be resumed."""
        return not self._may_run.is_set() and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether every lane is over, or the race was cancelled."""
        return self.is_cancelled or all(lane.is_over for lane in self.lanes)

    def start(self) -> None:
        """Run in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="treeviz-race", daemon=True)
        self._thread.start()

    def wait_for_lap(self, timeout: float) -> None:
        """Wait for the first lap of anybody, or the end of the race, at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not (any(lane.num_laps for lane in self.lanes) or self.is_over) and time.monotonic() < deadline:
            time.sleep(0.01)

    def pause(self) -> None:
        """Stop after the step under way, to be resumed."""
        self._may_run.clear()

    def resume(self) -> None:
        """Go on."""
        self._may_run.set()

    def cancel(self) -> None:
        """End the race now. Everybody keeps what is done; a step under way is not taken down."""
        with self._taking_down:
            self.is_cancelled = True
            for lane in self.lanes:
                if not lane.is_over:
                    lane.reason, lane.state = "cancelled", "stopped"
        self._may_run.set()
        _TURNS.look_again()

    def run(self, on_lap: Callable[[Lane], object] | None = None) -> None:
        """Run the race to its end in this thread; `on_lap` is told of every lap."""
        runners: dict[str, Runner] = {}
        spent = dict.fromkeys((lane.contestant.key for lane in self.lanes), 0.0)  # real time, what is not charged too
        while lanes := [lane for lane in self.lanes if not lane.is_over]:
            self._may_run.wait()
            lane = min(lanes, key=lambda lane: spent[lane.contestant.key])
            key = lane.contestant.key
            with _TURNS.of(self):
                if lane.is_over or not self._may_run.is_set():  # cancelled or paused while another race had its turn
                    continue
                start, seconds_left = time.perf_counter(), self.max_seconds - self.seconds_spent
                try:
                    if seconds_left > 0:
                        self._take_turn(lane, runners, seconds_left, on_lap)
                    else:
                        self._finish(lane, "stopped", _LATE, runners.get(key))
                except Exception as error:  # whatever happens to one contestant is its own affair
                    known = isinstance(error, ValueError | MemoryError) and str(error)
                    reason = str(error) if known else f"{type(error).__name__}: {error}".removesuffix(": ")
                    self._finish(lane, "failed", reason)
                spent[key] += time.perf_counter() - start
                self.seconds_spent = sum(spent.values())
            if lane.is_over:
                runners.pop(key, None)  # its memory, for the others

    def _take_turn(
        self, lane: Lane, runners: dict[str, Runner], seconds_left: float, on_lap: Callable[[Lane], object] | None
    ) -> None:
        """Let one contestant start, or do iterations for a while."""
        start = time.perf_counter()
        runner = runners.get(lane.contestant.key)
        if runner is None:
            runner = runners[lane.contestant.key] = lane.contestant.start(self.data, self.config)
            with self._taking_down:
                if self.is_cancelled:
                    return
                lane.begin(runner)
        while not lane.is_over:
            lap = runner.step()
            with self._taking_down:
                if self.is_cancelled:
                    return
                lane.add(lap)
                lane.num_bytes = runner.num_bytes
            spent = time.perf_counter() - start
            if lap.loss <= self.until_loss:
                self._finish(lane, "reached", "", runner)
            elif not math.isfinite(lap.loss):
                reason = lap.stop_reason or "diverged: its loss is no longer a finite number"
                self._finish(lane, "stopped", reason, runner)
            elif lap.stop_reason:
                self._finish(lane, "stopped", lap.stop_reason, runner)
            elif lane.num_laps >= self.max_laps:
                self._finish(lane, "stopped", f"not there after {lane.num_laps:,} iterations, the limit", runner)
            elif spent > seconds_left:
                self._finish(lane, "stopped", _LATE, runner)
            if on_lap is not None:
                on_lap(lane)
            if spent > _TURN_SECONDS or not self._may_run.is_set():
                return

    def _finish(self, lane: Lane, state: State, reason: str, runner: Runner | None = None) -> None:
        error = math.inf
        if runner is not None and self.test is not None:
            error = measure_error(runner.predict(self.test.X), self.test.y)
        with self._taking_down:
            if not lane.is_over:  # it may have been cancelled meanwhile
                lane.test_error = error if math.isfinite(error) else None
                lane.reason, lane.state = reason, state


def warm_up(contestants: Iterable[Contestant]) -> None:
    """Run every contestant on a tiny problem, so that its first lap in a race loads no code. Some milliseconds each."""
    data = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))
    for contestant in contestants:
        runner = contestant.start(data, TrainConfig(width=64, threshold=0.5, batch_size=2))
        for _ in range(2):
            runner.step()


def is_classification(y: Floats) -> bool:
    """Whether all targets are -1 or +1."""
    return bool(np.all(np.abs(y) == 1.0))


def measure_error(outputs: Floats, y: Floats) -> float:
    """Return the share of wrong signs where all targets are -1 or +1, else the root mean squared error.

    Infinity if an output is not a finite number, or a square of one is not.
    """
    if not np.isfinite(outputs).all():
        return math.inf
    if is_classification(y):
        return float(np.mean(np.where(outputs >= 0, 1.0, -1.0) != y))
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean((outputs - y) ** 2)))


def _require_memory(data: Dataset, contestants: Sequence[Contestant], config: TrainConfig) -> None:
    sizes: Mapping[str, int] = {
        one.title: one.required_bytes(config.width, data.num_points, data.dimension) for one in contestants
    }
    needed, parts = sum(sizes.values()), ", ".join(f"{title} {size / 1e9:.1f} GB" for title, size in sizes.items())
    require_memory(
        needed,
        f"together the contestants would need about {needed / 1e9:.1f} GB ({parts})",
        "choose a smaller width, fewer datapoints or fewer contestants",
    )
