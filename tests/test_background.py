"""A run that computes ahead of its viewer."""

import dataclasses
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.training import background, baseline
from treeviz.training.background import TURNS, BackgroundRun
from treeviz.training.baseline import CANDIDATES, baseline_bytes
from treeviz.training.turns import Ticket

PATIENCE = 30


def finish(run):
    """Wait until nothing is left to compute."""
    for iteration in range(background.MAX_ITERATIONS):
        if not run.wait_for(iteration, timeout=PATIENCE):
            break
    if (thread := run._thread) is not None:
        thread.join(PATIENCE)
    return run


def test_a_background_run_is_the_trainers_run():
    data, config = load_dataset("sphere"), TrainConfig(width=512, solver="exact")
    run = finish(BackgroundRun(data, config))
    assert run.is_finished
    assert run.error is None
    expected = Trainer(data, config)
    for record in run.trace.records:
        assert expected.step().loss == record.loss
    assert run.trace.losses[-1] < 1e-20
    np.testing.assert_allclose(run.dense_trace.losses[:4], run.trace.losses[:4], rtol=1e-9)


def test_it_computes_ahead_but_not_forever(monkeypatch):
    monkeypatch.setattr(background, "_AHEAD", 2)
    monkeypatch.setattr(background, "MAX_ITERATIONS", 6)
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact", step_size=0.1))
    for asked, computed in ((0, 3), (1, 4), (0, 4), (3, 6), (5, 6), (99, 6)):
        run.request(asked)
        if (thread := run._thread) is not None:
            thread.join(PATIENCE)
        assert run.num_computed == computed == len(run.checks) == len(run.dense_trace.records)
        assert run.is_finished == (computed == 6) and not run.dense_is_behind
    assert not run.wait_for(6, timeout=PATIENCE)


class Condition(threading.Condition):
    """A condition that notes which threads waited until their time was up, and says when one begins to wait."""

    timed_out, is_waiting = [], threading.Event()

    def wait(self, timeout=None):
        self.is_waiting.set()
        is_notified = super().wait(min(timeout, 3.0))
        if not is_notified:
            self.timed_out.append(threading.current_thread().name)
        return is_notified


@pytest.mark.parametrize("fails", [False, True])
def test_whoever_waits_is_woken_as_soon_as_there_is_something_new(fails, monkeypatch):
    class Watched(Trainer):
        def step(self):
            assert Condition.is_waiting.wait(PATIENCE)
            if fails:
                raise RuntimeError("out of luck")
            return super().step()

    monkeypatch.setattr(Condition, "timed_out", [])
    monkeypatch.setattr(Condition, "is_waiting", threading.Event())
    monkeypatch.setattr(
        background,
        "threading",
        SimpleNamespace(Condition=Condition, Thread=threading.Thread, get_native_id=threading.get_native_id),
    )
    monkeypatch.setattr(background, "Trainer", Watched)
    monkeypatch.setattr(background, "_IDLE_SECONDS", 3600.0)  # the thread sleeps until it is woken
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact"))
    for iteration in range(3):
        assert run.wait_for(iteration, timeout=PATIENCE) == (not fails)
        Condition.is_waiting.clear()
    assert Condition.timed_out == []
    assert str(run.error) == ("out of luck" if fails else "None")


def test_a_wait_ends_when_its_time_is_up(monkeypatch):
    may_go_on = threading.Event()

    class Slow(Trainer):
        def step(self):
            assert may_go_on.wait(PATIENCE)
            return super().step()

    monkeypatch.setattr(background, "Trainer", Slow)
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact"))
    assert not run.wait_for(0, timeout=0.01)
    may_go_on.set()
    assert run.wait_for(0, timeout=PATIENCE)


def test_it_ends_when_nothing_can_move():
    run = BackgroundRun(load_dataset("sphere"), TrainConfig(width=64, threshold=50.0))
    assert not run.wait_for(5, timeout=30)
    assert run.is_finished
    assert run.num_computed == 1
    assert "no neuron fires" in run.trace.records[0].status


