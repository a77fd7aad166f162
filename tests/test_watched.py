"""What a run through watch lists records, and what the stage tells and draws of it, against the engine's own lists."""

import functools
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import NUMERAL, read_numeral

from treeviz import Trace, TrainConfig, Trainer, load_dataset
from treeviz.model.ledger import Ledger
from treeviz.stage.frames import FrameMaker
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.pictures.watched import leaves_to_show, watch_list
from treeviz.stage.script import phases, pseudocode, write_script
from treeviz.stage.view import View
from treeviz.style import sentences
from treeviz.style.run_charts import cost_figure, loss_figure
from treeviz.training.background import BackgroundRun

COUNT = r"([\d,]+)"
NUM_STEPS = 4
RUNS = {
    "circle": ("circle", {}, 64, 0.3),
    "digits": ("digits", {"num_points": 15}, 1000, 1.0),
    "sphere": ("sphere", {}, 4096, 1.1),
    "rule": ("breast-cancer", {"num_points": 40}, 2000, None),
}


class Seen:
    """A run, and what the engine's lists were before every step and after the last."""

    def __init__(self, name):
        data, options, width, skin = RUNS[name]
        config = TrainConfig(width=width, search="watch", skin=skin, solver="exact")
        self.trainer = Trainer(load_dataset(data, **options), config)
        self.trace, self.lists, self.drifts = self.trainer.trace, [], []
        for step in range(NUM_STEPS + 1):
            lists = self.trainer._engine.lists
            self.lists.append((watched_of(lists), lists.promoted))
            self.drifts.append(lists.drifts())
            if step < NUM_STEPS:
                self.trainer.step()


def watched_of(lists):
    """Read off which pairs the lists watch, (|U(0)|, n)."""
    watched = np.zeros((lists.neurons.size, len(lists.overlaps)), dtype=bool)
    for own in (lists._lists, lists._promoted):
        watched[lists.neurons.searchsorted(own.neurons[own.owners]), own.points] = True
    return watched


@functools.cache
def seen(name):
    return Seen(name)


each_run = pytest.mark.parametrize("name", RUNS)


def count(text):
    return int(text.replace(",", ""))


def read(pattern, text):
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return [count(group) for group in found.groups()]


# ---- the record ----


@each_run
def test_the_pairs_watched_are_those_of_the_engine(name, tmp_path):
    run = seen(name)
    run.trace.save(tmp_path / "run.npz")
    for trace in (run.trace, Trace.load(tmp_path / "run.npz")):
        for iteration, (watched, promoted) in enumerate(run.lists):
            assert np.array_equal(trace.watched_pairs(iteration), watched)
            assert np.array_equal(trace.promoted_before(iteration), promoted)
    assert run.lists[-1][1].size, "without promotions this tests nothing"


def test_a_pair_right_at_the_lowered_threshold_is_watched():
    """At a threshold of 0 the skin is exactly how far below it a pair starts."""
    data, settings = load_dataset("circle"), {"width": 64, "threshold": 0.0, "search": "watch", "solver": "exact"}
    first = Trainer(data, TrainConfig(**settings)).run(1, until_loss=0.0)
    leaves = first.leaf_rows(first.moving_neurons, 0)
    row, point = np.argwhere(leaves < -0.5)[0]
    trainer = Trainer(data, TrainConfig(skin=-leaves[row, point], **settings))
    assert watched_of(trainer._engine.lists)[row, point]
    assert trainer.run(1, until_loss=0.0).watched_pairs(0)[row, point]


@each_run
def test_a_report_says_what_the_lists_did(name):
    run = seen(name)
    for iteration, record in enumerate(run.trace.records):
        report = record.watch
        (watched, promoted), (_, later) = run.lists[iteration : iteration + 2]
        assert report.skin == run.trainer._engine.lists.skin
        assert report.num_watched == watched.sum()
        assert np.array_equal(report.promoted, np.setdiff1d(later, promoted))
        assert report.promoted.dtype == np.int32 and not report.promoted.flags.writeable
        assert report.promoted.size <= report.num_due <= watched.shape[0]
        assert report.num_changed <= report.num_due
        if iteration + 1 < len(run.trace.records):
            changed = [
                np.setxor1d(*pair) for pair in zip(record.firing, run.trace.records[iteration + 1].firing, strict=True)
            ]
            assert report.num_changed == np.unique(np.concatenate(changed)).size


