"""PoissonRegressor, GammaRegressor and TweedieRegressor."""

from __future__ import annotations

import copy
import inspect

from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from skbamm.criteria import ABSOLUTE, DEVIANCE, SQUARED
from skbamm.losses import HalfSquaredLoss, TweedieLoss
from skbamm.models.base import (
    ALPHA,
    L1_RATIO,
    PROXIMAL_NEWTON,
    Factors,
    LinearTwin,
    NotApplicable,
    Task,
    numeric_target,
)

# Versions of scikit-learn before 1.10 have no absolute values in these penalties.
_HAS_RATIO = "l1_ratio" in inspect.signature(PoissonRegressor).parameters


class PoissonTwin(LinearTwin):
    """``mean of half deviances + alpha ((1 - r) ||w||^2 / 2 + r sum |w|)``.

    The intercept is free; r is ``l1_ratio``, or zero without this parameter.
    """

    estimator_type: type = PoissonRegressor
    hyperparameters = (ALPHA, L1_RATIO) if _HAS_RATIO else (ALPHA,)
    ratio = 0.0  # where it is not tuned
    warm_starts = True
    mean_loss = True

    def power(self, estimator) -> float:
        """Return the power of the mean that the variance is."""
        return 1.0

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        ratio, solver = getattr(estimator, "l1_ratio", 0.0), estimator.solver
        if not L1_RATIO.valid(ratio):
            return f"l1_ratio={ratio!r} is not a number from 0 to 1"
        if ratio != 0 and solver not in PROXIMAL_NEWTON:
            return f"solver={solver!r} has no L1 penalty; use solver='newton-cd'"
        return ""

    def for_estimator(self, estimator):
        """See ``Twin.for_estimator``."""
        twin = copy.copy(self)
        twin.ratio = float(getattr(estimator, "l1_ratio", 0.0))
        return twin

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        return self.hyperparameters if estimator.solver in PROXIMAL_NEWTON else (ALPHA,)

    def enables(self, name):
        """See ``Twin.enables``."""
        return "solver='newton-cd'" if name == "l1_ratio" else ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        power, target = self.power(estimator), numeric_target(y, vector=True)
        if power == 0:
            own = HalfSquaredLoss()
            return Task(target, own, estimator.fit_intercept, "r2", (*SQUARED, *ABSOLUTE))
        if target.min() < 0 or (power == 2 and target.min() == 0) or target.max() == 0:
            raise NotApplicable("the target is outside the range of the distribution")
        criteria = (*DEVIANCE, *SQUARED, *ABSOLUTE)
        return Task(target, TweedieLoss(power), estimator.fit_intercept, "deviance", criteria)

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        alpha, ratio = values["alpha"], values.get("l1_ratio", self.ratio)
        if isinstance(ratio, float) and ratio == 0:
            return Factors(alpha)
        return Factors(alpha * (1 - ratio), alpha * ratio)

    def export(self, estimator, task, coef, intercept):
        """See ``Twin.export``."""
        estimator.coef_ = coef[0]
        estimator.intercept_ = intercept[0] if task.fit_intercept else 0.0
        estimator.n_iter_ = 0
        estimator._base_loss = estimator._get_loss()


class GammaTwin(PoissonTwin):
    """The same with the gamma distribution."""

    estimator_type = GammaRegressor

    def power(self, estimator):
        """Return 2."""
        return 2.0


class TweedieTwin(PoissonTwin):
    """The same with any power between Poisson's and the gamma's, or the normal distribution."""

    estimator_type = TweedieRegressor

    def power(self, estimator):
        """Return the estimator's."""
        return float(estimator.power)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        power, link = estimator.power, estimator.link
        if not isinstance(power, int | float) or not (power == 0 or 1 <= power <= 2):
            return f"power={power!r} is not convex"
        if link not in ("auto", "identity" if power == 0 else "log"):
            return f"link={link!r} is not convex for power={power!r}"
        return super().mismatch(estimator)
