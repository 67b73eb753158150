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

from skbamm import BAMMSearchCV, SearchDisplay

PICTURE = Path("demo_output") / "search.png"
N_VALUES = 20

HEADER = f"""\
One model on the same folds (cv=5), tuned three ways: by GridSearchCV over
{N_VALUES} values, by BAMMSearchCV over the interval they span, by BAMMSearchCV over
the same values.

Higher scores are better. The test score is on rows that no search has seen. The
seconds include the refit. Every search first runs on 150 rows, so that loading
libraries does not count. On such small data one thread is the fastest for all;
GridSearchCV has the better n_jobs (None or -1). These are single runs, and the
ratios vary; benchmarks/ measures them properly."""


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
    grid_n_jobs: int | None = None

    @property
    def values(self) -> np.ndarray:
        return np.geomspace(self.low, self.high, N_VALUES)

    def split(self) -> list[np.ndarray]:
        stratify = self.y if self.scoring == "neg_log_loss" else None
        return train_test_split(self.X, self.y, test_size=0.25, random_state=0, stratify=stratify)


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
    """The score over the interval, its folds and its path; and what the grid took."""
    display = SearchDisplay.from_estimator(search, *task.split()[::2], ax=ax)
    curve = display.axes_[0]
    means = grid.cv_results_["mean_test_score"]
    curve.plot(
        grid.best_params_[task.param], means.max(), "s", mfc="none", color="0.45", ms=9,
        label=f"GridSearchCV, {N_VALUES} values",
    )  # fmt: skip
    curve.legend(fontsize="small", frameon=False)
    curve.set_title(f"{task.title}\n{curve.get_title(loc='left')}", fontsize="medium", loc="left")


def main() -> None:
    all_tasks = list(tasks())
    print(HEADER, flush=True)
    for task in all_tasks:
        warm_up(task)

    fig, axes = plt.subplots(1, len(all_tasks), figsize=(16, 5.6), layout="constrained")
    for ax, task in zip(axes, all_tasks, strict=True):
        grid, search = run(task)
        draw(ax, task, grid, search)
    PICTURE.parent.mkdir(exist_ok=True)
    fig.savefig(PICTURE, dpi=130)
    print(f"\nThe searches as pictures: {PICTURE}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
