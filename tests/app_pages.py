"""Pages of the app without a browser."""

import io
import sys

import streamlit as st
from streamlit.testing.v1 import AppTest


def _draw():
    import importlib

    import streamlit as st

    from treeviz.pages.settings import choose_settings

    settings = choose_settings()
    page = importlib.import_module(f"treeviz.pages.{st.session_state.shown}").PAGE
    if settings is None:
        page.render_rest()
    else:
        page.render(settings)


def open_page(name, address=None, **state):
    """Open the page of `treeviz.pages.name` on the circle; show another by setting `session_state.shown`."""
    app = AppTest.from_function(_draw, default_timeout=60)
    app.query_params.update({"data": "circle", "width": "64", **(address or {})})
    for key, value in {"shown": name, **state}.items():
        app.session_state[key] = value
    return rerun(app)


def uploading(monkeypatch, content, name="table.csv"):
    """Have the control for data of every app hold this file; return what it holds, a list."""
    held = [named(content, name)]
    monkeypatch.setattr(
        st, "file_uploader", lambda *_, **options: held[0] if held and options.get("key") != "lesson-upload" else None
    )
    return held


def named(content, name):
    file = io.BytesIO(content if isinstance(content, bytes) else content.encode())
    file.name, file.file_id = name, str(id(file))
    return file


def press(app, label):
    next(button for button in app.button if button.label == label).click()
    return rerun(app)


def press_twice(app, label):
    """Press a button once in a browser that is busy, and sends the click twice."""
    next(button for button in app.button if button.label == label).click()
    sent = app._tree.get_widget_states()
    rerun(app)
    app._tree.get_widget_states = lambda: sent
    return rerun(app)


def rerun(app):
    """Draw the page again. AppTest leaves its script as the main module, which processes started later would run."""
    main = sys.modules["__main__"]
    try:
        return app.run()
    finally:
        sys.modules["__main__"] = main


def words(app):
    """All that the page says in Markdown."""
    assert not app.exception
    return "\n".join(element.value for element in (*app.markdown, *app.info))
