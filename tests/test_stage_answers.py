"""The stage alone in a browser, without the app: what it makes of the answers it is given, and what it asks."""

import base64
import json
import re
import threading

import pytest
from stage_driver import StageDriver

from treeviz import TrainConfig, load_dataset
from treeviz.stage import component
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import Moment
from treeviz.stage.view import View
from treeviz.training.background import BackgroundRun

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

# Mounts the stage as Streamlit does. An answer may say how many milliseconds its decoding takes.
MOUNT = """async (script) => {
    const { default: call } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    const json = Response.prototype.json;
    Response.prototype.json = async function () {
        const answer = await json.call(this);
        await new Promise((passed) => setTimeout(passed, answer.delay ?? 0));
        decoded++;
        return answer;
    };
    Object.assign(window, { decoded: 0, questions: [], element: document.querySelector(".stage") });
    window.give = (text) => {
        const data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const setStateValue = (_, question) => questions.push(question);
        return call({ parentElement: document.body, data, setStateValue });
    };
}"""
NODES_DRAWN = """() => new Promise((count) => requestAnimationFrame(() => requestAnimationFrame(() =>
    count(element.querySelectorAll("[data-node]").length))))"""


PLANE = "[data-part=plane]"


def answer(maker, **rest):
    start, given = Moment().describe(), {"notices": [], "nonce": 0, **rest}
    fields = given.pop("fields", [])
    return base64.b64encode(maker.answer(View(), [0], fields, start=start, **given)).decode()


@pytest.fixture(scope="module")
def makers():
    """Two runs, whose trees have 127 and 63 nodes."""
    runs = [BackgroundRun(load_dataset("circle"), TrainConfig(width=width, solver="exact")) for width in (64, 32)]
    assert all(run.wait_for(0, timeout=60) for run in runs)
    return [FrameMaker(run, f"width={run.config.width}") for run in runs]


@pytest.fixture
def alone(context):
    """The stage in a tab of its own, without the app."""
    page = context.new_page()
    html = component.PARTS["html"]
    page.route("http://localhost/", lambda route: route.fulfill(content_type="text/html", body=html))
    page.goto("http://localhost/")
    page.evaluate(MOUNT, component.PARTS["js"])
    yield page
    page.close()


def test_answers_are_taken_in_the_order_they_came(alone, makers):
    old, new = makers
    alone.evaluate("answers => void answers.map(give)", [answer(old, delay=300), answer(new)])
    alone.wait_for_function("decoded === 2")
    assert alone.evaluate(NODES_DRAWN) == 63


def test_an_answer_that_cannot_be_read_holds_up_no_other(alone, makers):
    alone.evaluate("window.onerror = (fault) => { window.fault = fault; return true; }")
    alone.evaluate("answers => void answers.map(give)", [base64.b64encode(b"torn").decode(), answer(makers[0])])
    alone.wait_for_function("decoded === 1")
    assert alone.evaluate(NODES_DRAWN) == 127
    assert "TypeError" in alone.evaluate("fault")


def test_a_browser_that_cannot_unpack_answers_is_told_so(alone, makers):
    alone.evaluate("answer => { delete window.DecompressionStream; give(answer); }", answer(makers[0]))
    alone.locator("[data-part=notices]").filter(has_text="too old to show the run").wait_for()


def test_a_frame_of_another_page_shows_the_stage_and_the_link(context, makers):
    """A sandboxed frame has no cookies, no clipboard and an address of its own."""
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    frame = '<iframe sandbox="allow-scripts" src="http://inner.test/" width="1200" height="800"></iframe>'
    for host, body in (("outer", frame), ("inner", component.PARTS["html"])):
        page.route(f"http://{host}.test/", lambda route, _, b=body: route.fulfill(content_type="text/html", body=b))
    page.goto("http://outer.test/")
    inner = page.frames[1]
    inner.wait_for_load_state()
    inner.evaluate(MOUNT, component.PARTS["js"])
    inner.evaluate("answer => void give(answer)", answer(makers[0], introduction={"plays": 0, "cookie": "seen"}))
    inner.wait_for_function("element.querySelectorAll('[data-node]').length === 127")
    inner.get_by_role("button", name="copy link").click()
    inner.locator("[data-part=copied]").filter(has_text="does not allow it; the link is http://inner.test/").wait_for()
    page.close()
    assert faults == []


