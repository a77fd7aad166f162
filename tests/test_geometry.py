"""Neurons in a plane and outputs over the input plane, against explicit weights, loops and a dense forward pass."""

import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from treeviz import Dataset, Trace, TrainConfig, Trainer, load_dataset
from treeviz.stage.pictures import geometry
from treeviz.stage.pictures.field import OutputField, is_planar
from treeviz.stage.pictures.geometry import neuron_plane


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_data(n, d, seed=0):
    rng = np.random.default_rng(seed)
    return Dataset(unit(rng.standard_normal((n, d))), rng.choice([-1.0, 1.0], n))


def trained(data, num_steps=4, **settings):
    """Step; return the trainer, and the weights before every step and after the last, made explicit."""
    trainer = Trainer(data, TrainConfig(**{"width": 400, "solver": "exact", **settings}))
    weights = [trainer.weights()]
    for _ in range(num_steps):
        trainer.step()
        weights.append(trainer.weights())
    return trainer, weights


def reloaded(trace, tmp_path):
    trace.save(tmp_path / "run.npz")
    return Trace.load(io.BytesIO((tmp_path / "run.npz").read_bytes()))


def all_moves(trainer, iteration):
    """Every neuron's move, (m, d), by a dense product."""
    record, m = trainer.trace.records[iteration], trainer.config.width
    fires = np.zeros((m, trainer.data.num_points))
    for point, neurons in enumerate(record.firing):
        fires[neurons, point] = 1.0
    return -trainer.output_signs[:, None] / np.sqrt(m) * (fires @ (record.dual_step[:, None] * trainer.data.X))


def largest_movement(trainer, point, iteration):
    """The direction the plane's second axis should have, from the moves of all neurons."""
    x = trainer.data.X[point]
    moves = all_moves(trainer, iteration)
    across = moves - np.outer(moves @ x, x)
    direction = np.linalg.svd(across, full_matrices=False)[2][0]
    return direction * np.sign(direction[np.abs(direction).argmax()])


def assert_facts(plane, trainer, weights):
    """Everything but the coordinates, and what coordinates decide: half-plane and lengths."""
    records, neurons, t = trainer.trace.records, plane.neurons, plane.iteration
    X, m, point, p = trainer.data.X, trainer.config.width, plane.point, plane.neurons.size
    assert neurons.dtype == np.int64 and (np.diff(neurons) > 0).all() and 0 <= neurons[0] <= neurons[-1] < m
    assert plane.before.shape == plane.after.shape == (p, 2) and np.isfinite(plane.before).all()
    assert np.array_equal(plane.fires_before, np.isin(neurons, records[t].firing[point]))
    after = trainer.trace.tree_values(point, t + 1)[m:]
    assert np.array_equal(plane.fires_after, after[neurons] >= trainer.threshold)
    if t + 1 < len(records):
        assert np.array_equal(plane.fires_after, np.isin(neurons, records[t + 1].firing[point]))
    assert np.array_equal(plane.touched, np.isin(neurons, records[t].touched))
    assert np.array_equal(plane.ever, np.isin(neurons, records[0].touched))
    assert np.array_equal(plane.signs, trainer.output_signs[neurons])
    moves = all_moves(trainer, t)[neurons]
    np.testing.assert_allclose(plane.movement, np.linalg.norm(moves, axis=1), rtol=1e-10, atol=1e-15)
    assert np.array_equal(plane.before[~plane.touched], plane.after[~plane.touched])
    for coordinates, fires in ((plane.before, plane.fires_before), (plane.after, plane.fires_after)):
        excess = coordinates @ plane.normal - plane.threshold
        clear = np.abs(excess) > 1e-9
        assert np.array_equal((excess >= 0)[clear], fires[clear])
    assert plane.threshold == trainer.threshold and plane.dimension == X.shape[1]
    assert plane.is_exact == (X.shape[1] <= 2)
    if not plane.is_exact:  # a projection is never longer than what is projected
        step = np.linalg.norm(plane.after - plane.before, axis=1)
        assert (step <= plane.movement * (1 + 1e-9) + 1e-12).all()
    assert plane.shares["touched"] == (plane.touched.sum(), records[t].touched.size)
    assert plane.shares["never-firing"] == ((~plane.ever).sum(), m - records[0].touched.size)
    for shown in (*plane.shares["touched"], *plane.shares["never-firing"]):
        assert f"{shown:,}" in plane.caption


