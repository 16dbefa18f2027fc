"""What the packages hold, and the ones for people without a package manager, for Windows, and for Cinc."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import __version__
from tests.packaging.conftest import MAINTAINER, SOURCE, build, only
from tests.support import workstation
from tests.support.homes import Home
from tests.support.programs import Program, python_with_pip
from tests.support.roots import Root, layer

DATE = "1700000000"


def copy_of_the_source(folder: Path) -> Path:
    """As a clone would be: the same files, by another name, with other dates."""
    for name in ("launcher", "scripts", "tests"):
        shutil.copytree(SOURCE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", ".gitignore"):
        shutil.copy(SOURCE / name, folder)
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    return folder


def distributions(source: Path, output: Path) -> Path:
    """The wheel and the sdist of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(output)]
    env = {**os.environ, "SOURCE_DATE_EPOCH": DATE}
    subprocess.run(command, cwd=source, env=env, capture_output=True, check=True)
    return output


@pytest.fixture(scope="session")
def other_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_source(tmp_path_factory.mktemp("other") / "source")


@pytest.fixture(scope="session")
def pip_packages(other_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return distributions(other_source, tmp_path_factory.mktemp("pip"))


def test_the_wheel_holds_the_package_and_the_manual_page(pip_packages: Path) -> None:
    """As `make man` makes it, where pip and pipx put it for man to find; and nothing else."""
    name = f"chef_run_launcher-{__version__}"
    with zipfile.ZipFile(only(pip_packages, "*.whl")) as wheel:
        names = wheel.namelist()
        page = wheel.read(f"{name}.data/data/share/man/man1/chef-run-launcher.1")
    made = subprocess.run([sys.executable, SOURCE / "scripts/packaging/manpage"], capture_output=True, check=True)
    assert page == made.stdout
    assert {name.split("/")[0] for name in names} == {"launcher", f"{name}.data", f"{name}.dist-info"}
    assert [each for each in names if ".data/" in each] == [f"{name}.data/data/share/man/man1/chef-run-launcher.1"]
    kinds = {Path(name).suffix for name in names if name.startswith("launcher/")}
    assert kinds == {".py", ".toml", ".json"}


def test_the_sdist_holds_what_it_takes_to_build_and_test(pip_packages: Path) -> None:
    with tarfile.open(only(pip_packages, "*.tar.gz")) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames()}
        assert sdist.getmember(f"chef_run_launcher-{__version__}/scripts/install").mode & 0o111
    assert names > {"Makefile", "launcher/run.py", "scripts/install", "scripts/packaging/build", "tests/conftest.py"}
    assert not [name for name in names if "__pycache__" in name]


def test_built_twice_they_are_the_same_byte_for_byte(
    packages: Path, pip_packages: Path, other_source: Path, tmp_path: Path
) -> None:
    later = copy_of_the_source(tmp_path / "source")
    umask = os.umask(0o077)
    try:
        distributions(later, tmp_path / "pip")
        build(later, tmp_path / "packages", "deb", "rpm", "archive", date=DATE)
    finally:
        os.umask(umask)
    for once, again, pattern in (
        (pip_packages, tmp_path / "pip", "*.whl"),
        (pip_packages, tmp_path / "pip", "*.tar.gz"),
        (packages, tmp_path / "packages", "*.deb"),
        (packages, tmp_path / "packages", "*.rpm"),
        (packages, tmp_path / "packages", "*.tar.gz"),
    ):
        assert only(once, pattern).read_bytes() == only(again, pattern).read_bytes(), pattern


@pytest.fixture
def unpacked(packages: Path, tmp_path: Path) -> Path:
    """The archive's directory, somewhere."""
    somewhere = tmp_path / "some where"
    subprocess.run(["tar", "-xf", only(packages, "*-folder.tar.gz"), f"--one-top-level={somewhere}"], check=True)
    (folder,) = somewhere.iterdir()
    return folder


def test_the_archives_folder_works_where_it_is_unpacked(
    unpacked: Path, home: Home, chef_run: Program, tmp_path: Path
) -> None:
    launcher = Program(unpacked / "bin" / "chef-run-launcher", tmp_path, home.env)
    assert launcher.run("--version").stdout == f"chef-run-launcher {__version__}\n".encode()
    assert launcher.run("exec", "web01", "directory", "/tmp/foo").returncode == 0
    assert len(home.sessions()) == 1
    assert not list(unpacked.rglob("*.pyc"))
    # As its README says.
    command = next(line for line in (unpacked / "README").read_text().splitlines() if "compileall" in line)
    subprocess.run(command.split("   ")[1].split(), cwd=unpacked, check=True)
    assert list(unpacked.rglob("launcher/__pycache__/run.*.pyc"))
    moved = Program(unpacked.rename(unpacked.with_name("moved")) / "bin" / "chef-run-launcher", tmp_path, home.env)
    assert b"/moved/lib/chef-run-launcher/launcher/__main__.py" in moved.run("shell-init", "bash").stdout
    assert moved.run("exec", "web01", "directory", "/tmp/foo").returncode == 0
    assert len(home.sessions()) == 2


