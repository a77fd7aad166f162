"""What a browser sends as the stage's question can be anything: it becomes the nearest question there is, or none."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from treeviz.stage.frames import MAX_FRAMES_AN_ANSWER
from treeviz.stage.question import Question
from treeviz.stage.view import View
from treeviz.training.background import MAX_ITERATIONS

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.integers(0, 99),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)
PARTS = st.sampled_from(["view", "wanted", "fields", "cursor", "nonce", "neuron", "moments", "weights", "other"])
VIEWS = st.dictionaries(st.sampled_from(["tree", "detail", "opened", "pinned"]), JUNK)


def is_iteration(number):
    return type(number) is int and 0 <= number < MAX_ITERATIONS


@given(st.dictionaries(PARTS, JUNK | VIEWS))
def test_no_question_is_too_strange(asked):
    question = Question.read({**asked, "run": "here"}, "here", num_points=7, width=100)
    assert question.view.tree in range(7)
    for numbers in (question.wanted, question.fields):
        assert len(numbers) <= MAX_FRAMES_AN_ANSWER and all(map(is_iteration, numbers))
    assert question.cursor is None or is_iteration(question.cursor)
    assert question.neuron is None or question.neuron in range(100)
    assert question.weights is None or is_iteration(question.weights)
    assert len(question.moments) <= MAX_FRAMES_AN_ANSWER
    assert all(moment == MAX_ITERATIONS or is_iteration(moment) for moment in question.moments)
    json.dumps(question.nonce, allow_nan=False)


@given(JUNK)
def test_what_is_no_question_about_this_run_is_none(asked):
    assert Question.read(asked, "here", num_points=7, width=100) is None


def test_a_question_is_read_as_it_was_asked():
    view = {"tree": 3, "detail": 255, "opened": [5, 9], "pinned": 4}
    asked = {"run": "here", "view": view, "wanted": [2, 5], "fields": [5], "cursor": 5, "nonce": 17}
    expected = Question(View(3, 255, (5, 9), 4), (2, 5), (5,), 5, 17)
    assert Question.read(asked, "here", num_points=7, width=100) == expected
    assert Question.read({**asked, "weights": 4}, "here", num_points=7, width=100).weights == 4
    far = {"run": "here", "view": 5, "wanted": [math.inf, -9, 2.9, "3"], "fields": [1] * 10**6, "cursor": 10**9}
    assert Question.read(far, "here", 7, 100) == Question(
        View(), (MAX_ITERATIONS - 1, 0, 2), (1,), MAX_ITERATIONS - 1, 0
    )


# Nested no deeper than Python's JSON can read: what it cannot read, or is no JSON at all, breaks its own session inside
# Streamlit before any of our code runs, again at every message, until the page is reloaded. Other sessions go on.
FORGED = [
    '{"asked": {"run": 1e999, "nonce": NaN, "view": []}}',
    '{"asked": {"run": "RUN", "nonce": {}, "view": [], "wanted": [[]], "fields": null, "cursor": "x"}}',
    '{"asked": {"run": "RUN", "view": {"tree": 1e999}, "wanted": [0, 1e999], "fields": [{}], "cursor": -Infinity}}',
    '{"asked": {"run": "RUN", "view": ' + '{"a":' * 300 + "1" + "}" * 300 + "}}",
    '{"asked": [' + "[" * 300 + "]" * 300 + "]}",
    "[]",
]


@pytest.mark.parametrize("text", FORGED)
def test_a_forged_question_is_answered_by_the_page(monkeypatch, text):
    from treeviz.stage.frames import FrameMaker

    keys, real = [], FrameMaker.__init__

    def note_key(maker, *arguments, **options):
        real(maker, *arguments, **options)
        keys.append(maker.run_key)

    monkeypatch.setattr(FrameMaker, "__init__", note_key)
    app = AppTest.from_string("from treeviz.pages.entry import run\nrun()", default_timeout=60)
    app.query_params.update({"data": "circle", "width": "64", "seed": str(1000 + FORGED.index(text))})
    app.run()
    assert app.metric and not app.exception
    states = WidgetStates()
    stage = states.widgets.add()
    stage.id = app.session_state._state._state._key_id_mapper.get_id_from_key("stage")
    stage.json_value = text.replace("RUN", keys[-1])
    app = app._run(states)
    assert not app.exception and app.metric
