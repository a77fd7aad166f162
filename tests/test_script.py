"""The script of an iteration: the steps are the trainer's, the writes end at its forest, the numbers are true.

The oracles: heaps of plain floats in a dict, `Forest.update` one leaf at a time, and the weights themselves, all m * d
of them, before and after every step.
"""

import dataclasses
import functools
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import NUMERAL, read_numeral

from treeviz import Dataset, Forest, TrainConfig, Trainer, load_dataset
from treeviz.model.numerals import decimals, numeral
from treeviz.stage import script as script_module
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.script import phases, pseudocode, write_script
from treeviz.stage.script_parts import Moves
from treeviz.training.trace import Trace

WIDTHS = (1, 2, 3, 5, 64, 100, 256, 4096)
DATA = {"circle": {}, "xor": {}, "sphere": {}, "digits": {"num_points": 20}}
COUNT = r"([\d,]+)"
VALUE = r"(\(?−?\d+(?:\.\d+)?\)?)"


@dataclass(frozen=True)
class Run:
    """A trace, and all weights before each of its iterations and after the last."""

    trace: Trace
    weights: list[np.ndarray]


def run_of(data, num_steps=3, **settings):
    trainer = Trainer(data, TrainConfig(**settings))
    weights = [trainer.weights()]
    for _ in range(num_steps):
        trainer.step()
        weights.append(trainer.weights())
    return Run(trainer.trace, weights)


@functools.cache
def bundled(name, width, solver):
    return run_of(load_dataset(name, **DATA[name]), width=width, solver=solver)


def count(text):
    return int(text.replace(",", ""))


def value(text):
    return float(text.strip("()").replace("−", "-"))


def read(pattern, text):
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return found.groups()


def below(node, width):
    """Heap numbers of a subtree."""
    found = [node]
    for node in found:
        if node < width:
            found += [2 * node, 2 * node + 1]
    return set(found)


def check_all(run, iteration, point, max_nodes, opened=()):
    """Check everything a script promises; return it."""
    trace = run.trace
    record, step = trace.records[iteration], trace.replay(point, iteration)
    drawn = draw_tree(step, max_nodes, opened)
    script = write_script(trace, record, drawn)
    lines = pseudocode(trace.config)
    assert tuple(script) == phases(trace.config)
    for phase, steps in script.items():
        assert steps, phase
        for small in steps:
            assert lines[small.line].phase == phase
            assert -1 <= small.row < drawn.nodes.size
            assert small.text.endswith(".") and "−−" not in small.text and "nan" not in small.text
            assert phase == "repair" or not small.writes
    check_search(drawn, record, script["search"], lines)
    check_forward(run, record, drawn, script["forward"])
    check_jacobian(run, record, drawn, script["jacobian"])
    check_solve(trace, record, drawn, script)
    check_conditioning(run, record, drawn, script)
    check_move(run, record, drawn, script["move"])
    check_repair(record, drawn, script["repair"], lines)
    if not drawn.is_stub.any():
        check_climbs_against_the_forest(drawn, script["repair"])
    return script


