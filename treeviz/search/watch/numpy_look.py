"""Looking at neurons that may have changed, in NumPy: what `loops.look_at` does where there is a compiler."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints
from treeviz.search.watch.pairs import PairLists, pairs_of

# Distances this much shorter than computed are certain, and by as much again for each unit of length that the neuron
# has moved along its datapoints: round-off stays far below it.
GUARD = 1e-9
# Squared drift is c^T K c, in which near-duplicates cancel. What round-off can hide of it, in units of (sum |c_i|)^2:
# sums of up to n terms, of n up to 32,766 datapoints, are off by at most n * 2^-53 of what they would be without signs.
ROUND_OFF = 1e-11


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What stays the same while a network trains through watch lists.

    Attributes
    ----------
    gram : K = X X^T, (n, n). `nearest` (n,) is the largest |K_ij| of another datapoint j.
    scale : 1 / sqrt(m).
    threshold, skin : b, and how far below it pairs are watched.
    """

    gram: Floats
    nearest: Floats
    scale: float
    threshold: float
    skin: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What looking at some rows found: those beyond their reach; how many were due and how many changed; its cost."""

    breached: Ints
    num_due: int
    num_changed: int
    num_operations: int


# What some rows' visit found, and what it changes in C and in the offsets.
Part = tuple[Seen, Ints, Floats]


def look_in_numpy(lists: PairLists, rows: Ints, positions: Floats, setting: Setting) -> Part:
    """Look at some rows: find where they fire, return what that changes, and set when they are due next.

    Rows that have drifted beyond the skin are left as they are.
    """
    num_points, totals, num_due = len(setting.gram), positions[:-1], rows.size
    picked = _Picked(lists, rows, num_points)
    coefficients = picked.coefficients(totals)
    used, lengths = picked.matrix(coefficients), picked.sums(np.abs(coefficients))
    squares = np.asarray(used.multiply(used @ setting.gram).sum(axis=1)) + ROUND_OFF * lengths**2
    spare = setting.skin - setting.scale * np.sqrt(np.maximum(squares, 0.0))
    is_whole = np.diff(picked.indptr) == num_points  # there is no pair that is not watched
    spare[is_whole] = np.inf
    work = int((np.diff(used.indptr)[~is_whole] ** 2).sum())
    is_near = spare >= 0
    breached, rows, spare = rows[~is_near], rows[is_near], spare[is_near]
    overlaps, offsets = np.zeros(setting.gram.shape, dtype=np.int64), np.zeros(num_points)
    if not rows.size:
        return Seen(breached, num_due, 0, work), overlaps, offsets
    if breached.size:
        picked, lengths = _Picked(lists, rows, num_points), lengths[is_near]
    points, pull = picked.points, -setting.scale * lists.signs[rows][picked.owners]

    def products(coefficients: Floats) -> Floats:
        """Return every pair's inner product with these coefficients of the datapoints."""
        shifts = picked.matrix(coefficients) @ setting.gram
        return np.asarray(picked.products + pull * shifts[picked.owners, points])

    values = products(picked.coefficients(totals))
    now = values >= setting.threshold
    changes = np.logical_or.reduceat(now != picked.fires, picked.indptr[:-1])
    sizes, num_used = np.diff(picked.indptr), picked.count(picked.coefficients(totals) != 0.0)
    work += int((sizes * (num_used + 1)).sum())
    if changes.any():
        handled = changes[picked.owners]
        spent = picked.spent + np.where(handled, totals[points] * (picked.fires.astype(np.int64) - now), 0.0)
        for fires, own, sign in ((picked.fires, picked.spent, -1), (now, spent, 1)):
            mine = fires & handled
            shares = pull[mine] * (products(own)[mine] - setting.threshold)
            offsets -= sign * np.bincount(points[mine], weights=shares, minlength=num_points)
            incidence = picked.matrix(mine.astype(np.int64))
            overlaps += sign * (incidence.T @ incidence).toarray()
            work += int((picked.count(mine) ** 2).sum())
        lists.spent[picked.pairs] = spent
        lists.codes[picked.pairs] = np.where(now, points, ~points)
        lists.set_depths(rows, now)

    # How far the neuron may move, and for those that fire on one datapoint, in which direction.
    num_firing = picked.count(now)
    guards = GUARD * (1.0 + setting.scale * lengths)[picked.owners]
    gaps = np.maximum(np.abs(values - setting.threshold) - guards, 0.0)
    reaches = (picked.matrix(now.astype(np.float64)) @ np.abs(setting.gram))[picked.owners, points]
    lists.homes[rows], lists.lows[rows] = num_points, -np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        closest = np.minimum.reduceat(np.where(reaches > 0.0, gaps / reaches, np.inf), picked.indptr[:-1])
        closest = np.minimum(spare / num_firing, closest)
    due = np.where(num_firing > 0, positions[-1] + closest / setting.scale, np.inf)
    lists.highs[rows] = -_rounded_up(-due)
    if (single := num_firing == 1).any():
        homes = np.zeros(rows.size, dtype=np.int64)
        homes[picked.owners[now]] = points[now]
        slopes = setting.gram[homes[picked.owners], points]
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(gaps == 0.0, 0.0, np.where(slopes == 0.0, np.inf, gaps / np.abs(slopes)))
        is_upward = (values < setting.threshold) == (slopes > 0.0)
        upward = np.where(is_upward | (gaps == 0.0), steps, np.inf)
        downward = np.where(~is_upward | (gaps == 0.0), steps, np.inf)
        upward, downward = (
            np.minimum(spare, np.minimum.reduceat(way, picked.indptr[:-1]))[single] for way in (upward, downward)
        )
        is_pulled_down, home = lists.signs[rows[single]] > 0, homes[single]
        below, above = np.where(is_pulled_down, (upward, downward), (downward, upward))
        lists.homes[rows[single]] = home
        lists.lows[rows[single]] = _rounded_up(totals[home] - below / setting.scale)
        lists.highs[rows[single]] = -_rounded_up(-totals[home] - above / setting.scale)
    return Seen(breached, num_due, int(changes.sum()), work), overlaps, offsets


class _Picked:
    """The pairs of some rows of the lists, as a sparse matrix of its own."""

    def __init__(self, lists: PairLists, rows: Ints, num_points: int) -> None:
        sizes = np.diff(lists.indptr)[rows]
        self.indptr = np.append(0, np.cumsum(sizes))
        self.owners = np.repeat(np.arange(rows.size), sizes)
        self.pairs = pairs_of(lists.indptr, rows)
        codes = lists.codes[self.pairs].astype(np.int64)
        self.points, self.fires = np.maximum(codes, ~codes), codes >= 0
        self.products, self.spent = lists.products[self.pairs], lists.spent[self.pairs]
        self._num_points = num_points

    def coefficients(self, totals: Floats) -> Floats:
        """Return c_ri of each pair."""
        return np.asarray(self.spent + np.where(self.fires, totals[self.points], 0.0))

    def count(self, chosen: NDArray[np.bool_]) -> Ints:
        """Return how many of the chosen pairs each row has."""
        return np.asarray(np.add.reduceat(chosen, self.indptr[:-1], dtype=np.int64))

    def sums(self, values: Floats) -> Floats:
        """Return the sum of each row's values."""
        return np.asarray(np.add.reduceat(values, self.indptr[:-1]))

    def matrix(self, values: NDArray[np.generic]) -> sp.csr_array:
        """Return the sparse matrix (rows, n) with these values, stored zeros dropped."""
        shape = (self.indptr.size - 1, self._num_points)
        matrix = sp.csr_array((values, self.points, self.indptr), shape=shape, copy=True)
        matrix.eliminate_zeros()
        return matrix


def _rounded_up(bounds: Floats) -> NDArray[np.float32]:
    """Round to single precision, never down, and never to an infinity that was a number."""
    finite = np.maximum(bounds, -1e38)
    finite = finite + np.abs(finite) * 1e-7 + 1e-37  # rounding to nearest takes back less than 6e-8 of it
    with np.errstate(over="ignore"):
        return np.asarray(np.where(bounds == -np.inf, -np.inf, finite), dtype=np.float32)
