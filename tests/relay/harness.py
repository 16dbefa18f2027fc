"""Doing one thing directly and through the relay, and looking for a difference."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import proc_status
from tests.support.programs import ISOLATED, MAIN
from tests.support.tracing import strace
from tests.support.waiting import wait_until

assert sys.platform == "linux"

HERE = Path(__file__).parent
DIRECT: list[str] = []
INHERIT, RELAY, ELSEWHERE = (
    [*ISOLATED, str(HERE / "driver.py"), str(MAIN.parents[1]), way] for way in ("inherit", "relay", "elsewhere")
)
THROUGH_US = pytest.mark.parametrize("way", [INHERIT, RELAY, ELSEWHERE], ids=["inherit", "relay", "elsewhere"])
PATIENCE = 20.0


def child(deed: str, *arguments: str | Path) -> list[str]:
    """The command line of a deed of child.py."""
    return [*ISOLATED, str(HERE / "child.py"), deed, *map(str, arguments)]


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def assert_same(scenario: Callable[[list[str]], Any]) -> Any:
    """Run the scenario, which takes what to put before a command line, without and with the relay."""
    direct = scenario(DIRECT)
    for way in (RELAY, INHERIT):
        assert scenario(way) == direct, way[-1]
    return direct


def failing(fault: str, path: str | None = None) -> list[str]:
    """What to put before a command line so that a system call fails as told, in strace's words."""
    only = ["-P", path] if path else []
    return strace("-f", "-e", "signal=none", *only, "-e", f"inject={fault}")


def outcome(command: list[str], **options: Any) -> tuple[int, bytes, bytes]:
    """Exit status (negative: signal), standard output and standard error, both through pipes."""
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, **options)
    return done.returncode, done.stdout, done.stderr


def stop_signal(pid: int) -> int:
    """Wait until our child stops; the signal by which it does."""
    _, ended = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(ended)
    return os.WSTOPSIG(ended)


@contextmanager
def held_up(pid: int) -> Iterator[Callable[[int], bool]]:
    """The process's first thread does nothing meanwhile, as if it had no processor: all signals wait for it.

    What this gives has it go so many steps, each to where a system call begins or ends, and tells whether it has
    stopped on the way, as by SIGTSTP.
    """
    seize, interrupt, detach, to_next_call, tell_calls, any_kind = 0x4206, 0x4207, 17, 24, 1, 0x40000000
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    if ptrace(seize, pid, None, tell_calls) != 0:
        pytest.skip(f"needs ptrace, as root or with CAP_SYS_PTRACE: {os.strerror(ctypes.get_errno())}")
    ptrace(interrupt, pid, None, None)
    os.waitpid(pid, any_kind)
    to_take = 0  # the signal that it was about to take

    def go(steps: int) -> bool:
        nonlocal to_take
        for _ in range(steps):
            ptrace(to_next_call, pid, None, to_take)
            _, ended = os.waitpid(pid, any_kind)
            number, event = os.WSTOPSIG(ended), ended >> 16
            to_take = 0 if event or number == signal.SIGTRAP | 0x80 else number
            if event and number != signal.SIGTRAP:
                return True
        return False

    try:
        yield go
    finally:
        ptrace(detach, pid, None, to_take)


def pending(pid: int) -> set[int]:
    """The signals that were sent to the process and that it has not taken."""
    bits = int(proc_status(pid, "ShdPnd"), 16)
    return {number for number in range(1, 65) if bits >> number - 1 & 1}


class Log:
    """What note_signals of child.py has noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        wait_until(lambda: path.exists() and self._lines(), "the child is ready")
        self.child = int(self._lines()[0].split()[1])

    def _lines(self) -> list[str]:
        return [line for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def signals(self) -> list[str]:
        return [line.strip() for line in self._lines()[1:]]

    def wait_for(self, name: str, times: int = 1) -> None:
        wait_until(lambda: self.signals().count(name) >= times, f"{times} x {name}, so far {self.signals()}")


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process group of its own, all of which is gone afterwards."""
    process = subprocess.Popen(command, preexec_fn=lambda: os.setpgid(0, 0), **options)
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


class Terminal:
    """Our side of a pty: what a terminal emulator holds."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.openpty()
        self.text = b""

    def close_theirs(self) -> None:
        os.close(self.theirs)
        self.theirs = -1

    def read_until(self, text: bytes) -> bytes:
        """Everything shown so far, once it includes `text`."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {text!r}, got {self.text!r}"
            if select.select([self.ours], [], [], left)[0]:
                self.text += os.read(self.ours, 1 << 16)
        return self.text

    def read_to_end(self) -> bytes:
        """Everything, once nobody holds the terminal any more. Only after close_theirs()."""
        try:
            while piece := os.read(self.ours, 1 << 16):
                self.text += piece
        except OSError:
            pass  # EIO: how Linux tells it
        return self.text

    def type(self, text: bytes) -> None:
        os.write(self.ours, text)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.ours)
        if self.theirs >= 0:
            os.close(self.theirs)


def on_terminal(command: list[str], terminal: Terminal, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command as a session of its own, with the terminal as controlling terminal and 0, 1 and 2."""
    import fcntl
    import termios

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    three = {"stdin": terminal.theirs, "stdout": terminal.theirs, "stderr": terminal.theirs, **options}
    return subprocess.Popen(command, preexec_fn=take_terminal, **three)
