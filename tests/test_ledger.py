"""The ledger against counts made by hand, on one network small enough to follow with a pencil."""

import math

import numpy as np
import pytest
from given_network import GivenNetwork

from treeviz import Dataset
from treeviz.model import ledger as ledger_module
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import (
    Ledger,
    Stopwatch,
    conjugate_gradient_operations,
    dense_iteration_costs,
    dense_overlap_operations,
    exact_solve_costs,
    forest_build_operations,
    forward_operations,
    gram_product_operations,
    qr_operations,
    sketch_solve_costs,
    tensor_sketch_operations,
)
from treeviz.model.phases import PHASES
from treeviz.search.dense import DenseEngine
from treeviz.search.forest.engine import ForestEngine
from treeviz.solve.exact import solve_exact
from treeviz.solve.jacobian import DenseJacobian, SparseJacobian
from treeviz.solve.sketched import solve_sketched

# The network: m = 4, n = 2, d = 2, datapoints (1, 0) and (0, 1), so that Z = W and K = I; threshold 1.
#   neuron   leaf of tree 0   leaf of tree 1   fires on
#   0             3               -1           0
#   1             1 (a tie)        1.5         0, 1
#   2            -2                2           1
#   3             0               -3           nothing
# Firing pairs: 1 + 2 + 1 = 4. Overlap operations: 1 + 4 + 1 = 6. Touched neurons: 3.
LEAVES = np.array([[3.0, -1.0], [1.0, 1.5], [-2.0, 2.0], [0.0, -3.0]])
SIGNS = np.array([1.0, 1.0, -1.0, 1.0])
X = np.eye(2)
PAIRS, OVERLAPS, TOUCHED = 4, 6, 3


@pytest.fixture
def make_engine():
    """Build an engine over the network above, and return it with the ledger of its build."""

    def make(engine_class, solver="exact"):
        ledger = Ledger()
        config = TrainConfig(width=4, threshold=1.0, solver=solver)
        return engine_class(Dataset(X, np.ones(len(X))), GivenNetwork(LEAVES, SIGNS, X), config, ledger), ledger

    return make


def incidence():
    return LEAVES >= 1.0


def sparse_jacobian(data=X):
    return SparseJacobian(FiringSets.from_pairs(*np.nonzero(incidence()), 2), data, 4)


def dense_jacobian(data=X):
    mask = incidence().astype(np.float32)
    return DenseJacobian(mask, (mask.T @ mask).astype(float), data)


# The tree method


def test_forest_build_by_hand(make_engine):
    _, ledger = make_engine(ForestEngine)
    # 4 * 2 * 2 multiply-adds, and 2 trees of 2 * 4 - 1 = 7 nodes: 16 + 14.
    assert ledger.costs == {"build": 30}
    assert forest_build_operations(4, 2, 2) == 30
    assert ledger.seconds.keys() == {"build"} and ledger.seconds["build"] >= 0.0


def test_forest_search_and_forward_by_hand(make_engine):
    engine, _ = make_engine(ForestEngine)
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    # Tree 0: inner nodes 3 (root), 3, 0; two are >= 1: 1 + 2 * 2 = 5 nodes. Tree 1: 2, 1.5, 2, all three: 7.
    assert sensed.visited_levels.tolist() == [[1, 2, 2], [1, 2, 4]]
    # Forward: 4 pairs and 2 datapoints.
    assert ledger.costs == {"search": 12, "forward": 6}
    assert ledger.seconds.keys() == {"search", "forward", "jacobian"}
    assert [neurons.tolist() for neurons in sensed.firing.sets()] == [[0, 1], [1, 2]]
    # f_0 = (1 * 2 + 1 * 0) / 2, f_1 = (1 * 0.5 - 1 * 1) / 2.
    assert sensed.outputs.tolist() == [1.0, -0.25]
    assert (sensed.jacobian.num_pairs, sensed.jacobian.overlap_operations) == (PAIRS, OVERLAPS)


