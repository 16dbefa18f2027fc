"""What waits is bounded, and whatever else lies in the directory, or is wrong with it, is in nobody's way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from launcher.home import spool
from tests.support.homes import Home
from tests.support.mounts import SMALL_HOME, run_with
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher, Program
from tests.support.servers import Answer, Collector
from tests.support.tracing import strace

DAY = 24 * 3600


def fill(home: Home, number: int) -> None:
    """Add sessions that were stored long ago, one second after the other."""
    text = home.sessions()[0].read_text()
    for each in range(number):
        path = home.telemetry / f"session-00000000-0000-4000-8000-{each:012}.json"
        path.write_text(text)
        os.utime(path, (time.time() - 3600 + each / 10,) * 2)


def test_a_run_drops_the_oldest_of_too_many_and_counts_them(stocked: Home, launcher: Launcher) -> None:
    fill(stocked, spool.MAX_WAITING)
    stocked.postpone()
    launcher.exec("web03", "a", "b")
    assert len(stocked.sessions()) == spool.MAX_WAITING
    gone = [f"session-00000000-0000-4000-8000-{each:012}.json" for each in range(4)]
    assert [(stocked.telemetry / name).exists() for name in gone] == [False, False, False, True]
    assert launcher.status()["dropped"] == 3


def test_what_only_has_the_name_of_a_session_takes_no_place(stocked: Home) -> None:
    fill(stocked, spool.MAX_WAITING - len(stocked.sessions()))
    eviction_order = spool.eviction_order(stocked.layout)
    (stocked.telemetry / "session-00000000-0000-4000-8000-bbbbbbbbbbbb.json").mkdir()
    spool.store(stocked.layout, "00000000-0000-4000-8000-aaaaaaaaaaaa", b"{}", eviction_order)
    assert sum(path.is_file() for path in stocked.sessions()) == spool.MAX_WAITING


def test_a_run_looks_at_no_more_of_a_flooded_folder_than_it_must(stocked: Home) -> None:
    fill(stocked, 3000)
    spool.store(stocked.layout, "00000000-0000-4000-8000-aaaaaaaaaaaa", b"{}", spool.eviction_order(stocked.layout))
    left = 3003 - len(stocked.sessions())
    assert 0 < left <= spool.PARALLEL_RUNS


def crowd(home: Home) -> None:
    """Put more files that are not ours beside the sessions than a run looks at."""
    for number in range(spool.MAX_NAMES * 5):
        os.close(os.open(home.telemetry / f"foreign-{number}", os.O_CREAT))


def test_a_run_looks_at_few_of_a_crowd_of_foreign_files(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    crowd(stocked)
    stocked.postpone()
    trace = tmp_path / "trace"
    counting = strace("-f", "-e", "trace=getdents64,newfstatat,lstat,stat", output=trace)
    subprocess.run([*counting, str(launcher.path), "exec", "web03", "a", "b"], env=stocked.env, check=True)
    calls = trace.read_text().splitlines()
    lists = [int(line.rpartition("= ")[2]) for line in calls if "getdents64(" in line and "unfinished" not in line]
    assert sum(lists) < 500_000  # bytes of names; once through the directory is 400,000
    assert len(calls) < 2500
    assert len(stocked.sessions()) == 3


def test_in_a_crowd_all_is_done_that_is_done_elsewhere(
    home: Home, launcher: Launcher, collector: Collector, chef_run: Program
) -> None:
    home.has_waiting("web01", "web02")
    crowd(home)
    launcher.exec("ubuntu01", "directory", "/tmp/foo")
    collector.wait_for_requests(2)
    wait_for_no_sender(home)
    (session,) = home.sessions()
    assert json.loads(session.read_text())["targets"][0]["os"] == "linux"
    assert home.payloads() == []


def test_a_purge_beside_runs_ends_well(stocked: Home, launcher: Launcher, chef_run: Program) -> None:
    stocked.postpone()
    runs = [launcher.start("exec", f"web{number}", "a", "b") for number in range(8)]
    while any(run.poll() is None for run in runs):
        done = launcher.run("purge", "--yes")
        assert (done.returncode, done.stderr) == (0, b"")
    assert all(run.communicate()[1] == b"" for run in runs)
    assert launcher.status()["lost"] == {}


def test_what_somebody_else_has_removed_is_not_called_left(stocked: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = stocked.sessions()
    listed = [first.name, second.name]
    monkeypatch.setattr(spool, "_sessions", lambda directory: iter(listed))
    first.unlink()
    assert spool.discard_all(stocked.layout) == (1, [])


def test_the_sender_holds_the_bounds_of_what_was_rejected_too(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    """Exactly, and not by and by: it has the time that a run has not."""
    collector.otherwise = lambda request: Answer(status=503)
    fill(stocked, 700)
    rejected = stocked.telemetry / "rejected"
    rejected.mkdir()
    for path in stocked.sessions()[:600]:
        os.link(path, rejected / path.name)
    launcher.run("flush")
    assert len(stocked.sessions()) == len(list(rejected.iterdir())) == spool.MAX_WAITING
    assert launcher.status()["dropped"] == 202 + 100


def test_what_a_crash_left_goes_and_what_looks_alike_stays(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    left = stocked.telemetry / ".session-00000000-0000-4000-8000-000000000000.json.123.0badcafe.tmp"
    alike = [stocked.telemetry / name for name in (".mine.tmp", "notes.123.0badcafe.tmp", ".a.b.0badcafe.tmp")]
    fresh = stocked.telemetry / ".next-attempt.123.0badcafe.tmp"
    for path in [left, fresh, *alike]:
        path.write_text("{")
    for path in [left, *alike]:
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    launcher.run("flush")
    assert not left.exists()
    assert all(path.exists() for path in [fresh, *alike])


def test_a_name_with_the_shape_of_ours_is_what_we_make() -> None:
    from launcher.home import files

    assert files.is_temporary_name(files.temporary_name(".next-attempt"))


UNWRITABLE = {
    "the lock is a folder": "rm -f .lock; mkdir .lock",
    "the lock is a symlink": "ln -sf /dev/null .lock",
    "the schedule is a folder": "mkdir .next-attempt; touch -d yesterday .next-attempt",
    "the receipts are a folder": "mkdir receipts.jsonl",
    "the receipts are a symlink": "ln -s elsewhere receipts.jsonl",
    "the receipts are a pipe": "mkfifo receipts.jsonl",
}


@pytest.mark.parametrize("spoil", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_where_state_cannot_be_written_nothing_is_sent(
    stocked: Home, launcher: Launcher, collector: Collector, spoil: str
) -> None:
    """Or each run would send the same again. `flush` says why."""
    subprocess.run(spoil, shell=True, cwd=stocked.telemetry, check=True)
    assert launcher.exec("web03", "a", "b").stderr == b""
    wait_for_no_sender(stocked)
    done = launcher.run("flush")
    assert done.returncode == 1
    assert done.stderr.startswith(b"chef-run-launcher: not sent: the launcher's own files cannot be written (")
    assert b"(None)" not in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert collector.requests == []
    assert len(stocked.sessions()) == 3


# Without room for a byte, as root or not. The launcher's own processes are counted by strace from outside.
FULL = """
cp -r "$0/.chef-workstation" "$HOME/" && head -c 999999 /dev/zero >"$HOME/fill" 2>/dev/null
for each in 1 2 3; do
    "$@" exec web03 a b || exit
    cat "$0/trace" >>"$0/traces"
