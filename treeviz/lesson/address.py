"""Settings of the app as an address names them: which there are, what each can be, and the run they make.

An address leaves out what is as the app opens: no settings at all are the run of a first visit.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from treeviz.data.catalogue import DATASETS, DatasetInfo, load_split
from treeviz.data.dataset import Dataset, Split
from treeviz.model.config import ACTIVATIONS, FAULTS, TrainConfig

# What the app opens with, and the most it offers.
DEFAULT_DATA, DEFAULT_WIDTH = "circle", 64
WIDTHS = tuple(1 << power for power in range(3, 21))
LARGEST_N, LARGEST_DIMENSION = 200, 1024  # of a generated or bundled dataset
LARGEST_THRESHOLD, LARGEST_SEED, LARGEST_SKIN = 5.0, 2**31 - 1, 100.0
# The searches that the stage can show, by their names in the sidebar.
SEARCHES = {"forest": "forest", "watch lists": "watch", "table": "table"}
SOUND = "none"  # what the sidebar calls a search without a planted fault

Value = str | int | float | bool


def faults_of(search: str) -> tuple[str, ...]:
    """Return what can be chosen of faults for a search by its name in the sidebar: none, and those planted into it."""
    return (SOUND, *(fault for fault, (into, _) in FAULTS.items() if into == SEARCHES.get(search)))


def read_settings(texts: Mapping[str, str]) -> dict[str, Value]:
    """Return these settings, and all others as the app opens, with the values that its widgets have for them.

    Parameters
    ----------
    texts : by name, such as {"data": "circle", "circle-n": "8", "width": "64"}. A CSV file cannot be named.

    Raises
    ------
    ValueError
        For a name that is no setting beside the others, or a text that it cannot have; it says what is allowed.
    """
    fields = _fields(texts)
    if unknown := [name for name in texts if name not in fields]:
        raise ValueError(f"{unknown[0]!r} is no setting beside the others; use some of {', '.join(fields)}")
    values: dict[str, Value] = {}
    for name, field in fields.items():
        text = texts.get(name, field.default)
        try:
            values[name] = field.read(text)
        except ValueError as error:
            raise ValueError(f"{name} must be {error}; got {text!r}") from None
    return values


def load_run(texts: Mapping[str, str]) -> tuple[Split, TrainConfig]:
    """Return the data and the configuration of the run that the app shows with these settings; ValueError as above."""
    values: dict[str, Any] = read_settings(texts)
    data, seed = values["data"], values["seed"]
    options = {name.removeprefix(f"{data}-"): value for name, value in values.items() if name.startswith(f"{data}-")}
    split = load_split(data, options.pop("n"), seed, **options)
    return split, TrainConfig(
        width=values["width"],
        threshold=values.get("b"),
        search=SEARCHES[values["search"]],
        solver=values["solver"],
        activation=values["activation"],
        skin=values.get("skin"),
        draw="firing" if values["draw"] else "all",
        seed=seed,
        fault=None if (fault := values.get("fault", SOUND)) == SOUND else fault,
    )


def name_settings(data: Dataset, config: TrainConfig) -> dict[str, str] | None:
    """Return the settings with which the app shows this run, as an address names them; None if it cannot be set so.

    Cost: the data are loaded, to see that they are these.
    """
    source = data.source
    searches = {search: name for name, search in SEARCHES.items()}
    if source is None or not source.dataset or config.search not in searches:
        return None
    texts = {"data": source.dataset, "search": searches[config.search]}
    for name, value in source.options:
        if name != "seed":
            texts[f"{source.dataset}-{'n' if name == 'num_points' else name}"] = _write(value)
    for name in ("width", "seed", "solver", "activation"):
        texts[name] = _write(getattr(config, name))
    if config.threshold is not None:
        texts |= {"paper": "false", "b": _write(config.threshold)}
    if config.skin is not None:
        texts |= {"rule": "false", "skin": _write(config.skin)}
    if config.draw == "firing":
        texts["draw"] = "true"
    if config.fault is not None:
        texts["fault"] = config.fault
    try:
        split, set_up = load_run(texts)
    except ValueError:
        return None
    if split.train.source != source or set_up != config:
        return None
    return {name: text for name, text in texts.items() if _fields(texts)[name].default != text}


def _write(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class _Field:
    """A setting: its text as the app opens, and how a text is read; ValueError says what it has to be."""

    default: str
    read: Callable[[str], Value]


def _fields(texts: Mapping[str, str]) -> dict[str, _Field]:
    """Return the settings that there are beside these; a number without a default has to be given."""
    data = texts.get("data", DEFAULT_DATA)
    fields = {
        "data": _Field(DEFAULT_DATA, _choice({name: name for name in DATASETS})),
        **(_data_fields(DATASETS[data]) if data in DATASETS else {}),
        "width": _Field(str(DEFAULT_WIDTH), _choice({str(width): width for width in WIDTHS})),
        "paper": _switch(True),
        "seed": _Field("0", _number(0, LARGEST_SEED, int)),
        "search": _Field("forest", _choice({name: name for name in SEARCHES})),
        "solver": _Field("exact", _choice({"exact": "exact", "sketch": "sketch"})),
        "activation": _Field("shifted", _choice({name: name for name in ACTIVATIONS})),
        "draw": _switch(False),
        "check": _switch(True),
    }
    if len(faults := faults_of(texts.get("search", "forest"))) > 1:
        fields["fault"] = _Field(SOUND, _choice({name: name for name in faults}))
    if texts.get("paper") == "false":
        fields["b"] = _Field("", _number(0, LARGEST_THRESHOLD))
    if texts.get("search") == "watch lists":
        fields["rule"] = _switch(True)
    if texts.get("rule") == "false":
        fields["skin"] = _Field("", _number(0, LARGEST_SKIN))
    return fields


def _data_fields(info: DatasetInfo) -> dict[str, _Field]:
    largest = min(info.max_points, LARGEST_N)
    fields = {"n": _Field(str(info.default_points), _number(info.min_points, largest, int))}
    if len(info.targets) > 1:
        fields["target"] = _Field(info.targets[0], _choice({name: name for name in info.targets}))
    for option, default in info.defaults.items():
        if isinstance(default, bool):
            fields[option] = _switch(default)
        else:
            is_whole = isinstance(default, int)
            fields[option] = _Field(str(default), _number(1, LARGEST_DIMENSION, int) if is_whole else _number(0, 1))
    return {f"{info.name}-{option}": field for option, field in fields.items()}


def _choice(options: Mapping[str, Value]) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        if text not in options:
            raise ValueError(f"one of {', '.join(options)}")
        return options[text]

    return read


def _switch(default: bool) -> _Field:
    return _Field(str(default).lower(), _choice({"true": True, "false": False}))


def _number(low: float, high: float, kind: type[int] | type[float] = float) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"a {'whole ' if kind is int else ''}number from {low:g} to {high:g}")
        return number

    return read
