"""The gallery and the growing run in a real browser."""

import math

import pytest
from playwright.sync_api import expect

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.style.palette import percent

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
PRESS_AND_ASK = """([button, field]) => {
    button.click();
    setTimeout(() => {
        field.value = "5";
        field.dispatchEvent(new Event("change", { bubbles: true }));
    });
}"""


def num_below(nodes, top):
    """Return how many of the heap numbers are below a node, or are it."""
    below = [int(node) for node in nodes if node >= top]
    return sum(node >> (node.bit_length() - top.bit_length()) == top for node in below)


def choose(stage, name):
    stage.page.get_by_role("radio", name=name).or_(stage.page.get_by_role("button", name=name, exact=True)).click()


@pytest.mark.slow
def test_the_same_run_grows_at_the_same_moment(stage):
    """What there is no room for becomes a silhouette, its size by its neurons, its shade by what is read of it."""
    stage.open("data=circle&seed=3&tree=2&it=1&phase=solve")
    assert len(stage.states()) == 127 and not stage.nodes_with("stub", "stub-open", "stub-pruned")
    expect(stage.element.get_by_text("stub entered: the darker")).to_be_hidden()
    stage.rest()
    choose(stage, "→ 1,024")
    stage.page.get_by_text("m = 1,024").wait_for()
    stage.wait_for(1, 4, 1).rest()
    assert stage.address().items() >= {"seed": "3", "width": "1024", "tree": "2", "it": "1", "phase": "solve"}.items()
    step = Trainer(load_dataset("circle", seed=3), TrainConfig(width=1024, solver="exact", seed=3)).run(2).replay(2, 1)
    summary = f"Tree 2: of 2,047 nodes the search reads {step.visited.size:,} ({percent(step.visited.size / 2047)})"
    expect(stage.part("summary")).to_contain_text(summary)  # the smaller run was at the same moment
    shapes = stage.element.evaluate(
        """stage => [...stage.querySelectorAll(".tree .stub-open")].map((node) => {
            const glyph = node.querySelector(".glyph");
            return [+node.dataset.node, glyph.getBBox().height, +glyph.getAttribute("fill-opacity")];
        })"""
    )
    heights = dict(sorted((node.bit_length(), height) for node, height, _ in shapes))
    assert sorted(heights.values(), reverse=True) == list(heights.values()) and len(heights) > 1
    assert {node for node, _, _ in shapes} == stage.nodes_with("stub-open") and shapes
    for node, _, shade in shapes:
        read, size = num_below(step.visited, node), num_below(range(1, 2048), node)
        assert shade == pytest.approx(0.08 + 0.92 * math.sqrt(read / size), abs=0.006)
    expect(stage.element.get_by_text("stub entered: the darker")).to_be_visible()
    stub, size = shapes[0][0], num_below(range(1, 2048), shapes[0][0])
    stage.element.get_by_text("Text version of the tree").click()
    row = stage.part("node-text").locator("tr", has_text=f"stub {stub:,}, {(size + 1) // 2:,} neurons")
    assert f"entered: {num_below(step.visited, stub):,} of {size:,} nodes read" in row.inner_text()
    stage.click_node(stub)
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for()  # it opens


@pytest.mark.slow
def test_a_situation_opens_with_a_way_back_and_an_address_to_share(stage):
    stage.open("data=circle&seed=3&tree=2&it=1")
    stage.page.get_by_role("button", name="Situations").click()
    stage.page.get_by_test_id("stPopoverBody").get_by_role("button", name="A datapoint not learned").click()
    stage.wait_for(6, 1, 1).rest()
    expect(stage.page.get_by_test_id("stPopoverBody")).to_have_count(0)
    settings = {"data": "sphere", "sphere-n": "8", "sphere-dimension": "8", "seed": "5", "it": "6", "tree": "1"}
    assert stage.address().items() >= settings.items() and stage.part("notices").inner_text() == ""
    address = stage.page.url
    stage.page.get_by_role("button", name="Back to your settings").click()
    stage.wait_for(1, 1, 1).rest()
    assert stage.address().items() >= {"seed": "3", "tree": "2"}.items() and "sphere-n" not in stage.address()
    stage.page.goto(address)
    stage.wait_for(6, 1, 1).rest()
    assert stage.address().items() >= settings.items()


@pytest.mark.slow
def test_a_situation_of_the_run_on_show_goes_to_its_moment(stage):
    stage.open("tree=2&it=1")
    stage.page.get_by_role("button", name="Situations").click()
    situation = stage.page.get_by_test_id("stPopoverBody").get_by_role("button", name="The whole tree")
    situation.wait_for()
    stage.rest()
    # The stage asks for a tree in the same moment, and the browser then says once more that the gallery is open.
    stage.page.evaluate(PRESS_AND_ASK, [situation.element_handle(), stage.part("tree-number").element_handle()])
    stage.page.get_by_role("button", name="Back to your settings").wait_for()
    stage.wait().rest()
    expect(stage.page.get_by_test_id("stPopoverBody")).to_have_count(0)
    assert stage.where[0] == 1, "it names no moment, so the run stays where it was left"
