"""Labels and matrices of every form a user may have."""

import re
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import DataConversionWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import HuberRegressor, Lasso
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVR

from tests.truth import (
    INTERVAL,
    LOSS,
    assert_served,
    assert_true,
    fold_scores,
    logistic,
    ridge,
    ridge_classifier,
    search_over,
)

CV = StratifiedKFold(3)
LABELS = {
    "strings": lambda y: np.array(["bad", "good"])[y],
    "objects": lambda y: np.array(["bad", "good"], dtype=object)[y],
    "booleans": lambda y: y.astype(bool),
    "floats": lambda y: y * 2.0 - 1.0,
    "large": lambda y: y * 1000 - 7,
    "unsigned": lambda y: y.astype(np.uint8),
    "list": lambda y: [int(label) for label in y],
    "series": lambda y: pd.Series(np.array(["bad", "good"])[y], index=np.arange(len(y)) + 50),
    "categories": lambda y: pd.Series(np.array(["bad", "good"])[y], dtype="category"),
}


@pytest.fixture(scope="module")
def fit_once():
    """Fit what a form of the data is compared with once, not for every form."""
    known = {}

    def fit(key, *args, **settings):
        if key not in known:
            known[key] = search_over(*args, **settings)
        return known[key]

    return fit


@pytest.mark.parametrize("kind", LABELS)
def test_names_of_classes_do_not_matter(kind, values, binary, fit_once):
    X, y = binary
    key = "logistic", str(values)
    plain = fit_once(key, logistic(), {"C": values}, X, y, cv=CV, scoring=LOSS)
    named = search_over(logistic(), {"C": values}, X, LABELS[kind](y), cv=CV, scoring=LOSS)
    assert_served(named, "searched" if values is INTERVAL else "joint grid")
    assert named.best_params_ == plain.best_params_
    np.testing.assert_allclose(fold_scores(named), fold_scores(plain), atol=1e-9)
    expected = np.unique(np.asarray(LABELS[kind](y)))
    np.testing.assert_array_equal(named.classes_, expected)
    assert set(named.predict(X)) <= set(expected)
    search = search_over(ridge_classifier(), {"alpha": values}, X, LABELS[kind](y), cv=CV)
    assert_true(search, X, LABELS[kind](y), cv=CV)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_order_of_classes_does_not_matter(order, values, three):
    X, y = three
    splits = list(CV.split(X, y))
    settings = {"cv": splits, "scoring": LOSS}
    plain = search_over(logistic(), {"C": values}, X, y, **settings)
    permuted = search_over(logistic(), {"C": values}, X, np.array(order)[y], **settings)
    assert permuted.best_params_["C"] == pytest.approx(plain.best_params_["C"], rel=1e-3)
    np.testing.assert_allclose(fold_scores(permuted), fold_scores(plain), atol=1e-5)
    first, second = (
        search_over(ridge_classifier(), {"alpha": values}, X, labels, cv=splits)
        for labels in (y, np.array(order)[y])
    )
    np.testing.assert_allclose(fold_scores(first), fold_scores(second), atol=0.02)


def test_swapped_classes(values, binary):
    X, y = binary
    settings = {"cv": list(CV.split(X, y)), "scoring": LOSS}
    plain = search_over(logistic(), {"C": values}, X, y, **settings)
    swapped = search_over(logistic(), {"C": values}, X, 1 - y, **settings)
    np.testing.assert_allclose(fold_scores(swapped), fold_scores(plain), atol=1e-7)
    np.testing.assert_allclose(
        swapped.best_estimator_.coef_, -plain.best_estimator_.coef_, atol=1e-4
    )


def read_only(X, folder):
    path = folder / "rows.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


MATRICES = {
    "memory map": read_only,
    "fortran": lambda X, _: np.asfortranarray(X),
    "every second column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "every second row": lambda X, _: np.repeat(X, 2, axis=0)[::2],
    "reversed": lambda X, _: X[::-1].copy()[::-1],
    "columns reversed": lambda X, _: X[:, ::-1].copy()[:, ::-1],
    "transposed": lambda X, _: X.T.copy().T,
    "broadcast": lambda X, _: np.lib.stride_tricks.as_strided(X, writeable=False),
    "swapped bytes": lambda X, _: X.astype(X.dtype.newbyteorder()),
    "lists": lambda X, _: X.tolist(),
    "long double": lambda X, _: X.astype(np.longdouble),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_layout_of_rows_does_not_matter(kind, values, binary, tmp_path, fit_once):
    X, y = binary
    other = MATRICES[kind](X, tmp_path)
    for model, name in ((logistic(), "C"), (ridge(), "alpha")):
        settings = {"cv": CV, "scoring": LOSS if name == "C" else "r2"}
        key = "logistic" if name == "C" else "ridge", str(values)
        plain = fit_once(key, model, {name: values}, X, y, **settings)
        search = search_over(model, {name: values}, other, y, **settings)
        assert_served(search, "searched" if values is INTERVAL else "joint grid")
        assert search.best_params_[name] == pytest.approx(plain.best_params_[name], rel=1e-6)
        np.testing.assert_allclose(fold_scores(search), fold_scores(plain), atol=1e-7)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float16])
