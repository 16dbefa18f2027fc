"""What `doctor` finds, says, and does not do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
import trustme

from launcher.cli import doctor
from launcher.home import files
from tests.support.daemons import tinyproxy
from tests.support.homes import Home
from tests.support.mounts import run_with, system_policy
from tests.support.programs import MAIN, MODULES, Launcher, Program
from tests.support.screens import too_wide
from tests.support.servers import Collector, Silence


@pytest.fixture
def healthy(home: Home, launcher: Launcher, chef_run: Program) -> Home:
    """A home in which nothing stands in the way."""
    home.has_waiting("web01")
    home.env["SHELL"] = "/bin/bash"
    (home.path / ".bash_profile").write_text(". ~/.bashrc\n")
    (home.path / ".bashrc").write_text(f"echo hello\nalias chef-run='{launcher.path} exec'\n")
    return home


def examine(launcher: Launcher, *options: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Its exit code, and what it says: state and words, by code."""
    done = launcher.run("doctor", "--json", *options)
    assert done.stderr == b""
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {each["code"]: (each["state"], each["says"]) for each in found}


def test_where_nothing_stands_in_the_way_it_says_so(healthy: Home, launcher: Launcher, collector: Collector) -> None:
    code, found = examine(launcher)
    assert code == 0
    assert {what: state for what, (state, _) in found.items()} == dict.fromkeys(
        [
            *("in_front", "chef_run", "telemetry", "config_toml", "directory", "notice", "last_delivery"),
            *("endpoint", "proxy", "authorities"),
        ],
        "ok",
    )
    assert collector.requests == []


def test_people_get_the_same_in_80_columns(healthy: Home, launcher: Launcher) -> None:
    text = launcher.run("doctor").stdout.decode()
    assert too_wide(text, 80) == []
    assert text.startswith("Found no problem.\n")
    assert "ok  telemetry: on" in text


@pytest.mark.parametrize("columns", [40, 80])
def test_a_line_to_be_copied_stands_alone_and_unfolded(healthy: Home, launcher: Launcher, columns: int) -> None:
    (healthy.path / ".bashrc").unlink()
    healthy.telemetry.chmod(0o777)
    lines = [line.strip() for line in launcher.shown("doctor", dimensions=(24, columns)).splitlines()]
    assert 'eval "$(chef-run-launcher shell-init bash)"' in lines
    assert f"chmod go-w {healthy.telemetry}" in lines


def test_people_see_problems_first_and_in_colour_on_a_terminal(healthy: Home, launcher: Launcher) -> None:
    healthy.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"
    healthy.env["DO_NOT_TRACK"] = "1"
    lines = launcher.run("doctor").stdout.decode().splitlines()
    assert lines[0] == "Found 1 problem and 2 notes."
    words = [line.split()[0] for line in lines[2:] if line[:1] != " "]
    assert words == sorted(words, key=["problem", "note", "ok"].index)
    with launcher.on_a_terminal("doctor") as terminal:
        terminal.expect(pexpect.EOF)
    assert b"\x1b[31mproblem" in terminal.before


def test_a_symlink_on_path_is_in_front_and_a_comment_is_not(healthy: Home, launcher: Launcher, tmp_path: Path) -> None:
    (healthy.path / ".bashrc").write_text("# alias chef-run='chef-run-launcher exec'\n")
    code, found = examine(launcher)
    assert (code, found["in_front"][0]) == (1, "problem")
    assert 'eval "$(chef-run-launcher shell-init bash)"' in found["in_front"][1]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chef-run").symlink_to(launcher.path)
    healthy.env["PATH"] = f"{tmp_path / 'bin'}:{healthy.env['PATH']}"
    assert examine(launcher)[1]["in_front"] == ("ok", f"{tmp_path / 'bin' / 'chef-run'} is the launcher")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", None])
