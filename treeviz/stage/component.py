"""The stage in Streamlit: a component that plays a trace, and one that brings it what the server answers."""

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

import streamlit as st

from treeviz.style.glossary import load_terms
from treeviz.style.modules import join_modules

# The cookie that remembers that this browser has seen the introduction; the stage sets it.
INTRODUCED = "treeviz-introduced"
# In an address, with the value 1, it opens the stage in lecture mode.
LECTURE = "lecture"
# How the stage is shown: "" on its page, else alone in a frame of another page, with its controls or bare of them.
Embedding = Literal["", "controls", "bare"]
_WEB = Path(__file__).parent / "web"


def _write_terms() -> str:
    """Return the glossary as JSON, fit to stand in HTML."""
    return html.escape(json.dumps([asdict(term) for term in load_terms()], ensure_ascii=False))


PARTS = {
    "html": (_WEB / "stage.html").read_text(encoding="utf-8").replace("GLOSSARY", _write_terms()),
    "css": (_WEB / "stage.css").read_text(encoding="utf-8"),
    "js": join_modules(_WEB / "stage.js"),
}

_mount = st.components.v2.component("treeviz-stage", html=PARTS["html"], css=PARTS["css"], js=PARTS["js"])
_bring = st.components.v2.component("treeviz-answer", html="<span></span>", js=join_modules(_WEB / "answer.js"))
_ask_address = st.components.v2.component("treeviz-address", html="<span></span>", js=join_modules(_WEB / "address.js"))
_bring_news = st.components.v2.component("treeviz-poll", html="<span></span>", js=join_modules(_WEB / "poll_news.js"))


def show_stage(key: str, data: bytes, on_turn: Callable[[object], None]) -> None:
    """Mount the stage, or send the mounted one `data`, what a `FrameMaker` answers.

    `on_turn` is called, before the page is drawn again, with what the browser sends to turn to another scene, or to
    open or close a poll. The stage itself is the same every time, so Streamlit sends a browser that has it no more than
    its name.
    """
    _mount(key=key, on_asked_change=_stay, on_turned_change=lambda: on_turn(st.session_state[key]["turned"]))
    _bring(key=f"{key}-answer", data=data)


def bring_poll(key: str, news: Mapping[str, object]) -> None:
    """Bring the stage mounted under `key` how the session's poll stands; `PollNews` in types.d.ts says what that is."""
    _bring_news(key=f"{key}-poll", data=news)


def ask_address(key: str) -> dict[str, str] | None:
    """Ask the browser what its address holds, and return what it said last; what asks is drawn again when it answers.

    None before its first answer.

    Streamlit knows of an address what it has written itself. The stage writes the moment there.
    """
    said = st.session_state.get(key, {}).get("search")
    _ask_address(key=key, data=said if isinstance(said, str) else "", on_search_change=_stay)
    return dict(parse_qsl(said.removeprefix("?"))) if isinstance(said, str) else None


def last_question(key: str) -> object:
    """Return what the stage mounted under `key` asked last, as the browser sent it; None before its first question."""
    return st.session_state.get(key, {}).get("asked")


def _stay() -> None:
    """Do nothing: a callback makes Streamlit keep the question as state."""
