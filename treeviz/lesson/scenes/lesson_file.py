"""Lessons as files: TOML, checked against `lesson.schema.json` and against the names that there are."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema

from treeviz.lesson.address import read_settings
from treeviz.lesson.scenes.numbers import check_text, read_condition
from treeviz.lesson.scenes.questions import Choose, Click, Estimate, Option, Question
from treeviz.lesson.ties import with_tie

_ROOM = Path(__file__).parent
_SCHEMA = json.loads((_ROOM / "lesson.schema.json").read_text(encoding="utf-8"))
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene: a text about a moment of a run.

    Attributes
    ----------
    title, text : the text's numbers are filled in from the run.
    settings : of the run, as an address names them; None for the run on show, whichever it is.
    moment : of the run, as an address names its parts.
    focus : the part of the stage to look at, or "".
    table : the table below the text, a key of `tables.TABLES`, or "".
    meter : "iteration" if the meter leaves out the sums of the whole run; else "".
    whole_run : whether the run is computed to its end before the scene opens.
    experiment : that of the Lab which measures what the scene says, or "".
    notes : for the presenter.
    question : asked after the text, or None.
    """

    title: str
    text: str
    settings: Mapping[str, str] | None
    moment: Mapping[str, str]
    focus: str = ""
    table: str = ""
    meter: str = ""
    whole_run: bool = False
    experiment: str = ""
    notes: str = ""
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson: scenes in order."""

    title: str
    summary: str
    scenes: tuple[Scene, ...]


def read_lesson(text: str | bytes, presets: Mapping[str, Mapping[str, str]], moment_names: Mapping[str, str]) -> Lesson:
    """Read a lesson.

    Parameters
    ----------
    text : TOML, as `README.md` in this folder describes it.
    presets : settings by name of the preset.
    moment_names : what an address calls each part of a moment.

    Raises
    ------
    ValueError
        If it is no TOML, does not fit the schema, or names a preset or a number that there is not. It names the place.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"a lesson has at most {MAX_BYTES:,} bytes; this one has {len(text):,}")
    try:
        tables = tomllib.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except UnicodeDecodeError:
        raise ValueError("the lesson is not written in UTF-8: save it again with that encoding") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"the lesson is no TOML: {error}") from None
    fault = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_SCHEMA).iter_errors(tables))
    if fault is not None:
        raise ValueError(f"{_place(fault.absolute_path)}: {fault.message}")
    scenes = []
    for number, table in enumerate(tables["scene"], start=1):
        try:
            scenes.append(_read_scene(table, presets, moment_names))
        except ValueError as error:
            raise ValueError(f"scene {number}, {table['title']!r}: {error}") from None
    return Lesson(tables["title"], tables["summary"], tuple(scenes))


def _place(path: Iterable[str | int]) -> str:
    """Say where in the file: scene 3, question, ask."""
    words: list[str] = []
    for part in path:
        if isinstance(part, int):
            words[-1:] = [f"{words[-1]} {part + 1}"]
        else:
            words.append(part)
    return ", ".join(words) or "the lesson"


def _read_scene(
    table: Mapping[str, Any], presets: Mapping[str, Mapping[str, str]], moment_names: Mapping[str, str]
) -> Scene:
    preset = table.get("preset")
    if preset is not None and preset not in presets:
        raise ValueError(f"there is no preset {preset!r}; there are {', '.join(presets)}")
    settings: Mapping[str, str] = {
        **(presets[preset] if preset else {}),
        **{name: _as_text(value) for name, value in table.get("settings", {}).items()},
    }
    read_settings(settings)
    settings = with_tie(settings)
    moment = {moment_names[part]: str(value) for part, value in {"iteration": 0, **table.get("moment", {})}.items()}
    check_text(table["text"])
    question = _read_question(table["question"]) if "question" in table else None
    return Scene(
        table["title"],
        table["text"].strip(),
        MappingProxyType(settings),
        MappingProxyType(moment),
        table.get("focus", ""),
        table.get("table", ""),
        table.get("meter", ""),
        table.get("whole_run", False),
        table.get("experiment", ""),
        table.get("notes", "").strip(),
        question,
    )


def _as_text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_question(table: Mapping[str, Any]) -> Question:
    fields = {name: value for name, value in table.items() if name != "kind"}
    for name in ("ask", "why", "hint"):
        check_text(fields.get(name, ""))
    if table["kind"] == "click":
        return Click(**fields)
    if table["kind"] == "estimate":
        check_text(f"{{{fields['number']}}}")
        return Estimate(**fields)
    options = tuple(Option(**option) for option in fields.pop("option"))
    for option in options:
        check_text(option.text)
        if isinstance(option.when, str):
            read_condition(option.when)
    return Choose(options=options, **fields)


def quiz_text() -> str:
    """Return the questions of quizzes, written as a lesson."""
    return (_ROOM / "quiz.toml").read_text(encoding="utf-8")


@cache
def shipped_texts() -> Mapping[str, str]:
    """Return the lessons that come with the program, as they are written, by name."""
    files = sorted((_ROOM / "shipped").glob("*.toml"))
    return MappingProxyType({path.stem.lstrip("0123456789-"): path.read_text(encoding="utf-8") for path in files})
