"""A wrapped run under Python's audit hooks (PEP 578), up to the moment at which it becomes chef-run.

Started by `verify-off` as `python -I -S watched.py ARGUMENTS…`. Prints a line of JSON for each thing that a run with
telemetry off must not do, and one for the program that it becomes. It ends there, so that chef-run is not run. The
launcher itself prints nothing in a run.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BECAME = "became"

# Events of the network, the disk or other processes. Reading is allowed: a run must read what turns telemetry off.
_NETWORK = ("socket.", "ssl.", "http.", "urllib.", "ftplib.", "smtplib.")
_PROCESSES = (
    "subprocess.",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.kill",
    "pty.",
    "signal.pthread_kill",
)
_WRITES = (
    "os.ch",  # chmod, chown, chflags
    "os.link",
    "os.lockf",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "fcntl.flock",
    "fcntl.lockf",
    "shutil.",
    "sqlite3.",
    "tempfile.",
)
# Not all that these modules can do is audited, so that none of them may be loaded.
_MODULES = {"_ctypes", "_posixsubprocess", "_socket", "_sqlite3", "ctypes", "socket", "sqlite3", "subprocess"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    """Run the launcher with the arguments of this process."""
    start = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__main__.py")
    sys.argv[:] = [start, *sys.argv[1:]]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        offence = _offence(event, arguments)
        if offence:
            _report(offence, _subject(arguments))
        elif event == "os.exec":
            _report(BECAME, _subject(arguments))
            os._exit(0)

    sys.addaudithook(watch)
    runpy.run_path(start, run_name="__main__")


def _offence(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event.startswith(_NETWORK):
        return f"network: {event}"
    if event.startswith(_PROCESSES):
        return f"process: {event}"
    if event.startswith(_WRITES) and event != "os.chdir":
        return f"file: {event}"
    if event == "import" and arguments[0] in _MODULES:
        return "module: loaded"
    if event == "import" and arguments[0] == "fallback":
        return "defect: before chef-run was started"
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
        return "file: opened to be written"
    return None


def _subject(arguments: tuple[Any, ...]) -> str:
    """The first argument, where it is a path."""
    first = arguments[0] if arguments else ""
    return os.fsdecode(first) if isinstance(first, (str, bytes)) else ""


def _report(what: str, subject: str) -> None:
    os.write(1, json.dumps([what, subject]).encode() + b"\n")


if __name__ == "__main__":
    main()
