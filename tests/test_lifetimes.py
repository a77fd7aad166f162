"""A run that no viewer holds is gone, with its forest, its threads, its frames and all that was computed of it.

Nothing here calls the garbage collector: what is left to it keeps its memory until it happens to run.
"""

import contextlib
import gc
import subprocess
import sys
import threading
import weakref
from dataclasses import replace

import pytest
from server import ROOT
from streamlit.runtime import caching
from streamlit.testing.v1 import AppTest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.facts import Facts
from treeviz.lesson.sections import make_sections
from treeviz.pages import budget, runs, theory
from treeviz.pages.data_choice import DataChoice
from treeviz.pages.runs import Shared
from treeviz.pages.settings import Settings
from treeviz.stage import frames
from treeviz.stage.frames import FrameMaker
from treeviz.stage.pictures.field import OutputField
from treeviz.stage.view import View
from treeviz.training import background
from treeviz.training.background import BackgroundRun
from treeviz.training.turns import Ticket

PATIENCE = 30


@pytest.fixture(autouse=True)
def _without_the_garbage_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def wait_for_threads(name):
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{name} goes on"


def begin(search="forest", data="circle", width=64):
    return BackgroundRun(load_dataset(data), TrainConfig(width=width, solver="exact", search=search))


@pytest.mark.parametrize("search", ["forest", "watch"])
def test_a_run_is_gone_with_its_last_viewer(search):
    run = begin(search)
    assert run.wait_for(2, timeout=PATIENCE)
    maker = FrameMaker(run, "key")
    for view in (View(), View(1, pinned=0)):
        assert maker.frame(view, 2)
    maker.status(), maker.fields([0, 1])
    parts = (run, run._trainer._engine, run.trace, maker)
    references = [weakref.ref(part) for part in parts]
    del run, maker, parts, view
    wait_for_threads("treeviz-run")
    wait_for_threads("treeviz-field")
    assert [reference() for reference in references] == [None] * 4


def test_a_run_that_is_dropped_while_its_thread_waits_is_gone_at_once(monkeypatch):
    monkeypatch.setattr(background, "_IDLE_SECONDS", 1.0)
    run = begin()
    assert run.wait_for(0, timeout=PATIENCE)
    while run._thread.is_alive() and not run._changed._waiters:  # until it has computed what a viewer waits for
        threading.Event().wait(0.001)
    reference = weakref.ref(run)
    del run
    assert reference() is None
    wait_for_threads("treeviz-run")


def test_a_run_that_is_dropped_while_it_computes_stops_after_this_iteration(monkeypatch):
    is_inside, may_go_on, steps = threading.Event(), threading.Event(), []

    class Slow(Trainer):
        def step(self):
            steps.append(self.config.search)
            is_inside.set()
            assert may_go_on.wait(PATIENCE)
            return super().step()

    monkeypatch.setattr(background, "Trainer", Slow)
    run = begin()
    assert is_inside.wait(PATIENCE)
    reference = weakref.ref(run)
    del run
    may_go_on.set()
    wait_for_threads("treeviz-run")
    assert reference() is None and steps == ["forest"]


def test_a_thread_ends_when_nothing_is_left_to_compute_and_another_goes_on(monkeypatch):
    monkeypatch.setattr(background, "_AHEAD", 0)
    run = begin()
    for iteration in range(3):
        assert run.wait_for(iteration, timeout=PATIENCE)
        wait_for_threads("treeviz-run")
        assert run._thread is None and run.num_computed == iteration + 1 == len(run.dense_trace.records)


def test_a_run_that_failed_is_gone_too(monkeypatch):
    def fail(self):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Trainer, "step", fail)
    run = begin()
    assert not run.wait_for(0, timeout=PATIENCE)
    wait_for_threads("treeviz-run")
    assert str(run.error) == "out of luck"
    reference = weakref.ref(run)
    del run
    assert reference() is None


