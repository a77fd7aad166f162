"""The benchmark: what is measured in which order, what is made of it, and what becomes of things that go wrong."""

import csv
import functools
import io
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from treeviz.bench import candidate as contestant_module
from treeviz.bench import measure as measure_module
from treeviz.bench import memory, page, plan, report
from treeviz.bench.analysis import QUANTITIES, fit_power_law, fits_of, notes_of, rows_of
from treeviz.bench.candidate import CANDIDATES, DENSE, Candidate, Run, cores_elsewhere, train
from treeviz.bench.figures import GrowthCurve, RatioMark, growth_figure, ratio_figure
from treeviz.bench.machine import describe_machine
from treeviz.bench.measure import (
    NO_PEAK,
    BenchResult,
    Measurement,
    Outcome,
    largest_difference,
    measure,
    num_steps,
    run_bench,
)
from treeviz.bench.memory import MemoryMeter, Peak
from treeviz.bench.plan import FULL, QUICK, Case, Growth, Plan, Problem
from treeviz.cli import main
from treeviz.model.network import WholeNetwork
from treeviz.search.dense import DenseEngine

SMALL = Problem("sphere", 4, 3, 256)
TINY = Plan(
    cases=(Case(SMALL, 2), Case(Problem("digits", 6, 64, 512, center=True), 1)),
    growths=(Growth("m", tuple(replace(SMALL, width=width) for width in (256, 512, 1024)), 1),),
)
NAMES = [one.name for one in CANDIDATES]


class OtherWeights(DenseEngine):
    """Computes something else: it begins with other weights."""

    def __init__(self, data, network, config, ledger):
        super().__init__(data, WholeNetwork(data.X, config.seed + 1, config.width), config, ledger)


class Enormous(DenseEngine):
    @staticmethod
    def required_bytes(width, num_points, dimension):
        return 1 << 60


class Starving(DenseEngine):
    def __init__(self, data, network, config, ledger):
        raise MemoryError


@pytest.fixture(scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure_module, "warm_up", functools.partial(measure_module.warm_up, width=256))
        return run_bench(TINY, with_memory=False)


@pytest.fixture(autouse=True)
def _cold(monkeypatch):
    """Once, for the results all share, is enough of warming up."""
    monkeypatch.setattr(measure_module, "warm_up", lambda candidates: None)


def made_run(seconds, build_seconds=0.0, losses=(1.0, 1e-7), is_reached=True):
    return Run(build_seconds, 0.1, seconds, losses, is_reached, stop_reason="" if is_reached else "it stood still")


def made_result(runs, peaks=None, problem=SMALL):
    """A result with these runs of each candidate, as if they had been measured."""
    outcomes = tuple(
        Outcome(name, tuple(own), (peaks or {}).get(name, NO_PEAK), 0.0, "ok") for name, own in runs.items()
    )
    made = Plan((Case(problem, 1),), ())
    measured = (Measurement(problem, outcomes),)
    return BenchResult(made, describe_machine(), 1e-6, datetime.now(UTC), 1.0, measured, False)


def call(*arguments):
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


# What is measured


@pytest.mark.parametrize("whole", [FULL, QUICK], ids=["full", "quick"])
def test_plans_hold_what_they_say(whole):
    assert len(set(whole.names)) == len(whole.names) and not any("," in name for name in whole.names)
    for growth in whole.growths:
        sizes = [problem.size(growth.axis) for problem in growth.problems]
        assert sizes == sorted(set(sizes)) and len(sizes) >= 3
        for axis in {"m", "n", "d"} - {growth.axis}:
            assert len({problem.size(axis) for problem in growth.problems}) == 1
    for problem, repeats in whole.repeats.items():
        data = problem.load()
        assert (data.num_points, data.dimension) == (problem.num_points, problem.dimension)
        assert set(data.y) == {-1.0, 1.0} and repeats >= 3
    assert {growth.axis for growth in whole.growths} == {"m", "n", "d"}


