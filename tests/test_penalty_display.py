"""PenaltyPathDisplay and PenaltyBarDisplay: what they read, draw, and refuse."""

import pickle
import sys
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold

from skbamm import (
    BAMMSearchCV,
    PenaltyBarDisplay,
    PenaltyPathDisplay,
    PerClass,
    PerFeature,
    PerGroup,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

path_of = PenaltyPathDisplay.from_estimator
bars_of = PenaltyBarDisplay.from_estimator
GROUPS = {"patient": [0, 1], "body": [2, 3], "serum": slice(4, 10), "noise": slice(10, 30)}
CV = KFold(3, shuffle=True, random_state=0)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def data():
    X, y = load_diabetes(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(len(X), 20))
    return np.hstack([X / X.std(0), noise])[:200], y[:200]


@pytest.fixture(scope="module")
def search():
    """A search that drops a group of noise."""
    grid = {"alpha": PerGroup(1.0, 100.0, GROUPS)}
    return BAMMSearchCV(Ridge(), grid, cv=CV).fit(*data())


def words(*axes):
    parts = [part for ax in axes for part in (ax, *ax.child_axes)]
    found = [text for ax in parts for text in (*ax.texts, *ax.get_yticklabels())]
    return [text.get_text() for text in found if text.get_text()]


def changed(search, **attributes):
    other = pickle.loads(pickle.dumps(search))
    vars(other).update(attributes)
    return other


def path_like(n_entries, n_points=4, **more):
    """Arguments of a path whose entries fan out."""
    powers = np.linspace(-1, 1, n_entries)
    values = 10.0 * 3.0 ** np.outer(np.arange(n_points), powers)
    return {
        "values": values,
        "names": [f"x{j}" for j in range(n_entries)],
        "criterion": np.linspace(1, 0.8, n_points),
        "score": np.linspace(1, 0.9, n_points)[:, None] + [0.0, 0.1],
        "spread": [np.inf, 1, 0.1, 0.1][:n_points],
        "freedom": [0, 0, 0, 0.5][:n_points],
        "chosen": 2,
    } | more


# The path


def test_path_has_what_the_search_found(search):
    display = path_of(search)
    found = search.shrinkage_
    for name in ("values", "criterion", "score", "spread", "freedom", "chosen"):
        assert getattr(display, name) is found[name]
    assert list(display.names) == list(GROUPS) and display.parameter == "alpha"
    assert display.dropped == search.dropped_
    for line, column in zip(display.lines_, found["values"].T, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), column)
    assert {name.removesuffix(" (dropped)") for name in words(display.axes_[0])} >= set(GROUPS)
    assert display.figure_ is display.axes_[0].get_figure()


def test_losses_are_beside_those_of_one_value():
    arguments = path_like(3)
    display = PenaltyPathDisplay(**arguments).plot()
    below = display.axes_[1]
    (bars,) = below.containers
    score = arguments["score"]
    expected = 100 * (score.mean(1) - score[0].mean()) / score[0].mean()
    np.testing.assert_allclose(bars.lines[0].get_ydata(), expected)
    fitted = below.lines[1].get_ydata()
    np.testing.assert_allclose(fitted, [0, -20 / 3, -40 / 3, -20], atol=1e-12)
    assert next(text.get_text() for text in below.get_xticklabels()) == "∞\n0"
    assert {"rows left out (± s.e.)", "CV"} <= set(words(below))


def test_one_outer_split_has_no_standard_error():
    display = PenaltyPathDisplay(**path_like(3, score=np.ones((4, 1)))).plot()
    assert "rows left out" in words(display.axes_[1])


@pytest.mark.parametrize("n_labels", [0, 4, 10])
def test_many_entries_are_grey_but_some(n_labels):
    dropped = ["x0", "x20", "x21", "x49"]
    display = PenaltyPathDisplay(**path_like(50, dropped=dropped)).plot(n_labels=n_labels)
    colors = [line.get_color() for line in display.lines_]
    named = n_labels - 2 if n_labels else 0  # two that are dropped are farthest from the others
    assert colors.count("C3") == (2 if n_labels else 4)
    assert colors.count("0.7") == 50 - 4 - named
    found = words(display.axes_[0])
    assert f"{50 - n_labels} more, {2 if n_labels else 4} dropped" in found
    assert ("x49 (dropped)" in found) == (n_labels > 0)
    assert [line.get_linestyle() for line in display.lines_].count("--") == 4


