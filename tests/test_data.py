"""Datasets: unit rows whatever comes in, the same bits every time, one clear refusal for bad input."""

import dataclasses
import io
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import StandardScaler

from treeviz.data import catalogue, csv_text
from treeviz.data.catalogue import DATASETS, load_dataset, load_split
from treeviz.data.dataset import MAX_FEATURES, MAX_POINTS, Dataset
from treeviz.model.config import TrainConfig
from treeviz.training.trainer import Trainer

# A remedy: every refusal must tell what to do.
REMEDIES = (
    "remove", "delete", "pass", "correct", "fill in", "choose", "save", "add ", "check", "rename", "replace",
    "use ", "give ", "keep", "leave", "convert", "divide",
)  # fmt: skip


def refusal(call, *fragments):
    """Run `call`, which must raise ValueError with all fragments and a remedy; return the message."""
    try:
        message = f"accepted: {call()}"
    except ValueError as error:
        assert not isinstance(error, UnicodeError)  # a ValueError too, and no message for a student
        message = str(error)
    missing = [fragment for fragment in fragments if fragment not in message]
    assert not missing, message
    assert any(remedy in message for remedy in REMEDIES), message
    assert "\n" not in message and len(message) < 700 and not message.startswith("accepted"), message
    return message


def assert_unit(data):
    assert np.isfinite(data.X).all() and np.isfinite(data.y).all()
    np.testing.assert_allclose(np.linalg.norm(data.X, axis=1), 1.0, rtol=0, atol=1e-12)


def csv_of(text, **options):
    return Dataset.from_csv(io.StringIO(text), options.pop("target", "y"), **options)


GOOD = "a,b,c,y\n1,2,3.5,0\n4,1,0,1\n2,2,8,0\n7,5,1,1\n"


# Dataset itself


def test_arrays_are_copied_frozen_and_kept_as_given():
    X, y = np.array([[1.0, 0.0], [0.6, 0.8 + 1e-11]]), [1, -1]
    data = Dataset(X, y, "two", "Two points.")
    X[0] = 7.0
    assert data.X.tolist() == [[1.0, 0.0], [0.6, 0.8 + 1e-11]] and data.y.dtype == np.float64
    assert not data.X.flags.writeable and not data.y.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.y = data.y
    assert (data.num_points, data.dimension) == (2, 2)
    np.testing.assert_allclose(data.gram, [[1.0, 0.6], [0.6, 1.0]])
    assert data == data and data != Dataset(data.X, data.y) and len({data, data}) == 1
    assert Dataset([[1.0]], [0.0]).num_points == 1


def test_duplicate_groups_against_all_pairs():
    rng = np.random.default_rng(5)
    X = rng.integers(0, 2, (60, 4)).astype(float)
    X[:, 3] = 1.0
    X[::2, :3] *= -1.0  # brings -0.0 beside 0.0
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    data = Dataset(X, np.zeros(60))
    same = (X[:, None] == X[None]).all(axis=2)
    expected = {tuple(np.flatnonzero(row)) for row in same if row.sum() > 1}
    groups = data.duplicate_groups()
    assert {tuple(group) for group in groups} == expected and len(groups) == len(expected)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    assert Dataset(np.eye(3), np.zeros(3)).duplicate_groups() == ()


def test_dataset_refuses():
    for X, y, fragments in [
        ([1.0, 0.0], [1.0], ["X has shape (2,)"]),
        (np.empty((0, 3)), [], ["X has shape (0, 3)"]),
        (np.empty((2, 0)), [1, 2], ["X has shape (2, 0)"]),
        ([[1.0, 0.0], [np.nan, 1.0]], [1, 2], ["X: row 1, column 0", "nan"]),
        ([[1.0, 0.0], [np.inf, 1.0]], [1, 2], ["X: row 1, column 0", "inf"]),
        ([[1.0, 0.0], [1.0, 1.0]], [1, 2], ["X: row 1", "1.414"]),
        ([[1.0, 0.0], [0.0, 0.0]], [1, 2], ["X: row 1", "length 0"]),
        ([[1.0, 0.0], [0.0, 1.0 + 1e-8]], [1, 2], ["X: row 1", "1.00000001"]),
        ([[1e200, 1e200]], [1], ["X: row 0"]),
        ([[1.0, 0.0]], [1, 2], ["X has 1 rows", "y has 2"]),
        ([[1.0, 0.0]], [[1]], ["y has shape (1, 1)"]),
        ([[1.0, 0.0]], [np.nan], ["y: row 0", "nan"]),
        ([["1.0", "0.0"]], [1], ["X must be"]),
        ([[1.0 + 1j, 0.0]], [1], ["X must be"]),
        ([[1.0], [1.0, 2.0]], [1, 2], ["X must be"]),
        ([[1.0]], None, ["y "]),
        ([[1.0]], [10**400], ["y must be"]),
        ([[1.0], [1.0]], [1.0, -1e151], ["y: row 1", "-1e+151", "power of ten"]),
    ]:
        refusal(partial(Dataset, X, y), *fragments)


def test_dataset_refuses_names_that_are_no_text():
    refusal(lambda: Dataset([[1.0]], [1.0], name=3), "name", "3")
    refusal(lambda: Dataset([[1.0]], [1.0], description=None), "description", "None")


def test_dataset_refuses_a_lift_that_cannot_be():
    for X, lifted, fragments in [
        ([[0.6, 0.8]], 1, ["lifted", "1"]),
        ([[0.6, 0.8]], None, ["lifted", "None"]),
        ([[1.0]], True, ["lifted=True", "lift=True"]),
        ([[0.6, 0.8], [1.0, 0.0]], True, ["lifted=True", "positive"]),
        ([[0.6, 0.8], [0.6, -0.8]], True, ["lifted=True", "positive"]),
    ]:
        refusal(partial(Dataset, X, np.zeros(len(X)), lifted=lifted), *fragments)
    assert not Dataset([[1.0]], [1.0]).lifted and Dataset([[0.6, 0.8]], [1.0], lifted=True).lifted


