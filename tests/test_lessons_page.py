"""Lessons in a real browser: every scene opens at its moment, questions are judged, and the way through is kept."""

import re
from urllib.parse import urlencode

import pytest
from accessibility import serious_findings
from playwright.sync_api import expect

from treeviz import Trainer
from treeviz.lesson.address import load_run
from treeviz.lesson.scenes.lesson_file import quiz_text, read_lesson, shipped_texts
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.questions import describe
from treeviz.lesson.scenes.quiz import deal
from treeviz.lesson.scenes.tables import TABLES
from treeviz.stage.moment import ADDRESS
from treeviz.training.background import CONVERGED_LOSS, MAX_ITERATIONS

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
LESSONS = {key: read_lesson(text, {}, ADDRESS) for key, text in shipped_texts().items()}


class Lecture:
    """The lesson beside the stage, as a test sees it."""

    def __init__(self, stage):
        self.stage, self.box = stage, stage.part("lesson")

    def open(self, key, number):
        self.stage.open(f"lesson={key}&scene={number}")
        return self.wait(key, number)

    def wait(self, key, number):
        title = LESSONS[key].scenes[number - 1].title
        self.box.get_by_role("heading", name=title, exact=True).wait_for(timeout=90_000)
        self.stage.page.locator(".stage[aria-busy=false]").wait_for()
        return self

    def press(self, name):
        self.box.get_by_role("button", name=name, exact=True).click()
        self.stage.wait_until_drawn()

    @property
    def feedback(self):
        self.box.locator(".feedback p").first.wait_for()
        return self.box.locator(".feedback").inner_text()


@pytest.fixture
def lecture(stage):
    return Lecture(stage)


def expected_moment(scene):
    """Train the run of a scene anew, as far as its texts need it."""
    split, config = load_run(scene.settings)
    trainer = Trainer(split.train, config)
    iteration = int(scene.moment.get("it", 0))
    last = MAX_ITERATIONS - 1 if scene.whole_run else iteration
    while len(trainer.trace.records) <= last:
        record = trainer.step()
        if record.loss <= CONVERGED_LOSS and len(trainer.trace.records) > iteration:
            break
    return TreeMoment(trainer.trace, int(scene.moment.get("tree", 0)), iteration)


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"\*\*|`", "", text)).strip()


@pytest.mark.slow
def test_a_lesson_by_mouse_from_the_first_page(stage, lecture):
    stage.open("data=xor&xor-n=12&width=512")  # what the reader had chosen
    stage.page.get_by_role("button", name="Lessons").click()
    stage.page.get_by_role("button", name="The idea in ten minutes").click()
    lecture.wait("idea", 1)
    lecture.press("next →")
    lecture.wait("idea", 2)
    lecture.press("check")
    assert lecture.box.locator(".feedback").inner_text() == "Give an answer first."
    lecture.box.get_by_label("1.0, its inner product").check()
    lecture.press("check")
    assert lecture.feedback == "Not yet. Compare 1.0 with the threshold b = 1.413."
    assert "0 of 1 right at the first try" in stage.part("score").inner_text()
    lecture.press("check")
    assert lecture.box.locator(".feedback").inner_text() == "Give another answer, or have it shown."
    lecture.press("next →")
    lecture.wait("idea", 3)
    moment = expected_moment(LESSONS["idea"].scenes[2])
    answer = describe(LESSONS["idea"].scenes[2].question, moment)
    for node in answer["right"]:
        stage.click_node(node)
    assert stage.nodes_with("chosen-node") == set(answer["right"])
    lecture.press("check")
    assert lecture.feedback.startswith("Right, all of them.")
    assert stage.nodes_with("right-node") == set(answer["right"])
    assert "1 of 2 right" in stage.part("score").inner_text()
    lecture.press("← back")
    lecture.wait("idea", 2)
    assert lecture.feedback.startswith("Not yet.")  # as it was left
    expect(lecture.box.get_by_label("1.0, its inner product")).to_be_checked()
    lecture.box.get_by_label("something positive").check()
    lecture.press("check")
    assert lecture.feedback.startswith("No: the right answer is “nothing: it does not fire”.")
    expect(lecture.box.get_by_role("button", name="show me")).to_be_hidden()
    lecture.press("next →")
    lecture.wait("idea", 3)
    assert lecture.feedback.startswith("Right, all of them.")
    expect(lecture.box.get_by_role("button", name="check")).to_be_disabled()
    assert stage.nodes_with("right-node") == set(answer["right"])
    assert "1 of 2 right" in stage.part("score").inner_text()
    lecture.press("leave")
    stage.wait_without("lesson")
    stage.page.wait_for_function("() => !new URL(location).searchParams.has('lesson')")
    stage.page.get_by_role("button", name="Back to your settings").click()
    stage.page.get_by_role("button", name="Back to your settings").wait_for(state="hidden")
    assert stage.address().items() >= {"data": "xor", "xor-n": "12", "width": "512"}.items()


