"""`status`: whether runs are recorded, why, and what has become of the records."""

import os
import shutil
import sys
from typing import Annotated, Any, Optional

import typer

from launcher import __version__, real
from launcher.cli.output import console, count, facts, moment, print_json
from launcher.consent import notice
from launcher.consent.decision import Decision
from launcher.consent.situation import Situation
from launcher.delivery import endpoint, receipts, schedule
from launcher.home import lock, spool
from launcher.home.layout import Home
from launcher.quiet import in_background
from launcher.record import installation_id, session

RECEIPTS_SHOWN = 3
LOCK_SECONDS = 1  # that a lock may take to answer: on a network file system it may never do so


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show whether runs are recorded and why, what waits, and how the last delivery went. Never uses the network."""
    report = examine(Situation(os.environ))
    if as_json:
        print_json(report)
    else:
        _print(report)


def examine(situation: Situation) -> dict[str, Any]:
    """All that `status` shows, as printed in JSON; times are in seconds since the epoch."""
    decision = situation.decision
    destination = endpoint.choose(situation.variables, situation.config, situation.policy, situation.profile)
    return {
        "version": __version__,
        "distribution": situation.profile.name,
        "on": decision.on,
        "reason": f"{decision.reason.name}: {decision.reason.message}" if decision.reason else None,
        "sources": sources(decision),
        "hosts": {"level": decision.hosts.level, "where": decision.hosts.where},
        "chef_run": chef_run(situation),
        "endpoint": destination._asdict() if destination else None,
        **_stored(situation.home),
    }


def sources(decision: Decision) -> list[dict[str, Any]]:
    """Every source of the decision, as printed in JSON."""
    return [
        {"name": source.name, "off": source.off, "says": source.message, "where": source.where}
        for source in decision.sources
    ]


def chef_run(situation: Situation) -> dict[str, Optional[str]]:
    """The program that would run, or why there is none."""
    try:
        path = real.find(situation.variables, situation.config, situation.profile, sys.argv[0])
    except real.NoChefRun as problem:
        return {"path": None, "problem": str(problem)}
    return {"path": path, "problem": None}


def _stored(home: Optional[Home]) -> dict[str, Any]:
    if home is None:
        return {"folder": None}
    waiting = spool.oldest_first(home)
    failure = schedule.last_failure(home)
    return {
        "folder": home.telemetry,
        "disk_full": _is_full(home),
        "installation_id": installation_id.read(home),
        "notice_shown": notice.is_current(home),
        "waiting": len(waiting),
        "unreadable": sum(_is_unreadable(path) for _, path in waiting),
        "oldest": waiting[0][0] if waiting else None,
        "dropped": spool.dropped(home),
        "rejected": len(spool.rejected(home)),
        "last_rejection": spool.last_rejection(home),
        "sending": in_background(lock.is_held, home.lock)(LOCK_SECONDS),
        "last_failure": failure and {"attempts": failure.attempts, "says": failure.message},
        "next_attempt": failure and failure.not_before,
        "receipts": receipts.read(home)[-RECEIPTS_SHOWN:],
    }


def _is_full(home: Home) -> bool:
    """Whether the disk has no room for a session."""
    nearest = next((path for path in (home.telemetry, home.directory) if os.path.isdir(path)), home.path)
    try:
        return shutil.disk_usage(nearest).free < spool.MAX_SESSION_SIZE
    except OSError:
        return False


def _is_unreadable(path: str) -> bool:
    try:
        session.read(path)
    except (OSError, session.InvalidSession):
        return True
    return False


def _print(report: dict[str, Any]) -> None:
    state = "[green]on[/]: runs are recorded" if report["on"] else "[yellow]off[/]: nothing is recorded or sent"
    console.print(f"Telemetry is {state}.\n")
    console.print(facts(source_rows(report["sources"])))
    console.print()
    chef_run, destination = report["chef_run"], report["endpoint"]
    rows = [
        ("chef-run", chef_run["path"] or f"none: {chef_run['problem']}"),
        ("launcher", f"{report['version']}, for {report['distribution']}"),
        ("endpoint", _endpoint(destination) if destination else "none"),
        ("of hosts", _hosts(report["hosts"])),
        ("folder", _folder(report)),
    ]
    if report["folder"]:
        rows += _stored_rows(report)
    console.print(facts(rows))


def source_rows(sources: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The sources, each that turns telemetry off with a mark."""
    rows = []
    for source in sources:
        path = source["where"].rpartition(":")[0] if source["where"][-1:].isdigit() else source["where"]
        # The path is moved to the column in which lines are folded.
        name, message = source["name"], source["says"]
        if name.endswith(f" {path}"):
            name, message = name.removesuffix(f" {path}"), f"{message} ({source['where']})"
        rows.append((("* " if source["off"] else "  ") + name, message))
    return rows


def _hosts(hosts: dict[str, Any]) -> str:
    meaning = {
        "sha256": "the SHA-256 sum of each name is recorded",
        "salted": "a sum of each name and a random key that stays here is recorded",
        "count": "how many there are is recorded, and no sums of their names",
        "off": "nothing is recorded",
    }[hosts["level"]]
    return f"{meaning} ({hosts['where']})" if hosts["where"] else meaning


def _folder(report: dict[str, Any]) -> str:
    if not report["folder"]:
        return "none"
    return f"{report['folder']}{', on a full disk: nothing can be recorded' if report['disk_full'] else ''}"


def _endpoint(destination: dict[str, Any]) -> str:
    if destination["problem"]:
        return f"refused: {destination['problem']} ({destination['named_by']})"
    return f"{destination['url']} ({destination['named_by']}), format {destination['format']}"


def _stored_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    waiting = count(report["waiting"], "session")
    if report["oldest"]:
        waiting += f", the oldest from {moment(report['oldest'])}"
    if report["unreadable"]:
        waiting += f"; {report['unreadable']} cannot be read, and will be put aside in rejected/"
    rows = [
        ("installation id", report["installation_id"] or "none yet"),
        ("notice", "shown" if report["notice_shown"] else "not shown yet: nothing is sent before it is"),
        ("waiting", waiting),
        ("rejected, dropped", f"{report['rejected']}, {report['dropped']}"),
    ]
    if report["last_rejection"]:
        rows.append(("last rejected", f"{report['last_rejection']}; `flush --rejected` sends them again"))
    failure = report["last_failure"]
    if report["sending"] is None:
        rows.append(("delivery", "not known: the lock does not answer"))
    elif report["sending"]:
        rows.append(("delivery", "under way"))
    elif failure:
        rows.append(("last delivery", f"failed ({failure['says']}), {count(failure['attempts'], 'attempt')} in a row"))
        rows.append(("next attempt", f"with the first run after {moment(report['next_attempt'])}"))
    for receipt in reversed(report["receipts"]):
        rows.append(("sent", f"{receipt.get('day')}  {receipt.get('session')}  HTTP {receipt.get('status')}"))
    return rows
