"""Measuring memory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from benchmarks.starts import PYTHON
from benchmarks.workbench import PROGRAMS


def peak(command: Sequence[str], env: Mapping[str, str]) -> float:
    """MiB resident at the peak: the greatest of a process and those that it has waited for."""
    path = shutil.which(command[0]) or command[0]
    measuring = [*PYTHON, str(PROGRAMS / "peak.py"), path, *command[1:]]
    return int(subprocess.run(measuring, env=env, stdout=subprocess.PIPE, check=True).stdout) / 1024
