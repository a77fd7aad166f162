"""The race and the page of expected costs in a real browser, as a student uses them."""

import re
import time
from urllib.parse import parse_qs, urlparse

import pytest
from accessibility import serious_findings, show_as
from playwright.sync_api import expect
from stage_driver import StageDriver

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
# Two methods that go on for as long as they may.
LONG = "data=digits&width=1024&until-loss=10⁻¹²&limit=300&contestants=SGD%2C+dense&contestants=SGD%2C+forest"
OFFERED = ("Forest", "Compact table", "Compaction", "Dense", "Dense, sparse rest")
SMALL, WIDE = "data=sphere&width=1024", "data=digits&width=65536"


def open_race(page, server, query=SMALL):
    page.goto(f"{server}/race?{query}")
    page.get_by_role("button", name="Start").wait_for()


def choose(page, *titles):
    """Take these contestants instead of those offered."""
    pills = page.get_by_role("toolbar", name="Contestants")
    for title in OFFERED:
        if title not in titles:
            pills.get_by_role("button", name=title, exact=True).click()
    for title in titles:
        if title not in OFFERED:
            pills.get_by_role("button", name=title, exact=True).click()


def start(page):
    page.get_by_role("button", name="Start").click()
    page.locator(".race svg").first.wait_for()


def reload(page):
    page.reload()
    page.locator(".race svg").first.wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def iterations(cells):
    return int(cells[0].replace(",", ""))


def finish(page):
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    page.locator(".race svg").first.wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def clock_rows(page):
    """{contestant: cells} of the table that shows where every lane is."""
    found = page.locator(".race tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('th, td')].map(cell => cell.innerText))"
    )  # at once: the next lap draws the table again
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in found}


def settle(page):
    """Return the rows of the table once the step that was under way has ended."""
    rows, deadline = clock_rows(page), time.monotonic() + 30
    while time.monotonic() < deadline:
        page.wait_for_timeout(1000)
        earlier, rows = rows, clock_rows(page)
        if rows == earlier:
            return rows
    raise AssertionError("the race goes on")


def test_a_race_is_run_judged_and_scrubbed(page, server):
    open_race(page, server)
    start(page)
    finish(page)
    verdict = page.get_by_text("To a loss of").first.inner_text()
    assert re.search(r"Forest needed [\d.]+ times (fewer|more) operations", verdict), verdict
    assert page.get_by_test_id("stException").count() == 0
    rows = clock_rows(page)
    assert list(rows) == list(OFFERED)
    iterations = {cells[0] for cells in rows.values()}
    assert len(iterations) == 1, "Gauss-Newton makes the same steps, however it is computed"

    # Pointing at the first chart, far left, shows the start of a lane in all charts and in the table.
    chart = page.locator(".race figure svg").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + box["height"] / 2)
    expect(page.locator(".race")).not_to_contain_text("Race clock: now")
    assert clock_rows(page) != rows


@pytest.mark.slow
def test_contestants_of_every_kind_race_together(page, server):
    open_race(page, server, "data=moons&width=512&moons-n=12")
    choose(page, "Gradient descent, forest", "SGD, forest", "Neuron trees", "Kernel ridge (NTK)", "Second layer only")
    page.get_by_label("Mini-batch").wait_for()
    page.get_by_role("slider", name="Loss to reach").focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.get_by_text("10⁻⁶").wait_for(state="detached")
    start(page)
    finish(page)
    assert set(clock_rows(page)) >= {"SGD, forest", "Neuron trees", "Kernel ridge (NTK)", "Second layer only"}
    expect(page.get_by_text("share of wrong signs on 1,000 other points")).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.slow
def test_the_first_charts_are_in_view_on_a_large_screen(page, server):
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_race(page, server)
    start(page)
    finish(page)
    charts = page.locator(".race figure").first.evaluate("figure => figure.getBoundingClientRect().bottom")
    assert charts <= 1080


