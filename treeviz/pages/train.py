"""The training page: one run, seen iteration by iteration."""

import gc
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from treeviz.background import CONVERGED_LOSS, MAX_ITERATIONS, BackgroundRun
from treeviz.engines import ForestEngine
from treeviz.pages.settings import Settings, choose_settings
from treeviz.views import words
from treeviz.views.charts import cost_figure, loss_figure
from treeviz.views.detail import draw_tree
from treeviz.views.palette import compact, percent
from treeviz.views.tree import describe_tree, tree_figure

_MAX_RUN_BYTES = 4 << 30


@st.cache_resource(show_spinner=False)
def _freeze_imports() -> None:
    """Take the imported modules out of every later garbage collection, which Streamlit asks for after each rerun."""
    gc.collect()
    gc.freeze()


@st.cache_resource(max_entries=4, show_spinner="Drawing the network and building the trees …")
def _start(_settings: Settings, key: str) -> BackgroundRun:
    """Build a run once for all viewers with the same settings (`key`)."""
    data, config = _settings.load(), _settings.config
    needed = ForestEngine.required_bytes(config.width, data.num_points, data.dimension)
    if needed > _MAX_RUN_BYTES:
        raise ValueError(
            f"{data.num_points} trees over {config.width:,} neurons need {needed / 1e9:.1f} GB, and a page may take "
            f"{_MAX_RUN_BYTES / 1e9:.1f} GB: choose fewer datapoints or a smaller width"
        )
    return BackgroundRun(data, config)


def render() -> None:
    """Draw the page."""
    _freeze_imports()
    st.title("A neural network that trains by editing trees", anchor=False)
    settings = choose_settings()
    if settings is None:
        st.info("Choose a CSV file and its target column in the sidebar, or one of the other datasets.")
        return
    try:
        run = _start(settings, settings.key)
    except ValueError as error:
        text = f"{str(error)[0].upper()}{str(error)[1:]}."
        if settings.csv is not None:
            text += " The settings named here are in the sidebar, under the file."
        st.error(text, icon=":material/error:")
        return
    if st.session_state.get("run") != settings.key:
        st.session_state.run, st.session_state.cursor = settings.key, 0
    _explain(run)
    run.request(st.session_state.cursor or 0)
    if st.session_state.cursor is None:
        st.session_state.cursor = _converge(run)
    if not _wait(run, st.session_state.cursor):
        return
    cursor = st.session_state.cursor = min(st.session_state.cursor, run.num_computed - 1)
    _controls(run)
    _status(run, cursor)
    _tree(run, cursor)
    _numbers(run, cursor)
    _charts(run, cursor)


def _explain(run: BackgroundRun) -> None:
    data, width = run.data, run.config.width
    st.markdown(
        f"Each of the **n = {data.num_points}** datapoints has a tree. Its **m = {width:,}** leaves are the inner "
        "products of all neurons with that datapoint, and every node above holds the larger of its two children. "
        "Training repeats two things: *search* each tree for the few neurons that fire, then *move* those neurons, "
        "which changes a small part of every tree."
    )
    st.caption(f"{data.name}: {data.description}")


def _controls(run: BackgroundRun) -> None:
    """Draw the transport. A button only moves the cursor; the page, drawn again, then waits for the iteration."""
    state = st.session_state
    at_end = run.is_finished and state.cursor >= run.num_computed - 1
    at_start = state.cursor == 0

    def button(label: str, icon: str, cursor: int | None, disabled: bool, shortcut: str | None = None) -> None:
        st.button(
            label,
            key=label,
            icon=f":material/{icon}:",
            width="content",
            disabled=disabled,
            shortcut=shortcut,
            on_click=state.update,
            args=({"cursor": cursor},),
        )

    with st.container(horizontal=True):
        button("Step", "skip_next", state.cursor + 1, at_end, "Right")
        button("Back", "skip_previous", max(0, state.cursor - 1), at_start, "Left")
        button("Run to convergence", "fast_forward", None, at_end)
        button("Reset", "replay", 0, at_start, "Home")


def _converge(run: BackgroundRun) -> int:
    """Compute until the loss is small, nothing moves, or the limit; return the iteration to show."""
    place = st.empty()
    progress = place.progress(0.0, "Training …")
    reached = MAX_ITERATIONS - 1
    for iteration in range(MAX_ITERATIONS):
        while not (run.wait_for(iteration, timeout=0.2) or run.is_finished or run.error):
            progress.progress(iteration / MAX_ITERATIONS, f"Iteration {iteration} …")
        if run.num_computed <= iteration:
            reached = max(run.num_computed - 1, 0)
            break
        loss = run.trace.records[iteration].loss
        progress.progress((iteration + 1) / MAX_ITERATIONS, f"Iteration {iteration}: loss {loss:.2e}")
        if loss <= CONVERGED_LOSS:
            reached = iteration
            break
    place.empty()
    return reached


def _wait(run: BackgroundRun, iteration: int) -> bool:
    """Wait for an iteration or the end of the run, with a word to the viewer if it takes long; False after an error."""
    if not run.wait_for(iteration, timeout=0.25):
        with st.spinner(f"Computing iteration {iteration} …"):
            while not (run.wait_for(iteration, timeout=0.25) or run.is_finished or run.error):
                pass
    if run.error:
        st.error(f"The run stopped: {run.error}. Choose other settings, or reload the page.", icon=":material/error:")
    return run.error is None


