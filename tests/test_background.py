"""A run that computes ahead of its viewer."""

import threading
import time

import numpy as np

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.training import background
from treeviz.training.background import BackgroundRun


def finish(run):
    for iteration in range(background.MAX_ITERATIONS):
        if not run.wait_for(iteration, timeout=30):
            break
    while run.dense_is_behind:
        time.sleep(0.02)
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


def test_it_computes_ahead_but_not_forever():
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32, solver="exact"))
    assert run.wait_for(2, timeout=30)
    assert not run.wait_for(background.MAX_ITERATIONS, timeout=0.01)
    assert 3 <= run.num_computed <= background.MAX_ITERATIONS
    assert finish(run).num_computed <= background.MAX_ITERATIONS


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


def test_an_unforeseen_error_is_kept_not_lost(monkeypatch):
    def fail(self):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Trainer, "step", fail)
    run = BackgroundRun(load_dataset("circle"), TrainConfig(width=32))
    assert not run.wait_for(0, timeout=30)
    assert str(run.error) == "out of luck"


def test_a_dense_baseline_that_does_not_fit_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(background, "_MAX_DENSE_BYTES", 1000)
    data = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))
    run = finish(BackgroundRun(data, TrainConfig(width=100)))
    assert run.dense_trace is None
    assert "not trained here" in run.dense_refusal
