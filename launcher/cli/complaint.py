"""Saying what went wrong, and ending. Imports no library: a run without a chef-run ends here too."""

from __future__ import annotations

import sys

from launcher import NAME, fallback
from launcher.cli.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def fail(problem: str, code: int = 1) -> NoReturn:
    """Say on standard error what went wrong, in one line, which is folded on a terminal; and exit with this code."""
    try:
        sys.stderr.write(fallback.folded(f"{NAME}: {printable(problem)}") + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError):
        pass  # the caller closed it
    sys.exit(code)
