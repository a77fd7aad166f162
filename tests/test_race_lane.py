"""What is taken down of each contestant: every column, also while it grows, and its test error."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from scripted import CONFIG, Script, run, scripted, sphere

from treeviz import Dataset
from treeviz.race.contestant import Lap
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.lane import COLUMNS, Lane, measure_error
from treeviz.race.report import LAP_COLUMNS


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


def test_nodes_are_counted_apart_and_priced_by_hand():
    lane = Lane(scripted())
    lane.begin(Script(build_costs={"build": 100}, build_nodes={"build": 40}))
    costs, nodes = {"search": 8, "forward": 2, "repair": 10}, {"search": 8, "repair": 5}
    for number in range(3):
        lane.add(Lap(number, 1.0, costs, {"search": 0.5}, 4, 6, nodes=nodes))
    assert lane.build_nodes == 40 and lane.nodes == {"build": 40, "search": 24, "repair": 15}
    # The loss of a lap is known after its search and forward pass.
    assert lane.column("nodes").tolist() == [48, 61, 74] and lane.column("lap_nodes").tolist() == [13] * 3
    dear = lane.at_price(3)
    assert dear.build_operations == 100 + 2 * 40
    assert dear.column("operations").tolist() == [110 + 2 * 48, 130 + 2 * 61, 150 + 2 * 74]
    assert dear.column("lap_operations").tolist() == [20 + 2 * 13] * 3
    assert dear.costs == {"build": 180, "search": 72, "forward": 6, "repair": 60}
    assert dear.column("seconds").tolist() == lane.column("seconds").tolist()
    # The lane itself is as it was, and goes on without the copy.
    lane.add(Lap(3, 1.0, costs, {"search": 0.5}, 4, 6, nodes=nodes))
    assert lane.column("operations").tolist() == [110, 130, 150, 170] and lane.build_operations == 100
    assert dear.num_laps == 3 and lane.at_price(1).column("operations").tolist() == [110, 130, 150, 170]


def test_a_lane_by_hand():
    lane = Lane(scripted())
    assert lane.num_laps == 0 and lane.last_loss is None and lane.lowest_loss is None
    script = Script(losses=(9.0, 4.0, 5.0))
    lane.begin(script)
    for _ in range(3):
        lane.add(script.step())
    columns = {name: lane.column(name).tolist() for name in COLUMNS}
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
        "nodes": [0] * 3,
        "lap_nodes": [0] * 3,
        "cg_iterations": [1] * 3,
    }
    assert (lane.lowest_loss, lane.last_loss) == (4, 5)
    assert list(columns)[:7] == LAP_COLUMNS and [name for name in COLUMNS if not COLUMNS[name].is_whole] == [
        "loss",
        "seconds",
        "lap_seconds",
    ]
    assert [lane.lap_reaching(loss) for loss in (9, 8.9, 4, 3.9)] == [0, 1, 1, None]
    assert dict(lane.costs) == {"build": 10, "search": 6, "forward": 9, "move": 15}
    assert dict(lane.seconds) == {"build": 0.5, "search": 0.75, "move": 1.5}


def test_columns_are_of_the_same_laps_while_they_grow():
    """A reader sees whole rows only, also over the laps at which the table is made again."""
    lane, script = Lane(scripted()), Script()
    lane.begin(script)
    thread = threading.Thread(target=lambda: [lane.add(script.step()) for _ in range(300)])
    thread.start()
    is_last = False
    while not is_last:
        is_last = not thread.is_alive()
        loss, operations = lane.columns("loss", "operations")
        assert (loss == 1.0).all() and operations.tolist() == list(range(15, 15 + 10 * loss.size, 10))
        assert lane.last_loss in (1.0, None)
    thread.join()
    assert loss.size == lane.num_laps == 300


def test_phases_that_no_chart_knows_are_refused():
    """They would be missing in every sum by phase."""
    for parts in ({"costs": {"dancing": 1}}, {"seconds": {"dancing": 1.0}}):
        (lane,) = run(scripted(**parts)).lanes
        assert lane.state == "failed" and "['dancing']: choose among build, search" in lane.reason
    for parts in ({"build_costs": {"dancing": 1}}, {"build_seconds": {"dancing": 1.0}}):
        (lane,) = run(scripted(**parts)).lanes
        assert lane.state == "failed" and "dancing" in lane.reason and not lane.num_laps


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
    (lane,) = run(scripted(losses=(1e-9,), outputs=outputs), test=Dataset(np.eye(2), np.array([1.0, 2.5]))).lanes
    assert lane.test_error is None and lane.state == "reached"
