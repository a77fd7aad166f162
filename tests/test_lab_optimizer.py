"""The Lab's experiment on optimizers: what it measures by hand, and that its answer follows the points."""

import numpy as np
import pandas as pd
import pytest

from treeviz import TrainConfig, Trainer
from treeviz.data.catalogue import load_split
from treeviz.lab.experiments.optimizer import _OPERATIONS, _TARGETS, EXPERIMENT
from treeviz.model.ledger import gram_solve_operations

TASK = {
    "part": "training",
    "method": "descent-table",
    "width": 256,
    "points": 20,
    "until_operations": 5e6,
    "until_seconds": 0.01,
    "seed": 2,
}


@pytest.mark.slow
def test_errors_are_those_of_the_weights_that_a_budget_reaches():
    measured = EXPERIMENT.measure(TASK)
    split = load_split("digits", 20, 2, max_test_points=500)
    config = TrainConfig(width=256, seed=2, method="gradient-descent", search="table", step_size=None)
    trainer = Trainer(split.train, config)
    spent, budgets, first = 0, list(_OPERATIONS[:3]), {}
    assert measured["operations_build"] == sum(trainer.ledger.costs.values())
    while budgets:
        errors = [float(np.mean((trainer.predict(data.X) - data.y) ** 2)) for data in (split.train, split.test)]
        for place, target in enumerate(_TARGETS):
            if errors[0] <= target:
                first.setdefault(place, spent)
        record = trainer.step()
        spent += sum(record.costs.values())
        while budgets and spent > budgets[0]:
            place = _OPERATIONS.index(budgets.pop(0))
            assert measured[f"operations_train_{place}"] == pytest.approx(errors[0], rel=1e-9)
            assert measured[f"operations_test_{place}"] == pytest.approx(errors[1], rel=1e-9)
    reached = {place: measured[f"operations_to_{place}"] for place in range(len(_TARGETS))}
    assert {place: value for place, value in reached.items() if value is not None} == first and 0 < len(first) < 6


def test_the_share_of_the_cube_is_that_of_the_ledger_and_two_measures_agree():
    task = {**TASK, "part": "solve", "method": "table", "until_operations": 0.0, "until_seconds": 0.0}
    first, second = EXPERIMENT.measure(task), EXPERIMENT.measure(task)
    assert first["factor_share"] == gram_solve_operations(20) / first["iteration_operations"]
    for one, other in ((first, second), (EXPERIMENT.measure(TASK), EXPERIMENT.measure(TASK))):
        steady = [name for name in one if not name.startswith("seconds")]
        assert [one[name] for name in steady] == [other[name] for name in steady]
        assert set(one) <= set(EXPERIMENT.columns)
        assert steady == [name for name in other if not name.startswith("seconds")]


def table(seeds=2, *, quick="table", best="sgd-table", share=0.6):
    """Return made-up points of the quick size: which method is the quickest, and which does best on new points."""
    rows = []
    for task in EXPERIMENT.plan("quick", seeds):
        row = dict(task)
        if task["part"] == "solve":
            row |= {"iteration_operations": 1e6, "factor_share": share * task["points"] / 1000}
            row |= {"seconds_solve_share": 0.5}
        else:
            is_quick = task["method"] == quick
            row |= {"operations_build": 1.0, "seconds_build": 0.1}
            for name in EXPERIMENT.columns:
                if "_to_" in name:
                    row[name] = 1e7 if is_quick else 5e7
                elif "_test_" in name and int(name.rpartition("_")[2]) < 5:
                    row[name] = 0.1 if task["method"] == best else 0.3
                elif "_train_" in name and int(name.rpartition("_")[2]) < 5:
                    row[name] = 1e-3
        rows.append(row)
    return pd.DataFrame(rows, columns=[*EXPERIMENT.columns, "failed"])


def test_the_answer_follows_the_points():
    words = EXPERIMENT.answer(table()).words
    assert "“Gauss–Newton, table” needs the fewest operations, 10⁷" in words
    assert (
        "of training on 100 digits “SGD, table” has the least error on new ones of those tried, 0.1; “Gauss–Newton, "
        "table” has 0.3, more on 2 of 2 seeds" in words
    )
    share = "3\u00a0% with n = 50 and 60\u00a0% with n = 1,000 at m = 4,096"
    assert f"{share}, more than half from between n = 200 and 1,000 on" in words
    assert any(
        "After 0.2 seconds of training on 100 digits “SGD, table”" in remark
        for remark in EXPERIMENT.answer(table()).remarks
    )
    other = EXPERIMENT.answer(table(quick="adam", best="table", share=0.3)).words
    assert "“Adam, dense products” needs the fewest operations" in other and "0.1." in other
    assert "“Gauss–Newton, table” has the least error on new ones" in other
    assert "does not take over" in other


def test_what_is_not_reached_is_said_and_not_drawn():
    points = table()
    never = [name for name in points if "_to_" in name]
    points.loc[points.method == "adam", never] = np.nan
    told = EXPERIMENT.answer(points)
    assert any("do not come" in remark and "“Adam, dense products” in 2" in remark for remark in told.remarks)
    drawn = next(panel for panel in told.panels if panel.title.startswith("Operations to come"))
    lines = {curve.name: curve.median for curve in drawn.curves}
    assert np.isnan(lines["Adam, dense products"]).all() and np.isfinite(lines["SGD, table"]).all()
    points.loc[points.part == "training", never] = np.nan
    assert "none of the 7 does so within the budget of operations" in EXPERIMENT.answer(points).words


def test_any_part_of_the_points_has_an_answer():
    points = table()
    numbers = [name for name in points if name not in ("failed", *TASK)]
    gone = points.copy()
    gone.loc[gone.points == 200, numbers] = np.nan
    shares = next(panel for panel in EXPERIMENT.answer(gone).panels if panel.title.startswith("Share of n³"))
    assert np.isnan(shares.curves[0].median).tolist() == [False, True, False]
    titles = [panel.title for panel in EXPERIMENT.answer(points).panels]
    assert len(set(titles)) == len(titles)
    for row in (0, len(points) // 2, len(points) - 1):
        few = points.copy()
        few.loc[few.index != row, numbers] = np.nan
        assert EXPERIMENT.answer(few).words and EXPERIMENT.answer(points.loc[[row]]).words
