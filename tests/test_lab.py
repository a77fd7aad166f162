"""The Lab's frame: what is measured is kept once, whatever dies; and a picture shows what was run, and no more."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from distributed import Client
from server import ROOT
from streamlit.testing.v1 import AppTest

import treeviz
import treeviz.lab.experiments
from treeviz.cli import main
from treeviz.export.columns import Column
from treeviz.export.tables import read_tables
from treeviz.lab import report
from treeviz.lab.curves import Panel, curves_of, formula
from treeviz.lab.desk import Desk
from treeviz.lab.experiment import Answer, Experiment, Request
from treeviz.lab.experiments import find_experiments
from treeviz.lab.experiments.sublinear import EXPERIMENT as SUBLINEAR
from treeviz.lab.figure import panel_figure
from treeviz.lab.pools import Pool, cluster_pool, local_pool, measure_point
from treeviz.lab.statistics import fit_exponent, local_exponents, median_of
from treeviz.lab.store import PointStore
from treeviz.lab.sweep import Sweep, require_sense
from treeviz.lesson import caveats
from treeviz.pages import lab

TINY = tuple({"method": name, "width": width, "seed": 0} for width in (64, 128, 256) for name in ("forest", "dense"))
CLUSTER = """from distributed import LocalCluster
import sys
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def square(**changes):
    """Return an experiment that measures the square of x, and refuses x = 3."""

    def measure(task):
        if task["x"] == 3:
            raise ValueError("3 has no square here")
        return {"y": float(task["x"] ** 2), "z": math.nan if task["x"] == 2 else 1.0}

    def answer(points):
        panel = Panel(title="Squares", x_title="x", y_title="y", curves=curves_of(points, "x", "y"))
        return Answer(f"The largest square is {points.y.max():g}.", (panel,), fits=(median_of("median", points.y),))

    settings = {
        "key": "square",
        "order": 1,
        "title": "Squares",
        "question": "How large are squares?",
        "varied": "x",
        "fixed": "nothing",
        "columns": {name: Column(kind, "1") for name, kind in {"x": int, "seed": int, "y": float, "z": float}.items()},
        "seeds": {"quick": 1, "default": 1, "full": 2},
        "plan": lambda size, seeds: [{"x": x, "seed": seed} for x in range(1, 6) for seed in range(seeds)],
        "measure": measure,
        "answer": answer,
        "required_bytes": lambda task: 100,
        "required_seconds": lambda task: 1.0,
    }
    return Experiment(**{**settings, **changes})


@pytest.fixture
def store(tmp_path):
    return PointStore(tmp_path / "lab.sqlite")


@pytest.fixture
def squares(monkeypatch):
    """Return what makes the square experiment the only one there is."""

    def install(**changes):
        experiment = square(**changes)
        monkeypatch.setattr(treeviz.lab.experiments, "find_experiments", lambda: {experiment.key: experiment})
        return experiment

    return install


@contextmanager
def in_threads():
    with ThreadPoolExecutor(2) as executor:
        yield Pool(executor, 2, ())


def wait_for(is_so, seconds=30):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_points_are_kept_as_they_come_and_not_measured_twice(squares, store, monkeypatch):
    kept, experiment = [], squares()
    keep = PointStore.keep
    monkeypatch.setattr(PointStore, "keep", lambda *of: kept.append(of[2]["x"]) or keep(*of))
    first = Sweep(Request(experiment), store, in_threads)
    first.run(lambda progress: first.cancel() if progress.num_done >= 2 else None)
    assert first.state == "cancelled" and 2 <= first.num_done < 5

    again = Sweep(Request(experiment), PointStore(store.path), in_threads)
    assert again.num_done == first.num_done
    again.run()
    assert again.state == "done" and sorted(kept) == [1, 2, 3, 4, 5]
    points = again.points()
    assert points.y.tolist()[:2] == [1, 4] and points.failed.tolist()[2] == "3 has no square here"
    assert math.isnan(points.z[1]) and again.answer().words == "The largest square is 25."


