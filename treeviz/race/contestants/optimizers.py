"""Adam and L-BFGS on the neurons that fire at the start: what a practitioner would try first.

Both start from the gradient, which is zero for a neuron that fires on no datapoint. So such a neuron has no moment in
Adam and no part in any direction of L-BFGS: it never moves, and leaving it out changes nothing (algorithm.md §5.1). In
each evaluation the inner products of the neurons kept are computed densely, and all that follows comes from the firing
pairs.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.model.firing import FiringSets, moved_rows, outputs_from_pairs
from treeviz.model.infinite_width import Activity
from treeviz.model.ledger import Ledger, compaction_operations, dense_evaluation_costs
from treeviz.model.network import DrawnSigns, firing_probability, output_shift, outputs_at
from treeviz.model.numerals import count
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Prediction, Workload
from treeviz.search.compact import StartingNeurons
from treeviz.solve.report import SolveReport
from treeviz.training.judge import Judge

# Adam as in Kingma and Ba 2015, but for the step size. To a loss of 1e-6 on sphere and digits, at m = 4,096 and 65,536,
# this one takes 131 to 139 iterations, 0.1 takes about as many, and 0.01 up to twice as many.
ADAM_STEP_SIZE, ADAM_DECAYS, ADAM_EPSILON = 0.03, (0.9, 0.999), 1e-8
# Multiply-adds a weight: 2 for each moment, one for the square, two corrections, a root, a quotient and the move.
ADAM_OPERATIONS = 10
# Pairs of a step and a change of the gradient that L-BFGS remembers, as many as SciPy's.
LBFGS_MEMORY = 10
# A step is taken if the loss falls by this share of what the gradient promises, else it is made shorter.
_ARMIJO, _MAX_TRIALS = 1e-4, 25
_DIVERGED = "diverged: the loss is no longer a finite number; widen the network, or use a method with shorter steps"


class KeptObjective:
    """The loss and its gradient as functions of the weights of U(0).

    Attributes
    ----------
    kept : the neurons of U(0) and their weights.
    residual, loss, firing : at the weights last evaluated; `firing` names neurons by their place in U(0).
    """

    def __init__(self, data: Dataset, config: TrainConfig, ledger: Ledger) -> None:
        self._data, self._threshold = data, config.resolved_threshold
        self.kept = StartingNeurons(data.X, config, ledger)
        self._all_signs = DrawnSigns(config.seed, config.width)
        # Divided by sqrt(m), as the functions of firing sets divide by the root of the number of signs they are given.
        share = math.sqrt(self.kept.neurons.size / config.width)
        self._signs = self._all_signs[self.kept.neurons] * share
        self._shift = 0.0
        if config.activation != "shifted":
            self._shift = output_shift(np.asarray(self._all_signs), self._threshold, config.activation)
        self.evaluate(self.kept.W, Ledger())

    def evaluate(self, W: Floats, ledger: Ledger) -> float:
        """Find what fires at weights W, (|U(0)|, d), and the loss. Cost: |U(0)| n (d + 1), and Σ_i k_i + n."""
        X, threshold = self._data.X, self._threshold
        with ledger.time("search"), np.errstate(over="ignore", invalid="ignore"):
            products = W @ X.T
            neurons, points = np.nonzero(products >= threshold)
            self.firing = FiringSets.from_pairs(neurons, points, len(X))
        with ledger.time("forward"), np.errstate(over="ignore", invalid="ignore"):
            found = products[neurons, points]
            outputs = outputs_from_pairs(self.firing, found, self._signs, threshold) if len(W) else np.zeros(len(X))
            self.residual = outputs + self._shift - self._data.y
            self.loss = 0.5 * float(self.residual @ self.residual)
        ledger.post_all(dense_evaluation_costs(len(W), len(X), X.shape[1], self.firing.num_pairs))
        return self.loss

    def gradient(self, ledger: Ledger) -> Floats:
        """Return the gradient at the weights last evaluated, (|U(0)|, d). Cost: d Σ_i k_i."""
        gradient = np.zeros_like(self.kept.W)
        with ledger.time("solve"), np.errstate(over="ignore", invalid="ignore"):
            if self.firing.num_pairs:
                gradient[self.firing.neurons] = -moved_rows(self.firing, self.residual, self._signs, self._data.X)
        ledger.post("solve", self.firing.num_pairs * self._data.dimension)
        return gradient

    def predict(self, X: Floats) -> Floats:
        """Return the outputs of the whole network on q points, (q, d)."""
        return outputs_at(X, self.kept.weight_blocks(), np.asarray(self._all_signs), self._threshold) + self._shift

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, num_copies: int) -> int:
        """Memory of so many arrays like the weights of the expected U(0), and of the products."""
        threshold = TrainConfig(width=width).resolved_threshold
        touched = width * min(1.0, num_points * firing_probability(threshold))
        return int(8 * touched * (num_copies * dimension + 3 * num_points)) + 16 * width + (1 << 24)


class Rule(Protocol):
    """How an optimizer chooses its moves.

    `num_copies` says how many arrays like the weights it keeps, `overshoots` whether its steps may go far beyond their
    mark and come back.
    """

    num_copies: int
    overshoots: bool

    def arrive(self, objective: KeptObjective, ledger: Ledger) -> str:
        """Evaluate the network where the last move leads; return why that could not be found, in words, or ""."""

    def depart(self, objective: KeptObjective, ledger: Ledger) -> int:
        """Choose the next move from the gradient; return how many neurons it moves."""


class OptimizerRunner:
    """An optimizer in a race: in each iteration the network is evaluated, judged, and a move is chosen."""

    def __init__(self, data: Dataset, config: TrainConfig, rule: Rule) -> None:
        ledger = Ledger()
        self._objective, self._rule = KeptObjective(data, config, ledger), rule
        self.build_costs: Mapping[str, int] = ledger.costs
        self.build_seconds: Mapping[str, float] = ledger.seconds
        self.build_nodes: Mapping[str, int] = ledger.nodes
        self._judge = Judge(data, replace(config, method="gradient-descent"), overshoots=rule.overshoots)
        self._num_laps = 0

    @property
    def num_bytes(self) -> int:
        """Bytes of the neurons kept, their weights, and as many arrays like these as the rule keeps."""
        kept = self._objective.kept
        return kept.num_bytes + self._rule.num_copies * kept.W.nbytes

    def step(self) -> Lap:
        """Do one iteration. A loss that is no longer a finite number, or a search without a result, ends the way."""
        ledger, objective = Ledger(), self._objective
        stop_reason = self._rule.arrive(objective, ledger)
        firing, loss, num_moved = objective.firing, objective.loss, 0
        status = stop_reason or _DIVERGED
        if math.isfinite(loss):
            report = SolveReport.nothing_solved(int(np.count_nonzero(firing.counts)))
            judged = self._judge.judge(firing.counts, objective.residual, loss, report, diverged=False)
            status = stop_reason or judged
            stop_reason = stop_reason or self._judge.stop_reason
            if not stop_reason:
                num_moved = self._rule.depart(objective, ledger)
                stop_reason = "" if num_moved else "the gradient is zero, so nothing moves any more"
        self._num_laps += 1
        return Lap(
            iteration=self._num_laps - 1,
            loss=loss,
            costs=ledger.costs,
            seconds=ledger.seconds,
            num_touched=num_moved,
            num_modified=0,
            status=status,
            stop_reason=stop_reason if math.isfinite(loss) else _DIVERGED,
            activity=Activity(firing.neurons.size, firing.num_pairs, int((firing.degrees**2).sum())),
        )

    def predict(self, X: Floats) -> Floats:
        """Return the network's outputs on new points."""
        return self._objective.predict(X)


