"""Every setting of a training run in one frozen, checked object."""

import math
import numbers
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from treeviz.model.network import paper_threshold
from treeviz.model.streams import Stream, random_stream
from treeviz.model.types import Ints

METHODS = ("gauss-newton", "gradient-descent", "sgd")
# The searches by name, and where the engine of each is; a new search is a line here.
SEARCHES = {
    "forest": "treeviz.search.forest.engine.ForestEngine",
    "dense": "treeviz.search.dense.DenseEngine",
    "dense-sparse": "treeviz.search.dense_sparse.SparseRestEngine",
    "compact": "treeviz.search.compact.CompactEngine",
    "table": "treeviz.search.table.TableEngine",
    "neuron-trees": "treeviz.search.neuron_trees.engine.NeuronTreesEngine",
    "watch": "treeviz.search.watch.engine.WatchEngine",
}
# Faults that can be planted into a search by name: into which, and where the engine with the fault is.
FAULTS = {
    "skipped-repair": ("forest", "treeviz.search.faults.SkippedRepair"),
    "stale-maximum": ("forest", "treeviz.search.faults.StaleMaximum"),
    "strict-comparison": ("forest", "treeviz.search.faults.StrictComparison"),
    "no-promotion": ("watch", "treeviz.search.faults.NoPromotion"),
    "small-skin": ("watch", "treeviz.search.faults.SmallSkin"),
}
SOLVERS = ("sketch", "exact")
# The two readings of the paper's activation by name: zero below the threshold, or b below it and z above.
ACTIVATIONS = {"shifted": "max(z − b, 0)", "clipped": "max(z, b)"}
MAX_WIDTH = 1 << 27
# How the initial weights come about: all neurons are drawn, or those alone that fire on a datapoint; and the searches
# that need no other.
DRAWS = ("all", "firing")
DRAWN_SEARCHES = ("forest", "compact", "table", "watch")
MAX_FIRING_WIDTH = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of a `Trainer`; together with a dataset they determine every record bit for bit on one machine.

    Parameters
    ----------
    width : neurons m, 1 to 2^27, or to 2^40 where only those that fire are drawn.
    threshold : b >= 0; None for the paper's sqrt(0.48 ln m).
    method : "gauss-newton" (the paper's), "gradient-descent" (the same move with the residual as dual step), or "sgd"
        (with the residual on a mini-batch only).
    search : "forest" (one max-tree per datapoint), "dense" (every inner product recomputed in each iteration),
        "dense-sparse" (the same, and all that follows from the firing sets alone), "compact" ("dense" for the neurons
        that fire at the start only), "table" (the inner products of those neurons kept up to date, all read in each
        iteration), "neuron-trees" (one max-tree per neuron), or "watch" (lists of the pairs that may fire before their
        neuron has moved by the skin).
    solver : "sketch" (preconditioned conjugate gradient), or "exact" (Cholesky of the Gram matrix); same iterates. A
        first-order method solves nothing.
    step_size : > 0, factor on the move; 1.0 is the full Gauss-Newton step. None: 1.0, or for a first-order method the
        step found by the rule of `solve.step_size.safe_step_size`.
    batch_size : datapoints of a mini-batch of "sgd"; every epoch takes each datapoint once, in random order.
    skin : >= 0, of "watch": how far below the threshold pairs are watched. None: found by the rule of
        `search.watch.skin.suggest_skin`. It changes what an iteration costs, never its result.
    activation : "shifted", max(z - b, 0), or "clipped", max(z, b), which adds b sum_r a_r / sqrt(m) to every output and
        changes neither the Jacobian nor which neurons fire (algorithm.md §1).
    ridge : >= 0, added to the diagonal of the Gram matrix.
    sketch_factor : rows of the sketch per datapoint, 2 to 1,000.
    tolerance : relative residual at which conjugate gradient stops, between 0 and 1.
    draw : "all", or "firing": only the neurons that fire on a datapoint at the start are drawn; no other ever moves or
        fires, and their law is the same (algorithm.md §8). For the searches of `DRAWN_SEARCHES`. A seed stands for
        another network than with "all". Where n Pr[N(0, 1) >= b] > 1, all neurons are drawn nevertheless.
    seed : >= 0, of the initial weights, the output signs and the sketches.
    fault : one of `FAULTS`, planted into the search so that a viewer can look for it; None for a run as it should be.

    Raises
    ------
    ValueError
        If a setting is out of its range or of the wrong type; the message names it, its value and the rule.
    """

    width: int
    threshold: float | None = None
    method: str = "gauss-newton"
    search: str = "forest"
    solver: str = "sketch"
    step_size: float | None = 1.0
    batch_size: int = 8
    skin: float | None = None
    activation: str = "shifted"
    ridge: float = 0.0
    sketch_factor: int = 8
    tolerance: float = 1e-12
    draw: str = "all"
    seed: int = 0
    fault: str | None = None

    def __post_init__(self) -> None:
        # NumPy's numbers and the like become Python's own, which can be saved as JSON.
        checked: dict[str, object] = {
            "draw": _choice("draw", self.draw, DRAWS),
            "width": _integer("width", self.width, 1, MAX_FIRING_WIDTH if self.draw == "firing" else MAX_WIDTH),
            "sketch_factor": _integer("sketch_factor", self.sketch_factor, 2, 1000),
            "seed": _integer("seed", self.seed, 0, 2**63 - 1),
            "method": _choice("method", self.method, METHODS),
            "search": _choice("search", self.search, SEARCHES),
            "solver": _choice("solver", self.solver, SOLVERS),
            "activation": _choice("activation", self.activation, ACTIVATIONS),
            "batch_size": _integer("batch_size", self.batch_size, 1, 2**31 - 1),
            "ridge": _number("ridge", self.ridge, "0 or more", low=0.0),
            "tolerance": _number("tolerance", self.tolerance, "between 0 and 1", above=0.0, below=1.0),
        }
        if self.draw == "firing" and self.search not in DRAWN_SEARCHES:
            searches = ", ".join(map(repr, DRAWN_SEARCHES))
            raise ValueError(f"draw='firing' goes with a search of {searches}; got search={self.search!r}")
        if self.step_size is not None:
            rule = "greater than 0 (or None for one found by rule)"
            checked["step_size"] = _number("step_size", self.step_size, rule, above=0.0)
        if self.skin is not None:
            checked["skin"] = _number("skin", self.skin, "0 or more (or None for one found by rule)", low=0.0)
        if self.threshold is not None:
            rule = "0 or more (or None for the paper's)"
            checked["threshold"] = _number("threshold", self.threshold, rule, low=0.0)
        if self.fault is not None:
            checked["fault"] = fault = _choice("fault", self.fault, FAULTS)
            if self.search != (search := FAULTS[fault][0]):
                raise ValueError(f"fault={fault!r} can only be planted into search={search!r}; got {self.search!r}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def resolved_threshold(self) -> float:
        """The threshold b in use: the one given, or the paper's for this width."""
        return paper_threshold(self.width) if self.threshold is None else self.threshold

    @property
    def searched_threshold(self) -> float:
        """The least that the search finds: b, or with the fault of a strict comparison the next larger number."""
        b = self.resolved_threshold
        return float(np.nextafter(b, np.inf)) if self.fault == "strict-comparison" else b

    def mini_batch(self, num_points: int, iteration: int) -> Ints | None:
        """Return the datapoints that an iteration learns from, ascending; None for all of them.

        The datapoints are shuffled again for every epoch and cut into batches, the last of which may be smaller.
        """
        if self.method != "sgd" or self.batch_size >= num_points:
            return None
        epoch, place = divmod(iteration, -(-num_points // self.batch_size))
        order = random_stream(self.seed, Stream.MINI_BATCHES, epoch).permutation(num_points)
        return np.sort(order[place * self.batch_size : (place + 1) * self.batch_size])


def _integer(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and low <= int(value) <= high:
        return int(value)
    raise ValueError(f"{name} must be a whole number from {low:,} to {high:,}; got {value!r}")


def _choice(name: str, value: object, allowed: Collection[str]) -> str:
    if isinstance(value, str) and value in allowed:
        return str(value)
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")


def _number(
    name: str,
    value: object,
    rule: str,
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and number >= low and above < number < below:
            return number
    raise ValueError(f"{name} must be a number {rule}; got {value!r}")
