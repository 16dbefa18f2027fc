"""The sender where a machine lacks what processes usually have: in containers, chroots, other pid namespaces."""

from __future__ import annotations

import pytest

from tests.support.homes import Home
from tests.support.mounts import run_with
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher
from tests.support.servers import Collector

WITHOUT = {
    "/proc": "mount -t tmpfs tmpfs /proc",
    "/dev/fd and /dev/null": "mount -t tmpfs tmpfs /dev",
    "all of these": "mount -t tmpfs tmpfs /proc && mount -t tmpfs tmpfs /dev",
}


@pytest.mark.parametrize("mounts", WITHOUT.values(), ids=WITHOUT)
def test_it_sends_without(mounts: str, stocked: Home, launcher: Launcher, plain_collector: Collector) -> None:
    done = run_with(mounts, launcher.path, "exec", "web03", "a", "b", env=stocked.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    plain_collector.wait_for_requests(2)
    wait_for_no_sender(stocked)
    assert len(stocked.sessions()) == 1
    assert launcher.status()["last_failure"] is None


def test_another_pid_namespace_loses_nothing(stocked: Home, launcher: Launcher, plain_collector: Collector) -> None:
    """Which ends with the launcher, its first process: what is sent before that has arrived, and nothing is lost."""
    mounts = "true"
    inside = ["unshare", "--pid", "--fork", "--mount-proc", launcher.path]
    done = run_with(mounts, *inside, "exec", "web03", "a", "b", env=stocked.env)
    assert done.returncode == 0
    wait_for_no_sender(stocked)
    arrived = {request.session_id for request in plain_collector.requests}
    assert len(stocked.sessions()) + len(arrived) >= 3
