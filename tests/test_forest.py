"""The forest against brute force: maxima by walking up from every leaf, searches by a dense scan, costs by a diff."""

import contextlib
import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treeviz.model.firing import FiringSets
from treeviz.search import compiled
from treeviz.search.forest import graph as graph_module
from treeviz.search.forest import trees as forest_module
from treeviz.search.forest.trees import Forest

# Values a forest is filled with: many ties, no ties, all equal, and wide ranges.
PALETTES = ("few", "normal", "constant", "wide")


def draw_values(rng, shape, palette):
    if palette == "few":
        return rng.integers(-2, 3, size=shape).astype(float)
    if palette == "constant":
        return np.full(shape, 1.5)
    values = rng.standard_normal(shape)
    return values if palette == "normal" else values * 10.0 ** rng.integers(-150, 150, size=shape)


def expected_values(leaves):
    """Every node's value, by letting each leaf walk up to the root."""
    m, n = leaves.shape
    values = np.full((2 * m, n), -np.inf)
    for neuron in range(m):
        node = m + neuron
        while node:
            values[node] = np.maximum(values[node], leaves[neuron])
            node //= 2
    return values


def assert_values(forest, leaves):
    forest._check()
    np.testing.assert_array_equal(forest.leaves, leaves)
    np.testing.assert_array_equal(forest.values, expected_values(leaves))


def counts_by_level(m, nodes_of_trees):
    """How many of each tree's nodes lie on each level, (n, levels), by counting bits of node numbers one by one."""
    counts = np.zeros((len(nodes_of_trees), (2 * m - 1).bit_length()), dtype=np.int64)
    for tree, nodes in enumerate(nodes_of_trees):
        for node in nodes:
            counts[tree, int(node).bit_length() - 1] += 1
    return counts


def recomputed_rows(before, after, m):
    """Number of inner rows with a child row that changed in some tree."""
    changed = (before != after).any(axis=1)
    return sum(bool(changed[2 * node] or changed[2 * node + 1]) for node in range(1, m))


def assert_update(result, before, after, num_written):
    m, n = before.shape[0] // 2, before.shape[1]
    differs = before != after
    np.testing.assert_array_equal(result.num_modified, differs.sum(axis=0))
    np.testing.assert_array_equal(result.modified_levels, counts_by_level(m, [np.flatnonzero(d) for d in differs.T]))
    assert result.modified_levels.dtype == result.num_modified.dtype == np.int64
    assert result.num_operations == (num_written + recomputed_rows(before, after, m)) * n
    if result.modified is not None:
        assert len(result.modified) == n
        for tree, nodes in enumerate(result.modified):
            np.testing.assert_array_equal(nodes, np.flatnonzero(differs[:, tree]))


