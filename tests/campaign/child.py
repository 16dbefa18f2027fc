#!/usr/bin/env python3
"""A hostile chef-run: it does the deeds that CAMPAIGN_DEEDS names, one after the other, and leaves with 7.

A deed is a function here, with its arguments: "raw 0;flood 1 100;die SIGSEGV". Each does the same at each time, so that
what is seen of it with the launcher can be compared with what is seen without.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import tty

assert sys.platform == "linux"

CODE = 7
PAYLOAD = """---
version: 1.1.1
entries:
- :event: :run
  :properties:
    :event_data:
      :arguments:
      - :redacted
      :duration: 0.1
"""
GARBAGE = "- :event: :run\n  :properties: [[[[\n" * 100_000
TEXTS = [
    b"'freebsd' is not a supported target operating system at this time.\n",
    b"  platform: rocky\n  platform version: 9.4\n  architecture: x86_64\n",
    b"\x1b[?25l\x1b7\x1b[999999A\x1b[0m\x1b[2K\x1b[1G[|] [",
    b"\x1b]0;" + b"x" * 9000,
    b"\xf0\x9f\xff\x00\x80" * 50,
    b"Host: x Error: CHEFTARG001: " * 300 + b"\n",
]


def raw(descriptor: str) -> None:
    """Leave the terminal in raw mode, if that is one."""
    if os.isatty(int(descriptor)):
        tty.setraw(int(descriptor))


def hold(seconds: str) -> None:
    """Leave a process behind that holds our output, and has a word to say in the end if that is no terminal."""
    if os.fork() == 0:
        _speak_later(float(seconds))


def leave(seconds: str) -> None:
    """The same, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        _speak_later(float(seconds))


def _speak_later(seconds: float) -> None:
    try:
        time.sleep(seconds)
        if not os.isatty(1):  # which may be gone by then, or not
            os.write(1, b"late\n")
    finally:
        os._exit(0)


def close(first: str, end: str) -> None:
    """Close our descriptors, and be busy with something else for a while."""
    os.closerange(int(first), int(end))
    time.sleep(0.05)


def flood(descriptor: str, kibibytes: str) -> None:
    """Write much."""
    for number in range(int(kibibytes)):
        _write(int(descriptor), b"%015d\n" % number * 64)


def nonblocking(descriptor: str) -> None:
    """Change what we share with whoever has the other end."""
    os.set_blocking(int(descriptor), False)


def lie(descriptor: str) -> None:
    """Write what a reader of our output might take for something."""
    for text in TEXTS:
        _write(int(descriptor), text)


def parent(name: str) -> None:
    """Send a signal to who has started us."""
    os.kill(os.getppid(), getattr(signal, name))
    time.sleep(0.05)


def die(name: str) -> None:
    """Die by a signal."""
    if name != "SIGKILL":
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.kill(os.getpid(), getattr(signal, name))


def payload(kind: str) -> None:
    """Leave a payload as chef-run leaves it, or does not leave it. Whatever is exchanged, nothing else is touched."""
    name = "telemetry-payload-1.yml"
    folder = os.open(os.environ["HOME"], os.O_DIRECTORY)
    for each in (".chef-workstation", "telemetry"):
        folder = os.open(each, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    for remove in (os.unlink, os.rmdir):
        try:
            remove(name, dir_fd=folder)
        except OSError:
            pass  # there is none, or it is no folder
    if kind == "fifo":
        os.mkfifo(name, dir_fd=folder)
    elif kind == "link":
        os.symlink(os.environ["CAMPAIGN_OUTSIDE"], name, dir_fd=folder)
    elif kind == "folder":
        os.mkdir(name, dir_fd=folder)
    else:
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder), "w") as file:
            file.write(PAYLOAD + (GARBAGE if kind == "garbage" else ""))


def _write(descriptor: int, content: bytes) -> None:
    while content:
        try:
            content = content[os.write(descriptor, content) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


if __name__ == "__main__":
    try:
        for deed in os.environ["CAMPAIGN_DEEDS"].split(";"):
            name, *words = deed.split()
            globals()[name](*words)
    except OSError:
        os._exit(CODE + 1)  # what a deed needs, one before it has closed, or somebody has exchanged
    os._exit(CODE)
