"""Level of detail, figures and sentences, from real and from hand-made steps."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treeviz import Forest, TrainConfig, Trainer, load_dataset
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.pictures.tree import describe_tree, tree_figure
from treeviz.style import sentences
from treeviz.style.palette import compact, seconds
from treeviz.style.run_charts import cost_figure, loss_figure
from treeviz.training.record import TreeStep


def make_step(before, after, threshold):
    tree, moved = Forest(np.array(before)[:, None]), Forest(np.array(after)[:, None])
    found = tree.query(0, threshold)
    old, new = tree.values[:, 0], moved.values[:, 0]
    modified = np.flatnonzero(old != new)
    return TreeStep(0, 0, threshold, old.copy(), new.copy(), found.visited, found.neurons, modified)


def below(node, width):
    found, spread = [], [node]
    while spread:
        node = spread.pop()
        found.append(node)
        if node < width:
            spread += [2 * node, 2 * node + 1]
    return np.array(found)


# Leaves, and how they change.
LEAVES = st.integers(1, 70).flatmap(
    lambda m: st.tuples(
        st.lists(st.floats(-3, 3, width=16), min_size=m, max_size=m),
        st.lists(st.sampled_from([0.0, 0.0, 0.5, -0.5, 2.0]), min_size=m, max_size=m),
    )
)


@given(LEAVES, st.floats(-1, 3), st.integers(3, 200))
def test_a_drawn_tree_accounts_for_every_node(leaves, threshold, max_nodes):
    before, change = (np.array(part) for part in leaves)
    width = before.size
    step = make_step(before, before + change, threshold)
    tree = draw_tree(step, max_nodes)
    assert tree.nodes.size <= max_nodes
    assert tree.nodes[0] == 1
    for row, node in enumerate(tree.nodes):
        subtree = below(node, width)
        leaves_below = subtree[subtree >= width]
        assert tree.num_neurons[row] == leaves_below.size
        assert tree.num_firing[row] == np.sum(before[leaves_below - width] >= threshold)
        assert tree.is_leaf[row] == (node >= width)
        assert tree.neuron[row] == (node - width if node >= width else -1)
        children = np.flatnonzero(tree.parent == row)
        assert children.size == (0 if tree.is_leaf[row] or tree.is_stub[row] else 2)
        if tree.is_stub[row]:
            assert tree.num_modified[row] == np.isin(subtree, step.modified).sum()
        elif children.size:
            assert tree.x[children].min() < tree.x[row] < tree.x[children].max()
            assert (tree.depth[children] == tree.depth[row] + 1).all()
        assert tree.visited[row] == (node in step.visited)
        assert tree.modified[row] == (node in step.modified)
    ends = np.flatnonzero(tree.is_leaf | tree.is_stub)
    assert tree.num_neurons[ends].sum() == width  # the drawn ends cover all neurons once
    assert np.unique(tree.x[ends]).size == ends.size
    if 2 * width - 1 <= max_nodes:
        assert tree.nodes.size == 2 * width - 1


def widths_of(tree):
    """The room each node takes along its level: a leaf's or an inner node's circle, a stub's label."""
    labels = np.array([len(compact(quantity)) for quantity in tree.num_neurons])
    return np.where(tree.is_stub, 0.4 + 0.22 * labels, 1.0)


def check_layout(tree):
    left, right = tree.x - widths_of(tree) / 2, tree.x + widths_of(tree) / 2
    assert left.min() == pytest.approx(0.0, abs=1e-9)
    ends = tree.is_leaf | tree.is_stub
    for level in range(tree.depth.max() + 2):
        # Leaves and stubs take the level below them, too, for their labels.
        rows = np.flatnonzero((tree.depth == level) | (ends & (tree.depth == level - 1)))
        rows = rows[np.argsort(tree.x[rows], kind="stable")]
        assert (right[rows[:-1]] <= left[rows[1:]] + 1e-9).all()
        same = np.flatnonzero(tree.depth == level)
        assert (np.diff(tree.x[same]) > 0).all()  # heap order is order from left to right
    for row in range(tree.nodes.size):
        children = np.flatnonzero(tree.parent == row)
        assert not children.size or tree.x[children].mean() == pytest.approx(tree.x[row], abs=1e-9)


