"""Criteria are scikit-learn's metrics, averaged over the folds, relative to a constant."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn import metrics
from sklearn.metrics import log_loss, mean_squared_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.utils.class_weight import compute_sample_weight
from torch.nn.functional import softplus

from skbamm.criteria import ABSOLUTE, DEVIANCE, LOG_LOSS, SQUARED, Choice, make_criterion
from skbamm.folds import DenseRows, FoldWeights, FoldwiseRows, SparseRows
from skbamm.losses import HalfSquaredLoss, LogisticLoss, MultinomialLoss, TweedieLoss

N = 40
RNG = np.random.default_rng(0)
TARGETS = {
    "one": RNG.normal(5, 2, size=N),
    "two": RNG.normal(size=(N, 2)) * [1, 20],
}
METRICS = {
    "squared_error": mean_squared_error,
    "r2": lambda y, z, sample_weight: 1 - r2_score(y, z, sample_weight=sample_weight),
    "root_mean_squared_error": root_mean_squared_error,
}


@pytest.fixture(params=["kfold", "overlapping", "weighted", "repeated"])
def folds(request):
    """Splits, and weights of the scores."""
    if request.param == "overlapping":
        return list(ShuffleSplit(3, test_size=0.5, random_state=0).split(np.zeros(N))), None
    if request.param == "repeated":
        test = np.array([1, 1, 1, 5, 9, 9])
        return [(np.arange(10, N), test), (np.arange(30), np.arange(30, N))], None
    splits = list(KFold(3).split(np.zeros(N)))
    return splits, RNG.uniform(0.1, 3, N) if request.param == "weighted" else None


def upper(criterion, loss, target, predictor, weights):
    """Return F, relative to its null, from averages of the loss as a problem makes them."""
    z = torch.as_tensor(predictor.reshape(N, -1))[:, :, None]
    V = weights.chunk(0, N, torch.float64)[1]
    if criterion.output_scale is not None:
        # Each output's half squared error, scaled by fold.
        error = (z[:, :, 0] - torch.as_tensor(target.reshape(N, -1))) ** 2 / 2
        average = ((V.T @ error) * criterion.output_scale).sum(1)
    else:
        loss = criterion.loss
        value = loss.evaluate(z, loss.targets(torch.as_tensor(target)))[0]
        average = (V * value).sum(0)
    return float(criterion.shares(average[None]).sum())


def metric(function, target, predicted, folds, **options):
    """Return scikit-learn's metric, averaged over the folds."""
    splits, weight = folds
    return np.mean(
        [
            function(
                target[test],
                predicted[test],
                sample_weight=None if weight is None else weight[test],
                **options,
            )
            for _, test in splits
        ]
    )


def weights_of(folds):
    splits, weight = folds
    return FoldWeights(N, splits, score_weight=weight)


def predictions(classes):
    """Return a model's loss, predictors for it, and the probabilities that they mean."""
    loss = LogisticLoss() if classes == 2 else MultinomialLoss(classes)
    z = RNG.normal(size=(N, loss.n_outputs))
    logits = np.column_stack([np.zeros(N), z]) if classes == 2 else z
    return loss, z, torch.softmax(torch.as_tensor(logits), 1).numpy()


# The root of several outputs is that of their mean, where the metric averages their roots.
@pytest.mark.parametrize(
    ("name", "outputs"),
    [*((name, "one") for name in SQUARED), ("squared_error", "two"), ("r2", "two")],
)
def test_squared_criteria_are_metrics(name, outputs, folds):
    target = TARGETS[outputs]
    predicted = 0.8 * target + RNG.normal(size=target.shape)
    loss, weights = HalfSquaredLoss(target[0].size), weights_of(folds)
    criterion = make_criterion(name, loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, predicted, weights)
    assert found == pytest.approx(metric(METRICS[name], target, predicted, folds), rel=1e-10)


@pytest.mark.parametrize("classes", [2, 3])
def test_log_loss_is_the_metric(classes, folds):
    target = RNG.integers(0, classes, N).astype(float)
    loss, z, probability = predictions(classes)
    weights = weights_of(folds)
    criterion = make_criterion("log_loss", loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, z, weights)
    expected = metric(log_loss, target, probability, folds, labels=np.arange(classes))
    assert found == pytest.approx(expected, rel=1e-10)


# Of smoothed absolute errors


def percentage(y, z, sample_weight):
    return metrics.mean_absolute_percentage_error(y, z, sample_weight=sample_weight)


