"""What was sent: one line for each session that the service acknowledged, for people to check against `show --wire`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from launcher.home import files
from launcher.home.layout import Home

MAX_RECEIPTS_SIZE = 256 * 1024  # bytes; beyond that, the older half is removed
RESERVED_SIZE = 4096  # bytes that must be free on disk before anything is sent: a dozen receipts


def make_ready(home: Home) -> None:
    """Make sure that receipts can be written. Raises OSError: nothing may be sent without leaving a receipt."""
    files.append(home.receipts, b"\n" * RESERVED_SIZE)
    size = os.lstat(home.receipts).st_size - RESERVED_SIZE
    os.truncate(home.receipts, size)
    if size > MAX_RECEIPTS_SIZE:
        files.replace(home.receipts, files.read_last_lines(home.receipts, MAX_RECEIPTS_SIZE // 2))


def add(home: Home, sessions: Iterable[str], *, day: str, endpoint: str, status: int | None, body: bytes) -> None:
    """Write the receipts of the sessions that one request carried; `settle` waits until they are on disk.

    For the holder of the sender's lock only. Raises OSError.
    """
    sent = {"endpoint": endpoint, "status": status, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    lines = [json.dumps({"day": day, "session": session, **sent}) + "\n" for session in sessions]
    files.append(home.receipts, "".join(lines).encode())


def settle(home: Home) -> None:
    """Wait until all receipts are on disk. Raises OSError."""
    files.append(home.receipts, b"", durable=True)


def discard(home: Home) -> None:
    """Remove all receipts."""
    files.remove(home.receipts)


def read(home: Home) -> list[dict[str, Any]]:
    """The receipts, oldest first. Lines that are not receipts are skipped."""
    try:
        lines = files.read_last_lines(home.receipts, 2 * MAX_RECEIPTS_SIZE).splitlines()
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
