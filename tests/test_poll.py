"""Class polls without a browser: which answers fit, how they are counted, and what the store keeps and forgets."""

import json
import math
import multiprocessing
import re
import threading

import numpy as np
import pytest
from hypothesis import given as tried_with
from hypothesis import strategies as some

from treeviz.lesson.poll import store
from treeviz.lesson.poll.asked import LARGEST, MAX_OPTIONS, Asked, as_asked, read_answer, read_number, write_answer
from treeviz.lesson.poll.counts import MAX_BARS, count_answers
from treeviz.lesson.poll.solution import Solution, as_solution, is_near
from treeviz.lesson.poll.store import (
    CODE_LENGTH,
    CODE_LETTERS,
    LIFE_SECONDS,
    MAX_ANSWERS,
    MAX_CHANGES,
    MAX_POLLS,
    UNSEEN_SECONDS,
    Opened,
    Polls,
)
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.questions import Choose, Click, Estimate, Option, describe
from treeviz.pages import poll, poll_answer

CHOOSE = Asked("choose", "Which?", ("a", "b", "c"))
CLICK = Asked("click", "Which ones?", tuple(f"node {place}" for place in range(20)))
ESTIMATE = Asked("estimate", "How many?", unit="%")

# ---- answers ----


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("131,071", 131_071),
        ("1,234,567.5", 1_234_567.5),
        ("0,5", 0.5),
        ("2,5", 2.5),
        ("0,125", 0.125),
        (".5", 0.5),
        (" 12 % ", 12),
        ("−3", -3),
        ("1e6", 1e6),
        ("-0", 0),
        ("1e-300", 0),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_a_number_is_read_as_people_write_it(text, number):
    found = read_number(text)
    assert found == number and math.copysign(1, found) == (-1 if number < 0 else 1)


NO_NUMBERS = (
    *(
        "",
        "many",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e16",
        "1,2,3",
        "0x10",
        "1_000",
        "٣",
        "1" * 400,
        "5; DROP TABLE poll",
    ),
    *(math.nan, math.inf, -math.inf, 10**400, 2e15, True, None, [1], {"a": 1}, b"1"),
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"^Write a number"):
        read_number(text)


@pytest.mark.parametrize("given", [None, "0", "a", -1, 3, 1.0, True, [0], math.nan, 10**30, {}])
def test_what_is_no_option_is_refused_in_words(given):
    with pytest.raises(ValueError, match="Choose one of the answers"):
        read_answer(CHOOSE, given)


NO_NODES = (None, [], (), 0, "01", [20], [-1], [0, "1"], [True], [0] * 21, [[0]], {0: 1}, [math.nan])


@pytest.mark.parametrize("given", NO_NODES)
def test_what_are_no_nodes_is_refused_in_words(given):
    with pytest.raises(ValueError, match="Choose "):
        read_answer(CLICK, given)


def test_an_answer_is_read_and_written():
    assert read_answer(CHOOSE, 2) == 2 and write_answer(CHOOSE, 2) == "c"
    assert read_answer(CLICK, [3, 1, 3]) == (1, 3) and write_answer(CLICK, (1, 3)) == "node 1, node 3"
    assert write_answer(ESTIMATE, read_answer(ESTIMATE, "1,200")) == "1,200 %"


def test_a_question_that_is_too_long_is_refused():
    for fields in ({"ask": "?" * 3000}, {"options": ("x" * 500,)}, {"options": ("x",) * (MAX_OPTIONS + 1)}):
        with pytest.raises(ValueError, match=r"poll takes at most|too long for a poll"):
            Asked(**{"kind": "click", "ask": "?", **fields})
    with pytest.raises(ValueError, match="of the kind"):
        Asked("guess", "?")


def test_students_are_asked_without_the_right_answer(circle):
    moment = TreeMoment(circle, 0, 0)
    options = (Option("yes: {width}", "width > 3"), Option("no", False))
    choose = as_asked(describe(Choose("A {firing}?", "W", options), moment), moment)
    assert choose == Asked("choose", moment.fill("A {firing}?"), ("yes: 64", "no"))
    estimate = as_asked(describe(Estimate("E?", "W", "visited_share"), moment), moment)
    assert estimate == Asked("estimate", "E?", unit="%")
    click = as_asked(describe(Click("C?", "W", "entered", 6), moment), moment)
    assert [text.split(":")[0] for text in click.options] == [f"neuron {place}" for place in range(64)]
    values = [float(text.split(": ")[1].replace("\N{MINUS SIGN}", "-")) for text in click.options]
    np.testing.assert_allclose(values, moment.step.before[64:], atol=6e-4)
    threshold = moment.step.threshold
    assert [value >= threshold for value in values] == (moment.step.before[64:] >= threshold).tolist()
    for asked in (choose, estimate, click):
        assert Asked.from_json(asked.to_json()) == asked
        assert set(json.loads(asked.to_json())) == {"kind", "ask", "options", "unit"}


