"""The programs that the other tests put in chef-run's place: the stand-in, and the replay of recordings."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from tests.support.hashes import sha1
from tests.support.homes import Home
from tests.support.programs import Program
from tests.support.recordings import Recording, recordings
from tests.support.waiting import wait_until

RUN = ("directory", "/tmp/foo")
CURSOR_SHOWN, CURSOR_HIDDEN = b"\x1b[?25h", b"\x1b[?25l"


def entries(payload: str) -> list[dict[str, object]]:
    """The events of a payload, newest first. Ruby's symbols stay words that begin with a colon."""
    document: dict[str, list[dict[str, object]]] = yaml.load(payload, yaml.BaseLoader)
    return document["entries"]


def targets(payload: str) -> dict[str, str]:
    """Each target's system by the SHA-1 hash of its host."""
    found = re.findall(r":name: :(\w+)\n(?:.*\n){2}.*:hostname_sha1: (\w+)", payload)
    return {sha1: system for system, sha1 in found}


def without_values(payload: str) -> str:
    """The payload's shape: what changes from run to run is taken out."""
    return re.sub(r"(:(?:installation_id|run_timestamp|duration|hostname_sha1):) \S+", r"\1", payload)


def test_the_first_run_explains_itself_and_makes_the_folder(chef_run: Program, home: Home) -> None:
    first, second = chef_run.run("-v"), chef_run.run("-v")
    assert first.stdout.startswith(f"Creating config file in {home.config}.\n\nTelemetry is enabled".encode())
    assert second.stdout == b"chef-run: 0.9.6\n"
    assert (first.stderr, first.returncode) == (b"", 0)
    assert home.config.read_bytes() == b""
    assert re.fullmatch("[0-9a-f-]{36}", home.installation_id.read_text())
    assert home.files() == {
        *(f".chef-workstation/{folder}" for folder in ("", "logs/", "telemetry/")),
        *(f".chef-workstation/{file}" for file in ("config.toml", "installation_id", "logs/default.log")),
        ".chef-workstation/telemetry/telemetry-payload-1.yml",
    }


def test_a_good_run_prints_nothing_on_a_pipe(chef_run: Program, home: Home) -> None:
    home.use()
    result = chef_run.run("web01", *RUN)
    assert (result.stdout, result.stderr, result.returncode) == (b"", b"", 0)


def test_a_good_run_draws_a_spinner_and_leaves_the_cursor_shown(chef_run: Program, home: Home) -> None:
    """On a terminal, and on no other output."""
    home.use()
    with chef_run.on_a_terminal("web01,db01", *RUN) as terminal:
        terminal.expect_exact(CURSOR_HIDDEN)
        terminal.expect_exact("├── [✔] [web01] Successfully converged directory[/tmp/foo].".encode())
        terminal.expect_exact("└── [✔] [db01] Successfully converged directory[/tmp/foo].".encode())
        assert terminal.read().endswith(CURSOR_SHOWN)
    assert terminal.exitstatus == 0


def test_without_a_spinner_each_change_is_a_line_on_a_pipe_too(chef_run: Program, home: Home) -> None:
    home.use("[dev]\nspinner=false\n")
    lines = chef_run.run("web01", *RUN).stdout.decode().splitlines()
    assert lines[0] == "[ - ] ..."
    assert "[ HEADER ] Applying directory[/tmp/foo] from resource to target." in lines
    assert lines[-1] == "[ - ] [web01] Successfully converged directory[/tmp/foo]."


def test_the_payload_of_a_run_replaces_the_earlier_one(chef_run: Program, home: Home) -> None:
    home.use()
    [earlier] = home.payloads()
    before = earlier.read_text()
    chef_run.run("web01", *RUN)
    [payload] = home.payloads()
    assert payload.name == "telemetry-payload-1.yml"
    assert payload.read_text() != before
    assert [entry[":event"] for entry in entries(payload.read_text())] == [":run", *[":action"] * 4]


