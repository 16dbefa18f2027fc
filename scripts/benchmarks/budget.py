"""What a run may cost at most. The tables show it beside what was measured, and mark what is over."""

from __future__ import annotations

from typing import NamedTuple


class Budget(NamedTuple):
    """Added time is in starts of a bare interpreter, `python -I -S -c pass`."""

    fast: float  # added by the launcher, started with `python -I -S`
    pip: float  # added by the launcher, started by the script that pip writes
    opted_out: float  # added by either start, where the environment opts out
    memory: float  # MiB resident at the peak, above a bare interpreter
    processor: float  # milliseconds of processor time, user and system, without chef-run's own and the sender's


BUDGET = Budget(fast=1.9, pip=2.5, opted_out=1.25, memory=9, processor=60)


def mark(value: float, limit: float | None) -> str:
    """The mark of what is over its limit; an empty string for the rest, and without a limit."""
    return " over" if limit is not None and value > limit else ""
