"""An address holds a moment: what is written reads back the same, what is damaged becomes the nearest there is."""

import dataclasses
import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from node import ARGUMENTS

from treeviz import TrainConfig, load_dataset
from treeviz.model.phases import PHASES
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import ADDRESS, NAMES, Moment, read_moment, wanted_iteration
from treeviz.stage.view import DEFAULT_DETAIL, DETAILS, View
from treeviz.training.background import MAX_ITERATIONS, BackgroundRun

WIDTH, POINTS, COMPUTED = 3000, 9, 3


@pytest.fixture(scope="module", params=["exact", "sketch"])
def maker(request):
    data = load_dataset("digits", num_points=POINTS)
    run = BackgroundRun(data, TrainConfig(width=WIDTH, solver=request.param), is_checked=False)
    assert run.wait_for(COMPUTED - 1, timeout=60)
    # The run goes on; the moments here are those of its first iterations.
    records = run.trace.records[:COMPUTED]
    still = dataclasses.replace(run.trace, records=records)
    run.trace, run._has_work = still, lambda: False
    assert run.num_computed == COMPUTED
    return FrameMaker(run, "key")


def addresses_of(moments, maker, node):
    """Write moments to addresses by the script of the stage."""
    given = json.dumps({"header": maker.header(), "moments": [moment.describe() for moment in moments]})
    command = [node, *ARGUMENTS, str(Path(__file__).parent / "js" / "write_addresses.js")]
    return json.loads(subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout)


def random_moment(maker, rng):
    def maybe(low, high):
        return int(rng.integers(low, high)) if rng.integers(2) else None

    node, pinned = maybe(1, 2 * WIDTH), maybe(0, COMPUTED)
    opened = tuple(dict.fromkeys(rng.integers(1, 2 * WIDTH, rng.integers(4)).tolist()))
    view = View(int(rng.integers(POINTS)), int(rng.choice(DETAILS)), opened, pinned)
    iteration = int(rng.integers(COMPUTED))
    if node is not None and node not in maker.drawn_nodes(view, iteration):
        view = dataclasses.replace(view, opened=(*opened, node))
    phase = step = 0
    if pinned is None:
        phase = int(rng.integers(len(maker.phases)))
        step = int(rng.integers(maker.num_steps(view, iteration, maker.phases[phase])))
    return Moment(view, iteration, phase, step, node)


def test_a_moment_written_to_an_address_reads_back_the_same(maker, node):
    rng = np.random.default_rng(0)
    moments = [random_moment(maker, rng) for _ in range(30)]
    # What a damaged address becomes is written and read without a further word.
    damaged = {"tree": "99", "it": "x", "phase": "dance", "step": "-1", "node": "0", "nodes": "100", "open": "1,x"}
    moments += [read_moment(query, maker)[0] for query in ({}, damaged, {"pin": "9", "node": "6000"})]
    addresses = addresses_of(moments, maker, node)
    assert set().union(*addresses) == set(ADDRESS.values())
    assert [read_moment(address, maker) for address in addresses] == [(moment, ()) for moment in moments]
    assert addresses[30] == {"tree": "0", "it": "0", "phase": "search"}


def test_an_empty_address_is_the_beginning(maker):
    assert read_moment({}, maker) == (Moment(), ())
    assert read_moment({"data": "digits", "width": "3000"}, maker) == (Moment(), ())
    described = Moment().describe()
    assert described == {
        "tree": 0,
        "detail": DEFAULT_DETAIL,
        "opened": (),
        "pinned": None,
        "iteration": 0,
        "phase": 0,
        "step": 0,
        "node": None,
        "address": ADDRESS,
    }


def nearest(text, low, high):
    """Return the number a text stands for, and the nearest in range; None if it stands for none."""
    if not re.fullmatch(r"\s*-?[0-9]+\s*", text):
        return None
    number = Decimal(text)  # int() refuses thousands of digits
    return number, min(max(number, low), high)


def check_state(moment, maker):
    """A moment is one that the stage can show."""
    view = moment.view
    assert 0 <= view.tree < POINTS and view.detail in DETAILS and 0 <= moment.iteration < COMPUTED
    assert view.pinned is None or 0 <= view.pinned < COMPUTED
    names = maker.phases
    assert 0 <= moment.phase < len(names)
    if view.pinned is None:
        assert 0 <= moment.step < maker.num_steps(view, moment.iteration, names[moment.phase])
    else:
        assert moment.phase == moment.step == 0
    assert moment.node is None or moment.node in maker.drawn_nodes(view, moment.iteration)


LIKELY = st.integers(-5, 200).map(str) | st.integers().map(str) | st.integers(0, 2 * WIDTH).map(str)
STRANGE = (
    st.text()
    | st.floats().map(str)
    | st.sampled_from(["", "-", "--1", "1e3", "٣", "0x10", " 7 ", "-0", "007", "9" * 5000])
)
PHASE_NAMES = st.sampled_from(list(PHASES))


