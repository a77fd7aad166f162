"""Races that are extended: equal to those with the far goals from the start, and what cannot go on says why."""

import math
import signal
import threading
import time
from dataclasses import astuple, replace

import numpy as np
import pytest
from scripted import CONFIG, PATIENCE, Clock, Script, contestant_of, ended, run, scripted, sphere

from treeviz.race import race as racing
from treeviz.race import report
from treeviz.race.contestant import Trained
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.lane import COLUMNS
from treeviz.race.race import Race
from treeviz.race.verdict import judge

COUNTED = [name for name in COLUMNS if "seconds" not in name]


def records(race):
    """All of a race but measured times."""
    lanes = [(lane.state, lane.reason, lane.test_error, lane.num_bytes, dict(lane.costs)) for lane in race.lanes]
    return lanes, [[column.tolist() for column in lane.columns(*COUNTED)] for lane in race.lanes]


SHORT = {"laps": {"max_laps": 2}, "loss": {"until_loss": 0.05}, "both": {"max_laps": 3, "until_loss": 0.3}}


@pytest.mark.parametrize("short", SHORT)
def test_an_extended_race_is_the_race_that_had_the_far_goals_from_the_start(short):
    far = {"until_loss": 1e-9, "max_laps": 40}
    data, test, config = sphere(10, 5), sphere(7, 5, 3), replace(CONFIG, batch_size=4)
    settings = {"data": data, "test": test, "config": config}
    race = run(*CONTESTANTS.values(), **settings, **{**far, **SHORT[short]})
    before = records(race)
    race.extend(**far)
    assert not race.is_over and [lane.state for lane in race.lanes].count("running") > 5
    assert all(lane.test_error is None for lane in race.lanes if lane.state == "running")
    race.run()
    whole = run(*CONTESTANTS.values(), **settings, **far)
    assert records(race) == records(whole) != before
    assert judge(race, 0.05).split(",")[0] == judge(whole, 0.05).split(",")[0]
    for lane, old in zip(race.lanes, before[1], strict=True):
        assert lane.column("loss").tolist()[: len(old[0])] == old[0]
        assert (np.diff(lane.column("seconds")) >= 0).all()


def test_a_race_is_extended_again_and_again():
    far = {"until_loss": 1e-12, "max_laps": 30}
    race = run(CONTESTANTS["forest"], CONTESTANTS["descent-dense"], until_loss=1.0, max_laps=1)
    for max_laps in (2, 3, 5, 30):
        race.extend(max_laps=max_laps, until_loss=10.0**-max_laps if max_laps < 30 else 1e-12)
        race.run()
    assert records(race) == records(run(CONTESTANTS["forest"], CONTESTANTS["descent-dense"], **far))


