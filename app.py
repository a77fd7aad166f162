"""Entry point: `streamlit run app.py`."""

from treeviz.pages.entry import run

run()
