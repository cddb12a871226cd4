# The project's commands. Each does its whole set-up on a fresh clone; a second
# run finds it done.

# A Python that this runs on; `make PYTHON=/path/to/python3.12 …` names another.
PYTHON := $(shell for p in "$(PYTHON)" python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.environment

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /make \1\t/' | expand -t 16

$(ENVIRONMENT): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/it …" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Finds the models in place, or brings them; in a tenth of a second, or in ten.
FETCH_MODELS = $(BIN)/python image/fetch_models.py --complexity

.PHONY: demo
demo: $(ENVIRONMENT) ## photos through queue, worker and table on this machine (IMAGES=folder for your own)
	$(FETCH_MODELS) $(or $(MODEL_COMPLEXITY),2)
	$(BIN)/landmarks demo $(if $(IMAGES),--images "$(IMAGES)")

.PHONY: test
test: $(ENVIRONMENT) ## every test that needs no Docker
	$(FETCH_MODELS) 0 1 2
	$(BIN)/python -m pytest $(PYTEST_ARGUMENTS)

SECONDS := 60

.PHONY: fuzz
fuzz: $(ENVIRONMENT) ## damaged messages and images for a while (SECONDS=300, SEED=1)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: $(ENVIRONMENT) ## formatter, linter, type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: format
format: $(ENVIRONMENT) ## apply the formatter and the linter's own mends
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(UPGRADE) pyproject.toml

.PHONY: lock
lock: $(ENVIRONMENT) ## compile the locked requirements (UPGRADE=--upgrade for newer versions)
	$(UV_COMPILE) --extra worker --output-file image/requirements.txt
	$(UV_COMPILE) --all-extras --group dev --constraint image/requirements.txt \
		--output-file requirements-dev.txt

.PHONY: clean
clean: ## remove what was built, and the environment
	rm -rf $(VENV) build *.egg-info
