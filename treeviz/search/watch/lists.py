"""Watch lists: the same firing sets as the forest's, exactly, at a fraction of the work (algorithm.md §6).

Weights move little and datapoints have unit length, so the inner product z_ri changes by at most the *drift* of its
neuron, ||w_r(t) - w_r(0)||. Three consequences, each by the triangle inequality alone, so no firing pair is missed:

* **Watched pairs.** Only pairs with z_ri(0) >= b - skin can fire while the drift of neuron r is at most the skin. And
  only neurons that fire somewhere at the start ever move, so only these have lists.
* **Promotion.** A neuron that drifts farther gets its whole row: its n inner products are computed once, and all its
  pairs are watched from then on.
* **Due times.** A neuron that was looked at need not be looked at again before one of its pairs can have come to the
  threshold. If it fires on one datapoint, its *home* i, it moves along x_i only, by its pull times the change of G_i
  (below): between two values of G_i nothing can happen. If it fires on several, the set T, z_rp moves by at most
  sum_{j in T} |K_jp| / sqrt(m) times what the clock advances, max_i |dual_step_i| an iteration.

What is not looked at is not touched. While T_r, the datapoints a neuron fires on, stays the same, everything about the
neuron is linear in the dual steps added up so far, `totals` G. With its `pull`, -a_r / sqrt(m):

    c_ri = spent_ri + (G_i if r fires on i, else 0)         spent changes only when T_r does
    w_r  = w_r(0) + pull_r * sum_i c_ri x_i
    z_ri = z_ri(0) + pull_r * sum_j c_rj K_ji
    f_i  = offset_i - (1/m) sum_j K_ij C_ij G_j             offset_i: all that does not change with G

So outputs cost n^2, and only a neuron whose T_r changes is handled: what it has spent, its share of C and of the
offsets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from treeviz.model.firing import FiringSets
from treeviz.model.infinite_width import expected_activity, shifted_ntk
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops, map_spans, num_threads
from treeviz.search.watch.screening import WatchedPairs
from treeviz.solve.exact import solve_gram

# Distances this much shorter than computed are certain: round-off stays far below it.
_GUARD = 1e-9
# NumPy looks at so many neurons at a time, lest its dense rows leave the cache.
_CHUNK_ROWS = 1 << 13
# Neurons are woken by so many at a time.
_BLOCK_ROWS = 8
# Lists of so many pairs are worth loading a compiler, and so many neurons to go through are worth a second thread.
_LARGE_PAIRS, _LARGE_VISIT = 1 << 11, 1 << 14


# The skin is so many times the root mean square of what touched neurons are expected to move. Measured to loss 1e-6, on
# random, digits and breast-cancer data at n = 16..200, d = 16..784, m = 2^16..2^20: with 2 promotions cost two to six
# times what all the rest does, from 3 to 4 a run takes the least time or a third more at most, and beyond that longer
# lists cost more than they save.
_SKIN_FACTOR = 3.0
_SKIN_SAMPLES = 1024


def suggest_skin(X: Floats, y: Floats, threshold: float, width: int) -> float:
    """Return a skin that few neurons drift beyond, from the data alone.

    One Gauss-Newton step from outputs of zero moves the weights by J^T g with G g = y, so the squared moves of all
    neurons add up to g^T G g = y^T g. With G the network's kernel (`kernel.shifted_ntk`), and shared out among the
    |U| neurons expected to fire, that is the mean square move of a neuron; the skin is three times its root. Farther
    than four below zero nothing is left that could be watched, so the skin ends at b + 4.

    Cost: n^3 / 3, n (n + 1) / 2 probabilities, and 1,024 * n * d to estimate |U|.
    """
    touched = expected_activity(X, threshold, width, num_samples=_SKIN_SAMPLES).num_touched
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = float(y @ solve_gram(shifted_ntk(X, X, threshold), y).dual)
        expected = np.sqrt(max(total, 0.0) / np.float64(touched))
    largest = threshold + 4.0
    return float(min(_SKIN_FACTOR * expected, largest)) if np.isfinite(expected) else largest


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move took: neurons due, those of them whose firing set changed, those promoted, and multiply-adds."""

    num_due: int
    num_changed: int
    promoted: Ints
    num_operations: int


