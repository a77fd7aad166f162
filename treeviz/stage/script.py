"""The script of one iteration: phases, pseudocode, and every small step with its sentence, all made from the records.

A small step names the line of pseudocode it executes, the drawn node it is about, and the node values it writes; so a
player needs to know nothing of the algorithm. Here are the phases that all searches share. What a search does in its
own way is in a `SearchScript`: `forest_script`, `watch_script`, or `plain_script` for a search that has none.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from treeviz.model.config import TrainConfig
from treeviz.model.heap import leaf_of
from treeviz.model.numerals import agree, count, count_firing, decimals, numeral
from treeviz.model.phases import PHASES
from treeviz.stage.forest_script import FOREST
from treeviz.stage.pictures.detail import DrawnTree
from treeviz.stage.pictures.watched import WatchList
from treeviz.stage.plain_script import PLAIN
from treeviz.stage.script_parts import Line, Scene, SearchScript, Step, length
from treeviz.stage.watch_script import WATCH
from treeviz.style.palette import percent
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

# Datapoints up to which the eigenvalues of the Gram matrix are computed for a sentence.
_LARGEST_SPECTRUM = 256
# Condition numbers in words, by iteration: the same for all trees of a run, and gone with it.
_condition_numbers: WeakKeyDictionary[Trace, dict[int, str]] = WeakKeyDictionary()

_RESIDUAL = (
    Line(
        "forward",
        "ρ ← f − y,  loss ← ½‖ρ‖²",
        "y: the targets. ρ: the residual, what is wrong with the outputs.",
        value=lambda scene: f"‖ρ‖ = {length(scene.record.residual)}, loss {numeral(scene.record.loss, 4)}",
    ),
    Line(
        "jacobian",
        "J: row i holds a_r x_i/√m for each r in S_i",
        "J, the Jacobian: how each output changes with each weight. Zero wherever a neuron does not fire.",
        value=lambda scene: f"{count(scene.record.firing.num_pairs, 'block')} that are not zero",
    ),
)
_EXACT = (
    Line(
        "solve",
        "G ← J Jᵀ = K∘C/m,  C_ij = |S_i ∩ S_j|",
        "K: inner products of the datapoints. C: how many neurons fire on both. ∘: entry by entry. G, the Gram matrix "
        "of J: how a step for one datapoint changes the output on another.",
        value=lambda scene: f"i = {scene.point}: C_ii = {scene.drawn.step.firing.size:,}",
    ),
    Line(
        "solve",
        "solve G g = ρ  (Cholesky)",
        "g, the dual step: how far to correct for each datapoint.",
        value=lambda scene: _dual_step(scene),
    ),
)
_SKETCH = (
    Line(
        "sketch",
        "A ← Π Jᵀ, Π a random sketch",
        "Π: a sparse matrix of random signs, which keeps lengths nearly.",
        value=lambda scene: f"A: {scene.record.solve.num_sketch_rows:,} × {scene.record.solve.num_active}",
    ),
    Line(
        "precondition",
        "Q, R ← qr(A),  P ← R⁻¹",
        "P, the preconditioner: behind it, the system looks nearly like the identity.",
        value=lambda scene: f"rank {scene.record.solve.rank}",
    ),
    Line(
        "solve",
        "solve J Jᵀ g = ρ by conjugate gradient with P",
        "g, the dual step: how far to correct for each datapoint. J Jᵀ is only ever multiplied with, never formed.",
        value=lambda scene: f"{count(scene.record.solve.iterations, 'iteration')}; {_dual_step(scene)}",
    ),
)
_SCRIPTS: Mapping[str, SearchScript] = {"forest": FOREST, "watch": WATCH}


def pseudocode(config: TrainConfig, posted: Iterable[str] = ()) -> tuple[Line, ...]:
    """Return the lines of one iteration with this configuration, phase by phase.

    A phase in `posted`, those an iteration has cost something in, gets a line from its entry in the table of phases if
    it has none here.
    """
    script = _SCRIPTS.get(config.search, PLAIN)
    search = tuple(_add_shift(line) for line in script.search) if config.activation == "clipped" else script.search
    lines = search + _RESIDUAL + (_EXACT if config.solver == "exact" else _SKETCH) + script.move
    missing = set(posted) - {line.phase for line in lines}
    lines += tuple(Line(name, PHASES[name].title, PHASES[name].meaning, value=_operations_of(name)) for name in missing)
    order = list(PHASES)
    return tuple(sorted(lines, key=lambda line: order.index(line.phase)))


def _add_shift(line: Line) -> Line:
    """Add what max(z, b) adds to every output to the line that computes the outputs."""
    if line.phase != "forward":
        return line
    note = f"{line.note} The first term, a sum over all m neurons, is what max(z, b) adds to every output."
    return replace(line, text=line.text.replace("←", "← b Σ a_r/√m +"), note=note)


def line_values(trace: Trace, record: StepRecord, drawn: DrawnTree, listed: WatchList | None = None) -> list[str]:
    """Return what each line of pseudocode came to in an iteration, seen from one tree, in a few words."""
    scene = Scene(trace, record, drawn, listed)
    return [line.value(scene) if line.value else "" for line in pseudocode(trace.config, posted_phases(trace))]


def _dual_step(scene: Scene) -> str:
    g = scene.record.dual_step
    return f"i = {scene.point}: g_i = {numeral(g[scene.point], 3)}; ‖g‖ = {length(g)}"


def _operations_of(phase: str) -> Callable[[Scene], str]:
    return lambda scene: count(scene.record.costs.get(phase, 0), "operation")


def phases(config: TrainConfig, posted: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the phases of one iteration in order; the exact solver has no sketch and no preconditioner."""
    return tuple(dict.fromkeys(line.phase for line in pseudocode(config, posted)))


