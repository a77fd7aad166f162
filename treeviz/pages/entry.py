"""What the server runs: page settings and navigation. Started by `app.py`, or by `treeviz app`."""

import gc
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import NoReturn

import streamlit as st

import treeviz.pages.preload  # noqa: F401  (first: the others import Plotly)
from treeviz.pages import lessons
from treeviz.pages.choices import insist_on_choices
from treeviz.pages.csv_choice import keep_csv_options
from treeviz.pages.embedding import embedding, hide_page, take_embedding
from treeviz.pages.glossary import show_glossary
from treeviz.pages.notices import show_changes, usable_part
from treeviz.pages.page import Page, find_pages
from treeviz.pages.page_links import show_way_back, wanted_page
from treeviz.pages.poll import NAME as POLL
from treeviz.pages.poll_answer import show_answering
from treeviz.pages.settings import Settings, choose_settings, keep_training, rename_choices
from treeviz.stage.component import LECTURE

# As in .streamlit/config.toml, which an installed package does not have.
_SERVER_OPTIONS = {
    "server.address": "127.0.0.1",
    "server.port": "8501",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "runner.postScriptGC": "false",
    "browser.gatherUsageStats": "false",
    "global.disableWidgetStateDuplicationWarning": "true",
    "client.toolbarMode": "minimal",
    # The colour of what is chosen, legible on either background; Streamlit's own red is not.
    "theme.light.primaryColor": "#0B6299",
    "theme.dark.primaryColor": "#6CB8E6",
}


# The pictures need the room that Streamlit leaves around the page; on a phone tables need theirs.
_ROOM = """<style>
[data-testid="stMain"] { scroll-padding-top: 3.75rem; } /* the header lies over it */
[data-testid="stMainBlockContainer"] { padding: 3.2rem clamp(0.8rem, 2.5vw, 2.5rem) 3rem; }
.st-key-heading h3 { font-size: clamp(1.25rem, 1.5vw, 1.75rem); }
.st-key-stage-answer, [data-testid="stLayoutWrapper"]:has(> div > .st-key-stage-poll) { display: none; }
/* What is being waited for is said over the page, which stays where it is; a skeleton while Streamlit loads how. */
[data-testid="stMain"] [data-testid="stElementContainer"]:is(:has(> [data-testid="stSpinner"]),
  [width="fit-content"]:has(> [data-testid="stSkeleton"])) {
  position: fixed; top: 4.2rem; right: 1.5rem; z-index: 100; width: auto !important; padding: 0.3rem 0.9rem;
  background: Canvas; border: 1px solid color-mix(in srgb, currentColor 40%, transparent); border-radius: 0.5rem;
}
.st-key-stage[data-stale="true"] { opacity: 1 !important; } /* it says what it waits for, and is read meanwhile */
html.treeviz-lecture :is([data-testid="stHeader"], [data-testid="stSidebar"], .st-key-glossary) { display: none; }
html.treeviz-lecture [data-testid="stMain"] { visibility: hidden; } /* the stage is not; keys do not lead behind it */
html.treeviz-lecture [data-stale="true"] { opacity: 1 !important; } /* the page below does not shine through */
[data-testid="stSidebar"] table { font-size: 0.72rem; }
[data-testid="stSidebar"] :is(th, td) { padding: 0.3rem 0.12rem !important; }
[data-testid="stSidebar"] td:is(:first-child, :nth-child(3)) { overflow-wrap: anywhere; }
@media (max-width: 640px) {
  [data-testid="stMarkdownContainer"] table { font-size: 0.72rem; }
  [data-testid="stMarkdownContainer"] :is(th, td) { padding: 0.3rem 0.12rem !important; }
}
/* On paper: what can be read, and nothing that has to be pressed. */
@page { margin: 14mm; }
@media print {
  :is([data-testid="stHeader"], [data-testid="stSidebar"], [data-testid="stTooltipIcon"], [data-testid="stButton"],
    [data-testid="stPopover"], [data-testid="stButtonGroup"], [data-testid="stDownloadButton"], .st-key-glossary,
    .st-key-heading [data-testid="stSelectbox"]) { display: none !important; }
  [data-testid="stMainBlockContainer"] { padding: 0; }
  /* Pages are cut badly within a flexible box. */
  [data-testid="stVerticalBlock"], [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { display: block; }
  [data-testid="stColumn"] { width: 100% !important; }
  [data-testid="stVerticalBlock"] > * { margin-bottom: 0.8rem; }
  [data-stale="true"] { opacity: 1 !important; }
  .js-plotly-plot { zoom: 0.85; } /* it is as wide as the paper, and the page within is less */
  :is([data-testid="stPlotlyChart"], [data-testid="stMetric"], .katex-display, table, img) { break-inside: avoid; }
  :is(h1, h2, h3, h4) { break-after: avoid; }
  /* Dark on white, whatever the theme; components take their colours from the variables. */
  html, body { background: #fff !important; color-scheme: light !important; }
  [data-testid="stApp"], [data-testid="stApp"] * {
    color: #111 !important; background-color: transparent !important; --st-text-color: #111 !important;
    --st-background-color: #fff !important; --st-secondary-background-color: #f3f4f6 !important;
  }
  .js-plotly-plot .main-svg { background: transparent !important; }
  .js-plotly-plot text { fill: #111 !important; }
  .js-plotly-plot .bg { fill: none !important; }
}
</style>"""


