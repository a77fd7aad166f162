"""Looking at neurons that may have changed, in NumPy: what `loops.look_at` does where there is a compiler."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints
from treeviz.search.watch.pairs import BLOCK_ROWS, PairLists
from treeviz.search.watch.round_off import RoundOff

# Drifts this close to the skin are left to the exact comparison: rows of X are of unit length to 1e-9.
NEARLY = 1.0 - 1e-8
# Sums of more terms than this are made for all datapoints at once, where they are wanted for a quarter of them.
FEW = 3


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What stays the same while a network trains through watch lists.

    Attributes
    ----------
    gram : K = X X^T, (n, n). `nearest` (n,) is the largest |K_ij| of another datapoint j.
    scale : 1 / sqrt(m).
    threshold, skin : b, and how far a neuron may drift before pairs that are not watched can fire.
    round_off : how far what is computed may be from the truth.
    """

    gram: Floats
    nearest: Floats
    scale: float
    threshold: float
    skin: float
    round_off: RoundOff

    @property
    def guard_of_length(self) -> float:
        """By how much distances to the threshold are shortened, for each unit of a neuron's length."""
        return 2.0 * self.round_off.of_length

    def least_guard(self, clock: float) -> float:
        """By how much distances to the threshold are shortened, whatever a neuron's length: then they are certain."""
        return 2.0 * self.round_off.fixed + self.round_off.of_clock * self.scale * clock


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What looking at some rows found: those beyond their reach; how many were due and how many changed; its cost."""

    breached: Ints
    num_due: int
    num_changed: int
    num_operations: int


# What some rows' visit found, what it changes in C and in the offsets, and the sizes of all that the latter sums up.
Part = tuple[Seen, Ints, Floats, Floats]


def find_due_in_numpy(lists: PairLists, blocks: Ints, positions: Floats) -> Ints:
    """Return the rows of some blocks that are due, ascending, and set when the first of the others may be."""
    places = blocks[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)
    rows = np.minimum(places, lists.neurons.size - 1)
    position = positions[lists.homes[rows]]
    ahead = np.minimum(position - lists.lows[rows], lists.highs[rows] - position)
    ahead[places >= lists.neurons.size] = np.inf
    lists.rests[blocks] = _before(positions[-1] + np.where(ahead > 0.0, ahead, np.inf).min(axis=1))
    return np.asarray(places[ahead <= 0.0])


def look_in_numpy(lists: PairLists, rows: Ints, positions: Floats, setting: Setting) -> Part:
    """Look at some rows: find where they fire, return what that changes, and set when they are due next.

    Rows that have drifted beyond the skin are left as they are. Operations are counted as `loops.look_at` spends them,
    which may end a list early, although all pairs are computed here.
    """
    num_points, totals, scale, threshold = len(setting.gram), positions[:-1], setting.scale, setting.threshold
    overlaps, num_due = np.zeros(setting.gram.shape, dtype=np.int64), rows.size
    offsets, turnover = np.zeros(num_points), np.zeros(num_points)
    least_guard = setting.least_guard(float(positions[-1]))
    picked = _Picked(lists, rows, totals, setting, least_guard)
    shortcut, work = picked.takes_shortcut(), 0
    squares = np.einsum("ui,ui->u", picked.moves, picked.shifts) + setting.round_off.of_square * picked.lengths**2
    spare = setting.skin - scale * np.sqrt(np.maximum(squares, 0.0))
    is_whole = picked.sizes == num_points  # there is no pair that is not watched
    spare[is_whole] = np.inf
    work += int((picked.num_used[~is_whole & ~shortcut] ** 2).sum()) + 6 * int(shortcut.sum())
    work += int(picked.depths[~shortcut].sum())
    if (is_far := spare < 0.0).any():
        breached, rows, spare, shortcut = rows[is_far], rows[~is_far], spare[~is_far], shortcut[~is_far]
        if not rows.size:
            return Seen(breached, num_due, 0, work), overlaps, offsets, turnover
        picked = _Picked(lists, rows, totals, setting, least_guard)
    else:
        breached = rows[:0]
    spare = np.maximum(spare - picked.guards, 0.0)
    is_wide = (picked.num_used > FEW) & (4 * picked.sizes > num_points)

    points, values, now = picked.points, picked.values, picked.is_pair & (picked.values >= threshold)
    seen = np.maximum(picked.depths, (picked.bounds >= threshold).sum(axis=1))
    changes = (now != picked.fires).any(axis=1)
    num_firing, depths = now.sum(axis=1), picked.depths.copy()
    work += int((seen + np.where(is_wide, num_points, seen) * picked.num_used)[~shortcut].sum())
    if changes.any():
        spent = picked.spent + np.where(changes[:, None], totals[points] * (picked.fires.astype(np.int64) - now), 0.0)
        deepest = np.where(now, np.arange(1, now.shape[1] + 1), 0).max(axis=1)
        depths[changes & ~shortcut] = np.maximum(depths, deepest)[changes & ~shortcut]
        for fires, own, depth, sign in ((picked.fires, picked.spent, picked.depths, -1), (now, spent, depths, 1)):
            mine = fires & changes[:, None]
            shares = (picked.pull[:, None] * (picked.values_with(own) - threshold))[mine]
            offsets -= sign * np.bincount(points[mine], weights=shares, minlength=num_points)
            turnover += np.bincount(points[mine], weights=picked.sizes_with(own)[mine], minlength=num_points)
            incidence = picked.spread(mine.astype(np.float64))
            overlaps += sign * np.rint(incidence.T @ incidence).astype(np.int64)
            counts = mine.sum(axis=1)
            work += int((counts * (counts + 2 * depth))[~shortcut].sum())
        lists.spent[picked.places[picked.is_pair]] = spent[picked.is_pair]
        lists.codes[picked.places[picked.is_pair]] = np.where(now, points, ~points)[picked.is_pair]
        lists.depths[rows] = depths

    # How far the neuron may move, and for those that fire on one datapoint, in which direction.
    gaps = np.where(picked.is_pair, np.maximum(np.abs(values - threshold) - picked.guards[:, None], 0.0), np.inf)
    reaches = (picked.spread(now.astype(np.float64)) @ np.abs(setting.gram))[picked.row, points]
    together = np.where(now, setting.nearest[points], 0.0).sum(axis=1)
    lists.homes[rows], lists.lows[rows], lists.highs[rows] = num_points, -np.inf, np.inf
    several, single = num_firing > 1, num_firing == 1
    far = np.zeros(now.shape)  # what the nearest of all pairs before one in the list leaves it to move
    if several.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(reaches > 0.0, gaps / reaches, np.inf)
            closest = _running_minimum(steps, spare / num_firing)
        lists.highs[rows[several]] = _before(positions[-1] + closest[several, -1] / scale)
        _wake(lists, rows[several], lists.highs[rows[several]])
        with np.errstate(invalid="ignore"):  # 0 of infinity is no bound
            far[several] = (together[:, None] * closest[:, :-1])[several]
    if single.any():
        home = points[np.arange(rows.size), now.argmax(axis=1)]
        slopes = setting.gram[home[:, None], points]
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(gaps == 0.0, 0.0, np.where(slopes == 0.0, np.inf, gaps / np.abs(slopes)))
        is_upward = (values < threshold) == (slopes > 0.0)
        upward = _running_minimum(np.where(is_upward | (gaps == 0.0), steps, np.inf), spare)
        downward = _running_minimum(np.where(~is_upward | (gaps == 0.0), steps, np.inf), spare)
        ends = np.stack([upward[:, -1], downward[:, -1]])
        below, above = np.where(picked.pull < 0.0, ends, ends[::-1])
        ones, at = rows[single], totals[home[single]]
        lists.homes[ones] = home[single]
        lists.lows[ones] = _rounded_up(at - below[single] / scale)
        lists.highs[ones] = _before(at + above[single] / scale)
        _wake(lists, ones, _before(positions[-1] + ends.min(axis=0)[single] / scale))
        nearest = setting.nearest[home][:, None]
        with np.errstate(invalid="ignore"):
            far[single] = (nearest * np.maximum(upward, downward)[:, :-1])[single]
    # The list ends at the first pair behind its depth that cannot come to the threshold.
    order = np.arange(now.shape[1])
    ends_here = ~picked.is_pair | ((order >= depths[:, None]) & (picked.bounds + far < threshold))
    visited = np.where(ends_here.any(axis=1), ends_here.argmax(axis=1), now.shape[1])
    more = np.maximum(visited - seen, 0) * np.where(is_wide, 1, picked.num_used + 1)
    more += visited + np.where(several, np.where(is_wide, num_points, visited) * num_firing, 0)
    work += int(more[(num_firing > 0) & ~shortcut].sum())
    return Seen(breached, num_due, int(changes.sum()), work), overlaps, offsets, turnover


class _Picked:
    """The pairs of some rows of the lists as tables (u, pairs of the longest list), and where the rows have moved.

    Attributes
    ----------
    places, points, fires, products, spent, is_pair : of the pairs; `is_pair` is False behind the end of a list.
    row : (u, 1) 0, 1, 2 ..., an index beside `points`.
    sizes, depths, pull, num_used, lengths, guards : (u,) of the rows: pairs, depth, -a_r / sqrt(m), coefficients that
        are not zero, sum of their absolute values, and by how much distances to the threshold are shortened.
    moves, shifts : (u, n) coefficients c, and c K.
    values : z of each pair now.
    bounds : no less than z of each pair that has never fired, in the order of the list; -inf behind its end.
    """

    def __init__(self, lists: PairLists, rows: Ints, totals: Floats, setting: Setting, least_guard: float) -> None:
        firsts = lists.indptr[rows].astype(np.int64)
        self.sizes = lists.indptr[rows + 1] - firsts
        order = np.arange(self.sizes.max())
        self.is_pair = order < self.sizes[:, None]
        self.places = np.where(self.is_pair, firsts[:, None] + order, firsts[:, None])
        codes = lists.codes[self.places].astype(np.int64)
        self.row = np.arange(rows.size)[:, None]
        self.points, self.fires = np.maximum(codes, ~codes), (codes >= 0) & self.is_pair
        self.products = np.where(self.is_pair, lists.products[self.places], -np.inf)
        self.spent = np.where(self.is_pair, lists.spent[self.places], 0.0)
        self.depths = lists.depths[rows].astype(np.int64)
        self.pull = -setting.scale * lists.signs[rows]
        self._setting, self._least_guard, self._num_points = setting, least_guard, totals.size
        coefficients = self.spent + np.where(self.fires, totals[self.points], 0.0)
        self.moves = self.spread(coefficients)
        self.num_used, self.lengths = np.count_nonzero(coefficients, axis=1), np.abs(coefficients).sum(axis=1)
        self.shifts = self.moves @ setting.gram
        self.values = self.products + self.pull[:, None] * self.shifts[self.row, self.points]
        self.guards = least_guard + setting.guard_of_length * setting.scale * self.lengths
        sway = 2.0 * self.guards + setting.scale * (np.abs(self.moves) @ setting.nearest)
        self.bounds = self.products + sway[:, None]

    def spread(self, values: Floats) -> Floats:
        """Return (u, n) the values of the pairs at their datapoints, zero elsewhere."""
        table = np.zeros((self.sizes.size, self._num_points))
        rows, columns = np.nonzero(self.is_pair)
        table[rows, self.points[rows, columns]] = values[rows, columns]
        return table

    def values_with(self, coefficients: Floats) -> Floats:
        """Return z of each pair if the rows had moved by these coefficients."""
        shifts = self.spread(coefficients) @ self._setting.gram
        return np.asarray(self.products + self.pull[:, None] * shifts[self.row, self.points])

    def sizes_with(self, coefficients: Floats) -> Floats:
        """Return the sizes of what `values_with` sums up, and of b, as parts of an output."""
        ways = self.spread(np.abs(coefficients)) @ np.abs(self._setting.gram)
        scale, threshold = self._setting.scale, self._setting.threshold
        return np.asarray(scale * (np.abs(self.products) + scale * ways[self.row, self.points] + abs(threshold)))

    def takes_shortcut(self) -> NDArray[np.bool_]:
        """Return which rows fired on their home alone, come to fire nowhere, and so need not be looked at closely."""
        setting = self._setting
        drift = setting.scale * self.lengths  # of those with a depth of 1, the only ones that matter here
        is_near = (drift < NEARLY * setting.skin) | (self.sizes == self._num_points)
        second = self.products[:, 1] if self.products.shape[1] > 1 else np.full(self.sizes.size, -np.inf)
        guards = self._least_guard + setting.guard_of_length * drift
        is_alone = second + setting.nearest[self.points[:, 0]] * drift + guards < setting.threshold
        return np.asarray(
            (self.depths == 1) & self.fires[:, 0] & is_near & is_alone & (self.values[:, 0] < setting.threshold)
        )


def _running_minimum(steps: Floats, least: Floats) -> Floats:
    """Return (u, pairs + 1) the smallest of `least`, (u,), and of the steps before each place, and before the end."""
    return np.minimum.accumulate(np.column_stack([least, steps]), axis=1)


def _wake(lists: PairLists, rows: Ints, clock: NDArray[np.float32]) -> None:
    """Have the blocks of some rows gone through when the clock has come so far."""
    np.minimum.at(lists.rests, rows // BLOCK_ROWS, clock)


def _before(bounds: Floats) -> NDArray[np.float32]:
    """Round to single precision, never up, and never to an infinity that was a number."""
    return -_rounded_up(-bounds)


def _rounded_up(bounds: Floats) -> NDArray[np.float32]:
    """Round to single precision, never down, and never to an infinity that was a number."""
    finite = np.maximum(bounds, -1e38)
    finite = finite + np.abs(finite) * 1e-7 + 1e-37  # rounding to nearest takes back less than 6e-8 of it
    with np.errstate(over="ignore"):
        return np.asarray(np.where(bounds == -np.inf, -np.inf, finite), dtype=np.float32)