def test_an_answer_that_comes_too_late_for_a_stage_taken_away_is_left(alone, makers):
    alone.evaluate("answer => { const leave = give(answer); element.remove(); leave(); }", answer(makers[0], delay=100))
    alone.wait_for_function("decoded === 1")
    assert alone.evaluate(NODES_DRAWN) == 0


def test_a_new_run_is_asked_at_once_although_the_old_one_owes_an_answer(alone, makers):
    old, new = makers
    alone.evaluate("answer => void give(answer)", answer(old))
    alone.wait_for_function("questions.length === 1")
    alone.evaluate("answer => void give(answer)", answer(new))
    alone.wait_for_function("run => questions.at(-1).run === run", arg=new.run_key, timeout=3000)


def shown(page, maker):
    """Have an answer drawn, and return the driver of the stage."""
    page.evaluate("answer => void give(answer)", answer(maker))
    return StageDriver(page, "").wait()


def frame_of(maker):
    return json.loads(maker.frame(View(), 0))


def num_shapes(stage, selector):
    return (stage.element.locator(selector).get_attribute("d") or "").count("M")


def press(stage, key, where):
    stage.press(key)
    stage.part("where").filter(has_text=where).wait_for()


def test_the_pictures_follow_the_phase(alone, makers):
    stage, frame = shown(alone, makers[0]), frame_of(makers[0])
    record, plane, current = frame["record"], frame["plane"], stage.element.locator(".code [aria-current=step]")
    current.filter(has_text="enter the root").wait_for()
    largest = re.search(r"Residual.* The largest is ([\d.]+) ", stage.part("bars").get_attribute("aria-label"))[1]
    assert float(largest) == pytest.approx(max(map(abs, record["residual"])), rel=5e-3)
    assert "All 8 trees: visited" in stage.part("atlas-totals").inner_text()
    assert [num_shapes(stage, f"{PLANE} .moves"), num_shapes(stage, f"{PLANE} .fires")] == [
        0,
        plane["fires"].count("1"),
    ]
    press(stage, "4", "Solve")
    assert stage.part("bars-title").inner_text().startswith("Dual step")
    assert num_shapes(stage, f"{PLANE} .moves") == 0
    press(stage, "5", "Move")
    arrows = num_shapes(stage, f"{PLANE} .moves")
    assert arrows > 0 and stage.part("bars-title").inner_text().startswith("Dual step")
    touched = {node for node, bit in zip(frame["nodes"]["id"], frame["nodes"]["touched"], strict=True) if bit == "1"}
    assert stage.nodes_with("touched") == touched and touched > stage.nodes_with("firing")
    assert num_shapes(stage, ".tree > .touched") == len(touched)
    stage.press("ArrowRight")
    assert stage.nodes_with("now") < touched == stage.nodes_with("touched")
    assert num_shapes(stage, ".edges.trail") == 0  # nothing leads to it: it moves wherever it is
    press(stage, "6", "Repair")
    assert num_shapes(stage, ".tree > .touched") == 0 == len(stage.nodes_with("touched"))
    current.filter(has_text="write leaf r").wait_for()
    assert num_shapes(stage, f"{PLANE} .moves") == arrows
    assert "All 8 trees: modified" in stage.part("atlas-totals").inner_text()
    assert num_shapes(stage, f"{PLANE} .fires") == plane["will_fire"].count("1") != plane["fires"].count("1")
    # The way of a search is from the root to the node under the cursor, that of a repair from the leaf written.
    press(stage, "1", "Search")
    stage.press(*["ArrowRight"] * 5)
    (now,) = stage.nodes_with("now")
    assert num_shapes(stage, ".edges.trail") == now.bit_length() - 1 > 0
    press(stage, "6", "Repair")
    assert [climbed(stage) for _ in range(9)] == climbs_of(frame)[:9]


