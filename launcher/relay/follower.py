"""Copying one route, and showing what has gone by to the observer. Runs in the relay process alone."""

from __future__ import annotations

import os
import sys

from launcher.quiet import locked, note, quietly, start_thread
from launcher.relay.descriptors import pipe, poller, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.relay.routes import Route
    from launcher.relay.watcher import Watcher

_CHUNK = 1 << 16
# At least what a pipe, socket or pty holds: anything beyond was written after draining began.
_FULL_BUFFER = 1 << 20


class Follower:
    """What copies one route, with plain blocking reads and writes: back-pressure is the kernel's.

    A thread for each, so that a reader who leaves one stream unread holds up neither the other nor an order.
    """

    __slots__ = (
        *("_buffer", "_over", "_plain", "_progress", "_request_writer", "_requested", "_requests", "_route", "_served"),
        *("_watcher", "has_thread", "is_over"),
    )

    def __init__(self, route: Route, watcher: Watcher) -> None:
        self._route = route
        self._buffer = bytearray(_CHUNK)  # the same for each read: a pipe passes a tenth more than with new ones
        self._watcher = watcher
        self._plain = False  # whether to copy and do nothing else
        self._requested = self._served = 0
        self._progress = locked()  # released with each answer, and at the end
        self._over = locked()  # released at the end
        self.has_thread = False
        self.is_over = False

    def start(self) -> None:
        """Copy from here on, in a thread. Raises RuntimeError, or OSError, if there is none to be had."""
        self._requests, self._request_writer = pipe()  # a byte for each time that it is to say when it has drained
        start_thread(self._run)
        self.has_thread = True

    def drain(self, seconds: float | None = None) -> None:
        """Wait until all that has been written so far has gone on; for so many seconds at most, if given."""
        self._requested += 1
        os.write(self._request_writer, b".")
        while self._served < self._requested and not self.is_over:
            if not self._progress.acquire(True, -1 if seconds is None else seconds):
                return

    def wait_until_over(self) -> None:
        """Wait until nobody can write to this route any more, or nobody reads it."""
        self._over.acquire()

    def _run(self) -> None:
        try:
            self._copy()
        except (OSError, EOFError):
            pass  # either side has gone; by our closing, the other learns it
        except BaseException as error:  # a defect of ours, which must cost no output
            note(error)
            self._plain = True
            quietly(self._copy)
        finally:
            self.end()

    def end(self) -> None:
        """Leave both sides, which learn of each other's end by that."""
        try:
            self._close()
        finally:
            self.is_over = True
            self._tell()
            self._over.release()

    @property
    def is_to_a_terminal(self) -> bool:
        """Whether a terminal shows what is copied here."""
        return self._route.terminal is not None

    @property
    def source(self) -> int:
        """Where what the child writes arrives."""
        return self._route.source

    def _copy(self) -> None:
        events = poller(self._route.source, self._requests)
        # For no event but the loss of the reader: the child must learn of it now, not two writes later.
        # Not elsewhere: macOS cannot poll every terminal.
        if self._route.watched and sys.platform == "linux":
            events.register(self._route.sink, 0)
        while True:
            ready = dict(events.poll())
            if self._route.sink in ready:
                raise BrokenPipeError
            if self._requests in ready:
                requested = len(os.read(self._requests, 1 << 10))
                self._drain()
                self._served += requested
                self._tell()
            else:
                self.pass_on()

    def _tell(self) -> None:
        if self._progress.locked():
            self._progress.release()

    def _drain(self) -> None:
        """Pass on what is there now, and no more than that where somebody writes on for ever."""
        if self._route.terminal is not None and not self._plain:
            self._route.terminal.pass_on_settings()
        more = poller(self._route.source)
        passed = 0
        while passed < _FULL_BUFFER and more.poll(0):
            passed += self.pass_on()

    def pass_on(self) -> int:
        """Pass on what can be read at once, or wait for it; how many bytes. Raises OSError, EOFError at the end."""
        size = os.readv(self._route.source, [self._buffer])
        if not size:
            raise EOFError
        data = memoryview(self._buffer)[:size]
        terminal = self._route.terminal
        if terminal is None or self._plain:
            write_all(self._route.sink, data)
        else:
            terminal.pass_on_settings()
            written = terminal.as_written(bytes(data))
            for step in terminal.steps_to_show(written):
                write_all(self._route.sink, memoryview(step))
            data = memoryview(written)
        if not self._plain:
            self._watcher.show(data)
        return size

    def _close(self) -> None:
        if self._route.terminal is not None:
            quietly(self._route.terminal.pass_on_settings)  # the terminal may be gone
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
