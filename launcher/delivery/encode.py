"""Sessions as the exact bytes that go over the wire. No other module makes them.

`encode` is pure. The dry run, `show --wire` and the sender all call it, so what is shown is what is sent.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Callable, NamedTuple, TypeVar
from urllib.parse import urlsplit

from launcher import NAME, __version__
from launcher.consent.config import FORMATS, Profile, load_profile
from launcher.record.session import Session

# An OTLP request stays below half a megabyte; collectors accept several.
MAX_SESSIONS_PER_REQUEST = 100
MAX_TARGETS_PER_REQUEST = 1000

_NO_LICENSE = "00000000-0000-0000-0000-000000000000"

T = TypeVar("T")


@functools.lru_cache(maxsize=1)
def _profile() -> Profile:
    """The distribution profile, which is a part of the program."""
    return load_profile()


class Request(NamedTuple):
    """One POST request: its path below the endpoint, its headers in the order in which they go out, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


def encode(sessions: Sequence[Session], format: str, day: str) -> Request:
    """The request that carries `sessions`; `day` is the UTC day of sending (YYYY-MM-DD), the finest time that is sent.

    The format "chef" is the envelope of Chef's telemetry service, with one session per request. "otlp" is OTLP/HTTP in
    JSON, with one log record per session. Raises ValueError for another format or number of sessions.
    """
    if format == "otlp":
        return _request("/v1/logs", _export(sessions, day))
    if format == "chef":
        (session,) = sessions
        return _request("/events", _envelope(session, day))
    raise ValueError(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")


def batches(items: Iterable[T], format: str, session_of: Callable[[T], Session]) -> Iterator[list[T]]:
    """The items in batches whose sessions share a request, in order. No item is taken before it is needed."""
    batch: list[T] = []
    targets = 0
    for item in items:
        batch.append(item)
        targets += len(session_of(item)["targets"])
        if format == "chef" or len(batch) >= MAX_SESSIONS_PER_REQUEST or targets >= MAX_TARGETS_PER_REQUEST:
            yield batch
            batch, targets = [], 0
    if batch:
        yield batch


def _envelope(session: Session, day: str) -> dict[str, object]:
    return {
        "instance_id": session["installation_id"],
        "message_version": 1.0,
        "payload_version": 1.0,
        "license_id": _NO_LICENSE,
        "type": "track",
        "session_id": session["id"],
        "origin": "command-line",
        "product": _profile().product,
        "product_version": __version__,
        "install_context": _profile().install_context,
        "timestamp": f"{day}T00:00:00Z",
        "payload": {"event": "run", "properties": _properties(session)},
    }


def _export(sessions: Sequence[Session], day: str) -> dict[str, object]:
    """An ExportLogsServiceRequest as OTLP's JSON has it (opentelemetry-proto 1.5 or newer)."""
    resource = {"service.name": _profile().product, "service.version": __version__}
    scope = {"name": NAME, "version": __version__}
    records = [_log_record(session, day) for session in sessions]
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _key_values(resource)},
                "scopeLogs": [{"scope": scope, "logRecords": records}],
            }
        ]
    }


def _log_record(session: Session, day: str) -> dict[str, object]:
    midnight = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
    return {
        # The day of sending. When the run was (timeUnixNano) is not recorded.
        "observedTimeUnixNano": str(int(midnight.timestamp()) * 10**9),
        "eventName": "run",
        "body": _any_value(_properties(session)),
        "attributes": _key_values({"session.id": session["id"]}),
    }


def _any_value(value: Any) -> dict[str, object]:
    """A value as OTLP's AnyValue."""
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(each) for each in value]}}
    return {"kvlistValue": {"values": _key_values(value)}}


def _key_values(mapping: dict[str, Any]) -> list[dict[str, object]]:
    """A mapping as OTLP's KeyValues. What is not known is left out: real collectors refuse a value without a kind."""
    return [{"key": key, "value": _any_value(value)} for key, value in mapping.items() if value is not None]


def _properties(session: Session) -> dict[str, Any]:
    """What the privacy page promises, P1 to P6."""
    return {name: session[name] for name in ("installation_id", "command", "host", "targets")}


def _request(path: str, content: object) -> Request:
    body = json.dumps(content, separators=(",", ":")).encode()
    headers = {
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "User-Agent": f"{NAME}/{__version__}",
    }
    return Request(path, headers, body)


def as_http(request: Request, endpoint: str) -> bytes:
    """The whole HTTP/1.1 message that carries `request` to the base URL `endpoint`, byte for byte."""
    parts = urlsplit(endpoint)
    lines = [f"POST {parts.path}{request.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body