@each_run
def test_drifts_are_those_of_the_engine_and_beyond_the_skin_for_the_promoted(name):
    run = seen(name)
    neurons = run.trace.moving_neurons
    for iteration, drifts in enumerate(run.drifts):
        np.testing.assert_allclose(run.trace.drifts(neurons, iteration), drifts, rtol=1e-7, atol=1e-7)
    for record in run.trace.records:
        drifts = run.trace.drifts(record.watch.promoted, record.iteration + 1)
        assert (drifts > record.watch.skin * (1 - 1e-9)).all()


def test_an_iteration_that_moves_nothing_looks_at_no_neuron():
    data = load_dataset("sphere")
    for settings in ({"threshold": 50.0}, {"method": "gradient-descent", "step_size": 1e200}):
        trainer = Trainer(data, TrainConfig(width=64, search="watch", skin=0.1, **settings))
        for _ in range(3):
            record = trainer.step()
        assert not record.dual_step.any()
        assert (record.watch.num_due, record.watch.num_changed, record.watch.promoted.size) == (0, 0, 0)


def test_only_watch_lists_have_a_report():
    trainer = Trainer(load_dataset("circle"), TrainConfig(width=64))
    with pytest.raises(ValueError, match='search="watch"'):
        trainer.trace.watched_pairs(0)
    assert trainer.step().watch is None
    with pytest.raises(ValueError, match='search="watch"'):
        trainer.trace.watched_pairs(0)
    assert trainer.trace.promoted_before(1).size == 0
    with pytest.raises(ValueError, match="iteration must be"):
        seen("circle").trace.watched_pairs(NUM_STEPS + 1)


def test_a_look_at_a_batch_leaves_the_count_of_pairs_as_it_is():
    run = Trainer(load_dataset("circle"), TrainConfig(width=64, search="watch", skin=0.3))
    engine, before = run._engine, run._engine.num_watched
    engine.evaluate(Ledger(), np.array([1, 3]))
    assert engine.num_watched == before == engine.lists.num_watched


# ---- words ----


@each_run
def test_the_sentence_holds_the_records_numbers(name):
    run = seen(name)
    for record in run.trace.records:
        text = sentences.describe_watching(run.trace, record, record.watch)
        watched, pairs = read(rf"only {COUNT} of {COUNT} pairs are watched", text)
        assert watched == record.watch.num_watched and pairs == run.trace.config.width * len(record.firing)
        assert read(rf"looked at {COUNT} of the {COUNT} neurons", text) == [
            record.watch.num_due,
            run.trace.moving_neurons.size,
        ]
        lowered = f"{run.trainer.threshold - record.watch.skin:.3f}".replace("-", "−")
        assert f"b − skin = {lowered} at the start" in text
        so_far = run.lists[record.iteration + 1][1].size
        if so_far:
            assert read(rf"{COUNT} ha\w+ moved farther", text) == [so_far]
        else:
            assert "None has moved farther" in text
    assert "building the lists" in sentences.describe_cost(run.trace, record)


def test_charts_name_what_the_run_goes_through():
    losses = seen("circle").trace.losses
    for figure in (
        loss_figure(losses, losses, 0, "dense baseline", "watch lists"),
        cost_figure(losses, losses, losses, 0, "operations", "dense", "watch lists"),
    ):
        names = [trace.name for trace in figure.data]
        assert any("watch lists" in name for name in names) and not any("trees" in name for name in names)


# ---- the script ----


def check_script(run, iteration, point, max_nodes):
    """Check the two phases that are told otherwise; the others are told as of any search."""
    trace, record = run.trace, run.trace.records[iteration]
    step, listed = trace.replay(point, iteration), watch_list(trace, point, iteration)
    drawn = draw_tree(step, max_nodes, also=leaves_to_show(listed, step))
    script, lines = write_script(trace, record, drawn, listed), pseudocode(trace.config)
    assert tuple(script) == phases(trace.config)
    for phase, steps in script.items():
        assert steps
        for small in steps:
            assert lines[small.line].phase == phase and -1 <= small.row < drawn.nodes.size
            assert small.text.endswith(".") and "−−" not in small.text and "nan" not in small.text
            assert phase == "repair" or not small.writes
            if phase != "search":
                assert "searched" not in small.text and "pruned" not in small.text.lower()
    check_reading(run, record, step, listed, drawn, script["search"], lines)
    check_looking(run, record, step, listed, drawn, script["repair"], lines)
    return script


