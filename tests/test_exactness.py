"""All ways of searching and solving give the same iterates, and those of an explicit textbook implementation."""

import itertools
import math

import numpy as np
import pytest
from oracles import dense_scan, outputs_of, same_sets, sphere

from treeviz import DATASETS, Dataset, TrainConfig, Trainer, load_dataset

VARIANTS = tuple(itertools.product(("forest", "dense"), ("sketch", "exact")))
NUM_ITERATIONS = 12
LARGE = 65_536  # where every scan of the oracle takes long: fewer iterations
MAX_CONDITION, MIN_LOSS, LOSS_TOLERANCE = 1e6, 1e-8, 1e-9


def grid():
    for (place, name), width, seed in itertools.product(enumerate(DATASETS), (256, 4096, LARGE), (0, 1, 2)):
        if width == LARGE and seed != place % 3:
            continue  # one seed for each dataset: these take longest
        is_quick = seed == 0 and (width == 256 or (width, name) == (4096, "moons"))
        marks = () if is_quick else (pytest.mark.slow,)
        yield pytest.param(name, width, seed, marks=marks, id=f"{name}-{width}-{seed}")


def gram_matrix(X, firing, width):
    """Return G = K o C / m with C counted from the firing sets."""
    members = np.zeros((width, len(X)), dtype=np.float32)
    for point, neurons in enumerate(firing):
        members[neurons, point] = 1.0
    return (X @ X.T) * (members.T @ members).astype(np.float64) / width


def condition_number(X, firing, width):
    eigenvalues = np.linalg.eigvalsh(gram_matrix(X, firing, width))
    return eigenvalues[-1] / eigenvalues[0] if eigenvalues[0] > 0 else np.inf


def loss_of(W, a, b, data):
    residual = outputs_of(W, a, b, data.X) - data.y
    return 0.5 * float(residual @ residual)


def jacobian_of(W, a, b, X):
    """Return the explicit Jacobian, (n, m d): block (i, r) is a_r x_i / sqrt(m) where r fires on i."""
    products = X @ W.T
    fires = products >= b  # (n, m)
    return ((fires * a)[:, :, None] * X[:, None, :]).reshape(len(X), -1) / math.sqrt(len(a))


def textbook_step(W, a, b, data):
    """Return the next weights: the move of minimum norm that solves J move = residual in least squares."""
    residual = outputs_of(W, a, b, data.X) - data.y
    move = np.linalg.lstsq(jacobian_of(W, a, b, data.X), residual, rcond=1e-10)[0]
    return W - move.reshape(W.shape)


def trained(data, num_iterations, **settings):
    """Run a trainer; every firing set must be the dense scan's of the trainer's own weights."""
    trainer = Trainer(data, TrainConfig(**settings))
    for _ in range(num_iterations):
        expected = dense_scan(trainer.weights(), data.X, trainer.threshold)
        record = trainer.step()
        assert same_sets(record.firing, expected), f"firing sets of iteration {record.iteration}, {settings}"
        if record.loss < 1e-20:  # nothing but round-off is left
            break
    return trainer.trace.records


@pytest.mark.parametrize(("name", "width", "seed"), list(grid()))
def test_all_variants_agree(name, width, seed):
    data = load_dataset(name, seed=seed)
    num_iterations = NUM_ITERATIONS if width < LARGE else NUM_ITERATIONS // 3
    runs = {
        variant: trained(data, num_iterations, width=width, seed=seed, search=variant[0], solver=variant[1])
        for variant in VARIANTS
    }
    reference = runs["dense", "exact"]
    condition = 0.0
    for steps in zip(reference, *runs.values(), strict=False):
        expected = steps[0]
        # The first records come before any move: they agree whatever the condition number.
        if expected.iteration and (condition >= MAX_CONDITION or expected.loss <= MIN_LOSS):
            break
        condition = max(condition, condition_number(data.X, expected.firing, width))
        if expected.iteration and condition >= MAX_CONDITION:
            break
        for variant, record in zip(runs, steps[1:], strict=True):
            where = f"{variant}, iteration {expected.iteration}, condition {condition:.1e}, loss {expected.loss:.1e}"
            difference = abs(record.loss - expected.loss) / expected.loss
            assert difference <= LOSS_TOLERANCE, f"losses differ by {difference:.1e}: {where}"
            assert same_sets(record.firing, expected.firing), f"firing sets differ: {where}"


