"""The Lab: questions that readers of the paper asked, answered by experiments that anyone can repeat here."""

import math

import streamlit as st

from treeviz.lab import report
from treeviz.lab.desk import Desk
from treeviz.lab.experiment import SIZES, Answer, Experiment, Request, Size
from treeviz.lab.experiments import find_experiments
from treeviz.lab.figure import curve_names, panel_figure
from treeviz.lab.pools import usable_processors
from treeviz.lab.store import PointStore
from treeviz.lab.sweep import Sweep
from treeviz.model.numerals import count
from treeviz.pages.charts import show_chart
from treeviz.pages.notices import note, plain
from treeviz.pages.page import Page
from treeviz.pages.take_home import later, offer_table

_EXPERIMENT, _SIZE = "experiment", "size"  # in the address
_REFRESH_SECONDS = 1.5
_PATIENCE = 10.0  # seconds that the answer on a tile, or after a click, may be behind the points
_TILES = 3  # in a row
_NAMES: dict[Size, str] = {"quick": "Quick", "default": "Normal", "full": "Full"}
_STYLE = """<style>
.st-key-lab-tiles [data-testid="stPlotlyChart"] { pointer-events: none; }
/* As high before it is drawn, so that what is below does not move. */
.st-key-lab-tiles [class*="st-key-lab-picture"] { height: 170px; min-height: 170px; overflow: hidden; }
.st-key-lab-tiles [class*="st-key-lab-answer"] p {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden;
}
</style>"""


@st.cache_resource(show_spinner=False)
def _desk() -> Desk:
    return Desk(PointStore())


def render() -> None:
    """Draw the page."""
    _take_address()
    experiments = find_experiments()
    experiment = experiments.get(st.session_state.get(_EXPERIMENT, ""))
    st.html(_STYLE)
    try:
        desk = _desk()
        if experiment is None:
            _show_tiles(desk, list(experiments.values()))
        else:
            _show_experiment(desk, experiment)
    except ValueError as error:  # the file of points cannot be used, or no longer
        st.error(plain(str(error)), icon=":material/error:")


def _take_address() -> None:
    """Take the experiment and its size from the address that the session began with, and write them there again."""
    state, address = st.session_state, st.query_params
    for name, allowed in ((_EXPERIMENT, find_experiments()), (_SIZE, SIZES)):
        if name not in state and name in address:
            if address[name] in allowed:
                state[name] = address[name]
            elif address[name]:
                st.info(f"The Lab has no {name} “{plain(address[name][:40])}”.", icon=":material/link:")
        if state.get(name):
            address[name] = state[name]
        elif name in address:
            del address[name]


def _open(key: str) -> None:
    """Open an experiment, or with an empty key the tiles; a callback."""
    st.session_state[_EXPERIMENT] = key
    st.session_state.pop(_SIZE, None)


def _show_tiles(desk: Desk, experiments: list[Experiment]) -> None:
    st.header("The Lab", anchor=False)
    st.markdown(
        "The paper has no experiment. These are the questions that its readers asked, each with an experiment that "
        "answers it on this machine: what is varied, every seed, and an answer computed from the points. Points are "
        "kept as they come, and never measured twice. The experiments have data and networks of their own: the sidebar "
        "changes nothing here."
    )
    with st.container(key="lab-tiles"):
        for first in range(0, len(experiments), _TILES):
            row = st.columns(_TILES, gap="medium")
            for column, experiment in zip(row, experiments[first : first + _TILES], strict=False):
                with column.container(border=True, height="stretch"):
                    _show_tile(desk, experiment)
    _name_those_on(desk)


def _show_tile(desk: Desk, experiment: Experiment) -> None:
    sweep = desk.best(experiment)
    answer = sweep.answer(_PATIENCE) if sweep else None
    key = f"open-{experiment.key}"
    # Above all that comes later and may move what is below it, so that a click finds the button where it was.
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{experiment.title}**", width="content")
        st.button("Open", icon=":material/science:", on_click=_open, args=(experiment.key,), key=key)
    note(experiment.question)
    if sweep is None or answer is None:
        note(f"Not measured here yet. {_duration(Request(experiment))}")
    else:
        figure = panel_figure(answer.panels[0], curve_names(answer.panels), is_small=True)
        with st.container(key=f"lab-picture-{experiment.key}"):
            st.plotly_chart(figure, key=f"tile-{experiment.key}", config={"displayModeBar": False, "staticPlot": True})
        missing = "" if sweep.is_complete else f" :small[So far: {_done(sweep)}.]"
        with st.container(key=f"lab-answer-{experiment.key}"):
            st.markdown(f"{plain(_first_sentence(answer.words))}{missing}")


def _show_experiment(desk: Desk, experiment: Experiment) -> None:
    st.button("All questions", icon=":material/arrow_back:", on_click=_open, args=("",), key="lab-back")
    st.header(experiment.question, anchor=False)
    st.markdown(f"**Varied.** {experiment.varied}  \n**Fixed.** {experiment.fixed}")
    size, seeds = _choose_size(experiment)
    request = Request(experiment, size, seeds)
    sweep = desk.find(request)
    was = sweep.state
    st.session_state["lab-answers"] = True
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_controls(desk, sweep)
    st.fragment(_show_sweep, run_every=_REFRESH_SECONDS if sweep.is_on else None)(desk, sweep, was)
    name = f"treeviz-{experiment.key}-{size}"
    offer_table("All points", name, later(sweep, report.pack_points), later(sweep, report.pack_page))


