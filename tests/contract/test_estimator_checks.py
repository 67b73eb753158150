"""scikit-learn's estimator checks on BAMMSearchCV, by lists and by intervals."""

import os
import re
import subprocess
import sys
from inspect import signature

import pytest
from sklearn.base import is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbamm import BAMMSearchCV, PerFeature
from tests.versions import DISPATCHES, NEWEST, SKLEARN

# The checks set their own expectations of warnings.  A RuntimeWarning is how a search
# tells users that its joint path broke: from our modules it stays an error.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::RuntimeWarning:skbamm"),
]

# The array API checks skip themselves unless this variable is set before scipy's import.
ARRAY_API = "SCIPY_ARRAY_API" in os.environ

# Checks on ordinary data, which no search of ours may leave to enumeration.
ORDINARY_DATA = {
    "check_classifiers_train",
    "check_dict_unchanged",
    "check_dont_overwrite_attributes",
    "check_estimators_fit_returns_self",
    "check_estimators_pickle",
    "check_fit_idempotent",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_regressors_train",
}


def searches():
    """List the searches to be checked, set up as scikit-learn sets up GridSearchCV.

    Regressor and classifier, list and interval, model and pipeline: every pair of two of these.
    """
    common = {"cv": 2, "error_score": "raise"}
    values, interval = [0.1, 1.0], (1e-2, 1e2)
    regressor, classifier = (
        make_pipeline(StandardScaler(), model) for model in (Ridge(), LogisticRegression())
    )
    yield BAMMSearchCV(Ridge(), {"alpha": values}, **common)
    yield BAMMSearchCV(LogisticRegression(), {"C": interval}, **common)
    yield BAMMSearchCV(regressor, {"ridge__alpha": interval}, **common)
    yield BAMMSearchCV(classifier, {"logisticregression__C": values}, **common)
    yield BAMMSearchCV(
        Ridge(), {"alpha": PerFeature(1e-2, 1e2, shrinkage=False)}, max_iter=5, **common
    )


def name_of(check):
    return check.func.__name__


def expected_failed_checks(search):
    """Name the failures of GridSearchCV that scikit-learn expects; it has one other."""
    if is_regressor(search):
        return {"check_supervised_y_2d": "DataConversionWarning not caught"}
    return {}


def is_selected(parameters):
    """Leave out the checks that would skip themselves in this process."""
    _, check = getattr(parameters, "values", parameters)
    return ARRAY_API or not name_of(check).startswith("check_array_api")


def with_checks(searches):
    """Return scikit-learn's decorator, in which an expected failure may pass."""
    options = {"expected_failed_checks": expected_failed_checks}
    if "xfail_strict" in signature(parametrize_with_checks).parameters:  # from 1.8 on
        options["xfail_strict"] = False
    return parametrize_with_checks(list(searches), **options)


def checks():
    """Parametrise a test by the searches and by the checks that apply to them."""
    decorator = with_checks(searches())
    names, parameters = decorator.args
    parameters = [p for p in parameters if is_selected(p)]
    return pytest.mark.parametrize(names, parameters, **decorator.kwargs)


@checks()
def test_estimator(estimator, check, fits):
    check(estimator)
    if name_of(check) in ORDINARY_DATA:
        (values,) = estimator.param_grid.values()
        role = "joint grid" if isinstance(values, list) else "searched"
        assert fits
        for search in fits:
            assert [row["role"] for row in search.search_plan_] == [role]


@pytest.mark.skipif(ARRAY_API, reason="the checks run in this process")
@pytest.mark.skipif(not DISPATCHES, reason="array API dispatch needs SciPy 1.14")
def test_array_api_in_a_process_of_its_own():
    """Torch tensors and numpy arrays under array API dispatch."""
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", __file__, "-k", "check_array_api"]
    env = {**os.environ, "SCIPY_ARRAY_API": "1"}
    env.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^PASSED .*\[(BAMMSearchCV\(.*\))-check", done.stdout, re.MULTILINE)
    taken = list(searches())
    if SKLEARN < NEWEST:  # fewer estimators are asked
        taken = [search for search in taken if get_tags(search).array_api_support]
    assert len(set(passed)) == len(taken) > 0, done.stdout
