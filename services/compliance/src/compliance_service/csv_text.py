"""Rows as CSV text (pure)."""

import csv
import io
from collections.abc import Sequence


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """The rows as lines of CSV, each ended by CR LF (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def safe_cell(typed: str) -> str:
    """What people typed, so that no spreadsheet runs it as a formula."""
    return f"'{typed}" if typed.startswith(("=", "+", "-", "@", "\t", "\r")) else typed
