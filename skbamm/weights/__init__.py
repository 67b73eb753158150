"""Weights of training rows, learned from what held-out rows say of them."""
