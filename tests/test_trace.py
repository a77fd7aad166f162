"""A trace replays every tree bit for bit, survives a file, and refuses what is not one."""

import dataclasses
import io
import itertools
import json
import os
import pickle
import threading
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from treeviz import Dataset, Trace, TrainConfig, Trainer, load_dataset
from treeviz.model import network as network_module
from treeviz.model.network import leaf_blocks
from treeviz.training import trace as trace_module
from treeviz.training.kept import Kept

ARRAYS = ("outputs", "residual", "dual_step", "visited_levels", "modified_levels", "touched")
COUNTS = ("num_visited", "num_modified")
OLD_FILES = Path(__file__).parent / "traces"
RUNS = (
    ("sphere", {"width": 1024}),
    ("moons", {"width": 333, "solver": "exact"}),
    ("circle", {"width": 16_385, "seed": 3}),
    ("digits", {"width": 500, "method": "gradient-descent", "step_size": 3.0}),
    ("circle", {"width": 1, "threshold": 0.0, "seed": 1}),
)


def leaves_of(trace, point, iteration):
    return trace.tree_values(point, iteration)[trace.config.width :]


def small_data(num_points=5, dimension=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, dimension))
    return Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), rng.choice([-1.0, 1.0], num_points), "small", "Five.")


def trainer_of(data=None, **settings):
    return Trainer(data or small_data(), TrainConfig(**{"width": 64, **settings}))


def run_recording_leaves(trainer, num_steps):
    """Step; return a copy of the live leaves, (m, n), before every step and after the last."""
    leaves = [trainer.forest.leaves.copy()]
    for _ in range(num_steps):
        trainer.step()
        leaves.append(trainer.forest.leaves.copy())
    return leaves


def saved(trace, path):
    trace.save(path)
    return path


def file_bytes(tmp_path, **settings):
    trainer = trainer_of(**settings)
    trainer.run(3)
    return saved(trainer.trace, tmp_path / "whole.npz").read_bytes(), trainer.trace


def assert_same_trace(left, right):
    assert left.config == right.config
    for name in ("build_costs", "build_seconds", "draw_seconds"):
        assert getattr(left, name) == getattr(right, name), name
    for name in ("X", "y", "name", "description", "lifted", "columns", "image"):
        assert np.array_equal(getattr(left.dataset, name), getattr(right.dataset, name)), name
    assert left.dataset.source == right.dataset.source
    assert len(left.records) == len(right.records)
    for a, b in zip(left.records, right.records, strict=True):
        for name in (*ARRAYS, *COUNTS):
            one, other = getattr(a, name), getattr(b, name)
            assert one.dtype == other.dtype and np.array_equal(one, other), name
            assert not other.flags.writeable, name
        assert len(a.firing) == len(b.firing)
        for one, other in zip(a.firing, b.firing, strict=True):
            assert one.dtype == other.dtype and np.array_equal(one, other) and not other.flags.writeable
        for name in ("iteration", "loss", "status", "costs", "seconds", "unlearnable"):
            one, other = getattr(a, name), getattr(b, name)
            assert one == other and type(one) is type(other), name
        assert (a.watch is None) == (b.watch is None)
        for field in dataclasses.fields(a.watch) if a.watch else ():
            one, other = getattr(a.watch, field.name), getattr(b.watch, field.name)
            assert np.array_equal(one, other) and type(one) is type(other), field.name
        if b.watch:
            assert b.watch.promoted.dtype == np.int32 and not b.watch.promoted.flags.writeable
        for field in dataclasses.fields(a.solve):
            one, other = getattr(a.solve, field.name), getattr(b.solve, field.name)
            assert repr(one) == repr(other) and type(one) is type(other), field.name
            assert np.array_equal(one, other, equal_nan=True) if isinstance(one, np.ndarray) else True


@pytest.mark.parametrize(("name", "settings"), [*RUNS, ("xor", {"width": 64, "seed": 2})])
def test_replay_has_the_bits_of_the_live_forest(name, settings, tmp_path):
    trainer = trainer_of(load_dataset(name, num_points=6 if name == "digits" else None), **settings)
    expected = run_recording_leaves(trainer, 6)
    loaded = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    points = range(trainer.data.num_points)
    moments = list(itertools.product(points, range(7)))
    backward, shuffled = moments[::-1], [moments[k] for k in np.random.default_rng(0).permutation(len(moments))]
    for trace, walks in ((trainer.trace, (backward, shuffled)), (loaded, (moments, shuffled))):
        for point, iteration in (*itertools.chain(*walks), *(m for m in shuffled[:20] for _ in "ab")):
            leaves = leaves_of(trace, point, iteration)
            assert np.array_equal(leaves, expected[iteration][:, point]), (point, iteration)
            assert not leaves.flags.writeable  # what is handed out is shared with other viewers


