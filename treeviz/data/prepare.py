"""From raw numbers to unit rows: the one path that every table takes.

A `Preparation` holds the statistics of one table. It maps raw rows, of that table or new ones, to rows of unit length:
standardize or centre the columns, append a constant coordinate, scale each row to length 1. Training points and test
points of a set go through the same `Preparation`. Unit length is the setting of the method (algorithm.md §1);
standardizing first is what keeps tables of measurements well conditioned (§4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from treeviz.data.refusal import RefusalError, Remedy

# A deviation from the column mean below this fraction of the column's largest entry is round-off, not data.
_ROUND_OFF = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True, eq=False)
class _ColumnMap:
    """Shifts and scales columns. They are first multiplied by powers of two, exactly, so that nothing overflows."""

    exponents: NDArray[np.int32]  # () or (d,)
    mean: NDArray[np.float64]  # (d,), of the scaled columns
    round_off: NDArray[np.float64]  # (d,) a deviation up to this becomes exactly 0, or dividing would blow it up
    spread: NDArray[np.float64]  # (d,)

    @classmethod
    def centering(cls, table: NDArray[np.float64], exponents: NDArray[np.int32]) -> Self:
        scaled = np.ldexp(table, -exponents)
        mean = np.asarray(scaled.mean(axis=0))
        return cls(exponents, mean, np.asarray(_ROUND_OFF * np.abs(scaled).max(axis=0)), np.ones(mean.shape))

    @classmethod
    def standardizing(cls, table: NDArray[np.float64]) -> Self:
        exponents = np.asarray(np.frexp(np.abs(table).max(axis=0))[1])  # entries at most 1: no square overflows
        centering = cls.centering(table, exponents)
        spread = np.asarray(centering.apply(table).std(axis=0))
        return cls(exponents, centering.mean, centering.round_off, spread)

    def apply(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        deviation: NDArray[np.float64] = np.ldexp(table, -self.exponents) - self.mean
        deviation[np.abs(deviation) <= self.round_off] = 0.0
        return deviation / np.where(self.spread > 0, self.spread, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Preparation:
    """The map from raw rows to unit rows, with the statistics of one table; made by `Preparation.of`.

    Scales from 1e-300 to 1e300 pass without overflow.
    """

    columns: _ColumnMap | None  # None: they stay as they are
    lifted: bool  # whether a constant coordinate is appended
    constant: float  # that coordinate, 1 in the scale that `columns` gives
    words: str  # what is done to the columns, for the description

    @classmethod
    def of(
        cls,
        table: NDArray[np.float64],
        *,
        standardize: bool = False,
        center: bool = False,
        lift: bool | None = False,
        column_label: Callable[[int], str] = "column {} of features".format,
    ) -> Self:
        """Take the statistics of a raw (N, d) table.

        Parameters
        ----------
        standardize, center, lift : as in `Dataset.from_arrays`.
        column_label : names a column in messages.

        Raises
        ------
        ValueError
            If an option is neither True nor False, the table has one row without spread, or a column is constant.
        """
        for option, value in (("standardize", standardize), ("center", center), ("lift", lift)):
            if not (isinstance(value, bool) or (option == "lift" and value is None)):
                raise ValueError(f"{option} must be True or False, not {value!r}; pass one of these")
        N, d = table.shape
        if N == 1 and (standardize or center):
            option = "standardize" if standardize else "center"
            raise RefusalError("one row has no spread; add rows, or ", Remedy(option, False))
        lifted = d <= 2 if lift is None else lift
        if standardize:
            columns = _ColumnMap.standardizing(table)
            constant = np.flatnonzero(columns.spread == 0)
            if constant.size:
                column = int(constant[0])
                raise RefusalError(
                    f"{column_label(column)} is constant (every row is {table[0, column]:g}), so it cannot tell "
                    "points apart; remove the column, or ",
                    Remedy("standardize", False),
                )
            return cls(columns, lifted, 1.0, f"columns standardized over all {N} rows")
        if center:
            # One scale for the whole table, at most 1, so that sums and differences cannot overflow.
            exponent = max(0, int(np.frexp(np.abs(table).max())[1])) + 1
            columns = _ColumnMap.centering(table, np.asarray(exponent, dtype=np.int32))
            return cls(columns, lifted, float(np.ldexp(1.0, -exponent)), "columns centred")
        return cls(None, lifted, 1.0, "")

    def describe(self, choice: str = "") -> str:
        """Return the sentence that says what is done; `choice` says which rows are taken."""
        lift = "a constant coordinate 1 appended, so that length is not lost" if self.lifted else ""
        sentence = "; ".join(part for part in (self.words, choice, lift, "each row scaled to unit length") if part)
        return f"{sentence[0].upper()}{sentence[1:]}."

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the unit rows of raw rows (n, d); a row that has no direction becomes zero."""
        X = rows if self.columns is None else self.columns.apply(rows)
        if self.lifted:
            X = np.column_stack([X, np.full(len(X), self.constant)])  # (n, d + 1)
        peak = np.abs(X).max(axis=1)  # (n,)
        X = np.ldexp(X, -np.frexp(peak)[1][:, None])
        lengths = np.linalg.norm(X, axis=1, keepdims=True)  # (n, 1)
        lengths[peak == 0] = 1.0
        units: NDArray[np.float64] = X / lengths
        return units

    def unit_rows(
        self, rows: NDArray[np.float64], row_label: Callable[[int], str] = "row {} of features".format
    ) -> NDArray[np.float64]:
        """Return the unit rows of raw rows (n, d); ValueError, which names the row, if one has no direction."""
        X = self.apply(rows)
        zero = np.flatnonzero(~X.any(axis=1))
        if zero.size:
            cause = "is zero" if self.columns is None else "equals the mean of every column"
            raise RefusalError(
                f"{row_label(int(zero[0]))} {cause}, so it has no direction; delete the row, or ", Remedy("lift", True)
            )
        return X


def standardized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give values (n,) mean 0 and variance 1; values that are constant up to round-off become exactly 0."""
    return _ColumnMap.standardizing(values).apply(values)
