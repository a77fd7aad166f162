"""Frames: what the browser is sent equals what the trace holds, fits through a slow line, and survives any request."""

import dataclasses
import json
import math
import threading
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import read_numeral

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.stage import frames, packing
from treeviz.stage.frames import FrameMaker
from treeviz.stage.packing import pack_frame
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.pictures.field import OutputField
from treeviz.stage.pictures.geometry import neuron_plane
from treeviz.stage.script import phases, pseudocode, write_script
from treeviz.stage.view import DEFAULT_DETAIL, DETAILS, MAX_OPENED, View
from treeviz.training import background
from treeviz.training import trace as trace_module
from treeviz.training.background import MAX_ITERATIONS, BackgroundRun
from treeviz.training.kept import Kept

PATIENCE = 60


def finished(run):
    run.wait_for(MAX_ITERATIONS, timeout=0)  # asks for all of it
    deadline = time.monotonic() + PATIENCE
    while not run.error and not (run.is_finished and not is_behind(run)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return run


def is_behind(run):
    return run.dense_is_behind or len(run.checks) < run.num_computed * run.is_checked


def maker_of(name, width, solver="exact", *, is_checked=True, **settings):
    options = {"num_points": 15} if name == "digits" else {}
    config = TrainConfig(width=width, solver=solver, **settings)
    run = BackgroundRun(load_dataset(name, **options), config, is_checked=is_checked)
    return FrameMaker(finished(run), "key")


@pytest.fixture(scope="module", params=[("digits", 1000, "exact"), ("circle", 100, "sketch"), ("sphere", 3, "exact")])
def maker(request):
    return maker_of(*request.param)


def read(maker, view, iteration):
    return json.loads(maker.frame(view, iteration))


def unpack(answer):
    return json.loads(zlib.decompress(answer))


def bits(mask):
    return "".join("01"[int(bit)] for bit in mask)


def some_views(maker):
    last = maker.run.num_computed - 1
    points, width = maker.run.data.num_points, maker.run.config.width
    yield View(0, 63), 0
    yield View(points - 1, 127, (width - 1, 2 * width - 1)), last
    yield View(points // 2, 599), min(2, last)


def test_the_node_table_is_the_drawn_tree(maker):
    for view, iteration in some_views(maker):
        frame = read(maker, view, iteration)
        drawn = draw_tree(maker.run.trace.replay(view.tree, iteration), view.detail, view.opened)
        nodes = frame["nodes"]
        assert {len(column) for column in nodes.values()} == {drawn.nodes.size}
        assert nodes["id"] == drawn.nodes.tolist() == maker.drawn_nodes(view, iteration)
        assert nodes["parent"] == drawn.parent.tolist()
        assert nodes["depth"] == drawn.depth.tolist()
        assert nodes["kind"] == np.select([drawn.is_leaf, drawn.is_stub], [1, 2], 0).tolist()
        np.testing.assert_allclose(nodes["x"], drawn.x, atol=0.006)
        for name in ("before", "after"):
            np.testing.assert_allclose(nodes[name], getattr(drawn, name), rtol=1e-6)
        for name, column in (
            ("neurons", drawn.num_neurons),
            ("firing", drawn.num_firing),
            ("visited", drawn.num_visited),
            ("modified", drawn.num_modified),
        ):
            assert nodes[name] == column.tolist()
        for name, mask in (
            ("entered", drawn.visited),
            ("passes", drawn.passes),
            ("changes", drawn.modified),
            ("starts", drawn.starts_firing),
            ("stops", drawn.stops_firing),
        ):
            assert nodes[name] == bits(mask), name


def test_the_leaves_are_those_of_the_trace_in_all_trees(maker):
    trace, width = maker.run.trace, maker.run.config.width
    for view, iteration in some_views(maker):
        frame = read(maker, view, iteration)
        trees = [trace.replay(point, iteration) for point in range(trace.dataset.num_points)]
        threshold = trace.config.resolved_threshold
        assert len(frame["leaves"]) == frame["nodes"]["kind"].count(1)
        for row, (before, after, fires, will_fire) in frame["leaves"].items():
            leaf = frame["nodes"]["id"][int(row)]
            np.testing.assert_allclose(np.array(before) / 1000, [tree.before[leaf] for tree in trees], atol=6e-4)
            np.testing.assert_allclose(np.array(after) / 1000, [tree.after[leaf] for tree in trees], atol=6e-4)
            firing = trace.records[iteration].firing
            assert fires == [point for point, fired in enumerate(firing) if leaf - width in fired]
            assert will_fire == [point for point, tree in enumerate(trees) if tree.after[leaf] >= threshold]


def test_leaves_there_is_no_room_for_are_the_least_telling_ones(maker, monkeypatch):
    view, iteration = View(0, 599), 0
    whole = read(maker, view, iteration)
    monkeypatch.setattr(packing, "_MAX_LEAF_VALUES", 2 * 3 * maker.run.data.num_points)
    short = json.loads(json.dumps(pack_frame(maker.run.trace, view, iteration)))
    assert len(short["leaves"]) == min(3, len(whole["leaves"]))
    assert short["leaves"].items() <= whole["leaves"].items()

    def importance(row):
        return [whole["nodes"][name][int(row)] for name in ("starts", "stops", "passes")].count("1")

    left_out = [importance(row) for row in whole["leaves"].keys() - short["leaves"].keys()]
    assert max(left_out, default=0) <= min(map(importance, short["leaves"]))


def test_script_record_atlas_and_plane_are_those_of_the_trace(maker):
    trace = maker.run.trace
    for view, iteration in some_views(maker):
        frame, record = read(maker, view, iteration), trace.records[iteration]
        assert frame["iteration"] == iteration
        assert frame["view"] == {"tree": view.tree, "detail": view.detail, "opened": list(view.opened), "pinned": None}
        drawn = draw_tree(trace.replay(view.tree, iteration), view.detail, view.opened)
        script = write_script(trace, record, drawn)
        assert list(frame["script"]) == list(script)
        for phase, steps in script.items():
            assert maker.num_steps(view, iteration, phase) == len(steps)
            for small, sent in zip(steps, frame["script"][phase], strict=True):
                assert sent[:3] == [small.line, small.text, small.row]
                assert [row for row, _ in sent[3]] == [row for row, _ in small.writes]
                # Written as in the node table, so that the last write is the value after.
                for row, value in sent[3]:
                    assert value in (frame["nodes"]["after"][row], value)
        final = dict(zip(range(drawn.nodes.size), frame["nodes"]["before"], strict=True))
        for *_, writes in frame["script"]["repair"]:
            final.update(writes)
        assert list(final.values()) == frame["nodes"]["after"]
        assert frame["visited"] == record.visited_levels.tolist()
        assert frame["modified"] == record.modified_levels.tolist()
        assert read_numeral(frame["record"]["loss"]) == pytest.approx(record.loss, rel=1e-3)
        np.testing.assert_allclose(frame["record"]["residual"], record.residual, rtol=1e-6)
        np.testing.assert_allclose(frame["record"]["dual"], record.dual_step, rtol=1e-6)
        plane = neuron_plane(trace, view.tree, iteration, include=drawn.neuron[drawn.is_leaf])
        assert frame["plane"]["neurons"] == plane.neurons.tolist()
        assert set(drawn.neuron[drawn.is_leaf].tolist()) <= set(frame["plane"]["neurons"])
        np.testing.assert_allclose(frame["plane"]["before"], plane.before, rtol=1e-4)
        np.testing.assert_allclose(frame["plane"]["after"], plane.after, rtol=1e-4)
        assert frame["plane"]["fires"] == bits(plane.fires_before)
        assert frame["plane"]["will_fire"] == bits(plane.fires_after)
        assert frame["plane"]["touched"] == bits(plane.touched) and frame["plane"]["ever"] == bits(plane.ever)
        np.testing.assert_allclose(frame["plane"]["normal"], plane.normal, rtol=1e-6)
        assert (frame["plane"]["labels"], frame["plane"]["caption"]) == (list(plane.labels), plane.caption)
        if iteration + 1 < len(trace.records):
            assert frame["plane"]["will_touch"] == bits(np.isin(plane.neurons, trace.records[iteration + 1].touched))
        assert f"the search reads {record.num_visited[view.tree]:,} (" in frame["summary"]
        assert f"the move changes {record.num_modified[view.tree]:,} (" in frame["summary"]


def test_neurons_that_the_next_iteration_touches_are_not_those_of_this_one():
    """Without a run in which the two differ, a frame that mixes them up would pass."""
    maker = maker_of("digits", 1000)
    plane = read(maker, View(0, 599), 0)["plane"]
    shown, records = np.array(plane["neurons"]), maker.run.trace.records
    assert plane["touched"] == bits(np.isin(shown, records[0].touched))
    assert plane["will_touch"] == bits(np.isin(shown, records[1].touched)) != plane["touched"]


def test_a_pinned_iteration_is_compared_with_the_one_shown(maker):
    trace, threshold = maker.run.trace, maker.run.config.resolved_threshold
    last = maker.run.num_computed - 1
    for pinned, iteration in ((0, last), (last, 0), (last // 2, last // 2)):
        frame = read(maker, View(1, 127, pinned=pinned), iteration)
        earlier, later = trace.tree_values(1, pinned), trace.tree_values(1, iteration)
        nodes = frame["nodes"]
        np.testing.assert_allclose(nodes["before"], earlier[nodes["id"]], rtol=1e-6)
        np.testing.assert_allclose(nodes["after"], later[nodes["id"]], rtol=1e-6)
        assert nodes["changes"] == bits(earlier[nodes["id"]] != later[nodes["id"]])
        assert nodes["passes"] == bits(earlier[nodes["id"]] >= threshold)
        differing = f"{np.sum(earlier[1:] != later[1:]):,} of {earlier.size - 1:,} nodes differ"
        hint = f"Iteration {iteration} is pinned. Go to another one"
        assert (differing if pinned != iteration else hint) in frame["summary"]
        assert frame["script"] == {}
        trees = [[trace.tree_values(point, at) for at in (pinned, iteration)] for point in range(len(trace.dataset.y))]
        for row, (before, after, fires, will_fire) in frame["leaves"].items():
            leaf = nodes["id"][int(row)]
            np.testing.assert_allclose(np.array(before) / 1000, [old[leaf] for old, _ in trees], atol=6e-4)
            np.testing.assert_allclose(np.array(after) / 1000, [new[leaf] for _, new in trees], atol=6e-4)
            assert fires == [point for point, (old, _) in enumerate(trees) if old[leaf] >= threshold]
            assert will_fire == [point for point, (_, new) in enumerate(trees) if new[leaf] >= threshold]


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=3)
    | st.integers(0, 700),
    lambda inner: st.lists(inner, max_size=15) | st.dictionaries(st.just("key"), inner),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["tree", "detail", "opened", "pinned", "other"]), JUNK))
