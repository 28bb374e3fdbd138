# `make demo` shows the product, `make fleet` many workspaces; `make quick` and `make test` check it; `make soak` tries twenty times as much
# by chance (hours; no pipeline runs it); `make bench` measures calls, time and memory (bench.json). All make .venv first. Nothing is
# written outside this folder but what is gone with its process.
.PHONY: demo fleet quick test format docs soak bench clean
PYTHON ?= python3
VENV := .venv
# The tests start some hundred processes, and a process that has to compile all of it first takes half as long again.
unexport PYTHONDONTWRITEBYTECODE

PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt
OLD := Python 3.11 or newer is needed, and $(PYTHON) is %d.%d; name another one, as in: make demo PYTHON=python3.12

# The fields of an entry are read from its model, so that a kind's file is all that a kind costs.
# It ends with 3 where it found something, with less where it could not look.
UNUSED := unused="$$($(VENV)/bin/vulture)" || [ $$? = 3 ] || exit 1; ! echo "$$unused" | grep -v '^reconciler/kinds/.* unused variable' | grep .

$(VENV)/ready: pyproject.toml .ci/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("$(OLD)" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "== making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "no environment was made; where another Python made $(VENV), run make clean first"; exit 1; }
	@echo "== installing reconciler and its test tools into it, pinned by .ci/constraints.txt (half a minute or so)"
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

demo: $(VENV)/ready
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bash examples/quickstart/demo.sh

fleet: $(VENV)/ready
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" bash examples/fleet/demo.sh

quick: $(VENV)/ready
	@$(VENV)/bin/ruff check --no-cache .
	@$(VENV)/bin/mypy --num-workers 2
	@$(VENV)/bin/python -m pytest -q -n 2 tests/unit/core tests/unit/kinds tests/unit/manifest tests/unit/intercom/search tests/stories/test_cases.py tests/unit/test_house.py

format: $(VENV)/ready
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

test: $(VENV)/ready
	@echo "== ruff: style and complexity"
	@$(VENV)/bin/ruff check --no-cache .
	@echo "== vulture: what nobody uses"
	@$(UNUSED)
	@echo "== mypy --strict: types"
	@$(VENV)/bin/mypy --num-workers 2
	@echo "== pytest: behaviour (three workers, for many tests wait; warnings are errors, no socket but loopback)"
	@$(VENV)/bin/python -m pytest -n 3 --dist worksteal

$(VENV)/docs: $(VENV)/ready
	@echo "== installing mkdocs-material into $(VENV), pinned by .ci/constraints.txt"
	@$(PIP) --no-build-isolation --editable '.[docs]'
	@touch $@

# mkdocs-material tells of its successor at every start.
docs: $(VENV)/docs
	@echo "== docs/ → site/; a link that leads nowhere is an error"
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --clean
	@echo "open site/index.html"

soak: $(VENV)/ready
	@echo "== soak: what is tried by chance or repeated, twenty times as often"
	@RECONCILER_SOAK=1 $(VENV)/bin/python -m pytest -n 3 --dist worksteal --timeout 7200

bench: $(VENV)/ready
	@echo "== bench: calls, time and memory, in one table and in bench.json (an hour or so; python -m tests.bench PART: a part of it)"
	@$(VENV)/bin/python -m tests.bench --json bench.json

clean:
	rm -rf $(VENV) site bench.json .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
