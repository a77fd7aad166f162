"""Small text, refusals, and what in an address could not be used."""

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from treeviz.pages.settings import Settings


def note(text: str) -> None:
    """Write small text in the full colour: a caption's grey is too faint for small letters."""
    st.markdown(f":small[{text}]")


def show_refusal(error: ValueError, settings: Settings) -> None:
    """Say why these settings cannot be used, and where to change them."""
    text = f"{str(error)[0].upper()}{str(error)[1:]}."
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


def explain_changes(address: Mapping[str, str], other_names: Sequence[str]) -> tuple[str, ...]:
    """Say which settings in an address were not taken as they are, once the sidebar has been drawn.

    A value that a widget cannot hold becomes its default; `other_names` in an address are not settings.
    """
    notices = []
    for name, text in address.items():
        if name in other_names:
            continue
        if not _can_be_key(name) or name not in st.session_state:
            notices.append(
                f"“{name[:40]}” in the address is not a setting of this page with these data, and was left out."
            )
        elif not _means(text, st.session_state[name]):
            notices.append(f"“{name}={text[:40]}” in the address cannot be used; {name} is {st.session_state[name]}.")
    return tuple(notices)


def _means(text: str, value: object) -> bool:
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(text) == float(value)
        except ValueError:
            return False
    return text == str(value)
