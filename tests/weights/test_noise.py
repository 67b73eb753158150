"""How likely labels are right: noise of known kinds is found, and nothing else matters."""

import pytest
import torch
from sklearn.metrics import roc_auc_score

from skbamm.weights.noise import label_quality, target_quality

ROWS, CLASSES, RATE = 1500, 3, 0.25
EYE = torch.eye(CLASSES, dtype=torch.float64)
EVEN = (1 - RATE) * EYE + RATE / (CLASSES - 1) * (1 - EYE)
PAIR = (1 - RATE) * EYE + RATE * EYE.roll(1, 1)  # k is written down as k + 1


def ones(n):
    return torch.ones(n, dtype=torch.float64)


def simulated(noise, *, n=ROWS, spread=2.0, seed=0):
    """Return log-odds (n, m), true labels drawn from their softmax, and labels with noise."""
    generator = torch.Generator().manual_seed(seed)
    z = spread * torch.randn(n, len(noise), generator=generator, dtype=torch.float64)
    true = torch.multinomial(torch.softmax(z, 1), 1, generator=generator)[:, 0]
    given = torch.multinomial(noise[true], 1, generator=generator)[:, 0]
    return z, true, given


def residuals(*, n=ROWS, rate=0.15, wide=8.0, seed=0):
    """Return residuals with the spreads 1 and ``wide``, and which are the outliers."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.rand(n, generator=generator) < rate
    r = torch.randn(n, generator=generator, dtype=torch.float64)
    return torch.where(wrong, wide * r, r), wrong


def surprise(quality, right):
    """Log loss of the probabilities that labels are right."""
    p = torch.where(right, quality, 1 - quality).clamp_min(1e-9)
    return float(-p.log().mean())


# Class labels


@pytest.mark.parametrize("noise", [EVEN, PAIR], ids=["even", "pair"])
def test_known_noise_is_found(noise):
    z, true, given = simulated(noise)
    found = label_quality(z, given, ones(ROWS))
    assert found.rate == pytest.approx(RATE, abs=0.05)
    torch.testing.assert_close(found.loss.noise, noise, rtol=0, atol=0.08)
    assert roc_auc_score(true == given, found.right) > 0.88


@pytest.mark.parametrize("noise", [EVEN, PAIR], ids=["even", "pair"])
def test_quality_is_a_probability(noise):
    z, true, given = simulated(noise, n=4000)
    right = label_quality(z, given, ones(len(z))).right
    assert float(right.min()) >= 0 and float(right.max()) <= 1
    for part in right.argsort().chunk(8):
        share = float((true == given)[part].double().mean())
        assert float(right[part].mean()) == pytest.approx(share, abs=0.07)


def test_labels_that_are_right_stay():
    z, _, given = simulated(EYE)
    found = label_quality(z, given, ones(ROWS))
    assert found.rate < 0.05
    assert float((found.right < 0.5).double().mean()) < 0.02


@pytest.mark.parametrize("unit", [0.1, 0.5, 3.0, 20.0])
def test_the_slope_takes_up_the_scale_of_predictors(unit):
    z, _, given = simulated(PAIR)
    one = label_quality(z, given, ones(ROWS))
    other = label_quality(unit * z, given, ones(ROWS))
    torch.testing.assert_close(other.right, one.right, rtol=0, atol=0.02)
    assert other.rate == pytest.approx(one.rate, abs=3e-3)


def test_a_shift_of_all_classes_does_not_matter():
    z, _, given = simulated(PAIR)
    shift = torch.linspace(-50, 50, ROWS, dtype=torch.float64)[:, None]
    expected = label_quality(z, given, ones(ROWS)).right
    got = label_quality(z + shift, given, ones(ROWS)).right
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


def test_order_of_rows_does_not_matter():
    z, _, given = simulated(PAIR)
    weight = torch.linspace(0.5, 2, ROWS, dtype=torch.float64)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(1))
    sure = torch.arange(ROWS) % 7 == 0
    expected = label_quality(z, given, weight, sure).right
    got = label_quality(z[order], given[order], weight[order], sure[order]).right
    torch.testing.assert_close(got, expected[order], rtol=0, atol=1e-9)


def test_names_of_classes_do_not_matter():
    z, _, given = simulated(PAIR)
    order = torch.tensor([2, 0, 1])  # new class k is the old order[k]
    one = label_quality(z, given, ones(ROWS))
    other = label_quality(z[:, order], order.argsort()[given], ones(ROWS))
    torch.testing.assert_close(other.right, one.right, rtol=0, atol=1e-9)
    torch.testing.assert_close(other.loss.noise, one.loss.noise[order][:, order], rtol=0, atol=1e-9)


def test_two_classes_as_one_log_odds_or_as_two():
    noise = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64)
    z, _, given = simulated(noise)
    odds = z[:, 1:] - z[:, :1]
    two, one = label_quality(z, given, ones(ROWS)), label_quality(odds, given, ones(ROWS))
    torch.testing.assert_close(one.right, two.right, rtol=0, atol=1e-9)
    torch.testing.assert_close(one.loss.noise, noise, rtol=0, atol=0.08)
    assert (one.loss.n_outputs, two.loss.n_outputs) == (1, 2)
    label = given.double()[:, None, None]
    values = [q.loss.evaluate(p[:, :, None], label)[0] for q, p in ((one, odds), (two, z))]
    torch.testing.assert_close(*values)


def test_weights_are_repeated_rows():
    z, _, given = simulated(PAIR)
    sure = torch.arange(ROWS) % 5 == 0
    count = torch.arange(ROWS) % 4
    weighted = label_quality(z, given, count.double(), sure)
    z, given, sure = (part.repeat_interleave(count, 0) for part in (z, given, sure))
    repeated = label_quality(z, given, ones(len(z)), sure)
    torch.testing.assert_close(
        weighted.right.repeat_interleave(count), repeated.right, rtol=0, atol=1e-9
    )
    assert weighted.rate == pytest.approx(repeated.rate, abs=1e-9)


def test_trusted_rows_are_right_whatever_is_predicted():
    z, _, given = simulated(PAIR)
    sure = torch.arange(ROWS) % 3 == 0
    right = label_quality(z, given, ones(ROWS), sure).right
    assert bool((right[sure] == 1).all()) and bool((right[~sure] < 1).all())


def test_trusted_rows_help():
    """Where predictors say little of the slope, sure labels do."""
    z, true, given = simulated((1 - 0.4) * EYE + 0.4 * EYE.roll(1, 1), spread=0.7)
    sure = torch.arange(ROWS) % 4 == 0
    given = torch.where(sure, true, given)
    right, doubtful = (true == given)[~sure], (~sure).double()
    alone, helped = (label_quality(z, given, *w) for w in ((doubtful,), (ones(ROWS), sure)))
    assert surprise(helped.right[~sure], right) < surprise(alone.right[~sure], right)
    rate = float(1 - right.double().mean())
    assert abs(helped.rate - rate) < abs(alone.rate - rate)


@pytest.mark.parametrize("margin", [5.0, 36.0, 1000.0])
def test_classes_that_never_overlap_leave_a_proper_noise(margin):
    """No label is wrong, and rounding must not turn that into less than none."""
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(CLASSES, (500,), generator=generator)
        z = margin * EYE[label] + torch.rand(500, CLASSES, generator=generator)
        weight = 0.5 + torch.rand(500, generator=generator, dtype=torch.float64)
        found = label_quality(z.double(), label, weight / weight.sum())
        assert found.rate == pytest.approx(0, abs=1e-6)
        assert float(found.loss.noise.min()) >= 0
        assert bool((found.right > 0.999).all())


@pytest.mark.parametrize("how", ["all are trusted", "the others were not seen"])
def test_without_doubtful_rows_nothing_is_wrong(how):
    z, true, _ = simulated(EYE)
    sure = torch.arange(ROWS) % 2 == 0
    if how == "all are trusted":
        found = label_quality(z, true, ones(ROWS), torch.ones_like(sure))
    else:
        found = label_quality(z, true, sure.double(), sure)
    # Nothing was seen of the noise: it may be anything reasonable, but not that all are wrong.
    assert found.rate < 0.5
    assert float(found.loss.noise.diagonal().min()) > 0.5


# Targets of a regression


def test_planted_outliers_are_found():
    generator = torch.Generator().manual_seed(0)
    r = torch.randn(ROWS, generator=generator, dtype=torch.float64)
    planted = torch.arange(ROWS) % 12 == 0
    r[planted] = r[planted].sign() * (7 + r[planted].abs())
    found = target_quality(r, ones(ROWS))
    assert float(found.right[planted].max()) < 0.01
    assert float((found.right[~planted] < 0.5).double().mean()) < 0.02


def test_the_mixture_is_found():
    r, wrong = residuals(n=4000)
    found = target_quality(r, ones(len(r)))
    assert found.rate == pytest.approx(0.15, abs=0.03)
    assert found.loss.narrow == pytest.approx(1, rel=0.05)
    assert found.loss.wide == pytest.approx(8, rel=0.1)
    assert found.loss.rate == found.rate
    for part in found.right.argsort().chunk(10):
        share = float((~wrong)[part].double().mean())
        assert float(found.right[part].mean()) == pytest.approx(share, abs=0.07)


def test_larger_residuals_are_more_doubtful_on_both_sides():
    r, _ = residuals()
    right = target_quality(r, ones(ROWS)).right
    assert bool((right[r.abs().argsort()].diff() <= 0).all())
    torch.testing.assert_close(target_quality(-r, ones(ROWS)).right, right)


def test_normal_residuals_have_no_outliers():
    r, _ = residuals(rate=0.0)
    found = target_quality(r, ones(ROWS))
    assert found.rate < 0.03
    assert float((found.right < 0.5).double().mean()) < 0.01


@pytest.mark.parametrize("unit", [1e-6, 30.0, 1e6])
def test_units_of_the_target_do_not_matter(unit):
    r, _ = residuals()
    one, other = target_quality(r, ones(ROWS)), target_quality(unit * r, ones(ROWS))
    torch.testing.assert_close(other.right, one.right, rtol=0, atol=1e-9)
    assert other.rate == pytest.approx(one.rate)
    assert other.loss.narrow == pytest.approx(unit * one.loss.narrow)
    assert other.loss.wide == pytest.approx(unit * one.loss.wide)


def test_weights_are_repeated_residuals():
    r, _ = residuals()
    count = torch.arange(ROWS) % 4
    weighted = target_quality(r, count.double())
    repeated = target_quality(r.repeat_interleave(count), ones(int(count.sum())))
    got = weighted.right.repeat_interleave(count)
    torch.testing.assert_close(got, repeated.right, rtol=0, atol=1e-3)
    assert weighted.rate == pytest.approx(repeated.rate, abs=1e-3)


def test_rows_without_weight_do_not_count():
    r, _ = residuals()
    alone = target_quality(r, ones(ROWS))
    unseen = torch.zeros(3 * ROWS, dtype=torch.float64)
    among = target_quality(torch.cat([r, unseen]), torch.cat([ones(ROWS), unseen]))
    torch.testing.assert_close(among.right[:ROWS], alone.right, rtol=0, atol=2e-3)
    assert among.rate == pytest.approx(alone.rate, abs=1e-3)


def test_trusted_targets_are_no_outliers():
    r, _ = residuals()
    sure = r.abs() > 10
    found = target_quality(r, ones(ROWS), sure)
    assert bool((found.right[sure] == 1).all())
    # They are not among the doubtful rows, which are then less often wrong.
    assert found.rate < target_quality(r, ones(ROWS)).rate


@pytest.mark.parametrize(
    "r", [torch.zeros(30), torch.cat([torch.zeros(20), torch.ones(10)]), torch.tensor([1e9] * 3)]
)
def test_residuals_of_one_size_give_numbers(r):
    found = target_quality(r.double(), ones(len(r)))
    assert bool(torch.isfinite(found.right).all())
    assert 0 < found.loss.narrow < found.loss.wide < float("inf")
    assert 0 < found.rate <= 0.5


def test_one_outlier_of_any_size_is_the_only_one():
    r, _ = residuals(rate=0.0)
    r[3] = 1e12
    found = target_quality(r, ones(ROWS))
    assert found.right[3] == 0 and bool((found.right[4:] > 0.99).all())
    assert found.loss.narrow == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("n, close", [(ROWS, 1e-12), (50_000, 0.02)])
def test_an_earlier_judgement_leads_to_the_same(n, close):
    """Of few rows it is not heeded; of many it only saves steps, and EM stops a little apart."""
    z, _, given = simulated(PAIR, n=n)
    plain = label_quality(z, given, ones(n))
    elsewhere = label_quality(2 * z, given, ones(n))
    again = label_quality(z, given, ones(n), before=elsewhere)
    assert float((again.right - plain.right).abs().mean()) <= close
    torch.testing.assert_close(again.loss.noise, plain.loss.noise, rtol=0, atol=close)
    assert again.slope == pytest.approx(plain.slope, rel=5 * close)


def test_noise_of_many_rows_is_fitted_to_some_and_told_of_all():
    n = 60_000
    z, true, given = simulated(PAIR, n=n)
    found = label_quality(z, given, ones(n))
    torch.testing.assert_close(found.loss.noise, PAIR, rtol=0, atol=0.04)
    assert found.slope == pytest.approx(1, abs=0.15)
    assert found.right.shape == (n,)
    assert float(found.right.mean()) == pytest.approx(
        float((true == given).double().mean()), abs=0.02
    )


def test_factors_of_the_given_classes_change_the_fit_but_not_what_is_found():
    """Models in whose training a given class counts more are judged in a world where it does."""
    torch.manual_seed(0)
    true = torch.randint(0, 2, (ROWS,))
    noise = torch.tensor([[0.95, 0.05], [0.4, 0.6]], dtype=torch.float64)
    label = torch.multinomial(noise[true], 1)[:, 0]
    z = (6.0 * true - 3 + torch.randn(ROWS, dtype=torch.float64))[:, None]
    factor = 0.5 / torch.bincount(label).double() * ROWS
    found = label_quality(z, label, torch.ones(ROWS).double(), factor=factor)
    torch.testing.assert_close(found.loss.noise, noise, rtol=0, atol=0.06)
    torch.testing.assert_close(
        found.shares, torch.bincount(true) / ROWS, rtol=0, atol=0.03, check_dtype=False
    )
    assert roc_auc_score(true != label, -found.right) > 0.97
    assert float(found.noise[1, 0]) < float(found.loss.noise[1, 0]) - 0.1


def test_what_rounding_leaves_is_no_outlier():
    r = torch.zeros(ROWS, dtype=torch.float64)
    r[::50] = 1e-13
    assert float(target_quality(r, ones(ROWS), rounding=1e-12).right.min()) > 0.9
    r[::50] = 1.0
    assert float(target_quality(r, ones(ROWS), rounding=1e-12).right[::50].max()) < 0.01
