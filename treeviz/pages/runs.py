"""Runs that pages show: computed once for all viewers with the same settings."""

import streamlit as st

from treeviz.pages.settings import Settings
from treeviz.search import find_engine
from treeviz.stage.frames import FrameMaker
from treeviz.training.background import BackgroundRun

_MAX_RUN_BYTES = 4 << 30


def open_run(settings: Settings) -> FrameMaker:
    """Return the run of these settings, begun if nobody has; ValueError, with a remedy, if it is too large."""
    maker: FrameMaker = _begin(settings, settings.key)
    return maker


@st.cache_resource(max_entries=4, show_spinner="Drawing the network, and building what is searched …")
def _begin(_settings: Settings, key: str) -> FrameMaker:
    data, config = _settings.load().train, _settings.config
    needed = find_engine(config.search).required_bytes(
        config.width, data.num_points, data.dimension, config.resolved_threshold
    )
    if needed > _MAX_RUN_BYTES:
        kept = "lists" if config.search == "watch" else "trees"
        raise ValueError(
            f"{data.num_points} {kept} over {config.width:,} neurons need {needed / 1e9:.1f} GB, and a page may take "
            f"{_MAX_RUN_BYTES / 1e9:.1f} GB: choose fewer datapoints or a smaller width"
        )
    return FrameMaker(
        BackgroundRun(data, config, is_checked=_settings.is_checked), key, is_portable=_settings.data.csv is None
    )


def wait_with_a_word(run: BackgroundRun, iteration: int) -> None:
    """Wait for an iteration or the end of the run, with a word to the viewer if it takes long."""
    if not run.wait_for(iteration, timeout=0.25):
        with st.spinner(f"Computing iteration {iteration} …"):
            while not (run.wait_for(iteration, timeout=0.25) or run.is_finished or run.error):
                pass
