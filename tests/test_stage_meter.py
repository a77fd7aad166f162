"""The meter in a real browser: its numbers are the record's, and it is in view with all that plays."""

import re

import pytest
from playwright.sync_api import expect
from stage_driver import StageDriver

from treeviz import TrainConfig, Trainer, load_dataset

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CIRCLE = "data=circle&width=64"
DIGITS = "data=digits&width=65536"
# For all that must be in view together: the least top, the largest bottom, and the bottom of the page's header.
EXTENT = """stage => {
    const boxes = ["[data-part=transport]", "[data-part=narration]", "[data-part=meter]", "[data-part=scroller]",
        ".code [aria-current=step]"].map((name) => stage.querySelector(name).getBoundingClientRect());
    return [Math.min(...boxes.map(({ top }) => top)), Math.max(...boxes.map(({ bottom }) => bottom)),
        document.querySelector("[data-testid=stHeader]").getBoundingClientRect().bottom];
}"""
# The same over three seconds of playing.
EXTENT_PLAYING = f"""async (stage) => {{
    let [top, bottom] = [Infinity, 0];
    for (const start = performance.now(); performance.now() - start < 3000;) {{
        await new Promise(requestAnimationFrame);
        const [first, last] = ({EXTENT})(stage);
        [top, bottom] = [Math.min(top, first), Math.max(bottom, last)];
    }}
    return [top, bottom, ({EXTENT})(stage)[2]];
}}"""


def assert_in_view(extent, height=900):
    top, bottom, header = extent
    assert header <= top and bottom <= height, extent


def words(stage, which):
    return stage.part(f"meter-{which}").inner_text()


def numbers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text.replace("≈", ""))]


def assert_meter_is(stage, trace, iteration):
    """The last step of an iteration: the ledger's totals, and those of the chart of amortized operations."""
    record, done = trace.records[iteration], iteration + 1
    own, dense = record.num_operations, sum(trace.dense_costs(record).values())
    assert f"so far {own:,} of {own:,}" in words(stage, "iteration")
    assert f"dense: {dense:,}, " in words(stage, "iteration")
    run, dense_run = (round(trace.amortized(of=of)[iteration] * done) for of in ("method", "dense"))
    assert f"so far {run:,} of {run:,}" in words(stage, "run")
    assert f"dense: {dense_run:,}, " in words(stage, "run")
    expect(
        stage.element.get_by_role("img", name=f"Operations of iteration {iteration}: {own:,} of {own:,}")
    ).to_have_count(1)


# ---- its numbers ----


