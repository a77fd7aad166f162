"""The menu “Take it home”: files of what a page shows, each made when its button is pressed.

What is behind the menu is drawn when it is opened, alone. Streamlit keeps for a while what makes a file, so that refers
to a run or a race weakly, and no session keeps one alive.
"""

import re
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.elements.lib.mutable_popover_container import PopoverContainer

from treeviz.export.citation import bibtex
from treeviz.export.notebook import pack_notebook, pack_script
from treeviz.export.replay import write_moment
from treeviz.pages.charts import offer_pictures
from treeviz.pages.choices import MENU, keep_menu
from treeviz.pages.notices import note, plain
from treeviz.pages.races import KeptRace
from treeviz.pages.runs import open_run, wait_with_spinner
from treeviz.pages.settings import Settings
from treeviz.race.race import Race
from treeviz.stage.component import ask_address
from treeviz.stage.moment import Moment, read_moment
from treeviz.training.background import BackgroundRun
from treeviz.training.trace import Trace

_MIME = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "npz": "application/octet-stream",
    "ipynb": "application/x-ipynb+json",
    "py": "text/x-python",
    "bib": "application/x-bibtex",
    "html": "text/html",
}
_TABLE_FORMATS = {"csv": "CSV", "parquet": "Parquet"}
_RUN = {"records": "Iterations", "ledger": "Operations by phase", "points": "Datapoints"}
_RACE = {"laps": "Iterations", "contestants": "Contestants", "phases": "Operations by phase"}
# In the header, left of the glossary's button, as that is placed.
_PLACE = """<style>
.st-key-take-home-place { position: fixed; top: 0.55rem; right: 8.6rem; width: auto; z-index: 999991; }
[data-testid="stApp"]:has(.st-key-take-home-place) [data-testid="stToolbar"] { padding-right: 18.5rem; }
@media (max-width: 1100px) {
  .st-key-take-home-place { right: 4.6rem; }
  [data-testid="stApp"]:has(.st-key-take-home-place) [data-testid="stToolbar"] { padding-right: 8.4rem; }
  .st-key-take-home-place button [data-testid="stMarkdownContainer"] { position: absolute; clip-path: inset(50%); }
}
</style>"""
_OPEN, _ADDRESS = MENU
_PATIENCE = 1.0  # seconds that a file waits for what is computed beside the run to come as far
_Owner = TypeVar("_Owner")


@st.fragment
def offer_run(settings: Settings) -> None:
    """Draw the menu of the run on show: its numbers, itself, this moment of it, and how to cite."""
    menu = _menu()
    keep_menu()
    if not menu.open:
        st.session_state.pop(_ADDRESS, None)  # it holds for one opening
        return
    with menu:
        maker = open_run(settings)
        wait_with_spinner(maker.run, 0)  # after a broken connection the run has to be begun again
        trace = maker.run.trace
        if not trace.records:
            st.markdown("The run has no iteration yet.")
            return
        name = file_name(trace.dataset.name)
        address = ask_address(_ADDRESS)
        keep_menu()
        if address is None:  # drawn now and again in a moment, a button pressed in between would give no file
            st.markdown("The files are being named …")
            return
        moment, _ = read_moment(address, maker)
        offer_pictures()
        note("The button “picture” above the tree saves the tree, the atlas and the plane, and makes films of them.")
        _offer_tables(maker.run, name, _RUN, _pack_records)
        if trace.config.fault is None:
            _offer("The run, for Trace.load", f"{name}.npz", later(trace, Trace.to_bytes))
        st.markdown(
            f"**Tree {moment.view.tree}, iteration {moment.iteration}, phase “{maker.phases[moment.phase]}”** "
            ":small[made again by its own settings, and drawn]"
        )
        _offer_moment(trace, f"{name}-tree-{moment.view.tree}-iteration-{moment.iteration}", moment)
        _offer(
            "One file that plays this tree",
            f"{name}-tree-{moment.view.tree}.html",
            later(maker.run, partial(_pack_replay, moment=moment)),
        )
        _offer_citation()


