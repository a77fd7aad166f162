"""Planted faults: each shows where its scene says, is found by hand there, and leaves all other runs alone."""

import dataclasses
import itertools

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.lesson.address import faults_of, load_run, read_settings
from treeviz.lesson.scenes.faulty import explain_node, part_around, part_below
from treeviz.lesson.scenes.lesson_file import read_lesson, shipped_texts
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.questions import Click, describe
from treeviz.lesson.ties import with_tie
from treeviz.model.config import FAULTS
from treeviz.model.heap import level_of
from treeviz.pages.data_choice import DataChoice
from treeviz.pages.settings import Settings
from treeviz.search.compiled import load_loops
from treeviz.stage.exactness import describe_exactness
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import ADDRESS
from treeviz.stage.packing import pack_frame
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.script import write_script
from treeviz.stage.view import View
from treeviz.style.faults import describe_fault
from treeviz.style.sentences import describe_watching
from treeviz.training.background import BackgroundRun
from treeviz.training.report import heading

SCENES = {scene.settings["fault"]: scene for scene in read_lesson(shipped_texts()["break"], {}, ADDRESS).scenes}
IN_TREES = [fault for fault, (search, _) in FAULTS.items() if search == "forest"]
STALE = ["skipped-repair", "stale-maximum"]
TIE = 1e-9


def setting_of(fault):
    split, config = load_run(SCENES[fault].settings)
    return split.train, config


def wrong_by_hand(trainer, record, weights, trees):
    """Return {tree: wrong nodes}: of each pair, z from the weights against b; of each inner node, its children."""
    b, X, width = trainer.config.resolved_threshold, trainer.data.X, trainer.config.width
    wrong = {}
    for tree, x in enumerate(X):
        found = set(record.firing[tree].tolist())
        for neuron in range(width):
            z = sum(float(w) * float(c) for w, c in zip(weights[neuron], x, strict=True))
            if abs(z - b) < TIE:  # only the tree's own leaf says on which side it is
                z = trainer.trace.leaf_rows(np.array([neuron]), record.iteration)[0, tree]
            if (z >= b) != (neuron in found):
                wrong.setdefault(tree, set()).add(width + neuron)
        for node in range(1, width) if trees is not None else ():
            if trees[node, tree] != max(trees[2 * node, tree], trees[2 * node + 1, tree]):
                wrong.setdefault(tree, set()).add(node)
    return wrong


def train(data, config, num_iterations):
    """Yield the trainer, each record, and what is wrong in its iteration by hand."""
    trainer = Trainer(data, config)
    for _ in range(num_iterations):
        weights = trainer.weights()
        trees = trainer.forest.values.copy() if config.search == "forest" else None
        record = trainer.step()
        yield trainer, record, wrong_by_hand(trainer, record, weights, trees)


def ran(scene, num_iterations=9, **settings):
    """Return the trace of the run of a fault's scene, or of the same with other settings."""
    data, config = setting_of(scene)
    return Trainer(data, dataclasses.replace(config, **settings)).run(num_iterations, until_loss=0.0)


def badges(data, config, num_iterations):
    run = BackgroundRun(data, config)
    assert run.wait_for(num_iterations - 1, timeout=60)
    with run._changed:
        assert run._changed.wait_for(lambda: not run.dense_is_behind, timeout=60)
    return [describe_exactness(run, iteration) for iteration in range(num_iterations)]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows_first_at_the_place_its_scene_opens_at(fault):
    moment = SCENES[fault].moment
    place = int(moment["it"]), int(moment["tree"])
    data, config = setting_of(fault)
    assert config.fault == fault
    for trainer, record, wrong in train(data, config, 7):
        if record.iteration < place[0]:
            assert wrong == {}
        if record.iteration == place[0]:
            assert list(wrong) == [place[1]]
            at = TreeMoment(trainer.trace, place[1], place[0])
            asked = describe(SCENES[fault].question, at)
            assert set(asked["right"]) == wrong[place[1]]
            node = min(wrong[place[1]])
    found = badges(data, config, 7)
    states = [badge["state"] for badge in found]
    assert states[: place[0] + 1] == ["exact"] * place[0] + ["wrong"]
    assert found[place[0]]["place"] == (place[1], node)
    assert f"node {node:,}" in found[place[0]]["found"] and f"{node:,}" not in found[place[0]]["text"].split("loss")[0]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_run_without_the_fault_is_exact(fault):
    data, config = setting_of(fault)
    sound = dataclasses.replace(config, fault=None)
    assert all(wrong == {} for _, _, wrong in train(data, sound, 6))
    found = badges(data, sound, 6)
    assert {badge["state"] for badge in found} == {"exact"}
    assert not any("fault" in badge["text"] or "found" in badge for badge in found)


