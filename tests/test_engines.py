"""All engines do the same: firing sets, losses, batches, weights, replays, files; at the cost of their own method."""

import dataclasses
import itertools
import math
import tracemalloc

import numpy as np
import pytest
from given_network import GivenNetwork
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import dense_scan, outputs_of, same_sets, sphere

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.config import METHODS, SEARCHES, SOLVERS
from treeviz.model.firing import FiringSets, pair_steps
from treeviz.model.ledger import (
    Ledger,
    compaction_operations,
    neuron_trees_build_operations,
    table_build_operations,
)
from treeviz.model.masks import mask_product
from treeviz.model.network import (
    BLOCK_ROWS,
    WholeNetwork,
    initial_weight_blocks,
    initial_weights,
    leaf_blocks,
    output_signs,
)
from treeviz.search import find_engine
from treeviz.search.compact import CompactEngine
from treeviz.search.dense import DenseEngine
from treeviz.search.dense_sparse import SparseRestEngine
from treeviz.search.engine import Engine, Evaluation
from treeviz.search.forest.engine import ForestEngine
from treeviz.search.forest.trees import Forest
from treeviz.search.neuron_trees.engine import NeuronTreesEngine
from treeviz.search.table import TableEngine
from treeviz.solve.jacobian import SparseJacobian
from treeviz.solve.step_size import safe_step_size
from treeviz.training.trace import Trace

VARIANTS = tuple(itertools.product(SEARCHES, SOLVERS))
RUNS = (
    {"method": "gauss-newton", "solver": "sketch"},
    {"method": "gauss-newton", "solver": "exact"},
    {"method": "gradient-descent", "step_size": None},
    {"method": "sgd", "step_size": None, "batch_size": 2},
)
each_search = pytest.mark.parametrize("search", SEARCHES)
each_run = pytest.mark.parametrize("run", RUNS, ids=lambda run: run["method"] + "-" + run.get("solver", ""))


def explicit_jacobian(W, a, b, X):
    products = X @ W.T
    fires = products >= b  # (n, m)
    return ((fires * a)[:, :, None] * X[:, None, :]).reshape(len(X), -1) / math.sqrt(len(a))


def condition_number(W, b, X):
    """Of G = K o C / m."""
    products = W @ X.T
    fires = (products >= b).astype(float)
    eigenvalues = np.linalg.eigvalsh((X @ X.T) * (fires.T @ fires))
    return eigenvalues[-1] / eigenvalues[0] if eigenvalues[0] > 0 else np.inf


# Gauss-Newton


def assert_variants_agree(data, num_iterations, max_condition, **settings):
    """Step all variants side by side; firing sets are those of a scan of each one's own weights."""
    trainers = {
        (search, solver): Trainer(data, TrainConfig(search=search, solver=solver, **settings))
        for search, solver in VARIANTS
    }
    reference, condition, num_compared = trainers["dense", "exact"], 0.0, 0
    for _ in range(num_iterations):
        own = {variant: trainer.weights() for variant, trainer in trainers.items()}
        W, b = own["dense", "exact"], reference.threshold
        condition = max(condition, condition_number(W, b, data.X))
        records = {variant: trainer.step() for variant, trainer in trainers.items()}
        expected = records["dense", "exact"]
        for variant, record in records.items():
            scan, products = dense_scan(own[variant], data.X, b), own[variant] @ data.X.T
            if np.abs(products - b).min() > 1e-9:
                assert same_sets(record.firing, scan), f"{variant}, iteration {record.iteration}: a scan of its weights"
        if expected.iteration and (condition >= max_condition or expected.loss <= 1e-8):
            break
        num_compared += 1
        for variant, record in records.items():
            where = f"{variant}, iteration {expected.iteration}, condition {condition:.1e}, loss {expected.loss:.1e}"
            assert record.loss == pytest.approx(expected.loss, rel=1e-9), where
            if np.abs(W @ data.X.T - b).min() > 1e-9:
                assert same_sets(record.firing, expected.firing), where
                assert np.array_equal(record.touched, expected.touched), where
                assert record.unlearnable == expected.unlearnable, where
        if condition >= max_condition:
            break
    return num_compared


GRID = [
    ("sphere", {"num_points": 12, "dimension": 8}, 256, None),
    ("digits", {"num_points": 24}, 512, None),
    ("circle", {"num_points": 8}, 300, None),
    ("moons", {"num_points": 12}, 513, 0.5),
    ("breast-cancer", {"num_points": 16}, 1024, None),
    ("xor", {"num_points": 10}, 400, 0.0),
]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "options", "width", "threshold"), GRID, ids=[row[0] for row in GRID])
def test_all_engines_and_solvers_agree(name, options, width, threshold, seed):
    data = load_dataset(name, seed=seed, **options)
    compared = assert_variants_agree(data, 8, 1e6, width=width, threshold=threshold, seed=seed)
    assert compared >= 1


@settings(max_examples=30)
@given(
    width=st.one_of(st.integers(1, 4), st.integers(5, 60)),
    num_points=st.integers(1, 7),
    dimension=st.integers(1, 5),
    threshold=st.one_of(st.none(), st.floats(0.0, 3.0)),
    duplicated=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_small_problems_agree(width, num_points, dimension, threshold, duplicated, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, dimension))
    if duplicated:
        X[-1] = X[0]
    data = Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), rng.standard_normal(num_points))
    assert_variants_agree(data, 4, 1e4, width=width, threshold=threshold, seed=seed)


