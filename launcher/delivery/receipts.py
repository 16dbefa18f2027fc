"""What was sent: one line for each session that the service acknowledged, for people to check against `show --wire`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from launcher.home import files
from launcher.home.layout import Home

LIMIT = 256 * 1024  # bytes; then the older half goes
ROOM = 4096  # bytes that must be free: a dozen receipts


def make_ready(home: Home) -> None:
    """Make sure that there is room for receipts. Raises OSError: then nothing may be sent, for nothing would tell."""
    files.append(home.receipts, b"\n" * ROOM)
    size = os.lstat(home.receipts).st_size - ROOM
    os.truncate(home.receipts, size)
    if size > LIMIT:
        files.replace(home.receipts, files.read_last_lines(home.receipts, LIMIT // 2))


def add(home: Home, sessions: Iterable[str], *, day: str, endpoint: str, status: int, body: bytes) -> None:
    """Write the receipts of the sessions that one request carried, and see them onto the disk.

    Only the holder of the sender's lock may. Raises OSError.
    """
    sent = {"endpoint": endpoint, "status": status, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    lines = [json.dumps({"day": day, "session": session, **sent}) + "\n" for session in sessions]
    files.append(home.receipts, "".join(lines).encode(), durable=True)


def discard(home: Home) -> None:
    """Remove all receipts."""
    files.remove(home.receipts)


def read(home: Home) -> list[dict[str, Any]]:
    """The receipts, oldest first. Lines that are no receipts are passed over."""
    try:
        lines = files.read_last_lines(home.receipts, 2 * LIMIT).splitlines()
    except OSError:
        return []
    receipts = []
    for line in lines:
        try:
            receipt = json.loads(line)
        except ValueError:
            continue
        if isinstance(receipt, dict):
            receipts.append(receipt)
    return receipts
