"""What a record needs and can be found out while chef-run runs, in a process of its own: relay/helper_process.py."""

from __future__ import annotations

from launcher.home import spool
from launcher.reading import command_line
from launcher.record import adoption, host_os
from launcher.record.recording import Prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.situation import Situation
    from launcher.home.layout import Home
    from launcher.reading.command_line import Target


def prepare(situation: Situation, home: Home, started: float) -> Prepared:
    """All that can be done while chef-run runs."""
    return Prepared(
        started,
        earlier_payloads=adoption.before(home.telemetry, started),
        eviction_order=spool.eviction_order(home),
        host=host_os.operating_system(),
        targets=targets_of(situation),
    )


def targets_of(situation: Situation) -> list[Target]:
    """The hosts that a run connects to by its command line and its configuration, in chef-run's order."""
    return command_line.targets(
        situation.arguments,
        default_protocol=situation.default_protocol,
        posixly_correct="POSIXLY_CORRECT" in situation.variables,
    )