class Adam:
    """Adam: every weight moves by its gradient's running mean over the root of its running mean square."""

    num_copies, overshoots = 2, True

    def __init__(self, step_size: float = ADAM_STEP_SIZE) -> None:
        self._step_size, self._num_steps = step_size, 0
        self._mean: Floats | float = 0.0
        self._square: Floats | float = 0.0

    def arrive(self, objective: KeptObjective, ledger: Ledger) -> str:
        """Evaluate the network at its weights."""
        objective.evaluate(objective.kept.W, ledger)
        return ""

    def depart(self, objective: KeptObjective, ledger: Ledger) -> int:
        """Move all neurons kept. Cost: 10 a weight."""
        gradient, (first, second) = objective.gradient(ledger), ADAM_DECAYS
        self._num_steps += 1
        with ledger.time("move"), np.errstate(over="ignore", invalid="ignore"):
            self._mean = first * self._mean + (1 - first) * gradient
            self._square = second * self._square + (1 - second) * gradient**2
            mean = self._mean / (1 - first**self._num_steps)
            root = np.sqrt(self._square / (1 - second**self._num_steps))
            objective.kept.W -= self._step_size * mean / (root + ADAM_EPSILON)
        ledger.post("move", ADAM_OPERATIONS * gradient.size)
        return len(gradient)


