"""The app in a real browser: what a student does, and what must never happen."""

import re

import pytest
from playwright.sync_api import expect
from stage_driver import StageDriver

from treeviz.pages.page import find_pages

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CALM = "data=circle&width=64"
RECTANGLES = """nodes => nodes.map((node) => {
    const { left, right, bottom } = node.getBoundingClientRect();
    return { text: node.textContent.trim(), left, right, bottom };
})"""

# Whether the header has a link to each of so many pages, or to some and a menu of more.
LEADS_TO_ALL = """num_pages => {
    const header = document.querySelector("[data-testid=stHeader]");
    const { length } = header.querySelectorAll("[data-testid=stTopNavLink]");
    return length === num_pages || (length >= 4 && /\\bmore\\b/.test(header.innerText));
}"""


def open_page(page, url, query=CALM):
    return StageDriver(page, url).open(query)


@pytest.mark.parametrize(
    ("query", "sizes"),
    [
        ("", ("n = 8", "m = 64")),
        pytest.param("data=digits&width=65536", ("n = 50", "m = 65,536"), marks=pytest.mark.slow),
    ],
)
def test_opens_with_a_stage_and_no_error(page, server, query, sizes):
    stage = open_page(page, server, query)
    assert all(size in page.get_by_test_id("stMain").inner_text() for size in sizes)
    page.locator(".js-plotly-plot").first.wait_for()
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0
    assert stage.part("notices").inner_text() == ""
    assert "firing neuron: leaf ≥ b" in stage.part("tree-key").inner_text()


@pytest.mark.slow
def test_the_glossary_covers_nothing_in_the_header_of_any_page(page, server):
    paths = [shown.path for shown in find_pages()]
    for path in paths:
        page.goto(f"{server}/{path}?{CALM}")
        page.get_by_test_id("stMain").get_by_role("heading").first.wait_for()
        for width in (1400, 960, 700, 512):  # 512 and 700: twice the size on 1024 and 1400
            page.set_viewport_size({"width": width, "height": 768})
            check_header(page, width, len(paths), path)


def check_header(page, width, num_pages, path):
    header = page.get_by_test_id("stHeader")
    if width < 768:  # the navigation is in the sidebar
        expect(page.get_by_test_id("stTopNavLink")).to_have_count(0)
    else:
        page.wait_for_function(LEADS_TO_ALL, arg=num_pages)
    box = page.get_by_role("button", name="Glossary").bounding_box()
    assert box["x"] + box["width"] <= width
    controls = header.locator("a, button").evaluate_all(RECTANGLES)
    controls = [place for place in controls if place["text"] != "Glossary" and place["right"] > place["left"]]
    assert controls
    bottom = box["y"] + box["height"]
    over = [place for place in controls if place["right"] > box["x"] and box["y"] < place["bottom"] <= bottom + 40]
    assert over == [], (path, width)


@pytest.mark.slow
def test_losses_coincide_with_the_dense_baseline(page, server):
    open_page(page, server, "data=sphere&width=4096")
    page.get_by_text("The two coincide").wait_for()
    for chart, axis in (("operations", "operations per iteration"), ("seconds", "seconds per iteration")):
        page.get_by_role("radio", name=f"Amortized {chart}").click()
        page.locator(".js-plotly-plot .ytitle", has_text=axis).wait_for()


@pytest.mark.slow
def test_what_cannot_be_learned_is_said_in_words(page, server):
    open_page(page, server, "data=circle&width=32&paper=false&b=4.9")
    assert "no neuron fires" in StageDriver(page, server).part("status").inner_text().lower()
    page.get_by_text("8 datapoints cannot be learned").click()
    page.get_by_text("lower the threshold or widen the network").first.wait_for()
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.slow
def test_a_damaged_address_opens_the_nearest_valid_page(page, server):
    open_page(page, server, "data=nonsense&width=7&seed=-4&b=1e99&solver=x")
    assert page.get_by_test_id("stException").count() == 0


