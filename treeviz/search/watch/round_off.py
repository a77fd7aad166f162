"""How far what is computed of a neuron can be from the truth: the bounds that the watch lists allow for.

Proved in algorithm.md §6, in units of u = 2^-53. The neuron's weights are those that its coefficients c say, and its
*length* is the sum of |c_i| / sqrt(m), which is no less than its drift.
"""

from dataclasses import dataclass

_UNIT = 2.0**-53
# A normal number drawn by NumPy's ziggurat is smaller: its tail ends at 3.66 + 53 ln 2 / 3.65.
LARGEST_NORMAL = 14.0


@dataclass(frozen=True, slots=True)
class RoundOff:
    """Bounds on errors, each twice what is proved, which takes in the terms of higher order.

    Attributes
    ----------
    fixed, of_length : an inner product z_ri is off by at most fixed + of_length * length.
    of_square : a squared drift, by at most of_square * length^2.
    of_clock : stored due times and coefficients, in units of length, by at most of_clock * clock / sqrt(m).
    """

    fixed: float
    of_length: float
    of_square: float
    of_clock: float

    @classmethod
    def bound(cls, num_points: int, dimension: int) -> "RoundOff":
        """Return the bounds for n datapoints in d dimensions."""
        n, d = num_points, dimension
        return cls(
            fixed=2 * (d + 4) * LARGEST_NORMAL * d**0.5 * _UNIT,
            of_length=2 * (n + d + 8) * _UNIT,
            of_square=2 * (2 * n + d + 8) * _UNIT,
            of_clock=2 * (n + 8) * _UNIT,
        )