def assert_query(forest, tree, threshold):
    """Compare one query with a scan of the leaves, and check every node it entered."""
    values, m = forest.values[:, tree], forest.num_leaves
    result = forest.query(tree, threshold)
    np.testing.assert_array_equal(result.neurons, np.flatnonzero(values[m:] >= threshold))
    visited = result.visited.tolist()
    num_passed = sum(bool(values[node] >= threshold) for node in range(1, m))
    assert len(visited) == len(set(visited)) == 1 + 2 * num_passed
    assert visited[0] == 1
    assert all(values[node // 2] >= threshold for node in visited[1:])
    levels = [node.bit_length() for node in visited]
    assert levels == sorted(levels)
    return result


def assert_query_all(forest, threshold):
    """Compare a query of all trees with one query a tree and with a dense scan."""
    found = forest.query_all(threshold)
    neurons, points = np.nonzero(forest.leaves >= threshold)
    firing = found.firing
    assert firing.num_points == forest.num_trees
    np.testing.assert_array_equal(np.repeat(firing.neurons, firing.degrees), neurons)
    np.testing.assert_array_equal(firing.points, points)
    np.testing.assert_array_equal(found.products, forest.leaves[neurons, points])
    singles = [assert_query(forest, tree, threshold) for tree in range(forest.num_trees)]
    np.testing.assert_array_equal(found.num_visited, [single.visited.size for single in singles])
    by_level = counts_by_level(forest.num_leaves, [single.visited for single in singles])
    np.testing.assert_array_equal(found.visited_levels, by_level)
    assert found.visited_levels.dtype == found.num_visited.dtype == np.int64
    for single, neurons_of_point in zip(singles, firing.sets(), strict=True):
        np.testing.assert_array_equal(single.neurons, neurons_of_point)


def thresholds_of(forest, rng):
    """Thresholds that matter: at a leaf, just above it, beyond both ends, and somewhere."""
    value = float(rng.choice(forest.leaves.ravel()))
    top = float(forest.leaves.max())
    return [value, np.nextafter(value, np.inf), top, np.nextafter(top, np.inf), np.inf, -np.inf, rng.standard_normal()]


@contextlib.contextmanager
def large_forests(cpus):
    """Make every forest built in this block a large one, in blocks of a few leaves, for `cpus` processors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forest_module, "_LARGE_VALUES", 0)
        patch.setattr(forest_module, "_LARGE_WIDTH", 0)
        patch.setattr(forest_module, "_CHUNK_BYTES", 64 * cpus)
        patch.setattr(compiled, "num_threads", lambda: cpus)
        yield


def random_update(rng, m, n, palette):
    """Some neurons (perhaps none, perhaps all), what to write, and whether it is relative."""
    size = int(rng.choice([0, 1, m, rng.integers(0, m + 1)]))
    neurons = np.sort(rng.choice(m, size=size, replace=False))
    rows = draw_values(rng, (size, n), palette)
    relative = bool(rng.integers(2))
    if rng.random() < 0.3:  # most entries stay as they are
        rows = np.where(rng.random(rows.shape) < 0.8, 0.0, rows)
        relative = True
    return neurons, rows, relative


def updated_leaves(leaves, neurons, rows, relative):
    fresh = leaves.copy()
    for neuron, row in zip(neurons, rows, strict=True):
        fresh[neuron] = fresh[neuron] + row if relative else row
    return fresh


# Building


@pytest.mark.parametrize("m", range(1, 71))
def test_build_matches_walking_up_from_the_leaves(m):
    leaves = np.random.default_rng(m).standard_normal((m, 1 + m % 3))
    forest = Forest(leaves)
    assert (forest.num_leaves, forest.num_trees) == leaves.shape
    assert forest.num_nodes == np.isfinite(forest.values[1:]).sum() == leaves.shape[1] * (2 * m - 1)
    assert forest.num_levels == (2 * m - 1).bit_length()
    assert_values(forest, leaves)


def test_build_copies_the_leaves():
    leaves = np.zeros((3, 2))
    forest = Forest(leaves)
    leaves[:] = 9.0
    assert not forest.leaves.any()
    assert Forest([[1, 2], [3, 0]]).values.tolist() == [[-np.inf, -np.inf], [3, 2], [1, 2], [3, 0]]


@given(
    m=st.integers(1, 70), n=st.integers(1, 4), cuts=st.lists(st.integers(0, 70), max_size=5), seed=st.integers(0, 99)
)
def test_from_blocks_equals_the_constructor(m, n, cuts, seed):
    leaves = np.random.default_rng(seed).standard_normal((m, n))
    bounds = sorted({0, m, *(cut for cut in cuts if cut < m)})
    blocks = [(low, leaves[low:high]) for low, high in itertools.pairwise(bounds)]
    blocks = blocks[::-1] if seed % 2 else blocks
    built = Forest.from_blocks(m, n, iter(blocks))
    assert built.values.tobytes() == Forest(leaves).values.tobytes()
    assert (built.num_leaves, built.num_trees) == (m, n)


@pytest.mark.parametrize(
    "leaves",
    [
        np.zeros((0, 2)),
        np.zeros((2, 0)),
        np.zeros(3),
        np.zeros((2, 2, 2)),
        3.0,
        [[1.0, np.nan]],
        [[np.inf], [0.0]],
        [[-np.inf], [0.0]],
    ],
)
def test_build_refuses_what_is_not_a_finite_table(leaves):
    with pytest.raises(ValueError, match="leaves must"):
        Forest(leaves)


def test_build_names_the_first_value_that_is_not_finite():
    leaves = np.zeros((5, 4))
    leaves[3, 2] = np.nan
    with pytest.raises(ValueError, match="row 3, column 2 is nan"):
        Forest(leaves)


# Queries


@given(m=st.integers(1, 70), n=st.integers(1, 4), palette=st.sampled_from(PALETTES), seed=st.integers(0, 10_000))
def test_queries_equal_a_dense_scan(m, n, palette, seed):
    rng = np.random.default_rng(seed)
    forest = Forest(draw_values(rng, (m, n), palette))
    for threshold in thresholds_of(forest, rng):
        assert_query_all(forest, threshold)


def test_ties_fire():
    forest = Forest([[0.1 + 0.2], [0.3], [np.nextafter(0.3, 0.0)], [0.3]])
    assert forest.query(0, 0.3).neurons.tolist() == [0, 1, 3]
    assert forest.query(0, 0.1 + 0.2).neurons.tolist() == [0]
    assert Forest([[0.0], [-0.0]]).query(0, 0.0).neurons.tolist() == [0, 1]


def test_infinite_thresholds_find_all_or_none():
    forest = Forest(np.arange(14.0).reshape(7, 2))
    assert forest.query(1, -np.inf).neurons.tolist() == list(range(7))
    assert sorted(forest.query(1, -np.inf).visited.tolist()) == list(range(1, 14))
    assert forest.query(1, np.inf).visited.tolist() == [1]
    found = forest.query_all(np.inf)
    assert found.firing.num_pairs == found.products.size == found.firing.neurons.size == 0
    assert found.num_visited.tolist() == [1, 1]
    assert found.visited_levels.tolist() == [[1, 0, 0, 0]] * 2
    assert forest.query_all(-np.inf).num_visited.tolist() == [13, 13]
    assert forest.query_all(-np.inf).visited_levels.tolist() == [[1, 2, 4, 6]] * 2


@pytest.mark.parametrize("tree", [-1, 2, 100])
def test_query_refuses_a_tree_there_is_not(tree):
    with pytest.raises(ValueError, match="tree must be between 0 and 1"):
        Forest(np.zeros((3, 2))).query(tree, 0.0)


def test_queries_refuse_nan():
    forest = Forest(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="NaN"):
        forest.query(0, np.nan)
    with pytest.raises(ValueError, match="NaN"):
        forest.query_all(float("nan"))


def test_queries_change_nothing():
    forest = Forest(np.random.default_rng(0).standard_normal((13, 3)))
    before = forest.values.tobytes()
    forest.query(1, 0.2)
    forest.query_all(-0.1)
    assert forest.values.tobytes() == before


# Updates


@settings(max_examples=150)
@given(m=st.integers(1, 70), n=st.integers(1, 4), palette=st.sampled_from(PALETTES), seed=st.integers(0, 10_000))
def test_random_updates_keep_forest_and_counts_right(m, n, palette, seed):
    rng = np.random.default_rng(seed)
    leaves = draw_values(rng, (m, n), palette)
    forest = Forest(leaves)
    for _ in range(6):
        neurons, rows, relative = random_update(rng, m, n, palette)
        with_nodes = bool(rng.integers(2))
        before = forest.values.copy()
        result = forest.update(neurons, rows, relative=relative, with_nodes=with_nodes)
        leaves = updated_leaves(leaves, neurons, rows, relative)
        assert_values(forest, leaves)
        assert (result.modified is None) == (not with_nodes)
        assert_update(result, before, forest.values, neurons.size)
    assert_query_all(forest, float(rng.choice(leaves.ravel())))


@pytest.mark.parametrize(("m", "n"), [(70, 3), (200, 1), (37, 1100), (129, 5)])
def test_updates_in_many_chunks_equal_those_in_one(m, n, monkeypatch):
    monkeypatch.setattr(forest_module, "_CHUNK_BYTES", 1)  # chunks of 16 rows
    rng = np.random.default_rng(m)
    leaves = rng.integers(-2, 3, size=(m, n)).astype(float)
    forest = Forest(leaves)
    assert len(forest._fresh) == 16
    for _ in range(4):
        neurons, rows, relative = random_update(rng, m, n, "few")
        before = forest.values.copy()
        result = forest.update(neurons, rows, relative=relative)
        leaves = updated_leaves(leaves, neurons, rows, relative)
        assert_values(forest, leaves)
        assert_update(result, before, forest.values, neurons.size)


def test_absolute_update_is_the_default():
    forest = Forest([[1.0], [2.0], [3.0]])
    forest.update(np.array([1]), np.array([[5.0]]))
    assert forest.values.tolist() == [[-np.inf], [5.0], [5.0], [1.0], [5.0], [3.0]]
    forest.update(np.array([1]), np.array([[-7.0]]), relative=True)
    assert forest.values.tolist() == [[-np.inf], [3.0], [3.0], [1.0], [-2.0], [3.0]]


def test_update_lists_nodes_by_hand():
    # Six leaves: nodes 6..11, of which 8..11 are the deeper ones and hold neurons 2..5.
    forest = Forest([[1.0, 9.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    # Tree 0: leaf 9 falls from 4 to 2, so 4 becomes 3, 2 becomes 3, 1 becomes 3. Tree 1: leaf 9 rises to 1: 4, 2.
    result = forest.update(np.array([3]), np.array([[2.0, 1.0]]))
    assert [nodes.tolist() for nodes in result.modified] == [[1, 2, 4, 9], [2, 4, 9]]
    assert result.num_modified.tolist() == [4, 3]
    assert result.modified_levels.tolist() == [[1, 1, 1, 1], [0, 1, 1, 1]]
    assert result.num_operations == (1 + 3) * 2  # a leaf row and rows 4, 2, 1


@pytest.mark.parametrize("m", [1, 2, 3, 8, 21])
def test_updates_that_change_nothing_recompute_nothing(m):
    leaves = np.random.default_rng(m).standard_normal((m, 3))
    forest = Forest(leaves)
    everyone = np.arange(m)
    for result in (
        forest.update(everyone, leaves),
        forest.update(everyone, np.zeros((m, 3)), relative=True),
    ):
        assert result.num_modified.tolist() == [0, 0, 0] and result.num_operations == 3 * m
        assert [nodes.size for nodes in result.modified] == [0, 0, 0]
    empty = forest.update(np.empty(0, dtype=np.int64), np.empty((0, 3)))
    assert empty.num_modified.tolist() == [0, 0, 0] and empty.num_operations == 0
    assert [nodes.size for nodes in empty.modified] == [0, 0, 0]
    assert_values(forest, leaves)


def test_one_leaf_and_one_tree():
    forest = Forest([[2.0, 3.0]])
    assert forest.query(0, 2.0).neurons.tolist() == [0] and forest.query(0, 2.5).neurons.size == 0
    assert forest.num_levels == 1
    found = forest.query_all(2.5)
    assert found.firing.points.tolist() == [1] and found.visited_levels.tolist() == [[1], [1]]
    assert found.num_visited.tolist() == [1, 1]
    result = forest.update(np.array([0]), np.array([[1.0, 3.0]]))
    assert [nodes.tolist() for nodes in result.modified] == [[1], []] and result.num_operations == 2
    assert result.modified_levels.tolist() == [[1], [0]]
    assert_values(forest, np.array([[1.0, 3.0]]))


@pytest.mark.parametrize(
    ("neurons", "rows", "message"),
    [
        ([0, 0], np.ones((2, 2)), "distinct"),
        ([3, 1], np.ones((2, 2)), "ascending"),
        ([-1], np.ones((1, 2)), "between 0 and 4"),
        ([4, 5], np.ones((2, 2)), "between 0 and 4"),
        ([0, 7, 3], np.ones((3, 2)), "distinct"),
        ([[1]], np.ones((1, 2)), "shape"),
        ([1], np.ones((1, 3)), "shape"),
        ([1], np.ones((2, 2)), "shape"),
        ([1], np.ones(2), "shape"),
        ([], np.ones((1, 2)), "shape"),
        ([0, 4], [[1.0, 2.0], [np.nan, 1.0]], "row 1, column 0 is nan"),
        ([0, 4], [[1.0, np.inf], [1.0, 1.0]], "row 0, column 1 is inf"),
        ([2], [[-np.inf, 0.0]], "finite"),
    ],
)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("is_large", [False, True])
def test_a_refused_update_changes_nothing(neurons, rows, message, relative, is_large):
    leaves = np.random.default_rng(1).standard_normal((5, 2))
    with large_forests(cpus=4) if is_large else contextlib.nullcontext():
        forest = Forest(leaves)
    before = forest.values.tobytes()
    with pytest.raises(ValueError, match=message):
        forest.update(np.array(neurons), np.array(rows), relative=relative, with_nodes=False)
    assert forest.values.tobytes() == before


OVERFLOWING = np.array([[1.0, 0.0], [1.7e308, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])


def test_a_relative_update_that_would_overflow_is_refused():
    forest = Forest(OVERFLOWING)
    with pytest.raises(ValueError, match="finite"):
        forest.update(np.array([1]), np.array([[1.7e308, 0.0]]), relative=True)
    assert_values(forest, OVERFLOWING)


# Products added to the leaves


def random_product(rng, m, n, palette):
    """Firing sets (perhaps none), a step for each pair and a basis; with few values, many leaves stay as they are."""
    incidence = rng.random((m, n)) < rng.choice([0.0, 0.1, 0.5, 1.0])
    incidence[rng.random(m) < 0.4] = False
    firing = FiringSets.from_pairs(*np.nonzero(incidence), n)
    if palette == "normal":
        steps, basis = rng.standard_normal(firing.num_pairs), rng.standard_normal((n, n))
    else:
        steps, basis = rng.integers(-1, 2, size=firing.num_pairs).astype(float), np.rint(rng.standard_normal((n, n)))
    return incidence, firing, steps, basis


def assert_product(forest, leaves, product, tolerance):
    """Add a product and compare leaves, maxima and counts with dense arithmetic; return the leaves it left."""
    incidence, firing, steps, basis = product
    before = forest.values.copy()
    result = forest.add_product(firing, steps, basis)
    placed = np.zeros(incidence.shape)
    placed[incidence] = steps  # row-major, as the pairs are
    np.testing.assert_allclose(forest.leaves, leaves + placed @ basis, rtol=0, atol=tolerance)
    leaves = forest.leaves.copy()
    assert_values(forest, leaves)
    assert result.modified is None
    assert_update(result, before, forest.values, firing.neurons.size)
    return leaves


@given(m=st.integers(1, 70), n=st.integers(1, 5), palette=st.sampled_from(["few", "normal"]), seed=st.integers(0, 9999))
@settings(max_examples=40)
def test_products_added_equal_dense_ones(m, n, palette, seed):
    rng = np.random.default_rng(seed)
    leaves = draw_values(rng, (m, n), palette)
    forest = Forest(leaves)
    for _ in range(4):
        leaves = assert_product(forest, leaves, random_product(rng, m, n, palette), 1e-12)


# Large forests: one thread a subtree, compiled loops


@pytest.mark.parametrize("cpus", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_large_path_equals_the_small_one_bit_for_bit(cpus, monkeypatch):
    monkeypatch.setattr(compiled, "num_threads", lambda: cpus)
    for m in range(1, 80):
        rng = np.random.default_rng(m)
        n, palette = int(rng.integers(1, 6)), ("few", "normal")[m % 2]
        leaves = draw_values(rng, (m, n), palette)
        small, updated = Forest(leaves), Forest(leaves)
        with large_forests(cpus):
            large = Forest(leaves)
        assert large._is_large and not small._is_large
        for _ in range(6):
            product = random_product(rng, m, n, palette)
            before = small.values.copy()
            _, firing, steps, basis = product
            results = [
                small.add_product(firing, steps, basis),
                updated.update(firing.neurons, firing.matrix(steps) @ basis, relative=True),
            ]
            leaves = assert_product(large, leaves, product, 1e-12)
            results.append(large.update(firing.neurons, leaves[firing.neurons], with_nodes=False))
            assert results.pop().num_modified.sum() == 0
            for result in results:
                assert_update(result, before, large.values, firing.neurons.size)
            assert large.values.tobytes() == small.values.tobytes() == updated.values.tobytes()
        for threshold in thresholds_of(small, rng):
            one, many = small.query_all(threshold), large.query_all(threshold)
            np.testing.assert_array_equal(one.visited_levels, many.visited_levels)
            for name in ("neurons", "indptr", "points"):
                np.testing.assert_array_equal(getattr(one.firing, name), getattr(many.firing, name))
            assert one.products.tobytes() == many.products.tobytes()


@given(
    m=st.one_of(st.integers(1, 20), st.integers(21, 300)),
    n=st.integers(1, 5),
    cpus=st.integers(1, 8),
    palette=st.sampled_from(PALETTES),
    seed=st.integers(0, 9999),
)
@settings(max_examples=40)
def test_both_paths_count_every_level_of_every_tree(m, n, cpus, palette, seed):
    rng = np.random.default_rng(seed)
    leaves = draw_values(rng, (m, n), palette)
    small = Forest(leaves)
    with large_forests(cpus):
        large = Forest(leaves)
        for _ in range(2):
            for threshold in thresholds_of(small, rng):
                for forest in (small, large):
                    assert_query_all(forest, threshold)
            _, firing, steps, basis = random_product(rng, m, n, palette)
            before = small.values.copy()
            for forest in (small, large):
                result = forest.add_product(firing, steps, basis)
                assert_update(result, before, forest.values, firing.neurons.size)


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_refused_product_changes_nothing(is_large, bad):
    leaves = np.random.default_rng(1).standard_normal((9, 2))
    with large_forests(cpus=4) if is_large else contextlib.nullcontext():
        forest = Forest(leaves)
    firing = FiringSets.from_pairs(np.array([1, 7]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="finite"), np.errstate(all="ignore"):
        forest.add_product(firing, np.array([1.0, bad]), np.ones((2, 2)))
    assert_values(forest, leaves)


@pytest.mark.parametrize("is_large", [False, True])
def test_a_product_that_would_overflow_is_refused(is_large):
    with large_forests(cpus=2) if is_large else contextlib.nullcontext():
        forest = Forest(OVERFLOWING)
    firing = FiringSets.from_pairs(np.array([1]), np.array([0]), 2)
    with pytest.raises(ValueError, match="finite"):
        forest.add_product(firing, np.array([1.7e308]), np.eye(2))
    assert_values(forest, OVERFLOWING)


@pytest.mark.parametrize("cpus", [2, 4, 8])
def test_large_forest_lists_nodes_when_asked(cpus):
    rng = np.random.default_rng(cpus)
    leaves = rng.integers(-2, 3, size=(45, 3)).astype(float)
    with large_forests(cpus):
        forest = Forest(leaves)
    for _ in range(8):
        neurons, rows, relative = random_update(rng, 45, 3, "few")
        before = forest.values.copy()
        result = forest.update(neurons, rows, relative=relative)
        leaves = updated_leaves(leaves, neurons, rows, relative)
        assert_values(forest, leaves)
        assert_update(result, before, forest.values, neurons.size)
        assert_query_all(forest, 1.0)


def test_signed_zeros_take_both_paths_alike():
    rng = np.random.default_rng(3)
    for m in range(9, 40):
        leaves = rng.choice([0.0, -0.0, -1.0, 1.0], size=(m, 5))
        small = Forest(leaves)
        with large_forests(cpus=8):
            large = Forest(leaves)
        for _ in range(10):
            firing = FiringSets.from_pairs(*np.nonzero(rng.random((m, 5)) < 0.3), 5)
            steps = rng.choice([0.0, -0.0, -1.0, 1.0], size=firing.num_pairs)
            basis = rng.choice([0.0, -0.0, 1.0], size=(5, 5))
            one, many = (forest.add_product(firing, steps, basis) for forest in (small, large))
            np.testing.assert_array_equal(one.modified_levels, many.modified_levels)
            assert one.num_operations == many.num_operations
            assert small.values.tobytes() == large.values.tobytes()


@pytest.mark.slow
def test_a_forest_over_the_size_limit_is_right():
    m, n = 4_100, 1_024
    assert m * n >= forest_module._LARGE_VALUES and m >= forest_module._LARGE_WIDTH
    rng = np.random.default_rng(0)
    leaves = rng.standard_normal((m, n))
    forest = Forest(leaves)
    assert forest._is_large and forest._block_level > 1
    incidence = rng.random((m, n)) < 0.01
    incidence[rng.random(m) < 0.9] = False
    firing = FiringSets.from_pairs(*np.nonzero(incidence), n)
    steps, basis = rng.standard_normal(firing.num_pairs), rng.standard_normal((n, n))
    before = forest.values.copy()
    result = forest.add_product(firing, steps, basis)
    leaves[firing.neurons] += firing.matrix(steps) @ basis
    forest._check()
    np.testing.assert_array_equal(forest.leaves, leaves)
    assert_update(result, before, forest.values, firing.neurons.size)
    found = forest.query_all(2.2)
    expected_neurons, expected_points = np.nonzero(leaves >= 2.2)
    np.testing.assert_array_equal(np.repeat(found.firing.neurons, found.firing.degrees), expected_neurons)
    np.testing.assert_array_equal(found.firing.points, expected_points)
    np.testing.assert_array_equal(found.num_visited, 1 + 2 * (forest.values[1:m] >= 2.2).sum(axis=0))
    visited = [forest.query(tree, 2.2).visited for tree in range(n)]
    np.testing.assert_array_equal(found.visited_levels, counts_by_level(m, visited))


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 100, 129])
def test_a_networkx_tree_is_an_arborescence_with_the_heap_property(m):
    forest = Forest(draw_values(np.random.default_rng(m), (m, 3), "few"))
    for tree in range(3):
        graph = forest.to_networkx(tree)
        assert nx.is_arborescence(graph) and sorted(graph) == list(range(1, 2 * m))
        leaves = [node for node in graph if not graph.out_degree(node)]
        assert sorted(graph.nodes[node]["neuron"] for node in leaves) == list(range(m))
        assert [forest.leaves[graph.nodes[node]["neuron"], tree] for node in leaves] == [
            graph.nodes[node]["value"] for node in leaves
        ]
        depths = nx.shortest_path_length(graph, 1)
        for node, attributes in graph.nodes(data=True):
            is_leaf = node >= m
            assert set(attributes) == {"value", "level", *["neuron"] * is_leaf} and attributes["level"] == depths[node]
            assert [type(attributes[name]) for name in ("value", "level")] == [float, int]
            children = list(graph.successors(node))
            if children:
                assert len(children) == 2
                assert attributes["value"] == max(graph.nodes[child]["value"] for child in children)


@given(st.integers(1, 90), st.integers(0, 999), st.sampled_from([-9.0, -1.0, 0.0, 0.5, 1.0, 2.0, 9.0, np.inf, -np.inf]))
def test_states_of_a_networkx_tree_are_those_of_the_query(m, seed, threshold):
    forest = Forest(draw_values(np.random.default_rng(seed), (m, 2), "few"))
    found = forest.query(1, threshold)
    graph = forest.to_networkx(1, threshold)
    nodes = {"firing": set(), "entered": set(), "pruned": set(), "not entered": set()}
    for node, state in graph.nodes(data="state"):
        nodes[state].add(node)
    visited = set(found.visited.tolist())
    assert nodes["firing"] == {m + r for r in found.neurons.tolist()}
    assert nodes["firing"] | nodes["entered"] | nodes["pruned"] == visited
    assert len(visited) == 1 + 2 * len(nodes["entered"])
    assert nodes["not entered"] == set(range(1, 2 * m)) - visited
    assert all(("neuron" in graph.nodes[node]) == (node >= m) for node in graph)


@pytest.mark.parametrize("kind", ["graphml", "gexf", "gml"])
def test_a_networkx_tree_survives_a_file(kind, tmp_path):
    graph = Forest(np.array([[1.5], [-2.0], [0.25]])).to_networkx(0, 1.0)
    path = tmp_path / f"tree.{kind}"
    getattr(nx, f"write_{kind}")(graph, path)
    read = getattr(nx, f"read_{kind}")(path)
    attributes = [{**data, "value": float(data["value"])} for _, data in read.nodes(data=True)]
    for data in attributes:
        data.pop("label", None)  # which GEXF adds
    assert attributes == [data for _, data in graph.nodes(data=True)]
    assert read.number_of_edges() == 4


def test_a_networkx_tree_that_cannot_be_is_a_value_error(monkeypatch):
    forest = Forest(np.zeros((5, 2)))
    for tree in (-1, 2):
        with pytest.raises(ValueError, match="tree must be between 0 and 1"):
            forest.to_networkx(tree)
    with pytest.raises(ValueError, match="threshold"):
        forest.to_networkx(0, np.nan)
    monkeypatch.setattr(graph_module, "_LARGEST_GRAPH", 4)
    with pytest.raises(ValueError, match="draw_tree"):
        forest.to_networkx(0)
    monkeypatch.setattr(graph_module, "_LARGEST_GRAPH", 5)
    assert forest.to_networkx(0).number_of_nodes() == 9
