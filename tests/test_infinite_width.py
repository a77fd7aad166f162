"""The kernel at infinite width against sampling, numerical integration and drawn networks."""

import math

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from treeviz import Dataset, TrainConfig, Trainer
from treeviz.model.firing import FiringSets
from treeviz.model.infinite_width import (
    both_fire_probability,
    expected_activity,
    expected_touched,
    shifted_ntk,
)
from treeviz.model.ledger import gram_solve_operations
from treeviz.model.network import firing_probability, initial_weights
from treeviz.solve.exact import solve_gram

CORRELATIONS = (-0.95, -0.7, -0.2, 0.0, 0.1, 0.4, 0.8, 0.99)
NUM_SIGMA = 4.5


def unit_rows(rng, n, d):
    X = rng.standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def pair_at_angle(angle):
    return np.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])


def firing_of(X, threshold, width, seed):
    neurons, points = np.nonzero(initial_weights(seed, width, X.shape[1]) @ X.T >= threshold)
    return FiringSets.from_pairs(neurons, points, len(X))


def integral(rho, threshold):
    """Return (scaled integral of phi(z) Pr[z' >= b | z] over z >= b, log of the scale), by adaptive quadrature."""
    spread = math.sqrt((1 - rho) * (1 + rho))
    log_scale = -(threshold**2) / (1 + rho)

    def density(z):
        return math.exp(-0.5 * z * z + special.log_ndtr((rho * z - threshold) / spread) - log_scale)

    value, _ = scipy.integrate.quad(density, threshold, threshold + 12, epsabs=0, epsrel=1e-12, limit=400)
    return value / math.sqrt(2 * math.pi), log_scale


# How often both fire


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rho", CORRELATIONS)
def test_the_closed_form_is_what_sampling_finds(rho, seed):
    num_samples = 200_000
    first, other = np.random.default_rng([seed, 7]).standard_normal((2, num_samples))
    second = rho * first + math.sqrt(1 - rho**2) * other
    for threshold in (0.0, 0.3, 1.0, 1.82, 2.6):
        expected = both_fire_probability(np.array([rho]), threshold)[0]
        found = np.count_nonzero((first >= threshold) & (second >= threshold))
        sigma = math.sqrt(num_samples * expected * (1 - expected))
        assert abs(found - num_samples * expected) < NUM_SIGMA * sigma


@pytest.mark.parametrize("threshold", [0.0, 1e-3, 0.05, 0.3, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0])
def test_the_closed_form_is_the_integral_far_into_the_tail(threshold):
    correlations = np.array([-0.99, *CORRELATIONS, 0.999, 0.99999])
    values = both_fire_probability(correlations, threshold)
    for rho, value in zip(correlations, values, strict=True):
        scaled, log_scale = integral(rho, threshold)
        if log_scale < -690:
            assert value < 1e-298
        else:
            assert value / math.exp(log_scale) == pytest.approx(scaled, rel=3e-12), rho


@pytest.mark.parametrize("threshold", [0.0, 0.2, 1.0, 1.8, 4.0, 10.0, 30.0])
def test_special_correlations(threshold):
    single = firing_probability(threshold)
    below, none, same = both_fire_probability(np.array([-1.0, 0.0, 1.0]), threshold)
    assert (below, same) == (0.0, single)
    assert none == pytest.approx(single**2, rel=1e-12)
    beyond = both_fire_probability(np.array([-1 - 1e-9, -1 - 2e-16, 1 + 2e-16, 1 + 1e-9]), threshold)
    assert beyond.tolist() == [0.0, 0.0, single, single]


def test_at_threshold_zero_it_is_the_angle():
    rho = np.linspace(-1, 1, 1001)
    np.testing.assert_allclose(
        both_fire_probability(rho, 0.0), 0.25 + np.arcsin(rho) / (2 * np.pi), rtol=1e-12, atol=2e-16
    )