@pytest.mark.slow
def test_a_lesson_is_found_where_it_was_left(stage, lecture):
    lecture.open("idea", 3)
    assert serious_findings(stage.page) == []
    stage.element.focus()
    stage.press("ArrowRight", "ArrowRight")
    stage.wait_for(0, 1, 3)
    stage.rest()
    stage.page.get_by_role("link", name="Read the method").click()
    stage.page.get_by_role("heading", name="method").first.wait_for()
    stage.page.get_by_role("link", name="Watch one run").click()
    stage.wait_for(0, 1, 3)  # the same scene at the same moment
    lecture.wait("idea", 3)
    stage.rest()
    stage.page.reload()
    stage.wait_for(0, 1, 3)
    lecture.wait("idea", 3)


@pytest.mark.slow
def test_arrows_to_the_sides_step_where_an_answer_has_the_focus(stage, lecture):
    lecture.open("idea", 7)
    stage.wait_for(0, 6, 2)
    answers = lecture.box.get_by_role("radio")
    answers.first.focus()
    stage.press("Space")
    expect(answers.first).to_be_checked()
    stage.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert stage.where == (0, 6, 3)
    expect(answers.first).to_be_checked()
    stage.press("ArrowDown")
    expect(answers.nth(1)).to_be_checked()
    expect(answers.nth(1)).to_be_focused()
    stage.press("ArrowUp")
    expect(answers.first).to_be_checked()
    assert stage.where == (0, 6, 3)


@pytest.mark.slow
def test_nodes_chosen_by_keyboard_and_an_estimate_that_is_off(stage, lecture):
    lecture.open("idea", 3)
    first = lecture.box.locator("input[type=checkbox]").first
    first.focus()
    stage.press("Space")
    lecture.box.get_by_role("button", name="check").focus()
    stage.press("Enter")
    answer = describe(LESSONS["idea"].scenes[2].question, expected_moment(LESSONS["idea"].scenes[2]))
    missed = sorted(set(answer["right"]) - {8})
    assert 8 in answer["right"]
    assert lecture.feedback.startswith(f"Not yet. {len(missed)} more to find.")
    assert stage.nodes_with("missed-node", "right-node") == set()  # the picture keeps it to itself
    stage.press("Tab")
    assert stage.element.evaluate(FOCUSED) == "show me"
    stage.press("Enter")
    missed_nodes = ", ".join(f"node {node}" for node in missed)
    lecture.box.get_by_text(f"missed: {missed_nodes}. The picture shows them.").wait_for()
    assert stage.nodes_with("missed-node") == set(missed) and stage.nodes_with("right-node") == {8}
    lecture.open("idea", 1)
    lecture.box.get_by_label("Your estimate").fill("60")
    stage.press("Enter")
    assert lecture.feedback.startswith("Not yet. It is more.")
    lecture.box.get_by_label("Your estimate").fill("512")
    stage.press("Enter")
    lecture.box.get_by_text("Right: it is 512.").wait_for()
    assert "0 of 2 right at the first try" in stage.part("score").inner_text()


@pytest.mark.slow
def test_a_lesson_of_ones_own(stage, lecture):
    stage.open("data=circle&width=64")
    stage.page.get_by_role("button", name="Lessons").click()
    field = stage.page.locator("[data-testid=stFileUploaderDropzoneInput]")
    wrong = b'title = "Mine"\nsummary = "S"\n[[scene]]\ntitle = "one"\ntext = "{fireing}"\n'
    field.set_input_files({"name": "a.toml", "mimeType": "text/plain", "buffer": wrong})
    stage.page.get_by_text("it names the number {fireing}").wait_for()
    stage.page.get_by_role("button", name="Remove a.toml").click()
    field.set_input_files(
        {"name": "b.toml", "mimeType": "text/plain", "buffer": wrong.replace(b"fireing", b"points:datapoint")}
    )
    stage.page.get_by_role("button", name="Open “Mine”").click()
    lecture.box.get_by_role("heading", name="one", exact=True).wait_for()