SMOOTHED = {
    "absolute": (Choice("absolute_error"), metrics.mean_absolute_error),
    "pinball": (
        Choice("pinball", {"alpha": 0.8}),
        lambda y, z, **more: metrics.mean_pinball_loss(y, z, alpha=0.8, **more),
    ),
    "percentage": (Choice("absolute_percentage_error"), percentage),
    "d2": (
        Choice("absolute_error", relative=True),
        lambda y, z, **more: 1 - metrics.d2_absolute_error_score(y, z, **more),
    ),
    "d2 pinball": (
        Choice("pinball", {"alpha": 0.3}, relative=True),
        lambda y, z, **more: 1 - metrics.d2_pinball_score(y, z, alpha=0.3, **more),
    ),
}


# D2 averages the outputs' scores, the criterion their errors.
@pytest.mark.parametrize(
    ("name", "outputs"),
    [*((name, "one") for name in SMOOTHED), ("absolute", "two"), ("pinball", "two")],
)
def test_absolute_errors_are_metrics_but_for_smoothing(name, outputs, folds):
    choice, function = SMOOTHED[name]
    target = TARGETS["one"] if outputs == "one" else RNG.normal(size=(N, 2))
    predicted = 0.8 * target + RNG.normal(size=target.shape)
    loss, weights = HalfSquaredLoss(target[0].size), weights_of(folds)
    criterion = make_criterion(choice, loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, predicted, weights)
    # scikit-learn's quantile of weighted rows is another one where two rows would do.
    rel = 0.1 if choice.relative else 5e-3
    assert found == pytest.approx(metric(function, target, predicted, folds), rel=rel)


