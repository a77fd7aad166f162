"""A class poll in a real browser: a teacher, and students with phones, each in a browser of their own."""

import re
from contextlib import contextmanager

import pytest
from accessibility import serious_findings
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
STOP_LOOKING = "() => { for (let timer = setInterval(() => {}, 1e9); timer > 0; timer--) clearInterval(timer); }"
LETTERS = """poll => [...poll.querySelectorAll("*")]
    .filter((part) => [...part.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.data.trim()))
    .map((part) => parseFloat(getComputedStyle(part).fontSize))"""


class Teacher:
    """The lesson of a stage, with what a poll adds to it."""

    def __init__(self, stage):
        self.stage, self.page, self.box = stage, stage.page, stage.part("lesson")

    def open(self, scene, lesson="idea"):
        self.stage.open(f"lesson={lesson}&scene={scene}")
        self.press("open a poll")
        self.box.locator(".join-code").wait_for()
        return self

    def press(self, name):
        self.box.get_by_role("button", name=name, exact=True).click()

    @property
    def code(self):
        return self.box.locator(".join-code").inner_text()

    def wait_for(self, words):
        expect(self.box.locator(".poll-count")).to_have_text(words)
        return self

    @property
    def bars(self):
        """(label, answers, whether it is marked as right) of every bar."""
        found = []
        for row in self.box.get_by_role("listitem").all():
            match = re.fullmatch(r"(.*): (\d+) of \d+(, right)?", row.get_attribute("aria-label"))
            found.append((match[1], int(match[2]), bool(match[3])))
        return found


class Student:
    """A phone at the page of a poll."""

    def __init__(self, page, url):
        self.page, self.url = page, url

    def join(self, code):
        self.page.goto(f"{self.url}/?poll={code}")
        self.page.get_by_role("button", name="Send").wait_for()
        return self

    def send(self):
        self.page.get_by_role("button", name="Send").click()

    def choose(self, text):
        self.page.get_by_text(text, exact=True).click()
        self.send()
        self.wait_for(f"Counted: {text}")

    def wait_for(self, words):
        expect(self.page.locator("body")).to_contain_text(words, use_inner_text=True)  # else it says what is there


@contextmanager
def phones(chromium, url, count, **options):
    contexts = [chromium.new_context(**PHONE, **options) for _ in range(count)]
    try:
        for context in contexts:
            context.set_default_timeout(30_000)
        yield [Student(context.new_page(), url) for context in contexts]
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def teacher(stage):
    return Teacher(stage)


@pytest.mark.slow
def test_a_class_chooses_and_the_teacher_shows_what_is_right(teacher, server, chromium):
    teacher.open(2)
    assert not teacher.box.get_by_text("1.0, its inner product", exact=True).first.is_visible()  # the scene's own form
    teacher.wait_for("No answer yet")
    assert server.removeprefix("http://") + "/?poll" in teacher.box.inner_text()
    assert "Only this computer can open this address" in teacher.box.inner_text()
    with phones(chromium, server, 2) as (first, second):
        first.join(teacher.code).choose("nothing: it does not fire")
        teacher.wait_for("1 answer")
        second.page.goto(f"{server}/?poll")
        second.page.get_by_label("Code on the screen").fill(f" {teacher.code[:2].lower()}-{teacher.code[2:]} ")
        second.page.get_by_role("button", name="Join").click()
        second.choose("1.0, its inner product")
        teacher.wait_for("2 answers")
        assert [times for _, times, _ in teacher.bars] == [1, 0, 1]
        second.choose("something positive, because it fires")  # a change of mind
        second.page.reload()
        second.wait_for("Counted: something positive, because it fires")
        second.choose("nothing: it does not fire")  # of the same student, although the page is new
        expect(teacher.box.get_by_role("listitem").last).to_have_attribute("aria-label", re.compile(": 2 of 2$"))
        teacher.wait_for("2 answers")
        assert not any(is_right for *_, is_right in teacher.bars)
        teacher.press("show the right answer")
        teacher.wait_for("2 answers, 2 right")
        assert [bar[1:] for bar in teacher.bars] == [(0, False), (0, False), (2, True)]
        assert "Right: “nothing: it does not fire”." in teacher.box.inner_text()
        for student in (first, second):
            student.wait_for("Right: nothing: it does not fire")
            student.wait_for("The right answer: nothing: it does not fire")
            student.wait_for("A neuron fires exactly where w·x ≥ b.")
            expect(student.page.get_by_role("button", name="Send")).to_have_count(0)
        teacher.press("close the poll")
        teacher.box.get_by_role("radio", name="1.0, its inner product").wait_for()
        first.wait_for("This poll is closed.")
        second.wait_for("This poll is closed.")  # by itself


