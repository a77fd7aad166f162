"""The race of a viewer's session: what the page says of it, what is kept of it, and when it ends."""

import gc
import json
import threading
import weakref

import pytest
from app_pages import open_page, press, press_twice, rerun, words
from scripted import CONFIG, PATIENCE, ended, scripted, sphere
from streamlit.runtime.caching import clear_session_resource_cache

from treeviz.pages import budget, races
from treeviz.pages import race as race_page
from treeviz.pages.break_even import _calibration
from treeviz.pages.budget import Budget
from treeviz.pages.races import KeptRace
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.forecast import Measured
from treeviz.race.goals import Goals
from treeviz.race.race import Race
from treeviz.style.palette import compact

TWO = ["forest", "dense"]
SESSION = "test session id"  # of every AppTest


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    """Races of this test alone, which wait for viewers for as long as the test says."""
    monkeypatch.setattr(races, "_GRACE_SECONDS", 60.0)
    forget_all()  # those of other tests in this process
    yield races.RACES
    forget_all()


def forget_all():
    clear_session_resource_cache(SESSION)
    for one in list(races.RACES._kept.values()):
        races.RACES.end_unviewed(one)
        races.RACES._forget(one)


def race_in(app):
    """The race that the page shows."""
    return races.RACES.find(app.session_state.race_key).race


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it does not happen")


@pytest.fixture
def endless(monkeypatch):
    """Two contestants whose steps go on until their race ends."""
    is_told = threading.Event()
    for key in TWO:
        monkeypatch.setitem(CONTESTANTS, key, scripted(key, act=lambda: is_told.wait(0.001)))
    yield
    is_told.set()


def leave():
    """What Streamlit does when the connection to the browser ends; it keeps the session for two minutes."""
    clear_session_resource_cache(SESSION)


def reload(app):
    """What a browser does: another session at the same address."""
    leave()
    again = open_page("race", address=dict(app.query_params), contestants=TWO)
    assert again.session_state.shown == "race"
    return again


def test_of_an_old_race_numbers_are_kept_and_nothing_else(monkeypatch):
    monkeypatch.setattr(races, "_KEPT_SECONDS", 0.05)
    app = press(open_page("race", contestants=TWO), "Start")
    old = weakref.ref(race_in(app))
    assert ended(race_in(app))
    assert re_judged(app).startswith("**To a loss of 10⁻⁶, Forest needed")
    press(app, "Start")
    assert ended(race_in(app))
    app.session_state.shown = "break_even"
    app.session_state["iterations"], app.session_state["compare-all"] = 1, TWO
    shown = words(rerun(app))
    assert "taken from the last race on these data (m = 64)" in shown and "Dots are measured" in shown
    assert dots_of(app) == ["Forest, measured", "Dense, measured"]
    app.session_state["dimension-2"] = 16
    assert "Races had d = 2: choose it to see them as dots." in words(rerun(app)) and not dots_of(app)
    ((_, runs),) = app.session_state["past-races"]
    assert [run.contestant.key for run in runs] == TWO and all(run.num_laps > 1 for run in runs)
    wait_until(lambda: len(races.RACES._kept) == 1)
    gc.collect()  # a page's run may leave circles
    assert old() is None


def test_the_price_of_a_node_is_in_all_operations_that_pages_show():
    app = press(open_page("race", contestants=["forest", "dense-sparse"]), "Start")
    assert ended(race_in(app))
    plain, judged = words(rerun(app)), re_judged(app)
    forest, dense = race_in(app).lanes

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
    """The verdict of the page, drawn again."""
    return next(line for line in words(rerun(app)).splitlines() if line.startswith("**To a loss"))


