"""The lab of planted faults in a real browser: opened, looked through, found by mouse, keys and screen reader, left."""

import pytest
from accessibility import serious_findings, show_as

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Lab:
    def __init__(self, stage):
        self.stage, self.page, self.box = stage, stage.page, stage.part("lesson")

    def wait(self, title):
        self.box.get_by_role("heading", name=title, exact=True).wait_for()
        self.page.locator(".stage[aria-busy=false]").wait_for()

    def press(self, name):
        button = self.box.get_by_role("button", name=name, exact=True)
        button.focus()
        self.stage.press("Enter")

    def say(self, words):
        self.box.locator(".feedback", has_text=words).wait_for()


@pytest.fixture
def lab(stage):
    return Lab(stage)


def test_a_fault_is_looked_for_and_found_and_the_way_leads_back(stage, lab):
    stage.open("data=xor&xor-n=12&width=512")
    stage.page.get_by_role("button", name="Break it").click()
    stage.page.get_by_role("button", name="A skipped repair").click()
    lab.wait("A skipped repair")
    stage.wait_for(1, 1)
    badge = stage.part("badge")
    badge.filter(has_text="which node is wrong?").filter(has_text="the dense method's is 6.66").wait_for()
    assert "58" not in badge.inner_text() and "116" not in badge.inner_text()
    assert "The check fails first in iteration 1" in stage.part("planted").inner_text()
    assert stage.address()["fault"] == "skipped-repair"
    # By mouse, a node that is right.
    stage.click_node(7)
    lab.press("check")
    lab.say("No. Node 7 holds 1.4124. Its children hold 1.4124 and 1.1855: the larger of them, as it should be.")
    assert stage.nodes_with("wrong-node") == {7} and not stage.nodes_with("right-node", "missed-node")
    assert "0 of 1 right at the first try" in stage.part("score").inner_text()
    # What is to be seen: the node is smaller than one of its children, which does not fire.
    stage.element.locator('[data-node="58"] .glyph').hover()
    assert "Its children: 116 (6.900), 117 (−0.699)" in stage.part("tip").inner_text()
    stage.element.locator('[data-node="116"] .glyph').hover()
    assert "6.900 ≥ b = 1.413, it does not fire" in stage.part("tip").inner_text()
    # In another tree a click looks into a node, and is no answer.
    stage.part("tree-number").fill("2")
    stage.part("tree-number").press("Enter")
    stage.page.locator(".tree[aria-label^='Tree 2']").wait_for()
    stage.click_node(58)
    assert not stage.nodes_with("chosen-node")
    # By keys, in the list.
    lab.box.locator("summary").focus()
    stage.press("Enter")
    choice = lab.box.get_by_label("node 58: 1.412")
    choice.focus()
    stage.press("Space")
    assert lab.box.get_by_label("node 116, neuron 52: 6.900, does not fire").count() == 1
    lab.press("check")
    lab.say("Found. Node 58 holds 1.4124. Its children hold 6.8996 and −0.6990: not the larger of them.")
    assert stage.nodes_with("right-node") == {58, 116}
    assert "0 of 1 right at the first try" in stage.part("score").inner_text()
    lab.press("next →")
    lab.wait("A stale maximum")
    lab.press("show me")
    lab.say("Node 17 holds 3.1510.")
    stage.part("inspector").filter(has_text="Inner node 17").wait_for()
    assert stage.nodes_with("missed-node") == {17}
    assert "0 of 2 right at the first try" in stage.part("score").inner_text()
    lab.press("leave")
    stage.wait_without("lesson")
    stage.page.get_by_role("heading", name="Planted fault: A stale maximum").wait_for()
    stage.page.get_by_role("button", name="Back to your settings").click()
    stage.page.get_by_role("button", name="Back to your settings").wait_for(state="hidden")
    stage.wait_without("planted")
    address = stage.address()
    assert address.items() >= {"data": "xor", "xor-n": "12", "width": "512"}.items() and "fault" not in address


