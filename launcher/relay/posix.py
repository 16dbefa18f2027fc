"""The launcher's part of a run: start the child, pass signals on, stop and end as it does.

Three processes in the caller's one process group: this one, the relay process, and the child. The child has
the caller's session, terminal and input for its own; we keep nothing of them.
"""

from __future__ import annotations

import _thread
import sys

assert sys.platform != "win32"  # first, or the type checker looks for what follows on Windows too
# ruff: noqa: E402

import os

from launcher.relay.descriptors import Held, duplicate, pipe, poller
from launcher.relay.ended import Ended
from launcher.relay.handover import become, hold_signals, holdable_signals
from launcher.relay.relay_process import RelayProcess
from launcher.relay.routes import open_routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.relay.child import Observer
    from launcher.relay.handover import Environment
    from launcher.relay.routes import Route
else:
    import _signal

_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_BEGINNING_MILLISECONDS = 20
# What the child is told when it may begin: with its output relayed, or left as it is. Nothing, if the launcher is gone.
_RELAYED, _UNRELAYED = b"r", b"u"


def run(
    program: bytes,
    argv: list[bytes],
    environment: Environment,
    *,
    inherit_terminal: bool,
    observer: Callable[[], Observer],
    at_once: Callable[[], None],
    meanwhile: Callable[[], None],
    at_end: Callable[[], None],
    keep_stderr: bool = False,
) -> Ended:
    """Run `program` to its end, relaying what is relayed of its output.

    `observer` is called in the relay process, when there is something to see. `at_once` is called in this thread as
    soon as the child runs, and may fork; `meanwhile` then in a thread of its own; when that has returned and the child
    has ended, `at_end`, while the last of its output goes on. What any of them raises is dropped.
    With `keep_stderr`, Ended.stderr is a duplicate of standard error for something to say afterwards.
    With `inherit_terminal`, a terminal is handed down untouched instead of being relayed.

    When this returns, our own 0, 1 and 2 are /dev/null. Where there can be no child, the program takes this process's
    place, and this does not return at all.
    """
    hold_signals()
    try:
        stderr = duplicate(2, lowest=10) if keep_stderr else None
    except OSError:
        stderr = None  # the caller closed it
    routes = open_routes(inherit_terminal)
    try:
        relay = RelayProcess(routes, observer)
        kept = [*relay.descriptors, *([] if stderr is None else [stderr])]
        child, failure, gate = _spawn(program, argv, environment, routes, kept)
    except Exception:  # whatever it was: the program runs
        status = _run_in_place(program, argv, environment)
        return Ended(status, report=b"", ran=False, stderr=stderr)
    early = _signal.sigpending() & holdable_signals()
    is_relayed = relay.start(child)
    _pass_on_early(early, child)
    _open(gate, _RELAYED if is_relayed else _UNRELAYED)
    _let_it_begin(failure)
    _try(at_once)
    thinking = _start(meanwhile)
    status = _follow(child, relay)
    relay.child_ended()
    ran = not os.read(failure, 1)
    thinking.acquire()
    if ran:
        _try(at_end)
    # Held until the output has gone on: whoever has read it to its end may hang up the terminal at once.
    report = relay.report(unread=_take_signals_ourselves)
    _hold_again()
    return Ended(status, report=report, ran=ran, stderr=stderr, relay=0 if relay.stays else relay.pid)


def _spawn(
    program: bytes, argv: list[bytes], environment: Environment, routes: list[Route], kept: list[int]
) -> tuple[int, int, int]:
    """Start the child, and from then on hold nothing of the caller's, and nothing at all but what is to be kept.

    Returns its process id, and two descriptors. The first has a byte to read if exec failed, and ends when the program
    begins. The second is the gate: the program begins when it is told so there. By then we have let go, so that an end
    of file and an EPIPE are at once what they would be without us. Meanwhile the child does what a new process has to.
    """
    failure, failed = pipe()
    opening, gate = pipe()
    held = Held([failure, gate, *kept])
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, it would keep the child's status from us
    child = os.fork()
    if child == 0:
        try:
            os.close(gate)
            told = os.read(opening, 1)
            if told == _RELAYED:
                _take_routes(routes)
            if told:
                status = _run_in_place(program, argv, environment)
                os.write(failed, b"!")
                os._exit(os.WEXITSTATUS(status))
        finally:
            os._exit(_NOT_EXECUTABLE)
    held.let_go()
    return child, failure, gate


def _open(gate: int, told: bytes) -> None:
    try:
        os.write(gate, told)
    except OSError:
        pass  # somebody has killed the child
    os.close(gate)


def _let_it_begin(failure: int) -> None:
    """Wait until the program has begun, which ends the file: what we do next would take a processor from it.

    With two processors that is 0.6 ms less for a program that takes its time, and 0.8 more for one that ends at once.
    """
    # It may be waiting for this very processor, even with the other one idle; and to poll is to import first: 0.5 ms.
    os.sched_yield()
    poller(failure).poll(_BEGINNING_MILLISECONDS)


def _take_routes(routes: list[Route]) -> None:
    for route in routes:
        for number in route.numbers:
            os.dup2(route.child_end, number)