@pytest.mark.slow
def test_a_student_has_a_page_that_is_light_and_refuses_in_words(teacher, server, chromium):
    code = teacher.open(1).code
    with phones(chromium, server, 1, color_scheme="dark") as (student,):
        page = student.page
        student.join(code)
        for part in ("stSidebar", "stTopNavLink", "stException"):
            assert page.get_by_test_id(part).count() == 0
        assert page.locator(".stage").count() == 0 and page.get_by_text("Glossary").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for wrong in ("nan", "inf", "1e400", "many", ""):
            page.get_by_label("Your estimate").fill(wrong)
            student.send()
            student.wait_for("Write a number")
            assert page.get_by_text("Counted").count() == 0
        page.get_by_label("Your estimate").fill("1,024")
        student.send()
        student.wait_for("Counted: 1,024")
        assert page.get_by_text("Write a number").count() == 0
        assert serious_findings(page) == []
        teacher.wait_for("1 answer")
        for forged in ("BBBBB", "B" * 500, "'; DROP TABLE poll; --", "<b>"):
            page.goto(f"{server}/?poll={forged}")
            page.get_by_text(re.compile("There is no open poll with the code")).wait_for()
        page.goto(f"{server}/?poll=")
        page.get_by_label("Code on the screen").wait_for()
        assert page.get_by_test_id("stAlert").count() == 0
        assert serious_findings(page) == []
    assert teacher.bars == [("1,024", 1, False)]


SHOWN = "[data-testid=stMain]"
OPTION = "nothing: it does not fire"


@pytest.mark.slow
def test_phones_learn_what_is_right_when_the_class_does_and_not_before(teacher, server, chromium):
    """One answers right, one wrong, one too late, one not at all; what the server sends them is read."""
    code = teacher.open(2).code
    with phones(chromium, server, 4) as students:
        received = []
        for student in students:
            student.page.on("websocket", lambda it: it.on("framereceived", lambda frame: received.append(frame)))
            student.join(code)
        right, wrong, late, silent = students
        right.choose(OPTION)
        wrong.choose("1.0, its inner product")
        late.page.get_by_text(OPTION, exact=True).click()
        late.page.evaluate(STOP_LOOKING)
        teacher.wait_for("2 answers")
        frames = [frame if isinstance(frame, bytes) else frame.encode() for frame in received]
        assert any(b"does not fire" in frame for frame in frames)  # they are read
        assert not any(b"fires exactly where" in frame for frame in frames)
        teacher.press("show the right answer")
        teacher.wait_for("2 answers, 1 right")
        right.page.get_by_text(f"Right: {OPTION}", exact=True).wait_for(timeout=5000)
        wrong.page.get_by_text("Not right: 1.0, its inner product", exact=True).wait_for(timeout=5000)
        late.send()
        late.wait_for("The right answer has been shown, so no other answer is taken.")
        for student in (late, silent):
            student.page.get_by_text("You have given no answer.").wait_for(timeout=5000)
        for student in students:
            expect(student.page.locator(SHOWN)).to_contain_text(f"The right answer: {OPTION}")
            expect(student.page.locator(SHOWN)).to_contain_text("A neuron fires exactly where w·x ≥ b.")
            expect(student.page.get_by_role("radio")).to_have_count(0)
            assert student.page.evaluate("document.documentElement.scrollWidth") <= 390
            assert serious_findings(student.page) == []
        wrong.page.reload()
        wrong.wait_for("Not right: 1.0, its inner product")
    teacher.wait_for("2 answers, 1 right")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "given", "verdict"),
    [(1, "512", "Right: 512"), (1, "64", "Not right: 64"), (3, None, "Not right: node 8: ")],
)
def test_phones_say_what_to_do_and_what_is_right_for_each_kind(teacher, server, chromium, scene, given, verdict):
    code = teacher.open(scene).code
    with phones(chromium, server, 1, color_scheme="dark") as (student,):
        shown = student.join(code).page.locator(SHOWN)
        assert "click" not in shown.inner_text().lower() and "point at" not in shown.inner_text().lower()
        if given is None:
            expect(shown).to_contain_text("Tap nodes to choose them")
            student.page.get_by_role("button", name=re.compile(r"^node 8: ")).click()
        else:
            student.page.get_by_label("Your estimate").fill(given)
        student.send()
        teacher.wait_for("1 answer")
        teacher.press("show the right answer")
        student.wait_for(verdict)
        expect(shown).to_contain_text("The right answer: " + ("512" if given else "node 8: "))
        assert serious_findings(student.page) == []