def test_points_of_another_version_are_measured_again(squares, store):
    old = squares()
    Sweep(Request(old), store, in_threads).run()
    assert Sweep(Request(squares(version=2)), store, in_threads).num_done == 0
    assert Sweep(Request(old), store, in_threads).num_done == 5
    store.forget(old, Request(old).tasks[:2])
    assert Sweep(Request(old), store, in_threads).num_done == 3


def test_an_answer_is_computed_beside_and_what_went_wrong_is_raised(squares, store):
    gate = threading.Event()

    def answer(points):
        assert gate.wait(30)
        if points.y.max() > 20:
            raise ZeroDivisionError
        return Answer(f"{points.y.max():g}", ())

    experiment = squares(answer=answer)
    keep = Sweep(Request(experiment), store, in_threads)._take
    sweep = Sweep(Request(experiment), store, in_threads)
    assert sweep.known_answer() is None and not sweep.is_answering  # nothing is measured
    keep({"x": 2, "seed": 0}, {"y": 4.0}, 1.0)
    sweep.look()
    assert sweep.known_answer() is None and sweep.is_answering
    gate.set()
    wait_for(lambda: not sweep.is_answering)
    assert sweep.known_answer().words.startswith("4 ") and not sweep.is_answering
    keep({"x": 5, "seed": 0}, {"y": 25.0}, 1.0)
    sweep.look()
    assert sweep.known_answer().words.startswith("4 ")
    wait_for(lambda: not sweep.is_answering)
    with pytest.raises(ZeroDivisionError):
        sweep.known_answer()


def test_a_file_that_has_not_changed_is_not_read_again(squares, store, monkeypatch):
    experiment, read = squares(), []
    sweep, other = (Sweep(Request(experiment), PointStore(store.path), in_threads) for _ in range(2))
    monkeypatch.setattr(PointStore, "find", lambda self, *of, find=PointStore.find: read.append(1) or find(self, *of))
    sweep.look()
    assert not read
    other.run()
    read.clear()
    sweep.look()
    sweep.look()
    assert len(read) == 1 and sweep.is_complete


def test_a_pause_begins_nothing_and_resume_goes_on(squares, store):
    begun, gate = [], threading.Event()

    def measure(task):
        begun.append(task["x"])
        gate.wait(30)
        return {"y": 0.0}

    sweep = Sweep(Request(squares(measure=measure)), store, in_threads)
    sweep.start(threading.Lock())
    wait_for(lambda: len(begun) == 2)
    sweep.pause()
    gate.set()
    wait_for(lambda: sweep.state == "paused")
    assert len(begun) == 2 == sweep.num_done and sweep.is_on
    sweep.resume()
    sweep.join(30)
    assert sweep.state == "done" and sorted(begun) == [1, 2, 3, 4, 5]


def test_sweeps_of_a_desk_take_turns_and_one_in_line_can_be_cancelled(squares, store):
    gate = threading.Event()
    experiment = squares(measure=lambda task: {"y": float(gate.wait(30))})
    desk = Desk(store, in_threads)
    first, second, third = Request(experiment), Request(experiment, "quick", 2), Request(experiment, "full", 3)
    for request in (first, second, third):
        desk.start(request)
    wait_for(lambda: desk.find(first).state == "running")
    assert [desk.find(request).state for request in (second, third)] == ["waiting", "waiting"]
    assert desk.on()[0] is desk.find(first)
    desk.find(third).cancel()
    desk.find(third).join(30)
    assert desk.find(third).state == "cancelled" and desk.find(third).num_done == 0
    gate.set()
    for request in (first, second):
        desk.find(request).join(30)
        assert desk.find(request).state == "done"
    assert desk.best(experiment) is desk.find(Request(experiment, "full"))  # its seeds are those of the second
    desk.start(third)  # one that was cancelled goes on
    desk.find(third).join(30)
    assert desk.find(third).is_complete


