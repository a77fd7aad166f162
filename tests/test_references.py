"""The two references solved in one step, against textbook formulas written out densely."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.infinite_width import Activity, both_fire_probability
from treeviz.model.ledger import PROBABILITY_OPERATIONS, gram_solve_operations
from treeviz.model.network import BLOCK_ROWS, initial_weights, output_signs
from treeviz.model.numerals import agree
from treeviz.model.phases import PHASES
from treeviz.race.contestant import Workload
from treeviz.race.contestants import kernel_ridge, random_features

(KERNEL,) = kernel_ridge.CONTESTANTS
(FEATURES,) = random_features.CONTESTANTS
each_reference = pytest.mark.parametrize("contestant", [KERNEL, FEATURES], ids=lambda c: c.key)


def sphere(num_points=6, dimension=4, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, dimension))
    return Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), scale * rng.standard_normal(num_points))


def queries(dimension, num_queries=7, seed=99):
    return sphere(num_queries, dimension, seed).X


def config_of(**settings):
    return TrainConfig(**{"width": 512, "threshold": 0.7, **settings})


def run(contestant, data, config):
    runner = contestant.start(data, config)
    return runner, [runner.step(), runner.step()]


def workload(data, config):
    """Sizes that matter to these two, and others that must not."""
    return Workload(
        width=config.width,
        num_points=data.num_points,
        dimension=data.dimension,
        activity=Activity(1.5, 2.5, 3.5),
        num_kept=2.5,
        num_batches=2,
        num_batch_touched=1.5,
        num_entered=9.5,
        sketch_factor=8,
        cg_iterations=7.5,
    )


def features(X, config):
    """Return the dense (n, m) features phi(x)."""
    W = initial_weights(config.seed, config.width, X.shape[1])
    return np.maximum(X @ W.T - config.resolved_threshold, 0.0) / math.sqrt(config.width)


def with_duplicate(conflict):
    data = sphere(6, 4)
    y = data.y.copy()
    y[5] = y[0] + conflict
    X = data.X.copy()
    X[5] = X[0]
    return Dataset(X, y)


# What both keep to


@each_reference
def test_the_contract_of_two_laps(contestant):
    assert contestant.family == "reference" and contestant.about.endswith(".")
    data, config = sphere(), config_of()
    runner, laps = run(contestant, data, config)
    assert [lap.iteration for lap in laps] == [0, 1]
    assert [bool(lap.stop_reason) for lap in laps] == [False, True]
    for lap in laps:
        assert type(lap.loss) is float and lap.status == "ok" and lap.num_modified == 0
        assert set(lap.seconds) == set(lap.costs) <= set(PHASES) and min(lap.seconds.values()) >= 0
        assert all(type(cost) is int and cost > 0 for cost in lap.costs.values())
    assert set(runner.build_costs) == set(runner.build_seconds) <= set(PHASES)
    assert min(runner.build_seconds.values()) >= 0
    assert runner.num_bytes >= 8 * data.num_points**2
    for _ in range(2):
        with pytest.raises(ValueError, match="solved in one step"):
            runner.step()


@each_reference
@pytest.mark.parametrize("sizes", [(6, 4, 512), (1, 3, 200), (9, 5, 20_001)])
def test_the_prediction_is_the_ledger(contestant, sizes):
    num_points, dimension, width = sizes
    data, config = sphere(num_points, dimension), config_of(width=width)
    runner, laps = run(contestant, data, config)
    prediction = contestant.predict(workload(data, config))
    assert prediction.build == runner.build_costs
    assert prediction.iteration == laps[1].costs
    phases = prediction.iteration.keys() | prediction.first.keys()
    first = {phase: prediction.iteration.get(phase, 0) + prediction.first.get(phase, 0) for phase in phases}
    assert first == laps[0].costs
    spent = sum(runner.build_costs.values()) + sum(sum(lap.costs.values()) for lap in laps)
    assert prediction.total(2) == spent


@each_reference
def test_the_same_settings_give_the_same_bits(contestant):
    data, config = load_dataset("digits", num_points=20, seed=1), config_of(seed=4)
    (left, left_laps), (right, right_laps) = run(contestant, data, config), run(contestant, data, config)
    assert [lap.loss for lap in left_laps] == [lap.loss for lap in right_laps]
    assert np.array_equal(left.predict(data.X), right.predict(data.X))


@each_reference
@pytest.mark.parametrize("ridge", [0.0, 0.01])
def test_the_loss_is_that_of_its_predictions(contestant, ridge):
    data = load_dataset("digits", num_points=30, seed=2)
    runner = contestant.start(data, config_of(width=4096, ridge=ridge))
    for _ in range(2):
        residual = runner.predict(data.X) - data.y
        assert runner.step().loss == pytest.approx(0.5 * float(residual @ residual), rel=1e-9, abs=1e-20)


@each_reference
def test_a_step_size_or_a_solver_changes_nothing(contestant):
    data = sphere()
    _, plain = run(contestant, data, config_of(ridge=0.1))
    _, other = run(contestant, data, config_of(ridge=0.1, step_size=0.2, solver="exact", search="dense"))
    assert [lap.loss for lap in plain] == [lap.loss for lap in other]


@each_reference
def test_predictions_come_in_any_number_and_any_blocks(contestant, monkeypatch):
    data, config = sphere(6, 4), config_of(width=BLOCK_ROWS + 300)
    runner, _ = run(contestant, data, config)
    X = queries(4, 50)
    whole = runner.predict(X)
    assert whole.shape == (50,) and runner.predict(X[:0]).shape == (0,)
    monkeypatch.setattr(kernel_ridge, "_QUERY_VALUES", 42)
    monkeypatch.setattr(random_features, "_BLOCK_VALUES", 56 * 1000)
    np.testing.assert_allclose(runner.predict(X), whole, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(runner.predict(X[7:8]), whole[7:8], rtol=1e-10, atol=1e-12)


@each_reference
def test_one_datapoint_is_learned(contestant):
    data = Dataset(np.array([[0.6, 0.8]]), np.array([3.0]))
    runner, laps = run(contestant, data, config_of())
    assert laps[1].loss < 1e-24 and laps[1].status == "ok"
    assert runner.predict(data.X)[0] == pytest.approx(3.0, rel=1e-12)


@each_reference
@pytest.mark.parametrize("ridge", [0.0, 0.05])
@pytest.mark.parametrize("conflict", [0.0, 2.0])
def test_duplicates_are_given_their_mean(contestant, conflict, ridge):
    data = with_duplicate(conflict)
    runner, laps = run(contestant, data, config_of(width=4096, ridge=ridge))
    outputs = runner.predict(data.X)
    assert outputs[0] == pytest.approx(outputs[5], abs=1e-9)
    if ridge:
        assert laps[1].status == "ok" and laps[1].loss > conflict**2 / 4
        return
    assert "rank 5 on 6" in laps[0].status
    # Half the squared distance to the mean, twice; all else is fitted.
    assert laps[1].loss == pytest.approx(conflict**2 / 4, rel=1e-9, abs=1e-18)
    assert laps[0].costs["solve"] == gram_solve_operations(6, singular=True)


@each_reference
@settings(max_examples=40)
@given(
    n=st.integers(1, 8),
    d=st.integers(1, 4),
    width=st.integers(1, 60),
    threshold=st.one_of(st.floats(0.0, 3.0), st.floats(3.0, 1e300), st.floats(37.0, 39.0)),
    ridge=st.sampled_from([0.0, 0.0, 1e-300, 1e-3, 1e300]),
    scale=st.sampled_from([1.0, 1e-150, 1e149]),
    repeats=st.booleans(),
    seed=st.integers(0, 999),
)
def test_nothing_makes_it_crash_or_diverge(contestant, n, d, width, threshold, ridge, scale, repeats, seed):
    data = sphere(n, d, seed)
    if repeats:
        data = Dataset(np.tile(data.X[:1], (n, 1)), data.y)
    data = Dataset(data.X, scale * np.clip(data.y, -5, 5))
    runner, laps = run(contestant, data, config_of(width=width, threshold=threshold, ridge=ridge, seed=seed))
    for lap in laps:
        assert math.isfinite(lap.loss) and lap.status
    assert laps[1].loss <= laps[0].loss * (1 + 1e-6)
    assert np.isfinite(runner.predict(queries(d))).all()


# Kernel ridge


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize("threshold", [0.0, 0.7, 2.0])
def test_kernel_ridge_is_the_textbook_formula(threshold, ridge):
    data, X = sphere(10, 6, seed=2), queries(6)
    runner, laps = run(KERNEL, data, config_of(threshold=threshold, ridge=ridge))

    def kernel(left, right):
        rho = left @ right.T
        rho[rho > 1 - 1e-12] = 1.0  # the angle of a point with itself is 0, not the root of a round-off
        return rho * both_fire_probability(rho, threshold)

    alpha = np.linalg.inv(kernel(data.X, data.X) + ridge * np.eye(10)) @ data.y
    np.testing.assert_allclose(runner.predict(X), kernel(X, data.X) @ alpha, rtol=1e-9, atol=1e-11)
    left = kernel(data.X, data.X) @ alpha - data.y
    assert laps[0].loss == pytest.approx(0.5 * float(data.y @ data.y), rel=1e-14)
    assert laps[1].loss == pytest.approx(0.5 * float(left @ left), rel=1e-7, abs=1e-18)
    if ridge == 0:
        np.testing.assert_allclose(runner.predict(data.X), data.y, rtol=1e-10)


def test_kernel_ridge_starts_from_zero_and_touches_no_neuron():
    data = sphere()
    runner = KERNEL.start(data, config_of())
    assert not runner.predict(data.X).any()
    assert [runner.step().num_touched, runner.step().num_touched] == [0, 0]


def test_kernel_ridge_charges_a_hand_count():
    runner, laps = run(KERNEL, sphere(4, 3), config_of())
    assert runner.build_costs == {"build": 4 * 4 * 3 + PROBABILITY_OPERATIONS * 10}
    assert laps[0].costs == {"forward": 4 + 16, "solve": 22 + 16}
    assert laps[1].costs == {"forward": 4}


@pytest.mark.parametrize("threshold", [8.0, 20.0, 36.0])
def test_kernel_ridge_learns_at_any_threshold_that_does_not_underflow(threshold):
    data = sphere(5, 4, scale=1e100)
    runner, laps = run(KERNEL, data, config_of(threshold=threshold))
    assert laps[1].loss < 1e-20 * laps[0].loss and laps[1].status == "ok"
    np.testing.assert_allclose(runner.predict(data.X), data.y, rtol=1e-10)


@pytest.mark.parametrize("threshold", [39.0, 1e5, 1e300])
def test_kernel_ridge_says_that_the_kernel_underflows(threshold):
    data = sphere()
    for ridge in (0.0, 1.0):
        runner, laps = run(KERNEL, data, config_of(threshold=threshold, ridge=ridge))
        assert laps[0].loss == laps[1].loss and "lower the threshold" in laps[0].status
        assert not runner.predict(data.X).any()


def test_the_linearized_network_tends_to_kernel_ridge():
    # What training the hidden layer to the end adds on new points, at W(0): J(x) J^T (J J^T)^-1 (y - f(0)), here for
    # f(0) = 0, the mean over the signs, which are in J but drop out of its products.
    data, X, threshold = sphere(6, 4, seed=1), queries(4), 0.5
    limit = run(KERNEL, data, config_of(threshold=threshold))[0].predict(X)
    errors = []
    for width in (1 << 9, 1 << 13, 1 << 17):
        squares = []
        for seed in range(6):
            W = initial_weights(seed, width, 4)
            products, new_products = W @ data.X.T, W @ X.T
            fires, fires_new = (products >= threshold).astype(float), (new_products >= threshold).astype(float)
            G = (data.X @ data.X.T) * (fires.T @ fires)
            new = (X @ data.X.T) * (fires_new.T @ fires)
            squares.append(np.mean((new @ np.linalg.solve(G, data.y) - limit) ** 2))
        errors.append(math.sqrt(np.mean(squares)))
    # The width grows 256-fold, the error falls 16-fold.
    assert errors[2] < 0.02 and errors[0] / errors[2] == pytest.approx(16, rel=0.5)


# The second layer only


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("n", "d", "width"), [(6, 4, 64), (10, 3, 500), (5, 5, BLOCK_ROWS + 123), (30, 4, 12)])
def test_random_features_are_dense_least_squares(n, d, width, seed):
    data, X, config = sphere(n, d, seed), queries(d), config_of(width=width, threshold=0.4, seed=seed)
    runner, laps = run(FEATURES, data, config)
    Phi, a = features(data.X, config), output_signs(seed, width)
    change = np.linalg.lstsq(Phi, Phi @ a - data.y, rcond=1e-7)[0]  # of least norm
    trained = a - change
    residual = Phi @ trained - data.y
    scale = np.abs(features(X, config) @ trained).max()
    np.testing.assert_allclose(runner.predict(X), features(X, config) @ trained, rtol=1e-6, atol=1e-7 * scale)
    assert laps[1].loss == pytest.approx(0.5 * float(residual @ residual), rel=1e-6, abs=1e-15)
    if n > width:
        assert f"rank {np.linalg.matrix_rank(Phi)} on" in laps[0].status
    assert laps[0].num_touched == np.count_nonzero(Phi.any(axis=0)) and laps[1].num_touched == 0


@pytest.mark.parametrize("ridge", [1e-4, 0.1, 10.0])
def test_random_features_with_a_ridge(ridge):
    data, X, config = sphere(8, 4), queries(4), config_of(width=300, ridge=ridge)
    runner, _ = run(FEATURES, data, config)
    Phi, a = features(data.X, config), output_signs(0, 300)
    # The step minimizes 1/2 ||Phi (a - change) - y||^2 + ridge / 2 ||change||^2: the primal normal equations.
    change = np.linalg.solve(Phi.T @ Phi + ridge * np.eye(300), Phi.T @ (Phi @ a - data.y))
    np.testing.assert_allclose(runner.predict(X), features(X, config) @ (a - change), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["digits", "circle", "moons"])
@pytest.mark.parametrize("width", [256, BLOCK_ROWS + 1000])
def test_random_features_start_from_the_common_initial_network(name, width):
    data, config = load_dataset(name), TrainConfig(width=width, seed=3, solver="exact")
    trainer, runner = Trainer(data, config), FEATURES.start(data, config)
    initial = runner.predict(data.X)
    record = trainer.step()
    assert runner.step().loss == pytest.approx(record.loss, rel=1e-12)
    np.testing.assert_allclose(initial, record.outputs, rtol=1e-9, atol=1e-12)


def test_random_features_charge_a_hand_count():
    runner, laps = run(FEATURES, sphere(4, 3), config_of(width=100))
    assert runner.build_costs == {"build": 1200 + 400, "jacobian": 1000, "forward": 400}
    assert laps[0].costs == {"forward": 4 + 16, "solve": 22 + 16}
    assert laps[1].costs == {"forward": 4}


def test_random_features_name_the_points_that_fire_nothing():
    config = config_of(width=30, threshold=2.0, seed=1)
    data = sphere(12, 4)
    Phi = features(data.X, config)
    silent = ~Phi.any(axis=1)
    assert 0 < silent.sum() < 12
    runner, laps = run(FEATURES, data, config)
    assert laps[0].status.startswith(
        f"{silent.sum()} of 12 datapoints {agree(silent.sum(), 'fires', 'fire')} no neuron"
    )
    assert not runner.predict(data.X)[silent].any()
    runner, laps = run(FEATURES, data, config_of(width=30, threshold=50.0))
    assert laps[0].status.startswith("no neuron fires on any datapoint") and laps[0].num_touched == 0
    assert laps[0].loss == laps[1].loss == pytest.approx(0.5 * float(data.y @ data.y), rel=1e-14)
    assert not runner.predict(data.X).any()


@each_reference
@pytest.mark.parametrize(("n", "d", "width"), [(32, 4, 20 * BLOCK_ROWS), (400, 10, 1000)])
def test_memory_is_what_it_says_and_never_that_of_all_features(contestant, n, d, width):
    data, config = sphere(n, d), config_of(width=width)
    tracemalloc.start()
    try:
        runner, _ = run(contestant, data, config)
        runner.predict(data.X[:2])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * contestant.required_bytes(width, n, d) + 100_000
    assert runner.num_bytes == 8 * (n**2 + 2 * n)
    if width > BLOCK_ROWS:
        assert peak < 0.3 * 8 * width * n