def check_scene(lecture, key, number):
    scene, stage = LESSONS[key].scenes[number - 1], lecture.stage
    moment = expected_moment(scene)
    shown = plain(lecture.box.inner_text())
    for paragraph in moment.fill(scene.text).split("\n\n"):
        assert plain(paragraph) in shown
    if scene.question:
        assert plain(moment.fill(scene.question.ask)) in shown
    stage.wait_for(moment.iteration)
    assert stage.part("notices").inner_text() == ""


@pytest.mark.slow
def test_a_scene_opened_by_its_address_says_the_numbers_of_its_run(lecture):
    lecture.open("exactness", 1)
    check_scene(lecture, "exactness", 1)


@pytest.mark.slow
@pytest.mark.parametrize("key", LESSONS)
def test_every_scene_says_the_numbers_of_its_run(lecture, key):
    """From the first scene to the last by the button: a page is opened once for a lesson, not for each scene."""
    lecture.open(key, 1)
    check_scene(lecture, key, 1)
    for number in range(2, len(LESSONS[key].scenes) + 1):
        lecture.press("next →")
        lecture.wait(key, number)
        check_scene(lecture, key, number)


# ---- lecture mode ----

LETTERS = """stage => {
    const size = (selector) => {
        const part = stage.querySelector(selector);
        const text = parseFloat(getComputedStyle(part).fontSize);
        return part instanceof SVGElement ? text * part.ownerSVGElement.getScreenCTM().a : text;
    };
    const beside = [".narration", ".code li[aria-current] button", ".where", ".lesson p"];
    return [".node text", ".legend li", ".badge", ...beside].map(size);
}"""
LABELS = """stage => [...stage.querySelectorAll(".node text")]
    .filter((label) => label.textContent)
    .map((label) => [label.textContent, label.getBoundingClientRect(), label.parentElement.dataset.node])
    .map(([text, { left, top, right, bottom }, node]) => [text, left, top, right, bottom, Number(node)])"""
UNTIL_IN_VIEW = """async stage => {
    const parts = [".scroller .tree", ".narration", ".code li[aria-current]", ".meter", ".lesson"];
    const isIn = ({ width, left, top, right, bottom }) =>
        width > 0 && left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    const areIn = () => parts.every((selector) => isIn(stage.querySelector(selector).getBoundingClientRect()));
    for (const begun = performance.now(); !areIn() && performance.now() - begun < 10_000; ) {
        await new Promise(requestAnimationFrame);
    }
    return areIn();
}"""


@pytest.mark.slow
def test_a_lecture_fills_the_screen_and_is_left_at_the_very_moment(stage, lecture):
    page = stage.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    lecture.open("idea", 4)
    stage.element.focus()
    stage.press("ArrowRight", "ArrowRight")
    stage.wait_for(0, 1, 3)
    stage.press("l")
    page.locator(".stage.lecture").wait_for()
    assert stage.element.evaluate(UNTIL_IN_VIEW)
    assert min(stage.element.evaluate(LETTERS)) >= 24
    assert not page.get_by_role("link", name="Read the method").is_visible()
    marks = {"open": "entered: maximum ≥ b", "firing": "firing neuron: leaf ≥ b", "unseen": "not entered"}
    shown = {mark for mark, words in marks.items() if words in stage.part("tree-key").inner_text()}
    assert shown == {mark for mark in marks if stage.nodes_with(mark)} and "firing" not in shown
    stage.part("badge").filter(has_text="✓ Exact").wait_for()  # it is checked meanwhile
    assert stage.part("badge").inner_text().strip() == "✓ Exact"
    with page.expect_popup() as opening:
        lecture.press("presenter's notes")
    notes = opening.value
    notes.get_by_role("heading", name=LESSONS["idea"].scenes[3].title).wait_for()
    lecture.press("next →")
    lecture.wait("idea", 5)
    notes.get_by_role("heading", name=LESSONS["idea"].scenes[4].title).wait_for()
    assert LESSONS["idea"].scenes[4].notes in notes.locator("body").inner_text()
    stage.rest()
    page.reload()
    lecture.wait("idea", 5)
    page.locator(".stage.lecture").wait_for()
    lecture.press("← back")
    lecture.wait("idea", 4)
    notes.get_by_role("heading", name=LESSONS["idea"].scenes[3].title).wait_for()  # they follow the page reloaded
    notes.close()
    stage.element.focus()
    stage.press("ArrowRight", "ArrowRight", "Escape")
    page.locator(".stage:not(.lecture)").wait_for()
    stage.wait_for(0, 1, 3)
    assert page.get_by_role("link", name="Read the method").is_visible()


