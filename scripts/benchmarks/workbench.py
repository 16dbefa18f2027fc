"""What every part works with: a directory, a chef-run that takes as long as it is told to, and the launcher."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks import starts

PROGRAMS = Path(__file__).with_name("programs")
ARGUMENTS = ["web01", "directory", "/tmp/hello"]  # chef-run's


class Workbench(NamedTuple):
    """What every part works with."""

    directory: Path  # for whatever a part makes; it is removed afterwards
    chef_run: Path  # takes MILLISECONDS and writes MEGABYTES, both from its environment
    starts: list[starts.Start]


def set_up(directory: Path) -> Workbench:
    """Compile, copy and lay out what the parts need."""
    chef_run = compiled(directory, "chef-run") or Path(shutil.copy(PROGRAMS / "chef-run.sh", directory / "chef-run"))
    return Workbench(directory, chef_run, starts.make(directory))


def compiled(directory: Path, name: str) -> Path | None:
    """One of the C programs, compiled; absent if there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    path = directory / name
    subprocess.run([compiler, "-O2", str(PROGRAMS / f"{name}.c"), "-o", str(path), "-lutil"], check=True)
    return path


def tool(name: str, *arguments: str) -> list[str] | None:
    """The command line of a program of others; absent if it is not installed."""
    path = shutil.which(name)
    return [path, *arguments] if path else None
