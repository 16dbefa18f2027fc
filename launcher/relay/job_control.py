"""Ctrl-C, Ctrl-Z, fg and kill: whom a signal was meant for, and stopping as the child has stopped.

A signal that was sent to the launcher alone is to be passed on to the child; one that went to its whole process group,
the child has had. The relay process tells: what it hears was sent to the group.
"""

from __future__ import annotations

import os
import time

from launcher.relay.handover import signals_to_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.relay.relay_process import RelayProcess
else:
    import _signal  # `signal` itself takes 3.5 ms

_STOPS = {_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU}  # SIGSTOP, which cannot be blocked, is never pending
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
        self._settle(number)
        return reached

    def drain_before_stop(self) -> tuple[bool, bool]:
        """Have what the child has written so far passed on, before the shell writes something.

        Returns whether the relay process answers, and so was not stopped along with its group; and whether we alone
        have been continued meanwhile, which the child, now that it has stopped, is to learn.
        """
        self._hear(self._relay.drain)
        is_continued = _signal.SIGCONT in _signal.sigpending()
        reached_group = any(number == _signal.SIGCONT for number, _ in self._heard)
        self._forget(_signal.SIGCONT)  # as the kernel does: a stop takes back a SIGCONT not taken yet
        return not self._relay.is_silent, is_continued and not reached_group

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
        return bool(_STOPS & pending)
    return number in _STOPS and _signal.SIGCONT in pending


def prepare_to_stop_by(number: int, alone: bool) -> None:
    """Raise the child's stop signal here, still blocked, before looking again whether the child is stopped.

    The kernel lets a later SIGCONT cancel it, and lets it cancel an earlier SIGCONT. Only once the child has really
    stopped: it may restore the terminal first, or ignore the signal. Our own copy of a signal that the terminal sent is
    still pending, or merges with this one: we stop once.

    `alone`: it is not the whole group that has been stopped.
    """
    if number != _signal.SIGSTOP:
        _signal.signal(number, _signal.SIG_DFL)  # the caller may ignore what the child does not
        os.kill(os.getpid(), number)
    elif alone and _signal.SIGCONT in _signal.sigpending():
        # SIGSTOP cannot be blocked: what it takes back, we do. One to the group has done so; what is here came later.
        _signal.sigwait({_signal.SIGCONT})


def stop_by(number: int) -> None:
    """Stop by the signal that has stopped the child, as its shell expects; return when continued."""
    if number == _signal.SIGSTOP:
        os.kill(os.getpid(), number)
    else:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
        _signal.pthread_sigmask(_signal.SIG_BLOCK, signals_to_block())