@pytest.mark.slow
def test_a_quiz_is_found_again_after_a_reload(stage, lecture):
    settings = {"data": "xor", "xor-n": "12", "width": "128", "seed": "4"}
    stage.open(urlencode(settings))
    stage.page.get_by_role("button", name="Lessons").click()
    stage.page.get_by_role("button", name="A quiz about this run").click()
    lecture.box.locator(".question").wait_for()
    lecture.press("next →")
    lecture.box.get_by_text("2 of 5").wait_for()
    title, asked = lecture.box.locator("h3").inner_text(), lecture.box.locator(".asked").inner_text()
    stage.rest()
    address = stage.address()
    assert re.fullmatch("[0-9]+", address["quiz"]) and address["scene"] == "2" and "lesson" not in address
    stage.page.reload()
    lecture.box.get_by_text("2 of 5").wait_for()
    expect(lecture.box.locator("h3")).to_have_text(title)
    expect(lecture.box.locator(".asked")).to_have_text(asked)
    stage.rest()
    assert stage.address() == address and address.items() >= settings.items()
    templates = read_lesson(quiz_text(), {}, ADDRESS)
    split, config = load_run(settings)
    trace = Trainer(split.train, config).run(7)  # another number of iterations than the app had
    assert deal(templates, trace, ("tree", "it"), int(address["quiz"])).scenes[1].title == title
    lecture.press("leave")
    stage.wait_without("lesson")
    stage.page.wait_for_function("() => !new URL(location).searchParams.has('quiz')")
    stage.rest()
    assert stage.address().items() >= {**settings, "tree": address["tree"], "it": address["it"]}.items()


@pytest.mark.slow
def test_who_leaves_a_lesson_is_led_back_to_where_they_were(stage, lecture):
    stage.open("data=xor&xor-n=12&width=128&tree=5&it=2&phase=repair")
    stage.element.focus()
    stage.press("ArrowRight", "ArrowRight")
    at = stage.where
    page, main = stage.page, stage.page.get_by_test_id("stMain")
    main.evaluate("main => main.scrollTop = 5")
    page.get_by_role("button", name="Lessons").click()
    page.get_by_role("button", name="A quiz about this run").click()
    lecture.box.locator(".question").wait_for()
    lecture.press("next →")
    lecture.box.get_by_text("2 of 5").wait_for()
    assert stage.where != at
    lecture.box.get_by_role("button", name="leave", exact=True).focus()
    stage.press("Enter")
    stage.wait_without("lesson")
    stage.wait_for(*at)
    assert stage.part("tree-number").input_value() == "5"
    page.wait_for_function("() => document.querySelector('[data-testid=stMain]').scrollTop === 5")
    stage.press("ArrowRight")  # the stage has the focus
    stage.wait_for(*at[:2], at[2] + 1)


