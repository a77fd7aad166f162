"""A run in one file: what it holds equals what the server answers, and it is small."""

import base64
import hashlib
import html
import json
import re
import subprocess
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node import ARGUMENTS

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.cli import main
from treeviz.data.catalogue import DATASETS
from treeviz.export import inline
from treeviz.export.dense_text import as_columns, pack
from treeviz.export.lesson_replay import known_lessons, write_lesson
from treeviz.export.replay import Scene, open_run, write_moment, write_replay, write_run
from treeviz.lesson.address import load_run, name_settings
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import Moment
from treeviz.stage.view import View
from treeviz.training.background import BackgroundRun
from treeviz.training.finished import finish_run

WEB = Path(__file__).parent.parent / "treeviz" / "export" / "web"
SCRIPT = Path(__file__).parent / "js" / "answer_replay.js"
TEXT = re.compile(r'<script type="text/plain" id="([\w-]+)">([^<]*)</script>')
NOTHING = {"run": "", "fields": [], "cursor": None, "neuron": None, "moments": [], "weights": None}


def ask(node, texts, name, questions=None):
    given = {"loader": (WEB / "loader.js").read_text(), "texts": texts, "name": name, "questions": questions}
    command = [node, *ARGUMENTS, str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def question(tree=0, wanted=(), nonce=1, **rest):
    view = {"tree": tree, "detail": 127, "opened": [], "pinned": None, **rest.pop("view", {})}
    return {**NOTHING, "nonce": nonce, "view": view, "wanted": list(wanted), **rest}


@pytest.fixture(scope="module")
def run():
    return finish_run(Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact")), 50, 1e-10)


@pytest.fixture(scope="module")
def maker(run):
    return open_run(run)


@pytest.fixture(scope="module")
def page(maker):
    return write_replay([maker], [Scene(0, Moment(View(tree=1)))], [0, 1, 2])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9)
    | st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(["~", "~0", "~~1", "<script>&\"'" * 5]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["a", "~b", "c"]), inner),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_what_is_packed_is_unpacked(node, value):
    text = pack([value, {"twice": value}, value])
    assert not re.search(r"[<>&\"'\s]", text)
    assert ask(node, {"it": text}, "it") == [value, {"twice": value}, value]


def test_what_occurs_twice_is_written_once():
    value = {"sentence": "a sentence of more than forty letters, which occurs often"}
    assert len(pack([value] * 50)) < len(pack([value])) + 60


def test_long_rows_become_columns_and_rows_again(node):
    rows = [
        {"at": place, "inner": {"word": "x" * 3000, "number": place / 7}, "other": "y" * 3000} for place in range(3)
    ]
    columns = as_columns(rows)
    assert list(columns["columns"]) == ["at", "inner", "other"]
    held = {"frames": as_columns([]), "neurons": columns, "header": {}, "status": {}, "fields": None, "weights": []}
    assert as_columns(rows[:1]) == {"rows": rows[:1]} and as_columns([{"a": 1}, {"b": 1}]) == {
        "rows": [{"a": 1}, {"b": 1}]
    }
    assert ask(node, {"it": pack(held)}, "it")["neurons"] == columns


def test_every_answer_is_the_servers(node, page, maker):
    computed = maker.run.num_computed
    questions, expected = [], []
    for tree in range(3):
        leaf = int(maker.run.trace.records[0].firing.neurons[tree])
        for iteration in range(computed):
            moments = [iteration, iteration + 1]
            asked = {"fields": [iteration], "neuron": leaf, "moments": moments, "weights": iteration}
            questions.append(question(tree, [iteration], nonce=len(questions), **asked))
            bytes_ = maker.answer(
                View(tree=tree),
                [iteration],
                [iteration],
                neuron=maker.inspect(leaf, tree, moments),
                weights=maker.weights(iteration),
                start={},
                lesson=None,
                notices=[],
                nonce=questions[-1]["nonce"],
            )
            expected.append(json.loads(zlib.decompress(bytes_)))
    found = ask(node, dict(TEXT.findall(page)), "run-0", questions)
    for one, other in zip(found, expected, strict=True):
        changed = {"details": [127]}  # no other is in the file
        assert one == other | {"header": other["header"] | changed}


