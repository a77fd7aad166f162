"""Plotly figures and sentences made from records: records in, figures out, no Streamlit."""