def _take_address(path: str, address: Mapping[str, Sequence[str]]) -> None:
    """Keep of the address that a session begins with what its page is about, and what the stage is."""
    state = st.session_state
    take_embedding({} if path else address)
    state.page, state.lectures = path, int(address.get(LECTURE) == ["1"])
    if path:  # “why?” beside a sentence leads there
        state.asked, state.address = lessons.leave_stage(address), {}
        return
    state.asked, state.address = {}, address
    if lessons.open_from_address(address):
        st.rerun()


def _draw(page: Page) -> None:
    """Draw a page about the data chosen, or say that some have still to be."""
    settings: Settings | None = st.session_state.settings
    if page.needs_data and settings is None:
        st.info("Choose a CSV file and its target column in the sidebar, or one of the other datasets.")
        page.render_rest()
        return
    key = (page.path, settings and settings.key)
    with show_changes(key, page.names) if page.path else nullcontext():  # the stage says itself what it could not use
        if page.needs_data:
            page.render(settings)
        else:
            page.render()


@st.cache_resource(show_spinner=False)
def _freeze_imports() -> None:
    """Take the imported modules out of every later garbage collection."""
    gc.collect()
    gc.freeze()


def run() -> None:
    """Set up the browser tab, draw the sidebar and the page chosen."""
    st.set_page_config(page_title="treeviz", page_icon="🌳", layout="wide")
    _freeze_imports()
    if POLL in st.query_params:  # a student of a class: no run, no sidebar, no other pages
        return show_answering()
    pages = [
        st.Page(partial(_draw, page), title=page.title, url_path=page.path, default=not page.path)
        for page in find_pages()
    ]
    chosen = st.navigation(pages, position="top")
    insist_on_choices(is_stage=not chosen.url_path)
    if (wanted := wanted_page()) is not None:
        path, unwritten = wanted
        keep_csv_options()
        # Streamlit refuses to clear an address that widgets are bound to; they write it again.
        st.switch_page(next(page for page in pages if page.url_path == path), query_params=unwritten)
    given = {name: st.query_params.get_all(name) for name in st.query_params}
    address = rename_choices(given)
    if "address" not in st.session_state:
        _take_address(chosen.url_path, address)
    if not chosen.url_path:
        lessons.open_as_left()
    if (usable := usable_part(address)) != given:
        keep_csv_options()
        st.switch_page(chosen, query_params=usable)
    st.html(_ROOM)
    hide_page()
    show_glossary()
    if chosen.url_path:
        # A viewer who comes back to the stage finds it at rest, as it was left.
        st.session_state.plays, st.session_state.named, st.session_state.lectures = 0, 0, 0
        keep_training()
    st.session_state.settings = choose_settings()  # drawn here, and not by a page, all pages share them
    is_lesson = not chosen.url_path and lessons.open_visit() is not None
    needs_room = is_lesson or embedding()
    st.set_page_config(initial_sidebar_state="collapsed" if needs_room else "auto")
    show_way_back(chosen.url_path, is_lesson=is_lesson)
    chosen.run()


def serve(options: Sequence[str] = ()) -> NoReturn:
    """Start a server for this script; ends the process.

    Our options count where neither `options`, nor an environment variable, nor a configuration file sets them.
    """
    from streamlit import config
    from streamlit.logger import get_logger
    from streamlit.web.cli import main

    given = {option.split("=")[0] for option in options}
    known = config.get_config_options()
    ours = [
        f"--{name}={value}"
        for name, value in _SERVER_OPTIONS.items()
        if f"--{name}" not in given and known[name].env_var not in os.environ and not config.is_manually_set(name)
    ]
    # Streamlit warns if options change after they were read, as they do here; then it sets its levels again.
    get_logger("streamlit.config").setLevel("ERROR")
    main(["run", __file__, *ours, *options])
    raise SystemExit(0)


if __name__ == "__main__":
    run()
