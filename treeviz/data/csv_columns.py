"""What the columns of a CSV file hold, before a target is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np

from treeviz.data.csv_cells import open_cells
from treeviz.data.csv_numbers import find_format, is_number_like
from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_table import is_identifier, is_numeric
from treeviz.data.csv_text import CsvFile
from treeviz.data.frames import as_csv
from treeviz.data.prepare import standardized
from treeviz.data.refusal import RefusalError

NUM_FIRST = 3
MOST_VALUES = 20
Kind = Literal["numbers", "text", "constant", "id", "empty"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name in the options, and what is done with it if nothing else is asked for.

    Numbers become features, text may become categories; constants, ids and empty columns are left out.

    Attributes
    ----------
    first : its first cells as read, at most `NUM_FIRST`.
    values : its different filled cells in the order in which they come, at most `MOST_VALUES` + 1.
    num_missing : how many of its cells are empty.
    """

    name: str
    kind: Kind
    first: tuple[str, ...] = field(default=(), compare=False, repr=False)
    values: tuple[str, ...] = field(default=(), compare=False, repr=False)
    num_missing: int = field(default=0, compare=False, repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Its values, if they are few enough to choose one of them; else none."""
        return self.values if 1 < len(self.values) <= MOST_VALUES else ()


def find_columns(file: CsvFile, options: CsvOptions, *, max_features: int) -> tuple[Column, ...]:
    """Look at all columns of a CSV file, in their order; the target may still be empty.

    Raises
    ------
    ValueError
        If the file cannot be read as far as the names of its columns, as `read_table` does.
    """
    file, options = as_csv(file, options)
    cells, _ = open_cells(file, options, max_features)
    try:
        read = find_format(cells.text.source, cells.columns, options).read
    except RefusalError:  # point or comma: a column of numbers it is all the same
        read = _read_either
    return tuple(
        Column(
            name,
            _kind(name, place, column, read(column)),
            tuple(column[:NUM_FIRST]),
            tuple(islice(dict.fromkeys(filter(None, column)), MOST_VALUES + 1)),
            column.count(""),
        )
        for place, (name, column) in enumerate(zip(cells.names, cells.columns, strict=True))
    )


def _read_either(cells: Sequence[str]) -> list[float | None]:
    """Number the different cells that are numbers with either decimal mark: which are equal is all that is known."""
    places: dict[str, float] = {}
    return [places.setdefault(cell, len(places) + 0.5) if is_number_like(cell) else None for cell in cells]


def _kind(name: str, place: int, column: Sequence[str], numbers: Sequence[float | None]) -> Kind:
    filled = [cell for cell in column if cell]
    if not filled:
        return "empty"
    values = np.array(numbers, dtype=np.float64)
    if not is_numeric(len(filled), int((~np.isnan(values)).sum())):
        return "text" if len(set(filled)) > 1 else "constant"
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "numbers"  # all of them infinite: refused by name, if they are used
    if is_identifier(name, place, finite):
        return "id"
    return "numbers" if standardized(finite).any() else "constant"
