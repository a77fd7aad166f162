"""The neurons that move, in all trees, in a real browser: the picture is the run's, and leads from tree to tree."""

import re

import numpy as np
import pytest
from accessibility import serious_findings
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
# Of each strip: its tree, whether it is marked, and how many leaves of each kind are drawn.
STRIPS = """list => [...list.querySelectorAll("button")].map((button) => {
    const count = (kind) => (button.querySelector(`.cell-${kind}`).getAttribute("d").match(/M/g) ?? []).length;
    return {
        tree: Number(button.querySelector("span").textContent),
        marked: button.getAttribute("aria-current") === "true",
        kinds: ["starts", "stops", "fires", "changed"].map(count),
    };
})"""

CELLS = """(svg, sign) => [...svg.querySelectorAll(`.gram-${sign}`)]
    .map((shade) => shade.getAttribute("d").match(/M/g).length)
    .reduce((sum, count) => sum + count, 0)"""


def kinds_of(run, point, iteration):
    """Count the touched neurons whose leaf starts or stops firing, fires before and after, or changes otherwise."""
    step, b = run.replay(point, iteration), run.config.resolved_threshold
    leaves = run.config.width + run.records[iteration].touched
    before, after = step.before[leaves], step.after[leaves]
    fired, fires = before >= b, after >= b
    kinds = (fires & ~fired, fired & ~fires, fired & fires, (before != after) & ~fired & ~fires)
    return [int(np.count_nonzero(kind)) for kind in kinds]


@pytest.mark.slow
def test_nothing_below_the_notes_on_the_code_moves_within_a_phase(stage):
    stage.open("data=circle&width=64&solver=exact&it=0&phase=repair&step=0")
    stage.element.focus()
    notes, places = set(), set()
    for _ in range(12):
        notes.add(stage.part("symbols").inner_text().strip())
        places.add(stage.part("strips").evaluate("box => box.getBoundingClientRect().top + scrollY"))
        stage.press("ArrowRight")
    assert len(notes) == 3 and "" not in notes  # a line each: the leaf is written, the climb goes up, it stops
    assert len(places) == 1


@pytest.mark.slow
def test_a_strip_a_datapoint_shows_its_leaves_and_opens_its_tree(stage, circle):
    stage.open("data=circle&width=64&solver=exact&it=1&phase=search&step=0")
    box = stage.part("touched")
    assert not box.is_visible()  # nothing has moved yet
    gram = stage.part("gram")
    expect(gram).to_be_hidden()
    stage.press("4")
    expect(gram).to_be_visible()
    firing = circle.records[1].firing
    shared = [[np.intersect1d(one, other).size for other in firing] for one in firing]
    exact = circle.dataset.X @ circle.dataset.X.T * shared / 64
    assert f"Darkest: {exact.max():.3g}." in stage.part("gram-caption").inner_text()
    exact = exact.round(12)
    signs = [stage.part("gram-cells").evaluate(CELLS, sign) for sign in ("above", "below")]
    assert signs == [np.count_nonzero(exact > 0), np.count_nonzero(exact < 0)] and signs[0] > 8
    stage.press("5")
    expect(gram).to_be_hidden()
    stage.wait_for(1, 5)
    expect(box).to_be_visible()
    strips = stage.part("strips").evaluate(STRIPS)
    assert [strip["tree"] for strip in strips] == list(range(8))
    assert [strip["tree"] for strip in strips if strip["marked"]] == [0]
    assert [strip["kinds"] for strip in strips] == [kinds_of(circle, point, 1) for point in range(8)]
    moved = circle.records[1].touched.size
    assert stage.part("touched-caption").inner_text().startswith(f"Each of {moved} neurons has a leaf in all 8 trees")
    assert not stage.part("strip-column").is_visible()
    stage.element.focus()
    stage.press("ArrowRight")
    assert stage.part("strip-column").is_visible()
    assert stage.part("touched-caption").inner_text().startswith(f"Neuron {circle.records[1].touched[0]} has a leaf")
    assert serious_findings(stage.page) == []
    starts, stops, *_ = kinds_of(circle, 3, 1)
    words = rf"tree 3: of {moved} leaves \d+ change, {starts} start and {stops} stop firing"
    stage.part("strips").get_by_role("button", name=re.compile(words)).click()
    stage.part("summary").get_by_text("Tree 3:").wait_for()
    assert [strip["tree"] for strip in stage.part("strips").evaluate(STRIPS) if strip["marked"]] == [3]
    stage.page.set_viewport_size({"width": 1023, "height": 800})
    expect(box).to_be_hidden()
