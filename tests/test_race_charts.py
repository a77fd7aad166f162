"""The charts of a race: what is sent to the browser, and what the component makes of it in a real one."""

import itertools
import json
import re
from collections import Counter

import numpy as np
import pytest
from scripted import Script, scripted

from treeviz.model.phases import PHASES
from treeviz.race.charts import (
    COLORS,
    DASHES,
    MARKERS,
    MAX_POINTS,
    LineChart,
    amortized_chart,
    component_parts,
    keep_points,
    loss_charts,
    phase_chart,
    race_payload,
    touched_charts,
)
from treeviz.race.contestant import Lap
from treeviz.race.lane import Lane


def make_lane(place=0, laps=50, speed=0.01, losses=None, modified=30, family="gauss-newton", phases=None):
    """A lane whose laps take 120 operations, 100 of them before the loss is known, after 1000 and 0.5 s of building."""
    lane = Lane(scripted(f"c{place}", family=family))
    lane.begin(Script(build_costs={"build": 1000}, build_seconds={"build": 0.5}))
    costs = {"search": 100, "solve": 20} if phases is None else phases
    for lap in range(laps):
        loss = 10.0 * 0.8**lap if losses is None else losses[lap]
        lane.add(Lap(lap, loss, costs, {"search": speed}, num_touched=7, num_modified=modified))
    return lane


def payload_of(lanes, charts):
    return race_payload(lanes, {lane.contestant.key: place for place, lane in enumerate(lanes)}, charts)


def columns_of(lane, charts):
    return payload_of([lane], charts)["contestants"][0]["columns"]


def all_charts(lanes, **scales):
    return [
        *loss_charts(lanes, target_loss=1e-3, **scales),
        amortized_chart("operations", **scales),
        *touched_charts(**scales),
        phase_chart(),
    ]


@pytest.mark.parametrize("laps", [0, 1, 2, 299, 300, 301, 302, 599, 600, 601, 5_000, 123_457])
def test_thinning_keeps_first_and_last_and_the_limit(laps):
    keep = keep_points(laps)
    assert keep.size <= MAX_POINTS
    assert keep.size == laps or keep.size > MAX_POINTS // 2
    assert (np.diff(keep) > 0).all()
    if laps:
        assert keep[0] == 0 and keep[-1] == laps - 1


def test_thinning_keeps_its_choice_while_a_race_grows():
    """Between two doublings a drawn lap stays drawn; only the last one comes and goes."""
    for laps in range(601, 1200):
        assert set(keep_points(laps)[:-1]) <= set(keep_points(laps + 1))


def test_a_limit_of_two_points_is_refused():
    with pytest.raises(ValueError, match="limit is 2"):
        keep_points(10, limit=2)


def test_all_laps_are_sent_exactly():
    lane = make_lane()
    columns = columns_of(lane, all_charts([lane]))
    assert columns["iteration"] == list(range(50)) and columns["done"] == list(range(1, 51))
    assert columns["operations"] == [1100 + 120 * lap for lap in range(50)]
    np.testing.assert_allclose(columns["loss"], lane.column("loss"), rtol=1e-6)
    np.testing.assert_allclose(columns["seconds"], lane.column("seconds"), rtol=1e-6)
    assert (columns["touched"], columns["modified"]) == ([7] * 50, [30] * 50)
    assert {len(values) for values in columns.values()} == {50}
    big = make_lane(laps=2, phases={"search": 123_456_789_012})
    assert columns_of(big, all_charts([big]))["operations"] == [1000 + 123_456_789_012, 1000 + 2 * 123_456_789_012]


def test_amortized_cost_is_counted_before_thinning():
    """cost(t) = (building + what t iterations took) / t, by hand."""
    lane = make_lane(laps=1000)
    for unit, build, lap in (("operations", 1000.0, 120.0), ("seconds", 0.5, 0.01)):
        columns = columns_of(lane, [amortized_chart(unit)])
        done = np.array(columns["done"])
        assert done.size <= MAX_POINTS and done[-1] == 1000
        np.testing.assert_allclose(columns[f"amortized_{unit}"], (build + lap * done) / done, rtol=1e-6)
        np.testing.assert_allclose(columns[f"bare_{unit}"], lap, rtol=1e-6)


def test_every_line_chart_can_be_scrubbed():
    """The race clock needs the seconds of every lap beside each chart's own columns, whatever charts are shown."""
    lane = make_lane()
    for chart in all_charts([lane]):
        if isinstance(chart, LineChart):
            assert {"iteration", "loss", "operations", "seconds", chart.x, chart.y} <= set(columns_of(lane, [chart]))


def test_contestants_differ_in_colour_dash_and_marker():
    assert len(set(COLORS)) == len(set(DASHES)) == len(set(MARKERS)) == 8
    script = component_parts()["js"]
    assert all(re.search(rf'^  {name}: "M', script, re.MULTILINE) for name in MARKERS)
    one, other = payload_of([make_lane(0), make_lane(1, family="reference")], [])["contestants"]
    assert (one["color"], one["dash"], one["marker"]) == (COLORS[0], DASHES[0], MARKERS[0])
    assert (other["color"], other["dash"], other["marker"]) == (COLORS[1], DASHES[1], MARKERS[1])
    assert (one["key"], one["title"]) == ("c0", "The c0") and [one["reference"], other["reference"]] == [False, True]


