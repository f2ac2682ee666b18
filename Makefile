# `make help` lists the commands. Everything is installed into .venv, and real services for the
# tests into ~/.cache/conversation-analytics; nothing else on the machine is touched, except that
# the browser tests install Debian's chromium when it is missing and this runs as root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/.dagster
# Compiled once here rather than by every new process.
export UV_COMPILE_BYTECODE := 1

# Each worker starts the services that its tests ask for. Files keep the order of their names, since
# those of chaos, the first, take longest: last, they would leave one worker with nothing to do.
IN_PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder --durations 15

.DEFAULT_GOAL := help
.PHONY: help demo demo-dify test suite check chaos lint dev serve bench docs lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/installed ## generate 90 days of conversations, process them all, show what came out
	@$(BIN)/conversation-analytics demo

demo-dify: $(VENV)/installed-dev ## the same with translations and labels by workflows of a stand-in for Dify
	@$(BIN)/python -m conversation_analytics_tests.dify_demo

dev: $(VENV)/installed $(DAGSTER_HOME)/dagster.yaml ## open the Dagster UI on the same data
	@$(BIN)/dagster instance migrate >/dev/null 2>&1 || true
	$(BIN)/dagster dev -w workspace.yaml

serve: $(VENV)/installed ## serve the dashboard and the REST API over the same data, on this machine only
	@$(BIN)/conversation-analytics api serve --open

# Checking types takes a minute of one processor, and tests now and then wait for servers.
test: $(VENV)/installed-dev ## run every check and every test, with the real services they need
	@$(MAKE) --no-print-directory --jobs 2 lint suite

suite: $(VENV)/installed-dev
	$(BIN)/python -m conversation_analytics_tests.services.install
	$(BIN)/pytest $(IN_PARALLEL)

check: lint ## lint, types and the tests that need no service
	$(BIN)/pytest -q -m "not services"

chaos: $(VENV)/installed-dev ## crashes, faults and concurrent changes for hours, to find what tests miss
	$(BIN)/python -m conversation_analytics_tests.services.install
	CHAOS=1 $(BIN)/pytest $(IN_PARALLEL) --timeout 0 conversation_analytics_tests/chaos

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(VENV)/installed-dev ## measure speed and memory
	$(BIN)/python -m conversation_analytics_tests.services.install
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed-dev ## write docs/columns.md and docs/metrics.md from the schemas
	$(BIN)/python -m conversation_analytics.schemas.reference columns > docs/columns.md
	$(BIN)/python -m conversation_analytics.schemas.reference metrics > docs/metrics.md

lock: $(VENV)/installed-dev ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile -q --universal --no-header --upgrade --extra dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --no-header -c requirements-dev.txt pyproject.toml -o requirements.txt

clean: ## remove the environment and the demo's data
	rm -rf $(VENV) data .dagster

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $@

$(VENV)/uv:
	@echo "installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check "uv>=0.5"
	@touch $@

$(VENV)/installed: $(VENV)/uv requirements.txt pyproject.toml
	@$(BIN)/uv pip install -q -r requirements.txt
	@$(BIN)/uv pip install -q --no-deps -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/uv requirements-dev.txt pyproject.toml
	@$(BIN)/uv pip install -q -r requirements-dev.txt
	@$(BIN)/uv pip install -q --no-deps -e .
	@touch $@ $(VENV)/installed
