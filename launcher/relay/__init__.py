"""Running the real program so that nobody can tell that it is watched."""

from __future__ import annotations

import sys

from launcher.relay.ended import Ended

if sys.platform == "win32":
    from launcher.relay.windows import end_like, run
else:
    from launcher.relay.posix import end_like, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.relay.ended import Observer as Observer

__all__ = ["Ended", "end_like", "run"]
