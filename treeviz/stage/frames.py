"""What the stage is sent: frames, one an iteration and view, with the state of the run, as compressed JSON.

The browser owns the cursor and asks for the frames it lacks; nothing is sent twice unless it asks twice. A frame holds
everything about one iteration seen from one tree: the drawn nodes, every small step with its sentence, the atlas of
all trees, the neurons in their plane. So playing, stepping and jumping within what has arrived need no server.
"""

import json
import threading
import uuid
import weakref
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import numpy as np

from treeviz.model.heap import level_sizes
from treeviz.model.phases import PHASES
from treeviz.stage.datapoint import describe_data
from treeviz.stage.exactness import Badge, describe_exactness
from treeviz.stage.neuron import inspect_neuron
from treeviz.stage.packing import pack_frame
from treeviz.stage.pictures.field import OutputField, is_planar
from treeviz.stage.rounding import seven_digits, thousandths
from treeviz.stage.script import phases, posted_phases, pseudocode
from treeviz.stage.view import DEFAULT_DETAIL, DETAILS, MAX_OPENED, View
from treeviz.stage.weights import MAX_WIDTH, pack_weights
from treeviz.style.faults import describe_fault
from treeviz.training.background import MAX_ITERATIONS
from treeviz.training.finished import ShownRun
from treeviz.training.kept import Kept
from treeviz.training.trace import Trace

Run = TypeVar("Run", bound=ShownRun, covariant=True)
MAX_FRAMES_AN_ANSWER = 4
# The section of the page about the method that says why a phase does what it does, where it is not "iteration".
WHY = {"search": "trees", "sketch": "sketch", "precondition": "sketch", "move": "moving", "repair": "moving"}


# The frames asked for last, of all runs of this process: students of a class ask for the same ones. In characters: one
# frame takes about 60,000.
_KEPT: Kept[str] = Kept(room=64_000_000, size_of=len)


