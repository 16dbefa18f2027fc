"""What the caller gave us, byte for byte: arguments, environment, signals. And becoming the program with it.

Imported on every wrapped run before the child exists, so it imports next to nothing.
"""

from __future__ import annotations

import errno
import os
import sys

from launcher import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import Any, NoReturn
else:
    import _signal  # `signal` builds enums and costs as much as everything else here together

# As shells have it.
NOT_FOUND = 127
NOT_EXECUTABLE = 126
# CPython changes these before our first line runs; the program must find them as the caller set them.
_CHANGED_BY_PYTHON = ("SIGINT", "SIGPIPE", "SIGXFSZ")
# What PEP 538 may add to the environment.
_COERCIONS = (b"LC_CTYPE=C.UTF-8", b"LC_CTYPE=C.utf8", b"LC_CTYPE=UTF-8")
# Shells that never ignore SIGPIPE for themselves: what they ignore, they mean for their commands.
_SHELLS = ("bash", "dash", "zsh")


class Environment:
    """The caller's environment: order, duplicates and non-UTF-8 kept. os.execve takes it as it is."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: list[bytes], values: list[bytes]) -> None:
        self._names = names
        self._values = values

    def get(self, name: bytes) -> bytes | None:
        """The first value of `name`, as getenv(3) finds it."""
        return self._values[self._names.index(name)] if name in self._names else None

    def plus(self, name: bytes, value: bytes) -> Environment:
        """The same with `name` set, in its old place if it had one."""
        names, values = list(self._names), list(self._values)
        if name in names:
            values[names.index(name)] = value
        else:
            names.append(name)
            values.append(value)
        return Environment(names, values)

    # What os.execve asks of a mapping; two lists rather than a dict keep duplicates and order.
    def keys(self) -> list[bytes]:
        return self._names

    def values(self) -> list[bytes]:
        return self._values

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: bytes) -> bytes:
        return self._values[self._names.index(name)]


def caller_environment() -> Environment:
    """The environment this process was started with.

    Not os.environ: PEP 538 puts LC_CTYPE into it where the locale is C, which has a program choose another encoding.
    An entry without `=` cannot be passed on by os.execve, and is left out.
    """
    names, values = [], []
    for entry in _environment_entries():
        # From index 1: Windows keeps names that start with `=`, and execve allows them elsewhere too.
        equals = entry.find(b"=", 1)
        if equals > 0:
            names.append(entry[:equals])
            values.append(entry[equals + 1 :])
    return Environment(names, values)


def _environment_entries() -> list[bytes]:
    try:
        return _read_whole("/proc/self/environ").split(b"\0")
    except OSError:
        entries = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in os.environ.items()]
    # No /proc here: what Python added can only be guessed from the locale that makes it do so.
    added = _COERCIONS if _locale_is_c() and sys.platform != "win32" else ()
    return [entry for entry in entries if entry not in added]


def _locale_is_c() -> bool:
    return (os.environ.get("LC_ALL") or os.environ.get("LANG") or "C") in ("C", "POSIX")


def caller_arguments(arguments: list[str]) -> list[bytes]:
    """The exact bytes of these arguments, which are the last words of our command line.

    Decoding and encoding again is not exact in every locale, so the kernel's copy is preferred.
    """
    try:
        given = _read_whole("/proc/self/cmdline").split(b"\0")[:-1]
    except OSError:
        given = []
    if len(given) < len(arguments):
        return [os.fsencode(word) for word in arguments]
    return given[len(given) - len(arguments) :]


def forget_arguments() -> None:
    """Have this process show no arguments any more to those who list processes: some hold passwords.

    The kernel shows what stands where it once put them, at the places that /proc/self/stat ends its list with. Raises
    OSError where there is no /proc.
    """
    start, end = map(int, _read_whole("/proc/self/stat").rpartition(b")")[2].split()[45:47])
    memory = os.open("/proc/self/mem", os.O_WRONLY)
    try:
        os.lseek(memory, start, os.SEEK_SET)
        os.write(memory, NAME.encode()[: end - start - 1].ljust(end - start, b"\0"))
    finally:
        os.close(memory)


def _read_whole(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(file, 1 << 14):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(file)


class SignalState:
    """Signals as the caller had them: which were ignored, and which were blocked."""

    __slots__ = ("blocked", "ignored")

    def __init__(self, ignored: set[int], blocked: set[int]) -> None:
        self.ignored = ignored
        self.blocked = blocked


class Command:
    """What is to be run: a program, its arguments from its name on, and the caller's environment and signals."""

    __slots__ = ("arguments", "environment", "program", "signals")

    def __init__(self, program: bytes, arguments: list[bytes], environment: Environment, signals: SignalState) -> None:
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.signals = signals


