"""Races: who ends how and why, what is taken down of everybody, and what is said of it afterwards."""

import csv
import itertools
import json
import math
import re
import threading
import time
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, load_dataset
from treeviz.model.infinite_width import Activity
from treeviz.race import race as racing
from treeviz.race import report, verdict
from treeviz.race.contestant import Contestant, Lap, Prediction, trained
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.race import Lane, Race, measure_error
from treeviz.search.dense import DenseEngine

CONFIG = TrainConfig(width=600, seed=1)
NEVER_SAID = re.compile(r"\b(nan|NaN|inf|None|infinity)\b")


def sphere(num_points=8, dimension=4, seed=0):
    return load_dataset("sphere", num_points, seed, dimension=dimension)


@dataclass
class Script:
    """A runner that does what it is told: a loss a lap, after so many seconds."""

    losses: tuple = ()
    pause: float = 0.0
    stop_reasons: dict = field(default_factory=dict)
    error_at: tuple = (-1, None)
    outputs: float = 0.0
    build_costs: dict = field(default_factory=lambda: {"build": 10})
    build_seconds: dict = field(default_factory=lambda: {"build": 0.5})
    num_bytes: int = 8
    num_done: int = 0

    def step(self):
        time.sleep(self.pause)
        lap = self.num_done
        if lap == self.error_at[0]:
            raise self.error_at[1]
        self.num_done += 1
        loss = self.losses[min(lap, len(self.losses) - 1)]
        costs, seconds = {"search": 2, "forward": 3, "move": 5}, {"search": 0.25, "move": 0.5}
        return Lap(lap, loss, costs, seconds, 4, 6, "ok", self.stop_reasons.get(lap, ""), Activity(4, 5, 7), 1)

    def predict(self, X):
        return np.full(len(X), self.outputs)


def scripted(key="script", kind="other", family_name="gauss-newton", start_error=None, **script):
    def start(data, config):
        if start_error:
            raise start_error
        return Script(**script)

    return Contestant(
        key, f"The {key}", family_name, "", start, lambda load: Prediction({}, {"move": 1.0}), lambda m, n, d: 8, kind
    )


def run(*contestants, data=None, config=CONFIG, **settings):
    race = Race(data or sphere(), contestants, config, **{"max_seconds": 60.0, **settings})
    race.run()
    return race


def wait_until(condition, seconds=10.0):
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        time.sleep(0.005)
    assert condition()


# How lanes end


def test_whoever_reaches_the_loss_is_done():
    race = run(CONTESTANTS["forest"], CONTESTANTS["descent-dense"], CONTESTANTS["kernel-ridge"], until_loss=1e-3)
    for lane in race.lanes:
        losses = lane.column("loss")
        assert lane.state == "reached" and lane.reason == "" and lane.is_over
        assert losses[-1] <= 1e-3 and (losses[:-1] > 1e-3).all()
        assert lane.lap_reaching(1e-3) == lane.num_laps - 1 and lane.lap_reaching(-1.0) is None
        assert lane.last_loss == losses[-1] == lane.lowest_loss
    assert race.is_over and not race.is_cancelled and not race.is_paused


def test_a_limit_of_laps():
    race = run(CONTESTANTS["forest"], CONTESTANTS["dense"], until_loss=0.0, max_laps=2)
    for lane in race.lanes:
        assert lane.num_laps == 2 and lane.state == "stopped" and "2 iterations, the limit" in lane.reason


def test_a_limit_of_time_is_kept_and_shared():
    slow = [scripted(key, losses=(1.0,), pause=0.01) for key in ("a", "b", "c")]
    start = time.monotonic()
    race = run(*slow, max_seconds=0.6)
    assert time.monotonic() - start < 2.0
    for lane in race.lanes:
        assert lane.state == "stopped" and "time was over" in lane.reason
        assert 3 <= lane.num_laps <= 21
    laps = [lane.num_laps for lane in race.lanes]
    assert max(laps) - min(laps) <= 6


def test_a_step_that_stops_says_why():
    race = run(scripted(losses=(3.0, 2.0, 1.0), stop_reasons={1: "tired of it"}))
    assert (race.lanes[0].state, race.lanes[0].reason, race.lanes[0].num_laps) == ("stopped", "tired of it", 2)


