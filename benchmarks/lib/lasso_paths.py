"""The Lasso's path solvers: their settings, and celer's path in every fold."""

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import scale

VALUES, SPAN = 100, 1e-3  # of a path, from the largest useful penalty down to that share of it
TOL, MAX_ITER = 1e-4, 10_000
# The bars of ours: how much worse a CV error may be, and celer's seconds as a share of ours.
WORSE, CELER = 5e-3, 1 / 3


def cv() -> KFold:
    return KFold(5, shuffle=True, random_state=0)


def standardised(data: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    X, y = data
    return np.asfortranarray(scale(X)), y.astype(float)


def largest(X: np.ndarray, y: np.ndarray) -> float:
    """The penalty from which on all coefficients are zero."""
    return float(np.abs(X.T @ (y - y.mean())).max()) / len(y)


class CelerCV:
    """What LassoCV does, by celer's path: a path a fold, and one fit at the best penalty."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> "CelerCV":
        alphas = largest(X, y) * np.geomspace(1, SPAN, VALUES)
        errors = [self._errors(X, y, train, test, alphas) for train, test in cv().split(X)]
        mean = np.mean(errors, 0)
        self.alpha_, self.mse_ = alphas[mean.argmin()], mean.min()
        self.coef_ = self._path(X, y, alphas[: mean.argmin() + 1])[0][:, -1]
        return self

    def _errors(self, X, y, train, test, alphas) -> np.ndarray:
        coefs, centre, level = self._path(X[train], y[train], alphas)
        predicted = (X[test] - centre) @ coefs + level
        return ((y[test][:, None] - predicted) ** 2).mean(0)

    def _path(self, X, y, alphas) -> tuple[np.ndarray, np.ndarray, float]:
        from celer import celer_path  # an extra that other rivals do without

        centre, level = X.mean(0), y.mean()
        centred = np.asfortranarray(X - centre)
        _, coefs, _ = celer_path(
            centred, y - level, pb="lasso", alphas=alphas, tol=TOL, max_iter=MAX_ITER
        )
        return coefs, centre, level