def check_reading(run, record, step, listed, drawn, steps, lines):
    watched, promoted = run.lists[record.iteration]
    neurons = run.trace.moving_neurons[watched[:, step.point]]
    assert np.array_equal(listed.neurons, neurons)
    assert read(rf"has {COUNT} neurons? of {COUNT}", steps[0].text) == [neurons.size, step.num_leaves]
    assert (f"and the {promoted.size:,} neuron" in steps[0].text) == (promoted.size > 0)
    found = {"watched": 0, "firing": 0}
    for small in steps[1:-1]:
        if drawn.is_leaf[small.row]:
            neuron = drawn.neuron[small.row]
            assert neuron in neurons and read(rf"Neuron {COUNT}", small.text) == [neuron]
            fires = neuron in record.firing[step.point]
            assert ("so it fires" in small.text) == fires and ("does not fire" in small.text) == (not fires)
            assert ("promoted" in small.text) == (not fires and listed.initial[neuron] < listed.lowered)
            assert ("promoted" not in small.text) or neuron in promoted
            assert lines[small.line].text.startswith("marked" if fires else "not marked")
            found["watched"], found["firing"] = found["watched"] + 1, found["firing"] + fires
        else:
            own, on_list, firing = read(
                rf"holds {COUNT} neurons? .* list: {COUNT} of them\. Firing: {COUNT}", small.text
            )
            assert own == drawn.num_neurons[small.row] and drawn.is_stub[small.row]
            found["watched"], found["firing"] = found["watched"] + on_list, found["firing"] + firing
    assert found == {"watched": neurons.size, "firing": step.firing.size}
    fired, never, far = read(
        rf"is read: {COUNT} firing neurons?\. .* {COUNT} fired nowhere .*; {COUNT} were more than", steps[-1].text
    )
    assert fired == step.firing.size
    assert never == step.num_leaves - run.trace.moving_neurons.size
    assert never + far + neurons.size == step.num_leaves


def check_looking(run, record, step, listed, drawn, steps, lines):
    report = record.watch
    assert read(rf"skin: {COUNT} of the {COUNT} neurons? with a list\. The other {COUNT} are not", steps[0].text) == [
        report.num_due,
        listed.num_listed,
        listed.num_listed - report.num_due,
    ]
    heap = drawn.before.copy()
    crossing, promoted = [], []
    for small in steps[:-1]:
        if small.row in np.flatnonzero(drawn.starts_firing | drawn.stops_firing) and small.writes:
            assert heap[small.row] == drawn.before[small.row] and small.row in dict(small.writes)
        for row, written in small.writes:
            heap[row] = written
        for row in range(1, heap.size):
            assert heap[drawn.parent[row]] >= heap[row]
        if "it is promoted" in small.text:
            promoted.append(drawn.neuron[small.row])
            assert lines[small.line].text.startswith("drift > skin") and not small.writes
            assert run.drifts[record.iteration + 1][listed_place(run, promoted[-1])] >= report.skin * (1 - 1e-9)
        elif small.row >= 0:
            crossing.append(small.row)
            assert small.writes
            assert lines[small.line].text.startswith("z_ri crossed b")
            starts = drawn.after[small.row] >= step.threshold
            assert ("it now fires" in small.text) == starts and ("it no longer fires" in small.text) == (not starts)
    assert np.array_equal(heap, drawn.after)
    assert crossing == np.flatnonzero(drawn.starts_firing | drawn.stops_firing).tolist()
    assert sorted(promoted) == np.intersect1d(drawn.neuron, report.promoted).tolist()
    changed, now, so_far, start, stop = read(
        rf"{COUNT} now fire on other .* {COUNT} w\w+ promoted, {COUNT} so far\. .* {COUNT} neurons? will start "
        rf"and {COUNT} will stop",
        steps[-1].text,
    )
    old, new = (leaves[step.num_leaves :] >= step.threshold for leaves in (step.before, step.after))
    assert (start, stop) == ((new & ~old).sum(), (old & ~new).sum())
    assert (changed, now, so_far) == (
        report.num_changed,
        report.promoted.size,
        run.lists[record.iteration + 1][1].size,
    )


def listed_place(run, neuron):
    return int(run.trace.moving_neurons.searchsorted(neuron))


@given(st.sampled_from(list(RUNS)), st.integers(0, NUM_STEPS - 1), st.integers(0, 10**6), st.integers(3, 599))
def test_a_script_tells_what_the_lists_did(name, iteration, point, max_nodes):
    run = seen(name)
    check_script(run, iteration, point % run.trace.dataset.num_points, max_nodes)


def test_how_far_a_neuron_is_from_where_it_started_is_said_where_it_moves():
    run = seen("circle")
    script = check_script(run, 1, 0, 599)
    moved = [small for small in script["move"] if small.row >= 0]
    assert moved and "additions to move them all" in script["move"][0].text
    for small in moved:
        (neuron,) = read(rf"^Neuron {COUNT} ", small.text)
        far = read_numeral(re.search(f"now {NUMERAL} from where", small.text)[1])
        assert far == pytest.approx(run.drifts[2][listed_place(run, neuron)], rel=6e-3, abs=1e-9)


