"""What went wrong, on standard error. Imports no library: a run without a chef-run says so here too."""

from __future__ import annotations

import sys

from launcher import fallback
from launcher.cli.printable import printable


def complain(problem: str) -> None:
    """Say what went wrong: in one line, which is folded on a terminal."""
    try:
        sys.stderr.write(fallback.folded(f"chef-run-launcher: {printable(problem)}") + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError):
        pass  # the caller closed it
