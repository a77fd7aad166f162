"""The race: several methods train from the same start, live, and what each of them really costs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Row

from treeviz.data.dataset import Split
from treeviz.lesson.links import PageLink
from treeviz.model.numerals import count, numeral
from treeviz.pages.budget import wait_for_share
from treeviz.pages.focus import move_focus, take_focus
from treeviz.pages.node_price import choose_node_price, describe_node_price
from treeviz.pages.notices import note, show_refusal
from treeviz.pages.page import Page
from treeviz.pages.page_links import show_link
from treeviz.pages.races import RACES, KeptRace, keep_address, leave_race, open_race, show_race, shown_race
from treeviz.pages.runs import let_go
from treeviz.pages.settings import Settings
from treeviz.pages.take_home import offer_race
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
from treeviz.race.goals import Goals
from treeviz.race.lane import Lane
from treeviz.race.race import MAX_LAPS, Race, warm_up
from treeviz.race.verdict import find_unfinished, finish_of, judge, name_leaders
from treeviz.style.palette import compact, seconds

_MAX_CONTESTANTS = 6
_LARGE = 1_024  # neurons; what a race of fewer shows is said with it
_LARGER = PageLink("Take 50 digits and 65,536 neurons", "race", settings={"data": "digits", "width": 65_536})
_MAX_RACE_BYTES = 6 << 30
_RESUME, _PAUSE = "resume-race", "pause-race"  # keys of buttons
_REFRESH_SECONDS = 0.5
_LOOK_SECONDS = 2.0  # at a race that rests, if others view it too: they may have it go on
_LOSSES = tuple(float(f"1e-{power}") for power in range(13))
_TIME_LIMITS = (10, 30, 60, 120, 300, 600, 1200)
_MOST_LAPS = 3 * MAX_LAPS  # of an extended race, or its numbers would take too much memory
_STATES = {"waiting": "…", "running": "▸", "reached": "✓", "stopped": "■", "failed": "✗"}
_TABLE = ["contestant", "iterations", "operations", "time", "memory", "lowest loss", "test error"]
_PAST_RACES = 12  # of a session, for the page that compares them with what was expected
_MEASURES = """One operation is a multiply-add, or one tree node read or written: their numbers are the same in every
race. Seconds are measured while this page is drawn, and differ from race to race, most in short races. All who
open the address of this page while the race is kept see the same race, and can pause, cancel and extend it.

