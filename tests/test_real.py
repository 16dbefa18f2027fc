"""Which chef-run is run: the real one, never the launcher."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.programs import Launcher

SAYS_WHERE = '#!/bin/sh\necho "$0"\n'


def program(path: Path, text: str = SAYS_WHERE, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def ran(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


@pytest.fixture
def on_path(tmp_path: Path, home: Home) -> Path:
    """A directory that is searched before the system's."""
    folder = tmp_path / "on-path"
    folder.mkdir()
    home.env["PATH"] = f"{folder}:{home.env['PATH']}"
    home.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    return folder


def test_the_variable_comes_before_config_and_that_before_path(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path
) -> None:
    first, second = program(tmp_path / "first"), program(tmp_path / "second")
    third = program(on_path / "chef-run")
    home.use(f'[launcher]\nchef_run = "{second}"\n')
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(first)
    assert ran(launcher.exec()) == str(first)
    home.env["CHEF_RUN_LAUNCHER_REAL"] = ""
    assert ran(launcher.exec()) == str(second)
    home.config.write_text("")
    assert ran(launcher.exec()) == str(third)


def others_write_the_file(home: Home) -> None:
    home.config.chmod(0o666)


def others_own_the_file(home: Home) -> None:
    os.chown(home.config, 1234, 1234)


def others_own_the_directory(home: Home) -> None:
    os.chown(home.workstation, 1234, 1234)


def others_write_to_home(home: Home) -> None:
    home.path.chmod(0o777)


def others_have_made_the_link(home: Home) -> None:
    home.config.rename(home.path / "elsewhere.toml")
    home.config.symlink_to(home.path / "elsewhere.toml")
    os.chown(home.config, 1234, 1234, follow_symlinks=False)
    home.workstation.chmod(0o1777)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who takes programs from nobody")
@pytest.mark.parametrize(
    "spoil",
    [
        others_write_the_file,
        others_own_the_file,
        others_own_the_directory,
        others_write_to_home,
        others_have_made_the_link,
    ],
    ids=lambda spoil: spoil.__name__.replace("_", " "),
)
def test_root_takes_no_chef_run_from_what_others_can_write(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path, spoil: Callable[[Home], None]
) -> None:
    """`doctor` says so."""
    named, usual = program(tmp_path / "named"), program(on_path / "chef-run")
    home.use(f'[launcher]\nchef_run = "{named}"\n')
    assert ran(launcher.exec()) == str(named)
    spoil(home)
    assert ran(launcher.exec()) == str(usual)
    assert b"users other than root can change" in b" ".join(launcher.run("doctor").stdout.split())


def test_a_config_that_names_chef_run_is_obeyed_when_off_too(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path
) -> None:
    program(on_path / "chef-run")
    home.use(f'[telemetry]\nenabled = false\n[launcher]\nchef_run = "{program(tmp_path / "named")}"\n')
    assert ran(launcher.exec()) == str(tmp_path / "named")


def test_the_distributions_folder_beside_us_comes_before_path(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path
) -> None:
    program(on_path / "chef-run")
    embedded = program(tmp_path / "workstation" / "embedded" / "bin" / "chef-run")
    carried = tmp_path / "workstation" / "bin" / "chef-run-launcher"
    carried.parent.mkdir()
    shutil.copy(launcher.path, carried)
    done = subprocess.run([carried, "exec"], env=home.env, capture_output=True, check=False)
    assert ran(done) == str(embedded)


@pytest.mark.parametrize("kind", ["symlink", "hard link", "copy", "alias script", "package script"])
def test_on_path_the_launcher_called_chef_run_is_passed_over(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path, kind: str
) -> None:
    # One on the file system of the tests: a hard link leads to no other.
    started = program(tmp_path / "launcher" / "chef-run-launcher", launcher.path.read_text())
    ours = tmp_path / "ours" / "chef-run"
    ours.parent.mkdir()
    if kind == "symlink":
        ours.symlink_to(started)
    elif kind == "hard link":
        os.link(started, ours)
    elif kind == "copy":
        shutil.copy(started, ours)
    elif kind == "alias script":
        program(ours, '#!/bin/sh\nexec chef-run-launcher exec "$@"\n')
    else:
        program(ours, '#!/bin/sh\nexec python3 -I -S /x/launcher/__main__.py exec "$@"\n')
    home.env["PATH"] = f"{ours.parent}:{home.env['PATH']}"
    real = program(on_path / "chef-run")
    assert ran(Launcher(started, tmp_path, home.env).exec()) == str(real)
    if kind != "package script":
        home.env["PATH"] = f"{started.parent}:{home.env['PATH']}"
        assert ran(subprocess.run([ours], env=home.env, capture_output=True, check=False)) == str(real)


