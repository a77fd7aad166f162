"""Data frames, Parquet and Excel files: the same datapoints as the CSV file that says the same."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from test_data import refusal

from treeviz import Dataset
from treeviz.cli import main
from treeviz.data import frames
from treeviz.data.csv_columns import find_columns
from treeviz.data.csv_options import CsvOptions


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "#a": generator.normal(size=30),
            "b, c": generator.normal(size=30).astype(np.float32),
            "single": (generator.normal(size=30) * 1e-9).astype(np.float32),
            "whole": generator.integers(0, 9, 30),
            "flag": generator.integers(0, 2, 30).astype(bool),
            "text": [["red", 'a "blue"\nline', "it's;green"][i % 3] for i in range(30)],
            7: generator.normal(size=30) * 1e200,
            "kind": [["x", "y"][i % 2] for i in range(30)],
        },
        index=[1] * 30,
    )


def raw(frame, names):
    table = frame[names].to_numpy(dtype=np.float64)
    return Dataset.from_arrays(table, np.where(frame["kind"] == "y", 1.0, -1.0))


def test_a_frame_gives_the_numbers_it_holds(frame):
    data = Dataset.from_frame(frame, "kind")
    names = ["#a", "b, c", "single", "whole", "flag", 7]
    assert data.columns == tuple(map(str, names)) and data.name == "frame" and data.source is None
    expected = raw(frame, names)
    assert np.array_equal(data.X, expected.X) and np.array_equal(data.y, expected.y)


def test_options_are_those_of_a_file(frame):
    data = Dataset.from_frame(frame, "text", positive="red", leave_out=["7", "kind"], one_hot=True, name="mine")
    assert data.name == "mine" and (data.y == 1).sum() == 10 and "mine" in data.description
    assert Dataset.from_frame(frame, "kind", one_hot=True).columns[-2:] == ("text = red", "7")
    some = Dataset.from_frame(frame, "kind", num_points=8, seed=5)
    assert some.num_points == 8 and not np.array_equal(some.X, Dataset.from_frame(frame, "kind", num_points=8).X)


def test_missing_cells_are_named_and_can_be_left_out(frame):
    frame = frame.astype({"whole": "Int64", "flag": "boolean"})
    frame.iloc[3, 3], frame.iloc[7, 4], frame.iloc[9, 0] = pd.NA, pd.NA, np.nan
    refusal(lambda: Dataset.from_frame(frame, "kind"), "frame, line 11, column '#a': the cell is empty")
    data = Dataset.from_frame(frame, "kind", skip_bad_rows=True)
    assert data.num_points == 27 and np.array_equal(data.X, raw(frame.dropna(), [*data.columns[:-1], 7]).X)


def test_what_is_no_table_is_refused(frame):
    refusal(lambda: Dataset.from_frame([[1, 2]], "kind"), "frame must be a pandas data frame, not list")
    refusal(lambda: Dataset.from_frame(frame[[]], "kind"), "frame has no columns")
    refusal(lambda: Dataset.from_frame(frame, "kin"), "there is no target column 'kin'")
    refusal(lambda: Dataset.from_frame(frame, "kind", separator=";"), "separator does not apply")
    refusal(lambda: Dataset.from_frame(frame[["#a", "#a", "kind"]], "kind"), "two columns are named '#a'")


def write(frame, path):
    frame.columns = [str(name) for name in frame.columns]
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_excel(path, index=False)
    return path


KINDS = ["parquet", "xlsx"]


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_other_kinds_are_read_by_their_names(frame, kind, tmp_path):
    frame["text"] = frame["text"].str.replace("\n", " ")
    path = write(frame, tmp_path / f"table.{kind}")
    data, expected = Dataset.from_csv(path, "kind"), Dataset.from_frame(frame, "kind")
    assert np.allclose(data.X, expected.X, rtol=1e-14) and np.array_equal(data.y, expected.y)
    assert data.name == "table" and data.source.as_python() == f"Dataset.from_csv('table.{kind}', target='kind')"
    with path.open("rb") as file:
        assert np.array_equal(Dataset.from_csv(file, "kind").X, data.X)
        columns = find_columns(file, CsvOptions(""), max_features=100)
    assert [(column.name, column.kind) for column in columns][-3:] == [
        ("text", "text"),
        ("7", "numbers"),
        ("kind", "text"),
    ]
    done = CliRunner().invoke(main, ["run", "--data", str(path), "--target", "kind", "--width", "64"])
    assert done.exit_code == 0 and "table: Points are rows of" in done.output


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_a_sentence(kind, tmp_path):
    path = tmp_path / f"table.{kind}"
    for content in (b"", b"a,b\n1,2\n", b"PAR1" + bytes(40) + b"PAR1", b"PK\x03\x04" + bytes(30)):
        path.write_bytes(content)
        refusal(lambda: Dataset.from_csv(path, "kind"), f"table.{kind} cannot be read as {kind}", "save it as CSV")
    refusal(lambda: Dataset.from_csv(tmp_path / f"none.{kind}", "kind"), "there is no file")
    refusal(lambda: Dataset.from_csv(path, "kind", decimal=","), "decimal does not apply")


def test_a_file_that_would_become_too_large_is_refused(monkeypatch, tmp_path):
    path = write(pd.DataFrame({"a": np.zeros(frames._MOST_CELLS + 1, dtype=np.int8)}), tmp_path / "a.parquet")
    assert path.stat().st_size < 100_000
    refusal(lambda: Dataset.from_csv(path, "a"), "a.parquet has more than 4,194,304 cells")
    monkeypatch.setattr(frames, "readable_kinds", lambda: ["parquet", "xlsx"])
    monkeypatch.setattr(frames, "_MOST_BYTES", 1000)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sheet.xml", bytes(2000))
    (tmp_path / "a.xlsx").write_bytes(content.getvalue())
    refusal(lambda: Dataset.from_csv(tmp_path / "a.xlsx", "a"), "a.xlsx unpacks to more than")


def test_without_its_reader_a_file_is_refused_with_its_name(monkeypatch, tmp_path):
    monkeypatch.setattr(frames, "readable_kinds", lambda: ["parquet"])
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    refusal(lambda: Dataset.from_csv(tmp_path / "a.xlsx", "a"), "without the package openpyxl")
