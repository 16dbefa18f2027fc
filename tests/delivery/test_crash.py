"""Killed at every system call that matters, sender and launcher lose nothing: the next run delivers.

strace kills the process as it enters a call, so each call is once the last that was made, and once the first that
was not. What matters are the calls that touch our files, and those that talk to the server.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest

from launcher.delivery import attempt
from tests.support.homes import Home
from tests.support.processes import wait_for_no_sender
from tests.support.programs import ISOLATED, MAIN, Launcher, Program
from tests.support.servers import Answer, Collector
from tests.support.tracing import strace
from tests.support.waiting import wait_until

WITH_LOCK = 'exec 3<>"$HOME/.chef-workstation/telemetry/.lock"; exec "$@"'
NETWORK = ("connect", "sendto", "recvfrom")
HAPPENS = [(404, "mkdirat"), (404, "renameat"), (503, "renameat"), (503, "fadvise64"), (503, "fchmod")]
KILLED = -signal.SIGKILL
AT_MOST = 40  # times that one call is made, or the test has not understood what it counts


def run_sender(home: Home, *options: str) -> int:
    """Be the launcher that starts the sender, under strace: how the sender ended."""
    sender = [*ISOLATED, str(MAIN), "send", str(time.time_ns())]
    command = ["sh", "-c", WITH_LOCK, "sh", *strace("-f", *options), *sender]
    return subprocess.run(command, env=home.env, check=False).returncode


def killing(call: str, number: int) -> list[str]:
    """What has strace kill a process as it makes a call for the so-many-th time."""
    return ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]


def of_our_files(home: Home, ids: list[str]) -> list[str]:
    """What has strace look at the calls alone that touch files of ours."""
    names = [".", "receipts.jsonl", *(f"session-{each}.json" for each in ids)]  # by their directory, or when open
    return [word for name in names for word in ("-P", str(home.telemetry / name))]


def arrived(collector: Collector) -> Counter[str]:
    return Counter(request.session_id for request in collector.requests)


def waiting_ids(home: Home) -> set[str]:
    """The ids of the sessions on disk, each of which must be whole."""
    return {json.loads(path.read_text())["id"] for path in home.sessions()}


def the_next_run_delivers(home: Home) -> None:
    done = attempt.flush(home.env, lambda session_id, outcome: None)
    assert done.problem is None
    assert home.sessions() == []


@pytest.mark.parametrize("call", ["openat", "write", "fsync", "unlinkat", "connect", "sendto", "recvfrom"])
def test_a_sender_killed_at_any_call_loses_nothing(home: Home, plain_collector: Collector, call: str) -> None:
    """At most what was under way is sent twice."""
    for number in range(1, AT_MOST):
        plain_collector.requests.clear()
        ids = home.has_waiting("web01", "web02")
        only = [] if call in NETWORK else of_our_files(home, ids)
        ended = run_sender(home, *only, *killing(call, number))
        assert ended in (0, KILLED)
        before = arrived(plain_collector)
        assert set(before) | waiting_ids(home) == set(ids)
        the_next_run_delivers(home)
        after = arrived(plain_collector)
        assert set(after) == set(ids) <= {receipt["session"] for receipt in home.receipts()}
        assert sum(after.values()) <= len(ids) + 1
        if ended == 0:
            break
    assert number > 1
    assert ended == 0


@pytest.mark.parametrize("call", ["mkdirat", "renameat", "fadvise64", "fchmod"])
@pytest.mark.parametrize("status", [404, 503])
def test_a_sender_killed_as_it_puts_aside_or_waits_loses_nothing(
    home: Home, plain_collector: Collector, status: int, call: str
) -> None:
    for number in range(1, AT_MOST):
        plain_collector.otherwise = lambda request: Answer(status=status)
        (id,) = home.has_waiting("web01")
        ended = run_sender(home, *killing(call, number))
        rejected = home.telemetry / "rejected" / f"session-{id}.json"
        assert waiting_ids(home) == (set() if rejected.exists() else {id})
        plain_collector.otherwise = lambda request: Answer()
        the_next_run_delivers(home)
        rejected.unlink(missing_ok=True)
        if rejected.parent.exists():
            rejected.parent.rmdir()
        if ended == 0:
            break
    assert number > (1 if (status, call) in HAPPENS else 0)
    assert ended == 0


@pytest.mark.parametrize("call", ["write", "mkdirat", "fchmod", "fadvise64", "fsync", "linkat", "unlinkat", "renameat"])
def test_a_launcher_killed_at_any_write_leaves_whole_sessions(
    home: Home, launcher: Launcher, chef_run: Program, plain_collector: Collector, call: str
) -> None:
    """And nothing that stops the next run."""
    chef_run.path.write_text("#!/bin/sh\nexit 7\n")
    for number in range(1, AT_MOST):
        shutil.rmtree(home.workstation, ignore_errors=True)
        home.set_up()
        ended = subprocess.run(
            [*strace(*killing(call, number)), str(launcher.path), "exec", "web01", "a", "b"],
            env=home.env,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
        assert ended in (7, KILLED)
        stored = waiting_ids(home)
        assert len(stored) <= 1
        assert launcher.exec("web02", "a", "b").returncode == 7  # which shows the notice, if that has not been seen
        wait_for_no_sender(home)
        the_next_run_delivers(home)
        assert stored <= set(arrived(plain_collector))
        if ended == 7:
            break
    assert number > 1
    assert ended == 7


@pytest.mark.parametrize("call", ["fchmod", "write", "renameat", "setsid", "chdir", "dup2", "execve"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_launcher_killed_as_it_starts_a_sender_loses_nothing(
    stocked: Home, launcher: Launcher, plain_collector: Collector, call: str, number: int
) -> None:
    """All of their processes are traced: whichever makes the call for the so-many-th time is killed."""
    stored = waiting_ids(stocked)
    tracing = strace("-f", *killing(call, number))
    subprocess.run([*tracing, str(launcher.path), "exec", "web03", "a", "b"], env=stocked.env, check=False)
    wait_for_no_sender(stocked)
    assert stored <= waiting_ids(stocked) | set(arrived(plain_collector))
    (stocked.telemetry / ".next-attempt").unlink(missing_ok=True)
    assert launcher.exec("web04", "a", "b").returncode == 0
    wait_for_no_sender(stocked)
    assert stored <= set(arrived(plain_collector))


def test_a_stop_while_a_sender_is_started_stops_the_run_alone(
    stocked: Home, launcher: Launcher, plain_collector: Collector, chef_run: Program
) -> None:
    """The sender does its work: nobody would continue it."""
    chef_run.path.write_text('#!/bin/sh\nwhile [ ! -e "$HOME/go" ]; do sleep 0.05; done\n')
    slowly = strace("-DD", "-f", "-e", "trace=renameat", "-e", "inject=renameat:delay_enter=1000000:when=1")
    run = subprocess.Popen(
        [*slowly, str(launcher.path), "exec", "web03", "a", "b"], env=stocked.env, preexec_fn=os.setpgrp
    )
    try:
        wait_until(lambda: list(stocked.telemetry.glob(".next-attempt.*.tmp")), "the attempt is being noted")
        os.killpg(run.pid, signal.SIGTSTP)
        wait_until(lambda: has_stopped(run.pid), "the launcher has stopped")
        plain_collector.wait_for_requests(2)
        os.killpg(run.pid, signal.SIGCONT)
        (stocked.path / "go").touch()
        assert run.wait(30) == 0
    finally:
        if run.returncode is None:
            os.killpg(run.pid, signal.SIGKILL)


def has_stopped(child: int) -> bool:
    pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
    return pid == child and os.WIFSTOPPED(status)
