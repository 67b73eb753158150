"""The estimator's own fits: what they cost, and how they compare."""
