"""Adam and L-BFGS on the neurons that fire at the start: against NumPy and SciPy on the whole network."""

import math

import numpy as np
import pytest
from scipy.optimize import LbfgsInvHessProduct, minimize
from scripted import run

from treeviz import Dataset, TrainConfig, load_dataset
from treeviz.model.ledger import Ledger
from treeviz.model.network import initial_weights, output_signs
from treeviz.race.contestants import CONTESTANTS, optimizers
from treeviz.race.contestants.optimizers import LBFGS_MEMORY, Adam, KeptObjective, Lbfgs, OptimizerRunner

DATA, CONFIG = load_dataset("sphere", 8, dimension=4), TrainConfig(width=300, seed=3)


class WholeNetwork:
    """Loss and gradient of all m neurons, by dense products alone."""

    def __init__(self, data, config):
        self.X, self.y, self.b = data.X, data.y, config.resolved_threshold
        self.W = initial_weights(config.seed, config.width, data.dimension)
        self.a = output_signs(config.seed, config.width) / math.sqrt(config.width)
        self.kept = np.flatnonzero((self.b <= self.W @ self.X.T).any(axis=1))
        self.num_evaluations = 0

    def __call__(self, flat):
        self.num_evaluations += 1
        products = flat.reshape(self.W.shape) @ self.X.T
        residual = self.a @ np.maximum(products - self.b, 0.0) - self.y
        gradient = ((products >= self.b) * self.a[:, None] * residual) @ self.X
        return 0.5 * residual @ residual, gradient.ravel()


@pytest.fixture
def whole():
    return WholeNetwork(DATA, CONFIG)


def weights_of(runner):
    return runner._objective.kept.weights(None)


def test_the_objective_is_that_of_the_whole_network(whole):
    objective = KeptObjective(DATA, CONFIG, Ledger())
    assert 0 < whole.kept.size < CONFIG.width and np.array_equal(objective.kept.neurons, whole.kept)
    rng = np.random.default_rng(0)
    for _ in range(3):
        W = whole.W.copy()
        W[whole.kept] += 0.3 * rng.standard_normal((whole.kept.size, 4))
        loss, gradient = whole(W.ravel())
        assert objective.evaluate(W[whole.kept], Ledger()) == pytest.approx(loss, rel=1e-12)
        gradient = gradient.reshape(W.shape)
        assert np.allclose(objective.gradient(Ledger()), gradient[whole.kept], rtol=0, atol=1e-13)
        assert not np.delete(gradient, whole.kept, axis=0).any()


def test_adam_makes_the_steps_of_adam_on_the_whole_network(whole):
    runner = OptimizerRunner(DATA, CONFIG, Adam(0.05))
    mean, square, W = 0.0, 0.0, whole.W.copy()
    for step in range(1, 41):
        loss, gradient = whole(W.ravel())
        assert runner.step().loss == pytest.approx(loss, rel=1e-9)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        move = 0.05 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        W -= move.reshape(W.shape)
        assert np.allclose(weights_of(runner), W, rtol=0, atol=1e-10)
    assert loss < 0.1 * whole(whole.W.ravel())[0] and not np.array_equal(W[whole.kept], whole.W[whole.kept])
    assert np.array_equal(np.delete(W, whole.kept, axis=0), np.delete(whole.W, whole.kept, axis=0))
    assert np.allclose(runner.predict(DATA.X), whole.a @ np.maximum(W @ DATA.X.T - whole.b, 0.0), atol=1e-10)


@pytest.mark.parametrize("num_pairs", [1, 4, LBFGS_MEMORY + 3])
def test_the_direction_is_that_of_scipys_inverse_hessian(num_pairs):
    rng, rule = np.random.default_rng(1), Lbfgs()
    steps = rng.standard_normal((num_pairs, 6))
    changes = steps @ np.diag(np.arange(1.0, 7.0)) + 0.1 * rng.standard_normal((num_pairs, 6))
    for step, change in zip(steps, changes, strict=True):
        rule._pairs.append((step.reshape(3, 2), change.reshape(3, 2), float(step @ change)))
    steps, changes = steps[-LBFGS_MEMORY:], changes[-LBFGS_MEMORY:]
    # SciPy begins with the identity: in units of the root of its factor it does so here too.
    root = math.sqrt(steps[-1] @ changes[-1] / (changes[-1] @ changes[-1]))
    inverse = LbfgsInvHessProduct(steps / root, changes * root)
    gradient = rng.standard_normal(6)
    assert np.allclose(rule.inverse_hessian_product(gradient.reshape(3, 2)).ravel(), root**2 * (inverse @ gradient))


