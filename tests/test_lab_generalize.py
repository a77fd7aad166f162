"""The Lab's experiment on new points: what it measures against NumPy, and that its answer follows the points."""

import numpy as np
import pandas as pd
import pytest

from treeviz.data.catalogue import load_split
from treeviz.lab.experiments.generalize import EXPERIMENT
from treeviz.model.network import WholeNetwork, firing_probability, paper_threshold

PAPER = paper_threshold(4096)
TASK = {"data": "wine", "method": "random-features", "threshold": 1.0, "width": 512, "points": 30, "seed": 3}


def test_random_features_are_those_of_least_squares():
    measured = EXPERIMENT.measure(TASK)
    split = load_split("wine", 30, 3)
    network = WholeNetwork(split.train.X, 3, 512)
    signs = np.asarray(network.signs)
    phi, new = (np.maximum(X @ network.weights().T - 1.0, 0) / np.sqrt(512) for X in (split.train.X, split.test.X))
    layer = signs + np.linalg.lstsq(phi, split.train.y - phi @ signs)[0]
    outputs = new @ layer
    assert measured["test_error"] == pytest.approx(np.mean((outputs - split.test.y) ** 2), rel=1e-6)
    assert measured["test_wrong"] == np.mean(np.sign(outputs) != split.test.y)
    assert measured["guess_wrong"] == np.mean(split.test.y == 1)  # most training points are −1
    assert measured["train_error"] < 1e-12 and measured["test_points"] == split.test.num_points


def test_the_kernel_at_b_zero_is_the_arc_cosine_kernel_and_the_ridge_is_a_tenth_of_it():
    split = load_split("wine", 30, 3)
    measured = {}
    for method in ("kernel-ridge", "kernel-ridge-ridged"):
        measured[method] = EXPERIMENT.measure({**TASK, "method": method, "threshold": 0.0})

    def kernel(X, other):
        rho = np.clip(X @ other.T, -1, 1)
        return rho * (0.25 + np.arcsin(rho) / (2 * np.pi))

    ridge = 0.1 * firing_probability(0.0)
    gram = kernel(split.train.X, split.train.X) + ridge * np.eye(30)
    outputs = kernel(split.test.X, split.train.X) @ np.linalg.solve(gram, split.train.y)
    error = np.mean((outputs - split.test.y) ** 2)
    assert measured["kernel-ridge-ridged"]["test_error"] == pytest.approx(error, rel=1e-6)
    assert measured["kernel-ridge"]["train_error"] < 1e-12 < measured["kernel-ridge-ridged"]["train_error"]


def test_the_network_is_trained_and_two_measures_agree():
    task = {**TASK, "method": "network"}
    first = EXPERIMENT.measure(task)
    assert first == EXPERIMENT.measure(task)
    assert first["loss"] <= 1e-6 and first["train_error"] < 1e-7 < first["test_error"]
    regression = EXPERIMENT.measure({**task, "data": "diabetes"})
    assert "test_wrong" not in regression and set(first) <= set(EXPERIMENT.columns)


def table(seeds=6, *, network=0.2, kernel=0.4, guess=1.0, least=1.0):
    """Return made-up points of the quick size, with errors of the network and of the others."""
    rows = []
    for task in EXPERIMENT.plan("quick", seeds):
        is_network = task["method"] == "network"
        error = network + 0.01 * abs(task["threshold"] - least) if is_network else kernel
        rows.append(
            {
                **task,
                "iterations": 3,
                "loss": 1e-9,
                "train_error": 1e-9,
                "test_error": error + 1e-3 * task["seed"],
                "guess_error": guess,
                "train_wrong": 0.0,
                "test_wrong": 0.05,
                "guess_wrong": 0.5,
                "test_points": 100,
            }
        )
    return pd.DataFrame(rows, columns=[*EXPERIMENT.columns, "failed"])


def test_the_answer_follows_the_points():
    better = EXPERIMENT.answer(table()).words
    assert "calls 5\u00a0% of new digits odd or even wrongly" in better and "too few" not in better
    every = "on digits, breast cancer, wine and diabetes"
    assert f"against that of guessing the mean: lower {every}; of the infinitely" in better
    assert f"without a ridge: lower {every}" in better and "higher" not in better
    assert "b = 1 has the least error" in better and "more on the same seeds" in better
    worse = EXPERIMENT.answer(table(kernel=0.1, guess=0.01)).words
    assert f"guessing the mean: higher {every}" in worse and f"random features: higher {every}" in worse
    assert "lower" not in worse
    even = EXPERIMENT.answer(table(kernel=0.2 + 0.01 * (PAPER - 1.0))).words
    assert f"random features: not decided {every}" in even
    assert "the paper's b = 2 has the least error" in EXPERIMENT.answer(table(least=PAPER)).words


def test_fewer_than_six_seeds_decide_nothing():
    for seeds, told in ((1, "1 seed"), (5, "5 seeds")):
        words = EXPERIMENT.answer(table(seeds)).words
        assert f"from {told}, too few" in words and "lower on" not in words and "more on the same seeds" not in words


def test_every_dataset_has_its_widths_and_its_numbers_of_points():
    points = table()
    points.loc[points.width == 1 << 14, "test_error"] -= 0.1
    told = " ".join(EXPERIMENT.answer(points).remarks)
    for data, most in (("digits", 100), ("breast cancer", 100), ("wine", 100), ("diabetes", 100)):
        expected = f"On {data} the network's squared error on new points goes from 0.21 with 512 neurons to 0.11 with"
        assert expected in told and f"{most} (no change is decided)" in told
    tasks = pd.DataFrame(EXPERIMENT.plan("full", 1))
    rows = {name: load_split(name, 20, 0).test.num_points + 20 for name in ("wine", "diabetes", "breast-cancer")}
    assert all(number + 40 <= rows[name] for name, number in tasks.groupby("data").points.max().items() if name in rows)


def test_a_gap_stays_a_gap_and_any_part_of_the_points_has_an_answer():
    points = table(2)
    numbers = [name for name in points if name not in ("failed", *TASK)]
    points.loc[(points.threshold == 1.0) & (points.method == "network"), numbers] = np.nan
    told = EXPERIMENT.answer(points)
    curve = told.panels[0].curves[0]
    assert np.isnan(curve.median).tolist() == [False, True, False, False]
    assert "b = 1" not in told.words
    assert len({panel.title for panel in told.panels}) == len(told.panels)
    for row in (0, len(points) // 2, len(points) - 1):
        few = table(2)
        few.loc[few.index != row, numbers] = np.nan
        assert EXPERIMENT.answer(few).words and EXPERIMENT.answer(few.loc[[row]]).words
