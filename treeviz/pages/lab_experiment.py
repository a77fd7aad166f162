"""An experiment of the Lab on its page: how much is measured, how far that is, and what the points say.

A click is to be answered while both processors measure. So what a click changes is drawn alone, in a fragment; what the
points say is computed beside, and what is known is shown meanwhile; and the charts are drawn in turns.
"""

import hashlib
import math
from functools import lru_cache

import streamlit as st

from treeviz.lab import report
from treeviz.lab.desk import Desk
from treeviz.lab.experiment import SIZES, Answer, Experiment, Request, Size
from treeviz.lab.pools import usable_processors
from treeviz.lab.sweep import Sweep
from treeviz.model.numerals import count
from treeviz.pages.charts import Chart, forget_charts, show_chart_in_turn
from treeviz.pages.focus import move_focus, take_focus
from treeviz.pages.notices import note, plain
from treeviz.pages.take_home import later, offer_table

SIZE = "size"  # in the address
_START, _PAUSE = "lab-start", "lab-pause"  # keys of buttons
_PROGRESS_SECONDS = 1.0  # between two looks at how far a sweep is
_ANSWER_SECONDS = 3.0  # between two looks at what the points say
_SOON_SECONDS = 0.4  # until the first look at an answer that is being computed
PATIENCE_SECONDS = 5.0  # that an answer may be behind the points of a sweep that is on
_NAMES: dict[Size, str] = {"quick": "Quick", "default": "Normal", "full": "Full"}
_STYLE = """<style>
/* As high before the chart is drawn, so that what is below does not move. */
[class*="st-key-lab-chart-"][class*="-place"] { min-height: 380px; }
[class*="st-key-lab-chart-"][class*="-turn"] { display: none; }
</style>"""


def show_experiment(desk: Desk, experiment: Experiment) -> None:
    """Draw the page of an experiment, below the way back to all."""
    st.html(_STYLE)
    st.header(experiment.question, anchor=False)
    st.markdown(f"**Varied.** {experiment.varied}  \n**Fixed.** {experiment.fixed}")
    size, seeds = _choose_size(experiment)
    sweep = desk.find(desk.request(experiment, size, seeds))
    # Streamlit knows a fragment by its place, and forgets a click on one that another rerun has moved. So no fragment
    # stands after something that comes and goes, but in a container or before.
    name = f"treeviz-{experiment.key}-{size}"
    offer_table("All points", name, later(sweep, report.pack_points), later(sweep, report.pack_page))
    with st.container():
        st.fragment(_steer, run_every=None if sweep.is_complete else _PROGRESS_SECONDS)(desk, sweep, is_on=sweep.is_on)
    _keep_charts_of(sweep.request)
    sweep.known_answer(PATIENCE_SECONDS)
    is_on = sweep.is_on
    is_coming = sweep.is_answering and not is_on
    seconds = _ANSWER_SECONDS if is_on else _SOON_SECONDS if is_coming else None
    with st.container():
        st.fragment(_show_answer, run_every=seconds)(sweep, is_coming=is_coming)


def _choose_size(experiment: Experiment) -> tuple[Size, int | None]:
    state = st.session_state
    chosen: Size = state.get(SIZE) or "default"
    if state.get("lab-size") != chosen:
        state["lab-size"] = chosen
    with st.container(horizontal=True, vertical_alignment="top"):
        size = st.segmented_control(
            "How much",
            SIZES,
            default=chosen,  # a browser misses the value that was set if the next run comes at once
            format_func=_NAMES.__getitem__,
            required=True,
            key="lab-size",
            on_change=_keep_size,
        )
        seeds = st.number_input(
            "Seeds",
            min_value=1,
            max_value=100,
            value=experiment.seeds[size],
            key=f"lab-seeds-{experiment.key}-{size}",
            width=140,
        )
    return size, int(seeds)


def _keep_size() -> None:
    st.session_state[SIZE] = st.session_state["lab-size"]


def _keep_charts_of(request: Request) -> None:
    """Leave the places of charts empty if those that were drawn are of another sweep."""
    of = (request.experiment.key, request.size, request.num_seeds)
    if st.session_state.get("lab-charts-of") != of:
        forget_charts("lab-chart-")
        st.session_state["lab-charts-of"] = of


def _steer(desk: Desk, sweep: Sweep, *, is_on: bool) -> None:
    """Draw the buttons that steer a sweep and how far it is; `is_on` if the rest of the page shows one that is on.

    Each button has one key, one place and one order, whatever the sweep does. A browser that is busy sends a click
    twice, with a look at the sweep and alone: a button that paused and resumed in turn would undo what was asked for.
    """
    if sweep.is_on != is_on:
        st.rerun()
    if not sweep.is_complete:
        _draw_buttons(desk, sweep)
        take_focus("lab-focus-steered")
    if is_on:
        st.progress(sweep.num_done / len(sweep.request.tasks), f"{_state(desk, sweep)}: {done(sweep)}.")
    else:
        _tell_what_is_left(sweep)


