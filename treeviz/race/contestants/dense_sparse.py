"""Dense products, sparse rest: every inner product recomputed, everything after that from the firing sets."""

from treeviz.model.ledger import (
    dense_evaluation_costs,
    exact_solve_costs,
    sparse_rest_iteration_costs,
    step_rule_operations,
)
from treeviz.race.contestant import THIS_APP, Contestant, Prediction, Trained, Workload


def _predict_exact(load: Workload) -> Prediction:
    n, active = load.num_points, load.activity
    solve = exact_solve_costs(active.num_pairs, active.num_overlaps, n, singular=False)
    return Prediction({}, sparse_rest_iteration_costs(load.width, n, load.dimension, active.num_pairs, solve))


def _predict_descent(load: Workload) -> Prediction:
    n, active = load.num_points, load.activity
    rule = step_rule_operations(active.num_overlaps, n, is_batched=False)
    iteration = sparse_rest_iteration_costs(load.width, n, load.dimension, active.num_pairs, {})
    return Prediction({}, iteration, {"solve": rule})


def _predict_sgd(load: Workload) -> Prediction:
    n, d, active = load.num_points, load.dimension, load.activity
    pairs = active.num_pairs / load.num_batches
    first: dict[str, float] = {"solve": step_rule_operations(active.num_overlaps, n, is_batched=True)}
    if load.num_batches > 1:
        first |= dense_evaluation_costs(load.width, n, d, active.num_pairs)
    return Prediction({}, sparse_rest_iteration_costs(load.width, load.batch_size, d, pairs, {}), first)


CONTESTANTS = (
    Contestant(
        key="dense-sparse",
        title="Dense, sparse rest",
        family="gauss-newton",
        about="Gauss–Newton: every inner product is recomputed in each iteration, and outputs, Gram matrix and move "
        "then follow from the pairs that fire. Wherever at most half of all pairs fire, no other dense way here that "
        "makes the exact step needs fewer operations.",
        start=Trained(method="gauss-newton", search="dense-sparse", solver="exact"),
        predict=_predict_exact,
        preprocessing="none",
        iteration="m n d + Σk d + Σt² + n³",
        exactness="yes",
        source=THIS_APP,
        kind="dense",
    ),
    Contestant(
        key="descent-dense-sparse",
        title="Gradient descent, sparse rest",
        family="gradient-descent",
        about="Gradient descent with every inner product recomputed in each iteration, and all that follows from the "
        "pairs that fire.",
        start=Trained(method="gradient-descent", search="dense-sparse", step_size=None),
        predict=_predict_descent,
        preprocessing="none",
        iteration="m n d + Σk d",
        exactness="yes",
        source=THIS_APP,
        kind="dense",
    ),
    Contestant(
        key="sgd-dense-sparse",
        title="SGD, sparse rest",
        family="sgd",
        about="Stochastic gradient descent: the inner products of a mini-batch are recomputed, and all that follows "
        "comes from the pairs that fire.",
        start=Trained(method="sgd", search="dense-sparse", step_size=None),
        predict=_predict_sgd,
        preprocessing="none",
        iteration="m d · batch + (Σk d)/batches",
        exactness="yes",
        source=THIS_APP,
        kind="dense",
    ),
)