@settings(max_examples=60)
@given(threshold=st.floats(0.0, 36.0), seed=st.integers(0, 999))
def test_it_rises_with_the_correlation_and_stays_a_probability(threshold, seed):
    rng = np.random.default_rng(seed)
    rho = np.sort(np.concatenate([[-1.0, 1.0], rng.uniform(-1, 1, 40), 1 - 10.0 ** rng.uniform(-16, 0, 20)]))
    values = both_fire_probability(rho, threshold)
    assert np.isfinite(values).all() and values[0] == 0.0 and values[-1] == firing_probability(threshold)
    # The two formulas meet to round-off: of b^2 where the tail is e^(-b^2 / 2), and of one correlation next to -1.
    assert (values[1:] >= values[:-1] * (1 - 1e-11)).all()


@pytest.mark.parametrize("threshold", [0.0, 0.5, 2.0, 38.4, 38.6, 50.0, 1e10, 1e200])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4)])
def test_any_shape_and_any_threshold(shape, threshold):
    values = both_fire_probability(np.full(shape, 0.3), threshold)
    assert values.shape == shape and np.isfinite(values).all()
    if threshold > 38.5:
        assert not values.any()


def test_the_input_is_left_alone():
    rho = np.array([-2.0, 0.1, 2.0])
    both_fire_probability(rho, 1.0)
    assert rho.tolist() == [-2.0, 0.1, 2.0]


# The kernel


@pytest.mark.parametrize("threshold", [0.0, 0.4, 1.8, 5.0])
def test_the_kernel_is_the_product_times_the_probability(threshold):
    rng = np.random.default_rng(0)
    X, other = unit_rows(rng, 9, 4), unit_rows(rng, 5, 4)
    H = shifted_ntk(X, other, threshold)
    assert H.shape == (9, 5)
    np.testing.assert_allclose(H, (X @ other.T) * both_fire_probability(X @ other.T, threshold), rtol=1e-11)
    own = shifted_ntk(X, X, threshold)
    assert np.array_equal(own, own.T)
    np.testing.assert_allclose(own, shifted_ntk(X, X.copy(), threshold), rtol=1e-13)
    np.testing.assert_allclose(own.diagonal(), firing_probability(threshold), rtol=1e-14)
    assert np.linalg.eigvalsh(own)[0] > 0


@pytest.mark.parametrize("threshold", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-8, 1e-5, 1e-3, 0.02, 0.04])
def test_points_close_or_opposite_keep_their_angle(angle, threshold):
    X = pair_at_angle(angle)
    both = shifted_ntk(X, X, threshold)[0, 1] / math.cos(angle)
    lost = firing_probability(threshold) - both
    expected = 2 * special.owens_t(threshold, math.tan(angle / 2))
    assert lost == pytest.approx(expected, rel=1e-11, abs=3e-16)
    opposite = shifted_ntk(X[:1], -X[1:], threshold)[0, 0] / -math.cos(angle)
    assert opposite == (pytest.approx(angle / (2 * np.pi), rel=1e-11) if threshold == 0 else pytest.approx(0, abs=1e-9))


def test_equal_points_have_equal_rows():
    X = unit_rows(np.random.default_rng(3), 40, 17)
    X[5], X[11], X[30] = X[0], X[0], X[7]
    for threshold in (0.0, 1.0, 3.0):
        H = shifted_ntk(X, X, threshold)
        assert np.linalg.matrix_rank(H, tol=1e-14 * H.max()) == 37
        np.testing.assert_allclose(H[0], H[5], rtol=1e-14)
    # Rows may be off unit length by 1e-9, which must not look like an angle of 1e-5.
    H = shifted_ntk(X * (1 - 5e-10), X * (1 - 5e-10), 1.0)
    np.testing.assert_allclose(H.diagonal(), firing_probability(1.0), rtol=1e-8)


