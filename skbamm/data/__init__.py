"""Converts the user's X, y and splits to the rows of all folds."""