def check_totals(tree):
    step, drawn = tree.step, ~tree.is_stub
    assert tree.num_visited[drawn].tolist() == tree.visited[drawn].tolist()
    assert tree.num_modified[drawn].tolist() == tree.modified[drawn].tolist()
    assert tree.num_visited.sum() == step.visited.size
    assert tree.num_modified.sum() == step.modified.size
    ends = tree.is_leaf | tree.is_stub
    assert tree.num_neurons[ends].sum() == step.num_leaves == tree.num_neurons[0]
    assert tree.num_firing[ends].sum() == step.firing.size == tree.num_firing[0]


@given(LEAVES, st.floats(-1, 3), st.integers(3, 200), st.lists(st.integers(0, 10**6), max_size=5))
def test_drawn_nodes_never_touch_and_stubs_account_for_the_rest(leaves, threshold, max_nodes, opened):
    before, change = (np.array(part) for part in leaves)
    tree = draw_tree(
        make_step(before, before + change, threshold), max_nodes, [1 + node % (2 * before.size - 1) for node in opened]
    )
    assert tree.nodes.size <= max_nodes
    check_layout(tree)
    check_totals(tree)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 1000, 4096, 100_003])
def test_large_trees_are_laid_out_without_touching(width):
    rng = np.random.default_rng(width)
    before = rng.normal(size=width)
    after = np.where(before > 1.5, before + rng.normal(size=width), before)
    step = make_step(before, after, 2.0)
    for max_nodes in (3, 31, 63, 127, 599):
        tree = draw_tree(step, max_nodes, rng.integers(1, 2 * width, 3))
        assert tree.nodes.size <= max_nodes
        check_layout(tree)
        check_totals(tree)


@given(st.data())
def test_opened_nodes_are_drawn_where_there_is_room_the_latest_first(data):
    width = data.draw(st.sampled_from([100, 1000, 4096]))
    before = np.random.default_rng(width).normal(size=width)
    step = make_step(before, before, 2.0)
    max_nodes = data.draw(st.integers(3, 127))
    opened = data.draw(st.lists(st.integers(1, 2 * width - 1), max_size=12))
    tree = draw_tree(step, max_nodes, opened)
    room, open_ones = (max_nodes - 1) // 2, set(range(1, min(4, (max_nodes + 1) // 2)))
    for node in reversed(opened):
        leaf = node
        while leaf < width:  # down to the largest leaf below
            leaf = 2 * leaf + int(step.before[2 * leaf + 1] > step.before[2 * leaf])
        path = {leaf >> level for level in range(1, leaf.bit_length())} - open_ones
        if len(open_ones) + len(path) <= room:
            open_ones |= path
            assert {node, leaf} <= set(tree.nodes.tolist())
            assert node >= width or not tree.is_stub[tree.nodes.tolist().index(node)]


