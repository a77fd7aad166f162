"""A step is done or not done, whatever stops it; no thread of a parent is waited for in a forked process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from oracles import sphere

from treeviz import TrainConfig, Trainer
from treeviz.cli import main
from treeviz.model.config import SEARCHES
from treeviz.search.compiled import interrupt_deferred, map_spans, num_threads
from treeviz.training.memory import _container_limit, usable_bytes

each_search = pytest.mark.parametrize("search", SEARCHES)


def trainer_of(search):
    return Trainer(sphere(6, 4, 0), TrainConfig(width=400, search=search, solver="exact", seed=1, step_size=0.5))


@each_search
@pytest.mark.parametrize("place", ["evaluate", "move", "watch_report"])
@pytest.mark.parametrize("is_late", [False, True])
def test_an_interrupted_step_is_done(search, place, is_late, monkeypatch):
    trainer, expected = trainer_of(search), trainer_of(search)
    trainer.step()
    work = getattr(trainer._engine, place)

    def interrupted(*arguments):
        if not is_late:
            os.kill(os.getpid(), signal.SIGINT)
        result = work(*arguments)
        if is_late:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(trainer._engine, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            trainer.step()
    assert len(trainer.trace.records) == 2
    trainer.run(4, until_loss=0.0)
    expected.run(6, until_loss=0.0)
    assert trainer.trace.losses.tolist() == expected.trace.losses.tolist()
    assert np.array_equal(trainer.weights(), expected.weights())


@each_search
def test_a_step_that_fails_before_the_move_may_be_done_again(search, monkeypatch):
    trainer, expected = trainer_of(search), trainer_of(search)
    with monkeypatch.context() as patch:
        patch.setattr("treeviz.training.trainer.solve_exact", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trainer.step()
    trainer.run(3, until_loss=0.0)
    assert trainer.trace.losses.tolist() == expected.run(3, until_loss=0.0).losses.tolist()


@each_search
def test_a_step_that_fails_in_the_move_is_not_built_upon(search, monkeypatch):
    trainer = trainer_of(search)
    trainer.step()

    def fail(*_):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(trainer._engine, "move", fail)
        with pytest.raises(MemoryError):
            trainer.advance()
    for use in (trainer.step, trainer.advance, trainer.weights, lambda: trainer.predict(trainer.data.X)):
        with pytest.raises(RuntimeError, match=r"step 1 was stopped while it changed the weights.*make a new Trainer"):
            use()
    assert len(trainer.trace.records) == 1


def test_an_interrupt_waits_for_the_end_of_the_outermost_block():
    reached = []

    def work():
        with interrupt_deferred():
            with interrupt_deferred():
                os.kill(os.getpid(), signal.SIGINT)
                reached.append("inner")
            reached.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    "library",
    [
        "click",
        "loky",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("numpy", "treeviz.cli", "treeviz.lab.sweep")),
    ],
)
def test_ctrl_c_ends_a_command_in_the_same_way_whichever_library_it_is_reading(library, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "treeviz", "sweep", "sublinear", "--quick"]
    command += ["--store", str(tmp_path / "lab.sqlite")]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        for line in process.stderr:  # a line for each module that is read
            if line.rpartition("|")[2].strip() == library:
                break
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not {"Traceback", "Aborted", "KeyboardInterrupt"} & set(errors.replace("!", " ").replace(":", " ").split())


def _double(part, first, last):
    return [2 * place for place in range(first, last)]


def _work_in_a_child(queue):
    queue.put(map_spans(_double, 10))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX systems")
def test_a_forked_process_has_threads_of_its_own():
    expected = map_spans(_double, 10)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, which is what is tried here
        child = context.Process(target=_work_in_a_child, args=(queue,))
        child.start()
    child.join(60)
    is_done = child.exitcode == 0
    child.kill()
    assert is_done, "the child waits for threads it does not have"
    assert queue.get() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_threads_are_no_more_than_the_cores_that_may_be_used():
    script = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from treeviz.search.compiled import num_threads; print(num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert num_threads() >= 1


@pytest.mark.parametrize(
    ("lines", "files", "limit"),
    [
        ("0::/app/run", {"app/memory.max": "3000000", "app/run/memory.max": "max", "memory.max": "9000000"}, 3e6),
        ("0::/not/seen/here", {"memory.max": "5000000"}, 5e6),
        ("4:cpu,memory:/docker/x\n0::/", {"memory/docker/x/memory.limit_in_bytes": "2000000"}, 2e6),
        ("4:memory:/x\n5:cpu:/x", {"memory/memory.limit_in_bytes": "7000000", "cpu/memory.max": "1"}, 7e6),
        ("0::/", {"memory.max": "max"}, np.inf),
        ("0::/", {}, np.inf),
    ],
)
def test_the_memory_limit_is_the_container_s(lines, files, limit, tmp_path):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    membership = tmp_path / "self"
    assert _container_limit(tmp_path / "cgroup", membership) == np.inf  # a system without control groups
    membership.write_text(lines + "\n")
    assert _container_limit(tmp_path / "cgroup", membership) == limit


def test_a_limit_of_the_user_s_counts_and_a_wrong_one_is_refused(monkeypatch):
    monkeypatch.setenv("TREEVIZ_MEMORY", "1.5")
    assert usable_bytes() == 1.5e9
    for wrong in ("much", "0", "-2", "nan", ""):
        monkeypatch.setenv("TREEVIZ_MEMORY", wrong)
        with pytest.raises(ValueError, match=r"TREEVIZ_MEMORY must be a number of gigabytes above 0"):
            usable_bytes()
    done = CliRunner().invoke(main, ["serve", "--processes", "1"])
    assert done.exit_code == 1 and "TREEVIZ_MEMORY must be" in done.output
