"""The rows whose labels a search doubts most, as pictures or as a table."""

from skbamm.display.label_issues import LabelIssuesDisplay

__all__ = ["LabelIssuesDisplay"]
