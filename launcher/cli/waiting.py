"""The sessions that wait, and the requests that would carry them: shown by `show` and by `dry-run`."""

import hashlib
import json
from typing import Any, NamedTuple, Optional

from launcher.cli.output import print_exactly, show_json
from launcher.delivery import encode
from launcher.delivery.endpoint import Endpoint
from launcher.delivery.plan import as_sent, utc_day
from launcher.home import spool
from launcher.home.layout import Home
from launcher.record import session
from launcher.record.session import Session


class Stored(NamedTuple):
    """A waiting session, and when it was stored (seconds since the epoch)."""

    record: Session
    stored: float


def waiting(home: Home, beginning: str = "") -> list[Stored]:
    """The waiting sessions whose id begins so, oldest first; files that hold none are skipped."""
    sessions = []
    for stored, name in spool.oldest_first(home):
        try:
            record = session.read(home.telemetry, name)
        except (OSError, session.InvalidSession):
            continue
        if record["id"].startswith(beginning.lower()):
            sessions.append(Stored(record, stored))
    return sessions


class Requests(NamedTuple):
    """The requests that would carry sessions now, and where to."""

    destination: Endpoint
    requests: list[encode.Request]

    def as_json(self) -> list[dict[str, Any]]:
        """All of them, for programs."""
        return [
            {
                "method": "POST",
                "url": self.destination.url + request.path,
                "headers": request.headers,
                "body": request.body.decode(),
                "sha256": _sha256(request),
            }
            for request in self.requests
        ]

    def print(self, *, indent: bool = False) -> None:
        """Print them byte for byte, each with its URL and the hash that its receipts will have.

        With `indent` they are for people: the lines end as others do, and each body is printed indented as well.
        """
        for request in self.requests:
            print_exactly(f"To {self.destination.url}{request.path}\n")
            http = encode.as_http(request, self.destination.url).decode()
            print_exactly(http.replace("\r\n", "\n") if indent else http)
            print_exactly(f"\nSHA-256 of the body:\n{_sha256(request)}\n")
            if indent:
                print_exactly("The body, indented:")
                show_json(json.loads(request.body))
                print_exactly("")


def requests(destination: Endpoint, sessions: list[Stored], hosts: str, key: Optional[bytes]) -> Requests:
    """The requests that would carry these sessions now, with no more of the hosts than the level `hosts` allows."""
    records = [as_sent(each.record, hosts, key) for each in sessions]
    batches = encode.batches(records, destination.format, lambda record: record)
    return Requests(destination, [encode.encode(batch, destination.format, utc_day()) for batch in batches])


def _sha256(request: encode.Request) -> str:
    return hashlib.sha256(request.body).hexdigest()