def test_the_solution_is_that_of_the_scene(circle):
    """Of every kind of question: what it accepts is what the question itself says is right."""
    moment = TreeMoment(circle, 0, 0)
    choose = as_solution(describe(Choose("A?", "of {width}", (Option("n", False), Option("y", "width > 3"))), moment))
    assert choose == Solution(1, "of 64") and choose.accepts(1) and not choose.accepts(0) and not choose.accepts((1,))
    estimate = as_solution(describe(Estimate("E?", "W", "visited", within=2.0), moment))
    visited = moment.step.visited.size
    assert estimate.accepts(visited) and estimate.accepts(1.9 * visited) and not estimate.accepts(2.1 * visited)
    question = describe(Click("C?", "W", "firing"), moment)
    click = as_solution(question)
    names = as_asked(question, moment).options
    fires = {f"neuron {neuron}" for neuron in moment.step.firing}
    assert {names[place].split(":")[0] for place in click.right} == fires
    assert click.accepts(click.right) and not click.accepts(click.right[1:]) and not click.accepts((*click.right, 63))
    hunt = as_solution({**question, "reasons": {}})  # for a wrong node: one is enough
    assert hunt.accepts(click.right) and hunt.accepts(click.right[1:]) and not hunt.accepts((click.right[0], 63))
    for solution in (choose, estimate, click, hunt):
        assert Solution.from_json(solution.to_json()) == solution


# ---- counts ----


def test_choices_are_counted():
    counts = count_answers(CHOOSE, Solution(1, "W"), [0, 1, 1, 2, 1])
    assert [(bar.label, bar.count, bar.is_right) for bar in counts.bars] == [
        ("a", 1, False),
        ("b", 3, True),
        ("c", 1, False),
    ]
    assert (counts.num_answers, counts.num_right) == (5, 3)


@tried_with(some.lists(some.sets(some.integers(0, 19), min_size=1), max_size=40), some.sets(some.integers(0, 19)))
def test_nodes_are_counted_as_by_hand(chosen, right):
    candidates = [100 + place for place in range(20)]
    question = {"kind": "click", "why": "W", "candidates": candidates, "right": [100 + place for place in right]}
    counts = count_answers(CLICK, as_solution(question), [tuple(sorted(one)) for one in chosen])
    times = {f"node {place}": sum(place in one for one in chosen) for place in range(20)}
    assert len(counts.bars) == MAX_BARS and counts.num_left_out == 20 - MAX_BARS
    for bar in counts.bars:
        assert bar.count == times.pop(bar.label) and bar.is_right == (int(bar.label[5:]) in right)
    assert max(times.values()) <= min(bar.count for bar in counts.bars)
    places = [int(bar.label[5:]) for bar in counts.bars]
    assert places == sorted(places)
    assert (counts.num_answers, counts.num_right) == (len(chosen), sum(one == right for one in chosen))


SIZES = some.one_of(
    some.integers(-20, 20).map(float),
    some.floats(-LARGEST, LARGEST),
    some.floats(0, 1000),
    some.integers(0, 15).map(lambda power: 10.0**power),
    some.integers(0, 40).map(lambda more: LARGEST - more),
).map(read_number)
BAR = re.compile(r"under (?P<below>.+)|(?P<from>.+) or more|(?P<low>.+) to under (?P<high>.+)|(?P<only>.+)")


def reach(label):
    """Return the lowest number that a bar counts, the first above that it does not, and whether it is of one number."""
    found = {
        name: float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))
        for name, text in BAR.fullmatch(label).groupdict().items()
        if text
    }
    if "only" in found:
        return found["only"], found["only"], True
    return found.get("from", found.get("low", -math.inf)), found.get("below", found.get("high", math.inf)), False


