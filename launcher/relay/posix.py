"""The launcher's part of a run on POSIX systems: start the program, do as it does, end as it ends.

Four processes in the caller's one process group; the program has the caller's session, terminal and input for its own.

  who                   does                                holds                            its signals
  launcher, main thread passes signals on, stops and goes   /dev/null on 0, 1 and 2; pipes   blocked, but SIGTTOU;
                        on as the child does; then does     to the relay process; standard   taken one by one
                        what is left to do after the end    error, if it is to be kept
  launcher, a thread    waits for the helper process        its result                       blocked
  launcher, a thread    stops the launcher                  nothing                          blocked, stops pending
  relay process, main   obeys; hears the group's signals;   /dev/null on 0, 1 and 2; pipes   taken, and told to the
                        follows the terminal's size         to the launcher                  launcher; faults kill it
  relay process, a      copies, and shows the observer      the end of what the child        blocked
  thread a route        what has gone by                    writes to; the caller's output
  helper process        what there is to do meanwhile,      /dev/null on 0, 1 and 2; what    blocked, but SIGTTOU
                        and ends: helper_process.py         it opens itself
  child, until exec     waits at the gate                   all of the caller's              blocked; then the caller's

The gate is a pipe from which the child reads one word: the relay process has been made, and the launcher holds nothing
of the caller's any more. The relay process lets go first thing: an end of file, an EPIPE and a lock are what they would
be without us.
"""

from __future__ import annotations

import os
import sys

from launcher import quiet
from launcher.relay.descriptors import Unneeded, close, duplicate, pipe, poller
from launcher.relay.handover import NOT_EXECUTABLE, block_signals, exec_in_place, send, signals_to_block
from launcher.relay.relay_process import RelayProcess, tell
from launcher.relay.routes import copy_plainly, open_routes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn

    from launcher.relay.handover import Command
    from launcher.relay.job_control import GroupSignals, Stopper
    from launcher.relay.routes import Route
    from launcher.relay.watcher import Observer
else:
    import _signal  # `signal` itself takes 3.5 ms

# How long to wait for a reader; after that, signals end the launcher.
_DRAIN_MILLISECONDS = 250
_BEGINNING_MILLISECONDS = 20


def start(
    command: Command, make_observer: Callable[[], Observer], *, inherit_terminal: bool, keep_stderr: bool
) -> Child:
    """Start the program, with its output relayed. Our own 0, 1 and 2 are /dev/null from then on.

    Where there can be no child or no relay process, the program takes this process's place, and this does not return.
    `make_observer` is called in the relay process. With `inherit_terminal`, a terminal is handed down untouched instead
    of being relayed. With `keep_stderr`, Child.stderr is a duplicate of standard error for something to say afterwards.
    """
    block_signals()
    try:
        stderr = _standard_error() if keep_stderr else None
        return _start(command, make_observer, open_routes(inherit_terminal), stderr)
    except Exception as error:  # whatever it was: the program runs
        quiet.note(error)
        os._exit(exec_in_place(command))


def _standard_error() -> int | None:
    try:
        return duplicate(2, lowest=10)
    except OSError:
        return None  # the caller closed it


def _start(command: Command, make_observer: Callable[[], Observer], routes: list[Route], stderr: int | None) -> Child:
    relay = RelayProcess(routes, lambda *life: _serve(routes, make_observer, *life))
    failure, failed = pipe()
    waiting, gate = pipe()
    ours = [failure, gate, *([] if stderr is None else [stderr])]
    unneeded = Unneeded([*ours, *relay.descriptors])
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, it would keep the child's status from us
    pid = os.fork()
    if pid == 0:
        os.close(gate)
        _be_the_program(command, routes, waiting, failed)
    try:
        relay.start(pid, unneeded, ours)
    except OSError:
        _dismiss(pid, gate)
        raise
    # From here on nothing may fail: the program runs as this child, and is not to be run in our place as well.
    child = Child(pid, relay, failure, stderr)
    quiet.quietly(unneeded.let_go)
    quiet.quietly(child.pass_on_what_came_early)
    tell(gate, b"!")
    os.close(gate)
    quiet.quietly(_let_it_begin, failure)
    return child


