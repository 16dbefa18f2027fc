"""What may leave this machine now, and where to: for those who show it, and for those who send it.

Imports nothing of the network, so that a command that only shows opens no socket.
"""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from launcher.consent import config
from launcher.consent.decision import Source
from launcher.consent.situation import Situation, notice_is_current
from launcher.delivery import endpoint
from launcher.delivery.endpoint import Endpoint
from launcher.home.layout import Home
from launcher.record import session
from launcher.record.session import Session

Why = Literal["off", "notice", "no_endpoint", "endpoint", "format", "nothing_waits", "not_due"]


class NothingMaySend(Exception):
    """Nothing may be sent. `why` tells programs, the text people."""

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why: Why = why


class Route(NamedTuple):
    """From where to where sessions go, how much of the hosts may be sent, and the situation that allowed it."""

    situation: Situation
    home: Home
    endpoint: Endpoint
    hosts: str


def because(reason: Source) -> str:
    """Why a source turns telemetry off, as the end of a sentence."""
    if reason.code in ("opt_out_variable", "do_not_track"):
        return f"{reason.name} is set"
    if not isinstance(reason.where, str):
        where = config.in_words(reason.where)
        is_setting = reason.message.endswith((" is false", " is not true", " is not a table"))
        return f"{reason.message} in {where}" if is_setting else f"of {where}: {reason.message}"
    if reason.code == "no_endpoint":
        return "this distribution has no endpoint"
    if reason.code == "launcher_depth":
        return "another launcher, which records the run, has started this one"
    return reason.message


def plan(situation: Situation) -> Route:
    """The route of what would be sent now. Raises NothingMaySend."""
    decision = situation.decision
    if decision.reason:
        raise NothingMaySend("off", f"telemetry is off, because {because(decision.reason)}")
    if situation.home is None or not notice_is_current(situation.home):
        raise NothingMaySend("notice", "the notice has not been shown yet: the next run of chef-run shows it")
    return Route(situation, situation.home, usable_endpoint(situation), decision.hosts.level)


def usable_endpoint(situation: Situation) -> Endpoint:
    """The endpoint, if sessions can be sent to it. Raises NothingMaySend."""
    chosen = endpoint.choose(situation)
    if chosen is None:
        raise NothingMaySend("no_endpoint", "this distribution has no endpoint")
    if chosen.problem:
        raise NothingMaySend("endpoint", f"the endpoint is refused: {chosen.problem} (set by {chosen.named_by})")
    if chosen.format not in config.FORMATS:
        formats = " or ".join(config.FORMATS)
        raise NothingMaySend("format", f"the value {chosen.format!r} of [telemetry] format is not known: use {formats}")
    return chosen


def as_sent(record: Session, hosts: str, key: bytes | None) -> Session:
    """The part of a session that may be sent at the level `hosts`, whatever the level was when it was stored."""
    return session.tightened(record, hosts, salted=session.is_salted(record, key))


def utc_day() -> str:
    """Today in UTC, YYYY-MM-DD: the finest time that is ever sent."""
    return time.strftime("%Y-%m-%d", time.gmtime())
