"""Gradient descent, with and without mini-batches, against a textbook loop; the rule that finds its step size."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense_scan, outputs_of, same_sets, sphere

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.config import SEARCHES
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import Ledger, step_rule_operations
from treeviz.solve.jacobian import DenseJacobian, SparseJacobian
from treeviz.solve.step_size import safe_step_size
from treeviz.stage.pictures.field import OutputField
from treeviz.stage.pictures.geometry import neuron_plane
from treeviz.training.dense_costs import table_costs

METHODS = ("gradient-descent", "sgd")
TREELESS = ("dense", "compact")
# Below it a neuron that ends right at the threshold may fire or not by round-off.
MIN_LOSS = 1e-15
each_search = pytest.mark.parametrize("search", SEARCHES)


def loss_of(W, a, b, X, y):
    return 0.5 * float(np.sum((outputs_of(W, a, b, X) - y) ** 2))


def gradient_of(W, a, b, X, y):
    """The gradient of half the squared errors, (m, d), entry by entry of the chain rule."""
    products = W @ X.T
    slopes = (products >= b) * (a / math.sqrt(len(a)))[:, None]  # (m, n): df_i / dz_ri
    return (slopes * (outputs_of(W, a, b, X) - y)) @ X


def explicit_gram(fires, X):
    """G = J J^T from the explicit Jacobian of the (m, n) incidence `fires`."""
    J = (fires.T[:, :, None] * X[:, None, :]).reshape(len(X), -1) / math.sqrt(len(fires))
    return J @ J.T


# Mini-batches


def batches_of(config, num_points, num_epochs, start=0):
    """Return the batches of some epochs, as lists."""
    per_epoch = math.ceil(num_points / config.batch_size)
    return [
        [config.mini_batch(num_points, (start + epoch) * per_epoch + place).tolist() for place in range(per_epoch)]
        for epoch in range(num_epochs)
    ]


@given(num_points=st.integers(2, 70), batch_size=st.integers(1, 69), seed=st.integers(0, 2**63 - 1))
def test_every_epoch_sees_each_datapoint_once(num_points, batch_size, seed):
    batch_size = min(batch_size, num_points - 1)
    config = TrainConfig(width=8, method="sgd", batch_size=batch_size, seed=seed)
    for epoch in batches_of(config, num_points, 3):
        assert sorted(itertools.chain(*epoch)) == list(range(num_points))
        assert all(batch == sorted(batch) for batch in epoch)
        rest = num_points % batch_size
        assert [len(batch) for batch in epoch] == [batch_size] * (num_points // batch_size) + [rest] * bool(rest)


def test_epochs_are_shuffled_again():
    epochs = batches_of(TrainConfig(width=8, method="sgd", batch_size=4), 20, 50)
    assert len({str(epoch) for epoch in epochs}) == 50
    together = sum(any({0, 1} <= set(batch) for batch in epoch) for epoch in epochs)
    assert 0 < together < 25  # 3 in 19 are expected


def test_batches_depend_on_the_seed_only():
    base = TrainConfig(width=8, method="sgd", batch_size=3, seed=5)
    others = {"width": 64, "threshold": 0.5, "search": "dense", "solver": "exact", "step_size": 0.1, "ridge": 1.0}
    expected = batches_of(base, 10, 4)
    for name, value in others.items():
        assert batches_of(dataclasses.replace(base, **{name: value}), 10, 4) == expected, name
    assert batches_of(dataclasses.replace(base, seed=6), 10, 4) != expected
    assert batches_of(base, 10, 1, start=3) == expected[3:]  # whatever was asked before


@pytest.mark.parametrize(
    ("settings", "num_points"),
    [
        ({"method": "gauss-newton", "batch_size": 2}, 9),
        ({"method": "gradient-descent", "batch_size": 2}, 9),
        ({"method": "sgd", "batch_size": 9}, 9),
        ({"method": "sgd", "batch_size": 100}, 9),
        ({"method": "sgd", "batch_size": 1}, 1),
    ],
)
def test_all_datapoints_at_once_are_no_batch(settings, num_points):
    config = TrainConfig(width=8, **settings)
    assert all(config.mini_batch(num_points, iteration) is None for iteration in range(5))


@each_search
def test_a_batch_of_everybody_is_gradient_descent(search):
    data, runs = sphere(7, 3, 2), []
    for settings in ({"method": "sgd", "batch_size": 7}, {"method": "gradient-descent"}):
        trainer = Trainer(data, TrainConfig(width=48, search=search, step_size=None, **settings))
        trainer.run(40, until_loss=0.0)
        runs.append((trainer.step_size, trainer.trace.losses.tolist(), trainer.weights().tolist()))
    assert runs[0] == runs[1]


# The iterates


DATASETS = {
    "sphere": ("sphere", {"num_points": 16, "dimension": 8, "seed": 1}),
    "circle": ("circle", {"num_points": 9}),
    "moons": ("moons", {"num_points": 15, "seed": 2}),
    "digits": ("digits", {"num_points": 20, "seed": 0}),
    "breast-cancer": ("breast-cancer", {"num_points": 24, "seed": 1}),
}
# (dataset, method, batch size, step size, width, threshold)
SHORT_RUN = ("sphere", "sgd", 5, 1.5, 64, 0.0)
RUNS = [
    SHORT_RUN,
    ("digits", "gradient-descent", 8, 2.0, 64, 0.8),
    ("sphere", "gradient-descent", 8, None, 128, None),
    ("moons", "sgd", 1, None, 64, 0.5),
    *(
        (name, method, batch_size, step_size, width, threshold)
        for place, (name, (width, threshold)) in enumerate(
            zip(DATASETS, ((1024, None), (64, None), (150, 0.6), (512, 0.2), (256, 1.0)), strict=True)
        )
        for method, batch_size, step_size in (
            ("gradient-descent", 1, 0.5),
            (("sgd", 1, 0.5), ("sgd", 7, None))[place % 2],
        )
    ),
]


@pytest.mark.parametrize(
    ("run", "most"),
    [
        (SHORT_RUN, 126),
        # The longest are one of each method; what adds up over iterations is four times as large there.
        *(pytest.param(run, 500 if place < 2 else 126, marks=pytest.mark.slow) for place, run in enumerate(RUNS)),
    ],
    ids=str,
)
def test_every_engine_equals_the_dense_one_over_many_iterations(run, most):
    name, method, batch_size, step_size, width, threshold = run
    dataset, options = DATASETS[name]
    data = load_dataset(dataset, **options)
    config = TrainConfig(
        width=width, threshold=threshold, method=method, batch_size=batch_size, step_size=step_size, seed=3
    )
    trainers = {
        search: Trainer(data, dataclasses.replace(config, search=search), keep_records=False) for search in SEARCHES
    }
    for iteration in range(most):
        records = {search: trainer.step() for search, trainer in trainers.items()}
        expected = records["dense"]
        if expected.loss < MIN_LOSS:
            break
        for search, record in records.items():
            where = f"{search}, iteration {iteration}, loss {expected.loss:.1e}"
            assert record.loss == pytest.approx(expected.loss, rel=1e-9), where
            assert same_sets(record.firing, expected.firing), where
            assert np.array_equal(record.touched, expected.touched), where
            assert np.allclose(record.dual_step, expected.dual_step, rtol=0, atol=1e-10), where
        # Where all is done with the same numbers in the same order, there is no round-off to differ by.
        assert records["neuron-trees"].loss == records["forest"].loss
        if iteration % 125 == 124:
            scans = {
                search: dense_scan(trainer.weights(), data.X, trainer.threshold) for search, trainer in trainers.items()
            }
            fresh = trainers["dense"].step()
            for search, trainer in trainers.items():
                record = fresh if search == "dense" else trainer.step()
                assert same_sets(record.firing, scans[search]), f"{search}, a scan of its weights after {iteration}"
    assert len({trainer.step_size for trainer in trainers.values()}) == 1
    assert expected.loss < 0.9 * trainers["dense"]._judge._first_loss or name == "circle"


@each_search
@pytest.mark.parametrize(("batch_size", "step_size"), [(1, 1.0), (4, 0.5), (3, None), (50, 2.0)])
def test_sgd_is_the_textbooks(search, batch_size, step_size):
    data, num_points = sphere(10, 4, 3), 10
    config = TrainConfig(
        width=60, threshold=0.7, method="sgd", search=search, batch_size=batch_size, step_size=step_size, seed=2
    )
    trainer = Trainer(data, config)
    W, a, b = trainer.weights(), trainer.output_signs, 0.7
    waiting = set()
    for iteration in range(60):
        loss, firing, outputs = loss_of(W, a, b, data.X, data.y), dense_scan(W, data.X, b), outputs_of(W, a, b, data.X)
        record = trainer.step()
        assert record.iteration == iteration
        # The record is of all datapoints, whatever the batch.
        assert record.loss == pytest.approx(loss, rel=1e-10)
        assert same_sets(record.firing, firing)
        assert np.allclose(record.outputs, outputs, rtol=0, atol=1e-11)
        # The move is that of the datapoints next in this epoch.
        waiting = waiting or set(range(num_points))
        drawn = config.mini_batch(num_points, iteration)
        batch = sorted(waiting) if drawn is None else drawn.tolist()
        assert waiting >= set(batch)
        waiting -= set(batch)
        step = trainer.step_size if step_size is None else step_size
        W = W - step * gradient_of(W, a, b, data.X[batch], data.y[batch])
        assert np.allclose(trainer.weights(), W, rtol=0, atol=1e-11)
        moved = np.zeros(num_points)
        silent = [i for i in batch if not firing[i].size]
        moved[batch] = step * (outputs - data.y)[batch]
        moved[silent] = 0.0
        assert np.allclose(record.dual_step, moved, rtol=0, atol=1e-10)
        assert record.touched.tolist() == sorted(set().union(*(firing[i].tolist() for i in batch)))
    assert record.loss < trainer.trace.records[0].loss


@each_search
@pytest.mark.parametrize(("method", "batch_size"), [("gradient-descent", 1), ("sgd", 1), ("sgd", 3), ("sgd", 7)])
def test_a_move_is_the_slope_of_the_batchs_loss(search, method, batch_size):
    data, step_size = sphere(7, 3, 5), 0.25
    config = TrainConfig(
        width=20, threshold=0.5, method=method, search=search, batch_size=batch_size, step_size=step_size
    )
    trainer = Trainer(data, config)
    for iteration in range(4):
        W, a, b = trainer.weights(), trainer.output_signs, trainer.threshold
        batch = config.mini_batch(7, iteration)
        X, y = (data.X, data.y) if batch is None else (data.X[batch], data.y[batch])
        assert np.abs(W @ data.X.T - b).min() > 1e-5, "a kink within reach of the differences"
        slopes, reach = np.empty_like(W), 1e-6
        for place in np.ndindex(W.shape):
            above, below = W.copy(), W.copy()
            above[place] += reach
            below[place] -= reach
            slopes[place] = (loss_of(above, a, b, X, y) - loss_of(below, a, b, X, y)) / (2 * reach)
        trainer.step()
        assert np.allclose((W - trainer.weights()) / step_size, slopes, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_settings_give_the_same_bits(method):
    for search in SEARCHES:
        runs = []
        for _ in range(2):
            trainer = Trainer(
                sphere(9, 4, 4), TrainConfig(width=50, method=method, search=search, batch_size=2, step_size=None)
            )
            trainer.run(30, until_loss=0.0)
            runs.append((trainer.trace.losses.tolist(), trainer.weights().tolist(), trainer.step_size))
        assert runs[0] == runs[1], search


# The step size found by rule


def random_incidence(rng, num_neurons, num_points):
    density = rng.choice([0.05, 0.3, 0.9])
    fires = rng.random((num_neurons, num_points)) < density
    if rng.random() < 0.5:
        fires[:, rng.integers(num_points)] = False  # a silent datapoint
    return fires


def unit_rows(rng, num_points, dimension):
    X = rng.standard_normal((num_points, dimension))
    if num_points > 2 and rng.random() < 0.3:
        X[1] = X[0]  # a duplicate
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def both_jacobians(fires, X):
    firing = FiringSets.from_pairs(*np.nonzero(fires), len(X))
    return SparseJacobian(firing, X, len(fires)), DenseJacobian(fires.astype(np.float32), None, X)


@given(
    num_neurons=st.integers(1, 40),
    num_points=st.integers(1, 12),
    dimension=st.integers(1, 6),
    batch_size=st.one_of(st.none(), st.integers(1, 14)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_step_size_is_the_rule(num_neurons, num_points, dimension, batch_size, seed):
    rng = np.random.default_rng(seed)
    X, fires = unit_rows(rng, num_points, dimension), random_incidence(rng, num_neurons, num_points)
    sizes, ledgers = [], []
    for jacobian in both_jacobians(fires, X):
        ledgers.append(Ledger())
        sizes.append(safe_step_size(jacobian, batch_size, ledgers[-1]))
    assert sizes[0] == sizes[1], "other bits from the dense incidence"
    if not fires.any():
        assert sizes[0] == 1.0 and all(ledger.costs == {} for ledger in ledgers)
        return
    gram = explicit_gram(fires, X)
    largest = np.linalg.eigvalsh(gram)[-1]
    if batch_size is None or batch_size >= num_points:
        assert 1 / sizes[0] == pytest.approx(largest, rel=1e-10)
    else:
        row_sums = [sum(sorted(np.abs(row), reverse=True)[:batch_size]) for row in gram]
        assert 1 / sizes[0] == pytest.approx(min(largest, max(row_sums)), rel=1e-10)
        for _ in range(10):
            batch = rng.permutation(num_points)[:batch_size]
            assert np.linalg.eigvalsh(gram[np.ix_(batch, batch)])[-1] <= (1 + 1e-12) / sizes[0]

    k, active = fires.sum(axis=1), int(fires.any(axis=0).sum())
    overlaps = int((k**2).sum()), num_neurons * num_points * (num_points + 1) // 2
    for ledger, overlap in zip(ledgers, overlaps, strict=True):
        assert ledger.seconds.keys() == {"solve"}
        batched = batch_size is not None and batch_size < active
        assert ledger.costs == {"solve": step_rule_operations(overlap, active, is_batched=batched)}
        by_hand = overlap + active**2 + math.ceil(2 * active**3 / 3) + batched * active**2
        assert ledger.costs == {"solve": by_hand}


def test_the_bound_for_batches_is_reached_and_is_no_larger_than_it_must_be():
    """Four datapoints alike fire four neurons: G is constant, and a batch of two has twice an entry as its largest."""
    X, fires = np.tile([1.0, 0.0], (4, 1)), np.ones((4, 4), dtype=bool)  # G = ones: largest eigenvalue 4
    for batch_size, largest in ((None, 4), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4)):
        for jacobian in both_jacobians(fires, X):
            assert safe_step_size(jacobian, batch_size, Ledger()) == pytest.approx(1 / largest, rel=1e-14)


@each_search
@pytest.mark.parametrize(
    ("name", "width", "threshold"), [("sphere", 256, None), ("digits", 128, 0.3), ("xor", 64, 0.0)]
)
def test_the_loss_never_rises_with_the_step_size_found(search, name, width, threshold):
    data = load_dataset(name, num_points=16)
    for seed in range(2):
        config = TrainConfig(
            width=width, threshold=threshold, method="gradient-descent", search=search, step_size=None, seed=seed
        )
        trainer = Trainer(data, config)
        assert trainer.step_size is None
        fires = trainer.weights() @ data.X.T >= trainer.threshold
        losses = trainer.run(100, until_loss=0.0).losses
        assert trainer.step_size == pytest.approx(1 / np.linalg.eigvalsh(explicit_gram(fires, data.X))[-1], rel=1e-10)
        assert (np.diff(losses) <= 1e-13 * losses[:-1]).all()
        assert losses[-1] < losses[0]


def test_a_step_size_is_found_once_and_given_ones_are_kept():
    data = sphere(8, 4, 1)
    for method in METHODS:
        trainer = Trainer(data, TrainConfig(width=40, method=method, step_size=None, batch_size=3))
        first = trainer.step()
        found = trainer.step_size
        assert found is not None and found > 0 and "solve" in first.costs
        for _ in range(10):
            assert "solve" not in trainer.step().costs
        assert trainer.step_size == found
        given_one = Trainer(data, TrainConfig(width=40, method=method, step_size=0.3, batch_size=3))
        assert "solve" not in given_one.step().costs and given_one.step_size == 0.3
    newton = Trainer(data, TrainConfig(width=40, step_size=None))
    assert newton.step_size == 1.0
    full = Trainer(data, TrainConfig(width=40, step_size=1.0))
    assert newton.run(5).losses.tolist() == full.run(5).losses.tolist()


def test_every_engine_finds_the_same_step_size_to_the_bit():
    for seed, batch_size, method in itertools.product(range(3), (1, 4), METHODS):
        data, found = sphere(9, 3, seed), set()
        for search in SEARCHES:
            config = TrainConfig(width=80, method=method, search=search, step_size=None, batch_size=batch_size)
            trainer = Trainer(data, config)
            trainer.step()
            found.add(trainer.step_size)
        assert len(found) == 1


# What it costs


def by_hand(trainer, search, counted, firing, num_active, finds):
    """Operations of one iteration on the datapoints `counted`, from the firing sets before it; search and repair of
    trees apart."""
    m, d, n = trainer.config.width, trainer.data.dimension, trainer.data.num_points
    size, pairs = len(counted), sum(firing[i].size for i in counted)
    touched = len(set().union(*(firing[i].tolist() for i in counted)))
    all_pairs = sum(fired.size for fired in firing)
    kept = {"dense": m, "compact": trainer._engine._kept.neurons.size if search == "compact" else 0}.get(search, 0)
    degrees = np.bincount(np.concatenate(firing), minlength=m)
    overlaps = kept * n * (n + 1) // 2 if search in TREELESS else int((degrees**2).sum())
    batched = trainer.config.method == "sgd" and trainer.config.batch_size < num_active
    if search == "watch":  # C is at hand
        overlaps = 0
    width = len(trainer._engine._table.neurons) if search == "table" else m
    rule = overlaps + num_active**2 * (1 + batched) + math.ceil(2 * num_active**3 / 3)
    if search in TREELESS:
        costs = {
            "search": kept * size * (d + 1) + (kept * n * (d + 1) if finds and size < n else 0),
            "forward": kept * size + size + (kept * n + n if finds and size < n else 0),
            "move": kept * size + touched * size * d,
        }
    elif search == "watch":  # a product with G, whatever the batch; what it looks at is in test_watch.py
        costs = {"forward": (n * n + n) * (2 if finds and size < n else 1), "move": n}
    else:
        costs = {"forward": pairs + size + (all_pairs + n if finds and size < n else 0), "move": pairs}
    if search in ("table", "dense-sparse"):  # all numbers compared, recomputed or not
        each = 1 if search == "table" else d + 1
        costs["search"] = width * each * (size + (n if finds and size < n else 0))
        costs |= {"repair": n * (pairs + touched)} if search == "table" else {"move": pairs * d}
    return {**costs, "solve": rule} if finds else costs


@each_search
@pytest.mark.parametrize("step_size", [None, 0.5])
@pytest.mark.parametrize(("method", "batch_size"), [("gradient-descent", 3), ("sgd", 1), ("sgd", 4), ("sgd", 50)])
def test_an_iteration_is_charged_for_its_batch(search, step_size, method, batch_size):
    data = sphere(10, 3, 6)
    config = TrainConfig(
        width=30, threshold=0.4, method=method, search=search, step_size=step_size, batch_size=batch_size
    )
    trainer = Trainer(data, config)
    m, n = 30, 10
    for iteration in range(8):
        values = None
        if search == "forest":
            values = trainer.forest.values.copy()  # (2m, n)
        elif search == "neuron-trees":
            values = trainer._engine.trees.values.copy()  # (m, 2n)
        record = trainer.step()
        batch = config.mini_batch(n, iteration)
        counted = list(range(n)) if batch is None else batch.tolist()
        finds = step_size is None and iteration == 0
        assert all(fired.size for fired in record.firing), "the hand count is for data that all fire"
        expected = by_hand(trainer, search, counted, record.firing, n, finds)
        costs = dict(record.costs)
        touched, pairs = record.touched.size, sum(record.firing[i].size for i in counted)
        if search == "forest":
            entered = 1 + 2 * (values[1:m] >= 0.4).sum(axis=0)
            assert record.num_visited.tolist() == [entered[i] if i in counted else 0 for i in range(n)]
            expected["search"] = entered[counted].sum() + (entered.sum() if finds and batch is not None else 0)
            changed = (values != trainer.forest.values).any(axis=1)
            rows = touched + sum(bool(changed[2 * v] or changed[2 * v + 1]) for v in range(1, m))
            expected["repair"] = pairs * n + rows * n
            assert record.num_modified.tolist() == (values != trainer.forest.values).sum(axis=0).tolist()
        elif search == "neuron-trees":
            entered = m + 2 * (values[:, 1:n] >= 0.4).sum()  # a batch saves nothing
            assert record.visited_levels.shape == (1, 5) and record.num_visited.tolist() == [entered]
            expected["search"] = entered * (2 if finds and batch is not None else 1)
            expected["repair"] = pairs * n + touched * (2 * n - 1)
            assert record.num_modified.tolist() == [(values != trainer._engine.trees.values).sum()]
        else:
            assert record.visited_levels.shape == record.modified_levels.shape == (n, 0)
        if search == "watch":
            expected["repair"] = costs["repair"]
        assert costs == expected
        assert set(record.seconds) <= {*costs, "jacobian"}


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "gradient-descent", "step_size": 0.5},
        {"method": "gradient-descent", "step_size": None},
        {"method": "sgd", "step_size": 0.5, "batch_size": 1},
        {"method": "sgd", "step_size": None, "batch_size": 3},
        {"method": "sgd", "step_size": None, "batch_size": 12},
        {"method": "gauss-newton", "solver": "exact"},
        {"method": "gauss-newton", "solver": "exact", "ridge": 0.01, "step_size": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("threshold", [0.2, 1.0])
def test_dense_costs_are_those_of_the_dense_run(settings, threshold):
    data = sphere(12, 4, 8)
    trainers = {
        search: Trainer(data, TrainConfig(width=90, threshold=threshold, search=search, **settings))
        for search in SEARCHES
    }
    for _ in range(10):
        records = {search: trainer.step() for search, trainer in trainers.items()}
        if records["dense-sparse"].loss < 1e-15:
            break
        assert records["dense-sparse"].dual_step.any()
        for search, record in records.items():
            trace = trainers[search].trace
            assert trace.dense_costs(record) == records["dense-sparse"].costs, search
            num_kept = trace.records[0].firing.neurons.size
            assert table_costs(record, data, trace.config, num_kept) == records["table"].costs, search
    for trainer in trainers.values():
        for include_build in (True, False):
            expected = trainers["table"].trace.amortized(include_build=include_build)
            assert np.array_equal(trainer.trace.amortized(of="table", include_build=include_build), expected)


IDLE = [
    {"method": "sgd", "batch_size": 1, "threshold": 1.6},  # a silent datapoint alone in its batch
    {"method": "gradient-descent", "threshold": 50.0},
    {"method": "gradient-descent", "threshold": 50.0, "step_size": None},
    {"method": "gauss-newton", "solver": "exact", "threshold": 50.0},
    {"method": "gradient-descent", "threshold": 0.1, "step_size": 1e200},
]


@pytest.mark.parametrize("settings", IDLE, ids=str)
def test_dense_costs_of_an_iteration_that_moves_nothing(settings):
    forest, dense, table = (
        Trainer(sphere(), TrainConfig(width=12, search=search, **settings))
        for search in ("forest", "dense-sparse", "table")
    )
    for _ in range(6):
        left, right = forest.step(), dense.step()
        assert forest.trace.dense_costs(left) == right.costs
        num_kept = forest.trace.records[0].firing.neurons.size
        assert table_costs(left, sphere(), forest.config, num_kept) == table.step().costs


# Pictures of a run that moved other neurons than those of its first batch


@pytest.fixture(scope="module")
def circle_by_batches():
    config = TrainConfig(width=200, method="sgd", batch_size=1, step_size=None)
    trainer = Trainer(load_dataset("circle"), config)
    trainer.run(10, until_loss=0.0)
    return trainer


def test_the_field_of_a_run_with_mini_batches(circle_by_batches):
    trainer = circle_by_batches
    field = OutputField(trainer.trace, 8)
    points = np.stack(np.meshgrid(field.u, field.v), axis=-1).reshape(-1, 2)
    expected = outputs_of(trainer.weights(), trainer.output_signs, trainer.threshold, points)
    assert np.allclose(field.values(10).ravel(), expected, rtol=0, atol=1e-10)


def test_the_plane_of_a_run_with_mini_batches(circle_by_batches):
    records = circle_by_batches.trace.records
    for iteration in range(10):
        plane = neuron_plane(circle_by_batches.trace, 3, iteration)
        ever = np.isin(plane.neurons, np.concatenate(records[0].firing))
        assert np.array_equal(plane.ever, ever)


def test_points_on_a_line_have_a_step_size():
    """Two equal points and their opposite: LAPACK gave no largest eigenvalue alone of this matrix."""
    data = Dataset(np.array([[1.0], [1.0], [-1.0]]), np.array([1.0, 1.0, -1.0]))
    config = TrainConfig(width=33, threshold=0.0, method="gradient-descent", step_size=None, seed=2)
    trainer = Trainer(data, config)
    fires = trainer.weights() @ data.X.T >= 0.0
    largest = np.linalg.eigvals((data.X @ data.X.T) * (fires.T.astype(float) @ fires) / 33).real.max()
    trainer.step()
    assert trainer.step_size == pytest.approx(1.0 / largest)