def test_the_full_plan_has_the_cases_promised():
    assert [case.name for case in FULL.cases] == [
        "sphere n=64 d=64 m=2^20",
        "sphere n=16 d=16 m=2^20",
        "sphere n=100 d=784 m=2^16",
        "sphere n=16 d=64 m=2^20",
        "digits n=200 centred m=2^18",
    ]
    widths = [problem.width for problem in FULL.growths[0].problems]
    assert widths[0] == 1 << 14 and widths[-1] == 1 << 22


def test_digits_are_centred():
    X = Problem("digits", 50, 64, 256, center=True).load().X
    assert (X < 0).any() and not (Problem("digits", 50, 64, 256, center=False).load().X < 0).any()


def test_a_dataset_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="dimension of digits is 64, not 32"):
        Problem("digits", 20, 32, 256).load()


def test_a_problem_needed_twice_is_measured_once_with_the_most_repeats(tiny):
    assert list(TINY.repeats.values()) == [2, 1, 1, 1]
    assert [one.problem for one in tiny.measurements] == list(TINY.repeats)
    assert [len(one.outcomes[0].runs) for one in tiny.measurements] == [2, 1, 1, 1]


def test_parts_are_chosen_by_name():
    part = TINY.select(["growth with m"])
    assert part.cases == () and part.growths == TINY.growths and len(part.repeats) == 3
    assert TINY.select([SMALL.name]).names == [SMALL.name]
    with pytest.raises(
        ValueError, match="no case 'moons': choose among 'sphere n=4 d=3 m=256', 'digits n=6 centred m=512'"
    ):
        TINY.select([SMALL.name, "moons"])
    with pytest.raises(ValueError, match="without a name: choose among"):
        TINY.select([])


def test_contestants_alternate(monkeypatch):
    order, said = [], []

    def note(one, data, config, until_loss):
        order.append((one.name, config.search, config.solver, config.method, config.width, config.draw))
        return made_run(float(len(order)))

    monkeypatch.setattr(measure_module, "train", note)
    measured = measure(SMALL, 3, CANDIDATES, 1e-6, None, said.append)
    once = [(name, name, "exact", "gauss-newton", 256, "all") for name in NAMES[:-1]]
    once.append(("watch-firing", "watch", "exact", "gauss-newton", 256, "firing"))
    assert order == once * 4
    assert said[0] == "sphere n=4 d=3 m=256: dense-sparse, unmeasured" and len(said) == 24
    assert said[12] == "sphere n=4 d=3 m=256: dense-sparse, repeat 2 of 3"
    for place, outcome in enumerate(measured.outcomes, start=1):
        assert [run.seconds for run in outcome.runs] == [place + 6, place + 12, place + 18]  # the first is left out


def test_every_step_is_told():
    said = []
    run_bench(TINY.select([SMALL.name]), with_memory=False, on_step=said.append)
    assert len(said) == num_steps(TINY.select([SMALL.name])) - len(CANDIDATES)  # all but those of memory


def test_all_contestants_train_to_the_loss_with_the_same_losses(tiny):
    for measured in tiny.measurements:
        assert [outcome.candidate for outcome in measured.outcomes] == NAMES
        for outcome in measured.outcomes:
            assert outcome.status == "ok" and outcome.loss_difference < 1e-9
            for run in outcome.runs:
                assert run.is_reached and run.losses[-1] <= 1e-6 < run.losses[-2]
                assert run.seconds > 0 and run.build_seconds >= 0 and run.draw_seconds >= 0
                assert run.losses == outcome.runs[0].losses


def test_choosing_the_skin_is_building(monkeypatch):
    clock, suggested = [0.0], []

    def suggest(X, y, threshold, width):
        clock[0] += 5.0
        suggested.append(width)
        return 0.5

    monkeypatch.setattr("treeviz.search.watch.engine.suggest_skin", suggest)
    monkeypatch.setattr("treeviz.model.ledger.time.perf_counter", lambda: clock[0])
    watch = CANDIDATES[NAMES.index("watch")]
    run = train(watch, SMALL.load(), watch.config(SMALL), 1e-6)
    assert suggested == [256] and run.build_seconds == 5.0 and run.seconds == 0.0


