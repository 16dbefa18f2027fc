#!/usr/bin/env python3
"""What the relay costs: throughput and start, as ratios to running the same thing plainly, in one run.

Needs nothing but Python and, for the comparison, util-linux's script. Takes less than a minute.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DRIVER = Path(__file__).resolve().parents[1] / "tests" / "relay" / "driver.py"
RELAY = [sys.executable, "-I", "-S", str(DRIVER), "relay"]
INHERIT = [sys.executable, "-I", "-S", str(DRIVER), "inherit"]
MEGABYTES = 64
ROUNDS = 5
STARTS = 30


def main() -> None:
    flood = ["/usr/bin/head", "-c", str(MEGABYTES << 20), "/dev/zero"]
    # Lines, as programs write them to terminals; tens of thousands of newlines are what ONLCR works on.
    lines = ["/bin/sh", "-c", f"yes 'a line of text as programs print them' | head -c {MEGABYTES << 18}"]
    script = shutil.which("script")
    in_script = [script, "-qefc"] if script else None
    compare("64 MB through a pipe", through_pipe, flood, in_script)
    compare("16 MB of lines through a terminal", through_terminal, lines, in_script)
    starts = {
        "python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"],
        "relay, /bin/true": [*RELAY, "/bin/true"],
        "inherit, /bin/true": [*INHERIT, "/bin/true"],
    }
    print("start and end, output to a pipe")
    report({name: median(through_pipe, command, STARTS) for name, command in starts.items()})


def compare(title: str, through: Callable[[list[str]], float], command: list[str], script: list[str] | None) -> None:
    ways = {"plain": command, "relay": RELAY + command}
    if script:
        ways["script -qefc"] = [*script, " ".join(map(quoted, command)), "/dev/null"]
    print(title)
    report({name: median(through, way, ROUNDS) for name, way in ways.items()})


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def median(measure: Callable[[list[str]], float], command: list[str], rounds: int) -> float:
    return statistics.median(measure(command) for _ in range(rounds))


def report(seconds: dict[str, float]) -> None:
    base = next(iter(seconds.values()))
    for name, taken in seconds.items():
        print(f"  {name:24} {taken * 1000:8.1f} ms   x {taken / base:.2f}")


def through_pipe(command: list[str]) -> float:
    """Seconds until a reader has read it all and the command has ended."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while process.stdout.read(1 << 20):
            pass
    return time.perf_counter() - started


def through_terminal(command: list[str]) -> float:
    ours, theirs = os.openpty()
    started = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs):
        os.close(theirs)
        try:
            while os.read(ours, 1 << 16):
                pass
        except OSError:
            pass  # EIO: nobody holds it any more
    os.close(ours)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