def test_methods_without_trees_have_no_modified_nodes():
    lanes = [make_lane(0), make_lane(1, modified=0)]
    first, second = payload_of(lanes, touched_charts())["contestants"]
    assert "modified" in first["columns"] and "modified" not in second["columns"]


def test_what_is_not_finite_is_a_gap():
    lane = make_lane(laps=3, losses=(1.0, np.inf, np.nan))
    assert columns_of(lane, all_charts([lane]))["loss"] == [1, None, None]
    json.dumps(payload_of([lane], all_charts([lane])), allow_nan=False)


def test_payload_is_small():
    lanes = [make_lane(place, laps=5_000) for place in range(6)]
    assert len(json.dumps(payload_of(lanes, all_charts(lanes)))) < 200_000


def test_axes_follow_the_switches_and_a_logarithmic_one_has_a_positive_floor():
    for lanes in ([], [make_lane(speed=0.0)], [make_lane(), make_lane(1, laps=0)]):
        for log_x, log_y in itertools.product((False, True), repeat=2):
            charts = [chart for chart in all_charts(lanes, log_x=log_x, log_y=log_y) if isinstance(chart, LineChart)]
            assert {chart.x_axis.is_log for chart in charts} == {log_x}
            assert {chart.y_axis.is_log for chart in charts} == {log_y}
            assert all(chart.x_axis.floor > 0 and chart.y_axis.floor > 0 for chart in charts)
    operations = next(chart for chart in all_charts([make_lane(), make_lane(1)]) if chart.key == "loss-operations")
    assert operations.x_axis.floor == 1100 and operations.rule == 1e-3


def test_phases_are_sent_in_order_without_zeros():
    payload = payload_of([make_lane(laps=2, phases={"solve": 5, "search": 1, "move": 0})], [phase_chart()])
    assert list(payload["contestants"][0]["phases"].items()) == [("build", 1000.0), ("search", 2.0), ("solve", 10.0)]
    assert [phase["name"] for phase in payload["phases"]] == list(PHASES)


class Drawn:
    """The component in a page of its own, without Streamlit."""

    def __init__(self, page):
        self.page = page
        parts = component_parts()
        page.set_viewport_size({"width": 1300, "height": 1200})
        page.set_content(
            '<body style="margin:20px;--st-text-color:#222;--st-background-color:#fff;--st-primary-color:#c33;'
            f'--st-secondary-background-color:#eee;--st-font:sans-serif"><style>{parts["css"]}</style>{parts["html"]}'
        )
        page.evaluate(
            "async (js) => (window.mount = (await import(URL.createObjectURL("
            "new Blob([js], { type: 'text/javascript' })))).default)",
            parts["js"],
        )

    def send(self, lanes, charts):
        self.page.evaluate("(data) => void mount({ parentElement: document.body, data })", payload_of(lanes, charts))

    def rows(self):
        return [row.split("\t")[1:] for row in self.page.locator("tbody").inner_text().splitlines()]

    def point_at(self, chart, right, down):
        box = self.page.locator(f"[data-chart={chart}] svg.plot").bounding_box()
        self.page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
        self.page.wait_for_function("() => !document.querySelector('output').textContent.endsWith('now')")


@pytest.fixture
def drawn(page):
    yield Drawn(page)
    page.set_viewport_size({"width": 1400, "height": 900})


@pytest.mark.browser
def test_pointing_marks_every_lane_at_the_same_moment(drawn):
    lanes = [make_lane(0, speed=0.01), make_lane(1, speed=0.03), make_lane(2, laps=0)]
    drawn.send(lanes, all_charts(lanes))
    assert [row[0] for row in drawn.rows()] == ["49", "49", "–"]
    drawn.point_at("loss-operations", 0.6, 0.4)
    moment = float(drawn.page.locator("output").inner_text().removeprefix("Race clock: ").removesuffix(" s"))
    for lane, row in zip(lanes[:2], drawn.rows(), strict=False):
        lap = int(np.searchsorted(lane.column("seconds"), moment * (1 + 1e-9), side="right")) - 1
        expected = "–" if lap < 0 else str(lap)
        assert row[0] == expected
    running = sum(row[0] != "–" for row in drawn.rows())
    for chart in ("loss-iteration", "loss-operations", "loss-seconds", "touched", "modified", "amortized-operations"):
        assert drawn.page.locator(f"[data-chart={chart}] .here .mark").count() == running
    tip = drawn.page.locator(".tip").inner_text()
    assert re.search(r"The c\d\niteration \d+\nloss .+\n[\d,]+ operations\n[\d.]+ s", tip)


