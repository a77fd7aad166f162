"""The file form of a trace: plain arrays and JSON, no pickle."""

import dataclasses
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import Dataset
from treeviz.data.source import Source
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets
from treeviz.model.phases import PHASES
from treeviz.search.engine import WatchReport
from treeviz.solve.report import SolveReport
from treeviz.training.memory import usable_bytes
from treeviz.training.record import StepRecord

_FORMAT, _VERSION = "treeviz-trace", 4
# What NumPy, zipfile and our own reading raise for a file that is not as `pack_trace` made it.
_UNREADABLE = (
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
# Of the memory a run may take, what the arrays of a file may take.
_LARGEST_SHARE = 0.25
_PER_POINT = ("outputs", "residual", "dual_step")
_PER_LEVEL = ("visited_levels", "modified_levels")
_REPORT = ("iterations", "rank", "num_active", "num_sketch_rows", "num_sketches", "singular")
# Arrays in which NaN stands for a value that there is not.
_MAY_BE_ABSENT = ("conditioning", "preconditioned", "seconds")
_WATCH_COUNTS = ("num_watched", "num_due", "num_changed")


class TraceParts(NamedTuple):
    """What a file holds of a run: the arguments of `Trace`."""

    dataset: Dataset
    config: TrainConfig
    build_costs: Mapping[str, int]
    build_seconds: Mapping[str, float]
    draw_seconds: float
    records: list[StepRecord]


def pack_trace(trace: TraceParts) -> bytes:
    """Return a run as the content of a compressed file of plain arrays and JSON (.npz, no pickle)."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = to_arrays(trace)  # numbers and text alone: nothing is pickled
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read_trace(source: str | os.PathLike[str] | io.IOBase) -> TraceParts:
    """Read a file whose content `pack_trace` made; ValueError if that is not possible."""
    name = getattr(source, "name", source)
    try:
        _refuse_bombs(source)
        with np.load(source, allow_pickle=False) as archive:
            return from_arrays({key: archive[key] for key in archive.files})
    except FileNotFoundError as error:
        raise ValueError(f"there is no file {name}: check the path") from error
    except _UNREADABLE as error:
        raise ValueError(
            f"{name} is not a readable treeviz trace ({error}): it may be damaged, or another kind of file; "
            "save the run again with Trace.save or treeviz run --save"
        ) from error


def _refuse_bombs(source: str | os.PathLike[str] | io.IOBase) -> None:
    """Refuse an archive that would take more memory than a trace may, before it takes any; leave files where they were.

    The size of every member is known, and so is that of the array its header describes: the two must agree.
    """
    start = source.tell() if isinstance(source, io.IOBase) else 0
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > _LARGEST_SHARE * usable_bytes():
            raise ValueError(f"it unpacks to {unpacked / 1e9:.1f} GB, more than this machine has room for")
        for member in members:
            with archive.open(member) as file:
                if np.lib.format.read_magic(file) != (1, 0):  # of other versions a header may be gigabytes
                    raise ValueError(f"{member.filename} is not an array as NumPy saves it")
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                described = file.tell() + math.prod(shape) * dtype.itemsize
            if dtype.hasobject or described != member.file_size:
                raise ValueError(f"{member.filename} is not of the size its header says")
    if isinstance(source, io.IOBase):
        source.seek(start)


def to_arrays(trace: TraceParts) -> dict[str, NDArray[Any]]:
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
        "columns": trace.dataset.columns,
        "image": trace.dataset.image,
        "source": trace.dataset.source.as_values() if trace.dataset.source else None,
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
        "num_firing": np.array([record.firing.counts for record in records], dtype=np.int64).reshape(shape),
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


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> TraceParts:
    """Rebuild a run; raises one of `_UNREADABLE` if the arrays are not as `to_arrays` makes them."""
    meta = json.loads(arrays["meta"].tobytes())
    if meta["format"] != _FORMAT:
        raise ValueError(f"its format is {meta['format']!r}")
    if meta["version"] != _VERSION:
        raise ValueError(f"it was written by another version of treeviz (format {meta['version']}, this is {_VERSION})")
    phases = [str(phase) for phase in meta["phases"]]
    if unknown := [phase for phase in phases if phase not in PHASES]:
        raise ValueError(f"it was written by another version of treeviz, with a phase {unknown[0]!r}")
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds no numbers")
        if name not in _MAY_BE_ABSENT and array.dtype.kind == "f" and np.isnan(array).any():
            raise ValueError(f"{name} holds a value that is not a number")
    dataset = Dataset(
        arrays["X"],
        arrays["y"],
        meta["name"],
        meta["description"],
        meta["lifted"],
        columns=tuple(meta.get("columns", ())),  # files written before there were these three do not have them
        image=tuple(meta["image"]) if meta.get("image") else None,
        source=Source.from_values(meta["source"]) if meta.get("source") else None,
    )
    config = TrainConfig(**meta["config"])
    records: list[StepRecord] = []
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
        fired = FiringSets.from_sets(firing[t * dataset.num_points : (t + 1) * dataset.num_points])
        batch = config.mini_batch(dataset.num_points, t)
        moved = fired if batch is None else fired.on(batch)
        report = {name: arrays[f"solve_{name}"][t].item() for name in _REPORT}
        records.append(
            StepRecord(
                iteration=t,
                loss=float(arrays["loss"][t]),
                firing=fired.compact(),
                moving=moved.compact(),
                solve=SolveReport(
                    residual_norms=norms[t],
                    conditioning=_number_or_none(arrays["conditioning"][t]),
                    preconditioned_conditioning=_number_or_none(arrays["preconditioned"][t]),
                    status=meta["solve_status"][t],
                    **report,
                ),
                costs={p: int(c) for p, c in zip(phases, arrays["costs"][t], strict=True) if c >= 0},
                seconds={p: float(s) for p, s in zip(phases, arrays["seconds"][t], strict=True) if not np.isnan(s)},
                status=meta["status"][t],
                unlearnable={int(k): v for k, v in meta["unlearnable"][t].items()},
                watch=reports[t],
                **{name: arrays[name][t].copy() for name in (*_PER_POINT, *_PER_LEVEL)},
            )
        )
    return TraceParts(
        dataset,
        config,
        {str(phase): int(cost) for phase, cost in meta["build_costs"].items()},
        {str(phase): float(duration) for phase, duration in meta["build_seconds"].items()},
        float(meta["draw_seconds"]),
        records,
    )


def _watch_reports(arrays: Mapping[str, NDArray[Any]], num_records: int, listed: NDArray[Any]) -> Sequence[WatchReport]:
    """Rebuild the reports of a run; `listed` are the neurons that have lists."""
    numbers = {name: arrays[f"watch_{name}"] for name in ("skin", "num_promoted", *_WATCH_COUNTS)}
    for name, values in numbers.items():
        if values.shape != (num_records,) or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"watch_{name} does not hold a number of 0 or more for each iteration")
    promoted = _split(arrays["watch_promoted"], numbers["num_promoted"])
    all_promoted = arrays["watch_promoted"]
    if np.unique(all_promoted).size < all_promoted.size or not np.isin(all_promoted, listed).all():
        raise ValueError("a neuron is promoted twice, or without a list")
    return [
        WatchReport(
            skin=float(numbers["skin"][t]),
            promoted=np.sort(promoted[t]).astype(np.int32),
            **{name: int(numbers[name][t]) for name in _WATCH_COUNTS},
        )
        for t in range(num_records)
    ]


def _level_shape(trace: TraceParts) -> tuple[int, ...]:
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
