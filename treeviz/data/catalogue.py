"""The datasets that come with treeviz: generated ones, and real ones from scikit-learn's bundled files.

A dataset is a function under `@register`, which makes its training points and its test points together: they share the
waves, the statistics or the choice of rows. All datasets are in this one file, so that adding one touches no other.
"""

import difflib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import (
    MAX_FEATURES,
    MAX_POINTS,
    MAX_TEST_POINTS,
    Dataset,
    Sampling,
    Split,
    choose_rows,
    whole_number,
)
from treeviz.data.prepare import Preparation, standardized
from treeviz.data.source import Source

_Floats = NDArray[np.float64]
Maker = Callable[..., Split]  # of a `Sampling` and the options of the dataset


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What `load_dataset` offers under one name: sizes, options with their defaults, allowed targets."""

    name: str
    title: str
    default_points: int
    max_points: int
    make: Maker = field(repr=False)
    min_points: int = 1
    targets: tuple[str, ...] = ()  # the first is the default; empty: there is only one
    defaults: Mapping[str, Any] = field(default_factory=dict)  # options besides the target

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that apply."""
        return (("target",) if self.targets else ()) + tuple(self.defaults)


_registered: dict[str, DatasetInfo] = {}
DATASETS: Mapping[str, DatasetInfo] = MappingProxyType(_registered)


def register(
    name: str,
    title: str,
    default_points: int,
    max_points: int,
    *,
    min_points: int = 1,
    targets: tuple[str, ...] = (),
    **defaults: Any,
) -> Callable[[Maker], Maker]:
    """Return a decorator that adds a dataset: `load_dataset`, the command line and the app's sidebar then offer it.

    Parameters
    ----------
    name : as in `load_dataset`; ValueError if it is taken.
    title : shown under the name in the sidebar.
    default_points, max_points, min_points : how many training points there can be.
    targets : what can be learned, the default first; empty if there is only one target.
    defaults : its options out of dimension, center and noise, with their defaults.

    The function under the decorator gets a `Sampling` and the options by name, and returns a `Split`.
    """

    def add(make: Maker) -> Maker:
        if name in _registered:
            raise ValueError(f"there is a dataset {name!r} already; choose another name")
        options = MappingProxyType(defaults)
        _registered[name] = DatasetInfo(name, title, default_points, max_points, make, min_points, targets, options)
        return make

    return add


