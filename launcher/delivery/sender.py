"""The detached process that sends the sessions of earlier runs while chef-run runs."""

from __future__ import annotations

import os
import sys
import time

from launcher import PACKAGE
from launcher.delivery import schedule
from launcher.home import lock
from launcher.relay import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from launcher.home.layout import Home
    from launcher.relay.handover import SignalState
elif sys.platform != "win32":
    import _signal  # `signal` itself takes 3.5 ms

LIFETIME = 30  # seconds, after which it is ended wherever it is
SENDING_TIME = LIFETIME - 5  # seconds; then it stops by itself, and notes how far it got
MAX_START_TIME = 0.25  # seconds that its start may hold up the end of a run
WORD = "send"  # what our own __main__.py takes for it: `send NANOSECONDS`

_LOCK = 3  # the descriptor by which it inherits the lock


def start(home: Home, stored_before: float, signals: SignalState) -> Callable[[], None] | None:
    """Start the sender for what was stored by then, and do not wait for it. Does nothing if one is at work.

    Returns what waits for its start, to be called when there is time; None if there is nothing to wait for. `signals`
    are those that the caller of the run had. Raises OSError if there can be none.

    The lock is taken and the attempt is noted before there is a sender: of any number of runs at once, one starts it,
    and where nothing can be written, none does.
    """
    starting = _start(home, int(stored_before * 1e9), signals)
    return None if starting is None else lambda: _reap(starting)


def main(moment: str) -> None:
    """Be the sender; `moment` is when the run that started it began, in nanoseconds since the epoch."""
    until = time.monotonic() + SENDING_TIME
    from launcher.consent.situation import Situation

    home = Situation(os.environ).home
    if home is None or (lock_fd := _lock(home)) is None:
        return
    from launcher import make_importable

    make_importable("urllib3", "fastjsonschema")
    from launcher.delivery.attempt import deliver

    try:
        deliver(os.environ, lock_fd, stored_before=int(moment) / 1e9, until=until)
    finally:
        lock.release(home, lock_fd)


def _command(moment: int) -> list[str]:
    """Its command line holds nothing but the moment: who lists processes learns nothing of the run."""
    program = os.path.join(PACKAGE, "__main__.py")
    return [sys.executable, "-I", "-S", program, WORD, str(moment)]


if sys.platform == "win32":

    def _start(home: Home, moment: int, signals: SignalState) -> int | None:
        """Returns None: there is nothing to wait for."""
        import subprocess

        lock_fd = lock.take(home)
        if lock_fd is None:
            return None
        lock.release(home, lock_fd)  # it cannot be inherited here: the sender takes it again
        schedule.begin(home)
        flags = (
            subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
        null = subprocess.DEVNULL
        subprocess.Popen(_command(moment), stdin=null, stdout=null, stderr=null, creationflags=flags, cwd=os.sep)
        return None

    def _reap(starting: int) -> None:
        """Does nothing."""

    def _lock(home: Home) -> int | None:
        """Take the lock, which cannot be inherited here, until this process ends; and have that end come in time."""
        import threading

        timer = threading.Timer(LIFETIME, os._exit, args=(1,))
        timer.daemon = True
        timer.start()
        return lock.take(home)

else:
    from launcher.quiet import quietly
    from launcher.relay import descriptors

    def _start(home: Home, moment: int, signals: SignalState) -> int:
        """Returns the process that starts it."""
        until = time.monotonic() + LIFETIME
        # Twice, so that init and not we must wait for it.
        starting = os.fork()
        if starting == 0:
            quietly(_become_sender, home, moment, signals, until)
            os._exit(1)
        return starting

    def _reap(starting: int) -> None:
        """Wait for the process that starts it, which has long ended unless a lock does not answer."""
        until = time.monotonic() + MAX_START_TIME
        while os.waitpid(starting, os.WNOHANG)[0] == 0 and time.monotonic() < until:
            time.sleep(0.005)

    def _become_sender(home: Home, moment: int, signals: SignalState, until: float) -> None:
        """In a process of its own: take the lock, note the attempt, and exec the sender. Returns if one is at work.

        None of this lives longer than `until`, by the monotonic clock.
        """
        # First: a Ctrl-Z that is meant for chef-run must not stop us any more.
        os.setsid()
        # The relay process must see our launcher's end; and make, for one, waits for whoever holds what is its own.
        home.close()
        descriptors.close([number for number in descriptors.open_descriptors() if number > 2])
        os.nice(19)  # from here on whatever else there is to do comes first
        quietly(handover.forget_arguments)
        # Here and not in the launcher: a lock may never answer; and where files may not grow, the kernel sends who
        # writes one a signal, which the launcher would pass on to chef-run.
        _end_at(until)
        lock_fd = lock.take(home)
        if lock_fd is None:
            return
        try:
            schedule.begin(home)
        except BaseException:
            lock.release(home, lock_fd)
            raise
        handover.restore_signals(signals)
        if os.fork():
            os._exit(0)
        _end_at(until)
        environment = _environment()
        os.chdir("/")
        os.dup2(lock_fd, _LOCK)
        nothing = descriptors.null()
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        for descriptor in (0, 1, 2, _LOCK):
            os.set_inheritable(descriptor, True)  # which dup2 leaves undone where both are one
        command = _command(moment)
        os.execve(command[0], command, environment)

    def _environment() -> dict[str, str]:
        """The caller's, with paths that mean the same in another directory."""
        environment = dict(os.environ)
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if environment.get(name) and not os.path.isabs(environment[name]):
                environment[name] = os.path.abspath(environment[name])
        return environment

    def _end_at(until: float) -> None:
        """Have this process end then, whatever it is and wherever it waits: a timer outlasts an exec, not a fork."""
        _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGALRM})
        _signal.setitimer(_signal.ITIMER_REAL, max(0.001, until - time.monotonic()))

    def _lock(home: Home) -> int | None:
        """The lock, which was inherited; None if it was not."""
        return _LOCK if lock.is_ours(home, _LOCK) else None
