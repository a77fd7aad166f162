"""What quiet neurons add on new points: against closed forms, and against brute force."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from treeviz import Dataset, TrainConfig, Trainer
from treeviz.model import quiet
from treeviz.model.infinite_width import both_fire_probability
from treeviz.model.network import firing_probability
from treeviz.model.quiet import QuietNeurons
from treeviz.search.firing_network import FiringNetwork

NUM_SIGMA = 4.5  # a right program fails one of about fifty comparisons once in 3,000 seeds; the seeds here are fixed


def unit_rows(n, d, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def near(x, distance, seed=0):
    """Return a point of unit length at about this distance from x."""
    side = np.random.default_rng([seed, 9]).standard_normal(x.size)
    side -= (side @ x) * x
    moved = x + distance * side / np.linalg.norm(side)
    return moved / np.linalg.norm(moved)


def least_threshold(n):
    """Return the threshold at which n p = 1."""
    return max(float(scipy.stats.norm.isf(1 / n)), 0.0)


def excess_moment(threshold, power):
    """Return E[(z - b)_+^power] of a standard normal z."""
    p, density = firing_probability(threshold), scipy.stats.norm.pdf(threshold)
    return density - threshold * p if power == 1 else (1 + threshold**2) * p - threshold * density


def both_moment(rho, threshold):
    """Return E[(z - b)_+^2; z' >= b] of normals of correlation rho (moments of Rosenbaum 1961)."""
    p, tail = both_fire_probability(np.array(rho), threshold), math.sqrt((1 - rho) / (1 + rho))
    edge = scipy.stats.norm.pdf(threshold) * firing_probability(threshold * tail)
    corner = math.sqrt((1 - rho) * (1 + rho)) * math.exp(-(threshold**2) / (1 + rho)) / (2 * math.pi)
    first = (1 + rho) * edge
    second = p + threshold * (1 + rho**2) * edge + rho * corner
    return float(second - 2 * threshold * first + threshold**2 * p)


def found_by_brute_force(X, threshold, x, power, num_samples=200_000, seed=1):
    """Return the mean over weights drawn on the condition that they fire on x, and its standard error."""
    rng, p = np.random.default_rng(seed), firing_probability(threshold)
    t = scipy.stats.norm.isf(p * rng.random(num_samples))
    w = rng.standard_normal((num_samples, x.size))
    w += (t - w @ x)[:, None] * x
    terms = p * np.where((w @ X.T < threshold).all(axis=1), (t - threshold) ** power, 0.0)
    return terms.mean(), terms.std() / math.sqrt(num_samples)


@pytest.mark.parametrize("threshold", [0.0, 0.7, 2.0, 6.0])
@pytest.mark.parametrize("angle", [1e-7, 1e-3, 0.3, 1.5, 2.5, 3.1])
def test_with_one_datapoint_it_is_the_closed_form(angle, threshold):
    X, x = np.eye(3)[:1], np.array([math.cos(angle), math.sin(angle), 0.0])
    found = QuietNeurons(X, threshold, 0).moment(x, 2)
    assert found.error < 1e-3 * found.value
    assert QuietNeurons(X, threshold, 0).probability().value == pytest.approx(1 - firing_probability(threshold))
    whole = excess_moment(threshold, 2)
    if angle > 0.1:  # else nearly all of the difference is lost
        expected = whole - both_moment(math.cos(angle), threshold)
        assert found.value == pytest.approx(expected, rel=1e-4, abs=1e-12 * whole)
    else:  # the cube of a small angle, (E[z_+^3] / 3) phi(b) times 1 + what b makes of the second order
        assert found.value == pytest.approx(
            angle**3 * math.sqrt(2 / math.pi) / 3 * scipy.stats.norm.pdf(threshold), rel=0.01
        )


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("n", "d"), [(3, 8), (8, 9), (16, 40)])
def test_with_orthogonal_datapoints_it_is_a_product(n, d, power):
    b, p = least_threshold(n), 1 / n
    law = QuietNeurons(np.linalg.qr(np.random.default_rng(2).standard_normal((d, d)))[0][:n], b, 0)
    away = np.linalg.svd(law._X)[2][-1]  # orthogonal to all datapoints
    assert law.probability().value == pytest.approx((1 - p) ** n, rel=1e-6)
    expected = {tuple(away): excess_moment(b, power) * (1 - p) ** n}
    expected[tuple(-law._X[0])] = excess_moment(b, power) * (1 - p) ** (n - 1)
    if power == 2:  # only one datapoint matters
        mixed = 0.6 * law._X[0] + 0.8 * away
        expected[tuple(mixed)] = (excess_moment(b, 2) - both_moment(0.6, b)) * (1 - p) ** (n - 1)
    for x, right in expected.items():
        found = law.moment(np.array(x), power)
        assert abs(found.value - right) < NUM_SIGMA * found.error + 1e-5 * right
        assert found.error < (1e-4 if power == 2 else 1.5e-3) * right