class _Lists:
    """Lists of watched pairs, sorted by neuron, in as few bytes as they need: what is slow is fetching them.

    Attributes
    ----------
    neurons, signs : (u,) for each neuron its number and a_r.
    homes, lows, highs : (u,) nothing changes while `positions[home]` is between the two; position i is the total of the
        dual steps on datapoint i, and position n the clock. Single precision, rounded to the inside.
    rests : for each block of `_BLOCK_ROWS` neurons, what the clock must have come to before one of them may be due.
    indptr, depths : row pointers (u + 1,) of the watched pairs, and (u,) how many of them, from the first on, include
        all that have ever fired.
    codes : (P,) for each pair its datapoint i if the neuron fires on it, -1 - i if not.
    products, spent : (P,) z_ri(0), descending for each neuron, and spent_ri.
    """

    def __init__(self, found: WatchedPairs, signs: NDArray[np.number], loops: ModuleType | None) -> None:
        num_rows = signs.size
        self.neurons, self.signs = found.neurons, signs.astype(np.int8)
        self.indptr, self.codes = found.indptr.astype(np.int32), ~found.points.astype(np.int16)
        self.depths, self.homes = np.full(num_rows, 0, dtype=np.int16), np.full(num_rows, 0, dtype=np.int16)
        self.lows = np.full(num_rows, np.inf, dtype=np.float32)  # due from the beginning
        self.highs = np.full(num_rows, np.inf, dtype=np.float32)
        # Written, not only reserved, here as above: no iteration should be the one that waits for the system's pages.
        self.products, self.spent = found.products.copy(), np.full(found.products.size, 0.0)
        self.wake_all()
        if loops is None:
            order = np.lexsort((-self.products, self.owners))
            self.codes, self.products = self.codes[order], self.products[order]
        else:
            sort = loops.sort_pairs
            map_spans(
                lambda _, first, last: sort(first, last, self.indptr, self.codes, self.products),
                num_rows,
                is_large=num_rows >= _LARGE_VISIT,
            )

    def wake_all(self) -> None:
        """Have every block gone through once more."""
        self.rests = np.full(-(-self.neurons.size // _BLOCK_ROWS), -np.inf, dtype=np.float32)

    @property
    def points(self) -> Ints:
        """(P,) the datapoint of each pair."""
        return np.where(self.fires, self.codes, ~self.codes).astype(np.int64)

    @property
    def fires(self) -> NDArray[np.bool_]:
        """(P,) whether the pair fires."""
        return np.asarray(self.codes >= 0)

    @property
    def owners(self) -> Ints:
        """(P,) the row of each pair."""
        return np.repeat(np.arange(self.neurons.size), np.diff(self.indptr))

    @property
    def num_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in vars(self).values())

    def coefficients(self, totals: Floats, rows: Ints | None = None) -> Floats:
        """Return c (u, n) of all neurons or of some rows."""
        points = self.points
        values = self.spent + np.where(self.fires, totals[points], 0.0)
        matrix = sp.csr_array((values, points, self.indptr), shape=(self.neurons.size, totals.size))
        return np.asarray((matrix if rows is None else matrix[rows]).toarray())

    def set_depths(self, rows: Ints, fires: NDArray[np.bool_]) -> None:
        """Deepen some rows to their last pair that fires, of all pairs of these rows."""
        sizes = np.diff(self.indptr)[rows]
        firsts = np.append(0, np.cumsum(sizes)[:-1])
        places = np.arange(1, sizes.sum() + 1) - np.repeat(firsts, sizes)
        deepest = np.maximum.reduceat(np.where(fires, places, 0), firsts)
        self.depths[rows] = np.maximum(self.depths[rows], deepest)

    def forget(self, rows: Ints) -> None:
        """Let go of some rows: they fire no more and are never due again."""
        pairs = _pairs_of(self.indptr, rows)
        self.codes[pairs] = np.minimum(self.codes[pairs], ~self.codes[pairs])
        self.spent[pairs], self.depths[rows] = 0.0, 0
        self.lows[rows], self.highs[rows] = -np.inf, np.inf

    def append(self, other: "_Lists") -> None:
        """Take in the rows of another one, behind those that are here."""
        joined = {name: np.concatenate([mine, vars(other)[name]]) for name, mine in vars(self).items()}
        joined["indptr"] = np.append(self.indptr, other.indptr[1:] + self.indptr[-1])
        vars(self).update(joined)
        self.wake_all()


class WatchLists:
    """The network as seen through its watched pairs: who fires, the outputs, and C = A^T A, at any moment.

    Parameters
    ----------
    pairs : those with z_ri(0) >= threshold - skin of the neurons that fire somewhere.
    signs : (u,) a_r of those neurons.
    gram : (n, n) K = X X^T.
    width : m, all neurons.
    threshold, skin : b, and how far below it pairs are watched.
    draw_rows : returns z_r(0), (q, n), for the neurons it is given; called for those that are promoted.

    Notes
    -----
    Memory: 18 bytes a watched pair and 26 a neuron; n more pairs for a neuron that is promoted.
    """

    def __init__(
        self,
        pairs: WatchedPairs,
        signs: Floats,
        gram: Floats,
        *,
        width: int,
        threshold: float,
        skin: float,
        draw_rows: Callable[[Ints], Floats],
    ) -> None:
        self.width, self.threshold, self.skin, self._scale = width, threshold, float(skin), width**-0.5
        self.gram, self._draw_rows, num_points = gram, draw_rows, len(gram)
        self._positions = np.zeros(num_points + 1)  # the totals of the dual steps, and the clock
        self._offsets, self._overlaps = np.zeros(num_points), np.zeros((num_points, num_points), dtype=np.int64)
        is_large = pairs.points.size >= _LARGE_PAIRS
        self._loops = load_loops("watch.loops") if is_large else None
        if num_points >= np.iinfo(np.int16).max or pairs.points.size > np.iinfo(np.int32).max:
            raise ValueError(
                f"watch lists take at most 32,766 datapoints and 2^31 pairs; got {num_points:,} datapoints "
                f"and {pairs.points.size:,} pairs: use search='forest', or a smaller skin"
            )
        apart = np.abs(gram)
        np.fill_diagonal(apart, 0.0)
        self._nearest = apart.max(axis=1)  # the largest |K_ij| of another datapoint j
        self._lists = _Lists(pairs, signs, self._loops)
        none = np.empty(0)
        no_pairs = WatchedPairs(pairs.neurons[:0], np.zeros(1, dtype=np.int64), pairs.points[:0], none)
        self._promoted = _Lists(no_pairs, none, self._loops)  # those that watch all n points, in the order they came
        room = pairs.neurons.size + _BLOCK_ROWS * num_threads()
        self._due, self._breached = np.full(room, 0), np.full(room, 0)  # room to work in
        self._look_at(self._lists)

    @property
    def _totals(self) -> Floats:
        """G, (n,): the dual steps added up."""
        totals: Floats = self._positions[:-1]
        return totals

    @property
    def neurons(self) -> Ints:
        """U(0), ascending: the neurons that have lists."""
        return self._lists.neurons

    @property
    def promoted(self) -> Ints:
        """The neurons whose whole row is watched since they drifted beyond the skin, ascending."""
        return np.sort(self._promoted.neurons)

    @property
    def num_watched(self) -> int:
        """Number of watched pairs."""
        return int(self._lists.codes.size + self._promoted.codes.size)

    @property
    def num_bytes(self) -> int:
        """Bytes of the lists."""
        return self._lists.num_bytes + self._promoted.num_bytes

    @property
    def overlaps(self) -> Ints:
        """C, (n, n): the number of neurons that fire on both datapoints; on its diagonal the firing counts k_i."""
        return self._overlaps

    def outputs(self) -> Floats:
        """Return f, (n,). Cost: n^2."""
        return self._offsets - (self.gram * self._overlaps) @ self._totals / self.width

    def firing(self) -> FiringSets:
        """Return who fires where. Cost: the watched pairs."""
        num_points = len(self.gram)
        keys = []  # neuron * n + datapoint: their order is that of the pairs
        for lists in (self._lists, self._promoted):
            pairs = np.flatnonzero(lists.fires)
            keys.append(lists.neurons[lists.owners[pairs]] * num_points + lists.codes[pairs])
        neurons, points = np.divmod(np.sort(np.concatenate(keys)), num_points)
        return FiringSets.from_pairs(neurons, points, num_points)

    def moves(self, neurons: Ints | None = None) -> tuple[Ints, Floats]:
        """Return neurons that may have moved, ascending, and pull_r * c_r, (u, n), which times X is how far.

        With `neurons`, only those of them, ascending, that have lists.
        """
        chosen = self.neurons
        if neurons is not None:
            chosen = chosen[np.isin(chosen, neurons)]
        moves = np.zeros((chosen.size, len(self.gram)))
        for lists in (self._lists, self._promoted):
            rows = np.flatnonzero(np.isin(lists.neurons, chosen))
            places = chosen.searchsorted(lists.neurons[rows])
            moves[places] -= self._scale * lists.signs[rows, None] * lists.coefficients(self._totals, rows)
        return chosen, moves

    def drifts(self) -> Floats:
        """Return ||w_r(t) - w_r(0)|| of the neurons that have lists, (u,). Cost: u * n^2."""
        moves = self.moves()[1]
        return np.asarray(np.sqrt(np.maximum(np.einsum("ui,ui->u", moves @ self.gram, moves), 0.0)))

    def move(self, dual_step: Floats) -> Moved:
        """Move every neuron by pull_r * sum_{i in T_r} dual_step_i x_i, and look at those that are due.

        Cost: one comparison a neuron; n |T_r| at most for each that is due, and n d and a draw for each promoted.
        """
        self._positions[:-1] += dual_step
        self._positions[-1] += np.abs(dual_step).max()
        num_due, num_changed, work = 0, 0, 0
        breached = np.empty(0, dtype=np.int64)
        for lists in (self._promoted, self._lists):  # in this order: those promoted now are looked at once
            if not lists.neurons.size:
                continue
            seen = self._look_at(lists)
            breached = seen.breached
            num_due, num_changed = num_due + seen.num_due, num_changed + seen.num_changed
            work += seen.num_operations
        if breached.size:
            seen = self._promote(breached)
            num_changed, work = num_changed + seen.num_changed, work + seen.num_operations
        return Moved(num_due, num_changed, self._lists.neurons[breached], work)

    def _promote(self, rows: Ints) -> "_Seen":
        """Watch all points of some neurons from now on."""
        lists, num_points = self._lists, len(self.gram)
        neurons, signs = lists.neurons[rows], lists.signs[rows]
        pairs = _pairs_of(lists.indptr, rows)
        owners = np.repeat(np.arange(rows.size), np.diff(lists.indptr)[rows])
        spent, fires = np.zeros((rows.size, num_points)), np.zeros((rows.size, num_points), dtype=bool)
        codes = lists.codes[pairs].astype(np.int64)
        points = np.maximum(codes, ~codes)
        spent[owners, points], fires[owners, points] = lists.spent[pairs], codes >= 0
        lists.forget(rows)
        whole = WatchedPairs(
            neurons,
            np.arange(rows.size + 1) * num_points,
            np.tile(np.arange(num_points, dtype=np.int32), rows.size),
            self._draw_rows(neurons).ravel(),
        )
        fresh = _Lists(whole, signs, self._loops)
        places = (fresh.owners, fresh.points)
        fresh.spent, fires = spent[places], fires[places]
        fresh.codes[fires] = ~fresh.codes[fires]
        fresh.set_depths(np.arange(rows.size), fires | (fresh.spent != 0.0))
        self._promoted.append(fresh)
        return self._look_at(self._promoted)

    def _look_at(self, lists: _Lists) -> "_Seen":
        """Find who is due and bring these up to date, but for those that are beyond their reach."""
        if self._loops is None:
            position = self._positions[lists.homes]
            rows = np.flatnonzero((position <= lists.lows) | (position >= lists.highs))
            chunks = np.split(rows, range(_CHUNK_ROWS, rows.size, _CHUNK_ROWS))
            parts = [self._look_in_numpy(lists, chunk) for chunk in chunks if chunk.size]
            work = lists.homes.size
        else:
            blocks = (lists.rests <= self._positions[-1]).nonzero()[0]
            work = lists.rests.size + blocks.size * _BLOCK_ROWS
            if not blocks.size:
                return _Seen(blocks, 0, 0, work)
            parts = map_spans(
                lambda part, first, last: self._look_compiled(lists, blocks[first:last], first, part),
                blocks.size,
                is_large=blocks.size * _BLOCK_ROWS >= _LARGE_VISIT,
            )
        breached, num_due, num_changed = np.empty(0, dtype=np.int64), 0, 0
        for seen, overlaps, offsets in parts:  # in this order, whichever thread was first: the same bits every time
            self._overlaps, self._offsets = self._overlaps + overlaps, self._offsets + offsets
            num_due, num_changed = num_due + seen.num_due, num_changed + seen.num_changed
            breached, work = np.append(breached, seen.breached), work + seen.num_operations
        return _Seen(breached, num_due, num_changed, work)

    def _look_compiled(self, lists: _Lists, blocks: Ints, first: int, part: int) -> "_Part":
        """Do what `_look_in_numpy` does by compiled loops, which may run in several threads, on other blocks each."""
        assert self._loops is not None
        num_points = len(self.gram)
        # A cache line of room to either side: threads that write to the same one wait for each other.
        overlaps = np.zeros(num_points**2 + 16, dtype=np.int64)[8:-8].reshape(num_points, num_points)
        offsets = np.zeros(num_points + 16)[8:-8]
        room = slice(first * _BLOCK_ROWS + part, (first + blocks.size) * _BLOCK_ROWS + part + 1)
        due, breached = self._due[room], self._breached[room]
        num_due = self._loops.find_due(
            blocks, _BLOCK_ROWS, lists.homes, lists.lows, lists.highs, lists.rests, self._positions, due
        )
        num_breached, num_changed, work = self._loops.look_at(
            due[:num_due],
            lists.indptr,
            lists.codes,
            lists.products,
            lists.spent,
            lists.depths,
            lists.signs,
            lists.homes,
            lists.lows,
            lists.highs,
            lists.rests,
            _BLOCK_ROWS,
            self.gram,
            self._nearest,
            self._positions,
            self._scale,
            self.threshold,
            self.skin,
            _GUARD,
            overlaps,
            offsets,
            breached,
        )
        return _Seen(breached[:num_breached], num_due, num_changed, work), overlaps, offsets

    def _look_in_numpy(self, lists: _Lists, rows: Ints) -> "_Part":
        """Look at some rows: find who fires, hand back what that changes, and set when they are due next.

        Rows that have drifted beyond their reach are left as they are.
        """
        num_points, totals, num_due = len(self.gram), self._totals, rows.size
        picked = _Picked(lists, rows, num_points)
        used = picked.matrix(picked.coefficients(totals))
        squares = np.asarray(used.multiply(used @ self.gram).sum(axis=1))
        spare = self.skin - self._scale * np.sqrt(np.maximum(squares, 0.0))
        is_whole = np.diff(picked.indptr) == num_points  # there is no pair that is not watched
        spare[is_whole] = np.inf
        work = int((np.diff(used.indptr)[~is_whole] ** 2).sum())
        breached, rows, spare = rows[spare < 0], rows[spare >= 0], spare[spare >= 0]
        overlaps, offsets = np.zeros_like(self._overlaps), np.zeros_like(self._offsets)
        if not rows.size:
            return _Seen(breached, num_due, 0, work), overlaps, offsets
        if breached.size:
            picked = _Picked(lists, rows, num_points)
        points, pull = picked.points, -self._scale * lists.signs[rows][picked.owners]

        def products(coefficients: Floats) -> Floats:
            """Return every pair's inner product with these coefficients of the datapoints."""
            shifts = picked.matrix(coefficients) @ self.gram
            return np.asarray(picked.products + pull * shifts[picked.owners, points])

        values = products(picked.coefficients(totals))
        now = values >= self.threshold
        changes = np.logical_or.reduceat(now != picked.fires, picked.indptr[:-1])
        sizes, num_used = np.diff(picked.indptr), picked.count(picked.coefficients(totals) != 0.0)
        work += int((sizes * (num_used + 1)).sum())
        if changes.any():
            handled = changes[picked.owners]
            spent = picked.spent + np.where(handled, totals[points] * (picked.fires.astype(np.int64) - now), 0.0)
            for fires, own, sign in ((picked.fires, picked.spent, -1), (now, spent, 1)):
                mine = fires & handled
                shares = pull[mine] * (products(own)[mine] - self.threshold)
                offsets -= sign * np.bincount(points[mine], weights=shares, minlength=num_points)
                incidence = picked.matrix(mine.astype(np.int64))
                overlaps += sign * (incidence.T @ incidence).toarray()
                work += int((picked.count(mine) ** 2).sum())
            lists.spent[picked.pairs] = spent
            lists.codes[picked.pairs] = np.where(now, points, ~points)
            lists.set_depths(rows, now)

        # How far the neuron may move, and for those that fire on one datapoint, in which direction.
        num_firing = picked.count(now)
        gaps = np.maximum(np.abs(values - self.threshold) - _GUARD, 0.0)
        reaches = (picked.matrix(now.astype(np.float64)) @ np.abs(self.gram))[picked.owners, points]
        lists.homes[rows], lists.lows[rows] = num_points, -np.inf
        with np.errstate(divide="ignore", invalid="ignore"):
            closest = np.minimum.reduceat(np.where(reaches > 0.0, gaps / reaches, np.inf), picked.indptr[:-1])
            closest = np.minimum(spare / num_firing, closest)
        due = np.where(num_firing > 0, self._positions[-1] + closest / self._scale, np.inf)
        lists.highs[rows] = -_rounded_up(-due)
        if (single := num_firing == 1).any():
            homes = np.zeros(rows.size, dtype=np.int64)
            homes[picked.owners[now]] = points[now]
            slopes = self.gram[homes[picked.owners], points]
            with np.errstate(divide="ignore", invalid="ignore"):
                steps = np.where(gaps == 0.0, 0.0, np.where(slopes == 0.0, np.inf, gaps / np.abs(slopes)))
            is_upward = (values < self.threshold) == (slopes > 0.0)
            upward = np.where(is_upward | (gaps == 0.0), steps, np.inf)
            downward = np.where(~is_upward | (gaps == 0.0), steps, np.inf)
            upward, downward = (
                np.minimum(spare, np.minimum.reduceat(way, picked.indptr[:-1]))[single] for way in (upward, downward)
            )
            is_pulled_down, home = lists.signs[rows[single]] > 0, homes[single]
            below, above = np.where(is_pulled_down, (upward, downward), (downward, upward))
            lists.homes[rows[single]] = home
            lists.lows[rows[single]] = _rounded_up(totals[home] - below / self._scale)
            lists.highs[rows[single]] = -_rounded_up(-totals[home] - above / self._scale)
        return _Seen(breached, num_due, int(changes.sum()), work), overlaps, offsets


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What looking at some rows found: those beyond their reach; how many were due and how many changed; its cost."""

    breached: Ints
    num_due: int
    num_changed: int
    num_operations: int


# What some rows' visit found, and what it changes in C and in the offsets.
_Part = tuple[_Seen, Ints, Floats]


class _Picked:
    """The pairs of some rows of the lists, as a sparse matrix of its own."""

    def __init__(self, lists: _Lists, rows: Ints, num_points: int) -> None:
        sizes = np.diff(lists.indptr)[rows]
        self.indptr = np.append(0, np.cumsum(sizes))
        self.owners = np.repeat(np.arange(rows.size), sizes)
        self.pairs = _pairs_of(lists.indptr, rows)
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

    def matrix(self, values: NDArray[np.generic]) -> sp.csr_array:
        """Return the sparse matrix (rows, n) with these values, stored zeros dropped."""
        shape = (self.indptr.size - 1, self._num_points)
        matrix = sp.csr_array((values, self.points, self.indptr), shape=shape, copy=True)
        matrix.eliminate_zeros()
        return matrix


def _pairs_of(indptr: NDArray[np.int32], rows: Ints) -> Ints:
    """Return the places of all pairs of some rows, row after row."""
    sizes = np.diff(indptr)[rows]
    firsts = indptr[rows] - np.append(0, np.cumsum(sizes)[:-1])
    return np.asarray(np.arange(sizes.sum()) + np.repeat(firsts, sizes), dtype=np.int64)


def _rounded_up(bounds: Floats) -> NDArray[np.float32]:
    """Round to single precision, never down, and never to an infinity that was a number."""
    finite = np.maximum(bounds, -1e38)
    finite = finite + np.abs(finite) * 1e-7 + 1e-37  # rounding to nearest takes back less than 6e-8 of it
    with np.errstate(over="ignore"):
        return np.asarray(np.where(bounds == -np.inf, -np.inf, finite), dtype=np.float32)
