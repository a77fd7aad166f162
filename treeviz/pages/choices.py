"""What is chosen beside the stage, by the viewer or for the viewer, in whatever order messages of the browser arrive.

The stage asks on its own, and what it sends holds the browser's values of all widgets: newer ones than the page has
drawn, where the viewer has chosen something in the same moment, or older ones, where a callback has just set them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from treeviz.pages.settings import setting_keys

# What else there is to choose beside the stage, where no callback leads to a page.
MENU = ("take-home", "take-home-address")  # whether the menu of files is open, and at which moment
_ELSEWHERE = {"glossary-search", "lesson-upload", "introduction", "plays", "poll_wanted", *MENU}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A setting chosen for the viewer, and what it has replaced, which the browser may still send."""

    value: object
    replaced: tuple[object, ...]


def set_choices(values: Mapping[str, object]) -> None:
    """Choose for the viewer, by key, None for what a widget has at first; a callback, or before widgets are drawn."""
    state = st.session_state
    chosen = state.setdefault("chosen_for_viewer", {})
    for key, value in values.items():
        if state.get(key) != value:
            replaced = chosen[key].replaced if key in chosen else ()
            chosen[key] = _Chosen(value, (*replaced, state.get(key)))
            _set(key, value)


def insist_on_choices(*, is_stage: bool) -> None:
    """Choose again what `set_choices` chose, where a message of the stage has brought back what was replaced.

    It was on its way when that was chosen. Call this before widgets are drawn. On the stage it holds until the browser
    is known to have what was chosen. No other page sends such messages: a viewer who goes back there has chosen that.
    """
    state = st.session_state
    for key, chosen in state.get("chosen_for_viewer", {}).items():
        if state.get(key) in chosen.replaced:
            _set(key, chosen.value)
    if not is_stage:
        state.chosen_for_viewer = {}


def keep_choices() -> None:
    """Keep what has been chosen outside the stage, for `have_choices_changed`; call it when all of it is drawn."""
    state = st.session_state
    state.choices = {key: state.get(key) for key in setting_keys() | _ELSEWHERE}
    state.is_page_drawn = True  # the fragment is part of that first


def keep_menu() -> None:
    """Keep what has been chosen of the menu alone, which is drawn again by itself; call it when it is drawn."""
    state = st.session_state
    state.choices = {**state.get("choices", {}), **{key: state.get(key) for key in MENU}}


def have_choices_changed() -> bool:
    """Return whether the viewer has chosen something since the page was drawn; for the stage's fragment alone.

    The browser sends what changes within one moment as one message. If the stage is part of it, Streamlit takes all of
    it for the stage's fragment, which has to ask for a run of the whole script then.
    """
    state = st.session_state
    if state.pop("is_page_drawn", False):
        return False
    changed = {key: state.get(key, value) for key, value in state.choices.items() if state.get(key, value) != value}
    chosen = state.get("chosen_for_viewer", {})
    if not changed:
        state.chosen_for_viewer = {}  # the browser has what the page shows
    return any(key not in chosen or value not in chosen[key].replaced for key, value in changed.items())


def _set(key: str, value: object) -> None:
    if value is None:
        st.session_state.pop(key, None)
    else:
        st.session_state[key] = value
