"""The script of one iteration: phases, pseudocode, and every small step with its sentence, all made from the records.

A small step names the line of pseudocode it executes, the drawn node it is about, and the node values it writes; so a
player needs to know nothing of the algorithm. The search's steps are the drawn part of the trainer's own order. The
repair is told leaf by leaf on the drawn nodes, every stub's change going up first: each climb recomputes maxima and
stops where one does not change, and together they end at the very values the trainer's forest has after the move.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from treeviz.config import TrainConfig
from treeviz.network import Floats
from treeviz.trace import StepRecord, Trace
from treeviz.views.detail import DrawnTree, Mask
from treeviz.views.palette import percent, rounded


@dataclass(frozen=True, slots=True)
class Line:
    """A line of pseudocode, the phase it belongs to, and how deep it is indented."""

    phase: str
    text: str
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One small step: its line of pseudocode, its sentence, the drawn row it is about or -1, (row, value) it writes."""

    line: int
    text: str
    row: int = -1
    writes: tuple[tuple[int, float], ...] = ()


_SEARCH = (
    Line("search", "for each datapoint i: enter the root of tree i"),
    Line("search", "value < b: prune, nothing below can fire", 1),
    Line("search", "inner node ≥ b: enter both children", 1),
    Line("search", "leaf ≥ b: neuron r fires, r joins Sᵢ", 1),
    Line("forward", "fᵢ ← (1/√m) Σ aᵣ (zᵣᵢ − b) over r in Sᵢ"),
    Line("forward", "ρ ← f − y,  loss ← ½‖ρ‖²"),
    Line("jacobian", "J: row i holds aᵣ xᵢ/√m for each r in Sᵢ"),
)
_EXACT = (
    Line("solve", "G ← J Jᵀ = K∘C/m,  Cᵢⱼ = |Sᵢ ∩ Sⱼ|"),
    Line("solve", "solve G g = ρ  (Cholesky)"),
)
_SKETCH = (
    Line("sketch", "A ← S Jᵀ, S a random sketch"),
    Line("precondition", "Q, T ← qr(A),  R ← T⁻¹"),
    Line("solve", "solve J Jᵀ g = ρ by conjugate gradient with R"),
)
_MOVE = (
    Line("move", "for each r that fires anywhere (i in Tᵣ):"),
    Line("move", "wᵣ ← wᵣ − (aᵣ/√m) Σ gᵢ xᵢ over i in Tᵣ", 1),
    Line("repair", "write leaf r in all n trees"),
    Line("repair", "go up: node ← larger of its children", 1),
    Line("repair", "unchanged: stop", 1),
)


def pseudocode(config: TrainConfig) -> tuple[Line, ...]:
    """Return the lines of one iteration with this configuration."""
    return _SEARCH + (_EXACT if config.solver == "exact" else _SKETCH) + _MOVE


def phases(config: TrainConfig) -> tuple[str, ...]:
    """Return the phases of one iteration in order; the exact solver has no sketch and no preconditioner."""
    return tuple(dict.fromkeys(line.phase for line in pseudocode(config)))


def write_script(trace: Trace, record: StepRecord, drawn: DrawnTree) -> dict[str, list[Step]]:
    """Return the small steps of one iteration, seen from one tree, by phase; every phase has at least one.

    Cost: a few operations a drawn node, and the drawn leaves times n.
    """
    lines = pseudocode(trace.config)
    first = {phase: next(i for i, line in enumerate(lines) if line.phase == phase) for phase in phases(trace.config)}
    moves = Moves(trace, record, drawn.neuron[drawn.is_leaf])
    tellers = {
        "search": lambda line: _search(drawn, len(record.firing), line),
        "forward": lambda line: _forward(trace, record, drawn, line),
        "jacobian": lambda line: _jacobian(trace, record, drawn, line),
        "sketch": lambda line: _sketch(trace, record, line),
        "precondition": lambda line: _precondition(record, line),
        "solve": lambda line: _solve(trace, record, drawn, line),
        "move": lambda line: _move(record, drawn, moves, line),
        "repair": lambda line: _repair(record, drawn, moves, line),
    }
    return {phase: list(tellers[phase](line)) for phase, line in first.items()}


