"""Which of the child's outputs are relayed, and through what."""

from __future__ import annotations

import os
import stat

from launcher.relay.descriptors import above_standard, close, duplicate, pipe, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.relay.second_terminal import SecondTerminal


class Route:
    """One way out: the child writes to `child_end`, it arrives at `source`, and goes on to `sink`."""

    __slots__ = ("child_end", "numbers", "sink", "source", "terminal", "watched")

    def __init__(self, number: int, source: int, child_end: int, terminal: SecondTerminal | None) -> None:
        self.numbers = [number]  # the child's descriptors that take this way
        self.source = source
        self.child_end = child_end
        self.sink = duplicate(number)
        self.terminal = terminal  # the second pty, if this is the way to a terminal
        if terminal is not None:
            terminal.real = self.sink  # the descriptor that stays ours
        # A named FIFO may get a new reader; elsewhere a reader that has gone is gone for good.
        self.watched = not _is_named_fifo(number)


def open_routes(inherit_terminal: bool) -> list[Route]:
    """The routes for descriptors 1 and 2. What is in none of them, the child inherits.

    Two descriptors on one thing share a route, so that what is written to them keeps its order.
    """
    routes: dict[tuple[int, ...], Route] = {}
    for number in (1, 2):
        try:
            status = os.fstat(number)
            if not _is_relayed(number, status.st_mode, inherit_terminal):
                continue
            thing = _identity(number, status)
            if thing in routes:
                routes[thing].numbers.append(number)
            else:
                routes[thing] = _open_route(number, status.st_mode)
        except OSError:
            continue  # closed stays closed; what cannot be relayed is inherited
    return list(routes.values())


def ends(routes: list[Route]) -> list[int]:
    """The descriptors that a relay process copies from and to."""
    return [end for route in routes for end in (route.source, route.sink)]


def copy_plainly(routes: list[Route]) -> None:
    """Copy to the end, each route in a process of its own: what is left where nothing more can be imported.

    Raises OSError where either side has gone.
    """
    own = routes[:1]
    for route in routes[1:]:
        if os.fork() == 0:
            own = [route]
            break
    close(ends([route for route in routes if route not in own]))  # or no reader would see the end of its own
    for route in own:
        while data := os.read(route.source, 1 << 16):
            write_all(route.sink, memoryview(data))


def _is_relayed(number: int, mode: int, inherit_terminal: bool) -> bool:
    if stat.S_ISFIFO(mode):
        # A FIFO opened for both ways may be read from as well, which a relay could not serve.
        return not _can_be_read(number)
    if stat.S_ISCHR(mode):
        return not inherit_terminal and os.isatty(number)
    return stat.S_ISSOCK(mode) and _is_stream(number)


def _identity(number: int, status: os.stat_result) -> tuple[int, ...]:
    """Equal for two descriptors on one thing."""
    try:
        os.tcgetpgrp(number)
    except OSError:
        return (status.st_dev, status.st_ino, status.st_rdev)
    return ()  # the controlling terminal, whose files are several: /dev/tty, and its own


def _open_route(number: int, mode: int) -> Route:
    terminal = None
    if stat.S_ISCHR(mode):
        from launcher.relay.second_terminal import SecondTerminal

        source, child_end = (above_standard(end) for end in os.openpty())
        terminal = SecondTerminal(source, number)
    elif stat.S_ISSOCK(mode):
        source, child_end = _socket_pair()
    else:
        source, child_end = pipe()
    if not os.get_blocking(number):
        os.set_blocking(child_end, False)  # as the child would find it; the caller's own is never touched
    return Route(number, source, child_end, terminal)


def _can_be_read(number: int) -> bool:
    """Whether a pipe was opened for reading. Nothing is read, and nothing waited for."""
    try:
        os.read(number, 0)
    except OSError:
        return False
    return True


def _is_named_fifo(number: int) -> bool:
    status = os.fstat(number)
    if not stat.S_ISFIFO(status.st_mode):
        return False
    try:
        return os.readlink(f"/proc/self/fd/{number}").startswith("/")
    except OSError:
        return True


def _is_stream(number: int) -> bool:
    import _socket

    given = _socket.socket(fileno=number)
    try:
        return given.type == _socket.SOCK_STREAM
    finally:
        given.detach()


def _socket_pair() -> tuple[int, int]:
    import _socket

    ours, childs = _socket.socketpair()
    return above_standard(ours.detach()), above_standard(childs.detach())