@pytest.mark.parametrize(("search", "solver"), VARIANTS)
def test_singular_steps_are_those_of_the_textbook(search, solver):
    """Duplicates with one target and with two, silent points: the minimum-norm move from the trainer's own state."""
    rows = sphere(6, 4, 3).X[[0, 1, 2, 0, 3, 1, 4, 5]]
    data = Dataset(rows, np.array([1.0, -1.0, 2.0, 1.0, 0.5, 3.0, -2.0, 1.0]))
    trainer = Trainer(data, TrainConfig(width=40, threshold=1.4, search=search, solver=solver, seed=2))
    for _ in range(5):
        W, a, b = trainer.weights(), trainer.output_signs, trainer.threshold
        residual = outputs_of(W, a, b, data.X) - data.y
        move = np.linalg.lstsq(explicit_jacobian(W, a, b, data.X), residual, rcond=1e-10)[0]
        trainer.step()
        assert np.allclose(trainer.weights(), W - move.reshape(W.shape), rtol=0, atol=1e-9)


def test_neuron_trees_have_the_bits_of_the_forest():
    """They hold the same leaves and hand over the same pairs in the same order, so no round-off tells them apart."""
    data = load_dataset("digits", num_points=20)
    for run in RUNS:
        forest, trees = (Trainer(data, TrainConfig(width=200, search=s, **run)) for s in ("forest", "neuron-trees"))
        for _ in range(6):
            left, right = forest.step(), trees.step()
            for name in ("loss", "outputs", "dual_step", "touched"):
                assert np.array_equal(getattr(left, name), getattr(right, name)), (run, name)
            assert same_sets(left.firing, right.firing)
            trees._engine.trees._check()
            assert np.array_equal(forest.forest.leaves, trees._engine.trees.values[:, data.num_points :])
        assert np.array_equal(forest.weights(), trees.weights())


# What an engine reports


@each_search
@pytest.mark.parametrize("width", [1, 50, BLOCK_ROWS + 3])
def test_a_batch_is_a_part_of_the_whole(search, width):
    data, b = sphere(9, 4, 2), 1.1
    config = TrainConfig(width=width, threshold=b, search=search, method="sgd", batch_size=3, seed=1)
    network, rng = WholeNetwork(data.X, 1, width), np.random.default_rng(0)
    engine, signs = find_engine(search)(data, network, config, Ledger()), output_signs(1, width)
    for _ in range(3):
        W = engine.weights(None)
        whole, expected = engine.evaluate(Ledger()), dense_scan(W, data.X, b)
        assert same_sets(whole.firing.sets(), expected)
        assert np.allclose(whole.outputs, outputs_of(W, signs, b, data.X), rtol=0, atol=1e-12)
        assert np.array_equal(whole.jacobian.counts, whole.firing.counts)
        for size in (1, 2, 8, 9):
            batch = np.sort(rng.permutation(9)[:size])
            part = engine.evaluate(Ledger(), batch)
            none = np.empty(0, dtype=np.int32)
            assert same_sets(part.firing.sets(), [expected[i] if i in batch else none for i in range(9)])
            assert part.firing.num_points == 9 and part.outputs.shape == (9,)
            assert np.allclose(part.outputs[batch], whole.outputs[batch], rtol=0, atol=1e-12)
            assert not np.delete(part.outputs, batch).any()
            assert part.jacobian.counts.tolist() == [expected[i].size if i in batch else 0 for i in range(9)]
            assert part.visited_levels.shape == whole.visited_levels.shape
        dual = np.zeros(9)
        dual[batch] = rng.standard_normal(batch.size)
        if part.firing.num_pairs:
            engine.move(part, dual, Ledger())
            change = (explicit_jacobian(W, signs, b, data.X).T @ dual).reshape(W.shape)
            assert np.allclose(engine.weights(None), W - change, rtol=0, atol=1e-12)


@pytest.mark.parametrize("search", ["forest", "neuron-trees"])
def test_a_sparse_jacobian_of_a_batch_is_that_of_its_datapoints(search):
    data, width, batch = sphere(7, 3, 1), 40, np.array([1, 4, 6])
    config = TrainConfig(width=width, search=search, threshold=0.5, method="sgd")
    engine = find_engine(search)(data, WholeNetwork(data.X, 0, width), config, Ledger())
    whole, part = (engine.evaluate(Ledger(), wanted).jacobian.overlaps() for wanted in (None, batch))
    assert np.array_equal(part[np.ix_(batch, batch)], whole[np.ix_(batch, batch)])
    assert np.count_nonzero(part) == np.count_nonzero(whole[np.ix_(batch, batch)])


@pytest.mark.parametrize("search", ["dense", "compact"])
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_overlaps_are_summed_while_evaluating_where_every_solve_needs_them(search, method, solver, monkeypatch):
    places = []

    def noted(place):
        return lambda *masks: places.append(place) or mask_product(*masks)

    for place in ("search.dense", "solve.jacobian"):
        monkeypatch.setattr(f"treeviz.{place}.mask_product", noted(place))
    config = TrainConfig(width=80, search=search, method=method, solver=solver)
    Trainer(sphere(6, 3, 0), config).run(2, until_loss=0.0)
    assert places == ["search.dense"] * 2 * (method == "gauss-newton" and solver == "exact")


