"""`treeviz export tree` and `film`: what the stage draws at a moment of a run, drawn by a browser without a window."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from treeviz.cli_export import (
    MOMENT_NAMES,
    MomentOptions,
    kind_of,
    lesson_option,
    moment_options,
    out_option,
    refuse_given,
    require_iteration,
    train,
    write_out,
)
from treeviz.cli_options import data_options, training_options
from treeviz.export.browser import PICTURES

if TYPE_CHECKING:
    from treeviz.export.browser import Theme
    from treeviz.lesson.scenes.lesson_file import Lesson


def _drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what the stage draws: which picture of which moment, in which colours."""
    options = (
        moment_options,
        click.option("--picture", type=click.Choice(tuple(PICTURES)), default="tree", show_default=True),
        click.option("--theme", type=click.Choice(("light", "dark")), default="light", show_default=True),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _draw(
    data: str,
    options: Mapping[str, Any],
    moment: MomentOptions,
    step: int | None,
    save: Callable[[str], bytes],
) -> bytes:
    """Train as far as a moment, and return what `save` makes of a replay that opens there.

    `step` is within the phase; None is the last.
    """
    from treeviz.export.browser import require_browser
    from treeviz.export.replay import write_still

    iteration = moment.iteration
    try:
        require_browser()
        trace = train(data, {**options, "iterations": iteration + 1}, [moment.tree])
        if iteration >= len(trace.records):
            last = len(trace.records) - 1
            raise ValueError(f"there is no iteration {iteration}: the run ends with iteration {last} (--until-loss)")
        return save(write_still(trace, moment.find(trace), step))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@data_options
@training_options
@_drawing_options
@click.option("--step", type=click.IntRange(0), help="Within the phase, from 0.  [default: the last]")
@click.option("--format", "kind", type=click.Choice(("svg", "png")), help="[default: from --out]")
@click.option("--scale", type=click.Choice(("2", "4")), help="Of png: so many times as large as seen.  [default: 2]")
@out_option
def tree(
    data: str,
    moment: MomentOptions,
    picture: str,
    theme: "Theme",
    step: int | None,
    kind: str | None,
    scale: Literal["2", "4"] | None,
    out: Path,
    **options: Any,
) -> None:
    """Write the stage's own picture of a tree, or another of its pictures, at a moment of a run.

    A Chromium or Chrome without a window draws it.
    """
    kind = kind_of(kind, out, ("svg", "png"))
    if scale and kind == "svg":
        raise click.UsageError("--scale is of png, and svg has no size of its own: leave it out")
    require_iteration(moment.iteration, options)
    from treeviz.export.browser import save_picture

    form: Literal["svg", "2", "4"] = "svg" if kind == "svg" else scale or "2"
    write_out(_draw(data, options, moment, step, lambda replay: save_picture(replay, picture, form, theme)), out)


@click.command()
@data_options
@training_options
@_drawing_options
@click.option("--of", "span", type=click.Choice(("phase", "iteration")), default="phase", show_default=True)
@lesson_option
@click.option("--scene", type=click.IntRange(1), help="Of --lesson: the film is of this scene, from 1.  [default: 1]")
@click.option("--format", "kind", type=click.Choice(("gif", "webm")), help="[default: from --out]")
@out_option
def film(
    data: str,
    moment: MomentOptions,
    picture: str,
    theme: "Theme",
    span: Literal["phase", "iteration"],
    lesson: "tuple[str, Lesson] | None",
    scene: int | None,
    kind: str | None,
    out: Path,
    **options: Any,
) -> None:
    """Write a film of the stage's picture: a phase, an iteration or a lesson's scene at reading pace, with its text.

    A Chromium or Chrome without a window draws it.
    """
    form: Literal["gif", "webm"] = "gif" if kind_of(kind, out, ("gif", "webm")) == "gif" else "webm"
    if lesson:
        refuse_given("data", "span", *MOMENT_NAMES, *options)
        replay = _write_scene(*lesson, scene or 1)
        return write_out(_film(replay, picture, "scene", form, theme), out)
    if scene:
        raise click.UsageError("--scene is of a lesson: pass --lesson, too")
    require_iteration(moment.iteration, options)
    write_out(_draw(data, options, moment, 0, lambda replay: _film(replay, picture, span, form, theme)), out)


def _film(
    replay: str,
    picture: str,
    span: Literal["phase", "iteration", "scene"],
    form: Literal["gif", "webm"],
    theme: "Theme",
) -> bytes:
    """Return a film of what a replay opens at, with progress on a terminal."""
    from tqdm import tqdm

    from treeviz.export.browser import save_film

    with tqdm(unit="frame", leave=False, disable=None) as progress:

        def show(done: int, total: int) -> None:
            progress.total = total
            progress.update(done - progress.n)

        try:
            return save_film(replay, picture, span, form, theme, show)
        except ValueError as error:
            raise click.ClickException(str(error)) from error


def _write_scene(key: str, lesson: "Lesson", scene: int) -> str:
    """Train as far as a scene of a lesson needs, and return a replay of it; scenes count from 1."""
    from tqdm import tqdm

    from treeviz.export.browser import require_browser
    from treeviz.export.lesson_replay import write_lesson

    if scene > len(lesson.scenes):
        raise click.UsageError(f"there is no scene {scene}: the lesson {key} has the scenes 1 to {len(lesson.scenes)}")
    try:
        require_browser()
        with tqdm(unit="step", leave=False, disable=None) as progress:
            return write_lesson(key, lesson, progress.update, scene=scene - 1)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
