"""While somebody exchanges directories and files of ours for links, again and again, nothing there is touched."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.consent import notice, switch
from launcher.delivery import receipts, schedule
from launcher.home import lock, losses, spool
from launcher.home.layout import Home as Layout
from launcher.reading.command_line import targets
from launcher.record import adoption, hosts_key, installation_id
from tests.support.exchanging import exchanged
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Collector

SECONDS = 0.5  # for each attack: some two hundred tries
ID = "00000000-0000-4000-8000-000000000000"
PAYLOAD = "---\nversion: 1.1.1\nentries:\n- :event: :run\n  :properties:\n    :event_data:\n      :duration: 1.0\n"
DIRECTORIES = {"chef-run's": ".", "telemetry": "telemetry", "rejected": "telemetry/rejected"}
FILES = [".lock", ".lease", ".next-attempt", ".notice", ".hosts-key", ".dropped", ".lost", "receipts.jsonl"]
FILES += [f"session-{ID}.json", "telemetry-payload-1.yml", "../installation_id"]
RUNS = (("exec", "web03", "a", "b"), ("flush",), ("purge", "--yes", "--reset-id"), ("disable",), ("enable",))


def all_that_writes(home: Layout) -> list[Callable[[], object]]:
    """All that the launcher does to what lies there."""

    def take_the_lock() -> None:
        held = lock.take(home)
        if held is not None:
            lock.is_current(home, held)
            lock.release(home, held)

    def adopt() -> None:
        moment = time.time()
        found = targets(["a", "b", "c"])
        adoption.adopt(home.telemetry, found, started=moment, ended=moment, succeeded=False, earlier=())

    return [
        adopt,
        take_the_lock,
        lambda: home.telemetry.make(),
        lambda: hosts_key.ensure(home),
        lambda: hosts_key.forget(home),
        lambda: installation_id.ensure(home),
        lambda: installation_id.reset(home),
        lambda: losses.count(home, OSError()),
        lambda: spool.count_dropped(home),
        lambda: notice.claim(home),
        lambda: receipts.make_ready(home),
        lambda: receipts.add(home, [ID], day="", endpoint="", status=200, body=b""),
        lambda: receipts.discard(home),
        lambda: schedule.begin(home),
        lambda: schedule.fail(home, "x"),
        lambda: schedule.clear(home),
        lambda: spool.store(home, ID, b"{}", [f"session-{ID}.json"] * spool.MAX_WAITING),
        lambda: spool.reject(home, f"session-{ID}.json", "refused"),
        lambda: spool.put_back(home),
        lambda: spool.tidy(home),
        lambda: spool.remove(home, [f"session-{ID}.json"]),
        lambda: spool.discard_rejected(home),
        lambda: spool.discard_all(home),
        lambda: switch.set_enabled(home, False),
        lambda: switch.set_enabled(home, True),
    ]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory that has all that ours may have, and that belongs to somebody else, let us say."""
    directory = tmp_path / "elsewhere"
    telemetry = directory / "telemetry"
    (telemetry / "rejected").mkdir(parents=True)
    (directory / "config.toml").write_text("# mine\n")
    for name in FILES:
        (telemetry / name).write_text(PAYLOAD)
    (telemetry / "receipts.jsonl").write_bytes(b"x" * 20_000)
    (telemetry / f".session-{ID}.json.1.00000000.tmp").write_text("mine")
    (telemetry / "rejected" / f"session-{ID}.json").write_text("mine")
    for path in directory.rglob("*"):
        if path.suffix != ".yml":
            os.utime(path, (1, 1))  # old enough to be tidied up
    return directory


def seen(directory: Path) -> dict[str, object]:
    """All that could be changed in a directory."""
    found: dict[str, object] = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.stat()
        content = path.read_bytes() if path.is_file() else sorted(os.listdir(path))
        found[str(path)] = (status.st_mode, status.st_ino, status.st_nlink, status.st_uid, status.st_mtime_ns, content)
    return found


def attacked(home: Layout) -> int:
    """Do all that writes, again and again: how often it was refused."""
    refused = 0
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for work in all_that_writes(home):
            home.close()
            try:
                work()
            except (OSError, switch.Unchangeable):
                refused += 1
    return refused


def exchange(home: Home, name: str, elsewhere: Path) -> Path:
    """What a name of ours is to be exchanged for: a link to what has that name elsewhere."""
    home.use()
    (home.telemetry / "rejected").mkdir()
    link = home.path / "link"
    link.symlink_to(elsewhere / name)
    return link


@pytest.mark.parametrize("name", DIRECTORIES.values(), ids=DIRECTORIES)
def test_a_directory_exchanged_for_a_link_leads_nowhere(home: Home, elsewhere: Path, name: str) -> None:
    link = exchange(home, name, elsewhere)
    before = seen(elsewhere)
    with exchanged(home.workstation / name, link):
        assert attacked(home.layout)
    assert seen(elsewhere) == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_exchanged_for_a_link_leads_nowhere(home: Home, elsewhere: Path, name: str) -> None:
    link = exchange(home, f"telemetry/{name}", elsewhere)
    (home.telemetry / name).touch()
    before = seen(elsewhere)
    with exchanged(home.telemetry / name, link):
        attacked(home.layout)
    assert seen(elsewhere) == before


@pytest.mark.parametrize("name", [".", "telemetry", "telemetry/receipts.jsonl"])
def test_no_run_and_no_command_follows_what_is_exchanged(
    stocked: Home, launcher: Launcher, plain_collector: Collector, elsewhere: Path, name: str
) -> None:
    link = stocked.path / "link"
    link.symlink_to(elsewhere / name)
    (stocked.telemetry / "receipts.jsonl").touch()
    before = seen(elsewhere)
    with exchanged(stocked.workstation / name, link):
        for arguments in RUNS * 2:
            launcher.run(*arguments)
    assert seen(elsewhere) == before
