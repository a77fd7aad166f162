"""What a picture of the Lab shows: curves over what was varied, every seed and the median, with gaps where none ran."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from treeviz.model.types import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve of a panel.

    Attributes
    ----------
    name : in the legend. Curves of the same name have the same colour in all panels of an answer.
    x : (k,) ascending numbers, or names, where the panel has categories.
    median : (k,) over the seeds that ran; NaN where none did, and no line passes there.
    seeds : (s, k), a row a seed; NaN where it did not run.
    kind : "measured", or "formula" for what is computed without a run.
    """

    name: str
    x: Sequence[float | str]
    median: Floats
    seeds: Floats
    kind: Literal["measured", "formula"] = "measured"


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a panel at one x, such as the paper's threshold, and what it says."""

    x: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture.

    Attributes
    ----------
    title : above it; what is seen, in a few words.
    x_title, y_title : of the axes, with units.
    curves : what is drawn.
    log_x, log_y : whether an axis is logarithmic.
    marks : lines across it.
    """

    title: str
    x_title: str
    y_title: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    marks: tuple[Mark, ...] = ()

    @property
    def has_categories(self) -> bool:
        """Whether x are names: then points are drawn without lines between them."""
        return any(isinstance(value, str) for curve in self.curves for value in curve.x)


def curves_of(
    points: "pd.DataFrame",
    x: str,
    y: str,
    *,
    by: str | None = None,
    names: Mapping[object, str] | Callable[[object], str] = str,
    seed: str = "seed",
) -> tuple[Curve, ...]:
    """Return a curve for each value of the column `by`, in the order in which they come, over the column `x`.

    Tasks that are not measured are in the table, so every x that was planned is in a curve, and a gap where none ran.

    Parameters
    ----------
    points : a row a task.
    y : the column drawn.
    names : how the curve of a value of `by` is called; without `by`, of y.
    """
    from pandas.api.types import is_numeric_dtype  # no page has to wait for pandas before a picture is drawn

    name_of = names if callable(names) else names.__getitem__
    groups = [(y, points)] if by is None else [(value, points[points[by] == value]) for value in points[by].unique()]
    found = []
    for value, rows in groups:
        places = sorted(rows[x].unique()) if is_numeric_dtype(rows[x]) else list(dict.fromkeys(rows[x]))
        seeds = _by_seed(rows, x, y, seed, places)
        median = np.full(len(places), np.nan)
        is_run = ~np.isnan(seeds).all(axis=0)
        median[is_run] = np.nanmedian(seeds[:, is_run], axis=0)
        found.append(Curve(name_of(value), [_plain(place) for place in places], median, seeds))
    return tuple(found)


def _by_seed(rows: "pd.DataFrame", x: str, y: str, seed: str, places: Sequence[Any]) -> Floats:
    """Return y, a row a seed and a column a place; NaN where it is missing, and the first value where there are two."""
    numbers = sorted(rows[seed].unique())
    values, found = rows[y].to_numpy(dtype=float), np.full((len(numbers), len(places)), np.nan)
    row_of, column_of = ({value: place for place, value in enumerate(values)} for values in (numbers, places))
    for number, place, value in zip(rows[seed], rows[x], values, strict=True):
        cell = row_of[number], column_of[place]
        if np.isnan(found[cell]):
            found[cell] = value
    return found


def formula(name: str, x: Sequence[float], y: Floats) -> Curve:
    """Return a curve that is computed without a run."""
    return Curve(name, list(x), np.asarray(y, dtype=float), np.empty((0, len(x))), "formula")


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)