@pytest.mark.parametrize("loss", [math.inf, math.nan])
def test_a_loss_that_is_no_number_ends_a_lane(loss):
    (lane,) = run(scripted(losses=(3.0, loss, 1.0)), max_laps=50).lanes
    assert lane.state == "stopped" and "diverged" in lane.reason and lane.num_laps == 2
    assert lane.lowest_loss == 3.0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("choose another"), "choose another"),
        (MemoryError(), "MemoryError"),
        (ValueError(), "ValueError"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (AssertionError(), "AssertionError"),
    ],
)
@pytest.mark.parametrize("where", ["start", "step"])
def test_whoever_fails_disturbs_nobody(error, words, where):
    others = [CONTESTANTS["forest"], CONTESTANTS["sgd-dense"]]
    failing = scripted(start_error=error) if where == "start" else scripted(losses=(2.0,), error_at=(1, error))
    race = run(others[0], failing, others[1], until_loss=1e-3, max_laps=60)
    alone = run(*others, until_loss=1e-3, max_laps=60)
    lane = race.lanes.pop(1)
    assert (lane.state, lane.reason, lane.num_laps) == ("failed", words, 0 if where == "start" else 1)
    for left, right in zip(race.lanes, alone.lanes, strict=True):
        assert left.column("loss").tolist() == right.column("loss").tolist()
        assert left.costs == right.costs and left.state == right.state


def test_a_contestant_that_diverges_or_stalls():
    hasty = Contestant(
        "hasty",
        "Hasty",
        "gradient-descent",
        "",
        trained(method="gradient-descent", search="dense", step_size=1e9),
        CONTESTANTS["descent-dense"].predict,
        DenseEngine.required_bytes,
    )
    same = Dataset(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([1.0, -1.0]))  # no function fits both
    race = run(hasty, CONTESTANTS["dense"], until_loss=0.0, max_laps=200, test=sphere(5, 4, 7))
    assert race.lanes[0].state == "stopped" and "diverg" in race.lanes[0].reason
    alone = run(CONTESTANTS["dense"], until_loss=0.0, max_laps=200)
    assert race.lanes[1].column("loss").tolist() == alone.lanes[0].column("loss").tolist()
    stalled = run(CONTESTANTS["forest"], data=same, until_loss=1e-9).lanes[0]
    assert stalled.state == "stopped" and stalled.reason
    check_reports(race, 1e-6)


def test_every_lap_is_told_in_order():
    race = Race(sphere(), [CONTESTANTS["dense"]], CONFIG)
    seen = []
    race.run(on_lap=lambda lane: seen.append((lane.num_laps, lane.last_loss)))
    assert [laps for laps, _ in seen] == list(range(1, len(seen) + 1))
    assert [loss for _, loss in seen] == race.lanes[0].column("loss").tolist()


# What is refused


@pytest.mark.parametrize("keys", [[], ["forest", "forest"], ["dense", "forest", "dense"]])
def test_nobody_and_twice_the_same_are_refused(keys):
    with pytest.raises(ValueError, match="each once; got"):
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
        ("max_seconds", -3.0),
    ],
)
def test_limits_that_make_no_sense_are_refused(limit, value):
    with pytest.raises(ValueError, match=f"{limit} must be .*; got {value}"):
        Race(sphere(), [CONTESTANTS["dense"]], CONFIG, **{limit: value})


def test_more_memory_than_there_is_is_refused():
    huge = replace(scripted("huge"), required_bytes=lambda m, n, d: 10**15)
    with pytest.raises(ValueError, match=r"The huge 1000000\.0 GB, Dense .*choose a smaller width"):
        Race(sphere(), [huge, CONTESTANTS["dense"]], CONFIG)
    asked = []
    small = replace(scripted("small"), required_bytes=lambda m, n, d: asked.append((m, n, d)) or 1)
    Race(sphere(8, 4), [small], CONFIG)
    assert asked == [(600, 8, 4)]


# What is taken down


