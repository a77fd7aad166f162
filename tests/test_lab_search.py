"""The Lab's experiment on searches: what it measures against brute force, and that its answer follows the points."""

import numpy as np
import pandas as pd
import pytest

from treeviz.lab.experiments.search import EXPERIMENT
from treeviz.lab.simhash import HashTables, expected_recall
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger
from treeviz.model.network import WholeNetwork, paper_threshold
from treeviz.search.dense_sparse import SparseRestEngine
from treeviz.training.trainer import Trainer

TASK = {
    "data": "sphere",
    "search": "simhash",
    "tables": 3,
    "width": 512,
    "points": 6,
    "dimension": 8,
    "step": 1.0,
    "seed": 1,
}


def data(task=TASK):
    from treeviz.data.catalogue import load_dataset

    return load_dataset("sphere", task["points"], task["seed"], dimension=task["dimension"])


def test_the_search_finds_exactly_those_that_share_a_bucket_and_fire():
    points = data()
    config = TrainConfig(width=512, seed=1, search="dense-sparse", solver="exact")
    trainer = Trainer(points, config, keep_records=False, engine_class=HashTables(6, 3))
    engine = trainer._engine
    for _ in range(3):  # also after neurons have moved
        W = trainer.weights()
        of_neurons, of_points = (engine._directions @ rows.T >= 0 for rows in (W, points.X))  # (18, m) and (18, n)
        is_same = of_neurons[:, :, None] == of_points[:, None, :]
        near = is_same.reshape(3, 6, 512, 6).all(axis=1).any(axis=0)  # (m, n)
        is_above = trainer.threshold <= W @ points.X.T
        fires = near & is_above
        record = trainer.step()
        assert engine.num_looked == near.sum()
        for point, found in enumerate(record.firing):
            np.testing.assert_array_equal(found, np.flatnonzero(fires[:, point]))
        assert 0 < fires.sum() < is_above.sum()


def test_with_tables_enough_it_is_the_exact_search():
    points, config = data(), TrainConfig(width=512, seed=1, search="dense-sparse", solver="exact")
    found = []
    for maker in (HashTables(1, 60), HashTables(1, 60, is_renewed=True), SparseRestEngine):
        engine = maker(points, WholeNetwork(points.X, 1, 512), config, Ledger())
        engine.evaluate(Ledger())
        found.append(engine.evaluate(Ledger()))
    for one in found[:2]:
        assert one.firing.equals(found[-1].firing)
        np.testing.assert_allclose(one.outputs, found[-1].outputs, atol=1e-12)


def test_the_expected_recall_is_that_of_random_neurons_and_directions():
    rng, b, d, bits, tables = np.random.default_rng(0), 1.5, 5, 3, 4
    W, x = rng.standard_normal((40_000, d)), np.eye(d)[0]
    W = W[W @ x >= b]
    directions = rng.standard_normal((len(W), tables, bits, d))
    same = (np.einsum("wtbd,wd->wtb", directions, W) >= 0) == (directions[..., 0] >= 0)
    assert same.all(-1).any(-1).mean() == pytest.approx(expected_recall(d, b, bits, tables), abs=0.03)


def test_a_point_is_measured_as_by_hand_and_twice_the_same():
    first, second = EXPERIMENT.measure(TASK), EXPERIMENT.measure(TASK)
    steady = {name: value for name, value in first.items() if not name.startswith("seconds")}
    assert steady == {name: second[name] for name in steady}
    assert set(first) <= set(EXPERIMENT.columns)
    X, y = data().X, data().y
    network = WholeNetwork(X, 1, 512)
    fired = np.maximum(network.weights() @ X.T - paper_threshold(512), 0)
    residual = np.asarray(network.signs) @ fired / np.sqrt(512) - y
    assert first["loss_0"] == pytest.approx(0.5 * residual @ residual)
    assert 0 < first["recall_first"] < 1
    exact = EXPERIMENT.measure({**TASK, "search": "watch", "tables": 0})
    slow = EXPERIMENT.measure({**TASK, "search": "watch", "tables": 0, "step": 0.1})
    assert 0 < slow["drift"] < 0.5 * exact["drift"] and slow["moved"] < exact["moved"]
    assert exact["recall"] == 1 and exact["loss_0"] == first["loss_0"] and exact["loss_2"] < first["loss_2"]


