"""The stage in a real browser: links, the exactness badge, and what everybody can reach and read."""

import re

import pytest
from accessibility import serious_findings, show_as
from playwright.sync_api import expect

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.model.numerals import numeral

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CIRCLE, DIGITS = "data=circle&width=64", "data=digits&width=65536"


# ---- questions ----

SWITCH_AND_ASK = """(stage) => {
  document.querySelector("[class*=st-key-paper] input").click();
  const field = stage.querySelector("[data-part=tree-number]");
  field.value = "5";
  field.dispatchEvent(new Event("change", { bubbles: true }));
}"""


@pytest.mark.slow
def test_a_setting_changed_in_the_same_moment_as_the_stage_asks_is_not_lost(stage):
    stage.open(CIRCLE)
    stage.element.evaluate(SWITCH_AND_ASK)
    stage.page.get_by_test_id("stSidebar").get_by_text("Threshold b").wait_for()


# ---- links ----


@pytest.mark.slow
def test_the_address_holds_the_moment_and_opens_it_in_a_new_session(stage):
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
    copied, address, narration, states = stage.page.url, stage.address(), stage.narration, stage.states()
    assert address.items() >= {"tree": "7", "it": "2", "phase": "repair", "step": "2", "node": str(node)}.items()

    stage.page.goto("about:blank")
    stage.page.goto(copied)
    stage.wait_for(2, 6, 3)
    stage.element.get_by_role("heading", name=f"Neuron {node - 512}").wait_for()
    assert stage.part("notices").inner_text() == ""
    stage.rest()
    assert (stage.address(), stage.narration, stage.states()) == (address, narration, states)


@pytest.mark.slow
def test_a_link_holds_the_stubs_opened_and_the_cursor_keeps_to_its_node(stage):
    stage.open(f"{DIGITS}&it=1&phase=search&step=40")
    (here,) = stage.nodes_with("now")
    stub = min(stage.nodes_with("stub-open"))  # entered before, so there will be other steps before the cursor's
    stage.click_node(stub)
    stage.element.locator(f'[data-node="{2 * stub}"]').wait_for()
    assert stage.nodes_with("now") == {here} and stage.where[2] != 41
    stage.rest()
    states, narration = stage.states(), stage.narration
    stage.page.mouse.move(5, 5)
    stage.page.reload()
    stage.wait()
    assert stage.address()["open"] == str(stub)
    assert (stage.narration, set(stage.states())) == (narration, set(states))


@pytest.mark.slow
def test_keys_work_after_a_click_beside_the_stage_and_after_choosing_a_speed(stage, circle):
    stage.open(CIRCLE)
    stage.page.get_by_text("A neural network that trains by editing trees").click()
    stage.press("ArrowRight")
    stage.wait_for(0, 1, 2)
    stage.part("speed").select_option("16")
    stage.press("ArrowRight")
    stage.wait_for(0, 1, 3)
    stage.part("jump").fill("500")
    stage.press("Enter", "ArrowRight")
    last = len(circle.records) - 1
    stage.wait_for(last)
    assert stage.part("jump").input_value() == str(last)
    stage.page.get_by_role("spinbutton", name="Seed").focus()
    stage.press("ArrowUp")  # the field's own
    stage.rest()
    assert stage.address()["seed"] == "1"


@pytest.mark.slow
def test_copying_the_link(stage):
    stage.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stage.open(CIRCLE)
    stage.press("Shift+ArrowRight")
    stage.wait_for(1)
    stage.click("copy link")
    stage.part("copied").filter(has_text="link copied").wait_for()
    assert "it=1" in stage.page.evaluate("navigator.clipboard.readText()")


@pytest.mark.slow
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


@pytest.mark.slow
def test_other_settings_begin_a_new_run_at_its_start(stage):
    stage.open(f"{CIRCLE}&it=2&tree=3")
    stage.wait_for(2)
    stage.rest()
    stage.page.get_by_role("spinbutton", name="Seed").fill("5")
    stage.press("Enter")
    expected = Trainer(load_dataset("circle", seed=5), TrainConfig(width=64, solver="exact", seed=5)).step()
    stage.part("loss").filter(has_text=f"{numeral(expected.loss, 4)}").wait_for()
    stage.wait_for(0, 1, 1)
    assert stage.part("tree-number").input_value() == "0"


