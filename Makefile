# Two commands do everything on a fresh machine with python3 and make: `make run` and `make test`.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
# The programs compared with are no part of what is tested: they have an environment of their own.
BENCH := $(VENV)/bench

.PHONY: run test check benchmark bench-statistics simulations pictures walk

run: $(VENV)/run.stamp
	$(BIN)/python -m data demo
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(VENV)/dev.stamp check
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: $(VENV)/dev.stamp
	$(BIN)/python -m data demo
	$(BIN)/python -m tools.repaint

bench-statistics: $(BENCH)/bench.stamp
	$(BENCH)/bin/python -m benchmarks.speed
	$(BENCH)/bin/python -m benchmarks.report

simulations: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.simulations
	$(BIN)/python -m benchmarks.report

pictures: $(VENV)/dev.stamp
	$(BIN)/python -m data demo
	$(BIN)/python -m tools.pictures

walk: $(VENV)/dev.stamp
	$(BIN)/python -m data demo
	$(BIN)/python -m tools.walk

$(VENV)/run.stamp: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed." if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(BENCH)/bench.stamp: requirements-bench.txt requirements-dev.txt $(VENV)/run.stamp
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	touch $@
