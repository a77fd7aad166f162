"""CSV files as tables of finite numbers, or one clear sentence on why a file cannot be used.

`read_table` opens the text, lets pandas parse the rows, and then looks at each column: numbers become features, text is
left out and named, and a cell that spoils a column of numbers is refused by line and column. Nothing is scaled here:
`Split.from_csv` does that.
"""

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.data.csv_text import SEPARATORS, CsvFile, CsvText, listing, open_csv, quote, shorten

_COMMA_IN_NUMBER = re.compile(r"[+-]?[\d.]*\d,\d[\d,]*(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The numeric columns of a CSV file and its target column, every number finite.

    `targets` holds -1 and +1 where `is_class` is true, else the file's own numbers; `target_rule` says in words which
    class is which.
    """

    text: CsvText
    features: NDArray[np.float64]  # (N, d)
    targets: NDArray[np.float64]  # (N,)
    is_class: bool
    target_rule: str
    columns: tuple[str, ...]  # d names, in file order
    left_out: tuple[str, ...]  # columns without numbers or without a name

    def column_label(self, column: int) -> str:
        """Name a feature column for a message."""
        return f"{self.text.source}: column {quote(self.columns[column])}"

    def row_label(self, row: int) -> str:
        """Name a row for a message, by its line in the file."""
        return f"{self.text.source}: line {self.text.locate(row)[0]}"

    def describe(self, target_rule: str) -> str:
        """Say what the points and their targets are, and which columns are left out."""
        count = len(self.columns)
        columns = f"{count} numeric columns" if count > 1 else f"the numeric column {self.columns[0]!r}"
        left = ", ".join(map(repr, self.left_out[:10])) + (", …" if len(self.left_out) > 10 else "")
        left = f" Left out, not numbers: {left}." if left else ""
        return f"Points are rows of {self.text.source}, {columns}. {target_rule}.{left}"

    def refuse_placeholder_rows(self) -> None:
        """Refuse rows that repeat one number in three or more columns: they mostly stand for missing data."""
        if self.features.shape[1] < 3:
            return
        constant = np.flatnonzero((self.features == self.features[:, :1]).all(axis=1))
        if constant.size:
            row = int(constant[0])
            raise ValueError(
                f"{self.row_label(row)}: every feature in this row is {self.features[row, 0]:g}, which is "
                "most often a placeholder for missing data; delete the row, or pass lift=True if it is real"
            )


def read_table(
    file: CsvFile,
    target: str,
    *,
    positive: str | float | None,
    encoding: str,
    max_points: int | None,
    max_features: int,
) -> Table:
    """Read a CSV file with a header into finite numbers.

    Parameters
    ----------
    file : path, or a text or binary file object (rewound first if it can be).
    target : name of the target column.
    positive : the class that becomes +1, against all others; None to let the column decide.
    encoding : text encoding of a path or binary file.
    max_points : refuse more rows than this; None for no limit.
    max_features : refuse more columns than this besides the target.

    Returns
    -------
    Table
        Features (N, d) and targets (N,), in file order, N at least 2 and d at least 1.

    Raises
    ------
    ValueError
        For anything that cannot be used, naming the column, the line and the value, and saying what to do.
    """
    if not isinstance(target, str) or not target.strip():
        raise ValueError(f"target must be the name of a column, not {target!r}; pass one as text")
    text = open_csv(file, encoding, max_features)
    target = target.strip()
    if target not in text.header:
        separators = " or ".join(SEPARATORS.values())
        raise ValueError(
            f"{text.source}: there is no target column {quote(target)}; pass one of its columns as target: "
            f"{listing(text.header)} (the first line must hold the names, separated by {separators})"
        )
    numeric, wordy = _parse(text, max_points)

    targets, is_class, rule = _encode_target(text, target, numeric, wordy, positive)
    columns: list[str] = []
    left_out: list[str] = []
    kept: list[NDArray[np.float64]] = []
    for given, name in zip(text.header, text.names, strict=True):
        if name == target:
            continue
        values = None
        if given:  # an unnamed column is a spreadsheet's index or the trace of a trailing separator: never a feature
            values = numeric[name] if name in numeric else _numbers_among_text(text, name, wordy[name])
        if values is None:
            left_out.append(name)
        else:
            _refuse_not_finite(text, name, values)
            columns.append(name)
            kept.append(values)
    if not kept:
        raise ValueError(
            f"{text.source}: no numeric feature column is left besides the target {quote(target)} (left "
            f"out: {listing(left_out) or 'none'}); add columns of numbers"
        )
    features = np.stack(kept, axis=1)  # (N, d)
    features.setflags(write=False)
    targets.setflags(write=False)
    return Table(text, features, targets, is_class, rule, tuple(columns), tuple(left_out))


def _parse(text: CsvText, max_points: int | None) -> tuple[dict[str, NDArray[np.float64]], dict[str, list[str]]]:
    """Parse the rows: columns pandas reads as numbers (empty cells are NaN), and the cells of all others."""
    import pandas as pd  # slow to import

    names = list(text.names)

    def parse(**options: Any) -> Any:
        return pd.read_csv(
            io.StringIO(text.content),
            sep=text.separator,
            names=names,
            header=0,
            index_col=False,  # never take a first column for an index when rows are too long
            keep_default_na=False,  # "NA" and "None" may be classes; among numbers they are refused by name
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
            nrows=None if max_points is None else max_points + 1,
            **options,
        )

    try:
        with warnings.catch_warnings():
            # Without this a row longer than the header would lose its last cells in silence.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = parse()
            is_number = [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]
            numeric = {
                name: frame.iloc[:, j].to_numpy(dtype=np.float64) for j, name in enumerate(names) if is_number[j]
            }
            # pandas has converted some cells of a mixed column; messages show cells as the file has them.
            others = [j for j in range(len(names)) if not is_number[j]]
            words = parse(usecols=others, dtype=str) if others else frame
    except pd.errors.ParserWarning:
        line = next((line for line, cells in text.records() if len(cells) > len(names)), None)
        raise ValueError(
            f"{text.source}, line {line}: more cells than the header has names ({len(names)}); give every "
            "column a name, or delete the extra cells"
        ) from None
    except pd.errors.ParserError as error:
        detail = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise ValueError(
            f"{text.source} is not a well-formed table ({detail}); check quotes and separators there, and "
            "save it again as CSV"
        ) from None
    if len(frame) == 0:
        raise ValueError(f"{text.source} has a header but no rows; add at least two rows")
    if len(frame) == 1:
        raise ValueError(f"{text.source} has one row only; add rows: at least two are needed to compare points")
    if max_points is not None and len(frame) > max_points:
        raise ValueError(
            f"{text.source} has more than {max_points:,} rows; pass num_points= to take a random part of them"
        )
    return numeric, {names[j]: words[names[j]].fillna("").str.strip().tolist() for j in others}


def _encode_target(
    text: CsvText,
    target: str,
    numeric: dict[str, NDArray[np.float64]],
    wordy: dict[str, list[str]],
    positive: str | float | None,
) -> tuple[NDArray[np.float64], bool, str]:
    """Return the targets, whether they are -1 and +1, and the rule in words."""
    where = f"{text.source}: target column {quote(target)}"
    values = numeric.get(target)
    if values is None:
        cells = wordy[target]
        if "" in cells:
            _refuse_cell(text, target, cells.index(""), "is empty")
        # With positive= a column such as 1, 2, x is a column of classes, not of numbers with a slip in it.
        numbers = [_as_number(cell) for cell in cells]
        if None not in numbers or positive is None:
            values = _numbers_among_text(text, target, cells)
    labels: NDArray[Any]
    shown: Callable[[Any], str]
    if values is not None:
        _refuse_not_finite(text, target, values)
        labels, shown = values, "{:.15g}".format
    else:
        labels, shown = np.array(cells, dtype=object), repr
    classes = np.unique(labels)
    if len(classes) == 1:
        raise ValueError(
            f"{where} is constant (every row is {shorten(shown(classes[0]))}), so there is nothing to "
            "learn; choose another"
        )
    if positive is not None:
        number = _as_number(str(positive))
        matches = [c for c in classes if c == (number if values is not None else str(positive).strip())]
        if not matches:
            listed = listing([shown(c) for c in classes], shorten)
            raise ValueError(f"positive={positive!r} is not in {where}; pass one of its classes: {listed}")
        chosen = matches[0]
    elif len(classes) == 2:
        chosen = classes[1]
    elif values is not None:
        return values.copy(), False, f"The target is the column {quote(target)}"
    else:
        listed = listing([shown(c) for c in classes], shorten)
        raise ValueError(
            f"{where} holds {len(classes)} classes of text: {listed}; pass "
            f"positive={shorten(shown(classes[0]))}, or another of them, "
            "to learn one class against the rest"
        )
    rest = shown(classes[classes != chosen][0]) if len(classes) == 2 else "anything else"
    is_chosen = f"{quote(target)} is {shorten(shown(chosen))}"
    rule = f"The target is +1 where {is_chosen} and -1 where it is {shorten(rest)}"
    return np.where(labels == chosen, 1.0, -1.0), True, rule


def _numbers_among_text(text: CsvText, name: str, cells: list[str]) -> NDArray[np.float64] | None:
    """Return a mixed column as numbers, None if it is text; refuse it if half or more is numbers."""
    numbers = [_as_number(cell) for cell in cells]
    filled = sum(cell != "" for cell in cells)
    if None not in numbers:
        return np.array(numbers, dtype=np.float64)
    for row, cell in enumerate(cells):
        if numbers[row] is None and _COMMA_IN_NUMBER.fullmatch(cell):
            _refuse_cell(text, name, row, "has a comma in a number (write 1234.5)")
    if 2 * sum(number is not None for number in numbers) < filled:
        return None
    row = numbers.index(None)
    _refuse_cell(text, name, row, "is not a number" if cells[row] else "is empty")
    return None


def _refuse_not_finite(text: CsvText, name: str, values: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size == len(values) and np.isnan(values).all():
        raise ValueError(f"{text.source}: column {quote(name)} is empty in every row; remove the column")
    if bad.size:
        row = int(bad[0])
        _refuse_cell(text, name, row, "is empty" if np.isnan(values[row]) else "is infinite or too large")


def _refuse_cell(text: CsvText, name: str, row: int, fault: str) -> None:
    """Raise the one message about a single cell, which it shows as the file has it."""
    line, cells = text.locate(row)
    column = text.names.index(name)
    cell = cells[column] if column < len(cells) else ""
    shown = f"{quote(cell)} " if cell else ""
    if cell and fault == "is empty":  # the cell says nan, which was read as a number
        fault = "is not a number"
    raise ValueError(
        f"{text.source}, line {line}, column {quote(name)}: the cell {shown}{fault}; "
        f"{'correct' if cell else 'fill in'} the cell, or delete the row or the column"
    )


def _as_number(cell: str) -> float | None:
    """Return the number a cell holds (true is 1 and false is 0), or None."""
    if cell.lower() in ("true", "false"):
        return float(cell.lower() == "true")
    try:
        return None if "_" in cell else float(cell)  # Python alone reads 1_000 as a number
    except ValueError:
        return None
