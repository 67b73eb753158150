"""Tensors and other arrays than NumPy's: read for the solvers, and given back in the result.

The solvers place X on their device themselves, and scikit-learn scores most models in NumPy. So a
search reads the user's arrays once, without a copy if they are in the same memory. With
scikit-learn's array API dispatch the final estimator goes back to where X came from.
"""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn import config_context, get_config

from skbamm._sklearn_compat import convert_arrays, namespace_and_device
from skbamm.data.far_rows import at_home, far_rows

ROWS_TRIED = 3  # used to test whether an estimator predicts from arrays like the user's
SAME = 1e-3  # relative difference of predictions, which may be in single precision


def is_foreign(array: Any) -> bool:
    """Whether this is an array of another library than NumPy and SciPy, and no frame."""
    if isinstance(array, torch.Tensor):
        return True
    if isinstance(array, np.ndarray | np.generic) or sp.issparse(array):
        return False
    return hasattr(array, "__array_namespace__") or hasattr(array, "__cuda_array_interface__")


def in_native_order(array: Any) -> Any:
    """Return an array in this machine's byte order.

    Arrays read from files may have the other one, which torch and some estimators do not take.
    """
    if isinstance(array, np.ndarray) and not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array


def to_numpy(array: Any) -> Any:
    """Return a NumPy array of the same numbers, sparse tensors as a CSR matrix.

    Arrays in the machine's memory are not copied.
    """
    if isinstance(array, torch.Tensor):
        return _of_tensor(array.detach())
    try:
        return np.from_dlpack(array)
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        # CuPy arrays leave the GPU only on explicit request.
        return array.get() if hasattr(array, "get") else np.asarray(array)


def _of_tensor(tensor: torch.Tensor) -> Any:
    if tensor.layout is torch.strided:
        tensor = tensor.cpu()
        return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    shape = tuple(tensor.shape)
    if tensor.layout is torch.sparse_coo:
        tensor = tensor.coalesce()
        values, places = _of_tensor(tensor.values()), _of_tensor(tensor.indices())
        return sp.coo_matrix((values, tuple(places)), shape=shape).tocsr()
    if tensor.layout is torch.sparse_csc:
        parts = tensor.values(), tensor.row_indices(), tensor.ccol_indices()
        return sp.csc_matrix(tuple(map(_of_tensor, parts)), shape=shape).tocsr()
    parts = tensor.values(), tensor.col_indices(), tensor.crow_indices()
    return sp.csr_matrix(tuple(map(_of_tensor, parts)), shape=shape)


class ArrayInputs:
    """The user's arrays in NumPy, and the conversion back.

    Parameters
    ----------
    X, y : array-like
    params : dict of str -> object
        The other arguments of fit.
    stays : bool, default=False
        Whether X stays on a GPU if it is there.

    Attributes
    ----------
    X, y : array-like
        The same, in NumPy if they were arrays of another library; X that stays, as ``FarRows``.
    params : dict of str -> object
        Likewise.
    foreign : bool
        Whether X or y was an array of another library.
    """

    def __init__(self, X: Any, y: Any, params: dict[str, Any], stays: bool = False):
        self._places: list[Any] = []  # of X and of y: the library and the device
        for array in (X, y):
            back = get_config()["array_api_dispatch"] and is_foreign(array)
            self._places.append(namespace_and_device(array) if back else None)
        self._given = X
        self.foreign = any(map(is_foreign, (X, y)))
        far = far_rows(X) if stays and is_foreign(X) else None
        self.X, self.y = (
            to_numpy(part) if is_foreign(part) else part for part in (X if far is None else far, y)
        )
        self.params = {
            name: to_numpy(part) if is_foreign(part) else part for name, part in params.items()
        }

    def returned(self, estimator: Any) -> Any:
        """Return a fitted estimator for rows like the user's.

        With array API dispatch, its arrays go to the library and device of X, and its classes to
        those of y. Where it cannot predict there it stays in NumPy, with a warning.
        """
        place, place_of_y = self._places
        if place is None and place_of_y is None:
            return estimator
        classes = getattr(estimator, "classes_", None)

        def converted(array: Any) -> Any:
            there = place_of_y if array is classes else place
            return array if there is None or not _is_moved(array) else _placed(array, *there)

        moved = convert_arrays(estimator, converted)
        reason = None if place is None else self._fails(moved, estimator)
        if reason is None:
            return moved
        warnings.warn(
            f"best_estimator_ holds NumPy arrays and predicts from them: with the arrays that X "
            f"came in, {type(estimator).__name__} does not work ({reason}).",
            UserWarning,
            stacklevel=3,
        )
        return estimator

    def _fails(self, moved: Any, estimator: Any) -> str | None:
        """Return why predictions of the user's arrays fail or differ, if they do."""
        if not hasattr(estimator, "predict"):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                there = to_numpy(moved.predict(self._given[:ROWS_TRIED, ...]))
        except Exception as error:  # the error of an estimator that does not support such arrays
            return f"{type(error).__name__}: {error}"
        here = estimator.predict(at_home(self.X[:ROWS_TRIED]))
        return None if _are_near(there, here) else "its predictions differ"


def reading(inputs: ArrayInputs | None) -> Any:
    """Return the context that a search of these runs in: NumPy needs no dispatch."""
    return (
        nullcontext()
        if inputs is None or not inputs.foreign
        else config_context(array_api_dispatch=False)
    )


def _are_near(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    if other.dtype.kind not in "iuf":
        return bool(np.array_equal(one, other))
    return np.allclose(one, other, rtol=SAME, atol=SAME * np.abs(other).max())


def _is_moved(array: Any) -> bool:
    """Whether an attribute of an estimator is an array of numbers, or a fitted number."""
    if isinstance(array, np.ndarray):
        return array.dtype.kind in "biuf"
    return isinstance(array, np.floating)


def _placed(array: np.ndarray, namespace: Any, device: Any) -> Any:
    array = np.array(array)  # a copy, which may be modified
    try:
        return namespace.asarray(array, device=device)
    except TypeError:
        if array.dtype != np.float64:
            raise
        return namespace.asarray(array.astype(np.float32), device=device)  # Apple's GPUs
