"""Vectors of a parameter's values: one a feature, a group, a class or a target."""
