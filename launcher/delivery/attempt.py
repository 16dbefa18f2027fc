"""Sending what waits: the sessions of earlier runs, oldest first, each removed only once it is acknowledged.

The detached sender calls `deliver`, `chef-run-launcher flush` calls `flush`; they do the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from launcher.consent.situation import Situation
from launcher.delivery import encode, receipts, schedule, transport
from launcher.delivery.encode import Request
from launcher.delivery.plan import NothingMaySend, Route, as_sent, plan, utc_day
from launcher.delivery.transport import Connection, Outcome, Result
from launcher.home import files, lock, spool
from launcher.home.layout import Home
from launcher.record import hosts_key, session
from launcher.record.session import Session

MIN_REQUEST_TIME = 1.0  # seconds; with less time left, no request is started
SETTLE_AFTER = 0.05  # seconds after which the receipt of a session that has arrived is waited for to be on disk
TOO_LARGE = 413

Listener = Callable[[str, Outcome], None]  # is called for each session of a request, with its id and the outcome


class Delivery(NamedTuple):
    """What became of the waiting sessions; `problem` says why some were not sent (None if no session is left)."""

    sent: int = 0
    rejected: int = 0
    problem: str | None = None


class Stopped(Exception):
    """No more can be sent now; the text says why. The server may have asked to wait `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def flush(variables: Mapping[str, str], on_result: Listener, *, rejected: bool = False) -> Delivery:
    """Send all that waits, now; with `rejected` what was put aside, too.

    Raises OSError as soon as something cannot be written: whatever was sent after that would be sent again.
    """
    try:
        route = plan(Situation(variables))
    except NothingMaySend as error:
        return Delivery(problem=str(error))
    try:
        return _flush(route, on_result, rejected)
    finally:
        route.home.close()


def _flush(route: Route, on_result: Listener, rejected: bool) -> Delivery:
    home = route.home
    if not spool.any_waiting(home) and not (rejected and spool.rejected(home)):
        return Delivery()
    lock_fd = lock.take(home)
    if lock_fd is None:
        return Delivery(problem="another process is already sending")
    try:
        schedule.begin(home)
        return _deliver(route, lock_fd, rejected=rejected, on_result=on_result)
    finally:
        lock.release(home, lock_fd)


def deliver(variables: Mapping[str, str], lock_fd: int, *, stored_before: float, until: float) -> None:
    """Be the sender: send what was stored before that time (seconds since the epoch).

    The caller holds the lock by `lock_fd`, and has begun the attempt; how it ends is kept in the schedule. No request
    goes on after `until`, by the monotonic clock.
    """
    situation = Situation(variables)
    home = situation.home
    if home is None:
        return  # nothing can be stored
    try:
        _deliver(plan(situation), lock_fd, stored_before=stored_before, until=until)
    except NothingMaySend as error:
        schedule.fail(home, str(error))
    except OSError as error:
        schedule.fail(home, f"the launcher's own files cannot be written ({error.strerror})")


def _deliver(
    route: Route,
    lock_fd: int,
    *,
    rejected: bool = False,
    stored_before: float = math.inf,
    until: float = math.inf,
    on_result: Listener = lambda session_id, outcome: None,
) -> Delivery:
    home = route.home
    receipts.make_ready(home)
    spool.tidy(home)
    if rejected:
        spool.put_back(home)
    waiting = _stored_before(stored_before, home)
    problem = None
    with transport.connect(route.endpoint) as connection:
        attempt = _Attempt(route, connection, lock_fd, until, on_result)
        try:
            attempt.send_all(waiting)
        except Stopped as stopped:
            problem = str(stopped)
            progress = attempt.sent + attempt.rejected > 0
            schedule.fail(home, problem, retry_after=stopped.retry_after, progress=progress)
        else:
            schedule.clear(home)
    return Delivery(attempt.sent, attempt.rejected, problem)


def _stored_before(moment: float, home: Home) -> list[str]:
    """The files of the waiting sessions that were stored before that moment, oldest first."""
    waiting = spool.oldest_first(home)
    # A time in the future is not that of a run that is still going: the clock has been set back.
    now = time.time()
    return [name for stored, name in waiting if stored < moment or stored > now]


class _Waiting(NamedTuple):
    name: str  # of its file
    record: Session


@dataclass
class _Attempt:
    """One attempt to deliver, and how far it has come. Its methods raise Stopped if no more can be sent now."""

    route: Route
    connection: Connection
    lock_fd: int
    until: float
    on_result: Listener
    sent: int = 0
    rejected: int = 0
    is_stuck: bool = False  # whether a session could not be moved to rejected/
    arrived: list[str] = field(default_factory=list)  # the files of sessions that have, and are still there
    settled: float = -math.inf  # when the last of their receipts were on disk, by the monotonic clock

    def send_all(self, names: Iterable[str]) -> None:
        """Send the sessions in these files.

        Raises OSError as soon as a receipt cannot be written, or a session that has arrived cannot be removed.
        """
        try:
            for batch in encode.batches(self._read(names), self.route.endpoint.format, lambda waiting: waiting.record):
                self._send(batch)
        finally:
            self._settle()
        if self.is_stuck:
            raise Stopped("some sessions cannot be moved to rejected/")

    def _read(self, names: Iterable[str]) -> Iterator[_Waiting]:
        """The sessions in these files, each read when it is about to be sent."""
        key = hosts_key.read(self.route.home)
        for name in names:
            try:
                yield _Waiting(name, as_sent(session.read(self.route.home.telemetry, name), self.route.hosts, key))
            except session.InvalidSession as error:
                self._put_aside(name, f"its file does not hold a valid session: {error}")
            except (files.NotARegularFile, files.TooLarge) as error:
                self._put_aside(name, f"its file is {error.strerror}")
            except OSError:
                continue  # removed by hand meanwhile (P10), or not readable

    def _send(self, batch: list[_Waiting]) -> None:
        """Send a batch, and do with its files what the outcome says."""
        day = utc_day()
        request = encode.encode([waiting.record for waiting in batch], self.route.endpoint.format, day)
        outcome = self._post(request)
        if len(batch) > 1 and (outcome.result is Result.REJECTED or outcome.status == TOO_LARGE):
            # So that one bad session does not take the others along, nor all of them are too large together. If some
            # have been taken, it is not known which: each goes once more, by itself, and so none more than twice.
            size = (len(batch) + 1) // 2 if (outcome.status or 0) >= 400 else 1
            for start in range(0, len(batch), size):
                self._send(batch[start : start + size])
            return
        if outcome.result is Result.ACKNOWLEDGED:
            self._acknowledge(batch, request, outcome, day)
        elif outcome.result is Result.REJECTED:
            for waiting in batch:
                self._put_aside(waiting.name, outcome.message)
        for waiting in batch:
            self.on_result(waiting.record["id"], outcome)
        if outcome.result is Result.LATER:
            raise Stopped(outcome.message, outcome.retry_after)

    def _post(self, request: Request) -> Outcome:
        # Before each request: turning telemetry off must stop a delivery in progress.
        decision = self.route.situation.reread().decision
        if not decision.on:
            raise Stopped("telemetry was turned off")
        if decision.hosts.level != self.route.hosts:
            raise Stopped("the hosts setting was changed; a later run continues")
        if not lock.is_current(self.route.home, self.lock_fd):
            raise Stopped("the lock file was removed")
        seconds = min(transport.REQUEST_DEADLINE, self.until - time.monotonic())
        if seconds < MIN_REQUEST_TIME:
            raise Stopped("the time limit was reached; a later run continues")
        self.connection.send(request)
        outcome = self.connection.answer(SETTLE_AFTER)
        if outcome is None:
            self._settle()
            outcome = self.connection.answer(seconds - SETTLE_AFTER)
        return outcome or Outcome(Result.LATER, "no complete answer in time")

    def _acknowledge(self, batch: list[_Waiting], request: Request, outcome: Outcome, day: str) -> None:
        """Write the receipts of a batch that has arrived. Raises OSError."""
        self.arrived += [waiting.name for waiting in batch]
        ids = [waiting.record["id"] for waiting in batch]
        url, status = self.route.endpoint.url, outcome.status
        receipts.add(self.route.home, ids, day=day, endpoint=url, status=status, body=request.body)
        if time.monotonic() - self.settled >= SETTLE_AFTER:
            self._settle()

    def _settle(self) -> None:
        """Remove the files of the sessions that have arrived, once their receipts are on disk. Raises OSError.

        To wait for the disk takes as long for many receipts as for one, and longer than to send a session.
        """
        if not self.arrived:
            return
        arrived, self.arrived = self.arrived, []
        try:
            # The receipts first: after a crash between the two, the sessions are sent again with the same ids. The
            # files are removed even if the receipts cannot be written: the sessions have arrived.
            receipts.settle(self.route.home)
        finally:
            spool.remove(self.route.home, arrived)
        self.sent += len(arrived)
        self.settled = time.monotonic()

    def _put_aside(self, name: str, reason: str) -> None:
        try:
            spool.reject(self.route.home, name, reason)
            self.rejected += 1
        except OSError:
            self.is_stuck = True  # it stays where it is, and the others are sent all the same