def check_search(drawn, record, steps, lines):
    step, b = drawn.step, drawn.step.threshold
    told = [int(drawn.nodes[small.row]) for small in steps[:-1]]
    assert told == [node for node in step.visited.tolist() if node in set(drawn.nodes.tolist())]
    assert len(set(told)) == len(told)
    for place, node in enumerate(told):
        assert node == 1 or node // 2 in told[:place]
    width, fires = step.num_leaves, set((step.firing + step.num_leaves).tolist())
    visited = set(step.visited.tolist())
    for node, small in zip(told, steps, strict=False):
        shown, sign, threshold = read(rf"is {VALUE} ([≥<]) b = {VALUE}", small.text)
        passes = step.before[node] >= b
        assert (sign == "≥") == passes
        assert value(shown) == pytest.approx(step.before[node], abs=6e-4)
        assert value(threshold) == pytest.approx(b, abs=6e-4)
        line = lines[small.line].text
        if node >= width:
            assert count(read(rf"Neuron {COUNT}", small.text)[0]) == node - width
            assert (node in fires) == passes == ("so it fires" in small.text)
            assert line.startswith("leaf ≥ b" if passes else "value < b")
        elif not passes:
            assert count(read(rf"none of its {COUNT} neurons?", small.text)[0]) == leaves_below(node, width)
            assert line.startswith("value < b") and not below(node, width) & fires
        elif drawn.is_stub[small.row]:
            inside = below(node, width)
            entered, found, neurons = read(
                rf"enters {COUNT} nodes? not drawn here and finds {COUNT} of {COUNT}", small.text
            )
            assert count(entered) == len(inside & visited) - 1
            assert count(found) == len(inside & fires)
            assert count(neurons) == leaves_below(node, width)
        else:
            assert "both children" in small.text
            assert {2 * node, 2 * node + 1} <= set(told)
    last = steps[-1]
    entered, nodes, found = read(rf"{COUNT} of {COUNT} nodes? entered .*, {COUNT} firing neurons? found", last.text)
    assert count(entered) == step.visited.size == record.num_visited[step.point]
    assert count(nodes) == 2 * width - 1
    assert count(found) == record.firing[step.point].size
    assert last.row == -1
    assert ("other trees" in last.text) == (len(record.firing) > 1)


def leaves_below(node, width):
    return sum(below >= width for below in below(node, width))


def check_forward(run, record, drawn, steps):
    trace, step = run.trace, drawn.step
    z = run.weights[record.iteration] @ trace.dataset.X[step.point]
    terms = trace.output_signs * np.maximum(z - step.threshold, 0.0) / np.sqrt(z.size)
    fired, up, down, output = read(
        rf"its {COUNT} firing neurons?.*: {VALUE} from those with a = \+1, −{VALUE} from those with a = −1, "
        rf"f = {VALUE}",
        steps[0].text,
    )
    assert count(fired) == step.firing.size
    assert value(up) == pytest.approx(terms[terms > 0].sum(), abs=6e-4)
    assert value(down) == pytest.approx(-terms[terms < 0].sum(), abs=6e-4)
    assert value(up) - value(down) == pytest.approx(value(output), abs=1.6e-3)
    assert value(output) == pytest.approx(terms.sum(), abs=6e-4)
    output, target, residual, loss = read(
        rf"f − y = {VALUE} − {VALUE} = {VALUE}\. .* the loss is {NUMERAL}\.$", steps[1].text
    )
    y = trace.dataset.y[step.point]
    assert value(target) == pytest.approx(y, abs=6e-4)
    assert value(residual) == pytest.approx(terms.sum() - y, abs=6e-4)
    assert read_numeral(loss) == pytest.approx(0.5 * np.sum(record.residual**2), rel=1e-3)
    assert all(small.row == -1 for small in steps)


def check_jacobian(run, record, drawn, steps):
    X, width = run.trace.dataset.X, run.trace.config.width
    fires = run.weights[record.iteration] @ X.T >= drawn.step.threshold
    own, blocks, pairs = read(rf"has {COUNT} non-zero blocks? of {COUNT},.* rows?: {COUNT} blocks?", steps[0].text)
    assert count(own) == fires[:, drawn.step.point].sum()
    assert count(blocks) == width
    assert count(pairs) == fires.sum()


def check_solve(trace, record, drawn, script):
    report, point = record.solve, drawn.step.point
    text = script["solve"][-1].text
    shown = read(rf"it says g = {NUMERAL}[.]( |$)", text)[0]
    assert read_numeral(shown) == pytest.approx(record.dual_step[point], rel=1e-2, abs=1e-300)
    if report.status != "ok":
        assert report.status[1:] in text
    if trace.config.solver == "exact":
        assert len(script["solve"]) == (2 if report.num_active else 1)
        if report.num_active and len(record.firing) > 1:
            one, own, shared, other = read(
                rf"On datapoint (\d+), {COUNT} neurons? fires?, of these {COUNT} on datapoint (\d+) as well",
                script["solve"][0].text,
            )
            sets = [set(record.firing[int(i)].tolist()) for i in (one, other)]
            assert count(shared) == len(sets[0] & sets[1])
            assert count(own) == len(sets[0]) and int(one) == point
        return
    assert len(script["solve"]) == max(report.iterations, 1)
    for iteration, small in enumerate(script["solve"][: report.iterations]):
        at, norm = read(rf"iteration (\d+): relative error {NUMERAL} of", small.text)
        assert int(at) == iteration + 1
        assert read_numeral(norm) == pytest.approx(report.residual_norms[iteration], rel=0.06)
    if report.num_active:
        rows, per_point, high, wide = read(
            rf"into {COUNT}, {VALUE} a datapoint, .* is {COUNT} × {COUNT}\.", script["sketch"][0].text
        )
        assert count(rows) == count(high) == report.num_sketch_rows
        assert ("looked singular" in script["sketch"][0].text) == (report.num_sketches > 1)
        assert count(wide) == report.num_active == sum(fired.size > 0 for fired in record.firing)
        assert value(per_point) == pytest.approx(report.num_sketch_rows / report.num_active, rel=0.05)