def _serve(routes: list[Route], make_observer: Callable[[], Observer], child: int, orders: int, answers: int) -> None:
    """In the relay process: its life. Imported here, while the program starts."""
    try:
        from launcher.relay.serving import serve

        serve(routes, make_observer, child, orders, answers)
    except Exception as error:  # an upgrade is under way, memory is short; the program has begun, and writes
        quiet.note(error)
        close([orders, answers])
        copy_plainly(routes)


def _let_it_begin(failure: int) -> None:
    """Wait until the program has begun, which ends the file: what we import next would hold it up by 1.4 ms.

    The budget of scripts/bench needs this, measured with a child of 0.25 s on two processors.
    """
    os.sched_yield()
    poller(failure).poll(_BEGINNING_MILLISECONDS)


def _dismiss(child: int, gate: int) -> None:
    """Have a child that waits at the gate end, and leave no trace of it."""
    os.close(gate)
    os.waitpid(child, 0)
    if _signal.SIGCHLD in _signal.sigpending():
        _signal.sigwait({_signal.SIGCHLD})


def _be_the_program(command: Command, routes: list[Route], waiting: int, failed: int) -> NoReturn:
    """In the child: become the program when the gate opens. If it closes instead, there is no launcher to run it."""
    try:
        if os.read(waiting, 1):
            for route in routes:
                for number in route.numbers:
                    os.dup2(route.child_end, number)
            code = exec_in_place(command)
            os.write(failed, b"!")
            os._exit(code)
    finally:
        os._exit(NOT_EXECUTABLE)


