"""The numbers that a lesson's texts, conditions and questions may name, each taken from the run on the stage."""

import math
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from treeviz.model.heap import deepest_level, tree_size
from treeviz.model.numerals import count, decimals, numeral
from treeviz.style.palette import percent
from treeviz.training.record import StepRecord, TreeStep
from treeviz.training.trace import Trace

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}
_CONDITION = re.compile(rf"\s*(\w+)\s*({'|'.join(_COMPARISONS)})\s*(\w+|[0-9.eE+-]+)\s*")
_DIGITS = 3


@dataclass(frozen=True)
class TreeMoment:
    """One tree of a run in one iteration, which must have been computed."""

    trace: Trace
    tree: int
    iteration: int

    @property
    def record(self) -> StepRecord:
        """The record of the iteration."""
        return self.trace.records[self.iteration]

    @cached_property
    def step(self) -> TreeStep:
        """The tree before and after the move. Cost: one replay."""
        return self.trace.replay(self.tree, self.iteration)

    @cached_property
    def dense_operations(self) -> int:
        """Operations of the dense method that needs the fewest, in the same iteration."""
        return sum(self.trace.dense_costs(self.record).values())

    def find(self, name: str) -> float:
        """Return the number of this name; ValueError if there is none."""
        if name not in NUMBERS:
            raise ValueError(f"there is no number {name!r}; there are {', '.join(NUMBERS)}")
        return float(NUMBERS[name].find(self))

    def holds(self, condition: str) -> bool:
        """Return whether a comparison of two numbers holds, such as "operations < dense_operations"."""
        left, comparison, right = read_condition(condition)
        return _COMPARISONS[comparison](self._value(left), self._value(right))

    def _value(self, text: str) -> float:
        return self.find(text) if text in NUMBERS else float(text)

    def fill(self, text: str) -> str:
        """Return a text with its numbers filled in: {width}, {firing:neuron} as "3 neurons", {touched_share:%}."""
        pieces = []
        for before, name, form, _ in string.Formatter().parse(text):
            pieces.append(before)
            if name is not None:
                pieces.append(_write(self.find(name), form or "", is_of_nodes=NUMBERS[name].is_of_nodes))
        return "".join(pieces)


def _write(value: float, form: str, *, is_of_nodes: bool) -> str:
    if not math.isfinite(value):
        return "no number yet"
    if form == "%":
        return percent(value)
    if form:
        return count(round(value), form)
    is_whole = abs(value) < 1e15 and value == round(value)
    if is_whole:
        return f"{round(value):,}"
    return decimals(value) if is_of_nodes else numeral(value, _DIGITS)


