"""Races in threads of their own: pause and cancel, turns of several races, errors, and what is left of dropped ones."""

import contextlib
import gc
import threading
import time
import weakref

import pytest
from scripted import CONFIG, LOSSES, PATIENCE, Clock, Script, ended, in_time, scripted, sphere

from treeviz.race import race as racing
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.lane import Lane
from treeviz.race.race import TURNS, Race
from treeviz.training.turns import Ticket, Turns


class Gate:
    """What a step does that waits for the test: `wait` for a step to come, `let_one` through, or `open` for all."""

    def __init__(self):
        self._coming, self._allowed, self._is_open = threading.Semaphore(0), threading.Semaphore(0), False

    def __call__(self):
        self._coming.release()
        assert self._is_open or self._allowed.acquire(timeout=PATIENCE)

    def wait(self):
        assert self._coming.acquire(timeout=PATIENCE)

    def let_one(self):
        self._allowed.release()

    def open(self):
        self._is_open = True
        self._allowed.release()

    @property
    def has_one(self):
        return self._coming.acquire(blocking=False)


def started(*contestants, **settings):
    race = Race(sphere(), contestants, CONFIG, **{"until_loss": 0.0, "max_seconds": 1000.0, **settings})
    race.start()
    return race


def wait_until(condition):
    limit = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < limit:
        time.sleep(0.001)
    assert condition()


def is_waiting(race):
    """Whether its thread waits for a turn."""
    return race._ticket in TURNS._waiting


@contextlib.contextmanager
def turn_taken():
    """Keep all races waiting meanwhile."""
    ticket = Ticket()
    assert in_time(lambda: TURNS.take(ticket))
    yield
    TURNS.give_back(ticket)


# Pause and cancel


def test_pause_and_resume():
    gate = Gate()
    race = started(scripted(act=gate))
    gate.wait()
    assert not race.is_paused
    race.pause()
    gate.let_one()  # the step under way is taken down
    wait_until(lambda: is_waiting(race))
    assert race.is_paused and not race.is_over and race.lanes[0].num_laps == 1 and not gate.has_one
    race.resume()
    assert not race.is_paused
    gate.wait()
    race.pause()
    gate.open()
    race.cancel()
    assert race.is_over and not race.is_paused and ended(race)


def test_cancel_is_at_once_and_nothing_comes_after():
    gate = Gate()
    race = started(scripted("done", losses=(0.0,)), scripted("slow", act=gate))
    gate.wait()
    race.cancel()
    states = [(lane.state, lane.reason, lane.num_laps) for lane in race.lanes]
    assert race.is_over and states == [("reached", "", 1), ("stopped", "cancelled", 0)]
    gate.open()
    assert ended(race) and [(lane.state, lane.reason, lane.num_laps) for lane in race.lanes] == states
    race.cancel("again")
    assert race.lanes[1].reason == "cancelled"


@pytest.mark.parametrize("act", ["begin", "add", "end"])
def test_a_cancel_waits_for_what_is_being_taken_down(act, monkeypatch):
    is_taking, is_contended, original = threading.Event(), threading.Event(), getattr(Lane, act)

    class Watched:
        """A lock that tells when it is waited for."""

        def __init__(self):
            self._lock = threading.Lock()
            self.locked = self._lock.locked

        def acquire(self, blocking=True):
            if self._lock.acquire(blocking=False):
                return True
            if blocking:
                is_contended.set()
                self._lock.acquire()
            return blocking

        def release(self):
            self._lock.release()

        def __enter__(self):
            self.acquire()

        def __exit__(self, *error):
            self.release()

    def slowly(lane, *what):
        if threading.current_thread() is not threading.main_thread():
            is_taking.set()
            assert is_contended.wait(PATIENCE)
        original(lane, *what)

    monkeypatch.setattr(Lane, act, slowly)
    race = Race(sphere(), [scripted("a", losses=(0.0 if act == "end" else 1.0,)), scripted("b")], CONFIG)
    race._taking_down = threading.Condition(Watched())
    race.start()
    assert is_taking.wait(PATIENCE)
    race.cancel()
    states = [(lane.state, lane.num_laps, dict(lane.costs)) for lane in race.lanes]
    assert ended(race) and [(lane.state, lane.num_laps, dict(lane.costs)) for lane in race.lanes] == states
    assert [state for state, _, _ in states] == ["reached" if act == "end" else "stopped", "stopped"]


@pytest.mark.parametrize("how", ["lap", "start", "cancel", "error"])
def test_waiting_for_the_first_lap_ends_with_it_or_with_the_race(how):
    def fail():
        raise SystemExit if how == "error" else ValueError("no")

    gate = Gate()
    acts = {"lap": None, "start": fail, "cancel": gate, "error": fail}
    race = started(scripted(act=acts[how]))
    if how == "cancel":
        gate.wait()
        assert not race.wait_for_lap(0.0)
        race.cancel()
    assert race.wait_for_lap(PATIENCE) and (race.lanes[0].num_laps > 0) == (how == "lap")
    gate.open()
    race.cancel()
    assert ended(race)


