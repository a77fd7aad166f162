"""CSV files as text: bytes read within bounds and decoded, and the words that messages use for files and names."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import IO

from treeviz.data.refusal import RefusalError, Remedy

CsvFile = str | os.PathLike[str] | IO[str] | IO[bytes]

MAX_BYTES = 64 * 2**20  # a table of this length takes about a gigabyte while it is read
_TOO_LARGE = f"is larger than {MAX_BYTES // 2**20} MB; keep fewer rows or columns"
_SHOWN = 10  # names or classes listed in one message


def file_name(file: CsvFile) -> str | None:
    """Return the name of a path or file object without folders, None if it has none."""
    name = file if isinstance(file, str | os.PathLike) else getattr(file, "name", None)
    if isinstance(name, str | os.PathLike):
        return PurePath(name).name or None
    return None


def read_text(file: CsvFile, encoding: str | None) -> tuple[str, str, str]:
    """Return what messages call the file, its text with lines ended by newlines alone, and a note on the encoding."""
    source = file_name(file) or "the file"
    text, note = _decode(read_content(file, source), source, encoding)
    if not text or text.isspace():
        raise RefusalError(f"{source} is empty; pass a CSV file with a header line and rows of numbers")
    if "\0" in text:
        raise RefusalError(
            f"{source} holds zero bytes, so it is not a text file in this encoding; save it as CSV in UTF-8, or ",
            Remedy("encoding"),
        )
    return source, text.replace("\r\n", "\n").replace("\r", "\n"), note


def read_content(file: CsvFile, source: str) -> str | bytes:
    """Return everything a path or file object holds, or refuse it; `source` is what messages call it."""
    if not isinstance(file, str | os.PathLike) and not hasattr(file, "read"):
        raise RefusalError(f"path_or_file must be a path or an open file, not {file!r}; pass one of these")
    try:
        if isinstance(file, str | os.PathLike):
            status = os.stat(file)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):  # opening a pipe would wait
                raise RefusalError(f"{_shown_path(file)} is not an ordinary file; save the table as a file first")
            if status.st_size > MAX_BYTES:
                raise RefusalError(f"{source} {_TOO_LARGE}")
            with open(file, "rb") as stream:
                content: str | bytes = stream.read(MAX_BYTES + 1)
        else:
            if hasattr(file, "seekable") and file.seekable():
                file.seek(0)
            content = file.read(MAX_BYTES + 1)
    except RefusalError:
        raise
    except FileNotFoundError:
        raise RefusalError(f"there is no file {_shown_path(file)}; check the path, or pass an open file") from None
    except IsADirectoryError:
        raise RefusalError(f"{_shown_path(file)} is a directory; pass the path of a CSV file in it") from None
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise RefusalError(f"{quote(source)}: {reason}; check the path and its permissions") from None
    except UnicodeError as error:  # a file opened as text, in the wrong encoding
        reason = shorten(error.reason if isinstance(error, UnicodeDecodeError) else str(error))
        raise RefusalError(
            f"{source} is not in the encoding it was opened with ({reason}); save it as UTF-8, or open it in binary "
            "mode: then the encoding is found"
        ) from None
    except ValueError as error:  # a closed file, or a path with a zero byte
        raise RefusalError(f"{quote(source)} cannot be read ({error}); check the path, or pass an open file") from None
    if len(content) > MAX_BYTES:
        raise RefusalError(f"{source} {_TOO_LARGE}")
    return content


def _decode(content: str | bytes, source: str, encoding: str | None) -> tuple[str, str]:
    """Return the text without a byte order mark, and a note where the encoding is guessed."""
    if isinstance(content, str):
        return content.removeprefix("\ufeff"), ""
    content, note = bytes(content), ""
    if encoding is None:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-16"
        else:
            encoding = "utf-8"
            try:
                content.decode(encoding)
            except UnicodeDecodeError:
                encoding, note = "cp1252", "It is not valid UTF-8 and was read as Windows-1252 text."
    try:
        return content.decode(encoding).removeprefix("\ufeff"), note
    except LookupError:
        raise RefusalError(
            f"encoding {encoding!r} is not a known text encoding; ", Remedy("encoding", "utf-8")
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusalError(
            f"{source}, line {line}: byte 0x{content[error.start]:02x} is not valid {error.encoding}; save the file as "
            "UTF-8, or ",
            Remedy("encoding", "latin-1"),
            " or another encoding",
        ) from None
    except ValueError as error:
        raise RefusalError(
            f"{source} is not valid {encoding!r} ({quote(str(error))}); save it as UTF-8, or ", Remedy("encoding")
        ) from None


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
