"""Runs that pages show: one for all viewers with the same settings, and gone with the last of its viewers.

A session holds the run it shows, in a cache of its own, which Streamlit empties when the browser leaves. Nothing else
holds a run for longer than a script takes. So closing the tab, or showing another run, gives its memory back at once.
"""

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import streamlit as st

from treeviz.model.numerals import count
from treeviz.pages.budget import MEMORY, Share, in_words, wait_for_share
from treeviz.pages.settings import Settings
from treeviz.search import find_engine
from treeviz.stage.frames import FrameMaker
from treeviz.training.background import BackgroundRun, dense_bytes

_MAX_RUN_BYTES = 4 << 30
# The option of glibc's `mallopt` for the size from which on memory is mapped, and unmapped when it is freed.
_MMAP_THRESHOLD = -3
_Value = TypeVar("_Value")


class Shared(Generic[_Value]):
    """Values by key that several holders share: each is made once, and gone when its last holder lets it go."""

    def __init__(self) -> None:
        self._values: WeakValueDictionary[str, _Value] = WeakValueDictionary()
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def has(self, key: str) -> bool:
        """Return whether some holder has the value of a key."""
        return key in self._values

    def get(self, key: str, make: Callable[[], _Value]) -> _Value:
        """Return the value of a key, made now if no one holds it. Values of different keys are made side by side."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            value = self._values.get(key)
            if value is None:
                value = self._values[key] = make()
            return value


_runs: Shared[FrameMaker] = Shared()


def open_run(settings: Settings) -> FrameMaker:
    """Return the run of these settings, begun if no session shows it; ValueError, with a remedy, if it is too large.

    The session lets go of the run it showed before. Call this wherever a run is needed, and do not keep the result:
    what a session keeps, Streamlit may keep for long after the browser has left.
    """
    if st.session_state.get("run_held") != settings.key:
        _hold.clear()  # first, so that the memory of two large runs is not needed at once
        st.session_state.run_held = settings.key
    if _runs.has(settings.key):
        maker: FrameMaker = _hold(settings, settings.key, None)
        return maker
    needed = _needed_bytes(settings)
    share = wait_for_share(needed, "This run", lambda: _runs.has(settings.key))
    try:
        with st.spinner(
            f"Drawing {count(settings.config.width, 'neuron')}, and building what is searched, about "
            f"{in_words(needed)} …"
        ):
            maker = _hold(settings, settings.key, share)
    finally:
        if not share.is_kept:  # another session has begun the run meanwhile, or it failed
            share.give_back()
    return maker


@st.cache_resource(scope="session", show_spinner=False)
def _hold(_settings: Settings, key: str, _share: Share | None) -> FrameMaker:
    return _runs.get(key, lambda: _begin(_settings, _share))


def _needed_bytes(settings: Settings) -> int:
    """Return what a run takes with its dense baseline, about; ValueError if that is more than a page may take."""
    data, config = settings.load().train, settings.config
    needed = find_engine(config.search, config.fault).required_bytes(
        config.width, data.num_points, data.dimension, config.resolved_threshold
    )
    if needed > _MAX_RUN_BYTES:
        raise ValueError(
            f"{count(data.num_points, 'datapoint')} and {count(config.width, 'neuron')} need {needed / 1e9:.1f} GB "
            f"with this search, and a page may take {_MAX_RUN_BYTES / 1e9:.1f} GB: choose fewer datapoints or a "
            "smaller width"
        )
    return needed + dense_bytes(data, config)


def _begin(settings: Settings, share: Share | None) -> FrameMaker:
    """Begin a run; without a share it takes one that it does not wait for, because another session just let it go."""
    return_freed_arrays()
    run = BackgroundRun(settings.load().train, settings.config, is_checked=settings.is_checked)
    (share or MEMORY.ask(_needed_bytes(settings))).keep_for(run)
    return FrameMaker(run, settings.course_key, is_portable=settings.data.csv is None)


def let_go() -> None:
    """Let go of the run that the session holds; the page of the run opens it again."""
    _hold.clear()
    st.session_state.pop("run_held", None)


@cache
def return_freed_arrays() -> None:
    """Have glibc return every array of 256 kB or more to the system as soon as it is freed.

    By itself it raises this limit up to 32 MB, and a server's threads then keep what runs that are gone have freed.
    """
    if sys.platform == "linux" and (set_option := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        set_option(_MMAP_THRESHOLD, 1 << 18)


def wait_with_spinner(run: BackgroundRun, iteration: int) -> None:
    """Wait for an iteration or the end of the run, and say so if it takes long.

    The spinner is drawn again for every iteration: there Streamlit can stop the script of a viewer who has left.
    """
    if run.wait_for(iteration, timeout=0.25):
        return
    while (computed := run.num_computed) <= iteration and not (run.is_finished or run.error):
        with st.spinner(f"Computing iteration {computed}{f' of {iteration}' if computed < iteration else ''} …"):
            while not (run.wait_for(computed, timeout=0.25) or run.is_finished or run.error):
                pass
