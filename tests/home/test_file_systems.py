"""Where a file system lacks something, a run is recorded and sent all the same; or it is counted, with the reason."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.home import layout, lock, losses
from launcher.record import hosts_key, installation_id
from tests.support.homes import Home
from tests.support.mounts import FAT_HOME, FEW_INODES_HOME, READ_ONLY_HOME, run_with
from tests.support.preloaded import NO_HARD_LINKS, NO_MODES, OVER_QUOTA, flock_that, preloaded
from tests.support.processes import wait_for_no_sender
from tests.support.programs import SECONDS, Launcher, Program
from tests.support.servers import Answer, Collector
from tests.support.waiting import wait_until


def done_in(mounts: str, script: str, home: Home, launcher: Launcher) -> dict[str, Any]:
    """What `status` reports in a shell script that is given the launcher, where these mounts have been done."""
    done = run_with(mounts, "sh", "-c", script, launcher.path, env=home.env)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture
def quick(chef_run: Program) -> Program:
    """A chef-run that says nothing."""
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    return chef_run


def test_on_fat_runs_are_recorded_and_purged(home: Home, launcher: Launcher, quick: Program) -> None:
    script = """mkdir "$HOME/.chef-workstation"
    "$0" exec web01 a b 2>/dev/null && "$0" exec web02 a b && "$0" status --json && "$0" purge --yes --reset-id >&2"""
    report = done_in(FAT_HOME, script, home, launcher)
    assert (report["waiting"], report["lost"], report["notice_shown"]) == (2, {}, True)
    assert report["installation_id"].count("-") == 4


@pytest.mark.parametrize("lacking", [NO_HARD_LINKS, NO_MODES], ids=["hard links", "modes"])
def test_without_these_a_run_is_recorded_and_sent(
    home: Home, launcher: Launcher, quick: Program, plain_collector: Collector, tmp_path: Path, lacking: str
) -> None:
    home.env.update(preloaded(lacking, tmp_path))
    home.set_up()
    assert b"chef-run-launcher disable" in launcher.exec("web01", "a", "b").stderr
    assert launcher.exec("web02", "a", "b").stderr == b""
    assert plain_collector.wait_for_requests(1)
    wait_for_no_sender(home)
    report = launcher.status()
    assert (report["notice_shown"], report["lost"], report["waiting"]) == (True, {}, 1)
    assert home.installation_id.read_text() == report["installation_id"]
    assert {path.name for path in home.telemetry.iterdir()} == {
        *(".lock", ".notice", "receipts.jsonl", home.sessions()[0].name)
    }


def test_of_first_runs_without_hard_links_one_makes_the_id(
    home: Home, launcher: Launcher, quick: Program, tmp_path: Path
) -> None:
    home.env.update(preloaded(NO_HARD_LINKS, tmp_path))
    home.set_up()
    runs = [launcher.start("exec", "web01", "a", "b") for _ in range(8)]
    shown = sum(b"chef-run-launcher disable" in run.communicate()[1] for run in runs)
    ids = {json.loads(path.read_text())["installation_id"] for path in home.sessions()}
    assert shown == 1
    assert ids == {home.installation_id.read_text()}
    assert len(home.sessions()) == 8


@pytest.mark.parametrize(
    ("ensure", "written"),
    [(installation_id.ensure, "7c900dc6-9fed-4bfb-924b-3d628ee45231"), (hosts_key.ensure, "k" * 32)],
    ids=["id", "key"],
)
def test_what_another_process_is_writing_is_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch, ensure: Callable[[layout.Home], str | bytes], written: str
) -> None:
    home.set_up()
    home.telemetry.mkdir()
    file = home.installation_id if ensure is installation_id.ensure else home.telemetry / ".hosts-key"
    file.touch()
    monkeypatch.setattr(time, "sleep", lambda seconds: file.write_text(written))
    assert ensure(home.layout) in (written, written.encode())


def test_what_nobody_is_writing_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.set_up()
    home.installation_id.touch()
    os.utime(home.installation_id, (0, 0))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it waits"))
    assert installation_id.ensure(home.layout) == installation_id.NIL


@pytest.fixture
def lockless(stocked: Home, tmp_path: Path) -> Home:
    """A home in which two sessions wait, and in which there are no locks."""
    stocked.env.update(flock_that("there are none", tmp_path))
    return stocked


def test_without_locks_what_waits_is_sent(lockless: Home, launcher: Launcher, plain_collector: Collector) -> None:
    launcher.exec("web03", "a", "b")
    plain_collector.wait_for_requests(2)
    wait_for_no_sender(lockless)
    assert launcher.run("flush").returncode == 0
    assert len({request.session_id for request in plain_collector.requests}) == len(plain_collector.requests) == 3
    assert not (lockless.telemetry / ".lease").exists()


def test_without_locks_one_sender_is_at_work_at_a_time(
    lockless: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    go_on = threading.Event()
    plain_collector.otherwise = lambda request: Answer(status=200 if go_on.wait(SECONDS) else 500)
    runs = [launcher.start("exec", "web03", "a", "b") for _ in range(6)]
    wait_until((lockless.telemetry / ".lease").exists, "a sender is at work")
    done = launcher.run("flush")
    assert launcher.status()["sending"]
    assert (done.returncode, b"another process is already sending" in done.stderr) == (1, True)
    go_on.set()
    for run in runs:
        run.communicate()
    wait_for_no_sender(lockless)
    sent = [request.session_id for request in plain_collector.requests]
    assert len(set(sent)) == len(sent)


def test_a_sender_that_died_without_a_lock_has_a_successor(
    lockless: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    lease = lockless.telemetry / ".lease"
    lease.touch()
    assert b"another process is already sending" in launcher.run("flush").stderr
    os.utime(lease, (time.time() - lock.LEASE_SECONDS - 1,) * 2)
    assert launcher.run("flush").returncode == 0
    assert len(plain_collector.requests) == 2


FULL_OF_FILES = 'i=0; while touch "$HOME/fill$i" 2>/dev/null; do i=$((i + 1)); done\n'


def test_without_an_inode_status_says_so(home: Home, launcher: Launcher, quick: Program) -> None:
    script = f'mkdir -p "$HOME/.chef-workstation/telemetry"\n{FULL_OF_FILES} "$0" exec web01 a b && "$0" status --json'
    report = done_in(FEW_INODES_HOME, script, home, launcher)
    assert (report["waiting"], report["disk_full"]) == (0, True)
    assert report["obstacle"] == "the disk has no inode left"


def test_runs_that_found_no_inode_are_counted_where_possible(home: Home, launcher: Launcher, quick: Program) -> None:
    script = f"""mkdir -p "$HOME/.chef-workstation/telemetry"; printf r >"$HOME/.chef-workstation/telemetry/.lost"
    {FULL_OF_FILES}
    "$0" exec web01 a b; "$0" exec web01 a b; rm "$HOME"/fill*; "$0" exec web01 a b 2>/dev/null; "$0" status --json"""
    report = done_in(FEW_INODES_HOME, script, home, launcher)
    assert (report["waiting"], report["lost"]) == (1, {"no_room": 3})


@pytest.mark.parametrize(("blocks", "reason"), [(0, "unknown"), (1, "file_size_limit")])
def test_a_run_whose_files_may_not_grow_is_counted(
    stocked: Home, launcher: Launcher, chef_run: Program, blocks: int, reason: str
) -> None:
    stocked.postpone()
    # A block is of 512 bytes, in which a session of several hosts has no room, but a count has.
    command = ["sh", "-c", f'ulimit -f {blocks}; exec "$0" exec web01,web02,web03 a b', str(launcher.path)]
    done = subprocess.run(command, env=stocked.env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(stocked.sessions()) == 2
    assert launcher.status()["lost"] == {reason: 1}
    assert f"1 run: {losses.REASONS[reason]} (1)".encode() in launcher.run("status").stdout
    assert losses.REASONS[reason].encode() in launcher.run("doctor").stdout
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$0" status --json', str(launcher.path)]
    report = json.loads(subprocess.run(limited, env=stocked.env, capture_output=True, check=True).stdout)
    assert report["obstacle"] == f"files may not grow beyond {blocks * 512} bytes (ulimit -f)"


def test_a_run_over_quota_is_counted(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    stocked.postpone()
    stocked.env.update(preloaded(OVER_QUOTA, tmp_path))
    launcher.exec("web01", "a", "b")
    del stocked.env["LD_PRELOAD"]
    assert (launcher.status()["lost"], len(stocked.sessions())) == ({"quota": 1}, 2)


def test_a_run_lost_by_a_defect_is_counted_in_silence(stocked: Home, launcher: Launcher, chef_run: Program) -> None:
    stocked.postpone()
    losses.count(stocked.layout, ValueError("web01"))
    assert (stocked.telemetry / ".lost").read_bytes() == b"d"
    assert launcher.status()["lost"] == {"internal_error": 1}


def test_a_home_that_becomes_read_only_during_a_run_is_silent(
    stocked: Home, launcher: Launcher, chef_run: Program
) -> None:
    """Nothing can be noted there; that it is so, `status` sees by itself."""
    chef_run.path.write_text('#!/bin/sh\nmount -o remount,ro,bind "$HOME"\n')
    stocked.postpone()
    bound = READ_ONLY_HOME.partition(" && ")[0]
    script = '"$0" exec web01 a b && "$0" status --json'
    report = done_in(bound, script, stocked, launcher)
    assert (report["on"], report["waiting"]) == (False, 2)
    assert report["reason"].endswith("is not writable")
