"""What methods are expected to cost: against the ledgers of real runs, drawn networks, simulation and brute force."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from scripted import CONFIG, lane_of

from treeviz import TrainConfig, load_dataset
from treeviz.model.infinite_width import expected_activity
from treeviz.model.network import initial_weight_blocks, leaf_blocks
from treeviz.race.contestant import Prediction
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.contestants.forest import expected_marked_nodes
from treeviz.race.forecast import (
    ITERATIONS,
    LARGEST_WIDTH,
    SMALLEST_WIDTH,
    Calibration,
    Measured,
    break_even_width,
    expected_workload,
    forecast_curve,
)
from treeviz.race.lane import Lane
from treeviz.race.race import Race
from treeviz.search.neuron_trees.trees import NeuronTrees

EXACT = ("dense", "descent-dense")
KEEPS = ("compact", "table", "adam")  # the neurons that fire at the start
PREDICTED = [key for key, one in CONTESTANTS.items() if one.predict is not None]
SETTINGS = {  # dataset, its options, width, threshold, mini-batch
    "sphere": ("sphere", {"num_points": 16, "dimension": 16}, 4096, None, 8),
    "circle": ("circle", {}, 4096, 1.0, 2),
    "breast-cancer": ("breast-cancer", {"num_points": 32}, 4096, None, 8),
    "diabetes": ("diabetes", {"num_points": 24}, 5000, 1.6, 6),
    "digits": ("digits", {"num_points": 24, "center": True}, 1024, None, 8),
}
each_setting = pytest.mark.parametrize("setting", SETTINGS)


@functools.cache
def raced(setting, seed=3):
    """Race all contestants once; return the lanes, what was measured of them, and what was expected."""
    name, options, width, threshold, batch_size = SETTINGS[setting]
    data = load_dataset(name, **options)
    config = TrainConfig(width=width, threshold=threshold, seed=seed, batch_size=batch_size)
    # The laps of a whole number of epochs, for all mini-batches to count the same.
    epochs = 12 // (data.num_points // batch_size) * (data.num_points // batch_size)
    race = Race(data, list(CONTESTANTS.values()), config, until_loss=1e-9, max_laps=epochs, max_seconds=1000)
    race.run()
    assert all(lane.num_laps >= 2 for lane in race.lanes)
    lanes = {lane.contestant.key: lane for lane in race.lanes}
    return lanes, {key: Measured.of(lane, config) for key, lane in lanes.items()}, expected_workload(data.X, config)


def by_phase(prediction, num_laps):
    parts = [(prediction.build, 1), (prediction.first, 1), (prediction.iteration, num_laps)]
    phases = {phase for part, _ in parts for phase in part}
    return {phase: sum(times * part.get(phase, 0.0) for part, times in parts) for phase in phases}


# Predictions against ledgers


def closeness(key):
    """Relative, of a whole run: Adam does nearly all for all neurons kept, and their number is this network's own."""
    return 1e-12 if key in EXACT else 0.1 if key == "adam" else 0.05


@each_setting
def test_a_calibrated_prediction_is_the_ledger(setting):
    lanes, runs, expected = raced(setting)
    for key in PREDICTED:
        lane = lanes[key]
        prediction = CONTESTANTS[key].predict(Calibration.of(runs[key], expected).apply(expected))
        spent = sum(lane.costs.values())
        assert prediction.total(lane.num_laps) == pytest.approx(spent, rel=closeness(key)), key
        assert sum(prediction.build.values()) == pytest.approx(lane.build_operations, rel=0.02), key
        predicted = by_phase(prediction, lane.num_laps)
        for phase in {*predicted, *lane.costs}:
            if max(lane.costs[phase], predicted.get(phase, 0.0)) > 0.05 * spent:
                # A mini-batch run's batches are few, and how many neurons fire at the start is this network's own.
                is_rough = key.startswith("sgd-") or key.endswith(KEEPS)
                tolerance = 1e-12 if key in EXACT else 0.1 if is_rough else 0.05
                assert predicted[phase] == pytest.approx(lane.costs[phase], rel=tolerance), (key, phase)


