"""The detached process that sends the sessions of earlier runs while chef-run runs."""

from __future__ import annotations

import os
import sys
import time

from launcher import handover

LIFETIME = 30  # seconds, after which it is ended wherever it is
WORD = "send"  # what our own __main__.py takes for it: `send NANOSECONDS`


def start() -> None:
    """Start the sender for what is stored by now, and do not wait for it. Raises OSError.

    Its command line holds nothing but the moment: who lists processes learns nothing of the run.
    """
    moment = time.time_ns()
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
    command = [sys.executable, "-I", "-S", program, WORD, str(moment)]
    if sys.platform == "win32":
        import subprocess

        flags = (
            subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
        null = subprocess.DEVNULL
        subprocess.Popen(command, stdin=null, stdout=null, stderr=null, creationflags=flags, cwd=os.sep)
        return
    # Twice, so that init and not we must wait for it.
    child = os.fork()
    if child:
        try:
            os.waitpid(child, 0)
        except ChildProcessError:
            pass  # the caller ignores SIGCHLD: nothing is left to be waited for
        return
    try:
        handover.restore_signals()
        os.setsid()
        if os.fork():
            os._exit(0)
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        # The caller's other descriptors too: make, for one, waits for whoever holds those of its job server.
        for descriptor in [int(name) for name in os.listdir("/dev/fd")]:
            if descriptor > 2:
                _close(descriptor)
        os.nice(10)
        os.execve(command[0], command, os.environ)
    finally:
        os._exit(1)


def main(moment: str) -> None:
    """Be the sender; `moment` is when the run that started it began, in nanoseconds since the epoch."""
    _limit_lifetime()
    from launcher import dependencies, schedule
    from launcher.situation import Situation

    home = Situation(os.environ).home
    if home is None or not schedule.is_due(home):
        return
    dependencies.make_importable("urllib3", "fastjsonschema")
    from launcher.delivery import deliver

    deliver(os.environ, stored_before=int(moment) / 1e9)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # the one that listed them


def _limit_lifetime() -> None:
    """End this process after LIFETIME, also where it waits in a name lookup that nothing else can interrupt."""
    if sys.platform == "win32":
        import threading

        timer = threading.Timer(LIFETIME, os._exit, args=(1,))
        timer.daemon = True
        timer.start()
    else:
        import signal

        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.alarm(LIFETIME)
