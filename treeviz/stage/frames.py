"""What the stage is sent: one frame an iteration and tree, made from the records, as compressed JSON.

The browser owns the cursor and asks for the frames it lacks; nothing is sent twice unless it asks twice. A frame holds
everything about one iteration seen from one tree: the drawn nodes, every small step with its sentence, the atlas of
all trees, the neurons in their plane. So playing, stepping and jumping within what has arrived need no server.
"""

import json
import threading
import uuid
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from treeviz.model.heap import level_sizes
from treeviz.model.phases import PHASES
from treeviz.stage.exactness import describe_exactness
from treeviz.stage.pictures.detail import DrawnTree, draw_tree
from treeviz.stage.pictures.field import OutputField, is_planar
from treeviz.stage.pictures.geometry import neuron_plane
from treeviz.stage.pictures.watched import WatchList, leaves_to_show, watch_list
from treeviz.stage.script import phases, posted_phases, pseudocode, write_script
from treeviz.style.palette import count, count_firing, percent
from treeviz.style.searches import describe_search
from treeviz.style.sentences import describe_watching
from treeviz.training.background import CONVERGED_LOSS, MAX_ITERATIONS, BackgroundRun
from treeviz.training.record import StepRecord, TreeStep
from treeviz.training.trace import Trace

DETAILS = (63, 127, 255, 599)
DEFAULT_DETAIL = 127
MAX_OPENED = 12
MAX_FRAMES_AN_ANSWER = 4
_MAX_FRAMES_KEPT = 64
_MAX_LEAF_VALUES = 24_000


@dataclass(frozen=True, slots=True)
class View:
    """How a viewer looks at a run: which tree, how many nodes at most, stubs opened, and a pinned iteration or None."""

    tree: int = 0
    detail: int = DEFAULT_DETAIL
    opened: tuple[int, ...] = ()
    pinned: int | None = None

    @classmethod
    def from_request(cls, request: Mapping[str, Any], num_points: int, width: int) -> "View":
        """Read what a browser sent; whatever does not fit becomes the nearest thing that does."""
        given, pinned = request.get("opened"), request.get("pinned")
        opened = [node for node in given if type(node) is int] if isinstance(given, list) else []
        return cls(
            tree=whole_number(request.get("tree"), 0, num_points - 1) or 0,
            detail=whole_number(request.get("detail"), DETAILS[0], DETAILS[-1]) or DEFAULT_DETAIL,
            opened=tuple(dict.fromkeys(node for node in opened if 1 <= node < 2 * width))[-MAX_OPENED:],
            pinned=whole_number(pinned, 0, MAX_ITERATIONS - 1),
        )