@given(
    num_neurons=st.integers(1, 40),
    num_points=st.integers(1, 12),
    wanted=st.sets(st.integers(0, 11), max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_query_of_some_trees_equals_single_queries(num_neurons, num_points, wanted, seed):
    rng = np.random.default_rng(seed)
    forest = Forest(rng.integers(-2, 3, size=(num_neurons, num_points)).astype(float))
    trees = np.array([tree for tree in wanted if tree < num_points], dtype=np.int64)
    rng.shuffle(trees)
    for threshold in (-3.0, 0.0, 1.0, 2.0, 3.0):
        found = forest.query_all(threshold, trees)
        sets = found.firing.sets()
        for tree in range(num_points):
            single = forest.query(tree, threshold)
            asked = tree in trees
            assert sets[tree].tolist() == (single.neurons.tolist() if asked else [])
            assert found.num_visited[tree] == (single.visited.size if asked else 0)
        pairs = np.repeat(found.firing.neurons, found.firing.degrees), found.firing.points
        assert np.array_equal(found.products, forest.leaves[pairs])
        assert found.visited_levels.shape == (num_points, forest.num_levels)


@pytest.mark.parametrize("points", [[-1], [3], [0, 1, 5]])
def test_a_tree_that_is_not_there_is_a_value_error(points):
    with pytest.raises(ValueError, match="points must be between 0 and 2"):
        Forest(np.zeros((4, 3))).query_all(0.0, np.array(points))


# The ledger, by hand: the network of test_ledger.py
#   neuron   point 0   point 1   fires on
#   0           3        -1      0
#   1           1 (tie)   1.5    0, 1
#   2          -2         2      1
#   3           0        -3      nothing

LEAVES = np.array([[3.0, -1.0], [1.0, 1.5], [-2.0, 2.0], [0.0, -3.0]])
SIGNS = np.array([1.0, 1.0, -1.0, 1.0])


@pytest.fixture
def make_engine():
    def make(engine_class, **settings):
        ledger = Ledger()
        config = TrainConfig(width=4, threshold=1.0, **{"solver": "exact", **settings})
        data = Dataset(np.eye(2), np.ones(2))
        return engine_class(data, GivenNetwork(LEAVES, SIGNS, data.X), config, ledger), ledger

    return make


def test_compaction_by_hand(make_engine):
    engine, ledger = make_engine(CompactEngine)
    # 4 * 2 * 2 multiply-adds, 4 * 2 comparisons, 3 neurons of 2 numbers kept.
    assert ledger.costs == {"build": 16 + 8 + 6} and compaction_operations(4, 2, 2, 3) == 30
    assert ledger.seconds.keys() == {"build"} and ledger.seconds["build"] >= 0
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    # As the dense method with 3 neurons: 3 * 2 * 2 products and 3 * 2 comparisons; 3 * 2 entries and 2 datapoints.
    assert ledger.costs == {"search": 18, "forward": 8}
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0, 1], [1, 2]]
    assert sensed.outputs.tolist() == [1.0, -0.25] and sensed.visited_levels.shape == (2, 0)
    assert (sensed.jacobian.num_pairs, sensed.jacobian.overlap_operations, sensed.jacobian.width) == (6, 9, 4)
    assert sensed.jacobian.overlaps().tolist() == [[2, 1], [1, 2]]
    ledger = Ledger()
    assert engine.move(sensed, np.array([2.0, -2.0]), ledger).shape == (2, 0)
    # 3 * 2 entries are looked at, 3 rows changed by 2 datapoints in 2 dimensions.
    assert ledger.costs == {"move": 6 + 12}
    assert engine._kept.W.tolist() == [[2.0, -1.0], [0.0, 2.5], [-2.0, 1.0]]


def test_the_table_by_hand(make_engine):
    engine, ledger = make_engine(TableEngine)
    # 4 * 2 * 2 multiply-adds, 4 * 2 comparisons, 3 neurons of 2 inner products kept; none of it is a tree node.
    assert ledger.costs == {"build": 16 + 8 + 6} and table_build_operations(4, 2, 2, 3) == 30
    assert ledger.nodes == {} and ledger.seconds.keys() == {"build"} and ledger.seconds["build"] >= 0
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    # All 3 * 2 numbers are compared. Forward: 4 pairs and 2 datapoints.
    assert ledger.costs == {"search": 6, "forward": 6} and ledger.nodes == {}
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0, 1], [1, 2]]
    assert sensed.outputs.tolist() == [1.0, -0.25] and sensed.visited_levels.shape == (2, 0)
    assert (sensed.jacobian.num_pairs, sensed.jacobian.overlap_operations) == (4, 6)
    ledger = Ledger()
    assert engine.move(sensed, np.array([2.0, -2.0]), ledger).shape == (2, 0)
    # 4 coefficients; 4 pairs * 2 columns, and 3 rows of 2 numbers written.
    assert ledger.costs == {"move": 4, "repair": 8 + 6} and ledger.nodes == {}
    assert engine._table.neurons.tolist() == [0, 1, 2]
    assert engine._table.values.tolist() == [[2.0, -1.0], [0.0, 2.5], [-2.0, 1.0]]
    # Datapoint 0 fires on neuron 0 alone now: only its row is written, and the whole table is compared as before.
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0], [1, 2]]
    engine.move(sensed, np.array([2.0, 0.0]), ledger)
    assert ledger.costs == {"search": 6, "forward": 5, "move": 3, "repair": 3 * 2 + 3 * 2}


