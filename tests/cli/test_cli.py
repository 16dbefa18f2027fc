"""The management commands, as people see them in a terminal and as programs read them."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys

import pytest

from launcher import __version__
from launcher.cli.app import app
from tests.support.homes import Home
from tests.support.programs import Launcher, Program
from tests.support.screens import too_wide


@pytest.fixture
def used(home: Home, launcher: Launcher, chef_run: Program) -> Home:
    """A home in which one session waits."""
    launcher.exec("mac1,web02", "directory", "/tmp/foo")
    return home


def test_version(launcher: Launcher) -> None:
    assert launcher.run("--version").stdout == f"chef-run-launcher {__version__}\n".encode()


@pytest.mark.parametrize("arguments", [["nonsense"], ["show", "--nonsense"], ["status", "extra"]])
def test_what_is_not_understood_is_exit_code_2(launcher: Launcher, arguments: list[str]) -> None:
    done = launcher.run(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr


def test_help_names_every_command(launcher: Launcher) -> None:
    text = launcher.run("--help").stdout
    names = "exec dry-run status show flush enable disable purge verify-off doctor explain-hash shell-init --version"
    for command in names.encode().split():
        assert command in text
    assert text.count(b"\n") < 24
    assert b"..." not in text.partition(b"\n")[2]  # nothing is cut off
    assert b"completion" not in text


@pytest.mark.parametrize(
    "command",
    [["status"], ["show"], ["show", ""], ["dry-run", "web01", "a", "b"], ["--help"], ["status", "--help"], ["doctor"]],
)
def test_everything_fits_into_80_columns(used: Home, launcher: Launcher, command: list[str]) -> None:
    if command == ["show", ""]:
        command = ["show", used.sessions()[0].name.removeprefix("session-")[:8]]
    text = launcher.shown(*command)
    assert text.strip()
    assert too_wide(text, 80) == []


@pytest.mark.parametrize("command", ["status", "doctor", "show", "disable", "dry-run"])
def test_no_path_is_broken_at_40_columns(used: Home, launcher: Launcher, command: str) -> None:
    paths = re.findall(r"/\S+", launcher.shown(command, dimensions=(24, 400)))
    assert str(used.path) in str(paths)
    shown = launcher.shown(command, dimensions=(24, 40)).split()
    assert [path for path in paths if not any(word.endswith(path) for word in shown)] == []


def test_a_dry_run_without_a_chef_run_is_folded_at_a_space(used: Home, launcher: Launcher) -> None:
    used.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"
    shown = launcher.shown("dry-run", "web01", "directory", "/tmp/hello")
    assert "\nNone: CHEF_RUN_LAUNCHER_REAL names /nonexistent, which does not exist; correct\nthat.\n" in shown
    del used.env["CHEF_RUN_LAUNCHER_REAL"]
    shown = launcher.shown("dry-run", "web01", "directory", "/tmp/hello")
    assert too_wide(shown, 80) == []


@pytest.mark.parametrize(
    "command", [["status"], ["show"], ["dry-run", "web01", "a", "b"], ["doctor"], ["explain-hash", "a"], ["verify-off"]]
)
def test_no_line_ends_in_blanks(used: Home, launcher: Launcher, command: list[str]) -> None:
    """But for the ends of the lines of HTTP, which a dry run shows to the byte."""
    piped = launcher.run(*command).stdout.decode().replace("\r\n", "\n")
    shown = launcher.shown(*command).replace("\r", "")
    for line in (piped + shown).split("\n"):
        assert line == line.rstrip()


def test_what_is_folded_for_a_terminal_is_the_same_json(used: Home, launcher: Launcher) -> None:
    def session(text: str) -> dict[str, object]:
        record: dict[str, object] = json.loads(re.search(r"^\{$.*?^\}$", text, re.S | re.M).group())  # type: ignore[union-attr]
        return {**record, "id": None}

    command = ("dry-run", "web01", "a", "b")
    piped = launcher.run(*command).stdout.decode()
    assert re.search('"hostname_sha256": "[0-9a-f]{64}",\n', piped)
    assert session(launcher.shown(*command)) == session(piped)


@pytest.mark.parametrize("command", [["show", "--wire"], ["show", "--wire", "--json"], ["explain-hash", "web01"]])
def test_exact_bytes_are_not_translated_for_windows(used: Home, launcher: Launcher, command: list[str]) -> None:
    """Where standard output makes CRLF of LF, as it does there."""
    start = "import sys; sys.stdout.reconfigure(newline='\\r\\n'); from launcher.entry import main; main()"
    translated = [sys.executable, "-c", f"import sys; sys.argv[0] = {str(launcher.path)!r}; {start}"]
    done = subprocess.run([*translated, *command], env=launcher.env, capture_output=True, check=False)
    exact = launcher.run(*command).stdout
    end = exact.find(b"\n\n") if command[0] == "explain-hash" else len(exact)  # what follows are words for people
    assert done.returncode == 0
    assert done.stdout[:end] == exact[:end]


@pytest.mark.parametrize("command", ["verify-off", "show", "flush"])
def test_help_is_folded_at_40_columns(launcher: Launcher, command: str) -> None:
    paragraphs = launcher.shown(command, "-h", dimensions=(24, 40)).partition("Example")[0]
    assert max(map(len, paragraphs.splitlines())) <= 40


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "command",
    [
        *(["flush"], ["show", "--wire"], ["show", "f" * 36], ["shell-init", "tcsh"], ["explain-hash", "a b"]),
        *(["dry-run", "--json=1"], ["purge", "--yes"], ["disable"], ["verify-off"], ["exec", "web01"]),
    ],
)
def test_errors_are_folded_on_a_terminal_alone(launcher: Launcher, command: list[str], columns: int) -> None:
    """And a path, chef-run, or the name of an option is not broken."""
    path = f"/{'-'.join(['nonexistent'] * 10)}"
    launcher.env.update(CHEF_RUN_LAUNCHER_REAL=path, CHEF_TELEMETRY_ENDPOINT="http://collector.example")
    if command[0] in ("purge", "disable"):
        launcher.env["HOME"] = path
    done = launcher.run(*command)
    assert done.stdout == b"" and done.returncode != 0
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2 or len(lines) == 1
    shown = launcher.shown(*command, dimensions=(24, columns))
    assert shown.split() == done.stderr.decode().split()
    assert all(len(line) <= columns or path in line for line in shown.splitlines())
    assert all(line == line.rstrip() for line in shown.splitlines())


@pytest.mark.parametrize(("command", "columns"), [("dry-run", 21), ("flush", 27), ("shell-init", 39), ("flush", 50)])
def test_no_word_of_the_help_is_broken_at_its_hyphen(launcher: Launcher, command: str, columns: int) -> None:
    """In these columns, a line would end with `chef-`."""
    shown = launcher.shown(command, "-h", dimensions=(24, columns))
    assert [line for line in shown.splitlines() if line.endswith("-") or line != line.rstrip()] == []


def test_show_lists_the_sessions(used: Home, launcher: Launcher) -> None:
    record = json.loads(used.sessions()[0].read_text())
    lines = launcher.shown("show").splitlines()
    (row,) = [line for line in lines if line.startswith(record["id"][:8])]
    assert record["host"]["os"] in row
    assert row.rstrip().endswith("1 macos via ssh, 1 linux via ssh")


def test_show_explains_one_session_in_words(used: Home, launcher: Launcher) -> None:
    record = json.loads(used.sessions()[0].read_text())
    text = launcher.shown("show", record["id"])
    assert "SHA-256 hash of the target's host name" in text
    for value in (
        record["id"],
        record["installation_id"],
        *(target["hostname_sha256"] for target in record["targets"]),
    ):
        assert value in text


def test_show_as_json_is_what_is_stored(used: Home, launcher: Launcher) -> None:
    stored = [json.loads(path.read_text()) for path in used.sessions()]
    assert json.loads(launcher.run("show", "--json").stdout) == stored


def test_show_of_an_id_that_does_not_wait_says_so(used: Home, launcher: Launcher) -> None:
    done = launcher.run("show", "nobody")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("options", [[], ["--wire"]])
def test_show_with_nothing_waiting_says_so(launcher: Launcher, options: list[str]) -> None:
    assert launcher.run("show", *options).stdout == b"No session is waiting to be sent.\n"


def test_show_wire_can_indent_the_body_beside_the_exact_one(used: Home, launcher: Launcher) -> None:
    exact = json.loads(launcher.run("show", "--wire", "--json").stdout)[0]["body"]
    text = launcher.run("show", "--wire", "--indent").stdout.decode()
    assert f"\n\n{exact}\n" in text
    assert json.dumps(json.loads(exact), indent=2) in text
    assert json.dumps(json.loads(exact), indent=2) not in launcher.run("show", "--wire").stdout.decode()
    assert launcher.run("show", "--indent").returncode == 2
    shown = launcher.shown("show", "--wire", "--indent")
    assert too_wide(shown, 80) == []
    assert json.loads(shown.partition("indented:")[2]) == json.loads(exact)


def test_status_says_that_telemetry_is_on_and_what_was_asked(used: Home, launcher: Launcher) -> None:
    text = launcher.shown("status")
    assert "Telemetry is on: runs are recorded, and sent to http://127.0.0.1:1." in text
    assert "CHEF_TELEMETRY_OPT_OUT" in text
    assert "1 session, the oldest from" in text


def test_status_says_what_turned_it_off(used: Home, launcher: Launcher) -> None:
    used.env["DO_NOT_TRACK"] = "1"
    lines = launcher.shown("status").splitlines()
    assert "Telemetry is off: nothing is recorded or sent, because DO_NOT_TRACK is set." in lines
    assert [line.split()[1] for line in lines if line.startswith("*")] == ["DO_NOT_TRACK"]


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_dry_run_shows_the_record_and_does_nothing(used: Home, launcher: Launcher, by_variable: bool) -> None:
    before = {path: path.stat().st_mtime_ns for path in used.path.rglob("*")}
    arguments = ["root:s3cret@web01", "-p", "winrm", "user", "bob", "--version-of-mine"]
    if by_variable:
        used.env["CHEF_RUN_LAUNCHER_DRY_RUN"] = "1"
        done = launcher.exec(*arguments)
    else:
        done = launcher.run("dry-run", *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    assert text.startswith("This run: would it be recorded?\nYes.\n")
    assert "bob" not in text
    assert "s3cret" not in text
    assert {path: path.stat().st_mtime_ns for path in used.path.rglob("*")} == before


def test_a_dry_run_leaves_a_fresh_home_as_it_is(home: Home, launcher: Launcher, chef_run: Program) -> None:
    done = launcher.run("dry-run", "web01", "directory", "/tmp/foo")
    assert b"the notice has not been shown yet" in done.stdout
    assert home.files() == set()
    used = json.loads(re.search(rb"^\{.*?^\}", done.stdout, re.S | re.M).group())  # type: ignore[union-attr]
    assert used["targets"][0]["hostname_sha256"].startswith("1f94fe44")


def test_a_dry_run_of_a_run_that_is_opted_out_shows_no_record(used: Home, launcher: Launcher) -> None:
    used.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    text = launcher.run("dry-run", "web01", "directory", "/tmp/foo").stdout.decode()
    assert "This run: would it be recorded?\nNo.\n" in text
    assert "hostname_sha256" not in text.partition("Earlier runs")[0]


@pytest.mark.parametrize("command", ["status", "show", "dry-run"])
def test_the_commands_colour_nothing_in_a_pipe(used: Home, launcher: Launcher, command: str) -> None:
    assert b"\x1b" not in launcher.run(command).stdout


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["show"], ["dry-run", "web01", "a", "b"]])
def test_a_home_with_a_name_that_is_no_utf_8_is_shown(used: Home, launcher: Launcher, command: list[str]) -> None:
    """It looks like markup as well, which rich would interpret."""
    odd = os.fsencode(used.path) + b"[bold]\xff"
    os.rename(used.path, odd)
    used.env["HOME"] = os.fsdecode(odd)
    done = launcher.run(*command)
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_color_is_respected_and_a_pipe_gets_none(used: Home, launcher: Launcher) -> None:
    def colours(text: str) -> list[str]:
        return re.findall(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", text)

    assert colours(launcher.drawn("status"))
    used.env["NO_COLOR"] = "1"
    assert not colours(launcher.drawn("status"))
    del used.env["NO_COLOR"]
    assert b"\x1b" not in launcher.run("status").stdout


COMMANDS = ["dry-run", "status", "show", "flush", "enable", "disable", "purge", "verify-off", "doctor"]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [*COMMANDS, "explain-hash", "shell-init"])
def test_each_command_explains_itself_with_examples_in_24_lines(launcher: Launcher, command: str, option: str) -> None:
    done = launcher.run(command, option)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert max(map(len, lines)) <= 80
    assert len(lines) < 24
    assert f"chef-run-launcher {command} " in done.stdout.decode().replace("\n", " ").partition("]")[2]
    assert "Exit codes: 0 success, 1 failure, 2 usage error." in done.stdout.decode()


def test_options_are_read_as_objects_which_python_3_9_needs() -> None:
    """As texts, it would have other options than these: under their variables' names, and without a word of help."""
    for command in app.registered_commands:
        assert command.callback
        annotations = [each.annotation for each in inspect.signature(command.callback).parameters.values()]
        assert not [each for each in annotations if isinstance(each, str)], command.callback
