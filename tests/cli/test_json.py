"""What programs read: each `--json` has the shape that its schema says, and no width of a terminal changes it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

import launcher.cli
from launcher.cli.app import GROUPS
from launcher.record import session
from tests.support.homes import Home
from tests.support.programs import Launcher, Program
from tests.support.screens import too_wide
from tests.support.servers import Answer, Collector

SCHEMAS = Path(launcher.cli.__file__).parent / "schemas"
ARGUMENTS = ("web01", "directory", "/tmp/foo")
COMMANDS = {
    "status": ("status", "--json"),
    "doctor": ("doctor", "--json"),
    "show": ("show", "--json"),
    "show-wire": ("show", "--wire", "--json"),
    "dry-run": ("dry-run", "--json", *ARGUMENTS),
    "explain-hash": ("explain-hash", "--json", "web[1:3]"),
    "verify-off": ("verify-off", "--json"),
    "flush": ("flush", "--json"),  # last: it leaves another home than it finds
}


RECEIPT = {"day": "2024-01-01", "session": "x", "endpoint": "y", "status": None, "bytes": 1, "sha256": "z"}


def load(uri: str) -> Any:
    """The schema of this $id, urn:chef-run-launcher:NAME:VERSION."""
    name = uri.split(":")[2]
    return session.schema() if name == "session" else json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def check(name: str, output: bytes) -> Any:
    """The output as the command's schema has it."""
    read = json.loads(output)
    fastjsonschema.compile(load(f"urn:chef-run-launcher:{name}:1"), handlers={"urn": load})(read)
    return read


def fresh(home: Home) -> None:
    pass


def with_sessions(home: Home) -> None:
    home.has_waiting("web01", "web02")


def opted_out(home: Home) -> None:
    with_sessions(home)
    home.env["CHEF_TELEMETRY_OPT_OUT"] = ""


def without_a_home(home: Home) -> None:
    del home.env["HOME"]


def failed(home: Home) -> None:
    with_sessions(home)
    home.postpone()
    (home.telemetry / "rejected").mkdir()
    os.rename(home.sessions()[0], home.telemetry / "rejected" / home.sessions()[0].name)
    (home.telemetry / "receipts.jsonl").write_text("[]\n" + json.dumps(RECEIPT))


def misspelt(home: Home) -> None:
    home.use('[telmetry]\n[telemetry]\nenable = false\nhosts = "none"\nendpoint = 3\n')


def broken(home: Home) -> None:
    home.use("[telemetry")
    home.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"


HOMES = [fresh, with_sessions, opted_out, without_a_home, failed, misspelt, broken]


@pytest.mark.parametrize("prepare", HOMES, ids=lambda prepare: prepare.__name__)
def test_what_each_command_prints_is_as_its_schema_says(
    home: Home, launcher: Launcher, chef_run: Program, prepare: Callable[[Home], None]
) -> None:
    prepare(home)
    for name, done in zip(COMMANDS, launcher.run_each(COMMANDS.values())):
        if done.stdout == b"":  # there is nothing that could be printed: it says why
            assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
            assert (name, prepare) in [("verify-off", broken), ("show-wire", misspelt)]
        else:
            assert done.stderr == b"", name
            check(name, done.stdout)


@pytest.mark.parametrize(
    "odd",
    [{"day": 3}, {"session": None}, {"bytes": "1e400"}, {"bytes": -1}, {"bytes": True}, {"status": "OK"}, {"more": 1}],
    ids=str,
)
def test_only_what_has_the_shape_of_a_receipt_is_shown(home: Home, launcher: Launcher, odd: dict[str, object]) -> None:
    with_sessions(home)
    line = json.dumps({**RECEIPT, **odd}).replace('"1e400"', "1e400")
    kept = f'{line}\n{json.dumps(RECEIPT)}\n{"[" * 9999}\n{{"day": "2024-01-01"}}\n'
    (home.telemetry / "receipts.jsonl").write_text(kept)
    output = launcher.run("status", "--json").stdout
    assert b"Infinity" not in output
    assert check("status", output)["receipts"] == [RECEIPT]


