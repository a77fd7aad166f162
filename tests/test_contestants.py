"""Every contestant of a race: what it declares, and that it makes the steps of its family."""

import importlib
import itertools
import pkgutil
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from app_pages import open_page, press, rerun, words
from click.testing import CliRunner
from scripted import ended

from treeviz import Dataset, TrainConfig, cli, load_dataset
from treeviz.model.config import METHODS
from treeviz.model.network import initial_weights, output_signs
from treeviz.model.phases import PHASES
from treeviz.pages.races import RACES
from treeviz.race import contestants
from treeviz.race.charts import choose_slots, loss_charts, phase_chart, race_payload
from treeviz.race.contestant import FAMILIES, THIS_APP
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_table import cost_table
from treeviz.race.forecast import expected_workload
from treeviz.race.race import Race

MAX_CONDITION, MIN_LOSS, LOSS_TOLERANCE = 1e6, 1e-8, 1e-9
each = pytest.mark.parametrize("contestant", CONTESTANTS.values(), ids=list(CONTESTANTS))
DATA = {
    "sphere": ("sphere", {"num_points": 12, "dimension": 6}),
    "moons": ("moons", {"num_points": 10}),
    "digits": ("digits", {"num_points": 20}),
    "breast-cancer": ("breast-cancer", {"num_points": 24}),
    "diabetes": ("diabetes", {"num_points": 16}),
}


def data_of(name):
    known, options = DATA[name]
    return load_dataset(known, **options)


def family(name, *, without=()):
    return [one for one in CONTESTANTS.values() if one.family == name and one.key not in without]


def initial_loss(data, config):
    W = initial_weights(config.seed, config.width, data.dimension)
    hidden = np.maximum(W @ data.X.T - config.resolved_threshold, 0.0)
    residual = output_signs(config.seed, config.width) @ hidden / np.sqrt(config.width) - data.y
    return 0.5 * float(residual @ residual)


def condition_number(data, weights, threshold):
    """Return that of G = K o C / m, counted from W densely."""
    members = (weights @ data.X.T >= threshold).astype(np.float64)
    eigenvalues = np.linalg.eigvalsh((data.X @ data.X.T) * (members.T @ members) / len(weights))
    return eigenvalues[-1] / eigenvalues[0] if eigenvalues[0] > 0 else np.inf


# What is declared


def test_every_module_declares_contestants():
    modules = [
        importlib.import_module(f"treeviz.race.contestants.{info.name}")
        for info in pkgutil.iter_modules(contestants.__path__)
    ]
    declared = [one for module in modules for one in module.CONTESTANTS]
    assert all(module.CONTESTANTS for module in modules)
    assert len(declared) == len({one.key for one in declared}) == len({one.title for one in declared})
    assert {id(one) for one in declared} == {id(one) for one in CONTESTANTS.values()}
    places = [(FAMILIES.index(one.family), one.kind != "trees") for one in CONTESTANTS.values()]
    assert places == sorted(places), "by families, in the order of these, trees first"
    assert {one.family for one in declared} == set(FAMILIES)
    assert set(METHODS) <= set(FAMILIES)


def test_all_say_what_they_are():
    for key, one in CONTESTANTS.items():
        assert one.key == key == key.lower() and not set(key) & set(" ,_/&?=")
        assert 2 < len(one.title) <= 30, "the table's first column has 30 places"
        assert one.about.endswith(".") and len(one.about) > 60, key
        assert one.kind in ("trees", "dense", "table", "other"), key
        assert one.preprocessing and one.iteration and one.exactness, key
        assert one.source in ("", THIS_APP) or re.search(r"\*.+\*, \d{4}", one.source), key