def test_busy_programs_are_noticed(monkeypatch):
    readings = iter([(100.0, 10.0), (104.0, 11.0), (104.0, 11.0), (104.5, 11.5)])
    monkeypatch.setattr(contestant_module, "_busy_seconds", lambda: next(readings))
    assert cores_elsewhere()(2.0) == pytest.approx(1.5)  # 4 s of all programs, 1 s of them ours, in 2 s
    assert cores_elsewhere()(0.01) is None  # too short to tell


def test_a_disturbed_measurement_is_marked(monkeypatch):
    def measured_with(of_run, of_all):
        monkeypatch.setattr(measure_module, "train", lambda *_: replace(made_run(1.0), cores_elsewhere=of_run))
        monkeypatch.setattr(measure_module, "cores_elsewhere", lambda: lambda seconds: of_all)
        return run_bench(Plan((Case(SMALL, 1),), (Growth("m", (SMALL,), 1),)), with_memory=False)

    for busy in (measured_with(1.5, 0.1), measured_with(None, 1.5)):
        text = report.as_text(busy)
        assert " at most, disturbed !\n" in text and "standard errors, disturbed !\n" in text
        assert f"up to 1.5 cores busy during runs of {SMALL.name}. " in " ".join(notes_of(busy))
        assert report.as_json(busy)["problems"][0]["cores_elsewhere"] == 1.5
    for quiet in (measured_with(0.1, 0.1), measured_with(None, None)):
        assert "disturbed" not in report.as_text(quiet) and notes_of(quiet) == ["Peak memory: not measured."]


# What goes wrong is said


def test_a_contestant_that_computes_something_else_is_caught():
    crooked = Candidate("crooked", "dense", OtherWeights)
    result = run_bench(Plan((Case(SMALL, 1),), ()), (*CANDIDATES[:2], crooked), with_memory=False)
    honest, caught = result.measurements[0].outcomes[1:]
    assert honest.status == "ok"
    assert caught.loss_difference > 1e-3 and "does not compute the same" in caught.status
    text = report.as_text(result)
    assert re.search(r"^  crooked .* !$", text, flags=re.MULTILINE)
    assert "sphere n=4 d=3 m=256, crooked: its losses differ" in text
    assert "does not compute" in html_text(page.as_page(result))


@pytest.mark.parametrize(
    ("losses", "reference", "expected"),
    [
        ((1.0, 1e-3), (1.0, 1e-3 * (1 - 1e-6)), 1e-6),
        ((1.0, 3e-9), (1.0, 1e-9), 0.0),  # settled: nothing is asked of them there
        ((1.0, 4e-7), (1.0, 1e-9), 0.9975),
        ((1.0, 1e-7, 1e-12), (1.0, 1e-7), 0.0),
        ((1.0, 0.5, 0.25), (1.0, 0.5), 1.0),
        ((1.0, math.nan), (1.0, 1e-3), math.inf),
        ((1.0, math.inf), (1.0, math.inf), math.inf),
    ],
)
def test_losses_are_compared_while_one_is_not_settled(losses, reference, expected):
    assert largest_difference(losses, reference) == pytest.approx(expected, rel=1e-3)
    assert largest_difference(reference, losses) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("engine", "reason"), [(Enormous, "needs about 1152921504.6 GB"), (Starving, "ran out of memory")]
)
def test_who_does_not_fit_is_left_out_with_the_reason(engine, reason):
    big = Candidate("big", "dense", engine)
    result = run_bench(Plan((Case(SMALL, 2),), ()), (big, *CANDIDATES[:2]), with_memory=False)
    left, dense, compact = result.measurements[0].outcomes
    assert left.runs == () and left.status.startswith("left out: ") and reason in left.status
    assert dense.status == compact.status == "ok" and len(dense.runs) == 2
    row = rows_of(result.measurements[0])[0]
    assert not any(row.values.values()) and not any(row.ratios.values()) and row.num_iterations is None
    assert f"  big         {left.status}" in report.as_text(result)
    assert json.loads(json.dumps(report.as_json(result)))["problems"][0]["contestants"][0]["status"] == left.status