def posted_phases(trace: Trace) -> Iterable[str]:
    """Return the phases that the first iteration has cost something in."""
    return trace.records[0].costs if trace.records else ()


def write_script(
    trace: Trace, record: StepRecord, drawn: DrawnTree, listed: WatchList | None = None
) -> dict[str, list[Step]]:
    """Return the small steps of one iteration, seen from one tree, by phase; every phase has at least one.

    A run through watch lists needs the tree's own, `listed`. Cost: a few operations a drawn node, and the drawn leaves
    times n.
    """
    first: dict[str, int] = {}
    for place, line in enumerate(pseudocode(trace.config, posted_phases(trace))):
        first.setdefault(line.phase, place)
    scene = Scene(trace, record, drawn, listed)
    tellers: dict[str, Callable[[int], Iterator[Step]]] = {
        "forward": lambda line: _forward(trace, record, drawn, line, keeps_sums=listed is not None),
        "jacobian": lambda line: _jacobian(trace, record, drawn, line),
        "sketch": lambda line: _sketch(trace, record, line),
        "precondition": lambda line: _precondition(trace, record, line),
        "solve": lambda line: _solve(trace, record, drawn, line),
        "move": lambda line: _move(scene, line),
        **_SCRIPTS.get(trace.config.search, PLAIN).tellers(scene),
    }
    return {
        phase: list(tellers[phase](line) if phase in tellers else _count_operations(record, phase, line))
        for phase, line in first.items()
    }


def _count_operations(record: StepRecord, phase: str, line: int) -> Iterator[Step]:
    """Tell a phase that has no teller of its own: what it is for, and what it cost."""
    yield Step(line, f"{PHASES[phase].meaning} This took {count(record.costs.get(phase, 0), 'operation')}.")


def _forward(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int, *, keeps_sums: bool) -> Iterator[Step]:
    step, root_width = drawn.step, math.sqrt(trace.config.width)
    leaves = step.before[leaf_of(step.firing, step.num_leaves)]
    contributions = trace.output_signs[step.firing] * (leaves - step.threshold) / root_width
    up, down = contributions[contributions > 0].sum(), -contributions[contributions < 0].sum()
    output, residual = record.outputs[step.point], record.residual[step.point]
    held = "" if keeps_sums else ", whose leaves already hold the inner products"
    clipped = f", and {decimals(trace.output_shift)} from b = {decimals(step.threshold)} of every neuron"
    shift = clipped if trace.config.activation == "clipped" else ""
    kept = " It comes from sums over all neurons that are kept, so none is visited." if keeps_sums else ""
    yield Step(
        line,
        f"The output on datapoint {step.point} is a sum over its {count(step.firing.size, 'firing neuron')}{held}: "
        f"{decimals(up)} from those with a = +1, −{decimals(down)} from those with a = −1{shift}, "
        f"f = {decimals(output)}.{kept}",
    )
    target = trace.dataset.y[step.point]
    yield Step(
        line + 1,
        f"The residual is f − y = {decimals(output)} − {f'({decimals(target)})' if target < 0 else decimals(target)} = "
        f"{decimals(residual)}. Over all {count(record.residual.size, 'datapoint')} the loss is "
        f"{numeral(record.loss, 4)}.",
    )


