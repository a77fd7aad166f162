"""Playing in a real browser: how far it goes in a lesson."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]


def open_scene(stage, number, title):
    stage.open(f"lesson=idea&scene={number}")
    stage.part("lesson").get_by_role("heading", name=title, exact=True).wait_for()
    stage.part("speed").select_option("16")


@pytest.mark.slow
def test_a_scene_plays_to_the_end_of_its_phase_and_on_when_asked_again(stage):
    open_scene(stage, 4, "Search: most of the tree is skipped")
    stage.element.focus()
    stage.press(" ")
    expect(stage.part("rested")).to_have_text("Search ends here. Play goes on with Forward.")
    assert stage.where == (0, 1, 44)
    assert stage.narration.startswith("Tree 0 is searched")
    stage.element.get_by_role("button", name="play", exact=True).click()
    expect(stage.part("rested")).to_have_text("Forward ends here. Play goes on with Jacobian.")
    assert stage.where == (0, 2, 2)
    stage.press("ArrowLeft")
    expect(stage.part("rested")).to_have_text("")
    stage.part("lesson").get_by_role("button", name="leave", exact=True).click()
    stage.page.get_by_role("button", name="Lessons").wait_for()
    expect(stage.element).to_have_count(1)  # the stage moves to another place of the page
    stage.wait_without("lesson")
    stage.element.focus()
    stage.press(" ")
    stage.wait_for(0, 3)  # outside lessons it plays on
    stage.press(" ")
