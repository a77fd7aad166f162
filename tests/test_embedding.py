"""The stage alone, as another page has it in a frame."""

import re

import pytest
from playwright.sync_api import expect
from server import ROOT
from streamlit.testing.v1 import AppTest


def opened(**address):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, text in address.items():
        app.query_params[name] = text
    assert not app.run().exception
    return app


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({}, ""),
        ({"view": "stage"}, "controls"),
        ({"view": "stage", "controls": "none"}, "bare"),
        ({"controls": "none"}, ""),
        ({"view": "map"}, ""),
    ],
)
def test_an_address_says_what_is_shown_of_the_page(address, expected):
    app = opened(width="16", **address)
    assert app.session_state.embedding == expected
    is_alone = expected != ""
    assert bool(app.main.subheader) != is_alone and bool(app.metric) != is_alone
    left_out = [name for name in address if not is_alone]
    assert all(any(f"“{name}” in the address" in said for said in app.session_state.notices) for name in left_out)
    assert len(app.session_state.notices) == len(left_out)


def framed(page, url):
    """Open a page that has the stage in a frame of 800 × 560 pixels; return what the frame shows."""
    course = re.sub(r"/\?.*", "/course.html", url)
    html = f'<!doctype html><title>Course</title><h1>Course</h1><iframe src="{url}" width="800" height="560"></iframe>'
    page.route(course, lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(course)
    frame = page.frame_locator("iframe")
    frame.locator(".stage[aria-busy=false] .node").first.wait_for()
    frame.locator(".stage.embedded").wait_for()
    return frame


@pytest.mark.browser
@pytest.mark.slow
def test_in_a_frame_the_stage_stands_alone_and_fits(page, server):
    frame = framed(page, f"{server}/?data=digits&width=4096&it=2&phase=repair&view=stage")
    for hidden in ("[data-testid=stHeader]", "[data-testid=stSidebar]", ".st-key-glossary", ".cards", ".stage a.why"):
        assert not frame.locator(hidden).first.is_visible()
    assert frame.locator("[data-part=where]").inner_text().startswith("Iteration 2 · phase 6")
    tree = frame.locator(".scroller").evaluate("one => one.getBoundingClientRect().toJSON()")
    assert tree["bottom"] <= 560 and tree["right"] <= 800 and tree["height"] >= 150
    before = frame.locator("[data-part=narration]").inner_text()
    frame.locator("[aria-label='next step']").click()
    expect(frame.locator("[data-part=narration]")).not_to_have_text(before)


@pytest.mark.browser
@pytest.mark.slow
def test_in_a_bare_frame_there_is_nothing_to_press(page, server):
    frame = framed(page, f"{server}/?width=64&view=stage&controls=none")
    assert [button for button in frame.locator(".stage button").all() if button.is_visible()] == []
    assert frame.locator("[data-part=narration]").is_visible()
    tree = frame.locator(".scroller").evaluate("one => one.getBoundingClientRect().toJSON()")
    assert tree["bottom"] <= 560 and tree["height"] >= 300


@pytest.mark.browser
@pytest.mark.slow
def test_the_menu_gives_the_code_of_the_frame(page, stage):
    stage.open("width=64&it=1&lecture=0")
    stage.click("picture")
    code = stage.part("frame-code").input_value()
    address = re.fullmatch(
        r'<iframe src="([^"]+)" title="treeviz" width="100%" height="640" allowfullscreen></iframe>', code
    )
    assert address
    frame = framed(page, address[1])
    assert frame.locator("[data-part=where]").inner_text().startswith("Iteration 1 · phase 1")
