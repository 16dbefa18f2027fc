"""Programs under strace, which looks at their system calls, or has them fail."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

import pytest


def strace(*options: str, output: object = os.devnull) -> list[str]:
    """What to put before a command line to have it traced. Skips the test where that cannot be done."""
    if why_not := _why_not():
        pytest.skip(why_not)
    return ["strace", "-qq", "-o", str(output), *options]


@functools.cache
def _why_not() -> str | None:
    if shutil.which("strace") is None:
        return "needs strace (scripts/install-test-tools)"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "/bin/true"], capture_output=True, check=False)
    return "strace needs ptrace: a container with CAP_SYS_PTRACE" if probe.returncode else None
