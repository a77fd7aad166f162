"""One step of the trainer: its record, its costs, and what it says when the data or the settings are hopeless."""

import dataclasses
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.numerals import agree

VARIANTS = tuple(itertools.product(("forest", "dense"), ("sketch", "exact")))
PER_POINT = ("outputs", "residual", "dual_step", "num_visited", "num_modified")
each_variant = pytest.mark.parametrize(("search", "solver"), VARIANTS)


def sphere(num_points=6, dimension=3, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, dimension))
    signs = np.where(np.arange(num_points) % 2, -1.0, 1.0)
    return Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), scale * signs)


def trainer_of(data, **settings):
    return Trainer(data, TrainConfig(**{"width": 64, **settings}))


def assert_finite(record):
    for name in ("loss", "outputs", "residual", "dual_step"):
        assert np.isfinite(getattr(record, name)).all(), f"{name} is not finite: {record.status}"
    assert np.isfinite(record.solve.residual_norms).all()
    met = record.solve.preconditioned_conditioning
    assert met is None or np.isfinite(met)
    assert all(cost >= 0 for cost in record.costs.values())
    assert isinstance(record.status, str) and record.status


def steps(data, num_steps=6, **settings):
    """Step, and look for anything that is not finite or not a heap after every step."""
    trainer = trainer_of(data, **settings)
    for _ in range(num_steps):
        assert_finite(trainer.step())
        assert np.isfinite(trainer.weights()).all()
        if trainer.config.search == "forest":
            trainer.forest._check()
    return trainer.trace.records


def assert_same_record(left, right):
    for field in dataclasses.fields(left):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if field.name == "seconds":
            assert set(a) == set(b)
        elif field.name in ("firing", "moving"):
            assert len(a) == len(b) and all(np.array_equal(s, t) for s, t in zip(a, b, strict=True))
        elif field.name in ("solve", "watch") and a is not None:
            for part in dataclasses.fields(a):
                assert repr(getattr(a, part.name)) == repr(getattr(b, part.name)), part.name
        else:
            assert np.array_equal(a, b), field.name


@each_variant
def test_the_contract_holds(search, solver):
    data, width = sphere(), 64
    trainer = trainer_of(data, search=search, solver=solver)
    assert trainer.output_signs.shape == (width,) and set(trainer.output_signs) == {-1.0, 1.0}
    assert trainer.threshold == pytest.approx(math.sqrt(0.48 * math.log(width)))
    record = trainer.step()
    assert record.iteration == 0 and isinstance(record.loss, float)
    for name in PER_POINT:
        kind = np.int64 if name.startswith("num_") else np.float64
        assert getattr(record, name).shape == (6,) and getattr(record, name).dtype == kind, name
    num_levels = 7 if search == "forest" else 0
    for counts in (record.visited_levels, record.modified_levels):
        assert counts.shape == (6, num_levels) and counts.dtype == np.int64
    assert np.array_equal(record.num_visited, record.visited_levels.sum(axis=1))
    assert np.array_equal(record.num_modified, record.modified_levels.sum(axis=1))
    assert record.loss == 0.5 * float(record.residual @ record.residual)
    assert np.array_equal(record.residual, record.outputs - data.y)
    assert len(record.firing) == 6
    for neurons in (*record.firing, record.touched):
        assert neurons.dtype.kind == "i" and neurons.ndim == 1 and (np.diff(neurons) > 0).all()
    assert record.solve.iterations >= 0 and record.solve.conditioning >= 1 and record.solve.rank == 6
    assert record.solve.residual_norms.ndim == 1 and record.solve.residual_norms[-1] < 1e-9
    assert record.status == "ok" and record.unlearnable == {}
    phases = {"search", "forward", "jacobian", "solve", "move"}
    phases |= {"sketch", "precondition"} if solver == "sketch" else set()
    phases |= {"repair"} if search == "forest" else set()
    assert set(record.costs) == phases and set(record.seconds) <= phases
    assert all(type(cost) is int and cost > 0 for cost in record.costs.values())
    assert all(seconds >= 0 for seconds in record.seconds.values())
    assert record.num_operations == sum(record.costs.values())
    trace = trainer.run(max_iterations=2)
    assert trace is trainer.trace and trace.records[0] is record and len(trace.records) == 3
    assert [r.iteration for r in trace.records] == [0, 1, 2]


