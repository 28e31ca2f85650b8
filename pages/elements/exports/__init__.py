"""Results as files: a frame in, bytes out. No Streamlit in here."""