@pytest.mark.slow
def test_the_stage_is_found_where_it_was_left(stage):
    """By the navigation and back, and after a setting that changes no iteration."""
    stage.open(f"{CIRCLE}&solver=sketch")
    stage.part("tree-number").fill("5")
    stage.press("Enter")
    stage.element.focus()
    stage.press("Shift+ArrowRight", "Shift+ArrowRight", "2", "ArrowRight")
    stage.wait_for(2, 2)
    stage.rest()
    left = stage.where

    stage.page.get_by_role("link", name="Where it pays").click()
    stage.page.get_by_text("Expected operations against width").wait_for()
    stage.page.get_by_role("link", name="Watch one run").click()
    stage.wait_for(*left).rest()
    assert stage.element.get_by_role("button", name="play", exact=True).count() == 1, "at rest"
    assert stage.address().items() >= {"tree": "5", "it": "2", "phase": "forward", "solver": "sketch"}.items()

    stage.page.get_by_text("Check every iteration").click()
    stage.part("badge").filter(has_text="Not checked").wait_for()
    stage.wait_for(*left).rest()
    assert stage.part("tree-number").input_value() == "5"


@pytest.mark.slow
def test_a_link_to_the_stage_has_a_way_back(stage):
    stage.open(f"{CIRCLE}&solver=sketch&tree=3&it=1")
    stage.wait_for(1)
    stage.page.get_by_role("link", name="Read the method").click()
    stage.page.get_by_role("button", name="Show me on the stage").first.click()
    stage.wait()
    assert stage.part("tree-number").input_value() == "0"
    solver = stage.page.get_by_role("radiogroup", name="Solver").or_(stage.page.get_by_test_id("stButtonGroup"))
    sketch = solver.get_by_role("radio", name="sketch")
    expect(sketch).not_to_be_checked()
    stage.page.get_by_role("button", name="Back to your settings").click()
    stage.page.get_by_role("button", name="Show me on the stage").first.wait_for()
    expect(stage.page.get_by_role("button", name="Back to your settings")).to_have_count(0)
    stage.page.get_by_role("link", name="Watch one run").click()
    stage.wait_for(1)
    assert stage.part("tree-number").input_value() == "3"
    expect(sketch).to_be_checked()


# ---- exactness ----


@pytest.mark.slow
def test_every_iteration_wears_its_badge(stage, circle):
    stage.open(CIRCLE)
    badge = stage.part("badge")
    badge.filter(has_text="✓ Exact").filter(has_text="the loss equals the dense method's").wait_for()
    assert "a scan of all 512 leaves; all 504 inner nodes" in badge.inner_text()
    stage.press("End")
    badge.filter(has_text="✓ Exact").filter(has_text="below 10⁻⁸").wait_for()
    stage.page.get_by_text("Check every iteration").click()
    badge.filter(has_text="Not checked").wait_for()


# ---- what is looked at is in view ----

HEADER = "document.querySelector('[data-testid=stHeader]').getBoundingClientRect().bottom"
# Labels of the tree that lie over each other or over another node, as texts. That of the node under the cursor does not
# count: it is always there. The box of a label is a little higher than what is seen of it.
COVERED = """stage => {
    const boxes = (name) => [...stage.querySelectorAll(`.tree .node:not(.now) ${name}`)].map((shape) => {
        const { left, top, right, bottom } = shape.getBoundingClientRect();
        return { node: shape.parentElement.dataset.node, text: shape.textContent, left, top, right, bottom };
    });
    const labels = boxes("text").filter(({ text }) => text);
    for (const label of labels) { label.top += 3; label.bottom -= 3; }
    const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const covers = (label, place) => [...labels.slice(place + 1), ...boxes(".glyph")]
        .filter((other) => other.node !== label.node && meet(label, other));
    return labels.flatMap((label, place) => covers(label, place).map(({ text, node }) => [label.text, text || node]));
}"""

# Labels that reach beyond the picture.
OUTSIDE = """stage => {
    const picture = stage.querySelector(".tree").getBoundingClientRect();
    return [...stage.querySelectorAll(".tree .node text")].filter(({ textContent }) => textContent).filter((label) => {
        const { left, right } = label.getBoundingClientRect();
        return left < picture.left || right > picture.right;
    }).map(({ textContent }) => textContent);
}"""


def top_of(place):
    return place.evaluate("node => node.getBoundingClientRect().top")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1024, 1400])
