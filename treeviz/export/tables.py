"""Tables in files: rows of plain values under columns with units, and `about`, which says what they are of.

A CSV or Parquet file holds one table. In CSV, `about` is a line of comment above it; in Parquet, in the metadata of the
schema; a JSON file holds any number of tables beside it.
"""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from treeviz.export.columns import ALL_TABLES, Column

_SIGNATURE = "# treeviz "  # how a CSV file begins
_KEY = b"treeviz"  # of `about` in the metadata of a Parquet file
_KINDS: dict[str, type[int] | type[float] | type[str]] = {"int": int, "float": float, "str": str}
Rows = Sequence[Mapping[str, Any]]
Tables = Mapping[str, Mapping[str, Column]]


def pack_tables(
    about: Mapping[str, Any],
    tables: Mapping[str, Rows],
    format: str,
    *,
    of: str,
    columns: Tables = ALL_TABLES,
) -> bytes:
    """Return the content of a file with tables.

    Parameters
    ----------
    about : plain values for JSON; the units and types of the columns are added. "treeviz" is the version.
    tables : rows of plain values by name, one of `columns`; numbers that are not finite become missing. One table,
        but for JSON.
    format : "csv", "parquet" or "json".
    of : what the tables are of, for the first line of a CSV file.
    columns : the columns of each table.

    Raises ValueError for another format. Cost: the rows.
    """
    require("format", format, ("csv", "parquet", "json"))
    finite = {
        name: [{column: _finite(value) for column, value in row.items()} for row in rows]
        for name, rows in tables.items()
    }
    units = {name: {column: one.unit for column, one in columns[name].items()} for name in finite}
    types = {name: {column: one.kind.__name__ for column, one in columns[name].items()} for name in finite}
    if format == "json":
        return json.dumps({"about": {**about, "units": units, "types": types}, **finite}, allow_nan=False).encode()
    ((table, rows),) = finite.items()
    about = {**about, "units": units[table], "types": types[table], "table": table}
    if format == "csv":
        return _as_csv(about, rows, of, columns[table])
    return _as_parquet(about, rows, columns[table])


def read_tables(path: str | Path) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Read a file whose content `pack_tables` made.

    Returns
    -------
    about : what the tables are of, and the units of the columns. Of a run see `export.records.describe_run`: its
        settings are `TrainConfig(**about["config"])`.
    tables : data frames of nullable columns, by name.

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
            rows: dict[str, Rows] = {about["table"]: packed.to_pylist()}
        elif content.startswith(_SIGNATURE.encode()):
            _, comment, lines = content.decode().split("\n", 2)
            about = json.loads(comment.removeprefix("# "))
            cells = pd.read_csv(io.StringIO(lines), dtype=str, keep_default_na=False)
            rows = {about["table"]: cells.to_dict("records")}
        else:
            values = json.loads(content)
            about, rows = values["about"], {name: values[name] for name in values["about"]["units"]}
        return about, {name: make_frame(table, _columns(about, name)) for name, table in rows.items()}
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path} holds no tables of treeviz ({error}): check the path") from error


def make_frame(rows: Rows, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return a data frame of nullable columns from rows, whose values may still be text as in a CSV file."""
    types = {int: "Int64", float: "Float64", str: "string"}
    return pd.DataFrame(
        {
            name: pd.array([_typed(row[name], column) for row in rows], dtype=types[column.kind])
            for name, column in columns.items()
        }
    )


def _columns(about: Mapping[str, Any], table: str) -> dict[str, Column]:
    """Return the columns of a table as the file describes them: its only table, or one of several by name."""
    if "types" not in about:  # older files say only the units, and hold the tables of runs and races
        return dict(ALL_TABLES[table])
    types, units = (about[key] if "table" in about else about[key][table] for key in ("types", "units"))
    return {name: Column(_KINDS[kind], units[name]) for name, kind in types.items()}


def require(argument: str, value: str, allowed: Mapping[str, Any] | Sequence[str]) -> None:
    """Raise a ValueError that names the argument, if its value is not allowed."""
    if value not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def _finite_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _finite(value) for name, value in row.items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _typed(value: Any, column: Column) -> Any:
    return None if value in (None, "") else _finite(column.kind(value))


def _as_csv(about: Mapping[str, Any], rows: Rows, of: str, columns: Mapping[str, Column]) -> bytes:
    """Write a table under two lines of comment, which `comment="#"` of `pandas.read_csv` skips."""
    table = make_frame(rows, columns).to_csv(index=False, lineterminator="\n")
    comment = f"{_SIGNATURE}{about['treeviz']}, {about['table']} of {of}; to read the table: "
    return f'{comment}pandas.read_csv(file, comment="#")\n# {json.dumps(about, allow_nan=False)}\n{table}'.encode()


def _as_parquet(about: Mapping[str, Any], rows: Rows, columns: Mapping[str, Column]) -> bytes:
    types: dict[type, pa.DataType] = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    fields = [pa.field(name, types[one.kind], metadata={"unit": one.unit}) for name, one in columns.items()]
    schema = pa.schema(fields, metadata={_KEY: json.dumps(about, allow_nan=False)})
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), buffer)
    return buffer.getvalue()
