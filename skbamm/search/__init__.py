"""The scikit-learn face: plans, runs, scores, refits."""

from skbamm.search.report import EdgeWarning
from skbamm.search.search_cv import BAMMSearchCV

__all__ = ["BAMMSearchCV", "EdgeWarning"]