@each_variant
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_the_same_settings_give_the_same_bits(search, solver, method):
    data = load_dataset("digits", num_points=20, seed=1)
    settings = {"width": 2048, "search": search, "solver": solver, "method": method, "seed": 5}
    left, right = trainer_of(data, **settings), trainer_of(data, **settings)
    for _ in range(4):
        assert_same_record(left.step(), right.step())
    assert np.array_equal(left.weights(), right.weights())


def test_every_method_starts_from_one_network():
    networks = [
        trainer_of(sphere(n, 3, seed=n), width=20_000, search=s, solver=v, method=m, seed=4)
        for n, (s, v), m in itertools.product((2, 5), VARIANTS, ("gauss-newton", "gradient-descent"))
    ]
    for trainer in networks[1:]:
        assert np.array_equal(trainer.weights(), networks[0].weights())
        assert np.array_equal(trainer.output_signs, networks[0].output_signs)
    W = networks[0].weights()
    assert abs(W.mean()) < 0.02 and abs(W.std() - 1) < 0.02
    assert abs(networks[0].output_signs.mean()) < 0.03
    other = trainer_of(sphere(2), width=20_000, seed=5)
    assert not np.array_equal(other.weights(), W)


@each_variant
def test_touched_is_the_union_and_never_grows(search, solver):
    for name in ("circle", "moons", "digits"):
        before = None
        trainer = trainer_of(load_dataset(name), width=300, search=search, solver=solver, seed=1)
        for _ in range(8):
            record = trainer.step()
            assert np.array_equal(record.touched, np.unique(np.concatenate(record.firing)))
            assert before is None or np.isin(record.touched, before).all()
            before = record.touched


@pytest.mark.parametrize("search", ["forest", "dense"])
def test_weights_can_be_had_whole_or_by_rows(search):
    trainer = trainer_of(sphere(), width=40_000, search=search, seed=2)
    for _ in range(3):
        W = trainer.weights()
        assert W.shape == (40_000, 3) and W.dtype == np.float64
        touched = trainer.step().touched.astype(np.int64)
        W = trainer.weights()
        for neurons in (touched[::-1], np.array([39_999, 0, 16_384, 16_383, 0]), np.array([], dtype=np.int64), [7]):
            assert np.allclose(trainer.weights(neurons), W[neurons], rtol=0, atol=1e-13)
    for neurons in ([40_000], [-1], [0, 50_000]):
        with pytest.raises(ValueError, match="neurons"):
            trainer.weights(np.array(neurons))
    handed_out = trainer.weights()
    handed_out[:] = 0.0
    assert np.array_equal(trainer.weights(), W)


@pytest.mark.parametrize("search", ["forest", "dense"])
def test_only_touched_neurons_move(search):
    trainer = trainer_of(sphere(), search=search)
    before = trainer.weights()
    touched = trainer.step().touched
    moved = np.flatnonzero((trainer.weights() != before).any(axis=1))
    assert moved.size and np.isin(moved, touched).all()


