"""The lesson that a session is in: which scene is open, and what the stage is sent of it."""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from treeviz.export.lesson_replay import parse_lesson
from treeviz.lesson.scenes import shown
from treeviz.lesson.scenes.lesson_file import Lesson, Scene, quiz_text, shipped_texts
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.quiz import NUM_ITERATIONS, deal
from treeviz.pages.notices import plain
from treeviz.pages.page_links import open_moment, open_on_stage
from treeviz.pages.runs import wait_with_spinner
from treeviz.pages.settings import take_training
from treeviz.stage.component import LECTURE
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import ADDRESS, Moment
from treeviz.stage.view import whole_number
from treeviz.training.background import BackgroundRun

# The environment variable through which `treeviz app --lesson FILE` says what to open.
LESSON_FILE = "TREEVIZ_LESSON"
NAMES = ("lesson", "quiz", "scene")
_MANY_QUIZZES = 1_000_000  # seeds that the button draws from
_GIVEN = "file"  # the name of the lesson that the program was started with
_OWN = "own"  # that of a lesson that the reader has uploaded


@dataclass(frozen=True, slots=True)
class Visit:
    """A scene on show, of a lesson by its name, or of a quiz by its seed."""

    key: str
    lesson: Lesson
    index: int = 0
    seed: int | None = None

    @property
    def scene(self) -> Scene:
        """The scene."""
        return self.lesson.scenes[self.index]

    @property
    def address(self) -> Mapping[str, str]:
        """What names the scene in an address; a lesson that was uploaded has no name."""
        if self.key == _OWN:
            return {}
        name = {"lesson": self.key} if self.seed is None else {"quiz": str(self.seed)}
        return {**name, "scene": str(self.index + 1)}


@dataclass(frozen=True, slots=True)
class _WantedQuiz:
    """A quiz to be dealt as soon as there is the run that it is about."""

    seed: int
    index: int = 0
    moment: Mapping[str, str] | None = None


@cache
def known_lessons() -> Mapping[str, Lesson]:
    """Return the lessons that come with the program, by name, and the one that it was started with, as "file"."""
    lessons = {key: parse_lesson(text) for key, text in shipped_texts().items()}
    path = os.environ.get(LESSON_FILE)
    return {**({_GIVEN: parse_lesson(Path(path).read_bytes())} if path else {}), **lessons}


def open_visit() -> Visit | None:
    """Return the scene that the session has open, or None."""
    visit: Visit | None = st.session_state.get("lesson_visit")
    return visit


def choose_lesson() -> None:
    """Draw what lessons there are, a quiz about the run of these settings, and the way to a lesson of one's own."""
    with st.popover("Lessons", icon=":material/school:"):
        for key, lesson in known_lessons().items():
            st.button(lesson.title, on_click=begin, args=(key, lesson), key=f"lesson-{key}", width="stretch")
            st.caption(f"{lesson.summary} {len(lesson.scenes)} scenes.")
        st.button("A quiz about this run", on_click=_begin_quiz, key="lesson-quiz", width="stretch")
        st.caption("Questions dealt at random, other ones each time.")
        upload = st.file_uploader("A lesson of your own, a TOML file", type="toml", key="lesson-upload")
        if upload is None:
            return
        try:
            lesson = parse_lesson(upload.getvalue())
        except ValueError as error:
            st.error(plain(f"This lesson cannot be opened. {error}."), icon=":material/error:")
            return
        st.button(f"Open “{plain(lesson.title)}”", on_click=begin, args=(_OWN, lesson), key="lesson-own")


def begin(key: str, lesson: Lesson, index: int = 0, moment: Mapping[str, str] | None = None) -> None:
    """Open a scene of a lesson, at its own moment or another one; a callback, or before any widget is drawn."""
    _show(Visit(key, lesson, index), moment)


def begin_own(lesson: Lesson) -> None:
    """Open a lesson made for the run on show, which no address can name; a callback."""
    begin(_OWN, lesson)


def _begin_quiz() -> None:
    st.session_state.wanted_quiz = _WantedQuiz(secrets.randbelow(_MANY_QUIZZES))


