"""Locates the model in a pipeline."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline


def last_step(estimator: Any) -> Any:
    """Return the model itself, out of a pipeline if it is in one."""
    return estimator.steps[-1][1] if type(estimator) is Pipeline else estimator


def step_prefix(estimator: Any) -> str:
    """Return the prefix of the last step's parameters: "" or "step__"."""
    return f"{estimator.steps[-1][0]}__" if type(estimator) is Pipeline else ""


def has_transformers(estimator: Any) -> bool:
    """Whether it is a pipeline of more than a model."""
    return type(estimator) is Pipeline and len(estimator.steps) > 1