def test_no_request_is_too_strange(request):
    view = View.from_request(request, num_points=7, width=100)
    assert view.tree in range(7) and type(view.tree) is int
    assert type(view.detail) is int and DETAILS[0] <= view.detail <= DETAILS[-1]
    assert len(set(view.opened)) == len(view.opened) <= MAX_OPENED
    assert all(type(node) is int and 1 <= node < 200 for node in view.opened)
    assert view.pinned is None or (type(view.pinned) is int and 0 <= view.pinned < MAX_ITERATIONS)
    hash(view)


REQUESTS = [
    ({}, View()),
    ({"tree": 3, "detail": 255, "opened": [5, 9], "pinned": 4}, View(3, 255, (5, 9), 4)),
    ({"tree": 99, "detail": 1, "pinned": 10**500}, View(6, DETAILS[0], (), MAX_ITERATIONS - 1)),
    ({"tree": -1, "detail": 1e300, "pinned": -4.5}, View(0, DETAILS[-1], (), 0)),
    ({"tree": 2.9, "detail": math.nan, "pinned": math.nan}, View(2, DEFAULT_DETAIL, (), None)),
    ({"tree": True, "detail": "127", "pinned": "2"}, View()),
    ({"tree": [], "opened": 7}, View()),
    ({"opened": [True, 3.0, "4", [5], None, 0, -1, 200, 199, 199]}, View(opened=(199,))),
    ({"opened": list(range(1, 40))}, View(opened=tuple(range(40 - MAX_OPENED, 40)))),
    ({"tree": math.inf, "detail": -math.inf}, View(6, DETAILS[0])),
]


