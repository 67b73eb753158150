"""What a user gives for one value a feature, group of features, class or target."""

from __future__ import annotations

from typing import Any

CLASS_WEIGHT = "class_weight"


class UnfitVector(ValueError):
    """A vector of values does not go with the model, the data, or itself."""


class Vector:
    """What vectors of a parameter's values have in common; see the subclasses."""

    kind = ""

    def __init__(self, low: float, high: float, shrinkage: bool = True):
        self.low, self.high, self.shrinkage = low, high, shrinkage

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({options})"

    def __eq__(self, other):
        return type(other) is type(self) and repr(other) == repr(self)

    def __hash__(self):
        return hash(repr(self))


class PerFeature(Vector):
    """A penalty of its own for each feature that the model sees.

    All are searched together by their cross-validated loss. So many values would overfit the
    validation rows; their logarithms are therefore shrunk towards a common value, by an amount
    that is chosen on held-out rows. If the data show no difference between features, one value
    for all remains.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value, in the units of the estimator's parameter; positive.
    shrinkage : bool, default=True
        Whether the values are shrunk towards each other. If not, the search minimises the
        cross-validated loss, and ``best_score_`` says little about other rows.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order, or if the
        number of features is not the same in all folds.

    See Also
    --------
    PerGroup : One value for each group of features.
    FeaturePenalty : The type of ``best_estimator_``, or of its last step.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PerFeature
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerFeature(1e-4, 1e3)}).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (10,)
    """

    kind = "feature"


class PerGroup(Vector):
    """A penalty of its own for each group of features.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value, in the units of the estimator's parameter; positive.
    groups : array-like of shape (n_features,), mapping, or "transformers"
        A label for each feature that the model sees; or names of groups with their columns, which
        are numbers, names, or slices; or one group for each transformer of the ColumnTransformer
        or FeatureUnion before the model, whatever the number of columns that it has in a fold.
        The order of values is that of the labels where they first stand, of the mapping, or of
        the transformers.
    shrinkage : bool, default=True
        Whether the values are shrunk towards each other, see :class:`PerFeature`.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order; if ``groups``
        does not have one label for each feature, leaves out a column or repeats one; or if a group
        has no columns in a fold.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PerGroup
    >>> X, y = load_diabetes(return_X_y=True)
    >>> groups = {"patient": [0, 1], "body": [2, 3], "serum": slice(4, 10)}
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerGroup(1e-4, 1e3, groups)}).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    kind = "group"

    def __init__(self, low: float, high: float, groups: Any, shrinkage: bool = True):
        super().__init__(low, high, shrinkage)
        self.groups = groups


class PerClass(Vector):
    """A value for each class: penalties of one-vs-rest models, or ``class_weight``.

    For ``class_weight`` the search looks for the weights of the classes in training that give the
    best score on the validation rows, by a scorer that may weigh classes differently.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value, in the units of the estimator's parameter; positive.
        The order of values is that of ``classes_``; for ``class_weight`` they are a dict.
    shrinkage : bool, default=True
        Whether the values are shrunk towards each other, see :class:`PerFeature`.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order; or, for
        penalties, if there are fewer than three classes or the model is not a RidgeClassifier,
        LinearSVC, SGDClassifier or OneVsRestClassifier. A multinomial model has no separate
        penalties for the classes.

    See Also
    --------
    ClassPenalty : Wraps all these except RidgeClassifier, which accepts a vector.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from skbamm import BAMMSearchCV, PerClass
    >>> X, y = load_iris(return_X_y=True)
    >>> search = BAMMSearchCV(RidgeClassifier(), {"alpha": PerClass(1e-3, 1e3)}).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    kind = "class"


class PerTarget(Vector):
    """A penalty of its own for each target of a Ridge of several.

    Parameters
    ----------
    low, high : float
        Ends of the interval for each value; positive.
    shrinkage : bool, default=False
        Whether the values are shrunk towards each other, see :class:`PerFeature`. All rows
        determine the value of each target, so there is little need for it.

    Raises
    ------
    ValueError
        By the search's ``fit``, if the ends are not positive, finite and in order, if there is
        one target, or if the model is not a Ridge.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from sklearn.linear_model import Ridge
    >>> from skbamm import BAMMSearchCV, PerTarget
    >>> X, y = load_linnerud(return_X_y=True)
    >>> search = BAMMSearchCV(Ridge(), {"alpha": PerTarget(1e1, 1e6)}, cv=4).fit(X, y)
    >>> search.best_params_["alpha"].shape
    (3,)
    """

    kind = "target"

    def __init__(self, low: float, high: float, shrinkage: bool = False):
        super().__init__(low, high, shrinkage)
