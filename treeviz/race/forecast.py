"""What methods are expected to cost before they run: the ledger's formulas, with expected sizes put in.

How many neurons and pairs fire follows from the data and the threshold (`infinite_width.expected_activity`), for the
network as it is drawn. Training changes it: on real data pairs may grow by half and touched neurons fall by a third,
and no formula knows by how much. So a forecast can be calibrated by a run: the ratio of what the run met, on average
over its iterations, to what was expected at its width is applied at every width.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from treeviz.model.config import TrainConfig
from treeviz.model.heap import level_of
from treeviz.model.infinite_width import Activity, expected_activity
from treeviz.model.types import Floats, Ints
from treeviz.race.contestant import Contestant, Workload
from treeviz.race.lane import Lane

# Numbers of iterations that measured and expected operations are compared after.
ITERATIONS = (1, 2, 3, 5, 7, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
# What a race measures of each iteration, for a calibration.
_SIZES = ("num_touched", "num_firing", "num_pairs", "num_overlaps", "cg_iterations")
# Mini-batches of the first epoch that are looked at.
_BATCHES = 8
# Random neurons for each width where many widths are compared.
_FEW_SAMPLES = 2048
# Widths searched for a break-even point.
SMALLEST_WIDTH, LARGEST_WIDTH = 1 << 3, 1 << 27


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a race measured of one contestant, as plain numbers: they can be kept when the race is gone.

    Attributes
    ----------
    contestant : the contestant.
    config : settings of the race.
    num_laps : iterations done.
    means : of sizes of its iterations, columns of its lane; empty if there are none.
    operations, nodes : of building and so many iterations, for those of `ITERATIONS` that were done; how many of the
        operations were tree nodes.
    """

    contestant: Contestant
    config: TrainConfig
    num_laps: int
    means: Mapping[str, float]
    operations: Mapping[int, float]
    nodes: Mapping[int, float]

    @classmethod
    def of(cls, lane: Lane, config: TrainConfig) -> "Measured":
        """Take the numbers of a lane as far as it has come."""
        lap_operations, lap_nodes, *sizes = lane.columns("lap_operations", "lap_nodes", *_SIZES)
        totals = lane.build_operations + np.cumsum(lap_operations)
        nodes = lane.build_nodes + np.cumsum(lap_nodes)
        return cls(
            contestant=lane.contestant,
            config=config,
            num_laps=totals.size,
            means={name: float(values.mean()) for name, values in zip(_SIZES, sizes, strict=True) if values.size},
            operations={count: float(totals[count - 1]) for count in ITERATIONS if count <= totals.size},
            nodes={count: float(nodes[count - 1]) for count in ITERATIONS if count <= totals.size},
        )

    def operations_at(self, num_iterations: int, node_price: int) -> float:
        """Return the operations of building and so many iterations, each tree node counted as `node_price`."""
        return self.operations[num_iterations] + (node_price - 1) * self.nodes[num_iterations]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a run's sizes, averaged over its iterations, compare with those expected of a fresh network, as ratios.

    `batch_touched` is that of mini-batches, None for the same as `touched`; `cg_iterations` is the run's own number,
    None if its solver had none.
    """

    touched: float = 1.0
    batch_touched: float | None = None
    pairs: float = 1.0
    overlaps: float = 1.0
    cg_iterations: float | None = None

    @classmethod
    def of(cls, run: Measured, expected: Workload) -> "Calibration":
        """Compare what a contestant met in a race with what was expected; no change if it trains no neurons."""
        fresh, met = expected.activity, run.means
        if not fresh.num_pairs or not met.get("num_pairs"):
            return cls()
        is_batched = run.contestant.family == "sgd"
        return cls(
            touched=met["num_firing"] / fresh.num_touched,
            batch_touched=met["num_touched"] / expected.num_batch_touched if is_batched else None,
            pairs=met["num_pairs"] / fresh.num_pairs,
            overlaps=met["num_overlaps"] / fresh.num_overlaps,
            cg_iterations=met["cg_iterations"] or None,
        )

    def apply(self, load: Workload) -> Workload:
        """Return the workload with its sizes multiplied; what fires at the start stays as it is."""
        width, fresh = float(load.width), load.activity
        touched = min(self.touched * fresh.num_touched, width)
        activity = Activity(
            touched,
            min(self.pairs * fresh.num_pairs, width * load.num_points),
            min(self.overlaps * fresh.num_overlaps, width * load.num_points**2),
        )
        return replace(
            load,
            activity=activity,
            num_batch_touched=min((self.batch_touched or self.touched) * load.num_batch_touched, width),
            num_entered=load.num_entered * _entered_ratio(activity, fresh, load.num_points),
            cg_iterations=self.cg_iterations or load.cg_iterations,
        )


def _entered_ratio(active: Activity, fresh: Activity, num_points: int) -> float:
    """Return how many more inner nodes of the neuron trees are entered where `active` fires instead of `fresh`.

    A tree is entered if its neuron is touched, and then as far as if the leaves that fire, as many as on average, stood
    in random places.
    """
    full = level_of(num_points)  # levels of 1, 2, 4, ... inner nodes, before the last one
    nodes = np.append(2.0 ** np.arange(full), num_points - 2**full)
    leaves_below = np.append(num_points / nodes[:-1], 2.0)
    entered = []
    for sizes in (active, fresh):
        share = min(sizes.num_pairs / (sizes.num_touched * num_points), 1.0) if sizes.num_touched else 0.0
        entered.append(sizes.num_touched * float(nodes @ (1.0 - (1.0 - share) ** leaves_below)))
    return entered[0] / entered[1] if entered[1] > 0.0 else 0.0


def expected_workload(
    X: Floats, config: TrainConfig, *, num_samples: int = 8192, with_batches: bool = True
) -> Workload:
    """Return the sizes expected of a fresh network on datapoints X, (n, d). Cost: 2 * num_samples * n * d.

    Conjugate gradient behind a sketch of c n rows contracts by 1 / sqrt(c) an iteration (algorithm.md §3.6), and ends
    after n in any case. `with_batches` says whether mini-batches are of interest; else they are as large as the data.
    """
    num_points, width, threshold = len(X), config.width, config.resolved_threshold
    activity = expected_activity(X, threshold, width, config.seed, num_samples)
    num_batches, batch_touched = 1, activity.num_touched
    if with_batches and config.batch_size < num_points:
        num_batches = -(-num_points // config.batch_size)
        batched = replace(config, method="sgd")
        batches = [batched.mini_batch(num_points, iteration) for iteration in range(min(num_batches, _BATCHES))]
        few = num_samples // _BATCHES
        batch_touched = float(
            np.mean([expected_activity(X[batch], threshold, width, config.seed, few).num_touched for batch in batches])
        )
    cg_iterations = math.log(2 / config.tolerance) / math.log(math.sqrt(config.sketch_factor))
    return Workload(
        width=width,
        num_points=num_points,
        dimension=X.shape[1],
        activity=activity,
        num_kept=activity.num_touched,
        num_batches=num_batches,
        num_batch_touched=batch_touched,
        num_entered=activity.num_entered,
        sketch_factor=config.sketch_factor,
        cg_iterations=min(cg_iterations, num_points),
    )


def expected_workloads(X: Floats, config: TrainConfig, node_price: int = 1) -> tuple[Ints, list[Workload]]:
    """Return the widths that methods are compared at, (k,), and what is expected at each; `config` has any width."""
    powers = range(SMALLEST_WIDTH.bit_length() - 1, LARGEST_WIDTH.bit_length())
    widths = np.unique([round(2 ** (power + half)) for power in powers[:-1] for half in (0, 0.5)] + [LARGEST_WIDTH])
    loads = (expected_workload(X, replace(config, width=int(width)), num_samples=_FEW_SAMPLES) for width in widths)
    return widths, [replace(load, node_price=node_price) for load in loads]


def forecast_curve(contestant: Contestant, loads: Sequence[Workload], num_iterations: int) -> Floats:
    """Return the operations of building and so many iterations for each workload."""
    return np.array([contestant.forecast(load).total(num_iterations) for load in loads])


def break_even_width(
    contestant: Contestant,
    rival: Contestant,
    X: Floats,
    config: TrainConfig,
    num_iterations: int,
    calibration: Calibration | None = None,
    node_price: int = 1,
) -> int | None:
    """Return the width from which on `contestant` is expected to need fewer operations than `rival`.

    The smallest width looked at if it does at every width; None if it does not even at the largest. With
    `config.threshold` None the threshold is the paper's at each width. A tree node counts as `node_price` operations.
    """
    calibration = calibration or Calibration()
    with_batches = contestant.family == "sgd"

    def wins(width: int) -> bool:
        own = replace(config, width=width)
        fresh = expected_workload(X, own, num_samples=_FEW_SAMPLES, with_batches=with_batches)
        load = replace(calibration.apply(fresh), node_price=node_price)
        return contestant.forecast(load).total(num_iterations) < rival.forecast(load).total(num_iterations)

    powers = (1 << power for power in range(LARGEST_WIDTH.bit_length() - 1, SMALLEST_WIDTH.bit_length() - 2, -1))
    low = next((width for width in powers if not wins(width)), None)  # from the largest down: the rest does not matter
    if low is None:
        return SMALLEST_WIDTH
    if low == LARGEST_WIDTH:
        return None
    high = 2 * low
    while high > 1.02 * low + 1:
        middle = math.isqrt(low * high)
        low, high = (low, middle) if wins(middle) else (middle, high)
    return high
