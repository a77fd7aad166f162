"""The target column of a CSV file: two classes become -1 and +1, more numbers stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_text import listing, quote, shorten
from treeviz.data.prepare import standardized
from treeviz.data.refusal import RefusalError, Remedy


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Targets (N,): -1 and +1 where `is_class` is true, else the file's own numbers; `rule` says which is which."""

    values: NDArray[np.float64]
    is_class: bool
    rule: str


def encode_target(source: str, options: CsvOptions, cells: list[str], numbers: NDArray[np.float64] | None) -> Target:
    """Make targets of a column: its cells without an empty one, and its numbers, None if it is text."""
    name, positive = options.target, options.positive
    where = f"{source}: target column {quote(name)}"
    labels: NDArray[Any]
    shown: Callable[[Any], str]
    merged = ""
    if numbers is not None:
        labels, shown = numbers, "{:.15g}".format
    else:
        spelling = {cell.casefold(): cell for cell in reversed(cells)}  # the first spelling in the file
        if len(spelling) < len(set(cells)):
            merged = ", whatever the case of its letters"
        labels, shown = np.array([spelling[cell.casefold()] for cell in cells], dtype=object), repr
    classes = np.unique(labels)
    if len(classes) == 1 or (numbers is not None and not standardized(numbers).any()):
        constant = f"(every row is {shorten(shown(classes[0]))})" if len(classes) == 1 else "except for round-off"
        raise RefusalError(
            f"{where} is constant {constant}, so there is nothing to learn; choose another: ", Remedy("target")
        )
    if positive is not None:
        chosen = _find_class(where, positive, classes, is_text=numbers is None, shown=shown)
    elif len(classes) == 2:
        chosen = "+" if set(classes.tolist()) <= {"+", "-", "\u2212", "\u2013"} else classes[1]
    elif numbers is not None:
        return Target(numbers.copy(), False, f"The target is the column {quote(name)}")
    else:
        raise RefusalError(
            f"{where} holds {len(classes)} classes of text: "
            f"{listing([shown(one) for one in classes], shorten)}; to learn one class against the rest, ",
            Remedy("positive", shorten(str(classes[0]))),
            ", or another of them",
        )
    rest = shown(classes[classes != chosen][0]) if len(classes) == 2 else "anything else"
    rule = (
        f"The target is +1 where {quote(name)} is {shorten(shown(chosen))} and −1 where it is {shorten(rest)}{merged}"
    )
    values = np.where(labels == chosen, 1.0, -1.0)
    values.setflags(write=False)
    return Target(values, True, rule)


def _find_class(
    where: str, positive: str | float, classes: NDArray[Any], *, is_text: bool, shown: Callable[[Any], str]
) -> Any:
    wanted = str(positive).strip()
    if is_text:
        matches = [one for one in classes if one.casefold() == wanted.casefold()]
    else:
        flags = {"true": 1.0, "false": 0.0}
        try:
            number = flags[wanted.lower()] if wanted.lower() in flags else float(wanted)
        except ValueError:
            number = float("nan")
        matches = [one for one in classes if one == number]
    if not matches:
        listed = listing([shown(one) for one in classes], shorten)
        raise RefusalError(
            f"{where} has no class {wanted!r}; its classes are {listed}: choose one, ", Remedy("positive")
        )
    return matches[0]
