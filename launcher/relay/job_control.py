"""Ctrl-C, Ctrl-Z, fg and kill: whom a signal was meant for, and stopping as the child has stopped.

A signal that was sent to the launcher alone is to be passed on to the child; one that went to its whole process group,
the child has had. The relay process tells: what it hears was sent to the group.
"""

from __future__ import annotations

import os
import time

from launcher.quiet import locked, quietly, start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.relay.relay_process import RelayProcess
else:
    import _signal  # `signal` itself takes 3.5 ms

STOPS = {_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU}  # SIGSTOP, which cannot be blocked, is never pending
_ON_ITS_WAY = 0.02  # seconds: far longer than the kernel needs to signal a group
_UNTIL_TAKEN = 1.0  # seconds: far longer than we need for the next signal


class GroupSignals:
    """The signals that the relay process has heard, and the launcher has not taken yet: each until when it counts."""

    __slots__ = ("_heard", "_relay")

    def __init__(self, relay: RelayProcess) -> None:
        self._relay = relay
        self._heard: list[tuple[int, float]] = []

    def reached_group(self, number: int) -> bool:
        """Whether a signal that the launcher has just taken went to its whole group.

        Asked rather than waited for, so that no load of the machine makes the answer wrong: Linux signals
        the younger members of a group first, and a process hears its signals before it reads on.
        """
        self._hear(self._relay.ask)
        is_taken_back = _is_taken_back(number)
        reached = is_taken_back or any(heard == number for heard, _ in self._heard)
        if number == _signal.SIGCONT and (self._relay.is_silent or not reached):
            # The relay process was stopped with the group, and this SIGCONT may be for the launcher alone. Continue it,
            # and ignore its echo and what it reported before the stop.
            self._relay.send(number)
            self._hear(self._relay.ask)
            self._forget(number)
            reached = is_taken_back
        if number in STOPS and not is_taken_back:
            self._forget(_signal.SIGCONT)  # the relay process has had it, but with this stop the kernel took it from us
        self._settle(number)
        return reached

    def drain_before_stop(self) -> None:
        """Have what the child has written so far passed on, before the shell writes something."""
        self._hear(self._relay.drain)
        if _signal.SIGCONT not in _signal.sigpending():
            self._forget(_signal.SIGCONT)  # what is left of one that a stop took from us

    def _hear(self, ask: Callable[[], bytes]) -> None:
        """Forget what no longer counts, and ask what has been heard since the last answer."""
        # What was heard before may still be on its way to us, or wait here to be taken.
        now, pending = time.monotonic(), _signal.sigpending()
        self._heard = [echo for echo in self._heard if echo[1] > now or echo[0] in pending]
        numbers = ask()
        until = time.monotonic() + _ON_ITS_WAY
        self._heard += [(number, until) for number in numbers]

    def _settle(self, number: int) -> None:
        """One signal of this number is dealt with."""
        echoes = [echo for echo in self._heard if echo[0] == number]
        self._forget(number)
        if number in _signal.sigpending():
            # Two of them may have become one in the relay process, and be two here: it is heard for the next as well.
            self._heard += [(number, time.monotonic() + _UNTIL_TAKEN) for _ in echoes]
        else:
            self._heard += echoes[1:]

    def _forget(self, number: int) -> None:
        self._heard = [echo for echo in self._heard if echo[0] != number]


def _is_taken_back(number: int) -> bool:
    """Whether this is a SIGCONT, and a stop has come after it, or the other way round.

    The kernel has either take back the other where that is pending still. The relay process may so have missed
    one that went to the group; and if it did not, it is still the later one that the child is to be left with.
    """
    pending = _signal.sigpending()
    if number == _signal.SIGCONT:
        return bool(STOPS & pending)
    return number in STOPS and _signal.SIGCONT in pending


class Stopper:
    """Stops this process, unless it has been continued meanwhile.

    A stop signal that we send ourselves makes the kernel drop a SIGCONT that has come right before, and nobody would
    continue us. So a thread keeps all stop signals pending, and blocked, from `arm` on: it is then the SIGCONT that
    drops them, and what is left of them takes effect, or does not, in one stroke.
    """

    __slots__ = ("_done", "_is_over", "_number", "_thread", "_wanted")

    def __init__(self) -> None:
        """Raises RuntimeError, or OSError, where there is no thread to be had."""
        self._number = 0
        self._is_over = False
        self._wanted, self._done = locked(), locked()
        blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, STOPS)  # as the thread is to have it
        try:
            self._thread = start_thread(self._run)
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, blocked)
        if _signal.SIGCONT not in _signal.sigpending():
            self.arm()

    def arm(self) -> None:
        """From here on a SIGCONT is not forgotten. One that has not been taken yet is: take it first."""
        for number in STOPS:
            _signal.pthread_kill(self._thread, number)

    def stop_by(self, number: int) -> None:
        """Stop by this signal, unless there has been a SIGCONT since `arm`; return when continued."""
        self._number = number
        self._wanted.release()
        self._done.acquire()

    def end(self) -> None:
        """End the thread: this process could not end before it, and waits for the relay process now."""
        self._is_over = True
        self._wanted.release()

    def _run(self) -> None:
        while True:
            self._wanted.acquire()
            if self._is_over:
                return
            quietly(_let_through, self._number)
            self._done.release()


def stop_by(number: int, stopper: Stopper | None) -> None:
    """Stop by the signal that has stopped the child, as its shell expects, unless we are continued meanwhile.

    Returns when continued.
    """
    ourselves = os.getpid()
    if number != _signal.SIGSTOP:  # which cannot be blocked
        _signal.signal(number, _signal.SIG_DFL)  # the caller may ignore what the child does not
        if stopper is not None:
            stopper.stop_by(number)
    if _signal.SIGCONT not in _signal.sigpending():
        # SIGSTOP, no thread, or a stop came right after a SIGCONT, and was the later one. Only here is a SIGCONT lost,
        # between these two calls: nothing was pending that it could drop, and no call looks and stops in one.
        os.kill(ourselves, number)
        if number != _signal.SIGSTOP:
            _let_through(number)


def _let_through(number: int) -> None:
    """Have a signal that is pending take effect, and block it again."""
    blocked = _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
    _signal.pthread_sigmask(_signal.SIG_SETMASK, blocked)
