# Every target makes the virtual environment .venv and installs what it needs.

.DEFAULT_GOAL := help
.PHONY: help demo demo-celery test test-sodar lint types bench model chaos soak audit clean

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PORT ?= 8000
# Processes of the test suite. Each has servers, a browser and a Redis database of its own.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps

help:
	@echo "make demo         the example site, with neither broker nor Redis"
	@echo "make demo-celery  the example site with Redis and a Celery worker"
	@echo "make test         the test suite; pass options in ARGS, and how many processes in JOBS"
	@echo "make test-sodar   SODAR Core and its own tests of sodarcache, in .venv-sodar"
	@echo "make lint         ruff"
	@echo "make types        mypy"
	@echo "make bench        the benchmarks; pass options in ARGS"
	@echo "make model        every interleaving of a few callers; see docs/proof.md"
	@echo "make chaos        a site under load while everything fails"
	@echo "make soak         memory and keys over hours of usual lifetimes"
	@echo "make audit        known vulnerabilities of the dependencies; needs the internet"
	@echo "make clean        remove the environment and what was made"

demo: $(STAMPS)/records $(STAMPS)/rest
	PORT=$(PORT) scripts/demo.sh threads

demo-celery: $(STAMPS)/records $(STAMPS)/rest $(STAMPS)/redis
	PORT=$(PORT) scripts/demo.sh celery

test: $(STAMPS)/test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-sodar:
	PYTHON="$(PYTHON)" scripts/sodar_core.sh $(ARGS)

lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMPS)/lint
	$(BIN)/mypy

bench: $(STAMPS)/bench
	$(BIN)/python -m benchmarks $(ARGS)

model chaos soak: $(STAMPS)/test
	$(BIN)/python -m proof $@ $(ARGS)

audit: $(STAMPS)/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable

clean:
	rm -rf $(VENV) .venv-sodar build dist var

# One stamp an extra, out of date when pyproject.toml is newer.
$(STAMPS)/%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@mkdir -p $(STAMPS) && touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; name one: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