@pytest.mark.parametrize("name", ["sphere", "circle", "moons", "xor", "digits", "breast-cancer"])
@pytest.mark.parametrize("moment", [0, 3])
def test_steps_from_one_state_agree(name, moment):
    """Given the weights of another run in mid-training, a step moves them as that run does, also when G is bad."""
    data, width = load_dataset(name, seed=0), 512
    settings = {"width": width, "seed": 0}
    forests = {solver: Trainer(data, TrainConfig(**settings, solver=solver)) for solver in ("sketch", "exact")}
    for trainer in forests.values():
        for _ in range(moment):
            trainer.step()
        shared = trainer.weights()
        moves, losses = {}, {}
        for solver in ("sketch", "exact"):
            dense = Trainer(data, TrainConfig(**settings, search="dense", solver=solver))
            dense._engine._W[:] = shared
            record = dense.step()
            moves[solver], losses[solver] = dense.weights() - shared, record.loss
        record = trainer.step()
        own = trainer.weights() - shared
        condition = condition_number(data.X, record.firing, width)
        # Cholesky of a G of condition kappa leaves eps * kappa; conjugate gradient stops at 1e-12.
        tolerance = 1e-10 + 1e-14 * condition
        if tolerance > 1e-3:  # singular to working precision: which directions count as null is a matter of round-off
            continue
        for solver, move in moves.items():
            assert losses[solver] == pytest.approx(record.loss, rel=1e-11)
            difference = np.linalg.norm(own - move) / np.linalg.norm(move)
            assert difference <= tolerance, f"dense/{solver}: {difference:.1e} at condition {condition:.1e}"