@pytest.mark.parametrize(
    "data",
    [
        load_dataset("circle"),
        random_data(3, 2),
        Dataset([[0.6, 0.8]], [1.0]),  # one datapoint: leaves know the weights along it only
        Dataset([[0.6, 0.8], [0.6, 0.8], [-0.6, -0.8]], [1.0, 1.0, -1.0]),
        Dataset(unit([[0.6, 0.8], [0.6, 0.8 + 1e-7]]), [1.0, -1.0]),
        Dataset(unit([[0.6, 0.8], [0.6, 0.8 + 1e-13]]), [1.0, 1.0]),
    ],
    ids=["circle", "three", "one", "a line", "nearly a line", "a line but for round-off"],
)
@pytest.mark.parametrize("threshold", [None, 0.0])
def test_with_two_coordinates_the_plane_is_weight_space(data, threshold):
    trainer, weights = trained(data, threshold=threshold)
    for t, point in itertools.product(range(4), range(min(3, data.num_points))):
        plane = neuron_plane(trainer.trace, point, t)
        assert_facts(plane, trainer, weights)
        assert plane.labels == ("w₁", "w₂") and np.array_equal(plane.normal, data.X[point])
        np.testing.assert_allclose(plane.before, weights[t][plane.neurons], rtol=0, atol=1e-7)
        np.testing.assert_allclose(plane.after, weights[t + 1][plane.neurons], rtol=0, atol=1e-7)
        if data.num_points in (3, 8):
            np.testing.assert_allclose(plane.before, weights[t][plane.neurons], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        (random_data(7, 5), {}),
        (random_data(20, 4), {"threshold": 0.0}),
        (random_data(2, 6), {"width": 1000}),
        (load_dataset("moons"), {"width": 1000}),
        (load_dataset("digits", num_points=9), {"width": 2000}),
        (random_data(6, 5), {"method": "gradient-descent", "step_size": 2.0}),
        (random_data(6, 5), {"search": "dense"}),
    ],
    ids=["sphere", "more points than dimensions", "two points", "moons", "digits", "gradient descent", "dense"],
)
def test_the_plane_holds_the_leaf_and_the_largest_movement(data, settings, tmp_path, monkeypatch):
    trainer, weights = trained(data, **settings)
    loaded = reloaded(trainer.trace, tmp_path)
    for t, point in itertools.product(range(4), (0, data.num_points - 1)):
        plane = neuron_plane(trainer.trace, point, t)
        assert_facts(plane, trainer, weights)
        if np.abs(trainer.trace.records[t].dual_step).max() > 1e-9:
            assert plane.labels == (f"w · x{'₀₁₂₃₄₅₆₇₈₉'[point % 10]} (the leaf)", "direction of largest movement") or (
                point > 9
            )
            second = largest_movement(trainer, point, t)
            for coordinates, W in ((plane.before, weights[t]), (plane.after, weights[t + 1])):
                expected = W[plane.neurons] @ np.stack([data.X[point], second]).T
                np.testing.assert_allclose(coordinates, expected, rtol=0, atol=1e-8)
        m = trainer.config.width
        for coordinates, moment in ((plane.before, t), (plane.after, t + 1)):
            leaves = trainer.trace.tree_values(point, moment)[m:]
            assert np.array_equal(coordinates[:, 0], leaves[plane.neurons])  # the very bits of the tree
        for other in (neuron_plane(trainer.trace, point, t), neuron_plane(loaded, point, t)):
            assert np.array_equal(plane.neurons, other.neurons) and np.array_equal(plane.before, other.before)
            assert np.array_equal(plane.after, other.after) and plane.caption == other.caption
    with monkeypatch.context() as patch:
        patch.setattr(geometry, "_LARGEST_DENSE", 1)
        iterative = neuron_plane(trainer.trace, 0, 0)
    np.testing.assert_allclose(iterative.before, neuron_plane(trainer.trace, 0, 0).before, rtol=0, atol=1e-8)