@pytest.mark.slow
@pytest.mark.parametrize(("key", "number"), [("break", 1), ("idea", 3), ("idea", 12), ("exactness", 1)])
def test_the_last_row_can_read_the_picture_of_a_lecture(stage, lecture, key, number):
    stage.page.set_viewport_size({"width": 1920, "height": 1080})
    stage.open(f"lesson={key}&scene={number}&lecture=1")
    lecture.wait(key, number)
    assert stage.element.evaluate(UNTIL_IN_VIEW)
    assert min(stage.element.evaluate(LETTERS)) >= 24
    labels = stage.element.evaluate(LABELS)
    for place, (text, *one, _) in enumerate(labels):
        for other, left, top, right, bottom, _ in labels[place + 1 :]:
            apart = one[2] <= left or right <= one[0] or one[3] <= top or bottom <= one[1]
            # Boxes are as high as a line of text; digits are lower by a fifth at either end.
            assert apart or min(one[3], bottom) - max(one[1], top) < 10, f"{text} runs into {other}"
    states, width = stage.states(), int(LESSONS[key].scenes[number - 1].settings["width"])
    leaves = {node for node in states if node >= width}
    named = {node for *_, node in labels}
    assert len(named & leaves) >= min(len(leaves), 24)
    assert {node for node in leaves if "firing" in states[node]} - named == set()
    if (key, number) == ("idea", 3):  # the question is about these
        assert named >= set(range(8, 16))
    for class_, words in {
        "stub": "a part left out",
        "watched": "watched, does not fire",
        "pruned": "pruned: < b",
    }.items():
        assert (words in stage.part("tree-key").inner_text()) == bool(stage.nodes_with(class_))
    question = LESSONS[key].scenes[number - 1].question
    if question and key == "break":
        lecture.box.locator("summary").click()
        assert lecture.box.get_by_label("node 2: ").is_visible()
        stage.part("badge").get_by_role("button", name="show me").click()
        stage.part("badge").filter(has_text="is not the larger of its children").wait_for()


@pytest.mark.slow
def test_an_address_opens_a_lecture(stage):
    stage.page.set_viewport_size({"width": 1920, "height": 1080})
    stage.open("data=digits&width=65536&lecture=1")
    stage.page.locator(".stage.lecture").wait_for()
    assert min(stage.element.evaluate(LETTERS.replace(', ".lesson p"', ""))) >= 24
    assert stage.part("notices").inner_text() == ""
    stage.rest()
    assert stage.address()["lecture"] == "1"


# ---- another threshold ----


@pytest.mark.slow
def test_another_threshold_is_tried_and_the_run_comes_back(stage, circle):
    stage.open("data=circle&width=64")
    slider = stage.part("spread")
    slider.focus()
    before = stage.states()
    for _ in range(3):
        stage.press("PageDown")
    stage.part("narration").filter(has_text="What if b were").wait_for()
    tried = float(slider.get_attribute("aria-valuenow"))
    step = circle.replay(0, 0)
    values, parents = step.before, {node: node // 2 for node in stage.states()}
    entered = {node for node, parent in parents.items() if parent == 0 or values[parent] >= tried}
    assert stage.nodes_with("open", "firing", "pruned") == entered
    assert stage.nodes_with("firing") == {node for node in entered if node >= 64 and values[node] >= tried}
    assert f"would read {len(entered)} of 127 nodes" in stage.narration
    stage.press("Escape")
    stage.part("narration").filter(has_text="The root").wait_for()
    assert stage.states() == before


@pytest.mark.slow
def test_of_quick_presses_one_turns_a_scene_and_a_reload_keeps_the_lecture(stage, lecture):
    stage.page.set_viewport_size({"width": 1920, "height": 1080})
    lecture.open("idea", 1)
    stage.element.focus()
    stage.press("l", "PageDown", "PageDown", "PageDown")
    lecture.wait("idea", 2)
    stage.press("PageDown")
    lecture.wait("idea", 3)
    stage.rest()
    assert stage.address().items() >= {"lesson": "idea", "scene": "3", "lecture": "1"}.items()
    stage.page.reload()
    lecture.wait("idea", 3)
    stage.page.locator(".stage.lecture").wait_for()
    stage.element.get_by_role("button", name="leave lecture mode (Esc)").click()
    stage.page.locator(".stage:not(.lecture)").wait_for()


@pytest.mark.slow
def test_no_scene_is_skipped_while_a_large_run_is_built(stage, lecture):
    lecture.open("idea", 11)
    stage.element.focus()
    stage.press("PageDown", "PageDown")
    expect(stage.part("score")).to_be_visible()
    assert "scene 12 is being opened" in stage.part("score").inner_text()
    stage.press("PageDown", "PageDown", "PageUp")
    lecture.wait("idea", 12)
    stage.rest()
    lecture.wait("idea", 12)
    assert stage.address()["scene"] == "12"


@pytest.mark.slow
def test_the_stage_can_be_read_while_another_scene_is_built(stage, lecture):
    lecture.open("idea", 1)
    stage.rest()
    page = stage.page
    page.locator(".st-key-stage").evaluate("box => box.setAttribute('data-stale', 'true')")
    assert page.locator(".st-key-stage").evaluate("box => getComputedStyle(box).opacity") == "1"


@pytest.mark.slow
def test_the_meter_counts_the_run_once_a_scene_has_said_what_an_operation_is(stage, lecture):
    run = stage.part("meter-run")
    lecture.open("idea", 9)
    expect(run).to_be_hidden()
    lecture.press("next →")
    lecture.wait("idea", 10)
    expect(run).to_be_visible()
    expect(run).to_contain_text("building not paid off")
    lecture.press("← back")
    lecture.wait("idea", 9)
    expect(run).to_be_hidden()
    lecture.press("leave")
    stage.wait_without("lesson")
    expect(run).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [(10, "phases"), (11, "totals")])
