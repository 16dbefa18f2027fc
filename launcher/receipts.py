"""What was sent: one line for each session that the service acknowledged, for people to check against `show --wire`."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from launcher import files
from launcher.home import Home

LIMIT = 256 * 1024  # bytes; then the older half goes


def add(home: Home, *, day: str, session: str, endpoint: str, status: int, body: bytes) -> None:
    """Write one receipt. Only the holder of the sender's lock may. Raises OSError."""
    receipt = {"day": day, "session": session, "endpoint": endpoint, "status": status}
    line = json.dumps({**receipt, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    _keep_within_limit(home)
    descriptor = os.open(home.receipts, os.O_WRONLY | os.O_CREAT | os.O_APPEND | files.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def read(home: Home) -> list[dict[str, Any]]:
    """The receipts, oldest first. Lines that are no receipts are passed over."""
    try:
        lines = files.read(home.receipts, 2 * LIMIT).splitlines()
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


def _keep_within_limit(home: Home) -> None:
    try:
        if os.lstat(home.receipts).st_size <= LIMIT:
            return
    except FileNotFoundError:
        return
    lines = files.read(home.receipts, 2 * LIMIT).splitlines(keepends=True)
    files.replace(home.receipts, b"".join(lines[len(lines) // 2 :]))