@pytest.mark.slow
def test_nodes_are_chosen_on_phones_and_shown_in_a_lecture(teacher, server, chromium):
    page = teacher.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    code = teacher.open(3).code
    with phones(chromium, server, 2) as (first, second):
        for student, nodes in ((first, (8, 9)), (second, (9, 15))):
            student.join(code)
            for node in nodes:
                student.page.get_by_role("button", name=re.compile(rf"^node {node}: ")).click()
            student.send()
            student.wait_for("Counted: node")
        teacher.wait_for("2 answers")
    assert {label.split(":")[0]: times for label, times, _ in teacher.bars} == {
        f"node {node}": {8: 1, 9: 2, 15: 1}.get(node, 0) for node in range(8, 16)
    }
    assert serious_findings(page) == []
    teacher.stage.element.focus()
    teacher.stage.press("l")
    page.locator(".stage.lecture").wait_for()
    assert min(teacher.box.locator(".poll").evaluate(LETTERS)) >= 24
    assert teacher.stage.nodes_with("right-node") == set()
    teacher.press("show the right answer")
    teacher.wait_for("2 answers, 0 right")
    right = {int(label.split(":")[0].removeprefix("node ")) for label, _, is_right in teacher.bars if is_right}
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert right and teacher.stage.nodes_with("right-node") == right
    last = teacher.box.get_by_role("listitem").last.bounding_box()
    assert last["y"] + last["height"] < 1080


@pytest.mark.slow
def test_a_poll_ends_with_its_scene_and_the_next_has_the_same_code(teacher, server, chromium):
    code = teacher.open(1).code
    with phones(chromium, server, 1) as (student,):
        student.join(code)
        student.page.get_by_label("Your estimate").fill("512")
        student.page.evaluate(STOP_LOOKING)
        teacher.press("next →")
        teacher.box.get_by_role("heading", name="Which neurons fire").wait_for()
        expect(teacher.box.locator(".join-code")).to_have_count(0)
        student.send()  # too late
        student.wait_for("This poll is closed.")
        teacher.press("open a poll")
        teacher.box.locator(".join-code").wait_for()
        assert teacher.code == code
        student.page.get_by_text("nothing: it does not fire").wait_for()  # the next question has come by itself
        assert student.page.get_by_test_id("stAlert").count() == 0
        student.choose("nothing: it does not fire")
        teacher.wait_for("1 answer")
        teacher.press("leave")
        teacher.box.wait_for(state="hidden")
        student.wait_for("This poll is closed.")


@pytest.mark.slow
def test_control_is_with_the_teacher_alone(teacher, server, chromium):
    """Another teacher's scene has no poll, and what a browser sends by itself neither opens nor closes one."""
    code = teacher.open(2).code
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"{server}/?lesson=idea&scene=2")
        page.get_by_role("button", name="open a poll").click()
        page.locator(".join-code").wait_for()
        assert page.locator(".join-code").inner_text() != code
        page.get_by_role("button", name="close the poll").click()
        page.get_by_role("button", name="open a poll").wait_for()
    finally:
        context.close()
    with phones(chromium, server, 1) as (student,):
        student.join(code).choose("nothing: it does not fire")
        teacher.wait_for("1 answer")


LEAVES = """
title = "Leaves"
summary = "S"
[[scene]]
title = "one"
text = "T"
settings = {{ data = "circle", width = {width} }}
[scene.question]
kind = "click"
ask = "Which **leaves** fire, [all](http://example.org) `of` them?"
why = "W"
find = "firing"
"""


@pytest.mark.slow
def test_leaves_of_a_lesson_of_ones_own_are_polled_unless_they_are_too_many(teacher, server, chromium):
    page = teacher.page
    for width in (256, 64):
        teacher.stage.open("data=circle&width=64")
        page.get_by_role("button", name="Lessons").click()
        file = {"name": f"{width}.toml", "mimeType": "text/plain", "buffer": LEAVES.format(width=width).encode()}
        page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(file)
        page.get_by_role("button", name="Open “Leaves”").click()
        teacher.box.get_by_role("heading", name="one", exact=True).wait_for()
        teacher.press("open a poll")
        if width > 128:
            teacher.box.get_by_text("No poll could be opened: 256 nodes are too many to choose from").wait_for()
    teacher.box.locator(".join-code").wait_for()
    assert "too many" not in teacher.box.inner_text()
    with phones(chromium, server, 1) as (student,):
        student.join(teacher.code)
        asked = student.page.get_by_role("heading").inner_text()
        assert asked == "Which leaves fire, [all](http://example.org) of them?"
        links = student.page.get_by_test_id("stMain").get_by_role("link").all()
        assert {link.inner_text() for link in links} <= {"http://example.org"}  # none is called by another name
        assert student.page.evaluate("document.documentElement.scrollWidth") <= 390
        for neuron in (0, 7, 63):
            student.page.get_by_role("button", name=re.compile(rf"^neuron {neuron}: ")).click()
        student.send()
        student.wait_for("Counted: neuron 0")
        teacher.wait_for("1 answer")
    chosen = [label.split(":")[0] for label, times, _ in teacher.bars if times]
    assert chosen == ["neuron 0", "neuron 7", "neuron 63"] and len(teacher.bars) == 12
    assert "52 others not shown" in teacher.box.inner_text()