def test_a_pause_or_a_resume_after_a_cancel_does_not_undo_it(squares, store):
    gate = threading.Event()
    sweep = Sweep(Request(squares(measure=lambda task: {"y": float(gate.wait(30))})), store, in_threads)
    sweep.start(threading.Lock())
    wait_for(lambda: sweep.state == "running")
    sweep.cancel()
    sweep.pause()
    sweep.resume()
    gate.set()
    sweep.join(30)
    assert sweep.state == "cancelled" and sweep.num_done < 5


def test_what_a_sweep_before_it_measured_is_not_measured_again(squares, store):
    begun, gate = [], threading.Event()
    experiment = squares(measure=lambda task: begun.append(task) or {"y": float(gate.wait(30))})
    desk = Desk(store, in_threads)
    requests = [Request(experiment), Request(experiment, "full", 2)]
    for request in requests:
        desk.start(request)
    gate.set()
    for request in requests:
        desk.find(request).join(30)
    assert desk.find(requests[1]).state == "done" and len(begun) == 10


class EndedError(Exception):
    """What a task raises whose process has ended."""


def test_a_task_that_ends_its_process_takes_no_other_with_it(squares, store):
    begun, met = [], threading.Barrier(2)

    def measure(task):
        if task["x"] <= 2 and len(begun) < 2:
            begun.append(task["x"])
            met.wait(30)
            raise EndedError  # the first two run at once, and one ends the processes of both
        if task["x"] == 1:
            begun.append(1)
            assert not alone.locked()
            raise EndedError
        with alone:
            return {"y": 1.0}

    alone = threading.Lock()

    @contextmanager
    def in_mortal_threads():
        with in_threads() as pool:
            yield replace(pool, deaths=(EndedError,))

    sweep = Sweep(Request(squares(measure=measure)), store, in_mortal_threads)
    sweep.run()
    assert sorted(begun) == [1, 1, 1, 2]
    assert list(sweep.lost) == ['{"seed":0,"x":1}'] and sweep.num_done == 4 and sweep.state == "done"


def test_a_cluster_that_goes_away_is_said(squares, store):
    def measure(task):
        raise CancelledError

    with pytest.raises(ValueError, match="the cluster no longer answers"):
        Sweep(Request(squares(measure=measure)), store, in_threads).run()


def test_an_error_without_words_is_named(squares, store):
    def measure(task):
        raise RuntimeError

    sweep = Sweep(Request(squares(measure=measure)), store, in_threads)
    sweep.start(threading.Lock())
    sweep.join(30)
    assert sweep.state == "failed" and sweep.error == "RuntimeError"


def test_ctrl_c_leaves_a_sweep_whose_last_task_is_missing_cancelled(squares, store):
    def measure(task):
        raise KeyboardInterrupt

    sweep = Sweep(Request(squares(measure=measure, plan=lambda size, seeds: [{"x": 1, "seed": 0}])), store, in_threads)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    assert sweep.state == "cancelled"


def test_what_goes_wrong_in_an_experiment_ends_the_sweep_in_words(squares, store):
    sweep = Sweep(Request(squares(measure=lambda task: {"y": 1.0, "w": 2.0})), store, in_threads)
    sweep.start(threading.Lock())
    sweep.join(30)
    assert sweep.state == "failed" and "w, which are no columns of it" in sweep.error


@pytest.mark.slow
def test_a_process_that_is_killed_loses_no_point_and_doubles_none(store, monkeypatch):
    experiment = replace(SUBLINEAR, plan=lambda size, seeds: TINY)
    sweep = Sweep(Request(experiment), store, local_pool(2))
    kept = []
    monkeypatch.setattr(store, "keep", lambda *args: kept.append(args[1]) or PointStore.keep(store, *args))
    killed = []

    def kill(progress):
        if not killed:
            children = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split()
            killed.extend(int(child) for child in children if b"Loky" in Path(f"/proc/{child}/cmdline").read_bytes())
            for child in killed:
                os.kill(child, signal.SIGKILL)

    sweep.run(kill)
    assert killed and sweep.state == "done" and not sweep.lost
    assert sorted(map(str, kept)) == sorted(map(str, TINY))
    for task, point in zip(TINY, sweep.points().to_dict("records"), strict=True):
        assert untimed(point) == untimed({**task, **measure_point("sublinear", task)[0], "failed": None})


