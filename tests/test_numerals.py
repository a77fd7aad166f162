"""How numbers and counted things are written: in Python as in the browser, and with words that agree with them."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import NUMERAL, read_numeral

from treeviz import Dataset, TrainConfig
from treeviz.model.numerals import agree, count, count_firing, decimals, numeral
from treeviz.stage.frames import FrameMaker
from treeviz.stage.view import View
from treeviz.style import sentences
from treeviz.style.palette import compact, percent
from treeviz.training.background import BackgroundRun

FORMATS = json.loads((Path(__file__).parent / "number_formats.json").read_text(encoding="utf-8"))
WRITERS = {"decimals": decimals, "compact": compact, "percent": percent, "numeral": numeral, "count": count}
PACKAGE = Path(__file__).parent.parent / "treeviz"

NOUNS = "neuron|node|datapoint|leaf|leave|tree|list|step|iteration|operation|pair|block|row|number|ancestor|product"
NOUNS += "|addition|dimension|loss"
# A count before a noun, perhaps with an adjective between them; no digit, point or dash belongs to the count.
COUNTED = re.compile(rf"(?<![\d.,·−/])(\d(?:[\d,]*\d)?) (?:[a-z-]+ing |inner |modified |non-zero )?({NOUNS})(s?)\b")
ONE_ACTS = re.compile(r"(?<![\d.,·−/])1 neuron (?:of [\d,]+ )?(?:that )?(fire|move|are|have|were)\b")


@pytest.mark.parametrize("name", FORMATS)
def test_numbers_are_written_as_in_the_browser(name):
    """The same table is read by tests/js/numbers.test.js."""
    for *given_, text in FORMATS[name]:
        assert WRITERS[name](*given_) == text
    if name == "compact":
        assert max(len(text) for _, text in FORMATS[name]) <= 4


@given(st.floats(-1e307, 1e307), st.integers(1, 9))
def test_a_numeral_keeps_its_digits_and_has_no_leading_zero(number, digits):
    text = numeral(number, digits)
    assert text == "0" or re.fullmatch(NUMERAL, text)
    assert not re.search(r"e|\+|⁻?⁰\d", text)
    smallest = math.ldexp(1.0, -1074)  # below the normal numbers there are fewer digits
    assert read_numeral(text) == pytest.approx(number, rel=0.5000001 * 10 ** (1 - digits), abs=smallest)
    assert len(
        re.sub(r"·?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+$", "", text).replace("0.", "").lstrip("−0").replace(",", "").replace(".", "")
    ) <= max(6, digits)


def test_what_is_no_finite_number_is_said_so():
    assert [numeral(number, 3) for number in (math.inf, -math.inf, math.nan, -0.0)] == ["∞", "−∞", "no number", "0"]


@given(st.integers(0, 10**9), st.sampled_from(["neuron", "firing neuron", "leaf"]))
def test_of_one_thing_alone_is_there_a_singular(quantity, noun):
    number, _, word = count(quantity, noun).partition(" ")
    assert int(number.replace(",", "")) == quantity
    assert (word == noun) == (quantity == 1)
    assert agree(quantity, "has", "have") == ("has" if quantity == 1 else "have")
    assert count_firing(quantity).endswith("neuron fires" if quantity == 1 else "neurons fire")


def misfits(text):
    """Return the counts in a text whose words do not agree with them."""
    wrong = [found[0] for found in COUNTED.finditer(text) if (found[1] == "1") == bool(found[3])]
    return wrong + [found[0] for found in ONE_ACTS.finditer(text)]


def test_words_that_do_not_agree_are_found():
    for text in ("1 neurons fire", "1 of 1 nodes", "2 neuron", "0 modified node", "Some 1 neuron fire", "1 leaves"):
        assert misfits(text)
    for text in ("1 neuron fires", "0 nodes", "of 21 nodes", "1,201 leaves", "2.1 leaf", "neuron 1 fires", "1 neuron"):
        assert not misfits(text)


def strings(value):
    """Yield all sentences in nested lists and dictionaries."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


@pytest.mark.parametrize("search", ["forest", "watch", "dense"])
@pytest.mark.parametrize("solver", ["exact", "sketch"])
@pytest.mark.parametrize("num_points", [1, 2, 3])
def test_all_sentences_of_the_smallest_runs_agree_with_their_counts(search, solver, num_points):
    """With 1, 2 and 3 neurons and datapoints, at thresholds where none, some or all fire, counts become 0, 1 and 2."""
    angles = np.linspace(0.3, 2.0, num_points)
    data = Dataset(np.stack([np.cos(angles), np.sin(angles)], axis=1), [1.0, -1.0, 1.0][:num_points])
    said = set()
    for width in (1, 2, 3):
        for threshold in (0.0, 0.4, 9.0):
            config = TrainConfig(width=width, threshold=threshold, search=search, solver=solver, seed=width)
            run = BackgroundRun(data, config)
            assert run.wait_for(0, timeout=60)
            maker = FrameMaker(run, "small")
            record = run.trace.records[0]
            for pinned in (None, 0):
                said.update(strings(json.loads(maker.frame(View(pinned=pinned), min(1, run.num_computed - 1)))))
            said.add(sentences.describe_cost(run.trace, record))
            said.add(sentences.describe_sparsity(width, threshold))
            said.add(maker.badge(0)["text"])
            if record.watch is not None:
                said.add(sentences.describe_watching(run.trace, record, record.watch))
    assert len(said) > 20
    assert {text: misfits(text) for text in said if misfits(text)} == {}


# A plural straight after a number that is put in: `count` and `things` would have chosen the word.
WORDS = "neurons|nodes|datapoints|leaves|trees|lists|steps|iterations|operations|pairs|papers"
PLURAL = re.compile(rf"\}}\*{{0,2}} (?:{WORDS})\b")
NEVER_ONE = ("compact(", "%{{y:", "**n = ")  # shortened, such as 12k; where a chart has no ones; a formula


def test_no_plural_is_written_by_hand():
    rooms = ("stage", "style", "race", "related", "lesson", "pages")
    files = [path for room in rooms for path in (PACKAGE / room).rglob("*") if path.suffix in (".py", ".js")]
    assert len(files) > 60
    lines = [(path.name, line.strip()) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    said = [(name, line) for name, line in lines if PLURAL.search(line) and not line.startswith(("*", "/*"))]
    assert [(name, line) for name, line in said if not any(known in line for known in NEVER_ONE)] == []
