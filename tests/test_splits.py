"""Test splits: points the training set does not hold, through the training set's own map; None where there are none."""

import io

import numpy as np
import pytest
from sklearn import datasets as bundled

from treeviz.data.catalogue import DATASETS, load_dataset, load_split, load_test_split
from treeviz.data.dataset import MAX_POINTS, Dataset, Sampling, Split
from treeviz.data.prepare import Preparation

REAL = ("digits", "breast-cancer", "wine", "diabetes")
SPLITS = [
    ("sphere", {"target": "smooth"}),
    ("circle", {"target": "smooth"}),
    ("moons", {}),
    ("xor", {}),
    ("spirals", {}),
    ("digits", {}),
    ("digits", {"target": "digit", "center": True}),
    ("breast-cancer", {}),
    ("wine", {"target": "class"}),
    ("diabetes", {}),
]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows_of(X):
    return {row.tobytes() for row in X + 0.0}


def plane(data):
    """Undo the lift: the standardized coordinates."""
    return data.X[:, :2] / data.X[:, 2:]


# Every dataset


@pytest.mark.parametrize(("name", "options"), SPLITS)
def test_unit_rows_repeatable_and_none_of_the_training_points(name, options):
    split = load_split(name, **options)
    train, test = split.train, split.test
    alone = load_dataset(name, **options), load_test_split(name, **options)
    assert [data.X.tobytes() for data in alone] == [train.X.tobytes(), test.X.tobytes()]
    np.testing.assert_allclose(np.linalg.norm(test.X, axis=1), 1.0, rtol=0, atol=1e-12)
    assert (test.name, test.lifted, test.dimension) == (train.name, train.lifted, train.dimension)
    assert test.description.startswith(train.description) and "test points" in test.description
    assert set(test.y) <= set(train.y) or len(set(train.y)) > 2
    assert not rows_of(train.X) & rows_of(test.X)
    again = load_test_split(name, DATASETS[name].default_points, 0, max_test_points=1000, **options)
    assert (again.X.tobytes(), again.y.tobytes()) == (test.X.tobytes(), test.y.tobytes())
    assert again.description == test.description
    assert load_test_split(name, seed=1, **options).X.tobytes() != test.X.tobytes()


@pytest.mark.parametrize(("name", "options"), SPLITS)
def test_the_training_points_do_not_depend_on_the_test_points(name, options):
    before = load_dataset(name, 20, seed=4, **options)
    state = np.random.get_state()[1].tobytes()
    for most in (1, 7, MAX_POINTS):
        assert 1 <= load_test_split(name, 20, 4, max_test_points=most, **options).num_points <= most
    assert np.random.get_state()[1].tobytes() == state
    after = load_dataset(name, 20, seed=4, **options)
    assert (before.X.tobytes(), before.y.tobytes()) == (after.X.tobytes(), after.y.tobytes())


@pytest.mark.parametrize(("name", "options"), [("sphere", {"target": "smooth"}), ("moons", {})])
def test_fresh_points_repeat_no_random_numbers_of_any_seed(name, options):
    sets = [load_test_split(name, 40, seed, max_test_points=40, **options) for seed in range(4)]
    sets += [load_dataset(name, 40, seed, **options) for seed in range(4)]
    if name == "sphere":
        points = np.vstack([data.X for data in sets])
        gram = points @ points.T - 2 * np.eye(len(points))
        assert gram.max() < 0.95
    samplings = [Sampling.of_seed(1, 1, seed) for seed in range(50)]
    draws = [generator.random() for one in samplings for generator in (one.generator, one.test_generator)]
    assert len(set(draws)) == len(draws)
    assert len(set().union(*(rows_of(data.X) for data in sets))) == 8 * 40


def test_none_where_nothing_can_be_inferred_or_nothing_is_left():
    for name, num_points, options in [
        ("sphere", None, {}),
        ("sphere", None, {"target": "sign"}),
        ("sphere", 5, {"target": "smooth", "dimension": 1}),
        ("circle", None, {}),
        ("circle", 5, {"target": "alternating"}),
        ("xor", None, {"noise": 0}),
        *((name, DATASETS[name].max_points, {}) for name in REAL),
        ("digits", 1797, {"center": True}),
    ]:
        assert load_test_split(name, num_points, **options) is None, (name, num_points, options)