@pytest.mark.parametrize("opt_out", ["variable", "empty variable", "config"])
def test_opted_out_it_leaves_no_payload_and_removes_the_last(chef_run: Program, home: Home, opt_out: str) -> None:
    home.use("[telemetry]\nenabled=false\n" if opt_out == "config" else "")
    if opt_out != "config":
        home.env["CHEF_TELEMETRY_OPT_OUT"] = "1" if opt_out == "variable" else ""
    assert chef_run.run("web01", *RUN).returncode == 0
    assert home.payloads() == []


@pytest.mark.parametrize(
    ("host", "system"),
    [
        ("web01", "linux"),
        ("ubuntu1", "linux"),
        ("winbox", "windows"),
        ("mac1", "macos"),
        ("solaris1", "solaris"),
        ("aix1", "aix"),
        ("rocky1", "linux"),
        ("broken1", "linux"),
    ],
)
def test_the_payload_names_the_system_of_each_target_reached(
    chef_run: Program, home: Home, host: str, system: str
) -> None:
    home.use()
    chef_run.run(host, *RUN)
    [payload] = home.payloads()
    assert targets(payload.read_text()) == {sha1(host): system}


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("freebsd1", "'freebsd' is not a supported target operating system at this time."),
        ("refused1", "Connection failed: Connection refused - connect(2) for refused1:22"),
        ("badauth1", "Connection failed: Authentication failed for user root@badauth1"),
        ("unresolvable1", "A network error occurred:"),
    ],
)
def test_without_a_connection_it_says_why_and_has_no_target(
    chef_run: Program, home: Home, host: str, text: str
) -> None:
    """On standard output; and there is no target in its payload."""
    home.use()
    result = chef_run.run(host, *RUN)
    assert (result.stderr, result.returncode) == (b"", 1)
    assert result.stdout.decode().startswith(f"\n{text}\n")
    [payload] = home.payloads()
    assert targets(payload.read_text()) == {}
    assert [entry[":event"] for entry in entries(payload.read_text())][:2] == [":run", ":error"]


def test_a_distribution_without_a_package_is_named_in_the_text(chef_run: Program, home: Home) -> None:
    home.use()
    result = chef_run.run("rocky1", *RUN)
    assert b"\n  platform: rocky\n  platform version: 9.4\n  architecture: x86_64\n" in result.stdout
    assert result.returncode == 1


def test_on_a_terminal_the_targets_row_says_why_it_failed(chef_run: Program, home: Home) -> None:
    home.use()
    with chef_run.on_a_terminal("web01,rocky1,unresolvable1", *RUN) as terminal:
        output = terminal.read()
    assert b"[rocky1] No artifacts found matching criteria.\r\n  product name: chef\r\n  platform: rocky\r\n" in output
    assert "[✖] [unresolvable1] getaddrinfo: Name or service not known".encode() in output
    assert terminal.exitstatus == 1


def test_failures_of_several_targets_go_to_a_file_by_host_name(chef_run: Program, home: Home) -> None:
    """Users, passwords, schemes and ports stay out of it."""
    home.use()
    result = chef_run.run("web01,ssh://bob:secret@freebsd1:2222,winrm://winbox,refused1", *RUN)
    assert result.returncode == 1
    assert f"  {home.logs / 'errors.txt'}\n".encode() in result.stdout
    lines = (home.logs / "errors.txt").read_text().splitlines()
    assert lines[0].startswith("Host: freebsd1 Error: CHEFTARG001: 'freebsd' is not a supported target")
    assert lines[1].startswith("Host: refused1 Error: CHEFTRN999: Connection failed")
    assert len(lines) == 2
    [payload] = home.payloads()
    assert targets(payload.read_text()) == {sha1("web01"): "linux", sha1("winbox"): "windows"}


