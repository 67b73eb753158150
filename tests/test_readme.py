"""README.md: its code runs as copied and prints what it says; its table is the registry's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from skbamm.models.registry import _OF_THE_PACKAGE

README = Path(__file__).parents[1] / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="tested without a clone")


def blocks():
    """Return each block of Python, with the printed output that follows it, if any."""
    text = README.read_text() if README.is_file() else ""
    return re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", text, re.DOTALL)


@pytest.mark.parametrize("code, printed", blocks(), ids=lambda text: "")
def test_blocks_run_alone(code, printed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text()):
        assert (README.parent / target).exists(), target


def test_the_table_of_estimators_is_the_registrys():
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `")]
    for twin in _OF_THE_PACKAGE:
        name = twin.estimator_type.__name__
        row = next((row for row in rows if f"`{name}`" in row.split("|")[1]), "")
        assert row, f"no row of {name}"
        for one in twin.hyperparameters:
            assert f"`{one.name}`" in row, f"{name}: {one.name}"