def check_conditioning(run, record, drawn, script):
    """Where G is far from singular, the condition number told is that of the very weights."""
    X = run.trace.dataset.X
    fires = (run.weights[record.iteration] @ X.T >= drawn.step.threshold).astype(float)
    active = np.flatnonzero(fires.any(axis=0))
    if not active.size:
        return
    eigenvalues = np.linalg.eigvalsh(((X @ X.T) * (fires.T @ fires))[np.ix_(active, active)])
    if eigenvalues[0] > 1e-8 * eigenvalues[-1]:
        phase = "solve" if run.trace.config.solver == "exact" else "precondition"
        told = read(rf"condition number of [^.]* is {NUMERAL}[.;:]", script[phase][0].text)[0]
        kappa = read_numeral(told)
        assert kappa == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=0.06)


def check_move(run, record, drawn, steps):
    trace, before, after = run.trace, run.weights[record.iteration], run.weights[record.iteration + 1]
    if not record.dual_step.any():
        assert len(steps) == 1 and "nothing moves" in steps[0].text
        assert np.array_equal(before, after)
        return
    fires = before @ trace.dataset.X.T >= drawn.step.threshold
    touched, width = read(rf"^{COUNT} neurons? of {COUNT} fires? ", steps[0].text)
    assert count(touched) == fires.any(axis=1).sum() == record.touched.size
    assert count(width) == trace.config.width
    told = []
    for small in steps[1:]:
        neuron, points, length = read(
            rf"^Neuron {COUNT} fires on {COUNT} datapoints?, .* move by {NUMERAL}\.$", small.text
        )
        neuron = count(neuron)
        told.append(neuron)
        assert drawn.neuron[small.row] == neuron
        assert count(points) == fires[neuron].sum()
        assert ("this one among them" in small.text) == fires[neuron, drawn.step.point]
        moved = float(np.linalg.norm(after[neuron] - before[neuron]))
        assert read_numeral(length) == pytest.approx(moved, rel=6e-3, abs=1e-9)
    assert sorted(told) == sorted(neuron for neuron in drawn.neuron[drawn.is_leaf].tolist() if fires[neuron].any())


def groups_of_climbs(drawn, steps):
    """Split the repair into what is not a climb at its start, the climbs, and the last step."""
    climbs, first = [], []
    for small in steps[:-1]:
        if small.row >= 0 and drawn.is_leaf[small.row] and small.writes:
            climbs.append([small])
        elif climbs:
            climbs[-1].append(small)
        else:
            first.append(small)
    return first, climbs, steps[-1]


