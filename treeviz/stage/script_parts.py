"""What a script is made of: lines of pseudocode, small steps, the scene they tell of, and how numbers are written."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from treeviz.model.numerals import count, decimals, numeral
from treeviz.model.types import Floats, Ints
from treeviz.stage.pictures.detail import DrawnTree, Mask
from treeviz.stage.pictures.watched import WatchList
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace


@dataclass(frozen=True, slots=True)
class Line:
    """A line of pseudocode: its phase, what its symbols mean, how deep it is indented. `z_r` is z with subscript r.

    `value` says in a few words what the line came to in an iteration, for whoever asks for the current values.
    """

    phase: str
    text: str
    note: str
    indent: int = 0
    value: "Callable[[Scene], str] | None" = None


# What an iteration does with the firing sets and the weights where neither is kept in another form.
FORWARD = Line(
    "forward",
    "f_i ← (1/√m) Σ a_r (z_ri − b) over r in S_i",
    "f_i: the network's output on datapoint i. a_r: output sign of neuron r, +1 or −1, never trained. m: neurons.",
    value=lambda scene: f"i = {scene.point}: f_i = {decimals(scene.record.outputs[scene.point])}",
)
MOVE = (
    Line(
        "move",
        "for each r that fires anywhere:",
        "What a neuron below b adds does not depend on its weights, so its gradient is zero.",
        value=lambda scene: f"{scene.record.touched.size:,} of {count(scene.trace.config.width, 'neuron')}",
    ),
    Line(
        "move",
        "w_r ← w_r − (a_r/√m) Σ g_i x_i over i in T_r",
        "w_r: weights of neuron r. T_r: datapoints on which it fires. x_i: datapoint i.",
        1,
        lambda scene: f"Σ |T_r| = {scene.record.firing.num_pairs:,}; ‖g‖ = {length(scene.record.dual_step)}",
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One small step: its line of pseudocode, its sentence, the drawn row it is about or -1, (row, value) it writes."""

    line: int
    text: str
    row: int = -1
    writes: tuple[tuple[int, float], ...] = ()


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
        firing = record.firing.of_neurons(neurons)
        self.fires_on[neurons.searchsorted(firing.neurons)] = firing.matrix().toarray() > 0.0
        coefficients = self.fires_on * (record.dual_step / math.sqrt(width))  # up to the sign a_r
        self.length: Floats = np.sqrt(np.maximum(np.einsum("ui,ui->u", coefficients @ gram, coefficients), 0.0))
        self._row = {int(neuron): row for row, neuron in enumerate(neurons)}

    def of(self, neuron: int) -> tuple[float, int]:
        """Return the length of a neuron's move, and the number of datapoints on which it fires."""
        row = self._row[neuron]
        return float(self.length[row]), int(self.fires_on[row].sum())


@dataclass(frozen=True, eq=False)
class Scene:
    """What a script tells of: an iteration seen from one tree; with watch lists, that of the tree's datapoint."""

    trace: Trace
    record: StepRecord
    drawn: DrawnTree
    listed: WatchList | None = None

    @property
    def point(self) -> int:
        """The datapoint whose tree is looked at."""
        return self.drawn.step.point

    @property
    def is_sound(self) -> bool:
        """Whether what holds of the method holds of the run: no fault is planted."""
        return self.trace.config.fault is None

    @property
    def firing_here(self) -> str:
        """How many neurons fire on the tree's datapoint."""
        return f"i = {self.point}: |S_i| = {self.drawn.step.firing.size:,}"

    @cached_property
    def _neurons(self) -> Ints:
        """Neurons that are drawn as leaves, ascending."""
        return np.sort(self.drawn.neuron[self.drawn.is_leaf])

    @cached_property
    def moves(self) -> Moves:
        """How the neurons that are drawn as leaves move."""
        return Moves(self.trace, self.record, self._neurons)

    @cached_property
    def drifts(self) -> Mapping[int, float] | None:
        """How far those neurons are from where they started, after the move; None without watch lists."""
        if self.listed is None:
            return None
        drifts = self.trace.drifts(self._neurons, self.record.iteration + 1)
        return dict(zip(self._neurons.tolist(), drifts.tolist(), strict=True))


# Tells a phase, given the number of the phase's first line.
Teller = Callable[[int], Iterator[Step]]


@dataclass(frozen=True, slots=True)
class SearchScript:
    """What a search does in its own way: the lines of its search, forward pass, move and repair, and their steps.

    Attributes
    ----------
    search : lines from the search up to the outputs.
    move : lines of the move and the repair.
    tellers : returns, for a scene, what tells the phases "search" and "repair", and others if they differ.
    """

    search: tuple[Line, ...]
    move: tuple[Line, ...]
    tellers: Callable[[Scene], Mapping[str, Teller]]


class Heap:
    """The values of the drawn nodes while a script writes them: every inner node the larger of its two children.

    Attributes
    ----------
    stale : rows of inner nodes that are not, after the move, because of a fault in the run.
    """

    def __init__(self, drawn: DrawnTree) -> None:
        self.values = drawn.before.copy()
        self._after = drawn.after
        self.children: dict[int, list[int]] = {}
        for row in range(1, drawn.nodes.size):
            self.children.setdefault(int(drawn.parent[row]), []).append(row)
        self.stale = {row for row, below in self.children.items() if drawn.after[row] != drawn.after[below].max()}

    def repaired(self, row: int) -> float:
        """Return what a repair gives an inner node now."""
        return float(self._after[row] if row in self.stale else self.values[self.children[row]].max())

    def finish(self) -> tuple[tuple[int, float], ...]:
        """Give the nodes that are not yet as they are after the move their values; return what that writes."""
        left = np.flatnonzero(self.values != self._after)
        self.values[left] = self._after[left]
        return tuple((int(row), float(self.values[row])) for row in left)

    def write(self, ends: np.ndarray) -> tuple[tuple[int, float], ...]:
        """Give some leaves and stubs their values after the move, and all above them; return what that writes."""
        old = self.values.copy()
        self.values[ends] = self._after[ends]
        for row in sorted(self.children, reverse=True):  # children come after their parents
            self.values[row] = self.repaired(row)
        return tuple((int(row), float(self.values[row])) for row in np.flatnonzero(self.values != old))


def length(values: Floats) -> str:
    """Write the Euclidean length of a vector."""
    return numeral(float(np.linalg.norm(values)), 4)
