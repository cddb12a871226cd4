# The project's commands. On a fresh clone each one does its own set-up first.

# Python 3.11 or 3.12; `make PYTHON=/path/to/python3.12 …` chooses another.
PYTHON := $(shell for p in "$(PYTHON)" python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.environment

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /make \1\t/' | expand -t 16

$(ENVIRONMENT): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/it …" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Takes 0.1 s when the models are in place, and 10 s to download them.
FETCH_MODELS = $(BIN)/python image/fetch_models.py --complexity
FETCH_PEOPLE = $(if $(filter-out 1,$(MAX_PEOPLE)),--people)

# SAM's command line pins its dependencies, so it has an environment of its own.
E2E_VENV := .venv-e2e
E2E_ENVIRONMENT := $(E2E_VENV)/.environment

$(E2E_ENVIRONMENT): requirements-e2e.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/it …" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(E2E_VENV)
	$(E2E_VENV)/bin/python -m pip install --quiet --require-hashes --no-deps --requirement requirements-e2e.txt
	@touch $@

# For the blog's handler and for plots.
BENCH_VENV := .venv-bench
BENCH_ENVIRONMENT := $(BENCH_VENV)/.environment

$(BENCH_ENVIRONMENT): requirements-bench.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/it …" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --require-hashes --no-deps --requirement requirements-bench.txt
	@touch $@

# For `make release`, which checks its files with twine.
RELEASE_VENV := .venv-release
RELEASE_ENVIRONMENT := $(RELEASE_VENV)/.environment

$(RELEASE_ENVIRONMENT): requirements-release.txt | $(ENVIRONMENT)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(RELEASE_VENV)
	$(BIN)/uv pip install --quiet --python $(RELEASE_VENV) --require-hashes --no-deps --requirements $<
	@touch $@

# The lowest versions that pyproject.toml allows, an environment for each set of extras.
LOWEST_VENV := .venv-lowest
LOWEST_SETS := base worker cli cli-parquet cli-local-worker
LOWEST_ENVIRONMENTS := $(LOWEST_SETS:%=$(LOWEST_VENV)/%/.environment)

$(LOWEST_VENV)/%/.environment: pyproject.toml | $(ENVIRONMENT)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D) --no-build --resolution lowest-direct \
		--requirements pyproject.toml $(patsubst %,--extra %,$(filter-out base,$(subst -, ,$*)))
	@touch $@

# The Node.js that ESLint needs. Without it, JavaScript is not checked.
OLDEST_NODE := 20.19
NODE_FITS := $(shell command -v npm >/dev/null && node -p "\
	'$(OLDEST_NODE)'.localeCompare(process.versions.node, 'en', { numeric: true }) <= 0" 2>/dev/null)

# The JavaScript tools, and the packages that the example imports, for their types.
LINT_ENVIRONMENT := $(if $(filter true,$(NODE_FITS)),lint/node_modules/.environment)
EXAMPLE_ENVIRONMENT := examples/read-landmarks/node_modules/.environment
CDK_ENVIRONMENT := $(if $(filter true,$(NODE_FITS)),examples/cdk/node_modules/.environment)

%/node_modules/.environment: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: demo
demo: $(ENVIRONMENT) ## run the worker on sample photos on this machine (IMAGES=folder for your own, MAX_PEOPLE=8)
	$(FETCH_MODELS) $(or $(MODEL_COMPLEXITY),2) $(FETCH_PEOPLE)
	$(BIN)/landmarks demo $(if $(IMAGES),--images "$(IMAGES)") $(if $(MAX_PEOPLE),--max-people $(MAX_PEOPLE))

# A file of tests stays in one process. Files are handed out in the order of pyproject.toml's
# `testpaths`: the slow ones first, so that no process is left alone with one of them. Many tests
# wait for a process or a service: on two cores three processes took 306 s, two 406.
PROCESSES := 3

.PHONY: test
test: $(ENVIRONMENT) $(LINT_ENVIRONMENT) $(CDK_ENVIRONMENT) ## run every test that needs no Docker (PROCESSES=3)
	$(FETCH_MODELS) 0 1 2
	$(FETCH_MODELS) 1 --people || echo "tests of several people will be skipped" >&2
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder \
		$(PYTEST_ARGUMENTS)