@pytest.mark.parametrize("name", ["circle", "moons", "digits"])
@pytest.mark.parametrize("width", [1, 2, 37, 1024, 1500])
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_visited_and_modified_are_those_of_the_tree(name, width, method):
    data = load_dataset(name)
    trainer = trainer_of(data, width=width, method=method, seed=3)
    forest = trainer.forest
    for _ in range(6):
        before = forest.values.copy()
        leaves = trainer.weights() @ data.X.T
        assert np.allclose(forest.leaves, leaves, rtol=0, atol=1e-12 * max(1.0, np.abs(leaves).max()))
        record = trainer.step()
        forest._check()
        inner = before[1:width]
        assert np.array_equal(record.num_visited, 1 + 2 * (inner >= trainer.threshold).sum(axis=0))
        assert np.array_equal(record.num_modified, (forest.values[1:] != before[1:]).sum(axis=0))
        passed, modified = before >= trainer.threshold, forest.values != before
        assert record.visited_levels.shape == record.modified_levels.shape == (data.num_points, forest.num_levels)
        assert (record.visited_levels[:, 0] == 1).all()
        for level in range(forest.num_levels):
            nodes = range(1 << level, min(2 << level, 2 * width))
            assert np.array_equal(record.modified_levels[:, level], modified[nodes].sum(axis=0))
            if level:
                entered = passed[[node // 2 for node in nodes]]
                assert np.array_equal(record.visited_levels[:, level], entered.sum(axis=0))


@pytest.mark.slow
def test_visited_and_modified_are_those_of_a_large_tree():
    """Large enough for threads and compiled loops."""
    data = load_dataset("digits", num_points=70)
    trainer = trainer_of(data, width=65_537)
    for _ in range(3):
        before = trainer.forest.values.copy()
        record = trainer.step()
        trainer.forest._check()
        assert np.array_equal(record.num_visited, 1 + 2 * (before[1:65_537] >= trainer.threshold).sum(axis=0))
        assert np.array_equal(record.num_modified, (trainer.forest.values[1:] != before[1:]).sum(axis=0))
        assert np.allclose(trainer.forest.leaves, trainer.weights() @ data.X.T, rtol=0, atol=1e-12)


def test_a_dense_trainer_has_no_forest():
    trainer = trainer_of(sphere(), search="dense")
    with pytest.raises(AttributeError, match="forest"):
        _ = trainer.forest
    record = trainer.step()
    assert not record.num_visited.any() and not record.num_modified.any()


@each_variant
def test_records_are_frozen(search, solver):
    record = trainer_of(sphere(), search=search, solver=solver).step()
    arrays = [getattr(record, name) for name in (*PER_POINT, "touched", "visited_levels", "modified_levels")]
    for array in (*arrays, *record.firing):
        with pytest.raises(ValueError):
            array[:1] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.loss = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.solve.rank = 0


@each_variant
def test_the_arrays_of_a_solve_are_read_only(search, solver):
    record = trainer_of(sphere(), search=search, solver=solver).step()
    with pytest.raises(ValueError):
        record.solve.residual_norms[:1] = 0


@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_costs_are_a_sum_by_hand(method):
    """Two points, d = 2, four neurons: every phase counted from the firing sets."""
    data = Dataset(np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, -1.0]))
    m, n, d = 4, 2, 2
    trainer = trainer_of(data, width=m, threshold=0.0, solver="exact", method=method, seed=4)
    fires = trainer.weights() @ data.X.T >= 0.0  # (4, 2)
    before = trainer.forest.values.copy()
    record = trainer.step()
    after = trainer.forest.values
    pairs, degrees = int(fires.sum()), fires.sum(axis=1)
    touched = np.flatnonzero(degrees)
    assert fires.any(axis=0).all() and touched.size >= 2  # the case is not degenerate
    # Repair: 2 leaves a touched neuron, then every node with a changed child, in all trees at once. Nodes 2, 3, 1.
    changed = (after != before).any(axis=1)
    parents = {v for v in (2, 3) if changed[2 * v] or changed[2 * v + 1]}
    recomputed = len(parents) + int(any(changed[v] for v in parents))
    expected = {
        "search": int((1 + 2 * (before[1:m] >= 0.0).sum(axis=0)).sum()),
        "forward": pairs + n,
        "move": pairs,
        "repair": pairs * n + (touched.size + recomputed) * n,
    }
    if method == "gauss-newton":
        expected["jacobian"] = pairs
        # C, G entry by entry, Cholesky 8 / 3 rounded up, two triangular solves.
        expected["solve"] = int((degrees**2).sum()) + n * n + 3 + n * n
    assert record.costs == expected
    assert trainer.trace.build_costs == {"build": m * n * d + (2 * m - 1) * n}