# from_arrays


@pytest.mark.parametrize(
    ("described", "fragment"),
    [
        ({"columns": ("a",)}, "1 names for 2 coordinates"),
        ({"columns": ["a", "b"]}, "tuple of names"),
        ({"columns": ("a", 2)}, "tuple of names"),
        ({"columns": ("a", "b", "one"), "lifted": True}, "3 names for 2 coordinates"),
        ({"image": (2, 2)}, "pixels"),
        ({"image": (2,)}, "two whole numbers"),
        ({"image": (-1, -2)}, "two whole numbers"),
        ({"image": [1, 2]}, "two whole numbers"),
        ({"image": (1.0, 2.0)}, "two whole numbers"),
    ],
)
def test_a_description_that_does_not_fit_the_coordinates_is_refused(described, fragment):
    X = np.array([[0.0, 0.6, 0.8]])[:, 0 if described.get("lifted") else 1 :]
    refusal(lambda: Dataset(X, [1.0], **described), fragment)


def test_data_say_what_their_coordinates_are():
    digits = load_dataset("digits", 5)
    assert digits.image == (8, 8) and digits.columns == ()
    for name, first, last in (
        ("wine", "alcohol", "proline"),
        ("diabetes", "age", "s6"),
        ("breast-cancer", "mean radius", "worst fractal dimension"),
    ):
        split = load_split(name, 20)
        for data in (split.train, split.test):
            assert (data.columns[0], data.columns[-1], data.image) == (first, last, None)
            assert len(data.columns) == data.dimension
    assert Dataset.from_csv(io.StringIO(GOOD), "y").columns == ("a", "b", "c")
    flat = Dataset.from_csv(io.StringIO(GOOD), "y", leave_out=("c",))
    assert flat.lifted and flat.columns == ("a", "b")
    for name in ("sphere", "circle", "moons"):
        assert load_dataset(name).columns == () and load_dataset(name).image is None


def test_standardizing_against_a_direct_computation():
    rng = np.random.default_rng(0)
    raw, y = rng.normal(3.0, [1.0, 10.0, 0.1], (20, 3)), rng.normal(size=20)
    Z = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    data = Dataset.from_arrays(raw, y)
    np.testing.assert_allclose(data.X, Z / np.linalg.norm(Z, axis=1, keepdims=True), atol=1e-13)
    assert data.y.tolist() == y.tolist()
    for scale in (1.0, 1e-3, 1e5):
        C = scale * raw - (scale * raw).mean(axis=0)
        centred = Dataset.from_arrays(scale * raw, y, standardize=False, center=True).X
        np.testing.assert_allclose(centred, C / np.linalg.norm(C, axis=1, keepdims=True), atol=1e-12)
        L = np.column_stack([C, np.ones(20)])
        lifted = Dataset.from_arrays(scale * raw, y, standardize=False, center=True, lift=True).X
        np.testing.assert_allclose(lifted, L / np.linalg.norm(L, axis=1, keepdims=True), atol=1e-12)
    plain = Dataset.from_arrays(raw, y, standardize=False).X
    np.testing.assert_allclose(plain, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-14)


def test_lift_is_automatic_for_one_or_two_features_and_said():
    raw = np.random.default_rng(0).normal(size=(9, 3))
    for d, dimension in ((1, 2), (2, 3), (3, 3)):
        data = Dataset.from_arrays(raw[:, :d], raw[:, 0])
        assert data.dimension == dimension
        assert ("constant coordinate" in data.description) == (d <= 2) == data.lifted
    assert Dataset.from_arrays(raw[:, :2], raw[:, 0], lift=False).dimension == 2
    assert Dataset.from_arrays(raw, raw[:, 0], lift=True).dimension == 4
    for lift in (False, True):
        assert Dataset.from_arrays(raw, raw[:, 0], lift=lift).lifted is lift
        assert Dataset.from_arrays(raw, raw[:, 0], lift=lift, standardize=False, center=True).lifted is lift
        assert csv_of(GOOD, lift=lift).lifted is lift
    assert csv_of("a,y\n1,2\n3,4\n").lifted
    assert not any(load_dataset(name).lifted for name in ("sphere", "circle", "digits", "wine"))
    zero = Dataset.from_arrays([[0.0, 0.0, 0.0]], [1.0], standardize=False, lift=True)
    assert zero.X.tolist() == [[0.0, 0.0, 0.0, 1.0]]


def test_from_arrays_refuses():
    for features, options, fragments in [
        ([[1.0, 2.0, 3.0]], {}, ["one row"]),
        ([[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]], {}, ["column 0", "constant", "1"]),
        ([[0.0, 1.0, 2.0], [2.0, 3.0, 1.0], [1.0, 2.0, 1.5]], {}, ["row 2", "lift=True"]),
        ([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]], {"standardize": False}, ["row 1", "zero", "lift=True"]),
        ([[0.0, 1.0, 2.0], [0.0, np.nan, 0.0]], {}, ["features: row 1, column 1", "nan"]),
        ([[0.3, 1.0], [0.1 + 0.2, 2.0]], {}, ["column 0", "constant"]),  # differ by round-off alone
        ([[0.0, 1.0], [2.0, 3.0]], {"lift": "yes"}, ["lift", "yes"]),
        ([[0.0, 1.0], [2.0, 3.0]], {"standardize": 1}, ["standardize", "1"]),
    ]:
        refusal(partial(Dataset.from_arrays, features, np.zeros(len(features)), **options), *fragments)


