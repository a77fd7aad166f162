"""Pages and the sidebar without a browser: pages are found, datasets are offered, and an upload is parsed once."""

import dataclasses
import sys

import numpy as np
import pytest
import streamlit as st
from app_pages import uploading
from click.testing import CliRunner
from server import ROOT
from streamlit.testing.v1 import AppTest

import treeviz.pages
from treeviz import Dataset, Trainer, load_dataset
from treeviz.cli import main
from treeviz.data import catalogue, dataset
from treeviz.data.dataset import Split
from treeviz.lesson.address import load_run
from treeviz.model.heap import tree_size
from treeviz.pages import data_choice, entry, lessons, runs
from treeviz.pages.page import Page, find_pages
from treeviz.stage.view import DEFAULT_DETAIL

PATHS = {
    "Watch one run": "",
    "Read the method": "theory",
    "Race the methods": "race",
    "Where it pays": "where-it-pays",
    "Ask the Lab": "lab",
    "Explore related work": "related",
}


def open_app(path="", **settings):
    """Open the page with this path, with values for widgets of the sidebar by their keys."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for key, value in {"wanted_page": path, **settings}.items():
        app.session_state[key] = value
    assert not app.run().exception
    return app


def texts(app):
    return [element.value for element in [*app.subheader, *app.markdown, *app.caption]]


# Pages


def test_the_addresses_of_pages_are_those_of_the_first_release():
    assert {page.title: page.path for page in find_pages()} == PATHS
    assert [page.title for page in find_pages()] == list(PATHS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder from which pages are found, too."""
    monkeypatch.setattr(treeviz.pages, "__path__", [*treeviz.pages.__path__, str(tmp_path)])
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"treeviz.pages.{path.stem}", None)


PAGE = """
import streamlit as st
from treeviz.pages.page import Page

def render({arguments}):
    st.subheader("Drawn from outside")
    st.markdown({words})

PAGE = Page("A page from outside", path="{path}", order=2, render=render, needs_data={needs_data})
"""


@pytest.mark.parametrize("needs_data", [True, False])
def test_a_page_is_one_file(folder, needs_data):
    arguments, words = ("settings", "f'width {settings.config.width}'") if needs_data else ("", "'no data'")
    text = PAGE.format(arguments=arguments, words=words, path="outside", needs_data=needs_data)
    (folder / "outside.py").write_text(text)
    assert "A page from outside" in [page.title for page in find_pages()][1:3]  # by its order
    shown = texts(open_app("outside", data="circle", width=64))
    assert "Drawn from outside" in shown and ("width 64" if needs_data else "no data") in shown


def test_two_pages_with_the_same_path_are_refused(folder):
    (folder / "twin.py").write_text(PAGE.format(arguments="", words="''", path="race", needs_data=False))
    with pytest.raises(ValueError, match=r"different paths.*'race'"):
        find_pages()


def test_a_page_about_data_waits_for_them(monkeypatch):
    for path in PATHS.values():
        app = open_app(path, data="your own CSV")
        waits = any("in the sidebar, or one of the other datasets" in info.value for info in app.info)
        assert waits == (path not in ("related", "lab"))


# A dataset from outside


@pytest.fixture
def line():
    """A dataset that is registered for this test alone."""

    @catalogue.register("line", "Points on a line", 6, 9, min_points=3, targets=("up", "down"), noise=0.25)
    def make(sampling, target, noise):
        raw = np.arange(sampling.num_points) + noise * sampling.generator.standard_normal(sampling.num_points)
        y = raw if target == "up" else -raw
        return Split(Dataset.from_arrays(raw[:, None], y, name="line", description=f"A line, noise {noise:g}."))

    yield
    del catalogue._registered["line"]


def test_a_dataset_is_one_entry(line):
    assert load_dataset("line", 4, noise=0, target="down").y.tolist() == [0, -1, -2, -3]
    done = CliRunner().invoke(main, ["run", "--data", "line", "--noise", "0.5", "--width", "64", "--iterations", "1"])
    assert done.exit_code == 0 and "A line, noise 0.5." in done.output
    app = open_app("race", **{"data": "line", "line-n": 5, "line-target": "down"})
    assert "Points on a line." in texts(app)
    assert app.slider(key="line-n").max == 9 and app.slider(key="line-noise").value == 0.25
    assert any("**5 datapoints**" in text for text in texts(app))
    with pytest.raises(ValueError, match="'line' already"):
        catalogue.register("line", "Another", 1, 1)(lambda sampling: None)


def test_every_dataset_can_be_opened_in_the_app():
    app = open_app("race", width=64)
    for name in catalogue.DATASETS:
        app.selectbox(key="data").set_value(name).run()
        assert not app.exception and not app.error, name


@pytest.mark.parametrize("path", [path for path in PATHS.values() if path != "related"])
@pytest.mark.parametrize(
    ("width", "search"),
    [(8, "watch lists"), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((8, "forest"), (16, "table")))],
)
def test_the_smallest_networks_can_be_opened(path, width, search):
    for data in ("circle", "digits"):
        app = open_app(path, data=data, width=width, search=search)
        assert not app.error, [error.value for error in app.error]
        if path == "race":
            app.button(key="start-race").click().run()
            assert not app.exception and not app.error


