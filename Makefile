# `make train` and `make test` are all that is needed: each makes .venv and installs what it uses.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: train test test-long notebooks lint types audit clean

train: $(VENV)/jaxd2l.installed
	$(VENV)/bin/jaxd2l train mlp

test: $(VENV)/tests.installed
	$(VENV)/bin/python -m pytest -m "not long"

test-long: $(VENV)/tests.installed
	$(VENV)/bin/python -m pytest -m long

notebooks: $(VENV)/tests.installed
	$(VENV)/bin/python -m notebooks

lint: $(VENV)/tests.installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/tests.installed
	$(VENV)/bin/mypy

# Strict: a package that could not be looked up is not a clean one.
audit: $(VENV)/tests.installed
	$(PIP) pip-audit
	$(VENV)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("jaxd2l needs Python 3.11 or newer and this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/jaxd2l.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/tests.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[parity,notebooks,dev]'
	touch $@
