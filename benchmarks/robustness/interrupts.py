"""Ctrl-C at random moments of searches of every kind: what the user is left with, and how soon.

A search is to end within two seconds, fitted with the best that was found so far, ``converged_``
False and a warning; or with the interrupt itself, where nothing had been found.

    python -m benchmarks.robustness.interrupts [--moments 30] [--seed 0] [name ...]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import ElasticNet, HuberRegressor, Lasso, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from skbamm import BAMMSearchCV, PerFeature, SampleWeights

SOON = 2.0  # seconds
LIST = np.logspace(-3, 3, 20).tolist()
WEIGHTS = ["uniform", "distance"]


def no_score(estimator, X, y):
    """Take some time, so that most interrupts fall into the scoring."""
    estimator.predict(X)
    time.sleep(0.005)
    return 0.5


def searches():
    """Return searches of every kind by name, and the data of each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 20))
    z = X @ rng.normal(size=20)
    number = z + 3 * rng.normal(size=1000)
    label = (z + 3 * rng.logistic(size=1000) > 0).astype(int)
    three = np.digitize(z + 3 * rng.logistic(size=1000), [-3, 3])
    wide = rng.normal(size=(300, 400))
    sparse = wide[:, :5].sum(1) + rng.normal(size=300)
    logistic = LogisticRegression(max_iter=1000)
    pipeline = make_pipeline(StandardScaler(), logistic)
    shuffled = make_pipeline(Nystroem(n_components=50), logistic)  # at random: nothing is shared
    forest = RandomForestClassifier(n_estimators=50, random_state=0)
    few, of_few = X[:300], label[:300]
    return {
        "interval, logistic": (logistic, {"C": (1e-3, 1e3)}, {}, X, three),
        "interval, pipeline": (pipeline, {"logisticregression__C": (1e-3, 1e3)}, {}, X, label),
        "interval, lasso": (Lasso(), {"alpha": (1e-3, 1.0)}, {}, wide, sparse),
        "two intervals, elastic net": (
            ElasticNet(), {"alpha": (1e-3, 1.0), "l1_ratio": (0.1, 1.0)}, {}, wide, sparse,
        ),
        "two intervals, Huber": (
            HuberRegressor(), {"alpha": (1e-3, 1e3), "epsilon": (1.1, 3.0)}, {}, X, number,
        ),
        "vector, ridge": (Ridge(), {"alpha": PerFeature(1e-2, 1e4)}, {}, X, number),
        "vector, logistic": (logistic, {"C": PerFeature(1e-4, 1e2)}, {}, X[:500], label[:500]),
        "weights, logistic": (
            logistic, {"C": (1e-3, 1e2)}, {"sample_weights": SampleWeights()}, X, label,
        ),
        "weights, ridge": (
            Ridge(), {"alpha": (1e-2, 1e4)}, {"sample_weights": SampleWeights()}, X, number,
        ),
        "list, logistic": (logistic, {"C": LIST}, {}, X, three),
        "list, lasso": (Lasso(), {"alpha": LIST[:10]}, {}, wide, sparse),
        "lists and interval": (
            pipeline,
            {"logisticregression__C": (1e-3, 1e3), "standardscaler__with_mean": [True, False]},
            {}, X, label,
        ),
        "interval, unshared pipeline": (
            shuffled, {"logisticregression__C": (1e-3, 1e3)}, {}, X, label,
        ),
        "list, unshared pipeline": (shuffled, {"logisticregression__C": LIST}, {}, X, label),
        "list, its own scorer": (logistic, {"C": LIST}, {"scoring": no_score}, X, label),
        "interval, SVC": (SVC(), {"C": (1e-2, 1e2), "gamma": (1e-3, 1e0)}, {}, few, of_few),
        "interval, SVR": (SVR(), {"C": (1e-2, 1e2)}, {}, few, number[:300]),
        "list, SVC": (SVC(), {"C": LIST[5:15], "gamma": [1e-3, 1e-2, 1e-1]}, {}, few, of_few),
        "list, neighbours": (
            KNeighborsClassifier(), {"n_neighbors": [1, 3, 5, 9, 15], "weights": WEIGHTS},
            {}, X, label,
        ),
        "list, naive Bayes": (GaussianNB(), {"var_smoothing": LIST}, {}, X, label),
        "list, forest": (forest, {"n_estimators": [10, 20, 50]}, {}, few, of_few),
    }  # fmt: skip


def fit(model, grid, options, X, y):
    """Fit a search of default folds."""
    return BAMMSearchCV(model, grid, cv=5, **options).fit(X, y)


def interrupted(case, after: float) -> tuple[str, float]:
    """Press Ctrl-C some seconds after a search began; return what came of it, and how late."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer, late, search = threading.Timer(after, press), 0.0, None
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            timer.start()
            search = fit(*case)
            ended = time.perf_counter()
        timer.cancel()
        timer.join()
        outcome = "kept"
    except KeyboardInterrupt:
        ended, outcome = time.perf_counter(), "raised" if search is None else "over"
    except Exception as error:
        ended, outcome = time.perf_counter(), f"{type(error).__name__}: {error}"
    if not pressed or (search is not None and pressed[0] >= ended):
        return "over", 0.0
    late = ended - pressed[0]
    if outcome == "kept":
        predicted = search.predict(case[3])
        warned = any("interrupted by the user" in str(w.message) for w in told)
        if search.converged_ or not warned or not np.isfinite(search.best_score_):
            outcome = "kept, but not told"
        elif predicted.shape != case[4].shape:
            outcome = "not fitted"
    return outcome, late


def main(moments: int = 30, seed: int = 0, names: list[str] | None = None) -> int:
    """Print what came of it; return how many were not as they should be."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background
    rng, wrong = np.random.default_rng(seed), 0
    print(f"{'':28}  whole   kept  raised  over  latest  else")
    for name, case in searches().items():
        if names and not any(part in name for part in names):
            continue
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit(*case)
            seconds.append(time.perf_counter() - began)
        whole = min(seconds)
        found = [interrupted(case, after) for after in rng.uniform(0, whole, moments)]
        count, latest = Counter(outcome for outcome, _ in found), max(late for _, late in found)
        other = {what: n for what, n in count.items() if what not in ("kept", "raised", "over")}
        print(
            f"{name:28} {whole:5.2f} s {count['kept']:5} {count['raised']:7} {count['over']:5} "
            f"{latest:5.2f} s  {other or ''}"
        )
        wrong += sum(other.values()) + sum(late > SOON for _, late in found)
    print(f"{wrong} not as they should be")
    return wrong


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--moments", type=int, default=30, help="interrupts of each search")
    options.add_argument("--seed", type=int, default=0, help="draws the moments")
    options.add_argument("names", nargs="*", metavar="name", help="parts of the searches' names")
    chosen = options.parse_args()
    sys.exit(bool(main(chosen.moments, chosen.seed, chosen.names)))
