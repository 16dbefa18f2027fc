"""Running the real program so that nobody can tell that it is watched.

Here is what the relay is given, and what it gives back.
"""

from __future__ import annotations

import sys

from launcher.relay.ended import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Observer(Protocol):
        """What looks at the output, in the relay process, after it has been passed on.

        It gets standard output and standard error in the order in which they were passed on.
        """

        def feed(self, data: memoryview) -> None:
            """Look at what has gone by. The next chunk takes its place."""

        def report(self) -> bytes:
            """Its findings. More than 16 KiB of them are dropped."""


if sys.platform == "win32":
    from launcher.relay.windows import end_like, run
else:
    from launcher.relay.posix import end_like, run

__all__ = ["Ended", "end_like", "run"]