def test_the_transport_stays_below_the_header_and_covers_nothing_focused(stage, width):
    stage.page.set_viewport_size({"width": width, "height": 900})
    stage.open(CIRCLE)
    main = stage.page.get_by_test_id("stMain")
    main.evaluate("node => node.scrollTo(0, 600)")
    assert stage.page.evaluate(HEADER) <= top_of(stage.part("transport")) < 100
    whole_tree = stage.element.get_by_role("button", name="whole tree")
    assert top_of(whole_tree) < 0  # scrolled away
    whole_tree.focus()
    bottom = stage.part("transport").evaluate("node => node.getBoundingClientRect().bottom")
    assert bottom <= top_of(whole_tree) < 900


@pytest.mark.slow
def test_on_a_low_screen_the_transport_leaves_room_for_the_tree(stage):
    stage.page.set_viewport_size({"width": 700, "height": 450})  # 1400 by 900 at twice the size
    stage.open(CIRCLE)
    stage.page.get_by_test_id("stMain").evaluate("node => node.scrollTo(0, 600)")
    assert stage.part("transport").evaluate("node => node.getBoundingClientRect().bottom") < 0


@pytest.mark.slow
def test_the_inspector_opens_in_view(stage):
    stage.open("data=digits&width=65536&phase=solve")
    stage.click_node(max(stage.nodes_with("firing")))
    inspector = stage.part("inspector")
    inspector.get_by_role("button", name="close").wait_for()
    assert inspector.evaluate("node => node.getBoundingClientRect().bottom") <= 900
    stage.element.get_by_text("Click a node to look into it").wait_for(state="hidden")
    inspector.get_by_role("button", name="close").click()
    stage.element.get_by_text("Click a node to look into it").wait_for()
    assert inspector.inner_text() == ""


# What is cut off the list of code, at its top and at its bottom.
CUT = """node => {
    const [top, , bottom] = node.style.clipPath.match(/-?[\\d.]+/g).map(Number);
    return [top, bottom ?? top];
}"""
BOX = "node => { const { top, bottom } = node.getBoundingClientRect(); return [top, bottom]; }"
BOXES = f"nodes => nodes.map({BOX})"


@pytest.mark.slow
def test_sentence_tree_and_current_line_are_in_view_together(stage):
    """At 1400 by 900, in every phase, also while a node is inspected."""
    stage.open("data=digits&width=65536")
    for is_inspected in (False, True):
        for phase in "123456":
            stage.element.focus()
            stage.press(phase)
            stage.wait_for(0, int(phase), 1)
            if is_inspected and phase == "1":
                stage.click_node(max(stage.states()))
                stage.part("inspector").get_by_role("button", name="close").wait_for()
            line, code = stage.element.locator(".code [aria-current=step]"), stage.part("code")
            expect(line).to_have_count(1)
            tops, bottoms = zip(
                *(part.evaluate(BOX) for part in (stage.part("transport"), stage.part("scroller"), line)), strict=True
            )
            assert min(tops) >= 0 and max(bottoms) <= 900, (phase, is_inspected)
            (top, bottom), (first, last) = line.evaluate(BOX), code.evaluate(BOX)
            assert first - 1 <= top and bottom <= last + 1, (phase, is_inspected)
            above, below = code.evaluate(CUT)
            rows = code.locator("li").evaluate_all(BOXES)
            seen = [row for row in rows if row[1] > first + above + 2 and row[0] < last - below - 2]
            assert min(seen)[0] >= first + above - 2 and max(seen)[1] <= last - below + 2, (phase, is_inspected)
            assert len(seen) >= 4, (phase, is_inspected)
    assert stage.part("inspector").evaluate("node => node.clientHeight") <= 340


@pytest.mark.slow
def test_no_label_of_a_whole_tree_covers_anything_or_leaves_the_picture(stage):
    for settings, leaves in ((CIRCLE, 64), ("data=circle&width=256&nodes=599", 256), ("data=moons&width=256", 256)):
        stage.open(settings)
        stage.click("whole tree")
        stage.element.focus()
        moments = (
            ([], (0, 1, 1)),
            (["Shift+ArrowRight", "4"], (1, 4, 1)),
            (["6"], (1, 6, 1)),
            (["ArrowRight"] * 7, (1, 6, 8)),
        )
        for keys, moment in moments:
            stage.press(*keys)
            stage.wait_for(*moment)
            for width in (1024, 1400) if moment == (1, 6, 8) else (1024,):
                stage.page.set_viewport_size({"width": width, "height": 900})
                stage.wait_until_drawn()
                expect(stage.element.locator("[data-node]")).to_have_count(2 * leaves - 1)
                assert stage.element.evaluate(COVERED) == []
                assert stage.element.evaluate(OUTSIDE) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["phase=solve", "it=1&phase=repair&step=0", "it=1&phase=repair&step=999"])
