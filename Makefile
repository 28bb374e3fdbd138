# `make demo` shows the product, `make test` checks it; both build .venv first. Nothing is written outside this folder.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: demo test bench clean
PYTHON ?= python3
VENV := .venv
export PYTHONDONTWRITEBYTECODE := 1

$(VENV)/ready: pyproject.toml .ci/constraints.txt
	@echo "== creating $(VENV) and installing reconciler with its test tools (pinned in .ci/constraints.txt)"
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/ready
	@bash examples/quickstart/demo.sh

test: $(VENV)/ready
	@echo "== ruff: style and complexity"
	$(VENV)/bin/ruff check --no-cache .
	echo "== mypy --strict: types"
	$(VENV)/bin/mypy
	echo "== pytest: behaviour (two workers, warnings are errors, no socket but loopback)"
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
