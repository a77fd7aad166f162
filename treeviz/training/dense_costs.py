"""What the dense method would pay for an iteration that another method made."""

from collections import Counter

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import (
    dense_evaluation_costs,
    dense_iteration_costs,
    dense_overlap_operations,
    exact_solve_costs,
    sketch_solve_costs,
    step_rule_operations,
)
from treeviz.solve.sketched import SKETCH_BLOCKS
from treeviz.training.record import StepRecord


def dense_costs(record: StepRecord, data: Dataset, config: TrainConfig) -> dict[str, int]:
    """Return what the same iteration, solved the same way, costs the dense method, by phase and the same rules.

    Exact for the exact solver and for gradient descent; for the sketch it is given this run's number of
    conjugate-gradient iterations, which for the dense method's own random sketch may differ by a few.
    """
    report = record.solve
    width, (num_points, dimension) = config.width, data.X.shape
    batch = config.mini_batch(num_points, record.iteration)
    size = num_points if batch is None else batch.size
    solve_costs: dict[str, int] = {}
    if config.method == "gauss-newton" and config.solver == "exact":
        overlaps = dense_overlap_operations(width, num_points)
        solve_costs = exact_solve_costs(width * size, overlaps, report.num_active, singular=report.singular)
    elif config.method == "gauss-newton":
        solve_costs = sketch_solve_costs(
            width * size,
            report.num_active,
            dimension,
            num_rows=report.num_sketch_rows,
            num_blocks=SKETCH_BLOCKS,
            num_sketches=report.num_sketches,
            iterations=report.iterations,
            singular=report.singular,
        )
    costs = Counter(dense_iteration_costs(width, size, dimension, record.touched.size, solve_costs))
    if not record.dual_step.any():  # nothing moves
        del costs["move"]
    if config.method != "gauss-newton" and config.step_size is None and record.iteration == 0:
        costs.update(_step_rule_costs(record, data, config, is_batched=batch is not None))
    return dict(costs)


def _step_rule_costs(record: StepRecord, data: Dataset, config: TrainConfig, *, is_batched: bool) -> dict[str, int]:
    """What the first iteration pays for its step size, which needs all datapoints."""
    width, (num_points, dimension) = config.width, data.X.shape
    costs = dense_evaluation_costs(width, num_points, dimension) if is_batched else {}
    num_active = int(np.count_nonzero(record.firing.counts))
    if num_active:
        cuts = config.method == "sgd" and config.batch_size < num_active
        overlaps = dense_overlap_operations(width, num_points)
        costs["solve"] = step_rule_operations(overlaps, num_active, is_batched=cuts)
    return costs
