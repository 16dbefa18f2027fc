"""Whatever keeps a run from being recorded or sent is a finding of doctor's: every reason that the code has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from launcher.consent import decision
from launcher.delivery import plan, schedule
from launcher.home import losses, spool
from tests.support.homes import Home
from tests.support.mounts import run_with, system_policy
from tests.support.preloaded import flock_that
from tests.support.programs import Launcher, Program, copy_of_the_launcher


class Case(NamedTuple):
    """How a reason comes about, the code of the finding, and where else than in this home it must be looked for."""

    prepare: Callable[[Home], object]
    code: str
    where: str = ""


def set_variable(**variables: str) -> Callable[[Home], object]:
    return lambda home: home.env.update(variables)


def write_config(text: str) -> Callable[[Home], object]:
    def write(home: Home) -> None:
        home.env.pop("CHEF_TELEMETRY_ENDPOINT")
        home.config.write_text(f"[telemetry]\n{text}\n")

    return write


def opt_out_by_file(home: Home) -> None:
    (home.path / ".chef").mkdir()
    (home.path / ".chef" / "telemetry_opt_out").touch()


def reject(home: Home) -> None:
    spool.reject(home.layout, home.sessions()[0].name, "HTTP status 400")


def lose(kind: bytes) -> Callable[[Home], object]:
    return lambda home: (home.telemetry / ".lost").write_bytes(kind)


CASES = {
    # Of the decision.
    "launcher_depth": Case(set_variable(CHEF_RUN_LAUNCHER_DEPTH="1"), "telemetry"),
    "opt_out_variable": Case(set_variable(CHEF_TELEMETRY_OPT_OUT=""), "telemetry"),
    "do_not_track": Case(set_variable(DO_NOT_TRACK="1"), "telemetry"),
    "opt_out_file": Case(opt_out_by_file, "telemetry"),
    "home": Case(set_variable(HOME="relative"), "directory"),
    "system_policy": Case(lambda home: None, "telemetry", "with a policy"),
    "config_toml": Case(write_config("enabled = false"), "telemetry"),
    "no_endpoint": Case(lambda home: None, "endpoint", "in another distribution"),
    # Of the plan, before anything is sent.
    "off": Case(set_variable(DO_NOT_TRACK="1"), "telemetry"),
    "notice": Case(lambda home: (home.telemetry / ".notice").unlink(), "notice"),
    "endpoint": Case(set_variable(CHEF_TELEMETRY_ENDPOINT="ftp://x"), "endpoint"),
    "format": Case(write_config("format = 'xml'"), "endpoint"),
    "not_due": Case(lambda home: schedule.fail(home.layout, "HTTP status 503"), "last_delivery"),
    # Of what was lost, and what came of it.
    **{code: Case(lose(kind), "not_recorded") for kind, code in losses._CODES.items()},
    "unknown": Case(lose(b""), "not_recorded"),
    "rejected": Case(reject, "rejected"),
    "dropped": Case(lambda home: spool.count_dropped(home.layout), "dropped"),
    # Of the surroundings.
    "no room": Case(lambda home: None, "obstacle", "with small files"),
    "a lock that never answers": Case(lambda home: None, "lock", "with a deaf lock"),
    "no chef-run": Case(set_variable(CHEF_RUN_LAUNCHER_REAL="/nonexistent"), "chef_run"),
    "a proxy that is none": Case(set_variable(HTTPS_PROXY="socks5://127.0.0.1"), "proxy"),
    "authorities that are none": Case(set_variable(SSL_CERT_FILE="/nonexistent"), "authorities"),
    "a value of hosts that is none": Case(write_config("hosts = 'some'"), "setting"),
}
# These two are no obstacles here: a file that only a run's own command line names, and nothing to be sent.
NO_FINDINGS = {"named_config", "nothing_waits"}


def test_every_reason_in_the_code_is_in_this_list() -> None:
    reasons = {*decision.CODES, *get_args(plan.Why), *losses.REASONS}
    assert set(CASES) | NO_FINDINGS >= reasons
    assert not set(CASES) & NO_FINDINGS
    assert set(losses._CODES.values()) <= set(losses.REASONS)


def findings(done: subprocess.CompletedProcess[bytes]) -> set[str]:
    """The codes of what is not as it should be."""
    assert done.stderr == b""
    return {each["code"] for each in json.loads(done.stdout)["findings"] if each["state"] != "ok"}


@pytest.fixture
def in_order(home: Home, launcher: Launcher, chef_run: Program, tmp_path: Path) -> Home:
    home.has_waiting("web01")
    home.env["CHEF_TELEMETRY_ENDPOINT"] = "https://127.0.0.1:1"
    (tmp_path / "chef-run").symlink_to(launcher.path)
    home.env["PATH"] = f"{tmp_path}:{home.env['PATH']}"
    return home


def test_where_there_is_no_reason_there_is_no_finding(in_order: Home, launcher: Launcher) -> None:
    assert findings(launcher.run("doctor", "--json")) == set()


@pytest.mark.parametrize("reason", CASES)
def test_each_reason_has_a_finding(in_order: Home, launcher: Launcher, tmp_path: Path, reason: str) -> None:
    case = CASES[reason]
    case.prepare(in_order)
    command = [str(launcher.path), "doctor", "--json"]
    if case.where == "with a policy":
        done = run_with(system_policy("enabled = false"), *command, env=in_order.env)
    else:
        if case.where == "in another distribution":
            command = [sys.executable, "-I", str(without_an_endpoint(tmp_path)), *command[1:]]
        elif case.where == "with small files":
            command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command]
        elif case.where == "with a deaf lock":
            (in_order.telemetry / ".lock").touch()
            in_order.env.update(flock_that("never answers", tmp_path))
        done = subprocess.run(command, env=in_order.env, cwd=tmp_path, capture_output=True, check=False)
    assert case.code in findings(done)


def without_an_endpoint(folder: Path) -> Path:
    """What starts a copy of the launcher whose distribution has none."""
    package = copy_of_the_launcher(folder / "copy")
    profile = package / "distribution.toml"
    lines = [line for line in profile.read_text().splitlines() if not line.startswith(("endpoint", "dev_endpoint"))]
    profile.write_text("\n".join(lines))
    return package / "__main__.py"
