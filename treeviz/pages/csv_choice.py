"""The sidebar's choice of a CSV file: the upload, its target and columns, and how it is read."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import streamlit as st

from treeviz.data import csv_columns
from treeviz.data.csv_columns import NUM_FIRST, Column, Kind, find_columns
from treeviz.data.csv_options import DECIMALS, SEPARATORS, THOUSANDS, CsvOptions
from treeviz.data.csv_text import MAX_BYTES
from treeviz.data.dataset import MAX_FEATURES, MAX_POINTS, Dataset
from treeviz.data.frames import readable_kinds
from treeviz.data.refusal import MARKS, OPTIONS, RefusalError
from treeviz.pages.notices import note, plain

_DOT = " · "  # between the name of a column and what it holds
_MISSING = "not in this file"
_NAMES = ("columns", "leave_out")  # options that are lists of names
_MOST_SHOWN = 30  # columns in a table
_SAMPLE = Path(csv_columns.__file__).with_name("sample.csv")


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """An uploaded file, hashed once: it may be large."""

    name: str
    file_id: str  # Streamlit's, another one for every upload
    content: bytes = field(repr=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        """Hash the content."""
        object.__setattr__(self, "digest", hashlib.sha256(self.content).hexdigest())

    def open(self) -> io.BytesIO:
        """Return the content as an open file of this name, by which its kind is known and messages call it."""
        file = io.BytesIO(self.content)
        file.name = self.name
        return file


def choose_csv() -> tuple[Upload, dict[str, Any]] | None:
    """Ask for a file, its target and how it is read; return None while file or target are missing."""
    if st.session_state.get("csv_is_kept"):
        keep_csv_options()  # this time for the browser, which draws the controls again
    file = _upload()
    if file is None:
        keep_csv_options()
        st.info("Choose a CSV file: numeric columns become the datapoints, one column the target.")
        _offer_sample()
        return None
    st.session_state.csv_is_kept = False
    # What the columns are depends on how the file is read, which is asked below them.
    first, second, third = st.container(), st.expander("Columns and rows"), st.expander("How the file is written")
    with third:
        how = _choose_format()
    with second:
        names, rows = st.container(), st.container()
        with rows:
            how |= _choose_rows()
    with first:
        columns = _look(file, how)
    kinds = _with_names_kept({column.name: column.kind for column in columns})
    with first:
        target = _choose_target(kinds)
        how |= _choose_points(next((column.classes for column in columns if column.name == target), ()))
        if columns:
            _show_columns(columns)
    with names:
        how |= _choose_columns({name: kind for name, kind in kinds.items() if name != target})
    if not target:
        st.info("Choose the target column.")
        return None
    return file, {"target": target, **_given(how)}


def keep_csv_options() -> None:
    """Keep how a file is read while this is not drawn: Streamlit forgets what is not."""
    st.session_state.csv_is_kept = True
    for key in map(str, st.session_state):
        if key.startswith("csv-"):
            st.session_state[key] = st.session_state[key]


def _upload() -> Upload | None:
    """Ask for a file. The session keeps the last one, because Streamlit forgets it where this is not drawn."""
    uploaded = st.file_uploader(
        "CSV file",
        type=["csv", "tsv", "txt", "data", "test", "dat", *readable_kinds()],
        key="csv",
        max_upload_size=min(MAX_BYTES // 2**20, st.get_option("server.maxUploadSize")),
        help="Separator, decimal mark, header line and encoding are found, or asked for where the file leaves a doubt. "
        "Files of these kinds are read, too: "
        f"{', '.join(f'.{kind}' for kind in readable_kinds())}.",
    )
    file: Upload | None = st.session_state.get("upload")
    if uploaded is not None and (file is None or file.file_id != uploaded.file_id):
        file = st.session_state.upload = Upload(uploaded.name, uploaded.file_id, uploaded.getvalue())
    elif uploaded is None and file is not None:  # whether it was forgotten or removed cannot be told
        note(f"In use: **{plain(file.name)}**, uploaded before.")
        st.button("Remove the file", on_click=_let_go_of_upload, key="remove-upload")
    return file


def _let_go_of_upload() -> None:
    st.session_state.pop("upload", None)


def _look(file: Upload, how: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return what the columns are; none, with the reason, where the file cannot be read as far."""
    target = st.session_state.get("csv-target") or ""
    format_options = {name: value for name, value in _given(how).items() if name not in ("one_hot", "standardize")}
    found: tuple[Column, ...] | str = ""
    for known in dict.fromkeys(("", target)):  # a target that stands in the first line shows that it holds the names
        options = {**format_options, "target": known}
        found = _find_columns(file, options, f"{file.name} {file.digest} {sorted(options.items())}")
        if not isinstance(found, str):
            return found
    if not target:
        st.warning(f"{plain(str(found))}.", icon=":material/table:")
    return ()


@st.cache_resource(max_entries=32, show_spinner="Looking at the columns …")
def _find_columns(_file: Upload, _options: Mapping[str, Any], key: str) -> tuple[Column, ...] | str:
    """Look at the columns, once for all reruns, or say why that cannot be done."""
    try:
        return find_columns(_file.open(), CsvOptions(**_options), max_features=MAX_FEATURES)
    except RefusalError as refusal:
        return refusal.said_in("app")


