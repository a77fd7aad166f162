"""Ways from one page to another, with settings chosen and to a moment of a run."""

import streamlit as st

from treeviz.lesson.text import Way


def show_way(way: Way, key: str) -> None:
    """Draw the button that leads there."""
    st.button(way.label, icon=":material/arrow_forward:", on_click=_follow, args=(way,), key=key)


def wanted_page() -> str | None:
    """Return the path of the page that a button pressed just now leads to."""
    path: str | None = st.session_state.pop("way", None)
    return path


def _follow(way: Way) -> None:
    # A callback comes before the script: widgets of the same keys take these values when they are drawn.
    for key, value in way.settings.items():
        st.session_state[key] = value
    if not way.page:  # the stage opens there, as if an address had named the moment
        st.session_state.address, st.session_state.run = dict(way.moment), None
    st.session_state.way = way.page
