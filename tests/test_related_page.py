"""The map of related work in a real browser: pointed at, opened, rearranged, searched, and used by keyboard alone."""

import re

import pytest
from accessibility import serious_findings
from playwright.sync_api import expect

from treeviz.related.literature import load_papers

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
PAPERS = {paper.key: paper for paper in load_papers()}
# The labels on the map that overlap each other or a paper that is not their own; hidden ones do not count.
COLLISIONS = """map => {
    const box = (node) => node.getBoundingClientRect();
    const labels = [...map.querySelectorAll(".node:not(.faded) .label[visibility=visible]")];
    const glyphs = [...map.querySelectorAll(".node .glyph")];
    const meet = (a, b) => a.left + 1 < b.right && b.left + 1 < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom;
    return labels.flatMap((label, place) => [...labels.slice(place + 1), ...glyphs]
        .filter((other) => other.parentNode !== label.parentNode && meet(box(label), box(other)))
        .map((other) => [label.textContent, other.parentNode.dataset.key]));
}"""
# The papers that the arrow keys lead to from this one, also by way of others.
REACHED = """map => {
    const nodeOf = (key) => map.querySelector(`.node[data-key="${key}"]`);
    const [reached, ahead] = [new Set(), ["this"]];
    while (ahead.length) {
        const here = ahead.pop();
        reached.add(here);
        for (const key of ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"]) {
            nodeOf(here).focus();
            nodeOf(here).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            const there = map.getRootNode().activeElement.dataset.key;
            if (!reached.has(there)) ahead.push(there);
        }
    }
    return [...reached];
}"""


