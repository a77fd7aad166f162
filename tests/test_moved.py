"""A datapoint moved in its plane: what the browser shows is what a search of the moved tree reads and finds."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from node import ARGUMENTS

from treeviz import Dataset, Forest, TrainConfig, Trainer, load_dataset
from treeviz.stage.frames import FrameMaker
from treeviz.stage.pictures.field import plane_coordinates
from treeviz.stage.view import View
from treeviz.stage.weights import MAX_WIDTH, pack_weights, weights_before
from treeviz.training.background import BackgroundRun

SCRIPT = Path(__file__).parent / "js" / "move_datapoint.js"
TOLD = re.compile(
    r"would read ([\d,]+) of ([\d,]+) nodes? \(.*; in the run ([\d,]+)\), and ([\d,]+) neurons? fires? "
    r"\(in the run ([\d,]+)\)\.$"
)
PASSED = ("open", "firing", "stub-open")
ENTERED = (*PASSED, "pruned", "stub-pruned")
RAW = np.random.default_rng(1).standard_normal((9, 2)) * [3.0, 0.5] + [10.0, 0.0]


def on_a_line():
    return Dataset.from_arrays(RAW[:, :1], RAW[:, 1])


def not_lifted():
    return Dataset.from_arrays(RAW, RAW[:, 0], lift=False)


def wide():
    return load_dataset("spirals", 12)


# Name, dataset, width, iteration, most nodes drawn.
CASES = {
    "xor": (lambda: load_dataset("xor", 8), 64, 0, 127),
    "later": (lambda: load_dataset("moons", 16), 500, 3, 63),
    "not a power of two": (lambda: load_dataset("xor", 8), 37, 2, 31),
    "circle": (lambda: load_dataset("circle", 8), 300, 2, 63),
    "one neuron": (lambda: load_dataset("xor", 4), 1, 0, 63),
    "line": (on_a_line, 64, 1, 63),
    "not lifted": (not_lifted, 64, 1, 63),
    "wide": (wide, MAX_WIDTH, 1, 127),
}


def moved(node, maker, iteration, detail, tries):
    """Return the frame of each tree, and what the stage shows when its datapoint is moved: `tries` are {tree: list}."""
    frames = [json.loads(maker.frame(View(tree=tree, detail=detail), iteration)) for tree in tries]
    given = {
        "header": maker.header(),
        "weights": maker.weights(iteration),
        "moves": [{"frame": frame, "tries": tried} for frame, tried in zip(frames, tries.values(), strict=True)],
    }
    command = [node, *ARGUMENTS, str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(zip(frames, json.loads(done.stdout), strict=True))


def unit(data, place):
    """Return the input at a place of the plane, written out plainly."""
    row = np.array([*place, 1.0] if data.dimension == 3 else place)
    return row / np.linalg.norm(row)


def below(members, nodes):
    """Return how many of some heap numbers are each of the nodes, or below it."""
    counts = Counter(int(member) >> up for member in members for up in range(int(member).bit_length()))
    return [counts[node] for node in nodes]


def numbers(text):
    found = TOLD.search(text)
    return [int(number.replace(",", "")) for number in found.groups()]


@pytest.fixture(scope="module", params=[*[*CASES][:-1], pytest.param("wide", marks=pytest.mark.slow)])
def case(request):
    make, width, iteration, detail = CASES[request.param]
    data, config = make(), TrainConfig(width=width, solver="exact", seed=2)
    run = BackgroundRun(data, config, is_checked=False)
    assert run.wait_for(iteration, timeout=60)
    trainer = Trainer(data, config)
    trainer.run(iteration)
    return data, trainer, FrameMaker(run, "key"), iteration, detail


def test_what_is_shown_is_what_a_search_reads_and_finds(node, case):
    """The oracle multiplies the trainer's own weights, and searches a forest of them."""
    data, trainer, maker, iteration, detail = case
    own, rng, tree = plane_coordinates(data), np.random.default_rng(3), 1
    weights, b, width = trainer.weights(), trainer.config.resolved_threshold, trainer.config.width
    if data.dimension == 3:
        low, high = own.min(axis=0) - 0.3, own.max(axis=0) + 0.3
        places = rng.uniform(low, high, size=(24, 2))
    else:
        angles = rng.uniform(0.05, 3.1 if data.lifted else 6.2, size=24)
        places = np.column_stack([np.cos(angles), np.sin(angles)])
    tries = [{"place": list(place)} for place in places]
    tries += [
        {"place": list(place), "threshold": b * share} for place, share in zip(places, (0.2, 0.7, 1.3), strict=False)
    ]
    ((frame, shown),) = moved(node, maker, iteration, detail, {tree: tries})
    ids = frame["nodes"]["id"]
    is_stub = np.array(frame["nodes"]["kind"]) == 2
    run = maker.run.trace.replay(tree, iteration)
    for tried, seen in zip(tries, shown, strict=True):
        x, at = unit(data, tried["place"]), tried.get("threshold", b)
        np.testing.assert_allclose(seen["x"], x, rtol=1e-15)
        forest = Forest((weights @ x)[:, None])
        found = forest.query(0, at)
        assert numbers(seen["text"]) == [
            found.visited.size,
            2 * width - 1,
            run.visited.size,
            found.neurons.size,
            run.firing.size,
        ]
        np.testing.assert_allclose(seen["before"], forest.values[ids, 0], atol=1e-12)
        assert seen["firing"] == below(found.neurons + width, ids)
        entered = set(found.visited.tolist())
        expected = np.where(is_stub, below(found.visited, ids), [node in entered for node in ids])
        assert seen["visited"] == expected.tolist()
        assert {node for node, state in zip(ids, seen["states"], strict=True) if state in ENTERED} == entered & set(ids)
        passes = {node for node in ids if node in entered and forest.values[node, 0] >= at}
        assert {node for node, state in zip(ids, seen["states"], strict=True) if state in PASSED} == passes
        spread = seen["spread"]
        edges = np.linspace(spread["low"], spread["high"], len(spread["fires"]))
        for place in range(1, len(edges), 13):
            again = forest.query(0, edges[place])
            assert (again.visited.size, again.neurons.size) == (spread["reads"][place], spread["fires"][place])


