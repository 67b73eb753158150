"""Families of models, and the solver of each: the one place where they are registered."""

from __future__ import annotations

from typing import Any

_SOLVERS: dict[str, type] = {}


def register_family(name: str, solver: type) -> None:
    """Let twins whose ``family`` has this name be solved by a class of solvers.

    The interface is experimental.

    Parameters
    ----------
    name : str
    solver : type
        A subclass of ``skbamm.solvers.base.FoldSolver``, made of a twin, the estimator, a
        ``FoldedData`` and the name of a dtype.

    Raises
    ------
    ValueError
        If the family is registered already.
    """
    if name in _SOLVERS:
        raise ValueError(f"the family {name!r} already has a solver: {_SOLVERS[name].__name__}.")
    _SOLVERS[name] = solver


def families() -> list[str]:
    """Return the names of all families."""
    return list(_SOLVERS)


def solver_of(family: str) -> Any:
    """Return the class of solvers of a family."""
    return _SOLVERS[family]
