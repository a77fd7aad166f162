"""A run that goes on from a checkpoint has the bits of one that was never interrupted."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from test_trainer import assert_same_record

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.cli import main
from treeviz.training.checkpoint import Checkpoint, CheckpointWriter

RUNS = {
    "forest": {"width": 300, "step_size": None, "method": "gradient-descent"},
    "mini-batches": {"width": 300, "step_size": None, "method": "sgd", "batch_size": 3, "search": "dense"},
    "Gauss-Newton": {"width": 300, "threshold": 0.0, "step_size": 0.1},
    "drawn": {"width": 5000, "search": "watch", "draw": "firing", "method": "gradient-descent"},
}


def record_run(path, config, num_iterations, resumed=None):
    data = load_dataset("sphere", num_points=6, seed=1)
    trainer = Trainer(data, config)
    writer = CheckpointWriter(path, data, config, resumed)
    trainer.run(num_iterations, 0.0, on_step=writer.take)
    return trainer


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_has_the_same_bits(name, tmp_path):
    config = TrainConfig(**RUNS[name])
    whole = record_run(tmp_path / "whole", config, 8)
    record_run(tmp_path / "part", config, 5)
    cut = (tmp_path / "part").read_bytes()
    (tmp_path / "part").write_bytes(cut + b'{"iteration": 5, "lo')  # the machine went off here
    resumed = Trainer.resume(tmp_path / "part")
    assert resumed.config == config and len(resumed.trace.records) == 5
    found = Checkpoint.load(tmp_path / "part")
    assert len(found.dual_steps) == 5 and found.num_bytes == len(cut)
    writer = CheckpointWriter(tmp_path / "part", found.data, found.config, found)
    resumed.run(3, 0.0, on_step=writer.take)
    for ours, theirs in zip(whole.trace.records, resumed.trace.records, strict=True):
        assert_same_record(ours, theirs)
    assert np.array_equal(whole.weights(), resumed.weights())
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_moves_of_the_file_are_made(tmp_path):
    config = TrainConfig(width=300, search="dense")
    record_run(tmp_path / "run", config, 2)
    head, first, second = (tmp_path / "run").read_text().splitlines()
    line = json.loads(first)
    line["dual_step"][0] += 0.5
    (tmp_path / "run").write_text("\n".join([head, json.dumps(line), second]) + "\n")
    trainer = Trainer.resume(tmp_path / "run")
    assert [record.dual_step.tolist() for record in trainer.trace.records] == [
        line["dual_step"],
        json.loads(second)["dual_step"],
    ]


def spoil_head(lines):
    return [lines[0][: len(lines[0]) // 2], *lines[1:]]


DAMAGES = {
    "no file": lambda lines: None,
    "nothing": lambda lines: [],
    "text": lambda lines: ["hello"],
    "another kind of file": lambda lines: ['{"format": "other", "version": 1}'],
    "another version": lambda lines: [lines[0].replace('"version": 1', '"version": 9'), *lines[1:]],
    "half a head": spoil_head,
    "a run that is none": lambda lines: ['{"format": "treeviz-checkpoint", "version": 1, "run": "AAAA"}'],
    "a line left out": lambda lines: [lines[0], *lines[2:]],
    "a number left out": lambda lines: [lines[0], '{"iteration": 0, "dual_step": [1.0]}'],
    "no number": lambda lines: [lines[0], '{"iteration": 0, "dual_step": [1, 2, 3, 4, 5, NaN]}'],
    "a list": lambda lines: [lines[0], "[]"],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_used_is_refused(damage, tmp_path):
    path = tmp_path / "run"
    record_run(path, TrainConfig(width=300), 3)
    lines = DAMAGES[damage](path.read_text().splitlines())
    path.unlink()
    if lines is not None:
        path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ValueError, match="there is no file" if lines is None else "is not a readable checkpoint"):
        Checkpoint.load(path)


def test_no_file_is_written_over_and_no_fault_is_kept(tmp_path):
    (tmp_path / "there").write_text("mine")
    data = load_dataset("circle")
    with pytest.raises(FileExistsError):
        CheckpointWriter(tmp_path / "there", data, TrainConfig(width=64))
    with pytest.raises(ValueError, match="fault"):
        CheckpointWriter(tmp_path / "new", data, TrainConfig(width=64, fault="stale-maximum"))
    assert (tmp_path / "there").read_text() == "mine" and not (tmp_path / "new").exists()


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_goes_on_from_a_checkpoint(tmp_path):
    run = ["run", "--data", "sphere", "--points", 6, "--width", 300, "--method", "gradient-descent", "--until-loss", 0]
    whole = invoke(*run, "--iterations", 6, "--checkpoint", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    assert invoke(*run, "--iterations", 4, "--checkpoint", tmp_path / "part").exit_code == 0
    go_on = ["run", "--resume", tmp_path / "part", "--until-loss", 0]
    resumed = invoke(*go_on, "--iterations", 6)
    assert resumed.exit_code == 0, resumed.output
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()
    for ours, theirs in zip(whole.stdout.splitlines(), resumed.stdout.splitlines(), strict=True):
        if ours[:9].strip().isdigit():
            assert ours.split()[:-1] == theirs.split()[:-1]  # all but the seconds
    for arguments, words in (
        ([*run, "--checkpoint", tmp_path / "part"], "is there already: go on from it with --resume"),
        ([*run, "--checkpoint", tmp_path / "none" / "file"], "there is no folder"),
        ([*go_on, "--width", 64], "--resume takes data and settings from its file: leave out --width"),
        ([*go_on, "--checkpoint", tmp_path / "other"], "leave out --checkpoint"),
        (["run", "--resume", __file__], "is not a readable checkpoint"),
    ):
        refused = invoke(*arguments)
        assert refused.exit_code == 1 and words in refused.stderr, refused.output
