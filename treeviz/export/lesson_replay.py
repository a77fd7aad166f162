"""Lessons as replays: each scene with its run and its moment, its texts and question filled in; and a site of them."""

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from treeviz.export.replay import Scene, open_run, page_of, write_replay
from treeviz.lesson.address import load_run
from treeviz.lesson.presets import load_presets
from treeviz.lesson.scenes.lesson_file import Lesson, read_lesson, shipped_texts
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.lesson.scenes.shown import describe_scene
from treeviz.model.numerals import count
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import ADDRESS, read_moment
from treeviz.training.background import MAX_ITERATIONS, round_off_loss
from treeviz.training.finished import ShownRun, finish_run
from treeviz.training.trainer import Trainer


def known_lessons() -> Mapping[str, Lesson]:
    """Return the lessons that come with the program, by name."""
    return {key: parse_lesson(text) for key, text in shipped_texts().items()}


def parse_lesson(text: str | bytes) -> Lesson:
    """Read a lesson; ValueError says what is wrong with it."""
    return read_lesson(text, {preset.name: preset.settings for preset in load_presets()}, ADDRESS)


def write_lesson(
    key: str, lesson: Lesson, on_step: Callable[[], object] = lambda: None, *, scene: int | None = None
) -> str:
    """Return a replay of a lesson, or of one scene, to draw a film of its iteration from; `key` is the lesson's name.

    Runs go as far as in the app: until nothing but round-off is left. `on_step` is called after every iteration and
    every frame.
    """
    runs: dict[tuple[tuple[str, str], ...], tuple[int, FrameMaker[ShownRun]]] = {}
    scenes = []
    for index in range(len(lesson.scenes)) if scene is None else (scene,):
        told = lesson.scenes[index]
        settings = told.settings or {}
        name = tuple(sorted(settings.items()))
        if name not in runs:
            split, config = load_run(settings)
            trainer = Trainer(split.train, config)
            run = finish_run(trainer, MAX_ITERATIONS, round_off_loss(split.train), on_step)
            runs[name] = (len(runs), open_run(run))
        number, maker = runs[name]
        start, _ = read_moment(told.moment, maker)
        at = TreeMoment(maker.run.trace, start.view.tree, start.iteration)
        scenes.append(Scene(number, start, describe_scene(key, lesson, index, at)))
    held = None if scene is None else [scenes[0].start.iteration]
    return write_replay([maker for _, maker in runs.values()], scenes, (), lesson.title, on_step, held)


@dataclass(frozen=True, slots=True)
class SitePage:
    """A file of a site."""

    name: str
    text: str


def write_site(on_step: Callable[[], object] = lambda: None) -> Iterator[SitePage]:
    """Yield the pages of a site with the lessons that come with the program; last the index, which links to them."""
    lessons = known_lessons()
    for key, lesson in lessons.items():
        yield SitePage(f"{key}.html", write_lesson(key, lesson, on_step))
    entries = "".join(
        f'<li><h2><a href="{key}.html">{html.escape(lesson.title)}</a></h2>'
        f"<p>{html.escape(lesson.summary)} {count(len(lesson.scenes), 'scene')}.</p></li>"
        for key, lesson in lessons.items()
    )
    about = (
        "A neural network that trains by editing trees, step by step, with questions. Each lesson is one file, plays "
        "in the browser alone, and can be kept and opened from a disk."
    )
    yield SitePage("index.html", page_of("treeviz: lessons", f"<p>{about}</p><ol>{entries}</ol>"))
