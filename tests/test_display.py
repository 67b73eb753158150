"""LabelIssuesDisplay: which rows it takes, what it writes on them, and what it refuses."""

import sys
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from skbamm.display import LabelIssuesDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

QUALITY = np.array([0.9, 0.2, 1.0, 0.001, 0.2, 0.7])
N = len(QUALITY)
WORST = [3, 1, 4, 5, 0, 2]  # rows 1 and 4 are doubted alike
X = np.arange(N * 6, dtype=float).reshape(N, 6)
Y = np.array([0, 1, 0, 1, 0, 1])
from_estimator = LabelIssuesDisplay.from_estimator


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def first_feature(X):
    """Predict what tells which rows were asked for."""
    X = X.toarray() if sp.issparse(X) else np.asarray(X)
    return X[:, 0].astype(int)


def fitted(quality=QUALITY, predict=first_feature):
    return SimpleNamespace(label_quality_=quality, predict=predict)


def texts_of(display):
    """Everything written in the axes that says something."""
    found = [text for ax in display.axes_ for text in [*ax.texts, ax.title]]
    return [text for text in found if text.get_text()]


def words(display):
    return [text.get_text() for text in texts_of(display)]


def boxes(display):
    figure = display.axes_[0].get_figure()
    figure.canvas.draw()
    return [text.get_window_extent() for text in texts_of(display)]


def assert_no_overlap(display):
    for one, other in combinations(boxes(display), 2):
        assert not one.overlaps(other)


def assert_inside(display, bounds):
    bounds = bounds.padded(1)  # the smallest letters are rounded to whole pixels
    for box in boxes(display):
        assert bounds.x0 <= box.x0 and box.x1 <= bounds.x1
        assert bounds.y0 <= box.y0 and box.y1 <= bounds.y1


# Rows


@pytest.mark.parametrize("n_rows", [1, 3, N, 100])
def test_takes_the_rows_of_least_quality(n_rows):
    display = from_estimator(fitted(), X, Y, n_rows=n_rows)
    rows = WORST[:n_rows]
    assert display.rows.tolist() == rows
    assert display.quality.tolist() == QUALITY[rows].tolist()
    assert display.given.tolist() == Y[rows].tolist()
    assert display.suggested.tolist() == X[rows, 0].tolist()


@pytest.mark.parametrize("form", ["list", "pandas", "csr", "coo", "csc_array"])
def test_data_of_any_kind(form):
    names = np.array(["ham", "spam"])[Y]
    data, y = {
        "list": lambda: (X.tolist(), names.tolist()),
        # Labels of rows that are not their positions.
        "pandas": lambda: (
            pd.DataFrame(X, index=range(N, 0, -1)),
            pd.Series(names, index=range(N, 0, -1)),
        ),
        "csr": lambda: (sp.csr_matrix(X), names),
        "coo": lambda: (sp.coo_array(X), names),
        "csc_array": lambda: (sp.csc_array(X), names),
    }[form]()
    display = from_estimator(fitted(), data, y, n_rows=3)
    assert list(display.given) == names[WORST[:3]].tolist()
    assert display.suggested.tolist() == X[WORST[:3], 0].tolist()