def test_forest_move_and_repair_by_hand(make_engine):
    engine, _ = make_engine(ForestEngine)
    ledger = Ledger()
    modified_levels = engine.move(engine.evaluate(Ledger()), np.array([2.0, -2.0]), ledger)
    # Rows change by -(a_r / 2) times the dual steps where r fires: 0 by (-1, 0), 1 by (-1, 1), 2 by (0, -1).
    assert engine.forest.leaves.tolist() == [[2.0, -1.0], [0.0, 2.5], [-2.0, 1.0], [0.0, -3.0]]
    # Tree 0: leaves 4, 5, then 2 (3 to 2) and 1. Tree 1: leaves 5, 6, then 2 (1.5 to 2.5), 3 (2 to 1) and 1.
    assert modified_levels.tolist() == [[1, 1, 2], [1, 2, 2]]
    # Move: 4 coefficients. Repair: 4 pairs * 2 trees of leaf changes; 3 leaf rows and rows 2, 3, 1, in 2 trees:
    # 8 + 6 * 2.
    assert ledger.costs == {"move": 4, "repair": 20}
    assert ledger.seconds.keys() == {"move", "repair"}


def test_forest_repair_that_stops_early_by_hand(make_engine):
    engine, _ = make_engine(ForestEngine)
    ledger = Ledger()
    modified_levels = engine.move(engine.evaluate(Ledger()), np.array([0.0, 0.5]), ledger)
    # Neuron 0 stays, 1 changes by (0, -0.25), 2 by (0, +0.25). Tree 1: leaves 5, 6, then 2 (1.25), 3 (2.25), 1 (2.25).
    assert modified_levels.tolist() == [[0, 0, 0], [1, 2, 2]]
    # Three leaf rows are written though one stays; rows 2, 3 and 1 are recomputed: 8 + 6 * 2.
    assert ledger.costs == {"move": 4, "repair": 20}
    again = Ledger()
    # Nothing changes: 3 leaf rows and no other: 8 + 3 * 2.
    assert engine.move(engine.evaluate(Ledger()), np.zeros(2), again).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert again.costs == {"move": 4, "repair": 14}


def test_exact_solve_by_hand():
    ledger = Ledger()
    report = solve_exact(sparse_jacobian(), np.array([1.0, 2.0]), ledger).report
    assert report.rank == 2
    # Overlaps 6, G 2 * 2 = 4, Cholesky 8 / 3 rounded up = 3, two triangular solves 4.
    assert ledger.costs == {"jacobian": 4, "solve": 6 + 4 + 3 + 4}
    assert ledger.seconds.keys() == {"solve"}


def test_singular_exact_solve_by_hand():
    ledger = Ledger()
    everyone = FiringSets.from_pairs(*np.nonzero(np.ones((4, 2))), 2)
    report = solve_exact(SparseJacobian(everyone, np.array([[1.0, 0.0], [1.0, 0.0]]), 4), np.ones(2), ledger).report
    assert report.rank == 1
    # Overlaps 4 * 2^2 = 16, G 4, the failed Cholesky 3, eigenvectors 9 * 8 = 72, applied twice: 2 * 4 = 8.
    assert ledger.costs == {"jacobian": 8, "solve": 16 + 4 + 3 + 72 + 8}


def test_exact_solve_charges_only_datapoints_that_fire():
    ledger = Ledger()
    one_silent = FiringSets.from_pairs(np.array([0, 2]), np.array([1, 1]), 2)
    solve_exact(SparseJacobian(one_silent, X, 4), np.ones(2), ledger)
    # Overlaps 1 + 1; then n = 1: G 1, Cholesky 1 (a third, rounded up), triangular solves 1.
    assert ledger.costs == {"jacobian": 2, "solve": 2 + 1 + 1 + 1}
    silent = Ledger()
    solve_exact(SparseJacobian(FiringSets.from_sets([np.empty(0, int)] * 2), X, 4), np.ones(2), silent)
    assert silent.costs == {"jacobian": 0, "solve": 0}


