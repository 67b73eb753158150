"""Displays of a search's results, as pictures or as a table."""

from skbamm.display.label_issues import LabelIssuesDisplay
from skbamm.display.penalty_bars import PenaltyBarDisplay
from skbamm.display.penalty_path import PenaltyPathDisplay
from skbamm.display.search import SearchDisplay

__all__ = ["LabelIssuesDisplay", "PenaltyBarDisplay", "PenaltyPathDisplay", "SearchDisplay"]