def upload(page, path, content):
    path.write_text(content)
    page.get_by_label("Dataset").first.click()
    page.get_by_role("option", name="your own CSV").click()
    page.locator("input[type=file]").set_input_files(path)


def fill(page, label, text):
    page.get_by_role("textbox", name=label).fill(text)
    page.keyboard.press("Enter")


def choose(page, label, text):
    """Choose an entry of a list by what it begins with, or type one that is not there."""
    page.get_by_role("combobox", name=label).fill(text)
    page.get_by_role("option", name=re.compile(rf"^(Add: )?{re.escape(text)}")).first.click()


def test_a_csv_file_is_uploaded_and_trained(page, server, tmp_path):
    open_page(page, server)
    upload(page, tmp_path / "table.csv", "a,b,kind\n1,2,x\n3,1,y\n2,5,x\n4,4,y\n")
    choose(page, "Target column", "kindd")
    page.get_by_test_id("stAlert").filter(has_text="'kindd'").wait_for()
    choose(page, "Target column", "kind · text")
    StageDriver(page, server).wait()
    assert "n = 4" in page.get_by_test_id("stMain").inner_text()


@pytest.mark.slow
def test_an_upload_stays_when_a_button_leads_to_another_page_and_while_other_data_are_shown(page, server, tmp_path):
    page.goto(f"{server}/theory?{CALM}")
    upload(page, tmp_path / "table.csv", "a,b,kind\n1,2,x\n3,1,y\n2,5,x\n4,4,y\n")
    choose(page, "Target column", "kind")
    page.get_by_role("button", name="Show me on the stage").first.click()
    StageDriver(page, server).wait()
    assert "n = 4" in page.get_by_test_id("stMain").inner_text()
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_text("In use: table.csv, uploaded before.").wait_for()
    for name in ("circle", "your own CSV"):
        page.get_by_label("Dataset").first.click()
        page.get_by_role("option", name=name, exact=True).click()
        page.get_by_test_id("stMain").get_by_text(f"n = {8 if name == 'circle' else 4}").wait_for()
        StageDriver(page, server).wait()
    assert sidebar.get_by_role("combobox", name="Target column").input_value() == "kind · text"
    upload(page, tmp_path / "other.csv", "a,b,y\n1,2,1\n3,1,2\n2,5,5\n")
    page.get_by_test_id("stAlert").filter(has_text="no target column 'kind'").wait_for()
    sidebar.get_by_role("button", name="Remove other.csv").click()
    sidebar.get_by_role("button", name="Remove the file").click()
    sidebar.get_by_text("Choose a CSV file").wait_for()


@pytest.mark.slow
def test_what_a_csv_error_asks_for_can_be_done_on_the_page(page, server, tmp_path):
    open_page(page, server)
    upload(page, tmp_path / "table.csv", "a,b,c,kind\n1,2,3,x\n3,1,4,y\n2,5,1,z\n0,0,0,y\n")
    choose(page, "Target column", "kind · text")
    page.get_by_test_id("stAlert").filter(has_text=re.compile("Class to learn.*in the sidebar")).wait_for()
    choose(page, "Class to learn (positive)", "y")
    page.get_by_test_id("stAlert").filter(has_text=re.compile("Add a constant coordinate.*in the sidebar")).wait_for()
    page.get_by_test_id("stSidebar").get_by_text("Add a constant coordinate (lift)").click()
    StageDriver(page, server).wait()


@pytest.mark.slow
@pytest.mark.parametrize("width", [65_536, 1_048_576])
def test_large_widths_step_without_an_error(page, server, width):
    page.set_default_timeout(120_000)
    stage = open_page(page, server, f"data=sphere&width={width}")
    for iteration in (1, 2, 3):
        stage.click("next iteration")
        stage.wait_for(iteration)
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.slow
def test_too_large_a_run_is_refused_with_a_remedy(page, server):
    page.goto(f"{server}/?data=digits&width=1048576&digits-n=200")
    alert = page.get_by_test_id("stAlert").first
    alert.wait_for()
    assert "choose fewer datapoints or a smaller width" in alert.inner_text()
