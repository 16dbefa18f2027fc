"""The second pty, which stands for the user's terminal as the child's output.

It is nobody's controlling terminal: input, signals and job control stay with the real one. The child sees
the real one's settings on it, output processing included. The real one will process the output as well, so
what the second pty added is taken out on the way: after ONLCR every newline has a carriage return of its own,
which makes the way back exact.

What the child does to the real terminal by way of standard input or /dev/tty, raw mode for a key above all, overtakes
the lines that are still on their way here. They were to be processed, and the real terminal no longer does it; nothing
tells them from lines that came after the change. So there, each line is ended as if it had been processed.
"""

from __future__ import annotations

import fcntl
import select
import termios

from launcher.relay.descriptors import poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Output processing that cannot be undone exactly; where it is on, the second pty does without any.
_NOT_UNDOABLE = sum(getattr(termios, name, 0) for name in ("OLCUC", "OCRNL", "ONOCR", "ONLRET", "TABDLY"))
_OFLAG, _FLAGS, _CHARACTERS = 1, range(4), 6  # places in what tcgetattr returns
# What a pty holds ready for one read. Only where a read took all of that can it have parted a \r from its \n.
_FULL_READ = 4095
_MILLISECONDS_FOR_THE_REST = 10
# A flood: so much at least is left of a full read when what the second pty added is out. No prompt is that long.
_FLOOD = _FULL_READ // 2


class SecondTerminal:
    """A pty by our end of it, and the terminal that it stands for."""

    __slots__ = ("_kept", "_ours", "_settings", "real")

    def __init__(self, ours: int, real: int) -> None:
        settings = _settings_of(real)
        if settings[_OFLAG] & _NOT_UNDOABLE:
            settings[_OFLAG] &= ~termios.OPOST
        _set(ours, settings)
        self._ours = ours
        self._kept = b""  # read, and not yet given out
        self._settings = _settings_of(ours)
        self.real = real
        self.follow_size()

    def follow_size(self) -> bool:
        """Take on the real terminal's size, pixels included. True if that is a change."""
        size = fcntl.ioctl(self.real, termios.TIOCGWINSZ, bytes(8))
        if size == fcntl.ioctl(self._ours, termios.TIOCGWINSZ, bytes(8)):
            return False
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)
        return True

    def pass_on_settings(self) -> None:
        """Make on the real terminal what changes the child has made here: curses sets modes on its output."""
        before, now = self._settings, _settings_of(self._ours)
        if now == before:
            return
        self._settings = now
        real = _settings_of(self.real)
        for place in _FLAGS:
            changed = before[place] ^ now[place]
            real[place] = real[place] & ~changed | now[place] & changed
        for index, character in enumerate(now[_CHARACTERS]):
            if character != before[_CHARACTERS][index]:
                real[_CHARACTERS][index] = character
        _set(self.real, real)

    def as_written(self, data: bytes) -> bytes:
        """`data`, just read from our end, as the child wrote it. A `\\r` at its end may come with the next read."""
        wait = _MILLISECONDS_FOR_THE_REST if len(data) >= _FULL_READ else 0
        data, self._kept = self._kept + data, b""
        if not _processes_lines(self._settings):
            return data
        if data.endswith(b"\r") and self._has_more(wait):
            data, self._kept = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n")

    def steps_to_show(self, written: bytes) -> Iterator[bytes]:
        """What makes the real terminal show `written` as it would have: each step is to be written before the next."""
        if not _processes_lines(self._settings):
            yield written
            return
        rest = written
        processed = self._real_processes_lines()
        # A change may come between our look and our write: hence line by line, except in a flood.
        while processed and b"\n" in rest and len(rest) < _FLOOD:
            line, newline, rest = rest.partition(b"\n")
            yield line + newline
            processed = self._real_processes_lines()
            if not processed:
                yield b"\r"  # that line may have lacked it; where it did not, nobody sees another
        yield rest if processed else _with_returns(rest)

    def _real_processes_lines(self) -> bool:
        return _processes_lines(_settings_of(self.real))

    def _has_more(self, milliseconds: int) -> bool:
        return any(event & select.POLLIN for _, event in poller(self._ours).poll(milliseconds))


def _processes_lines(settings: list[Any]) -> bool:
    both = termios.OPOST | termios.ONLCR
    return bool(settings[_OFLAG] & both == both)


def _with_returns(lines: bytes) -> bytes:
    """`lines`, with a carriage return in front of each newline that has none."""
    return lines.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


# termios has an exception of its own, which is no OSError. Who copies a pipe need not import it to know that.


def _settings_of(descriptor: int) -> list[Any]:
    try:
        return termios.tcgetattr(descriptor)
    except termios.error as error:
        raise OSError(*error.args) from None


def _set(descriptor: int, settings: list[Any]) -> None:
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    except termios.error as error:
        raise OSError(*error.args) from None
