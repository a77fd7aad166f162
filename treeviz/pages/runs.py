"""Runs that pages show: one for all viewers with the same settings, and gone with the last of its viewers.

A session holds the run it shows, in a cache of its own, which Streamlit empties when the browser leaves. Nothing else
holds a run for longer than a script takes. So closing the tab, or showing another run, gives its memory back at once.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import cache
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import streamlit as st

from treeviz.model.numerals import count
from treeviz.pages.budget import in_words, stop_if_left, wait_for_share
from treeviz.pages.settings import Settings
from treeviz.search import find_engine, required_bytes
from treeviz.stage.frames import FrameMaker
from treeviz.training.background import BUILDING, BackgroundRun, dense_bytes
from treeviz.training.turns import Ticket

_MAX_RUN_BYTES = 4 << 30
_COMPARING_SECONDS = 10.0  # that a scene about the badge waits for the dense method at most
# The option of glibc's `mallopt` for the size from which on memory is mapped, and unmapped when it is freed.
_MMAP_THRESHOLD = -3
_Value = TypeVar("_Value")


class Shared(Generic[_Value]):
    """Values by key that several holders share: each is made once, and gone when its last holder lets it go."""

    def __init__(self) -> None:
        self._values: WeakValueDictionary[str, _Value] = WeakValueDictionary()
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def find(self, key: str) -> _Value | None:
        """Return the value of a key if some holder has it."""
        return self._values.get(key)

    def get(self, key: str, make: Callable[[], _Value]) -> _Value:
        """Return the value of a key, made now if no one holds it. Values of different keys are made side by side."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            value = self._values.get(key)
            if value is None:
                value = self._values[key] = make()
            return value


_runs: Shared[FrameMaker[BackgroundRun]] = Shared()


def open_run(settings: Settings) -> FrameMaker[BackgroundRun]:
    """Return the run of these settings, begun if no session shows it; ValueError, with a remedy, if it is too large.

    The session lets go of the run it showed before. Call this wherever a run is needed, and do not keep the result:
    what a session keeps, Streamlit may keep for long after the browser has left.
    """
    if st.session_state.get("run_held") != settings.key:
        _hold.clear()  # first, so that the memory of two large runs is not needed at once
        st.session_state.run_held = settings.key
    maker: FrameMaker[BackgroundRun] = _hold(_runs.find(settings.key) or _begin(settings), settings.key)
    return maker


@st.cache_resource(scope="session", show_spinner=False)
def _hold(_maker: FrameMaker[BackgroundRun], key: str) -> FrameMaker[BackgroundRun]:
    return _maker


def _begin(settings: Settings) -> FrameMaker[BackgroundRun]:
    """Begin a run when there is room for it, in a thread: a viewer who leaves meanwhile does not wait for it.

    It leaves its line then. If it is being built already, that goes on, and what is built is gone at once.
    """
    data, needed = settings.load().train, _needed_bytes(settings)
    share = wait_for_share(needed, "This run", lambda: _runs.find(settings.key) is not None)
    ticket = Ticket()

    def make() -> FrameMaker[BackgroundRun]:
        return_freed_arrays()
        run = BackgroundRun(data, settings.config, is_checked=settings.is_checked, ticket=ticket)
        share.keep_for(run)
        return FrameMaker(run, settings.course_key, is_portable=settings.data.csv is None)

    def build() -> FrameMaker[BackgroundRun]:
        try:
            return _runs.get(settings.key, make)
        finally:
            if not share.is_kept:  # another session has begun the run meanwhile, or it failed
                share.give_back()

    built = _in_thread(build)
    try:
        with st.spinner(
            f"Drawing {count(settings.config.width, 'neuron')}, and building what is searched, about "
            f"{in_words(needed)} …"
        ):
            while not wait([built], 0.25).done:
                stop_if_left()
    except BaseException:  # Streamlit ends the script of a viewer who has left, or who has changed a setting, like this
        BUILDING.cancel(ticket)
        raise
    return built.result()


def _in_thread(work: Callable[[], _Value]) -> Future[_Value]:
    """Begin some work in a thread that no one has to wait for, not even the server when it ends."""
    future: Future[_Value] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # for whoever waits
            future.set_exception(error)

    threading.Thread(target=run, name="treeviz-build", daemon=True).start()
    return future


def _needed_bytes(settings: Settings) -> int:
    """Return what a run takes with its dense baseline, about; ValueError if that is more than a page may take."""
    data, config = settings.load().train, settings.config
    needed = required_bytes(find_engine(config.search, config.fault), data, config)
    if needed > _MAX_RUN_BYTES:
        raise ValueError(
            f"{count(data.num_points, 'datapoint')} and {count(config.width, 'neuron')} need {needed / 1e9:.1f} GB "
            f"with this search, and a page may take {_MAX_RUN_BYTES / 1e9:.1f} GB: choose fewer datapoints or a "
            "smaller width"
        )
    return needed + dense_bytes(data, config)


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
    """Wait for an iteration or the end of the run, and say so if it takes long; a viewer who leaves does not wait."""
    if run.wait_for(iteration, timeout=0.25):
        return
    while (computed := run.num_computed) <= iteration and not (run.is_finished or run.error):
        with st.spinner(f"Computing iteration {computed}{f' of {iteration}' if computed < iteration else ''} …"):
            while not (run.wait_for(computed, timeout=0.25) or run.is_finished or run.error):
                stop_if_left()


def wait_for_badge(run: BackgroundRun, iteration: int) -> None:
    """Wait until an iteration can be compared with the dense method, for some seconds at most."""
    if not run.wait_for_dense(iteration, timeout=0.25):
        with st.spinner("Comparing with the dense method …"):
            deadline = time.monotonic() + _COMPARING_SECONDS
            while not run.wait_for_dense(iteration, timeout=0.25) and time.monotonic() < deadline:
                stop_if_left()
