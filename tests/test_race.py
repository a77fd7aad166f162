"""Races: how lanes end and why, what is refused, and which contestant has the next turn."""

import itertools
import math

import numpy as np
import pytest
from scripted import CONFIG, Clock, Script, Starter, contestant_of, run, scripted, sphere

from treeviz import Dataset
from treeviz.race import race as racing
from treeviz.race.contestant import Lap, Trained
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.race import Race, warm_up
from treeviz.search.dense import DenseEngine


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(racing, "perf_counter", clock)
    return clock


def taking(clock, seconds):
    """What a step does that takes so long."""

    def act():
        clock.now += seconds

    return act


# How lanes end


def test_a_contestant_that_reaches_the_loss_is_done():
    race = run(CONTESTANTS["forest"], CONTESTANTS["descent-dense"], CONTESTANTS["kernel-ridge"], until_loss=1e-3)
    for lane in race.lanes:
        losses = lane.column("loss")
        assert lane.state == "reached" and lane.reason == "" and lane.is_over
        assert losses[-1] <= 1e-3 and (losses[:-1] > 1e-3).all()
        assert lane.lap_reaching(1e-3) == lane.num_laps - 1 and lane.lap_reaching(-1.0) is None
        assert lane.last_loss == losses[-1] == lane.lowest_loss
    assert race.is_over and not race.is_cancelled and not race.is_paused
    race.run()  # there is nothing left to do
    exactly = run(scripted(losses=(1.0, 0.5)), until_loss=0.5, max_laps=9).lanes[0]
    assert exactly.state == "reached" and exactly.num_laps == 2


def test_a_limit_of_laps():
    race = run(CONTESTANTS["forest"], CONTESTANTS["dense"], until_loss=0.0, max_laps=2)
    for lane in race.lanes:
        assert lane.num_laps == 2 and lane.state == "stopped" and "2 iterations, the limit" in lane.reason


def test_a_limit_of_time_is_kept_and_shared(clock):
    test = Dataset(np.eye(2), np.array([1.0, 2.5]))
    contestants = [scripted(key, act=taking(clock, 0.01)) for key in ("a", "b", "c")]
    race = run(*contestants, max_seconds=0.6, test=test)
    assert race.seconds_spent == pytest.approx(clock.now) and 0.6 <= clock.now < 0.62
    for lane in race.lanes:
        assert lane.state == "stopped" and "time was over" in lane.reason and 16 <= lane.num_laps <= 24
        assert lane.test_error is not None


def test_a_step_that_stops_says_why():
    race = run(scripted(losses=(3.0, 2.0, 1.0), stop_reasons={1: "tired of it"}))
    assert (race.lanes[0].state, race.lanes[0].reason, race.lanes[0].num_laps) == ("stopped", "tired of it", 2)


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_loss_that_is_no_number_ends_a_lane(loss):
    (lane,) = run(scripted(losses=(3.0, loss, 1.0)), max_laps=50).lanes
    assert lane.state == "stopped" and "diverged" in lane.reason and lane.num_laps == 2
    assert lane.lowest_loss == 3.0
    (lane,) = run(scripted(losses=(3.0, loss), stop_reasons={1: "known"}), max_laps=50).lanes
    assert lane.reason == "known"


class WordlessError(Exception):
    """An error that cannot even be put into words."""

    def __str__(self):
        raise RuntimeError("no words")


def failing_at(where, error):
    """A class of runners that raises in one place: in the first step, or in whatever comes after it."""

    class Failing(Script):
        def __init__(self):
            if where == "start":
                raise error
            super().__init__(losses=(0.0,))

        def step(self):
            if where == "step":
                raise error
            return None if where == "lap" else super().step()

        def predict(self, X):
            raise error

    if where == "num_bytes":

        def fail(runner):
            raise error

        Failing.num_bytes = property(fail, lambda runner, value: None)
    return Failing


@pytest.mark.parametrize(
    ("where", "error", "words"),
    [
        ("start", ValueError("choose another"), "choose another"),
        ("start", MemoryError(), "MemoryError"),
        ("step", ValueError(), "ValueError"),
        ("step", ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        ("step", WordlessError(), "WordlessError"),
        ("step", StopIteration(3), "StopIteration: 3"),
        ("num_bytes", AssertionError(), "AssertionError"),
        ("predict", KeyError("weights"), "KeyError: 'weights'"),
        ("lap", None, "AttributeError: 'NoneType' object has no attribute 'costs'"),
    ],
)
def test_a_contestant_that_fails_says_why_and_disturbs_no_other(where, error, words):
    others = [CONTESTANTS["forest"], CONTESTANTS["sgd-dense"]]
    settings = {"until_loss": 1e-3, "max_laps": 60, "test": sphere(5, 4, 7)}
    failing = scripted(make=failing_at(where, error))
    race, alone = run(others[0], failing, others[1], **settings), run(*others, **settings)
    lane = race.lanes.pop(1)
    assert (lane.state, lane.reason, lane.test_error) == ("failed", words, None)
    for left, right in zip(race.lanes, alone.lanes, strict=True):
        assert left.column("loss").tolist() == right.column("loss").tolist()
        assert left.costs == right.costs and left.state == right.state


def test_a_contestant_that_diverges_or_stalls():
    hasty = contestant_of(
        "hasty", Trained(method="gradient-descent", search="dense", step_size=1e9), family="gradient-descent"
    )
    same = Dataset(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0]))  # no function fits both
    race = run(hasty, CONTESTANTS["dense"], until_loss=0.0, max_laps=200)
    assert race.lanes[0].state == "stopped" and "diverg" in race.lanes[0].reason
    alone = run(CONTESTANTS["dense"], until_loss=0.0, max_laps=200)
    assert race.lanes[1].column("loss").tolist() == alone.lanes[0].column("loss").tolist()
    stalled = run(CONTESTANTS["forest"], data=same, until_loss=1e-9).lanes[0]
    assert stalled.state == "stopped" and stalled.reason


