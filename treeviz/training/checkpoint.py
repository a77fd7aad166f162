"""A file that a run can go on from: its data and settings, and then a line an iteration with the dual step, n numbers.

The lines are JSON. The first one holds the run as a trace without records, as `trace_file` packs it, in base 64. What
an end without warning leaves of the last line is dropped when the file is read. The dual steps, with the seed,
determine the weights to the last bit, so no weights are kept.
"""

import base64
import io
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.types import Floats
from treeviz.training.record import StepRecord
from treeviz.training.trace_file import TraceParts, pack_trace, read_trace

_FORMAT, _VERSION = "treeviz-checkpoint", 1


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    data, config : of the run.
    dual_steps : (n,) of each iteration done.
    num_bytes : of the whole lines.
    """

    data: Dataset
    config: TrainConfig
    dual_steps: tuple[Floats, ...]
    num_bytes: int

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that a `CheckpointWriter` wrote.

        Raises
        ------
        ValueError
            If the file is missing, is no such file, is damaged, or was written by another version.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"there is no file {path} that can be read: check the path") from error
        content = content[: content.rfind(b"\n") + 1]
        try:
            head, *lines = [json.loads(line) for line in content.splitlines()]
            if head["format"] != _FORMAT or head["version"] != _VERSION:
                raise ValueError(f"its format is {head['format']!r}, version {head['version']}")
            run = read_trace(io.BytesIO(base64.b64decode(head["run"], validate=True)))
            steps = [_read_step(line, place, run.dataset.num_points) for place, line in enumerate(lines)]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is not a readable checkpoint of treeviz ({error}): it may be damaged, or another kind of file"
            ) from error
        return cls(run.dataset, run.config, tuple(steps), len(content))


def _read_step(line: dict[str, Any], place: int, num_points: int) -> Floats:
    step = np.array(line["dual_step"], dtype=np.float64)
    if line["iteration"] != place or step.shape != (num_points,) or not np.isfinite(step).all():
        raise ValueError(f"line {place + 2} is not that of iteration {place}")
    return step


class CheckpointWriter:
    """Writes such a file; `take` each record, as `Trainer.run` hands it to its `on_step`.

    Parameters
    ----------
    path : a file that is not there yet; or, with `resumed`, the one it was read from, which is gone on with.
    data, config : of the run.

    Raises
    ------
    ValueError
        If the run has a planted fault.
    OSError
        If the file cannot be written, or is there already.
    """

    def __init__(
        self, path: str | os.PathLike[str], data: Dataset, config: TrainConfig, resumed: Checkpoint | None = None
    ) -> None:
        if config.fault:
            raise ValueError(f"a run with the fault {config.fault!r} is not saved: train it with fault=None first")
        self._path = Path(path)
        self._num_written = len(resumed.dual_steps) if resumed else 0
        if resumed:
            with self._path.open("r+b") as file:
                file.truncate(resumed.num_bytes)
            return
        run = base64.b64encode(pack_trace(TraceParts(data, config, {}, {}, 0.0, [])))
        with self._path.open("xb") as file:
            _write(file, {"format": _FORMAT, "version": _VERSION, "run": run.decode()})

    def take(self, record: StepRecord) -> None:
        """Write an iteration down, unless the file has it; when this returns, the line is on the disk."""
        if record.iteration < self._num_written:
            return
        step = record.dual_step.tolist()
        with self._path.open("ab") as file:
            _write(file, {"iteration": record.iteration, "loss": _finite(record.loss), "dual_step": step})
        self._num_written += 1


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _write(file: io.BufferedIOBase, line: dict[str, Any]) -> None:
    file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