@tried_with(some.lists(SIZES, max_size=60), SIZES, some.sampled_from([1.0, 1.5, 2.0, 10.0]))
def test_numbers_are_counted_as_by_hand(numbers, right, within):
    counts = count_answers(ESTIMATE, Solution(right, "W", within), numbers)
    assert sum(bar.count for bar in counts.bars) == len(numbers) == counts.num_answers
    assert counts.num_right == sum(is_near(number, right, within) for number in numbers)
    assert len(counts.bars) <= 12
    reaches = [reach(bar.label) for bar in counts.bars]
    is_binned = any(not is_one for *_, is_one in reaches)
    assert is_binned == (len(set(numbers)) > 8)
    for bar, (low, high, is_one) in zip(counts.bars, reaches, strict=True):
        if is_one:
            own = [number for number in numbers if math.isclose(number, low, rel_tol=1e-11)]
            assert bar.count <= len(own)
        else:
            assert bar.count == sum(low <= number < high for number in numbers)
            assert bar.is_right == (low <= right < high)
    if is_binned:
        lows = [low for low, *_ in reaches]
        assert lows == sorted(set(lows))


def test_bins_are_round_and_a_wild_answer_moves_none():
    """A third of a class may be wrong; one who writes 10¹⁵ must not make one bar of all others."""
    rng = np.random.default_rng(0)
    numbers = [float(number) for number in rng.integers(300, 800, 40)]
    labels = [bar.label for bar in count_answers(ESTIMATE, Solution(512, "W", 2), numbers).bars]
    assert {"300 to under 400", "500 to under 600", "700 to under 800"} <= set(labels) and len(labels) <= 9
    wild = count_answers(ESTIMATE, Solution(512, "W", 2), [*numbers, 1e15, -1e15])
    assert [bar.label for bar in wild.bars if "to under" in bar.label] == [label for label in labels if "to" in label]
    powers = [float(2**power) for power in range(21)]
    labels = [bar.label for bar in count_answers(ESTIMATE, Solution(512, "W", 2), powers).bars]
    assert "100 to under 1,000" in labels and "1,000 to under 10,000" in labels


def test_an_estimate_is_near_as_the_stage_says():
    assert is_near(256, 512, 2) and is_near(1024, 512, 2) and not is_near(255, 512, 2) and not is_near(1025, 512, 2)
    assert not is_near(-512, 512, 2) and not is_near(0, 512, 2) and is_near(0, 0, 2) and not is_near(1, 0, 2)


# ---- the store ----


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def polls(clock):
    return Polls(clock=clock)


def test_a_poll_is_opened_answered_changed_and_closed(polls):
    opened = polls.open(CHOOSE)
    assert len(opened.code) == CODE_LENGTH and set(opened.code) <= set(CODE_LETTERS)
    found = polls.find(opened.code)
    assert (found.asked, found.solution) == (CHOOSE, None)
    number = found.number
    assert polls.answer_of(number, "s") is None
    assert polls.answer(number, "s", 1) == 1
    polls.answer(number, "t", 0)
    polls.answer(number, "s", 2)
    assert polls.answer_of(number, "s") == 2
    assert sorted(polls.look(opened)) == [0, 2]
    polls.close(opened)
    assert polls.find(opened.code) is None and polls.look(opened) is None
    with pytest.raises(ValueError, match="closed"):
        polls.answer(number, "s", 1)


def test_control_is_with_the_session_that_opened_it(polls):
    opened = polls.open(CHOOSE)
    number = polls.find(opened.code).number
    polls.answer(number, "s", 1)
    other = polls.open(CHOOSE)
    for control in ("", "%", other.control, "' OR 1 --"):
        forged = Opened(number, opened.code, control)
        assert polls.look(forged) is None
        polls.close(forged)
        polls.reveal(forged, Solution(0, "W"))
    assert polls.look(opened) == [1]
    assert polls.find(opened.code).solution is None


def test_an_answer_that_does_not_fit_changes_nothing(polls):
    opened = polls.open(CHOOSE)
    polls.answer(opened.number, "s", 1)
    for given in (3, "1", math.nan, None):
        with pytest.raises(ValueError):
            polls.answer(opened.number, "s", given)
    assert polls.look(opened) == [1]


def test_a_code_is_found_as_it_is_and_no_other_way(polls):
    opened = polls.open(CHOOSE)
    for code in ("", opened.code.lower(), opened.code[:-1], "%", "_____", "' OR '1'='1"):
        assert polls.find(code) is None


