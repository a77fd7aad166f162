"""Neuron trees against brute force: leaves by a dense scan, nodes entered by a walk of each tree, changes by a diff."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treeviz.model.firing import FiringSets
from treeviz.search.forest.trees import Forest
from treeviz.search.neuron_trees import trees as neuron_trees_module
from treeviz.search.neuron_trees.trees import NeuronTrees

PALETTES = ("few", "normal", "constant", "wide")


def draw_leaves(rng, num_neurons, num_points, palette):
    shape = (num_neurons, num_points)
    if palette == "few":
        return rng.integers(-2, 3, size=shape).astype(float)
    if palette == "constant":
        return np.full(shape, 1.5)
    values = rng.standard_normal(shape)
    return values if palette == "normal" else values * 10.0 ** rng.integers(-150, 140, size=shape)


def trees_over(leaves, block=3):
    """Build from blocks of a few rows, in one buffer that each block overwrites, as the trainer's do."""
    buffer = np.empty((block, leaves.shape[1]))

    def blocks():
        for first in range(0, len(leaves), block):
            rows = buffer[: min(block, len(leaves) - first)]
            rows[:] = leaves[first : first + len(rows)]
            yield first, rows

    return NeuronTrees(*leaves.shape, blocks())


def expected_values(leaves):
    """Every node's value, by letting each leaf walk up to the root, (m, 2n)."""
    m, n = leaves.shape
    values = np.full((m, 2 * n), -np.inf)
    for point in range(n):
        node = n + point
        while node:
            values[:, node] = np.maximum(values[:, node], leaves[:, point])
            node //= 2
    return values


def walk(values, threshold):
    """Search one tree, (2n,), by recursion: return the nodes entered and the datapoints found."""
    n = values.size // 2
    entered, found = [], []

    def enter(node):
        entered.append(node)
        if values[node] >= threshold:
            if node >= n:
                found.append(node - n)
            else:
                enter(2 * node)
                enter(2 * node + 1)

    enter(1)
    return entered, sorted(found)


def levels_of(nodes, num_levels):
    counts = np.zeros(num_levels, dtype=np.int64)
    for node in nodes:
        counts[int(node).bit_length() - 1] += 1
    return counts


def assert_search(trees, threshold):
    m, n = len(trees.values), trees.num_points
    found = trees.query_all(threshold)
    neurons, points = np.nonzero(trees.values[:, n:] >= threshold)
    firing = found.firing
    assert firing.num_points == n
    np.testing.assert_array_equal(np.repeat(firing.neurons, firing.degrees), neurons)
    np.testing.assert_array_equal(firing.points, points)
    np.testing.assert_array_equal(found.products, trees.values[neurons, n + points])
    assert firing.neurons.dtype == firing.points.dtype == found.visited_levels.dtype == np.int64

    num_passed = sum(bool(trees.values[r, node] >= threshold) for r in range(m) for node in range(1, n))
    assert found.num_visited.tolist() == [m + 2 * num_passed]
    walks = [walk(row, threshold) for row in trees.values]
    expected = levels_of([node for entered, _ in walks for node in entered], trees.num_levels)
    np.testing.assert_array_equal(found.visited_levels, expected[None, :])
    assert [(r, i) for r, (_, reached) in enumerate(walks) for i in reached] == list(
        zip(neurons.tolist(), points.tolist(), strict=True)
    )
    return found


def thresholds_of(leaves, rng):
    """At a leaf, just above it, at the top and just above it, everything, nothing, and somewhere."""
    value, top = float(rng.choice(leaves.ravel())), float(leaves.max())
    return [value, np.nextafter(value, np.inf), top, np.nextafter(top, np.inf), -np.inf, np.inf, rng.standard_normal()]


def random_firing(rng, num_neurons, num_points, density):
    neurons, points = np.nonzero(rng.random((num_neurons, num_points)) < density)
    return FiringSets.from_pairs(neurons, points, num_points)


