"""`treeviz export tree` and `film`: what a browser without a window draws is what the stage shows; `chart` as PNG."""

import io
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from PIL import Image
from stage_driver import StageDriver
from test_film_page import make
from test_picture_page import save

from treeviz.cli import main
from treeviz.export import browser

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

SVG = "{http://www.w3.org/2000/svg}"
RUN = ("--data", "circle", "--width", "256", "--solver", "exact")
LESSON = """
title = "Mine"
summary = "Two scenes."
[[scene]]
title = "First"
text = "A tree."
settings = { data = "circle", circle-n = 8, width = 64 }
[[scene]]
title = "Second"
text = "A **move**, in tree {tree}."
settings = { data = "circle", circle-n = 8, width = 64 }
moment = { tree = 3, iteration = 1, phase = "move" }
"""
MOMENT = ("--tree", "1", "--iteration", "1", "--phase", "repair", "--step", "4")


def export(*arguments):
    """Run the command in a process of its own: Playwright runs in this one already."""
    command = [sys.executable, "-m", "treeviz", "export", *map(str, arguments)]
    return subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True)


def invoke(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_tree_is_what_the_stage_saves(page, replay_file, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{replay_file.as_uri()}?tree=1&it=1&phase=repair&step=4")
    _, seen = save(StageDriver(page, replay_file.as_uri()).wait(), "tree", "svg")
    out = tmp_path / "tree.svg"
    done = export("tree", *RUN, *MOMENT, "--theme", scheme, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == seen
    assert ElementTree.fromstring(seen).find(f"{SVG}title").text.startswith("Tree 1: of 511 nodes the search reads ")


@pytest.mark.slow
def test_other_pictures_are_painted_in_any_size(page, replay_file, tmp_path):
    page.emulate_media(color_scheme="light")
    page.goto(f"{replay_file.as_uri()}?tree=1&it=1&phase=repair&step=4")
    box = StageDriver(page, replay_file.as_uri()).wait().part("plane").bounding_box()
    for scale in (2, 4):
        out = tmp_path / f"{scale}.png"
        done = export("tree", *RUN, *MOMENT, "--picture", "neurons", "--scale", scale, "--out", out)
        assert done.returncode == 0, done.stderr
        assert abs(Image.open(io.BytesIO(out.read_bytes())).width - scale * box["width"]) <= scale


@pytest.mark.slow
def test_a_chart_is_painted_as_large_as_asked(chromium, tmp_path):
    out = tmp_path / "loss.png"
    done = export("chart", *RUN, "--theme", "dark", "--scale", 4, "--out", out)
    assert done.returncode == 0, done.stderr
    image = Image.open(out).convert("RGB")
    assert image.size == (4 * 640, 4 * 340) and image.getpixel((3, 3)) == (0x0E, 0x11, 0x17)
    colors = {color for _, color in image.getcolors(1 << 24)}
    assert {(0x2B, 0x8C, 0xCB), (0xE6, 0x9F, 0x00), (0xFA, 0xFA, 0xFA)} <= colors  # both curves, and words


@pytest.mark.slow
def test_a_picture_that_is_not_there_is_refused(chromium, tmp_path):
    done = export("tree", *RUN, "--picture", "lists", "--out", tmp_path / "lists.svg")
    assert done.returncode == 1 and "choose among tree, atlas, neurons, output" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gif", "webm"])
def test_a_film_is_what_the_stage_makes(page, replay_file, tmp_path, form):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{replay_file.as_uri()}?tree=1&it=1&phase=forward&step=0")
    _, seen = make(StageDriver(page, replay_file.as_uri()).wait(), "phase", form)
    out = tmp_path / f"film.{form}"
    moment = ("--tree", 1, "--iteration", 1, "--phase", "forward")
    done = export("film", *RUN, *moment, "--theme", "dark", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == seen


@pytest.mark.slow
def test_a_film_of_a_scene_begins_with_its_text(page, tmp_path):
    out, lesson = tmp_path / "scene.gif", tmp_path / "own.toml"
    lesson.write_text(LESSON)
    done = export("film", "--lesson", lesson, "--scene", 2, "--theme", "dark", "--out", out)
    assert done.returncode == 0, done.stderr
    replay = tmp_path / "lesson.html"
    assert export("replay", "--lesson", lesson, "--out", replay).returncode == 0
    page.emulate_media(color_scheme="dark")
    page.goto(f"{replay.as_uri()}?scene=2")
    _, seen = make(StageDriver(page, replay.as_uri()).wait(), "scene", "gif")
    assert out.read_bytes() == seen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "tree.txt"), "does not end in .svg or .png"),
        (("--out", "tree.svg", "--scale", 2), "--scale is of png"),
        (("--out", "tree.svg", "--iteration", 50), "not among the --iterations 50"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments, words):
    done = invoke("tree", *arguments)
    assert done.exit_code == 2 and words in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--iteration", 3, "--until-loss", 1e9), "there is no iteration 3: the run ends with iteration 0"),
        (("--step", 4000), "there is no step 4000: this phase has the steps 0 to "),
        (("--phase", "sketch"), "has no phase 'sketch'"),
    ],
)
def test_moments_that_are_not_there_are_refused(monkeypatch, tmp_path, arguments, words):
    monkeypatch.setattr(browser, "require_browser", lambda: "chromium")
    done = invoke("tree", *RUN, *arguments, "--out", tmp_path / "tree.svg")
    assert done.exit_code == 1 and words in done.output


def test_without_a_browser_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nothing"))
    done = invoke("tree", *RUN, "--out", tmp_path / "tree.svg")
    assert (
        done.exit_code == 1 and "no Chromium or Chrome is at" in done.output and "the button “picture”" in done.output
    )
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    done = invoke("tree", *RUN, "--out", tmp_path / "tree.svg")
    assert done.exit_code == 1 and "pip install 'treeviz[film]'" in done.output


@pytest.mark.slow
def test_a_program_that_is_no_browser_is_named(monkeypatch, tmp_path):
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(program))
    done = export("tree", *RUN, "--out", tmp_path / "tree.svg")
    assert done.returncode == 1 and f"{program} could not be started" in done.stderr
