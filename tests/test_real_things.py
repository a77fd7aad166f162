"""What the stage sends of datapoints, neurons and lines of code equals what the trace holds, for every search."""

import io
import json
import math
import re

import numpy as np
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.data.dataset import Dataset
from treeviz.model.numerals import numeral
from treeviz.stage.datapoint import MAX_BARS, choose_coordinates, describe_data, pack_datapoint
from treeviz.stage.neuron import inspect_neuron
from treeviz.stage.packing import pack_frame
from treeviz.stage.question import Question
from treeviz.stage.script import posted_phases, pseudocode
from treeviz.stage.view import View
from treeviz.training.background import MAX_ITERATIONS

SEARCHES = ("forest", "neuron-trees", "watch", "table", "compact", "dense", "dense-sparse")
CSV = "mass,size,colour,kind\n" + "".join(f"{3 * i + 0.5},{i * i % 7},{i % 3},{'ab'[i % 2]}\n" for i in range(12))


def trained(data, num_steps=4, **settings):
    trainer = Trainer(data, TrainConfig(**{"solver": "exact", "width": 256, **settings}))
    for _ in range(num_steps):
        trainer.step()
    return trainer


# ---- the datapoint ----


@pytest.mark.parametrize(
    ("data", "kind", "image", "axes"),
    [
        (load_dataset("digits", 6), "image", (8, 8), []),
        (load_dataset("wine", 6), "profile", None, []),
        (load_dataset("sphere", 6), "profile", None, []),
        (load_dataset("circle", 6), "plane", None, []),
        (load_dataset("xor", 6), "plane", None, []),
        (Dataset.from_csv(io.StringIO(CSV), "kind"), "profile", None, []),
        (Dataset.from_csv(io.StringIO(CSV), "kind", leave_out=("colour",)), "plane", None, ["mass", "size"]),
    ],
)
def test_a_datapoint_is_sent_as_what_it_is(data, kind, image, axes):
    described = describe_data(data)
    assert (described["kind"], described["image"], described["axes"]) == (kind, image, axes)
    assert described["signed"] == (data.X.min() < 0) and described["largest"] == np.abs(data.X).max()
    assert described["dimension"] == data.dimension
    trace = trained(data).trace
    for iteration, record in enumerate(trace.records):
        point = pack_datapoint(data, record, 2)
        np.testing.assert_allclose(point["values"], data.X[2], rtol=1e-6)
        np.testing.assert_allclose([point["y"], point["f"]], [data.y[2], record.outputs[2]], rtol=1e-6)
        assert point == pack_frame(trace, View(2), iteration)["point"]
    if kind == "plane":
        length = data.X[:, -1:] if data.lifted else np.ones((len(data.X), 1))
        np.testing.assert_allclose(described["places"], data.X[:, :2] / length, rtol=1e-6)


def test_coordinates_have_the_names_of_their_columns():
    def names(data):
        return pack_datapoint(data, trained(data, 1).trace.records[0], 0)["names"]

    assert names(load_dataset("wine", 6))[:2] == ["alcohol", "malic acid"]
    assert names(load_dataset("digits", 6)) == []
    assert names(load_dataset("circle", 6)) == ["coordinate 0", "coordinate 1"]
    assert names(load_dataset("xor", 6)) == ["coordinate 0", "coordinate 1", "constant"]
    assert names(Dataset.from_csv(io.StringIO(CSV), "kind", lift=True)) == ["mass", "size", "colour", "constant"]
    long = CSV.replace("colour", "c" * 500)
    assert max(map(len, names(Dataset.from_csv(io.StringIO(long), "kind")))) == 40


def test_a_lifted_image_is_no_image():
    """The constant is no pixel; without it the products would not add up."""
    X = np.array([[0.0, 0.6, 0.8, 0.0, 0.0], [0.6, 0.0, 0.8, 0.0, 0.0]])[:, ::-1]
    X = np.column_stack([X[:, :4], np.ones(2)])
    data = Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), [1.0, -1.0], lifted=True, image=(2, 2))
    assert describe_data(data)["kind"] == "profile"


