"""Measures the memory of a server after 20 default runs were opened and left: `python tests/server_memory.py`.

Each run is opened in a tab of its own, with another seed, and the tab is closed once the run is trained and checked.
Linux only: memory is read from /proc.
"""

import os
import tempfile
import threading
import time
from pathlib import Path

from server import running_server
from stage_driver import StageDriver

from treeviz.export.browser import ARGUMENTS, find_chromium

NUM_RUNS = 20
# Seconds after the last tab was closed at which memory is read. Streamlit keeps a closed session for two minutes.
WAITS = (1, 10, 150)


def find_server():
    """Return the process number of the server that this process started last."""
    children = Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text().split()
    return [pid for pid in children if b"streamlit" in Path(f"/proc/{pid}/cmdline").read_bytes()][-1]


def describe(pid):
    """Say how much memory and how many threads a process has, and the processor time it has taken."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    user, system = map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])
    seconds = (user + system) / os.sysconf("SC_CLK_TCK")
    return f"{int(status['VmRSS'].split()[0]) / 1024:,.0f} MB, {int(status['Threads'])} threads, {seconds:.0f} CPU-s"


def open_and_leave(browser, url, query):
    """Open a run in a new browser profile, wait until it is trained and checked, and close it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    StageDriver(page, url).open(query)
    page.get_by_text("The two coincide").wait_for()
    page.wait_for_timeout(1000)
    context.close()


def main():
    """Measure on this machine."""
    from playwright.sync_api import sync_playwright

    with tempfile.NamedTemporaryFile() as log, running_server(log.name) as url, sync_playwright() as playwright:
        pid = find_server()
        print(f"started: {describe(pid)}", flush=True)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        open_and_leave(browser, url, "data=circle&width=64")
        print(f"after a small run: {describe(pid)}", flush=True)
        for seed in range(NUM_RUNS):
            open_and_leave(browser, url, f"seed={seed}")
            if seed in (0, 4, 9, NUM_RUNS - 1):
                print(f"after {seed + 1} default runs: {describe(pid)}", flush=True)
        closed = time.monotonic()
        for seconds in WAITS:
            time.sleep(max(0.0, closed + seconds - time.monotonic()))
            print(f"{seconds} s after the last was closed: {describe(pid)}", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
