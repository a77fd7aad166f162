"""The options for reading a CSV file, the same in Python, on the command line and in the app."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from treeviz.data.refusal import MARKS, RefusalError, Remedy

SEPARATORS = (",", ";", "\t", "|", " ")
DECIMALS = (".", ",")
THOUSANDS = (",", ".", " ", "'")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How a CSV file is written, which parts of it to use, and how to prepare them.

    Parameters
    ----------
    target : the name of the column to learn; in a file without a header line columns are named column 1, column 2, …
        Empty to look at the columns only, with `find_columns`.
    positive : learn this class (+1) against all others (-1).
    separator : comma, semicolon, tab, pipe or space (any white space), as a character or in words. None: decided from
        all lines; refused in doubt.
    decimal : point or comma. None: decided from all numbers; refused in doubt.
    thousands : the only mark to be read between groups of three digits. None: any that is not the decimal mark.
    header : whether the first line holds the names. None: decided by comparing it with the lines below.
    encoding : of a path or binary file. None: UTF-8, UTF-16 with its mark, else Windows-1252.
    columns : use these as features and no others. Empty: all columns of numbers but row numbers and constants.
    leave_out : do not use these.
    one_hot : make a 0/1 column for each value of a text column, instead of leaving the column out.
    skip_bad_rows : leave out rows in which a used cell cannot be read, and a last row of totals.
    standardize, lift : as in `Dataset.from_arrays`.

    Raises
    ------
    ValueError
        If an option has a value that it cannot have.
    """

    target: str
    positive: str | float | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None
    encoding: str | None = None
    columns: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    one_hot: bool = False
    skip_bad_rows: bool = False
    standardize: bool = True
    lift: bool | None = None

    def __post_init__(self) -> None:
        """Check every option; write marks as characters and names as tuples."""
        if not isinstance(self.target, str):
            raise RefusalError(f"the target must be the name of a column, not {self.target!r}; ", Remedy("target"))
        self._set("target", self.target.strip())
        for option, allowed in (("separator", SEPARATORS), ("decimal", DECIMALS), ("thousands", THOUSANDS)):
            self._set(option, _mark(option, getattr(self, option), allowed))
        if self.decimal is not None and self.decimal == self.thousands:
            word = MARKS[self.decimal]
            raise RefusalError(
                f"the {word} cannot be decimal mark and thousands mark; leave one out, or ", Remedy("decimal")
            )
        for option in ("header", "lift", "one_hot", "skip_bad_rows", "standardize"):
            value = getattr(self, option)
            if not (isinstance(value, bool) or (value is None and option in ("header", "lift"))):
                raise RefusalError(f"{option} must be True or False, not {value!r}; ", Remedy(option, True))
        if not (self.encoding is None or isinstance(self.encoding, str)):
            raise RefusalError(
                f"encoding must be the name of a text encoding, not {self.encoding!r}; ", Remedy("encoding", "utf-8")
            )
        for option in ("columns", "leave_out"):
            given = getattr(self, option)
            names = (given,) if isinstance(given, str) else tuple(given)
            if not all(isinstance(name, str) for name in names):
                raise RefusalError(f"{option} must be names of columns, not {given!r}; ", Remedy(option))
            self._set(option, tuple(name.strip() for name in names))
        if self.target in (*self.columns, *self.leave_out):
            raise RefusalError(
                f"the target column {self.target!r} cannot be among the columns to use or to leave out; leave it out "
                "there, or ",
                Remedy("target"),
            )

    def as_given(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, the target first, as Python's own values."""
        defaults = {option.name: option.default for option in fields(self)}
        given = {name: value for name, default in defaults.items() if (value := getattr(self, name)) != default}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}

    def _set(self, option: str, value: Any) -> None:
        object.__setattr__(self, option, value)


def _mark(option: str, value: Any, allowed: tuple[str, ...]) -> str | None:
    """Return the character for a mark given as such or in words."""
    if value is None:
        return None
    for character in allowed:
        if value in (character, MARKS[character]):
            return character
    listed = ", ".join(MARKS[character] for character in allowed)
    raise RefusalError(f"{option} must be one of {listed}, not {value!r}; ", Remedy(option, allowed[0]))