@pytest.mark.browser
def test_new_laps_change_the_drawing_in_place(drawn):
    lanes = [make_lane(0), make_lane(1)]
    drawn.send(lanes, all_charts(lanes))
    roots = drawn.page.query_selector_all("svg.plot")
    drawn.point_at("loss-seconds", 0.5, 0.5)
    longer = [make_lane(0, laps=80), make_lane(1, laps=70)]
    drawn.send(longer, all_charts(longer, log_x=False))
    assert len(roots) == 6 and all(root.evaluate("node => node.isConnected") for root in roots)
    assert drawn.page.locator(".tip").is_visible()


@pytest.mark.browser
def test_keyboard_moves_the_race_clock(drawn):
    lanes = [make_lane(0), make_lane(1, speed=0.05)]
    drawn.send(lanes, all_charts(lanes, log_x=False))
    slider = drawn.page.get_by_label("Race clock")
    slider.focus()
    for _ in range(3):
        drawn.page.keyboard.press("PageDown")
    assert slider.get_attribute("aria-valuetext").endswith(" s")
    held = drawn.rows()
    assert int(held[1][0]) < 49
    drawn.send(lanes, all_charts(lanes, log_x=False))
    assert drawn.rows() == held
    drawn.page.keyboard.press("Escape")
    assert slider.get_attribute("aria-valuetext") == "now"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "columns"), [(1400, 3), (1024, 3), (640, 1), (390, 1)])
def test_charts_fit_the_window(drawn, width, columns):
    drawn.page.set_viewport_size({"width": width, "height": 900})
    lanes = [make_lane(place) for place in range(6)]
    lanes.append(make_lane(6, laps=2, family="reference"))
    drawn.send(lanes, all_charts(lanes))
    lefts = drawn.page.locator("svg.plot").evaluate_all("all => all.map((svg) => svg.getBoundingClientRect().left)")
    assert len({round(left) for left in lefts}) == columns
    assert drawn.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
@pytest.mark.parametrize("laps", [0, 1])
def test_a_race_that_has_hardly_begun_is_drawn(drawn, laps):
    lanes = [make_lane(0, laps=laps, losses=np.zeros(laps)), make_lane(1, laps=laps, phases={})]
    drawn.send(lanes, all_charts(lanes))
    assert "NaN" not in drawn.page.content()


@pytest.mark.browser
def test_a_click_holds_the_moment_and_a_second_one_lets_it_go(drawn):
    lanes = [make_lane(0), make_lane(1, speed=0.05)]
    drawn.send(lanes, all_charts(lanes, log_x=False))
    mouse, clock = drawn.page.mouse, drawn.page.locator("output")

    def clock_shows(text):
        drawn.page.wait_for_function("text => document.querySelector('output').textContent === text", arg=text)

    drawn.point_at("loss-seconds", 0.5, 0.5)
    pointed = clock.inner_text()
    mouse.down()
    mouse.up()
    mouse.move(5, 5)
    clock_shows(f"{pointed}, held")
    drawn.point_at("loss-seconds", 0.8, 0.5)
    drawn.page.wait_for_function("() => !document.querySelector('output').textContent.endsWith('held')")
    assert clock.inner_text() != pointed
    drawn.point_at("loss-seconds", 0.5, 0.5)
    clock_shows(pointed)
    mouse.down()
    mouse.up()
    mouse.move(5, 5)
    clock_shows("Race clock: now")


@pytest.mark.browser
def test_lines_go_down_with_the_loss_and_references_stand_where_they_have_numbers(drawn):
    lanes = [make_lane(0), make_lane(1, losses=np.full(50, 3.0)), make_lane(2, laps=2, family="reference")]
    drawn.send(lanes, all_charts(lanes))
    path = drawn.page.locator("[data-chart=loss-iteration] .trace").first.get_attribute("d")
    heights = [float(height) for height in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    assert len(heights) == 50 and heights == sorted(heights) and heights[0] < heights[-1]
    marks = {
        key: drawn.page.locator(f"[data-chart={key}] .here .mark").count() for key in ("loss-iteration", "touched")
    }
    assert marks == {"loss-iteration": 3, "touched": 2}
    drawn.point_at("loss-operations", 0.5, 0.3)
    drawn.page.locator("[data-chart=touched] .here .mark[transform*='scale(8.5)']").wait_for(state="attached")
    assert drawn.page.locator("[data-chart=touched] .here .mark[transform*='scale(6.5)']").count() == 1


@pytest.mark.browser
def test_bars_of_phases_show_shares_or_operations(drawn):
    lanes = [make_lane(0), make_lane(1)]
    lanes[0].costs, lanes[1].costs = Counter(build=300, solve=100), Counter(solve=100)
    spans = ".bar span:not([style*='display: none'])"
    for is_share, shares in ((True, [75, 25, 100]), (False, [75, 25, 25])):
        drawn.send(lanes, [phase_chart(is_share=is_share)])
        widths = drawn.page.locator(spans).evaluate_all("spans => spans.map(span => parseFloat(span.style.flexBasis))")
        assert widths == shares
        labels = [bar.get_attribute("aria-label") for bar in drawn.page.locator(".bar").all()]
        assert labels == [
            "The c0: 400 operations; build 75\u00a0%, solve 25\u00a0%",
            "The c1: 100 operations; solve 100\u00a0%",
        ]
