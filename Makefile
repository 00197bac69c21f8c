# Every target sets up what it needs: a virtual environment in .venv with the versions of constraints.txt.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
# Tests wait for servers more than they compute: more workers than cores. In the order that conftest.py gives the files,
# long ones first; xdist's own begins with the files of many tests.
PYTEST ?= -n 4 --dist loadfile --no-loadscope-reorder
# What needs neither servers nor commands: for the loop of editing.
UNIT := $(addprefix taxi_platform_tests/,alerts contracts cleaning ingest sources tools) taxi_platform_tests/test_*.py
# Where the environment forbids bytecode, every process of the tests would compile the package anew.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_NOTEBOOKS := $(VENV)/.ready-notebooks
# The dbt project has an environment of its own: dbt's pins and the platform's do not agree.
DBT := examples/dbt
DBT_BIN := $(DBT)/.venv/bin
READY_DBT := $(DBT)/.venv/.ready

.PHONY: python3.13 help run dist run-gcp-emulated dev notebooks status dbt check test test-long test-soak torture year bench lint format types check docs names constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## Bring months into every store and show them: DATASETS=green,yellow MONTHS=2020-03..2020-08
	@$(BIN)/taxi run $(if $(DATASETS),--datasets '$(DATASETS)') $(if $(MONTHS),--months '$(MONTHS)')

run-gcp-emulated: python3.13 $(READY_DEV) ## The same on emulators of Cloud Storage and BigQuery (needs Python 3.13 as well)
	@$(BIN)/python -m tools.gcp_emulated $(if $(DATASETS),--datasets '$(DATASETS)') $(if $(MONTHS),--months '$(MONTHS)')

# Asked for before anything is installed: the emulated BigQuery runs on no other.
python3.13:
	@{ python3.13 --version || ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.13.*/bin/python3.13; } >/dev/null 2>&1 || { echo "the emulated BigQuery needs Python 3.13 as well: have it on the path (apt-get install python3.13-venv, or pyenv install 3.13)"; exit 1; }

dev: $(READY) ## Open the Dagster UI on the data of the last run (PORT=3000)
	@$(BIN)/taxi dev $(if $(PORT),--port $(PORT))

notebooks: $(READY_NOTEBOOKS) ## Open JupyterLab on the data of the last run, with examples/notebooks (PORT=8888)
	@exports="$$($(BIN)/taxi env)" && eval "$$exports" && exec $(BIN)/jupyter lab --LabApp.default_url=/lab/tree/examples/notebooks --port=$(or $(PORT),8888)

status: $(READY) ## Show the rows of every month in every store
	@$(BIN)/taxi status

# pytest with these arguments, and types checked beside it: what is said of them comes last, and Ctrl-C ends both.
define tested
@echo "$(BIN)/mypy & $(BIN)/pytest $(1) -m 'not long'"
@$(BIN)/mypy >$(VENV)/types.log 2>&1 & types=$$!; trap "kill $$types" INT; \
$(BIN)/pytest $(1) -m 'not long'; tests=$$?; \
wait $$types; failed=$$?; cat $(VENV)/types.log; exit $$((tests ? tests : failed))
endef

dbt: $(READY) $(READY_DBT) ## Build and test the dbt project of examples/dbt on the data of the last run: TARGET=postgres
	@settings=$$($(BIN)/taxi env) && eval "$$settings" \
	&& if [ '$(TARGET)' = postgres ]; then address=$$($(BIN)/taxi postgres-url --export) && eval "$$address"; \
	elif [ ! -e "$$TAXI_VIEWS" ]; then echo "there are no views to read (a lake on disk has them, once it has a month): make run, or make dbt TARGET=postgres"; exit 1; fi \
	&& cd $(DBT) && .venv/bin/dbt $(or $(COMMAND),build) --target $(or $(TARGET),duckdb)

check: $(READY_DEV) lint ## Lint, types and the tests that need no server: for the loop of editing
	$(call tested,-n 2 --dist loadfile -q $(UNIT))

test: $(READY_DEV) lint ## Run the tests, lint and types
	$(call tested,$(PYTEST))

test-long: $(READY_DEV) ## Run the tests that take their time: daemons, the compose stack, clicks in a browser
	$(BIN)/pytest $(PYTEST) -m 'long and not soak'

test-soak: $(READY_DEV) ## Run the tests that take many minutes alone: before a release
	$(BIN)/pytest -m soak

torture: $(READY_DEV) ## Cut off every write, refuse it, lose its answer, and write docs/reliability.md: ONE_IN=20 tries fewer
	$(BIN)/python -m taxi_platform_tests.torture --write $(if $(ONE_IN),--one-in $(ONE_IN)) $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

year: $(READY_DEV) ## Run a year of months in an hour, with faults and restarts, and show what is kept: MONTHS=12
	YEAR_MONTHS=$(or $(MONTHS),12) $(BIN)/pytest -m long -o log_cli=true -o log_cli_level=INFO taxi_platform_tests/automation/test_year.py

bench: $(READY_DEV) ## Compare with other ways, write docs/performance.md, print all its figures; QUICK=1 only compares
	$(BIN)/python -m benchmarks.bench --rows 100000 $(if $(QUICK),--rounds 1,--rounds 3 --write)
	$(if $(QUICK),,$(BIN)/python -m benchmarks.bench --rows 7667792 --rounds 3 --write)
	$(if $(QUICK),,$(BIN)/python -m benchmarks.page)

lint: $(READY_DEV) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(READY_DEV) ## Put style and formatting right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(READY_DEV) ## Check types
	$(BIN)/mypy

docs: $(READY_DEV) ## Write the generated pages of docs/ again
	$(BIN)/python -m tools.docs

dist: $(READY_DEV) ## Build the wheel and the sdist into dist/, for a machine without a clone
	@rm -rf dist
	@PYTHONWARNINGS=ignore $(BIN)/python -m build --no-isolation --outdir dist . >$(VENV)/dist.log 2>&1 || { cat $(VENV)/dist.log; exit 1; }
	@ls dist/*

names: $(READY_DEV) ## Write docs/names.yaml again: the names that users may rely on
	$(BIN)/python -m tools.names

constraints: $(READY_DEV) ## Resolve constraints.txt anew for every supported Python on this machine
	$(BIN)/python -m tools.constraints

clean: ## Remove the virtual environments and caches; data stays
	rm -rf $(VENV) $(DBT)/.venv $(DBT)/target $(DBT)/logs .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python {v[0]}.{v[1]} is not supported: have one of 3.10 to 3.13 and say make PYTHON=python3.12" if not (3, 10) <= v <= (3, 13) else 0)'
	@echo "setting up $(VENV) (once, about two minutes)"
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment could be made: on Debian and Ubuntu, apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(READY_NOTEBOOKS): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group notebooks
	@touch $@

$(READY_DEV): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	@touch $@

$(READY_DBT): $(DBT)/constraints.txt $(DBT)/requirements.txt | $(BIN)/python
	@echo "setting up $(DBT)/.venv (once, about a minute)"
	@$(BIN)/python -m venv --clear $(DBT)/.venv
	@$(DBT_BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint $(DBT)/constraints.txt --requirement $(DBT)/requirements.txt
	@touch $@
