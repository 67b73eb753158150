"""scikit-learn's experimental callbacks on BAMMSearchCV."""

from collections import Counter

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbamm import BAMMSearchCV
from tests.contract.comparison import X_CLASS, Y_BINARY, roles

callbacks = pytest.importorskip("sklearn.callback.tests._utils", reason="new in scikit-learn 1.9")
RecordingAutoPropagatedCallback = callbacks.RecordingAutoPropagatedCallback
RecordingCallback = callbacks.RecordingCallback

ROOT, SEARCH = "fit", "search"
EVALUATION, REFIT = "candidate-split-evaluation", "refit-with-best-params"


def tasks(callback, hook):
    """Count the calls of a hook by the name of the task."""
    return Counter(r["context"].task_name for r in callback.record if r["name"] == hook)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize(
    "model, grid",
    [
        (Ridge(), {"alpha": [0.1, 1.0, 10.0]}),
        (LogisticRegression(), {"C": [0.1, 1.0, 10.0]}),
        (DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}),
    ],
    ids=["ridge", "logistic", "tree"],
)
def test_hooks_of_a_list_are_those_of_grid_search(model, grid, refit):
    callbacks = []
    for cls in (BAMMSearchCV, GridSearchCV):
        callbacks.append(RecordingCallback())
        search = cls(model, grid, cv=2, refit=refit).set_callbacks(callbacks[-1])
        search.fit(X_CLASS, Y_BINARY)
        assert all(record["estimator"] is search for record in callbacks[-1].record)
    for hook in ("setup", "on_fit_task_begin", "on_fit_task_end", "teardown"):
        ours, theirs = (tasks(callback, hook) for callback in callbacks)
        # Tasks of our own may only be added inside the search.
        assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("refit", [True, False])
def test_hooks_of_an_interval(refit):
    callback = RecordingCallback()
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-2, 1e2)}, cv=2, refit=refit)
    search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    assert roles(search) == {"alpha": "searched"}
    assert callback.count_hooks("setup") == callback.count_hooks("teardown") == 1
    begun, ended = (tasks(callback, f"on_fit_task_{end}") for end in ("begin", "end"))
    assert begun == ended
    assert begun[SEARCH] == 1
    assert begun[REFIT] == refit
    assert begun[EVALUATION] == 2 * len(search.cv_results_["params"])
    assert callback.record[1]["context"].parent is None  # the root comes first


def test_tasks_below_the_root(values):
    """The root has room for the search and the refit only."""
    callback = RecordingCallback()
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=2)
    search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    below = [
        record["context"].task_name
        for record in callback.record
        if record["name"] == "on_fit_task_begin"
        and record["context"].parent is not None
        and record["context"].parent.parent is None
    ]
    assert below == [SEARCH, REFIT]


def test_callbacks_reach_the_estimator(values):
    """An auto-propagated callback sees the fits of the search and of the refit."""
    callback = RecordingAutoPropagatedCallback()
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=2)
    search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    begun, ended = (tasks(callback, f"on_fit_task_{end}") for end in ("begin", "end"))
    assert begun == ended
    assert callback.count_hooks("teardown") == 1
    names = {record["estimator"].__class__ for record in callback.record}
    assert names <= {BAMMSearchCV, LogisticRegression}


def test_metadata_of_the_hooks():
    """The hooks get the user's fit parameters and none of ours."""
    weight = np.arange(len(Y_BINARY)) % 3
    records = []
    for cls in (BAMMSearchCV, GridSearchCV):
        callback = RecordingCallback()
        search = cls(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, refit=True)
        search.set_callbacks(callback).fit(X_CLASS, Y_BINARY, sample_weight=weight)
        records.append([r for r in callback.record if r["name"] == "on_fit_task_end"])
    for name in (EVALUATION, REFIT):
        ours, theirs = (
            [r["kwargs"] for r in part if r["context"].task_name == name] for part in records
        )
        assert len(ours) == len(theirs) > 0
        for got, expected in zip(ours, theirs, strict=True):
            assert set(got["metadata"]) == set(expected["metadata"])
            for key in ("X", "y", "fitted_estimator"):
                assert (got[key] is None) == (expected[key] is None), key
            assert type(got["fitted_estimator"]) is type(expected["fitted_estimator"])
            if expected["X"] is not None:
                np.testing.assert_array_equal(got["X"], expected["X"])


@pytest.mark.filterwarnings("ignore:The scoring of candidates stopped early")
@pytest.mark.parametrize("seconds", [1e-9, 1000.0])
def test_time_ends_between_candidates_that_callbacks_see(seconds):
    callback = RecordingCallback()
    search = BAMMSearchCV(
        DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}, cv=2, max_time=seconds
    )
    search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    scored = len(search.cv_results_["params"])
    assert scored == (3 if seconds > 1 else 1)
    begun = [r["context"] for r in callback.record if r["name"] == "on_fit_task_begin"]
    numbers = [one.task_id for one in begun if one.task_name == EVALUATION]
    assert numbers == list(range(2 * scored))
    begun, ended = (tasks(callback, f"on_fit_task_{end}") for end in ("begin", "end"))
    assert begun == ended


def test_clones_share_their_callbacks():
    callback = RecordingCallback()
    search = BAMMSearchCV(Ridge(), {"alpha": (1e-2, 1e2)}, cv=2).set_callbacks(callback)
    clone(search).fit(X_CLASS, Y_BINARY)
    assert callback.count_hooks("teardown") == 1