def test_no_label_of_the_tree_covers_anything(stage, moment):
    stage.page.set_viewport_size({"width": 1024, "height": 900})
    stage.open(f"data=digits&width=65536&{moment}")
    for width in (1024, 1400, 1920):
        stage.page.set_viewport_size({"width": width, "height": 900})
        stage.wait_until_drawn()
        assert stage.element.evaluate(COVERED) == []
        assert sum(map(bool, stage.element.locator(".tree .node text").all_text_contents())) > 20


@pytest.mark.slow
def test_bars_stand_on_an_axis_with_round_ends(stage, circle):
    stage.open(CIRCLE)
    for iteration in (0, 1):
        largest = abs(circle.records[iteration].residual).max()
        ends = stage.part("bars-scale").locator("span").all_inner_texts()
        top = float(ends[0])
        assert ends == [ends[0], "0", f"−{ends[0]}"] and largest <= top < 2.5 * largest
        bars = stage.part("bars").locator("rect")
        highest = bars.evaluate_all("bars => Math.max(...bars.map(bar => bar.getAttribute('height')))")
        assert highest == pytest.approx(32 * largest / top, rel=1e-5)  # half of the picture's 64
        stage.press("Shift+ArrowRight")
        stage.wait_for(iteration + 1)


# ---- for everybody ----


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_no_serious_accessibility_finding(stage):
    stage.open("data=moons&width=256&it=1&phase=repair&step=3&node=260")
    stage.element.get_by_text("Text version of the tree").click()
    stage.element.get_by_text("Table of all trees").click()
    for scheme in ("light", "dark"):
        show_as(stage.page, 1400, scheme)
        stage.rest()
        assert serious_findings(stage.page) == [], scheme


@pytest.mark.slow
def test_motion_is_left_out_where_it_is_not_wanted(stage):
    stage.page.emulate_media(reduced_motion="reduce")
    stage.open(CIRCLE)
    stage.press("ArrowRight", "6", "ArrowRight")
    durations = stage.element.evaluate(
        "stage => [...stage.querySelectorAll('*')].map(n => getComputedStyle(n))"
        ".filter(s => s.transitionDuration !== '0s' || s.animationName !== 'none').length"
    )
    assert durations == 0


# The smallest letters of the stage as they are drawn, pixels.
SMALLEST = """stage => Math.min(...[...stage.querySelectorAll('*')]
    .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()))
    .filter(node => node.getClientRects().length)
    .map(node => {
        const drawing = node.ownerSVGElement;
        const scale = drawing?.viewBox.baseVal.width ? drawing.clientWidth / drawing.viewBox.baseVal.width : 1;
        return scale * parseFloat(getComputedStyle(node).fontSize);
    }))"""


@pytest.mark.slow
@pytest.mark.parametrize("first", [390, 1400])  # a telephone, or a window that is made smaller
def test_it_fits_the_window_and_is_legible(stage, first):
    stage.page.set_viewport_size({"width": first, "height": 900})
    stage.open("data=moons&width=4096&it=1&phase=repair")
    main = stage.page.get_by_test_id("stMain")
    for width, scheme in ((390, "light"), (390, "dark")) if first == 390 else ((1400, "light"), (1024, "dark")):
        show_as(stage.page, width, scheme)
        stage.rest()
        assert stage.page.evaluate("document.documentElement.scrollWidth") <= width
        assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        assert stage.element.evaluate(SMALLEST) >= 10.99


@pytest.mark.slow
def test_it_lays_itself_out_again_when_the_window_changes(stage):
    stage.open(CIRCLE)
    scroller, tree = stage.part("scroller"), stage.part("tree")
    wide, drawn = scroller.bounding_box()["width"], tree.get_attribute("width")
    stage.page.set_viewport_size({"width": 1000, "height": 900})
    expect(tree).not_to_have_attribute("width", drawn)
    narrow = scroller.bounding_box()["width"]
    assert narrow < wide
    assert narrow - 4 <= tree.bounding_box()["width"] <= narrow
    stage.press("ArrowRight")
    stage.wait_for(0, 1, 2)


@pytest.mark.slow
def test_a_reload_right_after_a_step_stays_there(stage):
    stage.open("data=circle&width=64")
    stage.press("ArrowRight")
    stage.page.wait_for_url(re.compile("step=1"), timeout=2_000)  # it is written before the stage comes to rest
    stage.page.reload()
    stage.wait_for(0, 1, 2)
