"""`show`: the sessions that wait, as they are stored and as they would be sent."""

import os
from typing import Annotated, Optional

import typer
from rich.table import Table
from rich.tree import Tree

from launcher.cli.complaint import fail
from launcher.cli.output import NOTHING_WAITS, console, count, moment, plain, print_json, say
from launcher.cli.waiting import Stored, requests, waiting
from launcher.consent.situation import Situation
from launcher.delivery.plan import NothingMaySend, usable_endpoint
from launcher.home.layout import Home
from launcher.record import hosts_key, session
from launcher.record.session import Session


def _ids(incomplete: str) -> list[tuple[str, str]]:
    """What a shell offers to complete an ID with: the waiting sessions, with the time of each."""
    home = Situation(os.environ).home
    return [(each.record["id"], moment(each.stored)) for each in waiting(home, incomplete)] if home else []


def show(
    wanted: Annotated[Optional[str], typer.Argument(metavar="ID", hidden=True, autocompletion=_ids)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the sessions exactly as stored.")] = False,
    wire: Annotated[bool, typer.Option("--wire", help="Print the exact HTTP requests instead.")] = False,
    indent: Annotated[bool, typer.Option("--indent", help="With --wire, print each body indented as well.")] = False,
) -> None:
    """Show the sessions of earlier runs waiting to be sent.

    A session is what was recorded of a run. With ID, or the beginning of one, explain it field by field.

    \b
    Examples:
      chef-run-launcher show
      chef-run-launcher show 0f1e7d5c
      chef-run-launcher show --wire --indent
    """
    if indent and not wire:
        raise typer.BadParameter("--indent goes with --wire")
    situation = Situation(os.environ)
    home = situation.home
    sessions = waiting(home, wanted or "") if home else []
    key = hosts_key.read(home) if home else None
    if wanted and not sessions:
        fail(f"no waiting session has an ID that begins with {wanted!r}")
    if wire:
        _print_requests(situation, sessions, key, as_json=as_json, indent=indent)
    elif as_json:
        print_json([each.record for each in sessions])
    elif wanted:
        for each in sessions:
            console.print(_tree(each, key))
    elif home and sessions:
        _list(home, sessions)
    else:
        say(NOTHING_WAITS)


def _print_requests(
    situation: Situation, sessions: list[Stored], key: Optional[bytes], *, as_json: bool, indent: bool
) -> None:
    try:
        destination = usable_endpoint(situation)
    except NothingMaySend as error:
        fail(str(error))
    found = requests(destination, sessions, situation.decision.hosts.level, key)
    if as_json:
        print_json(found.as_json())
    elif sessions:
        found.print(indent=indent)
    else:
        say(NOTHING_WAITS)


def _list(home: Home, sessions: list[Stored]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("ID", "stored", "this machine", "targets"):
        table.add_column(heading, overflow="fold")
    for record, stored in sessions:
        table.add_row(record["id"][:8], moment(stored), _host(record), _targets(record))
    console.print(table)
    say(
        f"\n{count(len(sessions), 'session')} in {plain(home.telemetry.path)}.\n"
        "`show ID` explains one of them. You may delete any of these files."
    )


def _host(record: Session) -> str:
    return f"{record['host']['os'] or 'unknown'} {record['host']['version'] or ''}".strip()


def _targets(record: Session) -> str:
    kinds = [f"{target['os'] or 'unknown'} via {target['transport']}" for target in record["targets"]]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "none"


def _tree(each: Stored, key: Optional[bytes]) -> Tree:
    record = each.record
    meaning = "SHA-256 hash of the target's host name"
    if session.is_salted(record, key):
        meaning = f"salted {meaning}; the salt stays here"
    tree = Tree(f"[bold]session[/], stored {moment(each.stored)}")
    _leaf(tree, "id", record["id"], "random; a session that arrives twice is counted once")
    _leaf(tree, "installation_id", record["installation_id"], "random; the same for all runs of this installation")
    _leaf(tree, "command", record["command"], "the command that was run, without its arguments")
    host = tree.add("[bold]host[/]  [dim]this machine[/]")
    _leaf(host, "os", record["host"]["os"], "operating system")
    _leaf(host, "version", record["host"]["version"], "version of the operating system")
    targets = tree.add(f"[bold]targets[/]  [dim]{count(len(record['targets']), 'host')} to connect to, in order[/]")
    for number, target in enumerate(record["targets"], 1):
        branch = targets.add(f"[bold]{number}[/]")
        if "hostname_sha256" in target:
            _leaf(branch, "hostname_sha256", target["hostname_sha256"], meaning)
        _leaf(branch, "transport", target["transport"], "how chef-run connected")
        _leaf(branch, "os", target["os"], "operating system of the target")
    return tree


def _leaf(tree: Tree, name: str, value: Optional[str], meaning: str) -> None:
    # Two lines: a hash and its meaning do not fit into one of 80 columns.
    tree.add(f"[bold]{name}[/]  [dim]{meaning}[/]\n{plain(value or 'unknown')}")