def test_the_number_of_test_points_is_checked():
    for most in (0, -1, MAX_POINTS + 1, True, 2.0, None):
        with pytest.raises(ValueError, match="max_test_points"):
            load_test_split("moons", max_test_points=most)


# Sums of the coordinates of at most 15 test points, and of their targets, each entry times the cosine of its place.
SUMS = [
    ("sphere", {"target": "smooth"}, -0.300604, 0.936956),
    ("circle", {"target": "smooth"}, 0.170035, 0.719889),
    ("moons", {}, 7.487034, 0.297783),
    ("xor", {}, 0.290589, 0.297783),
    ("spirals", {}, -0.814168, 0.297783),
    ("digits", {"target": "digit", "center": True}, -5.092850, -3.331737),
    ("breast-cancer", {}, -3.862239, 1.976793),
    ("wine", {"target": "class"}, 8.092416, 1.112060),
    ("diabetes", {}, -1.381246, -2.091776),
]


def test_test_points_stay_those_of_earlier_versions():
    for name, options, of_points, of_targets in SUMS:
        data = load_test_split(name, 21, seed=6, max_test_points=15, **options)
        sums = [np.cos(np.arange(array.size)) @ array.ravel() for array in (data.X, data.y)]
        np.testing.assert_allclose(sums, [of_points, of_targets], rtol=0, atol=2e-6, err_msg=f"{name} {options}")


# Generated data


def test_sphere_follows_the_waves_of_its_training_set():
    train, test = load_dataset("sphere", 40, 3, target="smooth"), load_test_split("sphere", 40, 3, target="smooth")
    generator = Sampling.of_seed(40, 1, 3).generator
    generator.standard_normal((40, 16)), generator.choice([-1.0, 1.0], size=40)
    directions = generator.standard_normal((16, 3))
    for data in (train, test):
        np.testing.assert_allclose(data.y, np.sqrt(2 / 3) * np.sin(2 * data.X @ directions).sum(axis=1), atol=1e-13)
    assert test.num_points == 1000 and np.abs(test.X.mean(axis=0)).max() < 0.05
    assert load_test_split("sphere", 1, target="smooth", dimension=300, max_test_points=3).X.shape == (3, 300)


def test_circle_asks_midway_between_neighbours():
    for n in (1, 2, 7, 8):
        train, test = load_dataset("circle", n, target="smooth"), load_test_split("circle", n, target="smooth")
        assert test.num_points == n
        np.testing.assert_allclose(test.y, test.X[:, 1], atol=1e-15)
        np.testing.assert_allclose((train.X @ test.X.T).max(axis=0), np.cos(np.pi / n), atol=1e-12)
    all_gaps, part = (load_test_split("circle", 50, target="smooth", max_test_points=most) for most in (50, 9))
    assert part.num_points == 9 and rows_of(part.X) < rows_of(all_gaps.X)


@pytest.mark.parametrize(("name", "noise"), [("moons", 0.1), ("xor", 0.2), ("spirals", 0.02), ("moons", 0.0)])
def test_planar_sets_are_of_the_training_set_s_distribution(name, noise):
    for seed in range(3):
        train, test = (load(name, 400, seed, noise=noise) for load in (load_dataset, load_test_split))
        nearest = (train.X @ test.X.T).argmax(axis=0)
        assert (train.y[nearest] == test.y).mean() > 0.97
        assert test.num_points == 1000 and test.y.sum() == 0
        # Mean and spread come near 0 and 1, which a set standardized by itself would meet exactly.
        there = plane(test)
        assert 1e-6 < np.abs(there.mean(axis=0)).max() < 0.2 and 1e-6 < np.abs(there.std(axis=0) - 1).max() < 0.1


