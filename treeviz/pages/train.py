"""The training page: the stage, where one run is seen step by step, and the charts that follow its cursor."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count as count_from

import streamlit as st

from treeviz.model.numerals import count, numeral
from treeviz.pages import lessons, poll
from treeviz.pages.charts import show_chart
from treeviz.pages.choices import have_choices_changed, keep_choices
from treeviz.pages.embedding import embedding, understood_names
from treeviz.pages.gallery import show_heading
from treeviz.pages.notices import explain_changes, note, show_refusal
from treeviz.pages.page import Page
from treeviz.pages.page_links import is_page_wanted
from treeviz.pages.runs import open_run, wait_for_badge, wait_with_spinner
from treeviz.pages.settings import Settings, choose_training
from treeviz.pages.take_home import offer_run
from treeviz.pages.welcome import welcome
from treeviz.search.compiled import refusal
from treeviz.search.engine import WatchReport
from treeviz.stage.component import INTRODUCED, LECTURE, last_question, show_stage
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import NAMES, Moment, read_moment, wanted_iteration
from treeviz.stage.question import Question
from treeviz.style import sentences
from treeviz.style.faults import describe_fault
from treeviz.style.glossary import link_terms
from treeviz.style.palette import compact, percent
from treeviz.style.run_charts import RUN_CHARTS
from treeviz.style.searches import describe_search
from treeviz.training.background import MAX_ITERATIONS, TURNS, BackgroundRun
from treeviz.training.record import StepRecord
from treeviz.training.report import describe_drawing

_STAGE = "stage"
_TITLE = "A neural network that trains by editing trees"
_NUMBERS = count_from(1)  # of the moments that addresses and buttons ask for, of all sessions
_Number = tuple[str, str, str, str]  # label, value, context, explanation


def render(settings: Settings) -> None:
    """Draw the page."""
    settings = choose_training(settings)
    is_lesson, is_alone = lessons.open_visit() is not None, embedding() != ""
    if not is_lesson and not is_alone:  # a lesson has a heading of its own
        fault = settings.config.fault
        title = f"Planted fault: {describe_fault(fault).title}" if fault else _TITLE
        show_heading(title, settings)
    plays = welcome(is_expected=not is_lesson and not st.session_state.address and "run" not in st.session_state)
    try:
        maker = open_run(settings)
    except ValueError as error:
        show_refusal(error, settings)
        if is_lesson:  # its own way out is on the stage, which is not drawn
            st.button("Leave the lesson", on_click=lessons.turn, args=({"to": None},), key="leave-lesson")
        return
    if lessons.open_wanted_quiz(maker.run):
        st.rerun()
    if not is_lesson and not is_alone:
        _explain(maker.run)
    if slower := refusal():
        note(slower)
    if st.session_state.get("run") != settings.key:
        st.session_state.run = settings.key
        address, st.session_state.address = st.session_state.address, {}  # counts once, for what is opened first
        if (visit := lessons.open_visit()) and visit.scene.whole_run:
            wait_with_spinner(maker.run, MAX_ITERATIONS - 1)
        st.session_state.start, st.session_state.notices = _find_start(maker, address)
        if visit and visit.scene.focus == "badge":
            wait_for_badge(maker.run, st.session_state.start.iteration)
        st.session_state.named = next(_NUMBERS) if any(name in address for name in NAMES) else 0
        st.session_state.stays = st.session_state.pop("grows", False)
        st.session_state.scene_shown = lessons.describe_scene(maker, st.session_state.start)
    lessons.keep_address()
    poll.show_poll(_STAGE, lessons.moment_of(maker, st.session_state.start))
    keep_choices()
    _show_run(settings, plays)
    if not is_alone:
        offer_run(settings)


def _find_start(
    maker: FrameMaker[BackgroundRun], address: Mapping[str, Sequence[str]]
) -> tuple[Moment, tuple[str, ...]]:
    """Find the moment to open a run at; an address may ask for one that has still to be computed."""
    wanted = {name: texts[-1] for name, texts in address.items() if texts}
    wait_with_spinner(maker.run, wanted_iteration(wanted))
    if not maker.run.num_computed:  # it failed; the page says so
        return Moment(), ()
    moment, notices = read_moment(wanted, maker)
    return moment, explain_changes(address, (*NAMES, *lessons.NAMES, LECTURE, *understood_names())) + notices


def _explain(run: BackgroundRun) -> None:
    data, width, drawn = run.data, run.config.width, run.trace.num_drawn
    leaves = f"leaves are its inner products with all neurons, **m = {width:,}**"
    if drawn < width:
        leaves = f"leaves are its inner products with the neurons drawn, {drawn:,} in all"
    trees = (
        f"Every datapoint has a tree, **n = {data.num_points}** in all: its {leaves}, and every node above holds the "
        "larger of its two children."
    )
    drawing = f" {describe_drawing(run.trace)}" if run.config.draw == "firing" else ""
    text = f"{trees} {describe_search(run.config.search).explanation}{drawing}"
    st.markdown(text, help=f"{data.name}: {data.description}")


@st.fragment
def _show_run(settings: Settings, plays: int) -> None:
    """Answer the stage's question, and draw what follows the cursor. Runs alone whenever the stage asks.

    `plays` is how often the viewer has pressed "Play it" in the introduction. Streamlit keeps a fragment's arguments
    for minutes after the browser has left, so the run is none of them.
    """
    if is_page_wanted() or have_choices_changed():  # such as a scene of another run
        st.rerun(scope="app")
    maker = open_run(settings)
    run, start = maker.run, st.session_state.start
    question = Question.read(last_question(_STAGE), maker.run_key, run.data.num_points, run.trace.num_drawn)
    wanted = question.wanted if question else (start.iteration,)
    wait_with_spinner(run, 0)  # after a broken connection the run has to be begun again
    for iteration in wanted:
        run.wait_for(iteration, timeout=0.25)
    if run.error:
        st.error(f"The run stopped: {run.error}. Choose other settings, or reload the page.", icon=":material/error:")
        return
    if not question:
        st.session_state.cursor = start.iteration
    elif question.cursor is not None:
        st.session_state.cursor = question.cursor
    cursor = min(st.session_state.cursor, run.num_computed - 1)
    run.request(cursor)
    with TURNS.stand_back():
        answer = maker.answer(
            question.view if question else start.view,
            wanted,
            question.fields if question else wanted,
            start={**start.describe(), "named": st.session_state.named, "stays": st.session_state.stays},
            introduction={
                "plays": plays,
                "lectures": st.session_state.lectures,
                "embedding": embedding(),
                "cookie": "" if st.session_state.introduction else INTRODUCED,
            },
            lesson=st.session_state.scene_shown,
            notices=st.session_state.notices,
            neuron=maker.inspect(question.neuron, question.view.tree, question.moments) if question else None,
            weights=maker.weights(question.weights) if question else None,
            nonce=question.nonce if question else 0,
        )
        show_stage(_STAGE, answer, _take_press)
        if embedding():
            return
        _unlearnable(run, cursor)
        _numbers(run, cursor)
        _charts(maker, cursor)


def _take_press(wanted: object) -> None:
    """Take what is pressed in the lesson beside the stage."""
    if not poll.press(wanted):
        lessons.turn(wanted)


def _unlearnable(run: BackgroundRun, cursor: int) -> None:
    record = run.trace.records[cursor]
    if record.unlearnable:
        with st.expander(f"{count(len(record.unlearnable), 'datapoint')} cannot be learned"):
            for point, reason in list(record.unlearnable.items())[:50]:
                st.markdown(f"- datapoint {point}: {reason}")


def _numbers(run: BackgroundRun, cursor: int) -> None:
    """Show the numbers of the iteration the cursor rests at, over all trees."""
    record, width = run.trace.records[cursor], run.config.width
    counts = record.firing.counts
    previous = run.trace.records[cursor - 1].loss if cursor else None
    items = (
        (
            "Loss ½‖f − y‖²",
            f"{numeral(record.loss, 4)}",
            f"before: {numeral(previous, 2)}" if previous is not None else "untrained",
            "f holds the network's outputs on the datapoints, y their targets; before this iteration's move.",
        ),
        (
            "Firing per datapoint",
            numeral(counts.mean(), 3),
            f"{percent(counts.mean() / width)} of {width:,}",
            "Neurons whose inner product with a datapoint is at least b, on average over the datapoints.",
        ),
        (
            "Touched neurons",
            f"{record.touched.size:,}",
            f"{percent(record.touched.size / width)} of {width:,}",
            "They fire on at least one datapoint. Only they have a gradient, so only they move.",
        ),
        *_search_numbers(run, record),
    )
    with st.container(horizontal=True):
        for label, value, context, explanation in items:
            st.metric(label, value, context, delta_color="off", delta_arrow="off", help=explanation, width=155)
    st.caption(sentences.describe_cost(run.trace, record))


def _search_numbers(run: BackgroundRun, record: StepRecord) -> tuple[_Number, ...]:
    """Return what is to be said of the search; nothing of one that has neither lists nor the datapoints' trees."""
    if record.watch is not None:
        return _list_numbers(run, record, record.watch)
    return _node_numbers(run, record) if describe_search(run.config.search).searches_trees else ()


