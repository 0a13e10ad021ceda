# `make demo` and `make test` do all set-up in .venv; any Python from 3.11 to 3.13 will do.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
RUN_ID ?=
# Two workers share the cores of a small machine well; each makes its own demo run.
PYTEST_FLAGS ?= -n 2 --dist loadfile
SEG5B_FLAGS ?= $(if $(RUN_ID),--run-id $(RUN_ID))

STATES = segment5b-s0 segment5b-s1 segment5b-s2 segment5b-s3 segment5b-s4 segment5b-s5

.PHONY: install demo test lint fast test-gpu bench bench-gpu segment5b $(STATES) wheel clean

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

# On a machine with a CUDA device: the tests that need one, then parity and times into bench/results/.
test-gpu: install
	$(BIN)/python -m pytest -m gpu tests

bench-gpu: install
	$(BIN)/python bench/kernels.py --items 20000000 > bench/results/kernels_gpu.json
	$(BIN)/python bench/pipeline.py --preset demo --backend cuda > bench/results/pipeline_demo_cuda.json
	$(BIN)/python bench/pipeline.py --preset reference --backend cuda > bench/results/pipeline_reference_cuda.json

bench: install
	$(BIN)/python bench/kernels.py > bench/results/kernels_cpu.json
	$(BIN)/python bench/pipeline.py --preset reference > bench/results/pipeline_reference_cpu.json

segment5b: $(STATES)

$(STATES): segment5b-%: install
	$(BIN)/seg5b $* $(SEG5B_FLAGS)

wheel: install
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
