"""`explain-hash`: what is recorded in place of a host name."""

import os
from typing import Annotated, Optional

import typer

from launcher.cli.complaint import fail
from launcher.cli.output import console, plain, print_exactly, print_json, say
from launcher.consent.config import in_words
from launcher.consent.situation import Situation
from launcher.home.layout import Home
from launcher.reading import command_line
from launcher.record import hosts_key, session


def explain_hash(
    host: Annotated[str, typer.Argument(metavar="HOST", hidden=True)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is recorded in place of a host name.

    HOST is a target as chef-run accepts it: a name, a URL or a range of names.

    \b
    Examples:
      chef-run-launcher explain-hash web01
      chef-run-launcher explain-hash 'ssh://admin@web[01:03]:2222'
    """
    targets = command_line.targets(["--", host, "directory", "/"])
    if not targets:
        fail("chef-run would not accept that as a target")
    situation = Situation(os.environ)
    hosts = situation.decision.hosts
    hashes = _hashes(targets, hosts.level, situation.home)
    if as_json:
        print_json({"schema": 1, "hosts": hosts.level, "hostname_sha256": hashes})
        return
    for each in hashes:
        print_exactly(each)
    if hosts.level == "sha256":
        say(
            "\nThis is the SHA-256 hash of the host name in lower case, without user, password, port and path. "
            "It does not protect a name that can be guessed: anyone can hash likely names and compare. "
            'If that matters, set hosts = "salted" under \\[telemetry] in config.toml, or turn telemetry off.'
        )
    elif hosts.level == "salted":
        say(
            ("\nThis is" if hashes else "No key exists yet; the next run creates one. What is recorded then is")
            + " the SHA-256 hash of a random key, which never leaves this machine, followed by the hash of the name. "
            "Without the key, names cannot be guessed."
        )
    else:
        say("Nothing is recorded in place of the name.")
    if hosts.where:
        console.print(f'The reason is hosts = "{hosts.level}" in {plain(in_words(hosts.where))}.', soft_wrap=True)


def _hashes(targets: list[command_line.Target], hosts: str, home: Optional[Home]) -> list[str]:
    """The hashes that are recorded of these targets; an empty list if none are, or if there is no key yet."""
    key = hosts_key.read(home) if home else None
    if hosts in ("count", "off") or (hosts == "salted" and key is None):
        return []
    return [session.hash_of(target, key if hosts == "salted" else None) for target in targets]
