"""How answers of the Lab list things."""

from collections.abc import Sequence


def join_words(parts: Sequence[str]) -> str:
    """List things in a sentence: "one", "one and two", "one, two and three"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
