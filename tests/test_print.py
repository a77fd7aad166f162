"""What a page looks like on paper."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAPER = {"width": 690, "height": 1000}  # A4 within its margins, in CSS pixels


def boxes(page, selector):
    """Where the visible elements are: left, top, right and bottom."""
    return page.locator(selector).evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).filter(box => box.width && box.height)"
        ".map(box => [box.left, box.top, box.right, box.bottom])"
    )


def overlap(one, other):
    return one[0] < other[2] - 1 and other[0] < one[2] - 1 and one[1] < other[3] - 1 and other[1] < one[3] - 1


def test_the_stage_prints_its_pictures_whole_and_nothing_to_press(stage, page):
    page.emulate_media(color_scheme="dark")
    stage.open("data=digits&width=4096")
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print", color_scheme="dark")
    assert boxes(page, ".stage :is(.transport .buttons, .view-row, .scrub)") == []
    assert boxes(page, "[data-testid=stSidebar], [data-testid=stHeader], [data-testid=stButton]") == []
    pictures = boxes(page, ".stage :is(.tree-box, .card, .datapoint, .code, .meter)")
    assert len(pictures) >= 6
    assert all(left >= 0 and right <= PAPER["width"] for left, _, right, _ in pictures)
    assert not [pair for k, one in enumerate(pictures) for pair in pictures[:k] if overlap(one, pair)]
    for selector in ("h3", ".stage .narration"):
        colour = page.locator(selector).first.evaluate("one => getComputedStyle(one).color")
        assert colour == "rgb(17, 17, 17)", "dark letters, whatever the theme"
    assert page.pdf().count(b"/Type /Page\n") > 1
    page.emulate_media(media="null")


def test_the_map_prints_beside_nothing(page, server):
    page.goto(f"{server}/related")
    page.locator(".canvas .node").first.wait_for()
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    (picture,) = boxes(page, ".canvas")
    (details,) = boxes(page, ".st-key-paper-details")
    assert not overlap(picture, details) and picture[2] <= PAPER["width"]
    page.emulate_media(media="null")
