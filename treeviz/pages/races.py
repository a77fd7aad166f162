"""Races that pages show, each under a key that the address holds: no reload of a page loses its race.

A session views a race through a cache of its own, which Streamlit empties when the browser leaves. A race that no
session views is ended after half a minute, and lets go of its networks. Its numbers are kept a while longer.
"""

import secrets
import threading
from collections.abc import Callable

import streamlit as st

from treeviz.race.race import Race

_GRACE_SECONDS = 30.0  # for a reload, or a connection that comes back
_KEPT_SECONDS = 600.0
# Of all races that no session views.
_MAX_KEPT, _MAX_KEPT_BYTES = 32, 64 << 20
_LEFT = "cancelled, because its page was closed or lost its connection"


class KeptRace:
    """A race, the settings and data it was started with by their keys, and how many sessions view it."""

    def __init__(self, race: Race, settings_key: str, data_key: str) -> None:
        self.race, self.settings_key, self.data_key = race, settings_key, data_key
        self.key = secrets.token_urlsafe(12)  # 96 random bits: nobody guesses the address of a race
        self.num_viewers = 0
        self.timer: threading.Timer | None = None  # to its end, while no one views it


class View:
    """One session's view of a race."""

    def __init__(self, races: "Races", kept: KeptRace) -> None:
        self.kept, self._races = kept, races

    def leave(self) -> None:
        """End the view; Streamlit calls this once."""
        self._races.leave(self.kept)


class Races:
    """Keeps the races of this process."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptRace] = {}  # those that were left last, last
        self._lock = threading.RLock()

    def add(self, kept: KeptRace) -> None:
        """Keep a race that its session is about to view."""
        with self._lock:
            self._kept[kept.key] = kept
            self._wait_for_viewers(kept)

    def find(self, key: str | None) -> KeptRace | None:
        """Return the race of a key, None if there is none."""
        with self._lock:
            return self._kept.get(key) if key else None

    def enter(self, kept: KeptRace) -> View:
        """Begin a session's view of a race."""
        with self._lock:
            kept.num_viewers += 1
            self._stop_timer(kept)
            self._kept[kept.key] = kept  # it may have been forgotten a moment ago
        return View(self, kept)

    def leave(self, kept: KeptRace) -> None:
        """End a session's view; the race waits for another for half a minute."""
        with self._lock:
            kept.num_viewers -= 1
            if not kept.num_viewers:
                self._wait_for_viewers(kept)

    def end_unviewed(self, kept: KeptRace, reason: str = _LEFT) -> None:
        """End a race and let go of its networks, unless a session views it; keep its numbers for some minutes."""
        with self._lock:
            if kept.num_viewers:
                return
            kept.race.close(reason)
            self._start_timer(kept, _KEPT_SECONDS, self._forget)
            self._kept[kept.key] = self._kept.pop(kept.key, kept)
            ended = [one for one in self._kept.values() if not one.num_viewers and one.race.is_closed]
            while len(ended) > _MAX_KEPT or sum(one.race.record_bytes for one in ended) > _MAX_KEPT_BYTES:
                self._forget(ended.pop(0))

    def _forget(self, kept: KeptRace) -> None:
        with self._lock:
            if not kept.num_viewers:
                self._stop_timer(kept)
                self._kept.pop(kept.key, None)

    def _wait_for_viewers(self, kept: KeptRace) -> None:
        self._start_timer(kept, _GRACE_SECONDS, self.end_unviewed)

    def _start_timer(self, kept: KeptRace, seconds: float, act: Callable[[KeptRace], None]) -> None:
        self._stop_timer(kept)
        kept.timer = threading.Timer(seconds, act, (kept,))
        kept.timer.name, kept.timer.daemon = "treeviz-races", True
        kept.timer.start()

    def _stop_timer(self, kept: KeptRace) -> None:
        if kept.timer is not None:
            kept.timer.cancel()
            kept.timer = None


RACES = Races()


@st.cache_resource(scope="session", max_entries=1, on_release=View.leave, show_spinner=False)
def _view(_kept: KeptRace, key: str) -> View:
    return RACES.enter(_kept)


def shown_race() -> KeptRace | None:
    """Return the race that this session showed last, None if it is not kept."""
    return RACES.find(st.session_state.get("race_key"))


def show_race(kept: KeptRace) -> None:
    """Have this session view a race, and no other one, and name it in the address."""
    _view(kept, kept.key)
    st.session_state.race_key = st.query_params["race"] = kept.key


def keep_address(kept: KeptRace) -> None:
    """Name a race in the address again, where the browser has not taken it: a refresh of the charts tells."""
    if st.query_params.get("race") != kept.key:
        st.query_params["race"] = kept.key


def open_race() -> tuple[KeptRace | None, bool]:
    """Return the race that the address names, else the one shown last; and whether the address names one in vain."""
    named = st.query_params.get("race")
    kept = shown_race() if named is None else RACES.find(named)
    if kept is not None:
        show_race(kept)
    elif named is not None:
        del st.query_params["race"]
    return kept, named is not None and kept is None


def leave_race() -> None:
    """Let go of the race this session views: it is ended now, unless another session views it too."""
    kept = shown_race()
    _view.clear()
    if kept is not None:
        RACES.end_unviewed(kept, "cancelled, because another race was started in its place")
