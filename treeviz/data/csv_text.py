"""CSV files as text: the bytes read and decoded, separator and column names settled, rows found again by their line.

Separator and names are settled on the header line alone, so that a file of a million columns is refused before its rows
are parsed. Line numbers are those an editor shows; the header is line 1.
"""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO

CsvFile = str | os.PathLike[str] | IO[str] | IO[bytes]

MAX_BYTES = 256 * 2**20  # a text this long is about to fill a laptop's memory
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SHOWN = 10  # names or classes listed in one message


@dataclass(frozen=True, slots=True)
class CsvText:
    """A decoded CSV file whose separator is known; finds a parsed row in the text again, for messages."""

    source: str  # what messages call the file
    content: str
    separator: str
    header: tuple[str, ...] = ()  # the column names as they stand in the file; some may be empty

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, each different: a column without a name gets one from its number."""
        return tuple(name or f"(unnamed column {number})" for number, name in enumerate(self.header, start=1))

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


def file_name(file: CsvFile) -> str | None:
    """Return the name of a path or file object without folders, None if it has none."""
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", None)
    if isinstance(name, str | os.PathLike):
        return PurePath(name).name or None
    return None


def open_csv(file: CsvFile, encoding: str, max_features: int) -> CsvText:
    """Read the text and settle separator and column names on the header line, before any row is parsed."""
    source = file_name(file) or "the file"
    content = _decode(_read(file, source), source, encoding)
    if not content or content.isspace():
        raise ValueError(f"{source} is empty; pass a CSV file with a header line and rows of numbers")
    if "\0" in content:
        raise ValueError(
            f"{source} holds zero bytes, so it is not a text file in this encoding; save it as CSV in UTF-8, "
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
            raise ValueError(f"{source}: two columns are named {quote(name)}; rename or remove one in the header line")
        seen.add(name)
    return CsvText(source, content, separator, tuple(header))


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
        raise ValueError(f"{quote(source)}: {reason}; check the path and its permissions") from None
    except UnicodeError as error:  # a file opened as text, in the wrong encoding
        reason = shorten(error.reason if isinstance(error, UnicodeDecodeError) else str(error))
        raise ValueError(
            f"{source} is not in the encoding it was opened with ({reason}); save it as UTF-8, or open it "
            "in binary mode and pass encoding="
        ) from None
    except ValueError as error:  # a closed file, or a path with a zero byte
        raise ValueError(f"{quote(source)} cannot be read ({error}); check the path, or pass an open file") from None
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


def _shown_path(path: object) -> str:
    """Show a path whole, or the end of a very long one: the file's own name is what a reader looks for."""
    shown = str(path)
    return repr(shown if len(shown) <= 300 else "…" + shown[-300:])


def shorten(shown: str) -> str:
    """Keep the beginning and the end of a long text."""
    return shown if len(shown) <= 60 else shown[:50] + "…" + shown[-5:]


def quote(name: str) -> str:
    """Show a name as Python writes it, shortened."""
    return shorten(repr(name))


def listing(names: Sequence[str], show: Callable[[str], str] = quote) -> str:
    """List the first names, and say how many more there are."""
    listed = ", ".join(map(show, names[:_SHOWN]))
    return listed + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
