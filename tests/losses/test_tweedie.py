"""Half deviances are those of scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_tweedie_deviance

from skbamm.losses import TweedieLoss


@pytest.mark.parametrize("power", [1.0, 1.2, 1.9, 2.0])
def test_twice_the_loss_is_the_deviance(power):
    rng = np.random.default_rng(0)
    z, target = rng.normal(size=20), rng.uniform(0.1, 3, 20)
    loss = TweedieLoss(power)
    t = loss.targets(torch.as_tensor(target))
    value = loss.evaluate(torch.as_tensor(z)[:, None, None], t)[0]
    expected = mean_tweedie_deviance(target, np.exp(z), power=power)
    assert float(2 * value.mean()) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_zeros(power):
    loss = TweedieLoss(power)
    z = torch.zeros(1, 1, 1, dtype=torch.float64)
    value, gradient, _ = loss.evaluate(z, loss.targets(torch.zeros(1).double()))
    assert float(2 * value) == pytest.approx(mean_tweedie_deviance([0.0], [1.0], power=power))
    assert float(gradient) == pytest.approx(1.0)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_mean_is_where_a_constant_has_no_slope(power):
    target = torch.tensor([0.5, 2.0, 3.5], dtype=torch.float64)
    loss = TweedieLoss(power)
    z = target.new_full((3, 1, 1), loss.start(float(target.mean())))
    slope = loss.evaluate(z, loss.targets(target))[1].sum()
    assert abs(float(slope)) < 1e-12
    assert loss.start(0.0) == 0.0