def test_ratios_are_to_the_faster_of_the_dense_methods():
    for times, baseline in (((2.0, 1.0), "dense"), ((1.0, 2.0), "dense-sparse")):
        runs = {name: [made_run(seconds)] for name, seconds in zip(DENSE, times, strict=True)}
        rows = rows_of(made_result(runs | {"watch": [made_run(0.5)]}).measurements[0])
        assert [row.outcome.candidate for row in rows if row.is_baseline] == [baseline]
        assert [row.ratios["seconds_to_loss"].median for row in rows] == [1.0 / times[0], 1.0 / times[1], 2.0]


def test_without_the_baseline_there_are_no_ratios():
    big = Candidate(DENSE[0], DENSE[0], Enormous)
    result = run_bench(Plan((Case(SMALL, 1),), ()), (big, CANDIDATES[2]), with_memory=False)
    _, compact = rows_of(result.measurements[0])
    assert compact.values["iteration_seconds"] is not None and not any(compact.ratios.values())
    assert report.as_text(result) and page.ratio_marks(result) == []


def test_a_loss_not_reached_has_no_time_to_it():
    one = CANDIDATES[0]
    run = train(one, SMALL.load(), one.config(SMALL), 1e-6, most=2)
    assert len(run.losses) == 2 and not run.is_reached and run.stop_reason == "not reached in 2 iterations"
    result = made_result({DENSE[0]: [run], "watch": [made_run(1.0)]})
    row = rows_of(result.measurements[0])[0]
    assert row.values["iteration_seconds"] is not None
    assert row.values["seconds_to_loss"] is None and row.values["seconds_to_loss_with_building"] is None
    stopped = run_bench(Plan((Case(SMALL, 1),), ()), CANDIDATES[:1], until_loss=-1.0, with_memory=False)
    assert stopped.measurements[0].outcomes[0].status != "ok"


def test_an_interrupted_run_keeps_what_is_done(monkeypatch):
    real, seen = measure_module.train, []

    def interrupt(one, data, config, until_loss):
        seen.append(one)
        if len(seen) == 3 * len(CANDIDATES) + 2:  # in the second problem
            raise KeyboardInterrupt
        return real(one, data, config, until_loss)

    monkeypatch.setattr(measure_module, "train", interrupt)
    result = run_bench(TINY, with_memory=False)
    assert result.is_interrupted and [one.problem for one in result.measurements] == [SMALL]
    assert "Interrupted: 1 of 4 problems" in report.as_text(result)
    assert report.as_json(result)["is_interrupted"] and page.as_page(result) and report.as_csv(result)


# What is made of it


def test_exponents_are_those_of_the_data():
    sizes = [1 << exponent for exponent in range(10, 18)]
    law = fit_power_law(sizes, [3e-7 * size**1.25 for size in sizes])
    assert law.exponent == pytest.approx(1.25) and law.factor == pytest.approx(3e-7)
    assert law.standard_error == pytest.approx(0.0, abs=1e-6) and law.sizes == tuple(sizes)


def test_the_standard_error_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    sizes = np.array([1 << exponent for exponent in range(10, 18)])
    values = sizes**0.8 * np.exp(0.2 * rng.standard_normal(sizes.size))
    law = fit_power_law(sizes.tolist(), values.tolist())
    coefficients, covariance = np.polyfit(np.log(sizes), np.log(values), 1, cov=True)
    assert law.exponent == pytest.approx(coefficients[0])
    assert law.standard_error == pytest.approx(math.sqrt(covariance[0, 0]))


def test_too_few_sizes_have_no_exponent_or_no_error():
    assert fit_power_law([8], [1.0]).exponent is None
    assert fit_power_law([], []).exponent is None
    two = fit_power_law([8, 16], [1.0, 4.0])
    assert two.exponent == pytest.approx(2.0) and two.standard_error is None