@pytest.mark.parametrize(("name", "settings"), [*RUNS, ("circle", {"width": 64, "threshold": 50.0})])
def test_leaf_rows_have_the_bits_of_the_live_forest(name, settings, tmp_path, monkeypatch):
    trainer = trainer_of(load_dataset(name, num_points=6 if name == "digits" else None), **settings)
    expected, width = run_recording_leaves(trainer, 6), settings["width"]
    loaded = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    forgetful = Trace.load(tmp_path / "run.npz")
    rng = np.random.default_rng(0)
    for trace in (trainer.trace, loaded, forgetful):
        if trace is forgetful:
            monkeypatch.setattr(trace_module, "_KEPT", Kept(0, lambda value: 1))  # nothing is kept
        for iteration in (6, 0, 3, 1, 6):
            some = np.sort(rng.permutation(width)[: rng.integers(width + 1)])
            for neurons in (some, np.arange(width), some[:1], np.empty(0, dtype=np.int64), some.astype(np.uint16)):
                rows = trace.leaf_rows(neurons, iteration)
                assert rows.shape == (neurons.size, trainer.data.num_points) and rows.dtype == np.float64
                assert np.array_equal(rows, expected[iteration][neurons])
                rows[:] = np.nan  # the caller's own: nothing kept may change
                if iteration < 6:
                    around = trace.leaf_rows_around(neurons, iteration)
                    assert np.array_equal(around, [expected[moment][neurons] for moment in (iteration, iteration + 1)])
    assert np.array_equal(trainer.forest.leaves, expected[6])
    assert np.array_equal(loaded.leaf_rows([0], 6)[0], [leaves_of(loaded, i, 6)[0] for i in range(rows.shape[1])])


@pytest.mark.slow
def test_leaf_rows_have_the_bits_of_a_forest_repaired_by_threads(tmp_path):
    trainer = trainer_of(load_dataset("digits", num_points=70), width=65_537)
    expected = run_recording_leaves(trainer, 3)
    loaded = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    neurons = np.sort(np.random.default_rng(0).choice(65_537, 3000, replace=False))
    for trace, iteration in itertools.product((trainer.trace, loaded), (3, 0, 2, 1)):
        assert np.array_equal(trace.leaf_rows(neurons, iteration), expected[iteration][neurons])


def test_redrawn_rows_are_kept_within_bounds(tmp_path, monkeypatch):
    """With no room to keep the moving neurons or earlier ones, each request is redrawn, and right."""
    trainer = trainer_of(width=200)
    expected = run_recording_leaves(trainer, 2)
    trace = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    monkeypatch.setattr(trace_module, "_MAX_REDRAWN_BYTES", 8 * 5 * 20)
    for neurons in (np.arange(15), np.arange(100, 104), np.arange(150, 190), np.arange(3)):
        assert np.array_equal(trace.leaf_rows(neurons, 2), expected[2][neurons])
        assert trace_module._KEPT.get(trace, "initial rows")[0].size <= max(20, neurons.size)


@pytest.mark.parametrize("room", [0, 5 * 8 * 128, 1 << 20])
def test_trees_are_right_however_few_are_kept(room, monkeypatch):
    """128 values each: none, a few, or all; a tree that is kept is not replayed again."""
    monkeypatch.setattr(trace_module, "_KEPT", Kept(room, lambda value: getattr(value, "nbytes", 0)))
    trainer = trainer_of(width=64)
    expected = run_recording_leaves(trainer, 6)
    for point, iteration in itertools.product(range(5), (6, 2, 4, 0, 5)):
        values = trainer.trace.tree_values(point, iteration)
        assert np.array_equal(values[64:], expected[iteration][:, point])
        assert (trainer.trace.tree_values(point, iteration) is values) == (room > 0)


def test_leaf_rows_of_a_dense_run_are_its_products(tmp_path):
    trainer = trainer_of(load_dataset("sphere"), width=512, search="dense")
    neurons = np.arange(0, 512, 7)
    products = []
    for _ in range(4):
        products.append(trainer.weights(neurons) @ trainer.data.X.T)
        trainer.step()
    for trace, t in itertools.product((trainer.trace, Trace.load(saved(trainer.trace, tmp_path / "r.npz"))), range(4)):
        assert np.allclose(trace.leaf_rows(neurons, t), products[t], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("neurons", "iteration", "fragment"),
    [
        ([2, 1], 0, "ascending"),
        ([1, 1], 0, "distinct"),
        ([-1, 1], 0, "between 0 and 63"),
        ([63, 64], 0, "between 0 and 63"),
        (3, 0, "shape"),
        ([[1, 2]], 0, "shape"),
        ([1.0, 2.0], 0, "whole numbers"),
        ([False, True], 0, "whole numbers"),
        ([1, 2], 4, "between 0 and 3"),
        ([1, 2], -1, "between 0 and 3"),
    ],
)
def test_leaf_rows_that_are_not_there_are_a_value_error(neurons, iteration, fragment):
    trainer = trainer_of()
    trainer.run(3, until_loss=0.0)
    with pytest.raises(ValueError, match=fragment):
        trainer.trace.leaf_rows(neurons, iteration)


