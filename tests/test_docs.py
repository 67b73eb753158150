"""Examples and links in the pages of the documentation."""

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
@pytest.mark.parametrize("page", ["index.rst", "many_penalties.rst", "from_grid_search.rst"])
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


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
def test_versions_stand_side_by_side(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    site = importlib.import_module("site_of_versions")
    build, to = tmp_path / "build", tmp_path / "site"
    build.mkdir()
    with pytest.raises(SystemExit, match=r"no index\.html"):
        site.add(build, to, "0.1.0")
    for name, text in (("0.9.0", "old"), ("0.10.0", "new"), ("0.9.0", "again")):
        (build / "index.html").write_text(text)
        site.add(build, to, name, "/pages/")
    listed = json.loads((to / "versions.json").read_text())
    assert [(one["version"], one["url"], one["preferred"]) for one in listed] == [
        ("0.10.0", "/pages/0.10.0/", True),
        ("0.9.0", "/pages/0.9.0/", False),
    ]
    assert (to / "0.9.0" / "index.html").read_text() == "again"
    assert 'url=0.10.0/index.html"' in (to / "index.html").read_text()
