"""Metrics of tensors are scikit-learn's, to 1e-12: with ties, weights and several classes."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics

from skbamm.metrics import TWINS, NoTwin, Predicted
from skbamm.metrics.predicted import linked
from tests.pretend_gpu import pretended_gpu

WEIGHTS = [None, "some", "zeros"]
AVERAGES = [{"average": name} for name in ("macro", "micro", "weighted")]
OF_LABELS = [
    (metrics.accuracy_score, {}),
    (metrics.balanced_accuracy_score, {}),
    (metrics.balanced_accuracy_score, {"adjusted": True}),
    *((metrics.f1_score, options) for options in AVERAGES),
    *((metrics.precision_score, options) for options in AVERAGES),
    *((metrics.recall_score, options) for options in AVERAGES),
    *((metrics.jaccard_score, options) for options in AVERAGES),
    *((metrics.fbeta_score, {"beta": 0.5, **options}) for options in AVERAGES),
]
OF_TWO = [
    (one, {"pos_label": label, **more})
    for one, more in (
        (metrics.f1_score, {}),
        (metrics.precision_score, {}),
        (metrics.recall_score, {}),
        (metrics.jaccard_score, {}),
        (metrics.fbeta_score, {"beta": 2.0}),
    )
    for label in (3, 5)
]
OF_NUMBERS = [
    (one, {})
    for one in (
        metrics.mean_squared_error,
        metrics.root_mean_squared_error,
        metrics.mean_absolute_error,
        metrics.r2_score,
    )
]
DEVIANCES = [
    (metrics.mean_poisson_deviance, {}),
    (metrics.mean_gamma_deviance, {}),
    *((metrics.mean_tweedie_deviance, {"power": power}) for power in (0, 1, 1.5, 2)),
]


def ours(metric, z, y, weight, options, **more):
    tensors = [None if part is None else torch.tensor(part) for part in (z, y, weight)]
    return float(TWINS[metric](Predicted(*tensors, **more), **options))


def same(metric, z, y, weight, options, expected, **more):
    """Compare a twin with what scikit-learn says, which it must do without a warning."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        theirs = expected()
    try:
        found = ours(metric, z, y, weight, options, **more)
    except NoTwin:
        assert told or not np.isfinite(theirs)  # only what is odd is left to it
        return
    # Scores that tie for scikit-learn must tie here: they decide which value is the best.
    near = 0 if weight is None and metric not in dict(DEVIANCES) else 1e-12
    assert not told and found == pytest.approx(theirs, rel=near, abs=near)


