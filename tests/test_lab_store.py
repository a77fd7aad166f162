"""Sweeps that share a store measure no task twice, whoever dies; and where nothing can be kept, nothing is lost."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import lab_process
import pytest
from click.testing import CliRunner
from lab_process import NUM_TASKS, experiment_of, in_threads
from server import ROOT

import treeviz.lab.experiments
from treeviz.cli import main
from treeviz.export.tables import read_tables
from treeviz.lab.experiment import Request
from treeviz.lab.store import LEASE_SECONDS, PointStore, name_task
from treeviz.lab.sweep import Sweep


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.sqlite"


@pytest.fixture
def install(monkeypatch):
    """Return what makes an experiment the only one there is."""

    def make(measure):
        experiment = experiment_of(measure)
        monkeypatch.setattr(treeviz.lab.experiments, "find_experiments", lambda: {experiment.key: experiment})
        return experiment

    return make


@contextmanager
def process(path, seconds):
    command = [sys.executable, lab_process.__file__, str(path), str(seconds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(command, **pipes, env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def begun(lines):
    return [int(line.split()[1]) for line in lines if line.startswith("begun")]


def test_two_processes_on_one_store_share_the_tasks(path):
    with process(path, 0.05) as one, process(path, 0.05) as other:
        for child in (one, other):
            child.stdin.write("\n")
            child.stdin.flush()
        lines = [child.communicate(timeout=60)[0].splitlines() for child in (one, other)]
    assert [told[-1] for told in lines] == [f"ended done {NUM_TASKS}"] * 2
    shares = list(map(begun, lines))
    assert sorted(shares[0] + shares[1]) == list(range(NUM_TASKS))
    assert all(shares)


def test_the_claims_of_a_process_that_was_killed_hold_nothing_up(path, install, monkeypatch):
    measured = []
    experiment = install(lambda task: measured.append(task["x"]) or {"y": 1.0})
    with process(path, 600) as child:
        child.stdin.write("\n")
        child.stdin.flush()
        claimed = begun([child.stdout.readline(), child.stdout.readline()])
        child.kill()
        child.wait()
    sweep = Sweep(Request(experiment), PointStore(path), in_threads)
    sweep.start(threading.Lock())
    deadline = time.monotonic() + 60
    while sweep.num_done < NUM_TASKS - 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert sorted(claimed + measured) == list(range(NUM_TASKS)) and sweep.is_on
    monkeypatch.setattr("treeviz.lab.store.time", lambda: time.time() + LEASE_SECONDS)
    sweep.join(60)
    assert sweep.state == "done" and sorted(measured) == list(range(NUM_TASKS))


def test_a_claim_lasts_as_long_as_its_task(path, install, monkeypatch):
    now = [time.time()]
    monkeypatch.setattr("treeviz.lab.store.time", lambda: now[0])
    experiment, store = install(lambda task: {"y": 1.0}), PointStore(path)
    first, second = Request(experiment).tasks[:2]
    assert store.claim(experiment, first, "one") and store.claim(experiment, second, "one")
    assert not store.claim(experiment, first, "other")
    now[0] += 0.9 * LEASE_SECONDS
    store.renew("one")
    now[0] += 0.9 * LEASE_SECONDS
    assert not store.claim(experiment, first, "other")
    store.keep(experiment, first, {"y": 1.0}, 0.1)
    assert not store.claim(experiment, first, "other") and not store.claim(experiment, first, "one")  # it is measured
    store.forget(experiment, [first])
    assert store.claim(experiment, first, "other") and not store.claim(experiment, second, "other")
    store.release("one")
    assert store.claim(experiment, second, "other")


def sweep_by_command(path, *options):
    return CliRunner().invoke(main, ["sweep", "slow", "--store", str(path), *options])


@pytest.fixture
def limited(monkeypatch):
    """Return what makes every database that is opened from now on unable to take more."""
    connect = sqlite3.connect

    def limit(how):
        monkeypatch.setattr("treeviz.lab.store.sqlite3.connect", lambda path, **options: how(connect, path, options))

    return limit


def full(connect, path, options):
    database = connect(path, **options)
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {max(pages, 4)}")
    return database


def read_only(connect, path, options):
    return connect(f"{Path(path).as_uri()}?mode=ro", uri=True, **options)


def test_a_full_store_ends_a_sweep_and_what_was_measured_is_printed(path, install, limited, monkeypatch, tmp_path):
    monkeypatch.setattr("treeviz.lab.pools.local_pool", lambda workers: in_threads)
    experiment = install(lambda task: {"y": float(task["x"]), "note": "x" * 1000})
    limited(full)
    done = sweep_by_command(path, "--json", "--out", str(tmp_path / "points.csv"))
    assert done.exit_code == 1 and "the sweep stopped: points cannot be kept" in done.stderr
    assert "is full): name another file by --store" in done.stderr
    values = [point["y"] for point in json.loads(done.stdout)["points"] if point["y"] is not None]
    num_kept = len(PointStore(path).find(experiment, set(map(name_task, Request(experiment).tasks))))
    assert 0 < num_kept < len(values) < NUM_TASKS
    assert len(read_tables(tmp_path / "points.csv")[1]["points"].y.dropna()) == len(values)


def test_a_store_that_is_read_only_is_refused_before_anything_is_measured(path, install, limited):
    measured = []
    install(lambda task: measured.append(task) or {"y": 1.0})
    PointStore(path)
    limited(read_only)
    done = sweep_by_command(path)
    assert done.exit_code == 1 and not measured
    assert f"points cannot be kept in {path} (attempt to write a readonly database)" in done.stderr


def test_a_reader_who_leaves_does_not_keep_files_from_being_written(path, install, monkeypatch, tmp_path):
    def leave(*_):
        raise BrokenPipeError

    monkeypatch.setattr("treeviz.lab.pools.local_pool", lambda workers: in_threads)
    monkeypatch.setattr("treeviz.cli_sweep.print_result", leave)
    install(lambda task: {"y": 1.0})
    done = sweep_by_command(path, "--out", str(tmp_path / "points.csv"))
    assert isinstance(done.exception, BrokenPipeError)
    assert len(read_tables(tmp_path / "points.csv")[1]["points"]) == NUM_TASKS