done
"""


def test_on_a_full_disk_no_run_starts_a_sender(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path
) -> None:
    home = tmp_path / "small"
    home.mkdir()
    env = {**stocked.env, "HOME": str(home)}
    tracing = strace("-f", "-e", "trace=execve", output=stocked.path / "trace")
    done = run_with(SMALL_HOME, "sh", "-c", FULL, stocked.path, *tracing, launcher.path, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    traces = (stocked.path / "traces").read_text()
    assert traces.count('chef-run"') >= 3
    assert '"send"' not in traces
    assert collector.requests == []


def test_a_disk_that_fills_up_in_a_delivery_sends_nothing_twice(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    # Files may not grow beyond 8 KiB, of which there are 5 left for receipts of some 300 bytes each.
    ids = stocked.has_waiting(*(f"db{number}" for number in range(40)))
    (stocked.telemetry / "receipts.jsonl").write_text("{}\n" * 1024)
    command = ["sh", "-c", 'ulimit -f 16; exec "$0" flush', str(launcher.path)]
    done = subprocess.run(command, env=stocked.env, capture_output=True, check=False)
    assert b"the launcher's own files cannot be written (" in done.stderr
    sent = [request.session_id for request in collector.requests]
    assert 0 < len(sent) < len(ids)
    assert {path.name for path in stocked.sessions()}.isdisjoint(f"session-{each}.json" for each in sent)
    kept = {receipt["session"] for receipt in stocked.receipts() if receipt}
    assert kept < {*sent} and len({*sent} - kept) == 1  # the one for which there was no room


def test_a_session_that_cannot_be_removed_stops_the_delivery(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    """It would be sent again and again."""
    oldest = stocked.oldest_first()[0]
    made_immutable = shutil.which("chattr") and subprocess.run(["chattr", "+i", str(oldest)], capture_output=True)
    if not made_immutable or made_immutable.returncode:
        pytest.skip("needs chattr (scripts/install-test-tools), root, and a file system that has it, as ext4")
    try:
        assert b"the launcher's own files cannot be written" in launcher.run("flush").stderr
        assert len(collector.requests) == 1
        launcher.exec("web03", "a", "b")
        wait_for_no_sender(stocked)
        assert len({request.body for request in collector.requests}) == 1
        assert launcher.status()["last_failure"] is not None
    finally:
        subprocess.run(["chattr", "-i", str(oldest)], check=True)


def test_what_cannot_be_put_aside_stops_no_other_and_is_told(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    (stocked.telemetry / "rejected").write_text("no folder")
    broken = stocked.telemetry / "session-00000000-0000-4000-8000-000000000000.json"
    broken.write_text("{")
    os.utime(broken, (time.time() - 3600,) * 2)
    collector.answers.append(Answer(status=404))
    done = launcher.run("flush")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"Sent 1 session.\n" in done.stdout
    assert b"not sent: some sessions cannot be moved to rejected/" in done.stderr
    assert len(collector.requests) == 2
    assert len(stocked.sessions()) == 2
    assert launcher.status()["last_failure"]["attempts"] == 1


@pytest.mark.parametrize("umask", ["0777", "0377"])
def test_a_run_under_a_strange_umask_leaves_what_can_be_sent(
    stocked: Home, launcher: Launcher, collector: Collector, umask: str
) -> None:
    command = ["sh", "-c", f'umask {umask}; "$0" exec web03 a b', str(launcher.path)]
    subprocess.run(command, env=stocked.env, check=True)
    collector.wait_for_requests(2)
    wait_for_no_sender(stocked)
    modes = {
        path.name: oct(path.stat().st_mode & 0o777) for path in stocked.telemetry.iterdir() if path.suffix != ".yml"
    }
    assert set(modes.values()) == {"0o600"}
    assert {".lock", "receipts.jsonl"} < set(modes)


def test_advice_that_the_system_does_not_take_costs_no_session(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    refusing = strace("-f", "-e", "trace=fadvise64", "-e", "inject=fadvise64:error=ENOSYS")
    subprocess.run([*refusing, str(launcher.path), "exec", "web03", "a", "b"], env=stocked.env, check=True)
    wait_for_no_sender(stocked)
    assert len(collector.requests) == 2
    assert len(stocked.sessions()) == 1


def test_a_run_opens_none_of_the_files_that_wait(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    tracing = strace("-f", "-e", "trace=openat,open,execve", output=trace)
    subprocess.run([*tracing, str(launcher.path), "exec", "web03", "a", "b"], env=stocked.env, check=True)
    wait_for_no_sender(stocked)
    calls = [line.split(maxsplit=1) for line in trace.read_text().splitlines()]
    senders = {pid for pid, call in calls if '"send"' in call}
    opened = [call for pid, call in calls if pid not in senders and "session-" in call]
    assert len(senders) == 1
    assert len(opened) == 1  # the run's own, which it makes
    assert '".session-' in opened[0]