@pytest.mark.parametrize("key", CONTESTANTS)
def test_a_lane_adds_up_its_runners_laps(key):
    data, config = sphere(10, 5), replace(CONFIG, batch_size=4)
    (lane,) = run(CONTESTANTS[key], data=data, config=config, until_loss=1e-4, max_laps=70).lanes
    runner = CONTESTANTS[key].start(data, config)
    spent = sum(runner.build_costs.values())
    assert lane.build_operations == spent
    for number, (operations, lap_operations, touched, modified) in enumerate(
        zip(*lane.columns("operations", "lap_operations", "num_touched", "num_modified"), strict=True)
    ):
        lap = runner.step()
        assert lane.column("loss")[number] == lap.loss
        assert operations == spent + lap.costs.get("search", 0) + lap.costs.get("forward", 0)
        assert lap_operations == sum(lap.costs.values())
        assert (touched, modified) == (lap.num_touched, lap.num_modified)
        spent += int(lap_operations)
    assert sum(lane.costs.values()) == spent
    assert lane.num_bytes == runner.num_bytes
    for name in ("operations", "seconds"):
        assert (np.diff(lane.column(name)) > 0).all()
    assert lane.column("seconds")[0] >= lane.build_seconds
    assert lane.column("lap_seconds").sum() + lane.build_seconds == pytest.approx(sum(lane.seconds.values()))


def test_a_lane_by_hand():
    lane = Lane(scripted())
    assert lane.num_laps == 0 and lane.last_loss is None and lane.lowest_loss is None and lane.mean("loss") == 0
    script = Script(losses=(9.0, 4.0, 5.0))
    lane.begin(script)
    for _ in range(3):
        lane.add(script.step())
    columns = {name: lane.column(name).tolist() for name in racing._COLUMNS}
    assert columns == {
        "loss": [9, 4, 5],
        "operations": [15, 25, 35],
        "seconds": [0.75, 1.5, 2.25],
        "lap_operations": [10] * 3,
        "lap_seconds": [0.75] * 3,
        "num_touched": [4] * 3,
        "num_modified": [6] * 3,
        "num_firing": [4] * 3,
        "num_pairs": [5] * 3,
        "num_overlaps": [7] * 3,
        "cg_iterations": [1] * 3,
    }
    assert (lane.lowest_loss, lane.last_loss, lane.mean("loss")) == (4, 5, 6)
    assert [lane.lap_reaching(loss) for loss in (9, 8.9, 4, 3.9)] == [0, 1, 1, None]
    assert dict(lane.costs) == {"build": 10, "search": 6, "forward": 9, "move": 15}
    assert dict(lane.seconds) == {"build": 0.5, "search": 0.75, "move": 1.5}


def test_columns_are_of_the_same_laps_while_they_grow():
    lane, script, is_done = Lane(scripted()), Script(losses=(1.0,)), threading.Event()
    lane.begin(script)

    def grow():
        for _ in range(300):
            lane.add(script.step())
        is_done.set()

    thread = threading.Thread(target=grow)
    thread.start()
    while not is_done.is_set():
        loss, operations = lane.columns("loss", "operations")
        assert loss.size == operations.size and (loss == 1.0).all()
        assert operations.tolist() == list(range(15, 15 + 10 * operations.size, 10))
        assert lane.last_loss in (1.0, None)
    thread.join()
    assert lane.num_laps == 300


def test_turns_go_to_whoever_had_the_least_time():
    order = []
    race = Race(
        sphere(),
        [scripted("fast", losses=(1.0,), pause=0.001), scripted("slow", losses=(1.0,), pause=0.05)],
        CONFIG,
        max_seconds=0.8,
    )
    race.run(on_lap=lambda lane: order.append(lane.contestant.key))
    fast, slow = order.count("fast"), order.count("slow")
    assert fast > 5 * slow > 0
    turns = sum(one != other for one, other in itertools.pairwise(order))
    assert turns >= 4


# Test errors


def test_test_errors():
    y = np.array([1.0, -1.0, 1.0, -1.0])
    assert measure_error(np.array([0.1, -3.0, 0.0, 5.0]), y) == 0.25  # 0 counts as +1
    assert measure_error(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 7.0])) == pytest.approx(math.sqrt(20 / 3))
    assert measure_error(np.array([math.nan] * 4), y) == math.inf
    assert measure_error(np.full(3, 1e200), np.array([0.5, 0.0, 7.0])) == math.inf