class Moves:
    """How some neurons move in an iteration.

    Attributes
    ----------
    neurons : (u,) ascending.
    fires_on : (u, n) whether the neuron fires on the datapoint before the move: the sets T_r.
    length : (u,) ||change of w_r||, from the Gram matrix alone.
    """

    def __init__(self, trace: Trace, record: StepRecord, neurons: np.ndarray) -> None:
        gram, width = trace.gram, trace.config.width
        self.neurons = neurons
        self.fires_on: Mask = np.zeros((neurons.size, len(record.firing)), dtype=bool)
        for point, firing in enumerate(record.firing):
            self.fires_on[:, point] = np.isin(neurons, firing, assume_unique=True)
        coefficients = self.fires_on * (record.dual_step / math.sqrt(width))  # up to the sign a_r
        self.length: Floats = np.sqrt(np.maximum(np.einsum("ui,ui->u", coefficients @ gram, coefficients), 0.0))
        self._row = {int(neuron): row for row, neuron in enumerate(neurons)}

    def of(self, neuron: int) -> tuple[float, int]:
        """Return the length of a neuron's move, and the number of datapoints on which it fires."""
        row = self._row[neuron]
        return float(self.length[row]), int(self.fires_on[row].sum())


def number(value: float, other: float | None = None) -> str:
    """Write a value with three decimals, or with as many, up to eight, as it takes to tell it from `other`."""
    for digits in range(3, 9):
        text = f"{value:z.{digits}f}"  # z: never −0.000
        if other is None or other == value or text != f"{other:z.{digits}f}":
            break
    return text.replace("-", "−")


def _count(quantity: int, noun: str) -> str:
    return f"{quantity:,} {noun}{'' if quantity == 1 else 's'}"


def _search(drawn: DrawnTree, num_trees: int, line: int) -> Iterator[Step]:
    step, b = drawn.step, drawn.step.threshold
    row_of = {int(node): row for row, node in enumerate(drawn.nodes)}
    prune, go_on, fire = line + 1, line + 2, line + 3
    for node in step.visited[np.isin(step.visited, drawn.nodes)]:
        row = row_of[int(node)]
        value, name = drawn.before[row], f"Node {node:,}"
        compared = f"{number(value, b)} {'≥' if drawn.passes[row] else '<'} b = {number(b, value)}"
        if drawn.is_leaf[row]:
            fires = bool(drawn.passes[row])
            end = "so it fires" if fires else "so it does not fire"
            yield Step(fire if fires else prune, f"Neuron {drawn.neuron[row]:,}: its leaf is {compared}, {end}.", row)
        elif not drawn.passes[row]:
            skipped = _count(int(drawn.num_neurons[row]), "neuron")
            yield Step(prune, f"{name}: its maximum is {compared}, so none of its {skipped} can fire. Pruned.", row)
        elif drawn.is_stub[row]:
            text = (
                f"{name}, a stub: its maximum is {compared}. Inside, the search enters "
                f"{_count(int(drawn.num_visited[row]) - 1, 'node')} not drawn here and finds "
                f"{drawn.num_firing[row]:,} of {_count(int(drawn.num_neurons[row]), 'neuron')} firing."
            )
            yield Step(go_on, text, row)
        else:
            place = "The root" if node == 1 else name
            at = line if node == 1 else go_on
            yield Step(at, f"{place}: its maximum is {compared}, so both children are looked at.", row)
    num_nodes = 2 * step.num_leaves - 1
    yield Step(
        fire if step.firing.size else line,
        f"Tree {step.point} is searched: {step.visited.size:,} of {num_nodes:,} nodes entered "
        f"({percent(step.visited.size / num_nodes)}), {_count(step.firing.size, 'firing neuron')} found."
        f"{' The other trees are searched in the same way.' if num_trees > 1 else ''}",
    )


