"""Recordings of the real chef-run, played behind the launcher: nothing changes, and the record is true."""

from __future__ import annotations

import json

import pexpect

from launcher.consent import config, config_option, decision, notice
from launcher.consent.situation import NOTICE_VERSION
from launcher.reading import command_line
from tests.support.homes import Home
from tests.support.programs import Launcher, Program
from tests.support.recordings import Recording


def told_on(terminal: bool) -> bytes:
    """The notice, as the first run in a home of the tests shows it."""
    said = notice.text(config.load_profile(), "127.0.0.1", "sha256", is_brief=not terminal)
    return (said.replace("\n", "\r\n") if terminal else said).encode()


def test_a_recorded_run_looks_the_same_and_is_recorded_as_it_was(
    home: Home, launcher: Launcher, replay: Program, recording: Recording
) -> None:
    recording.set_up(home)
    told = recording.meta["home"] == "existing"
    if told:
        (home.telemetry / ".notice").write_bytes(NOTICE_VERSION)
    recorded = is_recorded(home, recording)
    before = home.files()
    said = told_on(recording.on_a_terminal) if recorded and not told else b""

    if recording.on_a_terminal:
        seen = run_on_a_terminal(launcher, recording.arguments(home), recording.exit)
        assert seen == recording.terminal + said
    else:
        done = launcher.exec(*recording.arguments(home))
        assert (done.stdout, done.stderr) == (recording.stdout, recording.stderr + said)
        assert done.returncode == recording.exit

    assert without_payloads(home.files() - before) >= without_payloads(set(recording.meta["files_new"]))
    assert without_payloads(before - home.files()) == without_payloads(set(recording.meta["files_removed"]))
    assert len(home.sessions()) == recorded
    if recorded:
        targets = json.loads(home.sessions()[0].read_text())["targets"]
        assert [target["hostname_sha256"] for target in targets] == [each.sha256 for each in known(home, recording)]
        assert [target["os"] for target in targets] == systems(home, recording)
        assert not (recording.payload and home.payloads()), "chef-run's own payload is left"


def without_payloads(paths: set[str]) -> set[str]:
    """Without chef-run's own payloads: the launcher takes them."""
    return {path for path in paths if not path.endswith(".yml")}


def run_on_a_terminal(launcher: Launcher, arguments: list[str], expected: int) -> bytes:
    with launcher.on_a_terminal("exec", *arguments) as terminal:
        terminal.expect(pexpect.EOF)
        output: bytes = terminal.before
        terminal.wait()
        terminal.ptyproc.delayafterclose = 0  # seconds that it would give a process to end, which has ended
    ended = -terminal.signalstatus if terminal.signalstatus else terminal.exitstatus
    assert ended == expected
    return output


def is_recorded(home: Home, recording: Recording) -> bool:
    """Whether nothing in the recording's environment, config.toml or command line turns telemetry off."""
    if decision.OPT_OUT in recording.meta["env"]:
        return False
    named = [config.load(path) for path in config_option.config_files(recording.arguments(home))]
    decided = decision.decide(
        {},
        opt_out_file=None,
        home_problem=None,
        config=config.load(str(home.config)),
        named_configs=named,
        policy=config.Config("", exists=False),
        has_endpoint=True,
    )
    return decided.on


def known(home: Home, recording: Recording) -> list[command_line.Target]:
    return command_line.targets(recording.arguments(home))


def systems(home: Home, recording: Recording) -> list[str | None]:
    """The operating system of each target, as the recording's notes have it."""
    by_sha1 = recording.meta["payload_platform_by_sha1"]
    found = [by_sha1.get(target.sha1) for target in known(home, recording)]
    if found.count(None) == 1:
        found[found.index(None)] = recording.meta["unsupported_os_in_text"]
    return found
