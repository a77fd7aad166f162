"""Ways from one page to another, with settings chosen and to a moment of a run, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from treeviz.lesson.address import read_settings
from treeviz.lesson.links import PageLink
from treeviz.pages.choices import set_choices
from treeviz.pages.settings import setting_keys


def show_link(link: PageLink, key: str) -> None:
    """Draw the button that leads there."""
    st.button(link.label, icon=":material/arrow_forward:", on_click=_follow, args=(link,), key=key)


def open_on_stage(settings: Mapping[str, str], moment: Mapping[str, str] | None = None) -> None:
    """Open the page of one run as an address with these settings and this moment does; call it in a widget's callback.

    Parameters
    ----------
    settings : texts by the names that an address has for them, such as {"data": "circle", "width": "64"}. All others
        become what the app opens with, whatever the viewer had chosen.
    moment : the same for the moment, such as {"it": "2", "phase": "move"}; without it, the run opens where the viewer
        left it.

    The viewer's settings are kept. A button on the page gives them back, and leads to the page they were on; if
    several runs are opened one after another, they are those from before the first. ValueError for settings that
    there are not.
    """
    state, values = st.session_state, read_settings(settings)
    # Widgets that there are write into the address what they are set to, and let no one else do so. New ones do not.
    new = {name: text for name, text in settings.items() if name not in state}
    _keep_way_back(setting_keys() | set(values), "")
    set_choices(values)
    _begin_at(moment or {})
    state.wanted_page, state.wanted_settings = "", new


def wanted_page() -> tuple[str, Mapping[str, str]] | None:
    """Return the path of the page that a button pressed just now leads to, and what no widget writes of its address."""
    path: str | None = st.session_state.pop("wanted_page", None)
    return None if path is None else (path, st.session_state.pop("wanted_settings", {}))


def open_moment(moment: Mapping[str, str]) -> None:
    """Open the page of one run at a moment of the run that is on show; a callback.

    On that page the address keeps the settings: widgets that do not change would not write them again.
    """
    _begin_at(moment)
    if st.session_state.page:
        open_page("")


def open_page(path: str) -> None:
    """Open a page, with an address that holds nothing but the settings; a callback."""
    st.session_state.wanted_page = path


def is_page_wanted() -> bool:
    """Return whether a button has been pressed that leads to a page, or to another moment of the run."""
    return "wanted_page" in st.session_state or st.session_state.run is None


def show_way_back(page: str, *, is_lesson: bool) -> None:
    """Offer, on the page that a button led to, the settings it changed and the page it was on, until that is taken.

    A lesson has the page to itself; the way back is offered when it has been left.
    """
    state = st.session_state
    state.page = page
    way_back = state.get("way_back")
    if way_back and way_back["to"] == page and not is_lesson:
        st.button("Back to your settings", icon=":material/undo:", on_click=_return, args=(way_back,), key="back")


def _keep_way_back(keys: Iterable[str], page: str) -> None:
    """Keep what the settings are now; of those that a button to that page changed before, keep what they were then."""
    state = st.session_state
    way_back = {"settings": {key: state.get(key) for key in keys}, "from": state.page, "to": page}
    before = state.get("way_back")
    if before and before["to"] == page:
        way_back["settings"] |= before["settings"]
        if state.page == page:
            way_back["from"] = before["from"]
    state.way_back = way_back


def _return(way_back: Mapping[str, Any]) -> None:
    set_choices(way_back["settings"])  # None is what was not chosen yet
    del st.session_state.way_back
    st.session_state.wanted_page = way_back["from"]


def _follow(link: PageLink) -> None:
    state = st.session_state
    if any(state.get(key) not in (None, value) for key, value in link.settings.items()):
        _keep_way_back(link.settings, link.page)
    # A callback comes before the script: widgets of the same keys take these values when they are drawn.
    set_choices(link.settings)
    if not link.page:
        _begin_at(link.moment)
    state.wanted_page = link.page


def _begin_at(moment: Mapping[str, str]) -> None:
    """Have the stage open as if an address had named this moment."""
    st.session_state.address = {name: [text] for name, text in moment.items()}
    st.session_state.run = None
