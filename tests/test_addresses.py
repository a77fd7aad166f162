"""Whatever an address holds, a page opens: what cannot be used is left out, and the page says so."""

import dataclasses
import random

import pytest
from streamlit.testing.v1 import AppTest

from treeviz.data.catalogue import DATASETS
from treeviz.pages import entry
from treeviz.pages.notices import explain_changes, usable_part
from treeviz.pages.page import Page, find_pages
from treeviz.pages.settings import choose_training
from treeviz.stage.moment import NAMES

SETTINGS = ("data", "width", "paper", "b", "seed", "search", "solver", "check", "rule", "skin")
OTHERS = ("batch", "paper-years", "paper-relation", "paper-themes", "run", "address", "stage", "settings", "plays")
OPTIONS = tuple(f"{name}-{option}" for name in DATASETS for option in ("n", "target", "dimension", "noise", "center"))
TEXTS = (
    *("inf", "-inf", "nan", "NaN", "Infinity", " inf ", "1e400", "-1e400", "1_0e400", "9" * 400, "1e308", "-1e308"),
    *("", "0", "-1", "1e3", "4", "64", "0.5", "true", "FALSE", "null", "[]", "{", "‮", "\x00", "٣", "x" * 2000, "1,2"),
    *("csv", "watch lists", "forest", "sketch", "circle", "sphere", "your own CSV", "100000000000000000000"),
)
NASTY_NAMES = ("", "$$ID", "$$ID-a-seed", "$$STREAMLIT_INTERNAL_KEY", " ", "seed ", "SEED", "é", "x" * 500, "__class__")


def hostile_address(rng):
    names = (*SETTINGS * 3, *OTHERS, *OPTIONS, *NAMES, *NASTY_NAMES)
    address = {}
    for name in rng.sample(names, rng.randint(1, 8)):
        texts = [rng.choice(TEXTS) for _ in range(rng.choice((1, 1, 1, 2)))]
        address[name] = texts if len(texts) > 1 else texts[0]
    return address


def open_at(address):
    app = AppTest.from_string("from treeviz.pages.entry import run\nrun()", default_timeout=60)
    for name, text in address.items():
        app.query_params[name] = text
    return app.run()


@pytest.fixture
def sidebar_alone(monkeypatch):
    """The app with one page, which draws every setting and says what could not be used, and trains nothing."""

    def render(settings):
        import streamlit as st

        choose_training(settings)
        for notice in explain_changes(st.session_state.address, NAMES):
            st.markdown(notice)

    monkeypatch.setattr(entry, "find_pages", lambda: (Page("Settings", "", 1, render),))


@pytest.mark.parametrize(("seed", "count"), [(0, 20), pytest.param(1, 500, marks=pytest.mark.slow)])
def test_no_address_breaks_the_settings(sidebar_alone, seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        address = hostile_address(rng)
        app = open_at(address)
        assert not app.exception, (address, app.exception)


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("seed", "inf", 0),
        ("seed", "1e400", 0),
        ("circle-n", "nan", 8),
        ("b", "inf", None),
        ("sphere-dimension", "inf", None),
        ("", "1", None),
        ("$$ID-1", "1", None),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(sidebar_alone, name, text, kept):
    data = {"data": "sphere"} if name.startswith("sphere") else {}
    app = open_at({**data, "paper": "false", "width": "64", name: text})
    assert not app.exception
    assert app.session_state["width"] == 64  # the rest of the address counts
    (notice,) = [element.value for element in app.main.markdown if "in the address" in element.value]
    assert f"“{name}" in notice
    assert name not in app.query_params
    if kept is not None:
        assert app.session_state[name] == kept


@pytest.mark.parametrize("text", ["clipped", "max(z, b)"])
def test_an_address_names_the_activation_now_and_as_before(sidebar_alone, text):
    app = open_at({"data": "circle", "width": "64", "activation": text})
    assert not app.exception and app.session_state["activation"] == "clipped"
    assert app.query_params["activation"] == "clipped"
    assert not [element.value for element in app.main.markdown if "in the address" in element.value]


def test_usable_parts_stay_as_they_are():
    address = {"data": ["circle"], "paper-themes": ["a", "b"], "b": ["1.5"], "seed": ["7"], "target": ["infinite"]}
    assert usable_part(address) == address
    assert usable_part({**address, "seed": ["7", "inf"], "b": ["-NaN"], "": [""]}) == {
        name: address[name] for name in ("data", "paper-themes", "target")
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", find_pages(), ids=lambda page: page.path or "stage")
def test_no_address_breaks_a_page(monkeypatch, page):
    monkeypatch.setattr(entry, "find_pages", lambda: (dataclasses.replace(page, path=""),))
    rng = random.Random(page.path)
    for _ in range(15):
        address = {**hostile_address(rng), "data": "circle", "width": "64"}
        app = open_at(address)
        assert not app.exception, (address, app.exception)