def climbed(stage):
    """Return the node under the cursor and the edges of its way, then go on."""
    (now,) = stage.nodes_with("now")
    edges = num_shapes(stage, ".edges.trail")
    stage.press("ArrowRight")
    return now, edges


def climbs_of(frame):
    """Return, of each step of the repair, its node, and how far that is above the leaf written last."""
    told = [frame["nodes"]["id"][row] for _, _, row, _ in frame["script"]["repair"][:-1]]
    leaf, climbs = 0, []
    for node in told:
        leaf = node if node >= 64 else leaf
        climbs.append((node, leaf.bit_length() - node.bit_length()))
        assert leaf >> climbs[-1][1] == node
    return climbs


def test_a_leaf_is_marked_where_it_fires_and_described(alone, makers):
    stage, frame = shown(alone, makers[0]), frame_of(makers[0])
    nodes = frame["nodes"]
    changing = [row for row, leaf in frame["leaves"].items() if leaf[2] != leaf[3]]
    row = int(changing[0])
    node, (_, _, before, after) = nodes["id"][row], frame["leaves"][str(row)]
    stage.click_node(node)
    inspector = stage.part("inspector")
    inspector.get_by_role("heading", name=f"Neuron {node - 64}", exact=True).wait_for()
    fires = nodes["passes"][row] == "1"
    assert f"{'≥' if fires else '<'} b = " in inspector.inner_text()
    assert f"it {'fires' if fires else 'does not fire'}." in inspector.inner_text()
    assert num_shapes(stage, ".leaf-fires") == len(before)
    assert num_shapes(stage, ".leaf-marks") == 8 - len(before)
    press(stage, "6", "Repair")
    alone.wait_for_function(
        "count => (document.querySelector('.leaf-fires').getAttribute('d').match(/M/g) ?? []).length === count",
        arg=len(after),
    )
    other = next(id for id, kind in zip(nodes["id"], nodes["kind"], strict=True) if kind == 1 and id != node)
    stage.element.locator(f'[data-node="{other}"] .glyph').hover()  # what is pointed at comes before what is selected
    fires_there = frame["leaves"][str(nodes["id"].index(other))][3]
    alone.wait_for_function(
        "count => (document.querySelector('.leaf-fires').getAttribute('d').match(/M/g) ?? []).length === count",
        arg=len(fires_there),
    )


@pytest.mark.slow
def test_nothing_is_said_of_what_the_move_changes_before_it_is_made(alone, makers):
    stage, frame = shown(alone, makers[0]), frame_of(makers[0])
    nodes = frame["nodes"]
    rows = [row for row, changes in enumerate(nodes["changes"]) if changes == "1"]
    moved = next(
        row for row in rows if nodes["kind"][row] == 1 and frame["leaves"][str(row)][2] != frame["leaves"][str(row)][3]
    )
    tip, inspector = stage.part("tip"), stage.part("inspector")
    stage.click_node(nodes["id"][moved])
    for row in (0, moved, rows[len(rows) // 2]):
        stage.element.locator(f'[data-node="{nodes["id"][row]}"] .glyph').hover()
        for text in (tip.inner_text(), inspector.inner_text()):
            assert text and not re.search("odified|→|after the move", text)
    stage.element.locator(f'[data-node="{nodes["id"][moved]}"] .glyph').hover()
    press(stage, "6", "Repair")
    last = len(frame["script"]["repair"])
    stage.press(*["ArrowRight"] * (last - 1))
    stage.wait_for(0, 6, last)
    old, new = nodes["before"][moved], nodes["after"][moved]
    expected = f"Modified: {old:.3f} → {new:.3f}.".replace("-", "−")
    for place in (tip, inspector):  # the tip is told again although the pointer rests
        place.filter(has_text=expected).wait_for(state="attached")
    inspector.filter(has_text="after the move").wait_for()


@pytest.mark.parametrize(("solver", "keys"), [("exact", "1 to 6"), ("sketch", "1 to 8")])
def test_the_keys_name_as_many_phases_as_there_are(alone, solver, keys):
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver=solver))
    assert run.wait_for(0, timeout=60)
    stage = shown(alone, FrameMaker(run, solver))
    stage.click("keys")
    stage.element.get_by_role("dialog", name="Keys").get_by_text(keys, exact=True).wait_for()


