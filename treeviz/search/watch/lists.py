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
offsets. Round-off is allowed for by bounds (`round_off`), and does not gather in the outputs: when much more has been
added and taken away than they are, all is summed up again, with G = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from treeviz.model.firing import FiringSets
from treeviz.model.ledger import sort_operations
from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import load_loops, map_spans, num_threads
from treeviz.search.watch.listing import CompiledLister, list_firing
from treeviz.search.watch.numpy_look import (
    NEARLY,
    Part,
    Seen,
    Setting,
    find_due_in_numpy,
    look_in_numpy,
)
from treeviz.search.watch.pairs import BLOCK_ROWS, LARGE_VISIT, PairLists, pairs_of
from treeviz.search.watch.round_off import RoundOff
from treeviz.search.watch.screening import WatchedPairs
from treeviz.search.watch.sums import Renewal, Sums

# NumPy looks at this many neurons at a time, so that their dense rows stay in the cache.
_CHUNK_ROWS = 1 << 13
# Lists of this many pairs are worth loading a compiler.
LARGE_PAIRS = 1 << 11


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What a move took.

    Attributes
    ----------
    num_due, num_changed, num_promoted : neurons due, those of them whose firing set changed, and those promoted.
    num_new_pairs : pairs of the latter that were not watched before.
    num_operations : multiply-adds.
    """

    num_due: int
    num_changed: int
    num_promoted: int
    num_new_pairs: int
    num_operations: int

    @classmethod
    def nothing(cls) -> "Moved":
        """Return what no move takes."""
        return cls(0, 0, 0, 0, 0)

    def __add__(self, other: "Moved") -> "Moved":
        """Add up what two took."""
        return Moved(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class WatchLists:
    """The network as seen through its watched pairs: firing sets, outputs and C = A^T A, at any moment.

    Parameters
    ----------
    pairs : those with z_ri(0) >= threshold - skin of the neurons that fire somewhere.
    signs : (u,) a_r of those neurons.
    gram : (n, n) K = X X^T.
    width, dimension : m, all neurons, and d.
    threshold, skin : b, and how far below it pairs are watched.
    draw_rows : returns z_r(0), (q, n), for the neurons it is given; called for those that are promoted.

    Attributes
    ----------
    first_look : what the first look at all neurons took.
    just_promoted : the neurons that the last move promoted.
    setting : what looks go by.

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
        dimension: int,
        threshold: float,
        skin: float,
        draw_rows: Callable[[Ints], Floats],
    ) -> None:
        self.width, self.threshold, self.skin = width, threshold, float(skin)
        self.gram, self._draw_rows, num_points = gram, draw_rows, len(gram)
        self._positions = np.zeros(num_points + 1)  # the totals of the dual steps, and the clock
        self._clear_outputs()
        is_large = pairs.points.size >= LARGE_PAIRS
        self._is_compiled = is_large and load_loops("watch.loops") is not None
        if num_points >= np.iinfo(np.int16).max or pairs.points.size > np.iinfo(np.int32).max:
            raise ValueError(
                f"watch lists take at most 32,766 datapoints and 2^31 pairs; got {num_points:,} datapoints "
                f"and {pairs.points.size:,} pairs: use search='forest', or a smaller skin"
            )
        apart = np.abs(gram)
        np.fill_diagonal(apart, 0.0)
        self.setting = Setting(
            gram,
            apart.max(axis=1),
            width**-0.5,
            threshold,
            self.skin / max(1.0, float(gram.diagonal().max())),  # rows of X are of unit length to 1e-9
            RoundOff.bound(num_points, dimension),
        )
        self._lists = PairLists(pairs, signs, self._loops)
        none = np.empty(0)
        no_pairs = WatchedPairs(pairs.neurons[:0], np.zeros(1, dtype=np.int64), pairs.points[:0], none)
        self._promoted = PairLists(no_pairs, none, self._loops)  # those that watch all n points, in the order they came
        room = pairs.neurons.size + BLOCK_ROWS * num_threads()
        self._listed: FiringSets | None = None  # until a neuron fires on other datapoints
        self._due = np.full(room, 0)  # room to work in
        self._lister = CompiledLister()
        self.first_look = self._look_at(self._lists)
        self.just_promoted: Ints = self.first_look.breached
        self._renewal = Renewal(gram, width, self.sums)

    @property
    def _loops(self) -> ModuleType | None:
        """The compiled loops, if the lists are large enough for them; a module is no part of a copy."""
        return load_loops("watch.loops") if self._is_compiled else None

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

    @property
    def sums(self) -> Sums:
        """What the neurons add to the outputs."""
        return Sums(self._overlaps, self._offsets, self._turnover)

    def outputs(self) -> Floats:
        """Return f, (n,). Cost: n^2."""
        return self.sums.outputs(self.gram, self._totals, self.width)

    def firing(self) -> FiringSets:
        """Return which neurons fire on which datapoints, compact. Cost: U(0) and the firing pairs, if any changed."""
        if self._listed is None:
            both, num_points = (self._lists, self._promoted), len(self.gram)
            if self._loops is None:
                self._listed = list_firing(*both, num_points)
            else:
                self._listed = self._lister.list(*both, num_points, int(self._overlaps.trace()), self._loops)
        return self._listed

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
            moves[places] -= self.setting.scale * lists.signs[rows, None] * lists.coefficients(self._totals, rows)
        return chosen, moves

    def drifts(self) -> Floats:
        """Return ||w_r(t) - w_r(0)|| of the neurons that have lists, (u,). Cost: u * n^2."""
        moves = self.moves()[1]
        return np.asarray(np.sqrt(np.maximum(np.einsum("ui,ui->u", moves @ self.gram, moves), 0.0)))

    def move(self, dual_step: Floats) -> Moved:
        """Move every neuron by pull_r * sum_{i in T_r} dual_step_i x_i, and look at those that are due.

        Cost: a comparison a block of eight neurons, eight more for a block that is woken; at most n |T_r| for each
        neuron that is due, and n d and a draw for each promoted.
        """
        moved = self.shift(dual_step)
        if self._renewal.is_due(self.sums, self._totals):
            moved += self.sum_up_again()
            self._renewal.note(self.sums, self._totals)
        return moved

    def shift(self, dual_step: Floats) -> Moved:
        """Move every neuron, and let the outputs be as noisy as they may be: who adds up several lists sees to it.

        Cost: that of `move`.
        """
        self._positions[:-1] += dual_step
        self._positions[-1] += np.abs(dual_step).max()
        self.just_promoted = self._lists.neurons[:0]
        num_due, num_changed, work = 0, 0, 0
        breached = np.empty(0, dtype=np.int64)
        for lists in (self._promoted, self._lists):  # in this order: those promoted now are looked at once
            if not lists.neurons.size:
                continue
            seen = self._look_at(lists)
            breached = seen.breached
            num_due, num_changed = num_due + seen.num_due, num_changed + seen.num_changed
            work += seen.num_operations
        return Moved(num_due, num_changed, 0, 0, work) + self._promote(breached)

    def sum_up_again(self) -> Moved:
        """Put all of G into what is spent, so that it and the clock start at 0, and look at all neurons again.

        Cost: the watched pairs, and that of the looks.
        """
        watched, work = (self._promoted, self._lists), self.num_watched
        for lists in watched:
            points, fires = lists.points, lists.fires
            lists.spent[fires] += self._totals[points[fires]]
            lists.codes[fires] = ~lists.codes[fires]
            has_moved_on = np.isin(lists.neurons, self._promoted.neurons) if lists is self._lists else False
            lists.wake(np.flatnonzero(~np.broadcast_to(has_moved_on, lists.neurons.shape)))
        self._positions[:] = 0.0
        self._clear_outputs()
        seen = self._look_at(self._promoted) if self._promoted.neurons.size else None
        work += seen.num_operations if seen else 0
        seen = self._look_at(self._lists)
        # Promoted are those whose drift is the skin but for round-off.
        promoted = self._promote(seen.breached)
        return Moved(0, 0, 0, 0, work + seen.num_operations) + replace(promoted, num_changed=0)

    def _clear_outputs(self) -> None:
        num_points = len(self.gram)
        self._offsets, self._turnover = np.zeros(num_points), np.zeros(num_points)
        self._overlaps = np.zeros((num_points, num_points), dtype=np.int64)

    def _promote(self, rows: Ints) -> Moved:
        """Watch all points of some neurons from now on."""
        lists, num_points = self._lists, len(self.gram)
        if not rows.size:
            return Moved.nothing()
        neurons, signs = lists.neurons[rows], lists.signs[rows]
        pairs = pairs_of(lists.indptr, rows)
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
        fresh = PairLists(whole, signs, self._loops)
        places = (fresh.owners, fresh.points)
        fresh.spent, fires = spent[places], fires[places]
        fresh.codes[fires] = ~fresh.codes[fires]
        fresh.set_depths(np.arange(rows.size), fires | (fresh.spent != 0.0))
        self._promoted.append(fresh)
        seen = self._look_at(self._promoted)
        self.just_promoted = np.append(self.just_promoted, neurons)
        work = seen.num_operations + sort_operations(np.bincount(np.diff(fresh.indptr)))
        return Moved(0, seen.num_changed, rows.size, rows.size * num_points - pairs.size, work)

    def _look_at(self, lists: PairLists) -> Seen:
        """Find the neurons that are due and update them; those beyond the skin are left as they are."""
        blocks = (lists.rests <= self._positions[-1]).nonzero()[0]
        work = lists.rests.size + blocks.size * BLOCK_ROWS
        if not blocks.size:
            return Seen(blocks, 0, 0, work)
        if self._loops is None:
            rows = find_due_in_numpy(lists, blocks, self._positions)
            chunks = np.split(rows, range(_CHUNK_ROWS, rows.size, _CHUNK_ROWS))
            parts = [look_in_numpy(lists, chunk, self._positions, self.setting) for chunk in chunks if chunk.size]
        else:
            parts = map_spans(
                lambda part, first, last: self._look_compiled(lists, blocks[first:last], first, part),
                blocks.size,
                is_large=blocks.size * BLOCK_ROWS >= LARGE_VISIT,
            )
        breached, num_due, num_changed = np.empty(0, dtype=np.int64), 0, 0
        for seen, overlaps, offsets, turnover in parts:  # in this order, whichever thread was first: the same bits
            self._overlaps, self._offsets = self._overlaps + overlaps, self._offsets + offsets
            self._turnover = self._turnover + turnover
            num_due, num_changed = num_due + seen.num_due, num_changed + seen.num_changed
            breached, work = np.append(breached, seen.breached), work + seen.num_operations
        if num_changed:
            self._listed = None
        self._offsets[self._overlaps.diagonal() == 0] = 0.0  # no neuron fires there: what is left is round-off
        return Seen(breached, num_due, num_changed, work)

    def _look_compiled(self, lists: PairLists, blocks: Ints, first: int, part: int) -> Part:
        """Do what `look_in_numpy` does by compiled loops, which may run in several threads, on other blocks each."""
        assert self._loops is not None
        num_points = len(self.gram)
        # A cache line of room to either side: threads that write to the same one wait for each other.
        overlaps = np.zeros(num_points**2 + 16, dtype=np.int64)[8:-8].reshape(num_points, num_points)
        offsets, turnover = np.zeros(num_points + 16)[8:-8], np.zeros(num_points + 16)[8:-8]
        room = slice(first * BLOCK_ROWS + part, (first + blocks.size) * BLOCK_ROWS + part + 1)
        due = self._due[room]
        num_due = self._loops.find_due(
            blocks, BLOCK_ROWS, lists.homes, lists.lows, lists.highs, lists.rests, self._positions, due
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
            BLOCK_ROWS,
            self.gram,
            self.setting.nearest,
            self._positions,
            self.setting.scale,
            self.threshold,
            self.setting.skin,
            self.setting.least_guard(float(self._positions[-1])),
            self.setting.guard_of_length,
            self.setting.round_off.of_square,
            NEARLY,
            overlaps,
            offsets,
            turnover,
            due,  # breached are some of those due: they take the place of ones that have been looked at
        )
        return Seen(due[:num_breached], num_due, num_changed, work), overlaps, offsets, turnover
