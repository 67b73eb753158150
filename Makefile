# `make demo`, `make test` and `make test-fast` need Python >= 3.11 and nothing else: they build .venv themselves.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
READY  := $(VENV)/.ready
DOCS   := $(VENV)/.ready-docs

# One worker a core, one thread a worker: the tests are many and small.
TEST_WORKERS ?= auto
TEST_ARGS    ?=
PYTEST        = OMP_NUM_THREADS=1 $(PY) -m pytest -n $(TEST_WORKERS) --dist worksteal \
                --maxprocesses=8

# The quick tests: all but whole searches over every kind of model, data and setting.
FAST := tests/bilevel tests/folds tests/glm tests/losses tests/space tests/weights \
	tests/models/test_base.py tests/models/test_register.py \
	tests/contract/test_search_arguments.py tests/contract/test_search_results.py \
	tests/search/test_bad_input.py tests/test_*.py skbamm --ignore=tests/glm/test_kinks.py

.PHONY: demo test test-fast lint format bench docs clean
.DEFAULT_GOAL := test

demo: $(READY)
	$(PY) examples/demo.py

test: $(READY)
	$(PYTEST) $(TEST_ARGS)

# Under two minutes on two cores.
test-fast: $(READY)
	$(PYTEST) $(FAST) $(TEST_ARGS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) docs/check_docstrings.py

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Some hours; then the tables in README.md are written from what was measured.
bench: $(READY)
	$(PY) -m benchmarks.everyday.uses
	$(PY) -m benchmarks.everyday.pipelines
	$(PY) -m benchmarks.speed searches
	$(PY) -m benchmarks.everyday.estimators
	$(PY) -m benchmarks.scores.accuracy
	$(PY) -m benchmarks.scores.held_out
	$(PY) -m benchmarks.scores.surrogates
	$(PY) -m benchmarks.robustness.interrupts
	$(PY) -m benchmarks.robustness.fuzz
	$(PY) -m benchmarks.speed memory
	$(PY) -m benchmarks.speed import_time
	$(PY) -m benchmarks.speed iteration
	$(PY) -m benchmarks.speed kernel_ridge
	$(PIP) -e ".[bench]"
	$(PY) -m benchmarks.speed lasso_path
	$(PY) -m benchmarks.speed specialists
	$(PY) -m benchmarks.speed profile
	$(PY) -m benchmarks.speed growth
	$(PY) -m benchmarks.penalties.known
	$(PY) -m benchmarks.penalties.real
	$(PY) -m benchmarks.penalties.optuna
	$(PY) -m benchmarks.penalties.large
	$(PY) -m benchmarks.labels.flipped
	$(PY) -m benchmarks.labels.large
	$(PY) -m benchmarks.labels.trees
	$(PY) -m benchmarks.labels.raters
	$(PY) -m benchmarks.render

docs: $(DOCS)
	$(PY) -m sphinx -W -b html docs docs/_build/html

$(PY):
	$(PYTHON) -m venv $(VENV)

# torch goes in first and alone: the pinned build is then in place, and nothing installed after it
# can bring in another one (a CUDA build is gigabytes).
$(READY): pyproject.toml constraints.txt | $(PY)
	$(PIP) torch
	$(PIP) -e ".[test,plot,lint]"
	@touch $@

$(DOCS): $(READY)
	$(PIP) -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) build dist demo_output docs/_build docs/generated
