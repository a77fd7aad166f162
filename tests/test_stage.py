"""The stage in a real browser: whole journeys by mouse and by keyboard, against the trainer's own records."""

import re

import pytest
from playwright.sync_api import expect
from stage_driver import StageDriver

from treeviz.model.numerals import numeral
from treeviz.style.palette import percent

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CIRCLE, DIGITS = "data=circle&width=64", "data=digits&width=65536"


# ---- what is drawn is what was computed ----


@pytest.mark.slow
def test_a_whole_tree_shows_the_search_and_the_repair_of_the_records(stage, circle):
    stage.open(CIRCLE)
    for iteration in (0, 1):
        for tree in (0, 3):
            stage.part("tree-number").fill(str(tree))
            stage.press("Enter")
            stage.part("summary").filter(has_text=f"Tree {tree}:").wait_for()
            stage.element.focus()
            step = circle.replay(tree, iteration)
            stage.press("1", "2")  # forward: all that the search found stands there
            stage.wait_for(iteration, 2)
            states = stage.states()
            assert set(states) == set(range(1, 128))
            entered = {node for node, own in states.items() if "unseen" not in own}
            assert entered == set(step.visited.tolist())
            assert stage.nodes_with("firing") == {64 + neuron for neuron in step.firing}
            stage.press("6", "ArrowDown", "ArrowLeft")  # the last step of the repair
            stage.wait_for(iteration, 6)
            written = {node for node in stage.nodes_with("written")}
            assert set(step.modified.tolist()) <= written  # a leaf at a time, a node may change there and back
            fires = {64 + neuron for neuron in range(64) if step.after[64 + neuron] >= step.threshold}
            before = {64 + neuron for neuron in step.firing.tolist()}
            assert stage.nodes_with("starts") == fires - before
            assert stage.nodes_with("stops") == before - fires
        stage.press("Shift+ArrowRight")
        stage.wait_for(iteration + 1)


@pytest.mark.slow
def test_the_search_enters_node_by_node(stage, circle):
    stage.open(CIRCLE)
    step = circle.replay(0, 0)
    order = step.visited.tolist()
    for count in range(1, 12):
        entered = {node for node, own in stage.states().items() if "unseen" not in own}
        assert entered == set(order[:count])
        assert stage.nodes_with("now") == {order[count - 1]}
        stage.press("ArrowRight")
        stage.wait_for(0, 1, count + 1)


@pytest.mark.slow
def test_a_wide_tree_is_drawn_in_part_and_narrated_with_its_numbers(stage, digits):
    stage.open(DIGITS)
    assert 60 < len(stage.states()) <= 127
    step, record = digits.replay(0, 0), digits.records[0]
    assert (
        f"reads {step.visited.size:,} ({percent(step.visited.size / 131_071)}), {step.firing.size:,} neurons fire"
        in stage.part("summary").inner_text()
    )
    stage.press("2")
    stage.wait_for(0, 2)
    assert f"{step.firing.size:,} firing neurons" in stage.narration
    totals = stage.part("atlas-totals").inner_text()
    assert f"visited {record.num_visited.sum():,} of {50 * 131_071:,} nodes" in totals
    stage.press("6")
    stage.wait_for(0, 6)
    assert f"modified {record.num_modified.sum():,} of" in stage.part("atlas-totals").inner_text()
    assert stage.element.locator(".code li[aria-current=step]").inner_text() == "write leaf r in all n trees"


# ---- the cursor ----


def test_a_journey_by_mouse(stage, circle):
    stage.open(CIRCLE)
    stage.click("next step")
    stage.wait_for(0, 1, 2)
    stage.click("next phase")
    stage.wait_for(0, 2, 1)
    stage.click("step back")
    stage.wait_for(0, 1, circle.replay(0, 0).visited.size + 1)
    stage.click("phase back")
    stage.wait_for(0, 1, 1)
    stage.click("next iteration")
    stage.wait_for(1, 1, 1)
    stage.click("iteration back")
    stage.wait_for(0, 1, 1)
    stage.part("jump").fill("3")
    stage.press("Enter")
    stage.wait_for(3, 1)
    stage.part("scrub").fill("9")  # 6 phases an iteration: the fourth of the second
    stage.wait_for(1, 4, 1)
    stage.element.get_by_role("button", name="solve G g = ρ").click()
    stage.wait_for(1, 4)
    stage.part("unit").select_option("phase")
    stage.part("speed").select_option("16")
    stage.click("play")
    stage.part("where").filter(has_text=re.compile(r"^Iteration ([2-9]|\d\d)\b")).wait_for()  # it goes on from there
    stage.click("pause")
    here = stage.where
    stage.page.wait_for_timeout(400)
    assert stage.where == here