def test_a_maker_may_go_while_its_field_is_computed(monkeypatch):
    is_inside, may_go_on = threading.Event(), threading.Event()

    class Slow(OutputField):
        def values(self, iteration):
            is_inside.set()
            assert may_go_on.wait(PATIENCE)
            return super().values(iteration)

    monkeypatch.setattr(frames, "OutputField", Slow)
    run = begin()
    assert run.wait_for(0, timeout=PATIENCE)
    maker = FrameMaker(run, "key")
    assert is_inside.wait(PATIENCE)
    references = [weakref.ref(part) for part in (run, run._trainer._engine, maker)]
    del run, maker
    wait_for_threads("treeviz-run")
    assert [reference() for reference in references] == [None] * 3
    may_go_on.set()
    wait_for_threads("treeviz-field")


def test_an_error_of_the_field_thread_is_told(monkeypatch):
    def fail(trace):
        raise MemoryError("no room")

    monkeypatch.setattr(frames, "OutputField", fail)
    maker = FrameMaker(begin(), "key")
    wait_for_threads("treeviz-field")
    assert maker.fields([0]) == {"error": "MemoryError: no room"}


def test_a_lesson_is_gone_with_its_facts():
    trainer = Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact"))
    trainer.step()
    facts = Facts(replace(trainer.trace, records=trainer.trace.records[:1]))
    reference = weakref.ref(trainer._engine)
    assert facts.leaves.size and len(make_sections(facts)) == 9
    del trainer
    assert reference() is None, "facts hold what has been recorded, never the trees"
    reference = weakref.ref(facts)
    del facts
    assert reference() is None


# Sessions.


class Thing:
    """Something that can be held."""


def test_what_is_shared_is_made_once_for_all_holders_and_gone_with_the_last():
    shared, made, held = Shared(), [], []
    start, another_makes = threading.Barrier(4), threading.Event()

    def make():
        made.append(1)
        if len(made) > 1:
            another_makes.set()
        another_makes.wait(0.2)  # long enough for another thread to come as far, if it may
        return Thing()

    def hold():
        start.wait(PATIENCE)
        held.append(shared.get("key", make))

    holders = [threading.Thread(target=hold) for _ in range(4)]
    for holder in holders:
        holder.start()
    for holder in holders:
        holder.join(PATIENCE)
    assert len(made) == 1 and len(held) == 4 and all(one is held[0] for one in held)
    reference = weakref.ref(held[0])
    del held[1:]
    assert shared.get("key", make) is held[0]
    held.clear()
    assert reference() is None and len(made) == 1
    assert shared.get("key", make) and len(made) == 2


def test_what_takes_long_to_make_holds_up_no_other_key():
    shared, may_go_on = Shared(), threading.Event()

    def make_slowly():
        assert may_go_on.wait(PATIENCE)
        return Thing()

    slow = threading.Thread(target=shared.get, args=("slow", make_slowly))
    slow.start()
    assert shared.get("fast", Thing)
    may_go_on.set()
    slow.join(PATIENCE)

    def refuse():
        raise ValueError("too large")

    with pytest.raises(ValueError, match="too large"):
        shared.get("key", refuse)
    assert shared.get("key", Thing), "a refusal is not kept"


@pytest.fixture
def app():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    app.query_params["data"], app.query_params["width"] = "circle", "64"
    yield app.run()
    caching.clear_session_resource_cache("test session id")


def leave():
    """Do what Streamlit does when a browser leaves; it keeps the state of the session, and the fragments' arguments."""
    caching.clear_session_resource_cache("test session id")


@pytest.mark.filterwarnings("default")
def test_a_session_holds_the_run_it_shows_and_lets_go_of_the_one_before(app):
    assert not app.exception
    (maker,) = runs._runs._values.values()
    first = weakref.ref(maker)
    del maker
    app.number_input(key="seed").set_value(3).run()
    assert not app.exception
    wait_for_threads("treeviz-run")
    assert first() is None
    (maker,) = runs._runs._values.values()
    assert maker.run.config.seed == 3
    references = [weakref.ref(part) for part in (maker, maker.run, maker.run.trace)]
    del maker
    leave()
    wait_for_threads("treeviz-run")
    assert [reference() for reference in references] == [None] * 3
    app.run()  # the connection was broken, and the browser is back
    assert not app.exception and len(runs._runs._values) == 1


class LeftError(BaseException):
    """What ends the script of a viewer who has left."""


