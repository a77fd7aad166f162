"""The introduction of a first visit: what is about to be seen, and then the stage plays it."""

import streamlit as st

from treeviz.stage.component import INTRODUCED

_STEPS = """
1. **Search.** The tree of one datapoint. Its leaves are the inner products of all neurons with it. The search enters
   only the parts whose largest leaf reaches the threshold, and skips the rest.
2. **Forward and solve.** The neurons that fire make the output. A small system says how hard each datapoint pulls.
3. **Move and repair.** Neurons that fire on any datapoint move, and no others. The marked nodes of this tree change.
4. **Again.** The 50 digits that open first need 7 such iterations to a loss of 10⁻⁶; other data need 4 to
   hundreds. Charts below compare their cost with the dense method, which computes every inner product again in each
   iteration.
"""


def welcome(*, is_expected: bool) -> int:
    """Draw the introduction on a first visit until it is closed; return how often "Play it" was pressed.

    `is_expected` is False where an address names what is to be seen: a link leads there at once.
    """
    state = st.session_state
    if "introduction" not in state:
        state.introduction = is_expected and INTRODUCED not in st.context.cookies
        state.plays = 0
    place = st.container()  # always there: without it, closing the introduction would draw again what stands below
    if state.introduction:
        with place.container(border=True, key="introduction"):
            st.markdown("**What you will see**")
            st.markdown(_STEPS)
            with st.container(horizontal=True):
                st.button("Play it", icon=":material/play_arrow:", type="primary", on_click=_close, args=(1,))
                st.button("Skip", on_click=_close, args=(0,))
    return int(state.plays)


def _close(plays: int) -> None:
    st.session_state.introduction = False
    st.session_state.plays += plays