def test_leaf_rows_are_exact_while_the_trainer_steps():
    settings = {"width": 2000, "method": "gradient-descent", "step_size": 2.0}
    data = load_dataset("sphere")
    expected = run_recording_leaves(trainer_of(data, **settings), 60)
    trainer = trainer_of(data, **settings)
    done, wrong = threading.Event(), []

    def watch(seed):
        rng, count = np.random.default_rng(seed), 0
        while not done.is_set() or count < 40:
            iteration = int(rng.integers(len(trainer.trace.records) + 1))
            neurons = np.sort(rng.choice(2000, 50, replace=False))
            if not np.array_equal(trainer.trace.leaf_rows(neurons, iteration), expected[iteration][neurons]):
                wrong.append(iteration)
            count += 1

    with ThreadPoolExecutor(2) as pool:
        watchers = [pool.submit(watch, seed) for seed in (1, 2)]
        for _ in range(60):
            trainer.step()
        done.set()
        for watcher in watchers:
            watcher.result()
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("name", ["sphere", "moons", "circle"])
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_replay_is_the_step_that_was_recorded(name, method, tmp_path):
    trainer = trainer_of(load_dataset(name), width=300, method=method)
    values = [trainer.forest.values.copy()]
    for _ in range(4):
        trainer.step()
        values.append(trainer.forest.values.copy())
    loaded = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    for trace in (trainer.trace, loaded):
        for point, iteration in itertools.product(range(trainer.data.num_points), (3, 0, 2, 1)):
            step, record = trace.replay(point, iteration), trace.records[iteration]
            before, after = values[iteration][:, point], values[iteration + 1][:, point]
            assert (step.point, step.iteration, step.threshold) == (point, iteration, trainer.threshold)
            assert step.num_leaves == 300
            assert np.array_equal(step.before[1:], before[1:]) and np.array_equal(step.after[1:], after[1:])
            assert np.array_equal(step.firing, record.firing[point])
            assert np.array_equal(step.modified, np.flatnonzero(before[1:] != after[1:]) + 1)
            assert step.modified.size == record.num_modified[point]
            inner = [v for v in range(1, 300) if before[v] >= trainer.threshold]
            assert sorted(step.visited) == sorted({1, *(2 * v for v in inner), *(2 * v + 1 for v in inner)})
            assert step.visited.size == record.num_visited[point]
            for nodes, counts in ((step.visited, record.visited_levels), (step.modified, record.modified_levels)):
                levels = [node.bit_length() - 1 for node in nodes.tolist()]
                assert [levels.count(level) for level in range(10)] == counts[point].tolist()  # 599 nodes
            entered = set()
            for node in step.visited.tolist():
                assert node == 1 or node // 2 in entered, "a node entered before its parent"
                entered.add(node)


@pytest.mark.slow
def test_replay_has_the_bits_of_a_forest_repaired_by_threads(tmp_path):
    trainer = trainer_of(load_dataset("digits", num_points=70), width=65_537)
    expected = run_recording_leaves(trainer, 3)
    loaded = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    for trace, point, iteration in itertools.product((trainer.trace, loaded), (69, 0, 33), (3, 0, 2, 1)):
        assert np.array_equal(leaves_of(trace, point, iteration), expected[iteration][:, point])
        if iteration < 3:
            step = trace.replay(point, iteration)
            assert step.modified.size == trace.records[iteration].num_modified[point]
            assert step.visited.size == trace.records[iteration].num_visited[point]
            levels = np.bincount(np.log2(step.visited).astype(int), minlength=18)
            assert np.array_equal(levels, trace.records[iteration].visited_levels[point])


def test_a_trace_goes_on_while_the_trainer_does():
    trainer = trainer_of(width=128)
    trace = trainer.trace
    start = leaves_of(trace, 2, 0)
    assert np.array_equal(start, trainer.forest.leaves[:, 2])
    for t in range(1, 5):
        trainer.step()
        assert np.array_equal(leaves_of(trace, 2, t), trainer.forest.leaves[:, 2])
        assert np.array_equal(leaves_of(trace, 2, 0), start)


