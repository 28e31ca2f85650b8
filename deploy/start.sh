#!/bin/sh
# Starts the server; a store in which nothing was ever published gets the embedded cohorts first.
set -eu
if ! ls "$COHORT_STORE"/*.history.jsonl >/dev/null 2>&1; then
    python -m data demo
fi
exec streamlit run asgi.py
