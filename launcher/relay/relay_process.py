"""The relay process: passes the child's output on, and knows which signals the whole group has had.

It is in the caller's process group and serves as its canary: a signal that reaches it was sent to the group.
When the launcher is killed, it ends the child, as that signal would have; when a grandchild still holds the
output at the end, it lives on until that is served.

The launcher gives orders, a byte each: ASK and DRAIN at any time, in the end CHILD_ENDED. Back come the numbers of
signals as they arrive; ANSWERED after each ASK and each DRAIN; after CHILD_ENDED, when all is drained, STAYS or LEAVES,
and then the observer's report, to the end.
"""

from __future__ import annotations

import sys
import time

assert sys.platform != "win32"  # first, or the type checker looks for what follows on Windows too
# ruff: noqa: E402

import os

from launcher.relay.descriptors import Held, pipe, poller
from launcher.relay.follower import Follower, Watcher, follow_in_turn
from launcher.relay.handover import holdable_signals
from launcher.relay.routes import ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.relay.child import Observer
    from launcher.relay.routes import Route
else:
    import _signal

# Not listened for. A fault of its own must end it; and a lost pipe must not be news to be written to a pipe.
_UNHEARD = {
    _signal.SIGSEGV,
    _signal.SIGBUS,
    _signal.SIGFPE,
    _signal.SIGILL,
    _signal.SIGTRAP,
    _signal.SIGSYS,
    _signal.SIGPIPE,
}

_STOPS = {_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU}  # SIGSTOP, which cannot be held, is never pending

_ASK = b"?"
_DRAIN = b"!"
_CHILD_ENDED = b"."
_ANSWERED = b"\0"
_STAYS, _LEAVES = b"\xfe", b"\xff"  # above every signal's number
# It answers at once, unless it was stopped along with its group.
_ANSWER_MILLISECONDS = 1000
# What a terminal or a pipe holds is read in less than that, by whoever reads at all.
_DRAIN_MILLISECONDS = 250
# A terminal that is held (Ctrl-S) must not hold Ctrl-Z up for longer.
_DRAIN_SECONDS = 0.1
_ON_ITS_WAY = 0.02  # seconds: far longer than the kernel needs to signal a group
_UNTIL_TAKEN = 1.0  # seconds: far longer than we need for the next signal


class RelayProcess:
    """The relay process, as the launcher sees it. All that may fail is done when it is made, but for the fork."""

    __slots__ = (
        *("_followers", "_heard", "_its_ends", "_our_ends", "_routes", "_unanswered", "_watcher"),
        *("pid", "stays"),
    )

    def __init__(self, routes: list[Route], observer: Callable[[], Observer]) -> None:
        """Raises OSError if there is no pipe to be had for it."""
        self._routes = routes
        self._watcher = Watcher(observer)
        self._followers = [Follower(route, self._watcher) for route in routes]
        orders, our_orders = pipe()
        our_answers, answers = pipe()
        self._our_ends = our_orders, our_answers
        self._its_ends = orders, answers
        self._heard: list[tuple[int, float]] = []
        self._unanswered = 0
        self.pid = 0  # while there is none, and where there can be none
        self.stays = False  # whether it outlives the run

    @property
    def descriptors(self) -> list[int]:
        """What the launcher must not close before the relay process is started."""
        return [*self._our_ends, *self._its_ends, *ends(self._routes)]

    def start(self, child: int) -> bool:
        """Have it relay from here on; the routes are no longer ours. False if there is no process to be had."""
        try:
            process = os.fork()
        except OSError:
            process = None
        if process == 0:
            try:
                _serve(self._routes, self._followers, self._watcher, child, *self._its_ends)
            finally:
                os._exit(0)
        for descriptor in (*self._its_ends, *ends(self._routes)):
            os.close(descriptor)
        self.pid = process or 0
        return process is not None

    def reached_group(self, number: int) -> bool:
        """Whether a signal that the launcher got went to its whole group.

        Asked rather than waited for, so that no load of the machine makes the answer wrong: Linux signals
        the younger members of a group first, and a process hears its signals before it reads on.
        """
        if not self.pid:
            return False
        self._ask(_ASK)
        is_taken_back = _is_taken_back(number)
        reached = is_taken_back or self._has_heard(number)
        if number == _signal.SIGCONT and (self._unanswered or not reached):
            # It was stopped with the whole group, and may not have been continued with it. What it hears of
            # this is none of the group's, and what it heard before that stop is over.
            _send(self.pid, number)
            self._ask(_ASK)
            self._forget(number)
            reached = is_taken_back
        self._settle(number)
        return reached

    def drain_before_stop(self) -> bool:
        """Have what the child has written so far passed on, before the shell writes something.

        True if it answers: it was not stopped along with its group.
        """
        self._ask(_DRAIN)
        self._forget(_signal.SIGCONT)  # as the kernel does: a stop takes back a SIGCONT not taken yet
        return not self._unanswered

    def _settle(self, number: int) -> None:
        """One signal of this number is dealt with."""
        echoes = [echo for echo in self._heard if echo[0] == number]
        self._forget(number)
        if number in _signal.sigpending():
            # Two of them may have become one in the relay process, and be two here: it is heard for the next as well.
            self._heard += [(number, time.monotonic() + _UNTIL_TAKEN) for _ in echoes]
        else:
            self._heard += echoes[1:]

    def _has_heard(self, number: int) -> bool:
        return any(heard == number for heard, _ in self._heard)

    def _forget(self, number: int) -> None:
        self._heard = [echo for echo in self._heard if echo[0] != number]

    def child_ended(self) -> None:
        """Have it end, once what the child wrote has gone on."""
        self._order(_CHILD_ENDED)

    def report(self, unread: Callable[[], None]) -> bytes:
        """Wait until what the child wrote has gone on; return the observer's report.

        `unread` is called when that takes so long that nobody can be reading.
        """
        _, answers = self._our_ends
        if not poller(answers).poll(_DRAIN_MILLISECONDS):
            unread()
        said = b""
        while not said.endswith((_STAYS, _LEAVES)) and (byte := os.read(answers, 1)):
            said = byte
        report = b""
        while piece := os.read(answers, 1 << 16):
            report += piece
        self.stays = said != _LEAVES
        return report

    def _order(self, order: bytes) -> None:
        orders, _ = self._our_ends
        _tell(orders, order)

    def _ask(self, order: bytes) -> None:
        """Have an order answered, and note which signals it has heard of since its last answer."""
        # What it has heard may still be on its way to us, or wait here to be taken.
        now, pending = time.monotonic(), _signal.sigpending()
        self._heard = [echo for echo in self._heard if echo[1] > now or echo[0] in pending]
        self._order(order)
        self._unanswered += 1
        _, answers = self._our_ends
        answered = poller(answers)
        said = b""
        while self._unanswered and answered.poll(_ANSWER_MILLISECONDS):
            piece = os.read(answers, 1 << 10)
            if not piece:
                break  # somebody has killed it
            self._unanswered -= piece.count(_ANSWERED)
            said += piece
        until = time.monotonic() + _ON_ITS_WAY
        self._heard += [(number, until) for number in said.replace(_ANSWERED, b"")]