def test_the_buttons_pause_resume_and_cancel(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    assert press_twice(app, "Pause") and race.is_paused
    assert press_twice(app, "Resume") and not race.is_paused and not race.is_over
    assert press(app, "Cancel") and race.is_cancelled and ended(race)
    assert "**The forest, The dense**: cancelled." in words(app)


# A race and its viewers


@pytest.mark.parametrize("state", ["running", "paused", "over"])
def test_a_reload_shows_the_same_race(endless, state):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    assert race.wait_for_lap(PATIENCE)
    if state != "running":
        press(app, {"paused": "Pause", "over": "Cancel"}[state])
    again = reload(app)
    assert race_in(again) is race and again.query_params["race"] == app.query_params["race"]
    assert race.is_over == (state == "over") and race.is_paused == (state == "paused")
    if state == "over":
        assert "**The forest, The dense**: cancelled." in words(again)
        assert press(again, "Go on") and not race.is_over
    elif state == "paused":
        assert press(again, "Resume") and not race.is_paused
    laps = race.lanes[0].num_laps
    wait_until(lambda: race.lanes[0].num_laps > laps)
    assert press(again, "Cancel") and ended(race)


def test_a_lost_connection_that_comes_back_finds_its_race(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    leave()
    rerun(app)
    assert race_in(app) is race and not race.is_over
    (kept,) = races.RACES._kept.values()
    assert kept.num_viewers == 1 and kept.timer is None


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_race_ends_when_its_viewers_have_left(endless, monkeypatch, is_paused):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    if is_paused:
        press(app, "Pause")
    monkeypatch.setattr(races, "_GRACE_SECONDS", 0.05)
    leave()
    wait_until(lambda: race.is_closed)
    assert race.is_over and ended(race) and not race._runners
    shown = words(rerun(app))
    assert "cancelled, because its page was closed or lost its connection" in shown
    assert "The memory of this race was given back" in shown and "Go on" not in [one.label for one in app.button]


def test_a_race_that_nobody_views_is_gone_in_the_end(endless, monkeypatch):
    monkeypatch.setattr(races, "_KEPT_SECONDS", 0.05)
    app = press(open_page("race", contestants=TWO), "Start")
    race, thread = weakref.ref(race_in(app)), race_in(app)._thread
    press(app, "Pause")
    monkeypatch.setattr(races, "_GRACE_SECONDS", 0.05)
    leave()
    del app
    wait_until(lambda: not races.RACES._kept)
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive() and race() is None
    assert not [one for one in threading.enumerate() if one.name == "treeviz-races" and one.is_alive()]


def test_a_race_has_several_viewers_and_each_can_steer_it(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    (kept,) = races.RACES._kept.values()
    other = races.RACES.enter(kept)  # another session
    leave()
    assert kept.num_viewers == 1 and kept.timer is None
    again = reload(app)
    assert kept.num_viewers == 2
    press(again, "Start")  # a race of its own; the other viewer's goes on
    assert race_in(again) is not race and not race.is_over and kept.num_viewers == 1
    other.leave()
    races.RACES.end_unviewed(kept)
    assert ended(race)


def test_a_new_race_waits_for_no_memory_of_the_one_in_its_place(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    press(app, "Start")
    assert race.is_closed and "another race was started" in race.lanes[0].reason and ended(race)


@pytest.mark.parametrize("text", ["", "nothing", "x" * 5000, "../../etc/passwd", "‮", "inf", "<script>", "0", "[]"])
def test_a_key_that_is_not_kept_is_dropped_with_a_sentence(text):
    app = open_page("race", address={"race": text})
    assert "race" not in app.query_params and "race_key" not in app.session_state
    assert "The race in the address is not kept here" in words(app)
    assert "is not kept here" not in words(rerun(app))


def test_what_is_kept_of_races_that_nobody_views_is_bounded(monkeypatch):
    monkeypatch.setattr(races, "_MAX_KEPT", 3)
    all_races, made = races.Races(), []
    for number in range(5):
        race = Race(sphere(), [scripted(losses=(0.0,))], CONFIG)
        race.run()
        made.append(KeptRace(race, "settings", "data"))
        all_races.add(made[-1])
        view = all_races.enter(made[-1])
        assert all_races.find(made[-1].key) is made[-1] and made[-1].timer is None
        view.leave()
        all_races.end_unviewed(made[-1])
        assert len(all_races._kept) == min(number + 1, 3)
    assert [all_races.find(one.key) for one in made] == [None, None, *made[2:]]
    assert len({one.key for one in made}) == 5 and all(len(one.key) == 16 for one in made)
    monkeypatch.setattr(races, "_MAX_KEPT_BYTES", 2 * made[4].race.record_bytes)
    all_races.end_unviewed(made[2])  # it is the last one now
    assert [all_races.find(one.key) for one in made] == [None, None, made[2], None, made[4]]
    for one in made:
        all_races._forget(one)
    assert all(one.timer is None for one in made[2:])


def test_a_race_is_extended_by_its_buttons(monkeypatch):
    losses = (1.0, 1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13)
    monkeypatch.setitem(CONTESTANTS, "forest", scripted("forest", losses=losses))
    monkeypatch.setitem(CONTESTANTS, "dense", scripted("dense", losses=losses, stop_reasons={5: "solved"}))
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    assert ended(race) and "To a loss of 10⁻⁶" not in words(rerun(app)), "no rival has a kind"
    first = "The forest was the first to reach a loss of 10⁻⁶, after 3 iterations"
    assert first in words(app) and "Go on" not in words(app)
    assert button(app, "Extend the race").disabled
    app.select_slider(key="until-loss").set_value(1e-12)
    rerun(app)
    press(app, "Extend the race")
    assert ended(race)
    shown = words(rerun(app))
    assert (
        "The forest was the first to reach a loss of 10⁻¹², after 6 iterations, and the only one of those that iterate."
        in shown
    )
    assert "**The dense**: solved." in shown and first not in shown
    assert app.select_slider(key="table-loss").value == 1e-12


def test_a_race_that_was_too_short_is_offered_more_time(monkeypatch):
    is_told = threading.Event()
    for key in TWO:
        monkeypatch.setitem(CONTESTANTS, key, scripted(key, act=lambda: is_told.wait(0.001), kind="dense"))
    app = open_page("race", contestants=TWO)
    monkeypatch.setattr(race_page, "_TIME_LIMITS", (0.05, 0.2, 30))
    rerun(app)
    app.select_slider(key="limit").set_value(0.05)
    press(rerun(app), "Start")
    race = race_in(app)
    assert ended(race)
    assert "**The forest** and **The dense** have not finished, and can go on" in words(rerun(app))
    press(app, "Go on to 0.2 seconds")
    assert ended(race) and 0.2 <= race.seconds_spent < 0.4
    press(rerun(app), "Go on to 30 seconds")
    press(app, "Cancel")
    assert ended(race) and "Go on" in {one.label for one in app.button}, "time is left"
    race.goals = Goals(1e-6, 100_000, race.seconds_spent + 1e-9)
    race._seconds["forest"] += 30.0
    assert "A page lets a race go on no longer than this." in words(rerun(app))


def test_the_verdict_is_of_all_that_was_done(endless, monkeypatch):
    monkeypatch.setattr(race_page, "judge", lambda race, *_: f"{race.lanes[0].num_laps} iterations were judged")
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    for label in ("Cancel", "Cancel"):
        laps = race.lanes[0].num_laps
        wait_until(lambda laps=laps: race.lanes[0].num_laps > laps)
        press(app, label)
        assert f"**{race.lanes[0].num_laps} iterations were judged" in words(app)
        assert ended(race) and press(app, "Go on")
    press(app, "Cancel")


def test_a_race_whose_memory_another_run_needs_says_that_it_cannot_go_on(monkeypatch, endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    race.wait_for_lap(PATIENCE)
    assert budget.MEMORY.used
    monkeypatch.setattr(budget.MEMORY, "limit", budget.MEMORY.used + 1)
    waiting = budget.MEMORY.ask(2)
    assert waiting.place == 1, "the race is on"
    race.cancel()
    budget.MEMORY.wait(waiting, 0.0)
    wait_until(lambda: not waiting.place)
    waiting.give_back()
    assert race.is_closed and "given back, so it cannot go on: start a new one" in words(rerun(app))
    assert button(app, "Extend the race").disabled


def test_a_race_that_is_closed_before_a_click_says_why_it_does_not_go_on(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    press(app, "Cancel")
    assert ended(race)
    race.close()  # the page does not know it yet
    press(app, "Go on")
    assert "The race cannot be extended: its networks were let go of; start a new race." in app.toast[0].value
    assert race.is_over and "given back, so it cannot go on: start a new one" in words(app)


def test_without_data_the_race_is_there_all_the_same(endless):
    app = press(open_page("race", contestants=TWO), "Start")
    race = race_in(app)
    app.selectbox(key="data").set_value("your own CSV")  # as it is when a page with an uploaded file is reloaded
    rerun(app)
    assert {"Pause", "Cancel"} <= {one.label for one in app.button} and "Start" not in {one.label for one in app.button}
    assert press(app, "Cancel") and race.is_over


def button(app, label):
    return next(one for one in app.button if one.label == label)


def test_an_error_of_the_race_is_shown_with_the_reason(monkeypatch):
    def leave_python():
        raise SystemExit("no way on")

    monkeypatch.setitem(CONTESTANTS, "forest", scripted("forest", act=leave_python))
    app = press(open_page("race", contestants=TWO), "Start")
    assert ended(race_in(app))
    assert "an error ended the race: SystemExit: no way on." in words(rerun(app))


def test_a_race_waits_for_no_memory_of_its_own_session(monkeypatch):
    """The run on the stage and the race do not fit together: the run makes room, and the race its share when over."""
    app = open_page("train")
    memory = Budget(budget.MEMORY.used + 100)
    needed = sum(CONTESTANTS[key].required_bytes(64, 8, 2) for key in TWO)
    monkeypatch.setattr(memory, "limit", needed + 1)
    monkeypatch.setattr(budget, "MEMORY", memory)
    app.session_state.shown = "race"
    app.session_state["contestants"] = TWO
    press(rerun(app), "Start")
    assert "run_held" not in app.session_state
    assert ended(race_in(app))
    assert memory.used == needed, "it could be extended"
    share = memory.ask(needed)  # another viewer's
    wait_until(lambda: not share.place)
    share.give_back()
    assert memory.used == 0 and not memory._waiting
