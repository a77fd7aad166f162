"""The compact table: the inner products of the neurons that fire at the start, kept up to date and read whole."""

from treeviz.model.ledger import (
    exact_solve_costs,
    forward_operations,
    step_rule_operations,
    table_build_operations,
)
from treeviz.race.contestant import THIS_APP, Contestant, Prediction, Trained, Workload


def _build(load: Workload) -> dict[str, float]:
    return {"build": table_build_operations(load.width, load.num_points, load.dimension, load.num_kept)}


def _iteration(load: Workload, num_points: float, pairs: float, num_touched: float) -> dict[str, float]:
    """The columns of some datapoints are read; the rows of the touched neurons change in all columns."""
    return {
        "search": load.num_kept * num_points,
        "forward": forward_operations(pairs, num_points),
        "move": pairs,
        "repair": load.num_points * (pairs + num_touched),
    }


def _predict_exact(load: Workload) -> Prediction:
    n, active = load.num_points, load.activity
    solve = exact_solve_costs(active.num_pairs, active.num_overlaps, n, singular=False)
    return Prediction(_build(load), _iteration(load, n, active.num_pairs, active.num_touched) | solve)


def _predict_descent(load: Workload) -> Prediction:
    n, active = load.num_points, load.activity
    rule = step_rule_operations(active.num_overlaps, n, is_batched=False)
    return Prediction(_build(load), _iteration(load, n, active.num_pairs, active.num_touched), {"solve": rule})


def _predict_sgd(load: Workload) -> Prediction:
    n, active = load.num_points, load.activity
    iteration = _iteration(load, load.batch_size, active.num_pairs / load.num_batches, load.num_batch_touched)
    first: dict[str, float] = {"solve": step_rule_operations(active.num_overlaps, n, is_batched=True)}
    if load.num_batches > 1:
        whole = _iteration(load, n, active.num_pairs, active.num_touched)
        first |= {"search": whole["search"], "forward": whole["forward"]}
    return Prediction(_build(load), iteration, first)


CONTESTANTS = (
    Contestant(
        key="table",
        title="Compact table",
        family="gauss-newton",
        about="Gauss–Newton with a flat table and no trees: the inner products of the neurons that fire at the start, "
        "all compared with b in each iteration, and changed by the inner products of the datapoints.",
        start=Trained(method="gauss-newton", search="table", solver="exact"),
        predict=_predict_exact,
        preprocessing="m n d",
        iteration="U n + n Σk + Σt² + n³",
        exactness="yes",
        source=THIS_APP,
        kind="table",
    ),
    Contestant(
        key="descent-table",
        title="Gradient descent, table",
        family="gradient-descent",
        about="Gradient descent with the compact table: all inner products of the neurons that fire at the start are "
        "kept, read and brought up to date.",
        start=Trained(method="gradient-descent", search="table", step_size=None),
        predict=_predict_descent,
        preprocessing="m n d",
        iteration="U n + n Σk",
        exactness="yes",
        source=THIS_APP,
        kind="table",
    ),
    Contestant(
        key="sgd-table",
        title="SGD, table",
        family="sgd",
        about="Stochastic gradient descent with the compact table: the columns of the mini-batch are read, and the "
        "rows of the neurons that fire on it are brought up to date.",
        start=Trained(method="sgd", search="table", step_size=None),
        predict=_predict_sgd,
        preprocessing="m n d",
        iteration="U · batch + (n Σk)/batches",
        exactness="yes",
        source=THIS_APP,
        kind="table",
    ),
)
