"""Colours and number formats of all figures.

The colours are those of Okabe and Ito, told apart by every kind of colour vision; the blue is a little lighter than
theirs, to be seen on a dark page as well as on a light one.
"""

import math

ORANGE = "#E69F00"
BLUE = "#2B8CCB"
GREEN = "#009E73"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8F98"

FONT_SIZE = 13


def compact(number: float) -> str:
    """Shorten a count to at most four characters: 87, 1.2k, 34k, 5.6M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= 0.9995 * limit:
            scaled = number / limit
            return f"{scaled:.1f}{unit}".replace(".0", "") if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"


def seconds(duration: float) -> str:
    """Write a duration in s or ms with three digits."""
    return f"{duration:.3g} s" if duration >= 1 else f"{1e3 * duration:.3g} ms"


def percent(share: float) -> str:
    """Write a share in per cent, with enough digits not to become 0; the space before the sign does not break."""
    value = 100 * share
    return f"{value:.0f}\u00a0%" if value >= 10 else f"{value:.2g}\u00a0%"


def rounded(number: float) -> str:
    """Write a positive number with two digits: 1.8, 120, 3,100, and from a million on 1.2e+06."""
    if number >= 1e6:
        return f"{number:.1e}"
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{number:.2g}"


def power_of_ten(number: float) -> str:
    """Write a power of ten as one: 1, 0.1, 0.01, 10⁻³."""
    exponent = round(math.log10(number))
    if -3 < exponent < 4:
        return f"{number:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
