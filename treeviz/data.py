"""Datapoints of unit length with their targets: generated, bundled, or read from a CSV file.

Every raw table takes one path, ``_unit_rows``: standardize or centre its columns, choose rows, append a
constant coordinate, scale each row to length 1. ``Dataset.from_arrays``, ``Dataset.from_csv`` and
``load_dataset`` differ only in where the numbers come from. Unit length is the setting of the method
(algorithm.md §1); standardizing first is what keeps tables of measurements well conditioned (§4).
"""

import difflib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treeviz.csv_data import CsvFile, file_name, read_table

MAX_POINTS = 4096
MAX_FEATURES = 4096
MAX_TARGET = 1e150
_LENGTH_TOLERANCE = 1e-9
# A deviation from the column mean below this fraction of the column's largest entry is round-off, not data.
_ROUND_OFF = 16 * np.finfo(np.float64).eps
# Mixed into every seed, so that points never repeat the random numbers a network draws from the same seed.
_STREAM = 0x64617461


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Datapoints of unit length and one target each; compared by identity, arrays copied and read-only.

    Parameters
    ----------
    X : (n, d) one datapoint a row, each of Euclidean length 1 to 1e-9; kept as given.
    y : (n,) targets.
    name, description : a short name, and a sentence or two on the points, the target and their preparation.

    Raises
    ------
    ValueError
        If a shape, a length or a number does not fit; the message names the argument and the row.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    name: str = "data"
    description: str = ""

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
        center : give every column mean 0 only; contained in ``standardize``.
        lift : append a constant coordinate 1 before scaling. None: if there are one or two features, since
            a point on a line or in a plane keeps only its direction when it is scaled.
        description : put before the sentence on the preparation.

        Raises
        ------
        ValueError
            If numbers are not finite, a column is constant (with ``standardize``), or a row has no direction.
        """
        X = _real_array("features", features, ndim=2)
        y = _real_array("targets", targets, ndim=1)
        _check_same_length("features", X, "targets", y)
        rows, done = _unit_rows(X, standardize=standardize, center=center, lift=lift)
        return cls(rows, y, name, f"{description} {done}".strip())

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
        standardize, lift : as in ``from_arrays``.
        encoding : of a path or binary file; a byte order mark is skipped.

        Raises
        ------
        ValueError
            For anything that cannot be used, naming column, line and value, and saying what to do.
        """
        seed = _whole_number("seed", seed, 0)
        if num_points is not None:
            num_points = _whole_number("num_points", num_points, 1, MAX_POINTS)
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
            raise ValueError(
                f"num_points={num_points} is more than the {N} rows of {table.text.source}; pass at most {N}"
            )
        if lift is not True:
            table.refuse_placeholder_rows()
        y, rule = table.targets, table.target_rule
        if not table.is_class:
            y = _standardized(y)
            rule += ", standardized to mean 0 and variance 1"
            if not y.any():
                raise ValueError(
                    f"{table.text.source}: target column {target!r} is constant but for round-off; "
                    "choose another column"
                )
        chosen = None if num_points is None else _choose(N, num_points, _generator(seed))
        X, done = _unit_rows(
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
        return cls(X, y if chosen is None else y[chosen], name, description)


# Preparation: the one path from raw numbers to unit rows.


def _unit_rows(
    table: NDArray[np.float64],
    *,
    standardize: bool = False,
    center: bool = False,
    lift: bool | None = False,
    chosen: NDArray[np.intp] | None = None,
    column_label: Callable[[int], str] = "column {} of features".format,
    row_label: Callable[[int], str] = "row {} of features".format,
) -> tuple[NDArray[np.float64], str]:
    """Return unit rows and the sentence that says what was done.

    Columns are standardized over the whole (N, d) table before the rows in ``chosen`` are taken. Scales from
    1e-300 to 1e300 pass without overflow: columns and rows are first multiplied by powers of two, exactly.
    """
    for option, value in (("standardize", standardize), ("center", center), ("lift", lift)):
        if not (isinstance(value, bool) or (option == "lift" and value is None)):
            raise ValueError(f"{option} must be True or False, not {value!r}; pass one of these")
    N, d = table.shape
    if N == 1 and (standardize or center):
        raise ValueError("one row has no spread; add rows, or pass standardize=False and center=False")
    constant_coordinate = 1.0
    done = []
    X = table
    if standardize:
        X = _standardized(table)
        constant = np.flatnonzero(~X.any(axis=0))
        if constant.size:
            column = int(constant[0])
            raise ValueError(
                f"{column_label(column)} is constant (every row is {table[0, column]:g}), so it tells no "
                "points apart; remove the column, or pass standardize=False"
            )
        done.append(f"columns standardized over all {N} rows")
    elif center:
        # One scale for the whole table, at most 1, so that sums and differences cannot overflow.
        exponent = max(0, int(np.frexp(np.abs(table).max())[1])) + 1
        X = _centered(np.ldexp(table, -exponent))
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
    if zero.size:
        row = int(zero[0] if chosen is None else chosen[zero[0]])
        cause = "equals the mean of every column" if standardize or center else "is zero"
        raise ValueError(f"{row_label(row)} {cause}, so it has no direction; delete the row, or pass lift=True")
    X = np.ldexp(X, -np.frexp(peak)[1][:, None])
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    done.append("each row scaled to unit length")
    sentence = "; ".join(done)
    return X, sentence[0].upper() + sentence[1:] + "."


def _centered(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract column means; a difference that is only round-off becomes exactly 0, lest it be scaled up."""
    deviation: NDArray[np.float64] = table - table.mean(axis=0)
    deviation[np.abs(deviation) <= _ROUND_OFF * np.abs(table).max(axis=0)] = 0.0
    return deviation


def _standardized(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give columns mean 0 and variance 1; a column constant up to round-off becomes exactly 0."""
    exponents = np.frexp(np.abs(table).max(axis=0))[1]
    deviation = _centered(np.ldexp(table, -exponents))  # entries at most 1: squares cannot overflow or vanish
    spread = deviation.std(axis=0)
    standardized: NDArray[np.float64] = deviation / np.where(spread > 0, spread, 1.0)
    return standardized


def _choose(N: int, num_points: int, generator: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(generator.choice(N, size=num_points, replace=False)).astype(np.intp)


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, _STREAM])


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


def _whole_number(argument: str, value: Any, low: int, high: int | None = None) -> int:
    allowed = f"from {low} to {high}" if high is not None else f"of at least {low}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low or (high and value > high):
        raise ValueError(f"{argument} must be a whole number {allowed}, not {value!r}; pass one in that range")
    return int(value)


# Generated and bundled datasets. Each maker returns raw parts; DATASETS says which options reach it.


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What ``load_dataset`` offers under one name: sizes, options with their defaults, allowed targets."""

    name: str
    title: str
    default_points: int
    max_points: int
    make: Callable[..., Dataset] = field(repr=False)
    min_points: int = 1
    targets: tuple[str, ...] = ()  # the first is the default; empty: there is only one
    defaults: Mapping[str, Any] = field(default_factory=dict)  # options besides the target

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that apply."""
        return (("target",) if self.targets else ()) + tuple(self.defaults)


def load_dataset(
    name: str,
    num_points: int | None = None,
    seed: int = 0,
    *,
    target: str | None = None,
    dimension: int | None = None,
    center: bool | None = None,
    noise: float | None = None,
) -> Dataset:
    """Generate or load one of ``DATASETS``; the same arguments give the same bits.

    Parameters
    ----------
    name : a key of ``DATASETS``.
    num_points : None for the default. Rows of real data are a random part, in their order; a small part may
        by chance hold one class only. The planar sets and the circle alternate their classes.
    seed : of the points, noise, signs or choice of rows.
    target, dimension, center, noise : options of some datasets; None for the default.

    Raises
    ------
    ValueError
        For an unknown name, a value out of range, or an option that does not apply to this dataset.
    """
    if not isinstance(name, str) or name not in DATASETS:
        near = difflib.get_close_matches(str(name).lower().replace("_", "-"), DATASETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no dataset {name!r}; {hint}choose one of {', '.join(DATASETS)}")
    info = DATASETS[name]
    n = info.default_points if num_points is None else num_points
    n = _whole_number(f"num_points of {name}", n, info.min_points, info.max_points)
    seed = _whole_number("seed", seed, 0)
    options = dict(info.defaults)
    if info.targets:
        options["target"] = info.targets[0]
    for option, value in (("target", target), ("dimension", dimension), ("center", center), ("noise", noise)):
        if value is None:
            continue
        if option not in options:
            applying = ", ".join(info.options) or "none"
            raise ValueError(f"{option}={value!r} does not apply to {name}; leave it out (options there: {applying})")
        options[option] = _checked_option(info, option, value)
    return info.make(n, _generator(seed), **options)


def _checked_option(info: DatasetInfo, option: str, value: Any) -> Any:
    if option == "target" and value not in info.targets:
        raise ValueError(f"target {value!r} is not one of {info.name}; choose one of {', '.join(info.targets)}")
    if option == "dimension":
        return _whole_number("dimension", value, 1, MAX_FEATURES)
    if option == "center" and not isinstance(value, bool):
        raise ValueError(f"center must be True or False, not {value!r}; pass one of these")
    if option == "noise":
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 2:
            raise ValueError(f"noise must be a number from 0 to 2, not {value!r}; pass one in that range")
        return float(value)
    return value


def _make_sphere(n: int, generator: np.random.Generator, target: str, dimension: int) -> Dataset:
    X, _ = _unit_rows(generator.standard_normal((n, dimension)))
    signs = generator.choice([-1.0, 1.0], size=n)
    if target == "sign":
        y, rule = signs, "random signs, -1 or +1: nothing can be inferred, all is learned by heart"
    else:
        # Three waves, each of variance about 1/3 because X u is about standard normal.
        directions = generator.standard_normal((dimension, 3))
        y = np.sqrt(2 / 3) * np.sin(2 * X @ directions).sum(axis=1)
        rule = "a smooth function, the sum of three sine waves along random directions, of about unit size"
    description = f"Points are spread at random over the unit sphere in {dimension} dimensions. The target is {rule}."
    return Dataset(X, y, "sphere", description)


def _make_circle(n: int, generator: np.random.Generator, target: str) -> Dataset:
    angles = generator.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(n) / n
    X = np.column_stack([np.cos(angles), np.sin(angles)])  # (n, 2)
    if target == "alternating":
        y, rule = (
            np.where(np.arange(n) % 2 == 0, 1.0, -1.0),
            "+1 and -1 in turn, the hardest pattern for a smooth function",
        )
    else:
        y, rule = np.sin(angles), "the sine of the angle, a smooth function"
    return Dataset(
        X,
        y,
        "circle",
        f"Points are evenly spaced on the unit circle, turned at random. The target is {rule}.",
    )


def _make_planar(points: NDArray[np.float64], name: str, sentence: str) -> Dataset:
    y = np.where(np.arange(len(points)) % 2 == 0, 1.0, -1.0)
    return Dataset.from_arrays(points, y, name=name, description=sentence)


def _make_moons(n: int, generator: np.random.Generator, noise: float) -> Dataset:
    # The two half circles of scikit-learn's make_moons, their points in turn instead of shuffled.
    upper = np.linspace(0, np.pi, (n + 1) // 2)
    lower = np.linspace(0, np.pi, n // 2)
    points = np.empty((n, 2))
    points[0::2] = np.column_stack([np.cos(upper), np.sin(upper)])
    points[1::2] = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
    points += noise * generator.standard_normal((n, 2))
    return _make_planar(
        points,
        "moons",
        "Points lie along two interlocking half circles; the target is +1 on one, -1 on the other.",
    )


def _make_xor(n: int, generator: np.random.Generator, noise: float) -> Dataset:
    corners = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    points = corners[np.arange(n) % 4] + noise * generator.standard_normal((n, 2))
    return _make_planar(
        points,
        "xor",
        "Points lie around the corners of a square; the target is +1 at two opposite corners, -1 at the others.",
    )


def _make_spirals(n: int, generator: np.random.Generator, noise: float) -> Dataset:
    along = np.linspace(0.1, 1.0, (n + 1) // 2)[np.arange(n) // 2]  # (n,) fraction of the arm, from inside out
    side = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    angles = 3 * np.pi * along
    points = (side * along)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    points += noise * generator.standard_normal((n, 2))
    return _make_planar(
        points,
        "spirals",
        "Points lie along two interleaved spirals; the target is +1 on one, -1 on the other.",
    )


def _bundled(loader: str, **options: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features and raw targets of a file that comes with scikit-learn; nothing is downloaded."""
    from sklearn import datasets  # type: ignore[import-untyped, unused-ignore]  # slow to import

    features, targets = getattr(datasets, loader)(return_X_y=True, **options)
    return np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)


def _digits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pixels and labels of scikit-learn's digits, from its file if it lies where it always did.

    The app opens on them, and reading the file takes a tenth of the time that importing scikit-learn does.
    """
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")  # (1797, 65), the label last
            return table[:, :-1], table[:, -1]
    return _bundled("load_digits")


def _class_target(labels: NDArray[np.float64], target: str, noun: str) -> tuple[NDArray[np.float64], str]:
    if target.startswith("is-"):
        number = int(target.removeprefix("is-"))
        return np.where(labels == number, 1.0, -1.0), f"+1 for {noun} {number} and -1 for every other"
    return _standardized(labels), f"the {noun} itself as a number, standardized over the whole table"


def _make_digits(n: int, generator: np.random.Generator, target: str, center: bool) -> Dataset:
    if center and n == 1:
        raise ValueError("center=True leaves nothing of num_points=1; pass num_points of at least 2")
    pixels, labels = _digits()  # (1797, 64), (1797,)
    if target == "parity":
        y, rule = np.where(labels % 2 == 1, 1.0, -1.0), "+1 for odd digits and -1 for even ones"
    else:
        y, rule = _class_target(labels, target, "digit")
    chosen = _choose(len(y), n, generator)
    # The mean image of the chosen points: what the training set itself knows.
    X, done = _unit_rows(pixels[chosen], center=center)
    sentence = f"Points are handwritten digits of 8 x 8 pixels, {n} chosen at random; the target is {rule}. {done}"
    return Dataset(X, y[chosen], "digits", sentence)


def _make_tabular(
    name: str,
    features: NDArray[np.float64],
    y: NDArray[np.float64],
    n: int,
    generator: np.random.Generator,
    sentence: str,
) -> Dataset:
    chosen = _choose(len(y), n, generator)
    X, done = _unit_rows(features, standardize=True, chosen=chosen)
    return Dataset(X, y[chosen], name, f"{sentence} {done}")


def _make_breast_cancer(n: int, generator: np.random.Generator) -> Dataset:
    features, labels = _bundled("load_breast_cancer")  # (569, 30)
    sentence = (
        "Points are tumours, 30 measurements of cell nuclei each; the target is +1 for malignant and -1 for benign."
    )
    return _make_tabular("breast-cancer", features, np.where(labels == 0, 1.0, -1.0), n, generator, sentence)


def _make_wine(n: int, generator: np.random.Generator, target: str) -> Dataset:
    features, labels = _bundled("load_wine")  # (178, 13)
    y, rule = _class_target(labels, target, "grower")
    sentence = f"Points are wines of three growers (0, 1, 2), 13 chemical measurements each; the target is {rule}."
    return _make_tabular("wine", features, y, n, generator, sentence)


def _make_diabetes(n: int, generator: np.random.Generator) -> Dataset:
    features, progression = _bundled("load_diabetes", scaled=False)  # (442, 10)
    sentence = (
        "Points are patients, 10 measurements each; the target is the progress of diabetes after a year, "
        "standardized over the whole table."
    )
    return _make_tabular("diabetes", features, _standardized(progression), n, generator, sentence)


_DIGIT_TARGETS = ("parity", "digit", *(f"is-{digit}" for digit in range(10)))
_DIMENSION, _CENTER = MappingProxyType({"dimension": 16}), MappingProxyType({"center": False})


def _noise(default: float) -> Mapping[str, Any]:
    return MappingProxyType({"noise": default})


_CATALOGUE = (
    DatasetInfo("sphere", "Random points on a sphere", 16, MAX_POINTS, _make_sphere, 1, ("sign", "smooth"), _DIMENSION),
    DatasetInfo(
        "circle",
        "Evenly spaced points on a circle",
        8,
        MAX_POINTS,
        _make_circle,
        1,
        ("alternating", "smooth"),
    ),
    DatasetInfo("moons", "Two half moons", 32, MAX_POINTS, _make_moons, 2, (), _noise(0.1)),
    DatasetInfo("xor", "Four clusters, opposite ones alike", 32, MAX_POINTS, _make_xor, 4, (), _noise(0.2)),
    DatasetInfo("spirals", "Two interleaved spirals", 32, MAX_POINTS, _make_spirals, 2, (), _noise(0.02)),
    DatasetInfo("digits", "Handwritten digits, 8 x 8 pixels", 50, 1797, _make_digits, 1, _DIGIT_TARGETS, _CENTER),
    DatasetInfo("breast-cancer", "Breast cancer: malignant or benign", 50, 569, _make_breast_cancer),
    DatasetInfo("wine", "Wines of three growers", 50, 178, _make_wine, 1, ("is-0", "is-1", "is-2", "class")),
    DatasetInfo("diabetes", "Diabetes: progress after a year", 50, 442, _make_diabetes),
)
DATASETS: Mapping[str, DatasetInfo] = MappingProxyType({info.name: info for info in _CATALOGUE})
