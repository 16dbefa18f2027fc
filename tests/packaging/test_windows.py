"""The Windows shims, as a `cmd` takes them: that of Wine, which is not Windows' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import SOURCE

SHIMS = SOURCE / "scripts" / "packaging" / "windows"
# What stands on the PATH says who it is, what it got, and whether it sees variables of the shim's own.
SAYS = "@echo off\necho {name}: %*\nif defined folders echo leaked\nexit /b {code}\n"
SYSTEM = "C:\\windows\\system32"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """The drive Z:, with the shims in front, and what may come after them."""
    if shutil.which("wine") is None:
        pytest.skip("needs wine")
    z = tmp_path / "z"
    library = z / "ours" / "lib" / "chef-run-launcher" / "launcher"
    library.mkdir(parents=True)
    (library / "__main__.py").touch()
    for shim in SHIMS.glob("*.cmd"):
        write(z / "ours" / "bin" / shim.name, shim.read_text())
        write(z / "half" / "bin" / shim.name, shim.read_text())
    write(z / "a python" / "python.bat", SAYS.format(name="python", code=7))
    write(z / "next (x86)" / "chef-run.bat", SAYS.format(name="next", code=9))
    write(z / "offer" / "python.exe", "")
    return z


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, newline="\r\n")


def run(drive: Path, *cases: tuple[list[str], str]) -> list[tuple[str, int]]:
    """What each command says, and its exit code, with these folders on the PATH."""
    lines = ["@echo off"]
    for folders, command in cases:
        path = ";".join([*(f"Z:{drive}/{folder}".replace("/", "\\") for folder in folders), SYSTEM])
        lines += [f'set "PATH={path}"', f"cmd /c {command}", "echo code %errorlevel%"]
    write(drive / "all.bat", "\n".join(lines) + "\n")
    env = {**os.environ, "WINEPREFIX": str(drive / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
    subprocess.run(["wine", "cmd", "/c", "exit"], env=env, capture_output=True, check=True)  # sets Windows up
    all_of_them = ["wine", "cmd", "/c", f"Z:{drive}/all.bat".replace("/", "\\")]
    done = subprocess.run(all_of_them, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    subprocess.run(["wineserver", "-k"], env=env, check=False)
    *said, rest = done.stdout.decode().replace("\r", "").split("code ")
    codes = [int(text.split("\n")[0]) for text in [*said[1:], rest]]
    texts = [said[0], *(text.partition("\n")[2] for text in said[1:])]
    return list(zip(texts, codes))


@pytest.mark.timeout(300)  # to set Windows up takes long on a drive with much to do
def test_the_shims_hand_on_what_they_get_and_fail_open(drive: Path) -> None:
    """The offer of a Python that is none is passed over; the exit code is that of what has run."""
    given = 'web01 "two words" a=b "x&y|z" "%OS%" "" c:\\d\\ !x!'
    got = given.replace("%OS%", "Windows_NT")
    main = f'"Z:{drive}\\ours\\bin\\..\\lib\\chef-run-launcher\\launcher\\__main__.py"'.replace("/", "\\")
    python = f"python: -E -s -S {main}"
    none = "chef-run-launcher: found neither chef-run nor a Python to run the launcher\n"
    needs = "chef-run-launcher: needs Python 3.9 or newer on the PATH\n"
    ours, a_python, following = "ours/bin", "a python", "next (x86)"
    expected = {
        "python": ([ours, a_python, following], f"chef-run.cmd {given}", f"{python} exec {got}\n", 7),
        "no python": ([ours, following], f"chef-run.cmd {given}", f"next: {got}\n", 9),
        "an offer of python": ([ours, "offer", following], "chef-run.cmd web01", "next: web01\n", 9),
        "python behind it": ([ours, "offer", a_python], "chef-run.cmd web01", f"{python} exec web01\n", 7),
        "no library": (["half/bin", a_python, following], "chef-run.cmd web01", "next: web01\n", 9),
        "next in front": ([following, ours], "Z:SHIM web01", "next: web01\n", 9),
        "nothing": ([ours], "chef-run.cmd web01", none, 127),
        "a command": ([a_python, ours], "chef-run-launcher.cmd status", f"{python} status\n", 7),
        "a command without": ([ours, "offer"], "chef-run-launcher.cmd status", needs, 1),
    }
    shim = f"{drive}/ours/bin/chef-run.cmd".replace("/", "\\")
    cases = [(folders, command.replace("SHIM", shim)) for folders, command, _, _ in expected.values()]
    said = dict(zip(expected, run(drive, *cases)))
    assert said == {name: (text, code) for name, (_, _, text, code) in expected.items()}
