"""Compaction: drop the neurons that never fire, then train densely."""

from collections.abc import Mapping

from treeviz.model.ledger import (
    compaction_operations,
    dense_iteration_costs,
    dense_overlap_operations,
    exact_solve_costs,
    step_rule_operations,
)
from treeviz.race.contestant import THIS_APP, Contestant, Prediction, Trained, Workload


def _predict(load: Workload, solve: Mapping[str, float], first: Mapping[str, float]) -> Prediction:
    n, d, kept = load.num_points, load.dimension, load.num_kept
    iteration = dense_iteration_costs(kept, n, d, load.activity.num_touched, solve)
    return Prediction({"build": compaction_operations(load.width, n, d, kept)}, iteration, first)


def _predict_exact(load: Workload) -> Prediction:
    n, kept = load.num_points, load.num_kept
    return _predict(load, exact_solve_costs(kept * n, dense_overlap_operations(kept, n), n, singular=False), {})


def _predict_descent(load: Workload) -> Prediction:
    overlaps = dense_overlap_operations(load.num_kept, load.num_points)
    return _predict(load, {}, {"solve": step_rule_operations(overlaps, load.num_points, is_batched=False)})


CONTESTANTS = (
    Contestant(
        key="compact",
        title="Compaction",
        family="gauss-newton",
        about="Gauss–Newton, dense, on the neurons that fire at the start: one dense pass finds them, and the others "
        "can be dropped, for a neuron that fires on no datapoint never moves.",
        start=Trained(method="gauss-newton", search="compact", solver="exact"),
        predict=_predict_exact,
        preprocessing="m n d",
        iteration="U n d + U n² + n³",
        exactness="yes",
        source=THIS_APP,
    ),
    Contestant(
        key="descent-compact",
        title="Gradient descent, compact",
        family="gradient-descent",
        about="Gradient descent on the neurons that fire at the start, the others dropped after one dense pass.",
        start=Trained(method="gradient-descent", search="compact", step_size=None),
        predict=_predict_descent,
        preprocessing="m n d",
        iteration="U n d",
        exactness="yes",
        source=THIS_APP,
    ),
)
