"""Small text, refusals, and what in an address could not be used."""

import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.errors import StreamlitAPIException

if TYPE_CHECKING:
    from treeviz.pages.settings import Settings

_MARKUP = re.compile(r"[\\`*_\[\]<>$~&#|]|:(?=\w)")


def plain(text: str) -> str:
    """Write text that is not the app's own, such as the name of a column, so that Markdown shows it as it is."""
    return _MARKUP.sub(r"\\\g<0>", text)


def note(text: str) -> None:
    """Write small text in the full colour: a caption's grey is too faint for small letters."""
    st.markdown(f":small[{text}]")


def show_refusal(error: ValueError, settings: "Settings") -> None:
    """Say why these settings cannot be used, and where to change them."""
    text = plain(f"{str(error)[0].upper()}{str(error)[1:]}.")
    if settings.data.csv is not None:
        text += " The settings named here are in the sidebar, under the file."
    st.error(text, icon=":material/error:")


def usable_part(address: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the part of an address that Streamlit can hand to widgets: for the rest it raises errors.

    That is a name that is empty or reserved, and an infinite number or NaN, however it is written.
    """
    return {name: texts for name, texts in address.items() if _can_be_key(name) and all(map(_is_usable, texts))}


def _can_be_key(name: str) -> bool:
    return name != "" and not name.startswith("$$")


def _is_usable(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:  # no number
        return True


def explain_changes(address: Mapping[str, Sequence[str]], other_names: Sequence[str] = ()) -> tuple[str, ...]:
    """Say which settings in an address were not taken as they are, once all settings of the page have been drawn.

    A value that a widget cannot hold becomes its default; `other_names` in an address are not settings.
    """
    notices = []
    for name, texts in address.items():
        if name in other_names:
            continue
        if not _is_setting(name):
            notices.append(
                f"“{name[:40]}” in the address is not a setting of this page with these data, and was left out."
            )
        elif not _is_taken(name, texts):
            asked, value = "&".join(f"{name}={text}" for text in texts), st.session_state[name]
            kept = ", ".join(map(str, value)) or "empty" if isinstance(value, list | tuple) else value
            notices.append(f"“{asked[:40]}” in the address cannot be used; {name} is {kept}.")
    return tuple(notices)


@contextmanager
def show_changes(key: Hashable, other_names: Sequence[str] = ()) -> Iterator[None]:
    """Say above what is drawn within which settings of the address that opened the page were not taken.

    It is said until `key` is another: the page, or what it shows. What has one of `other_names` the page reads itself.
    """
    state = st.session_state
    if "changes_of" in state and state.changes_of != key:
        state.asked = {}
        state.changes = ()
    state.changes_of = key
    place = st.empty()  # always, so that what is below has one place, by which Streamlit knows it
    yield
    if state.asked:
        state.changes, state.asked = explain_changes(state.asked, other_names), {}
    if state.get("changes"):
        with place.container():
            for notice in state.changes:
                st.info(plain(notice), icon=":material/link:")


def _is_setting(name: str) -> bool:
    """Whether a widget writes this name into the address: Streamlit lets no one else write it."""
    if not _can_be_key(name) or name not in st.session_state:
        return False
    try:
        st.query_params[name] = st.query_params.get_all(name)
    except StreamlitAPIException:
        return True
    return False


def _is_taken(name: str, texts: Sequence[str]) -> bool:
    """Whether a widget has what was asked for: it is still in the address, or is the default, which is not written."""
    value = st.session_state[name]
    return list(texts) == st.query_params.get_all(name) or (len(texts) == 1 and _means(texts[0], value))


def _means(text: str, value: object) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == float(value)
        except ValueError:
            return False
    return text == str(value)
