"""Datapoints of unit length with their targets, and their division into training and test points.

Every raw table takes one path, `Preparation`: `Dataset.from_arrays`, `Dataset.from_csv` and `load_dataset` differ only
in where the numbers come from. A `Split` is made in one go, and its test points take the path of its training points.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_table import read_table
from treeviz.data.csv_text import CsvFile, file_name
from treeviz.data.frames import frame_as_csv, with_format
from treeviz.data.prepare import Preparation, standardized
from treeviz.data.refusal import RefusalError, Remedy
from treeviz.data.source import Source
from treeviz.model.streams import Stream

if TYPE_CHECKING:
    import pandas as pd

MAX_POINTS = 4096
MAX_FEATURES = 4096
MAX_TARGET = 1e150
MAX_TEST_POINTS = 1000  # of a split, if nothing else is asked for
_LENGTH_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset:
    """Datapoints of unit length and one target each; compared by identity, arrays copied and read-only.

    Parameters
    ----------
    X : (n, d) one datapoint a row, each of Euclidean length 1 to 1e-9; kept as given.
    y : (n,) targets.
    name, description : a short name, and a sentence or two on the points, the target and their preparation.
    lifted : whether a constant coordinate 1 was appended before rows were scaled to unit length. It is the last one,
        and dividing by it gives the other coordinates back.
    preparation : the map that made X from raw rows, for `prepare`; None if X was given as it is.
    columns : names of the coordinates, for pictures, without that of a lifted one; empty if they have none.
    image : (rows, columns) of an image whose pixels, row after row, the coordinates are; None if they are no pixels.
    source : what makes the dataset again; None if that is not known, as of arrays and of a file without a name.

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
    preparation: Preparation | None = None
    columns: tuple[str, ...] = ()
    image: tuple[int, int] | None = None
    source: Source | None = None

    def __post_init__(self) -> None:
        """Validate, copy and freeze the arrays."""
        X = _real_array("X", self.X, ndim=2)
        y = _real_array("y", self.y, ndim=1)
        _check_same_length("X", X, "y", y)
        require_unit_rows(X, "divide it by its length, or use Dataset.from_arrays")
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
        self._check_description(X.shape[1] - self.lifted)
        X.setflags(write=False)
        y.setflags(write=False)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)

    def _check_description(self, num_coordinates: int) -> None:
        """Check that columns and pixels are as many as the coordinates they describe."""
        if not isinstance(self.columns, tuple) or not all(isinstance(name, str) for name in self.columns):
            raise ValueError(f"columns must be a tuple of names, not {self.columns!r}; pass text for each coordinate")
        if self.columns and len(self.columns) != num_coordinates:
            raise ValueError(
                f"columns has {len(self.columns)} names for {num_coordinates} coordinates; pass one for each, without "
                "one for a lifted coordinate"
            )
        if self.image is None:
            return
        sides = self.image if isinstance(self.image, tuple) else ()
        if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
            raise ValueError(f"image must be None or (rows, columns), not {self.image!r}; pass two whole numbers")
        if sides[0] * sides[1] != num_coordinates:
            raise ValueError(
                f"image={self.image} has not {num_coordinates} pixels, one for each coordinate; pass the shape it has"
            )

    def __repr__(self) -> str:
        """Say in a line how many datapoints there are, of which dimension, and what their targets are."""
        lifted = ", the last constant" if self.lifted else ""
        pixels = f", {self.image[0]} × {self.image[1]} pixels" if self.image else ""
        positive = int((self.y == 1).sum())
        targets = f"from {self.y.min():.3g} to {self.y.max():.3g}"
        if positive + int((self.y == -1).sum()) == self.num_points:
            targets = f"+1 of {positive} and −1 of {self.num_points - positive}"
        return f"Dataset({self.name!r}, n={self.num_points}, d={self.dimension}{lifted}{pixels}, targets {targets})"

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

    def prepare(self, features: ArrayLike) -> NDArray[np.float64]:
        """Return new raw rows as the datapoints were prepared, (q, d): for `Trainer.predict`.

        Parameters
        ----------
        features : (q, number of raw columns), in the columns and the scale of the rows the dataset was made from.

        Raises
        ------
        ValueError
            If a row has no direction, the columns are not as many, or it is not known how the datapoints were made,
            as in a dataset made from unit rows or read from a saved trace.
        """
        if self.preparation is None:
            raise ValueError(
                f"it is not known how the rows of {self.name!r} were prepared; make the dataset with "
                "Dataset.from_arrays or Dataset.from_csv, or prepare the rows yourself, each of length 1"
            )
        rows, num_columns = _real_array("features", features, ndim=2), self.dimension - self.lifted
        if rows.shape[1] != num_columns:
            raise ValueError(f"features must have shape (rows, {num_columns}), as the raw rows had; got {rows.shape}")
        return self.preparation.unit_rows(rows)

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
        preparation = Preparation.of(X, standardize=standardize, center=center, lift=lift)
        words = f"{description} {preparation.describe()}".strip()
        return cls(preparation.unit_rows(X), y, name, words, preparation.lifted, preparation)

    @classmethod
    def from_csv(
        cls,
        path_or_file: CsvFile,
        target: str,
        *,
        num_points: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> "Dataset":
        """Read a CSV file, or a Parquet or Excel one; its numeric columns besides the target become the features.

        Separator, decimal mark, header line and encoding are found; where that leaves a doubt the file is refused, and
        the message names the option. A target of two values becomes -1 and +1 (the larger, or alphabetically last, is
        +1); a target of more numbers is standardized. Scaling uses all rows of the file, also when only some are
        chosen. Parquet and Excel files (`.parquet`, and the first sheet of an `.xlsx` where openpyxl is installed) are
        known by their names.

        Parameters
        ----------
        path_or_file : path, or text or binary file object; at most 64 MB.
        target : name of the target column.
        num_points : take this many rows at random, in file order; None for all, at most 4096.
        seed : of that choice.
        options : positive, separator, decimal, thousands, header, encoding, columns, leave_out, one_hot, skip_bad_rows,
            standardize, lift, as in `CsvOptions`.

        Raises
        ------
        ValueError
            For anything that cannot be used, naming column, line and value, and saying what to do.
        """
        return Split.from_csv(path_or_file, target, num_points=num_points, seed=seed, **options).train

    @classmethod
    def from_frame(
        cls,
        frame: "pd.DataFrame",
        target: str,
        *,
        name: str = "frame",
        num_points: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> "Dataset":
        """Prepare a data frame as `from_csv` prepares a file: the same columns, classes, refusals and scaling.

        Parameters
        ----------
        frame : a pandas data frame; its index is not used. True and False become 1 and 0, and a name that is no text
            becomes text.
        target : name of the target column.
        name : of the dataset, and what messages call the frame. They name its rows by lines, the names being line 1.
        num_points, seed : as in `from_csv`.
        options : positive, columns, leave_out, one_hot, skip_bad_rows, standardize, lift, as in `CsvOptions`.

        Raises
        ------
        ValueError
            For anything that cannot be used, naming column, line and value, and saying what to do.

        Notes
        -----
        Cost: the frame is written as text and read again, about a microsecond a cell. The dataset has no `source`: no
        notebook can make a data frame of this process again.
        """
        given = with_format(CsvOptions(target, **options), name)
        file = frame_as_csv(frame, name)
        data = cls.from_csv(file, num_points=num_points, seed=seed, **given.as_given())
        return replace(data, name=name, source=None)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many points to make or to choose, and the random numbers for it.

    The test points have a generator of their own: the training points do not depend on how many of them there are.
    """

    num_points: int
    max_test_points: int
    generator: np.random.Generator = field(repr=False)
    test_generator: np.random.Generator = field(repr=False)

    @classmethod
    def of_seed(cls, num_points: int, max_test_points: int, seed: int) -> Self:
        """Seed both generators. They are independent of each other, and of a network's of the same seed."""
        most = whole_number("max_test_points", max_test_points, 1, MAX_POINTS)
        seed = whole_number("seed", seed, 0)
        train, test = (np.random.default_rng([seed, kind]) for kind in (Stream.TRAINING_POINTS, Stream.TEST_POINTS))
        return cls(num_points, most, train, test)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Training points, and test points that went through the same map; test is None if there can be none.

    `notes` are sentences on what is left out of a CSV file, and on what was decided about it.
    """

    train: Dataset
    test: Dataset | None = None
    notes: tuple[str, ...] = ()

    def made_by(self, source: Source) -> Self:
        """Return the split with a note at the training points of what makes them again."""
        return replace(self, train=replace(self.train, source=source))

    @classmethod
    def of_points(cls, train: Dataset, X: NDArray[np.float64], y: NDArray[np.float64], which: str) -> Self:
        """Add test points (q, d) that are prepared already; zero rows, which have no direction, are left out.

        `which` says in the description which points they are.
        """
        kept = X.any(axis=1)
        if not kept.any():
            return cls(train)
        description = f"{train.description} These are test points: {which}, prepared as the training points are."
        return cls(train, replace(train, X=X[kept], y=y[kept], description=description))

    @classmethod
    def of_rows(
        cls,
        table: NDArray[np.float64],
        y: NDArray[np.float64],
        chosen: NDArray[np.intp],
        preparation: Preparation,
        sampling: Sampling,
        *,
        name: str,
        description: str,
        columns: tuple[str, ...] = (),
        image: tuple[int, int] | None = None,
        row_label: Callable[[int], str] = "row {} of features".format,
    ) -> Self:
        """Train on the rows `chosen` of a raw (N, d) table with N targets, and test on rows that are left over."""
        X = preparation.unit_rows(table[chosen], lambda place: row_label(int(chosen[place])))
        train = Dataset(X, y[chosen], name, description, preparation.lifted, preparation, columns, image)
        rest = np.delete(np.arange(len(table)), chosen)
        rows = rest[choose_rows(len(rest), min(sampling.max_test_points, len(rest)), sampling.test_generator)]
        which = f"{len(rows)} of the {len(rest)} rows that the training set leaves out"
        return cls.of_points(train, preparation.apply(table[rows]), y[rows], which)

    @classmethod
    def from_csv(
        cls,
        path_or_file: CsvFile,
        target: str,
        *,
        num_points: int | None = None,
        seed: int = 0,
        max_test_points: int = MAX_TEST_POINTS,
        **options: Any,
    ) -> Self:
        """Read a CSV file once; the rows that the training points leave out become test points.

        Test points are in file order, without rows that have no direction; there are none if no row is left, as with
        num_points=None. A row that repeats a training row is a row of its own.

        Parameters
        ----------
        path_or_file, target, num_points, seed, options : as in `Dataset.from_csv`.
        max_test_points : take so many of the rows left at random if there are more; at most 4096.

        Raises
        ------
        ValueError
            Where `Dataset.from_csv` does, or if max_test_points is out of range.
        """
        if num_points is not None:
            num_points = whole_number("num_points", num_points, 1, MAX_POINTS)
        sampling = Sampling.of_seed(num_points or MAX_POINTS, max_test_points, seed)
        given = CsvOptions(target, **options)
        table = read_table(
            path_or_file, given, max_points=MAX_POINTS if num_points is None else None, max_features=MAX_FEATURES
        )
        source, N = table.text.source, len(table.features)
        if num_points is not None and num_points > N:
            raise RefusalError(
                f"{source} has {N} rows, and {num_points} datapoints are asked for; ", Remedy("num_points", N)
            )
        if given.lift is not True:
            table.refuse_placeholder_rows()
        y, rule = table.target.values, table.target.rule
        if not table.target.is_class:
            y = standardized(y)
            rule += ", standardized to mean 0 and variance 1"
        chosen, choice = np.arange(N), ""
        if num_points is not None:
            chosen, choice = (
                choose_rows(N, num_points, sampling.generator),
                f"{num_points} of {N} rows chosen at random",
            )
        preparation = Preparation.of(
            table.features, standardize=given.standardize, lift=given.lift, column_label=table.column_label
        )
        file = file_name(path_or_file)
        split = cls.of_rows(
            table.features,
            y,
            chosen,
            preparation,
            sampling,
            name=PurePath(file or "data").stem,
            description=f"{table.describe(rule)} {preparation.describe(choice)}",
            columns=table.columns,
            row_label=table.row_label,
        )
        if file:
            sample = {} if num_points is None else {"num_points": num_points, "seed": int(seed)}
            split = split.made_by(Source(file=file, options=(*given.as_given().items(), *sample.items())))
        return replace(split, notes=table.notes)


def choose_rows(N: int, num_points: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Choose `num_points` of N rows at random, without repeats, in their order."""
    return np.sort(generator.choice(N, size=num_points, replace=False)).astype(np.intp)


def require_unit_rows(X: NDArray[np.float64], remedy: str) -> None:
    """Raise a ValueError that names the first row of X whose length is not 1, to 1e-9, and ends with `remedy`."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(X, axis=1)  # (n,)
    wrong = np.flatnonzero(~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(f"X: row {row} has length {lengths[row]:.12g}, not 1; {remedy}")


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
