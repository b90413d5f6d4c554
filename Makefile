# Two commands matter: `make demo` shows the product, `make test` proves it.
# Everything is set up in .venv from PyPI; Python 3.11 or newer is all that must be there.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	command -v $$python >/dev/null 2>&1 && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := sdk shared services tests benchmarks examples

.DEFAULT_GOAL := help
.PHONY: help demo up test check format soak bench openapi schema clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## start everything, log 60 real runs (six by wandb), color them live, print the addresses
	$(BIN)/runhue demo

up: $(VENV)/.local ## start the stack on ./runhue-data and stay; Ctrl-C stops it
	$(BIN)/runhue up

test: $(VENV)/.dev ## every test but the long suite, with real servers and processes; WORKERS=n sets how many run at once
	$(BIN)/python -m pytest -q -m "not soak" --numprocesses "$(or $(WORKERS),3)" --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev ## ruff, format, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## write what `make check` asks for, where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/.dev ## the long suite: a real S3 server (Debian, as root), then faults; SEED=n, MINUTES=n
	$(BIN)/python -m pytest -q -m soak
	$(BIN)/python -m tests.faults --seed "$(or $(SEED),random)" --minutes "$(or $(MINUTES),20)"

bench: $(VENV)/.dev ## one benchmark, e.g. `make bench NAME=p2`; no NAME lists them
	$(BIN)/python -m benchmarks $(NAME)

openapi: $(VENV)/.dev ## write docs/openapi.json from the API
	$(BIN)/python -m runhue_server.api.openapi > docs/openapi.json

schema: $(VENV)/.dev ## write schema.sql from the migrations
	$(BIN)/python -m tests.integration.schema_file

clean: ## remove the virtual environments and caches, never data
	rm -rf $(VENV) .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Runhue needs Python 3.11 or newer on PATH; set PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: pyproject.toml | $(VENV)/bin/python
	@echo 'Installing Runhue into $(VENV), once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	@echo 'Installing Runhue and the wandb client into $(VENV), once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@ $(VENV)/.local

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo 'Installing Runhue and its tools into $(VENV), once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.local
