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


def test_costs_by_hand(whole, monkeypatch):
    n, d, kept = 8, 4, whole.kept.size
    evaluations, evaluate = [], KeptObjective.evaluate
    monkeypatch.setattr(KeptObjective, "evaluate", lambda *given: evaluations.append(given) or evaluate(*given))
    for rule in (Adam(), Lbfgs()):
        runner = OptimizerRunner(DATA, CONFIG, rule)
        assert runner.build_costs == {"build": 300 * n * d + 300 * n + kept * d} and runner.build_nodes == {}
        assert not evaluations, "an evaluation of which no iteration is charged"
        for number in range(4):
            lap = runner.step()
            pairs, trials = lap.activity.num_pairs, len(evaluations)
            evaluations.clear()
            assert lap.costs["search"] == trials * kept * n * (d + 1)
            if trials == 1:
                assert lap.costs["forward"] == pairs + n
            if isinstance(rule, Adam):
                assert trials == 1
                assert lap.costs["move"] == 10 * kept * d and lap.costs["solve"] == pairs * d
            else:
                num_pairs = len(rule._pairs)
                assert num_pairs == number, "a pair a move"
                # 1 for each point tried, and for the length of the first gradient.
                assert lap.costs.get("move", 0) == (trials + (number == 1)) * kept * d * (number > 0)
                recursion = 4 * num_pairs + 9 if number else 2
                assert lap.costs["solve"] == pairs * d + recursion * kept * d
            assert not lap.nodes and lap.num_touched <= kept


class Counted(np.ndarray):
    """An array that counts the multiply-adds made of its entries: a product that is added to another array is one."""

    spent = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        products = any(getattr(one, "is_product", False) for one in inputs)
        plain = [np.asarray(one) for one in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(one) for one in out)
        result = getattr(ufunc, method)(*plain, **options)
        is_arithmetic = ufunc not in (np.not_equal, np.logical_or) and method == "__call__"
        is_fused = ufunc in (np.add, np.subtract) and products
        if is_arithmetic and not is_fused and np.ndim(result):
            Counted.spent += result.size
        if out is not None:
            return out[0]
        result = np.asarray(result).view(Counted) if np.ndim(result) else result
        if ufunc is np.multiply and np.ndim(result):
            result.is_product = True
        return result

    def __array_function__(self, function, types, given, options):
        if function in (np.vdot, np.linalg.norm):
            Counted.spent += self.size
        plain = [np.asarray(one) if isinstance(one, Counted) else one for one in given]
        return function(*plain, **options)


class Bowl:
    """A convex loss in the place of an objective: its gradient is `matrix` times the weights, and costs nothing."""

    def __init__(self, matrix):
        rng = np.random.default_rng(0)
        self.kept, self._matrix, self.loss = self, matrix, 1.0
        self.W = rng.standard_normal((len(matrix), 2)).view(Counted)

    def gradient(self, ledger):
        return (self._matrix @ np.asarray(self.W)).view(Counted)


@pytest.mark.parametrize("make_rule", [Adam, Lbfgs])
def test_the_charge_is_what_the_arithmetic_takes(make_rule):
    """Counted array by array, while the weights wander about."""
    rng, rule, bowl = np.random.default_rng(2), make_rule(), Bowl(np.diag(np.arange(1.0, 7.0)))
    for number in range(LBFGS_MEMORY + 4):
        ledger, Counted.spent = Ledger(), 0
        rule.depart(bowl, ledger)
        if make_rule is Adam and number == 0:  # the means are numbers yet, which are not counted: 0.9 times 0
            Counted.spent += 2 * bowl.W.size
        assert sum(ledger.costs.values()) == Counted.spent > 0, number
        bowl.W += 0.1 * rng.standard_normal(bowl.W.shape)
    if make_rule is Lbfgs:
        assert len(rule._pairs) == LBFGS_MEMORY
        product = rule.inverse_hessian_product
        rule.inverse_hessian_product = lambda gradient: -product(gradient)  # uphill, as if round-off had eaten it
        ledger, Counted.spent = Ledger(), 0
        rule.depart(bowl, ledger)
        assert not rule._pairs
        assert sum(ledger.costs.values()) == Counted.spent - bowl.W.size, "the sign of the line above"


