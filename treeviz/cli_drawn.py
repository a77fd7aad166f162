"""`treeviz export tree`, `film` and `chart`: pictures of a run, most of them drawn by a browser without a window."""

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
    from treeviz.training.trace import Trace


_CHARTS = ("loss", "operations", "seconds")  # of style/run_charts.py, which takes long to import

_theme_option = click.option("--theme", type=click.Choice(("light", "dark")), default="light", show_default=True)
_form_option = click.option("--format", "kind", type=click.Choice(("svg", "png")), help="[default: from --out]")
_scale_option = click.option(
    "--scale", type=click.Choice(("2", "4")), help="Of png: so many times as large as seen.  [default: 2]"
)


def _drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what the stage draws: which picture of which moment, in which colours."""
    options = (
        moment_options,
        click.option("--picture", type=click.Choice(tuple(PICTURES)), default="tree", show_default=True),
        _theme_option,
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
        _require_record(trace, iteration)
        return save(write_still(trace, moment.find(trace), step))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@data_options
@training_options
@_drawing_options
@click.option("--step", type=click.IntRange(0), help="Within the phase, from 0.  [default: the last]")
@_form_option
@_scale_option
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
    form = _form_of(kind, scale, out)
    require_iteration(moment.iteration, options)
    from treeviz.export.browser import save_picture

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


@click.command()
@data_options
@training_options
@click.option("--chart", "name", type=click.Choice(_CHARTS), default="loss", show_default=True)
@click.option("--iteration", type=click.IntRange(0), default=0, show_default=True, help="Marked by a line; from 0.")
@_theme_option
@_form_option
@_scale_option
@out_option
def chart(
    data: str,
    name: str,
    iteration: int,
    theme: "Theme",
    kind: str | None,
    scale: Literal["2", "4"] | None,
    out: Path,
    **options: Any,
) -> None:
    """Write a chart of a run: its loss, or what an iteration costs, with the dense method's beside it.

    For PNG, a Chromium or Chrome without a window paints it.
    """
    form = _form_of(kind, scale, out)
    require_iteration(iteration, options)
    from treeviz.export.browser import paint_picture, require_browser
    from treeviz.export.chart_svg import picture_chart
    from treeviz.style.run_charts import RUN_CHARTS
    from treeviz.training.finished import train_baseline

    try:
        if form != "svg":
            require_browser()
        trace = train(data, options)
        _require_record(trace, iteration)
        one, dense, refusal = RUN_CHARTS[name], None, ""
        if one.has_baseline:
            dense, refusal = train_baseline(trace)
        if refusal:
            click.echo(refusal, err=True)
        picture = picture_chart(one.build(trace, dense, iteration), one.describe(trace, dense), theme)
        write_out(picture.encode() if form == "svg" else paint_picture(picture, int(form)), out)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _form_of(kind: str | None, scale: Literal["2", "4"] | None, out: Path) -> Literal["svg", "2", "4"]:
    """Return the form of a picture: "svg", or how many times as large as seen it is painted."""
    if kind_of(kind, out, ("svg", "png")) == "png":
        return scale or "2"
    if scale:
        raise click.UsageError("--scale is of png, and svg has no size of its own: leave it out")
    return "svg"


def _require_record(trace: "Trace", iteration: int) -> None:
    """Refuse an iteration that a run has not come to."""
    if iteration >= len(trace.records):
        last = len(trace.records) - 1
        raise ValueError(f"there is no iteration {iteration}: the run ends with iteration {last} (--until-loss)")