def test_what_is_not_held_is_said(node, page):
    found = ask(
        node,
        dict(TEXT.findall(page)),
        "run-0",
        [
            question(5, [0]),
            question(1, [0], view={"pinned": 2}),
            question(1, [0], view={"opened": [9]}),
            question(1, [0]),
        ],
    )
    words = [one["refusal"]["words"] for one in found[:3]]
    assert words == [
        "Tree 5 is not in this file, which holds trees 0, 1 and 2.",
        "Comparisons with iteration 2 are not in this file.",
        "What is below node 9 is not in this file.",
    ]
    assert {one["refusal"]["app"] for one in found[:3]} == {"http://localhost:8501/?"}
    assert "refusal" not in found[3]


def test_the_page_may_run_its_own_scripts_and_request_nothing(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src 'none'; ") and "http" not in policy and "unsafe-eval" not in policy
    loader = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    assert loader == (WEB / "loader.js").read_text()
    assert base64.b64encode(hashlib.sha256(loader.encode()).digest()).decode() in policy
    assert not re.search(r"(src|href)=", page)


def test_a_toy_takes_300_kilobytes_at_most(page):
    assert len(page.encode()) <= 300_000


@pytest.mark.slow
def test_fifty_iterations_of_a_toy_that_does_not_converge_take_300_kilobytes_at_most():
    run = finish_run(Trainer(load_dataset("xor"), TrainConfig(width=64)), 50, 1e-10)
    assert run.num_computed == 50
    assert len(write_run(run, [0]).encode()) <= 300_000


@pytest.mark.slow
def test_three_trees_of_the_digits_take_3_megabytes_at_most():
    run = finish_run(Trainer(load_dataset("digits", 50), TrainConfig(width=65_536)), 50, 1e-10)
    assert len(write_run(run, [0, 1, 2]).encode()) <= 3_000_000


def test_a_finished_run_is_the_one_that_the_app_shows(run):
    other = BackgroundRun(run.data, run.config)
    assert other.wait_for(run.num_computed - 1, timeout=60)
    assert run.trace.losses.tolist() == other.trace.losses[: run.num_computed].tolist()
    assert [check.firing_fault or check.heap_fault for check in run.checks] == [None] * run.num_computed
    assert len(run.dense_trace.records) == run.num_computed
    badges = [badge["state"] for badge in open_run(run).status()["badges"]]
    assert badges == ["exact"] * run.num_computed


def test_a_fault_is_found_in_a_finished_run():
    config = TrainConfig(width=64, solver="exact", fault="skipped-repair")
    run = finish_run(Trainer(load_dataset("circle"), config), 3, 1e-10)
    assert any(check.heap_fault or check.firing_fault for check in run.checks)


@pytest.mark.parametrize("name", DATASETS)
def test_the_app_is_led_to_the_very_run(name):
    data, config = load_dataset(name, seed=3), TrainConfig(width=128, solver="exact", threshold=0.5, seed=3)
    settings_named = name_settings(data, config)
    split, found = load_run(settings_named)
    assert found == config and split.train.X.tolist() == data.X.tolist()


def test_runs_that_the_app_cannot_be_set_to_have_no_address():
    data = load_dataset("circle")
    for config in (
        TrainConfig(width=100),
        TrainConfig(width=64, method="gradient-descent"),
        TrainConfig(width=64, ridge=0.1),
        TrainConfig(width=64, search="dense"),
        TrainConfig(width=64, seed=5),
    ):
        assert name_settings(data, config) is None


@pytest.mark.slow
def test_scenes_are_filled_in_and_open_at_their_moments(node):
    lesson = known_lessons()["break"]
    page = write_lesson("break", lesson)
    texts = dict(TEXT.findall(page))
    held = ask(node, texts, "page")
    assert [scene["lesson"]["scene"]["title"] for scene in held["scenes"]] == [scene.title for scene in lesson.scenes]
    for scene in held["scenes"]:
        told = scene["lesson"]["scene"]
        assert not told["error"] and "{" not in told["text"] + told["question"]["ask"] + told["question"]["why"]
        start = scene["start"]
        asked = question(
            start["tree"], [start["iteration"]], view={"detail": start["detail"], "opened": start["opened"]}
        )
        answer = ask(node, texts, held["runs"][scene["run"]], [asked])[0]
        assert answer["frames"][0]["iteration"] == start["iteration"]


def call(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_the_command_writes_a_replay(tmp_path, node):
    out = tmp_path / "run.html"
    done = call("replay", "--data", "circle", "--width", 64, "--trees", "2,0", "--iterations", 2, "--out", out)
    assert done.exit_code == 0, done.output
    held = ask(node, dict(TEXT.findall(out.read_text())), "run-0")
    assert held["trees"] == [0, 2] and held["status"]["computed"] == 2
    assert ask(node, dict(TEXT.findall(out.read_text())), "page")["scenes"][0]["start"]["tree"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "circle", "--width", 64, "--trees", "0,9"], "there is no tree 9: circle has the trees 0 to 7"),
        (["--trees", "one"], "'one' is no list of whole numbers"),
        (["--lesson", "nowhere"], "neither a file nor one of the lessons idea, cost, exactness, break"),
        (["--lesson", "idea", "--width", 64], "--width is of a run, and a lesson has its own"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch, arguments, words):
    monkeypatch.setattr("treeviz.training.finished.finish_run", lambda *_, **__: pytest.fail("it has begun"))
    out = tmp_path / "run.html"
    out.write_text("as before")
    done = call("replay", *arguments, "--out", out)
    assert done.exit_code and words in done.output
    assert out.read_text() == "as before"


def test_a_maker_of_frames_waits_for_the_outputs_over_the_plane(run):
    fresh = FrameMaker(run, "x")
    fresh.wait_for_field()
    assert set(fresh.fields([0])) == {"extent", "values"}


@pytest.mark.slow
def test_the_command_writes_a_site(tmp_path, node):
    done = call("site", tmp_path / "lessons")
    assert done.exit_code == 0, done.output
    names = {path.stem for path in (tmp_path / "lessons").iterdir()}
    assert names == {"index", *known_lessons()}
    for key, lesson in known_lessons().items():
        text = (tmp_path / "lessons" / f"{key}.html").read_text()
        assert len(text.encode()) <= 1_300_000  # six runs of digits
        scenes = ask(node, dict(TEXT.findall(text)), "page")["scenes"]
        told = [scene["lesson"]["scene"] for scene in scenes]
        assert [scene["title"] for scene in told] == [scene.title for scene in lesson.scenes]
        assert not any(scene["error"] or "{" in scene["text"] for scene in told)


def test_a_site_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "lessons").write_text("a file")
    done = call("site", tmp_path / "lessons")
    assert done.exit_code and "is a file" in done.output


