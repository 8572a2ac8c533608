# make demo | test | test-all | lint | bench | docs | examples | clean
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Two test processes: the suite is sized for a machine with two cores.
JOBS   ?= 2

.PHONY: demo test test-all lint bench docs examples clean
.DELETE_ON_ERROR:

demo: $(VENV)/.run
	mkdir -p out
	$(BIN)/kullback compare examples/data/weather-2013-first-half.parquet examples/data/weather-2013-second-half.parquet \
	  --html out/weather.html --json out/weather.json
	@echo "The report is out/weather.html; the numbers are out/weather.json."

test: $(VENV)/.dev lint
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile

test-all: $(VENV)/.dev lint
	OMP_WAIT_POLICY=PASSIVE HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	@set -e; for f in measures compare families losses learn evaluate; do $(BIN)/python benchmarks/bench_$$f.py; done

docs: $(VENV)/.dev
	$(BIN)/python docs/make.py
	$(BIN)/python docs/families.py

examples: $(VENV)/.dev
	@set -e; for f in examples/*.py; do echo "== $$f"; $(BIN)/python $$f; done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

# torch first and pinned, so that the CPU build is what the other packages find.
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --constraint constraints.txt "torch==2.13.0"
	$(PIP) install --constraint constraints.txt --editable . --group dev
	touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
