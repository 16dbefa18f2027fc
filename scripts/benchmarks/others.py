"""What other programs that stand in front of programs add to a run, beside the launcher."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import homes, report, timing
from benchmarks.starts import BARE, PYTHON
from benchmarks.timing import Case
from benchmarks.workbench import ARGUMENTS, PROGRAMS, Workbench, tool

ROUNDS = 25
CHILD = 0.25  # seconds
INTERPRETER, ALONE = "a bare interpreter", "chef-run alone"


class Way(NamedTuple):
    """A way to start chef-run."""

    name: str
    case: Case | None  # absent if what it needs is not installed
    limit: float | None = None  # added time at most, in starts of a bare interpreter


def others(workbench: Workbench) -> dict[str, object]:
    """Time the launcher and all the others around the same child. Returns the medians."""
    home = homes.make(workbench, "others")
    env = homes.environment(workbench, home, MILLISECONDS=str(round(CHILD * 1000)))
    ways = [*_ours(workbench, env), *_theirs(workbench, env)]
    cases = {way.name: way.case for way in ways if way.case}
    cases[INTERPRETER] = Case(BARE, env)
    cases[ALONE] = Case([str(workbench.chef_run), *ARGUMENTS], env)
    costs = timing.take_turns(cases, ROUNDS)
    unit = timing.median_seconds(costs[INTERPRETER])
    print(f"\nadded to a child of {CHILD} s, in starts of a bare interpreter, which took {unit * 1000:.1f} ms")
    report.print_head()
    medians = {}
    for way in ways:
        if way.case is None:
            report.print_row(way.name, None, "not installed")
            continue
        added = timing.added_starts(costs[way.name], costs[ALONE], unit)
        report.print_row(way.name, way.limit, report.spread(added, limit=way.limit))
        medians[way.name] = round(statistics.median(added), 2)
    return {
        "child in seconds": CHILD,
        "start of a bare interpreter in milliseconds": round(unit * 1000, 1),
        "processors": os.cpu_count(),
        "python": sys.version.split()[0],
        "added, in starts of a bare interpreter": medians,
    }


def _ours(workbench: Workbench, env: Mapping[str, str]) -> list[Way]:
    """The launcher, and what any launcher in Python costs."""
    minimum = [*PYTHON, str(PROGRAMS / "minimum.py"), str(workbench.chef_run), *ARGUMENTS]
    ways = [
        Way(f"ours, {start.name}", Case([*start.command, *ARGUMENTS], env), start.limit) for start in workbench.starts
    ]
    return [*ways, Way("the minimum in Python", Case(minimum, env))]


def _theirs(workbench: Workbench, env: Mapping[str, str]) -> list[Way]:
    """What else people put in front of programs."""
    child = [str(workbench.chef_run), *ARGUMENTS]
    text = " ".join(child)
    recording = str(workbench.directory / "recording.cast")
    commands = {
        "script -qefc": tool("script", "-qefc", text, os.devnull),
        "unbuffer": tool("unbuffer", *child),
        "asciinema rec": tool("asciinema", "rec", "-q", "--overwrite", "-c", text, recording),
    }
    ways = [Way(name, Case(command, env) if command else None) for name, command in commands.items()]
    return [*ways, Way("a shim of pyenv's", _pyenv_shim(workbench, env))]


def _pyenv_shim(workbench: Workbench, env: Mapping[str, str]) -> Case | None:
    """The child as a command of one of pyenv's versions, by the shim of `pyenv rehash`; absent without pyenv."""
    pyenv = shutil.which("pyenv")
    if pyenv is None:
        return None
    root = workbench.directory / "pyenv"
    commands = root / "versions" / "one" / "bin"
    commands.mkdir(parents=True)
    (commands / "chef-run").symlink_to(workbench.chef_run)
    pyenv_env = {**env, "PYENV_ROOT": str(root), "PYENV_VERSION": "one"}
    subprocess.run([pyenv, "rehash"], env=pyenv_env, check=True)
    return Case([str(root / "shims" / "chef-run"), *ARGUMENTS], pyenv_env)
