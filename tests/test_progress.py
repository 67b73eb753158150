"""Progress in terminals and in log files, and what verbose prints of vectors."""

import io
import os
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeRegressor

import skbamm.progress as progress
from skbamm import BAMMSearchCV, PerFeature

X, Y = load_diabetes(return_X_y=True)
WIDE = np.random.default_rng(0).normal(size=(len(X), 60))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_a_log_file_gets_a_line_now_and_then(clock):
    log = io.StringIO()
    shown = progress.Progress(log)
    for done in range(1, 31):
        clock[0] += 1
        shown.step("search", done, 100, f"loss {1 / done:.3g}")
    shown.close()
    first, *more = log.getvalue().splitlines()
    # The phase began with its first step.
    assert first == "[BAMM] search: 3 of at most 100, 2 s, at most 65 s more, loss 0.333"
    assert len(more) == 2 and "\r" not in log.getvalue()


def test_a_terminal_gets_a_bar_for_each_phase():
    pytest.importorskip("tqdm")
    screen = Terminal()
    shown = progress.Progress(screen)
    shown.step("search", 1, 4)
    shown.step("search", 2, 4, "loss 0.5")
    shown.step("search", 1, 4)  # another one
    shown.step("scoring", 1, 2)
    shown.close()
    written = screen.getvalue()
    assert "search:" in written and "scoring:" in written and "[BAMM]" not in written


def test_without_tqdm_it_is_rich_that_draws_it(monkeypatch):
    pytest.importorskip("rich", reason="rich is not installed")
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    shown = progress.Progress(screen)
    shown.step("search", 1, 4)
    shown.step("search", 2, 4, "loss 0.5")
    shown.step("scoring", 1, 2, "best score 0.9")
    shown.close()
    written = screen.getvalue()
    for told in ("search", "2/4", "loss 0.5", "scoring", "1/2", "best score 0.9"):
        assert told in written
    assert "[BAMM]" not in written


def test_without_both_a_terminal_gets_lines(monkeypatch, clock):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    screen = Terminal()
    shown = progress.Progress(screen)
    shown.step("search", 1, 4)
    clock[0] += 5
    shown.step("search", 2, 4)
    assert screen.getvalue().startswith("[BAMM] search: 2 of at most 4")


@pytest.mark.parametrize("model, values", [(Ridge(), (1e-3, 1e3)), (DecisionTreeRegressor(), [1])])
def test_a_search_steps_where_it_is_asked_to(model, values, monkeypatch, capsys):
    steps = []
    monkeypatch.setattr(
        progress.Progress, "step", lambda self, *args: None if self.silent else steps.append(args)
    )
    name = "alpha" if isinstance(model, Ridge) else "max_depth"
    BAMMSearchCV(model, {name: values}).fit(X, Y)
    assert not steps and not capsys.readouterr().out
    search = BAMMSearchCV(model, {name: values}, verbose=1).fit(X, Y)
    assert [done for phase, done, *_ in steps] == list(
        range(1, 1 + search.n_iter_ * (name == "alpha"))
    )
    assert progress.PROGRESS.get() is None


def test_the_scoring_says_which_score_is_the_best_so_far(monkeypatch):
    steps = []
    monkeypatch.setattr(progress.Progress, "step", lambda self, *args: steps.append(args))
    grid = {"splitter": ["best", "random"], "max_depth": [1, 2]}
    model = DecisionTreeRegressor(random_state=0)
    search = BAMMSearchCV(model, grid, cv=2, verbose=1, max_time=600).fit(X, Y)
    told = [args for args in steps if args[0] == "scoring"]
    assert told[-1] == ("scoring", 4, 4, f"best score {search.best_score_:.6g}")
    means = np.maximum.accumulate(search.cv_results_["mean_test_score"])
    assert {value for *_, value in told} <= {f"best score {mean:.6g}" for mean in means}


def test_no_vector_is_printed_whole(capfd):
    grid = {"alpha": PerFeature(1e-2, 1e2, shrinkage=False)}
    search = BAMMSearchCV(Ridge(), grid, verbose=3, tol=0.1).fit(WIDE, Y)
    assert len(search.best_params_["alpha"]) == 60 and search.verbose == 3
    lines = capfd.readouterr().out.splitlines()
    assert lines and max(map(len, lines)) < 200 and len(lines) < 20


def test_a_list_counts_the_values_that_are_solved(monkeypatch, capsys):
    steps = []
    monkeypatch.setattr(progress.Progress, "step", lambda self, *args: steps.append(args))
    X, y = make_classification(600, 20, random_state=0)
    values = list(np.logspace(-3, 3, 12))
    BAMMSearchCV(LogisticRegression(), {"C": values}, verbose=1).fit(
        np.tile(X, (5, 1)), np.tile(y, 5)
    )
    counted = [(done, total) for phase, done, total, *_ in steps if phase == "list"]
    assert counted[-1] == (12, 12) and counted == sorted(counted)
    assert "[BAMM] solved" in capsys.readouterr().out
    progress.count(1)  # outside of a list


def test_messages_are_as_wide_as_the_terminal(monkeypatch, capsys):
    message = "word " * 40
    progress.say(message)
    assert capsys.readouterr().out.count("\n") == 1  # a file has a line for each message
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(progress, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    progress.say(message)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("[BAMM] word") and second.startswith("       word")
    assert len(first) <= 80
