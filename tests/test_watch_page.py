"""Watch lists in a real browser: chosen in the sidebar, played on the stage, explained where they stand."""

import re

import pytest
from accessibility import serious_findings, show_as
from playwright.sync_api import expect

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.stage.pictures.detail import draw_tree
from treeviz.stage.pictures.watched import watch_list
from treeviz.stage.script import write_script
from treeviz.style.sentences import describe_watching

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
CIRCLE = "data=circle&width=64"
SKIN = 3.0  # after the first moves of this run some neurons are beyond it, and others are not
LISTS = f"{CIRCLE}&search=watch+lists&rule=false&skin={SKIN}"


def run_of(skin):
    config = TrainConfig(width=64, search="watch", solver="exact", skin=skin)
    return Trainer(load_dataset("circle"), config).run(6, until_loss=0.0)


@pytest.fixture(scope="module")
def run():
    trace = run_of(SKIN)
    num_promoted = [record.watch.promoted.size for record in trace.records]
    assert num_promoted[0] and sum(num_promoted) < trace.moving_neurons.size
    return trace


def sidebar(stage):
    return stage.page.get_by_test_id("stSidebar")


def step_to(stage, trace, iteration, phase, line):
    """Go to the first step of a phase that executes a line beginning like this; return the drawn tree and the step."""
    record, step = trace.records[iteration], trace.replay(0, iteration)
    drawn, listed = draw_tree(step, 127), watch_list(trace, 0, iteration)
    steps = write_script(trace, record, drawn, listed)[phase]
    place = next(place for place, small in enumerate(steps) if small.text.find(line) >= 0)
    number = 1 if phase == "search" else 6
    stage.press(str(number), *["ArrowRight"] * place)
    stage.wait_for(iteration, number, place + 1)
    return drawn, steps[place]


@pytest.mark.slow
def test_watch_lists_are_chosen_and_played(stage):
    stage.open(CIRCLE)
    own = ("watching", "lists-card", "skin-key")
    assert not any(stage.part(name).is_visible() for name in own)
    stage.page.get_by_role("radio", name="watch lists").click()
    stage.part("watching").filter(has_text="pairs are watched").wait_for()
    trace = run_of(None)
    for iteration in range(3):
        stage.wait_for(iteration)
        record = trace.records[iteration]
        expected = describe_watching(trace, record, record.watch)
        stage.part("watching").filter(has_text=expected).wait_for()
        stage.part("badge").filter(has_text="✓ Exact").filter(has_text="computed again from the weights").wait_for()
        stage.click("next iteration")
    assert stage.page.get_by_test_id("stException").count() == 0
    assert stage.part("notices").inner_text() == ""
    stage.rest()
    assert stage.address()["search"] == "watch lists"
    stage.page.get_by_role("radio", name="forest").click()
    stage.part("summary").filter(has_text="the search reads").wait_for()
    assert not any(stage.part(name).is_visible() for name in own)
    assert "firing neuron: leaf ≥ b" in stage.part("tree-key").inner_text()


@pytest.mark.slow
def test_a_skin_is_given_and_a_bad_one_is_refused_in_words(stage):
    stage.open(f"{CIRCLE}&search=watch+lists")
    sidebar(stage).get_by_text("Skin by rule").click()
    field = sidebar(stage).get_by_role("spinbutton", name="Skin")
    stage.part("watching").filter(has_text="the skin, 0.5").wait_for()  # of the run that the switch began
    field.fill("0.25")
    stage.press("Enter")
    stage.part("watching").filter(has_text="the skin, 0.25").wait_for()
    field.fill("-1")
    stage.press("Enter")
    sidebar(stage).get_by_text("Please enter a value between 0").wait_for()
    assert stage.page.get_by_test_id("stException").count() == 0


@pytest.mark.slow
def test_a_damaged_skin_in_a_link_is_said_to_be_one(stage):
    stage.open(f"{CIRCLE}&search=watch+lists&rule=false&skin=wide")
    assert "“skin=wide” in the address cannot be used; skin is 0.5." in stage.part("notices").inner_text()
    stage.part("watching").filter(has_text="the skin, 0.5").wait_for()


