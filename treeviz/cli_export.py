"""`treeviz export`: what can be taken home from a run, without a browser.

Each subcommand trains by the options of `treeviz run` and writes one file. `out_option` checks before the work that the
file can be written; `train` shows progress; `write_out` replaces a file only when the new one is whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from treeviz.cli_options import Command, data_options, make_trainer, training_options
from treeviz.export.columns import FORMATS, RUN_TABLES
from treeviz.model.phases import PHASES
from treeviz.output import keep, print_result, reason_of, require_output

if TYPE_CHECKING:
    from treeviz.lesson.scenes.lesson_file import Lesson
    from treeviz.stage.moment import Moment
    from treeviz.training.trace import Trace


_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


@click.group()
def export() -> None:
    """Write what can be taken home from a run to a file."""


def _writable(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    from treeviz.training.files import require_writable

    try:
        if path is not None:
            require_writable(path)
    except OSError as error:
        raise click.BadParameter(f"cannot write {path} ({reason_of(error)}): choose another file") from error
    return path


_OUT: dict[str, Any] = {
    "type": click.Path(dir_okay=False, path_type=Path),
    "callback": _writable,
    "help": "Write this file; one that exists is replaced when the new one is whole.",
}


def out_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--out FILE`, which is refused before the work where it cannot be written."""
    return click.option("--out", required=True, **_OUT)(command)


MOMENT_NAMES = ("tree", "iteration", "phase", "nodes", "opened")


@dataclass(frozen=True, slots=True)
class MomentOptions:
    """A moment of a run as `moment_options` name it: `phase` None is the last one, `opened` are stubs of the tree."""

    tree: int
    iteration: int
    phase: str | None
    nodes: int
    opened: tuple[int, ...]

    def find(self, trace: "Trace") -> "Moment":
        """Return the moment; ValueError if the run has no such phase."""
        from treeviz.export.notebook import moment_of

        return moment_of(trace, self.tree, self.iteration, self.phase, self.nodes, self.opened)


def moment_options(command: Command) -> Command:
    """Add the options that choose a moment of a run, as an address of the app does, and how its tree is drawn.

    The command is called with all of them as `moment`, a `MomentOptions`.
    """

    @wraps(command)
    def gathered(tree: int, iteration: int, phase: str | None, nodes: int, opened: tuple[int, ...], **rest: Any) -> Any:
        return command(moment=MomentOptions(tree, iteration, phase, nodes, opened), **rest)

    in_iteration = [name for name, phase in PHASES.items() if phase.in_iteration]
    options = (
        click.option("--tree", type=click.IntRange(0), default=0, show_default=True, help="Of this datapoint, from 0."),
        click.option("--iteration", type=click.IntRange(0), default=0, show_default=True, help="From 0."),
        click.option("--phase", type=click.Choice(in_iteration), help="Within the iteration.  [default: the last]"),
        click.option(
            "--nodes",
            type=click.IntRange(3),
            default=127,
            show_default=True,
            help="Draw at most so many nodes of the tree; the rest become stubs.",
        ),
        click.option("--open", "opened", type=int, multiple=True, help="Open this stub; repeat it for others."),
    )
    with_options: Command = gathered
    for option in reversed(options):
        with_options = option(with_options)
    return with_options


def train(data: str, options: Mapping[str, Any], trees: Sequence[int] = ()) -> "Trace":
    """Train by the options of `data_options` and `training_options`, with progress on a terminal; return the trace.

    `trees` are asked for: it is refused before the work if the data have no such datapoint.
    """
    from tqdm import tqdm

    from treeviz.training.judge import require_loss

    try:
        require_loss(options["until_loss"])
        trainer = make_trainer(data, options, trees)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with tqdm(total=options["iterations"], unit="iteration", leave=False, disable=None) as progress:
        return trainer.run(options["iterations"], options["until_loss"], on_step=lambda record: progress.update())


def kind_of(kind: str | None, out: Path, kinds: Sequence[str]) -> str:
    """Return the format asked for, or else the one that the file's name ends in."""
    kind = kind or out.suffix.removeprefix(".").lower()
    if kind not in kinds:
        *others, last = (f".{one}" for one in kinds)
        ends = f"{', '.join(others)} or {last}"
        raise click.UsageError(f"{out} does not end in {ends}: pass --format, or another --out")
    return kind


def require_iteration(iteration: int, options: Mapping[str, Any]) -> None:
    """Refuse an iteration that the run cannot have."""
    if iteration >= options["iterations"]:
        raise click.UsageError(f"--iteration {iteration} is not among the --iterations {options['iterations']}")


def write_out(content: bytes, path: Path) -> None:
    """Write the file whole; where that has become impossible, keep it elsewhere and end with a status of failure."""
    from treeviz.training.files import write_whole

    if not keep(lambda place: write_whole(place, content), path):
        raise SystemExit(1)