def test_medians_spreads_and_ratios_repeat_by_repeat():
    # The machine is three times as slow in the second repeat: the ratios know nothing of it.
    dense = [made_run(seconds, losses=(1.0, 1e-2, 1e-4, 1e-7)) for seconds in (4.0, 12.0, 5.0)]
    watch = [
        made_run(seconds, build, (1.0, 1e-2, 1e-4, 1e-7)) for seconds, build in ((1.0, 1.0), (3.0, 3.0), (2.0, 3.0))
    ]
    peaks = {DENSE[0]: Peak(8_000_000), "watch": Peak(2_000_000)}
    result = made_result({DENSE[0]: dense, "watch": watch}, peaks)
    first, second = rows_of(result.measurements[0])
    assert first.num_iterations == 4

    def of(spread):
        return spread.median, spread.lowest, spread.highest, spread.count

    assert of(first.values["iteration_seconds"]) == (1.25, 1.0, 3.0, 3)
    assert of(second.values["iteration_seconds"]) == (0.5, 0.25, 0.75, 3)
    assert of(second.values["seconds_to_loss"]) == (2.0, 1.0, 3.0, 3)
    assert of(second.values["seconds_to_loss_with_building"]) == (5.0, 2.0, 6.0, 3)
    assert of(second.ratios["iteration_seconds"]) == (4.0, 2.5, 4.0, 3)
    assert of(second.ratios["seconds_to_loss_with_building"]) == (2.0, 1.0, 2.0, 3)
    assert of(second.ratios["peak_bytes"]) == (4.0, 4.0, 4.0, 1)
    assert of(first.ratios["iteration_seconds"]) == (1.0, 1.0, 1.0, 3)


def test_memory_too_little_to_tell_has_no_ratio_and_no_fit():
    runs = {DENSE[0]: [made_run(1.0)], "watch": [made_run(1.0)]}
    result = made_result(runs, {DENSE[0]: Peak(8 << 20), "watch": Peak(1000)})
    _, watch = rows_of(result.measurements[0])
    assert watch.values["peak_bytes"].median == 1000 and watch.ratios["peak_bytes"] is None
    assert "under 1" in report.as_text(result)
    growth = Growth("m", (SMALL,), 1)
    kept = {(fit.candidate, fit.quantity): fit.points for fit in fits_of(result, growth)}
    assert len(kept[DENSE[0], "peak_bytes"]) == 1 and kept["watch", "peak_bytes"] == ()
    assert len(kept["watch", "iteration_seconds"]) == 1


def test_fits_are_those_of_the_medians(tiny):
    growth = TINY.growths[0]
    fits = {(fit.candidate, fit.quantity): fit for fit in fits_of(tiny, growth)}
    assert {key[0] for key in fits} == set(NAMES) and {key[1] for key in fits} == set(QUANTITIES)
    for name in NAMES:
        medians = [
            row.values["iteration_seconds"].median
            for problem in growth.problems
            for row in rows_of(tiny.of(problem))
            if row.outcome.candidate == name
        ]
        slope = np.polyfit(np.log([256, 512, 1024]), np.log(medians), 1)[0]
        assert fits[name, "iteration_seconds"].law.exponent == pytest.approx(slope)
        assert fits[name, "iteration_seconds"].law.sizes == (256, 512, 1024)
        assert fits[name, "peak_bytes"].law.exponent is None  # memory was not measured


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.000123, "0.000123"), (0.0123, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345, "12,345")],
)
def test_numbers_have_three_digits(number, words):
    assert report.digits(number) == words


# Memory


@pytest.mark.slow
def test_peak_memory_is_that_of_the_arrays():
    if not memory.can_measure():
        pytest.skip("peak memory cannot be measured on this system")
    problem, dense = Problem("sphere", 16, 16, 1 << 16), CANDIDATES[NAMES.index("dense")]
    compact = CANDIDATES[NAMES.index("compact")]
    with MemoryMeter() as meter:
        peaks = list(meter.measure([dense, compact], problem, problem.load(), 1e-6))
    kept = problem.width * 16 * (8 + 4)  # the weights and the 0/1 matrix
    assert kept < peaks[0].num_bytes < 2 * kept
    assert peaks[1].num_bytes < peaks[0].num_bytes


@pytest.mark.slow
def test_a_process_that_starves_measures_nothing_and_says_so():
    if not memory.can_measure():
        pytest.skip("peak memory cannot be measured on this system")
    data, one = SMALL.load(), CANDIDATES[0]
    with MemoryMeter() as meter:
        starving = Candidate("starving", "dense", Starving)
        first, second = meter.measure([starving, one], SMALL, data, 1e-6)
    assert first.num_bytes is None and "ran out of memory" in first.reason
    assert second.num_bytes is not None


