"""The race: several methods train from the same start, live, and what each of them really costs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from treeviz.data.dataset import Split
from treeviz.pages.budget import wait_for_share
from treeviz.pages.node_price import choose_node_price, describe_node_price
from treeviz.pages.notices import note, show_refusal
from treeviz.pages.page import Page
from treeviz.pages.runs import let_go
from treeviz.pages.settings import Settings
from treeviz.race import report
from treeviz.race.charts import (
    LineChart,
    PhaseChart,
    amortized_chart,
    choose_slots,
    component_parts,
    loss_charts,
    phase_chart,
    race_payload,
    touched_charts,
)
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.forecast import Measured
from treeviz.race.lane import Lane
from treeviz.race.race import Race, warm_up
from treeviz.race.verdict import finish_of, judge, name_leaders
from treeviz.style.palette import compact, power_of_ten, seconds

_MAX_CONTESTANTS = 6
_MAX_RACE_BYTES = 6 << 30
_REFRESH_SECONDS = 0.5
_LOSSES = tuple(float(f"1e-{power}") for power in range(13))
_TIME_LIMITS = (10, 30, 60, 120, 300)
_STATES = {"waiting": "…", "running": "▸", "reached": "✓", "stopped": "■", "failed": "✗"}
_TABLE = ["contestant", "iterations", "operations", "time", "memory", "lowest loss", "test error"]
_PAST_RACES = 12  # of a session, for the page that compares them with what was expected
_LEFT = "cancelled, because the page was closed or lost its connection"
_PARTS = component_parts()
_charts = st.components.v2.component("treeviz-race", html=_PARTS["html"], css=_PARTS["css"], js=_PARTS["js"])


@st.cache_resource(show_spinner=False)
def _warm_up() -> None:
    """Load all code that a race runs, once for the server."""
    warm_up(CONTESTANTS.values())


@st.cache_resource(scope="session", max_entries=1, on_release=lambda race: race.cancel(_LEFT), show_spinner=False)
def _end_with_connection(_race: Race, address: int) -> Race:
    """Have a race cancelled when the browser leaves; its session stays for minutes. `address` tells races apart."""
    return _race


def measured_races(settings: Settings) -> list[tuple[Measured, ...]]:
    """Return what this session's races on the same data with the same threshold and seed measured, the last one first.

    Of a race before the last one these numbers are all that is kept.
    """
    races: list[tuple[str, tuple[Measured, ...]]] = list(st.session_state.get("past-races", []))
    if "race" in st.session_state:
        races.append((st.session_state.race_data, _measure(st.session_state.race)))
    wanted = (settings.data_key, settings.config.threshold, settings.config.seed)
    return [runs for key, runs in reversed(races) if (key, runs[0].config.threshold, runs[0].config.seed) == wanted]


def _measure(race: Race) -> tuple[Measured, ...]:
    return tuple(Measured.of(lane, race.config) for lane in race.lanes)


def render(settings: Settings) -> None:
    """Draw the page."""
    _warm_up()
    st.subheader("Race the methods from the same start", anchor=False)
    try:
        split = settings.load()
    except ValueError as error:
        show_refusal(error, settings)
        return
    st.markdown(
        f"All contestants get the same **{split.train.num_points} datapoints** and initial weights of "
        f"**{settings.config.width:,} neurons**. Operations, multiply-adds and tree nodes, are the same in every race; "
        "seconds differ, most in short ones."
    )
    _choose_and_start(settings, split)
    race: Race | None = st.session_state.get("race")
    if race is None:
        st.info("Choose two to six contestants and press **Start**.", icon=":material/flag:")
        _charts(key="no-charts", data=race_payload([], {}, []))  # empty: the browser loads their script meanwhile
        return
    if st.session_state.race_of != settings.key:
        note("Below is the last race, of other settings than those in the sidebar now.")
    is_over = race.is_over  # asked once: it may end while the page is drawn
    if not is_over:
        _controls(race)
    is_live = not is_over and not race.is_paused
    st.fragment(_show, run_every=_REFRESH_SECONDS if is_live else None)(race, is_over)


def _choose_and_start(settings: Settings, split: Split) -> None:
    """Draw the contestants, what they race to, and the button that starts a new race."""
    keys = st.pills(
        "Contestants, two to six",
        list(CONTESTANTS),
        selection_mode="multi",
        default=["forest", "table", "compact", "dense", "dense-sparse"],
        format_func=lambda key: CONTESTANTS[key].title,
        key="contestants",
        bind="query-params",
    )
    with st.expander("About the methods"):
        st.markdown("\n".join(f"- **{one.title}**: {one.about}" for one in CONTESTANTS.values()))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        loss = st.select_slider(
            "Loss to reach",
            _LOSSES,
            value=1e-6,
            format_func=power_of_ten,
            key="until-loss",
            bind="query-params",
            help="A method is done when its loss, ½‖f − y‖² over all datapoints, is at most this.",
            width=280,
        )
        limit = st.select_slider(
            "Time limit for all, seconds",
            _TIME_LIMITS,
            value=30,
            key="limit",
            bind="query-params",
            help="For all methods together. Turns share it out evenly; a method that is done leaves the rest to the "
            "others.",
            width=220,
        )
        batch_size = 8
        if any(CONTESTANTS[key].family == "sgd" for key in keys):
            batch_size = int(st.number_input("Mini-batch", 1, 1024, 8, key="batch", bind="query-params", width=130))
        is_possible = 2 <= len(keys) <= _MAX_CONTESTANTS
        is_started = st.button("Start", icon=":material/play_arrow:", disabled=not is_possible, key="start-race")
    if not is_possible:
        note(f"A race needs two to six contestants; chosen: {len(keys)}.")
    if is_started:
        _start(settings, split, keys, loss, limit, batch_size)


def _start(
    settings: Settings,
    split: Split,
    keys: Sequence[str],
    loss: float,
    limit: int,
    batch_size: int,
) -> None:
    contestants = [CONTESTANTS[key] for key in keys]
    config = settings.config
    needed = sum(one.required_bytes(config.width, split.train.num_points, split.train.dimension) for one in contestants)
    try:
        if needed > _MAX_RACE_BYTES:
            raise ValueError(
                f"these contestants need about {needed / 1e9:.1f} GB together, and a page may take "
                f"{_MAX_RACE_BYTES / 1e9:.1f} GB: choose fewer of them, fewer datapoints or a smaller width"
            )
        race = Race(
            split.train,
            contestants,
            replace(config, batch_size=batch_size),
            until_loss=loss,
            max_seconds=limit,
            test=split.test,
        )
        if "race" in st.session_state:
            st.session_state.race.cancel()
        let_go()  # what the session holds itself, it must not wait for
        share = wait_for_share(needed, "This race")
        share.keep_for(race)
        race.when_over(share.give_back)
    except ValueError as error:
        show_refusal(error, settings)
        return
    if "race" in st.session_state:
        past = (st.session_state.race_data, _measure(st.session_state.race))
        st.session_state["past-races"] = [*st.session_state.get("past-races", []), past][-_PAST_RACES:]
    st.session_state.race, st.session_state.race_of, st.session_state.race_data = race, settings.key, settings.data_key
    _end_with_connection(race, id(race))
    for key in ("table-loss", "verdict"):  # both were of the race before
        st.session_state.pop(key, None)
    race.start()
    race.wait_for_lap(_REFRESH_SECONDS)  # the first points are there sooner than the next look would be


def _controls(race: Race) -> None:
    """Draw pause and cancel outside what is redrawn while the race is on, where a click could be lost."""
    with st.container(horizontal=True):
        label, icon, act = (
            ("Resume", ":material/play_arrow:", Race.resume)
            if race.is_paused
            else ("Pause", ":material/pause:", Race.pause)
        )
        # One key for both labels, so that the button keeps the focus.
        st.button(label, icon=icon, on_click=_tell, args=(act,), key="pause-race")
        st.button("Cancel", icon=":material/stop:", on_click=_tell, args=(Race.cancel,), key="cancel-race")


def _tell(act: Callable[[Race], None]) -> None:
    """Act on the race: a button's callback, which must not hold the race, because Streamlit keeps callbacks."""
    act(st.session_state.race)


