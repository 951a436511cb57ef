"""The HTTP door of listings."""