def table(seeds=2, *, cheap="forest", converges=False, seen=1e-9):
    """Return made-up points of all tasks of the quick size, in which one search takes the fewest operations."""
    rows = []
    for task in EXPERIMENT.plan("quick", seeds):
        hashed = task["tables"] > 0
        loss = 1e-9 if converges or not hashed else 0.5
        rows.append(
            {
                **task,
                "operations": task["points"]
                * task["width"] ** 0.5
                * (10.0 if task["search"] == cheap else 1e4 if task["search"] == "dense" else 1e3),
                "operations_build": 5.0,
                "memory": 100.0,
                "moved": 0.1 * task["step"],
                "drift": 0.3 * task["step"],
                "recall_first": 0.5 if hashed else 1.0,
                "recall": 0.5 if hashed else 1.0,
                "looked": 0.2 if hashed else np.nan,
                "loss_end": loss,
                "loss_seen_end": seen,
                **{name: loss for name in EXPERIMENT.columns if name.startswith("loss_") and name[5:].isdigit()},
                "seconds": 0.1,
                "seconds_build": 0.1,
            }
        )
    return pd.DataFrame(rows, columns=[*EXPERIMENT.columns, "failed"])


def test_the_answer_follows_the_points():
    told = EXPERIMENT.answer(table())
    assert "“Forest” takes the fewest operations" in told.words and "“Dense” takes the most" in told.words
    assert "in none of the 4 settings trained; with an exact search it does." in told.words
    assert "recall 0.50" in told.words
    assert any("it looks as if all were learned, and it is not" in remark for remark in told.remarks)
    assert "m from 1,024 to 16,384 (more neurons): 4 times with" in told.words
    assert "a step from 0.1 to 1 (neurons drift farther): 1 times" in told.words
    assert any("is 0.03 from its start after 4; with a step of 1 it moves" in remark for remark in told.remarks)
    other = EXPERIMENT.answer(table(cheap="watch", converges=True))
    assert "“Watch lists” takes the fewest operations" in other.words
    assert "in all of the 4 settings trained" in other.words
    assert not any("it is not" in remark for remark in EXPERIMENT.answer(table(seen=0.4)).remarks)


def test_every_name_of_a_search_that_misses_says_its_recall():
    told = EXPERIMENT.answer(table())
    names = [curve.name for panel in told.panels for curve in panel.curves if "SimHash" in curve.name]
    assert names and all("recall 0.50" in name for name in names)
    assert max(len(panel.curves) for panel in told.panels) <= 8
    assert len({panel.title for panel in told.panels}) == len(told.panels)


def test_a_gap_stays_a_gap_and_any_part_of_the_points_has_an_answer():
    points = table()
    numbers = [name for name in points if name not in ("failed", *TASK)]
    gap = (points.width == 4096) & (points.search == "forest") & (points.data == "sphere")
    points.loc[gap, numbers] = np.nan
    (curve,) = (curve for curve in EXPERIMENT.answer(points).panels[0].curves if curve.name == "Forest")
    assert np.isnan(curve.median[list(curve.x).index(4096)]) and np.isfinite(curve.median[0])
    only = table(1)
    first = only.groupby(["data", "search"], sort=False).head(1).index
    for row in first[::3]:  # a point of every third search alone
        few = only.copy()
        few.loc[few.index != row, numbers] = np.nan
        assert EXPERIMENT.answer(few).words
        assert EXPERIMENT.answer(only.loc[[row]]).words
