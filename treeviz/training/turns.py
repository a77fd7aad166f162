"""Turns: long computations of several viewers use the machine one after another, first those that a viewer waits for.

A race or a run asks with its `Ticket` for each turn again, so those that go on at the same time have their turns in
rotation. A ticket does not hold what it is for: a race that its viewers have dropped is gone, and its ticket is
cancelled then.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Ticket:
    """What a computation shows to get its turn; an urgent one, that a viewer waits for, goes first.

    `Turns` alone changes it.
    """

    __slots__ = ("is_cancelled", "is_paused", "is_urgent")

    def __init__(self, *, is_urgent: bool = False) -> None:
        self.is_urgent = is_urgent
        self.is_paused = self.is_cancelled = False

    @property
    def may_run(self) -> bool:
        """Whether its computation is neither paused nor cancelled."""
        return not self.is_paused and not self.is_cancelled


class Turns:
    """Gives one computation at a time its turn.

    Parameters
    ----------
    patience : seconds that one that is not urgent waits for a turn at most while something is drawn for a viewer.
    """

    def __init__(self, patience: float = 3.0) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Ticket, float] = {}  # in the order in which they asked, and when
        self._owner: Ticket | None = None
        self._patience, self._num_drawn = patience, 0

    @contextmanager
    def stand_back(self) -> Iterator[None]:
        """Let none that is not urgent begin its turn meanwhile: something is drawn for a viewer.

        Threads share the interpreter, so what is drawn waits for what is computed at the same time, and the longer the
        busier the machine is.
        """
        with self._changed:
            self._num_drawn += 1
        try:
            yield
        finally:
            with self._changed:
                self._num_drawn -= 1
                if not self._num_drawn and self._owner is None:
                    self._changed.notify_all()

    @contextmanager
    def taken(self, ticket: Ticket) -> Iterator[bool]:
        """Hold a turn, waited for as by `take`; yields what `take` returns."""
        may_run = self.take(ticket)
        try:
            yield may_run
        finally:
            self.give_back(ticket)

    def take(self, ticket: Ticket) -> bool:
        """Wait until it is the ticket's turn; return False as soon as the ticket is cancelled.

        A paused ticket keeps its place, and others go first. No ticket waits for the owner of the turn once that is
        cancelled, because it may be in the middle of a long step.
        """
        with self._changed:
            self._waiting[ticket] = time.monotonic()
            while not ticket.is_cancelled and self._next() is not ticket:
                self._changed.wait(self._patience if self._num_drawn else None)
            del self._waiting[ticket]
            if ticket.is_cancelled:
                return False
            self._owner = ticket
            return True

    def give_back(self, ticket: Ticket) -> None:
        """End the ticket's turn."""
        with self._changed:
            if self._owner is ticket:
                self._owner = None
                self._changed.notify_all()

    def is_held(self, ticket: Ticket) -> bool:
        """Return whether it is the ticket's turn; a paused one ends the turn it has."""
        with self._changed:
            return self._owner is ticket

    def pause(self, ticket: Ticket) -> None:
        """Let the ticket have no turn until it is resumed."""
        with self._changed:
            ticket.is_paused = True
            self._changed.notify_all()

    def resume(self, ticket: Ticket) -> None:
        """Let a paused ticket have turns again."""
        with self._changed:
            ticket.is_paused = False
            self._changed.notify_all()

    def set_urgent(self, ticket: Ticket, is_urgent: bool) -> None:
        """Say whether a viewer waits for the ticket's turn."""
        with self._changed:
            ticket.is_urgent = is_urgent
            self._changed.notify_all()

    def cancel(self, ticket: Ticket) -> None:
        """Let the ticket have no turn any more."""
        with self._changed:
            ticket.is_cancelled = True
            self._changed.notify_all()

    def _next(self) -> Ticket | None:
        """The ticket whose turn can begin now, if there is one."""
        if self._owner is not None and not self._owner.is_cancelled:
            return None
        ready = [ticket for ticket in self._waiting if ticket.may_run]
        first = next((ticket for ticket in ready if ticket.is_urgent), ready[0] if ready else None)
        if first is None or first.is_urgent or not self._num_drawn:
            return first
        return first if time.monotonic() - self._waiting[first] >= self._patience else None
