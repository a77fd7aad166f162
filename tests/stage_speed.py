"""Measures the stage in a real browser: `python tests/stage_speed.py`.

From a key press to pixels with up to 599 nodes drawn, playback at its fastest, a datapoint dragged, jumps at a million
neurons, and the bytes a frame takes on its way.
"""

import json
import statistics
import tempfile
import zlib

from server import running_server
from stage_driver import StageDriver

from treeviz import TrainConfig, load_dataset
from treeviz.export.browser import ARGUMENTS, find_chromium
from treeviz.stage.frames import FrameMaker
from treeviz.stage.view import View
from treeviz.training.background import BackgroundRun

# Milliseconds from each key press until the browser has drawn what follows from it.
PRESS = """async ([key, shiftKey, count, pause]) => {
    const times = [];
    for (let i = 0; i < count; i++) {
        const start = performance.now();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, composed: true }));
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 0)));
        times.push(performance.now() - start);
        await new Promise((passed) => setTimeout(passed, pause));
    }
    return times;
}"""
# Milliseconds for which each step is on show in five seconds of playback.
PLAY = """async (stage) => {
    const where = stage.querySelector("[data-part=where]");
    const space = () => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
    const times = [];
    let [last, shownAt] = [where.textContent, performance.now()];
    space();
    for (const start = shownAt; performance.now() - start < 5000;) {
        await new Promise(requestAnimationFrame);
        if (where.textContent === last) continue;
        times.push(performance.now() - shownAt);
        [last, shownAt] = [where.textContent, performance.now()];
    }
    space();
    return times;
}"""
# Milliseconds between pictures while a datapoint is dragged round for five seconds, once the weights have come.
DRAG = """async (mark) => {
    const narration = mark.closest(".stage").querySelector("[data-part=narration]");
    const box = mark.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const send = (type, clientX, clientY) =>
        mark.dispatchEvent(new PointerEvent(type, { pointerId: 1, clientX, clientY, buttons: 1 }));
    mark.setPointerCapture = () => {}; // there is no pointer that could be captured
    send("pointerdown", x, y);
    send("pointermove", x - 1, y);
    const start = performance.now();
    while (!narration.textContent.includes("would read")) await new Promise(requestAnimationFrame);
    const times = [];
    let [last, sentence] = [performance.now(), ""];
    const waited = last - start;
    for (let turn = 0; last - start < waited + 5000; turn += 0.1) {
        send("pointermove", x - 20 + 20 * Math.cos(turn), y + 20 * Math.sin(turn));
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 0)));
        if (narration.textContent === sentence) continue;
        times.push(performance.now() - last);
        [last, sentence] = [performance.now(), narration.textContent];
    }
    return [waited, times];
}"""
# Milliseconds until an iteration asked for in the field is drawn.
JUMP = """async (stage, to) => {
    const [field, where] = ["jump", "where"].map((name) => stage.querySelector(`[data-part=${name}]`));
    const start = performance.now();
    field.value = to;
    field.dispatchEvent(new Event("change"));
    while (!where.textContent.startsWith(`Iteration ${to} `)) await new Promise(requestAnimationFrame);
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn, 0)));
    return performance.now() - start;
}"""


def describe(times):
    """Give median, 95th percentile and maximum of some milliseconds."""
    ordered = sorted(times)
    tail = ordered[int(0.95 * (len(ordered) - 1))]
    return f"median {statistics.median(ordered):.0f} ms, 95th percentile {tail:.0f} ms, at most {ordered[-1]:.0f} ms"


def measure_browser(page, url):
    """Print the speed of steps, playback and jumps."""
    stage = StageDriver(page, url).open("data=digits&width=65536&nodes=599")
    page.wait_for_timeout(8000)
    print(f"nodes drawn: {len(stage.states())}")
    print("small steps, search:", describe(page.evaluate(PRESS, ["ArrowRight", False, 80, 60])))
    stage.press("6")
    page.wait_for_timeout(500)
    print("small steps, repair:", describe(page.evaluate(PRESS, ["ArrowRight", False, 80, 60])))
    stage.press("Home")
    page.wait_for_timeout(500)
    print("whole iterations:", describe(page.evaluate(PRESS, ["ArrowRight", True, 7, 600])))
    stage.press("Home")
    stage.part("speed").select_option("16")
    shown = stage.element.evaluate(PLAY)
    print(f"playback at 16 times: {len(shown)} steps in 5 s, each on show for {describe(shown)}")

    stage.open("data=xor&width=65536&it=2")
    page.wait_for_timeout(3000)
    waited, times = stage.part("datapoint").get_by_role("slider").evaluate(DRAG)
    pace = f"{len(times) / 5:.0f} pictures a second, {describe(times)}"
    print(f"a datapoint dragged at 65,536 neurons: weights after {waited:.0f} ms, {pace}")

    stage.open("data=sphere&width=1048576")
    page.wait_for_timeout(8000)
    jumps = []
    for tree in (0, 7, 3, 11):
        stage.part("tree-number").fill(str(tree))
        stage.press("Enter")
        page.wait_for_timeout(600)
        for iteration in (4, 0, 3, 1, 2, 4, 0):
            jumps.append(stage.element.evaluate(JUMP, iteration))
            page.wait_for_timeout(300)
    print("jumps at 1,048,576 neurons, most to frames the browser has yet to be sent:", describe(jumps))


def measure_bytes():
    """Print what is sent for the stage at 65,536 neurons and 50 datapoints."""
    run = BackgroundRun(load_dataset("digits"), TrainConfig(width=65_536, solver="exact"))
    run.wait_for(7, timeout=60)
    maker = FrameMaker(run, "key")
    for detail in (127, 599):
        first = len(maker.answer(View(detail=detail), [0], [0]))
        frames = [
            len(zlib.compress(json.dumps(json.loads(maker.frame(View(detail=detail), i))).encode())) for i in range(8)
        ]
        print(f"up to {detail} nodes: first answer {first:,} bytes, then at most {max(frames):,} an iteration")


def main():
    """Measure on this machine."""
    from playwright.sync_api import sync_playwright

    measure_bytes()
    with tempfile.NamedTemporaryFile() as log, running_server(log.name) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        measure_browser(browser.new_page(viewport={"width": 1400, "height": 900}), url)
        browser.close()


if __name__ == "__main__":
    main()
