"""Criteria are scikit-learn's metrics, averaged over the folds, relative to a constant."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, ShuffleSplit

from skbamm.criteria import LOG_LOSS, SQUARED, make_criterion
from skbamm.folds import FoldWeights
from skbamm.losses import HalfSquaredLoss, LogisticLoss, MultinomialLoss

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
    loss = LogisticLoss() if classes == 2 else MultinomialLoss(classes)
    z = RNG.normal(size=(N, loss.n_outputs))
    logits = np.column_stack([np.zeros(N), z]) if classes == 2 else z
    probability = torch.softmax(torch.as_tensor(logits), 1).numpy()
    weights = weights_of(folds)
    criterion = make_criterion("log_loss", loss, torch.as_tensor(target), weights)
    found = criterion.null * upper(criterion, loss, target, z, weights)
    expected = metric(log_loss, target, probability, folds, labels=np.arange(classes))
    assert found == pytest.approx(expected, rel=1e-10)


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


@pytest.mark.parametrize("name", [*SQUARED, *LOG_LOSS])
def test_a_fold_without_test_rows_has_no_share(name):
    splits = [(np.arange(20), np.arange(20, N)), (np.arange(N), np.arange(0))]
    loss = LogisticLoss() if name in LOG_LOSS else HalfSquaredLoss()
    target = torch.as_tensor(np.arange(N) % 2).double()
    criterion = make_criterion(name, loss, target, FoldWeights(N, splits)).by_fold()
    shares = criterion.shares(torch.ones(1, 2, dtype=torch.float64))
    assert shares[0, 0] > 0 and shares[0, 1] == 0


@pytest.mark.parametrize("name", SQUARED)
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
