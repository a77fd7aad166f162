"""Dense training: every inner product of all m neurons recomputed in each iteration."""

from collections.abc import Mapping

from treeviz.model.ledger import (
    dense_evaluation_costs,
    dense_iteration_costs,
    dense_overlap_operations,
    exact_solve_costs,
    step_rule_operations,
)
from treeviz.race.contestant import THIS_APP, Contestant, Prediction, Trained, Workload


def _iteration(load: Workload, solve: Mapping[str, float]) -> dict[str, float]:
    return dense_iteration_costs(load.width, load.num_points, load.dimension, load.activity.num_touched, solve)


def _predict_exact(load: Workload) -> Prediction:
    overlaps = dense_overlap_operations(load.width, load.num_points)
    solve = exact_solve_costs(load.width * load.num_points, overlaps, load.num_points, singular=False)
    return Prediction({}, _iteration(load, solve))


def _predict_sketch(load: Workload) -> Prediction:
    return Prediction({}, _iteration(load, load.sketch_solve_costs(load.width * load.num_points)))


def _rule(load: Workload, *, is_batched: bool) -> int:
    overlaps = dense_overlap_operations(load.width, load.num_points)
    return step_rule_operations(overlaps, load.num_points, is_batched=is_batched)


def _predict_descent(load: Workload) -> Prediction:
    return Prediction({}, _iteration(load, {}), {"solve": _rule(load, is_batched=False)})


def _predict_sgd(load: Workload) -> Prediction:
    iteration = dense_iteration_costs(load.width, load.batch_size, load.dimension, load.num_batch_touched, {})
    first: dict[str, float] = {"solve": _rule(load, is_batched=True)}
    if load.num_batches > 1:
        first |= dense_evaluation_costs(load.width, load.num_points, load.dimension, load.width * load.num_points)
    return Prediction({}, iteration, first)


CONTESTANTS = (
    Contestant(
        key="dense",
        title="Dense",
        family="gauss-newton",
        about="Gauss–Newton, dense throughout: matrix products into buffers allocated once, exact Gram matrix, "
        "Cholesky, and only rows that fire are moved. “Dense, sparse rest” needs fewer operations wherever at most "
        "half of all pairs fire.",
        start=Trained(method="gauss-newton", search="dense", solver="exact"),
        predict=_predict_exact,
        preprocessing="none",
        iteration="m n d + m n² + n³",
        exactness="yes",
        source=THIS_APP,
        kind="dense",
    ),
    Contestant(
        key="dense-sketch",
        title="Dense, sketched",
        family="gauss-newton",
        about="Gauss–Newton with the Jacobian treated as dense, sketched and preconditioned: the method before the "
        "paper's (Brand, Peng, Song, Weinstein, ITCS 2021).",
        start=Trained(method="gauss-newton", search="dense", solver="sketch"),
        predict=_predict_sketch,
        preprocessing="none",
        iteration="m n d · products + n³",
        exactness="to 1e-12",
        source="Brand, Peng, Song, Weinstein: *Training (Overparametrized) Neural Networks in Near-Linear Time*, 2021",
        kind="dense",
    ),
    Contestant(
        key="descent-dense",
        title="Gradient descent, dense",
        family="gradient-descent",
        about="Gradient descent by ordinary backpropagation. Its step is half of the longest one with which the loss "
        "of the network, linearised at the start, never grows.",
        start=Trained(method="gradient-descent", search="dense", step_size=None),
        predict=_predict_descent,
        preprocessing="none",
        iteration="m n d",
        exactness="yes",
        source="",
        kind="dense",
    ),
    Contestant(
        key="sgd-dense",
        title="SGD, dense",
        family="sgd",
        about="Stochastic gradient descent by ordinary backpropagation on mini-batches.",
        start=Trained(method="sgd", search="dense", step_size=None),
        predict=_predict_sgd,
        preprocessing="none",
        iteration="m d · batch",
        exactness="yes",
        source="",
        kind="dense",
    ),
)
