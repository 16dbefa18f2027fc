"""A lock that never answers, as on a network file system whose server is away: nobody waits for it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.preloaded import flock_that
from tests.support.processes import has_ended, pids, proc, proc_status
from tests.support.programs import Launcher, Program
from tests.support.waiting import wait_until

NOTICEABLE = 15.0  # seconds, on a busy machine; the lock itself never answers


@pytest.fixture
def deaf(home: Home, tmp_path: Path) -> Home:
    """A home whose locks never answer."""
    home.env.update(flock_that("never answers", tmp_path))
    return home


@pytest.mark.parametrize("is_first", [True, False], ids=["the first run", "a run with sessions to be sent"])
def test_a_run_does_not_wait_for_a_lock(deaf: Home, launcher: Launcher, chef_run: Program, is_first: bool) -> None:
    chef_run.path.write_text("#!/bin/sh\necho done; exit 3\n")
    deaf.use() if is_first else deaf.has_waiting("web01")
    before = len(deaf.sessions())
    started = time.monotonic()
    done = launcher.exec("web01", "a", "b")
    assert time.monotonic() - started < NOTICEABLE
    assert (done.returncode, done.stdout) == (3, b"done\n")
    assert (b"chef-run-launcher disable" in done.stderr) == is_first
    assert len(deaf.sessions()) == before + 1


def test_signals_are_served_while_a_lock_does_not_answer(deaf: Home, launcher: Launcher, chef_run: Program) -> None:
    deaf.has_waiting("web01")
    chef_run.path.write_text("#!/bin/sh\ntrap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.01; done\n")
    run = launcher.start("exec", "web01", "a", "b")
    assert run.stdout and run.stdout.readline() == b"ready\n"
    run.send_signal(signal.SIGTERM)
    assert run.communicate(timeout=NOTICEABLE)[0] == b"got\n"
    assert run.returncode == 5


def test_a_killed_launcher_takes_chef_run_along_meanwhile(deaf: Home, launcher: Launcher, chef_run: Program) -> None:
    """What waits for the lock holds nothing by which the relay process learns of the launcher's end."""
    deaf.has_waiting("web01")
    chef_run.path.write_text("#!/bin/sh\necho $$; exec sleep 60\n")
    run = launcher.start("exec", "web01", "a", "b")
    assert run.stdout
    program = int(run.stdout.readline())
    wait_until(lambda: waits_for_the_lock(run.pid), "a sender is about to be started")
    run.kill()
    run.wait()
    wait_until(lambda: has_ended(program), "chef-run has ended")


def waits_for_the_lock(launcher: int) -> bool:
    """Whether there is what starts a sender: it shows no arguments."""
    started = [pid for pid in pids() if proc_status(pid, "PPid") == str(launcher)]
    return any(proc(pid, "cmdline").startswith("chef-run-launcher") for pid in started)


def test_status_says_that_the_lock_does_not_answer(deaf: Home, launcher: Launcher) -> None:
    deaf.has_waiting("web01")
    (deaf.telemetry / ".lock").touch()
    started = time.monotonic()
    assert launcher.status()["sending"] is None
    assert "does not respond" in launcher.status()["lock_problem"]
    assert time.monotonic() - started < 2 * NOTICEABLE