def assert_change(trees, firing, steps, basis):
    """Add a product and compare values, counts and operations with the arrays before and after."""
    n, before = trees.num_points, trees.values.copy()
    result = trees.add_product(firing, steps, basis)
    trees._check()
    leaves = before[:, n:].copy()
    leaves[firing.neurons] += np.asarray(firing.matrix(steps) @ basis)
    np.testing.assert_array_equal(trees.values, expected_values(leaves))
    differs = np.argwhere(before[:, 1:] != trees.values[:, 1:])
    np.testing.assert_array_equal(
        result.modified_levels, levels_of(differs[:, 1] + 1, trees.num_levels)[None, :], strict=True
    )
    assert result.num_modified.tolist() == [len(differs)]
    assert result.num_operations == (2 * n - 1) * firing.neurons.size
    assert result.modified is None
    return leaves


problems = {
    "num_neurons": st.one_of(st.integers(1, 4), st.integers(5, 40)),
    "num_points": st.one_of(st.integers(1, 3), st.integers(4, 20), st.sampled_from([32, 33])),
    "palette": st.sampled_from(PALETTES),
    "seed": st.integers(0, 2**32 - 1),
}


@given(**problems, block=st.integers(1, 50))
def test_searches_equal_a_dense_scan(num_neurons, num_points, palette, seed, block):
    rng = np.random.default_rng(seed)
    leaves = draw_leaves(rng, num_neurons, num_points, palette)
    trees = trees_over(leaves, block)
    trees._check()
    np.testing.assert_array_equal(trees.values, expected_values(leaves))
    assert trees.num_levels == 1 + int(np.ceil(np.log2(num_points)))
    for threshold in thresholds_of(leaves, rng):
        assert_search(trees, threshold)