def test_dense_products_with_a_sparse_rest_by_hand(make_engine):
    engine, ledger = make_engine(SparseRestEngine)
    assert ledger.costs == {}
    sensed = engine.evaluate(ledger)
    # 4 * 2 * 2 products and 4 * 2 comparisons. Forward: 4 pairs and 2 datapoints.
    assert ledger.costs == {"search": 24, "forward": 6}
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0, 1], [1, 2]]
    assert sensed.outputs.tolist() == [1.0, -0.25] and sensed.visited_levels.shape == (2, 0)
    assert (sensed.jacobian.num_pairs, sensed.jacobian.overlap_operations) == (4, 6)
    ledger = Ledger()
    assert engine.move(sensed, np.array([2.0, -2.0]), ledger).shape == (2, 0)
    # 4 pairs of 2 numbers.
    assert ledger.costs == {"move": 8}
    assert engine._W.tolist() == [[2.0, -1.0], [0.0, 2.5], [-2.0, 1.0], [0.0, -3.0]]


def test_nodes_are_counted_apart_by_hand(make_engine):
    """Of the forest and the neuron trees: what of the operations in the tests here and in test_ledger.py is nodes."""
    for engine_class, built, searched, repaired in ((ForestEngine, 14, 12, 12), (NeuronTreesEngine, 12, 10, 9)):
        engine, ledger = make_engine(engine_class)
        assert ledger.nodes == {"build": built} and ledger.costs == {"build": 16 + built}
        ledger = Ledger()
        engine.move(engine.evaluate(ledger), np.array([2.0, -2.0]), ledger)
        assert ledger.nodes == {"search": searched, "repair": repaired}
        assert ledger.costs["search"] == searched and ledger.costs["repair"] == 8 + repaired


def test_neuron_trees_by_hand(make_engine):
    engine, ledger = make_engine(NeuronTreesEngine)
    # 4 * 2 * 2 multiply-adds, and 4 trees of 3 nodes.
    assert ledger.costs == {"build": 16 + 12} and neuron_trees_build_operations(4, 2, 2) == 28
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    # 4 roots, and two leaves below each of the three that are >= 1. Forward: 4 pairs and 2 datapoints.
    assert ledger.costs == {"search": 10, "forward": 6}
    assert sensed.visited_levels.tolist() == [[4, 6]]
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0, 1], [1, 2]]
    assert sensed.outputs.tolist() == [1.0, -0.25]
    ledger = Ledger()
    modified_levels = engine.move(sensed, np.array([2.0, -2.0]), ledger)
    assert engine.trees.values[:, 2:].tolist() == [[2.0, -1.0], [0.0, 2.5], [-2.0, 1.0], [0.0, -3.0]]
    # Roots: 3 to 2, 1.5 to 2.5, 2 to 1. Leaves: one of neuron 0, two of 1, one of 2.
    assert modified_levels.tolist() == [[3, 4]]
    # 4 coefficients; 4 pairs * 2 leaves, and 3 trees of 3 nodes rebuilt.
    assert ledger.costs == {"move": 4, "repair": 8 + 9}


@pytest.mark.parametrize(
    ("engine_class", "sensed", "moved"),
    [
        # Tree 1 alone: its three inner nodes pass, 7 nodes; pairs (1, 1) and (2, 1). Rows 2, 3, 1 of both trees.
        (ForestEngine, {"search": 7, "forward": 3}, {"move": 2, "repair": 2 * 2 + (2 + 3) * 2}),
        # All roots are looked at, and the trees hold both datapoints.
        (NeuronTreesEngine, {"search": 10, "forward": 3}, {"move": 2, "repair": 2 * 2 + 2 * 3}),
        # 4 neurons, 1 datapoint: 8 products, 4 comparisons; 2 rows change.
        (DenseEngine, {"search": 12, "forward": 5}, {"move": 4 + 2 * 2}),
        (CompactEngine, {"search": 9, "forward": 4}, {"move": 3 + 2 * 2}),
        # 4 neurons, 1 datapoint: 8 products, 4 comparisons; 2 pairs of 2 numbers.
        (SparseRestEngine, {"search": 12, "forward": 3}, {"move": 2 * 2}),
        # A column of 3 numbers; 2 pairs in both columns, 2 rows written in both columns.
        (TableEngine, {"search": 3, "forward": 3}, {"move": 2, "repair": 2 * 2 + 2 * 2}),
    ],
)
def test_a_batch_by_hand(make_engine, engine_class, sensed, moved):
    engine, _ = make_engine(engine_class, method="sgd", batch_size=1)
    engine.evaluate(Ledger())
    ledgers = Ledger(), Ledger()
    look = engine.evaluate(ledgers[0], np.array([1]))
    assert [neurons.tolist() for neurons in look.firing.sets()] == [[], [1, 2]]
    engine.move(look, np.array([0.0, 0.5]), ledgers[1])
    assert (ledgers[0].costs, ledgers[1].costs) == (sensed, moved)


