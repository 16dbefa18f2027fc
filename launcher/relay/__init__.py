"""Running the real program so that nobody can tell that it is watched.

Here is what the relay is given, and what it gives back.
"""

from __future__ import annotations

import sys

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


class Ended:
    """How a run ended."""

    __slots__ = ("ran", "relay", "report", "status", "stderr")

    def __init__(self, status: int, *, report: bytes, ran: bool, stderr: int | None, relay: int = 0) -> None:
        self.status = status  # as os.waitpid gives it
        self.report = report  # the observer's; empty if nothing was relayed or the observer failed
        self.ran = ran  # False: it could not be executed, that has been said, and status is 126 or 127
        self.stderr = stderr  # a duplicate of the caller's standard error, if one was asked for
        self.relay = relay  # a process of ours that is ending, and to be waited for at the very end


# Both of them take Ended from here.
if sys.platform == "win32":
    from launcher.relay.windows import end_like, run
else:
    from launcher.relay.posix import end_like, run

__all__ = ["Ended", "end_like", "run"]