@st.composite
def drawn(draw, m, two_of=1):
    """Predictors with ties, classes all of which are there, and weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2 * max(m, 2), 60))
    z = rng.standard_normal((n, m))
    if draw(st.booleans()):
        z = np.round(z, draw(st.integers(0, 1)))
    classes = max(m, 2)
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    kind = draw(st.sampled_from(WEIGHTS))
    weight = None if kind is None else rng.random(n) * 3
    if kind == "zeros":
        weight *= rng.random(n) < 0.7
        weight[:classes] = 1.0
    return z, y, weight


@pytest.mark.parametrize("metric, options", OF_LABELS)
@given(data=drawn(3))
@settings(max_examples=25, deadline=None)
def test_of_several_labels(metric, options, data):
    z, y, weight = data
    labels = np.array([2, 4, 7])
    same(
        metric, z, y, weight, options,
        lambda: metric(labels[y], labels[z.argmax(1)], sample_weight=weight, **options),
        classes=labels,
    )  # fmt: skip


@pytest.mark.parametrize("metric, options", OF_LABELS + OF_TWO)
@given(data=drawn(1))
@settings(max_examples=25, deadline=None)
def test_of_two_labels(metric, options, data):
    z, y, weight = data
    labels = np.array([3, 5])
    predicted = labels[(z[:, 0] > 0).astype(int)]
    same(
        metric, z, y, weight, options,
        lambda: metric(labels[y], predicted, sample_weight=weight, **options),
        classes=labels,
    )  # fmt: skip


def responses(z, method):
    """What a scorer hands its metric of two classes, for the first and for the second."""
    if method == "decision_function":
        return -z[:, 0], z[:, 0]
    p = expit(z[:, 0])
    return 1 - p, p


@pytest.mark.parametrize("method", ["decision_function", "predict_proba"])
@pytest.mark.parametrize("label", [3, 5])
@given(data=drawn(1))
@settings(max_examples=25, deadline=None)
def test_of_two_ranks(method, label, data):
    z, y, weight = data
    labels, shape = np.array([3, 5]), {"method": method, "link": "expit"}
    both = responses(z, method)
    same(
        metrics.roc_auc_score, z, y, weight, {},
        lambda: metrics.roc_auc_score(labels[y], both[1], sample_weight=weight),
        classes=labels, **shape,
    )  # fmt: skip
    metric, options = metrics.average_precision_score, {"pos_label": label}
    score = both[int(label == 5)]
    same(
        metric, z, y, weight, options,
        lambda: metric(labels[y], score, sample_weight=weight, **options),
        classes=labels, **shape,
    )  # fmt: skip


@pytest.mark.parametrize("multi_class", ["ovr", "ovo"])
@pytest.mark.parametrize("average", ["macro", "weighted"])
@given(data=drawn(4))
@settings(max_examples=25, deadline=None)
def test_of_several_ranks(multi_class, average, data):
    z, y, weight = data
    p, shape = softmax(z, 1), {"method": "predict_proba", "link": "softmax"}
    own = None if multi_class == "ovo" else weight
    options = {"multi_class": multi_class, "average": average}
    same(
        metrics.roc_auc_score, z, y, own, options,
        lambda: metrics.roc_auc_score(y, p, sample_weight=own, **options),
        classes=np.arange(4), **shape,
    )  # fmt: skip
    metric = metrics.average_precision_score
    same(
        metric, z, y, weight, {"average": average},
        lambda: metric(y, p, sample_weight=weight, average=average),
        classes=np.arange(4), **shape,
    )  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 30.0])
@given(data=drawn(3), two=drawn(1))
@settings(max_examples=25, deadline=None)
def test_of_probabilities(scale, data, two):
    """Also of models that are sure beyond rounding, and in single precision."""
    for dtype, near in ((np.float64, 1e-12), (np.float32, 1e-6)):
        z, y, weight = data
        z = (scale * z).astype(dtype)
        found = ours(
            metrics.log_loss, z, y, weight, {}, classes=np.arange(3), link="softmax",
            method="predict_proba",
        )  # fmt: skip
        p = softmax(z, 1)
        assert found == pytest.approx(metrics.log_loss(y, p, sample_weight=weight), rel=near)
        z, y, weight = two
        z = (scale * z).astype(dtype)
        for metric in (metrics.log_loss, metrics.brier_score_loss):
            found = ours(
                metric, z, y, weight, {}, classes=np.arange(2), link="expit",
                method="predict_proba",
            )  # fmt: skip
            theirs = metric(y, expit(z[:, 0]), sample_weight=weight)
            assert found == pytest.approx(theirs, rel=near, abs=near)


def test_shares_of_classes_none_of_which_is_likely():
    z = np.array([[-1e3, -1e3], [0.0, 1.0]])
    p = linked(torch.tensor(z), "normalised").numpy()
    np.testing.assert_allclose(p[0], 0.5)
    np.testing.assert_allclose(p[1], expit(z[1]) / expit(z[1]).sum())


@pytest.mark.parametrize("metric, options", OF_NUMBERS)
@pytest.mark.parametrize("outputs", [1, 3])
@given(data=drawn(3))
@settings(max_examples=25, deadline=None)
def test_of_numbers(metric, options, outputs, data):
    z, y, weight = data
    z = z[:, :outputs]
    y = 2 * y[:, None] - z[::-1]
    same(
        metric, z, y, weight, options,
        lambda: metric(y, z, sample_weight=weight, **options),
        link="identity",
    )  # fmt: skip


@pytest.mark.parametrize("metric, options", DEVIANCES)
@given(data=drawn(1))
@settings(max_examples=25, deadline=None)
def test_of_deviances(metric, options, data):
    z, y, weight = data
    y = y + (0.5 if metric is metrics.mean_gamma_deviance or options.get("power") == 2 else 0.0)
    same(
        metric, z, y, weight, options,
        lambda: metric(y, np.exp(z[:, 0]), sample_weight=weight, **options),
        link="exp",
    )  # fmt: skip


ODD = [
    (metrics.accuracy_score, {"normalize": False}, {}),
    (metrics.f1_score, {"average": None}, {}),
    (metrics.f1_score, {"pos_label": 9}, {}),
    (metrics.fbeta_score, {"beta": np.inf}, {}),
    (metrics.precision_score, {}, {"z": [[-1.0], [-2.0], [-1.0]]}),  # no row is called positive
    (metrics.accuracy_score, {}, {"weight": [0.0, 0.0, 0.0]}),
    (metrics.log_loss, {"normalize": False}, {"method": "predict_proba", "link": "expit"}),
    (metrics.log_loss, {}, {"method": "predict_proba"}),
    (metrics.roc_auc_score, {"max_fpr": 0.5}, {"method": "decision_function"}),
    (metrics.roc_auc_score, {}, {"method": "decision_function", "weight": [1.0, 1.0, 0.0]}),
    (metrics.mean_squared_error, {"multioutput": "raw_values"}, {"classes": None}),
    (metrics.r2_score, {}, {"classes": None, "y": [1.0, 1.0, 1.0], "link": "identity"}),
    (metrics.mean_gamma_deviance, {}, {"classes": None, "y": [0.0, 1.0, 1.0], "link": "exp"}),
    (metrics.mean_tweedie_deviance, {"power": 3}, {"classes": None, "link": "exp"}),
    (metrics.accuracy_score, {}, {"method": "decision_function"}),
]


@pytest.mark.parametrize("metric, options, more", ODD)
def test_what_is_odd_is_left_to_scikit_learn(metric, options, more):
    numbers = "classes" in more
    case = {"z": [[1.0], [-1.0], [2.0]], "y": [0, 0, 1], "classes": np.arange(2), **more}
    for name in ("z", "weight"):
        if name in case:
            case[name] = torch.tensor(case[name], dtype=torch.float64)
    case["y"] = torch.tensor(case["y"], dtype=torch.float64 if numbers else torch.int64)
    with pytest.raises(NoTwin):
        TWINS[metric](Predicted(**case), **options)


@pytest.mark.parametrize("metric", TWINS)
def test_all_is_done_where_the_rows_are(metric):
    """A pretended GPU refuses to meet tensors of the CPU, and adds up in its own order."""
    rng = np.random.default_rng(0)
    z, y, weight = rng.standard_normal((40, 1)), np.arange(40) % 2, rng.random(40)
    options = {"beta": 2.0} if metric is metrics.fbeta_score else {}
    shape = {"classes": np.arange(2), "link": "expit", "method": "predict"}
    name = metric.__name__
    if "auc" in name or "average" in name:
        shape["method"] = "decision_function"
    if "loss" in name:
        shape["method"] = "predict_proba"
    if "mean" in name or "r2" in name:
        shape |= {"classes": None, "link": "exp"}
        y = y + 0.5
    here = ours(metric, z, y, weight, options, **shape)
    with pretended_gpu() as device:
        there = [torch.tensor(part).to(device) for part in (z, y, weight)]
        found = float(TWINS[metric](Predicted(*there, **shape), **options))
        assert found == pytest.approx(here, rel=1e-12)