def test_a_table_has_the_numbers_of_the_run(stage, lecture, number, name):
    lecture.open("idea", number)
    table = TABLES[name](expected_moment(LESSONS["idea"].scenes[number - 1]))
    drawn = lecture.box.get_by_role("table", name=table["caption"])
    assert [row.get_by_role("cell").all_inner_texts() for row in drawn.locator("tbody tr").all()] == [
        row[1:] for row in table["rows"]
    ]
    assert drawn.get_by_role("rowheader").all_inner_texts() == [row[0] for row in table["rows"]]
    assert drawn.locator(".strong th").inner_text() == table["rows"][table["strong"]][0]
    assert lecture.box.evaluate("box => box.scrollWidth <= box.clientWidth")


@pytest.mark.slow
def test_an_entry_of_the_glossary_goes_with_its_scene(stage, lecture):
    lecture.open("idea", 4)
    lecture.box.locator("strong").get_by_role("button", name="pruning").click()
    stage.part("term").get_by_role("heading", name="pruning").wait_for()
    lecture.press("next →")
    lecture.wait("idea", 5)
    expect(stage.part("term")).to_be_hidden()


@pytest.mark.slow
def test_a_part_that_is_opened_leaves_the_search_at_its_end_and_the_buttons_in_a_row(stage, lecture):
    lecture.open("idea", 12)
    row, end = stage.element.locator(".view-row"), re.compile(r"step (\d+) of \1\b")
    expect(stage.part("where")).to_have_text(end, use_inner_text=True)
    height = row.bounding_box()["height"]
    assert height < 40
    stage.element.locator(".node.stub-open .glyph").first.click()
    stage.part("close-all").wait_for()
    stage.page.locator(".stage[aria-busy=false]").wait_for()
    expect(stage.part("where")).to_have_text(end, use_inner_text=True)
    assert row.bounding_box()["height"] == height


@pytest.mark.slow
def test_the_lesson_says_that_it_goes_on_below(stage, lecture):
    stage.page.set_viewport_size({"width": 1400, "height": 700})
    lecture.open("idea", 3)
    more = lecture.box.get_by_role("button", name="more ↓")
    notes = lecture.box.get_by_role("button", name="presenter's notes")
    expect(notes).not_to_be_in_viewport(ratio=1)
    stage.page.emulate_media(reduced_motion="reduce")  # then a press scrolls at once
    more.click()
    stage.wait_until_drawn()
    if more.is_visible():
        more.click()
    expect(more).to_be_hidden()
    expect(notes).to_be_in_viewport(ratio=1)
    lecture.box.evaluate("box => box.scrollTop = 0")
    expect(more).to_be_visible()
    stage.page.set_viewport_size({"width": 1400, "height": 1400})
    expect(more).to_be_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("query", ["", "&lecture=1"])