def test_nothing_is_told_where_nothing_moves():
    trainer = Trainer(load_dataset("sphere"), TrainConfig(width=64, search="watch", threshold=50.0, solver="exact"))
    record = trainer.step()
    step, listed = trainer.trace.replay(0, 0), watch_list(trainer.trace, 0, 0)
    script = write_script(trainer.trace, record, draw_tree(step, 63), listed)
    assert "has 0 neurons of 64" in script["search"][0].text
    assert [small.text for small in script["repair"]] == ["Nothing moved, so no neuron is due."]


def test_the_forest_is_told_as_before():
    config = TrainConfig(width=64)
    texts = {line.text for line in pseudocode(config)}
    listed = {line.text for line in pseudocode(TrainConfig(width=64, search="watch"))}
    assert any("enter both children" in text for text in texts - listed)
    assert any("promote" in text for text in listed - texts)
    assert not any("tree" in text or "node" in text for text in listed)
    assert phases(config) == phases(TrainConfig(width=64, search="watch"))


# ---- frames ----


@pytest.fixture(scope="module")
def maker():
    config = TrainConfig(width=4096, search="watch", skin=1.1, solver="exact")
    run = BackgroundRun(load_dataset("sphere"), config)
    assert run.wait_for(3, timeout=60)
    while len(run.checks) < 4 or run.dense_trace is None or len(run.dense_trace.records) < 4:
        run.request(3)
        run.wait_for(3, timeout=0.05)
    return FrameMaker(run, "key")


@pytest.mark.parametrize("pinned", [None, 0])
@pytest.mark.parametrize("iteration", [0, 2])
def test_a_frame_says_which_neurons_are_watched_and_promoted(maker, iteration, pinned):
    trace, width = maker.run.trace, 4096
    frame = json.loads(maker.frame(View(3, 255, pinned=pinned), iteration))
    nodes, watched = frame["nodes"], trace.watched_pairs(iteration)
    on_list = set(trace.moving_neurons[watched[:, 3]].tolist())
    promoted, now = trace.promoted_before(iteration), trace.records[iteration].watch.promoted
    assert iteration == 0 or promoted.size
    for row, node in enumerate(nodes["id"]):
        below = {node - width} if node >= width else leaves_below(node, width)
        assert nodes["watched"][row] == len(below & on_list)
        assert nodes["entered"][row] == "01"[bool(below & on_list)]
        is_leaf = node >= width
        assert nodes["promoted"][row] == "01"[is_leaf and node - width in promoted]
        assert nodes["promotes"][row] == "01"[is_leaf and node - width in now]
    assert "visited" not in nodes
    assert frame["watch"]["watched"] == watched.sum(axis=0).tolist()
    assert frame["watch"]["firing"] == [fired.size for fired in trace.records[iteration].firing]
    assert frame["watch"]["listed"] == trace.moving_neurons.size
    assert "promoted" in frame["watch"]["sentence"]
    for row, (*_, lists) in frame["leaves"].items():
        place = np.flatnonzero(trace.moving_neurons == nodes["id"][int(row)] - width)
        assert lists == (np.flatnonzero(watched[place[0]]).tolist() if place.size else [])


def leaves_below(node, width):
    while node < width:
        low, high = 2 * node, 2 * node + 1
        return leaves_below(low, width) | leaves_below(high, width)
    return {node - width}


def test_neurons_that_matter_to_the_lists_are_drawn(maker):
    trace = maker.run.trace
    step, listed = trace.replay(3, 1), watch_list(trace, 3, 1)
    promoted, waiting, before = leaves_to_show(listed, step)
    assert np.array_equal(promoted, trace.records[1].watch.promoted[:64])
    assert np.array_equal(before, trace.promoted_before(1)[:64])
    values = step.before[step.num_leaves + waiting]
    assert (np.diff(values) <= 0).all() and (values < step.threshold).all()
    assert values[0] == max(value for value in step.before[step.num_leaves + listed.neurons] if value < step.threshold)
    drawn = draw_tree(step, 127, also=[promoted, waiting, before])
    for kind in (promoted, waiting, before):
        assert np.isin(drawn.neuron, kind).any()


def test_the_header_has_the_skin_and_the_badge_what_was_compared(maker):
    assert maker.header()["skin"] == 1.1
    badge = maker.badge(1)
    assert badge["state"] == "exact"
    assert f"a scan of all {16 * 4096:,} inner products, computed again from the weights" in badge["text"]
    assert "the loss equals the dense method's" in badge["text"]
    forest = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact"))
    assert forest.wait_for(0, timeout=60)
    assert FrameMaker(forest, "other").header()["skin"] is None