def test_costs_of_the_sketch_are_a_sum_by_hand():
    data = Dataset(np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([1.0, -1.0]))
    trainer = trainer_of(data, width=4, threshold=0.0, seed=4)
    pairs = int((trainer.weights() @ data.X.T >= 0.0).sum())
    record = trainer.step()
    assert record.solve.num_sketches == 1 and record.solve.num_sketch_rows == 16
    length = 8  # 8 rows a datapoint, in two blocks
    convolution = math.ceil(length * (3 * 2.5 * 3 + 2))
    assert record.costs["sketch"] == 2 * (pairs + 2 * 2 + 2 * convolution)
    assert record.costs["precondition"] == 16 * 4 - 8 // 3 + 8 // 6
    product = 2 * pairs * 2 + 2 * 2
    assert record.costs["solve"] == record.solve.iterations * (product + 2 * 4 + 5 * 2) + product + 3 * 4


@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
@pytest.mark.parametrize("name", ["sphere", "circle", "xor", "wine"])
def test_dense_costs_are_the_dense_trainers_own(method, name):
    data = load_dataset(name)
    settings = {"width": 512, "solver": "exact", "method": method, "seed": 1}
    forest, dense = trainer_of(data, **settings), trainer_of(data, **settings, search="dense-sparse")
    for _ in range(4):
        record, other = forest.step(), dense.step()
        if not np.array_equal(record.touched, other.touched) or record.solve.rank != other.solve.rank:
            assert name == "xor"  # ill-conditioned: round-off parts the two runs
            break
        assert forest.trace.dense_costs(record) == other.costs
        assert dense.trace.dense_costs(other) == other.costs


@pytest.mark.parametrize("name", ["sphere", "wine", "digits"])
def test_dense_costs_of_the_sketch_differ_by_its_iterations_alone(name):
    data, width = load_dataset(name), 1024
    n, d = data.X.shape
    forest, dense = trainer_of(data, width=width), trainer_of(data, width=width, search="dense-sparse")
    for _ in range(4):
        record, other = forest.step(), dense.step()
        an_iteration = 2 * record.firing.num_pairs * d + n * d + 2 * n * n + 5 * n
        costs = forest.trace.dense_costs(record)
        assert sum(costs.values()) == pytest.approx(sum(other.costs.values()), rel=0.05 if n >= 50 else 0.1)
        costs["solve"] += (other.solve.iterations - record.solve.iterations) * an_iteration
        assert costs == other.costs
        assert dense.trace.dense_costs(other) == other.costs


@each_variant
def test_duplicates_with_one_target_are_learned(search, solver):
    data = sphere(5, 3)
    twice = Dataset(data.X[[0, 1, 2, 0, 3, 1]], data.y[[0, 1, 2, 0, 3, 1]])
    records = steps(twice, 8, search=search, solver=solver, width=256)
    assert records[-1].loss < 1e-20
    assert "rank 4 on 6" in records[0].status and records[0].solve.rank == 4
    assert all(record.unlearnable == {} for record in records)


@each_variant
def test_duplicates_with_two_targets_are_named_and_the_rest_learned(search, solver):
    data = sphere(5, 3)
    twice = Dataset(data.X[[0, 1, 2, 0, 3]], np.array([1.0, -1.0, 1.0, -2.0, -1.0]))
    records = steps(twice, 8, search=search, solver=solver, width=256)
    last = records[-1]
    assert set(last.unlearnable) == {0, 3}
    assert "datapoint 3" in last.unlearnable[0] and "datapoint 0" in last.unlearnable[3]
    assert "target" in last.unlearnable[0]
    assert np.allclose(last.residual[[1, 2, 4]], 0, rtol=0, atol=1e-10)
    assert last.outputs[[0, 3]] == pytest.approx([-0.5, -0.5])  # the best one number can do
    assert last.loss == pytest.approx(2 * 0.5 * 1.5**2)


@each_variant
@pytest.mark.parametrize("threshold", [50.0, 1e308])
def test_nothing_fires(search, solver, threshold):
    data = sphere()
    records = steps(data, 3, search=search, solver=solver, threshold=threshold)
    for record in records:
        assert "no neuron fires" in record.status and "lower the threshold" in record.status
        assert set(record.unlearnable) == set(range(6)) and "no neuron fires" in record.unlearnable[0]
        assert record.touched.size == 0 and not record.dual_step.any() and not record.num_modified.any()
        assert record.loss == 0.5 * 6
    assert len(trainer_of(data, search=search, solver=solver, threshold=threshold).run(9).records) == 1


