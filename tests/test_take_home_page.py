"""The menu “Take it home” in a real browser: files are downloaded, and hold what was on the screen."""

import csv
import gc
import io
import json
import re
import weakref
from dataclasses import replace
from itertools import count
from xml.etree import ElementTree

import numpy as np
import pytest
from accessibility import serious_findings, show_as
from PIL import Image
from playwright.sync_api import expect
from stage_driver import StageDriver
from test_race_page import choose, finish, open_race, start

from treeviz import Dataset, Trace, TrainConfig, Trainer, load_dataset
from treeviz.data.source import Source
from treeviz.export.citation import bibtex
from treeviz.export.columns import RACE_TABLES, RUN_TABLES
from treeviz.export.notebook import moment_of, pack_script
from treeviz.export.tables import read_tables
from treeviz.pages.take_home import later
from treeviz.race.charts import COLORS, PHASE_COLORS
from treeviz.related.literature import load_papers
from treeviz.training.background import BackgroundRun

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
SVG = "{http://www.w3.org/2000/svg}"


def open_menu(page):
    page.get_by_role("button", name="Take it home").click()
    menu = page.get_by_test_id("stPopoverBody")
    menu.get_by_role("button", name="BibTeX").wait_for()
    return menu


def take(menu, name, folder):
    with menu.page.expect_download() as download:
        menu.get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def picture(menu, name, form, folder):
    """Save a chart of the page; return the path of the file, and the box of the chart on the screen."""
    menu.get_by_label("picture of").select_option(name)
    menu.get_by_label("picture as").select_option(form)
    return take(menu, "Save the picture", folder)


def words_of(path):
    """Return what is written in a picture, which must hold all it needs; and the colours of its curves."""
    text = path.read_text()
    assert not re.search(r"var\(|class=|(?<!-)style=|url\((?!data:|#|&quot;#)", text) and "@font-face" in text
    root = ElementTree.fromstring(text)
    curves = [one for one in root.iter(f"{SVG}path") if one.get("fill") == "none" and len(one.get("d", "")) > 30]
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")], {one.get("stroke") for one in curves}, root


def open_at_a_moment(stage):
    """Open a run that is soon whole, go to another moment, and open the menu; return it and the run as it must be."""
    stage.open("data=circle&width=64&tree=7&it=1")
    stage.element.focus()
    stage.press("Shift+ArrowRight", "4", "ArrowRight")  # the address is the stage's own work from here on
    stage.wait_for(2, 4).rest()
    whole = BackgroundRun(load_dataset("circle"), TrainConfig(width=64, solver="exact"))
    for iteration in count():  # the files of a run that goes on differ
        if not whole.wait_for(iteration, timeout=30):
            break
    expect(stage.part("scrub")).to_have_attribute("max", str(6 * whole.num_computed - 1))
    menu = open_menu(stage.page)
    menu.get_by_text(f"Tree 7, iteration 2, phase “{stage.address()['phase']}”").wait_for()
    return menu, whole