@pytest.mark.parametrize("end", [3.1, 0.1, 90.0])
def test_names_do_not_overlap(end):
    names = ["a name that goes on and on and on, and then some", "$a$", *"bcdefgh"]
    values = np.full((4, 9), 3.0) + 1e-3 * np.arange(9)
    values[:, 8] = end
    display = PenaltyPathDisplay(**path_like(9, names=names, values=values)).plot()
    display.figure_.canvas.draw()
    texts = display.axes_[0].texts
    boxes = [text.get_window_extent() for text in texts]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert display.figure_.bbox.x1 >= box.x1
        assert display.figure_.bbox.y1 >= box.y1
    assert any(text.get_text().endswith("…") for text in texts)


def test_says_where_one_value_scored_better(search):
    best = np.full(4, 12.34)
    display = path_of(changed(search, best_params_={"alpha": best}, dropped_=[]))
    assert "chosen; best_params_: 12.3 for all" in words(display.axes_[0])
    assert "chosen" in words(path_of(search).axes_[0])


def test_inverse_parameter_says_what_is_strong(search):
    search = changed(
        search, estimator=LogisticRegression(), param_grid={"C": PerGroup(1e-3, 1e2, GROUPS)},
        shrinkage_=search.shrinkage_ | {"parameter": "C"},
        history_={}, best_params_={"C": np.array([1.0, 3.0, 2.0, 0.01])},
    )  # fmt: skip
    assert path_of(search).axes_[0].get_ylabel() == "C (small is strong)"
    assert bars_of(search).ax_.get_xlabel().startswith("← stronger")
    best = search.best_params_["C"][bars_of(search).shown_]
    assert (np.diff(best) <= 0).all()


def test_without_shrinkage_the_iterations_are_shown():
    X, y = data()
    grid = {"alpha": PerFeature(1.0, 1e3, shrinkage=False)}
    search = BAMMSearchCV(Ridge(), grid, cv=CV).fit(X[:, :4], y)
    display = path_of(search)
    assert (display.values == search.history_["alpha"]).all()
    assert display.axes_[1].get_xlabel() == "iteration"
    assert display.score is None and display.chosen is None
    lines = display.axes_[1].lines
    assert len(lines[-1].get_ydata()) == len(search.history_["criterion"])
    mixed = [3.0, *search.history_["alpha"]]
    joined = np.empty(len(mixed), dtype=object)
    joined[:] = mixed
    history = search.history_ | {"alpha": joined, "criterion": np.ones(len(mixed))}
    other = path_of(changed(search, history_=history))
    assert (other.values == display.values).all() and other.criterion is None


def test_draws_where_it_is_told(search):
    figure, axes = plt.subplots(1, 2, layout="constrained")
    path, bars = path_of(search, ax=axes[0]), bars_of(search, ax=axes[1])
    assert set(path.axes_) == set(axes[0].child_axes) and bars.ax_ is axes[1]
    assert path.figure_ is bars.figure_ is figure
    figure.canvas.draw()


# The bars


def test_bars_are_what_was_learned(search):
    display = bars_of(search)
    best = search.best_params_["alpha"]
    assert display.shown_.tolist() == np.argsort(best).tolist()
    single = display.single
    for bar, j in zip(display.bars_, display.shown_, strict=True):
        ends = sorted([bar.get_x(), bar.get_x() + bar.get_width()])
        assert ends == pytest.approx(sorted([single, best[j]]))
    found = words(display.ax_)
    assert set(GROUPS) <= set(found)
    assert "100, dropped" in found and search.dropped_ == ["noise"]
    assert display.ax_.get_xlabel().endswith("stronger →")


def test_bars_begin_at_the_best_value_for_all(search):
    one = BAMMSearchCV(Ridge(), {"alpha": (1.0, 1e3)}, cv=CV).fit(*data())
    single = bars_of(search).single
    assert single == pytest.approx(one.best_params_["alpha"], rel=1e-3)
    assert bars_of(changed(search, history_={})).single == search.shrinkage_["values"][0, 0]
    alone = PenaltyBarDisplay(values=[1, 100], names="ab").plot()
    assert "the values' mean, 10" in words(alone.ax_)


