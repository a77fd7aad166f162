"""The file form of a trace: plain arrays and JSON, no pickle."""

import dataclasses
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.phases import PHASES
from treeviz.solve.sketched import SolveReport
from treeviz.training.trace import StepRecord, Trace, WatchReport

_FORMAT, _VERSION = "treeviz-trace", 4
# What NumPy, zipfile and our own reading raise for a file that is not as `save` wrote it.
UNREADABLE = (
    OSError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
_PER_POINT = ("outputs", "residual", "dual_step")
_PER_LEVEL = ("visited_levels", "modified_levels")
_REPORT = ("iterations", "rank", "num_active", "num_sketch_rows", "num_sketches", "singular")
_WATCH_COUNTS = ("num_watched", "num_due", "num_changed")


def to_arrays(trace: Trace) -> dict[str, NDArray[Any]]:
    """Return a run as named arrays of numbers, its texts as the bytes of one JSON object."""
    records = trace.records
    shape = (len(records), trace.dataset.num_points)
    reports = [record.watch for record in records if record.watch is not None]
    meta: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "config": dataclasses.asdict(trace.config),
        "name": trace.dataset.name,
        "description": trace.dataset.description,
        "lifted": trace.dataset.lifted,
        "build_costs": dict(trace.build_costs),
        "build_seconds": dict(trace.build_seconds),
        "draw_seconds": trace.draw_seconds,
        "phases": list(PHASES),
        "levels": _level_shape(trace),
        "watches": bool(reports),
        "status": [record.status for record in records],
        "solve_status": [record.solve.status for record in records],
        "unlearnable": [{str(k): v for k, v in record.unlearnable.items()} for record in records],
    }
    arrays: dict[str, NDArray[Any]] = {
        "meta": np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8),
        "X": trace.dataset.X,
        "y": trace.dataset.y,
        "loss": np.array([record.loss for record in records]),
        "num_firing": np.array([[s.size for s in record.firing] for record in records], dtype=np.int64).reshape(shape),
        "firing": _joined([s for record in records for s in record.firing], np.int32),
        "residual_norms": _joined([record.solve.residual_norms for record in records], np.float64),
        "num_residual_norms": np.array([record.solve.residual_norms.size for record in records], dtype=np.int64),
        "conditioning": np.array([record.solve.conditioning for record in records], dtype=np.float64),
        "preconditioned": np.array([record.solve.preconditioned_conditioning for record in records], dtype=np.float64),
    }
    for name in _PER_POINT:
        arrays[name] = np.array([getattr(record, name) for record in records]).reshape(shape)
    for name in _PER_LEVEL:
        table = np.array([getattr(record, name) for record in records], dtype=np.int64)
        arrays[name] = table.reshape(len(records), *meta["levels"])
    for name in _REPORT:
        arrays[f"solve_{name}"] = np.array([getattr(record.solve, name) for record in records])
    for name, absent in (("costs", -1), ("seconds", np.nan)):
        rows = [[getattr(record, name).get(phase, absent) for phase in PHASES] for record in records]
        arrays[name] = np.array(rows).reshape(len(records), len(PHASES))
    return arrays | _watch_arrays(reports) if reports else arrays


