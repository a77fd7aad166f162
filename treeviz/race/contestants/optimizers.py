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
from treeviz.model.network import WholeNetwork, firing_probability, output_shift, outputs_at
from treeviz.model.numerals import count, numeral
from treeviz.model.types import Floats
from treeviz.race.contestant import Contestant, Lap, Prediction, Workload
from treeviz.search.compact import StartingNeurons
from treeviz.solve.report import SolveReport
from treeviz.training.judge import Judge

# Adam as in Kingma and Ba 2015, but for the step size. To a loss of 1e-6 on sphere and digits, at m = 4,096 and 65,536,
# this one takes 131 to 139 iterations, 0.1 takes about as many, and 0.01 up to twice as many.
ADAM_STEP_SIZE, ADAM_DECAYS, ADAM_EPSILON = 0.03, (0.9, 0.999), 1e-8
# Multiply-adds a weight: 2 for each moment, and one each for the square, its correction, the root, epsilon, the
# quotient and the move. The mean's correction is a factor of the step size.
ADAM_OPERATIONS = 10
# Pairs of a step and a change of the gradient that L-BFGS remembers, as many as SciPy's.
LBFGS_MEMORY = 10
# A step is taken if the loss falls by this share of what the gradient promises, else it is made shorter.
_ARMIJO, _MAX_TRIALS = 1e-4, 25
_NOTHING_MOVES = "the gradient is zero, so nothing moves any more"
_COASTS = "no neuron fires on any datapoint, but the momentum of earlier gradients still moves weights"


def direction_operations(num_pairs: int, *, has_moved: bool, begins_anew: bool = False) -> int:
    """Multiply-adds a weight that L-BFGS takes to find a direction from its gradient and so many pairs.

    After a move 5 for the new pair: the step, the change of the gradient, the product of both and their lengths. For
    each pair 4, a product and a sum in both loops; if there are pairs, 2 for the scale: the length of the last change,
    and a factor on all. Then 2, the sign and the slope, and 2 more where that is uphill and the gradient takes over.
    """
    return (5 if has_moved else 0) + 4 * num_pairs + (2 if num_pairs else 0) + 2 + (2 if begins_anew else 0)


class KeptObjective:
    """The loss and its gradient as functions of the weights of U(0).

    Attributes
    ----------
    kept : the neurons of U(0) and their weights.
    residual, loss, firing : at the weights last evaluated; `firing` names neurons by their place in U(0).
    """

    residual: Floats
    loss: float
    firing: FiringSets

    def __init__(self, data: Dataset, config: TrainConfig, ledger: Ledger) -> None:
        self._data, self._threshold = data, config.resolved_threshold
        network = WholeNetwork(data.X, config.seed, config.width)
        self.kept = StartingNeurons(data.X, network, self._threshold, ledger)
        self._width, self._all_signs = config.width, network.signs
        self._signs = network.signs[self.kept.neurons]
        self._shift = output_shift(network, self._threshold, config.activation)

    def evaluate(self, W: Floats, ledger: Ledger) -> float:
        """Find what fires at weights W, (|U(0)|, d), and the loss. Cost: |U(0)| n (d + 1), and Σ_i k_i + n."""
        X, threshold = self._data.X, self._threshold
        with ledger.time("search"), np.errstate(over="ignore", invalid="ignore"):
            products = W @ X.T
            neurons, points = np.nonzero(products >= threshold)
            self.firing = FiringSets.from_pairs(neurons, points, len(X))
        with ledger.time("forward"), np.errstate(over="ignore", invalid="ignore"):
            found = products[neurons, points]
            outputs = outputs_from_pairs(self.firing, found, self._signs, threshold, self._width)
            self.residual = outputs + self._shift - self._data.y
            self.loss = 0.5 * float(self.residual @ self.residual)
        ledger.post_all(dense_evaluation_costs(len(W), len(X), X.shape[1], self.firing.num_pairs))
        return self.loss

    def gradient(self, ledger: Ledger) -> Floats:
        """Return the gradient at the weights last evaluated, (|U(0)|, d). Cost: d Σ_i k_i."""
        gradient = np.zeros_like(self.kept.W)
        with ledger.time("solve"), np.errstate(over="ignore", invalid="ignore"):
            if self.firing.num_pairs:
                moves = moved_rows(self.firing, self.residual, self._signs, self._data.X, self._width)
                gradient[self.firing.neurons] = -moves
        ledger.post("solve", self.firing.num_pairs * self._data.dimension)
        return gradient

    def predict(self, X: Floats) -> Floats:
        """Return the outputs of the whole network on q points, (q, d)."""
        blocks, signs = self.kept.weight_blocks(), np.asarray(self._all_signs)
        return outputs_at(X, blocks, signs, self._threshold, self._width) + self._shift

    @staticmethod
    def required_bytes(width: int, num_points: int, dimension: int, num_copies: int) -> int:
        """Memory of so many arrays like the weights of the expected U(0), and of the products."""
        threshold = TrainConfig(width=width).resolved_threshold
        touched = width * min(1.0, num_points * firing_probability(threshold))
        return int(8 * touched * (num_copies * dimension + 3 * num_points)) + 16 * width + (1 << 24)


