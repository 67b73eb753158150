"""scikit-learn's own tests of its search classes, run on BAMMSearchCV.

``sklearn/model_selection/tests/test_search.py`` ships with scikit-learn.  The
module is executed here under another name while ``GridSearchCV`` is bound to
``BAMMSearchCV``, so that calls, subclasses and the objects stored in
parametrisations are all ours; the installed module stays as it is.  The tests
appear as tests of this module:

- every test of ``GridSearchCV``, with its own estimators, most of which
  scikit-learn has to fit itself ("enumerated");
- the tests of ``RandomizedSearchCV`` that also make sense on a grid, among them
  the only ones with ``Ridge`` (ids end in ``__randomized``);
- the tests of linear support vector machines with ``LogisticRegression`` in
  their place (ids end in ``__logistic``), so that the joint solver of whole
  grids has to satisfy them too;
- the tests of metadata routing that every meta-estimator has to pass, from another
  shipped module (ids end in ``__routing``).

Each successful fit on the way is checked for the path that served it.
"""

import functools
import importlib.util
import inspect
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import chain
from numbers import Real
from unittest import mock

import pytest
import sklearn.discriminant_analysis
import sklearn.linear_model
import sklearn.model_selection
import sklearn.svm
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from skbamm import BAMMSearchCV
from tests.contract.comparison import NEW_ATTRIBUTES
from tests.versions import DISPATCHES, NEWEST, SKLEARN

SUITE = "sklearn.model_selection.tests.test_search"
ROUTING_SUITE = "sklearn.tests.test_metaestimators_metadata_routing"
FOREIGN = (
    sklearn.model_selection.GridSearchCV,
    sklearn.model_selection.RandomizedSearchCV,
    sklearn.model_selection.HalvingGridSearchCV,
    sklearn.model_selection.HalvingRandomSearchCV,
)
TUNED = {LogisticRegression: "C", Ridge: "alpha", RidgeClassifier: "alpha", LinearSVC: "C"}

# scikit-learn's tests mean its own, looser, warning filters.  A RuntimeWarning is how
# a search tells users that its joint path broke: from our modules it stays an error.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::RuntimeWarning:skbamm"),
]

# Shipped tests without a GridSearchCV in them.
NOT_ABOUT_GRID_SEARCH = {
    "test_validate_parameter_input": "ParameterGrid and ParameterSampler",
    "test_parameter_grid": "ParameterGrid",
    "test_param_sampler": "ParameterSampler",
    "test_parameters_sampler_replacement": "ParameterSampler",
    "test_random_search_cv_results": "RandomizedSearchCV on distributions",
    "test_random_search_cv_results_multimetric": "RandomizedSearchCV; in __randomized",
    "test__custom_fit_no_run_search": "BaseSearchCV",
    "test_empty_cv_iterator_error": "RandomizedSearchCV; in __randomized",
    "test_random_search_bad_cv": "RandomizedSearchCV; in __randomized",
    "test_search_with_2d_array": "RandomizedSearchCV, the order of its sample",
    "test_yield_masked_array_for_each_param": "a private function of scikit-learn",
    "test_yield_masked_array_no_runtime_warning": "a private function of scikit-learn",
}

# The array API tests skip themselves unless this variable is set before scipy's import.
ARRAY_API = "SCIPY_ARRAY_API" in os.environ
ARRAY_API_TESTS = ("test_array_api_search_cv_classifier",)

# Tests with a list on a penalty strength that the joint solver takes.
WITH_A_TUNED_MODEL = (
    "test_classes__property",
    "test_unsupported_sample_weight_scorer",
    "test_search_cv_sample_weight_equivalence",
)

# Tests of RandomizedSearchCV that hold for the exhaustive search of the same lists.
RANDOMIZED_ON_LISTS = (
    "test_random_search_cv_results_multimetric",
    "test_empty_cv_iterator_error",
    "test_random_search_bad_cv",
    "test_search_cv_sample_weight_equivalence",
)

# Of these, the tests in which no fit succeeds.
RANDOMIZED_ERRORS = ("test_empty_cv_iterator_error", "test_random_search_bad_cv")

