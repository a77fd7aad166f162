"""CSV files as tables of finite numbers, or one clear sentence on why a file cannot be used.

`read_table` opens the text, decides how it is written, lets pandas parse the rows, and then looks at each column:
numbers become features; text, row numbers and constants are left out and named; a cell that spoils a column of numbers
is refused by line and column. Nothing is scaled here: `Split.from_csv` does that.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treeviz.data.csv_cells import Cells, check_names, open_cells
from treeviz.data.csv_dialect import CsvText
from treeviz.data.csv_numbers import find_format, is_number_like
from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_target import Target, encode_target
from treeviz.data.csv_text import CsvFile, listing, quote
from treeviz.data.frames import as_csv
from treeviz.data.prepare import standardized
from treeviz.data.refusal import RefusalError, Remedy
from treeviz.model.numerals import count

_ID_NAME = re.compile(r"(.*[_ \-])?(id|index|idx|row|no|nr|rownames?|unnamed: 0)", re.IGNORECASE)
_CAMEL_ID = re.compile(r".*[a-z](Id|ID)")
_TOTALS = {"total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "mean", "average", "mittelwert"}
_MOST_CATEGORIES = 50
_MOST_NUMBERS = 2**24  # of a table with columns for categories; a file of a few megabytes could become gigabytes
_TOO_LARGE = "is infinite or too large"
_EXACT = 2.0**53  # whole numbers beyond it are not held exactly
_MARK = re.compile("[.,]").search
_FEWEST_COUNTED = 10  # rows: a shorter column 1, 2, 3, … may be a quantity


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The numeric columns of a CSV file and its target column, every number finite."""

    text: CsvText
    features: NDArray[np.float64]  # (N, d)
    target: Target
    columns: tuple[str, ...]  # d names, in file order
    places: NDArray[np.intp]  # (N,) the record of each row
    notes: tuple[str, ...]  # what is left out and how the file was read, in sentences

    def column_label(self, column: int) -> str:
        """Name a feature column for a message."""
        return f"{self.text.source}: column {quote(self.columns[column])}"

    def row_label(self, row: int) -> str:
        """Name a row for a message, by its line in the file."""
        return f"{self.text.source}: line {self.text.locate(int(self.places[row]))[0]}"

    def describe(self, target_rule: str) -> str:
        """Say what the points and their targets are, and which columns are left out."""
        num_columns = len(self.columns)
        columns = f"{num_columns} numeric columns" if num_columns > 1 else f"the numeric column {self.columns[0]!r}"
        return " ".join([f"Points are rows of {self.text.source}, {columns}. {target_rule}.", *self.notes])

    def refuse_placeholder_rows(self) -> None:
        """Refuse rows that repeat one number in three or more columns: they mostly stand for missing data."""
        if self.features.shape[1] < 3:
            return
        constant = np.flatnonzero((self.features == self.features[:, :1]).all(axis=1))
        if constant.size:
            row = int(constant[0])
            raise RefusalError(
                f"{self.row_label(row)}: every feature in this row is {self.features[row, 0]:g}, which is most often a "
                "placeholder for missing data; delete the row, or, if it is real, ",
                Remedy("lift", True),
            )