def check_repair(record, drawn, steps, lines):
    step, width = drawn.step, drawn.step.num_leaves
    heap = dict(zip(drawn.nodes.tolist(), drawn.before.tolist(), strict=True))
    after = dict(zip(drawn.nodes.tolist(), drawn.after.tolist(), strict=True))
    row_of = {node: row for row, node in enumerate(drawn.nodes.tolist())}

    def is_right(node):
        return 2 * node not in heap or heap[node] == max(heap[2 * node], heap[2 * node + 1])

    first, climbs, last = groups_of_climbs(drawn, steps)
    stubs = {int(node) for node in drawn.nodes[drawn.is_stub]}
    hidden = sum(len(below(stub, width) & set(step.modified.tolist())) for stub in stubs)
    assert len(first) == (hidden > 0)
    for small in first:
        assert small.row == -1
        which, held, total = read(rf"^(Most|Some) .*hold {COUNT} of its {COUNT} modified", small.text)
        assert count(held) == hidden and count(total) == step.modified.size == record.num_modified[step.point]
        assert (which == "Most") == (2 * hidden > step.modified.size)
        for row, written in small.writes:
            heap[int(drawn.nodes[row])] = written
    for stub in stubs:
        assert heap[stub] == after[stub]
    assert all(map(is_right, heap))

    assert [small[0].row for small in climbs] == np.flatnonzero(drawn.is_leaf & drawn.modified).tolist()
    for climb in climbs:
        leaf = int(drawn.nodes[climb[0].row])
        check_leaf_sentence(drawn, climb, heap[leaf])
        assert climb[0].writes == ((row_of[leaf], after[leaf]),)
        heap[leaf] = after[leaf]
        path, rest = [leaf], climb[1:]
        while path[-1] > 1:
            node, small = path[-1] // 2, rest.pop(0)
            path.append(node)
            assert small.row == row_of[node]
            fresh = max(heap[2 * node], heap[2 * node + 1])
            if fresh == heap[node]:
                assert not small.writes and "Stop." in small.text and lines[small.line].text == "unchanged: stop"
                break
            assert small.writes == ((row_of[node], fresh),)
            assert lines[small.line].text.startswith("go up")
            if abs(fresh - heap[node]) < 1e-8 and "round-off" in small.text:  # no eight digits tell them apart
                assert read_numeral(read(rf"changes by {NUMERAL},", small.text)[0]) == pytest.approx(
                    abs(fresh - heap[node]), rel=0.5
                )
            else:
                assert value(read(rf"is {VALUE}; it was", small.text)[0]) == pytest.approx(fresh, abs=6e-4)
                assert value(read(rf"it was {VALUE}\.$", small.text)[0]) == pytest.approx(heap[node], abs=6e-4)
            heap[node] = fresh
        assert rest == []
        assert all(map(is_right, path))
    assert all(map(is_right, heap))
    assert heap == after

    assert last.row == -1 and not last.writes
    if not step.modified.size:
        assert "nothing to repair" in last.text
        return
    own, nodes, everywhere, all_nodes = read(rf": {COUNT} of {COUNT} nodes?.* trees?: {COUNT} of {COUNT}", last.text)
    assert count(own) == step.modified.size
    assert count(nodes) == 2 * width - 1
    assert count(everywhere) == record.num_modified.sum()
    assert count(all_nodes) == len(record.firing) * (2 * width - 1)
    start, stop = read(rf"Here {COUNT} neurons? will start and {COUNT} will stop firing", last.text)
    fired, fires = (values[width:] >= step.threshold for values in (step.before, step.after))
    assert (count(start), count(stop)) == ((fires & ~fired).sum(), (fired & ~fires).sum())


def check_leaf_sentence(drawn, climb, old):
    text, row, b = climb[0].text, climb[0].row, drawn.step.threshold
    stale, fresh, sign = read(rf"goes from {VALUE} to {VALUE}(?:, | still )([≥<]) b", text)
    new = drawn.after[row]
    assert value(stale) == pytest.approx(old, abs=6e-4)
    assert value(fresh) == pytest.approx(new, abs=6e-4)
    assert (sign == "≥") == (new >= b)
    assert ("now fires" in text) == (old < b <= new)
    assert ("no longer fires" in text) == (new < b <= old)


def check_climbs_against_the_forest(drawn, steps):
    """A tree drawn whole: every climb writes the nodes that `Forest.update` of that one leaf modifies."""
    step = drawn.step
    forest = Forest(step.before[step.num_leaves :, None])
    for climb in groups_of_climbs(drawn, steps)[1]:
        writes = {int(drawn.nodes[row]): written for small in climb for row, written in small.writes}
        neuron = np.array([drawn.neuron[climb[0].row]])
        update = forest.update(neuron, np.array([[drawn.after[climb[0].row]]]))
        assert sorted(writes) == update.modified[0].tolist()
        assert all(forest.values[node, 0] == written for node, written in writes.items())
    assert np.array_equal(forest.values[1:, 0], step.after[1:])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", DATA)
