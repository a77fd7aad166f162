"""What is said of a race: one sentence that judges it, and the reports as text, JSON and CSV."""

import csv
import json
import math
import re

import numpy as np
import pytest
from scripted import CONFIG, LOSSES, lane_of, race_of, run, scripted

from treeviz import Dataset, load_dataset
from treeviz.race import report, verdict
from treeviz.race.contestants import CONTESTANTS


@pytest.fixture(autouse=True)
def found_once(monkeypatch):
    """A race is judged several times in a test: what is expected of it is worked out once."""

    def once(work):
        found = {}

        def ask(*given, **options):
            key = [(one.tobytes(), one.shape) if isinstance(one, np.ndarray) else one for one in given]
            key = tuple(getattr(one, "key", one) for one in key), tuple(options.items())
            if key not in found:
                found[key] = work(*given, **options)
            return found[key]

        return ask

    for name in ("break_even_width", "expected_workload"):
        monkeypatch.setattr(verdict, name, once(getattr(verdict, name)))


NEVER_SAID = re.compile(r"\b(nan|NaN|inf|None|infinity)\b")


def check_reports(race, loss):
    """Text, JSON and CSV agree with the lanes, whatever these hold."""
    values = json.loads(json.dumps(report.as_json(race, loss), allow_nan=False))
    rows = list(csv.DictReader(report.as_csv(race).splitlines()))
    text = report.as_text(race, loss)
    assert len(rows) == sum(lane.num_laps for lane in race.lanes)
    assert not NEVER_SAID.search("\n".join(line for line in text.splitlines() if "no longer" not in line)), text
    for lane, shown in zip(race.lanes, values["contestants"], strict=True):
        assert (shown["key"], shown["state"], shown["reason"]) == (lane.contestant.key, lane.state, lane.reason)
        assert shown["test_error"] == lane.test_error and shown["num_bytes"] == lane.num_bytes
        assert shown["costs"] == dict(lane.costs) and shown["phase_seconds"] == dict(lane.seconds)
        own = [row for row in rows if row["contestant"] == lane.contestant.key]
        assert [int(row["iteration"]) for row in own] == list(range(lane.num_laps))
        for name in report.LAP_COLUMNS:
            finite = [float(value) if math.isfinite(value) else None for value in lane.column(name)]
            assert shown["laps"][name] == finite
            assert [float(row[name]) if row[name] else None for row in own] == finite
        lap = lane.lap_reaching(loss)
        if lap is None:
            assert shown["to_loss"] is None
        else:
            operations, seconds = lane.column("operations")[lap], lane.column("seconds")[lap]
            assert shown["to_loss"] == {"iterations": lap, "operations": operations, "seconds": seconds}
        line = next(line for line in text.splitlines() if line.startswith(f"{lane.contestant.title:<30} "))
        assert (lap is None) == (line[30:].split()[0] == "-")
        if lap is not None:
            assert line[30:].split()[:2] == [f"{lap:,}", f"{int(operations):,}"]
        assert not lane.reason or f"{lane.state}: {lane.reason}" in text
    assert values["until_loss"] == loss and values["verdict"] == verdict.judge(race, loss)
    assert values["config"]["threshold"] == race.config.resolved_threshold
    assert verdict.judge(race, loss) in text


def said(race, loss=1e-3):
    text = f"{verdict.judge(race, loss)} {verdict.name_leaders(race, loss)}".strip()
    assert not NEVER_SAID.search(text), text
    assert "  " not in text and text.count("e+") == 0
    check_reports(race, loss)
    return text


def finish(lane, loss=1e-3):
    lap = next(number for number, value in enumerate(lane.column("loss")) if value <= loss)
    return lane.column("operations")[lap], lane.column("seconds")[lap]


