"""The script of one iteration: phases, pseudocode, and every small step with its sentence, all made from the records.

A small step names the line of pseudocode it executes, the drawn node it is about, and the node values it writes; so a
player needs to know nothing of the algorithm. The search's steps are the drawn part of the trainer's own order. The
repair is told leaf by leaf on the drawn nodes, every stub's change going up first: each climb recomputes maxima and
stops where one does not change, and together they end at the very values the trainer's forest has after the move.
"""

import math
from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

import numpy as np

from treeviz.model.config import TrainConfig
from treeviz.stage import watch_script
from treeviz.stage.pictures.detail import DrawnTree
from treeviz.stage.pictures.watched import WatchList
from treeviz.stage.script_parts import Heap, Line, Moves, Step, count, number
from treeviz.style.palette import percent, rounded
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

# Datapoints up to which the eigenvalues of the Gram matrix are computed just to be told.
_LARGEST_SPECTRUM = 256
# Condition numbers as they are told, by iteration: the same for all trees of a run, and forgotten with it.
_condition_numbers: WeakKeyDictionary[Trace, dict[int, str]] = WeakKeyDictionary()

_ENTER = (
    "b: the threshold. A node's value is the largest below it; a leaf's is z_ri = w_r·x_i, neuron r on datapoint i."
)
_SEARCH = (
    Line("search", "for each datapoint i: enter the root of tree i", _ENTER),
    Line("search", "value < b: prune, nothing below can fire", _ENTER, 1),
    Line("search", "inner node ≥ b: enter both children", _ENTER, 1),
    Line("search", "leaf ≥ b: neuron r fires, r joins S_i", "S_i: the neurons that fire on datapoint i.", 1),
    Line(
        "forward",
        "f_i ← (1/√m) Σ a_r (z_ri − b) over r in S_i",
        "f_i: the network's output on datapoint i. a_r: output sign of neuron r, +1 or −1, never trained. m: neurons.",
    ),
)
_RESIDUAL = (
    Line("forward", "ρ ← f − y,  loss ← ½‖ρ‖²", "y: the targets. ρ: the residual, what is wrong with the outputs."),
    Line(
        "jacobian",
        "J: row i holds a_r x_i/√m for each r in S_i",
        "J, the Jacobian: how each output changes with each weight. Zero wherever a neuron does not fire.",
    ),
)
_EXACT = (
    Line(
        "solve",
        "G ← J Jᵀ = K∘C/m,  C_ij = |S_i ∩ S_j|",
        "K: inner products of the datapoints. C: how many neurons fire on both. ∘: entry by entry. G, the Gram matrix "
        "of J: how a step for one datapoint changes the output on another.",
    ),
    Line("solve", "solve G g = ρ  (Cholesky)", "g, the dual step: how far to correct for each datapoint."),
)
_SKETCH = (
    Line("sketch", "A ← Π Jᵀ, Π a random sketch", "Π: a sparse matrix of random signs, which keeps lengths nearly."),
    Line(
        "precondition",
        "Q, R ← qr(A),  P ← R⁻¹",
        "P, the preconditioner: behind it, the system looks nearly like the identity.",
    ),
    Line(
        "solve",
        "solve J Jᵀ g = ρ by conjugate gradient with P",
        "g, the dual step: how far to correct for each datapoint. J Jᵀ is only ever multiplied with, never formed.",
    ),
)
_MOVE = (
    Line(
        "move", "for each r that fires anywhere:", "A neuron below b adds max(z − b, 0) = 0, so its gradient is zero."
    ),
    Line(
        "move",
        "w_r ← w_r − (a_r/√m) Σ g_i x_i over i in T_r",
        "w_r: weights of neuron r. T_r: datapoints on which it fires. x_i: datapoint i.",
        1,
    ),
    Line("repair", "write leaf r in all n trees", "The new leaf is w_r·x_i with the weights after the move."),
    Line("repair", "go up: node ← larger of its children", "Only nodes above changed leaves can change.", 1),
    Line("repair", "unchanged: stop", "Nothing further up can change because of this leaf.", 1),
)


