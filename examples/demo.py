"""GridSearchCV and BAMMSearchCV side by side on three data sets: ``make demo``.

Each data set gets the same three searches: scikit-learn's over a list of 20 values, ours over the
interval that those values span, ours over the same list. A quarter of the rows is held out from all
of them. The script prints a table and writes a picture to ``demo_output/search.png``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbamm import BAMMSearchCV

PICTURE = Path("demo_output") / "search.png"
N_VALUES = 20

HEADER = f"""\
One model on the same folds (cv=5), tuned three ways: by GridSearchCV over {N_VALUES} values,
by BAMMSearchCV over the interval they span, by BAMMSearchCV over the same values.

Higher scores are better. The test score is on rows that no search has seen. The
seconds include the refit. Every search first runs on 150 rows, so that loading
libraries does not count. On such small data one thread is the fastest for all of them;
GridSearchCV has the better n_jobs (None or -1). These are single runs, and the ratios
vary; benchmarks/ measures them properly."""


@dataclass
class Task:
    """A data set, the model to tune on it, and where to look."""

    title: str
    X: np.ndarray
    y: np.ndarray
    estimator: Any
    param: str
    low: float
    high: float
    scoring: str
    loss: str
    grid_n_jobs: int | None = None

    @property
    def values(self) -> np.ndarray:
        return np.geomspace(self.low, self.high, N_VALUES)

    def split(self) -> list[np.ndarray]:
        stratify = self.y if self.scoring == "neg_log_loss" else None
        return train_test_split(self.X, self.y, test_size=0.25, random_state=0, stratify=stratify)

    def as_loss(self, score: np.ndarray) -> np.ndarray:
        """The score as the loss that the search descends (1 - R2, or the log loss)."""
        return 1 - score if self.scoring == "r2" else -score


def tasks() -> Iterator[Task]:
    X, y = load_breast_cancer(return_X_y=True)
    yield Task(
        "breast_cancer: StandardScaler, LogisticRegression",
        X,
        y,
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "logisticregression__C",
        1e-4,
        1e4,
        "neg_log_loss",
        "log loss",
    )
    X, y = load_digits(return_X_y=True)
    yield Task(
        "digits: LogisticRegression on 10 classes",
        X / 16,
        y,
        LogisticRegression(max_iter=1000),
        "C",
        1e-3,
        1e2,
        "neg_log_loss",
        "log loss",
        # Its fits are long enough to be worth a process a core; the other two finish sooner
        # in one process.
        grid_n_jobs=-1,
    )
    X, y = load_diabetes(return_X_y=True)
    yield Task(
        "diabetes: StandardScaler, Ridge",
        X,
        y,
        make_pipeline(StandardScaler(), Ridge()),
        "ridge__alpha",
        1e-2,
        1e4,
        "r2",
        "1 - R2",
    )


def short(value: float) -> str:
    """A power of ten as people type it: 1e-4, 1e2."""
    return f"1e{np.log10(value):.0f}"


def searches(task: Task) -> dict[str, Any]:
    """The three rivals, unfitted, by the name they have in the table."""
    grid = {task.param: task.values}
    interval = {task.param: (task.low, task.high)}
    return {
        f"GridSearchCV, {N_VALUES} values": GridSearchCV(
            task.estimator, grid, scoring=task.scoring, n_jobs=task.grid_n_jobs
        ),
        f"BAMMSearchCV, ({short(task.low)}, {short(task.high)})": BAMMSearchCV(
            task.estimator, interval, scoring=task.scoring
        ),
        f"BAMMSearchCV, the {N_VALUES} values": BAMMSearchCV(
            task.estimator, grid, scoring=task.scoring
        ),
    }


def warm_up(task: Task) -> None:
    """Fit each search on a few rows: first use starts processes and loads libraries."""
    rows = np.random.default_rng(0).permutation(len(task.X))[:150]
    for search in searches(task).values():
        search.fit(task.X[rows], task.y[rows])


def run(task: Task) -> tuple[Any, Any]:
    """Fit and print the three; return the grid's and the interval's search for the picture."""
    X, X_test, y, y_test = task.split()
    print(f"\n{task.title}")
    print(f"tuned: {task.param}; scoring: {task.scoring}; {len(y)} rows, {len(y_test)} held out")
    print(f"  {'search':<29}{'best value':>11}{'CV score':>10}{'test score':>12}{'seconds':>9}")

    fitted = []
    baseline = None
    for name, search in searches(task).items():
        start = perf_counter()
        search.fit(X, y)
        seconds = perf_counter() - start
        ratio = f"{baseline / seconds:6.1f}x" if baseline else ""
        baseline = baseline or seconds
        print(
            f"  {name:<29}{search.best_params_[task.param]:>11.4g}{search.best_score_:>10.4f}"
            f"{search.score(X_test, y_test):>12.4f}{seconds:>9.2f}{ratio}",
            flush=True,
        )
        fitted.append(search)
    return fitted[0], fitted[1]


def draw(ax: Any, task: Task, grid: Any, search: Any) -> None:
    """The grid's validation curve, the range of its folds, and the search's path."""
    results = grid.cv_results_
    x = np.log10(task.values)
    folds = np.array([results[f"split{k}_test_score"] for k in range(grid.n_splits_)])
    curve = task.as_loss(results["mean_test_score"])
    ax.fill_between(
        x,
        task.as_loss(folds).min(axis=0),
        task.as_loss(folds).max(axis=0),
        color="0.9",
        label="range of the folds",
    )
    ax.plot(x, curve, ".-", color="0.45", lw=1, label=f"GridSearchCV, {N_VALUES} values")

    path = np.log10(np.asarray(search.history_[task.param], dtype=float))
    loss = np.asarray(search.history_["criterion"], dtype=float)
    ax.plot(path, loss, ".-", color="C0", lw=1.5, ms=5, label="BAMMSearchCV, its iterations")
    ax.plot(path[0], loss[0], "o", color="C0", mfc="white", ms=9, label="start")
    ax.plot(path[-1], loss[-1], "*", color="C3", ms=14, label="end")

    if curve.max() > 5 * curve.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    ax.set_title(task.title, fontsize=10)
    ax.set_xlabel(f"log10 {task.param}")
    ax.set_ylabel(f"validation loss ({task.loss})")


def main() -> None:
    all_tasks = list(tasks())
    for task in all_tasks:
        warm_up(task)

    print(HEADER)

    fig, axes = plt.subplots(1, len(all_tasks), figsize=(15, 4.6), layout="constrained")
    for ax, task in zip(axes, all_tasks, strict=True):
        grid, search = run(task)
        draw(ax, task, grid, search)
    axes[0].legend(fontsize=8)

    PICTURE.parent.mkdir(exist_ok=True)
    fig.savefig(PICTURE, dpi=130)
    print(f"\nThe searches as pictures: {PICTURE}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
