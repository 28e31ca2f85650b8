# Two commands do everything on a fresh machine with python3 and make: `make run` and `make test`.
PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
# The programs compared with are no part of what is tested: they have an environment of their own.
BENCH := $(VENV)/bench
DOCS := $(VENV)/docs

.PHONY: run test check audit bench bench-full bench-statistics simulations load pictures walk docs

run: $(VENV)/run.stamp
	$(BIN)/python -m data demo
	$(BIN)/streamlit run asgi.py --server.port $(PORT)

# Apache Spark needs Java; without it its tests say that they were not run.
SPARK := $(if $(shell command -v java),$(VENV)/spark.stamp)

test: $(VENV)/dev.stamp $(SPARK) check
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Says when the index of known faults cannot be reached: that is no fault of what is installed.
audit: $(VENV)/dev.stamp
	$(BIN)/python -m tools.audit_dependencies

# On a machine that does nothing else. The long ones are those of ten million patients.
REGISTRIES ?= build/registries

bench: $(VENV)/dev.stamp bench-statistics
	$(BIN)/python -m benchmarks.import_speed
	$(BIN)/python -m benchmarks.repaint --registry $(REGISTRIES)/1000000
	$(BIN)/python -m benchmarks.memory --folder $(REGISTRIES) --patients 1000000
	$(BIN)/python -m benchmarks.report

bench-full: bench $(VENV)/spark.stamp
	$(BIN)/python -m benchmarks.engines --folder $(REGISTRIES)
	$(BIN)/python -m benchmarks.memory --folder $(REGISTRIES) --patients 1000000 10000000
	$(BIN)/python -m benchmarks.report

bench-statistics: $(BENCH)/bench.stamp
	$(BENCH)/bin/python -m benchmarks.speed
	$(BENCH)/bin/python -m benchmarks.report

simulations: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.simulations
	$(BIN)/python -m benchmarks.report

pictures: $(VENV)/dev.stamp
	$(BIN)/python -m data demo
	$(BIN)/python -m tools.pictures

# About twelve minutes; on a machine that does nothing else.
load: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.load.meeting --people 25 50
	$(BIN)/python -m benchmarks.load.sessions --count 1000
	$(BIN)/python -m benchmarks.report

walk: $(VENV)/dev.stamp
	$(BIN)/python -m data demo
	$(BIN)/python -m tools.walk

docs: $(DOCS)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

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

$(VENV)/spark.stamp: requirements-spark.txt $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.txt
	touch $@

$(DOCS)/docs.stamp: requirements-docs.txt
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	touch $@
