"""How fast the sender empties a full HOME, and what memory it takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from benchmarks import homes
from benchmarks.peak import peak
from benchmarks.starts import BARE, PACKAGE, PYTHON
from benchmarks.workbench import Workbench
from launcher.delivery import attempt, encode
from launcher.home import lock
from launcher.home.layout import Home
from launcher.home.spool import MAX_WAITING
from launcher.record import session

ROUNDS = 3
COLLECTOR = Path(__file__).parents[1] / "collector.py"
HOUR = 3600  # seconds


def delivery(workbench: Workbench) -> None:
    """Send all that waits, and the same requests in a plain loop over the same library; measure the sender's memory."""
    plain, ours = [], []
    with _collecting() as url:
        for number in range(ROUNDS):
            home = homes.make(workbench, f"drain-{number}", waiting=MAX_WAITING)
            plain.append(_send_plainly(home, url))
            ours.append(_deliver(workbench, home, url))
        print(f"\nsending {MAX_WAITING} sessions to a collector on this machine, requests a second")
        for name, taken in {"a plain loop over urllib3": plain, "the sender": ours}.items():
            print(f"  {name:38} {MAX_WAITING / statistics.median(taken):5.0f}")
        _print_memory(workbench, url)


def _send_plainly(home: Path, url: str) -> float:
    """Seconds that it takes to send what waits, encoded before, with nothing read, checked or kept."""
    sessions = [session.from_bytes(path.read_bytes()) for path in homes.waiting(home)]
    requests = [encode.encode([each], "chef", "2026-01-01") for each in sessions]
    started = time.perf_counter()
    with urllib3.PoolManager() as pool:
        for request in requests:
            pool.request("POST", url + request.path, body=request.body, headers=request.headers)
    return time.perf_counter() - started


def _deliver(workbench: Workbench, home: Path, url: str) -> float:
    """Seconds that it takes the sender to send what waits."""
    env = homes.environment(workbench, home, url)
    started = time.perf_counter()
    layout = Home(str(home))
    held = lock.take(layout)
    assert held is not None
    attempt.deliver(env, held, stored_before=time.time(), until=time.monotonic() + HOUR)
    lock.release(layout, held)
    taken = time.perf_counter() - started
    assert not homes.waiting(home), "the sender has left something behind"
    return taken


def _print_memory(workbench: Workbench, url: str) -> None:
    """Print what the sender takes, beside what its libraries alone take."""
    libraries = "import sys; sys.path[:0] = sys.argv[1:]; import ssl, urllib3; ssl.create_default_context()"
    rows = {
        "a bare interpreter": peak(BARE, {}),
        "that, with urllib3 and certificates": peak(
            [*PYTHON, "-c", libraries, str(Path(urllib3.__file__).parents[1])], {}
        ),
        "the sender, 1 session": _peak_of_sender(workbench, url, 1),
        f"the sender, {MAX_WAITING} sessions": _peak_of_sender(workbench, url, MAX_WAITING),
    }
    print("peak memory of the sender, in MiB")
    for name, mebibytes in rows.items():
        print(f"  {name:38} {mebibytes:5.1f}")


def _peak_of_sender(workbench: Workbench, url: str, sessions: int) -> float:
    """MiB that the sender has resident at its peak when so many sessions wait."""
    home = homes.make(workbench, f"sender-{sessions}", waiting=sessions)
    # As a run starts it: the lock is on descriptor 3.
    with_lock = f'exec 3<>"{home}/.chef-workstation/telemetry/.lock"; exec "$@"'
    send = [*PYTHON, str(PACKAGE / "__main__.py"), "send", str(time.time_ns())]
    taken = peak(["sh", "-c", with_lock, "sh", *send], homes.environment(workbench, home, url))
    assert not homes.waiting(home), "the sender has left something behind"
    return taken


@contextmanager
def _collecting() -> Iterator[str]:
    """The address of scripts/collector.py, for as long as the context lasts."""
    command = [sys.executable, str(COLLECTOR)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        url = process.stdout.readline().split()[-1]
        # What it shows of each session is read, or it would wait for that.
        with subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL):
            try:
                yield url
            finally:
                process.stdin.close()  # which ends it, and by that the other
