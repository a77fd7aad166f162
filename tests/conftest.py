"""Settings shared by all tests, and the browser they share."""

import os

# Two test processes with two BLAS threads each would fight over two cores. Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from chromium import ARGUMENTS, find_chromium
from hypothesis import settings
from server import running_server
from stage_driver import StageDriver

from treeviz import TrainConfig, Trainer, load_dataset

# One profile for everybody: no deadline (compilation and first-touched memory make single runs slow), seeded in CI.
settings.register_profile("treeviz", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=60)
settings.load_profile("treeviz")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture(scope="session")
def chromium():
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium found: run python tests/chromium.py first")
        pytest.skip("no Chromium found: run python tests/chromium.py to install one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
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
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
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
