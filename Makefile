# `make demo` and `make test` do all set-up in .venv; any Python from 3.11 to 3.13 will do.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
# Where runs are, and which one; SEG5B_S1_RUN_ID and its like name that of one state.
RUNS_ROOT ?=
RUN_ID ?=
# Two workers share the cores of a small machine well; each makes its own demo run.
PYTEST_FLAGS ?= -n 2 --dist loadfile
SEG5B_FLAGS ?= $(if $(RUNS_ROOT),--runs-root '$(RUNS_ROOT)')
run_of = $(if $(1),--run-id $(1))
state_of = $(shell echo $(1) | tr s S)

.PHONY: install demo test long lint fast floors docs figures golden readers torture mutation lawful carried ptx test-gpu bench bench-gpu segment5b wheel clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[test]'
	touch $@

demo: install
	$(BIN)/seg5b demo $(if $(RUNS_ROOT),--runs-root '$(RUNS_ROOT)')

# Everything CI checks: formatter, linter, walls, types, tests; a test builds the documentation.
test: lint
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

# The same with what takes long: every page's commands, a sitting of the benchmarks, more clusters and targets.
long: lint
	SEG5B_LONG=1 $(BIN)/python -m pytest $(PYTEST_FLAGS)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The quick loop while writing: kernels, expansion and contracts only.
fast: install
	$(BIN)/python -m pytest -q tests/kernels tests/rng tests/expansion tests/contracts tests/policy tests/runs

