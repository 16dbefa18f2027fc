"""Copying one route, and showing what has gone by to the observer. Runs in the relay process alone."""

from __future__ import annotations

import _thread
import sys

assert sys.platform != "win32"  # first, or the type checker looks for what follows on Windows too
# ruff: noqa: E402

import os
import select

from launcher.relay.descriptors import pipe, poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.relay.routes import Route
    from launcher.relay.watcher import Watcher

_CHUNK = 1 << 16
# No less than a pipe, a socket or a pty holds: what comes after that much was written later.
_FULL_BUFFER = 1 << 20


class Follower:
    """What copies one route, with plain blocking reads and writes: back-pressure is the kernel's.

    A thread for each, so that a reader who leaves one stream unread holds up neither the other nor an order.
    """

    __slots__ = (
        *("_answered", "_ask", "_asked", "_asks", "_buffer", "_news", "_over", "_route", "_watcher"),
        *("has_thread", "is_over"),
    )

    def __init__(self, route: Route, watcher: Watcher) -> None:
        self._route = route
        self._buffer = bytearray(_CHUNK)  # the same for each read: a pipe passes a tenth more than with new ones
        self._watcher = watcher
        self._asked = self._answered = 0
        self._news = _locked()  # released with each answer, and at the end
        self._over = _locked()  # released at the end
        self.has_thread = False
        self.is_over = False

    def start(self) -> None:
        """Copy from here on, in a thread. Raises RuntimeError, or OSError, if there is none to be had."""
        self._asks, self._ask = pipe()  # a byte for each time that it is to say when it has drained
        _thread.start_new_thread(self._run, ())
        self.has_thread = True

    def drain(self, seconds: float = -1) -> None:
        """Wait until all that has been written so far has gone on; for so many seconds at most, if given."""
        self._asked += 1
        os.write(self._ask, b".")
        while self._answered < self._asked and not self.is_over:
            if not self._news.acquire(True, seconds):
                return

    def wait_until_over(self) -> None:
        """Wait until nobody can write to this route any more, or nobody reads it."""
        self._over.acquire()

    def _run(self) -> None:
        try:
            self._copy()
        except (OSError, EOFError):
            pass  # either side has gone; by our closing, the other learns it
        self.end()

    def end(self) -> None:
        """Leave both sides, which learn of each other's end by that."""
        self._close()
        self.is_over = True
        self._tell()
        self._over.release()

    @property
    def source(self) -> int:
        """Where what the child writes arrives."""
        return self._route.source

    def _copy(self) -> None:
        events = poller(self._route.source, self._asks)
        # For no event but the loss of the reader: the child must learn of it now, not two writes later.
        # Not elsewhere: macOS cannot poll every terminal.
        if self._route.watched and sys.platform == "linux":
            events.register(self._route.sink, 0)
        while True:
            ready = dict(events.poll())
            if self._route.sink in ready:
                raise BrokenPipeError
            if self._asks in ready:
                asked = len(os.read(self._asks, 1 << 10))
                self._drain()
                self._answered += asked
                self._tell()
            else:
                self.pass_on()

    def _tell(self) -> None:
        if self._news.locked():
            self._news.release()

    def _drain(self) -> None:
        """Pass on what is there now, and no more than that where somebody writes on for ever."""
        if self._route.terminal is not None:
            self._route.terminal.pass_on_settings()
        more = poller(self._route.source)
        passed = 0
        while passed < _FULL_BUFFER and more.poll(0):
            passed += self.pass_on()

    def pass_on(self) -> int:
        """Pass on what can be read at once, or wait for it; how many bytes. Raises OSError, EOFError at the end."""
        data = memoryview(self._buffer)[: os.readv(self._route.source, [self._buffer])]
        if not data:
            raise EOFError
        terminal = self._route.terminal
        if terminal is None:
            _write_all(self._route.sink, data)
        else:
            terminal.pass_on_settings()
            written = terminal.as_written(bytes(data))
            for step in terminal.steps_to_show(written):
                _write_all(self._route.sink, memoryview(step))
            data = memoryview(written)
        self._watcher.show(data)
        return len(data)

    def _close(self) -> None:
        if self._route.terminal is not None:
            try:
                self._route.terminal.pass_on_settings()
            except OSError:
                pass  # the terminal is gone
        os.close(self._route.source)
        os.close(self._route.sink)


def follow_in_turn(followers: list[Follower]) -> None:
    """Copy these routes to their ends in this thread: a reader who waits holds up the other one."""
    left = {follower.source: follower for follower in followers}
    while left:
        for source, _ in poller(*left).poll():
            try:
                left[source].pass_on()
            except (OSError, EOFError):
                left.pop(source).end()


def _locked() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _write_all(sink: int, data: memoryview) -> None:
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            # The caller's O_NONBLOCK, which is not ours to take away.
            writable = select.poll()
            writable.register(sink, select.POLLOUT)
            writable.poll()