def send(process: int, number: int) -> None:
    """Send a signal to a process that may have ended, or have become somebody else's."""
    try:
        os.kill(process, number)
    except OSError:
        pass


if sys.platform == "win32":

    def caller_signals() -> SignalState:
        """There are none to know of: the program is told of Ctrl-C by the console itself."""
        return SignalState(set(), set())

else:

    def caller_signals() -> SignalState:
        """What the caller ignores and blocks. To be asked before any of that is changed."""
        blocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
        ignored = {s for s in (_signal.SIGINT, _signal.SIGCHLD) if _signal.getsignal(s) is _signal.SIG_IGN}
        return SignalState(ignored | _ignored_by_the_shell(), {int(number) for number in blocked})

    def block_signals() -> None:
        """Have each signal that comes now wait for the program that it was meant for.

        Not before there is about to be one: until then, a signal does to us what it would do to a program that starts.
        """
        _signal.pthread_sigmask(_signal.SIG_BLOCK, signals_to_block() | {_signal.SIGCHLD})

    def signals_to_block() -> set[int]:
        """Every signal that a run blocks, waits for and passes on.

        Not SIGTTOU: it must stop the whole group at once, as it would without us. Nor SIGPIPE: if blocked, one that we
        get ourselves, for a process of ours that is gone, would wait for the program; so Python drops it.
        """
        others = {_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGTTOU, _signal.SIGPIPE, _signal.SIGCHLD}
        return {int(s) for s in _signal.valid_signals()} - others

    def restore_signals(state: SignalState) -> None:
        """Dispositions and mask as the caller had them, in a process that is about to exec."""
        for name in (*_CHANGED_BY_PYTHON, "SIGCHLD"):
            number = getattr(_signal, name)
            _signal.signal(number, _signal.SIG_IGN if number in state.ignored else _signal.SIG_DFL)
        # Last: what waited must meet the dispositions that are meant for it.
        _signal.pthread_sigmask(_signal.SIG_SETMASK, state.blocked)

    def _ignored_by_the_shell() -> set[int]:
        """Which of SIGPIPE and SIGXFSZ the caller ignores, if the caller is a shell.

        CPython ignores both at start-up and keeps no trace of what was there. A shell that ignores one
        (trap '' PIPE, or a shell started that way) hands exactly that down to its commands.
        """
        parent = f"/proc/{os.getppid()}"
        try:
            status = _read_whole(parent + "/status")
            _, found, rest = status.partition(b"\nSigIgn:")
            bits = int(rest.split(None, 1)[0], 16) if found else 0
            ignored = {s for s in (_signal.SIGPIPE, _signal.SIGXFSZ) if bits >> (s - 1) & 1}
            if ignored and os.path.basename(os.readlink(parent + "/exe")) in _SHELLS:
                return {int(s) for s in ignored}
        except (OSError, ValueError, IndexError):
            pass
        return set()

    def exec_in_place(command: Command) -> int:
        """Become the program, with the signals as the caller had them.

        Returns only where it cannot be executed, once that has been said: the exit code that a shell would give.
        """
        try:
            _exec(command)
        except OSError as error:
            return cannot_run(command, error)

    def _exec(command: Command) -> NoReturn:
        """Raises OSError. A script without an interpreter line goes to the shell, as POSIX execvp has it."""
        restore_signals(command.signals)
        variables: Any = command.environment  # two lists, where the type asks for a mapping without duplicates
        try:
            os.execve(command.program, command.arguments, variables)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        os.execve(b"/bin/sh", [b"/bin/sh", command.program, *command.arguments[1:]], variables)


def cannot_run(command: Command, error: OSError) -> int:
    """Say on standard error, in one line, why the program cannot be run; the exit code that a shell would give."""
    reason = os.fsencode(os.strerror(error.errno or 0))
    # A path may hold what a terminal would obey.
    program = "".join(each if each.isprintable() else "?" for each in os.fsdecode(command.program)).encode()
    try:
        os.write(2, b"%s: cannot run %s: %s\n" % (NAME.encode(), program, reason))
    except OSError:
        pass  # the caller closed it
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
