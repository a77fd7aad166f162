"""The memory that the runs and races of all sessions share: what does not fit waits in line until others are closed."""

import threading
import weakref

import streamlit as st

from treeviz.training.memory import usable_bytes

_LOOK_SECONDS = 0.5


class Share:
    """Memory that was asked for: it waits in line, or is granted, until it is given back."""

    def __init__(self, budget: "Budget", needed: int) -> None:
        self.needed, self._budget = needed, budget
        self.is_kept = False

    @property
    def place(self) -> int:
        """Its place in line, from 1; 0 once it is granted or given back."""
        return self._budget.place(self)

    def keep_for(self, holder: object) -> None:
        """Give the share back when `holder` is gone."""
        self.is_kept = True
        weakref.finalize(holder, self.give_back).atexit = False

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
                f"this needs about {needed / 1e9:.1f} GB, and this server has {self.limit / 1e9:.1f} GB for all its "
                "viewers: choose fewer datapoints or a smaller width"
            )
        share = Share(self, needed)
        with self._changed:
            self._waiting.append(share)
            self._grant()
        return share

    def place(self, share: Share) -> int:
        """Return the place of a share in line, from 1; 0 if it does not wait."""
        with self._changed:
            return self._waiting.index(share) + 1 if share in self._waiting else 0

    def wait(self, share: Share, timeout: float) -> None:
        """Wait until a share is granted, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: share not in self._waiting, timeout)

    def take_back(self, share: Share) -> None:
        """Take a share back, granted or in line."""
        with self._changed:
            for shares in (self._granted, self._waiting):
                if share in shares:
                    shares.remove(share)
            self._grant()

    def _grant(self) -> None:
        room = self.limit - self.used
        for share in list(self._waiting):
            if share.needed <= room:
                self._waiting.remove(share)
                self._granted.append(share)
                room -= share.needed
        self._changed.notify_all()


MEMORY = Budget(usable_bytes())


def wait_for_share(needed: int, what: str) -> Share:
    """Return a share of the server's memory, waited for in line; the page says at which place.

    ValueError if the server could never grant it. A viewer who leaves meanwhile leaves the line.
    """
    share = MEMORY.ask(needed)
    slot = st.empty()
    try:
        while place := share.place:
            slot.info(
                f"{what} needs about {needed / 1e9:.2g} GB, and the runs and races of other viewers take what this "
                f"server has. It is number {place} in line, and begins by itself when there is room.",
                icon=":material/hourglass_top:",
            )
            MEMORY.wait(share, _LOOK_SECONDS)
        slot.empty()
    except BaseException:  # Streamlit ends the script of a viewer who has left, or who has changed a setting, like this
        share.give_back()
        raise
    return share
