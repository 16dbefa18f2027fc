"""Sending what waits: the sessions of earlier runs, oldest first, each removed only once it was acknowledged.

The detached sender and `chef-run-launcher flush` do the same thing here; they differ in who watches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from launcher import encode, endpoint, files, lock, notice, receipts, schedule, session, spool, transport
from launcher.home import Home
from launcher.situation import Situation
from launcher.transport import Outcome, Result


class Delivery(NamedTuple):
    """What became of the waiting sessions; `problem` says why some were not sent (None if none is left)."""

    sent: int = 0
    rejected: int = 0
    problem: str | None = None


def deliver(
    variables: Mapping[str, str],
    *,
    stored_before: float,
    tell: Callable[[str, Outcome], None] = lambda session_id, outcome: None,
) -> Delivery:
    """Send every session that was stored before that moment (seconds since the epoch); `tell` hears of each.

    Stops at the first that has to be tried later, and then notes when the next attempt may be made. Raises OSError
    if its own state cannot be written: then nothing was sent, for it could not be stopped from being sent again.
    """
    situation = Situation(variables)
    destination = endpoint.choose(variables, situation.config, situation.profile)
    problem = obstacle(situation, destination)
    home = situation.home
    if problem or destination is None or home is None:
        return Delivery(problem=problem)
    if not spool.any_waiting(home):
        return Delivery()
    with lock.held(home.lock) as mine:
        if not mine:
            return Delivery(problem="another sender is at work")
        return _deliver(home, destination, variables, stored_before, tell)


def _deliver(
    home: Home,
    destination: endpoint.Endpoint,
    variables: Mapping[str, str],
    stored_before: float,
    tell: Callable[[str, Outcome], None],
) -> Delivery:
    spool.drop_expired(home)
    now = time.time()
    # One from the future was not stored by a run that is still going: the clock was set back.
    eligible = [path for stored, path in spool.oldest_first(home) if stored < stored_before or stored > now]
    results: list[Result] = []
    problem = None
    attempt = schedule.begin(home)
    with transport.connect(destination.url) as connection:
        for path in eligible:
            if not Situation(variables).decision.on:
                problem = "telemetry was turned off"
                break
            outcome = _send(home, path, destination, connection, tell)
            if outcome and outcome.result is Result.LATER:
                schedule.postpone(home, attempt, outcome.says, outcome.retry_after)
                return _summary(results, outcome.says)
            if outcome:
                results.append(outcome.result)
    schedule.clear(home)
    return _summary(results, problem)


def _summary(results: list[Result], problem: str | None) -> Delivery:
    return Delivery(results.count(Result.ACKNOWLEDGED), results.count(Result.REJECTED), problem)


def _send(
    home: Home,
    path: str,
    destination: endpoint.Endpoint,
    connection: transport.Connection,
    tell: Callable[[str, Outcome], None],
) -> Outcome | None:
    """Send the session in one file, and do with the file what the outcome says. None if it is not there to be sent."""
    try:
        record = spool.read(path)
    except (session.InvalidSession, files.NotARegularFile):
        spool.reject(home, path)
        return Outcome(Result.REJECTED, "not a session")
    except OSError:
        return None  # removed by hand meanwhile (P10), or not ours to read
    day = utc_day()
    request = encode.encode([record], destination.format, day)
    outcome = connection.post(request)
    tell(record["id"], outcome)
    if outcome.result is Result.ACKNOWLEDGED:
        # The receipt first: a crash between the two sends the session again, under the same id.
        receipts.add(
            home, day=day, session=record["id"], endpoint=destination.url, status=outcome.status, body=request.body
        )
        files.remove(path)
    elif outcome.result is Result.REJECTED:
        spool.reject(home, path)
    return outcome


def utc_day() -> str:
    """Today in UTC, YYYY-MM-DD: the finest time that is ever sent."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def obstacle(situation: Situation, destination: endpoint.Endpoint | None) -> str | None:
    """Why nothing may be sent at all."""
    reason = situation.decision.reason
    if reason:
        return f"telemetry is off: {reason.name}: {reason.says}"
    if situation.home is None or not notice.is_current(situation.home):
        return "the notice has not been shown yet: the next run of chef-run shows it"
    if destination and destination.problem:
        return f"the endpoint that {destination.named_by} names is refused: {destination.problem}"
    if destination and destination.format not in encode.FORMATS:
        return f"[telemetry] format {destination.format!r} is not known: use {' or '.join(encode.FORMATS)}"
    return None