def test_a_code_is_kept_for_the_next_poll_but_never_twice(polls):
    first = polls.open(CHOOSE)
    second = polls.open(CLICK, first.code)
    assert second.code != first.code
    polls.close(second)
    polls.close(first)
    third = polls.open(CLICK, first.code)
    assert third.code == first.code and third.number != first.number
    for closed in (first, second):
        with pytest.raises(ValueError, match="closed"):  # a form of the poll before
            polls.answer(closed.number, "s", 1)
    assert polls.look(third) == []


def test_polls_answers_and_changes_are_bounded(polls):
    opened = [polls.open(CHOOSE) for _ in range(MAX_POLLS)]
    assert len({one.code for one in opened}) == MAX_POLLS
    with pytest.raises(ValueError, match="20 polls are open on this server"):
        polls.open(CHOOSE)
    polls.close(opened[0])
    polls.open(CHOOSE)
    number = opened[1].number
    for student in range(MAX_ANSWERS):
        polls.answer(number, str(student), 0)
    with pytest.raises(ValueError, match="full"):
        polls.answer(number, "one more", 0)
    for change in range(MAX_CHANGES):
        polls.answer(number, "7", (change + 1) % 2)
    polls.answer(number, "7", 0)  # nothing has changed
    with pytest.raises(ValueError, match="changed 50 times"):
        polls.answer(number, "7", 1)
    assert polls.look(opened[1]) == [0] * MAX_ANSWERS


def test_a_poll_ends_with_its_time_or_when_its_teacher_has_gone(polls, clock):
    opened = polls.open(CHOOSE)
    for _ in range(int(LIFE_SECONDS / UNSEEN_SECONDS * 2) - 1):
        clock.now += UNSEEN_SECONDS / 2
        assert polls.look(opened) == []
        assert polls.find(opened.code)
    clock.now += UNSEEN_SECONDS / 2
    assert polls.find(opened.code) is None
    with pytest.raises(ValueError, match="closed"):
        polls.answer(opened.number, "s", 0)
    assert polls.look(opened) is None
    left = polls.open(CHOOSE)
    clock.now += UNSEEN_SECONDS
    assert polls.find(left.code) is None and polls.look(left) is None


def test_old_polls_go_although_no_one_asks(tmp_path, monkeypatch):
    """Also from a file: what was answered cannot be read from its bytes afterwards."""
    monkeypatch.setattr(store, "UNSEEN_SECONDS", 0.3)
    path = tmp_path / "polls.sqlite"
    polls = Polls(str(path))
    opened = polls.open(Asked("choose", "a question that is secret", ("a", "b")))
    polls.answer(opened.number, "token-of-a-student", 1)
    assert b"token-of-a-student" in path.read_bytes()
    first = polls._sweeper
    while first.is_alive():  # its teacher is still there when the first sweep comes
        assert polls.look(opened) == [1]
        first.join(0.05)
    for _ in range(10):  # sweeps; most often one is enough
        if (sweeper := polls._sweeper) is not None:
            sweeper.join(10)
    assert polls.find(opened.code) is None
    kept = path.read_bytes()
    assert b"token-of-a-student" not in kept and b"secret" not in kept and opened.code.encode() not in kept


def test_nothing_is_left_in_the_file_of_a_poll_that_is_closed(tmp_path):
    path = tmp_path / "polls.sqlite"
    polls = Polls(str(path))
    opened = polls.open(CHOOSE)
    for student in range(100):
        polls.answer(opened.number, f"student-{student}", 1)
    assert b"student-7" in path.read_bytes()
    polls.close(opened)
    kept = path.read_bytes()
    assert b"student-" not in kept and opened.control.encode() not in kept
    assert [file.name for file in tmp_path.iterdir()] == ["polls.sqlite"]


# ---- several processes, several threads ----

STUDENTS, ROUNDS = 60, 4