def untimed(point):
    """Return what of a point is the same in every sweep."""
    return {name: value for name, value in point.items() if not name.startswith("seconds") and not pd.isna(value)}


@contextmanager
def running_cluster(folder):
    """Yield the address of a cluster of two workers in processes of its own."""
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script], **pipes, env=path, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()


@pytest.mark.slow
def test_a_cluster_gives_the_same_points_bit_for_bit_though_a_worker_is_killed(tmp_path, store):
    experiment = replace(SUBLINEAR, plan=lambda size, seeds: TINY)
    sweep, killed = Sweep(Request(experiment), store, lambda: cluster_pool(address)()), []

    def kill(progress):
        if not killed:
            with Client(address) as client:
                killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    with running_cluster(tmp_path) as address:
        sweep.run(kill)
    assert killed and sweep.state == "done" and not sweep.lost
    for task, point in zip(TINY, sweep.points().to_dict("records"), strict=True):
        assert untimed(point) == untimed({**task, **measure_point("sublinear", task)[0], "failed": None})


def test_a_sweep_beyond_memory_or_patience_is_refused_with_the_limit(squares, monkeypatch):
    monkeypatch.setenv("TREEVIZ_MEMORY", "2")
    with pytest.raises(ValueError, match=r"needs about 3\.0 GB, and 2\.0 GB may be used here: choose a smaller size"):
        require_sense(Request(squares(required_bytes=lambda task: 3 * 10**9)), 2)
    long = squares(required_seconds=lambda task: 50 * 3600)
    with pytest.raises(ValueError, match="5 points of 'square' would take about 125 hours, and 48 are the most"):
        require_sense(Request(long), 2)
    require_sense(Request(long), 6)
    with pytest.raises(ValueError, match="seeds must be a whole number from 1 to 100; got 0"):
        Request(long, "quick", 0)


def test_a_store_that_cannot_be_used_says_how_to_name_another(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="name another file by --store"):
        PointStore(tmp_path / "folder")
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one" * 20)
    with pytest.raises(ValueError, match="file is not a database"):
        PointStore(tmp_path / "text")


def test_no_line_passes_where_nothing_ran_and_every_seed_is_drawn():
    points = pd.DataFrame(
        {
            "x": [1, 2, 4, 1, 2, 4],
            "seed": [0, 0, 0, 1, 1, 1],
            "y": [1.0, math.nan, 5.0, 3.0, math.nan, math.nan],
        }
    )
    (curve,) = curves_of(points, "x", "y")
    np.testing.assert_array_equal(curve.median, [2.0, math.nan, 5.0])
    np.testing.assert_array_equal(curve.seeds, [[1, math.nan, 5], [3, math.nan, math.nan]])
    law = formula("law", [1, 4], [1.0, 4.0])
    figure = panel_figure(Panel(title="t", x_title="x", y_title="y", curves=(curve, law), log_y=True))
    faint, median, line = figure.data
    assert list(faint.y) == [1.0, None, 5.0, None, 3.0, None, None, None] and list(faint.x[4:]) == [1.0, 2.0, 4.0, None]
    assert faint.opacity < 0.5 and median.opacity is None and line.line.dash == "dash"
    assert list(median.y) == [2.0, None, 5.0] and not any(trace.connectgaps for trace in figure.data)


def test_names_across_a_panel_are_points_without_lines():
    points = pd.DataFrame({"method": ["b", "a"], "seed": [0, 0], "y": [0.0, 2.0]})
    curves = curves_of(points, "method", "y")
    assert list(curves[0].x) == ["b", "a"]
    (trace,) = panel_figure(Panel(title="t", x_title="x", y_title="y", curves=curves, log_y=True)).data
    assert trace.mode == "markers" and list(trace.y) == [None, 2.0]  # 0 has no logarithm