def test_a_journey_by_keyboard(stage, circle):
    stage.open(CIRCLE)
    stage.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert stage.wait_for(0, 1, 2)
    stage.press("Shift+ArrowRight")
    stage.wait_for(1, 1, 1)
    for phase in "654321":
        stage.press(phase)
        stage.wait_for(1, int(phase), 1)
    stage.element.focus()
    stage.press("ArrowDown", "ArrowDown")
    stage.wait_for(1, 3, 1)
    stage.press("ArrowUp")
    stage.wait_for(1, 2, 1)
    stage.press("9", "x", "Control+ArrowRight")  # no keys of the stage
    assert stage.where == (1, 2, 1)
    stage.press("?")
    keys = stage.element.get_by_role("dialog", name="Keys")
    keys.wait_for()
    stage.press("ArrowRight", "Escape")
    keys.wait_for(state="hidden")
    assert stage.where == (1, 2, 1)
    stage.press("Home")
    stage.wait_for(0, 1, 1)
    stage.press("ArrowLeft", "Shift+ArrowLeft", "ArrowRight")
    stage.wait_for(0, 1, 2)
    stage.part("speed").select_option("16")
    stage.press(" ")
    stage.element.get_by_role("button", name="pause", exact=True).wait_for()
    stage.part("where").filter(has_text=re.compile("step [4-9]")).wait_for()
    stage.press(" ")
    stage.element.get_by_role("button", name="play", exact=True).wait_for()
    stage.rest()
    last = len(circle.records) - 1
    for _ in range(20):  # it goes to the end of what is computed by then
        stage.press("End")
        stage.rest()
        if stage.where[0] == last:
            break
    stage.wait_for(last, 6)
    stage.press("ArrowRight", "ArrowRight")
    assert stage.where[0] == last
    assert "Converged" in stage.part("status").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("query", [CIRCLE, DIGITS])
def test_five_quick_presses_are_five_steps(stage, query):
    stage.open(query)
    stage.press(*["ArrowRight"] * 5)
    stage.wait_for(0, 1, 6)
    stage.press(*["ArrowLeft"] * 5)
    stage.wait_for(0, 1, 1)
    stage.press(*["Shift+ArrowRight"] * 5)  # frames not all there yet
    stage.wait_for(5, 1, 1)
    stage.press(*["Shift+ArrowLeft"] * 2, *["ArrowRight"] * 3)
    stage.wait_for(3, 1, 4)


@pytest.mark.slow
def test_a_jump_is_not_overrun_by_presses_still_waiting(stage):
    stage.open("data=moons&width=4096&seed=3")
    stage.press(*["Shift+ArrowRight"] * 9, "Home")
    stage.rest()
    stage.wait_for(0, 1, 1)


@pytest.mark.slow
def test_playing_needs_no_server_and_goes_on_into_what_is_computed_meanwhile(page, server):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    stage = StageDriver(page, server).open("data=circle&width=64&b=0.9&paper=false&seed=5")
    stage.rest()
    page.wait_for_timeout(2500)  # the first iterations are fetched ahead
    stage.part("speed").select_option("16")
    stage.part("unit").select_option("phase")
    before = len(sent)
    stage.press(" ")
    stage.part("where").filter(has_text=re.compile("phase [2-6]")).wait_for()
    assert len(sent) == before
    stage.part("unit").select_option("iteration")
    stage.part("where").filter(has_text=re.compile("Iteration [5-9]")).wait_for()  # fetched while it plays
    stage.element.focus()
    stage.press(" ")


