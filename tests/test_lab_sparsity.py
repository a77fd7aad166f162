"""How sparse: counts against a scan by hand, and what the answer says of tables with a known answer."""

import math

import numpy as np
import pandas as pd
import pytest

from treeviz.data.catalogue import load_dataset
from treeviz.lab.experiment import Request
from treeviz.lab.experiments.sparsity import EXPERIMENT
from treeviz.model.network import firing_probability, initial_weights, paper_threshold

TASK = {"varied": "width", "data": "centred", "width": 512, "threshold": 1.5, "points": 12, "seed": 3}


def test_neurons_are_counted_as_by_hand():
    found = EXPERIMENT.measure(TASK)
    X = load_dataset("digits", 12, 3, center=True).X
    fires = initial_weights(3, 512, 64) @ X.T >= 1.5
    assert found["firing"] == pytest.approx(fires.sum() / 12)
    assert found["most_firing"] == fires.sum(axis=0).max()
    assert found["touched"] == fires.any(axis=1).sum()
    assert found["expected_firing"] == pytest.approx(512 * firing_probability(1.5))
    assert abs(found["deviation"]) < 4
    assert found["touched"] == pytest.approx(found["expected_touched"], rel=0.15)
    assert 0 < found["touched_kept"] <= 1
    assert EXPERIMENT.measure(TASK) == found


def test_the_deviation_is_that_of_independent_neurons():
    # One datapoint: the number of firing neurons is binomial.
    task = {**TASK, "varied": "points", "points": 1, "data": "sphere"}
    found = EXPERIMENT.measure(task)
    p = firing_probability(1.5)
    expected = (found["touched"] - 512 * p) / math.sqrt(512 * p * (1 - p))
    assert found["deviation"] == pytest.approx(expected)
    assert "iterations" not in found


def table(share, kept=1.0, exponent=0.75, bound=0.9):
    """A made-up table: so large a share is touched at the most datapoints."""
    rows = []
    for task in Request(EXPERIMENT, "quick").tasks:
        m, n, b = task["width"], task["points"], task["threshold"]
        p = firing_probability(b)
        firing = m**exponent if task["varied"] == "width" else m * p
        touched = share * m * n / 1000
        rows.append(
            {
                **task,
                "firing": firing,
                "most_firing": bound * m * math.exp(-b * b / 2),
                "touched": touched,
                "expected_firing": m * p,
                "expected_touched": touched,
                "deviation": 0.0 if kept == 1 else 9.0,
                "iterations": 4,
                "firing_kept": kept + 0.02 * task["seed"] if task["varied"] == "width" else np.nan,
                "touched_kept": 1.0,
            }
        )
    return pd.DataFrame(rows)


def test_the_answer_follows_the_share_touched():
    p = firing_probability(paper_threshold(4096))
    few = EXPERIMENT.answer(table(0.1)).words
    assert f"{100 * p:.1f}\u00a0% of them fire" in few and "leaves most of the network alone" in few
    assert "moves most of the network, so it is sparse for each" in EXPERIMENT.answer(table(0.9)).words
    mixed = table(0.9)
    mixed.loc[mixed.data == "digits", "touched"] *= 0.1
    assert "depends on the data" in EXPERIMENT.answer(mixed).words


def test_remarks_follow_expectation_bound_growth_and_training():
    text = " ".join(EXPERIMENT.answer(table(0.1)).remarks)
    assert "is as expected" in text and "On no datapoint more" in text and "All grow" not in text
    other = " ".join(EXPERIMENT.answer(table(0.1, kept=2.0, bound=1.5)).remarks)
    assert (
        "not as expected" in other
        and "more neurons fire on some datapoint" in other
        and "more on points on a sphere" in other
    )
    assert "(2.01 times" in other
    assert "fewer on digits (0.51 times" in " ".join(EXPERIMENT.answer(table(0.1, kept=0.5)).remarks)
    slow = table(0.1).assign(touched=lambda rows: rows.width**0.8)
    assert "All grow more slowly" in " ".join(EXPERIMENT.answer(slow).remarks)


def test_gaps_stay_gaps_and_any_part_of_the_table_has_an_answer():
    points = table(0.1)
    gap = (points.varied == "points") & (points.points == 32) & (points.data == "sphere")
    points.loc[gap, ["firing", "touched", "most_firing", "deviation"]] = np.nan
    curve = EXPERIMENT.answer(points).panels[0].curves[0]
    place = curve.x.index(32.0)
    assert np.isnan(curve.median[place]) and np.isfinite(np.delete(curve.median, place)).all()
    measured = [name for name in points if name not in TASK]
    for row in range(0, len(points), 7):
        alone = points.copy()
        alone.loc[alone.index != row, measured] = np.nan
        assert EXPERIMENT.answer(alone).words