def test_a_row_at_the_mean_is_refused_though_round_off_leaves_a_trace():
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(7, 5)) * 10.0 + 0.1
    raw = np.vstack([raw, raw.mean(axis=0)])
    refusal(lambda: Dataset.from_arrays(raw, np.zeros(8)), "row 7", "lift=True")


@settings(max_examples=150, deadline=None)
@given(
    raw=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 8), st.integers(1, 5)),
        elements=st.floats(-1e3, 1e3, allow_subnormal=False),
    ),
    exponents=st.lists(st.integers(-150, 150), min_size=5, max_size=5),
    by_rows=st.booleans(),
    standardize=st.booleans(),
    center=st.booleans(),
    lift=st.sampled_from([None, False, True]),
)
def test_any_scale_gives_unit_rows_or_a_refusal(raw, exponents, by_rows, standardize, center, lift):
    n, d = raw.shape
    scale = 10.0 ** np.array(exponents)
    raw = raw * (np.resize(scale, n)[:, None] if by_rows else scale[:d])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            data = Dataset.from_arrays(raw, np.arange(n), standardize=standardize, center=center, lift=lift)
        except ValueError as error:
            assert any(cause in str(error) for cause in ("constant", "no direction", "one row")), error
            return
    assert_unit(data)
    assert data.num_points == n and data.dimension == d + data.lifted
    if data.lifted:
        assert (data.X[:, -1] > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(-900, 900), st.integers(0, 100))
def test_standardizing_ignores_the_unit_of_measurement(exponent, seed):
    raw = np.random.default_rng(seed).normal(size=(6, 4))
    scaled = np.ldexp(raw, exponent)
    y = np.zeros(6)
    assert Dataset.from_arrays(scaled, y).X.tobytes() == Dataset.from_arrays(raw, y).X.tobytes()


# from_csv: what is accepted


def test_csv_equals_from_arrays(tmp_path):
    path = tmp_path / "tiny.csv"
    path.write_text(GOOD)
    expected = Dataset.from_arrays([[1, 2, 3.5], [4, 1, 0], [2, 2, 8], [7, 5, 1]], [-1, 1, -1, 1])
    with open(path, "rb") as binary, open(path, encoding="utf-8") as words:
        binary.read(3), words.read(3)  # half read, as an upload may be: it is rewound
        for source in (path, str(path), binary, words, io.BytesIO(GOOD.encode()), io.StringIO(GOOD)):
            data = Dataset.from_csv(source, "y")
            assert data.X.tobytes() == expected.X.tobytes() and data.y.tolist() == [-1, 1, -1, 1]
        assert not binary.closed
    assert Dataset.from_csv(path, "y").name == "tiny"
    for said in ("tiny.csv", "'y' is 1", "standardized", "unit length"):
        assert said in Dataset.from_csv(path, "y").description


def test_dialects_give_the_same_points():
    for content in [
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace(",", " , ").encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace("\n", "\n\n  \n").encode(),
        b"\n" + GOOD.rstrip("\n").encode(),
        b"  \n \n" + GOOD.encode(),
        GOOD.replace("a,", '"a\nb",').encode(),  # a name of two lines
        ("\t" + GOOD.replace(",", "\t").replace("\n", "\n9\t").removesuffix("9\t")).encode(),  # an unnamed index
        b'"a","b","c","y"\n' + GOOD.split("\n", 1)[1].encode(),
        GOOD.replace("\n", ",\n").encode(),  # a trailing separator on every line
        GOOD.replace("\n", ",,\n").encode(),
    ]:
        assert Dataset.from_csv(io.BytesIO(content), "y").X.tobytes() == csv_of(GOOD).X.tobytes(), content


def test_a_file_object_that_cannot_be_rewound_is_read_as_it_stands():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *args):
            raise io.UnsupportedOperation

    assert Dataset.from_csv(Pipe(GOOD.encode()), "y").num_points == 4


def test_other_encodings():
    text = GOOD.replace("a,", "größe,").replace(",0\n", ",nö\n").replace(",1\n", ",ja\n")
    data = Dataset.from_csv(io.BytesIO(text.encode("cp1252")), "y", encoding="cp1252")
    assert data.y.tolist() == [1, -1, 1, -1]
    assert Dataset.from_csv(io.BytesIO(text.encode("utf-16")), "y", encoding="utf-16").X.tobytes() == data.X.tobytes()


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    text = "\ufeff" + "".join(",".join(reversed(line.split(","))) + "\n" for line in GOOD.split())
    assert csv_of(text).y.tolist() == Dataset.from_csv(io.BytesIO(text.encode()), "y").y.tolist() == [-1, 1, -1, 1]


def test_a_file_too_large_for_memory_is_refused(monkeypatch):
    monkeypatch.setattr(csv_text, "MAX_BYTES", len(GOOD))
    assert csv_of(GOOD).num_points == 4
    refusal(partial(csv_of, GOOD + "\n"), "larger than")


def test_text_and_unnamed_columns_are_left_out_and_said():
    data = csv_of(",a,b,c,town,y\n0,1,2,4,Oslo,3\n1,4,2.5,1,,4\n2,0,7,2,Rome,9\n")
    assert data.dimension == 3
    assert "'town'" in data.description and "unnamed" in data.description
    np.testing.assert_allclose([data.y.mean(), data.y.var()], [0, 1], atol=1e-12)
    assert "standardized to mean 0" in data.description


