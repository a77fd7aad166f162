"""The stage in Streamlit: one component that plays a trace in the browser.

Its scripts are plain files, each named for what it draws, put one after the other into one module; there is no build.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

# The cookie that remembers that this browser has seen the introduction; the stage sets it.
INTRODUCED = "treeviz-introduced"
_WEB = Path(__file__).parent / "web"
_SCRIPTS = ("dom", "cursor", "tree", "atlas", "lists", "plane", "output", "panel", "transport", "stage")


def _read(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


_mount = st.components.v2.component(
    "treeviz-stage",
    html=_read("stage.html"),
    css=_read("stage.css"),
    js="\n".join(_read(f"{name}.js") for name in _SCRIPTS),
)


def show_stage(key: str, data: bytes) -> None:
    """Mount the stage, or send the mounted one `data`, what a `FrameMaker` answers."""
    _mount(key=key, data=data, on_asked_change=_stay)


def last_question(key: str) -> Mapping[str, Any]:
    """Return what the stage mounted under `key` asked last; empty before its first question."""
    question = st.session_state.get(key, {}).get("asked")
    return question if isinstance(question, Mapping) else {}


def _stay() -> None:
    """Do nothing: a callback makes Streamlit keep the question as state."""