def test_more_time_is_shared_like_the_first(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(racing, "perf_counter", clock)

    def act():
        clock.now += 0.01

    race = run(scripted("a", act=act), scripted("b", act=act), scripted("c", losses=(0.0,), act=act), max_seconds=0.5)
    laps = [lane.num_laps for lane in race.lanes]
    assert [lane.state for lane in race.lanes] == ["stopped", "stopped", "reached"] and 0.5 <= clock.now < 0.52
    clock.now += 100.0  # the time between does not count
    race.extend(max_seconds=1.0)
    assert [lane.reason for lane in race.lanes] == ["", "", ""]
    race.run()
    assert 1.0 <= race.seconds_spent < 1.02
    assert [lane.state for lane in race.lanes] == ["stopped", "stopped", "reached"]
    assert all(later > 1.8 * lap for later, lap in zip([lane.num_laps for lane in race.lanes][:2], laps, strict=False))


def test_a_contestant_that_had_no_turn_yet_begins(monkeypatch):
    clock, begun = Clock(), []
    monkeypatch.setattr(racing, "perf_counter", clock)

    def act():
        clock.now += 1.0

    race = Race(sphere(), [scripted("a", act=act), scripted("b", act=act)], CONFIG, max_seconds=0.5)
    race.run()
    assert [lane.num_laps for lane in race.lanes] == [1, 0]
    race.extend(max_seconds=1.5)
    begun = [lane.state for lane in race.lanes]
    race.run()
    assert begun == ["running", "waiting"] and [lane.num_laps for lane in race.lanes] == [1, 1]


# What cannot go on


def failing():
    raise ValueError("no way")


def test_who_cannot_go_on_says_why():
    hasty = contestant_of("hasty", Trained(method="gradient-descent", search="dense", step_size=1e9))
    solved = scripted("solved", losses=(1.0, 1e-4), stop_reasons={1: "solved"})
    race = run(solved, scripted("failed", make=failing), hasty, CONTESTANTS["descent-dense"], until_loss=1e-3)
    lanes = solved, failed, wild, going = race.lanes
    assert [lane.state for lane in lanes] == ["reached", "failed", "stopped", "reached"]
    reasons = failed.reason, wild.reason
    race.extend(until_loss=1e-4)
    assert [lane.state for lane in lanes] == ["reached", "failed", "stopped", "running"]
    race.run()
    race.extend(until_loss=1e-5)
    assert [lane.state for lane in lanes] == ["stopped", "failed", "stopped", "running"]
    assert solved.reason == "solved" and (failed.reason, wild.reason) == reasons
    assert "diverg" in wild.reason and failed.reason == "no way"
    race.run()
    assert going.state == "reached" and solved.num_laps == 2


def test_a_race_that_cannot_be_extended_says_why():
    race = run(scripted("a", stop_reasons={1: "tired"}), scripted("b", losses=(0.0,)))
    for goals in ({}, {"until_loss": 0.0}, {"max_seconds": math.inf}):
        with pytest.raises(ValueError, match=r"cannot be extended: The a: tired; The b: has reached "):
            race.extend(**goals)
    spent = run(scripted(), max_laps=3)
    with pytest.raises(ValueError, match="The script: loss not reached in 3 iterations, the limit"):
        spent.extend()
    spent.close()
    assert spent.is_closed and not spent._runners
    with pytest.raises(ValueError, match="its networks were let go of; start a new race"):
        spent.extend(max_laps=9)


@pytest.mark.parametrize("goal", [{"until_loss": 1e-3}, {"max_laps": 9}, {"max_seconds": 1.0}, {"until_loss": -1.0}])
def test_a_goal_that_is_nearer_is_refused_and_changes_nothing(goal):
    race = run(scripted(losses=(1.0,)), until_loss=1e-6, max_laps=10, max_seconds=1e6)
    with pytest.raises(ValueError, match=r"at least 10 iterations and at least 1e\+06 seconds|until_loss must be"):
        race.extend(**{"max_laps": 20, **goal})
    assert astuple(race.goals) == (1e-6, 10, 1e6) and race.is_over


def test_a_contestant_that_fails_after_a_cancel_does_not_go_on():
    is_inside, may_go_on = threading.Event(), threading.Event()

    def act():
        is_inside.set()
        assert may_go_on.wait(PATIENCE)
        raise ZeroDivisionError("by zero")

    race = Race(sphere(), [scripted("a", act=act), scripted("b")], CONFIG, max_laps=5)
    race.start()
    assert is_inside.wait(PATIENCE)
    race.cancel()
    may_go_on.set()
    assert ended(race) and [lane.reason for lane in race.lanes] == ["cancelled", "cancelled"]
    race.extend()
    assert ended(race)
    assert [lane.num_laps for lane in race.lanes] == [0, 5]
    assert race.lanes[0].stop_reason == "ZeroDivisionError: by zero"


# In threads


def test_a_cancelled_race_goes_on_with_the_step_that_was_under_way():
    is_inside, may_go_on, steps = threading.Event(), threading.Event(), []

    def act():
        steps.append(1)
        if len(steps) == 3:
            is_inside.set()
            assert may_go_on.wait(PATIENCE)

    race = Race(sphere(), [scripted(losses=(5.0, 4.0, 3.0, 2.0), act=act)], CONFIG, until_loss=2.0)
    race.start()
    assert is_inside.wait(PATIENCE)
    race.cancel()
    assert race.lanes[0].num_laps == 2 and race.is_over
    race.extend()  # while the step is under way
    assert not race.is_over and not race.is_cancelled
    may_go_on.set()
    assert ended(race)
    assert race.lanes[0].column("loss").tolist() == [5.0, 4.0, 3.0, 2.0] and race.lanes[0].state == "reached"
    assert race.lanes[0].column("operations").tolist() == [15, 25, 35, 45]


def test_a_race_under_way_is_extended_and_goes_on():
    is_there, may_go_on = threading.Event(), threading.Event()

    def act():
        is_there.set()
        assert may_go_on.wait(PATIENCE)

    quick = scripted("quick", losses=(1.0, 0.5, 0.25, 0.125))
    race = Race(sphere(), [quick, scripted("slow", act=act)], CONFIG, until_loss=0.5, max_laps=3)
    race.start()
    assert is_there.wait(PATIENCE)
    thread = race._thread
    race.extend(until_loss=0.2, max_laps=4)
    may_go_on.set()
    assert ended(race) and race._thread is thread
    assert [(lane.state, lane.num_laps) for lane in race.lanes] == [("reached", 4), ("stopped", 4)]


def test_a_paused_race_rests_when_the_step_under_way_is_taken_down():
    is_there, may_go_on = threading.Event(), threading.Event()

    def act():
        is_there.set()
        assert may_go_on.wait(PATIENCE)

    race = Race(sphere(), [scripted("one", act=act)], CONFIG, until_loss=0.0, max_laps=9)
    race.start()
    assert is_there.wait(PATIENCE)
    race.pause()
    assert race.is_paused and not race.is_resting and not race.lanes[0].num_laps
    may_go_on.set()
    deadline = time.monotonic() + PATIENCE
    while not race.is_resting:
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)
    laps = race.lanes[0].num_laps
    assert laps
    race.resume()
    assert ended(race) and race.lanes[0].num_laps == 9 > laps