def answer_all(path, code, first, errors):
    """A process: its students answer, and change their answers; each second student is one of the other process too."""
    try:
        polls = Polls(path)
        number = polls.find(code).number

        def answer(student):
            for turn in range(ROUNDS):
                polls.answer(number, f"student-{student}", (student + turn) % 3)

        threads = [threading.Thread(target=answer, args=(first + student,)) for student in range(STUDENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except Exception as error:
        errors.put(repr(error))


@pytest.mark.slow
def test_processes_that_answer_at_once_lose_nothing_and_count_each_student_once(tmp_path):
    path = str(tmp_path / "polls.sqlite")
    polls = Polls(path)
    opened = polls.open(CHOOSE)
    spawn = multiprocessing.get_context("spawn")
    errors = spawn.Queue()
    firsts = (0, STUDENTS // 2)  # half of the students are seen by both
    processes = [spawn.Process(target=answer_all, args=(path, opened.code, first, errors)) for first in firsts]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        assert polls.look(opened) is not None  # as the teacher's page does
        processes[0].join(0.05)
    for process in processes:
        process.join()
    assert errors.empty(), errors.get()
    found = polls.look(opened)
    num_students = STUDENTS + STUDENTS // 2
    assert len(found) == num_students
    own = [polls.answer_of(opened.number, f"student-{student}") for student in range(num_students)]
    assert sorted(own) == sorted(found)
    assert own == [(student + ROUNDS - 1) % 3 for student in range(num_students)]


def test_the_last_places_go_to_just_as_many_students(polls):
    opened = polls.open(CHOOSE)
    for student in range(MAX_ANSWERS - 5):
        polls.answer(opened.number, str(student), 0)
    refused = []

    def answer(student):
        try:
            polls.answer(opened.number, f"late {student}", 1)
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=answer, args=(student,)) for student in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 15 and polls.look(opened).count(1) == 5


def test_what_is_right_is_known_to_none_before_it_is_shown_and_no_answer_is_taken_after(tmp_path):
    path = tmp_path / "polls.sqlite"
    polls, other_process = Polls(str(path)), Polls(str(path))
    opened = polls.open(CHOOSE)
    polls.answer(opened.number, "s", 0)
    solution = Solution(2, "because it is")
    assert other_process.find(opened.code).solution is None and b"because" not in path.read_bytes()
    polls.reveal(opened, solution)
    assert other_process.find(opened.code).solution == solution
    for student, given in (("s", 2), ("s", 0), ("t", 2)):
        with pytest.raises(ValueError, match="has been shown"):
            other_process.answer(opened.number, student, given)
    assert polls.look(opened) == [0] and polls.answer_of(opened.number, "s") == 0
    polls.close(opened)
    assert b"because" not in path.read_bytes()
    again = polls.open(CHOOSE, opened.code)
    assert polls.find(again.code).solution is None and polls.answer(again.number, "s", 1) == 1


def test_a_call_that_fails_is_taken_back(polls, monkeypatch):
    opened = polls.open(CHOOSE)
    monkeypatch.setattr(store, "read_answer", lambda *_: {1})  # JSON cannot hold it
    with pytest.raises(TypeError):
        polls.answer(opened.number, "s", 1)
    assert polls.look(opened) == []


# ---- the pages ----


@pytest.mark.parametrize(
    ("url", "home", "is_warned"),
    [
        ("http://localhost:8501/", "http://localhost:8501/", True),
        ("http://127.0.0.1:8501", "http://127.0.0.1:8501/", True),
        ("http://[::1]:8501/", "http://[::1]:8501/", True),
        ("http://192.168.1.20:8501/", "http://192.168.1.20:8501/", False),
        ("https://treeviz.example.org/treeviz/", "https://treeviz.example.org/treeviz/", False),
        ("http://localhost.example.org/", "http://localhost.example.org/", False),
    ],
)
def test_the_address_is_that_of_the_browser_and_says_if_no_one_else_can_open_it(url, home, is_warned):
    assert poll._home(url) == home
    assert bool(poll._warning(home)) == is_warned


@pytest.mark.parametrize("url", [None, "", "file:///tmp/a", "javascript:alert(1)", "http://", "http://a/" + "b" * 400])
def test_an_address_that_leads_nowhere_is_refused(url):
    with pytest.raises(ValueError, match="does not say at which address"):
        poll._home(url)


@pytest.mark.parametrize(("typed", "code"), [(" k7-pqm ", "K7PQM"), ("K7 PQM", "K7PQM"), ("<b>", "B"), ("*" * 99, "")])
def test_a_code_is_read_as_it_is_typed(typed, code):
    assert poll_answer._tidy(typed) == code


def test_a_text_of_a_lesson_is_shown_as_it_is_written():
    text = "**bold** `a_b` [link](http://x) **![p](http://x)** <b> $x$ :red[y]"
    assert poll_answer._marked(text) == (
        r"**bold** `a_b` \[link\](http://x) **!\[p\](http://x)** \<b\> \$x\$ \:red\[y\]"
    )
