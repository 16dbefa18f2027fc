"""The life of the relay process: it passes the child's output on, and hears which signals the whole group gets.

It is in the caller's process group: a signal that reaches it was sent to the group.
When the launcher is killed, it ends the child, as that signal would have; when a grandchild still holds the
output at the end, it lives on until that is served.
"""

from __future__ import annotations

import os

from launcher.quiet import quietly
from launcher.relay.descriptors import poller
from launcher.relay.follower import Follower, follow_in_turn
from launcher.relay.handover import forget_arguments, send, signals_to_block
from launcher.relay.relay_process import ANSWERED, ASK, CHILD_ENDED, DRAIN, LEAVES, STAYS, STOPS, tell
from launcher.relay.watcher import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.relay.routes import Route
    from launcher.relay.watcher import Observer
else:
    import _signal  # `signal` itself takes 3.5 ms

# Left at their defaults: a fault in the relay process must end it.
_UNHEARD = {_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGTRAP, _signal.SIGSYS}
# With output paused by Ctrl-S, Ctrl-Z waits no longer than this.
_DRAIN_SECONDS = 0.1
# Until then the program has begun, and what the observer imports takes no processor from it.
_QUIET_MILLISECONDS = 100
# How often it looks whether a child that is stopped goes on again.
_STOPPED_MILLISECONDS = 100


def serve(routes: list[Route], make_observer: Callable[[], Observer], child: int, orders: int, answers: int) -> None:
    """The life of the relay process. It starts with all signals blocked, and holds nothing of the caller's.

    Whatever it raises, it raises before it has copied anything.
    """
    try:
        os.chdir("/")  # it may outlive the run, and must keep no file system busy
    except OSError:
        pass
    watcher = Watcher(make_observer)
    followers = [Follower(route, watcher) for route in routes]
    try:
        for follower in followers:
            follower.start()
    except Exception:  # no threads to be had: output goes on, and that is all there is
        os.close(answers)
        follow_in_turn([follower for follower in followers if not follower.has_thread])
        for follower in followers:
            follower.wait_until_over()
        return
    quietly(_listen_for_signals, routes, answers, child)
    quietly(_adjust_size, routes, child)  # since the routes were opened; of signals it has only those after its fork
    quietly(_obey, followers, watcher, child, orders, answers)
    os.close(answers)
    for follower in followers:  # a grandchild may still write
        follower.wait_until_over()


def _obey(followers: list[Follower], watcher: Watcher, child: int, orders: int, answers: int) -> None:
    """Do as the launcher orders, until the child has ended, or the launcher; then report."""
    on_a_terminal = any(follower.is_to_a_terminal for follower in followers)
    if on_a_terminal and not poller(orders).poll(_QUIET_MILLISECONDS):
        watcher.prepare()  # off a terminal, there may never be anything to look at
    while (order := os.read(orders, 1)) not in (b"", CHILD_ENDED):
        if order == STOPS:
            _wake_the_launcher(orders, child)
        elif order == DRAIN:
            for follower in followers:
                follower.drain(_DRAIN_SECONDS)
        if order in (ASK, DRAIN):
            tell(answers, ANSWERED)
    _signal.set_wakeup_fd(-1)
    if not order:  # the launcher was killed, in place of the program
        send(child, _signal.SIGKILL)
        quietly(forget_arguments)
    for follower in followers:
        follower.drain()
    if order:
        stays = any(not follower.is_over for follower in followers)
        if stays:
            quietly(forget_arguments)
        tell(answers, (STAYS if stays else LEAVES) + watcher.report())


def _wake_the_launcher(orders: int, child: int) -> None:
    """Continue the launcher, which has stopped as the child has, when the child goes on or ends; until the next order.

    The launcher is the child's parent, and is told; but who is stopped does not hear it. Its own parent, the shell,
    continues the group: then there is nothing to do here.
    """
    launcher = os.getppid()
    while not poller(orders).poll(_STOPPED_MILLISECONDS):
        if _state(launcher) == "T" and _state(child) not in ("T", "t"):
            send(launcher, _signal.SIGCONT)


def _state(process: int) -> str | None:
    """The state of a process by its letter, as ps shows it; None where that cannot be known."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None


def _listen_for_signals(routes: list[Route], answers: int, child: int) -> None:
    """From here on, the number of each signal is in `answers` the moment it has come."""

    def note(number: int, frame: object) -> None:
        # In the background a size changes without SIGWINCH; it is SIGCONT that brings us back.
        if number in (_signal.SIGWINCH, _signal.SIGCONT):
            _adjust_size(routes, child)

    os.set_blocking(answers, False)
    _signal.set_wakeup_fd(answers, warn_on_full_buffer=False)
    heard = signals_to_block() - _UNHEARD
    for number in heard:
        _signal.signal(number, note)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, heard)


def _adjust_size(routes: list[Route], child: int) -> None:
    """Have the second terminal as large as the real one, and the child look again: it may have done so too early."""
    if _follow_size(routes):
        send(child, _signal.SIGWINCH)


def _follow_size(routes: list[Route]) -> bool:
    changed = False
    for route in routes:
        if route.terminal is not None:
            try:
                changed |= route.terminal.follow_size()
            except OSError:
                pass  # that output is closed
    return changed
