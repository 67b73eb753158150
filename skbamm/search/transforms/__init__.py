"""Transformed rows that several candidates share."""