@pytest.mark.parametrize(("fault", "seed"), list(itertools.product(IN_TREES, range(6))))
def test_the_trees_replayed_are_those_of_the_faulty_run(fault, seed):
    for data in (load_dataset("circle", num_points=8, seed=seed), load_dataset("sphere", num_points=5, seed=seed)):
        trainer = Trainer(data, TrainConfig(width=60, solver="exact", seed=seed, fault=fault))  # leaves on two levels
        for iteration in range(8):
            before = trainer.forest.values.copy()
            record = trainer.step()
            after = trainer.forest.values
            for tree in range(data.num_points):
                step = trainer.trace.replay(tree, iteration)
                assert np.array_equal(step.before[1:], before[1:, tree])
                assert np.array_equal(step.after[1:], after[1:, tree])
                assert np.array_equal(step.firing, record.firing[tree])
                assert step.visited.size == record.num_visited[tree]
                levels = np.floor(np.log2(step.modified)).astype(int)
                assert np.array_equal(
                    np.bincount(levels, minlength=trainer.forest.num_levels), record.modified_levels[tree]
                )


@pytest.mark.parametrize("fault", STALE)
def test_one_node_is_wrong_once_and_a_later_repair_may_put_it_right(fault):
    seeds_with_a_fault = 0
    for seed in range(8):
        data = load_dataset("circle", num_points=8, seed=seed)
        trainer = Trainer(data, TrainConfig(width=64, solver="exact", seed=seed, fault=fault))
        wrong = []
        for _ in range(8):
            record = trainer.step()
            values = trainer.forest.values
            nodes = np.argwhere(values[1:64] != values[2:].reshape(63, 2, 8).max(axis=1))
            wrong.append({(int(tree), int(row) + 1) for row, tree in nodes})
            assert wrong[-1] == ({record.stale[:2]} if record.stale else set())
        places = set().union(*wrong)
        assert len(places) <= 1
        seeds_with_a_fault += len(places)
    assert seeds_with_a_fault == 8


def test_what_the_scenes_say_of_their_runs():
    load_loops("forest.loops")  # as a large run in the same process does: small runs use them from then on
    honest = {fault: ran(fault, fault=None) for fault in FAULTS}
    # A skipped repair: a neuron is missed, the node is put right by the next move, the loss goes another way.
    trace = ran("skipped-repair")
    assert trace.records[0].stale and trace.records[1].stale is None
    assert trace.records[1].firing.num_pairs == honest["skipped-repair"].records[1].firing.num_pairs - 1
    assert abs(trace.losses[3] - honest["skipped-repair"].losses[3]) > 0.1
    # A stale maximum: more is read, and nothing else changes.
    trace, sound = ran("stale-maximum"), honest["stale-maximum"]
    assert all(one.firing.equals(other.firing) for one, other in zip(trace.records, sound.records, strict=True))
    assert np.array_equal(trace.losses, sound.losses)
    assert trace.records[1].num_visited[7] > sound.records[1].num_visited[7]
    # A strict comparison: the leaf is exactly b, and that of the output is the same.
    trace, sound = ran("strict-comparison"), honest["strict-comparison"]
    missed = np.setdiff1d(sound.records[0].firing[3], trace.records[0].firing[3])
    b = trace.config.resolved_threshold
    assert missed.size == 1 and sound.leaf_rows(missed, 0)[0, 3] == b
    assert trace.losses[0] == pytest.approx(sound.losses[0], rel=1e-12) and trace.losses[1] != sound.losses[1]
    # A forgotten promotion: the neuron is farther than the skin from its start, and no neuron is promoted.
    trace = ran("no-promotion")
    assert all(record.watch.promoted.size == 0 for record in trace.records)
    assert Trainer(*setting_of("no-promotion"))._engine.lists.setting.skin == np.inf
    assert honest["no-promotion"].records[0].watch.promoted.size > 0
    assert trace.drifts(np.array([37]), 2)[0] > trace.config.skin
    assert not trace.watched_pairs(2)[trace.moving_neurons.searchsorted(37), 1]
    # A skin too small: those promoted have moved four times the skin, and some have moved farther than it and are not.
    trace = ran("small-skin")
    for record in trace.records[:4]:
        drifts = trace.drifts(trace.moving_neurons, record.iteration + 1)
        watched = np.isin(trace.moving_neurons, trace.promoted_before(record.iteration + 1))
        assert (drifts[np.isin(trace.moving_neurons, record.watch.promoted)] > 4 * 0.7).all()
        assert (drifts[~watched] <= 4 * 0.7).all()
    assert trace.records[0].watch.promoted.size
    assert trace.drifts(np.array([56]), 1)[0] > 0.7 and 56 not in trace.promoted_before(1)