def test_the_test_error_is_that_of_the_weights_reached():
    train, test = sphere(10, 3), Dataset(sphere(30, 3, 5).X, np.linspace(-1, 1, 30))
    (lane,) = run(CONTESTANTS["forest"], data=train, test=test, until_loss=1e-6).lanes
    runner = CONTESTANTS["forest"].start(train, CONFIG)
    for _ in range(lane.num_laps):
        runner.step()
    assert lane.test_error == pytest.approx(np.sqrt(np.mean((runner.predict(test.X) - test.y) ** 2)), rel=1e-12)
    assert run(CONTESTANTS["forest"], data=train).lanes[0].test_error is None


@pytest.mark.parametrize("outputs", [math.nan, math.inf, 1e300])
def test_outputs_beyond_numbers_are_no_test_error(outputs):
    test = Dataset(np.eye(2), np.array([1.0, 2.5]))
    race = run(scripted(losses=(1e-9,), outputs=outputs), test=test)
    assert race.lanes[0].test_error is None and race.lanes[0].state == "reached"
    check_reports(race, 1e-6)


# From another thread


def started(*contestants, **settings):
    race = Race(sphere(), contestants, CONFIG, **{"until_loss": 0.0, "max_seconds": 120.0, **settings})
    race.start()
    return race


def test_pause_and_resume():
    race = started(scripted("a", losses=(1.0,), pause=0.002), scripted("b", losses=(1.0,), pause=0.002))
    wait_until(lambda: all(lane.num_laps for lane in race.lanes))
    race.pause()
    assert race.is_paused
    time.sleep(0.1)
    laps = [lane.num_laps for lane in race.lanes]
    time.sleep(0.1)
    assert [lane.num_laps for lane in race.lanes] == laps
    race.resume()
    assert not race.is_paused
    wait_until(lambda: all(lane.num_laps > before for lane, before in zip(race.lanes, laps, strict=True)))
    race.pause()
    race.cancel()
    assert race.is_over and not race.is_paused
    race._thread.join(5)
    assert not race._thread.is_alive()


def test_cancel_is_at_once_and_nothing_comes_after():
    race = started(scripted("slow", losses=(1.0,), pause=0.4), scripted("b", losses=(1.0,), pause=0.001))
    wait_until(lambda: race.lanes[1].num_laps > 2)
    start = time.monotonic()
    race.cancel()
    assert time.monotonic() - start < 0.2
    laps = [lane.num_laps for lane in race.lanes]
    assert race.is_over and all(lane.state == "stopped" and lane.reason == "cancelled" for lane in race.lanes)
    race._thread.join(5)
    assert not race._thread.is_alive()
    assert [lane.num_laps for lane in race.lanes] == laps and laps[1] > 2


@pytest.mark.parametrize("act", ["begin", "add"])
def test_a_cancel_between_a_check_and_what_is_taken_down(act, monkeypatch):
    """Taking down is slowed so that the cancel comes in the middle of it."""
    is_taking, original = threading.Event(), getattr(Lane, act)

    def slowly(lane, what):
        is_taking.set()
        time.sleep(0.2)
        original(lane, what)

    monkeypatch.setattr(Lane, act, slowly)
    race = started(scripted("a", losses=(1.0,)), scripted("b", losses=(1.0,)))
    assert is_taking.wait(5)
    race.cancel()
    states = [(lane.state, lane.num_laps, dict(lane.costs)) for lane in race.lanes]
    race._thread.join(5)
    assert not race._thread.is_alive()
    assert [(lane.state, lane.num_laps, dict(lane.costs)) for lane in race.lanes] == states
    assert {state for state, _, _ in states} == {"stopped"}


def test_a_cancelled_race_that_waits_for_its_turn_starts_nobody():
    begun = []

    def start(data, config):
        begun.append(1)
        return Script(losses=(1.0,))

    with racing._TURNS.of(Race(load_dataset("circle"), [scripted()], TrainConfig(width=8))):
        race = started(replace(scripted(), start=start))
        time.sleep(0.05)
        race.cancel()
    race._thread.join(5)
    assert not race._thread.is_alive() and not begun


def test_nobody_waits_for_the_step_of_a_cancelled_race():
    stuck, going = threading.Event(), threading.Event()

    class Stuck(Script):
        def step(self):
            going.set()
            stuck.wait(10)
            return super().step()

    old = started(replace(scripted(), start=lambda data, config: Stuck(losses=(1.0,))))
    assert going.wait(5)
    old.cancel()
    new = started(scripted("b", losses=(0.0,)))
    new._thread.join(5)
    stuck.set()
    old._thread.join(5)
    assert new.lanes[0].state == "reached" and not new._thread.is_alive() and not old._thread.is_alive()


