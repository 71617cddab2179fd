# `make train` and `make test` are all you need: each makes .venv and installs what it uses.
PYTHON ?= python3
VENV ?= .venv
# --no-compile: Python compiles what is imported; pip would spend half a minute on all the rest.
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt

.PHONY: train test test-long notebooks lab site lint types dist audit clean

train: $(VENV)/jaxd2l.installed
	$(VENV)/bin/jaxd2l train mlp

test: $(VENV)/tests.installed
	$(VENV)/bin/python -m pytest -m "not long"

# What a stranger need not wait for: long trajectories, kills, planted defects.
test-long: $(VENV)/tests.installed
	$(VENV)/bin/python -m pytest -m long

notebooks: $(VENV)/tests.installed
	$(VENV)/bin/python -m notebooks

# Copies, so that opening and running a notebook changes nothing here.
lab: $(VENV)/tests.installed
	test -d out/notebooks || { mkdir -p out/notebooks && cp notebooks/*.ipynb out/notebooks; }
	$(VENV)/bin/jupyter lab out/notebooks

# The pages are where they are read on GitHub, so the whole repository is the source. Nothing is executed or downloaded.
site: $(VENV)/site.installed
	rm -rf build/site notebooks/site/api
	$(VENV)/bin/sphinx-build -W --keep-going --quiet --conf-dir notebooks/site . build/site
	@echo "Open build/site/index.html"

lint: $(VENV)/tests.installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

types: $(VENV)/tests.installed
	$(VENV)/bin/mypy

# Builds the sdist and the wheel into dist/, and installs the wheel in an empty environment.
dist: $(VENV)/bin/python
	$(PIP) build hatchling twine
	rm -rf dist
	$(VENV)/bin/python -m build --no-isolation
	$(VENV)/bin/twine check --strict dist/*
	$(VENV)/bin/python .ci/check_dist.py

# --strict: a package that pip-audit could not look up fails, too.
audit: $(VENV)/tests.installed
	$(PIP) pip-audit
	$(VENV)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

clean:
	rm -rf $(VENV) dist build notebooks/site/api

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("jaxd2l needs Python 3.11 or newer, and this is " + sys.version.split()[0] + "; choose another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/jaxd2l.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/tests.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[parity,ports,notebooks,dev]'
	touch $@

$(VENV)/site.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[docs]'
	touch $@