def _status(run: BackgroundRun, cursor: int) -> None:
    record = run.trace.records[cursor]
    if record.status != "ok":
        st.warning(f"{record.status[0].upper()}{record.status[1:]}.", icon=":material/info:")
    elif record.loss <= CONVERGED_LOSS:
        st.success(f"Converged: loss {record.loss:.1e} after {cursor} iterations.", icon=":material/check_circle:")
    if record.unlearnable:
        with st.expander(f"{len(record.unlearnable)} datapoints cannot be learned"):
            for point, reason in list(record.unlearnable.items())[:50]:
                st.markdown(f"- datapoint {point}: {reason}")


def _tree(run: BackgroundRun, cursor: int) -> None:
    record = run.trace.records[cursor]
    place = st.empty()
    with st.container(horizontal=True):
        point = int(
            st.number_input(
                "Tree of datapoint",
                0,
                run.data.num_points - 1,
                0,
                key="tree",
                help="There is one tree for each datapoint, numbered from 0.",
                width=200,
            )
        )
        max_nodes = st.segmented_control(
            "Nodes drawn, at most", [31, 63, 127, 255], default=63, required=True, key="nodes", width="content"
        )
    place.subheader(f"Iteration {cursor}: tree of datapoint {point}", anchor=False)
    step = run.trace.replay(point, cursor)
    drawn = draw_tree(step, int(max_nodes or 63))
    st.plotly_chart(tree_figure(drawn), key="tree-figure", config={"displayModeBar": False}, width="stretch")
    st.caption(describe_tree(drawn))
    left, right = st.columns(2)
    left.markdown(words.describe_search(step))
    left.markdown(words.describe_solve(run.trace, record))
    right.markdown(words.describe_move(step, record))
    right.markdown(words.describe_cost(run.trace, record))


def _numbers(run: BackgroundRun, cursor: int) -> None:
    """Show this iteration's numbers over all trees."""
    record, width = run.trace.records[cursor], run.config.width
    num_nodes = run.data.num_points * (2 * width - 1)
    counts = np.array([fired.size for fired in record.firing])
    visited, modified = int(record.num_visited.sum()), int(record.num_modified.sum())
    previous = run.trace.records[cursor - 1].loss if cursor else None
    items = (
        (
            "Loss ½‖f − y‖²",
            f"{record.loss:.3e}",
            f"before: {previous:.1e}" if previous is not None else "untrained",
            "f holds the network's outputs on the datapoints, y their targets; before this iteration's move.",
        ),
        (
            "Firing per datapoint",
            f"{counts.mean():,.0f}",
            f"{percent(counts.mean() / width)} of {width:,}",
            "Neurons whose inner product with a datapoint is at least b, on average over the datapoints.",
        ),
        (
            "Touched neurons",
            f"{record.touched.size:,}",
            f"{percent(record.touched.size / width)} of {width:,}",
            "They fire on at least one datapoint. Only they have a gradient, so only they move.",
        ),
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
    with st.container(horizontal=True):
        for label, value, context, explanation in items:
            st.metric(label, value, context, delta_color="off", delta_arrow="off", help=explanation, width=165)


def _charts(run: BackgroundRun, cursor: int) -> None:
    """Draw the chart chosen, in a fragment that looks again while the dense baseline is behind."""
    st.fragment(_draw_chart, run_every=1.0 if run.dense_is_behind else None)(run, cursor)


def _draw_chart(run: BackgroundRun, cursor: int) -> None:
    was_behind = run.dense_is_behind
    chosen = st.segmented_control(
        "Chart", list(_CHARTS), default="Loss", required=True, key="chart", label_visibility="collapsed"
    )
    figure, caption = _CHARTS[chosen or "Loss"](run, cursor)
    st.plotly_chart(figure, key="chart-figure", config={"displayModeBar": False})
    st.caption(caption)
    if was_behind and not run.dense_is_behind:
        st.rerun()


def _loss_chart(run: BackgroundRun, cursor: int) -> tuple[go.Figure, str]:
    trace, dense, shown = run.trace, run.dense_trace, cursor + 1
    dense_losses = dense.losses[:shown] if dense else np.empty(0)
    caption = run.dense_refusal or (words.compare_losses(trace, dense) if dense else "The dense baseline starts …")
    return loss_figure(trace.losses[:shown], dense_losses, cursor), caption


def _operations_chart(run: BackgroundRun, cursor: int) -> tuple[go.Figure, str]:
    trace, shown = run.trace, cursor + 1
    figure = cost_figure(
        trace.amortized()[:shown],
        trace.amortized(include_build=False)[:shown],
        trace.amortized(of="dense")[:shown],
        cursor,
        "operations",
        "dense method, same solver",
    )
    return figure, (
        "Amortized: (building + all iterations so far) / iterations so far. One operation is a multiply-add, or one "
        "tree node read or written; the dense method is charged by the same rules."
    )


def _seconds_chart(run: BackgroundRun, cursor: int) -> tuple[go.Figure, str]:
    trace, dense, shown = run.trace, run.dense_trace, cursor + 1
    figure = cost_figure(
        trace.amortized("seconds")[:shown],
        trace.amortized("seconds", include_build=False)[:shown],
        dense.amortized("seconds")[:shown] if dense else np.empty(0),
        cursor,
        "seconds",
        "strongest dense baseline",
    )
    return figure, run.dense_refusal or (
        "Wall-clock time measured on this machine while the page was in use, so it is noisy. The dense baseline is the "
        "strongest we know: matrix products into buffers allocated once, exact Gram matrix, Cholesky."
    )


_CHARTS: dict[str, Callable[[BackgroundRun, int], tuple[go.Figure, str]]] = {
    "Loss": _loss_chart,
    "Amortized operations": _operations_chart,
    "Amortized seconds": _seconds_chart,
}
