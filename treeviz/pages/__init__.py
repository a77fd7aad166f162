"""Streamlit pages; only here, and in the stage, is Streamlit imported."""
