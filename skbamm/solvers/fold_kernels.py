"""Kernels of each fold's rows, which folds share where they share X."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skbamm.data.folded import FoldedData
from skbamm.support_vectors import SVMKernel


class FoldKernels:
    """The bases of the kernels of all folds' rows, and the kernels for given parameters.

    Parameters
    ----------
    kernel : SVMKernel
    data : FoldedData
    some : ndarray of int, or None
        The rows that are used; all by default.
    """

    def __init__(self, kernel: SVMKernel, data: FoldedData, some: np.ndarray | None = None):
        self.kernel, self.data = kernel, data
        n = len(data.task.target)
        self._looked_at = np.ones(n, dtype=bool)
        if some is not None:
            self._looked_at[:] = False
            self._looked_at[some] = True
        score = data.score_weight
        self._score = np.ones(n) if score is None else np.asarray(score)
        splits = [(np.arange(n)[train], np.arange(n)[test]) for train, test in data.splits]
        self._train = [train[self._looked_at[train]] for train, _ in splits]
        self._test = [test[self._looked_at[test]] for _, test in splits]
        self._place = np.cumsum(self._looked_at) - 1  # of the rows that are used
        self._shared: np.ndarray | None = None  # base of all of these
        self._bases: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # of folds that share no X
        # The last kernel that was used: of all rows, or a fold's two.
        self._last: tuple[dict[str, float], np.ndarray] | None = None
        self._last_own: tuple[Any, tuple[np.ndarray, np.ndarray]] | None = None
        self._rows: dict[int, Any] = {}
        if data.folds is None:
            seen = np.flatnonzero(self._looked_at)
            matrix = data.matrix if some is None else data.matrix[seen]
            self._shared = kernel.base(matrix[:, seen] if kernel.given else matrix)

    @property
    def are_shared(self) -> bool:
        """Whether all folds' kernels are parts of one."""
        return self._shared is not None

    def rows(self, k: int) -> np.ndarray:
        """Return the user's rows that the k-th used fold trains on."""
        return self._train[k]

    def held_out(self, k: int) -> np.ndarray:
        """Return the user's rows that it is judged by."""
        return self._test[k]

    def score_weight(self, k: int) -> np.ndarray:
        """Return what these count."""
        return self._score[self._test[k]]

    def training_rows(self, k: int) -> Any:
        """Return the rows of X that the k-th used fold trains on."""
        if k not in self._rows:
            fold = self.data.fold(k)
            if fold is None:
                rows = self.data.matrix[self._train[k]]
                if self.kernel.given:
                    rows = rows[:, self._train[k]]
            else:
                rows = fold.matrix[: len(fold.train)][self._looked_at[fold.train]]
            self._rows[k] = rows
        return self._rows[k]

    def at(self, k: int, numbers: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the kernels of the training rows (n, n) and of the held-out rows to them."""
        if self._shared is None:
            key = k, dict(numbers)
            if self._last_own is None or self._last_own[0] != key:
                self._last_own = None  # so that there are never two at a time
                one, other = self._own(k)
                both = self.kernel.values(one, numbers), self.kernel.values(other, numbers)
                self._last_own = key, both
            return self._last_own[1]
        if self._last is None or self._last[0] != numbers:
            self._last = None  # so that there are never two at a time
            self._last = dict(numbers), self.kernel.values(self._shared, numbers)
        return self._parts(self._last[1], k)

    def bases(self, k: int, rows: np.ndarray, held_out: np.ndarray):
        """Return the bases of some training rows, and of some held-out rows to them."""
        if self._shared is None:
            one, other = self._own(k)
            return one[np.ix_(rows, rows)], other[np.ix_(held_out, rows)]
        train, test = self._place[self._train[k]][rows], self._place[self._test[k]][held_out]
        return self._shared[np.ix_(train, train)], self._shared[np.ix_(test, train)]

    def _parts(self, matrix: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        train, test = self._place[self._train[k]], self._place[self._test[k]]
        columns = matrix.take(train, axis=1)
        return columns.take(train, axis=0), columns.take(test, axis=0)

    def _own(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the bases of a fold with its own rows."""
        if k not in self._bases:
            fold = self.data.fold(k)
            assert fold is not None
            training = self.training_rows(k)
            held_out = fold.matrix[len(fold.train) :][self._looked_at[fold.test]]
            if sp.issparse(training) != sp.issparse(held_out):  # of mixed blocks
                held_out = type(training)(held_out)
            self._bases[k] = self.kernel.base(training), self.kernel.base(held_out, training)
        return self._bases[k]