def _run_in_place(program: bytes, argv: list[bytes], environment: Environment) -> int:
    """Become the program. Returns only if that fails: having said so, with the wait status to end with."""
    try:
        become(program, argv, environment)
    except OSError as error:
        reason = os.fsencode(os.strerror(error.errno or 0))
        try:
            os.write(2, b"chef-run-launcher: cannot run %s: %s\n" % (program, reason))
        except OSError:
            pass  # the caller closed it
        return (_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE) << 8


def _try(what: Callable[[], None]) -> None:
    try:
        what()
    except BaseException:
        pass


def _start(meanwhile: Callable[[], None]) -> _thread.LockType:
    """Call `meanwhile` in a thread. The lock that is returned can be had when it is done."""
    done = _thread.allocate_lock()
    done.acquire()

    def think() -> None:
        _try(meanwhile)
        done.release()

    try:
        _thread.start_new_thread(think, ())
    except RuntimeError:
        think()  # no thread to be had
    return done


def _pass_on_early(early: set[int], child: int) -> None:
    """Pass on what came before there was a relay process to tell whether the group has had it.

    The child holds its signals still: with one that it has had, this one becomes one.
    """
    for number in early:
        _signal.sigwait({number})
        os.kill(child, number)


def _follow(child: int, relay: RelayProcess) -> int:
    """Do as the child does, and have it get what we get, until it has ended. Returns its wait status."""
    awaited = holdable_signals() | {_signal.SIGCHLD}
    stopped_by = 0
    while True:
        changed, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if changed and os.WIFSTOPPED(status):
            alone = relay.drain_before_stop()
            stopped_by = os.WSTOPSIG(status)
            _prepare_to_stop_by(stopped_by, alone)
        elif changed and os.WIFCONTINUED(status):
            _do_not_stop_by(stopped_by)
            stopped_by = 0
        elif changed:
            return status
        elif not stopped_by:
            _take_next(awaited, child, relay)
        elif _signal.SIGCONT in _signal.sigpending():
            # To the group, and the child may go on already; or to us alone, and then it goes on now.
            _take_next({_signal.SIGCONT}, child, relay)
        else:
            _stop_by(stopped_by)
            stopped_by = 0


def _take_next(awaited: set[int], child: int, relay: RelayProcess) -> None:
    """Wait for a signal, and give it to the child, unless it has had it along with the group."""
    number, sender = _wait_for_signal(awaited)
    if number == _signal.SIGCHLD:
        return
    reached_group = relay.reached_group(number)
    if reached_group and os.getpgid(child) == os.getpgrp():
        return
    if sender != child:
        os.kill(child, number)
    elif not reached_group and os.getppid() > 1:
        os.kill(os.getppid(), number)  # a program that signals its parent means ours


if sys.platform == "linux":

    def _wait_for_signal(awaited: set[int]) -> tuple[int, int]:
        """Wait for a signal. Returns its number, and the process that sent it, 0 if that is not known."""
        signal = _signal.sigwaitinfo(awaited)
        return signal.si_signo, signal.si_pid

else:

    def _wait_for_signal(awaited: set[int]) -> tuple[int, int]:
        """Wait for a signal. Returns its number, and 0: the system does not tell who sent it."""
        return _signal.sigwait(awaited), 0


def _prepare_to_stop_by(number: int, alone: bool) -> None:
    """Have the signal that has stopped the child pending, before looking again whether the child is stopped.

    In this order no SIGCONT comes too early: the kernel takes a pending stop back with it, and a SIGCONT from before
    with the stop. Not before the child has stopped: it may clean up the terminal first, or ignore the signal. Our own
    copy of a signal that the terminal sent is still pending, or merges with this one: we stop once.

    `alone`: it is not the whole group that has been stopped.
    """
    if number != _signal.SIGSTOP:
        _signal.signal(number, _signal.SIG_DFL)  # the caller may ignore what the child does not
        os.kill(os.getpid(), number)
    elif alone and _signal.SIGCONT in _signal.sigpending():
        # SIGSTOP cannot be held: what it takes back, we do. One to the group has done so, and what is here came later.
        _signal.sigwait({_signal.SIGCONT})


def _do_not_stop_by(number: int) -> None:
    """The child goes on again: so do we."""
    if number in _signal.sigpending():
        _signal.sigwait({number})


def _stop_by(number: int) -> None:
    """Stop by the signal that has stopped the child, as its shell expects; return when continued."""
    if number == _signal.SIGSTOP:
        os.kill(os.getpid(), number)
    else:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
        _hold_again()


def _take_signals_ourselves() -> None:
    """The child has ended, and its signals with it; what comes now, while nobody reads its output, is for us."""
    held = holdable_signals()
    for number in _signal.sigpending() & held:
        _signal.sigwait({number})
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, held)


def _hold_again() -> None:
    _signal.pthread_sigmask(_signal.SIG_BLOCK, holdable_signals())


def end_like(ended: Ended) -> NoReturn:
    """End this process as the child has ended: with the same exit code, or by the same signal.

    A shell tells the two apart: a loop goes on after exit code 130, and stops after death by SIGINT.
    """
    if ended.relay:
        os.waitpid(ended.relay, 0)  # here, when it has long ended, and not in run(): 0.3 ms
    if os.WIFSIGNALED(ended.status):
        import resource

        number = os.WTERMSIG(ended.status)
        # The child's core is the one to look at.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != _signal.SIGKILL:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
        os._exit(128 + number)  # the first process of a container does not die of its own signals
    os._exit(os.WEXITSTATUS(ended.status))
