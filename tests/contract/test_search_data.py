"""The forms of X and y that BAMMSearchCV takes."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbamm import BAMMSearchCV
from tests.contract.comparison import (
    LOSS,
    WEIGHT,
    X_CLASS,
    X_REG,
    Y_BINARY,
    Y_MULTI,
    Y_REG,
    assert_same_table,
    fit_both,
    logistic,
    ridge,
    roles,
    searched,
)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.tolist(),
        np.asfortranarray,
        read_only,
        lambda X: X[:, ::-1],
        lambda X: np.round(X * 10).astype(int),
        lambda X: X.astype(object),
        lambda X: X.astype(">f8"),
        lambda X: pd.DataFrame(X).add_prefix("x"),
        sp.csr_array,
        sp.csc_array,
        sp.coo_array,
        sp.csr_matrix,
    ],
    ids=[
        "list", "fortran", "read-only", "strided", "int", "object", "other order of bytes", "frame",
        "csr", "csc", "coo", "csr_matrix",
    ],
)  # fmt: skip
def test_forms_of_rows(convert, values):
    X = convert(X_CLASS)
    search = searched(logistic(), "C", values, X, Y_BINARY, **LOSS)
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_either_precision(dtype, values):
    X = X_REG.astype(dtype)
    atol = 1e-6 if dtype == np.float64 else 1e-4
    search = searched(ridge(), "alpha", values, X, Y_REG, atol=atol, cv=3)
    assert search.predict(X).dtype == clone(search.best_estimator_).fit(X, Y_REG).predict(X).dtype


@pytest.mark.parametrize(
    "y",
    [
        Y_MULTI.tolist(),
        pd.Series(Y_MULTI, index=np.arange(len(Y_MULTI))[::-1], name="class"),
        np.array(["b", "c", "a"])[Y_MULTI],
        np.array(["b", "c", "a"], dtype=object)[Y_MULTI],
        Y_BINARY.astype(bool),
        Y_BINARY * 2 - 1,
        Y_MULTI.astype(float),
    ],
    ids=["list", "series", "str", "object", "bool", "signs", "float"],
)
@pytest.mark.parametrize("values", ["interval"], indirect=True)
def test_forms_of_classes(y, values):
    search = searched(logistic(), "C", values, X_CLASS, y, **LOSS)
    np.testing.assert_array_equal(search.classes_, np.unique(np.asarray(y)))
    own = clone(search.best_estimator_).fit(X_CLASS, y)
    assert search.predict(X_CLASS).dtype == own.predict(X_CLASS).dtype


@pytest.mark.parametrize(
    "y",
    [
        Y_REG.tolist(),
        pd.Series(Y_REG, index=np.arange(len(Y_REG))[::-1]),
        Y_REG.astype(int),
        np.c_[Y_REG, Y_REG[::-1]],
        pd.DataFrame({"a": Y_REG, "b": -Y_REG}),
    ],
    ids=["list", "series", "int", "two", "frame"],
)
def test_forms_of_targets(y, values):
    search = searched(ridge(), "alpha", values, X_REG, y, cv=3)
    assert search.predict(X_REG).shape == np.shape(y)


def test_frames_keep_their_names(values):
    """Warnings are errors here: no fold and no score may lose the names."""
    X = pd.DataFrame(X_CLASS[:, :4], columns=list("abcd"), index=np.arange(len(X_CLASS)) + 100)
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X, Y_BINARY)
    np.testing.assert_array_equal(search.feature_names_in_, list("abcd"))
    np.testing.assert_array_equal(search.best_estimator_.feature_names_in_, list("abcd"))
    search.predict(X)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        search.predict(X.to_numpy())
    with pytest.raises(ValueError, match="feature names"):
        search.predict(X[list("dcba")])
    without = BAMMSearchCV(logistic(), {"C": values}, **LOSS).fit(X.to_numpy(), Y_BINARY)
    assert not hasattr(without, "feature_names_in_")


def test_text_and_missing_values_in_a_pipeline(values):
    """What the transformers take, the search takes."""
    colour = np.array(["red", "green", None], dtype=object)[Y_MULTI][:, None]
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), logistic())
    name = "logisticregression__C"
    y = np.roll(Y_BINARY, 5)
    ours, theirs = fit_both(pipeline, {name: [0.1, 1.0]}, colour, y, **LOSS)
    assert_same_table(ours, theirs)
    BAMMSearchCV(pipeline, {name: values}, **LOSS).fit(colour, y)

    holes = X_CLASS.copy()
    holes[::7, 2] = np.nan
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), logistic())
    ours, theirs = fit_both(pipeline, {name: [0.1, 1.0]}, holes, Y_MULTI, **LOSS)
    assert_same_table(ours, theirs)
    assert roles(ours) == {name: "joint grid"}
    search = BAMMSearchCV(pipeline, {name: values}, **LOSS).fit(holes, Y_MULTI)
    assert np.isfinite(search.best_score_)


def test_data_are_left_as_they_were(values):
    X, y, weight = X_CLASS.copy(), Y_BINARY.copy(), WEIGHT.copy()
    search = BAMMSearchCV(logistic(), {"C": values}, **LOSS)
    search.fit(X, y, sample_weight=weight)
    for array, original in ((X, X_CLASS), (y, Y_BINARY), (weight, WEIGHT)):
        np.testing.assert_array_equal(array, original)