def orthogonal_offset(plane, W, x):
    """Check that the second coordinate is w . e for one unit vector e orthogonal to x; return e."""
    weights = W[plane.neurons]
    direction, *_ = np.linalg.lstsq(weights, plane.before[:, 1], rcond=None)
    np.testing.assert_allclose(weights @ direction, plane.before[:, 1], rtol=0, atol=1e-9)
    assert abs(np.linalg.norm(direction) - 1) < 1e-9 and abs(direction @ x) < 1e-9
    return direction


def test_when_nothing_moves_the_plane_shows_where_datapoints_differ():
    data = random_data(6, 4)
    trainer, weights = trained(data, num_steps=2, threshold=50.0)
    for point in range(6):
        plane = neuron_plane(trainer.trace, point, 0)
        assert_facts(plane, trainer, weights)
        assert plane.labels[1] == "direction in which the datapoints differ most"
        direction = orthogonal_offset(plane, weights[0], data.X[point])
        rest = data.X - np.outer(data.X @ data.X[point], data.X[point])
        largest = np.linalg.svd(rest)[2][0]
        np.testing.assert_allclose(direction, largest * np.sign(largest[np.abs(largest).argmax()]), atol=1e-9)
        assert not plane.touched.any() and not plane.ever.any() and plane.neurons.size == 240
        assert np.array_equal(plane.before, plane.after) and not plane.movement.any()


def test_when_all_moves_are_parallel_to_the_datapoint():
    X = np.eye(4)[:3]
    outputs = trained(Dataset(X, np.zeros(3)), num_steps=1)[0].trace.records[0].outputs
    data = Dataset(X, np.append(outputs[:1] + 1.0, outputs[1:]))  # only the first has anything left to learn
    trainer, weights = trained(data, num_steps=1, method="gradient-descent")
    plane = neuron_plane(trainer.trace, 0, 0)
    assert_facts(plane, trainer, weights)
    assert plane.labels[1] == "direction in which the datapoints differ most"
    orthogonal_offset(plane, weights[0], X[0])
    assert plane.movement.any() and np.array_equal(plane.before[:, 1], plane.after[:, 1])
    assert neuron_plane(trainer.trace, 1, 0).labels[1] == "direction of largest movement"


@pytest.mark.parametrize("rows", [[[0.5, 0.1, -0.7]], [[0.5, 0.1, -0.7], [-1.0, -0.2, 1.4], [1.0, 0.2, -1.4]]])
def test_datapoints_on_one_line_leave_any_direction_across(rows, tmp_path):
    data = Dataset(unit(rows), np.arange(1.0, len(rows) + 1))
    trainer, weights = trained(data, num_steps=3)
    for t in range(3):
        plane = neuron_plane(trainer.trace, len(rows) - 1, t)
        assert_facts(plane, trainer, weights)
        assert plane.labels[1] == "some direction orthogonal to all datapoints"
        orthogonal_offset(plane, weights[t], data.X[-1])
        np.testing.assert_allclose(plane.before[:, 1], plane.after[:, 1], rtol=0, atol=1e-12)
        again = neuron_plane(reloaded(trainer.trace, tmp_path), len(rows) - 1, t)
        assert np.array_equal(plane.before, again.before) and np.array_equal(plane.after, again.after)