# Of classes


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("half", ["auto", True, False])
def test_brier_is_the_metric(classes, half, folds):
    target = RNG.integers(0, classes, N).astype(float)
    loss, z, probability = predictions(classes)
    weights = weights_of(folds)
    choice = Choice("brier", {"scale_by_half": half})
    criterion = make_criterion(choice, loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, z, weights)
    expected = metric(
        metrics.brier_score_loss, target, probability, folds,
        labels=np.arange(classes), scale_by_half=half,
    )  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "name, function",
    [("log_loss", metrics.d2_log_loss_score), ("brier", metrics.d2_brier_score)],
)
def test_relative_criteria_are_d2_scores(classes, name, function):
    target = np.arange(N) % classes * 1.0
    weight = RNG.uniform(0.1, 3, N)
    loss, z, probability = predictions(classes)
    folds = list(StratifiedKFold(3).split(z, target)), weight
    weights = weights_of(folds)
    choice = Choice(name, relative=True)
    criterion = make_criterion(choice, loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, z, weights)
    labels = {"labels": np.arange(classes)}
    assert found == pytest.approx(1 - metric(function, target, probability, folds, **labels))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name, function",
    [("balanced_log_loss", log_loss), ("balanced_brier", metrics.brier_score_loss)],
)
def test_balanced_losses_are_metrics_with_balanced_weights(name, function, weighted, classes):
    """Of one fold: the classes are balanced over all folds together."""
    target = (RNG.uniform(size=N) < 0.3).astype(float) + (np.arange(N) % 5 == 0) * (classes == 3)
    own = RNG.uniform(0.1, 3, N) if weighted else np.ones(N)
    loss, z, probability = predictions(classes)
    test = np.arange(10, N)
    weights = FoldWeights(N, [(np.arange(10), test)], score_weight=own if weighted else None)
    criterion = make_criterion(name, loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, z, weights)
    mass = np.bincount(target[test].astype(int), own[test])
    balanced = own[test] / mass[target[test].astype(int)]
    expected = function(
        target[test], probability[test], sample_weight=balanced, labels=np.arange(classes)
    )
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("classes", [2, 3])
def test_balanced_squared_error_of_codes(classes):
    label = np.repeat(np.arange(classes), [30, *[10 // (classes - 1)] * (classes - 1)])
    code = np.where(label[:, None] == np.arange(classes), 1.0, -1.0)
    target = code[:, 1] if classes == 2 else code
    z = RNG.normal(size=target.shape)
    weights = FoldWeights(N, [(np.arange(5), np.arange(N))])
    loss = HalfSquaredLoss(1 if classes == 2 else classes)
    criterion = make_criterion("balanced_squared_error", loss, torch.as_tensor(target), weights)
    z3 = torch.as_tensor(z.reshape(N, -1))[:, :, None]
    value = criterion.loss.evaluate(z3, criterion.loss.targets(torch.as_tensor(target)))[0]
    found = criterion.null * float(criterion.shares(value.mean(0)[None]))
    weight = compute_sample_weight("balanced", label)
    assert found == pytest.approx(mean_squared_error(target, z, sample_weight=weight))
    flat = np.zeros_like(z) + (0 if classes == 2 else 2 / classes - 1)
    assert criterion.null == pytest.approx(mean_squared_error(target, flat, sample_weight=weight))


# Of pairs of rows


def kinds_of_rows(X, target, weights, splits, weight):
    """The same rows: dense, sparse, and one matrix a fold in another order."""
    target = torch.as_tensor(target)
    yield DenseRows(torch.as_tensor(X), target, weights, True, torch.float64)
    yield SparseRows(sp.csr_array(X), target, weights, True, torch.float64)
    parts, places = [], []
    for train, test in splits:
        place = np.concatenate([train, test])
        own = FoldWeights(
            len(place),
            [(np.arange(len(train)), np.arange(len(train), len(place)))],
            score_weight=None if weight is None else weight[place],
        )
        dense = torch.as_tensor(X[place])
        parts.append(DenseRows(dense, target[place], own, True, torch.float64))
        places.append(torch.as_tensor(place))
    yield FoldwiseRows(parts, places)
    yield FoldwiseRows(parts)


def test_pairs_are_those_of_each_fold(folds):
    splits, weight = folds
    X, target = RNG.normal(size=(N, 3)), (np.arange(N) % 3 == 0).astype(float)
    weights = weights_of(folds)
    data = LogisticLoss(), torch.as_tensor(target), weights
    criterion = make_criterion("pairwise_logistic", *data)
    assert not criterion.sums_over_rows
    y = torch.as_tensor(RNG.normal(size=(2, len(splits), 1, 4))).requires_grad_()
    design = torch.as_tensor(np.column_stack([X, np.ones(N)]))
    expected = []
    for k, (_, test) in enumerate(splits):
        z = torch.einsum("np,sp->sn", design[test], y[:, k, 0])
        own = torch.as_tensor(np.ones(N) if weight is None else weight)[test]
        high = torch.as_tensor(target[test] > 0)
        pairs = own[high][:, None] * own[~high]
        loss = softplus(z[:, None, ~high] - z[:, high, None])
        expected.append((pairs * loss).sum((1, 2)) / pairs.sum())
    expected = torch.stack(expected, 1)
    (slope,) = torch.autograd.grad(expected.sum(), y)
    y = y.detach()
    for rows in kinds_of_rows(X, target, weights, splits, weight):
        judge = criterion.evaluator(rows, y)

        def function(z, chunk, judge=judge):
            value, gradient, _ = judge(z[0], chunk, None)
            return [chunk.validation[:, None] * gradient], [chunk.validation * value]

        products, (average,) = rows.sweep(y[None], function)
        torch.testing.assert_close(average, expected.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(products[0], slope, rtol=1e-10, atol=1e-12)


# Of positive numbers


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("own", [1.0, 2.0])
def test_deviance_is_the_metric(power, own, folds):
    target, z = np.exp(TARGETS["one"] / 5), TARGETS["one"] / 5 + RNG.normal(size=N)
    loss, weights = TweedieLoss(own), weights_of(folds)
    data = loss, torch.as_tensor(target), weights
    found = [
        (c.null * upper(c, c.loss, target, z, weights))
        for c in (
            make_criterion(Choice("deviance", {"power": power}), *data),
            make_criterion(Choice("deviance", {"power": power}, relative=True), *data),
        )
    ]
    expected = metric(metrics.mean_tweedie_deviance, target, np.exp(z), folds, power=power)
    assert found[0] == pytest.approx(expected, rel=1e-9)
    score = metric(metrics.d2_tweedie_score, target, np.exp(z), folds, power=power)
    assert found[1] == pytest.approx(1 - score, rel=1e-9)


@pytest.mark.parametrize("name", [*SQUARED, "absolute_error", "absolute_percentage_error"])
def test_errors_of_models_with_a_log_link(name, folds):
    target, z = np.exp(TARGETS["one"] / 5), TARGETS["one"] / 5 + 0.3 * RNG.normal(size=N)
    weights = weights_of(folds)
    criterion = make_criterion(name, TweedieLoss(1), torch.as_tensor(target), weights).by_fold()
    found = criterion.null * upper(criterion, criterion.loss, target, z, weights)
    function = {
        **METRICS, "absolute_error": metrics.mean_absolute_error,
        "absolute_percentage_error": percentage,
    }[name]  # fmt: skip
    rel = 1e-9 if name in SQUARED else 5e-3
    assert found == pytest.approx(metric(function, target, np.exp(z), folds), rel=rel)


@pytest.mark.parametrize("name", ["squared_error", "r2", "root_mean_squared_error"])
def test_slopes_are_derivatives_of_the_shares(name, folds):
    weights = weights_of(folds)
    target = torch.as_tensor(TARGETS["one"])
    criterion = make_criterion(name, HalfSquaredLoss(), target, weights).by_fold()
    average = torch.rand(2, weights.n_folds, dtype=torch.float64).requires_grad_()
    shares = criterion.shares(average)
    (expected,) = torch.autograd.grad(shares.sum(), average)
    torch.testing.assert_close(criterion.slopes(shares.detach()), expected)


def test_by_fold_is_exact_for_one_output(folds):
    weights, target = weights_of(folds), TARGETS["one"]
    predicted = target + RNG.normal(size=N)
    for name in SQUARED:
        criterion = make_criterion(name, HalfSquaredLoss(), torch.as_tensor(target), weights)
        plain = criterion.by_fold()
        assert plain.output_scale is None
        found = upper(plain, HalfSquaredLoss(), target, predicted, weights)
        expected = upper(criterion, HalfSquaredLoss(), target, predicted, weights)
        assert found == pytest.approx(expected, rel=1e-12)


def test_only_r2_counts_outputs_by_their_variances(folds):
    target = RNG.normal(size=(N, 2)) * [1.0, 10.0]
    for name, alike in (("squared_error", True), ("r2", False)):
        loss = HalfSquaredLoss(2)
        given = make_criterion(name, loss, torch.as_tensor(target), weights_of(folds))
        assert given.outputs_alike == alike


@pytest.mark.parametrize("name", ["squared_error", "root_mean_squared_error"])
def test_tolerances_are_free_of_the_targets_unit(name, folds):
    weights, target = weights_of(folds), TARGETS["one"]
    predicted = target + RNG.normal(size=N)
    found = [
        upper(
            make_criterion(name, HalfSquaredLoss(), torch.as_tensor(scale * target), weights),
            HalfSquaredLoss(),
            scale * target,
            scale * predicted,
            weights,
        )
        for scale in (1.0, 1e6)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-9)


def test_the_best_constant_is_one_or_so():
    target = np.arange(N) % 2
    weights = FoldWeights(N, [(np.arange(20), np.arange(20, N))])
    loss = LogisticLoss()
    criterion = make_criterion("log_loss", loss, torch.as_tensor(target), weights)
    assert criterion.null == pytest.approx(np.log(2))
    assert upper(criterion, loss, target.astype(float), np.zeros(N), weights) == pytest.approx(1)


@pytest.mark.parametrize("name", [*SQUARED, *ABSOLUTE, *LOG_LOSS, *DEVIANCE])
def test_a_fold_without_test_rows_has_no_share(name):
    splits = [(np.arange(20), np.arange(20, N)), (np.arange(N), np.arange(0))]
    loss = LogisticLoss() if name in LOG_LOSS else HalfSquaredLoss()
    loss = TweedieLoss(1) if name in DEVIANCE else loss
    target = torch.as_tensor(np.arange(N) % 2).double()
    criterion = make_criterion(name, loss, target, FoldWeights(N, splits)).by_fold()
    shares = criterion.shares(torch.ones(1, 2, dtype=torch.float64))
    assert shares[0, 0] > 0 and shares[0, 1] == 0


@pytest.mark.parametrize("name", [*SQUARED, *ABSOLUTE])
def test_a_constant_target_gives_finite_values(name):
    splits = [(np.arange(20), np.arange(20, N))]
    target = torch.full((N,), 3.0, dtype=torch.float64)
    criterion = make_criterion(name, HalfSquaredLoss(), target, FoldWeights(N, splits)).by_fold()
    shares = criterion.shares(torch.ones(1, 1, dtype=torch.float64))
    assert bool(torch.isfinite(shares).all())
    assert bool(torch.isfinite(criterion.slopes(shares)).all())


def test_a_perfect_fit_has_a_finite_slope_of_its_root():
    target = torch.as_tensor(TARGETS["one"])
    weights = FoldWeights(N, [(np.arange(20), np.arange(20, N))])
    criterion = make_criterion("root_mean_squared_error", HalfSquaredLoss(), target, weights)
    shares = criterion.shares(torch.zeros(1, 1, dtype=torch.float64))
    assert bool(torch.isfinite(criterion.slopes(shares)).all())