def test_of_many_the_weakest_and_strongest_are_shown():
    values = np.random.default_rng(0).permutation(np.geomspace(1, 1e3, 100))
    order = np.argsort(values)
    dropped = list(map(str, order[-5:]))
    names = list(map(str, range(100)))
    display = PenaltyBarDisplay(values=values, names=names, dropped=dropped).plot(max_shown=7)
    assert display.shown_.tolist() == [*order[:4], *order[-8:-5]]
    assert "93 more, 5 dropped" in words(display.ax_)
    display.plot(max_shown=97)
    assert display.shown_.tolist() == order[:97].tolist()
    assert "3 more dropped" in words(display.ax_)
    display.dropped = ()
    display.plot(max_shown=7, sort=False)
    assert display.shown_.tolist() == sorted([*order[:4], *order[-3:]])
    assert "93 more" in words(display.ax_)
    display.plot(max_shown=100)
    assert len(display.bars_) == 100 and not any("more" in word for word in words(display.ax_))


@pytest.mark.parametrize("best", [12.34, np.full(4, 12.34)])
def test_one_value_for_all_is_told(search, best):
    display = bars_of(changed(search, best_params_={"alpha": best}, dropped_=[]))
    assert "one value for all, 12.3, scored best" in words(display.ax_)
    assert len(display.bars_) == 4
    display.figure_.canvas.draw()


def test_plots_again(search):
    for display, name in ((path_of(search), "axes_"), (bars_of(search), "ax_")):
        first = getattr(display, name)
        assert display.plot() is display
        assert getattr(display, name) is not first


# What is refused


@pytest.mark.parametrize("draw", [path_of, bars_of])
def test_searches_without_a_vector(draw):
    search = BAMMSearchCV(Ridge(), {"alpha": (1.0, 1e3)}, cv=CV)
    with pytest.raises(NotFittedError, match="must be fitted"):
        draw(search)
    with pytest.raises(ValueError, match=r"this BAMMSearchCV has no shrinkage_"):
        draw(search.fit(*data()))


def test_bars_of_what_is_not_in_best_params(search):
    with pytest.raises(ValueError, match=r"must have 'alpha' in its best_params_.*\{'tol': 1\}"):
        bars_of(changed(search, best_params_={"tol": 1}))
    other = changed(search)
    del other.best_params_
    with pytest.raises(ValueError, match=r"not there \(refit=False\?\)"):
        bars_of(other)
    assert path_of(other).best is None


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ({"values": np.ones((3, 2))}, ValueError, r"values must be of shape \(n_points, 3\)"),
        ({"values": np.ones(3)}, ValueError, r"got shape \(3,\)"),
        ({"values": np.zeros((4, 3))}, ValueError, "values must be positive"),
    ],
)
def test_paths_that_do_not_fit(argument, error, message):
    with pytest.raises(error, match=message):
        PenaltyPathDisplay(**path_like(3, **argument)).plot()


def test_arguments_that_do_not_fit(search):
    with pytest.raises(TypeError, match=r"n_labels must be an integer, got 1\.5"):
        path_of(search, n_labels=1.5)
    with pytest.raises(ValueError, match="max_shown must be at least 2, got 1"):
        bars_of(search, max_shown=1)
    with pytest.raises(ValueError, match="one entry for each of the 2 names"):
        PenaltyBarDisplay(values=[1, 2, 3], names="ab").plot()
    with pytest.raises(ValueError, match="positive"):
        PenaltyBarDisplay(values=[1, np.nan], names="ab").plot()


@pytest.mark.parametrize("draw", [path_of, bars_of])
def test_without_matplotlib(monkeypatch, draw):
    search = SimpleNamespace(
        cv_results_={}, shrinkage_={"parameter": "alpha", "names": np.array(["a"])},
        best_params_={"alpha": 1.0}, history_={"alpha": np.ones((2, 1)), "criterion": [1, 1]},
        estimator=Ridge(), param_grid={"alpha": PerFeature(1, 2)},
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skbamm\[plot\]'"):
        draw(search)


def test_weights_of_classes_are_drawn():
    search = BAMMSearchCV(LogisticRegression(), {"class_weight": PerClass(1e-2, 1e2)}, cv=3)
    search.fit(*load_iris(return_X_y=True))
    bars = PenaltyBarDisplay.from_estimator(search)
    found = list(search.best_params_["class_weight"].values())
    drawn = [bar.get_x() + bar.get_width() for bar in bars.ax_.patches]
    if len({*found}) > 1:
        np.testing.assert_allclose(sorted(drawn), sorted(found), rtol=1e-6)
    assert PenaltyPathDisplay.from_estimator(search) is not None
