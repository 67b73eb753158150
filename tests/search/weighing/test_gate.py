"""What held-out labels speak for: learned weights, rows left out, or neither."""

import numpy as np
import pytest
import torch

from skbamm.search.weighing.gate import Gate
from skbamm.weights.learner import Learned
from skbamm.weights.noise import Likelihoods, Quality


def worth(noisy, right=-100.0, chance=-200.0):
    return Likelihoods(chance, right, noisy)


@pytest.mark.parametrize(
    "learned, pruned, weights, evidence",
    [
        (-90, -95, "learned", 10),
        (-90, -80, "pruned", 18),
        (-90, -88.5, "learned", 10),  # not by enough
        (-101, -98.5, "none", -0.5),
        (-101, -99.5, "none", -1),
        (-150, -300, "none", -50),
    ],
)
def test_the_likeliest_is_chosen(learned, pruned, weights, evidence):
    gate = Gate.between(worth(-120.0), worth(learned), worth(pruned))
    assert (gate.weights, gate.evidence) == (weights, pytest.approx(evidence))


def test_labels_that_are_chance_speak_for_nothing():
    gate = Gate.between(worth(-200.0, right=-230.0), worth(-220.0), worth(-210.0))
    assert gate.weights == "none"
    assert gate.evidence == 0


def judged(first, mean):
    first = torch.as_tensor(first, dtype=torch.float64)
    quality = Quality(first, 0.1, None)
    return Learned(torch.ones_like(first), quality, quality, torch.as_tensor(mean).double())


def test_quality_is_of_the_judgement_that_is_used():
    first, mean = np.array([0.1, 0.9, 0.2, 0.9]), np.array([0.9, 0.2, 0.9, 0.05])
    one, nobody = judged(first, mean), np.zeros(4, bool)
    for weights, right in (("learned", mean), ("pruned", first), ("none", first)):
        quality = Gate(weights, 50.0).quality(one, nobody)
        assert (quality.argsort() == right.argsort()).all()
        assert ((quality < 0.5) == (right < 0.5)).all()
    np.testing.assert_allclose(Gate().quality(one, nobody), mean)  # nothing was compared


def test_less_belief_is_less_doubt():
    one, nobody = judged([0.01, 0.4, 0.99], [0.01, 0.4, 0.99]), np.zeros(3, bool)
    wrong = [1 - Gate("learned", evidence).quality(one, nobody) for evidence in (-50, 0, 2, 50)]
    assert (np.diff(wrong, axis=0) >= 0).all()
    assert (wrong[0] < 0.02).all() and (wrong[0][:-1] > wrong[0][1:]).all()


def test_few_rows_that_look_wrong_may_be_the_models_fault():
    right = np.ones(1000)
    right[:15] = 0.3
    one, trusted = judged(right, right), np.zeros(1000, bool)
    assert not (Gate("learned", 50.0).quality(one, trusted) < 0.5).any()
    right[:300] = 0.3
    assert (Gate("learned", 50.0).quality(judged(right, right), trusted)[:300] < 0.5).all()
    trusted[:10] = True
    quality = Gate("learned", 50.0).quality(judged(right, right), trusted)
    assert (quality[:10] == 1).all() and (quality[10:300] < 0.5).all()