@st.fragment
def offer_race(kept: KeptRace) -> None:
    """Draw the menu of a race: the numbers that its charts and its table show, and how to cite."""
    menu = _menu()
    if not menu.open:
        return
    with menu:
        offer_pictures()
        race, state = kept.race, st.session_state
        loss, node_price = state.get("table-loss", race.until_loss), int(state.get("node-price") or 1)
        pack = partial(_pack_race, loss=loss, node_price=node_price)
        _offer_tables(race, f"{file_name(race.data.name)}-race", _RACE, pack)
        _offer_citation()


@st.fragment
def offer_table(
    title: str, name: str, pack: Callable[[str], bytes], pack_page: Callable[[], bytes] | None = None
) -> None:
    """Draw the menu of a page with one table, of which `pack` makes the file of a format; `name` begins the file's.

    `pack_page` makes an HTML file of its charts, if there can be one.
    """
    menu = _menu()
    if not menu.open:
        return
    with menu:
        offer_pictures()
        if pack_page is not None:
            _offer("All charts on one page: HTML", f"{name}.html", pack_page)
        st.markdown("**Numbers** :small[with units and all settings]")
        with st.container(horizontal=True):
            for format, word in {**_TABLE_FORMATS, "json": "JSON"}.items():
                _offer(f"{title}: {word}", f"{name}.{format}", partial(pack, format))
        _offer_citation()


def _menu() -> PopoverContainer:
    words = "Pictures, tables and more, as files"
    with st.container(key="take-home-place"):
        st.html(_PLACE)
        return st.popover(
            "Take it home", icon=":material/download:", help=words, width="content", key=_OPEN, on_change="rerun"
        )


def _pack_records(run: BackgroundRun, **options: Any) -> bytes:
    from treeviz.export.records import pack_records  # with pandas, which no page has to wait for

    run.wait_for_dense(run.num_computed - 1, _PATIENCE)
    return pack_records(run.trace, dense=run.dense_trace, **options)


def _pack_replay(run: BackgroundRun, moment: Moment) -> bytes:
    run.wait_for_check(moment.iteration, _PATIENCE)
    return write_moment(run, moment).encode()


def _pack_race(race: Race, **options: Any) -> bytes:
    from treeviz.export.race import pack_race

    return pack_race(race, **options)


def _offer_tables(owner: _Owner, name: str, tables: Mapping[str, str], pack: Callable[..., bytes]) -> None:
    """Draw a row for each table, and a button for all of them."""
    st.markdown("**Numbers** :small[with units and all settings]")
    for table, title in tables.items():
        with st.container(horizontal=True):
            for format, word in _TABLE_FORMATS.items():
                make = later(owner, partial(pack, format=format, table=table))
                _offer(f"{title}: {word}", f"{name}-{table}.{format}", make)
    _offer("All tables: JSON", f"{name}.json", later(owner, partial(pack, format="json")))


def _offer_moment(trace: Trace, name: str, moment: Moment) -> None:
    """Draw the buttons of the notebook and the script, or say why there can be none."""
    source = trace.dataset.source
    if source is None:
        note("No notebook can make these data again.")
        return
    with st.container(horizontal=True):
        _offer("Notebook", f"{name}.ipynb", later(trace, partial(pack_notebook, moment=moment)))
        _offer("Python script", f"{name}.py", later(trace, partial(pack_script, moment=moment)))
    if source.file:
        note(f"They need your file {plain(source.file)}, which is not in them.")


def _offer_citation() -> None:
    st.markdown("**How to cite** :small[the paper and this version]")
    _offer("BibTeX", "treeviz.bib", lambda: bibtex().encode())


def _offer(label: str, file: str, make: Callable[[], bytes]) -> None:
    st.download_button(label, make, file, _MIME[file.rpartition(".")[2]], on_click="ignore", key=f"take-{label}")


def later(owner: _Owner, pack: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return what makes a file of a run or a race, its first argument, if there still is one then."""
    reference = weakref.ref(owner)

    def make(*arguments: str) -> bytes:
        living = reference()
        if living is None:
            raise RuntimeError("what this file is made of is gone: close the menu and open it again")
        return pack(living, *arguments)

    return make


def file_name(name: str) -> str:
    """Return the name of some data as a part of a file's name."""
    return "treeviz-" + (re.sub(r"[^\w-]+", "-", name).strip("-")[:60] or "data")
