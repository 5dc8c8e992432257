# All commands of developers and of CI. They need Python 3.11+, pip and make only; the rest is
# installed into .venv.
.PHONY: help install demo up test survival doors deploy-check slow longevity check fuzz chaos \
  load-limits load format bench bench-judgement lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INPUTS ?= 10000
ANSWERS ?= 2000
SEED ?= 1
RELEASES ?= 100
CANARIES ?= 10000
AWS_RATE ?= 40
INSTALLED := .venv/.installed
# Three processes, since many tests wait; tests/conftest.py makes the groups. They are not reordered
# by their number of tests: the few long ones would run last, alone.
SIDE_BY_SIDE := --numprocesses 3 --dist loadgroup --no-loadscope-reorder
# What needs the whole machine runs one after the other: a suite of its own.
WHOLE_MACHINE := tests/survival tests/chaos/test_chaos.py
# Needs node and the npm registry: no part of `make test`.
EXAMPLES := tests/doors/test_api_examples.py
# Minutes of real traffic, and of load: no part of `make test`, nor of CI.
SLOW := tests/local/test_judged_release.py tests/load
# Installs its own tools, containers among them: `make deploy-check`.
DEPLOYMENTS := tests/deploy
CONTAINERS := $(DEPLOYMENTS)/test_image.py $(DEPLOYMENTS)/test_compose.py
APART := $(WHOLE_MACHINE) $(DEPLOYMENTS) $(EXAMPLES) $(SLOW) tests/longevity
TESTS := $(SIDE_BY_SIDE) $(APART:%=--ignore %)
SHARE ?= 1
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
  --no-emit-find-links --python-version 3.11 --custom-compile-command "make lock"

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

install: $(INSTALLED) ## Create .venv for development, tests and the local stack

$(INSTALLED): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## Run a good and a broken release on a local Temporal and a local Lambda
	$(BIN)/python -m deploy.local demo

up: install ## Run Temporal, its Web UI, a local Lambda, a worker, a sample until Ctrl-C; KEEP=1 goes on
	$(BIN)/python -m deploy.local up $(if $(filter-out 0,$(KEEP)),--keep)

test: install ## Run the tests
	$(BIN)/python -m pytest $(TESTS)

survival: install ## Kill worker and server around every write; chaos in short
	$(BIN)/python -m pytest $(WHOLE_MACHINE)

doors: install ## Run what docs/api.md shows: curl, Python, TypeScript (needs node 20 and npm)
	cd $(dir $(EXAMPLES))typescript && npm ci --silent
	$(BIN)/python -m pytest $(EXAMPLES)

deploy-check: install ## Check everything in deploy/: image, charts, policies, rules (8 minutes; root)
	$(BIN)/python tests/deploy/tools/install.py
	$(BIN)/python -m pytest -rs $(CONTAINERS)
	$(BIN)/python -m pytest -rs --numprocesses 2 --dist loadfile $(DEPLOYMENTS) \
	  $(CONTAINERS:%=--ignore %)

slow: install ## Judge releases by the metrics of real invocations; load in short (5 minutes)
	$(BIN)/python -m pytest $(SLOW)

longevity: install ## Let releases live for months in skipped time (an hour); SHARE=0.01 of it
	SHARE=$(SHARE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) --capture=no tests/longevity

check: install ## Run linters, type checkers and the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m pytest $(TESTS)

fuzz: install ## Send malformed inputs and AWS responses: INPUTS=, ANSWERS=, SEED=, ONLY='Release#7'
	FUZZ_INPUTS=$(INPUTS) FUZZ_ANSWERS=$(ANSWERS) FUZZ_SEED=$(SEED) FUZZ_ONLY='$(ONLY)' \
	  $(BIN)/python -m pytest tests/fuzz --show-capture=no

chaos: install ## Run releases under injected faults: SEED="1 2 3" RELEASES=100 (docs/chaos.md)
	$(BIN)/python -m tests.chaos --seed $(SEED) --releases $(RELEASES)

load-limits: install ## Run a hundred releases at the same time under AWS's limits
	$(BIN)/python -m tests.load burst

load: install ## Run 10,000 canaries: CANARIES=…, and AWS_RATE=… while they are started
	$(BIN)/python -m tests.load crowd --canaries $(CANARIES) --aws-rate $(AWS_RATE)

format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure what a release costs (docs/benchmarks.md); ARGS=--smoke is short
	$(BIN)/python -m tests.bench $(ARGS)

bench-judgement: install ## Simulate our ramp, CodeDeploy's rule and a Mann-Whitney test (15 min)
	$(BIN)/python -m tests.bench.judgement

lock: install ## Update the hashed requirement files from pyproject.toml
	$(COMPILE) pyproject.toml --extra otel --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --constraints requirements/dev.txt --output-file requirements/runtime.txt
	for part in build temporal; do \
	  $(COMPILE) --group $$part --constraints requirements/dev.txt \
	    --output-file requirements/$$part.txt || exit 1; \
	done
	$(COMPILE) --group deploy --output-file requirements/deploy.txt

clean: ## Remove everything that make created
	rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis dist \
	  tests/doors/typescript/node_modules
