"""Datapoints and neurons in a real browser: what is drawn are the trace's numbers, and clicks lead on."""

import re

import pytest
from accessibility import serious_findings
from playwright.sync_api import expect

from treeviz import TrainConfig, Trainer, load_dataset

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]


# Where the tree is within the stage.
PLACE = """stage => {
    const parts = [stage, stage.querySelector("[data-part=scroller]")];
    const [own, tree] = parts.map((part) => part.getBoundingClientRect());
    return [tree.left - own.left, tree.top - own.top, tree.width, tree.height];
}"""


def number(text):
    return float(text.replace("−", "-").replace(",", ""))


@pytest.mark.slow
def test_a_digit_is_drawn_and_times_the_weights_makes_the_leaf(stage):
    stage.open("data=digits&width=1024&digits-n=20")
    trace = Trainer(load_dataset("digits", 20), TrainConfig(width=1024, solver="exact")).run(2)
    section = stage.part("datapoint")
    record = trace.records[0]
    label = f"Datapoint 0: target y = {trace.dataset.y[0]:g}, network f = ".replace("-", "−")
    picture = section.get_by_role("img", name=re.compile(f"^{label}"))
    assert number(re.search("f = (−?[0-9.]+)", picture.get_attribute("aria-label"))[1]) == pytest.approx(
        record.outputs[0], abs=5.1e-4
    )
    shades = section.locator("rect").evaluate_all("cells => cells.map(cell => +cell.getAttribute('fill-opacity'))")
    assert shades == pytest.approx(trace.dataset.X[0] / trace.dataset.X.max(), abs=1e-3)

    stage.press("2")  # all that was found is known
    stage.wait_for(0, 2)
    place = stage.element.evaluate(PLACE)
    leaf = max(stage.nodes_with("firing"))
    neuron = leaf - 1024
    stage.click_node(leaf)
    expect(section).to_be_hidden()
    inspector = stage.part("inspector")
    inspector.locator(".cells").nth(2).wait_for()
    words = inspector.locator(".sum").inner_text()
    equation = r"Products .*: ([\d.]+) − ([\d.]+) = ([−\d.]+), the leaf at the start\."
    above, below, total = map(number, re.fullmatch(equation, words).groups())
    assert above - below == pytest.approx(total, abs=1e-9)
    assert total == pytest.approx(trace.leaf_rows([neuron], 0)[0, 0], abs=5.1e-4)
    assert f"{total:.3f}" in inspector.locator("p").first.inner_text()
    fired = [iteration for iteration in (0, 1) if neuron in trace.records[iteration].firing[0]]
    assert re.search(rf"it fired in iterations? {fired[0]}", inspector.inner_text())
    sign = "raises" if trace.output_signs[neuron] > 0 else "lowers"
    assert f"firing, it {sign} f" in inspector.inner_text()

    line = inspector.locator(".over-time")
    marks = line.locator(".now").get_attribute("d")
    stage.element.focus()
    stage.press("Shift+ArrowRight")
    stage.wait_for(1, 2)
    expect(line.locator(".now")).not_to_have_attribute("d", marks)
    later = inspector.locator(".sum").inner_text()
    assert number(re.search(r"= ([−\d.]+), the leaf after 1 move\.$", later)[1]) == pytest.approx(
        trace.leaf_rows([neuron], 1)[0, 0], abs=5.1e-4
    )
    assert stage.element.evaluate(PLACE) == place
    assert serious_findings(stage.page) == []
    inspector.get_by_role("button", name="close").click()
    expect(section).to_be_visible()


@pytest.mark.slow
def test_a_click_on_a_datapoint_in_its_plane_opens_its_tree(stage):
    stage.open("data=xor&width=64&xor-n=8")
    marks = stage.part("datapoint").locator(".mark")
    expect(marks).to_have_count(8)
    marks.filter(has_text="datapoint 5:").click()
    stage.part("datapoint").get_by_role("heading", name="Datapoint 5").wait_for()
    assert stage.part("tree-number").input_value() == "5"
    expect(stage.part("datapoint").locator(".mark.chosen")).to_have_text(re.compile("^datapoint 5:"))
    stage.press("2")
    stage.wait_for(0, 2)
    stage.click_node(max(stage.nodes_with("firing")))
    table = stage.part("inspector").locator("table.sum")
    table.wait_for()
    *parts, total = (number(text) for text in table.locator("td:last-child").all_inner_texts())
    assert sum(parts) == pytest.approx(total, abs=1e-9)
    assert serious_findings(stage.page) == []


@pytest.mark.slow
def test_a_row_of_a_table_has_its_columns_and_the_lines_their_values(stage):
    stage.open("data=wine&width=512")
    trace = Trainer(load_dataset("wine"), TrainConfig(width=512, solver="exact")).run(1)
    section = stage.part("datapoint")
    expect(section.locator("rect")).to_have_count(13)
    largest = trace.dataset.columns[abs(trace.dataset.X[0]).argmax()]
    assert f"Largest: 1 {largest} " in section.inner_text()
    values = stage.element.locator(".code .value")
    expect(values.first).to_be_hidden()
    stage.part("values").check()
    step = trace.replay(0, 0)
    expect(values.first).to_have_text(f"i = 0: {step.visited.size} nodes entered")
    forward = values.filter(has_text="fi = ").first
    expect(forward).to_be_hidden()  # this phase is still to come
    stage.element.focus()
    stage.press("2")
    expect(forward).to_be_visible()
    stage.part("values").uncheck()
    expect(values.first).to_be_hidden()
