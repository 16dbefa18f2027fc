"""Showing what was measured: medians, with quartiles in brackets, in lines of at most 100 columns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.budget import mark


def spread(values: Sequence[float], limit: float | None = None) -> str:
    """The median and the quartiles, to two digits, marked if the median is over the limit."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f}){mark(middle, limit)}"


def spread_milliseconds(values: Sequence[float], limit: float) -> str:
    """The same for milliseconds, of which the second digit would be noise."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} ({low:.0f} to {high:.0f}){mark(middle, limit)}"


def print_head(*cells: str) -> None:
    """The line above those of `print_row`."""
    _print_line("", "at most", *cells)


def print_row(name: str, limit: float | None, *cells: str) -> None:
    """One line of a table: what it is, how much is allowed, and what was measured."""
    _print_line(name, "" if limit is None else f"{limit:.2f}", *cells)


def _print_line(name: str, limit: str, *cells: str) -> None:
    columns = " ".join(f"{cell:24}" for cell in cells)
    print(f"  {name:{26 - len(limit)}}{limit}  {columns}".rstrip())
