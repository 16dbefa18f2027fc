"""One run of chef-run, start to finish: decide, relay, flush, record, mirror.

What comes after the spawn is imported after it: chef-run starts as soon as it is known that it may, and how.
"""

from __future__ import annotations

import os
import sys
import time

from launcher import real
from launcher.consent import decision
from launcher.consent.situation import Situation, notice_is_current
from launcher.quiet import in_background, quietly
from launcher.relay import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    if sys.platform == "win32":
        from launcher.relay.windows import Child
    else:
        from launcher.relay.posix import Child
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from launcher.home.layout import Home
    from launcher.reading.output import Observer

    T = TypeVar("T")

MAX_DEPTH = 10  # launchers inside launchers, before we take it that they start each other for ever


def run(arguments: list[str]) -> NoReturn:
    """Run chef-run with these arguments so that nobody can tell the difference, and end as it ends.

    Raises real.NoChefRun if there is none.
    """
    signals = handover.caller_signals()
    situation = Situation(os.environ, arguments)
    command = _command(situation, signals)

    destination = quietly(_destination, situation)
    child = quietly(_start, command, situation, destination) if destination else None
    if destination is None or child is None:
        _exec_in_place(command)

    try:  # whatever happens from here on: chef-run has been started, and is not started again
        quietly(_record, child, situation, destination, signals)
    finally:
        child.exit_the_same_way()


def _record(child: Child, situation: Situation, destination: Destination, signals: handover.SignalState) -> None:
    """Flush and prepare while chef-run runs, and keep the record when it has ended."""
    # In this thread: what others import lies in memory of their own, 0.2 MiB more.
    from launcher.record import recording

    quietly(_import_for_the_end, situation, destination)
    preparing = _beside(lambda: _flush_and_prepare(situation, destination, signals))
    preparation = in_background(_counted, destination, lambda: recording.unpacked(preparing()))
    ran = child.wait()
    ended = time.time()
    prepared = preparation()
    collected = None
    if ran and prepared:
        collect, home = recording.collect_after_exit, destination.home
        collected = quietly(_counted, destination, collect, situation, home, prepared, ended, child.succeeded)
    report = quietly(child.drain) or b""
    kept = quietly(_counted, destination, recording.keep, destination.home, collected, report) if collected else False
    if kept and child.stderr is not None:
        quietly(_show_notice, situation, destination, child.stderr)


def _import_for_the_end(situation: Situation, destination: Destination) -> None:
    """What else the end of this run takes: now, while nobody waits for it."""
    if destination.is_first:
        from launcher.consent import notice  # noqa: F401
        from launcher.delivery import endpoint  # noqa: F401
    if situation.decision.hosts.level == "salted":
        import hashlib  # noqa: F401


def _counted(destination: Destination, work: Callable[..., T], *arguments: Any) -> T:
    """What `work` returns. If it raises, the record of this run is lost, and that is counted."""
    try:
        return work(*arguments)
    except BaseException as error:
        from launcher.home import losses

        losses.count(destination.home, error)
        raise


def _command(situation: Situation, signals: handover.SignalState) -> handover.Command:
    """What is to be run. Raises real.NoChefRun."""
    depth = _depth(situation)
    program = os.fsencode(real.find(situation, sys.argv[0], depth))
    arguments = [program, *handover.caller_arguments(list(situation.arguments))]
    # Our mark that a launcher is at work: all that we add.
    environment = handover.caller_environment().plus(os.fsencode(decision.DEPTH), b"%d" % (depth + 1))
    return handover.Command(program, arguments, environment, signals)


def _depth(situation: Situation) -> int:
    """How many launchers are at work above this one. Raises real.NoChefRun if they start each other for ever."""
    value = situation.variables.get(decision.DEPTH, "")
    depth = int(value) if value.isascii() and value.isdigit() and len(value) < 4 else 0
    if depth >= MAX_DEPTH:
        problem = f"every chef-run that it finds starts the launcher again; set {real.VARIABLE}"
        raise real.NoChefRun(handover.NOT_FOUND, problem)
    return depth


class Destination:
    """Where this run is recorded, whether it is the first that is, and when it began: seconds since the epoch."""

    __slots__ = ("home", "is_first", "started")

    def __init__(self, home: Home, is_first: bool, started: float) -> None:
        self.home = home
        self.is_first = is_first  # so that the notice has to be shown
        self.started = started


def _destination(situation: Situation) -> Destination | None:
    """Where this run is recorded; absent if telemetry is off. If it is disabled for good, deletes what waits unsent."""
    if decision.is_off_by_environment(situation.variables) or situation.home is None:
        return None
    if situation.decision.drops_stored:
        from launcher.home import spool

        spool.discard_all(situation.home)
    if not situation.decision.on:
        return None
    try:
        return Destination(situation.home, not notice_is_current(situation.home), time.time())
    finally:
        situation.home.close()  # no process of a run is to hold what it does not need


def _exec_in_place(command: handover.Command) -> NoReturn:
    if sys.platform == "win32":
        from launcher.relay.windows import exec_in_place
    else:
        from launcher.relay.handover import exec_in_place
    os._exit(exec_in_place(command))


def _start(command: handover.Command, situation: Situation, destination: Destination) -> Child:
    if sys.platform == "win32":
        from launcher.relay.windows import start
    else:
        from launcher.relay.posix import start
    return start(command, _observer, inherit_terminal=situation.inherits_terminal, keep_stderr=destination.is_first)


def _beside(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin to work in a process of its own. Returns what waits for the result."""
    if sys.platform != "win32":
        from launcher.relay import helper_process

        return helper_process.start(work)
    return work  # there is no fork: whoever asks for the result does the work


def _observer() -> Observer:
    """What watches the output of chef-run as it passes. Made in the relay process."""
    from launcher.reading.output import Observer

    return Observer()


def _flush_and_prepare(situation: Situation, destination: Destination, signals: handover.SignalState) -> bytes:
    """In a process of its own: nothing in HOME, which may be slow or hang, holds up who serves chef-run's signals."""
    from launcher.record import preparing, recording

    flushed = quietly(_flush, destination, signals)
    prepared = preparing.prepare(situation, destination.home, destination.started)
    if flushed:
        flushed()
    return recording.packed(prepared)


def _flush(destination: Destination, signals: handover.SignalState) -> Callable[[], None] | None:
    """Have the sessions of earlier runs sent, if any wait and the time has come.

    Returns what waits for the start of the sender, if one is started. Raises OSError where nothing can be written, or
    there is no process to be had: the next run tries again.
    """
    from launcher.delivery import schedule
    from launcher.home import spool

    if destination.is_first:  # nothing is sent before the notice, which names who receives it
        return None
    if not schedule.is_due(destination.home) or not spool.may_be_waiting(destination.home):
        return None
    from launcher.delivery import sender

    return sender.start(destination.home, destination.started, signals)


def _show_notice(situation: Situation, destination: Destination, stderr: int) -> None:
    from launcher.consent import notice
    from launcher.delivery import endpoint

    chosen = endpoint.choose(situation)
    # Who is told in a job of a CI service, which may have a terminal, is told again and again: its HOME is a new one.
    is_brief = not os.isatty(stderr) or bool(situation.variables.get("CI"))
    text = notice.text(
        situation.profile, endpoint.host(chosen) if chosen else None, situation.decision.hosts.level, is_brief=is_brief
    )
    if notice.claim(destination.home):
        os.write(stderr, text.encode("utf-8", "surrogateescape"))
