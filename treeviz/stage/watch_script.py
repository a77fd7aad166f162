"""The script of what watch lists do in their own way: firing neurons are read off a list, and few are looked at.

The lists keep no tree. The stage still draws one, to show where the watched neurons are: in the search phase it
is entered where it holds watched neurons, and in the repair its values become those after the move, the leaves that
come to the threshold one by one.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from treeviz.model.numerals import agree, count, decimals
from treeviz.stage.pictures.detail import DrawnTree
from treeviz.stage.pictures.watched import WatchList
from treeviz.stage.script_parts import (
    FORWARD,
    MOVE,
    Heap,
    Line,
    Scene,
    SearchScript,
    Step,
    Teller,
    length,
)
from treeviz.style.palette import percent
from treeviz.training.record import StepRecord

_LIST = (
    "List i: the neurons that may fire on datapoint i. b: the threshold; z_ri = w_r·x_i: neuron r on datapoint i. The "
    "skin: how far below b a pair is watched. Promoted: moved farther than the skin, so on every list."
)
_MARK = "A mark was set when its neuron was last looked at. S_i: the neurons that fire on datapoint i."
_SEARCH = (
    Line(
        "search",
        "for each datapoint i: read list i, with all z_ri that were ≥ b − skin",
        _LIST,
        value=lambda scene: f"i = {scene.point}: {count(_list_of(scene).neurons.size, 'neuron')} on it",
    ),
    Line("search", "marked: neuron r fires, r is in S_i", _MARK, 1, lambda scene: scene.firing_here),
    Line(
        "search",
        "not marked: watched, does not fire",
        _MARK,
        1,
        lambda scene: f"i = {scene.point}: {_list_of(scene).neurons.size - scene.drawn.step.firing.size:,}",
    ),
    Line(
        "forward",
        "f_i ← o_i − (1/m) Σ K_ij C_ij h_j over all j",
        "f_i: the output on datapoint i, (1/√m) Σ a_r (z_ri − b) over S_i, from sums that are kept. o_i changes only "
        "when S_i does. C_ij: how many neurons fire on both. h: all dual steps so far. K: products of the datapoints.",
        value=FORWARD.value,
    ),
)
_DRIFT = "Drift: how far w_r is from where it started."
_MOVE = (
    Line(
        "move",
        "h ← h + g",
        "h: all dual steps so far. By this all neurons that fire have moved; none is visited.",
        value=lambda scene: f"‖g‖ = {length(scene.record.dual_step)}",
    ),
    Line(
        "move",
        "so w_r moved by −(a_r/√m) Σ g_i x_i over i in T_r",
        "w_r: weights of neuron r. T_r: datapoints on which it fires. x_i: datapoint i.",
        1,
        MOVE[0].value,
    ),
    Line(
        "repair",
        "for each r that is due: look at its watched z_ri",
        f"Due: by now one of its z_ri may have come to b, or its drift to the skin. {_DRIFT}",
        value=lambda scene: f"{_list_of(scene).report.num_due:,} of {_list_of(scene).num_listed:,} are due",
    ),
    Line(
        "repair",
        "z_ri crossed b: r joins or leaves S_i",
        "Only now are o and C brought up to date.",
        1,
        lambda scene: count(_list_of(scene).report.num_changed, "neuron"),
    ),
    Line(
        "repair",
        "drift > skin: promote r",
        f"{_DRIFT} Promoted: from now on r is on the lists of all datapoints.",
        1,
        lambda scene: f"{_list_of(scene).report.promoted.size:,}; so far {_list_of(scene).num_promoted:,}",
    ),
)


def _list_of(scene: Scene) -> WatchList:
    if scene.listed is None:
        raise ValueError("a run through watch lists is told with the list of the tree's datapoint")
    return scene.listed


def _tellers(scene: Scene) -> Mapping[str, Teller]:
    record, drawn, listed, drifts = scene.record, scene.drawn, _list_of(scene), scene.drifts
    assert drifts is not None  # there are some wherever there is a list
    return {
        "search": lambda line: _read(scene, listed, line),
        "repair": lambda line: _look(record, drawn, listed, drifts, line),
    }


def _read(scene: Scene, listed: WatchList, line: int) -> Iterator[Step]:
    """Tell the list from left to right, a watched leaf or a stub with watched neurons at a time."""
    record, drawn = scene.record, scene.drawn
    step, num_watched, marked, unmarked = drawn.step, drawn.count(listed.neurons), line + 1, line + 2
    yield Step(
        line,
        f"No tree is searched. List {step.point} has {count(listed.neurons.size, 'neuron')} of {step.num_leaves:,} "
        f"({percent(listed.neurons.size / step.num_leaves)}): of those that fired anywhere at the start, those whose "
        f"leaf here was at least b − skin = {decimals(listed.lowered)}{_and_promoted(listed)}.",
    )
    ends = np.flatnonzero(drawn.is_end & (num_watched > 0))
    for row in ends[np.argsort(drawn.x[ends])]:
        if drawn.is_stub[row]:
            text = (
                f"Stub {drawn.nodes[row]:,} holds {count(int(drawn.num_neurons[row]), 'neuron')} not drawn here. On "
                f"the list: {num_watched[row]:,} of them. Firing: {drawn.num_firing[row]:,}."
            )
            yield Step(marked if drawn.num_firing[row] else unmarked, text, int(row))
        else:
            yield Step(marked if drawn.passes[row] else unmarked, _describe_watched(drawn, listed, int(row)), int(row))
    never, far = step.num_leaves - listed.num_listed, listed.num_listed - listed.neurons.size
    reason = " and have moved less, so they cannot fire" if scene.is_sound else ""
    yield Step(
        marked,
        f"List {step.point} is read: {count(step.firing.size, 'firing neuron')}. Of those not on it, {never:,} fired "
        f"nowhere at the start, so they never move; {far:,} were more than the skin below b here{reason}."
        f"{' The other lists are read in the same way.' if len(record.firing) > 1 else ''}",
    )


def _and_promoted(listed: WatchList) -> str:
    if not listed.promoted.size:
        return ""
    return f", and the {count(listed.promoted.size, 'neuron')} promoted since"


def _describe_watched(drawn: DrawnTree, listed: WatchList, row: int) -> str:
    b, lowered, value, neuron = drawn.step.threshold, listed.lowered, float(drawn.before[row]), int(drawn.neuron[row])
    start = float(listed.initial[neuron])
    if drawn.passes[row]:
        return f"Neuron {neuron:,} is marked: its leaf is {decimals(value, b)} ≥ b = {decimals(b, value)}, so it fires."
    why = (
        f"its leaf was {decimals(start, lowered)} ≥ b − skin = {decimals(lowered, start)} at the start"
        if start >= lowered
        else "it has been promoted"
    )
    return (
        f"Neuron {neuron:,} is watched, because {why}. Its leaf is {decimals(value, b)} < b = {decimals(b, value)}, so "
        "it does not fire."
    )


def _look(
    record: StepRecord, drawn: DrawnTree, listed: WatchList, drifts: Mapping[int, float], line: int
) -> Iterator[Step]:
    """Tell how many neurons are due, then which drawn leaves cross the threshold and which neurons are promoted."""
    step, report, skin = drawn.step, listed.report, listed.report.skin
    crosses = drawn.starts_firing | drawn.stops_firing
    heap, crossed, promote = Heap(drawn), line + 1, line + 2
    if not record.dual_step.any():
        yield Step(line, "Nothing moved, so no neuron is due.")
        return
    yield Step(
        line,
        f"Due, because a leaf may have come to b or a drift to the skin: {report.num_due:,} of the "
        f"{count(listed.num_listed, 'neuron')} with a list. The other {listed.num_listed - report.num_due:,} are not "
        "looked at.",
        writes=heap.write(np.flatnonzero(drawn.is_end & ~crosses)),
    )
    b = step.threshold
    for row in np.flatnonzero(crosses):
        stale, fresh = float(drawn.before[row]), float(drawn.after[row])
        outcome = "≥ b = {}: it now fires" if drawn.starts_firing[row] else "< b = {}: it no longer fires"
        yield Step(
            crossed,
            f"Neuron {drawn.neuron[row]:,} was due. In tree {step.point} its leaf goes from "
            f"{decimals(stale, fresh)} to {decimals(fresh, stale)} {outcome.format(decimals(b, fresh))} on datapoint "
            f"{step.point}.",
            int(row),
            heap.write(np.array([row])),
        )
    for row in np.flatnonzero(np.isin(drawn.neuron, report.promoted)):
        drift = drifts[int(drawn.neuron[row])]
        yield Step(
            promote,
            f"Neuron {drawn.neuron[row]:,} is now {decimals(drift, skin)} from where it started, farther than the skin "
            f"{decimals(skin, drift)}: it is promoted. From the next iteration on it is on all lists.",
            int(row),
        )
    old, new = (values[step.num_leaves :] >= b for values in (step.before, step.after))
    yield Step(
        promote if report.promoted.size else crossed,
        f"Of those looked at, {report.num_changed:,} now fire on other datapoints than before, and "
        f"{report.promoted.size:,} {agree(report.promoted.size, 'was', 'were')} promoted, {listed.num_promoted:,} "
        f"so far. On datapoint {step.point}, {count(int((new & ~old).sum()), 'neuron')} will start and "
        f"{int((old & ~new).sum()):,} will stop firing.",
    )


WATCH = SearchScript(search=_SEARCH, move=_MOVE, tellers=_tellers)
