"""Colours of all figures, and how they shorten counts, shares and durations. Other numbers are in model/numerals.py.

`compact` and `percent` are also in web/numbers.js; one table of cases, tests/number_formats.json, checks both.

The colours are those of Okabe and Ito, told apart by every kind of colour vision; the blue is a little lighter than
theirs, to be seen on a dark page as well as on a light one.
"""

import math
from decimal import ROUND_HALF_UP, Decimal, localcontext

from treeviz.model.numerals import numeral

ORANGE = "#E69F00"
BLUE = "#2B8CCB"
GREEN = "#009E73"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8F98"

FONT_SIZE = 13
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def compact(number: float) -> str:
    """Shorten a count to at most four characters: 87, 1.2k, 34k, 5.6M. Halves go up."""
    limit, unit = next((pair for pair in _UNITS if number >= 0.9995 * pair[0]), (1.0, ""))
    scaled = number / limit
    has_tenths = unit and scaled < 9.95
    return f"{math.floor(10 * scaled + 0.5) / 10 if has_tenths else math.floor(scaled + 0.5):g}{unit}"


def seconds(duration: float) -> str:
    """Write a duration in s or ms with three digits."""
    return f"{numeral(duration, 3)} s" if duration >= 1 else f"{numeral(1e3 * duration, 3)} ms"


def percent(share: float) -> str:
    """Write a share in per cent, with enough digits not to become 0; the space before the sign does not break.

    From 10 % on in whole numbers, below with two digits. Halves go up.
    """
    value = 100 * share
    if value >= 10:
        return f"{math.floor(value + 0.5)}\u00a0%"
    with localcontext(prec=2, rounding=ROUND_HALF_UP):
        rounded_value = +Decimal(value)
    if value and value < 1e-6:
        return f"{rounded_value.normalize():e}\u00a0%"
    return f"{float(rounded_value):.8f}".rstrip("0").rstrip(".") + "\u00a0%"
