"""CSV files as tables of finite numbers, or one clear sentence on why a file cannot be used.

``read_table`` reads the bytes, decodes them, settles separator and column names on the header line alone (so
that a file of a million columns is refused before its rows are parsed), lets pandas parse the rows, and then
looks at each column: numbers become features, text is left out and named, and a cell that spoils a column of
numbers is refused by line and column. Line numbers are those an editor shows; the header is line 1. Nothing
is scaled here: ``Dataset.from_csv`` does that.
"""

import csv
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

CsvFile = str | os.PathLike[str] | IO[str] | IO[bytes]

MAX_BYTES = 256 * 2**20  # a text this long is about to fill a laptop's memory
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_COMMA_IN_NUMBER = re.compile(r"[+-]?[\d.]*\d,\d[\d,]*(e[+-]?\d+)?", re.IGNORECASE)
_SHOWN = 10  # names or classes listed in one message


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The numeric columns of a CSV file and its target column, every number finite.

    ``targets`` holds -1 and +1 when ``is_class`` is true, else the file's own numbers; ``target_rule`` says
    in words which class is which.
    """

    text: "CsvText"
    features: NDArray[np.float64]  # (N, d)
    targets: NDArray[np.float64]  # (N,)
    is_class: bool
    target_rule: str
    columns: tuple[str, ...]  # d names, in file order
    left_out: tuple[str, ...]  # columns without numbers or without a name

    def column_label(self, column: int) -> str:
        """Name a feature column for a message."""
        return f"{self.text.source}: column {_quote(self.columns[column])}"

    def row_label(self, row: int) -> str:
        """Name a row for a message, by its line in the file."""
        return f"{self.text.source}: line {self.text.locate(row)[0]}"

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


@dataclass(frozen=True, slots=True)
class CsvText:
    """A decoded CSV file whose separator is known; finds a parsed row in the text again, for messages."""

    source: str  # what messages call the file
    content: str
    separator: str

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells) for every line that is not blank, the header first. Cost: one pass."""
        reader = csv.reader(io.StringIO(self.content, newline=""), delimiter=self.separator, skipinitialspace=True)
        line = 1  # a quoted cell may span lines: a record starts one line after its predecessor ended
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield line, [cell.strip() for cell in cells]
                line = reader.line_num + 1
        except csv.Error:  # one cell beyond csv's limit on length: what follows cannot be located
            return

    def locate(self, row: int) -> tuple[int, list[str]]:
        """Return the line number and the raw cells of a parsed row, row 0 the first below the header."""
        for index, (line, cells) in enumerate(self.records()):
            if index == row + 1:
                return line, cells
        return row + 2, []  # reached only if pandas and csv were to divide a file differently


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
    text, header = _open_csv(file, encoding, max_features)
    target = target.strip()
    if target not in header:
        separators = " or ".join(SEPARATORS.values())
        raise ValueError(
            f"{text.source}: there is no target column {_quote(target)}; pass one of its columns as target: "
            f"{_listing(header)} (the first line must hold the names, separated by {separators})"
        )
    # An unnamed column is a spreadsheet's index or the trace of a trailing separator: never a feature.
    names = [name or f"(unnamed column {number})" for number, name in enumerate(header, start=1)]
    unnamed = {name for name, given in zip(names, header, strict=True) if not given}
    numeric, wordy = _parse(text, names, max_points)

    targets, is_class, rule = _encode_target(text, names, target, numeric, wordy, positive)
    columns: list[str] = []
    left_out: list[str] = []
    kept: list[NDArray[np.float64]] = []
    for name in names:
        if name == target:
            continue
        values = None
        if name not in unnamed:
            values = numeric[name] if name in numeric else _numbers_among_text(text, names, name, wordy[name])
        if values is None:
            left_out.append(name)
        else:
            _refuse_not_finite(text, names, name, values)
            columns.append(name)
            kept.append(values)
    if not kept:
        raise ValueError(
            f"{text.source}: no numeric feature column is left besides the target {_quote(target)} (left "
            f"out: {_listing(left_out) or 'none'}); add columns of numbers"
        )
    features = np.stack(kept, axis=1)  # (N, d)
    features.setflags(write=False)
    targets.setflags(write=False)
    return Table(text, features, targets, is_class, rule, tuple(columns), tuple(left_out))


def file_name(file: CsvFile) -> str | None:
    """Return the name of a path or file object without folders, None if it has none."""
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", None)
    if isinstance(name, str | os.PathLike):
        return PurePath(name).name or None
    return None