@pytest.mark.slow
def test_more_is_computed_when_the_cursor_reaches_the_end(stage):
    """This run does not converge, so it is computed a dozen iterations ahead and no further until somebody asks."""
    stage.open("data=moons&width=256&seed=1")
    stage.rest()
    stage.press("End")
    stage.rest()
    last = stage.where[0]
    assert last < 90
    for more in range(1, 4):
        stage.press("Shift+ArrowRight")
        stage.wait_for(last + more, 6)
    stage.rest()
    assert stage.where[:2] == (last + 3, 6)


@pytest.mark.slow
def test_looping_stays_in_the_phase(stage):
    stage.open(CIRCLE)
    stage.press("6", "ArrowLeft")
    stage.wait_for(0, 5)
    assert stage.where[2] > 1
    stage.part("loop").check()
    stage.part("speed").select_option("16")
    stage.press(" ")
    stage.wait_for(0, 5, 1)
    stage.press(" ")


@pytest.mark.slow
def test_numbers_and_charts_follow_when_the_cursor_rests(stage, circle):
    stage.open(CIRCLE)
    stage.press("Shift+ArrowRight", "Shift+ArrowRight")
    stage.wait_for(2)
    stage.page.get_by_test_id("stMetricValue").filter(has_text=f"{numeral(circle.records[2].loss, 4)}").wait_for()
    expect(stage.metric("Touched")).to_have_text(f"{circle.records[2].touched.size:,}")
    expect(stage.metric("Nodes modified")).to_have_text(f"{circle.records[2].num_modified.sum():,}")


@pytest.mark.slow
def test_numbers_follow_while_it_plays(stage):
    stage.open(CIRCLE)
    stage.part("speed").select_option("16")
    stage.part("unit").select_option("phase")
    stage.press(" ")
    stage.page.get_by_text(re.compile("^Iteration [12] took ")).wait_for()
    stage.element.get_by_role("button", name="pause", exact=True).wait_for()  # it plays on
    stage.press(" ")


# ---- looking around ----


@pytest.mark.slow
def test_a_stub_opens_and_a_leaf_is_inspected(stage, digits):
    stage.open(DIGITS)
    before = stage.nodes_with("stub")
    stub = max(before)
    stage.click_node(stub)
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for()
    stage.press("2")
    stage.wait_for(0, 2)
    node = max(stage.nodes_with("firing"))
    stage.click_node(node)
    inspector = stage.element.get_by_role("region", name="Node inspected")
    inspector.get_by_role("heading", name=f"Neuron {node - 65_536:,}").wait_for()
    values = digits.tree_values(0, 0)
    text = inspector.inner_text()
    assert f"{values[node]:.3f} ≥ b" in text
    fires_on = [point for point, fired in enumerate(digits.records[0].firing) if node - 65_536 in fired]
    assert f"datapoint {fires_on[0]}." in text or f"datapoints {', '.join(map(str, fires_on))}" in text
    stage.element.locator(f'[data-node="{node}"] .glyph').hover()
    assert stage.element.locator(".leaf-fires").get_attribute("d").count("M") == len(fires_on)
    assert stage.part("tip").inner_text().startswith(f"Neuron {node - 65_536:,}")
    stage.click("close all")
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for(state="detached")
    assert stub in stage.states()


@pytest.mark.slow
def test_a_node_that_is_not_drawn_here_is_said_to_be_so_and_can_be_drawn(stage):
    stage.open(f"{DIGITS}&phase=solve")
    node = max(stage.nodes_with("firing"))
    stage.click_node(node)
    inspector = stage.part("inspector")
    inspector.get_by_text(f"Leaf {node:,}: ").wait_for()
    stage.press("Shift+ArrowRight")
    stage.wait_for(1)
    assert node not in stage.states()
    inspector.get_by_text("It is not among the nodes drawn here.").wait_for()
    assert "fetched" not in inspector.inner_text()
    inspector.get_by_role("heading", name=f"Neuron {node - 65_536:,}").wait_for()
    inspector.get_by_role("button", name="draw it").click()
    inspector.get_by_text(f"Leaf {node:,}: ").wait_for()
    assert node in stage.states()
    inspector.get_by_role("button", name="close").click()
    stage.element.get_by_text("Click a node to look into it").wait_for()


