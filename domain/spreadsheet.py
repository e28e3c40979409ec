"""Cells that a spreadsheet shows and never carries out (CSV and XLSX exports)."""

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # also in full width


def harmless(cell: str) -> str:
    """Return the text of a cell, marked as text where it could be taken for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