@pytest.mark.parametrize("solver", ["sketch", "exact"])
def test_a_dense_run_replays_too(solver, tmp_path):
    trainer = trainer_of(load_dataset("sphere"), width=512, search="dense", solver=solver)
    products = []
    for _ in range(5):
        products.append(trainer.weights() @ trainer.data.X.T)
        trainer.step()
    for trace in (trainer.trace, Trace.load(saved(trainer.trace, tmp_path / "run.npz"))):
        for iteration, point in itertools.product((4, 0, 2, 3, 1), (0, 7, 15)):
            step = trace.replay(point, iteration)
            assert np.allclose(step.before[512:], products[iteration][:, point], rtol=0, atol=1e-12)
            assert np.array_equal(step.firing, trace.records[iteration].firing[point])


@pytest.mark.parametrize("bad", [(-1, 0), (5, 0), (0, -1), (0, 3), (99, 99)])
def test_a_moment_that_is_not_there_is_a_value_error(bad):
    trainer = trainer_of()
    for _ in range(3):
        trainer.step()
    with pytest.raises(ValueError, match=r"between 0 and"):
        trainer.trace.replay(*bad)
    if bad != (0, 3):
        with pytest.raises(ValueError, match=r"between 0 and"):
            trainer.trace.tree_values(*bad)


ROUND_TRIPS = [
    {},
    {"solver": "exact"},
    {"search": "dense"},
    {"search": "watch"},
    {"search": "watch", "skin": 0.0, "method": "sgd", "batch_size": 2, "step_size": 3.0},
    {"method": "gradient-descent"},
    {"threshold": 50.0},
    {"threshold": 1.7, "width": 8},
    {"method": "gradient-descent", "step_size": 1e60},
    {"width": 1, "threshold": 0.0},
    {"ridge": 0.1, "step_size": 0.5, "sketch_factor": 3, "tolerance": 1e-6, "seed": 2**63 - 1},
]


@pytest.mark.parametrize("settings", ROUND_TRIPS)
@pytest.mark.parametrize("num_steps", [0, 1, 4])
def test_every_field_survives_a_file(settings, num_steps, tmp_path):
    X = small_data().X[[0, 1, 2, 0, 3]]
    X[:, -1] = np.abs(X[:, -1])
    text = 'A "quoted"\nline \\ and \u2028.'
    y, lifted = np.array([1.0, -1.0, 0.5, 2.0, 1e-300]), num_steps == 1
    num_coordinates = X.shape[1] - lifted
    described = {"columns": tuple(f"größe {c}" for c in range(num_coordinates)), "image": (1, num_coordinates)}
    data = Dataset(X, y, "naïve ∑ name", text, lifted, **(described if num_steps else {}))
    trainer = trainer_of(data, **settings)
    for _ in range(num_steps):
        trainer.step()
    path = tmp_path / "run.npz"
    trainer.trace.save(path)
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        assert_same_trace(trainer.trace, Trace.load(source))
    with path.open("rb") as file:
        loaded = Trace.load(file)
    assert_same_trace(trainer.trace, loaded)
    assert np.array_equal(loaded.losses, trainer.trace.losses) and loaded.losses.shape == (num_steps,)
    again = tmp_path / "again"
    loaded.save(str(again))  # saved under the very name it is given
    assert again.exists()
    assert_same_trace(trainer.trace, Trace.load(again))
    for include_build in (True, False):
        expected = trainer.trace.amortized(include_build=include_build)
        assert expected.shape == (num_steps,)
        assert np.array_equal(loaded.amortized(include_build=include_build), expected)
        assert np.array_equal(loaded.amortized(of="dense"), trainer.trace.amortized(of="dense"))


def test_a_run_set_up_with_numpy_numbers_can_be_saved(tmp_path):
    trainer = trainer_of(seed=np.int64(3), sketch_factor=np.int64(8), step_size=np.float32(0.5))
    trainer.step()
    assert_same_trace(trainer.trace, Trace.load(saved(trainer.trace, tmp_path / "run.npz")))


def test_no_pickle_is_in_the_file(tmp_path):
    content, _ = file_bytes(tmp_path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
            assert array.dtype.kind in "biuf", name
        with archive.open("meta.npy") as member:
            assert json.loads(np.lib.format.read_array(member).tobytes())["format"] == "treeviz-trace"


def equal_or_value_error(content, trace, what):
    """A damaged file either still holds the same run or is refused in words; nothing else."""
    try:
        loaded = Trace.load(io.BytesIO(content))
    except ValueError as error:
        assert "not a readable treeviz trace" in str(error), what
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error}")
    else:
        assert_same_trace(trace, loaded)