@given(st.dictionaries(st.sampled_from(NAMES), LIKELY | STRANGE | PHASE_NAMES))
def test_a_damaged_address_gives_the_nearest_moment_and_a_sentence_for_each_change(maker, address):
    moment, notices = read_moment(address, maker)
    check_state(moment, maker)
    view, changed = moment.view, 0
    for name, got, low, high, default in (
        ("tree", view.tree, 0, POINTS - 1, 0),
        ("it", moment.iteration, 0, COMPUTED - 1, 0),
        ("pin", view.pinned, 0, COMPUTED - 1, 0),
        ("node", moment.node, 1, 2 * WIDTH - 1, 1),
    ):
        if name not in address:
            assert got == (None if name in ("pin", "node") else default)
            continue
        found = nearest(address[name], low, high)
        assert got == (found[1] if found else default)
        changed += not found or found[0] != got
    if "open" in address:
        pieces = [nearest(piece, 1, 2 * WIDTH - 1) for piece in address["open"].split(",")]
        wanted = [int(found[0]) for found in pieces if found and found[0] == found[1]]
        assert set(view.opened) - {moment.node} <= set(wanted)
        changed += len(wanted) < len(pieces)
    if "nodes" in address:
        found = nearest(address["nodes"], -(10**9), 10**9)
        expected = min(DETAILS, key=lambda offered: abs(offered - found[1])) if found else DEFAULT_DETAIL
        assert view.detail == expected
        changed += not found or found[0] != expected
    names = maker.phases
    if view.pinned is not None:
        changed += ("phase" in address) + ("step" in address)
    else:
        phase = address.get("phase", names[0])
        assert names[moment.phase] == (phase if phase in names else names[0])
        changed += phase not in names
        if "step" in address:
            last = maker.num_steps(view, moment.iteration, names[moment.phase]) - 1
            found = nearest(address["step"], 0, last)
            assert moment.step == (found[1] if found else 0)
            changed += not found or found[0] != moment.step
    assert len(notices) == changed
    assert all(notice[0].isupper() or notice[0] == "“" for notice in notices)
    assert all(notice.endswith(".") and len(notice) < 160 for notice in notices)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"tree": "99"}, "There is no tree 99 here; 8 is shown, the nearest there is."),
        ({"it": "-3"}, "There is no iteration -3 here; 0 is shown, the nearest there is."),
        ({"it": "x"}, "“it=x” in the address is no whole number; iteration 0 is shown."),
        ({"nodes": "100"}, "There is no level of detail 100 here; 127 is shown, the nearest there is."),
        ({"phase": "sleep"}, "An iteration here has no phase “sleep”; search is shown."),
        ({"step": "9999"}, None),
        ({"node": "6000"}, "There is no node 6000 here; 5999 is shown, the nearest there is."),
        ({"node": "1" * 40}, f"There is no node {'1' * 23}… here; 5999 is shown, the nearest there is."),
        (
            {"pin": "1", "phase": "move"},
            "A comparison with a pinned iteration has no phase; “phase=move” was left out.",
        ),
    ],
)
def test_the_sentences_say_what_was_asked_and_what_is_shown(maker, address, sentence):
    moment, notices = read_moment(address, maker)
    check_state(moment, maker)
    steps = maker.num_steps(View(), 0, "search")
    expected = f"There is no step of the phase search 9999 here; {steps - 1} is shown, the nearest there is."
    assert notices == (sentence or expected,)


@pytest.mark.parametrize(
    ("query", "iteration"),
    [
        ({}, 0),
        ({"it": "7"}, 7),
        ({"it": "7", "pin": "12"}, 12),
        ({"it": "7", "pin": "x"}, 7),
        ({"it": "-7"}, 0),
        ({"it": "100"}, MAX_ITERATIONS - 1),
        ({"pin": "9" * 5000}, MAX_ITERATIONS - 1),
        ({"it": "", "pin": "²"}, 0),
        ({"tree": "50"}, 0),
    ],
)
def test_the_latest_iteration_an_address_needs(query, iteration):
    assert wanted_iteration(query) == iteration


@given(st.dictionaries(st.sampled_from(NAMES), LIKELY | STRANGE))
def test_no_address_wants_more_than_a_run_has(query):
    assert 0 <= wanted_iteration(query) < MAX_ITERATIONS


def test_a_node_named_by_the_address_is_drawn_wherever_it_lies(maker):
    rng = np.random.default_rng(0)
    drawn = 0
    for node in rng.integers(1, 2 * WIDTH, 40).tolist():
        for detail in DETAILS[:2]:
            moment, notices = read_moment({"tree": "4", "it": "1", "node": str(node), "nodes": str(detail)}, maker)
            assert notices == () and moment.node == node
            assert node in maker.drawn_nodes(moment.view, 1)
            drawn += moment.view.opened == ()
    assert 0 < drawn < 80  # some had to be opened


def test_a_pinned_iteration_may_be_the_later_one(maker):
    moment, notices = read_moment({"it": "0", "pin": "2", "node": str(WIDTH + 5)}, maker)
    assert notices == () and moment == Moment(View(0, DEFAULT_DETAIL, (WIDTH + 5,), 2), 0, 0, 0, WIDTH + 5)


@pytest.mark.parametrize("digit", ["0" * 100_000 + "x", "-" * 50_000, "0" * 4000 + "2"])
def test_long_texts_are_read_quickly(maker, digit):
    moment, _ = read_moment({"tree": digit}, maker)
    assert moment.view.tree == (2 if digit.endswith("2") else 0)


def test_an_address_may_ask_for_the_last_step_of_a_phase(maker):
    moment, notices = read_moment({"phase": "repair", "step": "last"}, maker)
    assert moment.step == maker.num_steps(moment.view, 0, "repair") - 1 > 0 and notices == ()