def test_what_does_not_fit_becomes_the_nearest_thing_that_does():
    for request, view in REQUESTS:
        assert View.from_request(request, num_points=7, width=100) == view, request


def test_any_view_that_a_request_can_name_can_be_drawn(maker):
    rng = np.random.default_rng(0)
    for _ in range(20):
        request = {
            "tree": int(rng.integers(0, 20)),
            "detail": int(rng.integers(0, 700)),
            "opened": rng.integers(0, 2 * maker.run.config.width, 15).tolist(),
            "pinned": int(rng.integers(0, 100)) if rng.random() < 0.3 else None,
        }
        view = View.from_request(request, maker.run.data.num_points, maker.run.config.width)
        frame = read(maker, view, int(rng.integers(0, maker.run.num_computed)))
        assert len(frame["nodes"]["id"]) <= view.detail


def test_an_answer_holds_header_status_and_frames(maker):
    run, view = maker.run, View(1, 63)
    answer = unpack(maker.answer(view, [0, 1, 0, -1, run.num_computed, 10**9], [0], nonce=5, notices=("a", "b")))
    assert [frame["iteration"] for frame in answer["frames"]] == [0, 1][: run.num_computed]
    assert answer["frames"][0] == read(maker, view, 0)
    assert answer["nonce"] == 5 and answer["notices"] == ["a", "b"]
    header, status = answer["header"], answer["status"]
    assert header["settings"] == "key"
    assert header["run"] == maker.run_key != FrameMaker(maker.run, "key").run_key
    assert (header["points"], header["width"]) == (run.data.num_points, run.config.width)
    assert header["threshold"] == run.config.resolved_threshold
    assert [phase["id"] for phase in header["phases"]] == list(phases(run.config))
    assert [line["text"] for line in header["code"]] == [line.text for line in pseudocode(run.config)]
    assert sum(header["levels"]) == 2 * run.config.width - 1
    assert len(header["levels"]) == run.trace.records[0].visited_levels.shape[1]
    np.testing.assert_allclose(header["targets"], run.data.y, rtol=1e-6)
    assert status["computed"] == run.num_computed == len(status["badges"])
    assert status["finished"] and not status["behind"]
    assert {badge["state"] for badge in status["badges"]} == {"exact"}


