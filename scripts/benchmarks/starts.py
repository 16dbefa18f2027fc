"""The ways to start the launcher that are measured."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

import launcher
from benchmarks.budget import BUDGET

PYTHON = [sys.executable, "-I", "-S"]
BARE = [*PYTHON, "-c", "pass"]  # the unit of all times
PACKAGE = Path(launcher.__file__).parent
CARRIED = ("distro", "fastjsonschema", "tomli", "urllib3")  # what a run and the sender import besides

# As pip writes it since 25.2.
PIPS_SCRIPT = """#!{python}
import sys
from launcher.__main__ import main
if __name__ == '__main__':
    sys.exit(main())
"""


class Start(NamedTuple):
    """A way to start the launcher."""

    name: str
    command: list[str]  # chef-run's arguments follow
    limit: float  # added time at most, in starts of a bare interpreter


def make(directory: Path) -> list[Start]:
    """The start of the packages, and that of pip."""
    return [
        Start("python -I -S", [*PYTHON, str(_lay_out(directory / "packages")), "exec"], BUDGET.fast),
        Start("pip's script", [str(_install(directory / "pip")), "exec"], BUDGET.pip),
    ]


def _lay_out(library: Path) -> Path:
    """The launcher and what it imports, compiled, as the packages and pip have it. Returns what starts it."""
    _copy(PACKAGE, library)
    for name in CARRIED:
        found = importlib.util.find_spec(name)
        if found and found.origin:  # tomli is not there where Python has tomllib
            _copy(Path(found.origin).parent, library)
    subprocess.run([*PYTHON, "-m", "compileall", "-q", str(library)], check=True)
    return library / PACKAGE.name / "__main__.py"


def _copy(package: Path, library: Path) -> None:
    """Copy the sources of a package into a library."""
    shutil.copytree(package, library / package.name, ignore=shutil.ignore_patterns("__pycache__"))


def _install(directory: Path) -> Path:
    """A virtual environment with nothing but the launcher. Returns what pip puts in front of it."""
    venv.create(directory, symlinks=True)
    _lay_out(next(directory.glob("lib/python*/site-packages")))
    path = directory / "bin" / "chef-run-launcher"
    path.write_text(PIPS_SCRIPT.format(python=directory / "bin" / "python"))
    path.chmod(0o755)
    return path
