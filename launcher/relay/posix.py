"""The launcher's part of a run: start the child, pass signals on, stop and end as it does."""

from __future__ import annotations

import _thread
import os
import select
import sys
import fcntl

from launcher.handover import become, hold_signals, holdable_signals
from launcher.relay import copier
from launcher.relay.ended import Ended
from launcher.relay.routes import above_standard, let_go, open_routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.handover import Environment
    from launcher.relay.ended import Observer
    from launcher.relay.routes import Route
else:
    import _signal

_CANNOT_EXECUTE = 126
_NOT_FOUND = 127
_ANSWER_SECONDS = 1


def run(
    program: bytes,
    argv: list[bytes],
    environment: Environment,
    *,
    inherit_terminal: bool,
    observer: Callable[[], Observer],
    meanwhile: Callable[[], None],
    keep_stderr: bool = False,
) -> Ended:
    hold_signals()
    routes = open_routes(inherit_terminal)
    try:
        stderr = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 10) if keep_stderr else None
        relay = _Relay(routes, observer)
        early = _signal.sigpending()
        child, failure = _spawn(program, argv, environment, routes)
    except OSError:
        return Ended(_run_in_place(program, argv, environment), report=b"", ran=False, stderr=None)
    let_go([relay.orders, relay.answers, failure] + ([] if stderr is None else [stderr]))
    relay.serve(child)
    finished = _start(meanwhile)
    for number in early & holdable_signals():  # sent before there was a child to get them
        _signal.sigwait({number})
        os.kill(child, number)
        relay.reached_group(number)
    status = _wait(child, relay)
    ran = not os.read(failure, 1)
    _take_signals_again()
    report = relay.finish()
    _signal.pthread_sigmask(_signal.SIG_BLOCK, holdable_signals())
    finished.acquire()
    return Ended(status, report=report, ran=ran, stderr=stderr)


def _start(meanwhile: Callable[[], None]) -> _thread.LockType:
    finished = _thread.allocate_lock()
    finished.acquire()

    def run_quietly() -> None:
        try:
            meanwhile()
        except BaseException:
            pass
        finally:
            finished.release()

    try:
        _thread.start_new_thread(run_quietly, ())
    except RuntimeError:
        run_quietly()
    return finished


def _take_signals_again() -> None:
    """What came while the child lived is settled; what comes while its output drains is for us."""
    held = holdable_signals()
    for number in _signal.sigpending() & held:
        _signal.sigwait({number})
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, held)


class _Relay:
    """The relay process, as the launcher sees it."""

    def __init__(self, routes: list[Route], observer: Callable[[], Observer]) -> None:
        orders, self.orders = _pipe()
        self.answers, answers = _pipe()
        self._heard: list[int] = []
        self.pid = os.fork()
        if self.pid == 0:
            try:
                copier.serve(routes, observer, orders, answers)
            finally:
                os._exit(0)

    def serve(self, child: int) -> None:
        _write(self.orders, b"%d\n" % child)

    def reached_group(self, number: int) -> bool:
        """Whether the whole process group got this signal, and so the child too."""
        _write(self.orders, copier.ASK)
        answer = self._read_answer()
        self._heard += answer
        reached = number in self._heard
        if reached:
            self._heard.remove(number)
        pending = _signal.sigpending()
        self._heard = [n for n in self._heard if n in pending]
        return reached

    def _read_answer(self) -> bytes:
        poller = select.poll()
        poller.register(self.answers, select.POLLIN)
        answer = b""
        while not answer.endswith(b"\0") and poller.poll(_ANSWER_SECONDS * 1000):
            piece = os.read(self.answers, 64)
            if not piece:
                break
            answer += piece
        return answer

    def finish(self) -> bytes:
        _write(self.orders, copier.CHILD_ENDED)
        answer = b""
        while piece := os.read(self.answers, 1 << 16):
            answer += piece
        return answer.partition(b"\0")[2]


def _write(orders: int, order: bytes) -> None:
    try:
        os.write(orders, order)
    except OSError:
        pass


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    return above_standard(read), above_standard(write)


def _spawn(
    program: bytes, argv: list[bytes], environment: Environment, routes: list[Route]
) -> tuple[int, int]:
    failure, failed = _pipe()
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        try:
            for route in routes:
                for number in route.numbers:
                    os.dup2(route.child_end, number)
            status = _run_in_place(program, argv, environment)
            os.write(failed, b"!")
            os._exit(status >> 8)
        finally:
            os._exit(_CANNOT_EXECUTE)
    return child, failure


def _run_in_place(program: bytes, argv: list[bytes], environment: Environment) -> int:
    """Become the program; returns only if that fails, and then the wait status to end with."""
    try:
        become(program, argv, environment)
    except OSError as error:
        _write(2, b"chef-run-launcher: cannot run %s: %s\n" % (program, os.fsencode(error.strerror)))
        return (_NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_EXECUTE) << 8


def _wait(child: int, relay: _Relay) -> int:
    awaited = holdable_signals() | {_signal.SIGCHLD}
    while True:
        pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            _stop_by(os.WSTOPSIG(status))
            continue
        if pid:
            return status
        number, sender = _next_signal(awaited)
        if number == _signal.SIGCHLD:
            continue
        reached = relay.reached_group(number)
        if sender == child:
            # A program that signals its parent means ours; the group has had its share anyway.
            if not reached:
                os.kill(os.getppid(), number)
        elif not reached or os.getpgid(child) != os.getpgrp():
            os.kill(child, number)


if sys.platform == "linux":

    def _next_signal(awaited: set[int]) -> tuple[int, int]:
        info = _signal.sigwaitinfo(awaited)
        return info.si_signo, info.si_pid

else:

    def _next_signal(awaited: set[int]) -> tuple[int, int]:
        return _signal.sigwait(awaited), 0


def _stop_by(number: int) -> None:
    """Stop as the child has stopped, and come back when continued."""
    if number == _signal.SIGSTOP:
        os.kill(os.getpid(), number)
        return
    os.kill(os.getpid(), number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
    if number != _signal.SIGTTOU:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, {number})


def end_like(ended: Ended) -> NoReturn:
    """End this process as the child ended: the same exit code, or death by the same signal."""
    if os.WIFSIGNALED(ended.status):
        import resource

        number = os.WTERMSIG(ended.status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the child's core is the one to look at
        if number != _signal.SIGKILL:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
        os._exit(128 + number)  # the first process of a container does not die of its own signals
    os._exit(os.WEXITSTATUS(ended.status))
