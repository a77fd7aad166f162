"""A class in front of one server, in short: what `class_load.py` measures for long."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import class_load
import pytest
from class_load import Student
from server import ROOT, running_server
from server_memory import find_server

pytestmark = pytest.mark.slow

# What is run, with a server each, and what it says in the end. Students wait most of the time, so all go on together.
CLASSES = {
    "own": (["--students", "4", "--seconds", "5"], "steps of 4 students"),
    "same": (["--students", "4", "--seconds", "5"], "steps of 4 students"),
    "light": (["--students", "4", "--seconds", "5"], "steps of 4 students"),
    "soak": (["--students", "8", "--seconds", "25"], "nothing was lost"),  # they come and go, and lose no moment
}
LARGE = "data=sphere&sphere-n=50&sphere-dimension=20&width=65536&seed={seed}"  # needs about 0.15 GB


@pytest.fixture(scope="module", autouse=True)
def classes():
    script = ROOT / "tests" / "class_load.py"
    begun = {
        scenario: subprocess.Popen(
            [sys.executable, script, scenario, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for scenario, (options, _) in CLASSES.items()
    }
    yield begun
    for process in begun.values():
        process.send_signal(signal.SIGINT)  # one that has not ended stops its server, too
        with process:
            pass  # this closes its pipe and waits for it


def test_what_does_not_fit_waits_in_line_and_others_go_on(tmp_path):
    """Five runs on a server that has room for two: the others wait, and begin when one of the two is closed."""

    async def be_there(url):
        large = [Student(url, LARGE.format(seed=seed)) for seed in range(5)]
        light = Student(url, "data=circle&width=64")
        openings = [asyncio.create_task(student.open()) for student in large]
        await light.open()
        while sum(task.done() for task in openings) < 2:
            await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        begun = [place for place, task in enumerate(openings) if task.done()]
        assert len(begun) == 2, "there is room for two"
        assert max([await light.step(tree, 0) for tree in range(5)]) < 30
        assert class_load.memory_of([find_server()]) < 1000
        for place in begun:
            await large[place].close()
        while sum(task.done() for task in openings) < 4:
            await asyncio.sleep(0.2)
        for task, student in zip(openings, large, strict=True):
            task.cancel()
            if student.socket is not None:
                await student.close()
        await light.close()

    log = tmp_path / "log.txt"
    with running_server(log, TREEVIZ_MEMORY="0.34") as url:
        class_load.run_apart(asyncio.wait_for(be_there(url), 120))
    assert "Traceback" not in Path(log).read_text()


@pytest.mark.parametrize("scenario", CLASSES)
def test_every_student_is_answered(classes, scenario):
    said = classes[scenario].communicate()[0].decode()
    assert classes[scenario].returncode == 0 and CLASSES[scenario][1] in said, said
