"""Pipelines as people write them, beside GridSearchCV with and without a cache.

An interval and the same range as a list of 20 values; GridSearchCV of the list, with
``memory=`` as well, and the pipeline that ends in a LogisticRegressionCV (transformers fitted
once, on all rows). On one thread, in turns; CPU seconds count, these machines being noisy.
``--only PART ...`` runs those whose names contain one of the parts; ``--scale 0.1`` a tenth of
the rows.
"""

import json
import shutil
import tempfile
import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from benchmarks.cases import uses_data as data
from benchmarks.cases.uses import Use, columns, imputed
from benchmarks.everyday.uses import KINDS, beside
from benchmarks.lib.cpu_turns import in_turns
from benchmarks.lib.harness import RESULTS, equal_threads, parser, write
from skbamm import BAMMSearchCV

VALUES, ROUNDS, ENOUGH, MOST = 20, 3, 60.0, 240.0
RIVALS = {
    "grid": "`GridSearchCV`",
    "cached grid": "with `memory=`",
    "path": "`LogisticRegressionCV(Cs=20)`",
}


def pipelines(scale: float) -> list[Use]:
    """The pipelines, with as many rows by ``scale``."""

    def rows(count: int) -> int:
        return max(300, int(scale * count))

    def use(name, make, estimator, low, high, scoring=None, ends=True, **named) -> Use:
        (parameter,) = named or ("C",)
        values = {parameter: np.geomspace(low, high, VALUES)}
        return Use(name, make, estimator, values, {parameter: (low, high)} if ends else {}, scoring)

    logistic = LogisticRegression(max_iter=1000)
    n = rows(30000)
    few = rows(5000)
    return [
        use("mixed columns, one-hot, 30,000 rows", partial(data.mixed, n),
            make_pipeline(columns(), logistic), 1e-4, 1e2),
        use("mixed columns with missing values, 20,000 rows", partial(data.mixed, rows(20000), 0.1),
            make_pipeline(imputed(), logistic), 1e-4, 1e2),
        use("scaled, 200,000 x 100", partial(data.classes, rows(200000), 100),
            make_pipeline(StandardScaler(), logistic), 1e-4, 1e4),
        use("TF-IDF, 5,000 texts, 2 classes", partial(data.words, few, 2),
            make_pipeline(TfidfVectorizer(), logistic), 1e-2, 1e3),
        use("TF-IDF, 5,000 texts, 20 classes", partial(data.words, few, 20),
            make_pipeline(TfidfVectorizer(min_df=2), logistic), 1e-2, 1e3),
        use("TF-IDF, 5,000 texts, MultinomialNB", partial(data.words, few, 2),
            make_pipeline(TfidfVectorizer(), MultinomialNB()), 1e-3, 1e1, ends=False, alpha=1),
        use("polynomials, Ridge, 10,000 x 12", partial(data.curve, rows(10000), 12),
            make_pipeline(PolynomialFeatures(2), StandardScaler(), Ridge()), 1e-2, 1e4, alpha=1),
        use("splines, logistic, 10,000 x 12", partial(data.classes, rows(10000), 12),
            make_pipeline(SplineTransformer(8), logistic), 1e-3, 1e3),
        use("k-bins, one-hot, 10,000 x 20", partial(data.classes, rows(10000), 20),
            make_pipeline(KBinsDiscretizer(8, quantile_method="averaged_inverted_cdf"), logistic),
            1e-4, 1e2),
        use("scaled, PCA 20, 20,000 x 60", partial(data.classes, rows(20000), 60),
            make_pipeline(StandardScaler(), PCA(20, random_state=0), logistic), 1e-4, 1e2),
    ]  # fmt: skip


def measure(use: Use, rounds: int) -> dict[str, Any]:
    """Return what the searches of a pipeline took, and the scores of their models."""
    sample, cache = use.make(), tempfile.mkdtemp()

    def cached() -> Any:
        shutil.rmtree(cache)  # each round fits the transformers anew
        model = use.model().set_params(memory=cache)
        return GridSearchCV(model, use.grid, scoring=use.scoring)

    def path() -> Any:
        (values,) = use.grid.values()
        last = LogisticRegressionCV(
            Cs=values, max_iter=1000, l1_ratios=(0,), use_legacy_attributes=False
        )
        return clone(use.estimator).set_params(**{use.estimator.steps[-1][0]: last})

    searches = {
        "grid": lambda: GridSearchCV(use.model(), use.grid, scoring=use.scoring),
        "cached grid": cached,
        "list": lambda: BAMMSearchCV(use.model(), use.grid, scoring=use.scoring),
    }
    if use.ends:
        searches["interval"] = lambda: BAMMSearchCV(use.model(), use.interval, scoring=use.scoring)
    if isinstance(use.estimator.steps[-1][1], LogisticRegression):
        searches["path"] = path
    record = in_turns(
        searches, sample.X, sample.y, rounds=rounds, enough=ENOUGH, limits=lambda *known: MOST
    )
    shutil.rmtree(cache, ignore_errors=True)
    score = check_scoring(use.estimator, scoring=use.scoring)
    found: dict[str, Any] = {"searches": record, "rows": len(sample.y)}
    for one in record.values():
        search = one.pop("search")
        if search is not None:
            model = getattr(search, "best_estimator_", search)
            one["fresh"] = float(score(model, sample.X_fresh, sample.y_fresh))
    for kind in KINDS:
        if kind in record:
            found[kind] = beside(record["grid"], record[kind], use)
    return found


def main() -> int:
    options = parser(__doc__, rounds=ROUNDS)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of pipelines")
    options.add_argument("--scale", type=float, default=1.0, help="of the rows")
    given = options.parse_args()
    folder = given.output or RESULTS
    known = folder / "pipelines.json"
    content = json.loads(known.read_text()) if given.only and known.exists() else {}
    found: dict[str, Any] = content.get("pipelines", {})
    with equal_threads(1, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for use in pipelines(given.scale):
            if given.only and not any(part in use.name for part in given.only):
                continue
            found[use.name] = one = measure(use, given.rounds)
            took = ", ".join(f"{name} {one_of['cpu']:.2f} s" for name, one_of in
                             one["searches"].items())  # fmt: skip
            times = ", ".join(
                f"{kind} {one[kind]['cpu']:.2f}x {one[kind].get('difference', 0):+.4f}"
                for kind in KINDS if kind in one
            )  # fmt: skip
            print(f"{use.name}: {took}: {times}", flush=True)
    if given.scale == 1.0 or given.output:
        write("pipelines", {"rivals": RIVALS, "pipelines": found}, threads=1, output=given.output)
    slow = [n for n, one in found.items() for k in KINDS if k in one and one[k]["cpu"] < 1.0]
    return int(bool(slow))


if __name__ == "__main__":
    raise SystemExit(main())