# Tests with a linear support vector machine that hold for logistic regression.
LINEAR_SVC = (
    "test_grid_search_no_score",
    "test_grid_search_score_method",
    "test_grid_search_groups",
    "test_classes__property",
    "test_grid_search_error",
    "test_grid_search_sparse",
    "test_grid_search_sparse_scoring",
    "test_refit_callable",
    "test_refit_callable_invalid_type",
    "test_refit_callable_out_bound",
    "test_refit_callable_multi_metric",
    "test_search_cv_timing",
    "test_grid_search_correct_score_results",
    "test_search_train_scores_set_to_false",
    "test_grid_search_cv_splits_consistency",
    "test_callable_multimetric_confusion_matrix",
    "test_callable_multimetric_same_as_list_of_strings",
    "test_callable_single_metric_same_as_single_string",
    "test_callable_multimetric_error_on_invalid_key",
    "test_search_cv_verbose_3",
    "test_search_estimator_param",
    "test_multi_metric_search_forwards_metadata",
    "test_score_rejects_params_with_no_routing_enabled",
)

# Of these, the tests in which no fit succeeds, or only one of a strength of zero or of
# a whole step: no fit that the joint solver is certain to serve.
LINEAR_SVC_OTHERS = (
    "test_grid_search_error",
    "test_refit_callable_invalid_type",
    "test_refit_callable_out_bound",
    "test_search_cv_timing",
    "test_callable_multimetric_error_on_invalid_key",
    "test_search_estimator_param",
)

# The tests that are parametrised by meta-estimator in the second module.
ROUTING = (
    "test_default_request",
    "test_error_on_missing_requests_for_sub_estimator",
    "test_setting_request_on_sub_estimator_removes_error",
    "test_non_consuming_estimator_works",
    "test_metadata_is_routed_correctly_to_scorer",
    "test_metadata_is_routed_correctly_to_splitter",
    "test_metadata_routed_to_sub_estimator_in_pipeline",
    "test_metadata_routed_to_group_splitter",
)


def exhaustive(estimator, param_distributions, *, n_iter=10, random_state=None, **kw):
    """Call BAMMSearchCV with the arguments of a RandomizedSearchCV."""
    return BAMMSearchCV(estimator, param_distributions, **kw)


class OverStrengths(BAMMSearchCV):
    """A search over strengths of a penalty in place of tolerances.

    They are larger: the features of the test, ten of five rows, are one another's multiples, and
    of second moments of these the least tolerance, as a penalty, leaves no digit.
    """

    def __init__(self, estimator, param_grid, **kw):
        if isinstance(param_grid, dict) and "tol" in param_grid:
            strengths = [1e4 * tol for tol in param_grid["tol"]]
            param_grid = {TUNED[type(estimator)]: strengths}
        super().__init__(estimator, param_grid, **kw)


def execute_suite(suite, alias, **replacements):
    """Execute a shipped test module as `alias` with some public names replaced.

    Parameters
    ----------
    suite : str
        Name of the shipped module.
    alias : str
        Name of the copy; its classes can be pickled under it.
    **replacements : object
        The object to be imported in place of a class of scikit-learn, by its name.
    """
    path = importlib.util.find_spec(suite).origin
    spec = importlib.util.spec_from_file_location(alias, path)
    module = importlib.util.module_from_spec(spec)
    homes = {
        "GridSearchCV": sklearn.model_selection,
        "RandomizedSearchCV": sklearn.model_selection,
        "LinearSVC": sklearn.svm,
        "LinearDiscriminantAnalysis": sklearn.discriminant_analysis,
    }
    with ExitStack() as stack:
        for name, value in replacements.items():
            stack.enter_context(mock.patch.object(homes[name], name, value))
        # The marks of scikit-learn's own configuration are unknown here.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        sys.modules[alias] = module
        spec.loader.exec_module(module)
    return module


def is_foreign(value):
    """Whether a parametrised value is another search class or an instance of one.

    The routing tests describe each meta-estimator by a dict.
    """
    if isinstance(value, dict) and "metaestimator" in value:
        return value["metaestimator"] is not BAMMSearchCV
    values = value.values if isinstance(value, type(pytest.param())) else value
    if isinstance(values, (tuple, list)):
        return any(is_foreign(part) for part in values)
    if inspect.isclass(values):
        return values in FOREIGN
    return isinstance(values, FOREIGN) and not isinstance(values, BAMMSearchCV)


