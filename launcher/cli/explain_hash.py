"""`explain-hash`: what becomes of a host's name in a record."""

import os
from typing import Annotated

import typer

from launcher import command_line
from launcher.cli.output import console, errors, plain, print_json
from launcher.cli.status import HOSTS_MEAN
from launcher.situation import Situation


def explain_hash(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A target as chef-run takes it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what is recorded in the place of a host's name."""
    targets = command_line.targets(["--", host, "directory", "/"])
    if not targets:
        errors.print("chef-run-launcher: chef-run would not take that for a target")
        raise typer.Exit(1)
    sums = [target.sha256 for target in targets]
    if as_json:
        print_json([{"hostname_sha256": each} for each in sums])
        return
    for each in sums:
        console.out(each, highlight=False)
    hosts = Situation(os.environ).decision.hosts
    if hosts.where:
        console.print(
            f'\nHere, hosts = "{hosts.level}" in {plain(hosts.where)}:\n{HOSTS_MEAN[hosts.level]}.', soft_wrap=True
        )
    console.print(
        "\nThat is the SHA-256 sum of the name in lower case, without user, password, port\n"
        "and path. It does not hide a name that can be guessed: whoever tries the names\n"
        "that people give to hosts finds a short one in no time. Where that matters, turn\n"
        "telemetry off, for these runs or for good."
    )
