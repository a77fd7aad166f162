"""The Lab in a real browser: points come, are paused, cancelled and found again; an answer is read and taken home."""

import re

import pandas as pd
import pytest
from accessibility import serious_findings
from playwright.sync_api import expect
from server import running_server

from treeviz.lab.experiments.sublinear import EXPERIMENT
from treeviz.lab.store import PointStore

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
SIZES = ("operations_iteration", "operations_build", "operations_draw")
# Keeps in `tops` where the tiles began on the page, in each frame in which there were some.
TOPS = """() => {
  window.tops = [];
  const look = () => {
    const tiles = document.querySelector(".st-key-lab-tiles");
    const top = tiles && Math.round(tiles.getBoundingClientRect().top);
    if (tiles && tops.at(-1) !== top) tops.push(top);
    requestAnimationFrame(look);
  };
  look();
}"""


def press_in_a_busy_browser(page, button):
    """Press a button in a browser that is busy until it should look at the sweep: it may send the click twice."""
    button.hover()
    page.mouse.down()
    page.evaluate("void setTimeout(() => { for (const end = Date.now() + 1300; Date.now() < end; ); })")
    page.mouse.up()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server of its own, and the store of its points, in which those of the quick size are but for the last two."""
    folder = tmp_path_factory.mktemp("lab")
    store = PointStore(folder / "lab.sqlite")
    for task in EXPERIMENT.plan("quick", 2)[:-2]:
        sizes = {name: float(task["width"]) ** power for name, power in zip(SIZES, (0.75, 1.0, 1.0), strict=True)}
        times = {"seconds_iteration": 1e-3, "seconds_build": 1e-3, "seconds_draw": 1e-3}
        store.keep(EXPERIMENT, task, {"iterations": 5, "loss": 1e-9, **sizes, **times}, 0.1)
    with running_server(folder / "log.txt", TREEVIZ_LAB=str(store.path)) as url:
        yield url


@pytest.mark.slow
def test_a_tile_tells_and_leads_to_the_points(page, lab):
    page.goto(f"{lab}/lab")
    tile = page.locator(".st-key-lab-of-sublinear")
    expect(tile).to_contain_text("operations of an iteration through the forest grow as m to the power 0.75")
    expect(tile).to_contain_text("So far: 186 of 188 points.")
    expect(tile.get_by_role("img", name="Operations of an iteration")).to_be_visible()
    expect(page.locator(".st-key-lab-of-width")).to_contain_text(re.compile("Not measured here yet.*It takes about"))
    assert serious_findings(page) == []
    tile.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name=EXPERIMENT.question)).to_be_visible()
    expect(page).to_have_url(re.compile("experiment=sublinear"))
    page.get_by_role("radio", name="Quick").click()
    expect(page).to_have_url(re.compile("experiment=sublinear&size=quick"))
    page.evaluate(TOPS)
    page.get_by_role("button", name="All questions").click()
    expect(page.get_by_role("heading", name="The Lab")).to_be_visible()
    expect(page).to_have_url(f"{lab}/lab")
    expect(page.get_by_role("button", name="All questions")).to_have_count(0)
    expect(page.locator(".st-key-open-what-if button")).to_be_visible()
    assert len(page.evaluate("tops")) == 1  # the tiles stay where they came, so that a click finds its button
    page.locator(".st-key-open-width button").click()
    expect(page).to_have_url(f"{lab}/lab?experiment=width")
    page.go_back()
    expect(page.get_by_role("heading", name="The Lab")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="How many neurons does it take")).to_be_visible()


@pytest.mark.slow
def test_an_experiment_opens_at_its_top_and_leads_back_to_its_tile(page, lab):
    page.set_viewport_size({"width": 390, "height": 300})  # neither fits
    page.goto(f"{lab}/lab")
    opening, back = page.locator(".st-key-open-sublinear button"), page.locator(".st-key-lab-back button")
    expect(page.locator(".st-key-lab-of-sublinear").get_by_role("img")).to_be_visible()
    expect(opening).not_to_be_in_viewport()
    for _ in range(2):
        opening.click()
        expect(page.locator(".st-key-lab-chart-0-place")).to_be_attached()
        expect(back).to_be_focused()
        expect(back).to_be_in_viewport()
        page.mouse.move(200, 200)
        page.mouse.wheel(0, 900)
        expect(back).not_to_be_in_viewport()
        page.go_back()
        expect(opening).to_be_focused()
        expect(opening).to_be_in_viewport()


@pytest.mark.slow
def test_a_sweep_is_measured_paused_cancelled_and_found_again(page, lab):
    page.goto(f"{lab}/lab?experiment=sublinear&size=full")
    main = page.get_by_test_id("stMain")
    pause, cancel, start = (page.locator(f".st-key-lab-{name} button") for name in ("pause", "cancel", "start"))
    expect(main).to_contain_text(re.compile(r"Left to measure: [0-9,]+ points. It takes about"))
    start.click()
    pause.click()
    # The processes that measure give way to all others, so on a busy machine points under way take their time.
    expect(main).to_contain_text(re.compile("Paused: [0-9]+ of [0-9,]+ points"), timeout=120_000)
    expect(pause).to_be_disabled()
    expect(start).to_be_focused()
    press_in_a_busy_browser(page, start)
    expect(main).to_contain_text("Measuring, about")
    press_in_a_busy_browser(page, pause)
    expect(main).to_contain_text(re.compile("Pauses after|Paused: "))
    start.click()
    expect(main).to_contain_text("Measuring, about")
    cancel.click()
    expect(start).to_be_enabled()
    known = page.get_by_text(re.compile("So far: ")).first.inner_text()
    page.reload()
    expect(main).to_contain_text(known[known.index("So far: ") :])


@pytest.mark.slow
def test_the_answer_and_its_numbers_are_taken_home(page, lab, tmp_path):
    page.goto(f"{lab}/lab?experiment=sublinear&size=quick")
    answer = page.get_by_test_id("stAlertContentSuccess")
    expect(answer).to_contain_text("operations of an iteration through the forest grow as m to the power 0.75")
    expect(page.locator(".js-plotly-plot").nth(5)).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("button", name="Take it home").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="All points: CSV").click()
    table = pd.read_csv(download.value.path(), comment="#")
    assert len(table) == 188 and table.operations_iteration.notna().sum() == 186
    with page.expect_download() as download:
        page.get_by_role("button", name="All charts on one page: HTML").click()
    assert "m to the power 0.75" in download.value.path().read_text()


@pytest.mark.slow
def test_an_address_that_the_lab_does_not_know_is_said(page, lab):
    page.goto(f"{lab}/lab?experiment=alchemy")
    expect(page.get_by_test_id("stMain")).to_contain_text("The Lab has no experiment “alchemy”.")
    expect(page.get_by_role("heading", name="The Lab")).to_be_visible()
