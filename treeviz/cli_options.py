"""Options of the command line that several commands share: data, network and training, and what is made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treeviz.data.csv_options import CsvOptions
from treeviz.data.refusal import OPTIONS, RefusalError
from treeviz.model.config import (
    ACTIVATIONS,
    DRAWN_SEARCHES,
    DRAWS,
    MAX_FIRING_WIDTH,
    METHODS,
    SEARCHES,
    SOLVERS,
    TrainConfig,
)
from treeviz.model.ledger import NODE_PRICES

if TYPE_CHECKING:
    from treeviz.data.dataset import Dataset, Split
    from treeviz.training.trainer import Trainer

Command = Callable[..., Any]

# What a CSV file takes besides what other data take, too.
_CSV_OPTIONS = tuple(option.name for option in fields(CsvOptions) if option.name != "target")


class StepSize(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A number, or auto for the step found by rule."""

    name = "number or auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Return the number; None for auto."""
        if value in ("auto", None):
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto", param, ctx)


def data_options(command: Command) -> Command:
    """Add the options that choose the data and the network."""
    csv = "CSV file: "
    options = (
        click.option(
            "--data",
            default="digits",
            show_default=True,
            help="A dataset's name, or the path of a CSV, Parquet or Excel file.",
        ),
        click.option("--points", type=click.IntRange(1), help="Number of datapoints n.  [default: the dataset's own]"),
        click.option("--target", help="What to learn; for a CSV file the name of the target column."),
        click.option("--positive", help=csv + "the class that becomes +1, against all others."),
        click.option("--separator", help=csv + "comma, semicolon, tab, pipe or space.  [default: found]"),
        click.option("--decimal", help=csv + "decimal mark, point or comma.  [default: found]"),
        click.option(
            "--thousands", help=csv + "mark between thousands: comma, point, space or apostrophe.  [default: found]"
        ),
        click.option(
            "--header/--no-header", default=None, help=csv + "whether the first line holds names.  [default: found]"
        ),
        click.option("--encoding", help=csv + "encoding of its text.  [default: found]"),
        click.option("--columns", multiple=True, help=csv + "use this column; repeat it for others.  [default: all]"),
        click.option("--leave-out", multiple=True, help=csv + "leave this column out; repeat it for others."),
        click.option("--one-hot", is_flag=True, default=None, help=csv + "use text columns, a 0/1 column a category."),
        click.option("--skip-bad-rows", is_flag=True, default=None, help=csv + "leave out rows that cannot be read."),
        click.option(
            "--standardize/--no-standardize",
            default=None,
            help=csv + "scale the columns to variance 1.  [default: yes]",
        ),
        click.option(
            "--lift/--no-lift",
            default=None,
            help=csv + "add a constant coordinate.  [default: with one or two columns]",
        ),
        click.option("--dimension", type=click.IntRange(1), help="Input dimension d, for generated data that has one."),
        click.option(
            "--center/--no-center",
            default=None,
            help="Subtract the mean of the points, for data that can be centred.",
        ),
        click.option("--noise", type=float, help="Noise of generated data that has some."),
        click.option(
            "--width", type=click.IntRange(1, MAX_FIRING_WIDTH), default=65_536, show_default=True, help="Neurons m."
        ),
        click.option("--threshold", type=float, help="Threshold b.  [default: the paper's, sqrt(0.48 ln m)]"),
        click.option("--ridge", type=float, default=0.0, show_default=True, help="Added to the Gram diagonal."),
        click.option(
            "--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Of a mini-batch of sgd."
        ),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of data, weights and sketches."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def training_options(command: Command) -> Command:
    """Add the options that choose how one network is trained, and for how long."""
    options = (
        click.option("--search", type=click.Choice(SEARCHES), default="forest", show_default=True),
        click.option("--solver", type=click.Choice(SOLVERS), default="sketch", show_default=True),
        click.option("--method", type=click.Choice(METHODS), default="gauss-newton", show_default=True),
        click.option(
            "--activation",
            type=click.Choice(tuple(ACTIVATIONS)),
            default="shifted",
            show_default=True,
            help="shifted: max(z - b, 0). clipped: max(z, b), the other reading of the paper.",
        ),
        click.option(
            "--draw",
            type=click.Choice(DRAWS),
            default="all",
            show_default=True,
            help="firing: draw only the neurons that fire on a datapoint, for no other ever moves; another network of "
            f"the same law, for --search {', '.join(DRAWN_SEARCHES)}.",
        ),
        click.option(
            "--skin", type=float, help="Of --search watch: how far below the threshold to watch.  [default: by rule]"
        ),
        click.option(
            "--step-size",
            type=StepSize(),
            default=1.0,
            show_default=True,
            help="Factor on the move; auto: for gradient descent and sgd, found by rule from the first Gram matrix.",
        ),
        click.option("--iterations", type=click.IntRange(1), default=50, show_default=True, help="At most so many."),
        click.option("--until-loss", type=float, default=1e-10, show_default=True, help="Stop at this loss."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def node_price_option(command: Command) -> Command:
    """Add the price of a tree node in what is printed."""
    return click.option(
        "--node-price",
        type=click.Choice([str(price) for price in NODE_PRICES]),
        default="1",
        show_default=True,
        callback=lambda context, option, price: int(price),
        help="Operations that a tree node read or written counts as in what is printed; it changes no run.",
    )(command)


def make_trainer(data: str, options: Mapping[str, Any], trees: Sequence[int] = ()) -> "Trainer":
    """Make the trainer of `read_settings`, and raise as it does."""
    from treeviz.training.trainer import Trainer

    return Trainer(*read_settings(data, options, trees))


def read_settings(data: str, options: Mapping[str, Any], trees: Sequence[int] = ()) -> "tuple[Dataset, TrainConfig]":
    """Load the data and return them with the settings that `data_options` and `training_options` ask for.

    Raises ValueError if that cannot be done, or one of `trees` is of no datapoint.
    """
    train = load_data(data, options).train
    if wrong := [tree for tree in trees if not 0 <= tree < train.num_points]:
        raise ValueError(f"there is no tree {wrong[0]}: {train.name} has the trees 0 to {train.num_points - 1}")

    if options["draw"] == "firing" and options["search"] not in DRAWN_SEARCHES:
        raise ValueError(f"--draw firing goes with --search {', '.join(DRAWN_SEARCHES)}; pass one of them")
    names = ["width", "threshold", "search", "solver", "method", "activation"]
    names += ["step_size", "batch_size", "ridge", "skin", "draw", "seed"]
    return train, TrainConfig(**{name: options[name] for name in names})


def load_data(data: str, options: Mapping[str, Any]) -> "Split":
    """Load a named dataset, or a CSV file if `data` looks like a path, with its test points."""
    from treeviz.data.catalogue import DATASETS, load_split
    from treeviz.data.dataset import Split

    path = Path(data)
    given = {name: value for name, value in options.items() if name in _CSV_OPTIONS and value not in (None, ())}
    if data not in DATASETS and (path.suffix or path.exists() or len(path.parts) > 1):
        foreign = [name for name in ("dimension", "center", "noise") if options[name] is not None]
        if foreign:
            raise ValueError(f"--{foreign[0]} does not apply to a CSV file: leave it out")
        if options["target"] is None:
            raise ValueError("a CSV file needs --target, the name of the column to learn")
        load = partial(
            Split.from_csv, path, options["target"], num_points=options["points"], seed=options["seed"], **given
        )
    elif given:
        flag = OPTIONS[next(iter(given))][0]
        raise ValueError(f"{flag} applies to CSV files only: leave it out, or pass the path of a file to --data")
    else:
        chosen = {name: options[name] for name in ("target", "dimension", "center", "noise")}
        load = partial(load_split, data, options["points"], options["seed"], **chosen)
    try:
        return load()
    except RefusalError as refusal:
        raise ValueError(refusal.said_in("command line")) from refusal