def test_a_truncated_file_is_refused(tmp_path):
    content, trace = file_bytes(tmp_path)
    rng = np.random.default_rng(0)
    for length in {*range(0, 80), *range(len(content) - 80, len(content)), *rng.integers(0, len(content), 150)}:
        equal_or_value_error(content[: int(length)], trace, f"cut at {length} of {len(content)}")


def flipped(content, places, rng):
    damaged = bytearray(content)
    for place in places:
        damaged[place] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def test_a_file_with_flipped_bytes_is_refused(tmp_path):
    content, trace = file_bytes(tmp_path)
    rng = np.random.default_rng(1)
    for _ in range(400):
        places = rng.integers(0, len(content), int(rng.integers(1, 4)))
        equal_or_value_error(flipped(content, places, rng), trace, f"flipped {places}")


@pytest.mark.slow
def test_a_file_with_damaged_zip_headers_is_refused(tmp_path):
    """Every bit of the fixed parts of the first member, of the first directory entry, and of the end record."""
    content, trace = file_bytes(tmp_path)
    directory = content.index(b"PK\x01\x02")
    places = [*range(30), *range(directory, directory + 50), *range(len(content) - 22, len(content))]
    for place, bit in itertools.product(places, range(8)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        equal_or_value_error(bytes(damaged), trace, f"bit {bit} of byte {place}, directory at {directory}")


def with_arrays(content, **changes):
    """Return the file with some arrays replaced, or left out where None: damage that no checksum sees."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {key: archive[key] for key in archive.files} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{key: value for key, value in arrays.items() if value is not None})
    return buffer.getvalue()


def with_meta(content, **changes):
    with np.load(io.BytesIO(content)) as archive:
        meta = json.loads(archive["meta"].tobytes())
    return with_arrays(content, meta=np.frombuffer(json.dumps(meta | changes).encode(), dtype=np.uint8))


@pytest.mark.parametrize("settings", [{}, {"search": "watch", "skin": 0.05}])
def test_a_file_with_an_array_missing_or_of_another_kind_is_refused(settings, tmp_path):
    content, trace = file_bytes(tmp_path, **settings)
    with np.load(io.BytesIO(content)) as archive:
        arrays = {key: archive[key] for key in archive.files}
    for key, array in arrays.items():
        changes = [None, np.zeros(()), np.array(["text"]), array[None], np.full(array.shape, "x")]
        if key != "meta" and array.size and not (key == "preconditioned" or key.startswith("solve_")):
            changes.append(array[:-1])
        for change in changes:
            content_now = with_arrays(content, **{key: change})
            equal_or_value_error(content_now, trace, f"{key} replaced by {change!r}")


@pytest.mark.parametrize("path", sorted(OLD_FILES.glob("*.npz")), ids=lambda path: path.stem)
def test_a_file_of_an_earlier_release_is_the_run_it_was(path):
    """The same settings give the same run today: what the file holds is known without the program that wrote it."""
    loaded = Trace.load(path)
    trainer = Trainer(load_dataset("xor", num_points=10, seed=1), loaded.config)
    np.testing.assert_array_equal(loaded.dataset.X, trainer.data.X)
    for old in loaded.records:
        new = trainer.step()
        assert old.firing.equals(new.firing) and np.array_equal(old.touched, new.touched)
        assert old.loss == pytest.approx(new.loss, rel=1e-9) and old.status == new.status
        assert np.array_equal(old.visited_levels, new.visited_levels)
        assert np.array_equal(old.modified_levels, new.modified_levels)
        recounted = {"repair"} if old.watch else set()  # watch lists without a compiler were charged more then
        assert {p: c for p, c in old.costs.items() if p not in recounted} == {
            p: c for p, c in new.costs.items() if p not in recounted
        }
        assert set(old.costs) == set(new.costs) and set(old.seconds) == set(new.seconds)
        assert_same_report(old.watch, new.watch)
    if loaded.config.search != "watch":  # lists were charged less then: no first look, no sorting, no rule of the skin
        assert loaded.build_costs == trainer.trace.build_costs


def assert_same_report(old, new):
    assert (old is None) == (new is None)
    if old is not None:
        assert np.array_equal(old.promoted, new.promoted) and old.skin == new.skin
        counts = ("num_watched", "num_due", "num_changed")
        assert [getattr(old, name) for name in counts] == [getattr(new, name) for name in counts]


def test_a_file_names_its_phases(tmp_path):
    """A release with one phase more reads the files of those before; phases it does not know are refused by name."""
    content, trace = file_bytes(tmp_path)
    loaded = Trace.load(io.BytesIO(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        phases = json.loads(np.lib.format.read_array(archive.open("meta.npy")).tobytes())["phases"]
    kept = [place for place, phase in enumerate(phases) if phase != "build"]
    fewer = with_meta(content, phases=[phases[place] for place in kept])
    with np.load(io.BytesIO(content)) as arrays:
        fewer = with_arrays(fewer, costs=arrays["costs"][:, kept], seconds=arrays["seconds"][:, kept])
    assert [record.costs for record in Trace.load(io.BytesIO(fewer)).records] == [r.costs for r in trace.records]
    assert [record.seconds for record in loaded.records] == [record.seconds for record in trace.records]
    with pytest.raises(ValueError, match="another version of treeviz, with a phase 'dream'"):
        Trace.load(io.BytesIO(with_meta(content, phases=["dream", *phases[1:]])))


def with_member(content, name, data):
    """Return the archive with one more member, or another one in the place of `name`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
        new.writestr(name, data)
    return buffer.getvalue()


def npy(header, body=b"", version=(1, 0)):
    length = len(header).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + header + body


HOSTILE_MEMBERS = {
    "a bomb": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000,), }\n", bytes(8_000_000)),
    "a header that promises a terabyte": npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (125000000000,), }\n"),
    "a header of megabytes": npy(b" " * 5_000_000, version=(2, 0)),
    "objects": npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", bytes(8)),
    "no array": b"hello, world",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ["junk.npy", "loss.npy"])
