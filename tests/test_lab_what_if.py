"""What if: tiny runs checked by hand, and what the answer says of tables with a known answer."""

import math

import numpy as np
import pandas as pd
import pytest

from treeviz import TrainConfig, Trainer
from treeviz.data.catalogue import load_dataset
from treeviz.lab.experiment import Request
from treeviz.lab.experiments.what_if import EXPERIMENT, _load, _start
from treeviz.lab.initialization import INITIALIZATIONS
from treeviz.model.network import initial_weights, output_signs, paper_threshold

TASK = {"changed": "activation", "setting": "relu", "number": 0.0, "data": "sphere", "width": 256, "seed": 1}


def task(**changes):
    return {**TASK, **changes}


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, {"threshold": 0.0}),
        ({"setting": "clipped"}, {"activation": "clipped"}),
        ({"changed": "step", "setting": "step", "number": 0.5}, {"step_size": 0.5}),
        ({"changed": "initialization", "setting": "normal"}, {}),
    ],
)
def test_a_run_is_that_of_a_dense_trainer(changes, settings):
    found = EXPERIMENT.measure(task(**changes))
    data = load_dataset("sphere", 32, 1, dimension=16)
    trainer = Trainer(data, TrainConfig(width=256, seed=1, search="dense", solver="exact", **settings))
    trainer.run(300, 1e-6)
    records = trainer.trace.records
    assert found["iterations"] == len(records) and found["reached"] == (records[-1].loss <= 1e-6)
    assert found["first_loss"] == pytest.approx(records[0].loss)
    assert EXPERIMENT.measure(task(**changes)) == found


def test_the_close_pair_has_the_angle_and_opposite_targets():
    data = _load(task(changed="angle", number=0.01, data="close"))
    assert math.degrees(2 * math.asin(np.linalg.norm(data.X[0] - data.X[1]) / 2)) == pytest.approx(0.01)
    assert data.y[0] == -data.y[1]
    near, far = (EXPERIMENT.measure(task(changed="angle", number=angle, data="close")) for angle in (0.1, 30.0))
    assert near["conditioning"] > 10 * far["conditioning"]


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_run_starts_from_the_weights_it_is_said_to(name):
    W, signs = initial_weights(1, 256, 16), output_signs(1, 256)
    given, other = INITIALIZATIONS[name](W, signs)
    lengths = np.linalg.norm(given, axis=1)
    is_right = {
        "normal": np.array_equal(given, W),
        "half": np.allclose(2 * given, W),
        "double": np.allclose(given, 2 * W),
        "sphere": np.allclose(lengths, 4)
        and np.allclose(given / lengths[:, None] * np.linalg.norm(W, axis=1)[:, None], W),
        "coins": np.array_equal(given, np.sign(W)),
        "mirrored": np.array_equal(given[128:], W[:128]) and np.array_equal(other[128:], -signs[:128]),
    }
    assert is_right[name]
    asked = task(changed="initialization", setting=name)
    found, data = EXPERIMENT.measure(asked), _load(asked)
    outputs = other @ np.maximum(given @ data.X.T - paper_threshold(256), 0) / 16
    assert found["first_loss"] == pytest.approx(0.5 * np.sum((outputs - data.y) ** 2))
    assert found["firing"] == pytest.approx((given @ data.X.T >= paper_threshold(256)).mean())
    if name == "mirrored":
        assert found["first_loss"] == pytest.approx(0.5 * np.sum(data.y**2))


def test_initial_weights_can_be_asked_for_after_training():
    asked = task(changed="initialization", setting="half")
    trainer = _start(asked, _load(asked))
    trainer.step()
    W, W0 = trainer.weights(), 0.5 * initial_weights(1, 256, 16)
    still = np.linalg.norm(W - W0, axis=1) == 0
    assert 0 < still.sum() < 256


def table(*, paper=90, relu=4, clipped=90, missed=0, step=1.0, angle=-1.0, start=1.0):
    """A made-up table: what each activation takes, seeds that fail, the best step, what angles do."""
    rows = []
    for one in Request(EXPERIMENT, "quick", 5).tasks:
        setting, number, reached = one["setting"], one["number"], 1
        if one["changed"] == "activation":
            iterations = {"shifted": paper, "relu": relu, "clipped": clipped}[setting]
            reached = int(setting != "shifted" or one["seed"] >= missed)
        elif one["changed"] == "step":
            iterations = 10 + 40 * abs(number - step)
        elif one["changed"] == "angle":
            iterations = 100 + 10 * angle * math.log10(number)
        else:
            iterations = 20 if setting == "normal" else 20 * start
        rows.append(
            {
                **one,
                "reached": reached,
                "iterations": iterations + 0.001 * one["seed"],
                "first_loss": 16.0,
                "loss": 0.0,
                "firing": 0.1,
                "conditioning": 5.0,
            }
        )
    return pd.DataFrame(rows)


def test_the_words_follow_the_threshold_and_the_angle():
    words = EXPERIMENT.answer(table(missed=1)).words
    assert "On planar data training with the paper's b converges in 16 of 20 runs, in 90 iterations" in words
    assert "with b = 0 in 20 of 20 runs, in 4 iterations (median): the lower threshold helps" in words
    assert words.count("the closer the slower") == 2
    other = EXPERIMENT.answer(table(relu=200, angle=1.0)).words
    assert "the lower threshold hurts (quicker in 0 of 20 pairs" in other and "the closer the quicker" in other
    even = EXPERIMENT.answer(table(relu=90, angle=0.0)).words
    assert (
        "whether the lower threshold helps is not decided" in even
        and "no steady change with the angle is decided" in even
    )
    humped = table()
    humped.loc[(humped.changed == "angle") & (humped.number == 0.1), "iterations"] = 290
    assert EXPERIMENT.answer(humped).words.count("is slowest between, at 0.1°: ") == 2 and "slowest" not in even
    assert "in none of 20 runs, and with b = 0" in EXPERIMENT.answer(table(missed=5)).words


def test_remarks_follow_clipping_step_and_start():
    remarks = " ".join(EXPERIMENT.answer(table(clipped=300, start=0.5)).remarks)
    assert "it hurts" in remarks and remarks.count("the full step is the best") == 3
    assert "Weights twice as long converge in 15 of 15 runs, in 10 iterations (median): that helps" in remarks
    remarks = " ".join(EXPERIMENT.answer(table(step=0.5, start=2.0)).remarks)
    assert "of the steps tried 0.5 is the best" in remarks and "whether it helps is not decided" in remarks
    assert "the full step 5 of 5 runs" in remarks and "whether this step helps is not decided" in remarks
    assert "that hurts" in remarks and "that helps" not in remarks


def test_gaps_stay_gaps_and_any_part_of_the_table_has_an_answer():
    points = table()
    measured = [name for name in points if name not in TASK]
    points.loc[(points.changed == "step") & (points.number == 0.5), measured] = np.nan
    for panel in EXPERIMENT.answer(points).panels:
        if "by step" in panel.title:
            for curve in panel.curves:
                if curve.kind == "measured":
                    assert np.isnan(curve.median[curve.x.index(0.5)]) and np.isfinite(curve.median).sum() == 9
    for row in range(0, len(points), 37):
        alone = table()
        alone.loc[alone.index != row, measured] = np.nan
        assert EXPERIMENT.answer(alone).words
