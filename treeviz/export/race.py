"""The numbers of a race, and of a forecast of one, in files that say what was compared on which data."""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from treeviz.data.dataset import Dataset
from treeviz.export.columns import RACE_TABLES
from treeviz.export.records import describe_data
from treeviz.export.tables import Rows, pack_tables, require
from treeviz.model.config import TrainConfig
from treeviz.model.types import Ints
from treeviz.race.cost_figures import Curve
from treeviz.race.race import Race
from treeviz.race.report import lap_values, test_error_name
from treeviz.race.verdict import finish_of, judge


def pack_race(race: Race, format: str, table: str = "laps", *, loss: float | None = None, node_price: int = 1) -> bytes:
    """Return the content of a file with a race's numbers, as far as it has come.

    Parameters
    ----------
    format : "csv" or "parquet", with one table; or "json", with all of them and the verdict.
    table : one of `RACE_TABLES`, of csv and parquet.
    loss : the loss asked for in the table of contestants; None for the one raced to.
    node_price : operations that a tree node read or written counts as.

    Raises ValueError for another format or table. `export.tables.read_tables` reads the file.
    """
    require("table", table, RACE_TABLES)
    loss = race.until_loss if loss is None else loss
    tables = _make_tables(race, loss, node_price)
    about = {
        "treeviz": version("treeviz"),
        "data": describe_data(race.data),
        "config": dataclasses.asdict(race.config),
        "threshold": race.config.resolved_threshold,
        "contestants": [lane.contestant.key for lane in race.lanes],
        "raced_to": {"loss": race.until_loss, "iterations": race.goals.max_laps, "seconds": race.max_seconds},
        "loss": loss,
        "node_price": node_price,
        "test_error": test_error_name(race),
    }
    if format == "json":
        about["verdict"] = judge(race, loss, node_price)
    return pack_tables(about, tables if format == "json" else {table: tables[table]}, format, of="a race")


def pack_forecast(
    curves: Sequence[Curve],
    widths: Ints,
    data: Dataset,
    config: TrainConfig,
    format: str,
    *,
    iterations: Mapping[str, int],
    dimension: int,
    node_price: int = 1,
) -> bytes:
    """Return the content of a file with expected operations by width, and those measured.

    Parameters
    ----------
    curves : of the methods, each with its operations at all `widths`, (k,).
    data, config : what is trained; the width of `config` is that of the settings.
    format : "csv", "parquet" or "json".
    iterations : that the operations are for, by family.
    dimension : d, the price of an inner product.
    node_price : operations that a tree node read or written counts as.

    Raises ValueError for another format. `export.tables.read_tables` reads the file.
    """
    rows = [
        {"method": curve.title, "width": int(width), "kind": kind, "operations": float(operations)}
        for curve in curves
        for kind, pairs in (
            ("expected", zip(widths, curve.operations, strict=True)),
            ("measured", curve.measured),
        )
        for width, operations in pairs
    ]
    about = {
        "treeviz": version("treeviz"),
        "data": describe_data(data),
        "config": dataclasses.asdict(config),
        "threshold": config.threshold,
        "iterations": dict(iterations),
        "dimension": dimension,
        "node_price": node_price,
    }
    return pack_tables(about, {"forecast": rows}, format, of="expected operations")


def _make_tables(race: Race, loss: float, node_price: int) -> dict[str, Rows]:
    laps: list[dict[str, Any]] = []
    contestants: list[dict[str, Any]] = []
    phases: list[dict[str, Any]] = []
    for lane in (lane.at_price(node_price) for lane in race.lanes):
        key, finish, columns = lane.contestant.key, finish_of(lane, loss), lap_values(lane)
        for iteration, values in enumerate(zip(*columns.values(), strict=True)):
            laps.append({"contestant": key, "iteration": iteration, **dict(zip(columns, values, strict=True))})
        contestants.append(
            {
                "contestant": key,
                "title": lane.contestant.title,
                "state": lane.state,
                "reason": lane.reason or None,
                "to_loss_iterations": finish.iterations if finish else None,
                "to_loss_operations": finish.operations if finish else None,
                "to_loss_seconds": finish.seconds if finish else None,
                "lowest_loss": lane.lowest_loss,
                "test_error": lane.test_error,
                "num_bytes": lane.num_bytes,
                "build_operations": lane.build_operations,
                "build_seconds": lane.build_seconds,
            }
        )
        phases += [
            {"contestant": key, "phase": phase, "operations": lane.costs.get(phase), "seconds": lane.seconds.get(phase)}
            for phase in dict.fromkeys((*lane.costs, *lane.seconds))
        ]
    return {"laps": laps, "contestants": contestants, "phases": phases}
