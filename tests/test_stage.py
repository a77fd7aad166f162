"""The stage in a real browser: whole journeys by mouse and by keyboard, against the trainer's own records."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from stage_driver import StageDriver

from treeviz import TrainConfig, Trainer, load_dataset

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CIRCLE, DIGITS = "data=circle&width=64", ""


@pytest.fixture
def stage(page, server):
    return StageDriver(page, server)


@pytest.fixture(scope="module")
def circle():
    return Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact")).run(40, until_loss=1e-20)


@pytest.fixture(scope="module")
def digits():
    return Trainer(load_dataset("digits"), TrainConfig(width=65_536, solver="exact")).run(3)


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue").inner_text()


# ---- what is drawn is what was computed ----


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


def test_a_wide_tree_is_drawn_in_part_and_narrated_with_its_numbers(stage, digits):
    stage.open(DIGITS)
    assert 60 < len(stage.states()) <= 127
    step, record = digits.replay(0, 0), digits.records[0]
    assert (
        f"{step.visited.size:,} nodes searched, {step.firing.size:,} neurons fire" in stage.part("summary").inner_text()
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
    assert stage.where[:2] == (0, 1)
    assert stage.where[2] == circle.replay(0, 0).visited.size + 1
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
    stage.part("speed").select_option("8")
    stage.click("play")
    stage.wait_for(2)
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
    stage.press(" ")
    stage.element.get_by_role("button", name="pause", exact=True).wait_for()
    stage.part("where").filter(has_text=re.compile("step [4-9]")).wait_for()
    stage.press(" ")
    stage.element.get_by_role("button", name="play", exact=True).wait_for()
    stage.rest()
    stage.press("End")
    last = len(circle.records) - 1
    stage.wait_for(last, 6)
    stage.press("ArrowRight", "ArrowRight")
    assert stage.where[0] == last
    assert "Converged" in stage.part("status").inner_text()


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


def test_playing_needs_no_server_and_goes_on_into_what_is_computed_meanwhile(page, server):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(data)))
    stage = StageDriver(page, server).open("data=circle&width=64&b=0.9&paper=false&seed=5")
    stage.rest()
    page.wait_for_timeout(2500)  # the first iterations are fetched ahead
    stage.part("speed").select_option("60")
    stage.element.focus()
    before = len(sent)
    stage.press(" ")
    stage.part("where").filter(has_text=re.compile("phase [2-6]")).wait_for()
    assert len(sent) == before
    stage.part("speed").select_option("2")
    stage.part("unit").select_option("iteration")
    stage.part("where").filter(has_text=re.compile("Iteration [5-9]")).wait_for()  # fetched while it plays
    stage.element.focus()
    stage.press(" ")


def test_more_is_computed_when_the_cursor_reaches_the_end(stage):
    """This run stalls, so it is computed a dozen iterations ahead and no further until somebody asks."""
    stage.open("data=moons&width=256&seed=1")
    stage.rest()
    stage.press("End")
    stage.rest()
    last = stage.where[0]
    assert 5 <= last < 90
    for more in range(1, 4):
        stage.press("Shift+ArrowRight")
        stage.wait_for(last + more, 6)
    stage.rest()
    assert stage.where[:2] == (last + 3, 6)


def test_looping_stays_in_the_phase(stage):
    stage.open(CIRCLE)
    stage.press("5")
    stage.part("loop").check()
    stage.part("speed").select_option("60")
    stage.element.focus()
    stage.press(" ")
    stage.page.wait_for_timeout(700)
    assert stage.where[:2] == (0, 5)
    stage.press(" ")


def test_numbers_and_charts_follow_when_the_cursor_rests(stage, circle):
    stage.open(CIRCLE)
    stage.press("Shift+ArrowRight", "Shift+ArrowRight")
    stage.wait_for(2)
    stage.page.get_by_test_id("stMetricValue").filter(has_text=f"{circle.records[2].loss:.3e}").wait_for()
    assert metric(stage.page, "Touched") == f"{circle.records[2].touched.size:,}"
    assert metric(stage.page, "Nodes modified") == f"{circle.records[2].num_modified.sum():,}"


# ---- looking around ----


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
    stage.click("whole tree")
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for(state="detached")
    assert stub in stage.states()


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
    stage.click("whole tree")
    inside, outside = scroller.evaluate(widths)
    assert inside == outside


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


def test_planar_data_show_weights_and_outputs(stage):
    stage.open("data=moons&width=1024")
    stage.element.get_by_role("img", name=re.compile("The network's output over the input plane")).wait_for()
    assert stage.part("output").locator(".datapoints path").count() == 32
    stage.open(CIRCLE)
    assert "whole weight space" in stage.part("plane-caption").inner_text()
    stage.open("data=sphere&width=64")
    assert not stage.part("output-card").is_visible()
    assert "A plane through the weight space" in stage.part("plane-caption").inner_text()


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


# ---- links ----


def test_the_address_holds_the_moment_and_opens_it_elsewhere(context, stage, server):
    stage.open("data=xor&width=512&xor-n=12&seed=3")
    stage.part("tree-number").fill("7")
    stage.press("Enter")
    stage.element.focus()
    stage.press("Shift+ArrowRight", "Shift+ArrowRight", "6", "ArrowRight", "ArrowRight")
    stage.wait_for(2, 6, 3)
    node = max(stage.nodes_with("firing", "pruned", "starts", "stops") & set(range(512, 1024)))
    stage.click_node(node)
    stage.element.get_by_role("heading", name=f"Neuron {node - 512}").wait_for()
    stage.page.mouse.move(5, 5)
    stage.rest()
    copied = stage.page.url
    assert (
        stage.address().items() >= {"tree": "7", "it": "2", "phase": "repair", "step": "2", "node": str(node)}.items()
    )

    other = StageDriver(context.new_page(), server)
    other.page.goto(copied)
    other.wait()
    other.wait_for(2, 6, 3)
    assert other.narration == stage.narration
    assert other.states() == stage.states()
    other.element.get_by_role("heading", name=f"Neuron {node - 512}").wait_for()
    assert other.part("notices").inner_text() == ""
    other.rest()
    assert other.address() == stage.address()
    other.page.close()


def test_copying_the_link(stage):
    stage.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stage.open(CIRCLE)
    stage.press("Shift+ArrowRight")
    stage.wait_for(1)
    stage.click("copy link")
    stage.part("copied").filter(has_text="link copied").wait_for()
    assert "it=1" in stage.page.evaluate("navigator.clipboard.readText()")


def test_a_damaged_link_opens_the_nearest_state_and_says_what_was_changed(stage):
    stage.open("data=circle&width=63&tree=99&it=900&phase=dance&step=x&node=0&nodes=7&colour=red&seed=-4")
    notices = stage.part("notices").inner_text()
    for words in ("width=63", "no tree 99", "no iteration 900", "“dance”", "step=x", "no node 0", "colour", "seed=-4"):
        assert words in notices
    iteration, phase, step = stage.where
    assert iteration > 3
    assert (phase, step) == (1, 1)
    assert stage.part("tree-number").input_value() == "7"
    stage.click("understood")
    assert stage.part("notices").inner_text() == ""


def test_other_settings_begin_a_new_run_at_its_start(stage):
    stage.open(f"{CIRCLE}&it=2&tree=3")
    stage.wait_for(2)
    stage.page.get_by_role("spinbutton", name="Seed").fill("5")
    stage.press("Enter")
    expected = Trainer(load_dataset("circle", seed=5), TrainConfig(width=64, solver="exact", seed=5)).step()
    stage.part("loss").filter(has_text=f"{expected.loss:.3e}").wait_for()
    stage.wait_for(0, 1, 1)
    assert stage.part("tree-number").input_value() == "0"


# ---- exactness ----


def test_every_iteration_wears_its_badge(stage, circle):
    stage.open(CIRCLE)
    badge = stage.part("badge")
    badge.filter(has_text="✓ Exact").filter(has_text="the loss equals the dense method's").wait_for()
    assert "a scan of all 512 leaves; all 504 inner nodes" in badge.inner_text()
    stage.press("End")
    badge.filter(has_text="✓ Exact").filter(has_text="below 1e-8").wait_for()
    stage.page.get_by_text("Check every iteration").click()
    badge.filter(has_text="Not checked").wait_for()


# ---- for everybody ----


def test_pictures_and_controls_have_roles_and_names(stage, circle):
    stage.open(CIRCLE)
    tree = stage.element.get_by_role("img", name=re.compile("^Tree 0: "))
    assert f"{circle.replay(0, 0).firing.size} neurons fire" in tree.get_attribute("aria-label")
    for name in ("Share of nodes visited", "whole weight space", "Residual f − y"):
        assert stage.element.get_by_role("img", name=re.compile(name)).count() == 1
    assert (
        stage.element.get_by_role("slider", name="Iteration and phase")
        .get_attribute("aria-valuetext")
        .startswith("Iter")
    )
    assert stage.part("narration").get_attribute("aria-live") == "polite"
    fields = {
        "spinbutton": ("iteration", "tree"),
        "combobox": ("play by", "speed", "nodes", "shade"),
        "checkbox": ("loop",),
    }
    for role, names in fields.items():
        for name in names:
            assert stage.element.get_by_role(role, name=name).count() == 1
    unnamed = (
        "stage => [...stage.querySelectorAll('button')].filter(b => !(b.ariaLabel || b.textContent.trim())).length"
    )
    assert stage.element.evaluate(unnamed) == 0


def test_the_pictures_can_be_read_as_tables(stage, circle):
    stage.open(CIRCLE)
    stage.element.get_by_text("Text version of the tree").click()
    rows = stage.part("node-text").locator("tbody tr")
    rows.nth(63).wait_for()
    firing = {int(text.split()[1]) for text in rows.filter(has_text="fires").locator("th").all_inner_texts()}
    assert firing == set(circle.replay(0, 0).firing.tolist())
    rows.nth(4).get_by_role("button").click()
    stage.element.get_by_role("heading", name="Neuron 4", exact=True).wait_for()
    stage.element.get_by_text("Table of all trees").click()
    rows = stage.part("atlas-text").locator("tbody tr")
    rows.nth(7).wait_for()
    record = circle.records[0]
    assert rows.nth(2).locator("td").all_inner_texts()[:2] == [f"{record.num_visited[2]}", f"{record.num_modified[2]}"]
    rows.nth(2).get_by_role("button").press("Enter")
    stage.part("summary").filter(has_text="Tree 2:").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_finding(stage, scheme):
    stage.page.emulate_media(color_scheme=scheme)
    stage.open("data=moons&width=256&it=1&phase=repair&step=3&node=260")
    stage.element.get_by_text("Text version of the tree").click()
    stage.element.get_by_text("Table of all trees").click()
    stage.rest()
    found = Axe().run(stage.page, context={"include": [["[data-testid=stMain]"]]}).response["violations"]
    serious = [
        (fault["id"], [node["html"][:120] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_motion_is_left_out_where_it_is_not_wanted(stage):
    stage.page.emulate_media(reduced_motion="reduce")
    stage.open(CIRCLE)
    stage.press("ArrowRight", "6", "ArrowRight")
    durations = stage.element.evaluate(
        "stage => [...stage.querySelectorAll('*')].map(n => getComputedStyle(n))"
        ".filter(s => s.transitionDuration !== '0s' || s.animationName !== 'none').length"
    )
    assert durations == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 1024, 390])
def test_it_fits_the_window_and_is_legible(stage, width, scheme):
    stage.page.emulate_media(color_scheme=scheme)
    stage.page.set_viewport_size({"width": width, "height": 900})
    stage.open("data=moons&width=4096&it=1&phase=repair")
    stage.rest()
    main = stage.page.get_by_test_id("stMain")
    assert stage.page.evaluate("document.documentElement.scrollWidth") <= width
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    smallest = stage.element.evaluate(
        """stage => Math.min(...[...stage.querySelectorAll('*')]
            .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()))
            .filter(node => node.getClientRects().length)
            .map(node => {
                const drawing = node.ownerSVGElement;
                const scale = drawing?.viewBox.baseVal.width ? drawing.clientWidth / drawing.viewBox.baseVal.width : 1;
                return scale * parseFloat(getComputedStyle(node).fontSize);
            }))"""
    )
    assert smallest >= 10.99


def test_it_lays_itself_out_anew_when_the_window_changes(stage):
    stage.open(CIRCLE)
    scroller = stage.part("scroller")
    wide = scroller.bounding_box()["width"]
    stage.page.set_viewport_size({"width": 1000, "height": 900})
    stage.page.wait_for_timeout(400)
    narrow = scroller.bounding_box()["width"]
    assert narrow < wide
    assert stage.part("tree").bounding_box()["width"] >= narrow - 4
    assert stage.part("tree").bounding_box()["width"] < wide + 400
    stage.press("ArrowRight")
    stage.wait_for(0, 1, 2)
