# Every target makes the virtual environment .venv and installs what it needs.

.DEFAULT_GOAL := help
.PHONY: help demo demo-celery test lint types bench clean

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps

help:
	@echo "make demo         the example site, with neither broker nor Redis"
	@echo "make demo-celery  the example site with Redis and a Celery worker"
	@echo "make test         the test suite; pass options in ARGS"
	@echo "make lint         ruff"
	@echo "make types        mypy"
	@echo "make bench        the benchmarks; pass options in ARGS"
	@echo "make clean        remove the environment and what was made"

demo: $(STAMPS)/base
	PORT=$(PORT) scripts/demo.sh threads

demo-celery: $(STAMPS)/redis
	PORT=$(PORT) scripts/demo.sh celery

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMPS)/lint
	$(BIN)/mypy

bench: $(STAMPS)/bench
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist var

# One stamp an extra ("base" for none), out of date when pyproject.toml is newer.
$(STAMPS)/%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(filter base,$*),,[$*])'
	@mkdir -p $(STAMPS) && touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