NEW = """
from treeviz.race.contestant import Contestant, Prediction, Trained

CONTESTANTS = (
    Contestant(
        key="newcomer",
        title="Newcomer",
        family="gradient-descent",
        about="A method of a file that is not in the package.",
        start=Trained(method="gradient-descent", search="compact", step_size=None),
        predict=lambda load: Prediction({"build": 7 * load.width}, {"move": 3 * load.num_points}),
        preprocessing="7 m",
        iteration="3 n",
        exactness="nearly",
        source="N. Comer: *A New Method*, 2031",
    ),
)
"""


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    """A contestant in a file of its own, outside of the package."""
    (tmp_path / "newcomer.py").write_text(NEW)
    monkeypatch.setattr(contestants, "__path__", [*contestants.__path__, str(tmp_path)])
    found = contestants.find_contestants()
    for key, one in found.items():  # in place, as everything that imported them has them
        monkeypatch.setitem(CONTESTANTS, key, one)
    yield found["newcomer"]
    del sys.modules[f"{contestants.__name__}.newcomer"]


def test_a_new_contestant_is_one_file(newcomer):
    """It is listed and raced by the command line, compared on the dial, raced on the page, drawn, and in the table."""
    listed = CliRunner().invoke(cli.main, ["race", "--list"])
    assert "newcomer               A method of a file" in listed.output
    arguments = ["--data", "circle", "--width", "64", "--methods", "newcomer,descent-dense", "--max-iterations", "4"]
    done = CliRunner().invoke(cli.main, ["race", *arguments, "--csv"])
    assert done.exit_code == 0 and "newcomer,3," in done.output

    app = open_page("race", contestants=["newcomer", "descent-dense"], **{"until-loss": 1e-1})
    assert "- **Newcomer**: A method of a file" in words(app)
    race = RACES.find(press(app, "Start").session_state.race_key).race
    assert ended(race) and "✓ Newcomer" in words(rerun(app))
    slots = choose_slots(list(CONTESTANTS), [lane.contestant.key for lane in race.lanes])
    drawn, other = race_payload(race.lanes, slots, [phase_chart(), *loss_charts(race.lanes)])["contestants"]
    assert drawn["title"] == "Newcomer" and len(drawn["columns"]["loss"]) == race.lanes[0].num_laps
    assert drawn["color"] != other["color"] and drawn["marker"] != other["marker"]

    dial = open_page("break_even", family="gradient-descent")
    pills = next(group for group in dial.get("button_group") if group.key == "compare-gradient-descent")
    assert "Newcomer" in pills.options and "**At m = 64 Newcomer is expected" in words(dial)

    table, sources = cost_table(CONTESTANTS.values(), expected_workload(np.eye(5), TrainConfig(width=64)))
    place = sources.index("N. Comer: *A New Method*, 2031") + 1
    assert f"| Newcomer | 7 m = **448** | 3 n = **15** | nearly | [{place}] |" in table


def test_two_files_with_the_same_contestant_are_refused(newcomer, tmp_path):
    (tmp_path / "another.py").write_text(NEW)
    with pytest.raises(ValueError, match=r"share a key: .*newcomer"):
        contestants.find_contestants()
    del sys.modules[f"{contestants.__name__}.another"]


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"family must be one of 'gauss-newton'.*'newton'"):
        replace(CONTESTANTS["dense"], family="newton")


def test_what_depends_on_the_run_is_not_predicted():
    assert [one.key for one in CONTESTANTS.values() if one.predict is None] == ["watch", "descent-watch", "l-bfgs"]
    load = expected_workload(np.eye(2), TrainConfig(width=64))
    with pytest.raises(ValueError, match="no formula knows that: race it"):
        CONTESTANTS["watch"].forecast(load)


