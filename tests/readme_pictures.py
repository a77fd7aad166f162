"""Makes the pictures of the README from the running app: python tests/readme_pictures.py [name ...]. Look at them."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from server import running_server

from treeviz.export.browser import ARGUMENTS, find_chromium

ASSETS = Path(__file__).parent.parent / "assets"
AT_REST = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
COLOURS = 256


def open_stage(page, url, query):
    page.goto(f"{url}/?{query}&tree=0&it=1&phase=repair&step=5")
    page.locator(".stage .node").first.wait_for()
    page.locator(".stage[aria-busy=false]").wait_for()


def watch_one_run(page, url):
    open_stage(page, url, "data=digits&width=65536")
    scroll_to(page, page.locator(".stage"))  # to show the whole tree


def watch_lists(page, url):
    open_stage(page, url, "data=sphere&width=65536&search=watch+lists")
    page.locator(".badge.exact").wait_for()
    scroll_to(page, page.locator("[data-part=watching]"), below=119)


def read_the_method(page, url):
    page.goto(f"{url}/theory?data=digits&width=65536")
    page.locator(".js-plotly-plot").nth(8).wait_for()
    scroll_to(page, page.get_by_role("heading", name="Why few neurons fire"))


def race_the_methods(page, url):
    page.goto(f"{url}/race?data=digits&width=65536&limit=300")  # enough on a busy machine
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    page.locator(".race svg").first.wait_for()
    scroll_to(page, page.locator(".race"), below=15)


def where_it_pays(page, url):
    page.goto(f"{url}/where-it-pays?data=digits&width=65536")
    page.locator(".js-plotly-plot").nth(1).wait_for()
    scroll_to(page, page.get_by_role("radiogroup", name="Methods"), below=42)


def ask_the_lab(page, url):
    """Draw the tiles, with the points that are kept on this machine: measure them before, by `treeviz sweep`."""
    page.goto(f"{url}/lab")
    page.locator(".st-key-lab-tiles svg[role=img]").nth(8).wait_for()


def related_work(page, url):
    page.goto(f"{url}/related")
    page.get_by_text("This paper", exact=True).first.wait_for()


def scroll_to(page, place, below=10):
    """Bring a place near the top of the page, `below` pixels under the header, for what stays in view there."""
    page.wait_for_function(AT_REST)
    place.evaluate(
        "(element, below) => { element.style.scrollMarginTop = below + 'px'; element.scrollIntoView(); }", below
    )


def save(page, name):
    page.wait_for_function(AT_REST)
    page.mouse.move(2, 898)  # where nothing answers to the pointer
    page.wait_for_timeout(1500)  # for transitions; nothing depends on it
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    path = ASSETS / f"{name}.png"
    # Maximum coverage keeps rare colours, k-means moves the frequent ones to where they were.
    picture = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


PICTURES = (watch_one_run, read_the_method, race_the_methods, where_it_pays, ask_the_lab, watch_lists, related_work)


def main(names):
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder) / "log.txt") as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="light")
        page.set_default_timeout(120_000)
        for picture in PICTURES:
            name = picture.__name__.replace("_", "-")
            if not names or name in names:
                picture(page, url)
                save(page, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