@pytest.mark.parametrize("threshold", [0.0, 1.0, 1.8])
def test_the_gram_matrix_tends_to_the_kernel(threshold):
    X = unit_rows(np.random.default_rng(0), 10, 5)
    K, H = X @ X.T, shifted_ntk(X, X, threshold)
    probability = H / K
    widths, errors = 2 ** np.arange(10, 17), []
    for width in widths:
        sigma = np.abs(K) * np.sqrt(probability * (1 - probability) / width)
        normalised = []
        for seed in range(4):
            G = K * firing_of(X, threshold, width, seed=int(width) + seed).overlaps() / width
            rare = np.abs(K) * NUM_SIGMA**2 / 3 / width  # Bernstein's: a few pairs a width are no normal number
            assert (np.abs(G - H) <= NUM_SIGMA * sigma + rare).all()
            normalised.append(np.abs(G - H))
        errors.append(math.sqrt(np.mean(np.square(normalised))))
    slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_the_trainers_own_firing_sets_tend_to_the_kernel():
    X = unit_rows(np.random.default_rng(1), 8, 4)
    trainer = Trainer(Dataset(X, np.ones(8)), TrainConfig(width=8192, solver="exact"))
    overlaps = FiringSets.from_sets(trainer.step().firing).overlaps()
    H, K = shifted_ntk(X, X, trainer.threshold), X @ X.T
    sigma = np.abs(K) * np.sqrt(H / K * (1 - H / K) / 8192)
    assert (np.abs(K * overlaps / 8192 - H) <= NUM_SIGMA * sigma).all()


# Expected activity


def activity_datasets():
    rng = np.random.default_rng(5)
    cluster = unit_rows(rng, 1, 6) + 0.05 * rng.standard_normal((20, 6))
    mixed = np.concatenate([cluster / np.linalg.norm(cluster, axis=1, keepdims=True), unit_rows(rng, 5, 6)])
    circle = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)
    return {"sphere": unit_rows(rng, 30, 10), "few": unit_rows(rng, 3, 2), "mixed": mixed, "circle": circle}


@pytest.mark.parametrize("name", ["sphere", "few", "mixed", "circle"])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.5, 2.5, 3.2])
def test_activity_is_what_drawn_networks_do(name, threshold):
    X, width = activity_datasets()[name], 1 << 17
    firing = firing_of(X, threshold, width, seed=9)
    estimates = [expected_activity(X, threshold, width, seed=seed) for seed in range(8)]
    noise = np.std([e.num_touched for e in estimates], ddof=1)
    share = estimates[0].num_touched / width
    sigma = math.sqrt(width * share * (1 - share) + 1 + noise**2)
    assert abs(firing.neurons.size - estimates[0].num_touched) < NUM_SIGMA * sigma
    assert noise <= 0.02 * estimates[0].num_touched
    degrees = np.zeros(width)
    degrees[: firing.neurons.size] = firing.degrees
    for values, expected in ((degrees, estimates[0].num_pairs), (degrees**2, estimates[0].num_overlaps)):
        assert abs(values.sum() - expected) <= NUM_SIGMA * math.sqrt(width * values.var()) + 1e-9 * expected


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.8, 4.0, 8.0, 20.0, 37.0])
def test_touched_neurons_where_they_are_known_exactly(threshold):
    single, width = firing_probability(threshold), 1 << 20
    one = expected_activity(pair_at_angle(0.3)[1:], threshold, width)
    assert one.num_touched == one.num_pairs == width * single
    assert one.num_overlaps == pytest.approx(width * single, rel=1e-14)
    for angle in (0.0, 0.1, 0.7, 2.0):  # inclusion and exclusion
        X = pair_at_angle(angle)
        union = 2 * single - both_fire_probability(np.array([X[0] @ X[1]]), threshold)[0]
        assert expected_activity(X, threshold, width).num_touched == pytest.approx(width * union, rel=0.02)
    independent = expected_activity(np.eye(6), threshold, width).num_touched
    assert independent == pytest.approx(-width * math.expm1(6 * math.log1p(-single)), rel=0.02)
    same = expected_activity(np.tile(pair_at_angle(1.0)[1:], (7, 1)), threshold, width)
    assert same.num_touched == pytest.approx(width * single, rel=1e-3)
    assert same.num_overlaps == pytest.approx(49 * width * single, rel=1e-12)
    assert same.num_pairs == 7 * width * single