@pytest.mark.parametrize(
    ("costs", "seconds", "words"),
    [
        (100, 1.0, ("fewer", "and", "less", "than")),
        (1000, 8.0, ("more", "and", "more", "than")),
        (100, 8.0, ("fewer", "but", "more", "than")),
        (1000, 0.5, ("more", "but", "less", "than")),
        (405, 2.05, ("about", "and", "about", "as")),
        (100, 2.02, ("fewer", "but", "about", "as")),
        (100, 2.4, ("fewer", "but", "about", "as")),  # measured seconds within a quarter count as the same
        (396, 8.0, ("about", "but", "more", "than")),
    ],
)
def test_the_sentence_compares_a_tree_method_with_its_dense_rival(costs, seconds, words):
    forest = lane_of("forest", costs, seconds, LOSSES, build=(40, 0.1))
    dense = lane_of("dense", 413, 2.07, LOSSES)
    slower = lane_of("dense-sketch", 5000, 5.0, LOSSES)
    text = said(race_of(forest, slower, dense))
    (own, own_seconds), (rival, rival_seconds) = finish(forest), finish(dense)
    shape = re.match(
        r"To a loss of 10⁻³, Forest needed (?:about as many|([\d.,]+) times (fewer|more)) operations (and|but) "
        r"(?:about as much|([\d.,]+) times (less|more)) time (than|as) Dense; "
        r"building was (\d+)% of its operations and (\d+)% of its time[;.]",
        text,
    )
    assert shape, text
    times, many, joint, spans, much, link, build, build_time = shape.groups()
    assert (many or "about", joint, much or "about", link) == words
    if times:
        ratio = rival / own if many == "fewer" else own / rival
        assert float(times) == pytest.approx(ratio, abs=0.051) and ratio > 1
    if spans:
        ratio = rival_seconds / own_seconds if much == "less" else own_seconds / rival_seconds
        assert float(spans) == pytest.approx(ratio, abs=0.051) and ratio > 1
    assert float(build) == pytest.approx(100 * 40 / own, abs=0.51)
    assert float(build_time) == pytest.approx(100 * 0.1 / own_seconds, abs=0.51)


def test_those_that_did_not_get_there_are_named():
    forest, compact = lane_of("forest", 100, 1.0, LOSSES), lane_of("compact", 90, 2.0, LOSSES)
    stuck = [lane_of(key, 10, 9.0, (1.0, 0.5), state="stopped") for key in ("dense", "dense-sketch")]
    assert "Dense did not reach it." in said(race_of(forest, compact, stuck[0]))
    assert "Dense and Dense, sketched did not reach it." in said(race_of(forest, compact, *stuck))
    assert "did not reach" not in said(race_of(forest, compact))


@pytest.mark.parametrize(
    ("costs", "seconds", "words"),
    [
        (100, 1.0, "2.0 times fewer operations than Dense, sparse rest, and 2.0 times less time than Dense"),
        (100, 8.0, "2.0 times fewer operations than Dense, sparse rest, but 4.0 times more time than Dense"),
        (200, 2.0, "about as many operations as Dense, sparse rest, and about as much time as Dense"),
    ],
)
def test_the_dense_rivals_may_differ_in_operations_and_in_time(costs, seconds, words):
    """The rival in operations is the dense method that needed the fewest, the rival in time the fastest."""
    fast, few = lane_of("dense", 1000, 2.0, LOSSES), lane_of("dense-sparse", 200, 9.0, LOSSES)
    text = said(race_of(fast, few, lane_of("forest", costs, seconds, LOSSES)))
    assert text.startswith(f"To a loss of 10⁻³, Forest needed {words}; building was"), text


@pytest.mark.parametrize(
    ("costs", "seconds", "words"),
    [
        (50, 4.0, "but 2.0 times more operations but 2.0 times less time than Compact table"),
        (50, 1.0, "but 2.0 times more operations and 2.0 times more time than Compact table"),
        (400, 4.0, "and 4.0 times fewer operations and 2.0 times less time than Compact table"),
        (100, 2.0, "but about as many operations and about as much time as Compact table"),
    ],
)
def test_the_sentence_also_compares_with_the_compact_table(costs, seconds, words):
    forest, dense = lane_of("forest", 100, 2.0, LOSSES), lane_of("dense", 200, 4.0, LOSSES)
    table = lane_of("table", costs, seconds, LOSSES)
    others = lane_of("descent-table", 1, 0.1, LOSSES), lane_of("sgd-table", 1, 0.1, LOSSES)  # of other families
    text = said(race_of(forest, dense, *others, table))
    start = "To a loss of 10⁻³, Forest needed 2.0 times fewer operations and 2.0 times less time than Dense"
    assert text.startswith(f"{start}, {words}; building was"), text
    assert said(race_of(forest, dense, *others)).startswith(f"{start}; building was")


def test_the_leaders_are_of_those_that_iterate():
    forest, dense = lane_of("forest", 100, 9.0, LOSSES), lane_of("dense", 400, 2.0, LOSSES)
    ridge = lane_of("kernel-ridge", 1, 1e-6, (1.0, 1e-9))
    text = said(race_of(ridge, forest, dense))
    assert text.endswith("Of those that iterate, Forest needed the fewest operations, Dense the least time.")
    assert "Kernel ridge (NTK), solved at once, is in the table alone." in text
    alone = said(race_of(ridge, lane_of("compact", 3, 0.1, LOSSES)))
    assert "and the only one of those that iterate. Kernel ridge (NTK), solved at once, is in" in alone
    both = said(race_of(lane_of("forest", 10, 0.1, LOSSES), dense))
    assert both.endswith("Of those that iterate, Forest needed the fewest operations and the least time.")
    none = said(race_of(ridge, lane_of("forest", 1, 1.0, (1.0, 0.5), state="stopped")))
    assert none == (
        "No iterative method reached a loss of 10⁻³; Forest came closest, to 0.5. "
        "Kernel ridge (NTK), solved at once, is in the table alone."
    )


