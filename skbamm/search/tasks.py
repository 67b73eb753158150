"""A search as tasks of scikit-learn's callbacks: a solve with its iterations, then scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SearchTasks:
    """The tasks of one search, below the fit's.

    Where nothing is solved they are those of GridSearchCV: a search of evaluations. Else the search
    has two successive parts: "solve" and "score".

    Parameters
    ----------
    search : BAMMSearchCV
        With callbacks.
    root : CallbackContext
        The fit's.
    solves : bool
        Whether anything may be solved.
    """

    def __init__(self, search: Any, root: Any, solves: bool):
        self.search, self.root = search, root
        self._search: Any = None
        self._solve: Any = None
        if solves:
            self._search = self._begin(root, task_name="search", max_subtasks=2)
            self._solve = self._begin(self._search, task_name="solve", max_subtasks=None)

    def step(self) -> None:
        """Note an iteration of the solve."""
        if self._solve is not None:
            self._end(self._begin(self._solve, task_name="iteration"))

    def begin_scores(self, count: int) -> Any:
        """End the solve; return the task that ``count`` evaluations belong to."""
        of_scores = {"max_subtasks": count, "sequential_subtasks": False}
        if self._search is None:
            self._scores = self._begin(self.root, task_name="search", **of_scores)
            return self._scores
        self._end(self._solve)
        self._solve = None
        self._scores = self._begin(self._search, task_name="score", **of_scores)
        return self._scores

    def end(self) -> None:
        """End the search."""
        self._end(self._scores)
        if self._search is not None:
            self._end(self._search)

    def _begin(self, parent: Any, **task: Any) -> Any:
        return parent.subcontext(**task).call_on_fit_task_begin(estimator=self.search)

    def _end(self, task: Any) -> None:
        task.call_on_fit_task_end(estimator=self.search)


def numbered(evaluate: Callable[..., Any], context: Any, n_splits: int) -> Callable[..., Any]:
    """Return BaseSearchCV's ``evaluate`` for candidates in parts, all tasks of one context.

    A part's evaluations go on with the numbers of those before it.
    """
    before = 0

    def evaluate_part(candidates, more_results=None):
        nonlocal before
        part = _From(context, before)
        before += len(candidates) * n_splits
        return evaluate(candidates, more_results=more_results, callback_ctx=part)

    return evaluate_part


class _From:
    """A context whose tasks have numbers from ``first`` on."""

    def __init__(self, context: Any, first: int):
        self.context, self.first = context, first

    def subcontext(self, task_name: str, task_id: int) -> Any:
        """Return the context of a task."""
        return self.context.subcontext(task_name=task_name, task_id=self.first + task_id)