def test_one_input_coordinate():
    data = Dataset([[1.0], [-1.0], [1.0]], [1.0, 0.5, 1.0])
    trainer, weights = trained(data, num_steps=2)
    for t, point in itertools.product((0, 1), (0, 1)):
        plane = neuron_plane(trainer.trace, point, t)
        assert_facts(plane, trainer, weights)
        assert plane.is_exact and not plane.before[:, 1].any() and not plane.after[:, 1].any()
        np.testing.assert_allclose(plane.before[:, 0], (weights[t] @ data.X[point])[plane.neurons], atol=1e-13)


def test_moves_near_the_limit_of_numbers_are_no_trouble():
    trainer, _ = trained(random_data(5, 4), num_steps=3, method="gradient-descent", step_size=1e60)
    for t in range(len(trainer.trace.records)):
        plane = neuron_plane(trainer.trace, 1, t)
        assert np.isfinite(plane.before).all() and np.isfinite(plane.movement).all()


def test_neurons_are_chosen_by_interest_and_fairly():
    data = load_dataset("digits", num_points=30)
    trainer, weights = trained(data, num_steps=5, width=20_000)
    records = trainer.trace.records
    never = np.setdiff1d(np.arange(20_000), records[0].touched)
    samples = set()
    for t, point, size in itertools.product(range(5), (0, 17), (240, 100)):
        plane = neuron_plane(trainer.trace, point, t, size)
        assert_facts(plane, trainer, weights)
        assert plane.neurons.size == size
        assert np.sum(~plane.ever) == round(0.4 * size)
        shown = plane.neurons[~plane.ever]
        samples.add((size, tuple(shown)))
        gaps = np.diff(np.searchsorted(never, shown))  # a fair sample: every so many-th of those that never fire
        assert gaps.max() - gaps.min() <= 1
        here, moves = records[t].firing[point], np.linalg.norm(all_moves(trainer, t), axis=1)
        after = np.flatnonzero(trainer.trace.tree_values(point, t + 1)[20_000:] >= trainer.threshold)
        crossing = np.setxor1d(here, after)
        if crossing.size <= size // 4:
            assert np.isin(crossing, plane.neurons).all()
        else:
            assert np.isin(crossing, plane.neurons).sum() >= size // 4
        staying = plane.neurons[plane.fires_before & plane.fires_after]
        left_out = np.setdiff1d(np.intersect1d(here, after), staying)
        if left_out.size and crossing.size <= size // 4:
            assert moves[left_out].max() <= moves[staying].min()
        elsewhere = plane.touched & ~plane.fires_before
        assert elsewhere.sum() >= (size - round(0.4 * size) - size // 4) // 3
    assert len(samples) == 2  # the sample does not jump from iteration to iteration


@pytest.mark.parametrize(
    ("width", "threshold"), [(1, 0.0), (5, None), (64, None), (300, None), (300, 0.0), (300, 50.0)]
)
def test_as_many_neurons_as_there_are_or_asked_for(width, threshold):
    trainer, weights = trained(random_data(6, 3), num_steps=3, width=width, threshold=threshold)
    for t, size in itertools.product(range(3), (1, 2, 3, 10, 240, 1000)):
        plane = neuron_plane(trainer.trace, 2, t, size)
        assert plane.neurons.size == min(size, width)
        assert_facts(plane, trainer, weights)


def test_included_neurons_are_shown_besides():
    trainer, weights = trained(random_data(6, 4), width=5000)
    plain = neuron_plane(trainer.trace, 1, 1, 100)
    for include in ([4999, 0, 17, 17], np.arange(2000, 3000), [], np.empty(0), list(plain.neurons)):
        plane = neuron_plane(trainer.trace, 1, 1, 100, include=include)
        assert_facts(plane, trainer, weights)
        assert set(plane.neurons.tolist()) == set(plain.neurons.tolist()) | {int(r) for r in include}


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ((-1, 0), "point must be a whole number between 0 and 4"),
        ((5, 0), "point"),
        ((1.0, 0), "point"),
        ((0, 2), "iteration must be a whole number between 0 and 1"),
        ((0, -1), "iteration"),
        ((0, 0, 0), "max_neurons"),
        ((0, 0, 10, [400]), "include"),
        ((0, 0, 10, [-1, 3]), "include"),
        ((0, 0, 10, [0.5]), "include"),
        ((0, 0, 10, ["a"]), "include"),
    ],
)
def test_a_plane_that_cannot_be_is_a_value_error(arguments, fragment):
    trainer, _ = trained(random_data(5, 3), num_steps=2)
    with pytest.raises(ValueError, match=fragment):
        neuron_plane(trainer.trace, *arguments)
    with pytest.raises(ValueError, match="iteration"):
        neuron_plane(trained(random_data(5, 3), num_steps=0)[0].trace, 0, 0)