def test_a_lane_that_is_done_stays_done_when_cancelled():
    race = started(scripted("done", losses=(0.0,)), scripted("slow", losses=(1.0,), pause=0.01))
    wait_until(lambda: race.lanes[0].is_over and race.lanes[1].num_laps > 0)
    race.cancel()
    assert [lane.state for lane in race.lanes] == ["reached", "stopped"]


# A contestant of one's own


class Descending:
    """Textbook gradient descent in ten lines, with nothing of the package but the network's own numbers."""

    def __init__(self, data, config):
        from treeviz.model.network import initial_weights, output_signs

        self.data, self.b = data, config.resolved_threshold
        self.W = initial_weights(config.seed, config.width, data.dimension)
        self.a = output_signs(config.seed, config.width) / math.sqrt(config.width)
        self.build_costs, self.build_seconds, self.num_bytes, self.laps = {}, {}, self.W.nbytes, 0

    def predict(self, X):
        return np.maximum(X @ self.W.T - self.b, 0.0) @ self.a

    def step(self):
        residual = self.predict(self.data.X) - self.data.y
        fires = self.b <= self.data.X @ self.W.T
        self.W -= ((fires * self.a).T * residual) @ self.data.X
        self.laps += 1
        return Lap(self.laps - 1, 0.5 * residual @ residual, {"move": self.W.size}, {"move": 1e-3}, len(self.W), 0)


def test_a_contestant_of_ones_own_races_with_the_others():
    own = Contestant(
        "own",
        "Own",
        "gradient-descent",
        "By hand.",
        Descending,
        lambda load: Prediction({}, {"move": load.width}),
        lambda m, n, d: 8 * m * d,
    )
    engine = Contestant(
        "engine",
        "Own engine",
        "gradient-descent",
        "With an engine that is not in the settings.",
        trained(DenseEngine, method="gradient-descent", search="forest", step_size=1.0),
        CONTESTANTS["descent-dense"].predict,
        DenseEngine.required_bytes,
        kind="dense",
    )
    trees = Contestant(
        "trees",
        "Trees",
        "gradient-descent",
        "The same step size.",
        trained(method="gradient-descent", search="forest", step_size=1.0),
        CONTESTANTS["descent-forest"].predict,
        CONTESTANTS["descent-forest"].required_bytes,
        kind="trees",
    )
    race = run(own, engine, trees, until_loss=1e-3, max_laps=40)
    losses = [lane.column("loss") for lane in race.lanes]
    assert np.allclose(losses, losses[0], rtol=1e-9, atol=0)
    check_reports(race, 1e-3)


# The verdict


def lane_of(key, costs, seconds, losses, kind="other", family_name="gauss-newton", build=(0, 0.0), state="reached"):
    """A lane made by hand: each lap is (operations, seconds) of search, so the loss is known at its end."""
    base = CONTESTANTS[key] if key in CONTESTANTS else scripted(key, kind, family_name)
    lane = Lane(base)
    lane.begin(Script(build_costs={"build": build[0]}, build_seconds={"build": build[1]}))
    for number, loss in enumerate(losses):
        active = Activity(30, 60, 150)
        lane.add(Lap(number, loss, {"search": costs}, {"search": seconds}, 30, 3, activity=active))
    lane.state = state
    return lane


def race_of(*lanes):
    race = Race(sphere(), [lane.contestant for lane in lanes], CONFIG)
    race.lanes = list(lanes)
    return race


def said(race, loss=1e-3):
    text = f"{verdict.judge(race, loss)} {verdict.name_leaders(race, loss)}".strip()
    assert not NEVER_SAID.search(text), text
    assert "  " not in text and text.count("e+") == 0
    check_reports(race, loss)
    return text


def finish(lane, loss=1e-3):
    lap = next(number for number, value in enumerate(lane.column("loss")) if value <= loss)
    return lane.column("operations")[lap], lane.column("seconds")[lap]


LOSSES = (1.0, 0.1, 1e-4)


