"""What the tests run as the child: python -I -S child.py DEED [ARGUMENT...]"""

import os
import signal
import stat
import sys

assert sys.platform == "linux"


def kinds(path: str) -> None:
    """Write what 0, 1 and 2 are, and what came of using them, to `path`; leave with 7."""
    facts = []
    for number in (0, 1, 2):
        try:
            mode = os.fstat(number).st_mode
            facts.append(f"{number} {stat.S_IFMT(mode):o} tty={os.isatty(number)} {os.get_blocking(number)}")
        except OSError as error:
            facts.append(f"{number} {error.strerror}")
    for number in (1, 2):
        try:
            facts.append(f"{number} took {os.write(number, bytes([48 + number]))}")
        except OSError as error:
            facts.append(f"{number} {error.strerror}")
    try:
        facts.append(f"0 gave {os.read(0, 100)!r}")
    except OSError as error:
        facts.append(f"0 {error.strerror}")
    with open(path, "w") as file:
        file.write("\n".join(facts))
    os._exit(7)


def surroundings() -> None:
    """Print what a program can find out about how it was started."""
    facts = [
        b"nice %d" % os.nice(0),
        b"umask %o" % os.umask(0),
        b"session %d" % os.getsid(0),
        b"files " + b" ".join(sorted(os.listdir(b"/proc/self/fd"))),
    ]
    try:
        facts.append(b"cwd " + os.getcwdb())
    except OSError as error:
        facts.append(b"cwd " + os.fsencode(str(error.strerror)))
    facts += _read("/proc/self/limits").splitlines()
    inherited = (b"Umask", b"Uid", b"Gid", b"Groups", b"Cap", b"NoNewPrivs", b"SigBlk", b"SigIgn", b"SigCgt")
    facts += [line for line in _read("/proc/self/status").splitlines() if line.startswith(inherited)]
    os.write(1, b"\n".join(facts))


def arguments(*_: str) -> None:
    """Print our command line as the kernel has it."""
    os.write(1, _read("/proc/self/cmdline"))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def note_signals(path: str, *names: str) -> None:
    """Append to `path` "ready" and our process id, then each signal that comes; end with 3 on SIGRTMAX."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(number: int, frame: object) -> None:
        os.write(log, numbers[number].encode() + b"\n")

    numbers = {}
    for name in names:
        base, _, above = name.partition("+")
        numbers[getattr(signal, base) + int(above or 0)] = name
    for number in numbers:
        signal.signal(number, note)
    signal.signal(signal.SIGRTMAX, lambda number, frame: os._exit(3))
    # Not signal.pause: one that comes right before it would be noted only with the next.
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    os.write(log, b"ready %d\n" % os.getpid())
    while True:
        os.read(woken, 1)


def write_chunks(count: str) -> None:
    """Write `count` numbered chunks of 64 KiB to 1."""
    for number in range(int(count)):
        block = memoryview((b"%015d\n" % number) * 4096)
        while block:
            block = block[os.write(1, block) :]


def take_turns() -> None:
    """Write 2000 numbered lines in turns to 1 and 2."""
    for number in range(2000):
        os.write(1 + number % 2, b"%d\n" % number)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