def test_planar_sets_take_the_statistics_of_the_training_points():
    # Without noise every point of the moons lies on a half circle, once the training points' map is undone.
    upper, lower = np.linspace(0, np.pi, 4), np.linspace(0, np.pi, 3)
    raw = np.vstack([
        np.column_stack([np.cos(upper), np.sin(upper)]),
        np.column_stack([1 - np.cos(lower), 0.5 - np.sin(lower)]),
    ])  # fmt: skip
    test = load_test_split("moons", 7, noise=0, max_test_points=50)
    back = plane(test) * raw.std(axis=0) + raw.mean(axis=0)
    centres = np.where(test.y[:, None] > 0, [[0.0, 0.0]], [[1.0, 0.5]])
    np.testing.assert_allclose(np.linalg.norm(back - centres, axis=1), 1.0, atol=1e-12)
    assert (test.y * (back - centres)[:, 1] >= 0).all()


# Real data


@pytest.mark.parametrize("center", [False, True])
def test_digits_against_the_bundled_table(center):
    pixels, digit = bundled.load_digits(return_X_y=True)
    for n in (2, 30, 1700):
        train, test = (
            load("digits", n, 5, target="digit", center=center, **most)
            for load, most in ((load_dataset, {}), (load_test_split, {"max_test_points": MAX_POINTS}))
        )
        plain = load_dataset("digits", n, 5, target="digit").X  # without centring: these name the rows
        place = {row.tobytes(): i for i, row in enumerate(load_dataset("digits", 1797).X)}
        chosen = [place[row.tobytes()] for row in plain]
        rest = np.delete(np.arange(1797), chosen)
        shift = pixels[chosen].mean(axis=0) if center else 0.0
        y = (digit - digit.mean()) / digit.std()
        for data, rows in ((train, chosen), (test, rest)):
            np.testing.assert_allclose(data.X, unit(pixels[rows] - shift), atol=1e-12)
            np.testing.assert_allclose(data.y, y[rows], atol=1e-12)


@pytest.mark.parametrize(("name", "target"), [("breast-cancer", None), ("wine", "class"), ("diabetes", None)])
def test_tables_are_divided_without_rest(name, target):
    info = DATASETS[name]
    whole = load_dataset(name, info.max_points, target=target)
    for n in (1, 50, info.max_points - 1):
        train, test = (load(name, n, 8, target=target) for load in (load_dataset, load_test_split))
        assert train.num_points + test.num_points == info.max_points
        pairs = [{(*x, y) for x, y in zip(data.X.tolist(), data.y.tolist(), strict=True)} for data in (train, test)]
        assert pairs[0] | pairs[1] == {(*x, y) for x, y in zip(whole.X.tolist(), whole.y.tolist(), strict=True)}
        assert not pairs[0] & pairs[1]


def test_at_most_so_many_rows_chosen_by_the_seed_in_their_order():
    whole = load_test_split("digits", 50, 2, max_test_points=MAX_POINTS)
    part = load_test_split("digits", 50, 2)
    assert (whole.num_points, part.num_points) == (1747, 1000)
    place = {row.tobytes(): i for i, row in enumerate(whole.X)}
    rows = [place[row.tobytes()] for row in part.X]
    assert rows == sorted(rows) and whole.y[rows].tolist() == part.y.tolist()
    assert 0.4 < np.mean(np.array(rows) < 1747 / 2) < 0.6  # not the first thousand
    assert "1000 of the 1747 rows" in part.description


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"center": True}, {"center": True, "lift": True}])
def test_a_preparation_maps_new_rows_as_it_maps_those_of_its_table(options):
    rng = np.random.default_rng(1)
    table = rng.normal(3.0, [1.0, 1e-3, 1e5], (30, 3))
    preparation = Preparation.of(table, **options)
    fresh = rng.normal(size=(4, 3))
    mixed = preparation.apply(np.vstack([fresh, table[5:9]]))
    np.testing.assert_array_equal(mixed[4:], preparation.unit_rows(table)[5:9])
    shift = table.mean(axis=0) if options else 0.0
    Z = (fresh - shift) / (table.std(axis=0) if "standardize" in options else 1.0)
    np.testing.assert_allclose(
        mixed[:4], unit(np.column_stack([Z, np.ones(4)]) if "lift" in options else Z), atol=1e-12
    )


