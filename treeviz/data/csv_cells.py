"""The cells of a CSV file as text, under the names of their columns."""

import io
import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from treeviz.data.csv_dialect import CsvText, find_dialect
from treeviz.data.csv_numbers import is_number_like
from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_text import CsvFile, listing, quote, read_text
from treeviz.data.refusal import MARKS, RefusalError, Remedy

_COMPARED = 1000  # lines, to tell a header from data
_MOST_RAGGED = 2**22  # cells of a table that is filled up to its longest line, if it has more cells than characters


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The parsed rows below the header, every cell as stripped text; rows without any text are gone."""

    text: CsvText
    names: tuple[str, ...]
    named: tuple[bool, ...]  # whether the file gives the name; a column without one is never a feature
    columns: tuple[list[str], ...]
    has_header: bool
    places: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.places)

    def column(self, name: str) -> list[str]:
        """Return the cells under a name."""
        return self.columns[self.names.index(name)]

    def by_name(self) -> dict[str, list[str]]:
        """Return all columns under their names; for a loop, as there may be thousands."""
        return dict(zip(self.names, self.columns, strict=True))

    def keep(self, rows: NDArray[np.bool_]) -> "Cells":
        """Return the rows where `rows` is true."""
        chosen = np.flatnonzero(rows).tolist()
        columns = tuple([column[row] for row in chosen] for column in self.columns)
        return replace(self, columns=columns, places=self.places[rows])

    def line(self, row: int) -> int:
        """Return the line of a row in the file."""
        return self.text.locate(int(self.places[row]))[0]

    def refuse(self, row: int, name: str, fault: str) -> RefusalError:
        """Return the one message about a single cell, which it shows as the file has it."""
        cell = self.column(name)[row]
        shown = f"{quote(cell)} " if cell else ""
        return RefusalError(
            f"{self.text.source}, line {self.line(row)}, column {quote(name)}: the cell {shown}{fault}; "
            f"{'correct it' if cell else 'fill it in'}, or leave such rows out: ",
            Remedy("skip_bad_rows", True),
            ", or leave the column out: ",
            Remedy("leave_out", [name]),
        )


def open_cells(file: CsvFile, options: CsvOptions, max_features: int) -> tuple[Cells, int]:
    """Read a file as far as its names and cells; return how many rows are too long to be kept."""
    source, content, encoding_note = read_text(file, options.encoding)
    text = find_dialect(source, content, options.separator, encoding_note)
    count = max(text.first_count, text.usual_count)
    if count - 1 > max_features:
        raise RefusalError(
            f"{source} has {count:,} columns; at most {max_features:,} are possible besides the target: remove columns"
        )
    cells, num_long = _parse(text, options, max_features)
    seen: set[str] = set()
    for name in cells.names:
        if name in seen:
            raise RefusalError(
                f"{source}: two columns are named {quote(name)}; rename or remove one in the header line"
            )
        seen.add(name)
    return cells, num_long


def _parse(text: CsvText, options: CsvOptions, max_features: int) -> tuple[Cells, int]:
    """Parse the rows as text, and settle which line holds the names; return how many rows are too long to be kept."""
    import pandas as pd  # slow to import

    width = min(text.largest_count, max_features + 2)
    # Short lines are filled up to the longest: a few kilobytes could become gigabytes.
    if (text.table.count("\n") + 1) * width > max(len(text.table), _MOST_RAGGED):
        line = next((line for line, cells in text.records() if len(cells) >= width), None)
        where = f"line {line}" if line else "a line without text"
        raise RefusalError(
            f"{text.source}, {where}: {text.largest_count:,} cells, and most lines have {text.usual_count:,}; delete "
            "the extra cells, or ",
            Remedy("separator"),
        )
    try:
        with warnings.catch_warnings():
            # Without this a row longer than `width` would lose its last cells in silence.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text.table),
                sep=r"\s+" if text.separator == " " else text.separator,
                names=list(range(width)),
                header=None,
                index_col=False,  # never take a first column for an index when rows are too long
                dtype=str,
                keep_default_na=False,  # "NA" and "None" may be classes; among numbers they are refused by name
                na_values=[],
                skipinitialspace=True,
            )
    except (pd.errors.ParserWarning, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        detail = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise RefusalError(
            f"{text.source} is not a well-formed table ({detail}); check quotes and separators there and save it again "
            "as CSV, or ",
            Remedy("separator"),
        ) from None
    filled_in = frame.fillna("")  # once, and not for each of thousands of columns
    columns = [[cell.strip() for cell in filled_in[j].tolist()] for j in range(width)]
    filled = np.zeros(len(frame), dtype=bool)
    for column in columns:
        filled |= np.fromiter(map(bool, column), dtype=bool, count=len(column))
    rows = np.flatnonzero(filled).tolist()
    if not rows:
        raise RefusalError(f"{text.source} is empty; pass a CSV file with a header line and rows of numbers")
    if len(rows) < len(frame):
        columns = [[column[row] for row in rows] for column in columns]
    first = [column[0] for column in columns]
    has_header = _has_header(text.source, first, columns, options) if options.header is None else options.header
    count = text.first_count if has_header else text.usual_count
    places = np.arange(len(rows))
    if has_header:
        columns, places = [column[1:] for column in columns], places[1:]
    while count > 1 and not (has_header and first[count - 1]) and not any(columns[count - 1]):
        count -= 1  # the trace of a separator at the end of every line
    for j in range(count, width):
        long = next((row for row, cell in enumerate(columns[j]) if cell), None)
        if long is not None and not options.skip_bad_rows:
            raise RefusalError(
                f"{text.source}, line {text.locate(int(places[long]))[0]}: more cells than the first line "
                f"({count}); give every column a name, delete the extra cells, or leave such rows out: ",
                Remedy("skip_bad_rows", True),
            )
    long_rows = np.zeros(len(places), dtype=bool)
    for j in range(count, width):
        long_rows |= np.fromiter(map(bool, columns[j]), dtype=bool, count=len(places))
    given = first[:count] if has_header else [f"column {j + 1}" for j in range(count)]
    names = tuple(name or f"(unnamed column {number})" for number, name in enumerate(given, start=1))
    cells = Cells(text, names, tuple(map(bool, given)), tuple(columns[:count]), has_header, places)
    return (cells.keep(~long_rows), int(long_rows.sum())) if long_rows.any() else (cells, 0)


def _has_header(source: str, first: list[str], columns: list[list[str]], options: CsvOptions) -> bool:
    """Whether the first line holds names: compare it with the columns of numbers below it."""
    if options.target and options.target in first:
        return True
    for_names = for_data = 0
    for cell, column in zip(first, columns, strict=True):
        below = [is_number_like(value) for value in column[1:_COMPARED] if value]
        if cell and below and 2 * sum(below) > len(below):
            if is_number_like(cell):
                for_data += 1
            else:
                for_names += 1
    if for_names and for_data and not re.fullmatch(r"column \d+", options.target):
        raise RefusalError(
            f"{source}: the first line may hold names or data ({listing(first)}); ",
            Remedy("header", True),
            " or ",
            Remedy("header", False),
        )
    return not for_data


def check_names(cells: Cells, options: CsvOptions) -> None:
    """Refuse names in the options that the file does not have, and an empty target."""
    source = cells.text.source
    if not options.target:
        raise RefusalError("the target must be the name of a column, not empty; ", Remedy("target"))
    wanted = [("target", options.target)]
    wanted += [(option, name) for option in ("columns", "leave_out") for name in getattr(options, option)]
    for option, name in wanted:
        if name not in cells.names:
            what = "target column" if option == "target" else "column"
            separated = "white space" if cells.text.separator == " " else f"{MARKS[cells.text.separator]}s"
            first = "" if cells.has_header else "; the file seems to have no header line, if it has: "
            parts: list[str | Remedy] = [
                f"{source}: there is no {what} {quote(name)}; its columns, separated by {separated}, are "
                f"{listing(cells.names)}: choose one of them, ",
                Remedy(option),
            ]
            raise RefusalError(*parts, *((first, Remedy("header", True)) if first else ()))
