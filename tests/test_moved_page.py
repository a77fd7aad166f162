"""A datapoint moved in its plane, in a real browser: by mouse, keys and touch; and the ways back to the run."""

import re

import numpy as np
import pytest
from accessibility import serious_findings
from playwright.sync_api import expect
from stage_driver import DRAWN

from treeviz import Forest, TrainConfig, Trainer, load_dataset
from treeviz.stage.pictures.field import plane_coordinates

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

XOR = "data=xor&width=64&xor-n=8"
PLACE = r"datapoint 3 were at \((−?[\d.]+), (−?[\d.]+)\)"
# What a finger does: Chromium makes pointer events of it.
TOUCH = """async ([mark, dx, dy]) => {
    const box = mark.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const send = (type, clientX, clientY, buttons) => mark.dispatchEvent(new PointerEvent(type, {
        pointerId: 1, pointerType: "touch", clientX, clientY, buttons, bubbles: true, composed: true,
    }));
    mark.setPointerCapture = () => {};  // there is no finger that could be captured
    send("pointerdown", x, y, 1);
    send("pointermove", x + dx, y + dy, 1);
    send("pointerup", x + dx, y + dy, 0);
}"""


def number(text):
    return float(text.replace("−", "-"))


def expected(trainer, place):
    """Return the tree of an input at a place of the plane, and what a search of it finds."""
    x = np.array([*place, 1.0])
    forest = Forest((trainer.weights() @ (x / np.linalg.norm(x)))[:, None])
    return forest.values[:, 0], forest.query(0, trainer.config.resolved_threshold)


@pytest.fixture(scope="module")
def trainers():
    """After 0 and after 2 iterations."""
    data, config = load_dataset("xor", 8), TrainConfig(width=64, solver="exact")
    found = [Trainer(data, config) for _ in range(2)]
    found[1].run(2)
    return found


def check_picture(stage, trainer):
    """Check the drawn tree against the trainer's weights, at the place that the sentence names."""
    sentence = stage.part("narration").filter(has_text="would read")
    sentence.wait_for()
    stage.page.evaluate(DRAWN)
    place = [number(text) for text in re.search(PLACE, stage.narration).groups()]
    values, found = expected(trainer, place)
    b = trainer.config.resolved_threshold
    if np.abs(values[1:] - b).min() < 2e-3:  # the place is written with three decimals
        return place
    assert stage.nodes_with("firing") == {int(neuron) + 64 for neuron in found.neurons}
    assert stage.nodes_with("open", "firing", "pruned") == set(found.visited.tolist())
    assert f"would read {found.visited.size} of 127 nodes" in stage.narration
    assert re.search(rf" {found.neurons.size} neurons? fires? ", stage.narration)
    root = stage.element.locator('[data-node="1"] text')
    assert number(root.text_content()) == pytest.approx(values[1], abs=2e-3)
    return place


def drag(stage, grip, *moves):
    box = grip.locator(".target").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    stage.page.mouse.move(x, y)
    stage.page.mouse.down()
    for dx, dy in moves:
        stage.page.mouse.move(x + dx, y + dy)
        yield
    stage.page.mouse.up()


@pytest.mark.slow
def test_a_datapoint_is_dragged_and_its_tree_follows(stage, trainers):
    stage.open(f"{XOR}&tree=3&it=2&phase=solve")
    before, told = stage.states(), stage.narration
    grip = stage.part("datapoint").get_by_role("slider")
    moves = drag(stage, grip, (-12, 0), (-30, 20), (-60, 45), (-300, 400))
    places = [check_picture(stage, trainers[1]) for _ in moves]
    assert len({tuple(place) for place in places}) == 4
    assert "what if" in stage.narration.lower()
    expect(stage.element.locator(".own-place")).to_have_attribute("d", re.compile("M"))
    expect(stage.part("datapoint").get_by_role("heading")).to_have_text("Datapoint 3")  # no click on its mark
    assert serious_findings(stage.page) == []
    stage.element.get_by_text("Text version of the tree").click()
    firing = stage.part("node-text").locator("tr", has=stage.page.get_by_text(re.compile("^fires(,|$)")))
    expect(firing).to_have_count(len(stage.nodes_with("firing")))
    stage.press("Escape")
    stage.part("narration").filter(has_text=told).wait_for()
    assert stage.states() == before and stage.where[:2] == (2, 4)
    expect(stage.element.locator(".own-place")).to_have_attribute("d", "")
    expect(firing).to_have_count(len({node for node, own in before.items() if own & {"firing", "stops"}}))