@given(**problems, density=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_random_changes_equal_brute_force(num_neurons, num_points, palette, seed, density):
    rng = np.random.default_rng(seed)
    leaves = draw_leaves(rng, num_neurons, num_points, palette)
    trees = trees_over(leaves)
    basis = rng.integers(-1, 2, size=(num_points, num_points)).astype(float)
    for kind in rng.choice(["fires", "any", "zero", "tiny"], size=5):
        threshold = thresholds_of(leaves, rng)[int(rng.integers(4))]
        if kind == "fires":
            firing = assert_search(trees, threshold).firing
        else:
            firing = random_firing(rng, num_neurons, num_points, density)
        steps = np.zeros(firing.num_pairs) if kind == "zero" else rng.standard_normal(firing.num_pairs)
        if kind == "tiny":  # absorbed by round-off in some leaves: written, but not modified
            steps *= 1e-17
        leaves = assert_change(trees, firing, steps, basis)
    assert_search(trees, threshold)


@given(**{name: strategy for name, strategy in problems.items() if name != "palette"})
def test_the_forest_is_the_same_the_other_way_round(num_neurons, num_points, seed):
    """A forest over the transposed leaves finds the same pairs, and a change has the same bits in both."""
    rng = np.random.default_rng(seed)
    leaves = rng.standard_normal((num_neurons, num_points))
    trees, forest, transposed = trees_over(leaves), Forest(leaves), Forest(leaves.T)
    basis = rng.standard_normal((num_points, num_points))
    for threshold in rng.standard_normal(3):
        found, other = trees.query_all(threshold), forest.query_all(threshold)
        for name in ("neurons", "indptr", "points"):
            np.testing.assert_array_equal(getattr(found.firing, name), getattr(other.firing, name))
        np.testing.assert_array_equal(found.products, other.products)
        np.testing.assert_array_equal(
            found.visited_levels[0], transposed.query_all(threshold).visited_levels.sum(axis=0)
        )
        steps = rng.standard_normal(found.firing.num_pairs)
        change = trees.add_product(found.firing, steps, basis)
        forest.add_product(found.firing, steps, basis)
        np.testing.assert_array_equal(trees.values[:, num_points:], forest.leaves)
        again = transposed.update(np.arange(num_points), forest.leaves.T)
        np.testing.assert_array_equal(trees.values.T, transposed.values)
        np.testing.assert_array_equal(change.modified_levels[0], again.modified_levels.sum(axis=0))


def test_changes_in_several_chunks_are_as_in_one(monkeypatch):
    rng = np.random.default_rng(3)
    leaves = rng.standard_normal((50, 7))
    whole, pieces = trees_over(leaves), trees_over(leaves)
    firing, basis = random_firing(rng, 50, 7, 0.4), rng.standard_normal((7, 7))
    steps = rng.standard_normal(firing.num_pairs)
    expected = whole.add_product(firing, steps, basis)
    for chunk in (1, 8, firing.neurons.size - 1):
        pieces = trees_over(leaves)
        monkeypatch.setattr(neuron_trees_module, "_CHUNK", chunk)
        result = pieces.add_product(firing, steps, basis)
        np.testing.assert_array_equal(pieces.values, whole.values)
        np.testing.assert_array_equal(result.modified_levels, expected.modified_levels)
        assert result.num_operations == expected.num_operations


def test_an_example_by_hand():
    """Three datapoints, so that a tree has the nodes 1, 2 (inner) and 3, 4, 5: point 0 is node 3, 1 and 2 below node 2.

    neuron   leaves         node 2   root     at threshold 1
    0        5  0  0.5      0.5      5        root and node 3 pass, node 2 is pruned: 3 nodes
    1        0  1  3        3        3        root, node 2, nodes 4 (a tie) and 5 pass, node 3 is pruned: 5 nodes
    2       -1 -2 -3       -2       -1        only the root is looked at: 1 node
    """
    leaves = np.array([[5.0, 0.0, 0.5], [0.0, 1.0, 3.0], [-1.0, -2.0, -3.0]])
    trees = trees_over(leaves)
    assert trees.num_levels == 3
    assert trees.values[:, 1:].tolist() == [[5, 0.5, 5, 0, 0.5], [3, 3, 0, 1, 3], [-1, -2, -1, -2, -3]]
    found = trees.query_all(1.0)
    assert found.firing.neurons.tolist() == [0, 1] and found.firing.degrees.tolist() == [1, 2]
    assert found.firing.points.tolist() == [0, 1, 2] and found.products.tolist() == [5.0, 1.0, 3.0]
    # Roots: 3. Below the roots of 0 and 1: 4. Below node 2 of neuron 1: 2. And 9 = 3 + 2 * (2 roots + 1 node 2).
    assert found.visited_levels.tolist() == [[3, 4, 2]] and found.num_visited.tolist() == [9]

    # Neuron 0 changes by -2 at point 0 alone: node 3 and the root. Neuron 1 by (0, 4, -1): nodes 4, 5, 2 and the root.
    result = trees.add_product(found.firing, np.array([-2.0, 4.0, -1.0]), np.eye(3))
    assert trees.values[:, 1:].tolist() == [[3, 0.5, 3, 0, 0.5], [5, 5, 0, 5, 2], [-1, -2, -1, -2, -3]]
    assert result.modified_levels.tolist() == [[2, 2, 2]]
    assert result.num_operations == 2 * 5


def test_a_change_below_the_maximum_stops_there():
    trees = trees_over(np.array([[4.0, 3.0, 2.0, 1.0]]))
    firing = FiringSets.from_pairs(np.array([0]), np.array([3]), 4)
    result = trees.add_product(firing, np.array([0.5]), np.eye(4))
    assert result.modified_levels.tolist() == [[0, 0, 1]]
    result = trees.add_product(firing, np.array([1.0]), np.eye(4))  # 2.5 over 2: node 3 changes too, the root does not
    assert result.modified_levels.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(("num_points", "num_levels"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (8, 4), (9, 5)])
def test_nothing_and_everything_fires(num_points, num_levels):
    trees = trees_over(np.zeros((6, num_points)))
    assert trees.num_levels == num_levels and trees.values.shape == (6, 2 * num_points)
    silent, busy = assert_search(trees, 0.1), assert_search(trees, 0.0)
    assert silent.num_visited.tolist() == [6] and silent.firing.num_pairs == 0
    assert silent.firing.neurons.size == silent.products.size == 0 and silent.firing.indptr.tolist() == [0]
    assert busy.num_visited.tolist() == [6 * (2 * num_points - 1)] and busy.firing.num_pairs == 6 * num_points
    change = trees.add_product(silent.firing, np.zeros(0), np.eye(num_points))
    assert change.num_operations == 0 and not change.modified_levels.any()
    assert change.modified_levels.shape == silent.visited_levels.shape == (1, num_levels)


def test_the_check_sees_a_wrong_node():
    for row, node, value in ((2, 1, 9.0), (0, 3, -9.0), (1, 5, np.nan), (3, 9, np.inf)):
        trees = trees_over(np.arange(20.0).reshape(4, 5))
        trees._check()
        trees.values[row, node] = value
        with pytest.raises(AssertionError):
            trees._check()
