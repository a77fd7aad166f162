"""Choices of the viewer, and those made for the viewer, in whatever order messages of the browser arrive."""

from types import SimpleNamespace

import pytest

from treeviz.pages import choices, settings
from treeviz.pages.choices import have_choices_changed, insist_on_choices, keep_choices, set_choices


class State(dict):
    """The state of a session, as Streamlit has it."""

    def __getattr__(self, key):
        return self[key]

    def __setattr__(self, key, value):
        self[key] = value


@pytest.fixture
def state(monkeypatch):
    state = State(data="circle", width=64, seed=0, plays=0)
    for module in (choices, settings):
        monkeypatch.setattr(module, "st", SimpleNamespace(session_state=state))
    draw(is_stage=True)
    return state


def draw(*, is_stage):
    """The whole script, in which the fragment runs once."""
    insist_on_choices(is_stage=is_stage)
    keep_choices()
    assert not have_choices_changed()


def hear(state, **values):
    """A message of the stage, with what the browser has of all widgets; return whether the whole script has to run."""
    state.update(values)
    return have_choices_changed()


def test_what_comes_with_a_message_of_the_stage_is_a_choice(state):
    assert not hear(state)
    assert hear(state, seed=5)
    draw(is_stage=True)
    assert state.seed == 5 and not hear(state)
    assert hear(state, poll_wanted="open"), "a key that was not there yet"


def test_a_message_on_its_way_takes_back_nothing_that_was_chosen_for_the_viewer(state):
    for seed in (3, 4):  # two scenes, quickly one after the other
        set_choices({"seed": seed, "fault": "stale-maximum", "width": 64})
        draw(is_stage=True)
    for old in (0, 3):
        assert not hear(state, seed=old)
        draw(is_stage=True)  # as when the message is taken together with a run that was asked for
        assert (state.seed, state.fault) == (4, "stale-maximum")
    assert hear(state, seed=7, fault="stale-maximum"), "neither what was chosen nor what it replaced"
    draw(is_stage=True)
    assert state.seed == 7


def test_what_was_replaced_can_be_chosen_once_the_browser_has_what_replaced_it(state):
    set_choices({"seed": 3})
    draw(is_stage=True)
    assert not hear(state, seed=3)
    assert hear(state, seed=0)
    draw(is_stage=True)
    assert state.seed == 0


def test_what_was_replaced_can_be_chosen_on_another_page(state):
    set_choices({"width": 128})
    state.width = 64  # of a message on its way
    draw(is_stage=False)
    assert state.width == 128
    state.width = 64
    draw(is_stage=False)
    assert state.width == 64


def test_a_setting_that_was_not_chosen_before_is_none_again(state):
    set_choices({"skin": 0.5})
    draw(is_stage=True)
    set_choices({"skin": None, "seed": None})
    assert "skin" not in state and "seed" not in state
    state.update(skin=0.5, seed=0)
    draw(is_stage=True)
    assert "skin" not in state and "seed" not in state
