"""How the answers of a poll are counted: by option, by node, or by where a number lies."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from treeviz.lesson.poll.asked import Answer, Asked, write_number
from treeviz.lesson.poll.solution import Solution, is_near

MAX_BARS = 12  # of nodes: those chosen most often
_MAX_VALUES = 8  # different numbers that have a bar each
_MAX_BINS = 9  # of numbers, with what lies below and above
_WIDE = 30  # times as large as the small ones: from there on, bins widen as the numbers grow


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the histogram.

    `is_right` if what it counts is right; of a range of numbers, if the right number lies in it.
    """

    label: str
    count: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """The answers of a poll.

    Attributes
    ----------
    num_answers : students who have answered.
    num_right : of them, those who are right.
    bars : in the order of the options, the nodes or the numbers.
    num_left_out : nodes that have no bar; each was chosen at most as often as any that has one.
    """

    num_answers: int
    num_right: int
    bars: tuple[Bar, ...]
    num_left_out: int = 0


def count_answers(asked: Asked, solution: Solution, answers: Sequence[Answer]) -> Counts:
    """Count the answers to a question. Cost: one pass over all that was chosen."""
    num_right = sum(map(solution.accepts, answers))
    if not isinstance(solution.right, tuple) and asked.kind == "estimate":
        numbers = [float(answer) for answer in answers if not isinstance(answer, tuple)]
        return Counts(len(answers), num_right, _number_bars(solution.right, solution.within, numbers))
    right = _places(solution.right)
    chosen = Counter(place for answer in answers for place in _places(answer))
    shown = list(range(len(asked.options)))
    if asked.kind == "click" and len(shown) > MAX_BARS:
        shown = sorted(sorted(shown, key=lambda place: -chosen[place])[:MAX_BARS])
    bars = tuple(Bar(asked.options[place], chosen[place], place in right) for place in shown)
    return Counts(len(answers), num_right, bars, len(asked.options) - len(bars))


def _places(answer: Answer) -> tuple[float, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _number_bars(right: float, within: float, numbers: Sequence[float]) -> tuple[Bar, ...]:
    values = Counter(sorted(numbers))
    if len(values) <= _MAX_VALUES:
        bars = [Bar(write_number(value), times, is_near(value, right, within)) for value, times in values.items()]
    else:
        inner = find_edges(numbers)
        edges = [-math.inf, *inner, math.inf]
        bars = []
        for low, high in pairwise(edges):
            times = sum(low <= number < high for number in numbers)
            if times or (low > -math.inf and high < math.inf):
                bars.append(Bar(_label(low, high), times, low <= right < high))
    return tuple(bars)


def _label(low: float, high: float) -> str:
    if low == -math.inf:
        return f"under {write_number(high)}"
    if high == math.inf:
        return f"{write_number(low)} or more"
    return f"{write_number(low)} to under {write_number(high)}"


def find_edges(numbers: Sequence[float]) -> list[float]:
    """Return a few round numbers, ascending, between which most of the numbers lie; a few wild ones move none of them.

    Where large ones are many times as large as small ones, each edge is about the same multiple of the one before.
    """
    ranked = sorted(numbers)
    low, high = ranked[len(ranked) // 10], ranked[-1 - len(ranked) // 10]
    if low > 0 and high / low > _WIDE:
        return _round_multiples(low, high)
    span = (high - low) or abs(low) or 1.0
    step = _round_up(span / (_MAX_BINS - 3))
    first = math.floor(low / step)
    return sorted({_clean(step * place) for place in range(first, math.floor(high / step) + 2)})


def _round_multiples(low: float, high: float) -> list[float]:
    """Return numbers 1, 2 or 5 times a power of ten around low and high, so many of them as there may be."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    all_round = [_clean(digit * 10.0**power) for power in range(first, last + 1) for digit in (1, 2, 5)]
    begin = max(place for place, edge in enumerate(all_round) if edge <= low or place == 0)
    end = next((place for place, edge in enumerate(all_round) if edge > high), len(all_round) - 1)
    needed = math.ceil((end - begin) / (_MAX_BINS - 2))
    # Every edge, every third, which is a power of ten from the next, or so many powers of ten at a time.
    stride = 1 if needed == 1 else 3 * math.ceil(needed / 3)
    begin -= begin % stride if stride > 1 else 0
    edges = all_round[begin : end + 1 : stride]
    return edges if edges[-1] > high else [*edges, _clean(edges[-1] * (10.0 ** (stride // 3) if stride > 1 else 10.0))]


def _round_up(size: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least a size."""
    ten = 10.0 ** math.floor(math.log10(size))
    return next(_clean(digit * ten) for digit in (1, 2, 5, 10) if digit * ten >= size * (1 - 1e-12))


def _clean(number: float) -> float:
    """Return the number that has the same twelve digits and no more."""
    return float(f"{number:.12g}")
