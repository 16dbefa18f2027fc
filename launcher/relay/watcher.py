"""Showing what goes by to an observer, which may fail. Runs in the relay process alone."""

from __future__ import annotations

import _thread

from launcher.quiet import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Observer(Protocol):
        """What looks at the output, in the relay process, after it has been passed on.

        It gets standard output and standard error in the order in which they were passed on.
        """

        def feed(self, data: memoryview) -> None:
            """Look at what has gone by. The next chunk takes its place."""

        def report(self) -> bytes:
            """Its findings. More than 16 KiB of them are dropped."""


_MAX_REPORT = 1 << 14  # bytes


class Watcher:
    """An observer that several threads may show something to. What goes wrong in it ends only the watching."""

    __slots__ = ("_failed", "_lock", "_make", "_observer")

    def __init__(self, make: Callable[[], Observer]) -> None:
        self._make = make
        self._observer: Observer | None = None
        self._failed = False
        self._lock = _thread.allocate_lock()  # threading takes 6 ms, and the user waits for its import

    def prepare(self) -> None:
        """Have the observer made, and its modules imported, before there is something to see."""
        self.show(memoryview(b""))

    def show(self, data: memoryview) -> None:
        with self._lock:
            if self._failed:
                return
            try:
                if self._observer is None:
                    self._observer = self._make()
                if data:
                    self._observer.feed(data)
            except BaseException as error:
                self._fail(error)

    def report(self) -> bytes:
        """The observer's findings; empty if it failed, or found more than fits."""
        with self._lock:
            if self._failed or self._observer is None:
                return b""
            try:
                report = self._observer.report()
            except BaseException as error:
                self._fail(error)
                return b""
            return report if len(report) <= _MAX_REPORT else b""

    def _fail(self, error: BaseException) -> None:
        self._failed = True
        note(error)