def test_the_transport_knows_how_far_the_run_has_come(alone, makers):
    makers[0].run.wait_for(3, timeout=60)
    stage = shown(alone, makers[0])
    computed = stage.element.locator(".ticks .major").count()
    assert computed >= 4 and stage.part("scrub").get_attribute("max") == str(6 * computed - 1)
    assert stage.where == (0, 1, 1)
    assert stage.part("tree-number").get_attribute("max") == "7"
    stage.part("tree-number").fill("99")
    stage.press("Enter")
    assert stage.part("tree-number").input_value() == "7"
    alone.wait_for_function("() => questions.at(-1)?.view.tree === 7")
    stage.part("jump").fill("99")
    stage.press("Enter")
    last = stage.part("jump").get_attribute("max")
    assert stage.part("jump").input_value() == last


def test_the_lists_of_a_run_through_watch_lists(alone):
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=64, solver="exact", search="watch"))
    assert run.wait_for(0, timeout=60)
    maker = FrameMaker(run, "watch")
    stage, frame = shown(alone, maker), frame_of(maker)
    assert stage.part("lists-card").is_visible() and not stage.part("atlas-card").is_visible()
    assert stage.part("watching").inner_text() == frame["watch"]["sentence"]
    # A bar from where the firing neurons end to where the watched ones do.
    bars = stage.element.locator("svg .list-watched").first.get_attribute("d")
    ends = [tuple(map(float, bar)) for bar in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", bars)]
    counts = list(zip(frame["watch"]["firing"], frame["watch"]["watched"], strict=True))
    assert unit_of(ends, counts) > 0
    left = min(start for start, _ in ends) - min(counts)[0] * (unit := unit_of(ends, counts))
    assert ends == [pytest.approx((left + unit * low, left + unit * high), abs=0.01) for low, high in counts]


def unit_of(ends, counts):
    """Return the pixels a neuron takes."""
    (start, end), (low, high) = max(zip(ends, counts, strict=True), key=lambda pair: pair[1][1] - pair[1][0])
    return (end - start) / (high - low)


def test_the_output_is_drawn_with_its_datapoints(alone):
    run = BackgroundRun(load_dataset("moons"), TrainConfig(width=256, solver="exact"))
    assert run.wait_for(0, timeout=60)
    maker = FrameMaker(run, "moons")
    for thread in threading.enumerate():
        if thread.name == "treeviz-field":
            thread.join(60)
    fields = maker.fields([0])
    alone.evaluate("answer => void give(answer)", answer(maker, fields=[0]))
    stage = StageDriver(alone, "").wait()
    left, right, bottom, top = fields["extent"]
    for index, (u, v) in enumerate(maker.header()["data"]["places"][:5]):
        point = stage.element.locator(".datapoints path").nth(index)
        place = [300 * (u - left) / (right - left), 300 - 300 * (v - bottom) / (top - bottom)]
        drawn = map(float, re.findall(r"[\d.]+", point.get_attribute("transform")))
        assert list(drawn) == pytest.approx(place, abs=1e-3)


def test_nothing_is_asked_for_half_a_second_after_a_press_elsewhere(alone, makers):
    alone.evaluate(
        """answer => {
            Object.assign(window, { time: 1e6, looks: 0 });
            performance.now = () => (looks++, time);
            void give(answer);
            document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
        }""",
        answer(makers[0]),
    )
    alone.wait_for_function("decoded === 1")
    looks = alone.evaluate("looks")
    alone.wait_for_function("looks => window.looks > looks + 2", arg=looks)  # it has come to ask, more than once
    assert alone.evaluate("time += 499, questions.length") == 0
    alone.evaluate("time += 1")
    alone.wait_for_function("questions.length === 1")