@pytest.mark.slow
def test_the_chart_the_numbers_and_the_moment_of_a_run_are_taken_home(stage, tmp_path):
    menu, whole = open_at_a_moment(stage)
    words, curves, root = words_of(picture(menu, "Loss", "svg", tmp_path))
    assert {"iteration", "loss ½‖f − y‖²", "through the trees"} <= set(words) and "#2b8ccb" in curves
    seen = stage.page.locator(".js-plotly-plot").bounding_box()
    assert float(root.get("width")) == pytest.approx(seen["width"] + 24)
    with Image.open(picture(menu, "Loss", "2", tmp_path)) as painted:
        assert painted.size == pytest.approx((2 * (seen["width"] + 24), 2 * (seen["height"] + 24)), abs=2)
        painted = np.asarray(painted.convert("L"), dtype=float)
    losses = whole.trace.losses.tolist()
    assert Trace.load(take(menu, "The run, for Trace.load", tmp_path)).losses.tolist() == losses
    about, tables = read_tables(take(menu, "All tables: JSON", tmp_path))
    assert set(tables) == set(RUN_TABLES) and tables["records"].loss.tolist() == losses
    assert tables["records"].dense_loss.tolist() == pytest.approx(losses, rel=1e-6, abs=1e-20)
    assert Source.from_values(about["data"]["source"]) == whole.data.source
    for title, table, word in (
        ("Iterations", "records", "CSV"),
        ("Operations by phase", "ledger", "Parquet"),
        ("Datapoints", "points", "CSV"),
    ):
        path = take(menu, f"{title}: {word}", tmp_path)
        assert path.name == f"treeviz-circle-{table}.{word.lower()}"
        assert read_tables(path)[1][table].equals(tables[table])
    phase = stage.address()["phase"]
    script = take(menu, "Python script", tmp_path)
    moment = replace(moment_of(whole.trace, 7, 2, phase, 127), step=int(stage.address()["step"]))
    assert moment.step > 0 and script.read_bytes() == pack_script(whole.trace, moment)
    notebook = json.loads(take(menu, "Notebook", tmp_path).read_bytes())
    assert notebook["cells"][0]["source"].startswith(f"# circle: tree 7, iteration 2, phase “{phase}”")
    assert take(menu, "BibTeX", tmp_path).read_text() == bibtex()
    stage.page.keyboard.press("Escape")
    menu.wait_for(state="detached")
    screen = Image.open(io.BytesIO(stage.page.locator(".js-plotly-plot").screenshot())).convert("L")
    screen = np.asarray(screen.resize(painted[24:-24, 24:-24].shape[::-1]), dtype=float)
    assert np.abs(painted[24:-24, 24:-24] - screen).mean() < 2


@pytest.mark.slow
def test_the_tree_on_the_screen_is_taken_home_as_a_file_that_plays(stage, context, tmp_path):
    stage.open("data=circle&width=64&tree=3&it=2&phase=move&step=1").rest()
    where, sentence = stage.where, stage.narration
    path = take(open_menu(stage.page), "One file that plays this tree", tmp_path)
    assert path.name == "treeviz-circle-tree-3.html"
    other = context.new_page()
    other.goto(path.as_uri())
    replay = StageDriver(other, path.as_uri()).wait()
    assert (replay.where, replay.narration) == (where, sentence)
    assert replay.part("tree-number").input_value() == "3"
    other.close()


@pytest.mark.slow
def test_a_file_of_ones_own_is_named_and_not_taken_along(page, server, tmp_path):
    path = tmp_path / "my table.csv"
    path.write_text("a,b,kind\n" + "".join(f"{i % 7},{i * i % 11},{'xy'[i % 2]}\n" for i in range(1, 13)))
    page.goto(f"{server}/?data=your+own+CSV&width=64")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("combobox", name="Target column").fill("kind")
    page.keyboard.press("Enter")
    page.locator(".stage .node").first.wait_for()
    menu = open_menu(page)
    menu.get_by_text("They need your file my table.csv, which is not in them.").wait_for()
    about, tables = read_tables(take(menu, "Iterations: CSV", tmp_path))
    data = eval(about["data"]["python"].replace("my table.csv", str(path)), {"Dataset": Dataset})
    again = Trainer(data, TrainConfig(**about["config"])).run(about["num_iterations"], 0.0)
    assert again.losses.tolist() == tables["records"].loss.tolist()


@pytest.mark.slow
def test_a_faulty_run_is_not_taken_home_as_a_run(stage, tmp_path):
    stage.open("data=circle&width=64&fault=strict-comparison")
    menu = open_menu(stage.page)
    expect(menu.get_by_role("button", name="Notebook")).to_be_visible()
    expect(menu.get_by_role("button", name="The run, for Trace.load")).to_be_hidden()
    path = take(menu, "Iterations: CSV", tmp_path)
    assert "with the planted fault strict-comparison;" in path.read_text().split("\n")[0]


