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

from treeviz.lesson.presets import load_presets
from treeviz.lesson.scenes.lesson_file import Lesson, Scene, quiz_text, read_lesson, shipped_texts
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.questions import describe
from treeviz.lesson.scenes.quiz import deal
from treeviz.pages.notices import plain
from treeviz.pages.page_links import open_moment, open_on_stage, open_page
from treeviz.pages.runs import open_run
from treeviz.pages.settings import Settings
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import ADDRESS, Moment
from treeviz.stage.view import whole_number

# The environment variable through which `treeviz app --lesson FILE` says what to open.
LESSON_FILE = "TREEVIZ_LESSON"
NAMES = ("lesson", "scene")
_QUIZ_ITERATIONS = 4  # computed before a quiz is dealt, if the run has so many
_GIVEN = "file"  # the name of the lesson that the program was started with
_OWN = "own"  # that of a lesson that the reader has uploaded


@dataclass(frozen=True, slots=True)
class Visit:
    """A scene on show, of a lesson by its name."""

    key: str
    lesson: Lesson
    index: int = 0

    @property
    def scene(self) -> Scene:
        """The scene."""
        return self.lesson.scenes[self.index]


@cache
def known_lessons() -> Mapping[str, Lesson]:
    """Return the lessons that come with the program, by name, and the one that it was started with, as "file"."""
    lessons = {key: parse_lesson(text) for key, text in shipped_texts().items()}
    path = os.environ.get(LESSON_FILE)
    return {**({_GIVEN: parse_lesson(Path(path).read_bytes())} if path else {}), **lessons}


def parse_lesson(text: str | bytes) -> Lesson:
    """Read a lesson, with the presets and the moments of this app; ValueError says what is wrong with it."""
    return read_lesson(text, {preset.name: preset.settings for preset in load_presets()}, ADDRESS)


def open_visit() -> Visit | None:
    """Return the scene that the session has open, or None."""
    visit: Visit | None = st.session_state.get("lesson_visit")
    return visit


def choose_lesson(settings: Settings) -> None:
    """Draw what lessons there are, a quiz about the run of these settings, and the way to a lesson of one's own."""
    with st.popover("Lessons", icon=":material/school:"):
        for key, lesson in known_lessons().items():
            st.button(lesson.title, on_click=begin, args=(key, lesson), key=f"lesson-{key}", width="stretch")
            st.caption(f"{lesson.summary} {len(lesson.scenes)} scenes.")
        st.button("A quiz about this run", on_click=_begin_quiz, args=(settings,), key="lesson-quiz", width="stretch")
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


def _begin_quiz(settings: Settings) -> None:
    """Deal questions about a run, and open the first."""
    run = open_run(settings).run
    run.wait_for(_QUIZ_ITERATIONS - 1, timeout=2.0)
    if run.num_computed:
        quiz = deal(parse_lesson(quiz_text()), run.trace, (ADDRESS["tree"], ADDRESS["iteration"]), secrets.randbits(32))
        begin(_OWN, quiz)


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
        open_page("")


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
    if visit is None or visit.key == _OWN:
        return
    for name, text in zip(NAMES, (visit.key, str(visit.index + 1)), strict=True):
        if st.query_params.get(name) != text:
            st.query_params[name] = text


def open_from_address(address: Mapping[str, Sequence[str]]) -> bool:
    """Open the scene that an address names, or the file that the program was started with; return whether one is open.

    A moment in the address counts more than that of the scene: a reload finds the stage where it was.
    """
    if not address:
        address = {"lesson": [_GIVEN]}
    lesson = known_lessons().get(key := address.get("lesson", [""])[-1])
    if lesson is not None:
        text = address.get("scene", ["1"])[-1]
        number = min(max(int(text), 1), len(lesson.scenes)) if re.fullmatch("[0-9]{1,4}", text) else 1
        begin(key, lesson, number - 1, {name: address[name][-1] for name in ADDRESS.values() if name in address})
    return lesson is not None


def moment_of(maker: FrameMaker, start: Moment) -> TreeMoment:
    """Return the moment of a run that a scene is about."""
    return TreeMoment(maker.run.trace, start.view.tree, start.iteration)


def describe_scene(maker: FrameMaker, start: Moment) -> dict[str, Any] | None:
    """Return what the stage is sent of the scene that is open, with its numbers filled in from the run."""
    visit = open_visit()
    if visit is None:
        return None
    scene, error, question = visit.scene, "", None
    later = visit.lesson.scenes[visit.index + 1 :]
    at = moment_of(maker, start)
    if scene.question:
        try:
            question = describe(scene.question, at)
        except ValueError as fault:
            error = f"The question of this scene cannot be asked of this run: {fault}."
    return {
        "key": visit.key,
        "title": visit.lesson.title,
        "index": visit.index,
        "count": len(visit.lesson.scenes),
        "next": later[0].title if later else "",
        "questions": sum(scene.question is not None for scene in visit.lesson.scenes),
        "scene": {
            "title": scene.title,
            "text": at.fill(scene.text),
            "focus": scene.focus,
            "notes": at.fill(scene.notes),
            "error": error,
            "question": question,
        },
    }