def test_it_fills_while_an_iteration_is_stepped_through(stage, circle):
    stage.open(CIRCLE)
    record = circle.records[0]
    num_search = circle.replay(0, 0).visited.size + 1
    first, all_of_it = numbers(words(stage, "iteration"))[:2]
    assert (first, all_of_it) == (round(record.costs["search"] / num_search), record.num_operations)
    assert "≈" in words(stage, "iteration") and "≈" in words(stage, "run")
    stage.press("2", "ArrowLeft")  # the last step of the search
    stage.wait_for(0, 1, num_search)
    assert f"so far {record.costs['search']:,} of" in words(stage, "iteration")
    build = sum(circle.build_costs.values())
    assert f"so far {build + record.costs['search']:,}" in words(stage, "run")
    filled = [
        stage.part(f"meter-{which}").locator("rect.own").bounding_box()["width"] for which in ("iteration", "run")
    ]
    assert 0 < filled[0] < filled[1]
    stage.press("Shift+ArrowRight", "1", "ArrowLeft")
    stage.wait_for(0, 6)
    assert_meter_is(stage, circle, 0)
    track = stage.part("meter-iteration").locator("rect")
    own, dense = (track.nth(place).bounding_box()["width"] for place in (1, 3))
    expected = sum(circle.dense_costs(record).values()) / record.num_operations
    assert dense / own == pytest.approx(expected, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("search", ["forest", "watch lists", "table"])
def test_the_end_of_every_iteration_is_the_record_with_any_search(stage, search):
    name = search.split()[0]
    config = TrainConfig(width=64, solver="exact", search=name)
    trace = Trainer(load_dataset("circle"), config).run(40, until_loss=1e-20)
    stage.open(f"{CIRCLE}&search={search.replace(' ', '+')}")
    for iteration in (0, 1, 2):
        stage.press("Shift+ArrowRight", "1", "ArrowLeft")
        stage.wait_for(iteration, 6)
        assert_meter_is(stage, trace, iteration)
        stage.press("ArrowRight")
        stage.wait_for(iteration + 1)


@pytest.mark.slow
def test_after_the_last_iteration_it_says_the_totals_of_the_run(stage, circle):
    stage.open(CIRCLE)
    last = len(circle.records) - 1
    for _ in range(20):
        stage.press("End")
        stage.rest()
        if stage.where[0] == last:
            break
    stage.wait_for(last, 6)
    assert "Converged" in stage.part("status").inner_text()
    assert_meter_is(stage, circle, last)


@pytest.mark.slow
def test_it_says_so_where_the_forest_needs_more_than_the_dense_method(stage):
    """With b = 0 half of the neurons fire, so the search enters most nodes."""
    trace = Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact", threshold=0.0)).run(1)
    stage.open(f"{CIRCLE}&paper=false&b=0")
    stage.press("Shift+ArrowRight", "1", "ArrowLeft")
    stage.wait_for(0, 6)
    assert_meter_is(stage, trace, 0)
    assert trace.records[0].num_operations > sum(trace.dense_costs(trace.records[0]).values())
    for which, said in (("iteration", r"0\.\d+ times as many"), ("run", "building not paid off")):
        assert re.search(said, words(stage, which))
        own, dense = (stage.part(f"meter-{which}").locator(f"rect.{name}").bounding_box() for name in ("own", "dense"))
        box = stage.part(f"meter-{which}").locator("svg").bounding_box()
        assert dense["width"] < own["width"] <= box["width"] + 1


@pytest.mark.slow
def test_a_comparison_has_no_meter(stage):
    stage.open(CIRCLE)
    expect(stage.part("meter")).to_be_visible()
    stage.click("pin, to compare")
    stage.part("where").filter(has_text="compared with").wait_for()
    expect(stage.part("meter")).to_be_hidden()
    stage.click("unpin iteration 0")
    expect(stage.part("meter")).to_be_visible()


# ---- in view ----


@pytest.mark.slow
@pytest.mark.parametrize("query", ["data=xor&xor-n=8&width=64", DIGITS])
def test_all_that_plays_is_in_view_together_when_the_page_opens_and_while_it_plays(page, server, query):
    stage = StageDriver(page, server).open(query)
    assert_in_view(stage.element.evaluate(EXTENT))
    for phase in "123456":
        stage.press(phase)
        stage.wait_for(0, int(phase), 1)
        assert_in_view(stage.element.evaluate(EXTENT))
        stage.press("ArrowLeft")  # the last step of the phase before: the longest sentence, often
        if phase != "1":
            stage.wait_for(0, int(phase) - 1)
            assert_in_view(stage.element.evaluate(EXTENT))
    stage.press("Home")
    stage.part("unit").select_option("phase")
    stage.part("speed").select_option("16")
    stage.press(" ")
    assert_in_view(stage.element.evaluate(EXTENT_PLAYING))
    assert stage.where > (0, 1, 1)
    stage.press(" ")


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_page_scrolls_to_what_plays_where_the_tree_would_reach_below_the_window(stage, motion):
    """What the page says of watch lists is longer. A reader who has scrolled further down stays there."""
    stage.page.emulate_media(reduced_motion=motion)
    stage.open(f"{DIGITS}&search=watch+lists")
    assert stage.element.evaluate(EXTENT)[1] > 900
    stage.press(" ")
    is_in_view = f"stage => ({EXTENT})(stage)[1] <= 900"
    stage.page.wait_for_function(is_in_view, arg=stage.element.element_handle())
    assert_in_view(stage.element.evaluate(EXTENT))
    stage.press(" ")
    main = stage.page.get_by_test_id("stMain")
    main.evaluate("node => node.scrollTo({ top: 700, behavior: 'instant' })")
    stage.press(" ", "2")
    stage.wait_for(0, 2)
    assert main.evaluate("node => node.scrollTop") == 700
    stage.press(" ")


@pytest.mark.slow
def test_its_words_are_not_cut_off(stage):
    stage.open(f"{DIGITS}&it=2&phase=repair&step=3")
    for width in (390, 1024, 1400, 1920):
        stage.page.set_viewport_size({"width": width, "height": 900})
        stage.wait_until_drawn()
        lines = stage.part("meter").locator("p")
        assert lines.evaluate_all("lines => lines.filter(line => line.scrollWidth > line.clientWidth).length") == 0
        meter = stage.part("meter").bounding_box()
        narration, scroller = (stage.part(name).bounding_box() for name in ("narration", "scroller"))
        assert meter["y"] + meter["height"] <= scroller["y"]
        beside = meter["x"] >= narration["x"] + narration["width"]
        assert beside or meter["y"] >= narration["y"] + narration["height"]
