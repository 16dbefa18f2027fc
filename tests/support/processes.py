"""Processes, as the kernel shows them in /proc, the launcher's own among them."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.home import lock
from launcher.home.layout import LOCK
from launcher.home.layout import Home as Layout
from tests.support.homes import Home
from tests.support.programs import INSTALLED, MAIN
from tests.support.waiting import wait_until


def proc(pid: int, name: str) -> str:
    """A file of the process in /proc; empty if the process has ended, or is somebody else's."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/{name}").read_bytes())
    except OSError:
        return ""


def pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def state(pid: int) -> str:
    """Its state as ps shows it; "" if there is no such process."""
    return "".join(_stat(pid)[:1])


def has_ended(pid: int) -> bool:
    """Whether at most its exit code is left, for its parent to ask for."""
    return state(pid) in ("Z", "")


def group(leader: int) -> list[int]:
    """The processes of the group that this one leads, but for those that have ended."""
    found = [(pid, _stat(pid)) for pid in pids()]
    return [pid for pid, stat in found if stat and stat[0] != "Z" and int(stat[2]) == leader]


def children(pid: int) -> list[int]:
    """The processes that this one has started, and not yet waited for."""
    return [int(each) for each in proc(pid, f"task/{pid}/children").split()]


def program_of(pid: int) -> str:
    """The name of the program, as ps shows it."""
    return proc(pid, "comm").strip()


def proc_status(pid: int, field: str) -> str:
    """The first word of a field of /proc/PID/status; "0" where there is none."""
    return next((line.split()[1] for line in proc(pid, "status").splitlines() if line.startswith(f"{field}:")), "0")


def descriptors(pid: int) -> dict[int, str]:
    """What its descriptors stand for; nothing if one was closed while we looked."""
    folder = f"/proc/{pid}/fd"
    try:
        return {int(number): os.readlink(f"{folder}/{number}") for number in os.listdir(folder)}
    except OSError:
        return {}


def _stat(pid: int) -> list[str]:
    """State, parent, group, and what follows them in /proc/PID/stat."""
    return proc(pid, "stat").rpartition(")")[2].split()


def senders(home: Home) -> list[int]:
    """The ids of the senders at work for this home."""
    return [
        pid
        for pid in pids()
        if "send" in proc(pid, "cmdline").split("\0") and f"HOME={home.path}" in proc(pid, "environ").split("\0")
    ]


def launchers(below: Path) -> list[int]:
    """The ids of the launchers, relays and senders at work that the tests of this process have started.

    Theirs is a HOME somewhere `below`, or what pytest-xdist calls this process among those that run tests.
    """
    here = [str(INSTALLED), str(MAIN.parent)]
    ours = [f"HOME={below}", f"PYTEST_XDIST_WORKER={os.environ.get('PYTEST_XDIST_WORKER')}"]
    return [
        pid
        for pid in pids()
        if any(path in proc(pid, "cmdline") for path in here) and any(each in proc(pid, "environ") for each in ours)
    ]


def wait_for_no_sender(home: Home) -> None:
    """Return when the last sender for this home has ended."""
    wait_until(lambda: not senders(home) and _is_free(home.layout), "no sender is left", seconds=40)


def _is_free(home: Layout) -> bool:
    """Whether nobody holds the lock: a sender has it from the moment that its launcher begins to start it."""
    home.close()
    if not home.telemetry.has(LOCK):
        return True
    try:
        held = lock.take(home)
    except OSError:
        return True  # it is spoilt
    if held is not None:
        lock.release(home, held)
    return held is not None
