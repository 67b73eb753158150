"""A penalty for each group or feature, beside one for all, on problems whose truth is known.

Features and noise are normal, the noise such that the true coefficients have an R2 of .8. In
"blocks" three of ten equal groups have coefficients, in "sparse" a tenth of the features, in
"dense" all of them, and in "noise" y has nothing to do with X; groups are drawn at random in the
last two, so there is nothing for them to find. Every method sees the same rows, and chooses by 5
folds of them; R2 is of 5,000 fresh rows, and no choice is made on these. Differences are of the
same seeds, with 95 % intervals. The oracle knows which features have coefficients, the variance
of these and that of the noise: the ridge regression that no other can beat on average.

Bars: in "blocks" groups are within .01 of the oracle, and above every rival; in "blocks" and
"sparse" single features are above RidgeCV, and at most .01 below the better of it and LassoCV; in
"noise" and "dense" the mean is at most .005 below RidgeCV's.
``python -m benchmarks.penalties.known blocks_400 --seeds 3`` tries one problem and writes nothing.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LassoCV, Ridge, RidgeCV
from sklearn.metrics import r2_score

from benchmarks.lib.harness import equal_threads, parser, write
from benchmarks.lib.paired import difference
from skbamm import BAMMSearchCV, EdgeWarning, PerFeature, PerGroup

CV, SEEDS, FRESH, R2 = 5, 20, 5_000, 0.8
GROUPS, ACTIVE_GROUPS, ACTIVE_SHARE = 10, 3, 0.1
LOW, HIGH, VALUES = 1e-3, 1e4, 36  # ends of all intervals, times the rows; five values a decade
L1_RATIOS = (0.1, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)
NEAR_ORACLE, NEAR_BEST, NEAR_RIDGE = -0.01, -0.01, -0.005


@dataclass(frozen=True)
class Problem:
    """One draw.

    Attributes
    ----------
    X, y, X_test, y_test : ndarray
    groups : ndarray of shape (p,)
        A label for each feature.
    active : ndarray of bool of shape (p,)
        Which features have coefficients, of variance one.
    noise : float
        Variance of the noise.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    groups: np.ndarray
    active: np.ndarray
    noise: float


