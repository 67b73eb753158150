"""A summary of a fitted search, as plain text and as HTML for notebooks."""

from __future__ import annotations

import math
from html import escape
from numbers import Real
from typing import Any

import numpy as np

_CLOSE = 1e-3  # share of an interval within which a value is called its end
_FEW = 4  # entries of a vector that are written

# Colours are those of the page around it, which may be light or dark.
_STYLE = (
    "border:1px solid;border-color:color-mix(in srgb,currentColor 30%,transparent);"
    "border-radius:4px;padding:.4em .8em;margin-bottom:.5em;width:fit-content;"
    "max-width:100%;overflow-x:auto;font-family:sans-serif;font-size:.9em"
)
_HEAD = "text-align:left;vertical-align:top;padding-right:1em;font-weight:600;white-space:nowrap"
_CELL = "text-align:left;vertical-align:top;white-space:pre-line"


def rows_of(search: Any) -> list[tuple[str, list[str]]]:
    """Return the parts of the summary: a heading and its lines for each."""
    results = search.cv_results_
    n = len(results["params"])
    size = f"{n} candidate{'s' if n > 1 else ''} scored on {search.n_splits_} splits"
    found = [("search", [size])]
    if hasattr(search, "best_params_"):
        best = [f"{name} = {_shown(value)}" for name, value in search.best_params_.items()]
        found.append(("best values", best or ["those of the estimator"]))
    if hasattr(search, "best_score_"):
        error = getattr(search, "best_score_standard_error_", None)
        sure = "" if error is None or not np.isfinite(error) else f" ± {error:.2g} (standard error)"
        found.append(("best score", [f"{_shown(search.best_score_)}{sure}"]))
    within = getattr(search, "best_params_range_", {})
    if within:
        told = [f"{name}: {low:.4g} to {high:.4g}" for name, (low, high) in within.items()]
        found.append(("within one standard error", told))
    if search.search_plan_:
        found.append(("how", [_told(row) for row in search.search_plan_]))
    if search.history_.get("seconds") is not None and len(search.history_["seconds"]):
        seconds = float(search.history_["seconds"][-1])
        found.append(("path", [f"{search.n_iter_} iterations, {seconds:.2g} s"]))
    if hasattr(search, "refit_time_"):
        found.append(("final fit", [f"{search.refit_time_:.2g} s"]))
    found.append(("device", [str(search.device_)]))
    notes = _notes(search)
    if notes:
        found.append(("note", notes))
    return found


def as_text(search: Any) -> str:
    """Return the summary as lines of plain text."""
    rows = rows_of(search)
    width = max(len(head) for head, _ in rows)
    lines = [f"{type(search).__name__} of {type(search.estimator).__name__}"]
    for head, told in rows:
        for k, line in enumerate(told):
            lines.append(f"  {head if k == 0 else '':<{width}}  {line}")
    return "\n".join(lines)


def as_html(search: Any) -> str:
    """Return the summary as a table whose texts are escaped."""
    rows = "".join(
        f'<tr><th style="{_HEAD}">{escape(head)}</th>'
        f'<td style="{_CELL}">{escape(chr(10).join(told))}</td></tr>'
        for head, told in rows_of(search)
    )
    return f'<div style="{_STYLE}"><table style="background:none">{rows}</table></div>'


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, np.ndarray) or (isinstance(value, list) and len(value) > _FEW):
        numbers = [_shown(one) for one in list(np.ravel(np.asarray(value)))[:_FEW]]
        more = f", … ({np.size(value)} values)" if np.size(value) > _FEW else ""
        return f"[{', '.join(numbers)}{more}]"
    if isinstance(value, Real) and not isinstance(value, (bool, int, np.integer, np.bool_)):
        return f"{float(value):.4g}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _told(row: dict[str, Any]) -> str:
    told = f"{row['parameter']}: {row['role']}"
    if row["low"] is not None:
        told += f" in [{row['low']:g}, {row['high']:g}], {row['scale']} scale"
    return told + (f" ({row['reason']})" if row["reason"] else "")


def _notes(search: Any) -> list[str]:
    notes = []
    reasons = [row["reason"] for row in search.search_plan_ if row["role"] == "searched"]
    if reasons and not search.converged_:
        own = all(reason.startswith("own fits are faster") for reason in reasons)
        notes.append(
            "values over the whole interval were scored; the best of them is used"
            if own
            else "the search did not meet tol; the best point found is used"
        )
    if search.refit_adopted_:
        far = "the final fit ended far from the minimum that was scored, which replaced it"
        there = f"the final model was solved on {search.device_}"
        notes.append(far if search.device_ == "cpu" else there)
    for row in search.search_plan_:
        value = getattr(search, "best_params_", {}).get(row["parameter"])
        if row["low"] is None or not isinstance(value, Real):
            continue
        place = (float(value) - row["low"]) / (row["high"] - row["low"])
        if row["scale"] == "log":
            place = math.log(float(value) / row["low"]) / math.log(row["high"] / row["low"])
        if min(place, 1 - place) <= _CLOSE:
            end = "lower" if place < 0.5 else "upper"
            notes.append(f"{row['parameter']} is at the {end} end of its interval")
    return notes
