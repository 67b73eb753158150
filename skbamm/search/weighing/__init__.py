"""Learns row weights and scores with them."""