@pytest.mark.parametrize(
    ("costs", "seconds", "words"),
    [
        (100, 1.0, ("fewer", "and", "less", "than")),
        (1000, 8.0, ("more", "and", "more", "than")),
        (100, 8.0, ("fewer", "but", "more", "than")),
        (1000, 0.5, ("more", "but", "less", "than")),
        (405, 2.05, ("about", "and", "about", "as")),
        (100, 2.02, ("fewer", "but", "about", "as")),
        (396, 8.0, ("about", "but", "more", "than")),
    ],
)
def test_the_sentence_compares_a_tree_method_with_its_dense_rival(costs, seconds, words):
    forest = lane_of("forest", costs, seconds, LOSSES, build=(40, 0.1))
    dense = lane_of("dense", 413, 2.07, LOSSES)
    slower = lane_of("dense-sketch", 10, 5.0, LOSSES)
    text = said(race_of(forest, slower, dense))
    (own, own_seconds), (rival, rival_seconds) = finish(forest), finish(dense)
    shape = re.match(
        r"To a loss of 0\.001, Forest needed (?:about as many|([\d.,]+) times (fewer|more)) operations (and|but) "
        r"(?:about as much|([\d.,]+) times (less|more)) time (than|as) Dense; "
        r"building was (\d+)% of its operations and (\d+)% of its time; it is expected to need (more|fewer) operations",
        text,
    )
    assert shape, text
    times, many, joint, spans, much, link, build, build_time, _ = shape.groups()
    assert (many or "about", joint, much or "about", link) == words
    if times:
        ratio = rival / own if many == "fewer" else own / rival
        assert float(times) == pytest.approx(ratio, abs=0.051) and ratio > 1
    if spans:
        ratio = rival_seconds / own_seconds if much == "less" else own_seconds / rival_seconds
        assert float(spans) == pytest.approx(ratio, abs=0.051) and ratio > 1
    assert float(build) == pytest.approx(100 * 40 / own, abs=0.51)
    assert float(build_time) == pytest.approx(100 * 0.1 / own_seconds, abs=0.51)


def test_the_leaders_are_of_all_and_references_are_ignored():
    forest, dense = lane_of("forest", 100, 9.0, LOSSES), lane_of("dense", 400, 2.0, LOSSES)
    ridge = lane_of("kernel-ridge", 1, 1e-6, (1.0, 1e-9))
    text = said(race_of(ridge, forest, dense))
    assert text.endswith("Of all, Forest needed the fewest operations, Dense the least time.")
    assert "ridge" not in text.lower()
    assert said(race_of(ridge, lane_of("compact", 3, 0.1, LOSSES))).endswith("and the only one.")
    both = said(race_of(lane_of("forest", 10, 0.1, LOSSES), dense))
    assert both.endswith("Of all, Forest needed the fewest operations and the least time.")
    nobody = said(race_of(ridge, lane_of("forest", 1, 1.0, (1.0, 0.5), state="stopped")))
    assert nobody == "Nobody that iterates came to a loss of 0.001; Forest came closest, to 5.0e-01."


def test_without_a_pair_it_names_the_first():
    quick, late = lane_of("compact", 300, 1.0, LOSSES), lane_of("descent-dense", 100, 4.0, (*LOSSES, 1e-9))
    text = said(race_of(late, quick))
    assert text.startswith(
        "Compaction was the first at a loss of 0.001, after 2 iterations, with 4.0 times less time but 3.0 times more "
        "operations than Gradient descent, dense, the next."
    )
    trees = lane_of("forest", 50, 9.0, LOSSES)  # its family's dense method did not get there
    stuck = lane_of("dense", 50, 9.0, (1.0,), state="stopped")
    assert said(race_of(trees, stuck)).startswith("Forest was the first") and "only one" in said(race_of(trees, stuck))


def test_while_it_runs_and_when_nobody_got_anywhere():
    running = race_of(lane_of("forest", 1, 1.0, (1.0,), state="running"))
    assert verdict.judge(running, 1e-3) == "The race is on."
    assert "has taken a step" in said(race_of(lane_of("forest", 1, 1.0, (), state="failed")))
    wild = [lane_of("forest", 1, 1.0, (math.inf,), state="stopped"), lane_of("dense", 1, 1.0, (math.nan,))]
    wild[1].state = "stopped"
    assert "has taken a step" in said(race_of(*wild))
    mixed = lane_of("compact", 1, 1.0, (7.0, math.inf), state="stopped")
    assert "Compaction came closest, to 7.0e+00" in verdict.judge(race_of(*wild, mixed), 1e-3)


