"""The datasets that come with treeviz: generated ones, and real ones from scikit-learn's bundled files.

Each maker returns the training set and how to draw test points for it, which thus share its waves, its statistics and
its choice of rows. Drawing is put off until it is asked for, with a generator of its own.
"""

import difflib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from treeviz.data.dataset import (
    MAX_FEATURES,
    MAX_POINTS,
    Dataset,
    DrawTest,
    as_test_points,
    choose_rows,
    held_out,
    seeded_generator,
    standardized,
    unit_rows,
    whole_number,
)


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What `load_dataset` offers under one name: sizes, options with their defaults, allowed targets."""

    name: str
    title: str
    default_points: int
    max_points: int
    make: Callable[..., tuple[Dataset, DrawTest]] = field(repr=False)
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
    """Generate or load one of `DATASETS`; the same arguments give the same bits.

    Parameters
    ----------
    name : a key of `DATASETS`.
    num_points : None for the default. Rows of real data are a random part, in their order; a small part may
        by chance hold one class only. The planar sets and the circle alternate their classes.
    seed : of the points, noise, signs or choice of rows.
    target, dimension, center, noise : options of some datasets; None for the default.

    Raises
    ------
    ValueError
        For an unknown name, a value out of range, or an option that does not apply to this dataset.
    """
    return _make(name, num_points, seed, target=target, dimension=dimension, center=center, noise=noise)[0]


def load_test_split(
    name: str,
    num_points: int | None = None,
    seed: int = 0,
    *,
    target: str | None = None,
    dimension: int | None = None,
    center: bool | None = None,
    noise: float | None = None,
    max_test_points: int = 1000,
) -> Dataset | None:
    """Return points to test what was learnt from the set `load_dataset` returns for the same arguments.

    They are prepared by that set's own map, with its statistics, and follow its target rule. Of real data they are
    rows it leaves out; of the sphere and the planar sets, fresh points of the same distribution, as independent of
    the training points as another seed's; of the circle, the points midway between neighbours.

    Parameters
    ----------
    name, num_points, seed, target, dimension, center, noise : as in `load_dataset`.
    max_test_points : the number of fresh points, and the most rows or midpoints, which are taken at random if there
        are more; at most 4096.

    Returns
    -------
    Dataset | None
        The same arguments give the same bits. Rows without direction (equal to the mean image) are left out. None if
        no row is left; if the target cannot be inferred: random signs on the sphere, and alternating ones on the
        circle, which belong to the points' numbers and not to their places; and if fresh points could only repeat the
        training points: a sphere of dimension 1, xor without noise.

    Raises
    ------
    ValueError
        Where `load_dataset` does, or if max_test_points is out of range.
    """
    most = whole_number("max_test_points", max_test_points, 1, MAX_POINTS)
    draw = _make(name, num_points, seed, target=target, dimension=dimension, center=center, noise=noise)[1]
    return draw(most, seeded_generator(seed, is_test=True))


def _make(name: str, num_points: int | None, seed: int, **given: Any) -> tuple[Dataset, DrawTest]:
    """Check the arguments of `load_dataset` and call the maker."""
    if not isinstance(name, str) or name not in DATASETS:
        near = difflib.get_close_matches(str(name).lower().replace("_", "-"), DATASETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no dataset {name!r}; {hint}choose one of {', '.join(DATASETS)}")
    info = DATASETS[name]
    n = info.default_points if num_points is None else num_points
    n = whole_number(f"num_points of {name}", n, info.min_points, info.max_points)
    seed = whole_number("seed", seed, 0)
    options = dict(info.defaults)
    if info.targets:
        options["target"] = info.targets[0]
    for option, value in given.items():
        if value is None:
            continue
        if option not in options:
            applying = ", ".join(info.options) or "none"
            raise ValueError(f"{option}={value!r} does not apply to {name}; leave it out (options there: {applying})")
        options[option] = _checked_option(info, option, value)
    return info.make(n, seeded_generator(seed), **options)


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


def _no_test(most: int, generator: np.random.Generator) -> None:
    """Draw no test points: nothing can be inferred from the training points, or no others exist."""


def _make_sphere(n: int, generator: np.random.Generator, target: str, dimension: int) -> tuple[Dataset, DrawTest]:
    X, _, _ = unit_rows(generator.standard_normal((n, dimension)))
    signs = generator.choice([-1.0, 1.0], size=n)
    sentence = f"Points are spread at random over the unit sphere in {dimension} dimensions. The target is"
    if target == "sign":
        rule = "random signs, -1 or +1: nothing can be inferred, all is learned by heart"
        return Dataset(X, signs, "sphere", f"{sentence} {rule}."), _no_test
    # Three waves, each of variance about 1/3 because X u is about standard normal.
    directions = generator.standard_normal((dimension, 3))

    def waves(X: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.sqrt(2 / 3) * np.sin(2 * X @ directions).sum(axis=1)
        return total

    rule = "a smooth function, the sum of three sine waves along random directions, of about unit size"
    train = Dataset(X, waves(X), "sphere", f"{sentence} {rule}.")

    def draw(most: int, generator: np.random.Generator) -> Dataset | None:
        X, _, _ = unit_rows(generator.standard_normal((most, dimension)))
        return as_test_points(train, X, waves(X), f"{most} drawn afresh")

    return train, draw if dimension > 1 else _no_test


def _in_turn(n: int) -> NDArray[np.float64]:
    return np.where(np.arange(n) % 2 == 0, 1.0, -1.0)


def _make_circle(n: int, generator: np.random.Generator, target: str) -> tuple[Dataset, DrawTest]:
    start = generator.uniform(0, 2 * np.pi)
    sentence = "Points are evenly spaced on the unit circle, turned at random. The target is"

    def around(numbers: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        angles = start + 2 * np.pi * numbers / n
        return np.column_stack([np.cos(angles), np.sin(angles)]), np.sin(angles)  # (n, 2), (n,)

    X, sine = around(np.arange(n))
    if target == "alternating":
        y = _in_turn(n)
        rule = "+1 and -1 in turn, the hardest pattern for a smooth function"
        return Dataset(X, y, "circle", f"{sentence} {rule}."), _no_test
    train = Dataset(X, sine, "circle", f"{sentence} the sine of the angle, a smooth function.")

    def draw(most: int, generator: np.random.Generator) -> Dataset | None:
        gaps = choose_rows(n, min(most, n), generator)
        return as_test_points(train, *around(gaps + 0.5), f"{len(gaps)} midway between neighbours")

    return train, draw


def _make_planar(
    n: int,
    generator: np.random.Generator,
    noise: float,
    places: Callable[[int, np.random.Generator | None], NDArray[np.float64]],
    name: str,
    sentence: str,
) -> tuple[Dataset, DrawTest]:
    """Add noise to `places`: n points, the classes in turn, evenly spread without a generator, at random with one."""
    raw = places(n, None) + noise * generator.standard_normal((n, 2))
    train = Dataset.from_arrays(raw, _in_turn(n), name=name, description=sentence)

    def draw(most: int, generator: np.random.Generator) -> Dataset | None:
        fresh = places(most, generator) + noise * generator.standard_normal((most, 2))
        X, _, _ = unit_rows(fresh, standardize=True, lift=train.lifted, reference=raw)
        return as_test_points(train, X, _in_turn(most), f"{most} drawn afresh")

    return train, draw


def _make_moons(n: int, generator: np.random.Generator, noise: float) -> tuple[Dataset, DrawTest]:
    def places(n: int, generator: np.random.Generator | None) -> NDArray[np.float64]:
        # The two half circles of scikit-learn's make_moons, their points in turn instead of shuffled.
        spread = np.linspace if generator is None else generator.uniform
        upper = spread(0, np.pi, (n + 1) // 2)
        lower = spread(0, np.pi, n // 2)
        points = np.empty((n, 2))
        points[0::2] = np.column_stack([np.cos(upper), np.sin(upper)])
        points[1::2] = np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)])
        return points

    sentence = "Points lie along two interlocking half circles; the target is +1 on one, -1 on the other."
    return _make_planar(n, generator, noise, places, "moons", sentence)


def _make_xor(n: int, generator: np.random.Generator, noise: float) -> tuple[Dataset, DrawTest]:
    def places(n: int, generator: np.random.Generator | None) -> NDArray[np.float64]:
        corners = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
        return corners[np.arange(n) % 4]

    sentence = "Points lie around the corners of a square; the target is +1 at two opposite corners, -1 at the others."
    train, draw = _make_planar(n, generator, noise, places, "xor", sentence)
    return train, draw if noise else _no_test


def _make_spirals(n: int, generator: np.random.Generator, noise: float) -> tuple[Dataset, DrawTest]:
    def places(n: int, generator: np.random.Generator | None) -> NDArray[np.float64]:
        if generator is None:
            along = np.linspace(0.1, 1.0, (n + 1) // 2)[np.arange(n) // 2]  # (n,) of the arm, from inside out
        else:
            along = generator.uniform(0.1, 1.0, n)
        side = _in_turn(n)
        angles = 3 * np.pi * along
        points: NDArray[np.float64] = (side * along)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        return points

    sentence = "Points lie along two interleaved spirals; the target is +1 on one, -1 on the other."
    return _make_planar(n, generator, noise, places, "spirals", sentence)


def _bundled(loader: str, **options: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features and raw targets of a file that comes with scikit-learn; nothing is downloaded."""
    from sklearn import datasets  # slow to import

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
    return standardized(labels), f"the {noun} itself as a number, standardized over the whole table"