@each_variant
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
def test_some_points_are_silent(search, solver, method):
    data = sphere(12, 3, seed=2)
    records = steps(data, 8, search=search, solver=solver, method=method, width=16, threshold=1.6, seed=1)
    some = False
    for record in records:
        silent = [i for i, neurons in enumerate(record.firing) if not neurons.size]
        assert set(record.unlearnable) == set(silent)
        said = f"{len(silent)} of 12 datapoints {agree(len(silent), 'fires', 'fire')} no neuron"
        assert (said in record.status) == (0 < len(silent) < 12)
        assert not record.dual_step[silent].any()
        some |= 0 < len(silent) < 12
    assert some


@each_variant
def test_more_points_than_parameters(search, solver):
    records = steps(sphere(40, 2, seed=4), 8, search=search, solver=solver, width=5, threshold=0.0)
    assert records[0].solve.rank <= 2 * records[0].touched.size < 40
    assert "rank" in records[0].status and "cannot be learned" in records[0].status


@each_variant
def test_the_other_reading_of_the_activation(search, solver):
    """max(z, b) against its definition: the outputs of all neurons summed up, and a whole run from there."""
    config = TrainConfig(width=300, search=search, solver=solver, activation="clipped", seed=2)
    trainer = Trainer(load_dataset("sphere", num_points=6, dimension=4, seed=1), config)
    X, a, b = trainer.data.X, trainer.output_signs, trainer.threshold
    for _ in range(5):
        W = trainer.weights()
        expected = np.maximum(W @ X.T, b).T @ a / np.sqrt(300)
        np.testing.assert_allclose(trainer.predict(X), expected, atol=1e-9)
        record = trainer.step()
        np.testing.assert_allclose(record.outputs, expected, atol=1e-9)
        assert record.loss == pytest.approx(0.5 * np.sum((expected - trainer.data.y) ** 2), rel=1e-9, abs=1e-16)
    assert record.loss < 1e-8
    start = replace(config, activation="shifted")
    assert abs(Trainer(trainer.data, start).step().loss - trainer.trace.losses[0]) > 1e-3


@each_variant
@pytest.mark.parametrize("num_points", [1, 5])
@pytest.mark.parametrize("dimension", [1, 3])
def test_the_smallest_networks_and_data(search, solver, num_points, dimension):
    for width, seed in itertools.product((1, 2, 3), range(4)):
        data = sphere(num_points, dimension, seed)
        records = steps(data, 5, search=search, solver=solver, width=width, seed=seed)
        assert len(records) == 5


@each_variant
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
@pytest.mark.parametrize("step_size", [1e300, 1.7e308, 1e-300, 5e-324])
def test_extreme_step_sizes(search, solver, method, step_size):
    records = steps(sphere(), 7, search=search, solver=solver, method=method, step_size=step_size)
    if step_size > 1:
        assert "diverged" in records[-1].status and "smaller step_size" in records[-1].status
    else:
        assert "stalled" in records[-1].status


@each_variant
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
@pytest.mark.parametrize("scale", [1e20, 1e100, 1e150])
def test_huge_targets(search, solver, method, scale):
    records = steps(sphere(scale=scale), 5, search=search, solver=solver, method=method)
    assert records[-1].loss < records[0].loss or "diverged" in records[-1].status


@each_variant
@pytest.mark.parametrize("method", ["gauss-newton", "gradient-descent"])
@pytest.mark.parametrize("scale", [1e160, 1e300])
def test_targets_whose_square_overflows_are_refused_or_reported(search, solver, method, scale):
    try:
        trainer = trainer_of(sphere(scale=scale), search=search, solver=solver, method=method)
    except ValueError as error:
        assert "y" in str(error) or "target" in str(error)
        return
    for _ in range(3):
        record = trainer.step()
        assert_finite(record)
        assert record.status != "ok"