# Turns of races


def take_turns(turns, name, order, count):
    ticket = Ticket()

    def work():
        for _ in range(count):
            assert turns.take(ticket)
            order.append(name)
            turns.give_back(ticket)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return ticket, thread


def test_turns_go_round():
    turns, order, first = Turns(), [], Ticket()
    assert in_time(lambda: turns.take(first))
    tickets, threads = [], []
    for name in "pabcd":
        ticket, thread = take_turns(turns, name, order, 4)
        wait_until(lambda ticket=ticket: ticket in turns._waiting)
        tickets.append(ticket)
        threads.append(thread)
    turns.pause(tickets[0])  # it keeps its place, and others pass it
    assert not order
    turns.give_back(first)
    for thread in threads[1:]:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert "".join(order) == 4 * "abcd"
    turns.resume(tickets[0])
    threads[0].join(PATIENCE)
    assert "".join(order) == 4 * "abcd" + 4 * "p"


def test_an_urgent_ticket_goes_first():
    turns, order, first = Turns(), [], Ticket()
    assert in_time(lambda: turns.take(first))
    tickets, threads = {}, []
    for name in "abc":
        ticket, thread = take_turns(turns, name, order, 1)
        wait_until(lambda ticket=ticket: ticket in turns._waiting)
        tickets[name] = ticket
        threads.append(thread)
    turns.set_urgent(tickets["c"], True)
    turns.set_urgent(tickets["b"], True)
    turns.set_urgent(tickets["c"], False)
    turns.give_back(first)
    for thread in threads:
        thread.join(10)
    assert order == ["b", "a", "c"]


def test_what_is_not_urgent_stands_back_while_something_is_drawn():
    turns, order = Turns(patience=3600.0), []
    with turns.stand_back():
        late, late_thread = take_turns(turns, "late", order, 1)
        wait_until(lambda: late in turns._waiting)
        with turns.stand_back():
            assert in_time(lambda: turns.take(Ticket(is_urgent=True))), "a viewer waits for it"
        turns.cancel(turns._owner)
        assert not order and turns._owner is not late
    late_thread.join(PATIENCE)
    assert order == ["late"]


def test_what_stands_back_does_not_wait_for_ever():
    turns, order = Turns(patience=0.05), []
    with turns.stand_back():
        for thread in [take_turns(turns, name, order, 1)[1] for name in "ab"]:
            thread.join(PATIENCE)
    assert sorted(order) == ["a", "b"]


def test_races_of_several_viewers_have_their_turns_in_rotation(monkeypatch):
    clock, order = Clock(), []
    monkeypatch.setattr(racing, "perf_counter", clock)

    def step_of(name):
        def act():
            clock.now += 1.0  # longer than a turn
            order.append(name)

        return act

    races = []
    with turn_taken():
        for place, name in enumerate("abc"):
            races.append(started(scripted(act=step_of(name)), max_laps=5))
            wait_until(lambda place=place: len(TURNS._waiting) == place + 1)
    assert all(map(ended, races)) and "".join(order) == 5 * "abc"


@pytest.mark.parametrize("act", ["pause", "cancel"])
@pytest.mark.parametrize("place", ["owner", "first in the queue"])
def test_turns_go_on_past_a_ticket_that_has_none(act, place):
    """No thread waits with the other ticket here, so that the one that does has to be woken by the act itself."""
    turns, order, other = Turns(), [], Ticket()
    if place == "owner":
        assert in_time(lambda: turns.take(other))
    else:
        turns._waiting[other] = 0.0
    ticket, thread = take_turns(turns, "next", order, 1)
    wait_until(lambda: ticket in turns._waiting)
    getattr(turns, act)(other)
    if (place, act) == ("owner", "pause"):  # a pause comes into force at the end of the turn
        assert not order and turns._owner is other
        turns.give_back(other)
    thread.join(PATIENCE)
    assert order == ["next"]


def test_a_paused_ticket_is_woken_by_resuming_it():
    turns, order, ticket = Turns(), [], Ticket()
    turns.pause(ticket)
    thread = threading.Thread(target=lambda: order.append(turns.take(ticket)), daemon=True)
    thread.start()
    wait_until(lambda: ticket in turns._waiting)
    turns.resume(ticket)
    thread.join(PATIENCE)
    assert order == [True] and turns._owner is ticket
    turns.cancel(ticket)
    assert not in_time(lambda: turns.take(ticket)) and not turns._waiting


