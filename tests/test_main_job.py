"""The main job: run chef-run, record the run, send the earlier ones."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
import pytest

from launcher.record import session
from tests.support.hashes import sha256
from tests.support.homes import Home
from tests.support.processes import descriptors, proc, senders, wait_for_no_sender
from tests.support.programs import ISOLATED, MAIN, Launcher, Program
from tests.support.servers import Answer, Collector
from tests.support.waiting import wait_until

# Every word of it was weighed: a change here is a change of what people are told.
NOTICE = (
    "chef-run-launcher: each run of chef-run is recorded (an installation ID, this machine's OS, and for "
    "each target a hash of its name, its OS, and SSH or WinRM) and "
    "reported to {receiver}, in place of chef-run's own telemetry. To see it: chef-run-launcher show. To turn it off: "
    "chef-run-launcher disable, or set CHEF_TELEMETRY_OPT_OUT. More: https://docs.chef.io/workstation/privacy/\n"
)
NOTICE_ON_A_TERMINAL = """
chef-run-launcher records each run of chef-run and reports it. This replaces
chef-run's own telemetry, which chef-run announces separately.
  Recorded:     a random installation ID, this machine's OS, and for each
                target the SHA-256 hash of its name, its operating system, and
                whether SSH or WinRM was used
  Sent to:      {receiver}, from the next run on
  To see it:    chef-run-launcher show
  To turn off:  chef-run-launcher disable; for one run, CHEF_TELEMETRY_OPT_OUT=1
  More:         https://docs.chef.io/workstation/privacy/
