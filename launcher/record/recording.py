"""The record of one run in the making: prepared while chef-run runs, collected and kept after its end.

What each phase finds out is one value, complete or not there at all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from launcher.home import files, spool
from launcher.reading import output
from launcher.reading.command_line import Target
from launcher.record import adoption, hosts_key, installation_id, session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.situation import Situation
    from launcher.home.layout import Home


class Prepared(NamedTuple):
    """What could be found out while chef-run ran, by preparing.py."""

    started: float  # when chef-run was, in seconds since the epoch
    earlier_payloads: Collection[files.Version]
    eviction_order: Sequence[str]
    host: dict[str, str | None]
    targets: Sequence[Target]


def packed(prepared: Prepared) -> bytes:
    """What is prepared, on its way from the process that has found it out."""
    return json.dumps({**prepared._asdict(), "earlier_payloads": list(prepared.earlier_payloads)}).encode()


def unpacked(content: bytes) -> Prepared:
    """What `packed` made bytes of."""
    values = json.loads(content)
    values["earlier_payloads"] = {(inode, modified) for inode, modified in values["earlier_payloads"]}
    values["targets"] = [Target(*target) for target in values["targets"]]
    return Prepared(**values)


class Collected(NamedTuple):
    """What chef-run left, and all else that the record is made of, but for what its output said."""

    prepared: Prepared
    installation_id: str
    hosts: str  # how much of them may be recorded: one of decision.HOSTS
    key: bytes | None  # if their hashes are to be salted
    families: output.Claims
    failures: output.Claims


def collect_after_exit(
    situation: Situation, home: Home, prepared: Prepared, ended: float, succeeded: bool
) -> Collected | None:
    """What can be done as soon as chef-run has ended, with or without success, without knowing all of its output.

    `ended` is when it has, in seconds since the epoch. Absent if telemetry was turned off while chef-run ran, or if
    ~/.chef-workstation does not exist: chef-run did not reach its first-run setup, and would skip it if we made the
    directory. Raises OSError where nothing can be written: then chef-run's payload stays where it is.
    """
    decision = situation.reread().decision
    home.close()  # chef-run, or whoever else, may have put others in the place of the directories meanwhile
    if not decision.on or not home.workstation.exists():
        return None
    home.telemetry.make()
    hosts = decision.hosts.level
    return Collected(
        prepared,
        installation_id.ensure(home),
        hosts,
        hosts_key.ensure(home) if hosts == "salted" else None,
        # Last, for it removes the payload: what failed before has lost nothing.
        families=adoption.adopt(
            home.telemetry,
            prepared.targets,
            started=prepared.started,
            ended=ended,
            succeeded=succeeded,
            earlier=prepared.earlier_payloads,
        ),
        failures=adoption.failures(
            home.logs, prepared.targets, started=prepared.started, ended=ended, succeeded=succeeded
        ),
    )


def keep(home: Home, collected: Collected, report: bytes) -> bool:
    """Store the session; `report` is the observer's. Whether it was stored. Raises OSError."""
    prepared = collected.prepared
    platforms = output.platforms(prepared.targets, collected.families, output.findings(report), collected.failures)
    record = session.build(
        collected.installation_id, prepared.host, prepared.targets, platforms, collected.hosts, collected.key
    )
    try:
        content = session.to_bytes(record)
    except session.TooLarge:
        spool.count_dropped(home)
        return False
    spool.store(home, record["id"], content, prepared.eviction_order)
    return True
