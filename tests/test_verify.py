"""Brute force, itself checked by naive loops, finds what is wrong and finds nothing where nothing is."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from treeviz import Dataset, Forest, TrainConfig, Trainer, load_dataset
from treeviz.search.forest import scan as forest_scan
from treeviz.search.forest.scan import scan_forest
from treeviz.search.scan import scan_weights
from treeviz.training.background import BackgroundRun
from treeviz.training.verify import IterationCheck, LossCheck, check_iteration, check_loss

# Few distinct values: ties, among leaves and with the threshold, are common.
VALUES = st.sampled_from([-2.0, -0.5, 0.0, 0.5, 1.0, 1.0 + 2**-52, 3.0])


@st.composite
def forests(draw):
    width, trees = draw(st.integers(1, 70)), draw(st.integers(1, 6))
    leaves = draw(st.lists(VALUES, min_size=width * trees, max_size=width * trees))
    return Forest(np.array(leaves).reshape(width, trees))


def naive_firing(forest, threshold):
    return [
        [neuron for neuron in range(forest.num_leaves) if forest.leaves[neuron, tree] >= threshold]
        for tree in range(forest.num_trees)
    ]


def naive_wrong_nodes(forest):
    return [
        (tree, node)
        for node in range(1, forest.num_leaves)
        for tree in range(forest.num_trees)
        if forest.values[node, tree] != max(forest.values[2 * node, tree], forest.values[2 * node + 1, tree])
    ]


@given(forests(), VALUES, st.integers(1, 200))
def test_a_scan_finds_what_naive_loops_find(forest, threshold, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_scan, "_CHUNK_VALUES", chunk)
        scan = scan_forest(forest, threshold)
    assert [firing.tolist() for firing in scan.firing] == naive_firing(forest, threshold)
    assert scan.heap_fault is None
    assert scan.num_leaves == forest.num_leaves * forest.num_trees
    assert scan.num_inner_nodes == (forest.num_leaves - 1) * forest.num_trees


@given(forests(), st.data())
def test_a_scan_finds_the_first_node_that_is_wrong(forest, data):
    assume(forest.num_leaves > 1)
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.integers(1, 2 * forest.num_leaves - 1))
        forest.values[node, data.draw(st.integers(0, forest.num_trees - 1))] += data.draw(VALUES)
    wrong = naive_wrong_nodes(forest)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_scan, "_CHUNK_VALUES", data.draw(st.integers(1, 200)))
        scan = scan_forest(forest, 0.5)
    assert scan.heap_fault == (wrong[0] if wrong else None)
    assert [firing.tolist() for firing in scan.firing] == naive_firing(forest, 0.5)  # leaves are trusted with nothing


@given(forests(), VALUES, st.data())
def test_a_firing_set_with_one_neuron_too_few_or_too_many_is_found(forest, threshold, data):
    scan = scan_forest(forest, threshold)
    found = [firing.copy() for firing in scan.firing]
    assert check_iteration(SimpleNamespace(firing=found), scan) == IterationCheck(
        scan.num_leaves, scan.num_inner_nodes, None, None
    )
    tree = data.draw(st.integers(0, forest.num_trees - 1))
    neuron = data.draw(st.integers(0, forest.num_leaves - 1))
    found[tree] = np.setxor1d(found[tree], [neuron])
    assert check_iteration(SimpleNamespace(firing=found), scan).firing_fault == (tree, neuron)


def test_the_check_of_an_iteration_carries_the_fault_of_a_node():
    forest = Forest(np.arange(12.0).reshape(6, 2))
    forest.values[3, 1] = 99.0
    check = check_iteration(SimpleNamespace(firing=scan_forest(forest, 5.0).firing), scan_forest(forest, 5.0))
    assert (check.firing_fault, check.heap_fault) == (None, (1, 1))


@pytest.mark.parametrize("search", ["watch", "dense"])
def test_a_scan_of_the_weights_finds_what_one_product_finds(search):
    data = load_dataset("digits", num_points=12)
    trainer = Trainer(data, TrainConfig(width=20_000, search=search))
    trainer.step()
    products = trainer.weights() @ data.X.T
    scan = scan_weights(trainer.weight_blocks(), data.X, 2.0)
    assert [found.tolist() for found in scan.firing] == [np.flatnonzero(z >= 2.0).tolist() for z in products.T]
    assert all(ties.size == 0 for ties in scan.ties)
    assert (scan.heap_fault, scan.num_leaves, scan.num_inner_nodes) == (None, 12 * 20_000, 0)


def test_a_product_that_is_b_but_for_round_off_may_fall_on_either_side():
    weights = np.array([[1.0, 0.0], [0.5, 0.0], [1.0 - 1e-12, 0.0], [1.0 + 1e-6, 0.0]])
    scan = scan_weights([(0, weights[:2]), (2, weights[2:])], np.array([[1.0, 0.0]]), 1.0)
    assert scan.firing[0].tolist() == [0, 3] and scan.ties[0].tolist() == [0, 2]
    for found, fault in (([0, 3], None), ([3], None), ([0, 2, 3], None), ([0], (0, 3)), ([0, 1, 3], (0, 1))):
        assert check_iteration(SimpleNamespace(firing=[np.array(found)]), scan).firing_fault == fault


# Losses.


def pair_of(data, num_steps=3, **settings):
    method, dense = (
        Trainer(data, TrainConfig(**settings, search=search, solver="exact")) for search in ("forest", "dense")
    )
    for _ in range(num_steps):
        method.step()
        dense.step()
    return method.trace, dense.trace


def altered(trace, iteration, **changes):
    """Return a trace with another record."""
    records = list(trace.records)
    records[iteration] = dataclasses.replace(records[iteration], **changes)
    return dataclasses.replace(trace, records=records)


@pytest.fixture(scope="module")
def pair():
    return pair_of(load_dataset("sphere"), width=128)


def test_losses_are_compared_while_more_than_round_off_is_left(pair):
    for ours, theirs, excuse, agrees in (
        (1.0, 1.0, "", True),
        (1.0 + 9e-9, 1.0, "", True),
        (1.0 + 2e-8, 1.0, "", False),
        (1.0 - 2e-8, 1.0, "", False),
        (2e-8, 1e-12, "", False),  # the dense method got there and ours did not
        (1e-12, 2e-8, "", False),
        (9e-9, 1e-12, "is below 10⁻⁸", True),
        (0.0, 0.0, "is below 10⁻⁸", True),
        (0.5, 0.0, "", False),
        (np.nan, 1.0, "", False),
        (np.nan, 0.0, "", False),
        (np.inf, 1.0, "", False),
    ):
        check = check_loss(altered(pair[0], 1, loss=ours), altered(pair[1], 1, loss=theirs), 1)
        assert (check.excuse, check.agrees) == (excuse, agrees), (ours, theirs)
        assert check.is_comparable == (not excuse)


def test_losses_after_a_badly_conditioned_step_are_not_compared(pair):
    trace, dense = pair[0], altered(pair[1], 2, loss=7.0)
    assert not check_loss(trace, dense, 2).agrees
    for kappa, agrees in ((9e5, False), (1e6, True), (np.inf, True), (None, False)):
        bad = altered(trace, 1, solve=dataclasses.replace(trace.records[1].solve, conditioning=kappa))
        assert check_loss(bad, dense, 2).agrees == agrees
        assert not check_loss(bad, altered(dense, 1, loss=7.0), 1).agrees  # the step came after this loss


def with_odd_neuron(trace, iteration, neuron):
    firing = trace.records[iteration].firing
    return altered(trace, iteration, firing=(np.setxor1d(firing[0], [neuron]), *firing[1:]))


def test_losses_after_a_tie_that_fell_on_different_sides_are_not_compared():
    data = Dataset(np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, -1.0]))
    leaves = Trainer(data, TrainConfig(width=40)).forest.leaves[:, 0]
    tie = int(np.argsort(leaves)[-10])
    trace, dense = pair_of(data, width=40, threshold=float(leaves[tie]))
    assert tie in trace.records[0].firing[0]
    other = altered(dense, 1, loss=3.0)
    assert not check_loss(trace, other, 1).agrees  # sets are equal: nothing explains it
    parted = with_odd_neuron(other, 0, tie)
    assert "tie" in check_loss(trace, parted, 1).excuse
    assert check_loss(trace, parted, 0).excuse == ""  # before the tie had any effect
    assert not check_loss(trace, with_odd_neuron(other, 0, (tie + 1) % 40), 1).agrees  # no tie at all
    assert not check_loss(trace, with_odd_neuron(parted, 0, (tie + 1) % 40), 1).agrees  # not only a tie
    assert check_loss(trace, dense, 1).excuse == ""


def test_losses_that_agree_need_no_excuse_and_those_of_real_runs_do():
    assert LossCheck(0.0, "").agrees and not LossCheck(1e-3, "").agrees and LossCheck(1e-3, "follows a tie").agrees
    for name, width, seed in (("circle", 32, 3), ("xor", 64, 0), ("spirals", 64, 1), ("digits", 256, 0)):
        trace, dense = pair_of(load_dataset(name, seed=seed), num_steps=12, width=width, seed=seed)
        assert all(check_loss(trace, dense, iteration).agrees for iteration in range(12)), name


# Beside a run.


@pytest.mark.parametrize(("search", "inner_nodes"), [("forest", 99), ("watch", 0)])
def test_a_run_is_checked_in_every_iteration(search, inner_nodes):
    run = BackgroundRun(load_dataset("xor"), TrainConfig(width=100, solver="exact", search=search, skin=0.3))
    assert run.wait_for(5, timeout=60)  # the check of an iteration is made before the next is begun
    points = run.data.num_points
    assert run.checks[:5] == [IterationCheck(100 * points, inner_nodes * points, None, None)] * 5


def test_a_run_that_is_not_checked_has_no_checks():
    run = BackgroundRun(load_dataset("xor"), TrainConfig(width=100, solver="exact"), is_checked=False)
    assert run.wait_for(4, timeout=60)
    assert run.checks == []
