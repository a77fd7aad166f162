"""Neuron trees, one max-tree per neuron over the datapoints, as the search of Gauss-Newton and gradient descent."""

from treeviz.model.ledger import exact_solve_costs, neuron_trees_build_operations, step_rule_operations
from treeviz.race.contestant import Contestant, Prediction, Trained, Workload

_PAPER = (
    "Alman, Liang, Song, Zhang, Zhuo: *Bypass Exponential Time Preprocessing: Fast Neural Network Training via "
    "Weight-Data Correlation Preprocessing*, 2022, at NeurIPS 2023"
)


def _costs(load: Workload) -> dict[str, float]:
    """All m roots are looked at, and the children of every node that fires; a touched neuron's tree is rebuilt."""
    n, active = load.num_points, load.activity
    return {
        "search": load.node_price * (load.width + 2 * load.num_entered),
        "forward": active.num_pairs + n,
        "move": active.num_pairs,
        "repair": active.num_pairs * n + load.node_price * (2 * n - 1) * active.num_touched,
    }


def _build(load: Workload) -> dict[str, float]:
    return {"build": neuron_trees_build_operations(load.width, load.num_points, load.dimension, load.node_price)}


def _predict_exact(load: Workload) -> Prediction:
    active = load.activity
    solve = exact_solve_costs(active.num_pairs, active.num_overlaps, load.num_points, singular=False)
    return Prediction(_build(load), _costs(load) | solve)


def _predict_descent(load: Workload) -> Prediction:
    rule = step_rule_operations(load.activity.num_overlaps, load.num_points, is_batched=False)
    return Prediction(_build(load), _costs(load), {"solve": rule})


CONTESTANTS = (
    Contestant(
        key="neuron-trees",
        title="Neuron trees",
        family="gauss-newton",
        about="Gauss–Newton with a small tree per neuron over the datapoints (the second structure of Alman, Liang, "
        "Song, Zhang, Zhuo, NeurIPS 2023): every search looks at all m roots, every move rebuilds one small tree.",
        start=Trained(method="gauss-newton", search="neuron-trees", solver="exact"),
        predict=_predict_exact,
        preprocessing="m n d + m n",
        iteration="m + Σk log n + n Σk + U n + Σt² + n³",
        exactness="yes",
        source=_PAPER,
        kind="trees",
    ),
    Contestant(
        key="descent-neuron-trees",
        title="Gradient descent, neuron trees",
        family="gradient-descent",
        about="Gradient descent through neuron trees (Alman, Liang, Song, Zhang, Zhuo, NeurIPS 2023).",
        start=Trained(method="gradient-descent", search="neuron-trees", step_size=None),
        predict=_predict_descent,
        preprocessing="m n d + m n",
        iteration="m + Σk log n + n Σk + U n",
        exactness="yes",
        source=_PAPER,
        kind="trees",
    ),
)
