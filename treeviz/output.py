"""Results of a command that reach their reader: nothing that was computed is lost to a full disk or a closed pipe."""

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import click


def require_output() -> None:
    """Refuse to begin where nothing can be printed."""
    try:
        os.write(sys.stdout.fileno(), b"")
    except io.UnsupportedOperation:
        pass  # it is no file, so no disk can be full
    except (OSError, ValueError, AttributeError) as error:  # a full device; closed; absent
        reason = reason_of(error) if isinstance(error, OSError) else "it is closed"
        raise click.ClickException(f"cannot print to standard output ({reason}): lead it elsewhere") from error


def print_result(text: str, name: str) -> None:
    """Print a result; if that fails, keep it in a file of this name in the folder for temporary files."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # the reader has what it wanted
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries the rest again at its end
        problem = f"cannot print the result ({reason_of(error)})"
        try:
            path = Path(tempfile.mkdtemp(prefix="treeviz-")) / name
            path.write_text(f"{text}\n", encoding="utf-8")
        except OSError as other:
            raise click.ClickException(f"{problem}, nor keep it in another file ({reason_of(other)})") from other
        raise click.ClickException(f"{problem}: it is kept in {path}") from error


def keep(save: Callable[[Path], object], path: Path) -> bool:
    """Save there, and return whether that was possible.

    If not, ask for another path; where there is no one to ask, the folder for temporary files takes what is done.
    """
    fallback = None
    while True:
        try:
            save(path)
        except OSError as error:
            click.echo(f"Error: cannot write {path} ({reason_of(error)}).", err=True)
        else:
            click.echo(f"Saved to {path}.", err=True)
            return fallback is None
        if sys.stdin.isatty():
            path = Path(click.prompt("What is done is still here. Another path", err=True))
        elif fallback is None:
            path = fallback = Path(tempfile.mkdtemp(prefix="treeviz-")) / path.name
        else:
            return False


def reason_of(error: OSError) -> str:
    """Return why the system refused, in its words."""
    return error.strerror or str(error)