def test_an_answer_holds_few_frames_at_a_time(maker):
    computed = maker.run.num_computed
    answer = unpack(maker.answer(View(), list(range(computed)), []))
    assert [frame["iteration"] for frame in answer["frames"]] == list(range(min(computed, 4)))


def test_planar_data_come_with_the_outputs_over_the_plane(maker):
    if maker.run.data.name != "circle":
        assert maker.fields([0]) is None
        assert not unpack(maker.answer(View(), [0], [0]))["header"]["planar"]
        return
    deadline = time.monotonic() + PATIENCE
    while maker.fields([0]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    answer = unpack(maker.answer(View(), [0, 1], [0, 2, 9999]))
    assert answer["header"]["planar"]
    expected = OutputField(maker.run.trace)
    np.testing.assert_allclose(answer["fields"]["extent"], expected.extent, rtol=1e-6)
    np.testing.assert_allclose(answer["header"]["data"]["places"], expected.coordinates, rtol=1e-6)
    assert sorted(answer["fields"]["values"]) == ["0", "2"]
    for iteration in (0, 2):
        values = np.array(answer["fields"]["values"][str(iteration)]) / 1000
        np.testing.assert_allclose(values, expected.values(iteration).ravel(), atol=6e-4)


def test_a_frame_is_kept_and_the_same_when_made_again(maker, monkeypatch):
    view = View(1, 63)
    first = maker.frame(view, 0)
    assert FrameMaker(maker.run, "key").frame(view, 0) == first
    monkeypatch.setattr(frames, "pack_frame", None)
    assert maker.frame(View(1, 63), 0) is first


def test_frames_are_kept_for_all_runs_within_bounds(maker, monkeypatch):
    one = len(maker.frame(View(0, 63), 0))
    kept = Kept(room=5 * one, size_of=len)
    monkeypatch.setattr(frames, "_KEPT", kept)
    other = FrameMaker(maker.run, "key")
    for detail in (63, 64, 65, 63, 66, 67, 68):
        for each in (maker, other):
            frame = each.frame(View(0, detail), 0)
            assert kept.get(each, (View(0, detail), 0)) is frame
    assert kept.get(maker, (View(0, 64), 0)) is None  # the room is for five


def test_a_pin_still_to_be_computed_is_not_kept_as_something_else(maker):
    run = maker.run
    half = SimpleNamespace(
        data=run.data, config=run.config, trace=dataclasses.replace(run.trace), num_computed=run.num_computed
    )
    last = run.num_computed - 1
    half.trace.records, half.num_computed = run.trace.records[:last], last
    young = FrameMaker(half, "key")
    view = View(0, 63, pinned=last)  # the very next iteration
    assert f"Iteration {last - 1} is pinned" in read(young, view, last - 1)["summary"]
    half.trace.records, half.num_computed = run.trace.records, run.num_computed
    assert young.frame(view, last - 1) == maker.frame(view, last - 1)


def test_many_viewers_get_the_frames_that_one_gets(maker, monkeypatch):
    rng = np.random.default_rng(1)
    run = maker.run
    questions = [
        (View(int(rng.integers(run.data.num_points)), int(rng.choice(DETAILS))), int(rng.integers(run.num_computed)))
        for _ in range(12)
    ]
    alone = FrameMaker(run, "key")
    expected = [alone.frame(*question) for question in questions]
    monkeypatch.setattr(trace_module, "_KEPT", Kept(1 << 20, lambda value: 1))  # nothing is kept yet
    shared, got = FrameMaker(run, "key"), {}

    def look(viewer):
        order = np.random.default_rng(viewer).permutation(len(questions))
        got[viewer] = {int(place): shared.frame(*questions[place]) for place in order}

    viewers = [threading.Thread(target=look, args=(viewer,)) for viewer in range(4)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join(PATIENCE)
    assert all(got[viewer] == dict(enumerate(expected)) for viewer in range(4))


# Badges.


def test_a_badge_says_how_much_was_checked(maker):
    width, points = maker.run.config.width, maker.run.data.num_points
    for iteration in range(maker.run.num_computed):
        badge = maker.badge(iteration)
        assert badge["state"] == "exact"
        assert f"all {width * points:,} leaves" in badge["text"]
        assert f"all {(width - 1) * points:,} inner nodes" in badge["text"]
        dense, ours = maker.run.dense_trace.losses[iteration], maker.run.trace.losses[iteration]
        if ours == dense > 1e-8:
            assert "to the last bit" in badge["text"]
        elif "equals" in badge["text"]:
            how = read_numeral(badge["text"].split("dense method's to ")[1].rstrip("."))
            assert how == pytest.approx(abs(ours - dense) / dense, rel=0.5)
        else:
            assert "round-off" in badge["text"]


class Saboteur(Trainer):
    """A trainer with a fault in iteration 1."""

    fault = ""

    def step(self):
        record, trees = super().step(), self.config.search == "forest"
        if record.iteration == 0 and trees and self.fault == "node":
            self.forest.values[2, 5] += 1.0
        if record.iteration == 0 and trees and self.fault == "leaves":  # well formed trees, but of other values
            self.forest.update(np.arange(self.config.width), np.full((self.config.width, self.data.num_points), 0.3),
                               relative=True)  # fmt: skip
        if record.iteration == 1 and trees and self.fault == "firing":
            fired = record.firing
            wrong = (*fired[:3], fired[3][1:], *fired[4:])
            record = self.trace.records[-1] = dataclasses.replace(record, firing=wrong)
        return record


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("firing", "Tree 3: search and scan disagree about neuron {neuron:,}, node {leaf:,}."),
        ("node", "Tree 5: node {parents}"),
        ("leaves", "The loss differs from the dense method's by"),
    ],
)
def test_a_badge_says_what_is_wrong(fault, text, monkeypatch):
    monkeypatch.setattr(background, "Trainer", Saboteur)
    monkeypatch.setattr(Saboteur, "fault", fault)
    monkeypatch.setattr(background, "MAX_ITERATIONS", 3)
    run = finished(BackgroundRun(load_dataset("digits", num_points=15), TrainConfig(width=256, solver="exact")))
    assert run.error is None
    maker = FrameMaker(run, "key")
    assert maker.badge(0)["state"] == "exact"
    badge = maker.badge(1)
    assert badge["state"] == "wrong"
    honest = Trainer(run.data, run.config)
    honest.run(2)
    neuron = int(honest.trace.records[1].firing[3][0])
    assert badge["text"].startswith(text.format(neuron=neuron, leaf=256 + neuron, parents="1 is not the larger"))
    assert maker.badge(1) is badge


