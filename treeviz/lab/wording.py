"""How answers of the Lab list things, write powers and ranges, and count seeds."""

from collections.abc import Iterable, Sequence

from treeviz.model.numerals import count, numeral


def join_words(parts: Sequence[str]) -> str:
    """List things in a sentence: "one", "one and two", "one, two and three"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def power_of(base: str, exponent: float, digits: int = 3) -> str:
    """Write a power in a sentence: "m to the power 0.781"."""
    return f"{base} to the power {numeral(exponent, digits)}"


def span(low: str, high: str) -> str:
    """Write a range: "3 to 5", or "3" where both ends read the same."""
    return low if low == high else f"{low} to {high}"


def count_seeds(counts: Iterable[int]) -> str:
    """Write how many seeds some settings have: "3 seeds", or "1 to 3 seeds" where not all have as many."""
    found = list(counts)
    low, high = min(found), max(found)
    return count(high, "seed") if low == high else f"{low} to {count(high, 'seed')}"