@pytest.mark.parametrize("kind", HOSTILE_MEMBERS)
def test_a_hostile_file_takes_no_memory(kind, name, tmp_path, monkeypatch):
    content, _ = file_bytes(tmp_path)
    hostile = with_member(content, name, HOSTILE_MEMBERS[kind])
    monkeypatch.setattr("treeviz.training.trace_file.usable_bytes", lambda: 4e6 if kind == "a bomb" else 1e10)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="is not a readable treeviz trace"):
            Trace.load(io.BytesIO(hostile))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3e6


@pytest.mark.parametrize("name", ["loss", "outputs", "dual_step", "X"])
def test_values_that_are_not_numbers_are_refused(name, tmp_path):
    content, _ = file_bytes(tmp_path)
    with np.load(io.BytesIO(content)) as arrays:
        damaged = arrays[name].copy()
    damaged[0] = np.nan
    with pytest.raises(ValueError, match=f"{name}.*not a number"):
        Trace.load(io.BytesIO(with_arrays(content, **{name: damaged})))


def test_a_file_of_the_first_version_is_refused_in_words(tmp_path):
    """It counted nodes by tree, not by level."""
    content, trace = file_bytes(tmp_path)
    old = with_arrays(
        with_meta(content, version=1),
        visited_levels=None,
        modified_levels=None,
        **{name: np.array([getattr(record, name) for record in trace.records]) for name in COUNTS},
    )
    with pytest.raises(ValueError, match=r"another version of treeviz \(format 1, this is 4\)"):
        Trace.load(io.BytesIO(old))


@pytest.mark.parametrize("name", ["visited_levels", "modified_levels"])
@pytest.mark.parametrize("search", ["forest", "dense"])
def test_counts_of_levels_the_trees_do_not_have_are_refused(name, search, tmp_path):
    content, _ = file_bytes(tmp_path, search=search)
    shape = (3, 5, 7 if search == "forest" else 0)
    Trace.load(io.BytesIO(with_arrays(content, **{name: np.zeros(shape, dtype=np.int64)})))
    for wrong in ((3, 5, shape[2] + 1), (3, 5), (3, 4, shape[2]), (2, 5, shape[2])):
        with pytest.raises(ValueError, match=f"{name} has shape"):
            Trace.load(io.BytesIO(with_arrays(content, **{name: np.zeros(wrong, dtype=np.int64)})))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"version": 99},
        {"phases": ["build"]},
        {"config": {}},
        {"config": {"width": 0}},
        {"config": {"width": 64, "colour": "red"}},
        {"config": None},
        {"name": 3},
        {"status": []},
        {"unlearnable": [[], [], []]},
        {"unlearnable": None},
        {"build_costs": 3},
        {"draw_seconds": "long"},
    ],
)
def test_a_file_with_wrong_settings_is_refused(changes, tmp_path):
    content, _ = file_bytes(tmp_path)
    with pytest.raises(ValueError, match="not a readable treeviz trace"):
        Trace.load(io.BytesIO(with_meta(content, **changes)))


