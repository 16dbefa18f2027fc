"""Which of the child's outputs are relayed, and through what."""

from __future__ import annotations

import fcntl
import os
import stat
import termios

from launcher.relay.second_terminal import open_second_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Route:
    """One way of output: the child writes to `child_end`, it arrives at `source`, and goes on to `sink`."""

    __slots__ = ("child_end", "numbers", "settings", "sink", "source", "thing")

    def __init__(self, thing: tuple[int, int, int], number: int, source: int, child_end: int) -> None:
        self.thing = thing
        self.numbers = [number]  # the child's descriptors that it serves
        self.source = source
        self.child_end = child_end
        self.sink = _duplicate(number)
        self.settings: list[Any] | None = None  # of the second pty, as last seen; None: not a terminal


def open_routes(inherit_terminal: bool) -> list[Route]:
    """The routes for descriptors 1 and 2. What is in none of them, the child inherits.

    Two descriptors on one thing share a route, so that what is written to them keeps its order.
    """
    routes: list[Route] = []
    for number in (1, 2):
        try:
            status = os.fstat(number)
            if not _is_relayed(number, status.st_mode, inherit_terminal):
                continue
            thing = (status.st_dev, status.st_ino, status.st_rdev)
            for route in routes:
                if route.thing == thing:
                    route.numbers.append(number)
                    break
            else:
                routes.append(_open_route(thing, number, status.st_mode))
        except (OSError, termios.error):
            continue  # closed stays closed; what cannot be relayed is inherited
    return routes


def _is_relayed(number: int, mode: int, inherit_terminal: bool) -> bool:
    if stat.S_ISFIFO(mode):
        # A FIFO opened for both ways may be read from as well, which a relay could not serve.
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    if stat.S_ISCHR(mode):
        return not inherit_terminal and os.isatty(number)
    return stat.S_ISSOCK(mode) and _is_stream(number)


def _open_route(thing: tuple[int, int, int], number: int, mode: int) -> Route:
    if stat.S_ISCHR(mode):
        source, child_end = open_second_terminal(number)
    elif stat.S_ISSOCK(mode):
        source, child_end = _open_socket_pair()
    else:
        source, child_end = os.pipe()
    route = Route(thing, number, above_standard(source), above_standard(child_end))
    if stat.S_ISCHR(mode):
        route.settings = termios.tcgetattr(route.source)
    if not os.get_blocking(number):
        os.set_blocking(route.child_end, False)  # our own description; the caller's is never touched
    return route


def _is_stream(number: int) -> bool:
    import _socket

    given = _socket.socket(fileno=number)
    try:
        return given.type == _socket.SOCK_STREAM
    finally:
        given.detach()


def _open_socket_pair() -> tuple[int, int]:
    import _socket

    ours, childs = _socket.socketpair()
    return ours.detach(), childs.detach()


def above_standard(descriptor: int) -> int:
    """The same, but not 0, 1 or 2: where the caller closed one of those, a new file lands on it."""
    if descriptor > 2:
        return descriptor
    moved = _duplicate(descriptor)
    os.close(descriptor)
    return moved


def _duplicate(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def let_go(kept: list[int]) -> None:
    """Hold nothing of the caller's: /dev/null on 0, 1 and 2, and everything else but `kept` closed.

    Whoever waits for the end of a file, for EPIPE or for a free lock must not wait for us.
    """
    try:
        null = above_standard(os.open("/dev/null", os.O_RDWR))
        for number in (0, 1, 2):
            os.dup2(null, number)
    except OSError:
        os.closerange(0, 3)
    for number in _open_descriptors():
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:
                pass  # it was the one that listed them


def _open_descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return list(range(1024))
