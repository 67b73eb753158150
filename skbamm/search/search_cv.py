"""BAMMSearchCV: the scikit-learn face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

from skbamm._sklearn_compat import RealInterval, SearchBase, StrOptions, search_context
from skbamm.criteria import NAMES as CRITERIA
from skbamm.data.array_inputs import in_native_order, reading
from skbamm.data.matrices import check_device
from skbamm.progress import shown
from skbamm.sample_weights import SampleWeights
from skbamm.search.earlier import Earlier
from skbamm.search.fitting import Fitting
from skbamm.search.fold_models import METHODS, publish_folds
from skbamm.search.presolved import users_own
from skbamm.search.report import say_how_sure
from skbamm.search.results import Results
from skbamm.search.summary import as_html, as_text
from skbamm.search.vectors_found import publish_vector
from skbamm.search.weighing.found import withdraw
from skbamm.versioned import Versioned


class BAMMSearchCV(Versioned, Results, SearchBase):
    """Search over hyperparameters by bi-level optimisation, with cross-validation.

    A drop-in replacement for :class:`sklearn.model_selection.GridSearchCV`. Regularisation
    parameters of the supported models are upper-level variables, the coefficients of all folds
    are lower-level variables, and sl-BAMM [1]_ optimises both in one loop. Lists of their values
    are solved jointly, with GridSearchCV's table of results. Everything else is enumerated as in
    GridSearchCV, except that a pipeline's transformers are fitted once in each fold for all
    values that share them.

    Parameters
    ----------
    estimator : estimator object
        Supported: Ridge, RidgeClassifier, Lasso, LassoLars, PoissonRegressor, GammaRegressor,
        TweedieRegressor (``alpha``), ElasticNet (``alpha``, ``l1_ratio``), LogisticRegression
        (``C``, and with ``solver="saga"`` ``l1_ratio``), LinearSVC (``C``), LinearSVR (``C``,
        ``epsilon``), HuberRegressor (``alpha``, ``epsilon``), QuantileRegressor (``alpha``),
        SGDClassifier and SGDRegressor with their own losses (``alpha``, ``l1_ratio``), KernelRidge
        with kernels "rbf", "laplacian", "chi2" and "poly" (``alpha``, ``gamma``) and "linear",
        "cosine" and "precomputed" (``alpha``), SVC, SVR, NuSVC and NuSVR alone or at the end of a
        pipeline (``C``, ``epsilon``, ``nu``, ``gamma``, ``coef0``), and what
        :func:`skbamm.register_model` adds, alone, in a OneVsRestClassifier (linear classifiers),
        MultiOutputRegressor (squared errors) or TransformedTargetRegressor, or as the last step of
        a Pipeline, there also ``gamma`` of Nystroem and RBFSampler right before a linear model.
        Any other estimator works with lists; intervals of ``var_smoothing``, ``shrinkage`` and
        others that have no derivative, and of support vector machines inside of other estimators,
        are judged by the scorer.
    param_grid : dict or list of dict
        Parameter names, with the prefix ``step__`` for those of a step, and their values:

        - a list or array: these values;
        - a tuple of two numbers, the lower first, or an :class:`skbamm.Interval`: the interval
          between them; an error if the parameter cannot be searched;
        - a frozen continuous scipy distribution of finite support: its support; likewise skrub's
          ``choose_float`` and Optuna's ``FloatDistribution``;
        - for the parameter that scales the penalty of a linear model (``alpha``, ``C``),
          :class:`skbamm.PerFeature`, :class:`skbamm.PerGroup` or :class:`skbamm.PerClass`: a value
          for each feature, group of features or class; the last also for ``class_weight``.

        With lists and an interval, the interval is searched for each combination of the lists.
    sample_weights : SampleWeights, default=None
        Learn the weights of the training rows, and which labels are wrong.
    scoring : str, callable, list, tuple or dict, default=None
        As for GridSearchCV. The search minimises ``criterion``; the scorer selects the result.
    criterion : str, default="auto"
        Differentiable loss on the validation rows. "auto" is the scorer's own loss if it has one,
        and a surrogate otherwise: for scores of labels and ranks a log loss that does not depend
        on how confident the model is, else the estimator's own; ``verbose=1`` names it. With
        ``sample_weights`` it is a bounded one. The names are

        - of class labels: "log_loss", "brier", and "balanced_log_loss" and "balanced_brier", in
          which all classes have equal weight; for two classes "pairwise_logistic", the log loss
          of pairs of rows, for the ROC AUC (not a sum over rows: a second pass over X);
        - of margins with a free scale in each fold: "scaled_log_loss",
          "balanced_scaled_log_loss", and for two classes "scaled_pairwise_logistic";
        - for RidgeClassifier: "squared_error", "balanced_squared_error";
        - for regression: "squared_error", "r2", "root_mean_squared_error", and "absolute_error",
          "absolute_percentage_error" and "pinball", all three smoothed below 0.003 of the
          target's spread. The quantile of "pinball" is the scorer's, else the median;
        - for positive targets: these and "deviance", with the scorer's power, else the model's;
        - "squared_hinge", and "own_loss" for models whose loss has no other name;
        - bounded losses, which wrong labels hardly affect: "expected_error",
          "balanced_expected_error", and "bounded_squared_error" (Ridge).
    n_jobs : int, default=None
        Processes for scikit-learn's own fits. Joint solves use torch's threads, and solved models
        are scored in this process.
    refit : bool, str or callable, default=True
        As for GridSearchCV. The refit is the estimator's own ``fit``, warm-started if possible.
        Models that were searched on a GPU are solved there on all rows, to the estimator's ``tol``,
        and adopted; with a single score, "own" uses the estimator's own fit there as well.
        Predefined callables are :func:`skbamm.one_standard_error` and
        :func:`skbamm.most_regularised`; they set ``best_score_`` too.
    cv : int, cross-validation generator or iterable, default=None
        As for GridSearchCV. Splits are drawn once.
    verbose : int, default=0
        As for GridSearchCV; from 1 on, each phase of the search prints a line, and what takes long
        shows a bar with its best value and the time left (in terminals and notebooks, with tqdm or
        rich) or a line every ten seconds. scikit-learn's callbacks see the search as two tasks,
        "solve" and "score", wherever models are solved. Vectors are
        never printed whole: with one, scikit-learn's lines of single fits are left out.
    pre_dispatch : int or str, default="2*n_jobs"
        As for GridSearchCV.
    error_score : "raise" or float, default=np.nan
        As for GridSearchCV.
    return_train_score : bool, default=False
        As for GridSearchCV.
    return_estimator : bool, default=False
        Keep the best candidate's model of each split, in ``fold_estimators_``. Models that were
        solved cost nothing; others are fitted once more.
    return_oof : bool or str, default=False
        Keep what these models predict for the rows that they did not see, in
        ``oof_predictions_``. True is "predict"; other methods are "predict_proba",
        "predict_log_proba" and "decision_function".
    max_iter : int, default=100
        Most iterations of one search over an interval.
    tol : float, default=1e-4
        Bound on the relative KKT residuals at which such a search has converged.
    max_time : float, default=None
        Seconds after which every stage of the search stops with the best result so far; a
        ConvergenceWarning names the stages. The result is still scored and refitted;
        scikit-learn's own fits are not interrupted.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", ...; "auto" is where X is, or a GPU if there is one and X is
        large.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of the search. Models that are scored are always solved in float64.
    random_state : int, RandomState instance or None, default=None
        Reserved for strategies that draw random numbers; none does yet.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, \
refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_
        As for GridSearchCV; ``mean_fit_time`` of the first candidate counts transformers that
        several candidates share. An interval has a row for each combination of the lists, the
        "refined" point, and other rows, which the column "stage" names: if the criterion is a
        surrogate, or no criterion because the scorer judges the interval, a "scan" over it and
        "finer" points around the best; for a vector, its
        "start"; of support vector machines the points that were "visited"; with
        ``refit=one_standard_error``, a "profile" around the refined point. If a score
        counts rows, ``best_index_`` is the middle one of the values whose scores differ by less
        than one row.
    refit_adopted_ : bool
        Whether ``best_estimator_`` has the minimum that was solved for and not what its own fit
        if it was solved on a GPU, or if its own fit ended far from what was scored,
        which a ConvergenceWarning reports too.
    best_score_standard_error_ : float
        Standard error of ``best_score_`` over the splits.
    best_params_range_ : dict of str -> (float, float)
        Smallest and largest value whose score is within one standard error of the highest, among
        candidates that differ from it in this parameter only. For hyperparameters of supported
        models in lists, and in intervals with ``refit=one_standard_error``.
    search_plan_ : list of dict
        One row for each parameter: "parameter", "role" ("searched", "joint grid",
        "shared fits" or "enumerated"), "low", "high", "scale" and "reason" (why own fits were used,
        if they were).
    shrinkage_ : dict
        For a vector: "parameter", "names" of its entries and, for each amount of shrinkage from one
        value for all to hardly any, "spread" and "freedom" (the factors of the two added terms,
        see :doc:`/many_penalties`), "values", "criterion" on the splits, "score": the criterion on
        held-out rows, one for each outer split, and "chosen", the number of the selected point;
        and "left", the share of its degrees of freedom that each entry keeps.
    dropped_ : list of str
        Names of the entries of a vector that keep less than a hundredth, or whose penalty is at
        the strong end of its interval: features or groups that the model does not use.
    history_ : dict of ndarray
        One entry for each iteration: "seconds", "criterion", "kkt_residual" and each searched
        parameter in its own units. Empty for lists.
    n_iter_ : int
        Iterations of the longest search; 1 if nothing was searched.
    converged_ : bool
        Whether every search over an interval met ``tol``, or 1e-2 with a surrogate, and every
        value of jointly solved lists is solved. False if own fits were used for an interval.
    device_ : str
        The device that the models were solved on.
    fold_estimators_ : list of estimator
        Only with ``return_estimator``: one for each split, None where its fit fails.
    oof_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_classes or n_outputs)
        Only with ``return_oof``: what cross_val_predict returns for the best values and the same
        splits. A row that several splits test has the mean of their predictions, and of labels
        the most frequent; a row that none tests has NaN. Class columns are those of the sorted
        classes. A list of arrays where the method gives one for each output.
    sample_weight_ : ndarray of shape (n_samples,)
        Only with ``sample_weights``, like the attributes below: the weights of the final fit. Their
        mean is one, or that of the ``sample_weight`` given to fit, which multiplies them.
    label_quality_ : ndarray of shape (n_samples,)
        Probability, in [0, 1], that the given label is right, from models that did not see it; one
        for trusted rows. For a regression target, the probability that it is not an outlier.
    label_issues_ : ndarray of bool of shape (n_samples,)
        Whether that probability is below one half.
    fold_sample_weight_ : ndarray of shape (n_samples, n_splits)
        The weights of each split's training rows, learned without its test rows: the scores in
        ``cv_results_`` belong to models whose weights saw no test label.
    weights_params_ : dict
        The kind and the prior of the weights; what is used of them ("weights": "learned", "pruned"
        or "none"), the reason, and the evidence for wrong labels in nats.
    weights_score_ : float
        ``best_score_``: a score of the weights as well, since each fold is scored with weights
        learned without it. NaN where several metrics without ``refit`` leave none.

    References
    ----------
    .. [1] Liu, Liu, Yao, Zeng, Zhang, "Averaged Method of Multipliers for Bi-Level Optimization
       without Lower-Level Strong Convexity", ICML 2023, arXiv 2302.03407.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbamm import BAMMSearchCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression())
    >>> search = BAMMSearchCV(
    ...     model, {"logisticregression__C": (1e-4, 1e4)}, scoring="neg_log_loss"
    ... ).fit(X, y)
    >>> round(float(search.best_score_), 3)
    -0.079
    """

    _parameter_constraints: dict = {
        **SearchBase._parameter_constraints,
        "sample_weights": [SampleWeights, None],
        "return_estimator": ["boolean"],
        "return_oof": ["boolean", StrOptions(set(METHODS))],
        "criterion": [StrOptions({"auto", *CRITERIA})],
        "max_iter": [RealInterval(Integral, 1, None, closed="left")],
        "tol": [RealInterval(Real, 0, None, closed="neither")],
        "max_time": [RealInterval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "random_state": ["random_state"],
    }

    estimator: Any  # GridSearchCV's
    _earlier: Earlier | None = None  # while resume runs
    _seen: tuple[int | None, str] = (None, "")  # a hash of the training data

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        sample_weights: SampleWeights | None = None,
        scoring: Any = None,
        criterion: str = "auto",
        n_jobs: int | None = None,
        refit: bool | str | Callable[[dict[str, Any]], int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        return_estimator: bool = False,
        return_oof: bool | str = False,
        max_iter: int = 100,
        tol: float = 1e-4,
        max_time: float | None = None,
        device: str = "auto",
        dtype: str = "auto",
        random_state: Any = None,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.sample_weights = sample_weights
        self.return_estimator = return_estimator
        self.return_oof = return_oof
        self.criterion = criterion
        self.max_iter = max_iter
        self.tol = tol
        self.max_time = max_time
        self.device = device
        self.dtype = dtype
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, **params: Any) -> BAMMSearchCV:
        """Search, score and refit.

        Parameters
        ----------
        X : array-like, sparse matrix or tensor of shape (n_samples, n_features)
            Rows, in any form that the estimator takes. Torch tensors (sparse ones, too) and other
            arrays of the array API are read like NumPy arrays, if a model can be solved or shared.
            Rows on a GPU stay there if all models are linear, with one of scikit-learn's scalers
            at most: own fits and users' scorers get copies of what they need.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target.
        **params : dict of str -> object
            As for GridSearchCV: ``groups`` for the splitter (and for weights of groups),
            ``sample_weight`` and others for the estimator and the scorer.

        Returns
        -------
        object
            The fitted search itself.
        """
        self._validate_params()
        check_device(self.device)
        self._fitting = fitting = Fitting(self)
        try:
            X, y = in_native_order(X), in_native_order(y)
            params = {name: in_native_order(value) for name, value in params.items()}
            inputs = fitting.read(X, y, params)
            if inputs is not None:
                X, y, params = inputs.X, inputs.y, inputs.params
            if fitting.weigher is not None:
                params = fitting.weigher.take_groups(X, y, self.cv, params)
            fitting.begin(self)
            with reading(inputs), shown(self.verbose > 0, fitting.step):
                super().fit(X, y, **params)
                publish_folds(self, fitting, inputs)
            if fitting.needs_stand_in:
                if self.refit:
                    self.best_estimator_ = users_own(self.best_estimator_)
                self.estimator, self.scoring = fitting.estimator, fitting.scoring
                scorers, _ = self._get_scorers()  # the default one holds the estimator
                self.scorer_ = getattr(scorers, "_scorers", scorers)
            if inputs is not None and self.refit:
                self.best_estimator_ = inputs.returned(self.best_estimator_)
        finally:
            fitting.end(self)
            del self._fitting
        self._seen = fitting.seen
        space, outcome, clock = fitting.space, fitting.outcome, fitting.clock
        self.search_plan_ = space.plan
        self.history_ = outcome.columns()
        self.n_iter_, self.device_ = outcome.n_iter, outcome.device
        self.converged_ = outcome.converged and not (clock.interrupted or clock.ended)
        self.refit_adopted_ = bool(outcome.refit_adopted) or outcome.solved_there
        publish_vector(self, space, outcome)
        say_how_sure(self, space)
        withdraw(self)
        if fitting.found is not None:
            fitting.found.publish(self)
        outcome.tell()
        clock.tell()
        return self

    def resume(self, X: Any, y: Any = None, **params: Any) -> BAMMSearchCV:
        """Go on from a fitted search, with more time, other values or another scorer.

        Set what is to be different by ``set_params``, and call it in place of ``fit``. A search
        of intervals begins at the best values found, moved into them, and scores these again. Rows
        of ``cv_results_`` stay if the rows, the target, the splits, the estimator and the scorer
        are the same; values of lists among them are not fitted again, except the best.

        Parameters
        ----------
        X : array-like, sparse matrix or tensor of shape (n_samples, n_features)
            As for ``fit``, with as many features.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target.
        **params : dict of str -> object
            As for ``fit``.

        Returns
        -------
        object
            The fitted search itself.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If X has another number of features.

        Notes
        -----
        ``history_``, ``n_iter_`` and ``search_plan_`` are those of the last search. Splitters that
        shuffle need a fixed ``random_state`` for their splits to be the same.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import Ridge
        >>> from skbamm import BAMMSearchCV
        >>> X, y = load_diabetes(return_X_y=True)
        >>> search = BAMMSearchCV(Ridge(), {"alpha": [1.0, 10.0]}).fit(X, y)
        >>> search = search.set_params(param_grid={"alpha": [0.01, 0.1, 1.0, 10.0]}).resume(X, y)
        >>> [params["alpha"] for params in search.cv_results_["params"]]
        [0.01, 0.1, 1.0, 10.0]
        """
        self._earlier = Earlier(self)
        try:
            self._earlier.check(X)
            return self.fit(X, y, **params)
        finally:
            del self._earlier

    def report(self) -> str:
        """Say in plain text what was found, how, and how sure it is.

        Returns
        -------
        str
            Lines of at most some 80 letters, for names and values of usual length.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        """
        check_is_fitted(self, "cv_results_")
        return as_text(self)

    def _repr_html_inner(self):
        # In notebooks the summary stands above scikit-learn's diagram.
        summary = as_html(self) if hasattr(self, "search_plan_") else ""
        return summary + estimator_html_repr(self)

    def _repr_mimebundle_(self, **kwargs):
        bundle = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            bundle["text/html"] = self._repr_html_inner()
        return bundle

    def _get_routed_params_for_fit(self, params):
        return self._fitting.route(super()._get_routed_params_for_fit(params))

    def _init_callback_context(self, *args, **kwargs):
        # From scikit-learn 1.9 on: the solve comes before ``_run_search`` is given the context.
        self._fitting.context = super()._init_callback_context(*args, **kwargs)
        return self._fitting.context

    def _check_input_parameters(self, X, y, split_params):
        """Take up the data: ``_run_search`` gets none."""
        self._fitting.take_up(self, X, y, split_params)

    def _format_results(self, candidate_params, n_splits, out, more_results=None):
        """Return ``cv_results_``, with the candidates that our own loop has scored."""
        self._fitting.add_rows(candidate_params, out, more_results)
        return super()._format_results(candidate_params, n_splits, out, more_results)

    def _select_best_index(self, refit, refit_metric, results):
        """Return the row to refit; for an interval, the middle of rows with equal scores."""
        if not callable(refit):
            index = self._fitting.best_index(results)
            if index is not None:
                return np.int64(index)
        return super()._select_best_index(refit, refit_metric, results)

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        """Score the candidates."""
        self._fitting.score(self, evaluate_candidates, search_context(callback_ctx))