@settings(max_examples=40)
@given(
    n=st.integers(1, 40),
    d=st.integers(1, 12),
    threshold=st.floats(0.0, 45.0),
    width=st.integers(1, 1 << 27),
    seed=st.integers(0, 99),
)
def test_activity_stays_within_its_bounds(n, d, threshold, width, seed):
    X = unit_rows(np.random.default_rng(seed), n, d)
    activity = expected_activity(X, threshold, width, seed, num_samples=200)
    pairs = n * width * firing_probability(threshold)
    assert activity.num_pairs == pytest.approx(pairs, rel=1e-14)
    assert expected_touched(X, threshold, width, seed, num_samples=200) == activity.num_touched
    assert pairs / n * (1 - 1e-12) <= activity.num_touched <= min(width, activity.num_pairs)
    assert activity.num_pairs * (1 - 1e-12) <= activity.num_overlaps <= n * activity.num_pairs * (1 + 1e-12)


def test_activity_depends_on_its_seed_alone_and_is_in_proportion_to_the_width():
    X = activity_datasets()["sphere"]
    one, again = (expected_activity(X, 2.0, 1000, seed=3) for _ in range(2))
    assert one == again and one != expected_activity(X, 2.0, 1000, seed=4)
    share = expected_activity(X, 2.0, 1, seed=3)
    assert one.num_touched == pytest.approx(1000 * share.num_touched, rel=1e-14)
    assert expected_activity(X, 50.0, 1000).num_touched == expected_activity(X, 1e200, 1000).num_overlaps == 0.0


def test_an_estimate_falls_smoothly_as_the_threshold_rises():
    X = activity_datasets()["mixed"]
    touched = np.array([expected_activity(X, b, 1, num_samples=1024).num_touched for b in np.linspace(0.5, 4, 80)])
    steps = np.diff(np.log(touched))
    assert (steps < 0).all() and np.abs(np.diff(steps)).max() < 0.04


# Solving


@settings(max_examples=60)
@given(n=st.integers(1, 12), rank=st.integers(0, 12), ridge=st.sampled_from([0.0, 1e-3, 1.0]), seed=st.integers(0, 999))
def test_solve_gram_is_the_pseudoinverse(n, rank, ridge, seed):
    rng = np.random.default_rng(seed)
    rank = min(n, rank)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0][:, :rank]
    gram = (basis * 10.0 ** rng.uniform(-3, 0, rank)) @ basis.T
    gram = (gram + gram.T) / 2
    right, before = rng.standard_normal(n), gram.copy()
    solution = solve_gram(gram, right, ridge)
    assert np.array_equal(gram, before) and solution.num_active == (n if rank else 0)
    expected = np.zeros(n)
    if rank:
        expected = np.linalg.pinv(gram + ridge * np.eye(n), rcond=1e-9, hermitian=True) @ right
    np.testing.assert_allclose(solution.dual, expected, rtol=1e-7, atol=1e-8)
    whole = rank == n or bool(ridge and rank)
    assert solution.rank == (n if whole else rank) and (solution.status == "ok") == (whole or not rank)
    if rank:
        assert solution.num_operations == gram_solve_operations(n, singular=not whole)


def test_solve_operations_are_a_hand_count():
    assert gram_solve_operations(3) == 9 + 9 and gram_solve_operations(4) == 22 + 16
    assert gram_solve_operations(4, singular=True) == 22 + 9 * 64 + 32
    assert solve_gram(np.zeros((3, 3)), np.ones(3)).num_operations == 0
