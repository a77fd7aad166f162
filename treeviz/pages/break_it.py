"""“Break it”: runs with a fault planted, and the hunt for it in the run on show."""

import streamlit as st

from treeviz.lesson.scenes.lesson_file import Lesson, Scene
from treeviz.lesson.scenes.questions import FAULTY, MAX_CANDIDATES, Click
from treeviz.model.heap import tree_size
from treeviz.pages.lessons import begin, begin_own, known_lessons
from treeviz.pages.runs import open_run
from treeviz.pages.settings import Settings
from treeviz.stage.moment import ADDRESS
from treeviz.style.faults import describe_fault

LESSON = "break"
_FAILS = "The check fails in iteration {iteration} for the first time, in tree {tree}."
_TOO_MANY = (
    "It has {nodes:node}, too many to choose from. Look for the wrong one in the picture; below the picture “show me” "
    "says which it is."
)
_ASK = (
    "Which node of tree {tree} is wrong? Every node should be the larger of its two children, and a leaf of at least "
    "b = {threshold} should fire."
)
_ITERATIONS = 12  # looked through for the first that the fault shows in, if the run has so many


def offer_faults(settings: Settings) -> None:
    """Draw the button of the lab and, behind it, each fault, and the way to look for the one in the run on show."""
    lesson = known_lessons()[LESSON]
    with st.popover("Break it", icon=":material/bug_report:", help=lesson.summary, width="content"):
        for index, scene in enumerate(lesson.scenes):
            fault = describe_fault((scene.settings or {})["fault"])
            with st.container(gap=None):
                st.button(fault.title, on_click=begin, args=(LESSON, lesson, index), key=f"break-{index}")
                st.markdown(f":small[{fault.sentence}]")
        if settings.config.fault is None:
            st.caption("To plant one into a run of your own, choose “Planted fault” in the sidebar.")
        else:
            st.button("Find the fault in this run", on_click=_look, args=(settings,), key="break-own")


def _look(settings: Settings) -> None:
    """Ask for the wrong node where the check fails first; a callback."""
    run, fault = open_run(settings).run, describe_fault(settings.config.fault or "")
    run.wait_for(_ITERATIONS - 1, timeout=2.0)
    places = [check.heap_fault or check.firing_fault for check in run.checks]
    iteration, place = next(((at, place) for at, place in enumerate(places) if place), (0, None))
    if place is None:
        text = "{iterations:iteration} of this run have been computed, and the check has found nothing wrong in them."
        if not run.is_checked:
            text = "The check of iterations is switched off in the sidebar, so it is not known where the fault shows."
        scene = Scene("The fault has not shown so far", text, None, {})
    else:
        can_be_asked = tree_size(settings.config.width) <= MAX_CANDIDATES
        question = Click(_ASK, fault.sentence, FAULTY) if can_be_asked else None
        text = _FAILS if can_be_asked else f"{_FAILS} {_TOO_MANY}"
        moment = {"tree": place[0], "iteration": iteration, "step": "last"}
        address = {ADDRESS[part]: str(value) for part, value in moment.items()}
        scene = Scene(fault.title, text, None, address, "tree", question=question)
    begin_own(Lesson(fault.title, fault.sentence, (scene,)))