def test_where_memory_cannot_be_measured_it_is_said(monkeypatch):
    monkeypatch.setattr(memory, "can_measure", lambda: False)
    result = run_bench(Plan((Case(SMALL, 1),), ()), CANDIDATES[:2])
    assert result.measurements[0].outcomes[0].peak == Peak(None, "not measured on this system")
    assert "Peak memory: not measured on this system." in report.as_text(result)
    assert report.as_json(result)["problems"][0]["contestants"][0]["peak_reason"] == "not measured on this system"


# Text, files and page


def html_text(source):
    return re.sub(r"<[^>]+>", "", source.split("</script>")[-1]) + source[:20_000]


def test_the_text_has_a_line_for_each_case_and_contestant(tiny):
    text = report.as_text(tiny)
    assert max(map(len, text.splitlines())) <= 120
    for case in TINY.cases:
        block = text[text.index(f"{case.name}: ") :].splitlines()[1 : 1 + len(NAMES)]
        assert [line.split()[0] for line in block] == NAMES
        for line, row in zip(block, rows_of(tiny.of(case.problem)), strict=True):
            assert report.digits(1e3 * row.values["iteration_seconds"].median) in line.split()
            assert report.digits(row.values["seconds_to_loss"].median) in line.split()
    assert "Growth with m (sphere, n = 4, d = 3)" in text and "256 to 2^10 (3)" in text
    assert tiny.machine.processor in text and f"{tiny.date:%Y-%m-%d}" in text


def test_json_holds_every_run_and_survives_being_read(tiny):
    values = report.as_json(tiny)
    read = json.loads(json.dumps(values, allow_nan=False))
    assert read == values
    for one, measured in zip(read["problems"], tiny.measurements, strict=True):
        assert one["name"] == measured.problem.name and one["width"] == measured.problem.width
        for own, outcome in zip(one["contestants"], measured.outcomes, strict=True):
            assert [run["seconds"] for run in own["runs"]] == [run.seconds for run in outcome.runs]
            assert [tuple(run["losses"]) for run in own["runs"]] == [run.losses for run in outcome.runs]
    machine = read["machine"]
    assert machine["numpy"] == np.__version__ and machine["num_cores"] >= 1 and machine["blas"] and machine["numba"]
    assert read["until_loss"] == 1e-6 and read["cases"] == [case.name for case in TINY.cases]


def test_json_has_no_infinity():
    result = made_result({DENSE[0]: [made_run(1.0, losses=(math.inf, math.nan), is_reached=False)]})
    values = json.loads(json.dumps(report.as_json(result), allow_nan=False))
    assert values["problems"][0]["contestants"][0]["runs"][0]["losses"] == [None, None]


def test_csv_agrees_with_json(tiny):
    values = report.as_json(tiny)
    lines = list(csv.DictReader(io.StringIO(report.as_csv(tiny))))
    problems = [line for line in lines if line["kind"] == "problem"]
    pairs = [(one, own) for one in values["problems"] for own in one["contestants"]]
    assert len(problems) == len(pairs) == 4 * len(NAMES)
    for line, (one, own) in zip(problems, pairs, strict=True):
        assert (line["name"], line["contestant"], line["status"]) == (one["name"], own["name"], own["status"])
        assert (int(line["n"]), int(line["d"]), int(line["m"])) == (one["num_points"], one["dimension"], one["width"])
        assert int(line["repeats"]) == len(own["runs"]) and int(line["iterations"]) == own["runs"][0]["num_iterations"]
        for quantity in QUANTITIES:
            for kind, infix in (("value", ""), ("ratio", "_ratio")):
                spread = own["summary"][quantity][kind]
                cells = [line[f"{quantity}{infix}{end}"] for end in ("", "_lowest", "_highest")]
                if spread is None:
                    assert cells == ["", "", ""]
                else:
                    assert [float(cell) for cell in cells] == [spread[end] for end in ("median", "lowest", "highest")]
    grown = [line for line in lines if line["kind"] == "growth"]
    fits = values["growth"][0]["fits"]
    assert [line["contestant"] for line in grown] == NAMES
    for line in grown:
        assert (line["name"], line["n"], line["d"], line["m"]) == ("growth with m", "4", "3", "")
        for fit in fits:
            if fit["contestant"] == line["contestant"] and fit["exponent"] is not None:
                assert float(line[f"{fit['quantity']}_exponent"]) == fit["exponent"]
                assert float(line[f"{fit['quantity']}_exponent_error"]) == fit["standard_error"]
                assert int(line[f"{fit['quantity']}_to"]) == 1024