"""

IGNORES_CHILDREN = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


def only_session(home: Home) -> session.Session:
    (path,) = home.sessions()
    return session.from_bytes(path.read_bytes())


def test_the_second_run_sends_the_session_of_the_first(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    assert launcher.exec("web01", "directory", "/tmp/foo").returncode == 0
    first = only_session(home)
    assert collector.requests == []

    assert launcher.exec("web02", "directory", "/tmp/foo").returncode == 0
    (request,) = collector.wait_for_requests(1)
    wait_until(lambda: len(home.sessions()) == 1, "the first session is removed")

    assert request.line == "POST /events HTTP/1.1"
    envelope = json.loads(request.body)
    properties = envelope["payload"]["properties"]
    assert properties["targets"] == [{"hostname_sha256": sha256("web01"), "transport": "ssh", "os": "linux"}]
    assert properties == {name: first[name] for name in ("installation_id", "command", "host", "targets")}
    assert envelope["session_id"] == first["id"]
    assert only_session(home)["targets"][0]["hostname_sha256"] == sha256("web02")

    (receipt,) = home.receipts()
    assert receipt == {
        "day": envelope["timestamp"][:10],
        "session": first["id"],
        "endpoint": collector.url,
        "status": 202,
        "bytes": len(request.body),
        "sha256": hashlib.sha256(request.body).hexdigest(),
    }


def test_a_session_holds_what_is_promised_and_nothing_else(home: Home, launcher: Launcher, chef_run: Program) -> None:
    """By the privacy page."""
    launcher.exec("root:s3cret@web[01:02],ssh://Win7:2222,winrm://win8", "-p", "ssh", "user", "bob", "action=create")
    (path,) = home.sessions()
    record = json.loads(path.read_text())
    assert list(record) == ["schema", "id", "installation_id", "command", "host", "targets"]
    assert path.name == f"session-{record['id']}.json"
    assert record["installation_id"] == home.installation_id.read_text()
    assert record["command"] == "chef-run"
    assert record["targets"] == [
        {"hostname_sha256": sha256("web1"), "transport": "ssh", "os": "linux"},
        {"hostname_sha256": sha256("web2"), "transport": "ssh", "os": "linux"},
        {"hostname_sha256": sha256("win7"), "transport": "ssh", "os": "windows"},
        {"hostname_sha256": sha256("win8"), "transport": "winrm", "os": "windows"},
    ]


def test_what_is_kept_can_be_read_by_its_owner_alone(home: Home, launcher: Launcher, chef_run: Program) -> None:
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")  # one that makes no more directories itself
    home.set_up()
    home.env["CHEF_TELEMETRY_ENDPOINT"] = "http://127.0.0.1:1"
    subprocess.run(["sh", "-c", 'umask 0; exec "$0" exec web01 a b', str(launcher.path)], env=home.env, check=True)
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in home.path.rglob("*")}
    assert modes
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_in_a_fresh_home_nothing_is_made_before_chef_run_ends(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    """chef-run sets itself up only where its directory is not there."""
    chef_run.path.write_text('#!/bin/sh\nls -A "$HOME"; mkdir "$HOME/.chef-workstation"\n')
    assert launcher.exec("web01", "a", "b").stdout == b""
    assert len(home.sessions()) == 1


def test_where_chef_run_never_set_itself_up_nothing_is_made(home: Home, launcher: Launcher, chef_run: Program) -> None:
    """It did not come so far, and would not set itself up any more if we made its directory."""
    chef_run.path.write_text("#!/bin/sh\nexit 1\n")
    done = launcher.exec("web01", "a", "b")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    assert home.files() == set()


def test_chef_runs_own_first_run_happens_as_it_would(home: Home, launcher: Launcher, chef_run: Program) -> None:
    wrapped = launcher.exec("web01", "directory", "/tmp/foo")
    assert wrapped.stdout.startswith(b"Creating config file in ")
    assert home.config.exists()


def test_chef_runs_own_payload_is_adopted(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.use()
    launcher.exec("mac1,aix1", "directory", "/tmp/foo")
    assert home.payloads() == []
    assert [target["os"] for target in only_session(home)["targets"]] == ["macos", "aix"]


def test_an_unsupported_operating_system_is_what_chef_run_says(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    assert launcher.exec("freebsd1", "directory", "/tmp/foo").returncode == 1
    assert [target["os"] for target in only_session(home)["targets"]] == ["freebsd"]


@pytest.mark.parametrize("arguments", [["-v"], ["-h"], [], ["web01"], ["--bogus", "web01", "a", "b"]])
def test_a_run_that_connects_to_nothing_has_no_targets(
    home: Home, launcher: Launcher, chef_run: Program, arguments: list[str]
) -> None:
    launcher.exec(*arguments)
    assert only_session(home)["targets"] == []


def test_the_notice_is_shown_by_the_first_run_and_by_no_other(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    first, second = launcher.exec("-v"), launcher.exec("-v")
    assert first.stderr.decode() == NOTICE.format(receiver="127.0.0.1")
    assert first.stdout.endswith(second.stdout)  # behind chef-run's own banner
    assert second.stderr == b""


@pytest.mark.parametrize("ci", [False, True])
def test_on_a_terminal_the_notice_has_lines_and_in_ci_one(
    home: Home, launcher: Launcher, chef_run: Program, ci: bool
) -> None:
    del home.env["CHEF_TELEMETRY_ENDPOINT"]  # nothing is sent by a first run
    if ci:
        home.env["CI"] = "true"
    with launcher.on_a_terminal("exec", "-v") as terminal:
        terminal.expect(pexpect.EOF)
    notice = (NOTICE if ci else NOTICE_ON_A_TERMINAL).format(receiver="telemetry.chef.io")
    assert terminal.before.decode().endswith(notice.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("config", "says", "says_not"),
    [
        ("hosts = 'salted'", "for each target a salted hash of its name, its OS, ", "target a hash"),
        ("hosts = 'count'", "this machine's OS, and for each target its OS, and SSH or WinRM)", "hash"),
        ("hosts = 'off'", "(an installation ID and this machine's OS)", "SSH"),
        ("endpoint = 'ftp://x'", "telemetry, but reported to nobody, as the endpoint is refused.", "ftp"),
        ("endpoint = 'https://collector.example:8443/x'", "reported to collector.example, ", "8443"),
    ],
)
def test_the_notice_says_what_these_settings_mean(
    home: Home, launcher: Launcher, chef_run: Program, config: str, says: str, says_not: str
) -> None:
    del home.env["CHEF_TELEMETRY_ENDPOINT"]
    home.use(f"[telemetry]\n{config}\n")
    said = launcher.exec("-v").stderr.decode()
    assert says in said
    assert says_not not in said


@pytest.mark.parametrize("shown", [None, "0\n", ""], ids=["never", "an older one", "torn"])
def test_of_many_first_runs_at_once_one_shows_the_notice(
    home: Home, launcher: Launcher, chef_run: Program, shown: str | None
) -> None:
    home.use()
    if shown is not None:
        (home.telemetry / ".notice").write_text(shown)
    runs = [launcher.start("exec", "-v") for _ in range(12)]
    notices = [run.communicate()[1] for run in runs]
    assert sorted(bool(notice) for notice in notices) == [False] * 11 + [True], notices
    assert len(home.sessions()) == 12
    ids = {session.from_bytes(path.read_bytes())["installation_id"] for path in home.sessions()}
    assert ids == {home.installation_id.read_text()}


def test_nothing_is_sent_before_the_notice_was_shown(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    launcher.exec("-v")
    (home.telemetry / ".notice").unlink()
    assert launcher.exec("-v").stderr != b""
    assert collector.requests == []
    launcher.exec("-v")
    collector.wait_for_requests(2)


def test_the_session_of_a_run_is_never_sent_by_that_run(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    launcher.exec("-v")
    (first,) = home.sessions()
    ended = threading.Event()
    collector.answers.append(Answer(after=ended))  # until then, the sender is at the first session
    launcher.exec("-v")
    assert len(home.sessions()) == 2
    ended.set()
    wait_for_no_sender(home)
    (request,) = collector.requests
    assert first.name == f"session-{request.session_id}.json"
    assert not first.exists()


@pytest.mark.parametrize("code", [0, 1, 64, 128, 255])
def test_the_exit_code_is_chef_runs(launcher: Launcher, chef_run: Program, code: int) -> None:
    chef_run.path.write_text(f"#!/bin/sh\nexit {code}\n")
    assert launcher.exec("web01", "a", "b").returncode == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV])
def test_the_launcher_dies_of_the_signal_that_chef_run_died_of(
    home: Home, launcher: Launcher, chef_run: Program, number: signal.Signals
) -> None:
    home.set_up()
    chef_run.path.write_text(f"#!/bin/sh\nkill -{int(number)} $$\n")
    assert launcher.exec("web01", "a", "b").returncode == -number
    assert len(home.sessions()) == 1


def test_ctrl_c_in_a_terminal_ends_the_run_as_it_ends_chef_run(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    home.use()
    home.env["STAND_IN_SECONDS"] = "60"
    with launcher.on_a_terminal("exec", "web01", "directory", "/tmp/foo") as terminal:
        terminal.expect("Applying")
        terminal.sendintr()
        terminal.expect("INTERNAL ERROR")
        terminal.expect(pexpect.EOF)
    assert terminal.exitstatus == 64
    assert len(home.sessions()) == 1


def test_a_terminal_hung_up_at_the_end_changes_nothing(home: Home, launcher: Launcher, chef_run: Program) -> None:
    """Neither the exit code nor the record."""
    home.set_up()
    chef_run.path.write_text("#!/bin/sh\necho done\nexit 7\n")
    for _ in range(10):
        terminal = launcher.on_a_terminal("exec", "web01", "a", "b")
        terminal.expect(pexpect.EOF)
        terminal.close()  # which sends SIGHUP as well
        assert (terminal.exitstatus, terminal.signalstatus) == (7, None)
    assert len(home.sessions()) == 10


def test_a_symlink_of_another_name_is_exec(tmp_path: Path, home: Home, launcher: Launcher, chef_run: Program) -> None:
    alias = tmp_path / "chef-run"
    alias.symlink_to(launcher.path)
    done = subprocess.run([alias, "-v"], env=home.env, capture_output=True, check=False)
    assert done.stdout.endswith(b"chef-run: 0.9.6\n")
    assert len(home.sessions()) == 1


@pytest.mark.parametrize("start", [[sys.executable, "-m", "launcher"], [*ISOLATED, str(MAIN)]])
def test_python_starts_it_too(home: Home, chef_run: Program, start: list[str]) -> None:
    done = subprocess.run([*start, "exec", "web01", "a", "b"], env=home.env, check=False)
    assert done.returncode == 0
    assert len(home.sessions()) == 1


def test_chef_run_gets_the_callers_environment_plus_one_variable(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    chef_run.path.unlink()
    chef_run.path.symlink_to("/usr/bin/env")
    lines = launcher.exec().stdout.decode().splitlines()
    assert dict(line.split("=", 1) for line in lines) == {**home.env, "CHEF_RUN_LAUNCHER_DEPTH": "1"}


def test_a_launcher_inside_a_launcher_records_nothing(home: Home, launcher: Launcher, chef_run: Program) -> None:
    inner = chef_run.path.with_name("inner")
    chef_run.path.rename(inner)
    chef_run.path.write_text(f'#!/bin/sh\nCHEF_RUN_LAUNCHER_REAL={inner} "{launcher.path}" exec "$@"\n')
    chef_run.path.chmod(0o755)
    launcher.exec("web01", "directory", "/tmp/foo")
    assert len(home.sessions()) == 1


def test_fifty_runs_at_once_lose_nothing(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    home.set_up()
    chef_run.path.write_text("#!/bin/sh\nexit 7\n")
    assert {run.wait() for run in [launcher.start("exec", f"web{n}", "a", "b") for n in range(50)]} == {7}
    wait_for_no_sender(home)
    last = launcher.run("flush")
    assert (last.returncode, home.sessions()) == (0, [])
    arrived = {request.session_id for request in collector.requests}
    assert len(arrived) == len(collector.requests) == 50


def test_a_caller_that_ignores_its_childrens_end_changes_nothing(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    home.set_up()
    chef_run.path.write_text("#!/bin/sh\nexit 7\n")
    ignoring = [sys.executable, "-c", IGNORES_CHILDREN, str(launcher.path), "exec", "web01", "a", "b"]
    assert subprocess.run(ignoring, env=home.env, check=False).returncode == 7
    first = home.sessions()
    assert subprocess.run(ignoring, env=home.env, check=False).returncode == 7
    collector.wait_for_requests(1)
    wait_for_no_sender(home)
    assert (len(home.sessions()), set(home.sessions()) & set(first)) == (1, set())


def test_the_sender_is_detached_and_tells_nothing_of_the_run(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    launcher.exec("web01", "a", "b")
    collector.answers.append(Answer(silent=True))
    launcher.exec("secret-host", "user", "secret-name")
    collector.wait_for_requests(1)
    (pid,) = senders(home)
    assert "send" in proc(pid, "cmdline")
    assert "secret" not in proc(pid, "cmdline")
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {descriptors(pid)[number] for number in (0, 1, 2)} == {"/dev/null"}
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGKILL)
