"""Read the method: the lesson from the network to the theorem, with the numbers of the run in the sidebar."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

import treeviz.lesson
from treeviz.lab.experiments import find_experiments
from treeviz.lesson.caveats import DESCENT_MOVES, GAUSS_NEWTON_MOVES, Caveat, make_caveats, make_limits, make_questions
from treeviz.lesson.facts import Facts
from treeviz.lesson.links import PageLink
from treeviz.lesson.sections import Section, make_sections
from treeviz.pages.charts import show_chart
from treeviz.pages.glossary import describe
from treeviz.pages.notices import note, show_refusal
from treeviz.pages.page import Page
from treeviz.pages.page_links import show_link
from treeviz.pages.runs import open_run, wait_with_spinner
from treeviz.pages.settings import Settings
from treeviz.pages.take_home import file_name, later, offer_table
from treeviz.race.contestant import Workload
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_table import cost_table
from treeviz.race.forecast import expected_workload
from treeviz.style.glossary import load_terms
from treeviz.style.modules import join_modules
from treeviz.training.trace import Trace

# Iterations the lesson waits for, and for how many seconds: most runs are trained by then.
_ITERATIONS, _PATIENCE = 8, 1.0
_NUM_SAMPLES = 2048
_AFTER = (
    ("caveats", "What must be said honestly"),
    ("costs", "What every method costs"),
    ("questions", "Five questions"),
    ("uncertain", "What cannot be said with certainty"),
    ("glossary-list", "Glossary"),
)

_hold_anchor = st.components.v2.component(
    "treeviz-anchor",
    html="<span></span>",
    js=join_modules(Path(treeviz.lesson.__file__).parent / "web" / "anchor.js"),
)


@st.cache_resource(scope="session", max_entries=1, show_spinner=False)
def _gather(_trace: Trace, num_records: int, key: str) -> Facts:
    """Gather what the lesson says of a run (`key`), as far as it has come. Gone with its session, as the run is."""
    return Facts(replace(_trace, records=_trace.records[:num_records]))


@st.cache_resource(max_entries=8, show_spinner=False)
def _expect(_settings: Settings, _trace: Trace, key: str) -> Workload:
    """Return the sizes that the table of costs needs, a few numbers, once for all viewers of the same run (`key`)."""
    return expected_workload(_trace.dataset.X, _settings.config, num_samples=_NUM_SAMPLES)


def render(settings: Settings) -> None:
    """Draw the page."""
    st.html(
        "<style>[data-testid=stMain] .katex { font-size: 1.05em; }"
        "[data-testid=stMain] .katex-display { padding: 0.4rem 0; overflow: visible; }"
        "[data-testid=stMain] [data-testid=stHeading] :is(h2, h3) { scroll-margin-top: 0.5rem; }"
        ".st-key-anchor { display: none; }</style>"
    )
    _hold_anchor(key="anchor")
    st.header("The method, from the network to the theorem", anchor=False)
    st.markdown(
        "*Training Overparametrized Neural Networks in Sublinear Time*, by Yichuan Deng, Hang Hu, Zhao Song, Omri "
        "Weinstein and Danyang Zhuo (arXiv, 2022), has neither an experiment nor a picture. Here it is in short "
        "sections. Each has a formula, **the same formula with the numbers of the run in the sidebar**, and a button "
        "that shows it happening. You need some linear algebra, and nothing of the paper. Brackets "
        "say where a statement comes from: the *paper*; *derived*, proved in a line or two; *computed*, by a formula, "
        "without a run; or *measured*, in this run or in runs whose data and sizes are named."
    )
    # The lesson is about the forest and the exact solve, whatever the stage shows now, and about the same network.
    activation = str(st.session_state.get("activation") or "shifted")
    config = replace(settings.config, search="forest", skin=None, solver="exact", activation=activation)
    settings = replace(settings, config=config, is_checked=bool(st.session_state.get("check", True)))
    try:
        run = open_run(settings).run
    except ValueError as error:
        show_refusal(error, settings)
        return
    wait_with_spinner(run, 0)
    run.wait_for(_ITERATIONS, _PATIENCE)
    if run.error or not run.num_computed:
        st.error(f"The run stopped: {run.error}. Choose other settings, or reload the page.", icon=":material/error:")
        return
    facts = _gather(run.trace, run.num_computed, settings.key)
    lesson = make_sections(facts)
    links = [(one.key, one.title) for one in lesson] + list(_AFTER)
    st.markdown(" · ".join(f"[{title}](#{key})" for key, title in links))
    figures = {f"{place}. {section.title}": section.chart(facts) for place, section in enumerate(lesson, start=1)}
    for section, (title, figure) in zip(lesson, figures.items(), strict=True):
        _show(section, title, figure)
    titles = dict(_AFTER)
    st.subheader(titles["caveats"], anchor="caveats", divider="gray")
    _show_caveats(make_caveats(facts))
    st.subheader(titles["costs"], anchor="costs", divider="gray")
    _show_costs(settings, facts)
    st.subheader(titles["questions"], anchor="questions", divider="gray")
    st.markdown("Answer first, then open.")
    for question, answer in make_questions(facts):
        with st.expander(question):
            st.markdown(answer)
    st.subheader(titles["uncertain"], anchor="uncertain", divider="gray")
    st.markdown("\n".join(f"- **{limit.title}.** {limit.text}" for limit in make_limits(facts)))
    st.subheader(titles["glossary-list"], anchor="glossary-list", divider="gray")
    st.markdown("\n".join(f"- {describe(term)}" for term in load_terms()))
    pack = later(facts.trace, partial(_pack_charts, figures=figures))
    offer_table("All charts", f"{file_name(facts.trace.dataset.name)}-charts", pack)


def _pack_charts(trace: Trace, format: str, figures: Mapping[str, go.Figure]) -> bytes:
    from treeviz.export.page_tables import pack_charts  # with pandas, which no page has to wait for

    return pack_charts(trace, figures, format)


def _show(section: Section, title: str, figure: go.Figure) -> None:
    st.subheader(title, anchor=section.key, divider="gray")
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        st.markdown(section.text)
        st.latex(_lines(section.formula))
        note("With this run's numbers:")
        st.latex(_lines(section.with_numbers))
        st.markdown(section.conclusion)
    with right:
        show_chart(figure, title, key=f"theory-{section.key}")
        show_link(section.link, f"link-{section.key}")


def _lines(formulas: Sequence[str]) -> str:
    """Write formulas under each other, so that each fits a narrow window."""
    return r"\begin{gathered}" + r"\\[0.5em]".join(formulas) + r"\end{gathered}"


def _show_caveats(found: Sequence[Caveat]) -> None:
    for first in range(0, len(found), 2):
        for place, (column, caveat) in enumerate(
            zip(st.columns(2, gap="large"), found[first : first + 2], strict=False)
        ):
            with column:
                st.markdown(f"**{first + place + 1}. {caveat.title}.** {caveat.text}")
                with st.container(horizontal=True):
                    show_link(caveat.link, f"link-caveat-{first + place}")
                    if caveat.experiment in find_experiments():
                        in_lab = PageLink("Measure it in the Lab", "lab", settings={"experiment": caveat.experiment})
                        show_link(in_lab, f"link-lab-{first + place}")


def _show_costs(settings: Settings, facts: Facts) -> None:
    st.markdown(
        f"Operations for **n = {facts.num_points}, m = {facts.width:,}, d = {facts.dimension}**, as expected of a "
        "fresh network by the formulas the app counts by. In formulas constants and lower terms are left out. Σk is "
        "the number of pairs that fire, Σt² the sum over all neurons of the number of datapoints they fire on, "
        "squared, U the number of touched neurons, L of pairs on watch lists, *products* of those with G that "
        "conjugate gradient takes; *due* is the number of neurons that watch lists look at, *pairs* of those they "
        "watch of one, t of the datapoints it fires on. *Exact* means the same steps as computing everything, up to "
        "round-off. The paper's own method is *Forest, sketched*; *Forest* forms G from the firing sets."
    )
    load = _expect(settings, facts.trace, f"{settings.data_key} {settings.config}")
    table, sources = cost_table(CONTESTANTS.values(), load)
    st.markdown(table)
    note(" · ".join(f"[{place}] {source}" for place, source in enumerate(sources, start=1)))
    note(
        f"The methods need different numbers of iterations: {GAUSS_NEWTON_MOVES}; {DESCENT_MOVES}. What watch lists "
        "need depends on how far neurons move, which no formula knows. What finds the step size of first-order "
        "methods, once, is left out."
    )


PAGE = Page("Read the method", path="theory", order=2, render=render)
