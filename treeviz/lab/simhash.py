"""SimHash: a search that looks only at neurons which share a bucket with the datapoint, and may miss some that fire.

A vector's bucket in a table is made of signs of its inner products with a few random directions (Charikar 2002). Two
vectors with an angle t between them have the same sign with chance 1 - t / pi, so neurons that point towards a
datapoint are in its bucket more often than others. SLIDE (Chen, Medini, Farwell, Gobriel, Tai, Shrivastava 2020) finds
its active neurons in this way. Nothing makes sure that a neuron that fires shares a bucket: the share of the firing
pairs that is found is the *recall*. Here, in favour of the method, a neuron that has moved is hashed again at once. The
random directions are drawn once, or anew in every iteration, which hashes all neurons again.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, moved_rows, outputs_from_pairs
from treeviz.model.ledger import Ledger, forward_operations
from treeviz.model.network import InitialNetwork
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Floats, Ints
from treeviz.search.engine import Evaluation
from treeviz.search.explicit import ExplicitEngine
from treeviz.solve.jacobian import SparseJacobian


def expected_recall(dimension: int, threshold: float, num_bits: int, num_tables: int, num_samples: int = 4096) -> float:
    """Return the chance that a fresh neuron which fires on a datapoint is in its bucket in one of the tables at least.

    The neuron's part along the datapoint is normal, given that it is at least b; the length of the rest is that of a
    normal vector of one dimension less. Both are taken at evenly spaced quantiles, in an order fixed once.
    """
    levels = (np.arange(num_samples) + 0.5) / num_samples
    along = -special.ndtri(levels * special.ndtr(-threshold))
    order = random_stream(0, Stream.HASHES).permutation(num_samples)
    across = np.sqrt(2 * special.gammaincinv((dimension - 1) / 2, levels[order])) if dimension > 1 else np.zeros(1)
    same_bucket = (1 - np.arctan2(across, along) / np.pi) ** num_bits
    return float(np.mean(1 - (1 - same_bucket) ** num_tables))


@dataclass(frozen=True, slots=True)
class HashTables:
    """Starts a `HashEngine` with so many tables, in each of which a bucket is made of so many signs.

    `is_renewed` says whether the directions are drawn anew in every iteration.
    """

    num_bits: int
    num_tables: int
    is_renewed: bool = False

    def __call__(self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger) -> "HashEngine":
        """Hash all neurons."""
        return HashEngine(data, network, config, ledger, self)

    def required_bytes(self, width: int, num_points: int, dimension: int, threshold: float | None = None) -> int:
        """Memory of W, of the pairs looked at, and of the products with all directions while neurons are hashed."""
        return 8 * width * (dimension + num_points) + width * self.num_tables * (10 * self.num_bits + 24)


class HashEngine(ExplicitEngine):
    """All m neurons explicit, and hash tables of them; only neurons in a datapoint's buckets are looked at.

    Attributes
    ----------
    num_looked : inner products of neurons and datapoints computed by the last search.
    """

    def __init__(
        self, data: Dataset, network: InitialNetwork, config: TrainConfig, ledger: Ledger, tables: HashTables
    ) -> None:
        super().__init__(network, data.dimension)
        self._X, self._signs, self._threshold = data.X, np.asarray(network.signs), config.resolved_threshold
        self._num_tables, self._num_bits, self._seed = tables.num_tables, tables.num_bits, config.seed
        self._is_renewed, self._num_searches, self.num_looked = tables.is_renewed, 0, 0
        self._hash_all(ledger, "build")

    def _hash_all(self, ledger: Ledger, phase: str) -> None:
        """Draw directions, and hash datapoints and neurons. Cost: a hash each, and a number written in each table."""
        dimension, width = self._X.shape[1], len(self._W)
        generator = random_stream(self._seed, Stream.HASHES, self._num_searches)
        self._directions = generator.standard_normal((self._num_tables * self._num_bits, dimension))
        with ledger.time(phase):
            self._of_points = self._buckets(self._X)
            self._buckets_of = self._buckets(self._W)
            self._order = np.argsort(self._buckets_of, axis=1, kind="stable").astype(np.int32)
        ledger.post(phase, (width + len(self._X)) * self._hash_operations + width * self._num_tables)

    @property
    def _hash_operations(self) -> int:
        """What it costs to hash a vector: its inner products with all directions."""
        return int(self._directions.size)

    @property
    def num_bytes(self) -> int:
        """Bytes of W, the tables and the directions."""
        return self._W.nbytes + self._buckets_of.nbytes + self._order.nbytes + self._directions.nbytes

    def evaluate(self, ledger: Ledger, batch: Ints | None = None) -> Evaluation:
        """Compute the inner products of all that share a bucket; keep those that fire.

        Cost: the numbers in the buckets read, and d + 1 for each neuron that is in one of them.
        """
        num_points, dimension = self._X.shape
        wanted = np.arange(num_points) if batch is None else batch
        if self._is_renewed and self._num_searches:
            self._hash_all(ledger, "search")
        self._num_searches += 1
        num_looked = 0
        with ledger.time("search"):
            first, last = self._ends(wanted)
            neurons, points, values = [], [], []
            for place, point in enumerate(wanted):
                is_near = np.zeros(len(self._W), dtype=bool)
                for table in range(self._num_tables):
                    is_near[self._order[table, first[table, place] : last[table, place]]] = True
                near = np.flatnonzero(is_near)
                products = self._W[near] @ self._X[point]
                fires = products >= self._threshold
                neurons.append(near[fires])
                points.append(np.full(neurons[-1].size, point))
                values.append(products[fires])
                num_looked += near.size
            num_read = self._num_tables * wanted.size + int((last - first).sum())
            found = np.concatenate(neurons)
            order = np.argsort(found, kind="stable")
            firing = FiringSets.from_pairs(found[order], np.concatenate(points)[order], num_points)
        self.num_looked = num_looked
        ledger.post("search", num_read + num_looked * (dimension + 1))
        with ledger.time("forward"):
            outputs = outputs_from_pairs(firing, np.concatenate(values)[order], self._signs, self._threshold)
        ledger.post("forward", forward_operations(firing.num_pairs, wanted.size))
        jacobian = SparseJacobian(firing, self._X, len(self._W))
        return Evaluation(lambda: firing, outputs, jacobian, np.zeros((num_points, 0), dtype=np.int64))

    def move(self, evaluation: Evaluation, dual_step: Floats, ledger: Ledger) -> Ints:
        """Change the rows of W that fire, and hash these again.

        Cost: d a pair, the hash of every neuron moved, and 2 for each table in which it goes to another bucket.
        """
        firing = evaluation.firing
        with ledger.time("move"):
            self._W[firing.neurons] += moved_rows(firing, dual_step, self._signs, self._X)
        ledger.post("move", firing.num_pairs * self._X.shape[1])
        with ledger.time("repair"):
            new = self._buckets(self._W[firing.neurons])
            has_changed = self._buckets_of[:, firing.neurons] != new
            self._buckets_of[:, firing.neurons] = new
            for table in np.flatnonzero(has_changed.any(axis=1)):
                self._order[table] = np.argsort(self._buckets_of[table], kind="stable")
        ledger.post("repair", firing.neurons.size * self._hash_operations + 2 * int(has_changed.sum()))
        return np.zeros((dual_step.size, 0), dtype=np.int64)

    def _buckets(self, vectors: Floats) -> np.ndarray:
        """Return the bucket of each vector in each table, (tables, vectors): the signs as the bits of a number."""
        signs = (self._directions @ vectors.T >= 0).reshape(self._num_tables, self._num_bits, len(vectors))
        powers = (1 << np.arange(self._num_bits)).astype(np.uint16)
        return np.asarray((signs * powers[:, None]).sum(axis=1, dtype=np.uint16))

    def _ends(self, points: Ints) -> tuple[Ints, Ints]:
        """Return where the buckets of some datapoints begin and end in the order of each table, (tables, points)."""
        num_buckets = 1 << self._num_bits
        ends = np.array([np.bincount(row, minlength=num_buckets) for row in self._buckets_of]).cumsum(axis=1)
        starts = np.concatenate([np.zeros((self._num_tables, 1), dtype=ends.dtype), ends[:, :-1]], axis=1)
        chosen = self._of_points[:, points].astype(np.int64)
        return np.take_along_axis(starts, chosen, axis=1), np.take_along_axis(ends, chosen, axis=1)
