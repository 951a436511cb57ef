"""The HTTP doors, one module per noun."""
