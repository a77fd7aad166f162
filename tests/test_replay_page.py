"""A replay in a browser, opened from a disk: no server, no request, and the numbers are those of the run."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from stage_driver import StageDriver

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.export.lesson_replay import known_lessons, write_lesson, write_site
from treeviz.export.replay import page_of, write_run
from treeviz.model.numerals import numeral
from treeviz.training.finished import finish_run

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

POLICY_FAULTS = """() => {
    window.refused = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => refused.push(violatedDirective));
}"""

CURSOR_IS = """(iteration) => {
    const [chart, line] = [document.querySelector(".chart"), document.querySelector(".chart .cursor")];
    const place = Number(line.getAttribute("transform").match(/[0-9.]+/)[0]);
    return Math.abs(place - chart.dataset.x0 - iteration * chart.dataset.step) < 0.1;
}"""


@pytest.fixture(scope="module")
def run():
    """A run whose trees have stubs, since not all nodes are drawn, and whose address is long."""
    config = TrainConfig(width=256, solver="exact", threshold=1.75, activation="clipped")
    return finish_run(Trainer(load_dataset("circle"), config), 50, 1e-10)


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("replay") / "run.html"
    path.write_text(write_run(run, [1, 0, 2]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    path = tmp_path_factory.mktemp("replay") / "lesson.html"
    path.write_text(write_lesson("break", known_lessons()["break"]), encoding="utf-8")
    return path


@pytest.fixture
def page(context):
    """A tab of its own, for scripts that begin with every page stay with a tab; nothing may be said in its console."""
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    yield page
    page.close()
    assert faults == []


@pytest.fixture
def requests(page):
    """All addresses that the tab asks for, but for that of the file."""
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    yield seen
    assert all(url.startswith("file:") and ".html" in url for url in seen), seen


def open_file(page, path, query=""):
    page.add_init_script(f"({POLICY_FAULTS})()")
    page.goto(f"{path.as_uri()}{query}")
    stage = StageDriver(page, path.as_uri())
    stage.wait()
    assert page.evaluate("refused") == []
    return stage


def assert_accessible(page):
    found = Axe().run(page).response["violations"]
    serious = [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_journey_by_keyboard(page, file, run, requests):
    stage = open_file(page, file)
    trace = run.trace
    assert stage.where == (0, 1, 1)
    assert stage.part("loss").inner_text() == f"loss {numeral(trace.losses[0], 4)}"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "stage-host"
    stage.press("ArrowRight", "ArrowRight")
    assert stage.where == (0, 1, 3)
    stage.press("Space")
    stage.element.get_by_role("button", name="pause").wait_for()
    stage.press("Space")
    stage.press("Shift+ArrowRight", "Shift+ArrowRight")
    stage.wait_for(2)
    assert stage.part("loss").inner_text() == f"loss {numeral(trace.losses[2], 4)}"
    badge = stage.part("badge").inner_text()
    assert badge.startswith("✓ Exact") and f"{8 * 256:,} leaves" in badge
    visited = trace.replay(1, 2).visited.size
    assert f"the search reads {visited:,} " in stage.part("summary").inner_text()
    page.wait_for_function(CURSOR_IS, arg=2)
    stage.part("tree-number").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    stage.part("summary").filter(has_text=re.compile("^Tree 2:")).wait_for()
    page.wait_for_url(re.compile("tree=2&it=2"))
    stage.press("5")
    moving = {256 + int(neuron) for neuron in trace.records[2].touched} & set(stage.states())
    assert stage.nodes_with("touched") == moving > set()
    stage.press("l")
    assert "lecture" in stage.element.get_attribute("class")
    stage.press("Escape")
    assert "lecture" not in stage.element.get_attribute("class")
    assert_accessible(page)


def test_a_neuron_is_looked_into(page, file, run, requests):
    stage = open_file(page, file, "?tree=0&it=3&phase=search")
    assert stage.where == (3, 1, 1)
    leaf = min(node for node in stage.states() if node >= 256)
    stage.click_node(leaf)
    inspector = stage.part("inspector")
    inspector.locator(".look").first.wait_for()
    weights = Trainer(run.data, run.config)
    weights.run(3)
    leaf_value = float(weights.weights(np.array([leaf - 256]))[0] @ run.data.X[0])
    assert f"{abs(leaf_value):.3f}" in inspector.inner_text()


@pytest.mark.slow
def test_what_is_not_held_is_said_and_the_stage_stays(page, file, requests):
    stage = open_file(page, file)
    before = stage.where
    stage.part("tree-number").fill("5")
    stage.part("tree-number").press("Enter")
    closed = stage.part("closed")
    closed.get_by_text("Tree 5 is not in this file, which holds trees 0, 1 and 2.").wait_for()
    assert (
        "start the app with treeviz app and open http://localhost:8501/?width=256&activation=clipped&paper=false&b=1.75&tree=5&it=0"
        in closed.inner_text()
    )
    assert stage.where == before and stage.element.get_attribute("aria-busy") == "false"
    stage.press("ArrowRight")
    assert stage.where == (before[0], before[1], before[2] + 1)
    stub = next(node for node, classes in stage.states().items() if any(name.startswith("stub") for name in classes))
    stage.click_node(stub)
    closed.get_by_text(f"What is below node {stub} is not in this file.").wait_for()
    assert f"open={stub}" in closed.inner_text()
    stage.click("pin, to compare")
    closed.get_by_text("Comparisons with iteration 0 are not in this file.").wait_for()
    stage.click("understood")
    assert closed.inner_text() == ""
    assert stage.part("tree-number").input_value() == "1"


@pytest.mark.parametrize(
    ("most", "words"),
    [
        (1 << 16, "Drag the ringed one: the tree follows."),
        (0, "In the app, where all neurons are drawn, the ringed one can be dragged."),
    ],
)
def test_a_datapoint_can_be_moved_where_the_weights_are_held(page, run, requests, tmp_path, monkeypatch, most, words):
    monkeypatch.setattr("treeviz.export.replay._MOST_WEIGHTS", most)
    (tmp_path / "run.html").write_text(write_run(run, [1]), encoding="utf-8")
    stage = open_file(page, tmp_path / "run.html")
    assert words in stage.part("datapoint").inner_text()
    grip = stage.element.locator(".movable")
    assert grip.count() == (most > 0)
    if most:
        grip.focus()
        stage.press("ArrowRight")
        stage.part("narration").filter(has_text="What if datapoint 1 were at").wait_for()
        stage.part("narration").filter(has_text="a search of this tree would read").wait_for()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        (1400, "light"),
        (390, "dark"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1920, "light"), (1024, "dark"))),
    ],
)
def test_it_fits_and_follows_the_colours_of_the_system(page, file, size, scheme, requests):
    page.set_viewport_size({"width": size, "height": 900})
    page.emulate_media(color_scheme=scheme)
    open_file(page, file)
    assert page.evaluate("document.documentElement.scrollWidth") <= size
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")


@pytest.mark.slow
def test_it_plays_in_a_frame_that_allows_scripts_alone(page, lesson, requests, tmp_path):
    around = tmp_path / "course.html"
    around.write_text(f'<iframe sandbox="allow-scripts" width="1300" height="850" src="{lesson.as_uri()}"></iframe>')
    page.goto(around.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".stage .node").first.wait_for()
    frame.locator(".question summary").click()
    frame.locator(".question input").first.check()
    frame.get_by_role("button", name="check").click()
    frame.locator(".feedback p").first.wait_for()
    frame.get_by_role("button", name="next →").click()
    frame.locator(".lesson .hint").filter(has_text="2 of").first.wait_for()


@pytest.mark.slow
def test_all_scenes_of_a_lesson_open_with_their_numbers(page, lesson, requests):
    stage = open_file(page, lesson)
    scenes = known_lessons()["break"].scenes
    for number, scene in enumerate(scenes, start=1):
        stage.element.locator(".lesson h3").filter(has_text=scene.title).wait_for()
        stage.wait_for(int(scene.moment["it"]))
        assert stage.part("tree-number").input_value() == scene.moment["tree"]
        assert "{" not in stage.part("lesson").inner_text()
        assert f"scene={number}" in page.url
        if number < len(scenes):
            stage.press("PageDown")
    page.emulate_media(media="print")
    paper = page.locator("#handout")
    assert paper.locator("h2").all_inner_texts() == [f"{k}. {scene.title}" for k, scene in enumerate(scenes, 1)]
    words = paper.inner_text()
    assert "{" not in words and "**" not in words and words.count("Answer: ____") == len(scenes)
    assert stage.part("lesson").is_hidden() and page.pdf().count(b"/Type /Page\n") > 3
    page.emulate_media(media="screen")
    assert paper.is_hidden()
    stage.part("lesson").get_by_role("button", name="leave", exact=True).click()
    stage.part("lesson").wait_for(state="hidden")
    assert_accessible(page)


def test_a_poll_is_not_held(page, lesson, requests):
    stage = open_file(page, lesson)
    stage.part("lesson").get_by_role("button", name="open a poll").click()
    stage.part("lesson").get_by_text("A class poll needs the app").wait_for()


def test_a_browser_that_cannot_unpack_it_is_told_so(page, file):
    page.add_init_script("delete window.DecompressionStream;")
    page.goto(file.as_uri())
    page.get_by_text("This browser is too old to show the run").wait_for()


def test_it_is_printed_whole(page, file, requests):
    stage = open_file(page, file)
    for _ in range(3):
        stage.click("zoom in")
    page.emulate_media(media="print", color_scheme="dark")
    widths = page.evaluate("""() => {
        const root = document.querySelector("#stage-host").shadowRoot;
        const right = (one) => root.querySelector(one).getBoundingClientRect().right;
        return [right(".tree") - right(".scroller"), root.querySelector(".view-row").getBoundingClientRect().height];
    }""")
    assert widths[0] <= 1 and widths[1] == 0
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(49, 51, 63)"
    page.emulate_media(media="screen")


@pytest.mark.slow
def test_an_index_leads_to_the_lessons(page, requests, tmp_path, monkeypatch):
    monkeypatch.setattr("treeviz.export.lesson_replay.write_lesson", lambda key, *_: page_of(key, "a lesson"))
    for one in write_site():
        (tmp_path / one.name).write_text(one.text, encoding="utf-8")
    index = (tmp_path / "index.html").as_uri()
    for key, lesson in known_lessons().items():
        page.goto(index)
        page.get_by_role("link", name=lesson.title).click()
        page.get_by_role("heading", name=key).wait_for()


@pytest.mark.slow
def test_a_notebook_plays_a_trace(page, run, tmp_path):
    around = tmp_path / "notebook.html"
    around.write_text(f"<!doctype html>{run.trace._repr_html_()}", encoding="utf-8")
    page.goto(around.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".stage .node").first.wait_for()
    frame.get_by_role("button", name="next iteration").click()
    loss = f"loss {numeral(run.trace.losses[1], 4)}"
    frame.locator("[data-part=loss]").filter(has_text=loss).wait_for()
    frame.locator("[data-part=badge]").filter(has_text="Not checked here").wait_for()