def test_many_viewers_share_one_run():
    run = BackgroundRun(load_dataset("digits", num_points=10), TrainConfig(width=2048, solver="exact"))
    seen = []
    lock = threading.Lock()

    def look(point):
        run.wait_for(3, timeout=60)
        step = run.trace.replay(point, 3)
        with lock:
            seen.append(step.firing.tolist() == run.trace.records[3].firing[point].tolist())

    viewers = [threading.Thread(target=look, args=(point,)) for point in range(10)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join(60)
    assert seen == [True] * 10


def test_a_dense_baseline_that_does_not_fit_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(background, "_MAX_DENSE_BYTES", 1000)
    data = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))
    run = finish(BackgroundRun(data, TrainConfig(width=100)))
    assert run.dense_trace is None
    assert "not trained here" in run.dense_refusal
    monkeypatch.setattr(background, "_MAX_DENSE_BYTES", baseline_bytes(data, TrainConfig(width=100)))  # it just fits
    assert finish(BackgroundRun(data, TrainConfig(width=100))).dense_trace.records


@pytest.mark.parametrize("faster", CANDIDATES)
def test_the_dense_method_that_is_faster_on_trial_is_trained(faster, monkeypatch):
    """The first iteration of each does not count; the one chosen begins anew, and none is kept beside it."""

    class TimedTrainer(Trainer):
        def step(self):
            record = super().step()
            is_fast = (self.config.search == faster) == (record.iteration > 0)
            return dataclasses.replace(record, seconds={"search": 1.0 if is_fast else 2.0})

    monkeypatch.setattr(baseline, "Trainer", TimedTrainer)
    monkeypatch.setattr(baseline, "_TRIALS", {})
    data, config = load_dataset("circle"), TrainConfig(width=64, search="watch", solver="sketch")
    dense = baseline.FasterDense(data, config)
    for _ in range(4):
        assert dense.trace is None
        dense.step()
    dense.step()
    assert dense.seconds == {search: 1.0 if search == faster else 2.0 for search in CANDIDATES}
    assert dense.trace.config == dataclasses.replace(config, search=faster, solver="exact")
    dense.step()
    expected = Trainer(data, dense.trace.config).run(2, until_loss=0.0)
    assert dense.trace.losses.tolist() == expected.losses.tolist()
    again = baseline.FasterDense(data, dataclasses.replace(config, seed=1))
    again.step()
    assert again.trace.config.search == faster, "a run of the same sizes needs no trial of its own"
    run = finish(BackgroundRun(data, config))
    assert run.dense_trace.config.search == faster and len(run.dense_trace.records) == run.num_computed


def test_a_finished_run_keeps_no_dense_network():
    run = finish(BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact")))
    assert run.is_finished and not run.dense_is_behind
    assert run._dense is None
    assert len(run.dense_trace.records) == run.num_computed
    run.request(3)
    assert run._thread is None, "nothing is left to compute"


def test_runs_compute_one_after_another(monkeypatch):
    at_work = threading.Lock()

    class Alone(Trainer):
        def step(self):
            assert at_work.acquire(blocking=False), "two runs compute at the same time"
            try:
                return super().step()
            finally:
                at_work.release()

    monkeypatch.setattr(background, "Trainer", Alone)
    monkeypatch.setattr(background, "_AHEAD", 2)
    data = load_dataset("circle")
    runs = [BackgroundRun(data, TrainConfig(width=32, solver="exact", seed=seed)) for seed in range(3)]
    for run in runs:
        if (thread := run._thread) is not None:
            thread.join(PATIENCE)
    other = Ticket()
    assert background.TURNS.take(other)
    for run in runs:
        assert not run.wait_for(4, timeout=0.02)
    assert sum(run._ticket.is_urgent for run in runs) == 3, "a viewer waits for each"
    background.TURNS.give_back(other)
    for run in runs:
        assert run.wait_for(4, timeout=PATIENCE) and run.error is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows of single threads")
def test_a_viewer_can_wait_for_the_dense_baseline(monkeypatch):
    data, config = load_dataset("circle"), TrainConfig(width=32, solver="exact", step_size=0.1)
    with TURNS.taken(Ticket()):
        run = BackgroundRun(data, config)
        assert not run.wait_for_dense(0, timeout=0.05)
    assert run.wait_for_dense(2, timeout=PATIENCE) and len(run.dense_trace.records) > 2
    monkeypatch.setattr(background, "_MAX_DENSE_BYTES", 0)
    assert BackgroundRun(data, config).wait_for_dense(0, timeout=0.0), "it will never be there"


def test_a_thread_that_computes_ahead_lets_pages_go_first(monkeypatch):
    priorities = set()

    class Noting(Trainer):
        def step(self):
            priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().step()

    monkeypatch.setattr(background, "Trainer", Noting)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    run = finish(BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact")))
    assert run.error is None and priorities == {min(19, own + background._NICENESS)}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own, "the page's thread stays as it was"