@pytest.mark.slow
def test_a_race_is_taken_home_with_the_price_of_a_node_on_the_screen(page, server, tmp_path):
    open_race(page, server, "data=sphere&width=256&limit=10&node-price=10")
    choose(page, "Forest", "Dense")
    start(page)
    finish(page)
    menu = open_menu(page)
    about, tables = read_tables(take(menu, "All tables: JSON", tmp_path))
    assert set(tables) == set(RACE_TABLES) and about["contestants"] == ["forest", "dense"]
    assert about["node_price"] == 10 and about["config"]["width"] == 256
    with take(menu, "Iterations: CSV", tmp_path).open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert [row["contestant"] for row in rows] == tables["laps"].contestant.tolist()
    assert [int(row["operations"]) for row in rows] == tables["laps"].operations.tolist()
    words, curves, _ = words_of(picture(menu, "Loss against iterations", "svg", tmp_path))
    assert {"Loss against iterations", "↑ loss ½‖f − y‖²", "iteration →", "Forest", "Dense"} <= set(words)
    assert len(curves & {color.lower() for color in COLORS}) == 2
    words, _, root = words_of(picture(menu, "Operations by phase", "svg", tmp_path))
    bars = [one for one in root.iter(f"{SVG}rect") if one.get("fill") in {color.lower() for color in PHASE_COLORS}]
    assert {"Forest", "Dense"} <= set(words) and len(bars) > 4


@pytest.mark.slow
def test_expected_operations_are_taken_home(page, server, tmp_path):
    page.goto(f"{server}/where-it-pays?data=sphere&width=512&iterations=5")
    page.get_by_text("The cross marks the settings now").wait_for()
    about, tables = read_tables(take(open_menu(page), "Expected operations: CSV", tmp_path))
    assert about["iterations"]["gauss-newton"] == 5 and about["config"]["width"] == 512
    assert "Forest" in tables["forecast"].method.tolist() and tables["forecast"].operations.min() > 0


@pytest.mark.slow
def test_the_charts_of_the_lesson_and_the_map_are_taken_home(page, server, tmp_path):
    page.goto(f"{server}/theory?data=circle&width=64")
    page.locator(".js-plotly-plot").nth(8).wait_for()
    menu = open_menu(page)
    assert menu.get_by_label("picture of").locator("option").count() == 9
    words, _, _ = words_of(picture(menu, "7. What amortized means", "svg", tmp_path))
    assert "operations per iteration" in words
    about, tables = read_tables(take(menu, "All charts: CSV", tmp_path))
    assert tables["charts"].chart.nunique() == 9 and about["config"]["width"] == 64
    page.goto(f"{server}/related")
    page.locator(".map .glyph").first.wait_for()
    menu = open_menu(page)
    words, _, _ = words_of(picture(menu, "Map of related work", "svg", tmp_path))
    assert {"This paper", "2023", "outlined: close in method"} <= set(words)
    papers = read_tables(take(menu, "All papers: CSV", tmp_path))[1]["papers"]
    assert papers.title.tolist() == [paper.title for paper in load_papers()]


def test_a_file_waiting_to_be_made_keeps_no_run_alive():
    trace = Trainer(load_dataset("circle"), TrainConfig(width=16)).run(1)
    make, reference = later(trace, Trace.to_bytes), weakref.ref(trace)
    assert make()
    del trace
    gc.collect()
    assert reference() is None
    with pytest.raises(RuntimeError, match="open it again"):
        make()


@pytest.mark.slow
def test_the_menu_fits_its_window_and_passes_the_accessibility_check(stage):
    stage.open("data=circle&width=64")
    for width, scheme in ((1400, "light"), (390, "dark")):
        show_as(stage.page, width, scheme)
        menu = open_menu(stage.page)
        menu.get_by_text("Tree 0, iteration 0").wait_for()
        assert stage.page.evaluate("document.documentElement.scrollWidth") <= width
        for button in menu.get_by_role("button").all():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert serious_findings(stage.page, "stPopoverBody") == []
        stage.page.keyboard.press("Escape")
        menu.wait_for(state="hidden")