def read_table(file: CsvFile, options: CsvOptions, *, max_points: int | None, max_features: int) -> Table:
    """Read a CSV, Parquet or Excel file into finite numbers.

    Parameters
    ----------
    file : path, or a text or binary file object (rewound first if it can be).
    options : how the file is written and what to use of it.
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
    file, options = as_csv(file, options)
    cells, skipped = open_cells(file, options, max_features)
    text, source = cells.text, cells.text.source
    check_names(cells, options)
    used = [
        name
        for name, named in zip(cells.names, cells.named, strict=True)
        if name == options.target
        or (name not in options.leave_out and (name in options.columns if options.columns else named))
    ]
    notes = [*text.notes]
    cells, num_totals = _without_totals(cells, options)
    columns = cells.by_name()
    number_format = find_format(source, (columns[name] for name in used), options)
    numbers = {name: number_format.read(columns[name]) for name in used}
    numeric, bad = _find_numeric(cells, used, numbers, options)
    if bad.any():
        cells = cells.keep(~bad)
        numbers = {name: [value for value, out in zip(numbers[name], bad, strict=True) if not out] for name in used}
    skipped += num_totals + int(bad.sum())
    if skipped:
        notes.append(f"Left out, unreadable or totals: {count(skipped, 'row')}.")
    _check_rows(cells, max_points)
    if not cells.has_header:
        notes.append("The file has no header line.")
    if number_format.decimal == ",":
        notes.append("Numbers have a decimal comma.")

    classes = _array(numbers[options.target]) if options.target in numeric else None
    target = encode_target(source, options, cells.column(options.target), classes)
    features, names, left_out = _choose_features(cells, numeric, numbers, options, max_features)
    if not features:
        parts: list[str | Remedy] = [
            f"{source}: no numeric feature column is left besides the target {quote(options.target)} (left out: "
            f"{listing([name for group in left_out.values() for name in group]) or 'none'}); add columns of numbers"
        ]
        if left_out["not numbers"]:
            parts += [", or, to use text, ", Remedy("one_hot", True)]
        raise RefusalError(*parts)
    for reason, group in left_out.items():
        if group:
            notes.append(f"Left out, {reason}: {listing(group)}.")
    table = np.stack(features, axis=1)  # (N, d)
    table.setflags(write=False)
    return Table(text, table, target, tuple(names), cells.places, tuple(notes))


def _without_totals(cells: Cells, options: CsvOptions) -> tuple[Cells, int]:
    """Refuse a last row of totals, or leave it out; return how many rows are left out."""
    if len(cells) < 2:
        return cells, 0
    for name, column in zip(cells.names, cells.columns, strict=True):
        if column[-1].casefold().strip(" :") in _TOTALS and column.count(column[-1]) == 1:
            if not options.skip_bad_rows:
                raise RefusalError(
                    f"{cells.text.source}, line {cells.line(len(cells) - 1)}, column {quote(name)}: the cell "
                    f"{quote(column[-1])} marks a row of totals, which is no datapoint; delete the row, or ",
                    Remedy("skip_bad_rows", True),
                )
            rows = np.ones(len(cells), dtype=bool)
            rows[-1] = False
            return cells.keep(rows), 1
    return cells, 0


def _find_numeric(
    cells: Cells, used: list[str], numbers: dict[str, list[float | None]], options: CsvOptions
) -> tuple[set[str], NDArray[np.bool_]]:
    """Return the columns of numbers, and the rows in which a used cell cannot be read; refuse the first such cell."""
    numeric: set[str] = set()
    bad = np.zeros(len(cells), dtype=bool)
    columns = cells.by_name()
    for name in used:
        column = columns[name]
        values = _array(numbers[name])
        faults = {
            row: "is empty" if not column[row] else "is not a number" if np.isnan(values[row]) else _TOO_LARGE
            for row in np.flatnonzero(~np.isfinite(values)).tolist()
        }
        filled = len(column) - column.count("")
        read = filled - sum(fault == "is not a number" for fault in faults.values())
        is_target = name == options.target
        if is_target and options.positive is not None and read < filled:
            read = 0  # a column such as 1, 2, x is a column of classes, not of numbers with a slip in it
        if is_numeric(filled, read):
            numeric.add(name)
        else:
            other = next((row for row in faults if _MARK(column[row]) and is_number_like(column[row])), None)
            if (
                other is not None
                and not options.one_hot
                and not is_target
                and 2 * sum(map(is_number_like, column)) > filled
            ):
                shown = quote(column[other])
                raise RefusalError(
                    f"{cells.text.source}, line {cells.line(other)}, column {quote(name)}: "
                    f"the cell {shown} has another decimal mark, or another sign, than the rest of the file; correct "
                    "the column, or ",
                    Remedy("leave_out", [name]),
                )
            faults = {row: fault for row, fault in faults.items() if fault == "is empty"} if is_target else {}
        if faults and not options.skip_bad_rows:
            row = min(faults)
            refusal = cells.refuse(row, name, faults[row])
            raise RefusalError(*refusal.parts[:2]) if is_target else refusal
        bad[list(faults)] = True
    return numeric, bad


def _check_rows(cells: Cells, max_points: int | None) -> None:
    source = cells.text.source
    if len(cells) == 0:
        raise RefusalError(f"{source} has a header but no rows that can be read; add at least two rows")
    if len(cells) == 1:
        raise RefusalError(f"{source} has one row only; add rows: at least two are needed to compare points")
    if max_points is not None and len(cells) > max_points:
        raise RefusalError(
            f"{source} has more than {max_points:,} rows; to take a random part of them, ",
            Remedy("num_points", max_points),
        )


def _choose_features(
    cells: Cells,
    numeric: set[str],
    numbers: dict[str, list[float | None]],
    options: CsvOptions,
    max_features: int,
) -> tuple[list[NDArray[np.float64]], list[str], dict[str, list[str]]]:
    """Return the feature columns, their names, and by reason the names of columns that are left out."""
    features: list[NDArray[np.float64]] = []
    columns: list[str] = []
    left_out: dict[str, list[str]] = {
        reason: []
        for reason in (
            "not numbers",
            "row numbers or identifiers",
            "constant",
            "empty",
            "without a name",
            "too many values",
        )
    }
    for place, name in enumerate(cells.names):
        if name == options.target or name in options.leave_out or (options.columns and name not in options.columns):
            continue
        column = cells.columns[place]
        if name not in numbers:
            left_out["without a name"].append(name)
        elif not any(column):
            left_out["empty"].append(name)
        elif name in numeric:
            values = _array(numbers[name])
            if not options.columns and is_identifier(name, place, values):
                left_out["row numbers or identifiers"].append(name)
            elif options.standardize and not options.columns and not standardized(values).any():
                left_out["constant"].append(name)
            else:
                features.append(values)
                columns.append(name)
        elif not options.one_hot:
            if options.columns:
                raise RefusalError(
                    f"{cells.text.source}: column {quote(name)} holds text; leave it out of the columns to use, or ",
                    Remedy("one_hot", True),
                )
            left_out["not numbers"].append(name)
        else:
            values_found = sorted(set(column))
            if len(values_found) == 1:
                left_out["constant"].append(name)
            elif len(values_found) > min(_MOST_CATEGORIES, max(2, len(column) // 2)):
                left_out["too many values"].append(name)
            else:
                used_values = values_found[1:] if len(values_found) == 2 else values_found
                most = min(max_features, _MOST_NUMBERS // len(column))
                if len(features) + len(used_values) > most:
                    raise RefusalError(
                        f"{cells.text.source}: with a column for each category there are more than {most:,} columns, "
                        f"the most that are possible with {len(column):,} rows; ",
                        Remedy("leave_out"),
                    )
                for value in used_values:
                    features.append(np.array([float(cell == value) for cell in column]))
                    columns.append(f"{name} = {value or '(empty)'}")
    return features, columns, left_out


def is_numeric(filled: int, read: int) -> bool:
    """Whether a column is one of numbers: at least half of its filled cells can be read."""
    return 0 < filled <= 2 * read


def is_identifier(name: str, place: int, values: NDArray[np.float64]) -> bool:
    """Whether a column numbers its rows: whole numbers, all different, and by its name, size or order no quantity."""
    if np.abs(values).max() >= _EXACT and (values == np.round(values)).all():
        return bool(np.abs(values).max() < 1e30)
    if (values != np.round(values)).any() or len(np.unique(values)) < len(values):
        return False
    if _ID_NAME.fullmatch(name) or _CAMEL_ID.fullmatch(name):
        return True
    counted = values[0] in (0.0, 1.0) and bool((np.diff(values) == 1).all())
    return place == 0 and counted and len(values) >= _FEWEST_COUNTED


def _array(numbers: list[float | None]) -> NDArray[np.float64]:
    values = np.array(numbers, dtype=np.float64)
    values.setflags(write=False)
    return values
