"""Drawing only the neurons that fire: their law is that of a full draw, and training goes on as on a full network."""

import dataclasses
import json
import threading
import time

import numpy as np
import pytest
import scipy.stats
from given_network import GivenNetwork

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.network import WholeNetwork, firing_probability
from treeviz.search import block_drawer, find_engine, firing_network, initial_network
from treeviz.search.firing_network import FiringNetwork
from treeviz.search.watch.screening import pairs_while_drawn
from treeviz.stage.frames import FrameMaker
from treeviz.stage.view import View
from treeviz.training.background import BackgroundRun
from treeviz.training.trace import Trace

SEARCHES = ("watch", "compact", "table", "forest")
LEAST_P = 1e-6  # a right program fails one of about twenty tests once in 50,000 seeds; the seeds here are fixed


def points(num_points, dimension, seed=0, spread=1.0):
    """Return unit rows, (n, d); with a small spread they are close to each other, so many neurons fire on several."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((1, dimension)) + spread * rng.standard_normal((num_points, dimension))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def whole_draw(X, seed, width, threshold):
    """Return the weights, leaves and signs of the neurons of a full draw that fire somewhere."""
    network = WholeNetwork(X, seed, width)
    weights, signs = network.weights(), np.asarray(network.signs)
    fires = (weights @ X.T >= threshold).any(axis=1)
    return weights[fires], weights[fires] @ X.T, signs[fires]


def same_rate(count, other):
    """The chance that two Poisson counts of one rate differ so much."""
    return scipy.stats.binomtest(int(count), int(count + other), 0.5).pvalue if count + other else 1.0


def law_p_values(network, X, threshold, seed=101):
    """Compare the drawn neurons with those of a full draw of the same width: what, and the chance of its difference."""
    weights, leaves, signs = whole_draw(X, seed, network.width, threshold)
    own, own_weights = network.leaf_rows(np.arange(network.num_drawn)), network.weights()
    fires, own_fires = leaves >= threshold, own >= threshold
    positive, own_positive = signs > 0, np.asarray(network.signs) > 0
    yield "neurons", same_rate(len(own), len(leaves))
    for i in range(len(X)):
        yield f"firing on {i}", same_rate(own_fires[:, i].sum(), fires[:, i].sum())
        yield f"positive signs of {i}", same_rate(own_positive[own_fires[:, i]].sum(), positive[fires[:, i]].sum())
        yield f"leaves of {i}", scipy.stats.ks_2samp(own[:, i], leaves[:, i]).pvalue
        for j in range(i):
            both, own_both = (one[:, i] & one[:, j] for one in (fires, own_fires))
            yield f"overlap {i}, {j}", same_rate(own_both.sum(), both.sum())
    degrees = [np.bincount(one.sum(axis=1), minlength=len(X) + 1)[1:] for one in (fires, own_fires)]
    table = np.array(degrees)[:, np.sum(degrees, axis=0) > 20]
    yield "degrees", scipy.stats.chi2_contingency(table).pvalue if table.shape[1] > 1 else 1.0
    for direction in np.random.default_rng(5).standard_normal((4, X.shape[1])):
        yield "weights along a direction", scipy.stats.ks_2samp(own_weights @ direction, weights @ direction).pvalue
    yield "signs", same_rate(own_positive.sum(), positive.sum())


LAWS = {
    "planar, far apart": (points(4, 2), 1.3),
    "close together": (points(5, 3, spread=0.4), 1.4),
    "more dimensions than datapoints": (points(3, 8), 1.1),
    "one datapoint": (points(1, 4), 0.0),
    "twice the same datapoint": (points(3, 5)[[0, 1, 1, 2]], 1.2),
    "a high threshold": (points(16, 6), 2.6),
}


@pytest.mark.parametrize("case", LAWS)
def test_what_is_drawn_has_the_law_of_a_full_draw(case):
    X, threshold = LAWS[case]
    network = FiringNetwork(X, 7, 400_000, threshold)
    assert network.num_drawn > 3000
    low = {what: p for what, p in law_p_values(network, X, threshold) if p < LEAST_P}
    assert low == {}


def keep(wanted):
    """Return a `keep_first` that keeps the neurons of which wanted(leaves, owners, threshold) says so."""

    def keep_first(rows, leaves, owners, signs, threshold):
        kept = np.flatnonzero(wanted(leaves, owners, threshold))
        for array in (rows, leaves, signs):
            array[: kept.size] = array[kept]
        return kept.size

    return keep_first


def exponential_tail(generator, count, threshold):
    return threshold + generator.standard_exponential(count) / max(threshold, 1.0)


def moved_tail(generator, count, threshold):
    return threshold + np.abs(generator.standard_normal(count))


def high_tail(generator, count, threshold, right=block_drawer.tail):
    return right(generator, count, threshold) + 0.03


def signs_by_owner(*arguments, right=block_drawer.draw_proposals):
    owners, _ = right(*arguments)
    return owners, (2 * (owners & 1) - 1).astype(np.int8)


WRONG = {
    "every proposal is kept": {"keep_first": keep(lambda leaves, owners, b: np.ones(len(owners), dtype=bool))},
    "neurons that fire on several are left out": {
        "keep_first": keep(lambda leaves, owners, b: (leaves >= b).sum(axis=1) == 1)
    },
    "a factor n is missing": {"proposal_chance": lambda num_points, threshold: firing_probability(threshold)},
    "the tail is that of an exponential": {"tail": exponential_tail},
    "the tail is a normal moved by b": {"tail": moved_tail},
    "the tail begins a little higher": {"tail": high_tail},
    "the sign goes with the datapoint": {"draw_proposals": signs_by_owner},
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_law_is_found(fault, monkeypatch):
    X, threshold = LAWS["close together"]
    monkeypatch.setattr(firing_network, "_LARGE_PROPOSALS", 1 << 60)  # no compiled loops
    for name, wrong in WRONG[fault].items():
        monkeypatch.setattr(block_drawer, name, wrong)
    network = FiringNetwork(X, 7, 400_000, threshold)
    assert min(p for _, p in law_p_values(network, X, threshold)) < LEAST_P


def completed(network, X, threshold, seed=3):
    """Return a full network, weights (m, d) and signs (m,): the drawn neurons, and quiet ones found by rejection."""
    rng = np.random.default_rng(seed)
    W, signs = np.full((network.width, X.shape[1]), np.nan), rng.choice([-1.0, 1.0], network.width)
    numbers = network.numbers(np.arange(network.num_drawn))
    W[numbers], signs[numbers] = network.weights(), np.asarray(network.signs)
    while (missing := np.flatnonzero(np.isnan(W[:, 0]))).size:
        rows = rng.standard_normal((missing.size, X.shape[1]))
        quiet = (rows @ X.T < threshold).all(axis=1)
        W[missing[quiet]] = rows[quiet]
    return W, signs


DATA = {
    "sphere": (Dataset(points(8, 5), np.linspace(-1.0, 1.0, 8)), None),
    "close together": (Dataset(points(6, 3, spread=0.5), np.array([1.0, -1, 1, -1, 1, -1])), 1.5),
    "more dimensions than datapoints": (Dataset(points(5, 12), np.ones(5)), None),
}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("activation", ["shifted", "clipped"])
def test_training_equals_dense_training_of_a_completed_network(data, search, activation):
    data, threshold = DATA[data]
    config = TrainConfig(width=3000, threshold=threshold, search=search, solver="exact", draw="firing", seed=4)
    own = Trainer(data, config)
    network, b = own.trace.network, own.threshold
    W, signs = completed(network, data.X, b)
    dense = dataclasses.replace(config, search="dense", draw="all")
    maker = find_engine("dense")

    class Completed(maker):
        def __init__(self, data, network, config, ledger):
            super().__init__(data, GivenNetwork(W, signs, data.X), config, ledger)

    full = Trainer(data, dense, engine_class=Completed)
    for _ in range(8):
        ours, theirs = own.step(), full.step()
        if theirs.loss < 1e-8:
            break
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-9)
        for found, expected in zip(ours.firing, theirs.firing, strict=True):
            assert network.numbers(found.astype(np.int64)).tolist() == expected.tolist()
    assert len(own.trace.records) > 3
    numbers = network.numbers(np.arange(network.num_drawn))
    assert np.allclose(own.weights(), full.weights(numbers), rtol=0, atol=1e-8)


@pytest.mark.parametrize("d", [3, 12])
def test_the_network_depends_on_nothing_else(d, monkeypatch):
    X = points(6, d)
    first = FiringNetwork(X, 2, 1 << 20, 2.0)
    monkeypatch.setattr(firing_network, "_MAX_KEPT_BYTES", 0)
    monkeypatch.setattr(firing_network, "_LARGE_DRAW", 1 << 60)  # one thread
    again = FiringNetwork(X, 2, 1 << 20, 2.0)
    assert first.num_drawn == again.num_drawn > 90_000 and again._found.kept is None
    assert np.array_equal(np.asarray(first.signs), np.asarray(again.signs))
    for ours, theirs in zip(first.leaf_blocks(), again.leaf_blocks(), strict=True):
        assert ours[0] == theirs[0] and np.array_equal(ours[1], theirs[1])
    chosen = np.random.default_rng(0).integers(0, first.num_drawn, 50)
    rows = first.weights(chosen)
    assert np.array_equal(rows, again.weights(chosen))
    assert np.allclose(rows @ X.T, first.leaf_rows(chosen), rtol=0, atol=1e-12)
    numbers = first.numbers(np.arange(first.num_drawn))
    assert np.all(np.diff(numbers) > 0) and numbers[0] >= 0 and numbers[-1] < 1 << 20
    assert scipy.stats.kstest(numbers / (1 << 20), "uniform").pvalue > LEAST_P
    assert np.array_equal(numbers[chosen], again.numbers(chosen))
    pieces = [(low, rows.copy()) for low, rows in first.weight_blocks(block_rows=100, first=1000, last=3500)]
    assert pieces[0][0] == 1000 and max(len(rows) for _, rows in pieces) <= 100
    assert np.array_equal(np.concatenate([rows for _, rows in pieces]), first.weights(np.arange(1000, 3500)))


@pytest.mark.parametrize("X", [points(6, 3), points(6, 12), points(17, 16)], ids=["d < n", "d > n", "d = 16"])
def test_compiled_loops_draw_and_list_the_same_bits(X, monkeypatch):
    both = []
    for large in (0, 1 << 60):
        monkeypatch.setattr(firing_network, "_LARGE_PROPOSALS", large)
        network = FiringNetwork(X, 5, 1 << 16, 2.0)
        assert (network.loops is not None) == (large == 0)
        pairs = pairs_while_drawn(network, 1.7)
        block = network._drawer().draw(network.num_blocks - 1)
        both.append([*dataclasses.astuple(pairs), *block, np.asarray(network.signs), network.weights()])
    assert len(both[0][0]) > 5000
    for compiled, numpy in zip(*both, strict=True):
        assert np.array_equal(compiled, numpy) and compiled.dtype == numpy.dtype


@pytest.mark.parametrize("broken_part", [0, 1])
def test_an_interrupted_draw_ends_in_all_threads_and_leaves_nothing_broken(broken_part, monkeypatch):
    monkeypatch.setattr("treeviz.search.compiled.num_threads", lambda: 2)
    X, looks = points(6, 3), []
    network = FiringNetwork(X, 2, 1 << 24, 2.0)
    main = threading.current_thread()

    def look(leaves):
        looks.append(1)
        if (threading.current_thread() is main) == (broken_part == 0) and len(looks) > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network.gather(lambda: look)
    assert len(looks) < 500  # of 1,024 blocks
    assert network.num_drawn == FiringNetwork(X, 2, 1 << 24, 2.0).num_drawn > 1 << 20


def test_a_loaded_run_draws_the_same_neurons_again(tmp_path):
    data, threshold = DATA["close together"]
    config = TrainConfig(width=1 << 14, threshold=threshold, draw="firing", seed=1)
    trainer = Trainer(data, config)
    trace = trainer.run(4)
    trace.save(tmp_path / "run.npz")
    loaded = Trace.load(tmp_path / "run.npz")
    assert loaded.config == config and loaded.losses.tolist() == trace.losses.tolist()
    for point in (0, 5):
        assert np.array_equal(loaded.tree_values(point, 4), trainer.forest.values[:, point])
    neurons = np.arange(0, loaded.network.num_drawn, 7)
    assert np.array_equal(loaded.leaf_rows(neurons, 4), trainer.forest.leaves[neurons])
    step = loaded.replay(2, 1)
    assert step.firing.tolist() == trace.records[1].firing[2].tolist()


def test_where_neurons_fire_on_too_many_datapoints_all_are_drawn():
    data = load_dataset("circle")
    config = TrainConfig(width=256, threshold=0.5, search="watch", draw="firing")
    assert 8 * firing_probability(0.5) > 1
    assert isinstance(initial_network(data.X, config), WholeNetwork)
    every = Trainer(data, dataclasses.replace(config, draw="all")).run(5)
    assert Trainer(data, config).run(5).losses.tolist() == every.losses.tolist()
    with pytest.raises(ValueError, match="more than 1"):
        FiringNetwork(data.X, 0, 256, 0.5)


@pytest.mark.parametrize("width", [1, 7, 1 << 40])
def test_no_neuron_need_fire(width):
    config = TrainConfig(width=width, threshold=39.0, draw="firing")
    with pytest.raises(ValueError, match=f"none of the {width:,} neurons fires on a datapoint at the threshold 39"):
        Trainer(load_dataset("circle"), config)


@pytest.mark.parametrize("search", SEARCHES)
def test_one_neuron_may_be_all_that_fires(search):
    data = Dataset(points(3, 4), np.ones(3))
    config = TrainConfig(width=40, threshold=2.6, search=search, draw="firing", solver="exact")
    trainer = Trainer(data, dataclasses.replace(config, seed=5))
    assert trainer.trace.network.num_drawn == 1
    first, second = trainer.step(), trainer.step()
    assert second.loss < first.loss and first.touched.tolist() == [0]
    assert trainer.weights().shape == (1, 4) and trainer.weights(np.array([0, 0])).shape == (2, 4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="draw='firing' goes with a search of 'forest', 'compact', 'table', 'watch'"):
        TrainConfig(width=10, search="dense", draw="firing")
    with pytest.raises(ValueError, match="width must be a whole number from 1 to 134,217,728"):
        TrainConfig(width=1 << 28)
    with pytest.raises(ValueError, match="GB"):
        Trainer(load_dataset("circle"), TrainConfig(width=1 << 40, search="watch", draw="firing"))


def test_a_width_that_no_memory_holds_is_trained():
    data = load_dataset("sphere", num_points=8)
    config = TrainConfig(width=1 << 34, threshold=5.2, search="watch", solver="exact", draw="firing")
    trainer = Trainer(data, config)
    assert 5000 < trainer.trace.network.num_drawn < 20_000
    numbers = trainer.trace.network.numbers(np.arange(trainer.trace.network.num_drawn))
    assert numbers[-1] > 1 << 33
    trace = trainer.run(12, until_loss=1e-9)
    assert trace.losses[-1] < 1e-9
    assert trainer.predict(data.X) == pytest.approx(data.y, abs=1e-3)


@pytest.mark.parametrize("search", ["forest", "watch"])
def test_the_stage_shows_the_drawn_neurons_and_nothing_away_from_the_datapoints(search):
    data = load_dataset("circle")
    run = BackgroundRun(data, TrainConfig(width=1 << 12, search=search, solver="exact", draw="firing"))
    assert run.wait_for(2, timeout=60)
    maker, drawn = FrameMaker(run, "key"), run.trace.num_drawn
    header = maker.header()
    assert header["width"] == drawn < 1 << 12 and not header["planar"] and header["movable"] == 0
    assert run.dense_refusal.startswith("Only the neurons that fire were drawn") and not run.dense_is_behind
    for iteration in range(3):
        nodes = np.array(maker.drawn_nodes(View(), iteration))
        assert nodes.max() < 2 * drawn
        frame = json.loads(maker.frame(View(), iteration))
        assert set(frame["plane"]["neurons"]) <= set(range(drawn))
        deadline = time.monotonic() + 60
        while len(run.checks) <= iteration and time.monotonic() < deadline:
            time.sleep(0.01)
        assert maker.badge(iteration)["state"] == "exact"
    assert maker.fields([0]) is None and maker.weights(0) is None
