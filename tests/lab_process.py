"""An experiment of which each task takes as long as it is told, and a sweep of it in a process of its own.

As a script it takes the path of the store and the seconds of a task. It says when it is ready, begins after a line from
standard input, and writes a line for each task that it begins and one at its end.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import treeviz.lab.experiments
from treeviz.export.columns import Column
from treeviz.lab.experiment import Answer, Experiment, Request
from treeviz.lab.pools import Pool
from treeviz.lab.store import PointStore
from treeviz.lab.sweep import Sweep

NUM_TASKS = 24


def experiment_of(measure):
    return Experiment(
        key="slow",
        order=1,
        title="Slow",
        question="How slow?",
        varied="x",
        fixed="nothing",
        columns={name: Column(kind, "1") for name, kind in {"x": int, "seed": int, "y": float, "note": str}.items()},
        seeds={"quick": 1, "default": 1, "full": 1},
        plan=lambda size, seeds: [{"x": x, "seed": 0} for x in range(NUM_TASKS)],
        measure=measure,
        answer=lambda points: Answer(f"{points.y.notna().sum()} are measured.", ()),
        required_bytes=lambda task: 100,
        required_seconds=lambda task: 1.0,
    )


@contextmanager
def in_threads():
    with ThreadPoolExecutor(2) as executor:
        yield Pool(executor, 2, ())


def main(path, seconds):
    def measure(task):
        sys.stdout.write(f"begun {task['x']}\n")  # whole, for two threads write
        sys.stdout.flush()
        time.sleep(float(seconds))
        return {"y": 1.0}

    experiment = experiment_of(measure)
    treeviz.lab.experiments.find_experiments = lambda: {experiment.key: experiment}
    sweep = Sweep(Request(experiment), PointStore(Path(path)), in_threads)
    print("ready", flush=True)
    sys.stdin.readline()
    sweep.run()
    print("ended", sweep.state, sweep.num_done, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