def test_sketch_solve_by_hand():
    ledger = Ledger()
    report = solve_sketched(sparse_jacobian(), np.array([1.0, 2.0]), ledger, np.random.default_rng(1)).report
    assert (report.num_sketches, report.num_sketch_rows, report.rank) == (1, 16, 2)
    # Sketch, 2 blocks of length 8, each: 4 pairs, 2 * 2 numbers of X, and for each of 2 datapoints three FFTs of
    # 2.5 * 8 * 3 = 60 and a product of 2 * 8 = 16: 196. So 2 * (4 + 4 + 392).
    # QR: 16 * 4 - 8 // 3 = 62, and 8 // 6 = 1 for the inverse.
    # Conjugate gradient: a product with G is 2 * 4 * 2 + 2 * 2 = 20. An iteration: 20 + 2 * 4 + 5 * 2 = 38.
    # Around it: 20 + 3 * 4 = 32.
    assert ledger.costs == {"jacobian": 4, "sketch": 800, "precondition": 63, "solve": 38 * report.iterations + 32}
    assert 1 <= report.iterations <= 3
    assert ledger.seconds.keys() == {"sketch", "precondition", "solve"}


def test_singular_sketch_solve_by_hand():
    ledger = Ledger()
    everyone = FiringSets.from_pairs(*np.nonzero(np.ones((4, 2))), 2)
    jacobian = SparseJacobian(everyone, np.array([[1.0, 0.0], [1.0, 0.0]]), 4)
    report = solve_sketched(jacobian, np.ones(2), ledger, np.random.default_rng(0)).report
    assert (report.num_sketches, report.num_sketch_rows, report.rank) == (1, 16, 1)
    # 8 pairs: a product with G is 2 * 8 * 2 + 4 = 36, an iteration 36 + 8 + 10 = 54, around it 36 + 12 = 48.
    # Sketch 2 * (8 + 4 + 392). QR 62, then an SVD 9 * 8 = 72 and a product to prove it, 36.
    assert ledger.costs == {
        "jacobian": 8,
        "sketch": 808,
        "precondition": 62 + 72 + 36,
        "solve": 54 * report.iterations + 48,
    }


# The dense method


def test_dense_iteration_by_hand(make_engine):
    engine, built = make_engine(DenseEngine)
    assert built.costs == {}
    ledger = Ledger()
    sensed = engine.evaluate(ledger)
    solution = solve_exact(sensed.jacobian, sensed.outputs, ledger)
    engine.move(sensed, solution.dual, ledger)
    expected = {
        "search": 24,  # 4 * 2 * 2 multiply-adds and 4 * 2 comparisons
        "forward": 10,  # 4 * 2 entries and 2 datapoints
        "jacobian": 8,  # all 4 * 2 entries
        "solve": 23,  # overlaps 4 * 2 * 3 / 2 = 12, G 4, Cholesky 3, triangular solves 4
        "move": 20,  # 4 * 2 entries looked at, 3 rows changed by 2 * 2 each
    }
    assert ledger.costs == expected
    assert dense_iteration_costs(4, 2, 2, TOUCHED, exact_solve_costs(8, 12, 2, singular=False)) == expected


def test_dense_sketch_solve_by_hand():
    ledger = Ledger()
    report = solve_sketched(dense_jacobian(), np.array([1.0, 2.0]), ledger, np.random.default_rng(1)).report
    assert report.num_sketches == 1
    # As for the tree method with 8 entries for 4 pairs: 2 * (8 + 4 + 392); product 2 * 8 * 2 + 4 = 36.
    assert ledger.costs == {"jacobian": 8, "sketch": 808, "precondition": 63, "solve": 54 * report.iterations + 48}


def test_both_engines_do_the_same_with_their_own_counts(make_engine):
    results = []
    for engine_class in (ForestEngine, DenseEngine):
        engine, _ = make_engine(engine_class)
        sensed = engine.evaluate(Ledger())
        engine.move(sensed, np.array([2.0, -2.0]), Ledger())
        results.append((sensed.outputs, engine.evaluate(Ledger()).outputs))
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-15)
    # After the move the leaves are (2, -1), (0, 2.5), (-2, 1), (0, -3): f_0 = 1 / 2, f_1 = (1.5 - 0) / 2.
    np.testing.assert_allclose(results[0][1], [0.5, 0.75], rtol=0, atol=1e-15)


# The rules


