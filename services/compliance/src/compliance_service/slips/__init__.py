"""Packing slips that others made, against clause (j) of Amazon's Business Solutions Agreement (FACTS 10.8).

`child` is a process of its own that takes a PDF apart under limits, `extracting` runs it, and `rules` (pure) judges
the text."""
