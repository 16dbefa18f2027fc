"""The bundle: one file with the modules of a run, made where the launcher is installed. Without it all is the same."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import launcher as package
from tests.support.homes import Home
from tests.support.programs import Program
from tests.test_hot_path import ARGUMENTS, AT_THE_END, OURS, watched

MAGIC = importlib.util.MAGIC_NUMBER


class Installed:
    """A copy of the package in a folder of its own, as scripts/install lays it out."""

    def __init__(self, library: Path) -> None:
        self.library = library
        shutil.copytree(Path(package.__file__).parent, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    @property
    def package(self) -> Path:
        return self.library / "launcher"

    @property
    def main(self) -> Path:
        return self.package / "__main__.py"

    @property
    def bundle(self) -> Path:
        return self.package / "__pycache__" / Path(package.BUNDLE).name

    def compile(self) -> bytes:
        """The bundle that this makes."""
        command = [sys.executable, "-I", "-S", str(self.package / "bundle.py")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return self.bundle.read_bytes()

    def run(self, home: Home, *words: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-I", "-S", str(self.main), *words]
        return subprocess.run(command, env=home.env, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def python(self, script: str) -> str:
        """What a script prints that stands in the place of a run."""
        start = self.main.read_text().partition("from launcher.entry import main")[0]
        given = f"__file__, __package__ = {str(self.main)!r}, ''\n{start}\n{script}"
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", given], capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "installed")


@pytest.fixture
def used(home: Home, chef_run: Program) -> Home:
    """A home in which the notice has been shown, and a session waits."""
    home.has_waiting("earlier.example")
    return home


def bytecode_of(installed: Installed, opened: list[str]) -> set[str]:
    """The modules of ours that were read out of files of their own, by the names of the files."""
    ours = [Path(name) for name in opened if name.startswith(str(installed.package))]
    return {name.name.split(".")[0] for name in ours if name.suffix in (".py", ".pyc") and name != installed.main}


def record(home: Home) -> object:
    """The last session, but for its id."""
    latest = max(home.sessions(), key=lambda path: path.stat().st_mtime_ns)
    return {name: value for name, value in json.loads(latest.read_text()).items() if name != "id"}


def test_with_a_bundle_a_run_is_the_same_and_records_the_same(installed: Installed, used: Home) -> None:
    words = ("exec", "web[01:03]", "-i", __file__, "user@host.example", "package", "nginx")
    seen = []
    for has_one in (False, True):
        if has_one:
            installed.compile()
        done = installed.run(used, *words)
        seen.append((done.returncode, done.stdout, done.stderr, record(used)))
    assert seen[0] == seen[1]
    assert len(used.sessions()) == 3


@pytest.mark.parametrize(
    "options",
    [(), ("-i", __file__), ("-c", "config.toml"), ("--no-sudo", "--no-ssl-verify")],
    ids=["plain", "key", "config", "two"],
)
@pytest.mark.parametrize("is_due", [False, True])
def test_it_holds_every_module_that_a_run_imports(
    installed: Installed,
    used: Home,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    is_due: bool,
) -> None:
    installed.compile()
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text("[telemetry]\nenabled = true\n")
    if not is_due:
        (used.telemetry / ".next-attempt").touch()
        os.utime(used.telemetry / ".next-attempt", (time.time() + 3600,) * 2)
    seen = watched(used, tmp_path, *options, "web[01:03]", *ARGUMENTS[1:], main=installed.main)
    assert seen["new"] >= OURS
    assert seen["new_at_end"] >= AT_THE_END
    assert ("launcher.sender" in seen["new_at_end"]) == is_due
    assert bytecode_of(installed, seen["opened"] + seen["opened_later"]) == set()
    assert seen["opened"].count(str(installed.bundle)) == 1
    assert "__future__" not in seen["new_at_end"]


LOOKED_FOR = """
finder, names = type(sys.meta_path[0]), []
find = finder.find_spec
finder.find_spec = lambda self, name, *more: names.append(name) or find(self, name, *more)
from launcher.entry import main
from launcher import real, run
from launcher import notice, recording, relay
print(*[name for name in names if name.startswith("launcher")])
"""


def test_what_chef_run_waits_for_is_taken_in_in_three_parts(installed: Installed) -> None:
    installed.compile()
    assert installed.python(LOOKED_FOR) == "launcher launcher.real launcher.notice\n"


def test_it_holds_what_a_run_on_a_terminal_imports_as_well(installed: Installed) -> None:
    content = installed.compile()
    for name in ("relay.second_terminal", "shell_init", "config_option", "lock"):
        assert f"launcher.{name}".encode() in content


@pytest.mark.parametrize(("says", "later"), [("changed: ", 0), ("CHEF-RUN-LAUNCHER: ", 10)], ids=["size", "date"])
def test_of_a_module_that_has_been_changed_since_it_has_nothing(
    installed: Installed, used: Home, says: str, later: int
) -> None:
    installed.compile()
    used.env["CHEF_RUN_LAUNCHER_REAL"] = "/nonexistent"
    story = installed.package / "run.py"
    date = story.stat().st_mtime + later
    story.write_text(story.read_text().replace("chef-run-launcher: ", says))
    os.utime(story, (date, date))
    assert installed.run(used, "exec", *ARGUMENTS).stderr.startswith(says.encode())


def test_one_whose_reader_has_been_changed_since_is_passed_over(
    installed: Installed, used: Home, tmp_path: Path
) -> None:
    installed.compile()
    with (installed.package / "bundled.py").open("a") as file:
        file.write("# changed\n")
    runs_without(installed, used, tmp_path)


def test_of_a_module_that_is_gone_it_has_nothing(installed: Installed) -> None:
    installed.compile()
    (installed.package / "hashes.py").unlink()
    says = installed.python("try:\n from launcher import hashes\nexcept ImportError as error:\n print(error)")
    assert says.startswith("cannot import name 'hashes'")


def first_byte_changed(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def no_code(content: bytes) -> bytes:
    begin = int.from_bytes(content[4:8], "little")
    return content[:begin] + bytes(len(content) - begin)


SPOILED = {
    "empty": lambda content: b"",
    "torn": lambda content: content[: len(content) // 2],
    "torn early": lambda content: content[:7],
    "a byte short": lambda content: content[:-1],
    "a byte more": lambda content: content + b"\0",
    "another Python's": first_byte_changed,
    "garbage": lambda content: os.urandom(1) * len(content),
    "garbage of this Python": lambda content: MAGIC + b"\x40\0\0\0" + b"garbage!" * 1000,
    "another thing": lambda content: MAGIC + b"\x09\0\0\0" + b"N",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_bundle_that_is_spoiled_is_passed_over(installed: Installed, used: Home, tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    installed.bundle.write_bytes(spoil(installed.compile()))
    runs_without(installed, used, tmp_path)


@pytest.mark.parametrize("kind", ["folder", "link to nowhere", "unreadable"])
def test_what_is_no_file_to_be_read_is_passed_over(installed: Installed, used: Home, tmp_path: Path, kind: str) -> None:
    installed.compile()
    installed.bundle.unlink()
    if kind == "folder":
        installed.bundle.mkdir()
    elif kind == "link to nowhere":
        installed.bundle.symlink_to("nowhere")
    elif os.geteuid() == 0:
        pytest.skip("root can read everything")
    else:
        installed.bundle.touch(mode=0)
    runs_without(installed, used, tmp_path)


def runs_without(installed: Installed, home: Home, tmp_path: Path) -> None:
    seen = watched(home, tmp_path, *ARGUMENTS, main=installed.main)
    assert bytecode_of(installed, seen["opened"]) >= {"__init__", "run", "posix"}
    done = installed.run(home, "exec", *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(home.sessions()) == 3


def test_where_only_the_code_is_spoiled_the_source_is_read(installed: Installed, used: Home) -> None:
    installed.bundle.write_bytes(no_code(installed.compile()))
    done = installed.run(used, "exec", *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(used.sessions()) == 2


LOOKS = """
import json
from importlib import import_module
seen = {}
for name in ("launcher", *("launcher." + each for each in ("entry", "config", "session", "relay", "relay.posix"))):
    module = import_module(name)
    spec = module.__spec__
    seen[name] = [
        module.__name__, module.__file__, module.__cached__, module.__package__, getattr(module, "__path__", None),
        spec.name, spec.origin, spec.cached, spec.parent, spec.has_location, spec.submodule_search_locations,
        spec.loader is module.__loader__, module.__loader__.get_source(module.__name__), module.__loader__.path,
    ]
