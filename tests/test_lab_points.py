"""Points that were kept are what would be measured now: who changes what a task gives raises the experiment's version.

`python tests/test_lab_points.py` measures again what `lab_points.json` holds: a point of each kind of task.
"""

import json
import math
from pathlib import Path

import pytest

from treeviz.lab.experiments import find_experiments

FILE = Path(__file__).parent / "lab_points.json"
# Columns that round-off hardly changes: what is counted, or known before training.
COLUMNS = {
    "sublinear": ("operations_iteration", "operations_build", "operations_draw"),
    "sparsity": ("firing", "touched", "expected_firing"),
    "threshold": ("operations_build", "silent"),
    "width": ("limit_lambda", "silent"),
    "sketch": ("operations",),
    "search": ("operations", "operations_build"),
    "optimizer": ("iteration_operations",),
    "generalize": ("guess_error", "test_points"),
    "what-if": ("firing", "first_loss"),
}
EXPERIMENTS = find_experiments()
LONGEST = 2.0  # seconds of a point


def cheapest_tasks(experiment):
    """Return the cheapest task for each choice of what is not a number: method, data, search, ..."""
    found = {}
    for task in experiment.plan("quick", 1):
        kind = tuple(value for value in task.values() if isinstance(value, str))
        seconds = experiment.required_seconds(task)
        if seconds <= LONGEST and seconds < found.get(kind, (math.inf,))[0]:
            found[kind] = (seconds, task)
    return [task for _, task in found.values()]


def measure(experiment, task):
    point = experiment.measure(task)
    return {name: point[name] for name in COLUMNS[experiment.key] if point.get(name) is not None}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("key", EXPERIMENTS)
def test_what_a_task_gives_changes_with_the_version_alone(key):
    experiment, kept = EXPERIMENTS[key], json.loads(FILE.read_text())[key]
    advice = f"raise the version of {key}, and write {FILE.name} anew: python tests/{Path(__file__).name}"
    assert experiment.version == kept["version"], advice
    for point in kept["points"]:
        task = point.pop("task")
        found = measure(experiment, task)  # another processor rounds in other ways: they agree to a thousandth
        assert found == pytest.approx(point, rel=1e-3, nan_ok=True), f"{task}: {advice}"


def write_file():
    """Measure what the file holds, a point a line."""
    lines = []
    for key, experiment in EXPERIMENTS.items():
        points = [{"task": task, **measure(experiment, task)} for task in cheapest_tasks(experiment)]
        texts = ",\n".join(f"  {json.dumps(point)}" for point in points if len(point) > 1)
        lines.append(f'{json.dumps(key)}: {{"version": {experiment.version}, "points": [\n{texts}\n]}}')
    FILE.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    write_file()
