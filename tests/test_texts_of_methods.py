"""What pages say of methods and of races, over a grid of settings, against numbers recomputed here.

Formulas are evaluated as they are written, and compared with what the ledger counts; a verdict with the laps of its
race; what is said of a search with the costs and records of a run.
"""

import inspect
import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import NUMERAL, read_numeral
from texts_grid import assert_sound, brute_force, nodes_read, settings_of_grid

import treeviz
from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.address import load_run
from treeviz.lesson.caveats import GAUSS_NEWTON_MOVES
from treeviz.model.config import SEARCHES
from treeviz.model.numerals import count
from treeviz.pages import break_even, node_price, race, train, welcome
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_figures import Curve
from treeviz.race.cost_table import cost_table
from treeviz.race.forecast import Calibration, Measured, expected_workload, forecast_curve
from treeviz.race.race import Race
from treeviz.race.verdict import judge, name_leaders
from treeviz.training import report

ALGORITHM = (Path(treeviz.__file__).parent / "algorithm.md").read_text()
TITLES = {one.title: one for one in CONTESTANTS.values()}
A_TITLE = "|".join(sorted(map(re.escape, TITLES), key=len, reverse=True))
TOKEN = re.compile(r"\s*(Σk|Σt²|log m|log n|n³|n²|products|batches|batch|memory|evaluations|[mndUL]|[()+/·])")
COMPARISON = re.compile(
    rf"To a loss of {NUMERAL}, (?P<own>{A_TITLE}) needed (?P<ops>[^;]*?operations)"
    rf"(?: (?:than|as) (?P<few>{A_TITLE}),)? (?:and|but) (?P<time>[^;]*?time) (?:than|as) (?P<fast>{A_TITLE})"
    rf"(?:, (?:and|but) (?P<table_ops>[^;]*?operations)(?: (?:than|as) {A_TITLE},)? (?:and|but) "
    rf"(?P<table_time>[^;]*?time) (?:than|as) (?P<table>{A_TITLE}))?; "
    r"building was (?P<share>\d+)% of its operations and (?P<spent>\d+)% of its time(?P<rest>[^.]*(?:\.\d+)?[^.]*)\."
)
SOLVING = ("sketch", "precondition", "solve")
GRID = ("name", "n", "width", "threshold", "solver", "seed")


# Contestants


def evaluate(formula, values):
    """Return the value of a formula as it is written: a space between two factors multiplies."""
    code, place, after_factor = "", 0, False
    while place < len(formula):
        token = TOKEN.match(formula, place)
        assert token, formula[place:]
        place, part = token.end(), token[1]
        if part in ("+", "/", "·"):
            code, after_factor = code + {"·": "*"}.get(part, part), False
        elif part == ")":
            code, after_factor = code + ")", True
        else:
            code += "*" if after_factor else ""
            code, after_factor = code + ("(" if part == "(" else repr(float(values[part]))), part != "("
    return eval(code)  # of numbers and operators alone


def laps_of(contestant, data, config, num_laps):
    runner = contestant.start(data, config)
    laps = []
    while len(laps) < num_laps and not (laps and laps[-1].stop_reason):
        laps.append(runner.step())
    return runner, laps


def watched_pairs(data, config):
    return Trainer(data, replace(config, search="watch", solver="exact")).step().watch.num_watched


def check_iterations(contestant, laps, values):
    """The formula of an iteration against every lap but the first, which finds step sizes.

    The solve of Gauss-Newton is left out of both: its n is that of the datapoints that fire a neuron, and its constants
    are large, 9 for a singular system and those of a sketch. So is an iteration of watch lists: see below.
    """
    solves = contestant.family == "gauss-newton"
    for lap in laps[1:]:
        if lap.activity is None or not lap.activity.num_pairs or contestant.key.endswith("watch"):
            continue
        touched = lap.activity.num_touched
        if "sgd" in contestant.key and contestant.kind == "trees":
            touched = lap.num_touched
        if contestant.key in ("compact", "descent-compact", "adam", "l-bfgs") or "table" in contestant.key:
            touched = laps[0].activity.num_touched
        own = values | {"U": touched, "Σk": lap.activity.num_pairs, "Σt²": lap.activity.num_overlaps}
        if solves:
            own |= {"n³": 0, "n²": 0, "Σt²": 0, "products": contestant.kind == "dense"}
        spent = sum(cost for phase, cost in lap.costs.items() if not (solves and phase in SOLVING))
        ratio = spent / (evaluate(contestant.iteration, own) + own["n"])
        most = {"trees": 2.0, "dense": 4.0}.get(contestant.kind, 8.0)  # Adam counts 10 a weight
        assert 0.15 < ratio < most, (contestant.key, ratio)


