"""How wide is wide enough: a tiny run checked against a dense one, and the answers to tables with a known answer."""

import math

import numpy as np
import pandas as pd
import pytest

from treeviz import TrainConfig, Trainer
from treeviz.data.catalogue import load_dataset
from treeviz.lab.experiment import Request
from treeviz.lab.experiments.width import EXPERIMENT
from treeviz.model.network import initial_weights, paper_threshold

TASK = {"data": "centred", "points": 8, "width": 128, "seed": 1}


def test_moves_and_flips_are_those_of_a_dense_run():
    found = EXPERIMENT.measure(TASK)
    data = load_dataset("digits", 8, 1, center=True)
    trainer = Trainer(data, TrainConfig(width=128, seed=1, search="dense", solver="exact"))
    trainer.run(300, 1e-6)
    assert (found["reached"], found["iterations"]) == (1, len(trainer.trace.records))
    W, W0 = trainer.weights(), initial_weights(1, 128, 64)
    assert found["largest_move"] == pytest.approx(np.linalg.norm(W - W0, axis=1).max(), rel=1e-6)
    b = paper_threshold(128)
    before, last = W0 @ data.X.T - b >= 0, np.zeros((128, 8), dtype=bool)
    for point, neurons in enumerate(trainer.trace.records[-1].firing):
        last[neurons, point] = True
    assert found["flips"] == pytest.approx((before != last).sum() / before.sum())
    assert found["silent"] == (~before.any(axis=0)).sum()
    assert EXPERIMENT.measure(TASK) == found


def test_a_network_too_small_does_not_converge():
    found = EXPERIMENT.measure({**TASK, "points": 32, "width": 4})
    assert found["reached"] == 0 and found["loss"] > 1e-6


def table(needs, exponent=-0.5, theory=1e-3, lapse=None):
    """A made-up table: the width that each n needs, how moves change with m, the limit's eigenvalue."""
    rows = []
    for task in Request(EXPERIMENT, "quick").tasks:
        width, reached = task["width"], task["width"] >= needs[task["points"]]
        if lapse == (task["points"], width):
            reached = False
        rows.append(
            {
                **task,
                "reached": int(reached),
                "iterations": 7,
                "loss": 0.0,
                "largest_move": task["points"] * width**exponent,
                "flips": task["points"] * width**exponent,
                "silent": 0 if reached else 2,
                "limit_lambda": theory,
            }
        )
    return pd.DataFrame(rows)


def test_the_words_name_the_width_and_the_theorems():
    words = EXPERIMENT.answer(table({8: 8, 32: 32, 128: 128})).words
    assert "on digits it takes a width m of 8 with n = 8, 32 with n = 32 and 128 with n = 128" in words
    assert (
        "90\u00a0% of 8 seeds" in words
        and "a width of 10¹⁵ or more (n⁴/λ⁴, λ the least eigenvalue of an iteration's system, with the threshold of "
        "m = 1,024): at least 10¹⁴ times"
        in words
    )
    near = EXPERIMENT.answer(table({8: 8, 32: 32, 128: 128}, theory=8.0)).words
    assert "not ten times what was needed" in near
    assert "more than was tried with n = 128" in EXPERIMENT.answer(table({8: 8, 32: 32, 128: 9999})).words


def test_remarks_follow_how_the_width_grows_and_whether_wider_stays_better():
    for needs, said in (
        ({8: 8, 32: 32, 128: 128}, "grows with n"),
        ({8: 128, 32: 32, 128: 8}, "falls as n grows"),
        ({8: 32, 32: 8, 128: 32}, "neither grows nor falls"),
        ({8: 32, 32: 32, 128: 32}, "is the same"),
    ):
        remarks = EXPERIMENT.answer(table(needs)).remarks
        assert said in remarks[0] and any("stayed so at all larger widths tried" in remark for remark in remarks)
    part = table({8: 8, 32: 32, 128: 128})
    part = part[(part.width < 128) | (part.seed < 5)]
    told = EXPERIMENT.answer(part)
    assert "90\u00a0% of 5 to 8 seeds to converge" in told.words
    fits = {fit.name: fit for fit in told.fits}
    least = fits["share of seeds that converge at m = 128, n = 128, digits"]
    assert least.low == pytest.approx(0.025 ** (1 / 5))  # of five seeds, and not of eight
    lapsed = EXPERIMENT.answer(table({8: 8, 32: 8, 128: 8}, lapse=(32, 64)))
    assert "n = 32 (enough at 8, for good from 128 on)" in " ".join(lapsed.remarks)
    assert "128 with n = 32" in lapsed.words


def test_remarks_follow_moves_flips_and_silent_points():
    needs = {8: 8, 32: 16, 128: 32}
    text = " ".join(EXPERIMENT.answer(table(needs)).remarks)
    assert "the less far its neurons move, as m to the power −0.5" in text and "the smaller the share" in text
    assert "100\u00a0% of 96 runs that did not converge" in text and "0\u00a0% of the 240 that did" in text
    text = " ".join(EXPERIMENT.answer(table(needs, exponent=0.5)).remarks)
    assert "the farther its neurons move, as m to the power 0.5" in text and "the larger the share" in text


def test_gaps_stay_gaps_and_any_part_of_the_table_has_an_answer():
    points = table({8: 8, 32: 16, 128: 32})
    measured = [name for name in points if name not in TASK]
    points.loc[(points.width == 32) & (points.points == 8), measured] = np.nan
    curve = EXPERIMENT.answer(points).panels[0].curves[0]
    assert curve.name == "n = 8" and math.isnan(curve.median[curve.x.index(32.0)])
    assert np.isfinite(np.delete(curve.median, curve.x.index(32.0))).all()
    for row in range(0, len(points), 41):
        alone = table({8: 8, 32: 16, 128: 32})
        alone.loc[alone.index != row, measured] = np.nan
        assert EXPERIMENT.answer(alone).words