def test_doctor_says_where_nothing_is_compiled(unpacked: Path, home: Home, chef_run: Program, tmp_path: Path) -> None:
    launcher = Program(unpacked / "bin" / "chef-run-launcher", tmp_path, home.env)
    library = unpacked / "lib" / "chef-run-launcher"
    remedy = f"python3 -I -S -m compileall -q '{library}'"

    def says() -> str:
        return launcher.run("doctor", "--json").stdout.decode()

    assert "compiles the launcher" in says()
    assert remedy in says()
    subprocess.run(["/usr/bin/env", *shlex.split(remedy)], env=home.env, check=True)
    assert "compileall" not in says()


def test_the_windows_installer_has_the_files_shims_and_the_path(packages: Path, tmp_path: Path) -> None:
    """Built and inspected; it has never been run on Windows."""
    if shutil.which("msiinfo") is None:
        pytest.skip("needs msiinfo (scripts/install-packaging-tools)")
    msi = only(packages, "*.msi")

    def table(name: str) -> list[list[str]]:
        text = subprocess.run(["msiinfo", "export", msi, name], capture_output=True, text=True, check=True).stdout
        return [line.split("\t") for line in text.splitlines()[3:]]

    assert ["ProductVersion", __version__] in table("Property")
    assert table("Environment") == [["Path", "=-*PATH", "[BIN];[~]", "Shims"]]
    actions = {action for action, *_ in table("InstallExecuteSequence")}
    assert actions >= {"WriteEnvironmentStrings", "RemoveEnvironmentStrings", "RemoveExistingProducts", "InstallFiles"}
    extracted = tmp_path / "extracted"
    subprocess.run(["msiextract", "--directory", extracted, msi], capture_output=True, check=True)
    (main,) = extracted.rglob("launcher/__main__.py")
    library = main.parents[1]
    assert (library / "launcher" / "run.py").read_bytes() == (SOURCE / "launcher" / "run.py").read_bytes()
    for shim, words in (("chef-run-launcher.cmd", "%*"), ("chef-run.cmd", "exec %*")):
        raw = (library.parents[1] / "bin" / shim).read_bytes()
        assert raw.count(b"\n") == raw.count(b"\r\n"), "cmd does not find labels otherwise"
        lines = raw.decode().splitlines()
        ours = f'"%~dp0..\\lib\\{library.name}\\launcher\\__main__.py"'
        assert lines[-2:] == [":launcher", f'endlocal & "%python%" -E -s -S {ours} {words}']
        # Each of its jumps leads to a line of its own.
        jumps = {after for line in lines for before, _, after in [line.rpartition(" ")] if before.endswith("goto")}
        calls = {line.partition("call ")[2].split()[0] for line in lines if "call " in line}
        assert {f":{label}" for label in jumps} | calls == {line for line in lines if line.startswith(":")}
    # Of its own shim the launcher knows that it is not the real chef-run.
    script = "import sys; from launcher import real; sys.exit(not real.is_launcher(sys.argv[1], sys.executable))"
    subprocess.run([sys.executable, "-c", script, library.parents[1] / "bin" / "chef-run.cmd"], check=True)


@pytest.fixture
def cinc(cinc_packages: Path, tmp_path: Path) -> Iterator[Root]:
    """A machine with Cinc Workstation, and the launcher as packaged for it."""
    with layer(tmp_path / "layer") as root:
        package = workstation.deb(tmp_path, "1", name="cinc-workstation", behind_a_wrapper=True)
        root.run("dpkg", "-i", package, only(cinc_packages, "*.deb"))
        yield root


def test_beside_cinc_it_runs_its_chef_run_and_collects_nothing(cinc: Root) -> None:
    env = {"HOME": "/root", "CHEF_TELEMETRY_ENDPOINT": "http://127.0.0.1:1"}
    assert cinc.link("/opt/cinc-workstation/bin/chef-run") == "/opt/chef-run-launcher/bin/chef-run-launcher"
    assert cinc.run("chef-run", "web01", env=env).stdout == "chef-run of cinc-workstation 1: web01\n"
    assert not [path for path in cinc.changes() if "/.chef-workstation" in path]
    said = cinc.run("chef-run-launcher", "status", env=env).stdout
    assert "Cinc Workstation" in said
    assert "off" in said and "none in this distribution" in said
    through_chef = 'eval "$(chef shell-init bash)"; chef-run web01'
    assert cinc.run("sh", "-c", through_chef, env=env).stdout == "chef-run of cinc-workstation 1: web01\n"
    cinc.run("dpkg", "-r", "cinc-workstation")
    done = cinc.run("chef-run-launcher", "exec", env=env, fails=True)
    assert "install Cinc Workstation" in done.stderr
    assert not [path for path in cinc.changes() if "cinc" in path]


def test_a_tool_that_is_missing_is_named_and_the_rest_is_built(tmp_path: Path) -> None:
    python = python_with_pip()
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("git", "python3"):
        path = shutil.which(tool)
        assert path
        (tools / tool).symlink_to(path)
    command = [python, str(SOURCE / "scripts/packaging/build"), f"--output={tmp_path / 'dist'}", "rpm", "archive"]
    command.append(f"--maintainer={MAINTAINER}")
    done = subprocess.run(command, env={**os.environ, "PATH": str(tools)}, capture_output=True, text=True, check=True)
    assert "rpm      not built: rpmbuild is not installed" in done.stdout
    assert [path.suffix for path in (tmp_path / "dist").iterdir()] == [".gz"]
