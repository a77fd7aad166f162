"""What `treeviz run` does with a cluster and with a checkpoint."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.cli_options import read_settings
from treeviz.output import reason_of

if TYPE_CHECKING:
    from treeviz.model.config import TrainConfig
    from treeviz.training.checkpoint import CheckpointWriter
    from treeviz.training.trainer import Trainer

Command = Callable[..., Any]

# What a resumed run takes from the command line; all else is in the file.
_FREE = {"iterations", "until_loss", "node_price", "save", "as_json", "cluster", "workers", "resume"}


def cluster_options(command: Command) -> Command:
    """Add the options for a cluster and for a checkpoint."""
    options = (
        click.option(
            "--cluster",
            metavar="ADDRESS",
            help="Train on the workers of a dask.distributed scheduler, with --search watch --solver exact --draw "
            "firing; also the path of its scheduler file.",
        ),
        click.option("--workers", type=click.IntRange(1), help="The same, on so many workers started here."),
        click.option(
            "--checkpoint",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write data and settings to this file, and each move when it is made.",
        ),
        click.option(
            "--resume",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Go on from this checkpoint, and go on writing it; --iterations counts those it has.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def opened_trainer(data: str, options: Mapping[str, Any]) -> Iterator[tuple["Trainer", "CheckpointWriter | None"]]:
    """Give the trainer that the options ask for, on a cluster if they name one, and what writes its checkpoint.

    The cluster is left, and workers started here are ended, with the block. Raises ValueError if something cannot be
    used, and ClickException if the checkpoint cannot be written.
    """
    from contextlib import ExitStack

    from tqdm import tqdm

    from treeviz.training.checkpoint import Checkpoint, CheckpointWriter
    from treeviz.training.cluster import connect
    from treeviz.training.trainer import Trainer

    address, workers, path, resume = (options[name] for name in ("cluster", "workers", "checkpoint", "resume"))
    if address is not None and workers is not None:
        raise ValueError("--cluster names a cluster and --workers starts one: pass one of the two")
    resumed = None
    if resume is not None:
        _require_free()
        path, resumed = resume, Checkpoint.load(resume)
        settings = resumed.data, resumed.config
    else:
        settings = read_settings(data, options)
    if address is not None or workers is not None:
        _require_cluster_settings(settings[1])
    if path is not None:
        _require_place(path, is_there=resumed is not None)
    with ExitStack() as stack:
        client = None
        if address is not None or workers is not None:
            client = stack.enter_context(connect(address, num_workers=workers, say=_say))
        with tqdm(unit="part", desc="building", leave=False, disable=None if client else True) as progress:

            def show(done: int, of: int) -> None:
                progress.total = of
                progress.update(done - progress.n)

            steps = resumed.dual_steps if resumed else ()
            trainer = Trainer(*settings, cluster=client, dual_steps=steps, on_shard=show)
        yield trainer, None if path is None else CheckpointWriter(path, *settings, resumed=resumed)


def _require_cluster_settings(config: "TrainConfig") -> None:
    """Raise ValueError if a cluster cannot train so, before one is asked for."""
    is_solved = config.solver == "exact" or config.method != "gauss-newton"
    if config.search != "watch" or config.draw != "firing" or not is_solved:
        raise ValueError(
            "a cluster trains with --search watch --draw firing --solver exact: pass these. Other searches need all "
            "weights in one place, and the sketch goes through all firing pairs, which stay with the workers"
        )


def _require_place(path: Path, *, is_there: bool) -> None:
    """Raise ClickException if a checkpoint cannot be written, or is there already and was not meant to be."""
    from treeviz.training.files import require_writable

    if path.exists() and not is_there:
        raise click.ClickException(
            f"{path} is there already: go on from it with --resume, or choose another --checkpoint"
        )
    try:
        require_writable(path)
    except OSError as error:
        raise click.ClickException(f"cannot write {path} ({reason_of(error)}): choose another --checkpoint") from error


def _say(words: str) -> None:
    click.echo(words, err=True)


def _require_free() -> None:
    """Raise ValueError if the command line has an option that the checkpoint decides."""
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if is_given and name not in _FREE:
            raise ValueError(f"--resume takes data and settings from its file: leave out {parameter.opts[0]}")
