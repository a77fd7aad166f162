"""Turns: long computations of several viewers use the machine one after another, first those that a viewer waits for.

A race or a run asks with its `Ticket` for each turn again, so those that go on at the same time have their turns in
rotation. A ticket does not hold what it is for: a race that its viewers have dropped is gone, and its ticket is
cancelled then.
"""

import threading
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
    """Gives one computation at a time its turn."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []  # in the order in which they asked
        self._owner: Ticket | None = None

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
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: ticket.is_cancelled or self._next() is ticket)
            self._waiting.remove(ticket)
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
        return next((ticket for ticket in ready if ticket.is_urgent), ready[0] if ready else None)
