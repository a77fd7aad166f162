"""When a run counts as stalled, slow or diverging: losses made up by hand, and runs whose end is known."""

import itertools

import numpy as np
import pytest

from treeviz.data.catalogue import load_dataset
from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.solve.report import SolveReport
from treeviz.training.judge import Judge
from treeviz.training.trainer import Trainer

FINE = SolveReport(0, np.zeros(0), 1.0, None, 3, 3, 0, 0, False, "ok")
DATA = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))


def judged(losses, *, data=DATA, counts=None, residual=None, **settings):
    """Return the statuses that a judge gives these losses, and the judge."""
    judge = Judge(data, TrainConfig(**{"width": 64, **settings}))
    counts = np.ones(data.num_points, dtype=np.int64) if counts is None else counts
    residual = np.ones(data.num_points) if residual is None else residual
    return [judge.judge(counts, residual, loss, FINE, diverged=False) for loss in losses], judge


# What stalls


@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_a_loss_that_stays_the_same_is_stalled_after_five_moves(method):
    statuses, judge = judged([3.0, *[1.0] * 7], method=method)
    assert [status != "ok" for status in statuses] == [False] * 6 + [True] * 2
    assert judge.stop_reason == statuses[-1] and "stalled: the loss no longer changes" in statuses[-1]


@pytest.mark.parametrize("period", [2, 3, 9, 24])
def test_losses_that_repeat_themselves_are_stalled_after_two_periods_more(period):
    cycle = 1.0 + np.arange(period)
    statuses, judge = judged(np.tile(cycle, 4))
    first = next(place for place, status in enumerate(statuses) if "stalled" in status)
    assert first + 1 == period + max(5, 2 * period)
    assert f"repeats itself every {period} iterations" in judge.stop_reason


def test_a_longer_period_is_not_looked_for():
    assert "stalled" not in " ".join(judged(np.tile(1.0 + np.arange(25), 4))[0])


@pytest.mark.parametrize(("method", "share"), [("gauss-newton", 1e-6), ("gradient-descent", 1e-12)])
def test_a_loss_that_falls_slowly_is_not_stalled(method, share):
    falling, standing = (0.3 * (1 - factor * share) ** np.arange(12) for factor in (1.1, 0.1))
    assert judged(falling, method=method)[1].stop_reason == ""
    assert "stalled" in judged(standing, method=method)[1].stop_reason


def test_nothing_is_stalled_at_round_off():
    assert judged([1.0, *[1e-25] * 40])[0][-1] == "ok"


def test_mini_batches_are_stalled_after_a_whole_epoch_only():
    """Other batches may have something to learn where one has not."""
    data = Dataset(np.eye(20), np.ones(20))
    statuses, _ = judged([1.0] * 25, data=data, method="sgd", batch_size=2)
    assert ["stalled" in status for status in statuses] == [False] * 20 + [True] * 5


# What to do about it


def test_the_remedy_depends_on_the_settings():
    def remedy(**settings):
        return judged([1.0] * 6, **settings)[1].stop_reason.partition("; ")[2]

    assert remedy() == remedy(threshold=0.1) == "lower the threshold, or widen the network and keep the threshold"
    assert remedy(threshold=0.0) == "widen the network and keep the threshold at 0, or train on fewer points"
    assert remedy(step_size=1e-9) == "use a larger step_size (of treeviz run: --step-size)"


def test_a_loss_that_cannot_be_learned_is_explained():
    same = Dataset(np.eye(3)[[0, 0, 1, 2]], np.array([1.0, -1.0, 1.0, 1.0]))
    fires, residual = np.array([1, 1, 1, 0]), np.array([1.0, -1.0, 0.0, 3.0])
    reason = judged([5.5] * 6, data=same, counts=fires, residual=residual)[1].stop_reason
    assert "fire no neuron" in reason and "share their input" in reason and "the others are learned" in reason
    residual[3] = 0.0
    assert "fire no neuron" not in judged([1.0] * 6, data=same, counts=fires, residual=residual)[1].stop_reason
    reason = judged([1.0001] * 6, data=same, counts=fires, residual=residual)[1].stop_reason
    assert "share their input" not in reason and "lower the threshold" in reason


# What is slow


