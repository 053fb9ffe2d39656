# Everything here works on a machine with Python >= 3.11, make and git alone; nothing needs root,
# Docker or Java. `make demo` shows the product, `make test` proves it, `make help` tells the rest.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$each; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv $(if $(MAKE_TERMOUT),,--quiet)# with its progress bar for a person
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/revops
BGE_ENV := $(or $(REVOPS_BGE_ENV),$(CACHE)/bge-$(shell git hash-object requirements/bge.txt))

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make locks" $(UPGRADE) pyproject.toml
LIGHT_TESTS := $(wildcard tests/unit tests/contract tests/integration tests/e2e tests/chaos)
COVERAGE := --cov --cov-report=

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.local  ## Install what the demo needs into .venv (about a minute, once)

.PHONY: demo
demo: $(VENV)/.local  ## Show the product: a day in the CRM, decisions as they come (DEMO=--exit)
	$(BIN)/revops demo $(DEMO)

.PHONY: test
test: $(VENV)/.dev $(BGE_ENV)/.complete  ## All tests, with coverage; fetches torch (6 GB) once
	$(BIN)/coverage erase
	$(BGE_ENV)/bin/python -m pytest -m bge $(COVERAGE) $(LIGHT_TESTS)
	$(BIN)/python -m pytest -m "not bge and not chaos" $(COVERAGE)term:skip-covered --cov-append \
		--cov-fail-under=80 $(LIGHT_TESTS)

.PHONY: test-light
test-light: $(VENV)/.dev  ## All tests but those that need torch
	$(BIN)/python -m pytest -m "not bge and not chaos" $(LIGHT_TESTS)

.PHONY: check
check: $(VENV)/.dev  ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

.PHONY: bench
bench: $(VENV)/.dev  ## Latency, backlog and memory against the floors of this machine (BENCH=...)
	$(BIN)/python -m tests.benchmarks $(BENCH)

.PHONY: e2e
e2e: $(VENV)/.dev  ## The tests of the whole running platform alone, some minutes
	$(BIN)/python -m pytest tests/e2e

.PHONY: chaos
chaos: $(VENV)/.dev  ## Kill every process again and again, nothing may be lost (ROUNDS=30)
	REVOPS_CHAOS_ROUNDS=$(or $(ROUNDS),30) $(BIN)/python -m pytest tests/chaos

.PHONY: locks
locks: $(VENV)/.bootstrap  ## Write the locks anew from pyproject.toml (UPGRADE=--upgrade for newer)
	$(COMPILE) requirements/build.in requirements/encoder.in \
		--extra local --extra dev --extra bench --extra tracing --extra charts -o requirements/dev.txt
	$(COMPILE) requirements/build.in requirements/encoder.in \
		--extra local --extra charts -c requirements/dev.txt -o requirements/local.txt
	$(COMPILE) requirements/build.in requirements/encoder.in --extra tracing \
		-c requirements/dev.txt -o requirements/core.txt
	$(COMPILE) requirements/build.in requirements/encoder.in --extra bge --extra local --extra dev --extra tracing \
		-o requirements/bge.txt
	$(subst pyproject.toml,requirements/ui.in,$(COMPILE)) -o requirements/ui.txt
	$(subst pyproject.toml,requirements/build.in,$(COMPILE)) -c requirements/dev.txt \
		-o requirements/build.txt

.PHONY: clean
clean:  ## Remove the environment and the caches of this checkout (not its data)
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* htmlcov

# --- environments: a stamp of each lock that is installed ----------------------------------------

$(VENV)/.bootstrap: requirements/build.txt
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 found: install one, or make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv: install it (Debian: python3-venv)"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/build.txt
	@touch $@

define install_lock
	@echo "Installing $(1)"
	@$(UV) pip sync --compile-bytecode --python $(BIN)/python --require-hashes $(1)
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q schemas streams connectors deploy workers
endef

# The demo's part of the tests' lock: nothing to do where that is installed
$(VENV)/.local: requirements/local.txt pyproject.toml | $(VENV)/.bootstrap
	$(call install_lock,$(if $(wildcard $(VENV)/.dev),requirements/dev.txt,requirements/local.txt))
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/.bootstrap
	$(call install_lock,requirements/dev.txt)
	@touch $@ $(VENV)/.local

# Outside the checkout, since it is 6 GB; named after its lock, and complete or not there
$(BGE_ENV)/.complete: | $(VENV)/.bootstrap
	@echo "Installing requirements/bge.txt into $(BGE_ENV) (torch: some minutes, once)"
	@rm -rf $(BGE_ENV)
	@$(PYTHON) -m venv --without-pip $(BGE_ENV)
	@$(UV) pip sync --python $(BGE_ENV)/bin/python --require-hashes requirements/bge.txt
	@touch $@