def test_a_cancelled_race_does_not_end_the_turn_of_another():
    """It has lost its turn; giving it back late changes nothing."""
    turns, late, now = Turns(), Ticket(), Ticket()
    assert in_time(lambda: turns.take(late))
    turns.cancel(late)
    assert in_time(lambda: turns.take(now))
    turns.give_back(late)
    assert turns._owner is now


def test_a_cancelled_race_that_waits_for_its_turn_starts_no_contestant():
    begun = []
    with turn_taken():
        race = started(scripted(make=lambda: begun.append(1)))
        wait_until(lambda: is_waiting(race))
        race.cancel()
        assert ended(race)
    assert not begun


def test_no_race_waits_for_the_step_of_a_cancelled_one():
    gate = Gate()
    old = started(scripted(act=gate))
    gate.wait()
    old.cancel()
    new = started(scripted("b", losses=(0.0,)))
    assert ended(new) and new.lanes[0].state == "reached"
    gate.open()
    assert ended(old)


# Errors


def test_an_error_of_the_race_itself_ends_all_lanes_with_the_reason():
    def leave():
        raise SystemExit("gone")

    race = started(scripted("done", losses=(0.0,)), scripted("leaves", act=leave), scripted("next"))
    assert ended(race) and race.is_over
    assert [(lane.state, lane.reason) for lane in race.lanes] == [
        ("reached", ""),
        ("failed", "an error ended the race: SystemExit: gone"),
        ("failed", "an error ended the race: SystemExit: gone"),
    ]
    assert not race._runners
    assert ended(started(scripted(losses=LOSSES), until_loss=1e-3)), "the turn was given back"


def test_an_interrupt_leaves_a_race_of_this_thread_at_once():
    def interrupt():
        raise KeyboardInterrupt

    race = Race(sphere(), [scripted(act=interrupt)], CONFIG)
    with pytest.raises(KeyboardInterrupt):
        race.run()
    race.cancel()
    assert ended(started(scripted(losses=(0.0,)))), "the turn was given back"


# Lifetimes


ALIVE = weakref.WeakSet()


class Tracked(Script):
    """A script that is in `ALIVE` while it exists."""

    def __init__(self, **settings):
        super().__init__(**settings)
        ALIVE.add(self)


def dropped(bring_about):
    """Bring a race into a state, drop it, and return a weak reference to it and its thread."""
    race = bring_about()
    return weakref.ref(race), race._thread


def paused(contestant=None):
    race = started(contestant or scripted(make=Tracked))
    assert race.wait_for_lap(PATIENCE)
    race.pause()
    wait_until(lambda: is_waiting(race))
    assert race._runners
    return race


def running():
    race = started(scripted(make=Tracked))
    assert race.wait_for_lap(PATIENCE) and ALIVE
    return race


def finished():
    race = started(scripted(make=Tracked, losses=(0.0,)), scripted("fails", make=lambda: 1 / 0))
    assert ended(race) and ALIVE, "it could be extended"
    return race


def cancelled():
    race = paused()
    race.cancel()
    assert ended(race) and ALIVE
    return race


def extended():
    race = cancelled()
    laps = race.lanes[0].num_laps
    race.extend()
    wait_until(lambda: race.lanes[0].num_laps > laps)
    return race


def closed():
    race = cancelled()
    race.close()
    assert not ALIVE, "what a closed race keeps is numbers"
    return race


def unable():
    race = started(scripted(make=Tracked, stop_reasons={2: "solved"}))
    assert ended(race) and not ALIVE, "no contestant can go on"
    return race


def failed():
    race = paused()
    race._take_turn = None
    race.resume()
    assert ended(race) and not ALIVE
    return race


def never_started():
    return Race(sphere(), [scripted(make=Tracked)], CONFIG)


@pytest.mark.parametrize(
    "bring_about", [never_started, running, paused, finished, cancelled, extended, closed, unable, failed]
)
def test_a_dropped_race_is_gone_with_its_thread_and_its_runners(bring_about):
    race, thread = dropped(bring_about)
    if thread is not None:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert race() is None and not ALIVE, gc.get_referrers(race())
    assert not TURNS._waiting and TURNS._owner is None


def test_a_race_that_is_dropped_while_it_waits_for_its_turn_is_gone():
    with turn_taken():
        race, thread = dropped(lambda: started(scripted(make=Tracked)))
        thread.join(PATIENCE)
        assert not thread.is_alive() and race() is None


def test_trainers_of_a_dropped_race_are_gone():
    """The same for a contestant of the app, whose runner is more than one object."""
    race = paused(CONTESTANTS["descent-forest"])
    (trainer,) = (weakref.ref(runner._trainer) for runner in race._runners.values())
    thread = race._thread
    del race
    thread.join(PATIENCE)
    assert not thread.is_alive()
    gc.collect()  # a trainer may hold itself
    assert trainer() is None
