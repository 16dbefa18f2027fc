"""Sending what waits: the sessions of earlier runs, oldest first, each removed only once it was acknowledged.

The detached sender and `chef-run-launcher flush` do the same thing here; they differ in who watches.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from launcher.consent.situation import Situation
from launcher.delivery import encode, receipts, schedule, transport
from launcher.delivery.encode import Request
from launcher.delivery.endpoint import Endpoint
from launcher.delivery.plan import as_sent, plan, utc_day
from launcher.delivery.transport import Outcome, Result
from launcher.home import files, lock, spool
from launcher.home.layout import Home
from launcher.record import session
from launcher.record.session import Session

MIN_REQUEST_TIME = 1.0  # seconds; with less time left, no request is begun


class Delivery(NamedTuple):
    """What became of the waiting sessions; `problem` says why some were not sent (None if none is left)."""

    sent: int = 0
    rejected: int = 0
    problem: str | None = None


Listener = Callable[[str, Outcome], None]  # hears of a session, by its id, and how it fared


def flush(variables: Mapping[str, str], tell: Listener) -> Delivery:
    """Send all that waits, now; `tell` hears how each session fared.

    Raises OSError as soon as something cannot be written: nothing could then be kept from being sent again.
    """
    situation = Situation(variables)
    home, destination, problem = plan(situation)
    if problem or home is None or destination is None:
        return Delivery(problem=problem)
    if not spool.any_waiting(home):
        return Delivery()
    held = lock.take(home.lock)
    if held is None:
        return Delivery(problem="another sender is at work")
    try:
        schedule.begin(home)
        return _deliver(home, destination, variables, held, time.time(), math.inf, tell)
    finally:
        os.close(held)


def deliver(variables: Mapping[str, str], held: int, *, stored_before: float, until: float) -> None:
    """Send what was stored before that moment (seconds since the epoch), until it is `until` by the monotonic clock.

    What the sender does, for which an attempt has begun, and which has the lock by the descriptor `held`. How it ends
    is kept in the schedule.
    """
    situation = Situation(variables)
    home, destination, problem = plan(situation)
    if home is None:
        return
    try:
        if problem or destination is None:
            schedule.fail(home, problem or "there is no endpoint")
        else:
            _deliver(home, destination, variables, held, stored_before, until, lambda session_id, outcome: None)
    except OSError as error:
        schedule.fail(home, f"its own files cannot be written ({error.strerror})")


def _deliver(
    home: Home,
    destination: Endpoint,
    variables: Mapping[str, str],
    held: int,
    stored_before: float,
    until: float,
    tell: Listener,
) -> Delivery:
    receipts.make_ready(home)
    spool.tidy(home)
    waiting = spool.oldest_first(home)
    # One from the future was not stored by a run that is still going: the clock was set back.
    now = time.time()
    eligible = [path for stored, path in waiting if stored < stored_before or stored > now]
    with transport.connect(destination) as connection:
        attempt = _Attempt(home, destination, variables, held, until, tell, connection)
        stopped = attempt.send_all(eligible)
    if stopped:
        schedule.fail(home, stopped.message, retry_after=stopped.retry_after, progress=bool(attempt.results))
    else:
        schedule.clear(home)
    count = attempt.results.count
    return Delivery(count(Result.ACKNOWLEDGED), count(Result.REJECTED), stopped and stopped.message)


class _Waiting(NamedTuple):
    path: str
    record: Session


class _Attempt:
    """One attempt to deliver: what it works with, and how far it has come."""

    def __init__(
        self,
        home: Home,
        destination: Endpoint,
        variables: Mapping[str, str],
        held: int,
        until: float,
        tell: Listener,
        connection: transport.Connection,
    ) -> None:
        self.results: list[Result] = []  # of each session that has left the folder
        self._stuck = False  # whether one should have been put aside, and cannot be
        self._home = home
        self._destination = destination
        self._variables = variables
        self._hosts = Situation(variables).decision.hosts.level
        self._held = held
        self._until = until
        self._tell = tell
        self._connection = connection

    def send_all(self, paths: Iterable[str]) -> Outcome | None:
        """Send the sessions in these files.

        Returns what kept it from doing all there was to do; None if nothing did.

        Raises OSError as soon as a receipt cannot be written, or a session that has arrived not be removed.
        """
        for batch in encode.batches(self._read(paths), self._destination.format, lambda waiting: waiting.record):
            stopped = self._send(batch)
            if stopped:
                return stopped
        return Outcome(Result.LATER, "what is to be put aside in rejected/ cannot be") if self._stuck else None

    def _read(self, paths: Iterable[str]) -> Iterator[_Waiting]:
        """What these files hold, each read when it is about to be sent."""
        for path in paths:
            try:
                yield _Waiting(path, as_sent(session.read(path), self._home, self._hosts))
            except (session.InvalidSession, files.NotARegularFile, files.TooLarge):
                self._put_aside(path)
            except OSError:
                continue  # removed by hand meanwhile (P10), or not ours to read

    def _put_aside(self, path: str) -> None:
        try:
            spool.reject(self._home, path)
            self.results.append(Result.REJECTED)
        except OSError:
            self._stuck = True  # it stays where it is, and keeps no other from being sent

    def _send(self, batch: list[_Waiting]) -> Outcome | None:
        """Send a batch, and do with its files what the outcome says: the outcome, if nothing more can be sent now."""
        day = utc_day()
        request = encode.encode([waiting.record for waiting in batch], self._destination.format, day)
        outcome = self._post(request)
        if outcome.result is Result.REJECTED and len(batch) > 1:
            # One that is not taken must not take the others along.
            half = len(batch) // 2
            return self._send(batch[:half]) or self._send(batch[half:])
        self._settle(batch, request, outcome, day)
        for waiting in batch:
            self._tell(waiting.record["id"], outcome)
        return outcome if outcome.result is Result.LATER else None

    def _post(self, request: Request) -> Outcome:
        # Asked again each time: who turns telemetry off does not mean after the next five hundred.
        decision = Situation(self._variables).decision
        if not decision.on:
            return Outcome(Result.LATER, "telemetry was turned off")
        if decision.hosts.level != self._hosts:
            return Outcome(Result.LATER, "what is recorded of hosts was changed: a later run goes on")
        if not lock.is_current(self._held, self._home.lock):
            return Outcome(Result.LATER, "its lock was removed")
        seconds = min(transport.REQUEST_DEADLINE, self._until - time.monotonic())
        if seconds < MIN_REQUEST_TIME:
            return Outcome(Result.LATER, "time was up: a later run goes on")
        return self._connection.post(request, seconds)

    def _settle(self, batch: list[_Waiting], request: Request, outcome: Outcome, day: str) -> None:
        """Do with the files of a batch what the outcome says."""
        if outcome.result is Result.ACKNOWLEDGED:
            sessions = [waiting.record["id"] for waiting in batch]
            url, status = self._destination.url, outcome.status
            try:
                # The receipts first, and onto the disk: if all ends between the two, the sessions are sent again under
                # the same ids. Should there be no room for them after all, the sessions go nevertheless: they arrived.
                receipts.add(self._home, sessions, day=day, endpoint=url, status=status, body=request.body)
            finally:
                spool.remove(waiting.path for waiting in batch)
            self.results += [outcome.result] * len(batch)
        elif outcome.result is Result.REJECTED:
            for waiting in batch:
                self._put_aside(waiting.path)
