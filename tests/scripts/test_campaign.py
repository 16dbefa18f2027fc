"""The campaign: its checker finds whatever must not be; and a try or two of each attack, always of the same seed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.campaign import invariants
from tests.campaign.world import CHILD, OUTSIDE, QUIET, World, world
from tests.support.servers import Answer
from tests.support.waiting import wait_until

CAMPAIGN = Path(__file__).parents[2] / "scripts" / "campaign"
SEEDS = [
    *[("kills", 2), ("kills_on_cue", 1), ("stops", 1), ("kills_and_stops", 1), ("crowd", 1), ("opt_outs", 1)],
    *[("servers", 3), ("silence", 9), ("children", 1), ("children", 12)],
]


@pytest.mark.parametrize(("attack", "seed"), SEEDS)
def test_an_attack_finds_nothing(attack: str, seed: int) -> None:
    command = [sys.executable, str(CAMPAIGN), "--only", attack, "--seed", str(seed), "--tries", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{attack:18}      1         0" in done.stdout


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        made.use(QUIET)
        made.set_up(sessions=2)
        yield made


def run(here: World) -> None:
    here.start("cnry00001", "directory", "/tmp/cnry00002").wait(30)


def test_nothing_is_found_where_nothing_was_done(here: World) -> None:
    run(here)
    here.start("web01", "a", "b", tty=True).wait(30)
    assert invariants.findings(here) == []


def tear_a_session(here: World) -> None:
    path = here.stored()[0]
    path.write_bytes(path.read_bytes()[:-40])


def add_a_field(here: World) -> None:
    path = here.stored()[0]
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 1, "user": "root"'))


def tear_a_receipt(here: World) -> None:
    (here.home.telemetry / "receipts.jsonl").write_text('{"day": "2026-')


def tear_the_id(here: World) -> None:
    here.home.installation_id.write_text("0123")


def write_outside(here: World) -> None:
    (here.outside / "precious").write_bytes(b"")


def make_a_file_outside(here: World) -> None:
    (here.home.path / ".cache").touch()


def remove_somebody_elses(here: World) -> None:
    (here.home.workstation / "notes.txt").unlink()


def change_a_mode_outside(here: World) -> None:
    (here.outside / "telemetry").chmod(0o777)


def lose_a_session_that_waited(here: World) -> None:
    next(path for path in here.stored() if path.stem.removeprefix("session-") in here.promised).unlink()


def lose_the_runs_own(here: World) -> None:
    next(path for path in here.stored() if path.stem.removeprefix("session-") not in here.promised).unlink()


def store_it_twice(here: World) -> None:
    for number, path in enumerate(here.stored()):
        other = f"00000000-0000-4000-8000-00000000000{number + 2}"
        content = path.read_text().replace(path.stem.removeprefix("session-"), other)
        (path.parent / f"session-{other}.json").write_text(content)


def take_one_in_from_outside(here: World) -> None:
    path = here.stored()[0]
    other = OUTSIDE.removeprefix("session-").removesuffix(".json")
    content = path.read_text().replace(path.stem.removeprefix("session-"), other)
    (path.parent / OUTSIDE).write_text(content)


def keep_a_word(here: World) -> None:
    (here.home.telemetry / ".last").write_text("chef-run cnry00001")


def name_a_file_so(here: World) -> None:
    (here.home.telemetry / "cnry00001.tmp").touch()


def print_a_word(here: World) -> None:
    here.said.append(b"sent cnry00001")


def refuse_to_be_sent(here: World) -> None:
    (here.home.telemetry / "receipts.jsonl").unlink(missing_ok=True)
    (here.home.telemetry / "receipts.jsonl").mkdir()


def have_another_exit_code(here: World) -> None:
    only = here.runs[0]
    only.expected = here.alone(*only.arguments)._replace(code=0)


def have_another_output(here: World) -> None:
    only = here.runs[0]
    only.expected = here.alone(*only.arguments)._replace(output=b"more")


DAMAGES: list[tuple[Callable[[World], None], str]] = [
    (tear_a_session, "torn: a session in telemetry/"),
    (add_a_field, "torn: a session in telemetry/"),
    (tear_a_receipt, "torn: a receipt"),
    (tear_the_id, "torn: the installation id"),
    (write_outside, "outside: /outside/precious has changed"),
    (make_a_file_outside, "outside: /home/.cache has appeared"),
    (remove_somebody_elses, "outside: /home/.chef-workstation/notes.txt is gone"),
    (change_a_mode_outside, "outside: /outside/telemetry has changed"),
    (lose_a_session_that_waited, "lost: 1 sessions that waited; 0 are counted ("),
    (lose_the_runs_own, "lost: 1 runs are not recorded; 0 are counted. One is [pipes, ended 7]"),
    (store_it_twice, "one run under 2 ids"),
    (take_one_in_from_outside, "a session was sent that lies outside"),
    (keep_a_word, "canary: in home/.chef-workstation/telemetry/.last"),
    (name_a_file_so, "canary: in the name cnry00001.tmp"),
    (print_a_word, "canary: in what a command prints"),
    (refuse_to_be_sent, "a flush does not deliver"),
    (have_another_exit_code, "exit code 7, and 0 without the launcher"),
    (have_another_output, "output of 0 bytes, and of 4 without the launcher"),
]


@pytest.mark.parametrize(("damage", "finding"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_damaged_is_found(here: World, damage: Callable[[World], None], finding: str) -> None:
    here.answer_with(lambda request: Answer(status=500))  # all sessions stay there
    run(here)
    assert list(invariants.no_process_is_left(here)) == []
    damage(here)
    assert [each for each in invariants.findings(here) if each.startswith(finding)]


def test_a_hostile_chef_run_does_its_deeds(here: World) -> None:
    here.use(CHILD)
    alone = here.alone(env={"CAMPAIGN_DEEDS": "flood 1 2;lie 2;hold 0.1;die SIGTERM"})
    assert (alone.code, len(alone.output), alone.output[-5:]) == (-signal.SIGTERM, 2048 + 5, b"late\n")
    assert b"freebsd" in alone.errors


def test_a_terminal_that_is_left_changed_is_found(here: World) -> None:
    here.use("#!/bin/sh\nstty -echo\n")
    here.start("web01", "a", "b", tty=True).wait(30)
    assert invariants.findings(here) == ["the terminal has other settings than before [terminal, ended 0]"]


def test_a_traceback_is_found(here: World) -> None:
    here.use("#!/bin/sh\necho Traceback >&2\n")
    run(here)
    assert invariants.findings(here) == ["a run shows a traceback [pipes, ended 0]"]


def test_a_run_that_does_not_end_is_found(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "PATIENCE", 0.5)
    here.use("#!/bin/sh\nexec sleep 20\n")
    here.start("web01", "a", "b")
    assert [each for each in invariants.findings(here) if each.startswith("a run has not ended after 0 s (launcher ")]


def test_a_process_that_is_left_is_found_and_ended(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "PATIENCE", 1.5)
    command = ["/bin/sh", "-c", "sleep 20; : cnry00001"]
    with subprocess.Popen(command, env={"HOME": str(here.home.path)}, start_new_session=True) as left:
        wait_until(lambda: left.pid in here.ours(), "it has begun")
        found = invariants.findings(here)
        assert "after the run, a process shows the command line: sender" in found
        assert "a process is left after 2 s: sender, S" in found
        assert left.wait() == -signal.SIGKILL


def test_a_finding_is_shown_with_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = script()
    monkeypatch.setattr(campaign, "ATTACKS", {"scratch": scratch, "nothing": lambda made, chance: made.set_up(0)})
    monkeypatch.setattr(sys, "argv", ["campaign", "--seed", "40", "--tries", "2"])
    monkeypatch.setattr(campaign, "with_own_mounts", lambda: None)
    assert campaign.main() == 1
    shown = capsys.readouterr().out
    assert "  scratch: outside: /tmp/scratch" in shown
    assert "    make campaign ONLY=scratch SEED=41\n" in shown
    assert f"  {'scratch':18}      2         2  40, 41\n  {'nothing':18}      2         0  \n" in shown


def scratch(made: World, chance: random.Random) -> None:
    made.set_up(0)
    (made.temporary / f"scratch{chance.random()}").touch()


def test_what_an_attack_does_is_its_seeds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = script()
    monkeypatch.setattr(campaign, "ATTACKS", {"scratch": scratch})
    said = []
    for _ in range(2):
        campaign.make("scratch", campaign.Tally(), 40)
        said.append(capsys.readouterr().out)
    campaign.make("scratch", campaign.Tally(), 41)
    assert said[0] == said[1] != capsys.readouterr().out


def script() -> ModuleType:
    """scripts/campaign, as a module."""
    loader = importlib.machinery.SourceFileLoader("campaign", str(CAMPAIGN))
    spec = importlib.util.spec_from_loader("campaign", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["campaign"] = module  # where its data classes look for it
    loader.exec_module(module)
    return module