.PHONY: image
image: $(ENVIRONMENT) ## build the container image; print its size and cold start (PLATFORM=linux/arm64, TAG=; BASE_IMAGE= for another base)
	$(BIN)/python image/build_image.py --complexity $(or $(MODEL_COMPLEXITY),2) \
		--max-people $(or $(MAX_PEOPLE),1) \
		$(if $(PLATFORM),--platform "$(PLATFORM)") $(if $(BASE_IMAGE),--base-image "$(BASE_IMAGE)") \
		$(if $(SEGMENTATION_BUCKET),--segmentation-bucket "$(SEGMENTATION_BUCKET)") \
		$(if $(TAG),--tag "$(TAG)")
	$(BIN)/python image/cold_start.py $(TAG)

.PHONY: e2e
e2e: $(ENVIRONMENT) $(E2E_ENVIRONMENT) ## test the image as on Lambda, and with SAM; without Docker most is skipped
	$(BIN)/python -m pytest tests/e2e $(PYTEST_ARGUMENTS)

.PHONY: e2e-arm64
e2e-arm64: $(ENVIRONMENT) $(E2E_ENVIRONMENT) ## test the image for arm64; another processor is emulated, which takes minutes
	$(BIN)/python -m pytest tests/e2e/arm64.py $(PYTEST_ARGUMENTS)

MESSAGES := 2000

.PHONY: chaos
chaos: $(ENVIRONMENT) ## inject faults everywhere; nothing may be lost (MESSAGES=10000, SEED=1, MAX_PEOPLE=8)
	$(FETCH_MODELS) 1 $(FETCH_PEOPLE)
	$(BIN)/python -m tests.chaos --messages $(MESSAGES) $(if $(SEED),--seed $(SEED)) \
		--max-people $(or $(MAX_PEOPLE),1)

SECONDS := 60

.PHONY: fuzz
fuzz: $(ENVIRONMENT) ## try damaged messages and images (SECONDS=300, SEED=1, MAX_PEOPLE=8)
	$(FETCH_MODELS) 1 $(FETCH_PEOPLE)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) \
		--max-people $(or $(MAX_PEOPLE),1)

