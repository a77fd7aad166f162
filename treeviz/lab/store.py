"""Points that were measured, kept in a file as they come: a reload, a restart or another sweep finds them.

The file is a SQLite database, so that the app and the command line can use it at the same time, and a point is whole in
it or not there. It is named by `--store`, by `TREEVIZ_LAB`, or is in the user's folder for data.

Two sweeps at the same time share the tasks: each claims a task before it measures it. A claim ends with its task, or
`LEASE_SECONDS` after it was last renewed, so a process that dies holds nothing up.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import time

from platformdirs import user_data_path

from treeviz.lab.experiment import Experiment, Task, Value

VARIABLE = "TREEVIZ_LAB"
_TABLES = (
    """CREATE TABLE IF NOT EXISTS points (
        experiment TEXT, program TEXT, task TEXT, point TEXT NOT NULL, seconds REAL NOT NULL, measured TEXT NOT NULL,
        PRIMARY KEY (experiment, program, task)
    ) WITHOUT ROWID""",
    # Who measures what at the moment, and until when that counts, in seconds since 1970.
    """CREATE TABLE IF NOT EXISTS claims (
        experiment TEXT, program TEXT, task TEXT, owner TEXT NOT NULL, until REAL NOT NULL,
        PRIMARY KEY (experiment, program, task)
    ) WITHOUT ROWID""",
)
LEASE_SECONDS = 10.0
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
        except OSError as error:
            raise self._unusable(error) from error
        with self._database() as database:
            for table in _TABLES:
                database.execute(table)
            database.execute("DELETE FROM claims WHERE until < ?", (time(),))  # fails where nothing can be written

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
        with self._database() as database:
            rows = database.execute(
                "SELECT task, point FROM points WHERE experiment = ? AND program = ?", self._of(experiment)
            ).fetchall()
        return {task: json.loads(point) for task, point in rows if task in names}

    def claim(self, experiment: Experiment, task: Task, owner: str) -> bool:
        """Claim a task, to measure it; return whether nobody else has measured it or has a claim that counts."""
        place, now = (*self._of(experiment), name_task(task)), time()
        of_place = "WHERE experiment = ? AND program = ? AND task = ?"
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")  # none comes between the look and the claim
            if database.execute(f"SELECT 1 FROM points {of_place}", place).fetchone():
                return False
            held = database.execute(
                f"SELECT 1 FROM claims {of_place} AND owner != ? AND until >= ?", (*place, owner, now)
            )
            if held.fetchone():
                return False
            database.execute(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?)", (*place, owner, now + LEASE_SECONDS)
            )
        return True

    def renew(self, owner: str) -> None:
        """Let all claims of an owner count for `LEASE_SECONDS` more."""
        with self._database() as database:
            database.execute("UPDATE claims SET until = ? WHERE owner = ?", (time() + LEASE_SECONDS, owner))

    def release(self, owner: str) -> None:
        """End all claims of an owner."""
        with self._database() as database:
            database.execute("DELETE FROM claims WHERE owner = ?", (owner,))

    def keep(self, experiment: Experiment, task: Task, point: Mapping[str, Value], seconds: float) -> None:
        """Keep what was measured of a task, and how many seconds that took. A point that is there already stays."""
        place = (*self._of(experiment), name_task(task))
        row = (json.dumps(dict(point), allow_nan=False), seconds, datetime.now(UTC).isoformat())
        with self._database() as database:
            database.execute("INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?)", (*place, *row))
            database.execute("DELETE FROM claims WHERE experiment = ? AND program = ? AND task = ?", place)

    def forget(self, experiment: Experiment, tasks: Iterable[Task]) -> None:
        """Remove what was measured of some tasks, so that they are measured again."""
        with self._database() as database:
            database.executemany(
                "DELETE FROM points WHERE experiment = ? AND program = ? AND task = ?",
                [(*self._of(experiment), name_task(task)) for task in tasks],
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Yield the database for one transaction; ValueError if the file cannot be used."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as database, database:
                yield database
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    @staticmethod
    def _of(experiment: Experiment) -> tuple[str, str]:
        """Points of another version of the program or of the experiment are not taken for those of this one."""
        return experiment.key, f"{_version()} {experiment.version}"

    def _unusable(self, error: Exception) -> ValueError:
        return ValueError(
            f"points cannot be kept in {self.path} ({error}): name another file by --store on the command line, or by "
            f"the variable {VARIABLE} for the app"
        )
