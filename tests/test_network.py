"""The network's parts against dense formulas, finite differences and the statistics of the normal distribution."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from treeviz.model import firing as firing_module
from treeviz.model.firing import FiringSets, moved_rows, outputs_from_pairs, pair_steps
from treeviz.model.network import (
    BLOCK_ROWS,
    ImplicitWeights,
    WholeNetwork,
    firing_probability,
    initial_weight_blocks,
    initial_weights,
    leaf_blocks,
    output_signs,
    paper_threshold,
)
from treeviz.model.streams import random_stream


def unit_rows(rng, n, d):
    X = rng.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def random_signs(rng, m):
    return rng.choice([-1.0, 1.0], size=m)


def firing_of(incidence):
    """Firing sets of a dense (m, n) 0/1 matrix."""
    neurons, points = np.nonzero(incidence)
    return FiringSets.from_pairs(neurons, points, incidence.shape[1])


def dense_outputs(W, X, signs, threshold):
    return signs @ np.maximum(W @ X.T - threshold, 0.0) / math.sqrt(signs.size)


@st.composite
def incidences(draw, max_m=40, max_n=8):
    """Dense 0/1 matrices from empty to full."""
    m, n = draw(st.integers(1, max_m)), draw(st.integers(1, max_n))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 0.8, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 9999))).random((m, n)) < density


# Initial weights and signs


@pytest.mark.parametrize("width", [1, 5, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 77])
def test_blocks_are_the_whole(width):
    whole = initial_weights(7, width, 3)
    assert whole.shape == (width, 3)
    covered = 0
    for first, rows in initial_weight_blocks(7, width, 3):
        assert first == covered and len(rows) <= BLOCK_ROWS
        np.testing.assert_array_equal(rows, whole[first : first + len(rows)])
        covered += len(rows)
    assert covered == width


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_the_network_does_not_depend_on_how_it_is_drawn(data):
    """Not on the size of the blocks, nor on where they begin, nor on which thread draws them."""
    d = data.draw(st.sampled_from([1, 3, 64, 5000]))
    width = data.draw(st.integers(1, 60 if d == 5000 else 3000))
    whole = initial_weights(5, width, d)
    first, block_rows = data.draw(st.integers(0, width - 1)), data.draw(st.integers(1, 2 * width))
    with ThreadPoolExecutor(2) as pool:
        spans = [(0, first), (first, width)]
        parts = pool.map(
            lambda span: [
                (low, rows.copy())
                for low, rows in initial_weight_blocks(5, span[1], d, block_rows=block_rows, first=span[0])
            ],
            spans,
        )
    for low, rows in itertools.chain.from_iterable(parts):
        assert len(rows) <= block_rows
        np.testing.assert_array_equal(rows, whole[low : low + len(rows)])


def test_some_signs_are_those_of_the_whole():
    whole = output_signs(2, 200_000)
    for neurons in (np.arange(0, 200_000, 777), np.array([65_535, 65_536, 199_999]), np.empty(0, dtype=np.int64)):
        np.testing.assert_array_equal(output_signs(2, 200_000, neurons), whole[neurons])
    np.testing.assert_array_equal(output_signs(2, 70_000), whole[:70_000])


def test_a_narrower_network_is_a_prefix_of_a_wider_one():
    wide = initial_weights(3, 2 * BLOCK_ROWS + 10, 4)
    for width in (1, 2, 100, BLOCK_ROWS, BLOCK_ROWS + 3, 2 * BLOCK_ROWS):
        assert initial_weights(3, width, 4).tobytes() == wide[:width].tobytes()


def test_chosen_neurons_are_rows_of_the_whole():
    width = 2 * BLOCK_ROWS + 50
    whole = initial_weights(11, width, 2)
    rng = np.random.default_rng(0)
    for neurons in (
        rng.integers(0, width, size=200),
        np.array([width - 1, 0, BLOCK_ROWS, BLOCK_ROWS - 1, 0, width - 1, 2 * BLOCK_ROWS, 0]),
        np.arange(width)[::-1],
        np.empty(0, dtype=np.int64),
    ):
        np.testing.assert_array_equal(initial_weights(11, width, 2, neurons), whole[neurons])


def test_weights_depend_on_seed_and_repeat():
    one = initial_weights(0, 100, 3)
    assert initial_weights(0, 100, 3).tobytes() == one.tobytes()
    assert not np.intersect1d(initial_weights(1, 100, 3), one).size
    blocks = initial_weights(0, 2 * BLOCK_ROWS, 1)
    assert not np.intersect1d(blocks[:BLOCK_ROWS], blocks[BLOCK_ROWS:]).size


def test_weights_use_no_global_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    initial_weights(0, 50, 2)
    output_signs(0, 50)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_weights_are_standard_normal(seed):
    d = 5
    weights = initial_weights(seed, 60_000, d)
    size = weights.size
    assert abs(weights.mean()) < 5 / math.sqrt(size)
    assert abs(weights.var() - 1) < 5 * math.sqrt(2 / size)
    assert abs((weights**3).mean()) < 5 * math.sqrt(15 / size)
    assert abs((weights**4).mean() - 3) < 5 * math.sqrt(96 / size)
    correlations = weights.T @ weights / len(weights) - np.eye(d)
    assert np.abs(correlations).max() < 6 * math.sqrt(2 / len(weights))
    assert abs((weights[1:] * weights[:-1]).mean()) < 5 / math.sqrt(size)  # neighbours in a column
    assert scipy.stats.kstest(weights[:20_000, 0], "norm").pvalue > 1e-4


def test_signs_are_fair_and_independent_of_the_weights():
    signs = output_signs(4, 100_000)
    assert signs.shape == (100_000,) and signs.dtype == np.float64 and set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5 / math.sqrt(signs.size)
    assert abs((signs[1:] * signs[:-1]).mean()) < 5 / math.sqrt(signs.size)
    assert abs((signs * initial_weights(4, signs.size, 1)[:, 0]).mean()) < 5 / math.sqrt(signs.size)
    assert output_signs(4, 100_000).tobytes() == signs.tobytes()
    assert output_signs(5, 100_000).tobytes() != signs.tobytes()


def test_streams_of_a_seed_are_distinct_and_repeat():
    keys = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (2, 7)]
    draws = [random_stream(9, *key).standard_normal(50) for key in keys]
    for one, other in itertools.combinations(draws, 2):
        assert not np.intersect1d(one, other).size
    np.testing.assert_array_equal(random_stream(9, 2, 7).standard_normal(50), draws[-1])


# Threshold


@pytest.mark.parametrize("width", [1, 2, 1024, 16_384, 10**6, 2**27])
def test_paper_threshold(width):
    threshold = paper_threshold(width)
    assert threshold == pytest.approx(math.sqrt(2 * 0.24 * np.log(width)), rel=1e-14, abs=0.0)
    # e^(-b^2 / 2) = m^(-0.24) bounds the chance of firing.
    assert math.exp(-(threshold**2) / 2) == pytest.approx(width**-0.24, rel=1e-12)
    assert firing_probability(threshold) <= width**-0.24


@pytest.mark.parametrize("threshold", [-3.0, 0.0, 0.1, 1.0, 2.5, 6.0, 10.0, 35.0, math.inf])
def test_firing_probability_is_the_normal_tail(threshold):
    assert firing_probability(threshold) == pytest.approx(scipy.stats.norm.sf(threshold), rel=1e-12, abs=0.0)


@pytest.mark.parametrize(("width", "expected"), [(1024, 35), (16_384, 253), (10**6, 5009)])
def test_expected_firing_counts_are_those_measured(width, expected):
    assert width * firing_probability(paper_threshold(width)) == pytest.approx(expected, abs=1.0)


def test_fresh_neurons_fire_as_often_as_predicted():
    rng = np.random.default_rng(0)
    X, m = unit_rows(rng, 6, 4), 50_000
    for threshold in (0.0, 1.0, paper_threshold(m)):
        p = firing_probability(threshold)
        counts = (initial_weights(1, m, 4) @ X.T >= threshold).sum(axis=0)
        assert np.abs(counts - m * p).max() < 5 * math.sqrt(m * p * (1 - p))


# Leaves


@pytest.mark.parametrize("width", [1, 40, BLOCK_ROWS + 5])
def test_leaf_blocks_are_all_inner_products(width):
    X = unit_rows(np.random.default_rng(0), 3, 4)
    W = initial_weights(2, width, 4)
    leaves = np.full((width, 3), np.nan)
    for first, rows in leaf_blocks(X, initial_weight_blocks(2, width, 4)):
        leaves[first : first + len(rows)] = rows
    np.testing.assert_allclose(leaves, np.einsum("rk,ik->ri", W, X), rtol=0, atol=1e-13)


# Firing sets


@given(incidences())
def test_from_pairs_groups_by_neuron(incidence):
    m, n = incidence.shape
    firing = firing_of(incidence)
    assert firing.neurons.tolist() == [r for r in range(m) if incidence[r].any()]
    assert firing.num_pairs == incidence.sum() and firing.num_points == n
    assert firing.indptr[0] == 0 and firing.indptr[-1] == firing.num_pairs
    for u, neuron in enumerate(firing.neurons):
        points = firing.points[firing.indptr[u] : firing.indptr[u + 1]]
        assert points.tolist() == np.flatnonzero(incidence[neuron]).tolist()
    np.testing.assert_array_equal(firing.counts, incidence.sum(axis=0))
    np.testing.assert_array_equal(firing.degrees, incidence.sum(axis=1)[firing.neurons])


@given(incidences())
def test_sets_and_back(incidence):
    firing = firing_of(incidence)
    sets = firing.sets()
    assert len(sets) == incidence.shape[1]
    for i, neurons in enumerate(sets):
        assert neurons.dtype == np.int32
        assert neurons.tolist() == np.flatnonzero(incidence[:, i]).tolist()
    back = FiringSets.from_sets(sets)
    assert back.num_points == firing.num_points
    for name in ("neurons", "indptr", "points"):
        np.testing.assert_array_equal(getattr(back, name), getattr(firing, name))


@pytest.mark.parametrize("n", [1, 255, 256, 257, 300, 65_535, 65_536, 65_537, 70_000])
def test_sets_of_many_datapoints(n):
    rng = np.random.default_rng(n)
    flat = np.unique(np.append(rng.integers(0, 60 * n, size=500), [n - 1, 60 * n - 1]))
    firing = FiringSets.from_pairs(flat // n, flat % n, n)
    sets = firing.sets()
    assert len(sets) == n
    rebuilt = [(int(r), i) for i, neurons in enumerate(sets) for r in neurons]
    assert sorted(rebuilt) == list(zip((flat // n).tolist(), (flat % n).tolist(), strict=True))
    assert all((np.diff(neurons) > 0).all() for neurons in sets)
    np.testing.assert_array_equal(FiringSets.from_sets(sets).points, firing.points)


def test_from_sets_takes_any_integers_and_empty_sets():
    firing = FiringSets.from_sets([np.array([2, 5], dtype=np.int16), np.array([], dtype=np.int32), np.array([0, 5])])
    assert firing.neurons.tolist() == [0, 2, 5] and firing.neurons.dtype == np.int64
    assert firing.indptr.tolist() == [0, 1, 2, 4] and firing.points.tolist() == [2, 0, 0, 2]
    assert firing.counts.tolist() == [2, 0, 2]


@given(incidences(), st.data())
def test_rows_of_some_neurons(incidence, data):
    firing = firing_of(incidence)
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, len(incidence) - 1)))), dtype=np.int64)
    some = firing.of_neurons(chosen)
    expected = [(r, i) for r in chosen.tolist() for i in np.flatnonzero(incidence[r]).tolist()]
    assert list(zip(np.repeat(some.neurons, some.degrees).tolist(), some.points.tolist(), strict=True)) == expected
    assert some.num_points == incidence.shape[1] and some.neurons.dtype == np.int64 and (some.degrees > 0).all()


def test_nothing_fires():
    firing = FiringSets.from_sets([np.empty(0, dtype=np.int64)] * 3)
    for silent in (firing, firing_of(np.zeros((4, 3), dtype=bool))):
        assert silent.num_pairs == silent.neurons.size == silent.degrees.size == 0
        assert silent.indptr.tolist() == [0] and silent.counts.tolist() == [0, 0, 0]
        assert [neurons.size for neurons in silent.sets()] == [0, 0, 0]
        assert silent.matrix().shape == (0, 3)
        np.testing.assert_array_equal(silent.overlaps(), np.zeros((3, 3)))
        np.testing.assert_array_equal(outputs_from_pairs(silent, np.empty(0), np.ones(4), 1.0), np.zeros(3))
        assert moved_rows(silent, np.ones(3), np.ones(4), np.eye(3)).shape == (0, 3)


@given(incidences(), st.sampled_from([0, firing_module._SMALL_INCIDENCE]))
def test_overlaps_and_matrix_equal_dense_products(incidence, small):
    firing, dense = firing_of(incidence), incidence.astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firing_module, "_SMALL_INCIDENCE", small)
        np.testing.assert_array_equal(firing.overlaps(), dense.T @ dense)
    np.testing.assert_array_equal(firing.matrix().toarray(), dense[firing.neurons])
    values = np.arange(1.0, firing.num_pairs + 1)
    placed = np.zeros(incidence.shape)
    placed[incidence] = values  # row-major, as the pairs are
    np.testing.assert_array_equal(firing.matrix(values).toarray(), placed[firing.neurons])


# Outputs and moves


@given(
    m=st.integers(1, 50),
    n=st.integers(1, 7),
    threshold=st.sampled_from([0.0, 0.4, 1.5, 9.0]),
    seed=st.integers(0, 9999),
)
def test_outputs_from_pairs_equal_the_dense_network(m, n, threshold, seed):
    rng = np.random.default_rng(seed)
    X, W, signs = unit_rows(rng, n, 3), rng.standard_normal((m, 3)), random_signs(rng, m)
    products = W @ X.T
    fires = products >= threshold
    outputs = outputs_from_pairs(firing_of(fires), products[fires], signs, threshold)
    np.testing.assert_allclose(outputs, dense_outputs(W, X, signs, threshold), rtol=0, atol=1e-13)


@given(incidence=incidences(), seed=st.integers(0, 9999))
def test_moved_rows_equal_the_dense_formula(incidence, seed):
    rng = np.random.default_rng(seed)
    m, n = incidence.shape
    X, signs, g = unit_rows(rng, n, 4), random_signs(rng, m), rng.standard_normal(n)
    firing = firing_of(incidence)
    dense = np.zeros((m, 4))
    for r, i in np.argwhere(incidence):
        dense[r] -= signs[r] / math.sqrt(m) * g[i] * X[i]
    moves = moved_rows(firing, g, signs, X)
    np.testing.assert_allclose(moves, dense[firing.neurons], rtol=0, atol=1e-13)
    leaf_changes = moved_rows(firing, g, signs, X @ X.T)
    np.testing.assert_allclose(leaf_changes, moves @ X.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_moved_rows_equal_finite_differences(seed):
    rng = np.random.default_rng(seed)
    m, n, d, threshold, step = 20, 5, 3, 0.5, 1e-4
    X, W, signs = unit_rows(rng, n, d), rng.standard_normal((m, d)), random_signs(rng, m)
    products = W @ X.T
    near = np.abs(products - threshold).min(axis=1) < 2 * step  # no kink within a step
    W[near] *= 1.1
    assert np.abs(W @ X.T - threshold).min() > 2 * step
    y, g = rng.standard_normal(n), rng.standard_normal(n)
    products = W @ X.T
    firing = firing_of(products >= threshold)
    residual = dense_outputs(W, X, signs, threshold) - y

    def loss(weights):
        return 0.5 * np.sum((dense_outputs(weights, X, signs, threshold) - y) ** 2)

    def projected(weights):
        return g @ dense_outputs(weights, X, signs, threshold)

    for function, vector in ((loss, residual), (projected, g)):
        gradient = np.zeros((m, d))
        for r, k in itertools.product(range(m), range(d)):
            ahead, behind = W.copy(), W.copy()
            ahead[r, k] += step
            behind[r, k] -= step
            gradient[r, k] = (function(ahead) - function(behind)) / (2 * step)
        moves = np.zeros((m, d))
        moves[firing.neurons] = moved_rows(firing, vector, signs, X)
        np.testing.assert_allclose(moves, -gradient, rtol=0, atol=1e-6)


# Implicit weights


@given(seed=st.integers(0, 9999), m=st.integers(1, 30), n=st.integers(1, 6), density=st.sampled_from([0.0, 0.2, 0.9]))
def test_implicit_weights_equal_explicit_ones(seed, m, n, density):
    rng = np.random.default_rng(seed)
    X, d = unit_rows(rng, n, 3), 3
    network = WholeNetwork(X, seed, m)
    signs = np.asarray(network.signs)
    implicit, explicit = ImplicitWeights(X, network), initial_weights(seed, m, d)
    np.testing.assert_array_equal(implicit.rows(), explicit)
    touched = rng.random(m) < 0.7  # the neurons of the first iteration; later ones are among them
    for iteration in range(4):
        incidence = (rng.random((m, n)) < density) & touched[:, None]
        if iteration == 0:
            incidence[touched, rng.integers(0, n, size=int(touched.sum()))] = True
        g = rng.standard_normal(n)
        firing = firing_of(incidence)
        implicit.add(firing, pair_steps(firing, g, signs))
        explicit -= (signs[:, None] / math.sqrt(m)) * (incidence * g) @ X
        np.testing.assert_allclose(implicit.rows(), explicit, rtol=0, atol=1e-12)
        chosen = rng.integers(0, m, size=12)  # repeated, unsorted, some that never moved
        np.testing.assert_allclose(implicit.rows(chosen), explicit[chosen], rtol=0, atol=1e-12)
    assert implicit.rows(np.empty(0, dtype=np.int64)).shape == (0, d)


def test_neurons_that_never_fire_keep_their_bits():
    rng = np.random.default_rng(0)
    X = unit_rows(rng, 4, 2)
    implicit = ImplicitWeights(X, WholeNetwork(X, 1, 50))
    incidence = rng.random((50, 4)) < 0.2
    implicit.add(firing_of(incidence), np.ones(incidence.sum()))
    still = ~incidence.any(axis=1)
    assert 0 < still.sum() < 50
    np.testing.assert_array_equal(implicit.rows()[still], initial_weights(1, 50, 2)[still])
    np.testing.assert_array_equal(implicit.rows(np.flatnonzero(still)), initial_weights(1, 50, 2)[still])


def test_asking_for_implicit_weights_changes_nothing():
    X = unit_rows(np.random.default_rng(0), 3, 2)
    implicit = ImplicitWeights(X, WholeNetwork(X, 1, 8))
    implicit.add(firing_of(np.ones((8, 3), dtype=bool)), np.arange(24.0))
    first = implicit.rows().copy()
    implicit.rows()[:] = 0.0
    implicit.rows(np.array([1, 1, 2]))
    np.testing.assert_array_equal(implicit.rows(), first)
