"""The lesson: every number it gives of a run is recomputed here from the weights, and every link it shows exists."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import dense_scan

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.lesson import charts
from treeviz.lesson import sections as lesson
from treeviz.lesson.caveats import make_caveats, make_questions
from treeviz.lesson.facts import Facts
from treeviz.lesson.sections import make_sections, tex
from treeviz.model.network import initial_weights
from treeviz.model.phases import PHASES
from treeviz.model.theorem import required_width_exponent
from treeviz.pages.page import find_pages
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_table import cost_table
from treeviz.race.forecast import expected_workload
from treeviz.stage.frames import WHY
from treeviz.stage.script import phases
from treeviz.style.glossary import find_terms, link_terms, load_terms, read_terms
from treeviz.style.palette import compact

DATA = load_dataset("sphere", num_points=7, dimension=5, seed=1)
CONFIG = TrainConfig(width=500, search="forest", solver="exact", seed=3)


@pytest.fixture(scope="module")
def facts():
    trainer = Trainer(DATA, CONFIG)
    trainer.run(4, until_loss=0.0)
    return Facts(trainer.trace)


# Facts


def test_facts_are_those_of_the_weights(facts):
    W, X = initial_weights(3, 500, 5), DATA.X
    products, b = W @ X.T, CONFIG.resolved_threshold
    fires = products >= b
    assert np.allclose(facts.leaves, products[:, 0])
    assert facts.num_firing.tolist() == fires.sum(axis=0).tolist() == [s.size for s in dense_scan(W, X, b)]
    assert facts.num_touched[0] == fires.any(axis=1).sum()
    assert facts.num_written[0] == fires.sum()
    gram = (X @ X.T) * (fires.T.astype(float) @ fires) / 500
    assert np.allclose(facts.eigenvalues, np.linalg.eigvalsh(gram))
    assert facts.conditioning == pytest.approx(np.linalg.cond(gram), rel=1e-6)
    angles = np.degrees(np.arccos((X @ X.T)[~np.eye(7, dtype=bool)]))
    assert facts.smallest_angle == pytest.approx(angles.min())
    assert facts.probability == pytest.approx(0.5 * math.erfc(b / math.sqrt(2)))


def test_facts_of_close_opposite_and_silent_datapoints():
    X = np.array([[1.0, 0.0, 0.0], [-1.0, 0.01, 0.0], [1.0, 0.02, 0.0], [0.0, 0.0, 1.0]])
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    trainer = Trainer(Dataset(X, np.ones(4)), TrainConfig(width=40, solver="exact", threshold=2.0, seed=4))
    fires = trainer.weights() @ X.T >= 2.0
    trainer.step()
    facts, active = Facts(trainer.trace), np.flatnonzero(fires.any(axis=0))
    assert active.size == 3, "one fires no neuron"
    gram = ((X @ X.T) * (fires.T.astype(float) @ fires))[np.ix_(active, active)] / 40
    np.testing.assert_allclose(facts.eigenvalues, np.linalg.eigvalsh(gram), atol=1e-15)
    assert 1e3 < facts.conditioning == pytest.approx(np.linalg.cond(gram), rel=1e-4)
    assert facts.smallest_angle == pytest.approx(math.degrees(math.atan(0.02)), rel=1e-6)  # not of opposites


def test_the_search_reads_what_its_tree_makes_it_read(facts):
    values = np.full(1024, -np.inf)
    values[512 : 512 + 500] = facts.leaves
    for node in range(511, 0, -1):
        values[node] = values[2 * node : 2 * node + 2].max()
    assert facts.visited_by_level.sum() == facts.trace.records[0].num_visited[0]
    assert facts.visited_by_level[:2].tolist() == [1, 2]  # as long as the root fires
    assert values[1] >= facts.threshold


def test_sketches_solve_the_same_system_in_fewer_products_the_more_rows(facts):
    counts = [report.iterations for report in facts.sketches.values()]
    assert counts == sorted(counts, reverse=True) and counts[-1] > 0
    for report in facts.sketches.values():
        assert report.residual_norms[-1] < 1e-10


def test_the_width_the_theorem_asks_for():
    # (16 n^4)^25 = 10^(25 log10 16) n^100
    assert required_width_exponent(50) == pytest.approx(25 * math.log10(16) + 100 * math.log10(50))
    assert required_width_exponent(1, 0.0) == pytest.approx(math.log10(16))
    for alpha in (0.25, -0.1, float("nan")):
        with pytest.raises(ValueError, match="alpha must be at least 0 and below 1/4"):
            required_width_exponent(5, alpha)


def test_a_lesson_needs_a_record_and_a_forest():
    with pytest.raises(ValueError, match="step first"):
        Facts(Trainer(DATA, CONFIG).trace)
    lists = Trainer(DATA, replace(CONFIG, search="watch"))
    lists.step()
    with pytest.raises(ValueError, match='search="forest"'):
        Facts(lists.trace)


@pytest.mark.parametrize(
    ("name", "options", "settings"),
    [
        ("circle", {"num_points": 1}, {"width": 32}),
        ("circle", {}, {"width": 32, "threshold": 9.0}),  # nobody fires
        ("xor", {}, {"width": 64, "threshold": 0.0}),
        ("digits", {"num_points": 30}, {"width": 64}),
    ],
)
def test_every_run_has_its_lesson(name, options, settings):
    trainer = Trainer(load_dataset(name, seed=0, **options), TrainConfig(search="forest", solver="exact", **settings))
    trainer.step()
    facts = Facts(trainer.trace)
    for section in make_sections(facts):
        assert "nan" not in f"{section.text}{section.conclusion}{section.formula}{section.with_numbers}"
        assert section.chart(facts).data
    assert all("nan" not in caveat.text for caveat in make_caveats(facts))


# Sections


def test_sections_carry_the_numbers_of_the_run(facts):
    by_key = {section.key: section for section in make_sections(facts)}
    record = facts.trace.records[0]
    assert len(by_key) == len(make_sections(facts)) == 9
    trees = " ".join(by_key["trees"].with_numbers)
    assert tex(int(record.num_visited[0])) in trees and tex(999) in trees
    amortized = " ".join(by_key["amortized"].with_numbers)
    assert tex(facts.trace.amortized()[-1]) in amortized and tex(facts.trace.amortized(of="dense")[-1]) in amortized
    assert f"{500 - facts.num_touched[0]:,} neurons never move" in by_key["moving"].conclusion
    counted = re.search(r"After (\d+) iterations the forest has cost ([\d.]+) times", by_key["amortized"].conclusion)
    assert int(counted[1]) == 4


def test_break_even_and_progress_are_those_of_the_losses_and_costs():
    def facts_of(**arrays):
        def amortized(of="method"):
            return np.array(arrays[of])

        return SimpleNamespace(trace=SimpleNamespace(amortized=amortized, losses=np.array(arrays.get("losses", []))))

    for costs, sentence in (
        ([9, 5, 4, 2], "It has cost less since iteration 2."),
        ([9, 1, 9, 9], "So far building has not been paid back."),
        ([2, 1, 1, 1], "It has cost less from the first iteration on."),
    ):
        assert lesson._describe_break_even(facts_of(method=costs, dense=[3, 3, 4.5, 3])) == sentence
    for losses, sentence in (
        ([8.0], "has done one iteration."),
        ([8.0, 4.0], "has brought the loss to 50\u00a0% of its start so far."),
        ([8.0, 1e-5], "has brought the loss to 0.00013\u00a0% of its start so far."),
        ([8.0, 7e-6], "is trained nevertheless: the loss falls faster and faster, not by one factor."),
        ([8.0, 1.0, 1e-2, 1e-6], "is trained nevertheless: the loss falls faster and faster, not by one factor."),
        ([8.0, 1e-2, 1.0, 1e-6], "is trained nevertheless."),
        ([8.0, 9.0], "has let the loss grow from 8 to 9."),
    ):
        assert lesson._describe_progress(facts_of(losses=losses)) == sentence


def test_charts_show_the_numbers_of_the_run(facts):
    losses, record = facts.trace.losses, facts.trace.records[0]
    below, firing = (int(bars.customdata.sum()) for bars in charts.leaves_chart(facts).data)
    assert (below, firing) == (500 - record.firing.counts[0], record.firing.counts[0])
    np.testing.assert_allclose(charts.rates_chart(facts).data[0].y, losses[1:] / losses[:-1])
    np.testing.assert_allclose(charts.losses_chart(facts).data[0].y, losses)
    assert charts.touched_chart(facts).data[0].y.tolist() == [one.touched.size for one in facts.trace.records]
    there, read = charts.levels_chart(facts).data
    assert there.y[:3].tolist() == [1, 2, 4] and read.customdata.sum() == record.num_visited[0]
    assert charts.sparsity_chart(facts).data[-1].y[0] == pytest.approx(record.firing.counts.mean())
    built, iterations, dense = (charts.amortized_chart(facts).data[place].y for place in (1, 2, 0))
    np.testing.assert_allclose(built, facts.trace.amortized())
    np.testing.assert_allclose(iterations, facts.trace.amortized(include_build=False))
    np.testing.assert_allclose(dense, facts.trace.amortized(of="dense"))
    np.testing.assert_allclose(charts.amortized_chart(facts).data[3].y, facts.trace.amortized(of="table"))
    for line, report in zip(charts.sketches_chart(facts).data, facts.sketches.values(), strict=True):
        assert len(line.y) == report.iterations + 1
    points = {point.name: (point.x[0], point.y[0]) for point in charts.bound_chart(facts).data}
    assert points["keep all inner products"] == (7, 3500) and points["dense: keep weights alone"] == (5, 7 * 500 * 5)
    assert points["compact table"] == (7, 7 * record.firing.neurons.size)
    assert points["forest"] == pytest.approx((7 * (np.log2(500) + 1), record.firing.num_pairs * np.log2(500)))


def test_no_formula_is_too_wide_for_a_phone(facts):
    """At 390 pixels some 45 letters fit in a line; commands of LaTeX are not letters."""
    for section in make_sections(facts):
        for line in (*section.formula, *section.with_numbers):
            shown = re.sub(r"\\[a-zA-Z]+|[{}\\^_]", "", line)
            assert len(shown) <= 48, (section.key, shown)


def test_every_way_leads_somewhere(facts):
    paths = {page.path for page in find_pages()}
    links = [section.link for section in make_sections(facts)] + [caveat.link for caveat in make_caveats(facts)]
    assert len(make_caveats(facts)) == 8
    for link in links:
        assert link.page in paths
        if link.page:
            assert not link.moment
            assert set(link.settings.get("contestants", ())) <= set(CONTESTANTS)
            continue
        search = {"forest": "forest", "watch lists": "watch"}[link.settings["search"]]
        config = TrainConfig(width=64, search=search, solver=link.settings["solver"])
        assert link.moment["phase"] in phases(config), link.label


WRITTEN = [
    (65536, "65{,}536"),
    (2_500_000, "2{,}500{,}000"),
    (0.5, "0.5"),
    (4576.4, "4{,}576"),
    (2.1e8, r"2.10\times10^{8}"),
    (1e-7, r"1.00\times10^{-7}"),
    (0.0, "0"),
    (math.inf, r"\infty"),
]


def test_numbers_in_formulas():
    for number, written in WRITTEN:
        assert tex(number) == written


# Costs and glossary


def test_the_table_has_every_contestant_and_the_numbers_of_its_formula(facts):
    load = expected_workload(DATA.X, CONFIG, num_samples=256)
    table, sources = cost_table(CONTESTANTS.values(), load)
    lines = table.splitlines()
    assert len(lines) == 2 + len(CONTESTANTS)
    cells = {line.split(" | ")[0].removeprefix("| "): line for line in lines[2:]}
    assert set(cells) == {one.title for one in CONTESTANTS.values()}
    assert "m n d + m n² + n³ = **" in cells["Dense"] and "race it" in cells["Watch lists"]
    once = CONTESTANTS["kernel-ridge"].predict(load)
    assert f" = **{compact(sum((once.build | once.first).values()))}** | n = " in cells["Kernel ridge (NTK)"]
    assert cells["Dense"].endswith("| here |") and cells["SGD, dense"].endswith("| — |")
    cited = [int(number) for number in re.findall(r"\[(\d+)\]", table)]
    assert list(dict.fromkeys(cited)) == list(range(1, len(sources) + 1)), "numbered in the order they are met"
    assert sources[0].startswith("Deng") and "[1] |" in cells["Forest, sketched"]


def test_the_glossary_explains_every_word_of_the_questions_and_every_section(facts):
    keys = {section.key for section in make_sections(facts)} | {"caveats", "costs"}
    terms = load_terms()
    assert len(terms) > 40 and {term.section for term in terms} <= keys
    names = {term.name for term in terms}
    for word in ("leaf", "search", "touched neurons", "amortized cost", "building", "dense method", "skin", "stub"):
        assert word in names
    questions = make_questions(facts)
    assert len(questions) == 5 and all(question.endswith("?") for question, _ in questions)


def test_terms_are_found_by_name_symbol_and_meaning():
    terms = load_terms()
    assert find_terms(terms, "skin")[0].name == "skin"
    assert find_terms(terms, "κ")[0].name == "conditioning"
    assert find_terms(terms, "  LEAF ")[0].name == "leaf"
    assert find_terms(terms, "") == list(terms) and find_terms(terms, "zebra") == []


def test_terms_in_brackets_are_links_to_their_entries():
    assert link_terms("The [[dual step]] of [[leaves|leaf]].") == (
        'The [dual step](#term-dual%20step "what is dual step?") of [leaves](#term-leaf "what is leaf?").'
    )
    with pytest.raises(ValueError, match="'zebra' is no term"):
        link_terms("A [[zebra]].")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[term]]\nname = "a"\nmeans = "b"', r"entry 1 \(a\) of the glossary needs section"),
        ('[[term]]\nmeans = "b"\nsection = "c"', "without a name.* needs name"),
        ('[[term]]\nname = "a"\nmeans = "b"\nsection = "c"\nlink = "d"', "has link; use only means, name"),
        ('[[term]]\nname = "a"\nmeans = "b"\nsection = "c"\n' * 2, "entry 2 .* is there twice"),
    ],
)
def test_a_wrong_entry_is_named(text, words):
    with pytest.raises(ValueError, match=words):
        read_terms(text)


def test_each_phase_says_why_in_a_section_that_there_is(facts):
    keys = {section.key for section in make_sections(facts)}
    assert set(WHY.values()) | {"iteration"} <= keys and set(WHY) <= set(PHASES)
