"""Training through the forest, one max-tree per datapoint: the paper's method, and first-order relatives of it."""

import numpy as np

from treeviz.model.ledger import (
    exact_solve_costs,
    forest_build_operations,
    step_rule_operations,
)
from treeviz.race.contestant import THIS_APP, Contestant, Prediction, Trained, Workload

_PAPER = "Deng, Hu, Song, Weinstein, Zhuo: *Training Overparametrized Neural Networks in Sublinear Time*, 2022"


def expected_marked_nodes(num_leaves: int, share: float) -> float:
    """Return how many nodes of a tree have a marked leaf at or below them, if each leaf is marked with chance `share`.

    Summed exactly over the shape of the heap: on a level, the first nodes have deep leaves only, the last ones shallow
    leaves only, and one between may have both. Cost: log m.
    """
    deepest = (2 * num_leaves - 1).bit_length() - 1
    num_deep = 2 * num_leaves - (1 << deepest)  # leaves on the deepest level
    marked = 0.0
    for level in range(deepest + 1):
        full = 1 << (deepest - level)  # deep leaves below a node, if it has no others
        num_full, rest = divmod(num_deep, full)
        num_half = 0 if full == 1 else (1 << level) - num_full - bool(rest)
        for count, leaves in ((num_full, full), (bool(rest), (full + rest) // 2), (num_half, full // 2)):
            marked += count * -np.expm1(leaves * np.log1p(-share)) if share < 1 else count * bool(leaves)
    return float(marked)


def _build(load: Workload) -> dict[str, float]:
    return {"build": forest_build_operations(load.width, load.num_points, load.dimension, load.node_price)}


def _through_the_trees(load: Workload, num_trees: float, num_pairs: float, num_touched: float) -> dict[str, float]:
    """Search of some trees, outputs of their pairs, move, and repair of all trees for the neurons touched.

    A query enters the children of every node with a firing leaf below it. A repair recomputes the nodes with a touched
    leaf below: their maximum is a leaf that fires, so it moves with the step.
    """
    firing_share = load.activity.num_pairs / (load.num_points * load.width)
    entered = expected_marked_nodes(load.width, firing_share) - firing_share * load.width
    repaired = expected_marked_nodes(load.width, num_touched / load.width)
    return {
        "search": load.node_price * num_trees * (1 + 2 * entered),
        "forward": num_pairs + num_trees,
        "move": num_pairs,
        "repair": load.num_points * (num_pairs + load.node_price * repaired),
    }


def _predict_exact(load: Workload) -> Prediction:
    active = load.activity
    costs = _through_the_trees(load, load.num_points, active.num_pairs, active.num_touched)
    solve = exact_solve_costs(active.num_pairs, active.num_overlaps, load.num_points, singular=False)
    return Prediction(_build(load), costs | solve)


def _predict_sketch(load: Workload) -> Prediction:
    active = load.activity
    costs = _through_the_trees(load, load.num_points, active.num_pairs, active.num_touched)
    return Prediction(_build(load), costs | load.sketch_solve_costs(active.num_pairs))


def _predict_descent(load: Workload) -> Prediction:
    active = load.activity
    costs = _through_the_trees(load, load.num_points, active.num_pairs, active.num_touched)
    rule = step_rule_operations(active.num_overlaps, load.num_points, is_batched=False)
    return Prediction(_build(load), costs, {"solve": rule})


def _predict_sgd(load: Workload) -> Prediction:
    active = load.activity
    pairs = active.num_pairs / load.num_batches
    costs = _through_the_trees(load, load.batch_size, pairs, load.num_batch_touched)
    whole = _through_the_trees(load, load.num_points, active.num_pairs, active.num_touched)
    rule = step_rule_operations(active.num_overlaps, load.num_points, is_batched=True)
    first = {"search": whole["search"], "forward": whole["forward"], "solve": rule}
    return Prediction(_build(load), costs, first if load.num_batches > 1 else {"solve": rule})


CONTESTANTS = (
    Contestant(
        key="forest",
        title="Forest",
        family="gauss-newton",
        about="Gauss–Newton through one max-tree per datapoint, the paper's search, with the n × n system solved by "
        "Cholesky, which in this two-layer network takes fewer operations than the sketch on the data we measured.",
        start=Trained(method="gauss-newton", search="forest", solver="exact"),
        predict=_predict_exact,
        preprocessing="m n d + m n",
        iteration="Σk log m + n Σk + U n log m + Σt² + n³",
        exactness="yes",
        source=_PAPER,
        kind="trees",
    ),
    Contestant(
        key="forest-sketch",
        title="Forest, sketched",
        family="gauss-newton",
        about="Gauss–Newton through the forest as the paper has it: a random sketch of the Jacobian gives a "
        "preconditioner, conjugate gradient the step (Deng, Hu, Song, Weinstein, Zhuo).",
        start=Trained(method="gauss-newton", search="forest", solver="sketch"),
        predict=_predict_sketch,
        preprocessing="m n d + m n",
        iteration="Σk log m + products · Σk d + n Σk + U n log m + n³",
        exactness="to 1e-12",
        source=_PAPER,
        kind="trees",
    ),
    Contestant(
        key="descent-forest",
        title="Gradient descent, forest",
        family="gradient-descent",
        about="Gradient descent whose firing neurons are found through the forest (Song, Yang, Zhang 2021): "
        "cheap iterations, and the more there are the less building the trees counts.",
        start=Trained(method="gradient-descent", search="forest", step_size=None),
        predict=_predict_descent,
        preprocessing="m n d + m n",
        iteration="Σk log m + n Σk + U n log m",
        exactness="yes",
        source="Song, Yang, Zhang: *Does Preprocessing Help Training Over-parameterized Neural Networks?*, 2021",
        kind="trees",
    ),
    Contestant(
        key="sgd-forest",
        title="SGD, forest",
        family="sgd",
        about="Stochastic gradient descent on mini-batches through the forest: only the trees of the batch are "
        "searched, but all are repaired.",
        start=Trained(method="sgd", search="forest", step_size=None),
        predict=_predict_sgd,
        preprocessing="m n d + m n",
        iteration="(Σk log m + n Σk)/batches + U n log m",
        exactness="yes",
        source=THIS_APP,
        kind="trees",
    ),
)
