"""Turning telemetry off and on for good, and deleting what was kept."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pexpect
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from launcher.consent import switch, toml
from launcher.home import files
from tests.support.hashes import sha256
from tests.support.homes import Home
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector

PLAIN = '# mine\n\n[log]\nlevel = "info"  # as it was\n'
# What stands before, and what `disable` makes of it.
CHANGES = {
    "nothing": ("", "[telemetry]\nenabled = false\n"),
    "other tables": (PLAIN, PLAIN + "\n[telemetry]\nenabled = false\n"),
    "a table without it": ("[telemetry]\ndev = true\n\n[log]\n", "[telemetry]\ndev = true\nenabled = false\n\n[log]\n"),
    "it, with a comment": (
        "[telemetry]\r\nenabled = true   # why not\r\n",
        "[telemetry]\r\nenabled = false   # why not\r\n",
    ),
    "the other spelling": ("[telemetry]\nenable = true\n", "[telemetry]\nenable = false\n"),
    "both spellings": ("[telemetry]\nenable=true\nenabled=1\n", "[telemetry]\nenable=false\nenabled=false\n"),
    "a dotted key": ("telemetry.enabled = true\n[log]\n", "telemetry.enabled = false\n[log]\n"),
    "an inline table": ("telemetry = {enabled = true} # x\n", "telemetry = {enabled = false} # x\n"),
    "other tables, with line ends of their own": (
        "[log]\r\na = 1\r\n",
        "[log]\r\na = 1\r\n\r\n[telemetry]\r\nenabled = false\r\n",
    ),
    "an array over lines": (
        '[cookbook]\npaths = [\n  "/a", # one\n]\n',
        '[cookbook]\npaths = [\n  "/a", # one\n]\n\n[telemetry]\nenabled = false\n',
    ),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_disable_changes_one_word_and_enable_takes_it_back(
    stocked: Home, launcher: Launcher, before: str, after: str
) -> None:
    stocked.config.write_bytes(before.encode())
    assert launcher.run("disable").returncode == 0
    assert stocked.config.read_bytes().decode() == after
    assert not launcher.status()["on"]
    assert launcher.run("disable").returncode == 0
    assert stocked.config.read_bytes().decode() == after
    assert launcher.run("enable").returncode == 0
    assert stocked.config.read_bytes().decode() == after.replace("= false", "= true").replace("=false", "=true")
    assert launcher.status()["on"]


@given(
    st.dictionaries(
        st.sampled_from(["log", "telemetry", "cookbook", "a b", "ä"]),
        st.dictionaries(
            st.sampled_from(["enabled", "enable", "level", "x y", "é"]),
            st.one_of(st.booleans(), st.integers(0, 9), st.text(max_size=5), st.lists(st.integers(0, 3), max_size=2)),
            max_size=3,
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_the_switch_changes_the_meaning_of_nothing_else(tables: dict[str, dict[str, object]], enabled: bool) -> None:
    old = tomlkit.dumps(tables).encode()
    said = toml.parse(switch._with_enabled(old, enabled))
    switches = {key: said.get("telemetry", {}).pop(key, enabled) for key in ("enabled", "enable")}
    assert set(switches.values()) == {enabled}
    expected = {
        name: {key: value for key, value in table.items() if name != "telemetry" or key not in switches}
        for name, table in tables.items()
    }
    assert {name: table for name, table in said.items() if table} == {
        name: table for name, table in expected.items() if table
    }


def test_disable_drops_what_waits_at_once_and_says_how_many(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    unfinished = stocked.telemetry / ".session-00000000-0000-4000-8000-000000000000.json.123.0badcafe.tmp"
    unfinished.write_text("{")
    stocked.postpone()
    done = launcher.run("disable")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Deleted 2 waiting sessions." in done.stdout
    assert stocked.sessions() == []
    assert not unfinished.exists()
    assert not (stocked.telemetry / ".next-attempt").exists()
    launcher.exec("web03", "a", "b")
    assert stocked.sessions() == []
    assert collector.requests == []


def test_each_switch_says_what_it_has_changed(stocked: Home, launcher: Launcher) -> None:
    for command, says in (
        *(("disable", "Turned telemetry off in"), ("disable", "Telemetry is already off in")),
        *(("enable", "Turned telemetry on in"), ("enable", "Telemetry is not turned off in")),
    ):
        assert launcher.run(command).stdout.decode().startswith(says)


def test_enable_says_what_turns_it_off_all_the_same(stocked: Home, launcher: Launcher) -> None:
    stocked.config.write_text("[telemetry]\nenabled = false\n")
    stocked.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    done = launcher.run("enable")
    assert done.returncode == 0
    assert b"It is still off, because CHEF_TELEMETRY_OPT_OUT is set." in done.stdout


def test_config_tomls_mode_stays_and_a_symlink_is_followed(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    """Many keep such files elsewhere, with their other settings."""
    dotfiles = tmp_path / "dotfiles.toml"
    stocked.config.rename(dotfiles)
    dotfiles.chmod(0o640)
    stocked.config.symlink_to(dotfiles)
    assert launcher.run("disable").returncode == 0
    assert stocked.config.is_symlink()
    assert dotfiles.read_text() == "[telemetry]\nenabled = false\n"
    assert stat.S_IMODE(dotfiles.stat().st_mode) == 0o640


def test_a_link_that_others_can_have_made_is_not_followed(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    stocked.config.rename(elsewhere)
    stocked.config.symlink_to(elsewhere)
    stocked.workstation.chmod(0o777)
    done = launcher.run("disable")
    assert done.returncode == 1
    assert f"it is a symbolic link, and others can write to {stocked.workstation}".encode() in done.stderr
    assert elsewhere.read_text() == ""


def test_in_a_fresh_home_disable_leaves_what_keeps_it_disabled(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    assert launcher.run("disable").returncode == 0
    assert home.config.read_text() == "[telemetry]\nenabled = false\n"
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    launcher.exec("web01", "a", "b")
    assert home.files() == {".chef-workstation/", ".chef-workstation/config.toml"}


@pytest.mark.parametrize("command", [["disable"], ["purge", "--yes", "--reset-id"]], ids=lambda words: words[0])
def test_what_makes_chef_runs_directory_says_what_that_means(
    home: Home, launcher: Launcher, command: list[str]
) -> None:
    """chef-run sets itself up only where it is missing."""
    assert b"skip its own first-run set-up" in b" ".join(launcher.run(*command).stdout.split())
    assert b"set-up" not in launcher.run(*command).stdout


def test_enable_in_a_fresh_home_leaves_nothing(home: Home, launcher: Launcher) -> None:
    assert launcher.run("enable").returncode == 0
    assert home.files() == set()


@pytest.mark.parametrize(
    ("content", "explanation"),
    [
        (b"[telemetry", "it is not valid TOML; telemetry is off until it is repaired"),
        (b"\xff", "it is not valid TOML"),
        (b"telemetry = 3\n", "telemetry is not a table in it"),
        pytest.param(
            b"telemetry = {\n a = 1\n}\n",
            "it is not valid TOML",
            marks=pytest.mark.skipif(sys.version_info < (3, 11), reason="tomli reads TOML 1.1 as well"),
        ),
        (b"x" * (1 << 21), "larger than"),
    ],
    ids=["torn", "no UTF-8", "no table", "newer TOML", "huge"],
)
@pytest.mark.parametrize("command", ["enable", "disable"])
def test_a_config_toml_that_cannot_be_changed_is_left_and_named(
    stocked: Home, launcher: Launcher, content: bytes, explanation: str, command: str
) -> None:
    stocked.config.write_bytes(content)
    done = launcher.run(command)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert f"was not changed: {explanation}" in done.stderr.decode()
    assert stocked.config.read_bytes() == content
    assert len(stocked.sessions()) == 2


def test_purge_deletes_all_of_it_and_nothing_else(stocked: Home, launcher: Launcher) -> None:
    (stocked.telemetry / "rejected").mkdir()
    stocked.sessions()[0].rename(stocked.telemetry / "rejected" / stocked.sessions()[0].name)
    (stocked.telemetry / "receipts.jsonl").write_text('{"day": "2026-01-01"}\n')
    (stocked.telemetry / "rejected" / "notes.txt").write_text("mine")
    stocked.postpone()
    id = stocked.installation_id.read_text()
    done = launcher.run("purge", "--yes")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"Deleted 1 waiting session, 1 rejected session and all receipts.\n"
    assert sorted(path.name for path in stocked.telemetry.rglob("*")) == [
        ".notice",
        "notes.txt",
        "rejected",
        "telemetry-payload-1.yml",
    ]
    assert stocked.installation_id.read_text() == id


def test_reset_id_puts_a_new_one_in_its_place(stocked: Home, launcher: Launcher) -> None:
    old = stocked.installation_id.read_text()
    launcher.run("purge", "--yes", "--reset-id")
    new = stocked.installation_id.read_text()
    assert str(uuid.UUID(new)) == new != old
    launcher.exec("web03", "a", "b")
    assert json.loads(stocked.sessions()[0].read_text())["installation_id"] == new


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 2), ("", 2)])
def test_purge_asks_on_a_terminal(stocked: Home, launcher: Launcher, answer: str, left: int) -> None:
    with launcher.on_a_terminal("purge") as terminal:
        terminal.expect_exact("Delete 2 waiting sessions, 0 rejected sessions, 0 receipts? [y/N]:")
        terminal.sendline(answer)
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == (0 if left == 0 else 1)
    assert len(stocked.sessions()) == left


def test_purge_deletes_nothing_where_its_question_is_ended(stocked: Home, launcher: Launcher) -> None:
    with launcher.on_a_terminal("purge") as terminal:
        terminal.expect("Delete 2 waiting sessions.*: ")
        terminal.sendeof()
        terminal.expect(r"\r\nchef-run-launcher: aborted\r\n")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 1
    assert len(stocked.sessions()) == 2


@pytest.mark.parametrize("stdin", ["</dev/null", "<&-"])
def test_purge_deletes_nothing_where_there_is_nobody_to_ask(stocked: Home, launcher: Launcher, stdin: str) -> None:
    command = ["sh", "-c", f'"$0" purge {stdin}', str(launcher.path)]
    done = subprocess.run(command, env=stocked.env, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"chef-run-launcher: nothing was deleted: without a terminal to confirm on, use --yes\n"
    assert len(stocked.sessions()) == 2


@pytest.mark.parametrize("command", [["disable"], ["enable"], ["purge", "--yes"]])
def test_without_a_home_nothing_is_changed_and_that_is_said(launcher: Launcher, command: list[str]) -> None:
    del launcher.env["HOME"]
    done = launcher.run(*command)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"HOME is not set" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be in somebody else's HOME")
@pytest.mark.parametrize("command", [["disable"], ["enable"], ["purge", "--yes"]])
def test_root_changes_nothing_in_the_home_of_another(stocked: Home, launcher: Launcher, command: list[str]) -> None:
    os.chown(stocked.path, 1234, 1234)
    assert launcher.run(*command).returncode == 1
    assert stocked.config.read_text() == ""
    assert len(stocked.sessions()) == 2


@pytest.mark.parametrize("host", ["Web01", "web01", "root:s3cret@web01", "ssh://root@WEB01:22/", "web01:2222"])
def test_explain_hash_shows_what_is_recorded_of_a_target(launcher: Launcher, host: str) -> None:
    sum = sha256("web01")
    done = launcher.run("explain-hash", host)
    assert done.stdout.decode().splitlines()[0] == sum
    assert b"It does not protect a name that can be guessed" in done.stdout.replace(b"\n", b" ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    report = json.loads(launcher.run("explain-hash", "--json", host).stdout)
    assert report == {"schema": 1, "hosts": "sha256", "hostname_sha256": [sum]}


def test_explain_hash_of_what_is_no_target_says_so(launcher: Launcher) -> None:
    done = launcher.run("explain-hash", "ftp://web01")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"chef-run-launcher: chef-run would not accept that as a target\n"


@pytest.mark.parametrize("level", ["salted", "count", "off"])
def test_explain_hash_shows_what_is_recorded_here_and_no_more(stocked: Home, launcher: Launcher, level: str) -> None:
    stocked.config.write_text(f'[telemetry]\nhosts = "{level}"\n')
    text = launcher.run("explain-hash", "web01").stdout.decode()
    assert sha256("web01") not in text
    assert f'hosts = "{level}" in {stocked.config}:2.' in text
    launcher.exec("web01", "directory", "/tmp/foo")
    newest = json.loads(stocked.oldest_first()[-1].read_text())
    recorded = [target.get("hostname_sha256") for target in newest["targets"]]
    shown = json.loads(launcher.run("explain-hash", "--json", "web01").stdout)
    assert shown == {"schema": 1, "hosts": level, "hostname_sha256": [each for each in recorded if each]}


def test_a_run_during_which_telemetry_is_disabled_is_not_kept(
    stocked: Home, launcher: Launcher, chef_run: Program
) -> None:
    chef_run.path.write_text("#!/bin/sh\necho; read go\n")
    run = launcher.start("exec", "web03", "a", "b", stdin=subprocess.PIPE)
    assert run.stdout
    run.stdout.read(1)
    launcher.run("disable")
    run.communicate(b"go\n")
    assert run.returncode == 0
    assert stocked.sessions() == []


def test_a_save_by_another_program_meanwhile_is_not_lost(stocked: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all = files.write_all

    def write_while_somebody_saves(descriptor: int, content: bytes) -> None:
        write_all(descriptor, content)
        if "[chef]" not in stocked.config.read_text():
            with open(stocked.config, "a") as file:
                file.write("[chef]\n")

    monkeypatch.setattr(files, "write_all", write_while_somebody_saves)
    assert switch.set_enabled(stocked.layout, False)
    assert stocked.config.read_text() == "[chef]\n\n[telemetry]\nenabled = false\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to somebody else")
def test_config_toml_stays_whose_it_was(stocked: Home, launcher: Launcher) -> None:
    os.chown(stocked.config, 1234, 1235)
    assert launcher.run("disable").returncode == 0
    assert (stocked.config.stat().st_uid, stocked.config.stat().st_gid) == (1234, 1235)


def test_what_cannot_be_deleted_is_named_and_not_called_deleted(stocked: Home, launcher: Launcher) -> None:
    (stocked.telemetry / "receipts.jsonl").mkdir()
    done = launcher.run("purge", "--yes")
    assert done.returncode == 1
    assert f"{stocked.telemetry / 'receipts.jsonl'} cannot be deleted" in done.stderr.decode()


def test_reset_id_takes_the_key_of_the_hosts_along(stocked: Home, launcher: Launcher) -> None:
    stocked.config.write_text('[telemetry]\nhosts = "salted"\n')
    launcher.exec("web01", "a", "b")
    assert (stocked.telemetry / ".hosts-key").exists()
    launcher.run("purge", "--yes", "--reset-id")
    assert not (stocked.telemetry / ".hosts-key").exists()