def check_contestants(name, n, width, threshold, seed):
    """Formulas hold but for constants; "exact" means the losses of the dense method; building costs what is said."""
    data = load_dataset(name, num_points=n, seed=seed)
    config = TrainConfig(width=width, threshold=threshold, seed=seed)
    n, d, batch = data.num_points, data.dimension, min(config.batch_size, n)
    dense = {}
    for contestant in sorted(CONTESTANTS.values(), key=lambda one: one.title not in ("Dense",) and one.kind != "dense"):
        runner, laps = laps_of(contestant, data, config, 4)
        build = sum(runner.build_costs.values())
        values = {"m": width, "n": n, "d": d, "n²": n**2, "n³": n**3, "log m": math.log2(width), "memory": 10}
        values |= {"log n": max(1.0, math.log2(n)), "batch": batch, "batches": -(-n // batch), "evaluations": 1}
        once = {**values, "U": 0, "Σk": 0, "Σt²": 0, "products": 0}
        if contestant.preprocessing == "none":
            assert not build, contestant.key
        else:
            lower = 0
            if contestant.key.endswith("watch"):  # 1,024 neurons and n(n + 1) probabilities of the skin's rule
                once["L"], lower = watched_pairs(data, config), 1024 * n * d + 200 * n * (n + 1)
            spent = build + (sum(laps[0].costs.values()) if contestant.is_reference else 0)
            ratio = spent / (evaluate(contestant.preprocessing, once) + lower)
            assert 0.1 < ratio < (260 if contestant.is_reference else 5 if lower else 2.1), (contestant.key, ratio)
        check_iterations(contestant, laps, values)
        if contestant.kind == "dense" and contestant.family not in dense:
            dense[contestant.family] = laps
        exact = dense.get(contestant.family)
        if exact and contestant.exactness in ("yes", "to 1e-12"):
            for lap, other in zip(laps, exact, strict=False):
                if other.loss < 1e-8 * max(exact[0].loss, 1.0) or other.status != "ok" or lap.status != "ok":
                    break
                assert lap.loss == pytest.approx(other.loss, rel=1e-4), contestant.key
        assert_sound([contestant.title, contestant.about, contestant.exactness, contestant.source])


def check_claims_of_methods(name, n, width, threshold, seed):
    """Superlatives: which dense method needs the fewest operations, and that Cholesky needs fewer than the sketch."""
    data = load_dataset(name, num_points=n, seed=seed)
    config = TrainConfig(width=width, threshold=threshold, seed=seed)
    keys = ("dense-sparse", "dense", "forest", "forest-sketch")
    for laps in zip(*(laps_of(CONTESTANTS[key], data, config, 3)[1] for key in keys), strict=False):
        sparse, dense, exact, sketched = (sum(lap.costs.values()) for lap in laps)
        if 2 * laps[0].activity.num_pairs <= data.num_points * width:
            assert sparse <= dense
        assert exact <= sketched
    for key in keys[:2]:
        assert "wherever at most half of all pairs fire" in CONTESTANTS[key].about.lower().replace("\n", " ")
    assert "fewer operations than the sketch on the data we measured" in CONTESTANTS["forest"].about


# Verdicts


def finishes(contest, loss, price):
    found = {}
    for lane in contest.lanes:
        if lane.contestant.is_reference:
            continue
        for lap, value in enumerate(lane.column("loss").tolist()):
            if value <= loss:
                operations = lane.column("operations")[lap] + (price - 1) * lane.column("nodes")[lap]
                build = lane.build_operations + (price - 1) * lane.build_nodes
                found[lane.contestant.title] = SimpleNamespace(
                    lap=lap,
                    operations=operations,
                    seconds=lane.column("seconds")[lap],
                    build=build,
                    build_seconds=lane.build_seconds,
                    contestant=lane.contestant,
                    lane=lane,
                )
                break
    return found


def same(words, noun, ratio):
    """Whether "2.0 times fewer operations" or "about as many operations" says a ratio, rival over own."""
    if noun == "time" and 0.8 < ratio < 1.25:
        ratio = 1.0
    if "about as" in words:
        return 0.94 < ratio < 1.06
    times = float(re.match(r"([\d.,]+) times", words)[1].replace(",", ""))
    is_better = "fewer" in words or "less" in words
    return times == pytest.approx(ratio if is_better else 1 / ratio, abs=0.051, rel=1e-3)


def check_that_none_reached(text, lanes):
    assert text.startswith("No iterative method")
    losses = {lane.contestant.title: lane.column("loss") for lane in lanes}
    lowest = {title: found[np.isfinite(found)].min() for title, found in losses.items() if np.isfinite(found).any()}
    first = max((found[0] for found in losses.values() if found.size), default=math.inf)
    if "where all began" in text:
        assert min(lowest.values()) >= first * (1 - 1e-6)
        assert read_numeral(re.search(rf"below {NUMERAL}, where", text)[1]) == pytest.approx(first, rel=0.06)
    elif closest := re.search(rf"; ({A_TITLE}) came closest, to {NUMERAL}\.", text):
        assert lowest[closest[1]] == min(lowest.values())
        assert read_numeral(closest[2].rstrip(".")) == pytest.approx(min(lowest.values()), rel=0.06)
    elif "all came to" in text:
        assert max(lowest.values()) <= (1 + 1e-6) * min(lowest.values())
    else:
        assert not lowest, text


def check_verdict(contest, loss, price):
    there = finishes(contest, loss, price)
    text, leaders = judge(contest, loss, price), name_leaders(contest, loss, price)
    assert_sound([text, leaders])
    iterating = [lane for lane in contest.lanes if not lane.contestant.is_reference]
    missing = [lane.contestant.title for lane in iterating if lane.contestant.title not in there]
    for title in missing if there else ():
        assert title in text, "one that did not finish is not mentioned"
    for lane in contest.lanes:
        if lane.contestant.is_reference and (lane.column("loss") <= loss).any():
            assert lane.contestant.title in text
    if not there:
        check_that_none_reached(text, iterating)
        return
    if len(there) > 1:
        fewest = min(there, key=lambda title: there[title].operations)
        fastest = min(there, key=lambda title: there[title].seconds)
        named = re.search(rf"({A_TITLE}) needed the fewest operations", leaders)[1]
        assert there[named].operations == there[fewest].operations
        assert (f"{fastest} the least time" in leaders) or ("and the least time" in leaders and fewest == fastest)
    else:
        assert not leaders
    shape = COMPARISON.match(text)
    trees = [title for title, one in there.items() if one.contestant.kind == "trees"]
    has_pair = any(
        one.contestant.kind == "dense" and one.contestant.family == there[title].contestant.family
        for title in trees
        for one in there.values()
    )
    assert bool(shape) == has_pair, text
    if not shape:
        first = min(there, key=lambda title: there[title].seconds)
        assert text.startswith(f"{first} was the first to reach a loss of ")
        assert ("the only one of those that iterate" in text) == (len(there) == 1)
        return
    own = there[shape["own"]]
    rivals = [
        one
        for one in there.values()
        if one.contestant.kind == "dense" and one.contestant.family == own.contestant.family
    ]
    few, fast = there[shape["few"] or shape["fast"]], there[shape["fast"]]
    assert few.operations == min(one.operations for one in rivals)
    assert fast.seconds == min(one.seconds for one in rivals)
    assert same(shape["ops"], "operations", few.operations / own.operations), text
    assert same(shape["time"], "time", fast.seconds / own.seconds), text
    tables = [
        title
        for title, one in there.items()
        if one.contestant.kind == "table" and one.contestant.family == own.contestant.family
    ]
    assert tables[:1] == ([shape["table"]] if shape["table"] else []), text
    if tables:
        table = there[tables[0]]
        assert same(shape["table_ops"], "operations", table.operations / own.operations), text
        assert same(shape["table_time"], "time", table.seconds / own.seconds), text
    assert float(shape["share"]) == pytest.approx(100 * own.build / own.operations, abs=0.51)
    check_break_even(contest, own, few, price, shape["rest"])


def check_break_even(contest, own, rival, price, said):
    """What is said of widths, against the expected operations at every power of two from 32 to 2^27."""
    calibration = Calibration.of(
        Measured.of(own.lane, contest.config), expected_workload(contest.data.X, contest.config)
    )
    behind = {}
    for width in (1 << power for power in range(5, 28)):
        fresh = expected_workload(contest.data.X, replace(contest.config, width=width), num_samples=2048)
        load = replace(calibration.apply(fresh), node_price=price)
        totals = [sum(forecast_curve(one.contestant, [load], own.lap + 1)) for one in (own, rival)]
        behind[width] = totals[0] / totals[1]
    if "at every width looked at" in said:
        assert min(behind.values()) > 0.97, behind
    elif found := re.search(rf"below m ≈ {NUMERAL}", said):
        limit = read_numeral(found[1])
        for width, ratio in behind.items():
            assert ratio > 0.97 or width > 0.9 * limit, (width, behind)
            assert ratio < 1.03 or width < 1.1 * limit, (width, behind)
    else:
        assert max(behind.values()) < 1.03, behind


def race_of(name, n, width, threshold, seed, keys, loss, max_laps):
    data = load_dataset(name, num_points=n, seed=seed)
    config = TrainConfig(width=width, threshold=threshold, seed=seed)
    contest = Race(
        data, [CONTESTANTS[key] for key in keys], config, until_loss=loss, max_laps=max_laps, max_seconds=math.inf
    )
    contest.run()
    return contest


def check_race(name, n, width, threshold, seed, max_laps=12):
    rng = np.random.default_rng(seed)
    keys = rng.choice(list(CONTESTANTS), 5, replace=False).tolist()
    if seed % 3:
        keys = list(dict.fromkeys(["forest", *keys[:2], "dense-sparse", "dense"]))
    contest = race_of(name, n, width, threshold, seed, keys, 1e-6, max_laps)
    for loss, price in ((1e-6, 1), (1e-2, 3), (1.0, 100)):
        check_verdict(contest, loss, price)
        for lane in contest.lanes:
            cells = race._row(lane.at_price(price), loss)
            finish = finishes(contest, loss, price).get(lane.contestant.title)
            if not lane.contestant.is_reference:
                assert (cells[1] == "–") == (finish is None)
                assert finish is None or cells[1] == f"{finish.lap:,}"
        assert (node_price.describe_node_price(price) == "") == (price == 1)
    check_words_on_races(contest)


def check_words_on_races(contest):
    """What the dial says of the races its numbers come from."""
    runs = [Measured.of(lane, contest.config) for lane in contest.lanes if lane.num_laps]
    shown = [one for one in CONTESTANTS.values() if one.family in break_even._FAMILIES]
    d = contest.data.dimension
    for dimension in (d, d + 1):
        text = break_even._explain(runs, [Curve("", 0, np.ones(2))], shown, dimension, d)
        assert_sound([text])
        assert (f"Races had d = {d}" in text) == (dimension != d)
        for family in ("gauss-newton", "gradient-descent", "sgd"):
            raced = any(lane.contestant.family == family for lane in contest.lanes if lane.num_laps)
            absent = re.search(r"([A-Z][^.]*) did not race", text)
            assert (absent is not None and break_even._FAMILIES[family] in absent[1]) != raced
        if dimension == d:
            longest = max(lane.num_laps for lane in contest.lanes)
            assert f"the longest had {count(longest, 'iteration')}:" in text


# Pages of one run, and of what is expected


def shown_numbers(run):
    """Return what the page shows of every iteration: label, value, context and explanation, and a last sentence."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.st, "metric", lambda *words, **more: shown[-1].append((*words, more["help"])))
        patch.setattr(train.st, "caption", lambda text: shown[-1].append((text,)))
        patch.setattr(train.st, "markdown", lambda text, help: shown.append([(text, help)]))
        train._explain(run)
        for record in run.trace.records:
            shown.append([])
            train._numbers(run, record.iteration)
    return shown


def check_run_page(name, n, width, threshold, solver, seed, search):
    data = load_dataset(name, num_points=n, seed=seed)
    activation = ("shifted", "clipped")[seed % 2]
    config = TrainConfig(
        width=width, threshold=threshold, search=search, solver=solver, seed=seed, activation=activation
    )
    trace = Trainer(data, config).run(3, until_loss=0.0)
    dense = Trainer(data, replace(config, search="dense", solver="exact")).run(3, until_loss=0.0)
    run = SimpleNamespace(trace=trace, dense_trace=dense, config=config, data=data, dense_refusal="")
    (introduction,), *shown = shown_numbers(run)
    captions = {name: caption(run) for name, (caption, _) in train._CAPTIONS.items()}
    ending = report.conclusion(trace, 1e-10, is_interrupted=False)
    words = [part for numbers in shown for words in numbers for part in words]
    assert_sound([*introduction, *words, *captions.values(), ending])
    assert ("not converged" in ending) == (trace.losses[-1] > 1e-10)
    check_comparison(captions["loss"], trace, dense)

    Z, fires, _ = brute_force(data, config)
    for record, numbers in zip(trace.records, shown, strict=True):
        said = {one[0]: one[1] for one in numbers[:-1]}
        counts = record.firing.counts
        assert read_numeral(said["Firing per datapoint"]) == pytest.approx(counts.mean(), rel=0.006)
        assert said["Touched neurons"] == f"{np.unique(np.concatenate([*record.firing, []])).size:,}"
        assert ("Nodes searched" in said) == (search == "forest") and ("Pairs watched" in said) == (search == "watch")
        cost = numbers[-1][0]
        assert f"{record.num_operations:,} operation" in cost and "building nothing" not in cost
        if search == "forest":
            assert said["Nodes modified"] == f"{int(record.num_modified.sum()):,}"
    first, said = trace.records[0], {one[0]: one[1] for one in shown[0][:-1]}
    assert said["Touched neurons"] == f"{int(fires.any(axis=1).sum()):,}"
    if search == "forest":
        assert said["Nodes searched"] == f"{sum(nodes_read(leaves, config.resolved_threshold) for leaves in Z.T):,}"
        moves = "can change a part of every tree" in introduction[0]
        assert moves or (first.num_modified > 0).all()
    if search == "watch":
        near = (config.resolved_threshold - first.watch.skin <= Z) & fires.any(axis=1, keepdims=True)
        assert first.watch.promoted.size or said["Pairs watched"] == f"{int(near.sum()):,}"
    if search == "table":
        assert first.costs["search"] == int(fires.any(axis=1).sum()) * n
    if search == "dense-sparse":
        assert first.costs["search"] == width * n * (data.dimension + 1) and "repair" not in first.costs
    assert bool(sum(trace.build_costs.values())) == (search not in ("dense", "dense-sparse"))


def check_comparison(text, trace, dense):
    pairs = [(a, b) for a, b in zip(trace.records, dense.records, strict=False) if a.loss > 1e-8]
    if not pairs:
        assert "being trained beside it" in text
        return
    worst = max(abs(a.loss - b.loss) / a.loss for a, b in pairs)
    sets = all(np.array_equal(a.firing[i], b.firing[i]) for a, b in pairs for i in range(len(a.firing)))
    assert ("The two coincide" in text) == (sets and worst <= 1e-9), text
    if "with condition numbers up to" in text:
        largest = max(record.solve.conditioning or 0.0 for record, _ in pairs)
        assert largest > 1e6
    elif "coincide" not in text:
        assert worst > 1e-9 or not sets, text


def check_dial(name, n, width, threshold, seed):
    X = load_dataset(name, num_points=n, seed=seed).X
    config, widths = TrainConfig(width=width, threshold=threshold, seed=seed), np.array([32, max(width, 33)])
    loads = [expected_workload(X, replace(config, width=int(one)), num_samples=512) for one in widths]
    chosen = [one for one in CONTESTANTS.values() if one.predict is not None and not one.is_reference]
    rng = np.random.default_rng(seed)
    chosen = [chosen[i] for i in rng.permutation(len(chosen))[: rng.integers(1, 8)]]
    iterations = int(rng.choice([1, 7, 1000]))
    curves = [Curve(one.title, 0, forecast_curve(one, loads, iterations)) for one in chosen]
    text = break_even._conclude(curves, widths, int(widths[1]))
    assert_sound([text])
    totals = {}
    for one in chosen:
        prediction = one.forecast(loads[1])
        totals[one.title] = (
            sum(prediction.build.values())
            + sum(prediction.first.values())
            + iterations * sum(prediction.iteration.values())
        )
    best = re.match(rf"\*\*At m = {int(widths[1]):,} ({A_TITLE}) is expected to need the fewest", text)[1]
    assert totals[best] == pytest.approx(min(totals.values()))
    for title, factor in totals.items():
        if title != best:
            said = re.search(rf"(?:; |, ){re.escape(title)} (?:{NUMERAL} times as many|about as many)", text)
            assert said, (title, text)
            assert (read_numeral(said[1]) if said[1] else 1.0) == pytest.approx(factor / totals[best], rel=0.06)
    table, _ = cost_table(CONTESTANTS.values(), loads[1])
    assert_sound([table])
    assert "nan" not in table and "inf" not in table


SMALL, LARGE, SIZES = (8, 64, 500, 1024), (8, 100, 4096, 1 << 14), (1, 2, 8, 20)


def with_searches(settings):
    """Give every setting a search, each as often as any other."""
    searches = itertools.cycle(SEARCHES)
    return [pytest.param(*one.values, next(searches), id=one.id) for one in settings]


@pytest.mark.parametrize(GRID, settings_of_grid(9, 5, SMALL, SIZES))
def test_formulas_of_contestants_hold(name, n, width, threshold, solver, seed):
    check_contestants(name, n, width, threshold, seed)
    check_claims_of_methods(name, n, width, threshold, seed)


@pytest.mark.parametrize(GRID, settings_of_grid(12, 6, SMALL, SIZES))
def test_verdicts_are_those_of_the_laps(name, n, width, threshold, solver, seed):
    check_race(name, n, width, threshold, seed)


@pytest.mark.parametrize((*GRID, "search"), with_searches(settings_of_grid(21, 7, SMALL, SIZES)))
def test_pages_of_a_run_say_what_is_so(name, n, width, threshold, solver, seed, search):
    check_run_page(name, n, width, threshold, solver, seed, search)


@pytest.mark.parametrize(GRID, settings_of_grid(18, 8, (64, 1024, 65_536, 1 << 20), SIZES))
def test_the_dial_names_the_cheapest(name, n, width, threshold, solver, seed):
    check_dial(name, n, width, threshold, seed)


def test_moves_named_on_pages_are_those_of_the_table():
    """Numbers of iterations that pages name without a run, against algorithm.md §4."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ALGORITHM.splitlines()]
    rows = [cells for cells in lines if len(cells) == 6 and cells[3:5] == ["65,536", "paper"]]
    moves = [(name in ("circle", "moons", "spirals", "xor"), int(found)) for name, *_, found in rows if found.isdigit()]
    planar, other = ([number for is_planar, number in moves if is_planar == kind] for kind in (True, False))
    assert f"took {min(other)} to {max(other)} moves" in GAUSS_NEWTON_MOVES
    assert f"on planar data {min(planar)} to {max(planar)} with the paper's threshold, or did not" in GAUSS_NEWTON_MOVES
    split, config = load_run({})
    losses = Trainer(split.train, config).run(40, until_loss=1e-6).losses
    number = ("five", "six", "seven", "eight")[losses.size - 1 - 5]
    assert f"The eight points that open first need {number} moves to a loss of 10⁻⁶." in " ".join(
        welcome._STEPS.split()
    )
    assert split.train.num_points == 8


def test_methods_that_no_formula_knows_are_named():
    unknown = {one.title for one in CONTESTANTS.values() if one.predict is None}
    assert unknown == {"Watch lists", "Gradient descent, watch lists", "L-BFGS"}
    assert "Watch lists and L-BFGS are missing" in inspect.getsource(break_even)


@pytest.mark.slow
@pytest.mark.parametrize((*GRID, "search"), with_searches(settings_of_grid(28, 9, LARGE, (1, 3, 16, 60))))
def test_methods_and_races_of_larger_runs(name, n, width, threshold, solver, seed, search):
    check_contestants(name, n, width, threshold, seed)
    check_claims_of_methods(name, n, width, threshold, seed)
    check_race(name, n, width, threshold, seed, max_laps=40)
    check_run_page(name, n, width, threshold, solver, seed, search)
    check_dial(name, n, width, threshold, seed)


PLANAR = ("circle", "moons", "spirals", "sphere", "xor")


@pytest.mark.slow
@pytest.mark.parametrize((*GRID, "search"), with_searches(settings_of_grid(7, 10, (1 << 18, 1 << 20), (2, 4), PLANAR)))
def test_pages_of_the_widest_runs(name, n, width, threshold, solver, seed, search):
    check_run_page(name, n, width, threshold, solver, seed, search)
    check_race(name, n, width, threshold, seed, max_laps=6)
