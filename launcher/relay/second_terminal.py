"""The second pty: shows the child the user's terminal, and is undone again on the way to it.

The child sees the settings that the real terminal has, output processing included. The real terminal will
process the output too, so what the second pty added is taken out again: each newline of a stream that went
through ONLCR has its own carriage return, which makes the way back exact.
"""

from __future__ import annotations

import fcntl
import os
import select
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Output processing that cannot be undone exactly; where it is on, the second pty does without any.
_NOT_UNDOABLE = termios.OLCUC | termios.OCRNL | termios.ONOCR | termios.ONLRET | termios.TABDLY
_OFLAG = 1
_CC = 6


def open_second_terminal(terminal: int) -> tuple[int, int]:
    """Our end and the child's end of a pty with the settings and the size of `terminal`.

    It is nobody's controlling terminal: input, signals and job control stay with the real one.
    """
    ours, childs = os.openpty()
    settings = termios.tcgetattr(terminal)
    if settings[_OFLAG] & _NOT_UNDOABLE:
        settings[_OFLAG] &= ~termios.OPOST
    termios.tcsetattr(childs, termios.TCSANOW, settings)
    copy_size(terminal, ours)
    return ours, childs


def copy_size(terminal: int, second: int) -> bool:
    """Give the second pty the terminal's size, pixels included. True if that changed it."""
    size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8))
    if size == fcntl.ioctl(second, termios.TIOCGWINSZ, bytes(8)):
        return False
    fcntl.ioctl(second, termios.TIOCSWINSZ, size)
    return True


def pass_settings(second: int, last: list[Any], terminal: int) -> list[Any]:
    """Make on the terminal the changes that the child made on the second pty since `last`.

    Returns the settings that the second pty has now.
    """
    now = termios.tcgetattr(second)
    if now != last:
        real = termios.tcgetattr(terminal)
        for flags in range(4):
            changed = now[flags] ^ last[flags]
            real[flags] = real[flags] & ~changed | now[flags] & changed
        for index, character in enumerate(now[_CC]):
            if character != last[_CC][index]:
                real[_CC][index] = character
        termios.tcsetattr(terminal, termios.TCSANOW, real)
    return now


def undo_newlines(second: int, settings: list[Any], data: bytes) -> bytes:
    """`data`, just read from the second pty, as the child wrote it."""
    if settings[_OFLAG] & (termios.OPOST | termios.ONLCR) != termios.OPOST | termios.ONLCR:
        return data
    while data.endswith(b"\r") and _more_comes(second, len(data)):
        data += os.read(second, _BUFFER)
    return data.replace(b"\r\n", b"\n")


# What a pty holds for a reader. Only a read that took it all can have come between a \r and its \n.
_BUFFER = 4095


def _more_comes(second: int, taken: int) -> bool:
    poller = select.poll()
    poller.register(second, select.POLLIN)
    return any(event & select.POLLIN for _, event in poller.poll(10 if taken >= _BUFFER else 0))
