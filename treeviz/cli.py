"""The command line: `treeviz run`, `bench`, `app` and `serve`; `race` and `export` have files of their own."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.cli_cluster import cluster_options, opened_trainer
from treeviz.cli_drawn import chart, film, tree
from treeviz.cli_export import export
from treeviz.cli_options import data_options, node_price_option, training_options
from treeviz.cli_race import export_race, forecast, race
from treeviz.cli_sweep import sweep
from treeviz.interrupts import raise_again
from treeviz.output import keep, print_result, reason_of, require_output
from treeviz.search.sharded.shards import ClusterError
from treeviz.serving import FEW_STUDENTS, Place, default_processes, find_haproxy, keep_serving
from treeviz.training.record import StepRecord

if TYPE_CHECKING:
    from treeviz.training.checkpoint import CheckpointWriter
    from treeviz.training.trainer import Trainer


class _Commands(click.Group):
    """Commands that end with the exit code 130 where Ctrl-C finds nothing to keep; the others answer it themselves."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            raise_again()
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="treeviz")
def main() -> None:
    """Train a wide two-layer network by editing max-trees, and see what each step costs."""


main.add_command(race)
main.add_command(sweep)
main.add_command(export)
for command in (tree, film, chart, export_race, forecast):
    export.add_command(command)


@main.command()
@data_options
@node_price_option
@training_options
@cluster_options
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the run to this file (.npz).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def run(
    data: str, node_price: int, iterations: int, until_loss: float, save: Path | None, as_json: bool, **options: Any
) -> None:
    """Train once and print a row an iteration. Ctrl-C stops early and keeps what is done."""
    from treeviz.training.files import require_writable
    from treeviz.training.judge import require_loss

    require_output()
    if save:
        try:
            require_writable(save)
        except OSError as error:
            raise click.ClickException(f"cannot write {save} ({reason_of(error)}): choose another --save") from error
    with ExitStack() as stack:
        try:
            require_loss(until_loss)
            trainer, writer = stack.enter_context(opened_trainer(data, options))
        except (ValueError, ClusterError) as error:
            raise click.ClickException(str(error)) from error
        _train(trainer, writer, node_price, iterations, until_loss, save, as_json=as_json)


def _train(
    trainer: "Trainer",
    writer: "CheckpointWriter | None",
    node_price: int,
    iterations: int,
    until_loss: float,
    save: Path | None,
    *,
    as_json: bool,
) -> None:
    from tqdm import tqdm

    from treeviz.training import report

    priced = report.PricedRun(trainer, node_price)
    interrupted = False
    fault: OSError | None = None  # what was printed could not be written: the run is kept all the same
    with tqdm(total=iterations, unit="iteration", leave=False, disable=None) as progress:

        def show(record: StepRecord) -> None:
            if writer:
                try:
                    writer.take(record)
                except OSError as error:
                    raise click.ClickException(f"cannot write the checkpoint ({reason_of(error)})") from error
            own = priced.take(record)
            if not as_json:
                progress.write(report.row(own), file=sys.stdout)
            progress.set_postfix_str(f"loss {record.loss:.2e}")
            progress.update()

        try:
            if not as_json:
                progress.write(report.heading(priced.trace), file=sys.stdout)
            trainer.run(iterations, until_loss, on_step=show)
        except KeyboardInterrupt:
            interrupted = True
        except ClusterError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            fault = error
    is_saved = keep(trainer.trace.save, save) if save else True
    if isinstance(fault, BrokenPipeError):
        raise fault  # the reader has what it wanted
    if fault:
        raise click.ClickException(f"cannot print the run ({reason_of(fault)})") from fault
    if as_json:
        values = report.as_json(priced.trace, node_price=node_price, is_interrupted=interrupted)
        print_result(json.dumps(values, allow_nan=False), "run.json")
    else:
        print_result(report.conclusion(priced.trace, until_loss, is_interrupted=interrupted), "run.txt")
    if interrupted or not is_saved:
        sys.exit(130 if interrupted else 1)