def _make_digits(n: int, generator: np.random.Generator, target: str, center: bool) -> tuple[Dataset, DrawTest]:
    if center and n == 1:
        raise ValueError("center=True leaves nothing of num_points=1; pass num_points of at least 2")
    pixels, labels = _digits()  # (1797, 64), (1797,)
    if target == "parity":
        y, rule = np.where(labels % 2 == 1, 1.0, -1.0), "+1 for odd digits and -1 for even ones"
    else:
        y, rule = _class_target(labels, target, "digit")
    chosen = choose_rows(len(y), n, generator)
    # The mean image of the chosen points: what the training set itself knows.
    X, done, _ = unit_rows(pixels[chosen], center=center)
    sentence = f"Points are handwritten digits of 8 x 8 pixels, {n} chosen at random; the target is {rule}. {done}"
    train = Dataset(X, y[chosen], "digits", sentence)
    return train, held_out(train, pixels, y, chosen, center=center, reference=pixels[chosen])


def _make_tabular(
    name: str,
    features: NDArray[np.float64],
    y: NDArray[np.float64],
    n: int,
    generator: np.random.Generator,
    sentence: str,
) -> tuple[Dataset, DrawTest]:
    chosen = choose_rows(len(y), n, generator)
    X, done, _ = unit_rows(features, standardize=True, chosen=chosen)
    train = Dataset(X, y[chosen], name, f"{sentence} {done}")
    return train, held_out(train, features, y, chosen, standardize=True)


def _make_breast_cancer(n: int, generator: np.random.Generator) -> tuple[Dataset, DrawTest]:
    features, labels = _bundled("load_breast_cancer")  # (569, 30)
    sentence = (
        "Points are tumours, 30 measurements of cell nuclei each; the target is +1 for malignant and -1 for benign."
    )
    return _make_tabular("breast-cancer", features, np.where(labels == 0, 1.0, -1.0), n, generator, sentence)


def _make_wine(n: int, generator: np.random.Generator, target: str) -> tuple[Dataset, DrawTest]:
    features, labels = _bundled("load_wine")  # (178, 13)
    y, rule = _class_target(labels, target, "grower")
    sentence = f"Points are wines of three growers (0, 1, 2), 13 chemical measurements each; the target is {rule}."
    return _make_tabular("wine", features, y, n, generator, sentence)


def _make_diabetes(n: int, generator: np.random.Generator) -> tuple[Dataset, DrawTest]:
    features, progression = _bundled("load_diabetes", scaled=False)  # (442, 10)
    sentence = (
        "Points are patients, 10 measurements each; the target is the progress of diabetes after a year, "
        "standardized over the whole table."
    )
    return _make_tabular("diabetes", features, standardized(progression), n, generator, sentence)


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
