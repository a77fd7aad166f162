"""The gallery of situations, and the choice that opens the run shown with more neurons."""

import streamlit as st

from treeviz.lesson.presets import Preset, load_presets
from treeviz.pages.break_it import offer_faults
from treeviz.pages.choices import set_choices
from treeviz.pages.lessons import choose_lesson
from treeviz.pages.page_links import open_on_stage
from treeviz.pages.settings import Settings

# The widths that a run grows through: all nodes drawn, a part of them, and few of very many.
_GROWTH = {64: "64", 1_024: "→ 1,024", 65_536: "→ 65,536"}


def show_heading(text: str, settings: Settings) -> None:
    """Draw the heading of the page; beside it the run shown at other widths, the gallery, and the lessons."""
    width = settings.config.width
    chosen = width if width in _GROWTH else None
    if "growth" not in st.session_state or st.session_state.growth != chosen:  # set without need, it may undo a click
        st.session_state.growth = chosen
    with st.container(horizontal=True, vertical_alignment="center", key="heading"):
        st.subheader(text, anchor=False)
        st.segmented_control(
            "The same run with so many neurons",
            list(_GROWTH),
            format_func=_GROWTH.__getitem__,
            on_change=_grow,
            key="growth",
            label_visibility="collapsed",
            width="content",
        )
        offer_gallery("above")
        choose_lesson()
        offer_faults(settings)


def offer_gallery(place: str) -> None:
    """Draw the button of the gallery and, behind it, all situations with what there is to see."""
    # A new one after each press, and closed: the browser may say in the same moment that the old one is open.
    key = f"{place}-situations-{st.session_state.get('num_situations', 0)}"
    words = "Eight runs worth a look"
    with st.popover("Situations", icon=":material/apps:", help=words, width="content", key=key, on_change="rerun"):
        for preset in load_presets():
            with st.container(gap=None):
                st.button(preset.title, on_click=_open, args=(preset,), key=f"{place}-{preset.name}")
                st.markdown(f":small[{preset.sentence}]")


def _open(preset: Preset) -> None:
    st.session_state.num_situations = st.session_state.get("num_situations", 0) + 1
    st.session_state.introduction = False
    open_on_stage(preset.settings, preset.moment)


def _grow() -> None:
    """Choose another width, and have the stage stay at the moment it is at."""
    if (width := st.session_state.growth) is not None:
        set_choices({"width": width})
        st.session_state.grows = True
