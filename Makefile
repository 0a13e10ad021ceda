# `make demo` and `make test` do all set-up in .venv; any Python from 3.11 to 3.13 will do.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
RUN_ID ?=
# Two workers share the cores of a small machine well; each makes its own demo run.
PYTEST_FLAGS ?= -n 2 --dist loadfile
SEG5B_FLAGS ?= $(if $(RUN_ID),--run-id $(RUN_ID))

STATES = segment5b-s0 segment5b-s1 segment5b-s2 segment5b-s3 segment5b-s4 segment5b-s5

.PHONY: install demo test lint check fast segment5b $(STATES) bench wheel clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

demo: install
	$(BIN)/seg5b demo

# Everything CI checks: formatter, linter, walls, types, tests.
test: lint
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The quick loop while writing: kernels and contracts only.
fast: install
	$(BIN)/python -m pytest -q tests/kernels tests/contracts tests/policy tests/runs

segment5b: $(STATES)

$(STATES): segment5b-%: install
	$(BIN)/seg5b $* $(SEG5B_FLAGS)

wheel: install
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
