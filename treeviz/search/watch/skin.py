"""How far below the threshold pairs are watched: a rule that needs the data alone."""

import numpy as np

from treeviz.model.infinite_width import expected_touched, shifted_ntk
from treeviz.model.types import Floats
from treeviz.solve.exact import solve_gram

# The skin is this many times the root mean square of what touched neurons are expected to move. Measured to a loss of
# 1e-6 on random, digits and breast-cancer data at n = 16..200, d = 16..784, m = 2^16..2^20: with 2, promotions cost two
# to six times what all the rest does. From 3 to 4 a run takes the least time, or a third more at most. Beyond that,
# longer lists cost more than they save.
_SKIN_FACTOR = 3.0
_SKIN_SAMPLES = 1024


def suggest_skin(X: Floats, y: Floats, threshold: float, width: int) -> float:
    """Return a skin that few neurons drift beyond, from the data alone.

    One Gauss-Newton step from outputs of zero moves the weights by J^T g with G g = y, so the squared moves of all
    neurons add up to g^T G g = y^T g. With G the network's kernel (`infinite_width.shifted_ntk`), and shared among the
    |U| neurons expected to fire, that is the mean square move of a neuron; the skin is three times its root. Farther
    than four below zero nothing is left that could be watched, so the skin ends at b + 4.

    Cost: n^3 / 3, n (n + 1) / 2 probabilities, and 1,024 * n * d to estimate |U|.
    """
    touched = expected_touched(X, threshold, width, num_samples=_SKIN_SAMPLES)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = float(y @ solve_gram(shifted_ntk(X, X, threshold), y).dual)
        expected = np.sqrt(max(total, 0.0) / np.float64(touched))
    largest = threshold + 4.0
    return float(min(_SKIN_FACTOR * expected, largest)) if np.isfinite(expected) else largest
