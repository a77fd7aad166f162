"""Dial b: a tiny run checked by hand, and what the answer says of tables with a known answer."""

import math

import numpy as np
import pandas as pd
import pytest

from treeviz import TrainConfig, Trainer
from treeviz.data.catalogue import load_split
from treeviz.lab.experiment import Request
from treeviz.lab.experiments.threshold import EXPERIMENT
from treeviz.model.network import firing_probability, initial_weights, paper_threshold

TASK = {"data": "centred", "width": 1024, "threshold": 1.5, "seed": 2}


@pytest.fixture(scope="module")
def found():
    return EXPERIMENT.measure(TASK)


def test_the_first_system_is_that_of_the_firing_sets(found):
    X = load_split("digits", 100, 2, center=True).train.X
    fires = (initial_weights(2, 1024, 64) @ X.T >= 1.5).astype(float)
    gram = (X @ X.T) * (fires.T @ fires) / 1024
    eigenvalues = np.linalg.eigvalsh(gram)
    assert found["lambda_ratio"] == pytest.approx(eigenvalues[0] / firing_probability(1.5))
    assert found["conditioning"] == pytest.approx(eigenvalues[-1] / eigenvalues[0])
    assert found["limit_conditioning"] == pytest.approx(found["conditioning"], rel=0.5)
    assert found["silent"] == (fires.sum(axis=0) == 0).sum()


def test_the_run_is_that_of_a_trainer_and_measuring_again_gives_the_same(found):
    split = load_split("digits", 100, 2, center=True, max_test_points=500)
    config = TrainConfig(width=1024, threshold=1.5, seed=2, solver="exact", search="dense-sparse")
    trainer = Trainer(split.train, config)
    trainer.run(100, 1e-6)
    assert (found["iterations"], found["reached"]) == (len(trainer.trace.records), 1)
    assert found["accuracy"] == np.mean(np.sign(trainer.predict(split.test.X)) == split.test.y)
    assert EXPERIMENT.measure(TASK) == found


def test_datapoints_without_a_firing_neuron_make_the_system_singular():
    found = EXPERIMENT.measure({**TASK, "width": 64, "threshold": 3.5})
    assert found["silent"] > 0 and found["lambda_ratio"] == 0 and math.isinf(found["conditioning"])


def table(cheapest=3.0, gain=0.05, silent=99.0, woken=True, seeds=3):
    """A made-up table: where operations are fewest, how accuracy grows with b, from where on points are silent."""
    rows = []
    for task in Request(EXPERIMENT, "quick", seeds).tasks:
        b = task["threshold"]
        is_silent = b >= silent
        rows.append(
            {
                **task,
                "reached": int(not is_silent or woken),
                "iterations": 5,
                "loss": 0.0,
                "operations": 1e6 * (1 + abs(b - cheapest)),
                "operations_build": 1e7,
                "lambda_ratio": 0.1 * (1 + b),
                "conditioning": 100 / (1 + b),
                "limit_lambda_ratio": 0.1 * (1 + b),
                "limit_conditioning": 100 / (1 + b),
                "silent": 7 * is_silent,
                "silent_trained": 7 * (is_silent and not woken),
                "accuracy": 0.8 + gain * b + 0.001 * task["seed"],
            }
        )
    return pd.DataFrame(rows)


def test_the_words_name_the_cheapest_threshold_and_what_the_papers_costs():
    b = paper_threshold(4096)
    words = EXPERIMENT.answer(table(cheapest=0.5)).words
    assert "On digits b = 0.5 takes the fewest operations" in words and f"{1 + b - 0.5:.1f} times as many" in words
    assert "80\u00a0% at b = 0, 90\u00a0% at the paper's b and 83\u00a0% at the cheapest" in words
    assert "the paper's b = 2 takes the fewest" in EXPERIMENT.answer(table(cheapest=b)).words
    assert "hardly more" in EXPERIMENT.answer(table(cheapest=2.05)).words
    assert "no threshold brings all seeds" in EXPERIMENT.answer(table(silent=0.0, woken=False)).words


def test_remarks_follow_accuracy_conditioning_and_silent_points():
    for gain, said in ((0.05, "is higher than"), (-0.05, "is lower than"), (0.0, "is not surely higher or lower than")):
        assert said in EXPERIMENT.answer(table(seeds=6, gain=gain)).remarks[0]
    assert "not surely" in EXPERIMENT.answer(table(seeds=5)).remarks[0]
    assert "building left out" in EXPERIMENT.answer(table()).words
    remark = EXPERIMENT.answer(table(silent=4.0)).remarks[0]
    assert "From b = 4 on some datapoints fire no neuron before" in remark and "none at the end" in remark
    assert "better conditioned" in remark and "not learned" not in remark
    lost = EXPERIMENT.answer(table(silent=4.0, woken=False)).remarks[0]
    assert "Not all seeds reach the goal at b = 4 and 4.5" in lost and "none at the end" not in lost
    assert "silent at the end, too, and not learned" in lost
    worse = table().assign(conditioning=lambda rows: 1 + rows.threshold)
    assert "worse conditioned" in EXPERIMENT.answer(worse).remarks[0]


def test_gaps_stay_gaps_and_any_part_of_the_table_has_an_answer():
    points = table()
    measured = [name for name in points if name not in TASK]
    points.loc[points.threshold == 1.0, measured] = np.nan
    for panel in EXPERIMENT.answer(points).panels:
        for curve in panel.curves:
            assert np.isnan(curve.median[curve.x.index(1.0)]) and np.isfinite(curve.median).any()
    for row in range(0, len(points), 23):
        alone = table()
        alone.loc[alone.index != row, measured] = np.nan
        assert EXPERIMENT.answer(alone).words
