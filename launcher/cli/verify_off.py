"""`verify-off`: see for yourself that off is off."""

import json
import os
import subprocess
import sys
from typing import Annotated, Optional

import typer

from launcher.cli import watched
from launcher.cli.complaint import fail
from launcher.cli.output import console, plain, print_json, say
from launcher.cli.run_facts import chef_run
from launcher.consent.decision import DRY_RUN, OPT_OUT, Decision
from launcher.consent.situation import Situation

TIMEOUT = 30  # seconds until a run must have become chef-run


def verify_off(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that a run with telemetry off only runs chef-run.

    Python's audit hooks (PEP 578) watch a run until it becomes chef-run, which is not run. It must open no socket,
    write no file and start no process. Uses what turns telemetry off here, or CHEF_TELEMETRY_OPT_OUT where nothing
    does, or what does would delete waiting sessions. strace shows what Python does not audit, such as creating a
    FIFO.

    \b
    Example:
      chef-run-launcher verify-off
    """
    situation = Situation(os.environ)
    wanted = chef_run(situation)
    if wanted["path"] is None:
        fail(f"nothing was checked: {wanted['problem'] or ''}")
    off_by = _off_by(situation.decision)
    seen = _watch({} if off_by else {OPT_OUT: ""})
    became = [subject for what, subject in seen if what == watched.BECAME]
    offences = [(what, subject) for what, subject in seen if what != watched.BECAME]
    passed = became == [wanted["path"]] and not offences
    if as_json:
        print_json(
            {
                "schema": 1,
                "passed": passed,
                "off_by": off_by or f"{OPT_OUT}: set",
                "became": became[0] if became else None,
                "offences": [{"what": what, "subject": subject} for what, subject in offences],
            }
        )
    else:
        say("[green]PASS[/]" if passed else "[red]FAIL[/]")
        done = "opened no socket, wrote no file and started no process"
        way = f"telemetry off ({plain(off_by)})" if off_by else f"{OPT_OUT} set"
        say(f"With {way}, the launcher {'did this:' if offences else done + '.'}")
        for what, subject in offences:
            console.print(f"  {plain(what)} {plain(subject)}", soft_wrap=True)
        console.print(f"It {f'became {plain(became[0])}' if became else 'did not become chef-run'}.", soft_wrap=True)
    if not passed:
        raise typer.Exit(1)


def _off_by(decision: Decision) -> Optional[str]:
    """What turns off any run here; None if nothing does, or what was stored would be dropped, which is to be seen."""
    reason = None if decision.drops_stored else decision.reason
    return f"{reason.name}: {reason.message}" if reason else None


def _watch(more: dict[str, str]) -> list[tuple[str, str]]:
    """What a run with these variables too has reported while it was watched: each event, and its subject."""
    variables = {**os.environ, **more}
    variables.pop(DRY_RUN, None)
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-I", "-S", watched.__file__, "exec", "--version"],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        fail(f"the run that was watched did not become chef-run within {TIMEOUT} seconds")
    return [_parsed(line) for line in done.stdout.splitlines()]


def _parsed(line: bytes) -> tuple[str, str]:
    try:
        what, subject = json.loads(line)
    except (ValueError, TypeError):
        return "output: printed by the launcher", ""
    return what, subject
