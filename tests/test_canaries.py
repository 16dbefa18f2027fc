"""No user, password, path, resource, property or host name of a command line gets into a file of ours or a request."""

from __future__ import annotations

import itertools
import random

from tests.support.canaries import MARK, command_line
from tests.support.homes import Home
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector

RUNS = 200
AT_ONCE = 10


def test_two_hundred_runs_leave_no_canary_in_what_is_ours(
    home: Home, launcher: Launcher, chef_run: Program, plain_collector: Collector
) -> None:
    """Neither in a file nor in a request."""
    chosen, canaries = random.Random(4), itertools.count()
    for _ in range(RUNS // AT_ONCE):
        runs = [launcher.start("exec", *command_line(chosen, canaries)) for _ in range(AT_ONCE)]
        for run in runs:
            run.communicate()
    sessions = b"".join(path.read_bytes() for path in home.sessions())
    wait_for_no_sender(home)
    flushed = launcher.run("flush")

    ours = [path for path in home.telemetry.rglob("*") if path.is_file() and path.suffix != ".yml"]
    kept = b"".join(bytes(path) + path.read_bytes() for path in ours)
    sent = b"".join(request.head + request.body for request in plain_collector.requests)
    assert len({request.session_id for request in plain_collector.requests}) == RUNS
    assert b'"hostname_sha256"' in sent
    assert MARK.encode() not in sessions + kept + sent + flushed.stdout + flushed.stderr