def _draw_buttons(desk: Desk, sweep: Sweep) -> None:
    goes_on = sweep.is_on and not sweep.is_ending
    with st.container(horizontal=True):
        st.button(
            "Go on" if sweep.num_done or sweep.is_on else "Measure",
            icon=":material/play_arrow:",
            type="primary",
            on_click=_start,
            args=(desk, sweep),
            key=_START,
            disabled=sweep.is_on and not (goes_on and sweep.wants_pause),
        )
        st.button(
            "Pause",
            icon=":material/pause:",
            on_click=_pause,
            args=(sweep,),
            key=_PAUSE,
            disabled=not goes_on or sweep.wants_pause,
        )
        st.button(
            "Cancel",
            icon=":material/stop:",
            on_click=_cancel,
            args=(sweep,),
            key="lab-cancel",
            disabled=not goes_on,
        )


def _tell_what_is_left(sweep: Sweep) -> None:
    """Say how long a sweep that is not on would take, and how the last start ended."""
    progress = sweep.progress()
    if sweep.is_complete:
        note(f"All {count(progress.num_all, 'point')} are measured.")
    else:
        left = count(progress.num_all - progress.num_done, "point")
        note(f"Left to measure: {left}. {duration(sweep.request, progress.seconds_left)}")
    request, refusal = st.session_state.get("lab-refusal", (None, ""))
    if request is sweep.request:
        st.error(plain(f"{refusal[0].upper()}{refusal[1:]}."), icon=":material/error:")
    elif sweep.state == "failed":
        st.error(plain(f"The sweep stopped: {sweep.error}. Its points are kept."), icon=":material/error:")


def _start(desk: Desk, sweep: Sweep) -> None:
    """Start a sweep, or let it go on."""
    st.session_state.pop("lab-refusal", None)
    try:
        desk.start(sweep.request)
        move_focus(_PAUSE)
    except ValueError as error:
        st.session_state["lab-refusal"] = sweep.request, str(error)


def _pause(sweep: Sweep) -> None:
    sweep.pause()
    move_focus(_START)


def _cancel(sweep: Sweep) -> None:
    sweep.cancel()
    move_focus(_START)


def _state(desk: Desk, sweep: Sweep) -> str:
    if sweep.is_ending:
        return "Cancelled, the processes are being ended"
    if sweep.state == "waiting":
        others = [one for one in desk.on() if one is not sweep and one.state != "waiting"]
        return f"Waiting for “{others[0].request.experiment.title}”" if others else "Starting"
    if sweep.wants_pause:
        return "Paused" if sweep.state == "paused" else "Pauses after the points under way"
    return f"Measuring, about {_time(sweep.progress().seconds_left)} left"


def _show_answer(sweep: Sweep, *, is_coming: bool) -> None:
    """Draw what is known of the points; `is_coming` if the page is drawn again as soon as the answer is there."""
    answer = sweep.known_answer(PATIENCE_SECONDS)
    if is_coming:
        if not sweep.is_answering:
            st.rerun()
        if answer is None:
            note("What the points say is being computed.")
    if answer is None:
        return
    words = plain(answer.words) if sweep.is_complete else f"{plain(answer.words)} *So far: {done(sweep)}.*"
    st.success(words, icon=":material/lightbulb:")
    note("Every seed is drawn faintly, the median firmly. No line passes where nothing was measured.")
    columns = st.columns(2, gap="large")
    for place, chart in enumerate(_charts(answer)):
        with columns[place % 2]:
            st.markdown(f"**{chart.name}**")
            show_chart_in_turn(chart, f"lab-chart-{place}")
    if answer.remarks:
        st.subheader("What else the points say", anchor=False)
        st.markdown("\n".join(f"- {plain(remark)}" for remark in answer.remarks))
    if answer.fits:
        with st.expander("The numbers behind the answer"):
            st.markdown("\n".join(f"- {plain(report.fit_in_words(fit))}" for fit in answer.fits))
    failed = sweep.failures()
    if failed:
        note(f"{count(len(failed), 'point')} could not be measured. The first: {plain(failed[0])}")


@lru_cache(maxsize=64)
def _charts(answer: Answer) -> tuple[Chart, ...]:
    return tuple(
        Chart(title, figure, hashlib.sha256(figure.to_json().encode()).hexdigest()[:16])
        for title, figure in report.figures(answer).items()
    )


def done(sweep: Sweep) -> str:
    """Say how many points of a sweep are measured."""
    return f"{sweep.num_done} of {count(len(sweep.request.tasks), 'point')}"


def duration(request: Request, left: float | None = None) -> str:
    """Say how long a sweep takes here, or what is left of it."""
    seconds = request.num_seconds / usable_processors() if left is None else left
    return f"It takes about {_time(seconds)} here."


def _time(seconds: float) -> str:
    if seconds < 90:
        return count(max(1, math.ceil(seconds)), "second")
    if seconds < 5400:
        return count(math.ceil(seconds / 60), "minute")
    return count(math.ceil(seconds / 3600), "hour")
