"""Where students answer a class poll: a page for a phone, without a run, a sidebar or other pages."""

import re
import secrets
from pathlib import Path

import streamlit as st

import treeviz.lesson
from treeviz.lesson.poll.asked import Answer, Asked, write_answer
from treeviz.lesson.poll.solution import Solution
from treeviz.lesson.poll.store import CODE_LENGTH, LIFE_SECONDS, Found, server_polls
from treeviz.model.numerals import numeral
from treeviz.pages.notices import plain
from treeviz.pages.poll import NAME
from treeviz.style.modules import join_modules

_COOKIE = "treeviz-student"
_TOKEN = re.compile(r"[\w-]{22}", re.ASCII)
_LOOK_SECONDS = 1.0  # between looks whether the answer is shown, or the next question has come
_MARK = re.compile(r"(\*\*[^*]+\*\*|`[^`]+`)")
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 2rem 1rem; }
[data-testid="stHeader"], .st-key-student { display: none; }
[data-testid="stHeading"] h3 { font-size: 1.3rem; line-height: 1.35; }
[role="radiogroup"] { gap: 0; }
[role="radiogroup"] label { padding: .5rem 0; }
</style>"""

_remember = st.components.v2.component(
    "treeviz-student",
    html="<span></span>",
    js=join_modules(Path(treeviz.lesson.__file__).parent / "web" / "student.js"),
)


def show_answering() -> None:
    """Draw the page: the question of the poll that the address names, or a field for a code."""
    st.set_page_config(page_title="Class poll", page_icon="🌳", layout="centered", initial_sidebar_state="collapsed")
    st.html(_STYLE)
    code = _tidy(st.query_params[NAME])
    found = server_polls().find(code) if code else None
    refusal = st.session_state.pop("refusal", "")  # of the poll on show alone
    if found is None:
        _ask_for_code(code)
    else:
        st.session_state.joined = code
        _show_poll(found, refusal)
    if code:
        _follow(code, _state_of(found))


def _tidy(text: str) -> str:
    """Return a code as it is written, of what someone has typed."""
    return re.sub(r"[^A-Z0-9]", "", text[:40].upper())[: 2 * CODE_LENGTH]


def _ask_for_code(code: str) -> None:
    st.header("Class poll", anchor=False)
    if code and code == st.session_state.get("joined"):
        st.info("This poll is closed. The next question of your teacher comes here by itself.", icon=":material/lock:")
    elif code:
        st.error(f"There is no open poll with the code {code}. Look at the code again; the poll may be closed.")
    with st.form("join", border=False):
        st.text_input("Code on the screen", key="typed", max_chars=20, autocomplete="off")
        st.form_submit_button("Join", width="stretch", on_click=_join)


def _join() -> None:
    st.query_params[NAME] = _tidy(st.session_state.typed)


def _show_poll(found: Found, refusal: str) -> None:
    st.subheader(_marked(found.asked.ask), anchor=False)
    if found.solution is None:
        _ask(found.number, found.asked)
    if refusal:
        st.error(refusal, icon=":material/error:")
    given = server_polls().answer_of(found.number, _student())
    if found.solution is not None:
        _reveal(found.asked, found.solution, given)
    elif given is not None:
        _confirm(found.asked, given)
    with st.container(key="student"):
        _remember(key="token", data={"name": _COOKIE, "token": _student(), "seconds": LIFE_SECONDS})


def _ask(number: int, asked: Asked) -> None:
    with st.form(f"answer-{number}", border=False):
        key = f"given-{number}"
        if asked.kind == "estimate":
            label = f"Your estimate, in {plain(asked.unit)}" if asked.unit else "Your estimate"
            st.text_input(label, key=key, max_chars=40, autocomplete="off")
        elif asked.kind == "choose":
            st.radio(
                "Tap one answer",
                range(len(asked.options)),
                index=None,
                format_func=lambda place: _marked(asked.options[place]),
                key=key,
            )
        else:
            st.pills(
                "Tap nodes to choose them; tap one again to take it back",
                range(len(asked.options)),
                format_func=lambda place: asked.options[place],
                selection_mode="multi",
                key=key,
            )
        st.form_submit_button("Send", width="stretch", on_click=_send, args=(number, key))


def _confirm(asked: Asked, given: Answer) -> None:
    st.success(
        f"Counted: {_marked(write_answer(asked, given))}  \nYou can send another answer until the right one is shown.",
        icon=":material/how_to_reg:",
    )


def _reveal(asked: Asked, solution: Solution, given: Answer | None) -> None:
    """Say whether the answer given is right, which one is, and why."""
    if given is None:
        st.info("You have given no answer.", icon=":material/info:")
    elif solution.accepts(given):
        st.success(f"Right: {_marked(write_answer(asked, given))}", icon=":material/check:")
    else:
        st.error(f"Not right: {_marked(write_answer(asked, given))}", icon=":material/close:")
    st.markdown(f"**The right answer:** {_marked(write_answer(asked, solution.right))}{_allowance(solution)}")
    st.markdown(_marked(solution.why))


def _allowance(solution: Solution) -> str:
    if solution.is_one_enough:
        return " (one of them is enough)"
    return f", or within a factor of {numeral(solution.within, 3)}" if solution.within > 1 else ""


def _send(number: int, key: str) -> None:
    """Count what was chosen; a callback."""
    try:
        server_polls().answer(number, _student(), st.session_state.get(key))
    except ValueError as error:
        st.session_state.refusal = str(error)


def _student() -> str:
    """Return a token that stands for this browser: from its cookie, or a new one. It says nothing of who has it."""
    state = st.session_state
    if "student" not in state:
        kept = st.context.cookies.get(_COOKIE, "")
        state.student = kept if _TOKEN.fullmatch(kept) else secrets.token_urlsafe(16)
    return str(state.student)


@st.fragment(run_every=_LOOK_SECONDS)
def _follow(code: str, drawn: tuple[int, bool] | None) -> None:
    """Draw the page again once the poll with this code is another one, has been closed, or shows what is right."""
    if _state_of(server_polls().find(code)) != drawn:
        st.rerun()


def _state_of(found: Found | None) -> tuple[int, bool] | None:
    return None if found is None else (found.number, found.solution is not None)


def _marked(text: str) -> str:
    """Return a text of a lesson as Markdown: its bold words and code, and everything else as it is written."""
    return "".join(map(_mark, _MARK.split(text)))


def _mark(piece: str) -> str:
    if not _MARK.fullmatch(piece):
        return plain(piece)
    return piece if piece.startswith("`") else f"**{plain(piece[2:-2])}**"
