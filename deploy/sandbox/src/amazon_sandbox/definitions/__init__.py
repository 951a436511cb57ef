"""Product Type Definitions 2020-09-01: which product types there are, and the JSON Schema of each."""
