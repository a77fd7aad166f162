"""Ticks of logarithmic axes whose numbers can be read: powers of ten, on a short axis also 20 and 50, or 22 and 24."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from treeviz.model.numerals import numeral, power_of_ten

_FEW = 3  # ticks that an axis should have at least
_LONG = 6  # letters of the longest number that is written without a power of ten


def log_ticks(low: float, high: float, most: int) -> tuple[tuple[float, str], ...]:
    """Return ticks with their texts, about `most` at most, of an axis from `low` to `high`, both above 0.

    Some may be beyond its ends, where a margin may show them. All texts have one form: with powers of ten, unless each
    number is short without.
    """
    if step := _step_of_powers(low, high, most):
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        ticks = tuple(float(f"1e{power}") for power in range(first, last + 1) if power % step == 0)
    else:
        ticks = _fine(low, high)
        if sum(low <= tick <= high for tick in ticks) < _FEW and low < high:
            ticks = tuple(tick for tick in even_ticks(low, high, _FEW + 1) if tick > 0)
    is_short = all(len(_plain(tick)) <= _LONG for tick in ticks if low <= tick <= high)
    return tuple((tick, (_plain if is_short else _with_power)(tick)) for tick in ticks)


def log_axis(values: Iterable[Any], most: int) -> dict[str, Any]:
    """Return what makes an axis of a Plotly figure logarithmic, with ticks for those of the values it can show.

    The ticks are written here: Plotly writes powers of ten in larger letters than other numbers.
    """
    shown = [float(value) for value in values if value is not None and math.isfinite(value) and value > 0]
    ticks = log_ticks(min(shown, default=1.0), max(shown, default=10.0), most)
    return {
        "type": "log",
        "exponentformat": "power",
        "minor": {"showgrid": False},
        "tickvals": [tick for tick, _ in ticks],
        "ticktext": [text for _, text in ticks],
    }


def even_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return ticks a round number apart, so many between `low` and `high` at most but for one, and those beside."""
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(size * factor for factor in (1, 2, 5, 10) if (high - low) / (size * factor) <= most)
    return tuple(number * step for number in range(math.floor(low / step), math.ceil(high / step) + 1))


def _step_of_powers(low: float, high: float, most: int) -> int:
    """Return how many powers of ten a tick stands for, or 0 if an axis has too few of them."""
    first, last = math.log10(low), math.log10(high)
    num_powers = math.floor(last) - math.ceil(first) + 1
    num_fine = sum(low <= tick <= high for tick in _fine(low, high))
    if num_powers < _FEW and num_fine <= max(most, _LONG):
        return 0
    return max(1, math.ceil((last - first) / most))


def _fine(low: float, high: float) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return tuple(float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5))


def _plain(value: float) -> str:
    return f"{Decimal(f'{value:.{_LONG}g}'):,f}"


def _with_power(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = numeral(value / 10.0**exponent, _LONG)
    return power_of_ten(exponent) if factor == "1" else f"{factor}·{power_of_ten(exponent)}"