def _open_csv(file: CsvFile, encoding: str, max_features: int) -> tuple[CsvText, list[str]]:
    """Read the text and settle separator and column names on the header line, before any row is parsed."""
    source = file_name(file) or "the file"
    content = _decode(_read(file, source), source, encoding)
    if not content or content.isspace():
        raise ValueError(f"{source} is empty; pass a CSV file with a header line and rows of numbers")
    if "\0" in content:
        raise ValueError(
            f"{source} holds zero bytes, so it is no text file in this encoding; save it as CSV in UTF-8, "
            "or pass encoding="
        )
    # The first line alone, so that a large file costs nothing here, unless a quoted name runs over its end.
    start = len(content) - len(content.lstrip("\r\n"))
    end = content.find("\n", start)
    head = content[start:end] if end > start else content
    if not head.strip() or head.count('"') % 2:
        head = content
    header: list[str] = []
    separator = ","
    for candidate in SEPARATORS:
        cells = next(CsvText(source, head, candidate).records(), (1, []))[1]
        if len(cells) > len(header):
            header, separator = cells, candidate
    if not header:
        raise ValueError(f"{source}: the header line cannot be read as CSV; save the file as CSV with a line of names")
    if len(header) - 1 > max_features:
        raise ValueError(
            f"{source} has {len(header):,} columns; at most {max_features:,} are possible besides the "
            "target: remove columns"
        )
    seen: set[str] = set()
    for name in header:
        if name and name in seen:
            raise ValueError(f"{source}: two columns are named {_quote(name)}; rename or remove one in the header line")
        seen.add(name)
    return CsvText(source, content, separator), header


def _read(file: CsvFile, source: str) -> str | bytes:
    """Return everything a path or file object holds, or refuse it."""
    if not isinstance(file, str | os.PathLike) and not hasattr(file, "read"):
        raise ValueError(f"path_or_file must be a path or an open file, not {file!r}; pass one of these")
    try:
        if isinstance(file, str | os.PathLike):
            with open(file, "rb") as stream:
                content: str | bytes = stream.read(MAX_BYTES + 1)
        else:
            if hasattr(file, "seekable") and file.seekable():
                file.seek(0)
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ValueError(f"there is no file {_shown_path(file)}; check the path, or pass an open file") from None
    except IsADirectoryError:
        raise ValueError(f"{_shown_path(file)} is a directory; pass the path of a CSV file in it") from None
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise ValueError(f"{_quote(source)}: {reason}; check the path and its permissions") from None
    except UnicodeError as error:  # a file opened as text, in the wrong encoding
        reason = _shorten(error.reason if isinstance(error, UnicodeDecodeError) else str(error))
        raise ValueError(
            f"{source} is not in the encoding it was opened with ({reason}); save it as UTF-8, or open it "
            "in binary mode and pass encoding="
        ) from None
    except ValueError as error:  # a closed file, or a path with a zero byte
        raise ValueError(f"{_quote(source)} cannot be read ({error}); check the path, or pass an open file") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{source} is larger than {MAX_BYTES // 2**20} MB; keep fewer rows or columns")
    return content


def _decode(content: str | bytes, source: str, encoding: str) -> str:
    """Return the text without a byte order mark."""
    if not isinstance(encoding, str):
        raise ValueError(f"encoding must be the name of a text encoding, not {encoding!r}; pass one such as 'utf-8'")
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return bytes(content).decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ValueError(f"encoding {encoding!r} is not a known text encoding; pass one such as 'utf-8'") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{source}, line {line}: byte 0x{content[error.start]:02x} is not valid {error.encoding}; save "
            "the file as UTF-8, or pass encoding= (often 'cp1252' or 'utf-16')"
        ) from None
    except ValueError as error:
        raise ValueError(f"{source} is not valid {encoding!r} ({error}); save it as UTF-8, or pass encoding=") from None


