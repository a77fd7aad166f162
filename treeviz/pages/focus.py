"""Where the focus goes when the button that was pressed goes, or can be pressed no longer."""

import time
from pathlib import Path

import streamlit as st

import treeviz.style
from treeviz.style.modules import join_modules

_WISH = "focus-wish"
_focus = st.components.v2.component(
    "treeviz-focus",
    html="<span></span>",
    js=join_modules(Path(treeviz.style.__file__).parent / "web" / "focus.js"),
)


def move_focus(key: str, *, is_scrolled: bool = False) -> None:
    """Have the focus move to a button as soon as it can be pressed, and with `is_scrolled` the page to it.

    It happens when `take_focus` is called next, so the caller is a callback, or comes before.
    """
    st.session_state[_WISH] = {"key": key, "asked": time.time(), "isScrolled": is_scrolled}


def take_focus(key: str) -> None:
    """Draw what moves the focus, which is not seen; `key` of its place. A fragment needs one of its own."""
    st.html(f"<style>.st-key-{key} {{ display: none; }}</style>")
    _focus(key=key, data=st.session_state.get(_WISH))
