"""Solvers of all folds of a model, one class a family."""
