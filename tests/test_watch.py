"""Watch lists against brute force: the same firing sets whatever the skin, the step, the method and the machine."""

import json
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense_scan, outputs_of, same_sets, sphere

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.infinite_width import shifted_ntk
from treeviz.model.network import BLOCK_ROWS, WholeNetwork, initial_weight_blocks, initial_weights, output_signs
from treeviz.search import compiled
from treeviz.search.forest.trees import Forest
from treeviz.search.watch import lists as watch
from treeviz.search.watch import pairs as pairs_module
from treeviz.search.watch import screening
from treeviz.search.watch.engine import WatchEngine
from treeviz.search.watch.lists import WatchLists
from treeviz.search.watch.round_off import RoundOff
from treeviz.search.watch.screening import DrawnBlocks, pairs_from_blocks, pairs_from_forest, pairs_from_stream
from treeviz.search.watch.skin import suggest_skin

TIE = 1e-9
PATHS = ("numpy", "compiled")
each_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
def force(monkeypatch):
    """Return a function that makes every network use one path."""

    def choose(path, cpus=2):
        monkeypatch.setattr(compiled, "num_threads", lambda: cpus)
        monkeypatch.setattr(watch, "LARGE_PAIRS", 0 if path == "compiled" else 1 << 60)
        monkeypatch.setattr(watch, "LARGE_VISIT", 2)
        monkeypatch.setattr(pairs_module, "LARGE_VISIT", 2)
        monkeypatch.setattr(screening, "LARGE_PRODUCTS", 0 if path == "compiled" else 1 << 60)
        monkeypatch.setattr(watch, "_CHUNK_ROWS", 7)

    return choose


def lists_of(X, width, threshold, skin, seed=0):
    """Return watch lists over a fresh network, its weights and its signs."""
    W, signs = initial_weights(seed, width, X.shape[1]), output_signs(seed, width)
    pairs = pairs_from_blocks(X, initial_weight_blocks(seed, width, X.shape[1]), threshold - skin, threshold)
    lists = WatchLists(
        pairs,
        signs[pairs.neurons],
        X @ X.T,
        width=width,
        dimension=X.shape[1],
        threshold=threshold,
        skin=skin,
        draw_rows=lambda neurons: initial_weights(seed, width, X.shape[1], neurons) @ X.T,
    )
    return lists, W, signs


def assert_exact(lists, W, signs, X):
    """Compare everything the lists say with the weights themselves."""
    expected, found = dense_scan(W, X, lists.threshold), lists.firing().sets()
    products = W @ X.T
    for point, (own, scanned) in enumerate(zip(found, expected, strict=True)):
        odd = np.setxor1d(own, scanned)
        assert (np.abs(products[odd, point] - lists.threshold) <= TIE).all(), f"datapoint {point}, neurons {odd}"
    fires = products >= lists.threshold
    if same_sets(found, expected):
        assert np.array_equal(lists.overlaps, fires.T.astype(int) @ fires)
    assert np.allclose(lists.outputs(), outputs_of(W, signs, lists.threshold, X), rtol=0, atol=1e-9)
    moved, moves = lists.moves()
    assert np.allclose(initial_weights(0, len(W), X.shape[1])[moved] + moves @ X, W[moved], rtol=0, atol=1e-9)
    drifts = np.linalg.norm(W[moved] - initial_weights(0, len(W), X.shape[1])[moved], axis=1)
    assert np.allclose(lists.drifts(), drifts, rtol=0, atol=1e-7)


def move_all(lists, W, signs, X, dual):
    """Move the lists, and the weights by the rule itself."""
    fires = lists.threshold <= W @ X.T
    moved = lists.move(dual)
    W -= (fires * dual * (signs / np.sqrt(len(W)))[:, None]) @ X
    return moved


# Finding the pairs


@st.composite
def networks(draw):
    n, d = draw(st.integers(1, 12)), draw(st.sampled_from([1, 2, 3, 5, 16, 300]))
    width = draw(st.integers(1, 400))
    threshold = draw(st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0]))
    return (
        sphere(n, d, draw(st.integers(0, 999))).X,
        width,
        threshold,
        draw(st.sampled_from([0.0, 0.1, 0.7, 3.0, 50.0])),
    )


def assert_same_pairs(left, right):
    assert np.array_equal(left.neurons, right.neurons) and np.array_equal(left.indptr, right.indptr)
    assert np.array_equal(left.points, right.points)
    assert np.allclose(left.products, right.products, rtol=0, atol=1e-12)


