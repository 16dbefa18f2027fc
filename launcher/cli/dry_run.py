"""`dry-run`: what a run would do, without doing any of it."""

from __future__ import annotations

import os
from typing import Optional

from launcher.cli.output import console, moment, plain, print_json, say, say_facts, show_json
from launcher.cli.run_facts import chef_run, source_rows, sources
from launcher.cli.waiting import Requests, requests, waiting
from launcher.consent.situation import Situation
from launcher.delivery import schedule
from launcher.delivery.plan import NothingMaySend, plan
from launcher.record import host_os, hosts_key, installation_id, preparing, session
from launcher.record.session import Session


def dry_run(arguments: list[str], as_json: bool = False) -> None:
    """Print what `chef-run ARGUMENTS` would do: the decision, the program, the record, the requests."""
    situation = Situation(os.environ, arguments)
    record = _session(situation) if situation.decision.on else None
    out, why, reason = None, None, None
    try:
        out = _requests(situation)
    except NothingMaySend as error:
        why, reason = error.why, str(error)
    if as_json:
        decision = situation.decision
        print_json(
            {
                "schema": 1,
                "on": decision.on,
                "sources": sources(decision),
                "chef_run": chef_run(situation),
                "session": record,
                "requests": out.as_json() if out else [],
                "no_requests_code": why,
                "no_requests_because": reason,
            }
        )
        return

    say("[bold]This run: would it be recorded?[/]")
    say("Yes." if record else "No.")
    say_facts(source_rows(situation.decision))

    _heading("This run: the program that would be run")
    program = chef_run(situation)
    if program["path"]:
        console.print(plain(program["path"]), soft_wrap=True)
    else:
        say(f"None: {plain(program['problem'] or '')}.")

    _heading("This run: the session that would be stored, and sent by a later run")
    if record:
        show_json(record)
        say("The operating system of a target becomes known only when chef-run runs.")
    else:
        say("None.")

    _heading("Earlier runs: the requests that would be sent now")
    if out:
        out.print()
    else:
        say(f"None: {plain(reason or '')}.")


def _heading(text: str) -> None:
    say(f"\n[bold]{text}[/]")


def _session(situation: Situation) -> Session:
    found = preparing.targets_of(situation)
    known = installation_id.read(situation.home) if situation.home else None
    unknown: list[Optional[str]] = [None for _ in found]
    id = known or "(created at the end of the first run)"
    level = situation.decision.hosts.level
    key = hosts_key.read(situation.home) if situation.home else None
    record = session.build(id, host_os.operating_system(), found, unknown, level, key)
    if level == "salted" and key is None:
        later = {"hostname_sha256": "(uses a key that is created at the end of the run)"}
        record["targets"] = [{**later, **target} for target in record["targets"]]
    return record


def _requests(situation: Situation) -> Requests:
    """The requests that this run would send. Raises NothingMaySend."""
    route = plan(situation)
    sessions = waiting(route.home)
    if not sessions:
        raise NothingMaySend("nothing_waits", "no session of an earlier run is waiting")
    failure = schedule.last_failure(route.home)
    if failure and not schedule.is_due(route.home):
        next_attempt = moment(failure.not_before)
        raise NothingMaySend(
            "not_due", f"the next attempt is made after {next_attempt}, as the last delivery failed: {failure.message}"
        )
    return requests(route.endpoint, sessions, route.hosts, hosts_key.read(route.home))