@pytest.mark.parametrize(
    ("engine_class", "overlaps"),
    [
        (ForestEngine, 6),
        (NeuronTreesEngine, 6),
        (SparseRestEngine, 6),
        (TableEngine, 6),
        (DenseEngine, 12),
        (CompactEngine, 9),
    ],
)
def test_the_step_rule_by_hand(make_engine, engine_class, overlaps):
    """K = 1 and C_ii = 2: G = diag(2, 2) / 4, largest eigenvalue 1/2."""
    engine, _ = make_engine(engine_class, method="sgd", batch_size=1)
    for batch_size, extra in ((None, 0), (1, 4)):
        ledger = Ledger()
        assert safe_step_size(engine.evaluate(Ledger()).jacobian, batch_size, ledger) == 2.0
        # C, 2^2 entries of G, 2 * 2^3 / 3 rounded up, and the row sums for mini-batches.
        assert ledger.costs == {"solve": overlaps + 4 + 6 + extra}


def test_costs_of_whole_runs_are_sums_by_hand():
    data, width, b = sphere(6, 3, 4), 25, 0.6
    m, n, d = width, 6, 3
    fires = initial_weights(0, m, d) @ data.X.T >= b
    kept = int(fires.any(axis=1).sum())
    assert 0 < kept < m
    compact, trees, table, mixed = (
        Trainer(data, TrainConfig(width=m, threshold=b, search=search, solver="exact"))
        for search in ("compact", "neuron-trees", "table", "dense-sparse")
    )
    assert compact.trace.build_costs == {"build": m * n * d + m * n + kept * d}
    assert trees.trace.build_costs == {"build": m * n * d + m * (2 * n - 1)}
    assert table.trace.build_costs == {"build": m * n * d + m * n + kept * n} and mixed.trace.build_costs == {}
    for _ in range(4):
        record = compact.step()
        touched = record.touched.size
        assert record.costs == {
            "search": kept * n * (d + 1),
            "forward": kept * n + n,
            "jacobian": kept * n,
            "solve": kept * n * (n + 1) // 2 + n**2 + math.ceil(n**3 / 3) + n**2,
            "move": kept * n + touched * n * d,
        }
        values = trees._engine.trees.values.copy()
        record = trees.step()
        pairs = sum(fired.size for fired in record.firing)
        degrees = np.bincount(np.concatenate(record.firing))
        assert record.costs == {
            "search": m + 2 * int((values[:, 1:n] >= b).sum()),
            "forward": pairs + n,
            "jacobian": pairs,
            "solve": int((degrees**2).sum()) + n**2 + math.ceil(n**3 / 3) + n**2,
            "move": pairs,
            "repair": pairs * n + record.touched.size * (2 * n - 1),
        }
        shared = {phase: record.costs[phase] for phase in ("forward", "jacobian", "solve")}
        assert table.step().costs == shared | {
            "search": kept * n,
            "move": pairs,
            "repair": pairs * n + record.touched.size * n,
        }
        assert mixed.step().costs == shared | {"search": m * n * (d + 1), "move": pairs * d}


# Replay and files


def live_leaves(trace):
    """Yield the values of a forest that makes a run's moves, before each move and after the last."""
    config, X = trace.config, trace.dataset.X
    blocks = leaf_blocks(X, initial_weight_blocks(config.seed, config.width, X.shape[1]))
    forest, signs = Forest.from_blocks(config.width, len(X), blocks), output_signs(config.seed, config.width)
    yield forest.values.copy()
    for record in trace.records:
        firing = FiringSets.from_sets(record.firing)
        forest.add_product(firing, pair_steps(firing, record.dual_step, signs), X @ X.T)
        yield forest.values.copy()


@each_search
@each_run
def test_replay_has_the_bits_of_a_live_forest(search, run, tmp_path):
    data = load_dataset("digits", num_points=9)
    config = TrainConfig(width=70, threshold=0.8, search=search, seed=4, **run)
    trainer = Trainer(data, config)
    live = []
    for _ in range(8):
        if search == "forest":
            live.append(trainer.forest.values.copy())
        elif search == "neuron-trees":
            live.append(trainer._engine.trees.values[:, 9:].copy())
        trainer.step()
    trace = trainer.trace
    expected = list(live_leaves(trace))
    for moment, values in enumerate(live):
        assert np.array_equal(values, expected[moment] if search == "forest" else expected[moment][70:])
    if search == "neuron-trees":  # and they are the forest's own
        forest = Trainer(data, dataclasses.replace(config, search="forest"))
        forest.run(8, until_loss=0.0)
        assert np.array_equal(forest.forest.values, expected[len(forest.trace.records)])
    path = tmp_path / "run.npz"
    trace.save(path)
    for source in (trace, Trace.load(path)):
        for moment in (3, 0, 8, 5):
            for point in (0, 4, 8):
                assert np.array_equal(source.tree_values(point, moment), expected[moment][:, point])
            neurons = np.array([0, 7, 8, 33, 69])
            assert np.array_equal(source.leaf_rows(neurons, moment), expected[moment][70 + neurons])
            assert np.array_equal(source.leaf_rows(np.arange(70), moment), expected[moment][70:])
        step = source.replay(2, 4)
        assert np.array_equal(step.before, expected[4][:, 2]) and np.array_equal(step.after, expected[5][:, 2])
        assert np.array_equal(step.modified, np.flatnonzero(expected[4][:, 2] != expected[5][:, 2]))
        if search in ("forest", "neuron-trees"):
            assert step.firing.tolist() == trace.records[4].firing[2].tolist()


