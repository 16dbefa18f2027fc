"""`explain-hash`: what becomes of a host's name in a record."""

import os
from typing import Annotated, Optional

import typer

from launcher.cli.output import console, errors, plain, print_json
from launcher.consent.situation import Situation
from launcher.home.layout import Home
from launcher.reading import command_line
from launcher.record import hosts_key, session


def explain_hash(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A target as chef-run takes it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what is recorded in the place of a host's name."""
    targets = command_line.targets(["--", host, "directory", "/"])
    if not targets:
        errors.print("chef-run-launcher: chef-run would not take that for a target")
        raise typer.Exit(1)
    situation = Situation(os.environ)
    hosts = situation.decision.hosts
    hashes = _hashes(targets, hosts.level, situation.home)
    if as_json:
        print_json({"hosts": hosts.level, "hostname_sha256": hashes})
        return
    for each in hashes:
        console.out(each, highlight=False)
    if hosts.level == "sha256":
        console.print(
            "\nThat is the SHA-256 sum of the name in lower case, without user, password, port\n"
            "and path. It does not hide a name that can be guessed: whoever tries the names\n"
            "that people give to hosts finds a short one in no time. Where that matters, set\n"
            'hosts = "salted" in config.toml, or turn telemetry off.'
        )
    elif hosts.level == "salted":
        console.print(
            ("\nThat is" if hashes else "There is no key yet: the next run makes it. What is recorded then is")
            + " the SHA-256 sum of a random key that stays here\n"
            "and of the name's own sum. Who has not the key cannot guess."
        )
    else:
        console.print("Nothing is recorded in its place.")
    if hosts.where:
        console.print(f'It is so because of hosts = "{hosts.level}" in {plain(hosts.where)}.', soft_wrap=True)


def _hashes(targets: list[command_line.Target], hosts: str, home: Optional[Home]) -> list[str]:
    """The hashes that are recorded of these targets; an empty list if none are, or if there is no key yet."""
    key = hosts_key.read(home) if home else None
    if hosts in ("count", "off") or (hosts == "salted" and key is None):
        return []
    return [session.hash_of(target, hosts, key or b"") for target in targets]
