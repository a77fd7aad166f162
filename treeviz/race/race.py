"""A race: several methods train on the same data from the same initial weights, turn by turn in one thread.

The contestant that has had the least time takes the next turn, so all curves grow together, and no contestant's seconds
contain another's work. A contestant that fails, diverges or stalls ends its own lane and disturbs no other.

A race that is over keeps the networks of the contestants that could go on, so that it can be extended; `close` lets go
of them. A race lives as long as its viewers hold it. Its thread holds it during a turn only: a race that is dropped,
running or paused, is cancelled, and is gone with all its runners when the step under way has ended.
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
from treeviz.race.contestant import Contestant, Lap, Runner
from treeviz.race.goals import Goals
from treeviz.race.lane import Lane, State, measure_error
from treeviz.search.compiled import interrupt_deferred
from treeviz.training.memory import require_memory
from treeviz.training.turns import Ticket, Turns

MAX_LAPS = 100_000
# Of all races of this process.
TURNS = Turns()
# A turn lasts at least so long, or changing turns would cost more than the turns.
_TURN_SECONDS = 0.03


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
        the rest to the others. `extend` changes these three.
    test : points for the test error, if there are any.

    Attributes
    ----------
    lanes : one `Lane` a contestant, in their order.
    goals : `until_loss`, `max_laps` and `max_seconds`.

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
        self.goals = Goals(until_loss, max_laps, max_seconds)
        _require_memory(data, contestants, config)
        self.data, self.config, self.test = data, config, test
        self.lanes = [Lane(contestant) for contestant in contestants]
        self._runners: dict[str, Runner] = {}  # of the lanes that have begun and can go on
        self._left_over: dict[str, Lap] = {}  # laps whose step ended after a cancel
        self._seconds = dict.fromkeys(keys, 0.0)  # real time of each contestant's turns, what is not charged too
        self._thread: threading.Thread | None = None
        self._has_begun = threading.Event()  # a lap was taken down, or all lanes are over
        self._is_running = self._is_closed = False
        # Held while something is taken down, so that nothing is after a cancel, whichever thread it comes from.
        self._taking_down = threading.Condition()
        self._callbacks: list[Callable[[], object]] = []
        self._ticket = self._new_ticket()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: networks in the middle of a race are not worth what they weigh."""
        raise TypeError(
            "a race cannot be pickled or copied, because it holds its networks and the turn they wait for: keep what "
            "it measured, by treeviz.race.report.as_json(race, race.until_loss)"
        )

    @property
    def until_loss(self) -> float:
        """The loss to reach."""
        return self.goals.until_loss

    @property
    def max_seconds(self) -> float:
        """Real time for all contestants together."""
        return self.goals.max_seconds

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
    def is_resting(self) -> bool:
        """Whether it waits to be resumed, and the step that was under way has been taken down."""
        return self.is_paused and not TURNS.is_held(self._ticket)

    @property
    def is_over(self) -> bool:
        """Whether every lane is over, or the race was cancelled."""
        return self.is_cancelled or all(lane.is_over for lane in self.lanes)

    @property
    def is_closed(self) -> bool:
        """Whether its networks were let go of, so that it cannot be extended any more."""
        return self._is_closed

    @property
    def record_bytes(self) -> int:
        """Bytes of its data and of the numbers it keeps, which are left when it is closed."""
        datasets = [self.data] if self.test is None else [self.data, self.test]
        return sum(data.X.nbytes for data in datasets) + sum(lane.table_bytes for lane in self.lanes)

    def start(self) -> None:
        """Run in a thread of its own, until the race is over or no longer held."""
        self._thread = threading.Thread(
            target=_run_in_thread,
            args=(weakref.ref(self), self._ticket, self._thread),
            name="treeviz-race",
            daemon=True,
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

    def extend(
        self, *, until_loss: float | None = None, max_laps: int | None = None, max_seconds: float | None = None
    ) -> None:
        """Move the goals further, and let the contestants that have not reached the new ones go on where they stopped.

        They go on as they would have from the start: nothing is done twice, and records only grow. A contestant that
        failed, or whose last iteration said that nothing further can happen, does not go on. A race that was started in
        a thread, or is under way, goes on at once; one that was run goes on with the next `run()`. A cancelled race
        goes on in what is left of its goals, also without new ones.

        Parameters
        ----------
        until_loss : a loss to reach, at most the present one; None for that.
        max_laps : iterations of each contestant, those that are done included; at least as many as now.
        max_seconds : time for all together, what is spent included; at least as much as now.

        Raises
        ------
        ValueError
            If a goal is nearer than the present one, if no contestant can go on, or if the race was closed.
        """
        with self._taking_down:
            goals = self.goals.moved(until_loss, max_laps, max_seconds)
            going, was_over = self.going_on(goals), self.is_over
            if was_over and not going:
                raise ValueError(f"the race cannot be extended: {self._obstacles(goals)}")
            self.goals = goals
            for lane in self.lanes:
                if lane in going:
                    lane.go_on()
                elif lane.state == "reached" and (ending := goals.ending(lane, self.seconds_spent)) is not None:
                    lane.correct(*ending)  # it may be short of the new goal, and not be able to go on
            if was_over:
                TURNS.cancel(self._ticket)  # a thread that has still to notice that the race was over ends
                self._ticket = self._new_ticket()
        if was_over and self._thread is not None:
            self.start()

    def going_on(self, goals: Goals) -> list[Lane]:
        """Return the lanes that are over, and would go on if the race were extended to these goals."""
        spent = self.seconds_spent
        if self._is_closed:
            return []
        return [lane for lane in self.lanes if lane.is_over and goals.ending(lane, spent) is None]

    def close(self, reason: str = "cancelled") -> None:
        """Let go of all networks, as soon as the step under way has ended; their numbers are kept.

        A race that is not over is cancelled. It cannot be extended any more.
        """
        with self._taking_down:  # none may extend it in between
            if not self.is_over:
                self.cancel(reason)
            self._close_if(lambda: True)

    def close_if_over(self) -> None:
        """Let go of all networks if the race is over; what `when_closed` was told is called if so."""
        self._close_if(lambda: self.is_over)

    def when_closed(self, callback: Callable[[], object]) -> None:
        """Have `callback` called when the race has let go of its networks for good."""
        self._callbacks.append(callback)

    def _close_if(self, may_close: Callable[[], bool]) -> None:
        with self._taking_down:
            if not may_close():
                return
            self._is_closed = True
            if self._is_running:  # its thread frees them
                return
        self._free()

    def _free(self) -> None:
        self._runners.clear()
        self._left_over.clear()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def _begin(self) -> None:
        """Begin a run when the one before has ended: of a race that was extended, it may be in its last step."""
        with self._taking_down:
            self._taking_down.wait_for(lambda: not self._is_running)
            self._is_running = True

    def _rest(self) -> None:
        """End a run of the race: let go of the networks if it is closed, or no contestant can ever go on."""
        with self._taking_down:
            self._is_running = False
            self._taking_down.notify_all()
            self._is_closed |= all(lane.is_over and lane.stop_reason for lane in self.lanes)
            if not self._is_closed:
                return
        self._free()

    def _new_ticket(self) -> Ticket:
        ticket = Ticket()
        weakref.finalize(self, TURNS.cancel, ticket).atexit = False
        return ticket

    def _obstacles(self, goals: Goals) -> str:
        """Say why no lane would go on to these goals."""
        endings = [goals.ending(lane, self.seconds_spent) for lane in self.lanes]
        if None in endings:
            return "its networks were let go of; start a new race"
        reasons = [ending[1] or f"has reached {goals.until_loss:g}" for ending in endings if ending]
        return "; ".join(f"{lane.contestant.title}: {reason}" for lane, reason in zip(self.lanes, reasons, strict=True))

    def _take_turn(self, ticket: Ticket, on_lap: Callable[[Lane], object] | None = None) -> bool:
        """Let the contestant that had the least time do some iterations; return whether the race goes on."""
        lanes = [lane for lane in self.lanes if not lane.is_over]
        if not lanes:  # cancelled meanwhile
            return False
        lane = min(lanes, key=lambda lane: self._seconds[lane.contestant.key])
        key, start = lane.contestant.key, perf_counter()
        try:
            if self.seconds_spent < self.max_seconds:
                self._run_lane(lane, ticket, on_lap)
            else:
                self._finish(lane, ticket, self.seconds_spent)
        except Exception as error:  # the other contestants go on
            with self._taking_down:
                lane.fail(_put_in_words(error))
        self._seconds[key] += perf_counter() - start
        if lane.stop_reason:
            self._runners.pop(key, None)  # its memory, for the others
        if self.is_over:
            self._has_begun.set()
        return not self.is_over

    def _fail(self, error: BaseException) -> None:
        """End all lanes that are not over with an error of the race itself, which cannot go on."""
        reason = f"an error ended the race: {_put_in_words(error)}"
        self._end_all("failed", reason)
        self.close()

    def _run_lane(self, lane: Lane, ticket: Ticket, on_lap: Callable[[Lane], object] | None) -> None:
        """Let one contestant start, or do iterations for a while."""
        start, key, before = perf_counter(), lane.contestant.key, self.seconds_spent
        if key not in self._runners:
            self._runners[key] = lane.contestant.start(self.data, self.config)
        runner = self._runners[key]
        with self._taking_down:
            if ticket.is_cancelled:
                return
            lane.begin(runner)
        while not lane.is_over:
            with interrupt_deferred():  # else a step could be done that no lane knows of
                lap = self._left_over.pop(key, None) or runner.step()
                num_bytes = runner.num_bytes
                with self._taking_down:
                    if ticket.is_cancelled:
                        self._left_over[key] = lap  # for the case that the race is extended
                        return
                    lane.add(lap)
                    lane.num_bytes = num_bytes
            self._has_begun.set()
            spent = perf_counter() - start
            if self.goals.ending(lane, before + spent) is not None:
                self._finish(lane, ticket, before + spent)
            if on_lap is not None:
                on_lap(lane)
            if spent > _TURN_SECONDS or not ticket.may_run:
                return

    def _finish(self, lane: Lane, ticket: Ticket, seconds_spent: float) -> None:
        """End a lane, after measuring its test error."""
        error, runner = math.inf, self._runners.get(lane.contestant.key)
        if runner is not None and self.test is not None:
            error = measure_error(runner.predict(self.test.X), self.test.y)
        with self._taking_down:
            ending = self.goals.ending(lane, seconds_spent)  # asked again: the race may have been extended meanwhile
            if ending is not None and not ticket.is_cancelled:
                lane.end(*ending, error)

    def _end_all(self, state: State, reason: str) -> None:
        with self._taking_down:
            for lane in self.lanes:
                lane.end(state, reason)
            TURNS.cancel(self._ticket)
        self._has_begun.set()


def _run(find: Callable[[], Race | None], ticket: Ticket, on_lap: Callable[[Lane], object] | None = None) -> None:
    """Give a race one turn after another. It is held during its turns only, and is gone if `find` does not find it."""
    _tell(find, Race._begin)
    try:
        goes_on = True
        while goes_on and TURNS.take(ticket):
            race = find()
            try:
                goes_on = race is not None and race._take_turn(ticket, on_lap)
            finally:
                TURNS.give_back(ticket)
                del race
    finally:
        _tell(find, Race._rest)


def _tell(find: Callable[[], Race | None], act: Callable[[Race], object]) -> None:
    if (race := find()) is not None:
        act(race)


def _run_in_thread(find: Callable[[], Race | None], ticket: Ticket, previous: threading.Thread | None) -> None:
    if previous is not None:  # the race was extended, and its last step may not have ended
        previous.join()
    try:
        _run(find, ticket)
    except BaseException as error:  # a thread has no caller to raise it to: the lanes say it
        message = error
        _tell(find, lambda race: race._fail(message))


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
