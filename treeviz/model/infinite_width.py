"""The network at infinite width: how often neurons fire, and the kernel that training follows there.

A neuron's inner products with two unit-length datapoints are standard normals of correlation rho = x . x'. How often
both reach the threshold has a closed form, and two things follow from it: what the Gram matrix of the Jacobian,
G = K o C / m (algorithm.md §1), tends to as the width m grows, which is the neural tangent kernel of the hidden layer;
and how many neurons and pairs a network of any width is expected to handle, without drawing one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from treeviz.model.network import firing_probability
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats, Ints

# Gauss-Legendre nodes of the tail integral, where it takes over from Owen's T, and where e^-exponent underflows.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
_TAIL_SHARE, _TAIL_EXPONENT, _UNDERFLOW_EXPONENT = 1 / 8, 1.5, 750.0
# The tail integral stops where its integrand has fallen by e^-40.
_TAIL_LENGTH = 40.0
# Squared distance under which datapoints are subtracted: 2 - 2 rho has lost too many digits.
_CLOSE = 1e-3
_CHUNK_VALUES = 1 << 20  # entries of a temporary array
_TAIL_CHUNK = 1 << 13  # of the tail integral's, which stay in cache


@dataclass(frozen=True, slots=True)
class Activity:
    """What a fresh network is expected to have: numbers that need not be whole, in proportion to its width.

    Attributes
    ----------
    num_touched : |U|, neurons that fire on at least one datapoint.
    num_pairs : sum_i k_i, firing pairs.
    num_overlaps : sum_r |T_r|^2.
    num_entered : inner nodes with a firing datapoint below them, in the heap-shaped trees over the datapoints that
        `neuron_trees` keeps, all neurons together; 0 if not asked for.
    """

    num_touched: float
    num_pairs: float
    num_overlaps: float
    num_entered: float = 0.0


def both_fire_probability(correlations: Floats, threshold: float) -> Floats:
    """Return Pr[z >= b and z' >= b] of standard normals z, z' of each of the `correlations`, an array of any shape.

    Correlations beyond +-1 by round-off count as +-1. Relative accuracy is about 1e-13 even where the probability is
    1e-300, as far as the correlation itself is that certain: a change of it by e changes the exponent below by
    b^2 e / (1 + rho)^2. The threshold must be >= 0.

    The derivative with respect to rho is the density of the pair at (b, b) (Plackett 1954). Integrated from rho = -1,
    where the probability is 0, with rho = (1 - t^2) / (1 + t^2),

        Pr = (1 / pi) * integral from a to infinity of e^(-b^2 (1 + t^2) / 2) / (1 + t^2) dt,  a^2 = (1-rho) / (1+rho),

    which is Q(b) - 2 T(b, a) with Owen's T function, the same integral from 0 to a. That difference loses its digits
    where the probability is a small part of Q(b); there the integral itself is done by Gauss-Legendre quadrature over
    the stretch on which its integrand falls by e^-40. At b = 0 it is 1/4 + arcsin(rho) / (2 pi).
    Cost: Owen's T, and 24 exponentials in the tail, for each value.
    """
    rho = np.clip(correlations, -1.0, 1.0)
    return _both_fire(np.sqrt(1.0 - rho), np.sqrt(1.0 + rho), threshold)


def both_fire_matrix(X: Floats, other: Floats, products: Floats, threshold: float) -> Floats:
    """Return Pr[both fire] for every pair of unit-length points, (n, q), given the inner products, (n, q).

    As accurate for points that are close, or close to opposite. One triangle is computed if `other` is X.
    """
    if other is not X:
        return _both_fire(*_half_angle(X, other, products), threshold)
    rows, columns = np.triu_indices(len(X))
    near, far = _half_angle(X, X, products)
    both = np.empty_like(products)
    both[rows, columns] = _both_fire(near[rows, columns], far[rows, columns], threshold)
    both[columns, rows] = both[rows, columns]
    return both


def shifted_ntk(X: Floats, other: Floats, threshold: float) -> Floats:
    """Return the kernel H(x, x') = (x . x') Pr[w . x >= b and w . x' >= b] of unit-length points, shape (n, q).

    It is the limit of G = K o C / m as the width m grows: the neural tangent kernel of the network with only the
    hidden layer trained (Jacot et al. 2018; for b = 0 Xie, Liang and Song 2017, with this algorithm's b its paper).
    Equal points have equal rows to the last bit, so what is singular is seen to be.

    Parameters
    ----------
    X, other : (n, d) and (q, d). If they are one object the result is symmetric and half as expensive.
    threshold : b >= 0.

    Notes
    -----
    Cost: n q d, and n q probabilities; n (n + 1) / 2 of them if `other` is X.
    """
    products = X @ other.T
    return np.asarray(products * both_fire_matrix(X, other, products, threshold))


def expected_activity(X: Floats, threshold: float, width: int, seed: int = 0, num_samples: int = 8192) -> Activity:
    """Return how many neurons and pairs of a fresh network of `width` neurons fire on the unit-length points X, (n, d).

    Pairs and overlaps are exact expectations. Touched neurons are estimated by the method of Karp and Luby (1983):
    sum_i Pr[neuron fires on i] = n p counts every neuron as often as it fires somewhere. So draw a point i at random
    and a neuron given that it fires on i, let T be the number of points it fires on, and

        Pr[fires on any] = n p E[1 / T].

    The same holds for the datapoints below any node of a neuron tree; summed over the ancestors of i it gives the inner
    nodes with a firing datapoint below.

    The neuron is w = z x_i + (I - x_i x_i^T) u, with u normal and z normal given z >= b. Since 1/n <= 1/T <= 1 the
    relative error does not grow as firing gets rare; with one datapoint there is none. A seed gives the same points
    and normals whatever the threshold and the width, so that curves over them are smooth. All three numbers are
    `width` times what one neuron would give. Cost: num_samples * n * d, and n (n + 1) / 2 probabilities.
    """
    num_points = len(X)
    num_pairs = width * num_points * firing_probability(threshold)
    if num_pairs == 0.0:
        return Activity(0.0, 0.0, 0.0)
    share = entered = 0.0
    for chosen, fires in _sample_firing(X, threshold, random_stream(seed, Stream.ACTIVITY), num_samples):
        share += float(np.sum(1.0 / np.count_nonzero(fires, axis=1)))
        entered += _sum_inverse_degrees_above(chosen, fires)
    both = both_fire_matrix(X, X, X @ X.T, threshold)
    num_touched = min(float(width), num_pairs * (share / num_samples))
    return Activity(num_touched, num_pairs, width * float(both.sum()), num_pairs * (entered / num_samples))


def expected_touched(X: Floats, threshold: float, width: int, seed: int = 0, num_samples: int = 8192) -> float:
    """Return `expected_activity(...).num_touched` alone. Cost: num_samples * n * d."""
    num_pairs = width * len(X) * firing_probability(threshold)
    if num_pairs == 0.0:
        return 0.0
    samples = _sample_firing(X, threshold, random_stream(seed, Stream.ACTIVITY), num_samples)
    share = sum(float(np.sum(1.0 / np.count_nonzero(fires, axis=1))) for _, fires in samples)
    return min(float(width), num_pairs * (share / num_samples))


def _both_fire(near: Floats, far: Floats, threshold: float) -> Floats:
    """Return the probabilities of points with |x - x'| : |x + x'| = near : far, the tangent of half their angle."""
    single = firing_probability(threshold)
    if single == 0.0:
        return np.zeros_like(near)
    if threshold == 0.0:
        return np.asarray(np.arctan2(far, near) / np.pi)
    tangents = np.full_like(near, np.inf)
    np.divide(near, far, out=tangents, where=far > 0.0)
    both = np.asarray(np.clip(single - 2.0 * special.owens_t(threshold, tangents), 0.0, single))
    with np.errstate(over="ignore"):
        exponents = 0.5 * (threshold**2 + (threshold * tangents) ** 2)
    both[exponents >= _UNDERFLOW_EXPONENT] = 0.0
    tail = (both < _TAIL_SHARE * single) & (exponents >= _TAIL_EXPONENT) & (exponents < _UNDERFLOW_EXPONENT)
    both[tail] = _tail_probabilities(tangents[tail], exponents[tail], threshold)
    return both


def _tail_probabilities(tangents: Floats, exponents: Floats, threshold: float) -> Floats:
    """Integrate e^(-b^2 (1 + t^2) / 2) / (1 + t^2) / pi from t = tangent on, for (k,) tangents.

    With t = a + u the integrand is e^-exponent times e^(-b^2 u (a + u / 2)) / (1 + t^2), without cancellation.
    """
    squared = threshold**2
    result = np.empty_like(tangents)
    for low in range(0, tangents.size, _TAIL_CHUNK):
        a = tangents[low : low + _TAIL_CHUNK]
        half_length = (_TAIL_LENGTH / squared) / (a + np.sqrt(a**2 + 2.0 * _TAIL_LENGTH / squared))
        total = np.zeros_like(a)
        for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
            u = half_length * (1.0 + node)
            total += weight * np.exp(-squared * u * (a + 0.5 * u)) / (1.0 + (a + u) ** 2)
        result[low : low + _TAIL_CHUNK] = total * half_length * np.exp(-exponents[low : low + _TAIL_CHUNK]) / np.pi
    return result


def _half_angle(X: Floats, other: Floats, products: Floats) -> tuple[Floats, Floats]:
    """Return |x - x'| and |x + x'|, (n, q) each, of unit-length points, to full relative accuracy.

    The angle of points at a distance of 1e-8 cannot be had from their inner product, 1 to the last bit but one, and
    the probability changes by about as much as the distance: duplicates would look like two points. So points that
    are close, or close to opposite, are subtracted or added; that costs d for each such pair.
    """
    lengths = []
    for sign in (-1.0, 1.0):
        squared = np.maximum(2.0 + 2.0 * sign * products, 0.0)
        rows, columns = np.nonzero(squared < _CLOSE)
        step = max(1, _CHUNK_VALUES // X.shape[1])
        for low in range(0, rows.size, step):
            pairs = rows[low : low + step], columns[low : low + step]
            squared[pairs] = np.square(X[pairs[0]] + sign * other[pairs[1]]).sum(axis=1)
        lengths.append(np.sqrt(squared))
    return lengths[0], lengths[1]


def _sample_firing(
    X: Floats, threshold: float, generator: np.random.Generator, num_samples: int
) -> Iterator[tuple[Ints, NDArray[np.bool_]]]:
    """Yield datapoints drawn at random, (s,), and where neurons fire that fire there, (s, n); in pieces.

    The datapoint is drawn systematically, every one as often as every other, and z by its inverse distribution
    function from one uniform number in each of `num_samples` equal intervals; each is still distributed as it should.
    """
    num_points, dimension = X.shape
    offset = generator.random()
    points = (((np.arange(num_samples) + offset) / num_samples) * num_points).astype(np.int64) % num_points
    uniform = (generator.permutation(num_samples) + 1.0 - generator.random(num_samples)) / num_samples  # in (0, 1]
    tail = np.log(uniform) + special.log_ndtr(-threshold)  # log Pr[normal >= z]
    along = np.maximum(-special.ndtri_exp(tail), threshold)
    step = max(1, _CHUNK_VALUES // max(num_points, dimension))
    for low in range(0, num_samples, step):
        chosen, z = points[low : low + step], along[low : low + step]
        weights = generator.standard_normal((chosen.size, dimension))
        weights += (z - np.einsum("sd,sd->s", weights, X[chosen]))[:, None] * X[chosen]
        fires = weights @ X.T >= threshold
        fires[np.arange(chosen.size), chosen] = True  # round-off must not deny it
        yield chosen, fires


def _sum_inverse_degrees_above(chosen: Ints, fires: NDArray[np.bool_]) -> float:
    """Sum 1 / T over neurons and the inner nodes above their datapoint in a tree, T the firing ones below the node."""
    num_points, total = fires.shape[1], 0.0
    below = np.concatenate([np.zeros_like(fires), fires], axis=1).T.astype(np.float32)  # (2n, s), a heap each
    for node in range(num_points - 1, 0, -1):
        np.add(below[2 * node], below[2 * node + 1], out=below[node])
    node_above, samples = (num_points + chosen) // 2, np.arange(chosen.size)
    while (is_inner := node_above > 0).any():
        total += float(np.sum(1.0 / below[node_above[is_inner], samples[is_inner]]))
        node_above = node_above // 2
    return total
