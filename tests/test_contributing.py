"""What CONTRIBUTING.md and ARCHITECTURE.md say holds."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data

import skbamm
from skbamm import BAMMSearchCV
from skbamm.models import registry
from tests.truth import assert_true, roles

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
PROPORTIONS = expit(X @ [1.0, -2.0, 0.5, 0.0] + RNG.normal(size=80))

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="tested without a clone")


class FractionalRegressor(RegressorMixin, BaseEstimator):
    """Logistic regression of proportions, which scikit-learn has not."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y, sample_weight=None):
        X, y = validate_data(self, X, y, y_numeric=True)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight

        def objective(coef):
            z = X @ coef[:-1] + coef[-1]
            slope = weight * (expit(z) - y)
            value = weight @ (np.logaddexp(0, z) - y * z) + self.alpha * coef[:-1] @ coef[:-1] / 2
            return value, np.append(X.T @ slope + self.alpha * coef[:-1], slope.sum())

        options = {"gtol": 1e-10, "ftol": 1e-15, "maxiter": 10_000}
        found = minimize(objective, np.zeros(X.shape[1] + 1), jac=True, options=options,
                         method="L-BFGS-B")  # fmt: skip
        self.coef_, self.intercept_ = found.x[:-1], found.x[-1]
        return self

    def predict(self, X):
        return expit(validate_data(self, X, reset=False) @ self.coef_ + self.intercept_)


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_page_adds_an_estimator_in_25_lines(monkeypatch):
    monkeypatch.setattr(registry, "_TWINS", dict(registry._TWINS))
    twin, check = blocks()
    assert sum(1 for line in twin.splitlines() if line.strip()) <= 25
    names = {"FractionalRegressor": FractionalRegressor, "proportions": PROPORTIONS[:60]}
    exec(twin, names)
    exec(check, names)
    model = FractionalRegressor()
    scoring = "neg_mean_squared_error"
    search = BAMMSearchCV(model, {"alpha": (1e-2, 1e2)}, scoring=scoring).fit(X, PROPORTIONS)
    assert roles(search) == {"alpha": "searched"}
    assert_true(search, X, PROPORTIONS, cv=5, scoring=scoring)
    listed = BAMMSearchCV(model, {"alpha": np.geomspace(1e-2, 1e2, 9)}, scoring=scoring)
    assert search.best_score_ >= listed.fit(X, PROPORTIONS).best_score_ - 1e-4


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_files_that_the_pages_name_are_there(page):
    text = (ROOT / page).read_text()
    named = {*re.findall(r"\]\(([\w/.]+)\)", text), *re.findall(r"`([\w/]+(?:/|\.py))`", text)}
    named -= {"tests/models/test_fractional.py", "benchmarks/"}  # to be written; not in the sdist
    places = [ROOT / place for place in ("", "skbamm", "skbamm/losses", "skbamm/criteria")]
    assert len(named) > 10
    assert not [name for name in named if not any((place / name).exists() for place in places)]


def test_no_package_imports_one_above_it():
    script = ROOT / "docs" / "architecture.py"
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_api_pages_name_everything_public():
    api, promise = ((ROOT / "docs" / name).read_text() for name in ("api.rst", "stability.rst"))
    for name in set(skbamm.__all__) - {"__version__"}:
        assert re.search(rf"^    {name}$", api, re.MULTILINE), name
        assert f"``{name}``" in promise, name