def _parse(
    text: CsvText, names: list[str], max_points: int | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, list[str]]]:
    """Parse the rows: columns pandas reads as numbers (empty cells are NaN), and the cells of all others."""
    import pandas as pd  # slow to import

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
    names: list[str],
    target: str,
    numeric: dict[str, NDArray[np.float64]],
    wordy: dict[str, list[str]],
    positive: str | float | None,
) -> tuple[NDArray[np.float64], bool, str]:
    """Return the targets, whether they are -1 and +1, and the rule in words."""
    where = f"{text.source}: target column {_quote(target)}"
    values = numeric.get(target)
    if values is None:
        cells = wordy[target]
        if "" in cells:
            _refuse_cell(text, names, target, cells.index(""), "is empty")
        # With positive= a column such as 1, 2, x is a column of classes, not of numbers with a slip in it.
        numbers = [_as_number(cell) for cell in cells]
        if None not in numbers or positive is None:
            values = _numbers_among_text(text, names, target, cells)
    labels: NDArray[Any]
    shown: Callable[[Any], str]
    if values is not None:
        _refuse_not_finite(text, names, target, values)
        labels, shown = values, "{:.15g}".format
    else:
        labels, shown = np.array(cells, dtype=object), repr
    classes = np.unique(labels)
    if len(classes) == 1:
        raise ValueError(
            f"{where} is constant (every row is {_shorten(shown(classes[0]))}), so there is nothing to "
            "learn; choose another"
        )
    if positive is not None:
        number = _as_number(str(positive))
        matches = [c for c in classes if c == (number if values is not None else str(positive).strip())]
        if not matches:
            listed = _listing([shown(c) for c in classes], quote=False)
            raise ValueError(f"positive={positive!r} is not in {where}; pass one of its classes: {listed}")
        chosen = matches[0]
    elif len(classes) == 2:
        chosen = classes[1]
    elif values is not None:
        return values.copy(), False, f"The target is the column {_quote(target)}"
    else:
        listed = _listing([shown(c) for c in classes], quote=False)
        raise ValueError(
            f"{where} holds {len(classes)} classes of text: {listed}; pass "
            f"positive={_shorten(shown(classes[0]))}, or another of them, "
            "to learn one class against the rest"
        )
    rest = shown(classes[classes != chosen][0]) if len(classes) == 2 else "anything else"
    is_chosen = f"{_quote(target)} is {_shorten(shown(chosen))}"
    rule = f"The target is +1 where {is_chosen} and -1 where it is {_shorten(rest)}"
    return np.where(labels == chosen, 1.0, -1.0), True, rule


def _numbers_among_text(text: CsvText, names: list[str], name: str, cells: list[str]) -> NDArray[np.float64] | None:
    """Return a mixed column as numbers, None if it is text; refuse it if half or more is numbers."""
    numbers = [_as_number(cell) for cell in cells]
    filled = sum(cell != "" for cell in cells)
    if None not in numbers:
        return np.array(numbers, dtype=np.float64)
    for row, cell in enumerate(cells):
        if numbers[row] is None and _COMMA_IN_NUMBER.fullmatch(cell):
            _refuse_cell(text, names, name, row, "has a comma in a number (write 1234.5)")
    if 2 * sum(number is not None for number in numbers) < filled:
        return None
    row = numbers.index(None)
    _refuse_cell(text, names, name, row, "is not a number" if cells[row] else "is empty")
    return None


def _refuse_not_finite(text: CsvText, names: list[str], name: str, values: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size == len(values) and np.isnan(values).all():
        raise ValueError(f"{text.source}: column {_quote(name)} is empty in every row; remove the column")
    if bad.size:
        row = int(bad[0])
        _refuse_cell(text, names, name, row, "is empty" if np.isnan(values[row]) else "is infinite or too large")


def _refuse_cell(text: CsvText, names: list[str], name: str, row: int, fault: str) -> None:
    """Raise the one message about a single cell, which it shows as the file has it."""
    line, cells = text.locate(row)
    column = names.index(name)
    cell = cells[column] if column < len(cells) else ""
    shown = f"{_quote(cell)} " if cell else ""
    if cell and fault == "is empty":  # the cell says nan, which was read as a number
        fault = "is not a number"
    raise ValueError(
        f"{text.source}, line {line}, column {_quote(name)}: the cell {shown}{fault}; "
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


def _listing(names: Sequence[str], quote: bool = True) -> str:
    listed = ", ".join(_quote(name) if quote else _shorten(name) for name in names[:_SHOWN])
    return listed + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _quote(name: str) -> str:
    return _shorten(repr(name))


def _shown_path(path: object) -> str:
    """Show a path whole, or the end of a very long one: the file's own name is what a reader looks for."""
    shown = str(path)
    return repr(shown if len(shown) <= 300 else "…" + shown[-300:])


def _shorten(shown: str) -> str:
    return shown if len(shown) <= 60 else shown[:50] + "…" + shown[-5:]
