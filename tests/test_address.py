"""Settings in an address: read without the app as its widgets read them."""

import pytest
from streamlit.testing.v1 import AppTest

from treeviz.data.catalogue import DATASETS
from treeviz.lesson.address import load_run, read_settings

ADDRESSES = (
    {},
    {"data": "xor", "xor-n": "9", "xor-noise": "0.1", "width": "128", "seed": "3", "paper": "false", "b": "1.2"},
    {"data": "digits", "digits-center": "true", "digits-target": "is-3", "width": "1024", "solver": "sketch"},
    {"data": "sphere", "sphere-dimension": "3", "search": "watch lists", "rule": "false", "skin": "0.4"},
    {"data": "sphere", "draw": "true", "search": "watch lists"},
    {"data": "wine", "search": "table", "activation": "clipped", "check": "false", "paper": "true"},
)


def _choose():
    import streamlit as st

    from treeviz.pages.settings import choose_settings, choose_training

    st.session_state.chosen = choose_training(choose_settings())


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_makes_the_run_that_the_app_shows(address):
    app = AppTest.from_function(_choose, default_timeout=60)
    app.query_params.update(address)
    assert not app.run().exception
    chosen, values = app.session_state["chosen"], read_settings(address)
    assert {name: app.session_state[name] for name in values} == values
    split, config = load_run(address)
    assert config == chosen.config and values["check"] == chosen.is_checked
    theirs = chosen.load()
    assert split.train.X.tobytes() == theirs.train.X.tobytes() and split.train.y.tobytes() == theirs.train.y.tobytes()


def test_every_dataset_has_the_settings_that_the_sidebar_has_for_it():
    for data in DATASETS:
        app = AppTest.from_function(_choose, default_timeout=60)
        app.query_params.update({"data": data, "width": "64"})
        app.run()
        values = read_settings({"data": data, "width": "64"})
        widgets = [*app.slider, *app.selectbox, *app.toggle, *app.number_input]
        drawn = {widget.key for widget in widgets if widget.key.startswith(f"{data}-")}
        assert drawn == {name for name in values if name.startswith(f"{data}-")}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"colour": "red"}, ["'colour' is no setting", "width"]),
        ({"data": "circle", "xor-n": "9"}, ["'xor-n' is no setting", "circle-n"]),
        ({"b": "1"}, ["'b' is no setting"]),
        ({"rule": "false"}, ["'rule' is no setting"]),
        ({"data": "xorr"}, ["data must be one of", "xor", "got 'xorr'"]),
        ({"width": "63"}, ["width must be one of", "64", "'63'"]),
        ({"seed": "-1"}, ["seed must be a whole number from 0 to", "'-1'"]),
        ({"seed": "1.5"}, ["seed must be a whole number"]),
        ({"data": "xor", "xor-n": "3"}, ["xor-n must be a whole number from 4 to 200"]),
        ({"data": "xor", "xor-noise": "nan"}, ["xor-noise must be a number from 0 to 1"]),
        ({"paper": "false"}, ["b must be a number from 0 to 5", "''"]),
        ({"paper": "no"}, ["paper must be one of true, false"]),
    ],
)
def test_what_cannot_be_in_an_address_is_named_with_what_can(address, words):
    with pytest.raises(ValueError) as caught:
        read_settings(address)
    assert all(word in str(caught.value) for word in words)