@given(networks(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_three_ways_to_the_same_lists(network, cpus):
    X, width, threshold, skin = network
    W = initial_weights(0, width, X.shape[1])
    low = threshold - skin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "num_threads", lambda: cpus)
        patch.setattr(screening, "LARGE_PRODUCTS", 0)
        patch.setattr(screening, "_BLOCK_BYTES", 1)
        streamed = pairs_from_stream(X, width, DrawnBlocks(WholeNetwork(X, 0, width)), low, threshold)
    scanned = pairs_from_blocks(X, initial_weight_blocks(0, width, X.shape[1]), low, threshold)
    asked = pairs_from_forest(Forest(W @ X.T), low, threshold)
    assert_same_pairs(streamed, scanned)
    assert_same_pairs(asked, scanned)
    products = W @ X.T
    kept = np.flatnonzero((products >= threshold).any(axis=1))
    assert np.array_equal(scanned.neurons, kept)
    rows, points = np.nonzero(products[kept] >= low)
    assert np.array_equal(np.repeat(np.arange(kept.size), np.diff(scanned.indptr)), rows)
    assert np.array_equal(scanned.points, points)


def test_single_precision_never_loses_a_pair(force):
    """Products right at the bounds, where rounding to single precision goes either way."""
    force("compiled")
    X, rng = sphere(6, 40, 3).X, np.random.default_rng(0)
    W = rng.standard_normal((3000, 40))
    products = W @ X.T
    for high in rng.choice(products.ravel(), 40):
        low = high - 0.5
        for bound in (high, np.nextafter(high, np.inf)):
            streamed = pairs_from_stream(X, 3000, lambda first, last, rows: [(first, W[first:last])], low, bound)
            kept = (products >= bound).any(axis=1)
            odd = np.setxor1d(streamed.neurons, np.flatnonzero(kept))
            assert (np.abs(products[odd] - bound).min(axis=1) <= 1e-12).all() if odd.size else True


@pytest.mark.parametrize(("low", "high"), [(-50.0, -50.0), (0.0, 0.5), (50.0, 50.0)])
def test_screening_stays_within_its_arrays(low, high, force, monkeypatch):
    """Run as plain Python, where an index out of bounds is an error: compiled, it may go unseen."""
    force("compiled", cpus=1)
    monkeypatch.setattr(screening, "_BLOCK_BYTES", 1)
    loops = compiled.load_loops("watch.loops")
    monkeypatch.setattr(loops, "screen", loops.screen.py_func)
    X, width = sphere(7, 2, 0).X, 70  # a block of 64 neurons and a smaller one
    streamed = pairs_from_stream(X, width, DrawnBlocks(WholeNetwork(X, 0, width)), low, high)
    assert_same_pairs(streamed, pairs_from_blocks(X, initial_weight_blocks(0, width, 2), low, high))


def test_building_takes_memory_for_the_pairs_and_a_block():
    data, width = sphere(4, 16, 0), 1 << 19
    Trainer(data, TrainConfig(width=1 << 20, search="watch")).advance()  # loads and warms up what is loaded once
    tracemalloc.start()
    trainer = Trainer(data, TrainConfig(width=width, search="watch", solver="exact"))
    for _ in range(3):
        trainer.advance()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    num_pairs, num_neurons = trainer._engine.lists.num_watched, trainer._engine.lists.neurons.size
    assert peak < 120 * num_pairs + 120 * num_neurons + (12 << 20)
    assert peak < 0.5 * 8 * width * 16  # W alone would be 67 MB, the products 17 MB


@pytest.mark.parametrize("broken_part", [0, 1])
def test_an_interrupted_build_leaves_nothing_broken(force, broken_part):
    force("compiled")
    X, seen, width = sphere(5, 4, 0).X, [], 1 << 22

    def draw(first, last, block_rows):
        for start, rows in initial_weight_blocks(0, last, 4, block_rows=64, first=first):
            seen.append(start)
            if start == broken_part * width // 2 + 256:
                raise KeyboardInterrupt
            yield start, rows

    with pytest.raises(KeyboardInterrupt):
        pairs_from_stream(X, width, draw, 0.5, 1.0)
    num_seen = len(seen)
    assert num_seen < 30_000  # the other thread stopped too, long before its 32,768 blocks were through
    found = pairs_from_stream(X, 5000, DrawnBlocks(WholeNetwork(X, 0, 5000)), 0.5, 1.0)
    assert_same_pairs(found, pairs_from_blocks(X, initial_weight_blocks(0, 5000, 4), 0.5, 1.0))
    assert len(seen) == num_seen


def test_more_than_memory_holds_is_refused_by_the_threshold_in_use():
    data = sphere(64, 4, 0)
    with pytest.raises(ValueError, match=r"needs about [\d.]+ GB with search='watch'"):
        Trainer(data, TrainConfig(width=1 << 27, threshold=0.0, search="watch"))
    assert WatchEngine.required_bytes(1 << 27, 16, 16) < 4 << 30  # at the paper's threshold
    few = WatchEngine.required_bytes(1 << 20, 64, 64, 4.0)
    assert few < 0.1 * WatchEngine.required_bytes(1 << 20, 64, 64) + (1 << 26)


# Exactness


@st.composite
def walks(draw):
    """A network, a skin, and dual steps from tiny to huge, some of them zero or on some datapoints only."""
    n = draw(st.integers(1, 9))
    X = sphere(n, draw(st.integers(1, 6)), draw(st.integers(0, 999))).X.copy()
    if n > 2 and draw(st.booleans()):
        X[1] = X[0] * draw(st.sampled_from([1.0, -1.0]))  # duplicates, and opposites
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    sizes = draw(st.lists(st.sampled_from([0.0, 1e-9, 0.03, 0.3, 3.0, 100.0]), min_size=1, max_size=12))
    width = draw(st.sampled_from([1, 10, 60, 300]))
    duals = [
        size * np.sqrt(width) * rng.standard_normal(n) * (rng.random(n) < rng.choice([0.3, 1.0])) for size in sizes
    ]
    return X, width, draw(st.sampled_from([0.0, 0.5, 1.2])), draw(st.sampled_from([0.0, 1e-6, 0.1, 0.6, 4.0])), duals


@each_path
@given(walks(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_any_walk_is_exact(path, walk, cpus):
    X, width, threshold, skin, duals = walk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "num_threads", lambda: cpus)
        patch.setattr(watch, "LARGE_PAIRS", 0 if path == "compiled" else 1 << 60)
        patch.setattr(watch, "LARGE_VISIT", 2)
        patch.setattr(pairs_module, "LARGE_VISIT", 2)
        lists, W, signs = lists_of(X, width, threshold, skin)
        assert (lists._loops is not None) == (path == "compiled")
        assert_exact(lists, W, signs, X)
        for dual in duals:
            before = lists.promoted
            move_all(lists, W, signs, X, dual)
            if np.abs(W).max() > 1e4:  # round-off of that size decides who fires
                return
            assert_exact(lists, W, signs, X)
            assert np.array_equal(np.sort(np.concatenate([before, lists.just_promoted])), lists.promoted)
            far = lists.neurons[lists.drifts() > skin * (1 + 1e-9) + 1e-12]
            watches_all = np.diff(lists._lists.indptr) == len(X)
            fires = np.unique(lists.firing().neurons)
            must = np.intersect1d(far[~np.isin(far, lists.neurons[watches_all])], fires)
            assert np.isin(must, lists.promoted).all(), "a neuron beyond the skin does not watch its whole row"


@given(walks())
@settings(max_examples=60, deadline=None)
def test_both_paths_do_the_same(walk):
    X, width, threshold, skin, duals = walk
    both = []
    for large in (0, 1 << 60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watch, "LARGE_PAIRS", large)
            both.append(lists_of(X, width, threshold, skin)[0])
    for dual in duals:
        left, right = (lists.move(dual) for lists in both)
        if np.abs(both[0]._positions).max() > 1e3 * np.sqrt(width):
            return
        assert (left.num_due, left.num_changed) == (right.num_due, right.num_changed)
        assert left.num_operations == right.num_operations
        assert np.array_equal(*(np.sort(lists.just_promoted) for lists in both))
        for name in ("neurons", "indptr", "points"):
            mine, other = (getattr(lists.firing(), name) for lists in both)
            assert np.array_equal(mine, other) and mine.dtype == other.dtype, name
            assert not mine.flags.writeable and not other.flags.writeable
        assert np.allclose(both[0].outputs(), both[1].outputs(), rtol=0, atol=1e-11)
        for name in ("codes", "homes", "indptr", "depths"):
            assert np.array_equal(getattr(both[0]._lists, name), getattr(both[1]._lists, name)), name
        for name in ("lows", "highs"):
            mine, other = (getattr(lists._lists, name) for lists in both)
            assert np.allclose(mine, other, rtol=1e-5, atol=1e-5), name


METHODS = ("gauss-newton", "gradient-descent", "sgd")


@st.composite
def runs(draw):
    n, d = draw(st.integers(2, 10)), draw(st.integers(2, 8))
    method = draw(st.sampled_from(METHODS))
    return sphere(n, d, draw(st.integers(0, 999))), {
        "width": draw(st.sampled_from([64, 200, 1000])),
        "threshold": draw(st.sampled_from([None, 0.0, 0.4, 1.0])),
        "method": method,
        "solver": draw(st.sampled_from(["exact", "sketch"])),
        "step_size": draw(st.sampled_from([None, 0.1, 1.0])) if method == "gauss-newton" else None,
        "batch_size": draw(st.integers(1, 5)),
        "seed": draw(st.integers(0, 99)),
    }


@each_path
@given(runs(), st.sampled_from([None, 0.0, 1e-3, 0.2, 2.0]))
@settings(max_examples=25, deadline=None)
def test_training_is_that_of_the_dense_method(path, run, skin):
    data, settings_ = run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "LARGE_PAIRS", 0 if path == "compiled" else 1 << 60)
        patch.setattr(screening, "LARGE_PRODUCTS", 0 if path == "compiled" else 1 << 60)
        lists = Trainer(data, TrainConfig(search="watch", skin=skin, **settings_))
        dense = Trainer(data, TrainConfig(search="dense", **settings_))
        condition = 1.0
        for _ in range(25):
            own, other = lists.step(), dense.step()
            condition = max(condition, own.solve.conditioning or 1.0)
            if other.loss < 1e-8 or condition > 1e6 or not np.isfinite(other.loss) or other.loss > 1e4:
                break
            assert own.loss == pytest.approx(other.loss, rel=1e-9 if settings_["solver"] == "exact" else 1e-8)
            assert same_sets(own.firing, other.firing)
            if (np.abs(dense.weights() @ data.X.T - dense.threshold) < TIE).any():  # round-off decides from here on
                break


@pytest.mark.parametrize(
    ("path", "method"),
    [
        pytest.param(path, method, marks=[pytest.mark.slow] * (path == "numpy" and method != "gauss-newton"))
        for path in PATHS
        for method in METHODS
    ],
)
def test_hundreds_of_iterations_stay_exact(force, path, method):
    force(path)
    data = load_dataset("digits", num_points=20, seed=1)
    settings_ = {"width": 600, "method": method, "step_size": None, "batch_size": 4, "solver": "exact", "seed": 2}
    lists = Trainer(data, TrainConfig(search="watch", **settings_))
    dense = Trainer(data, TrainConfig(search="dense", **settings_))
    for _ in range(12 if method == "gauss-newton" else 400):
        own, other = lists.step(), dense.step()
        if other.loss < 1e-8:
            break
        assert own.loss == pytest.approx(other.loss, rel=1e-9)
        assert same_sets(own.firing, other.firing)
    assert np.allclose(lists.weights(), dense.weights(), rtol=0, atol=1e-8)
    some = np.array([5, 3, 599, 3])
    assert np.allclose(lists.weights(some), dense.weights(some), rtol=0, atol=1e-8)
    assert np.allclose(lists.predict(data.X), dense.predict(data.X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_runs_repeat_to_the_bit(force, cpus):
    force("compiled", cpus)
    data = load_dataset("digits", num_points=30, seed=0)
    config = TrainConfig(width=3000, search="watch", solver="exact")
    losses = [Trainer(data, config).run(6).losses.tobytes() for _ in range(3)]
    assert len(set(losses)) == 1


def test_advancing_is_stepping_without_records():
    data, config = sphere(12, 6, 1), TrainConfig(width=2000, search="watch", solver="exact")
    recorded, bare = Trainer(data, config), Trainer(data, config)
    for _ in range(5):
        assert recorded.step().loss == bare.advance()
    assert len(recorded.trace.records) == 5 and not bare.trace.records
    assert np.array_equal(recorded.weights(), bare.weights())
    assert recorded.stop_reason == bare.stop_reason


@each_path
def test_records_stay_as_they_were_and_share_what_is_the_same(path, force):
    force(path)
    trainer = Trainer(sphere(20, 8, 1), TrainConfig(width=1500, search="watch", solver="exact", skin=0.02))
    dense = Trainer(trainer.data, TrainConfig(width=1500, search="dense", solver="exact"))
    at_once = []
    for _ in range(8):
        record = trainer.step()
        assert record.firing.equals(dense.step().firing)
        at_once.append(pickle.dumps((record.firing.neurons, record.firing.indptr, record.firing.points)))
    records = trainer.trace.records
    late = [pickle.dumps((record.firing.neurons, record.firing.indptr, record.firing.points)) for record in records]
    assert late == at_once and trainer._engine.lists.promoted.size
    for record, following in pairwise(records):
        assert record.watch is not None
        assert (record.firing is following.firing) == (record.watch.num_changed == 0)
    assert records[0].firing is not records[1].firing and records[-2].firing is records[-1].firing


# Promotion and the skin


@each_path
def test_without_a_skin_whoever_moves_is_promoted(force, path):
    force(path)
    X = sphere(6, 4, 0).X
    lists, W, signs = lists_of(X, 200, 0.8, 0.0)
    dual = np.zeros(6)
    dual[2] = 0.01
    fires = lists.firing().sets()[2]
    move_all(lists, W, signs, X, dual)
    all_watched, promoted = lists.neurons[np.diff(lists._lists.indptr) == 6], lists.just_promoted
    assert np.array_equal(np.sort(promoted), np.setdiff1d(fires, all_watched))
    assert_exact(lists, W, signs, X)
    move_all(lists, W, signs, X, dual)
    assert not np.isin(lists.just_promoted, promoted).any()


def test_a_pair_far_below_the_skin_is_seen_once_its_neuron_is_promoted():
    """One neuron, two points: it is pushed along x_0 until it fires on x_1, which nobody watched."""
    X = np.array([[1.0, 0.0], [0.6, 0.8]])
    pairs = screening.WatchedPairs(np.array([7]), np.array([0, 1]), np.array([0], dtype=np.int32), np.array([1.5]))
    start = np.array([[1.5, -1.0]])  # z = (1.5, 0.1)
    asked = []
    lists = WatchLists(
        pairs, np.array([1.0]), X @ X.T, width=1, dimension=2, threshold=1.0, skin=0.5,
        draw_rows=lambda neurons: asked.append(neurons.tolist()) or start @ X.T,
    )  # fmt: skip
    assert lists.move(np.array([-0.4, 0.0])).num_promoted == 0 and asked == []
    assert lists.firing().sets()[1].size == 0
    assert lists.move(np.array([-1.4, 0.0])).num_new_pairs == 1
    assert lists.just_promoted.tolist() == [7] and asked == [[7]]
    # w = (3.3, -1): z = (3.3, 1.18)
    assert [s.tolist() for s in lists.firing().sets()] == [[7], [7]]
    assert lists.overlaps.tolist() == [[1, 1], [1, 1]]
    assert lists.outputs() == pytest.approx([2.3, 0.18])
    assert lists.num_watched == 3 and lists.drifts() == pytest.approx([1.8])


# Moves of one neuron over four datapoints, K made of two blocks with 1/2 beside the diagonal: its leaves and its sign,
# the dual steps, and the operations of each move by hand: 1 a block of eight neurons, and 8 for a block that is woken.
MOVES_BY_HAND = {
    "not due: 0.1 of the 0.2 to the threshold": ([1.2, 0.6, -1, -1], 1.0, [[0.1, 0, 0, 0]], [1]),
    # The short way, charged 6.
    "stops firing": ([1.2, 0.6, -1, -1], 1.0, [[0.25, 0, 0, 0]], [1 + 8 + 6]),
    # Two coefficients, drift 2^2; two pairs of 2 + 1 terms, for the third, 0.6, cannot have come to 1 (sway 0.2); what
    # two pairs contributed, each of 2 terms and their sizes, 2 * (2 + 2 * 2).
    "fired on two": ([1.2, 1.1, 0.6, -1], 1.0, [[0.05, 0.05, 0, 0], [0.3, 0, 0, 0]], [1, 1 + 8 + 2 + 4 + 6 + 12]),
    # One coefficient, drift 1. Sorting four pairs, 4 * 2; the new list's block 9, one coefficient, a pair of 1 + 1
    # terms, and another to know when it is due, 1 for each of the two. Next that block, a coefficient, two pairs of
    # 1 + 1 terms, contributions 1 * (1 + 2) and 2 * (2 + 2 * 2); for two due times 1 + 2; the old list's block rests.
    "is promoted, then fires on another": (
        [1.2, 0.6, -1, -1],
        -1.0,
        [[0.6, 0, 0, 0], [0.6, 0, 0, 0]],
        [9 + 1 + 1 + 8 + 9 + 1 + 2 + 2 + 2, 9 + 1 + 4 + 3 + 12 + 6 + 1],
    ),
}


@each_path
@pytest.mark.parametrize("case", MOVES_BY_HAND)
def test_operations_of_a_move_by_hand(case, path, force):
    force(path, cpus=1)
    leaves, sign, steps, expected = MOVES_BY_HAND[case]
    gram = np.kron(np.eye(2), [[1.0, 0.5], [0.5, 1.0]])
    z = np.array(leaves)
    points = np.flatnonzero(z >= 0.5).astype(np.int32)
    pairs = screening.WatchedPairs(np.array([0]), np.array([0, points.size]), points, z[points])
    lists = WatchLists(
        pairs, np.array([sign]), gram, width=1, dimension=2, threshold=1.0, skin=0.5, draw_rows=lambda neurons: z[None]
    )
    assert [lists.move(np.array(step)).num_operations for step in steps] == expected


@each_path
@pytest.mark.parametrize("distance", [1e-8, 2e-8, 5e-8, 1e-7, 1e-6])
def test_a_drift_hidden_by_near_duplicates_is_seen(path, distance, force):
    """Two points pull a neuron to and fro; in c^T K c they cancel, and round-off leaves what it likes, even 0.

    The third point lies along the difference. Its pair is not watched, and fires once the drift is beyond the skin.
    """
    force(path, cpus=1)
    X = np.array([[1.0, 0.0], [1.0, distance], [0.0, 1.0]])  # unit rows, to the last bit but one
    start = np.array([1.5, 0.0999])  # z = (1.5, 1.5, 0.0999): 1e-4 too far below for the list
    pairs = screening.WatchedPairs(np.array([0]), np.array([0, 2]), np.array([0, 1], dtype=np.int32), start @ X[:2].T)
    lists = WatchLists(
        pairs,
        np.array([1.0]),
        X @ X.T,
        width=1,
        dimension=2,
        threshold=1.0,
        skin=0.9,
        draw_rows=lambda neurons: (start @ X.T)[None],
    )
    pull = 0.901 / distance
    assert lists.move(np.array([pull, -pull, 0.0])).num_promoted == 1
    assert lists.firing()[2].tolist() == [0]  # z = 0.0999 + 0.901


# Round-off: against exact rational numbers


def exact_rows(values):
    return [[Fraction(value) for value in row] for row in np.asarray(values).tolist()]


def dot(left, right):
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


@st.composite
def near_duplicates(draw):
    """Unit rows, most of them as near to another one, or to its opposite, as they can be told apart, or not at all."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    d = draw(st.integers(2, 4))
    X = sphere(draw(st.integers(2, 4)), d, draw(st.integers(0, 999))).X.copy()
    for row in range(1, len(X)):
        distance = draw(st.sampled_from([0.0, 1e-15, 1e-8, 1e-6, 1e-4, 1.0]))
        X[row] = draw(st.sampled_from([1.0, -1.0])) * X[0] + distance * rng.standard_normal(d)
        X[row] /= np.linalg.norm(X[row])
    apart = X[1] - X[0]
    if np.abs(apart).max() > 0.0:
        X = np.vstack([X, apart / np.linalg.norm(apart)])  # where two steps that nearly cancel lead
    return X, rng


@given(near_duplicates(), st.floats(-8.0, 12.0))
@settings(max_examples=40, deadline=None)
def test_round_off_stays_below_its_bounds(problem, exponent):
    X, rng = problem
    n, d = X.shape
    bound, K = RoundOff.bound(n, d), X @ X.T
    c = 10.0**exponent * rng.standard_normal(n)
    c[1] = -c[0] * (1.0 + rng.choice([0.0, 1e-12, 1e-3]))
    start = rng.standard_normal(d)
    products, values = X @ start, X @ start + c @ K
    rows, used, length = exact_rows(X), [Fraction(value) for value in c.tolist()], np.abs(c).sum()
    moved = [Fraction(w) + dot(used, column) for w, column in zip(start.tolist(), zip(*rows, strict=True), strict=True)]
    drift = [dot(used, column) for column in zip(*rows, strict=True)]
    assert abs(float(Fraction(float(c @ K @ c)) - dot(drift, drift))) <= bound.of_square * length**2
    for point, row in enumerate(rows):
        fresh = dot([Fraction(value) for value in start.tolist()], row)
        assert abs(float(Fraction(products.tolist()[point]) - fresh)) <= bound.fixed
        error = abs(float(Fraction(values.tolist()[point]) - dot(moved, row)))
        assert error <= bound.fixed + bound.of_length * length


@each_path
@given(near_duplicates(), st.integers(1, 5), st.lists(st.floats(-3.0, 9.0), min_size=1, max_size=6), st.integers(-3, 3))
@settings(max_examples=40, deadline=None)
def test_no_pair_is_missed_among_near_duplicates(path, problem, width, exponents, nudge):
    """The skin is where the first move ends but for its last bits, and some pair there is but for them at b - skin.

    Whoever is farther from b than round-off can explain is told from who is not, by exact arithmetic.
    """
    X, rng = problem
    n, d = X.shape
    W, threshold = rng.standard_normal((width, d)), 1.0
    duals = [10.0**exponent * rng.standard_normal(n) for exponent in exponents]
    for dual in duals:
        dual[1] = -dual[0] * (1.0 + rng.choice([0.0, 1e-9, 1e-3]))
    W[0] *= 1.5 / max(np.abs(W[0] @ X[0]), 1e-3) * np.sign(W[0] @ X[0])  # fires on the first point, if on any
    duals[0] *= 0.7 / max(np.linalg.norm(duals[0] @ X / np.sqrt(width)), 1e-12)
    skin = float(np.linalg.norm(((W[0] @ X.T >= threshold) * duals[0]) @ X / np.sqrt(width)) * (1.0 + nudge * 2.0**-50))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "LARGE_PAIRS", 0 if path == "compiled" else 1 << 60)
        pairs = pairs_from_blocks(X, [(0, W)], threshold - skin, threshold)
        signs = rng.choice([-1.0, 1.0], width)
        lists = WatchLists(
            pairs,
            signs[pairs.neurons],
            X @ X.T,
            width=width,
            dimension=d,
            threshold=threshold,
            skin=skin,
            draw_rows=lambda neurons: W[neurons] @ X.T,
        )
        rows, bound, scale = exact_rows(X), RoundOff.bound(n, d), width**-0.5
        for dual in duals:
            lists.move(dual)
            fires = {(r, i) for i, found in enumerate(lists.firing().sets()) for r in found.tolist()}
            for lists_of_kind in (lists._lists, lists._promoted):
                for neuron, c in zip(lists_of_kind.neurons, lists_of_kind.coefficients(lists._totals), strict=True):
                    if lists_of_kind is lists._lists and neuron in lists.promoted:
                        continue
                    pull = -Fraction(float(signs[neuron] * scale))
                    used = [pull * Fraction(value) for value in c.tolist()]
                    length = scale * np.abs(c).sum()
                    error = bound.fixed + bound.of_length * length + bound.of_clock * scale * lists._positions[-1]
                    for i, row in enumerate(rows):
                        at = sum((u * dot(other, row) for u, other in zip(used, rows, strict=True)), Fraction(0))
                        z = dot([Fraction(w) for w in W[neuron].tolist()], row) + at
                        if abs(float(z - Fraction(threshold))) > error:
                            assert ((neuron, i) in fires) == (z >= threshold), (neuron, i, float(z - threshold), error)


def one_neuron(start, X, threshold, skin):
    """Return watch lists over a network of one neuron."""
    pairs = pairs_from_blocks(X, [(0, np.array([start]))], threshold - skin, threshold)
    return WatchLists(
        pairs,
        np.ones(1),
        X @ X.T,
        width=1,
        dimension=X.shape[1],
        threshold=threshold,
        skin=skin,
        draw_rows=lambda neurons: np.array([start]) @ X.T,
    )


@each_path
def test_rows_longer_than_one_within_their_tolerance_are_allowed_for(path, force):
    """The second point is opposite and 1e-9 longer: its pair comes to b when the drift is still 1e-9 below the skin."""
    force(path, cpus=1)
    X = np.array([[1.0, 0.0], [-1.0 - 1e-9, 0.0]])
    lists = one_neuron([1.2, 0.0], X, 1.0, 2.2 + 1.2e-9 - 1e-12)
    assert lists.num_watched == 1
    assert lists.move(np.array([2.2 + 1e-10, 0.0])).num_promoted == 1
    assert lists.firing()[1].tolist() == [0]


@each_path
@pytest.mark.parametrize(
    ("gap", "first_moves", "last_move"),
    [
        pytest.param(1e-15, [], 1e-17, id="at the start"),
        pytest.param(1e-12, [-1e4, 1e4], 1e-13, id="when the clock has come far"),
    ],
)
def test_a_pair_as_near_to_the_threshold_as_round_off_is_due_at_any_move(path, gap, first_moves, last_move, force):
    force(path, cpus=1)
    X = np.array([[1.0, 0.0], [0.6, 0.8]])
    lists = one_neuron([2.0, (1.0 - gap - 0.6 * 2.0) / 0.8], X, 1.0, 0.5)
    for move in first_moves:
        lists.move(np.array([move, 0.0]))
    assert lists.move(np.array([last_move, 0.0])).num_due == 1


@each_path
@pytest.mark.parametrize("seed", range(5))
def test_outputs_keep_no_round_off_of_what_was_taken_back(path, seed, force):
    """Moves of up to 10^14 to and fro drive most neurons far below b; the outputs are what is left of huge numbers.

    No neuron has more to do with the last point than before, and there the outputs are of usual size.
    """
    force(path)
    rng = np.random.default_rng(seed)
    X = np.abs(rng.standard_normal((6, 4))) * [1.0, 1.0, 1.0, 0.1]
    X[5] = [0.0, 0.0, 0.0, 1.0]
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    lists, W, signs = lists_of(X, 400, 0.6, 0.3)
    for size in 10.0 ** rng.uniform(3, 9, 12):
        lists.move(np.append(size * rng.standard_normal(5), 0.0))
    for size in (1e13, -1e13, 1e14, -1e14):
        lists.move(np.append(size * np.ones(5), 0.0))
    moved, moves = lists.moves()
    W[moved] += moves @ X
    expected, fires = outputs_of(W, signs, 0.6, X), (W @ X.T >= 0.6).astype(int)
    assert lists.outputs() == pytest.approx(expected, rel=0, abs=1e-12 * max(1.0, np.abs(expected).max()))
    assert np.array_equal(lists.overlaps, fires.T @ fires)


@pytest.mark.parametrize("search", ["watch", "forest"])
def test_a_run_that_has_died_has_outputs_of_zero(search):
    """Huge steps drive all neurons below the threshold: what the outputs were is no part of what they are."""
    data = load_dataset("digits", num_points=4, seed=0, target="is-3", center=False)
    config = TrainConfig(
        width=5000, threshold=1.5, method="sgd", step_size=1e6, batch_size=1, search=search, seed=2**63 - 1
    )
    trace = Trainer(data, config).run(6)
    assert not trace.records[-1].firing.num_pairs
    assert trace.records[-1].outputs.tolist() == [0.0] * 4 and trace.losses[-1] == 2.0


def test_what_is_not_due_is_not_looked_at():
    X = sphere(8, 5, 2).X
    lists = lists_of(X, 3000, 1.0, 0.5)[0]
    assert lists.move(np.full(8, 1e-12)).num_due <= 1
    assert lists.move(np.full(8, 5.0)).num_due > 100


@pytest.mark.parametrize(
    ("name", "options", "width"),
    [
        ("sphere", {}, 16_384),
        ("digits", {"num_points": 50}, 16_384),
        ("breast-cancer", {"num_points": 100}, 16_384),
        ("wine", {"num_points": 60}, 8192),
    ],
)
def test_the_rule_finds_a_skin_that_few_drift_beyond(name, options, width):
    data = load_dataset(name, seed=0, **options)
    trainer = Trainer(data, TrainConfig(width=width, search="watch", solver="exact"))
    lists = trainer._engine.lists
    assert lists.skin == suggest_skin(data.X, data.y, trainer.threshold, width)
    assert trainer.num_bytes == lists.num_bytes
    for _ in range(10):
        if trainer.advance() < 1e-8:
            break
    assert lists.promoted.size < 0.03 * lists.neurons.size
    if name != "digits":  # not centred, its points are so alike that a neuron near one is near all
        assert lists.num_watched < 0.6 * lists.neurons.size * data.num_points


def test_the_skin_follows_the_targets_and_the_width():
    data = sphere(10, 6, 0)
    skin = suggest_skin(data.X, data.y, 1.5, 4096)
    assert suggest_skin(data.X, 0.5 * data.y, 1.5, 4096) == pytest.approx(0.5 * skin)
    assert suggest_skin(data.X, data.y, 1.5, 4 * 4096) == pytest.approx(0.5 * skin)
    # By hand, where K is the identity: y^T G^-1 y = n / p, and m (1 - (1 - p)^n) neurons share it.
    p = 0.06680720126885807
    assert shifted_ntk(np.eye(3), np.eye(3), 1.5) == pytest.approx(p * np.eye(3))
    touched = 1000 * (1 - (1 - p) ** 3)
    assert suggest_skin(np.eye(3), np.ones(3), 1.5, 1000) == pytest.approx(3 * np.sqrt(3 / p / touched), rel=5e-3)


@pytest.mark.parametrize(
    ("X", "y", "threshold"),
    [
        (np.eye(2), np.zeros(2), 1.0),
        (np.eye(2), np.ones(2), 60.0),
        (np.ones((3, 1)), np.array([1.0, -1.0, 1.0]), 0.5),
        (np.eye(2), np.array([1e150, 1.0]), 1.0),
    ],
)
def test_a_skin_is_found_for_any_data(X, y, threshold):
    skin = suggest_skin(X, y, threshold, 100)
    assert 0.0 <= skin <= threshold + 4.0
    trainer = Trainer(Dataset(X, y), TrainConfig(width=100, threshold=threshold, search="watch"))
    for _ in range(3):
        assert np.isfinite(trainer.step().outputs).all()


@pytest.mark.parametrize("skin", [-1.0, float("nan"), "wide", True])
def test_a_skin_must_be_a_distance(skin):
    with pytest.raises(ValueError, match="skin must be a number 0 or more"):
        TrainConfig(width=8, skin=skin)


def test_a_run_that_diverges_says_so():
    trainer = Trainer(sphere(6, 3, 0), TrainConfig(width=500, search="watch", method="gradient-descent", step_size=1e5))
    for _ in range(60):
        record = trainer.step()
        assert np.isfinite(record.outputs).all()
    assert "diverg" in record.status


@pytest.mark.parametrize("dimension", [16, 200])
def test_screening_in_single_precision_loses_no_neuron(dimension, force):
    """Thresholds a hair below a neuron's largest product: without its margin, single precision drops the neuron."""
    force("compiled")
    X, width = sphere(24, dimension, 3).X, 256
    rows = initial_weights(1, width, dimension) @ X.T
    for neuron in range(0, width, 4):
        high = float(rows[neuron].max()) - 1e-9
        found = pairs_from_stream(X, width, DrawnBlocks(WholeNetwork(X, 1, width)), high - 1.0, high)
        assert neuron in found.neurons
        np.testing.assert_array_equal(found.neurons, np.flatnonzero(rows.max(axis=1) >= high))


# Machines without a compiler


@pytest.mark.slow
def test_without_a_compiler_numpy_does_the_same():
    script = """
import json, warnings
from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.search import compiled
data = load_dataset("digits", num_points=20, seed=0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for search in ("watch", "forest"):
        trainer = Trainer(data, TrainConfig(width=1 << 18, search=search, solver="exact"))
        records = [trainer.step() for _ in range(3)]
        print(json.dumps([[record.loss for record in records], [record.costs for record in records]]))
print(len({str(w.message) for w in caught}), bool(compiled.refusal()))
"""
    outputs = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout.splitlines())
    assert outputs[0][2] == "0 False" and outputs[1][2] == "1 True"
    for left, right in zip(*outputs, strict=True):
        if left[0] == "[":
            (losses, costs), (expected, expected_costs) = json.loads(left), json.loads(right)
            assert losses == pytest.approx(expected, rel=1e-9) and costs == expected_costs


def test_the_refusal_names_the_reason_and_the_remedy(monkeypatch):
    monkeypatch.setattr(compiled, "_REFUSALS", {})
    with pytest.warns(
        RuntimeWarning, match=r"Compiled loops cannot be used here \(ModuleNotFoundError.*NUMBA_CACHE_DIR"
    ):
        assert compiled.load_loops("no_such_loops") is None
    assert compiled.load_loops("no_such_loops") is None  # said once


def test_threads_share_work_out_and_pass_errors_on(monkeypatch):
    monkeypatch.setattr(compiled, "num_threads", lambda: 3)
    assert compiled.map_spans(lambda part, first, last: (part, first, last), 10) == [(0, 0, 3), (1, 3, 6), (2, 6, 10)]
    assert compiled.map_spans(lambda part, first, last: last - first, 1) == [0, 0, 1]
    stop, ended = threading.Event(), []

    def work(part, first, last):
        if part == 0:
            raise ValueError("no")
        assert stop.wait(10)
        ended.append(part)

    with pytest.raises(ValueError, match="no"):
        compiled.map_spans(work, 3, stop)
    assert sorted(ended) == [1, 2]


def test_blocks_of_a_stream_may_be_of_any_size():
    assert BLOCK_ROWS == 16_384
    X = sphere(3, 700, 0).X
    streamed = pairs_from_stream(X, 20_000, DrawnBlocks(WholeNetwork(X, 1, 20_000)), 1.0, 2.0)
    assert_same_pairs(streamed, pairs_from_blocks(X, initial_weight_blocks(1, 20_000, 700), 1.0, 2.0))
