"""Every setting of a training run in one frozen, checked object."""

import math
import numbers
from dataclasses import dataclass

from treeviz.network import paper_threshold

METHODS = ("gauss-newton", "gradient-descent")
SEARCHES = ("forest", "dense")
SOLVERS = ("sketch", "exact")
MAX_WIDTH = 1 << 27


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Settings of a `Trainer`; together with a dataset they determine every record bit for bit on one machine.

    Parameters
    ----------
    width : neurons m, 1 to 2^27.
    threshold : b >= 0; None for the paper's sqrt(0.48 ln m).
    method : "gauss-newton" (the paper's), or "gradient-descent" (the same move with the residual as dual step).
    search : "forest" (one max-tree per datapoint), or "dense" (every inner product recomputed in each iteration).
    solver : "sketch" (preconditioned conjugate gradient), or "exact" (Cholesky of the Gram matrix); same iterates.
    step_size : > 0, factor on the move; 1.0 is the full Gauss-Newton step.
    ridge : >= 0, added to the diagonal of the Gram matrix.
    sketch_factor : rows of the sketch per datapoint, 2 to 1,000.
    tolerance : relative residual at which conjugate gradient stops, between 0 and 1.
    seed : >= 0, of the initial weights, the output signs and the sketches.

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
    step_size: float = 1.0
    ridge: float = 0.0
    sketch_factor: int = 8
    tolerance: float = 1e-12
    seed: int = 0

    def __post_init__(self) -> None:
        _require_integer("width", self.width, 1, MAX_WIDTH)
        _require_integer("sketch_factor", self.sketch_factor, 2, 1000)
        _require_integer("seed", self.seed, 0, 2**63 - 1)
        for name, allowed in (("method", METHODS), ("search", SEARCHES), ("solver", SOLVERS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")
        if self.threshold is not None:
            _require_number("threshold", self.threshold, "0 or more (or None for the paper's)", low=0.0)
        _require_number("step_size", self.step_size, "greater than 0", above=0.0)
        _require_number("ridge", self.ridge, "0 or more", low=0.0)
        _require_number("tolerance", self.tolerance, "between 0 and 1", above=0.0, below=1.0)

    @property
    def resolved_threshold(self) -> float:
        """The threshold b in use: the one given, or the paper's for this width."""
        return paper_threshold(self.width) if self.threshold is None else float(self.threshold)


def _require_integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not low <= int(value) <= high:
        raise ValueError(f"{name} must be a whole number from {low:,} to {high:,}; got {value!r}")


def _require_number(
    name: str,
    value: object,
    rule: str,
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not (float(value) >= low and above < float(value) < below):  # type: ignore[arg-type]
        raise ValueError(f"{name} must be a number {rule}; got {value!r}")
