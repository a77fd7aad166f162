"""`treeviz sweep`: the experiments of the Lab without the app."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.output import print_result, reason_of, require_output

if TYPE_CHECKING:
    from treeviz.lab.pools import PoolMaker
    from treeviz.lab.sweep import Progress, Sweep


def _writable(_context: click.Context, _option: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    from treeviz.lab.report import require_kind
    from treeviz.training.files import require_writable

    for path in paths:
        try:
            require_kind(path)
            require_writable(path)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        except OSError as error:
            raise click.BadParameter(f"cannot write {path} ({reason_of(error)}): choose another file") from error
    return paths


@click.command()
@click.argument("name", required=False)
@click.option("--list", "is_list", is_flag=True, help="List the experiments and stop.")
@click.option("--quick", is_flag=True, help="A small version: under 45 seconds on two cores.")
@click.option("--full", is_flag=True, help="The large version, which may take hours.")
@click.option("--seeds", type=int, help="How many seeds.  [default: the experiment's own number]")
@click.option("--workers", type=click.IntRange(1), help="Processes on this machine.  [default: one a processor]")
@click.option("--cluster", help="Measure on this cluster instead: the address of its dask scheduler.")
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the points in this file; those that are there are not measured again.  "
    "[default: TREEVIZ_LAB, or a file in your folder for data]",
)
@click.option("--again", is_flag=True, help="Measure all points again, those that are kept too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: points, fits, answer and configuration.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    callback=_writable,
    help="Also write this file: .csv, .parquet or .json for the points, .html, .svg or .png for the pictures; repeat "
    "it for others.",
)
def sweep(
    name: str | None,
    is_list: bool,
    quick: bool,
    full: bool,
    seeds: int | None,
    store: Path | None,
    again: bool,
    as_json: bool,
    out: tuple[Path, ...],
    **places: Any,
) -> None:
    """Answer a question by an experiment: NAME is one that --list shows.

    Every point is kept as it comes. Ctrl-C ends the sweep, and the next one goes on where it was.
    """
    from treeviz.lab import report
    from treeviz.lab.experiment import Request
    from treeviz.lab.experiments import find_experiments
    from treeviz.lab.store import PointStore
    from treeviz.lab.sweep import Sweep, require_sense

    experiments = find_experiments()
    if is_list:
        for experiment in experiments.values():
            click.echo(f"{experiment.key:12} {experiment.question}")
        return
    if name not in experiments:
        given = "name an experiment" if name is None else f"there is no experiment {name!r}"
        raise click.UsageError(f"{given}: {', '.join(experiments)}")
    if quick and full:
        raise click.UsageError("--quick and --full exclude each other: leave one out")
    require_output()
    try:
        request = Request(experiments[name], "quick" if quick else "full" if full else "default", seeds)
        make_pool, num_workers = _find_pool(**places)
        require_sense(request, num_workers)
        points = PointStore(store)
        if again:
            points.forget(request.experiment, request.tasks)
        run = Sweep(request, points, make_pool)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    problem, is_interrupted = _measure(run)
    if problem and not run.num_done:
        raise click.ClickException(problem)
    are_saved = [_save(run, path) for path in out]  # before what is printed, whose reader may go away
    if as_json:
        print_result(json.dumps(report.as_json(run), allow_nan=False), f"{name}.json")
    else:
        print_result(report.as_text(run), f"{name}.txt")
    if problem:
        raise click.ClickException(f"the sweep stopped: {problem}")
    if is_interrupted or not all(are_saved):
        sys.exit(130 if is_interrupted else 1)


def _save(run: "Sweep", path: Path) -> bool:
    """Write a file of a sweep, and return whether that was possible; if not, say why, and go on."""
    from treeviz.lab import report

    try:
        report.save(run, path)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        click.echo(
            f"Error: cannot write {path} ({reason}): name another file, and no point is measured again.", err=True
        )
        return False
    click.echo(f"Saved to {path}.", err=True)
    return True


def _find_pool(workers: int | None, cluster: str | None) -> "tuple[PoolMaker, int]":
    from treeviz.lab.pools import cluster_pool, local_pool, usable_processors

    if cluster is None:
        return local_pool(workers), workers or usable_processors()
    if workers is not None:
        raise click.UsageError("--workers are processes of this machine, and --cluster has its own: leave one out")
    return cluster_pool(cluster), 1


def _measure(run: "Sweep") -> tuple[str, bool]:
    """Run a sweep with its progress on a terminal; return what stopped it, if anything did, and whether Ctrl-C did."""
    from tqdm import tqdm

    with tqdm(total=len(run.request.tasks), initial=run.num_done, unit="point", leave=False, disable=None) as bar:

        def show(progress: "Progress") -> None:
            bar.set_postfix_str(f"about {progress.seconds_left:.0f} s left")
            bar.update(progress.num_done - bar.n)

        try:
            run.run(show)
        except KeyboardInterrupt:
            return "", True
        except ValueError as error:  # nothing more can be kept, or the cluster is gone: what is measured is printed
            return str(error), False
    return "", False
