"""One run of chef-run, start to finish: decide, flush, relay, record, mirror."""

from __future__ import annotations

import os
import sys

from launcher import command_line, decision, handover, notice, real, schedule, sender, spool
from launcher.situation import Situation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from launcher.home import Home

DEEPEST = 10  # launchers inside launchers, before we take it that they start each other for ever


def run(words: list[str]) -> NoReturn:
    """Run chef-run with these arguments so that nobody can tell the difference, and end as it ends.

    Raises real.NoChefRun if there is none.
    """
    handover.hold_signals()
    situation = Situation(os.environ, command_line.config_files(words))
    program = os.fsencode(real.find(os.environ, situation.config, situation.profile, sys.argv[0]))
    argv = [program, *handover.caller_arguments(words)]
    environment = _one_deeper(handover.caller_environment())
    home = situation.home

    if home is None or not situation.decision.on:
        if home and situation.decision.drops_stored:
            spool.discard_all(home)
        _become(program, argv, environment)

    notice_pending = not notice.is_current(home)
    if not notice_pending:
        _flush(home)

    from launcher import relay
    from launcher.recording import Recording

    recording = Recording(situation, home, words)
    ended = relay.run(
        program,
        argv,
        environment,
        inherit_terminal=situation.inherits_terminal,
        observer=recording.observer,
        meanwhile=recording.prepare,
        keep_stderr=notice_pending,
    )
    if ended.ran and recording.keep(ended.report) and ended.stderr is not None and notice.claim(home):
        _write(ended.stderr, notice.text(situation.profile))
    relay.end_like(ended)


def complain(problem: str) -> None:
    """Say on standard error, in one line, why chef-run cannot be run."""
    _write(2, f"chef-run-launcher: {problem}\n")


def _one_deeper(environment: handover.Environment) -> handover.Environment:
    """The caller's environment, with our mark that a launcher is at work: all that we add."""
    name = os.fsencode(decision.DEPTH)
    value = environment.get(name) or b"0"
    depth = int(value) + 1 if value.isdigit() and len(value) < 4 else 1
    if depth > DEEPEST:
        raise real.NoChefRun(
            real.NOT_FOUND, "what it finds as chef-run starts the launcher again; set " + real.VARIABLE
        )
    return environment.plus(name, str(depth).encode())


def _become(program: bytes, argv: list[bytes], environment: handover.Environment) -> NoReturn:
    try:
        handover.become(program, argv, environment)
    except OSError as error:
        raise real.NoChefRun(
            real.NOT_EXECUTABLE, f"{os.fsdecode(program)} cannot be executed: {error.strerror}"
        ) from None


def _flush(home: Home) -> None:
    """Have the sessions of earlier runs sent, if any wait and the time has come. Fails silently."""
    try:
        if spool.any_waiting(home) and schedule.is_due(home):
            sender.start()
    except OSError:
        pass


def _write(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass
