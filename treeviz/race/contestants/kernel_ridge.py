"""Ridge regression with the network's kernel at infinite width, solved in closed form.

Training the hidden layer of an infinitely wide network ends at the kernel regression f(x) = h(x)^T alpha with
(H + ridge I) alpha = y and H the neural tangent kernel of the data (Jacot et al. 2018). It starts from zero: the limit
draws no weights, so there is no initial function, and zero is the mean of those that finite networks start from.
Nor is there a datapoint that fires no neuron: a high threshold only scales the kernel down, until beyond about 38.5 it
underflows and nothing is learned.
"""

from collections.abc import Mapping

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.infinite_width import shifted_ntk
from treeviz.model.ledger import PROBABILITY_OPERATIONS, Ledger, gram_solve_operations
from treeviz.model.network import firing_probability
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Prediction, Workload
from treeviz.solve.exact import GramSolution, solve_gram

_QUERY_VALUES = 1 << 22  # entries of the kernel between datapoints and queries held at a time


class KernelRidge:
    """Kernel ridge regression as a `Runner` of two laps: zero, and the solution.

    The settings' step size is not used: the step is exact. Everything is divided by the scale p + ridge, p the chance
    that a neuron fires, because alpha could overflow at a high threshold otherwise: the kernel matrix, the ridge, and
    what `predict` evaluates. The outputs stay the same.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        self._X, self._y, self._threshold = data.X, data.y, config.resolved_threshold
        self._scale = firing_probability(self._threshold) + config.ridge or 1.0
        self._ridge = config.ridge / self._scale
        ledger = Ledger()
        with ledger.time("build"):
            self._gram = shifted_ntk(data.X, data.X, self._threshold) / self._scale
        ledger.post("build", _build_operations(data.num_points, data.dimension))
        self.build_costs: Mapping[str, int] = ledger.costs
        self.build_seconds: Mapping[str, float] = ledger.seconds
        self.build_nodes: Mapping[str, int] = ledger.nodes
        self._outputs = np.zeros(data.num_points)
        self._alpha = np.zeros(data.num_points)
        self._solution: GramSolution | None = None
        self._num_laps = 0

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int) -> int:
        """Memory of the kernel matrix and of what making it takes: up to ten matrices of its size."""
        return 8 * 10 * num_points**2

    @property
    def num_bytes(self) -> int:
        """Bytes of the kernel matrix, alpha and the outputs."""
        return self._gram.nbytes + self._alpha.nbytes + self._outputs.nbytes

    def step(self) -> Lap:
        """Measure the loss and, on lap 0, solve; raise ValueError after lap 1. Cost: n^3 / 3 + 2 n^2, then n."""
        if self._num_laps == 2:
            raise ValueError("step() was called after lap 1, but kernel ridge is solved in one step; stop there")
        ledger = Ledger()
        with ledger.time("forward"):
            residual = self._outputs - self._y
            loss = 0.5 * float(residual @ residual)
        ledger.post("forward", residual.size)
        if self._solution is None:
            with ledger.time("solve"):
                self._solution = solve_gram(self._gram, self._y, self._ridge)
            ledger.post("solve", self._solution.num_operations)
            with ledger.time("forward"):
                self._alpha = self._solution.dual
                self._outputs = self._gram @ self._alpha
            ledger.post("forward", residual.size**2)
        iteration = self._num_laps
        self._num_laps += 1
        return Lap(
            iteration=iteration,
            loss=loss,
            costs=ledger.costs,
            seconds=ledger.seconds,
            num_touched=0,
            num_modified=0,
            status=self._status(self._solution),
            stop_reason="solved in one step, in closed form" if iteration else "",
        )

    def predict(self, X: Floats) -> Floats:
        """Return h(x)^T alpha for q points, (q, d), shape (q,). Cost: n q d, and n q values of the kernel."""
        outputs = np.zeros(len(X))
        rows = max(1, _QUERY_VALUES // len(self._X))
        for low in range(0, len(X), rows):
            values = shifted_ntk(X[low : low + rows], self._X, self._threshold) / self._scale
            outputs[low : low + rows] = values @ self._alpha
        return outputs

    def _status(self, solution: GramSolution) -> str:
        if not solution.num_active:
            return f"the kernel is zero in floating point at threshold {self._threshold:g}: lower the threshold"
        return solution.status


def predict_costs(load: Workload) -> Prediction:
    """Kernel matrix; one solve and one product with it in the first lap; the loss in both. No m anywhere."""
    n = load.num_points
    return Prediction(
        build={"build": _build_operations(n, load.dimension)},
        iteration={"forward": n},
        first={"solve": gram_solve_operations(n), "forward": n**2},
    )


def _build_operations(num_points: int, dimension: int) -> int:
    """The Gram matrix of the data, n^2 d, and one triangle of the kernel matrix."""
    return num_points**2 * dimension + PROBABILITY_OPERATIONS * (num_points * (num_points + 1) // 2)


CONTESTANTS = (
    Contestant(
        key="kernel-ridge",
        title="Kernel ridge (NTK)",
        family="reference",
        about=(
            "Ridge regression with the neural tangent kernel of the hidden layer, what training tends to as the width "
            "grows without bound and b stays as it is; solved in closed form, from zero, for there are no weights to "
            "draw."
        ),
        start=KernelRidge,
        predict=predict_costs,
        preprocessing="n² d + n³",
        iteration="n",
        exactness="no network",
        source="Jacot, Gabriel, Hongler: *Neural Tangent Kernel: Convergence and Generalization in Neural Networks*, "
        "2018",
    ),
)