def test_neurons_the_network_does_not_have_are_refused(tmp_path):
    content, trace = file_bytes(tmp_path)
    firing = np.concatenate([s for record in trace.records for s in record.firing])
    for neuron in (-1, 64):
        firing[1] = neuron
        with pytest.raises(ValueError, match="neuron"):
            Trace.load(io.BytesIO(with_arrays(content, firing=firing)))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("watch_skin", lambda skins: -skins),
        ("watch_skin", lambda skins: np.inf * skins),
        ("watch_num_due", lambda counts: counts - 1000),
        ("watch_num_watched", lambda counts: counts[:-1]),
        ("watch_num_promoted", lambda counts: counts + 1),
        ("watch_promoted", lambda neurons: np.full_like(neurons, neurons[0])),
        ("watch_promoted", lambda neurons: neurons + 64),
    ],
)
def test_watch_lists_that_cannot_have_been_are_refused(name, change, tmp_path):
    content, _ = file_bytes(tmp_path, search="watch", skin=0.05)
    with np.load(io.BytesIO(content)) as archive:
        array = archive[name]
    with pytest.raises(ValueError, match=r"watch_|promoted|length"):
        Trace.load(io.BytesIO(with_arrays(content, **{name: change(array)})))


class Intruder:
    """Unpickling it leaves a mark."""

    def __reduce__(self):
        return (exec, ("import os; os.environ['TREEVIZ_TEST_UNPICKLED'] = '1'",))


def foreign_files():
    npy, npz, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, np.arange(5))
    np.savez(npz, a=np.arange(5))
    np.savez(objects, meta=np.array([Intruder()], dtype=object))
    other_zip = io.BytesIO()
    with zipfile.ZipFile(other_zip, "w") as archive:
        archive.writestr("meta", "hello")
    return {
        "empty": b"",
        "text": b"x,y\n1,2\n",
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "npz": npz.getvalue(),
        "npy": npy.getvalue(),
        "zip": other_zip.getvalue(),
        "pickle": pickle.dumps({"format": "treeviz-trace"}),
        "pickled intruder": pickle.dumps(Intruder()),
        "npz of objects": objects.getvalue(),
        "json": b'{"format": "treeviz-trace"}',
    }


@pytest.mark.parametrize("kind", list(foreign_files()))
def test_a_foreign_file_is_refused(kind, tmp_path):
    content = foreign_files()[kind]
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    for source in (path, str(path), io.BytesIO(content)):
        with pytest.raises(ValueError, match="not a readable treeviz trace"):
            Trace.load(source)
    assert "TREEVIZ_TEST_UNPICKLED" not in os.environ


def test_no_file_and_a_directory_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file"):
        Trace.load(tmp_path / "missing.npz")
    with pytest.raises(ValueError, match=str(tmp_path)):
        Trace.load(tmp_path)


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    trainer = trainer_of()
    trainer.step()
    path = tmp_path / "run.npz"
    old = saved(trainer.trace, path).read_bytes()
    trainer.step()
    whole = Path.write_bytes

    def full_disk(self, data):
        whole(self, bytes(data)[:100])
        raise OSError("no space left on device")

    def refused(*_):
        raise PermissionError("not allowed")

    for target, name, failure in ((Path, "write_bytes", full_disk), (os, "replace", refused)):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, failure)
            with pytest.raises(OSError):
                trainer.trace.save(path)
        assert path.read_bytes() == old
        assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    trainer.trace.save(path)
    assert len(Trace.load(path).records) == 2


def test_saving_where_nothing_can_be_written_is_an_os_error(tmp_path):
    trainer = trainer_of()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing" / "run.npz", tmp_path / "file" / "run.npz", tmp_path):
        with pytest.raises(OSError):
            trainer.trace.save(path)


@pytest.mark.parametrize("search", ["forest", "dense-sparse"])
def test_amortized_costs_are_sums_by_hand(search):
    trainer = trainer_of(search=search)
    for _ in range(3):
        trainer.step()
    trace = trainer.trace
    build = 64 * 5 * 3 + 127 * 5 if search == "forest" else 0
    costs = [sum(record.costs.values()) for record in trace.records]
    by_hand = [costs[0], (costs[0] + costs[1]) / 2, sum(costs) / 3]
    assert trace.amortized(include_build=False) == pytest.approx(by_hand, rel=1e-15)
    with_build = [cost + build / t for t, cost in enumerate(by_hand, 1)]
    assert trace.amortized() == pytest.approx(with_build, rel=1e-15)
    assert trace.amortized("operations", of="method", include_build=True) == pytest.approx(with_build, rel=1e-15)

    seconds = [sum(record.seconds.values()) for record in trace.records]
    building = sum(trace.build_seconds.values())
    assert building > 0 if search == "forest" else building == 0
    expected = [(building + sum(seconds[:t])) / t for t in (1, 2, 3)]
    assert trace.amortized("seconds") == pytest.approx(expected, rel=1e-12)
    expected = [sum(seconds[:t]) / t for t in (1, 2, 3)]
    assert trace.amortized("seconds", include_build=False) == pytest.approx(expected, rel=1e-12)

    dense = [sum(trace.dense_costs(record).values()) for record in trace.records]
    expected = [sum(dense[:t]) / t for t in (1, 2, 3)]
    for include_build in (True, False):
        assert trace.amortized(of="dense", include_build=include_build) == pytest.approx(expected, rel=1e-15)
    if search == "dense-sparse":
        assert np.array_equal(trace.amortized(of="dense"), trace.amortized())