def test_a_notebook_shows_a_trace_that_plays(node, run):
    shown = run.trace._repr_html_()
    assert shown.startswith('<iframe sandbox="allow-scripts"')
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    held = ask(node, dict(TEXT.findall(page)), "run-0")
    assert held["status"]["computed"] == run.num_computed
    assert {badge["state"] for badge in held["status"]["badges"]} == {"off"}
    assert len(shown) < 300_000


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MOST_LEAVES", 8 * 64 - 1, "it has 512 leaves"),
        ("MOST_ITERATIONS", 7, "it has 8 iterations"),
        ("MOST_BYTES", 1000, "bytes, and at most 1,000 are kept"),
    ],
)
def test_a_large_run_is_not_played_in_a_notebook(monkeypatch, run, limit, value, words):
    monkeypatch.setattr(inline, limit, value)
    shown = run.trace._repr_html_()
    assert words in shown and "treeviz.plot_tree(trace, tree, iteration)" in shown and "<iframe" not in shown


def test_a_trace_without_records_says_so():
    assert "step first" in Trainer(load_dataset("circle"), TrainConfig(width=64)).trace._repr_html_()


def test_a_run_that_goes_on_is_held_as_far_as_it_has_come(node):
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=64, solver="exact"))
    assert run.wait_for(3, timeout=60) and run.wait_for_check(3, timeout=60)
    page = write_moment(run, Moment(View(tree=4, detail=63, pinned=1), iteration=3))
    texts = dict(TEXT.findall(page))
    held = ask(node, texts, "run-0")
    assert held["status"]["finished"] and held["status"]["computed"] >= 4 and held["trees"] == [4]
    asked = [question(4, [3], view={"detail": 63, "pinned": pinned}) for pinned in (1, 2)]
    found = ask(node, texts, "run-0", asked)
    assert found[0]["frames"][0]["iteration"] == 3 and "refusal" in found[1]
    del run.checks[3:]  # as if the last were still being checked
    texts = dict(TEXT.findall(write_moment(run, Moment(View(tree=4), iteration=3))))
    held = ask(node, texts, "run-0", [question(4, [2])])
    assert held[0]["status"]["computed"] == 3 and held[0]["frames"][0]["iteration"] == 2