@each_setting
def test_a_node_has_the_same_price_in_a_prediction_and_in_a_race(setting):
    lanes, runs, expected = raced(setting)
    for key in PREDICTED:
        lane = lanes[key].at_price(10)
        load = replace(Calibration.of(runs[key], expected).apply(expected), node_price=10)
        prediction = CONTESTANTS[key].predict(load)
        assert sum(prediction.build.values()) == pytest.approx(lane.build_operations, rel=0.02), key
        assert prediction.total(lane.num_laps) == pytest.approx(sum(lane.costs.values()), rel=closeness(key)), key
        assert (sum(lane.costs.values()) > sum(lanes[key].costs.values())) == (CONTESTANTS[key].kind == "trees"), key


@pytest.mark.parametrize("setting", ["sphere", "circle", "breast-cancer", "diabetes"])
def test_the_beginning_is_predicted_without_a_run(setting):
    """Building, and the first iteration, or of mini-batches the first epoch, of a network that has not been drawn."""
    lanes, _, expected = raced(setting)
    for key in PREDICTED:
        lane, prediction = lanes[key], CONTESTANTS[key].predict(expected)
        built = sum(prediction.build.values())
        assert built == pytest.approx(lane.build_operations, rel=0.01 if key.endswith(KEEPS) else 0), key
        if not key.endswith("sketch"):
            num_laps = expected.num_batches if lane.contestant.family == "sgd" else 1
            spent = lane.column("lap_operations")[:num_laps].sum()
            assert prediction.total(num_laps) - built == pytest.approx(spent, rel=max(closeness(key), 0.05)), key


def test_sketched_predictions_know_how_fast_conjugate_gradient_is():
    """Random data: the number of iterations is the formula's, to a few."""
    _, runs, expected = raced("sphere")
    for key in ("forest-sketch", "dense-sketch"):
        assert runs[key].means["cg_iterations"] == pytest.approx(expected.cg_iterations, rel=0.25)
        assert Calibration.of(runs[key], expected).cg_iterations == runs[key].means["cg_iterations"]


def test_calibrating_with_another_lane_carries_over():
    """The forest's run tells what compaction handles, for both make the same steps."""
    lanes, runs, expected = raced("breast-cancer")
    load = Calibration.of(runs["forest"], expected).apply(expected)
    for key in ("compact", "neuron-trees", "dense"):
        num_laps = lanes[key].num_laps
        assert CONTESTANTS[key].predict(load).total(num_laps) == pytest.approx(sum(lanes[key].costs.values()), rel=0.05)


def test_a_prediction_adds_up():
    prediction = Prediction({"build": 100.0}, {"search": 7.0, "move": 3.0}, {"solve": 50.0})
    assert [prediction.total(laps) for laps in (0, 1, 2, 10)] == [100, 160, 170, 250]
    assert Prediction({}, {"search": 2.0}).total(4) == 8


# Sizes


def test_a_workload_is_what_a_drawn_network_has():
    data = load_dataset("breast-cancer", 30)
    config = TrainConfig(width=60_000, batch_size=7, seed=5)
    load = expected_workload(data.X, config)
    (Z,) = [np.concatenate([rows.copy() for _, rows in leaves_of(data.X, config.width, seed=11)])]
    fires = config.resolved_threshold <= Z
    assert (load.width, load.num_points, load.dimension) == (60_000, 30, data.dimension)
    assert load.num_batches == 5 and load.batch_size == 6
    assert load.num_kept == load.activity.num_touched == pytest.approx(fires.any(axis=1).sum(), rel=0.03)
    assert load.activity.num_pairs == pytest.approx(fires.sum(), rel=0.03)
    batched = replace(config, method="sgd")
    batches = [batched.mini_batch(30, iteration) for iteration in range(5)]
    touched = np.mean([fires[:, batch].any(axis=1).sum() for batch in batches])
    assert load.num_batch_touched == pytest.approx(touched, rel=0.04)


def test_a_batch_of_all_datapoints_is_no_batch():
    X = load_dataset("sphere", 8).X
    for batch_size in (8, 9, 1000):
        load = expected_workload(X, TrainConfig(width=512, batch_size=batch_size))
        assert load.num_batches == 1 and load.num_batch_touched == load.activity.num_touched
    load = expected_workload(X, TrainConfig(width=512, batch_size=3), with_batches=False)
    assert load.num_batches == 1


