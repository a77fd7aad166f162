"""The stage alone, as another page has it in a frame."""

import pytest
from server import ROOT
from streamlit.testing.v1 import AppTest


def opened(**address):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, text in address.items():
        app.query_params[name] = text
    assert not app.run().exception
    return app


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({}, ""),
        ({"view": "stage"}, "controls"),
        ({"view": "stage", "controls": "none"}, "bare"),
        ({"controls": "none"}, ""),
        ({"view": "map"}, ""),
    ],
)
def test_an_address_says_what_is_shown_of_the_page(address, expected):
    app = opened(width="16", **address)
    assert app.session_state.embedding == expected
    is_alone = expected != ""
    assert bool(app.main.subheader) != is_alone and bool(app.metric) != is_alone
    left_out = [name for name in address if not is_alone]
    assert all(any(f"“{name}” in the address" in said for said in app.session_state.notices) for name in left_out)
    assert len(app.session_state.notices) == len(left_out)