def _forward(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    step, root_width = drawn.step, math.sqrt(trace.config.width)
    leaves = step.before[step.num_leaves + step.firing]
    contributions = trace.output_signs[step.firing] * (leaves - step.threshold) / root_width
    up, down = contributions[contributions > 0].sum(), -contributions[contributions < 0].sum()
    output, residual = record.outputs[step.point], record.residual[step.point]
    yield Step(
        line,
        f"The output on datapoint {step.point} is a sum over its {_count(step.firing.size, 'firing neuron')}, whose "
        f"leaves already hold the inner products: {number(up)} from those with a = +1, −{number(down)} from those with "
        f"a = −1, f = {number(output)}.",
    )
    target = trace.dataset.y[step.point]
    yield Step(
        line + 1,
        f"The residual is f − y = {number(output)} − {f'({number(target)})' if target < 0 else number(target)} = "
        f"{number(residual)}. Over all {_count(record.residual.size, 'datapoint')} the loss is {record.loss:.3e}.",
    )


def _jacobian(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    width, (num_points, dimension) = trace.config.width, trace.dataset.X.shape
    own = drawn.step.firing.size
    pairs = sum(fired.size for fired in record.firing)
    yield Step(
        line,
        f"Row {drawn.step.point} of J has {_count(own, 'non-zero block')} of {width:,}, one a firing neuron, each "
        f"±x/√m with {_count(dimension, 'number')}. All {num_points} rows: {pairs:,} blocks, "
        f"{percent(pairs / (width * num_points))} of J. It is never written out.",
    )


def _sketch(trace: Trace, record: StepRecord, line: int) -> Iterator[Step]:
    report, (num_points, dimension) = record.solve, trace.dataset.X.shape
    rows, columns = report.num_sketch_rows, report.num_active
    if not columns:
        yield Step(line, "No neuron fires on any datapoint, so J is zero and there is nothing to sketch.")
        return
    text = (
        f"Jᵀ has {trace.config.width * dimension:,} rows. A random sign matrix S mixes them into {rows:,}, "
        f"{rounded(rows / columns)} a datapoint, and only firing neurons need to be touched: A = S Jᵀ is "
        f"{rows:,} × {columns}."
    )
    if columns < num_points:
        text += " Datapoints that fire no neuron are left out."
    if report.num_sketches > 1:
        text += f" The first looked singular, so {report.num_sketches} sketches of growing size were drawn."
    yield Step(line, text)


def _precondition(record: StepRecord, line: int) -> Iterator[Step]:
    report = record.solve
    if not report.num_active:
        yield Step(line, "There is no sketch, and nothing to precondition.")
        return
    met = report.preconditioned_conditioning
    better = f"; behind R it is {_conditioning(met)}" if met is not None else ""
    factor = "A is singular: its singular vectors take the part of R." if report.singular else "The factor T gives R."
    yield Step(
        line,
        f"{factor} The condition number of J Jᵀ itself is {_conditioning(report.conditioning)}{better}: the closer to "
        "1, the fewer iterations conjugate gradient needs.",
    )


def _conditioning(kappa: float | None) -> str:
    return "infinity" if kappa is None or math.isinf(kappa) else f"about {rounded(kappa)}"


def _solve(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    report, point = record.solve, drawn.step.point
    g = f"For datapoint {point} it says g = {record.dual_step[point]:.3g}."
    if report.status != "ok":
        g += f" {report.status[0].upper()}{report.status[1:]}."
    num_points = record.residual.size
    if not report.num_active:
        yield Step(line, f"No neuron fires on any datapoint, so there is nothing to solve. {g}")
        return
    if trace.config.solver == "exact":
        other = (point + 1) % num_points
        if other != point:
            shared = np.intersect1d(record.firing[point], record.firing[other], assume_unique=True).size
            example = f", and {shared:,} neurons fire on both {point} and {other}"
        else:
            example = ""
        left_out = "" if report.num_active == num_points else " on the datapoints that fire some neuron"
        yield Step(
            line,
            f"G is {num_points} × {num_points} and comes from firing sets alone: {drawn.step.firing.size:,} neurons "
            f"fire on datapoint {point}{example}. Its condition number{left_out} is "
            f"{_conditioning(report.conditioning)}.",
        )
        yield Step(line + 1, f"Solving G g = ρ gives the dual step, one number a datapoint. {g}")
        return
    for iteration, norm in enumerate(report.residual_norms[: report.iterations], start=1):
        last = iteration == report.iterations
        text = f"Conjugate gradient, iteration {iteration}: relative residual {norm:.1e}."
        yield Step(line, f"{text} {g}" if last else text)
    if not report.iterations:
        yield Step(line, f"There was nothing left to solve. {g}")


def _move(record: StepRecord, drawn: DrawnTree, moves: Moves, line: int) -> Iterator[Step]:
    step = drawn.step
    if not record.dual_step.any():
        yield Step(line, "The dual step is zero, so nothing moves.")
        return
    yield Step(
        line,
        f"{_count(record.touched.size, 'neuron')} of {step.num_leaves:,} fire on at least one datapoint "
        f"({percent(record.touched.size / step.num_leaves)}). Only they have a gradient, and only they move.",
    )
    for row in np.flatnonzero(drawn.is_leaf):
        length, num_points = moves.of(int(drawn.neuron[row]))
        if not num_points:
            continue
        here = "this one among them" if drawn.passes[row] else "not on this one"
        yield Step(
            line + 1,
            f"Neuron {drawn.neuron[row]:,} fires on {_count(num_points, 'datapoint')}, {here}. Its weights move by "
            f"{length:.3g}.",
            int(row),
        )


def _repair(record: StepRecord, drawn: DrawnTree, moves: Moves, line: int) -> Iterator[Step]:
    """Tell the repair on the drawn nodes: stubs first and together, then leaf by leaf, each climb step by step."""
    step, values = drawn.step, drawn.before.copy()
    up, stop = line + 1, line + 2
    children: dict[int, list[int]] = {}
    for row in range(1, drawn.nodes.size):
        children.setdefault(int(drawn.parent[row]), []).append(row)

    stubs = np.flatnonzero(drawn.is_stub & (drawn.num_modified > 0))
    if stubs.size:
        values[stubs] = drawn.after[stubs]
        for inner in reversed(range(drawn.nodes.size)):  # children come after their parents
            if inner in children:
                values[inner] = max(values[child] for child in children[inner])
        writes = tuple((int(row), float(values[row])) for row in np.flatnonzero(values != drawn.before))
        hidden = int(drawn.num_modified[stubs].sum())
        yield Step(
            line,
            f"{'Most' if 2 * hidden > step.modified.size else 'Some'} changes lie in parts of tree {step.point} that "
            f"are not drawn: the stubs hold {hidden:,} of its {step.modified.size:,} modified nodes. They go up first.",
            writes=writes,
        )
    for leaf in np.flatnonzero(drawn.is_leaf & drawn.modified):
        yield from _climb(int(leaf), drawn, moves, values, children, (line, up, stop))
    num_nodes = 2 * step.num_leaves - 1
    if step.modified.size:
        text = (
            f"Tree {step.point} is repaired: {step.modified.size:,} of {num_nodes:,} nodes modified "
            f"({percent(step.modified.size / num_nodes)}). In all {len(record.firing)} trees: "
            f"{int(record.num_modified.sum()):,} of {len(record.firing) * num_nodes:,} "
            f"({percent(record.num_modified.sum() / (len(record.firing) * num_nodes))})."
        )
    else:
        text = f"No leaf of tree {step.point} changes, so there is nothing to repair."
    yield Step(stop, text)


def _climb(
    leaf: int,
    drawn: DrawnTree,
    moves: Moves,
    values: Floats,
    children: dict[int, list[int]],
    lines: tuple[int, int, int],
) -> Iterator[Step]:
    """Write one leaf into `values` and go up until a maximum stays as it is."""
    step, b = drawn.step, drawn.step.threshold
    neuron, stale, fresh = int(drawn.neuron[leaf]), float(values[leaf]), float(drawn.after[leaf])
    values[leaf] = fresh
    climbed: list[tuple[int, float, float]] = []  # row, old and new value
    row = int(drawn.parent[leaf])
    while row >= 0:
        value = float(max(values[child] for child in children[row]))
        climbed.append((row, float(values[row]), value))
        if value == values[row]:
            break
        values[row] = value
        row = int(drawn.parent[row])
    num_changed = sum(old != new for _, old, new in climbed)
    outcome = f"{'still ' if fresh >= b and stale >= b else ''}{'≥' if fresh >= b else '<'} b = {number(b, fresh)}"
    if stale < b <= fresh:
        outcome += ", so it now fires"
    elif fresh < b <= stale:
        outcome += ", so it no longer fires"
    yield Step(
        lines[0],
        f"Neuron {neuron:,} moved by {moves.of(neuron)[0]:.3g}; in tree {step.point} its leaf goes from "
        f"{number(stale, fresh)} to {number(fresh, stale)}, {outcome}. {num_changed} of its "
        f"{_count(int(drawn.depth[leaf]), 'ancestor')} change.",
        leaf,
        ((leaf, fresh),),
    )
    for row, old, new in climbed:
        node = "the root" if row == 0 else f"node {drawn.nodes[row]:,}"
        pair = " and ".join(number(float(values[child]), old) for child in children[row])
        if old == new:
            yield Step(lines[2], f"Above neuron {neuron:,}, {node}: the larger of {pair} is as before. Stop.", row)
        else:
            change = f"is {number(new, old)}; it was {number(old, new)}"
            yield Step(lines[1], f"Above neuron {neuron:,}, {node}: the larger of {pair} {change}.", row, ((row, new),))
