"""How far x, y and v step, and along what."""