def test_predictions_are_finite_for_any_sizes():
    for num_points, width, threshold in itertools.product((1, 2, 17), (1, 3, 500), (None, 0.0, 60.0)):
        X = load_dataset("sphere", num_points=num_points, dimension=2).X
        load = expected_workload(X, TrainConfig(width=width, threshold=threshold), num_samples=256)
        for prediction in (one.predict(load) for one in CONTESTANTS.values() if one.predict is not None):
            for part in (prediction.build, prediction.iteration, prediction.first):
                assert set(part) <= set(PHASES)
                assert all(0 <= value < np.inf for value in part.values()), part
            assert prediction.total(0) == sum(prediction.build.values())
            more = prediction.total(3) - prediction.total(2)
            assert more == pytest.approx(sum(prediction.iteration.values()), rel=1e-9)


@each
def test_memory_is_about_what_it_says(contestant):
    """What it keeps fits about in what it asks for, and it does not ask for many times what it keeps."""
    data, width = data_of("digits"), 32_768
    needed = contestant.required_bytes(width, data.num_points, data.dimension)
    runner = contestant.start(data, TrainConfig(width=width))
    runner.step()
    assert 0 < runner.num_bytes <= 1.3 * needed
    if contestant.kind in ("trees", "dense"):  # others do not know before how few they keep, or keep no network
        assert needed <= 4 * runner.num_bytes


# The same steps, by the family


@pytest.mark.parametrize(("name", "width", "seed"), [("sphere", 200, 0), ("moons", 333, 5), ("digits", 16_385, 1)])
def test_all_start_from_the_same_network(name, width, seed):
    data, config = data_of(name), TrainConfig(width=width, seed=seed)
    loss, at_zero = initial_loss(data, config), 0.5 * data.y @ data.y
    for key, one in CONTESTANTS.items():
        expected = at_zero if key == "kernel-ridge" else loss  # it draws no weights
        assert one.start(data, config).step().loss == pytest.approx(expected, rel=1e-11), key


@pytest.mark.parametrize(
    ("name", "width", "threshold"),
    [
        ("sphere", 2000, None),
        ("moons", 1500, 0.8),
        pytest.param("digits", 8193, None, marks=pytest.mark.slow),
        ("breast-cancer", 4096, None),
        ("diabetes", 1024, 1.2),
    ],
)
def test_gauss_newton_contestants_have_equal_losses_in_a_race(name, width, threshold):
    data, config = data_of(name), TrainConfig(width=width, threshold=threshold, seed=1)
    methods = family("gauss-newton")
    assert len(methods) >= 6
    race = Race(data, methods, config, until_loss=MIN_LOSS, max_laps=12, max_seconds=300)
    race.run()
    columns = [lane.column("loss") for lane in race.lanes]
    # The condition numbers met, from weights moved by the definition: the same lane's runner, step by step.
    runner = CONTESTANTS["dense"].start(data, config)
    condition, num_compared = 0.0, 0
    for lap in range(min(map(len, columns))):
        condition = max(condition, condition_number(data, runner._trainer.weights(), config.resolved_threshold))
        losses = np.array([column[lap] for column in columns])
        if lap and (condition >= MAX_CONDITION or losses[0] <= MIN_LOSS):
            break
        where = f"lap {lap}, condition {condition:.1e}, {losses}"
        assert np.abs(losses - losses[0]).max() <= LOSS_TOLERANCE * losses[0], where
        num_compared += 1
        runner.step()
    assert num_compared >= 4


