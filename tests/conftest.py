"""Settings that all tests share."""

import pytest
from hypothesis import settings

from skbamm.search import run

# The same examples in every run, none kept between runs, and nothing timed.
settings.register_profile("skbamm", max_examples=8, deadline=None, derandomize=True, database=None)
settings.load_profile("skbamm")


@pytest.fixture(autouse=True)
def _unbounded(request, monkeypatch):
    """Solve jointly whatever own fits would take: most tests are about what is solved.

    Those with the mark ``budget`` are about which of the two serves.
    """
    if "budget" not in request.keywords:
        monkeypatch.setattr(run, "budget", lambda *args: None)
