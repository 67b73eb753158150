"""Names of parameters that an estimator does not have, and what was perhaps meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from sklearn.base import clone

_MOST, _ALIKE = 3, 0.6  # names that are told, and how alike they must be at least


def check_names(estimator: Any, names: Iterable[str], values: dict[str, Any]) -> None:
    """Raise what scikit-learn says of a name that the estimator does not have, and what is near.

    Parameters
    ----------
    estimator : estimator
    names : iterable of str
        Of a grid.
    values : dict
        Of those that are set: a step that is exchanged brings parameters of its own.

    Raises
    ------
    ValueError
        scikit-learn's own, and the most similar names.
    """
    chosen = clone(estimator)
    # Outer names first: what is set by one may have the parameter that another names.
    for name in sorted(names, key=lambda name: name.count("__")):
        known = chosen.get_params()
        if name not in known:
            try:
                chosen.set_params(**{name: values.get(name)})
            except ValueError as error:
                raise ValueError(f"{error}{did_you_mean(name, known)}") from None
        elif name in values:
            chosen.set_params(**{name: clone(values[name], safe=False)})


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the names that are most like this one; "" if none is."""
    own, end, place = list(known), _end(name), name.rpartition("__")[0]
    found = [one for one in own if one.lower() == name.lower()]
    # A step left out, or called by another name.
    found += [one for one in own if _end(one) == end]
    beside = {_end(one): one for one in own if one.rpartition("__")[0] == place}
    found += [beside[one] for one in get_close_matches(end, beside, _MOST, _ALIKE)]
    if place and place not in own:
        found += get_close_matches(name, own, _MOST, _ALIKE)
    told = " or ".join(repr(one) for one in list(dict.fromkeys(found))[:_MOST])
    return f" Did you mean {told} in place of {name!r}?" if told else ""


def _end(name: str) -> str:
    return name.rpartition("__")[2].lower()
