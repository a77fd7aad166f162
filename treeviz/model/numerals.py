"""How sentences write numbers and counted things: what any room may need for a status or a refusal.

`numeral`, `decimals`, `count` and `agree` are also in style/web/numbers.js; one table of cases,
tests/number_formats.json, checks both.
"""

import math
from decimal import ROUND_HALF_UP, Decimal, localcontext

_PLURALS = {"branch": "branches", "leaf": "leaves"}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL, _LARGE = Decimal("0.001"), Decimal(1_000_000)  # with a power of ten are these and what is beyond
_MINUS = "\N{MINUS SIGN}"


def numeral(number: float, digits: int) -> str:
    """Write a number with at most so many digits: 6.249, 0.0012, 3,100.

    Down from 0.001 and up from a million with a power of ten: 1.2·10⁻⁷, 10⁶. Halves go away from zero.
    """
    sign = _MINUS if number < 0 else ""
    if not math.isfinite(number):
        return "no number" if math.isnan(number) else f"{sign}∞"
    with localcontext(prec=digits, rounding=ROUND_HALF_UP):
        size = abs(+Decimal(float(number)))
    if not size:
        return "0"
    if _SMALL < size < _LARGE:
        return f"{sign}{_plain(size)}"
    exponent = size.adjusted()
    factor, power = _plain(size.scaleb(-exponent)), power_of_ten(exponent)
    return f"{sign}{power}" if factor == "1" else f"{sign}{factor}·{power}"


def power_of_ten(exponent: int) -> str:
    """Write a power of ten, which may be beyond any number of the machine: 10⁻⁷, 10²⁴¹."""
    return f"10{str(exponent).translate(_RAISED)}"


def decimals(value: float, other: float | None = None) -> str:
    """Write a value with three decimals, or with as many, up to eight, as it takes to tell it from `other`."""
    for digits in range(3, 9):
        text = f"{value:z.{digits}f}"  # z: never −0.000
        if other is None or other == value or text != f"{other:z.{digits}f}":
            break
    return text.replace("-", _MINUS)


def _plain(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(quantity: int, noun: str) -> str:
    """Write a number of things: 1 neuron, 1,200 neurons, 2 leaves."""
    return f"{quantity:,} {agree(quantity, noun, _PLURALS.get(noun, f'{noun}s'))}"


def agree(quantity: int, one: str, many: str) -> str:
    """Return the form of a word that goes with a quantity: of 1, `one`; of all others, `many`."""
    return one if quantity == 1 else many


def count_firing(quantity: int) -> str:
    """Write how many neurons fire: 1 neuron fires, 1,200 neurons fire."""
    return f"{count(quantity, 'neuron')} {agree(quantity, 'fires', 'fire')}"