def test_rows_without_direction_are_left_out():
    table = np.array([[1.0, 2, 3], [3.0, 2, 1], [2.0, 2, 2], [0.0, 1, 5], [2.0, 2, 2 + 1e-16]])
    chosen, y = np.array([0, 1]), np.arange(5.0)
    preparation = Preparation.of(table[chosen], center=True)

    def split(size):
        sampling = Sampling.of_seed(2, 9, 0)
        return Split.of_rows(table[:size], y[:size], chosen, preparation, sampling, name="five", description="Five.")

    assert split(5).train.y.tolist() == [0.0, 1.0]
    assert split(5).test.y.tolist() == [3.0]
    np.testing.assert_allclose(split(5).test.X, unit(np.array([[-2.0, -1, 3]])))
    assert split(3).test is None and split(2).test is None


# CSV files


@pytest.mark.parametrize(("num_features", "lift", "standardize"), [(1, None, True), (4, None, False), (4, True, True)])
def test_csv_rows_are_divided_without_rest(num_features, lift, standardize):
    rng = np.random.default_rng(1)
    table = rng.normal(2.0, 3.0, (40, num_features + 1))
    names = ",".join(f"c{j}" for j in range(num_features))
    text = f"{names},y\n" + "".join(",".join(map(repr, row)) + "\n" for row in table.tolist())
    file, options = io.StringIO(text), {"seed": 3, "lift": lift, "standardize": standardize}
    whole = Dataset.from_csv(file, "y", **options)
    split = Split.from_csv(file, "y", num_points=15, **options)
    train, test = split.train, split.test
    assert Dataset.from_csv(file, "y", num_points=15, **options).X.tobytes() == train.X.tobytes()
    taken = np.isin(whole.y, train.y)
    np.testing.assert_allclose(train.X, whole.X[taken], atol=1e-15)
    np.testing.assert_allclose(test.X, whole.X[~taken], atol=1e-15)
    assert test.y.tolist() == whole.y[~taken].tolist() and test.lifted is whole.lifted
    few = Split.from_csv(file, "y", num_points=15, max_test_points=4, **options).test
    assert few.num_points == 4 and rows_of(few.X) < rows_of(test.X)
    assert Split.from_csv(file, "y", num_points=40, **options).test is None
    assert Split.from_csv(file, "y", **options).test is None


def test_test_rows_of_a_csv_file_share_the_target_rule_and_its_arguments_are_checked():
    rows = "".join(f"{a},{a * a % 7},{a * 5 % 11},{'xyz'[a % 3]}\n" for a in range(1, 20))
    file = io.StringIO("a,b,c,y\n" + rows)
    split = Split.from_csv(file, "y", positive="z", num_points=9)
    assert set(split.test.y) == {-1.0, 1.0} and (split.train.y > 0).sum() + (split.test.y > 0).sum() == 6
    for most in (0, MAX_POINTS + 1):
        with pytest.raises(ValueError, match="max_test_points"):
            Split.from_csv(file, "y", positive="z", num_points=9, max_test_points=most)


def test_csv_rows_at_the_mean_are_refused_among_training_points_and_left_out_of_test_points():
    text = "a,b,c,y\n" + "".join(f"{a},{b},{c},{a}\n" for a, b, c in [(0, 1, 2), (2, 3, 1), (1, 2, 1.5), (1, 2, 1.5)])
    refused = tested = 0
    for seed in range(30):
        try:
            split = Split.from_csv(io.StringIO(text), "y", num_points=1, seed=seed)
        except ValueError as error:
            assert "line 4 equals the mean" in str(error) or "line 5 equals the mean" in str(error)
            refused += 1
            continue
        tested += 1
        assert split.test.X.tolist() == (-split.train.X).tolist()
    assert refused and tested