def test_a_script_keeps_its_promises(name, width):
    solver = ("exact", "sketch")[(list(DATA).index(name) + WIDTHS.index(width)) % 2]
    run = bundled(name, width, solver)
    num_points = run.trace.dataset.num_points
    for place, max_nodes in enumerate((3, 31, 599)):
        check_all(run, iteration=place, point=(5 * place + width) % num_points, max_nodes=max_nodes)


@given(
    st.tuples(st.sampled_from(list(DATA)), st.sampled_from((5, 100, 256, 4096)), st.sampled_from(("exact", "sketch"))),
    st.integers(0, 2),
    st.integers(0, 10**6),
    st.integers(3, 599),
    st.lists(st.integers(0, 10**6), max_size=4),
)
def test_a_script_keeps_its_promises_however_the_tree_is_looked_at(which, iteration, point, max_nodes, opened):
    run = bundled(*which)
    opened = [1 + node % (2 * which[1] - 1) for node in opened]
    check_all(run, iteration, point % run.trace.dataset.num_points, max_nodes, opened)


SETTINGS = [(solver, width) for solver in ("exact", "sketch") for width in (3, 64)]


@pytest.mark.parametrize(("solver", "width"), SETTINGS)
def test_where_none_fires_there_is_nothing_to_do(solver, width):
    run = run_of(load_dataset("sphere"), num_steps=1, width=width, solver=solver, threshold=50.0)
    script = check_all(run, 0, 2, 31)
    assert "Pruned." in script["search"][0].text
    assert "No neuron fires on any datapoint" in script["solve"][0].text
    if solver == "sketch":
        assert "nothing to sketch" in script["sketch"][0].text
        assert "nothing to precondition" in script["precondition"][0].text


@pytest.mark.parametrize(("solver", "width"), SETTINGS)
def test_where_nothing_is_left_to_learn_nothing_moves(solver, width):
    data = load_dataset("sphere")
    outputs = Trainer(data, TrainConfig(width=width, solver=solver)).step().outputs
    learned = Dataset(data.X, outputs, "learned", "Its targets are the untrained outputs.")
    script = check_all(run_of(learned, num_steps=1, width=width, solver=solver), 0, 0, 63)
    assert "nothing moves" in script["move"][0].text


@pytest.mark.parametrize(("solver", "width"), SETTINGS)
def test_at_threshold_zero_half_of_all_neurons_fire(solver, width):
    run = run_of(load_dataset("xor"), width=width, solver=solver, threshold=0.0)
    for iteration in range(3):
        check_all(run, iteration, 1, 127)


@pytest.mark.parametrize(("solver", "width"), SETTINGS)
def test_one_datapoint_has_one_tree(solver, width):
    run = run_of(Dataset(np.array([[0.6, 0.8]]), np.array([-1.0])), width=width, solver=solver, threshold=0.1)
    for iteration in range(3):
        script = check_all(run, iteration, 0, 31)
        assert "other trees" not in script["search"][-1].text


@pytest.mark.parametrize("solver", ["exact", "sketch"])
def test_a_singular_system_is_said_to_be_one(solver):
    X = np.array([[0.6, 0.8], [0.6, 0.8], [1.0, 0.0]])
    run = run_of(Dataset(X, np.array([1.0, -1.0, 1.0])), width=64, solver=solver, threshold=0.0)
    for iteration in range(3):
        script = check_all(run, iteration, 1, 127)
        assert "minimum-norm" in script["solve"][-1].text
    if solver == "sketch":
        assert "A is singular" in script["precondition"][0].text


@pytest.mark.parametrize("solver", ["exact", "sketch"])
def test_datapoints_that_fire_no_neuron_are_left_out_of_the_system(solver):
    data = load_dataset("digits", num_points=20)
    run = run_of(data, width=64, solver=solver, threshold=2.2)
    silent = [point for point, fired in enumerate(run.trace.records[0].firing) if not fired.size]
    assert 0 < len(silent) < 20
    script = check_all(run, 0, silent[0], 63)
    text = script["sketch" if solver == "sketch" else "solve"][0].text
    assert ("left out" if solver == "sketch" else "that fire some neuron") in text