class Lbfgs:
    """L-BFGS: the gradient times an estimate of the inverse Hessian, from the last steps and changes of the gradient.

    SciPy's own cannot be stopped between two iterations, so the recursion is here (Nocedal and Wright 2006, algorithm
    7.4). A step is made shorter, by a parabola through what is known, until the loss falls enough.
    """

    num_copies, overshoots = 2 * LBFGS_MEMORY + 3, False

    def __init__(self) -> None:
        self._pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=LBFGS_MEMORY)
        self._start: tuple[Floats, Floats, float] | None = None  # weights, gradient and loss before the move
        self._direction: Floats = np.zeros(0)

    def arrive(self, objective: KeptObjective, ledger: Ledger) -> str:
        """Search along the direction for a lower loss. Cost: an evaluation a trial, one at the least."""
        W = objective.kept.W
        if self._start is None:
            objective.evaluate(W, ledger)
            return ""
        start, gradient, loss = self._start
        slope, length = float(np.vdot(gradient, self._direction)), 1.0
        if not self._pairs:  # nothing is known of the scale yet
            length = min(1.0, 1.0 / float(np.linalg.norm(gradient)))
        for _ in range(_MAX_TRIALS):
            with ledger.time("move"):
                np.add(start, length * self._direction, out=W)
            ledger.post("move", W.size)
            reached = objective.evaluate(W, ledger)
            if reached <= loss + _ARMIJO * length * slope:
                return ""
            bend = reached - loss - slope * length
            shorter = -slope * length**2 / (2 * bend) if math.isfinite(bend) and bend > 0 else 0.0
            length = min(max(shorter, 0.1 * length), 0.5 * length)
        W[:] = start
        objective.evaluate(W, ledger)
        return f"no step along the direction of L-BFGS lowers the loss, of {_MAX_TRIALS} tried: it is as low as it gets"

    def depart(self, objective: KeptObjective, ledger: Ledger) -> int:
        """Take in what the last step showed, and find the next direction. Cost: (4 memory + 5) a weight."""
        W, gradient = objective.kept.W, objective.gradient(ledger)
        with ledger.time("solve"):
            if self._start is not None:
                moved, change = W - self._start[0], gradient - self._start[1]
                curvature = float(np.vdot(moved, change))
                if curvature > 1e-10 * float(np.linalg.norm(moved) * np.linalg.norm(change)):
                    self._pairs.append((moved, change, curvature))
            direction = -self.inverse_hessian_product(gradient)
            if not np.vdot(direction, gradient) < 0.0:  # round-off has eaten it: begin again
                self._pairs.clear()
                direction = -gradient
            self._start, self._direction = (W.copy(), gradient, objective.loss), direction
        ledger.post("solve", (4 * len(self._pairs) + 5) * W.size)
        return int(np.count_nonzero(direction.any(axis=1)))

    def inverse_hessian_product(self, gradient: Floats) -> Floats:
        """Return H gradient by the two-loop recursion, H starting from a multiple of the identity."""
        product, shares = gradient.copy(), []
        for moved, change, curvature in reversed(self._pairs):
            shares.append(float(np.vdot(moved, product)) / curvature)
            product -= shares[-1] * change
        if self._pairs:
            _, change, curvature = self._pairs[-1]
            product *= curvature / float(np.vdot(change, change))
        for (moved, change, curvature), share in zip(self._pairs, reversed(shares), strict=True):
            product += (share - float(np.vdot(change, product)) / curvature) * moved
        return product


class Optimized:
    """Starts an `OptimizerRunner` with a rule of its own."""

    def __init__(self, make_rule: type[Adam] | type[Lbfgs]) -> None:
        self._make_rule = make_rule

    def __call__(self, data: Dataset, config: TrainConfig) -> OptimizerRunner:
        """Find the neurons that fire at the start."""
        return OptimizerRunner(data, config, self._make_rule())

    def required_bytes(self, width: int, num_points: int, dimension: int) -> int:
        """Memory of the arrays it keeps and of three more like the weights while it moves."""
        return KeptObjective.required_bytes(width, num_points, dimension, self._make_rule.num_copies + 4)


def _predict_adam(load: Workload) -> Prediction:
    n, d, kept, pairs = load.num_points, load.dimension, load.num_kept, load.activity.num_pairs
    iteration = dense_evaluation_costs(kept, n, d, pairs) | {"solve": pairs * d, "move": ADAM_OPERATIONS * kept * d}
    return Prediction({"build": compaction_operations(load.width, n, d, kept)}, iteration)


CONTESTANTS = (
    Contestant(
        key="adam",
        title="Adam",
        family="adam",
        about="Adam, the usual optimizer of deep learning, on all datapoints and on the neurons that fire at the "
        f"start, with step size {ADAM_STEP_SIZE}. A neuron that never fires has no gradient, so Adam never moves it.",
        start=Optimized(Adam),
        predict=_predict_adam,
        preprocessing="m n d",
        iteration="U n d + Σk d",
        exactness="yes",
        source="Kingma, Ba: *Adam: A Method for Stochastic Optimization*, 2015",
    ),
    Contestant(
        key="l-bfgs",
        title="L-BFGS",
        family="l-bfgs",
        about=f"L-BFGS, the usual quasi-Newton method, with a memory of {count(LBFGS_MEMORY, 'step')}, on the neurons "
        "that fire at the start. A neuron that never fires is zero in every gradient, so no direction moves it.",
        start=Optimized(Lbfgs),
        predict=None,
        preprocessing="m n d",
        iteration="(U n d + Σk d) · evaluations + U d · memory",
        exactness="yes",
        source="Liu, Nocedal: *On the Limited Memory BFGS Method for Large Scale Optimization*, 1989",
    ),
)
