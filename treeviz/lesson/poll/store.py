"""The polls that are open on a server, in one SQLite database that all of its processes share.

`treeviz serve` makes a private folder for the file and removes it with all that is in it. A process alone keeps the
database in memory. Nothing of a poll is left when it is closed: rows are deleted, and their place is overwritten.
"""

import json
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from treeviz.lesson.poll.asked import Answer, Asked, read_answer
from treeviz.lesson.poll.solution import Solution

# The environment variable that names the file to the processes of one server.
VARIABLE = "TREEVIZ_POLLS"
MAX_POLLS, MAX_ANSWERS, MAX_CHANGES = 20, 500, 50
LIFE_SECONDS = 2 * 3600
UNSEEN_SECONDS = 120  # that a poll stays when its teacher's page no longer asks; Streamlit keeps a session as long
CODE_LENGTH = 5
CODE_LETTERS = "BCDFGHJKMNPQRTVWX34679"  # no two alike, and no words
_BUSY_SECONDS = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS poll (
  number INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, control TEXT, asked TEXT, solution TEXT, opened REAL,
  seen REAL
);
CREATE TABLE IF NOT EXISTS answer (
  poll INTEGER REFERENCES poll ON DELETE CASCADE, student TEXT, given TEXT, changes INTEGER,
  PRIMARY KEY (poll, student)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A poll, for the session that has opened it: `control` is known to no other."""

    number: int
    code: str
    control: str


@dataclass(frozen=True, slots=True)
class Found:
    """A poll, for students: `solution` is None until their teacher has shown it."""

    number: int
    asked: Asked
    solution: Solution | None


class Polls:
    """Open polls. Threads and processes may share it; each call is one transaction, and takes well below 1 ms."""

    def __init__(self, path: str = ":memory:", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None
        self._database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.execute("PRAGMA synchronous = OFF")  # it need not outlive the machine
        self._database.execute("PRAGMA foreign_keys = ON")
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                self._database.execute(statement)

    # ---- the teacher ----

    def open(self, asked: Asked, code: str = "") -> Opened:
        """Open a poll, with this code if it is free; ValueError if there are too many."""
        now, control = self._clock(), secrets.token_urlsafe(16)
        with self._transaction() as run:
            self._sweep(now)
            if run("SELECT count(*) FROM poll").fetchone()[0] >= MAX_POLLS:
                raise ValueError(f"{MAX_POLLS} polls are open on this server, and no more can be: try again later")
            while not code or run("SELECT 1 FROM poll WHERE code = ?", (code,)).fetchone():
                code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
            number = run(
                "INSERT INTO poll (code, control, asked, opened, seen) VALUES (?, ?, ?, ?, ?)",
                (code, control, asked.to_json(), now, now),
            ).lastrowid
            if self._sweeper is None:
                self._sweep_later()
        return Opened(number or 0, code, control)

    def look(self, opened: Opened) -> list[Answer] | None:
        """Return the answers so far, and note that the teacher is there; None if the poll has been closed."""
        now = self._clock()
        with self._transaction() as run:
            self._sweep(now)
            found = run(
                "UPDATE poll SET seen = ? WHERE number = ? AND control = ? RETURNING asked",
                (now, opened.number, opened.control),
            ).fetchone()
            if found is None:
                return None
            rows = run("SELECT given FROM answer WHERE poll = ?", (opened.number,)).fetchall()
        return [_as_answer(given) for (given,) in rows]

    def reveal(self, opened: Opened, solution: Solution) -> None:
        """Show the students what is right; from then on no answer is taken."""
        with self._transaction() as run:
            run(
                "UPDATE poll SET solution = ? WHERE number = ? AND control = ?",
                (solution.to_json(), opened.number, opened.control),
            )

    def close(self, opened: Opened) -> None:
        """Close a poll, and forget all of it."""
        with self._transaction() as run:
            run("DELETE FROM poll WHERE number = ? AND control = ?", (opened.number, opened.control))

    # ---- the students ----

    def find(self, code: str) -> Found | None:
        """Return the open poll with a code; None if there is none."""
        now = self._clock()
        with self._transaction(writes=False) as run:
            found = run(
                "SELECT number, asked, solution FROM poll WHERE code = ? AND opened > ? AND seen > ?",
                (code, now - LIFE_SECONDS, now - UNSEEN_SECONDS),
            ).fetchone()
        if found is None:
            return None
        number, asked, solution = found
        return Found(number, Asked.from_json(asked), solution and Solution.from_json(solution))

    def answer(self, number: int, student: str, given: object) -> Answer:
        """Take a student's answer in place of an earlier one; ValueError, for the student, if that cannot be."""
        with self._transaction() as run:
            self._sweep(self._clock())
            found = run("SELECT asked, solution FROM poll WHERE number = ?", (number,)).fetchone()
            if found is None:
                raise ValueError("This poll is closed.")
            if found[1] is not None:
                raise ValueError("The right answer has been shown, so no other answer is taken.")
            answer = read_answer(Asked.from_json(found[0]), given)
            text = json.dumps(answer)
            old = run("SELECT given, changes FROM answer WHERE poll = ? AND student = ?", (number, student)).fetchone()
            if old is None:
                if run("SELECT count(*) FROM answer WHERE poll = ?", (number,)).fetchone()[0] >= MAX_ANSWERS:
                    raise ValueError(f"This poll is full: it takes {MAX_ANSWERS} answers.")
                run("INSERT INTO answer VALUES (?, ?, ?, 0)", (number, student, text))
            elif old[0] != text:
                if old[1] >= MAX_CHANGES:
                    raise ValueError(f"An answer can be changed {MAX_CHANGES} times; the last one counts.")
                run(
                    "UPDATE answer SET given = ?, changes = changes + 1 WHERE poll = ? AND student = ?",
                    (text, number, student),
                )
        return answer

    def answer_of(self, number: int, student: str) -> Answer | None:
        """Return what a student has answered, None if nothing."""
        with self._transaction(writes=False) as run:
            found = run("SELECT given FROM answer WHERE poll = ? AND student = ?", (number, student)).fetchone()
        return found and _as_answer(found[0])

    # ---- all polls ----

    @contextmanager
    def _transaction(self, *, writes: bool = True) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Yield what runs a statement: with all others of the block, or not at all."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                yield self._database.execute
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _sweep(self, now: float) -> None:
        """Delete polls that are too old, or whose teacher has gone."""
        self._database.execute(
            "DELETE FROM poll WHERE opened <= ? OR seen <= ?", (now - LIFE_SECONDS, now - UNSEEN_SECONDS)
        )

    def _sweep_later(self) -> None:
        """Sweep after a while, for as long as there are polls, so that they go also when no one asks for any."""
        sweeper = threading.Timer(UNSEEN_SECONDS, self._sweep_again)
        sweeper.daemon = True
        sweeper.start()
        self._sweeper = sweeper

    def _sweep_again(self) -> None:
        with self._transaction() as run:
            self._sweep(self._clock())
            if run("SELECT 1 FROM poll").fetchone():
                self._sweep_later()
            else:
                self._sweeper = None


def _as_answer(text: str) -> Answer:
    found = json.loads(text)
    return tuple(found) if isinstance(found, list) else found


@cache
def server_polls() -> Polls:
    """Return the polls of this server."""
    return Polls(os.environ.get(VARIABLE, ":memory:"))