@pytest.mark.parametrize("method", ["gradient-descent", "sgd"])
@pytest.mark.parametrize(
    ("name", "width", "threshold", "num_iterations"),
    [
        ("sphere", 256, 1.0, 150),
        pytest.param("moons", 150, 0.6, 500, marks=pytest.mark.slow),
        pytest.param("breast-cancer", 200, None, 500, marks=pytest.mark.slow),
    ],
)
def test_first_order_contestants_have_equal_losses(method, name, width, threshold, num_iterations):
    data, config = data_of(name), TrainConfig(width=width, threshold=threshold, seed=2, batch_size=4)
    runners = {one.key: one.start(data, config) for one in family(method)}
    assert len(runners) == {"gradient-descent": 7, "sgd": 4}[method]
    moved = 0.0
    for _ in range(num_iterations):
        laps = {key: runner.step() for key, runner in runners.items()}
        dense = laps.pop("descent-dense" if method == "gradient-descent" else "sgd-dense")
        for key, lap in laps.items():
            assert abs(lap.loss - dense.loss) <= LOSS_TOLERANCE * max(dense.loss, MIN_LOSS), f"{key}, {dense.iteration}"
            if dense.loss < MIN_LOSS:  # a neuron may stand at the threshold to the last bit
                continue
            assert lap.num_touched == dense.num_touched
            assert (lap.activity.num_touched, lap.activity.num_pairs, lap.activity.num_overlaps) == (
                dense.activity.num_touched,
                dense.activity.num_pairs,
                dense.activity.num_overlaps,
            )
        moved += dense.num_touched
    assert moved > 0
    queries = data_of(name).X[::-1]
    outputs = [runner.predict(queries) for runner in runners.values()]
    assert all(np.allclose(output, outputs[0], rtol=0, atol=1e-9) for output in outputs)


@pytest.mark.parametrize("key", [key for key, one in CONTESTANTS.items() if one.family in METHODS])
def test_a_lap_reports_which_neurons_fired_by_a_dense_scan(key):
    contestant = CONTESTANTS[key]
    data, config = data_of("moons"), TrainConfig(width=300, threshold=0.9, seed=4, batch_size=3)
    runner = contestant.start(data, config)
    for iteration in range(6):
        members = runner._trainer.weights() @ data.X.T >= config.threshold
        batch = runner._trainer.config.mini_batch(data.num_points, iteration)
        lap = runner.step()
        assert lap.iteration == iteration
        assert lap.activity.num_touched == members.any(axis=1).sum()
        assert lap.activity.num_pairs == members.sum()
        assert lap.activity.num_overlaps == (members.sum(axis=1) ** 2).sum()
        moved = members if batch is None else members[:, batch]
        assert lap.num_touched == moved.any(axis=1).sum()
        assert (lap.num_modified > 0) == bool(lap.nodes) == (contestant.kind == "trees")
        assert all(0 < lap.nodes[phase] <= lap.costs[phase] for phase in lap.nodes)
        assert set(lap.costs) <= set(PHASES) and set(lap.seconds) <= set(PHASES)
        assert all(value >= 0 for value in (*lap.costs.values(), *lap.seconds.values()))


def test_where_all_is_learned_no_neuron_is_touched():
    """The targets are the initial outputs: neurons fire, and none moves."""
    data, config = data_of("moons"), TrainConfig(width=300, threshold=0.9)
    runner = CONTESTANTS["dense"].start(data, config)
    lap = CONTESTANTS["dense"].start(Dataset(data.X, runner._trainer.step().outputs), config).step()
    assert lap.loss == 0 and lap.activity.num_touched > 0 and lap.num_touched == 0


def test_all_can_be_started_where_nothing_fires():
    """A threshold that no neuron reaches ends every lane with a reason, not with an error."""
    data = Dataset(np.eye(3), np.array([1.0, -1.0, 1.0]))
    config = TrainConfig(width=50, threshold=9.0)
    race = Race(data, list(CONTESTANTS.values()), config, max_laps=5, max_seconds=np.inf, test=data)
    race.run()
    for lane in race.lanes:
        assert lane.num_laps and lane.state != "failed", lane.contestant.key
        assert lane.state == "reached" or lane.reason
        assert lane.test_error is not None


def test_adam_is_on_the_dial_with_iterations_of_its_own():
    """Where all are compared; its cost is that of its formula, after as many iterations as are chosen for it."""
    dial = open_page("break_even", family="all")
    assert not dial.exception and "adam" in dial.session_state["compare-all"]
    assert {slider.label for slider in dial.select_slider} >= {"Adam iterations", "First-order iterations"}
    before = adams_share(dial)
    dial.select_slider(key="adam-iterations").set_value(1000).run()
    assert adams_share(dial) == pytest.approx(5 * before, rel=0.1)
    assert "adam" not in open_page("break_even", family="sgd").session_state["compare-sgd"]


