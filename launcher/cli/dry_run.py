"""`dry-run`: what a run would do, without doing any of it."""

from __future__ import annotations

import os
from typing import Optional

from launcher.cli.output import console, facts, moment, plain, print_json
from launcher.cli.show import Requests, requests, waiting
from launcher.cli.status import chef_run, source_rows, sources
from launcher.consent.situation import Situation
from launcher.delivery import schedule
from launcher.delivery.plan import NothingMaySend, plan
from launcher.record import host_os, hosts_key, installation_id, session, targets
from launcher.record.session import Session


def dry_run(arguments: list[str], as_json: bool = False) -> None:
    """Print what `chef-run ARGUMENTS` would do: the decision, the program, the record, the requests."""
    situation = Situation(os.environ, arguments)
    record = _session(situation) if situation.decision.on else None
    out, reason = None, None
    try:
        out = _requests(situation)
    except NothingMaySend as error:
        reason = str(error)
    if as_json:
        decision = situation.decision
        print_json(
            {
                "on": decision.on,
                "sources": sources(decision),
                "chef_run": chef_run(situation),
                "session": record,
                "requests": out.as_json() if out else [],
                "no_requests_because": reason,
            }
        )
        return

    _heading("Would this run be recorded?")
    console.print("Yes." if record else "No.")
    console.print(facts(source_rows(sources(situation.decision))))

    _heading("The program that would run")
    program = chef_run(situation)
    console.print(plain(program["path"] or f"None: {program['problem']}"))

    _heading("The session that would be stored")
    if record:
        print_json(record)
        console.print("The operating system of a target is known only from what chef-run says when it runs.")
    else:
        console.print("None.")

    _heading("The requests that would go out now")
    if out:
        out.print()
    else:
        console.print(f"None: {plain(reason or '')}.")


def _heading(text: str) -> None:
    console.print(f"\n[bold]{text}[/]")


def _session(situation: Situation) -> Session:
    found = targets.of_run(situation)
    known = installation_id.read(situation.home) if situation.home else None
    unknown: list[Optional[str]] = [None for _ in found]
    id = known or "(made at the end of the first run)"
    level = situation.decision.hosts.level
    key = hosts_key.read(situation.home) if situation.home else None
    record = session.build(id, host_os.operating_system(), found, unknown, level, key or b"")
    if level == "salted" and key is None:
        for target in record["targets"]:
            target["hostname_sha256"] = "(with a key that is made at the end of the run)"
    return record


def _requests(situation: Situation) -> Requests:
    """The requests that this run would send. Raises NothingMaySend."""
    route = plan(situation)
    sessions = waiting(route.home)
    if not sessions:
        raise NothingMaySend("no session of an earlier run waits")
    failure = schedule.last_failure(route.home)
    if failure and not schedule.is_due(route.home):
        next_attempt = moment(failure.not_before)
        raise NothingMaySend(
            f"the last delivery failed ({failure.message}); the next attempt is not before {next_attempt}"
        )
    return requests(route.endpoint, sessions, route.hosts, hosts_key.read(route.home))