def _show(race: Race, was_over: bool) -> None:
    """Draw the verdict, the table and the charts of what has been done so far."""
    loss = st.session_state.get("table-loss", race.until_loss)
    node_price = int(st.session_state.get("node-price") or 1)
    if race.is_over:
        main, _, rest = _verdict(race, loss, node_price).partition("; ")
        st.markdown(f"**{main}**" + (f"; {rest}" if rest else ""))
    else:
        words = "The race is paused" if race.is_paused else "The race is on"
        spent = f"{race.seconds_spent:.0f} of {race.max_seconds:g} seconds"
        st.progress(min(1.0, race.seconds_spent / race.max_seconds), f"{words}: {spent}.")
    with st.container(horizontal=True):
        log_x = _is_log("Horizontal axes", "log-x")
        log_y = _is_log("Vertical axes", "log-y")
        unit = st.segmented_control(
            "Cost per iteration in", ["operations", "seconds"], default="operations", required=True, key="unit"
        )
        phases = st.segmented_control(
            "Phases as", ["shares", "operations"], default="shares", required=True, key="phases"
        )
        node_price = choose_node_price()
    if words := describe_node_price(node_price):
        note(words)
    slots = choose_slots(list(CONTESTANTS), [lane.contestant.key for lane in race.lanes])
    lanes = [lane.at_price(node_price) for lane in race.lanes if lane.num_laps]
    charts: list[LineChart | PhaseChart] = [
        *loss_charts(lanes, log_x=log_x, log_y=log_y, target_loss=race.until_loss),
        amortized_chart("seconds" if unit == "seconds" else "operations", log_x=log_x, log_y=log_y),
        *touched_charts(log_x=log_x, log_y=log_y),
        phase_chart(is_share=phases != "operations"),
    ]
    _charts(key="race-charts", data=race_payload(lanes, slots, charts))
    _table(race, node_price)
    if race.is_over and not was_over:
        st.rerun()  # the whole page: nothing more to wait for


