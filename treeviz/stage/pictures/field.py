"""The network's output over the plane its inputs lie in, at every iteration.

A neuron that fires on no datapoint never moves (algorithm.md §5.1), so its part of the picture is computed once, in a
pass over all neurons, and an iteration only evaluates the others again.
"""

import math
import threading

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.types import Floats, Ints
from treeviz.training.trace import Trace

MAX_RESOLUTION = 256
# Room around the datapoints, as a part of their spread.
_MARGIN = 0.15
# Numbers in a block of pre-activations, which is worked on in cache.
_BLOCK = 1 << 18
_LARGEST_COORDINATE = 1e100


def is_planar(data: Dataset) -> bool:
    """Say whether the inputs lie in a plane: they have two coordinates, or had before a constant one was appended."""
    if data.lifted and data.dimension == 3:
        # A table of numbers beyond 1e100 that was not standardized cannot be had back from unit rows.
        return bool((np.abs(data.X[:, :2]) < _LARGEST_COORDINATE * data.X[:, 2:]).all())
    return data.dimension == 2


def plane_coordinates(data: Dataset) -> Floats:
    """Return where planar datapoints are, (n, 2): before a constant 1 was appended, or as they are."""
    return data.X[:, :2] / data.X[:, 2:] if data.dimension == 3 else data.X.copy()


class OutputField:
    """The outputs f of a run's network on a square grid around its datapoints.

    Parameters
    ----------
    trace : a run on planar data, see `is_planar`; may still be growing.
    resolution : grid points along either axis, 2 to 256.

    Attributes
    ----------
    coordinates : (n, 2) the datapoints in the plane, (u, v): the inputs before the constant coordinate was appended
        and they were scaled to unit length; of data that were not lifted, the inputs as they are.
    u, v : (resolution,) coordinates of the grid's columns and rows, ascending; the same step along both.
    extent : (lowest u, highest u, lowest v, highest v).

    Raises
    ------
    ValueError
        If the data are not planar, or the resolution is out of range.
    """

    def __init__(self, trace: Trace, resolution: int = 32) -> None:
        data = trace.dataset
        if not is_planar(data):
            raise ValueError(
                f"the inputs of {data.name!r} lie in {data.dimension} dimensions, not in a plane; use data with two "
                "features"
            )
        is_whole = isinstance(resolution, int | np.integer) and not isinstance(resolution, bool)
        if not is_whole or not 2 <= resolution <= MAX_RESOLUTION:
            raise ValueError(f"resolution must be a whole number between 2 and {MAX_RESOLUTION}; got {resolution!r}")
        self.trace, self.resolution = trace, int(resolution)
        is_lifted = data.dimension == 3
        self.coordinates = plane_coordinates(data)
        low, high = self.coordinates.min(axis=0), self.coordinates.max(axis=0)
        half = (0.5 + _MARGIN) * float((high - low).max()) or 1.0
        self.u, self.v = (np.linspace(at - half, at + half, self.resolution) for at in (low + high) / 2)
        self.extent = (float(self.u[0]), float(self.u[-1]), float(self.v[0]), float(self.v[-1]))
        points = np.stack(np.meshgrid(self.u, self.v), axis=-1).reshape(-1, 2)  # rows along v, columns along u
        if is_lifted:
            points = np.column_stack([points, np.ones(len(points))])
            points /= np.linalg.norm(points, axis=1, keepdims=True)
        self._inputs: Floats = points  # (resolution^2, d)
        self._values: dict[int, Floats] = {}
        self._initial: Floats | None = None  # sums over all neurons at the initial weights, (resolution^2,)
        self._moving: _MovingNeurons | None = None
        self._lock = threading.Lock()

    def values(self, iteration: int) -> Floats:
        """Return f on the grid, (resolution, resolution), before the move of `iteration` (T: after the last).

        Row j, column k is the output at (u[k], v[j]). Kept, so read-only; safe to call from several threads.

        Raises ValueError if there is no record of the iteration before. Cost: at first one pass over the m neurons,
        most of which are too short to fire anywhere on the grid; then |U(0)| * resolution^2 * d an iteration.
        """
        num_records = len(self.trace.records)
        if not 0 <= iteration <= num_records:
            raise ValueError(f"iteration must be between 0 and {num_records}, what has been computed; got {iteration}")
        with self._lock:
            if iteration not in self._values:
                outputs = self._compute(iteration) / math.sqrt(self.trace.config.width) + self.trace.output_shift
                outputs.flags.writeable = False
                self._values[iteration] = outputs.reshape(self.resolution, self.resolution)
            return self._values[iteration]

    def _compute(self, iteration: int) -> Floats:
        if self._initial is None:
            self._initial = np.zeros(len(self._inputs))
            for first, weights in self.trace.network.weight_blocks():
                self._initial += self._sums(weights, self.trace.output_signs[first : first + len(weights)])
        if iteration == 0:
            return self._initial
        if self._moving is None:
            self._moving = _MovingNeurons(self.trace)
        moving, neurons = self._moving, self._moving.neurons
        signs = self.trace.output_signs[neurons]
        if moving.initial_sums is None:
            moving.initial_sums = self._sums(moving.initial_weights, signs)
        return self._initial + (self._sums(moving.weights(iteration), signs) - moving.initial_sums)

    def _sums(self, weights: Floats, signs: Floats) -> Floats:
        """Return sum_r a_r max(w_r . x - b, 0) at every grid point, (resolution^2,), over the given neurons."""
        threshold, inputs = self.trace.config.resolved_threshold, self._inputs
        # |w . x| <= ||w|| ||x||: at the paper's threshold nine in ten fresh neurons in three dimensions are too short.
        longest = np.linalg.norm(inputs, axis=1).max() * (1 + 1e-12)
        reach = np.flatnonzero(np.linalg.norm(weights, axis=1) * longest >= threshold)
        columns = np.vstack([inputs.T, np.full(len(inputs), -threshold)])  # the threshold rides along in the product
        total = np.zeros(len(inputs))
        size = max(1, _BLOCK // len(inputs))
        buffer = np.empty((size, len(inputs)))
        for low in range(0, reach.size, size):
            chosen = reach[low : low + size]
            rows = np.column_stack([weights[chosen], np.ones(chosen.size)])
            excess = np.matmul(rows, columns, out=buffer[: chosen.size])
            total += signs[chosen] @ np.maximum(excess, 0.0, out=excess)
        return total


class _MovingNeurons:
    """The neurons of U(0), the only ones that ever move, and their weights at one iteration after another."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.neurons: Ints = trace.moving_neurons
        self.initial_weights = trace.network.weights(self.neurons)
        self.initial_sums: Floats | None = None
        self._weights, self._iteration = self.initial_weights.copy(), 0

    def weights(self, iteration: int) -> Floats:
        """Return their weights before the move of `iteration`, (|U(0)|, d): forward from the last ones asked for."""
        trace = self._trace
        if iteration < self._iteration:
            self._weights, self._iteration = self.initial_weights.copy(), 0
        for record in trace.records[self._iteration : iteration]:
            if record.dual_step.any():
                moves = trace.steps(record.iteration) @ trace.dataset.X
                self._weights[self.neurons.searchsorted(record.firing.neurons)] += moves
        self._iteration = iteration
        return self._weights
