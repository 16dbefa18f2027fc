#!/usr/bin/env python3
"""What delivery costs: a launch beside a full folder, draining it, and the sender's memory; as ratios, in one run.

Needs nothing but the installed launcher (`make install`): .venv/bin/python scripts/bench_delivery.py
Takes about a minute. Everything is sent to a collector on this machine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import urllib3

import launcher
from launcher import delivery, encode, lock, notice, session
from launcher.command_line import targets
from launcher.home import Home

assert sys.platform != "win32", "counts with what POSIX systems tell of a process"

COLLECTOR = Path(__file__).with_name("collector.py")
MAIN = Path(launcher.__file__).with_name("__main__.py")
PYTHON = [sys.executable, "-I", "-S"]
NOWHERE = "http://127.0.0.1:1"
FILES = (0, 500, 10_000)
LAUNCHES = 31
CHEF_RUN_TAKES = 0.3  # seconds
SESSIONS = 500
DRAINS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        launches(Path(folder))
        with collecting() as url:
            drain(Path(folder), url)
            memory(Path(folder), url)


def launches(folder: Path) -> None:
    """A run of a chef-run that speaks at once and ends a little later, by how many sessions wait."""
    chef_run = folder / "chef-run"
    chef_run.write_text(f"#!/bin/sh\necho\nexec sleep {CHEF_RUN_TAKES}\n")
    chef_run.chmod(0o755)
    ways: dict[str, tuple[Path, bool]] = {}
    for number in FILES:
        ways[f"{number:6} sessions wait"] = (used_home(folder / f"home-{number}", number), False)
    strangers = used_home(folder / "strangers", 0)
    for number in range(max(FILES)):
        (Path(Home(str(strangers)).telemetry) / f"notes-of-mine-{number}.txt").touch()
    ways[f"     0 sessions wait, and {max(FILES)} files of others'"] = (strangers, True)
    ways[f"{SESSIONS:6} sessions wait, and a sender is started"] = (used_home(folder / "sending", SESSIONS), True)
    bare: list[float] = []
    before: dict[str, list[float]] = {name: [] for name in ways}
    after: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(LAUNCHES):
        bare.append(sum(speaks_and_ends([*PYTHON, "-c", "pass"], {})))
        for name, (home, starts) in ways.items():
            next_attempt = Path(Home(str(home)).next_attempt)
            next_attempt.touch()
            os.utime(next_attempt, (0, 0) if starts else (time.time() + 3600,) * 2)
            env = environment(home, NOWHERE, CHEF_RUN_LAUNCHER_REAL=str(chef_run))
            spoke, ended = speaks_and_ends([*PYTHON, str(MAIN), "exec", "web01", "directory", "/tmp/foo"], env)
            before[name].append(spoke)
            after[name].append(ended - CHEF_RUN_TAKES)
            wait_for_sender(home)
            refill(home, int(name.split()[0]))
    print(f"a launch, medians of {LAUNCHES} taken in turn")
    report({"python -I -S -c pass": statistics.median(bare)})
    print("until chef-run speaks")
    report({name: statistics.median(each) for name, each in before.items()})
    print("from its end to ours")
    report({name: statistics.median(each) for name, each in after.items()})


def drain(folder: Path, url: str) -> None:
    """Sending all that waits, and the same requests in a bare loop over the same library."""
    ours, bare = [], []
    for number in range(DRAINS):
        home = used_home(folder / f"drain-{number}", SESSIONS)
        bodies = [
            encode.encode([session.from_bytes(path.read_bytes())], "chef", "2026-01-01") for path in waiting(home)
        ]
        started = time.perf_counter()
        with urllib3.PoolManager() as pool:
            for request in bodies:
                pool.request("POST", url + request.path, body=request.body, headers=request.headers)
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        held = lock.take(Home(str(home)).lock)
        assert held is not None
        delivery.deliver(environment(home, url), held, stored_before=time.time(), until=time.monotonic() + 3600)
        os.close(held)
        ours.append(time.perf_counter() - started)
        assert not waiting(home)
    print(f"\nsending {SESSIONS} sessions to a collector on this machine, median of {DRAINS}")
    report({"a bare urllib3 loop": statistics.median(bare), "the sender": statistics.median(ours)})
    print(f"  requests/s: {SESSIONS / statistics.median(bare):.0f} bare, {SESSIONS / statistics.median(ours):.0f} ours")


def memory(folder: Path, url: str) -> None:
    """The most memory that the sender has at a time, beside that of what it is made of."""
    print("\npeak memory of a process")
    base = peak([*PYTHON, "-c", "pass"], {})
    libraries = "import sys; sys.path[:0] = sys.argv[1:]; import ssl, urllib3; ssl.create_default_context()"
    places = [str(Path(urllib3.__file__).parents[1])]
    amounts = {
        "python -I -S -c pass": base,
        "that, with urllib3 and this machine's certificates": peak([*PYTHON, "-c", libraries, *places], {}),
    }
    for number in (1, SESSIONS):
        home = used_home(folder / f"memory-{number}", number)
        amounts[f"the sender, {number} session{'s' if number > 1 else ''}"] = peak(sender(home), environment(home, url))
        assert not waiting(home)
    for name, kilobytes in amounts.items():
        print(f"  {name:52} {kilobytes / 1024:6.1f} MiB   x {kilobytes / base:.2f}")


def sender(home: Path) -> list[str]:
    """The sender as a launcher starts it: it finds the lock on descriptor 3."""
    with_lock = f'exec 3<>"{Home(str(home)).lock}"; exec "$@"'
    return ["sh", "-c", with_lock, "sh", *PYTHON, str(MAIN), "send", str(time.time_ns())]


def used_home(path: Path, sessions: int) -> Path:
    """A HOME as earlier runs leave it, in which so many sessions wait."""
    home = Home(str(path))
    os.makedirs(home.telemetry)
    Path(home.config).touch()
    Path(home.installation_id).write_text(str(uuid.uuid4()))
    Path(home.notice).write_bytes(notice.VERSION)
    refill(path, sessions)
    return path


def refill(path: Path, sessions: int) -> None:
    """Have exactly so many sessions wait again."""
    folder = Path(Home(str(path)).telemetry)
    present = waiting(path)
    for each in present[sessions:]:
        each.unlink()
    hosts = targets(["web01", "directory", "/tmp/foo"])
    for _ in range(sessions - len(present)):
        record = session.build(session.new_id(), {"os": "debian", "version": "12"}, hosts, ["linux"])
        (folder / f"session-{record['id']}.json").write_bytes(session.to_bytes(record))


def waiting(path: Path) -> list[Path]:
    return list(Path(Home(str(path)).telemetry).glob("session-*.json"))


def wait_for_sender(path: Path) -> None:
    """Return when the sender has ended, if one was started: its lock dies with it."""
    lock = Home(str(path)).lock
    if os.path.exists(lock):
        subprocess.run(["flock", lock, "true"], check=True)


def environment(home: Path, endpoint: str, **more: str) -> Mapping[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "CHEF_TELEMETRY_ENDPOINT": endpoint, **more}


@contextmanager
def collecting() -> Iterator[str]:
    command = [sys.executable, str(COLLECTOR)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        # What it shows of each session is read, or it would wait for that.
        with subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL):
            yield url
            assert process.stdin
            process.stdin.close()


def speaks_and_ends(command: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until the first byte of output, or its end without one, and from there until the process has ended."""
    started = time.perf_counter()
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read(1)
        spoke = time.perf_counter()
    assert process.returncode == 0
    return spoke - started, time.perf_counter() - spoke


# Small itself: until its exec, a process counts the memory of the one that made it.
MEASURE = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
"""


def peak(command: list[str], env: Mapping[str, str]) -> int:
    """Kilobytes that a process had resident at the most."""
    measuring = [*PYTHON, "-c", MEASURE, shutil.which(command[0]) or command[0], *command[1:]]
    return int(subprocess.run(measuring, env=env, stdout=subprocess.PIPE, check=True).stdout)


def report(taken: Mapping[str, float]) -> None:
    base = next(iter(taken.values()))
    for name, each in taken.items():
        print(f"  {name:52} {each * 1000:8.1f} ms   x {each / base:.2f}")


if __name__ == "__main__":
    main()