def test_nothing_is_divided_by_nothing():
    free, paid = lane_of("a", 0, 0.0, (0.0,), "trees"), lane_of("b", 5, 1.0, (0.0,), "dense")
    for lanes in ((free, paid), (paid, free), (free,), (free, lane_of("c", 0, 0.0, (0.0,), "dense"))):
        said(race_of(*lanes))
    said(race_of(lane_of("a", 0, 0.0, (0.0,)), paid))


def test_the_loss_asked_for_is_named_as_it_is():
    lanes = [lane_of("forest", 1, 1.0, LOSSES), lane_of("dense", 2, 2.0, LOSSES)]
    assert "To a loss of 0.00025," in said(race_of(*lanes), 2.5e-4)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (None, "it is expected to need more operations here at every width"),
        (32, "it is expected to need fewer operations here at every width from 32 on"),
        (12_345, "it is expected to need more operations here below m ≈ 12,000"),
    ],
)
def test_the_break_even_is_put_into_words(width, words, monkeypatch):
    asked = []
    monkeypatch.setattr(verdict, "break_even_width", lambda *given: asked.append(given) or width)
    race = race_of(lane_of("forest", 100, 1.0, LOSSES), lane_of("dense", 400, 2.0, LOSSES))
    assert f"; {words}." in verdict.judge(race, 1e-3)
    own, rival, X, config, laps, _ = asked[0]
    assert (own.key, rival.key, laps, config) == ("forest", "dense", 3, CONFIG) and X is race.data.X


# Reports


def check_reports(race, loss):
    """Text, JSON and CSV agree with the lanes, whatever these hold."""
    values = json.loads(json.dumps(report.as_json(race, loss), allow_nan=False))
    rows = list(csv.DictReader(report.as_csv(race).splitlines()))
    text = report.as_text(race, loss)
    assert len(rows) == sum(lane.num_laps for lane in race.lanes)
    assert not NEVER_SAID.search("\n".join(line for line in text.splitlines() if "no longer" not in line)), text
    for lane, shown in zip(race.lanes, values["contestants"], strict=True):
        assert (shown["key"], shown["state"], shown["reason"]) == (lane.contestant.key, lane.state, lane.reason)
        assert shown["test_error"] == lane.test_error and shown["num_bytes"] == lane.num_bytes
        assert shown["costs"] == dict(lane.costs) and shown["phase_seconds"] == dict(lane.seconds)
        own = [row for row in rows if row["contestant"] == lane.contestant.key]
        assert [int(row["iteration"]) for row in own] == list(range(lane.num_laps))
        for name in report.LAP_COLUMNS:
            finite = [float(value) if math.isfinite(value) else None for value in lane.column(name)]
            assert shown["laps"][name] == finite
            assert [float(row[name]) if row[name] else None for row in own] == finite
        lap = lane.lap_reaching(loss)
        if lap is None:
            assert shown["to_loss"] is None
        else:
            operations, seconds = lane.column("operations")[lap], lane.column("seconds")[lap]
            assert shown["to_loss"] == {"iterations": lap, "operations": operations, "seconds": seconds}
        line = next(line for line in text.splitlines() if line.startswith(f"{lane.contestant.title:<30} "))
        assert (lap is None) == (line[30:].split()[0] == "-")
        if lap is not None:
            assert line[30:].split()[:2] == [f"{lap:,}", f"{int(operations):,}"]
        assert not lane.reason or f"{lane.state}: {lane.reason}" in text
    assert values["until_loss"] == loss and values["verdict"] == verdict.judge(race, loss)
    assert values["config"]["threshold"] == race.config.resolved_threshold
    assert verdict.judge(race, loss) in text


def test_reports_of_a_real_race():
    keys = ("forest", "dense", "sgd-forest", "random-features")
    data = load_dataset("moons", 10)
    for test in (None, load_dataset("moons", 20, seed=3), Dataset(np.full((3, 1), 1.0), np.zeros(3))):
        race = run(
            *(CONTESTANTS[key] for key in keys), scripted(start_error=OSError("no")), data=data, test=None, max_laps=30
        )
        race.test = test
        check_reports(race, 1e-6)
        name = report.test_error_name(race)
        assert ("none" in name) == (test is None)
        if test is not None:
            assert ("share of wrong signs on 20" in name) == (test.num_points == 20)
