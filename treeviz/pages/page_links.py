"""Buttons that lead from one page to another, with settings chosen and to a moment of a run, and back."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from treeviz.lesson.links import PageLink


def show_link(link: PageLink, key: str) -> None:
    """Draw the button that leads there."""
    st.button(link.label, icon=":material/arrow_forward:", on_click=_follow, args=(link,), key=key)


def wanted_page() -> str | None:
    """Return the path of the page that a button pressed just now leads to."""
    path: str | None = st.session_state.pop("wanted_page", None)
    return path


def show_way_back(page: str) -> None:
    """Offer, on the page that a link led to, the settings it changed and the page it was on; once."""
    state = st.session_state
    state.page = page
    way_back = state.get("way_back")
    if way_back and way_back["to"] == page:
        st.button("Back to your settings", icon=":material/undo:", on_click=_return, args=(way_back,), key="back")
    elif way_back:
        del state.way_back


def _return(way_back: Mapping[str, Any]) -> None:
    for key, value in way_back["settings"].items():
        if value is None:  # it was not chosen yet
            st.session_state.pop(key, None)
        else:
            st.session_state[key] = value
    del st.session_state.way_back
    st.session_state.wanted_page = way_back["from"]


def _follow(link: PageLink) -> None:
    old = {key: st.session_state.get(key) for key in link.settings}
    if any(old[key] is not None and old[key] != value for key, value in link.settings.items()):
        st.session_state.way_back = {"settings": old, "from": st.session_state.page, "to": link.page}
    # A callback comes before the script: widgets of the same keys take these values when they are drawn.
    for key, value in link.settings.items():
        st.session_state[key] = value
    if not link.page:  # the stage opens there, as if an address had named the moment
        st.session_state.address = {name: [text] for name, text in link.moment.items()}
        st.session_state.run = None
    st.session_state.wanted_page = link.page


def open_on_stage(settings: Mapping[str, Any], moment: Mapping[str, str]) -> None:
    """Prototype."""
    for key, value in settings.items():
        st.session_state[key] = value
    st.session_state.address = {name: [text] for name, text in moment.items()}
    st.session_state.run = None
