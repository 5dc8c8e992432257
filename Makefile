# Everything a newcomer and CI need. Only Python 3.11+, pip and make are expected; the rest goes into .venv.
.PHONY: help install demo up test check fuzz chaos load-limits load format bench bench-judgement lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
INPUTS ?= 10000
ANSWERS ?= 2000
SEED ?= 1
RELEASES ?= 100
CANARIES ?= 10000
AWS_RATE ?= 40
INSTALLED := .venv/.installed
# Groups: tests/conftest.py. Not reordered by their number of tests: the few long ones would come last, with nothing left to run beside them.
SIDE_BY_SIDE := --numprocesses 2 --dist loadgroup --no-loadscope-reorder

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

install: $(INSTALLED) ## Make .venv with everything that development, tests and the local stack need

$(INSTALLED): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## A good release and a broken one, on a local Temporal and a local Lambda
	$(BIN)/python -m deploy.local demo

up: install ## The local stack until Ctrl-C: Temporal with Web UI, a local Lambda, a worker, a sample function
	$(BIN)/python -m deploy.local up

test: install ## All tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: install ## Tests, linters, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

fuzz: install ## Malformed inputs and answers by the thousand: INPUTS=10000 ANSWERS=2000 SEED=1, or one of them: ONLY='Release#7'
	FUZZ_INPUTS=$(INPUTS) FUZZ_ANSWERS=$(ANSWERS) FUZZ_SEED=$(SEED) FUZZ_ONLY='$(ONLY)' $(BIN)/python -m pytest tests/fuzz --show-capture=no

chaos: install ## Releases in a storm of faults: SEED="1 2 3" RELEASES=100; a failing seed prints its schedule (docs/chaos.md)
	$(BIN)/python -m tests.chaos --seed $(SEED) --releases $(RELEASES)

load-limits: install ## A hundred releases at once, against AWS's limits
	$(BIN)/python -m tests.load burst

load: install ## 10,000 canaries in flight (CANARIES=…, AWS_RATE=… while they are started)
	$(BIN)/python -m tests.load crowd --canaries $(CANARIES) --aws-rate $(AWS_RATE)

format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## What a release costs beside other ways to do it: docs/benchmarks.md (ARGS=--smoke: only whether it still runs)
	$(BIN)/python -m tests.bench $(ARGS)

bench-judgement: install ## Simulate releases under our ramp, CodeDeploy's rule and a Mann-Whitney judge (a quarter of an hour)
	$(BIN)/python -m tests.bench.judgement

lock: install ## Renew the hashed requirement files from pyproject.toml
	for part in dev runtime; do \
	  $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --python-version 3.11 --custom-compile-command "make lock" --output-file requirements/$$part.txt \
	    $$( [ $$part = dev ] && echo --group dev || echo --constraints requirements/dev.txt ) || exit 1; \
	done

clean: ## Remove what make made
	rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