"""
_PARTS = component_parts()
_charts = st.components.v2.component("treeviz-race", html=_PARTS["html"], css=_PARTS["css"], js=_PARTS["js"])


@st.cache_resource(show_spinner=False)
def _warm_up() -> None:
    """Load all code that a race runs, once for the server."""
    warm_up(CONTESTANTS.values())


def measured_races(settings: Settings) -> list[tuple[Measured, ...]]:
    """Return what this session's races on the same data with the same threshold and seed measured, the last one first.

    Of a race before the last one these numbers are all that is kept.
    """
    races: list[tuple[str, tuple[Measured, ...]]] = list(st.session_state.get("past-races", []))
    if (kept := shown_race()) is not None:
        races.append((kept.data_key, _measure(kept.race)))
    wanted = (settings.data_key, settings.config.threshold, settings.config.seed)
    return [runs for key, runs in reversed(races) if (key, runs[0].config.threshold, runs[0].config.seed) == wanted]


def _measure(race: Race) -> tuple[Measured, ...]:
    return tuple(Measured.of(lane, race.config) for lane in race.lanes)


def render(settings: Settings) -> None:
    """Draw the page."""
    _warm_up()
    st.subheader("Race the methods from the same start", anchor=False)
    kept = _open_race()
    try:
        split = settings.load()
    except ValueError as error:
        show_refusal(error, settings)
        return
    st.markdown(
        f"All contestants get the same **{count(split.train.num_points, 'datapoint')}** and initial weights of "
        f"**{count(settings.config.width, 'neuron')}**. Operations, multiply-adds and tree nodes, are the same in "
        "every race; seconds differ, most in short ones."
    )
    _suggest_larger(settings)
    kept, row = _choose_and_start(settings, split, kept)
    if kept is None:
        st.info("Choose two to six contestants and press **Start**.", icon=":material/flag:")
        _charts(key="no-charts", data=race_payload([], {}, []))  # empty: the browser loads their script meanwhile
        return
    if kept.settings_key != settings.key:
        note("Below is the last race, of other settings than those in the sidebar now.")
    _show_race(kept, row)


def _suggest_larger(settings: Settings) -> None:
    """Say of a small network that its race shows little, and lead to a larger one."""
    if settings.config.width >= _LARGE:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        note(
            f"A network of {count(settings.config.width, 'neuron')} is small: the trees save little on it, and times "
            "of a few milliseconds say nothing."
        )
        show_link(_LARGER, "larger-race")


def _render_rest() -> None:
    """Draw the race alone, while data have still to be chosen: a file is not uploaded again when a page is reloaded."""
    if (kept := _open_race()) is not None:
        _show_race(kept, st.container(horizontal=True))


def _open_race() -> KeptRace | None:
    kept, is_missed = open_race()
    if is_missed:
        note("The race in the address is not kept here, and was left out of it. Start a new one.")
    return kept


def _show_race(kept: KeptRace, row: Row) -> None:
    race = kept.race
    stage = _Stage.of(race)  # asked once: it may change while the page is drawn
    if not stage.is_over:
        with row:
            _controls(race)
    is_live = not stage.is_over and not stage.is_resting
    st.fragment(_show, run_every=_REFRESH_SECONDS if is_live else None)(kept, stage)
    if not is_live and kept.num_viewers > 1:
        st.fragment(_look, run_every=_LOOK_SECONDS)(kept, stage)
    offer_race(kept)


class _Stage(NamedTuple):
    """What has the whole page drawn again when it changes."""

    is_over: bool
    is_paused: bool
    is_resting: bool
    is_closed: bool
    goals: Goals

    @classmethod
    def of(cls, race: Race) -> "_Stage":
        return cls(race.is_over, race.is_paused, race.is_resting, race.is_closed, race.goals)


def _look(kept: KeptRace, stage: _Stage) -> None:
    if _Stage.of(kept.race) != stage:
        st.rerun()


def _choose_and_start(settings: Settings, split: Split, kept: KeptRace | None) -> tuple[KeptRace | None, Row]:
    """Draw the contestants, what they race to, and the buttons that start a new race or extend the one shown.

    Returns the race to show, and the row of the buttons.
    """
    keys = st.pills(
        "Contestants, two to six",
        list(CONTESTANTS),
        selection_mode="multi",
        default=["forest", "table", "compact", "dense", "dense-sparse"],
        format_func=lambda key: CONTESTANTS[key].title,
        key="contestants",
        bind="query-params",
    )
    with st.expander("About the methods, and what is measured"):
        st.markdown(_MEASURES + "\n".join(f"- **{one.title}**: {one.about}" for one in CONTESTANTS.values()))
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        loss = st.select_slider(
            "Loss to reach",
            _LOSSES,
            value=1e-6,
            format_func=lambda loss: numeral(loss, 1),
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
        kept = _start(settings, split, keys, loss, limit, batch_size)
    if kept is not None:
        with row:
            _offer_goals(kept.race, loss, limit)
    return kept, row


def _offer_goals(race: Race, loss: float, limit: int) -> None:
    """Draw the button that extends the race to the goals chosen, where they are further away than its own."""
    goals = race.goals.moved(min(loss, race.until_loss), _laps_to_do(race), max(limit, race.max_seconds))
    goes_on = race.going_on(goals) if race.is_over else not race.is_closed and goals != race.goals
    st.button(
        "Extend the race",
        icon=":material/more_time:",
        disabled=not goes_on,
        on_click=_extend,
        args=(goals,),
        key="extend-race",
        help="The race below goes on from where it is, to the loss and the time chosen here. Choose a lower loss or "
        "more time than it has.",
    )


def _laps_to_do(race: Race) -> int:
    """Return how many iterations an extended race may have: more, if a contestant has done all it may."""
    laps = race.goals.max_laps
    is_used_up = any(lane.num_laps >= laps for lane in race.lanes)
    return max(laps, min(laps + MAX_LAPS, _MOST_LAPS)) if is_used_up else laps


def _nearest_goals(race: Race) -> Goals | None:
    """Return the nearest goals at which an unfinished contestant goes on; None if there are none."""
    limits = [race.max_seconds, *(limit for limit in _TIME_LIMITS if limit > race.max_seconds)]
    offered = (race.goals.moved(None, _laps_to_do(race), limit) for limit in limits)
    return next((goals for goals in offered if race.going_on(goals)), None)


def _start(
    settings: Settings,
    split: Split,
    keys: Sequence[str],
    loss: float,
    limit: int,
    batch_size: int,
) -> KeptRace | None:
    """Start a new race in the place of the one shown, and return the one to show now."""
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
        old = shown_race()
        leave_race()
        let_go()  # what the session holds itself, it must not wait for
        share = wait_for_share(needed, "This race")
        share.keep_for_race(race)
    except ValueError as error:
        show_refusal(error, settings)
        return shown_race()
    if old is not None:
        past = (old.data_key, _measure(old.race))
        st.session_state["past-races"] = [*st.session_state.get("past-races", []), past][-_PAST_RACES:]
    kept = KeptRace(race, settings.key, settings.data_key)
    RACES.add(kept)
    show_race(kept)
    st.session_state.pop("table-loss", None)  # it was of the race before
    race.start()
    race.wait_for_lap(_REFRESH_SECONDS)  # the first points are there sooner than the next look would be
    return kept


def _controls(race: Race) -> None:
    """Draw pause and cancel outside what is redrawn while the race is on, where a click could be lost.

    A browser that is busy sends a click twice. So pause and resume are two buttons, each with a key and a meaning of
    its own, though one is seen at a time: one button for both would undo what was asked for.
    """
    if race.is_paused:
        icon, act = ":material/play_arrow:", Race.resume
        st.button("Resume", icon=icon, on_click=_tell, args=(act, _PAUSE), key=_RESUME)
    else:
        icon, act = ":material/pause:", Race.pause
        st.button("Pause", icon=icon, on_click=_tell, args=(act, _RESUME), key=_PAUSE)
    st.button("Cancel", icon=":material/stop:", on_click=_tell, args=(Race.cancel,), key="cancel-race")
    take_focus("race-focus")


def _tell(act: Callable[[Race], None], focus: str = "") -> None:
    """Act on the race: a button's callback, which must not hold the race, because Streamlit keeps callbacks.

    `focus` is the key of the button that comes in the place of the one that was pressed.
    """
    if (kept := shown_race()) is not None:
        act(kept.race)
        if focus:
            move_focus(focus)


def _extend(goals: Goals) -> None:
    """Extend the race."""
    try:
        _tell(lambda race: race.extend(**asdict(goals)))
    except ValueError as error:  # another viewer, or another run that waits for memory, was first
        st.toast(f"{str(error)[0].upper()}{str(error)[1:]}.", icon=":material/error:")
    st.session_state.pop("table-loss", None)


def _show(kept: KeptRace, stage: _Stage) -> None:
    """Draw the verdict, the table and the charts of what has been done so far."""
    race = kept.race
    keep_address(kept)
    loss = st.session_state.get("table-loss", race.until_loss)
    node_price = int(st.session_state.get("node-price") or 1)
    if race.is_over:
        main, _, rest = _verdict(kept, loss, node_price).partition("; ")
        st.markdown(f"**{main}**" + (f"; {rest}" if rest else ""))
        _offer_to_go_on(race)
    else:
        pausing = "The race is paused" if race.is_resting else "The race pauses after the step under way"
        words = pausing if race.is_paused else "The race is on"
        spent = f"{race.seconds_spent:.0f} of {numeral(race.max_seconds, 6)} seconds"
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
    _look(kept, stage)


def _offer_to_go_on(race: Race) -> None:
    """Say who did not finish, and offer to let them go on; or say that the race cannot."""
    unfinished = find_unfinished(race)
    if not unfinished:
        return
    *others, last = [f"**{lane.contestant.title}**" for lane in unfinished]
    names = f"{', '.join(others)} and {last} have" if others else f"{last} has"
    if race.is_closed:
        note(f"{names} not finished. The memory of this race was given back, so it cannot go on: start a new one.")
    elif (goals := _nearest_goals(race)) is None:
        note(f"{names} not finished. A page lets a race go on no longer than this.")
    else:
        is_longer = goals.max_seconds > race.max_seconds
        with st.container(horizontal=True, vertical_alignment="center"):
            note(f"{names} not finished, and can go on from where {'they' if others else 'it'} stopped.")
            label = f"Go on to {goals.max_seconds:g} seconds" if is_longer else "Go on"
            st.button(label, icon=":material/more_time:", on_click=_extend, args=(goals,), key="go-on")


def _verdict(kept: KeptRace, loss: float, node_price: int) -> str:
    """Judge once: it takes a forecast for many widths."""
    of = (kept.key, loss, node_price, [(lane.state, lane.num_laps) for lane in kept.race.lanes])
    last = st.session_state.get("verdict")
    if last is None or last[0] != of:
        words = f"{judge(kept.race, loss, node_price)} {name_leaders(kept.race, loss, node_price)}"
        last = (of, words.strip())
        st.session_state.verdict = last
    return str(last[1])


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
            format_func=lambda loss: numeral(loss, 1),
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
        *(text.replace(" ", "\u00a0") for text in needed),  # a number and its unit on one line
        f"{lane.num_bytes / 1e6:.1f} MB" if lane.num_laps else "–",
        "–" if lane.lowest_loss is None else numeral(lane.lowest_loss, 2),
        "–" if lane.test_error is None else f"{lane.test_error:.3f}",
    ]


def _reasons(race: Race) -> dict[str, list[str]]:
    """Return why lanes ended short of the loss, each reason with the titles of those it ended."""
    reasons: dict[str, list[str]] = {}
    for lane in race.lanes:
        if lane.reason:
            reasons.setdefault(lane.reason, []).append(lane.contestant.title)
    return reasons


PAGE = Page("Race the methods", path="race", order=3, render=render, render_rest=_render_rest, names=("race",))
