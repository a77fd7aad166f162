"""The sidebar's choice of data: a dataset with its options, or an uploaded CSV file."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Self

import streamlit as st

from treeviz.data.catalogue import DATASETS, DatasetInfo, load_split
from treeviz.data.dataset import Split
from treeviz.data.refusal import RefusalError
from treeviz.lesson.address import DEFAULT_DATA, LARGEST_DIMENSION, LARGEST_N
from treeviz.pages.csv_choice import Upload, choose_csv, keep_csv_options, show_rows_used
from treeviz.pages.notices import note, plain

_CSV = "your own CSV"


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Everything the data depend on: the name of a dataset or a CSV file, and the options."""

    dataset: str
    options: tuple[tuple[str, Any], ...]
    csv: Upload | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """A short name of this choice, different for different ones."""
        digest = f"{self.csv.name} {self.csv.digest}" if self.csv else ""
        return hashlib.sha256(repr((self.dataset, self.options, digest)).encode()).hexdigest()[:16]

    def load(self) -> Split:
        """Make the data, once for all viewers and pages; ValueError with what to do about it."""
        loaded: Split | str = _load(self, self.key)
        if isinstance(loaded, str):
            raise ValueError(loaded)
        return loaded

    def seeded(self, seed: int) -> Self:
        """Return the choice with the seed of the sidebar; the rows chosen of a CSV file do not follow it."""
        if self.csv is not None:
            return self
        return replace(self, options=tuple(sorted({**dict(self.options), "seed": seed}.items())))


@st.cache_resource(max_entries=8, show_spinner="Loading the data …")
def _load(_choice: DataChoice, key: str) -> Split | str:
    """Make the data, or say why not: a file that is refused is not parsed again either."""
    options = dict(_choice.options)
    try:
        if _choice.csv is None:
            return load_split(_choice.dataset, **options)
        return Split.from_csv(_choice.csv.open(), **options)
    except RefusalError as refusal:
        return refusal.said_in("app")
    except ValueError as error:
        return str(error)


def choose_data() -> DataChoice | None:
    """Draw the choice; return it, or None while a CSV file or its target column is missing."""
    st.subheader("Data")
    names = list(DATASETS)
    name = st.selectbox("Dataset", [*names, _CSV], index=names.index(DEFAULT_DATA), key="data", bind="query-params")
    if name == _CSV:
        chosen = choose_csv()
        if chosen is None:
            return None
        choice = DataChoice("csv", tuple(sorted(chosen[1].items())), chosen[0])
        _show_notes(choice)
        return choice
    keep_csv_options()
    st.caption(f"{DATASETS[name].title}.")
    return DataChoice(name, tuple(sorted(_choose_options(DATASETS[name]).items())))


def is_data_key(key: str) -> bool:
    """Whether the choice of data has a setting with this key; how a file is read is in no address."""
    return key == "data" or any(key.startswith(f"{name}-") for name in DATASETS)


def _choose_options(info: DatasetInfo) -> dict[str, Any]:
    """Draw the options that this dataset has."""
    options: dict[str, Any] = {
        "num_points": st.slider(
            "Datapoints n",
            info.min_points,
            min(info.max_points, LARGEST_N),
            info.default_points,
            key=f"{info.name}-n",
            bind="query-params",
            help="One tree is built for each datapoint.",
        )
    }
    if len(info.targets) > 1:
        options["target"] = st.selectbox("Target", info.targets, key=f"{info.name}-target", bind="query-params")
    for option, default in info.defaults.items():
        key = f"{info.name}-{option}"
        if isinstance(default, bool):
            options[option] = st.toggle("Centre the data", default, key=key, bind="query-params")
        elif isinstance(default, int):
            label = f"{option.capitalize()} d"
            options[option] = int(st.number_input(label, 1, LARGEST_DIMENSION, default, key=key, bind="query-params"))
        else:
            label = option.capitalize()
            options[option] = st.slider(label, 0.0, 1.0, float(default), 0.01, key=key, bind="query-params")
    return options


def _show_notes(choice: DataChoice) -> None:
    """Show the first rows as used, what is left out of a file, and what was decided; why it is refused, pages say."""
    try:
        split = choice.load()
    except ValueError:
        return
    show_rows_used(split.train)
    if split.notes:
        note(plain(" ".join(split.notes)))
