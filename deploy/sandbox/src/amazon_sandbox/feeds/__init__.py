"""Feeds 2021-06-30 (FACTS section 6)."""
