"""Examples in the pages of the documentation."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="tested without a clone")
def test_examples_of_many_penalties():
    failed, tried = doctest.testfile(str(DOCS / "many_penalties.rst"), module_relative=False)
    assert tried and not failed