def draw(kind: str, n: int, p: int, rng: np.random.Generator) -> Problem:
    """Draw a problem of a kind."""
    groups = np.repeat(np.arange(GROUPS), p // GROUPS)
    if kind == "blocks":
        active = groups < ACTIVE_GROUPS
    elif kind == "sparse":
        active = np.arange(p) < round(ACTIVE_SHARE * p)
    else:
        active = np.full(p, kind == "dense")
        groups = rng.permutation(groups)
    coef = np.where(active, rng.standard_normal(p), 0.0)
    noise = coef @ coef * (1 - R2) / R2 or 1.0
    X = rng.standard_normal((n + FRESH, p))
    y = X @ coef + np.sqrt(noise) * rng.standard_normal(n + FRESH)
    return Problem(X[:n], y[:n], X[n:], y[n:], groups, active, noise)


class Oracle:
    """Ridge regression with the true penalties: none but those of active features are finite."""

    def __init__(self, problem: Problem):
        self.active, self.model = problem.active, Ridge(alpha=problem.noise)

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Oracle":
        self.model.fit(X[:, self.active], y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.model.predict(X[:, self.active])


def ends(problem: Problem) -> tuple[float, float]:
    return len(problem.y) * LOW, len(problem.y) * HIGH


def search(alpha: Any) -> BAMMSearchCV:
    return BAMMSearchCV(Ridge(), {"alpha": alpha}, cv=CV)


METHODS: dict[str, Callable[[Problem], Any]] = {
    "groups": lambda p: search(PerGroup(*ends(p), p.groups)),
    "features": lambda p: search(PerFeature(*ends(p))),
    "RidgeCV": lambda p: RidgeCV(np.geomspace(*ends(p), VALUES), cv=CV),
    "LassoCV": lambda p: LassoCV(cv=CV),
    "ElasticNetCV": lambda p: ElasticNetCV(cv=CV, l1_ratio=L1_RATIOS),
    "oracle": Oracle,
}
RIVALS = ("RidgeCV", "LassoCV", "ElasticNetCV")


@dataclass(frozen=True)
class Design:
    """A kind of problem, its size, and which of our two searches it is for."""

    kind: str
    n: int
    p: int
    ours: tuple[str, ...]

    def methods(self) -> tuple[str, ...]:
        oracle = () if self.kind == "noise" else ("oracle",)
        return (*self.ours, *RIVALS, *oracle)


BOTH = ("groups", "features")
DESIGNS = {
    "blocks_300": Design("blocks", 300, 100, BOTH),
    "blocks_400": Design("blocks", 400, 200, BOTH),
    "sparse_300": Design("sparse", 300, 100, ("features",)),
    "sparse_400": Design("sparse", 400, 200, ("features",)),
    "noise": Design("noise", 300, 100, BOTH),
    "dense": Design("dense", 300, 100, BOTH),
}


def measure(design: Design, seeds: int, random_state: int) -> dict[str, np.ndarray]:
    """R2 of every method on fresh rows, one entry a seed."""
    found: dict[str, list[float]] = {name: [] for name in design.methods()}
    for seed in range(seeds):
        problem = draw(design.kind, design.n, design.p, np.random.default_rng([random_state, seed]))
        for name, scores in found.items():
            model = METHODS[name](problem).fit(problem.X, problem.y)
            scores.append(r2_score(problem.y_test, model.predict(problem.X_test)))
        said = ", ".join(f"{name} {scores[-1]:.3f}" for name, scores in found.items())
        print(f"  seed {seed}: {said}", flush=True)
    return {name: np.array(scores) for name, scores in found.items()}


def bars(kind: str, ours: str, other: str, better: str) -> dict[str, tuple[str, float]]:
    """The bars of a difference: what is said of it, and which end or mean must reach what."""
    above = {"above": ("low", 0.0)}
    if kind in ("noise", "dense"):
        return _near(NEAR_RIDGE) if other == "RidgeCV" else {}
    if ours == "groups":
        return _near(NEAR_ORACLE) if other == "oracle" else above
    return (above if other == "RidgeCV" else {}) | (_near(NEAR_BEST) if other == better else {})


def _near(least: float) -> dict[str, tuple[str, float]]:
    return {f"mean >= {least}": ("mean", least)}


def judge(design: Design, scores: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The differences of our searches, and the bars that some of them have."""
    better = max(("RidgeCV", "LassoCV"), key=lambda name: scores[name].mean())
    found = []
    for ours in design.ours:
        for other in design.methods()[len(design.ours) :]:
            gap = difference(scores[ours], scores[other])
            low, high = gap["interval"]
            has = {"mean": gap["mean"], "low": low}
            passes = {
                text: has[what] >= least
                for text, (what, least) in bars(design.kind, ours, other, better).items()
            }
            found.append({"ours": ours, "other": other, **gap, "bars": passes})
            said = ", ".join(f"{'meets' if ok else 'MISSES'} {text}" for text, ok in passes.items())
            print(f"  {ours} - {other}: {gap['mean']:+.4f} [{low:+.4f}, {high:+.4f}] {said}")
    return found


def main() -> int:
    arguments = parser(__doc__, rounds=None)
    arguments.set_defaults(threads=1)
    arguments.add_argument(
        "designs", nargs="*", metavar="design", help=f"of {', '.join(DESIGNS)}; all by default"
    )
    arguments.add_argument("--seeds", type=int, default=SEEDS)
    arguments.add_argument("--random-state", type=int, default=0, help="what the seeds grow from")
    options = arguments.parse_args()
    if unknown := set(options.designs) - set(DESIGNS):
        arguments.error(f"no such design: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", ConvergenceWarning)  # of the path solvers' weakest penalties
    warnings.simplefilter("ignore", EdgeWarning)
    passes = True
    for name in options.designs or DESIGNS:
        design = DESIGNS[name]
        print(f"{design.kind} {design.n} x {design.p}", flush=True)
        with equal_threads(options.threads, None):
            scores = measure(design, options.seeds, options.random_state)
        differences = judge(design, scores)
        passes &= all(ok for entry in differences for ok in entry["bars"].values())
        if options.seeds == SEEDS or options.output:
            body = {
                "kind": design.kind, "shape": [design.n, design.p], "seeds": options.seeds,
                "random_state": options.random_state, "scores": scores, "differences": differences,
            }  # fmt: skip
            write(f"penalties_{name}", body, threads=options.threads, output=options.output)
    return int(not passes)


if __name__ == "__main__":
    raise SystemExit(main())