def test_a_loaded_sgd_run_draws_the_network_once_for_all_neurons_that_move(tmp_path, monkeypatch):
    """A redraw keeps the rows of all neurons that ever move, and of their siblings: 0 and 1, 2 and 3, and so on."""
    trainer = Trainer(sphere(12, 4), TrainConfig(width=60, threshold=0.9, method="sgd", batch_size=1, step_size=None))
    trainer.run(24, until_loss=0.0)
    trainer.trace.save(tmp_path / "run.npz")
    trace, num_draws = Trace.load(tmp_path / "run.npz"), 0

    def counted(*arguments):
        nonlocal num_draws
        num_draws += 1
        return leaf_blocks(*arguments)

    monkeypatch.setattr("treeviz.model.network.leaf_blocks", counted)
    for neuron in np.unique(np.concatenate([record.touched for record in trace.records])):
        trace.leaf_rows([neuron], 24)
        trace.leaf_rows([neuron ^ 1], 24)
    assert num_draws == 1


def assert_same_field(left, right, name):
    if isinstance(left, np.ndarray):
        assert left.dtype == right.dtype and np.array_equal(left, right, equal_nan=True), name
    elif isinstance(left, tuple):
        assert len(left) == len(right), name
        for a, b in zip(left, right, strict=True):
            assert_same_field(a, b, name)
    elif dataclasses.is_dataclass(left):
        for field in dataclasses.fields(left):
            if not field.init:  # a cached view
                continue
            assert_same_field(getattr(left, field.name), getattr(right, field.name), f"{name}.{field.name}")
    else:
        assert left == right and type(left) is type(right), name


@each_search
@each_run
@pytest.mark.parametrize(("threshold", "num_steps"), [(0.7, 0), (0.7, 1), (None, 7), (50.0, 2)])
def test_every_field_survives_a_file(search, run, threshold, num_steps, tmp_path):
    trainer = Trainer(sphere(5, 3, 1), TrainConfig(width=33, threshold=threshold, search=search, **run))
    for _ in range(num_steps):
        trainer.step()
    path = tmp_path / "run.npz"
    trainer.trace.save(path)
    loaded = Trace.load(path)
    assert loaded.config == trainer.config
    for name in ("build_costs", "build_seconds", "draw_seconds"):
        assert getattr(loaded, name) == getattr(trainer.trace, name)
    assert len(loaded.records) == num_steps
    for left, right in zip(trainer.trace.records, loaded.records, strict=True):
        assert_same_field(left, right, "record")
        assert trainer.trace.dense_costs(left) == loaded.dense_costs(right)
    again = tmp_path / "again.npz"
    loaded.save(again)
    assert len(Trace.load(again).records) == num_steps


# Weights and predictions


@each_search
@each_run
def test_predictions_are_a_dense_evaluation(search, run):
    data = sphere(7, 4, 1)
    trainer = Trainer(data, TrainConfig(width=90, search=search, seed=2, **run))
    rng = np.random.default_rng(0)
    for num_steps in (0, 1, 5):
        for _ in range(num_steps):
            trainer.step()
        W, a, b = trainer.weights(), trainer.output_signs, trainer.threshold
        for num_points in (0, 1, 2, 63, 64, 65, 200):
            X = rng.standard_normal((num_points, 4))
            X /= np.linalg.norm(X, axis=1, keepdims=True)
            assert np.allclose(trainer.predict(X), outputs_of(W, a, b, X), rtol=0, atol=1e-12)
            assert trainer.predict(X).shape == (num_points,)
        blocks = [(first, rows.copy()) for first, rows in trainer._engine.weight_blocks()]
        assert np.array_equal(np.concatenate([rows for _, rows in blocks]), W)
        neurons = np.array([89, 0, 5, 5, 17])
        assert np.allclose(trainer.weights(neurons), W[neurons], rtol=0, atol=1e-14)
        before = trainer.predict(data.X)
        assert np.allclose(trainer.step().outputs, before, rtol=0, atol=1e-11), "prediction is what comes next"
    for wrong in (np.zeros(4), np.zeros((3, 5)), np.zeros((2, 2, 4))):
        with pytest.raises(ValueError, match="X must have shape"):
            trainer.predict(wrong)


@each_search
def test_predictions_cross_blocks(search):
    data, width = sphere(5, 3, 3), 2 * BLOCK_ROWS + 5
    trainer = Trainer(data, TrainConfig(width=width, search=search, method="sgd", batch_size=2, step_size=None))
    trainer.run(4, until_loss=0.0)
    X = sphere(70, 3, 9).X
    W = trainer.weights()
    assert np.allclose(
        trainer.predict(X), outputs_of(W, trainer.output_signs, trainer.threshold, X), rtol=0, atol=1e-11
    )
    neurons = np.array([width - 1, 0, BLOCK_ROWS, BLOCK_ROWS - 1, 2 * BLOCK_ROWS])
    assert np.allclose(trainer.weights(neurons), W[neurons], rtol=0, atol=1e-13)
    never = np.setdiff1d(np.arange(width), np.concatenate(trainer.trace.records[0].firing))
    assert np.array_equal(W[never], initial_weights(0, width, 3, never))


# The trainer, whatever the engine


