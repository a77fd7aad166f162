"""`treeviz export`: files that hold a run's numbers, and what is refused before any work."""

import pandas as pd
import pytest
from click.testing import CliRunner

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.cli import main


def call(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_records_are_written_by_the_options_of_run(tmp_path):
    path = tmp_path / "run.csv"
    done = call("records", "--data", "sphere", "--width", 256, "--iterations", 3, "--until-loss", 0, "--out", path)
    assert done.exit_code == 0, done.output
    expected = Trainer(load_dataset("sphere"), TrainConfig(width=256)).run(3, 0.0)
    assert pd.read_csv(path, comment="#", dtype=str).loss.map(float).tolist() == expected.losses.tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "nowhere/run.csv"], "there is no folder"),
        (["--out", "."], "is a directory"),
        (["--until-loss", "-1", "--out", "run.csv"], "until_loss"),
        ([], "Missing option '--out'"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: pytest.fail("the work has begun"))
    done = call("records", *arguments)
    assert done.exit_code in (1, 2) and words in done.output and "Traceback" not in done.output
