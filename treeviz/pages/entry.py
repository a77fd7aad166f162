"""What the server runs: page settings and navigation. Started by `app.py`, or by `treeviz app`."""

from collections.abc import Sequence
from typing import NoReturn

import streamlit as st

from treeviz.pages.train import render

# As in .streamlit/config.toml, which an installed package does not have.
_SERVER_OPTIONS = {
    "--server.address": "127.0.0.1",
    "--server.port": "8501",
    "--server.headless": "true",
    "--server.enableWebsocketCompression": "true",
    "--browser.gatherUsageStats": "false",
    "--client.toolbarMode": "minimal",
}


def run() -> None:
    """Set up the browser tab and draw the page."""
    st.set_page_config(page_title="treeviz", page_icon="🌳", layout="wide")
    render()


def serve(options: Sequence[str] = ()) -> NoReturn:
    """Start a server for this script with our options, where `options` does not set them; ends the process."""
    from streamlit.web.cli import main

    given = {option.split("=")[0] for option in options}
    ours = [f"{name}={value}" for name, value in _SERVER_OPTIONS.items() if name not in given]
    main(["run", __file__, *ours, *options])
    raise SystemExit(0)


if __name__ == "__main__":
    run()
