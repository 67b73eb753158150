"""What a type checker knows of a search in a user's file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")
ROOT = Path(__file__).parents[1]

USERS = """
from sklearn.linear_model import Ridge
from skbamm import BAMMSearchCV, Interval, PerFeature, SampleWeights

search = BAMMSearchCV(Ridge(), {"alpha": (1e-3, 1e3)}, cv=3, return_oof="predict")
search.fit([[1.0]], [1.0])
BAMMSearchCV(Ridge(), [{"alpha": [1.0]}, {"alpha": Interval(1, 2)}], refit=lambda results: 0)
BAMMSearchCV(Ridge(), {"alpha": PerFeature(1, 2)}, sample_weights=SampleWeights(), max_time=3)
reveal_type(search)  # skbamm.search.search_cv.BAMMSearchCV
reveal_type(search.best_params_)  # dict[str, Any]
reveal_type(search.cv_results_)  # dict[str, Any]
reveal_type(search.best_score_)  # float
reveal_type(search.score([[1.0]]))  # float
reveal_type(search.resume([[1.0]], [1.0]).report())  # str
reveal_type(search.predict)  # def (X: Any) -> Any
BAMMSearchCV(Ridge(), {"alpha": [1.0]}, max_iterations=3)  # error: Unexpected keyword argument
BAMMSearchCV(Ridge(), {"alpha": [1.0]}, tol="small")  # error: Argument "tol"
BAMMSearchCV(Ridge(), {"alpha": [1.0]}, sample_weights=True)  # error: Argument "sample_weights"
BAMMSearchCV(Ridge(), 1.0)  # error: Argument 2
BAMMSearchCV(Ridge())  # error: Missing positional argument "param_grid"
search.predict()  # error: Missing positional argument "X"
search.best_params_.alpha  # error: "dict[str, Any]" has no attribute "alpha"
"""


@pytest.mark.skipif(not (ROOT / "skbamm" / "py.typed").is_file(), reason="needs py.typed")
def test_a_users_checker_knows_a_search(tmp_path):
    file = tmp_path / "user.py"
    file.write_text(USERS.lstrip())
    # As a user has it: nothing of the package's own settings, nor of what it finds in its files.
    options = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports", "--strict"]
    options += ["--python-version=3.12", "--cache-dir", str(ROOT / ".mypy_cache" / "users")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(file)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    told: dict[int, list[str]] = {}
    for line, message in re.findall(r"user\.py:(\d+): (.*)", done.stdout):
        told.setdefault(int(line), []).append(message)
    for number, line in enumerate(USERS.strip().splitlines(), 1):
        _, _, expected = line.partition("  # ")
        messages = "\n".join(told.get(number, [])).replace("builtins.", "")
        assert (expected in messages) if expected else not messages, (line, messages, done.stderr)
