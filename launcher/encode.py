"""Sessions as the exact bytes that go over the wire: the one place that makes them.

`encode` is pure. The dry run, `show --wire` and the sender all call it, so what is shown is what is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from launcher import __version__
from launcher.config import load_profile
from launcher.session import Session

PROFILE = load_profile()  # a part of the program, like its constants
FORMATS = ("chef",)

_NO_LICENSE = "00000000-0000-0000-0000-000000000000"


class Request(NamedTuple):
    """One POST request: its path below the endpoint, its headers in the order in which they go out, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


def encode(sessions: Sequence[Session], format: str, day: str) -> Request:
    """The request that carries `sessions`; `day` is the UTC day of sending (YYYY-MM-DD), the finest time that is sent.

    The format "chef" is the envelope of Chef's telemetry service, and takes one session a request. Raises ValueError
    for another format or number of sessions.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}: use one of {', '.join(FORMATS)}")
    (session,) = sessions
    body = json.dumps(_envelope(session, day), separators=(",", ":")).encode()
    return Request("/events", _headers(body), body)


def _envelope(session: Session, day: str) -> dict[str, object]:
    return {
        "instance_id": session["installation_id"],
        "message_version": 1.0,
        "payload_version": 1.0,
        "license_id": _NO_LICENSE,
        "type": "track",
        "session_id": session["id"],
        "origin": "command-line",
        "product": PROFILE.product,
        "product_version": __version__,
        "install_context": PROFILE.install_context,
        "timestamp": f"{day}T00:00:00Z",
        "payload": {
            "event": "run",
            "properties": {name: session[name] for name in ("installation_id", "command", "host", "targets")},
        },
    }


def _headers(body: bytes) -> dict[str, str]:
    return {
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "User-Agent": f"chef-run-launcher/{__version__}",
    }


def as_http(request: Request, endpoint: str) -> bytes:
    """The whole HTTP/1.1 message that carries `request` to the base URL `endpoint`, byte for byte."""
    parts = urlsplit(endpoint)
    lines = [f"POST {parts.path}{request.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body