def test_a_first_visit_opens_on_a_run_that_trains_and_whose_trees_can_be_drawn_whole():
    app = open_app("")
    split, config = load_run({})
    assert (app.session_state["data"], app.session_state["width"]) == ("circle", config.width)
    assert split.train.num_points == 8 and tree_size(config.width) <= DEFAULT_DETAIL
    losses = Trainer(split.train, config).run(20, until_loss=1e-6).losses
    assert losses[-1] < 1e-6 and 4 <= len(losses) <= 10


def test_a_race_of_a_small_network_says_so_and_leads_to_a_larger_one():
    app = open_app("race")
    said = "A network of 64 neurons is small"
    assert any(said in text for text in texts(app))
    app.button(key="larger-race").click().run()
    assert (app.session_state["data"], app.session_state["width"], app.session_state["page"]) == (
        "digits",
        65_536,
        "race",
    )
    assert not app.exception and not any(said in text for text in texts(app))
    app.button(key="back").click().run()
    assert (app.session_state["data"], app.session_state["width"]) == ("circle", 64)


# An upload


@pytest.fixture
def parsed(monkeypatch):
    """The app with an uploaded file; the targets of the tables that were parsed since."""
    data_choice._load.clear()
    rows = "".join(f"{a},{b},{a + 2 * b},{c}\n" for a, b, c in np.random.default_rng(0).random((30, 3)))
    uploading(monkeypatch, f"a,b,u,v\n{rows}")
    targets, read_table = [], dataset.read_table

    def count(file, options, **limits):
        targets.append(options.target)
        return read_table(file, options, **limits)

    monkeypatch.setattr(dataset, "read_table", count)
    return targets


def test_an_upload_is_parsed_once_for_all_pages_viewers_and_settings_of_the_network(parsed):
    choice = {"data": "your own CSV", "csv-target": "u", "csv-n": 20}
    for path in PATHS.values():
        app = open_app(path, width=64, **choice)
        assert not app.error, [error.value for error in app.error]
    app = open_app("", width=64, **choice)
    app.select_slider(key="width").set_value(128).run()
    app.number_input(key="seed").set_value(3).run()
    assert not app.error and any("**n = 20**" in text and "**m = 128**" in text for text in texts(app))
    assert parsed == ["u"]
    app.number_input(key="csv-n").set_value(10).run()
    app.selectbox(key="csv-target").set_value("v").run()
    assert not app.error and parsed == ["u", "u", "v"]


def test_a_file_that_cannot_be_used_is_refused_once_with_the_place_of_the_remedy(parsed):
    app = open_app("race", **{"data": "your own CSV", "csv-target": "w"})
    app.number_input(key="seed").set_value(3).run()
    assert "there is no target column 'w'" in app.error[0].value and "under the file" in app.error[0].value
    assert "use “Target column”" in app.error[0].value
    assert parsed == ["w"]


def test_the_sidebar_says_how_a_file_is_read(parsed):
    app = open_app("race", width=64, **{"data": "your own CSV", "csv-target": "u"})
    app.selectbox(key="csv-separator").set_value(";").run()
    assert "separated by semicolons" in app.error[0].value
    app.selectbox(key="csv-separator").set_value(",").run()
    app.multiselect(key="csv-leave_out").set_value(["v", "b"]).run()
    assert not app.error and list(app.multiselect(key="csv-leave_out").value) == ["v", "b"]
    app.toggle(key="csv-standardize").set_value(False).run()
    assert not app.error and len(parsed) == 5


# An address


def test_what_an_address_asks_in_vain_is_said():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    address = {"data": "circle", "width": "64", "seed": "-1", "circle-n": "8.0", "paper": "True", "noise": "1"}
    app.query_params.update(address)
    assert not app.run().exception
    notices = app.session_state["notices"]
    assert len(notices) == 2, notices
    assert "seed=-1" in notices[0] and "is 0" in notices[0] and "not a setting" in notices[1]


def open_address(monkeypatch, path, **address):
    """Open the page with this path at an address."""
    page = next(page for page in find_pages() if page.path == path)
    stand_in = dataclasses.replace(page, path=path or "x")
    monkeypatch.setattr(entry, "find_pages", lambda: (stand_in, Page("Stage", "", 9, lambda settings: None)))
    switch, opened = st.switch_page, []

    def switch_to(page, query_params):
        opened.append(page)
        switch(page, query_params=address if len(opened) == 1 else query_params)

    monkeypatch.setattr(st, "switch_page", switch_to)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["wanted_page"] = path
    assert not app.run().exception
    return app


def said_of_the_address(app):
    return [info.value for info in app.main.info if "in the address" in info.value]


CALM = {"data": "circle", "width": "64"}
LISTS = {
    "race": {"contestants": ["Forest", "Dense"], "until-loss": "10⁻³", "limit": "60"},
    "where-it-pays": {"family": "SGD"},
    "theory": {"paper": "false", "b": "1.5"},
    "related": {"paper-search": "Zhuo"},
}