@pytest.mark.parametrize(
    ("words", "hosts"),
    [
        (["web[1:3]"], ["web1", "web2", "web3"]),
        (["web[1:2].[a:b]"], ["web1.a", "web2.a", "web1.b", "web2.b"]),
        (["WEB01,web01,ssh://u:p@db01:22/x"], ["web01", "db01"]),
        (["[::1],ssh://[fe80::2]:22"], ["::1", "fe80::2"]),
        (["-pwinrm", "--user", "-x", "web01"], ["web01"]),
        (["--prot", "winrm", "--", "web01"], ["web01"]),
    ],
)
def test_targets_come_from_the_command_line_as_chef_run_reads_it(
    chef_run: Program, home: Home, words: list[str], hosts: list[str]
) -> None:
    home.use("[dev]\nspinner=false\n")
    lines = chef_run.run(*words, *RUN).stdout.decode().splitlines()
    connecting = [line.split("] ")[1].strip("[") for line in lines if line.endswith("Connected.")]
    assert connecting == hosts


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 0, "Chef Run is a tool"),
        (["-h"], 0, "Chef Run is a tool"),
        (["-v"], 0, "chef-run: 0.9.6\n"),
        ([",", *RUN], 0, ""),
        (["--bogus", "web01", *RUN], 1, "\nThe flag '--bogus' does not exist.\n"),
        (["web01", "recipe", "--user"], 1, "\nCHEFINT001\n"),
        (["-p", "telnet", "web01", *RUN], 1, "\nCHEFINT001\n"),
        (["web01"], 1, "\n"),
        (["web[a:3]", *RUN], 128, "INTERNAL ERROR\n"),
        (["web[1:25]", *RUN], 128, "INTERNAL ERROR\n"),
        (["-c", "/nonexistent", "web01", *RUN], 0, "\nThe path '/nonexistent' is not a valid file"),
    ],
)
def test_a_command_line_without_targets_ends_with_chef_runs_code(
    chef_run: Program, home: Home, arguments: list[str], code: int, text: str
) -> None:
    home.use()
    result = chef_run.run(*arguments)
    assert (result.returncode, result.stderr) == (code, b"")
    assert result.stdout.decode().startswith(text)


def test_a_crash_leaves_no_payload_and_removes_the_earlier_one(chef_run: Program, home: Home) -> None:
    home.use()
    assert chef_run.run("web[a:3]", *RUN).returncode == 128
    assert home.payloads() == []


def test_a_config_that_does_not_parse_is_explained(chef_run: Program, home: Home) -> None:
    """And touches no payload."""
    home.use("this is no setting\n")
    result = chef_run.run("web01", *RUN)
    assert result.stdout.startswith(b"\nError in configuration file.")
    assert result.returncode == 0
    assert len(home.payloads()) == 1


def interrupt(process: subprocess.Popen[bytes], until: bytes, number: int) -> tuple[int, bytes]:
    """Send the signal once a line with `until` in it is there: the exit code, and what came after it."""
    assert process.stdout
    while until not in (line := process.stdout.readline()):
        assert line, f"ended before {until!r}"
    process.send_signal(number)
    rest = process.communicate(timeout=15)[0]
    return process.returncode, rest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SIGINT", b""),
        ("SIGTERM", b"SIGTERM"),
        ("SIGHUP", b"SIGHUP"),
        ("SIGQUIT", b"SIGQUIT"),
        ("SIGUSR1", b"SIGUSR1"),
    ],
)
def test_a_signal_becomes_an_internal_error_and_exit_64(
    chef_run: Program, home: Home, name: str, message: bytes
) -> None:
    home.use("[dev]\nspinner=false\n")
    home.env["STAND_IN_SECONDS"] = "60"
    number = getattr(signal, name)
    code, rest = interrupt(chef_run.start("web01", *RUN), b"Applying directory[/tmp/foo]...", number)
    assert code == 64
    assert re.match(rb"INTERNAL ERROR\n[-=]+\nMessage:\n" + message + rb"\nBacktrace:\n", rest)
    [payload] = home.payloads()
    assert targets(payload.read_text()) == {sha1("web01"): "linux"}


def test_a_signal_as_it_connects_leaves_a_payload_but_no_target(chef_run: Program, home: Home) -> None:
    home.use("[dev]\nspinner=false\n")
    code, _ = interrupt(chef_run.start("silent1", *RUN), b"Connecting as root...", signal.SIGTERM)
    assert code == 64
    [payload] = home.payloads()
    assert targets(payload.read_text()) == {}


