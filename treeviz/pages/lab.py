"""The Lab: questions that readers of the paper asked, answered by experiments that anyone can repeat here."""

import html

import streamlit as st

from treeviz.lab.desk import Desk
from treeviz.lab.experiment import SIZES, Answer, Experiment
from treeviz.lab.experiments import find_experiments
from treeviz.lab.figure import curve_names
from treeviz.lab.store import PointStore
from treeviz.lab.sweep import Sweep
from treeviz.lab.tile import empty_frame, tile_picture
from treeviz.pages.charts import show_drawing
from treeviz.pages.focus import move_focus, take_focus
from treeviz.pages.lab_experiment import PATIENCE_SECONDS, SIZE, done, duration, show_experiment
from treeviz.pages.notices import note, plain
from treeviz.pages.page import Page

_EXPERIMENT = "experiment"  # in the address
_WRITTEN = "lab-written"  # what the page has written there
_SHOWN = "lab-shown"  # the experiment that was drawn last, "" for the tiles
_BACK = "lab-back"
_LOOK_SECONDS = 0.5  # between two looks at whether answers have come that are being computed
_STYLE = """<style>
/* As many in a row as can be read. */
.st-key-lab-tiles {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1.2rem;
}
/* As high as the highest of its row, with pictures beside each other: what is left is below the question. */
.st-key-lab-tiles > [data-testid="stLayoutWrapper"] { align-self: stretch; height: auto; }
.st-key-lab-tiles [class*="st-key-lab-of-"] > [data-testid="stElementContainer"]:has([data-testid="stMarkdown"]) {
  flex-grow: 1;
}
.st-key-lab-tiles [data-testid="stHorizontalBlock"] { flex-wrap: nowrap; }
</style>"""
_WORDS = (
    "margin: 0.6rem 0 0; line-height: 1.6; min-height: 6.4em; "
    "display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden"
)


@st.cache_resource(show_spinner=False)
def _desk() -> Desk:
    return Desk(PointStore())


def render() -> None:
    """Draw the page."""
    _take_address()
    experiments = find_experiments()
    experiment = experiments.get(st.session_state.get(_EXPERIMENT, ""))
    _lead(experiment.key if experiment else "")
    try:
        desk = _desk()
        # Each has a place of its own, and the other is emptied first. In one place the charts that were there would be
        # drawn once more before they go, which takes a second or two, and what is new would move when they go.
        if experiment is None:
            place = st.container(key="lab-all")
            st.empty()
            with place:
                _show_tiles(desk, list(experiments.values()))
        else:
            st.empty()
            with st.container(key="lab-one"):
                st.button("All questions", icon=":material/arrow_back:", on_click=_open, args=("",), key=_BACK)
                show_experiment(desk, experiment)
    except ValueError as error:  # the file of points cannot be used, or no longer
        st.error(plain(str(error)), icon=":material/error:")


def _take_address() -> None:
    """Take the experiment and its size from the address if the viewer changed it, and write there what is on show.

    The viewer changes it by a link, or goes back and forward. Whoever comes from another page by its name in the
    navigation finds the Lab as it was left.
    """
    state, address = st.session_state, st.query_params
    allowed = {SIZE: SIZES, _EXPERIMENT: find_experiments()}
    found = {name: address[name] for name in allowed if address.get(name)}
    was_here = any(key in state for key in (_BACK, *map(_open_key, find_experiments())))
    if found != state.get(_WRITTEN, {}) and (found or was_here):
        for name, known in allowed.items():
            text = found.get(name, "")
            state[name] = text if text in known else ""
            if text not in ("", *known):
                st.info(f"The Lab has no {name} “{plain(text[:40])}”.", icon=":material/link:")
    state[_WRITTEN] = {name: state[name] for name in allowed if state.get(name)}
    for name in allowed:
        if name not in state[_WRITTEN]:
            address.pop(name, None)
        elif state[name] != found.get(name):
            address[name] = state[name]


