"""What would leave this machine now, and where to: asked by those who show it, and by those who send it.

Knows nothing of the network, and imports nothing that does: who only looks opens no socket.
"""

from __future__ import annotations

import time

from launcher.consent import notice
from launcher.consent.situation import Situation
from launcher.delivery import encode, endpoint
from launcher.delivery.endpoint import Endpoint
from launcher.home.layout import Home
from launcher.record import hosts_key, session
from launcher.record.session import Session


def plan(situation: Situation) -> tuple[Home | None, Endpoint | None, str | None]:
    """From where to where sessions would be sent, and why nothing may be sent at all (None if it may)."""
    destination = endpoint.choose(situation.variables, situation.config, situation.policy, situation.profile)
    return situation.home, destination, _obstacle(situation, destination)


def _obstacle(situation: Situation, destination: Endpoint | None) -> str | None:
    reason = situation.decision.reason
    if reason:
        return f"telemetry is off: {reason.name}: {reason.message}"
    if situation.home is None or not notice.is_current(situation.home):
        return "the notice has not been shown yet: the next run of chef-run shows it"
    if destination and destination.problem:
        return f"the endpoint that {destination.named_by} names is refused: {destination.problem}"
    if destination and destination.format not in encode.FORMATS:
        return f"[telemetry] format {destination.format!r} is not known: use {' or '.join(encode.FORMATS)}"
    return None


def as_sent(record: Session, home: Home, hosts: str) -> Session:
    """The part of a session that may leave at the level `hosts`, whatever it was when it was stored."""
    return session.tightened(record, hosts, salted=session.is_salted(record, hosts_key.read(home)))


def utc_day() -> str:
    """Today in UTC, YYYY-MM-DD: the finest time that is ever sent."""
    return time.strftime("%Y-%m-%d", time.gmtime())