def test_a_fault_in_a_run_of_ones_own(stage, lab):
    stage.open("data=circle&width=64&seed=2&fault=skipped-repair")
    planted = stage.part("planted")
    planted.get_by_role("button", name="iteration 1").click()
    stage.wait_for(1, 1, 1)
    stage.part("badge").get_by_role("button", name="show me").click()
    stage.part("badge").filter(has_text="Tree 7: node 55 is not the larger of its children.").wait_for()
    stage.part("inspector").filter(has_text="Inner node 55").wait_for()
    assert stage.part("tree-number").input_value() == "7"
    stage.page.get_by_role("button", name="Break it").click()
    stage.page.get_by_role("button", name="Find the fault in this run").click()
    lab.wait("A skipped repair")
    assert "iteration 1 for the first time, in tree 7" in lab.box.inner_text()
    stage.click_node(55)
    lab.press("check")
    lab.say("Found. Node 55")


def test_in_a_large_tree_a_fault_is_looked_for_in_a_part(stage, lab):
    stage.open("data=circle&width=1024&fault=stale-maximum")
    stage.part("planted").get_by_role("button", name="iteration 1").wait_for()
    stage.page.get_by_role("button", name="Break it").click()
    stage.page.get_by_role("button", name="Find the fault in this run").click()
    lab.wait("A stale maximum")
    assert "It has 2,047 nodes. The picture opens the part of it that the wrong node is in." in lab.box.inner_text()
    choices = {int(box.get_attribute("value")) for box in lab.box.locator("input[type=checkbox]").all()}
    assert len(choices) == 15 and 290 in choices and min(choices) < 290
    assert choices <= set(stage.states()) and not stage.nodes_with("stub") & choices
    for node in choices - {290}:
        lab.box.get_by_label(f"node {node}:").or_(lab.box.get_by_label(f"node {node}, ")).check()
    lab.press("check")
    lab.box.locator(".feedback", has_text="No.").wait_for()
    assert stage.nodes_with("wrong-node") == choices - {290}
    stage.click_node(290)
    lab.press("check")
    lab.say("Found. Node 290")


def test_a_fault_without_consequence_says_so(stage, lab):
    stage.open("data=circle&width=64&fault=strict-comparison")
    stage.part("planted").filter(has_text="It has not shown so far:").wait_for()
    stage.part("badge").filter(has_text="It does not show in this iteration.").wait_for()
    stage.page.get_by_role("button", name="Break it").click()
    stage.page.get_by_role("button", name="Find the fault in this run").click()
    lab.wait("The fault has not shown so far")
    assert "found nothing wrong" in lab.box.inner_text()


def test_a_fault_is_chosen_in_the_sidebar_and_none_is_left_for_another_search(stage):
    stage.open("data=circle&width=64")
    assert not stage.part("planted").is_visible()
    sidebar = stage.page.get_by_test_id("stSidebar")
    stage.rest()
    field = sidebar.get_by_role("combobox", name="Planted fault")
    field.focus()
    stage.wait_until_drawn()  # the sidebar has just scrolled to show the field, and Streamlit would close an open list
    stage.press("ArrowDown")
    option = stage.page.get_by_role("option", name="stale-maximum")
    option.click()
    stage.part("planted").filter(has_text="A stale maximum").wait_for()
    sidebar.get_by_role("radio", name="watch lists").click()
    stage.part("lists-card").wait_for()
    stage.wait_without("planted")
    stage.part("badge").filter(has_text="✓ Exact").wait_for()
    assert "fault" not in stage.address()


@pytest.mark.parametrize("given", ["fault=loose-screw", "search=table&fault=stale-maximum"])
def test_a_fault_that_cannot_be_planted_is_refused_in_words(stage, given):
    stage.open(f"data=circle&width=64&{given}")
    stage.part("notices").filter(has_text="fault").wait_for()
    assert not stage.part("planted").is_visible()


def test_the_lab_is_accessible(stage, lab):
    for scene, title in ((1, "A skipped repair"), (4, "A forgotten promotion")):
        stage.open(f"lesson=break&scene={scene}")
        lab.wait(title)
        for scheme in ("light", "dark"):
            show_as(stage.page, 1400, scheme)
            assert serious_findings(stage.page) == [], scheme
        lab.press("show me")
        lab.box.locator(".feedback p").first.wait_for()
        stage.part("badge").get_by_role("button", name="show me").click()
        for scheme in ("dark", "light"):
            show_as(stage.page, 1400, scheme)
            assert serious_findings(stage.page) == [], scheme
