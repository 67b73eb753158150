"""Examples and links in the pages of the documentation."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
@pytest.mark.parametrize("page", ["many_penalties.rst", "from_grid_search.rst"])
def test_examples_of(page):
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False)
    assert tried and not failed


PAGE = """<html><head><script src="{script}"></script></head>
<body><h1 id="top">A</h1><a href="{link}">there</a><a href="https://example.org">far</a></body></html>
"""


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
@pytest.mark.parametrize(
    "link, script, wrong",
    [
        ("sub/b.html#top", "own.js", ""),
        ("#top", "own.js", ""),
        ("sub/c.html", "own.js", "no file sub/c.html"),
        ("sub/b.html#gone", "own.js", "no place sub/b.html#gone"),
        ("#top", "https://example.org/far.js", "loads https://example.org/far.js"),
    ],
)
def test_the_links_of_pages_are_checked(link, script, wrong, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "own.js").write_text("")
    (tmp_path / "a.html").write_text(PAGE.format(link=link, script=script))
    (tmp_path / "sub" / "b.html").write_text(PAGE.format(link="../a.html", script="../own.js"))
    done = subprocess.run(
        [sys.executable, str(DOCS / "check_links.py"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == bool(wrong), done.stdout
    assert wrong in done.stdout and "2 pages" in done.stdout
