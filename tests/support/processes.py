"""The launcher's own processes, as the kernel lists them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import launcher
from launcher.home import lock
from tests.support.homes import Home
from tests.support.waiting import wait_until


def senders(home: Home) -> list[int]:
    """The ids of the senders at work for this home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if b"send" in command and f"HOME={home.path}".encode() in environment:
            found.append(int(folder.name))
    return found


def launchers(below: Path) -> list[int]:
    """The ids of the launchers, relays and senders at work that the tests of this process have started.

    Theirs is a HOME somewhere `below`, or what pytest-xdist calls this process among those that run tests.
    """
    here = [str(Path(sys.executable).with_name("chef-run-launcher")), str(Path(launcher.__file__).parent)]
    ours = [f"HOME={below}", f"PYTEST_XDIST_WORKER={os.environ.get('PYTEST_XDIST_WORKER')}"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text(errors="replace")
            environment = (folder / "environ").read_text(errors="replace")
        except OSError:
            continue
        if any(path in command for path in here) and any(each in environment for each in ours):
            found.append(int(folder.name))
    return found


def wait_for_no_sender(home: Home) -> None:
    """Return when the last sender for this home has ended."""
    wait_until(lambda: not senders(home) and _is_free(home.telemetry / ".lock"), "no sender is left", seconds=40)


def _is_free(path: Path) -> bool:
    """Whether nobody holds the lock: a sender has it from the moment that its launcher begins to start it."""
    if not path.exists():
        return True
    try:
        held = lock.take(str(path))
    except OSError:
        return True  # it is spoilt
    if held is not None:
        os.close(held)
    return held is not None