@pytest.mark.parametrize(
    ("unit", "of"), [("hours", "method"), ("operations", "forest"), ("seconds", "dense"), (None, "method")]
)
def test_an_amortized_series_that_does_not_exist_is_a_value_error(unit, of):
    with pytest.raises(ValueError):
        trainer_of().trace.amortized(unit, of=of)


@pytest.mark.parametrize("method", ["gradient-descent", "gauss-newton"])
def test_records_of_many_iterations_stay_small(method):
    data = load_dataset("sphere", num_points=16, dimension=16)
    trainer = trainer_of(data, width=4096, method=method)
    trainer.step()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(30):
        trainer.step()
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    grown = sum(difference.size_diff for difference in after.compare_to(before, "filename"))
    assert len(trainer.trace.records) == 31
    assert grown < 6e6, f"{grown / 1e6:.1f} MB"


def test_replaying_while_the_trainer_steps_is_exact():
    settings = {"width": 2000, "method": "gradient-descent", "step_size": 2.0}
    data = load_dataset("sphere")
    expected = run_recording_leaves(trainer_of(data, **settings), 60)
    trainer = trainer_of(data, **settings)
    done, wrong = threading.Event(), []

    def watch(seed):
        rng, count = np.random.default_rng(seed), 0
        while not done.is_set() or count < 40:
            known = len(trainer.trace.records)
            point, iteration = int(rng.integers(16)), int(rng.integers(known + 1))
            if not np.array_equal(leaves_of(trainer.trace, point, iteration), expected[iteration][:, point]):
                wrong.append((point, iteration))
            if iteration < known:
                step, record = trainer.trace.replay(point, iteration), trainer.trace.records[iteration]
                if not np.array_equal(step.after[2000:], expected[iteration + 1][:, point]):
                    wrong.append((point, iteration, "after"))
                if (step.modified.size, step.visited.size) != (record.num_modified[point], record.num_visited[point]):
                    wrong.append((point, iteration, "counts"))
            count += 1

    with ThreadPoolExecutor(2) as pool:
        watchers = [pool.submit(watch, seed) for seed in (1, 2)]
        for _ in range(60):
            trainer.step()
        done.set()
        for watcher in watchers:
            watcher.result()
    assert not wrong, wrong[:5]
    assert np.array_equal(trainer.forest.leaves, expected[-1])


@pytest.mark.parametrize("from_file", [False, True])
def test_two_threads_may_replay_different_points(from_file, tmp_path):
    trainer = trainer_of(load_dataset("moons"), width=500)
    expected = run_recording_leaves(trainer, 8)
    trace = Trace.load(saved(trainer.trace, tmp_path / "run.npz")) if from_file else trainer.trace

    def replay_all(points):
        return [
            (point, t)
            for point, t in itertools.product(points, (5, 0, 7, 3, 4, 5, 6, 1))
            if not np.array_equal(trace.replay(point, t).before[500:], expected[t][:, point])
            or not np.array_equal(leaves_of(trace, point, t + 1), expected[t + 1][:, point])
        ]

    with ThreadPoolExecutor(4) as pool:
        wrong = list(pool.map(replay_all, [range(0, 12), range(6, 18), range(0, 24, 2), range(23, 0, -2)]))
    assert not any(wrong), wrong


def test_a_redraw_keeps_as_many_trees_as_there_is_room_for(tmp_path, monkeypatch):
    trainer = trainer_of(small_data(5, 1), width=64)
    expected = trainer.forest.leaves.copy()
    monkeypatch.setattr(trace_module, "_MAX_REDRAWN_BYTES", 8 * 64 * 2)
    redraws = []
    monkeypatch.setattr(network_module, "leaf_blocks", lambda *parts: redraws.append(1) or leaf_blocks(*parts))
    trace = Trace.load(saved(trainer.trace, tmp_path / "run.npz"))
    for point, num_redraws in ((0, 1), (1, 1), (4, 2), (0, 2), (2, 3)):
        assert np.array_equal(trace.initial_leaves(point), expected[:, point])
        assert len(redraws) == num_redraws
    trace.initial_leaves(2)[:] = np.nan  # the caller's own
    assert np.array_equal(trace.initial_leaves(2), expected[:, 2])