# The outputs over the input plane.


def dense_outputs(field, W, trainer):
    """Evaluate the network at every grid point, one after the other."""
    outputs = np.empty((field.v.size, field.u.size))
    for j, k in np.ndindex(outputs.shape):
        x = np.array([field.u[k], field.v[j]])
        if trainer.data.dimension == 3:
            x = np.append(x, 1.0)
            x /= np.linalg.norm(x)
        outputs[j, k] = trainer.output_signs @ np.maximum(W @ x - trainer.threshold, 0.0) / np.sqrt(len(W))
    return outputs


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        (load_dataset("moons"), {"width": 5000}),
        (load_dataset("spirals", num_points=9), {"width": 20_000, "seed": 2}),
        (load_dataset("circle"), {"width": 3000}),
        (load_dataset("circle"), {"width": 300, "threshold": 0.0}),
        (load_dataset("xor"), {"width": 300, "threshold": 50.0}),
        (load_dataset("xor"), {"width": 1, "threshold": 0.0}),
        (load_dataset("moons"), {"width": 500, "search": "dense"}),
        (load_dataset("moons"), {"width": 500, "method": "gradient-descent", "step_size": 2.0}),
        (Dataset.from_arrays([[1.0], [2.0], [4.0]], [1.0, -1.0, 1.0]), {"width": 500}),  # one feature, lifted
        (Dataset.from_arrays([[1e4, 2e4], [-3e4, 2e4]], [1.0, -1.0], standardize=False), {"width": 500}),
        (Dataset([[0.6, 0.8]], [1.0]), {"width": 500}),
    ],
)
def test_field_is_the_forward_pass(data, settings, tmp_path):
    trainer, weights = trained(data, num_steps=3, **settings)
    expected = None
    for trace in (trainer.trace, reloaded(trainer.trace, tmp_path)):
        field = OutputField(trace, 9)
        expected = expected or [dense_outputs(field, W, trainer) for W in weights]
        for t in (2, 0, 3, 1, 2):
            values = field.values(t)
            assert values.shape == (9, 9) and not values.flags.writeable
            np.testing.assert_allclose(values, expected[t], rtol=1e-9, atol=1e-9)


def test_field_passes_through_the_outputs_at_datapoints():
    raw = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    data = Dataset.from_arrays(raw, [1.0, -1.0, 1.0, -1.0], standardize=False)
    trainer, _ = trained(data, width=3000)
    field = OutputField(trainer.trace, 27)  # from -1.3 to 1.3 by 0.1: the corners lie on the grid
    columns = [np.abs(field.u - u).argmin() for u in raw[:, 0]]
    rows = [np.abs(field.v - v).argmin() for v in raw[:, 1]]
    np.testing.assert_allclose(np.stack([field.u[columns], field.v[rows]], axis=1), raw, atol=1e-12)
    for t, record in enumerate(trainer.trace.records):
        np.testing.assert_allclose(field.values(t)[rows, columns], record.outputs, rtol=0, atol=1e-10)


