"""The command line, as a user and as a script see it."""

import csv
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from treeviz import Trace, TrainConfig, Trainer, load_dataset
from treeviz.cli import main
from treeviz.race.contestants import CONTESTANTS


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_refused(command, arguments, words):
    done = call(command, *arguments)
    assert done.exit_code in (1, 2), arguments
    assert words in done.output
    assert "Traceback" not in done.output and done.output.count("Error: ") == 1


def test_run_prints_a_row_an_iteration():
    done = call("run", "--data", "sphere", "--width", 512, "--iterations", 3, "--until-loss", 0)
    assert done.exit_code == 0, done.output
    expected = Trainer(load_dataset("sphere"), TrainConfig(width=512)).run(3, 0.0)
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit() and len(line.split()) == 7]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    for row, record in zip(rows, expected.records, strict=True):
        assert float(row[1]) == pytest.approx(record.loss, rel=1e-3)
        assert int(row[3].replace(",", "")) == record.touched.size
        assert int(row[4].replace(",", "")) == record.num_modified.sum()
        assert int(row[5].replace(",", "")) == record.num_operations


def test_run_prints_json_a_script_can_read():
    done = call("run", "--data", "digits", "--points", 10, "--width", 1024, "--solver", "exact", "--json")
    report = json.loads(done.stdout)
    expected = Trainer(load_dataset("digits", 10), TrainConfig(width=1024, solver="exact")).run()
    assert [record["loss"] for record in report["records"]] == expected.losses.tolist()
    assert report["amortized_operations"] == expected.amortized().tolist()
    assert report["records"][0]["num_firing"] == [fired.size for fired in expected.records[0].firing]
    assert report["config"]["resolved_threshold"] == pytest.approx(np.sqrt(0.48 * np.log(1024)))


