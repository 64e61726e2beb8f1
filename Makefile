# Everything works through the project's own environment (.venv, or GOAT_VENV); scripts/ has the steps.
VENV := $(or $(GOAT_VENV),.venv)
BIN := $(VENV)/bin
# Arguments for the command behind a target: make up ARGS=--verbose, make test ARGS="-k psnr".
ARGS ?=
# How long `make soak` kills processes at random.
SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help up test check format soak bench lock clean python

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

python:
	@command -v $(or $(GOAT_PYTHON),python3) >/dev/null || { \
	  echo "Python 3.11 or newer is needed, and no $(or $(GOAT_PYTHON),python3) was found."; \
	  echo "  Debian, Ubuntu:  apt-get install python3 python3-venv"; \
	  echo "  macOS:           brew install python"; exit 1; }

up: python ## install what is needed, start everything, print where to go (Ctrl-C stops it)
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py hub
	@exec $(BIN)/goat-server up $(ARGS)

test: python ## install what the tests need and run them all
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py test browser
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: python ## format check, linter, type checker, documentation check
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py test
	@scripts/check.sh $(BIN)

format: python ## rewrite the sources in the agreed format
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py test
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

soak: python ## kill processes at random for SECONDS (600), then count: none lost, none twice
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py test
	@GOAT_SOAK_SECONDS=$(SECONDS) $(BIN)/python -m pytest -p no:xdist -m soak -s --timeout 0 tests/soak $(ARGS)

bench: python ## the benchmarks, one after the other; tables on the screen, JSON in benchmarks/results
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py test
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lock: python ## resolve the pinned, hashed requirement files anew
	@$(or $(GOAT_PYTHON),python3) scripts/bootstrap.py hub
	@scripts/lock.sh $(BIN)/uv

clean: ## remove the environment and all caches; the service's data (GOAT_HOME) stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