def _lead(shown: str) -> None:
    """Lead to the top of an experiment that was opened, or to the tile of the one that was closed."""
    before = st.session_state.get(_SHOWN, shown)
    st.session_state[_SHOWN] = shown
    if shown != before:
        move_focus(_BACK if shown else _open_key(before), is_scrolled=True)
    take_focus("lab-focus")


def _open_key(experiment: str) -> str:
    return f"open-{experiment}"


def _open(key: str) -> None:
    """Open an experiment, or with an empty key the tiles; a callback."""
    st.session_state[_EXPERIMENT] = key
    st.session_state[SIZE] = ""


def _show_tiles(desk: Desk, experiments: list[Experiment]) -> None:
    st.html(_STYLE)
    st.header("The Lab", anchor=False)
    st.markdown(
        "The paper has no experiment. These are the questions that its readers asked, each with an experiment that "
        "answers it on this machine: what is varied, every seed, and an answer computed from the points. Points are "
        "kept as they come, and never measured twice. The experiments have data and networks of their own: the sidebar "
        "changes nothing here."
    )
    coming = []
    with st.container(key="lab-tiles"):
        for experiment in experiments:
            with st.container(border=True, height="stretch", key=f"lab-of-{experiment.key}"):
                if (unfinished := _show_tile(desk, experiment)) is not None:
                    coming.append(unfinished)
    _name_those_on(desk)
    if coming:
        st.fragment(_wait_for_answers, run_every=_LOOK_SECONDS)(coming)


def _show_tile(desk: Desk, experiment: Experiment) -> Sweep | None:
    """Draw a tile; return its sweep if it has to be drawn again as soon as what the points say is computed."""
    sweep = desk.best(experiment)
    answer, is_coming = _known(sweep) if sweep else (None, False)
    # Above all that comes later and may move what is below it, so that a click finds the button where it was.
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{experiment.title}**", width="stretch")
        key = _open_key(experiment.key)
        st.button("Open", icon=":material/science:", on_click=_open, args=(experiment.key,), key=key)
    note(experiment.question)
    missing = ""
    if sweep is None:
        picture, words = empty_frame("Not measured here yet"), duration(desk.request(experiment))
    elif answer is not None:
        picture = tile_picture(answer.panels[0], curve_names(answer.panels))
        words, missing = _first_sentence(answer.words), "" if sweep.is_complete else f"So far: {done(sweep)}."
    elif is_coming:
        picture, words = empty_frame("No picture yet"), "What the points say is being computed."
    else:
        picture, words = empty_frame("No picture"), "None of the points could be measured here."
    # One element for both: a browser takes longer for three, nine times over.
    show_drawing(
        f'{picture}<p style="{_WORDS}">{html.escape(words)} <small>{html.escape(missing)}</small></p>',
        key=f"lab-tile-{experiment.key}",
    )
    return sweep if is_coming else None


def _known(sweep: Sweep) -> tuple[Answer | None, bool]:
    """Return what is known of the points, and whether more will be soon; of a sweep that is on there always is."""
    sweep.known_answer(PATIENCE_SECONDS)
    is_answering = sweep.is_answering  # asked first: what ends in between is known
    answer = sweep.known_answer(PATIENCE_SECONDS)
    return answer, is_answering and not (sweep.is_on and answer)


def _wait_for_answers(coming: list[Sweep]) -> None:
    """Draw the page again when one of some answers has come."""
    if not all(sweep.is_answering for sweep in coming):
        st.rerun()


def _first_sentence(words: str) -> str:
    return f"{words.partition('. ')[0].removesuffix('.')}."


def _name_those_on(desk: Desk) -> None:
    for sweep in desk.on():
        note(f"“{sweep.request.experiment.title}” is {sweep.state}: {done(sweep)}.")


PAGE = Page("Ask the Lab", path="lab", order=5, render=render, needs_data=False, names=(_EXPERIMENT, SIZE))