def load_split(
    name: str,
    num_points: int | None = None,
    seed: int = 0,
    *,
    target: str | None = None,
    dimension: int | None = None,
    center: bool | None = None,
    noise: float | None = None,
    max_test_points: int = MAX_TEST_POINTS,
) -> Split:
    """Generate or load one of `DATASETS`, with points to test what was learned; the same arguments give the same bits.

    Test points are prepared by the training set's own map, with its statistics, and follow its target rule. Of real
    data they are rows that the training set leaves out; of the sphere and the planar sets, fresh points of the same
    distribution, as independent of the training points as another seed's; of the circle, the points midway between
    neighbours.

    Parameters
    ----------
    name : a key of `DATASETS`.
    num_points : of the training set; None for the default. Rows of real data are a random part, in their order; a
        small part may by chance hold one class only. The planar sets and the circle alternate their classes.
    seed : of the points, noise, signs or choice of rows.
    target, dimension, center, noise : options of some datasets; None for the default.
    max_test_points : the number of fresh points, and the most rows or midpoints, which are taken at random if there
        are more; at most 4096.

    Returns
    -------
    Split
        Test rows without direction (equal to the mean image) are left out. There are no test points if no row is left;
        if the target cannot be inferred: random signs on the sphere and alternating ones on the circle, which belong to
        the points' numbers and not to their places; and if fresh points could only repeat the training points: a
        sphere of dimension 1, xor without noise.

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
    n = whole_number(f"num_points of {name}", n, info.min_points, info.max_points)
    options = dict(info.defaults)
    if info.targets:
        options["target"] = info.targets[0]
    given = {"target": target, "dimension": dimension, "center": center, "noise": noise}
    for option, value in given.items():
        if value is None:
            continue
        if option not in options:
            applying = ", ".join(info.options) or "none"
            raise ValueError(f"{option}={value!r} does not apply to {name}; leave it out (options there: {applying})")
        options[option] = _checked_option(info, option, value)
    split = info.make(Sampling.of_seed(n, max_test_points, seed), **options)
    return split.made_by(Source(name, options=(("num_points", n), ("seed", int(seed)), *options.items())))


class _Options(TypedDict, total=False):
    target: str | None
    dimension: int | None
    center: bool | None
    noise: float | None


def load_dataset(name: str, num_points: int | None = None, seed: int = 0, **options: Unpack[_Options]) -> Dataset:
    """Return the training points of `load_split`, which says what the arguments are."""
    return load_split(name, num_points, seed, **options).train


def load_test_split(
    name: str,
    num_points: int | None = None,
    seed: int = 0,
    *,
    max_test_points: int = MAX_TEST_POINTS,
    **options: Unpack[_Options],
) -> Dataset | None:
    """Return the test points of `load_split`, which says what the arguments are; None if there can be none."""
    return load_split(name, num_points, seed, max_test_points=max_test_points, **options).test


def _checked_option(info: DatasetInfo, option: str, value: Any) -> Any:
    if option == "target" and value not in info.targets:
        raise ValueError(f"target {value!r} is not one of {info.name}; choose one of {', '.join(info.targets)}")
    if option == "dimension":
        return whole_number("dimension", value, 1, MAX_FEATURES)
    if option == "center" and not isinstance(value, bool):
        raise ValueError(f"center must be True or False, not {value!r}; pass one of these")
    if option == "noise":
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 2:
            raise ValueError(f"noise must be a number from 0 to 2, not {value!r}; pass one in that range")
        return float(value)
    return value


# Generated datasets


def _on_sphere(generator: np.random.Generator, n: int, dimension: int) -> _Floats:
    points = generator.standard_normal((n, dimension))
    return Preparation.of(points).unit_rows(points)


@register("sphere", "Random points on a sphere", 16, MAX_POINTS, targets=("sign", "smooth"), dimension=16)
def _make_sphere(sampling: Sampling, target: str, dimension: int) -> Split:
    generator, most = sampling.generator, sampling.max_test_points
    X = _on_sphere(generator, sampling.num_points, dimension)
    signs = generator.choice([-1.0, 1.0], size=sampling.num_points)
    sentence = f"Points are spread at random over the unit sphere in {dimension} dimensions. The target is"
    if target == "sign":
        rule = "random signs, −1 or +1: nothing can be inferred, all is learned by heart"
        return Split(Dataset(X, signs, "sphere", f"{sentence} {rule}."))
    # Three waves, each of variance about 1/3 because X u is about standard normal.
    directions = generator.standard_normal((dimension, 3))

    def waves(X: _Floats) -> _Floats:
        total: _Floats = np.sqrt(2 / 3) * np.sin(2 * X @ directions).sum(axis=1)
        return total

    rule = "a smooth function, the sum of three sine waves along random directions, of about unit size"
    train = Dataset(X, waves(X), "sphere", f"{sentence} {rule}.")
    if dimension == 1:
        return Split(train)
    fresh = _on_sphere(sampling.test_generator, most, dimension)
    return Split.of_points(train, fresh, waves(fresh), f"{most} drawn afresh")


def _in_turn(n: int) -> _Floats:
    return np.where(np.arange(n) % 2 == 0, 1.0, -1.0)


@register("circle", "Evenly spaced points on a circle", 8, MAX_POINTS, targets=("alternating", "smooth"))
def _make_circle(sampling: Sampling, target: str) -> Split:
    n = sampling.num_points
    start = sampling.generator.uniform(0, 2 * np.pi)
    sentence = "Points are evenly spaced on the unit circle, turned at random. The target is"

    def around(numbers: NDArray[Any]) -> tuple[_Floats, _Floats]:
        angles = start + 2 * np.pi * numbers / n
        return np.column_stack([np.cos(angles), np.sin(angles)]), np.sin(angles)  # (n, 2), (n,)

    X, sine = around(np.arange(n))
    if target == "alternating":
        rule = "+1 and −1 in turn, the pattern that changes most often along the circle"
        return Split(Dataset(X, _in_turn(n), "circle", f"{sentence} {rule}."))
    train = Dataset(X, sine, "circle", f"{sentence} the sine of the angle, a smooth function.")
    gaps = choose_rows(n, min(sampling.max_test_points, n), sampling.test_generator)
    return Split.of_points(train, *around(gaps + 0.5), f"{len(gaps)} midway between neighbours")


def _planar(
    sampling: Sampling,
    noise: float,
    places: Callable[[int, np.random.Generator | None], _Floats],
    name: str,
    sentence: str,
    *,
    is_tested: bool = True,
) -> Split:
    """Add noise to `places`: n points, the classes in turn, evenly spread without a generator, at random with one."""
    n, most, fresh = sampling.num_points, sampling.max_test_points, sampling.test_generator
    raw = places(n, None) + noise * sampling.generator.standard_normal((n, 2))
    train = Dataset.from_arrays(raw, _in_turn(n), name=name, description=sentence)
    if not is_tested:
        return Split(train)
    points = places(most, fresh) + noise * fresh.standard_normal((most, 2))
    return Split.of_points(train, train.prepare(points), _in_turn(most), f"{most} drawn afresh")


@register("moons", "Two half moons", 32, MAX_POINTS, min_points=2, noise=0.1)
def _make_moons(sampling: Sampling, noise: float) -> Split:
    def places(n: int, generator: np.random.Generator | None) -> _Floats:
        # The two half circles of scikit-learn's make_moons, their points in turn instead of shuffled.
        spread = np.linspace if generator is None else generator.uniform
        upper = spread(0, np.pi, (n + 1) // 2)
        lower = spread(0, np.pi, n // 2)
        points = np.empty((n, 2))
        points[0::2] = np.column_stack([np.cos(upper), np.sin(upper)])
        points[1::2] = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
        return points

    sentence = "Points lie along two interlocking half circles; the target is +1 on one, −1 on the other."
    return _planar(sampling, noise, places, "moons", sentence)


@register("xor", "Four clusters, opposite ones alike", 32, MAX_POINTS, min_points=4, noise=0.2)
def _make_xor(sampling: Sampling, noise: float) -> Split:
    def places(n: int, generator: np.random.Generator | None) -> _Floats:
        corners = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
        return corners[np.arange(n) % 4]

    sentence = "Points lie around the corners of a square; the target is +1 at two opposite corners, −1 at the others."
    return _planar(sampling, noise, places, "xor", sentence, is_tested=noise > 0)


@register("spirals", "Two interleaved spirals", 32, MAX_POINTS, min_points=2, noise=0.02)
def _make_spirals(sampling: Sampling, noise: float) -> Split:
    def places(n: int, generator: np.random.Generator | None) -> _Floats:
        if generator is None:
            along = np.linspace(0.1, 1.0, (n + 1) // 2)[np.arange(n) // 2]  # (n,) of the arm, from inside out
        else:
            along = generator.uniform(0.1, 1.0, n)
        side = _in_turn(n)
        angles = 3 * np.pi * along
        points: _Floats = (side * along)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        return points

    sentence = "Points lie along two interleaved spirals; the target is +1 on one, −1 on the other."
    return _planar(sampling, noise, places, "spirals", sentence)


# Bundled datasets


def _bundled(loader: str, **options: Any) -> tuple[_Floats, _Floats, tuple[str, ...]]:
    """Return features, raw targets and names of columns of a file that comes with scikit-learn, without download."""
    from sklearn import datasets  # slow to import

    table = getattr(datasets, loader)(**options)
    features, targets = (np.asarray(numbers, dtype=np.float64) for numbers in (table.data, table.target))
    return features, targets, tuple(str(name).replace("_", " ") for name in table.feature_names)


@cache
def _digits() -> tuple[_Floats, _Floats]:
    """Return the pixels and labels of scikit-learn's digits, read once, from its file if that is in its usual place.

    Reading the file takes a tenth of the time that importing scikit-learn does.
    """
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")  # (1797, 65), the label last
            table.flags.writeable = False  # it is kept for all who ask
            return table[:, :-1], table[:, -1]
    return _bundled("load_digits")[:2]


def _class_target(labels: _Floats, target: str, noun: str) -> tuple[_Floats, str]:
    if target.startswith("is-"):
        number = int(target.removeprefix("is-"))
        return np.where(labels == number, 1.0, -1.0), f"+1 for {noun} {number} and −1 for every other"
    return standardized(labels), f"the {noun} itself as a number, standardized over the whole table"


@register(
    "digits",
    "Handwritten digits, 8 x 8 pixels",
    50,
    1797,
    targets=("parity", "digit", *(f"is-{digit}" for digit in range(10))),
    center=False,
)
def _make_digits(sampling: Sampling, target: str, center: bool) -> Split:
    n = sampling.num_points
    if center and n == 1:
        raise ValueError("center=True leaves nothing of num_points=1; pass num_points of at least 2")
    pixels, labels = _digits()  # (1797, 64), (1797,)
    if target == "parity":
        y, rule = np.where(labels % 2 == 1, 1.0, -1.0), "+1 for odd digits and −1 for even ones"
    else:
        y, rule = _class_target(labels, target, "digit")
    chosen = choose_rows(len(y), n, sampling.generator)
    # The mean image of the chosen points: what the training set itself knows.
    preparation = Preparation.of(pixels[chosen], center=center)
    sentence = f"Points are handwritten digits of 8 x 8 pixels, {n} chosen at random; the target is {rule}."
    description = f"{sentence} {preparation.describe()}"
    return Split.of_rows(pixels, y, chosen, preparation, sampling, name="digits", description=description, image=(8, 8))


def _tabular(
    sampling: Sampling, name: str, features: _Floats, y: _Floats, columns: tuple[str, ...], sentence: str
) -> Split:
    chosen = choose_rows(len(y), sampling.num_points, sampling.generator)
    preparation = Preparation.of(features, standardize=True)
    description = f"{sentence} {preparation.describe(f'{len(chosen)} of {len(y)} rows chosen at random')}"
    return Split.of_rows(
        features, y, chosen, preparation, sampling, name=name, description=description, columns=columns
    )


@register("breast-cancer", "Breast cancer: malignant or benign", 50, 569)
def _make_breast_cancer(sampling: Sampling) -> Split:
    features, labels, columns = _bundled("load_breast_cancer")  # (569, 30)
    sentence = (
        "Points are tumours, 30 measurements of cell nuclei each; the target is +1 for malignant and −1 for benign."
    )
    return _tabular(sampling, "breast-cancer", features, np.where(labels == 0, 1.0, -1.0), columns, sentence)


@register("wine", "Wines of three growers", 50, 178, targets=("is-0", "is-1", "is-2", "class"))
def _make_wine(sampling: Sampling, target: str) -> Split:
    features, labels, columns = _bundled("load_wine")  # (178, 13)
    y, rule = _class_target(labels, target, "grower")
    sentence = f"Points are wines of three growers (0, 1, 2), 13 chemical measurements each; the target is {rule}."
    return _tabular(sampling, "wine", features, y, columns, sentence)


@register("diabetes", "Diabetes: progress after a year", 50, 442)
def _make_diabetes(sampling: Sampling) -> Split:
    features, progression, columns = _bundled("load_diabetes", scaled=False)  # (442, 10)
    sentence = (
        "Points are patients, 10 measurements each; the target is the progress of diabetes after a year, "
        "standardized over the whole table."
    )
    return _tabular(sampling, "diabetes", features, standardized(progression), columns, sentence)
