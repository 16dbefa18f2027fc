"""How a run ended, as the relay tells it on every system."""

from __future__ import annotations


class Ended:
    """How a run ended."""

    __slots__ = ("ran", "relay", "report", "status", "stderr")

    def __init__(self, status: int, *, report: bytes, ran: bool, stderr: int | None, relay: int = 0) -> None:
        self.status = status  # as os.waitpid gives it
        self.report = report  # the observer's; empty if nothing was relayed or the observer failed
        self.ran = ran  # False: it could not be executed, that has been said, and status is 126 or 127
        self.stderr = stderr  # a duplicate of the caller's standard error, if one was asked for
        self.relay = relay  # a process of ours that is ending, and to be waited for at the very end
