"""One run of chef-run, start to finish: decide, relay, flush, record, mirror.

What comes after the spawn is imported after it: chef-run starts as soon as it is known that it may, and how.
"""

from __future__ import annotations

import os
import sys

from launcher import real
from launcher.consent import decision
from launcher.consent.situation import Situation
from launcher.relay import handover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from launcher.record.recording import Recording

DEEPEST = 10  # launchers inside launchers, before we take it that they start each other for ever


def run(words: list[str]) -> NoReturn:
    """Run chef-run with these arguments so that nobody can tell the difference, and end as it ends.

    Raises real.NoChefRun if there is none.
    """
    handover.hold_signals()
    situation = Situation(os.environ, words)
    program = os.fsencode(_chef_run(situation))
    argv = [program, *handover.caller_arguments(words)]
    environment = _one_deeper(handover.caller_environment())

    recording = _begin(situation, words)
    if recording is None:
        _become(program, argv, environment)

    from launcher.relay import child as relay

    ended = relay.run(
        program,
        argv,
        environment,
        inherit_terminal=situation.inherits_terminal,
        observer=recording.observer,
        at_once=lambda: _flush(recording),
        meanwhile=recording.prepare,
        at_end=recording.look_back,
        keep_stderr=recording.is_first,
    )
    kept = ended.ran and recording.keep(ended.report)
    if kept and ended.stderr is not None:
        _show_notice(situation, recording, ended.stderr)
    relay.end_like(ended)


def _chef_run(situation: Situation) -> str:
    """The path of the real chef-run. Where the variable names it, no file is read to know."""
    launcher = sys.argv[0]
    return real.named_by_variable(situation.variables, launcher) or real.find(
        situation.variables, situation.config, situation.profile, launcher
    )


def _begin(situation: Situation, words: list[str]) -> Recording | None:
    """The record in the making; None if telemetry is off, or cannot work."""
    try:
        if decision.is_off_by_environment(situation.variables):
            return None
        home, decided = situation.home, situation.decision
        if home is None or not decided.on:
            if home and decided.drops_stored:
                from launcher.home import spool

                spool.discard_all(home)
            return None

        from launcher.consent import notice
        from launcher.record.recording import Recording

        return Recording(situation, home, words, is_first=not notice.is_current(home))
    except Exception:
        return None  # when in doubt, chef-run runs without us


def _flush(recording: Recording) -> None:
    """Have the sessions of earlier runs sent, if any wait and the time has come.

    Raises OSError where nothing can be written, or there is no process to be had: the next run tries again.
    """
    if recording.is_first:
        return  # nothing is sent before the notice
    from launcher.delivery import schedule
    from launcher.home import spool

    if schedule.is_due(recording.home) and spool.any_waiting(recording.home):
        from launcher.delivery import sender

        recording.starts_sender = sender.start(recording.home, recording.started)


def _show_notice(situation: Situation, recording: Recording, descriptor: int) -> None:
    from launcher.consent import notice

    if notice.claim(recording.home):
        _write(descriptor, notice.text(situation.profile))


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
        code = real.NOT_FOUND if isinstance(error, FileNotFoundError) else real.NOT_EXECUTABLE
        raise real.NoChefRun(code, f"cannot run {os.fsdecode(program)}: {error.strerror}") from None


def _write(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass
