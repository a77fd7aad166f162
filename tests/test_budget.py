"""Memory that all sessions share: a line, places in it, and what comes back."""

import threading
import weakref
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from treeviz.pages import budget
from treeviz.pages.budget import Budget


class Holder:
    """Something that holds a share."""


def test_what_fits_is_granted_and_the_rest_waits_in_line():
    memory = Budget(10)
    first, large, other, small = (memory.ask(needed) for needed in (6, 8, 5, 3))
    assert [share.place for share in (first, large, other, small)] == [0, 1, 2, 0]
    assert memory.used == 9
    first.give_back()
    assert [share.place for share in (large, other)] == [1, 0], "the first that fits"
    small.give_back()
    assert large.place == 1
    other.give_back()
    other.give_back()  # a second time nothing happens
    assert (large.place, memory.used) == (0, 8)


def test_what_could_never_be_granted_is_refused():
    memory = Budget(4e9)
    with pytest.raises(ValueError, match=r"needs about 4\.5 GB, and all runs .* 4\.0 GB here: choose fewer"):
        memory.ask(4_500_000_000)
    assert memory.ask(4_000_000_000).place == 0


def test_a_share_goes_with_its_holder_and_a_wait_ends_with_it():
    memory, holder = Budget(10), Holder()
    kept = memory.ask(7)
    kept.keep_for(holder)
    late = memory.ask(7)
    granted = threading.Event()

    def wait():
        memory.wait(late, 30)
        granted.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert not granted.wait(0.05) and late.place == 1
    del holder
    assert granted.wait(10) and late.place == 0
    thread.join(10)


class Resting:
    """What stands in for a race: it may be over, and is closed then if another share waits."""

    def __init__(self, memory, needed, is_over):
        self.is_over, self.is_closed, self.told = is_over, False, []
        self.share = memory.ask(needed)
        self.share.keep_for_race(self)

    def when_closed(self, callback):
        self.told.append(callback)

    def close_if_over(self):
        if self.is_over:
            self.is_closed = True
            for callback in self.told:
                callback()


def test_a_race_that_is_over_makes_room_for_what_waits_and_no_more_than_that():
    memory = Budget(10)
    running, first, second, third = (Resting(memory, 2, is_over) for is_over in (False, True, True, True))
    share = memory.ask(5)
    assert share.place == 0 and memory.used == 9
    assert [race.is_closed for race in (running, first, second, third)] == [False, True, True, False]
    late = memory.ask(6)
    assert late.place == 1 and third.is_closed and not running.is_closed
    share.give_back()
    memory.wait(late, 0.0)
    assert late.place == 0 and memory.used == 8 and not running.is_closed
    last = memory.ask(4)
    running.is_over = True
    memory.wait(last, 0.0)
    assert running.is_closed and last.place == 0
    gone = weakref.ref(first)
    del first
    assert gone() is None, "a share holds no race"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=60))
def test_no_more_is_granted_than_there_is_and_nothing_that_fits_waits(moves):
    memory, shares = Budget(12), []
    for is_new, number in moves:
        if is_new:
            shares.append(memory.ask(number))
        elif shares:
            shares.pop(number % len(shares)).give_back()
        room = memory.limit - memory.used
        waiting = [share for share in shares if share.place]
        assert room >= 0 and memory.used == sum(share.needed for share in shares if not share.place)
        assert all(share.needed > room for share in waiting)
        assert [share.place for share in waiting] == list(range(1, len(waiting) + 1))


def show():
    import streamlit as st

    from treeviz.pages.budget import wait_for_share

    share = wait_for_share(3_000_000_000, "This run")
    st.markdown(f"begun, place {share.place}")


@pytest.fixture
def full(monkeypatch):
    """A server whose memory is taken, and the share that takes it."""
    memory = Budget(5e9)
    monkeypatch.setattr(budget, "MEMORY", memory)
    monkeypatch.setattr(budget, "_LOOK_SECONDS", 0.02)
    return memory, memory.ask(4_000_000_000)


@pytest.mark.filterwarnings("default")
def test_a_page_waits_in_line_and_begins_by_itself(full, monkeypatch):
    _, holder = full
    said = []

    @contextmanager
    def spinner(text):
        said.append(text)
        yield
        holder.give_back()

    monkeypatch.setattr(budget.st, "spinner", spinner)
    app = AppTest.from_function(show, default_timeout=30).run()
    assert not app.exception and app.markdown[0].value == "begun, place 0"
    assert "This run needs about 3.0 GB" in said[0] and "It is number 1 in line" in said[0]


def test_a_wait_ends_when_another_session_has_made_what_it_is_for(full):
    memory, _ = full
    looks = iter([False, False, True])
    share = budget.wait_for_share(3_000_000_000, "This run", lambda: next(looks))
    assert share.place == 1 and next(looks, None) is None
    share.give_back()
    assert not memory._waiting


@pytest.mark.parametrize(
    ("num_bytes", "words"), [(1.35e8, "0.1 GB"), (4.4e9, "4.4 GB"), (24_000, "1 MB"), (5e7, "50 MB")]
)
def test_memory_is_written_in_words(num_bytes, words):
    assert budget.in_words(num_bytes) == words


@pytest.mark.filterwarnings("default")
def test_a_viewer_who_leaves_leaves_the_line(full):
    memory, _ = full
    with pytest.raises(RuntimeError, match="timed out"):
        AppTest.from_function(show, default_timeout=1).run()
    for _ in range(500):  # the script ends at its next look
        if not memory._waiting:
            break
        threading.Event().wait(0.02)
    assert not memory._waiting and memory.used == 4_000_000_000
