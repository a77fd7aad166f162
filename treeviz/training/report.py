"""A run in text and as JSON, for the command line."""

import math
from dataclasses import replace
from typing import Any

from treeviz.model.ledger import at_price
from treeviz.model.numerals import count, numeral
from treeviz.search.block_drawer import proposal_chance
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace
from treeviz.training.trainer import Trainer


class PricedRun:
    """A run as reports show it: each tree node counts as `node_price` operations. The run itself stays as it is.

    Attributes
    ----------
    trace : of the iterations taken in so far, with these operations.
    """

    def __init__(self, trainer: Trainer, node_price: int) -> None:
        """Take in what was built; the trainer must not have made a step."""
        self._trainer, self._node_price = trainer, node_price
        build_costs = at_price(trainer.trace.build_costs, trainer.ledger.nodes, node_price)
        self.trace = replace(trainer.trace, build_costs=build_costs, records=[])

    def take(self, record: StepRecord) -> StepRecord:
        """Take in the iteration just made, and return its record with these operations."""
        priced = replace(record, costs=at_price(record.costs, self._trainer.ledger.nodes, self._node_price))
        self.trace.records.append(priced)
        return priced


def heading(trace: Trace) -> str:
    """Say what is trained, and name the columns of `row`."""
    data, config = trace.dataset, trace.config
    fault = f" with the planted fault {config.fault}" if config.fault else ""
    return (
        f"{data.name}: {data.description}\n"
        f"n = {data.num_points}, d = {data.dimension}, m = {config.width:,}, b = {config.resolved_threshold:.4f}, "
        f"{config.method}, search {config.search}{fault}, solver {config.solver}, seed {config.seed}\n"
        f"{describe_drawing(trace)}\n"
        f"building: {sum(trace.build_costs.values()):,} operations, {sum(trace.build_seconds.values()):.3f} s\n\n"
        f"{'iteration':>9} {'loss':>10} {'firing/point':>12} {'touched':>9} {'modified nodes':>14} "
        f"{'operations':>14} {'seconds':>8}"
    )


def describe_drawing(trace: Trace) -> str:
    """Say how many of the neurons were drawn, and why the others need not be."""
    network, wanted = trace.network, trace.config.draw
    if network.num_drawn < network.width:
        return (
            f"Drawn: the {network.num_drawn:,} of {network.width:,} neurons that fire on a datapoint at the start. No "
            "other ever moves or fires, so it is the same network in law as one drawn whole."
        )
    times = proposal_chance(trace.dataset.num_points, trace.config.resolved_threshold)
    if wanted == "firing" and times > 1:
        return (
            f"Drawn: all {network.width:,} neurons. Those that fire cannot be drawn by themselves where a neuron is "
            f"expected to fire on more than one datapoint; here on {times:.2f}."
        )
    return f"Drawn: all {network.width:,} neurons."


def row(record: StepRecord) -> str:
    """Write an iteration in a line, and its status in another if something went short."""
    firing = record.firing.num_pairs / len(record.firing)
    line = (
        f"{record.iteration:>9} {record.loss:>10.3e} {firing:>12.1f} {record.num_touched:>9,} "
        f"{int(record.num_modified.sum()):>14,} {record.num_operations:>14,} {record.num_seconds:>8.4f}"
    )
    return line if record.status == "ok" else f"{line}\n{'':>9} {record.status}"


def conclusion(trace: Trace, until_loss: float, *, is_interrupted: bool) -> str:
    """Say how the run ended and what an iteration cost on average."""
    if not trace.records:
        return "Interrupted before the first iteration was done."
    last = trace.records[-1]
    reached = f"loss at most {numeral(until_loss, 6)}" if last.loss <= until_loss else "not converged"
    ending = "interrupted" if is_interrupted else reached
    own, dense = trace.amortized()[-1], trace.amortized(of="dense")[-1]
    return (
        f"\n{count(len(trace.records), 'iteration')}, {ending}: loss {numeral(last.loss, 4)}.\n"
        f"Amortized per iteration, building included: {own:,.0f} operations, {trace.amortized('seconds')[-1]:.4f} s; "
        f"the dense method {dense:,.0f} operations ({dense / own:.2f} times as many)."
    )


def as_json(trace: Trace, *, node_price: int, is_interrupted: bool) -> dict[str, Any]:
    """Return everything a script may want of a run, as plain JSON values; `node_price` says how nodes are counted."""
    data, config = trace.dataset, trace.config
    return {
        "dataset": {
            "name": data.name,
            "description": data.description,
            "num_points": data.num_points,
            "dimension": data.dimension,
        },
        "config": {name: getattr(config, name) for name in config.__dataclass_fields__}
        | {"resolved_threshold": config.resolved_threshold},
        "interrupted": is_interrupted,
        "node_price": node_price,
        "build_costs": dict(trace.build_costs),
        "build_seconds": dict(trace.build_seconds),
        "draw_seconds": trace.draw_seconds,
        "records": [_record_values(trace, record) for record in trace.records],
        "amortized_operations": trace.amortized().tolist(),
        "amortized_dense_operations": trace.amortized(of="dense").tolist(),
        "amortized_seconds": trace.amortized("seconds").tolist(),
    }


def _record_values(trace: Trace, record: StepRecord) -> dict[str, Any]:
    solve = record.solve
    return {
        "iteration": record.iteration,
        "loss": record.loss,
        "num_firing": record.firing.counts.tolist(),
        "num_touched": record.num_touched,
        "num_visited": record.num_visited.tolist(),
        "num_modified": record.num_modified.tolist(),
        "costs": dict(record.costs),
        "dense_costs": trace.dense_costs(record),
        "seconds": dict(record.seconds),
        "solve": {
            "iterations": solve.iterations,
            "conditioning": _finite_or_none(solve.conditioning),
            "preconditioned_conditioning": _finite_or_none(solve.preconditioned_conditioning),
            "rank": solve.rank,
            "residual_norm": float(solve.residual_norms[-1]) if solve.residual_norms.size else None,
            "status": solve.status,
        },
        "status": record.status,
        "unlearnable": {str(point): reason for point, reason in record.unlearnable.items()},
    }


def _finite_or_none(value: float | None) -> float | None:
    """JSON has no infinity: a singular system's conditioning is null there, and its status says so in words."""
    return value if value is not None and math.isfinite(value) else None
