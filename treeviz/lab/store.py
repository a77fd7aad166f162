"""Points that were measured, kept in a file as they come: a reload, a restart or another sweep finds them.

The file is a SQLite database, so that the app and the command line can use it at the same time, and a point is whole in
it or not there. It is named by `--store`, by `TREEVIZ_LAB`, or is in the user's folder for data.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Set
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_data_path

from treeviz.lab.experiment import Experiment, Task, Value

VARIABLE = "TREEVIZ_LAB"
_TABLE = """CREATE TABLE IF NOT EXISTS points (
    experiment TEXT, program TEXT, task TEXT, point TEXT NOT NULL, seconds REAL NOT NULL, measured TEXT NOT NULL,
    PRIMARY KEY (experiment, program, task)
) WITHOUT ROWID"""
_CHANGES = 24  # where SQLite counts the changes of a file, in 4 bytes
_PATIENCE = 30.0  # seconds to wait for another process that writes


def default_path() -> Path:
    """Return where points are kept unless another file is named."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_data_path("treeviz", appauthor=False) / "lab.sqlite"


def name_task(task: Task) -> str:
    """Return a text that two tasks share if they are the same."""
    return json.dumps(dict(task), sort_keys=True, separators=(",", ":"), allow_nan=False)


@cache
def _version() -> str:
    return version("treeviz")


class PointStore:
    """The points in a file, which is made if there is none.

    Raises
    ------
    ValueError
        If the file cannot be used; the message says how to name another.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as database, database:
                database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def revision(self) -> bytes:
        """Return what differs after every change of the file, whoever made it; it takes some microseconds."""
        try:
            with self.path.open("rb") as file:
                file.seek(_CHANGES)
                return file.read(4)
        except OSError as error:
            raise self._unusable(error) from error

    def find(self, experiment: Experiment, names: Set[str]) -> dict[str, dict[str, Value]]:
        """Return what was measured of some tasks, by `name_task`; those that were not are left out."""
        try:
            with closing(self._open()) as database:
                rows = database.execute(
                    "SELECT task, point FROM points WHERE experiment = ? AND program = ?", self._of(experiment)
                ).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return {task: json.loads(point) for task, point in rows if task in names}

    def keep(self, experiment: Experiment, task: Task, point: Mapping[str, Value], seconds: float) -> None:
        """Keep what was measured of a task, and how many seconds that took. A point that is there already stays."""
        row = (name_task(task), json.dumps(dict(point), allow_nan=False), seconds, datetime.now(UTC).isoformat())
        try:
            with closing(self._open()) as database, database:
                database.execute(
                    "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?)", (*self._of(experiment), *row)
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def forget(self, experiment: Experiment, tasks: Iterable[Task]) -> None:
        """Remove what was measured of some tasks, so that they are measured again."""
        try:
            with closing(self._open()) as database, database:
                database.executemany(
                    "DELETE FROM points WHERE experiment = ? AND program = ? AND task = ?",
                    [(*self._of(experiment), name_task(task)) for task in tasks],
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_PATIENCE)

    @staticmethod
    def _of(experiment: Experiment) -> tuple[str, str]:
        """Points of another version of the program or of the experiment are not taken for those of this one."""
        return experiment.key, f"{_version()} {experiment.version}"

    def _unusable(self, error: Exception) -> ValueError:
        return ValueError(
            f"points cannot be kept in {self.path} ({error}): name another file by --store on the command line, or by "
            f"the variable {VARIABLE} for the app"
        )
