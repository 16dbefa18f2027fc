"""`status`: whether runs are recorded, why, and what has become of the records."""

import os
import sys
from typing import Annotated, Any, Optional, Union

import typer

from launcher import __version__, real
from launcher.cli.notes import notes
from launcher.cli.output import console, count, facts, moment, plain, print_json
from launcher.consent.config import in_words
from launcher.consent.decision import Decision, Source
from launcher.consent.situation import Situation, notice_is_current
from launcher.delivery import endpoint, receipts, schedule
from launcher.delivery.encode import FORMATS
from launcher.home import lock, losses, spool
from launcher.home.layout import LOCK, Home
from launcher.quiet import in_background
from launcher.record import installation_id, session

RECEIPTS_SHOWN = 3
LOCK_SECONDS = 1  # that a lock may take to answer: on a network file system it may never do so


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
        _print(report, situation.decision)


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


def sources(decision: Decision) -> list[dict[str, Any]]:
    """Every source of the decision, as printed in JSON."""
    return [
        {"code": each.code, "name": each.name, "off": each.off, "says": each.message, "where": _where(each)}
        for each in decision.sources
    ]


def _where(source: Source) -> str:
    return source.where if isinstance(source.where, str) else in_words(source.where)


def chef_run(situation: Situation) -> dict[str, Optional[str]]:
    """The program that would run, or why there is none."""
    try:
        path = real.find(situation, sys.argv[0])
    except real.NoChefRun as problem:
        return {"path": None, "problem": str(problem)}
    return {"path": path, "problem": None}


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
        "unreadable": sum(_failure_to_read(home, name) is not None for _, name in waiting),
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


def look_at_lock(home: Home) -> tuple[Optional[bool], Optional[str]]:
    """Whether a sender holds the lock; None, and why, if that cannot be known. Nothing is sent then."""
    path = os.path.join(home.telemetry.path, LOCK)
    held = in_background(_held, home)(LOCK_SECONDS)
    if held is None:
        return None, f"{path} does not respond, and nothing is sent: is its file server reachable?"
    if isinstance(held, OSError):
        return None, f"{path} cannot be opened ({held.strerror}), and nothing is sent: delete it"
    return held, None


def _held(home: Home) -> Union[bool, OSError]:
    try:
        return lock.is_held(home)
    except OSError as error:
        return error


def not_permitted(home: Home) -> int:
    """How many waiting sessions this user may not read, and so cannot send."""
    return sum(isinstance(_failure_to_read(home, name), PermissionError) for _, name in spool.oldest_first(home))


def _failure_to_read(home: Home, name: str) -> Optional[Exception]:
    try:
        session.read(home.telemetry, name)
    except (OSError, session.InvalidSession) as error:
        return error
    return None


def _print(report: dict[str, Any], decision: Decision) -> None:
    console.print(_sentence(report, decision.reason))
    for note in report["notes"]:
        console.print(f"[yellow]Note:[/] {plain(note['says'])}")
    if report["folder"]:
        console.print()
        console.print(facts(_delivery_rows(report)))
    console.print("\nWhat decides:")
    console.print(facts(source_rows(decision)))
    console.print("\nSettings:")
    console.print(facts(_settings_rows(report)))


def _sentence(report: dict[str, Any], reason: Optional[Source]) -> str:
    if reason is None:
        if report["endpoint"]["format"] not in FORMATS:
            not_sent = "nothing is sent: the value of \\[telemetry] format is not known"
            return f"Telemetry is [green]on[/]: runs are recorded, but {not_sent}."
        receiver = report["endpoint"]["url"] or "nobody, as the endpoint is refused"
        return f"Telemetry is [green]on[/]: runs are recorded, and reported to {plain(receiver)}."
    return f"Telemetry is [yellow]off[/]: nothing is recorded or sent, because {plain(_because(reason))}."


def _because(reason: Source) -> str:
    """Why a source turns telemetry off, as the end of a sentence."""
    if reason.code in ("opt_out_variable", "do_not_track"):
        return f"{reason.name} is set"
    if isinstance(reason.where, str):
        return reason.message
    where = in_words(reason.where)
    is_setting = reason.message.endswith((" is false", " is not true", " is not a table"))
    return f"{reason.message} in {where}" if is_setting else f"of {where}: {reason.message}"


def source_rows(decision: Decision) -> list[tuple[str, str]]:
    """The sources, each that turns telemetry off with a mark."""
    rows = []
    for source in decision.sources:
        name, message = source.name, source.message
        if not isinstance(source.where, str):  # the path is moved to the column in which lines are folded
            name, message = name.removesuffix(f" {source.where[0]}"), f"{message} ({in_words(source.where)})"
        rows.append((("* " if source.off else "  ") + name, message))
    return rows


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


def lost_runs(lost: dict[str, int]) -> str:
    """The runs that were not recorded, with the reasons."""
    reasons = ", ".join(f"{losses.REASONS[code]} ({number})" for code, number in lost.items())
    return f"{count(sum(lost.values()), 'run')}: {reasons}"


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


def _delivery_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
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
    if report["rejected"]:
        reason = f", the last one because of {report['last_rejection']}" if report["last_rejection"] else ""
        rows.append(
            ("rejected", f"{count(report['rejected'], 'session')}{reason}; `flush --rejected` sends them again")
        )
    if report["lost"]:
        rows.append(("not recorded", lost_runs(report["lost"])))
    if report["dropped"]:
        rows.append(("dropped", f"{count(report['dropped'], 'session')}, too old, too large, or over the limit"))
    return rows