def test_target_rules():
    words = "a,b,c,y\n1,2,3.5,no\n4,1,0,yes\n2,2,8,no\n7,5,1,{}\n"
    two, three = words.format("yes"), words.format("perhaps")
    assert csv_of(two).y.tolist() == [-1, 1, -1, 1]
    assert "'yes'" in csv_of(two).description and "'no'" in csv_of(two).description
    assert csv_of(two, positive="no").y.tolist() == [1, -1, 1, -1]
    assert csv_of(three, positive="yes").y.tolist() == [-1, 1, -1, -1]
    numbers = "a,b,c,y\n1,2,3.5,5\n4,1,0,7\n2,2,8,5\n7,5,1,9\n"
    for positive in (7, 7.0, "7", "7.0", np.int64(7)):
        assert csv_of(numbers, positive=positive).y.tolist() == [-1, 1, -1, -1]
    flags = "a,b,c,y\n1,2,3.5,True\n4,1,0,False\n2,2,8,True\n7,5,1,True\n"
    assert csv_of(flags).y.tolist() == [1, -1, 1, 1]
    assert csv_of(flags, positive=False).y.tolist() == [-1, 1, -1, -1]
    spelled = "a,b,c,y\n1,2,3.5,True\n4,1,0,0\n2,2,8,1\n7,5,1,TRUE\n"
    assert csv_of(spelled, positive=True).y.tolist() == [1, -1, 1, 1]
    mixed = "a,b,c,y\n1,2,3.5,1\n4,1,0,2\n2,2,8,x\n7,5,1,2\n"
    assert csv_of(mixed, positive="x").y.tolist() == [-1, -1, 1, -1]
    na = "a,b,c,y\n1,2,3.5,NA\n4,1,0,None\n2,2,8,NA\n"  # classes, not missing cells
    assert csv_of(na).y.tolist() == [-1, 1, -1]


def test_boolean_columns_are_numbers_even_beside_other_spellings():
    data = csv_of("a,b,c,y\nTrue,2,3.5,0\nFALSE,1,0,1\ntrue,2,8,3\nFalse,5,1,4\n")
    same = csv_of("a,b,c,y\n1,2,3.5,0\n0,1,0,1\n1,2,8,3\n0,5,1,4\n")
    assert data.X.tobytes() == same.X.tobytes()


def test_duplicate_rows_are_accepted():
    data = csv_of("a,b,c,y\n1,2,3,0\n4,1,0,1\n1,2,3,0\n1,2,3,1\n")
    assert [group.tolist() for group in data.duplicate_groups()] == [[0, 2, 3]]


def test_num_points_takes_rows_in_order_scaled_by_the_whole_file():
    rng = np.random.default_rng(1)
    rows = "".join(f"{a!r},{b!r},{c!r},{i}\n" for i, (a, b, c) in enumerate(rng.normal(size=(40, 3)).tolist()))
    text = "a,b,c,y\n" + rows
    whole, part = csv_of(text), csv_of(text, num_points=10, seed=3)
    chosen = [whole.y.tolist().index(value) for value in part.y]
    assert chosen == sorted(chosen) and part.num_points == 10
    assert part.X.tobytes() == whole.X[chosen].tobytes()
    assert part.X.tobytes() == csv_of(text, num_points=10, seed=3).X.tobytes()
    assert part.X.tobytes() != csv_of(text, num_points=10, seed=4).X.tobytes()
    assert csv_of(text, num_points=40).X.tobytes() == whole.X.tobytes()
    assert csv_of(text, num_points=1).num_points == 1


def test_huge_and_tiny_values_are_scaled_not_overflown():
    text = "a,b,c,y\n1e200,2e-300,3,1e300\n-4e200,1e-300,0,-1e300\n2e200,5e-300,8,0\n"
    data, plain = csv_of(text), csv_of("a,b,c,y\n1,2,3,1\n-4,1,0,-1\n2,5,8,0\n")
    np.testing.assert_allclose(data.X, plain.X, atol=1e-12)
    np.testing.assert_allclose(data.y, plain.y, atol=1e-12)
    assert_unit(csv_of("a,b,c,y\n1.7e308,1,3,0\n-1.7e308,2,0,1\n1.7e308,5,8,1\n"))
    assert_unit(csv_of(f"a,b,c,y\n{10**30},1,3,0\n2,2,0,1\n4,5,8,1\n"))


def test_centring_does_not_overflow():
    raw = np.array([[1.7e308, 1.0, 2.0], [-1.7e308, 2.0, 0.0], [1.7e308, 5.0, 1.0]])
    assert_unit(Dataset.from_arrays(raw, np.zeros(3), standardize=False, center=True))


def test_without_standardizing_constant_columns_may_stay():
    data = csv_of("a,b,c,y\n0,2,3,0\n0,1,0,1\n", standardize=False)
    np.testing.assert_allclose(data.X, [[0, 2 / 13**0.5, 3 / 13**0.5], [0, 1, 0]], atol=1e-15)


# from_csv: what is refused