def _is_taken_back(number: int) -> bool:
    """Whether this is a SIGCONT, and a stop has come after it, or the other way round.

    The kernel has either take back the other where that is pending still. The relay process may so have missed
    one that went to the group; and if it did not, it is still the later one that the child is to be left with.
    """
    pending = _signal.sigpending()
    if number == _signal.SIGCONT:
        return bool(_STOPS & pending)
    return number in _STOPS and _signal.SIGCONT in pending


def _serve(
    routes: list[Route], followers: list[Follower], watcher: Watcher, child: int, orders: int, answers: int
) -> None:
    """The relay process's life. It starts with all signals held, and is not waited for: nothing may fail."""
    Held([orders, answers, *ends(routes)]).let_go()
    try:
        os.chdir("/")  # it may outlive the run, and must keep no file system busy
    except OSError:
        pass
    try:
        for follower in followers:
            follower.start()
    except (RuntimeError, OSError):  # no threads to be had: output goes on, and that is all there is
        os.close(answers)
        follow_in_turn([follower for follower in followers if not follower.has_thread])
        for follower in followers:
            follower.wait_until_over()
        return
    _listen_for_signals(routes, answers, child)

    while (order := os.read(orders, 1)) not in (b"", _CHILD_ENDED):
        if order == _DRAIN:
            for follower in followers:
                follower.drain(_DRAIN_SECONDS)
        _tell(answers, _ANSWERED)
    ended = order == _CHILD_ENDED
    _signal.set_wakeup_fd(-1)
    if not ended:
        _send(child, _signal.SIGKILL)  # the launcher was killed, in place of the program
    for follower in followers:
        follower.drain()
    if ended:
        stays = any(not follower.is_over for follower in followers)
        _tell(answers, (_STAYS if stays else _LEAVES) + watcher.report())
    os.close(answers)
    for follower in followers:
        follower.wait_until_over()


def _listen_for_signals(routes: list[Route], answers: int, child: int) -> None:
    """From here on, the number of each signal is in `answers` the moment it has come."""

    def note(number: int, frame: object) -> None:
        # In the background a size changes without SIGWINCH; it is SIGCONT that brings us back.
        if number in (_signal.SIGWINCH, _signal.SIGCONT) and _follow_size(routes):
            _send(child, _signal.SIGWINCH)  # it may have looked before the size was there

    os.set_blocking(answers, False)
    _signal.set_wakeup_fd(answers, warn_on_full_buffer=False)
    heard = holdable_signals() - _UNHEARD
    for number in heard:
        _signal.signal(number, note)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, heard)
    if _follow_size(routes):  # since the routes were opened; of signals it has only those that came after its fork
        _send(child, _signal.SIGWINCH)


def _follow_size(routes: list[Route]) -> bool:
    changed = False
    for route in routes:
        if route.terminal is not None:
            try:
                changed |= route.terminal.follow_size()
            except OSError:
                pass  # that output is closed
    return changed


def _send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except OSError:
        pass  # it has ended


def _tell(listener: int, words: bytes) -> None:
    try:
        os.write(listener, words)
    except OSError:
        pass  # somebody has killed it, which is seen where we read