def pseudocode(config: TrainConfig) -> tuple[Line, ...]:
    """Return the lines of one iteration with this configuration."""
    search, move = (watch_script.SEARCH, watch_script.MOVE) if config.search == "watch" else (_SEARCH, _MOVE)
    return search + _RESIDUAL + (_EXACT if config.solver == "exact" else _SKETCH) + move


def phases(config: TrainConfig) -> tuple[str, ...]:
    """Return the phases of one iteration in order; the exact solver has no sketch and no preconditioner."""
    return tuple(dict.fromkeys(line.phase for line in pseudocode(config)))


def write_script(
    trace: Trace, record: StepRecord, drawn: DrawnTree, listed: WatchList | None = None
) -> dict[str, list[Step]]:
    """Return the small steps of one iteration, seen from one tree, by phase; every phase has at least one.

    A run through watch lists needs the tree's own, `listed`. Cost: a few operations a drawn node, and the drawn leaves
    times n.
    """
    lines = pseudocode(trace.config)
    first = {phase: next(i for i, line in enumerate(lines) if line.phase == phase) for phase in phases(trace.config)}
    neurons = np.sort(drawn.neuron[drawn.is_leaf])
    moves = Moves(trace, record, neurons)
    drifts = None
    if listed is not None:
        drifts = dict(zip(neurons.tolist(), trace.drifts(neurons, record.iteration + 1).tolist(), strict=True))
    tellers = {
        "search": lambda line: _search(drawn, len(record.firing), line),
        "forward": lambda line: _forward(trace, record, drawn, line, keeps_sums=listed is not None),
        "jacobian": lambda line: _jacobian(trace, record, drawn, line),
        "sketch": lambda line: _sketch(trace, record, line),
        "precondition": lambda line: _precondition(trace, record, line),
        "solve": lambda line: _solve(trace, record, drawn, line),
        "move": lambda line: _move(record, drawn, moves, line, drifts),
        "repair": lambda line: _repair(record, drawn, moves, line),
    }
    if listed is not None and drifts is not None:
        tellers |= watch_script.tellers(record, drawn, listed, drifts)
    return {phase: list(tellers[phase](line)) for phase, line in first.items()}


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
            skipped = count(int(drawn.num_neurons[row]), "neuron")
            yield Step(prune, f"{name}: its maximum is {compared}, so none of its {skipped} can fire. Pruned.", row)
        elif drawn.is_stub[row]:
            text = (
                f"{name}, a stub: its maximum is {compared}. Inside, the search enters "
                f"{count(int(drawn.num_visited[row]) - 1, 'node')} not drawn here and finds "
                f"{drawn.num_firing[row]:,} of {count(int(drawn.num_neurons[row]), 'neuron')} firing."
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
        f"({percent(step.visited.size / num_nodes)}), {num_nodes - step.visited.size:,} never looked at, "
        f"{count(step.firing.size, 'firing neuron')} found."
        f"{' The other trees are searched in the same way.' if num_trees > 1 else ''}",
    )


def _forward(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int, *, keeps_sums: bool) -> Iterator[Step]:
    step, root_width = drawn.step, math.sqrt(trace.config.width)
    leaves = step.before[step.num_leaves + step.firing]
    contributions = trace.output_signs[step.firing] * (leaves - step.threshold) / root_width
    up, down = contributions[contributions > 0].sum(), -contributions[contributions < 0].sum()
    output, residual = record.outputs[step.point], record.residual[step.point]
    held = "" if keeps_sums else ", whose leaves already hold the inner products"
    kept = " It comes from sums over all neurons that are kept, so none is visited." if keeps_sums else ""
    yield Step(
        line,
        f"The output on datapoint {step.point} is a sum over its {count(step.firing.size, 'firing neuron')}{held}: "
        f"{number(up)} from those with a = +1, −{number(down)} from those with a = −1, f = {number(output)}.{kept}",
    )
    target = trace.dataset.y[step.point]
    yield Step(
        line + 1,
        f"The residual is f − y = {number(output)} − {f'({number(target)})' if target < 0 else number(target)} = "
        f"{number(residual)}. Over all {count(record.residual.size, 'datapoint')} the loss is {record.loss:.3e}.",
    )