def test_without_a_pair_it_names_the_first():
    quick, late = lane_of("compact", 300, 1.0, LOSSES), lane_of("descent-dense", 100, 4.0, (*LOSSES, 1e-9))
    text = said(race_of(late, quick))
    assert text.startswith(
        "Compaction was the first to reach a loss of 10⁻³, after 2 iterations, with 4.0 times less time but 3.0 times "
        "more operations than Gradient descent, dense, the next."
    )
    neither = race_of(lane_of("compact", 1, 1.0, LOSSES), lane_of("dense", 2, 2.0, LOSSES))  # no trees
    assert said(neither).startswith("Compaction was the first")
    trees = lane_of("forest", 50, 9.0, LOSSES)  # its family's dense method did not get there
    stuck = lane_of("dense", 50, 9.0, (1.0,), state="stopped")
    assert said(race_of(trees, stuck)).startswith("Forest was the first") and "only one" in said(race_of(trees, stuck))


def test_while_it_runs_and_when_no_method_got_anywhere():
    running = race_of(lane_of("forest", 1, 1.0, (1.0,), state="running"))
    assert verdict.judge(running, 1e-3) == "The race is on."
    assert "has taken a step" in said(race_of(lane_of("forest", 1, 1.0, (), state="failed")))
    wild = [lane_of("forest", 1, 1.0, (math.inf,), state="stopped"), lane_of("dense", 1, 1.0, (math.nan,))]
    wild[1].state = "stopped"
    assert "has taken a step" in said(race_of(*wild))
    mixed = lane_of("compact", 1, 1.0, (7.0, math.inf), state="stopped")
    assert "Compaction came closest, to 7." in verdict.judge(race_of(*wild, mixed), 1e-3)
    stuck = [lane_of(key, 1, 1.0, (0.2, 0.2), state="stopped") for key in ("forest", "dense")]
    assert said(race_of(*stuck)).endswith("or one below 0.2, where all began.")
    level = [lane_of(key, 1, 1.0, (0.2, 0.1), state="stopped") for key in ("forest", "dense")]
    assert said(race_of(*level)).endswith("; all came to 0.1.")


def test_nothing_is_divided_by_nothing():
    free, paid = lane_of("a", 0, 0.0, (0.0,), "trees"), lane_of("b", 5, 1.0, (0.0,), "dense")
    for lanes in ((free, paid), (paid, free), (free,), (free, lane_of("c", 0, 0.0, (0.0,), "dense"))):
        said(race_of(*lanes))
    said(race_of(lane_of("a", 0, 0.0, (0.0,)), paid))


def test_the_loss_asked_for_is_named_as_it_is():
    lanes = [lane_of("forest", 1, 1.0, LOSSES), lane_of("dense", 2, 2.0, LOSSES)]
    assert "To a loss of 2.5·10⁻⁴," in said(race_of(*lanes), 2.5e-4)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (None, "; at every width looked at, from 8 on, it is expected to need more operations here"),
        (8, ""),
        (12_345, "; it is expected to need more operations here below m ≈ 12,000"),
    ],
)
def test_the_break_even_is_put_into_words(width, words, monkeypatch):
    asked = []
    monkeypatch.setattr(verdict, "break_even_width", lambda *given: asked.append(given) or width)
    race = race_of(lane_of("forest", 100, 1.0, LOSSES), lane_of("dense", 400, 2.0, LOSSES))
    assert verdict.judge(race, 1e-3, 3).endswith(f"of its time{words}.")
    own, rival, X, config, laps, _, node_price = asked[0]
    assert node_price == 3
    assert (own.key, rival.key, laps, config) == ("forest", "dense", 3, CONFIG) and X is race.data.X


# Reports


def refuse():
    raise OSError("no")


def test_reports_of_a_real_race():
    keys = ("forest", "dense", "sgd-forest", "random-features")
    data = load_dataset("moons", 10)
    for test in (None, load_dataset("moons", 20, seed=3), Dataset(np.full((3, 1), 1.0), np.zeros(3))):
        race = run(*(CONTESTANTS[key] for key in keys), scripted(make=refuse), data=data, test=None, max_laps=30)
        race.test = test
        check_reports(race, 1e-6)
        name = report.test_error_name(race)
        assert ("none" in name) == (test is None)
        if test is not None:
            assert ("share of wrong signs on 20" in name) == (test.num_points == 20)
