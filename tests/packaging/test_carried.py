"""`scripts/install`, and the launcher that a Workstation carries by way of it."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.consent.config import PROFILE
from tests.packaging.conftest import SOURCE
from tests.support.homes import Home
from tests.support.programs import python_with_pip

PACKAGING = SOURCE / "scripts" / "packaging"
CHEF_RUN = '#!/bin/sh\necho "the real one: $*"\n'


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Where a Workstation is being laid out, whose chef-run is in bin; its Python is this one."""
    prefix = tmp_path / "w"
    for folder in ("bin", "embedded/bin"):
        (prefix / folder).mkdir(parents=True)
    (prefix / "bin" / "chef-run").write_text(CHEF_RUN)
    (prefix / "bin" / "chef-run").chmod(0o755)
    (prefix / "embedded" / "bin" / "python3").symlink_to(python_with_pip())
    return prefix


def install(*options: str, python: str = "") -> subprocess.CompletedProcess[str]:
    command = [python or python_with_pip(), str(SOURCE / "scripts" / "install"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def run(home: Home, *command: object) -> str:
    done = subprocess.run(list(map(str, command)), env=home.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    return done.stdout


def runs_what_it_carries(prefix: Path, home: Home) -> None:
    """The launcher is in front, and runs the Workstation's own chef-run, however it is started."""
    home.set_up()
    link = home.path / "chef-run"
    link.symlink_to(prefix / "bin" / "chef-run")
    alias = [prefix / "embedded/bin/python3", "-I", "-S", prefix / "lib/chef-run-launcher/launcher/__main__.py", "exec"]
    starts: list[list[object]] = [[link], [prefix / "bin" / "chef-run-launcher", "exec"], [*alias]]
    for number, start in enumerate(starts, 1):
        assert run(home, *start, "web01", "package", "nginx") == "the real one: web01 package nginx\n"
        assert len(home.sessions()) == number


def test_an_omnibus_build_puts_it_in_front(prefix: Path, home: Home, tmp_path: Path) -> None:
    ruby = shutil.which("ruby")
    if ruby is None:
        pytest.skip("needs ruby (scripts/install-test-tools)")
    files = tmp_path / "files"
    files.mkdir()
    (files / "chef-run-launcher").symlink_to(SOURCE)
    arguments = [PACKAGING / "omnibus" / "chef-run-launcher.rb", prefix, files]
    done = subprocess.run([ruby, SOURCE / "tests/packaging/omnibus.rb", *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == [b"python3", b"gems"]
    runs_what_it_carries(prefix, home)


def test_a_habitat_build_puts_it_in_front(prefix: Path, home: Home) -> None:
    plan = f"""
    set -eu
    pkg_prefix='{prefix}'
    pkg_path_for() {{ [ "$1" = core/python ] && echo '{prefix}/embedded'; }}
    build_line() {{ :; }}
    source '{PACKAGING}/habitat/chef-run-launcher.sh'
    put_launcher_in_front
    """
    done = subprocess.run(["bash", "-c", plan], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs_what_it_carries(prefix, home)


def test_a_habitat_build_without_a_chef_run_fails(prefix: Path) -> None:
    """Where nothing but its own words stops it: Habitat's plans need not set -e."""
    (prefix / "bin" / "chef-run").unlink()
    (prefix / "embedded" / "bin" / "python3").unlink()
    (prefix / "embedded" / "bin" / "python3").symlink_to("/bin/true")
    plan = f"""
    pkg_prefix='{prefix}'
    pkg_path_for() {{ echo '{prefix}/embedded'; }}
    build_line() {{ :; }}
    source '{PACKAGING}/habitat/chef-run-launcher.sh'
    put_launcher_in_front
    """
    assert subprocess.run(["bash", "-c", plan], capture_output=True, check=False).returncode == 1
    assert not (prefix / "bin" / "chef-run").is_symlink()


def test_what_it_installs_is_compiled_and_for_everybody(tmp_path: Path) -> None:
    """And pure Python: nothing in it is for one machine or version alone."""
    before = os.umask(0o077)
    try:
        assert install(f"--prefix={tmp_path / 'p'}").returncode == 0
    finally:
        os.umask(before)
    library = tmp_path / "p" / "lib" / "chef-run-launcher"
    kinds = {path.suffix for path in library.rglob("*") if path.is_file()}
    assert not kinds & {".so", ".pyd", ".dll", ".pth"}
    assert (library / "tomli" / "__init__.py").exists(), "Python 3.9 and 3.10 need it"
    sources = list(library.rglob("*.py"))
    assert len(sources) > 100
    assert len(list(library.rglob("*.pyc"))) == len(sources)
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in (tmp_path / "p").rglob("*"))


def test_the_oldest_and_the_newest_python_that_it_is_for_run_it(tmp_path: Path, home: Home) -> None:
    assert (
        install(
            f"--prefix={tmp_path / 'p'}",
        ).returncode
        == 0
    )
    main = tmp_path / "p" / "lib" / "chef-run-launcher" / "launcher" / "__main__.py"
    pythons = [str(SOURCE / "scripts" / "pythons"), "9", "13", "14"]
    found = subprocess.run(pythons, capture_output=True, text=True, check=True).stdout.split()
    home.config.parent.mkdir()
    home.config.write_text("[cookbook]\nnames = [\n 'what only a TOML library reads' ]\n")
    for python in {sys.executable, *found}:
        assert "shell-init" in run(home, python, "-I", "-S", main, "--help")
        assert "Telemetry is o" in run(home, python, "-I", "-S", main, "status")
        run(home, python, "-I", "-S", main, "disable")


@pytest.fixture
def starts(prefix: Path, home: Home) -> list[Path]:
    """The two start scripts, that of a fixed place and that of an archive, in front of a library as they find it."""
    home.use()
    home.env["PATH"] = f"{prefix / 'embedded' / 'bin'}:{prefix / 'bin'}:{home.env['PATH']}"
    library = prefix / "lib" / "chef-run-launcher"
    shutil.copytree(SOURCE / "launcher", library / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    script = runpy.run_path(str(SOURCE / "scripts" / "install"))["start_script"]
    build = runpy.run_path(str(PACKAGING / "build"))
    packaged = script(build["PYTHON"], f"{build['PREFIX']}/lib/chef-run-launcher", PROFILE)
    starts = []
    for name, text in (
        ("chef-run-launcher", script(sys.executable, str(library), PROFILE)),
        ("chef-run-launcher-anywhere", build["anywhere"](packaged)),
    ):
        starts.append(prefix / "bin" / name)
        starts[-1].write_text(text)
        starts[-1].chmod(0o755)
    return starts


ALL = "launcher"
INIT, MAIN, ENTRY, RUN = ("launcher/__init__.py", "launcher/__main__.py", "launcher/entry.py", "launcher/run.py")
FALLBACK, DISTRIBUTION = "launcher/fallback.py", "launcher/distribution.toml"


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize(
    "broken",
    [[INIT], [MAIN], [ENTRY], [RUN], [DISTRIBUTION], [FALLBACK, ENTRY], [FALLBACK, RUN], [FALLBACK, INIT], [ALL]],
    ids=" and ".join,
)
def test_half_an_installation_runs_chef_run(
    prefix: Path, home: Home, starts: list[Path], broken: list[str], torn: bool
) -> None:
    """Unrecorded. That of an archive too, wherever it lies."""
    for name in broken:
        path = prefix / "lib" / "chef-run-launcher" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if torn:
            path.write_text("[")
    for start in starts:
        assert run(home, start, "exec", "web01", "package", "nginx") == "the real one: web01 package nginx\n"
    assert home.sessions() == []


def test_an_interrupt_of_the_start_is_told_by_nobody(prefix: Path, home: Home, starts: list[Path]) -> None:
    (prefix / "lib/chef-run-launcher/launcher/__init__.py").write_text("import os\nos.kill(os.getpid(), 2)\n")
    for start in starts:
        done = subprocess.run([start, "exec"], env=home.env, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (-2, b"", b"")


def test_of_an_installation_only_the_start_is_left(prefix: Path, home: Home, starts: list[Path]) -> None:
    """It finds what its distribution has, and says in one line if there is nothing, or nothing to run."""
    shutil.rmtree(prefix / "lib")
    link = home.path / "chef-run"
    link.symlink_to(starts[0])
    (prefix / "bin" / "chef-run").unlink()
    for start, *words in ([starts[0], "exec"], [starts[1], "exec"], [link]):
        command = [start, *words, "web01"]
        done = subprocess.run(command, env=home.env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (127, "")
        assert done.stderr.startswith("chef-run-launcher: cannot find chef-run")
        assert done.stderr.count("\n") == 1
    done = subprocess.run([starts[0], "status"], env=home.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    (prefix / "embedded" / "bin" / "chef-run").write_text(CHEF_RUN)
    (prefix / "embedded" / "bin" / "chef-run").chmod(0o755)
    home.env["PATH"] = f"{home.path}:/usr/bin:/bin"
    for start, *words in ([starts[0], "exec"], [link]):
        assert run(home, start, *words, "web01") == "the real one: web01\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--prefix=relative"], "--prefix must be an absolute path"),
        (["--prefix=/nonexistent", "--profile=/nonexistent.toml"], "/nonexistent.toml: there is no such file"),
        (["--prefix=/nonexistent", "--python=python3"], "--python must be an absolute path without spaces"),
        (["--prefix=/nonexistent", "--python=/a b/python3"], "--python must be an absolute path without spaces"),
        (["--prefix=/nonexistent", "--python=/nonexistent"], "/nonexistent cannot be executed"),
        ([], "--prefix"),
    ],
)
def test_options_without_sense_are_named_and_nothing_is_done(options: list[str], says: str) -> None:
    done = install(*options)
    assert done.returncode == 2
    assert says in done.stderr
    assert not Path("/nonexistent").exists()


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("name", "", "name must be there"),
        ("chef_run", 'chef_run = "/usr/bin/chef-run"', "chef_run must be there, and be a list"),
        ("endpoint", "endpoint = 3", "endpoint must be a str"),
        ("endpoint", 'endpiont = "https://telemetry.example"', "nothing is known of endpiont"),
        ("endpoint", 'endpoint = "http://telemetry.example"', "endpoint: http:// is allowed for this machine only"),
        ("folder", "folder = '/opt/$(id)'", "folder under [packages] must look like"),
        ("command", 'command = "chef-run"', "command under [packages] must look like"),
        (
            "command",
            'command = "/c"\nmaintainer = "a <a@b>\\nPre-Depends: c"',
            "maintainer under [packages] must look like",
        ),
        ("product", "product = [[", "not valid TOML"),
    ],
)
def test_a_profile_that_would_break_runs_is_refused(tmp_path: Path, line: str, instead: str, says: str) -> None:
    profile = tmp_path / "profile.toml"
    lines = (SOURCE / "launcher" / "distribution.toml").read_text().splitlines()
    profile.write_text("\n".join(instead if each.startswith(line + " =") else each for each in lines))
    done = install(f"--prefix={tmp_path / 'p'}", f"--profile={profile}")
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]
    assert not (tmp_path / "p").exists()


def test_a_python_that_cannot_run_it_is_named(tmp_path: Path) -> None:
    done = install(f"--prefix={tmp_path / 'p'}", "--python=/bin/false")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("install: /bin/false could not compile")


def test_installed_again_it_replaces_what_was_at_once(tmp_path: Path, home: Home) -> None:
    """And only once all is there: what fails before changes nothing."""
    prefix = tmp_path / "p"
    assert install(f"--prefix={prefix}").returncode == 0
    library = prefix / "lib" / "chef-run-launcher"
    (library / "left_over.py").touch()
    no_index = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    command = [python_with_pip(), str(SOURCE / "scripts" / "install"), f"--prefix={prefix}"]
    done = subprocess.run(command, env=no_index, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("nothing was installed")
    assert run(home, prefix / "bin" / "chef-run-launcher", "--version").startswith("chef-run-launcher ")
    assert (library / "left_over.py").exists()
    assert install(f"--prefix={prefix}").returncode == 0
    assert not (library / "left_over.py").exists()
    assert [path.name for path in library.parent.iterdir()] == ["chef-run-launcher"]
    start = (prefix / "bin" / "chef-run-launcher").read_text().splitlines()
    assert start[0].startswith("#!/") and start[0].endswith(" -IS")
    assert run(home, prefix / "bin" / "chef-run-launcher", "--version").startswith("chef-run-launcher ")
