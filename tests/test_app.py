"""The app in a real browser: what a student does, and what must never happen."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from chromium import ARGUMENTS, find_chromium

from treeviz import TrainConfig, Trainer, load_dataset

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]
SERVER_TIMEOUT = 60
CALM = "data=circle&width=64"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), f"--server.port={port}"]
    with log.open("w") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(10 * SERVER_TIMEOUT):
                try:
                    urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
            else:
                raise AssertionError(f"the server did not start: {log.read_text()}")
            yield url
        finally:
            process.terminate()
            process.wait(20)


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


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert faults == []


def open_page(page, url, query=CALM):
    page.goto(f"{url}/?{query}")
    wait_for_iteration(page, 0)


def wait_for_charts(page):
    """Until the charts are there the page is still loading, and keys have nobody to hear them."""
    page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()


def wait_for_iteration(page, iteration):
    page.get_by_role("heading", name=re.compile(rf"^Iteration {iteration}: ")).wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'")


def click(page, name):
    page.get_by_role("button", name=name, exact=False).first.click()


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue").inner_text()


def test_opens_on_digits_with_a_tree_and_no_error(page, server):
    open_page(page, server, "")
    page.locator(".js-plotly-plot").first.wait_for()
    assert "n = 50" in page.get_by_test_id("stMain").inner_text()
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlert").count() == 0
    legend = page.locator(".js-plotly-plot").first.locator(".legendtext").all_text_contents()
    assert "firing neuron: value ≥ b" in legend
    assert "modified by this iteration's move" in legend


def test_step_back_converge_reset(page, server):
    trace = Trainer(load_dataset("sphere"), TrainConfig(width=4096, solver="exact")).run()
    open_page(page, server, "data=sphere&width=4096")
    assert metric(page, "Loss") == f"{trace.records[0].loss:.3e}"
    assert page.get_by_role("button", name="Back").is_disabled()
    for iteration in (1, 2):
        click(page, "Step")
        wait_for_iteration(page, iteration)
        assert metric(page, "Loss") == f"{trace.records[iteration].loss:.3e}"
        assert metric(page, "Touched") == f"{trace.records[iteration].touched.size:,}"
        assert metric(page, "Nodes modified") == f"{trace.records[iteration].num_modified.sum():,}"
    click(page, "Back")
    wait_for_iteration(page, 1)
    assert metric(page, "Loss") == f"{trace.records[1].loss:.3e}"
    click(page, "Run to convergence")
    wait_for_iteration(page, len(trace.records) - 1)
    assert "Converged" in page.get_by_test_id("stAlert").inner_text()
    click(page, "Reset")
    wait_for_iteration(page, 0)


def test_keyboard_steps_and_goes_back(page, server):
    open_page(page, server)
    wait_for_charts(page)
    page.keyboard.press("ArrowRight")
    wait_for_iteration(page, 1)
    page.keyboard.press("ArrowRight")
    wait_for_iteration(page, 2)
    page.keyboard.press("ArrowLeft")
    wait_for_iteration(page, 1)
    page.keyboard.press("Home")
    wait_for_iteration(page, 0)


def test_another_tree_and_other_settings(page, server):
    open_page(page, server)
    page.get_by_role("spinbutton", name="Tree of datapoint").fill("5")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Iteration 0: tree of datapoint 5").wait_for()
    page.get_by_role("spinbutton", name="Seed").fill("3")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("seed=3"))
    expected = Trainer(load_dataset("circle", seed=3), TrainConfig(width=64, solver="exact", seed=3)).step()
    page.get_by_text(f"{expected.loss:.3e}").first.wait_for()


def test_losses_coincide_with_the_dense_baseline(page, server):
    open_page(page, server, "data=sphere&width=4096")
    page.get_by_text("The two coincide").wait_for()
    for chart, axis in (("operations", "operations per iteration"), ("seconds", "seconds per iteration")):
        page.get_by_role("radio", name=f"Amortized {chart}").click()
        page.locator(".js-plotly-plot .ytitle", has_text=axis).wait_for()


def test_what_cannot_be_learned_is_said_in_words(page, server):
    open_page(page, server, "data=circle&width=32&paper=false&b=4.9")
    assert "no neuron fires" in page.get_by_test_id("stAlert").first.inner_text().lower()
    page.get_by_text("8 datapoints cannot be learned").click()
    page.get_by_text("lower the threshold or widen the network").first.wait_for()
    assert page.get_by_test_id("stException").count() == 0


def test_a_damaged_address_opens_the_nearest_valid_page(page, server):
    open_page(page, server, "data=nonsense&width=7&seed=-4&b=1e99&solver=x")
    assert page.get_by_test_id("stException").count() == 0


def upload(page, path, content):
    path.write_text(content)
    page.get_by_label("Dataset").first.click()
    page.get_by_role("option", name="your own CSV").click()
    page.locator("input[type=file]").set_input_files(path)


def fill(page, label, text):
    page.get_by_role("textbox", name=label).fill(text)
    page.keyboard.press("Enter")


def test_a_csv_file_is_uploaded_and_trained(page, server, tmp_path):
    open_page(page, server)
    upload(page, tmp_path / "table.csv", "a,b,kind\n1,2,x\n3,1,y\n2,5,x\n4,4,y\n")
    fill(page, "Target column", "kindd")
    page.get_by_test_id("stAlert").filter(has_text="'kindd'").wait_for()
    fill(page, "Target column", "kind")
    page.get_by_role("heading", name="Iteration 0: tree of datapoint 0").wait_for()
    assert "n = 4" in page.get_by_test_id("stMain").inner_text()


def test_what_a_csv_error_asks_for_can_be_done_on_the_page(page, server, tmp_path):
    open_page(page, server)
    upload(page, tmp_path / "table.csv", "a,b,c,kind\n1,2,3,x\n3,1,4,y\n2,5,1,z\n0,0,0,y\n")
    fill(page, "Target column", "kind")
    page.get_by_test_id("stAlert").filter(has_text=re.compile("positive=.*in the sidebar")).wait_for()
    fill(page, "Class to learn (positive)", "y")
    page.get_by_test_id("stAlert").filter(has_text=re.compile("lift=True.*in the sidebar")).wait_for()
    page.get_by_text("Add a constant coordinate (lift)").click()
    page.get_by_role("heading", name="Iteration 0: tree of datapoint 0").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 1024, 390])
def test_nothing_is_wider_than_the_window(chromium, server, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    open_page(page, server)
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    main = page.get_by_test_id("stMain")
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()))
            .filter(node => node.getClientRects().length)
            .map(node => parseFloat(getComputedStyle(node).fontSize)))"""
    )
    assert smallest >= 11
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [65_536, 1_048_576])
def test_large_widths_step_without_an_error(page, server, width):
    page.set_default_timeout(120_000)
    open_page(page, server, f"data=sphere&width={width}")
    for iteration in (1, 2, 3):
        click(page, "Step")
        wait_for_iteration(page, iteration)
    assert page.get_by_test_id("stException").count() == 0


def test_too_large_a_run_is_refused_with_a_remedy(page, server):
    page.goto(f"{server}/?data=digits&width=1048576&digits-n=200")
    alert = page.get_by_test_id("stAlert").first
    alert.wait_for()
    assert "choose fewer datapoints or a smaller width" in alert.inner_text()