def _node_numbers(run: BackgroundRun, record: StepRecord) -> tuple[_Number, ...]:
    num_nodes = run.data.num_points * (2 * run.trace.num_drawn - 1)
    visited, modified = int(record.num_visited.sum()), int(record.num_modified.sum())
    return (
        (
            "Nodes searched",
            f"{visited:,}",
            f"{percent(visited / num_nodes)} of {compact(num_nodes)}",
            "Nodes the searches of all trees entered in this iteration.",
        ),
        (
            "Nodes modified",
            f"{modified:,}",
            f"{percent(modified / num_nodes)} of {compact(num_nodes)}",
            "Nodes in all trees whose value this iteration's move changed.",
        ),
    )


def _list_numbers(run: BackgroundRun, record: StepRecord, report: WatchReport) -> tuple[_Number, ...]:
    num_pairs, num_listed = run.config.width * run.data.num_points, run.trace.moving_neurons.size
    num_promoted = run.trace.promoted_before(record.iteration + 1).size
    return (
        (
            "Pairs watched",
            f"{report.num_watched:,}",
            f"{percent(report.num_watched / num_pairs)} of {compact(num_pairs)}",
            f"Pairs of a neuron and a datapoint on the lists. The skin is {numeral(report.skin, 4)}: a pair is watched "
            "if its inner product was at least b − skin at the start, or its neuron is promoted.",
        ),
        (
            "Neurons looked at",
            f"{report.num_due:,}",
            f"of {num_listed:,} with a list",
            "After this iteration's move. No other neuron can have come to b. A neuron that fired nowhere at the start "
            "never moves, and has no list.",
        ),
        (
            "Promoted so far",
            f"{num_promoted:,}",
            f"{report.promoted.size:,} in this iteration",
            "Neurons whose weights have moved farther than the skin from where they started: their lists no longer "
            "hold, so they are watched on all datapoints.",
        ),
    )


