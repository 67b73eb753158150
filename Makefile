# `make demo` and `make test` need Python >= 3.11 and nothing else: they build .venv themselves.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
READY  := $(VENV)/.ready
DOCS   := $(VENV)/.ready-docs

# One worker a core, one thread a worker: the tests are many and small.
TEST_WORKERS ?= auto
TEST_ARGS    ?=

.PHONY: demo test lint format bench docs clean
.DEFAULT_GOAL := test

demo: $(READY)
	$(PY) examples/demo.py

test: $(READY)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(TEST_WORKERS) --dist worksteal --maxprocesses=8 $(TEST_ARGS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Some hours; then the tables in README.md are written from what was measured.
bench: $(READY)
	$(PY) benchmarks/everyday.py
	$(PY) benchmarks/pipelines.py
	$(PY) benchmarks/end_to_end.py
	$(PY) benchmarks/estimators.py
	$(PY) benchmarks/accuracy.py
	$(PY) benchmarks/held_out.py
	$(PY) benchmarks/surrogates.py
	$(PY) benchmarks/interrupts.py
	$(PY) benchmarks/fuzz.py
	$(PY) benchmarks/memory.py
	$(PY) benchmarks/import_time.py
	$(PY) benchmarks/iteration_cost.py
	$(PY) benchmarks/kernel_ridge.py
	$(PIP) -e ".[bench]"
	$(PY) benchmarks/lasso_path.py
	$(PY) benchmarks/speed.py
	$(PY) benchmarks/speed_profile.py
	$(PY) benchmarks/growth.py
	$(PY) benchmarks/penalties.py
	$(PY) benchmarks/penalties_real.py
	$(PY) benchmarks/penalties_optuna.py
	$(PY) benchmarks/penalties_large.py
	$(PY) benchmarks/label_noise.py
	$(PY) benchmarks/label_noise_large.py
	$(PY) benchmarks/label_noise_trees.py
	$(PY) benchmarks/label_noise_vader.py
	$(PY) benchmarks/render.py

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