def leaves_of(X, width, seed):
    return leaf_blocks(X, initial_weight_blocks(seed, width, X.shape[1]))


@pytest.mark.parametrize(
    ("num_points", "threshold"), [(1, 1.0), (2, 1.0), (3, 0.0), (5, 2.2), (8, 1.0), (13, 0.0), (30, 1.0), (30, 2.2)]
)
def test_nodes_entered_are_those_of_drawn_neuron_trees(num_points, threshold):
    X, width = load_dataset("sphere", num_points, 1, dimension=3).X, 1 << 16
    trees = NeuronTrees(width, num_points, leaves_of(X, width, 7))
    visited = int(trees.query_all(threshold).num_visited.sum())
    entered = (visited - width) / 2  # m roots, and two children of every inner node entered
    expected = expected_activity(X, threshold, width, seed=2).num_entered
    # A neuron's own number of entered nodes is at most n - 1, and that of all spreads no more than if they were all so.
    spread = np.sqrt(width) * num_points / 2 + 0.02 * expected
    assert abs(entered - expected) <= 4 * spread
    if num_points > 1 and expected > 5000:
        assert expected == pytest.approx(entered, rel=0.05)


@pytest.mark.parametrize("num_leaves", [1, 2, 3, 4, 5, 6, 7, 8, 11, 100, 1000, 1024, 1025])
def test_marked_nodes_are_counted_node_by_node(num_leaves):
    """A node of a heap, root 1, leaves m .. 2m - 1, has no marked leaf with chance (1 - share)^(leaves below it)."""
    below = np.ones(2 * num_leaves)
    for node in range(num_leaves - 1, 0, -1):
        below[node] = below[2 * node] + below[2 * node + 1]
    for share in (0.0, 0.001, 0.2, 0.5, 0.9, 1.0):
        expected = np.sum(1 - (1 - share) ** below[1:])
        assert expected_marked_nodes(num_leaves, share) == pytest.approx(expected, rel=1e-11, abs=1e-15)


def test_marked_nodes_stay_exact_in_large_trees():
    assert expected_marked_nodes(1 << 27, 0.0) == 0
    assert expected_marked_nodes(1 << 27, 1.0) == (1 << 28) - 1
    assert expected_marked_nodes(1 << 20, 1e-12) == pytest.approx((1 << 20) * 1e-12 * 21, rel=1e-5)


# Measurements and calibration


def test_what_is_measured_of_a_lane_by_hand():
    """Means of its sizes, and its operations after so many iterations: numbers alone, and no lane or race."""
    lane = lane_of("forest", 100, 1.0, [1.0] * 7, build=(40, 0.5))
    run = Measured.of(lane, CONFIG)
    assert (run.contestant, run.config, run.num_laps) == (CONTESTANTS["forest"], CONFIG, 7)
    assert run.operations == {count: 40 + 100 * count for count in (1, 2, 3, 5, 7)} and {1, 7, 10} <= set(ITERATIONS)
    assert run.means == {
        "num_touched": 30,
        "num_firing": 40,
        "num_pairs": 60,
        "num_overlaps": 150,
        "cg_iterations": 0,
    }
    none = Measured.of(Lane(CONTESTANTS["forest"]), CONFIG)
    assert (none.num_laps, none.means, none.operations) == (0, {}, {})
    load = expected_workload(load_dataset("sphere").X, CONFIG)
    ratios = Calibration.of(run, load)
    assert ratios.touched == 40 / load.activity.num_touched and ratios.batch_touched is None
    assert ratios.pairs == 60 / load.activity.num_pairs and ratios.overlaps == 150 / load.activity.num_overlaps
    assert ratios.cg_iterations is None
    batched = Calibration.of(Measured.of(lane_of("sgd-forest", 1, 1.0, [1.0]), CONFIG), load)
    assert batched.batch_touched == 30 / load.num_batch_touched


def test_no_run_changes_nothing():
    load = expected_workload(load_dataset("sphere").X, TrainConfig(width=1000))
    assert Calibration.of(Measured.of(Lane(CONTESTANTS["forest"]), CONFIG), load) == Calibration()
    same = Calibration().apply(load)
    assert replace(same, num_entered=load.num_entered, activity=load.activity) == load
    assert same.num_entered == pytest.approx(load.num_entered, rel=1e-12)
    assert (same.activity.num_pairs, same.activity.num_overlaps) == (
        load.activity.num_pairs,
        load.activity.num_overlaps,
    )