@pytest.mark.parametrize(("method", "after"), [("gauss-newton", 20), ("gradient-descent", 1000), ("sgd", 2000)])
def test_a_slow_run_is_said_to_be_slow_and_goes_on(method, after):
    losses = 2.0 - 1e-3 * np.arange(after + 5) / after  # falls by far less than 1 %
    statuses, judge = judged([*losses, 1.0], method=method, batch_size=2)
    assert ["slow so far" in status for status in statuses] == [False] * after + [True] * 5 + [False]
    assert judge.stop_reason == "" and "stalled" not in " ".join(statuses)


def test_up_and_down_is_slow_and_no_stall():
    losses = 1.0 + np.random.default_rng(0).random(60)
    statuses, judge = judged([1.0, *losses])
    assert "slow so far" in statuses[-1] and judge.stop_reason == ""


# What diverges


@pytest.mark.parametrize("rise", [2.0, np.nextafter(2.0, 3.0), 100.0])
def test_a_loss_of_twice_an_earlier_one_is_neither_diverging_nor_stalled(rise):
    """Only the first loss is a measure of divergence: runs that converge may rise far in between."""
    statuses, judge = judged([1.0, 1.2, 1.1, 1.3, rise], data=Dataset(np.eye(1), np.array([1.0])))
    assert statuses == ["ok"] * 5 and judge.stop_reason == ""


@pytest.mark.parametrize(("method", "factor"), [("gauss-newton", 1e6), ("gradient-descent", 100.0), ("sgd", 100.0)])
def test_divergence_begins_above_its_factor_of_the_first_loss(method, factor):
    at, above = (judged([4.0, 4.0 * limit], method=method)[1] for limit in (factor, np.nextafter(factor, np.inf)))
    assert at.stop_reason == "" and above.stop_reason.startswith("diverging: ")


# Runs whose end is known


def run_of(name, num_points, width, threshold, seed, most):
    """Return the losses of a run, and the reasons to stop, iteration by iteration."""
    config = TrainConfig(width=width, threshold=threshold, seed=seed, search="watch", solver="exact")
    trainer = Trainer(load_dataset(name, num_points, seed), config, keep_records=False)
    losses, reasons = [], []
    while len(losses) <= most and not (losses and losses[-1] <= 1e-6):
        losses.append(trainer.advance())
        reasons.append(trainer.stop_reason)
    return losses, reasons


@pytest.mark.parametrize(
    ("name", "num_points", "width", "threshold", "seed"),
    [
        ("xor", 16, 128, 0.0, 2),
        ("spirals", 8, 512, None, 0),
        ("moons", 16, 32, 0.0, 0),
        pytest.param("digits", 200, 4096, None, 0, marks=pytest.mark.slow),
        pytest.param("circle", 20, 65_536, None, 0, marks=pytest.mark.slow),
        pytest.param("moons", 32, 65_536, None, 0, marks=pytest.mark.slow),
        pytest.param("spirals", 32, 65_536, None, 0, marks=pytest.mark.slow),
    ],
)
def test_runs_that_wander_and_converge_are_never_told_to_stop(name, num_points, width, threshold, seed):
    losses, reasons = run_of(name, num_points, width, threshold, seed, 300)
    assert losses[-1] <= 1e-6 and not any(reasons)
    assert any(later > 0.99 * earlier for earlier, later in itertools.pairwise(losses[::4])), "it does not wander"


@pytest.mark.parametrize(
    ("name", "num_points", "width", "threshold", "seed", "words"),
    [
        ("xor", 50, 8, None, 1, "repeats itself every 2 iterations; lower the threshold"),
        ("moons", 16, 8, 1.0, 1, "the loss no longer changes"),
        pytest.param("xor", 32, 65_536, None, 0, "no longer changes; lower the threshold", marks=pytest.mark.slow),
    ],
)
def test_runs_that_come_to_an_end_above_the_loss_are_stalled(name, num_points, width, threshold, seed, words):
    losses, reasons = run_of(name, num_points, width, threshold, seed, 300)
    assert losses[-1] > 1e-6 and words in reasons[-1]
    stalled = next(place for place, reason in enumerate(reasons) if "stalled" in reason)
    assert all("stalled" in reason for reason in reasons[stalled:])