@main.command()
@click.option("--quick", is_flag=True, help="Smaller networks: under a minute.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="bench-results",
    show_default=True,
    help="Folder for bench.json, bench.csv and bench.html.",
)
@click.option("--cases", help="Only these, by name, separated by commas; --list shows all.  [default: all]")
@click.option("--list", "is_list", is_flag=True, help="List the cases and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of the tables.")
def bench(quick: bool, output: Path, cases: str | None, is_list: bool, as_json: bool) -> None:
    """Measure time and memory against the dense baseline. Ctrl-C ends it and keeps what is done."""
    from tqdm import tqdm

    from treeviz.bench import page, report
    from treeviz.bench.measure import num_steps, run_bench
    from treeviz.bench.plan import FULL, QUICK

    plan = QUICK if quick else FULL
    if is_list:
        click.echo("\n".join(plan.names))
        return
    if cases is not None:
        try:
            plan = plan.select([name.strip() for name in cases.split(",") if name.strip()])
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    require_output()
    try:
        page.prepare_folder(output)
    except OSError as error:
        raise click.ClickException(f"cannot write to {output} ({reason_of(error)}): choose another --output") from error
    with tqdm(total=num_steps(plan), unit="step", leave=False, disable=None) as progress:

        def show(words: str) -> None:
            progress.set_postfix_str(words)
            progress.update()

        result = run_bench(plan, on_step=show)

    def save(folder: Path) -> None:
        page.prepare_folder(folder)
        page.save(result, folder)

    is_saved = keep(save, output)
    if as_json:
        print_result(json.dumps(report.as_json(result), allow_nan=False), "bench.json")
    else:
        print_result(report.as_text(result), "bench.txt")
    if result.is_interrupted or not is_saved:
        sys.exit(130 if result.is_interrupted else 1)


def _give_lesson(_context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    """Have the app open a lesson, once it is seen to be one."""
    if path is None:
        return
    from treeviz.export.lesson_replay import parse_lesson
    from treeviz.pages.lessons import LESSON_FILE

    try:
        parse_lesson(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be opened as a lesson: {error}") from None
    os.environ[LESSON_FILE] = str(path.resolve())


_lesson_option = click.option(
    "--lesson",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_give_lesson,
    expose_value=False,
    help="Open this lesson, a TOML file, for everyone who comes without a link.",
)


@main.command(context_settings={"ignore_unknown_options": True})
@_lesson_option
@click.argument("streamlit_options", nargs=-1, type=click.UNPROCESSED)
def app(streamlit_options: tuple[str, ...]) -> None:
    """Start the app on http://localhost:8501, for this machine only. Further options go to Streamlit."""
    from treeviz.pages.entry import serve

    serve(streamlit_options)


@main.command()
@_lesson_option
@click.option("--students", type=click.IntRange(1), default=60, show_default=True, help="Size of the class.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help=f"Processes of the app; more than one need HAProxy.  [default: one for at most {FEW_STUDENTS} students, "
    "otherwise one a processor that this command may use]",
)
@click.option("--address", default="0.0.0.0", show_default=True, help="Listen on this IP address of the machine.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8501, show_default=True, help="Listen on this port.")
@click.option("--base-path", default="", help="Serve under this path, as /treeviz; for a proxy that has other paths.")
def serve(students: int, processes: int | None, address: str, port: int, base_path: str) -> None:
    """Serve the app to a class until Ctrl-C or SIGTERM.

    The network must be one you trust, or have a proxy with TLS and a login before it.
    """
    from treeviz.training.memory import usable_bytes

    wanted = processes or default_processes(students)
    haproxy = find_haproxy()
    if wanted > 1 and haproxy is None:
        if processes:
            raise click.ClickException(
                f"--processes {processes} needs HAProxy: install the package haproxy, or pass --processes 1"
            )
        click.echo(f"One process serves all: install the package haproxy, and {wanted} share the work.")
        wanted = 1
    try:
        usable_bytes()  # it says if the limit that the user has set cannot be used
        place = Place(address, port, base_path)
        place.require_free()
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on port {port} of {address} ({reason_of(error)}): choose another --port or --address"
        ) from error
    try:
        keep_serving(place, wanted, haproxy if wanted > 1 else None)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