def test_every_lap_is_told_in_order():
    race = Race(sphere(), [CONTESTANTS["dense"]], CONFIG)
    seen = []
    race.run(on_lap=lambda lane: seen.append((lane.num_laps, lane.last_loss)))
    assert [laps for laps, _ in seen] == list(range(1, len(seen) + 1))
    assert [loss for _, loss in seen] == race.lanes[0].column("loss").tolist()


# Turns of contestants


def test_the_contestant_that_had_the_least_time_has_the_next_turn(clock):
    order = []
    fast, slow = scripted("fast", act=taking(clock, 0.004)), scripted("slow", act=taking(clock, 0.05))
    race = Race(sphere(), [fast, slow], CONFIG, max_seconds=0.8)
    race.run(on_lap=lambda lane: order.append(lane.contestant.key))
    turns = [(key, len(list(laps))) for key, laps in itertools.groupby(order)]
    # A turn ends with the step in which 0.03 s have passed: 0.032 s of the one, 0.05 s of the other.
    assert turns[:5] == [("fast", 8), ("slow", 1), ("fast", 8), ("slow", 1), ("fast", 16)]


def test_a_contestant_that_cannot_go_on_gives_its_memory_back():
    over, going = scripted("over", stop_reasons={0: "solved"}), scripted("going", losses=(1.0, 1.0, 0.0))
    race = Race(sphere(), [over, going], CONFIG)
    kept = []
    race.run(on_lap=lambda lane: kept.append(sorted(race._runners)))
    assert kept[0] == ["over"] and kept[1:] == [["going"]] * 3 and list(race._runners) == ["going"]


# What is refused


@pytest.mark.parametrize("keys", [[], ["dense", "forest", "dense"]])
def test_no_contestant_and_one_twice_are_refused(keys):
    with pytest.raises(ValueError, match=r"each once; got (none|dense, forest, dense)$"):
        Race(sphere(), [CONTESTANTS[key] for key in keys], CONFIG)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("until_loss", math.nan),
        ("until_loss", math.inf),
        ("until_loss", -1e-9),
        ("max_laps", 0),
        ("max_seconds", 0.0),
        ("max_seconds", math.nan),
    ],
)
def test_limits_that_make_no_sense_are_refused(limit, value):
    with pytest.raises(ValueError, match=f"{limit} must be .*; got {value}"):
        Race(sphere(), [CONTESTANTS["dense"]], CONFIG, **{limit: value})


def test_more_memory_than_there_is_is_refused():
    def race_with(memory):
        return Race(sphere(8, 4), [contestant_of("new", Starter(memory=memory)), CONTESTANTS["dense"]], CONFIG)

    with pytest.raises(ValueError, match=r"The new 1000000\.0 GB, Dense .*choose a smaller width"):
        race_with(lambda m, n, d: 10**15)
    asked = []
    race_with(lambda m, n, d: asked.append((m, n, d)) or 1)
    assert asked == [(600, 8, 4)]


def test_a_warm_up_runs_every_contestant_twice():
    runners = [Script(), Script()]
    warm_up([scripted("a", make=lambda: runners[0]), scripted("b", make=lambda: runners[1])])
    assert [runner.num_done for runner in runners] == [2, 2]


# A contestant of one's own


class Descending:
    """Textbook gradient descent in ten lines, with nothing of the package but the network's own numbers."""

    def __init__(self, data, config):
        from treeviz.model.network import initial_weights, output_signs

        self.data, self.b = data, config.resolved_threshold
        self.W = initial_weights(config.seed, config.width, data.dimension)
        self.a = output_signs(config.seed, config.width) / math.sqrt(config.width)
        self.build_costs, self.build_seconds, self.build_nodes = {}, {}, {}
        self.num_bytes, self.laps = self.W.nbytes, 0

    def predict(self, X):
        return np.maximum(X @ self.W.T - self.b, 0.0) @ self.a

    def step(self):
        residual = self.predict(self.data.X) - self.data.y
        fires = self.b <= self.data.X @ self.W.T
        self.W -= ((fires * self.a).T * residual) @ self.data.X
        self.laps += 1
        return Lap(self.laps - 1, 0.5 * residual @ residual, {"move": self.W.size}, {"move": 1e-3}, len(self.W), 0)


def test_a_contestant_of_ones_own_races_with_the_others():
    own = contestant_of("own", Starter(make=lambda: Descending(data, CONFIG)), family="gradient-descent")
    choices = {"method": "gradient-descent", "search": "forest", "step_size": 1.0}
    engine = contestant_of("engine", Trained(engine_class=DenseEngine, **choices), family="gradient-descent")
    trees = contestant_of("trees", Trained(**choices), family="gradient-descent", kind="trees")
    data = sphere()
    assert engine.required_bytes(600, 8, 4) == DenseEngine.required_bytes(600, 8, 4)
    race = run(own, engine, trees, data=data, until_loss=1e-3, max_laps=40)
    assert [lane.column("num_modified").any() for lane in race.lanes] == [False, False, True]
    losses = [lane.column("loss") for lane in race.lanes]
    assert np.allclose(losses, losses[0], rtol=1e-9, atol=0)
