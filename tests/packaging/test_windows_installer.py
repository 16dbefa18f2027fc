"""The .msi, installed, upgraded and removed under Wine; and its shims, with a stand-in for python.exe.

Wine is not Windows: this shows what the installer does and what a program gets by way of the shims, and nothing of the
launcher itself. What the shims do without a Python is in test_windows.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import __version__
from tests.packaging.conftest import MAINTAINER, NEXT_VERSION, SOURCE, only

ENVIRONMENT = r"HKLM\System\CurrentControlSet\Control\Session Manager\Environment"
PROGRAMS = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall"
BIN = r"C:\Program Files\chef-run-launcher\bin" + "\\"
MAIN = r"C:\Our Files\bin\..\lib\chef-run-launcher\launcher\__main__.py"


class Windows:
    """A Windows of Wine's, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.drive = folder / "drive_c"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "WINEPREFIX": str(folder),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",  # or it asks for what would be downloaded
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["wine", *map(str, command)],
            env={**self.env, **variables},
            cwd=self.drive.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def msiexec(self, *words: object) -> None:
        done = self.run("msiexec", *words, "/qn")
        assert done.returncode == 0, done

    def path(self) -> str:
        (found,) = re.findall(r"PATH\s+REG_\w+\s+(.*)", self.run("reg", "query", ENVIRONMENT, "/v", "PATH").stdout)
        return str(found).strip()

    def programs(self) -> list[dict[str, str]]:
        """The list from which people remove programs, as far as we are in it."""
        said = self.run("reg", "query", PROGRAMS, "/s").stdout
        values = re.compile(r"^ +(\w+) +REG_\w+ +(.*?)\r?$", re.MULTILINE)
        entries = [dict(values.findall(entry)) for entry in said.split("HKEY_")]
        return [entry for entry in entries if entry.get("DisplayName") == "chef-run-launcher"]

    def files(self) -> set[str]:
        """All that lies on its drive but for what Windows keeps for itself."""
        paths = (str(path.relative_to(self.drive)) for path in self.drive.rglob("*"))
        return {path for path in paths if not path.startswith(("windows/", "users/", "ProgramData/"))}


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Windows]:
    """One for all tests: to set it up takes longer than the rest."""
    if shutil.which("wine") is None:
        pytest.skip("needs wine (scripts/install-test-tools)")
    windows = Windows(tmp_path_factory.mktemp("windows"))
    done = windows.run("wineboot", "--init")
    assert done.returncode == 0, done
    yield windows
    subprocess.run(["wineserver", "--kill", "--wait"], env=windows.env, check=False)
    shutil.rmtree(windows.drive.parent)


@pytest.mark.timeout(300)  # sets up a Windows first
def test_it_is_installed_upgraded_and_removed(windows: Windows, packages: Path, next_packages: Path) -> None:
    """In front on the PATH, one entry in the list of programs; and when it is removed, nothing of it is left."""
    before = windows.files(), windows.path()
    windows.msiexec("/i", only(packages, "*.msi"))
    first = windows.files() - before[0]
    assert {
        "Program Files/chef-run-launcher/bin/chef-run.cmd",
        "Program Files/chef-run-launcher/lib/chef-run-launcher/launcher/cli/watched.py",
    } < first
    assert all(path.startswith("Program Files/chef-run-launcher") for path in first)
    assert windows.path() == f"{BIN};{before[1]}"
    (entry,) = windows.programs()
    assert (entry["DisplayVersion"], entry["Publisher"]) == (__version__, MAINTAINER.partition(" <")[0])

    next_msi = only(next_packages, "*.msi")
    windows.msiexec("/i", next_msi)
    second = windows.files() - before[0]
    assert {path.rpartition("/")[2] for path in second ^ first} == {"watched.py", "watching.py"}
    assert windows.path() == f"{BIN};{before[1]}"
    (entry,) = windows.programs()
    assert entry["DisplayVersion"] == NEXT_VERSION

    windows.msiexec("/x", next_msi)
    assert windows.files() ^ before[0] == set()
    assert windows.path() == before[1]
    assert windows.programs() == []


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("x86_64-w64-mingw32-gcc")
    if compiler is None:
        pytest.skip("needs x86_64-w64-mingw32-gcc (gcc-mingw-w64-x86-64-win32)")
    target = tmp_path_factory.mktemp("stand-in") / "stand-in.exe"
    source = SOURCE / "tests" / "packaging" / "prints_its_words.c"
    subprocess.run([compiler, "-O1", "-o", target, source, "-lshell32"], check=True)
    return target


# As they are written in a batch file, and what a program gets of them.
WORDS = {
    'web01 "two words" "" --x=y \'single\' ~ *.rb !x! (1) web[1:3] ssh://user@web01:22': [
        *("web01", "two words", "", "--x=y", "'single'", "~", "*.rb", "!x!", "(1)", "web[1:3]", "ssh://user@web01:22"),
    ],
    r'"a&b" "a|b" "a<b>c" "a^b" "a;b,c=d" "C:\some where\x" "a\"b"': [
        *("a&b", "a|b", "a<b>c", "a^b", "a;b,c=d", r"C:\some where\x", 'a"b'),
    ],
}


def batch(windows: Windows, line: str, folders: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a line of a batch file, with these folders on the PATH. Python exits with `code`."""
    path = ";".join([*folders, r"C:\windows\system32"])
    (windows.drive / "line.cmd").write_text(f'@set "PATH={path}"\n@{line}\n', newline="\r\n")
    return windows.run("cmd", "/c", r"C:\line.cmd", EXIT_CODE=str(code))


@pytest.fixture
def folders(windows: Windows, stand_in: Path) -> Iterator[list[str]]:
    """Those of the shims, beside a launcher that is only looked for, and of a Python."""
    ours = windows.drive / "Our Files"
    for shim in (SOURCE / "scripts" / "packaging" / "windows").glob("*.cmd"):
        (ours / "bin").mkdir(parents=True, exist_ok=True)
        (ours / "bin" / shim.name).write_text(shim.read_text(), newline="\r\n")
    (ours / "lib" / "chef-run-launcher" / "launcher").mkdir(parents=True)
    (ours / "lib" / "chef-run-launcher" / "launcher" / "__main__.py").touch()
    (windows.drive / "python").mkdir()
    shutil.copy(stand_in, windows.drive / "python" / "python.exe")
    yield [r"C:\Our Files\bin", r"C:\python"]
    for name in ("python", "Our Files"):
        shutil.rmtree(windows.drive / name)


@pytest.mark.parametrize("line", WORDS)
def test_the_shims_hand_on_every_word_and_the_exit_code(windows: Windows, folders: list[str], line: str) -> None:
    done = batch(windows, f"chef-run {line}", folders, code=7)
    assert (done.returncode, done.stdout.splitlines()) == (7, ["-E", "-s", "-S", MAIN, "exec", *WORDS[line]])
    done = batch(windows, f"chef-run-launcher {line}", folders, code=3)
    assert (done.returncode, done.stdout.splitlines()) == (3, ["-E", "-s", "-S", MAIN, *WORDS[line]])