def test_a_search_led_astray_by_a_wrong_node_is_found(monkeypatch):
    class Blind(Trainer):
        def step(self):
            is_forest = self.config.search == "forest"
            if is_forest:  # from the root down to the leaves: some searches begin below it
                self.forest.values[1:256, 5] = -9.0
            record = super().step()
            if is_forest:
                tree = self.forest.values[:, 5]
                for node in range(255, 0, -1):
                    tree[node] = tree[2 * node : 2 * node + 2].max()
            return record

    monkeypatch.setattr(background, "Trainer", Blind)
    monkeypatch.setattr(background, "MAX_ITERATIONS", 2)
    run = finished(BackgroundRun(load_dataset("digits", num_points=15), TrainConfig(width=256, solver="exact")))
    badge = FrameMaker(run, "key").badge(1)
    assert badge["state"] == "wrong" and "Tree 5: search and scan disagree" in badge["text"]


def test_a_badge_may_be_off_or_waiting_or_without_a_dense_baseline(maker):
    run = maker.run
    fields = ("config", "data", "trace", "checks", "dense_trace", "dense_refusal", "why_unchecked", "num_computed")

    def badge(**changes):
        other = SimpleNamespace(**{name: getattr(run, name) for name in fields} | changes)
        return FrameMaker(other, "key").badge(1)

    assert badge()["state"] == "exact"
    assert badge(why_unchecked="Not checked.", checks=[])["state"] == "off"
    assert badge(checks=run.checks[:1])["state"] == "waiting"
    assert badge(dense_trace=None)["state"] == "waiting"
    behind = dataclasses.replace(run.dense_trace)
    behind.records = run.dense_trace.records[:1]
    assert badge(dense_trace=behind)["state"] == "waiting"
    refused = badge(dense_trace=None, dense_refusal="Too large.")
    assert refused["state"] == "exact" and refused["text"].endswith(" Too large.")