def adapt(function, joint):
    """Copy a test function without its parametrisations of other search classes.

    Parameters
    ----------
    function : callable
        The test.
    joint : bool
        Whether the joint solver has to serve at least one of its fits.

    Returns
    -------
    callable or None
        None if no parametrisation is left.
    """
    marks = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            values = [value for value in values if not is_foreign(value)]
            if not values:
                return None
            # Lists of ids would be those of all values.
            mark = pytest.mark.parametrize(names, values).mark
        elif mark.name not in ("filterwarnings", "skipif"):
            continue
        marks.append(mark)

    @functools.wraps(function)
    def test(*args, **kwargs):
        function(*args, **kwargs)
        assert not joint or "joint grid" in roles_served

    test.pytestmark = marks
    return test


def shipped_tests(module):
    """Yield the names and functions of the tests of a module."""
    for name, value in vars(module).items():
        if name.startswith("test_") and inspect.isfunction(value):
            yield name, value


def collect(module, names, joint, suffix=""):
    """Give this module the named tests of an executed copy of the suite."""
    for name in names:
        if name in ARRAY_API_TESTS and not ARRAY_API:
            continue
        if SKLEARN < NEWEST and not hasattr(module, name):
            continue  # it came with a later version
        test = adapt(getattr(module, name), name in joint)
        assert test is not None, name
        globals()[name + suffix] = test


GRID = execute_suite(SUITE, "_search_suite_grid", GridSearchCV=BAMMSearchCV)
RANDOMIZED = execute_suite(SUITE, "_search_suite_randomized", RandomizedSearchCV=exhaustive)
LOGISTIC = execute_suite(
    SUITE, "_search_suite_logistic", GridSearchCV=BAMMSearchCV, LinearSVC=LogisticRegression
)
ROUTED = execute_suite(ROUTING_SUITE, "_search_suite_routing", GridSearchCV=BAMMSearchCV)

collect(
    GRID,
    [name for name, _ in shipped_tests(GRID) if name not in NOT_ABOUT_GRID_SEARCH],
    joint=WITH_A_TUNED_MODEL,
)
collect(
    RANDOMIZED,
    RANDOMIZED_ON_LISTS,
    # Before 1.9 these tests have other models.
    joint=set(RANDOMIZED_ON_LISTS) - set(RANDOMIZED_ERRORS) if SKLEARN >= NEWEST else (),
    suffix="__randomized",
)
collect(
    LOGISTIC,
    LINEAR_SVC,
    joint=set(LINEAR_SVC) - set(LINEAR_SVC_OTHERS),
    suffix="__logistic",
)
collect(ROUTED, ROUTING, joint=(), suffix="__routing")
for model in (LogisticRegression, Ridge, RidgeClassifier):
    on_arrays = execute_suite(
        SUITE, f"_search_suite_{model.__name__}", GridSearchCV=OverStrengths,
        LinearDiscriminantAnalysis=model,
    )  # fmt: skip
    collect(on_arrays, ARRAY_API_TESTS, joint=ARRAY_API_TESTS, suffix=f"__{model.__name__}")


def expected_roles(search):
    """Give the role of each parameter of a list grid, None where it is left open.

    Certain are: positive penalty strengths of a model of ours, alone or as the last
    step of a pipeline, with nothing else searched; and any parameter of any other
    estimator, unless the grid replaces whole steps.
    """
    grids = search.param_grid
    grids = [grids] if isinstance(grids, Mapping) else grids
    model, prefix = search.estimator, ""
    if isinstance(model, Pipeline):
        name, model = model.steps[-1]
        prefix = name + "__"
    tuned = prefix + TUNED[type(model)] if type(model) in TUNED else None
    roles = {}
    for grid in grids:
        for name, values in grid.items():
            if any(hasattr(value, "fit") for value in values):
                return dict.fromkeys(chain.from_iterable(grids))
            roles[name] = "enumerated"
            if name == tuned:
                plain = all(isinstance(v, Real) and v > 0 for v in values)
                roles[name] = "joint grid" if plain and len(grids) == len(grid) == 1 else None
    return roles


