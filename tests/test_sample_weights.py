"""SampleWeights: what it keeps, what it refuses, and which rows are trusted."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit

from skbamm import SampleWeights
from skbamm.sample_weights import KINDS, check_sample_weights, trusted_mask

N = 6
MASK = [True, False, False, True, False, False]
DEFAULTS = {
    "kind": "free",
    "prior": 0.15,
    "trusted": None,
    "proxy": None,
    "proxy_grid": None,
    "refit_on_trusted": True,
}
OTHERS = {
    "kind": "score",
    "prior": 0.5,
    "trusted": MASK,
    "proxy": LogisticRegression(C=3),
    "proxy_grid": {"C": (0.1, 10)},
    "refit_on_trusted": False,
}


# An object of parameters


def test_parameters_are_stored_untouched():
    assert SampleWeights().get_params() == DEFAULTS
    given = SampleWeights(**OTHERS)
    assert all(getattr(given, name) is value for name, value in OTHERS.items())
    assert given.get_params(deep=False) == OTHERS
    assert given.get_params()["proxy__C"] == 3


def test_only_the_kind_comes_without_a_name():
    assert SampleWeights("groups").kind == "groups"
    with pytest.raises(TypeError):
        SampleWeights("groups", 0.5)


def test_parameters_are_set():
    given = SampleWeights(**OTHERS).set_params(prior=0.2, proxy__C=7)
    assert (given.prior, given.proxy.C) == (0.2, 7)
    given.set_params(proxy=LogisticRegression(C=3))
    with pytest.raises(ValueError, match="Invalid parameter 'weight'"):
        given.set_params(weight=1)


def test_clones_and_pickles():
    given = SampleWeights(**OTHERS)
    for copied in (clone(given), pickle.loads(pickle.dumps(given))):
        assert copied.proxy is not given.proxy and copied.proxy.C == given.proxy.C
        found = copied.get_params(deep=False)
        assert {**found, "proxy": None} == {**given.get_params(deep=False), "proxy": None}


def test_shows_what_is_not_the_default():
    assert repr(SampleWeights()) == "SampleWeights()"
    assert repr(SampleWeights("score", prior=0.3)) == "SampleWeights(kind='score', prior=0.3)"


# Parameters that make no sense


@pytest.mark.parametrize(
    "good",
    [
        {},
        OTHERS,
        *({"kind": kind} for kind in KINDS),
        {"prior": 0},
        {"prior": np.float32(0.3)},
        {"prior": np.int64(2)},
        {"kind": ["free", "score"], "prior": [0.1, 1]},
        {"refit_on_trusted": np.False_},
        {"proxy": LogisticRegression()},
    ],
)
def test_good_parameters_pass(good):
    assert check_sample_weights(SampleWeights(**good)) is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kind": "each"}, r"kind must be one of \['free', 'groups', 'score'\], got 'each'"),
        ({"kind": None}, "kind must be one of .*, got None"),
        ({"kind": ["free", "each"]}, "kind must be one of .*, got 'each'"),
        ({"kind": []}, "kind and prior must not be empty lists"),
        ({"prior": -0.1}, "prior must be a finite number >= 0, got -0.1"),
        ({"prior": np.inf}, "prior must be a finite number >= 0, got inf"),
        ({"prior": np.nan}, "prior must be a finite number >= 0, got nan"),
        ({"prior": "0.1"}, "prior must be a finite number >= 0, got '0.1'"),
        ({"prior": None}, "prior must be a finite number >= 0, got None"),
        ({"prior": True}, "prior must be a finite number >= 0, got True"),
        ({"prior": [0.1, -1]}, "prior must be a finite number >= 0, got -1"),
        ({"proxy_grid": {"C": (1, 2)}}, "proxy_grid was given without a proxy"),
        ({"proxy": "lr"}, "proxy must be an estimator, got 'lr'"),
        ({"proxy": LogisticRegression}, "proxy must be an estimator, got <class"),
        (
            {"proxy": LogisticRegression(), "proxy_grid": [1, 2]},
            r"proxy_grid must be a dict, got \[1, 2\]",
        ),
        ({"refit_on_trusted": 1}, "refit_on_trusted must be a bool, got 1"),
        ({"refit_on_trusted": None}, "refit_on_trusted must be a bool, got None"),
    ],
)
def test_bad_parameters_are_named(bad, message):
    given = SampleWeights(**bad)  # nothing is checked before fit
    with pytest.raises(ValueError, match=f"SampleWeights: {message}"):
        check_sample_weights(given)


# Which rows are trusted


@pytest.mark.parametrize(
    "trusted",
    [
        MASK,
        tuple(MASK),
        np.array(MASK),
        pd.Series(MASK, index=list("fedcba")),
        PredefinedSplit([0, -1, -1, 1, -1, -1]),
    ],
    ids=["list", "tuple", "array", "series", "split"],
)
def test_masks_of_any_kind(trusted):
    mask = trusted_mask(trusted, N)
    assert mask.dtype == bool and mask.tolist() == MASK


def test_nothing_is_trusted_by_default():
    assert trusted_mask(None, N).tolist() == [False] * N


@pytest.mark.parametrize(
    ("trusted", "message"),
    [
        (MASK[:4], r"trusted has shape \(4,\), but X has 6 rows"),
        ([MASK], r"trusted has shape \(1, 6\), but X has 6 rows"),
        (True, r"trusted has shape \(\), but X has 6 rows"),
        (PredefinedSplit([0, -1]), r"trusted has shape \(2,\), but X has 6 rows"),
        ([0, 3], "trusted must be a mask of bools, got an array of int64"),
        (np.array(MASK, dtype=float), "trusted must be a mask of bools, got an array of float64"),
        (np.array(MASK, dtype=object), "trusted must be a mask of bools, got an array of object"),
        ([], "trusted must be a mask of bools, got an array of float64"),
        ([False] * N, "trusted has no True entry"),
        (PredefinedSplit([-1] * N), "trusted has no True entry"),
        ([True] * N, "trusted is True for every row"),
        (PredefinedSplit([0, 1] * 3), "trusted is True for every row"),
    ],
)
def test_rows_that_cannot_be_trusted(trusted, message):
    with pytest.raises(ValueError, match=f"SampleWeights: {message}"):
        trusted_mask(trusted, N)


def test_the_mask_is_not_changed():
    given = np.array(MASK)
    trusted_mask(given, N)
    assert given.tolist() == MASK
