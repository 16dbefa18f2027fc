"""Keeping our own files out of the caller's way, letting go of the caller's, and waiting for what can be read."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import select


def pipe() -> tuple[int, int]:
    """The reading and the writing end of a pipe, neither of them 0, 1 or 2."""
    reading, writing = os.pipe()
    return above_standard(reading), above_standard(writing)


def above_standard(descriptor: int) -> int:
    """The same file, but not as 0, 1 or 2: where the caller closed one of those, a new file lands on it."""
    if descriptor > 2:
        return descriptor
    moved = duplicate(descriptor)
    os.close(descriptor)
    return moved


def duplicate(descriptor: int, lowest: int = 3) -> int:
    """A second descriptor of the same file, not lower than `lowest`, that is closed at an exec."""
    lower = []
    try:
        while (copy := os.dup(descriptor)) < lowest:
            lower.append(copy)
        return copy
    finally:
        close(lower)


def null() -> int:
    """A descriptor of /dev/null, neither 0, 1 nor 2; where there is none, of a pipe that nobody reads."""
    try:
        return above_standard(os.open(os.devnull, os.O_RDWR))
    except OSError:
        reading, writing = pipe()
        os.close(reading)
        return writing


class Unneeded:
    """Everything open that is not to be kept: the caller's files, and our ends that belong to the child.

    Found out before this process forks, and let go of at once after it.
    """

    __slots__ = ("_null", "_others")

    def __init__(self, kept: list[int]) -> None:
        self._others = [number for number in open_descriptors() if number > 2 and number not in kept]
        self._null = null()

    def let_go(self) -> None:
        """Hold nothing of the caller's: /dev/null on 0, 1 and 2, and all others closed.

        Whoever waits for the end of a file, for EPIPE or for a lock must not wait for us.
        """
        for number in (0, 1, 2):
            os.dup2(self._null, number)
        close([self._null, *self._others])


def close(descriptors: list[int]) -> None:
    """Close all of these that are open."""
    for number in descriptors:
        try:
            os.close(number)
        except OSError:
            pass  # already closed: it listed the directory


def open_descriptors() -> list[int]:
    """All that this process holds open, as far as can be told; one of them may be closed again."""
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return list(range(1024))  # no /proc: as far as the customary limit goes


def poller(*readable: int) -> select.poll:
    """What waits until one of these can be read, or has come to its end."""
    # Not at the top, nor fcntl for `duplicate`: where Python has them as files of their own, a run waits 0.3 ms.
    import select

    made = select.poll()
    for descriptor in readable:
        made.register(descriptor, select.POLLIN)
    return made


def write_all(sink: int, data: memoryview) -> None:
    """Write all of it, whether or not the file blocks. Raises OSError."""
    while data:
        try:
            data = data[os.write(sink, data) :]
        except BlockingIOError:
            # The caller's O_NONBLOCK, which is not ours to take away.
            import select

            writable = select.poll()
            writable.register(sink, select.POLLOUT)
            writable.poll()