def test_fits_that_fail_are_seen_too():
    callback = RecordingCallback()
    grid = {"C": [1.0, -1.0]}
    search = BAMMSearchCV(LogisticRegression(), grid, cv=2, error_score=0.0, refit=False)
    with pytest.warns(match="2 fits failed out of a total of 4"):
        search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    assert tasks(callback, "on_fit_task_begin")[EVALUATION] == 4
    assert tasks(callback, "on_fit_task_end")[EVALUATION] == 4


def watched(callback, build):
    """Return a model with a callback on one of its parts, and the name of its C."""
    logistic = LogisticRegression(max_iter=1000)
    if build == "model":
        return logistic.set_callbacks(callback), "C"
    if build == "nested":
        return OneVsRestClassifier(logistic.set_callbacks(callback)), "estimator__C"
    if build == "pipeline":
        return make_pipeline(StandardScaler(), logistic).set_callbacks(
            callback
        ), "logisticregression__C"
    if build == "last":
        logistic.set_callbacks(callback)
        return make_pipeline(StandardScaler(), logistic), "logisticregression__C"
    return make_pipeline(StandardScaler().set_callbacks(callback), logistic), (
        "logisticregression__C"
    )


def path_of(context):
    """Return where a task stands, from the root on."""
    path = []
    while context is not None:
        path.append((context.task_name, context.task_id))
        context = context.parent
    return path[::-1]


BUILDS = ["model", "nested", "pipeline", "last", "transformer"]


@pytest.mark.parametrize("build", BUILDS)
def test_callbacks_of_a_part_see_the_fits_of_a_list(build):
    seen = []
    for cls in (BAMMSearchCV, GridSearchCV):
        callback = RecordingCallback()
        model, name = watched(callback, build)
        search = cls(model, {name: [0.1, 1.0]}, cv=2).fit(X_CLASS, Y_BINARY)
        seen.append([(r["name"], path_of(r["context"])) for r in callback.record])
        if cls is BAMMSearchCV:
            assert roles(search) == {name: "enumerated"}
            assert "callbacks" in search.search_plan_[0]["reason"]
    assert seen[0] == seen[1]


def test_callbacks_of_a_candidate_see_its_fits():
    seen = []
    for cls in (BAMMSearchCV, GridSearchCV):
        callback = RecordingCallback()
        steps = ["passthrough", StandardScaler().set_callbacks(callback)]
        model = Pipeline([("scale", "passthrough"), ("model", Ridge())])
        cls(model, {"scale": steps, "model__alpha": [0.1, 1.0]}, cv=2).fit(X_CLASS, Y_BINARY)
        seen.append([(r["name"], path_of(r["context"])) for r in callback.record])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("build", BUILDS)
def test_callbacks_of_a_part_see_the_fits_of_an_interval(build):
    """Those that are scored, and the last one: not what is done to find them."""
    callback = RecordingCallback()
    model, name = watched(callback, build)
    search = BAMMSearchCV(model, {name: (0.01, 1.0)}, cv=2).fit(X_CLASS, Y_BINARY)
    assert roles(search) == {name: "searched"}
    fits = 2 * len(search.cv_results_["params"]) + 1
    assert callback.count_hooks("setup") == fits
    assert callback.count_hooks("teardown") == fits


@pytest.mark.parametrize("refit", [True, False])
def test_the_solve_is_a_task_of_the_search(refit, values):
    callback = RecordingCallback()
    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=2, refit=refit)
    search.set_callbacks(callback).fit(X_CLASS, Y_BINARY)
    begun = [r["context"] for r in callback.record if r["name"] == "on_fit_task_begin"]
    assert [c.task_name for c in begun if c.parent is begun[1]] == ["solve", "score"]
    iterations = [c for c in begun if c.task_name == "iteration"]
    assert bool(iterations) == isinstance(values, tuple)
    assert {c.parent.task_name for c in iterations} <= {"solve"}
    evaluations = [c for c in begun if c.task_name == EVALUATION]
    assert {c.parent.task_name for c in evaluations} == {"score"}
    assert tasks(callback, "on_fit_task_begin") == tasks(callback, "on_fit_task_end")


def test_scikit_learns_progress_bar_shows_the_solve(values, capfd):
    pytest.importorskip("rich", reason="the bar is made with rich")
    from sklearn.callback import ProgressBar

    search = BAMMSearchCV(LogisticRegression(), {"C": values}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=0)).fit(X_CLASS, Y_BINARY)
    told = capfd.readouterr().out
    for task in ("fit", "search", "solve", "score"):
        assert f"BAMMSearchCV - {task}" in told


def test_scikit_learns_monitor_of_scores_sees_what_it_sees_in_a_grid_search(values):
    from sklearn.callback import ScoringMonitor

    data = []
    for cls in (BAMMSearchCV, GridSearchCV):
        monitor = ScoringMonitor(scoring="accuracy")
        model = LogisticRegression(max_iter=1000).set_callbacks(monitor)
        grid = {"C": values} if cls is BAMMSearchCV else {"C": [0.1, 1.0]}
        cls(model, grid, cv=2).fit(X_CLASS, Y_BINARY)
        # Each fit ends with a score, and so does each of its iterations.
        rows = monitor.get_logs().data
        data.append({row["task_name"] for row in rows})
        assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert data[0] == data[1] != set()
