"""What an iteration costs: operations and seconds by phase, counted by one set of rules for every method.

The unit is a multiply-add, or one tree node read or written. The functions below are those rules; the tree method and
the dense method are charged by the same ones, with `pairs` the entries of the incidence matrix that a method handles:
the firing pairs, sum_i k_i, for the tree method, and all m * n for the dense one.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from treeviz.model.phases import PHASES

# What a tree node can be counted as, in operations; the ledger counts it as one.
NODE_PRICES = (1, 3, 10, 100)

T = TypeVar("T")
# Whole numbers of what was done; where a formula is given expectations, it returns one.
Number = TypeVar("Number", int, float)


def at_price(costs: Mapping[str, int], nodes: Mapping[str, int], node_price: int) -> dict[str, int]:
    """Return operations by phase, each tree node among them counted as `node_price` operations in place of one."""
    return {phase: cost + (node_price - 1) * nodes.get(phase, 0) for phase, cost in costs.items()}


class Ledger:
    """Operations and seconds of one iteration (or of the build) by phase; phases are those in `PHASES`.

    Attributes
    ----------
    costs, seconds : operations and seconds, by phase.
    nodes : how many of the operations were tree nodes read or written, by phase; only of phases that had any.
    """

    def __init__(self) -> None:
        self.costs: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self.nodes: dict[str, int] = {}

    def post(self, phase: str, operations: int, nodes: int = 0) -> None:
        """Add `operations` to a phase, of which so many are tree nodes read or written."""
        self.costs[_known(phase)] = self.costs.get(phase, 0) + int(operations)
        if nodes:
            self.nodes[phase] = self.nodes.get(phase, 0) + int(nodes)

    def post_all(self, costs: Mapping[str, int]) -> None:
        """Add operations to several phases."""
        for phase, operations in costs.items():
            self.post(phase, operations)

    def time(self, phase: str) -> "_Timed":
        """Add the wall-clock time of the `with` block to a phase."""
        return _Timed(self.seconds, _known(phase))


class _Timed:
    """A block under the stopwatch. A generator would do; iterations of half a millisecond feel the difference."""

    __slots__ = ("_phase", "_seconds", "_start")

    def __init__(self, seconds: dict[str, float], phase: str) -> None:
        self._seconds, self._phase, self._start = seconds, phase, 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + time.perf_counter() - self._start


class Stopwatch:
    """Seconds spent waiting for the items of an iterable, apart from what is done with them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Pass `items` on and add up the time it takes to get each."""
        iterator = iter(items)
        while True:
            start = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += time.perf_counter() - start
            yield item


def _known(phase: str) -> str:
    if phase not in PHASES:
        raise ValueError(f"unknown phase {phase!r}; the phases are {', '.join(PHASES)}")
    return phase


def forest_build_operations(
    width: Number, num_points: Number, dimension: Number, node_price: Number | int = 1
) -> Number:
    """All inner products, m * n * d, and one write for each of the 2m - 1 nodes of n trees."""
    return width * num_points * dimension + node_price * (2 * width - 1) * num_points


def neuron_trees_build_operations(
    width: Number, num_points: Number, dimension: Number, node_price: Number | int = 1
) -> Number:
    """All inner products, m * n * d, and one write for each of the 2n - 1 nodes of m trees."""
    return width * num_points * dimension + node_price * (2 * num_points - 1) * width


def table_build_operations(width: Number, num_points: Number, dimension: Number, num_kept: Number) -> Number:
    """All inner products, m * n * d, each compared with the threshold, and n numbers kept a neuron that fires."""
    return width * num_points * dimension + width * num_points + num_kept * num_points


def compaction_operations(width: Number, num_points: Number, dimension: Number, num_kept: Number) -> Number:
    """All inner products, m * n * d, each compared with the threshold, and d numbers copied a neuron that fires."""
    return width * num_points * dimension + width * num_points + num_kept * dimension


def watch_build_operations(width: int, num_points: int, dimension: int, size_counts: NDArray[np.integer]) -> int:
    """All inner products, m * n * d, each compared with the lowered threshold; then the lists.

    Those take d a watched pair, to make it exact, and s log2 s comparisons to sort a list of s pairs; `size_counts[s]`
    lists have so many. The first look at the neurons comes on top of it.
    """
    pairs = int(size_counts @ np.arange(size_counts.size))
    return width * num_points * dimension + width * num_points + pairs * dimension + sort_operations(size_counts)


def sort_operations(size_counts: NDArray[np.integer]) -> int:
    """Return the comparisons it takes to sort lists, s log2 s each; `size_counts[s]` have s entries."""
    each = np.arange(size_counts.size)
    return math.ceil(float(np.sum(size_counts * each * np.log2(np.maximum(each, 1)))))


# A probability that two datapoints fire the same neuron is an integral of up to 24 nodes, with an exponential, a
# division and a few products each, or a series of about that length.
PROBABILITY_OPERATIONS = 200


def skin_operations(num_points: int, dimension: int) -> int:
    """Operations of the skin's rule (`search.watch.skin`): 1,024 neurons, a matrix of probabilities, a solve."""
    pairs = num_points * (num_points + 1) // 2
    probabilities = pairs * (dimension + PROBABILITY_OPERATIONS)
    return 1024 * num_points * dimension + probabilities + gram_solve_operations(num_points)


def forward_operations(pairs: Number, num_points: Number) -> Number:
    """One multiply-add a pair for the outputs, and one a datapoint for the loss."""
    return pairs + num_points