CASES = {
    "planar": (unit_rows(4, 2), 1.0),
    "fewer dimensions than datapoints": (unit_rows(8, 3), 1.16),
    "more dimensions than datapoints": (unit_rows(6, 9), 1.0),
    "the same and opposite datapoints": (np.concatenate([unit_rows(3, 4)[[0, 1, 1]], -unit_rows(3, 4)[:1]]), 0.7),
    "zero threshold": (unit_rows(2, 3), 0.0),
    "many": (unit_rows(24, 8), 1.8),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_sampling_finds(case):
    X, threshold = CASES[case]
    law, d = QuietNeurons(X, threshold, 0), X.shape[1]
    weights = np.random.default_rng(8).standard_normal((400_000, d))
    share, chance = (weights @ X.T < threshold).all(axis=1).mean(), law.probability()
    error = math.hypot(chance.error, math.sqrt(share * (1 - share) / len(weights)))
    assert 0.05 < chance.value < 0.99 and abs(share - chance.value) < NUM_SIGMA * error
    for place, x in enumerate([*unit_rows(2, d, seed=1), near(X[0], 0.2), -X[1]]):
        for power in (1, 2):
            found, expected = law.moment(x, power), found_by_brute_force(X, threshold, x, power, seed=place)
            assert found.error < 1.6e-3 * found.value or found.value < 1e-9
            assert abs(found.value - expected[0]) < NUM_SIGMA * math.hypot(found.error, expected[1]), (place, power)


def test_the_standard_error_is_that_of_the_answers(monkeypatch):
    """Of 60 seeds; a standard error that is off by a factor of 1.35 fails."""
    X, x = unit_rows(12, 5), unit_rows(1, 5, seed=1)[0]
    monkeypatch.setattr(quiet, "_MOST_SAMPLES", 128)
    laws = [QuietNeurons(X, 1.5, seed) for seed in range(60)]
    for answers in ([law.moment(x, 2) for law in laws], [law.probability() for law in laws]):
        values, errors = np.array(answers).T
        assert np.std(values) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.35)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 6), d=st.integers(2, 7), seed=st.integers(0, 999), log_distance=st.floats(-14.0, 0.0))
def test_it_depends_on_the_geometry_alone_and_is_finite(n, d, seed, log_distance):
    rng = np.random.default_rng(seed)
    X, threshold = unit_rows(n, d, seed), least_threshold(n) + rng.random()
    new = np.stack([near(X[0], 10.0**log_distance, seed), unit_rows(1, d, seed + 1)[0], X[-1], -X[0]])
    turn, order = np.linalg.qr(rng.standard_normal((d, d)))[0], rng.permutation(n)
    found = QuietNeurons(X, threshold, 0).deviation(new, 30, 100)
    turned = QuietNeurons(X[order] @ turn, threshold, 1).deviation(new @ turn, 30, 100)
    whole = math.sqrt(excess_moment(threshold, 2))
    for one in (found, turned):
        assert np.isfinite(one.values).all() and np.isfinite(one.errors).all() and (one.values >= 0).all()
        assert (one.errors <= np.maximum(1.2e-3 * one.values, 1e-4 * whole)).all()
        assert one.values[2] <= 1e-12
    # A turned point is another one by round-off, which matters at a distance of round-off.
    allowed = 5 * np.hypot(found.errors, turned.errors) + 1e-5 * found.values + 1e-9 * whole
    assert (np.abs(found.values - turned.values) <= allowed).all()
    assert found.values[2] == found.errors[2] == 0.0
    chance = QuietNeurons(X, threshold, 0).probability().value
    assert (found.values <= 1.01 * whole * math.sqrt(0.3 / chance)).all()


def test_an_answer_is_the_same_with_and_without_others():
    data = Dataset(unit_rows(6, 4), np.ones(6))
    trainer = Trainer(data, TrainConfig(width=4000, threshold=1.4, search="watch", draw="firing"))
    new = np.concatenate([unit_rows(4, 4, seed=1), data.X[:2]])
    all_at_once = trainer.undrawn_deviation(new)
    trainer.run(3)
    for place in (5, 2, 0, 3):
        alone = trainer.undrawn_deviation(new[place : place + 1])
        assert alone.values[0] == all_at_once.values[place] and alone.errors[0] == all_at_once.errors[place]
    assert (all_at_once.values[:4] > 0).all() and not all_at_once.values[4:].any() and not all_at_once.errors[4:].any()


