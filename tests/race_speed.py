"""Measures the race page in a real browser: python tests/race_speed.py [runs]. Reports seconds; asserts nothing."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from server import running_server

from treeviz.export.browser import ARGUMENTS, find_chromium

QUERY = "data=digits&width=65536"


def main(num_runs):
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder) / "log.txt") as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(90_000)
        times = {"first points": [], "four contestants to 1e-6": [], "a control answers meanwhile": [], "cancel": []}
        for _ in range(num_runs):
            for name, duration in race(page, url).items():
                times[name].append(duration)
        for name, durations in times.items():
            print(f"{name:30} median {statistics.median(durations):6.2f} s, largest {max(durations):6.2f} s")
        browser.close()


def race(page, url):
    """Four contestants to the end; then the same race with a switch turned and a cancel on the way."""
    times = {}
    page.goto(f"{url}/race?{QUERY}")
    page.get_by_role("button", name="Start").wait_for()
    page.wait_for_timeout(2000)
    start = press_start(page)
    times["first points"] = time.perf_counter() - start
    page.get_by_role("button", name="Cancel").wait_for(state="detached")
    times["four contestants to 1e-6"] = time.perf_counter() - start

    page.goto(f"{url}/race?{QUERY}")
    page.get_by_role("button", name="Start").wait_for()
    page.wait_for_timeout(2000)
    press_start(page)
    page.get_by_role("radio", name="linear").first.click()
    start = time.perf_counter()
    page.locator("[role=radio][aria-checked=true]", has_text="linear").first.wait_for()
    times["a control answers meanwhile"] = time.perf_counter() - start
    page.get_by_role("button", name="Cancel").click()
    start = time.perf_counter()
    page.get_by_text("cancelled").first.wait_for()
    times["cancel"] = time.perf_counter() - start
    return times


def press_start(page):
    page.get_by_role("button", name="Start").click()
    start = time.perf_counter()
    page.locator(".race figure path").first.wait_for(state="attached")
    return start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
