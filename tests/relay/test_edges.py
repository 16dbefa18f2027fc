"""Where the launcher itself could become the failure: what it may not do, who wakes it, what is missing or seen."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.processes import children, group, has_ended, proc, program_of, state
from tests.support.waiting import wait_until

from .harness import INHERIT, PATIENCE, RELAY, Log, Terminal, child, on_terminal, outcome, sh, started

# As another user, who may signal nobody here.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# Nothing in /proc, and with it nothing in /dev/fd.
NO_PROC = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /proc && exec "$@"', "sh"]


@pytest.fixture
def as_nobody() -> list[str]:
    """What to put before a command so that another user runs it. Skips where this Python is not for everybody."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (scripts/install-test-tools)")
    if subprocess.run([*NOBODY, sys.executable, "-I", "-S", "-c", ""], check=False).returncode != 0:
        pytest.skip("needs root, and a Python that everybody may run")
    return NOBODY


@pytest.fixture
def without_proc() -> list[str]:
    if subprocess.run([*NO_PROC, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount something over /proc: root, in a container with CAP_SYS_ADMIN")
    return NO_PROC


def test_a_child_that_signals_a_parent_of_another_user_runs_on(as_nobody: list[str]) -> None:
    """Directly, its kill would be refused; through us, what we may not pass on is dropped."""
    script = sh("trap '' USR1; kill -USR1 $PPID; sleep 0; echo still here; exit 7")
    assert outcome([*as_nobody, *RELAY, *script]) == (7, b"still here\n", b"")


def test_a_child_of_another_user_is_let_alone() -> None:
    """It has become somebody whom we may not signal, as a setuid program has: the run goes on, and ends as it ends."""
    script = sh('exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "echo begun; read line; exit 7"')
    command = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill", *RELAY, *script]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGUSR1)
        process.stdin.close()
        assert process.wait(PATIENCE) in (7, -signal.SIGUSR1)


@pytest.mark.parametrize("way", [RELAY, INHERIT], ids=["relay", "inherit"])
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP], ids=["STOP", "TSTP"])
def test_a_child_stopped_and_continued_alone_has_us_go_on_too(
    way: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    """As cpulimit, supervisors and administrators do it, who know only chef-run's process id."""
    with started(way + child("note_signals", tmp_path / "log", "SIGUSR1", "SIGCONT")) as process:
        log = Log(tmp_path / "log")
        os.kill(log.child, number)
        wait_until(lambda: state(process.pid) == "T", "the launcher stops as well")
        os.kill(log.child, signal.SIGCONT)
        wait_until(lambda: state(process.pid) == "S", "the launcher goes on")
        process.send_signal(signal.SIGUSR1)
        log.wait_for("SIGUSR1")
        assert log.signals() == ["SIGCONT", "SIGUSR1"]


def test_a_child_that_is_killed_while_stopped_ends_the_run() -> None:
    with started([*RELAY, *sh("echo begun; read line")], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"begun\n"
        (pid,) = [each for each in children(process.pid) if program_of(each) == "sh"]
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state(process.pid) == "T", "the launcher stops as well")
        os.kill(pid, signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL


@pytest.mark.parametrize("killed", [False, True], ids=["at the end", "killed"])
def test_what_stays_for_a_grandchild_shows_no_arguments(tmp_path: Path, killed: bool) -> None:
    """Passwords stand there; they are seen for as long as chef-run runs, and no longer."""
    script = f"(while [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done)& echo ready; {'exec sleep 60' if killed else ''}"
    with started([*RELAY, "/bin/sh", "-c", script, "--password", "s3cret"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if killed:
            process.kill()
        process.wait(PATIENCE)
        (relay,) = [pid for pid in group(process.pid) if program_of(pid).startswith("python")]
        wait_until(lambda: "s3cret" not in proc(relay, "cmdline"), "the arguments are forgotten")
        assert proc(relay, "cmdline").startswith("chef-run-launcher")
        (tmp_path / "go").touch()
        wait_until(lambda: has_ended(relay), "the relay goes with the grandchild")


def test_without_proc_it_runs_as_it_does_with_it(without_proc: list[str]) -> None:
    much = sh("seq 30000; seq 30000 >&2; exit 9")
    assert outcome([*without_proc, *RELAY, *much]) == outcome(much)


def test_without_proc_a_terminal_is_the_terminal_all_the_same(without_proc: list[str]) -> None:
    script = "stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do read line; done"
    with Terminal() as terminal:
        process = on_terminal([*without_proc, *RELAY, *sh(script)], terminal)
        terminal.read_until(b"ready")
        fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 109, 0, 0))
        terminal.read_until(b"40 109")
        assert process.wait(PATIENCE) == 5