@each_search
@each_run
def test_runs_without_records_are_the_same(search, run):
    data = sphere(8, 4, 2)
    config = TrainConfig(width=60, search=search, **run)
    kept, lost = Trainer(data, config), Trainer(data, config, keep_records=False)
    seen = []
    kept.run(12, until_loss=0.0)
    assert lost.run(12, until_loss=0.0, on_step=seen.append) is lost.trace
    assert [record.loss for record in seen] == kept.trace.losses.tolist()
    assert [record.iteration for record in seen] == list(range(len(seen)))
    assert lost.trace.records == [] and lost.trace.losses.size == 0
    assert lost.stop_reason == kept.stop_reason
    assert np.array_equal(lost.weights(), kept.weights())
    assert lost.trace.build_costs == kept.trace.build_costs


class ScanEngine(Engine):
    """The textbook: explicit weights, a scan of all of them, nothing counted."""

    def __init__(self, data, network, config, ledger):
        self.X, self.signs, self.config = data.X, np.asarray(network.signs), config
        self.W, self.draw_seconds = network.weights(), 0.0

    @property
    def num_bytes(self):
        return 0

    @staticmethod
    def required_bytes(width, num_points, dimension, threshold=None):
        return 0

    def evaluate(self, ledger, batch=None):
        products = self.W @ self.X.T
        asked = np.isin(np.arange(len(self.X)), np.arange(len(self.X)) if batch is None else batch)
        fires = (products >= self.config.resolved_threshold) & asked
        firing = FiringSets.from_pairs(*np.nonzero(fires), len(self.X))
        outputs = self.signs @ np.where(fires, products - self.config.resolved_threshold, 0.0)
        jacobian = SparseJacobian(firing, self.X, self.signs.size)
        return Evaluation(
            lambda: firing, outputs / math.sqrt(self.signs.size), jacobian, np.zeros((len(self.X), 0), dtype=int)
        )

    def move(self, evaluation, dual_step, ledger):
        firing = evaluation.firing
        self.W[firing.neurons] += firing.matrix(pair_steps(firing, dual_step, self.signs)) @ self.X
        return np.zeros((dual_step.size, 0), dtype=int)

    def weights(self, neurons):
        return self.W.copy() if neurons is None else self.W[neurons]

    def weight_blocks(self):
        yield 0, self.W


@each_run
def test_an_engine_of_ones_own(run, tmp_path):
    data = sphere(8, 4, 3)
    config = TrainConfig(width=80, threshold=0.6, search="dense", **run)
    own, dense = Trainer(data, config, engine_class=ScanEngine), Trainer(data, config)
    assert isinstance(own._engine, ScanEngine) and own.num_bytes == 0
    for _ in range(6):
        left, right = own.step(), dense.step()
        if right.loss < 1e-8:
            break
        assert left.loss == pytest.approx(right.loss, rel=1e-9) and same_sets(left.firing, right.firing)
        assert np.allclose(own.predict(data.X), dense.predict(data.X), rtol=0, atol=1e-9)
    own.trace.save(tmp_path / "run.npz")
    loaded = Trace.load(tmp_path / "run.npz")
    assert loaded.losses.tolist() == own.trace.losses.tolist()
    with pytest.raises(AttributeError):
        own.forest  # noqa: B018


@pytest.mark.parametrize("search", ["dense", "dense-sparse"])
def test_threads_draw_the_weights_of_the_seed(search, monkeypatch):
    monkeypatch.setattr("treeviz.search.compiled.num_threads", lambda: 3)
    data = load_dataset("sphere", num_points=4)
    width = (1 << 18) // data.dimension + 5  # so that parts begin and end within a block
    trainer = Trainer(data, TrainConfig(width=width, search=search, seed=3))
    assert np.array_equal(trainer.weights(), initial_weights(3, width, data.dimension))


@pytest.mark.parametrize(("search", "engine_class"), [("forest", DenseEngine), ("dense", ForestEngine)])
def test_a_run_of_another_engine_can_be_saved(search, engine_class, tmp_path):
    trainer = Trainer(sphere(), TrainConfig(width=32, search=search), engine_class=engine_class)
    trainer.run(2)
    trainer.trace.save(tmp_path / "run.npz")
    assert len(Trace.load(tmp_path / "run.npz").records) == 2


@each_search
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("step_size", [5e-324, 1e-300, 1e-20, 1e20, 1e90, 1e150, 1e300, 1.7e308])
def test_extreme_step_sizes_give_no_nan(search, method, step_size):
    data = sphere(6, 3, 7)
    trainer = Trainer(
        data, TrainConfig(width=40, threshold=0.5, search=search, method=method, step_size=step_size, batch_size=2)
    )
    for _ in range(8):
        record = trainer.step()
        for name in ("loss", "outputs", "residual", "dual_step"):
            assert np.isfinite(getattr(record, name)).all(), name
        assert record.status
    assert np.isfinite(trainer.weights()).all() and np.isfinite(trainer.predict(data.X)).all()
    if step_size >= 1e20:
        assert "diverg" in trainer.stop_reason and "step_size" in trainer.stop_reason


