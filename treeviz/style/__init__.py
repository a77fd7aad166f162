"""Plotly figures, sentences and number formats, and what the browser components share: no Streamlit."""