def _jacobian(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    width, (num_points, dimension) = trace.config.width, trace.dataset.X.shape
    own = drawn.step.firing.size
    pairs = record.firing.num_pairs
    yield Step(
        line,
        f"Row {drawn.step.point} of J has {count(own, 'non-zero block')} of {width:,}, one a firing neuron, each "
        f"±x/√m with {count(dimension, 'number')}. In all {count(num_points, 'row')}: {count(pairs, 'block')}, "
        f"{percent(pairs / (width * num_points))} of J. It is never written out.",
    )


def _sketch(trace: Trace, record: StepRecord, line: int) -> Iterator[Step]:
    report, (num_points, dimension) = record.solve, trace.dataset.X.shape
    rows, columns = report.num_sketch_rows, report.num_active
    if not columns:
        yield Step(line, "No neuron fires on any datapoint, so J is zero and there is nothing to sketch.")
        return
    text = (
        f"Jᵀ has {count(trace.config.width * dimension, 'row')}. A random sign matrix Π mixes them into {rows:,}, "
        f"{numeral(rows / columns, 2)} a datapoint, and only firing neurons need to be touched: A = Π Jᵀ is "
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
    better = f"; behind P it is about {numeral(met, 2)}" if met is not None and math.isfinite(met) else ""
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
        return f"about {numeral(kappa, 2)}"
    eigenvalues = np.linalg.eigvalsh((trace.gram * trace.overlaps(record.iteration))[np.ix_(active, active)])
    return numeral(eigenvalues[-1] / eigenvalues[0], 2) if eigenvalues[0] > 0 else "infinity"


def _solve(trace: Trace, record: StepRecord, drawn: DrawnTree, line: int) -> Iterator[Step]:
    report, point = record.solve, drawn.step.point
    g = f"For datapoint {point} it says g = {numeral(record.dual_step[point], 3)}."
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
            f"G is {num_points} × {num_points} and comes from firing sets alone. On datapoint {point}, "
            f"{count_firing(drawn.step.firing.size)}{example}. "
            f"The condition number of G{left_out} is {_conditioning(trace, record)}.",
        )
        yield Step(line + 1, f"Solving G g = ρ gives the dual step, one number a datapoint. {g}")
        return
    for iteration, norm in enumerate(report.residual_norms[: report.iterations], start=1):
        last = iteration == report.iterations
        text = f"Conjugate gradient, iteration {iteration}: relative error {numeral(norm, 2)} of J Jᵀ g."
        yield Step(line, f"{text} {g}" if last else text)
    if not report.iterations:
        yield Step(line, f"There was nothing left to solve. {g}")


def _move(scene: Scene, line: int) -> Iterator[Step]:
    """Tell which neurons move and how far; with watch lists, also how far since the start."""
    record, drawn, drifts, step = scene.record, scene.drawn, scene.drifts, scene.drawn.step
    if not record.dual_step.any():
        yield Step(line, "The dual step is zero, so nothing moves.")
        return
    added = "the same to every output" if scene.trace.config.activation == "clipped" else "nothing to any output"
    yield Step(
        line,
        f"{count(record.touched.size, 'neuron')} of {step.num_leaves:,} {agree(record.touched.size, 'fires', 'fire')} "
        f"on at least one datapoint ({percent(record.touched.size / step.num_leaves)}). The others add "
        f"{added} whatever their weights, so their gradient is zero and they stay."
        + ("" if drifts is None else f" It takes {count(record.dual_step.size, 'addition')} to move them all."),
    )
    for row in np.flatnonzero(drawn.is_leaf):
        neuron = int(drawn.neuron[row])
        length, num_points = scene.moves.of(neuron)
        if not num_points:
            continue
        here = "this one among them" if drawn.passes[row] else "not on this one"
        far = "" if drifts is None else f"; they are now {numeral(drifts[neuron], 3)} from where they started"
        yield Step(
            line + 1,
            f"Neuron {neuron:,} fires on {count(num_points, 'datapoint')}, {here}. Its weights move by "
            f"{numeral(length, 3)}{far}.",
            int(row),
        )
