"""The Lab's experiment on the sketch: what it measures against NumPy, and that its answer follows the points."""

import numpy as np
import pandas as pd
import pytest

from treeviz.lab.experiments.sketch import EXPERIMENT, _data, _first_system
from treeviz.model.network import WholeNetwork, paper_threshold

TASK = {
    "part": "solve",
    "data": "sphere",
    "solver": "sketch",
    "points": 40,
    "apart": 1e-2,
    "rows": 8,
    "tolerance": 1e-12,
    "seed": 1,
}


def system():
    """Return G and the residual from explicit rows of the Jacobian."""
    data = _data(TASK)
    network = WholeNetwork(data.X, 1, 4096)
    W, signs, b = network.weights(), np.asarray(network.signs), paper_threshold(4096)
    fires = b <= W @ data.X.T
    gram = sum(
        np.outer(row, row) * (data.X @ data.X.T) for row in fires[fires.any(axis=1)].astype(float)
    )  # a neuron after the other
    return gram / 4096, signs @ np.maximum(W @ data.X.T - b, 0) / 64 - data.y


def test_pairs_lie_as_far_apart_as_they_should():
    X = _data(TASK).X
    assert np.allclose(np.linalg.norm(X, axis=1), 1)
    assert 0.5e-2 < np.linalg.norm(X[:20] - X[20:], axis=1).mean() < 1.5e-2


def test_the_system_and_all_solutions_are_those_of_numpy():
    gram, residual = system()
    jacobian, found = _first_system(TASK)
    np.testing.assert_allclose(found, residual, atol=1e-12)
    dense = np.column_stack([jacobian.gram_product(unit) for unit in np.eye(40)])
    np.testing.assert_allclose(dense, gram, atol=1e-12)
    conditioning = np.linalg.cond(gram)
    for solver, rows, tolerance in (("sketch", 8, 1e-12), ("exact", 0, 0.0), ("plain", 0, 0.0)):
        measured = EXPERIMENT.measure({**TASK, "solver": solver, "rows": rows, "tolerance": tolerance})
        assert measured["conditioning"] == pytest.approx(conditioning, rel=1e-6)
        assert measured["left"] < 1e-8 and set(measured) <= set(EXPERIMENT.columns)
    rough = EXPERIMENT.measure({**TASK, "tolerance": 1e-2})
    fine = EXPERIMENT.measure(TASK)
    assert rough["left"] > 1e-3 and rough["iterations"] < fine["iterations"] < 40
    assert 1 < fine["conditioning_met"] < 10 < fine["conditioning"]


@pytest.mark.parametrize("part", ["solve", "training"])
def test_two_measures_agree(part):
    first, second = (EXPERIMENT.measure({**TASK, "part": part, "apart": 1.0}) for _ in range(2))
    steady = [name for name in first if not name.startswith("seconds")]
    assert [first[name] for name in steady] == [second[name] for name in steady]


def test_training_takes_as_many_iterations_as_the_trainer_says():
    from treeviz import TrainConfig, Trainer

    task = {**TASK, "part": "training", "apart": 1.0, "solver": "exact", "rows": 0, "tolerance": 0.0}
    trainer, losses = Trainer(_data(task), TrainConfig(width=4096, seed=1, search="dense", solver="exact")), []
    while not losses or losses[-1] > 1e-6:
        losses.append(trainer.step().loss)
    assert EXPERIMENT.measure(task)["training_iterations"] == len(losses)


def table(seeds=2, *, ratio=50.0, plain=100, sketch=26):
    """Return made-up points of the quick size; `plain` iterations without a sketch where points are close."""
    rows = []
    for task in EXPERIMENT.plan("quick", seeds):
        easy, exact = task["apart"] == 1.0, task["solver"] == "exact"
        rows.append(
            {
                **task,
                "iterations": 0 if exact else sketch if task["solver"] == "sketch" or easy else plain,
                "conditioning": 1 / (task["apart"] or 0.1) ** 2,
                "conditioning_met": 4.0 if task["solver"] == "sketch" else np.nan,
                "left": 1e-10,
                "operations": task["points"] ** 2.0 * (1.0 if exact else ratio),
                "training_iterations": 5 if exact or task["tolerance"] < 1e-3 else 7,
                "seconds": 0.1,
            }
        )
    return pd.DataFrame(rows, columns=[*EXPERIMENT.columns, "failed"])


def test_the_answer_follows_the_points():
    told = EXPERIMENT.answer(table())
    assert (
        "takes 26 iterations, however close points lie" in told.words
        and "so close points are hard without it" in told.words
    )
    assert "takes fewer operations in 11 of 11 settings; the sketch takes 50 times" in told.words
    assert "not worth it on any" in told.words
    assert any("a tolerance of 10⁻⁶ is enough" in remark for remark in told.remarks)
    exponents = {fit.name: fit.value for fit in told.fits if "exponent" in fit.name}
    assert list(exponents.values()) == pytest.approx([2.0] * 3)
    other = EXPERIMENT.answer(table(ratio=0.5, plain=30)).words
    assert (
        "so close points are no harder without it" in other and "the sketch is worth it on all of these data" in other
    )
    mixed = table()
    mixed.loc[(mixed.points == 400) & (mixed.solver == "sketch"), "operations"] = 1.0
    assert "the sketch is worth it in 3 of them" in EXPERIMENT.answer(mixed).words
    mixed.loc[(mixed.apart == 1e-4) & (mixed.solver == "sketch"), "iterations"] = 80
    assert "26 to 80 iterations, more on some data than on others" in EXPERIMENT.answer(mixed).words


def test_a_gap_stays_a_gap_and_any_part_of_the_points_has_an_answer():
    points = table()
    numbers = [name for name in points if name not in ("failed", *TASK)]
    gone = points.copy()
    gone.loc[(gone.apart == 1e-2) & (gone.solver == "plain"), numbers] = np.nan
    told = EXPERIMENT.answer(gone)
    curve = next(curve for curve in told.panels[0].curves if curve.name.endswith("without a sketch"))
    assert np.isnan(curve.median).tolist() == [False, False, True, False]
    assert max(len(panel.curves) for panel in told.panels) <= 8
    assert len({panel.title for panel in told.panels}) == len(told.panels)
    for row in (0, len(points) // 2, len(points) - 1):
        few = points.copy()
        few.loc[few.index != row, numbers] = np.nan
        assert EXPERIMENT.answer(few).words and EXPERIMENT.answer(points.loc[[row]]).words