class Child:
    """The program as it runs. Each of `wait`, `drain` and `exit_the_same_way` is called once, in this order."""

    __slots__ = ("_drained", "_failure", "_group_signals", "_pid", "_relay", "_status", "_stopper", "stderr")

    def __init__(self, pid: int, relay: RelayProcess, failure: int, stderr: int | None) -> None:
        self._pid = pid
        self._relay = relay
        self._group_signals: GroupSignals | None = None
        self._stopper: Stopper | None = None
        self._failure = failure  # has a byte to read if exec failed, and ends when the program begins
        self._status: int | None = None  # until it has ended
        self._drained = False
        self.stderr = stderr  # a duplicate of the caller's standard error; None if it was closed, or not asked for

    def pass_on_what_came_early(self) -> None:
        """Pass on the signals that arrived before the gate opens.

        They are still blocked in the child, so that one which was sent to the group stays one.
        """
        while taken := _take_pending(signals_to_block()):
            self._see_to(*taken)

    def wait(self) -> bool:
        """Do as the child does, and have it get what we get, until it has ended. Whether the program ran at all."""
        self._status = self._follow()
        self._relay.child_ended()
        return not os.read(self._failure, 1)

    @property
    def succeeded(self) -> bool:
        """Whether its exit code was 0. Asked after `wait`."""
        return self._status == 0

    def drain(self) -> bytes:
        """Wait until all that it wrote has gone on; the observer's report, empty if that failed.

        Signals are blocked until then: whoever has read the output to its end may hang up the terminal at once.
        """
        self._drained = True
        if self._stopper is not None:
            self._stopper.end()
        if not self._relay.has_drained(_DRAIN_MILLISECONDS):
            _take_signals_ourselves()
        report = self._relay.report()
        _signal.pthread_sigmask(_signal.SIG_BLOCK, signals_to_block())
        return report

    def exit_the_same_way(self) -> NoReturn:
        """End this process as the child has ended: with the same exit code, or by the same signal.

        A shell tells the two apart: a loop goes on after exit code 130, and stops after death by SIGINT.
        """
        status = self._ended()
        quiet.quietly(self._relay.reap)
        if os.WIFSIGNALED(status):
            quiet.quietly(_die_by, os.WTERMSIG(status))
            os._exit(128 + os.WTERMSIG(status))  # the first process of a container does not die of its own signals
        os._exit(os.WEXITSTATUS(status))

    def _ended(self) -> int:
        """The wait status of the child. Does what a defect of ours has kept `wait` or `drain` from doing."""
        if self._status is None:
            quiet.quietly(self.wait)
        if self._status is None:
            self._status = os.waitpid(self._pid, 0)[1]
            self._relay.child_ended()
        if not self._drained:
            quiet.quietly(self.drain)
        return self._status

    def _follow(self) -> int:
        """Returns the wait status of the child."""
        from launcher.relay.job_control import Stopper, stop_by

        awaited = signals_to_block() | {_signal.SIGCHLD}
        self._stopper = quiet.quietly(Stopper)
        stopped_by = None  # the signal that keeps the child stopped
        while True:
            changed, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if changed and os.WIFSTOPPED(status):
                stopped_by = os.WSTOPSIG(status)
                quiet.quietly(self._heard().drain_before_stop)
            elif changed and os.WIFCONTINUED(status):
                if stopped_by is not None:
                    _take_pending({stopped_by})  # it goes on again: so do we
                stopped_by = None
            elif changed:
                return status
            elif stopped_by is None:
                self._see_to(*_wait_for_signal(awaited))
            elif taken := _take_pending({_signal.SIGCONT}):
                # To the group, and the child may go on already; or to us alone, and then it goes on now.
                self._see_to(*taken)
            else:
                self._relay.launcher_stops()
                stop_by(stopped_by, self._stopper)
                self._relay.launcher_goes_on()
                if not {_signal.SIGCONT, stopped_by} & _signal.sigpending():
                    # Nothing has continued us: this one cannot stop us, for our group is an orphaned one.
                    self._see_to(*_wait_for_signal(awaited))

    def _heard(self) -> GroupSignals:
        """What the whole group has had. Not imported before the program runs: the budget of scripts/bench needs it."""
        if self._group_signals is None:
            from launcher.relay.job_control import GroupSignals

            self._group_signals = GroupSignals(self._relay)
        return self._group_signals

    def _arm(self) -> None:
        """A SIGCONT has been taken. Before the child learns of it: one that is dropped here would say the same."""
        if self._stopper is not None:
            quiet.quietly(self._stopper.arm)

    def _see_to(self, number: int, sender: int | None) -> None:
        """See to a signal that has been taken. Whatever goes wrong with it, the run goes on."""
        if number == _signal.SIGCONT:
            self._arm()
        # The relay process's own: it has woken us.
        if number != _signal.SIGCHLD and sender != self._relay.pid:
            quiet.quietly(self._pass_on, number, sender)

    def _pass_on(self, number: int, sender: int | None) -> None:
        """Give the child a signal, unless it has had it along with the group."""
        from launcher.relay.job_control import STOPS

        reached_group = self._heard().reached_group(number)
        if reached_group and os.getpgid(self._pid) == os.getpgrp():
            return
        if sender != self._pid:
            send(self._pid, number)
            if number in STOPS and _take_pending({_signal.SIGCONT}):
                # It is the later of the two; but if it is for the group, the child may have had it before this stop.
                self._arm()
                send(self._pid, _signal.SIGCONT)
                self._heard().reached_group(_signal.SIGCONT)
        elif not reached_group and os.getppid() > 1:
            send(os.getppid(), number)  # a program that signals its parent means ours


if sys.platform == "linux":

    def _wait_for_signal(awaited: set[int]) -> tuple[int, int | None]:
        """Wait for a signal. Returns its number, and the process that sent it."""
        signal = _signal.sigwaitinfo(awaited)
        return signal.si_signo, signal.si_pid

    def _take_pending(numbers: set[int]) -> tuple[int, int | None] | None:
        """One of these signals, as above, if any is there. Of a stop and a SIGCONT the kernel drops the earlier."""
        signal = _signal.sigtimedwait(numbers, 0)
        return (signal.si_signo, signal.si_pid) if signal else None

else:

    def _wait_for_signal(awaited: set[int]) -> tuple[int, int | None]:
        """Wait for a signal. Returns its number, and None: the system does not tell who sent it."""
        return _signal.sigwait(awaited), None

    def _take_pending(numbers: set[int]) -> tuple[int, int | None] | None:
        """One of these signals, as above, if any is there."""
        return _wait_for_signal(numbers) if numbers & _signal.sigpending() else None


def _take_signals_ourselves() -> None:
    """The child has ended, and its signals with it; what comes now, while nobody reads its output, is for us."""
    blocked = signals_to_block()
    while _take_pending(blocked):
        pass
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, blocked)


def _die_by(number: int) -> None:
    import resource

    # The child's core is the one to look at.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != _signal.SIGKILL:
        _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