roles_served = set()


@pytest.fixture(autouse=True)
def plans_are_checked(monkeypatch):
    """Check after every successful fit which path served it."""
    fit = BAMMSearchCV.fit
    roles_served.clear()

    @functools.wraps(fit)
    def checked_fit(self, X, y=None, **params):
        result = fit(self, X, y, **params)
        roles = {row["parameter"]: row["role"] for row in self.search_plan_}
        expected = expected_roles(self)
        assert set(roles) == set(expected)
        for name, role in expected.items():
            # Own fits of some candidates may serve others too: they are enumerated all the same.
            served = "enumerated" if roles[name] == "shared fits" else roles[name]
            assert role is None or served == role, self.search_plan_
        for row in self.search_plan_:
            assert bool(row["reason"]) == (row["role"] in ("enumerated", "shared fits")), row
        roles_served.update(roles.values())
        return result

    monkeypatch.setattr(BAMMSearchCV, "fit", checked_fit)


@pytest.fixture(autouse=True)
def new_attributes_are_hidden(request, monkeypatch):
    """Hide our own fitted attributes from ``dir`` in the one test that lists it.

    It compares every attribute of a grid search with those of a bare subclass of
    scikit-learn's base class, which can't have ours.
    """
    if request.node.originalname == "test_custom_run_search":
        monkeypatch.setattr(
            BAMMSearchCV,
            "__dir__",
            lambda self: set(object.__dir__(self)) - NEW_ATTRIBUTES,
            raising=False,
        )


@pytest.mark.skipif(SKLEARN < NEWEST, reason="the lists are those of the newest scikit-learn")
def test_every_shipped_test_is_accounted_for():
    """A release of scikit-learn with new tests must not pass them by."""
    names = dict(shipped_tests(GRID))
    assert set(NOT_ABOUT_GRID_SEARCH) <= set(names)
    assert set(RANDOMIZED_ON_LISTS) | set(LINEAR_SVC) <= set(names)
    for name, function in names.items():
        mentions = "GridSearchCV" in inspect.getsource(inspect.unwrap(function))
        parametrised = any(
            BAMMSearchCV in (part, type(part))
            for mark in getattr(function, "pytestmark", [])
            if mark.name == "parametrize"
            for value in mark.args[1]
            for part in (value if isinstance(value, tuple) else (value,))
        )
        if name in NOT_ABOUT_GRID_SEARCH:
            assert not parametrised, name
        else:
            assert mentions or parametrised, name


def test_the_copies_hold_our_class():
    for module in (GRID, LOGISTIC):
        assert module.GridSearchCV is BAMMSearchCV
    assert LOGISTIC.LinearSVC is LogisticRegression
    shipped = importlib.import_module(SUITE)
    assert shipped.GridSearchCV is sklearn.model_selection.GridSearchCV
    assert shipped.GridSearchCV is not BAMMSearchCV


@pytest.mark.skipif(ARRAY_API, reason="the tests run in this process")
@pytest.mark.skipif(not DISPATCHES, reason="array API dispatch needs SciPy 1.14")
def test_array_api_in_a_process_of_its_own():
    """Arrays of torch, NumPy and array-api-strict under array API dispatch.

    With a linear model in place of its own the test is passed by joint solves: ``collect`` asks
    for that.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", __file__, "-k", ARRAY_API_TESTS[0]]
    env = {**os.environ, "SCIPY_ARRAY_API": "1"}
    env.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    cases = ["numpy-None-None", "torch-cpu-float64", "torch-cpu-float32"]
    if importlib.util.find_spec("array_api_strict") is not None:
        cases.append("array_api_strict-")
    passed = [line for line in done.stdout.splitlines() if line.startswith("PASSED")]
    for kind in ("", "__LogisticRegression", "__Ridge", "__RidgeClassifier"):
        own = [line for line in passed if f"{ARRAY_API_TESTS[0]}{kind}[" in line]
        for case in cases:
            assert any(case in line for line in own), done.stdout