BAD = {
    "empty file": ("", {}, ["empty"]),
    "blank lines only": ("\n \n\n", {}, ["empty"]),
    "header only": ("a,b,y\n", {}, ["no rows"]),
    "one row": ("a,b,y\n1,2,3\n", {}, ["one row"]),
    "target missing": (GOOD, {"target": "z"}, ["'z'", "'a', 'b', 'c', 'y'"]),
    "many columns listed": (
        ",".join(f"k{i}" for i in range(30)) + "\n",
        {"target": "z"},
        ["'k9'", "20 more"],
    ),
    "target not text": (GOOD, {"target": 3}, ["target", "3"]),
    "target only": ("y\n1\n2\n", {}, ["no numeric feature column"]),
    "text features only": ("a,y\nu,1\nv,2\n", {}, ["no numeric feature column", "'a'"]),
    "empty cell": (
        "a,b,y\n1,2,0\n3,,1\n4,5,1\n",
        {},
        ["line 3", "'b'", "empty", "fill it in", "skip_bad_rows=True", "leave_out=['b']"],
    ),
    "empty target": ("a,b,y\n1,2,0\n3,4,\n4,5,1\n", {}, ["line 3", "'y'", "empty"]),
    "empty text target": ("a,b,y\n1,2,u\n3,4,\n4,5,v\n", {}, ["line 3", "'y'", "empty"]),
    "short row": ("a,b,y\n1,2,0\n3\n4,5,1\n", {}, ["line 3", "empty"]),
    "empty flag": ("a,b,y\nTrue,2,0\n,3,1\nFalse,5,1\n", {}, ["line 3", "'a'", "empty"]),
    "nan": ("a,b,y\n1,2,0\n3,nan,1\n4,5,1\n", {}, ["line 3", "'b'", "'nan'"]),
    "NA": ("a,b,y\n1,2,0\n3,NA,1\n4,5,1\n", {}, ["line 3", "'b'", "'NA'"]),
    "inf": ("a,b,y\n1,2,0\n3,4,1\n-inf,5,1\n", {}, ["line 4", "'a'", "'-inf'"]),
    "overflow": ("a,b,y\n1,2,0\n3,4,1\n1e400,5,1\n", {}, ["line 4", "'a'", "'1e400'", "too large"]),
    "huge integer": (f"a,b,y\n1,2,0\n3,4,1\n{'9' * 400},5,1\n", {}, ["line 4", "'a'", "9999", "too large"]),
    "vast integer": (f"a,b,y\n1,2,0\n3,4,1\n{'9' * 5000},5,1\n", {}, ["line 4", "'a'", "9999", "too large"]),
    "infinite target": ("a,b,y\n1,2,0\n3,4,1\n4,5,inf\n", {}, ["line 4", "'y'", "'inf'"]),
    "text cell": ("a,b,y\n1,2,0\n3,abc,1\n4,5,1\n", {}, ["line 3", "'b'", "'abc'", "correct"]),
    "text cell in target": ("a,b,y\n1,2,0\n3,4,abc\n4,5,1\n", {}, ["line 3", "'y'", "'abc'"]),
    "half numbers": ("a,b,y\n1,2,0\n3,abc,1\n4,def,1\n5,6,0\n", {}, ["line 3", "'b'", "'abc'"]),
    "underscore": ("a,b,y\n1,2,0\n3,1_000,1\n4,5,1\n", {}, ["line 3", "'b'", "'1_000'"]),
    "blank line counted": ("a,b,y\n1,2,0\n\n3,abc,1\n4,5,1\n", {}, ["line 4", "'abc'"]),
    "quoted line break counted": ('a,b,t,y\n1,2,"u\nv",0\n3,abc,w,1\n4,5,w,1\n', {}, ["line 4", "'abc'"]),
    "thousands": ('a,b,y\n"1,000",2,0\n"3,500",3,1\n', {}, ["'1,000'", "decimal='.'", "decimal=','"]),
    "zero row": ("a,b,c,y\n1,2,3,0\n0,0,0,1\n4,5,9,1\n", {}, ["line 3", "0", "lift=True"]),
    "placeholder row": ("a,b,c,y\n1,2,3,0\n-9,-9,-9,1\n4,5,9,1\n", {}, ["line 3", "-9", "delete"]),
    "placeholder row, no lift": ("a,b,c,y\n1,2,3,0\n-9,-9,-9,1\n4,5,9,1\n", {"lift": False}, ["line 3", "-9"]),
    "row at the mean": ("a,b,c,y\n0,1,2,0\n2,3,1,1\n1,2,1.5,1\n", {}, ["line 4", "lift=True"]),
    "zero row of two": ("a,b,y\n1,2,0\n0,0,1\n", {"standardize": False, "lift": False}, ["line 3", "zero"]),
    "three classes": ("a,b,y\n1,2,u\n3,4,v\n4,5,w\n", {}, ["'y'", "'u', 'v', 'w'", "positive="]),
    "positive unknown": ("a,b,y\n1,2,u\n3,4,v\n", {"positive": "q"}, ["'q'", "'u', 'v'", "positive="]),
    "positive unknown number": (GOOD, {"positive": 3}, ["'3'", "0, 1", "positive="]),
    "positive no number": (GOOD, {"positive": "yes"}, ["'yes'", "0, 1", "positive="]),
    "constant target": ("a,b,y\n1,2,3\n3,4,3\n", {}, ["'y'", "constant", "3"]),
    "constant text target": ("a,b,y\n1,2,u\n3,4,u\n", {}, ["'y'", "constant", "u"]),
    "target of round-off": (
        "a,b,y\n1,2,0.3\n3,4,0.30000000000000004\n4,5,0.29999999999999993\n",
        {},
        ["'y'", "constant except for round-off"],
    ),
    "duplicate names": ("a,b,a,y\n1,2,3,0\n3,4,5,1\n", {}, ["'a'", "rename"]),
    "long row": ("a,b,y\n1,2,0\n3,4,1,9\n", {}, ["line 3"]),
    "all rows long": ("a,b,y\n1,2,0,5\n3,4,1,9\n", {}, ["line 2", "more cells"]),
    "open quote": ('a,b,y\n"1,2,0\n3,4,1\n', {}, ["well-formed", "quotes"]),
    "zero bytes": ("a,b,y\n1,\0,0\n3,4,1\n", {}, ["zero bytes"]),
    "one endless cell": ("q" * 300_000, {}, ["qqqq", "no target column"]),
    "num_points beyond": (GOOD, {"num_points": 5}, ["4 rows", "5 datapoints", "num_points=4"]),
    "num_points zero": (GOOD, {"num_points": 0}, ["num_points", "0"]),
    "num_points flag": (GOOD, {"num_points": True}, ["num_points", "True"]),
    "num_points float": (GOOD, {"num_points": 2.0}, ["num_points", "2.0"]),
    "num_points huge": (GOOD, {"num_points": MAX_POINTS + 1}, ["num_points", "4097"]),
    "seed negative": (GOOD, {"seed": -1}, ["seed", "-1"]),
    "encoding no name": (GOOD, {"encoding": 3}, ["encoding", "3"]),
}