def test_where_it_is_in_the_run_it_is_the_run(node, case):
    data, _, maker, iteration, detail = case
    own = plane_coordinates(data)
    tries = {tree: [{"place": list(own[tree])}] for tree in range(min(3, data.num_points))}
    for tree, (frame, [seen]) in enumerate(moved(node, maker, iteration, detail, tries)):
        reads, _, run_reads, fires, run_fires = numbers(seen["text"])
        assert (reads, fires) == (run_reads, run_fires)
        assert fires == maker.run.trace.records[iteration].firing.counts[tree]
        assert seen["visited"] == frame["nodes"]["visited"] and seen["firing"] == frame["nodes"]["firing"]


def test_a_place_stands_for_the_input_that_new_rows_there_are_made_to(node):
    """New raw rows are prepared by the dataset's own map; the browser has the plane alone."""
    run = BackgroundRun(Dataset.from_arrays(RAW, RAW[:, 0]), TrainConfig(width=8, solver="exact"))
    assert run.wait_for(0, timeout=60)
    fresh = np.random.default_rng(5).uniform(-20, 20, size=(50, 2))
    places = run.data.preparation.columns.apply(fresh)
    ((_, shown),) = moved(node, FrameMaker(run, "key"), 0, 63, {0: [{"place": list(place)} for place in places]})
    np.testing.assert_array_equal([seen["x"] for seen in shown], run.data.prepare(fresh))


def test_weights_are_the_trainers(case):
    _, trainer, maker, iteration, _ = case
    np.testing.assert_allclose(weights_before(maker.run.trace, iteration), trainer.weights(), atol=1e-12)


def test_weights_are_sent_where_datapoints_can_be_moved():
    def maker(data, width):
        run = BackgroundRun(data, TrainConfig(width=width, solver="exact"), is_checked=False)
        assert run.wait_for(0, timeout=60)
        return FrameMaker(run, "key")

    planar = maker(load_dataset("xor", 8), 64)
    assert planar.weights(0) == pack_weights(planar.run.trace, 0)
    assert len(planar.weights(0)["values"]) == 4 * 64 * 3 * 8 / 3
    assert planar.weights(None) is None and planar.weights(10**6) is None
    assert maker(load_dataset("wine", 8), 64).weights(0) is None
    assert maker(load_dataset("xor", 4), MAX_WIDTH + 1).weights(0) is None
    assert planar.header()["movable"] == MAX_WIDTH