@pytest.mark.parametrize("fault", STALE)
def test_a_large_forest_is_faulty_in_one_node_too(fault):
    data = load_dataset("circle", num_points=16)
    config = TrainConfig(width=1 << 18, solver="exact", fault=fault)  # compiled loops in several threads
    trainer = Trainer(data, config)
    record = trainer.step()
    assert record.stale is not None
    assert trainer.scan().heap_fault == record.stale[:2]
    tree = record.stale.tree
    assert np.array_equal(trainer.trace.tree_values(tree, 1)[1:], trainer.forest.values[1:, tree])


def test_more_and_less_than_a_tie_make_no_difference_to_a_strict_comparison():
    data, config = setting_of("strict-comparison")
    b = config.resolved_threshold
    for threshold, shows in ((b, True), (np.nextafter(b, 2), False), (np.nextafter(b, 1), False), (None, False)):
        run = dataclasses.replace(config, threshold=threshold)
        pairs = [Trainer(data, dataclasses.replace(run, fault=fault)).step().firing for fault in (None, run.fault)]
        assert pairs[0].equals(pairs[1]) == (not shows)


def test_a_tie_is_found_where_none_is_given():
    settings = {"data": "circle", "width": "64", "seed": "5", "fault": "strict-comparison"}
    split, config = load_run(with_tie(settings))
    leaves = Trainer(split.train, dataclasses.replace(config, fault=None)).forest.leaves
    assert np.count_nonzero(leaves == config.threshold) == 1
    own = settings | {"paper": "false", "b": "1.5"}
    assert with_tie(own) == own
    other = settings | {"fault": "stale-maximum"}
    assert with_tie(other) == other
    with pytest.raises(ValueError, match="smaller width"):
        with_tie(settings | {"width": "1048576"})


def test_honest_runs_are_the_same_before_and_after_faulty_ones():
    def honest():
        traces = [ran(fault, fault=None) for fault in FAULTS]
        return [(trace.losses.tolist(), [record.costs for record in trace.records]) for trace in traces]

    before = honest()
    for fault in FAULTS:
        ran(fault)
    assert honest() == before


@pytest.mark.parametrize(("fault", "seed"), list(itertools.product(FAULTS, range(4))))
def test_a_faulty_run_stays_finite_and_can_be_shown(fault, seed):
    data = load_dataset("circle", num_points=8, seed=seed)
    search = FAULTS[fault][0]
    skin = {"skin": 0.8} if search == "watch" else {}
    trainer = Trainer(data, TrainConfig(width=64, solver="exact", seed=seed, fault=fault, search=search, **skin))
    for _ in range(25):
        record = trainer.step()
        assert np.isfinite(record.loss) and np.isfinite(record.dual_step).all() and np.isfinite(record.outputs).all()
    for iteration in (0, 1, 2, 24):
        frame = pack_frame(trainer.trace, View(tree=seed), iteration)
        assert frame["spread"] is None and set(frame["nodes"]["ties"]) <= {"0", "1"}