def _watch_arrays(reports: Sequence[WatchReport]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "watch_skin": np.array([report.skin for report in reports]),
        "watch_promoted": _joined([report.promoted for report in reports], np.int32),
        "watch_num_promoted": np.array([report.promoted.size for report in reports], dtype=np.int64),
    }
    for name in _WATCH_COUNTS:
        arrays[f"watch_{name}"] = np.array([getattr(report, name) for report in reports], dtype=np.int64)
    return arrays


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Trace:
    """Rebuild a run; raises one of `UNREADABLE` if the arrays are not as `to_arrays` makes them."""
    meta = json.loads(arrays["meta"].tobytes())
    if meta["format"] != _FORMAT:
        raise ValueError(f"its format is {meta['format']!r}")
    if meta["version"] != _VERSION or meta["phases"] != list(PHASES):
        raise ValueError(f"it was written by another version of treeviz (format {meta['version']}, this is {_VERSION})")
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds no numbers")
    dataset = Dataset(arrays["X"], arrays["y"], meta["name"], meta["description"], meta["lifted"])
    config = TrainConfig(**meta["config"])
    trace = Trace(
        dataset,
        config,
        {str(phase): int(cost) for phase, cost in meta["build_costs"].items()},
        {str(phase): float(duration) for phase, duration in meta["build_seconds"].items()},
        float(meta["draw_seconds"]),
    )

    num_records = arrays["loss"].size
    shape = (num_records, dataset.num_points)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys((*_PER_POINT, "num_firing"), shape)
    shapes |= dict.fromkeys(_PER_LEVEL, (num_records, *map(int, meta["levels"])))
    for name, expected in shapes.items():
        if arrays[name].shape != expected:
            raise ValueError(f"{name} has shape {arrays[name].shape}")
    firing = _split(arrays["firing"], arrays["num_firing"].ravel())
    if arrays["firing"].size and not 0 <= arrays["firing"].min() <= arrays["firing"].max() < config.width:
        raise ValueError("a firing set holds a neuron that the network does not have")
    norms = _split(arrays["residual_norms"], arrays["num_residual_norms"])
    reports: Sequence[WatchReport | None] = [None] * num_records
    if meta["watches"]:
        reports = _watch_reports(arrays, num_records, np.concatenate(firing[: dataset.num_points]))
    for t in range(num_records):
        sets = tuple(firing[t * dataset.num_points : (t + 1) * dataset.num_points])
        batch = config.mini_batch(dataset.num_points, t)
        moved = sets if batch is None else [sets[point] for point in batch]
        report = {name: arrays[f"solve_{name}"][t].item() for name in _REPORT}
        trace.records.append(
            StepRecord(
                iteration=t,
                loss=float(arrays["loss"][t]),
                firing=sets,
                touched=np.unique(np.concatenate(moved)),
                solve=SolveReport(
                    residual_norms=norms[t],
                    conditioning=_number_or_none(arrays["conditioning"][t]),
                    preconditioned_conditioning=_number_or_none(arrays["preconditioned"][t]),
                    status=meta["solve_status"][t],
                    **report,
                ),
                costs={p: int(c) for p, c in zip(PHASES, arrays["costs"][t], strict=True) if c >= 0},
                seconds={p: float(s) for p, s in zip(PHASES, arrays["seconds"][t], strict=True) if not np.isnan(s)},
                status=meta["status"][t],
                unlearnable={int(k): v for k, v in meta["unlearnable"][t].items()},
                watch=reports[t],
                **{name: arrays[name][t].copy() for name in (*_PER_POINT, *_PER_LEVEL)},
            )
        )
    return trace


def _watch_reports(arrays: Mapping[str, NDArray[Any]], num_records: int, listed: NDArray[Any]) -> Sequence[WatchReport]:
    """Rebuild the reports of a run; `listed` are the neurons that have lists."""
    numbers = {name: arrays[f"watch_{name}"] for name in ("skin", "num_promoted", *_WATCH_COUNTS)}
    for name, values in numbers.items():
        if values.shape != (num_records,) or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"watch_{name} does not hold a number of 0 or more for each iteration")
    promoted = _split(arrays["watch_promoted"], numbers["num_promoted"])
    everyone = arrays["watch_promoted"]
    if np.unique(everyone).size < everyone.size or not np.isin(everyone, listed).all():
        raise ValueError("a neuron is promoted twice, or without a list")
    return [
        WatchReport(
            skin=float(numbers["skin"][t]),
            promoted=np.sort(promoted[t]).astype(np.int32),
            **{name: int(numbers[name][t]) for name in _WATCH_COUNTS},
        )
        for t in range(num_records)
    ]


def _level_shape(trace: Trace) -> tuple[int, ...]:
    """Shape of the counts of nodes in a run's records, (trees, levels); without records there are none to shape."""
    return trace.records[0].visited_levels.shape if trace.records else (trace.dataset.num_points, 0)


def _number_or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _joined(pieces: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype=dtype), *pieces])


def _split(joined: NDArray[Any], sizes: NDArray[np.int64]) -> list[NDArray[Any]]:
    if joined.ndim != 1 or (sizes < 0).any() or sizes.sum() != joined.size:
        raise ValueError("an array does not have the length the others imply")
    return [piece.copy() for piece in np.split(joined, np.cumsum(sizes)[:-1])] if sizes.size else []
