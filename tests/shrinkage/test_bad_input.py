"""What searches of vectors refuse, before any fit, and how they say so."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skbamm import BAMMSearchCV, FeaturePenalty, PerFeature, PerGroup, SampleWeights
from tests.search.test_bad_input import refused
from tests.shrinkage.vectors import REGRESSION, TWO

X, Y = REGRESSION
FRAME = pd.DataFrame(X, columns=list("abcdef"))
WELL = 1e-2, 1e3


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (PerFeature(1, 0.1), r"'alpha' must have low < high, got \(1, 0.1\)"),
        (PerFeature(0, 1), r"PerFeature\(low=0, high=1, shrinkage=True\) .*'alpha' .* low > 0"),
        (PerFeature(-1, 1), r"'alpha' must begin at 0 or more, got low=-1"),
        (PerFeature(1, np.inf), r"interval for parameter 'alpha' must be finite"),
        (PerFeature(np.nan, 1), r"interval for parameter 'alpha' must be finite"),
        (PerFeature("a", 1), r"interval for parameter 'alpha' must be numbers"),
        (PerGroup(1, 0.1, [0] * 6), r"'alpha' must have low < high"),
        (PerGroup(*WELL, [0] * 5), r"'alpha' .*each of the 6 features, got shape \(5,\)"),
        (PerGroup(*WELL, [[0] * 6]), r"'alpha' .*each of the 6 features, got shape \(1, 6\)"),
        (PerGroup(*WELL, 3), r"'alpha' .*each of the 6 features, got shape \(\)"),
        (PerGroup(*WELL, "columns"), r"'alpha' must be labels, a mapping or .*'columns'"),
        (PerGroup(*WELL, {}), r"'alpha' must hold every column, 6 are left out: \[0, 1"),
        (PerGroup(*WELL, {"a": [0, 1], "b": []}), r"'alpha': 'b' has no columns"),
        (PerGroup(*WELL, {"a": slice(0, 6), "b": slice(6, 9)}), r"'b' has no columns"),
        (PerGroup(*WELL, {"a": [0, 1, 2], "b": [2, 3]}), r"'b' has a column that is in a group"),
        (PerGroup(*WELL, {"a": [0, 0]}), r"'a' has a column that is in a group already"),
        (PerGroup(*WELL, {"a": [0, 6]}), r"'alpha': 'a' has column 6, there are 6"),
        (PerGroup(*WELL, {"a": ["a"]}), r"'a' has 'a', but the features have no names"),
        (PerGroup(*WELL, {"a": [0, 1]}), r"'alpha' must hold every column, 4 are left out: \[2"),
        (PerGroup(*WELL, {"a": [True] * 5}), r"'a' has True, but the features have no names"),
        (PerGroup(*WELL, "transformers"), r"'transformers' .*'alpha' needs a pipeline.*Ridge"),
    ],
    ids=str,
)
def test_vectors(vector, message):
    refused(Ridge(), {"alpha": vector}, X, Y, message)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"one": ["a", "g"]}, r"'alpha': 'one' has 'g', but there is no such column"),
        ({"one": slice("a", "c")}, r"'alpha': 'one' has slice\('a', 'c', None\), a slice must be"),
        ({"one": ["a", "b"], "two": "c"}, r"3 are left out: \['d', 'e', 'f'\]"),
    ],
    ids=str,
)
def test_names_of_columns(groups, message):
    refused(Ridge(), {"alpha": PerGroup(*WELL, groups)}, FRAME, Y, message)


@pytest.mark.parametrize(
    ("estimator", "grid", "message"),
    [
        (ElasticNet(), {"alpha": PerFeature(*WELL), "l1_ratio": PerFeature(0.1, 0.9)},
         r"Only one parameter may be a vector, got \['alpha', 'l1_ratio'\]"),
        (ElasticNet(), {"l1_ratio": PerFeature(0.1, 0.9)}, r"'l1_ratio' cannot be .*only 'alpha'"),
        (KernelRidge(), {"alpha": PerFeature(*WELL)}, r"'alpha' cannot be .*is not linear"),
        (Ridge(), {"tol": PerFeature(*WELL)}, r"'tol' cannot be searched .*only 'alpha' can"),
        (DecisionTreeRegressor(), {"ccp_alpha": PerFeature(*WELL)},
         r"'ccp_alpha' cannot be searched .*DecisionTreeRegressor has no differentiable twin"),
        (FeaturePenalty(Ridge()), {"estimator__alpha": PerFeature(*WELL)},
         r"'estimator__alpha' cannot be a vector: .*FeaturePenalty is not a linear model"),
        (make_pipeline(Nystroem(n_components=5, random_state=0), Ridge()),
         {"ridge__alpha": PerFeature(*WELL), "nystroem__gamma": (0.1, 1.0)},
         r"'nystroem__gamma' cannot be searched over an interval together with a vector"),
        (make_pipeline(StandardScaler(), Ridge()),
         {"ridge__alpha": PerGroup(*WELL, "transformers")},
         r"'transformers' for parameter 'ridge__alpha' needs a pipeline .*StandardScaler"),
        (make_pipeline(ColumnTransformer([("a", StandardScaler(), [0, 1])]), PCA(2), Ridge()),
         {"ridge__alpha": PerGroup(*WELL, "transformers")}, r"no step that changes the columns"),
        (TransformedTargetRegressor(Ridge()), {"regressor__alpha": PerGroup(*WELL, "transformers")},
         r"'transformers' for parameter 'regressor__alpha' needs a pipeline"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_where_there_can_be_no_vector(estimator, grid, message):
    refused(estimator, grid, X, Y, message)


def test_a_vector_beside_learned_weights():
    refused(
        LogisticRegression(), {"C": PerFeature(1e-3, 1e2)}, *TWO,
        "'C' cannot be a vector while sample_weights are learned", sample_weights=SampleWeights(),
    )  # fmt: skip


def test_classes_one_against_the_rest():
    grid = {"estimator__C": PerFeature(1e-3, 1e2)}
    refused(OneVsRestClassifier(LogisticRegression()), grid, *TWO, "'estimator__C' cannot be a vec")


def rare():
    """A category of five rows that stand together: one fold tests on all of them."""
    return FRAME.assign(kind=np.repeat(["rare", "some", "many"], [5, 40, 45]))


ENCODED = ColumnTransformer(
    [("kind", OneHotEncoder(handle_unknown="ignore"), ["kind"])], remainder="passthrough"
)


@pytest.mark.parametrize(
    ("columns", "vector", "message"),
    [
        (ENCODED, PerFeature(*WELL), r"'ridge__alpha' .*from 8 to 9 of them.*'transformers'"),
        (ENCODED, PerGroup(*WELL, [0] * 9), r"'ridge__alpha' .*from 8 to 9 of them"),
        (
            SelectKBest(f_regression, k=3),
            PerFeature(*WELL),
            r"'ridge__alpha' .*transformers make 'x\d' in one and 'x\d' in another",
        ),
    ],
    ids=["features", "groups", "as many"],
)
def test_features_that_are_others_in_each_fold(columns, vector, message):
    data = rare() if columns is ENCODED else X
    search = BAMMSearchCV(make_pipeline(columns, Ridge()), {"ridge__alpha": vector}, cv=KFold(3))
    with pytest.raises(ValueError, match=message):
        search.fit(data, Y)


def test_a_transformer_without_columns_in_a_fold(own_fits):
    """Of one category the first is dropped."""
    data = FRAME.assign(kind=np.repeat(["some", "many"], [40, 50]))
    encoder = OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer([("kind", encoder, ["kind"])], remainder="passthrough")
    grid = {"ridge__alpha": PerGroup(*WELL, "transformers")}
    search = BAMMSearchCV(make_pipeline(columns, Ridge()), grid, cv=KFold(2))
    with pytest.raises(ValueError, match=r"'ridge__alpha': transformer 'kind' has no columns in"):
        search.fit(data, Y)
    assert not own_fits
