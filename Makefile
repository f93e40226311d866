# make app     start the app (makes the environment first)
# make check   style, types, layers, documented examples
# make test    check and every test
# make full    test with the full browser matrix
# make env     the environment of the tests, at .venv
#
# make app TORCH_INDEX=URL   takes torch from another package index, one with CPU builds for example
# make app PORT=8600         another port
SHELL  := /bin/sh
PYTHON ?= python3
PORT   ?= 8501
TORCH_INDEX ?=

PY    := .venv/bin/python
PIP   := $(PY) -m pip install --disable-pip-version-check -c constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)
INPUTS := pyproject.toml constraints.txt hatch_build.py

.PHONY: app check test full env
.DELETE_ON_ERROR:

app: .venv/app.stamp static/plotly.min.js
	@exec .venv/bin/snnlab app --port $(PORT)

env: .venv/env.stamp static/plotly.min.js

check: env
	@$(PY) scripts/run_tests.py check

test: env
	@sh scripts/system_packages.sh
	@$(PY) scripts/run_tests.py

full: env
	@sh scripts/system_packages.sh
	@$(PY) scripts/run_tests.py --full

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("snnlab needs Python 3.11 or newer; this is %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv

# torch first and by its exact version, so that nothing else chooses a build of it.
.venv/torch.stamp: constraints.txt | .venv/bin/python
	@echo "Installing $(TORCH) (a large download the first time)"
	@$(PIP) $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) $(TORCH)
	@touch $@

# Without build isolation: plotly.min.js is then of the plotly that the app runs with.
.venv/app.stamp: $(INPUTS) .venv/torch.stamp
	@echo "Installing snnlab and its packages (minutes the first time)"
	@$(PIP) hatchling editables plotly
	@$(PIP) --no-build-isolation -e .
	@touch $@

.venv/env.stamp: .venv/app.stamp
	@echo "Installing the test and development packages"
	@$(PIP) --quiet --no-build-isolation -e '.[test,e2e,dev]'
	@touch $@

static/plotly.min.js: | .venv/app.stamp
	@$(PY) hatch_build.py
