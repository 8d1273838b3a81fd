# `make demo` and `make test` work from a fresh clone: each makes .venv and installs what it needs.
# A second run installs nothing, unless pyproject.toml or constraints.txt changed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# What a demo needs; and, on top of it, what the tests of every optional part need.
DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test

# Tests at once. Most of them wait for a process or a socket: more than the two cores can do.
JOBS := 3

# What decides whether something moves: every line and every branch of it is tested.
GATE := bci_server/safety/gate.py,bci_server/safety/motion.py,bci_server/safety/states.py,bci_server/safety/second.py
GATE_TESTS := tests/bci_server/safety

# Hundreds of processes start in the tests: each would compile what another has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test gate found coverage lint wheel clean

help:  ## Show what can be made.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(DEMO)  ## Run the whole line on a simulated headset: no hardware, no other service.
	@$(BIN)/bci demo

# What takes one processor, beside each other; then what takes all of them.
test: $(TEST)  ## Run the checks and every test; the gate's take every line and branch of it.
	$(MAKE) --no-print-directory --jobs=2 lint gate found
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore=$(GATE_TESTS)

# To follow what is taken doubles the time of what is followed, and of all that runs beside it: so
# the gate is followed while its own tests run, and `make coverage` does the rest.
gate: $(TEST)  ## Run the tests of the gate alone: they take every line and branch of it.
	$(BIN)/python -m pytest $(GATE_TESTS) --cov=bci_server/safety --cov-report=
	$(BIN)/coverage report --include='$(GATE)' --fail-under=100

# Each worker finds all tests, and would compile what the others compile at that moment. What cannot
# be found they say.
found: $(TEST)
	@$(BIN)/python -m pytest --collect-only -qq > /dev/null || true

coverage: lint  ## Run the checks and every test, with line and branch coverage of everything.
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term:skip-covered

lint: $(TEST)  ## Run the checks alone: style, types, direction of imports.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

wheel: $(TEST)  ## Build the wheel and the source archive into dist/.
	$(BIN)/python -m build --outdir dist

clean:  ## Remove the virtual environment and everything that was built.
	rm -rf $(VENV) build dist htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'bci-server needs Python 3.11 or later; $(PYTHON) is' \
	    "$$($(PYTHON) --version 2>&1). Say which one: make PYTHON=python3.12 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Dependency groups need pip 25.1; the one that a Python brings along may be older.
$(VENV)/.pip: | $(BIN)/python
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

# pip would compile on one processor, for half of its time. A few files of packages are for other
# versions of Python and do not compile; pip passes them over as well.
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true

$(DEMO): pyproject.toml constraints.txt $(VENV)/.pip
	$(PIP) install --no-compile --constraint constraints.txt --editable '.[fit]'
	@$(COMPILE)
	@touch $@

$(TEST): pyproject.toml constraints.txt $(VENV)/.pip
	$(PIP) install --no-compile --constraint constraints.txt --editable '.[fit,deep,spiking,speech,brainflow,liblsl,export,mcap]' --group dev
	@$(COMPILE)
	@touch $@ $(DEMO)