@pytest.mark.slow
def test_the_tree_shows_a_second_threshold(stage, run):
    stage.open(LISTS)
    key = stage.part("tree-key").inner_text()
    threshold = run.config.resolved_threshold
    assert f"fires: leaf ≥ b = {threshold:.3f}" in key
    assert f"b − skin = −{SKIN - threshold:.3f} at the start" in key
    watched = watch_list(run, 0, 0).neurons
    stage.press("1", "2")
    stage.wait_for(0, 2, 1)
    leaves = range(64, 128)
    fires = {64 + neuron for neuron in run.records[0].firing[0].tolist()}
    assert stage.nodes_with("firing") == fires
    assert stage.nodes_with("watched") == {64 + neuron for neuron in watched.tolist()} - fires
    assert stage.nodes_with("unseen") & set(leaves) == set(leaves) - {64 + neuron for neuron in watched.tolist()}
    node = min(stage.nodes_with("watched"))
    stage.click_node(node)
    on_lists = run.watched_pairs(0)[run.moving_neurons.searchsorted(node - 64)]
    firing = [node - 64 in fired for fired in run.records[0].firing]
    stage.part("inspector").get_by_text(f"on the watch lists of {on_lists.sum()} of 8 datapoints").wait_for()
    for name, number in (("fires", sum(firing)), ("marks", on_lists.sum() - sum(firing))):
        assert stage.part("lists").locator(f".list-{name}").get_attribute("d").count("M") == number
    stage.part("inspector").get_by_text("Watched: at the start it was at least b − skin").wait_for()
    assert stage.part("plane").locator(".skin-line").get_attribute("d")


@pytest.mark.slow
def test_the_promoted_are_marked_and_then_watched_in_every_tree(stage, run):
    stage.open(LISTS)
    record = run.records[0]
    drawn, told = step_to(stage, run, 0, "repair", "it is promoted")
    assert stage.narration == told.text
    assert stage.nodes_with("promoted") == {int(drawn.nodes[told.row])}
    stage.press("Shift+ArrowRight")
    stage.wait_for(1)
    promoted = {64 + neuron for neuron in record.watch.promoted.tolist()}
    for tree in (0, 5):
        stage.part("tree-number").fill(str(tree))
        stage.press("Enter")
        stage.part("summary").filter(has_text=f"Tree {tree}:").wait_for()
        stage.element.focus()
        stage.press("2")
        stage.wait_for(1, 2, 1)
        assert stage.nodes_with("promoted") == promoted <= stage.nodes_with("firing", "watched")


@pytest.mark.slow
def test_numbers_follow_the_cursor(stage, run):
    stage.open(f"{LISTS}&it=1")
    stage.rest()
    record, page = run.records[1], stage.page
    expect(stage.metric("Pairs watched")).to_have_text(f"{record.watch.num_watched:,}")
    expect(stage.metric("Neurons looked at")).to_have_text(f"{record.watch.num_due:,}")
    expect(stage.metric("Promoted so far")).to_have_text(f"{run.promoted_before(2).size:,}")
    assert page.get_by_text("Nodes searched").count() == 0
    page.get_by_text("not counting building the lists").wait_for()
    totals = stage.part("lists-totals").inner_text()
    pairs = run.moving_neurons.size * 8
    assert f"{record.watch.num_watched:,} of {pairs:,} pairs watched" in totals
    assert not stage.part("atlas-card").is_visible()
    page.get_by_role("radio", name="Amortized operations").click()
    page.locator(".js-plotly-plot .legendtext", has_text="watch lists, building included").wait_for()


@pytest.mark.slow
def test_all_lists_can_be_read_as_a_table_and_opened(stage, run):
    stage.open(LISTS)
    stage.element.get_by_text("Text version of the tree").click()
    stage.element.get_by_text("Table of all lists").click()
    rows = stage.part("lists-text").locator("tbody tr")
    rows.nth(7).wait_for()
    watched = run.watched_pairs(0).sum(axis=0)
    firing = [fired.size for fired in run.records[0].firing]
    for tree in (0, 5):
        assert rows.nth(tree).locator("td").all_inner_texts()[:2] == [f"{watched[tree]}", f"{firing[tree]}"]
    text = stage.part("node-text").locator("tbody tr")
    shown = {int(row.split()[1]) for row in text.filter(has_text=re.compile("watched|fires")).all_inner_texts()}
    not_watched = text.filter(has_text="not watched").count()
    assert len(shown) == 64 and not_watched == 64 - watched[0]
    rows.nth(5).get_by_role("button").press("Enter")
    stage.part("summary").filter(has_text="Tree 5:").wait_for()


@pytest.mark.slow
def test_compiled_loops_that_cannot_be_used_are_said_to_be_so(tmp_path, page, monkeypatch):
    from server import running_server
    from stage_driver import StageDriver

    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with running_server(tmp_path / "log.txt") as url:
        StageDriver(page, url).open("data=sphere&width=4096&search=watch+lists")
        page.get_by_text("Compiled loops cannot be used here").wait_for()
        page.goto("about:blank")


@pytest.mark.slow
def test_it_fits_the_window_and_passes_the_accessibility_check(stage):
    stage.open(f"{LISTS}&it=1&phase=repair&step=1&node=70")
    stage.element.get_by_text("Text version of the tree").click()
    stage.element.get_by_text("Table of all lists").click()
    main = stage.page.get_by_test_id("stMain")
    for width, scheme in ((1400, "light"), (1024, "dark"), (390, "light")):
        show_as(stage.page, width, scheme)
        stage.rest()
        assert stage.page.evaluate("document.documentElement.scrollWidth") <= width
        assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
        assert serious_findings(stage.page) == []
