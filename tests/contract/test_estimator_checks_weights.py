"""scikit-learn's estimator checks on a search that learns sample weights."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from skbamm import BAMMSearchCV, SampleWeights
from tests.contract.test_estimator_checks import is_selected, name_of, with_checks

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the checks set their own expectations
    pytest.mark.filterwarnings("error::RuntimeWarning:skbamm"),
]


def searches():
    """List a classifier's search and a regressor's; half of the checks have string labels."""
    for model, grid in (
        (LogisticRegression(), {"C": [1.0]}),
        (Ridge(), {"alpha": (1e-2, 1e2)}),
    ):
        weights = SampleWeights("score")
        # The checks ask for a contract, not for the last digits.
        yield BAMMSearchCV(
            model, grid, cv=2, error_score="raise", sample_weights=weights, max_iter=25
        )


def once(parameters):
    """Keep checks of one kind of model, sparse arrays with the regressor, and the rest with one.

    A check of any estimator is as strict with the regressor, whose weights are learned in a third
    of the time: it has one interval and no labels.
    """
    kept, seen = [], set()
    for one in sorted(parameters, key=lambda one: "Ridge" not in str(one)):
        name = name_of(getattr(one, "values", one)[1])
        sparse = "sparse" in name
        if "sparse_matrix" in name or (sparse and "LogisticRegression" in str(one)):
            continue
        if sparse or name not in seen:
            kept.append(one)
        seen.add(name)
    return kept


def checks():
    """Parametrise a test by the searches and by the checks that apply to them."""
    decorator = with_checks(searches())
    names, parameters = decorator.args
    selected = [p for p in parameters if is_selected(p)]
    return pytest.mark.parametrize(names, once(selected), **decorator.kwargs)


@checks()
def test_estimator(estimator, check):
    check(estimator)
