"""The stage alone in a browser, without the app: what it makes of the answers it is given, and what it asks."""

import base64

import pytest

from treeviz import TrainConfig, load_dataset
from treeviz.stage import component
from treeviz.stage.frames import FrameMaker, View
from treeviz.stage.moment import Moment
from treeviz.training.background import BackgroundRun

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("default")]

# Mounts the stage as Streamlit does. An answer may say how many milliseconds its decoding takes.
MOUNT = """async (script) => {
    const { default: call } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    const json = Response.prototype.json;
    Response.prototype.json = async function () {
        const answer = await json.call(this);
        await new Promise((passed) => setTimeout(passed, answer.delay ?? 0));
        decoded++;
        return answer;
    };
    Object.assign(window, { decoded: 0, questions: [], element: document.querySelector(".stage") });
    window.give = (text) => {
        const data = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const setStateValue = (_, question) => questions.push(question);
        return call({ parentElement: document.body, data, setStateValue });
    };
}"""
NODES_DRAWN = """() => new Promise((count) => requestAnimationFrame(() => requestAnimationFrame(() =>
    count(element.querySelectorAll("[data-node]").length))))"""


def answer(maker, **rest):
    start, given = Moment().describe(), {"notices": [], "nonce": 0, **rest}
    return base64.b64encode(maker.answer(View(), [0], [], start=start, **given)).decode()


@pytest.fixture(scope="module")
def makers():
    """Two runs, whose trees have 127 and 63 nodes."""
    runs = [BackgroundRun(load_dataset("circle"), TrainConfig(width=width, solver="exact")) for width in (64, 32)]
    assert all(run.wait_for(0, timeout=60) for run in runs)
    return [FrameMaker(run, f"width={run.config.width}") for run in runs]


@pytest.fixture
def alone(context):
    """The stage in a tab of its own, without the app."""
    page = context.new_page()
    html = component.PARTS["html"]
    page.route("http://localhost/", lambda route: route.fulfill(content_type="text/html", body=html))
    page.goto("http://localhost/")
    page.evaluate(MOUNT, component.PARTS["js"])
    yield page
    page.close()


def test_answers_are_taken_in_the_order_they_came(alone, makers):
    old, new = makers
    alone.evaluate("answers => void answers.map(give)", [answer(old, delay=300), answer(new)])
    alone.wait_for_function("decoded === 2")
    assert alone.evaluate(NODES_DRAWN) == 63


def test_an_answer_that_cannot_be_read_holds_up_no_other(alone, makers):
    alone.evaluate("window.onerror = (fault) => { window.fault = fault; return true; }")
    alone.evaluate("answers => void answers.map(give)", [base64.b64encode(b"torn").decode(), answer(makers[0])])
    alone.wait_for_function("decoded === 1")
    assert alone.evaluate(NODES_DRAWN) == 127
    assert "TypeError" in alone.evaluate("fault")


def test_an_answer_that_comes_too_late_for_a_stage_taken_away_is_left(alone, makers):
    alone.evaluate("answer => { const leave = give(answer); element.remove(); leave(); }", answer(makers[0], delay=100))
    alone.wait_for_function("decoded === 1")
    assert alone.evaluate(NODES_DRAWN) == 0


def test_a_new_run_is_asked_at_once_although_the_old_one_owes_an_answer(alone, makers):
    old, new = makers
    alone.evaluate("answer => void give(answer)", answer(old))
    alone.wait_for_function("questions.length === 1")
    alone.evaluate("answer => void give(answer)", answer(new))
    alone.wait_for_function("run => questions.at(-1).run === run", arg=new.run_key, timeout=3000)
