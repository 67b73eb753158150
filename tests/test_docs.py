"""Examples in the pages of the documentation."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
@pytest.mark.parametrize("page", ["many_penalties.rst", "from_grid_search.rst"])
def test_examples_of(page):
    failed, tried = doctest.testfile(str(DOCS / page), module_relative=False)
    assert tried and not failed
