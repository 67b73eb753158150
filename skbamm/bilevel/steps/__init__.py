"""Step rules of x, y and v."""
