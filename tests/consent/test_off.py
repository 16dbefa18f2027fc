"""Off means that chef-run runs in our place, and that nothing of the run is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.mounts import READ_ONLY_HOME, run_with, system_policy
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector

# A chef-run that tells its own process id: where nothing is between, it is the one that the test started.
TELLS_ITS_ID = "#!/bin/sh\necho $$\n"

ENVIRONMENTS = [
    {"CHEF_TELEMETRY_OPT_OUT": "1"},
    {"CHEF_TELEMETRY_OPT_OUT": ""},
    {"DO_NOT_TRACK": "1"},
    {"CHEF_RUN_LAUNCHER_DEPTH": "1"},
]
CONFIGS = [
    "[telemetry]\nenabled = false\n",
    "[telemetry]\nenable = false\n",
    "telemetry = { enabled = false }\n",
    "[telemetry\n",
    "[connection]\ndefault_protocol = winrm\n",
]


def assert_off(home: Home, launcher: Launcher, chef_run: Program, *arguments: str) -> None:
    chef_run.path.write_text(TELLS_ITS_ID)
    before = home.files()
    process = launcher.start("exec", *arguments)
    output, errors = process.communicate()
    assert int(output) == process.pid
    assert errors == b""
    assert home.files() == before


@pytest.mark.parametrize("variables", ENVIRONMENTS)
def test_off_by_the_environment(home: Home, launcher: Launcher, chef_run: Program, variables: dict[str, str]) -> None:
    home.env.update(variables)
    assert_off(home, launcher, chef_run, "web01", "a", "b")


@pytest.mark.parametrize("config", CONFIGS)
def test_off_by_config_toml(home: Home, launcher: Launcher, chef_run: Program, config: str) -> None:
    home.use(config)
    assert_off(home, launcher, chef_run, "web01", "a", "b")


@pytest.mark.parametrize("config", CONFIGS[:1] + CONFIGS[3:4])
@pytest.mark.parametrize("spelling", ["-c {}", "-c{}", "--config {}", "--config={}", "--conf {}", "--config-path {}"])
def test_off_by_a_config_file_that_the_command_line_names(
    tmp_path: Path, home: Home, launcher: Launcher, chef_run: Program, config: str, spelling: str
) -> None:
    named = tmp_path / "named.toml"
    named.write_text(config)
    assert_off(home, launcher, chef_run, "web01", "a", "b", *spelling.format(named).split())


def test_a_named_config_that_is_a_pipe_is_left_to_chef_run(
    tmp_path: Path, home: Home, launcher: Launcher, chef_run: Program
) -> None:
    """It can be read once, and chef-run is to have what stands in it."""
    os.mkfifo(tmp_path / "named.toml")
    assert_off(home, launcher, chef_run, "-c", str(tmp_path / "named.toml"), "web01", "a", "b")


def test_who_writes_into_a_named_pipe_is_read_by_chef_run_alone(
    tmp_path: Path, home: Home, launcher: Launcher, chef_run: Program
) -> None:
    """Somebody who opens it and goes away again would end its writer by SIGPIPE."""
    home.use()
    pipe = tmp_path / "named.toml"
    os.mkfifo(pipe)
    chef_run.path.write_text('#!/bin/sh\nsleep 0.2; cat "$2"\n')
    with subprocess.Popen(["sh", "-c", 'yes text | head -c 200000 >"$0"', pipe]) as writer:
        done = launcher.exec("-c", str(pipe), "web01", "a", "b")
    assert done.stdout == b"text\n" * 40000
    assert writer.returncode == 0
    assert home.sessions() == []


@pytest.mark.parametrize("value", [None, "", "relative", "{home}/missing", "/dev/null"])
def test_off_without_a_home(home: Home, launcher: Launcher, chef_run: Program, value: str | None) -> None:
    if value is None:
        del home.env["HOME"]
    else:
        home.env["HOME"] = value.format(home=home.path)
    assert_off(home, launcher, chef_run, "web01", "a", "b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("whose", [".", ".chef-workstation", ".chef-workstation/telemetry"])
@pytest.mark.parametrize("mode", [0o755, 0o1777], ids=["of another user", "of another user in the likes of /tmp"])
def test_off_for_root_where_another_user_owns_a_directory(
    stocked: Home, launcher: Launcher, chef_run: Program, whose: str, mode: int
) -> None:
    """Nothing is read there but what may turn telemetry off. All who explain say so, and what to do."""
    stocked.path.chmod(mode)
    os.chown(stocked.path / whose, 12345, 12345)
    assert_off(stocked, launcher, chef_run, "web01", "a", "b")
    report = launcher.status()
    assert "running as root" in report["reason"]
    assert report["reason"].endswith(("use sudo -H", "delete it, or make root its owner"))
    assert report["waiting"] == 0
    for command in ("status", "doctor", "dry-run", "verify-off"):
        text = b" ".join(launcher.run(command).stdout.split())
        assert b"running as root" in text
    assert len(stocked.sessions()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_root_obeys_what_another_users_config_turns_off(home: Home, launcher: Launcher) -> None:
    home.use("[telemetry]\nenabled = false\n")
    os.chown(home.path, 12345, 12345)
    assert [source["off"] for source in launcher.status()["sources"] if source["name"].startswith("config")] == [True]


def test_an_opt_out_file_above_the_shells_working_directory(
    tmp_path: Path, stocked: Home, launcher: Launcher, chef_run: Program
) -> None:
    """Which leads through a symbolic link, and is no more above the directory itself."""
    (tmp_path / "project" / ".chef").mkdir(parents=True)
    (tmp_path / "project" / ".chef" / "telemetry_opt_out").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project" / "link").symlink_to(tmp_path / "elsewhere")
    launcher.cwd = tmp_path / "elsewhere"
    stocked.env["PWD"] = str(tmp_path / "project" / "link")
    assert_off(stocked, launcher, chef_run, "web01", "a", "b")
    stocked.env["PWD"] = "relative"
    assert launcher.status()["on"]


OPT_OUT_FILES = {"in HOME": "home", "here": "work/here", "above": "work", "at the top": "."}


@pytest.mark.parametrize("place", OPT_OUT_FILES.values(), ids=OPT_OUT_FILES)
def test_chefs_own_opt_out_files_turn_this_run_off(
    tmp_path: Path, stocked: Home, launcher: Launcher, chef_run: Program, place: str
) -> None:
    """Earlier sessions stay, even where telemetry is disabled for good as well. All who explain say so."""
    launcher.cwd = tmp_path / "work" / "here"
    launcher.cwd.mkdir(parents=True)
    opt_out = tmp_path / place / ".chef" / "telemetry_opt_out"
    opt_out.parent.mkdir()
    opt_out.touch()
    stocked.config.write_text("[telemetry]\nenabled = false\n")
    assert_off(stocked, launcher, chef_run, "web01", "a", "b")
    assert launcher.status()["reason"] == f"opt-out file: {opt_out} exists"
    stocked.config.write_text("")
    assert_off(stocked, launcher, chef_run, "web01", "a", "b")
    for command in ("status", "doctor", "dry-run", "verify-off"):
        text = b"".join(launcher.run(command).stdout.split())
        assert f"{opt_out}exists".encode() in text
    assert json.loads(launcher.run("verify-off", "--json").stdout)["passed"]
    opt_out.unlink()
    assert launcher.status()["on"]


def test_an_opt_out_file_made_during_a_run_means_that_run_too(
    tmp_path: Path, stocked: Home, launcher: Launcher, chef_run: Program
) -> None:
    chef_run.path.write_text('#!/bin/sh\nmkdir "$HOME/.chef"; touch "$HOME/.chef/telemetry_opt_out"\n')
    stocked.postpone()
    launcher.exec("web03", "a", "b")
    assert len(stocked.sessions()) == 2


def test_from_a_directory_that_is_gone_a_run_is_recorded(stocked: Home, launcher: Launcher) -> None:
    """There is nothing above it in which an opt-out file could be looked for."""
    stocked.postpone()
    command = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" exec web03 a b', str(launcher.path)]
    subprocess.run(command, env=stocked.env, cwd=stocked.path, check=True)
    assert len(stocked.sessions()) == 3


@pytest.mark.parametrize("used", [False, True])
def test_off_in_a_home_that_cannot_be_written(home: Home, launcher: Launcher, chef_run: Program, used: bool) -> None:
    """Root may write whatever the mode says, so that the whole HOME is read-only here."""
    chef_run.path.write_text(TELLS_ITS_ID)
    if used:
        home.use()
    before = home.files()
    for _ in range(2):  # no notice each time either
        done = run_with(READ_ONLY_HOME, launcher.path, "exec", env=home.env)
        assert (done.returncode, done.stderr) == (0, b"")
    assert launcher.status(READ_ONLY_HOME)["reason"].endswith("is not writable")
    assert home.files() == before


@pytest.mark.parametrize("policy", ["enabled = false", "[telemetry]\nenabled = false\n", "enabled = [", ""])
def test_the_system_policy_turns_it_off_for_good(
    home: Home, launcher: Launcher, chef_run: Program, policy: str
) -> None:
    launcher.exec("web01", "directory", "/tmp/foo")
    done = run_with(system_policy(policy), launcher.path, "exec", "web01", "directory", "/tmp/foo", env=home.env)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    # A policy that does not parse may say anything: nothing is recorded, and nothing is thrown away.
    assert len(home.sessions()) == {"": 2, "enabled = [": 1}.get(policy, 0)


def test_a_system_policy_that_may_not_be_looked_at_counts_as_off(
    home: Home, launcher: Launcher, chef_run: Program
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (scripts/install-test-tools)")
    mounts = system_policy("") + " && chmod 700 /etc/chef-workstation"
    as_nobody = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]  # root without the rights of root
    mounts += " && chown 1234 /etc/chef-workstation"
    done = run_with(mounts, *as_nobody, launcher.path, "status", "--json", env=home.env)
    report = json.loads(done.stdout)
    assert not report["on"]
    assert "cannot be read (Permission denied)" in report["reason"]


def test_a_policy_that_others_can_write_does_not_count(home: Home, launcher: Launcher, chef_run: Program) -> None:
    """`status` says so."""
    mounts = system_policy("enabled = false", mode=0o666)
    run_with(mounts, launcher.path, "exec", "web01", "directory", "/tmp/foo", env=home.env)
    assert len(home.sessions()) == 1
    sources = launcher.status(mounts)["sources"]
    (source,) = [source for source in sources if source["name"].startswith("system policy")]
    assert source["says"] == "ignored: it must be owned by root and not writable by others"


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_off_where_the_telemetry_folder_is_no_folder(
    tmp_path: Path, home: Home, launcher: Launcher, chef_run: Program, kind: str
) -> None:
    home.workstation.mkdir()
    if kind == "file":
        home.telemetry.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        home.telemetry.symlink_to(tmp_path / "elsewhere")
    assert_off(home, launcher, chef_run, "web01", "a", "b")


@pytest.mark.parametrize("variables", ENVIRONMENTS)
def test_an_opt_out_neither_sends_nor_removes_earlier_sessions(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector, variables: dict[str, str]
) -> None:
    launcher.exec("web01", "directory", "/tmp/foo")
    kept = home.sessions()
    before = dict(home.env)
    home.env.update(variables)
    launcher.exec("web01", "directory", "/tmp/foo")
    assert home.sessions() == kept
    home.env.clear()
    home.env.update(before)
    launcher.exec("web01", "directory", "/tmp/foo")
    (request,) = collector.wait_for_requests(1)
    assert kept[0].stem.removeprefix("session-").encode() in request.body


def test_telemetry_disabled_drops_earlier_sessions_unsent(
    home: Home, launcher: Launcher, chef_run: Program, collector: Collector
) -> None:
    """For good, that is: by config.toml."""
    launcher.exec("web01", "directory", "/tmp/foo")
    home.postpone()
    home.config.write_text("[telemetry]\nenabled = false\n")
    assert launcher.exec("web01", "directory", "/tmp/foo").returncode == 0
    assert home.sessions() == []
    assert not (home.telemetry / ".next-attempt").exists()
    home.config.write_text("")
    launcher.exec("web01", "directory", "/tmp/foo")
    assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 1  # that of the last run, and no other