@export.command()
@data_options
@training_options
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="csv and parquet hold one table, json all of them; npz the trace, for Trace.load.  [default: from --out]",
)
@click.option(
    "--table",
    type=click.Choice(tuple(RUN_TABLES)),
    help="Of csv and parquet: a row an iteration, a phase, or a datapoint and iteration.  [default: records]",
)
@out_option
def records(data: str, kind: str | None, table: str | None, out: Path, **options: Any) -> None:
    """Write a run's numbers, with units and all settings."""
    kind = kind_of(kind, out, FORMATS)
    if table and kind in ("json", "npz"):
        raise click.UsageError(f"--table is of csv and parquet, and {kind} holds everything: leave --table out")
    from treeviz.export.records import pack_records

    write_out(pack_records(train(data, options), kind, table or "records"), out)


@export.command()
@data_options
@training_options
@moment_options
@out_option
def notebook(data: str, moment: MomentOptions, out: Path, **options: Any) -> None:
    """Write a notebook (.ipynb) or a script (.py) that makes this very moment of a run again and draws it."""
    kind = out.suffix.lower()
    if kind not in (".ipynb", ".py"):
        raise click.UsageError(f"{out} ends neither in .ipynb, for a notebook, nor in .py, for a script: choose one")
    require_iteration(moment.iteration, options)
    from treeviz.export.notebook import pack_notebook, pack_script

    trace = train(data, options, [moment.tree])
    try:
        pack = pack_notebook if kind == ".ipynb" else pack_script
        content = pack(trace, moment.find(trace))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    write_out(content, out)


@export.command()
@click.option("--out", **_OUT)
def citation(out: Path | None) -> None:
    """Print how to cite the paper and this version of treeviz, in BibTeX."""
    from treeviz.export.citation import bibtex

    if out is None:
        require_output()
        print_result(bibtex().removesuffix("\n"), "treeviz.bib")
    else:
        write_out(bibtex().encode(), out)


def _read_trees(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        trees = tuple(dict.fromkeys(int(piece) for piece in text.split(",")))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers: write them as 0,1,2") from None
    return trees


def _read_lesson(_context: click.Context, _option: click.Parameter, text: str | None) -> "tuple[str, Lesson] | None":
    """Find a lesson by the name of one that comes with the program, or by the path of its file."""
    if text is None:
        return None
    from treeviz.export.lesson_replay import known_lessons, parse_lesson

    if text in known_lessons():
        return text, known_lessons()[text]
    path = Path(text)
    if not path.is_file():
        names = ", ".join(known_lessons())
        raise click.BadParameter(f"{text} is neither a file nor one of the lessons {names}")
    try:
        return path.stem, parse_lesson(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be opened as a lesson: {error}") from None


def refuse_given(*names: str) -> None:
    """Refuse parameters that are given although a lesson takes the place of a run."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in names and context.get_parameter_source(parameter.name) in _GIVEN:
            raise click.UsageError(f"{parameter.opts[0]} is of a run, and a lesson has its own: leave it out")


lesson_option = click.option(
    "--lesson",
    callback=_read_lesson,
    help="A lesson instead of a run: the name of one that comes with treeviz, or a TOML file.",
)


@export.command()
@data_options
@training_options
@click.option(
    "--trees",
    default="0",
    show_default=True,
    callback=_read_trees,
    help="Trees that the file holds, by datapoint, separated by commas; it opens at the first.",
)
@lesson_option
@out_option
def replay(
    data: str,
    trees: tuple[int, ...],
    lesson: "tuple[str, Lesson] | None",
    out: Path,
    **options: Any,
) -> None:
    """Write one HTML file that plays a run, or a lesson, in a browser without a server."""
    from tqdm import tqdm

    from treeviz.export.lesson_replay import write_lesson
    from treeviz.export.replay import write_run
    from treeviz.training.finished import finish_run
    from treeviz.training.judge import require_loss

    if lesson:
        refuse_given("data", "trees", *options)
        with tqdm(unit="step", leave=False, disable=None) as progress:
            text = write_lesson(*lesson, on_step=progress.update)
        return write_out(text.encode(), out)
    try:
        require_loss(options["until_loss"])
        trainer = make_trainer(data, options, trees)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with tqdm(unit="iteration", leave=False, disable=None) as progress:
        run = finish_run(trainer, options["iterations"], options["until_loss"], on_step=progress.update)
    with tqdm(total=len(trees) * run.num_computed, unit="frame", leave=False, disable=None) as progress:
        write_out(write_run(run, trees, progress.update).encode(), out)


@export.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def site(folder: Path) -> None:
    """Write the lessons that come with treeviz as replays, with an index: a site for any host of static files."""
    from tqdm import tqdm

    from treeviz.export.lesson_replay import known_lessons, write_site
    from treeviz.training.files import require_writable

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("index", *known_lessons()):
            require_writable(folder / f"{name}.html")
    except OSError as error:
        raise click.ClickException(f"cannot write to {folder} ({reason_of(error)}): choose another folder") from error
    with tqdm(unit="step", leave=False, disable=None) as progress:
        for page in write_site(on_step=progress.update):
            write_out(page.text.encode(), folder / page.name)