@pytest.mark.slow
def test_a_race_is_paused_resumed_and_cancelled(page, server):
    open_race(page, server, WIDE)
    choose(page, "Gradient descent, dense", "Gradient descent, forest")
    start(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("The race is paused").wait_for()
    expect(page.get_by_role("button", name="Resume")).to_be_focused()  # the one that was pressed cannot be, now
    held = settle(page)
    page.wait_for_timeout(1500)
    assert clock_rows(page) == held
    expect(page.get_by_text("The race is paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("The race is on").wait_for()
    began = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("cancelled.").wait_for()
    assert time.monotonic() - began < 5  # a second on a quiet machine; see race_speed.py
    expect(page.locator(".race tbody tr")).to_have_count(2)  # what was done is kept


@pytest.mark.slow
def test_a_reload_finds_the_race_again_paused_running_and_over(page, server):
    open_race(page, server, LONG)
    start(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("The race is paused").wait_for()
    held = settle(page)
    reload(page)
    page.get_by_text("The race is paused").wait_for()
    assert clock_rows(page) == held
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("The race is on").wait_for()
    reload(page)
    page.get_by_text("The race is on").wait_for()
    expect(page.get_by_text("The race is on")).not_to_have_text(re.compile("is on: 0 of"))  # it is drawn as it goes on
    page.get_by_role("button", name="Cancel").click()
    finish(page)
    over = settle(page)
    assert list(over) == list(held) and all(iterations(over[title]) >= iterations(held[title]) for title in held)
    reload(page)
    expect(page.get_by_text("cancelled.")).to_be_visible()
    assert clock_rows(page) == over
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("The race is on").wait_for()
    page.get_by_role("button", name="Cancel").click()
    finish(page)
    extended = settle(page)
    assert all(iterations(extended[title]) >= iterations(over[title]) for title in over) and extended != over


@pytest.mark.slow
def test_a_race_is_shown_to_all_who_have_its_address(page, server, context):
    open_race(page, server, LONG)
    start(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("The race is paused").wait_for()
    other = context.new_page()
    other.goto(page.url)
    other.get_by_text("The race is paused").wait_for()
    page.get_by_role("button", name="Resume").click()
    other.get_by_text("The race is on").wait_for()  # nobody has touched that page
    other.get_by_role("button", name="Cancel").click()
    page.get_by_text("cancelled.").wait_for()
    other.close()


@pytest.mark.slow
@pytest.mark.parametrize("key", ["nothing", "inf", "%00%F0%9F%8C%B3", "a&race=b"])
def test_an_unknown_race_is_dropped_with_a_sentence(page, server, key):
    open_race(page, server, f"{SMALL}&race={key}")
    if key != "inf":  # no page takes that from an address
        expect(page.get_by_text("The race in the address is not kept here")).to_be_visible()
    page.wait_for_function("!new URL(location).searchParams.has('race')")
    assert page.get_by_test_id("stException").count() == 0
    start(page)
    assert len(parse_qs(urlparse(page.url).query)["race"][0]) == 16
    finish(page)


@pytest.mark.slow
def test_a_method_that_fails_is_shown_with_the_reason(page, server):
    open_race(page, server, "data=circle&width=32&paper=false&b=4.9")
    start(page)
    finish(page)
    expect(page.get_by_text("no neuron fires on any datapoint").first).to_be_visible()
    expect(page.get_by_text("where all began")).to_be_visible()


@pytest.fixture(scope="module")
def left_race(context, server):
    """Begin a race and leave it; return its address, and when: it goes on beside tests that are about no pace."""
    tab = context.new_page()
    open_race(tab, server, LONG.replace("width=1024", "width=65536"))  # at 1,024 it would be over in half a minute
    start(tab)
    tab.wait_for_url(re.compile(r"[?&]race="))
    address = tab.url
    tab.close()
    return address, time.monotonic()


@pytest.mark.slow
@pytest.mark.usefixtures("left_race")
def test_fewer_than_two_contestants_cannot_start(page, server):
    open_race(page, server)
    choose(page, "Forest")
    expect(page.get_by_role("button", name="Start")).to_be_disabled()
    expect(page.get_by_text("chosen: 1")).to_be_visible()


@pytest.mark.slow
def test_too_large_a_race_is_refused_with_a_remedy(page, server):
    open_race(page, server, "data=digits&width=1048576&digits-n=200")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text("choose fewer of them")


@pytest.mark.slow
def test_pages_share_the_settings(page, server):
    open_race(page, server, "data=circle&width=64")
    page.get_by_role("link", name="Watch one run").click()
    StageDriver(page, server).wait()
    assert "n = 8" in page.get_by_test_id("stMain").inner_text()
    page.get_by_role("link", name="Where it pays").click()
    expect(page.get_by_text("At m = 64 ")).to_be_visible()


@pytest.mark.slow
def test_expected_costs_show_measured_races_as_dots(page, server):
    open_race(page, server, "data=sphere&width=4096")
    start(page)
    finish(page)
    page.get_by_role("link", name="Where it pays").click()
    expect(page.get_by_text("At m = 4,096 ")).to_be_visible()
    expect(page.get_by_text("taken from the last race on these data")).to_contain_text(
        "Gradient descent and Adam did not race: as in the untrained network."
    )
    page.get_by_role("radio", name="Gauss–Newton").click()
    expect(page.get_by_text("Which method needs the fewest, by width and iterations")).to_be_visible()
    expect(page.get_by_text("First-order iterations")).to_have_count(0)
    expect(page.get_by_text("No race was as long as chosen, the longest had 5 iterations")).to_be_visible()
    plot = page.locator(".js-plotly-plot").first
    assert plot.locator(".points path").count() == 0
    slider = page.get_by_role("slider", name="Iterations")
    slider.focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    # Of each contestant of the race: the family shows all of them.
    expect(plot.locator(".points path")).to_have_count(5)
    expect(page.get_by_text("Dots are measured")).to_be_visible()
    page.get_by_role("radio", name="SGD").click()
    expect(page.get_by_text("SGD, forest")).to_have_count(0)  # within the family by their short names


@pytest.mark.slow
def test_pages_fit_their_window_and_pass_the_accessibility_check(page, server):
    open_race(page, server, "data=circle&width=64")
    start(page)
    finish(page)
    check_page(page)
    page.goto(f"{server}/where-it-pays?data=circle&width=64")
    page.locator(".js-plotly-plot").nth(1).wait_for()
    check_page(page)


def check_page(page):
    main = page.get_by_test_id("stMain")
    for width, scheme in ((1400, "light"), (1024, "dark"), (390, "light")):
        show_as(page, width, scheme)
        assert main.evaluate("element => element.scrollWidth <= element.clientWidth + 1"), "the page scrolls sideways"
        assert serious_findings(page) == [], (width, scheme)


@pytest.mark.slow
def test_a_race_ends_within_a_minute_of_its_last_tab(page, left_race):
    address, left = left_race
    page.wait_for_timeout(max(0.0, 1e3 * (left + 35 - time.monotonic())))
    page.goto(address)
    page.get_by_text("cancelled, because its page was closed or lost its connection").wait_for()
    expect(page.get_by_text("The memory of this race was given back")).to_be_visible()
    expect(page.locator(".race tbody tr")).to_have_count(2)
