"""Checks of registered models, as ``sklearn.utils.estimator_checks`` checks estimators."""

from skbamm.testing.checks import check_model

__all__ = ["check_model"]