def test_predicts_from_texts():
    snippets = [f"text {k}" for k in range(N)]
    search = fitted(predict=lambda X: np.array([text.upper() for text in X]))
    display = from_estimator(search, snippets, Y, texts=snippets, n_rows=2)
    assert display.suggested.tolist() == ["TEXT 3", "TEXT 1"]
    assert display.texts == ["text 3", "text 1"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_suggestions_of_the_users_own(kind):
    search = SimpleNamespace(label_quality_=QUALITY)  # as after refit=False
    display = from_estimator(search, X, Y, suggested=kind(range(N)), n_rows=4)
    assert list(display.suggested) == WORST[:4]


# What is drawn


def test_table_says_everything():
    names = np.array(["ham", "spam"])[Y]
    snippets = pd.Series([f"  text\n{k} " for k in range(N)])
    display = from_estimator(fitted(), X, names, texts=snippets, n_rows=2)
    found = words(display)
    assert found[:3] == ["row", "3", "1"]
    assert found[3:6] == ["given", "spam", "spam"]
    assert found[6:9] == ["suggested", "18", "6"]
    assert found[9:12] == ["label quality", "<0.01", "0.20"]
    assert found[12:] == ["text", "text 3", "text 1"]
    assert display.figure_ is display.axes_[0].get_figure()
    full, part = display.axes_[0].containers
    lengths = [bar.get_width() for bar in part]
    assert lengths == pytest.approx(QUALITY[[3, 1]] * full[0].get_width())


def test_numbers_of_a_regression_in_four_digits():
    y = np.linspace(-12345.678, 1, N)
    display = from_estimator(fitted(predict=lambda X: X[:, 0] / 7), X, y, n_rows=1)
    found = words(display)
    assert f"{y[3]:.4g}" in found and "2.571" in found


def test_class_labels_as_they_are():
    display = LabelIssuesDisplay(
        rows=[0, 1, 2],
        given=np.array([123456, 7, True], dtype=object),
        suggested=["$a$", "two\nlines", 1.0],
        quality=[0.1, 0.2, 0.3],
    )
    found = words(display.plot())
    assert {"123456", "7", "True", "$a$", "two lines", "1"} <= set(found)


@pytest.mark.parametrize("as_shape", [True, False])
def test_pictures(as_shape):
    images = (2, 3) if as_shape else X.reshape(N, 2, 3)
    display = from_estimator(fitted(), X, Y, images=images, n_rows=3)
    assert display.axes_.shape == (3,)
    assert words(display) == [
        "row 3: 1 → 18\nquality <0.01",
        "row 1: 1 → 6\nquality 0.20",
        "row 4: 0 → 24\nquality 0.20",
    ]
    for ax, row in zip(display.axes_, WORST, strict=False):
        (image,) = ax.images
        np.testing.assert_array_equal(image.get_array(), X[row].reshape(2, 3))
        # One scale for all, or a pale picture would look like any other.
        assert image.get_clim() == (X[1].min(), X[4].max())


@pytest.mark.parametrize("form", [pd.DataFrame, sp.csr_array, np.ndarray.tolist])
def test_pictures_from_rows_of_any_kind(form):
    display = from_estimator(fitted(), form(X), Y, images=(3, 2, 1), n_rows=1)
    np.testing.assert_array_equal(display.images, X[[3]].reshape(1, 3, 2))


@pytest.mark.parametrize("channels", [3, 4])
def test_colours(channels):
    colours = np.random.default_rng(0).uniform(size=(N, 5, 4, channels))
    display = from_estimator(fitted(), X, Y, images=colours, n_rows=2)
    np.testing.assert_array_equal(display.axes_[1].images[0].get_array(), colours[1])


def test_columns_of_pictures():
    display = from_estimator(fitted(), X, Y, images=(2, 3), max_columns=4)
    places = [ax.get_position() for ax in display.axes_]
    assert len({round(place.y0, 6) for place in places}) == 2
    assert places[4].x0 == pytest.approx(places[0].x0) and places[4].y1 < places[0].y0
    assert_no_overlap(display)


LONG = np.array(["a label of quite some length, and then some", "no"])[Y]
SNIPPETS = ["It costs $9 or $10. " * 40] * 3 + ["short", "", "WWWWWWWWWWWWWWWWWWWWWWWW" * 5]


@pytest.mark.parametrize(
    ("images", "y", "size"),
    [
        (images, (Y, LONG)[(i + j) % 2], size)  # both with every kind of images and every size
        for i, images in enumerate([None, (2, 3), (6, 1), (1, 6)])
        for j, size in enumerate([None, (8, 5), (3, 6), (3, 2)])
        if 0 in (i, j) or i == j
    ],
)
def test_nothing_overlaps(images, y, size):
    ax = None
    if size:
        _, ax = plt.subplots(figsize=size)
    predict = lambda X: LONG[: len(X)]  # noqa: E731
    display = from_estimator(fitted(predict=predict), X, y, images=images, texts=SNIPPETS, ax=ax)
    assert_no_overlap(display)
    assert_inside(display, ax.get_window_extent() if ax else display.figure_.bbox)
    if images is None and size is None:  # with short labels
        assert any(word.endswith("…") for word in words(display))
        assert "short" in words(display)


def test_draws_where_it_is_told():
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    table = from_estimator(fitted(), X, Y, ax=left)
    pictures = from_estimator(fitted(), X, Y, images=(2, 3), ax=right, max_columns=2)
    assert table.axes_[0] is left
    assert table.figure_ is pictures.figure_ is figure
    assert all(ax in right.child_axes for ax in pictures.axes_)
    assert_no_overlap(pictures)


def test_plots_again():
    display = from_estimator(fitted(), X, Y)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


# What is refused


def test_search_without_quality():
    with pytest.raises(NotFittedError, match="SimpleNamespace has no label_quality_"):
        from_estimator(SimpleNamespace(predict=first_feature), X, Y)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_rows": 0}, ValueError, "n_rows must be at least 1, got 0"),
        ({"n_rows": 2.5}, TypeError, r"n_rows must be an integer, got 2\.5"),
        ({"max_columns": -1}, ValueError, "max_columns must be at least 1, got -1"),
        ({"X": X[:4]}, ValueError, "X must have an entry for each of the 6 rows, got 4"),
        ({"y": Y[:5]}, ValueError, "y must have an entry for each of the 6 rows, got 5"),
        ({"texts": ["one"]}, ValueError, "texts must have an entry for each .* got 1"),
        ({"texts": "a text"}, TypeError, "texts must have an entry .* string 'a text'"),
        ({"suggested": Y[1:]}, ValueError, "suggested must have an entry .* got 5"),
        ({"images": X[:2].reshape(2, 2, 3)}, ValueError, "images must have an entry .* got 2"),
        ({"images": "auto"}, TypeError, "images must have an entry .* string 'auto'"),
        ({"images": (8, 8)}, ValueError, r"images=\(8, 8\) must be a shape for the 6 features"),
        ({"images": (-2, -3)}, ValueError, r"images=\(-2, -3\) must be a shape"),
        ({"images": ()}, ValueError, r"images=\(\) must be a shape"),
        ({"images": (6,)}, ValueError, r"images must be of shape .* got shape \(6, 6\)"),
        ({"images": np.ones((N, 3, 3, 2))}, ValueError, r"got shape \(6, 3, 3, 2\)"),
        ({"y": np.ones((N, 2))}, ValueError, "should be a 1d array"),
    ],
)
def test_arguments_that_do_not_fit(changed, error, message):
    with pytest.raises(error, match=message):
        from_estimator(**{"search": fitted(), "X": X, "y": Y} | changed)


def test_nothing_to_suggest():
    with pytest.raises(ValueError, match=r"suggested must be given.*refit=False"):
        from_estimator(SimpleNamespace(label_quality_=QUALITY), X, Y)


def test_attributes_of_different_lengths():
    display = LabelIssuesDisplay(rows=[1, 2], given=[0, 1], suggested=[1], quality=[0.1, 0.2])
    with pytest.raises(ValueError, match="suggested must have an entry for each of the 2 rows"):
        display.plot()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'skbamm\[plot\]'"):
        from_estimator(fitted(), X, Y)