@pytest.mark.parametrize("fault", STALE)
def test_the_repair_is_told_to_the_end_that_the_run_has(fault):
    told = 0
    # At right angles, a leaf stays as it is where another datapoint moves its neuron, and what is above it is repaired.
    right_angles = Dataset(np.eye(4), np.array([1.0, -1.0, 1.0, -1.0]))
    for seed, is_circle in itertools.product(range(8), (True, False)):
        data = load_dataset("circle", num_points=8, seed=seed) if is_circle else right_angles
        config = TrainConfig(width=64, threshold=None if is_circle else 0.3, solver="exact", seed=seed, fault=fault)
        trace = Trainer(data, config).run(14, until_loss=0.0)
        if not any(record.stale for record in trace.records):
            continue
        (tree,) = {record.stale.tree for record in trace.records if record.stale}
        for record in trace.records:
            drawn = draw_tree(trace.replay(tree, record.iteration), 127)
            values = drawn.before.copy()
            for small in write_script(trace, record, drawn)["repair"]:
                for row, value in small.writes:
                    values[row] = value
                    assert record.stale is None or drawn.nodes[row] != record.stale.node
                told += "below it are" in small.text
            assert np.array_equal(values, drawn.after), (seed, record.iteration)
    assert told >= 8


@pytest.mark.parametrize("fault", STALE)
def test_what_is_left_out_of_the_repair_is_not_counted(fault):
    for seed, threshold in itertools.product(range(8), (None, 0.3)):
        data = load_dataset("circle", num_points=8, seed=seed)
        config = TrainConfig(width=64, threshold=threshold, solver="exact", seed=seed, fault=fault)
        trainer = Trainer(data, config)
        record = trainer.step()
        if record.stale is None:
            continue
        sound = Trainer(data, dataclasses.replace(config, fault=None)).step()
        step = trainer.trace.replay(record.stale.tree, 0)
        changed = step.before != step.after
        node, left_out = record.stale.node, 1
        if fault == "skipped-repair":  # else its sibling's climb would come by
            assert changed[2 * node] != changed[2 * node + 1]
        while node := node // 2:
            left_out += not (changed[2 * node] or changed[2 * node + 1])
        assert sound.costs["repair"] - record.costs["repair"] == left_out


def test_a_badge_says_the_dense_loss_as_soon_as_it_is_known():
    data, config = setting_of("stale-maximum")
    run = BackgroundRun(data, config)
    maker = FrameMaker(run, "key")
    assert run.wait_for(2, timeout=60)
    with run._changed:
        assert run._changed.wait_for(lambda: not run.dense_is_behind, timeout=60)
    dense, run.dense_trace = run.dense_trace, None
    assert maker.badge(1)["state"] == "wrong" and "dense" not in maker.badge(1)["text"]
    run.dense_trace = dense
    assert "the dense method's is" in maker.badge(1)["text"] and maker.badge(1) is maker.badge(1)


def test_nothing_is_said_that_the_fault_makes_false():
    trace = ran("no-promotion")
    record = trace.records[2]
    assert "none has been promoted" in describe_watching(trace, record, record.watch)
    frame = pack_frame(trace, View(tree=1), 2)
    assert "cannot fire" not in frame["script"]["search"][-1][1]
    row = frame["nodes"]["id"].index(64 + 37)
    assert frame["nodes"]["firing"][row] == 0 and frame["nodes"]["before"][row] > trace.config.resolved_threshold
    assert 1 not in frame["leaves"][row][2]
    assert frame["plane"]["fires"][frame["plane"]["neurons"].index(37)] == "0"
    frame = pack_frame(ran("strict-comparison"), View(tree=3), 0)
    (tie,) = [place for place, bit in enumerate(frame["nodes"]["ties"]) if bit == "1" and frame["nodes"]["kind"][place]]
    assert frame["nodes"]["firing"][tie] == 0 and frame["nodes"]["passes"][tie] == "0"


# What a faulty run is called, and that it is taken for no other.


