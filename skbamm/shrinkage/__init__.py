"""Vectors of hyperparameters, shrunk towards each other."""
