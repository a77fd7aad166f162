"""A run's numbers in files that say how to make the run again.

A file holds one of the `TABLES` or all of them, and `about`: the version, where the data come from, all settings and
the units, so that a reader can rebuild the run.
"""

import dataclasses
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from treeviz.export.columns import FORMATS, TABLES, Column
from treeviz.training.trace import Trace

_SIGNATURE = "# treeviz "  # how a CSV file begins
_KEY = b"treeviz"  # of `about` in the metadata of a Parquet file


_Rows = Sequence[Mapping[str, Any]]


def make_table(trace: Trace, table: str) -> pd.DataFrame:
    """Return one of the `TABLES` of a run as a data frame of nullable columns.

    Raises ValueError for another table. Cost: the records and, but for "points", what the dense method would pay for
    each (`Trace.dense_costs`).
    """
    return _frame(_rows(trace, _known("table", table, TABLES)), TABLES[table])


def describe_run(trace: Trace) -> dict[str, Any]:
    """Return what another process needs to make the run again, as plain values for JSON.

    Returns
    -------
    dict with "treeviz" (version), "data" (name, description, sizes, and its source: dataset or file with its options,
    and the Python expression that makes it; None where it is not known), "config" (the arguments of `TrainConfig`),
    "threshold" (b in use), "num_iterations", "build" and "draw_seconds".
    """
    data, config = trace.dataset, trace.config
    return {
        "treeviz": version("treeviz"),
        "data": {
            "name": data.name,
            "description": data.description,
            "num_points": data.num_points,
            "dimension": data.dimension,
            "source": data.source.as_values() if data.source else None,
            "python": data.source.as_python() if data.source else None,
        },
        "config": dataclasses.asdict(config),
        "threshold": config.resolved_threshold,
        "num_iterations": len(trace.records),
        "build": {"operations": dict(trace.build_costs), "seconds": dict(trace.build_seconds)},
        "draw_seconds": trace.draw_seconds,
    }


def pack_records(trace: Trace, format: str, table: str = "records") -> bytes:
    """Return the content of a file with a run's numbers.

    Parameters
    ----------
    format : "csv" or "parquet", with one table; "json", with all of them; or "npz", the trace itself, with firing sets,
        that `Trace.load` reads.
    table : one of `TABLES`, of csv and parquet.

    Raises
    ------
    ValueError
        For another format or table, and for the trace of a run with a planted fault, which is not saved.
    """
    _known("format", format, FORMATS)
    _known("table", table, TABLES)
    if format == "npz":
        return trace.to_bytes()
    tables = {name: _rows(trace, name) for name in (TABLES if format == "json" else (table,))}
    units = {name: {column: one.unit for column, one in TABLES[name].items()} for name in tables}
    about = {**describe_run(trace), "units": units if format == "json" else units[table]}
    if format == "json":
        return json.dumps({"about": about, **tables}, allow_nan=False).encode()
    about["table"] = table
    return _as_csv(about, tables[table]) if format == "csv" else _as_parquet(about, tables[table])


def read_records(path: str | Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Read a file whose content `pack_records` made, other than a trace.

    Returns
    -------
    about : as `describe_run` returns it, with the units of the columns; settings are `TrainConfig(**about["config"])`.
    tables : the table of a CSV or Parquet file, or all of them, by name.

    Raises
    ------
    ValueError
        If the file is none of these.
    """
    content = Path(path).read_bytes()
    try:
        if content.startswith(b"PAR1"):
            packed = pq.read_table(io.BytesIO(content))
            about = json.loads(packed.schema.metadata[_KEY])
            rows: dict[str, _Rows] = {about["table"]: packed.to_pylist()}
        elif content.startswith(_SIGNATURE.encode()):
            _, comment, lines = content.decode().split("\n", 2)
            about = json.loads(comment.removeprefix("# "))
            cells = pd.read_csv(io.StringIO(lines), dtype=str, keep_default_na=False)
            rows = {about["table"]: cells.to_dict("records")}
        else:
            values = json.loads(content)
            about, rows = values["about"], {name: values[name] for name in TABLES}
        return about, {name: _frame(table, TABLES[name]) for name, table in rows.items()}
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path} holds no tables of treeviz ({error}): check the path") from error


def _known(argument: str, value: str, allowed: Mapping[str, Any] | Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, allowed))}; got {value!r}")
    return value


def _as_csv(about: Mapping[str, Any], rows: _Rows) -> bytes:
    """Write a table under two lines of comment, which `comment="#"` of `pandas.read_csv` skips."""
    fault = about["config"]["fault"]
    what = f"{about['table']} of a run{f' with the planted fault {fault}' if fault else ''}"
    table = _frame(rows, TABLES[about["table"]]).to_csv(index=False, lineterminator="\n")
    comment = f'{_SIGNATURE}{about["treeviz"]}, {what}; to read the table: pandas.read_csv(file, comment="#")\n'
    return f"{comment}# {json.dumps(about, allow_nan=False)}\n{table}".encode()


def _as_parquet(about: Mapping[str, Any], rows: _Rows) -> bytes:
    types: dict[type, pa.DataType] = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    fields = [
        pa.field(name, types[column.kind], metadata={"unit": column.unit})
        for name, column in TABLES[about["table"]].items()
    ]
    schema = pa.schema(fields, metadata={_KEY: json.dumps(about, allow_nan=False)})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), buffer)
    return buffer.getvalue()


def _frame(rows: _Rows, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Make nullable columns of rows, whose values may still be text as in a CSV file."""
    types = {int: "Int64", float: "Float64", str: "string"}
    return pd.DataFrame(
        {
            name: pd.array(
                [None if row[name] in (None, "") else column.kind(row[name]) for row in rows], dtype=types[column.kind]
            )
            for name, column in columns.items()
        }
    )


def _rows(trace: Trace, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, None for what is missing."""
    makers: dict[str, Callable[[Trace], list[dict[str, Any]]]] = {
        "records": _record_rows,
        "ledger": _ledger_rows,
        "points": _point_rows,
    }
    rows = makers[table](trace)
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float) and not math.isfinite(value):
                row[name] = None
    return rows


def _record_rows(trace: Trace) -> list[dict[str, Any]]:
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
                "num_firing": record.firing.num_pairs,
                "num_touched": int(record.touched.size),
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
