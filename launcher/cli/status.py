"""`status`: whether runs are recorded, why, and what has become of the sessions."""

import os
from typing import Annotated, Any, Optional

import typer

from launcher import __version__
from launcher.cli.notes import notes
from launcher.cli.obstacles import failure_to_read, look_at_lock, lost_runs, not_permitted, rejected_sessions
from launcher.cli.output import count, moment, plain, print_json, say, say_facts
from launcher.cli.run_facts import chef_run, source_rows, sources
from launcher.consent.config import FORMATS, in_words
from launcher.consent.decision import Source
from launcher.consent.situation import Situation, notice_is_current
from launcher.delivery import endpoint, receipts, schedule
from launcher.delivery.plan import because
from launcher.home import losses, spool
from launcher.home.layout import Home
from launcher.record import installation_id

RECEIPTS_SHOWN = 3


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whether runs are recorded, and what is waiting.

    It never uses the network. Times are local.

    \b
    Examples:
      chef-run-launcher status
      chef-run-launcher status --json
    """
    situation = Situation(os.environ)
    report = examine(situation)
    if as_json:
        print_json(report)
    else:
        _print(report, situation)


def examine(situation: Situation) -> dict[str, Any]:
    """All that `status` shows, as printed in JSON (status.schema.json); times are in seconds since the epoch."""
    decision = situation.decision
    reason = decision.reason
    destination = endpoint.choose(situation)
    program = chef_run(situation)
    return {
        "schema": 1,
        "version": __version__,
        "distribution": situation.profile.name,
        "on": decision.on,
        "reason": f"{reason.name}: {reason.message}" if reason else None,
        "reason_code": reason.code if reason else None,
        "sources": sources(decision),
        "hosts": {"level": decision.hosts.level, "where": decision.hosts.where and in_words(decision.hosts.where)},
        "chef_run": program,
        "endpoint": destination._asdict() if destination else None,
        "notes": [{"code": each.code, "says": each.message} for each in notes(situation, program["path"])],
        **_stored(situation.home),
    }


def _stored(home: Optional[Home]) -> dict[str, Any]:
    if home is None:
        return {"folder": None}
    waiting = spool.oldest_first(home)
    failure = schedule.last_failure(home)
    obstacle = losses.obstacle(home)
    sending, lock_problem = look_at_lock(home)
    return {
        "folder": home.telemetry.path,
        "disk_full": bool(obstacle and "disk" in obstacle),
        "obstacle": obstacle,
        "installation_id": installation_id.read(home),
        "notice_shown": notice_is_current(home),
        "waiting": len(waiting),
        "unreadable": sum(failure_to_read(home.telemetry, name) is not None for _, name in waiting),
        "not_permitted": not_permitted(home),
        "oldest": waiting[0][0] if waiting else None,
        "dropped": spool.dropped(home),
        "lost": losses.by_reason(home),
        "rejected": len(spool.rejected(home)),
        "last_rejection": spool.last_rejection(home),
        "sending": sending,
        "lock_problem": lock_problem,
        "last_failure": failure and {"attempts": failure.attempts, "says": failure.message},
        "next_attempt": failure and failure.not_before,
        "receipts": receipts.read(home)[-RECEIPTS_SHOWN:],
    }


def _print(report: dict[str, Any], situation: Situation) -> None:
    say(_sentence(report, situation.decision.reason))
    for note in report["notes"]:
        end = "" if note["says"].endswith("?") else "."
        say(f"[yellow]Note:[/] {plain(note['says'])}{end}")
    if report["folder"]:
        say("")
        say_facts(_delivery_rows(report, situation.home))
    say("\nWhat decides:")
    say_facts(source_rows(situation.decision))
    say("\nSettings:")
    say_facts(_settings_rows(report))


def _sentence(report: dict[str, Any], reason: Optional[Source]) -> str:
    if reason is None:
        if report["endpoint"]["format"] not in FORMATS:
            not_sent = "nothing is sent: the value of \\[telemetry] format is not known"
            return f"Telemetry is [green]on[/]: runs are recorded, but {not_sent}."
        receiver = report["endpoint"]["url"] or "nobody, as the endpoint is refused"
        return f"Telemetry is [green]on[/]: runs are recorded, and sent to {plain(receiver)}."
    return f"Telemetry is [yellow]off[/]: nothing is recorded or sent, because {plain(because(reason))}."


def _settings_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    chef_run, destination = report["chef_run"], report["endpoint"]
    rows = [
        ("chef-run", chef_run["path"] or f"none: {chef_run['problem']}"),
        ("launcher", f"{report['version']}, for {report['distribution']}"),
        ("endpoint", _endpoint(destination) if destination else "none"),
        ("host names", _hosts(report["hosts"])),
        ("directory", report["folder"] or "none"),
    ]
    if report["folder"]:
        rows.append(("installation ID", report["installation_id"] or "not created yet"))
    return rows


def _hosts(hosts: dict[str, Any]) -> str:
    meaning = {
        "sha256": "recorded as the SHA-256 hash of each name",
        "salted": "recorded as a salted hash of each name; the salt stays on this machine",
        "count": "not recorded, only how many there are",
        "off": "not recorded, nor anything else of the targets",
    }[hosts["level"]]
    return f"{meaning} ({hosts['where']})" if hosts["where"] else meaning


def _endpoint(destination: dict[str, Any]) -> str:
    if destination["problem"]:
        return f"refused: {destination['problem']} ({destination['named_by']})"
    return f"{destination['url']} ({destination['named_by']}), format {destination['format']}"


def _delivery_rows(report: dict[str, Any], home: Optional[Home]) -> list[tuple[str, str]]:
    """What is waiting, and how it is delivered."""
    waiting = count(report["waiting"], "session")
    if report["oldest"]:
        waiting += f", the oldest from {moment(report['oldest'])}"
    if report["not_permitted"]:
        waiting += f"; {report['not_permitted']} cannot be read, and will not be sent"
    invalid = report["unreadable"] - report["not_permitted"]
    if invalid:
        waiting += f"; {count(invalid, 'invalid session')}, which will be moved to rejected/"
    rows = [("waiting", waiting)]
    if report["obstacle"]:
        rows.append(("obstacle", f"{report['obstacle']}: nothing can be recorded"))
    if not report["notice_shown"]:
        rows.append(("notice", "not shown yet; nothing is sent before it is"))
    failure = report["last_failure"]
    if report["sending"] is None:
        rows.append(("delivery", f"not known: {report['lock_problem']}"))
    elif report["sending"]:
        rows.append(("delivery", "in progress"))
    elif failure:
        attempts = f" ({count(failure['attempts'], 'attempt')} in a row)" if failure["attempts"] > 1 else ""
        rows.append(("last delivery", f"failed{attempts}: {failure['says']}"))
    if failure and report["on"] and report["sending"] is False:
        rows.append(("next attempt", f"by the first run after {moment(report['next_attempt'])}"))
    for receipt in reversed(report["receipts"]):
        rows.append(("sent", f"{receipt.get('day')}  {receipt.get('session')}  HTTP {receipt.get('status')}"))
    if report["rejected"] and home:
        rows.append(("rejected", rejected_sessions(home)))
    if report["lost"]:
        rows.append(("not recorded", lost_runs(report["lost"])))
    if report["dropped"]:
        rows.append(("dropped", f"{count(report['dropped'], 'session')}, too old, too large, or over the limit"))
    return rows