@pytest.mark.parametrize("activation", ["shifted", "clipped"])
@pytest.mark.parametrize(("d", "seed"), [(2, 3160), (9, 230)])  # many quiet neurons, with a large sum of signs
def test_full_networks_that_have_the_drawn_neurons_have_that_deviation(d, seed, activation):
    """To 5 % of the variance. Without Q, with the mean number of quiet neurons, or without the sum it is 20 % off."""
    X, threshold, width, num_networks = unit_rows(3, d), 0.6, 60, 8000
    new = np.concatenate([-X[:2], unit_rows(3, d, seed=4)[:1], X[:1]])
    settings = {"width": width, "threshold": threshold, "activation": activation, "seed": seed}
    trainer = Trainer(Dataset(X, np.ones(3)), TrainConfig(search="watch", draw="firing", **settings))
    network = trainer.trace.network
    assert isinstance(network, FiringNetwork)
    rng, num_quiet = np.random.default_rng(6), width - network.num_drawn
    chance = QuietNeurons(X, threshold, 0).probability().value
    rows = rng.standard_normal((int(1.1 * num_quiet * num_networks / chance), d))
    rows = rows[(rows @ X.T < threshold).all(axis=1)][: num_quiet * num_networks]
    added = np.maximum(rows @ new.T - threshold, 0.0).reshape(num_networks, num_quiet, -1)
    signs = rng.choice([-1.0, 1.0], (num_networks, num_quiet))
    if activation == "clipped":  # the sum is known: it is in what `predict` returns
        total = network.sum_of_signs() - network.sum_of_drawn_signs()
        signs[:] = np.where(np.arange(num_quiet) < (total + num_quiet) / 2, 1.0, -1.0)
    squares = np.einsum("kr,krq->kq", signs, added) ** 2 / width
    mean, error = squares.mean(axis=0), squares.std(axis=0) / math.sqrt(num_networks)
    told = trainer.undrawn_deviation(new)
    assert (error[:3] < 0.05 * mean[:3]).all() and abs(num_quiet / (width * chance) - 1) > 0.2
    assert (np.abs(mean - told.values**2) <= NUM_SIGMA * error).all()
    assert (told.errors[:3] < 1.5e-3 * told.values[:3]).all() and told.values[3] == told.errors[3] == 0.0


def test_where_all_neurons_are_drawn_nothing_is_left():
    X = unit_rows(3, 4)
    config = TrainConfig(width=200, threshold=1.1, search="watch", draw="firing")
    new = unit_rows(2, 4, seed=1)
    assert Trainer(Dataset(X, np.ones(3)), config).undrawn_deviation(new).values.all()
    every = Trainer(Dataset(X, np.ones(3)), dataclasses.replace(config, draw="all")).undrawn_deviation(new)
    assert not every.values.any() and not every.errors.any()


def test_two_opposite_datapoints_leave_the_angle_between_them():
    angle = 1e-9
    law = QuietNeurons(np.array([[1.0, 0.0], [-math.cos(angle), math.sin(angle)]]), 0.0, 0)
    assert law.probability().value == pytest.approx(angle / (2 * math.pi), rel=1e-6)


def test_no_digits_are_lost_far_out():
    uniform, lower, upper = np.array([0.2, 0.9]), np.array([12.0, 20.0]), np.array([12.5, np.inf])
    numbers, chances = quiet._truncated(uniform, lower, upper)
    assert chances == pytest.approx(scipy.stats.norm.sf(lower) - scipy.stats.norm.sf(upper), rel=1e-9)
    assert ((lower < numbers) & (numbers < upper)).all()


def test_samples_that_all_miss_are_said(monkeypatch):
    """Between datapoints close together in space a quiet neuron fires so rarely that few samples find none."""
    x = np.array([0.0, 0.0, 1.0])
    X = np.stack([near(x, 0.3, seed) for seed in range(12)])
    law = QuietNeurons(X, 2.5, 0)
    right = law.moment(x, 2)
    monkeypatch.setattr(quiet, "_FIRST_SAMPLES", 1)
    monkeypatch.setattr(quiet, "_MOST_SAMPLES", 1)
    few = law.moment(x, 2)
    assert few.value == 0.0 < right.value < few.error