def test_for_many_datapoints_the_solvers_estimate_is_told(monkeypatch):
    monkeypatch.setattr(script_module, "_LARGEST_SPECTRUM", 7)
    run = run_of(load_dataset("circle"), num_steps=1, width=256, solver="exact")
    record, step = run.trace.records[0], run.trace.replay(0, 0)
    text = write_script(run.trace, record, draw_tree(step, 31))["solve"][0].text
    assert f"The condition number of G is about {numeral(record.solve.conditioning, 2)}." in text


def test_a_leaf_that_is_b_to_the_last_bit_fires():
    run = bundled("digits", 256, "exact")
    step, record = run.trace.replay(0, 1), run.trace.records[1]
    for leaf in step.modified[step.modified >= 256][:6].tolist():
        for which, outcome in (("before", "so it no longer fires"), ("after", "so it now fires")):
            threshold = float(getattr(step, which)[leaf])
            crosses = (step.before[leaf] >= threshold) != (step.after[leaf] >= threshold)
            drawn = draw_tree(dataclasses.replace(step, threshold=threshold), 599)
            text = next(
                small.text
                for small in write_script(run.trace, record, drawn)["repair"]
                if small.writes and drawn.nodes[small.row] == leaf
            )
            assert (outcome in text) == crosses


@pytest.mark.parametrize("neurons", [[], [0], [0, 3, 40, 63]])
def test_moves_are_those_of_the_weights(neurons):
    run = bundled("sphere", 64, "exact")
    record = run.trace.records[1]
    moves = Moves(run.trace, record, np.array(neurons, dtype=np.int64))
    expected = np.linalg.norm(run.weights[2] - run.weights[1], axis=1)[neurons]
    np.testing.assert_allclose(moves.length, expected, rtol=1e-9, atol=1e-12)
    fires = run.weights[1] @ run.trace.dataset.X.T >= run.trace.config.resolved_threshold
    assert np.array_equal(moves.fires_on, fires[neurons])
    for place, neuron in enumerate(neurons):
        assert moves.of(neuron) == (moves.length[place], fires[neuron].sum())


WRITTEN = [
    ((1.5,), "1.500"),
    ((0.0,), "0.000"),
    ((-0.0,), "0.000"),
    ((-0.0001,), "0.000"),
    ((-1.25,), "−1.250"),
    ((1.0, 1.0), "1.000"),
    ((1.0, 1.0001), "1.0000"),
    ((1.0001, 1.0), "1.0001"),
    ((-0.0001, 0.0001), "−0.0001"),
    ((2.0, 2.0 + 1e-7), "2.0000000"),
    ((2.0, 2.0 + 1e-12), "2.00000000"),
    ((-0.0, 0.0), "0.000"),
]


def test_numbers_have_as_many_decimals_as_tell_them_apart():
    for arguments, text in WRITTEN:
        assert decimals(*arguments) == text


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_two_numbers_are_written_alike_only_if_they_are_equal_to_eight_decimals(left, right):
    texts = decimals(left, right), decimals(right, left)
    assert len({len(text.split(".")[1]) for text in texts}) == 1
    if texts[0] == texts[1]:
        assert left == pytest.approx(right, abs=1.01e-8)
    elif left < right:
        assert value(texts[0]) < value(texts[1])
    assert value(texts[0]) == pytest.approx(left, abs=5.1e-4)


@pytest.mark.parametrize("search", ["forest", "watch", "table", "dense"])
def test_the_pseudocode_has_the_term_of_the_other_activation(search):
    """Each line with outputs, b Σ a/√m in front, against the sum of all m neurons written out."""
    texts = {}
    for activation in ("shifted", "clipped"):
        lines = pseudocode(TrainConfig(width=64, search=search, activation=activation))
        (texts[activation],) = [line.text for line in lines if line.text.startswith("f_i")]
    assert texts["clipped"] == texts["shifted"].replace("f_i ← ", "f_i ← b Σ a_r/√m + ")