@pytest.mark.parametrize("path", LISTS)
def test_every_page_names_what_an_address_asks_in_vain(monkeypatch, path):
    app = open_address(monkeypatch, path, **CALM, **LISTS[path])
    assert said_of_the_address(app) == []
    address = {**CALM, **LISTS[path], "width": "abc", "noise": "[x](y)", "seed": "1e400", "settings": "1"}
    app = open_address(monkeypatch, path, **address)
    width, noise, seed, settings = said_of_the_address(app)
    assert width == "“width=abc” in the address cannot be used; width is 64."
    assert noise.startswith("“noise” in the address is not a setting") and settings.startswith("“settings” in the")
    assert seed == "“seed=1e400” in the address cannot be used; seed is 0."
    app.number_input(key="seed").set_value(3).run()
    assert said_of_the_address(app) == []  # other settings now


def test_a_list_in_an_address_is_taken_whole_or_named(monkeypatch):
    app = open_address(monkeypatch, "race", **CALM, contestants=["Forest", "zzz", "*b*"])
    (said,) = said_of_the_address(app)
    assert said.startswith(r"“contestants=Forest\&contestants=zzz") and "contestants is forest." in said


def test_what_was_asked_of_one_page_is_not_said_on_another(monkeypatch):
    app = open_address(monkeypatch, "race", width="64", seed="-1", data="your own CSV")
    assert said_of_the_address(app) == []  # no data yet: nothing is settled
    app.selectbox(key="data").set_value("circle").run()
    assert len(said_of_the_address(app)) >= 1
    app.session_state["wanted_page"] = ""
    app.run()
    assert said_of_the_address(app) == []


# A run opened by a button

OPENS = """
import streamlit as st
from treeviz.pages.page import Page
from treeviz.pages.page_links import open_on_stage

RUNS = {"one": {"data": "xor", "xor-n": "9", "search": "watch lists", "width": "64"}, "two": {"width": "128"}}

def render():
    for name, settings in RUNS.items():
        st.button(name, on_click=open_on_stage, args=(settings, {"it": "1"}), key=name)

PAGE = Page("Two runs", path="two-runs", order=9, render=render, needs_data=False)
"""


def run_shown(app):
    keys = ("data", "width", "seed", "search", "page")
    return {key: app.session_state[key] for key in keys}, app.session_state["cursor"]


def test_a_run_is_opened_whole_and_leads_back_to_the_settings_before(folder):
    (folder / "two_runs.py").write_text(OPENS)
    app = open_app("", data="circle", width=32, seed=4)
    own, _ = run_shown(app)
    app.session_state["wanted_page"] = "two-runs"
    app.run()
    one = {"data": "xor", "width": 64, "seed": 0, "search": "watch lists", "page": ""}
    assert run_shown(app.button(key="one").click().run()) == (one, 1)
    assert app.session_state["xor-n"] == 9 and not app.session_state["notices"]
    app.session_state["wanted_page"] = "two-runs"
    app.run()
    assert run_shown(app.button(key="two").click().run())[0]["width"] == 128
    app.number_input(key="seed").set_value(9).run()
    app.button(key="back").click().run()
    assert app.session_state["page"] == "two-runs" and "back" not in [button.key for button in app.button]
    app.session_state["wanted_page"] = ""
    assert run_shown(app.run())[0] == own


# ---- A lesson ----

TOO_LARGE = """
title = "Too large"
summary = "A run that takes more memory than a page may."
[[scene]]
title = "one"
text = "{width:neuron}"
settings = { data = "digits", digits-n = 200, width = 1048576 }
"""


def test_a_scene_whose_run_is_too_large_says_so_and_can_be_left(monkeypatch):
    monkeypatch.setattr(runs, "_MAX_RUN_BYTES", 1 << 30)
    monkeypatch.setattr(lessons, "known_lessons", lambda: {"large": lessons.parse_lesson(TOO_LARGE)})
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params["lesson"] = "large"
    app.run()
    assert not app.exception and "a page may take" in app.error[0].value
    app.button(key="leave-lesson").click().run()
    assert app.session_state["lesson_visit"] is None and not app.exception
    app.button(key="back").click().run()
    assert app.session_state["width"] == 64 and not app.error


@pytest.mark.parametrize(
    ("sent", "index"),
    [
        ({"to": 2}, 2),
        ({"to": 99}, 3),
        ({"to": -1}, 0),
        ({"to": float("inf")}, 3),
        ({"to": float("nan")}, 1),
        ({"to": "2"}, 1),
        ({"to": [2]}, 1),
        ({"to": True}, 1),
        ("2", 1),
        (None, 1),
        ({"to": None}, None),
        ({}, None),
    ],
)
def test_whatever_a_browser_sends_turns_to_a_scene_that_there_is(sent, index):
    def turn(sent):
        import streamlit as st

        from treeviz.pages import lessons

        lessons.begin("exactness", lessons.known_lessons()["exactness"], 1)
        lessons.turn(sent)
        st.session_state.found = lessons.open_visit() and lessons.open_visit().index

    app = AppTest.from_function(turn, args=(sent,))
    app.session_state["page"] = ""
    app.run()
    assert not app.exception and app.session_state["found"] == index
