"""What a terminal would obey never reaches it from outside: it comes out as an escape, whatever prints it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from launcher.cli.printable import printable
from tests.support.homes import Home
from tests.support.programs import ISOLATED, MAIN, Launcher, Program

# A colour, a title, a carriage return, a line of its own, 8-bit controls as characters and as bytes, DEL, a turn of the
# direction of writing, a byte that is no UTF-8.
HOSTILE = "\x1b[31m\x1b]0;owned\x07\r\nPASS\x08\x9b2J\x7f\u202e\u2066\u200f" + os.fsdecode(b"\xff")

COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["show"],
    ["show", "--wire"],
    ["show", "--wire", "--json"],
    ["show", HOSTILE],
    ["dry-run", "web01", HOSTILE],
    ["flush"],
    ["flush", "--rejected"],
    ["enable"],
    ["disable"],
    ["purge"],
    ["purge", "--yes", "--reset-id"],
    ["verify-off"],
    ["doctor"],
    ["explain-hash", HOSTILE],
    ["exec", "web01", "a", "b"],
]  # what of the command line is not understood, typer quotes and escapes


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The start of a launcher without its modules."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for name in ("__init__.py", "__main__.py", "fallback.py"):
        (folder / name).write_bytes(MAIN.with_name(name).read_bytes())
    return folder / "__main__.py"


@pytest.fixture
def hostile(home: Home, chef_run: Program, tmp_path: Path) -> Home:
    """A home with such a name, in which the names and the contents of all files are such, too."""
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    home.has_waiting("web01", "web02")
    aside = home.telemetry / "rejected" / home.sessions()[0].name
    aside.parent.mkdir()
    home.sessions()[0].rename(aside)
    (home.telemetry / ".last-rejection").write_bytes(os.fsencode(HOSTILE))
    (home.telemetry / ".next-attempt").write_bytes(b"1 " + os.fsencode(HOSTILE))
    texts = dict.fromkeys(("day", "session", "endpoint", "sha256"), HOSTILE)
    receipt = {**texts, "status": 200, "bytes": 1}
    (home.telemetry / "receipts.jsonl").write_text(json.dumps(receipt, ensure_ascii=True) + "\n")
    (home.telemetry / f"session-{HOSTILE}.json").write_text("{}")
    (home.path / ".bashrc").write_text("alias chef-run='chef-run-launcher exec'\n")
    moved = tmp_path / f"home{HOSTILE}"
    home.path.rename(moved)
    home.env["HOME"] = str(moved)
    return home


def use(home: Home, **variables: str) -> None:
    home.env.update(variables)


def config(home: Home, text: str) -> None:
    Path(home.env["HOME"], ".chef-workstation", "config.toml").write_text(text)


def toml(value: str) -> str:
    """As a string of TOML, which has no lone surrogates."""
    return json.dumps(value.encode("utf-8", "replace").decode())


def hostile_program(home: Home) -> None:
    use(home, CHEF_RUN_LAUNCHER_REAL=f"/nonexistent/{HOSTILE}")


def hostile_endpoint(home: Home) -> None:
    use(home, CHEF_TELEMETRY_ENDPOINT=f"https://{HOSTILE}")


def hostile_way(home: Home) -> None:
    use(home, CHEF_TELEMETRY_ENDPOINT="https://a.invalid", HTTPS_PROXY=f"http://{HOSTILE}", SSL_CERT_FILE=HOSTILE)


def hostile_config(home: Home) -> None:
    del home.env["CHEF_RUN_LAUNCHER_REAL"], home.env["CHEF_TELEMETRY_ENDPOINT"]
    value = toml(HOSTILE)
    telemetry = "".join(f"{key} = {value}\n" for key in ("format", "endpoint", "hosts", "ca_file"))
    config(home, f"[launcher]\nchef_run = {toml('/' + HOSTILE)}\n[telemetry]\n{telemetry}")


def hostile_format(home: Home) -> None:
    config(home, f"[telemetry]\nformat = {toml(HOSTILE)}\n")


def hostile_key(home: Home) -> None:
    config(home, f"[telemetry]\n{toml(HOSTILE)} = 1\nenabled = {toml(HOSTILE)}\n")


def broken_config(home: Home) -> None:
    config(home, f"{HOSTILE.encode('utf-8', 'replace').decode()} = ")


@pytest.mark.parametrize(
    ("change", "commands"),
    [
        (lambda home: None, COMMANDS),
        (hostile_program, [["status"], ["dry-run"], ["exec", "web01"], ["doctor"], ["verify-off"]]),
        (hostile_endpoint, [["status"], ["flush"], ["show", "--wire"], ["doctor"]]),
        (hostile_way, [["flush"], ["doctor"]]),
        (hostile_config, [["status"], ["flush"], ["explain-hash", "web01"], ["exec", "web01"], ["doctor"]]),
        (hostile_format, [["status"], ["flush"], ["show", "--wire"]]),
        (hostile_key, [["status"], ["enable"]]),
        (broken_config, [["status"], ["enable"], ["doctor"]]),
    ],
    ids=["home", "program", "endpoint", "way", "config", "format", "key", "broken"],
)
def test_no_command_prints_what_a_terminal_would_obey(
    hostile: Home, launcher: Launcher, change: Callable[[Home], None], commands: list[list[str]]
) -> None:
    change(hostile)
    for command in commands:
        done = launcher.run(*command)
        output = done.stdout.decode() + done.stderr.decode()
        allowed = {"\n", "\r"} if "--wire" in command or "dry-run" in command else {"\n"}  # HTTP ends lines so
        assert {each for each in output if not each.isprintable()} <= allowed, (command, output)
        assert "Traceback" not in output
        assert "defect" not in output


@pytest.mark.parametrize("command", ["status", "doctor", "show", "dry-run"])
def test_on_a_terminal_there_are_our_own_colours_and_no_others(hostile: Home, launcher: Launcher, command: str) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m|\r+\n", "", launcher.drawn(command))
    assert [each for each in text if not each.isprintable()] == []


@pytest.mark.parametrize("text", ["", "plain", "/home/bücher/日本 [bold]", "back\\slash"])
def test_what_a_terminal_shows_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_what_it_would_obey_is_shown_as_an_escape() -> None:
    assert printable("a\x1b[31m\n\x9b\u202e") == "a\\x1b[31m\\n\\x9b\\u202e"
    assert printable(os.fsdecode(b"\xff")) == "\\udcff"


def test_the_fallback_prints_none_either(home: Home, broken: Path) -> None:
    home.env["CHEF_RUN_LAUNCHER_REAL"] = f"/nonexistent/{HOSTILE}"
    command = [*ISOLATED, str(broken), "exec", "a"]
    done = subprocess.run(command, env=home.env, capture_output=True, check=False)
    assert done.returncode == 127
    assert not re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f]", done.stderr.decode())


def test_the_fallback_folds_its_line_on_a_terminal(home: Home, broken: Path, tmp_path: Path) -> None:
    program = Program(Path(ISOLATED[0]), tmp_path, home.env)
    command = [*ISOLATED[1:], str(broken), "exec", "a"]
    line = "chef-run-launcher: cannot find chef-run; set CHEF_RUN_LAUNCHER_REAL to its path"
    assert program.run(*command).stderr.decode() == line + "\n"
    shown = program.shown(*command, dimensions=(24, 40)).splitlines()
    assert (" ".join(shown), max(map(len, shown)) <= 40) == (line, True)