# The lowest releases that pyproject.toml allows, in build/floors, and what they have to do there: kernels on the CPU and as
# PTX, backends, commands. uv picks them. Python 3.11 or 3.12: the lowest numpy has no wheels for later ones. Five minutes.
floors:
	$(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet uv
	build/uv/bin/uv venv --quiet --clear --python $(PYTHON) build/floors
	build/uv/bin/uv pip install --quiet --python build/floors --resolution lowest-direct -e '.[test,cuda13]'
	build/uv/bin/uv pip list --quiet --python build/floors
	build/floors/bin/python -m pytest -q $(FLOOR_TESTS)

FLOOR_TESTS ?= tests/kernels tests/backends tests/cli/test_manners.py $(wildcard tests/ptx)

# The documentation as a site, into build/site; any warning is an error.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Measures the figures of docs/realism.md and writes them into it; a quarter of an hour.
figures: install
	$(BIN)/python -m docs.generate.figures

# What worlds hold, remembered as digests, that of 13 million arrivals too, and every figure of docs/realism.md: a quarter of an
# hour.
golden: install
	SEG5B_GOLDEN=all $(BIN)/python -m pytest -q tests/golden tests/docs/test_figures.py

# Asks every reader, in its newest and in its oldest allowed release, whether it reads arrivals right, and writes
# docs/reference/readers.md; a quarter of an hour, and 3 GB of environments below build/readers. Spark needs Java (17 or later).
readers: install
	$(BIN)/python -m tests.readers build/readers

# Breaks some 500 runs of a tiny world on purpose and writes docs/reliability.md; at most half an hour on two cores. Needs a C
# compiler (cc), and root for some of the cases; fuzzes by coverage where atheris can be installed. Without network:
# make torture TORTURE_READY=install
TORTURE_READY ?= $(VENV)/.installed-torture

$(VENV)/.installed-torture: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[test,fuzz]'
	touch $@

torture: $(TORTURE_READY)
	$(BIN)/python -m tests.torture --page

# Plants 166 faults in code and data, one at a time, and prints who notices: S5, the score, replay or nobody; three
# quarters of an hour on one core, less with MUTATION_FLAGS="--jobs 4". Stopped, it goes on where it was. After a change of
# checks: make mutation MUTATION_FLAGS=--pin writes tests/mutation/expected.json, and `python -m docs.generate` the page.
MUTATION_FLAGS ?=

mutation: install
	$(BIN)/python -W ignore -m tests.mutation --table build/mutation.md $(MUTATION_FLAGS)

# Makes, judges and removes 200 tiny lawful worlds, 20 of the demo's size and 200 by public figures: S5 must pass them all, and the
# last must not fail the gates that their laws are for. An hour on two cores; stopped, it goes on where it was.
LAWFUL_FLAGS ?= --jobs 2

lawful: install
	$(BIN)/python -W ignore -m tests.mutation.lawful $(LAWFUL_FLAGS)

# The code that a device would run, executed without one: on every target, and the demo; some minutes.
ptx: install
	SEG5B_PTX=all $(BIN)/python -m pytest $(PYTEST_FLAGS) tests/ptx

# On a machine with a CUDA device, into bench/results/: the tests that need one; kernel times, both backends' bytes, whole
# runs, and states with files on disk and in memory. CUDA is cuda13 or cuda12, as the driver wants. In an environment that has
# everything, such as one with cudf: make bench-gpu BIN=$$CONDA_PREFIX/bin READY= LABEL=cuda_cudf FRAMES=arrow,cudf
# Where nothing can be installed: `make carried` elsewhere, with the same Python, and there
# PYTHONPATH=$$PWD:$$PWD/kernels:$$PWD/build/carried make test-gpu bench-gpu READY= GPU_PYTHON=python3
CUDA    ?= cuda13
GPU_PYTHON ?= $(BIN)/python
CARRIED ?= build/carried
FRAMES  ?= auto
READY   ?= $(VENV)/.installed-$(CUDA)
LABEL   ?= cuda
RESULTS  = bench/results
WORLD   ?= reference_classic

$(VENV)/.installed-cuda%: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[test,cuda$*]'
	touch $@

# Everything that the two below need but Python and make, in a folder.
carried:
	$(PYTHON) -m pip install --quiet --upgrade --target $(CARRIED) '.[dask,$(CUDA)]' pytest hypothesis scipy pandas
	cp bench/carried/sitecustomize.py $(CARRIED)/

# Other people's warnings must not hide results, so they are no errors here.
test-gpu: $(READY)
	$(GPU_PYTHON) bench/machine.py --cuda
	$(GPU_PYTHON) bench/machine.py > $(RESULTS)/tests_$(LABEL).txt
	$(GPU_PYTHON) -m pytest -m gpu -W default -v tests/device tests/backends tests/frames \
	  >> $(RESULTS)/tests_$(LABEL).txt 2>&1; \
	  status=$$?; tail -n 25 $(RESULTS)/tests_$(LABEL).txt; exit $$status

bench-gpu: $(READY)
	$(GPU_PYTHON) bench/machine.py --cuda
	$(GPU_PYTHON) bench/kernels.py --backend cpu > $(RESULTS)/kernels_$(LABEL)_cpu.json
	$(GPU_PYTHON) bench/kernels.py --backend cuda --items 20000000 > $(RESULTS)/kernels_$(LABEL).json
	$(GPU_PYTHON) $(MEASURE) > $(RESULTS)/pipeline_demo_$(LABEL).json
	$(GPU_PYTHON) $(MEASURE) --preset $(WORLD) > $(RESULTS)/pipeline_$(WORLD)_$(LABEL).json
	$(GPU_PYTHON) $(MEASURE) --preset $(WORLD) --no-disk > $(RESULTS)/pipeline_$(WORLD)_$(LABEL)_memory.json
	$(GPU_PYTHON) bench/figure.py --backends $(RESULTS)/pipeline_$(WORLD)_$(LABEL).json \
	  $(RESULTS)/kernels_$(LABEL)_cpu.json $(RESULTS)/kernels_$(LABEL).json $(RESULTS)/backends_$(LABEL).svg

MEASURE = bench/pipeline.py --backend cpu,cuda --frames $(FRAMES)

# Everything about speed in one sitting, on a machine that does nothing else; a quarter of an hour on two cores. The figure
# of the documentation is drawn from it. Some pieces only: make bench BENCH_FLAGS="--pieces loops,whole,baselines".
# Without network: make bench BENCH_READY=install says "not installed" of what others' programs are missing.
BENCH_READY ?= $(VENV)/.installed-bench
BENCH_FLAGS ?=

$(VENV)/.installed-bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e '.[test,bench]'
	touch $@

bench: $(BENCH_READY)
	$(BIN)/python bench/sitting.py --world $(WORLD) --out $(RESULTS)/sitting_$(WORLD).json \
	  --history $(RESULTS)/history.jsonl $(BENCH_FLAGS)
	$(BIN)/python bench/figure.py $(RESULTS)/sitting_$(WORLD).json docs/img/speed.svg

# All states, or one: make segment5b-s3. What else is set here, and what is in the environment, is answered by the command.
segment5b: install
	$(BIN)/seg5b run $(SEG5B_FLAGS) $(call run_of,$(RUN_ID))

segment5b-%: install
	$(BIN)/seg5b $* $(SEG5B_FLAGS) $(call run_of,$(or $(SEG5B_$(call state_of,$*)_RUN_ID),$(RUN_ID)))

wheel: install
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
