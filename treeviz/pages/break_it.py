"""“Break it”: runs with a fault planted, and the hunt for it in the run on show."""

import streamlit as st

from treeviz.lesson.scenes.faulty import part_around, part_below
from treeviz.lesson.scenes.lesson_file import Lesson, Scene
from treeviz.lesson.scenes.questions import FAULTY, Click
from treeviz.model.heap import leaf_of
from treeviz.pages.lessons import begin, begin_own, known_lessons
from treeviz.pages.runs import open_run
from treeviz.pages.settings import Settings
from treeviz.stage.moment import ADDRESS
from treeviz.style.faults import describe_fault

LESSON = "break"
_FAILS = "The check fails in iteration {iteration} for the first time, in tree {tree}."
_ALL = "Which node of tree {tree} is wrong?"
_PART = "One of the %d nodes from node %s down is wrong: which?"
_RULE = "Every node should be the larger of its two children, and a leaf of at least b = {threshold} should fire."
_LARGE = "It has {nodes:node}. The picture opens the part of it that the wrong node is in."
_WHOLE = 64  # neurons up to which the whole tree is looked through
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
    width = settings.config.width
    places = [check.heap_fault or _leaf_place(check.firing_fault, width) for check in run.checks]
    iteration, place = next(((at, place) for at, place in enumerate(places) if place), (0, None))
    if place is None:
        text = "{iterations:iteration} of this run have been computed, and the check has found nothing wrong in them."
        if not run.is_checked:
            text = "The check of iterations is switched off in the sidebar, so it is not known where the fault shows."
        scene = Scene("The fault has not shown so far", text, None, {})
    else:
        tree, node = place
        moment = {"tree": tree, "iteration": iteration, "step": "last"}
        text, ask, root = _FAILS, _ALL, None
        if width > _WHOLE:
            root = part_around(node, width)
            part = part_below(root)
            text, ask = f"{_FAILS} {_LARGE}", _PART % (part.size, f"{root:,}")
            moment["opened"] = ",".join(str(inner) for inner in part if inner < width)
        question = Click(f"{ask} {_RULE}", fault.sentence, FAULTY, root=root)
        address = {ADDRESS[name]: str(value) for name, value in moment.items()}
        scene = Scene(fault.title, text, None, address, "tree", question=question)
    begin_own(Lesson(fault.title, fault.sentence, (scene,)))


def _leaf_place(found: tuple[int, int] | None, width: int) -> tuple[int, int] | None:
    """Return the tree and the node of a datapoint and a neuron."""
    return None if found is None else (found[0], leaf_of(found[1], width))
