"""Training the second layer only: ridge regression on the random features of the hidden layer as it was drawn.

With the hidden weights left at W(0) the network f(x) = phi(x)^T a, phi_r(x) = max(w_r . x - b, 0) / sqrt(m), is linear
in its second layer (random features, Rahimi and Recht 2008), so one Gauss-Newton step from the initial signs is exact:

    a <- a - Phi^T c,  (Phi Phi^T + ridge I) c = Phi a - y,  the change of least norm where that is singular.

Features are made in one pass over blocks of neurons and not kept. What stays is Phi Phi^T and Phi a, of the size of the
data, and the change of `a` is kept as c: the trained layer, like the weights of the tree method, is implicit.
"""

import math
from collections.abc import Mapping

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.ledger import Ledger, Stopwatch, gram_solve_operations
from treeviz.model.network import BLOCK_ROWS, initial_weight_blocks, leaf_blocks, output_signs
from treeviz.model.numerals import agree, count
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Prediction, Workload
from treeviz.solve.exact import GramSolution, solve_gram

_BLOCK_VALUES = 1 << 22  # features held at a time by `predict`


class RandomFeatures:
    """Second-layer training as a `Runner` of two laps: the initial network, and the least-squares fit.

    The settings' step size is not used: the step is exact. Charged to the build are the features (m n d, and m n to
    shift and clip them), to the Jacobian Phi Phi^T, one triangle (m n (n + 1) / 2), and to the forward phase Phi a
    (m n), all in the pass that is made at the start. Memory: n^2 and one block of neurons.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        self._X, self._y, self._config = data.X, data.y, config
        num_points, width, threshold = data.num_points, config.width, config.resolved_threshold
        signs = output_signs(config.seed, width)
        self._gram, self._outputs = np.zeros((num_points, num_points)), np.zeros(num_points)
        self._num_active_neurons = 0
        ledger, drawing, multiplying = Ledger(), Stopwatch(), Stopwatch()
        weight_blocks = drawing.over(initial_weight_blocks(config.seed, width, data.dimension))
        for first, features in multiplying.over(leaf_blocks(data.X, weight_blocks)):
            with ledger.time("build"):
                features -= threshold
                np.maximum(features, 0.0, out=features)
            with ledger.time("jacobian"):
                self._gram += features.T @ features
            with ledger.time("forward"):
                self._outputs += signs[first : first + len(features)] @ features
            self._num_active_neurons += int(np.count_nonzero(features.any(axis=1)))
        self._gram /= width
        self._outputs /= math.sqrt(width)
        ledger.seconds["build"] += multiplying.seconds - drawing.seconds  # drawing the weights is not charged
        ledger.post_all(_build_costs(width, num_points, data.dimension))
        self.build_costs: Mapping[str, int] = ledger.costs
        self.build_seconds: Mapping[str, float] = ledger.seconds
        self.build_nodes: Mapping[str, int] = ledger.nodes
        self._dual = np.zeros(num_points)
        self._solution: GramSolution | None = None
        self._num_laps = 0

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of the signs, of one block of neurons, of Phi Phi^T, and of solving with it."""
        return 10 * width + 8 * (BLOCK_ROWS * (num_points + dimension) + 4 * num_points**2)

    @property
    def num_bytes(self) -> int:
        """Bytes of Phi Phi^T, of the outputs and c: nothing of the size of the network is kept."""
        return self._gram.nbytes + self._outputs.nbytes + self._dual.nbytes

    def step(self) -> Lap:
        """Measure the loss and, on lap 0, solve; raise ValueError after lap 1. Cost: n^3 / 3 + 2 n^2, then n.

        The outputs after the step are Phi a - Phi Phi^T c: n^2, and no second pass over the neurons.
        """
        if self._num_laps == 2:
            raise ValueError("step() was called after lap 1, but the second layer is solved in one step; stop there")
        ledger, num_touched = Ledger(), 0
        with ledger.time("forward"):
            residual = self._outputs - self._y
            loss = 0.5 * float(residual @ residual)
        ledger.post("forward", residual.size)
        if self._solution is None:
            with ledger.time("solve"):
                self._solution = solve_gram(self._gram, residual, self._config.ridge)
            ledger.post("solve", self._solution.num_operations)
            with ledger.time("forward"):
                self._dual = self._solution.dual
                self._outputs = self._outputs - self._gram @ self._dual
            ledger.post("forward", residual.size**2)
            num_touched = self._num_active_neurons if self._dual.any() else 0
        iteration = self._num_laps
        self._num_laps += 1
        return Lap(
            iteration=iteration,
            loss=loss,
            costs=ledger.costs,
            seconds=ledger.seconds,
            num_touched=num_touched,
            num_modified=0,
            status=self._status(self._solution),
            stop_reason="solved in one step: the outputs are linear in the second layer" if iteration else "",
        )

    def predict(self, X: Floats) -> Floats:
        """Return phi(x)^T a(0) - phi(x)^T Phi^T c for q points, (q, d), shape (q,).

        Weights and signs are drawn again, and both sets of features made again, in blocks. Cost: m (n + q) (d + 2).
        """
        config, outputs = self._config, np.zeros(len(X))
        signs = output_signs(config.seed, config.width)
        threshold, root = config.resolved_threshold, math.sqrt(config.width)
        step = max(1, _BLOCK_VALUES // (len(X) + len(self._X)))
        for first, rows in initial_weight_blocks(config.seed, config.width, self._X.shape[1]):
            for low in range(0, len(rows), step):
                weights = rows[low : low + step]
                second_layer = signs[first + low : first + low + len(weights)]
                if self._dual.any():
                    second_layer = second_layer - _excess(weights, self._X, threshold) @ self._dual / root
                outputs += second_layer @ _excess(weights, X, threshold)
        return outputs / root

    def _status(self, solution: GramSolution) -> str:
        """Say what went short, most important first."""
        silent = self._y.size - solution.num_active
        if silent == self._y.size:
            return "no neuron fires on any datapoint, so nothing can move: lower the threshold or widen the network"
        notes = []
        if silent:
            notes.append(
                f"{silent} of {count(self._y.size, 'datapoint')} {agree(silent, 'fires', 'fire')} no neuron and cannot "
                "be learned: lower the threshold or widen the network"
            )
        if solution.status != "ok":
            notes.append(solution.status)
        return "; ".join(notes) or "ok"


def _excess(weights: Floats, X: Floats, threshold: float) -> Floats:
    """Return max(w_r . x - b, 0), (rows, points), in one array."""
    excess: Floats = weights @ X.T
    excess -= threshold
    return np.maximum(excess, 0.0, out=excess)


def predict_costs(load: Workload) -> Prediction:
    """One pass over the neurons; one solve and one product with Phi Phi^T in the first lap; the loss in both."""
    n = load.num_points
    return Prediction(
        build=_build_costs(load.width, n, load.dimension),
        iteration={"forward": n},
        first={"solve": gram_solve_operations(n), "forward": n**2},
    )


def _build_costs(width: int, num_points: int, dimension: int) -> dict[str, int]:
    entries = width * num_points
    return {
        "build": entries * dimension + entries,
        "jacobian": entries * (num_points + 1) // 2,
        "forward": entries,
    }


CONTESTANTS = (
    Contestant(
        key="random-features",
        title="Second layer only",
        family="reference",
        about=(
            "Leaves the hidden weights as they were drawn and trains the second layer instead, which is linear "
            "regression on random features (Rahimi and Recht 2008): one exact step."
        ),
        start=RandomFeatures,
        predict=predict_costs,
        preprocessing="m n d + m n² + n³",
        iteration="n",
        exactness="W stays",
        source="",
    ),
)