def test_exponents_are_found_and_their_intervals_hold_them():
    generator = np.random.default_rng(0)
    x = np.repeat([10.0, 100.0, 1000.0, 10000.0], 5)
    fit = fit_exponent("e", x, 3 * x**0.75 * np.exp(generator.normal(0, 0.05, x.size)))
    assert fit.low < 0.75 < fit.high and abs(fit.value - 0.75) < 0.02 and fit.high - fit.low < 0.05
    assert math.isnan(fit_exponent("e", [1, 2, 2, 3], [1, 2, 3, math.nan]).value)  # two different x are too few
    exponents, centres = local_exponents([1, 10, 100], [1, 100, 0])
    assert exponents[0] == pytest.approx(2) and math.isnan(exponents[1]) and centres[0] == pytest.approx(10**0.5)
    assert math.isnan(median_of("m", [math.nan]).value) and median_of("m", [1, 2, 9]).value == 2


def test_a_median_of_few_values_has_no_interval_and_that_of_many_holds_it():
    assert math.isnan(median_of("m", [1, 2, 3, 4, 5]).low) and median_of("m", [1, 2, 3, 4, 5, 6]).low == 1
    generator = np.random.default_rng(0)
    fits = [median_of("m", generator.exponential(size=12)) for _ in range(400)]
    assert np.mean([fit.low <= math.log(2) <= fit.high for fit in fits]) >= 0.93


def test_an_answer_says_how_many_seeds_it_rests_on(squares, store):
    experiment = squares(plan=lambda size, seeds: [{"x": x, "seed": seed} for seed in range(seeds) for x in (1, 2)])
    request = Request(experiment, "full", 3)
    for task in request.tasks:
        if task["x"] == 1 or task["seed"] == 0:
            store.keep(experiment, task, {"y": 1.0}, 0.1)
    told = Sweep(request, store, in_threads).answer()
    assert told.words.endswith(" 2 of 2 settings are measured, with 1 to 3 seeds.") and not told.remarks
    again = Sweep(request, store, in_threads)
    again.run()
    assert again.answer().remarks[-1] == "Each of 2 settings is measured with 3 seeds."
    assert "settings" not in again.answer().words


def test_a_sweep_leaves_in_files_what_it_is_of(squares, store, tmp_path):
    sweep = Sweep(Request(squares()), store, in_threads)
    with pytest.raises(ValueError, match="no point is measured yet"):
        report.save(sweep, tmp_path / "a.html")
    sweep.run()
    for kind in report.TABLES:
        report.save(sweep, tmp_path / f"a.{kind}")
        about, tables = read_tables(tmp_path / f"a.{kind}")
        assert about["command"] == "treeviz sweep square --seeds 1" and about["fixed"] == "nothing"
        table = tables["points"]
        assert table.y.tolist()[:2] == [1, 4] and table.failed[2] == "3 has no square here" and pd.isna(table.z[1])
    report.save(sweep, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "The largest square is 25." in page and "<h2>Squares</h2>" in page
    assert 'src="http' not in page
    with pytest.raises(ValueError, match=r"must end with one of \.csv, \.parquet"):
        report.save(sweep, tmp_path / "a.txt")


def test_the_command_answers_keeps_and_says_what_is_missing(squares, store, tmp_path, monkeypatch):
    squares()
    monkeypatch.setattr("treeviz.lab.pools.local_pool", lambda workers: in_threads)

    def run(*arguments):
        return CliRunner().invoke(main, ["sweep", *arguments, "--store", str(store.path)])

    done = run("square", "--json", "--out", str(tmp_path / "a.csv"))
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["answer"] == "The largest square is 25." and values["num_missing"] == 0
    assert values["configuration"]["size"] == "default" and len(values["points"]) == 5
    assert values["fits"]["median"]["value"] == 10 and values["points"][1]["z"] is None
    assert read_tables(tmp_path / "a.csv")[1]["points"].y[0] == 1
    assert "1 point could not be measured. The first: 3 has no square here" in run("square").output
    assert "square       How large are squares?" in run("--list").output
    assert "there is no experiment 'cube': square" in run("cube").output
    assert "leave one out" in run("square", "--quick", "--full").output
    assert "seeds must be" in run("square", "--seeds", "0").output


def test_ctrl_c_ends_a_sweep_and_keeps_its_points(squares, store, monkeypatch):
    experiment = squares()

    def measure(task):
        if task["x"] == 4:
            signal.raise_signal(signal.SIGINT)
        return experiment.measure(task)

    monkeypatch.setattr("treeviz.lab.pools.local_pool", lambda workers: in_threads)
    squares(measure=measure)
    done = CliRunner().invoke(main, ["sweep", "square", "--store", str(store.path)])
    assert done.exit_code == 130 and "points are measured." in done.output
    assert Sweep(Request(experiment), store, in_threads).num_done >= 2


def test_an_experiment_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "dummy.py").write_text(
        "from dataclasses import replace\n"
        "from treeviz.lab.experiments.sublinear import EXPERIMENT as ANY\n"
        "EXPERIMENT = replace(ANY, key='dummy', order=0)\n"
    )
    monkeypatch.setattr(treeviz.lab.experiments, "__path__", [*treeviz.lab.experiments.__path__, str(tmp_path)])
    find_experiments.cache_clear()
    try:
        assert next(iter(find_experiments())) == "dummy"
    finally:
        find_experiments.cache_clear()
        sys.modules.pop("treeviz.lab.experiments.dummy")


