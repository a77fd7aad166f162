"""Buttons that lead from one page to another, with settings chosen and to a moment of a run."""

import streamlit as st

from treeviz.lesson.links import PageLink


def show_link(link: PageLink, key: str) -> None:
    """Draw the button that leads there."""
    st.button(link.label, icon=":material/arrow_forward:", on_click=_follow, args=(link,), key=key)


def wanted_page() -> str | None:
    """Return the path of the page that a button pressed just now leads to."""
    path: str | None = st.session_state.pop("wanted_page", None)
    return path


def _follow(link: PageLink) -> None:
    # A callback comes before the script: widgets of the same keys take these values when they are drawn.
    for key, value in link.settings.items():
        st.session_state[key] = value
    if not link.page:  # the stage opens there, as if an address had named the moment
        st.session_state.address, st.session_state.run = dict(link.moment), None
    st.session_state.wanted_page = link.page