def whole_number(value: object, low: int, high: int) -> int | None:
    """Return the nearest whole number in range; None if `value` is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, low), high))


class FrameMaker:
    """Makes frames of one run for all its viewers, and keeps the latest.

    Parameters
    ----------
    run : the run shown.
    is_portable : whether an address can name the data; a file cannot be in it.
    key : a name of its settings. `run_key` is that of this very run: the same settings may be run again later.
    """

    def __init__(self, run: BackgroundRun, key: str, *, is_portable: bool = True) -> None:
        self.is_portable = is_portable
        self.run, self.key, self.run_key = run, key, f"{key}-{uuid.uuid4().hex[:8]}"
        self._kept: OrderedDict[tuple[View, int], str] = OrderedDict()
        self._badges: dict[int, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._is_planar = is_planar(run.data)
        self._field: OutputField | None = None
        self._field_error = ""
        if self._is_planar:  # a pass over all neurons and a thousand inputs: no answer waits for it
            parts = (run.trace, weakref.ref(self))
            threading.Thread(target=_make_field, args=parts, name="treeviz-field", daemon=True).start()

    def header(self) -> dict[str, Any]:
        """Return what stays the same for the whole run."""
        config, data = self.run.config, self.run.data
        width = config.width
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
            "targets": _rounded(data.y),
            "details": DETAILS,
            "detail": DEFAULT_DETAIL,
            "opened": MAX_OPENED,
            "iterations": MAX_ITERATIONS,
            "planar": self._is_planar,
            "skin": self._skin,
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
            "behind": run.dense_is_behind or len(run.checks) < computed * run.is_checked,
            "badges": [self.badge(iteration) for iteration in range(computed)],
        }

    def badge(self, iteration: int) -> dict[str, str]:
        """Say whether an iteration is exact: state "exact", "wrong", "waiting" or "off", with the numbers."""
        badge = self._badges.get(iteration)
        if badge is None:
            badge = describe_exactness(self.run, iteration)
            if badge["state"] in ("exact", "wrong"):
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
        return zlib.compress(f'{{"frames":[{frames}],{_dumps(rest)[1:]}'.encode(), 6)

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
            "extent": _rounded(np.array(field.extent)),
            "points": _rounded(field.coordinates),
            "values": {i: _thousandths(field.values(i)) for i in iterations},
        }

    def frame(self, view: View, iteration: int) -> str:
        """Return one frame as JSON. Cost: one replay of the tree, and a few operations a drawn node."""
        with self._lock:
            kept = self._kept.get((view, iteration))
        if kept is None:
            is_lasting = view.pinned is None or view.pinned < self.run.num_computed  # else compared with the latest
            kept = _dumps(self._make(view, iteration))
            if not is_lasting:
                return kept
            with self._lock:
                self._kept[view, iteration] = kept
                while len(self._kept) > _MAX_FRAMES_KEPT:
                    self._kept.popitem(last=False)
        return kept

    def _make(self, view: View, iteration: int) -> dict[str, Any]:
        trace = self.run.trace
        record = trace.records[iteration]
        is_compared = view.pinned is not None
        if is_compared:
            step = trace.compare(view.tree, min(view.pinned or 0, len(trace.records) - 1), iteration)
        else:
            step = trace.replay(view.tree, iteration)
        listed = None if record.watch is None else watch_list(trace, view.tree, iteration)
        also = [] if listed is None else leaves_to_show(listed, step)
        drawn = draw_tree(step, view.detail, view.opened, also)
        neurons = np.sort(drawn.neuron[drawn.is_leaf])
        plane = neuron_plane(trace, view.tree, iteration, include=neurons)
        script = {}
        if not is_compared:
            script = {
                phase: [[s.line, s.text, s.row, _rounded_pairs(s.writes)] for s in steps]
                for phase, steps in write_script(trace, record, drawn, listed).items()
            }
        return {
            "view": {"tree": view.tree, "detail": view.detail, "opened": view.opened, "pinned": view.pinned},
            "iteration": iteration,
            "summary": _compare(step, iteration) if is_compared else self._summarize(step, listed),
            "record": _describe_record(record),
            "nodes": _node_table(drawn, listed),
            "leaves": self._leaves(drawn, iteration, step.iteration if is_compared else None, listed),
            "script": script,
            "watch": None if listed is None else _pack_lists(trace, record, listed),
            "visited": record.visited_levels.tolist(),
            "modified": record.modified_levels.tolist(),
            "plane": {
                "neurons": plane.neurons.tolist(),
                "before": _rounded(plane.before),
                "after": _rounded(plane.after),
                "fires": _bits(plane.fires_before),
                "will_fire": _bits(plane.fires_after),
                "touched": _bits(plane.touched),
                "will_touch": _bits(np.any(trace.leaf_rows(plane.neurons, iteration + 1) >= plane.threshold, axis=1)),
                "ever": _bits(plane.ever),
                "normal": _rounded(plane.normal),
                "threshold": plane.threshold,
                "labels": plane.labels,
                "caption": plane.caption,
            },
        }

    def _summarize(self, step: TreeStep, listed: WatchList | None) -> str:
        """Say what happened to a tree in an iteration, or to the list it stands for."""
        found = count_firing(step.firing.size)
        if describe_search(self.run.config.search).searches_trees:
            num_nodes = 2 * step.num_leaves - 1
            return (
                f"Tree {step.point}: {count(step.visited.size, 'node')} searched, {found}, {step.modified.size:,} of "
                f"{num_nodes:,} nodes modified ({percent(step.modified.size / num_nodes)})."
            )
        if listed is not None:
            found = f"{listed.neurons.size:,} of {count(step.num_leaves, 'neuron')} on its list, and {found}"
        return f"Tree {step.point}: {found}. The tree shows where they are; no step uses it."

    def _leaves(
        self, drawn: DrawnTree, iteration: int, pinned: int | None, listed: WatchList | None
    ) -> dict[int, list[Any]]:
        """Return, per drawn leaf, its values in all trees before and after, in thousandths, and where it fires.

        For as many leaves as there is room for, those whose value changes across the threshold first. In a run through
        watch lists, also the datapoints on whose lists the neuron is.
        """
        trace, threshold = self.run.trace, self.run.config.resolved_threshold
        rows = np.flatnonzero(drawn.is_leaf)
        importance = np.where(drawn.starts_firing | drawn.stops_firing, 2, 0) + drawn.passes
        rows = rows[np.argsort(-importance[rows], kind="stable")][
            : max(1, _MAX_LEAF_VALUES // (2 * len(self.run.data.y)))
        ]
        rows = np.sort(rows)
        neurons = drawn.neuron[rows]  # ascending on each level; leaves of two levels are out of order
        order = np.argsort(neurons)
        earlier, later = (iteration, iteration + 1) if pinned is None else (pinned, iteration)
        before = trace.leaf_rows(neurons[order], earlier)
        after = trace.leaf_rows(neurons[order], later)
        leaves: dict[int, list[Any]] = {
            int(rows[place]): [
                _thousandths(before[at]),
                _thousandths(after[at]),
                np.flatnonzero(before[at] >= threshold).tolist(),
                np.flatnonzero(after[at] >= threshold).tolist(),
            ]
            for at, place in enumerate(order)
        }
        if listed is not None:
            watched, neurons = trace.watched_pairs(iteration), trace.moving_neurons
            for row, columns in leaves.items():
                place = int(neurons.searchsorted(drawn.neuron[row]))
                has_list = place < neurons.size and neurons[place] == drawn.neuron[row]
                columns.append(np.flatnonzero(watched[place]).tolist() if has_list else [])
        return leaves


def _describe_phase(name: str) -> dict[str, Any]:
    phase = PHASES[name]
    return {
        "id": name,
        "title": phase.title,
        "entersNodes": phase.enters_nodes,
        "hasDualStep": phase.has_dual_step,
        "hasMove": phase.has_move,
        "isAfterMove": phase.is_after_move,
    }


def _make_field(trace: Trace, reference: "weakref.ref[FrameMaker]") -> None:
    """Compute the outputs over the input plane for a maker, which may be gone before they are ready."""
    field, error = None, ""
    try:
        field = OutputField(trace)
        field.values(0)
    except Exception as fault:  # for the page to show: a thread has no caller to raise to
        field, error = None, f"{type(fault).__name__}: {fault}"
    if (maker := reference()) is not None:
        maker._field, maker._field_error = field, error


def _describe_status(record: StepRecord) -> str:
    if record.loss <= CONVERGED_LOSS:
        return f"converged: the loss is {record.loss:.1e}, and what changes from here on is round-off"
    return "" if record.status == "ok" else record.status


def _describe_record(record: StepRecord) -> dict[str, Any]:
    return {
        "loss": f"{record.loss:.3e}",
        "residual": _rounded(record.residual),
        "dual": _rounded(record.dual_step),
        "status": _describe_status(record),
    }


def _compare(step: TreeStep, iteration: int) -> str:
    """Say how a tree differs between the pinned iteration and the one shown."""
    if step.iteration == iteration:
        return f"Iteration {iteration} is pinned. Go to another one (Shift + →) to see what differs there."
    num_nodes = 2 * step.num_leaves - 1
    return (
        f"Tree {step.point} at iteration {iteration}, compared with the pinned iteration {step.iteration}: "
        f"{step.modified.size:,} of {num_nodes:,} nodes differ ({percent(step.modified.size / num_nodes)})."
    )


def _pack_lists(trace: Trace, record: StepRecord, listed: WatchList) -> dict[str, Any]:
    """Return all watch lists in numbers, and the sentence that explains them."""
    return {
        "sentence": describe_watching(trace, record, listed.report),
        "listed": listed.num_listed,
        "watched": trace.watched_pairs(record.iteration).sum(axis=0).tolist(),
        "firing": record.firing.counts.tolist(),
    }


def _node_table(drawn: DrawnTree, listed: WatchList | None) -> dict[str, Any]:
    """Return the drawn nodes, column by column; kind 0 is an inner node, 1 a leaf, 2 a stub."""
    found: dict[str, Any] = {"visited": drawn.num_visited.tolist(), "entered": _bits(drawn.visited)}
    if listed is not None:  # no node was searched: entered are those that hold neurons of the list
        num_watched = drawn.count(listed.neurons)
        found = {
            "watched": num_watched.tolist(),
            "entered": _bits(num_watched > 0),
            "promoted": _bits(np.isin(drawn.neuron, listed.promoted)),
            "promotes": _bits(np.isin(drawn.neuron, listed.report.promoted)),
        }
    return found | {
        "id": drawn.nodes.tolist(),
        "parent": drawn.parent.tolist(),
        "x": [round(float(x), 2) for x in drawn.x],
        "depth": drawn.depth.tolist(),
        "kind": (drawn.is_leaf + 2 * drawn.is_stub).tolist(),
        "before": _rounded(drawn.before),
        "after": _rounded(drawn.after),
        "neurons": drawn.num_neurons.tolist(),
        "firing": drawn.num_firing.tolist(),
        "modified": drawn.num_modified.tolist(),
        "passes": _bits(drawn.passes),
        "changes": _bits(drawn.modified),
        "starts": _bits(drawn.starts_firing),
        "stops": _bits(drawn.stops_firing),
    }


def _bits(mask: np.ndarray) -> str:
    """Write a mask as a string of 0 and 1."""
    return "".join("1" if bit else "0" for bit in mask)


def _rounded(values: np.ndarray) -> list[Any]:
    """Round to seven digits, enough for every label; decisions are sent as masks, never left to rounded numbers."""
    if values.ndim > 1:
        return [_rounded(row) for row in values]
    return [float(f"{value:.7g}") for value in values]


def _rounded_pairs(pairs: tuple[tuple[int, float], ...]) -> list[list[float]]:
    return [[row, float(f"{value:.7g}")] for row, value in pairs]


def _thousandths(values: np.ndarray) -> list[int]:
    clipped = np.clip(np.rint(1000 * values), -1e12, 1e12)
    return [int(value) for value in np.ravel(clipped)]


def _dumps(content: object) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)
