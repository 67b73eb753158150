"""Where a search begins."""