def test_csv_refuses():
    for text, options, fragments in BAD.values():
        message = refusal(partial(csv_of, text, **options), *fragments)
        assert message == refusal(partial(Dataset.from_csv, io.BytesIO(text.encode()), **{"target": "y"} | options))


def test_cells_beyond_the_header_are_refused_whatever_the_warning_filters_are():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refusal(partial(csv_of, "a,b,y\n1,2,0,5\n3,4,1,9\n"), "line 2", "more cells")


def test_encodings_refused():
    for content, encoding, fragments in [
        ("a,b,y\n1,2,ä\n3,4,ö\n".encode("cp1252"), "utf-8", ["line 2", "0xe4", "UTF-8", "encoding="]),
        (GOOD.encode("utf-16"), "utf-8", ["UTF-8", "encoding="]),
        (GOOD.encode("utf-16-le"), "utf-8", ["encoding="]),
        (GOOD.encode(), "klingon", ["'klingon'", "encoding"]),
        (GOOD.encode(), "hex", ["'hex'", "encoding"]),
        (b"\x00\x01\x02\xff", "latin-1", ["zero bytes"]),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "utf-8", ["UTF-8"]),
    ]:
        refusal(partial(Dataset.from_csv, io.BytesIO(content), "y", encoding=encoding), *fragments)


def test_a_text_file_opened_in_the_wrong_encoding_is_refused(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("a,b,y\n1,2,ä\n".encode("cp1252"))
    with open(path, encoding="utf-8") as words:
        refusal(lambda: Dataset.from_csv(words, "y"), "old.csv", "UTF-8")
    with open(path, encoding="utf-16") as words:  # no byte order mark: a UnicodeError of another kind
        refusal(lambda: Dataset.from_csv(words, "y"), "old.csv", "UTF-8")


def test_paths_refused(tmp_path):
    refusal(lambda: Dataset.from_csv(tmp_path / "none.csv", "y"), "none.csv", "no file")
    refusal(lambda: Dataset.from_csv(str(tmp_path / "none.csv"), "y"), "none.csv", "check the path")
    refusal(lambda: Dataset.from_csv(tmp_path, "y"), str(tmp_path), "directory")
    refusal(lambda: Dataset.from_csv("x" * 5000, "y"), "check the path")
    refusal(lambda: Dataset.from_csv("nul\0.csv", "y"), "check the path")
    refusal(lambda: Dataset.from_csv(0, "y"), "0", "path")  # open(0) would wait for the keyboard
    refusal(lambda: Dataset.from_csv(None, "y"), "None", "path")
    closed = io.BytesIO(GOOD.encode())
    closed.close()
    refusal(lambda: Dataset.from_csv(closed, "y"), "closed")


def test_a_million_columns_are_refused_from_the_header():
    header = ",".join(f"c{i}" for i in range(10**6 - 1)) + ",y\n"
    rows = ("0," * (10**6 - 1) + "x\n") * 2
    refusal(lambda: csv_of(header + rows), "1,000,000", "4,096", "remove")


def test_limits_are_met_exactly():
    rng = np.random.default_rng(0)
    header = ",".join(f"c{i}" for i in range(MAX_FEATURES)) + ",y\n"
    rows = "".join(",".join(map(str, row)) + f",{row[0]}\n" for row in rng.integers(0, 10**6, (3, MAX_FEATURES)))
    assert csv_of(header + rows).dimension == MAX_FEATURES
    refusal(lambda: csv_of("extra," + header + rows), "4,098", "4,096")
    lines = "".join(f"{a},{a * a % 97},{a}\n" for a in range(MAX_POINTS + 1))
    refusal(lambda: csv_of("a,b,y\n" + lines), "4,096 rows", "num_points=")
    assert csv_of("a,b,y\n" + lines, num_points=MAX_POINTS).num_points == MAX_POINTS
    assert csv_of("a,b,y\n" + lines[: lines.rindex("\n", 0, -1) + 1]).num_points == MAX_POINTS


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ay12.,;\t\"' \n\r-e\0x_ä", max_size=60)
    | st.lists(st.lists(st.sampled_from(["1", "2.5", "", "x", "inf", "NA", "True", '"', "1e999", " 3 "])))
    .map(lambda rows: "\n".join(["a,b,y", *(",".join(row) for row in rows)]))
)  # fmt: skip
def test_any_text_gives_a_dataset_or_one_refusal(text):
    try:
        data = csv_of(text)
    except ValueError as error:
        assert not isinstance(error, UnicodeError) and any(remedy in str(error) for remedy in REMEDIES), error
    else:
        assert_unit(data)


# load_dataset


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_unit_rows_and_is_repeatable(name):
    info = DATASETS[name]
    for target in info.targets or (None,):
        for center in (False, True) if "center" in info.defaults else (None,):
            options = {"target": target, "center": center}
            data = load_dataset(name, **options)
            assert_unit(data)
            assert data.num_points == info.default_points and data.name == name
            assert data.description.endswith(".") and "target" in data.description
            again = load_dataset(name, num_points=info.default_points, seed=0, **options)
            assert data.X.tobytes() == again.X.tobytes() and data.y.tobytes() == again.y.tobytes()
            assert load_dataset(name, seed=1, **options).X.tobytes() != data.X.tobytes()
            assert data.description == again.description
            continuous = target in ("smooth", "digit", "class") or name == "diabetes"
            assert (set(data.y) <= {-1.0, 1.0}) != continuous
            assert 0.05 < np.abs(data.y).max() < 5


