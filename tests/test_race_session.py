"""The race of a viewer's session: what the page says of it, what is kept of it, and when it ends."""

import gc
import json
import threading
import weakref

import pytest
from app_pages import open_page, press, rerun, words
from scripted import CONFIG, PATIENCE, ended, scripted, sphere
from streamlit.runtime.caching import clear_session_resource_cache

from treeviz.pages import budget, runs
from treeviz.pages.break_even import _calibration
from treeviz.pages.budget import Budget
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.forecast import Measured
from treeviz.style.palette import compact

TWO = ["forest", "dense"]
SESSION = "test session id"  # of every AppTest


@pytest.fixture(autouse=True)
def no_session():
    yield
    clear_session_resource_cache(SESSION)


@pytest.fixture
def endless(monkeypatch):
    """Two contestants whose steps go on until their race ends."""
    is_told = threading.Event()
    for key in TWO:
        monkeypatch.setitem(CONTESTANTS, key, scripted(key, act=lambda: is_told.wait(0.001)))
    yield
    is_told.set()


def leave(app):
    """What Streamlit does when the connection to the browser ends."""
    assert not app.session_state.race.is_over
    clear_session_resource_cache(SESSION)


def test_of_an_old_race_numbers_are_kept_and_nothing_else():
    app = press(open_page("race", contestants=TWO), "Start")
    old = weakref.ref(app.session_state.race)
    assert ended(app.session_state.race)
    assert re_judged(app).startswith("**To a loss of 1e-06, Forest needed")
    press(app, "Start")
    assert ended(app.session_state.race) and "verdict" not in app.session_state
    app.session_state.shown = "break_even"
    app.session_state["iterations"], app.session_state["compare-all"] = 1, TWO
    shown = words(rerun(app))
    assert "taken from the last race on these data (m = 64)" in shown and "Dots are measured" in shown
    assert dots_of(app) == ["Forest, measured", "Dense, measured"]
    app.session_state["dimension-2"] = 16
    assert "Races had d = 2: choose it to see them as dots." in words(rerun(app)) and not dots_of(app)
    ((_, runs),) = app.session_state["past-races"]
    assert [run.contestant.key for run in runs] == TWO and all(run.num_laps > 1 for run in runs)
    gc.collect()  # a page's run may leave circles
    assert old() is None


def test_the_price_of_a_node_is_in_all_operations_that_pages_show():
    app = press(open_page("race", contestants=["forest", "dense-sparse"]), "Start")
    assert ended(app.session_state.race)
    plain, judged = words(rerun(app)), re_judged(app)
    forest, dense = app.session_state.race.lanes

    def rows(text):
        found = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("| ✓")]
        return {cells[1]: cells[3] for cells in found}

    app.session_state["node-price"] = "10"
    dear, dearly_judged = words(rerun(app)), re_judged(app)
    assert "counts as 10 operations here" in dear and "counts as 10 operations here" not in plain
    lap = forest.lap_reaching(1e-6)
    operations, nodes = forest.column("operations")[lap], forest.column("nodes")[lap]
    assert 0 < nodes < operations
    assert rows(plain)["✓ Forest"] == compact(operations)
    assert rows(dear)["✓ Forest"] == compact(operations + 9 * nodes)
    assert rows(dear)["✓ Dense, sparse rest"] == rows(plain)["✓ Dense, sparse rest"] != "–"
    rival = dense.column("operations")[dense.lap_reaching(1e-6)]
    for words_of, own in ((judged, operations), (dearly_judged, operations + 9 * nodes)):
        factor = max(rival / own, own / rival)
        assert f"needed {factor:,.1f} times {'fewer' if own < rival else 'more'} operations" in words_of
    app.session_state.shown = "break_even"
    app.session_state["iterations"] = 1
    points = {}
    for price in ("1", "10"):
        app.session_state["node-price"] = price
        assert ("counts as 10 operations here" in words(rerun(app))) == (price == "10")
        traces = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
        points[price] = next(trace["y"] for trace in traces if trace["name"] == "Forest, measured")
    first, its_nodes = (lane_total(forest, name) for name in ("operations", "nodes"))
    assert points == {"1": [first], "10": [first + 9 * its_nodes]}


def lane_total(lane, name):
    """Of building and the first iteration."""
    return getattr(lane, f"build_{name}") + lane.column(f"lap_{name}")[0]


def dots_of(app):
    """Names of the measured dots in the chart of expected operations."""
    traces = json.loads(app.get("plotly_chart")[0].proto.spec)["data"]
    return sorted({trace["name"] for trace in traces if trace["mode"] == "markers"}, reverse=True)


def test_a_curve_takes_its_sizes_from_its_own_run_before_a_newer_one_of_its_family():
    def measured(key, touched):
        sizes = {"num_touched": touched, "num_firing": touched, "num_pairs": 60, "num_overlaps": 150}
        return Measured(CONTESTANTS[key], CONFIG, 5, {**sizes, "cg_iterations": 0}, {}, {})

    runs, data = [measured("dense", 10), measured("forest", 40), measured("sgd-dense", 90)], sphere()
    touched = {
        key: _calibration(CONTESTANTS[key], runs, data).touched for key in ("forest", "compact", "descent-dense")
    }
    assert touched["forest"] == pytest.approx(4 * touched["compact"]) and touched["descent-dense"] == 1.0


def re_judged(app):
    """The verdict of the page, drawn anew."""
    return next(line for line in words(rerun(app)).splitlines() if line.startswith("**To a loss"))


def test_the_buttons_pause_resume_and_cancel(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = app.session_state.race
    assert press(app, "Pause") and race.is_paused
    assert press(app, "Resume") and not race.is_paused and not race.is_over
    assert press(app, "Cancel") and race.is_cancelled and ended(race)
    assert "**The forest, The dense**: cancelled." in words(app)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_race_ends_when_the_browser_leaves(endless, is_paused):
    app = press(open_page("race", contestants=TWO), "Start")
    race = app.session_state.race
    if is_paused:
        press(app, "Pause")
    leave(app)
    assert race.is_over and ended(race) and not race._runners
    assert "cancelled, because the page was closed or lost its connection" in words(rerun(app))


def test_a_session_that_is_gone_leaves_no_race(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race, thread = weakref.ref(app.session_state.race), app.session_state.race._thread
    press(app, "Pause")
    leave(app)
    del app
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive() and race() is None


def test_an_error_of_the_race_is_shown_with_the_reason(monkeypatch):
    def leave_python():
        raise SystemExit("no way on")

    monkeypatch.setitem(CONTESTANTS, "forest", scripted("forest", act=leave_python))
    app = press(open_page("race", contestants=TWO), "Start")
    assert ended(app.session_state.race)
    assert "an error ended the race: SystemExit: no way on." in words(rerun(app))


def test_a_race_waits_for_no_memory_of_its_own_session(monkeypatch):
    """The run on the stage and the race do not fit together: the run makes room, and the race its share when over."""
    app = open_page("train")
    memory = Budget(budget.MEMORY.used + 100)
    needed = sum(CONTESTANTS[key].required_bytes(64, 8, 2) for key in TWO)
    monkeypatch.setattr(memory, "limit", needed + 1)
    for module in (budget, runs):
        monkeypatch.setattr(module, "MEMORY", memory)
    app.session_state.shown = "race"
    app.session_state["contestants"] = TWO
    press(rerun(app), "Start")
    assert "run_held" not in app.session_state
    assert ended(app.session_state.race)
    for _ in range(500):
        if not memory.used:
            break
        threading.Event().wait(0.01)
    assert memory.used == 0 and not memory._waiting
