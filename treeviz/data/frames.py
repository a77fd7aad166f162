"""Data frames, Parquet and Excel files: written as CSV text first, so that they take the one path of all tables.

A cell that is missing becomes an empty one, numbers keep all their digits, and True and False become 1 and 0. The lines
in messages are those of that text: the names stand in line 1, as in a spreadsheet.
"""

import csv
import importlib.util
import io
import zipfile
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_text import CsvFile, file_name, read_content, shorten
from treeviz.data.refusal import RefusalError

if TYPE_CHECKING:
    import pandas as pd

# Kinds of files by the ends of their names, each with the package that reads it.
_READERS = {"parquet": "pyarrow", "xlsx": "openpyxl"}
_MOST_CELLS = 2**22  # a compressed file of a few kilobytes could become gigabytes
_MOST_BYTES = 2**28
_OF_TEXT = ("separator", "decimal", "thousands", "header", "encoding")


def readable_kinds() -> list[str]:
    """Return the ends of the names of files that are no text and can be read here."""
    return [kind for kind, package in _READERS.items() if importlib.util.find_spec(package) is not None]


def as_csv(file: CsvFile, options: CsvOptions) -> tuple[CsvFile, CsvOptions]:
    """Return a table as CSV text with the options that read it; a file that is text already as it is.

    Raises ValueError for a Parquet or Excel file that cannot be read, is too large, or has no reader here.
    """
    name = file_name(file) or ""
    kind = PurePath(name).suffix.removeprefix(".").lower()
    if kind not in _READERS or isinstance(file, io.StringIO):
        return file, options
    options = with_format(options, name)
    content = read_content(file, name)
    if isinstance(content, str):
        raise RefusalError(f"{name} was opened as text, and is none; open it in binary mode")
    if kind not in readable_kinds():
        raise RefusalError(f"{name} cannot be read without the package {_READERS[kind]}; install it, or save it as CSV")
    try:
        frame = _read_parquet(content, name) if kind == "parquet" else _read_excel(content, name)
    except RefusalError:
        raise
    except Exception as error:  # whatever a reader raises for a file that is damaged or of another kind
        reason = shorten(" ".join(str(error).split()) or type(error).__name__)
        raise RefusalError(f"{name} cannot be read as {kind} ({reason}); save it again, or save it as CSV") from error
    return frame_as_csv(frame, name), options


def frame_as_csv(frame: "pd.DataFrame", name: str) -> io.StringIO:
    """Return a data frame as CSV text in a file of this name, without its index; ValueError for anything else."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise RefusalError(f"frame must be a pandas data frame, not {type(frame).__name__}; convert it first")
    if not frame.shape[1]:
        raise RefusalError(f"{name} has no columns; pass a table with a column to learn and others to learn it from")
    text = pd.concat([_plain(frame.iloc[:, place]) for place in range(frame.shape[1])], axis=1)
    text.columns = [str(column) for column in frame.columns]
    file: Any = io.StringIO()
    text.to_csv(file, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    file.name = name
    return file  # type: ignore[no-any-return]


def with_format(options: CsvOptions, name: str) -> CsvOptions:
    """Return the options with the format that `frame_as_csv` writes; ValueError if they have another."""
    if given := [option for option in _OF_TEXT if getattr(options, option) is not None]:
        raise RefusalError(f"{name} is no text file, so {given[0]} does not apply to it; leave it out")
    return replace(options, separator=",", decimal=".", header=True)


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column in a type that is written with all digits, each of its cells in one line."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64") if str(column.dtype).lower() in ("float16", "float32") else column
    return column.map(lambda cell: " ".join(cell.splitlines()) if isinstance(cell, str) else cell)


def _read_parquet(content: bytes, name: str) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow.parquet as pq

    described = pq.ParquetFile(io.BytesIO(content)).metadata
    _refuse_large(name, described.num_rows * max(1, described.num_columns))
    return pd.read_parquet(io.BytesIO(content))


def _read_excel(content: bytes, name: str) -> "pd.DataFrame":
    import pandas as pd

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > _MOST_BYTES:
        raise RefusalError(f"{name} unpacks to more than {_MOST_BYTES // 2**20} MB; keep fewer rows or columns")
    frame = pd.read_excel(io.BytesIO(content))
    _refuse_large(name, frame.size)
    return frame


def _refuse_large(name: str, num_cells: int) -> None:
    if num_cells > _MOST_CELLS:
        raise RefusalError(f"{name} has more than {_MOST_CELLS:,} cells; keep fewer rows or columns")