def test_grid_is_square_and_holds_all_datapoints():
    raw = np.random.default_rng(0).normal(size=(20, 2)) * [5.0, 1.0] + [100.0, -7.0]
    data = Dataset.from_arrays(raw, np.ones(20), standardize=False)
    circle = load_dataset("circle")
    for given, coordinates in ((data, raw), (circle, circle.X)):
        field = OutputField(trained(given, num_steps=0)[0].trace)
        np.testing.assert_allclose(field.coordinates, coordinates, rtol=1e-12)
        low_u, high_u, low_v, high_v = field.extent
        assert high_u - low_u == pytest.approx(high_v - low_v)
        assert high_u - low_u == pytest.approx(1.3 * np.ptp(coordinates, axis=0).max())
        assert (coordinates > [low_u, low_v]).all() and (coordinates < [high_u, high_v]).all()
        assert field.u.shape == field.v.shape == (32,) and (np.diff(field.u) > 0).all()
        assert (field.u[0], field.u[-1], field.v[0], field.v[-1]) == field.extent
    assert OutputField(trained(Dataset([[0.6, 0.8]], [1.0]))[0].trace).extent == pytest.approx((-0.4, 1.6, -0.2, 1.8))


def test_field_grows_with_its_run():
    data = load_dataset("moons")
    trainer, weights = trained(data, num_steps=0, width=1000)
    field = OutputField(trainer.trace, 8)
    np.testing.assert_allclose(field.values(0), dense_outputs(field, weights[0], trainer), atol=1e-12)
    for t in range(1, 4):
        with pytest.raises(ValueError, match="iteration must be between 0 and"):
            field.values(t)
        trainer.step()
        np.testing.assert_allclose(field.values(t), dense_outputs(field, trainer.weights(), trainer), atol=1e-12)
    with pytest.raises(ValueError, match="iteration"):
        field.values(-1)


def test_threads_may_share_a_field():
    trainer, _ = trained(load_dataset("moons"), num_steps=8, width=2000)
    expected = [OutputField(trainer.trace, 10).values(t) for t in range(9)]  # each on its own, from the start
    field = OutputField(trainer.trace, 10)
    orders = [np.random.default_rng(seed).permutation(9) for seed in range(6)]

    def watch(order):
        return all(np.array_equal(field.values(int(t)), expected[t]) for t in order)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(watch, orders))


def test_field_of_a_diverging_run_is_finite():
    settings = {"method": "gradient-descent", "step_size": 1e60}
    trainer, _ = trained(load_dataset("moons"), num_steps=3, **settings)
    field = OutputField(trainer.trace, 5)
    assert all(np.isfinite(field.values(t)).all() for t in range(4))


def test_which_data_are_planar():
    assert all(is_planar(load_dataset(name)) for name in ("circle", "moons", "xor", "spirals"))
    assert not any(is_planar(load_dataset(name)) for name in ("sphere", "digits"))
    assert not is_planar(random_data(5, 3)) and not is_planar(random_data(5, 1)) and is_planar(random_data(5, 2))
    raw = [[1.0, 2.0], [3.0, 1.0]]
    assert is_planar(Dataset.from_arrays(raw, [1, 2])) and is_planar(Dataset.from_arrays(raw, [1, 2], lift=False))
    assert not is_planar(Dataset.from_arrays([[1e150, 2.0], [3.0, 1.0]], [1, 2], standardize=False))


def test_a_field_that_cannot_be_is_a_value_error():
    with pytest.raises(ValueError, match="not in a plane"):
        OutputField(trained(random_data(5, 3), num_steps=0)[0].trace)
    trace = trained(load_dataset("circle"), num_steps=0)[0].trace
    for resolution in (1, 257, 8.0, True):
        with pytest.raises(ValueError, match="resolution"):
            OutputField(trace, resolution)
