"""What the stage is sent of a scene: its texts and its question, with the numbers of the run filled in."""

from typing import Any

from treeviz.lesson.scenes.lesson_file import Lesson
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.questions import describe
from treeviz.lesson.scenes.tables import TABLES


def describe_scene(key: str, lesson: Lesson, index: int, at: TreeMoment) -> dict[str, Any]:
    """Return one scene of the lesson that has this name, at the moment of a run that it is about."""
    scene, error, question = lesson.scenes[index], "", None
    later = lesson.scenes[index + 1 :]
    if scene.question:
        try:
            question = describe(scene.question, at)
        except ValueError as fault:
            error = f"The question of this scene cannot be asked of this run: {fault}."
    return {
        "key": key,
        "title": lesson.title,
        "index": index,
        "count": len(lesson.scenes),
        "next": later[0].title if later else "",
        "questions": sum(scene.question is not None for scene in lesson.scenes),
        "scene": {
            "title": scene.title,
            "text": at.fill(scene.text),
            "focus": scene.focus,
            "notes": at.fill(scene.notes),
            "error": error,
            "question": question,
            "table": TABLES[scene.table](at) if scene.table else None,
            "meter": scene.meter,
            "experiment": scene.experiment,
            "losses": at.trace.losses.tolist() if scene.focus == "loss" else None,
        },
    }