@pytest.mark.parametrize(
    ("data", "width"),
    [(DATA, 300), (load_dataset("digits", 12, center=True), 400), (load_dataset("wine", 10), 500)],
    ids=["sphere", "digits", "wine"],
)
def test_lbfgs_gets_there_about_as_fast_as_scipys_on_the_whole_network(data, width):
    config = TrainConfig(width=width, seed=3)
    whole, runner = WholeNetwork(data, config), OptimizerRunner(data, config, Lbfgs())
    reached = minimize(
        lambda flat: whole(flat),
        whole.W.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 0.0, "gtol": 0.0},
        callback=lambda intermediate_result: _stop_at(intermediate_result.fun),
    )
    assert reached.fun <= 1e-6
    assert np.array_equal(
        np.delete(reached.x.reshape(whole.W.shape), whole.kept, axis=0), np.delete(whole.W, whole.kept, axis=0)
    )
    num_evaluations, losses = 0, []
    while not losses or losses[-1] > 1e-6:
        lap = runner.step()
        losses.append(lap.loss)
        assert not lap.stop_reason and len(losses) < 200
        num_evaluations += lap.costs["search"] // (whole.kept.size * data.num_points * (data.dimension + 1))
    assert num_evaluations <= 1.5 * whole.num_evaluations + 3
    assert np.all(np.diff(losses) < 0), "every step lowers the loss"
    assert 0.5 * np.sum((runner.predict(data.X) - data.y) ** 2) == pytest.approx(losses[-1], rel=1e-6)


def _stop_at(loss):
    if loss <= 1e-6:
        raise StopIteration


def test_costs_by_hand(whole):
    n, d, kept = 8, 4, whole.kept.size
    for rule in (Adam(), Lbfgs()):
        runner = OptimizerRunner(DATA, CONFIG, rule)
        assert runner.build_costs == {"build": 300 * n * d + 300 * n + kept * d} and runner.build_nodes == {}
        num_pairs = 0
        for number in range(4):
            lap = runner.step()
            pairs, trials = lap.activity.num_pairs, 1
            if isinstance(rule, Lbfgs):
                trials = lap.costs["search"] // (kept * n * (d + 1))
                assert number == 0 or lap.costs["move"] == trials * kept * d
                num_pairs = len(rule._pairs)
            else:
                assert lap.costs["move"] == 10 * kept * d
            assert lap.costs["search"] == trials * kept * n * (d + 1)
            if trials == 1:
                assert lap.costs["forward"] == pairs + n
            recursion = (4 * num_pairs + 5) * kept * d if isinstance(rule, Lbfgs) else 0
            assert lap.costs["solve"] == pairs * d + recursion
            assert not lap.nodes and lap.num_touched <= kept


def test_the_weights_of_before_are_restored_where_no_step_lowers_the_loss(monkeypatch):
    monkeypatch.setattr(optimizers, "_MAX_TRIALS", 3)
    runner = OptimizerRunner(DATA, CONFIG, Lbfgs())
    runner.step()
    before = weights_of(runner)
    start, gradient, _ = runner._rule._start
    runner._rule._start = start, gradient, -1.0  # a loss below which there is none
    lap = runner.step()
    assert "no step along the direction of L-BFGS lowers the loss" in lap.stop_reason == lap.status
    assert np.array_equal(weights_of(runner), before) and math.isfinite(lap.loss)


@pytest.mark.filterwarnings("error")
def test_adam_may_overshoot_at_first():
    """With half of all neurons firing its first step multiplies the loss by more than a hundred; it comes back."""
    data = load_dataset("digits", num_points=50)
    runner = OptimizerRunner(data, TrainConfig(width=65_536, threshold=0.0), Adam())
    laps = [runner.step() for _ in range(4)]
    assert laps[1].loss > 100 * laps[0].loss > laps[3].loss / 100
    assert [lap.stop_reason for lap in laps] == [""] * 4 and laps[3].loss < laps[1].loss


def test_an_overflow_is_a_reason_in_words():
    runner = OptimizerRunner(DATA, CONFIG, Adam(1e200))
    laps = [runner.step(), runner.step()]
    assert not laps[0].stop_reason and not math.isfinite(laps[1].loss)
    assert "no longer a finite number" in laps[1].stop_reason == laps[1].status


@pytest.mark.parametrize("key", ["adam", "l-bfgs"])
def test_they_race_are_paused_between_steps_and_say_why_they_stop(key):
    lane = run(CONTESTANTS[key], data=DATA, config=CONFIG, until_loss=1e-4, max_laps=400).lanes[0]
    assert lane.state == "reached" and lane.num_laps > 3
    twins = Dataset(DATA.X[[0, 0, 1]], np.array([1.0, -1.0, 1.0]))  # no function fits both
    lane = run(CONTESTANTS[key], data=twins, config=CONFIG, until_loss=1e-9, max_laps=3000).lanes[0]
    assert lane.state == "stopped" and lane.lowest_loss == pytest.approx(1.0, rel=0.02)
    assert any(part in lane.reason for part in ("stalled", "lowers the loss", "gradient is zero")), lane.reason