def test_a_badge_that_waits_is_looked_at_again(maker):
    run = maker.run
    other = SimpleNamespace(**{name: getattr(run, name) for name in ("config", "data", "trace", "why_unchecked")})
    other.dense_trace, other.dense_refusal, other.checks = run.dense_trace, "", []
    young = FrameMaker(other, "key")
    assert young.badge(0)["state"] == "waiting"
    other.checks = run.checks
    assert young.badge(0) == maker.badge(0)


def test_an_unchecked_run_has_badges_that_say_so():
    maker = maker_of("sphere", 64, is_checked=False)
    assert {badge["state"] for badge in maker.status()["badges"]} == {"off"}
    assert not maker.status()["behind"]


def test_a_run_that_failed_at_once_still_has_a_status(monkeypatch):
    def fail(self):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Trainer, "step", fail)
    run = BackgroundRun(load_dataset("sphere"), TrainConfig(width=32))
    assert not run.wait_for(0, timeout=PATIENCE)
    answer = unpack(FrameMaker(run, "key").answer(View(), [0], [0]))
    assert answer["frames"] == [] and answer["status"]["badges"] == []
    assert answer["status"]["computed"] == 0 and not answer["status"]["finished"] and not answer["status"]["behind"]


# Sizes.


def test_frames_fit_through_a_slow_line():
    run = BackgroundRun(load_dataset("digits", num_points=50), TrainConfig(width=65_536, solver="exact"))
    assert run.wait_for(1, timeout=PATIENCE)
    maker = FrameMaker(run, "key")
    for iteration in (0, 1):
        assert len(zlib.compress(maker.frame(View(3, 599), iteration).encode(), 6)) < 50_000
    assert len(maker.answer(View(3, 599), [0], [0])) < 100_000


@pytest.mark.slow
def test_a_million_neurons_are_drawn_by_at_most_599_nodes():
    run = BackgroundRun(load_dataset("digits", num_points=8), TrainConfig(width=1 << 20, solver="exact"))
    assert run.wait_for(1, timeout=5 * PATIENCE)
    maker = FrameMaker(run, "key")
    for view in (View(3, 599), View(0, 63, ((1 << 21) - 1,)), View(7, 255, (1 << 19, 777, 1 << 10))):
        for iteration in (0, 1):
            nodes = maker.drawn_nodes(view, iteration)
            assert len(nodes) <= view.detail
            assert set(view.opened) <= set(nodes)


def test_a_neuron_is_answered_for_moments_that_are_computed():
    maker = maker_of("circle", 64)
    computed = maker.run.num_computed
    assert maker.inspect(None, 0, [0]) is None
    told = maker.inspect(5, 2, [computed + 1, 1, 1, computed, -3])
    assert sorted(told["moments"]) == [1, computed] and len(told["leaf"]) == computed + 1
    answer = unpack(maker.answer(View(2), [], [], neuron=told))
    assert answer["neuron"]["leaf"] == told["leaf"] and (answer["neuron"]["neuron"], answer["neuron"]["tree"]) == (5, 2)
