# Everything a clone needs: each target makes the virtual environment it runs in.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-check

.PHONY: demo test test-all check bench clean
