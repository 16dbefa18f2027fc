"""What a wrapped run costs: structure, not timings. scripts/bench has those."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import Home
from tests.support.programs import INSTALLED, ISOLATED, MAIN, Launcher, Program
from tests.support.tracing import strace

SPY = Path(__file__).parent / "support" / "spy.py"
ARGUMENTS = ("web01", "directory", "/tmp/foo", "mode=0700")

# Loaded when chef-run is started, beyond what a bare interpreter has; that may have the last ones in it
# already.
OPTED_OUT = {
    *("launcher", "launcher.entry", "launcher.quiet", "launcher.run", "launcher.real"),
    *("launcher.relay", "launcher.relay.handover"),
    *("launcher.consent", "launcher.consent.situation", "launcher.consent.decision"),
}
OURS = {
    *OPTED_OUT,
    *(f"launcher.consent.{name}" for name in ("config", "toml")),
    *("launcher.home", "launcher.home.files", "launcher.home.layout"),
    *(f"launcher.relay.{name}" for name in ("posix", "descriptors", "relay_process", "routes")),
}
PYTHONS = {"__future__", "errno", "stat", "_stat", "_signal", "_thread", "time", "posix", "sys"}
PYTHONS |= {"os", "os.path", "posixpath", "genericpath", "_collections_abc", "abc", "_abc"}
HEAVY = {
    *("typer", "rich", "urllib3", "distro", "fastjsonschema", "json", "re", "typing", "subprocess", "enum", "signal"),
    *("hashlib", "_hashlib", "datetime", "logging", "random", "threading", "contextlib", "functools", "collections"),
}
# Loaded never, or in the helper process alone: these hold memory, and a run waits for its release at its end.
NEVER = {"typer", "rich", "urllib3", "fastjsonschema", "ssl", "socket", "tomlkit"}
NEVER |= {"distro", "hashlib", "_hashlib", "argparse", "logging", "subprocess", "pickle"}


def watched(
    home: Home, tmp_path: Path, *arguments: str, python: Sequence[str] = ISOLATED, program: Path = MAIN
) -> dict[str, Any]:
    """What a run did, with `new` and `new_at_end`: the modules that it has loaded by its first process, and its end."""
    report = tmp_path / "report"
    command = [*python, str(SPY), str(report), str(program), "exec", *arguments]
    subprocess.run(command, env=home.env, check=True, capture_output=True)
    seen: dict[str, Any] = json.loads(report.read_text())
    seen["new"] = set(seen["at_first"]) - set(seen["before"])
    seen["new_at_end"] = set(seen.get("at_end", [])) - set(seen["before"])
    return seen


@pytest.fixture
def postponed(home: Home, chef_run: Program, launcher: Launcher) -> Home:
    """A home in which the notice has been shown, and one session waits whose time has not come."""
    home.use()
    assert launcher.exec(*ARGUMENTS).returncode == 0
    home.postpone()
    return home


def test_only_these_modules_are_loaded_before_chef_run_runs(postponed: Home, tmp_path: Path) -> None:
    seen = watched(postponed, tmp_path, *ARGUMENTS)
    assert seen["new"] - PYTHONS == OURS
    assert len(postponed.sessions()) == 2


def test_what_sends_and_what_shows_is_never_loaded_in_a_run(postponed: Home, tmp_path: Path) -> None:
    seen = watched(postponed, tmp_path, *ARGUMENTS)
    assert not seen["new_at_end"] & NEVER
    assert len(postponed.sessions()) == 2


@pytest.mark.parametrize("config", ["", '[telemetry]\nhosts = "salted"\n'])
@pytest.mark.parametrize("is_first", [False, True])
def test_nothing_is_imported_once_chef_run_has_ended(
    home: Home, package: Path, chef_run: Program, tmp_path: Path, config: str, is_first: bool
) -> None:
    home.use(config)
    if not is_first:
        home.layout.telemetry.create(".notice", b"1\n")
    module, seen = package / "run.py", tmp_path / "seen"
    text = module.read_text()
    for place in ("    ended = time.time()\n", "        child.exit_the_same_way()\n"):
        indent = place[: -len(place.lstrip())]
        assert place in text
        text = text.replace(place, f"{indent}print(*sys.modules, file=open({str(seen)!r}, 'a'))\n{place}")
    module.write_text(text)
    subprocess.run([*ISOLATED, str(package / "__main__.py"), "exec", *ARGUMENTS], env=home.env, check=True)
    after_the_end, at_last = seen.read_text().splitlines()
    assert set(at_last.split()) == set(after_the_end.split())
    assert len(home.sessions()) == 1


@pytest.mark.parametrize(
    "config",
    ["", "# nothing\n", '[telemetry]\nenabled = true\nendpoint = "http://127.0.0.1:1"\n[log]\nlevel = "info"\n'],
)
@pytest.mark.parametrize("arguments", [ARGUMENTS, ("-i", __file__, "--no-sudo", "web[01:03]", *ARGUMENTS[1:])])
@pytest.mark.parametrize("on_path", [False, True])
def test_nothing_heavy_is_imported_before_chef_run_runs(
    postponed: Home, tmp_path: Path, config: str, arguments: tuple[str, ...], on_path: bool
) -> None:
    postponed.config.write_text(config)
    if on_path:
        postponed.env["PATH"] = f"{Path(postponed.env.pop('CHEF_RUN_LAUNCHER_REAL')).parent}:{postponed.env['PATH']}"
    (postponed.telemetry / ".next-attempt").unlink()
    seen = watched(postponed, tmp_path, *arguments)
    assert not seen["new"] & HEAVY


def test_an_opt_out_reads_no_file_and_starts_no_process(postponed: Home, tmp_path: Path) -> None:
    """It loads next to nothing."""
    postponed.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    seen = watched(postponed, tmp_path, *ARGUMENTS)
    assert seen["started"] == ["os.exec"]
    assert seen["new"] - PYTHONS == OPTED_OUT
    assert not any(str(postponed.path) in name or name.endswith(".toml") for name in seen["opened"])


def test_a_run_that_config_turns_off_starts_no_process_either(postponed: Home, tmp_path: Path) -> None:
    postponed.config.write_text("[telemetry]\nenabled = false\n")
    assert watched(postponed, tmp_path, *ARGUMENTS)["started"] == ["os.exec"]


def test_before_chef_run_runs_these_files_are_opened(postponed: Home, tmp_path: Path) -> None:
    opened = watched(postponed, tmp_path, *ARGUMENTS)["opened"]
    # Python's own: its modules, each by one file.
    others = [name for name in opened if not name.endswith((".pyc", ".py", ".so"))]
    assert [name for name in others if not name.startswith("/proc/")] == [
        postponed.env["CHEF_RUN_LAUNCHER_REAL"],  # is it the launcher itself?
        *(str(postponed.path), ".chef-workstation", "telemetry"),  # whose are they?
        str(postponed.config),
        str(MAIN.with_name("distribution.toml")),
        ".notice",
        "/dev/null",  # in place of what we let go of
    ]
    assert len([name for name in others if name.startswith("/proc/")]) == 3
    assert len([name for name in opened if "/launcher/" in name and name.endswith((".pyc", ".py"))]) == len(OURS)


def test_a_run_is_four_processes_and_six_with_a_sender(postponed: Home, tmp_path: Path) -> None:
    assert started(postponed, tmp_path) == 3  # besides the launcher: the relay process, chef-run, and the helper
    (postponed.telemetry / ".next-attempt").unlink()
    assert started(postponed, tmp_path) == 5  # the sender, and the process between it and the helper


def started(home: Home, tmp_path: Path) -> int:
    """How many processes a run starts."""
    trace, program = tmp_path / "trace", Path(home.env["CHEF_RUN_LAUNCHER_REAL"])
    program.write_text("#!/bin/true\n")
    tracing = strace("-f", "-e", "trace=fork,vfork,clone,clone3", output=trace)
    subprocess.run(
        [*tracing, *ISOLATED, str(MAIN), "exec", *ARGUMENTS], env=home.env, check=True, stdout=subprocess.PIPE
    )
    calls = [line for line in trace.read_text().splitlines() if "clone" in line or "fork" in line]
    return len([line for line in calls if "CLONE_THREAD" not in line and "resumed" not in line])


def test_pips_script_does_without_the_management_commands(postponed: Home, tmp_path: Path) -> None:
    seen = watched(postponed, tmp_path, *ARGUMENTS, python=[sys.executable], program=INSTALLED)
    assert not NEVER & set(seen["at_end"])
    assert {name for name in seen["new"] if name.startswith("launcher")} == {*OURS, "launcher.__main__"}
    assert len(postponed.sessions()) == 2


def test_the_toml_library_is_imported_only_for_what_is_not_plain(postponed: Home, tmp_path: Path) -> None:
    postponed.config.write_text("[telemetry]\nformat = 'chef'\n[dev]\nspinner = false\n")
    assert not watched(postponed, tmp_path)["new"] & {"tomllib", "tomli"}
    postponed.config.write_text('[cookbook]\npaths = [\n  "/a",\n]\n')
    assert watched(postponed, tmp_path)["new"] & {"tomllib", "tomli"}


@pytest.mark.parametrize("config", ["", '[cookbook]\npaths = [\n  "/a",\n]\n'], ids=["plain", "not plain"])
def test_dependencies_that_lie_elsewhere_are_found_all_the_same(
    home: Home, package: Path, chef_run: Program, config: str
) -> None:
    home.use(config)
    command = [*ISOLATED, str(package / "__main__.py"), "exec", "web01", "directory", "/tmp/foo"]
    assert subprocess.run(command, env=home.env, check=False).returncode == 0
    assert len(home.sessions()) == 1
