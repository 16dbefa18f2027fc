"""An endpoint that takes connections and never answers: a sender that calls it is at work until it is let go."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.home import lock
from launcher.home.layout import Home

PATIENCE = 20  # seconds until a sender that does not call is a failure of the bench


@contextmanager
def black_hole() -> Iterator[socket.socket]:
    """The endpoint, for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        yield listening


def url(listening: socket.socket) -> str:
    """Where a sender finds the endpoint."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def let_go(listening: socket.socket, home: Path) -> None:
    """End the connection of the sender of this HOME, and wait until the sender has ended: its lock dies with it."""
    connection, _ = listening.accept()
    connection.close()
    layout = Home(str(home))
    while lock.is_held(layout):
        time.sleep(0.005)