class FrameMaker(Generic[Run]):
    """Makes frames of one run for all its viewers.

    Parameters
    ----------
    run : the run shown.
    is_portable : whether an address can name the data; a file cannot be in it.
    key : a name of its settings. `run_key` is that of this very run: the same settings may be run again later.
    """

    def __init__(self, run: Run, key: str, *, is_portable: bool = True) -> None:
        self.is_portable = is_portable
        self.run, self.key, self.run_key = run, key, f"{key}-{uuid.uuid4().hex[:8]}"
        self._badges: dict[int, Badge] = {}
        self._draws_all = run.trace.num_drawn == run.config.width
        # Away from the datapoints neurons may fire that are not drawn.
        self._is_planar, self._data = is_planar(run.data) and self._draws_all, describe_data(run.data)
        self._field: OutputField | None = None
        self._field_error = ""
        # A pass over all neurons and a thousand inputs: no answer waits for it.
        parts = (run.trace, weakref.ref(self))
        self._field_maker = threading.Thread(target=_make_field, args=parts, name="treeviz-field", daemon=True)
        if self._is_planar:
            self._field_maker.start()

    def wait_for_field(self) -> None:
        """Wait until the outputs over the input plane can be had, of data that have one."""
        if self._is_planar:
            self._field_maker.join()

    def header(self) -> dict[str, Any]:
        """Return what stays the same for the whole run."""
        config, data = self.run.config, self.run.data
        width = self.run.trace.num_drawn
        posted = posted_phases(self.run.trace)
        return {
            "run": self.run_key,
            "settings": self.key,
            "portable": self.is_portable,
            "points": data.num_points,
            "width": width,
            "threshold": config.resolved_threshold,
            "phases": [_describe_phase(name) for name in phases(config, posted)],
            "code": [
                {"phase": line.phase, "text": line.text, "indent": line.indent, "note": line.note}
                for line in pseudocode(config, posted)
            ],
            "levels": level_sizes(width),
            "targets": seven_digits(data.y),
            "data": self._data,
            "details": DETAILS,
            "detail": DEFAULT_DETAIL,
            "opened": MAX_OPENED,
            "iterations": MAX_ITERATIONS,
            "planar": self._is_planar,
            "movable": MAX_WIDTH if self._draws_all else 0,
            "skin": self._skin,
            "fault": None if config.fault is None else asdict(describe_fault(config.fault)),
        }

    @property
    def _skin(self) -> float | None:
        """The skin of a run through watch lists that has a record; None for any other search."""
        records = self.run.trace.records
        report = records[0].watch if records else None
        return None if report is None else report.skin

    def status(self) -> dict[str, Any]:
        """Return how far the run has come, and the exactness of every iteration so far."""
        run = self.run
        is_finished = run.is_finished  # asked first: the run goes on meanwhile
        computed = run.num_computed
        return {
            "computed": computed,
            "finished": is_finished,
            "behind": run.dense_is_behind or (not run.why_unchecked and len(run.checks) < computed),
            "badges": [self.badge(iteration) for iteration in range(computed)],
        }

    def badge(self, iteration: int) -> Badge:
        """Say whether an iteration is exact."""
        badge = self._badges.get(iteration)
        if badge is None:
            badge = describe_exactness(self.run, iteration)
            is_compared = not (self.run.config.fault and self.run.dense_is_behind)
            if badge["state"] in ("exact", "wrong") and is_compared:
                self._badges[iteration] = badge  # nothing to come can change it
        return badge

    def answer(self, view: View, iterations: Sequence[int], fields: Sequence[int], **rest: object) -> bytes:
        """Return header, status and the frames and output fields of some iterations, compressed.

        Of those that are computed; `rest` is sent with them as it is.
        """
        known, fields = (
            [i for i in dict.fromkeys(asked) if 0 <= i < self.run.num_computed][:MAX_FRAMES_AN_ANSWER]
            for asked in (iterations, fields)
        )
        frames = ",".join(self.frame(view, iteration) for iteration in known)
        rest = {"header": self.header(), "status": self.status(), "fields": self.fields(fields), **rest}
        return zlib.compress(f'{{"frames":[{frames}],{_dumps(rest)[1:]}'.encode(), 4)

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of an iteration of this run, in order."""
        return phases(self.run.config, posted_phases(self.run.trace))

    def drawn_nodes(self, view: View, iteration: int) -> list[int]:
        """Return the heap numbers of the nodes drawn."""
        nodes: list[int] = json.loads(self.frame(view, iteration))["nodes"]["id"]
        return nodes

    def num_steps(self, view: View, iteration: int, phase: str) -> int:
        """Return the number of small steps a phase has."""
        return len(json.loads(self.frame(view, iteration))["script"][phase])

    def fields(self, iterations: list[int]) -> dict[str, Any] | None:
        """Return the outputs over the input plane in some iterations; None for data that lie in no plane, or not yet.

        Values are in thousandths; rows run along v from its lower end, columns along u. If they cannot be computed, an
        `error` says why.
        """
        field = self._field
        if self._field_error:
            return {"error": self._field_error}
        if field is None:
            return None
        return {
            "extent": seven_digits(np.array(field.extent)),
            "values": {i: thousandths(field.values(i)) for i in iterations},
        }

    def inspect(self, neuron: int | None, point: int, moments: Sequence[int]) -> dict[str, Any] | None:
        """Return one neuron as seen from one datapoint, after some numbers of moves, if one is asked for."""
        if neuron is None:
            return None
        computed = self.run.num_computed
        known = [moment for moment in dict.fromkeys(moments) if 0 <= moment <= computed][:MAX_FRAMES_AN_ANSWER]
        return inspect_neuron(self.run.trace, neuron, point, known, computed)

    def weights(self, iteration: int | None) -> dict[str, Any] | None:
        """Return all weights before the move of an iteration, if they are asked for and datapoints can be moved."""
        is_movable = self._is_planar and self.run.trace.num_drawn <= MAX_WIDTH
        if iteration is None or iteration >= self.run.num_computed or not is_movable:
            return None
        return pack_weights(self.run.trace, iteration)

    def frame(self, view: View, iteration: int) -> str:
        """Return one frame as JSON. Cost: one replay of the tree, and a few operations a drawn node."""
        kept = _KEPT.get(self, (view, iteration))
        if kept is None:
            is_lasting = view.pinned is None or view.pinned < self.run.num_computed  # else compared with the latest
            kept = _dumps(pack_frame(self.run.trace, view, iteration))
            if is_lasting:
                _KEPT.put(self, (view, iteration), kept)
        return kept


def _describe_phase(name: str) -> dict[str, Any]:
    phase = PHASES[name]
    return {
        "id": name,
        "title": phase.title,
        "section": WHY.get(name, "iteration"),
        "entersNodes": phase.enters_nodes,
        "hasDualStep": phase.has_dual_step,
        "hasMove": phase.has_move,
        "isAfterMove": phase.is_after_move,
    }


def _make_field(trace: Trace, reference: "weakref.ref[FrameMaker[ShownRun]]") -> None:
    """Compute the outputs over the input plane for a maker, which may be gone before they are ready."""
    field, error = None, ""
    try:
        field = OutputField(trace)
        field.values(0)
    except Exception as fault:  # for the page to show: a thread has no caller to raise to
        field, error = None, f"{type(fault).__name__}: {fault}"
    if (maker := reference()) is not None:
        maker._field, maker._field_error = field, error


def _dumps(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