def test_a_run_waits_for_the_last_step_of_the_run_before():
    """The race is cancelled in a step and extended, and run in another thread before that step has ended."""
    is_there, may_go_on, inside, most = threading.Event(), threading.Event(), [], []

    def act():
        inside.append(threading.get_ident())
        most.append(len(inside))
        is_there.set()
        assert may_go_on.wait(PATIENCE)
        inside.pop()

    race = Race(sphere(), [scripted("one", act=act)], CONFIG, until_loss=0.0, max_laps=4)
    runs = [threading.Thread(target=race.run) for _ in range(2)]
    runs[0].start()
    assert is_there.wait(PATIENCE)
    race.cancel()
    race.extend()
    runs[1].start()
    deadline = time.monotonic() + PATIENCE
    while not race._taking_down._waiters and len(inside) < 2:
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)
    may_go_on.set()
    for thread in runs:
        thread.join(PATIENCE)
    assert max(most) == 1 and race.lanes[0].num_laps == 4 and len(most) == 4


def test_goals_that_move_while_a_lane_ends_count():
    """The test error is measured at the old goal; meanwhile the race is extended."""
    is_inside, may_go_on = threading.Event(), threading.Event()

    def predict(runner, X):
        is_inside.set()
        assert may_go_on.wait(PATIENCE)
        return np.zeros(len(X))

    one = scripted(losses=(1.0, 0.5, 0.25))
    type(one.start.make()).predict, usual = predict, one.start.make.predict
    try:
        race = Race(sphere(), [one], CONFIG, until_loss=0.5, test=sphere(3))
        race.start()
        assert is_inside.wait(PATIENCE)
        race.extend(until_loss=0.25)
        may_go_on.set()
        assert ended(race)
    finally:
        one.start.make.predict = usual
    assert (race.lanes[0].state, race.lanes[0].num_laps) == ("reached", 3)


def test_a_thread_that_has_not_noticed_that_the_race_was_over_has_no_more_turns():
    race = run(scripted(losses=(1.0, 0.5)), until_loss=1.0)
    old = race._ticket
    race.extend(until_loss=0.5)
    assert old.is_cancelled and race._ticket is not old
    race.run()
    assert race.lanes[0].column("loss").tolist() == [1.0, 0.5]


def test_an_interrupted_race_loses_no_iteration():
    def act():
        if runner.num_done == 2:
            signal.raise_signal(signal.SIGINT)

    runner = Script(losses=(5.0, 4.0, 3.0, 2.0), act=act)
    race = Race(sphere(), [scripted(make=lambda: runner)], CONFIG, until_loss=2.0)
    with pytest.raises(KeyboardInterrupt):
        race.run()
    race.cancel()
    assert race.lanes[0].num_laps == 3 == runner.num_done
    race.extend()
    race.run()
    assert race.lanes[0].column("loss").tolist() == [5.0, 4.0, 3.0, 2.0]


def test_pause_and_cancel_of_an_extended_race():
    race = Race(sphere(), [scripted(act=lambda: threading.Event().wait(0.001))], CONFIG, until_loss=0.0)
    for _ in range(3):
        race.start() if race._thread is None else race.extend()
        assert race.wait_for_lap(PATIENCE)
        race.pause()
        assert race.is_paused
        race.resume()
        race.cancel()
        assert race.is_over and ended(race)
    assert report.as_json(race, 0.0)["contestants"][0]["reason"] == "cancelled"


# Closing


def test_a_race_is_closed_only_when_it_is_over():
    told = []
    race = Race(sphere(), [scripted(act=lambda: threading.Event().wait(0.001))], CONFIG, until_loss=0.0)
    race.when_closed(lambda: told.append(1))
    race.start()
    assert race.wait_for_lap(PATIENCE)
    race.close_if_over()
    assert not race.is_over and not race.is_closed and not told
    race.cancel()
    assert ended(race) and race._runners and not told
    race.close_if_over()
    race.close()
    assert race.is_closed and not race._runners and told == [1]
    assert race.lanes[0].num_laps and race.lanes[0].reason == "cancelled"


def test_a_race_that_is_closed_in_a_step_frees_it_at_its_end():
    is_inside, may_go_on, told = threading.Event(), threading.Event(), threading.Event()

    def act():
        is_inside.set()
        assert may_go_on.wait(PATIENCE)

    race = Race(sphere(), [scripted(act=act)], CONFIG)
    race.when_closed(told.set)
    race.start()
    assert is_inside.wait(PATIENCE)
    race.close("enough")
    assert race.is_over and race.lanes[0].reason == "enough" and not told.is_set()
    may_go_on.set()
    assert ended(race) and told.is_set() and not race._runners and not race._left_over


def test_a_race_in_which_no_contestant_can_go_on_closes_itself():
    told = []
    race = Race(sphere(), [scripted(stop_reasons={1: "tired"}), scripted("b", make=failing)], CONFIG)
    race.when_closed(lambda: told.append(1))
    race.run()
    assert race.is_closed and told == [1]
