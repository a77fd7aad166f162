"""Settings shared by all tests, and the browser they share."""

import functools
import gc
import os
import signal
import sys
import tempfile
from pathlib import Path

# Points of the Lab that tests measure are no one's to keep; servers and commands that tests start find it here.
os.environ["TREEVIZ_LAB"] = str(Path(tempfile.gettempdir()) / f"treeviz-lab-{os.getpid()}" / "lab.sqlite")

# Two test processes with two BLAS threads each would fight over two cores. Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from node import find_node
from server import running_server
from stage_driver import StageDriver
from streamlit.components.v2 import manifest_scanner
from xdist.scheduler import LoadFileScheduling

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.export.browser import ARGUMENTS, find_chromium
from treeviz.export.replay import write_run
from treeviz.training import background
from treeviz.training.finished import finish_run

# A shell that starts us in the background has us ignore interrupts; the programs that tests interrupt would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One profile for everybody: no deadline (compilation and first-touched memory make single runs slow), seeded in CI.
settings.register_profile("treeviz", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=60)
settings.load_profile("treeviz")

# Tests open many pages and stay on none for long: what the browser spends on optimized code is not won back. It keeps
# what it has compiled for the next page.
SCRIPTS = "--js-flags=--no-maglev,--no-turbofan,--no-flush-bytecode"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage while tests are collected, and afterwards pass over all that was imported: it stays.

    Every look would pass over the modules of all libraries, a third of a second each time.
    """
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that no process is left with one at the end."""
    sizes = {path: path.stat().st_size for path in {item.path for item in items}}
    items.sort(key=lambda item: -sizes[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the tests out by file: the last process begins with those that compute, all others with the browser's.

    A process that drives the app waits often, and the processor is free for one that computes. That one starts a server
    and a browser, too, but only if it has nothing else left to do.
    """

    class ByFile(LoadFileScheduling):
        def _assign_work_unit(self, node):
            is_driver = node is not self.nodes[-1]
            wanted = (file for file in self.workqueue if (file in browser_files) == is_driver)
            self.workqueue.move_to_end(next(wanted, next(iter(self.workqueue))), last=False)
            super()._assign_work_unit(node)

    browser_files = {
        f"tests/{path.name}" for path in Path(__file__).parent.glob("test_*.py") if "mark.browser" in path.read_text()
    }
    return ByFile(config, log)


@pytest.fixture(autouse=True, scope="session")
def installed_components():
    """Look for installed Streamlit components once: every AppTest reads the metadata of all packages again."""
    found = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture(autouse=True, scope="session")
def idle_cores():
    """Let runs in the background go on at once: no page is drawn here that they would leave the cores to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "_IDLE_SECONDS", 0.0)
        yield


@pytest.fixture(autouse=True)
def main_module():
    """Give the main module back: Streamlit's AppTest leaves its script there, and new processes would run that."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def node():
    path = find_node()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Node found that is new enough: pip install '.[js]' brings one")
        pytest.skip("no Node found that is new enough: pip install '.[js]' brings one")
    return path


@pytest.fixture(scope="session")
def chromium():
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium found: run python tests/chromium.py first")
        pytest.skip("no Chromium found: run python tests/chromium.py to install one")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # as everything else waits
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, SCRIPTS])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium):
    """One browser profile for all tests: with its cache a page opens in half the time."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context):
    """The tab of all browser tests: in a new one the app's scripts would first have to be compiled."""
    page = context.pages[0] if context.pages else context.new_page()
    page.set_viewport_size({"width": 1400, "height": 900})
    page.emulate_media(color_scheme="null", reduced_motion="null")
    faults = []

    def note(message):
        # Opened at the address of a page below the first, Streamlit looks for its own server under that path first.
        is_search = "404" in message.text and "/_stcore/" in message.location["url"]
        if message.type == "error" and not is_search:
            faults.append(message.text)

    listeners = {"pageerror": lambda error: faults.append(str(error)), "console": note}
    for event, listener in listeners.items():
        page.on(event, listener)
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    if page.url.startswith("http"):
        page.evaluate("() => sessionStorage.clear()")  # the answers of one test are not those of the next
    page.goto("about:blank")
    assert faults == []


@pytest.fixture
def stage(page, server):
    return StageDriver(page, server)


@pytest.fixture(scope="session")
def circle():
    return Trainer(load_dataset("circle"), TrainConfig(width=64, solver="exact")).run(40, until_loss=1e-20)


@pytest.fixture(scope="session")
def digits():
    return Trainer(load_dataset("digits"), TrainConfig(width=65_536, solver="exact")).run(3)


@pytest.fixture(scope="session")
def replay_file(tmp_path_factory):
    """A file that plays the tree of datapoint 1 in three iterations."""
    run = finish_run(Trainer(load_dataset("circle"), TrainConfig(width=256, solver="exact")), 3, 1e-10)
    path = tmp_path_factory.mktemp("replay") / "run.html"
    path.write_text(write_run(run, [1]), encoding="utf-8")
    return path
