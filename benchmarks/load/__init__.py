"""The dashboard under load: a client that speaks Streamlit's protocol, a meeting, and many sessions."""
