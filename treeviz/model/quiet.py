"""What neurons that fire on no datapoint, which are *quiet*, add to outputs at other points: its standard deviation.

Such a neuron has the law of w ~ N(0, I) on the condition that w . x_i < b for all i. Three integrals are needed:

    Q = Pr[w quiet],   V(x) = E[(w . x - b)_+^2; w quiet],   M(x) = E[(w . x - b)_+; w quiet].

They are averages over w drawn coordinate by coordinate (Genz 1992). Coordinates come from a QR factorization of x and
the datapoints, those nearest to x first. So t = w . x is the first coordinate, and w . x_i depends on the first k_i
coordinates alone. Coordinate k is drawn on the condition that no datapoint with k_i = k fires: given those before it,
that is an interval. The chances to be in these intervals are multiplied; for Q that is what is averaged. For V, t is
drawn with a density close to (t - b)^2 phi(t) times the chance of the second coordinate, and each sample is weighted by
the quotient. Then the samples hardly differ where there is one datapoint, or all lie in a plane with x. Near a
datapoint, where quiet neurons fire rarely, no more samples are needed than elsewhere.

The uniform numbers are Sobol points, scrambled in `_NUM_COPIES` independent ways. Each gives an unbiased estimate, and
their spread gives the standard error. Points are added until it is small enough.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from treeviz.model.infinite_width import both_fire_matrix
from treeviz.model.network import Deviation, firing_probability
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats

_NUM_COPIES = 16
_FIRST_SAMPLES, _MOST_SAMPLES = 1 << 7, 1 << 15  # of a copy
# Relative standard errors: of V and of Q. Together they leave less than 0.1 % of a standard deviation.
_MOMENT_GOAL, _CHANCE_GOAL = 1.5e-3, 1.2e-3
_CHUNK_VALUES = 1 << 20  # entries of a temporary array
_ROUND_OFF = 1e-12  # a coordinate of a unit vector that is smaller counts as 0
_FARTHEST = 38.0  # beyond it the distribution function is 0 in double precision
# The density of t: cells of its table, and where it ends, as the logarithm of what is left there of its maximum.
_NUM_CELLS, _LOG_RANGE = 512, 25.0
_DISTANCES = np.geomspace(1e-15, 60.0, 3000)  # of t from b, among which the density has its maximum


class Estimate(NamedTuple):
    """A number, and its standard error."""

    value: float
    error: float

    def over(self, other: "Estimate") -> "Estimate":
        """Divide by an independent one."""
        error = np.hypot(self.error, self.value * other.error / other.value) / other.value
        return Estimate(self.value / other.value, float(error))


class QuietNeurons:
    """The law of a neuron that fires on no datapoint at the start.

    Parameters
    ----------
    X : (n, d) datapoints of unit length.
    threshold : b >= 0, so high that n p <= 1, p = Pr[N(0, 1) >= b].
    seed : of the samples. An answer depends on these three and its own point alone.

    Notes
    -----
    Cost of an answer: 2,048 to 524,288 samples, as the error needs, of n r multiply-adds and 4 r values of the normal
    distribution function each, r <= min(d, n + 1).
    """

    def __init__(self, X: Floats, threshold: float, seed: int) -> None:
        self._X, self._threshold, self._seed = X, threshold, seed
        self._sequences: dict[int, list[qmc.Sobol]] = {}

    def probability(self) -> Estimate:
        """Return Q, the chance that a neuron is quiet: 1 - 2 p + Pr[both fire] for two datapoints.

        It is at least (1 - 2 p)^n (Sidak 1967), so 1/27 or more, but for two datapoints that are nearly opposite.
        """
        if len(self._X) == 2:
            first, second = self._X[:1], self._X[1:]
            both = both_fire_matrix(first, second, first @ second.T, self._threshold)
            return Estimate(1.0 - 2.0 * firing_probability(self._threshold) + float(both[0, 0]), 0.0)
        walls, average = _Walls(_coordinates(self._X.T), self._threshold), _Average()
        for uniform in self._samples(walls.rank, walls.num_walls):
            average.add(walls.walk(uniform, np.empty_like(uniform), first=0))
            if average.has_error(_CHANCE_GOAL):
                break
        return average.estimate()

    def moment(self, x: Floats, power: int) -> Estimate:
        """Return E[(w . x - b)_+^power; w quiet] at a point of unit length, (d,): M for power 1, V for 2."""
        nearest = np.argsort(-(self._X @ x), kind="stable")
        rows = _coordinates(np.column_stack([x, self._X[nearest].T]))
        rows[0] /= rows[0, 0]
        walls = _Walls(rows[:, 1:], self._threshold)
        density = _Density.of(walls, self._threshold, power)
        if density is None:
            return Estimate(0.0, 0.0)
        average = _Average()
        for uniform in self._samples(walls.rank, walls.num_walls):
            values = np.empty_like(uniform)
            values[0], factors = density.draw(uniform[0])
            average.add(factors * walls.walk(uniform, values, first=1))
            if average.has_error(_MOMENT_GOAL):
                break
        found = average.estimate(density.scale)
        # No weight is more than the total. If all samples missed, this is a bound with a confidence of 95 %.
        return found if found.value else Estimate(0.0, 3.0 * density.total / average.num_samples)

    def deviation(self, X: Floats, num_quiet: int, width: int, sum_of_signs: float | None = None) -> Deviation:
        """Return the root mean square of what `num_quiet` of `width` neurons add to the outputs at X, (q, d).

        The neurons are independent draws from the law of a quiet neuron, so E[(w . x - b)_+^2 | quiet] = V / Q. Their
        signs are independent of the weights. If nothing is known of the signs, the mean of what N neurons add is 0 and
        its variance is N V / (Q m). If the sum S of their signs is known, two signs have the mean product
        (S^2 - N) / (N (N - 1)), and the mean square is

            (N V / Q + (S^2 - N) (M / Q)^2) / m.

        It is 0 at the datapoints. A standard error is at most 0.1 % of its value if nothing is known of the signs,
        unless the most samples leave more: that happens where datapoints lie close together around x, so that
        the value is very small. Where all samples have missed, the value is 0 and the error is what may be there.
        """
        values, errors = np.zeros(len(X)), np.zeros(len(X))
        if num_quiet == 0:
            return Deviation(values, errors)
        chance = self.probability()
        pairs = 0.0 if sum_of_signs is None else sum_of_signs**2 - num_quiet
        for place, x in enumerate(X):
            second = self.moment(x, 2).over(chance)
            first = self.moment(x, 1).over(chance) if pairs else Estimate(0.0, 0.0)
            square = max(num_quiet * second.value + pairs * first.value**2, 0.0) / width
            error = (num_quiet * second.error + 2.0 * abs(pairs) * first.value * first.error) / width
            values[place] = np.sqrt(square)
            errors[place] = error / (values[place] + np.sqrt(square + error)) if error else 0.0
        return Deviation(values, errors)

    def _samples(self, rank: int, num_walls: int) -> Iterator[Floats]:
        """Yield points of all copies, (rank, copies * size) numbers in (0, 1), copy by copy, up to the most."""
        if rank not in self._sequences:
            self._sequences[rank] = [
                qmc.Sobol(rank, seed=random_stream(self._seed, Stream.QUIET_NEURONS, copy))
                for copy in range(_NUM_COPIES)
            ]
        sequences, drawn = self._sequences[rank], 0
        for sequence in sequences:
            sequence.reset()
        chunk = max(_FIRST_SAMPLES, _CHUNK_VALUES // (_NUM_COPIES * max(rank, num_walls)))
        chunk = 1 << (chunk.bit_length() - 1)
        while drawn < _MOST_SAMPLES:
            size = min(max(drawn, _FIRST_SAMPLES), chunk)
            drawn += size
            points = np.stack([sequence.random(size) for sequence in sequences])
            yield np.moveaxis(points, 2, 0).reshape(rank, -1) + 2.0**-31  # half of the distance between two numbers


def _coordinates(columns: Floats) -> Floats:
    """Return the columns, (d, k), in coordinates of which the first j span the first j columns: (min(d, k), k)."""
    return np.asarray(np.linalg.qr(columns, mode="r"))


class _Walls:
    """The planes w . x_i = b in coordinates, each a bound of the last coordinate that w . x_i depends on.

    Parameters
    ----------
    rows : (r, n) coordinates of the datapoints.
    threshold : b.

    Attributes
    ----------
    rank : how many coordinates matter.
    num_walls : n.
    """

    def __init__(self, rows: Floats, threshold: float) -> None:
        matters = np.abs(rows) > _ROUND_OFF
        last = len(rows) - 1 - matters[::-1].argmax(axis=0)  # (n,)
        slopes = rows[last, np.arange(len(last))]
        order = np.lexsort([slopes > 0, last])  # by coordinate; lower bounds before upper ones
        self._slanted, self._bounds = (rows / slopes)[:, order], (threshold / slopes)[order, None]
        self.rank, self.num_walls = int(last.max()) + 1, len(last)
        self._starts = last[order].searchsorted(np.arange(self.rank + 1))
        self._num_lower = np.bincount(last[slopes < 0], minlength=self.rank)

    def interval(self, values: Floats) -> tuple[Floats | float, Floats | float]:
        """Return between what bounds, (s,), coordinate k must be, given those before it, (k, s)."""
        k = len(values)
        start, middle, end = self._starts[k], self._starts[k] + self._num_lower[k], self._starts[k + 1]
        bounds = self._slanted[:k, start:end].T @ values
        np.subtract(self._bounds[start:end], bounds, out=bounds)
        lower = bounds[: middle - start].max(axis=0) if middle > start else -np.inf
        return lower, bounds[middle - start :].min(axis=0) if end > middle else np.inf

    def walk(self, uniform: Floats, values: Floats, first: int) -> Floats:
        """Fill in coordinates `first`.. of samples, (r, s), from uniform numbers; return the product of chances."""
        chances = np.ones(uniform.shape[1])
        for k in range(first, self.rank):
            values[k], chance = _truncated(uniform[k], *self.interval(values[:k]))
            chances *= chance
        return chances


def _truncated(uniform: Floats, lower: Floats | float, upper: Floats | float) -> tuple[Floats, Floats]:
    """Return normal numbers between bounds from uniform ones, and the chance to be there, 0 if they are crossed."""
    if isinstance(lower, float):  # no bound
        chance = np.broadcast_to(ndtr(upper), uniform.shape)
        return np.clip(ndtri(uniform * chance), -_FARTHEST, _FARTHEST), chance
    is_high = lower > 0.0  # there the difference is taken on the other side, where no digits are lost
    low, high = np.where(is_high, -upper, lower), np.where(is_high, -lower, upper)
    below = ndtr(low)
    chance = np.maximum(ndtr(high) - below, 0.0)
    numbers = np.clip(ndtri(below + uniform * chance), -_FARTHEST, _FARTHEST)
    return np.where(is_high, -numbers, numbers), chance


class _Density:
    """A density of t close to (t - b)^power phi(t) times the chance of the next coordinate, and how to draw from it.

    It is a table of t over its distribution function, between whose entries t is a smooth monotone function; its slope
    is one over the density.

    Attributes
    ----------
    scale : factor of all weights.
    total : the integral of what the density is close to.
    """

    def __init__(self, walls: _Walls, threshold: float, power: int, farthest: float) -> None:
        self._walls, self._threshold, self._power, self._farthest = walls, threshold, power, farthest
        logs = self._log_height(_DISTANCES)
        self._log_top = float(logs.max())
        self.total = 0.0
        if self._log_top == -np.inf:
            return
        end = _DISTANCES[np.flatnonzero(logs > self._log_top - _LOG_RANGE)[-1]]
        excess = np.linspace(0.0, end, _NUM_CELLS + 1)
        heights = np.exp(self._log_height(excess) - self._log_top)
        shares = np.append(0.0, np.cumsum(heights[1:] + heights[:-1]))
        self._excess = PchipInterpolator(shares / shares[-1], excess)
        self._slope = self._excess.derivative()
        self.scale = float(np.exp(self._log_top - 0.5 * threshold**2) / np.sqrt(2.0 * np.pi))
        self.total = float(0.5 * self.scale * shares[-1] * end / _NUM_CELLS)

    @classmethod
    def of(cls, walls: _Walls, threshold: float, power: int) -> "_Density | None":
        """Return it; None if no quiet neuron fires on x, as where x is a datapoint."""
        farthest = float(np.min(walls.interval(np.empty((0, 1)))[1])) - threshold
        if farthest <= _ROUND_OFF * max(1.0, threshold):
            return None
        density = cls(walls, threshold, power, farthest)
        return density if density.total > 0.0 else None

    def draw(self, uniform: Floats) -> tuple[Floats, Floats]:
        """Return t, and the weights that make up for the density, without the next coordinate's chance and `scale`."""
        excess = self._excess(uniform)
        return self._threshold + excess, self._slope(uniform) * np.exp(self._log_power(excess) - self._log_top)

    def _log_power(self, excess: Floats) -> Floats:
        """Return the logarithm of (t - b)^power e^(-(t^2 - b^2) / 2)."""
        with np.errstate(divide="ignore"):
            return np.asarray(self._power * np.log(excess) - 0.5 * excess**2 - self._threshold * excess)

    def _log_height(self, excess: Floats) -> Floats:
        logs = self._log_power(excess)
        if self._walls.rank > 1:
            bounds = self._walls.interval((self._threshold + excess)[None])
            with np.errstate(divide="ignore"):
                logs += np.log(_truncated(np.full(excess.size, 0.5), *bounds)[1])
        return np.where(excess < self._farthest, logs, -np.inf)


class _Average:
    """The average of weights, of each copy apart."""

    def __init__(self) -> None:
        self._totals, self._size = np.zeros(_NUM_COPIES), 0

    def add(self, weights: Floats) -> None:
        """Take in weights, (copies * size,)."""
        parts = weights.reshape(_NUM_COPIES, -1)
        self._totals += parts.sum(axis=1)
        self._size += parts.shape[1]

    @property
    def num_samples(self) -> int:
        """Samples of all copies."""
        return self._size * _NUM_COPIES

    def estimate(self, scale: float = 1.0) -> Estimate:
        """Return the average times `scale`."""
        means = self._totals / self._size
        return Estimate(scale * float(means.mean()), scale * float(means.std(ddof=1)) / _NUM_COPIES**0.5)

    def has_error(self, goal: float) -> bool:
        """Whether the relative standard error is small; asked where Sobol points are even, at powers of 2."""
        found = self.estimate()
        return self._size & (self._size - 1) == 0 and found.value > 0.0 and found.error <= goal * found.value
