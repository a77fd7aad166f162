"""The exponent of an iteration's cost: measured as the trainer counts it, and told as the points say."""

import numpy as np
import pandas as pd
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lab.experiment import Request
from treeviz.lab.experiments.sublinear import EXPERIMENT

WIDTHS = [256, 1024, 4096, 16384]


def table(bare, building, method="forest"):
    """Return points of a method whose iteration takes m^bare operations, and whose building takes m^building."""
    rows = []
    for width in WIDTHS:
        for seed in (0, 1):
            noise = 1 + 0.01 * seed
            costs = {"operations_iteration": noise * width**bare, "operations_build": 100 * noise * width**building}
            times = dict.fromkeys(("seconds_iteration", "seconds_build", "seconds_draw"), 1e-3)
            rows.append(
                {"method": method, "width": width, "seed": seed, "iterations": 5, "loss": 1e-9, **costs, **times}
            )
    return pd.DataFrame(rows).assign(operations_draw=0.0, failed=None)


def test_a_point_is_what_the_trainer_counts():
    point = EXPERIMENT.measure({"method": "forest", "width": 256, "seed": 3})
    data = load_dataset("sphere", 16, 3, dimension=16)
    trainer = Trainer(data, TrainConfig(width=256, seed=3, search="forest", solver="exact"))
    records = trainer.run(6, 1e-6).records
    assert point["iterations"] == len(records) and point["loss"] == records[-1].loss
    assert point["operations_iteration"] == pytest.approx(np.mean([record.num_operations for record in records]))
    assert point["operations_build"] == sum(trainer.trace.build_costs.values())
    assert point["operations_draw"] == 256 * 16
    again = EXPERIMENT.measure({"method": "forest", "width": 256, "seed": 3})
    assert {k: v for k, v in point.items() if "seconds" not in k} == {
        k: v for k, v in again.items() if "seconds" not in k
    }


def test_drawing_only_the_neurons_that_fire_is_the_cheaper_draw():
    point = EXPERIMENT.measure({"method": "watch-firing", "width": 1 << 14, "seed": 0})
    assert point["operations_draw"] < 0.3 * 16 * 2**14 and point["loss"] <= 1e-6


@pytest.mark.parametrize(
    ("bare", "building", "words"),
    [
        (0.75, 0.75, ["From m = 256 to 16,384 the", "as m to the power 0.75 (95 %: 0.7", "): sublinear. With"]),
        (1.0, 1.0, ["as m to the power 1 (", "): not sublinear. With", "): not sublinear."]),
        (0.75, 1.1, ["): sublinear. With", "): not sublinear."]),
    ],
)
def test_the_words_follow_the_exponents(bare, building, words):
    answer = EXPERIMENT.answer(table(bare, building))
    assert all(part in answer.words for part in words), answer.words
    fits = {fit.name: fit for fit in answer.fits}
    assert fits["Forest: operations of an iteration"].value == pytest.approx(bare, abs=0.01)


def test_points_that_scatter_do_not_decide():
    points = table(0.97, 1.0)
    points.operations_iteration *= np.exp(np.random.default_rng(0).normal(0, 0.3, len(points)))
    assert "): these points do not decide whether that is sublinear. With" in EXPERIMENT.answer(points).words


def test_few_points_are_too_few_and_missing_ones_are_gaps():
    points = pd.concat([table(0.75, 1.0), table(0.9, 1.0, "dense")], ignore_index=True)
    points.loc[points.width == 1024, "operations_iteration"] = np.nan
    forest, dense = EXPERIMENT.answer(points).panels[0].curves
    assert forest.name == "Forest" and np.isnan(forest.median[1]) and np.isfinite(dense.median[[0, 2, 3]]).all()
    points.loc[points.width > 256, "operations_iteration"] = np.nan
    assert "too few for an exponent" in EXPERIMENT.answer(points).words


def test_widths_grow_with_the_size_and_the_dense_sketch_stays_small():
    quick, full = (Request(EXPERIMENT, size).tasks for size in ("quick", "full"))
    assert max(task["width"] for task in quick) < max(task["width"] for task in full) == 2**32
    assert max(task["width"] for task in full if task["method"] == "dense-sketch") == 2**18