def test_ctrl_c_on_a_terminal_ends_it_with_the_cursor_shown(chef_run: Program, home: Home) -> None:
    home.use()
    home.env["STAND_IN_SECONDS"] = "60"
    with chef_run.on_a_terminal("web01", *RUN) as terminal:
        terminal.expect_exact(b"Applying directory[/tmp/foo]...")
        terminal.sendintr()
        rest = terminal.read()
    assert terminal.exitstatus == 64
    assert rest.rindex(CURSOR_SHOWN) > rest.rfind(CURSOR_HIDDEN)
    assert b"INTERNAL ERROR" in rest


def test_many_at_once_are_quiet_about_each_other(chef_run: Program, home: Home) -> None:
    home.use()
    for number in range(2000):  # enough for two to be at it at the same time
        (home.telemetry / f"telemetry-payload-{number}.yml").touch()
    runs = [chef_run.start("-v") for _ in range(12)]
    assert {run.communicate()[1] for run in runs} == {b""}


def test_without_a_home_it_runs_and_leaves_nothing(chef_run: Program, home: Home, tmp_path: Path) -> None:
    del home.env["HOME"]
    home.env["TMPDIR"] = str(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert chef_run.run("web01", *RUN).returncode == 0
    assert sorted(tmp_path.iterdir()) == before


def recorded(name: str) -> Recording:
    found = [recording for recording in recordings() if recording.name == name]
    if not found:
        pytest.skip(f"needs the recording of {name}, which is not published, in ../shared/transcripts")
    return found[0]


@pytest.mark.parametrize(
    ("case", "host"),
    [("ok", "127.0.0.1"), ("version", None), ("refused", "refused1"), ("converge-fail-unmapped", "broken1")],
)
def test_the_stand_ins_payload_has_the_shape_of_the_real_one(
    chef_run: Program, home: Home, case: str, host: str | None
) -> None:
    recording = recorded(f"{case}/pipe-existing")
    home.use()
    chef_run.run(*([host, *RUN] if host else ["-v"]))
    [payload] = home.payloads()
    assert recording.payload
    assert without_values(payload.read_text()) == without_values(recording.payload)


@pytest.mark.parametrize("case", ["ok3-nospinner", "refused-nospinner"])
def test_the_stand_ins_lines_have_the_forms_of_the_real_ones(chef_run: Program, home: Home, case: str) -> None:
    real = recorded(f"{case}/pipe-existing").stdout.decode()
    home.use("[dev]\nspinner=false\n")
    hosts = "web1,web2,web3" if case == "ok3-nospinner" else "refused1"
    ours = chef_run.run(hosts, *RUN).stdout.decode()

    def forms(text: str) -> set[str]:
        lines = (
            re.sub(r"127\.0\.0\.\d:\d+|127\.0\.0\.\d|(web|refused)\d(:22)?", "HOST", line) for line in text.splitlines()
        )
        return {line for line in lines if line.startswith("[")}

    assert forms(ours) == forms(real)


def test_a_replayed_payload_is_one_of_this_run(replay: Program, home: Home) -> None:
    recording = recorded("mixed-all-ok-os/pipe-existing")
    recording.set_up(home)
    began = time.time()
    replay.run(*recording.arguments(home))
    ended = time.time()
    [payload] = home.payloads()
    assert recording.payload
    assert without_values(payload.read_text()) == without_values(recording.payload)
    for entry in entries(payload.read_text()):
        properties = entry[":properties"]
        assert isinstance(properties, dict)
        assert properties[":installation_id"] == home.installation_id.read_text()
        at = datetime.strptime(properties[":run_timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        assert int(began) <= at.timestamp() <= ended
    durations = [float(duration) for duration in re.findall(r":duration: (\S+)", payload.read_text())]
    assert 0 < max(durations) <= ended - began


def test_waiting_for_what_does_not_come_says_what_it_was() -> None:
    with pytest.raises(AssertionError, match="the moon"):
        wait_until(lambda: False, "the moon", seconds=0.05)
