"""What an auditor runs and believes: `dry-run` does nothing, off is off, and a check that could not fail is none."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector
from tests.support.tracing import strace

COMMAND_LINE = ("root:s3cret@web01", "user", "bob")
CHANGES = {"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink"}
CHANGES |= {"symlinkat", "chmod", "fchmod", "fchmodat", "utimensat", "truncate", "ftruncate", "fsync", "flock"}
CHANGES |= {"socket", "connect", "bind", "sendto"}
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")


def calls(home: Home, tmp_path: Path, *command: str) -> tuple[list[str], str]:
    """The system calls of a command that do something to files, processes or the network; and what it printed."""
    trace = tmp_path / "trace"
    tracing = strace("-f", "-e", "trace=%file,%network,%process,%desc", "-e", "signal=none", output=trace)
    done = subprocess.run([*tracing, *command], env=home.env, capture_output=True, text=True, check=True)
    return [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()], done.stdout


def offences(calls: list[str]) -> list[str]:
    """Those that open a socket, write to a file, or start a process."""
    found = []
    for call in calls:
        name = call.partition("(")[0]
        opens = name in ("open", "openat") and any(flag in call for flag in WRITES) and '"/dev/' not in call
        starts = name in ("fork", "vfork", "clone", "clone3") and "CLONE_THREAD" not in call
        if opens or starts or name in CHANGES:
            found.append(call)
    return found


@pytest.mark.parametrize("way", ["dry-run", "the variable", "the variable, by a symlink"])
def test_a_dry_run_writes_and_starts_nothing_and_opens_no_socket(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, way: str
) -> None:
    command = [str(launcher.path), "dry-run"]
    if way != "dry-run":
        stocked.env["CHEF_RUN_LAUNCHER_DRY_RUN"] = "1"
        command = [str(launcher.path), "exec"]
    if way.endswith("symlink"):
        (tmp_path / "chef-run").symlink_to(launcher.path)
        command = [str(tmp_path / "chef-run")]
    before = {path: path.stat().st_mtime_ns for path in stocked.path.rglob("*")}
    made, text = calls(stocked, tmp_path, *command, *COMMAND_LINE)
    assert offences(made) == []
    assert [call.partition(" ")[0] for call in made if call.startswith("execve(")] in (
        [],
        ["execve(" + made[0][7:].split(" ")[0]],
    )
    assert {path: path.stat().st_mtime_ns for path in stocked.path.rglob("*")} == before
    assert collector.requests == []
    assert text.count("POST /events HTTP/1.1") == 2
    assert "s3cret" not in text


@pytest.mark.parametrize("command", [["status"], ["show"], ["show", "--wire"], ["explain-hash", "a"], ["doctor"]])
def test_who_only_looks_writes_nothing_and_opens_no_socket(
    stocked: Home, launcher: Launcher, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "chef-run").symlink_to(launcher.path)  # and no SHELL, whose start-up files may do anything
    stocked.env["PATH"] = f"{tmp_path}:{stocked.env['PATH']}"
    assert offences(calls(stocked, tmp_path, str(launcher.path), *command)[0]) == []


def test_what_a_dry_run_is_looked_at_for_would_be_seen(stocked: Home, launcher: Launcher, tmp_path: Path) -> None:
    made, _ = calls(stocked, tmp_path, str(launcher.path), "exec", "web03", "a", "b")
    assert {call.partition("(")[0] for call in offences(made)} >= {"renameat", "flock", "openat", "socket"}


def test_a_dry_run_as_json_holds_all_that_the_other_prints(
    stocked: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    report = json.loads(launcher.run("dry-run", "--json", *COMMAND_LINE).stdout)
    assert report["on"]
    assert report["chef_run"]["path"] == stocked.env["CHEF_RUN_LAUNCHER_REAL"]
    assert report["session"]["targets"][0]["hostname_sha256"] == hashlib.sha256(b"web01").hexdigest()
    assert report["requests"] == json.loads(launcher.run("show", "--wire", "--json").stdout)
    launcher.run("flush")
    for request, sent in zip(report["requests"], plain_collector.requests):
        assert (request["method"], request["url"]) == ("POST", plain_collector.url + "/events")
        assert request["body"].encode() == sent.body
        assert request["sha256"] == hashlib.sha256(sent.body).hexdigest()
        assert {name.lower(): value for name, value in request["headers"].items()}.items() <= sent.headers.items()
    assert len(report["requests"]) == len(plain_collector.requests) == 2


def test_a_dry_run_says_why_nothing_would_go_out(stocked: Home, launcher: Launcher) -> None:
    stocked.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    report = json.loads(launcher.run("dry-run", "--json", *COMMAND_LINE).stdout)
    assert (report["on"], report["session"], report["requests"]) == (False, None, [])
    assert report["no_requests_because"] == "telemetry is off, because CHEF_TELEMETRY_OPT_OUT is set"


def test_verify_off_passes_and_runs_nothing(stocked: Home, launcher: Launcher, chef_run: Program) -> None:
    chef_run.path.write_text('#!/bin/sh\ntouch "$HOME/was-run"\n')
    before = stocked.files()
    done = launcher.run("verify-off")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "PASS",
        "With CHEF_TELEMETRY_OPT_OUT set, the launcher opened no socket, wrote no file",
        "and started no process.",
        f"It became {chef_run.path}.",
    ]
    assert stocked.files() == before


BREAKS = {
    "a socket": ("import socket; socket.socket()", "network: socket.__new__"),
    "a file": ("open(os.environ['HOME'] + '/x', 'w').close()", "file: opened to be written"),
    "a file by its number": ("os.close(os.open(os.environ['HOME'] + '/x', os.O_CREAT))", "file: opened to be written"),
    "a file that goes": ("os.path.exists('x') or os.mkdir(os.environ['HOME'] + '/x')", "file: os.mkdir"),
    "a process": ("os.fork() or os._exit(0)", "process: os.fork"),
    "another program": ("os.execv('/bin/true', ['true'])", None),
    "a database": ("import sqlite3; sqlite3.connect(os.environ['HOME'] + '/x')", "module: loaded"),
    "a way around Python": ("import ctypes", "module: loaded"),
    "an attribute": ("os.setxattr(os.environ['HOME'], 'user.x', b'')", "file: os.setxattr"),
    "a word": ("print('hello', flush=True)", "output: printed by the launcher"),
    "an accident": ("1 / 0", None),
    "a program": ("import subprocess; subprocess.call(['true'])", "process: subprocess.Popen"),
}


@pytest.mark.parametrize(("does", "seen"), BREAKS.values(), ids=BREAKS.keys())
def test_verify_off_fails_where_the_launcher_does_too_much(
    stocked: Home, package: Path, does: str, seen: str | None
) -> None:
    story = (package / "run.py").read_text()
    (package / "run.py").write_text(
        story.replace(
            "    signals = handover.caller_signals()\n", f"    signals = handover.caller_signals(); {does}\n", 1
        )
    )
    command = [sys.executable, "-I", str(package / "__main__.py"), "verify-off", "--json"]
    done = subprocess.run(command, env=stocked.env, capture_output=True, check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert not report["passed"]
    assert seen is None or seen in {offence["what"] for offence in report["offences"]}


def test_verify_off_passes_where_there_is_no_bytecode_either(stocked: Home, package: Path) -> None:
    for bytecode in list(package.rglob("__pycache__")):
        shutil.rmtree(bytecode)
    command = [sys.executable, "-I", str(package / "__main__.py"), "verify-off"]
    assert subprocess.run(command, env=stocked.env, capture_output=True, check=False).returncode == 0
    assert not list(package.rglob("__pycache__"))


def test_verify_off_without_a_chef_run_verifies_nothing(stocked: Home, launcher: Launcher) -> None:
    stocked.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"
    done = launcher.run("verify-off")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"nothing was checked: CHEF_RUN_LAUNCHER_REAL names /nonexistent, which does not exist" in done.stderr


def test_a_run_that_is_off_does_nothing_but_become_chef_run(
    stocked: Home, launcher: Launcher, chef_run: Program, tmp_path: Path
) -> None:
    """As seen from outside, by strace."""
    chef_run.path.unlink()
    chef_run.path.symlink_to("/bin/true")
    stocked.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    made, _ = calls(stocked, tmp_path, str(launcher.path), "exec", *COMMAND_LINE)
    assert offences(made) == []
    assert [call for call in made if call.startswith("execve(")][-1].startswith(f'execve("{chef_run.path}"')
    assert os.path.exists(stocked.sessions()[0])
