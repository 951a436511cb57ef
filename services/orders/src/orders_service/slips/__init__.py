"""Packing slips by clause (j) of Amazon's Business Solutions Agreement (FACTS 10.8): what they say and how they look.

Pure: `slip` says what is on one, `html` and `pdf` lay it out; `packing` beside this folder reads what they need."""