@each_variant
def test_huge_targets_and_a_huge_step(search, solver):
    records = steps(sphere(scale=1e150), 3, search=search, solver=solver, step_size=1e300)
    assert "diverged" in records[-1].status


@each_variant
@pytest.mark.parametrize("ridge", [1e-300, 1e-3, 1e3, 1e300, 1.7e308])
def test_any_ridge(search, solver, ridge):
    rows = sphere().X[[0, 1, 2, 0, 3]]
    for data in (sphere(), Dataset(rows, np.array([1.0, -1.0, 1.0, 2.0, 0.0]))):
        records = steps(data, 6, search=search, solver=solver, ridge=ridge)
        assert records[-1].loss <= records[0].loss


@each_variant
@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-150])
def test_zero_and_tiny_targets(search, solver, scale):
    records = steps(sphere(scale=scale), 12, search=search, solver=solver, width=256)
    assert records[-1].loss < 1e-25
    # Nothing is left to fall: round-off is no stall.
    assert records[-1].status == "ok"


@pytest.mark.parametrize("search", ["forest", "dense"])
@pytest.mark.parametrize("step_size", [100.0, 1e10, 1e80])
def test_a_diverging_step_size(search, step_size):
    records = steps(sphere(), 120, search=search, method="gradient-descent", step_size=step_size)
    assert records[-1].status.startswith("diverged") and not records[-1].dual_step.any()
    assert records[-1].loss > 1e6


@pytest.mark.parametrize("search", ["forest", "dense"])
@pytest.mark.parametrize(("tolerance", "sketch_factor"), [(1e-300, 2), (0.9, 2), (1e-12, 1000)])
def test_extreme_solver_settings(search, tolerance, sketch_factor):
    records = steps(sphere(), 20, search=search, tolerance=tolerance, sketch_factor=sketch_factor, width=256)
    assert records[-1].loss < 1e-3 * records[0].loss


def test_run_stops_at_the_loss_asked_for():
    seen = []
    trainer = trainer_of(sphere(), width=512)
    trace = trainer.run(max_iterations=50, until_loss=1e-6, on_step=seen.append)
    assert seen == trace.records
    assert trace.losses[-1] <= 1e-6 and (trace.losses[:-1] > 1e-6).all()
    assert len(trainer.run(max_iterations=50, until_loss=1e-6).records) == len(seen) + 1


@pytest.mark.parametrize("count", [0, 1, 4])
def test_run_does_at_most_so_many_iterations_more(count):
    trainer = trainer_of(sphere(), method="gradient-descent", step_size=0.01)
    trainer.step()
    assert len(trainer.run(max_iterations=count, until_loss=0.0).records) == 1 + count


def test_run_stops_when_the_step_diverges():
    trace = trainer_of(sphere(), method="gradient-descent", step_size=1e10).run(500, until_loss=0.0)
    assert 1 < len(trace.records) < 50 and trace.records[-1].status.startswith("diverged")


@each_variant
def test_a_stall_is_said_in_words(search, solver):
    """Two targets at one input: the others are learned, and from then on nothing changes."""
    twice = Dataset(sphere(5, 3).X[[0, 1, 2, 0, 3]], np.array([1.0, -1.0, 1.0, -2.0, -1.0]))
    records = steps(twice, 16, search=search, solver=solver, width=256)
    stalled = ["stalled: the loss no longer changes" in record.status for record in records]
    assert stalled == sorted(stalled) and not any(stalled[:6]) and stalled[-1]
    assert "share their input" in records[-1].status and "the others are learned" in records[-1].status


def test_a_slow_run_is_not_called_stalled():
    records = steps(sphere(), 30, width=64, ridge=1e3)
    assert [record.status[:11] for record in records] == ["ok"] * 20 + ["slow so far"] * 10


@pytest.mark.parametrize("search", ["forest", "dense"])
def test_a_run_too_large_for_memory_is_refused_at_once(search):
    data = sphere(512, 16, 1)
    with pytest.raises(ValueError, match=r"width 134,217,728 with 512 datapoints .*GB"):
        trainer_of(data, width=1 << 27, search=search)
