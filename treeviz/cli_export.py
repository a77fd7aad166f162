"""`treeviz export`: what can be taken home from a run, without a browser.

Each subcommand trains by the options of `treeviz run` and writes one file. `out_option` checks before the work that the
file can be written; `train` shows progress; `write_out` replaces a file only when the new one is whole.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.cli_options import data_options, make_trainer, training_options
from treeviz.output import keep, reason_of

if TYPE_CHECKING:
    from treeviz.training.trace import Trace


@click.group()
def export() -> None:
    """Write what can be taken home from a run to a file."""


def out_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--out FILE`, which is refused before the work where it cannot be written."""
    return click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        callback=lambda context, option, path: _writable(path),
        help="Write this file; one that exists is replaced when the new one is whole.",
    )(command)


def _writable(path: Path) -> Path:
    from treeviz.training.files import require_writable

    try:
        require_writable(path)
    except OSError as error:
        raise click.BadParameter(f"cannot write {path} ({reason_of(error)}): choose another file") from error
    return path


def train(data: str, options: Mapping[str, Any]) -> "Trace":
    """Train by the options of `data_options` and `training_options`, with progress on a terminal; return the trace."""
    from tqdm import tqdm

    from treeviz.training.judge import require_loss

    try:
        require_loss(options["until_loss"])
        trainer = make_trainer(data, options)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    with tqdm(total=options["iterations"], unit="iteration", leave=False, disable=None) as progress:
        return trainer.run(options["iterations"], options["until_loss"], on_step=lambda record: progress.update())


def write_out(content: bytes, path: Path) -> None:
    """Write the file whole; where that has become impossible, keep it elsewhere and end with a status of failure."""
    from treeviz.training.files import write_whole

    if not keep(lambda place: write_whole(place, content), path):
        raise SystemExit(1)


@export.command()
@data_options
@training_options
@out_option
def records(data: str, out: Path, **options: Any) -> None:
    """Write a run's iterations as a table."""
    from treeviz.export.records import records_table

    write_out(records_table(train(data, options)).to_csv(index=False).encode(), out)
