"""Neurons as points: a plane through weight space, and where an iteration moves them in it.

A neuron fires on a datapoint if its weights lie in the half-plane w . x_i >= b. With two input coordinates the plane is
all of weight space. With more, it is spanned by the datapoint x_i and by the direction e, orthogonal to x_i, in which
the iteration moves neurons most: a principal direction. No pass over the neurons is needed to find it, because their
moves dw_r = -(a_r / sqrt(m)) * sum_{i in T_r} g_i x_i (algorithm.md §3.7) have the second moments

    sum_r dw_r dw_r^T = X^T H X,    H_ij = g_i g_j |S_i & S_j| / m,

and because e is a combination of datapoints, w_r . e is the same combination of the leaves of neuron r.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from treeviz.model.numerals import agree, count
from treeviz.model.types import Floats, Ints
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

Mask = NDArray[np.bool_]

# Shares of the places: for neurons that never fire, and at most for those that start or stop firing.
_NEVER_SHARE, _CROSSING_SHARE = 0.4, 0.25
# Lengths below this fraction of what they were computed from are round-off, not a direction.
_SMALLEST = 1e-9
_LARGEST_DENSE = 512
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, slots=True, eq=False)
class NeuronPlane:
    """Some neurons in a plane through weight space, before and after an iteration's move.

    Attributes
    ----------
    point, iteration : the datapoint whose tree is looked at, and when.
    neurons : (p,) those shown, ascending.
    before, after : (p, 2) coordinates of their weights in the plane.
    fires_before, fires_after : (p,) whether they fire on this datapoint.
    touched, touched_after : (p,) whether they fire on some datapoint in this iteration, so that they move in it; and
        whether they do after the move.
    ever : (p,) whether they fire on some datapoint in the first iteration: the others never fire and never move.
    signs : (p,) output signs a_r.
    movement : (p,) length of the move ||dw_r|| in the whole weight space.
    normal, threshold : a neuron fires on this datapoint where normal . coordinates >= threshold; normal is (2,).
    labels : names of the two axes.
    is_exact : whether the plane is the whole weight space, so that nothing is hidden by looking along it.
    dimension : of the weight space, d.
    shares : how many neurons are shown and how many there are, of the "never-firing" and of the "touched".
    """

    point: int
    iteration: int
    neurons: Ints
    before: Floats
    after: Floats
    fires_before: Mask
    fires_after: Mask
    touched: Mask
    touched_after: Mask
    ever: Mask
    signs: Floats
    movement: Floats
    normal: Floats
    threshold: float
    labels: tuple[str, str]
    is_exact: bool
    dimension: int
    shares: Mapping[str, tuple[int, int]]

    @property
    def caption(self) -> str:
        """Say in words what the picture shows."""
        if self.is_exact:
            space = "This is the whole weight space: a neuron's coordinates are its weights."
        else:
            space = (
                f"A plane through the weight space of {count(self.dimension, 'dimension')}: across, a neuron's inner "
                f"product with datapoint {self.point}, which is its leaf; upward: {self.labels[1]}."
            )
        (touched, all_touched), (never, all_never) = self.shares["touched"], self.shares["never-firing"]
        return (
            f"{space} Shown are {touched:,} of the {count(all_touched, 'neuron')} that "
            f"{agree(all_touched, 'fires', 'fire')} on some datapoint in this iteration and {never:,} of the "
            f"{all_never:,} that never {agree(all_never, 'fires', 'fire')} on any."
        )


def neuron_plane(
    trace: Trace, point: int, iteration: int, max_neurons: int = 240, include: ArrayLike | None = None
) -> NeuronPlane:
    """Choose neurons and find where they lie before and after the move of `iteration`, seen from one datapoint.

    Parameters
    ----------
    trace : a run with a record of the iteration.
    max_neurons : how many to choose: those that start or stop firing on this datapoint (at most a quarter), those that
        fire on it with the largest moves, other touched ones, and for two fifths of the places a fair sample of those
        that never fire, which is the same in every iteration.
    include : further neurons to show, in any order.

    Raises
    ------
    ValueError
        If there is no such datapoint, iteration or neuron, or `max_neurons` is not a positive whole number.

    Notes
    -----
    Cost: sorting the firing pairs and sum_r |T_r|^2 for the direction; a replay of the leaves of the neurons shown.
    """
    X, width = trace.dataset.X, trace.num_drawn
    _require("point", point, 0, trace.dataset.num_points - 1)
    _require("iteration", iteration, 0, len(trace.records) - 1)
    _require("max_neurons", max_neurons, 1, None)
    extra = np.unique(np.asarray([] if include is None else include))
    if extra.size and (extra.dtype.kind not in "iu" or extra[0] < 0 or extra[-1] >= width):
        raise ValueError(f"include must hold neurons, whole numbers between 0 and {width - 1}; got {include!r}")

    record, threshold = trace.records[iteration], trace.config.resolved_threshold
    firing = record.firing
    neurons = np.union1d(_choose(trace, record, point, max_neurons), extra.astype(np.int64))

    touched, rows = _members(neurons, firing.neurons)
    ever, _ = _members(neurons, trace.moving_neurons)
    movement = np.zeros(neurons.size)
    movement[touched] = trace.move_lengths(iteration)[rows]
    leaves_before, leaves_after = trace.leaf_rows_around(neurons, iteration)
    axes = _choose_axes(trace, record, point)
    before, after = (_project(trace, neurons, leaves, axes) for leaves in (leaves_before, leaves_after))
    if not axes.is_weights:
        before[:, 0], after[:, 0] = leaves_before[:, point], leaves_after[:, point]
    return NeuronPlane(
        point=int(point),
        iteration=int(iteration),
        neurons=neurons,
        before=before,
        after=after,
        fires_before=np.isin(neurons, firing[point], assume_unique=True),
        fires_after=leaves_after[:, point] >= threshold,
        touched=touched,
        touched_after=np.any(leaves_after >= threshold, axis=1),
        ever=ever,
        signs=trace.output_signs[neurons],
        movement=movement,
        normal=X[point].copy() if axes.is_weights else np.array([1.0, 0.0]),
        threshold=threshold,
        labels=axes.labels,
        is_exact=X.shape[1] <= 2,
        dimension=X.shape[1],
        shares={
            "never-firing": (int(np.sum(~ever)), width - trace.moving_neurons.size),
            "touched": (int(touched.sum()), firing.neurons.size),
        },
    )


# Which neurons.


def _choose(trace: Trace, record: StepRecord, point: int, max_neurons: int) -> Ints:
    """Choose `max_neurons` neurons, or all if there are no more; in no order."""
    ever, firing, width = trace.moving_neurons, record.firing, trace.num_drawn
    num_never = min(width - ever.size, round(_NEVER_SHARE * max_neurons))
    room = max_neurons - num_never

    here = record.firing[point].astype(np.int64)
    crossing = np.setxor1d(here, _firing_after(trace, record, point), assume_unique=True)
    crossing = _spread(crossing, int(_CROSSING_SHARE * max_neurons))
    room -= crossing.size
    staying = _without(here, crossing)
    others = _without(_without(firing.neurons, here), crossing)
    num_others = min(others.size, max(room // 3, room - staying.size))
    _, rows = _members(staying, firing.neurons)
    lengths = trace.move_lengths(record.iteration)[rows]
    farthest = staying[np.argsort(-lengths, kind="stable")[: room - num_others]]
    room -= num_others + farthest.size

    # Places left over: neurons that no longer fire anywhere, then more of those that never did.
    resting = _spread(_without(ever, firing.neurons), room)
    num_never = min(width - ever.size, num_never + room - resting.size)
    never = _spread_outside(ever, width, num_never)
    return np.concatenate([crossing, farthest, _spread(others, num_others), resting, never])


def _firing_after(trace: Trace, record: StepRecord, point: int) -> Ints:
    """Return the neurons that fire on a datapoint after the move of `record`."""
    if record.iteration + 1 < len(trace.records):
        return trace.records[record.iteration + 1].firing[point].astype(np.int64)
    leaves = trace.tree_values(point, record.iteration + 1)[trace.num_drawn :]
    return record.touched[leaves[record.touched] >= trace.config.resolved_threshold].astype(np.int64)


def _spread(members: Ints, count: int) -> Ints:
    """Return `count` of the members, evenly spread over their order, or all if there are no more."""
    count = min(count, members.size)
    return members[((np.arange(count) + 0.5) * members.size / max(count, 1)).astype(np.int64)]


def _spread_outside(members: Ints, width: int, count: int) -> Ints:
    """Return `count` of the neurons that are not among the ascending members, evenly spread over their order."""
    ranks = ((np.arange(count) + 0.5) * (width - members.size) / max(count, 1)).astype(np.int64)
    # Before members[j] lie members[j] - j others, so the other of rank k comes after all members where that is <= k.
    return ranks + np.searchsorted(members - np.arange(members.size), ranks, side="right")


def _members(neurons: Ints, members: NDArray[np.integer]) -> tuple[Mask, Ints]:
    """Say which neurons are among the ascending members, and where those are in it."""
    places = np.searchsorted(members, neurons)
    found = np.zeros(neurons.size, dtype=bool)
    inside = places < members.size
    found[inside] = members[places[inside]] == neurons[inside]
    return found, places[found]


def _without(neurons: Ints, members: Ints) -> Ints:
    """Return the neurons that are not among the members."""
    return neurons[np.isin(neurons, members, assume_unique=True, invert=True)]


# Which plane.


@dataclass(frozen=True, slots=True, eq=False)
class _Axes:
    """Two directions in weight space, (2, d), and if they are combinations of datapoints, which: (n, 2)."""

    directions: Floats
    combinations: Floats | None
    labels: tuple[str, str]
    is_weights: bool = False


def _choose_axes(trace: Trace, record: StepRecord, point: int) -> _Axes:
    X = trace.dataset.X
    n, d = X.shape
    if d == 2:
        longest, shortest = np.linalg.svd(X, compute_uv=False)[[0, -1]]
        has_rank_two = n > 1 and shortest > _SMALLEST * longest
        combinations = np.asarray(np.linalg.pinv(X).T, dtype=np.float64) if has_rank_two else None
        return _Axes(np.eye(2), combinations, ("w₁", "w₂"), is_weights=True)
    leaf = f"w · x{str(point).translate(_SUBSCRIPTS)} (the leaf)"
    first = np.zeros(n)
    first[point] = 1.0
    if d == 1:
        axes = np.stack([X[point], np.zeros(1)])
        return _Axes(axes, np.stack([first, np.zeros(n)], axis=1), (leaf, "nothing: there is one weight only"))
    for label, moments in (
        ("direction of largest movement", _second_moments(trace, record)),
        ("direction in which the datapoints differ most", np.eye(n)),
    ):
        combination = _principal_combination(X, point, moments)
        if combination is not None:
            return _Axes(np.stack([X[point], combination @ X]), np.stack([first, combination], axis=1), (leaf, label))
    # All datapoints lie on one line: any direction across it. Nothing moves along it, and no leaf depends on it.
    across = np.zeros(d)
    across[np.abs(X[point]).argmin()] = 1.0
    across -= (across @ X[point]) * X[point]
    directions = np.stack([X[point], across / np.linalg.norm(across)])
    return _Axes(directions, None, (leaf, "some direction orthogonal to all datapoints"))


def _second_moments(trace: Trace, record: StepRecord) -> Floats:
    """Return H, (n, n), up to a positive factor."""
    largest = np.abs(record.dual_step).max(initial=0.0)
    scaled = record.dual_step / largest if largest > 0 else record.dual_step  # squares cannot overflow
    return np.outer(scaled, scaled) * trace.overlaps(record.iteration)


def _principal_combination(X: Floats, point: int, moments: Floats) -> Floats | None:
    """Return the c, (n,), for which e = c X has length 1, is orthogonal to x_i and has the largest e X^T H X e.

    The sign makes the largest entry of e positive. None if there is no such direction but for round-off. With Y the
    datapoints less their x_i components, e is the leading eigenvector of Y^T H Y, and a combination of the rows of Y:
    e = Y^T (H Y e) / eigenvalue. It is looked for in the span of Y, in coordinates by a QR factorization.
    """
    along = X @ X[point]  # (n,)
    Y = X - along[:, None] * X[point]
    Q, R = np.linalg.qr(Y.T)  # (d, k), (k, n) with k = min(n, d)
    inside = R @ moments @ R.T
    size = len(inside)
    if size <= _LARGEST_DENSE:
        values, vectors = scipy.linalg.eigh(inside, subset_by_index=[size - 1, size - 1])
    else:
        from scipy.sparse.linalg import eigsh

        start = inside[:, np.diag(inside).argmax()]
        values, vectors = eigsh(inside, k=1, v0=start) if start.any() else (np.zeros(1), inside)
    if not values[-1] > _SMALLEST**2 * np.sum(moments * (X @ X.T)):
        return None
    direction = Q @ vectors[:, -1]
    direction *= np.sign(direction[np.abs(direction).argmax()])
    combination = moments @ (Y @ direction) / values[-1]
    combination /= np.linalg.norm(combination @ Y)
    combination[point] -= combination @ along
    return np.asarray(combination)


def _project(trace: Trace, neurons: Ints, leaves: Floats, axes: _Axes) -> Floats:
    """Return the coordinates, (p, 2), of the neurons with the given leaves, (p, n)."""
    if axes.combinations is not None:
        return np.asarray(leaves @ axes.combinations)
    # Leaves determine weights up to what is orthogonal to all datapoints; but nothing ever moves in that direction.
    X = trace.dataset.X
    weights = trace.network.weights(neurons)
    moved = (leaves - weights @ X.T) @ np.linalg.pinv(X, rcond=_SMALLEST).T
    return np.asarray((weights + moved) @ axes.directions.T)


def _require(name: str, value: int, low: int, high: int | None) -> None:
    allowed = f"between {low} and {high}" if high is not None else f"of at least {low}"
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not is_whole or value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be a whole number {allowed}; got {value!r}")