def test_every_experiment_plans_what_it_can_estimate_and_measures_what_it_declares():
    for key, experiment in find_experiments().items():
        for size in ("quick", "default", "full"):
            request = Request(experiment, size)
            assert len({json.dumps(task) for task in request.tasks}) == len(request.tasks), key
            assert all(set(task) <= set(experiment.columns) for task in request.tasks), key
            assert {task["seed"] for task in request.tasks} == set(range(request.num_seeds)), key
            assert request.num_bytes > 0 and request.num_seconds > 0, key
        assert Request(experiment, "default").num_seconds <= 150, key  # of one core: 60 s on two, or a little more
        assert Request(experiment, "quick").num_seconds <= 100, key


def test_equal_values_have_an_interval_of_no_width():
    fit = fit_exponent("e", [1, 2, 4], [5, 5, 5])
    assert abs(fit.value) < 1e-12 and fit.high - fit.low < 1e-12
    assert median_of("m", [2] * 6).high == 2


def test_lessons_and_caveats_name_experiments_that_there_are():
    lessons = (Path(treeviz.__file__).parent / "lesson" / "scenes" / "shipped").glob("*.toml")
    named = {scene.get("experiment") for path in lessons for scene in tomllib.loads(path.read_text())["scene"]}
    named |= set(re.findall(r'^            "([a-z-]+)",$', Path(caveats.__file__).read_text(), re.MULTILINE))
    assert len(named) > 5 and named - {None} <= set(find_experiments())


def test_a_page_whose_points_can_no_longer_be_read_says_so(tmp_path, monkeypatch):
    def script():
        from treeviz.pages import lab

        lab.render()

    path = tmp_path / "lab.sqlite"
    monkeypatch.setenv("TREEVIZ_LAB", str(path))
    lab._desk.clear()
    try:
        app = AppTest.from_function(script, default_timeout=30).run()
        assert not app.error and not app.exception
        path.write_text("no database, but long enough to be read as the head of one" * 20)
        app.run()
        assert "points cannot be kept in" in app.error[0].value and not app.exception
    finally:
        lab._desk.clear()


def test_the_pictures_of_an_answer_are_made_once(squares, store):
    sweep = Sweep(Request(squares()), store, in_threads)
    sweep.run()
    assert report.figures(sweep.answer()) is report.figures(sweep.answer())