@pytest.mark.filterwarnings("default")
def test_a_viewer_who_leaves_does_not_wait_until_a_large_run_is_built(monkeypatch):
    begun, may_go_on, built = threading.Event(), threading.Event(), []

    class SlowTrainer(Trainer):
        def __init__(self, *arguments):
            built.append(self)
            begun.set()
            assert may_go_on.wait(PATIENCE)
            super().__init__(*arguments)

    def leave_at_once():
        begun.wait(PATIENCE)
        raise LeftError

    monkeypatch.setattr(background, "Trainer", SlowTrainer)
    monkeypatch.setattr(background, "_LARGE_RUN", 1)
    monkeypatch.setattr(runs, "stop_if_left", leave_at_once)
    wait_for_threads("treeviz-run")  # of the test before
    before = budget.MEMORY.used

    def come_and_leave(seed):
        with pytest.raises(LeftError):
            runs._begin(Settings(DataChoice("circle", ()), TrainConfig(width=64, solver="exact", seed=seed)))

    come_and_leave(1)
    assert budget.MEMORY.used > before, "what is being built takes its memory still"
    with background.BUILDING.taken(Ticket()):
        come_and_leave(2)
    assert len(built) == 1, "the second was in line"
    may_go_on.set()
    built.clear()
    for name in ("treeviz-build", "treeviz-run", "treeviz-field"):
        wait_for_threads(name)
    assert not built and budget.MEMORY.used == before and not runs._runs._values


def show_lesson():
    from treeviz import TrainConfig
    from treeviz.pages import theory
    from treeviz.pages.data_choice import DataChoice
    from treeviz.pages.settings import Settings

    theory.render(Settings(DataChoice("circle", (("seed", 0),)), TrainConfig(width=64, solver="exact")))


@pytest.mark.filterwarnings("default")
def test_the_lesson_lets_go_of_its_run_and_facts(monkeypatch):
    references = []

    def gather(trace):
        facts = Facts(trace)
        references.extend(weakref.ref(part) for part in (facts, facts.trace, *runs._runs._values.values()))
        return facts

    monkeypatch.setattr(theory, "Facts", gather)
    lesson = AppTest.from_function(show_lesson, default_timeout=PATIENCE).run()
    assert not lesson.exception and len(references) == 3 and all(reference() for reference in references)
    leave()
    wait_for_threads("treeviz-run")
    assert [reference() for reference in references] == [None] * 3


class SlowRun:
    """A run that has another iteration after every second look, and fails or ends where it is told to."""

    def __init__(self, fails_at=99, ends_at=99):
        self.num_looks, self._fails_at, self._ends_at = 0, fails_at, ends_at

    num_computed = property(lambda self: self.num_looks // 2)
    error = property(lambda self: RuntimeError() if self.num_computed >= self._fails_at else None)
    is_finished = property(lambda self: self.num_computed >= self._ends_at)

    def wait_for(self, iteration, timeout):
        self.num_looks += 1
        return self.num_computed > iteration


def test_a_viewer_who_waits_is_told_of_every_iteration(monkeypatch):
    texts = []
    monkeypatch.setattr(runs.st, "spinner", lambda text: texts.append(text) or contextlib.nullcontext())
    runs.wait_with_spinner(SlowRun(), 2)
    told = ["Computing iteration 0 of 2 …", "Computing iteration 1 of 2 …", "Computing iteration 2 …"]
    assert texts == told
    for stopped in (SlowRun(fails_at=1), SlowRun(ends_at=1)):
        texts.clear()
        runs.wait_with_spinner(stopped, 2)
        assert texts == told[:1]
    texts.clear()
    quick = SlowRun()
    quick.num_looks = 7
    runs.wait_with_spinner(quick, 2)
    assert texts == []


FREED = """
import threading
import numpy as np
from treeviz.pages.runs import return_freed_arrays

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def work():
    arrays = []
    for _ in range(60):
        arrays.append(np.ones(1 << 16))
        kept.append(bytes(3000))  # between the arrays

np.ones(1 << 21)  # glibc learns from this one that arrays of 16 MB come and go
return_freed_arrays()
kept, before = [], resident()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what is set is an option of glibc")
def test_freed_arrays_are_returned_to_the_system():
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 50 << 20  # of 240 MB
