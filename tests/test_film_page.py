"""Films made by the stage: every step of a phase, as long as its sentence is read, with the picture as it is seen."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence
from playwright.sync_api import expect
from stage_driver import StageDriver

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.export.replay import open_run, write_moment, write_run
from treeviz.stage.moment import Moment
from treeviz.stage.view import View
from treeviz.training.finished import finish_run

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

# Opens a video, and returns its size, its length, and what is seen at some times as PNG.
PLAY = """async ([content, times]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const video = document.createElement("video");
    const event = (name) => new Promise((done, fail) => {
        video.addEventListener(name, done, { once: true });
        video.addEventListener("error", () => fail(new Error(video.error.message)), { once: true });
    });
    video.src = URL.createObjectURL(new Blob([bytes], { type: "video/webm" }));
    await event("loadeddata");
    const [width, height] = [video.videoWidth, video.videoHeight];
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const pen = canvas.getContext("2d");
    const seen = [];
    for (const time of times) {
        // "seeked" may come before the picture is there; where it was there already, none comes.
        const shown = new Promise((done) => video.requestVideoFrameCallback(done));
        video.currentTime = time;
        await event("seeked");
        await Promise.race([shown, new Promise((done) => setTimeout(done, 2000))]);
        pen.drawImage(video, 0, 0);
        seen.push(canvas.toDataURL("image/png").split(",")[1]);
    }
    video.currentTime = video.duration - 0.2;
    video.muted = true;
    await video.play();
    await event("ended");
    return { duration: video.duration, seen };
}"""


@pytest.fixture(scope="module")
def run():
    return finish_run(Trainer(load_dataset("circle"), TrainConfig(width=16, solver="exact")), 3, 1e-10)


@pytest.fixture(scope="module")
def sentences(run):
    """What is told in the search of tree 1, iteration 1."""
    return [step[1] for step in json.loads(open_run(run).frame(View(tree=1), 1))["script"]["search"]]


@pytest.fixture
def stage(page, run, tmp_path):
    path = tmp_path / "run.html"
    path.write_text(write_run(run, [1]), encoding="utf-8")
    page.set_viewport_size({"width": 900, "height": 900})
    page.goto(f"{path.as_uri()}?tree=1&it=1&phase=search&step=2")
    return StageDriver(page, path.as_uri()).wait()


def make(stage, span, form):
    stage.click("picture")
    stage.part("film-span").select_option(span)
    stage.part("film-form").select_option(form)
    with stage.page.expect_download() as download:
        stage.click("make")
    expect(stage.part("film-progress")).to_be_hidden()
    return download.value.suggested_filename, download.value.path().read_bytes()


def grey(picture):
    return np.asarray(picture.convert("L"), dtype=float)


def alike(one, other, edge=4):
    """How alike two pictures are that may be a pixel apart, but for a line around them: a correlation."""

    def inner(picture, right=0, down=0):
        rows, columns = picture.shape
        return picture[edge + down : rows - edge + down, edge + right : columns - edge + right].ravel()

    shifts = [(right, down) for right in range(-2, 3) for down in range(-2, 3)]
    return max(np.corrcoef(inner(one), inner(other, *shift))[0, 1] for shift in shifts)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_phase_becomes_a_gif(page, stage, sentences, scheme):
    page.emulate_media(color_scheme=scheme)
    where = stage.where
    name, content = make(stage, "phase", "gif")
    assert name == "tree-1-iteration-1-search.gif"
    film = Image.open(io.BytesIO(content))
    assert film.n_frames == len(sentences)
    times = [frame.info["duration"] for frame in ImageSequence.Iterator(film)]
    for place in (0, -1):  # these two are read; each may be off by half a hundredth of a second
        assert abs(times[place] - max(1200, 50 * len(sentences[place]))) <= 10
    count, seconds = map(int, re.findall(r"\d+", stage.part("film-words").inner_text()))
    assert count == len(sentences) and abs(seconds - sum(times) / 1000) < 0.6
    stage.click("close")
    assert stage.where == where
    stage.press("End", "Home", "Shift+ArrowRight")  # to the beginning of iteration 1
    stage.wait_for(1, 1, 1)
    for place, keys in (
        (0, []),
        (len(sentences) - 1, ["2", "ArrowLeft"]),
    ):  # the last is made of all before it
        stage.press(*keys)
        stage.wait_for(1, 1, place + 1)
        seen = grey(Image.open(io.BytesIO(stage.part("tree").screenshot())))
        film.seek(place)
        frame = grey(film)
        height, width = seen.shape
        left = (frame.shape[1] - width) // 2
        assert alike(frame[-16 - height : -16, left : left + width], seen) > 0.9
    first = [grey(film)[:60] for film in ImageSequence.Iterator(film)]
    paper = 255 if scheme == "light" else 16
    assert all((abs(one - paper) > 100).sum() > 100 for one in first)  # there is a sentence
    assert (first[0] != first[1]).any()


@pytest.mark.slow
def test_an_iteration_becomes_a_film_of_all_phases(stage, run):
    name, content = make(stage, "iteration", "gif")
    script = json.loads(open_run(run).frame(View(tree=1), 1))["script"]
    assert name == "tree-1-iteration-1.gif"
    assert Image.open(io.BytesIO(content)).n_frames == sum(map(len, script.values()))


@pytest.mark.slow
def test_a_film_plays_as_webm_in_a_browser(page, stage, sentences):
    _, moving = make(stage, "phase", "gif")
    stage.click("close")
    name, content = make(stage, "phase", "webm")
    assert name == "tree-1-iteration-1-search.webm"
    film = Image.open(io.BytesIO(moving))
    times = [frame.info["duration"] / 1000 for frame in ImageSequence.Iterator(film)]
    starts = np.cumsum([0, *times])
    chosen = [0, len(times) // 2, len(times) - 1]
    page.goto("about:blank")
    middles = [starts[number] + times[number] / 2 for number in chosen]
    video = page.evaluate(PLAY, [base64.b64encode(content).decode(), middles])
    assert abs(video["duration"] - starts[-1]) < 0.05
    for number, pixels in zip(chosen, video["seen"], strict=True):
        painted = Image.open(io.BytesIO(base64.b64decode(pixels))).resize(film.size)
        likeness = [alike(grey(painted), grey(frame)) for frame in ImageSequence.Iterator(film)]
        assert likeness[number] == max(likeness) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stop", "close"])
def test_a_film_can_be_stopped(page, stage, way):
    where, saved = stage.where, []
    page.on("download", lambda download: saved.append(download))
    stage.click("picture")
    stage.part("film-span").select_option("iteration")
    stage.click("make")
    stage.click(way)
    expect(stage.part("film-progress")).to_be_hidden()
    if way == "stop":
        stage.click("close")
    assert stage.where == where and saved == []


def test_without_an_encoder_it_is_said(page, stage):
    page.evaluate("delete window.VideoEncoder")
    stage.click("picture")
    stage.part("film-form").select_option("webm")
    stage.click("make")
    stage.part("film-words").get_by_text("This browser cannot write WebM here: choose GIF.").wait_for()


def test_a_comparison_has_no_film(page, run, tmp_path):
    path = tmp_path / "pinned.html"
    path.write_text(write_moment(run, Moment(View(tree=1, pinned=0), 2)), encoding="utf-8")
    page.goto(path.as_uri())
    page.locator(".stage[aria-busy=false] .node").first.wait_for()
    stage = StageDriver(page, path.as_uri())
    stage.click("picture")
    assert stage.part("picture-save").is_visible() and stage.part("film").is_hidden()