def tensor_sketch_operations(
    pairs: Number, num_points: Number, dimension: Number, num_rows: Number, num_blocks: Number
) -> Number:
    """CountSketch of the incidence matrix and of X in every block, and their circular convolution by three FFTs.

    An FFT of length B is charged 2.5 B log2 B multiply-adds (the usual 5 B log2 B flops), the product of the
    transforms 2 B (a complex multiplication is four multiply-adds, on B / 2 frequencies).
    """
    length = num_rows // num_blocks
    convolution = math.ceil(length * (3 * 2.5 * math.log2(max(length, 2)) + 2))
    return num_blocks * (pairs + num_points * dimension + num_points * convolution)


def qr_operations(num_rows: Number, num_columns: Number) -> Number:
    """Householder QR without Q: s n^2 - n^3 / 3."""
    return num_rows * num_columns**2 - num_columns**3 // 3


def gram_product_operations(pairs: Number, num_points: Number, dimension: Number) -> Number:
    """One product with G = J J^T through the sparse factors: J^T v and J u cost d a pair each, then n * d."""
    return 2 * pairs * dimension + num_points * dimension


def conjugate_gradient_operations(iterations: Number, product: Number, num_points: Number) -> Number:
    """A product with G, two with the n x n preconditioner and five vector operations an iteration.

    One product with G and three with the preconditioner set up the right-hand side, return to g and check the residual.
    """
    square = num_points**2
    return iterations * (product + 2 * square + 5 * num_points) + product + 3 * square


def step_rule_operations(overlaps: Number, num_points: Number, *, is_batched: bool) -> Number:
    """The step size of a first-order method: C, G = K o C / m, and its eigenvalues by tridiagonal reduction, 2 n^3 / 3.

    For mini-batches the largest entries of each row are also added up, n^2.
    """
    square = num_points**2
    return overlaps + square - (-2 * num_points**3 // 3) + (square if is_batched else 0)


def exact_solve_costs(pairs: Number, overlaps: Number, num_points: Number, *, singular: bool) -> dict[str, Number]:
    """Incidence written once (`pairs`); overlaps C; G = K o C / m entry by entry, n^2; factorization and solve.

    `gram_solve_operations` counts the last.
    """
    return {"jacobian": pairs, "solve": overlaps + num_points**2 + gram_solve_operations(num_points, singular=singular)}


def gram_solve_operations(num_points: Number, *, singular: bool = False) -> Number:
    """Cholesky, n^3 / 3 (rounded up), and n^2 for its two triangular solves.

    A singular system pays for the failed factorization, for all eigenvectors by tridiagonal reduction, charged 9 n^3,
    and 2 n^2 to apply them.
    """
    cubic, square = num_points**3, num_points**2
    return -(-cubic // 3) + (9 * cubic + 2 * square if singular else square)


def sketch_solve_costs(
    pairs: Number,
    num_points: Number,
    dimension: Number,
    *,
    num_rows: Number,
    num_blocks: Number,
    num_sketches: int,
    iterations: Number,
    singular: bool,
) -> dict[str, Number]:
    """Incidence written once; tensor sketch; QR and T^-1; conjugate gradient.

    Where G looks singular, `num_sketches` may exceed one (each charged as the last, `num_rows` rows), and an SVD of T,
    charged 9 n^3, and one product with G to prove it, take the place of T^-1.
    """
    product = gram_product_operations(pairs, num_points, dimension)
    return {
        "jacobian": pairs,
        "sketch": num_sketches * tensor_sketch_operations(pairs, num_points, dimension, num_rows, num_blocks),
        "precondition": num_sketches * qr_operations(num_rows, num_points)
        + (9 * num_points**3 + product if singular else num_points**3 // 6),
        "solve": conjugate_gradient_operations(iterations, product, num_points),
    }


def dense_evaluation_costs(width: Number, num_points: Number, dimension: Number, pairs: Number) -> dict[str, Number]:
    """Every inner product recomputed (m n d) and compared with the threshold (m n); outputs from `pairs` entries."""
    entries = width * num_points
    return {"search": entries * dimension + entries, "forward": forward_operations(pairs, num_points)}


def dense_iteration_costs(
    width: Number, num_points: Number, dimension: Number, num_touched: Number, solve_costs: Mapping[str, Number]
) -> dict[str, Number]:
    """Cost by phase of one dense iteration, given what its solver costs on all m n pairs.

    The move looks for the rows that fire (m n) and changes those (|U| n d). With mini-batches, n is their size.
    """
    return {
        **dense_evaluation_costs(width, num_points, dimension, width * num_points),
        **solve_costs,
        "move": width * num_points + num_touched * num_points * dimension,
    }


def sparse_rest_iteration_costs(
    width: Number, num_points: Number, dimension: Number, pairs: Number, solve_costs: Mapping[str, Number]
) -> dict[str, Number]:
    """Cost by phase of one iteration with dense products and all else from the firing pairs; the solver's cost given.

    All m n inner products are recomputed and compared; outputs cost one a pair, and the move d a pair.
    """
    return {**dense_evaluation_costs(width, num_points, dimension, pairs), **solve_costs, "move": pairs * dimension}


def dense_overlap_operations(width: Number, num_points: Number) -> Number:
    """C = A^T A of the dense m x n 0/1 matrix, one triangle: m n (n + 1) / 2."""
    return width * num_points * (num_points + 1) // 2