@pytest.mark.parametrize("node", [-1, 0, 8, 10**30])
def test_draw_tree_refuses_to_open_what_is_not_in_the_tree(node):
    with pytest.raises(ValueError, match=f"between 1 and 7, nodes of this tree; got {node}"):
        draw_tree(make_step([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 0.0), 3, [1, node])


def test_leaves_that_cross_the_threshold_are_drawn_and_named():
    rng = np.random.default_rng(0)
    before = rng.normal(size=4096)
    after = before.copy()
    after[100], after[3000] = 2.7, 1.0
    before[100], before[3000] = 1.0, 2.6
    tree = draw_tree(make_step(before, after, 2.5), 63)
    assert tree.neuron[tree.starts_firing].tolist() == [100]
    assert tree.neuron[tree.stops_firing].tolist() == [3000]
    notes = [note.text for note in tree_figure(tree).layout.annotations]
    assert sorted(notes) == ["#100 starts firing", "#3000 stops firing"]


@pytest.mark.parametrize("threshold", [-9.0, 9.0])
def test_a_tree_in_which_all_or_none_fire_can_be_drawn(threshold):
    step = make_step(np.arange(1000.0) / 500 - 1, np.arange(1000.0) / 500 - 1, threshold)
    tree = draw_tree(step, 63)
    assert tree_figure(tree).to_json()
    assert 999 in tree.neuron, "the largest value is drawn in any case"


def test_a_leaf_too_far_off_to_be_drawn_keeps_no_nearer_one_out():
    leaves = np.zeros(1024)
    leaves[[0, 1023, 2]] = 5.0, 4.0, 3.0
    tree = draw_tree(make_step(leaves, leaves, 2.5), 31)
    assert {0, 2} <= set(tree.neuron.tolist()) and 1023 not in tree.neuron


def test_draw_tree_refuses_too_few_nodes():
    with pytest.raises(ValueError, match="max_nodes must be at least 3"):
        draw_tree(make_step([1.0, 2.0], [1.0, 2.0], 0.0), 2)


@pytest.fixture(scope="module")
def trained():
    data = load_dataset("digits", num_points=12)
    trainer = Trainer(data, TrainConfig(width=1000, solver="exact"))
    trainer.run(4)
    dense = Trainer(data, TrainConfig(width=1000, solver="exact", search="dense"))
    dense.run(4)
    return trainer.trace, dense.trace


def test_figure_markers_match_the_step(trained):
    step = trained[0].replay(3, 1)
    tree = draw_tree(step, 127)
    figure = tree_figure(tree)
    sizes = {trace.name: len(trace.x) for trace in figure.data if trace.name}
    inner = ~tree.is_leaf & ~tree.is_stub
    assert sizes["firing neuron: value ≥ b"] == np.sum(tree.is_leaf & tree.passes & tree.visited)
    assert sizes["modified by this iteration's move"] == tree.modified.sum()
    assert sizes["entered: maximum ≥ b, search goes on"] == np.sum(inner & tree.passes & tree.visited)
    assert sum(tree.is_stub) == len(figure.data[-1].text)
    assert f"{step.firing.size:,} firing neurons" in describe_tree(tree)


def test_states_differ_by_shape_not_only_by_colour(trained):
    figure = tree_figure(draw_tree(trained[0].replay(0, 0), 127))
    symbols = [(trace.marker.symbol, trace.marker.size) for trace in figure.data if trace.mode == "markers"]
    assert len(set(symbols)) == len(symbols) == 6


def test_charts_hold_the_runs_numbers(trained):
    trace, dense = trained
    figure = loss_figure(trace.losses, dense.losses, cursor=2, baseline="dense baseline")
    np.testing.assert_array_equal(figure.data[1].y, trace.losses)
    figure = cost_figure(
        trace.amortized(), trace.amortized(include_build=False), dense.amortized(), 2, "operations", "dense"
    )
    np.testing.assert_array_equal(figure.data[1].y, trace.amortized())
    assert figure.data[1].x.tolist() == list(range(1, len(trace.records) + 1))
    assert figure.layout.shapes[0].x0 == 3, "after iteration 2 three are done"
    assert loss_figure(np.zeros(0), np.zeros(0), 0, "dense baseline").to_json()
    assert loss_figure(np.zeros(3), np.zeros(3), 0, "dense baseline").to_json()


def test_sentences_say_the_records_numbers(trained):
    trace, dense = trained
    record = trace.records[1]
    assert f"{record.num_operations:,} operations" in sentences.describe_cost(trace, record)
    dense_operations = sum(trace.dense_costs(record).values())
    assert f"spends {dense_operations:,} operations" in sentences.describe_cost(trace, record)
    factor = f"{dense_operations / record.num_operations:.3g}"
    assert f"from the firing sets: {factor} times as many." in sentences.describe_cost(trace, record)
    dear = dataclasses.replace(record, costs={"search": 4 * dense_operations})
    assert ": only 0.25 times as many." in sentences.describe_cost(trace, dear)
    assert "coincide" in sentences.compare_losses(trace, dense)


def test_losses_that_differ_are_not_said_to_coincide(trained):
    trace, _ = trained
    other = Trainer(trace.dataset, TrainConfig(width=1000, solver="exact", seed=1))
    other.run(4)
    assert sentences.compare_losses(trace, other.trace).endswith("their steps are not the same.")
    larger = dataclasses.replace(trace, records=[dataclasses.replace(trace.records[0], loss=1.5 * trace.losses[0])])
    assert sentences.compare_losses(trace, larger).startswith("The two differ by up to 50\u00a0% over 1 iteration ")
    solve = dataclasses.replace(trace.records[0].solve, conditioning=2e6)
    badly = dataclasses.replace(trace, records=[dataclasses.replace(trace.records[0], solve=solve)])
    assert "condition numbers up to 2·10⁶, round-off is amplified" in sentences.compare_losses(badly, other.trace)


def test_durations_keep_their_digits():
    assert [seconds(value) for value in (0.00012, 0.1234, 12.345, 1234)] == ["0.12 ms", "123 ms", "12.3 s", "1,230 s"]
