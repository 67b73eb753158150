"""The best candidate's model of each split, and its out-of-fold predictions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.parallel import Parallel, delayed

from skbamm._sklearn_compat import check_method_params, num_samples, safe_split
from skbamm.data.callbacks import without_callbacks
from skbamm.search.bank import Bank
from skbamm.search.keys import candidate_key
from skbamm.search.presolved import FOLD, stand_in_for, users_own

METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
# As in cross_val_predict: values for a class that is missing from the training rows.
_NOT_SEEN = {"predict_proba": 0.0, "predict_log_proba": np.finfo(float).min}


class NoPredictions(Exception):
    """The splits' predictions do not fit together."""


def check_wanted(search: Any, estimators: list[Any]) -> None:
    """Raise an error if requested fold models cannot exist.

    Parameters
    ----------
    search : BAMMSearchCV
    estimators : list of estimator
        The user's, with the values of each combination.
    """
    asked = "return_oof" if search.return_oof else "return_estimator"
    if isinstance(search.scoring, (list, tuple, set, dict)) and not search.refit:
        raise ValueError(
            f"{asked} needs a best candidate, which several scores do not have with "
            f"refit={search.refit!r}. Let refit be the name of one of the scores."
        )
    method = method_of(search.return_oof)
    if method and estimators and not any(hasattr(one, method) for one in estimators):
        name = type(search.estimator).__name__
        raise AttributeError(f"return_oof={search.return_oof!r}: {name} has no {method}.")


def method_of(return_oof: bool | str) -> str:
    """Return the method that predicts; "" if no predictions are wanted."""
    return return_oof if isinstance(return_oof, str) else "predict" if return_oof else ""


def fold_models(search: Any, estimator: Any, bank: Bank) -> list[Any]:
    """Return the fitted model of each split; None where its fit fails.

    Models that are solved are taken as they are. Others are fitted once more, without callbacks.

    Parameters
    ----------
    search : BAMMSearchCV
        With ``cv_results_`` and ``best_index_``.
    estimator : estimator
        The user's.
    bank : Bank
        Of the search, with its data.
    """
    params = search.cv_results_["params"][search.best_index_]
    own = bank.without_sharing()
    own.scoring_only = own.complete([candidate_key(params)])
    wanted = Parallel(n_jobs=search.n_jobs, pre_dispatch=search.pre_dispatch)(
        delayed(_fitted)(_model(estimator, own, params), *data, search.error_score)
        for data in _training(own, estimator)
    )
    models, errors = [model for model, _ in wanted], [error for _, error in wanted if error]
    if errors:
        warnings.warn(
            f"{len(errors)} of the {len(models)} models of the best candidate could not be fitted, "
            f"and fold_estimators_ has None for them: {errors[0]}",
            FitFailedWarning,
            stacklevel=3,
        )
    return models


def _model(estimator: Any, bank: Bank, params: dict[str, Any]) -> Any:
    model = stand_in_for(clone(estimator), bank).set_params(**clone(params, safe=False))
    without_callbacks(model.estimator)
    return model


