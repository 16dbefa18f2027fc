"""Libraries in front of the C library: what other file systems would do, where there is none of their kind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# What `flock` does: on a network file system whose server is away, it may never come back.
LOCKS = {
    "never answers": "for (;;) pause();",
    "there are none": "errno = ENOLCK; return -1;",
}
SOURCE = """
#include <errno.h>
#include <unistd.h>
int flock(int descriptor, int operation) {{ {body} }}
"""


def flock_that(does: str, folder: Path) -> dict[str, str]:
    """The environment in which locks behave so. Skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler (on Debian: gcc)")
    library = folder / "flock.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SOURCE.format(body=LOCKS[does]), text=True, check=True)
    return {"LD_PRELOAD": str(library)}
