"""The process that finds out, while chef-run runs, what its record needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.relay.harness import failing
from tests.support.homes import Home
from tests.support.processes import children, has_ended, proc
from tests.support.programs import ISOLATED, SECONDS, Launcher, Program
from tests.support.waiting import wait_until

ARGUMENTS = ("web01", "directory", "/tmp/foo")


@pytest.fixture(autouse=True)
def lasting(home: Home, chef_run: Program) -> None:
    """A home that has been used, and a chef-run that goes on until it can read a line."""
    home.use()
    home.layout.telemetry.create(".notice", b"1\n")
    chef_run.path.write_text("#!/bin/sh\necho a line; read line; exit 7\n")


@contextmanager
def run(home: Home, package: Path, helper_does: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run of chef-run whose helper does this, as soon as it knows the operating system."""
    module = package / "record" / "host_os.py"
    place = "    return {"  # in `described`
    before, found, after = module.read_text().rpartition(place)
    module.write_text(f"{before}    import os\n    {helper_does}\n{found}{after}")
    command = [*ISOLATED, str(package / "__main__.py"), "exec", *ARGUMENTS]
    with subprocess.Popen(command, env=home.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


@pytest.fixture
def gate(home: Home) -> Path:
    """What a helper that does `wait_at` this waits for: that it is opened for writing, and closed."""
    os.mkfifo(home.path / "gate")
    return home.path / "gate"


def wait_at(gate: Path) -> str:
    return f"open({str(gate)!r}).read()"


def helper_of(launcher: int) -> int:
    """The youngest of its children."""
    return children(launcher)[-1]


def test_a_helper_that_is_killed_costs_the_record_alone(home: Home, package: Path, launcher: Launcher) -> None:
    """And that is counted."""
    with run(home, package, "os.kill(os.getpid(), 9)") as process:
        assert process.communicate(b"\n", SECONDS)[0] == b"a line\n"
    assert (process.returncode, home.sessions()) == (7, [])
    assert launcher.status()["lost"] == {"internal_error": 1}


def test_a_helper_holds_nothing_and_shows_nothing(home: Home, package: Path, gate: Path) -> None:
    """Killed while its helper does not get on, the launcher takes chef-run along, and the caller's pipe ends."""
    with run(home, package, wait_at(gate)) as process:
        hold = os.open(gate, os.O_WRONLY)
        helper = helper_of(process.pid)
        assert "web01" not in proc(helper, "cmdline")
        others = [pid for pid in children(process.pid) if pid != helper]
        process.kill()
        assert process.communicate(timeout=SECONDS)[0] == b"a line\n"
        wait_until(lambda: all(map(has_ended, others)), "the others have ended")
    os.close(hold)
    wait_until(lambda: has_ended(helper), "the helper has ended")


def test_a_helper_has_gone_once_it_has_done_its_work(home: Home, package: Path, gate: Path) -> None:
    """It leaves no process behind that waits to be asked for its exit code."""
    with run(home, package, wait_at(gate)) as process:
        os.close(os.open(gate, os.O_WRONLY))
        wait_until(lambda: len(children(process.pid)) == 2, "it has gone")
        process.communicate(b"\n", SECONDS)
    assert len(home.sessions()) == 1


def test_a_helper_that_is_late_is_waited_for(home: Home, package: Path, gate: Path) -> None:
    with run(home, package, wait_at(gate)) as process:
        hold = os.open(gate, os.O_WRONLY)
        assert process.stdin is not None
        process.stdin.close()
        wait_until(lambda: len(children(process.pid)) == 2, "chef-run has ended")
        os.close(hold)
        assert process.wait(SECONDS) == 7
    assert len(home.sessions()) == 1


def test_a_helper_that_is_stopped_goes_on_with_the_run(home: Home, package: Path) -> None:
    """As where somebody has stopped the whole group, and continued the launcher alone."""
    with run(home, package, "os.kill(os.getpid(), 19)") as process:
        assert process.communicate(b"\n", SECONDS)[0] == b"a line\n"
    assert process.returncode == 7
    assert len(home.sessions()) == 1


def test_where_there_can_be_no_helper_the_launcher_does_its_work(home: Home, package: Path) -> None:
    command = [*failing("clone:error=EAGAIN:when=3"), *ISOLATED, str(package / "__main__.py"), "exec", *ARGUMENTS]
    done = subprocess.run(command, env=home.env, input=b"\n", capture_output=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"a line\n", b"")
    assert len(home.sessions()) == 1