.PHONY: bench
bench: $(ENVIRONMENT) $(BENCH_ENVIRONMENT) ## compare the worker with bare MediaPipe and the blog's handler (IMAGES=folder, ROUNDS=7)
	$(FETCH_MODELS) 0 1 2 --people
	$(BENCH_VENV)/bin/python image/fetch_models.py --complexity 2
	$(BIN)/python -m bench --blog-python $(BENCH_VENV)/bin/python $(if $(IMAGES),--images "$(IMAGES)") \
		$(if $(ROUNDS),--rounds $(ROUNDS))
	$(BIN)/python -m bench.formats $(if $(IMAGES),$(wordlist 1,3,$(wildcard $(IMAGES)/*.heic)))
	$(BIN)/landmarks demo --output build/bench/demo >/dev/null
	$(BIN)/python -m bench.report_page build/bench/demo/report.html

.PHONY: cost
cost: $(ENVIRONMENT) $(BENCH_ENVIRONMENT) ## update the tables and the plot of docs/cost.md (ADOPT=1 adopts the figures of build/bench.json)
	$(BIN)/python -m bench.cost_page --docs $(if $(ADOPT),--adopt)
	$(BIN)/python -m bench.queue_scenarios
	$(BENCH_VENV)/bin/python -m bench.plot docs/queue.png

NODE_BIN := lint/node_modules/.bin
PRETTIER := $(NODE_BIN)/prettier --config lint/prettier.json --log-level warn \
	"landmarks/**/*.{js,ts}" "lint/*.{mjs,ts}"
ESLINT := $(NODE_BIN)/eslint --config lint/eslint.config.mjs .

.PHONY: check-javascript format-javascript
ifneq ($(LINT_ENVIRONMENT),)
check-javascript: $(LINT_ENVIRONMENT) $(EXAMPLE_ENVIRONMENT) $(CDK_ENVIRONMENT)
	$(PRETTIER) --check
	$(ESLINT)
	$(NODE_BIN)/tsc --project lint/page.json
	$(NODE_BIN)/tsc --project lint/node.json
	$(NODE_BIN)/tsc --project lint/cdk.json

format-javascript: $(LINT_ENVIRONMENT)
	$(PRETTIER) --write
	$(ESLINT) --fix
else
check-javascript format-javascript:
	@echo "no npm with Node $(OLDEST_NODE) or newer: the JavaScript was not checked" >&2; test "$(CI)" != true
endif

.PHONY: check-lowest
check-lowest: $(LOWEST_ENVIRONMENTS) ## try the lowest versions that pyproject.toml allows
	@for set in $(LOWEST_SETS); do \
		PYTHONPATH=. $(LOWEST_VENV)/$$set/bin/python tests/lowest.py $$set || exit 1; done

.PHONY: check
check: $(ENVIRONMENT) $(E2E_ENVIRONMENT) check-javascript check-lowest ## run linters and type checkers, and check documents, bench and the lowest versions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m docs.configuration --check
	$(BIN)/python -m pytest --quiet tests/check
	$(BIN)/cfn-lint template.yaml infra-sam/fargate.yaml examples/stream-consumer/template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(E2E_VENV)/bin/sam validate --lint

.PHONY: docs
docs: $(ENVIRONMENT) ## write docs/configuration.md and docs/vector.json from the code
	$(BIN)/python -m docs.configuration
	$(BIN)/python -m docs.vector

.PHONY: format
format: $(ENVIRONMENT) format-javascript ## apply formatters and the linters' fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
RELEASE := build/release
# As a user gets it: the wheel and its dependencies of today.
BARE := $(RELEASE)/bare

.PHONY: release
release: $(ENVIRONMENT) $(RELEASE_ENVIRONMENT) ## build wheel and sdist of the version in pyproject.toml, and check them; uploads nothing
	@grep -q '^## $(VERSION)\b' CHANGELOG.md \
		|| { echo "CHANGELOG.md has no section $(VERSION), the version in pyproject.toml" >&2; exit 1; }
	rm -rf $(RELEASE)
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir $(RELEASE)
	$(RELEASE_VENV)/bin/twine check --strict $(RELEASE)/*.whl $(RELEASE)/*.tar.gz
	$(BIN)/uv venv --quiet --python $(BIN)/python $(BARE)
	$(BIN)/uv pip install --quiet --python $(BARE) $(RELEASE)/*.whl
	$(BARE)/bin/python -I -c 'from landmarks import LandmarkTable'
	$(BIN)/uv pip install --quiet --python $(BARE) "landmark-worker[cli] @ $$(echo $(RELEASE)/*.whl)"
	$(BARE)/bin/landmarks --help >/dev/null
	@echo; ls $(RELEASE)/*.whl $(RELEASE)/*.tar.gz
	@echo "git tag v$(VERSION)"
	@echo "make image TAG=landmark-worker:$(VERSION)"
	@echo "make image TAG=landmark-worker:$(VERSION)-arm64 PLATFORM=linux/arm64"

UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(UPGRADE)

# tensorflow-cpu names tensorflow-intel for Windows, in a version that does not exist.
.PHONY: lock
lock: $(ENVIRONMENT) ## write the lock files (UPGRADE=--upgrade for newer versions)
	$(UV_COMPILE) --group build --output-file image/requirements-build.txt
	echo tensorflow-intel | $(UV_COMPILE) --group convert --no-build --no-config --fork-strategy fewest \
		--excludes /dev/stdin --output-file image/requirements-convert.txt
	$(UV_COMPILE) --group e2e --no-build --output-file requirements-e2e.txt
	$(UV_COMPILE) --group release --output-file requirements-release.txt
	$(UV_COMPILE) --group bench --no-build --no-config --fork-strategy fewest --excludes bench/excludes.txt \
		--output-file requirements-bench.txt
	$(UV_COMPILE) pyproject.toml --extra worker --output-file image/requirements.txt
	$(UV_COMPILE) pyproject.toml --all-extras --group dev --constraint image/requirements.txt \
		--output-file requirements-dev.txt

.PHONY: clean
clean: ## remove build results and environments
	rm -rf $(VENV) $(E2E_VENV) $(BENCH_VENV) $(RELEASE_VENV) $(LOWEST_VENV) lint/node_modules examples/*/node_modules build *.egg-info
