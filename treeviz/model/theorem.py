"""What the paper's theorem asks for, in numbers."""

import math

# The exponent that the paper's threshold saves: b = sqrt(0.48 ln m) = sqrt(2 * 0.24 * ln m).
ALPHA = 0.24


def required_width_exponent(num_points: int, alpha: float = ALPHA) -> float:
    """Return log10 of the width that the theorem's hypothesis asks for, m >= (16 n^4)^(1 / (1 - 4 alpha)).

    From lambda <= m^-alpha / 2, which b = sqrt(2 alpha ln m) forces, and m >= n^4 / lambda^4 (algorithm.md §5.6).
    Raises ValueError unless 0 <= alpha < 1/4, beyond which no width is enough.
    """
    if not 0.0 <= alpha < 0.25:
        raise ValueError(f"alpha must be at least 0 and below 1/4; got {alpha}")
    return (math.log10(16) + 4 * math.log10(num_points)) / (1 - 4 * alpha)