def open_wanted_quiz(run: BackgroundRun) -> bool:
    """Deal the quiz that a button or an address asked for, and open its scene; return whether one is open then.

    The same run and seed deal the same questions.
    """
    wanted: _WantedQuiz | None = st.session_state.pop("wanted_quiz", None)
    if wanted is None:
        return False
    wait_with_spinner(run, NUM_ITERATIONS - 1)
    if not run.num_computed:  # it failed; the page says so
        return False
    names = (ADDRESS["tree"], ADDRESS["iteration"])
    quiz = deal(parse_lesson(quiz_text()), run.trace, names, wanted.seed)
    index = min(wanted.index, len(quiz.scenes) - 1)
    _show(Visit(f"quiz-{wanted.seed}", quiz, index, wanted.seed), wanted.moment)
    return True


def turn(wanted: object) -> None:
    """Open another scene of the lesson that is open, or leave it: then the run stays as it is.

    `wanted` is what the browser sent: {"to": index}, with None as the index to leave. A callback.
    """
    visit = open_visit()
    if visit is None or not isinstance(wanted, Mapping):
        return
    to = wanted.get("to")
    index = whole_number(to, 0, len(visit.lesson.scenes) - 1)
    if index is not None:
        _show(replace(visit, index=index))
    elif to is None:
        st.session_state.lesson_visit = st.session_state.scene_shown = None
        for name in NAMES:
            st.query_params.pop(name, None)
        open_moment({})


def _show(visit: Visit, moment: Mapping[str, str] | None = None) -> None:
    st.session_state.lesson_visit = visit
    st.session_state.introduction = False
    moment = moment or visit.scene.moment
    if visit.scene.settings is None:
        open_moment(moment)
    else:
        open_on_stage(visit.scene.settings, moment)


def keep_address() -> None:
    """Name the scene in the address, so that a reload, or another reader, finds it."""
    visit = open_visit()
    for name, text in visit.address.items() if visit else ():
        if st.query_params.get(name) != text:
            st.query_params[name] = text


def open_from_address(address: Mapping[str, Sequence[str]]) -> bool:
    """Open the scene that an address names, or the file that the program was started with; return whether one is open.

    A moment in the address counts more than that of the scene: a reload finds the stage where it was. A quiz is opened
    later, by `open_wanted_quiz`.
    """
    if not address:
        address = {"lesson": [_GIVEN]}
    lesson = known_lessons().get(key := address.get("lesson", [""])[-1])
    text, seed = (address.get(name, [""])[-1] for name in ("scene", "quiz"))
    number = max(int(text), 1) if re.fullmatch("[0-9]{1,4}", text) else 1
    moment = {name: address[name][-1] for name in ADDRESS.values() if name in address}
    if lesson is not None:
        begin(key, lesson, min(number, len(lesson.scenes)) - 1, moment)
    elif re.fullmatch("[0-9]{1,9}", seed):
        st.session_state.wanted_quiz = _WantedQuiz(int(seed), number - 1, moment)
    return lesson is not None


def leave_stage(address: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Keep what an address to another page says of the stage, for `open_as_left`; return what it says of the page."""
    of_stage = {name: texts for name, texts in address.items() if name in (*ADDRESS.values(), *NAMES, LECTURE)}
    rest = {name: texts for name, texts in address.items() if name not in of_stage}
    training = take_training(rest)
    if of_stage or training:
        st.session_state.stage_left = of_stage, training
    return {name: texts for name, texts in rest.items() if name not in training}


def open_as_left() -> None:
    """Open the moment or the scene that `leave_stage` has kept, once; before widgets of the stage are drawn."""
    state = st.session_state
    left = state.pop("stage_left", None)
    if left is None or state.address:  # a button has led to a moment meanwhile
        return
    of_stage, training = left
    if of_stage.keys() & {*NAMES} and open_from_address(of_stage):
        st.rerun()
    state.address = {name: texts for name, texts in of_stage.items() if name in ADDRESS.values()}
    st.query_params.update(training)  # new widgets do not write what they are set to


def moment_of(maker: FrameMaker[BackgroundRun], start: Moment) -> TreeMoment:
    """Return the moment of a run that a scene is about."""
    return TreeMoment(maker.run.trace, start.view.tree, start.iteration)


def describe_scene(maker: FrameMaker[BackgroundRun], start: Moment) -> dict[str, Any] | None:
    """Return what the stage is sent of the scene that is open, with its numbers filled in from the run."""
    visit = open_visit()
    return (
        None if visit is None else shown.describe_scene(visit.key, visit.lesson, visit.index, moment_of(maker, start))
    )