def check_text(text: str) -> None:
    """Raise ValueError if a text names a number that there is not, or in a way that cannot be written."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"its braces do not match ({error}); write {{{{ for a brace itself") from None
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if name not in NUMBERS:
            raise ValueError(f"it names the number {{{name}}}; there are {', '.join(NUMBERS)}")
        if conversion or (form and form != "%" and not re.fullmatch(r"[a-z]+", form)):
            raise ValueError(f"after {{{name}: may stand % or the thing that is counted, such as {{firing:neuron}}")


def read_condition(condition: str) -> tuple[str, str, str]:
    """Return the left side, the comparison and the right side; ValueError if it is no comparison of known numbers."""
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"{condition!r} is no comparison; write one such as 'operations < dense_operations'")
    left, comparison, right = match.groups()
    for side in (left, right):
        if side not in NUMBERS and not _is_number(side):
            raise ValueError(f"{condition!r} names the number {side!r}; there are {', '.join(NUMBERS)}")
    return left, comparison, right


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Number:
    """A number that a lesson may name: what it is, how it is found, whether it is written as values of nodes are."""

    means: str
    find: Callable[[TreeMoment], float]
    is_of_nodes: bool = False


def _first_below(goal: float) -> Callable[[TreeMoment], float]:
    def find(moment: TreeMoment) -> float:
        return next((r.iteration for r in moment.trace.records if r.loss <= goal), math.inf)

    return find


def _paid_off(moment: TreeMoment) -> float:
    own, dense = sum(moment.trace.build_costs.values()), 0
    for record in moment.trace.records:
        own += record.num_operations
        dense += sum(moment.trace.dense_costs(record).values())
        if own < dense:
            return record.iteration + 1
    return math.inf


def _so_far(moment: TreeMoment, *, of_dense: bool) -> float:
    records = moment.trace.records[: moment.iteration + 1]
    if of_dense:
        return sum(sum(moment.trace.dense_costs(record).values()) for record in records)
    return sum(record.num_operations for record in records) + sum(moment.trace.build_costs.values())


def _repaired(moment: TreeMoment) -> float:
    config, record, num_points = moment.trace.config, moment.record, moment.trace.dataset.num_points
    if config.search != "forest" or "repair" not in record.costs:
        return 0
    batch = config.mini_batch(num_points, record.iteration)
    learned = record.firing if batch is None else record.firing.on(batch)
    return record.costs["repair"] / num_points - learned.num_pairs  # what is left is nodes, as many in each tree


NUMBERS: dict[str, Number] = {
    "points": Number("datapoints n, as many as trees", lambda at: at.trace.dataset.num_points),
    "dimension": Number("entries d of a datapoint", lambda at: at.trace.dataset.dimension),
    "width": Number("neurons m", lambda at: at.trace.config.width),
    "drawn": Number("neurons drawn, as many as leaves in a tree: m, or those that fire", lambda at: at.trace.num_drawn),
    "pairs": Number(
        "inner products of all neurons with all datapoints, m n",
        lambda at: at.trace.config.width * at.trace.dataset.num_points,
    ),
    "levels": Number("levels of the tree, that of the root included", lambda at: deepest_level(at.trace.num_drawn) + 1),
    "threshold": Number("the threshold b", lambda at: at.trace.config.resolved_threshold, is_of_nodes=True),
    "tree": Number("the datapoint whose tree is shown", lambda at: at.tree),
    "iteration": Number("the iteration shown, from 0", lambda at: at.iteration),
    "iterations": Number(
        "iterations computed so far; with whole_run, all of the run", lambda at: len(at.trace.records)
    ),
    "loss": Number("½‖f − y‖² before the move of the iteration", lambda at: at.record.loss),
    "first_loss": Number("loss before the first move", lambda at: at.trace.records[0].loss),
    "last_loss": Number("loss of the last iteration computed", lambda at: at.trace.records[-1].loss),
    "highest_loss": Number("highest loss so far", lambda at: max(record.loss for record in at.trace.records)),
    "highest_at": Number(
        "iteration with the highest loss so far",
        lambda at: max(at.trace.records, key=lambda record: record.loss).iteration,
    ),
    "to_a_millionth": Number("first iteration with a loss of at most 10⁻⁶, once there is one", _first_below(1e-6)),
    "output": Number("output f on the datapoint", lambda at: at.record.outputs[at.tree]),
    "target": Number("target y of the datapoint", lambda at: at.trace.dataset.y[at.tree]),
    "residual": Number("output minus target of the datapoint", lambda at: at.record.residual[at.tree]),
    "dual": Number("the datapoint's entry of the dual step g", lambda at: at.record.dual_step[at.tree]),
    "firing": Number("neurons that fire on the datapoint", lambda at: at.step.firing.size),
    "firing_share": Number(
        "share of all neurons that fire on it", lambda at: at.step.firing.size / at.trace.config.width
    ),
    "firing_after": Number(
        "neurons that fire on it after the move",
        lambda at: int((at.step.after[at.step.num_leaves :] >= at.step.threshold).sum()),
    ),
    "fired_before": Number(
        "neurons that fired on it in the iteration before; in the first, those that fire now",
        lambda at: at.trace.records[max(0, at.iteration - 1)].firing.counts[at.tree],
    ),
    "largest": Number("value of the root: the largest leaf", lambda at: at.step.before[1], is_of_nodes=True),
    "nodes": Number("nodes of one tree, 2m − 1", lambda at: tree_size(at.step.num_leaves)),
    "visited": Number(
        "nodes of the tree that a search of it reads, also where the run searches in another way",
        lambda at: at.step.visited.size,
    ),
    "visited_share": Number(
        "share of the tree's nodes that a search of it reads",
        lambda at: at.step.visited.size / tree_size(at.step.num_leaves),
    ),
    "visited_per_leaf": Number(
        "nodes that a search of the tree reads, for each of its leaves",
        lambda at: at.step.visited.size / at.step.num_leaves,
    ),
    "visited_total": Number("nodes that the searches read in all trees", lambda at: int(at.record.num_visited.sum())),
    "modified": Number("nodes of the tree that the move changes", lambda at: at.step.modified.size),
    "modified_share": Number(
        "share of the tree's nodes that the move changes",
        lambda at: at.step.modified.size / tree_size(at.step.num_leaves),
    ),
    "repaired": Number(
        "nodes of each tree that the repair writes or recomputes, each once; 0 for another search", _repaired
    ),
    "firing_pairs": Number(
        "pairs of a datapoint and a neuron that fires on it, in all trees", lambda at: at.record.firing.num_pairs
    ),
    "changes_per_leaf": Number(
        "datapoints on which a neuron fires, on average over all: multiply-adds that change a leaf",
        lambda at: at.record.firing.num_pairs / at.trace.config.width,
    ),
    "touched": Number("neurons that fire on some datapoint: all that move", lambda at: at.record.touched.size),
    "touched_share": Number(
        "share of all neurons that move", lambda at: at.record.touched.size / at.trace.config.width
    ),
    "operations": Number("operations of the iteration", lambda at: at.record.num_operations),
    "dense_operations": Number("those of the dense method that needs the fewest", lambda at: at.dense_operations),
    "times_fewer": Number(
        "dense operations over operations, of the iteration", lambda at: at.dense_operations / at.record.num_operations
    ),
    "product_operations": Number(
        "those of the dense method for all inner products, each compared with b",
        lambda at: at.trace.dense_costs(at.record)["search"],
    ),
    "saving": Number(
        "dense operations minus operations, of the iteration", lambda at: at.dense_operations - at.record.num_operations
    ),
    "build_operations": Number("operations of building, once", lambda at: sum(at.trace.build_costs.values())),
    "total_operations": Number(
        "operations of building and of all iterations up to this one", lambda at: _so_far(at, of_dense=False)
    ),
    "dense_total_operations": Number(
        "those of the dense method up to this iteration", lambda at: _so_far(at, of_dense=True)
    ),
    "amortized": Number(
        "operations an iteration with building spread over them, up to this one",
        lambda at: _so_far(at, of_dense=False) / (at.iteration + 1),
    ),
    "paid_off": Number(
        "iterations until the dense method has spent more operations, building included, once it has",
        _paid_off,
    ),
    "watched": Number(
        "pairs of a neuron and a datapoint on watch lists; 0 for another search",
        lambda at: at.record.watch.num_watched if at.record.watch else 0,
    ),
    "looked_at": Number(
        "neurons that watch lists look at in the iteration; 0 for another search",
        lambda at: at.record.watch.num_due if at.record.watch else 0,
    ),
    "unlearnable": Number("datapoints that cannot be learned", lambda at: len(at.record.unlearnable)),
}