class Rule(Protocol):
    """How an optimizer chooses its moves.

    `num_copies` says how many arrays like the weights it keeps, `overshoots` whether its steps may go far beyond their
    mark and come back, `has_momentum` whether it may move weights that have no gradient, and `remedy` what to do if the
    loss grows beyond bounds.
    """

    num_copies: int
    overshoots: bool
    has_momentum: bool
    remedy: str

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
        first_order = replace(config, method="gradient-descent")
        self._judge = Judge(data, first_order, overshoots=rule.overshoots, remedy=rule.remedy)
        self._num_laps = 0

    @property
    def num_bytes(self) -> int:
        """Bytes of the neurons kept, their weights, and as many arrays like these as the rule keeps."""
        kept = self._objective.kept
        return kept.num_bytes + self._rule.num_copies * kept.W.nbytes

    def step(self) -> Lap:
        """Do one iteration. A loss that is no longer a finite number, or a search without a result, ends the way."""
        ledger, objective, rule = Ledger(), self._objective, self._rule
        stop_reason = rule.arrive(objective, ledger)
        firing, loss, num_moved = objective.firing, objective.loss, 0
        status = stop_reason
        if not math.isfinite(loss):
            status = stop_reason = f"diverged: the loss is no longer a finite number; {rule.remedy}"
        elif rule.has_momentum and not firing.num_pairs and (num_moved := rule.depart(objective, ledger)):
            status = _COASTS
        else:
            report = SolveReport.nothing_solved(int(np.count_nonzero(firing.counts)))
            judged = self._judge.judge(firing.counts, objective.residual, loss, report, diverged=False)
            status, stop_reason = stop_reason or judged, stop_reason or self._judge.stop_reason
            if not stop_reason:
                num_moved = rule.depart(objective, ledger)
                stop_reason = "" if num_moved else _NOTHING_MOVES
        self._num_laps += 1
        return Lap(
            iteration=self._num_laps - 1,
            loss=loss,
            costs=ledger.costs,
            seconds=ledger.seconds,
            num_touched=num_moved,
            num_modified=0,
            status=status,
            stop_reason=stop_reason,
            activity=Activity(firing.neurons.size, firing.num_pairs, int((firing.degrees**2).sum())),
        )

    def predict(self, X: Floats) -> Floats:
        """Return the network's outputs on new points."""
        return self._objective.predict(X)


