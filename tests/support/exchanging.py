"""Somebody who exchanges what a name of ours stands for, again and again, each time in one step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Exchanges a directory for a link with a call that Python lacks, and puts a link and a file in the place of a file.
PROGRAM = """
import ctypes, os, select, sys
name, link = map(os.fsencode, sys.argv[1:])
leads, file = os.readlink(link), link + b".file"

def exchange():
    return ctypes.CDLL(None).renameat2(-100, name, -100, link, 2)

def put_both():
    os.close(os.open(file, os.O_CREAT))
    os.rename(file, name)
    os.symlink(leads, file)
    os.rename(file, name)

act = exchange if os.path.isdir(name) else put_both
print("no" if act() else "yes", flush=True)
while not select.select([0], [], [], 0)[0]:
    for _ in range(20):
        act()
"""


@contextmanager
def exchanged(name: Path, link: Path) -> Iterator[None]:
    """Have another process put this link in the place of the name, and back. Skips the test where it cannot."""
    command = [sys.executable, "-I", "-c", PROGRAM, str(name), str(link)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            if process.stdout.readline() != b"yes\n":
                pytest.skip("a directory cannot be exchanged for a link here (renameat2, of Linux)")
            yield
            assert process.poll() is None, "nobody exchanged anything any more"
        finally:
            process.stdin.close()
