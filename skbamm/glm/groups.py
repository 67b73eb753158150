"""The metric of a face where the coefficients of a feature are a group with one kink."""

from __future__ import annotations

import torch
from torch import Tensor

from skbamm.bilevel.faces import Face, sizes
from skbamm.glm.submatrix import Submatrix

_LENGTHS = 0.5 ** torch.arange(12, dtype=torch.float64)  # of a step, that are tried
_NOISE = 1e-14  # of the norms' share of f, in its model


def face_matrix(gram: Tensor, strength: Tensor, face: Face) -> Submatrix | GroupMatrix:
    """Return the inverse of the rows and columns of a face; see ``Submatrix``."""
    return GroupMatrix(gram, strength, face) if face.grouped else Submatrix(gram, strength, face)


class GroupMatrix:
    """The inverse of the free rows and columns, with the curvature of the groups' norms.

    Along itself a group is like one coefficient whose absolute value is penalised; across, its
    norm is smooth and curved. So each group is turned so that its first entry has all of it,
    by a reflection, and ``Submatrix`` does the rest. A group that leaves zero has its first
    entry only: the way down.

    Parameters
    ----------
    gram : Tensor of shape (S, K or 1, m or 1, p, p)
        The same for all outputs.
    strength : Tensor of shape (S, K or 1, m or 1, p)
        Of the squares, likewise.
    face : Face
        Of tensors (S, K, m, p), grouped.
    """

    def __init__(self, gram: Tensor, strength: Tensor, face: Face):
        self._given = gram, strength
        self.face = face
        somewhere = face.free.flatten(0, 2).any(0)
        somewhere[0] |= not bool(somewhere.any())  # a matrix has one row at least
        self.used = torch.nonzero(somewhere).flatten()
        used = face.map(lambda t: t[..., self.used])
        assert used.across is not None
        self._part = used
        S, K, _, p = used.free.shape
        self._gram = gram[:, :, 0][..., self.used, :][..., self.used].expand(S, K, p, p)
        self._strength = strength[:, :, :1, self.used].expand(S, K, 1, p).double()
        # The reflection that maps a side to plus or minus the first entry; that of no side, a
        # coefficient without a kink, is none.
        side = used.side.double()
        self._normal = side.clone()
        self._normal[:, :, 0] += torch.where(side[:, :, 0] < 0, -1.0, 1.0)
        square = (self._normal * self._normal).sum(2, keepdim=True)
        self._scale = torch.where((side != 0).any(2, keepdim=True), 2 / square, 0.0)
        first = torch.zeros_like(used.free)
        first[:, :, 0] = True
        kinked = used.kink > 0
        curved = torch.where(kinked & ~first, used.across, 0.0).double()
        turned = Face(
            free=used.free & (first | torch.isfinite(curved)),
            side=torch.where(first, torch.sign(self._turn(side)), 0.0),
            kink=torch.where(first, used.kink, 0.0),
            gradient=self._turn(used.gradient.double()),
            slope=self._turn(used.slope.double()),
            most=used.most,
        )
        curved = self._strength + torch.where(torch.isfinite(curved), curved, 0.0)
        self.inner = Submatrix(self._matrix(), _flat(curved), turned.map(_flat))

    def on(self, face: Face) -> GroupMatrix:
        """Return the metric of another face."""
        return GroupMatrix(*self._given, face)

    def solve(self, residuals: Tensor) -> Tensor:
        """Solve for the free coefficients, of residuals (r, S, K, m, p); zero for the others."""
        turned = self._turn(residuals[..., self.used].double())
        solved = self.inner.solve(_flat(turned)).view(turned.shape)
        out = torch.zeros_like(residuals)
        out[..., self.used] = self._turn(solved).to(out.dtype)
        return out

    def step(self, y: Tensor) -> Tensor:
        """Return the direction to a lower point, by f's model in this metric.

        Turned, the norms have been replaced by their own quadratic models; of some lengths of
        the step the one is taken at which the model with the norms themselves is least.
        """
        at = y[..., self.used]
        turned = self._turn(at.double())
        direction = self.inner.step(_flat(turned)).view(turned.shape)
        ends = (direction == turned)[:, :, :1] & (sizes(at, True) > 0)
        ends = ends & (self._part.kink[:, :, :1] > 0)
        # So that a full step ends at zero exactly.
        direction = torch.where(ends, at.double(), self._turn(direction))
        direction = self._length(at.double(), direction) * direction
        out = torch.zeros_like(y)
        out[..., self.used] = torch.where(ends & (direction == at), at, direction.to(y.dtype))
        return out

    def _length(self, at: Tensor, direction: Tensor) -> Tensor:
        """Return the best length of a step of each column, (S, K, 1, 1)."""
        part = self._part
        falls = (part.gradient.double() * direction).sum((2, 3))
        bend = direction @ self._gram.double() + self._strength * direction
        bend = (direction * bend).sum((2, 3))
        lengths = _LENGTHS.to(at.device)[:, None, None]
        before, after = (sizes(at - t * direction, True) for t in (0.0, lengths[..., None, None]))
        kink = part.kink[:, :, :1]
        model = (kink * (after - before)).sum((3, 4)) - lengths * falls + 0.5 * lengths**2 * bend
        # Near the minimum all that differs is rounding errors, and full steps are best.
        noise = _NOISE * (kink * before).sum((2, 3))
        longest = (model <= model.amin(0) + noise).to(torch.uint8).argmax(0)
        return _LENGTHS.to(at.device)[longest][..., None, None]

    def _turn(self, t: Tensor) -> Tensor:
        """Turn the groups; twice is not at all."""
        return t - self._scale * self._normal * (self._normal * t).sum(-2, keepdim=True)

    def _matrix(self) -> Tensor:
        """Return the Gram matrix of all outputs, turned, (S, K, 1, m p, m p)."""
        S, K, m, p = self._normal.shape
        basis = torch.eye(m, dtype=torch.float64, device=self._normal.device)
        basis = self._turn(basis[:, None, None, :, None].expand(m, S, K, m, p))
        rows = basis.flatten(3).movedim(0, -1)  # of the reflections, for each coefficient
        return (rows @ rows.mT * self._gram.double().repeat(1, 1, m, m))[:, :, None]


def _flat(t: Tensor) -> Tensor:
    return t.flatten(-2)[..., None, :]
