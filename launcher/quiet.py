"""Doing what may fail without anybody noticing: no failure of telemetry's may be seen in a run.

Who works on the launcher can see it all the same: CHEF_RUN_LAUNCHER_DEFECTS names a file to which each is appended, by
the kind of error and the places in our code that led to it. Its text is left out: it may quote a command line.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    T = TypeVar("T")
    Covariant = TypeVar("Covariant", covariant=True)

    class Result(Protocol[Covariant]):
        """Waits for work to be done, for so many seconds at most if given, and gives its result; else None."""

        def __call__(self, seconds: float | None = None) -> Covariant | None: ...


VARIABLE = "CHEF_RUN_LAUNCHER_DEFECTS"
_UNTIL_BEGUN = 1.0  # seconds: far longer than a thread needs for its first line


def quietly(work: Callable[..., T], *arguments: Any) -> T | None:
    """What `work` returns; None if it raises anything at all."""
    try:
        return work(*arguments)
    except BaseException as error:
        note(error)
        return None


def in_background(work: Callable[..., T], *arguments: Any) -> Result[T]:
    """Begin to work quietly in a thread."""
    results: list[T | None] = []
    over = locked()

    def run() -> None:
        results.append(quietly(work, *arguments))
        over.release()

    thread = quietly(start_thread, run)

    def result(seconds: float | None = None) -> T | None:
        if not thread:
            run()  # there was no thread to be had
        elif over.acquire(True, -1 if seconds is None else seconds):
            over.release()
        return results[0] if results else None

    return result


def start_thread(run: Callable[[], None]) -> int:
    """Have this run in a thread, and return the thread's number, once it has begun.

    Raises RuntimeError, or OSError, if there is none to be had. Where memory is short, one may be made and end before
    its first line, of which Python tells nobody.
    """
    begun, turn = locked(), _thread.allocate_lock()

    def run_if_awaited() -> None:
        if turn.acquire(False):
            begun.release()
            run()

    thread = _thread.start_new_thread(run_if_awaited, ())
    if not begun.acquire(True, _UNTIL_BEGUN) and turn.acquire(False):
        raise RuntimeError("a thread does not begin")
    return thread


def locked() -> _thread.LockType:
    """A lock that whoever waits for it gets once it is released."""
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def note(error: BaseException) -> None:
    """Append an error to the developer's file, if there is one."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    try:
        from traceback import format_tb

        text = f"{type(error).__name__} in process {os.getpid()}\n{''.join(format_tb(error.__traceback__))}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, text.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)
    except Exception:
        pass