def test_rules_on_larger_numbers_by_hand():
    assert forest_build_operations(1, 3, 5) == 15 + 3
    assert forest_build_operations(1000, 10, 7) == 70_000 + 19_990
    assert forward_operations(123, 10) == 133
    assert dense_overlap_operations(100, 5) == 1500
    assert gram_product_operations(50, 4, 3) == 300 + 12
    assert qr_operations(40, 5) == 1000 - 41
    # 3 iterations of 312 + 2 * 16 + 20, then 312 + 48.
    assert conjugate_gradient_operations(3, 312, 4) == 3 * 364 + 360
    # Length 10: 10 * (7.5 * log2(10) + 2) = 269.1..., rounded up to 270; two blocks of 50 + 12 + 4 * 270.
    assert math.ceil(10 * (7.5 * math.log2(10) + 2)) == 270
    assert tensor_sketch_operations(50, 4, 3, 20, 2) == 2 * (50 + 12 + 1080)
    # n = 5: jacobian as given; overlaps 90, G 25, 125 / 3 rounded up = 42, then 25; or 9 * 125 + 50 if singular.
    assert exact_solve_costs(60, 90, 5, singular=False) == {"jacobian": 60, "solve": 182}
    assert exact_solve_costs(60, 90, 5, singular=True) == {"jacobian": 60, "solve": 157 + 1175}


def test_every_sketch_drawn_is_charged():
    once, thrice = (
        sketch_solve_costs(50, 4, 3, num_rows=20, num_blocks=2, num_sketches=num_sketches, iterations=3, singular=False)
        for num_sketches in (1, 3)
    )
    # QR 20 * 16 - 21 = 299, T^-1 64 // 6 = 10.
    assert once == {"jacobian": 50, "sketch": 2284, "precondition": 309, "solve": 3 * 364 + 360}
    assert thrice == {"jacobian": 50, "sketch": 3 * 2284, "precondition": 3 * 299 + 10, "solve": 3 * 364 + 360}


# The ledger itself


def test_posts_add_up():
    ledger = Ledger()
    ledger.post("solve", 3)
    ledger.post("solve", np.int64(4))
    ledger.post_all({"solve": 5, "move": 1})
    assert ledger.costs == {"solve": 12, "move": 1}
    assert all(type(cost) is int for cost in ledger.costs.values())
    assert ledger.seconds == {}


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by a list of durations: the time is their sum."""
    durations = []
    monkeypatch.setattr(ledger_module.time, "perf_counter", lambda: sum(durations))
    return durations


def fail_after(clock, seconds):
    clock.append(seconds)
    raise ZeroDivisionError


def test_times_add_up_and_survive_an_error(clock):
    ledger = Ledger()
    with ledger.time("move"):
        clock.append(2.0)
    clock.append(100.0)
    with pytest.raises(ZeroDivisionError), ledger.time("move"):
        fail_after(clock, 0.5)
    with ledger.time("solve"):
        clock.append(4.0)
    assert ledger.seconds == {"move": 2.5, "solve": 4.0} and ledger.costs == {}


@pytest.mark.parametrize("phase", ["", "Search", "total", "querying"])
def test_unknown_phases_are_refused(phase):
    ledger = Ledger()
    with pytest.raises(ValueError, match="unknown phase"):
        ledger.post(phase, 1)
    with pytest.raises(ValueError, match="unknown phase"):
        ledger.post_all({phase: 1})
    with pytest.raises(ValueError, match="unknown phase"), ledger.time(phase):
        pass
    assert ledger.costs == {} and ledger.seconds == {}


def test_every_phase_is_known():
    ledger = Ledger()
    for phase in PHASES:
        ledger.post(phase, 2)
        with ledger.time(phase):
            pass
    assert tuple(ledger.costs) == tuple(ledger.seconds) == tuple(PHASES)


# Stopwatch


def test_stopwatch_times_the_producer_alone(clock):
    def produce(items):
        for item in items:
            clock.append(2.0)
            yield item
        clock.append(0.25)  # finding out that there is no more counts too

    watch = Stopwatch()
    passed = []
    for item in watch.over(produce([1, 2, 3])):
        passed.append(item)
        clock.append(100.0)
    assert passed == [1, 2, 3] and watch.seconds == 6.25
    assert list(watch.over(produce([4]))) == [4]
    assert watch.seconds == 8.5
    assert list(Stopwatch().over([])) == []


def test_stopwatch_passes_every_item_on():
    items = [0, "", None, (), 5]
    assert list(Stopwatch().over(items)) == items
