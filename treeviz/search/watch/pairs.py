"""The lists themselves: watched pairs sorted by neuron, with what it takes to know when a neuron is due."""

from types import ModuleType

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from treeviz.model.types import Floats, Ints
from treeviz.search.compiled import map_spans
from treeviz.search.watch.screening import WatchedPairs

# Neurons are woken in blocks of this size.
BLOCK_ROWS = 8
# To go through this many neurons, a second thread is worth it.
LARGE_VISIT = 1 << 14


class PairLists:
    """Lists of watched pairs, sorted by neuron, in as few bytes as they need: what is slow is fetching them.

    The products that were found are taken over, and sorted where they are.

    Attributes
    ----------
    neurons, signs : (u,) for each neuron its number and a_r.
    homes, lows, highs : (u,) nothing changes while `positions[home]` is between the two; position i is the total of the
        dual steps on datapoint i, and position n the clock. Single precision, rounded to the inside.
    rests : for each block of `BLOCK_ROWS` neurons, what the clock must have come to before one of them may be due.
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
        self.products, self.spent = found.products, np.full(found.products.size, 0.0)
        self.wake_all()
        if loops is None:
            order = np.lexsort((-self.products, self.owners))
            self.codes, self.products = self.codes[order], self.products[order]
        else:
            sort = loops.sort_pairs
            map_spans(
                lambda _, first, last: sort(first, last, self.indptr, self.codes, self.products),
                num_rows,
                is_large=num_rows >= LARGE_VISIT,
            )

    def wake(self, rows: Ints) -> None:
        """Have some rows looked at once more, wherever the clock stands."""
        self.homes[rows], self.lows[rows], self.highs[rows] = 0, np.inf, np.inf
        self.wake_all()

    def wake_all(self) -> None:
        """Have every block gone through once more."""
        self.rests = np.full(-(-self.neurons.size // BLOCK_ROWS), -np.inf, dtype=np.float32)

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
        pairs = pairs_of(self.indptr, rows)
        self.codes[pairs] = np.minimum(self.codes[pairs], ~self.codes[pairs])
        self.spent[pairs], self.depths[rows] = 0.0, 0
        self.lows[rows], self.highs[rows] = -np.inf, np.inf

    def append(self, other: "PairLists") -> None:
        """Take in the rows of another one, behind those that are here."""
        joined = {name: np.concatenate([mine, vars(other)[name]]) for name, mine in vars(self).items()}
        joined["indptr"] = np.append(self.indptr, other.indptr[1:] + self.indptr[-1])
        vars(self).update(joined)
        self.wake_all()


def pairs_of(indptr: NDArray[np.int32], rows: Ints) -> Ints:
    """Return the places of all pairs of some rows, row after row."""
    sizes = np.diff(indptr)[rows]
    firsts = indptr[rows] - np.append(0, np.cumsum(sizes)[:-1])
    return np.asarray(np.arange(sizes.sum()) + np.repeat(firsts, sizes), dtype=np.int64)
