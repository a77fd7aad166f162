"""The sidebar's choice of data: a dataset with its options, or an uploaded CSV file."""

import hashlib
import io
from dataclasses import dataclass, field, replace
from typing import Any, Self

import streamlit as st

from treeviz.data.catalogue import DATASETS, DatasetInfo, load_split
from treeviz.data.dataset import MAX_POINTS, Split

_CSV = "your own CSV"
_LARGEST_N, _LARGEST_DIMENSION = 200, 1024  # of a generated or bundled dataset in the app


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Everything the data depend on: the name of a dataset or the bytes of a CSV file, and the options."""

    dataset: str
    options: tuple[tuple[str, Any], ...]
    csv: bytes | None = field(default=None, repr=False)
    key: str = field(init=False)  # a short name of this choice, different for different ones

    def __post_init__(self) -> None:
        """Hash the file once: it may be large."""
        csv = hashlib.sha256(self.csv).hexdigest() if self.csv else ""
        key = hashlib.sha256(repr((self.dataset, self.options, csv)).encode()).hexdigest()[:16]
        object.__setattr__(self, "key", key)

    def load(self) -> Split:
        """Make the data, once for all viewers and pages; ValueError with what to do about it."""
        split: Split = _load(self, self.key)
        return split

    def seeded(self, seed: int) -> Self:
        """Return the choice with the seed of the sidebar; the rows chosen of a CSV file do not follow it."""
        if self.csv is not None:
            return self
        return replace(self, options=tuple(sorted({**dict(self.options), "seed": seed}.items())))


@st.cache_resource(max_entries=8, show_spinner="Loading the data …")
def _load(_choice: DataChoice, key: str) -> Split:
    options = dict(_choice.options)
    if _choice.csv is None:
        return load_split(_choice.dataset, **options)
    return Split.from_csv(io.BytesIO(_choice.csv), **options)


def choose_data() -> DataChoice | None:
    """Draw the choice; return it, or None while a CSV file or its target column is missing."""
    st.subheader("Data")
    names = list(DATASETS)
    name = st.selectbox("Dataset", [*names, _CSV], index=names.index("digits"), key="data", bind="query-params")
    if name == _CSV:
        return _choose_csv()
    st.caption(f"{DATASETS[name].title}.")
    return DataChoice(name, tuple(sorted(_choose_options(DATASETS[name]).items())))


def _choose_options(info: DatasetInfo) -> dict[str, Any]:
    """Draw the options that this dataset has."""
    options: dict[str, Any] = {
        "num_points": st.slider(
            "Datapoints n",
            info.min_points,
            min(info.max_points, _LARGEST_N),
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
            options[option] = int(st.number_input(label, 1, _LARGEST_DIMENSION, default, key=key, bind="query-params"))
        else:
            label = option.capitalize()
            options[option] = st.slider(label, 0.0, 1.0, float(default), 0.01, key=key, bind="query-params")
    return options


def _choose_csv() -> DataChoice | None:
    """Ask for a CSV file and its target column."""
    uploaded = st.file_uploader("CSV file with a header line", type=["csv", "tsv", "txt"], key="csv")
    if uploaded is None:
        st.info("Choose a CSV file: numeric columns become the datapoints, one column the target.")
        return None
    target = st.text_input(
        "Target column", key="csv-target", help="The name of the column to learn, as in the header line."
    )
    positive = st.text_input(
        "Class to learn (positive), optional",
        key="csv-positive",
        help="For a target with more than two classes: this class becomes +1, all others −1.",
    )
    num_points = st.number_input("Datapoints n (0: all)", 0, MAX_POINTS, 0, key="csv-n")
    lift = st.toggle(
        "Add a constant coordinate (lift)",
        key="csv-lift",
        help="Appends a 1 to every row before it is scaled to unit length, so that its length is not lost. Rows of "
        "zeros or of one number throughout can be used only with it. One or two columns always get it.",
    )
    if not target:
        st.info("Name the target column.")
        return None
    given = {"target": target, "positive": positive, "num_points": int(num_points), "lift": lift}
    options = {name: value for name, value in given.items() if value}
    return DataChoice("csv", tuple(sorted(options.items())), uploaded.getvalue())
