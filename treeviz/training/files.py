"""Files for results: tried before the work, and written whole or not at all after it."""

import os
import stat
import tempfile
import uuid
from pathlib import Path


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise OSError if `write_whole` could not write this file now; nothing is left behind."""
    target = _target(path)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        pass
    else:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(f"{target} is a folder")
        if not stat.S_ISREG(mode):
            raise OSError(f"{target} is no ordinary file")
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{target} is read-only")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent}")
    with tempfile.TemporaryFile(dir=target.parent) as file:
        file.write(bytes(4096))  # a full disk lets a file be made, and no byte be written


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all; a link stays, and the file it leads to is replaced. Raises OSError."""
    target = _target(path)
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _target(path: str | os.PathLike[str]) -> Path:
    """Return the file itself, where links lead to it."""
    return Path(os.path.realpath(path))
