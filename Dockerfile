# The server as an image: `docker compose up` builds it, docs/administration.md explains it.
FROM python:3.11.14-slim-bookworm AS build
COPY requirements.txt .
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: -r requirements.txt

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home cohort \
    && install --directory --owner cohort --mode 0700 /store
COPY --from=build /venv /venv
WORKDIR /app
COPY analytics analytics
COPY data data
COPY pages pages
COPY app.py asgi.py requirements.txt pyproject.toml LICENSE ./
COPY .streamlit/config.toml .streamlit/config.toml
COPY deploy/start.sh deploy/start.sh
# Nothing is written but /store and /tmp: the root may be read-only.
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    COHORT_STORE=/store \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501
USER cohort
VOLUME /store
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["sh", "deploy/start.sh"]
