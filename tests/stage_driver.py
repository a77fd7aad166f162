"""The stage as a test sees it: where its cursor is, what it says, which nodes it draws in which state."""

import re
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import expect

FORGET_TREE = """() => {
    const url = new URL(location);
    url.searchParams.delete("tree");
    history.replaceState(history.state, "", url);
}"""
DRAWN = "() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
SENTENCE = """part => [...part.childNodes]
    .filter((one) => one.className !== "why").map((one) => one.textContent).join("").trim()"""
KNOWS_TREE = "() => new URL(location).searchParams.has('tree')"


class StageDriver:
    """Drives the stage of a page opened at `url`."""

    def __init__(self, page, url):
        self.page, self.url = page, url
        self.element = page.locator(".stage")

    def open(self, query=""):
        self.page.goto(f"{self.url}/?{query}")
        return self.wait()

    def wait(self):
        """Wait until the tree is drawn."""
        self.element.locator("[data-part=where]", has_text="Iteration").wait_for()
        self.element.locator(".node").first.wait_for()
        self.page.locator(".stage[aria-busy=false]").wait_for()
        return self

    def part(self, name):
        return self.element.locator(f"[data-part={name}]")

    def metric(self, label):
        """The number that the page below the stage shows under a label; it follows when the cursor rests."""
        shown = self.page.get_by_test_id("stMetric").filter(has_text=label)
        return shown.get_by_test_id("stMetricValue")

    def wait_without(self, name):
        """Wait until a part is not seen, while the stage may move to another place of the page: then there are two."""
        self.element.locator(f"[data-part={name}]:visible").first.wait_for(state="hidden")

    @property
    def where(self):
        """(iteration, number of the phase, step), the step counted from 1 as on the screen."""
        self.wait_until_drawn()
        place = re.compile(r"^Iteration (\d+) · phase (\d+), \w+ · step (\d+) of")
        expect(self.part("where")).to_have_text(place, use_inner_text=True)  # while an iteration is loaded, it says so
        return tuple(map(int, place.match(self.part("where").inner_text()).groups()))

    def wait_for(self, iteration, phase=None, step=None):
        tail = "" if phase is None else rf" · phase {phase}, \w+" + ("" if step is None else rf" · step {step} of")
        self.part("where").filter(has_text=re.compile(rf"^Iteration {iteration}\b{tail}")).wait_for()
        self.page.locator(".stage[aria-busy=false]").wait_for()
        return self

    @property
    def narration(self):
        """The sentence, without the link to the method after it."""
        return self.part("narration").evaluate(SENTENCE)

    def press(self, *keys):
        """Press keys, and wait until what they change at once is drawn."""
        for key in keys:
            self.page.keyboard.press(key)
        self.wait_until_drawn()

    def click(self, name):
        self.element.get_by_role("button", name=name, exact=True).click()
        self.wait_until_drawn()

    def click_node(self, node):
        self.element.locator(f'[data-node="{node}"] .glyph').click()
        self.wait_until_drawn()

    def wait_until_drawn(self):
        """Wait until what was pressed or clicked is drawn: what it changes at once comes with the next frame."""
        self.page.evaluate(DRAWN)

    def states(self):
        """{heap number: set of classes} of all nodes drawn."""
        groups = self.element.evaluate(
            "stage => [...stage.querySelectorAll('[data-node]')].map(g => [+g.dataset.node, g.getAttribute('class')])"
        )
        return {node: set(classes.split()) - {"node"} for node, classes in groups}

    def nodes_with(self, *classes):
        return {node for node, own in self.states().items() if own & set(classes)}

    def rest(self):
        """Wait until the address holds the moment and the server has been told of it."""
        for _ in range(2):  # the stage writes it again when the server has answered what it asked the first time
            self.page.evaluate(FORGET_TREE)
            self.page.wait_for_function(KNOWS_TREE)
        script = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        self.page.wait_for_function(script)

    def address(self):
        return {name: values[0] for name, values in parse_qs(urlparse(self.page.url).query).items()}