@pytest.mark.parametrize("status", [200, 400, 500])
def test_flush_says_what_became_of_each_session(
    stocked: Home, launcher: Launcher, plain_collector: Collector, status: int
) -> None:
    ids = [path.name.removeprefix("session-").removesuffix(".json") for path in stocked.oldest_first()]
    plain_collector.answers.append(Answer(status=status))
    done = launcher.run("flush", "--json")
    report = check("flush", done.stdout)
    assert done.stderr == b""
    assert (done.returncode, report["problem"]) == ((1, "HTTP status 500") if status == 500 else (0, None))
    seen = {200: ["acknowledged", "acknowledged"], 400: ["rejected", "acknowledged"], 500: ["later"]}[status]
    assert [(each["session"], each["result"]) for each in report["sessions"]] == list(zip(ids, seen))
    assert (report["sent"], report["rejected"]) == (seen.count("acknowledged"), seen.count("rejected"))


def test_every_option_json_has_a_schema_and_every_schema_a_version(launcher: Launcher) -> None:
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{name}.schema.json" for name in COMMANDS}
    for name in COMMANDS:
        assert load(f"x:x:{name}")["$id"] == f"urn:chef-run-launcher:{name}:1"
    commands = [name for names in GROUPS.values() for name in names if name != "exec"]
    for command, done in zip(commands, launcher.run_each([command, "-h"] for command in commands)):
        assert (done.returncode, b"--json" in done.stdout) == (0, command in COMMANDS), command


def test_no_key_is_a_sentence_or_a_path(home: Home, launcher: Launcher, chef_run: Program) -> None:
    with_sessions(home)

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values())) - set(value.get("headers", ()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    for done in launcher.run_each(COMMANDS.values()):
        for key in keys(json.loads(done.stdout)):
            assert key.replace("_", "").isalnum() and key.islower(), key


@pytest.mark.parametrize(
    "command", [*COMMANDS.values(), ["show", "--wire"], ["shell-init", "bash"], ["-h"]], ids=" ".join
)
def test_a_closed_pipe_is_silent_and_a_full_disk_one_line(
    home: Home, launcher: Launcher, chef_run: Program, command: tuple[str, ...]
) -> None:
    with_sessions(home)
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    expected = {writer: 0, full: 1}
    for output, lines in expected.items():
        home.has_waiting("web01")
        done = subprocess.run(
            [launcher.path, *command], env=home.env, stdout=output, stderr=subprocess.PIPE, check=False
        )
        os.close(output)
        assert (done.returncode, done.stderr.count(b"\n")) == (1, lines), done.stderr


ODD = [
    {"COLUMNS": "0"},
    {"COLUMNS": "1", "LINES": "1"},
    {"COLUMNS": "-1"},
    {"COLUMNS": "wide", "TERMINAL_WIDTH": "wide"},
    {"COLUMNS": "9" * 5000},
    {"TERMINAL_WIDTH": "0"},
    {"TERM": "dumb"},
    {"TERM": ""},
    {"TERM": "no-such-terminal"},
]
FOR_PEOPLE = [["-h"], ["status"], ["doctor"], ["show"], ["show", "--wire"], ["show", "-h"], ["dry-run", *ARGUMENTS]]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: " ".join(f"{name}={value[:5]}" for name, value in odd.items()))
def test_no_odd_environment_keeps_a_command_from_printing(
    home: Home, launcher: Launcher, chef_run: Program, odd: dict[str, str]
) -> None:
    with_sessions(home)
    for_programs = [["status", "--json"], ["show", "--wire"]]
    as_usual = [done.stdout for done in launcher.run_each(for_programs)]
    home.env.update(odd)
    first, second, *others, last = launcher.run_each([*for_programs, *FOR_PEOPLE, ["nonsense"]])
    assert [first.stdout, second.stdout] == as_usual
    for done in others:
        assert (done.stderr, len(done.stdout.split()) > 10) == (b"", True), done.args
    assert last.returncode == 2


@pytest.mark.parametrize("size", [(0, 0), (1, 2), (24, 40), (24, 120)], ids=str)
def test_no_size_of_a_terminal_keeps_a_command_from_printing(
    home: Home, launcher: Launcher, chef_run: Program, size: tuple[int, int]
) -> None:
    with_sessions(home)
    expected = json.loads(launcher.run("status", "--json").stdout)
    for command in (*FOR_PEOPLE, ["status", "--json"]):
        text = launcher.shown(*command, dimensions=size)
        assert len(text.split()) > 10, command
        if command == ["status", "--json"]:
            assert json.loads(text) == expected
        elif size[1] >= 40 and command != ["show", "--wire"] and command[0] != "dry-run":
            assert too_wide(text, size[1]) == [], command