@pytest.mark.slow
def test_branches_closed_for_one_that_is_opened_are_named_with_a_way_back(stage):
    stage.open(f"{DIGITS}&phase=solve")
    closed = stage.part("closed")
    for _ in range(6):
        before = set(stage.states())
        stubs = sorted(stage.nodes_with("stub", "stub-open", "stub-pruned"))
        stub = next(node for node in stubs if node > 64)
        stage.click_node(stub)
        stage.element.locator(f'[data-node="{2 * stub}"]').wait_for()
        if before - set(stage.states()):
            break
    after = set(stage.states())
    names = [int(name.replace(",", "")) for name in re.findall(r"[\d,]*\d", closed.inner_text().split("(")[0])]
    gone = {node for node in before & after if 2 * node in before and 2 * node not in after}
    assert names and set(names) <= gone and "at most 127 nodes are drawn" in closed.inner_text()
    closed.get_by_role("button", name="back", exact=True).click()
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for(state="detached")
    assert set(stage.states()) == before and closed.inner_text() == ""
    stage.click_node(stub)
    closed.get_by_role("button", name="draw up to 255").click()
    expect(stage.part("detail")).to_have_value("255")
    expect(closed).to_be_empty()
    assert 127 < len(stage.states()) <= 255 and 2 * stub in stage.states()


@pytest.mark.slow
def test_the_whole_tree_is_drawn_and_fits_or_the_button_says_up_to_which_width(stage):
    fits = "node => node.scrollWidth <= node.clientWidth"
    for width, query in ((64, "nodes=63"), (256, "")):
        stage.open(f"data=circle&width={width}&{query}")
        assert len(stage.states()) < 2 * width - 1
        stage.click("whole tree")
        expect(stage.element.locator("[data-node]")).to_have_count(2 * width - 1)
        assert stage.part("scroller").evaluate(fits)
        stage.click("zoom in")
        stage.click("zoom in")
        assert not stage.part("scroller").evaluate(fits)
    stage.open(DIGITS)
    whole = stage.element.get_by_role("button", name="whole tree: m ≤ 300")
    assert whole.is_disabled() and "131,071 nodes, and at most 599" in whole.get_attribute("title")
    assert not stage.part("close-all").is_visible()  # nothing is opened


@pytest.mark.slow
def test_zoom_and_pan(stage):
    stage.open(DIGITS)
    scroller = stage.part("scroller")
    widths = "node => [node.scrollWidth, node.clientWidth]"
    inside, outside = scroller.evaluate(widths)
    assert inside == outside
    stage.click("zoom in")
    stage.click("zoom in")
    inside, outside = scroller.evaluate(widths)
    assert inside > 2 * outside
    box = scroller.bounding_box()
    start = scroller.evaluate("node => node.scrollLeft")
    stage.page.mouse.move(box["x"] + 300, box["y"] + 30)
    stage.page.mouse.down()
    stage.page.mouse.move(box["x"] + 180, box["y"] + 40, steps=5)
    stage.page.mouse.up()
    assert scroller.evaluate("node => node.scrollLeft") == pytest.approx(start + 120, abs=8)
    stage.click("zoom out")
    stage.click("zoom out")
    inside, outside = scroller.evaluate(widths)
    assert inside == outside


@pytest.mark.slow
def test_a_row_of_the_atlas_opens_its_tree(stage, circle):
    stage.open(CIRCLE)
    atlas = stage.part("atlas")
    atlas.scroll_into_view_if_needed()
    box = atlas.bounding_box()
    cell = (box["x"] + 34 + 60, box["y"] + 20 + 22 * 5.5)
    stage.page.mouse.move(*cell)
    level = circle.records[0].visited_levels[5]
    hint = stage.part("atlas-hint").inner_text()
    found = re.match(r"Tree 5, level (\d+): ([\d,]+) of ([\d,]+) nodes? visited", hint)
    assert int(found[2]) == level[int(found[1])]
    stage.page.mouse.click(*cell)
    stage.part("summary").filter(has_text="Tree 5:").wait_for()
    assert stage.part("tree-number").input_value() == "5"


