"""The sidebar's choice of data: a dataset with its options, or an uploaded CSV file."""

import hashlib
import io
from dataclasses import dataclass, field, replace
from typing import Any, Self

import streamlit as st

from treeviz.data.catalogue import DATASETS, DatasetInfo, load_split
from treeviz.data.csv_options import DECIMALS, SEPARATORS, THOUSANDS
from treeviz.data.csv_text import MAX_BYTES
from treeviz.data.dataset import MAX_POINTS, Split
from treeviz.data.refusal import MARKS, OPTIONS, RefusalError

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
        return Split.from_csv(io.BytesIO(_choice.csv), **options)
    except RefusalError as refusal:
        return refusal.said_in("app")
    except ValueError as error:
        return str(error)


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
    """Ask for a CSV file and its target column, and let how it is read be changed."""
    uploaded = st.file_uploader(
        "CSV file",
        type=["csv", "tsv", "txt", "data", "test", "dat"],
        key="csv",
        max_upload_size=min(MAX_BYTES // 2**20, st.get_option("server.maxUploadSize")),
        help="Separator, decimal mark, header line and encoding are found, or asked for where the file leaves a doubt.",
    )
    if uploaded is None:
        st.info("Choose a CSV file: numeric columns become the datapoints, one column the target.")
        return None
    given: dict[str, Any] = {
        "target": st.text_input(
            _label("target"),
            key="csv-target",
            help="The name of the column to learn, as in the header line. Without a header line columns are named "
            "column 1, column 2, …",
        ),
        "positive": st.text_input(
            f"{_label('positive')}, optional",
            key="csv-positive",
            help="For a target with more than two classes: this class becomes +1, all others −1.",
        ),
        "num_points": int(st.number_input(f"{_label('num_points')} (0: all)", 0, MAX_POINTS, 0, key="csv-n")),
        "lift": st.toggle(
            _label("lift"),
            key="csv-lift",
            help="Appends a 1 to every row before it is scaled to unit length, so that its length is not lost. Rows of "
            "zeros or of one number throughout can be used only with it. One or two columns always get it.",
        ),
        **_choose_columns(),
        **_choose_format(),
    }
    if not given["target"]:
        st.info("Name the target column.")
        return None
    is_default = {"standardize": True}
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if (value is False and name in ("header", "standardize")) or (value and value != is_default.get(name))
    }
    return DataChoice("csv", tuple(sorted(options.items())), uploaded.getvalue())


def _label(option: str) -> str:
    return OPTIONS[option][1]


def _choose_columns() -> dict[str, Any]:
    """Draw which columns and rows of the file are used."""
    with st.expander("Columns and rows"):
        columns, leave_out = (
            st.multiselect(
                _label(option), [], key=f"csv-{option}", accept_new_options=True, placeholder="Type a name", help=help
            )
            for option, help in (
                ("columns", "Only these become features. Without any: all columns of numbers, but row numbers and "
                 "constants."),
                ("leave_out", "These do not become features."),
            )
        )  # fmt: skip
        return {
            "columns": columns,
            "leave_out": leave_out,
            "one_hot": st.toggle(
                _label("one_hot"),
                key="csv-one_hot",
                help="Makes a column of 0 and 1 for each value of a text column. Otherwise text is left out.",
            ),
            "skip_bad_rows": st.toggle(
                _label("skip_bad_rows"),
                key="csv-skip_bad_rows",
                help="Rows with an empty cell, or one that is no number among numbers, and a last row of totals.",
            ),
            "standardize": st.toggle(
                _label("standardize"),
                value=True,
                key="csv-standardize",
                help="Gives every column mean 0 and variance 1 before rows are scaled to unit length.",
            ),
        }


def _choose_format() -> dict[str, Any]:
    """Draw how the file is written, where it should not be found."""
    marks = {"separator": SEPARATORS, "decimal": DECIMALS, "thousands": THOUSANDS}
    with st.expander("How the file is written"):
        chosen: dict[str, Any] = {
            option: st.selectbox(
                _label(option), allowed, None, MARKS.__getitem__, key=f"csv-{option}", placeholder="found"
            )
            for option, allowed in marks.items()
        }
        chosen["header"] = st.selectbox(
            _label("header"),
            [True, False],
            None,
            {True: "yes", False: "no"}.__getitem__,
            placeholder="found",
            key="csv-header",
            help="Whether the first line holds the names of the columns.",
        )
        chosen["encoding"] = st.text_input(
            _label("encoding"), key="csv-encoding", placeholder="found", help="Such as utf-8, cp1252 or latin-1."
        ).strip()
    return chosen