@pytest.mark.slow
def test_a_datapoint_is_moved_by_keys_and_says_what_follows(stage, trainers):
    stage.open(f"{XOR}&tree=3")
    own = plane_coordinates(load_dataset("xor", 8))[3]
    grip = stage.part("datapoint").get_by_role("slider", name="Try datapoint 3 elsewhere")
    grip.focus()
    assert number(grip.get_attribute("aria-valuenow")) == pytest.approx(own[0], abs=1e-5)
    expect(grip).to_have_attribute("aria-valuetext", re.compile("as in the run"))
    stage.press("ArrowLeft", "ArrowLeft", "PageUp", "ArrowUp", "ArrowDown")
    place = check_picture(stage, trainers[0])
    assert place[0] < own[0] and place[1] > own[1]
    expect(grip).to_be_focused()
    expect(grip).to_have_attribute("aria-valuetext", stage.narration.removesuffix("back to the run (Esc)").strip())
    low, now, high = (number(grip.get_attribute(f"aria-value{name}")) for name in ("min", "now", "max"))
    assert low <= now <= high and now == pytest.approx(place[0], abs=1e-3)
    stage.press("ArrowRight", "ArrowRight", *["PageDown"] * 20)  # to the edge, and no further
    assert check_picture(stage, trainers[0])[1] < own[1]
    edge = stage.narration
    stage.press("PageDown")
    stage.page.evaluate(DRAWN)
    assert stage.narration == edge
    stage.element.get_by_role("button", name="back to the run (Esc)").click()
    stage.part("narration").filter(has_text="The root").wait_for()
    assert stage.where == (0, 1, 1)


@pytest.mark.slow
def test_a_step_ends_it_and_another_threshold_goes_with_it(stage, trainers):
    stage.open(f"{XOR}&tree=3")
    grip = stage.part("datapoint").get_by_role("slider")
    grip.focus()
    stage.press("PageUp")
    place = check_picture(stage, trainers[0])
    spread = stage.part("spread")
    spread.focus()
    stage.press("PageDown", "PageDown")
    stage.part("narration").filter(has_text="What if b were").wait_for()
    tried = float(spread.get_attribute("aria-valuenow"))
    values, _ = expected(trainers[0], place)
    reads = 1 + 2 * (values[1:64] >= tried).sum()
    assert f"datapoint 3 were at ({place[0]:.3f}, ".replace("-", "−") in stage.narration
    assert f"would read {reads} of 127 nodes" in stage.narration
    stage.element.focus()
    stage.press("ArrowRight")
    stage.wait_for(0, 1, 2)
    assert "What if" not in stage.narration
    assert not stage.element.evaluate("stage => stage.classList.contains('imagined')")


@pytest.mark.slow
def test_a_finger_drags_it(stage, trainers):
    stage.page.set_viewport_size({"width": 390, "height": 844})
    stage.open(f"{XOR}&tree=3")
    grip = stage.part("datapoint").get_by_role("slider")
    assert grip.evaluate("mark => getComputedStyle(mark).touchAction") == "none"
    grip.evaluate(f"(mark, by) => ({TOUCH})([mark, ...by])", [-20, 25])
    check_picture(stage, trainers[0])
    picture, tree = (stage.part(name).bounding_box() for name in ("datapoint", "scroller"))
    assert 0 < tree["y"] - picture["y"] < 200  # both are in view


@pytest.mark.slow
def test_where_the_network_is_too_wide_the_words_say_so(stage):
    stage.open("data=xor&xor-n=4&width=131072")
    expect(stage.part("datapoint")).to_contain_text("can be dragged in runs of up to 65,536 neurons")
    assert stage.part("datapoint").get_by_role("slider").count() == 0
