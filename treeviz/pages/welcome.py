"""The introduction of a first visit: what is about to be seen, and then the stage plays it."""

import streamlit as st

from treeviz.pages.gallery import offer_gallery
from treeviz.pages.lessons import begin, known_lessons
from treeviz.stage.component import INTRODUCED

_STEPS = """
1. **Search.** The leaves of a tree are the inner products of all neurons with one datapoint. A neuron fires
   where its leaf is at least b, a threshold; parts of the tree below b are skipped.
2. **Forward and solve.** The neurons that fire make the output. A small system says how hard each datapoint pulls.
3. **Move and repair.** Neurons that fire on any datapoint move, and no others. The marked nodes of this tree change.
4. **Again.** The eight points that open first need seven moves to a loss of 10⁻⁶. Then let the same run grow:
   the buttons beside the title add neurons.
"""


def welcome(*, is_expected: bool) -> int:
    """Draw the introduction on a first visit until it is closed; return how often "Play it" was pressed.

    `is_expected` is False where an address names what is to be seen: a link leads there at once.
    """
    state = st.session_state
    if "introduction" not in state:
        state.introduction = is_expected and INTRODUCED not in st.context.cookies
    if "plays" not in state:
        state.plays = 0
    place = st.container()  # always there: without it, closing the introduction would draw again what stands below
    if state.introduction:
        with place.container(border=True, key="introduction"):
            st.markdown("**What you will see**")
            st.markdown(_STEPS)
            with st.container(horizontal=True):
                st.button("Play it", icon=":material/play_arrow:", type="primary", on_click=_close, args=(1,))
                st.button(
                    "Take the ten-minute lesson",
                    icon=":material/school:",
                    on_click=begin,
                    args=("idea", known_lessons()["idea"]),
                    key="first-lesson",
                )
                st.button("Skip", on_click=_close, args=(0,))
                offer_gallery("introduction")
    return int(state.plays)


def _close(plays: int) -> None:
    st.session_state.introduction = False
    st.session_state.plays += plays
