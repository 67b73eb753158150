"""Matrices and steps of groups: of all outputs' coefficients of a feature."""

import numpy as np
import pytest
import torch

from skbamm.bilevel.faces import Face
from skbamm.glm.approach import Approach
from skbamm.glm.normed_matrix import NormedMatrix
from skbamm.glm.penalties import GroupNorms

S, K, M, P = 1, 2, 3, 6
NORMS = GroupNorms(lambda x: x)
SCALES = np.array([1.0, 1e-3, 1e3, 1.0, 10.0, 0.1])


def made_up(seed=0):
    """Gram matrices of features of different scales, y with a group at zero, and no gradient."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(S, K, 12, P)) * SCALES
    y = rng.normal(size=(S, K, M, P)) / SCALES
    y[..., 0] = 0
    return torch.as_tensor(np.swapaxes(A, -1, -2) @ A / 12), torch.as_tensor(y)


@pytest.mark.parametrize("m", [1, M])
def test_the_inverse_is_that_of_the_whole_matrix(m):
    gram, y = made_up()
    y = y[:, :, :m]
    curved = torch.as_tensor([0.0, 1e-6, 1e7, 0.3, 1e3, 1.0]).double().expand(S, K, P)
    side = NORMS.sides(y)
    matrix = NormedMatrix(gram, curved, side)
    right = torch.as_tensor(np.random.default_rng(1).normal(size=(S, K, m, P)))
    eye = torch.eye(m, dtype=torch.float64)
    for k in range(K):
        whole = torch.kron(eye, gram[0, k])
        for j in range(P):
            across = curved[0, k, j] * (eye - torch.outer(side[0, k, :, j], side[0, k, :, j]))
            places = torch.arange(m) * P + j
            whole[places[:, None], places] += across * bool(side[0, k, :, j].any())
        expected = torch.linalg.solve(whole, right[0, k].flatten()).view(m, P)
        got = matrix.solve(right)[0, k]
        scales = torch.as_tensor(SCALES)
        torch.testing.assert_close(got * scales, expected * scales, rtol=1e-6, atol=1e-8)
        product = matrix.times(expected.expand(S, K, m, P))[0, k]
        torch.testing.assert_close(product, right[0, k], rtol=1e-8, atol=1e-8)


def test_a_group_of_infinite_curvature_moves_along_itself():
    gram, y = made_up()
    curved = torch.full((S, K, P), torch.inf, dtype=torch.float64)
    curved[..., 0] = 0  # it is at zero, and has no side
    side = NORMS.sides(y)
    right = side * torch.as_tensor(SCALES)
    solved = NormedMatrix(gram, curved, side).solve(right)[..., 1:]
    side = side[..., 1:]
    across = solved - side * (side * solved).sum(2, keepdim=True)
    scale = torch.as_tensor(SCALES[1:])
    assert float((across * scale).abs().max()) < 1e-5 * float((solved * scale).abs().max())


def test_an_approach_finds_the_groups_at_zero_whatever_the_scales():
    gram, y = made_up()
    kink = 1.5 * torch.as_tensor(SCALES).expand(S, K, 1, P)
    gradient = torch.as_tensor(np.random.default_rng(2).normal(size=(S, K, M, P)) * SCALES)
    strength = torch.zeros(S, K, P, dtype=torch.float64)
    approach = Approach(gram, strength)

    def model(u):
        change = u - y
        curved = gradient + 0.5 * change @ gram
        return (curved * change).sum((2, 3)) + (kink * u.norm(dim=2, keepdim=True)).sum((2, 3))

    at, last = y, model(y)
    for _ in range(20):
        face = Face.at(at, gradient + (at - y) @ gram, kink, 100, NORMS)
        at = approach(face, at)
        assert bool((model(at) <= last + 1e-12).all())
        last = model(at)
    face = Face.at(at, gradient + (at - y) @ gram, kink, 100, NORMS)
    assert float(face.violation().max()) < 1e-6
    assert bool((at == 0).all(2).any())


def test_an_approach_that_would_rise_is_not_taken():
    gram, y = made_up()
    approach = Approach(gram, torch.zeros(S, K, P, dtype=torch.float64))
    approach._step = 100 * approach._step
    face = Face.at(y, y @ gram, torch.ones(S, K, 1, P).double(), 100, NORMS)
    assert torch.equal(approach(face, y), y)
