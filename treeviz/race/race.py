"""A race: several methods train on the same data from the same initial weights, turn by turn in one thread.

The contestant that has had the least time takes the next turn, so all curves grow together, and no contestant's seconds
contain another's work. A contestant that fails, diverges or stalls ends its own lane and disturbs no other.

A race lives as long as its viewers hold it. Its thread holds it during a turn only: a race that is dropped, running or
paused, is cancelled, and is gone with all its runners when the step under way has ended.
"""

import math
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import NoReturn

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.numerals import count
from treeviz.race.contestant import Contestant, Runner
from treeviz.race.lane import Lane, State, measure_error
from treeviz.training.judge import require_loss
from treeviz.training.memory import require_memory
from treeviz.training.turns import Ticket, Turns

MAX_LAPS = 100_000
# Of all races of this process.
TURNS = Turns()
# A turn lasts at least so long, or changing turns would cost more than the turns.
_TURN_SECONDS = 0.03
_LATE = "loss not reached when the time was over"


class Race:
    """Contestants on one dataset, from the same initial weights.

    Parameters
    ----------
    data : n datapoints.
    contestants : the contestants, each once.
    config : settings they share; each puts in its own method, search, solver and step size.
    until_loss : a contestant is done when its loss is at most this.
    max_laps : at most so many iterations each.
    max_seconds : real time for all contestants together. Turns share it out evenly; a contestant that is done leaves
        the rest to the others.
    test : points for the test error, if there are any.

    Attributes
    ----------
    lanes : one `Lane` a contestant, in their order.

    Raises
    ------
    ValueError
        If there is no contestant, or one twice, or a limit makes no sense, or together they would need more memory
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
        require_loss(until_loss)
        if not max_laps >= 1:
            raise ValueError(f"max_laps must be 1 or more; got {max_laps!r}")
        if not max_seconds > 0.0:
            raise ValueError(f"max_seconds must be greater than 0; got {max_seconds!r}")
        _require_memory(data, contestants, config)
        self.data, self.config, self.test = data, config, test
        self.until_loss, self.max_laps, self.max_seconds = until_loss, max_laps, max_seconds
        self.lanes = [Lane(contestant) for contestant in contestants]
        self._runners: dict[str, Runner] = {}  # of the lanes that have begun and are not over
        self._seconds = dict.fromkeys(keys, 0.0)  # real time of each contestant's turns, what is not charged too
        self._thread: threading.Thread | None = None
        self._has_begun = threading.Event()  # a lap was taken down, or all lanes are over
        # Held while something is taken down, so that nothing is after a cancel, whichever thread it comes from.
        self._taking_down = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._ticket = Ticket()
        weakref.finalize(self, TURNS.cancel, self._ticket).atexit = False

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: networks in the middle of a race are not worth what they weigh."""
        raise TypeError(
            "a race cannot be pickled or copied, because it holds its networks and the turn they wait for: keep what "
            "it measured, by treeviz.race.report.as_json(race, race.until_loss)"
        )

    @property
    def seconds_spent(self) -> float:
        """Real time of all turns so far, out of `max_seconds`."""
        return sum(self._seconds.values())

    @property
    def is_cancelled(self) -> bool:
        """Whether it was ended early."""
        return self._ticket.is_cancelled

    @property
    def is_paused(self) -> bool:
        """Whether the race waits to be resumed."""
        return self._ticket.is_paused and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether every lane is over, or the race was cancelled."""
        return self.is_cancelled or all(lane.is_over for lane in self.lanes)

    def start(self) -> None:
        """Run in a thread of its own, until the race is over or no longer held."""
        self._thread = threading.Thread(
            target=_run_in_thread, args=(weakref.ref(self), self._ticket), name="treeviz-race", daemon=True
        )
        self._thread.start()

    def run(self, on_lap: Callable[[Lane], object] | None = None) -> None:
        """Run the race to its end in this thread; `on_lap` is told of every lap."""
        _run(lambda: self, self._ticket, on_lap)

    def wait_for_lap(self, timeout: float) -> bool:
        """Wait for the first lap of any contestant, or the end of the race; return whether there is either in time."""
        return self._has_begun.wait(timeout)

    def pause(self) -> None:
        """Stop after the step under way, to be resumed."""
        TURNS.pause(self._ticket)

    def resume(self) -> None:
        """Go on."""
        TURNS.resume(self._ticket)

    def cancel(self, reason: str = "cancelled") -> None:
        """End the race now. What is done is kept; a step under way is not taken down."""
        self._end_all("stopped", reason)

    def _take_turn(self, on_lap: Callable[[Lane], object] | None = None) -> bool:
        """Let the contestant that had the least time do some iterations; return whether the race goes on."""
        lanes = [lane for lane in self.lanes if not lane.is_over]
        if not lanes:  # cancelled meanwhile
            return False
        lane = min(lanes, key=lambda lane: self._seconds[lane.contestant.key])
        key, start = lane.contestant.key, perf_counter()
        try:
            seconds_left = self.max_seconds - self.seconds_spent
            if seconds_left > 0:
                self._run_lane(lane, seconds_left, on_lap)
            else:
                self._finish(lane, "stopped", _LATE)
        except Exception as error:  # the other contestants go on
            self._end(lane, "failed", _put_in_words(error))
        self._seconds[key] += perf_counter() - start
        if lane.is_over:
            self._runners.pop(key, None)  # its memory, for the others
        return not self.is_over

    def _fail(self, error: BaseException) -> None:
        """End all lanes that are not over with an error of the race itself."""
        self._end_all("failed", f"an error ended the race: {_put_in_words(error)}")

    def when_over(self, callback: Callable[[], object]) -> None:
        """Have `callback` called, in the thread of the race, when the race has let go of its networks."""
        self._callbacks.append(callback)

    def _free(self) -> None:
        """Let go of all runners; their numbers are kept."""
        self._runners.clear()
        for callback in self._callbacks:
            callback()

    def _run_lane(self, lane: Lane, seconds_left: float, on_lap: Callable[[Lane], object] | None) -> None:
        """Let one contestant start, or do iterations for a while."""
        start, key = perf_counter(), lane.contestant.key
        if key not in self._runners:
            runner = self._runners[key] = lane.contestant.start(self.data, self.config)
            with self._taking_down:
                if self.is_cancelled:
                    return
                lane.begin(runner)
        runner = self._runners[key]
        while not lane.is_over:
            lap = runner.step()
            num_bytes = runner.num_bytes
            with self._taking_down:
                if self.is_cancelled:
                    return
                lane.add(lap)
                lane.num_bytes = num_bytes
            self._has_begun.set()
            spent = perf_counter() - start
            if lap.loss <= self.until_loss:
                self._finish(lane, "reached", "")
            elif not math.isfinite(lap.loss):
                self._finish(lane, "stopped", lap.stop_reason or "diverged: its loss is no longer a finite number")
            elif lap.stop_reason:
                self._finish(lane, "stopped", lap.stop_reason)
            elif lane.num_laps >= self.max_laps:
                self._finish(lane, "stopped", f"loss not reached in {count(lane.num_laps, 'iteration')}, the limit")
            elif spent > seconds_left:
                self._finish(lane, "stopped", _LATE)
            if on_lap is not None:
                on_lap(lane)
            if spent > _TURN_SECONDS or not self._ticket.may_run:
                return

    def _finish(self, lane: Lane, state: State, reason: str) -> None:
        """End a lane, after measuring its test error."""
        error, runner = math.inf, self._runners.get(lane.contestant.key)
        if runner is not None and self.test is not None:
            error = measure_error(runner.predict(self.test.X), self.test.y)
        self._end(lane, state, reason, error)

    def _end(self, lane: Lane, state: State, reason: str, error: float = math.inf) -> None:
        with self._taking_down:
            lane.end(state, reason, error)
        if self.is_over:
            self._has_begun.set()

    def _end_all(self, state: State, reason: str) -> None:
        with self._taking_down:
            for lane in self.lanes:
                lane.end(state, reason)
            TURNS.cancel(self._ticket)
        self._has_begun.set()


def _run(find: Callable[[], Race | None], ticket: Ticket, on_lap: Callable[[Lane], object] | None = None) -> None:
    """Give a race one turn after another. It is held during its turns only, and is gone if `find` does not find it."""
    goes_on = True
    while goes_on and TURNS.take(ticket):
        race = find()
        try:
            goes_on = race is not None and race._take_turn(on_lap)
        finally:
            TURNS.give_back(ticket)
            del race
    if (race := find()) is not None:
        race._free()


def _run_in_thread(find: Callable[[], Race | None], ticket: Ticket) -> None:
    try:
        _run(find, ticket)
    except BaseException as error:  # a thread has no caller to raise it to: the lanes say it
        if (race := find()) is not None:
            race._fail(error)
            race._free()


def _put_in_words(error: BaseException) -> str:
    """Return the message of an error that says what to do, else its type and its message; it may have none."""
    try:
        message = str(error)
    except Exception:
        message = ""
    if message and isinstance(error, ValueError | MemoryError):
        return message
    return f"{type(error).__name__}: {message}".removesuffix(": ")


def warm_up(contestants: Iterable[Contestant]) -> None:
    """Run every contestant on a tiny problem, so that its first lap in a race loads no code. Some milliseconds each."""
    data = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))
    for contestant in contestants:
        runner = contestant.start(data, TrainConfig(width=64, threshold=0.5, batch_size=2))
        for _ in range(2):
            runner.step()


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