def adams_share(dial):
    (conclusion,) = (one.value for one in dial.markdown if "is expected to need the fewest" in one.value)
    return float(re.search(r"Adam ([\d.,]+) times as many", conclusion)[1].replace(",", ""))


def value_of(formula, load, **of_a_run):
    """Work out a formula of the cost table with a workload's numbers, and with those that only a run knows."""
    names = {
        **of_a_run,
        "Σt²": load.activity.num_overlaps,
        "Σk": load.activity.num_pairs,
        "log m": np.log2(load.width),
        "log n": np.log2(load.num_points),
        "products": load.cg_iterations,
        "batches": load.num_batches,
        "batch": load.batch_size,
        "n³": load.num_points**3,
        "n²": load.num_points**2,
        "m": load.width,
        "n": load.num_points,
        "d": load.dimension,
        "U": load.activity.num_touched,
        "8": 8,
    }
    total = 0.0
    for term in formula.split(" + "):
        above, _, below = term.partition("/")
        factors = re.findall("|".join(map(re.escape, names)), above)
        assert "".join(factors) == re.sub(r"[ ·()]", "", above).replace("logm", "log m").replace("logn", "log n"), term
        total += np.prod([names[factor] for factor in factors]) / (names[below] if below else 1.0)
    return total


@pytest.mark.parametrize("threshold", [None, 0.0])
@pytest.mark.parametrize(("name", "n", "width"), [("sphere", 20, 4096), ("digits", 200, 1 << 16), ("moons", 64, 1024)])
def test_the_formulas_of_the_table_have_all_terms_that_matter(name, n, width, threshold):
    """Constants are left out of them; a term that is left out would show at some sizes."""
    config = TrainConfig(width=width, threshold=threshold)
    load = expected_workload(load_dataset(name, num_points=n).X, config, num_samples=512)
    checked = 0
    for one in CONTESTANTS.values():
        if one.predict is None or one.is_reference or "/batches" in one.iteration or "batch" in one.iteration:
            continue
        ratio = sum(one.forecast(load).iteration.values()) / value_of(one.iteration, load)
        assert 0.2 < ratio < (8.0 if "products" in one.iteration else 4.0), (one.key, ratio)  # QR is 8 n³ and more
        checked += 1
    assert checked >= 10


@pytest.mark.parametrize(
    ("n", "width", "threshold"), [(20, 4096, None), (20, 4096, 0.0), (8, 1 << 16, None), (8, 1 << 16, 0.0)]
)
@pytest.mark.parametrize("key", ["watch", "descent-watch"])
def test_the_formula_of_watch_lists_has_all_terms_that_a_ledger_shows(key, n, width, threshold):
    """What is due, only a run knows. Where little is, what is left are the blocks of eight neurons gone through."""
    data, config = load_dataset("sphere", num_points=n), TrainConfig(width=width, threshold=threshold)
    runner, load = CONTESTANTS[key].start(data, config), expected_workload(data.X, config, num_samples=512)
    engine = runner._trainer._engine
    num_watched = engine.num_watched / engine.lists.neurons.size
    spent = expected = 0.0
    for number in range(12):
        lap = runner.step()
        if number == 0:  # it finds a step size, too
            continue
        degree = lap.activity.num_pairs / lap.activity.num_touched
        run = {"due": engine.watch_report().num_due, "pairs": num_watched, "t": degree}
        value, operations = value_of(CONTESTANTS[key].iteration, load, **run), sum(lap.costs.values())
        assert operations < 8 * value, (number, operations / value)
        spent, expected = spent + operations, expected + value
    assert spent > 0.2 * expected