def _verdict(race: Race, loss: float, node_price: int) -> str:
    """Judge once: it takes a forecast for many widths."""
    kept = st.session_state.get("verdict")
    if kept is None or kept[0] != (loss, node_price):
        words = f"{judge(race, loss, node_price)} {name_leaders(race, loss, node_price)}"
        kept = ((loss, node_price), words.strip())
        st.session_state.verdict = kept
    return str(kept[1])


def _is_log(label: str, key: str) -> bool:
    return st.segmented_control(label, ["log", "linear"], default="log", required=True, key=key) == "log"


def _table(race: Race, node_price: int) -> None:
    data, config = race.data, race.config
    note(
        f"This race: {data.name}, n = {data.num_points}, d = {data.dimension}, m = {config.width:,}, "
        f"b = {config.resolved_threshold:.3f}, seed {config.seed}."
    )
    offered = [loss for loss in _LOSSES if loss >= race.until_loss]
    loss = race.until_loss
    if len(offered) > 1:
        loss = st.select_slider(
            "What each method needed to reach a loss of",
            offered,
            value=race.until_loss,
            format_func=power_of_ten,
            key="table-loss",
            width=280,
        )
    # A table of Markdown, and no data frame: its text can be read out, and nothing has to be imported for it first.
    rows = [_TABLE, *(_row(lane.at_price(node_price), loss) for lane in race.lanes)]
    rows.insert(1, ["---", *["---:"] * (len(_TABLE) - 1)])
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in rows))
    for reason, titles in _reasons(race).items():
        note(f"**{', '.join(titles)}**: {reason}.")
    test_error = report.test_error_name(race)
    note(
        "✓ reached the loss, ▸ on its way, ■ stopped, ✗ failed. "
        f"Building included; memory is what a method keeps between iterations. {test_error[0].upper()}{test_error[1:]}."
    )


def _row(lane: Lane, loss: float) -> list[str]:
    finish = finish_of(lane, loss)
    needed = (f"{finish.iterations:,}", compact(finish.operations), seconds(finish.seconds)) if finish else ("–",) * 3
    return [
        f"{_STATES[lane.state]} {lane.contestant.title}",
        *needed,
        f"{lane.num_bytes / 1e6:.1f} MB" if lane.num_laps else "–",
        "–" if lane.lowest_loss is None else f"{lane.lowest_loss:.1e}",
        "–" if lane.test_error is None else f"{lane.test_error:.3f}",
    ]


def _reasons(race: Race) -> dict[str, list[str]]:
    """Return why lanes ended short of the loss, each reason with the titles of those it ended."""
    reasons: dict[str, list[str]] = {}
    for lane in race.lanes:
        if lane.reason:
            reasons.setdefault(lane.reason, []).append(lane.contestant.title)
    return reasons


PAGE = Page("Race the methods", path="race", order=3, render=render)
