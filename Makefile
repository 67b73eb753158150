# `make demo`, `make test` and `make test-fast` need Python >= 3.10 and nothing else: they build .venv themselves.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt
READY  := $(VENV)/.ready
DOCS   := $(VENV)/.ready-docs

SITE_BASE ?= /

# Environments of their own for other versions of scikit-learn.
OLDEST  := .venv-oldest
NIGHTLY := .venv-nightly
# The index of scikit-learn's nightly wheels (its installation page names it); else pre-releases.
NIGHTLY_WHEELS ?=

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

# What has to hold on each supported scikit-learn: its contract of a search, and the models.
CONTRACT := tests/contract tests/search/test_pipelines.py tests/models/test_base.py \
	tests/models/test_ridge.py tests/models/test_logistic_regression.py \
	tests/models/test_positive.py tests/models/test_kernel_ridge.py \
	tests/models/test_linear_svm.py tests/models/test_registry.py tests/models/test_tweedie.py \
	tests/models/test_quantile.py tests/models/test_multi_output.py \
	tests/models/test_several_labels.py tests/models/test_feature_penalty.py

.PHONY: demo test test-fast test-others contract-oldest contract-nightly lint format bench tables docs site links clean
.DEFAULT_GOAL := test

demo: $(READY)
	$(PY) examples/demo.py

test: $(READY)
	$(PYTEST) $(TEST_ARGS)

# Under two minutes on two cores.
test-fast: $(READY)
	$(PYTEST) $(FAST) $(TEST_ARGS)

# With the packages that a search is to fit in with; some hundred megabytes.
test-others: $(READY)
	$(PIP) -e ".[others]"
	$(PYTEST) tests/search/test_fits_in.py tests/search/test_fits_in_others.py $(TEST_ARGS)

# Two minutes on two cores, after its environment was made.
contract-oldest: $(OLDEST)/.ready
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n $(TEST_WORKERS) --dist worksteal \
	    --maxprocesses=8 $(CONTRACT) $(TEST_ARGS)

# scikit-learn's nightly build, which is newer than the package allows; needs a network.
contract-nightly: $(NIGHTLY)/.ready
	$(NIGHTLY)/bin/python -m pip install --quiet --pre --upgrade --no-deps \
	    $(if $(NIGHTLY_WHEELS),--index-url $(NIGHTLY_WHEELS)) scikit-learn
	OMP_NUM_THREADS=1 $(NIGHTLY)/bin/python -m pytest -n $(TEST_WORKERS) --dist worksteal \
	    --maxprocesses=8 $(CONTRACT) $(TEST_ARGS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) docs/check_docstrings.py

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

# Some hours; then the tables in benchmarks/README.md are written from what was measured.
bench: $(READY)
	$(PY) -m benchmarks.everyday.uses
	$(PY) -m benchmarks.everyday.pipelines
	$(PY) -m benchmarks.everyday.documented
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

# The tables of what is supported, in README.md and the pages, from the registries.
tables: $(READY)
	$(PY) docs/supported.py

docs: $(DOCS)
	$(PY) docs/supported.py --check
	$(PY) -m sphinx -W -b html docs docs/_build/html

# The pages in docs/_build/site, a folder for each version; SITE_BASE is the site's address.
site: $(DOCS)
	$(PY) -m sphinx -W -t site -b html docs docs/_build/versioned
	$(PY) docs/site_of_versions.py docs/_build/versioned docs/_build/site --base $(SITE_BASE)

# Links inside of the pages; `make links ONLINE=--online` tries those to other sites, too.
links: docs
	$(PY) docs/check_links.py docs/_build/html $(ONLINE)

$(PY):
	$(PYTHON) -m venv $(VENV)

# torch goes in first and alone: the pinned build is then in place, and nothing installed after it
# can bring in another one (a CUDA build is gigabytes).
$(READY): pyproject.toml constraints.txt | $(PY)
	$(PIP) torch
	$(PIP) -e ".[test,plot,progress,lint]"
	@touch $@

$(DOCS): $(READY)
	$(PIP) -e ".[docs]"
	@touch $@

# The package itself goes in without its dependencies: the set is the constraints'.
$(OLDEST)/.ready: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints-oldest.txt torch numpy
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints-oldest.txt scikit-learn scipy pandas pytest pytest-xdist hypothesis
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(NIGHTLY)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(NIGHTLY)
	$(NIGHTLY)/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt torch
	$(NIGHTLY)/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c constraints.txt -e ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) $(OLDEST) $(NIGHTLY) build dist demo_output docs/_build docs/generated
