"""Keeping our own files out of the caller's way, letting go of the caller's, and waiting for what can be read."""

from __future__ import annotations

import os
import sys

assert sys.platform != "win32"

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
    """A second descriptor of the same file, not lower than `lowest`, that no program of others inherits."""
    # Not by fcntl: Python may have it as a file of its own, which takes 0.3 ms to load.
    lower = []
    try:
        while (copy := os.dup(descriptor)) < lowest:
            lower.append(copy)
        return copy
    finally:
        for each in lower:
            os.close(each)


class Held:
    """All that this process holds open now, but for what it is to keep: found out in advance, let go of at once."""

    __slots__ = ("_null", "_others")

    def __init__(self, kept: list[int]) -> None:
        self._others = [number for number in _open_descriptors() if number > 2 and number not in kept]
        try:
            self._null = above_standard(os.open("/dev/null", os.O_RDWR))
        except OSError:
            self._null = -1  # there is none here

    def let_go(self) -> None:
        """Hold nothing of the caller's: /dev/null on 0, 1 and 2, and all others closed.

        Whoever waits for the end of a file, for EPIPE or for a lock must not wait for us.
        """
        if self._null < 0:
            os.closerange(0, 3)
        else:
            for number in (0, 1, 2):
                os.dup2(self._null, number)
            os.close(self._null)
        for number in self._others:
            try:
                os.close(number)
            except OSError:
                pass  # the one that listed the others


def _open_descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return list(range(1024))  # no /proc: as far as the customary limit goes


def poller(*readable: int) -> select.poll:
    """What waits until one of these can be read, or has come to its end."""
    import select  # not at the top: where Python has it as a file of its own, it would cost 0.6 ms before chef-run runs

    made = select.poll()
    for descriptor in readable:
        made.register(descriptor, select.POLLIN)
    return made