def test_the_weights_of_before_are_restored_where_no_step_lowers_the_loss(monkeypatch):
    monkeypatch.setattr(optimizers, "_MAX_TRIALS", 3)
    runner = OptimizerRunner(DATA, CONFIG, Lbfgs())
    runner.step()
    before = weights_of(runner)
    start, gradient, _ = runner._rule._start
    runner._rule._start = start, gradient, -1.0  # a loss below which there is none
    lap = runner.step()
    words = f"of 3 steps tried along the direction of L-BFGS none lowers the loss, {lap.loss:.3g}, by 10⁻⁴ of what"
    assert lap.stop_reason == lap.status == f"{words} the slope promises"
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


def test_adam_that_diverges_is_told_what_a_race_can_change():
    """A race has no step size to choose; a step changes the outputs less where fewer neurons fire."""
    data = load_dataset("digits", num_points=50)
    runner = OptimizerRunner(data, TrainConfig(width=1024), Adam(1e4))
    reason = [runner.step(), runner.step()][1].stop_reason
    assert reason.startswith("diverging") and "step_size" not in reason
    assert "use fewer neurons or a higher threshold" in reason
    growth = {}
    for width, threshold in ((65_536, 0.0), (1024, 0.0), (65_536, 2.0)):
        runner = OptimizerRunner(data, TrainConfig(width=width, threshold=threshold), Adam())
        start, after = runner.step().loss, runner.step().loss
        growth[width, threshold] = after / start
    assert growth[65_536, 0.0] > 10 * growth[1024, 0.0] and growth[65_536, 0.0] > 10 * growth[65_536, 2.0]


ANTIPODES = Dataset(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([-1.0, 1.0]))
ONE_NEURON = TrainConfig(width=1, threshold=0.5, seed=5)


def test_adams_momentum_wakes_a_neuron_that_fires_nowhere():
    """It is pushed away from one datapoint, fires on neither for a while, and then comes to the other one."""
    whole, runner = WholeNetwork(ANTIPODES, ONE_NEURON), OptimizerRunner(ANTIPODES, ONE_NEURON, Adam(0.3))
    mean, square, W, fires = 0.0, 0.0, whole.W.copy(), []
    for step in range(1, 41):
        loss, gradient = whole(W.ravel())
        lap = runner.step()
        assert lap.loss == pytest.approx(loss, rel=1e-9) and not lap.stop_reason, step
        fires.append(lap.activity.num_pairs)
        assert ("momentum" in lap.status) == (not fires[-1]) and lap.num_touched == 1
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        move = 0.3 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        W -= move.reshape(W.shape)
    assert fires[:9] == [1, 1, 0, 0, 0, 0, 0, 1, 1]
    assert loss < 0.51, "and so it learns what it would not have learned"


def test_adam_stops_where_no_neuron_fires_and_momentum_moves_none():
    data = Dataset(ANTIPODES.X, np.array([-1.0, -1.0]))
    runner, laps = OptimizerRunner(data, ONE_NEURON, Adam(0.3)), []
    while not laps or not laps[-1].stop_reason:
        before = weights_of(runner)
        laps.append(runner.step())
        if not laps[-1].activity.num_pairs:
            assert np.array_equal(weights_of(runner), before) == bool(laps[-1].stop_reason)
        assert len(laps) < 2000
    assert "no neuron fires on any datapoint, so nothing can move" in laps[-1].stop_reason


@pytest.mark.parametrize("key", ["adam", "l-bfgs"])
def test_they_race_are_paused_between_steps_and_say_why_they_stop(key):
    lane = run(CONTESTANTS[key], data=DATA, config=CONFIG, until_loss=1e-4, max_laps=400).lanes[0]
    assert lane.state == "reached" and lane.num_laps > 3
    twins = Dataset(DATA.X[[0, 0, 1]], np.array([1.0, -1.0, 1.0]))  # no function fits both
    lane = run(CONTESTANTS[key], data=twins, config=CONFIG, until_loss=1e-9, max_laps=3000).lanes[0]
    assert lane.state == "stopped" and lane.lowest_loss == pytest.approx(1.0, rel=0.02)
    assert any(part in lane.reason for part in ("stalled", "lowers the loss", "gradient is zero")), lane.reason