# ---- the neuron ----


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", ["digits", "xor", "wine"])
def test_a_neuron_has_the_leaves_signs_and_firings_of_the_trace(name, search):
    trainer = trained(load_dataset(name, 8), search=search, num_steps=5)
    trace, width = trainer.trace, trainer.config.width
    moving = trace.moving_neurons
    resting = np.setdiff1d(np.arange(width), moving)
    for neuron in (*moving[[0, moving.size // 2, -1]].tolist(), int(resting[0]), width - 1):
        for point in (0, 7):
            sent = json.loads(json.dumps(inspect_neuron(trace, neuron, point, [0, 3, 5], 5)))
            assert (sent["neuron"], sent["tree"]) == (neuron, point)
            assert sent["sign"] == trace.output_signs[neuron]
            leaves = [trace.leaf_rows([neuron], moment)[0, point] for moment in range(6)]
            np.testing.assert_allclose(sent["leaf"], leaves, rtol=1e-6, atol=1e-12)
            fired = ["01"[int(neuron in record.firing[point])] for record in trace.records]
            assert sent["fires"] == "".join(fired)
            assert list(sent["moments"]) == ["0", "3", "5"]
            for moment, look in sent["moments"].items():
                np.testing.assert_allclose(look["values"], trace.dataset.X[point], rtol=1e-6)
                total = np.dot(look["weights"], look["values"]) + look["rest"]
                assert total == pytest.approx(sent["leaf"][int(moment)], abs=2e-5) and look["rest"] == 0.0
            np.testing.assert_allclose(
                sent["moments"]["5"]["weights"], trainer.weights(np.array([neuron]))[0], rtol=1e-6, atol=1e-9
            )


def test_a_neuron_is_told_of_as_far_as_the_run_has_come():
    trace = trained(load_dataset("xor", 8), num_steps=4).trace
    whole, part = (inspect_neuron(trace, 3, 0, [2], known) for known in (4, 2))
    assert len(whole["leaf"]) == 5 and len(part["leaf"]) == 3 and part["leaf"] == whole["leaf"][:3]
    assert (part["fires"], part["moments"]) == (whole["fires"][:2], whole["moments"])
    assert inspect_neuron(trace, 3, 0, [], 0)["fires"] == ""


def test_of_many_columns_those_that_matter_are_sent_and_the_rest_is_a_sum():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 300))
    data = Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), rng.standard_normal(6))
    trainer = trained(data)
    neuron = int(trainer.trace.moving_neurons[0])
    look = inspect_neuron(trainer.trace, neuron, 1, [4], 4)["moments"][4]
    products = trainer.weights(np.array([neuron]))[0] * data.X[1]
    shown = np.sort(np.argsort(-np.abs(products))[:MAX_BARS])
    assert look["names"] == [f"coordinate {place}" for place in shown] and len(look["weights"]) == MAX_BARS
    np.testing.assert_allclose(np.multiply(look["weights"], look["values"]), products[shown], rtol=1e-5)
    assert look["rest"] == pytest.approx(products.sum() - products[shown].sum(), rel=1e-5)
    point = pack_datapoint(data, trainer.trace.records[0], 1)
    assert min(map(abs, point["values"])) >= np.sort(np.abs(data.X[1]))[-MAX_BARS] - 1e-6
    assert choose_coordinates(data, data.X[1]).size == len(point["names"]) == MAX_BARS
    assert len(json.dumps(inspect_neuron(trainer.trace, neuron, 1, [0, 1, 2, 3], 4))) < 20_000


def test_a_question_about_a_neuron_is_read_as_it_was_asked():
    asked = {"run": "here", "neuron": 7, "moments": [3, 4]}
    question = Question.read(asked, "here", num_points=5, width=64)
    assert (question.neuron, question.moments) == (7, (3, 4))
    strange = Question.read({**asked, "neuron": 1e9, "moments": [math.inf, "x", -4] * 9}, "here", 5, 64)
    assert (strange.neuron, strange.moments) == (63, (MAX_ITERATIONS, 0))
    for neuron in ("7", None, [7], True, math.nan):
        assert Question.read({**asked, "neuron": neuron, "moments": 3}, "here", 5, 64).neuron is None