def _jacobian(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    width, (num_points, dimension) = trace.config.width, trace.dataset.X.shape
    own = drawn.step.firing.size
    pairs = record.firing.num_pairs
    yield Step(
        line,
        f"Row {drawn.step.point} of J has {count(own, 'non-zero block')} of {width:,}, one a firing neuron, each "
        f"±x/√m with {count(dimension, 'number')}. All {num_points} rows: {pairs:,} blocks, "
        f"{percent(pairs / (width * num_points))} of J. It is never written out.",
    )


def _sketch(trace: Trace, record: StepRecord, line: int) -> Iterator[Step]:
    report, (num_points, dimension) = record.solve, trace.dataset.X.shape
    rows, columns = report.num_sketch_rows, report.num_active
    if not columns:
        yield Step(line, "No neuron fires on any datapoint, so J is zero and there is nothing to sketch.")
        return
    text = (
        f"Jᵀ has {trace.config.width * dimension:,} rows. A random sign matrix Π mixes them into {rows:,}, "
        f"{rounded(rows / columns)} a datapoint, and only firing neurons need to be touched: A = Π Jᵀ is "
        f"{rows:,} × {columns}."
    )
    if columns < num_points:
        text += " Datapoints that fire no neuron are left out."
    if report.num_sketches > 1:
        text += f" The first looked singular, so {report.num_sketches} sketches of growing size were drawn."
    yield Step(line, text)


def _precondition(trace: Trace, record: StepRecord, line: int) -> Iterator[Step]:
    report = record.solve
    if not report.num_active:
        yield Step(line, "There is no sketch, and nothing to precondition.")
        return
    met = report.preconditioned_conditioning
    better = f"; behind P it is about {rounded(met)}" if met is not None and math.isfinite(met) else ""
    factor = "A is singular: its singular vectors take the part of P." if report.singular else "The factor R gives P."
    yield Step(
        line,
        f"{factor} The condition number of J Jᵀ itself is {_conditioning(trace, record)}{better}: the closer to "
        "1, the fewer iterations conjugate gradient needs.",
    )


def _conditioning(trace: Trace, record: StepRecord) -> str:
    """Write the condition number of J J^T, computed once an iteration."""
    known = _condition_numbers.setdefault(trace, {})
    if record.iteration not in known:
        known[record.iteration] = _write_conditioning(trace, record)
    return known[record.iteration]


def _write_conditioning(trace: Trace, record: StepRecord) -> str:
    """Write largest over smallest eigenvalue of J J^T, or the solver's estimate if n is large."""
    kappa = record.solve.conditioning
    if kappa is None or math.isinf(kappa):
        return "infinity"
    firing = record.firing
    active = np.flatnonzero(firing.counts)
    if active.size > _LARGEST_SPECTRUM:
        return f"about {rounded(kappa)}"
    eigenvalues = np.linalg.eigvalsh((trace.gram * firing.overlaps())[np.ix_(active, active)])
    return rounded(eigenvalues[-1] / eigenvalues[0]) if eigenvalues[0] > 0 else "infinity"


def _solve(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    report, point = record.solve, drawn.step.point
    g = f"For datapoint {point} it says g = {record.dual_step[point]:.3g}.".replace("-", "−")
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
            example = f", of these {shared:,} on datapoint {other} as well"
        else:
            example = ""
        left_out = "" if report.num_active == num_points else " on the datapoints that fire some neuron"
        yield Step(
            line,
            f"G is {num_points} × {num_points} and comes from firing sets alone. On datapoint {point} "
            f"{count(drawn.step.firing.size, 'neuron')} fire{'s' if drawn.step.firing.size == 1 else ''}{example}. "
            f"The condition number of G{left_out} is {_conditioning(trace, record)}.",
        )
        yield Step(line + 1, f"Solving G g = ρ gives the dual step, one number a datapoint. {g}")
        return
    for iteration, norm in enumerate(report.residual_norms[: report.iterations], start=1):
        last = iteration == report.iterations
        text = f"Conjugate gradient, iteration {iteration}: relative error {norm:.1e} of J Jᵀ g."
        yield Step(line, f"{text} {g}" if last else text)
    if not report.iterations:
        yield Step(line, f"There was nothing left to solve. {g}")


def _move(
    record: StepRecord, drawn: DrawnTree, moves: Moves, line: int, drifts: Mapping[int, float] | None
) -> Iterator[Step]:
    """Tell who moves and how far; with `drifts`, those of the neurons in `moves`, also how far since the start."""
    step = drawn.step
    if not record.dual_step.any():
        yield Step(line, "The dual step is zero, so nothing moves.")
        return
    yield Step(
        line,
        f"{count(record.touched.size, 'neuron')} of {step.num_leaves:,} fire on at least one datapoint "
        f"({percent(record.touched.size / step.num_leaves)}). The others add max(z − b, 0) = 0 to every output, so "
        "their gradient is zero and they stay."
        + ("" if drifts is None else f" It takes {count(record.dual_step.size, 'addition')} to move them all."),
    )
    for row in np.flatnonzero(drawn.is_leaf):
        neuron = int(drawn.neuron[row])
        length, num_points = moves.of(neuron)
        if not num_points:
            continue
        here = "this one among them" if drawn.passes[row] else "not on this one"
        far = "" if drifts is None else f"; they are now {drifts[neuron]:.3g} from where they started"
        yield Step(
            line + 1,
            f"Neuron {neuron:,} fires on {count(num_points, 'datapoint')}, {here}. Its weights move by "
            f"{length:.3g}{far}.",
            int(row),
        )


def _repair(record: StepRecord, drawn: DrawnTree, moves: Moves, line: int) -> Iterator[Step]:
    """Tell the repair on the drawn nodes: stubs first and together, then leaf by leaf, each climb step by step."""
    step, heap = drawn.step, Heap(drawn)
    up, stop = line + 1, line + 2
    stubs = np.flatnonzero(drawn.is_stub & (drawn.num_modified > 0))
    if stubs.size:
        hidden = int(drawn.num_modified[stubs].sum())
        yield Step(
            line,
            f"{'Most' if 2 * hidden > step.modified.size else 'Some'} changes lie in parts of tree {step.point} that "
            f"are not drawn: the stubs hold {hidden:,} of its {step.modified.size:,} modified nodes. They go up first.",
            writes=heap.write(stubs),
        )
    for leaf in np.flatnonzero(drawn.is_leaf & drawn.modified):
        yield from _climb(int(leaf), drawn, moves, heap, (line, up, stop))
    num_nodes = 2 * step.num_leaves - 1
    if step.modified.size:
        old, new = (values[step.num_leaves :] >= step.threshold for values in (step.before, step.after))
        text = (
            f"Tree {step.point} is repaired: {step.modified.size:,} of {num_nodes:,} nodes modified "
            f"({percent(step.modified.size / num_nodes)}). In all {len(record.firing)} trees: "
            f"{int(record.num_modified.sum()):,} of {len(record.firing) * num_nodes:,} "
            f"({percent(record.num_modified.sum() / (len(record.firing) * num_nodes))}). Here "
            f"{count(int((new & ~old).sum()), 'neuron')} will start and {int((old & ~new).sum()):,} will stop firing."
        )
    else:
        text = f"No leaf of tree {step.point} changes, so there is nothing to repair."
    yield Step(stop, text)


def _climb(
    leaf: int,
    drawn: DrawnTree,
    moves: Moves,
    heap: Heap,
    lines: tuple[int, int, int],
) -> Iterator[Step]:
    """Write one leaf into the heap and go up until a maximum stays as it is."""
    step, b, values, children = drawn.step, drawn.step.threshold, heap.values, heap.children
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
    outcome = f"{' still ' if fresh >= b and stale >= b else ', '}{'≥' if fresh >= b else '<'} b = {number(b, fresh)}"
    if stale < b <= fresh:
        outcome += ", so it now fires"
    elif fresh < b <= stale:
        outcome += ", so it no longer fires"
    yield Step(
        lines[0],
        f"Neuron {neuron:,} moved by {moves.of(neuron)[0]:.3g}; in tree {step.point} its leaf goes from "
        f"{number(stale, fresh)} to {number(fresh, stale)}{outcome}. Of its "
        f"{count(int(drawn.depth[leaf]), 'ancestor')}, {num_changed} {'changes' if num_changed == 1 else 'change'}.",
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
            if number(new, old) == number(old, new):
                change = f"changes by {abs(new - old):.0e}, which is round-off"
            yield Step(lines[1], f"Above neuron {neuron:,}, {node}: the larger of {pair} {change}.", row, ((row, new),))
