"""PoissonRegressor, GammaRegressor and TweedieRegressor."""

from __future__ import annotations

from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from skbamm.criteria import ABSOLUTE, DEVIANCE, SQUARED
from skbamm.losses import HalfSquaredLoss, TweedieLoss
from skbamm.models.base import Factors, LinearTwin, NotApplicable, Task, numeric_target


class PoissonTwin(LinearTwin):
    """``mean of half deviances + alpha ||w||^2 / 2``; the intercept is free."""

    estimator_type: type = PoissonRegressor
    warm_starts = True
    mean_loss = True

    def power(self, estimator) -> float:
        """Return the power of the mean that the variance is."""
        return 1.0

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        return ""

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        power, target = self.power(estimator), numeric_target(y, vector=True)
        if power == 0:
            own = HalfSquaredLoss()
            return Task(target, own, estimator.fit_intercept, "r2", (*SQUARED, *ABSOLUTE))
        if target.min() < 0 or (power == 2 and target.min() == 0) or target.max() == 0:
            raise NotApplicable("the target is out of the range of the distribution")
        criteria = (*DEVIANCE, *SQUARED, *ABSOLUTE)
        return Task(target, TweedieLoss(power), estimator.fit_intercept, "deviance", criteria)

    def penalty(self, values):
        """See ``LinearTwin.penalty``."""
        return Factors(values["alpha"])

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
        return ""