seen["files"] = [sys.modules["launcher.config"].PROFILE, sys.modules["launcher.session"].SCHEMA]
seen["code"] = sys.modules["launcher.entry"].main.__code__.co_filename
seen["finders"] = len(sys.meta_path)
print(json.dumps(seen))
"""


def test_a_module_out_of_it_looks_like_any_other(installed: Installed) -> None:
    without = json.loads(installed.python(LOOKS))
    installed.compile()
    with_it = json.loads(installed.python(LOOKS))
    assert with_it.pop("finders") == without.pop("finders") + 1
    assert with_it == without


def test_its_folder_may_be_moved(installed: Installed, tmp_path: Path) -> None:
    installed.compile()
    installed.library = installed.library.rename(tmp_path / "moved")
    seen = json.loads(installed.python(LOOKS))
    assert seen["code"] == str(tmp_path / "moved" / "launcher" / "entry.py")
    assert seen["launcher.relay"][4] == [str(tmp_path / "moved" / "launcher" / "relay")]


def test_where_there_is_none_nothing_is_in_the_way_of_imports(installed: Installed) -> None:
    shows = "import launcher; print(len(sys.meta_path))"
    without = installed.python(shows)
    installed.compile()
    assert int(installed.python(shows)) == int(without) + 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older ones write sets in any order")
def test_made_twice_it_is_the_same_byte_for_byte(installed: Installed) -> None:
    assert installed.compile() == installed.compile()


def test_everybody_may_read_it_and_nothing_else_is_left(installed: Installed) -> None:
    umask = os.umask(0o077)
    try:
        installed.compile()
    finally:
        os.umask(umask)
    assert installed.bundle.stat().st_mode & 0o777 == 0o644
    others = {path.suffix for path in installed.bundle.parent.iterdir() if path != installed.bundle}
    assert others == {".pyc"}


def test_what_cannot_be_written_is_said_in_one_line(installed: Installed) -> None:
    installed.compile()
    installed.bundle.unlink()
    installed.bundle.mkdir()
    command = [sys.executable, "-I", "-S", str(installed.package / "bundle.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("bundle: ") and done.stderr.count("\n") == 1
    assert {path.suffix for path in installed.bundle.parent.iterdir()} == {".pyc", ".bundle"}
