"""What happened in an iteration, in plain sentences with its own numbers."""

import math

import numpy as np

from treeviz.network import firing_probability
from treeviz.trace import StepRecord, Trace, TreeStep
from treeviz.views.palette import percent, rounded, seconds


def describe_search(step: TreeStep) -> str:
    """Say what the search did in one tree."""
    width = step.num_leaves
    num_nodes = 2 * width - 1
    if not step.firing.size:
        return (
            f"**Search.** The root of tree {step.point} holds {step.before[1]:.3f}, below the threshold "
            f"b = {step.threshold:.3f}: one look, and all {width:,} neurons are known to be silent on this datapoint."
        )
    return (
        f"**Search.** From the root of tree {step.point} the search entered a node's children only where the maximum "
        f"is at least b = {step.threshold:.3f}. It entered {step.visited.size:,} of {num_nodes:,} nodes "
        f"({percent(step.visited.size / num_nodes)}) and found the {step.firing.size:,} neurons that fire on this "
        "datapoint."
    )


def describe_move(step: TreeStep, record: StepRecord) -> str:
    """Say what the move did to one tree."""
    num_nodes = 2 * step.num_leaves - 1
    if not record.dual_step.any():
        return "**Move.** Nothing moved in this iteration, so no node was modified."
    return (
        f"**Move.** The {record.touched.size:,} neurons that fire on at least one datapoint moved "
        f"({percent(record.touched.size / step.num_leaves)} of {step.num_leaves:,}); the others have no gradient. "
        f"In tree {step.point} that changed {step.modified.size:,} nodes ({percent(step.modified.size / num_nodes)})."
    )


def describe_solve(trace: Trace, record: StepRecord) -> str:
    """Say how the Gauss-Newton system was solved."""
    num_points, report = record.residual.size, record.solve
    if report.conditioning is None:
        return "**Solve.** Gradient descent solves nothing: the move is the residual times the step size."
    kappa = "singular" if math.isinf(report.conditioning) else f"condition number about {rounded(report.conditioning)}"
    if trace.config.solver == "exact":
        return (
            f"**Solve.** The {num_points} × {num_points} Gram matrix of the gradients ({kappa}) was formed from the "
            "firing sets and factorized (Cholesky)."
        )
    return (
        f"**Solve.** The {num_points} × {num_points} Gram matrix of the gradients ({kappa}) was never formed: a random "
        f"sketch of {report.num_sketch_rows} rows made a preconditioner, and conjugate gradient needed "
        f"{report.iterations} iterations."
    )


def describe_cost(trace: Trace, record: StepRecord) -> str:
    """Compare the iteration's operations with the dense method's."""
    own, dense = record.num_operations, sum(trace.dense_costs(record).values())
    factor = dense / max(own, 1)
    relation = f"{factor:.3g} times as many" if factor >= 1 else f"only {factor:.2g} times as many"
    return (
        f"**Cost.** This iteration took {own:,} operations and {seconds(record.num_seconds)}, not counting building "
        f"the trees. The dense method spends {dense:,} operations on it: {relation}."
    )


def describe_sparsity(width: int, threshold: float) -> str:
    """Say how many neurons theory expects to fire on a datapoint."""
    chance = firing_probability(threshold)
    return (
        f"A fresh neuron's inner product with a unit-length datapoint is a standard normal number, at least "
        f"b = {threshold:.3f} with probability {percent(chance)}: about {chance * width:,.0f} of {width:,} fire."
    )


def compare_losses(trace: Trace, dense: Trace) -> str:
    """Say how closely two runs agree, over the iterations both have done while the loss is above 1e-8."""
    pairs = [(a, b) for a, b in zip(trace.records, dense.records, strict=False) if a.loss > 1e-8]
    if not pairs:
        return "The dense baseline is being trained beside it."
    worst = max(abs(a.loss - b.loss) / a.loss for a, b in pairs)
    same_sets = all(np.array_equal(x, y) for a, b in pairs for x, y in zip(a.firing, b.firing, strict=True))
    extent = f"over {len(pairs)} iterations with a loss above 10⁻⁸"
    if same_sets and worst <= 1e-9:
        return f"The two coincide: the same firing sets, and losses that differ by {worst:.1g} at most, {extent}."
    conditioning = max(a.solve.conditioning or 0.0 for a, _ in pairs)
    reason = (
        f"with condition numbers up to {conditioning:.1g}, round-off is amplified from step to step"
        if conditioning > 1e6
        else "their steps are not the same"
    )
    return f"The two differ by up to {percent(worst)} {extent}: {reason}."
