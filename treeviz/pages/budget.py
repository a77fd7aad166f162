"""The memory that the runs and races of all sessions share: what does not fit waits in line until others are closed."""

import threading
import weakref
from collections.abc import Callable

import streamlit as st

from treeviz.race.race import Race
from treeviz.training.memory import usable_bytes

_LOOK_SECONDS = 3.0  # between two looks at the place in line, and at whether the viewer is still there


class Share:
    """Memory that was asked for: it waits in line, or is granted, until it is given back."""

    def __init__(self, budget: "Budget", needed: int) -> None:
        self.needed, self._budget = needed, budget
        self.is_kept = False
        self._close_if_over: Callable[[], Callable[[], None] | None] = lambda: None

    @property
    def place(self) -> int:
        """Its place in line, from 1; 0 once it is granted or given back."""
        return self._budget.place(self)

    def keep_for(self, holder: object) -> None:
        """Give the share back when `holder` is gone."""
        self.is_kept = True
        weakref.finalize(holder, self.give_back).atexit = False

    def keep_for_race(self, race: Race) -> None:
        """Give the share back when a race is closed or gone. One that is over is closed if another share waits."""
        self.keep_for(race)
        race.when_closed(self.give_back)
        self._close_if_over = weakref.WeakMethod(race.close_if_over)

    def ask_back(self) -> None:
        """Have it given back if it is kept only for the case that a race goes on."""
        close_if_over = self._close_if_over()
        if close_if_over is not None:
            close_if_over()

    def give_back(self) -> None:
        """Let others have it; a second time nothing happens."""
        self._budget.take_back(self)


class Budget:
    """Grants shares as long as there is room; the first in line that fits goes next.

    So a large run in line does not keep small ones waiting, and may wait for long itself while they come.

    Parameters
    ----------
    limit : bytes for all shares together.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._changed = threading.Condition()
        self._granted: list[Share] = []
        self._waiting: list[Share] = []

    @property
    def used(self) -> int:
        """Bytes of the shares granted."""
        return sum(share.needed for share in self._granted)

    def ask(self, needed: int) -> Share:
        """Return a share of so many bytes, granted or in line; ValueError if it could never be granted."""
        if needed > self.limit:
            raise ValueError(
                f"this needs about {in_words(needed)}, and all runs and races together may take "
                f"{in_words(self.limit)} here: choose fewer datapoints or a smaller width"
            )
        share = Share(self, needed)
        with self._changed:
            self._waiting.append(share)
            self._grant()
        self._ask_back_for(share)
        return share

    def place(self, share: Share) -> int:
        """Return the place of a share in line, from 1; 0 if it does not wait."""
        with self._changed:
            return self._waiting.index(share) + 1 if share in self._waiting else 0

    def wait(self, share: Share, timeout: float) -> None:
        """Wait until a share is granted, at most `timeout` seconds."""
        self._ask_back_for(share)
        with self._changed:
            self._changed.wait_for(lambda: share not in self._waiting, timeout)

    def take_back(self, share: Share) -> None:
        """Take a share back, granted or in line."""
        with self._changed:
            for shares in (self._granted, self._waiting):
                if share in shares:
                    shares.remove(share)
            self._grant()

    def _ask_back_for(self, share: Share) -> None:
        """Ask for shares that can be spared, the oldest first, until this one is granted."""
        with self._changed:
            granted = list(self._granted)
        for other in granted:  # without the lock: whoever closes a race waits for what it is taking down
            if not self.place(share):
                return
            other.ask_back()

    def _grant(self) -> None:
        # Looked up again each time: a share may come back meanwhile, with a holder that the garbage collector finds.
        while share := next((one for one in self._waiting if one.needed <= self.limit - self.used), None):
            self._waiting.remove(share)
            self._granted.append(share)
        self._changed.notify_all()


MEMORY = Budget(usable_bytes())


def in_words(num_bytes: float) -> str:
    """Write an amount of memory."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e8 else f"{max(1, round(num_bytes / 1e6))} MB"


def stop_if_left() -> None:
    """End the script if its viewer has left, or has changed a setting: Streamlit does so where a script reads state."""
    _ = "page" in st.session_state


def wait_for_share(needed: int, what: str, is_there: Callable[[], bool] = lambda: False) -> Share:
    """Return a share of the server's memory, waited for in line; the page says at which place.

    The wait also ends when `is_there` says that another session has made what it is for; the share is in line still.
    ValueError if the server could never grant it. A viewer who leaves, or changes a setting, leaves the line.
    """
    share = MEMORY.ask(needed)
    try:
        while (place := share.place) and not is_there():
            # Spinners alone: any other element would move those below it, and the stage would be mounted again.
            with st.spinner(
                f"{what} needs about {in_words(needed)}, and the runs and races that are open take what there is. It "
                f"is number {place} in line, and begins by itself when there is room, if you leave the page as it is."
            ):
                MEMORY.wait(share, _LOOK_SECONDS)
    except BaseException:  # Streamlit ends the script of a viewer who has left, or who has changed a setting, like this
        share.give_back()
        raise
    return share