def test_a_faulty_run_says_so_and_is_not_saved(tmp_path):
    trace = ran("stale-maximum", 1)
    assert "fault='stale-maximum'" in repr(trace) and "planted fault stale-maximum" in heading(trace)
    sound = ran("stale-maximum", 1, fault=None)
    assert "fault" not in repr(sound) + heading(sound)
    with pytest.raises(ValueError, match=r"stale-maximum.*not saved"):
        trace.save(tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []
    sound.save(tmp_path / "run.npz")


def test_the_badge_and_the_header_name_the_fault_and_whose_loss_is_shown():
    for fault in FAULTS:
        data, config = setting_of(fault)
        title = describe_fault(fault).title
        found = badges(data, config, 5)
        assert all(f"Planted fault: {title}." in badge["text"] for badge in found)
        dense = Trainer(data, dataclasses.replace(config, fault=None, search="dense")).run(5, until_loss=0.0)
        written = [f"the dense method's is {loss:.4g}"[:-1] for loss in dense.losses]
        assert all(words in badge["text"] for words, badge in zip(written, found, strict=True))
        run = BackgroundRun(data, config)
        assert FrameMaker(run, "key").header()["fault"] == dataclasses.asdict(describe_fault(fault))
    assert FrameMaker(BackgroundRun(data, dataclasses.replace(config, fault=None)), "key").header()["fault"] is None


def test_a_faulty_run_shares_no_key_with_a_run_as_it_should_be():
    config = TrainConfig(width=64, solver="exact")
    keys = set()
    for fault in (None, *IN_TREES):
        settings = Settings(DataChoice("circle", (("seed", 0),)), dataclasses.replace(config, fault=fault))
        keys |= {settings.key, settings.course_key}
    assert len(keys) == 2 * (1 + len(IN_TREES))


def test_a_fault_that_is_not_there_or_belongs_to_another_search_is_refused():
    with pytest.raises(ValueError, match=r"fault must be one of 'skipped-repair', .*; got 'loose-screw'"):
        TrainConfig(width=8, fault="loose-screw")
    with pytest.raises(ValueError, match="can only be planted into search='watch'; got 'forest'"):
        TrainConfig(width=8, fault="small-skin")
    with pytest.raises(ValueError, match=r"fault must be one of none, skipped-repair, .*; got 'loose-screw'"):
        read_settings({"fault": "loose-screw"})
    with pytest.raises(ValueError, match="'fault' is no setting beside the others"):
        read_settings({"search": "table", "fault": "stale-maximum"})
    lesson = shipped_texts()["break"].replace('"skipped-repair"', '"loose-screw"')
    with pytest.raises(ValueError, match="scene 1, 'A skipped repair': fault must be one of"):
        read_lesson(lesson, {}, ADDRESS)


def test_every_fault_can_be_chosen_has_a_scene_and_is_described():
    names = {"forest": "forest", "watch": "watch lists"}
    assert list(SCENES) == list(FAULTS)
    for fault, (search, _) in FAULTS.items():
        assert fault in faults_of(names[search])
        assert SCENES[fault].title == describe_fault(fault).title
        assert describe_fault(fault).sentence.endswith(".")


# The question.


@pytest.mark.parametrize("fault", FAULTS)
def test_every_node_is_explained_as_it_is(fault):
    moment = SCENES[fault].moment
    at = TreeMoment(ran(fault), int(moment["tree"]), int(moment["it"]))
    asked = Click("", "", "faulty").answer(at)
    assert asked["candidates"] == list(range(1, 128)) and (asked["tree"], asked["iteration"]) == (at.tree, at.iteration)
    for node in asked["candidates"]:
        text = asked["reasons"][node]
        assert ("as it should be" in text) == (node not in asked["right"])
        assert f"{at.step.before[node]:.4f}".replace("-", "−") in text
    if fault in ("no-promotion", "small-skin"):
        assert "not on list" in asked["reasons"][asked["right"][0]]
        assert "farther than the skin" in asked["reasons"][asked["right"][0]]


def test_a_run_as_it_should_be_has_no_faulty_node_to_ask_for():
    at = TreeMoment(ran("skipped-repair", fault=None), 3, 1)
    with pytest.raises(ValueError, match="no node of this tree is wrong"):
        describe(SCENES["skipped-repair"].question, at)
    assert "as it should be" in explain_node(at, 58)


@pytest.mark.parametrize("width", [64, 1024, 65_536, 1000])
def test_the_part_of_a_tree_around_a_node_has_the_node_in_it(width):
    rng = np.random.default_rng(width)
    places = set()
    for node in [1, 2, width - 1, width, 2 * width - 1, *rng.integers(1, 2 * width, 200).tolist()]:
        root = part_around(node, width)
        part = part_below(root)
        assert node in part and part.size == 15 == np.unique(part).size and part.min() == root
        assert set(part[1:] // 2) <= set(part)
        if width & (width - 1) == 0:
            assert part.max() < 2 * width
        places.add(level_of(node) - level_of(root))
    assert places == {0, 1, 2, 3}  # on no level always