def _training(bank: Bank, estimator: Any) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Yield what each split's model is fitted to: codes of the split if the model is solved."""
    n = num_samples(bank.X)
    for k, (train, _) in enumerate(bank.splits):
        if bank.scoring_only:
            yield None, None, {FOLD: np.array([k % n, k // n])}
            continue
        X, y = safe_split(estimator, bank.X, bank.y, train)
        yield X, y, {**check_method_params(bank.X, bank.fit_params, indices=train), FOLD: train}


def _fitted(model: Any, X: Any, y: Any, params: dict[str, Any], error_score: Any) -> tuple:
    try:
        return users_own(model.fit(X, y, **params)), ""
    except Exception as error:
        if error_score == "raise":
            raise
        return None, f"{type(error).__name__}: {error}"


def publish_folds(search: Any, fitting: Any, inputs: Any) -> None:
    """Give the search ``fold_estimators_`` and ``oof_predictions_``, if they are wanted.

    Parameters
    ----------
    search : BAMMSearchCV
    fitting : Fitting
    inputs : ArrayInputs or None
        The way back to the arrays that X came in.
    """
    for name in ("fold_estimators_", "oof_predictions_"):
        vars(search).pop(name, None)  # an earlier fit's
    if not fitting.wants_folds:
        return
    if search.multimetric_ and not search.refit:  # a callable's scores are known only now
        warnings.warn("Without refit several scores have no best candidate.", UserWarning, 3)
        return
    bank, method = fitting.bank, method_of(search.return_oof)
    models = fold_models(search, fitting.estimator, bank)
    if method:
        try:
            search.oof_predictions_ = out_of_fold(models, bank.X, bank.y, bank.splits, method)
        except NoPredictions as why:
            warnings.warn(f"There is no oof_predictions_: {why}.", UserWarning, stacklevel=3)
    if search.return_estimator:
        if inputs is not None:
            models = [one and inputs.returned(one) for one in models]
        search.fold_estimators_ = models


def out_of_fold(models: list[Any], X: Any, y: Any, splits: list, method: str) -> Any:
    """Return the predictions of the splits' models for their test rows.

    Parameters
    ----------
    models : list of estimator or None
    X, y : array-like
        All rows.
    splits : list of (train, test)
        Indices.
    method : str
        One of ``METHODS``.

    Returns
    -------
    ndarray of shape (n_samples, ...), or list of these for several outputs
        A row that was tested several times has the mean, and of labels the most frequent one. A
        row that was never tested has NaN, or None if labels are not numbers.
    """
    places, answers = [], []
    for model, (train, test) in zip(models, splits, strict=True):
        if model is None or not len(test):
            continue
        if not hasattr(model, method):
            raise NoPredictions(f"the best {type(model).__name__} has no {method}")
        answers.append(_by_class(model, getattr(model, method), X, y, train, test))
        places.append(test)
    if not answers:
        raise NoPredictions("no row was tested")
    first, n = answers[0], num_samples(X)
    votes = method == "predict" and is_classifier(next(one for one in models if one is not None))
    if isinstance(first, list):  # one array for each output
        return [
            _joined(n, places, [answer[j] for answer in answers], votes) for j in range(len(first))
        ]
    return _joined(n, places, answers, votes)


def _by_class(model: Any, method: Any, X: Any, y: Any, train: Any, test: Any) -> Any:
    """Return predictions whose columns are those of all classes, in order."""
    rows, _ = safe_split(model, X, None, test, train)
    found, name = method(rows), method.__name__
    if isinstance(found, list):
        labels = np.asarray(y)
        return [
            _all_classes(np.asarray(one), classes, np.unique(labels[:, j]), name)
            for j, (one, classes) in enumerate(zip(found, model.classes_, strict=True))
        ]
    if name == "predict" or np.ndim(y) != 1 or not is_classifier(model):
        return np.asarray(found)
    return _all_classes(np.asarray(found), model.classes_, np.unique(np.asarray(y)), name)


def _all_classes(found: np.ndarray, classes: Any, every: np.ndarray, name: str) -> np.ndarray:
    if len(classes) == len(every):
        return found
    if found.ndim != 2 or found.shape[1] != len(classes):
        raise NoPredictions(f"a split's training rows lack a class, which {name} has no column for")
    whole = np.full((len(found), len(every)), _NOT_SEEN.get(name, np.finfo(float).min))
    whole[:, np.searchsorted(every, classes)] = found
    return whole


def _joined(n: int, places: list, answers: list[np.ndarray], votes: bool) -> np.ndarray:
    """Put the answers in the order of all rows."""
    if len({answer.shape[1:] for answer in answers}) > 1:
        raise NoPredictions("the splits' predictions differ in shape")
    counts = np.bincount(np.concatenate(places), minlength=n)
    if votes or np.result_type(*answers).kind not in "iufb":
        return _most_frequent(n, places, answers, counts)
    if (counts == 1).all():
        joined = np.empty((n, *answers[0].shape[1:]), dtype=np.result_type(*answers))
        joined[np.concatenate(places)] = np.concatenate(answers)
        return joined
    total = np.zeros((n, *answers[0].shape[1:]))
    for place, answer in zip(places, answers, strict=True):
        np.add.at(total, place, answer)  # a test may have a row twice
    times = counts.astype(float)
    times[counts == 0] = np.nan
    return total / times.reshape(-1, *[1] * (total.ndim - 1))


def _most_frequent(n: int, places: list, answers: list[np.ndarray], counts: Any) -> np.ndarray:
    """Return each row's most frequent label; of several the first in order."""
    rows, told = np.concatenate(places), np.concatenate(answers)
    labels, which = np.unique(told, return_inverse=True)
    which = which.reshape(told.shape[0], -1)
    best = np.empty((n, which.shape[1]), dtype=int)
    for j in range(which.shape[1]):
        times = np.zeros((n, len(labels)), dtype=int)
        np.add.at(times, (rows, which[:, j]), 1)
        best[:, j] = times.argmax(1)
    found = labels[best].reshape(n, *told.shape[1:])
    if counts.all():
        return found
    numbers = found.dtype.kind in "iufb"
    found = found.astype(float if numbers else object)
    found[counts == 0] = np.nan if numbers else None
    return found