def test_singular_runs_are_valid_json():
    done = call("run", "--data", "sphere", "--width", 8, "--threshold", 9, "--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert "no neuron fires" in report["records"][0]["status"]
    assert len(report["records"][0]["unlearnable"]) == 16


def test_only_what_fires_is_drawn_if_asked():
    drawn = call(
        "run", "--data", "sphere", "--width", 1 << 30, "--threshold", 4.5, "--search", "watch", "--draw", "firing"
    )
    assert drawn.exit_code == 0, drawn.output
    words = re.search(r"Drawn: the ([\d,]+) of 1,073,741,824 neurons that fire on a datapoint", drawn.output)
    assert 40_000 < int(words[1].replace(",", "")) < 70_000
    every = call("run", "--data", "sphere", "--width", 256, "--threshold", 0.5, "--draw", "firing", "--iterations", 1)
    assert "Drawn: all 256 neurons. Those that fire cannot be drawn by themselves" in every.output
    refused = call("run", "--data", "sphere", "--width", 256, "--search", "dense", "--draw", "firing")
    assert refused.exit_code == 1
    assert "--draw firing goes with --search forest, compact, table, watch; pass one of them" in refused.output
    wide = call("run", "--data", "sphere", "--width", 1 << 28)
    assert wide.exit_code == 1 and "width must be a whole number from 1 to 134,217,728" in wide.output


def test_the_skin_of_watch_lists_is_found_by_rule_or_given(tmp_path):
    for given, skin in (((), None), (("--skin", 0.25), 0.25)):
        path = tmp_path / "run.npz"
        command = ("run", "--data", "sphere", "--width", 256, "--search", "watch", "--save", path, "--iterations", 2)
        done = call(*command, *given)
        assert done.exit_code == 0, done.output
        trace = Trace.load(path)
        assert trace.config.skin == skin
        expected = Trainer(load_dataset("sphere"), TrainConfig(width=256, search="watch", skin=skin)).run(2)
        assert [record.watch.skin for record in trace.records] == [record.watch.skin for record in expected.records]
    done = call("run", "--data", "sphere", "--width", 256, "--search", "watch", "--skin", -1)
    assert done.exit_code == 1 and "skin must be a number 0 or more" in done.output


def test_a_saved_run_can_be_loaded(tmp_path):
    path = tmp_path / "run.npz"
    done = call("run", "--data", "xor", "--width", 256, "--iterations", 4, "--save", path)
    assert done.exit_code == 0, done.output
    trace = Trace.load(path)
    assert len(trace.records) == 4
    assert trace.dataset.name == "xor"


def test_a_csv_file_is_trained_on(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b,kind\n1,2,x\n3,1,y\n2,5,x\n4,4,y\n")
    assert json.loads(call("run", "--data", path, "--target", "kind", "--width", 64, "--json").stdout)["records"]
    assert "needs --target" in call("run", "--data", path).output
    assert "--noise does not apply" in call("run", "--data", path, "--target", "kind", "--noise", 1).output


def test_bad_input_is_refused_in_one_line():
    for arguments, words in [
        (["--data", "digit"], "digits"),
        (["--data", "missing.csv", "--target", "y"], "missing.csv"),
        (["--data", "digits", "--points", "99999"], "99999"),
        (["--data", "digits", "--dimension", "3"], "dimension"),
        (["--width", "0"], "--width"),
        (["--threshold", "-1"], "threshold"),
        (["--threshold", "nan"], "threshold"),
        (["--step-size", "0"], "step_size"),
        (["--save", "nowhere/run.npz"], "nowhere"),
        (["--save", "."], "is a directory"),
        (["--save", "/dev/null"], "no ordinary file"),
        (["--save", "/proc/run.npz"], "choose another --save"),
        (["--save", f"{'x' * 300}.npz"], "choose another --save"),
        (["--until-loss", "nan"], "until_loss must be a number 0 or more; got nan"),
        (["--until-loss", "inf"], "until_loss"),
        (["--until-loss", "-1"], "until_loss"),
        (["--positive", "x"], "--positive"),
    ]:
        assert_refused("run", arguments, words)


def test_a_target_that_cannot_be_written_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(Trainer, "__init__", lambda *_, **__: pytest.fail("the work has begun"))
    assert_refused("run", ["--save", "/proc/run.npz"], "/proc/run.npz")


def test_saving_to_a_link_keeps_the_link(tmp_path):
    (tmp_path / "there").mkdir()
    link, file = tmp_path / "link.npz", tmp_path / "there" / "run.npz"
    link.symlink_to(file)
    for count in (1, 2):  # the file is made, then replaced
        assert call("run", "--data", "xor", "--width", 64, "--iterations", count, "--save", link).exit_code == 0
        assert link.is_symlink() and len(Trace.load(file).records) == count
    assert [path.name for path in file.parent.iterdir()] == ["run.npz"]


def fill_disk(monkeypatch, folder):
    """Let the disk of a folder be full for what is written whole."""
    write = Path.write_bytes

    def refuse(path, content):
        if path.is_relative_to(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", refuse)


def test_on_a_full_disk_a_run_is_kept_elsewhere(monkeypatch, tmp_path):
    full, kept = tmp_path / "full", tmp_path / "kept"
    full.mkdir()
    kept.mkdir()
    old = full / "run.npz"
    old.write_text("an older run")
    fill_disk(monkeypatch, full)
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    done = call("run", "--data", "xor", "--width", 64, "--iterations", 3, "--save", old)
    assert done.exit_code == 1 and "No space left" in done.stderr and "Traceback" not in done.output
    assert "3 iterations" in done.stdout and old.read_text() == "an older run"
    (path,) = kept.rglob("run.npz")
    assert f"Saved to {path}." in done.stderr and len(Trace.load(path).records) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.slow
def test_output_that_cannot_be_printed_is_refused_before_the_work():
    for command in (["run", "--save", "x.npz"], ["race", "--csv"], ["bench", "--quick"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "treeviz.cli", *command], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "cannot print to standard output (No space left on device)" in done.stderr


FILLING = """
import errno, os, sys
from treeviz import cli

def refuse(text):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

cli.click.echo, sys.argv[0] = lambda text, **how: sys.stderr.write(text) if how else refuse(text), "treeviz"
cli.main()
"""


def test_a_result_that_cannot_be_printed_is_kept_in_a_file(tmp_path):
    command = [sys.executable, "-c", FILLING, *["run", "--data", "xor", "--width", "64", "--iterations", "3", "--json"]]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    (path,) = tmp_path.rglob("run.json")
    assert done.returncode == 1 and f"No space left on device): it is kept in {path}" in done.stderr
    assert len(json.loads(path.read_text())["records"]) == 3 and "Traceback" not in done.stderr


def test_interrupting_keeps_what_is_done(tmp_path):
    path = tmp_path / "run.npz"
    command = [sys.executable, "-m", "treeviz.cli", "run", "--data", "sphere", "--width", "20000", "--method"]
    command += ["gradient-descent", "--iterations", "1000000", "--until-loss", "0", "--save", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        while not lines or not lines[-1].strip().startswith("2 "):  # the row of iteration 2
            lines.append(process.stdout.readline())
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in rest
    assert "Traceback" not in errors
    trace = Trace.load(path)
    assert len(trace.records) >= 3
    assert trace.records[2].iteration == 2


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["option", "environment", "file"])
def test_the_app_takes_its_port_from_wherever_it_is_set(tmp_path, source):
    port = free_port()
    command = [sys.executable, "-m", "treeviz.cli", "app"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    if source == "option":
        command += [f"--server.port={port}"]
        environment["STREAMLIT_SERVER_PORT"] = str(free_port())
    elif source == "environment":
        environment["STREAMLIT_SERVER_PORT"] = str(port)
    else:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "config.toml").write_text(f"[server]\nport = {port}\n")
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            seen = ""
            while "http://" not in seen and process.poll() is None and time.monotonic() < deadline:
                seen += process.stdout.readline()
            assert f"http://127.0.0.1:{port}" in seen  # the address is ours, in all three
            assert "restart streamlit" not in seen  # its warning of options that were set late
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


# Races


RACE = ("race", "--data", "sphere", "--width", 1024, "--until-loss", 1e-5)


def test_a_race_prints_a_table_and_the_verdict():
    done = call(*RACE, "--methods", "forest,dense, compact,kernel-ridge")
    assert done.exit_code == 0, done.output
    rows = {line[:30].strip(): line[30:].split() for line in done.stdout.splitlines() if line[30:].strip()}
    losses = Trainer(load_dataset("sphere"), TrainConfig(width=1024, solver="exact")).run(20, 1e-5).losses
    for title in ("Forest", "Dense", "Compaction"):
        assert int(rows[title][0]) == len(losses) - 1
        assert float(rows[title][5]) == pytest.approx(losses[-1], rel=0.06)
    assert "Kernel ridge (NTK)" in rows
    assert "To a loss of 10⁻⁵, Forest needed " in done.stdout and "Of those that iterate, " in done.stdout


def test_a_race_as_json_and_as_csv_hold_the_same():
    arguments = (*RACE, "--methods", "forest,sgd-dense,descent-compact", "--max-iterations", 25, "--batch-size", 4)
    report = json.loads(call(*arguments, "--json").stdout)
    rows = list(csv.DictReader(call(*arguments, "--csv").stdout.splitlines()))
    assert [one["key"] for one in report["contestants"]] == ["forest", "sgd-dense", "descent-compact"]
    assert report["config"]["batch_size"] == 4 and report["config"]["width"] == 1024
    for one in report["contestants"]:
        own = [row for row in rows if row["contestant"] == one["key"]]
        assert [float(row["loss"]) for row in own] == one["laps"]["loss"]
        assert [int(row["operations"]) for row in own] == one["laps"]["operations"]
        assert sum(one["costs"].values()) == one["build_operations"] + sum(one["laps"]["lap_operations"])
    assert report["contestants"][0]["state"] == "reached" and report["verdict"]


def test_the_price_of_a_node_weighs_what_is_printed_and_changes_no_run(tmp_path):
    nodes = {"build": 16 * (2 * 1024 - 1)}  # of 16 trees
    paths = [tmp_path / f"{price}.npz" for price in (1, 10)]
    command = ("run", "--data", "sphere", "--width", 1024, "--iterations", 3, "--json")
    plain, dear = (
        json.loads(call(*command, "--node-price", price, "--save", path).stdout)
        for price, path in zip((1, 10), paths, strict=True)
    )
    assert (plain["node_price"], dear["node_price"]) == (1, 10) == (json.loads(call(*command).stdout)["node_price"], 10)
    assert dear["build_costs"]["build"] == plain["build_costs"]["build"] + 9 * nodes["build"]
    for one, other in zip(plain["records"], dear["records"], strict=True):
        assert other["costs"]["search"] == 10 * one["costs"]["search"] == 10 * sum(one["num_visited"])
        assert other["costs"]["repair"] > one["costs"]["repair"] and other["costs"]["solve"] == one["costs"]["solve"]
        assert (one["loss"], one["dense_costs"]) == (other["loss"], other["dense_costs"])
    costs = [sum(record["costs"].values()) for record in dear["records"]]
    built = sum(dear["build_costs"].values())
    assert dear["amortized_operations"][-1] == pytest.approx((built + sum(costs)) / len(costs), rel=1e-12)
    first, second = (Trace.load(path) for path in paths)
    assert [record.costs for record in first.records] == [record.costs for record in second.records]
    text = call("run", "--data", "sphere", "--width", 1024, "--iterations", 3, "--node-price", 10).stdout
    assert all(f"{cost:,}" in text for cost in (*costs, built))


def test_the_price_of_a_node_in_a_race():
    arguments = (*RACE, "--methods", "forest,dense-sparse")
    plain, dear = (json.loads(call(*arguments, "--json", "--node-price", price).stdout) for price in (1, 100))
    assert (plain["node_price"], dear["node_price"]) == (1, 100)
    (forest, dense), (dear_forest, dear_dense) = plain["contestants"], dear["contestants"]
    nodes = 16 * (2 * 1024 - 1)
    assert dear_forest["build_operations"] == forest["build_operations"] + 99 * nodes
    assert dear_forest["costs"]["search"] == 100 * forest["costs"]["search"]
    assert dear_dense["costs"] == dense["costs"] and dear_forest["laps"]["loss"] == forest["laps"]["loss"]
    assert "fewer operations" in plain["verdict"] and "more operations" in dear["verdict"]
    done = call(*arguments, "--node-price", 100).stdout
    assert f"{dear_forest['to_loss']['operations']:,}" in done and "counts as 100 operations" in done
    rows = list(csv.DictReader(call(*arguments, "--csv", "--node-price", 100).stdout.splitlines()))
    own = [int(row["operations"]) for row in rows if row["contestant"] == "forest"]
    assert own == dear_forest["laps"]["operations"]
    for command in ("run", "race"):
        assert "'1', '3', '10', '100'" in call(command, "--node-price", 7).output


def test_all_contestants_are_listed():
    lines = call("race", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CONTESTANTS)


def test_a_csv_file_is_raced_on(tmp_path):
    path = tmp_path / "table.csv"
    rng = np.random.default_rng(0)
    path.write_text("a,b,kind\n" + "".join(f"{a},{b},{'xy'[int(a > b)]}\n" for a, b in rng.random((12, 2))))
    arguments = ("race", "--data", path, "--width", 512, "--methods", "forest,dense", "--json")
    whole = json.loads(call(*arguments, "--target", "kind").stdout)
    assert whole["dataset"]["num_points"] == 12 and whole["contestants"][0]["test_error"] is None
    part = json.loads(call(*arguments, "--target", "kind", "--points", 8).stdout)
    assert "share of wrong signs on 4" in part["test_error"]
    assert part["contestants"][0]["test_error"] in (0.0, 0.25, 0.5, 0.75, 1.0)
    assert "needs --target" in call(*arguments).output


def test_a_race_that_cannot_be_is_refused_in_one_line():
    for arguments, words in [
        (["--methods", "forest,quantum"], "'quantum': choose among forest, "),
        (["--methods", ", ,"], "each once; got none"),
        (["--methods", "dense,dense"], "each once; got dense, dense"),
        (["--data", "digit"], "digits"),
        (["--data", "missing.csv", "--target", "y"], "missing.csv"),
        (["--positive", "x"], "--positive"),
        (["--width", "0"], "--width"),
        (["--threshold", "nan"], "threshold"),
        (["--ridge", "-1"], "ridge"),
        (["--batch-size", "0"], "--batch-size"),
        (["--max-iterations", "0"], "--max-iterations"),
        (["--until-loss", "nan"], "until_loss"),
        (["--until-loss", "-1"], "until_loss"),
        (["--until-loss", "inf"], "until_loss"),
        (["--max-seconds", "0"], "max_seconds"),
        (["--max-seconds", "nan"], "max_seconds"),
        (["--json", "--csv"], "exclude each other"),
        (["--width", str(1 << 27), "--data", "digits", "--points", "1000"], "choose a smaller width"),
    ]:
        assert_refused("race", arguments, words)


TELLING = """
import sys
from treeviz.cli import main
from treeviz.race.race import Race

run = Race.run

def run_and_tell(self, on_lap=None):
    def told(lane):
        on_lap(lane)
        if lane is self.lanes[1] and lane.num_laps == 3:
            print("under way", file=sys.stderr, flush=True)

    run(self, told)

Race.run = run_and_tell
main()
"""


def test_interrupting_a_race_keeps_what_is_done():
    command = [sys.executable, "-c", TELLING, "race", "--data", "sphere", "--width", "3000", "--csv"]
    command += ["--methods", "sgd-forest,sgd-dense", "--until-loss", "0", "--max-seconds", "300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "under way\n"
        os.kill(process.pid, signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    rows = list(csv.DictReader(rest.splitlines()))
    assert {row["contestant"] for row in rows} == {"sgd-forest", "sgd-dense"}
    for key in ("sgd-forest", "sgd-dense"):
        assert [int(row["iteration"]) for row in rows if row["contestant"] == key] == list(
            range(sum(row["contestant"] == key for row in rows))
        )


def test_run_trains_by_sgd_with_a_step_size_found_by_rule():
    arguments = ("run", "--data", "sphere", "--points", 12, "--width", 256, "--method", "sgd", "--search", "compact")
    done = call(*arguments, "--step-size", "auto", "--batch-size", 5, "--iterations", 30, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["config"]["step_size"] is None and report["config"]["batch_size"] == 5
    config = TrainConfig(width=256, method="sgd", search="compact", step_size=None, batch_size=5)
    expected = Trainer(load_dataset("sphere", 12), config).run(30)
    assert [record["loss"] for record in report["records"]] == expected.losses.tolist()
    assert "neither a number nor auto" in call(*arguments, "--step-size", "long").output