@pytest.mark.slow
def test_planar_data_show_weights_and_outputs(stage):
    stage.open("data=moons&width=1024")
    stage.element.get_by_role("img", name=re.compile("The network's output over the input plane")).wait_for()
    assert stage.part("output").locator(".datapoints path").count() == 32
    stage.open(CIRCLE)
    assert "whole weight space" in stage.part("plane-caption").inner_text()
    stage.open("data=sphere&width=64")
    assert not stage.part("output-card").is_visible()
    assert "A plane through the weight space" in stage.part("plane-caption").inner_text()


@pytest.mark.slow
def test_two_iterations_are_compared(stage, circle):
    stage.open(CIRCLE)
    stage.press("Shift+ArrowRight")
    stage.wait_for(1)
    stage.click("pin, to compare")
    stage.part("where").filter(has_text="compared with 1").wait_for()
    stage.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    stage.part("where").filter(has_text="Iteration 4 compared with 1").wait_for()
    old, new = circle.tree_values(0, 1), circle.tree_values(0, 4)
    b = circle.config.resolved_threshold
    assert f"{(old != new)[1:].sum()} of 127 nodes differ" in stage.narration
    assert stage.nodes_with("starts") == {n for n in range(64, 128) if old[n] < b <= new[n]}
    assert stage.nodes_with("stops") == {n for n in range(64, 128) if new[n] < b <= old[n]}
    assert stage.nodes_with("written") == {n for n in range(1, 128) if old[n] != new[n]}
    stage.rest()
    assert stage.address()["pin"] == "1"
    stage.click("unpin iteration 1")
    stage.wait_for(4, 1, 1)


@pytest.mark.slow
def test_a_term_opens_its_entry_beside_the_stage(stage):
    stage.open(CIRCLE)
    stage.press("4")
    stage.wait_for(0, 4)
    stage.part("narration").get_by_role("button", name="datapoint").first.click()
    entry = stage.part("term")
    entry.get_by_role("heading", name="datapoint").wait_for()
    assert "One input of the training data" in entry.inner_text()
    assert entry.get_by_role("link").get_attribute("href") == "/theory#network"
    assert stage.part("narration").get_by_role("link", name="why?").get_attribute("href") == "/theory#iteration"
    assert stage.where[:2] == (0, 4)
    entry.get_by_role("button", name="close").click()
    entry.wait_for(state="hidden")
    expect(stage.part("narration").get_by_role("button", name="datapoint").first).to_be_focused()
    stage.page.set_viewport_size({"width": 1024, "height": 768})  # one column: not below the tree
    stage.part("narration").get_by_role("button", name="datapoint").first.click()
    entry.wait_for()
    assert entry.bounding_box()["y"] < stage.part("scroller").bounding_box()["y"]


@pytest.mark.slow
def test_terms_of_pictures_and_charts_open_their_entries(stage, circle):
    stage.open(CIRCLE)
    entry = stage.part("term")
    opened = {
        "tree-key": "neuron",
        "summary": "search",
        "symbols": "b",
        "bars-title": "Residual",
        "spread-box": "Leaves",
        "atlas-card": "Forest",
        "meter": "Operations",
    }
    for place, words in opened.items():
        term = stage.part(place).get_by_role("button", name=words, exact=True)
        term.focus()
        stage.press("Enter")
        entry.get_by_role("heading").wait_for()
        entry.get_by_role("button", name="close").press("Enter")
        expect(entry).to_be_hidden()
        expect(term).to_be_focused()
    assert stage.where == (0, 1, 1)
    stage.page.get_by_text("across the").wait_for()
    link = stage.page.get_by_role("link", name="loss", exact=True)
    assert link.get_attribute("title") == "what is loss?"
    for open_it in (link.click, lambda: link.press("Enter")):
        open_it()
        heading = entry.get_by_role("heading")
        expect(heading).to_have_text("loss (L = ½ ‖f − y‖²)")
        expect(heading).to_be_focused()
        top, below = heading.bounding_box()["y"], stage.part("transport").bounding_box()
        assert below["y"] + below["height"] <= top <= 900  # not under what stays at the top
        assert "#" not in stage.page.url
        entry.get_by_role("button", name="close").click()
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport()
