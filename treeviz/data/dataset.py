"""Datapoints of unit length with their targets.

Every raw table takes one path, `unit_rows`: standardize or centre its columns, choose rows, append a constant
coordinate, scale each row to length 1. `Dataset.from_arrays`, `Dataset.from_csv` and `load_dataset` differ only in
where the numbers come from. Unit length is the setting of the method (algorithm.md §1); standardizing first is what
keeps tables of measurements well conditioned (§4). Test points take the same path with the training set's statistics:
whatever makes a training set makes, along with it, a `DrawTest` that knows how it was made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treeviz.data.csv_table import CsvFile, file_name, read_table
from treeviz.model.streams import Stream

MAX_POINTS = 4096
MAX_FEATURES = 4096
MAX_TARGET = 1e150
_LENGTH_TOLERANCE = 1e-9
# A deviation from the column mean below this fraction of the column's largest entry is round-off, not data.
_ROUND_OFF = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Datapoints of unit length and one target each; compared by identity, arrays copied and read-only.

    Parameters
    ----------
    X : (n, d) one datapoint a row, each of Euclidean length 1 to 1e-9; kept as given.
    y : (n,) targets.
    name, description : a short name, and a sentence or two on the points, the target and their preparation.
    lifted : whether a constant coordinate 1 was appended before rows were scaled to unit length. It is the last one,
        and dividing by it gives the other coordinates back.

    Raises
    ------
    ValueError
        If a shape, a length or a number does not fit; the message names the argument and the row.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    name: str = "data"
    description: str = ""
    lifted: bool = False

    def __post_init__(self) -> None:
        """Validate, copy and freeze the arrays."""
        X = _real_array("X", self.X, ndim=2)
        y = _real_array("y", self.y, ndim=1)
        _check_same_length("X", X, "y", y)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(X, axis=1)  # (n,)
        wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE))
        if wrong.size:
            row = int(wrong[0])
            raise ValueError(
                f"X: row {row} has length {lengths[row]:.12g}, not 1; divide it by its length, or use "
                "Dataset.from_arrays"
            )
        if np.abs(y).max() > MAX_TARGET:
            row = int(np.abs(y).argmax())
            raise ValueError(
                f"y: row {row} is {y[row]:.3g}, too large for its square to be summed; divide all targets by a power "
                f"of ten, to at most {MAX_TARGET:g}"
            )
        for argument, value in (("name", self.name), ("description", self.description)):
            if not isinstance(value, str):
                raise ValueError(f"{argument} must be text, not {value!r}; pass a string")
        if not isinstance(self.lifted, bool):
            raise ValueError(f"lifted must be True or False, not {self.lifted!r}; pass one of these")
        if self.lifted and (X.shape[1] < 2 or not (X[:, -1] > 0).all()):
            raise ValueError(
                "lifted=True says that the last coordinate was 1 before scaling, so there must be others and it must "
                "be positive in every row; use Dataset.from_arrays with lift=True"
            )
        X.setflags(write=False)
        y.setflags(write=False)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)

    @property
    def num_points(self) -> int:
        """The number of datapoints n."""
        return len(self.X)

    @property
    def dimension(self) -> int:
        """The input dimension d, a lifted coordinate included."""
        return int(self.X.shape[1])

    @property
    def gram(self) -> NDArray[np.float64]:
        """The Gram matrix K = X Xᵀ, (n, n). Computed on each access, n²·d multiply-adds."""
        return self.X @ self.X.T

    def duplicate_groups(self) -> tuple[NDArray[np.intp], ...]:
        """Return the groups of exactly equal datapoints, whose rows of the Jacobian are equal too.

        Returns
        -------
        tuple of sorted index arrays, each of two or more rows, ordered by their first row. Cost: n·d.
        """
        groups: dict[bytes, list[int]] = {}
        for row, point in enumerate(self.X + 0.0):  # + 0.0 turns -0.0 into 0.0: equal numbers, equal bytes
            groups.setdefault(point.tobytes(), []).append(row)
        return tuple(np.array(rows, dtype=np.intp) for rows in groups.values() if len(rows) > 1)

    @classmethod
    def from_arrays(
        cls,
        features: ArrayLike,
        targets: ArrayLike,
        *,
        name: str = "data",
        standardize: bool = True,
        center: bool = False,
        lift: bool | None = None,
        description: str = "",
    ) -> "Dataset":
        """Prepare raw numbers: standardize columns, lift, scale rows to unit length.

        Parameters
        ----------
        features : (n, d) raw numbers of any scale.
        targets : (n,) used as they are.
        standardize : give every column mean 0 and variance 1.
        center : give every column mean 0 only; contained in `standardize`.
        lift : append a constant coordinate 1 before scaling. None: if there are one or two features, since
            a point on a line or in a plane keeps only its direction when it is scaled.
        description : put before the sentence on the preparation.

        Raises
        ------
        ValueError
            If numbers are not finite, a column is constant (with `standardize`), or a row has no direction.
        """
        X = _real_array("features", features, ndim=2)
        y = _real_array("targets", targets, ndim=1)
        _check_same_length("features", X, "targets", y)
        rows, done, lifted = unit_rows(X, standardize=standardize, center=center, lift=lift)
        return cls(rows, y, name, f"{description} {done}".strip(), lifted)

    @classmethod
    def from_csv(
        cls,
        path_or_file: CsvFile,
        target: str,
        *,
        positive: str | float | None = None,
        num_points: int | None = None,
        seed: int = 0,
        standardize: bool = True,
        lift: bool | None = None,
        encoding: str = "utf-8",
    ) -> "Dataset":
        """Read a CSV file with a header line; its numeric columns besides the target become the features.

        A target of two values becomes -1 and +1 (the larger, or alphabetically last, is +1); a target of more
        numbers is standardized. Scaling uses all rows of the file, also when only some are chosen.

        Parameters
        ----------
        path_or_file : path, or text or binary file object; separated by commas, semicolons or tabs.
        target : name of the target column.
        positive : learn this class (+1) against all others (-1).
        num_points : take this many rows at random, in file order; None for all, at most 4096.
        seed : of that choice.
        standardize, lift : as in `from_arrays`.
        encoding : of a path or binary file; a byte order mark is skipped.

        Raises
        ------
        ValueError
            For anything that cannot be used, naming column, line and value, and saying what to do.
        """
        return _csv_sets(path_or_file, target, positive, num_points, seed, standardize, lift, encoding)[0]


# How a training set's maker draws test points: at most so many, with this generator; None if there can be none.
DrawTest = Callable[[int, np.random.Generator], Dataset | None]


def csv_test_split(
    path_or_file: CsvFile,
    target: str,
    *,
    positive: str | float | None = None,
    num_points: int | None = None,
    seed: int = 0,
    standardize: bool = True,
    lift: bool | None = None,
    encoding: str = "utf-8",
    max_test_points: int = 1000,
) -> Dataset | None:
    """Return the rows that `Dataset.from_csv` leaves out for the same arguments, prepared as those it takes.

    The file is read again; a file object that cannot be rewound has to be opened again.

    Parameters
    ----------
    path_or_file, target, positive, num_points, seed, standardize, lift, encoding : as in `Dataset.from_csv`.
    max_test_points : take so many of these rows at random if there are more; at most 4096.

    Returns
    -------
    Dataset | None
        In file order, without rows that have no direction. A row that repeats a training row is a row of its own.
        None if no row is left, as with num_points=None.

    Raises
    ------
    ValueError
        Where `Dataset.from_csv` does, or if max_test_points is out of range.
    """
    most = whole_number("max_test_points", max_test_points, 1, MAX_POINTS)
    draw = _csv_sets(path_or_file, target, positive, num_points, seed, standardize, lift, encoding)[1]
    return draw(most, seeded_generator(seed, is_test=True))


def _csv_sets(
    path_or_file: CsvFile,
    target: str,
    positive: str | float | None,
    num_points: int | None,
    seed: int,
    standardize: bool,
    lift: bool | None,
    encoding: str,
) -> tuple[Dataset, DrawTest]:
    seed = whole_number("seed", seed, 0)
    if num_points is not None:
        num_points = whole_number("num_points", num_points, 1, MAX_POINTS)
    table = read_table(
        path_or_file,
        target,
        positive=positive,
        encoding=encoding,
        max_points=MAX_POINTS if num_points is None else None,
        max_features=MAX_FEATURES,
    )
    N = len(table.targets)
    if num_points is not None and num_points > N:
        raise ValueError(f"num_points={num_points} is more than the {N} rows of {table.text.source}; pass at most {N}")
    if lift is not True:
        table.refuse_placeholder_rows()
    y, rule = table.targets, table.target_rule
    if not table.is_class:
        y = standardized(y)
        rule += ", standardized to mean 0 and variance 1"
        if not y.any():
            raise ValueError(
                f"{table.text.source}: target column {target!r} is constant but for round-off; choose another column"
            )
    chosen = None if num_points is None else choose_rows(N, num_points, seeded_generator(seed))
    X, done, lifted = unit_rows(
        table.features,
        standardize=standardize,
        lift=lift,
        chosen=chosen,
        column_label=table.column_label,
        row_label=table.row_label,
    )
    name = PurePath(file_name(path_or_file) or "data").stem
    count = len(table.columns)
    columns = f"{count} numeric columns" if count > 1 else f"the numeric column {table.columns[0]!r}"
    left = ", ".join(repr(name) for name in table.left_out[:10]) + (", …" if len(table.left_out) > 10 else "")
    left = f" Left out, not numbers: {left}." if left else ""
    description = f"Points are rows of {table.text.source}, {columns}. {rule}.{left} {done}"
    train = Dataset(X, y if chosen is None else y[chosen], name, description, lifted)
    taken = np.arange(N) if chosen is None else chosen
    return train, held_out(train, table.features, y, taken, standardize=standardize, lift=lift)


def held_out(
    train: Dataset, table: NDArray[np.float64], y: NDArray[np.float64], chosen: NDArray[np.intp], **preparation: Any
) -> DrawTest:
    """Return how to draw test points for `train`, which holds the rows `chosen` of a table: from the other rows.

    Parameters
    ----------
    table, y : (N, d) and (N,) all raw rows and their targets.
    preparation : what `unit_rows` was given for `train`, and `reference` if the statistics are not of the table.
    """

    def draw(most: int, generator: np.random.Generator) -> Dataset | None:
        rest = np.delete(np.arange(len(table)), chosen)
        rows = rest[choose_rows(len(rest), min(most, len(rest)), generator)]
        X, _, _ = unit_rows(table, chosen=rows, keep_zero=True, **preparation)
        which = f"{len(rows)} of the {len(rest)} rows that the training set leaves out"
        return as_test_points(train, X, y[rows], which)

    return draw


def as_test_points(train: Dataset, X: NDArray[np.float64], y: NDArray[np.float64], which: str) -> Dataset | None:
    """Return the test points of a training set, zero rows of X left out; None if nothing remains."""
    kept = X.any(axis=1)
    if not kept.any():
        return None
    description = f"{train.description} These are test points: {which}, prepared as the training points are."
    return Dataset(X[kept], y[kept], train.name, description, train.lifted)


# Preparation: the one path from raw numbers to unit rows.


def unit_rows(
    table: NDArray[np.float64],
    *,
    standardize: bool = False,
    center: bool = False,
    lift: bool | None = False,
    chosen: NDArray[np.intp] | None = None,
    reference: NDArray[np.float64] | None = None,
    keep_zero: bool = False,
    column_label: Callable[[int], str] = "column {} of features".format,
    row_label: Callable[[int], str] = "row {} of features".format,
) -> tuple[NDArray[np.float64], str, bool]:
    """Return unit rows, the sentence that says what was done, and whether a constant coordinate was appended.

    Columns are standardized over the whole (N, d) table before the rows in `chosen` are taken. Scales from
    1e-300 to 1e300 pass without overflow: columns and rows are first multiplied by powers of two, exactly.

    For test points, `reference` is the table whose statistics are used instead of this one's, and `keep_zero` leaves
    a row that has no direction zero, where it is refused otherwise.
    """
    reference = table if reference is None else reference
    for option, value in (("standardize", standardize), ("center", center), ("lift", lift)):
        if not (isinstance(value, bool) or (option == "lift" and value is None)):
            raise ValueError(f"{option} must be True or False, not {value!r}; pass one of these")
    N, d = reference.shape
    if N == 1 and (standardize or center):
        raise ValueError("one row has no spread; add rows, or pass standardize=False and center=False")
    constant_coordinate = 1.0
    done = []
    X = table
    if standardize:
        X, spread = _standardized(table, reference)
        constant = np.flatnonzero(spread == 0)
        if constant.size:
            column = int(constant[0])
            raise ValueError(
                f"{column_label(column)} is constant (every row is {reference[0, column]:g}), so it tells no "
                "points apart; remove the column, or pass standardize=False"
            )
        done.append(f"columns standardized over all {N} rows")
    elif center:
        # One scale for the whole table, at most 1, so that sums and differences cannot overflow.
        exponent = max(0, int(np.frexp(np.abs(reference).max())[1])) + 1
        X = _centered(np.ldexp(table, -exponent), np.ldexp(reference, -exponent))
        constant_coordinate = float(np.ldexp(1.0, -exponent))
        done.append("columns centred")
    if chosen is not None:
        X = X[chosen]
        done.append(f"{len(chosen)} of {N} rows chosen at random")
    if lift is None:
        lift = d <= 2
    if lift:
        X = np.column_stack([X, np.full(len(X), constant_coordinate)])  # (n, d + 1)
        done.append("a constant coordinate 1 appended, so that length is not lost")
    peak = np.abs(X).max(axis=1)  # (n,)
    zero = np.flatnonzero(peak == 0)
    if zero.size and not keep_zero:
        row = int(zero[0] if chosen is None else chosen[zero[0]])
        cause = "equals the mean of every column" if standardize or center else "is zero"
        raise ValueError(f"{row_label(row)} {cause}, so it has no direction; delete the row, or pass lift=True")
    X = np.ldexp(X, -np.frexp(peak)[1][:, None])
    lengths = np.linalg.norm(X, axis=1, keepdims=True)  # (n, 1)
    lengths[zero] = 1.0
    X /= lengths
    done.append("each row scaled to unit length")
    sentence = "; ".join(done)
    return X, sentence[0].upper() + sentence[1:] + ".", lift


def _centered(table: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the reference's column means; a difference that is only round-off becomes exactly 0."""
    deviation: NDArray[np.float64] = table - reference.mean(axis=0)
    deviation[np.abs(deviation) <= _ROUND_OFF * np.abs(reference).max(axis=0)] = 0.0  # lest it be scaled up
    return deviation