def _given(how: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are not left to the reader."""
    is_default = {"standardize": True}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in how.items()
        if (value is False and name in ("header", "standardize")) or (value and value != is_default.get(name))
    }


def _with_names_kept(kinds: Mapping[str, str]) -> dict[str, str]:
    """Keep names chosen when the columns, and with them the labels in the lists, are others; return all names."""
    state = st.session_state
    are_new = state.get("column-kinds") != kinds
    state["column-kinds"] = kinds
    names = dict(kinds)
    for option in ("target", *_NAMES):
        given = state.get(f"csv-{option}") or []
        chosen: list[str] = given if isinstance(given, list) else [given]
        kept = [_name(label, kinds) for label in chosen]
        if kept and (are_new or kept != chosen):
            state[f"csv-{option}"] = kept if isinstance(given, list) else kept[0]
        for name in kept:
            names.setdefault(name, _MISSING if kinds else "")
    return names


def _name(label: str, kinds: Mapping[str, str]) -> str:
    """Return the name of a column from its label in a list that was drawn before."""
    name, _, kind = label.rpartition(_DOT)
    return name if label not in kinds and kind in (*get_args(Kind), _MISSING) else label


def _label(option: str) -> str:
    return OPTIONS[option][1]


def _choose_target(kinds: Mapping[str, str]) -> str:
    chosen = st.selectbox(
        _label("target"),
        list(kinds),
        None,
        _with_kind(kinds),
        key="csv-target",
        accept_new_options=True,
        placeholder="Choose a column" if kinds else "Type a name",
        help="The column to learn. Without a header line columns are named column 1, column 2, …",
    )
    return (chosen or "").strip()


def _show_columns(columns: Sequence[Column]) -> None:
    """Show what each column holds, with examples and missing values, and the first rows as read."""
    with st.expander("What the file holds"):
        shown = columns[:_MOST_SHOWN]
        rows = [
            (column.name, column.kind, ", ".join(column.values[:3]), str(column.num_missing or "–")) for column in shown
        ]
        show_table(("column", "holds", "examples", "missing"), rows)
        if len(columns) > len(shown):
            note(f"And {len(columns) - len(shown):,} more columns.")
        st.markdown("**The first rows, as read**")
        numbers = range(max(len(column.first) for column in shown))
        cells = [(column.name, *(column.first[number] or "(empty)" for number in numbers)) for column in shown]
        show_table(("row", *(str(number + 1) for number in numbers)), cells)


def show_rows_used(data: Dataset) -> None:
    """Show the first datapoints as they are used, after scaling, each with its target."""
    with st.expander("The first datapoints, as used"):
        names = (*data.columns, *(("1, added",) if data.lifted else ()))
        rows = [(name, *map("{:.3f}".format, data.X[:NUM_FIRST, place])) for place, name in enumerate(names)]
        rows = [*rows[:_MOST_SHOWN], ("target", *map("{:+.4g}".format, data.y[:NUM_FIRST]))]
        show_table(("datapoint", *map(str, range(min(NUM_FIRST, data.num_points)))), rows)
        note("Every row is scaled to unit length.")


def show_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table of Markdown: its text can be read out, and nothing has to be imported for it first."""
    lines = [[plain(_short(cell)) for cell in row] for row in (heading, *rows)]
    lines.insert(1, ["---"] * len(heading))
    st.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 24 else f"{text[:23]}…"


def _offer_sample() -> None:
    """Draw the button for a file to try this with."""
    st.download_button(
        "A sample file", _SAMPLE.read_bytes, "treeviz-sample.csv", "text/csv", on_click="ignore", key="csv-sample"
    )
    note("45 fruits: learn the kind, one class against the rest, or the weight.")


def _with_kind(kinds: Mapping[str, str]) -> Callable[[str], str]:
    return lambda name: f"{name}{_DOT}{kinds[name]}" if kinds.get(name) else name


def _choose_points(classes: Sequence[str]) -> dict[str, Any]:
    """Draw the class to learn, out of those of the target, how many rows are taken, and what is done to them."""
    positive = st.selectbox(
        f"{_label('positive')}, optional",
        classes,
        None,
        key="csv-positive",
        accept_new_options=True,
        placeholder="Choose a class" if classes else "Type a class",
        help="For a target with more than two classes: this class becomes +1, all others −1.",
    )
    return {
        "positive": (positive or "").strip(),
        "num_points": int(st.number_input(f"{_label('num_points')} (0: all)", 0, MAX_POINTS, key="csv-n")),
        "lift": st.toggle(
            _label("lift"),
            key="csv-lift",
            help="Appends a 1 to every row before it is scaled to unit length, so that its length is not lost. Rows of "
            "zeros or of one number throughout can be used only with it. One or two columns always get it.",
        ),
    }


def _choose_columns(kinds: Mapping[str, str]) -> dict[str, Any]:
    """Draw which columns become features."""
    explained = {
        "columns": "Only these become features. Without any: all columns of numbers, but ids and constants.",
        "leave_out": "These do not become features.",
    }
    return {
        option: st.multiselect(
            _label(option),
            list(kinds),
            format_func=_with_kind(kinds),
            key=f"csv-{option}",
            accept_new_options=True,
            placeholder="Choose columns" if kinds else "Type a name",
            help=explained[option],
        )
        for option in _NAMES
    }


def _choose_rows() -> dict[str, Any]:
    """Draw what is done with text, with rows that cannot be read, and with the scales of columns."""
    st.session_state.setdefault("csv-standardize", True)
    return {
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
            key="csv-standardize",
            help="Gives every column mean 0 and variance 1 before rows are scaled to unit length.",
        ),
    }


def _choose_format() -> dict[str, Any]:
    """Draw how the file is written, where it should not be found."""
    marks = {"separator": SEPARATORS, "decimal": DECIMALS, "thousands": THOUSANDS}
    chosen: dict[str, Any] = {
        option: st.selectbox(_label(option), allowed, None, MARKS.__getitem__, key=f"csv-{option}", placeholder="found")
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
