"""Runs commands of the launcher: python commands.py LAUNCHER <COMMANDS, a list of lists of words in JSON.

Each is a process of its own, with outputs of its own; but what all of them import, which takes longer than most of them
do, has been imported once, by the process that they are forked from. Prints a list of exit codes and outputs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

import launcher.cli.app  # noqa: F401
from launcher.__main__ import main

assert sys.platform != "win32"


def run(words: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        pid = os.fork()
        if pid == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            sys.argv[1:] = words
            main()
        _, status = os.waitpid(pid, 0)
        for file in (output, errors):
            file.seek(0)
        return os.WEXITSTATUS(status), output.read().decode("latin-1"), errors.read().decode("latin-1")


commands = json.load(sys.stdin)
del sys.argv[0]
print(json.dumps([run(words) for words in commands]))