def test_numbers_that_are_not_doubles(dtype, values, binary):
    X, y = binary
    X = np.clip(np.round(2 * X), 0, 5).astype(dtype)
    for model, name in ((logistic(tol=1e-6), "C"), (ridge(), "alpha")):
        settings = {"cv": CV, "scoring": LOSS if name == "C" else "r2"}
        search = search_over(model, {name: values}, X, y, **settings)
        assert_true(search, X, y, atol=1e-4, **settings)


def test_data_are_left_as_they_were(values, binary, regression):
    for model, name, (X, y) in ((logistic(), "C", binary), (ridge(), "alpha", regression)):
        before = X.copy(), y.copy()
        search_over(model, {name: values}, X, y, cv=3)
        np.testing.assert_array_equal(X, before[0])
        np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)], ids=["vector", "column"])
def test_shapes_of_a_target(shape, values, regression):
    X, y = regression
    search = search_over(ridge(), {"alpha": values}, X, y.reshape(shape), cv=3)
    own = ridge(**search.best_params_).fit(X, y.reshape(shape))
    assert search.best_estimator_.coef_.shape == own.coef_.shape
    assert_true(search, X, y.reshape(shape), cv=3)


@pytest.mark.parametrize("kind", [int, np.float32, bool], ids=str)
def test_kinds_of_a_target(kind, values, regression):
    X, y = regression
    y = (y > np.median(y)) if kind is bool else y.astype(kind)
    search = search_over(ridge(), {"alpha": values}, X, y, cv=3)
    assert_true(search, X, y, cv=3)


OBJECTS = {
    "objects": lambda y: y.astype(object),
    "decimals": lambda y: np.array([Decimal(repr(v)) for v in y.tolist()], dtype=object),
    "fractions": lambda y: np.array([Fraction(v) for v in y.tolist()], dtype=object),
    "text as objects": lambda y: y.astype(str).astype(object),
    "text": lambda y: y.astype(str),
    "nullable": lambda y: pd.Series(y, dtype="Float64"),
    "a column of a mixed frame": lambda y: pd.DataFrame({"a": ["x"] * len(y), "b": y}).values[
        :, -1
    ],
    "long double": lambda y: y.astype(np.longdouble),
}
REGRESSORS = {
    "ridge": (ridge(), "alpha"),
    "lasso": (Lasso(tol=1e-10), "alpha"),
    "svr": (LinearSVR(loss="squared_epsilon_insensitive", dual=False), "C"),
    "kernel": (KernelRidge(kernel="rbf"), "alpha"),
    "transformed": (TransformedTargetRegressor(ridge()), "regressor__alpha"),
}


# Numbers are made of a target before a list or an interval is solved: these take turns.
@pytest.mark.parametrize(
    ("model", "kind", "values"),
    [
        (model, kind, ("list", "interval")[(i + j) % 2])
        for i, model in enumerate(REGRESSORS)
        for j, kind in enumerate(OBJECTS)
    ],
    indirect=["values"],
)
def test_targets_that_are_objects_are_the_numbers_they_stand_for(
    model, kind, values, regression, fit_once
):
    (estimator, name), (X, y) = REGRESSORS[model], regression
    y, target = y.round(6), OBJECTS[kind](y.round(6))
    if model == "transformed" and kind == "text":
        pytest.skip("its own fit takes no text")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best ")
        key = "rounded", model, str(values)
        plain = fit_once(key, estimator, {name: values}, X, y, cv=3)
        search = search_over(estimator, {name: values}, X, target, cv=3)
    assert_served(search, "searched" if values is INTERVAL else "joint grid")
    assert search.best_params_ == plain.best_params_
    np.testing.assert_allclose(fold_scores(search), fold_scores(plain), rtol=1e-9)


@pytest.mark.parametrize("bad", [None, "high", np.nan], ids=str)
def test_targets_that_are_no_numbers_get_the_estimators_own_error(bad, regression):
    X, y = regression
    target = np.array([bad, *y[1:]], dtype=object)
    with pytest.raises(ValueError) as expected:
        ridge().fit(X, target)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        search_over(ridge(), {"alpha": [1.0]}, X, target, cv=3, error_score="raise")


def test_a_column_is_a_vector_to_a_model_of_vectors(values, regression):
    X, y = regression
    model = HuberRegressor(tol=1e-8, max_iter=1000)
    plain = search_over(model, {"alpha": values}, X, y, cv=3)
    with pytest.warns(DataConversionWarning):
        search = search_over(model, {"alpha": values}, X, y[:, None], cv=3)
    assert search.best_params_ == plain.best_params_
    np.testing.assert_allclose(fold_scores(search), fold_scores(plain), rtol=1e-6)


@pytest.mark.parametrize("values", [INTERVAL, [0.1, 1.0]])
@pytest.mark.parametrize("kind", ["series", "read-only", "backwards"])
def test_weights_that_cannot_be_written(binary, kind, values):
    """torch warns of such arrays, once a process unless it is asked to do so always."""
    X, y = binary
    weight = np.linspace(0.5, 2, len(y))
    given = weight.copy()
    given.flags.writeable = False
    given = pd.Series(given) if kind == "series" else given
    if kind == "backwards":
        given = weight[::-1].copy()[::-1]
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        found = search_over(logistic(), {"C": values}, X, y, {"sample_weight": given})
    finally:
        torch.set_warn_always(before)
    like = search_over(logistic(), {"C": values}, X, y, {"sample_weight": weight})
    assert found.best_score_ == like.best_score_