def test_the_loss_that_a_scene_speaks_of_is_in_view(stage, lecture, query):
    if query:
        stage.page.set_viewport_size({"width": 1280, "height": 720})
    stage.open(f"lesson=idea&scene=9{query}")
    lecture.wait("idea", 9)
    chart = stage.part("losses")
    expect(chart).to_be_in_viewport(ratio=0.95)
    losses = expected_moment(LESSONS["idea"].scenes[8]).trace.losses
    words = chart.locator("svg").get_attribute("aria-label")
    edges = [lecture.box.locator(part).bounding_box() for part in (".ways", ".on")]
    foot = min(edge["y"] for edge in edges if edge)
    assert not query or chart.bounding_box()["y"] + chart.bounding_box()["height"] <= foot
    assert (
        words.startswith(f"The loss of {len(losses)} iterations") and f"least in iteration {losses.argmin()}" in words
    )
    box = chart.locator("svg").bounding_box()
    stage.page.mouse.click(box["x"] + box["width"] * 120 / 270, box["y"] + 20)  # two of seven parts along the curve
    stage.wait_for(2)


FOCUSED = "stage => stage.getRootNode().activeElement?.textContent"


BEGINNINGS = """stage => [...stage.querySelectorAll(".told, .narration")].flatMap((text) => {
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    const [found, range] = [[], document.createRange()];
    let bottom = -Infinity;
    while (walker.nextNode()) {
        const { data } = walker.currentNode;
        for (let at = 0; at < data.length; at++) {
            range.setStart(walker.currentNode, at);
            range.setEnd(walker.currentNode, at + 1);
            const box = range.getBoundingClientRect();
            if (!box.width) continue;
            if (box.top > bottom - 2) found.push(data[at]);
            bottom = box.bottom;
        }
    }
    return found;
})"""


@pytest.mark.slow
def test_no_line_of_a_lesson_begins_with_a_comma(stage, lecture):
    stage.open("lesson=idea&scene=9&lecture=1")
    lecture.wait("idea", 9)
    for width in range(1400, 1940, 20):
        stage.page.set_viewport_size({"width": width, "height": 900})
        beginnings = stage.element.evaluate(BEGINNINGS)
        assert len(beginnings) > 5 and not set(beginnings) & set(",.;:)"), width


# Of the parts that a scene can be about: what stands beside them and is covered by their outline, or by the ground that
# text has in its place, or cuts it off.
OUTLINED = """(stage, parts) => parts.flatMap((name) => {
    const place = stage.querySelector(`[data-part="${name}"]`);
    place.setAttribute("data-looked-at", "");
    const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(place);
    const { left, right, top, bottom } = place.getBoundingClientRect();
    const isText = outlineStyle === "none"; // with a ground that goes beyond it to the left and right
    const tall = isText ? -1.5 : parseFloat(outlineWidth) + parseFloat(outlineOffset) - 1.5; // letters do not fill it
    const out = isText ? 9 : tall;
    place.removeAttribute("data-looked-at");
    const isMet = (box) => box.width > 0 && box.left < right + out && box.right > left - out &&
        box.top < bottom + tall && box.bottom > top - tall;
    const texts = (element) => [...element.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE).map((text) => {
        const range = document.createRange();
        range.selectNodeContents(text);
        return range;
    });
    const others = [...stage.querySelectorAll("*")].filter((other) =>
        !place.contains(other) && other.checkVisibility({ visibilityProperty: true }));
    const covered = others.flatMap((other) => (other.matches("input, select, button") ? [other] : texts(other)))
        .filter((thing) => [...thing.getClientRects()].some(isMet));
    const cutting = others.filter((other) => other.contains(place) && getComputedStyle(other).overflowX !== "visible")
        .filter((other) => {
            const inner = other.getBoundingClientRect().left + other.clientLeft;
            return left - out < inner || right + out > inner + other.clientWidth;
        });
    return [...covered, ...cutting].map((thing) => `${name}: ${thing.dataset?.part ?? thing.className ?? thing}`);
})"""


@pytest.mark.slow
@pytest.mark.parametrize(("size", "query"), [((1400, 900), ""), ((1920, 1080), "&lecture=1")])
def test_the_outline_of_what_a_scene_is_about_covers_nothing(stage, lecture, size, query):
    stage.page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    stage.open(f"lesson=idea&scene=9{query}")
    lecture.wait("idea", 9)
    parts = ["tree-box", "narration", "meter", "datapoint", "losses"]
    assert stage.element.evaluate(OUTLINED, parts) == []
    stage.part("play").click()
    stage.part("rested").filter(has_text="ends here").wait_for()
    assert stage.element.evaluate(OUTLINED, ["narration"]) == []


