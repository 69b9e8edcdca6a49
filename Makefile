# Everything runs in .venv, set up from the hashed requirements; Python 3.11 or newer is all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
BENCH_VENV ?= .venv-bench
BENCH_BIN = $(BENCH_VENV)/bin
ARGS ?=
# a process for each core; the tests of one file share what the file sets up
PARALLEL = --numprocesses=auto --dist=loadfile
LOCK = uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-strip-extras --no-header --no-annotate --quiet

# what a link points to is somebody else's
REQUIRE_OWN = test ! -L $(VENV) || { echo "$(VENV) is a link: remove it, or set VENV"; exit 1; }
REQUIRE_PYTHON = $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Gradmark needs Python 3.11 or newer, found " + sys.version.split()[0] + "; try: make PYTHON=python3.11 ...")'

.PHONY: help demo serve test quick check quality bench marking load growth format lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/.ready: requirements-dev.txt
	@$(REQUIRE_PYTHON)
	@$(REQUIRE_OWN)
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@

demo: $(VENV)/.ready ## start the service, explain the article's example, learn make-moons
	$(BIN)/python -m examples.demo

serve: $(VENV)/.ready ## start the service on port 8000
	$(BIN)/python -m app serve

test: $(VENV)/.ready ## run the tests
	$(BIN)/pytest $(PARALLEL)

quick: $(VENV)/.ready ## run the core's tests without the long ones, in less than a minute
	$(BIN)/pytest $(PARALLEL) tests/core -m "not slow and not long"

check: $(VENV)/.ready ## the full gate: format, lint, types, import contracts, tests with coverage
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PARALLEL) --cov --cov-report=term-missing

quality: $(VENV)/.ready ## measure how often marking is right, on simulated students
	$(BIN)/python -m benchmarks.quality $(ARGS)

bench: $(BENCH_VENV)/.ready ## measure the speed beside torch, JAX, FastAPI and others; ARGS=--write keeps the tables
	$(BENCH_BIN)/python -m benchmarks $(ARGS)

marking: $(VENV)/.ready ## measure how long marking one answer takes
	$(BIN)/python -m benchmarks.marking $(ARGS)

load: $(VENV)/.ready ## send more than the service can bear, beside a probe of its health; needs wrk
	$(BIN)/python -m benchmarks.load $(ARGS)

growth: $(BENCH_VENV)/.ready ## draw how time and memory grow with what is sent
	$(BENCH_BIN)/python -m benchmarks.growth

# the peers are pinned for Python 3.11; another Python that lacks one of those versions gets what there is
$(BENCH_VENV)/.ready: requirements.txt benchmarks/peers.txt
	@$(REQUIRE_PYTHON)
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	$(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt || \
	  { echo "Not all pinned peers exist for this Python; taking the versions that do."; \
	    sed -n 's/==.*//p' benchmarks/peers.txt | xargs $(BENCH_BIN)/python -m pip install --quiet --disable-pip-version-check; }
	@touch $@

format: $(VENV)/.ready ## format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/.ready ## pin the dependencies of pyproject.toml anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/$(LOCK) --output-file requirements.txt
	$(BIN)/$(LOCK) --group dev --output-file requirements-dev.txt

clean: ## remove what these commands made
	rm -rf $(VENV) $(BENCH_VENV) .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