def test_a_script_that_leads_back_to_the_launcher_ends(home: Home, launcher: Launcher, on_path: Path) -> None:
    program(on_path / "chef-run", f'#!/bin/sh\n"{launcher.path}" exec\n')
    done = launcher.exec()
    assert done.returncode == 127
    assert b"starts the launcher again" in done.stderr
    assert done.stderr.count(b"\n") == 1


# What is in front of our symbolic link on the PATH.
SHIMS = {
    "runs the next behind itself": '#!/bin/sh\nexec {links}/chef-run "$@"\n',
    "takes its own directory out": '#!/bin/sh\nPATH=${{PATH#*:}}\nexec chef-run "$@"\n',
    "has another name of ours": '#!/bin/sh\nexec ours "$@"\n',
    "waits for it": '#!/bin/sh\n{links}/chef-run "$@"\n',
}


@pytest.mark.parametrize("shim", SHIMS.values(), ids=SHIMS)
def test_a_loop_is_resolved_by_taking_the_next(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path, shim: str
) -> None:
    home.use()
    del home.env["CHEF_TELEMETRY_OPT_OUT"]
    shims, links = tmp_path / "shims", tmp_path / "links"
    program(shims / "chef-run", shim.format(links=links))
    links.mkdir()
    for name in ("chef-run", "ours"):
        (links / name).symlink_to(launcher.path)
    program(on_path / "chef-run", '#!/bin/sh\necho "the real one: $*"; exit 3\n')
    home.env["PATH"] = f"{shims}:{links}:{home.env['PATH']}"
    done = subprocess.run([shims / "chef-run", "web01"], env=home.env, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (3, b"the real one: web01\n")
    assert len(home.sessions()) == 1


def test_without_a_chef_run_one_line_says_so_and_the_code_is_127(home: Home, launcher: Launcher) -> None:
    done = launcher.exec("web01", "secret", "thing")
    assert done.returncode == 127
    assert done.stdout == b""
    advice = "cannot find chef-run: install Chef Workstation, or set CHEF_RUN_LAUNCHER_REAL to its path"
    assert done.stderr == f"chef-run-launcher: {advice}\n".encode()
    assert home.files() == set()


def test_a_chef_run_that_cannot_be_executed_is_named_with_126(home: Home, launcher: Launcher, on_path: Path) -> None:
    path = program(on_path / "chef-run", mode=0o644)
    done = launcher.exec()
    assert done.returncode == 126
    assert done.stderr == f"chef-run-launcher: {path} is not executable\n".encode()


@pytest.mark.parametrize("kind", ["missing", "not executable", "folder", "launcher", "pipe"])
def test_a_named_chef_run_that_is_none_is_an_error(
    tmp_path: Path, home: Home, launcher: Launcher, on_path: Path, kind: str
) -> None:
    """And no other is run: somebody has chosen this one."""
    program(on_path / "chef-run")
    paths = {
        "missing": tmp_path / "missing",
        "not executable": program(tmp_path / "plain", mode=0o644),
        "folder": tmp_path,
        "launcher": launcher.path,
        "pipe": tmp_path / "pipe",
    }
    os.mkfifo(paths["pipe"], 0o755)
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(paths[kind])
    done = launcher.exec()
    assert done.returncode == (126 if kind in ("not executable", "folder", "pipe") else 127)
    assert done.stdout == b""
    assert f"CHEF_RUN_LAUNCHER_REAL names {paths[kind]}, which ".encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("opted_out", [True, False])
def test_a_program_that_the_kernel_refuses_is_named_in_one_line(
    tmp_path: Path, home: Home, launcher: Launcher, opted_out: bool
) -> None:
    """And not recorded."""
    home.use()
    broken = program(tmp_path / "broken", "#!/nonexistent/interpreter\n")
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(broken)
    if opted_out:
        home.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    done = launcher.exec("web01", "a", "b")
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr == f"chef-run-launcher: cannot run {broken}: No such file or directory\n".encode()
    assert home.sessions() == []
