"""Programs as processes: a chef-run to be wrapped, and the installed launcher."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest

import launcher
from tests.support.mounts import run_with

SECONDS = 30
# The launcher as pip installs it, and what the packages start, as they start it.
INSTALLED = Path(sys.executable).with_name("chef-run-launcher")
MAIN = Path(launcher.__file__).with_name("__main__.py")
ISOLATED = [sys.executable, "-I", "-S"]
# Each by its path in the package.
MODULES = sorted(str(path.relative_to(MAIN.parent)) for path in MAIN.parent.rglob("*.py"))


def python_with_pip() -> str:
    """A Python that builds and installs: the tests' own environment has no pip. Skips the test where there is none."""
    for name in ("python3", sys.executable, "/usr/bin/python3"):
        script = "import sys, pip; print(sys.executable)"
        done = subprocess.run([name, "-c", script], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    pytest.skip("needs a python3 with pip (on Debian: python3-pip)")


def copy_of_the_launcher(folder: Path) -> Path:
    """The installed package, copied into this directory, also over one that is there."""
    return shutil.copytree(MAIN.parent, folder / "launcher", dirs_exist_ok=True)


def install_as_chef_run(script: Path, folder: Path) -> Path:
    """Make the script an executable called chef-run that needs no PATH and imports nothing from outside."""
    lines = script.read_text(encoding="utf-8").split("\n", 1)
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "chef-run"
    program.write_text(f"#!{sys.executable} -IS\n{lines[1]}", encoding="utf-8")
    program.chmod(0o755)
    return program


class Program:
    """A program in a test's own environment; `env` may be changed between runs."""

    def __init__(self, path: Path, cwd: Path, env: dict[str, str]) -> None:
        self.path = path
        self.cwd = cwd
        self.env = env

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """With both outputs on pipes of their own."""
        return subprocess.Popen(
            [str(self.path), *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.cwd,
            env=self.env,
        )

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """To its end, with stdin and both outputs on pipes of their own."""
        return subprocess.run(
            [str(self.path), *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.cwd,
            env=self.env,
            timeout=SECONDS,
            check=False,
        )

    def shown(self, *arguments: str, dimensions: tuple[int, int] = (24, 80)) -> str:
        """What it prints on a terminal of so many rows and columns, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.drawn(*arguments, dimensions=dimensions)).replace("\r\n", "\n")

    def drawn(self, *arguments: str, dimensions: tuple[int, int] = (24, 80)) -> str:
        """The same as the terminal gets it."""
        with self.on_a_terminal(*arguments, dimensions=dimensions) as terminal:
            terminal.expect(pexpect.EOF)
            text: str = terminal.before.decode()
        return text

    def on_a_terminal(self, *arguments: str, dimensions: tuple[int, int] = (24, 80)) -> pexpect.spawn[bytes]:
        """On a terminal of its own of so many rows and columns. It must be closed: use it with `with`."""
        return pexpect.spawn(
            str(self.path),
            list(arguments),
            cwd=str(self.cwd),
            env=self.env,
            dimensions=dimensions,
            timeout=SECONDS,
        )


class Launcher(Program):
    """The installed chef-run-launcher."""

    def exec(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """What the alias does for `chef-run ARGUMENTS`."""
        return self.run("exec", *arguments)

    def run_each(self, commands: Iterable[Sequence[str]]) -> list[subprocess.CompletedProcess[bytes]]:
        """Each management command, one after the other, as `run` does it, in far less time: see commands.py."""
        given = [list(command) for command in commands]
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("commands.py")), str(self.path)],
            input=json.dumps(given).encode(),
            stdout=subprocess.PIPE,
            cwd=self.cwd,
            env=self.env,
            timeout=SECONDS * len(given),
            check=True,
        )
        return [
            subprocess.CompletedProcess(words, code, output.encode("latin-1"), errors.encode("latin-1"))
            for words, (code, output, errors) in zip(given, json.loads(done.stdout))
        ]

    def status(self, mounts: str | None = None) -> dict[str, Any]:
        """What `status --json` reports; with `mounts`, where these have been done."""
        if mounts is None:
            done = self.run("status", "--json")
        else:
            done = run_with(mounts, self.path, "status", "--json", env=self.env)
        assert (done.returncode, done.stderr) == (0, b"")
        report: dict[str, Any] = json.loads(done.stdout)
        return report
