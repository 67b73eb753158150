"""Searches that random cases of benchmarks/robustness/fuzz.py have shown to fail."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from skbamm import BAMMSearchCV, EdgeWarning
from skbamm.search.explored import Explored
from skbamm.space import Axis


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (LogisticRegression(solver="newton-cg"), "C"),
        (LogisticRegression(solver="liblinear"), "C"),
        (PoissonRegressor(), "alpha"),
        (Ridge(), "alpha"),
    ],
)
def test_a_rare_category_makes_the_folds_differ_in_width(model, name):
    rng = np.random.default_rng(0)
    kind = np.array(list("ab"))[np.arange(40) % 2]
    kind[3], kind[17] = "rare", "odd"  # each missing from one fold's training rows
    frame = pd.DataFrame({"kind": kind, "x": rng.standard_normal(40)})
    y = (frame["x"] + 0.5 * rng.standard_normal(40) > 0.2).astype(int)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), remainder="passthrough"
    )
    search = BAMMSearchCV(
        make_pipeline(columns, model), {f"{type(model).__name__.lower()}__{name}": (1e-2, 1e2)},
        cv=KFold(4, shuffle=True, random_state=0),
    ).fit(frame, y)  # fmt: skip
    assert np.isfinite(search.best_score_)
    assert np.isfinite(search.predict(frame)).all()


@pytest.mark.parametrize("kernel", ["poly", "rbf", "linear"])
def test_a_kernel_model_after_a_step_is_solved_jointly(kernel):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(60)
    pipe = make_pipeline(MaxAbsScaler(), KernelRidge(kernel=kernel))
    search = BAMMSearchCV(
        pipe, {"kernelridge__alpha": (1e-3, 1e2)}, scoring="neg_mean_squared_error", cv=3
    ).fit(X, y)
    grid = GridSearchCV(
        pipe, {"kernelridge__alpha": np.geomspace(1e-3, 1e2, 9)},
        scoring="neg_mean_squared_error", cv=3,
    ).fit(X, y)  # fmt: skip
    assert search.search_plan_[0]["role"] == "searched"
    assert search.best_score_ >= grid.best_score_ * (1 + 1e-3)


def test_an_elastic_net_looks_at_the_ends_of_its_ratio():
    # Small targets: every model of alpha >= 0.001 is empty, but where l1_ratio is small.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = 1e-4 * (3 * X[:, 0] + rng.standard_normal(60))
    model, ratio = ElasticNet(tol=1e-8), (0.05, 1.0)
    search = BAMMSearchCV(
        model, {"alpha": (1e-3, 1e1), "l1_ratio": ratio}, scoring="neg_mean_squared_error"
    )
    one = GridSearchCV(
        model, {"alpha": [1e-3], "l1_ratio": [0.05]}, scoring="neg_mean_squared_error"
    )
    with pytest.warns(EdgeWarning):
        search.fit(X, y)
    assert search.best_score_ >= one.fit(X, y).best_score_ * (1 + 1e-3)


def test_own_fits_of_an_interval_end_at_the_top_of_a_parabola():
    one = Explored(SimpleNamespace(params={}), (Axis("alpha", 1e-4, 1e4, "log"),))
    one.scan_own(many=False, worth=0.0)
    for _ in range(one.rounds):
        places = np.array(one.points)[:, 0]
        scores = -((places - 0.7) ** 2)
        one.add_between(int(scores.argmax()), scores, 0.0)
    assert one.rounds == 0
    assert one.points[-1] == pytest.approx([0.7])
    assert len(one.points) == 9 + 1  # as many as a coarse list has, and the top


@pytest.mark.parametrize("first", ["none", "scaler"])
@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_log_loss"])
def test_the_last_rows_are_held_out_by_no_fold(scoring, first):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    folds = PredefinedSplit([-1] * 2 + [0, 1, 2] * 18 + [-1] * 4)
    model = make_pipeline(*[StandardScaler()] * (first == "scaler"), LogisticRegression())
    search = BAMMSearchCV(
        model, {"logisticregression__C": (1e-3, 1e2)}, scoring=scoring, cv=folds
    ).fit(X, y)
    assert np.isfinite(search.best_score_)


@pytest.mark.parametrize(
    ("model", "scoring"), [(Ridge(), "r2"), (PoissonRegressor(tol=1e-8), "r2"), (Ridge(), None)]
)
def test_a_fold_with_a_constant_target_has_no_say(model, scoring):
    rng = np.random.default_rng(0)
    X, fold = rng.standard_normal((48, 3)), np.arange(48) % 4
    y = np.exp(0.5 * X[:, 0] + 0.3 * rng.standard_normal(48))
    y[fold == 1] = 0.1  # the mean of twelve is not 0.1: their variance is rounding
    assert y[fold == 1].var() > 0
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]
    found = [
        BAMMSearchCV(model, {"alpha": (1e-4, 1e4)}, scoring=scoring, cv=cv).fit(X, y)
        for cv in (splits, [splits[k] for k in (0, 2, 3)])
    ]
    assert found[0].best_params_["alpha"] == pytest.approx(found[1].best_params_["alpha"], rel=0.02)


@pytest.mark.parametrize("unit", [1e6, 1e3])
def test_an_interval_below_which_a_path_has_no_more_bends(unit):
    # All of two features are in long before the interval begins: the path's next bend is zero.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    y = unit * (X[:, 0] + 0.5 * X[:, 1] + 0.5 * rng.standard_normal(40))
    with pytest.warns(EdgeWarning):
        search = BAMMSearchCV(Lasso(), {"alpha": (1e-3, 1.0)}, scoring="r2").fit(X, y)
    grid = GridSearchCV(Lasso(), {"alpha": np.geomspace(1e-3, 1.0, 9)}, scoring="r2").fit(X, y)
    assert search.best_score_ >= grid.best_score_ - 1e-4
