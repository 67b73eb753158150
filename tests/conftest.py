"""Settings that all tests share."""

from hypothesis import settings

# The same examples in every run, none kept between runs, and nothing timed.
settings.register_profile("skbamm", max_examples=8, deadline=None, derandomize=True, database=None)
settings.load_profile("skbamm")
