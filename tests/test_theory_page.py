"""The lesson, the glossary and the introduction in a real browser."""

import re
from urllib.parse import urlencode

import pytest
from accessibility import serious_findings, show_as
from playwright.sync_api import expect
from stage_driver import StageDriver

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CALM = "data=circle&width=64"
INTRODUCED = "treeviz-introduced"
# Words in charts that are cut, or lie over each other; the box of a word is a little higher than it.
UNREADABLE = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
    const box = plot.getBoundingClientRect();
    const words = [...plot.querySelectorAll("svg text")]
        .map((text) => [text.textContent, text.getBoundingClientRect()])
        .filter(([text, { width }]) => text && width);
    const isCut = ({ left, right, top, bottom }) =>
        left < box.left - 1 || right > box.right + 1 || top < box.top - 1 || bottom > box.bottom + 1;
    const meet = (a, b) =>
        a.left + 1 < b.right && b.left + 1 < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
    return words.flatMap(([text, own], place) => [
        ...(isCut(own) ? [text] : []),
        ...words.slice(place + 1).filter(([, other]) => meet(own, other)).map(([other]) => [text, other]),
    ]);
})"""

# Where an element is when it has not moved for thirty frames of the screen.
TOP_WHEN_STILL = """async (element) => {
    let [top, frames] = [NaN, 0];
    while (frames++ < 30) {
        await new Promise(requestAnimationFrame);
        const now = element.getBoundingClientRect().top;
        if (now !== top) [top, frames] = [now, 0];
    }
    return top;
}"""


def settle(page):
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def open_lesson(page, server, query=CALM):
    page.goto(f"{server}/theory?{query}")
    page.get_by_text("What is a leaf?").wait_for()
    page.locator(".js-plotly-plot").nth(8).wait_for()
    settle(page)


@pytest.mark.slow
def test_the_lesson_shows_the_run_and_leads_to_its_moments(page, server, circle):
    open_lesson(page, server)
    main = page.get_by_test_id("stMain")
    assert page.get_by_test_id("stException").count() == 0
    assert main.locator(".katex-display").count() == 18 and main.locator(".js-plotly-plot").count() == 9
    visited = int(circle.records[0].num_visited[0])
    assert f"={visited}" in main.locator(".katex-display").nth(5).inner_text().replace("\n", "")

    page.get_by_role("button", name="Show me what changes").click()
    stage = StageDriver(page, server).wait()
    assert stage.where[:2] == (0, 6) and "Repair" in stage.part("where").inner_text()
    expect(page.get_by_text("What you will see")).to_have_count(0)
    page.go_back()


@pytest.mark.slow
def test_an_address_leads_to_a_section_and_stays_there(page, server):
    page.goto(f"{server}/theory#iteration")  # as “why?” beside a sentence does
    page.locator(".js-plotly-plot").nth(8).wait_for()
    page.locator(".st-key-anchor [data-testid=stBidiComponentIsolated]").wait_for(state="attached")
    settle(page)
    heading = page.locator("#iteration")
    top = heading.evaluate(TOP_WHEN_STILL)
    header = page.get_by_test_id("stHeader").bounding_box()["height"]
    assert header <= top < header + 40
    page.mouse.move(700, 600)
    page.mouse.wheel(0, 400)
    page.wait_for_function("() => document.querySelector('#iteration').getBoundingClientRect().top < 0")
    assert heading.evaluate(TOP_WHEN_STILL) < 0


@pytest.mark.slow
def test_a_caveat_is_demonstrated_on_other_settings(page, server):
    open_lesson(page, server)
    page.get_by_role("button", name="Show me watch lists").click()
    stage = StageDriver(page, server).wait()
    page.get_by_role("radio", name="watch lists", checked=True).wait_for()
    page.get_by_text("Pairs watched", exact=True).wait_for()
    assert stage.where[:2] == (0, 6) and stage.part("notices").inner_text() == ""
    page.get_by_role("link", name="Read the method").click()
    page.get_by_role("button", name="Race compaction").click()
    page.get_by_role("button", name="Start").wait_for()
    chosen = (
        page.get_by_role("toolbar")
        .get_by_role("button", pressed=True)
        .or_(page.locator("[data-testid=stBaseButton-pillsActive]"))
    )
    assert sorted(chosen.all_inner_texts()) == ["Compact table", "Compaction", "Dense", "Forest"]


@pytest.mark.slow
def test_the_run_that_stalls_is_shown_stalled(page, server):
    open_lesson(page, server)
    page.get_by_role("button", name="Show me a run that stalls").click()
    stage = StageDriver(page, server).wait()
    stage.wait_for(80)
    assert "stalled: the loss no longer changes" in stage.part("status").inner_text()


@pytest.mark.slow
def test_the_glossary_is_on_every_page(page, server):
    for path in ("", "theory", "race", "where-it-pays", "related"):
        page.goto(f"{server}/{path}?{CALM}")
        page.get_by_role("button", name="Glossary").click()
        page.get_by_text("threshold (b)").first.wait_for()
    wanted = page.get_by_label("Find a symbol or a term")
    wanted.fill("skin")
    wanted.press("Enter")
    page.get_by_text("threshold (b)").wait_for(state="detached")
    assert "on a watch list" in page.get_by_test_id("stPopoverBody").inner_text()
    wanted.fill("zebra")
    wanted.press("Enter")
    page.get_by_text("Nothing here is called that").wait_for()


@pytest.fixture
def newcomer(page, context):
    """The tab of a browser that has not been here before."""
    context.clear_cookies(name=INTRODUCED)
    yield page
    context.clear_cookies(name=INTRODUCED)


@pytest.mark.slow
def test_a_first_visit_is_introduced_and_then_the_stage_plays(newcomer, context, server):
    page = newcomer
    page.goto(f"{server}/")
    page.get_by_text("What you will see").wait_for()
    stage = StageDriver(page, server).wait()
    assert stage.where == (0, 1, 1) and serious_findings(page) == []
    page.get_by_role("button", name="Play it").click()
    expect(stage.part("where")).to_contain_text(re.compile("step ([2-9]|[1-9][0-9]+) of"))
    expect(page.get_by_text("What you will see")).to_have_count(0)
    assert any(cookie["name"] == INTRODUCED for cookie in context.cookies())
    page.goto(f"{server}/")  # the browser remembers
    stage.wait()
    expect(page.get_by_text("What you will see")).to_have_count(0)


@pytest.mark.slow
def test_the_introduction_is_skipped_and_holds_up_nobody_who_follows_a_link(newcomer, context, server):
    page = newcomer
    page.set_viewport_size({"width": 390, "height": 900})
    stage = StageDriver(page, server).open(f"{CALM}&tree=2&it=1")
    expect(page.get_by_text("What you will see")).to_have_count(0)
    assert stage.where[0] == 1
    page.goto("about:blank")
    context.clear_cookies()
    page.goto(f"{server}/")
    page.get_by_role("button", name="Skip").click()
    page.get_by_text("What you will see").wait_for(state="detached")
    stage.wait()
    page.wait_for_timeout(500)
    assert stage.where == (0, 1, 1)


@pytest.mark.slow
def test_the_lesson_fits_its_window_and_passes_the_accessibility_check(page, server):
    open_lesson(page, server, "")
    for width, scheme in ((1400, "dark"), (1024, "light"), (390, "dark")):
        show_as(page, width, scheme)
        wide = page.evaluate(
            """() => [...document.querySelectorAll(
                "[data-testid=stMain] :is(p, table, h3, button, .katex-display > .katex, .js-plotly-plot)"
            )].filter((part) => part.getBoundingClientRect().right > innerWidth + 1).map((part) => part.innerText)"""
        )
        assert wide == []
        assert page.evaluate(UNREADABLE) == []
        assert serious_findings(page) == [], (width, scheme)


@pytest.mark.slow
def test_why_leads_to_the_method_with_the_settings_of_the_run_and_back_to_the_moment(page, server):
    stage = StageDriver(page, server)
    settings = {"data": "xor", "xor-n": "12", "width": "128", "seed": "3", "search": "watch lists", "check": "false"}
    for query, name in (
        (f"{urlencode(settings)}&tree=5&it=2&phase=move", None),
        ("lesson=idea&scene=13", "When it loses"),
    ):
        stage.open(query)
        stage.rest()
        stage.element.focus()
        stage.press("ArrowRight")
        at, tree = stage.where, stage.part("tree-number").input_value()
        with page.context.expect_page() as opening:
            stage.part("narration").get_by_role("link", name="why?").click()
        method = opening.value
        try:
            width = 128 if name is None else 65_536
            sidebar = method.get_by_test_id("stSidebar")
            method.locator(".js-plotly-plot").nth(8).wait_for()
            settle(method)
            expect(sidebar.get_by_role("slider", name="Width m, neurons")).to_have_attribute(
                "aria-valuetext", str(width)
            )
            assert "was left out" not in method.get_by_test_id("stMain").inner_text()
            method.get_by_role("link", name="Watch one run").click()
            back = StageDriver(method, server).wait()
            back.wait_for(*at)
            assert back.part("tree-number").input_value() == tree
            back.rest()
            if name is None:
                assert back.address().items() >= settings.items()
            else:
                back.part("lesson").get_by_role("heading", name=name, exact=True).wait_for()
        finally:
            method.close()
