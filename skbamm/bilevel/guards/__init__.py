"""When the hypergradient can be trusted, and where a step of x goes back."""