def test_a_path_that_leads_past_us_is_named_with_the_line_to_add(
    healthy: Home, launcher: Launcher, chef_run: Program, tmp_path: Path, shell: str | None
) -> None:
    """As this user's own shell has it; the start-up files of the others do not count."""
    start_up = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
    del healthy.env["SHELL"]
    (healthy.path / ".bashrc").unlink()
    if shell:
        healthy.env["SHELL"] = shutil.which(shell) or pytest.skip(f"needs {shell}")
    for each in set(start_up) - {shell}:
        path = healthy.path / start_up[each]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("alias chef-run='chef-run-launcher exec'\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chef-run").symlink_to(launcher.path)
    healthy.env["PATH"] = f"{chef_run.path.parent}:{tmp_path / 'bin'}:{healthy.env['PATH']}"
    state, says = examine(launcher)[1]["in_front"]
    assert (state, says.partition("; ")[0]) == (
        "problem",
        f"{shell or 'your PATH'} finds {chef_run.path} before {tmp_path / 'bin' / 'chef-run'}",
    )
    line = (
        "shell-init fish | source" if shell == "fish" else f'eval "$(chef-run-launcher shell-init {shell or "bash"})"'
    )
    assert says.endswith(line)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_that_shell_init_asks_for_is_in_front(healthy: Home, launcher: Launcher, shell: str) -> None:
    healthy.env["SHELL"] = shutil.which(shell) or pytest.skip(f"needs {shell}")
    path = healthy.path / {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"'{launcher.path}' shell-init {shell}"
    path.write_text(f"{line} | source\n" if shell == "fish" else f'eval "$({line})"\n')
    assert examine(launcher)[1]["in_front"] == ("ok", f"{shell} runs chef-run through the launcher")


def test_an_alias_that_leads_past_us_is_a_problem(healthy: Home, launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chef-run").symlink_to(launcher.path)
    healthy.env["PATH"] = f"{tmp_path / 'bin'}:{healthy.env['PATH']}"
    (healthy.path / ".bashrc").write_text("alias chef-run='sudo chef-run'\n")
    state, says = examine(launcher)[1]["in_front"]
    assert (state, "an alias or a function of its own" in says) == ("problem", True)


def test_a_chef_run_that_is_missing_or_the_launcher_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    healthy.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"
    assert examine(launcher)[1]["chef_run"][0] == "problem"
    healthy.env["CHEF_RUN_LAUNCHER_REAL"] = str(launcher.path)
    code, found = examine(launcher)
    assert code == 1
    assert "which is the launcher itself" in found["chef_run"][1]


def test_a_missing_chef_run_comes_first_and_its_consequences_do_not(healthy: Home, launcher: Launcher) -> None:
    del healthy.env["CHEF_RUN_LAUNCHER_REAL"]
    (healthy.path / ".bashrc").unlink()
    lines = launcher.run("doctor").stdout.decode().splitlines()
    assert lines[0] == "Found 1 problem and 1 note."
    assert lines[2].startswith("problem  chef-run: cannot find chef-run: install Chef Workstation, or set")
    assert examine(launcher)[1]["in_front"] == (
        "note",
        "bash finds no chef-run, as there is none; once it is installed, add this line to the end of ~/.bashrc: "
        'eval "$(chef-run-launcher shell-init bash)"',
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("/nonexistent", "HOME is set to /nonexistent, which does not exist"),
        ("/dev/null", "HOME is set to /dev/null, which is not a directory"),
        ("relative", "HOME is not an absolute path"),
        ("", "HOME is not set"),
    ],
)
def test_a_home_that_is_none_is_a_problem_with_what_to_do(
    healthy: Home, launcher: Launcher, value: str, says: str
) -> None:
    healthy.env["HOME"] = value
    code, found = examine(launcher)
    assert (code, found["telemetry"]) == (1, ("note", f"off, because {says}"))
    assert found["directory"] == (
        "problem",
        f"{says}, so nothing is recorded or sent; set HOME to your home directory",
    )


def test_telemetry_that_is_off_is_no_problem(healthy: Home, launcher: Launcher) -> None:
    healthy.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    code, found = examine(launcher)
    assert (code, found["telemetry"]) == (0, ("note", "off, because CHEF_TELEMETRY_OPT_OUT is set"))


def test_a_config_toml_that_cannot_be_read_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    healthy.config.write_text("[telemetry")
    code, found = examine(launcher)
    assert (code, found["config_toml"][0]) == (1, "problem")
    assert "telemetry is off until this is repaired" in found["config_toml"][1]


def test_a_system_policy_that_others_can_write_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    mounts = system_policy("enabled = false", mode=0o666)
    done = run_with(mounts, launcher.path, "doctor", "--json", env=healthy.env)
    (finding,) = [each for each in json.loads(done.stdout)["findings"] if each["code"] == "system_policy"]
    assert finding["state"] == "problem"
    assert "must be owned by root" in finding["says"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to somebody else")
def test_files_of_another_user_are_a_problem_with_what_to_do(healthy: Home, launcher: Launcher) -> None:
    os.chown(healthy.sessions()[0], 1234, 1234)
    code, found = examine(launcher)
    assert (code, found["directory"][0]) == (1, "problem")
    assert f"sudo chown -R 0 {healthy.workstation}" in found["directory"][1]


def test_a_folder_that_others_may_write_to_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    healthy.telemetry.chmod(0o777)
    code, found = examine(launcher)
    assert (code, found["directory"]) == (
        1,
        ("problem", f"other users can write to {healthy.telemetry}: chmod go-w {healthy.telemetry}"),
    )


def test_a_group_of_this_user_alone_is_nobody_else(healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian gives each user such a group, and a umask of 0002 with it."""
    healthy.telemetry.chmod(0o775)
    owner = os.stat(healthy.telemetry)
    monkeypatch.setattr(files, "_i_am_root", lambda: False)
    monkeypatch.setattr(os, "getegid", lambda: owner.st_gid)
    assert list(doctor._ownership(healthy.layout)) == []
    monkeypatch.setattr(os, "getegid", lambda: owner.st_gid + 1)
    assert [each.message.partition(":")[0] for each in doctor._ownership(healthy.layout)] == [
        f"other users can write to {healthy.telemetry}"
    ]


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("CHEF_TELEMETRY_ENDPOINT", "http://s3cret@collector.example", "endpoint"),
        ("CHEF_TELEMETRY_ENDPOINT", "https://a..invalid", "endpoint"),
        ("CHEF_TELEMETRY_ENDPOINT", "https://a.invalid", "network"),
        ("HTTPS_PROXY", "socks5://s3cret@127.0.0.1", "proxy"),
        ("SSL_CERT_FILE", "/nonexistent/authorities.pem", "authorities"),
    ],
)
def test_settings_that_prevent_sending_are_problems(
    healthy: Home, launcher: Launcher, collector: Collector, variable: str, value: str, what: str
) -> None:
    """Their secrets are not shown."""
    healthy.env[variable] = value
    code, found = examine(launcher, "--network")
    assert (code, found[what][0]) == (1, "problem")
    assert "s3cret" not in str(found)


def test_a_handshake_is_made_when_asked_for_and_carries_no_data(
    healthy: Home, launcher: Launcher, collector: Collector
) -> None:
    code, found = examine(launcher, "--network")
    assert (code, found["network"]) == (0, ("ok", "the endpoint can be reached"))
    assert collector.requests == []
    # That we hang up may reach the server before it has sent its last of the handshake.
    assert not [error for error in collector.errors if not isinstance(error, (BrokenPipeError, ConnectionResetError))]


def test_a_handshake_with_somebody_else_is_a_problem(healthy: Home, launcher: Launcher, collector: Collector) -> None:
    trustme.CA().cert_pem.write_to_path(healthy.env["SSL_CERT_FILE"])
    code, found = examine(launcher, "--network")
    assert (code, found["network"][0]) == (1, "problem")
    assert found["network"][1].startswith("this machine does not trust the certificate of the endpoint (")


def test_an_endpoint_that_is_absent_or_says_nothing_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    assert examine(launcher, "--network")[1]["network"] == (
        "problem",
        "the endpoint cannot be reached (Connection refused)",
    )
    with Silence("https", accepts=True) as server:
        healthy.env["CHEF_TELEMETRY_ENDPOINT"] = server.url
        assert examine(launcher, "--network")[1]["network"] == (
            "problem",
            "the endpoint cannot be reached (no answer in time)",
        )


def test_the_handshake_goes_by_the_proxy(
    healthy: Home, launcher: Launcher, collector: Collector, tmp_path: Path
) -> None:
    with tinyproxy(tmp_path, "BasicAuth me pass") as (port, log):
        healthy.env["HTTPS_PROXY"] = f"http://me:p%61ss@127.0.0.1:{port}"
        code, found = examine(launcher, "--network")
        assert (code, found["proxy"]) == (0, ("ok", f"http://127.0.0.1:{port}"))
        healthy.env["HTTPS_PROXY"] = f"http://127.0.0.1:{port}"
        assert examine(launcher, "--network")[1]["network"] == (
            "problem",
            "the endpoint cannot be reached (HTTP status 407)",
        )
    assert collector.url.removeprefix("https://") in log.read_text()
    assert collector.requests == []


@pytest.mark.parametrize("value", ["3", "[]", '"a\\u0000b"'])
@pytest.mark.parametrize("key", ["ca_file", "endpoint", "format"])
def test_a_setting_that_means_nothing_is_a_problem(
    healthy: Home, launcher: Launcher, plain_collector: Collector, key: str, value: str
) -> None:
    """And nothing is sent on a guess."""
    del healthy.env["CHEF_TELEMETRY_ENDPOINT"]
    healthy.config.write_text(
        f'[telemetry]\nendpoint = "{plain_collector.url}"\n'.replace(
            "endpoint", "x" if key == "endpoint" else "endpoint"
        )
        + f"{key} = {value}\n"
    )
    assert launcher.run("flush").returncode == 1
    assert plain_collector.requests == []
    assert examine(launcher)[0] == 1


def test_a_start_up_file_that_is_a_pipe_is_not_waited_for(healthy: Home, launcher: Launcher) -> None:
    (healthy.path / ".bashrc").unlink()
    os.mkfifo(healthy.path / ".bashrc")
    assert examine(launcher)[1]["in_front"][0] == "problem"


def examine_copy(home: Home, package: Path) -> tuple[int, str]:
    """The exit code, and all that it says, of a copy of the launcher."""
    command = [sys.executable, "-I", str(package / "__main__.py"), "doctor", "--json"]
    done = subprocess.run(command, env=home.env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_whatever_a_run_lacks_is_named(healthy: Home, package: Path) -> None:
    for name in MODULES:
        if name.startswith("cli/") or name.endswith(("__init__.py", "__main__.py", "fallback.py", "windows.py")):
            continue
        (package / name).unlink()
        code, said = examine_copy(healthy, package)
        module = name[: -len(".py")].rpartition("/")[2]
        assert (code, module in said, "Traceback" in said) == (1, True, False), (name, said)
        shutil.copy2(MAIN.parent / name, package / name)  # with its time: it is still compiled
    assert examine_copy(healthy, package)[0] == 0


# The sections of doctor, each with the code of what it finds in a healthy home.
SECTIONS = {
    **{"_broken_parts": "launcher", "_chef_run": "chef_run", "_in_front": "in_front", "_starts": "start"},
    **{"_bytecode": "bytecode", "_telemetry": "telemetry", "_configs": "config_toml", "_notes": "setting"},
    **{"_directory": "directory", "_obstacle": "obstacle", "_not_recorded": "not_recorded", "_notice": "notice"},
    **{"_delivery": "last_delivery", "_rejected": "rejected", "_endpoint": "endpoint"},
}


def test_a_section_that_fails_is_a_finding_and_the_others_go_on(healthy: Home, package: Path) -> None:
    doctor = package / "cli" / "doctor.py"
    text = doctor.read_text()
    every = {"in_front", "chef_run", "telemetry", "directory", "notice", "last_delivery", "endpoint"}
    for number, (section, code) in enumerate(SECTIONS.items()):
        error, says = ("1 / 0", "(ZeroDivisionError); please") if number % 2 else ("raise OSError(5, 'torn')", ": torn")
        broken = re.sub(rf"(def {section}\(.*\n)", rf"\1    {error}\n", text)
        assert broken != text
        doctor.write_text(broken)
        exit_code, said = examine_copy(healthy, package)
        found = {each["code"]: each for each in json.loads(said)["findings"]}
        assert (exit_code, found[code]["state"]) == (1, "problem")
        assert found[code]["says"].startswith("cannot be examined") and says in found[code]["says"]
        assert section == "_broken_parts" or every <= set(found)


@pytest.mark.parametrize("text", [None, "", "product = [["])
def test_a_broken_profile_is_named_and_which_chef_run_runs(
    healthy: Home, package: Path, chef_run: Program, text: str | None
) -> None:
    (package / "distribution.toml").unlink()
    if text is not None:
        (package / "distribution.toml").write_text(text)
    code, said = examine_copy(healthy, package)
    assert code == 1
    assert str(package / "distribution.toml") in said
    assert f"{chef_run.path} is run and not recorded" in said


@pytest.mark.parametrize("first", ["#!{python} -IS", "#!/usr/bin/env -S {python} -IS"])
@pytest.mark.parametrize(
    ("python", "says"), [("/nonexistent/python3", "does not exist any more"), ("old", "needs Python 3.9 or newer")]
)
def test_a_start_on_the_path_whose_python_cannot_run_it_is_named(
    healthy: Home, launcher: Launcher, tmp_path: Path, first: str, python: str, says: str
) -> None:
    if python == "old":
        python = str(next((Path.home() / ".pyenv" / "versions").glob("3.6.*/bin/python3.6"), ""))
        if not python:
            pytest.skip("needs a Python 3.6 of pyenv (pyenv install 3.6)")
    start = tmp_path / "bin" / "chef-run"
    start.parent.mkdir()
    start.write_text(f"{first.format(python=python)}\nfrom launcher.__main__ import main\nmain()\n")
    start.chmod(0o755)
    healthy.env["PATH"] = f"{start.parent}:{healthy.env['PATH']}"
    code, found = examine(launcher)
    assert (code, found["start"][0]) == (1, "problem")
    assert str(start) in found["start"][1] and says in found["start"][1]


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "unreadable", "read-only"])
def test_a_lock_that_cannot_be_opened_is_a_problem(healthy: Home, launcher: Launcher, kind: str) -> None:
    """Nothing is ever sent then, and status must not say that nothing is in progress."""
    path = healthy.telemetry / ".lock"
    if kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.touch({"unreadable": 0, "read-only": 0o400}[kind])
    before = path.lstat()
    code, found = examine_without_privileges(launcher)
    assert (code, found["lock"][0]) == (1, "problem")
    assert found["lock"][1].startswith(f"{path} cannot be opened (")
    assert found["lock"][1].endswith("), and nothing is sent: delete it")
    assert path.lstat() == before


def test_receipts_that_cannot_be_written_are_a_problem(healthy: Home, launcher: Launcher) -> None:
    path = healthy.telemetry / "receipts.jsonl"
    path.touch(0o400)
    code, found = examine_without_privileges(launcher)
    assert (code, found["receipts"]) == (
        1,
        ("problem", f"{path} cannot be written to (Permission denied), and nothing is sent: delete it"),
    )
    path.chmod(0o600)
    before = path.stat()
    assert "receipts" not in examine_without_privileges(launcher)[1]
    assert path.stat() == before


# Root may read everything; without these, no more than what a mode allows its owner.
WITHOUT_PRIVILEGES = [
    "setpriv",
    "--inh-caps=-dac_override,-dac_read_search",
    "--bounding-set=-dac_override,-dac_read_search",
]


def examine_without_privileges(launcher: Launcher) -> tuple[int, dict[str, tuple[str, str]]]:
    """The same as `examine`, as somebody who is bound by the modes of files."""
    command = [str(launcher.path), "doctor", "--json"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv (scripts/install-test-tools)")
        command = [*WITHOUT_PRIVILEGES, *command]
    done = subprocess.run(command, env=launcher.env, cwd=launcher.cwd, capture_output=True, check=False)
    assert done.stderr == b""
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {each["code"]: (each["state"], each["says"]) for each in found}


def test_a_session_that_may_not_be_read_is_a_problem(healthy: Home, launcher: Launcher) -> None:
    healthy.sessions()[0].chmod(0)
    code, found = examine_without_privileges(launcher)
    assert (code, found["unreadable"]) == (
        1,
        (
            "problem",
            "1 session cannot be read and will not be sent: "
            f"make the files in {healthy.telemetry} readable, or delete them",
        ),
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("telemetry", "is not writable, so nothing is recorded or sent"),
        ("telemetry/rejected", "cannot be opened (Permission denied): make it a directory that you can read and write"),
    ],
)
def test_a_directory_that_may_not_be_opened_is_a_problem(
    healthy: Home, launcher: Launcher, name: str, says: str
) -> None:
    """And the examination goes on."""
    path = healthy.workstation / name
    path.mkdir(exist_ok=True)
    path.chmod(0)
    code, found = examine_without_privileges(launcher)
    path.chmod(0o700)
    assert (code, found["directory"]) == (1, ("problem", f"{path} {says}"))
    assert "endpoint" in found


@pytest.mark.parametrize(
    "alias", ["/gone/chef-run-launcher exec", "chef-run-launcher dry-run", "echo not-chef-run-launcher; /real/chef-run"]
)
def test_an_alias_that_only_names_us_is_a_problem(healthy: Home, launcher: Launcher, alias: str) -> None:
    healthy.env["PATH"] = f"{launcher.path.parent}:{healthy.env['PATH']}"
    (healthy.path / ".bashrc").write_text(f"alias chef-run='{alias}'\n")
    assert examine(launcher)[1]["in_front"][0] == "problem"


@pytest.mark.parametrize(
    ("alias", "leads_to_us"),
    [
        ("{python} -m launcher exec", True),
        ("{python} -I -S {main} exec", True),
        ("{python} {launcher} exec", True),
        ("X=1 Y= {launcher} exec", True),
        ("env X=1 {launcher} exec", True),
        ("command {launcher} exec", True),
        ("$HOME/ours exec", True),
        ("~/ours exec", True),
        ("{python} -S -m launcher exec", False),
        ("{python} -m launcher dry-run", False),
        ("{python} {main}", False),
        ("{python} /nonexistent/launcher/__main__.py exec", False),
        ("/nonexistent/python3 -m launcher exec", False),
        ("X=1", False),
        ("sudo {launcher} exec", False),
    ],
)
def test_an_alias_leads_to_us_by_a_python_and_with_variables_too(
    healthy: Home, launcher: Launcher, alias: str, leads_to_us: bool
) -> None:
    (healthy.path / "ours").symlink_to(launcher.path)
    line = alias.format(python=sys.executable, main=MAIN, launcher=launcher.path)
    (healthy.path / ".bashrc").write_text(f"alias chef-run='{line}'\n")
    assert examine(launcher)[1]["in_front"][0] == ("ok" if leads_to_us else "problem")


def test_a_directory_of_our_name_is_not_us(healthy: Home, launcher: Launcher, tmp_path: Path) -> None:
    other = tmp_path / "chef-run-launcher" / "chef-run"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    (healthy.path / ".bashrc").unlink()
    healthy.env["PATH"] = f"{other.parent}:{healthy.env['PATH']}"
    assert examine(launcher)[1]["in_front"][0] == "problem"


def test_a_login_shell_that_leads_past_us_is_noted(healthy: Home, launcher: Launcher) -> None:
    (healthy.path / ".bash_profile").write_text("PS1=x\n")
    state, says = examine(launcher)[1]["in_front"]
    assert (state, "add this line to ~/.bash_profile: [ -f ~/.bashrc ] && . ~/.bashrc" in says) == ("note", True)
    (healthy.path / ".bash_profile").write_text(". ~/.bashrc\n")
    assert examine(launcher)[1]["in_front"][0] == "ok"


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/nosuch", "/usr/bin/tcsh"])
def test_a_shell_that_cannot_be_asked_is_noted(healthy: Home, launcher: Launcher, tmp_path: Path, shell: str) -> None:
    """Its PATH has us first; but an alias may come before that."""
    front = tmp_path / "front"
    front.mkdir()
    (front / "chef-run").symlink_to(launcher.path)
    path = healthy.env["PATH"]
    healthy.env.update(SHELL=shell, PATH=f"{front}:{path}")
    assert examine(launcher)[1]["in_front"][0] == "note"
    healthy.env["PATH"] = path
    state, says = examine(launcher)[1]["in_front"]
    assert (state, "put a symbolic link named chef-run" in says) == ("problem", True)


def test_zsh_that_finds_no_chef_run_has_no_alias(healthy: Home, launcher: Launcher, tmp_path: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("needs zsh (scripts/install-test-tools)")
    healthy.env.update(SHELL=zsh, PATH=str(tmp_path))
    assert "zsh finds no chef-run" in examine(launcher)[1]["in_front"][1]


def test_an_alias_that_adds_options_to_us_is_in_front(healthy: Home, launcher: Launcher, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chef-run").symlink_to(launcher.path)
    healthy.env["PATH"] = f"{tmp_path / 'bin'}:{healthy.env['PATH']}"
    (healthy.path / ".bashrc").write_text("alias chef-run='chef-run --no-sudo'\n")
    assert examine(launcher)[1]["in_front"][0] == "ok"


def test_a_delivery_that_failed_is_no_problem_where_telemetry_is_off(healthy: Home, launcher: Launcher) -> None:
    healthy.postpone()
    assert examine(launcher)[1]["last_delivery"][0] == "problem"
    healthy.env["DO_NOT_TRACK"] = "1"
    code, found = examine(launcher)
    assert (code, found.get("last_delivery")) == (0, None)
    assert b"next attempt" not in launcher.run("status").stdout