def standardized(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give columns mean 0 and variance 1; a column constant up to round-off becomes exactly 0."""
    return _standardized(table, table)[0]


def _standardized(
    table: NDArray[np.float64], reference: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shift and scale columns as gives the reference mean 0 and variance 1; return the reference's spread too."""
    exponents = np.frexp(np.abs(reference).max(axis=0))[1]
    scaled = np.ldexp(reference, -exponents)  # entries at most 1: squares cannot overflow or vanish
    deviation = _centered(scaled, scaled)
    spread = np.asarray(deviation.std(axis=0))
    if table is not reference:
        deviation = _centered(np.ldexp(table, -exponents), scaled)
    standardized: NDArray[np.float64] = deviation / np.where(spread > 0, spread, 1.0)
    return standardized, spread


def choose_rows(N: int, num_points: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Choose `num_points` of N rows at random, without repeats, in their order."""
    return np.sort(generator.choice(N, size=num_points, replace=False)).astype(np.intp)


def seeded_generator(seed: int, *, is_test: bool = False) -> np.random.Generator:
    """Return the generator of a dataset's seed, or of its test points; independent of a network's of the same seed."""
    return np.random.default_rng([seed, Stream.TEST_POINTS if is_test else Stream.TRAINING_POINTS])


def _real_array(argument: str, value: Any, ndim: int) -> NDArray[np.float64]:
    """Return a float64 copy with the right number of axes, nothing empty, every number finite."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"got {array.dtype}")
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused below
            array = np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{argument} must be an array of real numbers ({error}); convert it first") from None
    if array.ndim != ndim or array.size == 0:
        wanted = "(n, d)" if ndim == 2 else "(n,)"
        raise ValueError(f"{argument} has shape {array.shape}; pass shape {wanted}, no axis empty")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        at = tuple(int(index) for index in bad[0])
        place = f"row {at[0]}" + (f", column {at[1]}" if ndim == 2 else "")
        raise ValueError(f"{argument}: {place} is {array[at]}; replace it by a finite number, or delete the row")
    return array


def _check_same_length(first: str, X: NDArray[np.float64], second: str, y: NDArray[np.float64]) -> None:
    if len(X) != len(y):
        raise ValueError(f"{first} has {len(X)} rows but {second} has {len(y)} entries; pass one target per row")


def whole_number(argument: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int, or raise a ValueError that names the argument and its range."""
    allowed = f"from {low} to {high}" if high is not None else f"of at least {low}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low or (high and value > high):
        raise ValueError(f"{argument} must be a whole number {allowed}, not {value!r}; pass one in that range")
    return int(value)