# Sums of the coordinates of 21 points, and of their targets, each entry multiplied by the cosine of its place.
SUMS = [
    ("sphere", {"target": "sign"}, 0.371870, -5.415780),
    ("sphere", {"target": "smooth"}, 0.371870, -1.927442),
    ("circle", {"target": "alternating"}, -0.252320, 0.454669),
    ("circle", {"target": "smooth"}, -0.252320, 0.025202),
    ("moons", {}, 13.123766, 0.454669),
    ("xor", {}, 0.346856, 0.454669),
    ("spirals", {}, -2.153604, 0.454669),
    ("digits", {"target": "parity", "center": False}, -4.319305, 2.946436),
    ("digits", {"target": "parity", "center": True}, -9.010568, 2.946436),
    ("digits", {"target": "is-9", "center": False}, -4.319305, -1.339091),
    ("digits", {"target": "is-9", "center": True}, -9.010568, -1.339091),
    ("breast-cancer", {}, 2.494168, 4.610242),
    ("wine", {"target": "is-0"}, -5.311243, -0.696361),
    ("wine", {"target": "class"}, -5.311243, -0.338856),
    ("diabetes", {}, 2.371925, 1.417614),
]


def test_points_stay_those_of_earlier_versions():
    for name, options, of_points, of_targets in SUMS:
        data = load_dataset(name, 21, seed=6, **options)
        sums = [np.cos(np.arange(array.size)) @ array.ravel() for array in (data.X, data.y)]
        np.testing.assert_allclose(sums, [of_points, of_targets], rtol=0, atol=2e-6, err_msg=f"{name} {options}")


@pytest.mark.parametrize("name", DATASETS)
def test_fewest_and_most_points(name):
    info = DATASETS[name]
    for n in {info.min_points, 4, 5, info.max_points}:
        data = load_dataset(name, n, seed=2**70)
        assert data.num_points == n
        assert_unit(data)
    for n in (info.min_points - 1, info.max_points + 1, -3, 0, True, 4.0, "8", np.nan):
        refusal(lambda n=n: load_dataset(name, n), "num_points", repr(n), str(info.max_points))
    for seed in (-1, 1.0, True, None, "0"):
        refusal(lambda seed=seed: load_dataset(name, seed=seed), "seed", repr(seed))


def test_options_that_do_not_apply_are_refused():
    given = {"target": "sign", "dimension": 3, "center": True, "noise": 0.1}
    for name, info in DATASETS.items():
        for option in given.keys() - set(info.options):
            call = partial(load_dataset, name, **{option: given[option]})
            refusal(call, f"{option}={given[option]!r} does not apply to {name}")


def test_load_dataset_refuses():
    for name, options, fragments in [
        ("sphere", {"target": "parity"}, ["'parity'", "sign, smooth"]),
        ("digits", {"target": "is-10"}, ["'is-10'", "is-9"]),
        ("digits", {"target": ["parity"]}, ["parity"]),
        ("sphere", {"dimension": 0}, ["dimension", "0"]),
        ("sphere", {"dimension": MAX_FEATURES + 1}, ["dimension", "4097"]),
        ("sphere", {"dimension": True}, ["dimension", "True"]),
        ("digits", {"center": 1}, ["center", "1"]),
        ("digits", {"center": True, "num_points": 1}, ["center", "num_points"]),
        ("moons", {"noise": -0.1}, ["noise", "-0.1"]),
        ("moons", {"noise": float("nan")}, ["noise", "nan"]),
        ("moons", {"noise": 2.001}, ["noise", "2.001"]),
        ("xor", {"noise": True}, ["noise", "True"]),
        ("spirals", {"noise": "0.1"}, ["noise", "'0.1'"]),
        ("digit", {}, ["did you mean 'digits'"]),
        ("Breast_Cancer", {}, ["did you mean 'breast-cancer'"]),
        ("qqq", {}, ["'qqq'", "sphere, circle"]),
        (None, {}, ["None", "sphere"]),
        ([], {}, ["[]", "sphere"]),
    ]:
        refusal(partial(load_dataset, name, **options), *fragments)


def test_sphere():
    for n, d in ((1, 1), (7, 1), (5, 300), (40, 3)):
        data = load_dataset("sphere", n, dimension=d)
        assert data.X.shape == (n, d)
        assert_unit(data)
    sign, smooth = load_dataset("sphere", 2000), load_dataset("sphere", 2000, target="smooth")
    assert sign.X.tobytes() == smooth.X.tobytes()
    assert abs(sign.y.mean()) < 0.1 and 0.7 < smooth.y.std() < 1.3
    assert np.abs(sign.X.mean(axis=0)).max() < 0.03