def test_the_page_needs_no_network_and_has_the_traces(tiny):
    source = page.as_page(tiny)
    assert not re.search(r"<(script|link|img)[^>]*(src|href)\s*=\s*[\"']?\s*(https?:)?//", source)
    assert source.count('class="plotly-graph-div"') == 2  # ratios, time against m; memory was not measured
    assert source.count("Plotly.newPlot(") >= 2 and len(source) > 1_000_000  # the library is inside, once
    assert source.count("<title>treeviz bench</title>") == 1
    for word in (*NAMES[1:], SMALL.name, "Growth with m", "time of an iteration, ms", "neurons m"):
        assert word in source
    assert report.as_text(tiny).splitlines()[-1] in source


def test_the_ratio_figure_has_a_mark_for_each_ratio(tiny):
    marks = page.ratio_marks(tiny)
    figure = ratio_figure(marks, DENSE[0])
    expected = 3 * 2 * (len(NAMES) - 1)  # panels, cases, candidates
    assert sum(len(trace.x) for trace in figure.data) == len(marks) == expected
    kept = {mark.candidate for mark in marks}
    assert [trace.name for trace in figure.data if trace.showlegend] == [name for name in NAMES if name in kept]
    assert all(axis.type == "log" for axis in figure.select_xaxes())
    lines = [shape for shape in figure.layout.shapes if shape.x0 == shape.x1 == 1]
    assert len(lines) == 3  # 1x, in each panel
    for name, axis in zip(("x", "x2", "x3"), figure.select_xaxes(), strict=True):
        low, high = axis.range
        assert low < 0 < high or low < 0 <= high or low <= 0 < high
        ratios = [ratio for trace in figure.data if trace.xaxis == name for ratio in trace.x]
        assert len(ratios) == expected // 3 and all(low < math.log10(ratio) < high for ratio in ratios)


def test_candidates_keep_their_order_whichever_comes_first():
    marks = [RatioMark("time", case, name, 4.0, 3.5, 5.0, "") for case, name in enumerate(reversed(NAMES))]
    assert [trace.name for trace in ratio_figure(marks, DENSE[0]).data] == NAMES


def test_the_page_shows_the_exact_numbers_to_the_pointer():
    marks = [RatioMark("time", "a case", "watch", 4.0, 3.5, 5.0, "4.00× (3.50 to 5.00)")]
    (trace,) = ratio_figure(marks, DENSE[0]).data
    assert trace.customdata[0] == "4.00× (3.50 to 5.00)" and "customdata" in trace.hovertemplate
    assert trace.error_x.array[0] == pytest.approx(1.0) and trace.error_x.arrayminus[0] == pytest.approx(0.5)


def test_the_growth_figure_draws_the_law_and_names_its_exponent():
    law = GrowthCurve("dense", [1024, 4096], [2.0, 8.0], [1.0, 7.0], [3.0, 9.0], 2.0 / 1024, 1.0, "1.00 ± 0.05")
    bare = GrowthCurve("someone", [1024], [5.0], [5.0], [5.0], None, None, "-")
    figure = growth_figure([law, bare], "m", "neurons m", "time of an iteration, ms", "ms")
    points, line, other = figure.data
    assert points.name == "dense: exponent 1.00 ± 0.05" and other.name == "someone"
    assert list(line.x) == [1024, 4096] and list(line.y) == pytest.approx([2.0, 8.0])
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert list(figure.layout.xaxis.ticktext) == ["2¹⁰", "2¹²"]
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("neurons m", "time of an iteration, ms")
    assert list(points.error_y.array) == [1.0, 1.0] and points.customdata[0][0] == "1,024"


