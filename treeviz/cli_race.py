"""Races on the command line: `treeviz race`, and what of a race or a forecast `treeviz export` writes."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.cli_export import kind_of, out_option, write_out
from treeviz.cli_options import Command, data_options, load_data, node_price_option
from treeviz.export.columns import RACE_TABLES
from treeviz.model.config import TrainConfig
from treeviz.output import print_result, require_output

if TYPE_CHECKING:
    from treeviz.race.contestant import Contestant
    from treeviz.race.lane import Lane
    from treeviz.race.race import Race

_KINDS = ("csv", "parquet", "json")
_CONFIG = ("width", "threshold", "batch_size", "ridge", "seed")


def _methods_option(default: str) -> Callable[[Command], Command]:
    words = "Contestants, separated by commas; treeviz race --list shows all."
    return click.option("--methods", default=default, show_default=True, help=words)


def _format_option(command: Command) -> Command:
    words = "csv and parquet hold one table, json all of them.  [default: from --out]"
    return click.option("--format", "kind", type=click.Choice(_KINDS), help=words)(command)


def race_options(command: Command) -> Command:
    """Add the options of a race: data and network, the contestants, and what they race to."""
    options = (
        data_options,
        node_price_option,
        _methods_option("forest,table,compact,dense,dense-sparse"),
        click.option(
            "--until-loss", type=float, default=1e-6, show_default=True, help="A contestant that reaches it is done."
        ),
        click.option("--max-seconds", type=float, default=30.0, show_default=True, help="For all together."),
        click.option(
            "--max-iterations", type=click.IntRange(1), default=100_000, show_default=True, help="At most, each."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@race_options
@click.option("--list", "is_list", is_flag=True, help="List the contestants and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the table, every iteration, the verdict.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a line of CSV for every iteration.")
def race(node_price: int, until_loss: float, is_list: bool, as_json: bool, as_csv: bool, **options: Any) -> None:
    """Race several methods from the same initial weights. Ctrl-C ends the race and keeps what is done."""
    from treeviz.race import report
    from treeviz.race.contestants import CONTESTANTS

    if is_list:
        for contestant in CONTESTANTS.values():
            click.echo(f"{contestant.key:22} {contestant.about}")
        return
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other: leave one out")
    require_output()
    contest, interrupted = _hold_race(until_loss=until_loss, **options)
    if as_json:
        print_result(json.dumps(report.as_json(contest, until_loss, node_price), allow_nan=False), "race.json")
    elif as_csv:
        print_result(report.as_csv(contest, node_price).removesuffix("\n"), "race.csv")
    else:
        print_result(report.as_text(contest, until_loss, node_price), "race.txt")
    if interrupted:
        sys.exit(130)


@click.command("race")
@race_options
@_format_option
@click.option(
    "--table",
    type=click.Choice(tuple(RACE_TABLES)),
    help="Of csv and parquet: a row an iteration, a contestant, or a phase.  [default: laps]",
)
@out_option
def export_race(node_price: int, kind: str | None, table: str | None, out: Path, **options: Any) -> None:
    """Write the numbers of a race, with units and all settings. Ctrl-C ends the race and keeps what is done."""
    kind = kind_of(kind, out, _KINDS)
    if table and kind == "json":
        raise click.UsageError("--table is of csv and parquet, and json holds everything: leave --table out")
    from treeviz.export.race import pack_race

    contest, interrupted = _hold_race(**options)
    write_out(pack_race(contest, kind, table or "laps", node_price=node_price), out)
    if interrupted:
        sys.exit(130)


@click.command()
@data_options
@node_price_option
@_methods_option("forest,table,compact,dense-sparse,descent-forest,descent-table,descent-dense-sparse,adam")
@click.option(
    "--iterations", type=click.IntRange(1), default=7, show_default=True, help="Of Gauss-Newton, to be expected."
)
@click.option(
    "--first-order-iterations",
    "first_order",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Of gradient descent and sgd.",
)
@click.option("--adam-iterations", "adam", type=click.IntRange(1), default=200, show_default=True, help="Of Adam.")
@_format_option
@out_option
def forecast(
    data: str,
    node_price: int,
    methods: str,
    iterations: int,
    first_order: int,
    adam: int,
    kind: str | None,
    out: Path,
    **options: Any,
) -> None:
    """Write how many operations methods are expected to need, by width, before anything is trained."""
    kind = kind_of(kind, out, _KINDS)
    from treeviz.export.race import pack_forecast
    from treeviz.race.cost_figures import Curve
    from treeviz.race.forecast import expected_workloads, forecast_curve

    counts = {"gauss-newton": iterations, "gradient-descent": first_order, "sgd": first_order, "adam": adam}
    contestants = _find_contestants(methods)
    for one in contestants:
        if one.predict is None or one.family not in counts:
            raise click.ClickException(f"what {one.key} costs cannot be told before it runs: race it, or leave it out")
    try:
        config = TrainConfig(**{name: options[name] for name in _CONFIG})
        train = load_data(data, options).train
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    widths, loads = expected_workloads(train.X, config, node_price)
    curves = [
        Curve(one.title, place, forecast_curve(one, loads, counts[one.family])) for place, one in enumerate(contestants)
    ]
    dimension = train.dimension
    content = pack_forecast(
        curves, widths, train, config, kind, iterations=counts, dimension=dimension, node_price=node_price
    )
    write_out(content, out)


def _find_contestants(methods: str) -> Sequence["Contestant"]:
    """Return the contestants that are named; a ClickException names one that there is not."""
    from treeviz.race.contestants import CONTESTANTS

    keys = [key.strip() for key in methods.split(",") if key.strip()]
    unknown = [key for key in keys if key not in CONTESTANTS]
    if unknown:
        raise click.ClickException(f"there is no contestant {unknown[0]!r}: choose among {', '.join(CONTESTANTS)}")
    return [CONTESTANTS[key] for key in keys]


def _hold_race(
    data: str, methods: str, until_loss: float, max_seconds: float, max_iterations: int, **options: Any
) -> tuple["Race", bool]:
    """Run a race with a bar on a terminal; return it, and whether it was interrupted."""
    from tqdm import tqdm

    from treeviz.race.race import Race, warm_up

    contestants = _find_contestants(methods)
    try:
        config = TrainConfig(**{name: options[name] for name in _CONFIG})
        split = load_data(data, options)
        contest = Race(
            split.train,
            contestants,
            config,
            until_loss=until_loss,
            max_laps=max_iterations,
            max_seconds=max_seconds,
            test=split.test,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    warm_up(contestants)
    with tqdm(total=None, unit="iteration", leave=False, disable=None) as progress:

        def show(lane: "Lane") -> None:
            progress.set_postfix_str(f"{lane.contestant.title} {lane.num_laps:,}: loss {lane.last_loss:.1e}")
            progress.update()

        try:
            contest.run(on_lap=show)
        except KeyboardInterrupt:
            contest.cancel()
            return contest, True
    return contest, False
