"""Whatever is wrong with a home, chef-run runs, its exit code is right, nobody is told, and `status` explains."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import Callable

import pytest

from tests.support.homes import Home
from tests.support.mounts import SMALL_HOME, run_with
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector

ID = "0b7d4e7a-6d39-4c30-8b4f-2f3a3f0c6a11"


def runs_as_ever(launcher: Launcher, chef_run: Program) -> None:
    chef_run.path.write_text("#!/bin/sh\necho out; echo err >&2; exit 3\n")
    done = launcher.exec("web01", "a", "b")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def no_home(home: Home) -> None:
    del home.env["HOME"]


def broken_config(home: Home) -> None:
    home.config.write_text("[telemetry")


def config_is_a_folder(home: Home) -> None:
    home.config.unlink()
    home.config.mkdir()


def telemetry_is_a_file(home: Home) -> None:
    for path in home.telemetry.iterdir():
        path.unlink()
    home.telemetry.rmdir()
    home.telemetry.write_text("mine")


@pytest.mark.parametrize(
    ("spoil", "explanation"),
    [
        (no_home, "HOME: HOME is not set"),
        (broken_config, "not valid TOML, at end of document"),
        (config_is_a_folder, "not a regular file"),
        (telemetry_is_a_file, "is not a directory"),
    ],
)
def test_what_turns_telemetry_off_is_explained(
    home: Home, launcher: Launcher, chef_run: Program, spoil: Callable[[Home], None], explanation: str
) -> None:
    home.use()
    spoil(home)
    runs_as_ever(launcher, chef_run)
    report = launcher.status()
    assert not report["on"]
    assert explanation in report["reason"]


def test_a_missing_chef_run_is_explained(launcher: Launcher) -> None:
    assert launcher.status()["chef_run"]["problem"].startswith("cannot find chef-run: ")


@pytest.mark.parametrize(
    "rubbish_text",
    [b"", b"{", b"\xff\x00", b"[" * 60000, b'{"schema": 1}', b"x" * 70000],
    ids=["empty", "torn", "no UTF-8", "deep", "incomplete", "too large"],
)
def test_a_session_file_full_of_rubbish_is_put_aside_once(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector, rubbish_text: bytes
) -> None:
    launcher.exec("web01", "directory", "/tmp/foo")
    good = home.sessions()[0]
    rubbish = home.telemetry / f"session-{ID}.json"
    for content in (b"an earlier one of the same name", rubbish_text):
        rubbish.write_bytes(content)
        assert launcher.status()["unreadable"] == 1
        flushed = launcher.run("flush")
        assert (flushed.returncode, flushed.stderr) == (0, b"")
        assert not rubbish.exists()
        assert (home.telemetry / "rejected" / rubbish.name).read_bytes() == content
    assert launcher.status()["rejected"] == 1
    assert not good.exists()
    assert len(collector.requests) == 1


def test_what_is_not_ours_is_left_alone_and_blocks_nothing(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher.exec("web01", "directory", "/tmp/foo")
    (ours,) = home.sessions()
    (home.telemetry / "notes.txt").write_text("mine")
    (home.telemetry / "session-of-mine.json").write_text("{}")
    (home.telemetry / os.fsdecode(b"session-\xff.json")).write_text("{}")
    folder, symlink, fifo, listener = (home.telemetry / f"session-{ID[:-1]}{n}.json" for n in range(4))
    folder.mkdir()
    symlink.symlink_to(home.path / "elsewhere")
    os.mkfifo(fifo)
    before = home.files()
    with socket.socket(socket.AF_UNIX) as bound:
        monkeypatch.chdir(home.telemetry)  # the name of a socket has room for a short path only
        bound.bind(listener.name)
        launcher.exec("web02", "directory", "/tmp/foo")
        wait_for_no_sender(home)
    assert len(collector.requests) == 1
    assert before - home.files() == {str(ours.relative_to(home.path))}
    assert listener.exists()


@pytest.mark.parametrize("content", ["", "not a uuid", "x" * 5000])
def test_an_installation_id_that_is_none_is_left_alone(
    home: Home, launcher: Launcher, chef_run: Program, content: str
) -> None:
    """chef-run may know what it is. It stands for no installation."""
    home.use()
    home.installation_id.write_text(content)
    launcher.exec("web01", "directory", "/tmp/foo")
    (path,) = home.sessions()
    assert json.loads(path.read_text())["installation_id"] == "00000000-0000-0000-0000-000000000000"
    assert home.installation_id.read_text() == content


def test_a_file_that_cannot_grow_is_silent(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.use()
    chef_run.path.write_text("#!/bin/sh\nexit 3\n")
    launcher.exec()
    command = ["sh", "-c", 'ulimit -f 0; exec "$0" exec web01 a b', str(launcher.path)]
    done = subprocess.run(command, env=home.env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    assert len(home.sessions()) == 1
    assert not list(home.telemetry.glob(".*.tmp"))


FILL = """
mkdir "$HOME/.chef-workstation"
"$0" exec web01 a b 2>/dev/null
head -c 99999 /dev/zero > "$HOME/fill" 2>/dev/null
"$0" exec web01 a b && "$0" status --json
"""


def test_a_full_disk_is_silent_and_explained(home: Home, launcher: Launcher, chef_run: Program) -> None:
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    done = run_with(SMALL_HOME, "sh", "-c", FILL, launcher.path, env=home.env)
    assert (done.returncode, done.stderr) == (0, b"")
    report = json.loads(done.stdout)
    assert (report["disk_full"], report["waiting"]) == (True, 1)


def test_a_run_of_more_hosts_than_a_session_holds_is_counted(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.set_up()
    chef_run.path.write_text("#!/bin/sh\nexit 3\n")
    done = launcher.exec(",".join(f"web{number}" for number in range(600)), "directory", "/tmp/foo")
    assert (done.returncode, done.stdout) == (3, b"")
    assert home.sessions() == []
    assert launcher.status()["dropped"] == 1
