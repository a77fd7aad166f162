"""The lesson: every number it gives of a run is recomputed here from the weights, and every way it shows exists."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from oracles import dense_scan

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson.facts import Facts, required_width_exponent
from treeviz.lesson.glossary import find_terms, load_terms, read_terms
from treeviz.lesson.text import QUESTIONS, _tex, caveats, sections
from treeviz.model.network import initial_weights
from treeviz.pages.entry import _PAGES
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_table import cost_table
from treeviz.race.forecast import expected_workload
from treeviz.stage.script import phases
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
    angles = np.degrees(np.arccos(np.abs((X @ X.T)[~np.eye(7, dtype=bool)])))
    assert facts.smallest_angle == pytest.approx(angles.min())
    assert facts.probability == pytest.approx(0.5 * math.erfc(b / math.sqrt(2)))


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
    for section in sections(facts):
        assert "nan" not in f"{section.text}{section.says}{section.formula}{section.here}"
        assert section.chart(facts).data
    assert all("nan" not in caveat.text for caveat in caveats(facts))


# Sections


def test_sections_carry_the_numbers_of_the_run(facts):
    by_key = {section.key: section for section in sections(facts)}
    record = facts.trace.records[0]
    assert len(by_key) == len(sections(facts)) == 9
    trees = " ".join(by_key["trees"].here)
    assert _tex(int(record.num_visited[0])) in trees and _tex(999) in trees
    amortized = " ".join(by_key["amortized"].here)
    assert _tex(facts.trace.amortized()[-1]) in amortized and _tex(facts.trace.amortized(of="dense")[-1]) in amortized
    assert f"{500 - facts.num_touched[0]:,} neurons never move" in by_key["moving"].says
    counted = re.search(r"After (\d+) iterations the forest has cost ([\d.]+) times", by_key["amortized"].says)
    assert int(counted[1]) == 4


def test_no_formula_is_too_wide_for_a_phone(facts):
    """At 390 pixels some 45 letters fit in a line; commands of LaTeX are not letters."""
    for section in sections(facts):
        for line in (*section.formula, *section.here):
            shown = re.sub(r"\\[a-zA-Z]+|[{}\\^_]", "", line)
            assert len(shown) <= 48, (section.key, shown)


def test_every_way_leads_somewhere(facts):
    paths = {path for _, path, _ in _PAGES}
    ways = [section.way for section in sections(facts)] + [caveat.way for caveat in caveats(facts)]
    assert len(caveats(facts)) == 8
    for way in ways:
        assert way.page in paths
        if way.page:
            assert not way.moment
            assert set(way.settings.get("contestants", ())) <= set(CONTESTANTS)
            continue
        search = {"forest": "forest", "watch lists": "watch"}[way.settings["search"]]
        config = TrainConfig(width=64, search=search, solver=way.settings["solver"])
        assert way.moment["phase"] in phases(config), way.label


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (65536, "65{,}536"),
        (0.5, "0.5"),
        (4576.4, "4{,}576"),
        (2.1e8, r"2.10\times10^{8}"),
        (1e-7, r"1.00\times10^{-7}"),
        (0.0, "0"),
        (math.inf, r"\infty"),
    ],
)
def test_numbers_in_formulas(number, written):
    assert _tex(number) == written


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
    keys = {section.key for section in sections(facts)} | {"caveats", "costs"}
    terms = load_terms()
    assert len(terms) > 40 and {term.section for term in terms} <= keys
    names = {term.name for term in terms}
    for word in ("leaf", "search", "touched neurons", "amortized cost", "building", "dense method", "skin", "stub"):
        assert word in names
    assert len(QUESTIONS) == 5 and all(question.endswith("?") for question, _ in QUESTIONS)


def test_terms_are_found_by_name_symbol_and_meaning():
    terms = load_terms()
    assert find_terms(terms, "skin")[0].name == "skin"
    assert find_terms(terms, "κ")[0].name == "conditioning"
    assert find_terms(terms, "  LEAF ")[0].name == "leaf"
    assert find_terms(terms, "") == list(terms) and find_terms(terms, "zebra") == []


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
