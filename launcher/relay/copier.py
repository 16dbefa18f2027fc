"""The relay process: passes the child's output on, and looks at it afterwards.

It is in the caller's process group, where it serves as the canary too: a signal that reaches it was sent to
the whole group. When the launcher is killed, it ends the child; when a grandchild still holds the output at
the end, it lives on until that is served.
"""

from __future__ import annotations

import _thread
import os
import select
import termios

from launcher.handover import holdable_signals
from launcher.relay.routes import let_go
from launcher.relay.second_terminal import copy_size, pass_settings, undo_newlines

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.relay.ended import Observer
    from launcher.relay.routes import Route
else:
    import _signal

# What the launcher says, after the child's process id: a line of its own.
ASK = b"?"  # which signals have you had?
CHILD_ENDED = b"."
# What ends each answer; signal numbers come before it. After the last one comes the report, to the end.
ANSWERED = 0

_CHUNK = 1 << 16
# More than any buffer held when the child ended: whatever comes after that, somebody else wrote.
_FULL_BUFFER = 1 << 20
_REPORT_LIMIT = 1 << 14
# Real faults of this process must end it, not be taken for a message.
_FAULTS = {_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGTRAP, _signal.SIGSYS}


def serve(routes: list[Route], observer: Callable[[], Observer], orders: int, answers: int) -> None:
    """The life of the relay process, from the fork to its end. All signals are held when it starts."""
    let_go([orders, answers, *(end for route in routes for end in (route.source, route.sink))])
    os.chdir("/")  # it may outlive the run, and must keep no file system busy
    watcher = _Watcher(observer)
    child: list[int] = []
    ending, child_is_here = os.pipe()
    threads = [_Follower(route, watcher, ending) for route in routes]
    _listen_for_signals(routes, answers, child)

    order = os.read(orders, 64)
    child.extend(int(word) for word in order.splitlines()[:1])
    while order and not order.endswith(CHILD_ENDED):
        if order == ASK:
            os.write(answers, bytes((ANSWERED,)))
        order = os.read(orders, 64)

    os.close(child_is_here)
    if not order and child:
        os.kill(child[0], _signal.SIGKILL)  # the launcher was killed: so would the program have been
    for thread in threads:
        thread.drained.acquire()
    _signal.set_wakeup_fd(-1)
    if order:
        os.write(answers, bytes((ANSWERED,)) + watcher.report())
    os.close(answers)
    for thread in threads:
        thread.done.acquire()


def _listen_for_signals(routes: list[Route], answers: int, child: list[int]) -> None:
    """From here on, each signal's number goes into `answers` the moment it comes."""

    def note(number: int, frame: object) -> None:
        # A size can change while we are in the background, where only SIGCONT tells.
        if number in (_signal.SIGWINCH, _signal.SIGCONT):
            follow_size()

    def follow_size() -> None:
        changed = False
        for route in routes:
            if route.settings is not None:
                try:
                    changed |= copy_size(route.sink, route.source)
                except OSError:
                    pass  # the terminal is gone, or that output is closed
        if changed and child:
            os.kill(child[0], _signal.SIGWINCH)  # it may have looked before the size was there

    os.set_blocking(answers, False)
    _signal.set_wakeup_fd(answers, warn_on_full_buffer=False)
    heard = holdable_signals() - _FAULTS
    for number in heard:
        _signal.signal(number, note)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, heard)


class _Watcher:
    """The observer, made when there is something to see; what goes wrong in it ends only the watching."""

    def __init__(self, make: Callable[[], Observer]) -> None:
        self._make = make
        self._observer: Observer | None = None
        self._failed = False
        self._lock = _thread.allocate_lock()

    def feed(self, data: bytes) -> None:
        with self._lock:
            if self._failed:
                return
            try:
                if self._observer is None:
                    self._observer = self._make()
                self._observer.feed(data)
            except BaseException:
                self._failed = True

    def report(self) -> bytes:
        with self._lock:
            try:
                return (
                    b"" if self._failed or self._observer is None else self._observer.report()[:_REPORT_LIMIT]
                )
            except BaseException:
                return b""


class _Follower:
    """A thread that copies one route with plain blocking reads and writes.

    A thread each, so that a reader who does not read one stream holds up neither the other nor the orders.
    """

    def __init__(self, route: Route, watcher: _Watcher, ending: int) -> None:
        self.drained = _locked()
        self.done = _locked()
        self._route = route
        self._watcher = watcher
        self._ending = ending
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        route = self._route
        try:
            self._copy(until_child_ended=True)
            self._drain()
            self.drained.release()
            self._copy(until_child_ended=False)
        except (OSError, EOFError, termios.error):
            pass  # whichever side it was: the other learns it by the closing
        os.close(route.source)
        os.close(route.sink)
        if self.drained.locked():
            self.drained.release()
        self.done.release()

    def _copy(self, until_child_ended: bool) -> None:
        poller = select.poll()
        poller.register(self._route.source, select.POLLIN)
        # No event of its own: only to hear at once that the reader has gone, so that the child hears it too.
        poller.register(self._route.sink, 0)
        if until_child_ended:
            poller.register(self._ending, 0)
        while True:
            ready = [number for number, _ in poller.poll()]
            if self._route.sink in ready:
                raise BrokenPipeError
            if self._ending in ready:
                return
            self._pass_on()

    def _drain(self) -> None:
        """Pass on what is there now: all that the child wrote is, even where others write on for ever."""
        passed = 0
        while passed < _FULL_BUFFER and _is_readable(self._route.source, 0):
            passed += self._pass_on()

    def _pass_on(self) -> int:
        route = self._route
        data = os.read(route.source, _CHUNK)
        if not data:
            raise EOFError
        if route.settings is not None:
            route.settings = pass_settings(route.source, route.settings, route.sink)
            data = undo_newlines(route.source, route.settings, data)
        _write_all(route.sink, data)
        self._watcher.feed(data)
        return len(data)


def _locked() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _is_readable(source: int, milliseconds: int) -> bool:
    poller = select.poll()
    poller.register(source, select.POLLIN)
    return bool(poller.poll(milliseconds))


def _write_all(sink: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            # The caller's own O_NONBLOCK, which is not ours to change.
            poller = select.poll()
            poller.register(sink, select.POLLOUT)
            poller.poll()