def _choose_size(experiment: Experiment) -> tuple[Size, int | None]:
    state = st.session_state
    if "lab-size" not in state:
        state["lab-size"] = state.get(_SIZE, "default")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        size = st.segmented_control(
            "How much", SIZES, format_func=_NAMES.__getitem__, required=True, key="lab-size", on_change=_keep_size
        )
        assert size is not None
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
    st.session_state[_SIZE] = st.session_state["lab-size"]


def _draw_controls(desk: Desk, sweep: Sweep) -> None:
    progress = sweep.progress()
    if sweep.is_on:
        is_paused = sweep.wants_pause
        label, icon = ("Resume", ":material/play_arrow:") if is_paused else ("Pause", ":material/pause:")
        st.button(label, icon=icon, on_click=Sweep.resume if is_paused else Sweep.pause, args=(sweep,), key="lab-pause")
        st.button("Cancel", icon=":material/stop:", on_click=Sweep.cancel, args=(sweep,), key="lab-cancel")
        return
    if sweep.is_complete:
        note(f"All {count(progress.num_all, 'point')} are measured.")
        return
    label = "Go on" if progress.num_done else "Measure"
    st.button(
        label,
        icon=":material/play_arrow:",
        type="primary",
        on_click=_start,
        args=(desk, sweep.request),
        key="lab-start",
    )
    note(f"{count(progress.num_all - progress.num_done, 'point')}: {_duration(sweep.request, progress.seconds_left)}")


def _start(desk: Desk, request: Request) -> None:
    try:
        desk.start(request)
    except ValueError as error:
        st.session_state["lab-refusal"] = str(error)


def _show_sweep(desk: Desk, sweep: Sweep, was: str) -> None:
    """Draw how far a sweep is, and what it says so far."""
    refusal = st.session_state.pop("lab-refusal", None)
    if refusal:
        st.error(plain(f"{refusal[0].upper()}{refusal[1:]}."), icon=":material/error:")
    if sweep.is_on:
        st.progress(sweep.num_done / len(sweep.request.tasks), f"{_state(desk, sweep)}: {_done(sweep)}.")
    elif sweep.state == "failed":
        st.error(plain(f"The sweep stopped: {sweep.error}. Its points are kept."), icon=":material/error:")
    # A click is answered with what is known; the answer is brought up to date at the next look.
    is_click = st.session_state.pop("lab-answers", False)
    answer = sweep.answer(_PATIENCE if is_click else _REFRESH_SECONDS)
    if answer is not None:
        _show_answer(sweep, answer)
    if sweep.state != was:
        st.rerun()


def _state(desk: Desk, sweep: Sweep) -> str:
    if sweep.state == "waiting":
        others = [one for one in desk.on() if one is not sweep and one.state != "waiting"]
        return f"Waiting for “{others[0].request.experiment.title}”" if others else "Starting"
    if sweep.wants_pause:
        return "Paused" if sweep.state == "paused" else "Pauses after the points under way"
    return f"Measuring, about {_time(sweep.progress().seconds_left)} left"


def _done(sweep: Sweep) -> str:
    return f"{sweep.num_done} of {count(len(sweep.request.tasks), 'point')}"


def _show_answer(sweep: Sweep, answer: Answer) -> None:
    words = plain(answer.words) if sweep.is_complete else f"{plain(answer.words)} *So far: {_done(sweep)}.*"
    st.success(words, icon=":material/lightbulb:")
    seeds = count(sweep.request.num_seeds, "seed")
    note(f"{seeds}: every seed is drawn faintly, the median firmly. No line passes where nothing was measured.")
    columns = st.columns(2, gap="large")
    for place, (title, figure) in enumerate(report.figures(answer).items()):
        with columns[place % 2]:
            st.markdown(f"**{title}**")
            show_chart(figure, title, key=f"lab-chart-{place}")
    if answer.remarks:
        st.subheader("What else the points say", anchor=False)
        st.markdown("\n".join(f"- {plain(remark)}" for remark in answer.remarks))
    if answer.fits:
        with st.expander("The numbers behind the answer"):
            st.markdown("\n".join(f"- {plain(report.fit_in_words(fit))}" for fit in answer.fits))
    failed = sweep.failures()
    if failed:
        note(f"{count(len(failed), 'point')} could not be measured. The first: {plain(failed[0])}")


def _first_sentence(words: str) -> str:
    return f"{words.partition('. ')[0].removesuffix('.')}."


def _name_those_on(desk: Desk) -> None:
    for sweep in desk.on():
        note(f"“{sweep.request.experiment.title}” is {sweep.state}: {_done(sweep)}.")


def _duration(request: Request, left: float | None = None) -> str:
    seconds = request.num_seconds / usable_processors() if left is None else left
    return f"It takes about {_time(seconds)} here."


def _time(seconds: float) -> str:
    if seconds < 90:
        return count(max(1, math.ceil(seconds)), "second")
    if seconds < 5400:
        return count(math.ceil(seconds / 60), "minute")
    return count(math.ceil(seconds / 3600), "hour")


PAGE = Page("Ask the Lab", path="lab", order=5, render=render, needs_data=False, names=(_EXPERIMENT, _SIZE))