@each_search
@pytest.mark.parametrize("method", METHODS)
def test_the_reasons_to_stop(search, method):
    def trained(data, num_steps, **settings):
        trainer = Trainer(
            data, TrainConfig(**{"width": 40, "search": search, "method": method, "batch_size": 2, **settings})
        )
        trainer.run(num_steps, until_loss=0.0)
        return trainer

    silent = trained(sphere(), 50, threshold=60.0, step_size=None)
    assert "no neuron fires" in silent.stop_reason and len(silent.trace.records) == 1
    assert "threshold" in silent.stop_reason

    huge = trained(sphere(), 50, threshold=0.5, step_size=1e30)
    assert "diverg" in huge.stop_reason and "step_size" in huge.stop_reason
    assert len(huge.trace.records) < 50, "a run whose moves are refused goes no further"

    X = sphere(3, 3, 1).X[[0, 0, 1]]
    at_once = Trainer(Dataset(X, np.zeros(3)), TrainConfig(width=40, search=search))
    learned = Dataset(X, at_once.predict(X))
    outputs = Trainer(learned, TrainConfig(width=40, search=search)).step().outputs  # to the last bit of this engine
    exact = trained(Dataset(X, outputs), 50)
    assert exact.stop_reason == "every datapoint that can be learned is learned exactly"
    assert len(exact.trace.records) == 1 and exact.trace.records[0].loss == 0.0

    fine = Trainer(sphere(8, 6), TrainConfig(width=400, search=search, method=method, step_size=None))
    fine.step()
    assert fine.stop_reason == ""


@pytest.mark.parametrize(
    ("search", "method"), [*itertools.product(SEARCHES, ("gauss-newton", "gradient-descent")), ("dense", "sgd")]
)
def test_a_stall_is_a_reason_to_stop(search, method):
    """Two targets at one input: the loss stops at a quarter of the squared difference."""
    X = sphere(2, 2, 1).X[[0, 0, 1]]
    settings = {"width": 30, "threshold": 0.1, "method": method, "search": search, "step_size": None, "batch_size": 3}
    trainer = Trainer(Dataset(X, np.array([1.0, -1.0, 1.0])), TrainConfig(**settings), keep_records=False)
    for _ in range(2100):
        record = trainer.step()
        if trainer.stop_reason:
            break
    assert "stalled" in trainer.stop_reason and trainer.stop_reason in record.status
    assert record.loss == pytest.approx(1.0, rel=0.02)
    assert {0, 1} <= set(record.unlearnable)


@each_search
def test_gradient_descent_that_rises_is_not_called_finished(search):
    config = TrainConfig(width=60, threshold=0.2, method="gradient-descent", search=search, step_size=1e4)
    trainer = Trainer(sphere(6, 3, 2), config)
    trainer.run(30)
    assert "learned" not in trainer.stop_reason


@pytest.mark.parametrize("step_size", [4.0, 6.0])
def test_a_loss_that_rises_is_not_called_stalled(step_size):
    settings = {"width": 60, "threshold": 0.2, "method": "gradient-descent", "step_size": step_size}
    trainer = Trainer(sphere(6, 3, 2), TrainConfig(**settings))
    for _ in range(12):
        record = trainer.step()
        losses = trainer.trace.losses
        if losses.size >= 5 and losses[-1] > 2 * losses[-5]:
            assert "stalled" not in record.status and "widen" not in trainer.stop_reason


# Memory


@each_search
def test_bytes_are_at_least_the_arrays_named(search):
    data, m, n, d = sphere(10, 6, 1), 3000, 10, 6
    trainer = Trainer(data, TrainConfig(width=m, search=search))
    trainer.run(2, until_loss=0.0)
    fires = initial_weights(0, m, d) @ data.X.T >= trainer.threshold
    num_kept = int(fires.any(axis=1).sum())
    coefficients = 8 * num_kept * n
    at_least = {
        "forest": 8 * 2 * m * n + coefficients,
        "neuron-trees": 8 * 2 * m * n + coefficients,
        "dense": 8 * m * d + 4 * m * n,
        "dense-sparse": 8 * m * d + 8 * m * n,
        "compact": 8 * num_kept * d + 4 * num_kept * n + 8 * num_kept,
        "table": 8 * num_kept * (n + 1) + coefficients,
        "watch": 23 * num_kept + 18 * int(fires.sum()),
    }[search]
    assert at_least <= trainer.num_bytes <= find_engine(search).required_bytes(m, n, d) + 8 * 8192 * n + 16 * m


@pytest.mark.parametrize("search", [search for search in SEARCHES if search != "watch"])  # for that, see test_watch.py
def test_a_run_takes_no_more_memory_than_it_asks_for(search):
    data, m, settings = sphere(10, 6, 1), 65_536, {"search": search, "solver": "exact"}
    Trainer(data, TrainConfig(width=64, **settings)).step()  # loads what is loaded once
    tracemalloc.start()
    Trainer(data, TrainConfig(width=m, **settings)).step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * find_engine(search).required_bytes(m, 10, 6)


def test_compaction_keeps_little_where_few_fire():
    data, sizes = sphere(10, 6, 1), {}
    for search in SEARCHES:
        sizes[search] = Trainer(data, TrainConfig(width=20_000, threshold=3.0, search=search)).num_bytes
    assert sizes["compact"] < 0.1 * sizes["dense"] and sizes["dense"] < sizes["forest"]
    nobody = Trainer(data, TrainConfig(width=2000, threshold=30.0, search="compact"))
    assert nobody.num_bytes == 0
    assert sizes["watch"] < 0.1 * sizes["dense"]
    assert "no neuron fires" in nobody.step().status