def test_a_lesson_by_keyboard_alone(stage, lecture):
    lecture.open("idea", 1)
    chart = stage.page.get_by_role("radiogroup", name="Chart")
    expect(chart).to_be_visible()
    lecture.box.get_by_role("button", name="next →").focus()
    stage.press("Enter")
    lecture.wait("idea", 2)
    assert stage.element.evaluate(FOCUSED) == LESSONS["idea"].scenes[1].title  # so that it is read out, and Tab goes on
    stage.press("ArrowLeft")  # a key of the stage
    stage.wait_for(0, 1)
    stage.press("Tab")
    assert lecture.box.evaluate("box => box.contains(box.getRootNode().activeElement)")
    stage.press("l")
    stage.page.locator(".stage.lecture").wait_for()
    expect(chart).to_be_hidden()  # keys do not lead behind the lecture
    stage.press("PageDown")
    lecture.wait("idea", 3)
    stage.press("Escape")
    expect(chart).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1024, 768), (960, 540)])  # a small projector; a large screen at 200 %
def test_a_lecture_fits_a_small_screen(stage, lecture, width, height):
    stage.page.set_viewport_size({"width": width, "height": height})
    stage.page.emulate_media(reduced_motion="reduce")
    stage.open("lesson=idea&scene=4&lecture=1")
    lecture.wait("idea", 4)
    assert stage.element.evaluate(UNTIL_IN_VIEW)
    assert stage.element.evaluate("stage => stage.scrollWidth <= stage.clientWidth")
    assert min(stage.element.evaluate(LETTERS)) >= 12


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720)])
def test_in_a_lecture_answers_are_large_and_what_is_said_of_them_in_view(stage, lecture, width, height):
    stage.page.set_viewport_size({"width": width, "height": height})
    stage.open("lesson=idea&scene=5&lecture=1")
    lecture.wait("idea", 5)
    expect(stage.part("gram-cells")).to_be_in_viewport(ratio=1)
    expect(stage.part("datapoint")).to_be_hidden()
    boxes = [radio.bounding_box() for radio in lecture.box.get_by_role("radio").all()]
    assert min(box["width"] for box in boxes) >= 24
    for wrong in (0, 2):
        lecture.box.get_by_role("radio").nth(wrong).check()
        lecture.press("check")
        lecture.feedback  # noqa: B018  (waits)
    feedback, ways = (lecture.box.locator(part).bounding_box() for part in (".feedback", ".ways"))
    assert feedback["y"] >= lecture.box.bounding_box()["y"] and feedback["y"] + feedback["height"] <= ways["y"]
    expect(lecture.box.get_by_role("button", name="more ↓")).to_be_hidden()
    top = stage.part("tree-box").bounding_box()["y"]
    lecture.press("next →")
    lecture.wait("idea", 6)
    expect(stage.part("strips").locator("button")).to_have_count(8)
    expect(stage.part("strips")).to_be_in_viewport(ratio=1)
    expect(stage.part("datapoint")).to_be_hidden()
    assert stage.part("tree-box").bounding_box()["y"] == top  # the strips take no more room than the datapoint
    assert stage.element.evaluate("stage => stage.scrollWidth <= stage.clientWidth")


# Where parts of the stage have been, at every change of the page; the picture of a tree is as high as the tree.
WATCH_PLACES = """stage => {
    const parts = ["narration", "meter", "tree-box", "datapoint", "code", "symbols"];
    window.placesSeen = new Set();
    const look = () => {
        const now = document.querySelector(".stage") ?? stage;
        const places = parts.map((name) => now.querySelector(`[data-part="${name}"]`)?.getBoundingClientRect());
        if (places.every(Boolean)) window.placesSeen.add(places.map(({ x, y }) => [x, y].map(Math.round)).join(" "));
        requestAnimationFrame(look);
    };
    look();
}"""


@pytest.mark.slow
def test_nothing_moves_from_scene_to_scene(stage, lecture):
    lecture.open("idea", 10)
    stage.rest()
    stage.element.evaluate(WATCH_PLACES)
    for number in (11, 12):  # another run, and one that takes longer to compute
        lecture.press("next →")
        lecture.wait("idea", number)
        stage.rest()
    (only_one,) = stage.page.evaluate("() => [...window.placesSeen]")
    assert only_one
