"""What the dense method, and the compact table, would pay for an iteration that another method made."""

from collections.abc import Sequence

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.ledger import (
    dense_evaluation_costs,
    exact_solve_costs,
    sketch_solve_costs,
    sparse_rest_iteration_costs,
    step_rule_operations,
    table_build_operations,
)
from treeviz.solve.sketched import SKETCH_BLOCKS
from treeviz.training.record import StepRecord


def dense_costs(record: StepRecord, data: Dataset, config: TrainConfig) -> dict[str, int]:
    """Return what the same iteration, solved the same way, costs the dense method, by phase and the same rules.

    Of the dense methods this is the one that needs the fewest operations, search="dense-sparse": all m n inner products
    are recomputed, and everything else follows from the firing sets. Exact for the exact solver and for gradient
    descent; for the sketch it is given this run's number of conjugate-gradient iterations, which for the dense method's
    own random sketch may differ by a few.
    """
    report = record.solve
    width, (num_points, dimension) = config.width, data.X.shape
    batch = config.mini_batch(num_points, record.iteration)
    learned, size = record.firing, num_points
    if batch is not None:
        learned, size = record.firing.on(batch), batch.size
    pairs = learned.num_pairs
    solve_costs: dict[str, int] = {}
    if config.method == "gauss-newton" and config.solver == "exact":
        overlaps = _overlap_operations(learned)
        solve_costs = exact_solve_costs(pairs, overlaps, report.num_active, singular=report.singular)
    elif config.method == "gauss-newton":
        solve_costs = sketch_solve_costs(
            pairs,
            report.num_active,
            dimension,
            num_rows=report.num_sketch_rows,
            num_blocks=SKETCH_BLOCKS,
            num_sketches=report.num_sketches,
            iterations=report.iterations,
            singular=report.singular,
        )
    costs = sparse_rest_iteration_costs(width, size, dimension, pairs, solve_costs)
    if not record.dual_step.any():  # nothing moves
        del costs["move"]
    if config.method != "gauss-newton" and config.step_size is None and record.iteration == 0:
        for phase, operations in _step_rule_costs(record, data, config, is_batched=batch is not None).items():
            costs[phase] = costs.get(phase, 0) + operations
    return costs


def table_costs(record: StepRecord, data: Dataset, config: TrainConfig, num_kept: int) -> dict[str, int]:
    """Return what the same iteration, solved the same way, costs with the compact table of so many neurons, |U(0)|.

    It reads n numbers a neuron where the dense method computes m inner products a datapoint, and what the latter pays
    for W, d a firing pair, it pays for coefficients, 1 a pair, and for its rows, n a pair and n a touched neuron.
    """
    costs = dense_costs(record, data, config)
    num_points, dimension = data.X.shape
    costs["search"] = costs["search"] // (config.width * (dimension + 1)) * num_kept
    if "move" in costs:
        costs["move"] //= dimension
        costs["repair"] = num_points * (costs["move"] + record.num_touched)
    return costs


def table_operations(records: Sequence[StepRecord], data: Dataset, config: TrainConfig) -> tuple[list[float], float]:
    """Return the operations of the compact table for each of a run's iterations, and for building it."""
    (num_points, dimension), num_kept = data.X.shape, records[0].firing.neurons.size if records else 0
    steps = [float(sum(table_costs(record, data, config, num_kept).values())) for record in records]
    return steps, float(table_build_operations(config.width, num_points, dimension, num_kept))


def _step_rule_costs(record: StepRecord, data: Dataset, config: TrainConfig, *, is_batched: bool) -> dict[str, int]:
    """What the first iteration pays for its step size, which needs all datapoints."""
    width, (num_points, dimension) = config.width, data.X.shape
    num_pairs = record.firing.num_pairs
    costs = dense_evaluation_costs(width, num_points, dimension, num_pairs) if is_batched else {}
    num_active = int(np.count_nonzero(record.firing.counts))
    if num_active:
        cuts = config.method == "sgd" and config.batch_size < num_active
        costs["solve"] = step_rule_operations(_overlap_operations(record.firing), num_active, is_batched=cuts)
    return costs


def _overlap_operations(firing: FiringSets) -> int:
    """What C costs from the firing sets: sum_r |T_r|^2."""
    return int((firing.degrees.astype(np.int64) ** 2).sum())