class Map:
    """Drives the map of a page."""

    def __init__(self, page, server):
        self.page, self.server = page, server
        self.element = page.locator(".map")
        self.details = page.locator(".st-key-paper-details")
        self.tip = self.element.locator(".tip")

    def open(self, query=""):
        self.page.goto(f"{self.server}/related?{query}")
        self.node("this").locator(".glyph").wait_for()
        return self

    def node(self, key):
        return self.element.locator(f'.node[data-key="{key}"]')

    def glyph(self, key):
        return self.node(key).locator(".glyph")

    def middle(self, key):
        box = self.glyph(key).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def distance(self, one, other):
        (ax, ay), (bx, by) = self.middle(one), self.middle(other)
        return ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5

    def drag(self, start, by):
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(start[0] + by[0] / 2, start[1] + by[1] / 2)
        mouse.move(start[0] + by[0], start[1] + by[1])
        mouse.up()
        self.settle()

    def settle(self):
        """Wait until what is due has been drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def rest(self):
        """Wait until the server has answered."""
        script = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        self.page.wait_for_function(script)

    def search(self, text):
        self.page.get_by_role("textbox", name="Search titles and authors").fill(text)
        self.page.keyboard.press("Enter")

    def listed(self, count):
        expect(self.page.get_by_text(f"The same as a list: {count} of {len(PAPERS)} papers")).to_be_visible()
        return self.page.get_by_test_id("stMain").locator("tbody tr")


@pytest.fixture
def related(page, server):
    return Map(page, server)


@pytest.mark.slow
def test_a_paper_is_pointed_at_opened_and_followed_into_the_app(related, page):
    related.open("data=circle&width=64")
    assert related.element.locator(".node").count() == len(PAPERS)
    expect(related.details).to_contain_text(PAPERS["this"].title)
    related.glyph("bypass").hover()
    expect(related.tip).to_contain_text(PAPERS["bypass"].title)
    expect(related.tip).to_contain_text("Josh Alman")
    related.glyph("bypass").click()
    expect(related.details).to_contain_text(PAPERS["bypass"].title)
    for text in (
        *PAPERS["bypass"].authors,
        "2022",
        "Later than this paper",
        PAPERS["bypass"].adds,
        PAPERS["bypass"].relates,
    ):
        expect(related.details).to_contain_text(text)
    expect(related.node("bypass")).to_have_attribute("aria-pressed", "true")
    # Those who share authors with it are joined to it, and no others.
    joined = related.element.locator(".edge.authors.active").count()
    common = [set(paper.authors) & set(PAPERS["bypass"].authors) for paper in PAPERS.values()]
    assert joined == sum(len(authors) >= 2 for authors in common) - 1  # it shares all with itself
    related.rest()
    page.get_by_role("combobox", name="Open a paper").click()
    page.get_by_role("combobox", name="Open a paper").fill("Video Latent")
    page.get_by_role("option", name=PAPERS["video-flow"].title).click()
    expect(related.details).to_contain_text(PAPERS["video-flow"].theme.about)
    expect(related.node("video-flow")).to_have_attribute("aria-pressed", "true")
    related.glyph("bypass").click()  # chosen on the map before, and still to be had
    related.details.get_by_role("link", name="Race neuron trees").click()
    expect(page.get_by_role("button", name="Neuron trees", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("64 neurons", exact=True)).to_be_visible()  # the same session, with its settings


@pytest.mark.slow
def test_papers_and_map_are_dragged_zoomed_and_reset(related, page):
    related.open()
    related.element.scroll_into_view_if_needed()
    start, other = related.middle("deja-vu"), related.middle("bypass")
    resting = related.distance("this", "deja-vu")
    edges = related.element.locator(".edge.later")
    drawn = edges.evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    related.drag(start, (60, -40))
    moved = related.middle("deja-vu")
    assert moved == pytest.approx((start[0] + 60, start[1] - 40), abs=1.5)
    assert related.middle("bypass") == pytest.approx(other, abs=0.5)
    now = edges.evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    assert sum(before != after for before, after in zip(drawn, now, strict=True)) == 1  # its edge follows

    apart = related.distance("bypass", "deja-vu")
    related.search("sublinear")  # the map is sent new data, and keeps what was dragged; the page may scroll
    expect(related.element.locator(".node.found")).to_have_count(3)
    assert related.distance("bypass", "deja-vu") == pytest.approx(apart, abs=1.5)
    other = related.middle("bypass")
    expect(related.details).to_contain_text(PAPERS["this"].title)  # a drag is no click

    box = related.element.locator(".canvas").bounding_box()
    related.drag((box["x"] + 20, box["y"] + box["height"] - 20), (30, -25))
    assert related.middle("bypass") == pytest.approx((other[0] + 30, other[1] - 25), abs=1.5)
    apart = related.distance("this", "deja-vu")
    related.element.get_by_role("button", name="zoom in").click()
    related.settle()
    assert related.distance("this", "deja-vu") == pytest.approx(1.4 * apart, rel=0.02)
    related.element.get_by_role("button", name="zoom out").click()
    related.settle()
    assert related.distance("this", "deja-vu") == pytest.approx(apart, rel=0.02)
    related.glyph("this").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    related.settle()
    assert related.distance("this", "deja-vu") > 1.3 * apart
    related.element.get_by_role("button", name="reset").click()
    related.settle()
    related.element.scroll_into_view_if_needed()
    assert related.distance("this", "deja-vu") == pytest.approx(resting, rel=0.02)
    apart = related.distance("this", "deja-vu")
    main = page.get_by_test_id("stMain")
    before = main.evaluate("node => node.scrollTop")
    related.glyph("this").hover()
    page.mouse.wheel(0, 150)
    page.wait_for_function("top => document.querySelector('[data-testid=stMain]').scrollTop > top", arg=before)
    assert related.distance("this", "deja-vu") == pytest.approx(apart)


@pytest.mark.slow
def test_search_and_filters_change_map_and_list_and_stay_in_the_address(related, page):
    related.open("paper-relation=Earlier+than+this+paper&paper-search=gauss")
    expect(related.listed(1).first).to_contain_text(PAPERS["gaussian-transform"].title)
    related.search("")
    expect(related.listed(4)).to_have_count(4)
    expect(related.element.locator(".node:not(.faded)")).to_have_count(5)  # and this paper
    related.rest()
    page.get_by_text("Filter by year, relation and theme").click()
    page.wait_for_timeout(500)  # it unfolds: what is clicked meanwhile may be somewhere else
    page.get_by_role("button", name="Fast training of wide networks").click()
    related.listed(2)
    page.get_by_role("slider", name=re.compile("Years")).first.press("ArrowRight")
    related.listed(0)
    expect(page.get_by_text("Shorten the search, widen the years")).to_be_visible()
    for name in ("paper-relation", "paper-themes", "paper-years"):
        page.wait_for_url(re.compile(rf"[?&]{name}="))  # the browser writes it a moment after the page is drawn
    page.get_by_role("slider", name=re.compile("Years")).first.press("ArrowLeft")
    related.listed(2)
    related.rest()
    page.get_by_role("button", name="Fast training of wide networks").click()
    related.listed(4)
    related.rest()
    page.get_by_role("button", name="Earlier than this paper", exact=True).click()
    expect(related.listed(len(PAPERS))).to_have_count(len(PAPERS))
    related.search("paszynski 2d")
    expect(related.listed(1).first).to_contain_text("Maciej Paszyński")
    expect(related.element.locator(".node.found")).to_have_count(1)
    expect(related.node("pinn-2dt")).to_have_accessible_name(re.compile(", 2023, later than this paper, found$"))
    expect(related.element.get_by_text("found by the search")).to_be_visible()


@pytest.mark.slow
def test_the_map_is_used_by_keyboard_alone(related, page):
    related.open()
    assert related.element.locator(".node[tabindex='0']").count() == 1  # one stop for all papers
    expect(related.node("this")).to_have_accessible_name(f"{PAPERS['this'].title}, 2022, this paper")
    assert related.element.locator(".node[role=button][aria-label]").count() == len(PAPERS)
    page.locator("summary", has_text="Filter by year").focus()
    page.keyboard.press("Tab")
    expect(related.node("this")).to_be_focused()
    expect(related.tip).to_contain_text(PAPERS["this"].title)
    start = related.middle("this")
    page.keyboard.press("ArrowRight")
    focused = related.element.locator(".node:focus")
    key = focused.get_attribute("data-key")
    assert related.middle(key)[0] > start[0]
    assert focused.get_attribute("tabindex") == "0"
    page.keyboard.press("Enter")
    expect(related.details).to_contain_text(PAPERS[key].title)
    expect(related.node(key)).to_be_focused()  # the focus stays on the map
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("+")
    related.settle()
    page.keyboard.press("0")
    page.keyboard.press("Escape")
    expect(related.details).to_contain_text(PAPERS["this"].title)
    assert set(related.element.evaluate(REACHED)) == set(PAPERS)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1024, "dark"), (1400, "light")])
def test_it_fits_the_window_is_legible_and_passes_the_accessibility_check(related, page, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    related.open("paper-search=sublinear")
    expect(related.element.locator(".node.found")).to_have_count(3)
    related.settle()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    assert related.element.evaluate(COLLISIONS) == []
    assert related.element.locator(".label[visibility=visible]").count() >= (12 if width == 390 else 26)
    size = "nodes => Math.min(...nodes.map(node => parseFloat(getComputedStyle(node).fontSize)))"
    assert related.element.locator("text, p, li, button").evaluate_all(size) >= 11
    canvas, buttons = (related.element.locator(part).bounding_box() for part in (".canvas", ".zoom"))
    for key in PAPERS:
        x, y = related.middle(key)
        assert canvas["x"] < x < canvas["x"] + canvas["width"] and canvas["y"] < y < buttons["y"]
    related.glyph("large-bias").click()
    expect(related.details).to_contain_text(PAPERS["large-bias"].title)
    expect(related.details.get_by_text(PAPERS["large-bias"].title)).to_be_in_viewport()
    assert serious_findings(page) == []
