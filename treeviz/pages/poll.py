"""The class poll of a teacher: opened on the question of the scene on show, and closed with it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import segno
import streamlit as st

from treeviz.lesson.poll.asked import Asked, as_asked
from treeviz.lesson.poll.counts import count_answers
from treeviz.lesson.poll.solution import Solution, as_solution
from treeviz.lesson.poll.store import MAX_ANSWERS, Opened, server_polls
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.stage.component import bring_poll

NAME = "poll"  # in the address of a student
REFRESH_SECONDS = 1.0
_LONGEST_ADDRESS = 300


@dataclass(frozen=True, slots=True)
class OpenPoll:
    """The poll that a session has opened.

    Attributes
    ----------
    opened : as the store knows it.
    scene : on show.
    asked : what students see of its question.
    solution : what is right.
    link : the address with the code in it.
    home : of the app, as the teacher's browser sees it.
    qr : the rows of the link's QR code, as 0 and 1.
    is_revealed : whether students have been shown what is right.
    """

    opened: Opened
    scene: Mapping[str, Any]
    asked: Asked
    solution: Solution
    link: str
    home: str
    qr: tuple[str, ...]
    is_revealed: bool = False


def press(wanted: object) -> bool:
    """Note what is to be done with a poll, and return whether `wanted`, sent by the browser, says something of it.

    A callback; the page then does it.
    """
    act = wanted.get("poll") if isinstance(wanted, Mapping) else None
    if act in ("open", "reveal", "close"):
        st.session_state.poll_wanted = act
    return act is not None


def show_poll(key: str, moment: TreeMoment) -> None:
    """Bring the stage how the poll stands, once a second while one is open; it is closed if its scene has been left.

    `moment` is that of the scene on show.
    """
    state = st.session_state
    state.setdefault("poll", None)
    if "poll_scene" not in state or state.poll_scene != state.scene_shown:
        state.poll_scene, state.poll_error = state.scene_shown, ""
    wanted = state.pop("poll_wanted", None)
    if wanted == "close" or (state.poll and state.poll.scene != state.scene_shown):
        _close()
    elif wanted == "reveal" and state.poll:
        server_polls().reveal(state.poll.opened, state.poll.solution)
        state.poll = replace(state.poll, is_revealed=True)
    elif wanted == "open" and state.poll is None and state.scene_shown and state.scene_shown["scene"]["question"]:
        try:
            state.poll, state.poll_error = _open(state.scene_shown, moment), ""
        except ValueError as error:
            state.poll_error = f"No poll could be opened: {error}."
    st.fragment(_bring, run_every=REFRESH_SECONDS if state.poll else None)(key)


def _open(scene: Mapping[str, Any], moment: TreeMoment) -> OpenPoll:
    state, home = st.session_state, _home(st.context.url)
    question = scene["scene"]["question"]
    asked = as_asked(question, moment)
    opened = server_polls().open(asked, state.get("poll_code", ""))
    state.poll_code = opened.code  # the next poll has it too, if it can: the class stays where it is
    link = f"{home}?{NAME}={opened.code}"
    qr = tuple("".join(map(str, row)) for row in segno.make_qr(link, error="m").matrix)
    return OpenPoll(opened, scene, asked, as_solution(question), link, home, qr)


def _bring(key: str) -> None:
    state = st.session_state
    poll: OpenPoll | None = state.poll
    answers = server_polls().look(poll.opened) if poll else None
    if poll and answers is None:
        state.poll = None
        state.poll_error = "The poll has been closed: it was open for two hours, or this page was away for two minutes."
        st.rerun()
    shown = None
    if poll and answers is not None:
        counts = count_answers(poll.asked, poll.solution, answers)
        shown = {
            "number": poll.opened.number,
            "code": poll.opened.code,
            "address": f"{poll.home.removeprefix('http://')}?{NAME}",
            "link": poll.link,
            "qr": poll.qr,
            "warning": _warning(poll.home),
            "answers": counts.num_answers,
            "right": counts.num_right,
            "revealed": poll.is_revealed,
            "full": counts.num_answers >= MAX_ANSWERS,
            "bars": [{"label": bar.label, "count": bar.count, "right": bar.is_right} for bar in counts.bars],
            "more": counts.num_left_out,
        }
    bring_poll(key, {"poll": shown, "error": state.poll_error})


def _close() -> None:
    poll: OpenPoll | None = st.session_state.poll
    if poll is not None:
        server_polls().close(poll.opened)
    st.session_state.poll = None


def _home(url: str | None) -> str:
    """Return the address of the app as this browser sees it; ValueError if no student can be sent there."""
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or not parts.netloc or len(url or "") > _LONGEST_ADDRESS:
        raise ValueError("the browser does not say at which address it sees this app")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def _warning(home: str) -> str:
    """Say so if others cannot open this address."""
    host = urlsplit(home).hostname or ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        is_here = host == "localhost" or host.endswith(".localhost")
    if not is_here:
        return ""
    return (
        "Only this computer can open this address. For a class, start the app with “treeviz serve” and open the "
        "address that it prints."
    )