def test_points_do_not_repeat_the_seed_s_own_random_numbers():
    # A network drawing its weights from the same seed must not start with the datapoints among its neurons.
    rows = np.random.default_rng(0).standard_normal((16, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(rows @ load_dataset("sphere").X.T).max() < 0.95


def test_circle_is_even_and_turned_by_the_seed():
    data = load_dataset("circle")
    assert data.X.shape == (8, 2) and data.y.tolist() == [1, -1] * 4
    np.testing.assert_allclose(np.sum(data.X * np.roll(data.X, 1, axis=0), axis=1), np.cos(np.pi / 4))
    np.testing.assert_allclose(load_dataset("circle", target="smooth").y, data.X[:, 1])


@pytest.mark.parametrize("name", ["moons", "xor", "spirals"])
def test_planar_sets_are_lifted_and_hold_both_classes(name):
    for n in (4, 5, 33):
        data = load_dataset(name, n)
        assert data.dimension == 3 and set(data.y) == {-1.0, 1.0} and abs(data.y.sum()) <= 1
        assert data.lifted and (data.X[:, 2] > 0).all()
        raw = data.X[:, :2] / data.X[:, 2:]  # the lift keeps the plane: it can be read back
        np.testing.assert_allclose(raw.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(raw.std(axis=0), 1)
    assert_unit(load_dataset(name, 200, noise=0))
    assert_unit(load_dataset(name, noise=2))


def test_moons_are_those_of_scikit_learn():
    from sklearn.datasets import make_moons

    theirs, label = make_moons(30, shuffle=False)
    ours = load_dataset("moons", 30, noise=0)
    expected = Dataset.from_arrays(theirs, label)
    assert {tuple(row) for row in ours.X.round(9) + 0.0} == {tuple(row) for row in expected.X.round(9) + 0.0}


def test_real_data_against_the_bundled_tables():
    from sklearn import datasets

    pixels, digit = datasets.load_digits(return_X_y=True)
    data = load_dataset("digits", 1797, target="parity")
    np.testing.assert_array_equal(data.X, pixels / np.linalg.norm(pixels, axis=1, keepdims=True))
    assert data.y.tolist() == np.where(digit % 2, 1.0, -1.0).tolist()
    assert load_dataset("digits", 1797, target="is-3").y.tolist() == np.where(digit == 3, 1.0, -1.0).tolist()
    np.testing.assert_allclose(load_dataset("digits", 1797, target="digit").y, (digit - digit.mean()) / digit.std())
    centred = load_dataset("digits", 1797, center=True).X
    shifted = pixels - pixels.mean(axis=0)
    np.testing.assert_allclose(centred, shifted / np.linalg.norm(shifted, axis=1, keepdims=True), atol=1e-12)

    for name, loader in (("breast-cancer", "load_breast_cancer"), ("wine", "load_wine")):
        table, label = getattr(datasets, loader)(return_X_y=True)
        Z = (table - table.mean(axis=0)) / table.std(axis=0)
        Z /= np.linalg.norm(Z, axis=1, keepdims=True)
        whole = load_dataset(name, len(Z))
        np.testing.assert_allclose(whole.X, Z, atol=1e-12)
        assert whole.y.tolist() == np.where(label == 0, 1.0, -1.0).tolist()
        part = load_dataset(name, 20, seed=5)
        positions = [int(np.flatnonzero((row == whole.X).all(axis=1))[0]) for row in part.X]
        assert positions == sorted(set(positions))
        assert part.y.tolist() == whole.y[positions].tolist()
    whole = load_dataset("diabetes", 442)
    np.testing.assert_allclose([whole.y.mean(), whole.y.std()], [0, 1], atol=1e-12)


def test_digits_are_read_without_importing_scikit_learn(monkeypatch):
    monkeypatch.setattr(catalogue, "_bundled", None)
    assert load_dataset("digits").num_points == 50


def test_the_centred_mean_is_that_of_the_chosen_points():
    plain, centred = load_dataset("digits", 3), load_dataset("digits", 3, center=True)
    # Three centred images sum to zero, so the centred rows are linearly dependent; the plain ones are not.
    assert np.linalg.svd(centred.X)[1][2] < 1e-12 < 1e-2 < np.linalg.svd(plain.X)[1][2]


def test_catalogue_is_complete_and_read_only():
    assert list(DATASETS) == [
        "sphere", "circle", "moons", "xor", "spirals", "digits", "breast-cancer", "wine", "diabetes",
    ]  # fmt: skip
    for name, info in DATASETS.items():
        assert info.name == name and info.title
        assert 1 <= info.min_points <= info.default_points <= info.max_points <= MAX_POINTS
    with pytest.raises(TypeError):
        DATASETS["mine"] = DATASETS["sphere"]


# New rows


@pytest.mark.parametrize("lift", [True, False])
def test_new_rows_are_prepared_as_the_datapoints_were(lift):
    rng = np.random.default_rng(0)
    raw, fresh = 100 * rng.normal(size=(30, 6)) + 50, 100 * rng.normal(size=(7, 6)) + 50
    data = Dataset.from_arrays(raw, np.sign(raw[:, 0] - 50), lift=lift)
    assert np.array_equal(data.prepare(raw), data.X)
    expected = StandardScaler().fit(raw).transform(fresh)
    if lift:
        expected = np.column_stack([expected, np.ones(7)])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(data.prepare(fresh), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.prepare(fresh[:1]), expected[:1], rtol=0, atol=1e-12)

    trainer = Trainer(data, TrainConfig(width=512, solver="exact"))
    trainer.run(10)
    np.testing.assert_allclose(trainer.predict(data.prepare(raw)), data.y, atol=1e-3)
    with pytest.raises(ValueError, match=r"X: row 0 has length .*, not 1; .* trainer\.data\.prepare\(rows\)"):
        trainer.predict(raw if not lift else np.column_stack([raw, np.ones(30)]))


@pytest.mark.parametrize("name", ["moons", "digits", "breast-cancer", "diabetes"])
def test_test_points_are_what_prepare_makes(name):
    split = load_split(name, 20, 0)
    raw = split.train.preparation
    assert raw is not None and split.test.preparation is raw


def test_rows_that_cannot_be_prepared_are_refused():
    units = Dataset(np.eye(3), np.zeros(3), "units")
    with pytest.raises(ValueError, match=r"not known how the rows of 'units' were prepared; .*from_arrays"):
        units.prepare(np.eye(3))
    data = Dataset.from_arrays([[1.0, 2.0, 0.5], [3.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [1, -1, 1])
    with pytest.raises(ValueError, match=r"shape \(rows, 3\), as the raw rows had; got \(1, 2\)"):
        data.prepare([[1.0, 2.0]])
    with pytest.raises(ValueError, match="finite"):
        data.prepare([[1.0, 2.0, np.nan]])
