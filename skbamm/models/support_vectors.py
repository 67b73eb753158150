"""SVC, NuSVC, SVR and NuSVR, as libsvm solves them."""

from __future__ import annotations

import numpy as np
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from skbamm.criteria import ABSOLUTE, SCALED, SQUARED
from skbamm.losses import EpsilonInsensitiveLoss, HingeLoss
from skbamm.models.base import (
    Hyperparameter,
    Task,
    Twin,
    balanced_or_given,
    class_indices,
    kink_width,
    numeric_target,
)
from skbamm.support_vectors import svm_kernel, take_kernel_fit
from skbamm.support_vectors.hyperparameters import EPSILON, NU, OF_KERNELS, C, of_its_kernel

_KERNELS = "'rbf', 'poly', 'sigmoid', 'linear' or 'precomputed'"


class SupportVectorTwin(Twin):
    """``sum of C w_i times the errors beyond the margin + ||w||^2 / 2`` in a kernel's space.

    Attributes
    ----------
    unknown : str
        What ``nu`` makes an unknown of the fit, "C" or "epsilon"; "" without nu.
    """

    family = "support vectors"
    solves_lists = False  # fits share kernels
    unknown = ""
    own: tuple[Hyperparameter, ...] = (C,)

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:  # type: ignore[override]
        """What can be tuned, of some kernel."""
        return (*self.own, *OF_KERNELS)

    def mismatch(self, estimator):
        """See ``Twin.mismatch``."""
        if svm_kernel(estimator) is None:
            told = "a function" if callable(estimator.kernel) else repr(estimator.kernel)
            return f"kernel={told} is not one of {_KERNELS}"
        return ""

    def tunes(self, estimator):
        """See ``Twin.tunes``."""
        return (*self.own, *of_its_kernel(estimator))

    def enables(self, name):
        """See ``Twin.enables``."""
        allowed = {"gamma": "kernel='rbf', 'poly' or 'sigmoid'", "coef0": "kernel='poly'"}
        return allowed.get(name, "")

    def takes_kernels(self, estimator):
        """See ``Twin.takes_kernels``."""
        return estimator.kernel == "precomputed"

    def export(self, estimator, task, dual_coef, fitted, rows, gamma):
        """Give ``estimator`` what its own fit would have given it.

        Parameters
        ----------
        estimator : estimator
        task : Task
        dual_coef : ndarray
            Not used; it is among what was fitted.
        fitted : dict of str -> object
            The attributes of a fit on the kernel of the same training rows.
        rows : ndarray or CSR matrix of shape (n, d)
            These rows.
        gamma : float
        """
        take_kernel_fit(estimator, fitted, rows, gamma)


class SVRTwin(SupportVectorTwin):
    """Support vector regression with a given ``epsilon``."""

    estimator_type: type = SVR
    own = (C, EPSILON)

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        target = numeric_target(y, vector=True)
        return Task(
            target=target,
            loss=EpsilonInsensitiveLoss(estimator.epsilon, width=kink_width(target)),
            fit_intercept=True,
            criterion="r2",
            criteria=(*SQUARED, *ABSOLUTE),
        )


class NuSVRTwin(SVRTwin):
    """Support vector regression with a given share of rows beyond the margin."""

    estimator_type = NuSVR
    own = (C, NU)
    unknown = "epsilon"


class SVCTwin(SupportVectorTwin):
    """Support vector classification, by pairs of classes if there are more than two."""

    estimator_type: type = SVC

    def task(self, estimator, y, weight, sparse):
        """See ``Twin.task``."""
        classes, index = class_indices(y)
        given, class_weight = estimator.class_weight, None
        if given is not None:
            class_weight = balanced_or_given(given, classes, classes[index], None)
        return Task(
            target=index.astype(np.float64),
            loss=HingeLoss(1 if len(classes) == 2 else len(classes)),
            fit_intercept=True,
            criterion=SCALED[0],
            criteria=SCALED,
            classes=classes,
            row_class=index,
            class_weight=class_weight,
        )


class NuSVCTwin(SVCTwin):
    """The same with a given share of rows beyond the margin."""

    estimator_type = NuSVC
    own = (NU,)
    unknown = "C"
