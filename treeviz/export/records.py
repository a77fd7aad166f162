"""A run's numbers in files that say how to make the run again.

A file holds one of the `RUN_TABLES` or all of them, and `about`: the version, where the data come from, all settings
and the units, so that a reader can rebuild the run. `export.tables.read_tables` reads it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

from treeviz.data.dataset import Dataset
from treeviz.export.columns import FORMATS, RUN_TABLES
from treeviz.export.tables import make_frame, pack_tables, require
from treeviz.training.trace import Trace


def make_table(trace: Trace, table: str, dense: Trace | None = None) -> pd.DataFrame:
    """Return one of the `RUN_TABLES` of a run as a data frame of nullable columns.

    `dense` is the trace of the dense method trained beside it, as far as that has come, if any.

    Raises ValueError for another table. Cost: the records and, but for "points", what the dense method would pay for
    each (`Trace.dense_costs`).
    """
    require("table", table, RUN_TABLES)
    return make_frame(_make_rows(trace, table, dense), RUN_TABLES[table])


def describe_run(trace: Trace) -> dict[str, Any]:
    """Return what another process needs to make the run again, as plain values for JSON.

    Returns
    -------
    dict with "treeviz" (version), "data" (name, description, sizes, and its source: dataset or file with its options,
    and the Python expression that makes it; None where it is not known), "config" (the arguments of `TrainConfig`),
    "threshold" (b in use), "num_iterations", "build" and "draw_seconds".
    """
    return {
        "treeviz": version("treeviz"),
        "data": describe_data(trace.dataset),
        "config": dataclasses.asdict(trace.config),
        "threshold": trace.config.resolved_threshold,
        "num_iterations": len(trace.records),
        "build": {"operations": dict(trace.build_costs), "seconds": dict(trace.build_seconds)},
        "draw_seconds": trace.draw_seconds,
    }


def describe_data(data: Dataset) -> dict[str, Any]:
    """Return what is known of a dataset and of what makes it again, as plain values for JSON."""
    return {
        "name": data.name,
        "description": data.description,
        "num_points": data.num_points,
        "dimension": data.dimension,
        "source": data.source.as_values() if data.source else None,
        "python": data.source.as_python() if data.source else None,
    }


def pack_records(trace: Trace, format: str, table: str = "records", *, dense: Trace | None = None) -> bytes:
    """Return the content of a file with a run's numbers.

    Parameters
    ----------
    format : "csv" or "parquet", with one table; "json", with all of them; or "npz", the trace itself, with firing sets,
        that `Trace.load` reads.
    table : one of `RUN_TABLES`, of csv and parquet.
    dense : of the dense method trained beside the run, as far as that has come, if any; `about` has its settings.

    Raises
    ------
    ValueError
        For another format or table, and for the trace of a run with a planted fault, which is not saved.
    """
    require("format", format, FORMATS)
    require("table", table, RUN_TABLES)
    if format == "npz":
        return trace.to_bytes()
    # A run in the background goes on meanwhile: all tables are of the iterations done by now.
    trace = dataclasses.replace(trace, records=list(trace.records))
    names = RUN_TABLES if format == "json" else (table,)
    fault = trace.config.fault
    of = f"a run{f' with the planted fault {fault}' if fault else ''}"
    about = {**describe_run(trace), "dense_config": dataclasses.asdict(dense.config) if dense else None}
    return pack_tables(about, {name: _make_rows(trace, name, dense) for name in names}, format, of=of)


def _make_rows(trace: Trace, table: str, dense: Trace | None) -> list[dict[str, Any]]:
    return _record_rows(trace, dense) if table == "records" else _MAKERS[table](trace)


def _record_rows(trace: Trace, dense: Trace | None) -> list[dict[str, Any]]:
    dense_losses = [record.loss for record in dense.records] if dense else []
    amortized = {
        "amortized_operations": trace.amortized().tolist(),
        "amortized_dense_operations": trace.amortized(of="dense").tolist(),
        "amortized_seconds": trace.amortized("seconds").tolist(),
    }
    rows = []
    for place, record in enumerate(trace.records):
        solve, watch = record.solve, record.watch
        rows.append(
            {
                "iteration": record.iteration,
                "loss": record.loss,
                "dense_loss": dense_losses[place] if place < len(dense_losses) else None,
                "num_firing": record.firing.num_pairs,
                "num_touched": record.num_touched,
                "num_visited": int(record.visited_levels.sum()),
                "num_modified": int(record.modified_levels.sum()),
                "operations": record.num_operations,
                "dense_operations": sum(trace.dense_costs(record).values()),
                "seconds": record.num_seconds,
                **{name: values[place] for name, values in amortized.items()},
                "solve_iterations": solve.iterations,
                "solve_residual_norm": float(solve.residual_norms[-1]) if solve.residual_norms.size else None,
                "conditioning": solve.conditioning,
                "preconditioned_conditioning": solve.preconditioned_conditioning,
                "rank": solve.rank,
                "num_watched": watch.num_watched if watch else None,
                "num_due": watch.num_due if watch else None,
                "num_changed": watch.num_changed if watch else None,
                "num_promoted": int(watch.promoted.size) if watch else None,
                "num_unlearnable": len(record.unlearnable),
                "status": record.status,
                "solve_status": solve.status,
            }
        )
    return rows


def _ledger_rows(trace: Trace) -> list[dict[str, Any]]:
    entries: list[tuple[int | None, Mapping[str, int], Mapping[str, int], Mapping[str, float]]] = [
        (None, trace.build_costs, {}, trace.build_seconds),  # the dense method builds nothing
        *((one.iteration, one.costs, trace.dense_costs(one), one.seconds) for one in trace.records),
    ]
    return [
        {
            "iteration": iteration,
            "phase": phase,
            "operations": costs.get(phase),
            "dense_operations": dense.get(phase),
            "seconds": seconds.get(phase),
        }
        for iteration, costs, dense, seconds in entries
        for phase in dict.fromkeys((*costs, *seconds, *dense))
    ]


def _point_rows(trace: Trace) -> list[dict[str, Any]]:
    num_points = trace.dataset.num_points
    rows = []
    for record in trace.records:
        has_trees = record.visited_levels.shape[0] == num_points and record.visited_levels.shape[1] > 0
        visited, modified = record.num_visited.tolist(), record.num_modified.tolist()
        firing = record.firing.counts.tolist()
        rows += [
            {
                "iteration": record.iteration,
                "point": point,
                "target": float(trace.dataset.y[point]),
                "output": float(record.outputs[point]),
                "residual": float(record.residual[point]),
                "dual_step": float(record.dual_step[point]),
                "num_firing": firing[point],
                "num_visited": visited[point] if has_trees else None,
                "num_modified": modified[point] if has_trees else None,
                "unlearnable": record.unlearnable.get(point),
            }
            for point in range(num_points)
        ]
    return rows


_MAKERS: Mapping[str, Callable[[Trace], list[dict[str, Any]]]] = {
    "ledger": _ledger_rows,
    "points": _point_rows,
}
