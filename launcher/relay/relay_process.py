"""The relay process, as the launcher sees it: started, given orders, asked. What it does is in serving.py.

Orders are a byte each: ASK, DRAIN, STOPS and GOES_ON at any time, in the end CHILD_ENDED. Back come the numbers of
signals as they arrive; ANSWERED after each ASK and DRAIN; after CHILD_ENDED, when all is drained, STAYS or LEAVES, and
then the observer's report, to the end.
"""

from __future__ import annotations

import os
import time

from launcher.quiet import quietly
from launcher.relay.descriptors import Unneeded, close, pipe, poller
from launcher.relay.handover import send
from launcher.relay.routes import ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from launcher.relay.routes import Route

ASK = b"?"
DRAIN = b"!"
STOPS, GOES_ON = b"z", b"a"  # which have no answer
CHILD_ENDED = b"."
# The last two are above every signal's number.
ANSWERED = b"\0"
STAYS, LEAVES = b"\xfe", b"\xff"

# It answers at once, unless it was stopped along with its group.
_ANSWER_MILLISECONDS = 1000


class RelayProcess:
    """All that may fail is done when it is made, but for the fork."""

    __slots__ = ("_answers", "_drained", "_leaves", "_orders", "_relay_ends", "_routes", "_serve", "_unanswered", "pid")

    def __init__(self, routes: list[Route], serve: Callable[[int, int, int], None]) -> None:
        """`serve` is its life: it gets the child's process id, and what to read orders from and to write answers to.

        Raises OSError if there is no pipe to be had for it.
        """
        self._routes = routes
        self._serve = serve
        orders, self._orders = pipe()
        self._answers, answers = pipe()
        self._relay_ends = orders, answers
        self._unanswered = 0
        self._leaves = False  # once it has drained: whether it ends, and does not stay for a grandchild
        self._drained = False

    @property
    def descriptors(self) -> list[int]:
        """What the launcher must not close before the relay process is started."""
        return [self._orders, self._answers, *self._relay_ends, *ends(self._routes)]

    def start(self, child: int, unneeded: Unneeded, launcher_descriptors: list[int]) -> None:
        """Have it relay from here on; the routes are no longer ours. Raises OSError if there can be no process.

        `launcher_descriptors` are descriptors of the launcher's own, which it must not hold.
        """
        self.pid = os.fork()
        if self.pid == 0:
            try:
                close([self._orders, self._answers, *launcher_descriptors])
                unneeded.let_go()
                quietly(self._serve, child, *self._relay_ends)
            finally:
                os._exit(0)
        close([*self._relay_ends, *ends(self._routes)])

    def ask(self) -> bytes:
        """Have it answer: the numbers of the signals that it has heard since its last answer."""
        return self._ordered(ASK)

    def drain(self) -> bytes:
        """Have what the child has written so far passed on, and answered as by `ask`."""
        return self._ordered(DRAIN)

    @property
    def is_silent(self) -> bool:
        """Whether it owes an answer: it was stopped along with its group, or somebody has killed it."""
        return self._unanswered > 0

    def send(self, number: int) -> None:
        """Send it a signal."""
        send(self.pid, number)

    def launcher_stops(self) -> None:
        """Have it wake us, should the child go on alone: nobody else would."""
        tell(self._orders, STOPS)

    def launcher_goes_on(self) -> None:
        """We have been continued, by whomever."""
        tell(self._orders, GOES_ON)

    def child_ended(self) -> None:
        """Have it end, once what the child wrote has gone on."""
        tell(self._orders, CHILD_ENDED)

    def has_drained(self, milliseconds: int) -> bool:
        """Whether what the child wrote has gone on; waits for so long at most. Asked after `child_ended`."""
        until = time.monotonic() + milliseconds / 1000
        answers = poller(self._answers)
        while not self._drained and answers.poll(max(0.0, until - time.monotonic()) * 1000):
            self._hear_next()
        return self._drained

    def report(self) -> bytes:
        """Wait until what the child wrote has gone on; the observer's report."""
        while not self._drained:
            self._hear_next()
        report = b""
        while piece := os.read(self._answers, 1 << 16):
            report += piece
        return report

    def _hear_next(self) -> None:
        """Read its next word. The numbers of signals that nobody has asked for come before the last one."""
        word = os.read(self._answers, 1)
        self._leaves = word == LEAVES
        self._drained = word in (STAYS, LEAVES, b"")  # nothing, if somebody has killed it

    def reap(self) -> None:
        """Wait for its end, unless it stays for a grandchild."""
        if self._leaves:
            os.waitpid(self.pid, 0)

    def _ordered(self, order: bytes) -> bytes:
        tell(self._orders, order)
        self._unanswered += 1
        answered = poller(self._answers)
        heard = b""
        while self._unanswered and answered.poll(_ANSWER_MILLISECONDS):
            piece = os.read(self._answers, 1 << 10)
            if not piece:
                break  # somebody has killed it
            self._unanswered -= piece.count(ANSWERED)
            heard += piece
        return heard.replace(ANSWERED, b"")


def tell(listener: int, words: bytes) -> None:
    """Write to a process of ours that somebody may have killed, which is seen where we read."""
    try:
        os.write(listener, words)
    except OSError:
        pass