def test_what_is_in_names_cannot_break_the_page():
    problem = replace(SMALL, width=300)
    result = made_result({DENSE[0]: [made_run(1.0)], "<b>": [made_run(0.5)]}, problem=problem)
    assert "<b>" not in page.as_page(result).split("</script>")[-1]


def test_files_are_saved_in_place_of_earlier_ones(tiny, tmp_path):
    folder = tmp_path / "new" / "folder"
    page.prepare_folder(folder)
    for _ in range(2):
        paths = page.save(tiny, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(page.FILE_NAMES)
    assert json.loads(paths[0].read_text()) == report.as_json(tiny)
    assert paths[1].read_text() == report.as_csv(tiny)
    assert paths[2].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


# The command


def test_cases_are_listed():
    assert call("--list").stdout.splitlines() == FULL.names
    assert call("--list", "--quick").stdout.splitlines() == QUICK.names


@pytest.mark.parametrize("names", ["moons", "sphere n=16 d=16 m=2^20,moons", " , "])
def test_an_unknown_case_is_refused_with_all_names(names, tmp_path):
    done = call("--cases", names, "--output", tmp_path / "results")
    words = " ".join(done.output.split())
    assert done.exit_code == 2 and "Traceback" not in done.output and not (tmp_path / "results").exists()
    assert all(name in words for name in FULL.names)


def test_a_folder_that_cannot_be_written_is_refused_before_measuring(tmp_path, monkeypatch):
    monkeypatch.setattr(measure_module, "train", lambda *_: pytest.fail("it measured"))
    (tmp_path / "file").write_text("")
    (tmp_path / "blocked" / "bench.csv").mkdir(parents=True)
    for folder in (tmp_path / "file" / "results", tmp_path / "blocked"):
        done = call("--quick", "--output", folder)
        assert done.exit_code == 1 and "choose another --output" in done.output, done.output
        assert "Traceback" not in done.output and isinstance(done.exception, SystemExit)
    assert call("--quick", "--output", tmp_path / "file").exit_code == 2


def test_the_command_measures_prints_and_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "QUICK", TINY.select([SMALL.name]))
    done = call("--quick", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    assert f"{SMALL.name}: " in done.stdout and "UTC" in done.stdout
    assert f"Saved to {tmp_path}." in done.stderr and all((tmp_path / name).stat().st_size for name in page.FILE_NAMES)
    values = json.loads((tmp_path / "bench.json").read_text())
    (own,) = values["problems"]
    assert [one["name"] for one in own["contestants"]] == NAMES
    assert all(one["status"] == "ok" for one in own["contestants"])


def test_the_command_prints_json(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "FULL", TINY)
    done = call("--cases", f"{SMALL.name}, growth with m", "--json", "--output", tmp_path)
    assert json.loads(done.stdout) == json.loads((tmp_path / "bench.json").read_text())
    assert json.loads(done.stdout)["growth"][0]["axis"] == "m"


def test_interrupting_the_command_saves_what_is_done(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "QUICK", TINY)
    monkeypatch.setattr(measure_module, "train", interrupt)
    done = call("--quick", "--output", tmp_path)
    assert done.exit_code == 130 and "Interrupted: 0 of 4 problems" in done.stdout
    assert json.loads((tmp_path / "bench.json").read_text())["problems"] == []


def test_what_is_drawn_alone_is_measured_where_it_can_be_and_where_the_others_cannot():
    wide, crowded = replace(SMALL, width=1 << 25), Problem("digits", 200, 64, 256, center=True)
    result = run_bench(Plan((Case(wide, 1), Case(crowded, 1)), ()), with_memory=False)
    for measured, left in zip(result.measurements, (NAMES[:-1], NAMES[-1:]), strict=True):
        assert [one.candidate for one in measured.outcomes if not one.runs] == list(left)
    drawn = result.measurements[0].of("watch-firing")
    (run,) = drawn.runs
    assert drawn.status == "ok" and run.is_reached
    assert run.seconds_from_nothing == run.draw_seconds + run.build_seconds + run.seconds
    assert "at most 2^24 neurons are measured where all are drawn" in result.measurements[0].of("dense").status
    assert "more than one datapoint, so all neurons would be drawn" in result.measurements[1].of("watch-firing").status
