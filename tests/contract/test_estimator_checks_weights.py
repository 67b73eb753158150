"""scikit-learn's estimator checks on a search that learns sample weights."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbamm import BAMMSearchCV, SampleWeights
from tests.contract.test_estimator_checks import expected_failed_checks, is_selected

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the checks set their own expectations
    pytest.mark.filterwarnings("error::RuntimeWarning:skbamm"),
]


def searches():
    """List a classifier's search and a regressor's; half of the checks have string labels."""
    for model, grid in (
        (LogisticRegression(), {"C": (1e-2, 1e2)}),
        (Ridge(), {"alpha": (1e-2, 1e2)}),
    ):
        weights = SampleWeights("score")
        # The checks ask for a contract, not for the last digits.
        yield BAMMSearchCV(
            model, grid, cv=2, error_score="raise", sample_weights=weights, max_iter=25
        )


def takes_long(parameters):
    """Whether weights are learned for every sparse format: those of the regressor are enough."""
    told = str(parameters)
    return "sparse_matrix" in told or ("sparse_array" in told and "LogisticRegression" in told)


def checks():
    """Parametrise a test by the searches and by the checks that apply to them."""
    decorator = parametrize_with_checks(
        list(searches()), expected_failed_checks=expected_failed_checks, xfail_strict=False
    )
    names, parameters = decorator.args
    selected = [p for p in parameters if is_selected(p) and not takes_long(p)]
    return pytest.mark.parametrize(names, selected, **decorator.kwargs)


@checks()
def test_estimator(estimator, check):
    check(estimator)