class Adam:
    """Adam: every weight moves by its gradient's running mean over the root of its running mean square.

    The mean outlives the gradient, so a neuron that has stopped firing still moves, and may fire again.
    """

    num_copies, overshoots, has_momentum = 2, True, True
    remedy = (
        "use fewer neurons or a higher threshold: Adam's step size is fixed, and the more neurons fire, the more a "
        "step changes the outputs"
    )

    def __init__(self, step_size: float = ADAM_STEP_SIZE) -> None:
        self._step_size, self._num_steps = step_size, 0
        self._mean: Floats | float = 0.0
        self._square: Floats | float = 0.0

    def arrive(self, objective: KeptObjective, ledger: Ledger) -> str:
        """Evaluate the network at its weights."""
        objective.evaluate(objective.kept.W, ledger)
        return ""

    def depart(self, objective: KeptObjective, ledger: Ledger) -> int:
        """Move the neurons kept that have a mean, until it no longer changes a digit. Cost: 10 a weight."""
        gradient, (first, second), W = objective.gradient(ledger), ADAM_DECAYS, objective.kept.W
        self._num_steps += 1
        with ledger.time("move"), np.errstate(over="ignore", invalid="ignore"):
            self._mean = first * self._mean + (1 - first) * gradient
            self._square = second * self._square + (1 - second) * gradient**2
            step_size = self._step_size / (1 - first**self._num_steps)
            root = np.sqrt(self._square / (1 - second**self._num_steps))
            moved = W - step_size * (self._mean / (root + ADAM_EPSILON))
            num_moved = int(np.count_nonzero((moved != W).any(axis=1)))
            W[:] = moved
        ledger.post("move", ADAM_OPERATIONS * gradient.size)
        return num_moved


class Lbfgs:
    """L-BFGS: the gradient times an estimate of the inverse Hessian, from the last steps and changes of the gradient.

    SciPy's own cannot be stopped between two iterations, so the recursion is here (Nocedal and Wright 2006, algorithm
    7.4). A step is made shorter, by a parabola through what is known, until the loss falls enough.
    """

    num_copies, overshoots, has_momentum = 2 * LBFGS_MEMORY + 3, False, False
    remedy = "race another method"

    def __init__(self) -> None:
        self._pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=LBFGS_MEMORY)
        self._start: tuple[Floats, Floats, float] | None = None  # weights, gradient and loss before the move
        self._direction, self._slope = np.zeros(0), 0.0

    def arrive(self, objective: KeptObjective, ledger: Ledger) -> str:
        """Search along the direction for a lower loss. Cost: an evaluation a trial, one at the least."""
        W = objective.kept.W
        if self._start is None:
            objective.evaluate(W, ledger)
            return ""
        start, gradient, loss = self._start
        slope, length = self._slope, 1.0
        if not self._pairs:  # nothing is known of the scale yet
            length = min(1.0, 1.0 / float(np.linalg.norm(gradient)))
            ledger.post("move", W.size)
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
        return (
            f"of {count(_MAX_TRIALS, 'step')} tried along the direction of L-BFGS none lowers the loss, "
            f"{numeral(objective.loss, 3)}, by {numeral(_ARMIJO, 1)} of what the slope promises"
        )

    def depart(self, objective: KeptObjective, ledger: Ledger) -> int:
        """Take in what the last step showed, and find the next direction. Cost: `direction_operations` a weight."""
        W, gradient = objective.kept.W, objective.gradient(ledger)
        with ledger.time("solve"):
            if self._start is not None:
                moved, change = W - self._start[0], gradient - self._start[1]
                curvature = float(np.vdot(moved, change))
                if curvature > 1e-10 * float(np.linalg.norm(moved) * np.linalg.norm(change)):
                    self._pairs.append((moved, change, curvature))
            direction, num_pairs = -self.inverse_hessian_product(gradient), len(self._pairs)
            slope = float(np.vdot(direction, gradient))
            if begins_anew := not slope < 0.0:  # round-off has eaten it
                self._pairs.clear()
                direction = -gradient
                slope = float(np.vdot(direction, gradient))
            operations = direction_operations(num_pairs, has_moved=self._start is not None, begins_anew=begins_anew)
            self._start, self._direction, self._slope = (W.copy(), gradient, objective.loss), direction, slope
        ledger.post("solve", operations * W.size)
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