def _charts(maker: FrameMaker[BackgroundRun], cursor: int) -> None:
    """Draw the chart chosen."""
    titles = {chart.title: name for name, chart in RUN_CHARTS.items()}
    chosen = st.segmented_control(
        "Chart", list(titles), default="Loss", required=True, key="chart", label_visibility="collapsed"
    )
    run = maker.run
    num_dense = len(run.dense_trace.records) if run.dense_trace else 0
    name = titles[chosen or "Loss"]
    _draw_chart(run, maker.run_key, name, cursor, run.num_computed, num_dense, run.dense_refusal)


@st.cache_data(max_entries=500, show_spinner=False)
def _draw_chart(
    _run: BackgroundRun, run_key: str, name: str, cursor: int, num_computed: int, num_dense: int, refusal: str
) -> None:
    """Draw a chart of a run, once for all viewers: of what was computed by then, which the other arguments name."""
    chart = RUN_CHARTS[name]
    caption, axes = _CAPTIONS[name]
    show_chart(chart.build(_run.trace, _run.dense_trace, cursor), chart.title, key="chart-figure")
    st.caption(f"{link_terms(axes)} {caption(_run)}")


def _loss_caption(run: BackgroundRun) -> str:
    dense = run.dense_trace
    return run.dense_refusal or (sentences.compare_losses(run.trace, dense) if dense else "The dense baseline starts …")


def _operations_caption(run: BackgroundRun) -> str:
    return (
        "Amortized: (building + all iterations so far) / iterations so far. One operation is a multiply-add, or one "
        "tree node read or written. The dense method recomputes all inner products and takes everything else from the "
        "firing sets, with the same solver: of the dense methods here it needs the fewest operations wherever at most "
        "half of all pairs fire. The compact table keeps the inner products of the neurons that fire at the start, and "
        "reads them all."
    )


def _seconds_caption(run: BackgroundRun) -> str:
    return run.dense_refusal or (
        "Wall-clock time measured on this machine while the page was in use, so it is noisy. Two dense methods did two "
        "iterations each, and the one that was faster here is drawn: with matrix products for everything, or with "
        "matrix products and then lists of the pairs that fire, which is faster where few do. Both solve by Cholesky."
    )


# What is said below each of `RUN_CHARTS`, and before it what its axes and curves are, with links to the glossary.
_CAPTIONS: dict[str, tuple[Callable[[BackgroundRun], str], str]] = {
    "loss": (
        _loss_caption,
        "Upward the [[loss]], half the squared length of the [[residual]]; across the [[iterations|iteration]]; the "
        "squares are those of the [[dense method]].",
    ),
    "operations": (
        _operations_caption,
        "Upward the [[amortized cost]] in [[operations|operation]], with [[building]] and without; across the "
        "[[iterations|iteration]]; beside it the [[dense method]] and the [[compact table]].",
    ),
    "seconds": (
        _seconds_caption,
        "Upward the [[amortized cost]] in seconds, with [[building]] and without; across the [[iterations|iteration]]; "
        "beside it the [[dense method]].",
    ),
}


PAGE = Page("Watch one run", path="", order=1, render=render)