# ---- the lines of code ----


def numbers_of(text):
    return [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", text)]


@pytest.mark.parametrize("solver", ["exact", "sketch"])
@pytest.mark.parametrize("search", SEARCHES)
def test_every_line_of_code_says_what_it_came_to(search, solver):
    trace = trained(load_dataset("digits", 20), search=search, solver=solver, width=512).trace
    point = 3
    for iteration, record in enumerate(trace.records):
        frame = pack_frame(trace, View(point), iteration)
        lines = pseudocode(trace.config, posted_phases(trace))
        values = dict(zip((line.text for line in lines), frame["values"], strict=True))
        step, g = trace.replay(point, iteration), record.dual_step
        assert values["ρ ← f − y,  loss ← ½‖ρ‖²"] == (
            f"‖ρ‖ = {numeral(math.sqrt(2 * record.loss), 4)}, loss {numeral(record.loss, 4)}"
        )
        assert values["J: row i holds a_r x_i/√m for each r in S_i"].startswith(f"{record.firing.num_pairs:,} block")
        (f,) = [value for text, value in values.items() if text.startswith("f_i ←")]
        assert float(f.split("= ")[-1].replace("−", "-")) == pytest.approx(record.outputs[point], abs=5.1e-4)
        solved = values[
            "solve G g = ρ  (Cholesky)" if solver == "exact" else "solve J Jᵀ g = ρ by conjugate gradient with P"
        ]
        assert solved.endswith(f"g_i = {numeral(g[point], 3)}; ‖g‖ = {numeral(np.linalg.norm(g), 4)}")
        if solver == "exact":
            gram_line = values["G ← J Jᵀ = K∘C/m,  C_ij = |S_i ∩ S_j|"]
            assert numbers_of(gram_line) == [point, trace.overlaps(iteration)[point, point]]
        else:
            assert numbers_of(values["A ← Π Jᵀ, Π a random sketch"]) == [record.solve.num_sketch_rows, 20]
            assert numbers_of(solved)[0] == record.solve.iterations
        if search == "forest":
            check_forest(values, record, step)
        elif search == "watch":
            check_watch(values, trace, record, step)
        else:
            found = numbers_of(values["for each datapoint i: find S_i"])
            assert found == [point, step.firing.size, record.firing.num_pairs]


def check_forest(values, record, step):
    search = list(values.values())[:4]
    entered, pruned, inner, firing = (numbers_of(text)[1] for text in search)
    assert entered == step.visited.size == pruned + inner + firing and firing == step.firing.size
    assert pruned == (step.before[step.visited] < step.threshold).sum()
    assert numbers_of(values["for each r that fires anywhere:"]) == [record.touched.size, 512]
    assert numbers_of(values["write leaf r in all n trees"]) == [record.touched.size, 20]
    up = numbers_of(values["go up: node ← larger of its children"])
    assert up == [step.point, step.modified.size, record.num_modified.sum()]
    assert numbers_of(values["unchanged: stop"]) == [step.point, 1023 - step.modified.size, 1023]


def check_watch(values, trace, record, step):
    watched = int(trace.watched_pairs(record.iteration)[:, step.point].sum())
    read, marked, unmarked = (numbers_of(text) for text in list(values.values())[:3])
    assert (read, marked) == ([step.point, watched], [step.point, step.firing.size])
    assert unmarked == [step.point, watched - step.firing.size]
    due, changed, promoted = (numbers_of(text) for text in list(values.values())[-3:])
    assert due == [record.watch.num_due, trace.moving_neurons.size] and changed == [record.watch.num_changed]
    so_far = sum(other.watch.promoted.size for other in trace.records[: record.iteration + 1])
    assert promoted == [record.watch.promoted.size, so_far]


def test_where_iterations_are_compared_no_line_says_anything():
    trace = trained(load_dataset("circle", 6)).trace
    assert pack_frame(trace, View(0, pinned=0), 2)["values"] == []