@pytest.mark.parametrize(("search", "solver"), VARIANTS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_losses_are_those_of_the_textbook(search, solver, seed):
    data = sphere(8, 4, seed)
    trainer = Trainer(data, TrainConfig(width=100, search=search, solver=solver, seed=seed))
    W, a, b = trainer.weights(), trainer.output_signs, math.sqrt(0.48 * math.log(100))
    for _ in range(12):
        loss = loss_of(W, a, b, data)
        record = trainer.step()
        if loss < MIN_LOSS:
            break
        assert record.loss == pytest.approx(loss, rel=1e-8)
        assert np.allclose(record.outputs, outputs_of(W, a, b, data.X), rtol=0, atol=1e-9)
        assert same_sets(record.firing, dense_scan(W, data.X, b))
        W = textbook_step(W, a, b, data)
        assert np.allclose(trainer.weights(), W, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("search", "solver"), VARIANTS)
def test_singular_steps_are_those_of_the_textbook(search, solver):
    """Duplicates and silent points: the minimum-norm least-squares move, from the trainer's own state every time."""
    rows = sphere(6, 4, 3).X[[0, 1, 2, 0, 3, 1, 4, 5]]
    data = Dataset(rows, np.array([1.0, -1.0, 2.0, 1.0, 0.5, 3.0, -2.0, 1.0]))
    trainer = Trainer(data, TrainConfig(width=40, threshold=1.4, search=search, solver=solver, seed=2))
    for _ in range(5):
        expected = textbook_step(trainer.weights(), trainer.output_signs, trainer.threshold, data)
        trainer.step()
        assert np.allclose(trainer.weights(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("solver", ["sketch", "exact"])
@pytest.mark.parametrize("search", ["forest", "dense"])
def test_ridge_step_solves_the_ridged_system(search, solver):
    data, ridge = sphere(8, 4, 1), 0.05
    trainer = Trainer(data, TrainConfig(width=100, search=search, solver=solver, ridge=ridge, step_size=0.5))
    for _ in range(4):
        W, a, b = trainer.weights(), trainer.output_signs, trainer.threshold
        J = jacobian_of(W, a, b, data.X)
        residual = outputs_of(W, a, b, data.X) - data.y
        dual = np.linalg.solve(J @ J.T + ridge * np.eye(len(data.y)), residual)
        record = trainer.step()
        assert np.allclose(record.dual_step, 0.5 * dual, rtol=1e-9, atol=1e-11)
        assert np.allclose(trainer.weights(), W - 0.5 * (J.T @ dual).reshape(W.shape), rtol=0, atol=1e-11)


@pytest.mark.parametrize("search", ["forest", "dense"])
def test_finite_differences_are_the_gradient(search):
    """The gradient-descent move is step_size times the gradient J^T residual, and that is the slope of the loss."""
    data, step_size = sphere(7, 3, 5), 0.25
    trainer = Trainer(data, TrainConfig(width=30, method="gradient-descent", search=search, step_size=step_size))
    for _ in range(3):
        W, a, b = trainer.weights(), trainer.output_signs, trainer.threshold
        assert np.abs(W @ data.X.T - b).min() > 1e-5, "a kink within reach of the differences"
        residual = outputs_of(W, a, b, data.X) - data.y
        gradient = (jacobian_of(W, a, b, data.X).T @ residual).reshape(W.shape)
        slopes, reach = np.empty_like(W), 1e-6
        for place in np.ndindex(W.shape):
            above, below = W.copy(), W.copy()
            above[place] += reach
            below[place] -= reach
            slopes[place] = (loss_of(above, a, b, data) - loss_of(below, a, b, data)) / (2 * reach)
        assert np.allclose(slopes, gradient, rtol=0, atol=1e-6)
        trainer.step()
        assert np.allclose(trainer.weights(), W - step_size * gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("step_size", [1.0, 4.0])
def test_gradient_descent_is_the_same_densely(step_size):
    data = load_dataset("sphere", num_points=8, dimension=4, seed=1)
    settings = {"width": 128, "method": "gradient-descent", "step_size": step_size, "seed": 1}
    forest, dense = (Trainer(data, TrainConfig(**settings, search=search)) for search in ("forest", "dense"))
    W, a, b = forest.weights(), forest.output_signs, forest.threshold
    for _ in range(300):
        loss = loss_of(W, a, b, data)
        left, right = forest.step(), dense.step()
        assert left.loss == pytest.approx(right.loss, rel=1e-9)
        assert left.loss == pytest.approx(loss, rel=1e-9)
        assert same_sets(left.firing, right.firing)
        residual = outputs_of(W, a, b, data.X) - data.y
        W = W - step_size * (jacobian_of(W, a, b, data.X).T @ residual).reshape(W.shape)
    assert left.loss < 0.1 * forest.trace.records[0].loss


def test_a_width_that_ends_inside_a_block_agrees():
    """One neuron more than a block of drawn rows, and one more than a block of the dense pass."""
    data = sphere(4, 3, 7)
    for width in (16_385, 8_193):
        losses = [[r.loss for r in trained(data, 3, width=width, search=s, solver=v, seed=1)] for s, v in VARIANTS]
        assert np.allclose(losses, losses[0], rtol=1e-9, atol=0)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_a_given_threshold_agrees(threshold):
    data = sphere(8, 4, 9)
    losses = [
        [r.loss for r in trained(data, 3, width=300, threshold=threshold, search=s, solver=v)] for s, v in VARIANTS
    ]
    assert np.allclose(losses, losses[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("search", "solver"), VARIANTS)
def test_the_sphere_is_learned_within_ten_iterations(search, solver):
    data = load_dataset("sphere", num_points=16, dimension=16)
    trace = Trainer(data, TrainConfig(width=4096, search=search, solver=solver)).run(11)
    assert min(trace.losses) < 1e-10


@pytest.mark.parametrize("solver", ["sketch", "exact"])
def test_fifty_digits_are_learned_within_ten_iterations(solver):
    data = load_dataset("digits", num_points=50)
    trace = Trainer(data, TrainConfig(width=65_536, solver=solver)).run(11)
    assert min(trace.losses) < 1e-10


@pytest.mark.slow
def test_a_forest_large_enough_for_threads_agrees():
    """Over 2^22 leaves the forest is searched and repaired by threads in compiled loops: the same sets and losses."""
    data = load_dataset("digits", num_points=70)
    forest = trained(data, 4, width=65_537, solver="exact")
    dense = trained(data, 4, width=65_537, solver="exact", search="dense")
    for left, right in zip(forest, dense, strict=True):
        assert left.loss == pytest.approx(right.loss, rel=1e-9)
        assert same_sets(left.firing, right.firing)