def test_sizes_never_leave_their_bounds():
    load = expected_workload(load_dataset("sphere", 9).X, TrainConfig(width=100, threshold=0.1, batch_size=2))
    big = Calibration(touched=1e6, pairs=1e6, overlaps=1e9).apply(load)
    assert (big.activity.num_touched, big.activity.num_pairs, big.activity.num_overlaps) == (100, 900, 8100)
    assert big.num_batch_touched == 100 and big.num_kept == load.num_kept
    assert big.num_entered <= 100 * 8 * 1.2
    one = Calibration(touched=0.5).apply(expected_workload(load_dataset("sphere", 1).X, TrainConfig(width=64)))
    assert one.num_entered == 0


def test_where_nothing_fires_nothing_is_divided():
    load = expected_workload(load_dataset("sphere", 4).X, TrainConfig(width=100, threshold=60.0))
    assert load.activity.num_pairs == 0
    assert Calibration(touched=0.7, pairs=2.0).apply(load).num_entered == 0


# Break-even


def brute_force(contestant, rival, X, config, laps, widths):
    """Whether the first needs fewer operations at each width, of the same expectation that is searched."""
    loads = [expected_workload(X, replace(config, width=int(width)), num_samples=2048) for width in widths]
    return forecast_curve(contestant, loads, laps) < forecast_curve(rival, loads, laps)


@pytest.mark.parametrize(
    ("own", "rival", "options", "threshold", "laps", "kind"),
    [
        ("forest", "dense", {"num_points": 16, "dimension": 64}, None, 6, "always"),
        ("forest", "dense", {"num_points": 64, "dimension": 2}, 0.3, 3, "never"),
        ("descent-forest", "descent-dense", {"num_points": 100, "dimension": 2}, None, 40, "above"),
        ("descent-neuron-trees", "descent-dense", {"num_points": 64, "dimension": 2}, None, 40, "above"),
        ("compact", "dense", {"num_points": 40, "dimension": 10}, None, 2, "above"),
        ("neuron-trees", "dense", {"num_points": 5, "dimension": 20}, 1.0, 4, None),
        ("sgd-forest", "sgd-dense", {"num_points": 24, "dimension": 4}, 1.0, 3, None),
    ],
)
def test_break_even_is_where_a_scan_finds_it(own, rival, options, threshold, laps, kind):
    X, config = load_dataset("sphere", **options).X, TrainConfig(width=64, threshold=threshold)
    one, other = CONTESTANTS[own], CONTESTANTS[rival]
    width = break_even_width(one, other, X, config, laps)
    widths = np.unique(np.geomspace(SMALLEST_WIDTH, LARGEST_WIDTH, 60).astype(int))
    wins = brute_force(one, other, X, config, laps, widths)
    if width is None:
        assert kind in ("never", None) and not wins[-1]
    elif width == SMALLEST_WIDTH:
        assert kind in ("always", None) and wins.all()
    else:
        assert kind in ("above", None)
        assert wins[widths >= width].all(), "loses above the width"
        assert not wins[widths < width / 1.03][-1], "wins below the width too"
        assert brute_force(one, other, X, config, laps, [width, width / 1.03 - 1]).tolist() == [True, False]


def test_break_even_moves_with_the_calibration():
    """A method that handles more than was expected needs a larger network to win, or never does."""
    X, config = load_dataset("sphere", 40, dimension=10).X, TrainConfig(width=64)
    one, other = CONTESTANTS["forest"], CONTESTANTS["dense"]
    plain = break_even_width(one, other, X, config, 4)
    worse = break_even_width(one, other, X, config, 4, Calibration(touched=6.0, pairs=8.0, overlaps=20.0))
    assert plain is not None and (worse is None or worse > plain)


def test_equal_methods_never_break_even():
    X, config = load_dataset("sphere").X, TrainConfig(width=64)
    assert break_even_width(CONTESTANTS["dense"], CONTESTANTS["dense"], X, config, 5) is None
